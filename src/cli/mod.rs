//! The command line: `heiiki`, and the servers `hss`, `pgw` and `ue-sim`, which it has as
//! subcommands too.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | done; a scenario passed |
//! | 1 | well asked for, but it did not work; a scenario failed |
//! | 2 | a scenario proved nothing |
//! | 64 | wrong usage, a bad file, or a node that cannot start as its file says |

mod aka;
mod audit;
mod bench;
mod bench_pgw;
mod bulk;
mod check;
mod client;
mod config;
mod cut;
mod explain;
mod failure;
mod heiiki;
mod hss;
mod list;
mod logging;
mod node;
mod out;
mod pgw;
mod run;
mod signal;
mod soak;
mod store_key;
mod subscriber;
mod tls;
mod token;
mod ue_sim;
mod up;

use std::process::ExitCode;

use failure::{Exit, Failure, Outcome};

/// The `heiiki` command.
pub fn heiiki_main() -> ExitCode {
    enter(heiiki::execute)
}

/// The `hss` command.
pub fn hss_main() -> ExitCode {
    enter(hss::execute)
}

/// The `pgw` command.
pub fn pgw_main() -> ExitCode {
    enter(pgw::execute)
}

/// The `ue-sim` command.
pub fn ue_sim_main() -> ExitCode {
    enter(ue_sim::execute)
}

/// The `bench-hss` command.
pub fn bench_main() -> ExitCode {
    enter(|args| bench::execute(&args))
}

/// The `bench-pgw` command.
pub fn bench_pgw_main() -> ExitCode {
    enter(|args| bench_pgw::execute(&args))
}

/// The `heiiki-soak` command.
pub fn soak_main() -> ExitCode {
    enter(|args| soak::execute(&args))
}

fn enter<C: clap::Parser>(execute: impl FnOnce(C) -> Outcome) -> ExitCode {
    let exit = match C::try_parse() {
        Ok(command) => execute(command).unwrap_or_else(Failure::report),
        Err(error) => {
            // Nobody is left to tell when the terminal is gone.
            let _ = error.print();
            if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            }
        }
    };
    exit.into()
}
