//! The closed gateway: nothing leaves but to the tenant's own prefixes.

use core::net::{IpAddr, Ipv4Addr};

use heiiki::Lab;
use heiiki::lab::Network;
use heiiki_types::Protections;
use heiiki_ue_sim::{ProbeOutcome, UeCommand};

use crate::prelude::*;

/// Addresses that no tenant declared. The sentinel answers for each.
const OUTSIDE: [Ipv4Addr; 4] = [
    Ipv4Addr::new(8, 8, 8, 8),
    Ipv4Addr::new(1, 1, 1, 1),
    Ipv4Addr::new(203, 0, 113, 10),
    Ipv4Addr::new(192, 168, 1, 1),
];

/// Goal: the outside world is out of reach, with a reason and a counter. Method: probes of three
/// kinds at four addresses; the sentinel counts zero.
#[test]
fn nothing_outside_is_reached() {
    let mut lab = one_pc();
    lab.attach("pc-1").unwrap();
    for (n, target) in (1..).zip(OUTSIDE) {
        // The gateway says no at a bounded rate.
        lab.run_for(s(5));
        for outcome in [
            lab.ping("pc-1", target),
            lab.tcp("pc-1", target, 443),
            lab.udp("pc-1", target, 53),
        ] {
            assert!(
                matches!(outcome, ProbeOutcome::Prohibited { code: 13, .. }),
                "{target}: {outcome:?}"
            );
        }
        assert!(refused(&mut lab, "not_declared") >= 3 * n);
    }
    assert_eq!(Network::escaped(lab.network()), []);
    assert_eq!(lab.audit().unwrap()["closed"], true);
}

/// Goal: the test above can fail. Method: the positive control: an access point that the lab opens
/// on purpose reaches the sentinel, and the proof says that it is open.
#[test]
fn an_access_point_that_the_lab_opens_reaches_the_sentinel() {
    let builder = acme().tenant("open", "10.40.0.0/16").open_lab();
    let builder = builder.sim("pc-1", "acme").sim("pc-2", "open");
    let mut lab = builder.build().unwrap();
    lab.attach("pc-1").unwrap();
    lab.attach("pc-2").unwrap();
    for target in OUTSIDE {
        assert!(lab.ping("pc-2", target).is_answered(), "{target}");
        assert!(lab.udp("pc-2", target, 53).is_answered(), "{target}");
        assert!(!lab.ping("pc-1", target).is_answered(), "{target}");
    }
    let escaped = Network::escaped(lab.network());
    assert!(escaped.len() >= OUTSIDE.len());
    assert!(
        escaped.iter().all(|e| e.tenant == 1 && e.open),
        "{escaped:?}"
    );
}

/// Goal: a UE finds nothing of the core. Method: probes at every address and port that the core
/// serves; all stay silent and count.
#[test]
fn nothing_of_the_core_is_reached() {
    let mut lab = one_pc();
    lab.attach("pc-1").unwrap();
    for target in lab.addresses().core() {
        let IpAddr::V4(address) = target.ip() else {
            panic!("{target}");
        };
        for outcome in [
            lab.ping("pc-1", address),
            lab.tcp("pc-1", address, target.port()),
            lab.udp("pc-1", address, target.port()),
        ] {
            assert!(
                !outcome.is_answered() && outcome != ProbeOutcome::Refused,
                "{target}: {outcome:?}"
            );
        }
    }
}

fn inject(lab: &mut Lab, sim: &str, packet: Vec<u8>) {
    lab.command(sim, UeCommand::Inject { packet });
    lab.run_for(ms(200));
}

/// Goal: a UE speaks for itself alone. Method: packets with the source of another UE, of the
/// intranet, of the outside and of nobody; each counts, and none passes.
#[test]
fn a_spoofed_source_is_dropped() {
    let mut lab = acme().sims("pc", 2, "acme").build().unwrap();
    lab.attach("pc-1").unwrap();
    let victim = lab.attach("pc-2").unwrap().ip;
    let sources = [
        victim,
        INTRANET,
        OUTSIDE[0],
        Ipv4Addr::UNSPECIFIED,
        Ipv4Addr::LOCALHOST,
    ];
    for (n, source) in (1..).zip(sources) {
        inject(&mut lab, "pc-1", echo_request(source, INTRANET));
        assert_eq!(refused(&mut lab, "spoofed_source"), n, "{source}");
    }
}

/// Goal: the test above can fail. Method: the same packet while the source check is off.
#[test]
fn without_the_check_a_spoofed_source_passes() {
    let builder = acme()
        .sims("pc", 2, "acme")
        .weaken(|p| p.source_check = false);
    let mut lab = builder.build().unwrap();
    lab.attach("pc-1").unwrap();
    let victim = lab.attach("pc-2").unwrap().ip;
    let crossed = record(&mut lab, heiiki::Link::Sgi);
    inject(&mut lab, "pc-1", echo_request(victim, INTRANET));
    assert_eq!(refused(&mut lab, "spoofed_source"), 0);
    assert_eq!(crossed.lock().unwrap()[0], "ICMP from pgw");
}

/// Goal: core addresses in a packet's own header are dropped as such, even where the UE's stack
/// would not send them. Method: raw packets to every node.
#[test]
fn packets_to_the_core_are_counted_as_infrastructure() {
    let mut lab = one_pc();
    let own = lab.attach("pc-1").unwrap().ip;
    for (n, target) in (1..).zip(lab.addresses().core()) {
        let IpAddr::V4(address) = target.ip() else {
            panic!("{target}");
        };
        inject(&mut lab, "pc-1", echo_request(own, address));
        assert_eq!(refused(&mut lab, "infrastructure"), n, "{target}");
    }
}

/// Goal: no GTP inside GTP. Method: a datagram to the GTP-U port of a host of the own intranet.
#[test]
fn a_tunnel_in_a_tunnel_is_dropped() {
    let mut lab = one_pc();
    let own = lab.attach("pc-1").unwrap().ip;
    // UDP from and to 2152 without a checksum, and a G-PDU with TEID 1 and nothing inside.
    let udp = [
        0x08, 0x68, 0x08, 0x68, 0, 16, 0, 0, 0x30, 0xff, 0, 0, 0, 0, 0, 1,
    ];
    inject(&mut lab, "pc-1", ipv4(own, INTRANET, 17, &udp));
    assert_eq!(refused(&mut lab, "tunnel_in_tunnel"), 1);
}

/// Goal: no IPv6 in a tunnel that no rule looks into, and no UE that speaks as a router. Method: 6in4
/// and a redirect to a host of the own intranet; then the same with the control off, when each
/// crosses SGi.
#[test]
fn tunnels_of_ipv6_and_forged_routers_are_dropped() {
    type Switch = fn(&mut Protections);
    let six_in_four = (41, vec![0x60; 48]);
    let redirect = (1, vec![5, 1, 0, 0, 10, 0, 0, 1, 0x45, 0, 0, 28]);
    let attacks: [(_, &str, Switch); 2] = [
        (six_in_four, "transition_tunnel", |p| p.tunnel_deny = false),
        (redirect, "router_impersonation", |p| {
            p.router_guard = false;
        }),
    ];
    for ((protocol, payload), reason, off) in attacks {
        let mut lab = one_pc();
        let own = lab.attach("pc-1").unwrap().ip;
        inject(&mut lab, "pc-1", ipv4(own, INTRANET, protocol, &payload));
        assert_eq!(refused(&mut lab, reason), 1);

        let builder = acme().sim("pc-1", "acme").weaken(off);
        let mut lab = builder.build().unwrap();
        let own = lab.attach("pc-1").unwrap().ip;
        let crossed = record(&mut lab, heiiki::Link::Sgi);
        inject(&mut lab, "pc-1", ipv4(own, INTRANET, protocol, &payload));
        assert_eq!(refused(&mut lab, reason), 0);
        assert!(!crossed.lock().unwrap().is_empty(), "{reason}");
    }
}

/// Goal: the closedness proof can fail. Method: each protection of the user plane switched off in
/// turn, and none.
#[test]
fn the_proof_sees_every_protection_that_is_off() {
    type Switch = fn(&mut Protections);
    let switches: [(&str, Switch, bool); 9] = [
        ("none", |_| {}, true),
        ("source_check", |p| p.source_check = false, false),
        ("tenant_isolation", |p| p.tenant_isolation = false, false),
        ("ue_isolation", |p| p.ue_isolation = false, false),
        (
            "infrastructure_deny",
            |p| p.infrastructure_deny = false,
            false,
        ),
        ("tunnel_deny", |p| p.tunnel_deny = false, false),
        ("router_guard", |p| p.router_guard = false, false),
        ("closed_egress", |p| p.closed_egress = false, false),
        ("bar", |p| p.bar = false, false),
    ];
    for (name, off, closed) in switches {
        let mut lab = acme().sim("pc-1", "acme").weaken(off).build().unwrap();
        lab.attach("pc-1").unwrap();
        assert_eq!(lab.audit().unwrap()["closed"], closed, "{name}");
    }
}

/// Goal: the probes above can fail. Method: closed egress is off, and a packet for the outside
/// crosses SGi instead of being refused.
#[test]
fn without_closed_egress_a_packet_leaves() {
    let builder = acme()
        .sim("pc-1", "acme")
        .weaken(|p| p.closed_egress = false);
    let mut lab = builder.build().unwrap();
    lab.attach("pc-1").unwrap();
    let crossed = record(&mut lab, heiiki::Link::Sgi);
    lab.ping("pc-1", OUTSIDE[0]);
    assert_eq!(refused(&mut lab, "not_declared"), 0);
    assert_eq!(crossed.lock().unwrap()[0], "ICMP from pgw");
}
