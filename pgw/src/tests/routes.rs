//! Networks behind a UE, configured for its SIM (framed routes).

use core::net::Ipv4Addr;

use heiiki_types::Prefix;

use super::bed::{Bed, INTRANET, RED, Tunnel, config, imsi, udp};
use crate::config::{FramedRoute, PgwConfig, UeToUe};

const BEHIND: Ipv4Addr = Ipv4Addr::new(10, 20, 7, 9);

fn routed() -> PgwConfig {
    let mut config = config();
    for (n, prefix) in [(1, "10.20.7.0/24"), (1, "fd00:7::/64"), (2, "10.20.8.0/24")] {
        let prefix: Prefix = prefix.parse().unwrap();
        let declared = &mut config.tenants[0].prefixes;
        if !prefix.is_ipv4() {
            declared.push("fd00::/16".parse::<Prefix>().unwrap().into());
        }
        config.apns[0].routes.push(FramedRoute {
            imsi: imsi(n),
            prefix,
        });
    }
    config
}

fn passes_up(bed: &mut Bed, tunnel: &Tunnel, source: Ipv4Addr) -> bool {
    bed.sgi.clear();
    bed.uplink(tunnel, &udp(source, INTRANET, 9));
    !bed.sgi.is_empty()
}

fn passes_down(bed: &mut Bed, tunnel: &Tunnel, to: Ipv4Addr) -> bool {
    bed.downlink(RED, &udp(INTRANET, to, 9));
    !bed.received(tunnel).is_empty()
}

/// Goal: a LAN behind one UE is reached through it and through nobody else. Method: packets both
/// ways, for the SIM with the route, for one without, before, during and after the session.
#[test]
fn a_network_behind_a_ue_is_reached_through_it() {
    let mut bed = Bed::new(routed());
    bed.downlink(RED, &udp(INTRANET, BEHIND, 9));
    assert!(bed.s5u.is_empty(), "nobody is there yet");
    let own = bed.create(imsi(1), "red.corp").unwrap();
    let other = bed.create(imsi(3), "red.corp").unwrap();
    assert!(passes_up(&mut bed, &own, BEHIND));
    assert!(passes_up(&mut bed, &own, own.address));
    assert!(passes_down(&mut bed, &own, BEHIND));
    // Neither the neighbour's network nor that of a SIM without a session.
    assert!(!passes_up(&mut bed, &own, Ipv4Addr::new(10, 20, 8, 1)));
    assert!(!passes_up(&mut bed, &other, BEHIND));
    assert_eq!(bed.refusals()["spoofed_source"], 2);
    assert!(!passes_down(&mut bed, &other, BEHIND));
    assert!(passes_down(&mut bed, &other, other.address));
    let mut bed = bed.crash();
    assert!(passes_up(&mut bed, &own, BEHIND), "restored with its route");
    assert!(passes_down(&mut bed, &own, BEHIND));
    bed.delete(&own);
    assert!(!passes_down(&mut bed, &own, BEHIND));
}

/// The tenant's rule for packets between UEs holds for the networks behind them.
#[test]
fn networks_behind_ues_reach_each_other_as_ues_do() {
    for policy in [UeToUe::Deny, UeToUe::Allow] {
        let mut config = routed();
        config.tenants[0].ue_to_ue = policy;
        let mut bed = Bed::new(config);
        let first = bed.create(imsi(1), "red.corp").unwrap();
        let second = bed.create(imsi(2), "red.corp").unwrap();
        bed.uplink(&first, &udp(BEHIND, Ipv4Addr::new(10, 20, 8, 4), 9));
        let arrived = bed.received(&second).len();
        assert_eq!(arrived, usize::from(policy == UeToUe::Allow));
        assert!(bed.sgi.is_empty());
    }
}
