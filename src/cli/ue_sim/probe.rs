//! `ue-sim probe`.

use core::net::Ipv4Addr;
use core::time::Duration;

use clap::{Args, ValueEnum};
use heiiki_net::clock;
use heiiki_ue_sim::{Event as UeEvent, ProbeOutcome, UeCommand};

use super::SimArgs;
use super::access::{Access, Manners, News, change};
use super::target::Target;
use crate::cli::failure::{Exit, Outcome};
use crate::cli::out;

/// Let UEs attach and try destinations
///
/// Prints one line a try: `answered imsi=... to=... ...`, or `unanswered imsi=... to=...
/// outcome=...`. Exit code 0 when every try came to what --expect says, 1 otherwise.
///
/// With --every the tries go on until SIGTERM or SIGINT; a line is printed only when answers begin
/// or cease to come, and the exit code is 0.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ue-sim probe --config ue-sim.toml http://intranet/ ping:10.20.255.10
  ue-sim probe --config ue-sim.toml --sim 001010000000001 tcp:10.20.255.10:80 udp:10.20.255.10:7
  ue-sim probe --config ue-sim.toml --expect unanswered ping:8.8.8.8 tcp:1.1.1.1:443
  ue-sim probe --config ue-sim.toml --every 100 http://intranet/")]
pub(super) struct Probe {
    /// Where to: http://HOST[:PORT]/PATH, ping:ADDRESS, tcp:ADDRESS:PORT, udp:ADDRESS:PORT or
    /// dns:NAME
    #[arg(required = true, value_name = "TARGET")]
    targets: Vec<Target>,
    #[command(flatten)]
    sims: SimArgs,
    /// What every try must come to
    #[arg(long, value_enum, default_value_t = Expect::Answered)]
    expect: Expect,
    /// Go on, with this many milliseconds between two rounds
    #[arg(long, value_name = "MILLISECONDS")]
    every: Option<u64>,
    /// How many seconds a try may take
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    timeout: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Expect {
    /// The far end answers.
    Answered,
    /// No answer, or a refusal.
    Unanswered,
}

/// What came of one try.
struct Tried {
    answered: bool,
    /// `NAME=VALUE`, each after a space.
    words: String,
}

impl Tried {
    fn of(outcome: ProbeOutcome, what: &str) -> Self {
        let words = match outcome {
            ProbeOutcome::Answered { rtt_us } => format!("{what} rtt={rtt_us}us"),
            outcome => word(outcome),
        };
        let answered = outcome.is_answered();
        Self { answered, words }
    }

    fn unanswered(outcome: ProbeOutcome) -> Self {
        let (answered, words) = (false, word(outcome));
        Self { answered, words }
    }

    fn line(&self, imsi: &str, target: &Target) -> String {
        let head = if self.answered {
            "answered"
        } else {
            "unanswered"
        };
        format!("{head} imsi={imsi} to={target}{}", self.words)
    }
}

fn word(outcome: ProbeOutcome) -> String {
    match outcome {
        ProbeOutcome::Answered { .. } => " outcome=answered".to_owned(),
        ProbeOutcome::Refused => " outcome=refused".to_owned(),
        ProbeOutcome::Prohibited { code, from } => {
            format!(" outcome=prohibited code={code} from={from}")
        }
        ProbeOutcome::TimedOut => " outcome=timed_out".to_owned(),
        ProbeOutcome::NoBearer => " outcome=no_bearer".to_owned(),
        ProbeOutcome::NotSent => " outcome=not_sent".to_owned(),
    }
}

/// A signal ended it.
struct Stopped;

pub(super) fn execute(args: &Probe) -> Outcome {
    let timeout = Duration::from_secs(args.timeout.max(1));
    let manners = Manners {
        auto_retry: args.every.is_some(),
        timeout,
    };
    let Some(mut access) = Access::start(&args.sims, manners)? else {
        return Ok(Exit::Done);
    };
    let exit = run(args, timeout, &mut access);
    access.stop();
    exit
}

fn run(args: &Probe, timeout: Duration, access: &mut Access) -> Outcome {
    let Some(sessions) = access.attach()? else {
        return Ok(Exit::Done);
    };
    if args.every.is_some() {
        access.ready(&sessions)?;
    } else if sessions.iter().any(Option::is_none) {
        // Who is not attached gets no answer, which would prove nothing.
        return Ok(Exit::Failed);
    }
    let tries = args.targets.len() * access.cards.len();
    let mut answered: Vec<Option<bool>> = vec![None; tries];
    loop {
        let tries = (0..access.cards.len()).flat_map(|c| args.targets.iter().map(move |t| (c, t)));
        for ((card, target), last) in tries.zip(answered.iter_mut()) {
            let Ok(tried) = attempt(access, card, target, timeout) else {
                return Ok(Exit::Done);
            };
            // Which way nothing comes back may change with every try.
            if *last != Some(tried.answered) {
                *last = Some(tried.answered);
                let imsi = access.cards.get(card).map(|c| c.imsi);
                let imsi = imsi.map_or_else(String::new, |i| i.to_string());
                out::line(tried.line(&imsi, target))?;
            }
        }
        let Some(every) = args.every else {
            let wanted = Some(args.expect == Expect::Answered);
            let as_expected = answered.iter().all(|a| *a == wanted);
            return Ok(if as_expected {
                Exit::Done
            } else {
                Exit::Failed
            });
        };
        if rest(access, Duration::from_millis(every))?.is_err() {
            return Ok(Exit::Done);
        }
    }
}

/// Waits for the next round; prints what becomes of registrations meanwhile.
fn rest(access: &mut Access, time: Duration) -> std::io::Result<Result<(), Stopped>> {
    let until = clock::monotonic() + time;
    while let Some(news) = access.next(until) {
        match news {
            News::Stop(_) => return Ok(Err(Stopped)),
            News::Ue(imsi, event) => {
                if let Some(line) = change(imsi, &event) {
                    out::line(line)?;
                }
            }
            News::Mme(_) => {}
        }
    }
    Ok(Ok(()))
}

fn attempt(
    access: &mut Access,
    card: usize,
    target: &Target,
    timeout: Duration,
) -> Result<Tried, Stopped> {
    match target {
        Target::Http { host, port, path } => {
            let dst = match host.parse::<Ipv4Addr>() {
                Ok(address) => address,
                Err(_) => match resolve(access, card, host, timeout)? {
                    Ok(address) => address,
                    Err(tried) => return Ok(tried),
                },
            };
            let token = access.token();
            let (port, host, path) = (*port, host.clone(), path.clone());
            access.command(
                card,
                UeCommand::HttpGet {
                    token,
                    dst,
                    port,
                    host,
                    path,
                },
            );
            outcome(access, token, timeout)
        }
        Target::Ping(dst) => {
            let token = access.token();
            access.command(card, UeCommand::Ping { token, dst: *dst });
            outcome(access, token, timeout)
        }
        Target::Tcp(to) => {
            let token = access.token();
            access.command(
                card,
                UeCommand::TcpProbe {
                    token,
                    dst: *to.ip(),
                    port: to.port(),
                },
            );
            outcome(access, token, timeout)
        }
        Target::Udp(to) => {
            let token = access.token();
            access.command(
                card,
                UeCommand::UdpProbe {
                    token,
                    dst: *to.ip(),
                    port: to.port(),
                },
            );
            outcome(access, token, timeout)
        }
        Target::Dns(name) => {
            let token = access.token();
            let query = UeCommand::DnsQuery {
                token,
                name: name.clone(),
                server: None,
            };
            access.command(card, query);
            outcome(access, token, timeout)
        }
    }
}

fn resolve(
    access: &mut Access,
    card: usize,
    name: &str,
    timeout: Duration,
) -> Result<Result<Ipv4Addr, Tried>, Stopped> {
    let token = access.token();
    let query = UeCommand::DnsQuery {
        token,
        name: name.to_owned(),
        server: None,
    };
    access.command(card, query);
    let answer = wait(access, timeout, |event| match event {
        UeEvent::DnsDone {
            token: t,
            outcome,
            addresses,
            ..
        } if *t == token => {
            let no_name = || Tried {
                answered: false,
                words: " outcome=no_such_name".to_owned(),
            };
            Some(match (outcome.is_answered(), addresses.first()) {
                (true, Some(address)) => Ok(*address),
                (true, None) => Err(no_name()),
                (false, _) => Err(Tried::unanswered(*outcome)),
            })
        }
        _ => None,
    })?;
    Ok(answer.unwrap_or_else(|| Err(Tried::unanswered(ProbeOutcome::TimedOut))))
}

/// What comes of the command with this token.
fn outcome(access: &mut Access, token: u64, timeout: Duration) -> Result<Tried, Stopped> {
    let answer = wait(access, timeout, |event| match event {
        UeEvent::HttpDone {
            token: t,
            status,
            bytes,
            sha256,
            took_us,
            ..
        } if *t == token => {
            let words = format!(" status={status} bytes={bytes} sha256={sha256} took={took_us}us");
            let answered = true;
            Some(Tried { answered, words })
        }
        UeEvent::HttpFailed {
            token: t, outcome, ..
        } if *t == token => Some(Tried::unanswered(*outcome)),
        UeEvent::DnsDone {
            token: t,
            outcome,
            rcode,
            addresses,
        } if *t == token => {
            let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            let list = if list.is_empty() {
                "none".to_owned()
            } else {
                list.join(",")
            };
            let rcode = rcode.unwrap_or(0);
            Some(Tried::of(
                *outcome,
                &format!(" rcode={rcode} addresses={list}"),
            ))
        }
        UeEvent::PingDone { token: t, outcome }
        | UeEvent::UdpProbeDone { token: t, outcome }
        | UeEvent::TcpProbeDone { token: t, outcome }
            if *t == token =>
        {
            Some(Tried::of(*outcome, ""))
        }
        _ => None,
    })?;
    Ok(answer.unwrap_or_else(|| Tried::unanswered(ProbeOutcome::TimedOut)))
}

/// The UE's own timeout comes first; this one is for a UE that says nothing.
const GRACE: Duration = Duration::from_secs(5);

fn wait<T>(
    access: &mut Access,
    timeout: Duration,
    mut seen: impl FnMut(&UeEvent) -> Option<T>,
) -> Result<Option<T>, Stopped> {
    let found = access.wait(timeout + GRACE, |news| match news {
        News::Stop(_) => Some(Err(Stopped)),
        News::Ue(_, event) => seen(event).map(Ok),
        News::Mme(_) => None,
    });
    found.transpose()
}
