//! What a node's durable store does, whatever it is made of.

use std::io;

use heiiki_types::Record;

/// A store of rows that one thread uses.
///
/// A batch of records survives whole or not at all, batches survive in their order, and the last
/// write of a key wins.
pub trait Store: Send {
    /// Hands every live row to `part`, each key once, ordered by table and key, at most
    /// [`PART`](heiiki_types::PART) at a time.
    ///
    /// # Errors
    /// When the store cannot be read; what was handed over is then worth nothing.
    fn load(&mut self, part: &mut dyn FnMut(Vec<Record>)) -> Result<(), StoreError>;

    /// Writes batches. Once it returns, all of them survive a power loss.
    ///
    /// # Errors
    /// When they could not be written. After [`StoreError::NoRoom`] the same batches are given
    /// again later, in the same order, whatever part of them was written; after any other error the
    /// store is not used again.
    fn persist(&mut self, batches: &[Vec<Record>]) -> Result<(), StoreError>;
}

/// Why a store cannot be used. Each says what to do.
#[derive(Debug)]
pub enum StoreError {
    /// Another process has it open.
    Held,
    /// The file is not such a store.
    Foreign,
    /// The file is a store that an older version wrote.
    Older,
    /// The file is a store that a newer version wrote.
    Newer,
    /// The file is empty or cut short, or has been changed by something else.
    Damaged(String),
    /// The disk is full.
    NoRoom,
    /// Reading or writing failed.
    Io(io::Error),
}

impl core::fmt::Display for StoreError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        const RESTORE: &str = "nothing was changed; restore it from a backup and start with \
                               --restored";
        match self {
            Self::Held => f.write_str("it is held by another process: end that one first"),
            Self::Foreign => {
                f.write_str("it is not a store of the HSS: is `store` the right folder?")
            }
            Self::Older => f.write_str(
                "it was written by an older version, which this one does not read; nothing was \
                 changed. List the SIMs and their states with that version, move the file away, \
                 and import the SIMs anew from the files that their keys came in, each with its \
                 state; their sequence numbers are found again by resynchronisation",
            ),
            Self::Newer => {
                f.write_str("it was written by a newer version: run that one, or a later one")
            }
            Self::Damaged(why) => write!(f, "it is damaged ({why}): {RESTORE}"),
            Self::NoRoom => f.write_str("the disk is full: make room"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for StoreError {}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoRoom,
            _ => Self::Io(error),
        }
    }
}

impl From<StoreError> for io::Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Io(error) => error,
            other => Self::other(other.to_string()),
        }
    }
}
