use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use heiiki_gtp::u;
use heiiki_types::{Duration, Imsi, Instant, Teid, UeAddresses};

use super::batch::Reply;
use super::entry::Entry;
use super::limit::{Bucket, Reporter};
use super::police::{Limit, share};
use super::report::Subject;
use super::tables::{Place, Routes};
use super::update::{
    Answer, Direction, Gone, Notice, SessionEntry, SessionId, Slot, Update, Usage, WorkerCounters,
};
use crate::address_set::AddressSet;
use crate::config::{GroupId, Network, TenantId};
use crate::refusal::Refusal;

/// A session in a worker's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkerSession {
    /// Its number.
    pub session: SessionId,
    /// Whose it is.
    pub imsi: Imsi,
    /// The routing domain.
    pub tenant: TenantId,
    /// The UE's addresses.
    pub addresses: UeAddresses,
    /// Whether its packets pass.
    pub forwards: bool,
}

/// One user-plane worker.
#[derive(Debug)]
pub struct Worker {
    pub(super) index: u32,
    pub(super) workers: u32,
    pub(super) slot_mask: u32,
    pub(super) local: SocketAddr,
    pub(super) sgws: AddressSet,
    gtpu_ports: BTreeMap<IpAddr, u16>,
    pub(super) routes: Routes,
    /// Control has read its disk, so that a TEID which is not here is nobody's.
    pub(super) serves: bool,
    /// The sessions of this worker; the place is the slot divided by the number of workers.
    places: Vec<Place>,
    forwarding: u32,
    /// Sessions of every worker that are being removed.
    stopped: BTreeSet<SessionId>,
    /// Sessions of every worker that are isolated.
    isolated: BTreeSet<SessionId>,
    /// Sessions whose UEs take no packets for now.
    suspended: BTreeSet<SessionId>,
    /// What ended sessions and packets without a session add up to.
    pub(super) counters: WorkerCounters,
    pub(super) notices: VecDeque<Notice>,
    pub(super) reports: Bucket,
    pub(super) signalling: Bucket,
    pub(super) strangers: [Reporter; Refusal::COUNT],
    /// This worker's share of each tenant's contract.
    contracts: Vec<Limit>,
    /// Groups of the sessions of every worker, by their places.
    groups: Vec<GroupId>,
    /// Sessions that are to be told their prefixes.
    to_advertise: Vec<Slot>,
    /// Tunnels of SGWs that get nothing more.
    to_end: Vec<(SocketAddr, Teid)>,
}

impl Worker {
    /// The worker with this `index` of a network, with its own GTP-U address.
    pub fn new(network: &Network, index: usize, s5u_local: SocketAddr) -> Self {
        let own = u32::try_from(index).unwrap_or(0);
        Self {
            index: own,
            workers: network.workers.max(1),
            slot_mask: (1 << network.index_bits) - 1,
            local: s5u_local,
            sgws: network.sgws.clone(),
            gtpu_ports: network.gtpu_ports.clone(),
            routes: Routes::new(network),
            serves: false,
            places: Vec::new(),
            forwarding: 0,
            stopped: BTreeSet::new(),
            isolated: BTreeSet::new(),
            suspended: BTreeSet::new(),
            counters: WorkerCounters::default(),
            notices: VecDeque::new(),
            reports: Bucket::new(200, Duration::from_millis(10)),
            signalling: Bucket::new(100, Duration::from_millis(10)),
            strangers: [Reporter::default(); Refusal::COUNT],
            contracts: (network.tenants.iter())
                .map(|t| t.bandwidth)
                .map(|rates| Limit::new(rates.map(|r| share(r, own, network.workers.max(1)))))
                .collect(),
            groups: Vec::new(),
            to_advertise: Vec::new(),
            to_end: Vec::new(),
        }
    }

    /// The worker's own GTP-U address.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Changes the tables, or reads them. To be called between two batches only.
    pub fn handle_update(&mut self, update: &Update) -> Answer {
        match update {
            Update::Serve => {
                self.serves = true;
                Answer::Done
            }
            Update::Install(entry) => self.install(entry),
            Update::MovePeer {
                slot,
                peer,
                peer_teid,
            } => {
                if let Some(entry) = self.entry_mut(*slot) {
                    let old = (entry.peer, entry.peer_teid);
                    entry.peer = *peer;
                    entry.peer_teid = *peer_teid;
                    self.end_tunnel(old, (*peer, *peer_teid));
                }
                Answer::Done
            }
            Update::SetBearer(_)
            | Update::RemoveBearer { .. }
            | Update::SetRates { .. }
            | Update::SetContract { .. }
            | Update::Advertise { .. }
            | Update::Suspend { .. }
            | Update::ReadBearers(_) => self.handle_traffic(update),
            Update::StopForwarding(slots) => {
                for gone in slots.iter() {
                    self.stop(gone.slot);
                    self.stopped.insert(gone.session);
                }
                Answer::Done
            }
            Update::Isolate { sessions, isolates } => {
                for (_, session) in sessions.iter() {
                    if *isolates {
                        self.isolated.insert(*session);
                    } else {
                        self.isolated.remove(session);
                    }
                }
                Answer::Isolated { purged: 0 }
            }
            Update::Remove(slots) => Answer::Removed {
                usage: slots.iter().filter_map(|gone| self.remove(*gone)).collect(),
                purged: 0,
            },
            Update::ReadCounters => Answer::Counters(Box::new(self.counters())),
            Update::ReadSession(slot) => Answer::Session(
                self.entry_mut(*slot)
                    .map(|e| Box::new((e.session, e.usage))),
            ),
            Update::ReadReach => Answer::Reach {
                accesses: self.routes.reach(),
                forwarding: self.forwarding,
            },
        }
    }

    /// Changes of bearers and rates.
    fn handle_traffic(&mut self, update: &Update) -> Answer {
        match update {
            Update::SetBearer(bearer) => {
                if let Some(entry) = self.entry_mut(bearer.slot)
                    && entry.session == bearer.session
                {
                    let old = entry.set_bearer(bearer);
                    let new = (bearer.peer, bearer.peer_teid);
                    self.end_tunnel(old.unwrap_or(new), new);
                }
                Answer::Done
            }
            Update::RemoveBearer { slot, ebi, teid } => {
                if let Some(entry) = self.entry_mut(*slot) {
                    entry.remove_bearer(*ebi, *teid);
                }
                Answer::Done
            }
            Update::SetRates { slot, ambr } => {
                if let Some(entry) = self.entry_mut(*slot) {
                    entry.limit.set(*ambr);
                }
                Answer::Done
            }
            Update::SetContract { tenant, bandwidth } => {
                let own = bandwidth.map(|rates| share(rates, self.index, self.workers));
                if let Some(limit) = self.contracts.get_mut(usize::from(tenant.0)) {
                    limit.set(own);
                }
                Answer::Done
            }
            Update::Advertise { slot, session } => {
                if self.entry(*slot).is_some_and(|e| e.session == *session) {
                    self.to_advertise.push(*slot);
                }
                Answer::Done
            }
            Update::ReadBearers(slot) => Answer::Bearers(
                self.entry(*slot)
                    .map(|e| e.bearers.iter().map(|b| (b.ebi, b.usage)).collect()),
            ),
            Update::Suspend {
                slot,
                session,
                suspended,
            } => {
                if !suspended {
                    self.suspended.remove(session);
                } else if self.entry(*slot).is_some_and(|e| e.session == *session) {
                    self.suspended.insert(*session);
                }
                Answer::Done
            }
            _ => Answer::Done,
        }
    }

    fn install(&mut self, entry: &SessionEntry) -> Answer {
        if let Some(tenant) = self.routes.tenant_mut(entry.tenant) {
            tenant.map(entry.addresses, entry.slot);
            if !entry.framed.is_empty() {
                tenant.map_framed(&entry.framed, entry.slot);
            }
        }
        self.set_group(entry.slot, entry.group);
        if entry.is_isolated {
            self.isolated.insert(entry.session);
        }
        if entry.is_suspended {
            self.suspended.insert(entry.session);
        }
        if let Some(place) = self.place(entry.slot) {
            if self.places.len() <= place {
                self.places.resize_with(place + 1, || Place::Free);
            }
            if let Some(free) = self.places.get_mut(place)
                && !matches!(free, Place::Live(_))
            {
                *free = Place::Live(Entry::new(entry));
                self.forwarding += 1;
                self.counters.sessions += 1;
            }
        }
        Answer::Done
    }

    fn stop(&mut self, slot: Slot) {
        if let Some(entry) = self.entry_mut(slot)
            && core::mem::take(&mut entry.forward)
        {
            self.forwarding -= 1;
        }
    }

    fn remove(&mut self, gone: Gone) -> Option<(Slot, Usage)> {
        self.stop(gone.slot);
        self.stopped.remove(&gone.session);
        self.isolated.remove(&gone.session);
        self.suspended.remove(&gone.session);
        if let Some(tenant) = self.routes.tenant_mut(gone.tenant) {
            tenant.unmap(gone.addresses, gone.slot);
            tenant.unmap_framed(gone.slot);
        }
        self.set_group(gone.slot, GroupId::default());
        let place = self.place(gone.slot)?;
        let place = self.places.get_mut(place)?;
        let rest = match place {
            Place::Live(entry) if gone.is_silent => Place::Silent(entry.teid),
            Place::Live(_) => Place::Free,
            Place::Free | Place::Silent(_) => return None,
        };
        let Place::Live(entry) = core::mem::replace(place, rest) else {
            return None;
        };
        self.counters.sessions -= 1;
        self.counters.total.add(&entry.usage);
        Some((gone.slot, entry.usage))
    }

    /// The group of a session, of whichever worker.
    pub(super) fn group(&self, slot: Slot) -> GroupId {
        let place = usize::try_from(slot.0).unwrap_or(usize::MAX);
        self.groups.get(place).copied().unwrap_or_default()
    }

    /// Remembers a group; the table grows as far as sessions in groups have had places.
    fn set_group(&mut self, slot: Slot, group: GroupId) {
        let Ok(place) = usize::try_from(slot.0) else {
            return;
        };
        if group != GroupId::default() && self.groups.len() <= place {
            self.groups.resize(place + 1, GroupId::default());
        }
        if let Some(own) = self.groups.get_mut(place) {
            *own = group;
        }
    }

    /// What the worker says without a packet that asks for it: to be fetched after updates.
    pub fn poll_replies(&mut self, now: Instant, replies: &mut Vec<Reply>) {
        for slot in core::mem::take(&mut self.to_advertise) {
            self.advertise_unasked(now, slot, replies);
        }
        for (to, teid) in core::mem::take(&mut self.to_end) {
            let octets = u::encode(&u::Message::EndMarker { teid });
            replies.push(Reply { to, octets });
        }
    }

    /// An SGW hears by an End Marker that its tunnel has had its last packet: so it, and whoever it
    /// forwards to, can keep the order of what comes by the new way (TS 29.281 §7.3.2,
    /// TS 23.401 §5.5.1.1.2).
    fn end_tunnel(&mut self, old: (SocketAddr, Teid), new: (SocketAddr, Teid)) {
        if old != new {
            self.to_end.push(old);
        }
    }

    /// Everything that was counted so far.
    pub fn counters(&self) -> WorkerCounters {
        let mut sum = self.counters;
        for place in &self.places {
            if let Place::Live(entry) = place {
                sum.total.add(&entry.usage);
            }
        }
        sum
    }

    /// For the invariant checkers of a lab: every session in the table, and whether its packets
    /// pass.
    pub fn sessions(&self) -> impl Iterator<Item = WorkerSession> {
        self.places.iter().filter_map(|place| match place {
            Place::Live(entry) => Some(WorkerSession {
                session: entry.session,
                imsi: entry.imsi,
                tenant: entry.tenant,
                addresses: entry.addresses,
                forwards: entry.forward,
            }),
            Place::Free | Place::Silent(_) => None,
        })
    }

    /// How many sessions pass packets.
    pub const fn forwarding(&self) -> u32 {
        self.forwarding
    }

    /// The next report.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    fn place(&self, slot: Slot) -> Option<usize> {
        (slot.0 % self.workers == self.index)
            .then(|| usize::try_from(slot.0 / self.workers).ok())
            .flatten()
    }

    pub(super) fn entry(&self, slot: Slot) -> Option<&Entry> {
        match self.places.get(self.place(slot)?) {
            Some(Place::Live(entry)) => Some(entry),
            _ => None,
        }
    }

    /// A session, and the share of its tenant's contract.
    pub(super) fn entry_and_contract(
        &mut self,
        slot: Slot,
        tenant: TenantId,
    ) -> (Option<&mut Entry>, Option<&mut Limit>) {
        let place = self.place(slot);
        let entry = match place.and_then(|place| self.places.get_mut(place)) {
            Some(Place::Live(entry)) => Some(entry),
            _ => None,
        };
        (entry, self.contracts.get_mut(usize::from(tenant.0)))
    }

    pub(super) fn entry_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        let place = self.place(slot)?;
        match self.places.get_mut(place) {
            Some(Place::Live(entry)) => Some(entry),
            _ => None,
        }
    }

    /// Whether a session, of whichever worker, is being removed.
    ///
    /// A packet that its worker has handed over before it stopped is in this worker's queue before
    /// control hears of the stop, so it comes before the removal: between the two it is refused.
    pub(super) fn is_stopped(&self, session: SessionId) -> bool {
        self.stopped.contains(&session)
    }

    /// Whether a session, of whichever worker, is isolated.
    pub(super) fn is_isolated(&self, session: SessionId) -> bool {
        !self.isolated.is_empty() && self.isolated.contains(&session)
    }

    /// Whether the UE of a session takes no packets for now.
    pub(super) fn is_suspended(&self, session: SessionId) -> bool {
        !self.suspended.is_empty() && self.suspended.contains(&session)
    }

    /// Counts a packet that another worker was too busy to take.
    pub fn refuse_handover(&mut self, now: Instant) {
        let subject = Subject {
            slot: None,
            direction: Direction::Downlink,
            packet: None,
            outer: None,
        };
        self.refuse(now, Refusal::QueueFull, &subject);
    }

    /// Whether a TEID was that of a session which this gateway has ended by itself.
    pub(super) fn is_silent(&self, slot: Slot, teid: Teid) -> bool {
        let place = self.place(slot).and_then(|place| self.places.get(place));
        matches!(place, Some(Place::Silent(gone)) if *gone == teid)
    }

    /// The port of an SGW for what is sent to it unasked.
    pub(super) fn gtpu_peer(&self, address: IpAddr) -> SocketAddr {
        let port = self.gtpu_ports.get(&address).copied();
        (address, port.unwrap_or(u::PORT)).into()
    }

    /// Makes this worker forward to a prefix that nobody declared, for tests of the proof.
    #[cfg(test)]
    pub(crate) fn plant_leak(&mut self, tenant: TenantId, prefix: heiiki_types::Prefix) {
        if let Some(tenant) = self.routes.tenant_mut(tenant) {
            tenant.egress.plant_leak(prefix);
        }
    }
}
