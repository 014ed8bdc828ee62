//! The `pgw` command.

use core::fmt::Write as _;
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;

use clap::{Args, Parser, Subcommand};
use heiiki_types::{Apn, Imsi, Method, WallTime};
use serde_json::Value;

mod order;

use super::client::{Client, ServerArgs, member, plain, table};
use super::failure::{Exit, Failure, Outcome};
use super::logging::LogArgs;
use super::signal::Stop;
use super::{node, out};
use crate::driver::PgwServer;
use crate::file;
use crate::log::NodeEvent;

/// Closed gateway with its corporate segments: run it, audit it, list its sessions
#[derive(Debug, Parser)]
#[command(
    name = "pgw",
    version,
    propagate_version = true,
    after_help = "\
Examples:
  pgw serve --config pgw.toml
  pgw audit --config pgw.toml
  pgw sessions --config pgw.toml
  pgw emergency-cut 001010000000001 --reason stolen --config pgw.toml

`heiiki config print pgw` shows every key of pgw.toml."
)]
pub(super) struct Pgw {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Serve),
    Audit(Audit),
    Sessions(Sessions),
    Bars(order::Bars),
    EmergencyCut(order::EmergencyCut),
    Isolate(order::Isolate),
    Lift(order::Lift),
    Release(order::Release),
    DeleteSession(order::DeleteSession),
}

/// Run the gateway in the foreground
///
/// Once it serves it prints one line, `ready pgw s5c=ADDRESS s5u=ADDRESS,... admin=ADDRESS
/// token_file=PATH operate_token_file=PATH cut_only_token_file=PATH`. SIGTERM and SIGINT end it cleanly with exit code 0; its
/// sessions go on at the next start.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pgw serve --config pgw.toml
  pgw serve --config pgw.toml --log warn")]
struct Serve {
    /// The configuration file; `heiiki config print pgw` shows its keys
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    log: LogArgs,
}

/// Prove from the live tables of a running gateway that it is closed
///
/// Exit code 0 when it is, 1 when it is not.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pgw audit --config pgw.toml
  pgw audit --url http://127.0.0.1:8082 --token-file pgw-token --json")]
struct Audit {
    #[command(flatten)]
    server: ServerArgs,
    /// Print the JSON of the interface
    #[arg(long)]
    json: bool,
}

/// List the sessions of a running gateway
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pgw sessions --config pgw.toml
  pgw sessions --imsi 001010000000001 --config pgw.toml --json")]
struct Sessions {
    /// Only those of this SIM
    #[arg(long, value_name = "IMSI")]
    imsi: Option<Imsi>,
    /// Only those of this access point
    #[arg(long, value_name = "APN")]
    apn: Option<Apn>,
    /// Only those of this tenant
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
    /// Print the JSON of the interface, one object a session
    #[arg(long)]
    json: bool,
}

/// Sessions of one call.
const PAGE: usize = 1_000;
/// How long reading the store may take.
const START: Duration = Duration::from_mins(1);

pub(super) fn execute(pgw: Pgw) -> Outcome {
    match pgw.command {
        Command::Serve(args) => serve(&args),
        Command::Audit(args) => audit(&args),
        Command::Sessions(args) => sessions(&args),
        Command::Bars(args) => order::bars(&args),
        Command::EmergencyCut(args) => order::emergency_cut(&args),
        Command::Isolate(args) => order::isolate(&args),
        Command::Lift(args) => order::lift(&args),
        Command::Release(args) => order::release(&args),
        Command::DeleteSession(args) => order::delete_session(&args),
    }
}

fn serve(args: &Serve) -> Outcome {
    use heiiki_pgw::Event::{DiskFailed, Started};
    args.log.start()?;
    let file = file::load_pgw(&args.config)?;
    let mut rng = node::rng()?;
    let setup = node::pgw(&args.config, &file, &mut rng)?;
    let runtime = node::runtime()?;
    let stop = Stop::install(&runtime)?;
    let (tx, events) = channel();
    let sink = args.log.sink("pgw", move |event| {
        if let NodeEvent::Pgw(event @ (Started { .. } | DiskFailed)) = event {
            let _ = tx.send(matches!(event, Started { .. }));
        }
    });
    let server = PgwServer::start(setup, rng, &runtime, sink)
        .map_err(|e| node::pgw_failure(&args.config, &file, &e))?;
    if events.recv_timeout(START) != Ok(true) {
        server.stop();
        let help = "see the log, and the folder that `store` names";
        return Err(Failure::failed(
            "the gateway could not read its store",
            help,
        ));
    }
    out::line(format_args!(
        "ready pgw s5c={} s5u={} admin={} token_file={} operate_token_file={} \
         cut_only_token_file={}",
        server.s5c(),
        node::words(&server.s5u()),
        server.admin(),
        node::path_word(&file.admin.token_file),
        node::path_word(&file.operate_token_file),
        node::path_word(&file.cut_only_token_file),
    ))?;
    let signal = stop.wait();
    tracing::info!("{signal}: ending; sessions go on at the next start");
    server.stop();
    Ok(Exit::Done)
}

fn connect(server: &ServerArgs) -> Result<Client, Failure> {
    server.client("gateway", "pgw.toml", |path: &Path| {
        file::load_pgw(path).map(|f| f.admin)
    })
}

fn audit(args: &Audit) -> Outcome {
    let audit = connect(&args.server)?.ask(Method::Get, "/v1/audit", Vec::new())?;
    let closed = audit.get("closed").and_then(Value::as_bool) == Some(true);
    if args.json {
        out::line(&audit)?;
    } else {
        out::text(&report(&audit, closed))?;
    }
    Ok(if closed { Exit::Done } else { Exit::Failed })
}

fn list(value: &Value, name: &str) -> String {
    let items = value.get(name).and_then(Value::as_array);
    let items: Vec<String> = items.into_iter().flatten().map(plain).collect();
    if items.is_empty() {
        "none".to_owned()
    } else {
        items.join(", ")
    }
}

fn is(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool) == Some(true)
}

/// The proof for a person: what only somebody's word makes the tenant's own comes first.
fn report(audit: &Value, closed: bool) -> String {
    let accesses = audit.get("accesses").and_then(Value::as_array);
    let accesses: &[Value] = accesses.map_or(&[], Vec::as_slice);
    let mut out = String::new();
    for access in accesses {
        let (tenant, ranges) = (member(access, "tenant"), list(access, "owned_global"));
        if ranges != "none" {
            let _ = writeln!(
                out,
                "{ranges}: global, and {tenant}'s own only by the word of the file"
            );
        }
    }
    out.push_str(&accesses_table(accesses));
    let on = audit.get("protections").and_then(Value::as_object);
    let off = on
        .into_iter()
        .flatten()
        .filter(|(_, on)| **on == Value::Bool(false));
    let off: Vec<&str> = off.map(|(name, _)| name.as_str()).collect();
    if !off.is_empty() {
        let _ = writeln!(out, "protections that are off: {}", off.join(", "));
    }
    let _ = writeln!(
        out,
        "{} sessions, {} forwarding, {} of barred SIMs\n{}; {}",
        member(audit, "sessions"),
        member(audit, "forwarding"),
        member(audit, "barred_sessions"),
        if closed { "closed" } else { "NOT CLOSED" },
        member(audit, "scope"),
    );
    out
}

fn accesses_table(accesses: &[Value]) -> String {
    const HEAD: [&str; 6] = [
        "ACCESS POINT",
        "TENANT",
        "CLOSED",
        "REACHABLE",
        "UNDECLARED",
        "OTHER TENANTS",
    ];
    let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
    for access in accesses {
        let closed = match (is(access, "closed"), is(access, "open_lab")) {
            (true, _) => "yes",
            (false, true) => "opened by a lab",
            (false, false) => "NO",
        };
        rows.push(vec![
            member(access, "apn"),
            member(access, "tenant"),
            closed.to_owned(),
            list(access, "reachable"),
            list(access, "undeclared"),
            list(access, "foreign"),
        ]);
    }
    table(&rows)
}

fn sessions(args: &Sessions) -> Outcome {
    let client = connect(&args.server)?;
    let mut of = String::new();
    for (name, wanted) in [
        ("imsi", args.imsi.map(|i| i.to_string())),
        ("apn", args.apn.as_ref().map(ToString::to_string)),
        ("tenant", args.tenant.clone()),
    ] {
        if let Some(wanted) = wanted {
            let _ = write!(of, "&{name}={wanted}");
        }
    }
    let mut rows = vec![
        ["IMSI", "APN", "ADDRESS", "STATE", "SGW", "SINCE"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut after = String::new();
    let total = loop {
        let target = format!("/v1/sessions?limit={PAGE}{of}{after}");
        let answer = client.ask(Method::Get, &target, Vec::new())?;
        let sessions = answer.get("sessions").and_then(Value::as_array);
        let sessions: &[Value] = sessions.map_or(&[], Vec::as_slice);
        for session in sessions {
            if args.json {
                out::line(session)?;
            } else {
                let names = ["imsi", "apn", "address", "state", "sgw"];
                let mut row = names.map(|n| member(session, n)).to_vec();
                let since = session.get("since").and_then(Value::as_u64).unwrap_or(0);
                row.push(WallTime::from_unix_micros(since).to_string());
                rows.push(row);
            }
        }
        let total = member(&answer, "total");
        match answer.get("next").filter(|n| !n.is_null()) {
            Some(next) => after = format!("&after={}", plain(next)),
            None => break total,
        }
    };
    if !args.json {
        let shown = rows.len() - 1;
        out::text(&table(&rows))?;
        out::line(format_args!("{shown} of {total} sessions"))?;
    }
    Ok(Exit::Done)
}
