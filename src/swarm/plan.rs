//! A random lab and random links.

use core::net::Ipv4Addr;
use core::time::Duration;

use heiiki_types::{Key128, Rng};

use crate::lab::{Builder, Lab};
use crate::plan::{RefuseAt, Sim, SimState, UeToUe};
use crate::world::{Link, LinkProfile, World};

/// Ranges that tenants draw from: they overlap on purpose.
const RANGES: [(&str, u8); 6] = [
    ("10.20.0.0/16", 16),
    ("10.20.0.0/16", 16),
    ("10.20.0.0/20", 20),
    ("10.20.8.0/24", 24),
    ("192.168.7.0/24", 24),
    ("192.168.7.0/26", 26),
];
/// The smallest range: five UEs.
const SMALL: &str = "172.16.9.0/28";

/// Draws a lab.
pub(super) fn lab(seed: u64, rng: &mut Rng) -> Builder {
    let tenants = 1 + pick(rng, 3);
    let sims: Vec<usize> = (0..3 + pick(rng, 10)).map(|_| pick(rng, tenants)).collect();
    let (enbs, workers) = (1 + pick(rng, 3), 1 + pick(rng, 3));
    let watchdog = Duration::from_secs(6 + rng.below(30));
    let delay = Duration::from_micros(200 + rng.below(8_000));
    let mut builder = Lab::builder().seed(seed).delay(delay).with_network(|n| {
        n.enbs = enbs;
        n.workers = workers;
        n.watchdog = watchdog;
    });
    for tenant in 0..tenants {
        let members = sims.iter().filter(|t| **t == tenant).count();
        builder = add_tenant(builder, rng, tenant, members);
    }
    for (number, tenant) in (1..).zip(sims) {
        builder = builder.sim(&format!("sim-{number}"), &name(tenant));
        let enb = pick(rng, enbs);
        builder = builder.with_sim(|sim| {
            sim.enb = enb;
            draw_sim(sim, rng);
        });
    }
    with_fixed_addresses(builder, rng)
}

fn name(tenant: usize) -> String {
    format!("tenant-{}", tenant + 1)
}

fn pick(rng: &mut Rng, bound: usize) -> usize {
    let bound = u64::try_from(bound).unwrap_or(u64::MAX);
    usize::try_from(rng.below(bound)).unwrap_or(0)
}

fn add_tenant(builder: Builder, rng: &mut Rng, tenant: usize, members: usize) -> Builder {
    let range = if members <= 4 && rng.chance(0.2) {
        SMALL
    } else {
        RANGES.get(pick(rng, RANGES.len())).map_or(SMALL, |r| r.0)
    };
    let (open, at_air) = (rng.chance(0.3), rng.chance(0.2));
    builder.tenant(&name(tenant), range).with_tenant(|t| {
        if open {
            t.ue_to_ue = UeToUe::Allow;
        }
        if at_air {
            t.refuse_at = RefuseAt::Air;
        }
    })
}

/// Cards that do not fit, cards that are ahead, SIMs that may not attach yet.
fn draw_sim(sim: &mut Sim, rng: &mut Rng) {
    let other = Key128::new(rng.octets());
    let ahead = rng.below(1 << 20) << 5;
    match rng.below(20) {
        0 => sim.card.k = Some(other),
        1 => sim.card.opc = Some(other),
        2..5 => sim.card.sqn = Some(ahead),
        5 => sim.state = SimState::Suspended,
        6 => sim.state = SimState::Inactive,
        _ => {}
    }
}

/// Gives some SIMs an address for good: the last ones of the pool, each to one SIM.
fn with_fixed_addresses(mut builder: Builder, rng: &mut Rng) -> Builder {
    builder = builder.with_plan(|plan| {
        for access in &plan.apns {
            // A pool this small has no address to spare.
            if access.pool.length() > 26 {
                continue;
            }
            let core::net::IpAddr::V4(last) = access.pool.last() else {
                continue;
            };
            let own = plan.sims.iter_mut().filter(|s| s.tenant == access.tenant);
            for (below, sim) in (2_u32..).zip(own) {
                if rng.chance(0.25) {
                    let address = Ipv4Addr::from_bits(last.to_bits() - below);
                    for apn in &mut sim.apns {
                        apn.static_ip = Some(address);
                    }
                }
            }
        }
    });
    builder
}

/// Whether the card is the one that the HSS knows.
pub(super) const fn is_genuine(sim: &Sim) -> bool {
    sim.card.k.is_none() && sim.card.opc.is_none()
}

/// Draws what the links do.
pub(super) fn links(rng: &mut Rng, world: &mut World) {
    let severity = match rng.below(10) {
        0..4 => 0.0,
        4..8 => 0.02,
        _ => 0.12,
    };
    for link in Link::ALL {
        let delay = world.profile(link).delay;
        if !rng.chance(0.7) {
            continue;
        }
        let share = |rng: &mut Rng| {
            let part = rng.below(1_000);
            severity * f64::from(u32::try_from(part).unwrap_or(0)) / 1_000.0
        };
        let profile = LinkProfile {
            delay,
            jitter: Duration::from_micros(rng.below(5_000)),
            loss: share(rng),
            duplicate: share(rng),
            reorder: share(rng),
            corrupt: share(rng) / 4.0,
        };
        world.set_profile(link, profile);
    }
}
