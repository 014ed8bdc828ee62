use super::*;
use heiiki_types::Rng;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::sync::Mutex;

mod hss;

/// What a write is cut into when the power goes: each sector gets there or does not.
const SECTOR: usize = 512;

#[derive(Debug)]
struct Platter {
    /// What a program that reads sees.
    now: Vec<u8>,
    /// What survives for sure.
    synced: Vec<u8>,
    /// What was written since, in parts that may or may not survive.
    since: Vec<(usize, Vec<u8>)>,
    /// Calls until the power goes.
    fuse: u64,
    /// Octets that fit, once the disk is full.
    room: Option<usize>,
    calls: u64,
}

/// A disk in memory that loses power.
#[derive(Debug)]
struct TornDisk(Mutex<Platter>);

impl TornDisk {
    fn new(octets: Vec<u8>, fuse: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Platter {
            now: octets.clone(),
            synced: octets,
            since: Vec::new(),
            fuse,
            room: None,
            calls: 0,
        })))
    }

    fn step(&self) -> io::Result<std::sync::MutexGuard<'_, Platter>> {
        let mut platter = self.0.lock().unwrap();
        platter.calls += 1;
        if platter.fuse == 0 {
            return Err(io::Error::other("the power is gone"));
        }
        platter.fuse -= 1;
        Ok(platter)
    }

    /// What is there after the power comes back.
    fn after_power_loss(&self, rng: &mut Rng) -> Vec<u8> {
        let platter = self.0.lock().unwrap();
        let mut octets = platter.synced.clone();
        octets.resize(octets.len().max(platter.now.len()), 0);
        let how = rng.below(4);
        for (offset, data) in &platter.since {
            for (n, sector) in data.chunks(SECTOR).enumerate() {
                let at = offset + n * SECTOR;
                let survives = match how {
                    0 => false,
                    1 => true,
                    _ => rng.chance(0.5),
                };
                if survives {
                    octets[at..at + sector.len()].copy_from_slice(sector);
                }
            }
        }
        octets
    }
}

impl Disk for TornDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.step()?.now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.step()?;
        let at = usize::try_from(offset).unwrap();
        let found = platter.now.get(at..at + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut platter = self.step()?;
        let len = usize::try_from(len).unwrap();
        platter.now.resize(len, 0);
        // Lengths are journalled by the file system: they survive as they are, or the longer one.
        if len > platter.synced.len() {
            platter.synced.resize(len, 0);
        }
        platter.since.retain(|(at, data)| at + data.len() <= len);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut platter = self.step()?;
        platter.synced = platter.now.clone();
        platter.since.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut platter = self.step()?;
        if platter.room.is_some_and(|room| data.len() > room) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if let Some(room) = &mut platter.room {
            *room -= data.len();
        }
        let at = usize::try_from(offset).unwrap();
        platter.now[at..at + data.len()].copy_from_slice(data);
        platter.since.push((at, data.to_vec()));
        Ok(())
    }
}

type Model = BTreeMap<(u8, Vec<u8>), Vec<u8>>;

fn random_batch(rng: &mut Rng) -> Vec<Record> {
    let rows = 1 + rng.below(40);
    (0..rows)
        .map(|_| Record {
            table: u8::try_from(rng.below(3)).unwrap(),
            key: rng.below(300).to_be_bytes().to_vec(),
            value: rng.chance(0.8).then(|| {
                let octet = u8::try_from(rng.below(256)).unwrap();
                vec![octet; 20 + usize::try_from(rng.below(200)).unwrap()]
            }),
        })
        .collect()
}

fn apply(model: &mut Model, batch: &[Record]) {
    for record in batch {
        let key = (record.table, record.key.clone());
        match &record.value {
            Some(value) => drop(model.insert(key, value.clone())),
            None => drop(model.remove(&key)),
        }
    }
}

fn rows(store: &mut RedbStore) -> Model {
    let mut all = Vec::new();
    store
        .load(&mut |part| {
            assert!(part.len() <= PART);
            all.extend(part);
        })
        .unwrap();
    let keys: Vec<_> = all.iter().map(|r| (r.table, r.key.clone())).collect();
    assert!(keys.is_sorted(), "rows come in order");
    all.into_iter()
        .map(|r| ((r.table, r.key), r.value.unwrap()))
        .collect()
}

/// Power losses at every kind of point, one life after the other on the same disk: what was
/// reported is there, and a group of batches is there whole or not at all.
fn lives(seed: u64, crashes: u32) {
    let mut rng = Rng::from_seed(seed);
    let empty = TornDisk::new(Vec::new(), u64::MAX);
    RedbStore::make_on(empty.clone()).unwrap();
    let mut octets = empty.0.lock().unwrap().now.clone();
    let mut model = Model::new();
    for life in 0..crashes {
        let fuse = 20 + rng.below(400);
        let disk = TornDisk::new(octets, fuse);
        let mut attempt = None;
        if let Ok(mut store) = RedbStore::open_on(disk.clone()) {
            let group: Vec<_> = (0..=rng.below(3)).map(|_| random_batch(&mut rng)).collect();
            let mut group = group;
            while store.persist(&group).is_ok() {
                for batch in &group {
                    apply(&mut model, batch);
                }
                group = (0..=rng.below(3)).map(|_| random_batch(&mut rng)).collect();
            }
            attempt = Some(group);
        }
        octets = disk.after_power_loss(&mut rng);
        let disk = TornDisk::new(octets.clone(), u64::MAX);
        let mut store = RedbStore::open_on(disk.clone())
            .unwrap_or_else(|e| panic!("seed {seed}, life {life}: {e}"));
        let found = rows(&mut store);
        if found != model {
            for batch in attempt.iter().flatten() {
                apply(&mut model, batch);
            }
            assert!(found == model, "seed {seed}, life {life}: half a batch");
        }
        drop(store);
        octets = disk.after_power_loss(&mut rng);
    }
}

#[test]
fn what_was_reported_survives_a_power_loss_at_any_point() {
    for seed in 0..6 {
        lives(seed, 10);
    }
}

#[test]
#[ignore = "takes minutes"]
fn what_was_reported_survives_a_power_loss_at_any_point_for_long() {
    for seed in 1_000..3_000 {
        lives(seed, 20);
    }
}

#[test]
fn a_full_disk_takes_what_it_was_given_once_there_is_room() {
    for room in [0, 5_000, 20_000] {
        let disk = TornDisk::new(Vec::new(), u64::MAX);
        RedbStore::make_on(disk.clone()).unwrap();
        let mut store = RedbStore::open_on(disk.clone()).unwrap();
        let mut rng = Rng::from_seed(7);
        let mut model = Model::new();
        let first = random_batch(&mut rng);
        store.persist(core::slice::from_ref(&first)).unwrap();
        apply(&mut model, &first);
        disk.0.lock().unwrap().room = Some(room);
        let group: Vec<_> = (0..40).map(|_| random_batch(&mut rng)).collect();
        for _ in 0..3 {
            let error = store.persist(&group).unwrap_err();
            assert!(matches!(error, StoreError::NoRoom), "{error:?}");
        }
        disk.0.lock().unwrap().room = None;
        store.persist(&group).unwrap();
        for batch in &group {
            apply(&mut model, batch);
        }
        drop(store);
        let mut again = RedbStore::open_on(disk).unwrap();
        assert!(rows(&mut again) == model);
    }
}

fn folder(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("heiiki-redb-{}-{name}", std::process::id()));
    drop(fs::remove_dir_all(&dir));
    dir
}

#[test]
fn a_file_is_private_held_by_one_and_read_back() {
    let path = folder("file").join("hss.redb");
    let mut store = RedbStore::open(&path).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut rng = Rng::from_seed(1);
    let mut model = Model::new();
    for _ in 0..50 {
        let batch = random_batch(&mut rng);
        apply(&mut model, &batch);
        store.persist(&[batch]).unwrap();
    }
    let held = RedbStore::open(&path).unwrap_err();
    assert!(matches!(held, StoreError::Held), "{held}");
    drop(store);
    assert!(rows(&mut RedbStore::open(&path).unwrap()) == model);
}

/// Nothing that is there is ever replaced by an empty store.
#[test]
fn what_is_no_good_store_is_refused_and_left_alone() {
    let path = folder("bad").join("hss.redb");
    let mut store = RedbStore::open(&path).unwrap();
    let mut rng = Rng::from_seed(1);
    for _ in 0..100 {
        store.persist(&[random_batch(&mut rng)]).unwrap();
    }
    drop(store);
    let good = fs::read(&path).unwrap();
    let refused = |octets: &[u8]| {
        fs::write(&path, octets).unwrap();
        let error = RedbStore::open(&path).map(drop).unwrap_err();
        assert_eq!(fs::read(&path).unwrap().len(), octets.len(), "{error}");
        error.to_string()
    };
    assert!(refused(b"").contains("restore it from a backup"));
    assert!(refused(b"heiikij1").contains("older version"));
    assert!(refused(b"SQLite format 3\0").contains("not a store"));
    assert!(refused(&good[..good.len() / 2]).contains("damaged"));
    // The positive control.
    fs::write(&path, &good).unwrap();
    drop(RedbStore::open(&path).unwrap());
    fs::remove_file(&path).unwrap();
    fs::write(path.with_extension("journal"), b"heiikij1").unwrap();
    let error = RedbStore::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Older), "{error}");
    assert!(!path.exists());
}

/// Every page that holds rows, with a bit turned: refused, or as it was.
#[test]
fn a_turned_bit_is_refused_or_harmless() {
    let path = folder("bits").join("hss.redb");
    let mut store = RedbStore::open(&path).unwrap();
    let mut rng = Rng::from_seed(1);
    for _ in 0..20 {
        store.persist(&[random_batch(&mut rng)]).unwrap();
    }
    let want = rows(&mut store);
    drop(store);
    let good = fs::read(&path).unwrap();
    let mut refused = 0;
    for _ in 0..300 {
        let at = rng.below(good.len() as u64);
        let mut octet = [good[usize::try_from(at).unwrap()]];
        octet[0] ^= 1 << rng.below(8);
        fs::write(&path, &good).unwrap();
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .write_all_at(&octet, at)
            .unwrap();
        // The database checks its own assumptions with panics in debug builds.
        let opened = std::panic::catch_unwind(|| RedbStore::open(&path).map(|mut s| rows(&mut s)));
        match opened {
            Ok(Ok(found)) => assert!(found == want, "octet {at}"),
            Ok(Err(_)) | Err(_) => refused += 1,
        }
    }
    assert!(refused > 10, "{refused}");
}
