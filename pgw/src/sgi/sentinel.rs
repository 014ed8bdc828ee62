use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use heiiki_types::Instant;

use super::dns::Zone;
use super::lane::{Lane, Role};
use crate::config::{AccessId, TenantId};

/// What reached the outside: who sent it and where it wanted to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Escape {
    /// The tenant that it came from.
    pub tenant: TenantId,
    /// The open lab APN that it came through; none for what escaped a closed one.
    pub access: Option<AccessId>,
    /// Its destination.
    pub destination: IpAddr,
    /// Its IP protocol number.
    pub protocol: u8,
    /// Its UDP or TCP destination port.
    pub port: Option<u16>,
}

/// Destinations that are told apart; further ones are counted together.
const KEYS: usize = 65_536;

/// Everything outside: a host that answers at every address and counts what reaches it.
///
/// A closed APN is closed when the sentinel has counted nothing from it, and when the same probes
/// through an open lab APN are counted.
#[derive(Debug)]
pub struct Sentinel {
    counts: BTreeMap<Escape, u64>,
    uncounted: u64,
}

impl Sentinel {
    pub(super) const fn new() -> Self {
        Self {
            counts: BTreeMap::new(),
            uncounted: 0,
        }
    }

    /// What reached it, and how often.
    pub fn counts(&self) -> impl Iterator<Item = (Escape, u64)> {
        self.counts.iter().map(|(escape, count)| (*escape, *count))
    }

    /// Packets that reached it from closed access points: zero in a closed network.
    pub fn escaped(&self) -> u64 {
        let closed = self.counts.iter().filter(|(e, _)| e.access.is_none());
        self.uncounted + closed.map(|(_, n)| n).sum::<u64>()
    }

    /// Packets of one tenant that reached it, from closed access points and from open ones.
    pub fn of_tenant(&self, tenant: TenantId) -> (u64, u64) {
        let own = self.counts.iter().filter(|(e, _)| e.tenant == tenant);
        own.fold((0, 0), |(closed, open), (escape, n)| {
            if escape.access.is_none() {
                (closed + n, open)
            } else {
                (closed, open + n)
            }
        })
    }

    /// Counts a packet; true if it is the first of its kind.
    pub(super) fn count(&mut self, escape: Escape) -> bool {
        let room = self.counts.len() < KEYS;
        match self.counts.get_mut(&escape) {
            Some(count) => {
                *count += 1;
                false
            }
            None if room => {
                self.counts.insert(escape, 1);
                true
            }
            None => {
                self.uncounted += 1;
                false
            }
        }
    }

    /// The part of the host outside. Tenants may use the same addresses, so each has one of its
    /// own.
    pub(super) fn lane(mtu: usize, seed: u64, now: Instant) -> Lane {
        let role = Role {
            tenant: String::from("outside"),
            host: String::from("sentinel"),
            address: None,
            services: Vec::new(),
            zone: Zone::default(),
        };
        Lane::new(&Arc::new(role), mtu, seed, now)
    }
}
