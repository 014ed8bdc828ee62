//! `heiiki run`.

mod capture;

use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::io::{self, IsTerminal as _};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use clap::{Args, ValueEnum};

use super::failure::{Exit, Failure, Outcome};
use super::out;
use crate::file::{self, Scenario};
use crate::lab::{Lab, Network, virtual_lab};
use crate::observe::{Keys, Verdict};
use crate::real::{RealError, real_lab};
use crate::scenario::{self, Terminal};
use capture::CaptureFile;

/// One-way delay of the links of the virtual world, unless the file says otherwise.
const DELAY: Duration = Duration::from_millis(2);

/// Run a scenario and leave its evidence behind
///
/// The folder gets report.json, report.html, events.ndjson and matrix.csv. Exit code 0 when the
/// scenario passed, 1 when it failed, 2 when it proved nothing.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  heiiki run fixtures/scenarios/lost-sim.toml
  heiiki run fixtures/scenarios/lost-sim.toml --clock real
  heiiki run fixtures/scenarios/lost-sim.toml --seed 7 --out evidence --pcap lost-sim.pcapng")]
pub(super) struct Run {
    /// The scenario file
    #[arg(value_name = "SCENARIO.toml")]
    scenario: PathBuf,
    /// Whose counts and thresholds are in force
    #[arg(long, value_enum, default_value_t = Size::Ci)]
    size: Size,
    /// The seed of everything random [default: that of the file]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Virtual time in one thread, or loopback sockets in real time
    #[arg(long, value_enum, default_value_t = Clock::Virtual)]
    clock: Clock,
    /// The folder for the evidence [default: heiiki-out/SCENARIO-SEED]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write a capture of every link, for Wireshark
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Leave session keys in the capture, which gets mode 0600. Without it they are zeros
    #[arg(long, requires = "pcap")]
    lab_secrets: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Size {
    /// Minutes on two cores
    Ci,
    /// A coffee break on a workstation
    Dev,
    /// The real figures
    Full,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Clock {
    /// The same seed gives the same run, as fast as the machine can
    Virtual,
    /// Sockets, threads and the system's clock
    Real,
}

impl From<Size> for file::Size {
    fn from(size: Size) -> Self {
        match size {
            Size::Ci => Self::Ci,
            Size::Dev => Self::Dev,
            Size::Full => Self::Full,
        }
    }
}

pub(super) fn execute(args: &Run) -> Outcome {
    let scenario = file::load_scenario(&args.scenario, args.size.into())?;
    let seed = args.seed.unwrap_or(scenario.seed);
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from("heiiki-out").join(format!("{}-{seed}", scenario.name)));
    let keys = if args.lab_secrets {
        Keys::Shown
    } else {
        Keys::Masked
    };
    let tenants = scenario
        .lab
        .tenants
        .iter()
        .map(|t| t.name.clone())
        .collect();
    let capture = match &args.pcap {
        Some(path) => Some(CaptureFile::create(path, keys, tenants)?),
        None => None,
    };
    let plan = scenario.lab.clone();
    let verdict = match args.clock {
        Clock::Virtual => {
            let tap = capture.as_ref().map(CaptureFile::tap);
            let prepare = |world: &mut crate::world::World| {
                if let Some(tap) = tap {
                    world.tap(Box::new(tap));
                }
            };
            let mut lab =
                virtual_lab(plan, scenario.protections, seed, DELAY, prepare).map_err(|e| {
                    let problem = format!("{}: {e}", args.scenario.display());
                    Failure::usage(problem, "`heiiki check` reads the file alone")
                })?;
            play(&scenario, &mut lab, &out)?
        }
        Clock::Real => {
            let tap = capture.as_ref().map(|c| {
                let tap: Box<dyn crate::log::Tap> = Box::new(c.tap());
                Arc::new(Mutex::new(tap))
            });
            let mut lab = real_lab(plan, scenario.protections, seed, tap.as_ref())
                .map_err(|e| not_started(&args.scenario, &e))?;
            play(&scenario, &mut lab, &out)?
        }
    };
    if let Some(capture) = capture {
        capture.finish()?;
    }
    Ok(match verdict {
        Verdict::Pass => Exit::Done,
        Verdict::Fail => Exit::Failed,
        Verdict::Inconclusive => Exit::Inconclusive,
    })
}

/// Why a lab of a file that reads well does not start.
pub(super) fn not_started(path: &Path, error: &RealError) -> Failure {
    let problem = format!("the lab of {} does not start: {error}", path.display());
    match error {
        RealError::NotServing(_) => Failure::failed(
            problem,
            "see whether the machine is very busy, and try again",
        ),
        RealError::Config(_) | RealError::System(_) => Failure::usage(
            problem,
            "see what it says; `heiiki check` reads the file alone",
        ),
    }
}

fn play<N: Network + 'static>(
    scenario: &Scenario,
    lab: &mut Lab<N>,
    folder: &Path,
) -> Result<Verdict, Failure> {
    let stdout = io::stdout();
    let live = stdout.is_terminal();
    let mut terminal = Terminal::new(stdout, out::style_of_output(), live);
    // The message of a broken invariant is on the standard error output by then.
    let report = catch_unwind(AssertUnwindSafe(|| {
        scenario::run(scenario, lab, &mut terminal)
    }))
    .map_err(|_| {
        let problem = format!("the run ended before its time (seed {})", lab.seed());
        Failure::failed(
            problem,
            "this is a fault of heiiki: report it with the file and the seed",
        )
    })?;
    scenario::write_evidence(&report, lab.log(), folder).map_err(|e| {
        let problem = format!(
            "the evidence cannot be written to {}: {e}",
            folder.display()
        );
        Failure::failed(problem, "name a folder that you may write with --out")
    })?;
    terminal.conclude(&report, folder);
    Ok(report.verdict)
}
