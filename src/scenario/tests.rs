//! Scenarios in virtual time.

use std::path::Path;

use super::{Report, Terminal, run, write_evidence};
use crate::file::load_scenario;
use crate::lab::{Lab, virtual_lab};
use crate::observe::{EventLog, Style, Verdict};
use crate::plan::{Egress, Scenario, Size};

const DELAY: core::time::Duration = core::time::Duration::from_millis(2);

fn lost_sim() -> Scenario {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    load_scenario(&root.join("fixtures/scenarios/lost-sim.toml"), Size::Ci).unwrap()
}

fn lab(scenario: &Scenario, seed: u64) -> Lab {
    let plan = scenario.lab.clone();
    virtual_lab(plan, scenario.protections, seed, DELAY, |_| {}).unwrap()
}

fn play(scenario: &Scenario) -> Report {
    run(scenario, &mut lab(scenario, scenario.seed), &mut ())
}

#[test]
fn the_lost_sim_goes_dark_and_comes_back() {
    let scenario = lost_sim();
    let mut lab = lab(&scenario, 1);
    let mut terminal = Terminal::new(Vec::new(), Style::PLAIN, false);
    let report = run(&scenario, &mut lab, &mut terminal);
    terminal.conclude(&report, Path::new("out"));
    let text = String::from_utf8(terminal.into_inner()).unwrap();
    write_evidence(&report, lab.log(), Path::new("/tmp/t/evidence")).unwrap();
    assert_eq!(report.verdict, Verdict::Pass, "{text}");
    std::fs::write("/tmp/t/terminal.txt", text).unwrap();
}
