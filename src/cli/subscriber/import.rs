//! `hss subscriber import`: a file goes to a running HSS in parts, each of them durable when it is
//! answered.

use core::fmt::Write as _;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};

use clap::Args;
use heiiki_types::{Apn, HttpRequest, HttpResponse, Method};
use serde_json::Value;
use zeroize::Zeroizing;

use super::progress::Progress;
use super::{body, connect};
use crate::cli::bulk::{self, Bad, Defaults, Form, Stop, Take};
use crate::cli::client::{Client, ServerArgs};
use crate::cli::failure::{Exit, Failure, Outcome};
use crate::cli::out;
use crate::file;

/// Import subscribers from a CSV, JSON lines or TOML file
///
/// CSV needs a head line. Its columns are those of docs/provisioning.md; the names that SIM vendors
/// and card tools give them (Ki, OPC, ICCID, PIN1, ...) are understood, and what an HSS has no use
/// for is passed over. The whole file is checked first: if a row is bad, nothing is imported and
/// every bad row is told, without its contents. What the store has already stays as it is; a row
/// that says something else is reported, and wins with --update. So an import that was broken off
/// can be given again.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss subscriber import cards.csv --tenant red --apn red.corp --config hss.toml
  hss subscriber import cards.csv --dry-run --config hss.toml
  hss subscriber import export.jsonl --update --config hss.toml
  hss subscriber import subscribers.toml --url http://127.0.0.1:8081 --token-file hss-token

Exit codes: 0 all rows are in the store, 1 some are not, 64 the file is bad.")]
pub(super) struct Import {
    /// The file: .csv, .jsonl or .toml; `heiiki config print subscribers` shows the keys of TOML
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The tenant of rows that name none
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// The group of rows that name none
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// The access points of rows that name none, the default one first
    #[arg(long, value_name = "APN", value_delimiter = ',')]
    apn: Vec<Apn>,
    /// Let rows win over what the store has
    #[arg(long)]
    update: bool,
    /// Check the file and ask what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// How many bad rows to tell one by one
    #[arg(long, value_name = "N", default_value_t = 50)]
    max_errors: usize,
    /// Print one JSON object with the counts
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Rows of one call.
const ROWS: usize = 1_000;
/// Octets of one call: well below what the HSS takes.
const OCTETS: usize = 1 << 20;
/// Calls under way at once: one is written to the store while the next is read and the one after
/// is made.
const CALLS: usize = 4;

pub(super) fn execute(args: &Import) -> Outcome {
    let is_toml = args
        .file
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("toml"));
    let mut sum = if is_toml { toml(args)? } else { lines(args)? };
    if sum.counts.is_empty() {
        sum.counts.insert("added", 0);
    }
    let count = |name| sum.counts.get(name).copied().unwrap_or(0);
    for problem in &sum.problems {
        out::row(&args.file, problem);
    }
    if sum.untold > 0 {
        out::note(&format!("... and {} more", sum.untold));
    }
    let [added, updated, kept] = ["added", "updated", "kept"].map(count);
    let refused = count("refused");
    if args.json {
        out::line(
            serde_json::json!({ "added": added, "updated": updated, "kept": kept,
            "not_imported": refused, "dry_run": args.dry_run }),
        )?;
    } else {
        let mut text = format!("{added} added, {kept} kept as they were");
        if args.update {
            let _ = write!(text, ", {updated} updated");
        }
        if refused > 0 {
            let _ = write!(text, ", {refused} not imported");
        }
        if args.dry_run {
            text.insert_str(0, "dry run: ");
        }
        out::line(text)?;
    }
    Ok(if refused == 0 {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// What came of all calls.
#[derive(Default)]
struct Sum {
    counts: BTreeMap<&'static str, u64>,
    problems: Vec<Bad>,
    untold: usize,
}

impl Sum {
    fn problem(&mut self, limit: usize, bad: Bad) {
        if self.problems.len() < limit {
            self.problems.push(bad);
        } else {
            self.untold += 1;
        }
    }
}

/// A TOML file: few rows, read at once.
fn toml(args: &Import) -> Result<Sum, Failure> {
    let rows = file::load_subscribers(&args.file)?;
    let client = connect(&args.server)?;
    let mut sending = Sending::new(&client, args, rows.len() as u64);
    for (place, part) in rows.chunks(ROWS).enumerate() {
        let first = (place * ROWS) as u64 + 1;
        let numbers = (first..).take(part.len()).collect();
        sending.send(&body(part, args.update, args.dry_run)?, numbers)?;
    }
    sending.end()
}

/// A file of lines: checked in a first pass, sent in a second one.
fn lines(args: &Import) -> Result<Sum, Failure> {
    let unreadable = |error: io::Error| {
        let problem = format!("{} cannot be read: {error}", args.file.display());
        Failure::usage(
            problem,
            "give a .csv, .jsonl or .toml file with subscribers",
        )
    };
    let form = bulk::form_of(&args.file).map_err(unreadable)?;
    let defaults = Defaults {
        tenant: args.tenant.clone(),
        group: args.group.clone(),
        apns: args.apn.clone(),
    };
    let mut check = Check::new(args.max_errors);
    match bulk::read(&args.file, form, &defaults, &mut check) {
        Ok(notes) if !notes.ignored.is_empty() => {
            let what = format!(
                "columns that an HSS has no use for: {}",
                notes.ignored.join(", ")
            );
            out::note(&what);
        }
        Ok(_) => {}
        Err(Stop::System(error)) => return Err(unreadable(error)),
        Err(Stop::Head(bad)) => return Err(bad_file(args, &bad, 0)),
    }
    let rows = check.imsis.len() as u64;
    check.find_twins();
    if !check.bad.is_empty() {
        return Err(bad_file(args, &check.bad, check.untold));
    }
    let client = connect(&args.server)?;
    let mut send = Send {
        sending: Sending::new(&client, args, rows),
        form,
        part: Zeroizing::new(Vec::new()),
        numbers: Vec::new(),
        failure: None,
    };
    let read = bulk::read(&args.file, form, &defaults, &mut send);
    if let Some(failure) = send.failure.take() {
        return Err(failure);
    }
    if let Err(Stop::System(error)) = read {
        return Err(unreadable(error));
    }
    send.flush()?;
    send.sending.end()
}

/// Says what is wrong with a file of which nothing is imported.
fn bad_file(args: &Import, bad: &[Bad], untold: usize) -> Failure {
    for bad in bad {
        out::row(&args.file, bad);
    }
    if untold > 0 {
        out::note(&format!("... and {untold} more"));
    }
    let problem = format!(
        "{} has {} bad rows: nothing is imported",
        args.file.display(),
        bad.len() + untold
    );
    Failure::usage(
        problem,
        "correct them; docs/provisioning.md lists the columns",
    )
}

/// The first pass.
struct Check {
    limit: usize,
    bad: Vec<Bad>,
    untold: usize,
    imsis: Vec<(u64, u64)>,
}

impl Check {
    const fn new(limit: usize) -> Self {
        Self {
            limit,
            bad: Vec::new(),
            untold: 0,
            imsis: Vec::new(),
        }
    }

    /// IMSIs that are there twice.
    fn find_twins(&mut self) {
        let mut imsis = core::mem::take(&mut self.imsis);
        imsis.sort_unstable();
        for (first, second) in imsis.iter().zip(imsis.iter().skip(1)) {
            if first.0 == second.0 {
                let why = format!("the IMSI is there already, in line {}", first.1);
                self.bad(Bad {
                    line: second.1,
                    column: "imsi".to_owned(),
                    why,
                });
            }
        }
        self.bad.sort_by_key(|b| b.line);
    }
}

impl Take for Check {
    fn row(&mut self, line: u64, imsi: u64, _: &[u8]) -> io::Result<()> {
        self.imsis.push((imsi, line));
        Ok(())
    }

    fn bad(&mut self, bad: Bad) {
        if self.bad.len() < self.limit {
            self.bad.push(bad);
        } else {
            self.untold += 1;
        }
    }
}

/// The second pass.
struct Send<'a> {
    sending: Sending<'a>,
    form: Form,
    part: Zeroizing<Vec<u8>>,
    numbers: Vec<u64>,
    failure: Option<Failure>,
}

impl Send<'_> {
    fn flush(&mut self) -> Result<(), Failure> {
        if self.numbers.is_empty() {
            return Ok(());
        }
        self.part.extend_from_slice(self.sending.tail().as_bytes());
        let part = core::mem::take(&mut self.part);
        self.sending.send(&part, core::mem::take(&mut self.numbers))
    }
}

impl Take for Send<'_> {
    fn row(&mut self, line: u64, _: u64, json: &[u8]) -> io::Result<()> {
        if (self.part.len() + json.len() + 64 > OCTETS || self.numbers.len() >= ROWS)
            && let Err(failure) = self.flush()
        {
            self.failure = Some(failure);
            return Err(io::Error::other("the HSS does not answer"));
        }
        if self.numbers.is_empty() {
            // Room for all of it, so that no copy of a key is left behind in a smaller one.
            self.part = Zeroizing::new(Vec::with_capacity(OCTETS.max(json.len() + 128)));
            self.part.extend_from_slice(b"{\"subscribers\":[");
        } else {
            self.part.push(b',');
        }
        self.part.extend_from_slice(json);
        self.numbers.push(line);
        Ok(())
    }

    fn bad(&mut self, bad: Bad) {
        // The file has changed since the first pass.
        let form = self.form;
        self.sending.sum.problem(
            usize::MAX,
            Bad {
                why: format!("{} (the {form:?} file has changed meanwhile)", bad.why),
                ..bad
            },
        );
    }
}

/// What became of one call: the numbers of its rows, and its answer.
type Answered = (Vec<u64>, io::Result<HttpResponse>);

/// Calls under way.
struct Sending<'a> {
    client: &'a Client,
    args: &'a Import,
    under_way: usize,
    answers: (Sender<Answered>, Receiver<Answered>),
    progress: Progress,
    done: u64,
    sum: Sum,
}

impl<'a> Sending<'a> {
    fn new(client: &'a Client, args: &'a Import, rows: u64) -> Self {
        Self {
            client,
            args,
            under_way: 0,
            answers: channel(),
            progress: Progress::new("importing", rows),
            done: 0,
            sum: Sum::default(),
        }
    }

    /// What ends a body.
    fn tail(&self) -> String {
        let Import {
            update, dry_run, ..
        } = self.args;
        format!("],\"update\":{update},\"dry_run\":{dry_run}}}")
    }

    /// Sends a part once there is room for another call.
    fn send(&mut self, body: &[u8], numbers: Vec<u64>) -> Result<(), Failure> {
        while self.under_way >= CALLS {
            self.receive()?;
        }
        let answers = self.answers.0.clone();
        self.under_way += 1;
        self.client.start(
            HttpRequest {
                body: body.to_vec(),
                ..HttpRequest::new(Method::Post, "/v1/subscribers")
            },
            move |answer| drop(answers.send((numbers, answer))),
        );
        Ok(())
    }

    fn receive(&mut self) -> Result<(), Failure> {
        let (numbers, answer) = self
            .answers
            .1
            .recv()
            .map_err(|e| Failure::failed(format!("a call was lost: {e}"), "try again"))?;
        self.under_way -= 1;
        self.done += numbers.len() as u64;
        let response = self.client.answered(answer)?;
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let rows = match response.status {
            200..300 => {
                for name in ["added", "updated", "kept"] {
                    let count = body.get(name).and_then(Value::as_u64).unwrap_or(0);
                    *self.sum.counts.entry(name).or_default() += count;
                }
                let conflicts = body.get("conflicts").and_then(Value::as_array);
                *self.sum.counts.entry("refused").or_default() +=
                    conflicts.map_or(0, |c| c.len() as u64);
                body.get("conflicts")
            }
            422 => {
                *self.sum.counts.entry("refused").or_default() += numbers.len() as u64;
                let rows = body.pointer("/error/rows");
                if rows.is_none() {
                    return Err(self.client.refused(&response));
                }
                rows
            }
            _ => return Err(self.client.refused(&response)),
        };
        for row in rows.and_then(Value::as_array).into_iter().flatten() {
            let place = row.get("number").and_then(Value::as_u64).unwrap_or(1);
            let place = usize::try_from(place).unwrap_or(1).saturating_sub(1);
            let text = |name| {
                row.get(name)
                    .and_then(Value::as_str)
                    .unwrap_or("")
                    .to_owned()
            };
            let bad = Bad {
                line: numbers.get(place).copied().unwrap_or(0),
                column: format!("IMSI {}", text("imsi")),
                why: text("what"),
            };
            self.sum.problem(self.args.max_errors, bad);
        }
        self.progress.at(self.done);
        Ok(())
    }

    fn end(mut self) -> Result<Sum, Failure> {
        while self.under_way > 0 {
            self.receive()?;
        }
        self.sum.problems.sort_by_key(|b| b.line);
        Ok(self.sum)
    }
}
