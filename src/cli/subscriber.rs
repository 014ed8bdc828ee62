//! `hss subscriber`: the provisioning interface of a running HSS.

mod export;
mod import;
mod progress;
mod write;

use core::fmt::Write as _;
use core::time::Duration;

use clap::{Args, Subcommand};
use heiiki_hss::SubscribedApn;
use heiiki_net::clock;
use heiiki_types::{Ambr, Imsi, Key128, Method, Msisdn, to_hex};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::client::{Client, ServerArgs, member, plain, table};
use super::failure::{Exit, Failure, Outcome};
use super::node::subscribed;
use super::out;
use crate::file::{self, Operator, SimState, Subscriber};
use crate::lab::Cut;

/// Look at the subscribers of a running HSS, and act on them
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss subscriber list --config hss.toml
  hss subscriber suspend 001010000000001 --reason \"lost on the train\" --config hss.toml
  hss subscriber add 001010000000001 --tenant red --apn red.corp --key-file sim.key
  hss subscriber import cards.csv --tenant red --apn red.corp --config hss.toml
  hss subscriber export subscribers.csv --config hss.toml")]
pub(super) struct SubscriberCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Show(Show),
    Suspend(Suspend),
    Pause(Pause),
    Resume(Resume),
    Terminate(Terminate),
    Isolate(Isolate),
    Release(Release),
    DeleteSession(DeleteSession),
    History(History),
    Add(write::Add),
    Set(write::Set),
    Erase(write::Erase),
    Import(import::Import),
    Export(export::Export),
}

/// List subscribers and their states
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss subscriber list --config hss.toml
  hss subscriber list --state suspended --tenant red --config hss.toml
  hss subscriber list --url http://127.0.0.1:8081 --token-file hss-token --json")]
struct List {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    server: ServerArgs,
    /// Print the JSON of the interface, one object a subscriber
    #[arg(long)]
    json: bool,
}

/// Which subscribers.
#[derive(Args, Debug)]
struct Filter {
    /// Only those in this state
    #[arg(long, value_name = "STATE", value_parser = ["ready", "standby", "active", "inactive", "suspended", "terminated"])]
    state: Option<String>,
    /// Only those of this tenant
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Only those of this group
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Only those whose IMSI begins with these digits
    #[arg(long, value_name = "DIGITS")]
    prefix: Option<String>,
}

impl Filter {
    /// The target of a page.
    fn target(&self, after: Option<&str>, detail: bool) -> String {
        let mut target = format!("/v1/subscribers?limit=1000&detail={detail}");
        for (name, value) in [
            ("state", self.state.as_deref()),
            ("tenant", self.tenant.as_deref()),
            ("group", self.group.as_deref()),
            ("prefix", self.prefix.as_deref()),
            ("after", after),
        ] {
            if let Some(value) = value {
                let _ = write!(target, "&{name}=");
                for octet in value.bytes() {
                    if octet.is_ascii_alphanumeric() || b"-._".contains(&octet) {
                        target.push(char::from(octet));
                    } else {
                        let _ = write!(target, "%{octet:02X}");
                    }
                }
            }
        }
        target
    }
}

/// Show one subscriber: state, access points, where it is, its last cut
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss subscriber show 001010000000001 --config hss.toml")]
struct Show {
    /// The SIM
    imsi: Imsi,
    #[command(flatten)]
    server: ServerArgs,
    /// Print the JSON of the interface
    #[arg(long)]
    json: bool,
}

macro_rules! orders {
    ($($name:ident, $what:literal, $examples:literal;)*) => {
        $(
            #[doc = $what]
            #[derive(Args, Debug)]
            #[command(after_help = $examples)]
            struct $name {
                #[command(flatten)]
                order: Order,
            }
        )*
    };
}

orders! {
    Suspend, "Cut a lost or stolen SIM everywhere, and refuse it until it is resumed", "\
Examples:
  hss subscriber suspend 001010000000001 --reason \"lost on the train\" --config hss.toml
  hss subscriber suspend 001010000000001 --reason stolen --actor night-shift --json";
    Pause, "Cut a SIM and refuse it for the time being", "\
Examples:
  hss subscriber pause 001010000000001 --reason \"device in repair\" --config hss.toml";
    Resume, "Lift a suspension or a pause", "\
Examples:
  hss subscriber resume 001010000000001 --reason found --config hss.toml";
    Terminate, "End a subscription for good: it cannot be resumed", "\
Examples:
  hss subscriber terminate 001010000000001 --reason \"contract ended\" --config hss.toml";
    Isolate, "Leave a SIM its session and its tenant's quarantine prefixes, and nothing else", "\
Examples:
  hss subscriber isolate 001010000000001 --reason \"odd traffic\" --config hss.toml";
    Release, "End an isolation", "\
Examples:
  hss subscriber release 001010000000001 --reason clean --config hss.toml";
    DeleteSession, "End the sessions of a SIM; its UE may come back at once", "\
Examples:
  hss subscriber delete-session 001010000000001 --reason stuck --config hss.toml";
}

/// Show the last orders for a SIM: who, when, why, and what came of it
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss subscriber history 001010000000001 --config hss.toml")]
struct History {
    /// The SIM
    imsi: Imsi,
    #[command(flatten)]
    server: ServerArgs,
    /// Print the JSON of the interface
    #[arg(long)]
    json: bool,
}

/// An order about a SIM.
#[derive(Args, Debug)]
struct Order {
    /// The SIM
    imsi: Imsi,
    /// Why, for the certificate and the audit log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who orders it, for the certificate and the audit log. Without it the name of the user
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// For how many seconds, with suspend, pause and isolate; without it nothing ends by itself
    #[arg(long, value_name = "SECONDS")]
    for_seconds: Option<u64>,
    /// How many seconds to wait until the SIM is dark
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    wait: u64,
    #[command(flatten)]
    server: ServerArgs,
    /// Print the certificate as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn connect(server: &ServerArgs) -> Result<Client, Failure> {
    server.client("HSS", "hss.toml", |path| {
        file::load_hss(path).map(|f| f.admin)
    })
}

pub(super) fn execute(command: SubscriberCommand) -> Outcome {
    match command.command {
        Command::List(args) => list(&args),
        Command::Show(args) => show(&args),
        Command::Suspend(args) => order("suspend", &args.order),
        Command::Pause(args) => order("pause", &args.order),
        Command::Resume(args) => order("resume", &args.order),
        Command::Terminate(args) => order("terminate", &args.order),
        Command::Isolate(args) => order("isolate", &args.order),
        Command::Release(args) => order("release", &args.order),
        Command::DeleteSession(args) => order("delete-session", &args.order),
        Command::History(args) => history(&args),
        Command::Add(args) => write::add(&args),
        Command::Set(args) => write::set(&args),
        Command::Erase(args) => write::erase(&args),
        Command::Import(args) => import::execute(&args),
        Command::Export(args) => export::execute(&args),
    }
}

fn list(args: &List) -> Outcome {
    let client = connect(&args.server)?;
    let mut rows = vec![
        ["IMSI", "STATE", "TENANT", "MME"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut after: Option<String> = None;
    loop {
        let target = args.filter.target(after.as_deref(), false);
        let page = client.ask(Method::Get, &target, Vec::new())?;
        for row in page
            .get("subscribers")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if args.json {
                out::line(row)?;
            } else {
                rows.push(
                    ["imsi", "state", "tenant", "mme"]
                        .map(|n| member(row, n))
                        .to_vec(),
                );
            }
        }
        after = page.get("next").filter(|n| !n.is_null()).map(plain);
        if after.is_none() {
            break;
        }
    }
    if !args.json {
        out::text(&table(&rows))?;
    }
    Ok(Exit::Done)
}

fn show(args: &Show) -> Outcome {
    let client = connect(&args.server)?;
    let subscriber = client.ask(
        Method::Get,
        &format!("/v1/subscribers/{}", args.imsi),
        Vec::new(),
    )?;
    show_value(&subscriber, args.json)
}

/// A subscriber as the interface shows it.
fn show_value(subscriber: &Value, json: bool) -> Outcome {
    if json {
        out::line(subscriber)?;
        return Ok(Exit::Done);
    }
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    for name in [
        "imsi", "msisdn", "tenant", "group", "state", "since", "actor", "reason", "cut", "seq",
    ] {
        row(name, member(subscriber, name));
    }
    for apn in subscriber
        .get("apns")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let own = ["static_ip", "static_ipv6"].map(|name| apn.get(name));
        let mut address = String::new();
        for own in own.into_iter().flatten().filter(|a| !a.is_null()) {
            let _ = write!(address, ", always {}", plain(own));
        }
        row("apn", format!("{}{address}", member(apn, "apn")));
    }
    if let Some(location) = subscriber.get("location").filter(|l| !l.is_null()) {
        row(
            "mme",
            format!(
                "{} since {}",
                member(location, "host"),
                member(location, "since")
            ),
        );
    }
    out::text(&table(&rows))?;
    Ok(Exit::Done)
}

/// Who orders something: as given, or the name of the user.
pub(super) fn actor(given: Option<&str>) -> String {
    let user = || std::env::var_os("USER").and_then(|u| u.into_string().ok());
    given
        .map(str::to_owned)
        .or_else(|| user().filter(|u| !u.is_empty()))
        .unwrap_or_else(|| "operator".to_owned())
}

fn history(args: &History) -> Outcome {
    let client = connect(&args.server)?;
    let target = format!("/v1/subscribers/{}/history", args.imsi);
    let shown = client.ask(Method::Get, &target, Vec::new())?;
    if args.json {
        out::line(&shown)?;
        return Ok(Exit::Done);
    }
    let head = ["AT", "VERB", "FROM", "TO", "BY", "WHY", "ORDER"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let entries = shown.get("history").and_then(Value::as_array);
    for entry in entries.into_iter().flatten() {
        let names = ["at", "verb", "from", "to", "who", "why", "cut"];
        rows.push(names.map(|n| member(entry, n)).to_vec());
    }
    out::text(&table(&rows))?;
    Ok(Exit::Done)
}

fn order(verb: &str, args: &Order) -> Outcome {
    let client = connect(&args.server)?;
    let actor = actor(args.actor.as_deref());
    let mut body = json!({ "reason": args.reason, "actor": actor });
    if let (Some(seconds), Some(body)) = (args.for_seconds, body.as_object_mut()) {
        body.insert("for_seconds".to_owned(), seconds.into());
    }
    let body = body.to_string().into_bytes();
    let target = format!("/v1/subscribers/{}/{verb}", args.imsi);
    let response = client.call(Method::Post, &target, body)?;
    if !(200..300).contains(&response.status) {
        return Err(client.refused(&response));
    }
    let mut cut: Cut = client.read(&response)?;
    let mut raw: Value = client.read(&response)?;
    let until = clock::monotonic() + Duration::from_secs(args.wait);
    while !cut.is_done() && clock::monotonic() < until {
        client.pause(Duration::from_millis(20))?;
        raw = client.ask(Method::Get, &format!("/v1/cuts/{}", cut.cut), Vec::new())?;
        cut = serde_json::from_value(raw.clone()).unwrap_or(cut);
    }
    if args.json {
        out::line(&raw)?;
    } else {
        out::text(&certificate(&cut, &raw))?;
    }
    Ok(if cut.is_done() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// The certificate of an order, for a person.
pub(super) fn certificate(cut: &Cut, raw: &Value) -> String {
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    row("cut", cut.cut.clone());
    row("imsi", cut.imsi.to_string());
    row("state", format!("{} -> {}", cut.from, cut.to));
    row("verdict", cut.verdict.clone());
    row("by", format!("{}: {}", cut.who, cut.why));
    row("at (t0)", member(raw, "at"));
    if let Some(end) = raw.get("expires").filter(|e| !e.is_null()) {
        row("ends by itself", plain(end));
    }
    for (name, stamp, what) in [
        ("t1", cut.t1, "durable at the HSS"),
        ("t2", cut.t2, "cancel location sent"),
        ("t3", cut.t3, "cancel location answered"),
        ("t4", cut.t4, "barred at the last gateway"),
        ("t5u", cut.t5_uplink, "nothing passes uplink"),
        ("t5d", cut.t5_downlink, "nothing passes downlink"),
        ("t6", cut.t6, "the UE is detached"),
        ("t7", cut.t7, "records are closed"),
        ("t8", cut.t8, "first refusal"),
    ] {
        if let Some(time) = cut.since_t0(stamp) {
            row(name, format!("+{}  {what}", crate::observe::short(time)));
        }
    }
    if let Some((up, down)) = cut.time_to_cut().filter(|_| cut.dark) {
        let slower = crate::observe::short(up.max(down));
        row("t5 - t0", format!("{slower}  nothing passes any more"));
    }
    if let Some(packets) = cut.packets_after_t0 {
        row("packets after t0", packets.to_string());
    }
    for gateway in raw
        .get("gateways")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let why = gateway.get("error").filter(|e| !e.is_null());
        let state = match (gateway.get("answered").filter(|a| !a.is_null()), why) {
            (_, Some(why)) => format!("not done: {}", plain(why)),
            (Some(_), None) => format!("done, {} sessions", member(gateway, "sessions")),
            (None, None) => "no answer yet".to_owned(),
        };
        let name = member(gateway, "gateway");
        let times = member(gateway, "attempts");
        row("gateway", format!("{name}: {state}; told {times} times"));
    }
    for mme in raw
        .get("mme")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let result = member(mme, "result");
        row("mme", format!("{}: {result}", member(mme, "host")));
    }
    for what in &cut.not_observable {
        row("not observable", what.clone());
    }
    table(&rows)
}

/// A row as the interface takes it.
#[derive(serde::Serialize)]
struct Row<'a> {
    imsi: Imsi,
    k: &'a str,
    opc: Option<&'a str>,
    op: Option<&'a str>,
    amf: String,
    sqn: Option<u64>,
    msisdn: Option<Msisdn>,
    tenant: &'a str,
    apns: Vec<SubscribedApn>,
    ue_ambr: Ambr,
    state: &'static str,
}

/// The JSON of an import, in a buffer that is large enough from the start: no copy of a key is left
/// behind in one that was too small.
fn body(rows: &[Subscriber], update: bool, dry_run: bool) -> Result<Zeroizing<Vec<u8>>, Failure> {
    /// More octets than a row, or one of its access points, has.
    const ROW: usize = 1_024;
    let parts: usize = rows.iter().map(|r| 1 + r.apns.len()).sum();
    let mut text = Zeroizing::new(Vec::with_capacity(64 + ROW * parts));
    text.extend(b"{\"subscribers\":[");
    for (place, row) in rows.iter().enumerate() {
        if place != 0 {
            text.push(b',');
        }
        write_row(row, &mut text)?;
    }
    text.extend(format!("],\"update\":{update},\"dry_run\":{dry_run}}}").bytes());
    Ok(text)
}

fn write_row(row: &Subscriber, text: &mut Vec<u8>) -> Result<(), Failure> {
    let hex = |key: &Key128| Zeroizing::new(to_hex(key.expose()));
    let k = hex(&row.secrets.k);
    let (opc, op) = match &row.secrets.operator {
        Operator::Opc(key) => (Some(hex(key)), None),
        Operator::Op(key) => (None, Some(hex(key))),
    };
    let apns = row.apns.iter().map(|a| subscribed(a.clone(), row.ambr));
    let row = Row {
        imsi: row.imsi,
        k: &k,
        opc: opc.as_deref().map(String::as_str),
        op: op.as_deref().map(String::as_str),
        amf: to_hex(&row.amf),
        sqn: row.sqn,
        msisdn: row.msisdn,
        tenant: &row.tenant,
        apns: apns.collect(),
        ue_ambr: row.ambr,
        state: match row.state {
            SimState::Ready => "ready",
            SimState::Inactive => "inactive",
            SimState::Suspended => "suspended",
        },
    };
    serde_json::to_writer(text, &row).map_err(|e| {
        Failure::failed(
            format!("a row cannot be written as JSON: {e}"),
            "report this",
        )
    })
}
