//! The highest epoch of an HSS, in a file beside its store.
//!
//! A backup of the store does not bring it back: so a store that was restored is noticed, and the
//! same backup restored twice does not lead to the same sequence numbers.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Where the epoch of the store at `store` is kept.
fn beside(store: &Path) -> PathBuf {
    store.with_extension("epoch")
}

/// The highest epoch that was in force here; 0 when none is known.
pub(super) fn read(store: &Path) -> io::Result<u64> {
    let path = beside(store);
    match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map_err(|_| {
            let what = format!("{} does not hold a number: remove it", path.display());
            io::Error::new(io::ErrorKind::InvalidData, what)
        }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(e),
    }
}

/// Keeps the epoch. Once this returns it survives a power loss.
pub(super) fn write(store: &Path, epoch: u64) -> io::Result<()> {
    let path = beside(store);
    let new = path.with_extension("epoch.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    writeln!(file, "{epoch}")?;
    file.sync_all()?;
    fs::rename(&new, &path)?;
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_and_nothing_else_is_taken_for_it() {
        let folder = std::env::temp_dir().join(format!("heiiki-epoch-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let store = folder.join("hss.redb");
        assert_eq!(read(&store).unwrap(), 0);
        for epoch in [1, 4_100, u64::MAX] {
            write(&store, epoch).unwrap();
            assert_eq!(read(&store).unwrap(), epoch);
        }
        fs::write(beside(&store), "x").unwrap();
        assert!(read(&store).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
