//! The tables, by version.

use tokio_postgres::Client;

use super::PostgresError;
use super::numbers::CLASS;

/// What each version adds to the one before. Never change one that was released: add another.
const STEPS: &[&str] = &["
CREATE TABLE heiiki_row (
    key bytea NOT NULL,
    tbl int2 NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (key, tbl)
);
COMMENT ON TABLE heiiki_row IS 'rows of the HSS; secrets in them are encrypted';
CREATE TABLE heiiki_subject (
    subject bytea PRIMARY KEY,
    version int8 NOT NULL,
    stamp xid8 NOT NULL
);
COMMENT ON TABLE heiiki_subject IS 'versions of what front ends change together, such as a SIM';
CREATE INDEX heiiki_subject_stamp ON heiiki_subject (stamp);
"];

/// Serialises front ends that start at the same time.
const MIGRATION: i32 = 64;

/// Brings the tables to the version of this build.
pub(super) async fn migrate(client: &Client) -> Result<(), PostgresError> {
    client.batch_execute("BEGIN").await?;
    let done = steps(client).await;
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    client.batch_execute(end).await?;
    done
}

async fn steps(client: &Client) -> Result<(), PostgresError> {
    client
        .execute(
            "SELECT pg_advisory_xact_lock($1, $2)",
            &[&CLASS, &MIGRATION],
        )
        .await?;
    let known = i32::try_from(STEPS.len()).unwrap_or(i32::MAX);
    let found = if let Some(found) = version(client).await? {
        found
    } else {
        let made = "CREATE TABLE heiiki_schema (version int4 NOT NULL); \
                    INSERT INTO heiiki_schema VALUES (0)";
        client.batch_execute(made).await?;
        0
    };
    if found > known {
        return Err(PostgresError::NewerSchema { found, known });
    }
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        client.batch_execute(step).await?;
    }
    if found < known {
        client
            .execute("UPDATE heiiki_schema SET version = $1", &[&known])
            .await?;
    }
    Ok(())
}

/// The version of the tables; `None` when there are none.
async fn version(client: &Client) -> Result<Option<i32>, PostgresError> {
    let there = client
        .query_one("SELECT to_regclass('heiiki_schema') IS NOT NULL", &[])
        .await?;
    if !there.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let row = client
        .query_one("SELECT max(version) FROM heiiki_schema", &[])
        .await?;
    Ok(Some(row.try_get::<_, Option<i32>>(0)?.unwrap_or(0)))
}
