//! Reading subjects: many at once, each with its version, all of one statement as they were at one
//! moment.

use std::sync::Arc;

use heiiki_types::{Record, SharedInput};
use tokio_postgres::Row;

use super::Deliver;
use super::session::{Reader, describe};

/// The rows of subject `A` are those with keys `A` and `A/...`; `0` comes next after `/`.
pub(super) const REFRESH: &str = "
SELECT k.n, coalesce(s.version, 0), r.tbl, r.key, r.value
FROM unnest($1::bytea[]) WITH ORDINALITY AS k(key, n)
LEFT JOIN heiiki_subject s ON s.subject = k.key
LEFT JOIN LATERAL (
    SELECT tbl, key, value FROM heiiki_row
    WHERE key >= k.key AND key < k.key || '\\x30'::bytea
) r ON true
ORDER BY k.n, r.tbl, r.key";

/// Whatever commits from now on has at least this transaction number.
pub(super) const HORIZON: &str = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text";

/// What was changed since a horizon, and perhaps a little before.
const SINCE: &str = "SELECT subject FROM heiiki_subject WHERE stamp >= $1::text::xid8";

/// A subject that is asked for.
pub(super) type Wanted = (u64, Vec<u8>);

/// Reads subjects and hands them to the node in the order in which they were asked for.
pub(super) async fn refresh(
    reader: Arc<Reader>,
    wanted: Vec<Wanted>,
    deliver: Deliver,
) -> Result<(), String> {
    let subjects: Vec<&[u8]> = wanted.iter().map(|(_, s)| s.as_slice()).collect();
    let rows = reader
        .client
        .query(&reader.refresh, &[&subjects])
        .await
        .map_err(|e| describe(&e))?;
    let mut answers: Vec<(u64, u64, Vec<Record>)> = wanted
        .iter()
        .map(|(token, _)| (*token, 0, Vec::new()))
        .collect();
    for row in rows {
        take(&row, &mut answers).map_err(|e| describe(&e))?;
    }
    for (token, version, records) in answers {
        deliver(
            SharedInput::Refreshed {
                token,
                version,
                records,
            }
            .into(),
        );
    }
    Ok(())
}

fn take(row: &Row, answers: &mut [(u64, u64, Vec<Record>)]) -> Result<(), tokio_postgres::Error> {
    let number: i64 = row.try_get(0)?;
    let version: i64 = row.try_get(1)?;
    let answer = usize::try_from(number - 1)
        .ok()
        .and_then(|n| answers.get_mut(n));
    let Some((_, known, records)) = answer else {
        return Ok(());
    };
    *known = u64::try_from(version).unwrap_or(0);
    if let Some(table) = row.try_get::<_, Option<i16>>(2)? {
        records.push(record(table, row.try_get(3)?, row.try_get(4)?));
    }
    Ok(())
}

/// A row of the store.
pub(super) fn record(table: i16, key: Vec<u8>, value: Vec<u8>) -> Record {
    Record {
        table: u8::try_from(table).unwrap_or(u8::MAX),
        key,
        value: Some(value),
    }
}

/// The horizon now.
pub(super) async fn horizon(reader: &Reader) -> Result<String, String> {
    let row = reader
        .client
        .query_one(&reader.horizon, &[])
        .await
        .map_err(|e| describe(&e))?;
    row.try_get(0).map_err(|e| describe(&e))
}

/// Subjects that were changed since `horizon`.
pub(super) async fn since(reader: &Reader, horizon: &str) -> Result<Vec<Vec<u8>>, String> {
    let rows = reader
        .client
        .query(SINCE, &[&horizon])
        .await
        .map_err(|e| describe(&e))?;
    rows.iter()
        .map(|row| row.try_get(0).map_err(|e| describe(&e)))
        .collect()
}
