use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};

use super::bed::{BLUE, Bed, INTRANET, RED, config, imsi, udp};
use super::plane::{Outcome, Plane, dual, udp as plane_udp, ue4, ue6};
use crate::egress::{LabOnly, OpenLabEgress};
use crate::user_plane::{Answer, Update};
use crate::{AccessId, Event, PgwConfig};

const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 80);

fn audit(config: PgwConfig) -> Value {
    Bed::new(config).get("/v1/audit")
}

#[test]
fn the_proof_holds_for_all_of_ipv4_and_ipv6() {
    let report = audit(config());
    assert_eq!(report["closed"], true);
    let red = &report["accesses"][0];
    assert_eq!(red["closed"], true);
    // Everything declared but the pool, and not one address more.
    assert_eq!(red["reachable"], json!(["10.20.1.0-10.20.255.255"]));
    assert_eq!(red["undeclared"], json!([]));
    assert_eq!(red["ues"], json!([]));
    let blue = &report["accesses"][1];
    let expected = json!(["10.20.1.0-10.20.255.255", "10.99.0.0-10.99.255.255"]);
    assert_eq!(blue["reachable"], expected);
}

#[test]
fn ipv6_prefixes_are_in_the_proof() {
    let mut config = config();
    let v6: heiiki_types::Prefix = "fd20::/32".parse().unwrap();
    config.tenants[0].prefixes.push(v6.into());
    let report = audit(config);
    assert_eq!(report["closed"], true);
    let reachable = report["accesses"][0]["reachable"].as_array().unwrap();
    assert_eq!(reachable[1], "fd20::-fd20:0:ffff:ffff:ffff:ffff:ffff:ffff");
}

#[test]
fn the_proof_finds_a_planted_leak_in_any_worker() {
    for worker in [0, 1] {
        let mut bed = Bed::new(config());
        bed.pgw
            .plant_leak(worker, RED, "203.0.113.80/32".parse().unwrap());
        let report = bed.get("/v1/audit");
        assert_eq!(report["closed"], false);
        let red = &report["accesses"][0];
        assert_eq!(red["undeclared"], json!(["203.0.113.80-203.0.113.80"]));
        assert_eq!(report["accesses"][1]["closed"], true);
        // And it is a leak: the packet leaves.
        bed.create(imsi(1), "red.corp").unwrap();
        let second = bed.create(imsi(2), "red.corp").unwrap();
        let first = bed.create(imsi(3), "red.corp").unwrap();
        let leaking = if worker == 0 { first } else { second };
        bed.uplink(&leaking, &udp(leaking.address, OUTSIDE, 443));
        assert_eq!(bed.sgi.len(), 1);
    }
}

#[test]
fn each_protection_that_is_off_shows() {
    let off: [fn(&mut PgwConfig); 8] = [
        |c| c.protections.tunnel_deny = false,
        |c| c.protections.router_guard = false,
        |c| c.protections.closed_egress = false,
        |c| c.protections.tenant_isolation = false,
        |c| c.protections.ue_isolation = false,
        |c| c.protections.infrastructure_deny = false,
        |c| c.protections.source_check = false,
        |c| c.protections.bar = false,
    ];
    for change in off {
        let mut config = config();
        change(&mut config);
        assert_eq!(audit(config)["closed"], false);
    }
    let mut open = config();
    open.protections.closed_egress = false;
    let report = audit(open);
    let undeclared = report["accesses"][0]["undeclared"].as_array().unwrap();
    assert!(
        undeclared.contains(&json!("10.100.0.0-172.30.255.255")),
        "{undeclared:?}"
    );
    let mut mixed = config();
    mixed.protections.tenant_isolation = false;
    let report = audit(mixed);
    let foreign = report["accesses"][0]["foreign"].clone();
    assert_eq!(foreign, json!(["10.99.0.0-10.99.255.255"]));
}

#[test]
fn the_positive_control_opens_one_apn_and_no_other() {
    let mut config = config();
    let mut lab = crate::ApnConfig::new(
        "lab.open".parse().unwrap(),
        "red",
        "10.20.1.0/24".parse().unwrap(),
    );
    lab.open_lab = Some(OpenLabEgress::new(LabOnly::witness()));
    config.apns.push(lab);
    let mut bed = Bed::new(config);
    bed.with_segments = true;
    let closed = bed.create(imsi(1), "red.corp").unwrap();
    let open = bed.create(imsi(2), "lab.open").unwrap();
    for tunnel in [&closed, &open] {
        for port in [53, 443] {
            bed.uplink(tunnel, &udp(tunnel.address, OUTSIDE, port));
        }
    }
    let counts: (u64, u64) = bed.segments.iter().fold((0, 0), |sum, segment| {
        let (closed, open) = segment.sentinel().of_tenant(RED);
        (sum.0 + closed, sum.1 + open)
    });
    assert_eq!(counts, (0, 2));
    // The sentinel answers, so that a probe that could succeed does.
    let answers = bed.received(&open);
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0][12..16], OUTSIDE.octets());
    // Not even an open one reaches the core or another tenant.
    bed.uplink(&open, &udp(open.address, [172, 31, 0, 1].into(), 80));
    bed.uplink(&open, &udp(open.address, [10, 99, 0, 1].into(), 80));
    assert_eq!(
        bed.segments
            .iter()
            .map(|s| s.sentinel().of_tenant(RED).1)
            .sum::<u64>(),
        2
    );
    let report = bed.get("/v1/audit");
    assert_eq!(report["closed"], true);
    assert_eq!(report["accesses"][0]["closed"], true);
    assert_eq!(
        (
            &report["accesses"][2]["closed"],
            &report["accesses"][2]["open_lab"]
        ),
        (&json!(false), &json!(true))
    );
    let keys: Vec<_> = bed
        .segments
        .iter()
        .flat_map(|s| s.sentinel().counts())
        .collect();
    assert!(
        keys.iter()
            .all(|(e, n)| e.access == Some(AccessId(2)) && *n == 1)
    );
}

/// The sentinel behind a closed APN whose egress check was switched off counts what escapes.
#[test]
fn the_sentinel_catches_what_a_broken_check_lets_through() {
    let mut config = config();
    config.protections.closed_egress = false;
    let mut bed = Bed::new(config);
    bed.with_segments = true;
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    bed.uplink(&tunnel, &udp(tunnel.address, OUTSIDE, 443));
    let escaped: u64 = bed.segments.iter().map(|s| s.sentinel().escaped()).sum();
    assert_eq!(escaped, 1);
}

#[test]
fn tenants_with_one_range_are_apart() {
    let mut bed = Bed::new(config());
    let red = bed.create(imsi(1), "red.corp").unwrap();
    let blue = bed.create(imsi(2), "blue.corp").unwrap();
    assert_eq!(red.address, blue.address);
    bed.uplink(&red, &udp(red.address, INTRANET, 1));
    bed.uplink(&blue, &udp(blue.address, INTRANET, 2));
    let tenants: Vec<_> = bed.sgi.iter().map(|(t, _)| *t).collect();
    assert_eq!(tenants, [RED, BLUE]);
    bed.downlink(RED, &udp(INTRANET, red.address, 3));
    assert_eq!(
        (bed.received(&red).len(), bed.received(&blue).len()),
        (1, 0)
    );
    bed.downlink(BLUE, &udp(INTRANET, red.address, 3));
    assert_eq!(
        (bed.received(&red).len(), bed.received(&blue).len()),
        (0, 1)
    );
    // What only the other tenant declares is silent: the answer would tell that it is there.
    bed.uplink(&red, &udp(red.address, [10, 99, 0, 1].into(), 80));
    assert_eq!(bed.refusals()["cross_tenant"], 1);
    assert!(bed.s5u.is_empty());
    bed.uplink(&blue, &udp(blue.address, [10, 99, 0, 1].into(), 80));
    assert_eq!(bed.sgi.len(), 3);
}

#[test]
fn without_isolation_tenants_mix_and_the_marker_shows_it() {
    let mut config = config();
    config.protections.tenant_isolation = false;
    let mut bed = Bed::new(config);
    bed.create(imsi(1), "red.corp").unwrap();
    let blue = bed.create(imsi(2), "blue.corp").unwrap();
    bed.uplink(&blue, &udp(blue.address, INTRANET, 2));
    assert_eq!(bed.sgi[0].0, RED);
}

#[test]
fn configurations_are_refused_with_all_their_mistakes() {
    let mut config = config();
    config.tenants[0].prefixes.push(
        "203.0.113.0/24"
            .parse::<heiiki_types::Prefix>()
            .unwrap()
            .into(),
    );
    config.tenants[1].prefixes.push(
        "172.31.5.0/24"
            .parse::<heiiki_types::Prefix>()
            .unwrap()
            .into(),
    );
    config.tenants[1].name = "red".into();
    config.apns[1].tenant = "green".into();
    config.apns[0].pool = "10.20.0.0/30".parse().unwrap();
    config.workers[1] = config.workers[0].clone();
    config.limits.index_bits = 19;
    let errors = crate::Pgw::new(config, heiiki_types::Rng::from_seed(1)).unwrap_err();
    let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
    for expected in [
        "tenants[0].prefixes[1]: 203.0.113.0/24 is refused: it is not private",
        "tenants[1].prefixes[2]: 172.31.5.0/24 is refused: it has addresses of the core, 172.31.0.0/16",
        "tenants[1].name: an earlier entry",
        "apns[1].tenant: no tenant",
        "apns[0].pool: a pool is an IPv4 prefix",
        "workers[1].s5u_local: an earlier entry",
        "limits.index_bits:",
    ] {
        assert!(
            text.iter().any(|t| t.starts_with(expected)),
            "{expected}: {text:#?}"
        );
    }
    assert_eq!(text.len(), 7, "{text:#?}");
}

#[test]
fn a_refused_packet_is_reported_with_its_reason() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    for _ in 0..100 {
        bed.uplink(&tunnel, &udp(tunnel.address, OUTSIDE, 443));
    }
    let reports: Vec<_> = bed
        .events
        .iter()
        .filter_map(|e| match e {
            Event::PacketRefused(packet) => Some(*packet),
            _ => None,
        })
        .collect();
    assert_eq!(reports.len(), 1);
    let report = reports[0];
    assert_eq!(report.imsi, Some(imsi(1)));
    assert_eq!(
        (report.destination, report.port),
        (Some(OUTSIDE.into()), Some(443))
    );
    let json = serde_json::to_value(Event::PacketRefused(report)).unwrap();
    assert_eq!(
        (&json["event"], &json["reason"]),
        (&json!("packet_refused"), &json!("not_declared"))
    );
    let usage = bed.get(&alloc::format!("/v1/counters?imsi={}", imsi(1)));
    assert_eq!(
        usage["sessions"][0]["usage"]["refused"],
        json!({"not_declared": 100})
    );
}

/// Goal: the set arithmetic and the packets agree, in both families. Method: UEs that may talk to
/// each other, networks behind UEs inside and outside the pool's neighbourhood, and packets to the
/// addresses at every border, beside it, and at random.
#[test]
fn the_proof_says_what_packets_do() {
    let mut config = dual();
    config.tenants[0].ue_to_ue = crate::UeToUe::Allow;
    let mut plane = Plane::new(&config);
    let sender = plane.session(RED);
    plane.session_with(RED, |e| {
        e.framed = ["10.20.77.0/24", "fd20:77::/48", "10.20.78.128/25"]
            .map(|p| p.parse().unwrap())
            .to_vec();
    });
    plane.session(BLUE);
    let Answer::Reach { accesses, .. } = plane.workers[0].handle_update(&Update::ReadReach) else {
        panic!("no reach");
    };
    let reach = &accesses[0];
    assert!(reach.foreign.is_empty() && reach.sentinel.is_empty());
    let ues: Vec<_> = reach.ues.ranges().collect();
    for framed in ["10.20.77.0", "10.20.78.128", "fd20:77::"] {
        let first: IpAddr = framed.parse().unwrap();
        assert!(ues.iter().any(|(a, _)| *a == first), "{framed}: {ues:?}");
    }
    let mut tried = Vec::new();
    for (first, last) in reach.segment.ranges().chain(reach.ues.ranges()) {
        tried.extend([first, last].into_iter().flat_map(around));
    }
    let mut rng = heiiki_types::Rng::from_seed(3);
    for _ in 0..2_000 {
        let octets: [u8; 16] = rng.octets();
        let [a, b, c, d, ..] = octets;
        tried.push(Ipv4Addr::new(10, 20 + (a & 1), b, c).into());
        tried.push(Ipv4Addr::new(a, b, c, d).into());
        let mut v6 = octets;
        v6[..5].copy_from_slice(&[0xfd, 0x20, 0, a & 0x77, 0]);
        tried.push(core::net::Ipv6Addr::from(v6).into());
        tried.push(core::net::Ipv6Addr::from(octets).into());
    }
    for to in tried {
        let packet = match to {
            IpAddr::V4(_) => plane_udp(ue4(0), to, 9),
            IpAddr::V6(_) => plane_udp(ue6(0).address(), to, 9),
        };
        // A UE address that nobody has is reachable and answers with nothing.
        let before = plane.refused(crate::Refusal::NoSession);
        let outcome = plane.up(sender, &packet);
        let nobody = plane.refused(crate::Refusal::NoSession) > before;
        let expected = (reach.segment.contains(to), reach.ues.contains(to));
        let seen = (
            matches!(outcome, Outcome::Segment(RED, _)),
            nobody || matches!(outcome, Outcome::Ue(..)),
        );
        assert_eq!(seen, expected, "{to}: {outcome:?}");
    }
}

/// An address and its neighbours.
fn around(address: IpAddr) -> Vec<IpAddr> {
    match address {
        IpAddr::V4(a) => [
            a.to_bits().checked_sub(1),
            Some(a.to_bits()),
            a.to_bits().checked_add(1),
        ]
        .into_iter()
        .flatten()
        .map(|bits| Ipv4Addr::from_bits(bits).into())
        .collect(),
        IpAddr::V6(a) => [
            a.to_bits().checked_sub(1),
            Some(a.to_bits()),
            a.to_bits().checked_add(1),
        ]
        .into_iter()
        .flatten()
        .map(|bits| core::net::Ipv6Addr::from_bits(bits).into())
        .collect(),
    }
}
