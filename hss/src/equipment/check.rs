//! What the register answers, and what it does at a location update.

use heiiki_diameter::AnswerResult;
use heiiki_diameter::s13::{
    EQUIPMENT_UNKNOWN, EquipmentStatus, IdentityCheckAnswer, IdentityCheckRequest,
};
use heiiki_types::{Imei, Imsi, Now, PersistSeq};

use alloc::vec::Vec;

use super::{Binding, List, Otherwise};
use crate::event::Event;
use crate::node::Hss;
use crate::s6a::Ask;
use crate::subscriber::row::{self, Table};
use crate::subscriber::{RowIx, Subscriber};

/// Why equipment is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Objection {
    /// It is on the black list.
    Black,
    /// The SIM is bound to another one.
    Bound,
    /// The SIM is bound, and the equipment does not tell what it is.
    Absent,
}

impl Objection {
    const fn name(self) -> &'static str {
        match self {
            Self::Black => "black",
            Self::Bound => "bound_elsewhere",
            Self::Absent => "absent",
        }
    }
}

/// Whether two IMEIs name one device: their check digits may differ or be absent.
fn same_device(a: Imei, b: Imei) -> bool {
    a.significant().eq(b.significant())
}

/// Whether a SIM belongs into another device.
fn is_bound_elsewhere(subscriber: &Subscriber, imei: Imei) -> bool {
    match subscriber.binding() {
        Binding::To(own) => !same_device(own, imei),
        Binding::Any | Binding::FirstSeen => false,
    }
}

/// The two digits of Software-Version.
fn version(text: Option<&str>) -> Option<u8> {
    text.filter(|t| t.len() == 2)?.parse().ok()
}

impl Hss {
    /// ECR, TS 29.272 §7.2.19.
    pub(crate) fn check_equipment(&mut self, now: Now, ask: &Ask, request: &IdentityCheckRequest) {
        let (result, status, name) = self.status_of(request);
        self.tell(Event::EquipmentChecked {
            imsi: request.imsi,
            imei: request.terminal.imei,
            host: request.origin_host.clone(),
            status: name,
        });
        let answer = IdentityCheckAnswer {
            session_id: request.session_id.clone(),
            result,
            origin_host: self.config.origin_host.clone(),
            origin_realm: self.config.origin_realm.clone(),
            status,
            failed_avp: Vec::new(),
        };
        self.answer(now, ask, answer.to_message());
    }

    fn status_of(
        &self,
        request: &IdentityCheckRequest,
    ) -> (AnswerResult, Option<EquipmentStatus>, &'static str) {
        let served = |status, name| (AnswerResult::SUCCESS, Some(status), name);
        let refused = |name| (EQUIPMENT_UNKNOWN, None, name);
        let policy = self.config.equipment;
        let Some(imei) = request.terminal.imei else {
            return match policy.absent {
                Otherwise::Allow => served(EquipmentStatus::WHITE, "absent"),
                Otherwise::Refuse => refused("absent"),
            };
        };
        let subscriber = request.imsi.and_then(|i| self.subscribers.by_imsi(i));
        if subscriber.is_some_and(|s| is_bound_elsewhere(s, imei)) {
            return served(EquipmentStatus::BLACK, Objection::Bound.name());
        }
        let version = version(request.terminal.software_version.as_deref());
        match (self.equipment.list_of(imei, version), policy.unknown) {
            (Some(list @ List::White), _) => served(EquipmentStatus::WHITE, list.name()),
            (Some(list @ List::Grey), _) => served(EquipmentStatus::GREY, list.name()),
            (Some(list @ List::Black), _) => served(EquipmentStatus::BLACK, list.name()),
            (None, Otherwise::Allow) => served(EquipmentStatus::WHITE, "unknown"),
            (None, Otherwise::Refuse) => refused("unknown"),
        }
    }

    /// Why a SIM may not be in the equipment of a location update.
    pub(crate) fn equipment_objection(
        &self,
        subscriber: &Subscriber,
        imei: Option<Imei>,
        software_version: Option<&str>,
    ) -> Option<Objection> {
        let Some(imei) = imei else {
            let bound = subscriber.binding() != Binding::Any;
            let refused = bound && self.config.equipment.absent == Otherwise::Refuse;
            return refused.then_some(Objection::Absent);
        };
        if is_bound_elsewhere(subscriber, imei) {
            return Some(Objection::Bound);
        }
        let list = self.equipment.list_of(imei, version(software_version));
        (list == Some(List::Black)).then_some(Objection::Black)
    }

    pub(crate) fn tell_objection(&mut self, imsi: Imsi, imei: Option<Imei>, why: Objection) {
        self.tell(Event::EquipmentRefused {
            imsi,
            imei,
            why: why.name(),
        });
    }

    /// A SIM that is to stay where it is first seen has been seen. Tells the batch that makes it
    /// durable, if anything has changed.
    pub(crate) fn bind_first_seen(&mut self, ix: RowIx, imei: Imei) -> Option<PersistSeq> {
        let subscriber = self.subscribers.get(ix)?;
        (subscriber.binding() == Binding::FirstSeen)
            .then(|| self.set_binding(ix, Binding::To(imei)))
            .flatten()
    }

    /// Sets in which equipment a SIM may be. It counts from the next location update on.
    pub(crate) fn set_binding(&mut self, ix: RowIx, binding: Binding) -> Option<PersistSeq> {
        let subscriber = self.subscribers.get_mut(ix)?;
        subscriber.set_binding(binding);
        let (imsi, key) = (subscriber.imsi, row::imsi_key(subscriber.imsi));
        let seq = match binding {
            Binding::Any => self.journal.delete(Table::Binding, key),
            _ => self.journal.put(Table::Binding, key, &binding),
        };
        self.tell(Event::EquipmentBound { imsi, binding });
        Some(seq)
    }

    /// An MME tells that a registered SIM is in other equipment now.
    pub(crate) fn saw_equipment(&mut self, ix: RowIx, imei: Imei) {
        let Some(subscriber) = self.subscribers.get(ix) else {
            return;
        };
        let imsi = subscriber.imsi;
        let location = self.subscribers.location(subscriber);
        if let Some(why) = self.equipment_objection(subscriber, Some(imei), None) {
            self.tell_objection(imsi, Some(imei), why);
        }
        let Some(mut location) = location else {
            return;
        };
        if location.imei != Some(imei) {
            location.imei = Some(imei);
            let key = row::imsi_key(imsi);
            self.journal.put(Table::Location, key, &location);
            self.subscribers.set_location(ix, Some(location));
        }
    }
}
