//! The verbs beyond a single cut, and the HSS and the gateway being of one mind after a loss.

use core::net::Ipv4Addr;

use heiiki::lab::{AdminOf, AttachError};
use heiiki::plan::NodeName;
use heiiki::world::Verdict;
use heiiki::{Lab, Link};
use heiiki_types::Method;
use serde_json::{Value, json};

use crate::prelude::*;

/// The host that isolated SIMs still reach.
const CLINIC: Ipv4Addr = Ipv4Addr::new(10, 20, 9, 10);

fn with_clinic() -> Lab {
    let builder = acme().sim("pc-1", "acme").with_tenant(|tenant| {
        tenant.quarantine_prefixes = vec!["10.20.9.0/24".parse().unwrap()];
        let mut clinic = tenant.hosts[0].clone();
        clinic.name = "clinic".into();
        clinic.address = CLINIC.into();
        tenant.hosts.push(clinic);
    });
    builder.build().unwrap()
}

/// Whether the intranet and the clinic answer.
fn reached(lab: &mut Lab) -> (bool, bool) {
    let [intranet, clinic] = [INTRANET, CLINIC].map(|to| lab.ping("pc-1", to).is_answered());
    (intranet, clinic)
}

fn post(lab: &mut Lab, target: &str, body: &Value) -> Value {
    let answer = lab.admin(AdminOf::Hss, Method::Post, target, &body.to_string());
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!((200..300).contains(&answer.status), "{target}: {text}");
    serde_json::from_str(&text).unwrap()
}

fn get(lab: &mut Lab, target: &str) -> Value {
    let answer = lab.admin(AdminOf::Hss, Method::Get, target, "");
    assert_eq!(answer.status, 200, "{target}");
    serde_json::from_slice(&answer.body).unwrap()
}

/// Loses the disk of a node, or sets it back to a backup.
fn set_back(lab: &mut Lab, node: NodeName, backup: Option<Vec<u8>>) {
    lab.crash(node).unwrap();
    lab.world().restore_disk(node, backup);
    lab.restart(node).unwrap();
}

/// Goal: an isolated SIM keeps its session and reaches the quarantine only, wherever it attaches
/// anew. Method: isolate; attach again; kill the gateway; kill the HSS; lose the gateway's journal;
/// release.
#[test]
fn isolation_survives_an_attach_a_restart_and_a_lost_journal() {
    let mut lab = with_clinic();
    lab.attach("pc-1").unwrap();
    assert_eq!(reached(&mut lab), (true, true));
    let address = sessions(&mut lab, "pc-1");
    let cut = lab.isolate("pc-1", "odd traffic").unwrap();
    assert_eq!(
        (cut.verdict.as_str(), cut.to.as_str()),
        ("isolated", "active")
    );
    assert_eq!(sessions(&mut lab, "pc-1"), address, "the session stays");
    assert_eq!(reached(&mut lab), (false, true));
    assert!(refused(&mut lab, "isolated") > 0);
    lab.attach("pc-1").unwrap();
    assert_eq!(reached(&mut lab), (false, true), "after another attach");
    lab.crash(NodeName::Pgw).unwrap();
    lab.restart(NodeName::Pgw).unwrap();
    lab.run_for(s(2));
    assert_eq!(
        reached(&mut lab),
        (false, true),
        "after the gateway's restart"
    );
    lab.crash(NodeName::Hss).unwrap();
    lab.restart(NodeName::Hss).unwrap();
    lab.run_for(s(10));
    attach_patiently(&mut lab, "pc-1").unwrap();
    assert_eq!(
        reached(&mut lab),
        (false, true),
        "after the restart of the HSS"
    );
    set_back(&mut lab, NodeName::Pgw, None);
    lab.run_for(s(15));
    attach_patiently(&mut lab, "pc-1").unwrap();
    assert_eq!(
        reached(&mut lab),
        (false, true),
        "after the loss of the journal"
    );
    assert_eq!(lab.release("pc-1", "cleaned").unwrap().verdict, "lifted");
    assert_eq!(reached(&mut lab), (true, true));
}

/// Goal: the test above can fail. Method: the protection is off, or the tenant has no quarantine.
#[test]
fn isolation_is_a_protection_and_nothing_is_reachable_by_default() {
    let builder = acme().sim("pc-1", "acme");
    let mut lab = builder.weaken(|p| p.isolation = false).build().unwrap();
    lab.attach("pc-1").unwrap();
    lab.isolate("pc-1", "odd traffic").unwrap();
    assert!(lab.ping("pc-1", INTRANET).is_answered(), "weakened");
    assert_eq!(
        lab.audit().unwrap()["closed"],
        false,
        "and the audit says so"
    );

    let mut lab = one_pc();
    lab.attach("pc-1").unwrap();
    lab.isolate("pc-1", "odd traffic").unwrap();
    assert!(!lab.ping("pc-1", INTRANET).is_answered());
    assert_eq!(lab.audit().unwrap()["closed"], true);
}

/// Goal: delete-session ends the session and nothing else. Method: the UE comes back at once.
#[test]
fn a_deleted_session_may_come_back() {
    let mut lab = one_pc();
    lab.attach("pc-1").unwrap();
    let cut = lab.delete_session("pc-1", "stuck").unwrap();
    assert_eq!((cut.verdict.as_str(), cut.to.as_str()), ("ended", "active"));
    lab.run_for(s(30));
    assert!(!is_barred(&mut lab, "pc-1"));
    attach_patiently(&mut lab, "pc-1").unwrap();
    assert_works(&mut lab, "pc-1", "after a deleted session");
}

/// Goal: a gateway that lost its journal bars again what was barred. Method: suspend; the gateway
/// comes back with an empty disk; nobody says anything to the HSS.
#[test]
fn a_gateway_that_lost_its_journal_is_barred_again() {
    let mut lab = one_pc();
    lab.attach("pc-1").unwrap();
    lab.suspend("pc-1", "stolen").unwrap();
    set_back(&mut lab, NodeName::Pgw, None);
    assert!(!is_barred(&mut lab, "pc-1"), "the journal is lost");
    lab.run_for(s(15));
    assert_dark(&mut lab, "pc-1", "after the loss of the journal");
}

/// Goal: an HSS from a backup cuts although the gateway has seen later orders. Method: a backup;
/// orders and restarts after it; the backup comes back; suspend.
#[test]
fn an_hss_from_a_backup_cuts_all_the_same() {
    let mut lab = one_pc();
    lab.attach("pc-1").unwrap();
    let backup = lab.world().backup(NodeName::Hss);
    for _ in 0..3 {
        lab.crash(NodeName::Hss).unwrap();
        lab.restart(NodeName::Hss).unwrap();
        lab.run_for(s(5));
    }
    lab.suspend("pc-1", "lost").unwrap();
    lab.resume("pc-1", "found").unwrap();
    set_back(&mut lab, NodeName::Hss, Some(backup));
    lab.run_for(s(10));
    attach_patiently(&mut lab, "pc-1").unwrap();
    // A backup counts once: restored again, it would jump to numbers that were used after the first
    // time.
    let backup = lab.world().backup(NodeName::Hss);
    let cut = lab.suspend("pc-1", "stolen").unwrap();
    assert!(cut.dark, "{cut:?}");
    lab.run_for(s(5));
    assert_dark(&mut lab, "pc-1", "cut by the HSS from the backup");
    // Once more from before the cut: what the gateway bars, the HSS takes up.
    set_back(&mut lab, NodeName::Hss, Some(backup));
    lab.run_for(s(15));
    assert_eq!(row(&mut lab, "pc-1")["state"], "suspended");
    assert_dark(&mut lab, "pc-1", "with an HSS that knew of no cut");
    lab.resume("pc-1", "found").unwrap();
    attach_patiently(&mut lab, "pc-1").unwrap();
    assert_works(&mut lab, "pc-1", "after the resume");
}

/// Goal: a suspension for a time ends by itself, also when the HSS was down meanwhile, and says who
/// ended it; one without a time does not end. Method: virtual hours.
#[test]
fn a_suspension_for_an_hour_ends_over_a_restart() {
    let builder = acme().sims("pc", 2, "acme");
    let mut lab = builder.build().unwrap();
    lab.attach("pc-1").unwrap();
    let target = format!("/v1/subscribers/{}/suspend", lab.imsi("pc-1"));
    let body = json!({"reason": "mislaid", "actor": "desk", "for_seconds": 3_600});
    post(&mut lab, &target, &body);
    lab.suspend("pc-2", "stolen").unwrap();
    lab.run_for(s(3_500));
    assert_eq!(row(&mut lab, "pc-1")["state"], "suspended");
    lab.crash(NodeName::Hss).unwrap();
    lab.run_for(s(60));
    lab.restart(NodeName::Hss).unwrap();
    lab.run_for(s(20));
    assert_dark(&mut lab, "pc-1", "before its end");
    lab.run_for(s(30));
    assert_eq!(row(&mut lab, "pc-1")["state"], "active");
    let target = format!("/v1/subscribers/{}/history", lab.imsi("pc-1"));
    let history = get(&mut lab, &target);
    let newest = &history["history"][0];
    assert_eq!(
        (&newest["verb"], &newest["who"]),
        (&json!("resume"), &json!("expiry"))
    );
    attach_patiently(&mut lab, "pc-1").unwrap();
    assert_works(&mut lab, "pc-1", "when it has ended");
    lab.run_for(s(7_200));
    assert_eq!(row(&mut lab, "pc-2")["state"], "suspended");
}

/// Goal: one order cuts very many SIMs, all bars first. Method: 2,000 SIMs, some of them attached;
/// every one is barred before the first MME hears, and all are dark.
#[test]
fn a_bulk_of_two_thousand_goes_dark() {
    let mut lab = acme().sims("pc", 2_000, "acme").build().unwrap();
    for n in 1..=20 {
        lab.attach(&format!("pc-{n}")).unwrap();
    }
    let names = record(&mut lab, Link::S6a);
    let body = json!({"verb": "suspend", "reason": "stolen pallet", "actor": "depot",
        "tenant": "acme"});
    let order = post(&mut lab, "/v1/bulk", &body);
    assert_eq!(order["counts"]["total"], 2_000);
    let target = format!("/v1/bulk/{}?limit=1", order["bulk"].as_str().unwrap());
    let mut shown = Value::Null;
    for _ in 0..100 {
        lab.run_for(ms(200));
        shown = get(&mut lab, &target);
        let counts = &shown["counts"];
        let put = counts["dark"].as_u64().unwrap() + counts["done"].as_u64().unwrap();
        let told = names
            .lock()
            .unwrap()
            .iter()
            .any(|n| n.starts_with("Cancel-Location"));
        assert!(!told || put == 2_000 || shown["given"] == true, "{shown}");
        if shown["finished"] == true {
            break;
        }
    }
    assert_eq!(
        (&shown["finished"], &shown["counts"]["done"]),
        (&json!(true), &json!(2_000))
    );
    for sim in ["pc-1", "pc-20"] {
        assert!(is_dark(&mut lab, sim), "{sim}");
    }
    assert_eq!(lab.sessions().unwrap()["total"], 0);
}

fn is_dark(lab: &mut Lab, sim: &str) -> bool {
    !lab.ping(sim, INTRANET).is_answered() && sessions(lab, sim).is_empty()
}

/// Goal: whatever message of an isolation, an emergency cut or their end is lost, doubled or late,
/// the HSS and the gateway end up of one mind. Method: each message on the link between them, and
/// on S6a, struck in turn.
#[test]
fn every_message_of_the_other_orders_may_be_struck() {
    let mut struck = 0;
    for verdict in [
        Verdict::Drop,
        Verdict::Duplicate(s(3)),
        Verdict::Delay(s(3)),
    ] {
        for link in [Link::Admin, Link::S6a] {
            for place in 0..4 {
                let what = format!("{verdict:?} of message {place} on {link}");
                let mut lab = with_clinic();
                lab.attach("pc-1").unwrap();
                strike(&mut lab, link, place, verdict);
                let _ = lab.isolate("pc-1", "odd traffic");
                lab.run_for(s(60));
                assert_eq!(reached(&mut lab), (false, true), "{what}: isolated");
                let _ = lab.emergency_cut("pc-1", "stolen");
                lab.run_for(s(60));
                assert_eq!(row(&mut lab, "pc-1")["state"], "suspended", "{what}");
                assert_dark(&mut lab, "pc-1", &what);
                strike(&mut lab, link, place, verdict);
                let _ = lab.resume("pc-1", "found");
                let _ = lab.release("pc-1", "clean");
                lab.run_for(s(60));
                attach_patiently(&mut lab, "pc-1").unwrap_or_else(|e| panic!("{what}: {e}"));
                assert_eq!(reached(&mut lab), (true, true), "{what}: released");
                let faults = lab.log().iter().filter(|e| {
                    use heiiki::log::{LabEvent, NodeEvent};
                    matches!(e.event, NodeEvent::Lab(LabEvent::LinkFault { .. }))
                });
                struck += faults.count();
            }
        }
    }
    assert!(struck >= 20, "{struck} messages struck");
}

/// Goal: a barred SIM stays refused at the gateway by cause 89 whichever request it comes with.
/// Method: the MME that kept the UE asks for a session without asking the HSS.
#[test]
fn a_paused_or_terminated_sim_is_refused_as_its_state_says() {
    let mut lab = one_pc();
    lab.attach("pc-1").unwrap();
    assert!(lab.terminate("pc-1", "contract ended").unwrap().dark);
    lab.run_for(s(5));
    let refused = lab.attach("pc-1").unwrap_err();
    assert!(
        matches!(
            refused,
            AttachError::Rejected {
                cause: 8,
                protected: false,
                ..
            }
        ),
        "{refused}"
    );
    assert!(lab.isolate("pc-1", "too late").is_err());
}
