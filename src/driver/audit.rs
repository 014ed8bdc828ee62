//! The audit log in its file, on a thread of its own.
//!
//! **What survives.** Every record is written to the file at once, so a crash of the process loses
//! none that was taken. Orders, changes, starts and stops are flushed to the disk before the next
//! record is taken; refusals within a second: a power loss may take that second of them. Where the
//! disk is full, records wait, and those that find no more room are counted in the chain.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use heiiki_net::clock;
use heiiki_types::{Instant, to_hex};
use serde_json::{Map, Value, json};

use crate::audit::chain::{self, Head};
use crate::audit::select::{Limiter, Note, Weight};

/// Notes that wait for the disk.
const WAITING: usize = 65_536;
/// Notes that are written with one flush.
const BATCH: usize = 16_384;
/// How long a refusal may stay in the system's cache.
const SYNC_WITHIN: Duration = Duration::from_secs(1);
/// Octets of the longest line that is looked for at the end of a file.
const TAIL: u64 = 1 << 20;

/// The live file of a log in `folder`.
pub fn live_path(folder: &Path) -> PathBuf {
    folder.join("audit.ndjson")
}

/// The file with the newest durable head.
pub fn head_path(folder: &Path) -> PathBuf {
    folder.join("audit.head")
}

/// The files of the log in `folder`, oldest first. A file that was put away is named after the
/// number of its first record.
///
/// # Errors
/// When the folder cannot be read.
pub fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str());
        let first = name.and_then(|n| n.strip_prefix("audit-")?.strip_suffix(".ndjson"));
        if let Some(first) = first.and_then(|f| f.parse::<u64>().ok()) {
            files.push((first, path));
        }
    }
    files.sort();
    let mut files: Vec<PathBuf> = files.into_iter().map(|f| f.1).collect();
    files.extend(Some(live_path(folder)).filter(|p| p.exists()));
    Ok(files)
}

/// A log that takes notes. Clones write to the same one; it ends with the last of them.
#[derive(Clone, Debug)]
pub struct AuditLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    notes: Option<SyncSender<Note>>,
    head: Arc<Mutex<Head>>,
    lost: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl AuditLog {
    /// Opens the log in `folder`, or begins it, and notes the start of this process. A file of more
    /// than `rotate_at` octets is put away.
    ///
    /// # Errors
    /// When the file cannot be read or written, is no audit log, or is held by another process.
    pub fn open(folder: &Path, rotate_at: u64) -> io::Result<Self> {
        let mut writer = Writer::open(folder, rotate_at)?;
        let version = env!("CARGO_PKG_VERSION");
        let started = Note::order("started", json!({"version": version}));
        writer.write(&[started])?;
        let head = Arc::new(Mutex::new(writer.head));
        let lost = Arc::new(AtomicU64::new(0));
        let (notes, taken) = sync_channel(WAITING);
        let (shown, missed) = (Arc::clone(&head), Arc::clone(&lost));
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || run(writer, &taken, &shown, &missed))?;
        Ok(Self(Arc::new(Shared {
            notes: Some(notes),
            head,
            lost,
            thread: Some(thread),
        })))
    }

    /// Takes a note. One that must not be lost waits for room.
    pub fn take(&self, note: Note) {
        let Some(notes) = &self.0.notes else {
            return;
        };
        let lost = match note.weight {
            Weight::Order => notes.send(note).is_err(),
            Weight::Refusal => match notes.try_send(note) {
                Ok(()) => false,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => true,
            },
        };
        self.0.lost.fetch_add(u64::from(lost), Ordering::Relaxed);
    }

    /// The end of the chain, as far as it is durable.
    pub fn head(&self) -> Head {
        *self.0.head.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.notes = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Writes notes until nobody takes any more, and the end of it.
fn run(mut writer: Writer, taken: &Receiver<Note>, shown: &Mutex<Head>, lost: &AtomicU64) {
    let mut limiter = Limiter::default();
    let mut waiting: Vec<Note> = Vec::new();
    let mut sync_at: Option<Instant> = None;
    let mut last = false;
    while !last {
        let now = clock::monotonic();
        let due = [sync_at, limiter.due()].into_iter().flatten().min();
        let wait = due.map_or(Duration::from_hours(1), |at| at.since(now));
        match taken.recv_timeout(wait) {
            Ok(note) => {
                let more = taken.try_iter().take(BATCH);
                for note in core::iter::once(note).chain(more) {
                    if !limiter.admits(&note, now) {
                        continue;
                    }
                    if waiting.len() < WAITING {
                        waiting.push(note);
                    } else {
                        lost.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => last = true,
        }
        let now = clock::monotonic();
        if last || limiter.due().is_some_and(|at| at <= now) {
            waiting.extend(limiter.counted());
        }
        let missed = lost.swap(0, Ordering::Relaxed);
        if missed > 0 {
            waiting.push(Note::order(
                "not_recorded",
                json!({"count": missed, "of": "any"}),
            ));
        }
        if last {
            waiting.push(Note::order("stopped", json!({})));
        }
        let heavy = waiting.iter().any(|n| n.weight == Weight::Order);
        if !waiting.is_empty() {
            if let Err(error) = writer.append(&waiting) {
                tracing::error!(%error, "the audit log cannot be written");
                // Refusals can be counted; orders wait for the disk.
                let before = waiting.len();
                waiting.retain(|n| n.weight == Weight::Order);
                let dropped = before - waiting.len();
                lost.fetch_add(u64::try_from(dropped).unwrap_or(0), Ordering::Relaxed);
                sync_at = Some(now + SYNC_WITHIN);
                continue;
            }
            waiting.clear();
            sync_at.get_or_insert(now + SYNC_WITHIN);
        }
        if heavy || last || sync_at.is_some_and(|at| at <= now) {
            sync_at = None;
            match writer.sync() {
                Ok(()) => *shown.lock().unwrap_or_else(PoisonError::into_inner) = writer.head,
                Err(error) => tracing::error!(%error, "the audit log cannot be flushed"),
            }
        }
    }
}

/// The file and where its chain stands.
#[derive(Debug)]
struct Writer {
    folder: PathBuf,
    file: File,
    head: Head,
    /// The first record of the file.
    first: u64,
    /// Octets of the file up to the last whole line.
    length: u64,
    rotate_at: u64,
}

impl Writer {
    fn open(folder: &Path, rotate_at: u64) -> io::Result<Self> {
        let path = live_path(folder);
        let mut file = open_file(&path)?;
        let mut tail = Tail::read(&mut file)?;
        let torn = core::mem::take(&mut tail.torn);
        // A crash between putting a file away and beginning the next leaves none, or an empty one.
        let before = match tail.head {
            Some(_) => None,
            None => match files(folder)?.iter().rev().find(|p| **p != path) {
                Some(previous) => Tail::read(&mut File::open(previous)?)?.head,
                None => None,
            },
        };
        let mut writer = Self {
            folder: folder.to_owned(),
            file,
            head: Head {
                seq: 0,
                hash: [0; 32],
            },
            first: 0,
            length: tail.length,
            rotate_at,
        };
        if !torn.is_empty() {
            writer.file.set_len(tail.length)?;
        }
        writer.file.seek(SeekFrom::End(0))?;
        match (tail.head, before) {
            (Some(head), _) => {
                writer.head = head;
                writer.first = first_record(&path)?;
            }
            (None, Some(before)) => writer.go_on(before)?,
            (None, None) => writer.begin()?,
        }
        writer.note_end(&torn)?;
        Ok(writer)
    }

    /// The first record of all.
    fn begin(&mut self) -> io::Result<()> {
        let genesis = json!({
            "format": 1,
            "version": env!("CARGO_PKG_VERSION"),
            "genesis": to_hex(&clock::entropy()?),
        });
        let genesis = Note::order("genesis", genesis);
        let (line, head) = chain::line(None, clock::now().wall, &genesis.event, &genesis.fields);
        self.put(line.as_bytes(), head)?;
        self.sync()
    }

    /// The first record of a file that goes on after another.
    fn go_on(&mut self, before: Head) -> io::Result<()> {
        self.head = before;
        self.first = before.seq.saturating_add(1);
        self.write(&[Note::order(
            "continued",
            json!({"after": before.to_string()}),
        )])
    }

    /// Notes what is wrong with the end of the log as it was found.
    fn note_end(&mut self, torn: &[u8]) -> io::Result<()> {
        let mut found = Vec::new();
        if !torn.is_empty() {
            let fields = json!({"octets": torn.len()});
            found.push(Note::order("torn_line_removed", fields));
        }
        let durable = fs::read_to_string(head_path(&self.folder)).ok();
        if let Some(durable) = durable.and_then(|h| h.parse::<Head>().ok())
            && durable.seq > self.head.seq
        {
            tracing::error!(
                expected = durable.seq,
                found = self.head.seq,
                "records at the end of the audit log are missing"
            );
            let fields = json!({"expected": durable.to_string(), "found": self.head.to_string()});
            found.push(Note::order("records_missing", fields));
        }
        if found.is_empty() {
            return Ok(());
        }
        self.write(&found)
    }

    /// Appends records and flushes them.
    fn write(&mut self, notes: &[Note]) -> io::Result<()> {
        self.append(notes)?;
        self.sync()
    }

    fn append(&mut self, notes: &[Note]) -> io::Result<()> {
        if self.length > self.rotate_at {
            self.rotate()?;
        }
        let (mut text, mut head) = (String::new(), self.head);
        for note in notes {
            let wall = clock::now().wall;
            let (line, next) = chain::line(Some(head), wall, &note.event, &note.fields);
            text.push_str(&line);
            head = next;
        }
        self.put(text.as_bytes(), head)
    }

    fn put(&mut self, octets: &[u8], head: Head) -> io::Result<()> {
        if let Err(error) = self.file.write_all(octets) {
            // Half a line must not stand before the next one.
            let _ = self.file.set_len(self.length);
            let _ = self.file.seek(SeekFrom::End(0));
            return Err(error);
        }
        self.length += u64::try_from(octets.len()).unwrap_or(0);
        self.head = head;
        Ok(())
    }

    /// Flushes the log, then tells the head of it in a file of its own.
    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        let (path, draft) = (head_path(&self.folder), self.folder.join("audit.head.new"));
        fs::write(&draft, format!("{}\n", self.head))?;
        fs::rename(draft, path)
    }

    /// Puts the file away and begins the next.
    fn rotate(&mut self) -> io::Result<()> {
        self.sync()?;
        let live = live_path(&self.folder);
        let name = format!("audit-{:012}.ndjson", self.first);
        fs::rename(&live, self.folder.join(name))?;
        self.file = open_file(&live)?;
        File::open(&self.folder)?.sync_all()?;
        self.length = 0;
        self.go_on(self.head)
    }
}

/// Opens a file for its owner alone, held by this process.
fn open_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    file.try_lock().map_err(|e| match e {
        fs::TryLockError::WouldBlock => io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("{} is held by another process", path.display()),
        ),
        fs::TryLockError::Error(e) => e,
    })?;
    Ok(file)
}

fn first_record(path: &Path) -> io::Result<u64> {
    let mut start = Vec::new();
    File::open(path)?.take(TAIL).read_to_end(&mut start)?;
    let first = start.split(|c| *c == b'\n').next().unwrap_or_default();
    let first: Option<Map<String, Value>> = serde_json::from_slice(first).ok();
    let first = first.and_then(|r| r.get("seq")?.as_u64());
    first.ok_or_else(|| io::Error::other("its first line is no record of an audit log"))
}

/// The end of a file.
#[derive(Debug, Default)]
struct Tail {
    /// Of the last whole line; `None` in an empty file.
    head: Option<Head>,
    /// Octets up to its end.
    length: u64,
    /// What follows it: a line that was not written whole.
    torn: Vec<u8>,
}

impl Tail {
    fn read(file: &mut File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let start = length.saturating_sub(TAIL);
        file.seek(SeekFrom::Start(start))?;
        let mut octets = Vec::new();
        file.take(TAIL).read_to_end(&mut octets)?;
        let whole = octets
            .iter()
            .rposition(|c| *c == b'\n')
            .map_or(0, |p| p + 1);
        let torn = octets.split_off(whole);
        let kept = length - u64::try_from(torn.len()).unwrap_or(0);
        let line = octets.split(|c| *c == b'\n').rev().nth(1);
        let Some(line) = line else {
            if start > 0 {
                return Err(io::Error::other("it does not end as an audit log does"));
            }
            return Ok(Self {
                head: None,
                length: kept,
                torn,
            });
        };
        let line = core::str::from_utf8(line).map_err(io::Error::other)?;
        let (last, _) = chain::check(line).map_err(|flaw| {
            io::Error::other(format!(
                "its last line: {flaw}; `hss audit verify` tells more. Move the log away to begin \
                 a new one"
            ))
        })?;
        Ok(Self {
            head: Some(last.head),
            length: kept,
            torn,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Walk;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("heiiki-audit-{}-{name}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// The events of the whole log, which must hold.
    fn events(folder: &Path) -> Vec<String> {
        let head = fs::read_to_string(head_path(folder)).unwrap();
        let mut walk = Walk::new(vec![head.parse().unwrap()]);
        let mut events = Vec::new();
        for file in files(folder).unwrap() {
            for line in fs::read_to_string(file).unwrap().lines() {
                let record = walk.step(line).unwrap().record;
                events.push(record["event"].as_str().unwrap().to_owned());
            }
        }
        walk.finish().unwrap();
        events
    }

    fn order(n: u32) -> Note {
        Note::order("state_changed", json!({ "version": n }))
    }

    #[test]
    fn the_chain_goes_on_over_restarts_and_a_torn_line() {
        let folder = folder("restart");
        let log = AuditLog::open(&folder, 1 << 20).unwrap();
        log.take(order(1));
        assert!(AuditLog::open(&folder, 1 << 20).is_err(), "held");
        drop(log);
        let mut live = OpenOptions::new()
            .append(true)
            .open(live_path(&folder))
            .unwrap();
        live.write_all(b"{\"seq\":4,\"ti").unwrap();
        drop(AuditLog::open(&folder, 1 << 20).unwrap());
        let wanted = [
            "genesis",
            "started",
            "state_changed",
            "stopped",
            "torn_line_removed",
            "started",
            "stopped",
        ];
        assert_eq!(events(&folder), wanted);
    }

    #[test]
    fn a_full_file_is_put_away_and_the_chain_goes_on() {
        let folder = folder("rotate");
        for round in 0..3 {
            let log = AuditLog::open(&folder, 2_000).unwrap();
            for n in 0..20 {
                log.take(order(round * 20 + n));
            }
        }
        let files = files(&folder).unwrap();
        assert!(files.len() > 2, "{files:?}");
        let events = events(&folder);
        assert_eq!(events.iter().filter(|e| *e == "state_changed").count(), 60);
        assert_eq!(events.iter().filter(|e| *e == "genesis").count(), 1);
        // As after a crash between two files.
        fs::rename(live_path(&folder), folder.join("audit-000000000999.ndjson")).unwrap();
        drop(AuditLog::open(&folder, 1 << 20).unwrap());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), files.len() + 2);
    }

    #[test]
    fn a_cut_end_is_noted_at_the_next_start() {
        let folder = folder("cut");
        drop(AuditLog::open(&folder, 1 << 20).unwrap());
        let text = fs::read_to_string(live_path(&folder)).unwrap();
        let first = text.lines().next().unwrap();
        fs::write(live_path(&folder), format!("{first}\n")).unwrap();
        drop(AuditLog::open(&folder, 1 << 20).unwrap());
        assert_eq!(
            events(&folder),
            ["genesis", "records_missing", "started", "stopped"]
        );
    }

    #[test]
    fn a_flood_is_recorded_in_bounds() {
        let folder = folder("flood");
        let log = AuditLog::open(&folder, 1 << 20).unwrap();
        for port in 0..50_000_u16 {
            let from = Some((core::net::Ipv4Addr::LOCALHOST, port).into());
            log.take(Note::refused_call(from, 401, "GET", "/v1/cuts"));
        }
        drop(log);
        let text = fs::read_to_string(live_path(&folder)).unwrap();
        let lines = text
            .lines()
            .map(|l| serde_json::from_str::<Value>(l).unwrap());
        let mut total = 0;
        let mut count = 0;
        for line in lines {
            match line["event"].as_str() {
                Some("call_refused") => total += 1,
                Some("not_recorded") => total += line["count"].as_u64().unwrap(),
                _ => {}
            }
            count += 1;
        }
        assert_eq!(total, 50_000);
        assert!(count < 20, "{count}");
    }

    #[test]
    fn another_file_is_not_taken_for_a_log() {
        let folder = folder("foreign");
        fs::write(live_path(&folder), "some text\nof mine\n").unwrap();
        let error = AuditLog::open(&folder, 1 << 20).unwrap_err();
        assert!(error.to_string().contains("hss audit verify"), "{error}");
    }
}
