//! What the HSS has told MMEs and is not answered yet.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::{Imsi, Instant};
use serde::{Deserialize, Serialize};

use crate::subscriber::{ServingNode, row};

/// One thing that an MME has to be told.
pub(crate) trait Errand {
    /// The node that is told.
    fn node(&self) -> &ServingNode;

    /// The SIM that it is about, if it is about one.
    fn imsi(&self) -> Option<Imsi>;

    /// The key of its row: the SIM and the host.
    fn key(&self) -> Vec<u8> {
        let mut key = self.imsi().map(row::imsi_key).unwrap_or_default();
        key.push(b'/');
        let host = self.node().host.bytes();
        key.extend(host.map(|c| c.to_ascii_lowercase()));
        key
    }
}

/// One registration that an MME has to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cancellation {
    pub(crate) imsi: Imsi,
    pub(crate) node: ServingNode,
    /// Cancellation-Type.
    pub(crate) kind: u32,
    /// The order that asks for it.
    pub(crate) cut: Option<u64>,
    /// The front end that began it has the connection.
    pub(crate) claimed: bool,
}

impl Errand for Cancellation {
    fn node(&self) -> &ServingNode {
        &self.node
    }

    fn imsi(&self) -> Option<Imsi> {
        Some(self.imsi)
    }
}

/// A subscription that is not any more what its MME was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Update {
    pub(crate) imsi: Imsi,
    pub(crate) node: ServingNode,
    /// DSR-Flags of what is withdrawn; 0 when that is said already.
    pub(crate) withdrawn: u32,
    /// Context-Identifiers of the access points that are withdrawn, as the MME counts them.
    pub(crate) contexts: Vec<u32>,
    /// The front end that began it has the connection.
    pub(crate) claimed: bool,
    /// Tells one change from the next: the answer to what was sent before a change does not end it.
    pub(crate) change: u64,
}

impl Errand for Update {
    fn node(&self) -> &ServingNode {
        &self.node
    }

    fn imsi(&self) -> Option<Imsi> {
        Some(self.imsi)
    }
}

/// Registrations that the HSS may have lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reset {
    pub(crate) node: ServingNode,
    /// Leading digits of the SIMs concerned; all of them when empty.
    pub(crate) prefix: String,
}

impl Errand for Reset {
    fn node(&self) -> &ServingNode {
        &self.node
    }

    fn imsi(&self) -> Option<Imsi> {
        None
    }

    fn key(&self) -> Vec<u8> {
        let mut key = self.prefix.as_bytes().to_vec();
        key.push(b'/');
        let host = self.node.host.bytes();
        key.extend(host.map(|c| c.to_ascii_lowercase()));
        key
    }
}

/// Where an errand is on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sending {
    /// Until the peer is connected.
    #[default]
    Parked,
    /// Until its time comes.
    Again(Instant),
    /// Until fewer are under way: it is one of very many.
    Queued,
    /// Until what gives rise to it is durable.
    Held,
    /// Until it is answered.
    UnderWay,
}

#[derive(Debug)]
struct Entry<T> {
    errand: T,
    attempts: u32,
    state: Sending,
}

/// Errands of one kind, by a number that also tags the requests.
#[derive(Debug)]
pub(crate) struct Errands<T> {
    by_tag: BTreeMap<u64, Entry<T>>,
    by_key: BTreeMap<Vec<u8>, u64>,
    again: BTreeSet<(Instant, u64)>,
    queued: BTreeSet<u64>,
    under_way: BTreeSet<u64>,
    last_tag: u64,
}

/// Cancellations that no MME has answered yet.
pub(crate) type Cancellations = Errands<Cancellation>;

/// The kinds of errands have tags of their own: this many bits of a tag count within its kind.
const TAG_BITS: u32 = 56;

/// The kind of errand that a tag belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Cancellation = 0,
    Update = 1,
    Reset = 2,
}

impl Kind {
    pub(crate) const fn of(tag: u64) -> Option<Self> {
        match tag >> TAG_BITS {
            0 => Some(Self::Cancellation),
            1 => Some(Self::Update),
            2 => Some(Self::Reset),
            _ => None,
        }
    }
}

impl<T: Errand> Errands<T> {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            by_tag: BTreeMap::new(),
            by_key: BTreeMap::new(),
            again: BTreeSet::new(),
            queued: BTreeSet::new(),
            under_way: BTreeSet::new(),
            last_tag: (kind as u64) << TAG_BITS,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_tag.len()
    }

    /// The number of the next one, in 32 bits.
    pub(crate) const fn next_number(&self) -> u64 {
        (self.last_tag + 1) & 0xffff_ffff
    }

    pub(crate) fn get(&self, tag: u64) -> Option<&T> {
        self.by_tag.get(&tag).map(|e| &e.errand)
    }

    /// How often it was sent.
    pub(crate) fn attempts(&self, tag: u64) -> u32 {
        self.by_tag.get(&tag).map_or(0, |e| e.attempts)
    }

    /// Adds one; an older one with the same key is replaced.
    pub(crate) fn add(&mut self, errand: T) -> u64 {
        let key = errand.key();
        if let Some(older) = self.by_key.get(&key).copied() {
            self.remove(older);
        }
        self.last_tag += 1;
        self.by_key.insert(key, self.last_tag);
        let entry = Entry {
            errand,
            attempts: 0,
            state: Sending::Parked,
        };
        self.by_tag.insert(self.last_tag, entry);
        self.last_tag
    }

    pub(crate) fn remove(&mut self, tag: u64) -> Option<T> {
        let entry = self.by_tag.remove(&tag)?;
        self.by_key.remove(&entry.errand.key());
        if let Sending::Again(at) = entry.state {
            self.again.remove(&(at, tag));
        }
        self.queued.remove(&tag);
        self.under_way.remove(&tag);
        Some(entry.errand)
    }

    fn set(&mut self, tag: u64, state: Sending) -> Option<&mut Entry<T>> {
        let entry = self.by_tag.get_mut(&tag)?;
        if let Sending::Again(at) = entry.state {
            self.again.remove(&(at, tag));
        }
        self.queued.remove(&tag);
        self.under_way.remove(&tag);
        match state {
            Sending::Again(at) => drop(self.again.insert((at, tag))),
            Sending::Queued => drop(self.queued.insert(tag)),
            Sending::UnderWay => drop(self.under_way.insert(tag)),
            Sending::Parked | Sending::Held => {}
        }
        entry.state = state;
        Some(entry)
    }

    /// It was sent. Tells how often that makes.
    pub(crate) fn sent(&mut self, tag: u64) -> u32 {
        self.set(tag, Sending::UnderWay).map_or(0, |e| {
            e.attempts = e.attempts.saturating_add(1);
            e.attempts
        })
    }

    /// It is sent when fewer are under way.
    pub(crate) fn queue(&mut self, tag: u64) {
        self.set(tag, Sending::Queued);
    }

    /// The next one that waits for its turn, when fewer than `limit` are under way.
    pub(crate) fn next_queued(&mut self, limit: usize) -> Option<u64> {
        if self.under_way.len() >= limit {
            return None;
        }
        let tag = self.queued.first().copied()?;
        // Parked, until it is sent: a peer that is gone does not hold up the others.
        self.set(tag, Sending::Parked);
        Some(tag)
    }

    /// It waits until what gives rise to it is durable.
    pub(crate) fn hold(&mut self, tag: u64) {
        self.set(tag, Sending::Held);
    }

    /// Whether it waits until what gives rise to it is durable.
    pub(crate) fn is_held(&self, tag: u64) -> bool {
        self.by_tag
            .get(&tag)
            .is_some_and(|e| e.state == Sending::Held)
    }

    /// It waits for its peer to connect.
    pub(crate) fn park(&mut self, tag: u64) {
        self.set(tag, Sending::Parked);
    }

    /// Whether it waits for its peer to connect.
    pub(crate) fn is_parked(&self, tag: u64) -> bool {
        let entry = self.by_tag.get(&tag);
        entry.is_some_and(|e| e.state == Sending::Parked)
    }

    /// It is to be sent again at `at`.
    pub(crate) fn again(&mut self, tag: u64, at: Instant) {
        self.set(tag, Sending::Again(at));
    }

    /// The next one whose time has come.
    pub(crate) fn due(&mut self, now: Instant) -> Option<u64> {
        let (at, tag) = self.again.first().copied().filter(|(at, _)| *at <= now)?;
        self.again.remove(&(at, tag));
        Some(tag)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.again.first().map(|(at, _)| *at)
    }

    /// Those that wait, for whatever reason, to go by the connection of `via`.
    pub(crate) fn waiting_for(&self, via: &str) -> Vec<u64> {
        self.by_tag
            .iter()
            .filter(|(_, e)| !matches!(e.state, Sending::UnderWay | Sending::Held))
            .filter(|(_, e)| e.errand.node().via.eq_ignore_ascii_case(via))
            .map(|(tag, _)| *tag)
            .collect()
    }

    /// Those of one SIM.
    pub(crate) fn of(&self, imsi: Imsi) -> Vec<u64> {
        let prefix = {
            let mut key = row::imsi_key(imsi);
            key.push(b'/');
            key
        };
        self.by_key
            .range(prefix.clone()..)
            .take_while(|(key, _)| key.starts_with(&prefix))
            .map(|(_, tag)| *tag)
            .collect()
    }
}
