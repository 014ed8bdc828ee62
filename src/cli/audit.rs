//! `hss audit`: verify and show the audit log. Works on the files, also while no HSS runs.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::failure::{Exit, Failure, Outcome};
use super::out;
use crate::audit::{Flaw, Head, Walk};
use crate::driver::audit;
use crate::file;

/// Verify and show the audit log: refusals, orders and changes in a chain of hashes
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss audit verify --config hss.toml
  hss audit show --config hss.toml --event peer_refused")]
pub(super) struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Verify(Verify),
    Show(Show),
}

/// Which log.
#[derive(Args, Debug)]
struct Log {
    /// The HSS's configuration file: the log is beside its store
    #[arg(long, value_name = "FILE", default_value = "hss.toml")]
    config: PathBuf,
    /// One file of a log, instead of all files of the configuration's
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Tell whether the log is as it was written, or where it is not
///
/// The chain shows lines that were changed, removed, added or moved. Whether its end was cut off is
/// told by a head that was noted elsewhere: give it with --head. The newest one that this machine
/// noted, `audit.head`, is looked at without being asked.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss audit verify --config hss.toml
  hss audit verify old/audit-000000000000.ndjson
  hss audit verify --config hss.toml --head 41:5f0c...9e")]
struct Verify {
    #[command(flatten)]
    log: Log,
    /// A head that the log once had, as its `ready` line or GET /v1/audit/head told it
    #[arg(long, value_name = "NUMBER:HASH")]
    head: Vec<Head>,
}

/// Show the records of the log, one a line, oldest first
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss audit show --config hss.toml
  hss audit show --config hss.toml --event state_changed --last 20
  hss audit show --config hss.toml --json")]
struct Show {
    #[command(flatten)]
    log: Log,
    /// Only records of this event
    #[arg(long, value_name = "EVENT")]
    event: Option<String>,
    /// Only the last of them
    #[arg(long, value_name = "COUNT")]
    last: Option<usize>,
    /// Print the records as they are in the file
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(audit: Audit) -> Outcome {
    match audit.command {
        Command::Verify(args) => verify(args),
        Command::Show(args) => show(&args),
    }
}

impl Log {
    /// The files, oldest first, and the head that was noted beside them.
    fn files(&self) -> Result<(Vec<PathBuf>, Option<Head>), Failure> {
        if let Some(file) = &self.file {
            return Ok((vec![file.clone()], None));
        }
        let store = file::load_hss(&self.config)?.store;
        let files = audit::files(&store).map_err(|e| unreadable(&store, &e))?;
        if files.is_empty() {
            let problem = format!("there is no audit log in {}", store.display());
            let help = "an HSS begins it at its first start; if there was one, it was removed";
            return Err(Failure::failed(problem, help));
        }
        let head = std::fs::read_to_string(audit::head_path(&store)).ok();
        Ok((files, head.and_then(|h| h.parse().ok())))
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let problem = format!("{} cannot be read: {error}", path.display());
    Failure::failed(problem, "give a path that this user may read")
}

fn verify(args: Verify) -> Outcome {
    let (files, noted) = args.log.files()?;
    let mut anchors = args.head;
    anchors.extend(noted);
    let mut walk = Walk::new(anchors);
    let mut begins = None;
    for path in &files {
        let file = File::open(path).map_err(|e| unreadable(path, &e))?;
        for (number, line) in (1_u64..).zip(BufReader::new(file).split(b'\n')) {
            let line = line.map_err(|e| unreadable(path, &e))?;
            // Octets that are no text are no record either.
            let step = match core::str::from_utf8(&line) {
                Ok(line) => walk.step(line),
                Err(_) => Err(Flaw::NotARecord),
            };
            let checked = step.map_err(|flaw| broken(path, Some(number), &flaw))?;
            begins.get_or_insert(checked.head.seq);
        }
    }
    let last = files.last().cloned().unwrap_or_default();
    walk.finish().map_err(|flaw| broken(&last, None, &flaw))?;
    let Some(head) = walk.head() else {
        let help = "an audit log begins with a record of its own";
        return Err(Failure::failed(
            format!("{} is empty", last.display()),
            help,
        ));
    };
    let records = walk.records();
    match begins {
        Some(0) | None => out::line(format_args!("{records} records hold, from the first on"))?,
        Some(first) => out::line(format_args!(
            "{records} records hold, from record {first} on: what was before is in other files"
        ))?,
    }
    out::line(format_args!("head {head}"))?;
    Ok(Exit::Done)
}

fn broken(path: &Path, line: Option<u64>, flaw: &Flaw) -> Failure {
    let place = match line {
        Some(line) => format!("{}:{line}", path.display()),
        None => path.display().to_string(),
    };
    let help = "what is before it holds; nothing from there on is proved. Compare with a copy";
    Failure::failed(format!("{place}: {flaw}"), help)
}

fn show(args: &Show) -> Outcome {
    let (files, _) = args.log.files()?;
    let mut kept = std::collections::VecDeque::new();
    for path in &files {
        let file = File::open(path).map_err(|e| unreadable(path, &e))?;
        for line in BufReader::new(file).lines() {
            let line = line.map_err(|e| unreadable(path, &e))?;
            let Ok(record) = serde_json::from_str::<Map<String, Value>>(&line) else {
                continue;
            };
            let event = record.get("event").and_then(Value::as_str);
            if args.event.as_deref().is_some_and(|e| event != Some(e)) {
                continue;
            }
            let text = if args.json { line } else { plain(&record) };
            if let Some(last) = args.last {
                kept.push_back(text);
                if kept.len() > last {
                    kept.pop_front();
                }
            } else {
                out::line(text)?;
            }
        }
    }
    for text in kept {
        out::line(text)?;
    }
    Ok(Exit::Done)
}

/// A record as a person reads it.
fn plain(record: &Map<String, Value>) -> String {
    let text = |name: &str| {
        record
            .get(name)
            .map(super::client::plain)
            .unwrap_or_default()
    };
    let rest = record
        .iter()
        .filter(|(name, _)| !["seq", "time", "event", "prev", "hash"].contains(&name.as_str()))
        .map(|(name, value)| format!(" {name}={}", super::client::plain(value)));
    let (seq, time, event) = (text("seq"), text("time"), text("event"));
    format!("{seq:>6} {time} {event}{}", rest.collect::<String>())
}
