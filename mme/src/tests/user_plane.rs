use core::time::Duration;

use heiiki_gtp::u;
use heiiki_nas::emm::{Message, NetworkDetachType};
use heiiki_types::{Datagram, Teid};

use super::world::{World, address, config, enb_end, teid};
use crate::s1::{Message as S1, ReleaseCause};
use crate::{Event, Input, SessionSnapshot, State};

fn s1u(from: &str, payload: Vec<u8>) -> Input {
    Input::S1u(Datagram {
        local: address("127.0.1.2:2152"),
        remote: address(from),
        payload,
    })
}

fn s5u(from: &str, payload: Vec<u8>) -> Input {
    Input::S5u(Datagram {
        local: address("127.0.0.2:2152"),
        remote: address(from),
        payload,
    })
}

fn g_pdu(teid: Teid, t_pdu: &[u8]) -> Vec<u8> {
    let length = u16::try_from(t_pdu.len()).unwrap();
    [&u::encode_gpdu_header(teid, length)[..], t_pdu].concat()
}

fn session(world: &World) -> SessionSnapshot {
    world.context(1).unwrap().session.unwrap()
}

#[test]
fn packets_pass_in_both_directions() {
    let mut world = World::new();
    world.attached(1);
    let s = session(&world);
    world.input(s1u("127.0.2.1:2152", g_pdu(s.s1u, b"up")));
    assert_eq!(world.s5u[0].payload, g_pdu(s.pgw_u.unwrap().teid, b"up"));
    assert_eq!(world.s5u[0].remote, address("127.0.0.3:2152"));
    assert_eq!(world.s5u[0].local, address("127.0.0.2:2152"));
    world.input(s5u("127.0.0.3:2152", g_pdu(s.s5u, b"down")));
    assert_eq!(world.s1u[0].payload, g_pdu(enb_end(1).teid, b"down"));
    assert_eq!(
        (world.s1u[0].local, world.s1u[0].remote),
        (address("127.0.1.2:2152"), enb_end(1).address)
    );
    let counters = world.mme.counters();
    assert_eq!((counters.uplink, counters.downlink), (1, 1));
}

/// TS 29.281 §5.1: sequence numbers and extension headers are of one hop.
#[test]
fn options_of_the_header_stay_on_their_hop() {
    let mut world = World::new();
    world.attached(1);
    let s = session(&world);
    let with_sequence = u::encode(&u::Message::GPdu {
        teid: s.s1u,
        sequence: Some(7),
        payload: b"up",
    });
    assert!(u::decode_gpdu(&with_sequence).is_none());
    world.input(s1u("127.0.2.1:2152", with_sequence));
    assert_eq!(world.s5u[0].payload, g_pdu(s.pgw_u.unwrap().teid, b"up"));
}

#[test]
fn only_the_peer_of_a_tunnel_may_use_it() {
    let mut world = World::new();
    world.attached(1);
    let s = session(&world);
    world.input(s1u("127.0.2.9:2152", g_pdu(s.s1u, b"up")));
    world.input(s5u("127.0.0.9:2152", g_pdu(s.s5u, b"down")));
    // The endpoint of one side does not serve on the other.
    world.input(s1u("127.0.0.3:2152", g_pdu(s.s5u, b"down")));
    let error = |d: &Datagram| {
        matches!(
            u::decode(&d.payload),
            Ok(u::Message::ErrorIndication { .. })
        )
    };
    assert!(world.s5u.is_empty());
    assert!(world.s1u.iter().all(error));
    assert_eq!(world.mme.counters().wrong_peer, 2);
}

/// TS 29.281 §7.3.1.
#[test]
fn unknown_tunnels_are_told_so_within_a_bound() {
    let mut config = config();
    config.limits.error_indications = 3;
    let mut world = World::with(config);
    for n in 1..10 {
        world.input(s1u("127.0.2.1:2152", g_pdu(teid(n), b"up")));
    }
    assert_eq!(world.s1u.len(), 3);
    let u::Message::ErrorIndication {
        teid: unknown,
        peer,
        ..
    } = u::decode(&world.s1u[0].payload).unwrap()
    else {
        panic!();
    };
    assert_eq!((unknown, peer), (teid(1), address("127.0.1.2:2152").ip()));
    world.wait(Duration::from_secs(1));
    world.input(s5u("127.0.0.3:2152", g_pdu(teid(99), b"down")));
    assert_eq!(world.s5u.len(), 1);
}

#[test]
fn a_closed_tunnel_is_silent_while_its_end_is_being_told() {
    let mut world = World::new();
    world.attached(1);
    let s = session(&world);
    world.cancel(1, 2, 1);
    world.input(s1u("127.0.2.1:2152", g_pdu(s.s1u, b"up")));
    world.input(s5u("127.0.0.3:2152", g_pdu(s.s5u, b"down")));
    assert!(world.s1u.is_empty() && world.s5u.is_empty());
    world.wait(Duration::from_mins(1));
    world.input(s1u("127.0.2.1:2152", g_pdu(s.s1u, b"up")));
    assert_eq!(world.s1u.len(), 1);
}

#[test]
fn echoes_are_answered_on_both_sides() {
    let mut world = World::new();
    let echo = u::encode(&u::Message::EchoRequest { seq: 5 });
    world.input(s1u("127.0.2.1:2152", echo.clone()));
    world.input(s5u("127.0.0.3:2152", echo));
    assert_eq!(
        u::decode(&world.s1u[0].payload),
        Ok(u::Message::EchoResponse { seq: 5 })
    );
    assert_eq!(
        u::decode(&world.s5u[0].payload),
        Ok(u::Message::EchoResponse { seq: 5 })
    );
}

#[test]
fn an_end_marker_goes_to_the_enb() {
    let mut world = World::new();
    world.attached(1);
    let s = session(&world);
    world.input(s5u(
        "127.0.0.3:2152",
        u::encode(&u::Message::EndMarker { teid: s.s5u }),
    ));
    let expected = u::Message::EndMarker {
        teid: enb_end(1).teid,
    };
    assert_eq!(u::decode(&world.s1u[0].payload), Ok(expected));
    world.input(s5u(
        "127.0.0.9:2152",
        u::encode(&u::Message::EndMarker { teid: s.s5u }),
    ));
    assert_eq!(world.s1u.len(), 1);
}

/// Downlink may flow right after the answer of the gateway; the eNB's end comes later.
#[test]
fn early_packets_wait_for_the_enb() {
    let mut config = config();
    config.limits.buffered_packets = 2;
    let mut world = World::with(config);
    world.enb_answers = false;
    world.attach(1);
    let s = session(&world);
    assert_eq!((s.uplink, s.enb), (true, None));
    for n in 1..=3 {
        world.input(s5u("127.0.0.3:2152", g_pdu(s.s5u, &[n])));
    }
    assert_eq!(session(&world).buffered, 2);
    // The first uplink packet may overtake the eNB's answer.
    world.input(s1u("127.0.2.1:2152", g_pdu(s.s1u, b"up")));
    assert_eq!(world.s5u.len(), 1);
    let mme_ue_id = world.context(1).unwrap().mme_ue_id;
    let (ebi, enb_f_teid) = (heiiki_types::Ebi::FIRST, enb_end(1));
    world.s1_input(S1::InitialContextSetupResponse {
        enb_ue_id: 1,
        mme_ue_id,
        ebi,
        enb_f_teid,
    });
    let payloads: Vec<_> = world.s1u.iter().map(|d| d.payload.clone()).collect();
    assert_eq!(
        payloads,
        [g_pdu(enb_f_teid.teid, &[2]), g_pdu(enb_f_teid.teid, &[3])]
    );
    assert_eq!(session(&world).buffered, 0);
}

#[test]
fn buffers_share_a_bound() {
    let mut config = config();
    config.limits.buffered_packets_total = 3;
    let mut world = World::with(config);
    world.enb_answers = false;
    world.attach(1);
    world.attach(2);
    for n in [1, 2] {
        let s5u_teid = world.context(n).unwrap().session.unwrap().s5u;
        for _ in 0..3 {
            world.input(s5u("127.0.0.3:2152", g_pdu(s5u_teid, b"x")));
        }
    }
    let held: Vec<_> = world.mme.sessions().map(|s| s.buffered).collect();
    assert_eq!(held, [3, 0]);
    world.cancel(1, 2, 1);
    let s5u_teid = world.context(2).unwrap().session.unwrap().s5u;
    world.input(s5u("127.0.0.3:2152", g_pdu(s5u_teid, b"x")));
    assert_eq!(world.mme.sessions().map(|s| s.buffered).sum::<usize>(), 1);
}

#[test]
fn an_idle_ue_sends_nothing_and_its_packets_wait() {
    let mut world = World::new();
    world.attached(1);
    let s = session(&world);
    let mme_ue_id = world.context(1).unwrap().mme_ue_id;
    let cause = ReleaseCause::UserInactivity;
    world.s1_input(S1::UeContextReleaseRequest {
        enb_ue_id: 1,
        mme_ue_id,
        cause,
    });
    world.input(s1u("127.0.2.1:2152", g_pdu(s.s1u, b"up")));
    assert!(world.s5u.is_empty());
    assert_eq!(world.mme.counters().idle, 1);
    world.input(s5u("127.0.0.3:2152", g_pdu(s.s5u, b"down")));
    assert_eq!(session(&world).buffered, 1);
}

/// TS 23.007 §21: counts only from the tunnel's own peer and for its TEID.
#[test]
fn an_error_indication_of_the_gateway_makes_the_ue_come_back() {
    let mut world = World::new();
    world.attached(1);
    let s = session(&world);
    let before = world.context(1);
    let pgw = s.pgw_u.unwrap();
    let error = |teid, peer: &str| {
        let peer = address(peer).ip();
        u::encode(&u::Message::ErrorIndication {
            seq: 0,
            teid,
            peer,
            udp_port: None,
        })
    };
    // From a stranger; of a stranger; of another tunnel; on the other side.
    world.input(s5u("127.0.0.9:2152", error(pgw.teid, "127.0.0.3:0")));
    world.input(s5u("127.0.0.9:2152", error(pgw.teid, "127.0.0.9:0")));
    world.input(s5u("127.0.0.3:2152", error(teid(77), "127.0.0.3:0")));
    world.input(s1u("127.0.0.3:2152", error(pgw.teid, "127.0.0.3:0")));
    assert_eq!(world.context(1), before);
    world.input(s5u("127.0.0.3:2152", error(pgw.teid, "127.0.0.3:0")));
    assert_eq!(world.mme.sessions().count(), 0);
    world.wait(Duration::from_secs(1));
    let (_, Message::DetachRequestToUe(m)) = world.phones[&1].last() else {
        panic!()
    };
    assert_eq!(m.detach_type, NetworkDetachType::ReattachRequired);
    assert!(world.has(|e| matches!(e, Event::ErrorIndication { imsi: Some(_), .. })));
}

#[test]
fn an_error_indication_of_the_enb_makes_the_ue_idle() {
    let mut world = World::new();
    world.attached(1);
    let (teid, peer) = (enb_end(1).teid, enb_end(1).address.ip());
    let error = u::encode(&u::Message::ErrorIndication {
        seq: 0,
        teid,
        peer,
        udp_port: None,
    });
    world.input(s1u("127.0.2.1:2152", error));
    let context = world.context(1).unwrap();
    assert_eq!((context.state, context.enb), (State::Registered, None));
    let s = context.session.unwrap();
    assert!(!s.uplink && s.enb.is_none());
}

#[test]
fn two_ues_do_not_mix() {
    let mut world = World::new();
    world.attached(1);
    world.attached(2);
    let of = |n| world.context(n).unwrap().session.unwrap();
    let (a, b) = (of(1), of(2));
    for s in [&a, &b] {
        world.input(s1u("127.0.2.1:2152", g_pdu(s.s1u, b"up")));
        world.input(s5u("127.0.0.3:2152", g_pdu(s.s5u, b"down")));
    }
    let teid_of = |d: &Datagram| u::decode_gpdu(&d.payload).unwrap().0;
    let up: Vec<_> = world.s5u.iter().map(teid_of).collect();
    let down: Vec<_> = world.s1u.iter().map(teid_of).collect();
    assert_eq!(up, [a.pgw_u.unwrap().teid, b.pgw_u.unwrap().teid]);
    assert_eq!(down, [a.enb.unwrap().teid, b.enb.unwrap().teid]);
}
