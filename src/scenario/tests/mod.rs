//! Scenarios in virtual time.

mod lost_sim;
mod steps;

use super::Report;
use crate::observe::Verdict;

/// What is wrong with a run, for the message of a failed test.
fn wrong(report: &Report) -> Vec<String> {
    let steps = report.steps.iter().flat_map(|s| &s.faults).cloned();
    let asserts = report.asserts.iter().filter(|a| a.verdict != Verdict::Pass);
    let asserts = asserts.map(|a| format!("{}: {}, wanted {}", a.name, a.seen, a.wanted));
    steps
        .chain(asserts)
        .chain(report.unproved.iter().cloned())
        .collect()
}
