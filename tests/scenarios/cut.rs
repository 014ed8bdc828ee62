//! Suspend, pause, resume, terminate: what the UE is told, and that it stays dark.

use heiiki::lab::{AdminOf, AttachError, Network, OperateError};
use heiiki::plan::{NodeName, RefuseAt, SimState};
use heiiki::world::{Verdict, nth};
use heiiki::{Lab, Link};
use heiiki_pgw::Event as PgwEvent;
use heiiki_types::{Method, Token};
use heiiki_ue_sim::{Event as UeEvent, Restriction, UeCommand};

use crate::prelude::*;

/// The causes in the network's detaches of a UE.
fn detaches(lab: &Lab, sim: &str) -> Vec<Option<u8>> {
    let seen = ue(lab, sim).filter_map(|e| match e {
        UeEvent::Detached {
            by_network: true,
            cause,
            ..
        } => Some(*cause),
        _ => None,
    });
    seen.collect()
}

/// Goal: a lost SIM goes dark at once, hears a protected #8, and comes back after a resume. Method:
/// suspend an attached SIM; its certificate, its pages, its next attach; resume.
#[test]
fn a_suspended_sim_goes_dark_and_a_resumed_one_comes_back() {
    let mut lab = one_pc();
    lab.attach("pc-1").unwrap();
    let cut = lab.suspend("pc-1", "lost on the train").unwrap();
    assert!(cut.dark);
    let cut = lab.follow(cut, s(10), |c| c.clean).unwrap();
    assert!(cut.clean, "{cut:?}");
    let (up, down) = cut.time_to_cut().unwrap();
    assert!(up <= ms(10) && down <= ms(10), "{up:?} {down:?}");
    assert!(cut.t1 >= Some(cut.t0) && cut.t4 <= cut.t5_uplink && cut.t2 <= cut.t3);
    assert_eq!(
        (cut.who.as_str(), cut.why.as_str()),
        ("lab", "lost on the train")
    );
    assert_eq!(detaches(&lab, "pc-1"), [Some(8)]);
    assert_dark(&mut lab, "pc-1", "after the cut");
    let again = lab.try_attach("pc-1").unwrap_err();
    assert_eq!(again, AttachError::NotStarted(Restriction::UsimInvalid));
    let refused = lab.attach("pc-1").unwrap_err();
    assert!(
        matches!(
            refused,
            AttachError::Rejected {
                cause: 8,
                protected: true,
                ..
            }
        ),
        "{refused}"
    );
    lab.resume("pc-1", "found").unwrap();
    lab.attach("pc-1").unwrap();
    assert_works(&mut lab, "pc-1", "after the resume");
    assert!(!is_barred(&mut lab, "pc-1"));
}

/// Goal: a pause is not a suspension: the UE may come back by itself later. Method: pause an
/// attached SIM; the detach has no cause, the reject is a protected #22 with T3346.
#[test]
fn a_paused_sim_is_told_to_come_back_later() {
    let mut lab = one_pc();
    lab.attach("pc-1").unwrap();
    assert!(lab.pause("pc-1", "unpaid").unwrap().dark);
    lab.run_for(s(5));
    assert_eq!(detaches(&lab, "pc-1"), [None]);
    assert_dark(&mut lab, "pc-1", "paused");
    let refused = lab.attach("pc-1").unwrap_err();
    let AttachError::Rejected {
        cause: 22,
        protected: true,
        back_off: Some(time),
        ..
    } = refused
    else {
        panic!("{refused}");
    };
    let waits = lab.attach("pc-1").unwrap_err();
    assert_eq!(
        waits,
        AttachError::NotStarted(Restriction::T3346),
        "power does not clear T3346"
    );
    lab.resume("pc-1", "paid").unwrap();
    lab.run_for(time);
    lab.try_attach("pc-1").unwrap();
    assert_works(&mut lab, "pc-1", "after the pause");
}

/// Goal: a SIM that was suspended before it ever came stays out. Method: provisioned as suspended,
/// and as paused; refused at the location update, or at the request for vectors where the tenant
/// wants that.
#[test]
fn a_sim_suspended_before_its_first_attach_is_refused() {
    let cases = [
        (SimState::Suspended, RefuseAt::Ulr, 8, true),
        (SimState::Suspended, RefuseAt::Air, 8, false),
        (SimState::Inactive, RefuseAt::Ulr, 22, true),
    ];
    for (state, refuse_at, expected, with_mac) in cases {
        let builder = acme().with_tenant(|t| t.refuse_at = refuse_at);
        let builder = builder
            .sim("pc-1", "acme")
            .with_sim(|sim| sim.state = state);
        let mut lab = builder.build().unwrap();
        let refused = lab.attach("pc-1").unwrap_err();
        let AttachError::Rejected {
            cause, protected, ..
        } = refused
        else {
            panic!("{refused}");
        };
        assert_eq!(
            (cause, protected),
            (expected, with_mac),
            "{state:?} {refuse_at:?}"
        );
        assert_eq!(sessions(&mut lab, "pc-1").len(), 0);
        lab.resume("pc-1", "bought").unwrap();
        attach_patiently(&mut lab, "pc-1").unwrap();
    }
}

/// Goal: the tests above can fail. Method: the HSS does not look at the state.
#[test]
fn without_the_check_a_suspended_sim_attaches() {
    let builder = acme()
        .sim("pc-1", "acme")
        .with_sim(|sim| sim.state = SimState::Suspended);
    let mut lab = builder.weaken(|p| p.sim_state = false).build().unwrap();
    lab.attach("pc-1").unwrap();
}

/// Goal: a terminated SIM is as good as unknown, for good. Method: terminate an attached SIM.
#[test]
fn a_terminated_sim_is_gone_for_good() {
    let mut lab = one_pc();
    lab.attach("pc-1").unwrap();
    assert!(lab.terminate("pc-1", "left the company").unwrap().dark);
    lab.run_for(s(5));
    assert_dark(&mut lab, "pc-1", "terminated");
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
    assert!(lab.resume("pc-1", "sorry").is_err());
}

/// Goal: the gateway alone keeps a SIM out while the HSS is down. Method: the location update of an
/// attach is done when the HSS dies; the operator cuts at the gateway before the Create Session
/// arrives there.
#[test]
fn a_create_session_for_a_barred_sim_is_refused_while_the_hss_is_down() {
    let mut lab = one_pc();
    let rule = nth("Create Session Request", 1, Verdict::Delay(s(2)));
    lab.world().add_rule(Link::S5C, rule);
    let from = lab.log().len();
    lab.command("pc-1", UeCommand::PowerOn);
    lab.command("pc-1", UeCommand::Attach);
    lab.run_for(s(1));
    lab.crash(NodeName::Hss).unwrap();
    emergency_cut(&mut lab, "pc-1");
    let refused = lab.attach_outcome("pc-1", from, s(40)).unwrap_err();
    assert_eq!(refused.cause(), "#19/#31");
    let seen = |e: &PgwEvent| matches!(e, PgwEvent::BarredRequest { .. });
    assert!(pgw(&lab).any(seen));
    let refusal = |e: &PgwEvent| matches!(e, PgwEvent::RequestRefused { cause: 89, .. });
    assert!(pgw(&lab).any(refusal));
    assert_dark(&mut lab, "pc-1", "cut at the gateway");
}

fn emergency_cut(lab: &mut Lab, sim: &str) {
    let imsi = lab.imsi(sim).to_string();
    let body = serde_json::json!({ "imsi": imsi, "reason": "HSS down", "actor": "night shift" });
    let body = body.to_string();
    let done = lab.admin(AdminOf::Pgw, Method::Post, "/v1/emergency-cut", &body);
    assert_eq!(done.status, 200);
}

/// Goal: a session that lives is cut at the gateway alone. Method: the HSS is down; the UE is
/// attached, is cut, and only a resume at the returning HSS brings it back.
#[test]
fn an_emergency_cut_needs_no_hss_and_outlives_it() {
    let mut lab = one_pc();
    lab.attach("pc-1").unwrap();
    lab.crash(NodeName::Hss).unwrap();
    emergency_cut(&mut lab, "pc-1");
    lab.run_for(s(5));
    assert_dark(&mut lab, "pc-1", "cut at the gateway");
    lab.restart(NodeName::Hss).unwrap();
    lab.run_for(s(10));
    // The HSS was not asked, and takes it up.
    assert_eq!(row(&mut lab, "pc-1")["state"], "suspended");
    assert_dark(&mut lab, "pc-1", "when the HSS is back");
    let refused = lab.attach("pc-1").unwrap_err();
    assert_eq!(refused.cause(), "#8");
    lab.resume("pc-1", "found").unwrap();
    attach_patiently(&mut lab, "pc-1").unwrap();
    assert_works(&mut lab, "pc-1", "after the resume");
}

/// Goal: who may not order a cut does not. Method: calls without a token and with a wrong one.
#[test]
fn an_order_without_the_token_is_refused() {
    let mut lab = one_pc();
    lab.attach("pc-1").unwrap();
    let target = format!("/v1/subscribers/{}/suspend", lab.imsi("pc-1"));
    let body = r#"{"reason":"mischief","actor":"nobody"}"#;
    for bearer in [
        None,
        Some(Token::new("00112233445566778899aabbccddeeff".to_owned())),
    ] {
        let answer = lab.admin_as(AdminOf::Hss, bearer.clone(), Method::Post, &target, body);
        assert_eq!(answer.status, 401);
        let answer = lab.admin_as(AdminOf::Pgw, bearer, Method::Get, "/v1/sessions", "");
        assert_eq!(answer.status, 401);
    }
    assert_works(&mut lab, "pc-1", "nothing happened");
}

/// Goal: an order for a SIM that does not exist is refused. Method: a card that the HSS does not
/// know.
#[test]
fn an_order_for_an_unknown_sim_is_refused() {
    let builder = acme()
        .sim("pc-1", "acme")
        .with_sim(|sim| sim.card.stranger = true);
    let mut lab = builder.build().unwrap();
    let unknown = lab.suspend("pc-1", "lost").unwrap_err();
    assert!(
        matches!(unknown, OperateError::Refused { status: 404, .. }),
        "{unknown}"
    );
}

/// Goal: the tests of cuts can fail. Method: the gateway ignores bars; a SIM that is cut there goes
/// on as if nothing had happened, and the closedness proof says so.
#[test]
fn without_the_bar_a_cut_sim_goes_on() {
    let builder = acme().sim("pc-1", "acme").weaken(|p| p.bar = false);
    let mut lab = builder.build().unwrap();
    lab.attach("pc-1").unwrap();
    emergency_cut(&mut lab, "pc-1");
    assert_works(&mut lab, "pc-1", "no bar");
    assert_eq!(lab.audit().unwrap()["closed"], false);
    lab.attach("pc-1").unwrap();
}

/// Goal: the second of two cuts counts, and one resume lifts both. Method: pause, suspend, resume.
#[test]
fn cuts_add_up_and_one_resume_lifts_them() {
    let mut lab = one_pc();
    lab.attach("pc-1").unwrap();
    assert!(lab.pause("pc-1", "unpaid").unwrap().dark);
    assert!(lab.suspend("pc-1", "stolen").unwrap().dark);
    assert_eq!(row(&mut lab, "pc-1")["state"], "suspended");
    assert_dark(&mut lab, "pc-1", "both");
    lab.resume("pc-1", "found").unwrap();
    assert!(!is_barred(&mut lab, "pc-1"));
    attach_patiently(&mut lab, "pc-1").unwrap();
}

/// Goal: a stream ends with the cut in both directions, and never a packet after it. Method: probes
/// every 10 ms from the UE and to it while it is suspended.
#[test]
fn streams_end_at_the_cut() {
    let mut lab = one_pc();
    let ip = lab.attach("pc-1").unwrap().ip;
    let up = lab.start_stream("pc-1", INTRANET, ms(10));
    let sink = lab.listen("pc-1", 4_000);
    let stream = heiiki::lab::DownlinkStream {
        tenant: 0,
        from: INTRANET,
        to: ip,
        port: 4_000,
        every: ms(10),
    };
    Network::start_downlink(lab.network(), &stream);
    lab.run_for(s(1));
    let cut = lab.suspend("pc-1", "stolen").unwrap();
    lab.run_for(s(1));
    let (sent, got) = (lab.stop_stream("pc-1", up), lab.stop_stream("pc-1", sink));
    let (sent, got) = (sent.unwrap(), got.unwrap());
    assert!(
        sent.answered >= 90 && got.answered >= 90,
        "{sent:?} {got:?}"
    );
    let after = |t: Option<heiiki_types::Instant>| t.unwrap().as_micros().saturating_sub(cut.t0);
    // Two links lie between the UE and the gateway, 2 ms each, on either side of the boundary.
    assert!(after(sent.last_answered_sent_at) <= 4_000, "{sent:?}");
    assert!(after(got.last_received_at) <= 8_000, "{got:?}");
}

/// Goal: a cut holds at the gateway even if the HSS dies before it is on its disk. Method: the HSS
/// is killed between the call to the gateway and the flush; it comes back knowing nothing or all.
#[test]
fn a_cut_that_died_before_its_commit_holds_at_the_gateway() {
    for seed in 0..10 {
        let builder = acme().sim("pc-1", "acme").seed(seed);
        let mut lab = builder
            .delay(core::time::Duration::from_micros(300))
            .build()
            .unwrap();
        lab.attach("pc-1").unwrap();
        let call = lab.start_order("pc-1", "suspend", "stolen");
        lab.run_for(core::time::Duration::from_micros(700));
        lab.crash(NodeName::Hss).unwrap();
        lab.run_for(s(1));
        assert_eq!(lab.answer(call), None, "nobody was told that it is done");
        let what = format!("seed {seed}");
        assert_dark(&mut lab, "pc-1", &what);
        lab.restart(NodeName::Hss).unwrap();
        lab.run_for(s(30));
        assert_dark(&mut lab, "pc-1", &what);
        lab.attach("pc-1").unwrap_err();
        lab.resume("pc-1", "found").unwrap();
        attach_patiently(&mut lab, "pc-1").unwrap();
        assert_works(&mut lab, "pc-1", &what);
    }
}
