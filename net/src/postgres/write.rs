//! Writing: what has gathered goes to the server as one statement, which is one transaction, and
//! one flush.

use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use heiiki_types::{PersistSeq, Record, SharedInput, StorageInput};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;

use super::session::{CHANNEL, Writer, describe};
use super::{Deliver, Report, Write};

/// The most rows of one statement; a single larger batch goes by itself.
const ROWS: usize = 8_192;
/// How often a write is repeated that the server gave up for the sake of another.
const REPEATS: u32 = 5;

/// Raises the versions of subjects that are still as they were read, writes the rows that belong to
/// them or to none, and tells the others. Subjects are locked in their order, so that two nodes
/// never wait for each other.
pub(super) const WRITE: &str = "
WITH g AS (
    INSERT INTO heiiki_subject AS s (subject, version, stamp)
    SELECT u.subject, u.version + 1, pg_current_xact_id()
    FROM unnest($1::bytea[], $2::int8[]) AS u(subject, version) ORDER BY u.subject
    ON CONFLICT (subject) DO UPDATE SET version = excluded.version, stamp = excluded.stamp
    WHERE s.version = excluded.version - 1
    RETURNING subject
), p AS MATERIALIZED (
    SELECT u.tbl, u.key, u.value
    FROM unnest($3::bytea[], $4::int2[], $5::bytea[], $6::bytea[]) AS u(subject, tbl, key, value)
    WHERE u.subject IS NULL OR u.subject IN (SELECT subject FROM g)
), d AS (
    DELETE FROM heiiki_row r USING p WHERE p.value IS NULL AND r.key = p.key AND r.tbl = p.tbl
), i AS (
    INSERT INTO heiiki_row (key, tbl, value) SELECT key, tbl, value FROM p WHERE value IS NOT NULL
    ON CONFLICT (key, tbl) DO UPDATE SET value = excluded.value
)
SELECT g.subject, pg_notify($7, encode(g.subject, 'hex')) FROM g";

/// Writes what is asked for, in order, until nobody asks any more.
pub(super) async fn run(
    writer: Arc<Writer>,
    mut asked: UnboundedReceiver<Write>,
    patience: Duration,
    deliver: Deliver,
) -> Result<(), String> {
    let mut next = None;
    loop {
        let first = match next.take() {
            Some(write) => write,
            None => match asked.recv().await {
                Some(write) => write,
                None => return Ok(()),
            },
        };
        let mut group = Group::new(first);
        while let Ok(write) = asked.try_recv() {
            if let Err(write) = group.add(write) {
                next = Some(write);
                break;
            }
        }
        let refused = timeout(patience, group.write(&writer))
            .await
            .unwrap_or_else(|_| Err("a write was not answered in time".to_owned()))?;
        for seq in refused {
            deliver(SharedInput::Conflict { seq }.into());
        }
        deliver(Report::Storage(StorageInput::Persisted { seq: group.last }));
    }
}

/// Writes that touch no row and no subject twice.
#[derive(Default)]
struct Group {
    last: PersistSeq,
    guards: Vec<(Vec<u8>, u64, PersistSeq)>,
    rows: Vec<(Option<Vec<u8>>, Record)>,
    touched: BTreeSet<(u8, Vec<u8>)>,
    subjects: BTreeSet<Vec<u8>>,
}

impl Group {
    fn new(first: Write) -> Self {
        let mut group = Self::default();
        group.take(first);
        group
    }

    /// Adds a write, or gives it back when it has to come after these.
    fn add(&mut self, write: Write) -> Result<(), Write> {
        let full = self.rows.len() + write.records.len() > ROWS;
        let again = write
            .records
            .iter()
            .any(|r| self.touched.contains(&(r.table, r.key.clone())));
        let guarded = write
            .guard
            .as_ref()
            .is_some_and(|(subject, _)| self.subjects.contains(subject));
        if full || again || guarded {
            return Err(write);
        }
        self.take(write);
        Ok(())
    }

    fn take(&mut self, write: Write) {
        self.last = write.seq;
        let subject = write.guard.as_ref().map(|(subject, _)| subject.clone());
        if let Some((subject, version)) = write.guard {
            self.subjects.insert(subject.clone());
            self.guards.push((subject, version, write.seq));
        }
        // The last write of a key wins, also within a batch.
        for record in write.records.into_iter().rev() {
            if self.touched.insert((record.table, record.key.clone())) {
                self.rows.push((subject.clone(), record));
            }
        }
    }

    /// Writes all of it. Tells which guarded writes met another version.
    async fn write(&self, writer: &Writer) -> Result<Vec<PersistSeq>, String> {
        let mut repeats = 0;
        let met = loop {
            match self.execute(writer).await {
                Ok(met) => break met,
                Err(error) if repeats < REPEATS && was_in_the_way(&error) => repeats += 1,
                Err(error) => return Err(describe(&error)),
            }
        };
        let refused = self
            .guards
            .iter()
            .filter(|(subject, ..)| !met.contains(subject));
        Ok(refused.map(|(.., seq)| *seq).collect())
    }

    async fn execute(&self, writer: &Writer) -> Result<BTreeSet<Vec<u8>>, tokio_postgres::Error> {
        let subjects: Vec<&[u8]> = self.guards.iter().map(|(s, ..)| s.as_slice()).collect();
        let versions: Vec<i64> = self
            .guards
            .iter()
            .map(|(_, v, _)| i64::try_from(*v).unwrap_or(i64::MAX - 1))
            .collect();
        let of: Vec<Option<&[u8]>> = self.rows.iter().map(|(s, _)| s.as_deref()).collect();
        let tables: Vec<i16> = self.rows.iter().map(|(_, r)| i16::from(r.table)).collect();
        let keys: Vec<&[u8]> = self.rows.iter().map(|(_, r)| r.key.as_slice()).collect();
        let values: Vec<Option<&[u8]>> =
            self.rows.iter().map(|(_, r)| r.value.as_deref()).collect();
        let rows = writer
            .client
            .query(
                &writer.write,
                &[&subjects, &versions, &of, &tables, &keys, &values, &CHANNEL],
            )
            .await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }
}

/// Whether the server gave this statement up for the sake of another transaction.
fn was_in_the_way(error: &tokio_postgres::Error) -> bool {
    [
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::T_R_SERIALIZATION_FAILURE,
    ]
    .iter()
    .any(|state| error.code() == Some(state))
}
