//! `heiiki config`.

use clap::{Args, Subcommand, ValueEnum};

use super::failure::{Exit, Outcome};
use super::out;
use crate::file::FileKind;

/// Show what configuration files can say
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  heiiki config print hss > hss.toml
  heiiki config print scenario")]
pub(super) struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Print(Print),
}

/// Print a file of a kind with every key and its default
///
/// The output is a file that can be used as it is: what stands behind `#` is a default.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  heiiki config print hss > hss.toml
  heiiki config print scenario
  heiiki config print")]
struct Print {
    /// The kind of file; without it all kinds are printed
    #[arg(value_enum)]
    kind: Option<Kind>,
}

/// A kind of file, as the command line names it.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Kind {
    /// hss.toml
    Hss,
    /// pgw.toml
    Pgw,
    /// ue-sim.toml
    UeSim,
    /// Subscribers to import, TOML or CSV
    Subscribers,
    /// A lab
    Lab,
    /// A scenario
    Scenario,
}

impl From<Kind> for FileKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Hss => Self::Hss,
            Kind::Pgw => Self::Pgw,
            Kind::UeSim => Self::UeSim,
            Kind::Subscribers => Self::Subscribers,
            Kind::Lab => Self::Lab,
            Kind::Scenario => Self::Scenario,
        }
    }
}

pub(super) fn execute(config: &Config) -> Outcome {
    let Command::Print(Print { kind }) = &config.command;
    match kind {
        Some(kind) => out::text(FileKind::from(*kind).defaults())?,
        None => {
            for kind in FileKind::ALL {
                out::line(format_args!(
                    "#### {} ####\n{}",
                    kind.name(),
                    kind.defaults()
                ))?;
            }
        }
    }
    Ok(Exit::Done)
}
