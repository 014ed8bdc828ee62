use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use heiiki_types::{Duration, Imsi, Instant, Prefix64, UeAddresses, UeIpv6};

use crate::config::Access;

mod numbers;

use numbers::{Numbers, Span, Taken};

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

/// What a session is to have: for each family nothing, any address, or one that was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::option_option,
    reason = "a family that is not wanted is not one of which any address will do"
)]
pub(crate) struct Asked {
    pub(crate) v4: Option<Option<Ipv4Addr>>,
    pub(crate) v6: Option<Option<Prefix64>>,
}

/// Addresses that were handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) addresses: UeAddresses,
    /// What is the SIM's from now on and must be written down: an address, or the first one of a
    /// prefix.
    pub(crate) reserved: Vec<IpAddr>,
    /// What the SIM had reserved before and gives up.
    pub(crate) given_up: Vec<IpAddr>,
}

/// The addresses and the prefixes of one access point.
#[derive(Debug)]
pub(crate) struct AddressPool {
    v4: Numbers,
    /// Nothing when the access point hands out IPv4 only.
    v6: Option<Numbers>,
}

/// From a number of a pool to its address, or to the first one of its prefix.
type Key = fn(u64) -> IpAddr;

fn v4_number(address: Ipv4Addr) -> u64 {
    address.to_bits().into()
}

fn v4_key(number: u64) -> IpAddr {
    Ipv4Addr::from_bits(u32::try_from(number).unwrap_or(0)).into()
}

fn v6_key(number: u64) -> IpAddr {
    Prefix64::from_bits(number).address(0).into()
}

impl AddressPool {
    /// A pool with nothing handed out but its reservations.
    pub(crate) fn new(access: &Access) -> Self {
        let (first, last) = (u64::from(access.first), u64::from(access.last));
        let kept = access.static_range;
        let mut v4 = Numbers::new(Span {
            // The first and the last are nobody's, the second is the gateway's.
            usable: (first + 2, last - 1),
            kept: kept.map(|(first, last)| (first.into(), last.into())),
            own: first + 1,
        });
        for (imsi, address) in &access.config.reservations {
            v4.configure(*imsi, v4_number(*address));
        }
        let mut v6 = access.pool_v6.map(|(first, last)| {
            Numbers::new(Span {
                usable: (first + 1, last),
                kept: None,
                own: first,
            })
        });
        for (imsi, prefix) in &access.config.reservations_v6 {
            if let Some(v6) = &mut v6 {
                v6.configure(*imsi, prefix.to_bits());
            }
        }
        Self { v4, v6 }
    }

    /// Ties an address, or the prefix that it is in, to a SIM for good.
    pub(crate) fn reserve(&mut self, imsi: Imsi, address: IpAddr) {
        match (address, &mut self.v6) {
            (IpAddr::V4(address), _) => self.v4.reserve(imsi, v4_number(address)),
            (IpAddr::V6(address), Some(v6)) => {
                v6.reserve(imsi, Prefix64::of(address).to_bits());
            }
            (IpAddr::V6(_), None) => {}
        }
    }

    /// Finds addresses for a SIM: those that it asks for, those that are reserved for it, or any.
    /// `interface` is the interface identifier of an IPv6 session. All of them or none.
    pub(crate) fn lease(
        &mut self,
        now: Instant,
        imsi: Imsi,
        asked: &Asked,
        interface: u64,
    ) -> Result<Lease, NoAddress> {
        let v4 = asked.v4.map(|wanted| wanted.map(v4_number));
        let v4 = v4
            .map(|wanted| self.v4.take(now, imsi, wanted))
            .transpose()?;
        let v6 = match (asked.v6, &mut self.v6) {
            (None, _) => Ok(None),
            (Some(_), None) => Err(NoAddress::Exhausted),
            (Some(wanted), Some(pool)) => pool
                .take(now, imsi, wanted.map(Prefix64::to_bits))
                .map(Some),
        };
        let v6 = v6.inspect_err(|_| {
            if let Some(taken) = v4 {
                self.v4.undo(imsi, taken);
            }
        })?;
        let addresses = UeAddresses::new(
            v4.and_then(|t| u32::try_from(t.number).ok().map(Ipv4Addr::from_bits)),
            v6.map(|t| UeIpv6 {
                prefix: Prefix64::from_bits(t.number),
                interface,
            }),
        );
        let halves = [(v4, v4_key as Key), (v6, v6_key)];
        let halves = halves.into_iter();
        let halves: Vec<(Taken, Key)> = halves.filter_map(|(t, key)| Some((t?, key))).collect();
        let reserved = halves.iter().filter(|(t, _)| t.is_new_reservation);
        let given_up = halves.iter().filter_map(|(t, key)| Some(key(t.gives_up?)));
        Ok(Lease {
            addresses: addresses.ok_or(NoAddress::NotStatic)?,
            reserved: reserved.map(|(t, key)| key(t.number)).collect(),
            given_up: given_up.collect(),
        })
    }

    /// Takes addresses back; what is not reserved rests until `now` and `quarantine`.
    pub(crate) fn release(&mut self, now: Instant, quarantine: Duration, addresses: UeAddresses) {
        if let Some(v4) = addresses.v4() {
            self.v4.release(now, quarantine, v4_number(v4));
        }
        if let (Some(v6), Some(pool)) = (addresses.v6(), &mut self.v6) {
            pool.release(now, quarantine, v6.prefix.to_bits());
        }
    }

    /// Gives addresses to a restored session; not if one is another's.
    pub(crate) fn restore(&mut self, imsi: Imsi, addresses: UeAddresses) -> bool {
        let v4 = addresses.v4().map(v4_number);
        let v6 = addresses.v6().map(|v6| v6.prefix.to_bits());
        let fits = v4.is_none_or(|n| self.v4.is_free_for(imsi, n))
            && v6.is_none_or(|n| {
                let pool = self.v6.as_ref();
                pool.is_some_and(|pool| pool.is_free_for(imsi, n))
            });
        if fits {
            if let Some(n) = v4 {
                self.v4.restore(n);
            }
            if let (Some(n), Some(pool)) = (v6, &mut self.v6) {
                pool.restore(n);
            }
        }
        fits
    }

    /// Lets addresses rest that were resting before a restart.
    pub(crate) fn restore_resting(&mut self, until: Instant, addresses: UeAddresses) {
        if let Some(v4) = addresses.v4() {
            self.v4.restore_resting(until, v4_number(v4));
        }
        if let (Some(v6), Some(pool)) = (addresses.v6(), &mut self.v6) {
            pool.restore_resting(until, v6.prefix.to_bits());
        }
    }
}

#[cfg(test)]
mod tests;
