//! Orders at one gateway, past the HSS.

use clap::Args;
use heiiki_types::{Imsi, Method};
use serde_json::{Value, json};

use super::super::client::{ServerArgs, member, plain, table};
use super::super::failure::{Exit, Outcome};
use super::super::out;
use super::super::subscriber::actor;
use super::connect;

/// Cut a SIM at this gateway, at once
///
/// Its sessions end and it gets no new one, here, until somebody resumes it at the HSS. An HSS that
/// knows this gateway takes the order up as a suspension.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pgw emergency-cut 001010000000001 --reason stolen --config pgw.toml")]
pub(super) struct EmergencyCut {
    #[command(flatten)]
    order: Order,
}

/// Leave a SIM its sessions and its tenant's quarantine prefixes, and nothing else
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pgw isolate 001010000000001 --reason \"odd traffic\" --config pgw.toml")]
pub(super) struct Isolate {
    #[command(flatten)]
    order: Order,
}

/// Lift the bar of a SIM at this gateway
///
/// Where an HSS knows this gateway, resume the SIM there: it bars again what it has suspended.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pgw lift 001010000000001 --reason found --config pgw.toml")]
pub(super) struct Lift {
    #[command(flatten)]
    order: Order,
}

/// End the isolation of a SIM at this gateway
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pgw release 001010000000001 --reason clean --config pgw.toml")]
pub(super) struct Release {
    #[command(flatten)]
    order: Order,
}

/// End the sessions of a SIM at this gateway; its UE may come back at once
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pgw delete-session 001010000000001 --reason stuck --config pgw.toml")]
pub(super) struct DeleteSession {
    #[command(flatten)]
    order: Order,
}

/// List the bars and isolations in force at this gateway
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pgw bars --config pgw.toml
  pgw bars --config pgw.toml --json")]
pub(super) struct Bars {
    #[command(flatten)]
    server: ServerArgs,
    /// Print the JSON of the interface, one object an order
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Order {
    /// The SIM
    imsi: Imsi,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who orders it. Without it the name of the user
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

impl Order {
    fn body(&self) -> Value {
        json!({
            "imsi": self.imsi,
            "reason": self.reason,
            "actor": actor(self.actor.as_deref()),
        })
    }

    fn give(&self, target: &str, body: &Value) -> Outcome {
        let client = connect(&self.server)?;
        let body = body.to_string().into_bytes();
        let answer = client.ask(Method::Post, target, body)?;
        out::line(&answer)?;
        Ok(Exit::Done)
    }

    /// Gives back what the last order of a list took, with a version above its own.
    fn give_back(&self, list: &str, verb: &str) -> Outcome {
        let client = connect(&self.server)?;
        let digits = self.imsi.to_string();
        let version = all(&client, list)?
            .iter()
            .find(|row| member(row, "imsi") == digits)
            .and_then(|row| row.get("version")?.as_u64());
        let mut body = self.body();
        if let Some(body) = body.as_object_mut() {
            let above = version.unwrap_or(0).saturating_add(1);
            body.insert("version".to_owned(), above.into());
        }
        self.give(&format!("/v1/{list}/{digits}/{verb}"), &body)
    }
}

pub(super) fn emergency_cut(args: &EmergencyCut) -> Outcome {
    args.order.give("/v1/emergency-cut", &args.order.body())
}

pub(super) fn isolate(args: &Isolate) -> Outcome {
    args.order.give("/v1/isolations", &args.order.body())
}

pub(super) fn delete_session(args: &DeleteSession) -> Outcome {
    args.order.give("/v1/delete-session", &args.order.body())
}

pub(super) fn lift(args: &Lift) -> Outcome {
    args.order.give_back("bars", "lift")
}

pub(super) fn release(args: &Release) -> Outcome {
    args.order.give_back("isolations", "release")
}

/// Every row of a list, page by page.
fn all(
    client: &super::super::client::Client,
    list: &str,
) -> Result<Vec<Value>, super::super::failure::Failure> {
    let mut rows = Vec::new();
    let mut after = String::new();
    loop {
        let target = format!("/v1/{list}?limit=1000{after}");
        let page = client.ask(Method::Get, &target, Vec::new())?;
        let some = page.get(list).and_then(Value::as_array);
        rows.extend(some.into_iter().flatten().cloned());
        match page.get("next").filter(|n| !n.is_null()) {
            Some(next) => after = format!("&after={}", plain(next)),
            None => return Ok(rows),
        }
    }
}

pub(super) fn bars(args: &Bars) -> Outcome {
    let client = connect(&args.server)?;
    let head = ["KIND", "IMSI", "VERSION", "LOCAL", "BY", "WHY"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (list, kind) in [("bars", "bar"), ("isolations", "isolation")] {
        for row in all(&client, list)? {
            if args.json {
                out::line(&row)?;
            } else {
                let names = ["imsi", "version", "local", "actor", "reason"];
                let mut cells = vec![kind.to_owned()];
                cells.extend(names.map(|n| member(&row, n)));
                rows.push(cells);
            }
        }
    }
    if !args.json {
        out::text(&table(&rows))?;
    }
    Ok(Exit::Done)
}
