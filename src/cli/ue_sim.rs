//! The `ue-sim` command.

mod access;
mod attach;
mod probe;
mod setup;
mod target;

use core::time::Duration;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::failure::Outcome;
use super::logging::LogArgs;

/// UEs, eNB, MME and SGW in one process, against any HSS and gateway
#[derive(Debug, Parser)]
#[command(
    name = "ue-sim",
    version,
    propagate_version = true,
    after_help = "\
Examples:
  ue-sim attach --config ue-sim.toml
  ue-sim attach --config ue-sim.toml --sim 001010000000001 --hold
  ue-sim probe --config ue-sim.toml http://intranet/ ping:10.20.255.10

`heiiki config print ue-sim` shows every key of ue-sim.toml."
)]
pub(super) struct UeSim {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Attach(attach::Attach),
    Probe(probe::Probe),
}

/// Which SIMs, and where the network is.
#[derive(Args, Debug)]
struct SimArgs {
    /// The configuration file; `heiiki config print ue-sim` shows its keys
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only this SIM: its IMSI, or the last digits of it if no other SIM ends so. May be repeated;
    /// without it every SIM of the file is used
    #[arg(long = "sim", value_name = "IMSI")]
    sims: Vec<String>,
    /// How many seconds the HSS may take to accept the Diameter connection
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    connect: u64,
    #[command(flatten)]
    log: LogArgs,
}

/// Longer than any timer of NAS that an attach can run into: T3410, 15 s; T3460 with its
/// repetitions, 30 s.
const ATTACH: Duration = Duration::from_secs(40);

pub(super) fn execute(ue_sim: UeSim) -> Outcome {
    match ue_sim.command {
        Command::Attach(args) => attach::execute(&args),
        Command::Probe(args) => probe::execute(&args),
    }
}
