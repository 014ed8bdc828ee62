//! A node's disk in the virtual world: a journal of which a crash leaves what was synced, and
//! perhaps a torn piece of what was not.

use core::time::Duration;

use heiiki_net::journal::{self, MAGIC};
use heiiki_types::{Instant, PersistSeq, Record, Rng};

/// A simulated disk. It outlives the node.
#[derive(Debug)]
pub struct SimulatedDisk {
    /// What a power loss leaves.
    synced: Vec<u8>,
    /// Batches on their way to the platter, oldest first, and when each gets there.
    pending: Vec<(Instant, PersistSeq, Vec<u8>)>,
    /// How long a flush takes.
    flush: Duration,
    rng: Rng,
    /// Whether a backup was put in its place since the node started last.
    restored: bool,
}

impl SimulatedDisk {
    /// An empty disk.
    pub fn new(flush: Duration, rng: Rng) -> Self {
        Self {
            synced: MAGIC.to_vec(),
            pending: Vec::new(),
            flush,
            rng,
            restored: false,
        }
    }

    /// The live rows, as a node reads them when it starts. A torn tail is cut off.
    pub fn load(&mut self) -> Vec<Record> {
        let replayed = journal::replay(&self.synced).unwrap_or_default();
        self.synced.truncate(replayed.good);
        replayed.records
    }

    /// Begins to write a batch; returns when it will be durable.
    pub fn persist(&mut self, now: Instant, seq: PersistSeq, records: &[Record]) -> Instant {
        let mut octets = Vec::new();
        let written = journal::append_batch(&mut octets, records);
        debug_assert!(written.is_ok(), "a record too long for the journal");
        let previous = self.pending.last().map_or(now, |(at, ..)| (*at).max(now));
        let durable = previous.max(now + self.flush);
        self.pending.push((durable, seq, octets));
        durable
    }

    /// Marks what is durable by `now`; returns the highest request that became so.
    pub fn sync(&mut self, now: Instant) -> Option<PersistSeq> {
        let done = self
            .pending
            .iter()
            .take_while(|(at, ..)| *at <= now)
            .count();
        let mut highest = None;
        for (_, seq, octets) in self.pending.drain(..done) {
            self.synced.extend_from_slice(&octets);
            highest = Some(seq);
        }
        highest
    }

    /// The power goes: what was on its way is lost, or survives in part.
    pub fn crash(&mut self) {
        let lost: Vec<u8> = self
            .pending
            .drain(..)
            .flat_map(|(.., octets)| octets)
            .collect();
        let kept = self.rng.below(lost.len() as u64 + 1);
        let kept = usize::try_from(kept).unwrap_or(0);
        self.synced.extend(lost.into_iter().take(kept));
    }

    /// A copy of what is synced: a backup.
    pub fn backup(&self) -> Vec<u8> {
        self.synced.clone()
    }

    /// Puts a backup in the place of what was there; an empty disk without one.
    pub fn restore(&mut self, backup: Option<Vec<u8>>) {
        self.pending.clear();
        self.restored = backup.is_some();
        self.synced = backup.unwrap_or_else(|| MAGIC.to_vec());
    }

    /// Whether a backup was put in its place; told once, to the node that starts on it.
    pub fn take_restored(&mut self) -> bool {
        core::mem::take(&mut self.restored)
    }

    /// How many octets survive a power loss right now.
    pub fn durable_octets(&self) -> usize {
        self.synced.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(value: u8) -> Record {
        Record {
            table: 0,
            key: vec![1],
            value: Some(vec![value; 40]),
        }
    }

    #[test]
    fn synced_rows_survive_and_the_rest_is_all_or_nothing() {
        let (mut lost, mut kept) = (0, 0);
        for seed in 0..200 {
            let mut disk = SimulatedDisk::new(Duration::from_millis(1), Rng::from_seed(seed));
            let start = Instant::ZERO;
            let durable = disk.persist(start, PersistSeq(1), &[row(1)]);
            assert_eq!(disk.sync(start), None);
            assert_eq!(disk.sync(durable), Some(PersistSeq(1)));
            disk.persist(durable, PersistSeq(2), &[row(2)]);
            disk.persist(durable, PersistSeq(3), &[row(3)]);
            disk.crash();
            let rows = disk.load();
            if rows == [row(1)] {
                lost += 1;
            } else {
                assert!(rows == [row(2)] || rows == [row(3)]);
                kept += 1;
            }
            // A restarted node appends after the cut.
            let at = disk.persist(durable, PersistSeq(1), &[row(4)]);
            disk.sync(at);
            assert_eq!(disk.load(), [row(4)]);
        }
        assert!(lost > 10 && kept > 10);
    }
}
