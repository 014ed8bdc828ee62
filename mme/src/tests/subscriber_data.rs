//! What the HSS says after the attach: IDR, DSR and RSR.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use heiiki_diameter::s6a::{
    self, DeleteSubscriberDataRequest, InsertSubscriberDataAnswer, InsertSubscriberDataRequest,
    ResetRequest, ServiceSelection, SubscriptionData, dsr_flags, idr_flags, odb, rat_type,
    restriction, ulr_flags, user_state,
};
use heiiki_diameter::{AnswerResult, ResultCode};
use heiiki_nas::emm::{EmmCause, Message, NetworkDetachType};

use super::world::{HSS_HOST, HssReply, World, ecgi, imsi, subscription, tai};
use crate::{DetachReason, Event, State};

const REJECTED: AnswerResult = AnswerResult::Base(ResultCode::AUTHORIZATION_REJECTED);

impl World {
    fn idr(&self, host: &str, data: SubscriptionData, flags: u32) -> InsertSubscriberDataRequest {
        InsertSubscriberDataRequest {
            session_id: String::from("hss.example;7;1"),
            origin_host: String::from(host),
            origin_realm: String::from("example"),
            destination_host: self.mme.config().origin_host.clone(),
            destination_realm: self.mme.config().origin_realm.clone(),
            imsi: imsi(1),
            subscription: Box::new(data),
            idr_flags: Some(flags),
            supported_features: Vec::new(),
            route_record: Vec::new(),
        }
    }

    fn insert(&mut self, data: SubscriptionData) -> AnswerResult {
        let request = self.idr(HSS_HOST, data, 0);
        self.hss_asks(request.to_message());
        self.last_answer()
    }

    fn delete(&mut self, host: &str, flags: u32, contexts: &[u32]) -> AnswerResult {
        let request = DeleteSubscriberDataRequest {
            session_id: String::from("hss.example;7;2"),
            origin_host: String::from(host),
            origin_realm: String::from("example"),
            destination_host: self.mme.config().origin_host.clone(),
            destination_realm: self.mme.config().origin_realm.clone(),
            imsi: imsi(1),
            dsr_flags: flags,
            contexts: contexts.to_vec(),
            supported_features: Vec::new(),
            route_record: Vec::new(),
        };
        self.hss_asks(request.to_message());
        self.last_answer()
    }

    fn reset(&mut self, host: &str, prefixes: &[&str]) -> AnswerResult {
        let request = ResetRequest {
            session_id: String::from("hss.example;7;3"),
            origin_host: String::from(host),
            origin_realm: String::from("example"),
            destination_host: self.mme.config().origin_host.clone(),
            destination_realm: self.mme.config().origin_realm.clone(),
            user_ids: prefixes.iter().map(|p| p.parse().unwrap()).collect(),
            supported_features: Vec::new(),
            route_record: Vec::new(),
        };
        self.hss_asks(request.to_message());
        self.last_answer()
    }
}

/// What the UE was told last.
fn told(world: &World) -> (NetworkDetachType, Option<EmmCause>) {
    let (_, Message::DetachRequestToUe(m)) = world.phones[&1].last() else {
        panic!("{:?}", world.phones[&1].last());
    };
    (m.detach_type, m.cause)
}

/// A second access point, as context 2.
fn with_second() -> SubscriptionData {
    let mut data = subscription();
    let profile = data.apn_profile.as_mut().unwrap();
    let mut second = profile.apns[0].clone();
    second.context = 2;
    second.apn = ServiceSelection::Apn("voice.example".parse().unwrap());
    profile.apns.push(second);
    data
}

/// TS 29.272 §5.2.2.1.2: flags are answered, and a change that forbids nothing leaves the UE alone.
#[test]
fn an_insert_is_answered_and_disturbs_nobody() {
    let mut world = World::new();
    world.attached(1);
    let flags = idr_flags::EPS_USER_STATE | idr_flags::EPS_LOCATION | idr_flags::RAT_TYPE;
    let request = world.idr(HSS_HOST, with_second(), flags);
    world.hss_asks(request.to_message());
    let answer = world.hss.answers.last().unwrap();
    let answer = InsertSubscriberDataAnswer::from_message(answer).unwrap();
    assert_eq!(answer.result, AnswerResult::SUCCESS);
    assert_eq!(answer.user_state, Some(user_state::CONNECTED_REACHABLE));
    assert_eq!(answer.rat_type, Some(rat_type::EUTRAN));
    let location = answer.location.unwrap();
    assert_eq!(ecgi().eci, 0x101);
    assert_eq!(location.cell, Some([0x00, 0xf1, 0x10, 0, 0, 1, 1]));
    assert_eq!(tai().tac.0, 1);
    assert_eq!(location.tracking_area, Some([0x00, 0xf1, 0x10, 0, 1]));
    assert_eq!(world.state(1), Some(State::Registered));
    assert_eq!(world.mme.sessions().count(), 1);
}

/// Only the host that answered the Update-Location is heard; a stranger is refused and told of.
#[test]
fn another_host_changes_nothing() {
    let mut world = World::new();
    world.attached(1);
    let request = world.idr("other.example", SubscriptionData::default(), 0);
    world.hss_asks(request.to_message());
    assert_eq!(world.last_answer(), REJECTED);
    let flags = dsr_flags::PDN_SUBSCRIPTION_CONTEXTS;
    assert_eq!(world.delete("other.example", flags, &[2]), REJECTED);
    assert_eq!(world.reset("other.example", &[]), REJECTED);
    for wanted in ["idr", "dsr", "rsr"] {
        let refused =
            |e: &Event| matches!(e, Event::HssRefused { request, .. } if *request == wanted);
        assert!(world.has(refused), "{wanted}");
    }
    assert_eq!(world.state(1), Some(State::Registered));
    let seen = world.hss.ulrs.len();
    let detach = world.phone(1).detach_request(false);
    world.uplink(1, detach);
    assert_eq!(world.hss.ulrs.len(), seen, "nobody registers anew for it");
}

#[test]
fn an_unknown_imsi_is_user_unknown() {
    let mut world = World::new();
    assert_eq!(world.insert(subscription()), s6a::USER_UNKNOWN);
    assert_eq!(world.delete(HSS_HOST, 0, &[]), s6a::USER_UNKNOWN);
    assert_eq!(world.reset(HSS_HOST, &[]), AnswerResult::SUCCESS);
}

/// The session first, the UE second, as with a cancellation.
#[test]
fn what_the_subscription_forbids_now_ends_at_once() {
    let barred = SubscriptionData {
        subscriber_status: Some(1),
        odb: Some(odb::ALL_PACKET_SERVICES),
        ..SubscriptionData::default()
    };
    let radio = SubscriptionData {
        access_restriction: Some(restriction::WB_EUTRAN),
        ..SubscriptionData::default()
    };
    let mut moved = subscription();
    let profile = moved.apn_profile.as_mut().unwrap();
    profile.apns[0].apn = ServiceSelection::Apn("voice.example".parse().unwrap());
    let (stay, again) = (
        NetworkDetachType::ReattachNotRequired,
        NetworkDetachType::ReattachRequired,
    );
    let cases = [
        (barred, (stay, None)),
        (radio, (stay, Some(EmmCause::ROAMING_NOT_ALLOWED))),
        (moved, (again, None)),
    ];
    for (data, expected) in cases {
        let mut world = World::new();
        world.attached(1);
        assert_eq!(world.insert(data), AnswerResult::SUCCESS);
        assert_eq!(told(&world), expected);
        assert_eq!(world.mme.sessions().count(), 0);
        assert_eq!(world.pgw.deletes.len(), 1);
        let at = |test: fn(&Event) -> bool| world.events.iter().position(test).unwrap();
        let closed = at(|e| matches!(e, Event::SessionClosed { .. }));
        let asked = at(|e| {
            matches!(
                e,
                Event::DetachRequested {
                    reason: DetachReason::Withdrawn,
                    ..
                }
            )
        });
        assert!(closed < asked);
    }
}

/// Service granted lifts every bar (TS 29.272 §7.3.29), and a partial profile adds to what is there.
#[test]
fn parts_are_replaced_and_kept() {
    let mut world = World::new();
    world.attached(1);
    let roamer = SubscriptionData {
        subscriber_status: Some(1),
        odb: Some(odb::ROAMER_HPLMN_AP),
        ..SubscriptionData::default()
    };
    assert_eq!(world.insert(roamer), AnswerResult::SUCCESS);
    let mut second = with_second();
    let profile = second.apn_profile.as_mut().unwrap();
    profile.all_apn_included = false;
    profile.apns.remove(0);
    second.subscriber_status = Some(0);
    assert_eq!(world.insert(second), AnswerResult::SUCCESS);
    assert_eq!(world.state(1), Some(State::Registered));
    // The first one is still there, so the session lives on; without it, it would not.
    let flags = dsr_flags::PDN_SUBSCRIPTION_CONTEXTS;
    assert_eq!(world.delete(HSS_HOST, flags, &[2]), AnswerResult::SUCCESS);
    assert_eq!(world.state(1), Some(State::Registered));
    let refused = AnswerResult::Base(ResultCode::UNABLE_TO_COMPLY);
    assert_eq!(world.delete(HSS_HOST, flags, &[1]), refused);
    assert_eq!(world.state(1), Some(State::Registered));
}

/// TS 29.272 §5.2.2.2.2: a withdrawn access point ends the session that uses it.
#[test]
fn a_withdrawn_access_point_ends_its_session() {
    let mut world = World::new();
    let mut data = with_second();
    data.apn_profile.as_mut().unwrap().default_context = 2;
    world.hss.subscription = Some(data);
    world.phone(1).apn = Some("corp.example".parse().unwrap());
    world.attached(1);
    let flags = dsr_flags::PDN_SUBSCRIPTION_CONTEXTS;
    assert_eq!(world.delete(HSS_HOST, flags, &[1]), AnswerResult::SUCCESS);
    assert_eq!(told(&world), (NetworkDetachType::ReattachRequired, None));
    assert_eq!(world.pgw.deletes.len(), 1);
}

/// TS 29.272 §5.2.4.1.2: the UE registers anew when it is next heard of, once, with its access
/// point, and keeps its session.
#[test]
fn after_a_reset_the_next_sign_of_life_registers_anew() {
    let mut world = World::new();
    world.attached(1);
    let before = world.hss.ulrs.len();
    assert_eq!(world.reset(HSS_HOST, &["99999"]), AnswerResult::SUCCESS);
    assert!(world.has(|e| matches!(e, Event::HssReset { ues: 0, .. })));
    assert_eq!(
        world.reset(HSS_HOST, &["99999", "00101"]),
        AnswerResult::SUCCESS
    );
    assert!(world.has(|e| matches!(e, Event::HssReset { ues: 1, .. })));
    assert_eq!(world.hss.ulrs.len(), before);
    let garbage = Vec::from([0x07]);
    world.uplink(1, garbage.clone());
    assert_eq!(world.hss.ulrs.len(), before + 1);
    let request = world.hss.ulrs.last().unwrap();
    assert_eq!(request.ulr_flags, ulr_flags::S6A);
    assert_eq!(request.active_apns[0].context, 1);
    let pgw = request.active_apns[0].pgw.clone().unwrap();
    assert_eq!(
        pgw.addresses,
        ["127.0.0.3".parse::<core::net::IpAddr>().unwrap()]
    );
    world.uplink(1, garbage);
    assert_eq!(world.hss.ulrs.len(), before + 1);
    assert_eq!(world.mme.sessions().count(), 1);
}

/// An HSS that does not know the UE any more ends it; one that is out of order is asked again.
#[test]
fn a_registration_that_is_refused_after_a_reset() {
    let garbage = || Vec::from([0x07]);
    let mut world = World::new();
    world.attached(1);
    world.reset(HSS_HOST, &[]);
    world.hss.ulr = HssReply::Failure(ResultCode::UNABLE_TO_COMPLY.into(), None);
    world.uplink(1, garbage());
    assert_eq!(world.state(1), Some(State::Registered));
    world.hss.ulr = HssReply::Failure(s6a::USER_UNKNOWN, None);
    world.uplink(1, garbage());
    let cause = EmmCause::EPS_AND_NON_EPS_SERVICES_NOT_ALLOWED;
    let gone = (NetworkDetachType::ReattachNotRequired, Some(cause));
    assert_eq!(told(&world), gone);
    assert_eq!(world.pgw.deletes.len(), 1);
}
