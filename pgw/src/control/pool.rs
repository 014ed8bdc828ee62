use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use heiiki_types::{Duration, Imsi, Instant, UeAddresses};

use crate::config::Access;

/// Why a SIM gets no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAddress {
    /// Every dynamic address is used or rests.
    Exhausted,
    /// The address that was asked for is not one that a SIM may ask for.
    NotStatic,
    /// The address that was asked for is another SIM's.
    Taken,
}

/// An address that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) address: Ipv4Addr,
    /// The address is the SIM's from now on, which must be written down.
    pub(crate) is_new_reservation: bool,
    /// The address that the SIM had reserved before and gives up.
    pub(crate) gives_up: Option<Ipv4Addr>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Free,
    Used,
    Resting,
}

/// The addresses of one access point.
///
/// A dynamic address that nobody had yet is handed out before one that rested, so that an address
/// stays telling in a log for as long as the pool allows. A reserved one is never handed out of
/// itself, and needs no rest: its next user is its last.
#[derive(Debug)]
pub(crate) struct AddressPool {
    access: Access,
    /// Dynamic addresses from the first of the pool, as far as any was used.
    places: Vec<Place>,
    next: u32,
    resting: VecDeque<(Instant, u32)>,
    owners: BTreeMap<u32, Imsi>,
    reserved: BTreeMap<Imsi, u32>,
    /// Addresses beside the pool that are used.
    beside: BTreeSet<u32>,
}

impl AddressPool {
    /// A pool with nothing handed out but its reservations.
    pub(crate) fn new(access: &Access) -> Self {
        let mut pool = Self {
            access: access.clone(),
            places: Vec::new(),
            next: access.first,
            resting: VecDeque::new(),
            owners: BTreeMap::new(),
            reserved: BTreeMap::new(),
            beside: BTreeSet::new(),
        };
        for (imsi, address) in &access.config.reservations {
            pool.reserve(*imsi, *address);
        }
        pool
    }

    /// Ties an address to a SIM for good.
    pub(crate) fn reserve(&mut self, imsi: Imsi, address: Ipv4Addr) {
        if let Some(old) = self.reserved.insert(imsi, address.to_bits()) {
            self.owners.remove(&old);
        }
        self.owners.insert(address.to_bits(), imsi);
    }

    fn place(&self, bits: u32) -> Place {
        if self.beside.contains(&bits) {
            return Place::Used;
        }
        bits.checked_sub(self.access.first)
            .and_then(|offset| usize::try_from(offset).ok())
            .and_then(|offset| self.places.get(offset).copied())
            .unwrap_or_default()
    }

    fn set(&mut self, bits: u32, place: Place) {
        if bits < self.access.first || bits > self.access.last {
            if place == Place::Used {
                self.beside.insert(bits);
            } else {
                self.beside.remove(&bits);
            }
            return;
        }
        let Ok(offset) = usize::try_from(bits - self.access.first) else {
            return;
        };
        if self.places.len() <= offset {
            self.places.resize(offset + 1, Place::Free);
        }
        if let Some(p) = self.places.get_mut(offset) {
            *p = place;
        }
    }

    /// Finds an address for a SIM: the one that it asks for, the one that is reserved for it, or
    /// any.
    pub(crate) fn lease(
        &mut self,
        now: Instant,
        imsi: Imsi,
        wanted: Option<Ipv4Addr>,
    ) -> Result<Lease, NoAddress> {
        let own = self.reserved.get(&imsi).copied();
        let lease = match (wanted, own) {
            (None, None) => Lease {
                address: Ipv4Addr::from_bits(self.dynamic(now)?),
                is_new_reservation: false,
                gives_up: None,
            },
            (Some(wanted), own) if own != Some(wanted.to_bits()) => {
                self.new_reservation(now, imsi, wanted, own)?
            }
            (_, Some(own)) if self.place(own) == Place::Used => return Err(NoAddress::Taken),
            (_, Some(own)) => Lease {
                address: Ipv4Addr::from_bits(own),
                is_new_reservation: false,
                gives_up: None,
            },
            (Some(_), None) => return Err(NoAddress::NotStatic),
        };
        self.set(lease.address.to_bits(), Place::Used);
        Ok(lease)
    }

    fn new_reservation(
        &mut self,
        now: Instant,
        imsi: Imsi,
        wanted: Ipv4Addr,
        own: Option<u32>,
    ) -> Result<Lease, NoAddress> {
        let configured = self.access.config.reservations.contains_key(&imsi);
        if configured || !self.access.is_static(wanted) {
            return Err(NoAddress::NotStatic);
        }
        self.end_rest(now, wanted.to_bits());
        let taken = self.owners.contains_key(&wanted.to_bits());
        if taken || self.place(wanted.to_bits()) != Place::Free {
            return Err(NoAddress::Taken);
        }
        self.reserve(imsi, wanted);
        Ok(Lease {
            address: wanted,
            is_new_reservation: true,
            gives_up: own.map(Ipv4Addr::from_bits),
        })
    }

    /// Frees an address that has rested for long enough, whoever else still waits in line.
    fn end_rest(&mut self, now: Instant, bits: u32) {
        let over = |rest: &(Instant, u32)| rest.1 == bits && rest.0 <= now;
        if let Some(at) = self.resting.iter().position(over) {
            self.resting.remove(at);
            if self.place(bits) == Place::Resting {
                self.set(bits, Place::Free);
            }
        }
    }

    fn dynamic(&mut self, now: Instant) -> Result<u32, NoAddress> {
        while self.next < self.access.last {
            let bits = self.next;
            self.next += 1;
            if self.is_takable(bits) && self.place(bits) == Place::Free {
                return Ok(bits);
            }
        }
        while let Some((_, bits)) = self
            .resting
            .front()
            .copied()
            .filter(|(until, _)| *until <= now)
        {
            self.resting.pop_front();
            if self.place(bits) == Place::Resting {
                self.set(bits, Place::Free);
                if self.is_takable(bits) {
                    return Ok(bits);
                }
            }
        }
        Err(NoAddress::Exhausted)
    }

    fn is_takable(&self, bits: u32) -> bool {
        self.access.is_dynamic(Ipv4Addr::from_bits(bits)) && !self.owners.contains_key(&bits)
    }

    /// Takes addresses back; what is not reserved rests until `now` and `quarantine`.
    pub(crate) fn release(
        &mut self,
        now: Instant,
        quarantine: Duration,
        addresses: impl Into<UeAddresses>,
    ) {
        let Some(address) = addresses.into().v4() else {
            return;
        };
        let bits = address.to_bits();
        if self.owners.contains_key(&bits) {
            self.set(bits, Place::Free);
        } else {
            self.set(bits, Place::Resting);
            self.resting.push_back((now + quarantine, bits));
        }
    }

    /// Gives addresses to a restored session; not if one is another's.
    pub(crate) fn restore(&mut self, imsi: Imsi, addresses: impl Into<UeAddresses>) -> bool {
        let Some(address) = addresses.into().v4() else {
            return false;
        };
        let known = self.access.is_dynamic(address) || self.access.is_static(address);
        let owner = self.owners.get(&address.to_bits());
        if !known
            || owner.is_some_and(|o| *o != imsi)
            || self.place(address.to_bits()) != Place::Free
        {
            return false;
        }
        self.set(address.to_bits(), Place::Used);
        true
    }

    /// Lets addresses rest that were resting before a restart.
    pub(crate) fn restore_resting(&mut self, until: Instant, addresses: UeAddresses) {
        let Some(address) = addresses.v4() else {
            return;
        };
        let bits = address.to_bits();
        if self.place(bits) == Place::Free && self.is_takable(bits) {
            self.set(bits, Place::Resting);
            self.resting.push_back((until, bits));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ApnConfig, TenantId};

    fn pool(prefix: &str, change: impl FnOnce(&mut ApnConfig)) -> AddressPool {
        let prefix: heiiki_types::Prefix = prefix.parse().unwrap();
        let mut config = ApnConfig::new("corp".parse().unwrap(), "red", prefix);
        change(&mut config);
        let bits = |a| match a {
            core::net::IpAddr::V4(a) => Ipv4Addr::to_bits(a),
            core::net::IpAddr::V6(_) => unreachable!(),
        };
        AddressPool::new(&Access {
            tenant: TenantId(0),
            pool_v6: None,
            first: bits(prefix.first()),
            last: bits(prefix.last()),
            static_range: config
                .static_range
                .map(|r| (bits(r.first()), bits(r.last()))),
            config,
        })
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
            let lease = pool.lease(at(0), imsi(u32::from(n)), None).unwrap();
            assert_eq!(lease.address, Ipv4Addr::new(10, 0, 0, n));
        }
        assert_eq!(pool.lease(at(0), imsi(99), None), Err(NoAddress::Exhausted));
    }

    #[test]
    fn an_address_rests_before_its_next_user() {
        let mut pool = pool("10.0.0.0/29", |_| {});
        for n in 0..5 {
            pool.lease(at(0), imsi(n), None).unwrap();
        }
        let back = Ipv4Addr::new(10, 0, 0, 4);
        pool.release(at(100), QUARANTINE, back);
        assert_eq!(
            pool.lease(at(159), imsi(9), None),
            Err(NoAddress::Exhausted)
        );
        assert_eq!(pool.lease(at(160), imsi(9), None).unwrap().address, back);
    }

    /// Goal: a SIM gets its fixed address back from a pool that used it. Method: it was leased, rests,
    /// and has rested, while the pool is far from full.
    #[test]
    fn an_address_that_rested_may_be_asked_for() {
        let mut pool = pool("10.0.0.0/24", |_| {});
        let wanted = pool.lease(at(0), imsi(1), None).unwrap().address;
        pool.release(at(100), QUARANTINE, wanted);
        assert_eq!(
            pool.lease(at(159), imsi(2), Some(wanted)),
            Err(NoAddress::Taken)
        );
        let lease = pool.lease(at(160), imsi(2), Some(wanted)).unwrap();
        assert_eq!(lease.address, wanted);
        assert_ne!(pool.lease(at(160), imsi(3), None).unwrap().address, wanted);
    }

    #[test]
    fn a_static_address_belongs_to_its_sim() {
        let mut pool = pool("10.0.0.0/24", |c| {
            c.static_range = Some("10.0.0.128/25".parse().unwrap());
        });
        let wanted = Ipv4Addr::new(10, 0, 0, 200);
        let lease = pool.lease(at(0), imsi(1), Some(wanted)).unwrap();
        assert!(lease.is_new_reservation);
        assert_eq!(
            pool.lease(at(0), imsi(2), Some(wanted)),
            Err(NoAddress::Taken)
        );
        pool.release(at(1), QUARANTINE, wanted);
        assert_eq!(
            pool.lease(at(900), imsi(2), Some(wanted)),
            Err(NoAddress::Taken)
        );
        // It comes back without asking, and at once.
        let again = pool.lease(at(1), imsi(1), None).unwrap();
        assert_eq!((again.address, again.is_new_reservation), (wanted, false));
        let dynamic = Ipv4Addr::new(10, 0, 0, 50);
        let refused = pool.lease(at(0), imsi(3), Some(dynamic));
        assert_eq!(refused, Err(NoAddress::NotStatic));
    }

    #[test]
    fn a_range_beside_the_pool_works_alike() {
        let mut pool = pool("10.0.0.0/29", |c| {
            c.static_range = Some("10.9.0.0/24".parse().unwrap());
        });
        let wanted = Ipv4Addr::new(10, 9, 0, 9);
        pool.lease(at(0), imsi(1), Some(wanted)).unwrap();
        assert_eq!(
            pool.lease(at(0), imsi(2), Some(wanted)),
            Err(NoAddress::Taken)
        );
        assert!(!pool.restore(imsi(1), wanted));
        pool.release(at(0), QUARANTINE, wanted);
        assert!(pool.restore(imsi(1), wanted));
    }

    #[test]
    fn configured_reservations_stand() {
        let reserved = Ipv4Addr::new(10, 0, 0, 2);
        let mut pool = pool("10.0.0.0/29", |c| {
            c.reservations.insert(imsi(7), reserved);
        });
        let other = pool.lease(at(0), imsi(1), None).unwrap();
        assert_eq!(other.address, Ipv4Addr::new(10, 0, 0, 3));
        assert_eq!(pool.lease(at(0), imsi(7), None).unwrap().address, reserved);
        let elsewhere = Some(Ipv4Addr::new(10, 0, 0, 5));
        assert_eq!(
            pool.lease(at(0), imsi(7), elsewhere),
            Err(NoAddress::NotStatic)
        );
    }

    #[test]
    fn a_sim_whose_static_address_changes_gives_up_the_old_one() {
        let mut pool = pool("10.0.0.0/24", |_| {});
        let (old, new) = (Ipv4Addr::new(10, 0, 0, 9), Ipv4Addr::new(10, 0, 0, 10));
        pool.lease(at(0), imsi(1), Some(old)).unwrap();
        pool.release(at(0), QUARANTINE, old);
        let lease = pool.lease(at(0), imsi(1), Some(new)).unwrap();
        assert_eq!(lease.gives_up, Some(old));
        assert!(pool.lease(at(0), imsi(2), Some(old)).is_ok());
    }
}
