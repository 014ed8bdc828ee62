//! The format of a node's journal: batches of records, each of which survives whole or not at all.
//!
//! ```text
//! file   = "heiikij1" batch*
//! batch  = length:u32le crc32:u32le payload      crc over the payload
//! payload= record*
//! record = table:u8 key-length:u16le key live:u8 [value-length:u32le value]
//! ```
//!
//! A batch that was being written when the power went is cut short or does not match its checksum.
//! [`replay`] stops there: what follows was never reported as durable.

use std::collections::BTreeMap;

use heiiki_types::Record;

/// The first octets of a journal: its name and the version of this format.
pub const MAGIC: &[u8; 8] = b"heiikij1";

/// Why octets are not a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalError {
    /// The file does not begin with [`MAGIC`]: another program's file, or a newer format.
    NotAJournal,
    /// A record is longer than the format can say (64 KiB of key, 4 GiB of value).
    TooLong,
}

impl core::fmt::Display for JournalError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotAJournal => "the file is not a heiiki journal of this version",
            Self::TooLong => "a record is too long for the journal",
        })
    }
}

impl core::error::Error for JournalError {}

/// What was read back from a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// The live rows, each key once, ordered by table and key.
    pub records: Vec<Record>,
    /// How many octets are good. Fewer than the file has when its last batch is torn: cut the file
    /// here before appending.
    pub good: usize,
    /// How many batches were read.
    pub batches: usize,
}

/// Appends `records` to `out` as one batch.
pub fn append_batch(out: &mut Vec<u8>, records: &[Record]) -> Result<(), JournalError> {
    let mut payload = Vec::new();
    for record in records {
        let key = u16::try_from(record.key.len()).map_err(|_| JournalError::TooLong)?;
        payload.push(record.table);
        payload.extend_from_slice(&key.to_le_bytes());
        payload.extend_from_slice(&record.key);
        payload.push(u8::from(record.value.is_some()));
        if let Some(value) = &record.value {
            let length = u32::try_from(value.len()).map_err(|_| JournalError::TooLong)?;
            payload.extend_from_slice(&length.to_le_bytes());
            payload.extend_from_slice(value);
        }
    }
    let length = u32::try_from(payload.len()).map_err(|_| JournalError::TooLong)?;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&crc32fast::hash(&payload).to_le_bytes());
    out.extend_from_slice(&payload);
    Ok(())
}

/// Reads the live rows of a journal back. An empty file is an empty journal; one that is shorter
/// than its magic was cut while it was being made, and is empty too.
pub fn replay(octets: &[u8]) -> Result<Replayed, JournalError> {
    let Some(mut rest) = octets.strip_prefix(MAGIC) else {
        return if MAGIC.starts_with(octets) {
            Ok(Replayed::default())
        } else {
            Err(JournalError::NotAJournal)
        };
    };
    let mut rows = BTreeMap::new();
    let mut replayed = Replayed {
        good: MAGIC.len(),
        ..Replayed::default()
    };
    while let Some((payload, after)) = next_batch(rest) {
        let Some(records) = parse(payload) else { break };
        for (table, key, value) in records {
            rows.insert((table, key.to_vec()), value.map(<[u8]>::to_vec));
        }
        replayed.good += rest.len() - after.len();
        replayed.batches += 1;
        rest = after;
    }
    replayed.records = rows
        .into_iter()
        .filter(|(_, value)| value.is_some())
        .map(|((table, key), value)| Record { table, key, value })
        .collect();
    Ok(replayed)
}

fn next_batch(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (payload, rest) = rest.split_at_checked(length)?;
    (crc32fast::hash(payload) == u32::from_le_bytes(*crc)).then_some((payload, rest))
}

type Row<'a> = (u8, &'a [u8], Option<&'a [u8]>);

fn parse(mut payload: &[u8]) -> Option<Vec<Row<'_>>> {
    let mut rows = Vec::new();
    while let Some((table, rest)) = payload.split_first() {
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        let (live, mut rest) = rest.split_first()?;
        let mut value = None;
        if *live != 0 {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            let (octets, after) = after.split_at_checked(length)?;
            value = Some(octets);
            rest = after;
        }
        rows.push((*table, key, value));
        payload = rest;
    }
    Some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(table: u8, key: &[u8], value: Option<&[u8]>) -> Record {
        Record {
            table,
            key: key.to_vec(),
            value: value.map(<[u8]>::to_vec),
        }
    }

    fn journal(batches: &[&[Record]]) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        for batch in batches {
            append_batch(&mut out, batch).unwrap();
        }
        out
    }

    #[test]
    fn the_last_write_of_a_key_wins() {
        let octets = journal(&[
            &[
                row(1, b"a", Some(b"1")),
                row(1, b"b", Some(b"2")),
                row(0, b"z", Some(b"")),
            ],
            &[row(1, b"a", Some(b"3")), row(1, b"b", None)],
        ]);
        let replayed = replay(&octets).unwrap();
        assert_eq!(
            replayed.records,
            [row(0, b"z", Some(b"")), row(1, b"a", Some(b"3"))]
        );
        assert_eq!((replayed.good, replayed.batches), (octets.len(), 2));
    }

    #[test]
    fn a_torn_batch_is_as_if_never_written() {
        let first = journal(&[&[row(1, b"a", Some(b"1"))]]);
        let whole = journal(&[&[row(1, b"a", Some(b"1"))], &[row(1, b"a", Some(b"2"))]]);
        for cut in first.len()..whole.len() {
            let replayed = replay(&whole[..cut]).unwrap();
            assert_eq!(replayed.records, [row(1, b"a", Some(b"1"))], "cut at {cut}");
            assert_eq!(replayed.good, first.len());
        }
    }

    #[test]
    fn a_flipped_bit_ends_the_journal_before_its_batch() {
        let first = journal(&[&[row(1, b"a", Some(b"1"))]]);
        let whole = journal(&[&[row(1, b"a", Some(b"1"))], &[row(1, b"a", Some(b"2"))]]);
        for at in first.len() * 8..whole.len() * 8 {
            let mut bad = whole.clone();
            bad[at / 8] ^= 1 << (at % 8);
            assert_eq!(replay(&bad).unwrap().good, first.len(), "bit {at}");
        }
    }

    #[test]
    fn another_programs_file_is_refused() {
        assert_eq!(replay(b"SQLite format 3\0"), Err(JournalError::NotAJournal));
        assert_eq!(replay(b"").unwrap(), Replayed::default());
        assert_eq!(replay(b"heii").unwrap(), Replayed::default());
    }
}
