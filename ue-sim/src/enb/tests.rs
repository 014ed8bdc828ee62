use alloc::sync::Arc;
use alloc::vec::Vec;

use heiiki_gtp::u;
use heiiki_mme::s1::Message;
use heiiki_types::Key128;

use super::*;
use crate::Event;
use crate::bed::{ADDRESS, Bed, HOST, UE, profile};
use crate::stack::Payload;

fn datagram(bed: &Bed, payload: Vec<u8>) -> Input {
    Input::S1u(Datagram {
        local: bed.enb.config().s1u_local,
        remote: Bed::sgw().address,
        payload,
    })
}

/// The answer of an echo host to a UDP packet: addresses and ports exchanged. The checksums stay
/// right, since they are sums.
fn echo(packet: &[u8]) -> Vec<u8> {
    let mut out = packet.to_vec();
    out[12..16].copy_from_slice(&packet[16..20]);
    out[16..20].copy_from_slice(&packet[12..16]);
    out[20..22].copy_from_slice(&packet[22..24]);
    out[22..24].copy_from_slice(&packet[20..22]);
    out
}

#[test]
fn a_probe_travels_both_tunnels() {
    let mut bed = Bed::new();
    bed.attach();
    bed.command(UeCommand::UdpProbe {
        token: 3,
        dst: HOST,
        port: 7,
    });
    let sent = bed.s1u.pop_front().unwrap();
    assert_eq!(sent.remote, Bed::sgw().address);
    let (teid, range) = u::decode_gpdu(&sent.payload).unwrap();
    assert_eq!(teid, Bed::sgw().teid);
    let packet = &sent.payload[range];
    assert_eq!(packet[12..16], ADDRESS.octets());
    assert!(Payload::decode(&packet[28..]).is_some());

    let answer = echo(packet);
    let len = u16::try_from(answer.len()).unwrap();
    let own = bed.enb.downlink_teid(UE).unwrap();
    let payload = [&u::encode_gpdu_header(own, len), answer.as_slice()].concat();
    bed.now += Duration::from_millis(5);
    let input = datagram(&bed, payload);
    bed.input(input);
    let outcome = crate::ProbeOutcome::Answered { rtt_us: 5_000 };
    assert_eq!(bed.event(), Event::UdpProbeDone { token: 3, outcome });
    let counters = bed.enb.counters();
    assert_eq!((counters.uplink_packets, counters.downlink_packets), (1, 1));
    assert_eq!(bed.ue().stack().unwrap().counters().downlink_packets, 1);
}

#[test]
fn a_packet_of_no_tunnel_earns_an_error_indication() {
    let mut bed = Bed::new();
    bed.attach();
    let teid = bed.enb.downlink_teid(UE).unwrap();
    bed.release();
    bed.event();
    assert_eq!(bed.enb.downlink_teid(UE), None);
    let payload = [&u::encode_gpdu_header(teid, 1), &[0_u8][..]].concat();
    let input = datagram(&bed, payload);
    bed.input(input);
    let answer = bed.s1u.pop_front().unwrap();
    assert!(matches!(
        u::decode(&answer.payload),
        Ok(u::Message::ErrorIndication { teid: t, .. }) if t == teid
    ));
    assert_eq!(bed.enb.counters().unknown_teid, 1);
    // Uplink has no way either.
    bed.command(UeCommand::Inject { packet: [1].into() });
    assert!(bed.s1u.is_empty());
    assert_eq!(bed.enb.counters().no_tunnel, 1);
}

#[test]
fn an_echo_request_is_answered() {
    let mut bed = Bed::new();
    let payload = u::encode(&u::Message::EchoRequest { seq: 9 });
    let input = datagram(&bed, payload);
    bed.input(input);
    let answer = bed.s1u.pop_front().unwrap();
    assert_eq!(answer.remote, Bed::sgw().address);
    assert_eq!(
        u::decode(&answer.payload),
        Ok(u::Message::EchoResponse { seq: 9 })
    );
}

#[test]
fn only_the_far_end_can_break_a_tunnel() {
    let mut bed = Bed::new();
    bed.attach();
    let sgw = Bed::sgw();
    let indication = u::encode(&u::Message::ErrorIndication {
        seq: 0,
        teid: sgw.teid,
        peer: sgw.address.ip(),
        udp_port: None,
    });
    let mut forged = datagram(&bed, indication.clone());
    if let Input::S1u(d) = &mut forged {
        d.remote = "127.9.9.9:2152".parse().unwrap();
    }
    bed.input(forged);
    bed.silent();
    let input = datagram(&bed, indication);
    bed.input(input);
    assert!(matches!(
        bed.s1.pop_front(),
        Some(Message::UeContextReleaseRequest {
            cause: ReleaseCause::TransportResourceUnavailable,
            ..
        })
    ));
}

#[test]
fn an_old_connection_does_not_touch_the_new_one() {
    let mut bed = Bed::new();
    bed.request();
    let old = (bed.enb_ue_id, bed.mme_ue_id);
    bed.pass(Duration::from_secs(25));
    bed.events.clear();
    // The retry opened a second connection.
    bed.uplink();
    assert_ne!(bed.enb_ue_id, old.0);
    bed.input(Input::S1(Message::UeContextReleaseCommand {
        enb_ue_id: old.0,
        mme_ue_id: old.1,
        cause: ReleaseCause::NormalRelease,
    }));
    assert!(matches!(
        bed.s1.pop_front(),
        Some(Message::UeContextReleaseComplete { enb_ue_id, .. }) if enb_ue_id == old.0
    ));
    bed.no_event();
    assert!(bed.ue().timer(crate::timers::Timer::T3410).is_some());
}

#[test]
fn a_bearer_can_be_released_alone() {
    let mut bed = Bed::new();
    bed.attach();
    let (enb_ue_id, mme_ue_id) = (bed.enb_ue_id, bed.mme_ue_id);
    bed.input(Input::S1(Message::ErabReleaseCommand {
        enb_ue_id,
        mme_ue_id,
        ebi: heiiki_types::Ebi::FIRST,
        nas: Vec::new(),
    }));
    assert!(matches!(
        bed.s1.pop_front(),
        Some(Message::ErabReleaseResponse { .. })
    ));
    assert_eq!(bed.enb.downlink_teid(UE), None);
}

#[test]
fn a_lost_radio_link_asks_for_the_release() {
    let mut bed = Bed::new();
    bed.attach();
    bed.command(UeCommand::LoseRadio);
    assert!(matches!(
        bed.s1.pop_front(),
        Some(Message::UeContextReleaseRequest {
            cause: ReleaseCause::RadioConnectionLost,
            ..
        })
    ));
    assert_eq!(bed.event(), Event::ConnectionReleased);
    bed.release();
    bed.no_event();
}

#[test]
fn sixty_thousand_ues_fit() {
    let mut bed = Bed::new();
    let profile = Arc::new(profile());
    for i in 1..60_000_u64 {
        let imsi = alloc::format!("00101{i:010}").parse().unwrap();
        let usim = Usim::new(imsi, Key128::new([1; 16]), Key128::new([2; 16]));
        assert!(bed.enb.add_ue(profile.clone(), usim).is_some());
    }
    assert_eq!(bed.enb.ues().count(), 60_000);
    assert_eq!(bed.enb.poll_timeout(), None);
    assert!(size_of::<Slot>() <= 1_024, "{}", size_of::<Slot>());
}

#[test]
fn a_command_for_a_ue_that_is_not_there_is_refused() {
    let mut bed = Bed::new();
    bed.enb.handle_input(
        Now::default(),
        Input::Command {
            ue: UeId(99),
            command: UeCommand::Attach,
        },
    );
    assert!(matches!(
        bed.enb.poll_output(),
        Some(Output::Event {
            ue: UeId(99),
            event: Event::CommandRefused { .. }
        })
    ));
}

#[test]
fn no_s1u_octets_panic() {
    let mut bed = Bed::new();
    bed.attach();
    bed.command(UeCommand::UdpProbe {
        token: 3,
        dst: HOST,
        port: 7,
    });
    let sent = bed.s1u.pop_front().unwrap().payload;
    let answer = echo(&sent[8..]);
    let own = bed.enb.downlink_teid(UE).unwrap();
    let len = u16::try_from(answer.len()).unwrap();
    let sgw = Bed::sgw();
    let corpus = [
        [&u::encode_gpdu_header(own, len), answer.as_slice()].concat(),
        u::encode(&u::Message::GPdu {
            teid: own,
            sequence: Some(1),
            payload: &answer,
        }),
        u::encode(&u::Message::EchoRequest { seq: 9 }),
        u::encode(&u::Message::EndMarker { teid: own }),
        u::encode(&u::Message::ErrorIndication {
            seq: 0,
            teid: sgw.teid,
            peer: sgw.address.ip(),
            udp_port: None,
        }),
    ];
    let mut rng = Rng::from_seed(5);
    for _ in 0..100_000 {
        let pick = usize::try_from(rng.below(corpus.len() as u64)).unwrap();
        let mut octets = corpus[pick].clone();
        for _ in 0..=rng.below(4) {
            let i = usize::try_from(rng.below(octets.len() as u64)).unwrap();
            octets[i] ^= rng.octets::<1>()[0];
        }
        if rng.chance(0.2) {
            octets.truncate(usize::try_from(rng.below(octets.len() as u64)).unwrap());
        }
        let input = datagram(&bed, octets);
        bed.input(input);
        bed.now += Duration::from_micros(rng.below(1_000));
        bed.s1.clear();
        bed.s1u.clear();
        bed.events.clear();
    }
}
