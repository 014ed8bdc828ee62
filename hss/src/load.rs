//! Reading the store back at a start, part by part.

use alloc::vec::Vec;

use heiiki_types::Record;

use crate::auc::sqn::{Counter, Epoch, Mark, RESTORED_EPOCHS};
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

const fn unreadable(table: Table, why: &'static str) -> Event {
    Event::StoreUnreadable {
        table: table.number(),
        why,
    }
}

/// The epoch of this start, from the row of the last one.
pub(crate) fn next_epoch(value: &[u8], ahead: u64) -> Result<Epoch, Event> {
    let meta: MetaRow =
        row::decode(value).map_err(|Unreadable| unreadable(Table::Meta, DAMAGED))?;
    if !meta.is_compatible() {
        let why = "the store counts its sequence numbers in another way: run the version that \
                   wrote it";
        return Err(unreadable(Table::Meta, why));
    }
    Ok(Epoch(meta.epoch.0.saturating_add(ahead)))
}

impl Hss {
    /// Takes the next rows, ordered by table and key over all parts. Anything that cannot be read
    /// refuses the whole store: half of one would let a cut SIM back in.
    pub(crate) fn load_part(&mut self, records: Vec<Record>) -> Result<(), Event> {
        for record in records {
            let epoch = match self.loading {
                Loading::Epoch(epoch) => epoch,
                Loading::Empty => self.first_row(&record)?,
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

    /// How many epochs this start is ahead of the last one.
    pub(crate) const fn epochs_ahead(&self) -> u64 {
        if self.is_restored() {
            RESTORED_EPOCHS
        } else {
            1
        }
    }

    /// All rows are read. Tells the epoch of this start.
    pub(crate) const fn end_load(&self) -> Epoch {
        match self.loading {
            Loading::Empty => Epoch(1),
            Loading::Epoch(epoch) => epoch,
        }
    }

    /// The epoch's row comes first, by the number of its table.
    fn first_row(&mut self, record: &Record) -> Result<Epoch, Event> {
        if record.table != Table::Meta.number() || record.key != META_KEY {
            let why = "the store has rows but no epoch: sequence numbers could be issued twice; \
                       restore the store from a backup and start with `hss serve --restored`";
            return Err(unreadable(Table::Meta, why));
        }
        let ahead = self.epochs_ahead();
        let epoch = next_epoch(record.value.as_deref().unwrap_or_default(), ahead)?;
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
        let mut row: SubscriberRow<'_> = row::decode(value)?;
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
            static_ips: core::mem::take(&mut row.static_ips),
            state: row.state,
        };
        self.subscribers.insert(subscriber)?.ok_or(Unreadable)?;
        Ok(())
    }

    pub(crate) fn loaded(&self, key: &[u8]) -> Result<RowIx, Unreadable> {
        self.subscribers.find(row::imsi_of(key)?).ok_or(Unreadable)
    }
}
