//! `bench-pgw`: measures a gateway process over real sockets.

use std::process::ExitCode;

fn main() -> ExitCode {
    heiiki::cli::bench_pgw_main()
}
