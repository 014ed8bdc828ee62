//! The shared store is away: who waits for it is told so.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use heiiki_types::Now;

use super::Work;
use crate::admin::Refusal;
use crate::cut::CutId;
use crate::cut::procedure::cut_key;
use crate::event::Event;
use crate::node::{Hss, Phase};
use crate::s6a::errands::Kind;
use crate::storage::Deferred;

impl Hss {
    /// The store is away: everybody who waits is told so.
    pub(super) fn store_is_gone(&mut self, now: Now) {
        let Some(shared) = self.shared.as_mut() else {
            return;
        };
        shared.away = true;
        shared.reads.clear();
        shared.writes.clear();
        shared.blind.clear();
        shared.parked = 0;
        let gates = core::mem::take(&mut shared.gates);
        self.tell(Event::StoreUnavailable);
        self.journal.void();
        let mut replied = BTreeSet::new();
        for deferred in core::mem::take(&mut self.waiting).into_values().flatten() {
            self.uncount(&deferred);
            match deferred {
                Deferred::Mark(ix, _) => self.mark_is_due(ix),
                // The request itself is turned away below.
                Deferred::Answer(_) => {}
                Deferred::Order(id) => {
                    if let Some(shared) = self.shared.as_mut() {
                        shared.changed.insert(cut_key(id));
                    }
                    replied.extend(self.cuts.get(id).and_then(|c| c.reply));
                    self.order_is_lost(id);
                }
                Deferred::Bulk(_, id) => {
                    // It may be in the store all the same: then it goes on.
                    if let Some(shared) = self.shared.as_mut() {
                        shared.changed.insert(cut_key(CutId(id)));
                    }
                    self.lost(now, deferred);
                }
                other => self.lost(now, other),
            }
        }
        for (subject, gate) in gates {
            // What became of it will be seen when the store is back.
            if let Some(shared) = self.shared.as_mut() {
                shared.changed.insert(subject.clone());
            }
            let works = gate.under_way.into_iter().chain(gate.queue);
            for (_, work) in works {
                if !matches!(&work, Work::Admin { call, .. } if replied.contains(call)) {
                    self.turn_away(now, subject.clone(), work);
                }
            }
        }
    }

    /// There is no store, or no room: says so.
    pub(super) fn turn_away(&mut self, now: Now, subject: Vec<u8>, work: Work) {
        let away = self.shared.as_ref().is_some_and(|s| s.away);
        match work {
            Work::Epoch => self.phase = Phase::Refusing,
            Work::Request {
                handle, message, ..
            } => self.refuse_without_store(now, handle, &message, away),
            Work::Admin { call, .. } => {
                self.reply(call, Refusal::StoreAway.response::<()>(None));
            }
            // Sent again later: an MME that has let go of the SIM says so once more.
            Work::Answer { tag, .. } | Work::Unanswered { tag } => {
                let at = now.at + self.config.timers.retry_first;
                match Kind::of(tag) {
                    Some(Kind::Update) => self.updates.again(tag, at),
                    _ => self.cancellations.again(tag, at),
                }
            }
            Work::Deed(deed) => self.deed_turned_away(now, &deed),
            Work::Look => {
                if let Some(shared) = self.shared.as_mut() {
                    shared.changed.insert(subject);
                }
            }
        }
    }
}
