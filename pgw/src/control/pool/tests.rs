use core::net::Ipv4Addr;

use super::*;
use crate::config::{ApnConfig, TenantId};

fn pool(prefix: &str, change: impl FnOnce(&mut ApnConfig)) -> AddressPool {
    let prefix: heiiki_types::Prefix = prefix.parse().unwrap();
    let mut config = ApnConfig::new("corp".parse().unwrap(), "red", prefix);
    change(&mut config);
    let bits = |a| match a {
        IpAddr::V4(a) => Ipv4Addr::to_bits(a),
        IpAddr::V6(_) => unreachable!(),
    };
    let ends = |p: heiiki_types::Prefix| match (p.first(), p.last()) {
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            (Prefix64::of(first).to_bits(), Prefix64::of(last).to_bits())
        }
        _ => unreachable!(),
    };
    AddressPool::new(&Access {
        tenant: TenantId(0),
        routes: alloc::collections::BTreeMap::new(),
        pool_v6: config.pool_v6.map(ends),
        first: bits(prefix.first()),
        last: bits(prefix.last()),
        static_range: config
            .static_range
            .map(|r| (bits(r.first()), bits(r.last()))),
        config,
    })
}

impl Lease {
    fn v4(&self) -> Ipv4Addr {
        self.addresses.v4().unwrap()
    }

    const fn is_new(&self) -> bool {
        !self.reserved.is_empty()
    }
}

const V4: Asked = Asked {
    v4: Some(None),
    v6: None,
};
const BOTH: Asked = Asked {
    v4: Some(None),
    v6: Some(None),
};
const V6: Asked = Asked {
    v4: None,
    v6: Some(None),
};

fn take(
    pool: &mut AddressPool,
    now: Instant,
    imsi: Imsi,
    wanted: Option<Ipv4Addr>,
) -> Result<Lease, NoAddress> {
    let asked = Asked {
        v4: Some(wanted),
        ..V4
    };
    pool.lease(now, imsi, &asked, 7)
}

fn imsi(n: u32) -> Imsi {
    alloc::format!("00101{n:010}").parse().unwrap()
}

const QUARANTINE: Duration = Duration::from_mins(1);

fn at(seconds: u64) -> Instant {
    Instant::from_micros(seconds * 1_000_000)
}

#[test]
fn a_pool_hands_out_what_is_usable_and_no_more() {
    let mut pool = pool("10.0.0.0/29", |_| {});
    for n in 2..7_u8 {
        let lease = take(&mut pool, at(0), imsi(u32::from(n)), None).unwrap();
        assert_eq!(lease.v4(), Ipv4Addr::new(10, 0, 0, n));
    }
    assert_eq!(
        take(&mut pool, at(0), imsi(99), None),
        Err(NoAddress::Exhausted)
    );
}

#[test]
fn an_address_rests_before_its_next_user() {
    let mut pool = pool("10.0.0.0/29", |_| {});
    for n in 0..5 {
        take(&mut pool, at(0), imsi(n), None).unwrap();
    }
    let back = Ipv4Addr::new(10, 0, 0, 4);
    pool.release(at(100), QUARANTINE, back.into());
    assert_eq!(
        take(&mut pool, at(159), imsi(9), None),
        Err(NoAddress::Exhausted)
    );
    assert_eq!(take(&mut pool, at(160), imsi(9), None).unwrap().v4(), back);
}

/// Goal: a SIM gets its fixed address back from a pool that used it. Method: it was leased, rests,
/// and has rested, while the pool is far from full.
#[test]
fn an_address_that_rested_may_be_asked_for() {
    let mut pool = pool("10.0.0.0/24", |_| {});
    let wanted = take(&mut pool, at(0), imsi(1), None).unwrap().v4();
    pool.release(at(100), QUARANTINE, wanted.into());
    assert_eq!(
        take(&mut pool, at(159), imsi(2), Some(wanted)),
        Err(NoAddress::Taken)
    );
    let lease = take(&mut pool, at(160), imsi(2), Some(wanted)).unwrap();
    assert_eq!(lease.v4(), wanted);
    assert_ne!(
        take(&mut pool, at(160), imsi(3), None).unwrap().v4(),
        wanted
    );
}

#[test]
fn a_static_address_belongs_to_its_sim() {
    let mut pool = pool("10.0.0.0/24", |c| {
        c.static_range = Some("10.0.0.128/25".parse().unwrap());
    });
    let wanted = Ipv4Addr::new(10, 0, 0, 200);
    let lease = take(&mut pool, at(0), imsi(1), Some(wanted)).unwrap();
    assert!(lease.is_new());
    assert_eq!(
        take(&mut pool, at(0), imsi(2), Some(wanted)),
        Err(NoAddress::Taken)
    );
    pool.release(at(1), QUARANTINE, wanted.into());
    assert_eq!(
        take(&mut pool, at(900), imsi(2), Some(wanted)),
        Err(NoAddress::Taken)
    );
    // It comes back without asking, and at once.
    let again = take(&mut pool, at(1), imsi(1), None).unwrap();
    assert_eq!((again.v4(), again.is_new()), (wanted, false));
    let dynamic = Ipv4Addr::new(10, 0, 0, 50);
    let refused = take(&mut pool, at(0), imsi(3), Some(dynamic));
    assert_eq!(refused, Err(NoAddress::NotStatic));
}

#[test]
fn a_range_beside_the_pool_works_alike() {
    let mut pool = pool("10.0.0.0/29", |c| {
        c.static_range = Some("10.9.0.0/24".parse().unwrap());
    });
    let wanted = Ipv4Addr::new(10, 9, 0, 9);
    take(&mut pool, at(0), imsi(1), Some(wanted)).unwrap();
    assert_eq!(
        take(&mut pool, at(0), imsi(2), Some(wanted)),
        Err(NoAddress::Taken)
    );
    assert!(!pool.restore(imsi(1), wanted.into()));
    pool.release(at(0), QUARANTINE, wanted.into());
    assert!(pool.restore(imsi(1), wanted.into()));
}

#[test]
fn configured_reservations_stand() {
    let reserved = Ipv4Addr::new(10, 0, 0, 2);
    let mut pool = pool("10.0.0.0/29", |c| {
        c.reservations.insert(imsi(7), reserved);
    });
    let other = take(&mut pool, at(0), imsi(1), None).unwrap();
    assert_eq!(other.v4(), Ipv4Addr::new(10, 0, 0, 3));
    assert_eq!(
        take(&mut pool, at(0), imsi(7), None).unwrap().v4(),
        reserved
    );
    let elsewhere = Some(Ipv4Addr::new(10, 0, 0, 5));
    assert_eq!(
        take(&mut pool, at(0), imsi(7), elsewhere),
        Err(NoAddress::NotStatic)
    );
}

#[test]
fn a_sim_whose_static_address_changes_gives_up_the_old_one() {
    let mut pool = pool("10.0.0.0/24", |_| {});
    let (old, new) = (Ipv4Addr::new(10, 0, 0, 9), Ipv4Addr::new(10, 0, 0, 10));
    take(&mut pool, at(0), imsi(1), Some(old)).unwrap();
    pool.release(at(0), QUARANTINE, old.into());
    let lease = take(&mut pool, at(0), imsi(1), Some(new)).unwrap();
    assert_eq!(lease.given_up, [IpAddr::V4(old)]);
    assert!(take(&mut pool, at(0), imsi(2), Some(old)).is_ok());
}

fn dual(prefix: &str, pool_v6: &str) -> AddressPool {
    pool(prefix, |c| c.pool_v6 = Some(pool_v6.parse().unwrap()))
}

fn prefix(text: &str) -> Prefix64 {
    Prefix64::of(text.parse().unwrap())
}

/// TS 23.401 §5.3.1.2.2: every connection has a /64 of its own; the first is the gateway's.
#[test]
fn a_session_gets_a_prefix_of_its_own() {
    let mut pool = dual("10.0.0.0/24", "fd00:1:2:0::/62");
    for n in 1..4 {
        let lease = pool.lease(at(0), imsi(n), &V6, u64::from(n)).unwrap();
        let v6 = lease.addresses.v6().unwrap();
        assert_eq!(lease.addresses.v4(), None);
        assert_eq!(v6.prefix, prefix(&alloc::format!("fd00:1:2:{n}::")));
        assert_eq!(v6.interface, u64::from(n));
    }
    let refused = pool.lease(at(0), imsi(9), &V6, 7);
    assert_eq!(refused, Err(NoAddress::Exhausted));
}

/// Goal: a refusal takes nothing. Method: the prefixes are out, and the IPv4 address that was found
/// for the same session goes to the next one.
#[test]
fn a_lease_of_both_that_fails_gives_the_first_half_back() {
    let mut pool = dual("10.0.0.0/29", "fd00:1:2:0::/63");
    let wanted = Some(Some(Ipv4Addr::new(10, 0, 0, 6)));
    pool.lease(at(0), imsi(1), &BOTH, 7).unwrap();
    for n in 2..9 {
        let refused = pool.lease(at(0), imsi(n), &BOTH, 7);
        assert_eq!(refused, Err(NoAddress::Exhausted));
        let fixed = Asked { v4: wanted, ..BOTH };
        let refused = pool.lease(at(0), imsi(n), &fixed, 7);
        assert_eq!(refused, Err(NoAddress::Exhausted));
    }
    for n in 2..6 {
        pool.lease(at(0), imsi(n), &V4, 7).unwrap();
    }
    assert_eq!(
        pool.lease(at(0), imsi(9), &V4, 7),
        Err(NoAddress::Exhausted)
    );
}

#[test]
fn a_prefix_rests_and_a_reserved_one_stays() {
    let mut pool = dual("10.0.0.0/29", "fd00:1:2:0::/62");
    let first = pool.lease(at(0), imsi(1), &BOTH, 7).unwrap();
    let asked = Asked {
        v4: None,
        v6: Some(Some(prefix("fd00:1:2:3::"))),
    };
    let fixed = pool.lease(at(0), imsi(2), &asked, 7).unwrap();
    let key: IpAddr = "fd00:1:2:3::".parse().unwrap();
    assert_eq!(fixed.reserved, [key]);
    pool.release(at(1), QUARANTINE, fixed.addresses);
    assert_eq!(
        pool.lease(at(900), imsi(3), &asked, 7),
        Err(NoAddress::Taken)
    );
    pool.lease(at(1), imsi(2), &asked, 7).unwrap();
    pool.release(at(1), QUARANTINE, first.addresses);
    pool.lease(at(2), imsi(4), &V6, 7).unwrap();
    let refused = pool.lease(at(60), imsi(5), &V6, 7);
    assert_eq!(refused, Err(NoAddress::Exhausted));
    let again = pool.lease(at(61), imsi(5), &V6, 7).unwrap();
    assert_eq!(again.addresses.v6(), first.addresses.v6());
    // The gateway's own prefix and one of another pool are nobody's.
    for other in ["fd00:1:2:0::", "fd00:1:2:4::"] {
        let asked = Asked {
            v4: None,
            v6: Some(Some(prefix(other))),
        };
        let refused = pool.lease(at(61), imsi(6), &asked, 7);
        assert_eq!(refused, Err(NoAddress::NotStatic), "{other}");
    }
}

#[test]
fn a_restored_session_needs_all_of_its_addresses() {
    let mut pool = dual("10.0.0.0/29", "fd00:1:2:0::/62");
    let addresses: UeAddresses = "10.0.0.3,fd00:1:2:1::9/64".parse().unwrap();
    assert!(pool.restore(imsi(1), addresses));
    // One half is another session's: the other half is not taken.
    let half: UeAddresses = "10.0.0.4,fd00:1:2:1::8/64".parse().unwrap();
    assert!(!pool.restore(imsi(2), half));
    assert!(pool.restore(imsi(3), Ipv4Addr::new(10, 0, 0, 4).into()));
    let elsewhere: UeAddresses = "fd00:1:2:7::8/64".parse().unwrap();
    assert!(!pool.restore(imsi(4), elsewhere));
}
