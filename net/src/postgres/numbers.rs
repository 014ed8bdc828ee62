//! Numbers that one process has for itself.
//!
//! A session holds an advisory lock for each. The server gives them back when the session ends,
//! however it ends, so nothing has to expire. Both sessions of a process hold their own: as long as
//! one of them could still write, nobody else gets the number.

use core::ops::Range;

use tokio_postgres::Client;

use super::PostgresError;

/// The space of advisory locks that belongs to this store.
pub(super) const CLASS: i32 = 0x6865_6969;

/// How many numbers there are for each kind of session.
const NUMBERS: i32 = 32;

/// Which session holds the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Reader,
    Writer,
}

/// Takes the numbers for a session.
pub(super) async fn hold(
    client: &Client,
    holder: Holder,
    numbers: Range<u8>,
) -> Result<(), PostgresError> {
    let offset = match holder {
        Holder::Reader => 0,
        Holder::Writer => NUMBERS,
    };
    let keys: Vec<i32> = numbers.map(|n| i32::from(n) + offset).collect();
    let taken = client
        .query(
            "SELECT n FROM unnest($2::int4[]) AS n WHERE NOT pg_try_advisory_lock($1, n) LIMIT 1",
            &[&CLASS, &keys],
        )
        .await?;
    match taken.first() {
        None => Ok(()),
        Some(row) => {
            let number = row.try_get::<_, i32>(0)? - offset;
            Err(PostgresError::NumberTaken(
                u8::try_from(number).unwrap_or(u8::MAX),
            ))
        }
    }
}
