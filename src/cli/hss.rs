//! The `hss` command.

use core::time::Duration;
use std::path::PathBuf;
use std::sync::mpsc::channel;

use clap::{Args, Parser, Subcommand};

use super::failure::{Exit, Failure, Outcome};
use super::logging::LogArgs;
use super::node::{self, Config};
use super::signal::Stop;
use super::{aka, audit, cut, out, subscriber};
use crate::driver::{AuditLog, HssServer};
use crate::file;
use crate::log::NodeEvent;

/// HSS with its SIM authenticator: run it, provision it, compute vectors
#[derive(Debug, Parser)]
#[command(
    name = "hss",
    version,
    propagate_version = true,
    after_help = "\
Examples:
  hss serve --config hss.toml
  hss subscriber suspend 001010000000001 --reason lost --config hss.toml
  hss aka vector --key-file sim.key --amf 8000 --sqn 000000000021 \\
      --rand 23553cbe9637a89d218ae64dae47bf35 --plmn 00101

`heiiki config print hss` shows every key of hss.toml."
)]
pub(super) struct Hss {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Serve),
    Subscriber(subscriber::SubscriberCommand),
    Cut(cut::CutCommand),
    Bulk(cut::Bulk),
    EmergencyCut(cut::EmergencyCut),
    Aka(aka::Aka),
    Audit(audit::Audit),
    Openapi(Openapi),
}

/// Run the HSS in the foreground
///
/// Once it serves it prints one line, `ready hss s6a=ADDRESS sctp=WAY admin=ADDRESS
/// token_file=PATH audit_head=NUMBER:HASH`, with `s6a_tls=ADDRESS` where it listens for TLS; WAY is
/// `kernel:ADDRESS`, `udp:ADDRESS` or `off`. SIGTERM and SIGINT end it
/// cleanly with exit code 0. Tokens are made at the first start.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss serve --config hss.toml
  hss serve --config hss.toml --restored
  hss serve --config hss.toml --log debug --show-imsi")]
struct Serve {
    /// The configuration file; `heiiki config print hss` shows its keys
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The store was restored from a backup: SQNs jump ahead of what may have been used since
    #[arg(long)]
    restored: bool,
    #[command(flatten)]
    log: LogArgs,
}

/// Print the OpenAPI document of the HTTP interface
///
/// A running HSS answers the same at `GET /v1/openapi.json`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss openapi > hss.openapi.json")]
struct Openapi {}

/// How long reading the store may take.
const START: Duration = Duration::from_mins(1);

pub(super) fn execute(hss: Hss) -> Outcome {
    match hss.command {
        Command::Serve(args) => serve(&args),
        Command::Subscriber(command) => subscriber::execute(command),
        Command::Cut(command) => cut::execute(command),
        Command::Bulk(args) => cut::bulk(&args),
        Command::EmergencyCut(args) => cut::emergency_cut(&args),
        Command::Aka(command) => aka::execute(command),
        Command::Audit(command) => audit::execute(command),
        Command::Openapi(Openapi {}) => openapi(),
    }
}

fn openapi() -> Outcome {
    let document = heiiki_hss::admin::document();
    out::line(format_args!("{document:#}"))?;
    Ok(Exit::Done)
}

/// ` key=value`, where there is one.
fn word(key: &str, value: Option<impl core::fmt::Display>) -> String {
    value.map_or_else(String::new, |value| format!(" {key}={value}"))
}

fn serve(args: &Serve) -> Outcome {
    args.log.start()?;
    let file = file::load_hss(&args.config)?;
    let mut rng = node::rng()?;
    let mut setup = node::hss(&args.config, &file, &mut rng)?;
    setup.restored = args.restored;
    let runtime = node::runtime()?;
    let stop = Stop::install(&runtime)?;
    let (tx, events) = channel();
    let sink = args.log.sink("hss", move |event| {
        if let NodeEvent::Hss(event) = event
            && let Some(begun) = begun(event)
        {
            let _ = tx.send(begun);
        }
    });
    let server = HssServer::start(setup, rng, &runtime, sink)
        .map_err(|e| Config(&args.config).start(&e, node::hss_key))?;
    let late =
        || Err("it took too long: see the log, and the folder that `store` names".to_owned());
    if let Err(why) = events.recv_timeout(START).unwrap_or_else(|_| late()) {
        server.stop();
        return Err(Failure::failed("the HSS cannot use its store", why));
    }
    out::line(format_args!(
        "ready hss s6a={} sctp={} admin={} token_file={}{}{}{}",
        server.s6a(),
        server.sctp(),
        server.admin(),
        node::path_word(&file.admin.token_file),
        word("s6a_tls", server.s6a_tls()),
        word("audit_head", server.audit().map(AuditLog::head)),
        word(
            "front_end",
            file.shared_store
                .as_ref()
                .map(|s| format!("{}/{}", s.front_end.number, s.front_end.of))
        ),
    ))?;
    let signal = stop.wait();
    tracing::info!("{signal}: saying goodbye to the peers");
    server.stop();
    Ok(Exit::Done)
}

/// How a start ended, if the event tells: it serves, or what to do about its store.
fn begun(event: &heiiki_hss::Event) -> Option<Result<(), String>> {
    use heiiki_hss::Event::{DiskFailed, Serving, StoreKeyMissing, StoreUnreadable};
    Some(match event {
        Serving { .. } => Ok(()),
        DiskFailed => Err("the disk failed: see the log".to_owned()),
        StoreUnreadable { why, .. } => Err((*why).to_owned()),
        StoreKeyMissing { needed, given } => {
            let given: Vec<_> = given.iter().map(ToString::to_string).collect();
            Err(format!(
                "its secrets are sealed with the master key {needed}, and given is {}: put the right \
                 one into `store_key_file` or {}, or add it to `previous_store_key_files`",
                given.join(", "),
                super::store_key::VARIABLE,
            ))
        }
        _ => return None,
    })
}
