//! What each kind of step and figure does, in small labs.

use core::time::Duration;

use heiiki_types::{Key128, Protections};

use super::wrong;
use crate::lab::{Builder, Lab};
use crate::observe::Verdict;
use crate::plan::{
    Action, Assert, AttachExpect, Cause, Destination, Expect, Figure, LinkName, LinkRule, NodeName,
    Op, Scenario, SimRef, Size, Step, Value, Verb, Via,
};
use crate::scenario::report::Evidence;
use crate::scenario::{Report, run};

const PC: SimRef = SimRef(0);
const TABLET: SimRef = SimRef(1);
const BOTH: [SimRef; 2] = [PC, TABLET];

fn office() -> Builder {
    Lab::builder()
        .tenant("acme", "10.20.0.0/16")
        .sim("pc", "acme")
        .sim("tablet", "acme")
}

fn scenario(lab: &Lab, actions: Vec<Action>, asserts: Vec<(Figure, Value)>) -> Scenario {
    let step = |(line, action)| Step {
        line,
        title: None,
        at: Duration::ZERO,
        within: Duration::from_secs(30),
        action,
    };
    Scenario {
        name: "small".to_owned(),
        title: "A small scenario".to_owned(),
        about: String::new(),
        seed: 1,
        size: Size::Ci,
        lab: lab.plan().clone(),
        steps: (1..).zip(actions).map(step).collect(),
        asserts: asserts
            .into_iter()
            .map(|(figure, value)| equal(figure, value))
            .collect(),
        protections: Protections::ALL,
        weakened: Vec::new(),
    }
}

fn equal(figure: Figure, value: Value) -> Assert {
    let name = format!("{figure:?}");
    Assert {
        line: 0,
        name,
        figure,
        op: Op::Equal,
        value,
        control: false,
    }
}

fn play(builder: Builder, actions: Vec<Action>, asserts: Vec<(Figure, Value)>) -> Report {
    let mut lab = builder.build().unwrap();
    let scenario = scenario(&lab, actions, asserts);
    run(&scenario, &mut lab, &mut ())
}

fn attach() -> Action {
    attach_of(&BOTH, AttachExpect::Accepted)
}

fn attach_of(ues: &[SimRef], expect: AttachExpect) -> Action {
    Action::Attach {
        ues: ues.to_vec(),
        apn: None,
        spread: Duration::ZERO,
        expect,
    }
}

fn operate(verb: Verb) -> Action {
    let (reason, actor) = ("a test".to_owned(), "tester".to_owned());
    Action::Operate {
        ues: vec![PC],
        verb,
        reason,
        actor,
    }
}

fn page(ue: SimRef, expect: Expect) -> Action {
    Action::HttpGet {
        ues: vec![ue],
        host: Destination::Intranet,
        path: "/".to_owned(),
        expect,
    }
}

fn probe(ue: SimRef, to: Destination, over: Via, expect: Expect) -> Action {
    Action::Probe {
        ues: vec![ue],
        to: vec![to],
        over: vec![over],
        expect,
    }
}

fn count(n: u64) -> Value {
    Value::Count(n)
}

#[test]
fn pings_count_one_by_one_and_a_neighbour_is_refused() {
    let ping = |to, count, expect| Action::Ping {
        ues: BOTH.to_vec(),
        to,
        count,
        expect,
    };
    let actions = vec![
        attach(),
        ping(Destination::Intranet, 3, Expect::Answered),
        ping(Destination::Neighbour, 2, Expect::Refused),
        Action::Expect(equal(
            Figure::Attached {
                tenant: Some("acme".to_owned()),
            },
            count(2),
        )),
    ];
    let reason = Some("ue_to_ue".to_owned());
    let asserts = vec![
        (
            Figure::ProbesAnswered {
                ues: Some(vec![PC]),
                to: Some(Destination::Intranet),
            },
            count(3),
        ),
        (
            Figure::ProbesAnswered {
                ues: None,
                to: None,
            },
            count(6),
        ),
        (
            Figure::ProbesRefused {
                ues: None,
                to: Some(Destination::Neighbour),
            },
            count(4),
        ),
        (Figure::ProbesUnexplained, count(0)),
        (
            Figure::Drops {
                reason: reason.clone(),
                tenant: None,
            },
            count(4),
        ),
        (
            Figure::Drops {
                reason,
                tenant: Some("acme".to_owned()),
            },
            count(4),
        ),
        (
            Figure::Drops {
                reason: Some("spoofed_source".to_owned()),
                tenant: None,
            },
            count(0),
        ),
    ];
    let report = play(office(), actions, asserts);
    assert_eq!(report.verdict, Verdict::Pass, "{:?}", wrong(&report));
    // The pings go out together, one round a second.
    assert!(report.steps[1].took >= Duration::from_secs(2));
    assert!(report.steps[1].took < Duration::from_secs(3));
}

#[test]
fn refusals_are_counted_with_their_causes() {
    let builder = office().with_sim(|sim| sim.card.k = Some(Key128::new([1; 16])));
    let mac_failure = AttachExpect::Rejected {
        cause: Some(Cause::Emm(20)),
        protected: None,
    };
    let again = Action::Reattach {
        ues: vec![PC],
        times: 3,
        expect: AttachExpect::Accepted,
    };
    let actions = vec![
        attach_of(&[PC], AttachExpect::Accepted),
        attach_of(&[TABLET], mac_failure),
        again,
    ];
    let asserts = vec![
        (
            Figure::AttachRejects {
                ues: Some(vec![TABLET]),
            },
            count(1),
        ),
        (
            Figure::AttachRejects {
                ues: Some(vec![PC]),
            },
            count(0),
        ),
        (
            Figure::RejectCause { ue: TABLET },
            Value::Cause(Cause::Emm(20)),
        ),
        (Figure::RejectProtected { ue: TABLET }, Value::Flag(false)),
        (Figure::Attached { tenant: None }, count(1)),
    ];
    let report = play(builder, actions, asserts);
    assert_eq!(report.verdict, Verdict::Pass, "{:?}", wrong(&report));
    assert!(
        report.steps[2].detail.starts_with("3/3 attached"),
        "{}",
        report.steps[2].detail
    );
}

#[test]
fn an_outcome_that_was_not_wanted_fails_and_says_so() {
    let rejected = AttachExpect::Rejected {
        cause: None,
        protected: None,
    };
    let actions = vec![
        attach_of(&[PC], rejected),
        page(PC, Expect::Refused),
        probe(PC, Destination::Intranet, Via::Icmp, Expect::Refused),
        probe(PC, Destination::Outside, Via::Tcp(443), Expect::Answered),
    ];
    let report = play(office(), actions, Vec::new());
    assert_eq!(report.verdict, Verdict::Fail);
    let faults: Vec<usize> = report.steps.iter().map(|s| s.faults.len()).collect();
    assert_eq!(faults, [1, 1, 1, 4], "{:?}", wrong(&report));
    assert!(
        report.steps[2].faults[0].starts_with("pc reached intranet"),
        "{:?}",
        wrong(&report)
    );
}

#[test]
fn a_probe_that_was_never_sent_proves_nothing() {
    let actions = vec![
        attach_of(&[PC], AttachExpect::Accepted),
        probe(TABLET, Destination::Outside, Via::Icmp, Expect::Refused),
        probe(PC, Destination::Neighbour, Via::Icmp, Expect::Refused),
    ];
    let asserts = vec![(
        Figure::ProbesRefused {
            ues: None,
            to: None,
        },
        count(0),
    )];
    let report = play(office(), actions, asserts);
    assert_eq!(
        report.verdict,
        Verdict::Inconclusive,
        "{:?}",
        wrong(&report)
    );
    assert_eq!(report.unproved.len(), 5, "{:?}", report.unproved);
}

#[test]
fn a_figure_that_nobody_saw_is_inconclusive() {
    let wanted = Value::Time(Duration::ZERO);
    let report = play(
        office(),
        vec![attach()],
        vec![(Figure::ProbeTimeToCut { ue: PC }, wanted)],
    );
    assert_eq!(report.verdict, Verdict::Inconclusive);
    assert_eq!(report.asserts[0].seen, "there was no cut");
}

#[test]
fn a_cut_without_a_session_and_its_probes_are_explained() {
    let actions = vec![
        attach(),
        operate(Verb::Pause),
        Action::Wait {
            time: Duration::from_secs(1),
        },
        probe(PC, Destination::Intranet, Via::Icmp, Expect::Refused),
        page(PC, Expect::Refused),
        operate(Verb::Resume),
        Action::Reattach {
            ues: vec![PC],
            times: 1,
            expect: AttachExpect::Accepted,
        },
        operate(Verb::Terminate),
    ];
    let asserts = vec![
        (Figure::ProbesUnexplained, count(0)),
        (
            Figure::ProbesRefused {
                ues: Some(vec![PC]),
                to: None,
            },
            count(1),
        ),
        (Figure::PacketsAfterCut { ue: PC }, count(0)),
        (Figure::Attached { tenant: None }, count(1)),
    ];
    let report = play(office(), actions, asserts);
    assert_eq!(report.verdict, Verdict::Pass, "{:?}", wrong(&report));
    assert_eq!(report.probes[0].evidence, Some(Evidence::Cut));
    let verbs: Vec<&str> = report.cuts.iter().map(|c| c.verb.as_str()).collect();
    assert_eq!(verbs, ["pause", "terminate"]);
    assert!(
        report
            .cuts
            .iter()
            .all(|c| c.dark && c.clean && c.uplink.is_none())
    );
}

#[test]
fn a_session_that_the_operator_deletes_may_come_back() {
    let actions = vec![
        attach(),
        operate(Verb::DeleteSession),
        Action::Wait {
            time: Duration::from_secs(5),
        },
        Action::Reattach {
            ues: vec![PC],
            times: 1,
            expect: AttachExpect::Accepted,
        },
        page(PC, Expect::Answered),
        Action::Detach {
            ues: vec![TABLET],
            switch_off: false,
        },
    ];
    let asserts = vec![
        (Figure::Attached { tenant: None }, count(1)),
        (
            Figure::Address { ue: TABLET },
            Value::Address([10, 20, 128, 1].into()),
        ),
        (
            Figure::TransfersIntact {
                tenant: Some("acme".to_owned()),
            },
            count(1),
        ),
        (Figure::TransfersCorrupt, count(0)),
        (
            Figure::Events {
                event: "delete_ordered".to_owned(),
            },
            count(1),
        ),
    ];
    let report = play(office(), actions, asserts);
    assert_eq!(wrong(&report).len(), 1, "{:?}", wrong(&report));
    assert!(
        wrong(&report)[0].contains("no address"),
        "{:?}",
        wrong(&report)
    );
    assert!(
        report.steps[1].detail.starts_with("1 sessions"),
        "{}",
        report.steps[1].detail
    );
}

#[test]
fn nodes_and_links_break_and_heal() {
    let link = |rule| Action::Link {
        link: LinkName::S5u,
        rule,
    };
    let wait = || Action::Wait {
        time: Duration::from_secs(2),
    };
    let ping = |expect| probe(PC, Destination::Intranet, Via::Icmp, expect);
    let actions = vec![
        attach(),
        link(LinkRule::Partition),
        ping(Expect::Refused),
        link(LinkRule::Heal),
        ping(Expect::Answered),
        Action::Crash(NodeName::Pgw),
        ping(Expect::Refused),
        Action::Restart(NodeName::Pgw),
        wait(),
        ping(Expect::Answered),
    ];
    // What the network lost on the way was not refused by anybody.
    let asserts = vec![(Figure::ProbesUnexplained, count(2))];
    let report = play(office(), actions, asserts);
    assert_eq!(report.verdict, Verdict::Pass, "{:?}", wrong(&report));
}
