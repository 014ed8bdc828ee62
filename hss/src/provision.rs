//! Taking subscribers into the store.

use alloc::vec::Vec;

use heiiki_types::{CallId, HttpResponse, Now, PersistSeq};

use crate::auc::sqn::{Counter, Sqn};
use crate::event::Event;
use crate::node::{Hss, Phase};
use crate::storage::Deferred;
use crate::subscriber::import::{self, ImportError, SubscriberImport};
use crate::subscriber::row::{self, Table};
use crate::subscriber::{NewSubscriber, RowIx};

/// Rows of an import that go to the disk as one batch.
const IMPORT_BATCH: u32 = 1_024;

/// What became of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
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
        let unread = self.shared.is_some() && self.phase == Phase::RaisingEpoch;
        if unread || matches!(self.phase, Phase::New | Phase::Loading) {
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
        // The rows of a batch lie side by side.
        let mut batch: Option<(RowIx, u32)> = None;
        for row in rows {
            if self.subscribers.find(row.imsi).is_some() {
                taken.kept += 1;
                continue;
            }
            let Some(ix) = self.take_in(row) else {
                continue;
            };
            taken.added += 1;
            taken.seq = self.write_new(ix);
            let (first, count) = batch.map_or((ix, 1), |(first, count)| (first, count + 1));
            batch = Some((first, count));
            if count >= IMPORT_BATCH {
                batch = None;
                self.wait_for(now, taken.seq, Deferred::New(first, count));
                self.flush();
            }
        }
        if let Some((first, count)) = batch {
            self.wait_for(now, taken.seq, Deferred::New(first, count));
        }
        self.tell(Event::Imported {
            added: taken.added,
            kept: taken.kept,
        });
        Ok(taken)
    }

    fn take_in(&mut self, row: SubscriberImport) -> Option<RowIx> {
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

    /// Writes a new subscriber's row. Vectors wait until it is durable.
    fn write_new(&mut self, ix: RowIx) -> PersistSeq {
        let Some(subscriber) = self.subscribers.get(ix) else {
            return PersistSeq::default();
        };
        let row = self.subscribers.row(&self.vault, subscriber, self.epoch);
        let key = row::imsi_key(subscriber.imsi);
        self.journal.put(Table::Subscriber, key, &row)
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
        self.reply(call, response);
    }
}
