//! Writing: what has gathered goes to the server as one statement, which is one transaction, and
//! one flush.

use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use heiiki_types::{Guard, PersistSeq, Record, SharedInput, StorageInput};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;

use super::session::{CHANNEL, Writer, describe};
use super::{Deliver, Report, Write};

/// The most rows of one statement; a single larger batch goes by itself.
const ROWS: usize = 8_192;
/// How often a write is repeated that the server gave up for the sake of another.
const REPEATS: u32 = 5;

/// Raises the versions of subjects that are still as they were read, writes the rows of those
/// batches all of whose subjects are, and tells the others. Subjects are locked in their order, so
/// that two nodes never wait for each other.
pub(super) const WRITE: &str = "
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest($1::bytea[], $2::int8[], $3::int8[]) AS u(subject, version, seq)
), g AS (
    INSERT INTO heiiki_subject AS s (subject, version, stamp)
    SELECT a.subject, 1 + coalesce(a.version,
        (SELECT o.version FROM heiiki_subject o WHERE o.subject = a.subject), 0),
        pg_current_xact_id()
    FROM asked a ORDER BY a.subject
    ON CONFLICT (subject) DO UPDATE SET version = excluded.version, stamp = excluded.stamp
    WHERE s.version = excluded.version - 1
    RETURNING subject
), refused AS MATERIALIZED (
    SELECT DISTINCT a.seq FROM asked a WHERE a.subject NOT IN (SELECT subject FROM g)
), p AS MATERIALIZED (
    SELECT u.tbl, u.key, u.value
    FROM unnest($4::int8[], $5::int2[], $6::bytea[], $7::bytea[]) AS u(seq, tbl, key, value)
    WHERE u.seq NOT IN (SELECT seq FROM refused)
), d AS (
    DELETE FROM heiiki_row r USING p WHERE p.value IS NULL AND r.key = p.key AND r.tbl = p.tbl
), i AS (
    INSERT INTO heiiki_row (key, tbl, value) SELECT key, tbl, value FROM p WHERE value IS NOT NULL
    ON CONFLICT (key, tbl) DO UPDATE SET value = excluded.value
), n AS MATERIALIZED (
    SELECT pg_notify($8, encode(subject, 'hex')) FROM g
)
SELECT r.seq, told.count FROM (SELECT count(*) AS count FROM n) told LEFT JOIN refused r ON true";

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
        let last = group.last;
        let refused = timeout(patience, group.write(&writer))
            .await
            .unwrap_or_else(|_| Err("a write was not answered in time".to_owned()))?;
        for seq in refused {
            deliver(SharedInput::Conflict { seq }.into());
        }
        deliver(Report::Storage(StorageInput::Persisted { seq: last }));
    }
}

/// Writes that touch no row and no subject twice.
#[derive(Default)]
struct Group {
    last: PersistSeq,
    guards: Vec<(PersistSeq, Guard)>,
    rows: Vec<(PersistSeq, Record)>,
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
        let row = |r: &Record| self.touched.contains(&(r.table, r.key.clone()));
        let guard = |g: &Guard| self.subjects.contains(&g.subject);
        if full || write.records.iter().any(row) || write.guards.iter().any(guard) {
            return Err(write);
        }
        self.take(write);
        Ok(())
    }

    fn take(&mut self, write: Write) {
        let seq = write.seq;
        self.last = seq;
        for guard in write.guards {
            if self.subjects.insert(guard.subject.clone()) {
                self.guards.push((seq, guard));
            }
        }
        // The last write of a key wins, also within a batch.
        for record in write.records.into_iter().rev() {
            if self.touched.insert((record.table, record.key.clone())) {
                self.rows.push((seq, record));
            }
        }
    }

    /// Writes all of it. Tells which writes met another version.
    async fn write(mut self, writer: &Writer) -> Result<Vec<PersistSeq>, String> {
        let mut conflicts = Vec::new();
        let mut repeats = 0;
        loop {
            let refused = match self.execute(writer).await {
                Ok(refused) => refused,
                Err(error) if repeats < REPEATS && was_in_the_way(&error) => {
                    repeats += 1;
                    continue;
                }
                Err(error) => return Err(describe(&error)),
            };
            // What holds whatever the version is was merely overtaken.
            let again = |seq: &PersistSeq| {
                let mut guards = self.guards.iter().filter(|(s, _)| s == seq);
                guards.all(|(_, g)| g.version.is_none())
            };
            let (again, met): (Vec<_>, Vec<_>) = refused.into_iter().partition(again);
            conflicts.extend(met);
            if again.is_empty() {
                return Ok(conflicts);
            }
            self.guards.retain(|(seq, _)| again.contains(seq));
            self.rows.retain(|(seq, _)| again.contains(seq));
        }
    }

    async fn execute(&self, writer: &Writer) -> Result<Vec<PersistSeq>, tokio_postgres::Error> {
        let number = |seq: &PersistSeq| seq.0.cast_signed();
        let subjects: Vec<&[u8]> = self.guards.iter().map(|(_, g)| &*g.subject).collect();
        let versions: Vec<Option<i64>> = self
            .guards
            .iter()
            .map(|(_, g)| g.version.map(u64::cast_signed))
            .collect();
        let guarded: Vec<i64> = self.guards.iter().map(|(s, _)| number(s)).collect();
        let of: Vec<i64> = self.rows.iter().map(|(s, _)| number(s)).collect();
        let tables: Vec<i16> = self.rows.iter().map(|(_, r)| i16::from(r.table)).collect();
        let keys: Vec<&[u8]> = self.rows.iter().map(|(_, r)| &*r.key).collect();
        let values: Vec<Option<&[u8]>> =
            self.rows.iter().map(|(_, r)| r.value.as_deref()).collect();
        let rows = writer
            .client
            .query(
                &writer.write,
                &[
                    &subjects, &versions, &guarded, &of, &tables, &keys, &values, &CHANNEL,
                ],
            )
            .await?;
        let refused = rows.iter().map(|row| row.try_get::<_, Option<i64>>(0));
        refused
            .filter_map(Result::transpose)
            .map(|seq| seq.map(|seq| PersistSeq(seq.cast_unsigned())))
            .collect()
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
