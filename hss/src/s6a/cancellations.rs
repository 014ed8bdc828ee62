//! Cancellations that no MME has answered yet.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use heiiki_types::{Imsi, Instant};
use serde::{Deserialize, Serialize};

use crate::subscriber::{ServingNode, row};

/// One registration that an MME has to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cancellation {
    pub(crate) imsi: Imsi,
    pub(crate) node: ServingNode,
    /// Cancellation-Type.
    pub(crate) kind: u32,
    /// The order that asks for it.
    pub(crate) cut: Option<u64>,
    #[serde(skip)]
    pub(crate) attempts: u32,
    #[serde(skip)]
    state: Sending,
}

/// Where a cancellation is on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sending {
    /// Until the peer is connected.
    #[default]
    Parked,
    /// Until its time comes.
    Again(Instant),
    /// Until it is answered.
    UnderWay,
}

impl Cancellation {
    pub(crate) const fn new(imsi: Imsi, kind: u32, node: ServingNode, cut: Option<u64>) -> Self {
        Self {
            imsi,
            node,
            kind,
            cut,
            attempts: 0,
            state: Sending::Parked,
        }
    }

    /// The key of its row.
    pub(crate) fn key(&self) -> Vec<u8> {
        let mut key = row::imsi_key(self.imsi);
        key.push(b'/');
        key.extend(self.node.host.bytes().map(|c| c.to_ascii_lowercase()));
        key
    }
}

/// All of them, by a number that also tags the requests.
#[derive(Debug, Default)]
pub(crate) struct Cancellations {
    by_tag: BTreeMap<u64, Cancellation>,
    by_key: BTreeMap<Vec<u8>, u64>,
    again: BTreeSet<(Instant, u64)>,
    last_tag: u64,
}

impl Cancellations {
    pub(crate) fn len(&self) -> usize {
        self.by_tag.len()
    }

    pub(crate) fn get(&self, tag: u64) -> Option<&Cancellation> {
        self.by_tag.get(&tag)
    }

    /// Adds one; an older one for the same SIM and MME is replaced.
    pub(crate) fn add(&mut self, cancellation: Cancellation) -> u64 {
        let key = cancellation.key();
        if let Some(older) = self.by_key.get(&key).copied() {
            self.remove(older);
        }
        self.last_tag += 1;
        self.by_key.insert(key, self.last_tag);
        self.by_tag.insert(self.last_tag, cancellation);
        self.last_tag
    }

    pub(crate) fn remove(&mut self, tag: u64) -> Option<Cancellation> {
        let cancellation = self.by_tag.remove(&tag)?;
        self.by_key.remove(&cancellation.key());
        if let Sending::Again(at) = cancellation.state {
            self.again.remove(&(at, tag));
        }
        Some(cancellation)
    }

    fn set(&mut self, tag: u64, state: Sending) -> Option<&mut Cancellation> {
        let cancellation = self.by_tag.get_mut(&tag)?;
        if let Sending::Again(at) = cancellation.state {
            self.again.remove(&(at, tag));
        }
        if let Sending::Again(at) = state {
            self.again.insert((at, tag));
        }
        cancellation.state = state;
        Some(cancellation)
    }

    /// It was sent. Tells how often that makes.
    pub(crate) fn sent(&mut self, tag: u64) -> u32 {
        self.set(tag, Sending::UnderWay).map_or(0, |c| {
            c.attempts = c.attempts.saturating_add(1);
            c.attempts
        })
    }

    /// It waits for its peer to connect.
    pub(crate) fn park(&mut self, tag: u64) {
        self.set(tag, Sending::Parked);
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
            .filter(|(_, c)| c.state != Sending::UnderWay && c.node.via.eq_ignore_ascii_case(via))
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
