//! Taking subscribers into the store.

use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::{CallId, HttpResponse, Now, PersistSeq};

use crate::auc::sqn::{Counter, Sqn};
use crate::equipment::Binding;
use crate::event::Event;
use crate::node::{Hss, Phase};
use crate::storage::Deferred;
use crate::subscriber::import::{self, ImportError, ImportFault, SubscriberImport};
use crate::subscriber::row::{self, Table};
use crate::subscriber::{Change, NewSubscriber, ProfileOptions, RowIx, State};

/// Rows of an import that go to the disk as one batch.
const IMPORT_BATCH: u32 = 1_024;

/// What happens to a row of a SIM that the store has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// The store wins, and nothing is said.
    Keep,
    /// The store wins; a row that says something else is reported.
    Compare,
    /// The row wins.
    Update,
}

/// How an import is meant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) existing: Existing,
    /// Only find out what would happen.
    pub(crate) dry_run: bool,
}

/// What became of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) added: usize,
    pub(crate) updated: usize,
    /// SIMs that are in the store as their rows say, or with [`Existing::Keep`] in any way.
    pub(crate) kept: usize,
    /// Rows that say something else than the store, which won.
    pub(crate) conflicts: Vec<ImportError>,
    seq: PersistSeq,
}

/// Consecutive new rows that wait for the same batch.
#[derive(Default)]
struct Run {
    first: Option<RowIx>,
    count: u32,
}

impl Hss {
    /// Takes subscribers from a file. Rows that the store has already stay as they are. Before the
    /// store has been read only the import itself can be checked; what clashes with the store then
    /// shows as [`Event::ImportRefused`]. Any error refuses the whole import.
    pub fn import(
        &mut self,
        now: Now,
        rows: Vec<SubscriberImport>,
    ) -> Result<(), Vec<ImportError>> {
        let unread = self.shared.is_some() && self.phase == Phase::RaisingEpoch;
        if unread || matches!(self.phase, Phase::New | Phase::Loading) {
            let mut all = core::mem::take(&mut self.early);
            let before = all.len();
            all.extend(rows);
            let errors = import::check(all.iter(), self.config.limits.subscribers);
            if !errors.is_empty() {
                all.truncate(before);
                self.early = all;
                return Err(errors);
            }
            self.early = all;
            return Ok(());
        }
        self.take_import(now, rows)?;
        self.settle(now);
        Ok(())
    }

    /// Takes an import of the configuration into the store that has been read.
    pub(crate) fn take_import(
        &mut self,
        now: Now,
        rows: Vec<SubscriberImport>,
    ) -> Result<Taken, Vec<ImportError>> {
        let rows = rows.into_iter().map(|row| Change {
            row,
            with_secrets: true,
        });
        let manner = Manner {
            existing: Existing::Keep,
            dry_run: false,
        };
        let taken = self.take_changes(now, rows.collect(), manner)?;
        self.tell(Event::Imported {
            added: taken.added,
            kept: taken.kept,
        });
        Ok(taken)
    }

    /// Takes rows: all of them, but for conflicts, or none.
    pub(crate) fn take_changes(
        &mut self,
        now: Now,
        rows: Vec<Change>,
        manner: Manner,
    ) -> Result<Taken, Vec<ImportError>> {
        let errors = self.faults(&rows, manner.existing);
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut taken = Taken::default();
        // The rows of a batch lie side by side.
        let mut run = Run::default();
        for (index, change) in rows.into_iter().enumerate() {
            let imsi = change.row.imsi;
            let Some(ix) = self.subscribers.find(imsi) else {
                taken.added += 1;
                if !manner.dry_run {
                    self.add(now, &change.row, &mut taken, &mut run);
                }
                continue;
            };
            let parts = match self.subscribers.get(ix) {
                Some(s) if manner.existing != Existing::Keep => {
                    self.subscribers.differences(&self.vault, s, &change)
                }
                _ => Vec::new(),
            };
            if parts.is_empty() {
                taken.kept += 1;
            } else if manner.existing != Existing::Update {
                taken.conflicts.push(ImportError {
                    index,
                    imsi,
                    what: ImportFault::Differs(parts),
                });
            } else {
                taken.updated += 1;
                if !manner.dry_run {
                    taken.seq = self.change(now, ix, &change);
                }
            }
        }
        self.end_run(now, &taken, &mut run);
        Ok(taken)
    }

    /// Everything that keeps rows out.
    fn faults(&self, rows: &[Change], existing: Existing) -> Vec<ImportError> {
        let room = self.config.limits.subscribers;
        let room = room.saturating_sub(self.subscribers.len());
        let is_known = |r: &&Change| self.subscribers.find(r.row.imsi).is_some();
        let known = rows.iter().filter(is_known).count();
        let mut errors = import::check(rows.iter().map(|r| &r.row), room.saturating_add(known));
        for (index, change) in rows.iter().enumerate() {
            if !change.with_secrets && !is_known(&change) {
                errors.push(ImportError {
                    index,
                    imsi: change.row.imsi,
                    what: ImportFault::NoSecrets,
                });
            }
        }
        if errors.is_empty() {
            let entering = rows.iter().enumerate();
            let entering = entering.filter(|(_, r)| existing == Existing::Update || !is_known(r));
            let entering = entering.map(|(index, r)| (index, &r.row));
            errors = import::clashes(&self.subscribers, entering);
        }
        errors
    }

    fn add(&mut self, now: Now, row: &SubscriberImport, taken: &mut Taken, run: &mut Run) {
        let Some(ix) = self.take_in(row) else {
            return;
        };
        taken.seq = self.write_row(ix);
        run.first.get_or_insert(ix);
        run.count += 1;
        if run.count >= IMPORT_BATCH {
            self.end_run(now, taken, run);
            self.flush();
        }
    }

    fn end_run(&mut self, now: Now, taken: &Taken, run: &mut Run) {
        let Run { first, count } = core::mem::take(run);
        if let Some(first) = first {
            self.wait_for(now, taken.seq, Deferred::New(first, count));
        }
    }

    /// Gives a SIM of the store another subscription.
    fn change(&mut self, now: Now, ix: RowIx, change: &Change) -> PersistSeq {
        let Some(imsi) = self.subscribers.get(ix).map(|s| s.imsi) else {
            return PersistSeq::default();
        };
        let parts = if change.with_secrets {
            "subscription and keys"
        } else {
            "subscription"
        };
        let before = self.told(imsi);
        // A profile of our own making can be read.
        let row = &change.row;
        let sealed = change
            .with_secrets
            .then(|| self.vault.seal(imsi, &row.k, &row.opc, &mut self.nonces));
        if self.subscribers.replace(ix, row, sealed).is_err() {
            return PersistSeq::default();
        }
        self.tell(Event::SubscriptionChanged { imsi, parts });
        let seq = self.write_row(ix);
        self.profile_changed(now, imsi, before.as_ref());
        seq
    }

    /// Takes everything from a terminated SIM but its IMSI, its tenant and its state: what is left
    /// keeps its bar and its sequence numbers in force. `None` when it is not terminated.
    pub(crate) fn erase(&mut self, now: Now, ix: RowIx) -> Option<Taken> {
        let subscriber = self.subscribers.get(ix)?;
        if subscriber.state != State::Terminated {
            return None;
        }
        let own = self.subscribers.own_of(subscriber);
        let row = SubscriberImport {
            amf: [0; 2],
            msisdn: None,
            group: String::new(),
            apns: Vec::new(),
            ue_ambr: import::NO_AMBR,
            options: ProfileOptions::default(),
            ..own
        };
        let key = row::imsi_key(row.imsi);
        if let Some(subscriber) = self.subscribers.get_mut(ix) {
            subscriber.set_gateways(Vec::new());
            self.journal.delete(Table::Gateway, key);
        }
        self.set_binding(ix, Binding::Any);
        // The keys of `row` are blank.
        let change = Change {
            row,
            with_secrets: true,
        };
        Some(Taken {
            seq: self.change(now, ix, &change),
            ..Taken::default()
        })
    }

    fn take_in(&mut self, row: &SubscriberImport) -> Option<RowIx> {
        let profile = row::encode(&row.profile());
        let subscriber = NewSubscriber {
            imsi: row.imsi,
            static_ips: row.static_ips(),
            sealed: self
                .vault
                .seal(row.imsi, &row.k, &row.opc, &mut self.nonces),
            amf: row.amf,
            counter: Counter::fresh(
                row.sqn
                    .and_then(Sqn::from_value)
                    .unwrap_or(Sqn::from_octets([0; 6])),
            ),
            msisdn: row.msisdn,
            tenant: &row.tenant,
            group: &row.group,
            profile: &profile,
            state: row.state,
        };
        self.subscribers.insert(subscriber).ok().flatten()
    }

    /// Writes a subscriber's row. Vectors of a new one wait until it is durable.
    fn write_row(&mut self, ix: RowIx) -> PersistSeq {
        let Some(subscriber) = self.subscribers.get(ix) else {
            return PersistSeq::default();
        };
        let row = self.subscribers.row(&self.vault, subscriber, self.epoch);
        let key = row::imsi_key(subscriber.imsi);
        self.journal.put(Table::Subscriber, key, &row)
    }

    /// Answers a call once everything that it changed is durable.
    pub(crate) fn reply_when_durable(
        &mut self,
        now: Now,
        call: CallId,
        taken: &Taken,
        response: HttpResponse,
    ) {
        if taken.seq == PersistSeq::default() {
            self.reply(call, response);
        } else {
            self.wait_for(now, taken.seq, Deferred::Reply(call, response));
        }
    }
}
