use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use heiiki_types::{Duration, Ebi, Imsi, Instant, Prefix, Teid, UeAddresses};

use super::bearer::Bearer;
use super::limit::{Bucket, Reporter};
use super::link::ADVERTISE_AGAIN;
use super::police::Limit;
use super::update::{BearerEntry, Direction, SessionEntry, SessionId, Usage};
use crate::config::{AccessId, TenantId};
use crate::refusal::Refusal;

/// A session as its worker sees it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) teid: Teid,
    pub(super) forward: bool,
    pub(super) tenant: TenantId,
    pub(super) access: AccessId,
    pub(super) addresses: UeAddresses,
    /// Networks behind the UE.
    framed: Vec<Prefix>,
    /// The APN-AMBR.
    pub(super) limit: Limit,
    /// Dedicated bearers, in the order of their identities.
    pub(super) bearers: Vec<Bearer>,
    /// When the UE was last told its prefix.
    pub(super) advertised: Option<Instant>,
    pub(super) peer: SocketAddr,
    pub(super) peer_teid: Teid,
    pub(super) session: SessionId,
    pub(super) imsi: Imsi,
    pub(super) usage: Usage,
    pub(super) icmp: Bucket,
    pub(super) reporter: Reporter,
}

impl Entry {
    pub(super) fn new(entry: &SessionEntry) -> Self {
        Self {
            teid: entry.teid,
            forward: true,
            tenant: entry.tenant,
            access: entry.access,
            addresses: entry.addresses,
            framed: entry.framed.clone(),
            limit: Limit::new(entry.ambr),
            bearers: Vec::new(),
            peer: entry.peer,
            peer_teid: entry.peer_teid,
            session: entry.session,
            imsi: entry.imsi,
            advertised: None,
            usage: Usage::default(),
            icmp: Bucket::new(10, Duration::from_millis(100)),
            reporter: Reporter::default(),
        }
    }

    /// Whether an address is the UE's, or of a network behind it.
    pub(super) fn holds(&self, address: IpAddr) -> bool {
        self.addresses.holds(address) || self.framed.iter().any(|p| p.contains(address))
    }

    /// Adds a dedicated bearer, or changes the one of its identity.
    /// Returns where the tunnel of that one led.
    pub(super) fn set_bearer(&mut self, bearer: &BearerEntry) -> Option<(SocketAddr, Teid)> {
        match self.bearers.binary_search_by_key(&bearer.ebi, |b| b.ebi) {
            Ok(at) => {
                let old = self.bearers.get_mut(at)?;
                let end = (old.peer, old.peer_teid);
                old.change(bearer);
                Some(end)
            }
            Err(at) => {
                self.bearers.insert(at, Bearer::new(bearer));
                None
            }
        }
    }

    /// Takes a dedicated bearer away.
    pub(super) fn remove_bearer(&mut self, ebi: Ebi, teid: Teid) {
        self.bearers.retain(|b| b.ebi != ebi || b.teid != teid);
    }

    /// The tunnel with this uplink TEID: the default bearer's, or the place of a dedicated one, and
    /// the SGW at its other end.
    pub(super) fn tunnel(&self, teid: Teid) -> Option<(Option<usize>, IpAddr)> {
        if self.teid == teid {
            return Some((None, self.peer.ip()));
        }
        let mut bearers = self.bearers.iter().enumerate();
        let found = bearers.find(|(_, b)| b.teid == teid);
        found.map(|(place, b)| (Some(place), b.peer.ip()))
    }

    /// Where packets for the UE go on a bearer.
    pub(super) fn far_end(&self, bearer: Option<usize>) -> (SocketAddr, Teid) {
        bearer
            .and_then(|place| self.bearers.get(place))
            .map_or((self.peer, self.peer_teid), |b| (b.peer, b.peer_teid))
    }

    /// Takes a packet from every limit that it is under, or from none.
    pub(super) fn police(
        &mut self,
        now: Instant,
        direction: Direction,
        bearer: Option<usize>,
        contract: Option<&mut Limit>,
        octets: u64,
    ) -> Result<(), Refusal> {
        let mut bearer = bearer.and_then(|place| self.bearers.get_mut(place));
        let is_guaranteed = bearer.as_ref().is_some_and(|b| b.is_guaranteed);
        let own = bearer.as_mut().and_then(|b| b.limit.of(direction));
        let ambr = self.limit.of(direction).filter(|_| !is_guaranteed);
        let contract = contract.and_then(|c| c.of(direction));
        let refusals = match direction {
            Direction::Uplink => [
                Refusal::BearerRateUplink,
                Refusal::AmbrUplink,
                Refusal::ContractUplink,
            ],
            Direction::Downlink => [
                Refusal::BearerRateDownlink,
                Refusal::AmbrDownlink,
                Refusal::ContractDownlink,
            ],
        };
        let mut limits = [own, ambr, contract];
        for (limit, refusal) in limits.iter_mut().zip(refusals) {
            if limit.as_mut().is_some_and(|l| !l.admits(now, octets)) {
                return Err(refusal);
            }
        }
        for limit in limits.into_iter().flatten() {
            limit.take(octets);
        }
        Ok(())
    }

    /// Counts a packet that was passed on.
    pub(super) fn count(
        &mut self,
        now: Instant,
        direction: Direction,
        bearer: Option<usize>,
        octets: u64,
    ) {
        match direction {
            Direction::Uplink => {
                self.usage.uplink_packets += 1;
                self.usage.uplink_octets += octets;
                self.usage.last_uplink = Some(now);
            }
            Direction::Downlink => {
                self.usage.downlink_packets += 1;
                self.usage.downlink_octets += octets;
                self.usage.last_downlink = Some(now);
            }
        }
        if let Some(bearer) = bearer.and_then(|place| self.bearers.get_mut(place)) {
            bearer.usage.count(direction, octets);
        }
    }

    /// Whether a UE with IPv6 that sends is due to be told its prefix again.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.addresses.v6().is_some()
            && self
                .advertised
                .is_none_or(|at| now.since(at) >= ADVERTISE_AGAIN)
    }
}
