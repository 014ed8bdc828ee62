//! The scenario of the lost SIM, with and without what it is about.

use std::path::Path;

use heiiki_types::Protections;

use super::wrong;
use crate::file::load_scenario;
use crate::lab::{Lab, virtual_lab};
use crate::observe::{EventLog, Style, Verdict};
use crate::plan::{Egress, Scenario, Size};
use crate::scenario::evidence::{write_events, write_matrix};
use crate::scenario::{Report, Terminal, html, run};

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
    assert_eq!(report.verdict, Verdict::Pass, "{text}");
    assert!(
        text.contains("11/11 attached") && text.contains("PASS  13 of 13"),
        "{text}"
    );
    assert!(text.contains("t6 is from the event of the MME"), "{text}");

    let cut = &report.cuts[0];
    assert!(cut.dark && cut.clean, "{cut:?}");
    assert!(cut.stamps.t8 > cut.stamps.t6);
    // Both directions were busy when the order came, and neither outlived it by an interval and a
    // way through the network.
    let (uplink, downlink) = (cut.uplink.unwrap(), cut.downlink.unwrap());
    assert!(uplink.passed > 100 && downlink.passed > 10);
    for view in [uplink, downlink] {
        let last = view.last_received_us.unwrap();
        assert!((-15_000..=15_000).contains(&last), "{view:?}");
    }
}

#[test]
fn one_seed_gives_one_log_and_another_seed_another() {
    let scenario = lost_sim();
    let log = |seed| {
        let mut lab = lab(&scenario, seed);
        let report = run(&scenario, &mut lab, &mut ());
        let (mut events, mut matrix) = (Vec::new(), Vec::new());
        write_events(&report, lab.log(), &mut EventLog::new(&mut events)).unwrap();
        write_matrix(&report, &mut matrix).unwrap();
        (
            String::from_utf8(events).unwrap(),
            matrix,
            html::page(&report),
        )
    };
    let one = log(1);
    assert_eq!(one, log(1));
    assert_ne!(one.0, log(2).0);
    let steps = one
        .0
        .lines()
        .filter(|l| l.contains(r#""event":"step""#))
        .count();
    assert_eq!(steps, scenario.steps.len());
    assert!(
        !one.0.contains(env!("CARGO_MANIFEST_DIR")) && !one.0.contains(env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn every_protection_that_the_scenario_is_about_is_missed_when_it_is_off() {
    type Off = fn(&mut Protections);
    let off: [(&str, Off); 6] = [
        ("tenant_isolation", |p| p.tenant_isolation = false),
        ("ue_isolation", |p| p.ue_isolation = false),
        ("infrastructure_deny", |p| p.infrastructure_deny = false),
        ("closed_egress", |p| p.closed_egress = false),
        ("bar", |p| p.bar = false),
        ("sim_state", |p| p.sim_state = false),
    ];
    for (name, switch_off) in off {
        let mut scenario = lost_sim();
        switch_off(&mut scenario.protections);
        let report = play(&scenario);
        assert_eq!(
            report.verdict,
            Verdict::Fail,
            "{name}: {:?}",
            wrong(&report)
        );
        let failed = report.asserts.iter().any(|a| a.verdict == Verdict::Fail);
        assert!(failed, "{name}: {:?}", wrong(&report));
    }
}

#[test]
fn a_control_that_fails_makes_the_run_inconclusive() {
    let mut scenario = lost_sim();
    for apn in &mut scenario.lab.apns {
        apn.egress = Egress::Closed;
    }
    let report = play(&scenario);
    assert_eq!(
        report.verdict,
        Verdict::Inconclusive,
        "{:?}",
        wrong(&report)
    );
    assert!(
        report
            .unproved
            .iter()
            .any(|why| why.starts_with("the control")),
        "{:?}",
        report.unproved
    );
}
