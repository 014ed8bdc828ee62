//! A journal in a file: what a node's `Persist` becomes on a real disk.
//!
//! Appends are followed by `fdatasync` before they are reported, so what was reported survives a
//! process crash and a power loss (of a disk that honours flushes). The file is rewritten without
//! its dead rows when it is opened.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use heiiki_types::{PART, Record};

use crate::journal::{MAGIC, append_batch, replay};
use crate::store::{Store, StoreError};

/// Only the owner may read a journal: subscriber rows hold keys.
const PRIVATE: u32 = 0o600;

/// An open journal file, held by one process at a time.
#[derive(Debug)]
pub struct JournalFile {
    file: File,
    path: PathBuf,
    /// Rows read when it was opened, until they are loaded.
    rows: Vec<Record>,
    /// The file that the journal was rewritten from. It stays locked for a process that opened it
    /// just before it was replaced.
    _replaced: File,
}

impl JournalFile {
    /// Opens or makes the journal at `path` and reads its live rows.
    ///
    /// # Errors
    /// When the file cannot be read or written, is not a journal, or is held by another process.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        let mut old = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE)
            .open(path)?;
        lock(&old, path)?;
        let mut octets = Vec::new();
        old.read_to_end(&mut octets)?;
        let replayed = replay(&octets).map_err(io::Error::other)?;
        let file = rewrite(path, &replayed.records)?;
        Ok(Self {
            file,
            path: path.to_owned(),
            rows: replayed.records,
            _replaced: old,
        })
    }

    /// Appends batches and returns when they are durable. All of them go out with one flush.
    ///
    /// # Errors
    /// When the disk fails; the journal must not be used afterwards.
    pub fn append(&mut self, batches: &[Vec<Record>]) -> io::Result<()> {
        let mut octets = Vec::new();
        for batch in batches {
            append_batch(&mut octets, batch).map_err(io::Error::other)?;
        }
        self.file.write_all(&octets)?;
        self.file.sync_data()
    }

    /// Where the journal is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Store for JournalFile {
    fn load(&mut self, part: &mut dyn FnMut(Vec<Record>)) -> Result<(), StoreError> {
        let mut rows = core::mem::take(&mut self.rows);
        while rows.len() > PART {
            let rest = rows.split_off(PART);
            part(rows);
            rows = rest;
        }
        part(rows);
        Ok(())
    }

    /// A journal that a full disk cut short is not written to again before the next start.
    fn persist(&mut self, batches: &[Vec<Record>]) -> Result<(), StoreError> {
        self.append(batches).map_err(StoreError::Io)
    }
}

fn lock(file: &File, path: &Path) -> io::Result<()> {
    file.try_lock().map_err(|e| match e {
        fs::TryLockError::WouldBlock => io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("{} is held by another process", path.display()),
        ),
        fs::TryLockError::Error(e) => e,
    })
}

/// Writes a fresh journal beside the old one and puts it in its place in one step.
fn rewrite(path: &Path, records: &[Record]) -> io::Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let mut octets = MAGIC.to_vec();
    if !records.is_empty() {
        append_batch(&mut octets, records).map_err(io::Error::other)?;
    }
    // What an interrupted start left behind is not needed; a fresh file is nobody else's.
    match fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(&new)?;
    lock(&file, &new)?;
    file.write_all(&octets)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    // The rename itself is durable only once its folder is.
    let folder = path
        .parent()
        .filter(|f| !f.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."));
    File::open(folder)?.sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("heiiki-net-{}-{name}", std::process::id()));
        drop(fs::remove_dir_all(&dir));
        dir
    }

    #[test]
    fn rows_survive_and_a_torn_tail_does_not() {
        let path = folder("torn").join("hss.journal");
        let row = |v: u8| Record {
            table: 1,
            key: vec![7],
            value: Some(vec![v]),
        };
        let rows = |journal: &mut JournalFile| {
            let mut all = Vec::new();
            journal.load(&mut |part| all.extend(part)).unwrap();
            all
        };
        let mut journal = JournalFile::open(&path).unwrap();
        assert!(rows(&mut journal).is_empty());
        journal.append(&[vec![row(1)], vec![row(2)]]).unwrap();
        drop(journal);
        OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(&[9, 0, 0, 0, 1])
            .unwrap();
        let mut journal = JournalFile::open(&path).unwrap();
        assert_eq!(rows(&mut journal), [row(2)]);
        journal.append(&[vec![row(3)]]).unwrap();
        drop(journal);
        assert_eq!(rows(&mut JournalFile::open(&path).unwrap()), [row(3)]);
    }

    #[test]
    fn a_second_process_is_kept_out() {
        let path = folder("held").join("pgw.journal");
        let _held = JournalFile::open(&path).unwrap();
        let error = JournalFile::open(&path).unwrap_err();
        assert!(
            error.to_string().contains("held by another process"),
            "{error}"
        );
    }
}
