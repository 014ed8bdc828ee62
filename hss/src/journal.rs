//! The order of writes: what one step of the node changes goes to the disk as one batch.

use alloc::vec::Vec;

use heiiki_types::{PersistSeq, Record, StorageOutput};

use crate::subscriber::row::{self, Table};

/// Writes that have not left yet, and how far the disk has come.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    sent: PersistSeq,
    durable: PersistSeq,
    batch: Vec<Record>,
    failed: bool,
    /// What is written becomes durable some time, but not now.
    away: bool,
}

impl Journal {
    /// Adds a row to the batch of this step. Tells which batch that is.
    pub(crate) fn put<T: serde::Serialize>(
        &mut self,
        table: Table,
        key: Vec<u8>,
        row: &T,
    ) -> PersistSeq {
        self.add(table, key, Some(row::encode(row)))
    }

    /// Adds the removal of a row.
    pub(crate) fn delete(&mut self, table: Table, key: Vec<u8>) -> PersistSeq {
        self.add(table, key, None)
    }

    fn add(&mut self, table: Table, key: Vec<u8>, value: Option<Vec<u8>>) -> PersistSeq {
        self.batch.push(Record {
            table: table.number(),
            key,
            value,
        });
        PersistSeq(self.sent.0 + 1)
    }

    /// Sends what was added since the last time. Nothing goes to a disk that has failed.
    pub(crate) fn flush(&mut self) -> Option<StorageOutput> {
        if self.batch.is_empty() {
            return None;
        }
        self.sent.0 += 1;
        let records = core::mem::take(&mut self.batch);
        (!self.failed).then_some(StorageOutput::Persist {
            seq: self.sent,
            records,
        })
    }

    /// Whether a batch has begun.
    pub(crate) fn has_rows(&self) -> bool {
        !self.batch.is_empty()
    }

    /// The disk has come so far. Tells how far that is.
    pub(crate) fn persisted(&mut self, seq: PersistSeq) -> PersistSeq {
        self.durable = self.durable.max(seq.min(self.sent));
        self.durable
    }

    /// What was sent and not reported may be written or not, and nobody will say.
    pub(crate) fn void(&mut self) {
        self.durable = self.sent;
    }

    /// Whether a batch survives a power loss.
    pub(crate) fn is_durable(&self, seq: PersistSeq) -> bool {
        seq <= self.durable
    }

    /// The disk has failed: what waits for it waits in vain.
    pub(crate) fn fail(&mut self) {
        self.failed = true;
    }

    /// Whether the disk takes its time, because it is full or away.
    pub(crate) const fn set_away(&mut self, away: bool) {
        self.away = away;
    }

    /// Whether nothing becomes durable now: what needs that is refused.
    pub(crate) const fn is_stuck(&self) -> bool {
        self.failed || self.away
    }

    pub(crate) const fn has_failed(&self) -> bool {
        self.failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_is_one_batch() {
        let mut journal = Journal::default();
        assert_eq!(journal.flush(), None);
        assert_eq!(
            journal.put(Table::Mark, alloc::vec![1], &1_u8),
            PersistSeq(1)
        );
        assert_eq!(journal.delete(Table::Mark, alloc::vec![2]), PersistSeq(1));
        let Some(StorageOutput::Persist { seq, records }) = journal.flush() else {
            panic!("a batch was added");
        };
        assert_eq!((seq, records.len()), (PersistSeq(1), 2));
        assert_eq!(
            journal.put(Table::Mark, alloc::vec![1], &1_u8),
            PersistSeq(2)
        );
        // A completion of something that was never sent counts for nothing.
        assert_eq!(journal.persisted(PersistSeq(9)), PersistSeq(1));
        journal.fail();
        assert_eq!(journal.flush(), None);
    }
}
