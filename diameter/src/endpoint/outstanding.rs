use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use heiiki_types::Instant;

use crate::message::Message;

/// A request of ours that waits for its answer.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) tag: u64,
    pub(super) message: Message,
    deadline: Instant,
}

/// The requests that wait on one connection, by hop-by-hop identifier.
#[derive(Clone, Debug, Default)]
pub(super) struct Outstanding {
    waiting: BTreeMap<u32, Waiting>,
    deadlines: BTreeSet<(Instant, u32)>,
}

impl Outstanding {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn contains(&self, hop_by_hop: u32) -> bool {
        self.waiting.contains_key(&hop_by_hop)
    }

    pub(super) fn insert(&mut self, message: Message, tag: u64, deadline: Instant) {
        let hop_by_hop = message.hop_by_hop;
        self.deadlines.insert((deadline, hop_by_hop));
        let waiting = Waiting {
            tag,
            message,
            deadline,
        };
        self.waiting.insert(hop_by_hop, waiting);
    }

    /// The request that an answer belongs to: same identifier and command.
    pub(super) fn take(&mut self, answer: &Message) -> Option<Waiting> {
        let waiting = self.waiting.get(&answer.hop_by_hop)?;
        if waiting.message.command != answer.command {
            return None;
        }
        self.remove(answer.hop_by_hop)
    }

    fn remove(&mut self, hop_by_hop: u32) -> Option<Waiting> {
        let waiting = self.waiting.remove(&hop_by_hop)?;
        self.deadlines.remove(&(waiting.deadline, hop_by_hop));
        Some(waiting)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// One request whose time is up at `now`.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Waiting> {
        let (at, hop_by_hop) = *self.deadlines.first()?;
        if at > now {
            return None;
        }
        self.remove(hop_by_hop)
    }

    /// All of them, the one that waits longest first.
    pub(super) fn drain(&mut self) -> Vec<Waiting> {
        let mut waiting = core::mem::take(&mut self.waiting);
        core::mem::take(&mut self.deadlines)
            .into_iter()
            .filter_map(|(_, hop_by_hop)| waiting.remove(&hop_by_hop))
            .collect()
    }
}
