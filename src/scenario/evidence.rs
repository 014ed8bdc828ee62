//! The files that a run leaves behind.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::html;
use super::report::{ProbeRecord, Report};
use crate::log::{Entry, LabEvent, NodeEvent};
use crate::observe::EventLog;

/// Writes `report.json`, `report.html`, `events.ndjson` and `matrix.csv` into `folder`, which is
/// made if it is not there. `log` is the lab's log.
///
/// # Errors
/// When the folder or a file cannot be written.
pub fn write_evidence(report: &Report, log: &[Entry], folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let file = |name: &str| File::create(folder.join(name)).map(BufWriter::new);
    let mut json = file("report.json")?;
    serde_json::to_writer_pretty(&mut json, report)?;
    json.write_all(b"\n")?;
    json.flush()?;
    let mut html = file("report.html")?;
    html.write_all(html::page(report).as_bytes())?;
    html.flush()?;
    let mut matrix = file("matrix.csv")?;
    write_matrix(report, &mut matrix)?;
    matrix.flush()?;
    let mut events = EventLog::new(file("events.ndjson")?);
    write_events(report, log, &mut events)?;
    events.flush()
}

/// The log with the steps where they began.
pub(super) fn write_events<W: Write>(
    report: &Report,
    log: &[Entry],
    out: &mut EventLog<W>,
) -> io::Result<()> {
    let mut steps = report.steps.iter().peekable();
    for place in 0..=log.len() {
        while let Some(step) = steps.next_if(|step| step.log_at <= place) {
            let event = NodeEvent::Lab(LabEvent::Step {
                title: step.title.clone(),
            });
            out.write(step.began.0, step.began.1, "lab", &event)?;
        }
        if let Some(entry) = log.get(place) {
            out.write(entry.at, entry.wall, &entry.node, &entry.event)?;
        }
    }
    Ok(())
}

/// One line a probe: where from, where to, how, what came of it, and why.
pub(super) fn write_matrix(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "source,destination,via,outcome,reason")?;
    for probe in &report.probes {
        let ProbeRecord {
            source,
            via,
            outcome,
            reason,
            ..
        } = probe;
        let destination = place(probe);
        let reason = reason.as_deref().unwrap_or_default();
        let cells = [source.as_str(), &destination, via, outcome, reason].map(cell);
        writeln!(out, "{}", cells.join(","))?;
    }
    Ok(())
}

/// The destination and its address.
fn place(probe: &ProbeRecord) -> String {
    match probe.address {
        Some(address) if address.to_string() != probe.destination => {
            format!("{} {address}", probe.destination)
        }
        _ => probe.destination.clone(),
    }
}

/// A value as RFC 4180 writes it.
fn cell(value: &str) -> String {
    if value.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        assert_eq!(cell("core 10.0.0.1"), "core 10.0.0.1");
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("say \"no\""), "\"say \"\"no\"\"\"");
    }
}
