//! Reading everything, in parts.

use std::sync::Arc;

use heiiki_types::{PART, StorageInput};

use super::session::{Reader, describe};
use super::{Deliver, Report, read};

/// The rows as they were at one moment. Sorted by the server: the index is ordered by subject.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL enable_seqscan = on; SET LOCAL work_mem = '256MB';
DECLARE everything NO SCROLL CURSOR FOR SELECT tbl, key, value FROM heiiki_row ORDER BY tbl, key";

/// Hands all rows to the node.
pub(super) async fn load(reader: Arc<Reader>, deliver: Deliver) -> Result<(), String> {
    let done = parts(&reader, &deliver).await.map_err(|e| describe(&e));
    if done.is_err() {
        deliver(Report::Storage(StorageInput::Failed));
    }
    done
}

async fn parts(reader: &Reader, deliver: &Deliver) -> Result<(), tokio_postgres::Error> {
    reader.client.batch_execute(BEGIN).await?;
    let fetch = reader
        .client
        .prepare(&format!("FETCH {PART} FROM everything"))
        .await?;
    loop {
        let rows = reader.client.query(&fetch, &[]).await?;
        let mut records = Vec::with_capacity(rows.len());
        for row in &rows {
            records.push(read::record(
                row.try_get(0)?,
                row.try_get(1)?,
                row.try_get(2)?,
            ));
        }
        if rows.len() < PART {
            reader.client.batch_execute("COMMIT").await?;
            deliver(Report::Storage(StorageInput::Loaded(records)));
            return Ok(());
        }
        deliver(Report::Storage(StorageInput::Loading(records)));
    }
}
