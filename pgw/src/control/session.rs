use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::IpAddr;

use heiiki_gtp::c::{self, FqCsid, Uli};
use heiiki_types::{
    Ambr, Apn, Arp, Ebi, Ecgi, Imei, Imsi, Instant, Msisdn, Qci, Rng, Tai, Teid, UeAddresses,
    WallTime,
};

use super::bearers::Bearer;
use super::procedure::Ticket;
use crate::config::{AccessId, TenantId};
use crate::user_plane::{Gone, SessionId, Slot};

/// One end of a tunnel, as an F-TEID names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct TunnelEnd {
    pub(crate) address: IpAddr,
    pub(crate) teid: Teid,
}

/// A PDN connection with its default bearer (TS 23.401 §4.7.2), as it is written to disk.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) slot: Slot,
    pub(crate) imsi: Imsi,
    pub(crate) msisdn: Option<Msisdn>,
    pub(crate) imei: Option<Imei>,
    /// The network identifier as configured.
    pub(crate) apn: Apn,
    pub(crate) ebi: Ebi,
    /// Its dedicated bearers, in the order in which they began.
    pub(crate) bearers: Vec<Bearer>,
    pub(crate) addresses: UeAddresses,
    /// The gateway's own ends: control and user plane.
    pub(crate) teid_c: Teid,
    pub(crate) teid_u: Teid,
    /// The SGW's ends.
    pub(crate) sgw_c: TunnelEnd,
    pub(crate) sgw_u: TunnelEnd,
    /// Where the SGW's requests come from, which need not be the address in its F-TEID.
    pub(crate) sgw_source: IpAddr,
    pub(crate) qci: Qci,
    pub(crate) arp: Arp,
    pub(crate) ambr: Option<Ambr>,
    pub(crate) rat_type: u8,
    pub(crate) location: Location,
    /// The sets that the connection belongs to at the MME and at the SGW.
    pub(crate) mme_csid: Option<Csid>,
    pub(crate) sgw_csid: Option<Csid>,
    /// The UE takes no packets for now (TS 29.274 §7.4.1).
    pub(crate) suspended: bool,
    pub(crate) created: WallTime,
}

/// Where the UE is, as its MME told last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Location {
    pub(crate) tai: Option<Tai>,
    pub(crate) ecgi: Option<Ecgi>,
}

impl Location {
    pub(crate) fn of(uli: Option<&Uli>) -> Self {
        Self {
            tai: uli.and_then(|u| u.tai),
            ecgi: uli.and_then(|u| u.ecgi),
        }
    }
}

/// A node that has numbered a set of connections: its address, or a number.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub(crate) enum CsidNode {
    Address(IpAddr),
    Number(u32),
}

/// A set of PDN connections that go down together (TS 29.274 §8.62).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub(crate) struct Csid {
    pub(crate) node: CsidNode,
    pub(crate) set: u16,
}

impl Csid {
    /// The one set that a connection belongs to.
    pub(crate) fn of(sets: &FqCsid) -> Option<Self> {
        Self::all(sets).next()
    }

    /// All sets of a list.
    pub(crate) fn all(sets: &FqCsid) -> impl Iterator<Item = Self> {
        let node = match sets.node {
            c::CsidNode::V4(a) => CsidNode::Address(a.into()),
            c::CsidNode::V6(a) => CsidNode::Address(a.into()),
            c::CsidNode::Number(n) => CsidNode::Number(n),
        };
        sets.sets.iter().map(move |set| Self { node, set: *set })
    }
}

impl Session {
    /// Whether a request from `address` can be about this session: a TEID belongs to its SGW.
    pub(crate) fn is_of(&self, address: IpAddr) -> bool {
        address == self.sgw_c.address || address == self.sgw_source
    }
}

/// Where a session is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Its answer waits for the worker and the disk.
    Installing,
    /// It was answered.
    Active,
    /// It is being removed by this procedure.
    Leaving(Ticket),
}

/// A session in the table.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) session: Session,
    pub(crate) access: AccessId,
    pub(crate) tenant: TenantId,
    pub(crate) state: State,
}

impl Live {
    pub(crate) const fn is_leaving(&self) -> bool {
        matches!(self.state, State::Leaving(_))
    }

    pub(crate) const fn gone(&self, is_silent: bool) -> Gone {
        Gone {
            slot: self.session.slot,
            session: self.session.id,
            tenant: self.tenant,
            addresses: self.session.addresses,
            is_silent,
        }
    }
}

/// What is remembered of a session while its place rests.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Rest {
    pub(crate) slot: Slot,
    pub(crate) imsi: Imsi,
    pub(crate) apn: Apn,
    pub(crate) addresses: UeAddresses,
    pub(crate) teid_c: Teid,
    pub(crate) teid_u: Teid,
    pub(crate) sgw_c: TunnelEnd,
    pub(crate) until: WallTime,
}

/// A row of the session table on disk. A place of the table has one row for ever: the next session
/// overwrites the rest of the last one, so the table does not grow.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Row {
    /// A session.
    Live(Box<Session>),
    /// A place that rests or is free.
    Rest(Rest),
}

#[derive(Debug)]
enum Place {
    Free,
    Live(Box<Live>),
    Rest(Rest),
}

/// All sessions, by every key that a request can have.
#[derive(Debug)]
pub(crate) struct SessionTable {
    places: Vec<Place>,
    resting: VecDeque<(Instant, Slot)>,
    by_imsi: BTreeMap<Imsi, Vec<Slot>>,
    by_sgw: BTreeSet<(IpAddr, Slot)>,
    by_peer_tunnel: BTreeMap<(IpAddr, Teid), Slot>,
    live: u32,
    capacity: u32,
    index_bits: u8,
}

fn index(slot: Slot) -> usize {
    usize::try_from(slot.0).unwrap_or(usize::MAX)
}

impl SessionTable {
    pub(crate) const fn new(capacity: u32, index_bits: u8) -> Self {
        Self {
            places: Vec::new(),
            resting: VecDeque::new(),
            by_imsi: BTreeMap::new(),
            by_sgw: BTreeSet::new(),
            by_peer_tunnel: BTreeMap::new(),
            live: 0,
            capacity,
            index_bits,
        }
    }

    /// A place for a new session with its two TEIDs: one that has rested, or a fresh one. The
    /// random part of a TEID differs from that of the place's last session.
    pub(crate) fn allocate(&mut self, now: Instant, rng: &mut Rng) -> Option<(Slot, Teid, Teid)> {
        let rested = self.resting.front().filter(|(until, _)| *until <= now);
        let slot = if let Some(slot) = rested.map(|(_, slot)| *slot) {
            self.resting.pop_front();
            slot
        } else {
            let slot = u32::try_from(self.places.len()).ok()?;
            if slot >= self.capacity {
                return None;
            }
            self.places.push(Place::Free);
            Slot(slot)
        };
        let old = match self.places.get(index(slot)) {
            Some(Place::Rest(rest)) => (Some(rest.teid_c), Some(rest.teid_u)),
            _ => (None, None),
        };
        let teid_c = self.teid(slot, old.0, rng)?;
        let teid_u = self.teid(slot, old.1, rng)?;
        Some((slot, teid_c, teid_u))
    }

    fn teid(&self, slot: Slot, not: Option<Teid>, rng: &mut Rng) -> Option<Teid> {
        // Never zero above the index, so that no TEID is zero.
        let generations = (1_u64 << (32 - self.index_bits)) - 1;
        (0..64).find_map(|_| {
            let generation = u32::try_from(rng.below(generations) + 1).ok()?;
            Teid::new(generation << self.index_bits | slot.0).filter(|teid| Some(*teid) != not)
        })
    }

    /// Gives a place back that was allocated and not used. It never had a session, so it needs no
    /// rest.
    pub(crate) fn give_back(&mut self, slot: Slot) {
        self.resting.push_front((Instant::ZERO, slot));
    }

    /// Puts a session into its place.
    pub(crate) fn insert(&mut self, live: Live) {
        let session = &live.session;
        let slot = session.slot;
        self.by_imsi.entry(session.imsi).or_default().push(slot);
        self.by_sgw.insert((session.sgw_c.address, slot));
        let tunnel = (session.sgw_u.address, session.sgw_u.teid);
        self.by_peer_tunnel.insert(tunnel, slot);
        for bearer in &session.bearers {
            let tunnel = (bearer.sgw_u.address, bearer.sgw_u.teid);
            self.by_peer_tunnel.insert(tunnel, slot);
        }
        self.live += 1;
        if let Some(place) = self.places.get_mut(index(slot)) {
            *place = Place::Live(Box::new(live));
        }
    }

    /// Puts a restored session into its place, if that is within the table and free.
    pub(crate) fn restore(&mut self, live: Live) -> bool {
        if !self.reach(live.session.slot) {
            return false;
        }
        let free = matches!(self.places.get(index(live.session.slot)), Some(Place::Free));
        if free {
            self.insert(live);
        }
        free
    }

    /// Lets a restored place rest.
    pub(crate) fn restore_rest(&mut self, until: Instant, rest: Rest) {
        if self.reach(rest.slot) {
            self.resting.push_back((until, rest.slot));
            if let Some(place) = self.places.get_mut(index(rest.slot)) {
                *place = Place::Rest(rest);
            }
        }
    }

    fn reach(&mut self, slot: Slot) -> bool {
        if slot.0 >= self.capacity {
            return false;
        }
        let len = index(slot) + 1;
        if self.places.len() < len {
            self.places.resize_with(len, || Place::Free);
        }
        true
    }

    /// After a restore: the places that no row named are free at once, and those that rest come in
    /// the order in which their rest ends.
    pub(crate) fn settle(&mut self) {
        let free = (0..).map(Slot).zip(&self.places);
        let free = free.filter(|(_, place)| matches!(place, Place::Free));
        self.resting
            .extend(free.map(|(slot, _)| (Instant::ZERO, slot)));
        self.resting.make_contiguous().sort_unstable();
    }

    /// Takes a session out; its place rests until then.
    pub(crate) fn remove(&mut self, slot: Slot, until: Instant, rest: Rest) -> Option<Live> {
        let place = self.places.get_mut(index(slot))?;
        if !matches!(place, Place::Live(_)) {
            return None;
        }
        let Place::Live(live) = core::mem::replace(place, Place::Rest(rest)) else {
            return None;
        };
        self.resting.push_back((until, slot));
        self.live -= 1;
        let session = &live.session;
        self.unlink(session.sgw_c.address, session.sgw_u, slot);
        for bearer in &session.bearers {
            self.unlink_tunnel(bearer.sgw_u, slot);
        }
        if let Some(slots) = self.by_imsi.get_mut(&session.imsi) {
            slots.retain(|s| *s != slot);
            if slots.is_empty() {
                self.by_imsi.remove(&session.imsi);
            }
        }
        Some(*live)
    }

    fn unlink(&mut self, sgw: IpAddr, tunnel: TunnelEnd, slot: Slot) {
        self.by_sgw.remove(&(sgw, slot));
        self.unlink_tunnel(tunnel, slot);
    }

    fn unlink_tunnel(&mut self, tunnel: TunnelEnd, slot: Slot) {
        let tunnel = (tunnel.address, tunnel.teid);
        if self.by_peer_tunnel.get(&tunnel) == Some(&slot) {
            self.by_peer_tunnel.remove(&tunnel);
        }
    }

    /// A TEID for a dedicated bearer in this place: none of those that are taken.
    pub(crate) fn bearer_teid(&self, slot: Slot, taken: &[Teid], rng: &mut Rng) -> Option<Teid> {
        (0..64)
            .filter_map(|_| self.teid(slot, None, rng))
            .find(|teid| !taken.contains(teid))
    }

    /// Gives a session a dedicated bearer.
    pub(crate) fn add_bearer(&mut self, slot: Slot, bearer: Bearer) {
        let tunnel = (bearer.sgw_u.address, bearer.sgw_u.teid);
        if let Some(live) = self.get_mut(slot) {
            live.session.bearers.push(bearer);
            self.by_peer_tunnel.insert(tunnel, slot);
        }
    }

    /// Takes dedicated bearers away from a session and returns those that there were.
    pub(crate) fn take_bearers(&mut self, slot: Slot, ebis: &[Ebi]) -> Vec<Bearer> {
        let Some(live) = self.get_mut(slot) else {
            return Vec::new();
        };
        let bearers = core::mem::take(&mut live.session.bearers);
        let (gone, kept): (Vec<Bearer>, Vec<Bearer>) =
            bearers.into_iter().partition(|b| ebis.contains(&b.ebi));
        live.session.bearers = kept;
        for bearer in &gone {
            self.unlink_tunnel(bearer.sgw_u, slot);
        }
        gone
    }

    /// Moves dedicated bearers to other ends of the SGW.
    pub(crate) fn move_bearers(&mut self, slot: Slot, moves: &[(Ebi, TunnelEnd)]) {
        for (ebi, sgw_u) in moves {
            let Some(live) = self.get_mut(slot) else {
                return;
            };
            let Some(bearer) = live.session.bearers.iter_mut().find(|b| b.ebi == *ebi) else {
                continue;
            };
            let old = core::mem::replace(&mut bearer.sgw_u, *sgw_u);
            self.unlink_tunnel(old, slot);
            self.by_peer_tunnel
                .insert((sgw_u.address, sgw_u.teid), slot);
        }
    }

    /// Moves a session to other ends of the SGW.
    pub(crate) fn move_peer(
        &mut self,
        slot: Slot,
        source: IpAddr,
        sgw_c: TunnelEnd,
        sgw_u: TunnelEnd,
    ) {
        let Some(old) = self.get(slot).map(|l| (l.session.sgw_c, l.session.sgw_u)) else {
            return;
        };
        self.unlink(old.0.address, old.1, slot);
        self.by_sgw.insert((sgw_c.address, slot));
        self.by_peer_tunnel
            .insert((sgw_u.address, sgw_u.teid), slot);
        if let Some(live) = self.get_mut(slot) {
            if live.session.sgw_c.address != sgw_c.address {
                // The sets are numbers of the node that was left.
                live.session.mme_csid = None;
                live.session.sgw_csid = None;
            }
            live.session.sgw_c = sgw_c;
            live.session.sgw_u = sgw_u;
            live.session.sgw_source = source;
        }
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&Live> {
        match self.places.get(index(slot)) {
            Some(Place::Live(live)) => Some(live),
            _ => None,
        }
    }

    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut Live> {
        match self.places.get_mut(index(slot)) {
            Some(Place::Live(live)) => Some(live),
            _ => None,
        }
    }

    /// The session in `slot`, if it is still the one with this number.
    pub(crate) fn same(&self, slot: Slot, id: SessionId) -> Option<&Live> {
        self.get(slot).filter(|live| live.session.id == id)
    }

    const fn slot_of(&self, teid: u32) -> Slot {
        Slot(teid & ((1 << self.index_bits) - 1))
    }

    /// The session with this control-plane TEID.
    pub(crate) fn by_teid(&self, teid: u32) -> Option<&Live> {
        let live = self.get(self.slot_of(teid))?;
        (live.session.teid_c.get() == teid).then_some(live)
    }

    /// The session that had this control-plane TEID until lately.
    pub(crate) fn resting_by_teid(&self, teid: u32) -> Option<&Rest> {
        match self.places.get(index(self.slot_of(teid))) {
            Some(Place::Rest(rest)) if rest.teid_c.get() == teid => Some(rest),
            _ => None,
        }
    }

    /// Sessions of a SIM.
    pub(crate) fn of_imsi(&self, imsi: Imsi) -> impl Iterator<Item = &Live> {
        let slots = self.by_imsi.get(&imsi);
        slots
            .into_iter()
            .flatten()
            .filter_map(|slot| self.get(*slot))
    }

    /// Sessions whose control plane is at this SGW address.
    pub(crate) fn of_sgw(&self, sgw: IpAddr) -> impl Iterator<Item = &Live> {
        self.by_sgw
            .range((sgw, Slot(0))..=(sgw, Slot(u32::MAX)))
            .filter_map(|(_, slot)| self.get(*slot))
    }

    /// The session whose downlink tunnel ends there.
    pub(crate) fn by_peer_tunnel(&self, sgw: IpAddr, teid: Teid) -> Option<&Live> {
        self.get(*self.by_peer_tunnel.get(&(sgw, teid))?)
    }

    /// All sessions in the order of their places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Live> {
        self.iter_from(Slot(0))
    }

    /// Sessions from a place on, in the order of their places.
    pub(crate) fn iter_from(&self, from: Slot) -> impl Iterator<Item = &Live> {
        let places = self.places.get(index(from)..).unwrap_or_default();
        places.iter().filter_map(|place| match place {
            Place::Live(live) => Some(&**live),
            _ => None,
        })
    }

    /// How many sessions there are.
    pub(crate) const fn len(&self) -> u32 {
        self.live
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn teids_are_an_index_and_a_guess() {
        let mut table = SessionTable::new(1 << 20, 20);
        let mut rng = Rng::from_seed(1);
        let mut seen = BTreeSet::new();
        for n in 0..5_000 {
            let (slot, teid_c, teid_u) = table.allocate(Instant::ZERO, &mut rng).unwrap();
            assert_eq!(slot, Slot(n));
            assert_eq!(teid_c.get() & 0xf_ffff, n);
            assert!(seen.insert(teid_c));
            assert_eq!(teid_u.get() & 0xf_ffff, n);
            assert_ne!(teid_u.get() >> 20, 0);
        }
        let generations: BTreeSet<u32> = seen.iter().map(|t| t.get() >> 20).collect();
        assert!(generations.len() > 2_500, "{}", generations.len());
    }

    #[test]
    fn a_full_table_says_so() {
        let mut table = SessionTable::new(2, 20);
        let mut rng = Rng::from_seed(1);
        let (first, ..) = table.allocate(Instant::ZERO, &mut rng).unwrap();
        assert!(table.allocate(Instant::ZERO, &mut rng).is_some());
        assert_eq!(table.allocate(Instant::ZERO, &mut rng), None);
        table.give_back(first);
        assert_eq!(table.allocate(Instant::ZERO, &mut rng).unwrap().0, first);
    }
}
