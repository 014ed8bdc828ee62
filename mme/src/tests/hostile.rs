use heiiki_gtp::u;
use heiiki_types::{ConnId, Datagram, Rng, StreamInput};

use super::phone::Usim;
use super::world::{ENB, World, address, ecgi, tai};
use crate::s1::Message as S1;
use crate::{Event, Input, State};

/// One change to `octets`: a bit, a cut, an insertion or noise.
fn mutate(rng: &mut Rng, octets: &mut Vec<u8>) {
    let len = u64::try_from(octets.len()).unwrap();
    let at = usize::try_from(rng.below(len.max(1))).unwrap();
    match rng.below(5) {
        0 if !octets.is_empty() => octets[at] ^= 1 << rng.below(8),
        1 => octets.truncate(at),
        2 => octets.insert(at.min(octets.len()), rng.octets::<1>()[0]),
        3 if !octets.is_empty() => octets[at] = rng.octets::<1>()[0],
        _ => octets.extend(rng.octets::<3>()),
    }
}

/// Every kind of PDU that a UE sends.
fn samples() -> Vec<Vec<u8>> {
    let mut events = Vec::new();
    for usim in [Usim::SynchFailure([7; 14]), Usim::MacFailure, Usim::Wrong] {
        let mut world = World::new();
        world.phone(1).hide_esm = true;
        world.phone(1).usim.push_back(usim);
        world.attach(1);
        if usim == Usim::SynchFailure([7; 14]) {
            let detach = world.phone(1).detach_request(false);
            world.uplink(1, detach);
            world.attach(1);
        }
        events.append(&mut world.events);
    }
    let uplink = events.into_iter().filter_map(|e| match e {
        Event::Nas {
            direction: crate::Direction::Uplink,
            wire,
            ..
        } => Some(wire),
        _ => None,
    });
    uplink.collect()
}

/// Goal: no NAS PDU makes the node panic or touches a registered UE. Method: mutations of every PDU
/// that a UE sends, on connections of strangers and on the victim's own.
#[test]
fn mutated_nas_never_harms_a_registered_ue() {
    let mut world = World::new();
    world.attached(1);
    let before = world.context(1);
    let mme_ue_id = before.as_ref().unwrap().mme_ue_id;
    let samples = samples();
    assert!(samples.len() >= 12);
    let mut rng = Rng::from_seed(7);
    let mut begun = 0;
    for n in 0..50_000_u32 {
        let pick = usize::try_from(rng.below(u64::try_from(samples.len()).unwrap())).unwrap();
        let mut nas = samples[pick].clone();
        for _ in 0..=rng.below(3) {
            mutate(&mut rng, &mut nas);
        }
        let (tai, ecgi) = (tai(), ecgi());
        let message = if rng.chance(0.5) {
            S1::InitialUeMessage {
                enb_ue_id: 100 + n % 50,
                tai,
                ecgi,
                nas,
            }
        } else {
            S1::UplinkNasTransport {
                enb_ue_id: 1,
                mme_ue_id,
                nas,
                tai,
                ecgi,
            }
        };
        world.s1_input(message);
        begun += usize::from(world.has(|e| matches!(e, Event::AttachStarted { .. })));
        world.events.clear();
        world.s1.clear();
    }
    assert_eq!(world.context(1), before);
    // Enough of them were still good enough to begin something.
    assert!(begun > 500, "{begun}");
    assert!(world.mme.contexts().count() < 200);
    world.wait(core::time::Duration::from_mins(2));
    assert_eq!(
        world
            .mme
            .contexts()
            .filter(|c| c.state != State::Registered)
            .count(),
        0
    );
    let detach = world.phone(1).detach_request(false);
    world.uplink(1, detach);
    assert_eq!(world.state(1), Some(State::Deregistered));
}

/// The same for the datagrams of both user plane sides and of the gateway, and for S6a.
#[test]
fn mutated_datagrams_never_panic() {
    let mut world = World::new();
    world.attached(1);
    let s = world.context(1).unwrap().session.unwrap();
    let gpdu = [&u::encode_gpdu_header(s.s1u, 4)[..], b"data"].concat();
    let error = u::encode(&u::Message::ErrorIndication {
        seq: 0,
        teid: s.pgw_u.unwrap().teid,
        peer: address("127.0.0.9:0").ip(),
        udp_port: None,
    });
    let create = heiiki_gtp::c::encode(
        heiiki_gtp::c::Header {
            message_type: heiiki_gtp::c::MessageType::CREATE_SESSION_RESPONSE,
            teid: Some(s.s5c.get()),
            sequence: 1,
            piggybacked: false,
        },
        &heiiki_gtp::c::Message::CreateSessionResponse(heiiki_gtp::c::CreateSessionResponse::new(
            heiiki_gtp::c::Cause::REQUEST_ACCEPTED.into(),
        )),
    );
    let mut rng = Rng::from_seed(8);
    for _ in 0..50_000 {
        let mut payload = match rng.below(3) {
            0 => gpdu.clone(),
            1 => error.clone(),
            _ => create.clone(),
        };
        mutate(&mut rng, &mut payload);
        let local = address("127.0.0.2:2152");
        let remote = address("127.0.0.9:2152");
        let input = match rng.below(3) {
            0 => Input::S1u(Datagram {
                local,
                remote,
                payload,
            }),
            1 => Input::S5u(Datagram {
                local,
                remote,
                payload,
            }),
            _ => Input::S5c(Datagram {
                local,
                remote: address("127.0.0.3:2123"),
                payload,
            }),
        };
        world.input(input);
        (world.s1u, world.s5u, world.events) = (Vec::new(), Vec::new(), Vec::new());
    }
    assert_eq!(world.state(1), Some(State::Registered));
}

#[test]
fn noise_on_s6a_closes_the_connection_and_nothing_else() {
    let mut world = World::new();
    world.attached(1);
    let before = world.context(1);
    let mut rng = Rng::from_seed(9);
    for n in 0..200 {
        let octets = Vec::from(rng.octets::<64>());
        world.input(Input::S6a(StreamInput::Data {
            conn: ConnId::initiated(n),
            octets,
        }));
    }
    assert_eq!(world.context(1), before);
}

#[test]
fn messages_of_the_wrong_side_are_ignored() {
    let mut world = World::new();
    let ids = (1, 2);
    let nas = Vec::new();
    for message in [
        S1::DownlinkNasTransport {
            enb_ue_id: ids.0,
            mme_ue_id: ids.1,
            nas: nas.clone(),
        },
        S1::UeContextReleaseComplete {
            enb_ue_id: ids.0,
            mme_ue_id: ids.1,
        },
    ] {
        world.input(Input::S1 { enb: ENB, message });
        assert!(world.s1.is_empty());
    }
    // A UE that is not here is released at the eNB.
    world.s1_input(S1::UplinkNasTransport {
        enb_ue_id: 1,
        mme_ue_id: 2,
        nas,
        tai: tai(),
        ecgi: ecgi(),
    });
    assert!(matches!(
        world.s1[0],
        S1::UeContextReleaseCommand {
            enb_ue_id: 1,
            mme_ue_id: 2,
            ..
        }
    ));
}

#[test]
fn a_pdu_beyond_the_limit_is_not_read() {
    let mut world = World::new();
    let mut nas = world.phone(1).attach_request();
    nas.resize(5_000, 0);
    world.initial(1, nas);
    assert!(world.has(|e| matches!(
        e,
        Event::NasDropped {
            why: "longer than the limit",
            ..
        }
    )));
    assert_eq!(world.mme.contexts().count(), 0);
}

/// The same inputs give the same outputs.
#[test]
fn a_run_repeats() {
    let run = || {
        let mut world = World::new();
        for n in 1..5 {
            world.attach(n);
        }
        world.cancel(2, 2, 1);
        world.events
    };
    assert_eq!(run(), run());
}
