//! What the database lies on: a file, or in tests something that loses power.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use ::redb::StorageBackend;

use crate::store::StoreError;

/// Only the owner may read a store.
const PRIVATE: u32 = 0o600;

/// Octets that keep what was synced.
pub trait Disk: core::fmt::Debug + Send + Sync + 'static {
    /// How many there are.
    fn len(&self) -> io::Result<u64>;
    /// Whether there are none.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Reads all of `out` from `offset` on.
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
    /// Cuts, or adds zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Returns once everything written survives a power loss.
    fn sync(&self) -> io::Result<()>;
    /// Writes all of `data` at `offset`.
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()>;
}

/// A file, locked for this process for as long as it is open.
#[derive(Debug)]
pub(super) struct FileDisk(File);

impl FileDisk {
    /// Opens a file, or makes one.
    pub(super) fn open(path: &Path, create: bool) -> Result<Self, StoreError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(create)
            .mode(PRIVATE)
            .open(path)?;
        file.try_lock().map_err(|e| match e {
            fs::TryLockError::WouldBlock => StoreError::Held,
            fs::TryLockError::Error(e) => e.into(),
        })?;
        Ok(Self(file))
    }
}

impl Disk for FileDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        // After a failed flush nobody knows what is on the disk, even if it was only full: that ends
        // all writing, where a write that found no room does not.
        self.0
            .sync_data()
            .map_err(|e| io::Error::other(format!("flushing failed: {e}")))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}

/// The same for the database, which may be closed and opened again on it. The lock is the disk's:
/// it must not be free in between.
#[derive(Debug)]
pub(super) struct Backend(pub(super) Arc<dyn Disk>);

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}
