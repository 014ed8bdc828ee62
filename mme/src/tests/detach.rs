use core::time::Duration;

use heiiki_nas::emm::{EmmCause, Message, NetworkDetachType};
use heiiki_nas::security::{Eea, Eia, NasSecurityContext, SecurityHeader};
use heiiki_types::{Key256, Protections};

use super::phone::Usim;
use super::world::{World, config};
use crate::s1::{Message as S1, ReleaseCause};
use crate::{DetachReason, Event, State};

fn network_detach(world: &World, n: u32) -> (NetworkDetachType, Option<EmmCause>) {
    let found = world.phones[&n]
        .received
        .iter()
        .rev()
        .find_map(|(header, m)| match m {
            Message::DetachRequestToUe(m) => {
                assert_eq!(*header, SecurityHeader::IntegrityCiphered);
                Some((m.detach_type, m.cause))
            }
            _ => None,
        });
    found.expect("no DETACH REQUEST")
}

fn released(world: &World) -> bool {
    matches!(
        world.s1.last(),
        Some(S1::UeContextReleaseCommand {
            cause: ReleaseCause::Detach,
            ..
        })
    )
}

/// TS 24.301 §5.5.2.2, TS 23.401 §5.3.8.2.
#[test]
fn detach_by_the_ue() {
    let mut world = World::new();
    world.attached(1);
    let detach = world.phone(1).detach_request(false);
    world.uplink(1, detach);
    assert_eq!(
        *world.phones[&1].last(),
        (SecurityHeader::IntegrityCiphered, Message::DetachAccept)
    );
    assert!(released(&world));
    assert_eq!(world.pgw.deletes.len(), 1);
    assert!(world.has(|e| matches!(
        e,
        Event::Detached {
            reason: DetachReason::Ue,
            confirmed: true,
            ..
        }
    )));
    assert!(world.has(|e| matches!(
        e,
        Event::SessionDeleted {
            cause: Some(16),
            ..
        }
    )));
    let context = world.context(1).unwrap();
    assert_eq!(
        (context.state, context.session, context.enb),
        (State::Deregistered, None, None)
    );
    assert_eq!(world.hss.purs, 0);
}

#[test]
fn a_ue_that_switches_off_gets_no_answer() {
    let mut world = World::new();
    world.attached(1);
    let before = world.phones[&1].received.len();
    let detach = world.phone(1).detach_request(true);
    world.uplink(1, detach);
    assert_eq!(world.phones[&1].received.len(), before);
    assert!(world.has(|e| matches!(
        e,
        Event::Detached {
            reason: DetachReason::SwitchOff,
            ..
        }
    )));
    assert_eq!(world.state(1), Some(State::Deregistered));
}

/// TS 29.272 §7.2.13: by policy the HSS hears of it and the context goes.
#[test]
fn purge_follows_the_policy() {
    let mut config = config();
    config.purge_on_detach = true;
    let mut world = World::with(config);
    world.attached(1);
    let detach = world.phone(1).detach_request(true);
    world.uplink(1, detach);
    assert_eq!((world.hss.purs, world.mme.contexts().count()), (1, 0));
    world.attach(1);
    assert_eq!(world.state(1), Some(State::Registered));
    // The HSS never answers the purge, which holds nothing up.
    world.wait(Duration::from_secs(6));
    assert_eq!(world.mme.pending(), (0, 0));
}

/// TS 24.301 §4.4.4.3: a detach that no MAC verifies is ignored.
#[test]
fn a_forged_detach_is_ignored() {
    let mut world = World::new();
    world.attached(1);
    let before = world.context(1);
    let genuine = world.phones.remove(&1).unwrap();
    let forged: [fn(&mut super::phone::Phone) -> Vec<u8>; 2] = [
        |phone| {
            phone.context = None;
            phone.detach_request(true)
        },
        |phone| {
            let kasme = Key256::new([1; 32]);
            phone.context = Some(NasSecurityContext::new(
                &kasme,
                Eea::Eea2,
                Eia::Eia2,
                phone.ksi,
            ));
            phone.detach_request(true)
        },
    ];
    for forge in forged {
        for guti in [genuine.guti, None] {
            let mut thief = super::phone::Phone::new(genuine.imsi);
            (thief.guti, thief.ksi) = (guti, genuine.ksi);
            let pdu = forge(&mut thief);
            // On a connection of its own, and on the victim's.
            world.initial(9, pdu.clone());
            assert_eq!(world.context(1), before);
            let mme_ue_id = before.as_ref().unwrap().mme_ue_id;
            let (tai, ecgi) = (super::world::tai(), super::world::ecgi());
            world.s1_input(S1::UplinkNasTransport {
                enb_ue_id: 1,
                mme_ue_id,
                nas: pdu,
                tai,
                ecgi,
            });
            assert_eq!(world.context(1), before);
        }
    }
    assert!(world.pgw.deletes.is_empty());
    assert!(world.has(|e| matches!(e, Event::NasDropped { .. })));
}

#[test]
fn a_replayed_detach_is_ignored() {
    let mut world = World::new();
    world.attached(1);
    let detach = world.phone(1).detach_request(true);
    world.uplink(1, detach.clone());
    world.attach(1);
    assert_eq!(world.state(1), Some(State::Registered));
    let before = world.context(1);
    world.initial(9, detach.clone());
    world.uplink(1, detach);
    assert_eq!(world.context(1), before);
}

/// The check can fail: without it the forged detach works.
#[test]
fn a_weakened_node_believes_a_forged_detach() {
    let mut config = config();
    config.protections = Protections {
        nas_integrity: false,
        ..Protections::ALL
    };
    let mut world = World::with(config);
    world.attached(1);
    let mut thief = super::phone::Phone::new(super::world::imsi(1));
    thief.guti = world.phones[&1].guti;
    world.initial(9, thief.detach_request(true));
    assert_ne!(world.state(1), Some(State::Registered));
}

/// A UE in idle mode comes back to detach.
#[test]
fn a_verified_detach_on_a_new_connection_is_believed() {
    let mut world = World::new();
    world.attached(1);
    let mme_ue_id = world.context(1).unwrap().mme_ue_id;
    let cause = ReleaseCause::UserInactivity;
    world.s1_input(S1::UeContextReleaseRequest {
        enb_ue_id: 1,
        mme_ue_id,
        cause,
    });
    assert_eq!(world.context(1).unwrap().enb, None);
    assert!(!world.context(1).unwrap().session.unwrap().uplink);
    let pdu = world.phone(1).detach_request(false);
    let phone = world.phones.remove(&1).unwrap();
    world.phones.insert(5, phone);
    world.initial(5, pdu);
    assert_eq!(
        *world.phones[&5].last(),
        (SecurityHeader::IntegrityCiphered, Message::DetachAccept)
    );
    assert_eq!(world.state(1), Some(State::Deregistered));
    assert_eq!(world.pgw.deletes.len(), 1);
}

/// TS 24.301 §5.5.1.2.7 h).
#[test]
fn a_detach_during_the_attach_ends_it() {
    let mut world = World::new();
    world.phone(1).usim.push_back(Usim::Silent);
    world.attach(1);
    let detach = world.phone(1).detach_request(false);
    world.uplink(1, detach);
    assert_eq!(
        *world.phones[&1].last(),
        (SecurityHeader::Plain, Message::DetachAccept)
    );
    assert_eq!(world.mme.contexts().count(), 0);
}

/// TS 29.274 Table C.3: cause 8 is re-attach required.
#[test]
fn reactivation_requested_is_reattach_required() {
    let mut world = World::new();
    world.attached(1);
    world.delete_bearer(1, 8);
    assert_eq!(
        network_detach(&world, 1),
        (NetworkDetachType::ReattachRequired, None)
    );
    assert!(world.pgw.responses[0].cause.is_accepted());
    assert_eq!(
        world.pgw.responses[0].linked_ebi,
        Some(heiiki_types::Ebi::FIRST)
    );
    assert_eq!(world.state(1), Some(State::Deregistered));
    // The gateway has deleted it by itself.
    assert!(world.pgw.deletes.is_empty());
    assert!(released(&world));
}

/// TS 29.274 Table C.3: cause 9 is re-attach not required, once the HSS had its say.
#[test]
fn reconnection_disallowed_is_reattach_not_required() {
    let mut world = World::new();
    world.attached(1);
    world.delete_bearer(1, 9);
    assert_eq!(world.mme.sessions().count(), 0);
    assert!(world.pgw.responses[0].cause.is_accepted());
    assert_eq!(world.state(1), Some(State::Deregistering));
    world.wait(Duration::from_millis(499));
    assert!(!world.has(|e| matches!(e, Event::DetachRequested { .. })));
    world.wait(Duration::from_millis(1));
    assert_eq!(
        network_detach(&world, 1),
        (NetworkDetachType::ReattachNotRequired, None)
    );
    assert_eq!(world.state(1), Some(State::Deregistered));
}

/// TS 24.301 §5.5.2.3.5 a).
#[test]
fn an_unanswered_detach_request_is_repeated_four_times() {
    let mut world = World::new();
    world.attached(1);
    world.phone(1).accepts_detach = false;
    world.delete_bearer(1, 8);
    let requests = |world: &World| {
        let received = &world.phones[&1].received;
        received
            .iter()
            .filter(|(_, m)| matches!(m, Message::DetachRequestToUe(_)))
            .count()
    };
    world.wait(Duration::from_secs(24));
    assert_eq!(
        (requests(&world), world.state(1)),
        (5, Some(State::Deregistering))
    );
    world.wait(Duration::from_secs(6));
    assert_eq!(
        (requests(&world), world.state(1)),
        (5, Some(State::Deregistered))
    );
    assert!(world.has(|e| matches!(
        e,
        Event::Detached {
            confirmed: false,
            ..
        }
    )));
    assert!(released(&world));
}

#[test]
fn a_detach_of_the_ue_ends_a_detach_of_the_network() {
    let mut world = World::new();
    world.attached(1);
    world.phone(1).accepts_detach = false;
    world.delete_bearer(1, 8);
    let detach = world.phone(1).detach_request(true);
    world.uplink(1, detach);
    assert_eq!(world.state(1), Some(State::Deregistered));
    assert_eq!(world.mme.poll_timeouts(), 0);
}

/// TS 24.301 §5.3.5: a UE that is not heard of any more is detached, and its session goes.
#[test]
fn an_idle_ue_that_stays_away_is_detached() {
    let mut world = World::new();
    world.attached(1);
    let mme_ue_id = world.context(1).unwrap().mme_ue_id;
    let cause = ReleaseCause::RadioConnectionLost;
    world.s1_input(S1::UeContextReleaseRequest {
        enb_ue_id: 1,
        mme_ue_id,
        cause,
    });
    assert!(world.has(|e| matches!(e, Event::Idle { .. })));
    world.wait(Duration::from_mins(61));
    assert_eq!(world.state(1), Some(State::Registered));
    world.wait(Duration::from_mins(1));
    assert_eq!(world.state(1), Some(State::Deregistered));
    assert_eq!(
        (world.pgw.deletes.len(), world.mme.sessions().count()),
        (1, 0)
    );
}

/// The DETACH REQUEST reaches nobody, so it ends here.
#[test]
fn an_idle_ue_loses_its_bearer_without_a_word() {
    let mut world = World::new();
    world.attached(1);
    let mme_ue_id = world.context(1).unwrap().mme_ue_id;
    let cause = ReleaseCause::UserInactivity;
    world.s1_input(S1::UeContextReleaseRequest {
        enb_ue_id: 1,
        mme_ue_id,
        cause,
    });
    world.delete_bearer(1, 9);
    assert_eq!(world.state(1), Some(State::Deregistered));
    assert!(!world.has(|e| matches!(e, Event::DetachRequested { .. })));
}
