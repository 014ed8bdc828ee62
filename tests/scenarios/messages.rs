//! One message at a time: each message of an attach, a page and a detach lost, doubled and late.

use std::collections::BTreeSet;

use heiiki::log::{Entry, LabEvent, NodeEvent};
use heiiki::plan::NodeName;
use heiiki::world::Verdict;
use heiiki::{Lab, Link};

use crate::prelude::*;

/// The links whose messages are struck one by one.
const SIGNALLING: [Link; 3] = [Link::S1Nas, Link::S6a, Link::S5C];

fn lab() -> Lab {
    acme().sim("pc-1", "acme").build().unwrap()
}

/// The MME connects to the HSS; attach, page, detach.
fn a_day(lab: &mut Lab, what: &str) {
    lab.crash(NodeName::Hss).unwrap();
    lab.restart(NodeName::Hss).unwrap();
    lab.run_for(s(5));
    attach_patiently(lab, "pc-1").unwrap_or_else(|e| panic!("{what}: {e}"));
    page_patiently(lab, "pc-1", what);
    assert_works(lab, "pc-1", what);
    assert!(lab.detach("pc-1", false), "{what}: no detach");
    lab.run_for(s(30));
}

fn is_fault(entry: &Entry) -> bool {
    matches!(entry.event, NodeEvent::Lab(LabEvent::LinkFault { .. }))
}

/// The names of the messages of a good day on each signalling link.
fn good_day() -> Vec<(Link, Vec<String>)> {
    let record_one = |link| {
        let mut lab = lab();
        let names = record(&mut lab, link);
        a_day(&mut lab, "a good day");
        let names = names.lock().unwrap().clone();
        (link, names)
    };
    SIGNALLING.into_iter().map(record_one).collect()
}

/// Strikes every message of a good day in turn.
fn strike_each(fate: &str, verdict: Verdict) {
    for (link, names) in good_day() {
        for (place, name) in names.iter().enumerate() {
            let what = format!("{name} (message {place} on {link}) {fate}");
            let mut lab = lab();
            strike(&mut lab, link, place, verdict);
            a_day(&mut lab, &what);
            let struck = lab.log().iter().filter(|e| is_fault(e)).count();
            // A connection that is not made leaves no message behind.
            assert_eq!(struck, usize::from(!name.starts_with("Connect")), "{what}");
            assert_eq!(
                sessions(&mut lab, "pc-1").len(),
                0,
                "{what}: a session is left"
            );
            a_day(&mut lab, &format!("the day after {what}"));
            assert_eq!(sessions(&mut lab, "pc-1").len(), 0, "{what}");
        }
    }
}

/// Goal: the sweeps below strike every message that there is. Method: the names of a good day.
#[test]
fn a_good_day_has_every_message_of_the_procedures() {
    let expected: [(Link, &[&str]); 3] = [
        (
            Link::S1Nas,
            &[
                "ATTACH REQUEST",
                "AUTHENTICATION REQUEST",
                "AUTHENTICATION RESPONSE",
                "SECURITY MODE COMMAND",
                "InitialContextSetupRequest",
                "InitialContextSetupResponse",
                "UplinkNASTransport",
                "UEContextReleaseCommand",
                "UEContextReleaseComplete",
            ],
        ),
        (
            Link::S6a,
            &[
                "Connect",
                "Capabilities-Exchange Request",
                "Capabilities-Exchange Answer",
                "Authentication-Information Request",
                "Authentication-Information Answer",
                "Update-Location Request",
                "Update-Location Answer",
                "Purge-UE Request",
                "Purge-UE Answer",
            ],
        ),
        (
            Link::S5C,
            &[
                "Create Session Request",
                "Create Session Response",
                "Delete Session Request",
                "Delete Session Response",
            ],
        ),
    ];
    for ((link, names), (_, expected)) in good_day().into_iter().zip(expected) {
        let seen: BTreeSet<String> = names.into_iter().collect();
        for wanted in expected {
            let known = seen.iter().any(|name| name.contains(wanted));
            assert!(known, "{wanted} is not among {seen:?} on {link}");
        }
    }
}

/// Goal: every message may be lost. Method: a lab for each message in which it is dropped: the SIM
/// attaches, gets its page and leaves, and does so again the next day.
#[test]
fn every_message_may_be_lost() {
    strike_each("lost", Verdict::Drop);
}

/// Goal: every message may come twice. Method: the same with a copy at once and after a second.
#[test]
fn every_message_may_come_twice() {
    strike_each("doubled", Verdict::Duplicate(ms(1)));
    strike_each("doubled a second later", Verdict::Duplicate(s(1)));
}

/// Goal: every message may be late. Method: the same with a delay of 4 s, which is longer than T3
/// of GTP and shorter than T3460.
#[test]
fn every_message_may_be_late() {
    strike_each("late", Verdict::Delay(s(4)));
}

/// Goal: every message of a cut may be lost, and the SIM is dark all the same. Method: each message
/// on each link from the order on, dropped in turn; links to the operator too.
#[test]
fn every_message_of_a_cut_may_be_lost() {
    let mut struck = 0;
    for link in [Link::S1Nas, Link::S6a, Link::S5C, Link::Admin] {
        for place in 0..6 {
            let what = format!("message {place} on {link} lost during a cut");
            let mut lab = lab();
            lab.attach("pc-1").unwrap();
            strike(&mut lab, link, place, Verdict::Drop);
            let cut = lab.suspend("pc-1", "stolen").unwrap();
            let cut = lab.follow(cut, s(60), |c| c.dark).unwrap();
            assert!(cut.dark, "{what}: {cut:?}");
            lab.run_for(s(120));
            assert_dark(&mut lab, "pc-1", &what);
            struck += lab.log().iter().filter(|e| is_fault(e)).count();
            assert!(lab.attach("pc-1").is_err(), "{what}");
            assert_dark(&mut lab, "pc-1", &what);
        }
    }
    assert!(struck >= 8, "{struck} messages struck");
}
