//! `hss cut`, `hss bulk`, `hss emergency-cut`: orders, their certificates, and what needs no HSS.

use core::time::Duration;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use heiiki_net::clock;
use heiiki_types::{Imsi, Method};
use serde_json::{Value, json};

use super::client::{Client, ServerArgs, member, plain, table};
use super::failure::{Exit, Failure, Outcome};
use super::out;
use super::subscriber::{actor, certificate, connect};
use crate::file;
use crate::lab::Cut;

/// Look at orders and their certificates
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss cut list --open --config hss.toml
  hss cut show 20000000001000 --config hss.toml")]
pub(super) struct CutCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Show(Show),
    List(List),
}

/// Print the certificate of an order: who, why, when, and what could not be seen
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss cut show 20000000001000 --config hss.toml
  hss cut show 20000000001000 --config hss.toml --json")]
struct Show {
    /// The number of the order
    #[arg(value_name = "ID")]
    id: u64,
    #[command(flatten)]
    server: ServerArgs,
    /// Print the JSON of the interface
    #[arg(long)]
    json: bool,
}

/// List orders, the newest first
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss cut list --config hss.toml
  hss cut list --open --config hss.toml --json")]
struct List {
    /// Only orders that somebody has not done yet
    #[arg(long)]
    open: bool,
    /// The most orders that are shown
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    server: ServerArgs,
    /// Print the JSON of the interface, one object an order
    #[arg(long)]
    json: bool,
}

/// What is ordered for many SIMs.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Verb {
    Suspend,
    Pause,
    Resume,
    Terminate,
    Isolate,
    Release,
    DeleteSession,
}

impl Verb {
    const fn name(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Terminate => "terminate",
            Self::Isolate => "isolate",
            Self::Release => "release",
            Self::DeleteSession => "delete-session",
        }
    }
}

/// Give one order for many SIMs
///
/// The order goes on when this command ends, and over a restart of the HSS. All bars are put
/// before MMEs are told. Exit code 0 when everything that can be seen is done in time.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss bulk suspend --imsi-file stolen.txt --reason \"pallet stolen\" --config hss.toml
  hss bulk pause --group winter --reason \"season over\" --config hss.toml")]
pub(super) struct Bulk {
    /// What is ordered
    #[arg(value_enum)]
    verb: Verb,
    /// A file with one IMSI a line; `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["group", "tenant"])]
    imsi_file: Option<PathBuf>,
    /// The SIMs of this group
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// The SIMs of this tenant
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Why, for the certificates and the audit log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who orders it. Without it the name of the user
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// For how many seconds; without it nothing ends by itself
    #[arg(long, value_name = "SECONDS")]
    for_seconds: Option<u64>,
    /// How many seconds to wait until everything is done
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    #[command(flatten)]
    server: ServerArgs,
    /// Print the JSON of the interface
    #[arg(long)]
    json: bool,
}

/// Cut a SIM at the gateways alone, without the HSS
///
/// It goes straight to every gateway of hss.toml, each with the token that is named there. The HSS
/// takes the order up as a suspension as soon as it is back. Exit code 0 when every gateway has
/// the bar.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss emergency-cut 001010000000001 --reason stolen --config hss.toml")]
pub(super) struct EmergencyCut {
    /// The SIM
    imsi: Imsi,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who orders it. Without it the name of the user
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// The configuration file of the HSS: its gateways are in it
    #[arg(long, value_name = "FILE", default_value = "hss.toml")]
    config: PathBuf,
}

pub(super) fn execute(command: CutCommand) -> Outcome {
    match command.command {
        Command::Show(args) => show(&args),
        Command::List(args) => list(&args),
    }
}

fn show(args: &Show) -> Outcome {
    let client = connect(&args.server)?;
    let raw = client.ask(Method::Get, &format!("/v1/cuts/{}", args.id), Vec::new())?;
    if args.json {
        out::line(&raw)?;
        return Ok(Exit::Done);
    }
    let cut: Cut = serde_json::from_value(raw.clone()).map_err(|e| {
        Failure::failed(
            format!("the certificate cannot be read: {e}"),
            "is the HSS of the same version as this command?",
        )
    })?;
    out::text(&certificate(&cut, &raw))?;
    Ok(Exit::Done)
}

fn list(args: &List) -> Outcome {
    let client = connect(&args.server)?;
    let mut rows = vec![
        ["ORDER", "AT", "IMSI", "VERB", "VERDICT", "BY", "WHY"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let open = if args.open { "&open=true" } else { "" };
    let mut before = String::new();
    let mut left = args.limit;
    while left > 0 {
        let limit = left.min(1_000);
        let target = format!("/v1/cuts?limit={limit}{open}{before}");
        let page = client.ask(Method::Get, &target, Vec::new())?;
        let cuts = page.get("cuts").and_then(Value::as_array);
        let cuts: &[Value] = cuts.map_or(&[], Vec::as_slice);
        for cut in cuts {
            if args.json {
                out::line(cut)?;
            } else {
                let names = ["cut", "at", "imsi", "verb", "verdict", "who", "why"];
                rows.push(names.map(|n| member(cut, n)).to_vec());
            }
        }
        left -= cuts.len().min(left);
        match page.get("next").filter(|n| !n.is_null()) {
            Some(next) if cuts.len() == limit => before = format!("&before={}", plain(next)),
            _ => break,
        }
    }
    if !args.json {
        out::text(&table(&rows))?;
    }
    Ok(Exit::Done)
}

fn imsis(file: &std::path::Path) -> Result<Vec<Imsi>, Failure> {
    let text = if file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    let name = file.display();
    let text = text.map_err(|e| {
        let help = "name a file with one IMSI a line";
        Failure::usage(format!("{name} cannot be read: {e}"), help)
    })?;
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, l)| !l.trim().is_empty() && !l.starts_with('#'));
    lines
        .map(|(number, line)| {
            line.trim().parse().map_err(|_| {
                let number = number + 1;
                let help = "write one IMSI of 6 to 15 digits a line; `#` begins a remark";
                Failure::usage(format!("{name}, line {number}: not an IMSI"), help)
            })
        })
        .collect()
}

pub(super) fn bulk(args: &Bulk) -> Outcome {
    let list = args.imsi_file.as_deref().map(imsis).transpose()?;
    let client = connect(&args.server)?;
    let body = json!({
        "verb": args.verb.name(),
        "reason": args.reason,
        "actor": actor(args.actor.as_deref()),
        "for_seconds": args.for_seconds,
        "imsis": list,
        "group": args.group,
        "tenant": args.tenant,
    });
    let body = body.to_string().into_bytes();
    let mut shown = client.ask(Method::Post, "/v1/bulk", body)?;
    let target = format!("/v1/bulk/{}", member(&shown, "bulk"));
    let until = clock::monotonic() + Duration::from_secs(args.wait);
    let finished = |shown: &Value| shown.get("finished") == Some(&Value::Bool(true));
    while !finished(&shown) && clock::monotonic() < until {
        client.pause(Duration::from_millis(100))?;
        shown = client.ask(Method::Get, &format!("{target}?limit=1"), Vec::new())?;
    }
    report_bulk(&client, args, &shown, &target)?;
    Ok(if finished(&shown) {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn report_bulk(client: &Client, args: &Bulk, shown: &Value, target: &str) -> Result<(), Failure> {
    if args.json {
        let all = client.ask(Method::Get, &format!("{target}?limit=1000"), Vec::new())?;
        out::line(&all)?;
        return Ok(());
    }
    let counts = shown.get("counts").and_then(Value::as_object);
    let mut rows = vec![vec!["order".to_owned(), member(shown, "bulk")]];
    for (name, count) in counts.into_iter().flatten() {
        rows.push(vec![name.clone(), plain(count)]);
    }
    out::text(&table(&rows))?;
    Ok(())
}

pub(super) fn emergency_cut(args: &EmergencyCut) -> Outcome {
    let file = file::load_hss(&args.config)?;
    let body = json!({
        "imsi": args.imsi,
        "reason": args.reason,
        "actor": actor(args.actor.as_deref()),
    });
    let body = body.to_string().into_bytes();
    let mut rows = vec![["GATEWAY", "RESULT"].map(str::to_owned).to_vec()];
    let mut done = 0;
    for gateway in &file.gateways {
        // One gateway that cannot be told does not keep the next one from being told.
        let told = ServerArgs::of_gateway(gateway)
            .client("gateway", "pgw.toml", |path| {
                file::load_pgw(path).map(|f| f.admin)
            })
            .and_then(|client| client.ask(Method::Post, "/v1/emergency-cut", body.clone()));
        let result = match told {
            Ok(answer) => {
                done += 1;
                format!(
                    "barred, {} sessions ended, version {}",
                    member(&answer, "sessions"),
                    member(&answer, "version")
                )
            }
            Err(failure) => failure.line(),
        };
        rows.push(vec![gateway.name.clone(), result]);
    }
    out::text(&table(&rows))?;
    Ok(if done == file.gateways.len() && done > 0 {
        Exit::Done
    } else {
        Exit::Failed
    })
}
