//! What the HSS does with its disk, and what waits for it.
//!
//! **Durability.** What waits for the disk before it is answered:
//!
//! * serving at all: the epoch of this start;
//! * a vector beyond the SIM's lead, after a resynchronisation, or of a SIM that is new: its mark;
//! * an update location answer, when the location or the state changes;
//! * the first certificate of an order. The effects of a cut do not wait, those of a resume do.
//!
//! Written behind: marks before the lead is used up, purges, answers of MMEs and gateways to an
//! order.

use alloc::string::ToString;
use alloc::vec::Vec;

use heiiki_diameter::SessionIds;
use heiiki_types::{
    CallId, HttpResponse, Imsi, Now, PersistSeq, Record, StorageInput, StorageOutput,
};

use crate::admin::Refusal;
use crate::auc::sqn::{Epoch, Mark};
use crate::cut::CutId;
use crate::event::Event;
use crate::load::Loading;
use crate::node::{Hss, Output, Phase};
use crate::s6a::Waiting;
use crate::subscriber::RowIx;
use crate::subscriber::row::{self, Table};

/// What goes on when a batch is durable.
pub(crate) enum Deferred {
    /// This start has its epoch.
    Epoch,
    /// A mark.
    Mark(RowIx, Mark),
    /// The first rows of so many SIMs, from one on.
    New(RowIx, u32),
    /// So many rows under the new master key.
    SealedAgain(usize),
    /// A request of a peer.
    Answer(Waiting),
    /// An order.
    Order(CutId),
    /// A bulk order, and the call that waits for it.
    Bulk(CallId, u64),
    /// The reply to a change of subscriptions.
    Reply(CallId, HttpResponse),
}

impl Hss {
    /// Sends a SIM's mark to the disk with the batch of this step.
    pub(crate) fn write_mark(&mut self, now: Now, ix: RowIx) -> PersistSeq {
        let Some(subscriber) = self.subscribers.get_mut(ix) else {
            return PersistSeq::default();
        };
        let mark = subscriber.counter.mark(self.epoch);
        let mut key = row::imsi_key(subscriber.imsi);
        if self.shared.is_some() {
            key.push(b'/');
            key.push(self.config.inds.first());
        }
        let seq = self.journal.put(Table::Mark, key, &mark);
        self.marks.remove(&ix);
        self.wait_for(now, seq, Deferred::Mark(ix, mark));
        seq
    }

    /// A SIM has used half of its lead: its mark goes to the disk with the next batch, or soon.
    pub(crate) fn mark_is_due(&mut self, ix: RowIx) {
        self.marks.insert(ix);
    }

    /// Adds all due marks to the batch.
    pub(crate) fn flush_marks(&mut self) {
        self.marks_due = None;
        if self.shared.as_ref().is_some_and(|s| s.is_away()) {
            return;
        }
        for ix in core::mem::take(&mut self.marks) {
            // A failed disk takes no mark, so what waits for one need not be told.
            self.write_mark(Now::default(), ix);
        }
    }

    /// Lets something wait until a batch is durable.
    pub(crate) fn wait_for(&mut self, now: Now, seq: PersistSeq, deferred: Deferred) {
        if self.journal.has_failed() {
            self.lost(now, deferred);
        } else if self.journal.is_durable(seq) {
            self.durable(now, deferred);
        } else {
            self.waiting_answers += usize::from(matches!(deferred, Deferred::Answer(_)));
            self.waiting.entry(seq).or_default().push(deferred);
        }
    }

    /// Whether no more requests may wait for the disk.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting_answers >= self.config.limits.waiting
    }

    /// Takes the location updates of a SIM out of the queue.
    pub(crate) fn take_waiting_updates(&mut self, imsi: Imsi) -> Vec<Waiting> {
        let mut taken = Vec::new();
        for queue in self.waiting.values_mut() {
            for deferred in core::mem::take(queue) {
                match deferred {
                    Deferred::Answer(waiting) if waiting.updating() == Some(imsi) => {
                        taken.push(waiting);
                    }
                    other => queue.push(other),
                }
            }
        }
        self.waiting_answers -= taken.len().min(self.waiting_answers);
        taken
    }

    pub(crate) fn durable(&mut self, now: Now, deferred: Deferred) {
        match deferred {
            Deferred::Epoch if self.shared.is_some() => {
                self.phase = Phase::Loading;
                self.outputs.push_back(Output::Storage(StorageOutput::Load));
            }
            Deferred::Epoch => self.serve(now),
            Deferred::Mark(ix, mark) => {
                if let Some(subscriber) = self.subscribers.get_mut(ix) {
                    subscriber.counter.marked(mark);
                }
            }
            Deferred::New(first, count) => self.subscribers.new_rows_are_durable(first, count),
            Deferred::SealedAgain(rows) => self.sealed_again(now, rows),
            Deferred::Answer(waiting) => self.go_on(now, waiting),
            Deferred::Order(id) => self.order_is_durable(now, id),
            Deferred::Bulk(call, id) => self.bulk_is_durable(now, call, id),
            Deferred::Reply(call, response) => self.reply(call, response),
        }
    }

    pub(crate) fn lost(&mut self, now: Now, deferred: Deferred) {
        match deferred {
            Deferred::Epoch => self.phase = Phase::Refusing,
            Deferred::Mark(..) | Deferred::New(..) | Deferred::SealedAgain(_) => {}
            Deferred::Answer(waiting) => self.give_up(now, waiting),
            Deferred::Order(id) => self.order_is_lost(id),
            Deferred::Reply(call, _) | Deferred::Bulk(call, _) => {
                if let Deferred::Bulk(_, id) = deferred {
                    self.bulks.lose(id);
                }
                let response = Refusal::DiskFailed.response::<()>(None);
                self.reply(call, response);
            }
        }
    }

    pub(crate) fn handle_storage(&mut self, now: Now, input: StorageInput) {
        match input {
            StorageInput::Loading(records) if self.phase == Phase::Loading => {
                self.take_part(now, records);
            }
            StorageInput::Loaded(records) if self.phase == Phase::Loading => {
                if self.take_part(now, records) {
                    if self.shared.is_some() {
                        self.take_early(now);
                        self.serve(now);
                    } else {
                        self.raise_epoch(now, self.end_load());
                    }
                }
            }
            StorageInput::Loading(_) | StorageInput::Loaded(_) => {}
            StorageInput::Unavailable => self.store_is_away(now, true),
            StorageInput::Available => self.store_is_away(now, false),
            StorageInput::Persisted { seq } => {
                let durable = self.journal.persisted(seq);
                self.persisted(now, durable);
                self.blind_writes_end(durable);
            }
            StorageInput::Failed => {
                if !self.journal.has_failed() {
                    self.journal.fail();
                    self.tell(Event::DiskFailed);
                }
                for deferred in core::mem::take(&mut self.waiting).into_values().flatten() {
                    self.uncount(&deferred);
                    self.lost(now, deferred);
                }
                if self.phase == Phase::Loading {
                    self.phase = Phase::Refusing;
                }
            }
        }
    }

    /// Writes are held up, or go on. What waits for one is answered now: a peer can come again, and
    /// the caller of a change may repeat it, which changes nothing once the first one is written. A
    /// bulk order has not begun and never will. Orders are kept, and what is asked for meanwhile is
    /// refused.
    fn store_is_away(&mut self, now: Now, away: bool) {
        if self.journal.has_failed() || self.journal.is_stuck() == away {
            return;
        }
        self.journal.set_away(away);
        if !away {
            self.tell(Event::StoreAvailable);
            return;
        }
        self.tell(Event::StoreUnavailable);
        let mut given_up = Vec::new();
        let mut calls = Vec::new();
        let mut bulks = Vec::new();
        for queue in self.waiting.values_mut() {
            for deferred in core::mem::take(queue) {
                match deferred {
                    Deferred::Answer(waiting) => given_up.push(waiting),
                    Deferred::Reply(call, _) => calls.push(call),
                    Deferred::Bulk(call, id) => {
                        calls.push(call);
                        bulks.push(id);
                    }
                    other => queue.push(other),
                }
            }
        }
        self.waiting_answers = 0;
        for waiting in given_up {
            self.give_up(now, waiting);
        }
        for id in bulks {
            self.withdraw_bulk(id);
        }
        for call in calls {
            self.reply(call, Refusal::StoreFull.response::<()>(None));
        }
        let orders = self.waiting.values().flatten().filter_map(|d| match d {
            Deferred::Order(id) => Some(*id),
            _ => None,
        });
        for id in orders.collect::<Vec<_>>() {
            self.order_is_late(id);
        }
    }

    /// Everything up to `durable` is: what waited for it goes on, in order.
    fn persisted(&mut self, now: Now, durable: PersistSeq) {
        loop {
            let waits = self.waiting.first_key_value().map(|(seq, _)| *seq);
            let first = waits.filter(|seq| *seq <= durable);
            let shared = self.next_written(durable);
            let Some(seq) = first.into_iter().chain(shared).min() else {
                return;
            };
            let deferred = self.waiting.remove(&seq).unwrap_or_default();
            for deferred in &deferred {
                self.uncount(deferred);
            }
            if shared == Some(seq) {
                self.written(now, seq, deferred);
            } else {
                for deferred in deferred {
                    self.durable(now, deferred);
                }
            }
        }
    }

    /// Takes rows of the store; false when it is refused.
    fn take_part(&mut self, now: Now, records: Vec<Record>) -> bool {
        let taken = self.load_part(now, records);
        if let Err(event) = taken {
            self.phase = Phase::Refusing;
            self.tell(event);
            return false;
        }
        true
    }

    pub(crate) fn uncount(&mut self, deferred: &Deferred) {
        if matches!(deferred, Deferred::Answer(_)) {
            self.waiting_answers = self.waiting_answers.saturating_sub(1);
        }
    }

    fn raise_epoch(&mut self, now: Now, epoch: Epoch) {
        self.epoch = epoch;
        self.phase = Phase::RaisingEpoch;
        let high = u32::try_from(epoch.0).unwrap_or(u32::MAX);
        self.sessions = SessionIds::new(&*self.config.origin_host, high);
        let meta = row::MetaRow::new(epoch, now.wall);
        // Whether the key fits a store that others use is seen when it is read.
        if self.shared.is_none() || epoch == Epoch(1) {
            let check = self.vault.current();
            let key = row::STORE_KEY.to_vec();
            self.journal.put(Table::Meta, key, &check);
        }
        let seq = self.journal.put(Table::Meta, row::META_KEY.to_vec(), &meta);
        self.wait_for(now, seq, Deferred::Epoch);
        if self.shared.is_none() {
            self.take_early(now);
        }
    }

    /// Raises the epoch that all front ends share: every start of any of them has its own.
    pub(crate) fn raise_shared_epoch(&mut self, now: Now) {
        let meta = self.shared.as_mut().and_then(|s| s.meta.take());
        let raised = match meta {
            None => Ok(Epoch(1)),
            Some(value) => self.next_epoch(now, &value),
        };
        match raised {
            Ok(epoch) => {
                self.loading = Loading::Epoch(epoch);
                self.raise_epoch(now, epoch);
            }
            Err(event) => {
                self.phase = Phase::Refusing;
                self.tell(event);
            }
        }
    }

    /// Takes what was imported before the store was read.
    fn take_early(&mut self, now: Now) {
        let early = core::mem::take(&mut self.early);
        if early.is_empty() {
            return;
        }
        if let Err(errors) = self.take_import(now, early) {
            let why = errors.first().map(ToString::to_string);
            self.tell(Event::ImportRefused {
                why: why.unwrap_or_default(),
                errors: errors.len(),
            });
        }
    }

    pub(crate) fn flush(&mut self) {
        if self.shared.is_some() {
            self.flush_shared(None);
            return;
        }
        if let Some(output) = self.journal.flush() {
            self.outputs.push_back(Output::Storage(output));
        }
    }
}
