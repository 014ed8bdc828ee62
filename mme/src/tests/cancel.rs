use core::time::Duration;

use heiiki_diameter::{AnswerResult, ResultCode};
use heiiki_nas::emm::{EmmCause, Message, NetworkDetachType};
use heiiki_nas::security::SecurityHeader;
use heiiki_types::Datagram;

use super::world::{HSS_HOST, World, address};
use crate::s1::{Message as S1, ReleaseCause};
use crate::{DetachReason, Event, Input, State};

const WITHDRAWAL: u32 = 2;
const REATTACH: u32 = 1 << 1;

fn told(world: &World) -> (NetworkDetachType, Option<EmmCause>) {
    let (header, Message::DetachRequestToUe(m)) = world.phones[&1].last() else {
        panic!("{:?}", world.phones[&1].last());
    };
    assert_eq!(*header, SecurityHeader::IntegrityCiphered);
    (m.detach_type, m.cause)
}

/// A lost SIM: no packet any more, then DETACH with cause 8, and the HSS hears 2001.
#[test]
fn a_withdrawal_detaches_for_good() {
    let mut world = World::new();
    world.attached(1);
    world.cancel(1, WITHDRAWAL, 1);
    let expected = EmmCause::EPS_AND_NON_EPS_SERVICES_NOT_ALLOWED;
    assert_eq!(
        told(&world),
        (NetworkDetachType::ReattachNotRequired, Some(expected))
    );
    assert_eq!(world.last_answer(), AnswerResult::SUCCESS);
    assert_eq!(world.pgw.deletes.len(), 1);
    assert_eq!(
        (world.mme.contexts().count(), world.mme.sessions().count()),
        (0, 0)
    );
    // The session first, the UE second.
    let at = |test: fn(&Event) -> bool| world.events.iter().position(test).unwrap();
    let closed = at(|e| matches!(e, Event::SessionClosed { .. }));
    let requested = at(|e| {
        matches!(
            e,
            Event::DetachRequested {
                cause: Some(8),
                reattach: false,
                ..
            }
        )
    });
    let detached = at(|e| {
        matches!(
            e,
            Event::Detached {
                reason: DetachReason::Withdrawn,
                confirmed: true,
                ..
            }
        )
    });
    assert!(closed < requested && requested < detached);
    assert_eq!(world.hss.purs, 0);
}

#[test]
fn a_barred_subscription_is_detached_without_a_cause() {
    let mut world = World::new();
    world.attached(1);
    world.cancel_as(1, WITHDRAWAL, 1, HSS_HOST, true);
    assert_eq!(told(&world), (NetworkDetachType::ReattachNotRequired, None));
    assert_eq!(world.mme.contexts().count(), 0);
}

#[test]
fn reattach_required_is_passed_on() {
    let mut world = World::new();
    world.attached(1);
    world.cancel(1, WITHDRAWAL, 1 | REATTACH);
    assert_eq!(told(&world), (NetworkDetachType::ReattachRequired, None));
}

/// TS 29.272 §7.3.24: the UE is elsewhere, so it is told nothing.
#[test]
fn other_types_end_the_session_without_a_detach() {
    for kind in [0, 3, 4] {
        let mut world = World::new();
        world.attached(1);
        let before = world.phones[&1].received.len();
        world.cancel(1, kind, 1);
        assert_eq!(world.phones[&1].received.len(), before);
        assert_eq!(
            (world.mme.contexts().count(), world.pgw.deletes.len()),
            (0, 1)
        );
        assert!(matches!(
            world.s1.last(),
            Some(S1::UeContextReleaseCommand { .. })
        ));
        assert_eq!(world.last_answer(), AnswerResult::SUCCESS);
    }
}

#[test]
fn an_unknown_imsi_is_a_success() {
    let mut world = World::new();
    world.cancel(1, WITHDRAWAL, 1);
    assert_eq!(world.last_answer(), AnswerResult::SUCCESS);
    assert!(world.has(|e| matches!(e, Event::LocationCancelled { known: false, .. })));
    world.attached(2);
    world.cancel(1, WITHDRAWAL, 1);
    assert_eq!(world.state(2), Some(State::Registered));
}

/// Only the host that answered the Update-Location may cancel it.
#[test]
fn another_host_cannot_cancel() {
    let mut world = World::new();
    world.attached(1);
    let before = world.context(1);
    world.cancel_as(1, WITHDRAWAL, 1, "evil.example", false);
    assert_eq!(world.context(1), before);
    assert!(world.has(|e| matches!(e, Event::CancelRefused { .. })));
    let refused = AnswerResult::Base(ResultCode::AUTHORIZATION_REJECTED);
    assert_eq!(world.last_answer(), refused);
    assert!(world.pgw.deletes.is_empty());
}

/// A cut that crosses an attach must win: while the session is being made.
#[test]
fn a_withdrawal_during_the_session_creation_wins() {
    let mut world = World::new();
    world.pgw.hold = true;
    world.attach(1);
    assert_eq!(world.state(1), Some(State::CreatingSession));
    world.cancel(1, WITHDRAWAL, 1);
    assert_eq!(world.last_answer(), AnswerResult::SUCCESS);
    let (header, Message::AttachReject(reject)) = world.phones[&1].last() else {
        panic!()
    };
    assert_eq!(*header, SecurityHeader::IntegrityCiphered);
    assert_eq!(reject.cause, EmmCause::EPS_AND_NON_EPS_SERVICES_NOT_ALLOWED);
    assert_eq!(
        (world.mme.contexts().count(), world.mme.sessions().count()),
        (0, 0)
    );
    world.release_creates();
    assert_eq!(world.pgw.deletes.len(), 1);
    assert_eq!(world.mme.contexts().count(), 0);
}

#[test]
fn a_pause_during_the_session_creation_is_congestion() {
    let mut world = World::new();
    world.pgw.hold = true;
    world.attach(1);
    world.cancel_as(1, WITHDRAWAL, 1, HSS_HOST, true);
    let (_, Message::AttachReject(reject)) = world.phones[&1].last() else {
        panic!()
    };
    assert_eq!(reject.cause, EmmCause::CONGESTION);
    assert_eq!(
        reject.t3346.unwrap().duration(),
        Some(Duration::from_mins(10))
    );
}

#[test]
fn a_withdrawal_before_attach_complete_wins() {
    let mut world = World::new();
    world.phone(1).completes = false;
    world.attach(1);
    assert_eq!(world.state(1), Some(State::AwaitingComplete));
    world.cancel(1, WITHDRAWAL, 1);
    let expected = EmmCause::EPS_AND_NON_EPS_SERVICES_NOT_ALLOWED;
    assert_eq!(
        told(&world),
        (NetworkDetachType::ReattachNotRequired, Some(expected))
    );
    assert_eq!(
        (world.mme.contexts().count(), world.mme.sessions().count()),
        (0, 0)
    );
    assert_eq!(world.pgw.deletes.len(), 1);
}

/// The UE attached again from another cell, and its former registration is cancelled meanwhile.
#[test]
fn a_withdrawal_of_the_former_registration_ends_the_new_attach() {
    let mut world = World::new();
    world.attached(1);
    world.hss.hold_ula = true;
    let phone = super::phone::Phone::new(super::world::imsi(1));
    world.phones.insert(2, phone);
    world.attach(2);
    assert_eq!(world.state(1), Some(State::AwaitingLocation));
    world.cancel(1, WITHDRAWAL, 1);
    let (_, Message::AttachReject(reject)) = world.phones[&2].last() else {
        panic!()
    };
    assert_eq!(reject.cause, EmmCause::EPS_AND_NON_EPS_SERVICES_NOT_ALLOWED);
    world.release_ulas();
    assert_eq!(
        (world.mme.contexts().count(), world.mme.sessions().count()),
        (0, 0)
    );
    assert_eq!(world.pgw.creates.len(), 1);
}

/// The gateway's Delete Bearer Request comes first; the HSS still has its say.
#[test]
fn a_withdrawal_after_the_gateway_cut_gives_the_cause() {
    let mut world = World::new();
    world.attached(1);
    world.delete_bearer(1, 9);
    world.wait(Duration::from_millis(20));
    world.cancel(1, WITHDRAWAL, 1);
    let expected = EmmCause::EPS_AND_NON_EPS_SERVICES_NOT_ALLOWED;
    assert_eq!(
        told(&world),
        (NetworkDetachType::ReattachNotRequired, Some(expected))
    );
    assert_eq!(world.mme.contexts().count(), 0);
    assert_eq!(world.mme.poll_timeouts(), 0);
}

#[test]
fn the_gateway_cut_after_a_withdrawal_finds_nothing() {
    let mut world = World::new();
    world.attached(1);
    world.phone(1).accepts_detach = false;
    let teid = world.context(1).unwrap().session.unwrap().s5c;
    world.cancel(1, WITHDRAWAL, 1);
    world.delete_bearer_at(teid, 9);
    assert_eq!(world.pgw.responses[0].cause.cause.0, 64);
    assert_eq!(world.state(1), Some(State::Deregistering));
}

/// Design: the SGW drops its downlink buffer before anything else.
#[test]
fn a_withdrawal_of_an_idle_ue_drops_what_waits_for_it() {
    let mut world = World::new();
    world.attached(1);
    let session = world.context(1).unwrap().session.unwrap();
    let mme_ue_id = world.context(1).unwrap().mme_ue_id;
    let cause = ReleaseCause::UserInactivity;
    world.s1_input(S1::UeContextReleaseRequest {
        enb_ue_id: 1,
        mme_ue_id,
        cause,
    });
    let header = heiiki_gtp::u::encode_gpdu_header(session.s5u, 3);
    let payload = [&header[..], &[1, 2, 3]].concat();
    let (local, remote) = (address("127.0.0.2:2152"), address("127.0.0.3:2152"));
    world.input(Input::S5u(Datagram {
        local,
        remote,
        payload,
    }));
    assert_eq!(world.context(1).unwrap().session.unwrap().buffered, 1);
    world.cancel(1, WITHDRAWAL, 1);
    assert!(world.has(|e| matches!(e, Event::SessionClosed { purged: 1, .. })));
    assert_eq!(
        (world.mme.contexts().count(), world.mme.sessions().count()),
        (0, 0)
    );
    assert!(world.s1u.is_empty());
    assert_eq!(world.last_answer(), AnswerResult::SUCCESS);
}

#[test]
fn a_withdrawal_of_a_detached_ue_forgets_its_keys() {
    let mut world = World::new();
    world.attached(1);
    let detach = world.phone(1).detach_request(true);
    world.uplink(1, detach);
    assert_eq!(world.mme.contexts().count(), 1);
    world.cancel(1, WITHDRAWAL, 1);
    assert_eq!(world.mme.contexts().count(), 0);
    // It must prove itself again.
    world.attach(1);
    assert_eq!(world.hss.airs.len(), 2);
}
