//! `hss subscriber add` and `set`: one subscription at a time.

use core::net::Ipv4Addr;
use std::path::PathBuf;

use clap::Args;
use heiiki_hss::auc::offline::Operator;
use heiiki_types::{Apn, HttpRequest, Imsi, Method, Msisdn, Prefix, to_hex};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::{connect, show_value};
use crate::cli::aka;
use crate::cli::client::ServerArgs;
use crate::cli::failure::{Exit, Failure, Outcome};
use crate::cli::out;

/// Add one subscriber
///
/// The keys come from a file with the lines `k = HEX` and `opc = HEX` (or `op = HEX`), or from the
/// standard input: never from the command line, which every user of the machine can read.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss subscriber add 001010000000001 --tenant red --apn red.corp --key-file sim.key --config hss.toml
  decrypt sim.key.gpg | hss subscriber add 001010000000002 --tenant red --apn red.corp \\
      --static-ip 10.20.0.12 --key-file - --config hss.toml")]
pub(super) struct Add {
    /// The SIM
    imsi: Imsi,
    /// The file with K and OPc or OP; `-` for the standard input
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    #[command(flatten)]
    parts: Parts,
    #[command(flatten)]
    server: ServerArgs,
    /// Print the JSON of the interface
    #[arg(long)]
    json: bool,
}

/// Change the subscription of one subscriber; what is not named stays
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss subscriber set 001010000000001 --group tablets --config hss.toml
  hss subscriber set 001010000000001 --apn red.corp --static-ip 10.20.0.13 --config hss.toml
  hss subscriber set 001010000000001 --msisdn none --config hss.toml
  hss subscriber set 001010000000001 --key-file new-card.key --config hss.toml")]
pub(super) struct Set {
    /// The SIM
    imsi: Imsi,
    /// Other keys: the file with K and OPc or OP; `-` for the standard input
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Only if the subscriber still has this entity tag
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
    #[command(flatten)]
    parts: Parts,
    #[command(flatten)]
    server: ServerArgs,
    /// Print the JSON of the interface
    #[arg(long)]
    json: bool,
}

/// What a subscription says.
#[derive(Args, Debug)]
struct Parts {
    /// The owner
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// The group, for orders about all of it; `none` for no group
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// The number; `none` for no number
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    msisdn: Option<Number>,
    /// The access points, the default one first
    #[arg(long, value_name = "APN", value_delimiter = ',')]
    apn: Vec<Apn>,
    /// The address that the SIM always gets at the first access point
    #[arg(long, value_name = "ADDRESS", requires = "apn")]
    static_ip: Option<Ipv4Addr>,
    /// The IPv6 prefix of 64 bits that the SIM always gets at the first access point, which then
    /// has both families
    #[arg(long, value_name = "PREFIX", requires = "apn")]
    static_ipv6: Option<Prefix>,
    /// The bandwidth of all bearers from the UE, in bit/s
    #[arg(long, value_name = "BPS", requires = "downlink_bps")]
    uplink_bps: Option<u64>,
    /// The bandwidth of all bearers to the UE, in bit/s
    #[arg(long, value_name = "BPS", requires = "uplink_bps")]
    downlink_bps: Option<u64>,
    /// Authentication management field: 4 hexadecimal digits
    #[arg(long, value_name = "HEX")]
    amf: Option<String>,
    /// Operator-determined barring, the bits of TS 29.272 §7.3.30; 0 for none
    #[arg(long, value_name = "BITS")]
    barring: Option<u32>,
}

#[derive(Clone, Debug)]
struct Number(Option<Msisdn>);

fn number(text: &str) -> Result<Number, String> {
    if text == "none" {
        return Ok(Number(None));
    }
    let parsed = text.trim_start_matches('+').parse();
    parsed.map(|m| Number(Some(m))).map_err(|e| format!("{e}"))
}

impl Parts {
    fn members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                members.insert(name.to_owned(), value);
            }
        };
        set("tenant", self.tenant.as_ref().map(|t| json!(t)));
        let group = self
            .group
            .as_deref()
            .map(|g| if g == "none" { "" } else { g });
        set("group", group.map(|g| json!(g)));
        set("msisdn", self.msisdn.as_ref().map(|n| json!(n.0)));
        let apns = self.apn.iter().enumerate().map(|(place, apn)| {
            let address = self.static_ip.filter(|_| place == 0);
            let prefix = self.static_ipv6.filter(|_| place == 0);
            let pdn = prefix.map_or("v4", |_| "v4_v6");
            json!({ "apn": apn, "pdn": pdn, "static_ip": address, "static_ipv6": prefix })
        });
        set("apns", (!self.apn.is_empty()).then(|| apns.collect()));
        let ambr = self.uplink_bps.zip(self.downlink_bps);
        let ambr = ambr.map(|(up, down)| json!({ "uplink_bps": up, "downlink_bps": down }));
        set("ue_ambr", ambr);
        set("amf", self.amf.as_ref().map(|a| json!(a)));
        set("barring", self.barring.map(|b| json!(b)));
        members
    }
}

/// The body of a call, with the keys of a file in front. It has room for all from the start, so
/// that no copy of a key is left behind.
fn body(
    members: &Map<String, Value>,
    keys: Option<&PathBuf>,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let rest = Value::Object(members.clone()).to_string();
    let mut body = Zeroizing::new(Vec::with_capacity(rest.len() + 256));
    body.push(b'{');
    if let Some(path) = keys {
        let (k, operator) = aka::keys(path)?;
        let (name, other) = match &operator {
            Operator::Opc(key) => ("opc", key),
            Operator::Op(key) => ("op", key),
        };
        for (name, key) in [("k", &k), (name, other)] {
            let hex = Zeroizing::new(to_hex(key.expose()));
            for part in ["\"", name, "\":\"", &hex, "\","] {
                body.extend_from_slice(part.as_bytes());
            }
        }
    }
    match rest.strip_prefix('{') {
        Some("}") | None => {
            body.pop_if(|c| *c == b',');
            body.push(b'}');
        }
        Some(rest) => body.extend_from_slice(rest.as_bytes()),
    }
    Ok(body)
}

pub(super) fn add(args: &Add) -> Outcome {
    let members = args.parts.members();
    for (name, flag) in [("tenant", "--tenant NAME"), ("apns", "--apn APN")] {
        if !members.contains_key(name) {
            return Err(Failure::usage(
                format!("a new subscriber needs {flag}"),
                "see `hss subscriber add --help`",
            ));
        }
    }
    let mut request = HttpRequest::new(Method::Put, format!("/v1/subscribers/{}", args.imsi));
    request.headers.set("if-none-match", "*".to_owned());
    request.body = body(&members, Some(&args.key_file))?.to_vec();
    let client = connect(&args.server)?;
    show_value(&client.exchange(request)?, args.json)
}

pub(super) fn set(args: &Set) -> Outcome {
    let members = args.parts.members();
    if members.is_empty() && args.key_file.is_none() {
        return Err(Failure::usage(
            "nothing to change is named",
            "see `hss subscriber set --help`",
        ));
    }
    let mut request = HttpRequest::new(Method::Patch, format!("/v1/subscribers/{}", args.imsi));
    if let Some(tag) = &args.if_match {
        request.headers.set("if-match", tag.clone());
    }
    request.body = body(&members, args.key_file.as_ref())?.to_vec();
    let client = connect(&args.server)?;
    show_value(&client.exchange(request)?, args.json)
}

/// Erase a terminated SIM: its keys, number, group, access points and addresses
///
/// That its IMSI is terminated stays in the store, with its certificates.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss subscriber terminate 001010000000001 --reason \"contract ended\" --config hss.toml
  hss subscriber erase 001010000000001 --config hss.toml")]
pub(super) struct Erase {
    /// The SIM
    imsi: Imsi,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) fn erase(args: &Erase) -> Outcome {
    let client = connect(&args.server)?;
    let target = format!("/v1/subscribers/{}", args.imsi);
    let response = client.call(Method::Delete, &target, Vec::new())?;
    if response.status != 204 {
        return Err(client.refused(&response));
    }
    out::line(format_args!("{} is erased", args.imsi))?;
    Ok(Exit::Done)
}
