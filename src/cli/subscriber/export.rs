//! `hss subscriber export`: everything that may be known of subscribers, and no key.

use core::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use heiiki_types::Method;
use serde_json::Value;

use super::progress::Progress;
use super::{Filter, connect};
use crate::cli::client::{ServerArgs, plain};
use crate::cli::failure::{Exit, Failure, Outcome};
use crate::cli::out;

/// Export subscribers as CSV or JSON lines, without their keys
///
/// `hss subscriber import --update` takes the file back: it changes the subscriptions of SIMs that
/// the store has. SIMs that it does not have cannot come back from it, for their keys are not in it;
/// a copy of the store itself is the backup of those.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss subscriber export subscribers.csv --config hss.toml
  hss subscriber export --form jsonl --tenant red --config hss.toml | jq .imsi")]
pub(super) struct Export {
    /// The file; without it the standard output
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The form; without it by the name of the file, else CSV
    #[arg(long, value_enum)]
    form: Option<Form>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Csv,
    Jsonl,
}

/// The columns of an export; an import has the same names.
const HEAD: &str = "imsi,msisdn,tenant,group,state,amf,apn,pdn,static_ip,static_ipv6,qci,arp,apn_uplink,\
                    apn_downlink,apn_charging_characteristics,uplink,downlink,barring,\
                    access_restriction,periodic_update_s,charging_characteristics";

pub(super) fn execute(args: &Export) -> Outcome {
    let client = connect(&args.server)?;
    let by_name = args.file.as_deref().and_then(Path::extension);
    let by_name = by_name.and_then(|e| e.to_str()).unwrap_or("");
    let form = args.form.unwrap_or(match by_name {
        "jsonl" | "ndjson" | "json" => Form::Jsonl,
        _ => Form::Csv,
    });
    let mut output: Box<dyn Write> = match &args.file {
        Some(path) => Box::new(BufWriter::new(make(path).map_err(|e| {
            let problem = format!("{} cannot be written: {e}", path.display());
            Failure::usage(problem, "name a file in a folder that this user may write")
        })?)),
        None => Box::new(BufWriter::new(io::stdout().lock())),
    };
    if form == Form::Csv {
        writeln!(output, "{HEAD}")?;
    }
    let mut progress = Progress::new("exporting", 0);
    let (mut after, mut rows) = (None, 0_u64);
    loop {
        let target = args.filter.target(after.as_deref(), true);
        let page = client.ask(Method::Get, &target, Vec::new())?;
        let list = page.get("subscribers").and_then(Value::as_array);
        for row in list.into_iter().flatten() {
            match form {
                Form::Csv => writeln!(output, "{}", csv(row))?,
                Form::Jsonl => writeln!(output, "{row}")?,
            }
            rows += 1;
        }
        progress.at(rows);
        after = page.get("next").filter(|n| !n.is_null()).map(plain);
        if after.is_none() {
            break;
        }
    }
    output.flush()?;
    drop(output);
    drop(progress);
    if args.file.is_some() {
        out::line(format_args!("{rows} exported"))?;
    }
    Ok(Exit::Done)
}

/// A file for its owner alone: who has which number and address is nobody else's business.
fn make(path: &Path) -> io::Result<std::fs::File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

fn csv(row: &Value) -> String {
    let text = |pointer: &str| match row.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    let apns = row.get("apns").and_then(Value::as_array);
    let list = |one: &dyn Fn(&Value) -> String| {
        let parts: Vec<String> = apns.into_iter().flatten().map(one).collect();
        // Nothing at all is an empty field.
        if parts.iter().all(|p| p == "-") {
            String::new()
        } else {
            parts.join(" ")
        }
    };
    let member = |pointer: &'static str| {
        list(&move |apn: &Value| match apn.pointer(pointer) {
            None | Some(Value::Null) => "-".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        })
    };
    let arp = list(&|apn| {
        let flag = |name: &str| {
            let on = apn.pointer(name).and_then(Value::as_bool) == Some(true);
            if on { "+" } else { "-" }
        };
        let level = apn
            .pointer("/arp/priority_level")
            .map_or_else(String::new, plain);
        format!(
            "{level}/{}/{}",
            flag("/arp/may_preempt"),
            flag("/arp/may_be_preempted")
        )
    });
    let fields = [
        text("/imsi"),
        text("/msisdn"),
        text("/tenant"),
        text("/group"),
        text("/state"),
        text("/amf"),
        member("/apn"),
        member("/pdn"),
        member("/static_ip"),
        member("/static_ipv6"),
        member("/qci"),
        arp,
        member("/ambr/uplink_bps"),
        member("/ambr/downlink_bps"),
        member("/charging_characteristics"),
        text("/ue_ambr/uplink_bps"),
        text("/ue_ambr/downlink_bps"),
        text("/barring"),
        text("/access_restriction"),
        text("/periodic_update_s"),
        text("/charging_characteristics"),
    ];
    let mut line = String::new();
    for (place, field) in fields.iter().enumerate() {
        if place != 0 {
            line.push(',');
        }
        if field.contains([',', '"', ';', '|']) {
            let _ = write!(line, "\"{}\"", field.replace('"', "\"\""));
        } else {
            line.push_str(field);
        }
    }
    line
}
