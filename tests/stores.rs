//! What every store has to do, held against each: the disk of the virtual world, the journal file,
//! the embedded database and PostgreSQL (`tests/postgres/with-server` starts a server; see docs/ci.md).
#![cfg(feature = "cli")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]

#[allow(dead_code, reason = "only its folders are needed")]
mod command;

use core::time::Duration;
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};

use command::Folder;
use heiiki::world::SimulatedDisk;
use heiiki_net::disk::JournalFile;
use heiiki_net::postgres::{Postgres, PostgresConfig, Report};
use heiiki_net::redb::RedbStore;
use heiiki_types::{Instant, PART, PersistSeq, Record, Rng, StorageInput, StorageOutput};

/// A store as its node's driver uses it.
trait Store {
    /// All rows, in the parts in which they come.
    fn load(&mut self) -> Vec<Vec<Record>>;

    /// Hands batches over at once; tells the highest that is durable, as it is reported.
    fn persist(&mut self, batches: Vec<Vec<Record>>) -> Vec<PersistSeq>;

    /// The process ends and another one opens the store.
    fn reopen(&mut self);
}

fn row(table: u8, key: &[u8], value: Option<&[u8]>) -> Record {
    Record {
        table,
        key: key.to_vec(),
        value: value.map(<[u8]>::to_vec),
    }
}

fn rows(store: &mut impl Store) -> Vec<Record> {
    let parts = store.load();
    let (last, full) = parts.split_last().unwrap();
    assert!(full.iter().all(|p| p.len() <= PART) && last.len() <= PART);
    parts.concat()
}

/// All that a store has to do.
fn conforms(store: &mut impl Store) {
    an_empty_store_has_no_rows(store);
    the_last_write_of_a_key_wins(store);
    many_batches_at_once_keep_their_order(store);
    values_and_keys_may_be_anything(store);
    many_rows_come_in_parts_and_in_order(store);
}

fn an_empty_store_has_no_rows(store: &mut impl Store) {
    assert_eq!(rows(store), []);
}

fn the_last_write_of_a_key_wins(store: &mut impl Store) {
    let batch = vec![
        row(1, b"a", Some(b"1")),
        row(1, b"b", Some(b"2")),
        row(1, b"a", Some(b"3")),
        row(1, b"c", Some(b"4")),
        row(1, b"c", None),
        row(0, b"z", Some(b"")),
    ];
    assert_eq!(store.persist(vec![batch]).last(), Some(&PersistSeq(1)));
    store.reopen();
    let left = [
        row(0, b"z", Some(b"")),
        row(1, b"a", Some(b"3")),
        row(1, b"b", Some(b"2")),
    ];
    assert_eq!(rows(store), left);
    // Deleting what is not there is no mistake, and what is deleted stays so.
    let gone = vec![
        row(1, b"b", None),
        row(9, b"never", None),
        row(0, b"z", None),
    ];
    store.persist(vec![gone]);
    store.reopen();
    assert_eq!(rows(store), [row(1, b"a", Some(b"3"))]);
    store.persist(vec![vec![row(1, b"a", None)]]);
    store.reopen();
}

fn many_batches_at_once_keep_their_order(store: &mut impl Store) {
    let batch = |n: u32| {
        vec![
            row(2, b"last", Some(&n.to_be_bytes())),
            row(2, &n.to_be_bytes(), Some(b"x")),
            row(2, &n.wrapping_sub(1).to_be_bytes(), None),
        ]
    };
    let reported = store.persist((1..=500).map(batch).collect());
    assert!(reported.is_sorted(), "{reported:?}");
    assert_eq!(reported.last(), Some(&PersistSeq(500)));
    store.reopen();
    let last = 500_u32.to_be_bytes();
    assert_eq!(
        rows(store),
        [row(2, &last, Some(b"x")), row(2, b"last", Some(&last))]
    );
    store.persist(vec![vec![row(2, &last, None), row(2, b"last", None)]]);
    store.reopen();
}

fn values_and_keys_may_be_anything(store: &mut impl Store) {
    let all: Vec<u8> = (0..=255).collect();
    let big: Vec<u8> = all.iter().copied().cycle().take(3 << 20).collect();
    let batch = vec![
        row(255, &all, Some(&all)),
        row(3, b"0", Some(&big)),
        row(3, b"0/", Some(b"/")),
        row(3, b"00", Some(b"\0")),
        row(3, &[0xff, 0, b'\''], Some(b"'; DROP TABLE heiiki_row; --")),
    ];
    store.persist(vec![batch.clone()]);
    store.reopen();
    let mut ordered = batch;
    ordered.sort();
    assert_eq!(rows(store), ordered);
    let gone = ordered.into_iter().map(|r| row(r.table, &r.key, None));
    store.persist(vec![gone.collect()]);
    store.reopen();
}

fn many_rows_come_in_parts_and_in_order(store: &mut impl Store) {
    let mut rng = Rng::from_seed(7);
    let mut wanted = BTreeMap::new();
    let mut batches = Vec::new();
    for _ in 0..20 {
        let mut batch = Vec::new();
        for _ in 0..600 {
            let table = u8::try_from(rng.below(3)).unwrap();
            let key = rng.below(8_000).to_be_bytes().to_vec();
            let value = (rng.below(5) != 0).then(|| rng.below(u64::MAX).to_be_bytes().to_vec());
            wanted.insert((table, key.clone()), value.clone());
            batch.push(Record { table, key, value });
        }
        batches.push(batch);
    }
    store.persist(batches);
    store.reopen();
    let wanted: Vec<_> = wanted
        .into_iter()
        .filter(|(_, value)| value.is_some())
        .map(|((table, key), value)| Record { table, key, value })
        .collect();
    assert!(wanted.len() > PART);
    assert_eq!(rows(store), wanted);
}

/// The virtual world's disk, with a flush that takes its time.
struct Simulated {
    disk: SimulatedDisk,
    now: Instant,
}

impl Store for Simulated {
    fn load(&mut self) -> Vec<Vec<Record>> {
        let all = self.disk.load();
        let parts: Vec<_> = all.chunks(PART).map(<[Record]>::to_vec).collect();
        if parts.is_empty() { vec![all] } else { parts }
    }

    fn persist(&mut self, batches: Vec<Vec<Record>>) -> Vec<PersistSeq> {
        let mut reported = Vec::new();
        let mut at = self.now;
        for (batch, seq) in batches.iter().zip(1..) {
            at = self.disk.persist(self.now, PersistSeq(seq), batch);
            self.now += Duration::from_micros(100);
            reported.extend(self.disk.sync(self.now));
        }
        self.now = self.now.max(at);
        reported.extend(self.disk.sync(self.now));
        reported
    }

    fn reopen(&mut self) {
        self.disk.crash();
    }
}

#[test]
fn the_disk_of_the_virtual_world_conforms() {
    conforms(&mut Simulated {
        disk: SimulatedDisk::new(Duration::from_micros(500), Rng::from_seed(1)),
        now: Instant::ZERO,
    });
}

/// A store in a file.
struct InFile<S> {
    open: Box<dyn Fn() -> S>,
    store: Option<S>,
}

impl<S: heiiki_net::store::Store> InFile<S> {
    fn new(open: impl Fn() -> S + 'static) -> Self {
        Self {
            store: Some(open()),
            open: Box::new(open),
        }
    }
}

impl<S: heiiki_net::store::Store> Store for InFile<S> {
    fn load(&mut self) -> Vec<Vec<Record>> {
        let mut parts = Vec::new();
        let store = self.store.as_mut().unwrap();
        store.load(&mut |part| parts.push(part)).unwrap();
        if parts.is_empty() {
            parts.push(Vec::new());
        }
        parts
    }

    fn persist(&mut self, batches: Vec<Vec<Record>>) -> Vec<PersistSeq> {
        self.store.as_mut().unwrap().persist(&batches).unwrap();
        vec![PersistSeq(batches.len() as u64)]
    }

    fn reopen(&mut self) {
        self.store = None;
        self.store = Some((self.open)());
    }
}

#[test]
fn the_journal_file_conforms() {
    let folder = Folder::new("journal-conforms");
    let path = folder.path("pgw.journal");
    conforms(&mut InFile::new(move || JournalFile::open(&path).unwrap()));
}

#[test]
fn the_embedded_database_conforms() {
    let folder = Folder::new("redb-conforms");
    let path = folder.path("hss.redb");
    conforms(&mut InFile::new(move || RedbStore::open(&path).unwrap()));
}

/// A PostgreSQL server.
struct Server {
    address: String,
    store: Option<Postgres>,
    reports: Receiver<Report>,
}

impl Server {
    fn next(&self) -> StorageInput {
        match self.reports.recv_timeout(Duration::from_secs(20)).unwrap() {
            Report::Storage(input) => input,
            other => panic!("{other:?}"),
        }
    }
}

impl Store for Server {
    fn load(&mut self) -> Vec<Vec<Record>> {
        let asked = self.store.as_ref().unwrap().act(StorageOutput::Load);
        assert_eq!(asked, None);
        let mut parts = Vec::new();
        loop {
            match self.next() {
                StorageInput::Loading(part) => parts.push(part),
                StorageInput::Loaded(rest) => {
                    parts.push(rest);
                    return parts;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn persist(&mut self, batches: Vec<Vec<Record>>) -> Vec<PersistSeq> {
        let last = PersistSeq(batches.len() as u64);
        for (records, seq) in batches.into_iter().zip(1..) {
            let seq = PersistSeq(seq);
            let store = self.store.as_ref().unwrap();
            assert_eq!(store.act(StorageOutput::Persist { seq, records }), None);
        }
        let mut reported = Vec::new();
        while reported.last() != Some(&last) {
            let StorageInput::Persisted { seq } = self.next() else {
                panic!("no report of a write");
            };
            reported.push(seq);
        }
        reported
    }

    fn reopen(&mut self) {
        self.store = None;
        let (tx, reports) = channel();
        let config = PostgresConfig {
            address: self.address.parse().unwrap(),
            password: None,
            tls: None,
            numbers: 0..32,
            patience: Duration::from_secs(5),
        };
        let deliver = move |report| drop(tx.send(report));
        self.store = Some(Postgres::open(config, deliver).unwrap());
        self.reports = reports;
    }
}

#[test]
#[ignore = "needs the PostgreSQL server that tests/postgres/with-server starts"]
fn postgres_conforms() {
    let ctl = std::env::var("HEIIKI_POSTGRES_CTL").expect("run me by tests/postgres/with-server");
    let made = Command::new(ctl)
        .args(["sql", "CREATE DATABASE conforms"])
        .status();
    assert!(made.unwrap().success());
    let address = std::env::var("HEIIKI_POSTGRES").unwrap();
    let (server, _) = address.rsplit_once('/').unwrap();
    let mut server = Server {
        address: format!("{server}/conforms"),
        store: None,
        reports: channel().1,
    };
    server.reopen();
    conforms(&mut server);
}
