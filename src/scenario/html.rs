//! The report as one page that needs nothing else: the verdict first, then the certificates of the
//! cuts, the matrix, the assertions and the rest. It prints well.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use heiiki_types::{Duration, Instant};

use super::report::{CutReport, Evidence, ProbeRecord, Report};
use crate::observe::{Mark, Verdict, short};

const STYLE: &str = "\
body{font:15px/1.45 system-ui,sans-serif;color:#1b1f24;max-width:62rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.15rem;margin:2rem 0 .5rem;border-bottom:1px solid #ccc}\
table{border-collapse:collapse;width:100%;margin:.5rem 0}\
th,td{text-align:left;padding:.22rem .6rem .22rem 0;border-bottom:1px solid #e4e4e4;vertical-align:top}\
th{font-weight:600;color:#555}td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
.verdict{font-size:1.3rem;font-weight:700;padding:.5rem .8rem;border:2px solid;display:inline-block}\
.pass{color:#176639}.fail{color:#a61b1b}.inconclusive{color:#8a5a00}.note{color:#666}\
.warn{border-left:4px solid #8a5a00;padding:.3rem .8rem;margin:.4rem 0}\
@media print{body{margin:0;max-width:none;font-size:11px}h2{page-break-after:avoid}tr{page-break-inside:avoid}}";

/// Rows of one table: a page is to be read. Everything is in the other files.
const ROWS: usize = 300;

/// The page.
pub(super) fn page(report: &Report) -> String {
    let title = escape(&report.title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style></head><body>\n"
    );
    head(report, &mut out);
    for cut in &report.cuts {
        certificate(cut, &mut out);
    }
    matrix(report, &mut out);
    asserts(report, &mut out);
    timeline(report, &mut out);
    transfers(report, &mut out);
    counters(report, &mut out);
    out.push_str("<h2>What this run cannot show</h2>\n<ul>\n");
    for limit in report.limits {
        let _ = writeln!(out, "<li>{}</li>", escape(limit));
    }
    out.push_str("</ul>\n</body></html>\n");
    out
}

fn head(report: &Report, out: &mut String) {
    for range in &report.owned_global {
        let _ = writeln!(
            out,
            "<p class=\"warn\">{}: a global range that its tenant says it owns.</p>",
            escape(range)
        );
    }
    let (class, word) = verdict(report.verdict);
    let _ = writeln!(out, "<h1>{}</h1>", escape(&report.title));
    let _ = writeln!(out, "<p class=\"verdict {class}\">{word}</p>");
    for why in &report.unproved {
        let _ = writeln!(
            out,
            "<p class=\"warn\">Nothing is proved: {}.</p>",
            escape(why)
        );
    }
    for name in &report.weakened {
        let name = escape(name);
        let _ = writeln!(
            out,
            "<p class=\"warn\">The protection <b>{name}</b> was switched off.</p>"
        );
    }
    let Report {
        scenario,
        seed,
        size,
        clock,
        began,
        run_time,
        tenants,
        sims,
        ..
    } = report;
    let versions: Vec<String> = report
        .versions
        .iter()
        .map(|(k, v)| format!("{k} {v}"))
        .collect();
    let _ = writeln!(
        out,
        "<p>Scenario {}, seed {seed}, size {size}; {clock} clock, began {began}, took {}; {tenants} \
         tenants, {sims} SIMs; {}.</p>",
        escape(scenario),
        short(*run_time),
        escape(&versions.join(", ")),
    );
}

fn certificate(cut: &CutReport, out: &mut String) {
    let _ = writeln!(
        out,
        "<h2>Cut certificate: {} (IMSI {})</h2>\n<p>{} by {}: \u{201c}{}\u{201d}</p>",
        escape(&cut.sim),
        cut.imsi,
        escape(&cut.verb),
        escape(&cut.actor),
        escape(&cut.reason),
    );
    let time = |us: Option<u64>| {
        us.map_or_else(
            || "not observed".to_owned(),
            |us| short(Duration::from_micros(us)),
        )
    };
    let after = cut
        .packets_after_cut
        .map_or_else(|| "not observed".to_owned(), |n| n.to_string());
    let _ = writeln!(
        out,
        "<p><b>Time to cut: uplink {}, downlink {}.</b> Packets forwarded after the cut: {after}. \
         {}{}</p>",
        time(cut.time_to_cut_uplink_us),
        time(cut.time_to_cut_downlink_us),
        if cut.dark { "Dark." } else { "Not dark." },
        if cut.clean { " Clean." } else { " Not clean." },
    );
    let s = &cut.stamps;
    let rows = [
        ("t0", "the call is authenticated and parsed", Some(s.t0)),
        ("t1", "the commit is durable", s.t1),
        ("t2", "CLR handed to the transport", s.t2),
        ("t3", "CLA received", s.t3),
        ("t4", "the bar is installed", s.t4),
        ("t5u", "last worker past its boundary, uplink", s.t5_uplink),
        (
            "t5d",
            "last worker past its boundary, downlink",
            s.t5_downlink,
        ),
        ("t6", "detach accepted, or given up", s.t6),
        ("t7", "accounting stopped", s.t7),
        ("t8", "first refusal", s.t8),
    ];
    out.push_str("<table><tr><th>stamp<th>what<th>after t0<th>source</tr>\n");
    for (name, what, at) in rows {
        let absent = if name == "t8" { "none seen" } else { "-" };
        let at = at.map_or_else(|| absent.to_owned(), |at: Instant| short(at.since(s.t0)));
        let source = cut.sources.get(name).copied().unwrap_or_default();
        let _ = writeln!(
            out,
            "<tr><td>{name}<td>{what}<td class=\"n\">{at}<td>{source}</tr>"
        );
    }
    out.push_str("</table>\n");
    for (name, view) in [("uplink", &cut.uplink), ("downlink", &cut.downlink)] {
        if let Some(view) = view {
            let _ = writeln!(out, "<p>Seen by {}.</p>", escape(&view.text(name)));
        }
    }
    for line in &cut.not_observable {
        let _ = writeln!(
            out,
            "<p class=\"warn\">Not observable: {}.</p>",
            escape(line)
        );
    }
}

/// A row of the matrix: source, destination and way.
type Pair<'a> = (&'a str, &'a str, &'a str);

fn matrix(report: &Report, out: &mut String) {
    if report.probes.is_empty() {
        return;
    }
    let mut cells: BTreeMap<Pair<'_>, Vec<&ProbeRecord>> = BTreeMap::new();
    for probe in &report.probes {
        let key = (
            probe.source.as_str(),
            probe.destination.as_str(),
            probe.via.as_str(),
        );
        cells.entry(key).or_default().push(probe);
    }
    out.push_str(
        "<h2>Reachability</h2>\n<p>Every attempt is in <code>matrix.csv</code>.</p>\n<table><tr><th>\
         source<th>destination<th>via<th>answered<th>refused<th>reason<th>evidence</tr>\n",
    );
    let more = cells.len().saturating_sub(ROWS);
    for ((source, destination, via), probes) in cells.into_iter().take(ROWS) {
        let answered = probes.iter().filter(|p| p.outcome == "answered").count();
        let refused = probes.len() - answered;
        let mut reasons: Vec<&str> = probes.iter().filter_map(|p| p.reason.as_deref()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        let mut evidence: Vec<&str> = probes
            .iter()
            .filter_map(|p| p.evidence)
            .map(source_of)
            .collect();
        evidence.sort_unstable();
        evidence.dedup();
        let _ = writeln!(
            out,
            "<tr><td>{}<td>{}<td>{}<td class=\"n\">{answered}<td class=\"n\">{refused}<td>{}<td>{}</tr>",
            escape(source),
            escape(destination),
            escape(via),
            escape(&reasons.join(", ")),
            evidence.join(", "),
        );
    }
    out.push_str("</table>\n");
    left_out(more, "matrix.csv", out);
    for row in &report.sentinel {
        let _ = writeln!(
            out,
            "<p>{} packets of {} reached the sentinel as {} port {}.</p>",
            row.packets,
            escape(&row.tenant),
            row.destination,
            row.port
        );
    }
}

const fn source_of(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Record => "record and counter",
        Evidence::Counter => "counter",
        Evidence::Host => "the host itself",
        Evidence::Cut => "the SIM is cut",
    }
}

fn asserts(report: &Report, out: &mut String) {
    out.push_str("<h2>Assertions</h2>\n<table><tr><th>verdict<th>what<th>seen<th>wanted</tr>\n");
    for assert in &report.asserts {
        let (class, word) = verdict(assert.verdict);
        let control = if assert.control {
            " <i>(positive control)</i>"
        } else {
            ""
        };
        let _ = writeln!(
            out,
            "<tr><td class=\"{class}\">{word}<td>{}{control}<td class=\"n\">{}<td>{}</tr>",
            escape(&assert.name),
            escape(&assert.seen),
            escape(&assert.wanted),
        );
    }
    out.push_str("</table>\n");
}

fn timeline(report: &Report, out: &mut String) {
    out.push_str("<h2>Steps</h2>\n<table><tr><th>at<th><th>what<th>outcome<th>took</tr>\n");
    for step in &report.steps {
        let (class, word) = match step.mark {
            Mark::Pass => ("pass", "ok"),
            Mark::Fail => ("fail", "FAIL"),
            Mark::Note => ("note", ""),
        };
        let _ = writeln!(
            out,
            "<tr><td class=\"n\">{}.{:03} s<td class=\"{class}\">{word}<td>{}<td>{}<td class=\"n\">{}</tr>",
            step.at.as_secs(),
            step.at.subsec_millis(),
            escape(&step.title),
            escape(&step.detail),
            short(step.took),
        );
    }
    out.push_str("</table>\n");
}

fn transfers(report: &Report, out: &mut String) {
    if report.transfers.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Pages and files</h2>\n<table><tr><th>SIM<th>what<th>octets<th>time<th>hash</tr>\n",
    );
    // What is wrong is never left out for want of room.
    let mut transfers: Vec<_> = report.transfers.iter().collect();
    transfers.sort_by_key(|t| t.is_right());
    let more = transfers.len().saturating_sub(ROWS);
    for transfer in transfers.into_iter().take(ROWS) {
        let hash = match transfer.is_intact() {
            Some(true) => "as expected",
            Some(false) => "WRONG",
            None => transfer.why.as_deref().unwrap_or("not checked"),
        };
        let took = transfer
            .took_us
            .map_or(String::new(), |us| short(Duration::from_micros(us)));
        let _ = writeln!(
            out,
            "<tr><td>{}<td>{}<td class=\"n\">{}<td class=\"n\">{took}<td>{}</tr>",
            escape(&transfer.source),
            escape(&transfer.url),
            transfer.bytes,
            escape(hash),
        );
    }
    out.push_str("</table>\n");
    left_out(more, "report.json", out);
}

/// Says how many rows a table would have had more.
fn left_out(more: usize, file: &str, out: &mut String) {
    if more > 0 {
        let _ = writeln!(
            out,
            "<p>... and {more} more rows, in <code>{file}</code>.</p>"
        );
    }
}

fn counters(report: &Report, out: &mut String) {
    let refused = report
        .counters
        .get("refused")
        .and_then(serde_json::Value::as_object);
    let Some(refused) = refused.filter(|r| !r.is_empty()) else {
        return;
    };
    out.push_str(
        "<h2>Packets refused by the gateway</h2>\n<table><tr><th>reason<th>packets</tr>\n",
    );
    for (reason, count) in refused {
        let _ = writeln!(
            out,
            "<tr><td>{}<td class=\"n\">{count}</tr>",
            escape(reason)
        );
    }
    out.push_str("</table>\n");
}

const fn verdict(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Pass => ("pass", "PASS"),
        Verdict::Fail => ("fail", "FAIL"),
        Verdict::Inconclusive => ("inconclusive", "INCONCLUSIVE"),
    }
}

/// Text as HTML.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_stays_text() {
        let text = escape("<b onclick='x'>\"&");
        assert_eq!(text, "&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;");
    }
}
