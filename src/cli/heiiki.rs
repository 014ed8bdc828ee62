//! The `heiiki` command.

use clap::{Parser, Subcommand};

use super::failure::Outcome;
use super::{check, config, explain, hss, list, pgw, run, ue_sim, up};

/// A closed mobile network in a box: run drills in it, or its elements one by one
#[derive(Debug, Parser)]
#[command(
    name = "heiiki",
    version,
    propagate_version = true,
    after_help = "\
Examples:
  heiiki run fixtures/scenarios/lost-sim.toml
  heiiki run fixtures/scenarios/lost-sim.toml --clock real --pcap lost-sim.pcapng
  heiiki explain fixtures/scenarios/lost-sim.toml
  heiiki config print hss > hss.toml

Exit codes: 0 done or passed, 1 failed, 2 inconclusive, 64 wrong usage or a bad file."
)]
pub(super) struct Heiiki {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Check(check::Check),
    List(list::List),
    Explain(explain::Explain),
    Config(config::Config),
    Up(up::Up),
    Hss(hss::Hss),
    Pgw(pgw::Pgw),
    #[command(name = "ue-sim")]
    UeSim(ue_sim::UeSim),
}

pub(super) fn execute(heiiki: Heiiki) -> Outcome {
    match heiiki.command {
        Command::Run(args) => run::execute(&args),
        Command::Check(args) => check::execute(&args),
        Command::List(args) => list::execute(&args),
        Command::Explain(args) => explain::execute(&args),
        Command::Config(args) => config::execute(&args),
        Command::Up(args) => up::execute(&args),
        Command::Hss(command) => hss::execute(command),
        Command::Pgw(command) => pgw::execute(command),
        Command::UeSim(command) => ue_sim::execute(command),
    }
}
