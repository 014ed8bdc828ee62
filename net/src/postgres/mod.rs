//! A PostgreSQL server as a store that several nodes share.
//!
//! Rows are generic, as everywhere: table number, key, value. What makes the store fit for sharing
//! stands beside them: a version for each subject, so that a write that was decided on old rows is
//! refused; a notification for each guarded write; and the numbers of front ends, which a session
//! holds for as long as it lives, so that two processes never have the same.
//!
//! One thread does it all, with two sessions: one reads and hears, the other writes, so that no
//! read waits behind a commit. When either is lost both are closed, the node hears
//! [`SharedInput::Unavailable`], and the thread connects anew until it succeeds.

use core::fmt;
use core::time::Duration;
use std::io;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use heiiki_types::{
    Guard, PersistSeq, Record, SharedInput, SharedOutput, StorageInput, StorageOutput,
};
use tokio::sync::mpsc;

mod load;
mod numbers;
mod read;
mod schema;
mod session;
mod tls;
mod work;
mod write;

pub use session::{Address, InvalidAddress};

/// How to reach the server and as whom.
#[derive(Clone)]
pub struct PostgresConfig {
    /// Where the server is, and the names of the database and of the user.
    pub address: Address,
    /// The password, when the server asks for one.
    pub password: Option<String>,
    /// By what the server is trusted; then nothing is said but over TLS. Without it, in clear text.
    pub tls: Option<crate::tls::Connector>,
    /// The numbers that this process alone may use, each below 32: the IND values of its vectors.
    pub numbers: core::ops::Range<u8>,
    /// How long the server may take to answer before it counts as lost.
    pub patience: Duration,
}

impl fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConfig")
            .field("address", &self.address)
            .field("numbers", &self.numbers)
            .finish_non_exhaustive()
    }
}

/// Why the store cannot be used.
#[derive(Debug)]
pub enum PostgresError {
    /// The server cannot be reached, or refuses.
    Server(String),
    /// The database was made by a newer version.
    NewerSchema {
        /// The version of its tables.
        found: i32,
        /// The newest that this build knows.
        known: i32,
    },
    /// Another process has one of the numbers.
    NumberTaken(u8),
    /// The thread cannot be made.
    Thread(io::Error),
}

impl fmt::Display for PostgresError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(why) => write!(f, "PostgreSQL: {why}"),
            Self::NewerSchema { found, known } => write!(
                f,
                "the tables of the database have version {found}, this program knows {known}: run \
                 the version that wrote them, or a newer one"
            ),
            Self::NumberTaken(number) => write!(
                f,
                "another process serves IND {number} on this database: give each front end a number \
                 of its own, and the same count to all; after a crash of its host the server may \
                 hold a number for as long as its TCP keep-alive takes"
            ),
            Self::Thread(error) => write!(f, "no thread for the store: {error}"),
        }
    }
}

impl core::error::Error for PostgresError {}

impl From<tokio_postgres::Error> for PostgresError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Server(session::describe(&error))
    }
}

/// What a node is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// As any store tells it.
    Storage(StorageInput),
    /// As a shared one does.
    Shared(SharedInput),
    /// Why the store is away, for the log.
    Trouble(String),
}

impl From<SharedInput> for Report {
    fn from(input: SharedInput) -> Self {
        Self::Shared(input)
    }
}

/// What the thread is asked.
pub(crate) enum Ask {
    Load,
    Refresh { token: u64, subject: Vec<u8> },
    Write(Write),
}

/// A write.
pub(crate) struct Write {
    pub(crate) seq: PersistSeq,
    pub(crate) guards: Vec<Guard>,
    pub(crate) records: Vec<Record>,
}

/// A connection to the shared store, and the thread that serves it. Everything asked for is written
/// before the drop returns, if the server is there.
#[derive(Debug)]
pub struct Postgres {
    asks: Option<mpsc::UnboundedSender<Ask>>,
    thread: Option<JoinHandle<()>>,
}

impl Postgres {
    /// Connects, brings the tables up to date and takes the numbers; `deliver` gets what the node
    /// must hear, on the store's thread.
    ///
    /// # Errors
    /// When the server cannot be reached now, its tables are newer than this program, or another
    /// process has one of the numbers.
    pub fn open(
        config: PostgresConfig,
        deliver: impl Fn(Report) + Send + Sync + 'static,
    ) -> Result<Self, PostgresError> {
        let (asks, asked) = mpsc::unbounded_channel();
        let (opened, result) = sync_channel(1);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(PostgresError::Thread)?;
        let thread = std::thread::Builder::new()
            .name("postgres".to_owned())
            .spawn(move || {
                runtime.block_on(work::run(config, asked, opened, deliver.into_arc()));
            })
            .map_err(PostgresError::Thread)?;
        match result.recv() {
            Ok(Ok(())) => Ok(Self {
                asks: Some(asks),
                thread: Some(thread),
            }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(PostgresError::Server("the store's thread ended".to_owned())),
        }
    }

    /// Does what the node asks; an answer that is there at once is returned.
    pub fn act(&self, output: StorageOutput) -> Option<StorageInput> {
        let ask = match output {
            StorageOutput::Load => Ask::Load,
            StorageOutput::Persist { seq, records } => Ask::Write(Write {
                seq,
                guards: Vec::new(),
                records,
            }),
        };
        (!self.ask(ask)).then_some(StorageInput::Failed)
    }

    /// Does what only a shared store can.
    pub fn share(&self, output: SharedOutput) {
        self.ask(match output {
            SharedOutput::Refresh { token, subject } => Ask::Refresh { token, subject },
            SharedOutput::Guarded {
                seq,
                guards,
                records,
            } => Ask::Write(Write {
                seq,
                guards,
                records,
            }),
        });
    }

    fn ask(&self, ask: Ask) -> bool {
        self.asks
            .as_ref()
            .is_some_and(|asks| asks.send(ask).is_ok())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.asks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Where reports go.
type Deliver = std::sync::Arc<dyn Fn(Report) + Send + Sync>;

trait IntoArc {
    fn into_arc(self) -> Deliver;
}

impl<F: Fn(Report) + Send + Sync + 'static> IntoArc for F {
    fn into_arc(self) -> Deliver {
        std::sync::Arc::new(self)
    }
}
