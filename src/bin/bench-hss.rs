//! `bench-hss`: measures an HSS process over real sockets.

use std::process::ExitCode;

fn main() -> ExitCode {
    heiiki::cli::bench_main()
}
