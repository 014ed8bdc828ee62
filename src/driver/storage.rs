//! A node's journal on a thread of its own, so that a flush never holds up the node.

use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use heiiki_net::disk::JournalFile;
use heiiki_types::{PersistSeq, Record, StorageInput, StorageOutput};

/// A journal file and the thread that writes it. Everything asked for is written before the drop
/// returns.
#[derive(Debug)]
pub(crate) struct Storage {
    requests: Option<Sender<(PersistSeq, Vec<Record>)>>,
    loaded: Option<Vec<Record>>,
    thread: Option<JoinHandle<()>>,
}

impl Storage {
    /// Opens the journal at `path`; `deliver` gets what the node must hear.
    pub(crate) fn open(
        path: &Path,
        deliver: impl Fn(StorageInput) + Send + 'static,
    ) -> io::Result<Self> {
        let (journal, loaded) = JournalFile::open(path)?;
        let (requests, asked) = channel();
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write(journal, &asked, deliver))?;
        Ok(Self {
            requests: Some(requests),
            loaded: Some(loaded),
            thread: Some(thread),
        })
    }

    /// Does what the node asks; an answer that is there at once is returned.
    pub(crate) fn act(&mut self, output: StorageOutput) -> Option<StorageInput> {
        match output {
            StorageOutput::Load => {
                Some(StorageInput::Loaded(self.loaded.take().unwrap_or_default()))
            }
            StorageOutput::Persist { seq, records } => {
                let sent = self
                    .requests
                    .as_ref()
                    .is_some_and(|r| r.send((seq, records)).is_ok());
                (!sent).then_some(StorageInput::Failed)
            }
        }
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

/// Writes what has gathered with one flush, and again, until nobody asks any more.
fn write(
    mut journal: JournalFile,
    asked: &Receiver<(PersistSeq, Vec<Record>)>,
    deliver: impl Fn(StorageInput),
) {
    while let Ok((mut seq, records)) = asked.recv() {
        let mut batches = vec![records];
        while let Ok((next, records)) = asked.try_recv() {
            seq = next;
            batches.push(records);
        }
        if let Err(error) = journal.append(&batches) {
            tracing::error!(journal = %journal.path().display(), %error, "the disk failed");
            deliver(StorageInput::Failed);
            return;
        }
        deliver(StorageInput::Persisted { seq });
    }
}
