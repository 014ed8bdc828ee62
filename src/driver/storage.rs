//! A node's store on a thread of its own, so that a flush never holds up the node.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use heiiki_hss::{Hss, Input};
use heiiki_net::disk::JournalFile;
use heiiki_net::redb::RedbStore;
use heiiki_net::store::{Store, StoreError};
use heiiki_types::{Machine as _, PersistSeq, Record, StorageInput, StorageOutput};

use super::thread::Inbox;

/// How long a full disk is left alone before the next try.
const RETRY: Duration = Duration::from_millis(500);
/// Parts of a store that are on their way to the machine.
const PARTS_UNDER_WAY: usize = 2;
/// How often to look whether the machine has taken a part.
const LOOK: Duration = Duration::from_micros(100);
/// How often at most, before the store no longer waits for it.
const PATIENCE: u32 = 50_000;
/// Rows that go to the disk with one flush, unless a single batch has more.
const GROUP: usize = 16_384;

/// A store and the thread that uses it. Everything asked for is written before the drop returns.
#[derive(Debug)]
pub(crate) struct Storage {
    requests: Option<Sender<StorageOutput>>,
    thread: Option<JoinHandle<()>>,
}

impl Storage {
    /// Opens the journal at `path`; `deliver` gets what the node must hear.
    pub(crate) fn open(
        path: &Path,
        deliver: impl Fn(StorageInput) + Send + 'static,
    ) -> io::Result<Self> {
        Self::run(JournalFile::open(path)?, path, deliver)
    }

    /// Uses an open store, which the log calls `name`. Rows are delivered as fast as `deliver`
    /// returns.
    pub(crate) fn run(
        store: impl Store + 'static,
        name: &Path,
        deliver: impl Fn(StorageInput) + Send + 'static,
    ) -> io::Result<Self> {
        let (requests, asked) = channel();
        let name = name.display().to_string();
        let worker = Worker {
            store,
            name,
            asked,
            deliver,
        };
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || worker.run())?;
        Ok(Self {
            requests: Some(requests),
            thread: Some(thread),
        })
    }

    /// Opens the store of an HSS at `path`. Few parts of it are under way to the machine while the
    /// next is read: more would only be a second copy of the store in memory.
    pub(crate) fn of_hss(path: &Path, inbox: Inbox<Hss>) -> io::Result<Self> {
        let store = RedbStore::open(path)?;
        let under_way = Arc::new(AtomicUsize::new(0));
        Self::run(store, path, move |input| {
            if !matches!(input, StorageInput::Loading(_)) {
                inbox.send(Input::Storage(input));
                return;
            }
            for _ in 0..PATIENCE {
                if under_way.load(Ordering::Acquire) < PARTS_UNDER_WAY {
                    break;
                }
                #[expect(
                    clippy::disallowed_methods,
                    reason = "only the store waits, and not for long"
                )]
                std::thread::sleep(LOOK);
            }
            under_way.fetch_add(1, Ordering::AcqRel);
            let under_way = Arc::clone(&under_way);
            inbox.act(move |hss, now| {
                hss.handle_input(now, Input::Storage(input));
                under_way.fetch_sub(1, Ordering::AcqRel);
            });
        })
    }

    /// Does what the node asks; an answer that is there at once is returned.
    pub(crate) fn act(&mut self, output: StorageOutput) -> Option<StorageInput> {
        let sent = self
            .requests
            .as_ref()
            .is_some_and(|r| r.send(output).is_ok());
        (!sent).then_some(StorageInput::Failed)
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Worker<S, D> {
    store: S,
    name: String,
    asked: Receiver<StorageOutput>,
    deliver: D,
}

impl<S: Store, D: Fn(StorageInput)> Worker<S, D> {
    fn run(mut self) {
        while let Ok(output) = self.asked.recv() {
            let done = match output {
                StorageOutput::Load => self.load(),
                StorageOutput::Persist { seq, records } => self.persist(seq, records),
            };
            if let Err(error) = done {
                tracing::error!(store = self.name, %error, "the disk failed");
                (self.deliver)(StorageInput::Failed);
                return;
            }
        }
    }

    fn load(&mut self) -> Result<(), StoreError> {
        // One part is held back: the last one says that it is.
        let mut held: Option<Vec<Record>> = None;
        let deliver = &self.deliver;
        self.store.load(&mut |part| {
            if let Some(before) = held.replace(part) {
                deliver(StorageInput::Loading(before));
            }
        })?;
        deliver(StorageInput::Loaded(held.unwrap_or_default()));
        Ok(())
    }

    /// Writes what has gathered with one flush.
    fn persist(&mut self, seq: PersistSeq, records: Vec<Record>) -> Result<(), StoreError> {
        let mut last = seq;
        let mut rows = records.len();
        let mut batches = vec![records];
        while rows < GROUP {
            let Ok(StorageOutput::Persist { seq, records }) = self.asked.try_recv() else {
                break;
            };
            last = seq;
            rows += records.len();
            batches.push(records);
        }
        let mut full = false;
        loop {
            match self.store.persist(&batches) {
                Err(StoreError::NoRoom) => {
                    if !full {
                        tracing::error!(
                            store = self.name,
                            "the disk is full: make room; what needs no write is served"
                        );
                        (self.deliver)(StorageInput::Unavailable);
                    }
                    full = true;
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "a disk does not tell when it has room again"
                    )]
                    std::thread::sleep(RETRY);
                }
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        (self.deliver)(StorageInput::Persisted { seq: last });
        if full {
            tracing::info!(store = self.name, "the disk has room again");
            (self.deliver)(StorageInput::Available);
        }
        Ok(())
    }
}
