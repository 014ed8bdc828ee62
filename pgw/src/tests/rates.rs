//! Rates and dedicated bearers.

use alloc::vec::Vec;

use heiiki_gtp::tft::{Component, Direction, PacketFilter};
use heiiki_types::{Ambr, Duration, Ebi, Teid};

use super::bed::{BLUE, RED};
use super::plane::{HOST4, HOST6, Outcome, Plane, dual, rates, udp_len, ue4, ue6};
use crate::Refusal;
use crate::user_plane::{Slot, Update};

/// Offers packets of 1,000 octets for a second, one each `every`, and says how many octets came
/// through.
fn offer(plane: &mut Plane, every: Duration, mut send: impl FnMut(&mut Plane) -> Outcome) -> u64 {
    let end = plane.now + Duration::from_secs(1);
    let mut sum = 0;
    while plane.now < end {
        sum += match send(plane) {
            Outcome::Segment(_, p) | Outcome::Ue(_, _, p) => p[0].len() as u64,
            _ => 0,
        };
        plane.advance(every);
    }
    sum
}

fn up(session: u32, own: u32) -> impl Fn(&mut Plane) -> Outcome {
    move |plane| plane.up(session, &udp_len(ue4(own), HOST4, (5, 7), 972))
}

/// Burst included: what a second carries, and a tenth of it, or some packets if that is less.
fn is_about(octets: u64, bps: u64) {
    let most = bps / 8 + (bps / 80).max(16_384);
    assert!(
        octets <= most && octets + 2_000 >= most,
        "{octets} of {most}"
    );
}

#[test]
fn an_ambr_bounds_a_session_and_no_other() {
    let mut plane = Plane::new(&dual());
    let slow = plane.session_with(RED, |e| e.ambr = rates(1_000_000, 4_000_000));
    let free = plane.session(RED);
    let ms = Duration::from_millis(1);
    is_about(offer(&mut plane, ms, up(slow, 0)), 1_000_000);
    assert_eq!(offer(&mut plane, ms, up(free, 1)), 1_000_000);
    let dropped = plane.refused(Refusal::AmbrUplink);
    assert!(dropped > 800, "{dropped}");
    // IPv6 is in the same bucket, and the other direction has its own.
    let v6 = |plane: &mut Plane| plane.up(slow, &udp_len(ue6(0).address(), HOST6, (5, 7), 952));
    let more = offer(&mut plane, ms, v6);
    assert!(more <= 1_000_000 / 8 + 16_384, "{more}");
    assert_eq!(plane.refused(Refusal::AmbrDownlink), 0);
    let packet = udp_len(HOST4, ue4(0), (5, 7), 972);
    let us = Duration::from_micros(250);
    let down = offer(&mut plane, us, |p| p.segment_sends(RED, &packet));
    is_about(down, 4_000_000);
    assert!(plane.refused(Refusal::AmbrDownlink) > 3_000);
}

#[test]
fn a_rate_changes_and_the_session_stays() {
    let mut plane = Plane::new(&dual());
    let session = plane.session_with(RED, |e| e.ambr = rates(1_000_000, 1_000_000));
    let ms = Duration::from_millis(1);
    offer(&mut plane, ms, up(session, 0));
    plane.update(&Update::SetRates {
        slot: Slot(session),
        ambr: rates(4_000_000, 1_000_000),
    });
    // What was empty stays empty: no burst.
    let after = offer(&mut plane, ms, up(session, 0));
    assert!((498_000..=502_000).contains(&after), "{after}");
    plane.update(&Update::SetRates {
        slot: Slot(session),
        ambr: None,
    });
    assert_eq!(offer(&mut plane, ms, up(session, 0)), 1_000_000);
}

/// Goal: a tenant's contract is kept over all of its sessions, and is another tenant's business
/// neither to use up nor to help. Method: two workers, so each session has half.
#[test]
fn a_contract_bounds_a_tenant() {
    let mut config = dual();
    config.tenants[0].bandwidth = Some(Ambr {
        uplink_bps: 2_000_000,
        downlink_bps: 2_000_000,
    });
    let mut plane = Plane::new(&config);
    let red: Vec<u32> = (0..4).map(|_| plane.session(RED)).collect();
    let blue = plane.session(BLUE);
    let half = Duration::from_micros(500);
    let mut next = 0;
    let sum = offer(&mut plane, half, |plane| {
        next += 1;
        let n = next % 4;
        up(red[n], u32::try_from(n).unwrap())(plane)
    });
    let most = 2_000_000 / 8 + 2 * 16_384;
    assert!((250_000..=most).contains(&sum), "{sum}");
    assert!(plane.refused(Refusal::ContractUplink) > 1_500);
    assert_eq!(offer(&mut plane, half, up(blue, 0)), 2_000_000);
    plane.update(&Update::SetContract {
        tenant: RED,
        bandwidth: None,
    });
    assert_eq!(offer(&mut plane, half, up(red[0], 0)), 2_000_000);
}

/// A packet that one limit refuses is not counted in another.
#[test]
fn a_refused_packet_costs_nothing_elsewhere() {
    let mut config = dual();
    config.tenants[0].bandwidth = rates(16_000_000, 0);
    let mut plane = Plane::new(&config);
    let slow = plane.session_with(RED, |e| e.ambr = rates(0, 0));
    plane.session(BLUE);
    let fast = plane.session(RED);
    // Both are worker 0's, whose share is a half.
    offer(&mut plane, Duration::from_micros(100), up(slow, 0));
    is_about(
        offer(&mut plane, Duration::from_micros(500), up(fast, 1)),
        8_000_000,
    );
}

fn filter(precedence: u8, direction: Direction, components: &[Component]) -> PacketFilter {
    PacketFilter {
        identifier: precedence,
        direction,
        precedence,
        components: components.to_vec(),
    }
}

fn voice(low: u16, high: u16, precedence: u8) -> PacketFilter {
    let udp = Component::Protocol(17);
    let ports = Component::RemotePortRange { low, high };
    filter(precedence, Direction::Bidirectional, &[udp, ports])
}

#[test]
fn packets_find_their_bearers() {
    let mut plane = Plane::new(&dual());
    let session = plane.session(RED);
    plane.bearer(session, 6, |b| {
        b.filters = alloc::vec![voice(5_000, 5_100, 20)];
    });
    plane.bearer(session, 7, |b| {
        b.filters = alloc::vec![
            voice(5_050, 5_050, 10),
            filter(
                30,
                Direction::Downlink,
                &[Component::TypeOfService {
                    value: 0xb8,
                    mask: 0xfc
                }]
            ),
            filter(
                40,
                Direction::Downlink,
                &[
                    Component::Ipv6RemotePrefix {
                        address: HOST6,
                        length: 64
                    },
                    Component::LocalPort(99)
                ],
            ),
        ];
    });
    let teid = |ebi: u32| 0x9000 + (ebi << 16);
    let down = |plane: &mut Plane, packet: &[u8]| match plane.segment_sends(RED, packet) {
        Outcome::Ue(_, teid, _) => teid,
        other => panic!("{other:?}"),
    };
    let v4 = |port| udp_len(HOST4, ue4(0), (port, 99), 100);
    for (packet, on) in [
        (v4(4_999), 0x9000),
        (v4(5_000), teid(6)),
        (v4(5_100), teid(6)),
        (v4(5_101), 0x9000),
        // The lower precedence value is asked first, whichever bearer has it.
        (v4(5_050), teid(7)),
        (udp_len(HOST6, ue6(0).address(), (80, 99), 100), teid(7)),
        (udp_len(HOST6, ue6(0).address(), (5_001, 99), 100), teid(6)),
        (udp_len(HOST6, ue6(0).address(), (80, 98), 100), 0x9000),
    ] {
        assert_eq!(down(&mut plane, &packet), on, "{:?}", &packet[..24]);
    }
    let mut marked = udp_len(HOST6, ue6(0).address(), (80, 98), 100);
    (marked[0], marked[1]) = (0x6b, 0x80);
    assert_eq!(down(&mut plane, &marked), teid(7));
    // Uplink: what comes on a bearer must be what the bearer is for.
    let voice = udp_len(ue4(0), HOST4, (9, 5_001), 100);
    let other = udp_len(ue4(0), HOST4, (9, 80), 100);
    assert!(matches!(
        plane.up_bearer(session, 6, &voice),
        Outcome::Segment(..)
    ));
    assert!(matches!(plane.up(session, &voice), Outcome::Segment(..)));
    assert_eq!(
        plane.up_bearer(session, 6, &other),
        Outcome::Nothing(Vec::new())
    );
    assert_eq!(plane.refused(Refusal::WrongBearer), 1);
    plane.update(&Update::RemoveBearer {
        slot: Slot(session),
        ebi: Ebi::new(6).unwrap(),
        teid: Teid::new(6 << 22 | session).unwrap(),
    });
    assert_eq!(down(&mut plane, &v4(5_000)), 0x9000);
    plane.up_bearer(session, 6, &voice);
    assert_eq!(plane.refused(Refusal::UnknownTeid), 1);
}

/// Goal: a bearer with a guaranteed rate has its own limit and not the session's.
#[test]
fn a_guaranteed_bearer_is_beside_the_ambr() {
    let mut plane = Plane::new(&dual());
    let session = plane.session_with(RED, |e| e.ambr = rates(1_000_000, 1_000_000));
    plane.bearer(session, 6, |b| {
        b.filters = alloc::vec![voice(5_000, 5_100, 20)];
        (b.mbr, b.gbr) = (rates(2_000_000, 2_000_000), rates(2_000_000, 2_000_000));
    });
    plane.bearer(session, 7, |b| {
        b.filters = alloc::vec![voice(6_000, 6_000, 30)];
        b.mbr = rates(500_000, 500_000);
    });
    let on = |ebi: u8, port: u16| {
        move |plane: &mut Plane| {
            plane.up_bearer(session, ebi, &udp_len(ue4(0), HOST4, (9, port), 972))
        }
    };
    let ms = Duration::from_millis(1);
    is_about(offer(&mut plane, ms, on(6, 5_000)), 2_000_000);
    let sum = plane.refused(Refusal::BearerRateUplink);
    assert!(sum > 700, "{sum}");
    // The session's own bucket is still full, and a bearer without a guarantee uses it.
    let slow = offer(&mut plane, ms, on(7, 6_000));
    assert!((62_000..=62_500 + 16_384).contains(&slow), "{slow}");
    offer(&mut plane, ms, up(session, 0));
    is_about(offer(&mut plane, ms, on(7, 6_000)), 500_000);
}

/// Goal: an operator changes a contract and no session notices but by its rate.
#[test]
fn an_operator_changes_a_contract() {
    let mut bed = super::bed::Bed::new(super::bed::config());
    let tunnel = bed.create(super::bed::imsi(1), "red.corp").unwrap();
    let send = |bed: &mut super::bed::Bed| {
        for _ in 0..200 {
            bed.uplink(&tunnel, &udp_len(tunnel.address, HOST4, (5, 7), 972));
        }
        core::mem::take(&mut bed.sgi).len()
    };
    assert_eq!(send(&mut bed), 200);
    let order = |bed: &mut super::bed::Bed, token: &str, body: serde_json::Value| {
        let call = bed.call(token, heiiki_types::Method::Post, "/v1/contracts", &body);
        bed.reply(call).unwrap().0
    };
    let slow = serde_json::json!({ "tenant": "red", "uplink_bps": 1_000, "actor": "test" });
    assert_eq!(order(&mut bed, "operate", slow.clone()), 403);
    assert_eq!(order(&mut bed, "admin", slow), 200);
    // The least burst.
    assert_eq!(send(&mut bed), 16);
    let none = serde_json::json!({ "tenant": "red" });
    assert_eq!(order(&mut bed, "admin", none), 200);
    assert_eq!(send(&mut bed), 200);
    let other = serde_json::json!({ "tenant": "green" });
    assert_eq!(order(&mut bed, "admin", other), 404);
    assert_eq!(bed.pgw.control().session_count(), 1);
}
