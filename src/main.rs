//! `heiiki`: the umbrella command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    heiiki::cli::heiiki_main()
}
