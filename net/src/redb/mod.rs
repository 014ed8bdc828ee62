//! The HSS's store: one file, a B-tree that is never changed in place (redb).
//!
//! Every commit is followed by a flush, so what was reported survives a process crash and a power
//! loss of a disk that honours flushes. The checksum of every page is verified at each start: a file
//! that something else changed is refused rather than read as something that it is not.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::redb::{
    Builder, Database, DatabaseError, ReadableDatabase as _, StorageError, TableDefinition,
};
use heiiki_types::{PART, Record};

use crate::journal;
use crate::store::{Store, StoreError};

mod disk;
#[cfg(test)]
mod tests;

pub use disk::Disk;
use disk::{Backend, FileDisk};

/// The rows: the number of a node's table and the key in it, in front of each other.
const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");
/// What the file says of itself.
const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("heiiki");
/// The version of all this.
const SCHEMA: u64 = 1;
/// Octets of pages that are kept in memory. The rows live in the node's memory; this only has to
/// hold the way down to where writes go.
const CACHE: usize = 8 << 20;
/// The first octets of a file of redb.
const MAGIC: &[u8; 4] = b"redb";

/// An open store.
#[derive(Debug)]
pub struct RedbStore {
    disk: Arc<dyn Disk>,
    /// `None` after a failure, until it can be opened again.
    db: Option<Database>,
}

impl RedbStore {
    /// Opens the store at `path`, or makes one when there is none. A store that cannot be read is
    /// left as it is.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = folder_of(path) {
            fs::create_dir_all(folder)?;
        }
        if !path.try_exists()? {
            if path.with_extension("journal").try_exists()? {
                return Err(StoreError::Older);
            }
            make(path)?;
        }
        let disk = FileDisk::open(path, false)?;
        Self::open_on(Arc::new(disk))
    }

    /// Opens a store that is on `disk` already.
    ///
    /// # Errors
    /// When there is none that can be used.
    pub fn open_on(disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        recognise(&*disk)?;
        let db = open(Arc::clone(&disk))?;
        let read = db.begin_read().map_err(|e| failed(e.into()))?;
        let about = read.open_table(ABOUT).map_err(|e| failed(e.into()))?;
        let schema = about.get("schema").map_err(|e| failed(e.into()))?;
        match schema.map(|v| v.value()) {
            Some(SCHEMA) => {}
            Some(newer) if newer > SCHEMA => return Err(StoreError::Newer),
            _ => return Err(StoreError::Foreign),
        }
        drop((about, read));
        Ok(Self { disk, db: Some(db) })
    }

    /// Makes an empty store on an empty `disk`.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn make_on(disk: Arc<dyn Disk>) -> Result<(), StoreError> {
        let db = open(disk)?;
        let write = db.begin_write().map_err(|e| failed(e.into()))?;
        {
            let mut about = write.open_table(ABOUT).map_err(|e| failed(e.into()))?;
            about
                .insert("schema", SCHEMA)
                .map_err(|e| failed(e.into()))?;
            write.open_table(ROWS).map_err(|e| failed(e.into()))?;
        }
        write.commit().map_err(|e| failed(e.into()))
    }

    /// The database; opened again, if it failed before.
    fn db(&mut self) -> Result<&Database, StoreError> {
        let db = match self.db.take() {
            Some(db) => db,
            None => open(Arc::clone(&self.disk))?,
        };
        Ok(self.db.insert(db))
    }
}

fn folder_of(path: &Path) -> Option<&Path> {
    path.parent().filter(|f| !f.as_os_str().is_empty())
}

/// Makes an empty store under another name and puts it in its place in one step: a file that is
/// empty or half made is never taken for a new store.
fn make(path: &Path) -> Result<(), StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    match fs::remove_file(&new) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.into()),
        _ => {}
    }
    RedbStore::make_on(Arc::new(FileDisk::open(&new, true)?))?;
    fs::rename(&new, path)?;
    File::open(folder_of(path).unwrap_or_else(|| Path::new(".")))?.sync_all()?;
    Ok(())
}

/// Tells what a file is by its first octets.
fn recognise(disk: &dyn Disk) -> Result<(), StoreError> {
    let len = disk.len()?;
    if len < 8 {
        return Err(StoreError::Damaged(format!("it has {len} octets")));
    }
    let mut first = [0; 8];
    disk.read(0, &mut first)?;
    if first == *journal::MAGIC {
        Err(StoreError::Older)
    } else if first.starts_with(MAGIC) {
        Ok(())
    } else {
        Err(StoreError::Foreign)
    }
}

fn open(disk: Arc<dyn Disk>) -> Result<Database, StoreError> {
    Builder::new()
        .set_cache_size(CACHE)
        .set_check_integrity_on_open(true)
        .create_with_backend(Backend(disk))
        .map_err(|e| match e {
            DatabaseError::DatabaseAlreadyOpen => StoreError::Held,
            DatabaseError::UpgradeRequired(_) => StoreError::Older,
            DatabaseError::Storage(StorageError::Io(e))
                if e.kind() == std::io::ErrorKind::UnexpectedEof =>
            {
                StoreError::Damaged("it is cut short".to_owned())
            }
            other => failed(other.into()),
        })
}

fn failed(error: ::redb::Error) -> StoreError {
    match error {
        ::redb::Error::Io(e) => e.into(),
        ::redb::Error::PreviousIo => StoreError::NoRoom,
        ::redb::Error::TableDoesNotExist(_) => StoreError::Foreign,
        other => StoreError::Damaged(other.to_string()),
    }
}

impl Store for RedbStore {
    fn load(&mut self, part: &mut dyn FnMut(Vec<Record>)) -> Result<(), StoreError> {
        let read = self.db()?.begin_read().map_err(|e| failed(e.into()))?;
        let table = read.open_table(ROWS).map_err(|e| failed(e.into()))?;
        let mut rows = Vec::with_capacity(PART);
        for row in table.range::<&[u8]>(..).map_err(|e| failed(e.into()))? {
            let (key, value) = row.map_err(|e| failed(e.into()))?;
            let Some((table, key)) = key.value().split_first() else {
                return Err(StoreError::Foreign);
            };
            rows.push(Record {
                table: *table,
                key: key.to_vec(),
                value: Some(value.value().to_vec()),
            });
            if rows.len() == PART {
                part(core::mem::replace(&mut rows, Vec::with_capacity(PART)));
            }
        }
        part(rows);
        Ok(())
    }

    fn persist(&mut self, batches: &[Vec<Record>]) -> Result<(), StoreError> {
        let written = self.db().and_then(|db| write(db, batches));
        if written.is_err() {
            // Nothing can be written any more through what has failed once.
            self.db = None;
        }
        written
    }
}

fn write(db: &Database, batches: &[Vec<Record>]) -> Result<(), StoreError> {
    let write = db.begin_write().map_err(|e| failed(e.into()))?;
    {
        let mut table = write.open_table(ROWS).map_err(|e| failed(e.into()))?;
        let mut key = Vec::new();
        for record in batches.iter().flatten() {
            key.clear();
            key.push(record.table);
            key.extend_from_slice(&record.key);
            match &record.value {
                Some(value) => table.insert(key.as_slice(), value.as_slice()),
                None => table.remove(key.as_slice()),
            }
            .map_err(|e| failed(e.into()))?;
        }
    }
    write.commit().map_err(|e| failed(e.into()))
}
