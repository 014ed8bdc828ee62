//! Bulk orders when front ends share the store.
//!
//! The front end that took the order gives it, so many SIMs at a time, each of them read and guarded
//! by itself. What became of a SIM is written beside it in the same write, so that no second front
//! end that goes on with the order does it twice: it sees the outcome, or meets another version.

use alloc::vec::Vec;

use heiiki_types::{Imsi, Instant, Now};

use super::deed::Deed;
use crate::admin::Refusal;
use crate::cut::CutId;
use crate::cut::bulk::{Bulk, BulkRow, Bulks, Outcome};
use crate::cut::procedure::Order;
use crate::event::Event;
use crate::node::Hss;
use crate::subscriber::row::{self, Table};

/// SIMs that wait for the store at a time.
const AT_A_TIME: usize = 64;

/// The key of what became of a SIM in a bulk order.
pub(crate) fn outcome_key(imsi: Imsi, bulk: u64) -> Vec<u8> {
    let mut key = row::imsi_key(imsi);
    key.push(b'/');
    key.extend(bulk.to_be_bytes());
    key
}

/// The SIM and the bulk order of such a key.
pub(crate) fn outcome_of(key: &[u8]) -> Option<(Imsi, u64)> {
    let (imsi, bulk) = key.split_at_checked(key.len().checked_sub(8)?)?;
    let imsi = imsi.strip_suffix(b"/")?;
    Some((
        row::imsi_of(imsi).ok()?,
        u64::from_be_bytes(bulk.try_into().ok()?),
    ))
}

impl Hss {
    /// Asks for the next SIMs' orders, as many as gateways and store can take.
    pub(crate) fn pump_shared_bulk(&mut self, now: Now) {
        self.bulks.rest();
        while let Some(id) = self.bulks.first_open() {
            if !self.bulks.is_open(id) {
                self.bulks.let_go(id);
                continue;
            }
            let calls = self.cuts.calls_under_way() >= self.config.limits.gateway_calls;
            if calls || self.bulks.asked() >= AT_A_TIME || !self.has_room(AT_A_TIME) {
                return;
            }
            let Some(imsi) = self.bulks.ask_next(id) else {
                return;
            };
            self.do_at(now, imsi, Deed::Bulk { bulk: id, imsi });
        }
    }

    /// Gives the order for one SIM, unless somebody has.
    pub(super) fn order_of_bulk(&mut self, now: Now, id: u64, imsi: Imsi) {
        let Some((bulk, None)) = self.bulks.outcome(id, imsi) else {
            return;
        };
        let order = Order {
            actor: bulk.actor.clone(),
            reason: bulk.reason.clone(),
            expires: bulk.expires,
            bulk: Some(id),
            ..Order::new(imsi, bulk.verb)
        };
        let outcome = match self.order(now, None, order) {
            Ok(cut) => Outcome::Ordered(cut.0),
            Err(Refusal::NoSubscriber) => Outcome::Unknown,
            Err(Refusal::WrongState { .. }) => Outcome::WrongState,
            Err(_) => Outcome::Failed,
        };
        let key = outcome_key(imsi, id);
        self.journal.put(Table::Bulk, key, &outcome);
        self.bulks.decide(id, imsi, outcome);
    }

    /// A SIM's order is durable, or somebody else's is.
    pub(super) fn bulk_order_is_given(&mut self, now: Now, id: u64, imsi: Imsi) {
        if self.bulks.give(now.at, id, imsi) {
            self.tell(Event::BulkGiven { bulk: CutId(id) });
        }
    }

    /// Whether a cancellation belongs to a bulk order whose bars are not all put yet.
    pub(crate) fn waits_for_bars(&self, tag: u64) -> bool {
        let cut = self.cancellations.get(tag).and_then(|c| c.cut);
        let bulk = cut.and_then(|id| self.cuts.get(CutId(id))?.bulk);
        self.shared.is_some() && bulk.is_some_and(|bulk| self.bulks.is_open(bulk))
    }

    /// A bulk order as the store has it; this front end goes on with it if it is its own.
    pub(crate) fn take_bulk(&mut self, now: Instant, id: u64) {
        if self.is_own(CutId(id)) && self.bulks.is_open(id) {
            self.bulks.go_on_with(now, id);
        }
        self.bulks.forget_old();
    }

    /// After a start: the bulk orders that are this front end's go on.
    pub(crate) fn take_up_bulks(&mut self, now: Instant) {
        let ids: Vec<CutId> = self.bulks.not_given().collect();
        for id in ids {
            self.take_bulk(now, id.number());
        }
    }
}

impl Bulks {
    /// Whether a bulk order is known, and some SIM has no order yet.
    pub(crate) fn is_open(&self, id: u64) -> bool {
        self.by_id.get(&id).is_some_and(|b| !b.is_given())
    }

    /// The bulk orders with SIMs that have no order yet.
    pub(crate) fn not_given(&self) -> impl Iterator<Item = CutId> {
        let open = self.by_id.iter().filter(|(_, b)| !b.is_given());
        open.map(|(id, _)| CutId(*id))
    }

    /// Goes on with a bulk order.
    pub(crate) fn go_on_with(&mut self, now: Instant, id: u64) {
        if !self.open.contains(&id) {
            self.open.push(id);
        }
        self.due = Some(now);
    }

    /// Another front end goes on with it.
    pub(crate) fn let_go(&mut self, id: u64) {
        self.open.retain(|open| *open != id);
    }

    fn rest(&mut self) {
        self.due = None;
    }

    fn first_open(&self) -> Option<u64> {
        self.open.first().copied()
    }

    fn asked(&self) -> usize {
        self.asked.len()
    }

    /// The next SIM without an outcome that nobody has been asked for.
    fn ask_next(&mut self, id: u64) -> Option<Imsi> {
        let bulk = self.by_id.get_mut(&id)?;
        loop {
            let place = bulk.next;
            let imsi = *bulk.row.imsis.get(place)?;
            bulk.next += 1;
            let is_open = bulk.outcomes.get(place).is_some_and(Option::is_none);
            if is_open && !self.asked.contains_key(&(id, imsi)) {
                self.asked.insert((id, imsi), None);
                return Some(imsi);
            }
        }
    }

    fn outcome(&self, id: u64, imsi: Imsi) -> Option<(&BulkRow, Option<Outcome>)> {
        let bulk = self.by_id.get(&id)?;
        let outcome = *bulk.outcomes.get(bulk.place(imsi)?)?;
        Some((&bulk.row, outcome))
    }

    /// What is to be written of a SIM.
    fn decide(&mut self, id: u64, imsi: Imsi, outcome: Outcome) {
        self.asked.insert((id, imsi), Some(outcome));
    }

    /// What was decided of a SIM is durable. Tells whether it was the last one here.
    fn give(&mut self, now: Instant, id: u64, imsi: Imsi) -> bool {
        if let Some(Some(outcome)) = self.asked.remove(&(id, imsi)) {
            self.enter_outcome(id, imsi, outcome);
        }
        self.due = Some(now);
        let given = self.by_id.get(&id).is_none_or(Bulk::is_given);
        let was_open = self.open.contains(&id);
        if given {
            self.let_go(id);
        }
        given && was_open
    }

    /// A SIM could not be asked for now.
    pub(super) fn give_back(&mut self, now: Instant, id: u64, imsi: Imsi) {
        self.asked.remove(&(id, imsi));
        if let Some(bulk) = self.by_id.get_mut(&id)
            && let Some(place) = bulk.place(imsi)
        {
            bulk.next = bulk.next.min(place);
        }
        self.due = Some(now + core::time::Duration::from_secs(1));
    }

    /// What became of a SIM.
    pub(crate) fn enter_outcome(&mut self, id: u64, imsi: Imsi, outcome: Outcome) {
        let Some(bulk) = self.by_id.get_mut(&id) else {
            return;
        };
        let place = bulk.place(imsi);
        if let Some(slot) = place.and_then(|place| bulk.outcomes.get_mut(place)) {
            bulk.given += usize::from(slot.is_none());
            *slot = Some(outcome);
        }
    }

    /// Too many are remembered: the oldest go from memory. Who takes a new one takes their rows away.
    fn forget_old(&mut self) {
        while self.forget_one(true).is_some() {}
    }
}
