//! What was measured, as a table and as JSON.

use std::fs;
use std::io::{IsTerminal as _, Write as _};

use serde_json::{Value, json};

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub(in crate::cli) const fn float(n: u64) -> f64 {
    n as f64
}

/// What a measurement does now, for whoever waits at a terminal.
pub(in crate::cli) fn say(name: &str, what: impl core::fmt::Display) {
    let mut err = std::io::stderr();
    if err.is_terminal() {
        let _ = writeln!(err, "{name}: {what}");
    }
}

/// One thing that was measured several times.
pub(in crate::cli) struct Row {
    what: &'static str,
    unit: &'static str,
    values: Vec<f64>,
}

impl Row {
    pub(in crate::cli) const fn new(
        what: &'static str,
        unit: &'static str,
        values: Vec<f64>,
    ) -> Self {
        Self { what, unit, values }
    }

    /// Median, least and most.
    fn summary(&self) -> (f64, f64, f64) {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |place: usize| sorted.get(place).copied().unwrap_or(f64::NAN);
        (
            at(sorted.len() / 2),
            at(0),
            at(sorted.len().saturating_sub(1)),
        )
    }
}

/// A number as people read it: three figures or so, thousands apart.
fn number(value: f64) -> String {
    if value.abs() < 10.0 {
        return format!("{value:.3}");
    }
    if value.abs() < 1_000.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The machine, as the system names it.
pub(in crate::cli) fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let field = |name: &str| {
        let line = cpu.lines().find_map(|l| l.strip_prefix(name))?;
        Some(line.trim_start_matches([' ', '\t', ':']).to_owned())
    };
    let cores = cpu.lines().filter(|l| l.starts_with("processor")).count();
    let kernel = read("/proc/sys/kernel/osrelease");
    format!(
        "{}, family {} model {}, {cores} cores, Linux {}",
        field("model name").unwrap_or_else(|| "unknown processor".to_owned()),
        field("cpu family").unwrap_or_default(),
        field("model\t").unwrap_or_default(),
        kernel.trim(),
    )
}

pub(in crate::cli) fn text(rows: &[Row], notes: &[String]) -> String {
    let mut cells = vec![
        ["measured", "unit", "median", "least", "most", "runs"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for row in rows {
        let (median, least, most) = row.summary();
        cells.push(vec![
            row.what.to_owned(),
            row.unit.to_owned(),
            number(median),
            number(least),
            number(most),
            row.values.len().to_string(),
        ]);
    }
    let mut out = format!("{}\n\n", machine());
    out.push_str(&crate::cli::client::table(&cells));
    for note in notes {
        out.push_str(note);
        out.push('\n');
    }
    out
}

pub(in crate::cli) fn json(rows: &[Row], notes: &[String]) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let (median, least, most) = row.summary();
            json!({
                "measured": row.what, "unit": row.unit, "median": median,
                "least": least, "most": most, "values": row.values,
            })
        })
        .collect();
    json!({ "machine": machine(), "rows": rows, "notes": notes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_show_the_median_of_their_runs() {
        let row = Row::new("answers", "1/s", vec![3.0, 1.0, 1_234_567.0, 2.0, 5.0]);
        assert_eq!(row.summary(), (3.0, 1.0, 1_234_567.0));
        let text = text(&[row], &[]);
        assert!(
            text.contains("1,234,567") && text.contains("3.000"),
            "{text}"
        );
    }
}
