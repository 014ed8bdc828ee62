//! All orders that the HSS remembers, and the calls to gateways that are under way.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;

use heiiki_types::{CallId, Imsi, Instant};

use super::{Cut, CutId, Kind};

/// One gateway's part of one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LegId {
    pub(crate) cut: CutId,
    pub(crate) gateway: usize,
}

/// What a call to a gateway is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Its part of an order.
    Leg(LegId),
    /// What it has: by its place in the configuration.
    Watch(usize),
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// A gateway has not answered this call in time.
    Late(Asked),
    /// It is time to tell a gateway again.
    Again(LegId),
}

/// The book of orders.
#[derive(Default)]
pub(crate) struct Book {
    cuts: BTreeMap<CutId, Cut>,
    latest: BTreeMap<(Imsi, Kind), CutId>,
    calls: BTreeMap<CallId, (Instant, Asked)>,
    late: BTreeSet<(Instant, CallId)>,
    again: BTreeSet<(Instant, LegId)>,
    /// Parts of orders that are told when fewer calls are under way.
    queued: VecDeque<LegId>,
    last_call: u64,
}

impl Book {
    pub(crate) fn get(&self, id: CutId) -> Option<&Cut> {
        self.cuts.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: CutId) -> Option<&mut Cut> {
        self.cuts.get_mut(&id)
    }

    /// The latest order of a kind for a SIM.
    pub(crate) fn latest_of(&self, imsi: Imsi, kind: Kind) -> Option<CutId> {
        self.latest.get(&(imsi, kind)).copied()
    }

    /// Orders from `before` downwards, the newest first.
    pub(crate) fn newest(&self, before: Option<CutId>) -> impl Iterator<Item = &Cut> {
        use core::ops::Bound::{Excluded, Unbounded};
        let to = before.map_or(Unbounded, Excluded);
        self.cuts.range((Unbounded, to)).rev().map(|(_, c)| c)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = CutId> {
        self.cuts.keys().copied()
    }

    /// Enters an order, which is not the latest of its SIM yet.
    pub(crate) fn enter(&mut self, cut: Cut) {
        self.cuts.insert(cut.id(), cut);
    }

    /// Makes an order the latest of its kind for its SIM. Tells which one it replaces; when there is a later
    /// one already, that is the order itself.
    pub(crate) fn make_latest(&mut self, id: CutId) -> Option<CutId> {
        let cut = self.get(id)?;
        let (imsi, kind) = (cut.imsi, cut.kind());
        match self.latest_of(imsi, kind) {
            Some(latest) if latest > id => Some(id),
            latest => {
                self.latest.insert((imsi, kind), id);
                latest.filter(|l| *l != id)
            }
        }
    }

    /// The oldest closed order, when there are more than `limit`; it is no longer remembered.
    pub(crate) fn forget_one(&mut self, limit: usize) -> Option<CutId> {
        if self.cuts.len() <= limit {
            return None;
        }
        let oldest = self
            .cuts
            .values()
            .find(|c| c.is_closed() && c.reply.is_none())?;
        let (id, imsi, kind) = (oldest.id(), oldest.imsi, oldest.kind());
        self.cuts.remove(&id);
        if self.latest_of(imsi, kind) == Some(id) {
            self.latest.remove(&(imsi, kind));
        }
        Some(id)
    }

    /// Numbers a call to a gateway and sets its deadline.
    pub(crate) fn call(&mut self, asked: Asked, deadline: Instant) -> CallId {
        self.last_call += 1;
        let call = CallId(self.last_call);
        self.calls.insert(call, (deadline, asked));
        self.late.insert((deadline, call));
        call
    }

    /// The call is over: answered, failed or late. An answer that comes after that finds nothing.
    pub(crate) fn end_call(&mut self, call: CallId) -> Option<Asked> {
        let (deadline, asked) = self.calls.remove(&call)?;
        self.late.remove(&(deadline, call));
        Some(asked)
    }

    /// How many calls are under way.
    pub(crate) fn calls_under_way(&self) -> usize {
        self.calls.len()
    }

    /// Tells a gateway when its turn comes.
    pub(crate) fn queue(&mut self, leg: LegId) {
        self.queued.push_back(leg);
    }

    /// Whose turn it is, when fewer than `limit` calls are under way.
    pub(crate) fn next_queued(&mut self, limit: usize) -> Option<LegId> {
        if self.calls.len() >= limit {
            return None;
        }
        self.queued.pop_front()
    }

    /// Tells a gateway again at `at`.
    pub(crate) fn again(&mut self, leg: LegId, at: Instant) {
        self.again.insert((at, leg));
    }

    /// The order did not happen.
    pub(crate) fn forget(&mut self, id: CutId) {
        self.stop(id);
        self.cuts.remove(&id);
    }

    /// The order is superseded: nobody is told again.
    pub(crate) fn stop(&mut self, cut: CutId) {
        self.again.retain(|(_, leg)| leg.cut != cut);
    }

    /// What is due at `now`; each is told once.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Due> {
        if let Some((_, call)) = self.late.first().copied().filter(|(at, _)| *at <= now) {
            return Some(Due::Late(self.end_call(call)?));
        }
        let (at, leg) = self.again.first().copied().filter(|(at, _)| *at <= now)?;
        self.again.remove(&(at, leg));
        Some(Due::Again(leg))
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let late = self.late.first().map(|(at, _)| *at);
        let again = self.again.first().map(|(at, _)| *at);
        [late, again].into_iter().flatten().min()
    }
}

/// Why a gateway is not done, for the certificate: bounded, since it comes from elsewhere.
pub(crate) fn short(why: &str) -> String {
    why.chars().take(200).collect()
}
