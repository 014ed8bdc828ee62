//! Reading the store back at a start.

use alloc::vec::Vec;

use heiiki_types::{PersistSeq, Record};

use crate::auc::sqn::{Counter, Epoch, Mark, Sqn};
use crate::cut::Cut;
use crate::event::Event;
use crate::node::Hss;
use crate::s6a::cancellations::Cancellation;
use crate::subscriber::row::{
    self, LocationRow, META_KEY, MetaRow, StateRow, SubscriberRow, Table, Unreadable,
};
use crate::subscriber::{Standing, State, Subscriber};

impl Hss {
    /// Takes the rows, ordered by table and key. Tells the epoch of this start. Anything that
    /// cannot be read refuses the whole store: half of one would let a cut SIM back in.
    pub(crate) fn load(&mut self, records: Vec<Record>) -> Result<Epoch, Event> {
        let unreadable = |table: u8, why| Event::StoreUnreadable { table, why };
        let damaged = "a row cannot be read: restore the store from a backup, or run the version \
                       that wrote it";
        let empty = records.is_empty();
        let meta = records
            .iter()
            .find(|r| r.table == Table::Meta.number() && r.key == META_KEY)
            .map(|r| row::decode::<MetaRow>(r.value.as_deref().unwrap_or_default()))
            .transpose()
            .map_err(|Unreadable| unreadable(Table::Meta.number(), damaged))?;
        let epoch = match meta {
            Some(meta) if !meta.is_compatible() => {
                let why = "the store counts its sequence numbers in another way: run the version \
                           that wrote it";
                return Err(unreadable(Table::Meta.number(), why));
            }
            Some(meta) => Epoch(meta.epoch.0.saturating_add(1)),
            None if empty => Epoch(1),
            None => {
                let why = "the store has rows but no epoch: sequence numbers could be issued \
                           twice; restore the store from a backup";
                return Err(unreadable(Table::Meta.number(), why));
            }
        };
        for record in records {
            let table = record.table;
            self.load_row(epoch, record)
                .map_err(|Unreadable| unreadable(table, damaged))?;
        }
        let unmarked = self
            .subscribers
            .iter()
            .any(|(_, s)| !s.counter.is_durable());
        if unmarked {
            return Err(unreadable(Table::Mark.number(), damaged));
        }
        Ok(epoch)
    }

    fn load_row(&mut self, epoch: Epoch, record: Record) -> Result<(), Unreadable> {
        let Some(value) = record.value else {
            return Ok(());
        };
        let (key, value) = (record.key.as_slice(), value.as_slice());
        match Table::from_number(record.table).ok_or(Unreadable)? {
            Table::Meta => {}
            Table::Subscriber => self.load_subscriber(key, value)?,
            Table::Mark => {
                let mark: Mark = row::decode(value)?;
                self.loaded(key)?.counter = Counter::restore(mark, epoch);
            }
            Table::State => {
                let StateRow { state, standing } = row::decode(value)?;
                let subscriber = self.loaded(key)?;
                subscriber.state = state;
                subscriber.standing = standing;
            }
            Table::Location => {
                let location: LocationRow = row::decode(value)?;
                self.loaded(key)?.location = Some(location);
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
        }
        Ok(())
    }

    fn load_subscriber(&mut self, key: &[u8], value: &[u8]) -> Result<(), Unreadable> {
        let row: SubscriberRow = row::decode(value)?;
        let subscriber = Subscriber {
            imsi: row::imsi_of(key)?,
            k: row.k(),
            opc: row.opc(),
            amf: row.amf,
            counter: Counter::fresh(Sqn::from_octets([0; 6])),
            msisdn: row.msisdn,
            tenant: self.subscribers.tenant(&row.tenant),
            apns: row.apns.clone(),
            ue_ambr: row.ue_ambr,
            // The strictest, until the row of the state says otherwise.
            state: State::Terminated,
            standing: Standing::default(),
            location: None,
            location_seq: PersistSeq::default(),
        };
        self.subscribers.insert(subscriber).ok_or(Unreadable)?;
        Ok(())
    }

    fn loaded(&mut self, key: &[u8]) -> Result<&mut Subscriber, Unreadable> {
        let imsi = row::imsi_of(key)?;
        self.subscribers.by_imsi_mut(imsi).ok_or(Unreadable)
    }
}
