use core::time::Duration;

use heiiki_nas::emm::Message;
use heiiki_nas::ie::MobileIdentity;
use heiiki_nas::security::SecurityHeader;

use super::phone::{SecurityModeAnswer, Usim};
use super::world::{World, config, imsi};
use crate::s1::{Message as S1, ReleaseCause};
use crate::{Event, State};

fn rejected(world: &World, n: u32) -> bool {
    let (header, message) = world.phones[&n].last();
    let released = matches!(
        world.s1.last(),
        Some(S1::UeContextReleaseCommand {
            cause: ReleaseCause::AuthenticationFailure,
            ..
        })
    );
    *header == SecurityHeader::Plain && *message == Message::AuthenticationReject && released
}

/// TS 24.301 §5.4.2.5.
#[test]
fn a_wrong_res_is_rejected() {
    let mut world = World::new();
    world.phone(1).usim.push_back(Usim::Wrong);
    world.attach(1);
    assert!(rejected(&world, 1));
    assert!(world.has(|e| matches!(e, Event::WrongResponse { .. })));
    assert_eq!(world.mme.contexts().count(), 0);
    assert!(world.hss.ulrs.is_empty() && world.pgw.creates.is_empty());
}

/// TS 24.301 §5.4.2.7 c): the identity was right, so the keys are wrong.
#[test]
fn a_mac_failure_of_the_right_imsi_is_rejected_after_one_identification() {
    for answer in [Usim::MacFailure, Usim::NonEps] {
        let mut world = World::new();
        world.phone(1).usim.push_back(answer);
        world.attach(1);
        assert!(matches!(
            world.phones[&1].received[1].1,
            Message::IdentityRequest(_)
        ));
        assert!(rejected(&world, 1));
        assert_eq!(world.hss.airs.len(), 1);
        let cause = if answer == Usim::MacFailure { 20 } else { 26 };
        assert!(
            world.has(|e| matches!(e, Event::AuthenticationFailed { cause: c, .. } if *c == cause))
        );
    }
}

/// TS 24.301 Figure 5.4.2.7.1: the challenge was for somebody else.
#[test]
fn a_mac_failure_of_another_imsi_gets_a_new_challenge() {
    let mut world = World::new();
    let pdu = world.phone(1).attach_request();
    let other = world.phone(2);
    other.usim.push_back(Usim::MacFailure);
    other.identity = Some(MobileIdentity::Imsi(imsi(2)));
    // The UE behind number 2 is challenged as number 1.
    world.hss.vectors.insert(imsi(2), dummy(&world));
    world.initial(2, pdu);
    assert_eq!(
        world.hss.airs.iter().map(|a| a.imsi).collect::<Vec<_>>(),
        [imsi(1), imsi(2)]
    );
    assert_eq!(
        world.state(2),
        Some(State::Registered),
        "{:?}",
        world.events
    );
    assert_eq!(world.state(1), None);
}

fn dummy(world: &World) -> heiiki_diameter::s6a::EutranVector {
    let _ = world;
    heiiki_diameter::s6a::EutranVector {
        item: None,
        rand: [0; 16],
        xres: heiiki_diameter::s6a::Xres::new(&[0; 8]).unwrap(),
        autn: [0; 16],
        kasme: heiiki_types::Key256::new([0; 32]),
    }
}

#[test]
fn a_second_mac_failure_is_the_last() {
    let mut world = World::new();
    let pdu = world.phone(1).attach_request();
    let other = world.phone(2);
    other.usim.extend([Usim::MacFailure, Usim::MacFailure]);
    world.hss.vectors.insert(imsi(2), dummy(&world));
    world.initial(2, pdu);
    assert!(rejected(&world, 2));
    assert_eq!(world.hss.airs.len(), 2);
}

/// TS 24.301 §5.4.2.7 e), TS 29.272 §7.3.15: RAND and AUTS go to the HSS.
#[test]
fn a_synch_failure_is_resynchronised_once() {
    let mut world = World::new();
    world
        .phone(1)
        .usim
        .push_back(Usim::SynchFailure([0x5a; 14]));
    world.attach(1);
    assert_eq!(world.state(1), Some(State::Registered));
    assert_eq!(world.hss.airs.len(), 2);
    let challenge = world.phones[&1].received.iter().find_map(|(_, m)| match m {
        Message::AuthenticationRequest(r) => Some(r.rand),
        _ => None,
    });
    let resync = world.hss.airs[1]
        .requested_eutran
        .as_ref()
        .unwrap()
        .resync
        .unwrap();
    assert_eq!(resync[..16], challenge.unwrap());
    assert_eq!(resync[16..], [0x5a; 14]);

    let mut world = World::new();
    let twice = [Usim::SynchFailure([1; 14]), Usim::SynchFailure([2; 14])];
    world.phone(1).usim.extend(twice);
    world.attach(1);
    assert!(rejected(&world, 1));
    assert_eq!(world.hss.airs.len(), 2);
}

/// TS 24.301 §5.4.2.7 b).
#[test]
fn an_unanswered_challenge_is_repeated_four_times_and_the_same() {
    let mut world = World::new();
    world.phone(1).usim.extend([Usim::Silent; 9]);
    world.attach(1);
    world.wait(Duration::from_secs(24));
    let received = &world.phones[&1].received;
    assert_eq!(received.len(), 5);
    assert!(received.iter().all(|m| m == &received[0]));
    assert_eq!(world.hss.airs.len(), 1);
    world.wait(Duration::from_secs(6));
    assert_eq!(
        (
            world.phones[&1].received.len(),
            world.mme.contexts().count()
        ),
        (5, 0)
    );
    // A late answer finds nobody.
    let response = Message::AuthenticationResponse(heiiki_nas::emm::AuthenticationResponse {
        res: heiiki_nas::ie::Res::new(&[0; 8]).unwrap(),
    });
    world.uplink(1, response.encode());
    assert_eq!(world.mme.contexts().count(), 0);
}

#[test]
fn a_late_answer_within_the_repetitions_is_good() {
    let mut world = World::new();
    world.phone(1).usim.push_back(Usim::Silent);
    world.attach(1);
    assert_eq!(world.state(1), None);
    world.wait(Duration::from_secs(6));
    assert_eq!(world.state(1), Some(State::Registered));
}

/// TS 24.301 §5.4.3.7.
#[test]
fn an_unanswered_security_mode_command_is_repeated_four_times() {
    let mut world = World::new();
    world.phone(1).security_mode = SecurityModeAnswer::Silent;
    world.attach(1);
    world.wait(Duration::from_secs(24));
    let commands = |world: &World| {
        let received = &world.phones[&1].received;
        received
            .iter()
            .filter(|(_, m)| matches!(m, Message::SecurityModeCommand(_)))
            .count()
    };
    assert_eq!(commands(&world), 5);
    world.wait(Duration::from_secs(6));
    assert_eq!((commands(&world), world.mme.contexts().count()), (5, 0));
}

#[test]
fn a_security_mode_reject_ends_the_attempt() {
    let mut world = World::new();
    world.phone(1).security_mode = SecurityModeAnswer::Reject;
    world.attach(1);
    assert_eq!(world.mme.contexts().count(), 0);
    assert!(world.hss.ulrs.is_empty());
}

/// Never EIA0, whatever the UE or the configuration offers.
#[test]
fn a_ue_without_integrity_gets_no_service() {
    let mut config = config();
    config.eia_preference = vec![0, 2];
    let mut world = World::with(config);
    world.phone(1).capability.eia = 0x80;
    world.attach(1);
    assert!(world.has(|e| matches!(e, Event::AttachRejected { cause: 23, .. })));
    world.attach(2);
    assert!(world.has(|e| matches!(e, Event::SecurityActivated { eia: 2, eea: 2, .. })));
}

#[test]
fn ciphering_follows_the_preference() {
    for (preference, chosen) in [(vec![0, 2], 0), (vec![2, 0], 2), (vec![1, 3, 0], 0)] {
        let mut config = config();
        config.eea_preference = preference;
        let mut world = World::with(config);
        world.attach(1);
        assert!(world.has(|e| matches!(e, Event::SecurityActivated { eea, .. } if *eea == chosen)));
        assert_eq!(world.state(1), Some(State::Registered));
    }
}

/// Invariant: an attach with a victim's IMSI leaves the victim alone until it is proven.
#[test]
fn a_stranger_with_the_imsi_of_a_victim_changes_nothing() {
    for answer in [
        Usim::Wrong,
        Usim::MacFailure,
        Usim::SynchFailure([0; 14]),
        Usim::NonEps,
        Usim::Silent,
    ] {
        let mut world = World::new();
        world.attached(1);
        let victim = world.context(1);
        let thief = world.phone(9);
        thief.imsi = imsi(1);
        thief.identity = Some(MobileIdentity::Imsi(imsi(1)));
        thief.usim.extend([answer; 9]);
        world.attach(9);
        assert_eq!(world.context(1), victim, "{answer:?}");
        world.wait(Duration::from_secs(40));
        assert_eq!(world.context(1), victim, "{answer:?}");
        assert_eq!(world.mme.contexts().count(), 1);
        assert!(world.pgw.deletes.is_empty());
        // The victim's keys still work.
        let detach = world.phone(1).detach_request(false);
        world.uplink(1, detach);
        assert_eq!(world.state(1), Some(State::Deregistered));
    }
}

/// The UE cannot be taken over by an answer that comes on another connection.
#[test]
fn messages_of_another_enb_are_not_believed() {
    let mut world = World::new();
    world.attached(1);
    let before = world.context(1);
    let mme_ue_id = before.as_ref().unwrap().mme_ue_id;
    let pdu = world.phone(1).detach_request(true);
    let (tai, ecgi) = (super::world::tai(), super::world::ecgi());
    let message = S1::UplinkNasTransport {
        enb_ue_id: 2,
        mme_ue_id,
        nas: pdu,
        tai,
        ecgi,
    };
    world.s1_input(message.clone());
    assert_eq!(world.context(1), before);
    assert!(world.has(|e| matches!(e, Event::S1Ignored { .. })));
    let cause = ReleaseCause::RadioConnectionLost;
    world.s1_input(S1::UeContextReleaseRequest {
        enb_ue_id: 2,
        mme_ue_id,
        cause,
    });
    assert_eq!(world.context(1), before);
}
