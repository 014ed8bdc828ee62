use alloc::vec::Vec;

use crate::{PersistSeq, Record};

/// What a node wants of a store that it shares with other nodes, beside
/// [`StorageOutput`](crate::StorageOutput).
///
/// Rows belong to **subjects**: the row with the key `A` and all rows with keys `A/...` are those
/// of subject `A`. A subject has a version, which rises with each guarded write to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SharedOutput {
    /// Read all rows of a subject, as they are now.
    Refresh {
        /// Ties [`SharedInput::Refreshed`] to it.
        token: u64,
        /// The subject.
        subject: Vec<u8>,
    },
    /// Write these rows, all or none, if every subject still has its version, raise those versions,
    /// and tell every other node. Numbered in one row with
    /// [`StorageOutput::Persist`](crate::StorageOutput::Persist), which writes without a guard and
    /// tells nobody.
    Guarded {
        /// Its number.
        seq: PersistSeq,
        /// The subjects, each once.
        guards: Vec<Guard>,
        /// The rows.
        records: Vec<Record>,
    },
}

/// What a write was decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The subject.
    pub subject: Vec<u8>,
    /// Its version as it was read; `None` when the write holds whatever the version is.
    pub version: Option<u64>,
}

/// What a shared store reports, beside [`StorageInput`](crate::StorageInput).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SharedInput {
    /// The rows of a subject.
    Refreshed {
        /// Of the request.
        token: u64,
        /// The subject's version; 0 for one that was never written.
        version: u64,
        /// Its rows, ordered by table and key.
        records: Vec<Record>,
    },
    /// A guarded write met another version: nothing of it was written. Comes before any
    /// [`StorageInput::Persisted`](crate::StorageInput::Persisted) of its number or a later one.
    Conflict {
        /// The number of the write.
        seq: PersistSeq,
    },
    /// Another node has changed a subject.
    Changed {
        /// The subject.
        subject: Vec<u8>,
    },
    /// The store is away. What was asked of it and not answered is void, and may have happened or
    /// not. Nothing more is answered until [`Available`](Self::Available).
    Unavailable,
    /// The store is back. A [`Changed`](Self::Changed) for everything that was changed meanwhile
    /// came before.
    Available,
}
