//! Sessions of the SGW and their tunnel endpoints.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use heiiki_types::{Apn, Ebi, Imsi, Instant, Rng, Teid};

use crate::emm::UeId;
use crate::s1::Endpoint;

/// How long a TEID rests before its index is used again: longer than any retransmission.
const QUARANTINE: Duration = Duration::from_mins(1);
/// The low bits of a TEID are the index of its session, the rest is random.
const INDEX_BITS: u32 = 20;
/// Indexes that a TEID can hold; index 0 is not used.
const INDEXES: usize = (1 << INDEX_BITS) - 1;

/// A session, named by the SGW's S5 control TEID, which is never the same twice within its rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionKey(pub(crate) Teid);

/// One PDN connection in the SGW: one default bearer.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) ue: UeId,
    pub(crate) imsi: Imsi,
    pub(crate) apn: Apn,
    pub(crate) ebi: Ebi,
    /// Where the SGW receives S5 signalling.
    pub(crate) s5c: Teid,
    /// Where the SGW receives downlink packets.
    pub(crate) s5u: Teid,
    /// Where the SGW receives uplink packets.
    pub(crate) s1u: Teid,
    /// The gateway's control endpoint, once it answered.
    pub(crate) pgw_c: Option<(SocketAddr, Teid)>,
    /// The gateway's user plane endpoint, once it answered.
    pub(crate) pgw_u: Option<Endpoint>,
    /// The eNB's endpoint, while the UE is connected.
    pub(crate) enb: Option<Endpoint>,
    /// Whether uplink packets pass: from the answer of the gateway until the UE is idle. The first
    /// ones may come before the eNB's endpoint is known, TS 23.401 §5.3.2.1.
    pub(crate) uplink: bool,
    /// T-PDUs for the UE that came before the eNB's endpoint was known.
    pub(crate) buffer: VecDeque<Vec<u8>>,
}

/// What a new session is for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) ue: UeId,
    pub(crate) imsi: Imsi,
    pub(crate) apn: Apn,
    pub(crate) ebi: Ebi,
}

#[derive(Debug, Default)]
struct Slot {
    session: Option<Session>,
    /// S5-U and S1-U endpoints of the session before, and until when they rest.
    former: Option<(Instant, Teid, Teid)>,
}

/// Sessions by dense index. A TEID leads to its slot without a search; the whole value must match.
#[derive(Debug, Default)]
pub(crate) struct Table {
    slots: Vec<Slot>,
    resting: VecDeque<(Instant, u32)>,
    /// Peers' endpoints, for their Error Indications only.
    peers: BTreeMap<(IpAddr, Teid), SessionKey>,
    live: usize,
    limit: usize,
}

fn index_of(teid: Teid) -> Option<usize> {
    let index = teid.get() & ((1 << INDEX_BITS) - 1);
    usize::try_from(index).ok()?.checked_sub(1)
}

impl Table {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: limit.min(INDEXES),
            ..Self::default()
        }
    }

    /// Makes a session; `None` when the table is full.
    pub(crate) fn open(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        wanted: Wanted,
    ) -> Option<SessionKey> {
        if self.live >= self.limit {
            return None;
        }
        let rested = self.resting.front().is_some_and(|(at, _)| *at <= now);
        let index = if rested {
            self.resting.pop_front().map(|(_, i)| i)?
        } else {
            let next = u32::try_from(self.slots.len()).ok()?;
            if self.slots.len() >= INDEXES {
                return None;
            }
            self.slots.push(Slot::default());
            next
        };
        let mut teid = || Teid::new(rng.next_u32() << INDEX_BITS | (index + 1));
        let (s5c, s5u, s1u) = (teid()?, teid()?, teid()?);
        let slot = self.slots.get_mut(usize::try_from(index).ok()?)?;
        slot.session = Some(Session {
            ue: wanted.ue,
            imsi: wanted.imsi,
            apn: wanted.apn,
            ebi: wanted.ebi,
            s5c,
            s5u,
            s1u,
            pgw_c: None,
            pgw_u: None,
            enb: None,
            uplink: false,
            buffer: VecDeque::new(),
        });
        self.live += 1;
        Some(SessionKey(s5c))
    }

    /// Takes the session out; its TEIDs rest from now on.
    pub(crate) fn close(&mut self, now: Instant, key: SessionKey) -> Option<Session> {
        let index = index_of(key.0)?;
        let slot = self.slots.get_mut(index)?;
        let session = slot.session.take_if(|s| s.s5c == key.0)?;
        let until = now + QUARANTINE;
        slot.former = Some((until, session.s5u, session.s1u));
        self.live -= 1;
        let index = u32::try_from(index).ok()?;
        self.resting.push_back((until, index));
        for end in [session.pgw_u, session.enb].into_iter().flatten() {
            self.forget_peer(end, key);
        }
        Some(session)
    }

    fn slot(&self, teid: Teid) -> Option<&Session> {
        self.slots.get(index_of(teid)?)?.session.as_ref()
    }

    fn slot_mut(&mut self, teid: Teid) -> Option<&mut Session> {
        self.slots.get_mut(index_of(teid)?)?.session.as_mut()
    }

    pub(crate) fn get(&self, key: SessionKey) -> Option<&Session> {
        self.slot(key.0).filter(|s| s.s5c == key.0)
    }

    pub(crate) fn get_mut(&mut self, key: SessionKey) -> Option<&mut Session> {
        self.slot_mut(key.0).filter(|s| s.s5c == key.0)
    }

    /// The session whose uplink endpoint `teid` is.
    pub(crate) fn by_s1u(&self, teid: Teid) -> Option<&Session> {
        self.slot(teid).filter(|s| s.s1u == teid)
    }

    /// The session whose downlink endpoint `teid` is.
    pub(crate) fn by_s5u(&mut self, teid: Teid) -> Option<&mut Session> {
        self.slot_mut(teid).filter(|s| s.s5u == teid)
    }

    /// Whether the endpoint was one of a session that closed a short while ago.
    pub(crate) fn is_resting(&self, now: Instant, teid: Teid) -> bool {
        let former = index_of(teid).and_then(|i| self.slots.get(i)?.former);
        former.is_some_and(|(until, s5u, s1u)| now < until && (teid == s5u || teid == s1u))
    }

    /// The session that sends to the peer's endpoint.
    pub(crate) fn by_peer(&self, address: IpAddr, teid: Teid) -> Option<SessionKey> {
        self.peers.get(&(address, teid)).copied()
    }

    /// Notes the gateway's user plane endpoint.
    pub(crate) fn set_pgw_u(&mut self, key: SessionKey, end: Endpoint) {
        let old = self.get_mut(key).and_then(|s| s.pgw_u.replace(end));
        self.change_peer(key, old, Some(end));
    }

    /// Notes the eNB's endpoint, or that there is none any more.
    pub(crate) fn set_enb(&mut self, key: SessionKey, end: Option<Endpoint>) {
        let old = self
            .get_mut(key)
            .and_then(|s| core::mem::replace(&mut s.enb, end));
        self.change_peer(key, old, end);
    }

    fn change_peer(&mut self, key: SessionKey, old: Option<Endpoint>, new: Option<Endpoint>) {
        if let Some(old) = old {
            self.forget_peer(old, key);
        }
        if let Some(new) = new.filter(|_| self.get(key).is_some()) {
            self.peers.insert((new.address.ip(), new.teid), key);
        }
    }

    fn forget_peer(&mut self, end: Endpoint, key: SessionKey) {
        let at = (end.address.ip(), end.teid);
        if self.peers.get(&at) == Some(&key) {
            self.peers.remove(&at);
        }
    }

    /// Every session, in the order of its index.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.slots.iter().filter_map(|slot| slot.session.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            ue: UeId(1),
            imsi: "001010000000001".parse().unwrap(),
            apn: "corp".parse().unwrap(),
            ebi: Ebi::FIRST,
        }
    }

    #[test]
    fn an_index_rests_before_it_is_used_again() {
        let mut table = Table::new(10);
        let mut rng = Rng::from_seed(1);
        let start = Instant::ZERO;
        let first = table.open(start, &mut rng, wanted()).unwrap();
        assert!(table.close(start, first).is_some());
        assert!(table.close(start, first).is_none());
        let soon = table
            .open(start + Duration::from_secs(59), &mut rng, wanted())
            .unwrap();
        assert_ne!(index_of(first.0), index_of(soon.0));
        let later = table
            .open(start + Duration::from_mins(1), &mut rng, wanted())
            .unwrap();
        assert_eq!(index_of(first.0), index_of(later.0));
        assert_ne!(first, later);
        assert!(table.get(first).is_none());
    }

    #[test]
    fn a_guessed_generation_finds_nothing() {
        let mut table = Table::new(10);
        let key = table
            .open(Instant::ZERO, &mut Rng::from_seed(1), wanted())
            .unwrap();
        let s1u = table.get(key).unwrap().s1u;
        assert!(table.by_s1u(s1u).is_some());
        let guessed = Teid::new(s1u.get() ^ 1 << 31).unwrap();
        assert!(table.by_s1u(guessed).is_none());
        // The bearer's other endpoints do not serve for this one.
        assert!(table.by_s1u(key.0).is_none() || key.0 == s1u);
    }

    #[test]
    fn the_table_has_a_limit() {
        let mut table = Table::new(1);
        let mut rng = Rng::from_seed(1);
        assert!(table.open(Instant::ZERO, &mut rng, wanted()).is_some());
        assert!(table.open(Instant::ZERO, &mut rng, wanted()).is_none());
    }

    #[test]
    fn a_closed_session_leaves_no_peer_behind() {
        let mut table = Table::new(1);
        let key = table
            .open(Instant::ZERO, &mut Rng::from_seed(1), wanted())
            .unwrap();
        let end = Endpoint {
            teid: Teid::new(7).unwrap(),
            address: "127.0.0.9:2152".parse().unwrap(),
        };
        table.set_enb(key, Some(end));
        table.set_pgw_u(
            key,
            Endpoint {
                teid: Teid::new(8).unwrap(),
                ..end
            },
        );
        assert_eq!(table.by_peer(end.address.ip(), end.teid), Some(key));
        table.close(Instant::ZERO, key);
        assert!(table.peers.is_empty());
        assert_eq!(table.live, 0);
    }
}
