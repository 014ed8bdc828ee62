//! `pgw`: a closed gateway with its corporate segments as one process. The same as `heiiki pgw`.

use std::process::ExitCode;

fn main() -> ExitCode {
    heiiki::cli::pgw_main()
}
