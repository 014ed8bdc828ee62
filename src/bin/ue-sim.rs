//! `ue-sim`: UEs, eNB, MME and SGW as one process. The same as `heiiki ue-sim`.

use std::process::ExitCode;

fn main() -> ExitCode {
    heiiki::cli::ue_sim_main()
}
