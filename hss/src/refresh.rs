//! Taking a subject's rows, read anew, in the place of those in memory.

use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::{Imsi, Now, Record};

use crate::auc::sqn::Mark;
use crate::cut::{Cut, CutId, Kind};
use crate::equipment::{Binding, EquipmentKey};
use crate::node::Hss;
use crate::s6a::errands::{Cancellation, Errand, Errands, Update};
use crate::seal::NoKey;
use crate::shared::roll::ROLL_KEY;
use crate::subscriber::row::{
    self, LocationRow, META_KEY, StateRow, SubscriberRow, Table, Unreadable,
};
use crate::subscriber::{Gateway, Isolation, Location, RowIx, Standing, State};

/// What the rows of a SIM say.
#[derive(Default)]
struct Truth {
    isolation: Option<Isolation>,
    state: Option<(State, Standing)>,
    location: Option<Location>,
    floor: u64,
    marks: Vec<Mark>,
    gateways: Vec<Gateway>,
    binding: Binding,
    cancellations: Vec<Cancellation>,
    updates: Vec<Update>,
    has_history: bool,
}

impl Hss {
    /// Takes the rows of a subject. Tells the SEQ that a verified AUTS has proved, if the subject
    /// is a SIM.
    pub(crate) fn take_rows(
        &mut self,
        now: Now,
        subject: &[u8],
        records: &[Record],
    ) -> Result<u64, Unreadable> {
        if subject == META_KEY {
            let meta = records.iter().find(|r| r.table == Table::Meta.number());
            if let Some(shared) = self.shared.as_mut() {
                shared.meta = meta.and_then(|r| r.value.clone());
            }
            return Ok(0);
        }
        if subject == ROLL_KEY {
            return self.take_roll(now, records).map(|()| 0);
        }
        self.take_holder(subject, records)?;
        let bulk = records.iter().find(|r| r.table == Table::Bulk.number());
        if let Some(record) = bulk.filter(|r| r.key == subject) {
            let value = record.value.as_deref().unwrap_or_default();
            self.bulks.restore(subject, value).ok_or(Unreadable)?;
            let id = <[u8; 8]>::try_from(subject).map_err(|_| Unreadable)?;
            self.take_bulk(now.at, u64::from_be_bytes(id));
            return Ok(0);
        }
        let cut = records.iter().find(|r| r.table == Table::Cut.number());
        if let Some(record) = cut {
            let value = record.value.as_deref().unwrap_or_default();
            self.take_order(now, row::decode(value)?);
            return Ok(0);
        }
        self.take_equipment(subject, records)?;
        if row::imsi_of(subject).is_err() {
            return Ok(0);
        }
        self.take_sim(now, subject, records)
    }

    /// An entry of the equipment register, which may be gone.
    fn take_equipment(&mut self, subject: &[u8], records: &[Record]) -> Result<(), Unreadable> {
        let name = core::str::from_utf8(subject).ok();
        let Some(key) = name.and_then(|n| n.parse::<EquipmentKey>().ok()) else {
            return Ok(());
        };
        let row = records
            .iter()
            .find(|r| r.table == Table::Equipment.number());
        match row.and_then(|r| r.value.as_deref()) {
            Some(value) => self.equipment.set(key, row::decode(value)?),
            None => {
                self.equipment.remove(key);
            }
        }
        Ok(())
    }

    fn take_sim(&mut self, now: Now, key: &[u8], records: &[Record]) -> Result<u64, Unreadable> {
        let truth = self.read_truth(records)?;
        let imsi = row::imsi_of(key)?;
        let Some(ix) = self.subscribers.find(imsi) else {
            return Ok(truth.floor);
        };
        let epoch = self.epoch;
        if let Some(subscriber) = self.subscribers.get_mut(ix) {
            for mark in truth.marks {
                subscriber.counter.follow(mark, epoch);
            }
            subscriber.counter.raise(truth.floor);
            subscriber.set_gateways(truth.gateways);
            subscriber.set_binding(truth.binding);
        }
        self.take_standing(imsi, truth.state, truth.isolation);
        if !truth.has_history {
            self.history.forget(imsi);
        }
        self.subscribers.set_location(ix, truth.location);
        self.take_errands(now, ix, truth.cancellations, truth.updates);
        Ok(truth.floor)
    }

    /// The state and the isolation of a SIM, with the lists of who is barred and of what ends.
    fn take_standing(
        &mut self,
        imsi: Imsi,
        state: Option<(State, Standing)>,
        isolation: Option<Isolation>,
    ) {
        let Some(subscriber) = self.subscribers.by_imsi_mut(imsi) else {
            return;
        };
        if let Some((state, standing)) = state
            && (subscriber.state != state || *subscriber.standing() != standing)
        {
            let before = subscriber.standing().expires;
            subscriber.state = state;
            if *subscriber.standing() != standing {
                subscriber.set_standing(standing);
            }
            self.note_standing(imsi, before);
        }
        let Some(subscriber) = self.subscribers.by_imsi_mut(imsi) else {
            return;
        };
        if subscriber.isolation() != isolation.as_ref() {
            let before = subscriber.isolation().and_then(|i| i.standing.expires);
            subscriber.set_isolation(isolation.unwrap_or_default());
            self.note_isolation(imsi, before);
        }
    }

    /// A SIM's own row: it is new here, or was changed by another front end.
    fn take_subscriber(&mut self, key: &[u8], value: &[u8]) -> Result<(State, Mark), Unreadable> {
        let row = SubscriberRow::read(value)?;
        if let Ok(ix) = self.loaded(key) {
            let sealed = self.vault.sealed_of(row.key, row.sealed);
            let sealed = sealed.map_err(|NoKey| Unreadable)?;
            self.subscribers.take_row(ix, &row, sealed)?;
        } else {
            let loaded = self.load_subscriber(self.epoch, key, value);
            loaded.map_err(|_| Unreadable)?;
        }
        Ok((row.state, row.mark))
    }

    fn read_truth(&mut self, records: &[Record]) -> Result<Truth, Unreadable> {
        let mut truth = Truth::default();
        for record in records {
            let Some(value) = record.value.as_deref() else {
                continue;
            };
            match Table::from_number(record.table).ok_or(Unreadable)? {
                Table::Subscriber => {
                    let (state, mark) = self.take_subscriber(&record.key, value)?;
                    truth.state = Some((state, Standing::default()));
                    truth.marks.push(mark);
                }
                Table::Mark => truth.marks.push(row::decode(value)?),
                Table::State => {
                    let StateRow { state, standing } = row::decode(value)?;
                    truth.state = Some((state, standing));
                }
                Table::Location => truth.location = Some(row::decode::<LocationRow>(value)?),
                Table::Cancellation => truth.cancellations.push(row::decode(value)?),
                Table::Floor => truth.floor = row::decode(value)?,
                Table::Update => truth.updates.push(row::decode(value)?),
                Table::Gateway => truth.gateways = row::decode(value)?,
                Table::Binding => truth.binding = row::decode(value)?,
                Table::Isolation => truth.isolation = Some(row::decode(value)?),
                Table::History => {
                    let imsi = row::imsi_of(&record.key)?;
                    self.history.restore(imsi, row::decode(value)?);
                    truth.has_history = true;
                }
                Table::Bulk => {
                    let taken = self.bulks.restore(&record.key, value);
                    taken.ok_or(Unreadable)?;
                }
                Table::Meta
                | Table::Cut
                | Table::Reset
                | Table::Equipment
                | Table::Holder
                | Table::Beat => {}
            }
        }
        Ok(truth)
    }

    /// What another front end has begun to tell an MME is sent from here if the connection is here;
    /// what another one has ended is over.
    fn take_errands(
        &mut self,
        now: Now,
        ix: RowIx,
        cancellations: Vec<Cancellation>,
        updates: Vec<Update>,
    ) {
        let Some(subscriber) = self.subscribers.get(ix) else {
            return;
        };
        let imsi = subscriber.imsi;
        for tag in exchange(&mut self.cancellations, imsi, cancellations) {
            if self.cancellations.get(tag).is_some_and(|c| c.claimed) {
                // The one that began it has the connection too: it goes first.
                let wait = self.config.timers.request + self.config.timers.retry_first;
                self.cancellations.again(tag, now.at + wait);
            } else if self.waits_for_bars(tag) {
                self.cancellations.queue(tag);
            } else {
                self.send_cancellation(now, tag);
            }
        }
        self.nodes_are_done(now, imsi);
        for tag in exchange(&mut self.updates, imsi, updates) {
            if self.updates.get(tag).is_some_and(|u| u.claimed) {
                let wait = self.config.timers.request + self.config.timers.retry_first;
                self.updates.again(tag, now.at + wait);
            } else {
                self.send_update(now, tag);
            }
        }
        // What was not sent because the store went away meanwhile.
        for tag in self.updates.of(imsi) {
            if self.updates.is_parked(tag) {
                self.send_update(now, tag);
            }
        }
        for tag in self.cancellations.of(imsi) {
            if self.cancellations.is_parked(tag) || self.cancellations.is_held(tag) {
                self.send_cancellation(now, tag);
            }
        }
    }

    /// An MME that the SIM's latest cut was to tell and that nobody has to tell any more has answered
    /// some front end.
    fn nodes_are_done(&mut self, now: Now, imsi: Imsi) {
        let latest = self.cuts.latest_of(imsi, Kind::Bar);
        let Some(cut) = latest
            .filter(|id| self.is_own(*id))
            .and_then(|id| self.cuts.get(id))
            .filter(|cut| cut.committed && cut.nodes.iter().any(|n| n.t3.is_none()))
        else {
            return;
        };
        let id = cut.id();
        let told: Vec<String> = self
            .cancellations
            .of(imsi)
            .into_iter()
            .filter_map(|tag| self.cancellations.get(tag))
            .filter(|c| c.cut == Some(id.number()))
            .map(|c| c.node.host.clone())
            .collect();
        let waits = |host: &str| told.iter().any(|t| t.eq_ignore_ascii_case(host));
        let open = cut.nodes.iter().filter(|n| n.t3.is_none());
        let done = open.filter(|n| !waits(&n.host)).map(|n| n.host.clone());
        for host in done.collect::<Vec<_>>() {
            self.node_is_done(now, id, &host);
        }
    }

    /// The MME has answered another front end.
    fn node_is_done(&mut self, now: Now, id: CutId, host: &str) {
        let leg = self.cuts.get_mut(id).and_then(|cut| cut.node_mut(host));
        if let Some(leg) = leg.filter(|leg| leg.t3.is_none()) {
            leg.t3 = Some(now.at);
            leg.result = Some(String::from("answered to another front end"));
            self.cut_progress(id);
        }
    }

    /// An order of another front end, or what is in the store of an order from here.
    fn take_order(&mut self, now: Now, stored: Cut) {
        let id = stored.id();
        let Some(own) = self.cuts.get_mut(id).filter(|_| self.shared.is_some()) else {
            self.enter_order(stored);
            return;
        };
        let reply = own.reply;
        if !self.is_own(id) {
            self.enter_order(Cut { reply, ..stored });
            if reply.is_some() {
                self.cut_progress(id);
            }
            return;
        }
        let Some(own) = self.cuts.get_mut(id) else {
            return;
        };
        // Only this front end writes it, but for stamps that were reported elsewhere.
        own.t6 = own.t6.or(stored.t6);
        own.t7 = own.t7.or(stored.t7);
        own.t8 = own.t8.or(stored.t8);
        if !own.committed {
            own.committed = true;
            own.disk_failed = false;
            own.t1 = Some(now.at);
        }
        self.cut_progress(id);
    }

    fn enter_order(&mut self, order: Cut) {
        let id = order.id();
        self.cuts.enter(order);
        self.make_latest(id);
        while self.cuts.forget_one(self.config.limits.cuts).is_some() {}
    }
}

/// Puts what is stored of a SIM's errands in the place of what is known; what is the same stays as
/// far as it has come. Tells the tags of those that are new.
fn exchange<T: Errand + PartialEq>(
    errands: &mut Errands<T>,
    imsi: Imsi,
    stored: Vec<T>,
) -> Vec<u64> {
    let mut known = errands.of(imsi);
    let mut new = Vec::new();
    for errand in stored {
        let same = known
            .iter()
            .position(|tag| errands.get(*tag) == Some(&errand));
        match same {
            Some(same) => drop(known.swap_remove(same)),
            None => new.push(errands.add(errand)),
        }
    }
    for gone in known {
        errands.remove(gone);
    }
    new
}
