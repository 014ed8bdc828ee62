//! `heiiki-soak`: the swarm over any number of seeds.

use std::process::ExitCode;

fn main() -> ExitCode {
    heiiki::cli::soak_main()
}
