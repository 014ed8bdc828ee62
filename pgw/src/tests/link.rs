//! The gateway as the router of a UE's link.

use alloc::vec::Vec;
use core::net::Ipv6Addr;

use heiiki_types::{Duration, UeAddresses};

use super::bed::{RED, SGW};
use super::plane::{HOST6, Outcome, Plane, dual, icmp6, udp, ue4, ue6};
use crate::Refusal;
use crate::user_plane::{SessionId, Slot, Update};

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

fn answers(outcome: Outcome) -> Vec<Vec<u8>> {
    match outcome {
        Outcome::Nothing(answers) => answers,
        other => panic!("{other:?}"),
    }
}

/// The octets of the advertisement, field by field as RFC 4861 §4.2 and RFC 8106 §5.1 draw them.
fn check_advertisement(packet: &[u8], to: Ipv6Addr) {
    let ip = etherparse::Ipv6HeaderSlice::from_slice(packet).unwrap();
    assert_eq!((ip.hop_limit(), ip.destination_addr()), (255, to));
    assert_eq!(ip.source_addr(), "fe80::1".parse::<Ipv6Addr>().unwrap());
    let icmp = etherparse::Icmpv6Slice::from_slice(&packet[40..]).unwrap();
    assert!(icmp.is_checksum_valid(ip.source(), ip.destination()));
    let message = &packet[40..];
    assert_eq!(message[..2], [134, 0]);
    // Hop limit 64, neither managed nor other configuration, 64,800 s.
    assert_eq!(message[4..8], [64, 0, 0xfd, 0x20]);
    let prefix = &message[16..48];
    // 64 bits, autonomous and not on-link, for ever.
    assert_eq!(prefix[..4], [3, 4, 64, 0x40]);
    assert_eq!(prefix[4..12], [0xff; 8]);
    assert_eq!(prefix[16..32], ue6(0).prefix.address(0).octets());
    assert_eq!(message[48..56], [5, 1, 0, 0, 0, 0, 5, 0x78]);
    let servers = &message[56..];
    assert_eq!(servers[..4], [25, 3, 0, 0]);
    assert_eq!(servers[8..], HOST6.octets());
}

#[test]
fn a_solicitation_is_answered() {
    let mut plane = Plane::new(&dual());
    let session = plane.session(RED);
    let ue = ue6(0);
    let own_making: Ipv6Addr = "fe80::1234".parse().unwrap();
    for (from, to) in [
        (ue.link_local(), ue.link_local()),
        (own_making, own_making),
        (Ipv6Addr::UNSPECIFIED, ALL_NODES),
    ] {
        let packet = icmp6(from, ALL_ROUTERS, 255, (133, 0), &[0; 4]);
        let answers = answers(plane.up(session, &packet));
        assert_eq!(answers.len(), 1);
        check_advertisement(&answers[0], to);
    }
    assert_eq!(plane.refusals(), 0);
    // From somewhere else on the way, with a wrong sum, or of another UE's address: not.
    let far = icmp6(ue.link_local(), ALL_ROUTERS, 64, (133, 0), &[0; 4]);
    let mut wrong = icmp6(ue.link_local(), ALL_ROUTERS, 255, (133, 0), &[0; 4]);
    wrong[43] ^= 1;
    let foreign = icmp6(ue6(5).address(), ALL_ROUTERS, 255, (133, 0), &[0; 4]);
    for (packet, reason) in [
        (far, Refusal::MalformedPacket),
        (wrong, Refusal::MalformedPacket),
        (foreign, Refusal::SpoofedSource),
    ] {
        assert_eq!(plane.verdict(session, &packet), Some(reason));
    }
    // A UE without IPv6 has no such link.
    let v4 = plane.session_with(RED, |e| e.addresses = UeAddresses::V4(ue4(1)));
    let packet = icmp6(ue.link_local(), ALL_ROUTERS, 255, (133, 0), &[0; 4]);
    assert_eq!(plane.verdict(v4, &packet), Some(Refusal::Multicast));
}

#[test]
fn a_ue_is_told_its_prefix_without_asking() {
    let mut plane = Plane::new(&dual());
    plane.session(RED);
    let mut replies = Vec::new();
    plane.workers[0].poll_replies(plane.now, &mut replies);
    assert_eq!(replies, [], "before its session was answered");
    plane.update(&Update::Advertise {
        slot: Slot(0),
        session: SessionId(100),
    });
    for worker in &mut plane.workers {
        worker.poll_replies(plane.now, &mut replies);
    }
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0].to, (SGW, 2152).into());
    check_advertisement(&replies[0].octets[8..], ALL_NODES);
    // And again when it sends after some hours; one that says nothing is not woken.
    let counted = |plane: &Plane| plane.workers[0].counters().advertisements;
    plane.up(0, &udp(ue6(0).address(), HOST6, 80));
    assert_eq!(counted(&plane), 1);
    plane.advance(Duration::from_hours(6));
    plane.up(0, &udp(ue6(0).address(), HOST6, 80));
    plane.up(0, &udp(ue6(0).address(), HOST6, 80));
    assert_eq!(counted(&plane), 2);
}

#[test]
fn neighbours_are_asked_for_and_found_free() {
    let mut plane = Plane::new(&dual());
    let session = plane.session(RED);
    let ue = ue6(0);
    let router: Ipv6Addr = "fe80::1".parse().unwrap();
    let ask = |from: Ipv6Addr, to: &str, target: Ipv6Addr| {
        let mut body = alloc::vec![0; 4];
        body.extend(target.octets());
        icmp6(from, to.parse().unwrap(), 255, (135, 0), &body)
    };
    let found = answers(plane.up(session, &ask(ue.link_local(), "ff02::1:ff00:1", router)));
    let message = &found[0][40..];
    // Router, solicited, override; the target is the one that was asked for.
    assert_eq!((message[0], message[4]), (136, 0xe0));
    assert_eq!(message[8..24], router.octets());
    assert_eq!(found[0][24..40], ue.link_local().octets());
    // Duplicate address detection of its own address hears nothing, which is what it wants.
    let own = ask(Ipv6Addr::UNSPECIFIED, "ff02::1:ff00:77", ue.address());
    assert_eq!(answers(plane.up(session, &own)), Vec::<Vec<u8>>::new());
    // What listeners report has a router alert, and is no attack.
    let mut report = icmp6(
        ue.link_local(),
        "ff02::16".parse().unwrap(),
        1,
        (143, 0),
        &[0; 4],
    );
    report.splice(40..40, [58, 0, 5, 2, 0, 0, 1, 0]);
    (report[5], report[6]) = (report[5] + 8, 0);
    assert_eq!(answers(plane.up(session, &report)), Vec::<Vec<u8>>::new());
    assert_eq!(plane.refusals(), 0);
}
