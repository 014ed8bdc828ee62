//! A running access network, and what is heard of it.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, channel};

use heiiki_net::clock;
use heiiki_types::{Imsi, Instant};
use heiiki_ue_sim::{Event as UeEvent, UeCommand, UeId};

use super::{ATTACH, SimArgs, setup};
use crate::cli::failure::Failure;
use crate::cli::node::{self, Config};
use crate::cli::{out, signal};
use crate::driver::{AccessServer, Runtime};
use crate::file::{self, SimCard};
use crate::lab::{AttachError, Session, attach_event};
use crate::log::NodeEvent;

/// What is heard of the access network.
pub(super) enum News {
    /// Something happened to a UE.
    Ue(Imsi, UeEvent),
    /// The MME reports something.
    Mme(heiiki_mme::Event),
    /// The process is asked to end.
    Stop(&'static str),
}

/// How the UEs of a command behave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manners {
    /// Whether they attach again by themselves, as their timers allow.
    pub(super) auto_retry: bool,
    /// How long they wait for an answer.
    pub(super) timeout: Duration,
}

/// The UEs with their access network, and how the command talks to them.
pub(super) struct Access {
    server: Option<AccessServer>,
    runtime: Runtime,
    news: Receiver<News>,
    /// What came while something else was waited for.
    later: VecDeque<News>,
    pub(super) cards: Vec<SimCard>,
    hss: core::net::SocketAddr,
    next_token: u64,
}

impl Access {
    /// Starts it and connects to the HSS. `Ok(None)`: a signal came first.
    pub(super) fn start(args: &SimArgs, manners: Manners) -> Result<Option<Self>, Failure> {
        args.log.start()?;
        let file = file::load_ue_sim(&args.config)?;
        let cards = setup::choose(&file, &args.sims)?;
        let mut rng = node::rng()?;
        let access = setup::access(&args.config, &file, &cards, manners)?;
        let runtime = node::runtime()?;
        let (tx, news) = channel();
        let stop = tx.clone();
        signal::on_stop(&runtime, move |name| drop(stop.send(News::Stop(name))))?;
        let (mme, ue) = (tx.clone(), tx);
        let mme = args.log.sink("mme", move |event| {
            if let NodeEvent::Mme(event) = event {
                let _ = mme.send(News::Mme(event.clone()));
            }
        });
        let ue = args.log.sink("ue", move |event| {
            if let NodeEvent::Ue { imsi, event } = event {
                let _ = ue.send(News::Ue(*imsi, event.clone()));
            }
        });
        let server = AccessServer::start(access, &mut rng, &runtime, mme, &ue)
            .map_err(|e| Config(&args.config).start(&e, setup::key))?;
        let hss = file.hss.s6a;
        let later = VecDeque::new();
        let mut access = Self {
            server: Some(server),
            runtime,
            news,
            later,
            cards,
            hss,
            next_token: 0,
        };
        let connected = access.connect(Duration::from_secs(args.connect))?;
        Ok(connected.then_some(access))
    }

    fn connect(&mut self, within: Duration) -> Result<bool, Failure> {
        use heiiki_mme::Event;
        let until = clock::monotonic() + within;
        let mut why = "nothing came back";
        while let Some(news) = self.next(until) {
            match news {
                News::Mme(Event::PeerOpen { .. }) => return Ok(true),
                News::Mme(Event::PeerClosed { why: reason, .. }) => why = reason,
                News::Mme(Event::DiskFailed) => {
                    let help = "see the log, and the folder that `store` names";
                    return Err(Failure::failed("the MME could not read its store", help));
                }
                News::Stop(_) => return Ok(false),
                _ => {}
            }
        }
        let problem = format!(
            "the HSS at {} does not take the Diameter connection: {why}",
            self.hss
        );
        let help = "start it first; see that its [[mme]] names this MME, and `hss.s6a` its address";
        Err(Failure::failed(problem, help))
    }

    /// The next thing that happens, if it does before `until`.
    pub(super) fn next(&mut self, until: Instant) -> Option<News> {
        if let Some(news) = self.later.pop_front() {
            return Some(news);
        }
        self.fresh(until)
    }

    fn fresh(&self, until: Instant) -> Option<News> {
        self.news.recv_timeout(until.since(clock::monotonic())).ok()
    }

    /// Waits for news that `seen` makes something of, and keeps all others for later.
    pub(super) fn wait<T>(
        &mut self,
        within: Duration,
        mut seen: impl FnMut(&News) -> Option<T>,
    ) -> Option<T> {
        let until = clock::monotonic() + within;
        while let Some(news) = self.fresh(until) {
            if let Some(found) = seen(&news) {
                return Some(found);
            }
            self.later.push_back(news);
        }
        None
    }

    /// Tells the UE with this card to do something.
    pub(super) fn command(&self, card: usize, command: UeCommand) {
        if let (Some(server), Ok(ue)) = (&self.server, u32::try_from(card)) {
            server.command(0, UeId(ue), command);
        }
    }

    /// A number that ties a command to its events.
    pub(super) const fn token(&mut self) -> u64 {
        self.next_token += 1;
        self.next_token
    }

    /// Switches every UE on and lets it attach. Prints what comes of it, and gives it in the order
    /// of the cards; `None` when a signal came first.
    pub(super) fn attach(&mut self) -> Result<Option<Vec<Option<Session>>>, Failure> {
        for (place, card) in self.cards.iter().enumerate() {
            if card.apn.is_some() {
                self.command(
                    place,
                    UeCommand::SetApn {
                        apn: card.apn.clone(),
                    },
                );
            }
            self.command(place, UeCommand::PowerOn);
            self.command(place, UeCommand::Attach);
        }
        let mut outcomes: Vec<Option<Result<Session, AttachError>>> = vec![None; self.cards.len()];
        let mut refused_by_ue = vec![None; self.cards.len()];
        let until = clock::monotonic() + ATTACH;
        while outcomes.iter().any(Option::is_none) {
            match self.next(until) {
                None => break,
                Some(News::Stop(_)) => return Ok(None),
                Some(News::Mme(_)) => {}
                Some(News::Ue(imsi, event)) => {
                    let Some(place) = setup::place(&self.cards, imsi) else {
                        continue;
                    };
                    if let (UeEvent::AuthenticationFailed { cause }, Some(refused)) =
                        (&event, refused_by_ue.get_mut(place))
                    {
                        *refused = Some(*cause);
                    }
                    let outcome = outcomes.get_mut(place).filter(|o| o.is_none());
                    if let (Some(outcome), Some(came)) = (outcome, attach_event(&event)) {
                        *outcome = Some(came);
                    }
                }
            }
        }
        let mut sessions = Vec::new();
        for ((card, outcome), refused) in self.cards.iter().zip(outcomes).zip(refused_by_ue) {
            // Who the UE refused is the reason, whatever the network said to it.
            let outcome = match (outcome, refused) {
                (Some(Ok(session)), _) => Ok(session),
                (_, Some(cause)) => Err(AttachError::NotGenuine { cause }),
                (Some(Err(error)), None) => Err(error),
                (None, None) => Err(AttachError::TimedOut),
            };
            out::line(line(card.imsi, &outcome))?;
            sessions.push(outcome.ok());
        }
        Ok(Some(sessions))
    }

    /// The `ready` line, once every attach has come to something.
    pub(super) fn ready(&self, sessions: &[Option<Session>]) -> std::io::Result<()> {
        let Some(server) = &self.server else {
            return Ok(());
        };
        let (s5c, s5u) = server.s5();
        let attached = sessions.iter().flatten().count();
        let all = sessions.len();
        out::line(format_args!(
            "ready ue-sim s5c={s5c} s5u={s5u} attached={attached} sims={all}"
        ))
    }

    /// Switches the UEs off, waits a moment for the network to have heard it, and ends everything.
    pub(super) fn stop(mut self) {
        // One that has no session says nothing, and is not worth the wait.
        let mut left = self.sessions();
        for place in 0..self.cards.len() {
            self.command(place, UeCommand::Detach { switch_off: true });
        }
        let wait = if left.is_empty() {
            Duration::ZERO
        } else {
            GOODBYE
        };
        let _ = self.wait(wait, |news| {
            if let News::Mme(heiiki_mme::Event::SessionDeleted { imsi, .. }) = news {
                left.retain(|l| l != imsi);
            }
            left.is_empty().then_some(())
        });
        if let Some(server) = self.server.take() {
            server.stop(&self.runtime);
        }
    }

    fn sessions(&self) -> Vec<Imsi> {
        let inbox = self.server.as_ref().and_then(AccessServer::mme);
        let asked =
            inbox.and_then(|mme| mme.ask(|mme, _| mme.sessions().map(|s| s.imsi).collect()));
        asked.unwrap_or_default()
    }
}

/// How long the network may take to hear that the UEs are off.
const GOODBYE: Duration = Duration::from_secs(2);

/// What becomes of a registration later on, as one line.
pub(super) fn change(imsi: Imsi, event: &UeEvent) -> Option<String> {
    match event {
        UeEvent::Detached {
            by_network,
            reattach,
            cause,
        } => {
            let cause = cause.map_or_else(|| "none".to_owned(), |c| format!("#{c}"));
            Some(format!(
                "detached imsi={imsi} by_network={by_network} cause={cause} reattach={reattach}"
            ))
        }
        UeEvent::BearerReleased => Some(format!("bearer_released imsi={imsi}")),
        event => attach_event(event).map(|outcome| line(imsi, &outcome)),
    }
}

/// What came of an attach, as one line.
fn line(imsi: Imsi, outcome: &Result<Session, AttachError>) -> String {
    match outcome {
        Ok(session) => {
            let dns: Vec<String> = session.dns.iter().map(ToString::to_string).collect();
            format!(
                "attached imsi={imsi} ip={} apn={} dns={} took={}us",
                session.ip,
                session.apn,
                if dns.is_empty() {
                    "none".to_owned()
                } else {
                    dns.join(",")
                },
                session.took.as_micros(),
            )
        }
        Err(error) => format!("refused imsi={imsi} cause={} {error}", error.cause()),
    }
}
