use core::net::Ipv4Addr;

use heiiki_gtp::u;
use heiiki_types::{Duration, Teid};
use serde_json::Value;

use super::bed::{
    Bed, INTRANET, OTHER_SGW, RED, SGW, STRANGER, Tunnel, config, imsi, udp, udp_with,
};
use crate::{Refusal, UeToUe};

fn v4(a: u8, b: u8, c: u8, d: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

/// Sends a packet and says why it was refused, or that it passed.
fn verdict(bed: &mut Bed, tunnel: &Tunnel, packet: &[u8]) -> Option<&'static str> {
    let count = |v: &Value, r: Refusal| v[r.name()].as_u64().unwrap_or(0);
    let before = bed.refusals();
    let passed = bed.sgi.len();
    bed.uplink(tunnel, packet);
    let after = bed.refusals();
    let mut reasons = Refusal::ALL.into_iter();
    let reason = reasons.find(|r| count(&after, *r) > count(&before, *r));
    assert_eq!(reason.is_none(), bed.sgi.len() == passed + 1);
    reason.map(Refusal::name)
}

/// The ICMP type and code that came back to the UE.
fn icmp(bed: &mut Bed, tunnel: &Tunnel) -> Option<(u8, u8)> {
    let mut received = bed.received(tunnel);
    assert!(received.len() <= 1);
    let packet = received.pop()?;
    // Read by an independent parser, which checks the checksums' place but not them.
    let parsed = etherparse::SlicedPacket::from_ip(&packet).unwrap();
    let Some(etherparse::TransportSlice::Icmpv4(icmp)) = parsed.transport else {
        panic!("not ICMP");
    };
    assert_eq!(icmp.checksum(), icmp_checksum(icmp.slice()));
    Some((icmp.type_u8(), icmp.code_u8()))
}

fn icmp_checksum(octets: &[u8]) -> u16 {
    let mut copy = octets.to_vec();
    copy[2..4].fill(0);
    etherparse::checksum::Sum16BitWords::new()
        .add_slice(&copy)
        .ones_complement()
        .to_be()
}

#[test]
fn what_a_tenant_forbids_is_answered_and_the_rest_is_silent() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let own = tunnel.address;
    let prohibited = Some((3, 13));
    let exceeded = Some((11, 0));
    let cases = [
        (udp(own, INTRANET, 80), None, None),
        (
            udp(own, v4(203, 0, 113, 1), 443),
            Some("not_declared"),
            prohibited,
        ),
        (
            udp(own, v4(10, 21, 0, 1), 80),
            Some("not_declared"),
            prohibited,
        ),
        (
            udp(own, v4(127, 0, 0, 1), 80),
            Some("not_declared"),
            prohibited,
        ),
        (
            udp(own, v4(10, 20, 0, 77), 80),
            Some("ue_to_ue"),
            prohibited,
        ),
        (udp(own, v4(10, 99, 0, 1), 80), Some("cross_tenant"), None),
        (
            udp(own, v4(172, 31, 4, 4), 80),
            Some("infrastructure"),
            None,
        ),
        (udp(own, v4(192, 0, 2, 1), 80), Some("infrastructure"), None),
        (
            udp(own, v4(192, 0, 2, 11), 80),
            Some("infrastructure"),
            None,
        ),
        (udp(own, SGW, 80), Some("infrastructure"), None),
        (udp(own, v4(10, 20, 0, 1), 80), Some("infrastructure"), None),
        (udp(own, INTRANET, 2152), Some("tunnel_in_tunnel"), None),
        (udp(own, INTRANET, 2123), Some("tunnel_in_tunnel"), None),
        (udp(own, v4(239, 1, 1, 1), 80), Some("multicast"), None),
        (
            udp(own, v4(255, 255, 255, 255), 80),
            Some("multicast"),
            None,
        ),
        (
            udp(v4(10, 20, 0, 3), INTRANET, 80),
            Some("spoofed_source"),
            None,
        ),
        (
            udp_with(own, INTRANET, (1, 80), b"", 1),
            Some("ttl_expired"),
            exceeded,
        ),
    ];
    for (packet, reason, answer) in cases {
        let text = alloc::format!("{packet:?}");
        assert_eq!(verdict(&mut bed, &tunnel, &packet), reason, "{text}");
        assert_eq!(icmp(&mut bed, &tunnel), answer, "{text}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn lies_fragments_and_options() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let good = udp(tunnel.address, INTRANET, 80);
    let fixed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut packet = good.clone();
        change(&mut packet);
        packet[10..12].fill(0);
        let header = usize::from(packet[0] & 15) * 4;
        let end = header.min(packet.len());
        let sum = etherparse::checksum::Sum16BitWords::new().add_slice(&packet[..end]);
        let sum = sum.ones_complement().to_be().to_be_bytes();
        packet[10..12].copy_from_slice(&sum);
        packet
    };
    let length = |n: u16| move |p: &mut Vec<u8>| p[2..4].copy_from_slice(&n.to_be_bytes());
    let fragment = |n: u16| move |p: &mut Vec<u8>| p[6..8].copy_from_slice(&n.to_be_bytes());
    let malformed = Some("malformed_packet");
    for (packet, reason) in [
        (fixed(&|_| {}), None),
        (fixed(&length(32)), malformed),
        (fixed(&length(34)), malformed),
        (fixed(&|p| p[0] = 0x44), malformed),
        (fixed(&|p| p[0] = 0x4f), malformed),
        (fixed(&|p| p[0] = 0x75), malformed),
        (good[..20].to_vec(), malformed),
        (Vec::new(), malformed),
        // The checksum is wrong.
        (
            {
                let mut p = good.clone();
                p[8] ^= 1;
                p
            },
            malformed,
        ),
        // Options.
        (
            fixed(&|p| {
                p[0] = 0x46;
                p.splice(20..20, [7, 3, 4, 0]);
                p[3] += 4;
            }),
            Some("ip_options"),
        ),
        // A first fragment with the whole UDP header, and a later one.
        (
            fixed(&|p| {
                p.truncate(20 + 8);
                (p[3], p[6], p[25]) = (28, 0x20, 13);
            }),
            None,
        ),
        // Not whole units, and a datagram that ends before its last part.
        (fixed(&fragment(0x2000)), malformed),
        (
            fixed(&|p| {
                p.truncate(20 + 8);
                (p[3], p[6], p[25]) = (28, 0x20, 8);
            }),
            malformed,
        ),
        (fixed(&fragment(0x0010)), None),
        // Offset one overlaps what the check saw; a first one without the header hides it.
        (fixed(&fragment(0x0001)), Some("header_fragment")),
        (
            fixed(&|p| {
                p.truncate(20);
                p.extend([0; 8]);
                (p[3], p[6], p[9]) = (28, 0x20, 6);
            }),
            Some("header_fragment"),
        ),
    ] {
        assert_eq!(verdict(&mut bed, &tunnel, &packet), reason, "{packet:?}");
    }
    let mut v6 = Vec::new();
    etherparse::PacketBuilder::ipv6([0xfd; 16], [0xfd; 16], 64)
        .udp(1, 2)
        .write(&mut v6, b"x")
        .unwrap();
    assert_eq!(verdict(&mut bed, &tunnel, &v6), Some("spoofed_source"));
}

#[test]
fn a_hop_is_counted_and_the_checksum_stays_right() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    for ttl in 2..=255 {
        bed.uplink(
            &tunnel,
            &udp_with(tunnel.address, INTRANET, (1, 2), b"abc", ttl),
        );
        let (_, packet) = bed.sgi.pop().unwrap();
        assert_eq!(
            packet,
            udp_with(tunnel.address, INTRANET, (1, 2), b"abc", ttl - 1)
        );
        bed.downlink(
            RED,
            &udp_with(INTRANET, tunnel.address, (1, 2), b"abc", ttl),
        );
        let packet = bed.received(&tunnel).pop().unwrap();
        assert_eq!(
            packet,
            udp_with(INTRANET, tunnel.address, (1, 2), b"abc", ttl - 1)
        );
    }
}

#[test]
fn ues_reach_each_other_only_where_the_tenant_says_so() {
    for (policy, workers_apart) in [
        (UeToUe::Allow, true),
        (UeToUe::Allow, false),
        (UeToUe::Deny, true),
    ] {
        let mut config = config();
        config.tenants[0].ue_to_ue = policy;
        let mut bed = Bed::new(config);
        let a = bed.create(imsi(1), "red.corp").unwrap();
        let mut b = bed.create(imsi(2), "red.corp").unwrap();
        if !workers_apart {
            b = bed.create(imsi(3), "red.corp").unwrap();
        }
        assert_eq!(a.worker() != b.worker(), workers_apart);
        bed.uplink(&a, &udp(a.address, b.address, 9));
        let expected = usize::from(policy == UeToUe::Allow);
        let packets = bed.received(&b);
        assert_eq!(packets.len(), expected);
        assert!(
            packets
                .iter()
                .all(|p| *p == udp_with(a.address, b.address, (4000, 9), b"hello", 63))
        );
        // Nobody is there.
        bed.uplink(&a, &udp(a.address, v4(10, 20, 0, 200), 9));
        assert!(bed.sgi.is_empty());
    }
}

#[test]
fn downlink_comes_from_declared_sources_to_living_sessions() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    bed.downlink(RED, &udp(v4(203, 0, 113, 1), tunnel.address, 9));
    bed.downlink(RED, &udp(INTRANET, v4(10, 20, 0, 99), 9));
    bed.downlink(RED, &udp(INTRANET, v4(10, 77, 0, 99), 9));
    bed.downlink(RED, &udp_with(INTRANET, tunnel.address, (1, 2), b"", 1));
    bed.downlink(RED, b"");
    assert!(bed.s5u.is_empty());
    let refused = bed.refusals();
    assert_eq!(refused["undeclared_source"], 1);
    assert_eq!(refused["no_session"], 2);
    assert_eq!(refused["ttl_expired"], 1);
    assert_eq!(refused["malformed_packet"], 1);
}

#[test]
fn the_outer_side_is_checked() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let packet = udp(tunnel.address, INTRANET, 9);
    bed.uplink_from(OTHER_SGW, &tunnel, &packet);
    bed.uplink_from(STRANGER, &tunnel, &packet);
    let mut guess = tunnel;
    guess.pgw_u.teid = Teid::new(tunnel.pgw_u.teid.get() ^ 1 << 22).unwrap();
    bed.uplink_from(STRANGER, &guess, &packet);
    bed.send_u(STRANGER, 0, u::encode(&u::Message::EchoRequest { seq: 1 }));
    assert!(bed.sgi.is_empty() && bed.s5u.is_empty());
    // A listed SGW hears that the TEID is unknown (TS 29.281 §7.3.1).
    bed.uplink(&guess, &packet);
    let indication = bed.s5u.pop().unwrap();
    let told = u::decode(&indication.payload).unwrap();
    let u::Message::ErrorIndication { teid, peer, .. } = told else {
        panic!("{told:?}");
    };
    assert_eq!((teid, peer), (guess.pgw_u.teid, v4(192, 0, 2, 11).into()));
    bed.send_u(SGW, 0, u::encode(&u::Message::EchoRequest { seq: 7 }));
    let echo = bed.s5u.pop().unwrap();
    assert!(matches!(
        u::decode(&echo.payload),
        Ok(u::Message::EchoResponse { seq: 7 })
    ));
    bed.send_u(SGW, 0, alloc::vec![0x30, 0xff, 0, 200, 0, 0, 0, 1]);
    let refused = bed.refusals();
    assert_eq!(refused["wrong_peer"], 2);
    assert_eq!(refused["unlisted_peer"], 2);
    assert_eq!(refused["unknown_teid"], 1);
    assert_eq!(refused["malformed_gtp"], 1);
}

#[test]
fn a_packet_behind_optional_headers_is_the_same_packet() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let packet = udp(tunnel.address, INTRANET, 9);
    let message = u::Message::GPdu {
        teid: tunnel.pgw_u.teid,
        sequence: Some(9),
        payload: &packet,
    };
    bed.send_u(SGW, 0, u::encode(&message));
    assert_eq!(bed.sgi[0].1[12..], packet[12..]);
    // An extension header that nobody here understands must be (TS 29.281 §5.2.1).
    let mut octets = alloc::vec![0x34, 0xff, 0, 0];
    octets.extend(tunnel.pgw_u.teid.get().to_be_bytes());
    octets.extend([0, 0, 0, 0xc5, 1, 0, 0, 0]);
    octets.extend(&packet);
    let length = u16::try_from(octets.len() - 8).unwrap().to_be_bytes();
    octets[2..4].copy_from_slice(&length);
    bed.send_u(SGW, 0, octets);
    assert_eq!(bed.sgi.len(), 1);
    let told = bed.s5u.pop().unwrap();
    assert!(matches!(
        u::decode(&told.payload),
        Ok(u::Message::SupportedExtensionHeaders { .. })
    ));
}

#[test]
fn icmp_errors_are_rationed_and_never_answer_errors() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    for _ in 0..100 {
        bed.uplink(&tunnel, &udp(tunnel.address, v4(203, 0, 113, 1), 1));
    }
    assert_eq!(bed.received(&tunnel).len(), 10);
    bed.advance(Duration::from_secs(2));
    let mut error = Vec::new();
    let destination = v4(203, 0, 113, 1).octets();
    let builder = etherparse::PacketBuilder::ipv4(tunnel.address.octets(), destination, 64);
    let unreachable = etherparse::icmpv4::DestUnreachableHeader::Port;
    builder
        .icmpv4(etherparse::Icmpv4Type::DestinationUnreachable(unreachable))
        .write(&mut error, &[0; 28])
        .unwrap();
    bed.uplink(&tunnel, &error);
    assert!(bed.received(&tunnel).is_empty());
    let mut ping = Vec::new();
    let header = etherparse::IcmpEchoHeader { id: 1, seq: 1 };
    etherparse::PacketBuilder::ipv4(tunnel.address.octets(), destination, 64)
        .icmpv4(etherparse::Icmpv4Type::EchoRequest(header))
        .write(&mut ping, b"abc")
        .unwrap();
    bed.uplink(&tunnel, &ping);
    assert_eq!(icmp(&mut bed, &tunnel), Some((3, 13)));
}

#[test]
fn protections_that_are_off_let_through_what_they_keep_out() {
    let mut config = config();
    config.protections.source_check = false;
    config.protections.ue_isolation = false;
    config.protections.infrastructure_deny = false;
    config.protections.closed_egress = false;
    let mut bed = Bed::new(config);
    let a = bed.create(imsi(1), "red.corp").unwrap();
    let b = bed.create(imsi(2), "red.corp").unwrap();
    assert_eq!(verdict(&mut bed, &a, &udp(b.address, INTRANET, 80)), None);
    assert_eq!(
        verdict(&mut bed, &a, &udp(a.address, v4(172, 31, 0, 1), 80)),
        None
    );
    assert_eq!(verdict(&mut bed, &a, &udp(a.address, INTRANET, 2152)), None);
    assert_eq!(
        verdict(&mut bed, &a, &udp(a.address, v4(203, 0, 113, 1), 80)),
        None
    );
    bed.uplink(&a, &udp(a.address, b.address, 9));
    assert_eq!(bed.received(&b).len(), 1);
}

#[test]
fn hostile_packets_never_panic() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let packet = udp(tunnel.address, INTRANET, 9);
    let length = u16::try_from(packet.len()).unwrap();
    let mut whole = u::encode_gpdu_header(tunnel.pgw_u.teid, length).to_vec();
    whole.extend(&packet);
    for cut in 0..whole.len() {
        bed.send_u(SGW, 0, whole[..cut].to_vec());
    }
    for bit in 0..whole.len() * 8 {
        let mut octets = whole.clone();
        octets[bit / 8] ^= 1 << (bit % 8);
        bed.send_u(SGW, 0, octets);
    }
    let mut rng = heiiki_types::Rng::from_seed(5);
    for _ in 0..50_000 {
        let mut octets = whole.clone();
        for _ in 0..=rng.below(4) {
            let at = usize::try_from(rng.below(octets.len() as u64)).unwrap();
            octets[at] = rng.octets::<1>()[0];
        }
        let downlink = octets[8..].to_vec();
        bed.send_u(SGW, 0, octets);
        bed.downlink(RED, &downlink);
    }
    // Whatever passed went to a declared address and came from the session's own.
    for (tenant, packet) in &bed.sgi {
        assert_eq!(*tenant, RED);
        assert_eq!(packet[12..16], tunnel.address.octets());
        assert_eq!(packet[16..18], [10, 20]);
    }
    assert!(bed.events.len() < 5_000, "{}", bed.events.len());
}
