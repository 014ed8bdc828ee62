//! Coming and going of a genuine SIM.

use heiiki::lab::{AttachError, Unreached};
use heiiki_pgw::{EndReason, Event as PgwEvent};
use heiiki_ue_sim::{Event as UeEvent, Restriction, UeCommand};

use crate::prelude::*;

/// Goal: a SIM reaches its intranet. Method: attach, a page by name, a file of a million octets.
#[test]
fn a_sim_attaches_and_gets_a_page_and_a_file() {
    let mut lab = one_pc();
    let session = lab.attach("pc-1").unwrap();
    assert_eq!(session.apn.to_string(), "acme");
    assert_eq!(session.dns, [INTRANET]);
    assert_eq!(sessions(&mut lab, "pc-1"), [session.ip]);
    let page = lab.get("pc-1", "http://intranet/").unwrap();
    assert_eq!(page.status, 200);
    let text = String::from_utf8(page.body).unwrap();
    assert!(text.contains("acme"), "{text}");
    let file = lab
        .get("pc-1", "http://intranet/file?size=1000000")
        .unwrap();
    assert_eq!((file.status, file.bytes), (200, 1_000_000));
    let again = lab
        .get("pc-1", "http://10.20.0.10/file?size=1000000")
        .unwrap();
    assert_eq!(again.sha256, file.sha256);
}

/// Goal: a detach leaves nothing behind. Method: both kinds of detach; sessions, pages and the
/// reason at the gateway.
#[test]
fn a_detach_leaves_nothing_behind() {
    for switch_off in [false, true] {
        let mut lab = one_pc();
        lab.attach("pc-1").unwrap();
        assert!(lab.detach("pc-1", switch_off));
        lab.run_for(s(1));
        assert_eq!(sessions(&mut lab, "pc-1").len(), 0);
        let page = lab.get("pc-1", "http://10.20.0.10/");
        assert!(matches!(page, Err(Unreached::Outcome(_))), "{page:?}");
        let ended = pgw(&lab).any(|e| {
            matches!(
                e,
                PgwEvent::SessionEnded {
                    reason: EndReason::Deleted,
                    ..
                }
            )
        });
        assert!(ended);
    }
}

/// Goal: a phone whose battery was pulled gets one new session, not a second one. Method: attach,
/// power off without a word, attach.
#[test]
fn an_attach_replaces_the_session_of_a_phone_that_lost_power() {
    let mut lab = one_pc();
    let first = lab.attach("pc-1").unwrap();
    let second = lab.attach("pc-1").unwrap();
    assert_ne!(first.ip, second.ip, "the old address rests");
    assert_eq!(sessions(&mut lab, "pc-1"), [second.ip]);
    assert_works(&mut lab, "pc-1", "after the second attach");
}

/// Goal: the HSS looks again at a UE that left. Method: attach, detach, attach without switching
/// off: the MME has told the HSS of the detach, and there is a new challenge.
#[test]
fn a_ue_that_left_is_looked_at_anew() {
    let mut lab = one_pc();
    lab.attach("pc-1").unwrap();
    lab.detach("pc-1", false);
    lab.run_for(s(1));
    assert_eq!(row(&mut lab, "pc-1")["location"]["purged"], true);
    lab.try_attach("pc-1").unwrap();
    assert_eq!(nas(&lab, "AUTHENTICATION REQUEST").len(), 2);
    assert_eq!(row(&mut lab, "pc-1")["location"]["purged"], false);
    assert_works(&mut lab, "pc-1", "second attach");
}

/// Goal: a UE that shows a GUTI is found by it, and one that lost it by its IMSI. Method: both, by
/// what the ATTACH REQUEST shows and whether the MME asks for the identity.
#[test]
fn a_ue_may_show_its_guti_or_its_imsi() {
    let mut lab = one_pc();
    lab.attach("pc-1").unwrap();
    lab.attach("pc-1").unwrap();
    lab.command("pc-1", UeCommand::PowerOff);
    lab.command("pc-1", UeCommand::ForgetGuti);
    lab.attach("pc-1").unwrap();
    let shown = ue(&lab, "pc-1").filter_map(|e| match e {
        UeEvent::AttachStarted { guti, .. } => Some(guti.is_some()),
        _ => None,
    });
    assert_eq!(shown.collect::<Vec<_>>(), [false, true, false]);
    assert_works(&mut lab, "pc-1", "at the end");
}

/// Goal: the intranet answers for its own names alone. Method: names of the segment, of the
/// Internet and of nobody.
#[test]
fn only_the_own_names_have_addresses() {
    let mut lab = one_pc();
    lab.attach("pc-1").unwrap();
    assert_eq!(lab.resolve("pc-1", "intranet"), Ok(vec![INTRANET]));
    for name in ["www.example.com", "intranet.example.com", "nobody"] {
        let answer = lab.resolve("pc-1", name);
        assert!(
            matches!(answer, Err(Unreached::NoSuchName { rcode: Some(3 | 5) })),
            "{name}: {answer:?}"
        );
    }
}

/// Goal: a command at the wrong moment changes nothing. Method: attach while off, and again while
/// attaching.
#[test]
fn an_attach_at_the_wrong_moment_is_not_started() {
    let mut lab = one_pc();
    lab.command("pc-1", UeCommand::PowerOff);
    let off = lab.try_attach("pc-1").unwrap_err();
    assert_eq!(off, AttachError::NotStarted(Restriction::SwitchedOff));
    lab.command("pc-1", UeCommand::PowerOn);
    lab.command("pc-1", UeCommand::Attach);
    lab.run_for(ms(10));
    let busy = lab.try_attach("pc-1").unwrap_err();
    assert_eq!(busy, AttachError::NotStarted(Restriction::Busy));
    lab.run_for(s(1));
    assert_eq!(nas(&lab, "ATTACH REQUEST").len(), 1);
    assert_works(&mut lab, "pc-1", "one attach");
}

/// Goal: a hundred SIMs attach at once and each gets its own address. Method: all attach in the
/// same instant over four eNBs and two workers.
#[test]
fn a_hundred_sims_attach_at_once() {
    let lab = acme().sims("pc", 100, "acme").with_network(|n| {
        n.enbs = 4;
        n.workers = 2;
    });
    let mut lab = lab.build().unwrap();
    let names: Vec<String> = lab.plan().sims.iter().map(|s| s.name.clone()).collect();
    for name in &names {
        lab.command(name, UeCommand::PowerOn);
        lab.command(name, UeCommand::Attach);
    }
    lab.run_for(s(10));
    let all = lab.sessions().unwrap();
    let addresses = all["sessions"].as_array().unwrap().iter();
    let mut addresses: Vec<_> = addresses.map(|v| v["address"].to_string()).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 100);
    for name in ["pc-1", "pc-50", "pc-100"] {
        assert_works(&mut lab, name, name);
    }
}
