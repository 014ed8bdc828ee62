use core::time::Duration;

use heiiki_diameter::{AnswerResult, ResultCode};
use heiiki_gtp::c;
use heiiki_nas::emm::Message;
use heiiki_nas::esm;
use heiiki_nas::security::SecurityHeader;

use super::world::{HssReply, PgwReply, World, apn, config, imsi, subscription};
use crate::result_table::{ODB_ALL_APN, ODB_HPLMN_APN};
use crate::{Event, State};

fn base(code: u32) -> AnswerResult {
    AnswerResult::Base(ResultCode(code))
}

/// What came to the UE: cause, whether protected, T3346 in seconds, and the ESM cause.
fn told(world: &World) -> (u8, bool, Option<u64>, Option<u8>) {
    let (header, Message::AttachReject(reject)) = world.phones[&1].last() else {
        panic!("{:?}", world.phones[&1].last());
    };
    let esm = reject.esm_container.as_ref().map(|c| {
        let message = esm::decode(c, heiiki_nas::Direction::Downlink).unwrap();
        let esm::Body::PdnConnectivityReject(reject) = message.body else {
            panic!()
        };
        assert_eq!(message.pti, 1);
        reject.cause.0
    });
    let t3346 = reject.t3346.map(|t| t.duration().unwrap().as_secs());
    (
        reject.cause.0,
        *header == SecurityHeader::IntegrityCiphered,
        t3346,
        esm,
    )
}

fn nothing_is_left(world: &World) {
    assert_eq!(world.mme.contexts().count(), 0, "{:?}", world.events);
    assert_eq!(world.mme.sessions().count(), 0);
    assert_eq!(world.mme.pending(), (0, 0));
    assert_eq!(world.mme.poll_timeouts(), 0);
}

/// Every row of the table at Authentication-Information: unprotected.
#[test]
fn refused_at_authentication() {
    let rows = [
        (AnswerResult::tgpp(5001), 8, false),
        (AnswerResult::tgpp(5420), 15, false),
        (base(5003), 15, false),
        (AnswerResult::tgpp(4181), 22, true),
        (base(5012), 22, true),
        (base(3002), 22, true),
        (base(3003), 22, true),
        (base(3004), 22, true),
        (base(5030), 22, true),
    ];
    for (result, cause, spread) in rows {
        let mut world = World::new();
        world.hss.air = HssReply::Failure(result, None);
        world.attach(1);
        let (told, protected, t3346, esm) = told(&world);
        assert_eq!((told, protected, esm), (cause, false, None), "{result:?}");
        assert_eq!(t3346.is_some(), spread, "{result:?}");
        assert!(t3346.is_none_or(|t| (30..=300).contains(&t)));
        nothing_is_left(&world);
    }
}

/// Every row of the table at Update-Location: protected, so that the UE believes it.
#[test]
fn refused_at_location() {
    let rows = [
        (AnswerResult::tgpp(5001), None, 8, None),
        (AnswerResult::tgpp(5004), Some(ODB_ALL_APN), 8, None),
        (AnswerResult::tgpp(5004), Some(ODB_HPLMN_APN), 14, None),
        (AnswerResult::tgpp(5004), None, 11, None),
        (AnswerResult::tgpp(5420), None, 15, None),
        (AnswerResult::tgpp(5421), None, 13, None),
        (base(5003), None, 15, None),
        (base(5012), None, 22, Some(600..=600)),
        (base(3002), None, 22, Some(30..=300)),
        (base(3003), None, 22, Some(30..=300)),
        (base(3004), None, 22, Some(30..=300)),
    ];
    for (result, diagnostic, cause, back_off) in rows {
        let mut world = World::new();
        world.hss.ulr = HssReply::Failure(result, diagnostic);
        world.attach(1);
        let (told, protected, t3346, esm) = told(&world);
        assert_eq!((told, protected, esm), (cause, true, None), "{result:?}");
        match back_off {
            None => assert_eq!(t3346, None, "{result:?}"),
            Some(range) => assert!(range.contains(&t3346.unwrap()), "{result:?} {t3346:?}"),
        }
        assert!(world.pgw.creates.is_empty());
        nothing_is_left(&world);
    }
}

/// A fault of the network is never cause 15 and never for good.
#[test]
fn an_hss_that_does_not_answer_is_congestion() {
    let mut world = World::new();
    world.hss.air = HssReply::Silent;
    world.attach(1);
    world.wait(Duration::from_secs(6));
    let (cause, protected, t3346, _) = told(&world);
    assert_eq!((cause, protected), (22, false));
    assert!((30..=300).contains(&t3346.unwrap()));
    assert!(world.has(|e| matches!(e, Event::HssAnswered { result, .. } if result == "no_answer")));
    nothing_is_left(&world);

    let mut world = World::new();
    world.hss.ulr = HssReply::Silent;
    world.attach(1);
    world.wait(Duration::from_secs(6));
    let (cause, protected, t3346, _) = told(&world);
    assert_eq!((cause, protected), (22, true));
    assert!(t3346.is_some());
    nothing_is_left(&world);
}

#[test]
fn no_connection_to_the_hss_is_congestion_at_once_and_heals() {
    let mut world = World::new();
    world.break_s6a();
    world.attach(1);
    assert_eq!(told(&world).0, 22);
    nothing_is_left(&world);
    world.hss.up = true;
    world.wait(Duration::from_mins(1));
    world.attach(1);
    assert_eq!(world.state(1), Some(State::Registered));
}

#[test]
fn a_connection_lost_in_flight_is_congestion() {
    let mut world = World::new();
    world.hss.air = HssReply::Silent;
    world.attach(1);
    assert_eq!(world.mme.contexts().count(), 1);
    world.break_s6a();
    assert_eq!(told(&world).0, 22);
    nothing_is_left(&world);
}

/// UEs refused by a fault are told different times.
#[test]
fn back_off_is_spread() {
    let mut world = World::new();
    world.hss.air = HssReply::Failure(AnswerResult::tgpp(4181), None);
    let mut seconds = std::collections::BTreeSet::new();
    for n in 1..40 {
        world.attach(n);
    }
    for event in &world.events {
        if let Event::AttachRejected { back_off_s, .. } = event {
            seconds.insert(back_off_s.unwrap());
        }
    }
    assert!(seconds.len() > 5, "{seconds:?}");
}

#[test]
fn a_subscription_that_does_not_allow_it_is_as_a_refusal() {
    let mut barred = subscription();
    (barred.subscriber_status, barred.odb) = (Some(1), Some(1));
    let mut no_eutran = subscription();
    no_eutran.access_restriction = Some(1 << 4);
    let mut no_profile = subscription();
    no_profile.apn_profile = None;
    let cases = [
        (Some(barred), 8),
        (Some(no_eutran), 13),
        (Some(no_profile), 15),
        (None, 15),
    ];
    for (data, cause) in cases {
        let mut world = World::new();
        world.hss.subscription = data;
        world.attach(1);
        let (told, protected, ..) = told(&world);
        assert_eq!((told, protected), (cause, true));
        nothing_is_left(&world);
    }
}

/// TS 24.301 §5.5.1.2.5: cause 19 with the reason inside.
#[test]
fn an_apn_that_is_not_subscribed_or_has_no_gateway() {
    let mut world = World::new();
    world.phone(1).apn = Some(apn("other.example"));
    world.attach(1);
    assert_eq!(told(&world), (19, true, None, Some(33)));
    nothing_is_left(&world);
    let mut config = config();
    config.default_pgw = None;
    let mut world = World::with(config);
    world.attach(1);
    assert_eq!(told(&world), (19, true, None, Some(27)));
    nothing_is_left(&world);
}

/// TS 29.274 Table C.1.
#[test]
fn refused_by_the_gateway() {
    for (cause, esm) in [
        (89, 31),
        (78, 27),
        (84, 26),
        (73, 26),
        (93, 33),
        (72, 34),
        (94, 30),
        (250, 38),
    ] {
        let mut world = World::new();
        world.pgw.reply = PgwReply::Refuse(c::Cause(cause));
        world.attach(1);
        assert_eq!(told(&world), (19, true, None, Some(esm)), "{cause}");
        assert!(
            world.has(|e| matches!(e, Event::SessionRefused { cause: Some(c), .. } if *c == cause))
        );
        assert!(world.pgw.deletes.is_empty());
        nothing_is_left(&world);
    }
}

#[test]
fn a_gateway_that_says_yes_and_gives_nothing() {
    let mut world = World::new();
    world.pgw.reply = PgwReply::Hollow;
    world.attach(1);
    let (cause, protected, _, esm) = told(&world);
    assert_eq!((cause, protected), (19, true));
    assert!(esm.is_some());
    nothing_is_left(&world);
}

#[test]
fn a_gateway_that_does_not_answer() {
    let mut world = World::new();
    world.pgw.reply = PgwReply::Silent;
    world.attach(1);
    assert_eq!(world.state(1), Some(State::CreatingSession));
    world.wait(Duration::from_secs(13));
    assert_eq!(told(&world), (19, true, None, Some(34)));
    assert!(world.has(|e| matches!(e, Event::SessionRefused { cause: None, .. })));
    nothing_is_left(&world);
}

/// The UE gave up before the gateway answered: the session must not stay there.
#[test]
fn a_session_that_comes_too_late_is_deleted() {
    let mut world = World::new();
    world.pgw.hold = true;
    world.attach(1);
    let mme_ue_id = world.context(1).unwrap().mme_ue_id;
    let cause = crate::s1::ReleaseCause::RadioConnectionLost;
    world.s1_input(crate::s1::Message::UeContextReleaseRequest {
        enb_ue_id: 1,
        mme_ue_id,
        cause,
    });
    assert_eq!(
        (world.mme.contexts().count(), world.mme.sessions().count()),
        (0, 0)
    );
    assert!(world.pgw.deletes.is_empty());
    world.release_creates();
    assert_eq!(world.pgw.deletes.len(), 1);
    let (teid, request) = &world.pgw.deletes[0];
    assert_eq!(
        (*teid, request.linked_ebi),
        (0x102, Some(heiiki_types::Ebi::FIRST))
    );
    nothing_is_left(&world);
}

#[test]
fn a_late_answer_of_the_hss_finds_nobody() {
    let mut world = World::new();
    world.hss.hold_ula = true;
    world.attach(1);
    assert_eq!(world.state(1), Some(State::AwaitingLocation));
    let mme_ue_id = world.context(1).unwrap().mme_ue_id;
    let cause = crate::s1::ReleaseCause::RadioConnectionLost;
    world.s1_input(crate::s1::Message::UeContextReleaseRequest {
        enb_ue_id: 1,
        mme_ue_id,
        cause,
    });
    world.release_ulas();
    assert!(world.pgw.creates.is_empty());
    nothing_is_left(&world);
    assert_eq!(world.hss.ulrs[0].imsi, imsi(1));
}
