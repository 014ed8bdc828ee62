use alloc::vec::Vec;

/// Number of a [`StorageOutput::Persist`]; rises by one with each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersistSeq(pub u64);

/// One row of a node's durable tables: the last write of a key wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// Which of the node's tables.
    pub table: u8,
    /// The row's key within its table.
    pub key: Vec<u8>,
    /// The row, or `None` to delete it.
    pub value: Option<Vec<u8>>,
}

/// What a node wants of its disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageOutput {
    /// Read every row back; asked once, first of all.
    Load,
    /// Write these rows, all or none. Anything that must be durable before an answer waits for the
    /// matching [`StorageInput::Persisted`].
    Persist {
        /// Rises by one with each request; completions come in this order.
        seq: PersistSeq,
        /// The rows.
        records: Vec<Record>,
    },
}

/// The most rows of one [`StorageInput::Loading`].
pub const PART: usize = 4_096;

/// What a node's disk reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageInput {
    /// The next rows as they survived, at most [`PART`], in the order of the whole: each key once,
    /// by table and key. More follow, and [`Loaded`](Self::Loaded) ends them.
    Loading(Vec<Record>),
    /// The last of the rows; all of them, when no [`Loading`](Self::Loading) came before.
    Loaded(Vec<Record>),
    /// Everything up to and including `seq` survives a power loss.
    Persisted {
        /// The highest durable request.
        seq: PersistSeq,
    },
    /// Nothing can be written for now, because the disk is full or the server is away. What was
    /// asked for is kept and written later, in its order.
    Unavailable,
    /// Writing goes on.
    Available,
    /// The disk failed: nothing after the last `Persisted` is durable, and nothing more will be.
    Failed,
}
