//! The store's thread: asks in, reports out, and a new session when one is lost.

use core::time::Duration;
use std::sync::mpsc::SyncSender;

use heiiki_types::SharedInput;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

use super::read::{self, Wanted};
use super::session::Session;
use super::{Ask, Deliver, PostgresConfig, PostgresError, Report, Write, load, write};

/// Statements that read at the same time: one is under way while the next gathers.
const READS: usize = 4;
/// The most subjects of one statement.
const SUBJECTS: usize = 256;
/// How long to wait before the first and the last tries to connect again.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How often the server is asked whether it is there.
const BEAT: Duration = Duration::from_secs(2);

/// Why serving a session ended.
enum End {
    /// Nobody asks any more.
    Closed,
    /// A session is lost.
    Lost(String),
}

/// Transaction numbers before which everything was heard: that of the last beat, and of the one
/// before, since what is heard may be a little late.
#[derive(Clone, Default)]
struct Horizon {
    older: Option<String>,
    newer: Option<String>,
}

impl Horizon {
    fn reached(&mut self, now: String) {
        self.older = self.newer.replace(now);
    }

    fn safe(&self) -> Option<&str> {
        self.older.as_deref().or(self.newer.as_deref())
    }
}

pub(super) async fn run(
    config: PostgresConfig,
    mut asked: UnboundedReceiver<Ask>,
    opened: SyncSender<Result<(), PostgresError>>,
    deliver: Deliver,
) {
    let mut horizon = Horizon::default();
    let mut session = match open(&config, &mut horizon, None).await {
        Ok(session) => {
            let _ = opened.send(Ok(()));
            session
        }
        Err(error) => {
            let _ = opened.send(Err(error));
            return;
        }
    };
    loop {
        let End::Lost(why) = serve(session, &config, &mut asked, &mut horizon, &deliver).await
        else {
            return;
        };
        deliver(Report::Trouble(why));
        deliver(SharedInput::Unavailable.into());
        let Some(again) = reopen(&config, &mut asked, &mut horizon, &deliver).await else {
            return;
        };
        session = again;
        deliver(SharedInput::Available.into());
    }
}

/// Begins a session; what was changed while there was none is told.
async fn open(
    config: &PostgresConfig,
    horizon: &mut Horizon,
    deliver: Option<&Deliver>,
) -> Result<Session, PostgresError> {
    let server = |why: &str| PostgresError::Server(why.to_owned());
    let beginning = async {
        let session = Session::open(config).await?;
        let now = read::horizon(&session.reader).await;
        let now = now.map_err(|why| server(&why))?;
        if let (Some(deliver), Some(since)) = (deliver, horizon.safe()) {
            let subjects = read::since(&session.reader, since).await;
            for subject in subjects.map_err(|why| server(&why))? {
                deliver(SharedInput::Changed { subject }.into());
            }
        }
        Ok::<_, PostgresError>((session, now))
    };
    // Several round trips, and the tables may have to be made.
    let patience = config.patience.saturating_mul(4);
    let (session, now) = timeout(patience, beginning)
        .await
        .map_err(|_| server("no answer in time"))??;
    horizon.reached(now);
    Ok(session)
}

/// Tries until there is a session, or nobody asks any more.
async fn reopen(
    config: &PostgresConfig,
    asked: &mut UnboundedReceiver<Ask>,
    horizon: &mut Horizon,
    deliver: &Deliver,
) -> Option<Session> {
    let mut wait = RETRY.0;
    let mut told = String::new();
    loop {
        sleep(wait).await;
        wait = wait.saturating_mul(2).min(RETRY.1);
        let session = open(config, horizon, Some(deliver)).await;
        // What was asked for before the node heard of the loss is void.
        while let Ok(_void) = asked.try_recv() {}
        if asked.is_closed() {
            return None;
        }
        match session {
            Ok(session) => return Some(session),
            Err(error) => {
                let why = error.to_string();
                if why != told {
                    deliver(Report::Trouble(why.clone()));
                    told = why;
                }
            }
        }
    }
}

/// What is under way in a session. Dropping it ends all of it, so that nothing is reported after
/// the loss.
struct Work {
    reads: JoinSet<Result<(), String>>,
    others: JoinSet<Result<Option<String>, String>>,
    wanted: Vec<Wanted>,
}

async fn serve(
    mut session: Session,
    config: &PostgresConfig,
    asked: &mut UnboundedReceiver<Ask>,
    horizon: &mut Horizon,
    deliver: &Deliver,
) -> End {
    let mut work = Work {
        reads: JoinSet::new(),
        others: JoinSet::new(),
        wanted: Vec::new(),
    };
    let (writes, to_write) = unbounded_channel();
    let (losing, writing) = (session.losing.clone(), session.writer.clone());
    let patience = config.patience;
    let writer = {
        let deliver = deliver.clone();
        tokio::spawn(async move {
            if let Err(why) = write::run(writing, to_write, patience, deliver).await {
                let _ = losing.send(why);
            }
        })
    };
    let mut beat = interval(BEAT);
    beat.reset();
    let end = loop {
        tokio::select! {
            ask = asked.recv() => match ask {
                None => break End::Closed,
                Some(ask) => {
                    take(ask, &session, &mut work, &writes, deliver);
                    while let Ok(ask) = asked.try_recv() {
                        take(ask, &session, &mut work, &writes, deliver);
                    }
                }
            },
            Some(subject) = session.changed.recv() => {
                deliver(SharedInput::Changed { subject }.into());
            }
            Some(why) = session.lost.recv() => break End::Lost(why),
            Some(done) = work.reads.join_next() => {
                if let Ok(Err(why)) = done {
                    break End::Lost(why);
                }
            }
            Some(done) = work.others.join_next() => match done {
                Ok(Err(why)) => break End::Lost(why),
                Ok(Ok(Some(now))) => horizon.reached(now),
                Ok(Ok(None)) | Err(_) => {}
            },
            _ = beat.tick() => {
                let (reader, patience) = (session.reader.clone(), config.patience);
                work.others.spawn(async move {
                    within(patience, read::horizon(&reader)).await.map(Some)
                });
            }
        }
        while !work.wanted.is_empty() && work.reads.len() < READS {
            let rest = work.wanted.split_off(work.wanted.len().min(SUBJECTS));
            let wanted = core::mem::replace(&mut work.wanted, rest);
            let (reader, deliver, patience) =
                (session.reader.clone(), deliver.clone(), config.patience);
            work.reads.spawn(async move {
                within(patience, read::refresh(reader, wanted, deliver)).await
            });
        }
    };
    drop(writes);
    match end {
        // What was asked for is written, if the server does it in time.
        End::Closed => drop(timeout(config.patience, writer).await),
        End::Lost(_) => writer.abort(),
    }
    end
}

fn take(
    ask: Ask,
    session: &Session,
    work: &mut Work,
    writes: &UnboundedSender<Write>,
    deliver: &Deliver,
) {
    match ask {
        Ask::Load => {
            let (reader, deliver) = (session.reader.clone(), deliver.clone());
            work.others
                .spawn(async move { load::load(reader, deliver).await.map(|()| None) });
        }
        Ask::Refresh { token, subject } => work.wanted.push((token, subject)),
        Ask::Write(write) => drop(writes.send(write)),
    }
}

/// A server that does not answer in time counts as lost.
async fn within<T>(
    patience: Duration,
    asking: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    timeout(patience, asking)
        .await
        .unwrap_or_else(|_| Err("no answer in time".to_owned()))
}
