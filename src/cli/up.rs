//! `heiiki up`.

use core::time::Duration;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use clap::Args;
use heiiki_types::{Protections, Token};
use heiiki_ue_sim::UeCommand;

use super::failure::{Exit, Failure, Outcome};
use super::logging::LogArgs;
use super::node;
use super::out;
use super::run::not_started;
use super::signal::Stop;
use crate::file;
use crate::lab::Lab;
use crate::real::{RealNetwork, real_lab};

/// How long to look after the lab before signals are looked at again.
const TURN: Duration = Duration::from_millis(100);

/// Run a whole lab on loopback addresses until Ctrl-C
///
/// Every node of the lab file runs in this process, on sockets; its UEs attach. Once that is done it
/// prints one line, `ready heiiki hss_admin=ADDRESS pgw_admin=ADDRESS hss_token_file=PATH ...`, with
/// which `hss subscriber` and `pgw sessions` work. Keys of SIMs that the file does not give follow
/// from the seed.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  heiiki up office.toml
  heiiki up office.toml --out /tmp/office
  hss subscriber list --url http://HSS_ADMIN --token-file heiiki-out/office-up/hss-token")]
pub(super) struct Up {
    /// The lab file; `heiiki config print lab` shows its keys
    #[arg(value_name = "LAB.toml")]
    lab: PathBuf,
    /// The folder for the tokens [default: heiiki-out/LAB-up]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The seed of the SIMs' keys
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Leave the UEs switched off
    #[arg(long)]
    off: bool,
    #[command(flatten)]
    log: LogArgs,
}

pub(super) fn execute(args: &Up) -> Outcome {
    args.log.start()?;
    let plan = file::load_lab(&args.lab)?;
    let stem = args
        .lab
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let folder = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from("heiiki-out").join(format!("{stem}-up")));
    let runtime = node::runtime()?;
    let stop = Stop::install(&runtime)?;
    let sims: Vec<String> = plan.sims.iter().map(|s| s.name.clone()).collect();
    let mut lab = real_lab(plan, Protections::ALL, args.seed, None)
        .map_err(|e| not_started(&args.lab, &e))?;
    let (hss_token, pgw_token) = (folder.join("hss-token"), folder.join("pgw-token"));
    write_token(&hss_token, &lab.tokens().hss)?;
    write_token(&pgw_token, &lab.tokens().pgw)?;
    let attached = if args.off { 0 } else { attach(&mut lab, &sims) };
    let addresses = lab.addresses();
    out::line(format_args!(
        "ready heiiki s6a={} hss_admin={} s5c={} s5u={} pgw_admin={} hss_token_file={} \
         pgw_token_file={} attached={attached} sims={}",
        addresses.hss(),
        addresses.hss_admin(),
        addresses.pgw_s5c(),
        addresses.pgw_s5u(0),
        addresses.pgw_admin(),
        node::path_word(&hss_token),
        node::path_word(&pgw_token),
        sims.len(),
    ))?;
    while stop.wait_for(Duration::ZERO).is_none() {
        lab.run_for(TURN);
    }
    for token in [&hss_token, &pgw_token] {
        // They are of no use to anybody any more.
        let _ = fs::remove_file(token);
    }
    Ok(Exit::Done)
}

/// Lets every UE attach, all at once, and gives the number of those that are attached.
fn attach(lab: &mut Lab<RealNetwork>, sims: &[String]) -> usize {
    /// Longer than any timer of NAS that an attach can run into.
    const PATIENCE: Duration = Duration::from_secs(40);
    let from = lab.log().len();
    for sim in sims {
        lab.command(sim, UeCommand::PowerOn);
        lab.command(sim, UeCommand::Attach);
    }
    sims.iter()
        .filter(|sim| lab.attach_outcome(sim, from, PATIENCE).is_ok())
        .count()
}

/// Puts the token of this run in place of the one of an earlier run.
fn write_token(path: &Path, token: &Token) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(token.expose().as_bytes())?;
        file.write_all(b"\n")
    };
    write().map_err(|e| {
        let problem = format!("the token cannot be written to {}: {e}", path.display());
        Failure::usage(problem, "name a folder that you may write with --out")
    })
}
