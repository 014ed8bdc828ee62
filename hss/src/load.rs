//! Reading the store back at a start, part by part.

use alloc::vec::Vec;

use heiiki_types::{Now, Record};

use crate::auc::sqn::{
    Counter, Epoch, Mark, RESTORED_EPOCHS, RESTORED_EPOCHS_MAX, RESTORED_SECONDS_PER_EPOCH,
};
use crate::cut::{Cut, CutId};
use crate::equipment::{Binding, Entry};
use crate::event::Event;
use crate::node::Hss;
use crate::s6a::errands::{Cancellation, Reset, Update};
use crate::seal::{KeyCheck, KeyId, NoKey};
use crate::subscriber::row::{
    self, LocationRow, META_KEY, MetaRow, StateRow, SubscriberRow, Table, Unreadable,
};
use crate::subscriber::{Gateway, Isolation, NewSubscriber, RowIx};

/// How far the reading of the store has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Loading {
    /// No row was there yet.
    #[default]
    Empty,
    /// The epoch of this start, from the row that comes before all others.
    Epoch(Epoch),
}

/// Why a row is not taken.
pub(crate) enum Trouble {
    /// It is not one that this build can read.
    Row,
    /// It is sealed with a master key that was not given.
    Key(KeyId),
}

impl From<Unreadable> for Trouble {
    fn from(Unreadable: Unreadable) -> Self {
        Self::Row
    }
}

const DAMAGED: &str = "a row cannot be read: restore the store from a backup and start with \
                       `hss serve --restored`, or run the version that wrote it";

const OLDER: &str = "the store is older than what ran here last: sequence numbers would be issued \
                     twice. If it was restored from a backup, start with `hss serve --restored`";

const fn unreadable(table: Table, why: &'static str) -> Event {
    Event::StoreUnreadable {
        table: table.number(),
        why,
    }
}

impl Hss {
    /// Takes the next rows, ordered by table and key over all parts. Anything that cannot be read
    /// refuses the whole store: half of one would let a cut SIM back in.
    pub(crate) fn load_part(&mut self, now: Now, records: Vec<Record>) -> Result<(), Event> {
        for record in records {
            let epoch = match self.loading {
                Loading::Epoch(epoch) => epoch,
                Loading::Empty => self.first_row(now, &record)?,
            };
            let table = record.table;
            self.load_row(epoch, record)
                .map_err(|trouble| match trouble {
                    Trouble::Row => Event::StoreUnreadable {
                        table,
                        why: DAMAGED,
                    },
                    Trouble::Key(needed) => Event::StoreKeyMissing {
                        needed,
                        given: self.vault.ids().collect(),
                    },
                })?;
        }
        Ok(())
    }

    /// The epoch of this start, from the row of the last one. After a restore it is far ahead: by a
    /// fixed step, by the age of the backup, and beyond every epoch that is known from elsewhere.
    pub(crate) fn next_epoch(&self, now: Now, value: &[u8]) -> Result<Epoch, Event> {
        let meta = MetaRow::read(value).map_err(|Unreadable| unreadable(Table::Meta, DAMAGED))?;
        if !meta.is_compatible() {
            let why = "the store counts its sequence numbers in another way: run the version that \
                       wrote it";
            return Err(unreadable(Table::Meta, why));
        }
        let last = meta.epoch.0;
        if !self.is_restored() {
            if self.known_epoch > last {
                return Err(unreadable(Table::Meta, OLDER));
            }
            return Ok(Epoch(last.saturating_add(1)));
        }
        let micros = now.wall.as_unix_micros();
        let age = meta
            .at
            .map_or(0, |at| micros.saturating_sub(at.as_unix_micros()));
        let age = age / 1_000_000 / RESTORED_SECONDS_PER_EPOCH;
        let ahead = RESTORED_EPOCHS + age.min(RESTORED_EPOCHS_MAX);
        let beyond = self.known_epoch.saturating_add(1);
        Ok(Epoch(last.saturating_add(ahead).max(beyond)))
    }

    /// All rows are read. Tells the epoch of this start.
    pub(crate) const fn end_load(&self) -> Epoch {
        match self.loading {
            Loading::Empty => Epoch(1),
            Loading::Epoch(epoch) => epoch,
        }
    }

    /// The epoch's row comes first, by the number of its table.
    fn first_row(&mut self, now: Now, record: &Record) -> Result<Epoch, Event> {
        if record.table != Table::Meta.number() || record.key != META_KEY {
            let why = "the store has rows but no epoch: sequence numbers could be issued twice; \
                       restore the store from a backup and start with `hss serve --restored`";
            return Err(unreadable(Table::Meta, why));
        }
        let epoch = self.next_epoch(now, record.value.as_deref().unwrap_or_default())?;
        self.loading = Loading::Epoch(epoch);
        Ok(epoch)
    }

    fn load_row(&mut self, epoch: Epoch, record: Record) -> Result<(), Trouble> {
        let Some(value) = record.value else {
            return Ok(());
        };
        let (key, value) = (record.key.as_slice(), value.as_slice());
        match Table::from_number(record.table).ok_or(Unreadable)? {
            Table::Meta if key == row::STORE_KEY => {
                let check: KeyCheck = row::decode(value)?;
                if !self.vault.knows(&check) {
                    return Err(Trouble::Key(check.id));
                }
            }
            // What front ends said before this start shows nothing.
            Table::Meta | Table::Beat => {}
            Table::Subscriber => self.load_subscriber(epoch, key, value)?,
            Table::Mark => {
                let mark: Mark = row::decode(value)?;
                let ix = self.loaded(key)?;
                let subscriber = self.subscribers.get_mut(ix).ok_or(Unreadable)?;
                subscriber.counter.restore_also(mark, epoch);
            }
            Table::State => self.load_state(key, value)?,
            Table::Location => {
                let location: LocationRow = row::decode(value)?;
                let ix = self.loaded(key)?;
                self.subscribers.set_location(ix, Some(location));
            }
            Table::Floor => {
                let floor = row::decode(value)?;
                let ix = self.loaded(key)?;
                let subscriber = self.subscribers.get_mut(ix).ok_or(Unreadable)?;
                subscriber.counter.raise(floor);
            }
            Table::Cut => {
                let cut: Cut = row::decode(value)?;
                let id = cut.id();
                self.cuts.enter(cut);
                self.cuts.make_latest(id);
            }
            Table::Cancellation => {
                let cancellation: Cancellation = row::decode(value)?;
                self.cancellations.add(cancellation);
            }
            Table::Update => {
                let update: Update = row::decode(value)?;
                self.updates.add(update);
            }
            Table::Reset => {
                let reset: Reset = row::decode(value)?;
                self.resets.add(reset);
            }
            Table::Gateway | Table::Binding => self.load_rare(record.table, key, value)?,
            Table::Equipment => {
                let name = core::str::from_utf8(key).map_err(|_| Unreadable)?;
                let entry: Entry = row::decode(value)?;
                self.equipment
                    .set(name.parse().map_err(|_| Unreadable)?, entry);
            }
            Table::Isolation => self.load_isolation(key, value)?,
            Table::History => {
                let imsi = row::imsi_of(key)?;
                self.history.restore(imsi, row::decode(value)?);
            }
            Table::Bulk => self.bulks.restore(key, value).ok_or(Unreadable)?,
            Table::Holder => {
                let (id, _) = key.split_first_chunk::<8>().ok_or(Unreadable)?;
                let id = CutId(u64::from_be_bytes(*id));
                self.holders.insert(id, row::decode(value)?);
            }
        }
        Ok(())
    }

    fn load_state(&mut self, key: &[u8], value: &[u8]) -> Result<(), Trouble> {
        let StateRow { state, standing } = row::decode(value)?;
        let ix = self.loaded(key)?;
        let subscriber = self.subscribers.get_mut(ix).ok_or(Unreadable)?;
        subscriber.state = state;
        subscriber.set_standing(standing);
        let imsi = subscriber.imsi;
        self.note_standing(imsi, None);
        Ok(())
    }

    fn load_isolation(&mut self, key: &[u8], value: &[u8]) -> Result<(), Trouble> {
        let isolation: Isolation = row::decode(value)?;
        let ix = self.loaded(key)?;
        let subscriber = self.subscribers.get_mut(ix).ok_or(Unreadable)?;
        subscriber.set_isolation(isolation);
        let imsi = subscriber.imsi;
        self.note_isolation(imsi, None);
        Ok(())
    }

    /// A row of a table that few SIMs have rows in.
    fn load_rare(&mut self, table: u8, key: &[u8], value: &[u8]) -> Result<(), Trouble> {
        let ix = self.loaded(key)?;
        let subscriber = self.subscribers.get_mut(ix).ok_or(Unreadable)?;
        if table == Table::Gateway.number() {
            let gateways: Vec<Gateway> = row::decode(value)?;
            subscriber.set_gateways(gateways);
        } else {
            let binding: Binding = row::decode(value)?;
            subscriber.set_binding(binding);
        }
        Ok(())
    }

    pub(crate) fn load_subscriber(
        &mut self,
        epoch: Epoch,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), Trouble> {
        let row = SubscriberRow::read(value)?;
        let sealed = self.vault.sealed_of(row.key, row.sealed);
        let subscriber = NewSubscriber {
            imsi: row::imsi_of(key)?,
            sealed: sealed.map_err(|NoKey| Trouble::Key(row.key))?,
            amf: row.amf,
            counter: Counter::restore(row.mark, epoch),
            msisdn: row.msisdn,
            tenant: row.tenant,
            group: row.group,
            profile: row.profile,
            static_ips: row.addresses(),
            state: row.state,
        };
        self.subscribers.insert(subscriber)?.ok_or(Unreadable)?;
        Ok(())
    }

    pub(crate) fn loaded(&self, key: &[u8]) -> Result<RowIx, Unreadable> {
        self.subscribers.find(row::imsi_of(key)?).ok_or(Unreadable)
    }
}
