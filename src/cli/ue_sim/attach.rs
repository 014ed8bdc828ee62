//! `ue-sim attach`.

use core::time::Duration;

use clap::Args;
use heiiki_net::clock;

use super::SimArgs;
use super::access::{Access, Manners, News, change};
use crate::cli::failure::{Exit, Outcome};
use crate::cli::out;

/// Let UEs attach, and print what comes of it
///
/// Prints one line a SIM: `attached imsi=... ip=... apn=...`, or `refused imsi=... cause=#8 ...`.
/// Exit code 0 when all are attached, 1 otherwise.
///
/// With --hold, a line `ready ue-sim ...` follows, every later change of a registration is printed,
/// and UEs attach again as their timers allow, until SIGTERM or SIGINT ends it with exit code 0.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ue-sim attach --config ue-sim.toml
  ue-sim attach --config ue-sim.toml --sim 001010000000001 --hold")]
pub(super) struct Attach {
    #[command(flatten)]
    sims: SimArgs,
    /// Stay attached until a signal comes
    #[arg(long)]
    hold: bool,
}

pub(super) fn execute(args: &Attach) -> Outcome {
    let manners = Manners {
        auto_retry: args.hold,
        timeout: Duration::from_secs(5),
    };
    let Some(mut access) = Access::start(&args.sims, manners)? else {
        return Ok(Exit::Done);
    };
    let exit = run(args, &mut access);
    access.stop();
    exit
}

fn run(args: &Attach, access: &mut Access) -> Outcome {
    let Some(sessions) = access.attach()? else {
        return Ok(Exit::Done);
    };
    if !args.hold {
        let all = sessions.iter().all(Option::is_some);
        return Ok(if all { Exit::Done } else { Exit::Failed });
    }
    access.ready(&sessions)?;
    loop {
        match access.next(clock::monotonic() + Duration::from_hours(1)) {
            Some(News::Stop(name)) => {
                tracing::info!("{name}: switching the UEs off");
                return Ok(Exit::Done);
            }
            Some(News::Ue(imsi, event)) => {
                if let Some(line) = change(imsi, &event) {
                    out::line(line)?;
                }
            }
            Some(News::Mme(_)) | None => {}
        }
    }
}
