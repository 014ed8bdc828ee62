//! Nodes that are killed and come back with what their disk holds.

use heiiki::Lab;
use heiiki::plan::NodeName::{self, Hss, Mme, Pgw};
use heiiki_pgw::{EndReason, Event as PgwEvent};
use heiiki_ue_sim::UeCommand;

use crate::prelude::*;

fn bounce(lab: &mut Lab, node: NodeName, down: core::time::Duration) {
    lab.crash(node).unwrap();
    lab.run_for(down);
    lab.restart(node).unwrap();
}

/// The restart counter and the restored sessions of each start of the gateway.
fn starts(lab: &Lab) -> Vec<(u8, u32, u32)> {
    let seen = pgw(lab).filter_map(|e| match e {
        PgwEvent::Started {
            restart_counter,
            restored,
            bars,
        } => Some((*restart_counter, *restored, *bars)),
        _ => None,
    });
    seen.collect()
}

/// Goal: the gateway survives being killed. Method: three sessions; after the restart each UE has
/// its address, its page comes without a new attach, and the restart counter is the same.
#[test]
fn sessions_outlive_the_gateway() {
    let mut lab = acme().sims("pc", 3, "acme").build().unwrap();
    let sims = ["pc-1", "pc-2", "pc-3"];
    let before = sims.map(|sim| lab.attach(sim).unwrap().ip);
    bounce(&mut lab, Pgw, s(1));
    lab.run_for(s(1));
    for (sim, ip) in sims.into_iter().zip(before) {
        assert_eq!(sessions(&mut lab, sim), [ip]);
        assert_works(&mut lab, sim, "after the restart");
    }
    let [(first, 0, 0), (second, 3, 0)] = starts(&lab)[..] else {
        panic!("{:?}", starts(&lab));
    };
    assert_eq!(first, second);
    lab.attach("pc-2").unwrap();
    assert_works(&mut lab, "pc-2", "a new attach");
    lab.run_for(s(200));
    assert_works(&mut lab, "pc-1", "after two rounds of echo");
}

/// Goal: a bar outlives the gateway. Method: suspend, kill, restart while the HSS is down too; the
/// SIM stays dark.
#[test]
fn bars_outlive_the_gateway() {
    let mut lab = one_pc();
    lab.attach("pc-1").unwrap();
    assert!(lab.suspend("pc-1", "stolen").unwrap().dark);
    lab.crash(Hss).unwrap();
    bounce(&mut lab, Pgw, s(1));
    lab.run_for(s(1));
    assert_dark(&mut lab, "pc-1", "after the restart");
    assert_eq!(starts(&lab).last().unwrap().2, 1);
}

/// Goal: an order is given at every gateway, also at one that was down. Method: suspend while the
/// gateway is dead; the SIM is dark when it returns, without another word.
#[test]
fn a_gateway_that_was_down_hears_of_the_cut() {
    let mut lab = one_pc();
    lab.attach("pc-1").unwrap();
    lab.crash(Pgw).unwrap();
    let cut = lab.suspend("pc-1", "stolen").unwrap();
    assert!(!cut.dark, "nobody can say so yet");
    lab.restart(Pgw).unwrap();
    let cut = lab.follow(cut, s(120), |c| c.dark).unwrap();
    assert!(cut.dark, "{cut:?}");
    assert_dark(&mut lab, "pc-1", "after the restart");
}

/// Goal: the gateway cleans up after an SGW that lost its memory. Method: kill the MME; at the next
/// echo its restart counter is higher and its sessions go.
#[test]
fn the_gateway_cleans_up_after_the_mme() {
    let mut lab = acme().sims("pc", 2, "acme").build().unwrap();
    lab.attach("pc-1").unwrap();
    lab.attach("pc-2").unwrap();
    bounce(&mut lab, Mme, s(1));
    lab.run_for(s(130));
    for sim in ["pc-1", "pc-2"] {
        assert_eq!(sessions(&mut lab, sim).len(), 0);
    }
    let cleaned = |e: &PgwEvent| {
        matches!(
            e,
            PgwEvent::SessionEnded {
                reason: EndReason::PeerRestarted,
                ..
            }
        )
    };
    assert_eq!(pgw(&lab).filter(|e| cleaned(e)).count(), 2);
    for sim in ["pc-1", "pc-2"] {
        attach_patiently(&mut lab, sim).unwrap();
        assert_works(&mut lab, sim, "after the restart");
    }
}

/// Goal: a UE that comes back right after the MME was killed gets a session at once. Method: the
/// Create Session Request has the new restart counter, before any echo.
#[test]
fn a_new_attach_tells_the_gateway_of_the_restart() {
    let mut lab = acme().sims("pc", 2, "acme").build().unwrap();
    lab.attach("pc-1").unwrap();
    lab.attach("pc-2").unwrap();
    bounce(&mut lab, Mme, s(1));
    attach_patiently(&mut lab, "pc-1").unwrap();
    assert_works(&mut lab, "pc-1", "after the restart");
    assert_eq!(
        sessions(&mut lab, "pc-2").len(),
        0,
        "gone with the old counter"
    );
}

/// Goal: sessions run on while the HSS is away. Method: kill the HSS; pages come; a new SIM is told
/// to come later, never that it is unwelcome; after the restart it gets in.
#[test]
fn sessions_outlive_the_hss() {
    let mut lab = acme().sims("pc", 2, "acme").build().unwrap();
    lab.attach("pc-1").unwrap();
    lab.crash(Hss).unwrap();
    lab.run_for(s(1));
    assert_works(&mut lab, "pc-1", "without the HSS");
    let refused = lab.attach("pc-2").unwrap_err();
    assert_eq!(refused.cause(), "#22");
    lab.restart(Hss).unwrap();
    attach_patiently(&mut lab, "pc-2").unwrap();
    assert_works(&mut lab, "pc-2", "after the restart");
}

/// Goal: an order that was answered survives the HSS. Method: suspend, kill, restart.
#[test]
fn orders_outlive_the_hss() {
    let mut lab = one_pc();
    lab.attach("pc-1").unwrap();
    assert!(lab.suspend("pc-1", "stolen").unwrap().dark);
    bounce(&mut lab, Hss, s(1));
    lab.run_for(s(5));
    assert_eq!(row(&mut lab, "pc-1")["state"], "suspended");
    assert_eq!(lab.attach("pc-1").unwrap_err().cause(), "#8");
    lab.resume("pc-1", "found").unwrap();
    bounce(&mut lab, Hss, s(1));
    lab.run_for(s(5));
    assert_eq!(row(&mut lab, "pc-1")["state"], "active");
    attach_patiently(&mut lab, "pc-1").unwrap();
    assert_works(&mut lab, "pc-1", "resumed");
}

/// Goal: a node may die at any moment of an attach. Method: each node at every third millisecond;
/// it returns a second later, and then the SIM attaches and works, with one session.
#[test]
fn any_node_may_die_at_any_moment_of_an_attach() {
    let took = one_pc().attach("pc-1").unwrap().took.as_millis();
    let took = u64::try_from(took).unwrap();
    for node in [Hss, Mme, Pgw] {
        for at in (0..took + 10).step_by(3) {
            let what = format!("{node:?} killed {at} ms into the attach");
            let mut lab = one_pc();
            lab.run_for(s(1));
            lab.command("pc-1", UeCommand::PowerOn);
            lab.command("pc-1", UeCommand::Attach);
            lab.run_for(ms(at));
            bounce(&mut lab, node, s(1));
            lab.run_for(s(10));
            attach_patiently(&mut lab, "pc-1").unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_works(&mut lab, "pc-1", &what);
            assert!(lab.suspend("pc-1", "stolen").unwrap().dark, "{what}");
            assert_dark(&mut lab, "pc-1", &what);
        }
    }
}

/// Goal: each node may be killed again and again. Method: ten rounds of all three in turn, with a
/// page between.
#[test]
fn nodes_may_be_killed_again_and_again() {
    let mut lab = acme().sims("pc", 3, "acme").build().unwrap();
    for round in 0..10 {
        for node in [Hss, Pgw, Mme] {
            let what = format!("round {round}, {node:?}");
            for sim in ["pc-1", "pc-2", "pc-3"] {
                attach_patiently(&mut lab, sim).unwrap_or_else(|e| panic!("{what}: {e}"));
                assert_works(&mut lab, sim, &what);
            }
            bounce(&mut lab, node, ms(100));
            lab.run_for(s(5));
        }
    }
}
