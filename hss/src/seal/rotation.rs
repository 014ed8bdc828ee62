//! A new master key: rows that are sealed with one of before are sealed anew, a few at a time, while
//! the HSS serves. Until that is over the previous keys must stay configured.

use heiiki_types::{Imsi, Now, PersistSeq};

use super::Vault;
use crate::event::Event;
use crate::node::Hss;
use crate::shared::deed::Deed;
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
    /// SIMs that wait for the shared store.
    asked: usize,
    /// Some could not be asked for.
    again: bool,
}

/// SIMs that wait for the shared store at a time.
const AT_A_TIME: usize = 64;

impl Hss {
    /// Begins to seal rows anew, when there are any to.
    pub(crate) fn begin_rotation(&mut self, now: Now) {
        let outdated = |sealed| Vault::is_outdated(sealed);
        let total = self.subscribers.iter();
        let total = total.filter(|(_, s)| outdated(s.sealed())).count();
        if total == 0 {
            if self.shared.is_some() {
                self.note_store_key();
            }
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
        if self.shared.is_some() {
            return self.rotate_shared(now);
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

/// With a store that front ends share each SIM is read and guarded by itself: another front end may
/// be changing it, or sealing it too.
impl Hss {
    fn rotate_shared(&mut self, now: Now) {
        while self.rotation.asked < AT_A_TIME && self.has_room(AT_A_TIME) {
            let ix = self.rotation.next;
            let Some(subscriber) = self.subscribers.get(ix) else {
                break;
            };
            let (imsi, outdated) = (subscriber.imsi, Vault::is_outdated(subscriber.sealed()));
            self.rotation.next = ix.next();
            if outdated {
                self.rotation.asked += 1;
                self.do_at(now, imsi, Deed::Seal { imsi });
            }
        }
        let over = self.subscribers.get(self.rotation.next).is_none();
        if self.rotation.asked > 0 || !over {
            return;
        }
        if core::mem::take(&mut self.rotation.again) {
            self.rotation.next = RowIx::default();
            return;
        }
        self.rotation.running = false;
        let failed = self.subscribers.iter();
        let failed = failed
            .filter(|(_, s)| Vault::is_outdated(s.sealed()))
            .count();
        if failed == 0 {
            self.note_store_key();
        }
        let key = self.vault.current().id;
        self.tell(Event::StoreKeyRotated { key, failed });
    }

    /// No row needs another key than the current one: a start without it is refused from now on.
    fn note_store_key(&mut self) {
        let check = self.vault.current();
        let key = row::STORE_KEY.to_vec();
        self.journal.put(Table::Meta, key, &check);
    }

    /// Seals one SIM's secrets anew, as they have just been read.
    pub(crate) fn seal_again(&mut self, imsi: Imsi) {
        let outdated = |s: &&mut crate::subscriber::Subscriber| Vault::is_outdated(s.sealed());
        let Some(subscriber) = self.subscribers.by_imsi_mut(imsi).filter(outdated) else {
            return;
        };
        if !subscriber.seal_again(&self.vault, &mut self.nonces) {
            // It stays as it is, and says so when a vector is asked for.
            return;
        }
        let Some(subscriber) = self.subscribers.by_imsi(imsi) else {
            return;
        };
        let row = self.subscribers.row(&self.vault, subscriber, self.epoch);
        self.journal
            .put(Table::Subscriber, row::imsi_key(imsi), &row);
    }

    /// One SIM's secrets are durable under the current key.
    pub(crate) fn sealed_one(&mut self, now: Now) {
        self.rotation.asked = self.rotation.asked.saturating_sub(1);
        self.rotation.done += 1;
        if self.rotation.done.is_multiple_of(TELL_EVERY * BATCH) {
            self.tell_rotation();
        }
        self.rotate(now);
    }

    /// The store cannot be asked now: it goes on when others are asked again.
    pub(crate) fn rotation_waits(&mut self) {
        self.rotation.asked = self.rotation.asked.saturating_sub(1);
        self.rotation.again = true;
    }
}
