//! Writes to subjects that were not read first: imports, and what is told of orders.
//!
//! They hold whatever the version is. Until such a write is durable the subject is not read, and
//! what was being read when it was asked for is read again: else rows of before would take the place
//! of what is on its way.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use heiiki_types::PersistSeq;

use crate::node::Hss;

/// Subjects with such a write on its way.
#[derive(Default)]
pub(super) struct Blind {
    /// The last write of each.
    last: BTreeMap<Vec<u8>, PersistSeq>,
    writes: BTreeMap<PersistSeq, Vec<Vec<u8>>>,
}

impl Blind {
    pub(super) fn has(&self, subject: &[u8]) -> bool {
        self.last.contains_key(subject)
    }

    pub(super) fn clear(&mut self) {
        self.last.clear();
        self.writes.clear();
    }

    /// The subjects all of whose writes are durable by now.
    fn end(&mut self, durable: PersistSeq) -> Vec<Vec<u8>> {
        let mut ended = Vec::new();
        while let Some(write) = self.writes.first_entry().filter(|w| *w.key() <= durable) {
            let (seq, subjects) = write.remove_entry();
            for subject in subjects {
                if self.last.get(&subject) == Some(&seq) {
                    self.last.remove(&subject);
                    ended.push(subject);
                }
            }
        }
        ended
    }
}

impl Hss {
    pub(super) fn writes_blindly<'a>(
        &mut self,
        seq: PersistSeq,
        subjects: impl Iterator<Item = &'a Vec<u8>>,
    ) {
        let Some(shared) = self.shared.as_mut() else {
            return;
        };
        for subject in subjects {
            if let Some(gate) = shared.gates.get_mut(subject) {
                gate.stale |= gate.reading;
            }
            shared.blind.last.insert(subject.clone(), seq);
            let subjects = shared.blind.writes.entry(seq).or_default();
            subjects.push(subject.clone());
        }
    }

    /// Everything up to `durable` is: what waited for it to be there is read.
    pub(crate) fn blind_writes_end(&mut self, durable: PersistSeq) {
        let Some(shared) = self.shared.as_mut() else {
            return;
        };
        for subject in shared.blind.end(durable) {
            let Some(shared) = self.shared.as_mut() else {
                return;
            };
            let gate = shared.gates.get(&subject);
            if gate.is_some_and(|g| g.under_way.is_none() && !g.queue.is_empty()) {
                self.read(subject);
            }
        }
    }
}
