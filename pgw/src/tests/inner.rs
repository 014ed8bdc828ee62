//! The packet inside the tunnel, in both families.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

use super::bed::RED;
use super::plane::{HOST4, HOST6, OUTSIDE6, Outcome, Plane, dual, udp, udp_len, ue4, ue6};
use crate::Refusal;

fn plane() -> (Plane, u32) {
    let mut plane = Plane::new(&dual());
    let session = plane.session(RED);
    (plane, session)
}

/// An IPv6 packet with these octets after its header.
fn v6(next: u8, above: &[u8]) -> Vec<u8> {
    let length = u16::try_from(above.len()).unwrap().to_be_bytes();
    let mut out = alloc::vec![0x60, 0, 0, 0, length[0], length[1], next, 64];
    out.extend(ue6(0).address().octets());
    out.extend(HOST6.octets());
    out.extend(above);
    out
}

/// A UDP header with this length field, and octets after it.
fn udp_header(length: u16, len: usize) -> Vec<u8> {
    let mut out = alloc::vec![0x0f, 0xa0, 0, 7];
    out.extend(length.to_be_bytes());
    out.extend([0, 0]);
    out.resize(len, 9);
    out
}

fn chain(headers: &[&[u8]]) -> Vec<u8> {
    headers.concat()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn headers_of_ipv6_are_walked_to_their_end() {
    let (mut plane, session) = plane();
    let whole = udp_header(12, 12);
    let options = |next: u8| [next, 0, 1, 4, 0, 0, 0, 0];
    let fragment = |next: u8, field: u16| {
        let [a, b] = field.to_be_bytes();
        [next, 0, a, b, 0, 0, 0, 1]
    };
    let long: Vec<u8> = (0..9)
        .flat_map(|n| options(if n < 8 { 60 } else { 17 }))
        .collect();
    let some: Vec<u8> = (0..8)
        .flat_map(|n| options(if n < 7 { 60 } else { 17 }))
        .collect();
    let malformed = Some(Refusal::MalformedPacket);
    let hidden = Some(Refusal::HeaderFragment);
    let refused = Some(Refusal::IpOptions);
    let first = udp_header(24, 16);
    for (name, packet, reason) in [
        ("plain", v6(17, &whole), None),
        ("no next header", v6(59, &[]), None),
        (
            "destination options",
            v6(60, &chain(&[&options(17), &whole])),
            None,
        ),
        ("eight headers", v6(60, &chain(&[&some, &whole])), None),
        ("nine headers", v6(60, &chain(&[&long, &whole])), refused),
        (
            "hop-by-hop",
            v6(0, &chain(&[&options(17), &whole])),
            refused,
        ),
        (
            "hop-by-hop not first",
            v6(60, &chain(&[&options(0), &options(17), &whole])),
            refused,
        ),
        ("routing", v6(43, &chain(&[&options(17), &whole])), refused),
        (
            "routing behind others",
            v6(60, &chain(&[&options(43), &options(17), &whole])),
            refused,
        ),
        (
            "length too long",
            {
                let mut p = v6(17, &whole);
                p[5] += 1;
                p
            },
            malformed,
        ),
        (
            "length too short",
            {
                let mut p = v6(17, &whole);
                p[5] -= 1;
                p
            },
            malformed,
        ),
        (
            "header beyond the end",
            v6(60, &[17, 200, 0, 0, 0, 0, 0, 0]),
            malformed,
        ),
        ("header cut off", v6(60, &[17]), malformed),
        ("UDP too long", v6(17, &udp_header(13, 12)), malformed),
        ("UDP too short", v6(17, &udp_header(11, 12)), malformed),
        ("UDP cut off", v6(17, &whole[..7]), malformed),
        ("TCP cut off", v6(6, &[0; 19]), malformed),
        (
            "TCP options beyond the end",
            v6(6, &{
                let mut t = [0; 20];
                t[12] = 0x60;
                t
            }),
            malformed,
        ),
        (
            "atomic fragment",
            v6(44, &chain(&[&fragment(17, 0), &whole])),
            None,
        ),
        (
            "first fragment",
            v6(44, &chain(&[&fragment(17, 1), &first])),
            None,
        ),
        (
            "later fragment",
            v6(44, &chain(&[&fragment(17, 2 << 3), &whole])),
            None,
        ),
        (
            "fragment with half a unit",
            v6(44, &chain(&[&fragment(17, 1), &first[..12]])),
            malformed,
        ),
        (
            "first fragment without its header",
            v6(44, &chain(&[&fragment(6, 1), &first])),
            hidden,
        ),
        (
            "chain that ends in a later fragment",
            v6(44, &chain(&[&fragment(60, 1), &[17, 9, 0, 0, 0, 0, 0, 0]])),
            hidden,
        ),
        (
            "offset one",
            v6(44, &chain(&[&fragment(17, 1 << 3), &whole])),
            hidden,
        ),
        (
            "beyond 65,535",
            v6(44, &chain(&[&fragment(17, 0x1fff << 3), &whole])),
            malformed,
        ),
    ] {
        assert_eq!(plane.verdict(session, &packet), reason, "{name}");
    }
}

#[test]
fn what_is_hidden_behind_headers_is_found() {
    let (mut plane, session) = plane();
    let mut gtp = udp_header(12, 12);
    gtp[2..4].copy_from_slice(&2152_u16.to_be_bytes());
    let options = [17, 0, 1, 4, 0, 0, 0, 0];
    let ah = [
        17, 4, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    for packet in [
        v6(60, &chain(&[&options, &gtp])),
        v6(51, &chain(&[&ah, &gtp])),
    ] {
        let reason = plane.verdict(session, &packet);
        assert_eq!(reason, Some(Refusal::TunnelInTunnel));
    }
}

#[test]
fn ipv6_has_the_rules_of_ipv4() {
    let mut plane = Plane::new(&dual());
    let own = plane.session(RED);
    plane.session(RED);
    let (me, other) = (ue6(0).address(), ue6(1).address());
    let to = |a: &str| a.parse::<Ipv6Addr>().unwrap();
    for (packet, reason) in [
        (udp(me, HOST6, 80), None),
        // Any address of its prefix is the UE's own.
        (udp(ue6(0).prefix.address(0xabcd), HOST6, 80), None),
        (udp(other, HOST6, 80), Some(Refusal::SpoofedSource)),
        (udp(OUTSIDE6, HOST6, 80), Some(Refusal::SpoofedSource)),
        (udp(me, OUTSIDE6, 80), Some(Refusal::NotDeclared)),
        (udp(me, other, 80), Some(Refusal::UeToUe)),
        (udp(me, to("fd20:0:1:ffff::9"), 80), Some(Refusal::UeToUe)),
        (udp(me, to("fd00:c0::1"), 80), Some(Refusal::Infrastructure)),
        (
            udp(me, to("fd20:0:1::1"), 80),
            Some(Refusal::Infrastructure),
        ),
        (udp(me, HOST6, 2123), Some(Refusal::TunnelInTunnel)),
        (udp(me, to("ff0e::1"), 80), Some(Refusal::Multicast)),
        (udp(me, to("ff02::fb"), 5353), Some(Refusal::Multicast)),
        (udp(me, to("fe80::9"), 80), Some(Refusal::LinkScope)),
        (
            udp(me, to("2002:a14::1"), 80),
            Some(Refusal::TransitionTunnel),
        ),
        (udp(me, to("2001::9"), 80), Some(Refusal::TransitionTunnel)),
        (udp(me, HOST6, 3544), Some(Refusal::TransitionTunnel)),
        (udp(me, to("::1"), 80), Some(Refusal::NotDeclared)),
        (
            udp(me, to("::ffff:10.20.255.10"), 80),
            Some(Refusal::NotDeclared),
        ),
        (
            udp(me, to("64:ff9b::a14:ff0a"), 80),
            Some(Refusal::NotDeclared),
        ),
        (
            udp(ue4(0), "192.88.99.1".parse::<IpAddr>().unwrap(), 80),
            Some(Refusal::TransitionTunnel),
        ),
    ] {
        assert_eq!(plane.verdict(own, &packet), reason, "{packet:x?}");
    }
    // Protocol 41 to anywhere, and from the segment too.
    let mut inside = udp(ue4(0), HOST4, 80);
    inside[9] = 41;
    fix(&mut inside);
    assert_eq!(plane.verdict(own, &inside), Some(Refusal::TransitionTunnel));
    assert_eq!(
        plane.verdict(own, &v6(41, &[0; 40])),
        Some(Refusal::TransitionTunnel)
    );
    let mut down = udp(HOST4, ue4(0), 80);
    down[9] = 41;
    fix(&mut down);
    assert_eq!(
        plane.segment_sends(RED, &down),
        Outcome::Nothing(Vec::new())
    );
}

/// Writes the checksum of an IPv4 header.
fn fix(packet: &mut [u8]) {
    packet[10..12].fill(0);
    let sum = etherparse::checksum::Sum16BitWords::new().add_slice(&packet[..20]);
    let sum = sum.ones_complement().to_be().to_be_bytes();
    packet[10..12].copy_from_slice(&sum);
}

/// Type, code, and the packet that an ICMP error quotes, with its checksum looked at by an
/// independent parser.
fn error(packet: &[u8]) -> (u8, u8, u32, Vec<u8>) {
    let parsed = SlicedPacket::from_ip(packet).unwrap();
    match (parsed.net.unwrap(), parsed.transport.unwrap()) {
        (NetSlice::Ipv4(_), TransportSlice::Icmpv4(icmp)) => {
            let mut sum = etherparse::checksum::Sum16BitWords::new();
            sum = sum.add_slice(icmp.slice());
            assert_eq!(sum.ones_complement(), 0);
            let rest = u32::from_be_bytes(icmp.bytes5to8());
            (
                icmp.type_u8(),
                icmp.code_u8(),
                rest,
                icmp.payload().to_vec(),
            )
        }
        (NetSlice::Ipv6(ip), TransportSlice::Icmpv6(icmp)) => {
            let header = ip.header();
            assert!(icmp.is_checksum_valid(header.source(), header.destination()));
            let rest = u32::from_be_bytes(icmp.bytes5to8());
            (
                icmp.type_u8(),
                icmp.code_u8(),
                rest,
                icmp.payload().to_vec(),
            )
        }
        other => panic!("{other:?}"),
    }
}

fn only(outcome: Outcome) -> Vec<u8> {
    match outcome {
        Outcome::Nothing(mut packets) if packets.len() == 1 => packets.remove(0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn errors_say_what_they_are_about_in_both_families() {
    let (mut plane, session) = plane();
    let mut last_hop = udp(ue6(0).address(), HOST6, 80);
    last_hop[7] = 1;
    let mut last_hop4 = udp(ue4(0), HOST4, 80);
    last_hop4[8] = 1;
    fix(&mut last_hop4);
    let big = udp_len(ue6(0).address(), HOST6, (1, 2), 1_500);
    for (packet, expected) in [
        (udp(ue6(0).address(), OUTSIDE6, 80), (1, 1, 0)),
        (last_hop, (3, 0, 0)),
        (last_hop4, (11, 0, 0)),
        (big, (2, 0, 1_500)),
    ] {
        let answer = only(plane.up(session, &packet));
        let (kind, code, rest, quoted) = error(&answer);
        assert_eq!((kind, code, rest), expected);
        assert!(
            packet.starts_with(&quoted) && quoted.len() >= 28,
            "{quoted:x?}"
        );
        assert!(answer.len() <= 1_280);
    }
    // Errors are not answered, nor what was sent to many.
    let mut redirect = super::plane::icmp6(ue6(0).address(), OUTSIDE6, 64, (1, 0), &[0; 48]);
    assert_eq!(plane.up(session, &redirect), Outcome::Nothing(Vec::new()));
    // An echo is.
    redirect = super::plane::icmp6(ue6(0).address(), OUTSIDE6, 64, (128, 0), &[0; 48]);
    assert_eq!(error(&only(plane.up(session, &redirect))).0, 1);
}

#[test]
fn errors_are_bounded_in_time() {
    let (mut plane, session) = plane();
    let packet = udp(ue6(0).address(), OUTSIDE6, 80);
    let mut answers = 0;
    for _ in 0..1_000 {
        answers += usize::from(plane.up(session, &packet) != Outcome::Nothing(Vec::new()));
    }
    assert_eq!(answers, 10);
    assert_eq!(plane.refused(Refusal::NotDeclared), 1_000);
    plane.advance(heiiki_types::Duration::from_millis(300));
    let again = (0..10).filter(|_| plane.up(session, &packet) != Outcome::Nothing(Vec::new()));
    assert_eq!(again.count(), 3);
}

/// Puts the parts of an IPv4 packet together again.
fn reassemble(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        let ip = etherparse::Ipv4HeaderSlice::from_slice(part).unwrap();
        assert_eq!(ip.header_checksum(), ip.to_header().calc_header_checksum());
        assert_eq!(
            usize::from(ip.fragments_offset().value()) * 8,
            payload.len()
        );
        assert_eq!(ip.more_fragments(), place + 1 < parts.len());
        payload.extend(&part[20..usize::from(ip.total_len())]);
    }
    payload
}

/// Goal: nothing is lost in silence for its length. Method: both ways, both families, with and
/// without permission to fragment, at the length that fits and one more.
#[test]
fn what_is_too_long_is_split_or_answered() {
    let (mut plane, session) = plane();
    for (way, mtu) in [("up", 1_500_usize), ("down", 1_400)] {
        for over in [0, 1, 2_000] {
            let len = mtu - 28 + over;
            let (from, to) = if way == "up" {
                (ue4(0), HOST4)
            } else {
                (HOST4, ue4(0))
            };
            let mut packet = udp_len(from, to, (5, 7), len);
            packet[6] = 0;
            fix(&mut packet);
            let send = |plane: &mut Plane, packet: &[u8]| match way {
                "up" => plane.up(session, packet),
                _ => plane.segment_sends(RED, packet),
            };
            let (Outcome::Segment(_, parts) | Outcome::Ue(_, _, parts)) = send(&mut plane, &packet)
            else {
                panic!("{way} {over}");
            };
            assert_eq!(parts.len() > 1, over > 0);
            assert!(parts.iter().all(|p| p.len() <= mtu));
            assert_eq!(reassemble(&parts), packet[20..], "{way} {over}");
            packet[6] = 0x40;
            fix(&mut packet);
            let outcome = send(&mut plane, &packet);
            if over > 0 {
                let answer = only(outcome);
                let (kind, code, rest, quoted) = error(&answer);
                assert_eq!((kind, code, rest as usize), (3, 4, mtu));
                assert!(packet.starts_with(&quoted));
                assert_eq!(answer[16..20], from.octets());
            }
            let (from, to) = if way == "up" {
                (ue6(0).address(), HOST6)
            } else {
                (HOST6, ue6(0).address())
            };
            let packet = udp_len(from, to, (5, 7), mtu - 48 + over);
            let outcome = send(&mut plane, &packet);
            if over > 0 {
                let answer = only(outcome);
                assert_eq!((error(&answer).0, error(&answer).2 as usize), (2, mtu));
                assert_eq!(answer[24..40], from.octets());
            } else {
                assert!(!matches!(outcome, Outcome::Nothing(_)));
            }
            plane.advance(heiiki_types::Duration::from_secs(1));
        }
    }
    assert_eq!(plane.refused(Refusal::TooBig), 8);
}

/// A fragment that comes may have to be split again: the offsets go on from its own.
#[test]
fn a_part_is_split_into_smaller_ones() {
    let (mut plane, session) = plane();
    let mut packet = udp_len(ue4(0), HOST4, (5, 7), 1_600);
    packet[6..8].copy_from_slice(&(0x2000_u16 | 0xfa).to_be_bytes());
    packet.truncate(20 + 1_600);
    packet[2..4].copy_from_slice(&1_620_u16.to_be_bytes());
    fix(&mut packet);
    let Outcome::Segment(_, parts) = plane.up(session, &packet) else {
        panic!("refused");
    };
    let offsets: Vec<_> = parts
        .iter()
        .map(|p| etherparse::Ipv4HeaderSlice::from_slice(p).unwrap())
        .map(|ip| (ip.fragments_offset().value(), ip.more_fragments()))
        .collect();
    assert_eq!(offsets, [(250, true), (250 + 1_480 / 8, true)]);
}
