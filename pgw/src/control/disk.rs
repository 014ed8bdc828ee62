use heiiki_types::{Now, PersistSeq, StorageInput};

use super::{Control, Phase};
use crate::event::Event;

// What the disk says, and the procedures that wait for it.
impl Control {
    fn handle_persisted(&mut self, now: Now, durable: PersistSeq) {
        while let Some(&(seq, ticket)) = self.writes.front()
            && seq <= durable
        {
            self.writes.pop_front();
            if let Some(running) = self.procedures.get_mut(&ticket) {
                running.writes = false;
            }
            self.advance(now, ticket);
        }
    }

    fn handle_disk_failure(&mut self, now: Now) {
        if self.journal.has_failed() {
            return;
        }
        self.journal.fail();
        self.event(Event::DiskFailed);
        for (_, ticket) in core::mem::take(&mut self.writes) {
            if let Some(running) = self.procedures.get_mut(&ticket) {
                running.writes = false;
                running.not_durable = true;
            }
            self.advance(now, ticket);
        }
    }

    pub(super) fn handle_storage(&mut self, now: Now, input: StorageInput) {
        match input {
            StorageInput::Loading(records) if self.phase == Phase::Loading => {
                self.loading.extend(records);
            }
            StorageInput::Loaded(records) if self.phase == Phase::Loading => {
                let mut all = core::mem::take(&mut self.loading);
                all.extend(records);
                self.load(now, all);
            }
            // What waits for the disk waits longer, or is given up by its peer.
            StorageInput::Loading(_)
            | StorageInput::Loaded(_)
            | StorageInput::Unavailable
            | StorageInput::Available => {}
            StorageInput::Persisted { seq } => self.handle_persisted(now, seq),
            StorageInput::Failed if self.phase == Phase::Loading => {
                // Without the bars nothing may be forwarded, so nothing is served.
                self.journal.fail();
                self.event(Event::DiskFailed);
            }
            StorageInput::Failed => self.handle_disk_failure(now),
        }
    }
}
