//! What an attacker with a SIM, or beside the tunnel, tries in the user plane: for each attack the
//! control that stops it. With the control off the attack works, or the test would prove nothing;
//! with it on the packet is refused, counted once and reported with who did it.

use alloc::vec::Vec;
use core::net::Ipv6Addr;

use heiiki_types::Protections;

use super::bed::{BLUE, INTRANET, RED, config, imsi, udp as udp4};
use super::plane::{HOST4, HOST6, OUTSIDE6, Outcome, Plane, dual, icmp6, udp, ue4, ue6};
use crate::{Event, PgwConfig, Refusal, UeToUe};

/// One attack: what is sent up the first session, and what stops it.
struct Attack {
    name: &'static str,
    packet: Vec<u8>,
    control: fn(&mut Protections),
    reason: Refusal,
    /// The tenant's UEs may talk to each other, so that nothing else stops it.
    among_ues: bool,
}

fn attack(
    name: &'static str,
    packet: Vec<u8>,
    control: fn(&mut Protections),
    reason: Refusal,
) -> Attack {
    Attack {
        name,
        packet,
        control,
        reason,
        among_ues: false,
    }
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn attacks() -> Vec<Attack> {
    let me = ue6(0).address();
    let core6: Ipv6Addr = "fd00:c0::1".parse().unwrap();
    let mut six_in_four = udp(ue4(0), HOST4, 80);
    six_in_four[9] = 41;
    six_in_four[10..12].fill(0);
    let sum = etherparse::checksum::Sum16BitWords::new().add_slice(&six_in_four[..20]);
    six_in_four[10..12].copy_from_slice(&sum.ones_complement().to_be().to_be_bytes());
    // A Router Advertisement to another UE: it would be that UE's way out.
    let advertisement = icmp6(me, ue6(1).address(), 255, (134, 0), &[64, 0, 7, 8]);
    let redirect = icmp6(me, ue6(1).address(), 255, (137, 0), &[0; 36]);
    let mut dhcp = udp(ue4(0), ue4(1), 68);
    dhcp[20..22].copy_from_slice(&67_u16.to_be_bytes());
    let source = |p: &mut Protections| p.source_check = false;
    let ue = |p: &mut Protections| p.ue_isolation = false;
    let tenant = |p: &mut Protections| p.tenant_isolation = false;
    let infrastructure = |p: &mut Protections| p.infrastructure_deny = false;
    let tunnel = |p: &mut Protections| p.tunnel_deny = false;
    let router = |p: &mut Protections| p.router_guard = false;
    let closed = |p: &mut Protections| p.closed_egress = false;
    let mut all = alloc::vec![
        attack(
            "another UE's IPv4 source",
            udp(ue4(1), HOST4, 80),
            source,
            Refusal::SpoofedSource
        ),
        attack(
            "another UE's IPv6 source",
            udp(ue6(1).address(), HOST6, 80),
            source,
            Refusal::SpoofedSource
        ),
        attack(
            "a public source",
            udp(OUTSIDE6, HOST6, 80),
            source,
            Refusal::SpoofedSource
        ),
        attack(
            "GTP-U in GTP",
            udp(ue4(0), HOST4, 2152),
            infrastructure,
            Refusal::TunnelInTunnel
        ),
        attack(
            "GTP-C in GTP over IPv6",
            udp(me, HOST6, 2123),
            infrastructure,
            Refusal::TunnelInTunnel
        ),
        attack(
            "GTP' in GTP",
            udp(ue4(0), HOST4, 3386),
            infrastructure,
            Refusal::TunnelInTunnel
        ),
        attack(
            "another UE over IPv4",
            udp(ue4(0), ue4(1), 22),
            ue,
            Refusal::UeToUe
        ),
        attack(
            "another UE over IPv6",
            udp(me, ue6(1).address(), 22),
            ue,
            Refusal::UeToUe
        ),
        attack(
            "another tenant's network",
            udp4(ue4(0), [10, 99, 0, 1].into(), 80),
            tenant,
            Refusal::CrossTenant
        ),
        attack("6in4", six_in_four, tunnel, Refusal::TransitionTunnel),
        attack(
            "Teredo",
            udp(ue4(0), HOST4, 3544),
            tunnel,
            Refusal::TransitionTunnel
        ),
        attack(
            "the Internet over IPv4",
            udp4(ue4(0), [203, 0, 113, 1].into(), 443),
            closed,
            Refusal::NotDeclared
        ),
        attack(
            "the Internet over IPv6",
            udp(me, OUTSIDE6, 443),
            closed,
            Refusal::NotDeclared
        ),
    ];
    for (name, packet) in [
        ("a Router Advertisement", advertisement),
        ("a redirect", redirect),
        ("a DHCP server's answer", dhcp),
    ] {
        all.push(Attack {
            among_ues: true,
            ..attack(name, packet, router, Refusal::RouterImpersonation)
        });
    }
    // The core is in nobody's declared prefixes, so the closed egress stands behind the list; with
    // both off a scan finds it.
    for (name, packet) in [
        (
            "the core over IPv4",
            udp4(ue4(0), [172, 31, 4, 4].into(), 3868),
        ),
        ("the core over IPv6", udp(me, core6, 8805)),
    ] {
        let both = |p: &mut Protections| (p.infrastructure_deny, p.closed_egress) = (false, false);
        all.push(attack(name, packet, both, Refusal::Infrastructure));
    }
    all
}

fn victims(config: &PgwConfig) -> (Plane, u32) {
    let mut plane = Plane::new(config);
    let attacker = plane.session(RED);
    plane.session(RED);
    plane.session(BLUE);
    (plane, attacker)
}

#[test]
fn each_attack_works_without_its_control_and_is_stopped_by_it() {
    for attack in attacks() {
        let mut config = dual();
        if attack.among_ues {
            config.tenants[0].ue_to_ue = UeToUe::Allow;
        }
        let mut weak = config.clone();
        (attack.control)(&mut weak.protections);
        let (mut plane, attacker) = victims(&weak);
        let outcome = plane.up(attacker, &attack.packet);
        let works = matches!(outcome, Outcome::Segment(..) | Outcome::Ue(..));
        assert!(works, "{} does not work: {outcome:?}", attack.name);
        assert_eq!(plane.refusals(), 0, "{}", attack.name);

        let (mut plane, attacker) = victims(&config);
        let outcome = plane.up(attacker, &attack.packet);
        assert!(matches!(outcome, Outcome::Nothing(_)), "{}", attack.name);
        assert_eq!(plane.refused(attack.reason), 1, "{}", attack.name);
        assert_eq!(plane.refusals(), 1, "{}: counted once", attack.name);
        let reports = plane.reports();
        assert_eq!(reports.len(), 1, "{}", attack.name);
        assert_eq!(reports[0].reason, attack.reason);
        assert_eq!(reports[0].imsi, Some(imsi(attacker)), "{}", attack.name);
    }
}

/// What the core's own silence would give away is not given: no ICMP answers a scan of it.
#[test]
fn a_scan_of_the_core_hears_nothing() {
    let (mut plane, attacker) = victims(&dual());
    let core: Ipv6Addr = "fd00:c0::1".parse().unwrap();
    for port in [80, 2123, 2152, 3868, 8805, 36_412] {
        for packet in [
            udp4(ue4(0), [172, 31, 4, 4].into(), port),
            udp(ue6(0).address(), core, port),
        ] {
            assert_eq!(plane.up(attacker, &packet), Outcome::Nothing(Vec::new()));
        }
    }
}

/// Goal: the alarm comes once, at the limit, and names the SIM; the tenant decides whether the
/// session ends. Method: a whole gateway, 30 packets.
#[test]
fn spoofing_raises_an_alarm_and_ends_a_session_if_its_tenant_says_so() {
    for ends in [false, true] {
        let mut config = config();
        config.tenants[0].spoofing.ends_session = ends;
        let mut bed = super::bed::Bed::new(config);
        let tunnel = bed.create(imsi(1), "red.corp").unwrap();
        for _ in 0..9 {
            bed.uplink(&tunnel, &udp4([10, 20, 0, 200].into(), INTRANET, 80));
        }
        let alarms = |bed: &super::bed::Bed| {
            let mut alarms = bed.events.iter().filter_map(|e| match e {
                Event::Spoofing {
                    imsi, count, ends, ..
                } => Some((*imsi, *count, *ends)),
                _ => None,
            });
            let first = alarms.next();
            assert_eq!(alarms.next(), None);
            first
        };
        assert_eq!(alarms(&bed), None);
        for _ in 0..21 {
            bed.uplink(&tunnel, &udp4([10, 20, 0, 200].into(), INTRANET, 80));
        }
        assert_eq!(alarms(&bed), Some((imsi(1), 10, ends)));
        assert_eq!(bed.pgw.control().session_count(), u32::from(!ends));
        assert_eq!(bed.delete_bearers().len(), usize::from(ends));
        assert_eq!(bed.sgi.len(), 0);
    }
}

/// Groups: who is named reaches and is reached; all others are refused and counted.
#[test]
fn groups_of_a_tenant_are_apart_unless_named() {
    let mut config = dual();
    let group = |name: &str, first: u32, last: u32, reaches: &[&str]| crate::GroupConfig {
        name: name.into(),
        imsis: alloc::vec![(imsi(first), imsi(last))],
        reaches: reaches.iter().map(|n| (*n).into()).collect(),
    };
    // Policy of the tenant: allowed, which counts among those in no group only.
    config.tenants[0].ue_to_ue = UeToUe::Allow;
    config.tenants[0].groups =
        alloc::vec![group("cars", 0, 1, &["depot"]), group("depot", 2, 2, &[]),];
    let mut plane = Plane::new(&config);
    for n in 0..5 {
        plane.session_with(RED, |e| {
            e.group = crate::GroupId(match n {
                0 | 1 => 1,
                2 => 2,
                _ => 0,
            });
        });
    }
    for (from, to, passes) in [
        (0, 2, true),
        (2, 0, true),
        (0, 1, false),
        (2, 2, false),
        (0, 3, false),
        (3, 0, false),
        (3, 4, true),
    ] {
        for packet in [
            udp(ue4(from), ue4(to), 9),
            udp(ue6(from).address(), ue6(to).address(), 9),
        ] {
            let before = plane.refused(Refusal::UeToUe);
            let outcome = plane.up(from, &packet);
            let arrived = matches!(outcome, Outcome::Ue(session, ..) if session == 100 + to);
            assert_eq!(arrived, passes, "{from} to {to}");
            assert_eq!(plane.refused(Refusal::UeToUe) - before, u32::from(!passes));
        }
    }
}

/// A LAN behind a UE: its addresses are the UE's, and every rule counts for them too.
#[test]
fn a_network_behind_a_ue_has_the_same_rules() {
    let mut plane = Plane::new(&dual());
    let lan: heiiki_types::Prefix = "10.20.77.0/24".parse().unwrap();
    let lan6: heiiki_types::Prefix = "fd20:77::/48".parse().unwrap();
    let router = plane.session_with(RED, |e| e.framed = alloc::vec![lan, lan6]);
    let other = plane.session(RED);
    let host4: core::net::Ipv4Addr = [10, 20, 77, 9].into();
    let host6: Ipv6Addr = "fd20:77::9".parse().unwrap();
    assert_eq!(plane.verdict(router, &udp(host4, HOST4, 80)), None);
    assert_eq!(plane.verdict(router, &udp(host6, HOST6, 80)), None);
    let foreign = plane.verdict(other, &udp(host4, HOST4, 80));
    assert_eq!(foreign, Some(Refusal::SpoofedSource));
    let gtp = plane.verdict(router, &udp(host4, HOST4, 2152));
    assert_eq!(gtp, Some(Refusal::TunnelInTunnel));
    // To the network: the segment reaches it, other UEs do not.
    for packet in [udp(HOST4, host4, 80), udp(HOST6, host6, 80)] {
        let outcome = plane.segment_sends(RED, &packet);
        assert!(matches!(outcome, Outcome::Ue(100, ..)), "{outcome:?}");
    }
    let lateral = plane.verdict(other, &udp(ue4(1), host4, 80));
    assert_eq!(lateral, Some(Refusal::UeToUe));
    assert_eq!(
        plane.segment_sends(BLUE, &udp(HOST4, host4, 80)),
        Outcome::Nothing(Vec::new())
    );
}
