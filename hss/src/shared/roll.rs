//! Which front ends are at work, and who goes on with what one has left.
//!
//! Each writes a row every few seconds, and reads those of the others: one whose row has not changed
//! for a while, by the clock of whoever reads, is taken for gone. Clocks need not agree, and to be
//! wrong does no harm: what is taken over is guarded by versions, told to gateways under the same
//! number as before, and carries the version that decides there. So nothing is lifted that a later
//! order has barred.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use heiiki_types::{Instant, Now, Record};

use super::Work;
use super::deed::Deed;
use crate::cut::book::LegId;
use crate::cut::procedure::{cut_key, holder_key};
use crate::cut::{CutId, GatewayLeg};
use crate::event::Event;
use crate::node::{Hss, Phase};
use crate::subscriber::row::{self, Table, Unreadable};

/// How often a front end says that it is at work.
const BEAT: Duration = Duration::from_secs(2);
/// How long one may be silent until others go on with its orders.
pub(crate) const SILENCE: Duration = Duration::from_secs(10);
/// How much later than the first front end the others do what is due.
const LATER: Duration = Duration::from_secs(5);
/// Orders that are taken over at a time.
const ADOPTED: usize = 256;
/// The subject of all these rows.
pub(crate) const ROLL_KEY: &[u8] = b"front-end";

/// The front ends, by their first IND value.
#[derive(Default)]
pub(super) struct Roll {
    /// When this front end began to listen.
    since: Option<Instant>,
    /// What each last said, and when that was new.
    heard: BTreeMap<u8, ((u64, u64), Instant)>,
    due: Option<Instant>,
    beats: u64,
    /// Orders whose adoption is on its way to the store.
    adopting: BTreeSet<CutId>,
}

impl Roll {
    /// Listens anew: while the store was away nobody could say anything.
    pub(super) fn restart(&mut self, now: Instant) {
        self.since = Some(now);
        self.due = Some(now);
        for (_, at) in self.heard.values_mut() {
            *at = now;
        }
    }

    fn is_gone(&self, front_end: u8, now: Instant) -> bool {
        let last = self.heard.get(&front_end).map(|(_, at)| *at).or(self.since);
        last.is_some_and(|last| now.since(last) >= SILENCE)
    }

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }
}

impl Hss {
    /// The front end that goes on with an order, by its first IND value.
    pub(crate) fn holder_of(&self, id: CutId) -> u8 {
        let adopted = self.holders.get(&id).copied();
        adopted.unwrap_or_else(|| id.front_end())
    }

    /// Whether an order is this front end's to go on with.
    pub(crate) fn is_own(&self, id: CutId) -> bool {
        self.shared.is_none() || self.holder_of(id) == self.config.inds.first()
    }

    /// Whether this front end may tell gateways of an order: it is its own, or nobody's any more.
    pub(crate) fn may_tell(&self, now: Instant, id: CutId) -> bool {
        let Some(shared) = &self.shared else {
            return true;
        };
        self.is_own(id) || shared.roll.is_gone(self.holder_of(id), now)
    }

    /// How long to leave what all front ends find due to the first of them.
    pub(crate) fn grace(&self, now: Instant) -> Duration {
        let Some(shared) = &self.shared else {
            return Duration::ZERO;
        };
        let before = 0..self.config.inds.first();
        let mut heard = before.filter(|n| shared.roll.heard.contains_key(n));
        if heard.any(|n| !shared.roll.is_gone(n, now)) {
            LATER
        } else {
            Duration::ZERO
        }
    }

    /// At work: listens to the others, and looks at what they have changed while the store was read.
    pub(crate) fn join(&mut self, now: Now) {
        if let Some(shared) = self.shared.as_mut() {
            shared.roll.restart(now.at);
        }
        self.look_at_changes(now);
    }

    pub(crate) fn beat_timeout(&self) -> Option<Instant> {
        self.shared.as_ref()?.roll.poll_timeout()
    }

    /// Says that this front end is at work, and looks who else is.
    pub(crate) fn beat(&mut self, now: Now) {
        let (number, epoch) = (self.config.inds.first(), self.epoch.0);
        let serving = self.phase == Phase::Serving;
        let Some(shared) = self.shared.as_mut().filter(|_| serving) else {
            return;
        };
        if shared.roll.due.is_none_or(|due| due > now.at) {
            return;
        }
        shared.roll.due = Some(now.at + BEAT);
        if shared.away {
            return;
        }
        shared.roll.beats += 1;
        let beat = (epoch, shared.roll.beats);
        self.rotate(now);
        let mut key = ROLL_KEY.to_vec();
        key.push(b'/');
        key.push(number);
        self.journal.put(Table::Beat, key, &beat);
        if self
            .shared
            .as_ref()
            .is_some_and(|s| !s.gates.contains_key(ROLL_KEY))
        {
            let work = Work::Deed(Box::new(Deed::CallRoll));
            self.enter(now, ROLL_KEY.to_vec(), work);
        }
    }

    /// What the front ends have said.
    pub(crate) fn take_roll(&mut self, now: Now, records: &[Record]) -> Result<(), Unreadable> {
        for record in records {
            let (Some(number), Some(value)) = (record.key.last(), record.value.as_deref()) else {
                continue;
            };
            let said: (u64, u64) = row::decode(value)?;
            let Some(shared) = self.shared.as_mut() else {
                continue;
            };
            let heard = shared.roll.heard.get(number);
            if heard.is_none_or(|(before, _)| *before != said) {
                shared.roll.heard.insert(*number, (said, now.at));
            }
        }
        Ok(())
    }

    /// Takes over orders whose front ends are gone.
    pub(super) fn adopt_orphans(&mut self, now: Now) {
        let Some(shared) = &self.shared else { return };
        let orphan = |id: CutId| {
            let holder = self.holder_of(id);
            let waits = shared.gates.contains_key(&cut_key(id));
            let gone = holder != self.config.inds.first() && shared.roll.is_gone(holder, now.at);
            (gone && !waits).then_some((id, holder))
        };
        let bulks = self.bulks.not_given().filter_map(orphan);
        let cuts = self.cuts.ids().filter_map(orphan);
        let cuts = cuts.filter(|(id, _)| self.cuts.get(*id).is_some_and(|c| !c.is_closed()));
        let orphans: Vec<_> = bulks.chain(cuts).take(ADOPTED).collect();
        for (id, from) in orphans {
            let deed = Deed::Adopt { id, from };
            self.enter(now, cut_key(id), Work::Deed(Box::new(deed)));
        }
    }

    /// Takes over an order, as its rows have just been read.
    pub(super) fn adopt(&mut self, id: CutId, from: u8) {
        let left = self.cuts.get(id).is_some_and(|cut| !cut.is_closed());
        if self.holder_of(id) != from || !(left || self.bulks.is_open(id.number())) {
            return;
        }
        let own = self.config.inds.first();
        self.journal.put(Table::Holder, holder_key(id), &own);
        if let Some(shared) = self.shared.as_mut() {
            shared.roll.adopting.insert(id);
        }
    }

    pub(super) fn not_adopted(&mut self, id: CutId) {
        if let Some(shared) = self.shared.as_mut() {
            shared.roll.adopting.remove(&id);
        }
    }

    /// The order is this front end's now: it goes on with what is left of it.
    pub(super) fn adopted(&mut self, now: Now, id: CutId) {
        let adopting = self.shared.as_mut().map(|s| s.roll.adopting.remove(&id));
        if adopting != Some(true) {
            return;
        }
        let from = self.holder_of(id);
        self.holders.insert(id, self.config.inds.first());
        self.tell(Event::OrderAdopted { order: id, from });
        if self.bulks.is_open(id.number()) {
            self.bulks.go_on_with(now.at, id.number());
        }
        let Some(cut) = self.cuts.get(id) else { return };
        let imsi = cut.imsi;
        let open = cut.gateways.iter().map(GatewayLeg::is_open);
        let open: Vec<usize> = open
            .enumerate()
            .filter_map(|(place, open)| open.then_some(place))
            .collect();
        for gateway in open {
            self.cuts.queue(LegId { cut: id, gateway });
        }
        // Whether its MMEs have answered somebody stands in the SIM's rows.
        self.enter(now, row::imsi_key(imsi), Work::Look);
        self.cut_progress(id);
    }

    /// Who goes on with an order, as its rows say. The former holder lets go of it.
    pub(crate) fn take_holder(
        &mut self,
        subject: &[u8],
        records: &[Record],
    ) -> Result<(), Unreadable> {
        let Ok(id) = <[u8; 8]>::try_from(subject) else {
            return Ok(());
        };
        let id = CutId(u64::from_be_bytes(id));
        let row = records.iter().find(|r| r.table == Table::Holder.number());
        let was_own = self.is_own(id);
        match row.and_then(|r| r.value.as_deref()) {
            Some(value) => drop(self.holders.insert(id, row::decode(value)?)),
            None => drop(self.holders.remove(&id)),
        }
        if was_own && !self.is_own(id) {
            self.cuts.stop(id);
            self.bulks.let_go(id.number());
        }
        Ok(())
    }
}
