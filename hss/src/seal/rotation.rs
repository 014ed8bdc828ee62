//! A new master key: rows that are sealed with one of before are sealed anew, a few at a time, while
//! the HSS serves. Until that is over the previous keys must stay configured.

use heiiki_types::{Now, PersistSeq};

use super::Vault;
use crate::event::Event;
use crate::node::Hss;
use crate::storage::Deferred;
use crate::subscriber::RowIx;
use crate::subscriber::row::{self, Table};

/// Rows of a batch: so few that no request waits for long.
const BATCH: usize = 256;
/// Batches between two events of progress.
const TELL_EVERY: usize = 64;

/// How far it has come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rotation {
    next: RowIx,
    done: usize,
    total: usize,
    batches: usize,
    running: bool,
}

impl Hss {
    /// Begins to seal rows anew, when there are any to.
    pub(crate) fn begin_rotation(&mut self, now: Now) {
        let outdated = |sealed| Vault::is_outdated(sealed);
        let total = self.subscribers.iter();
        let total = total.filter(|(_, s)| outdated(s.sealed())).count();
        if total == 0 {
            return;
        }
        self.rotation = Rotation {
            total,
            running: true,
            ..Rotation::default()
        };
        self.tell_rotation();
        self.rotate(now);
    }

    fn tell_rotation(&mut self) {
        let Rotation { done, total, .. } = self.rotation;
        let key = self.vault.current().id;
        self.tell(Event::StoreKeyRotation { key, done, total });
    }

    /// The next rows. It goes on when they are durable.
    pub(crate) fn rotate(&mut self, now: Now) {
        if !self.rotation.running {
            return;
        }
        let mut seq = PersistSeq::default();
        let mut sealed = 0;
        while sealed < BATCH {
            let ix = self.rotation.next;
            let Some(subscriber) = self.subscribers.get_mut(ix) else {
                break;
            };
            self.rotation.next = ix.next();
            if !Vault::is_outdated(subscriber.sealed()) {
                continue;
            }
            if !subscriber.seal_again(&self.vault, &mut self.nonces) {
                // It stays as it is, and says so when a vector is asked for.
                continue;
            }
            let Some(subscriber) = self.subscribers.get(ix) else {
                break;
            };
            let row = self.subscribers.row(&self.vault, subscriber, self.epoch);
            let key = row::imsi_key(subscriber.imsi);
            seq = self.journal.put(Table::Subscriber, key, &row);
            sealed += 1;
        }
        if sealed > 0 {
            self.wait_for(now, seq, Deferred::SealedAgain(sealed));
        } else {
            self.rotation.running = false;
            let failed = self.rotation.total - self.rotation.done;
            let key = self.vault.current().id;
            self.tell(Event::StoreKeyRotated { key, failed });
        }
    }

    /// Rows are durable under the new key.
    pub(crate) fn sealed_again(&mut self, now: Now, rows: usize) {
        self.rotation.done += rows;
        self.rotation.batches += 1;
        if self.rotation.batches.is_multiple_of(TELL_EVERY) {
            self.tell_rotation();
        }
        self.rotate(now);
    }
}
