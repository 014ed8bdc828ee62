use core::time::Duration;

use heiiki_diameter::s6a::{RAT_TYPE_EUTRAN, ulr_flags};
use heiiki_gtp::c;
use heiiki_nas::emm::{AttachRequest, EmmCause, Message};
use heiiki_nas::esm;
use heiiki_nas::ie::{Ksi, MobileIdentity, PdnType};
use heiiki_nas::security::SecurityHeader;

use super::phone::Phone;
use super::world::{World, apn, config, enb_end, imsi, subscription, tai};
use crate::s1::{Message as S1, ReleaseCause};
use crate::timers::{Timer, Timers};
use crate::{DetachReason, Event, State};

/// TS 23.401 §5.3.2.1, TS 24.301 §5.5.1.2: the whole way of an attach by IMSI.
#[test]
fn attach_by_imsi() {
    let mut world = World::new();
    world.attach(1);
    assert_eq!(
        world.state(1),
        Some(State::Registered),
        "{:?}",
        world.events
    );
    let names: Vec<_> = world
        .events
        .iter()
        .filter_map(|e| match e {
            Event::Nas { name, .. } => Some(*name),
            _ => None,
        })
        .collect();
    let spelt: Vec<_> = names
        .iter()
        .map(|n| n.to_ascii_uppercase().replace(['_', '-'], " "))
        .collect();
    assert_eq!(
        spelt,
        [
            "ATTACH REQUEST",
            "AUTHENTICATION REQUEST",
            "AUTHENTICATION RESPONSE",
            "SECURITY MODE COMMAND",
            "SECURITY MODE COMPLETE",
            "ATTACH ACCEPT",
            "ATTACH COMPLETE"
        ]
    );
    let air = &world.hss.airs[0];
    assert_eq!(
        (air.imsi, air.visited_plmn),
        (imsi(1), world.mme.config().plmn)
    );
    let wanted = air.requested_eutran.as_ref().unwrap();
    assert_eq!((wanted.vectors, wanted.resync), (1, None));
    let ulr = &world.hss.ulrs[0];
    assert_eq!(ulr.rat_type, RAT_TYPE_EUTRAN);
    assert_eq!(ulr.ulr_flags, ulr_flags::S6A | ulr_flags::INITIAL_ATTACH);
    let imei = ulr.terminal_information.unwrap().to_string();
    assert!(imei.starts_with("35349006987331"), "{imei}");
    let create = &world.pgw.creates[0];
    assert_eq!(
        (create.imsi, &create.apn),
        (Some(imsi(1)), &apn("corp.example"))
    );
    assert_eq!(create.uli.unwrap().tai, Some(tai()));
    assert_eq!(create.recovery, Some(1));
    assert_eq!(create.paa, Some(c::Paa::V4([0, 0, 0, 0].into())));
    let phone = &world.phones[&1];
    let (header, Message::AttachAccept(accept)) = phone.last() else {
        panic!("{:?}", phone.last());
    };
    assert_eq!(*header, SecurityHeader::IntegrityCiphered);
    assert_eq!(accept.tai_list.as_slice(), [tai()]);
    let container = esm::decode(&accept.esm_container, heiiki_nas::Direction::Downlink).unwrap();
    let esm::Body::ActivateDefaultEpsBearerContextRequest(activate) = container.body else {
        panic!("{container:?}");
    };
    assert_eq!(activate.pdn_address.v4(), Some([10, 20, 0, 2].into()));
    assert_eq!((container.ebi, container.pti), (5, 1));
    let context = world.context(1).unwrap();
    let session = context.session.unwrap();
    assert_eq!(session.enb, Some(enb_end(1)));
    assert!(session.uplink && session.buffered == 0 && !context.has_timer);
    assert_eq!(context.guti, accept.guti);
    assert_eq!(world.mme.pending(), (0, 0));
}

#[test]
fn copies_of_ciphered_messages_are_reported_when_asked_for() {
    for copies in [true, false] {
        let mut config = config();
        config.nas_copies = copies;
        let mut world = World::with(config);
        world.attach(1);
        let accept = world.events.iter().find_map(|e| match e {
            Event::Nas { wire, plain, .. } if wire[0] == 0x27 => Some(plain.clone()),
            _ => None,
        });
        assert_eq!(
            accept.unwrap().map(|p| (p[0], p[1])),
            copies.then_some((7, 0x42))
        );
    }
}

/// TS 24.301 §5.5.1.2.3: a valid MAC spares the challenge, but never the HSS's word.
#[test]
fn attach_by_a_known_guti_with_a_valid_mac_skips_authentication() {
    let mut world = World::new();
    world.attached(1);
    let (old_guti, old) = (world.phones[&1].guti, world.context(1).unwrap());
    let detach = world.phone(1).detach_request(false);
    world.uplink(1, detach);
    assert_eq!(
        world.state(1),
        Some(State::Deregistered),
        "{:?}",
        world.events
    );
    assert_eq!((world.hss.airs.len(), world.hss.ulrs.len()), (1, 1));
    world.events.clear();
    world.attach(1);
    assert_eq!(
        world.state(1),
        Some(State::Registered),
        "{:?}",
        world.events
    );
    assert_eq!((world.hss.airs.len(), world.hss.ulrs.len()), (1, 2));
    assert!(world.has(|e| matches!(e, Event::AttachStarted { known: true, .. })));
    let new = world.context(1).unwrap();
    assert_ne!(new.mme_ue_id, old.mme_ue_id);
    assert_ne!(new.guti, old_guti);
    assert_eq!(world.mme.contexts().count(), 1);
    assert_eq!(world.mme.sessions().count(), 1);
}

/// TS 24.301 §5.5.1.2.7 f): a UE that is registered and attaches again replaces itself.
#[test]
fn a_genuine_second_attach_replaces_the_first() {
    let mut world = World::new();
    world.attached(1);
    let first = world.context(1).unwrap();
    let moved = world.phones.remove(&1).unwrap();
    let mut again = Phone::new(moved.imsi);
    again.identity = Some(MobileIdentity::Imsi(moved.imsi));
    world.phones.insert(2, again);
    world.attach(2);
    let second = world.context(1).unwrap();
    assert_eq!(second.state, State::Registered);
    assert_ne!(second.mme_ue_id, first.mme_ue_id);
    assert!(world.has(|e| matches!(
        e,
        Event::Detached {
            reason: DetachReason::Replaced,
            ..
        }
    )));
    // Its old session went before the new one came.
    assert_eq!(world.pgw.deletes.len(), 1);
    assert_eq!(world.mme.sessions().count(), 1);
    assert_eq!(world.mme.contexts().count(), 1);
    let released = world.s1.iter().any(|m| {
        matches!(
            m,
            S1::UeContextReleaseCommand {
                enb_ue_id: 1,
                cause: ReleaseCause::InteractionWithOtherProcedure,
                ..
            }
        )
    });
    assert!(released);
    // The key set differs from the stored one.
    assert_ne!(world.phones[&2].ksi, Ksi::new(0).unwrap());
}

#[test]
fn a_guti_of_nobody_is_asked_for_its_imsi() {
    let mut world = World::new();
    let guti = heiiki_types::Guti {
        plmn: world.mme.config().plmn,
        mme_group_id: 1,
        mme_code: 1,
        m_tmsi: 0xc000_0001,
    };
    world.phone(1).guti = Some(guti);
    world.attach(1);
    assert_eq!(
        world.state(1),
        Some(State::Registered),
        "{:?}",
        world.events
    );
    assert!(world.has(|e| matches!(
        e,
        Event::AttachStarted {
            imsi: None,
            known: false,
            ..
        }
    )));
    assert!(matches!(
        world.phones[&1].received[0].1,
        Message::IdentityRequest(_)
    ));
    // What came without a valid MAC is shown back to the UE as a hash (TS 24.301 §5.4.3.2).
    let pdu = {
        let mut phone = Phone::new(imsi(1));
        phone.guti = Some(guti);
        phone.attach_request()
    };
    let command = world.phones[&1].received.iter().find_map(|(_, m)| match m {
        Message::SecurityModeCommand(c) => Some(c.hash_mme),
        _ => None,
    });
    assert_eq!(command.unwrap(), Some(Phone::hash_of(&pdu)));
}

#[test]
fn a_known_guti_with_a_wrong_mac_is_asked_too_and_the_victim_stays() {
    let mut world = World::new();
    world.attached(1);
    let victim = world.context(1).unwrap();
    let mut thief = Phone::new(imsi(2));
    thief.guti = world.phones[&1].guti;
    thief.ksi = world.phones[&1].ksi;
    thief.context = Some(heiiki_nas::security::NasSecurityContext::new(
        &heiiki_types::Key256::new([9; 32]),
        heiiki_nas::security::Eea::Eea2,
        heiiki_nas::security::Eia::Eia2,
        thief.ksi,
    ));
    world.phones.insert(2, thief);
    world.attach(2);
    assert_eq!(world.context(1), Some(victim));
    assert_eq!(world.state(2), Some(State::Registered));
    assert!(world.pgw.deletes.is_empty());
}

#[test]
fn an_unanswered_identity_request_is_repeated_four_times() {
    let mut world = World::new();
    world.phone(1).guti = Some(heiiki_types::Guti {
        plmn: world.mme.config().plmn,
        mme_group_id: 1,
        mme_code: 1,
        m_tmsi: 5,
    });
    world.phone(1).identity = None;
    world.attach(1);
    world.wait(Duration::from_secs(24));
    assert_eq!(world.phones[&1].received.len(), 5);
    assert_eq!(world.mme.contexts().count(), 1);
    world.wait(Duration::from_secs(6));
    assert_eq!(world.phones[&1].received.len(), 5);
    assert_eq!(world.mme.contexts().count(), 0);
    assert!(matches!(
        world.s1.last(),
        Some(S1::UeContextReleaseCommand { .. })
    ));
}

#[test]
fn a_ue_without_any_identity_is_rejected() {
    let mut world = World::new();
    world.phone(1).guti = Some(heiiki_types::Guti {
        plmn: world.mme.config().plmn,
        mme_group_id: 9,
        mme_code: 9,
        m_tmsi: 5,
    });
    world.phone(1).identity = Some(MobileIdentity::NoIdentity);
    world.attach(1);
    assert!(world.has(|e| matches!(
        e,
        Event::AttachRejected {
            cause: 9,
            protected: false,
            ..
        }
    )));
}

/// TS 24.301 §6.6.1.2: what the UE hides is asked for once the way is protected.
#[test]
fn esm_information_is_asked_for_under_security() {
    let mut world = World::new();
    world.phone(1).hide_esm = true;
    world.phone(1).apn = Some(apn("corp.example"));
    world.attach(1);
    assert_eq!(
        world.state(1),
        Some(State::Registered),
        "{:?}",
        world.events
    );
    assert!(matches!(
        world.phones[&1].received_esm[0].body,
        esm::Body::EsmInformationRequest
    ));
    assert_eq!(world.pgw.creates[0].apn, apn("corp.example"));
}

#[test]
fn an_unanswered_esm_information_request_is_repeated_twice() {
    let mut world = World::new();
    world.phone(1).hide_esm = true;
    world.phone(1).answers_esm = false;
    world.attach(1);
    world.wait(Duration::from_secs(11));
    assert_eq!(world.phones[&1].received_esm.len(), 3);
    assert_eq!(world.state(1), Some(State::AwaitingEsm));
    world.wait(Duration::from_secs(1));
    let refused = |e: &Event| {
        matches!(
            e,
            Event::AttachRejected {
                cause: 19,
                esm_cause: Some(53),
                protected: true,
                ..
            }
        )
    };
    assert!(world.has(refused));
    assert_eq!(world.mme.contexts().count(), 0);
}

#[test]
fn attach_complete_and_the_bearer_may_come_in_either_order() {
    let mut world = World::new();
    world.enb_answers = false;
    world.attach(1);
    assert_eq!(world.state(1), Some(State::AwaitingComplete));
    let context = world.context(1).unwrap();
    let mme_ue_id = context.mme_ue_id;
    let ebi = heiiki_types::Ebi::FIRST;
    let response = S1::InitialContextSetupResponse {
        enb_ue_id: 1,
        mme_ue_id,
        ebi,
        enb_f_teid: enb_end(1),
    };
    world.s1_input(response.clone());
    assert_eq!(world.state(1), Some(State::Registered));
    // A second one changes nothing.
    let before = world.context(1);
    world.s1_input(response);
    assert_eq!(world.context(1), before);
}

#[test]
fn an_enb_that_never_sets_the_context_up_ends_the_attach() {
    let mut world = World::new();
    world.enb_answers = false;
    world.attach(1);
    world.wait(Duration::from_secs(11));
    assert_eq!(world.mme.contexts().count(), 0);
    assert_eq!(world.pgw.deletes.len(), 1);
    assert_eq!(world.mme.sessions().count(), 0);
}

#[test]
fn a_failed_context_setup_ends_the_attach() {
    let mut world = World::new();
    world.enb_answers = false;
    world.phone(1).completes = false;
    world.attach(1);
    let mme_ue_id = world.context(1).unwrap().mme_ue_id;
    let cause = ReleaseCause::Unspecified;
    world.s1_input(S1::InitialContextSetupFailure {
        enb_ue_id: 1,
        mme_ue_id,
        cause,
    });
    assert_eq!(
        (world.mme.contexts().count(), world.mme.sessions().count()),
        (0, 0)
    );
}

/// TS 24.301 §5.5.1.2.7 c): the fifth expiry of T3450 ends the attach.
#[test]
fn attach_accept_is_repeated_four_times() {
    let mut world = World::new();
    world.phone(1).completes = false;
    world.attach(1);
    let accepts = |world: &World| {
        let received = &world.phones[&1].received;
        received
            .iter()
            .filter(|(_, m)| matches!(m, Message::AttachAccept(_)))
            .count()
    };
    assert_eq!(accepts(&world), 1);
    world.wait(Duration::from_secs(24));
    assert_eq!(accepts(&world), 5);
    assert_eq!(world.state(1), Some(State::AwaitingComplete));
    world.wait(Duration::from_secs(6));
    assert_eq!((accepts(&world), world.mme.contexts().count()), (5, 0));
    assert_eq!(
        (world.pgw.deletes.len(), world.mme.sessions().count()),
        (1, 0)
    );
}

/// TS 24.301 §5.5.1.2.7 d) and e): the same request again is no new one.
#[test]
fn a_repeated_attach_request_is_not_a_second_attach() {
    let mut world = World::new();
    world.phone(1).completes = false;
    let pdu = world.phone(1).attach_request();
    world.initial(1, pdu.clone());
    assert_eq!(world.mme.contexts().count(), 1);
    world.initial(1, pdu.clone());
    // The accept is sent again, and no second vector is spent.
    let received = &world.phones[&1].received;
    let accepts = received
        .iter()
        .filter(|(_, m)| matches!(m, Message::AttachAccept(_)))
        .count();
    assert_eq!(
        (accepts, world.hss.airs.len(), world.mme.contexts().count()),
        (2, 1, 1)
    );
    let mut silent = World::new();
    silent.phone(1).usim.push_back(super::phone::Usim::Silent);
    silent.initial(1, pdu.clone());
    silent.initial(1, pdu);
    assert_eq!(
        (silent.hss.airs.len(), silent.mme.contexts().count()),
        (1, 1)
    );
}

#[test]
fn another_attach_request_on_the_same_connection_starts_anew() {
    let mut world = World::new();
    world.phone(1).usim.push_back(super::phone::Usim::Silent);
    world.attach(1);
    world.phone(1).attach_type = AttachRequest::COMBINED_ATTACH;
    world.attach(1);
    assert_eq!(world.state(1), Some(State::Registered));
    assert_eq!(world.mme.contexts().count(), 1);
    // There is no circuit-switched domain to attach to.
    let (_, Message::AttachAccept(accept)) = world.phones[&1].last() else {
        panic!()
    };
    assert_eq!(accept.emm_cause, Some(EmmCause::CS_DOMAIN_NOT_AVAILABLE));
}

#[test]
fn a_lost_connection_ends_an_attach_in_flight() {
    let mut world = World::new();
    world.phone(1).usim.push_back(super::phone::Usim::Silent);
    world.attach(1);
    let mme_ue_id = world.mme.contexts().next().unwrap().mme_ue_id;
    let cause = ReleaseCause::RadioConnectionLost;
    world.s1_input(S1::UeContextReleaseRequest {
        enb_ue_id: 1,
        mme_ue_id,
        cause,
    });
    assert_eq!(world.mme.contexts().count(), 0);
    assert_eq!(world.mme.poll_timeouts(), 0);
}

#[test]
fn emergency_attaches_and_requests_without_a_session_are_refused() {
    let mut world = World::new();
    world.phone(1).attach_type = AttachRequest::EMERGENCY_ATTACH;
    world.attach(1);
    assert!(world.has(|e| matches!(e, Event::AttachRejected { cause: 5, .. })));
    // An ATTACH REQUEST whose rest cannot be read.
    world.initial(2, vec![0x07, 0x41, 0x71]);
    assert!(world.has(|e| matches!(e, Event::AttachRejected { cause: 96, .. })));
    assert_eq!(world.mme.contexts().count(), 0);
}

/// The node is full: cause 22 with a back-off, and nobody else is touched.
#[test]
fn overload_is_congestion() {
    let mut config = config();
    config.limits.ues = 2;
    let mut world = World::with(config);
    world.attached(1);
    world.attached(2);
    world.attach(3);
    assert!(world.has(|e| matches!(e, Event::Overload { limit: "ues" })));
    let rejected = |e: &Event| {
        matches!(
            e,
            Event::AttachRejected {
                cause: 22,
                protected: false,
                back_off_s: Some(30..=300),
                ..
            }
        )
    };
    assert!(world.has(rejected));
    let (_, Message::AttachReject(reject)) = world.phones[&3].last() else {
        panic!()
    };
    assert!(reject.t3346.is_some());
    assert_eq!(world.mme.contexts().count(), 2);
    // A detached UE makes room.
    let detach = world.phone(1).detach_request(true);
    world.uplink(1, detach);
    world.attach(3);
    assert_eq!(world.state(3), Some(State::Registered));
}

#[test]
fn strangers_have_a_limit_of_their_own() {
    let mut config = config();
    config.limits.unproven = 1;
    let mut world = World::with(config);
    world.attached(1);
    world.phone(2).usim.push_back(super::phone::Usim::Silent);
    world.attach(2);
    world.attach(3);
    assert!(world.has(|e| matches!(e, Event::AttachRejected { cause: 22, .. })));
    // The UE that is in stays in, whatever strangers do.
    assert_eq!(world.state(1), Some(State::Registered));
}

#[test]
fn only_a_bounded_number_of_detached_contexts_is_kept() {
    let mut config = config();
    config.limits.detached = 2;
    let mut world = World::with(config);
    for n in 1..=4 {
        world.attached(n);
        let detach = world.phone(n).detach_request(true);
        world.uplink(n, detach);
    }
    assert_eq!(world.mme.contexts().count(), 2);
    assert!(
        world
            .mme
            .contexts()
            .all(|c| c.state == State::Deregistered && c.session.is_none())
    );
}

#[test]
fn the_pdn_type_is_what_ue_and_subscription_share() {
    let mut world = World::new();
    world.phone(1).pdn_type = PdnType::V4V6;
    world.attach(1);
    let (_, Message::AttachAccept(accept)) = world.phones[&1].last() else {
        panic!()
    };
    let container = esm::decode(&accept.esm_container, heiiki_nas::Direction::Downlink).unwrap();
    let esm::Body::ActivateDefaultEpsBearerContextRequest(activate) = container.body else {
        panic!();
    };
    // The UE asked for both and is told why it got one.
    assert_eq!(activate.esm_cause, Some(esm::EsmCause(50)));
    world.phone(2).pdn_type = PdnType::V6;
    world.attach(2);
    let only_v4 = |e: &Event| {
        matches!(
            e,
            Event::AttachRejected {
                cause: 19,
                esm_cause: Some(50),
                ..
            }
        )
    };
    assert!(world.has(only_v4));
}

#[test]
fn a_subscription_without_limits_is_taken_as_it_is() {
    let mut world = World::new();
    let mut subscription = subscription();
    subscription.ue_ambr = None;
    world.hss.subscription = Some(subscription);
    world.attach(1);
    assert_eq!(world.state(1), Some(State::Registered));
}

#[test]
fn timers_of_the_configuration_are_used() {
    let mut config = config();
    config.timers = Timers::default().with(Timer::T3450, Duration::from_millis(100));
    let mut world = World::with(config);
    world.phone(1).completes = false;
    world.attach(1);
    world.wait(Duration::from_millis(500));
    assert_eq!(world.mme.contexts().count(), 0);
}

/// A second PDN connection and the end of the only one are refused, and nothing changes.
#[test]
fn one_pdn_connection_is_what_a_ue_has() {
    let mut world = World::new();
    world.attached(1);
    let connect = [0x02, 0x05, 0xd0, 0x11];
    let pdu = world
        .phone(1)
        .protect(SecurityHeader::IntegrityCiphered, &connect);
    world.uplink(1, pdu);
    let esm::Body::PdnConnectivityReject(reject) = &world.phones[&1].received_esm[0].body else {
        panic!("{:?}", world.phones[&1].received_esm);
    };
    assert_eq!(reject.cause, esm::EsmCause(65));
    let disconnect = [0x02, 0x06, 0xd2, 0x05];
    let pdu = world
        .phone(1)
        .protect(SecurityHeader::IntegrityCiphered, &disconnect);
    world.uplink(1, pdu);
    let esm::Body::PdnDisconnectReject(reject) = &world.phones[&1].received_esm[1].body else {
        panic!("{:?}", world.phones[&1].received_esm);
    };
    assert_eq!(reject.cause, esm::EsmCause(49));
    assert_eq!(world.state(1), Some(State::Registered));
}

#[test]
fn a_ue_that_refuses_its_bearer_is_detached() {
    let mut world = World::new();
    world.phone(1).accepts_bearer = false;
    world.attach(1);
    assert!(world.mme.sessions().next().is_none());
    assert!(matches!(
        world.phones[&1].last().1,
        Message::DetachRequestToUe(_)
    ));
    assert_eq!(world.pgw.deletes.len(), 1);
}
