//! `hss`: an HSS with its SIM authenticator as one process. The same as `heiiki hss`.

use std::process::ExitCode;

fn main() -> ExitCode {
    heiiki::cli::hss_main()
}
