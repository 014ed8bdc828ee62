//! Taking subscribers into the store.

use alloc::vec::Vec;

use heiiki_types::{CallId, HttpResponse, Now, PersistSeq};

use crate::event::Event;
use crate::node::{Hss, Output, Phase};
use crate::storage::Deferred;
use crate::subscriber::RowIx;
use crate::subscriber::import::{self, ImportError, SubscriberImport};
use crate::subscriber::row::{self, StateRow, SubscriberRow, Table};

/// Rows of an import that go to the disk as one batch.
const IMPORT_BATCH: usize = 1_024;

/// What became of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Taken {
    added: usize,
    kept: usize,
    #[serde(skip)]
    seq: PersistSeq,
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
        if matches!(self.phase, Phase::New | Phase::Loading) {
            let mut all = core::mem::take(&mut self.early);
            let before = all.len();
            all.extend(rows);
            let errors = import::check(&all, self.config.limits.subscribers);
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

    /// Takes an import into the store that has been read.
    pub(crate) fn take_import(
        &mut self,
        now: Now,
        rows: Vec<SubscriberImport>,
    ) -> Result<Taken, Vec<ImportError>> {
        let limit = self.config.limits.subscribers;
        let room = limit.saturating_sub(self.subscribers.len());
        let known = rows
            .iter()
            .filter(|r| self.subscribers.find(r.imsi).is_some());
        let mut errors = import::check(&rows, room.saturating_add(known.count()));
        if errors.is_empty() {
            errors = import::clashes(&self.subscribers, &rows);
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut taken = Taken {
            added: 0,
            kept: 0,
            seq: PersistSeq::default(),
        };
        for row in rows {
            if self.subscribers.find(row.imsi).is_some() {
                taken.kept += 1;
                continue;
            }
            let subscriber = import::subscriber(&mut self.subscribers, row);
            let Some(ix) = self.subscribers.insert(subscriber) else {
                continue;
            };
            taken.added += 1;
            taken.seq = self.write_new(now, ix);
            if taken.added.is_multiple_of(IMPORT_BATCH) {
                self.flush();
            }
        }
        self.tell(Event::Imported {
            added: taken.added,
            kept: taken.kept,
        });
        Ok(taken)
    }

    /// Writes a new subscriber's rows. Vectors wait until they are durable.
    fn write_new(&mut self, now: Now, ix: RowIx) -> PersistSeq {
        if let Some(subscriber) = self.subscribers.get(ix) {
            let key = row::imsi_key(subscriber.imsi);
            let tenant = self.subscribers.tenant_name(subscriber.tenant);
            let secrets = SubscriberRow::new(subscriber, tenant);
            self.journal.put(Table::Subscriber, key.clone(), &secrets);
            let state = StateRow {
                state: subscriber.state,
                standing: subscriber.standing.clone(),
            };
            self.journal.put(Table::State, key, &state);
        }
        self.write_mark(now, ix)
    }

    pub(crate) fn reply_when_durable(&mut self, now: Now, call: CallId, taken: Taken) {
        if taken.added == 0 {
            self.reply_to_import(call, taken);
        } else {
            self.wait_for(now, taken.seq, Deferred::Imported(call, taken));
        }
    }

    pub(crate) fn reply_to_import(&mut self, call: CallId, taken: Taken) {
        let response = HttpResponse {
            status: 200,
            body: serde_json::to_vec(&taken).unwrap_or_default(),
            headers: heiiki_types::Headers::default(),
        };
        self.outputs
            .push_back(Output::AdminReply { call, response });
    }
}
