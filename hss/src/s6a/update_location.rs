//! Update location, TS 29.272 §5.2.1.1: an MME registers for a SIM.
//!
//! A registration that changes something is durable before it is answered: an MME that the store
//! forgot in a crash could not be told to let go of a SIM. One that changes nothing costs no write.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use heiiki_diameter::s6a::{
    RAT_NOT_ALLOWED, ROAMING_NOT_ALLOWED, UNKNOWN_EPS_SUBSCRIPTION, USER_UNKNOWN,
    UpdateLocationAnswer, UpdateLocationRequest, error_diagnostic, odb, rat_type, restriction,
    ula_flags, ulr_flags,
};
use heiiki_diameter::{AnswerResult, ResultCode};
use heiiki_types::{Imsi, Now, PersistSeq};

use super::{Ask, Waiting};
use crate::equipment::Binding;
use crate::event::{Answered, Event};
use crate::node::Hss;
use crate::storage::Deferred;
use crate::subscriber::row::{self, StateRow, Table};
use crate::subscriber::{Location, RowIx, ServingNode, State, StateEvent, profile};

/// A result, and Error-Diagnostic beside it.
type Refusal = (AnswerResult, Option<u32>);

impl Hss {
    pub(super) fn update_location(
        &mut self,
        now: Now,
        ask: Ask,
        request: Box<UpdateLocationRequest>,
    ) {
        let (ix, state) = match self.may_register(&ask, &request) {
            Ok(found) => found,
            Err(refusal) => return self.refuse_update(now, &ask, &request, refusal),
        };
        let location = Location {
            node: ServingNode {
                host: request.origin_host.clone(),
                realm: request.origin_realm.clone(),
                via: String::from(&*ask.via),
            },
            plmn: request.visited_plmn,
            since: now.wall,
            purged: false,
            imei: request.terminal_information,
        };
        // With the state check switched off, a SIM that is not to be served keeps its state.
        let next = state.next(StateEvent::LocationUpdate).unwrap_or(state);
        let Some(subscriber) = self.subscribers.get(ix) else {
            return;
        };
        let settled = subscriber.location_seq;
        let previous = self.subscribers.location(subscriber);
        let same = previous.as_ref().is_some_and(|old| {
            let here = old.node == location.node && !old.purged;
            here && old.plmn == location.plmn && old.imei == location.imei
        });
        let unbound = subscriber.binding() == Binding::FirstSeen && location.imei.is_some();
        if same && next == state && !unbound && self.journal.is_durable(settled) {
            let known = (ix, state);
            return self.accept_update(now, &ask, &request, known, (previous, None));
        }
        if self.journal.is_stuck() {
            let result = ResultCode::UNABLE_TO_COMPLY.into();
            return self.refuse_update(now, &ask, &request, (result, None));
        }
        if self.is_full() {
            let result = ResultCode::TOO_BUSY.into();
            return self.refuse_update(now, &ask, &request, (result, None));
        }
        let moved = previous
            .as_ref()
            .filter(|p| !p.purged && !p.is_at(&request.origin_host));
        let moved = moved.map(|p| p.node.clone());
        let moved = moved.and_then(|node| self.hold_cancellation(request.imsi, node));
        self.forget_held_at(request.imsi, &request.origin_host);
        let seq = self.register(&request, ix, (!same).then_some(location), next);
        let waiting = Waiting::UpdateLocation {
            ask,
            request,
            ix,
            state,
            previous,
            moved,
        };
        self.wait_for(now, seq, Deferred::Answer(waiting));
    }

    /// Takes a registration into memory and into the batch of this step. Tells which batch that is.
    fn register(
        &mut self,
        request: &UpdateLocationRequest,
        ix: RowIx,
        location: Option<Location>,
        state: State,
    ) -> PersistSeq {
        if let Some(imei) = request.terminal_information
            && let Some(seq) = self.bind_first_seen(ix, imei)
            && let Some(subscriber) = self.subscribers.get_mut(ix)
        {
            subscriber.location_seq = seq;
        }
        for gateway in self.active_gateways(ix, request) {
            self.store_gateway(ix, gateway);
        }
        let Some(subscriber) = self.subscribers.get_mut(ix) else {
            return PersistSeq::default();
        };
        let key = row::imsi_key(subscriber.imsi);
        if let Some(location) = location {
            subscriber.location_seq = self.journal.put(Table::Location, key.clone(), &location);
            self.subscribers.set_location(ix, Some(location));
        }
        let Some(subscriber) = self.subscribers.get_mut(ix) else {
            return PersistSeq::default();
        };
        let from = core::mem::replace(&mut subscriber.state, state);
        if from == state {
            return subscriber.location_seq;
        }
        let standing = subscriber.standing().clone();
        let version = standing.version;
        subscriber.location_seq =
            self.journal
                .put(Table::State, key, &StateRow { state, standing });
        let seq = subscriber.location_seq;
        self.tell(Event::StateChanged {
            imsi: request.imsi,
            from,
            to: state,
            verb: None,
            actor: request.origin_host.clone(),
            reason: String::from("first location update"),
            version,
        });
        seq
    }

    /// The checks in the order of TS 29.272 §5.2.1.1.3.
    fn may_register(
        &mut self,
        ask: &Ask,
        request: &UpdateLocationRequest,
    ) -> Result<(RowIx, State), Refusal> {
        let unknown = (USER_UNKNOWN, None);
        let ix = self.subscribers.find(request.imsi).ok_or(unknown)?;
        let subscriber = self.subscribers.get(ix).ok_or(unknown)?;
        let state = subscriber.state;
        if let Some(refusal) = self.refusal_at_ulr(subscriber) {
            self.saw_refusal(request.imsi);
            return Err(refusal);
        }
        let profile = self.subscribers.profile(subscriber);
        let Some(profile) = profile.filter(|p| !p.apns.is_empty()) else {
            let diagnostic = error_diagnostic::NO_GPRS_DATA_SUBSCRIBED;
            return Err((UNKNOWN_EPS_SUBSCRIPTION, Some(diagnostic)));
        };
        if !is_radio_allowed(request, profile.access_restriction) {
            return Err((RAT_NOT_ALLOWED, None));
        }
        if !ask.visited_allowed {
            return Err((ROAMING_NOT_ALLOWED, None));
        }
        if let Some(diagnostic) = barred(request, profile.barring) {
            return Err((ROAMING_NOT_ALLOWED, Some(diagnostic)));
        }
        let imei = request.terminal_information;
        let version = request.software_version.as_deref();
        if let Some(why) = self.equipment_objection(subscriber, imei, version) {
            self.tell_objection(request.imsi, imei, why);
            // S6a has no result for equipment. After this one every MME tells the UE that the SIM
            // is not served, until it is taken out: in the right device it works again.
            return Err(unknown);
        }
        Ok((ix, state))
    }

    /// The registration survives now. A cut that came meanwhile has answered it already.
    pub(super) fn location_is_durable(
        &mut self,
        now: Now,
        ask: &Ask,
        request: &UpdateLocationRequest,
        known: (RowIx, State),
        before: (Option<Location>, Option<u64>),
    ) {
        self.accept_update(now, ask, request, known, before);
    }

    /// The disk failed: the registration did not happen.
    pub(super) fn location_is_lost(
        &mut self,
        now: Now,
        ask: &Ask,
        request: &UpdateLocationRequest,
        ix: RowIx,
        (previous, moved): (Option<Location>, Option<u64>),
    ) {
        self.forget_held(moved);
        // The registration's row may still get to a disk that is only full: what is true goes after
        // it. One that has failed keeps what it has.
        let key = row::imsi_key(request.imsi);
        let seq = match &previous {
            _ if self.journal.has_failed() => PersistSeq::default(),
            Some(previous) => self.journal.put(Table::Location, key, previous),
            None => self.journal.delete(Table::Location, key),
        };
        self.subscribers.set_location(ix, previous);
        if let Some(subscriber) = self.subscribers.get_mut(ix) {
            subscriber.location_seq = seq;
        }
        let refusal = (ResultCode::UNABLE_TO_COMPLY.into(), None);
        self.refuse_update(now, ask, request, refusal);
    }

    /// Answers every location update of `imsi` that still waits for the disk with the refusal of
    /// its new state, so that a cancellation can follow on the same connection. Tells where the SIM
    /// was before these updates.
    pub(crate) fn refuse_waiting_updates(&mut self, now: Now, imsi: Imsi) -> Vec<ServingNode> {
        let mut before = Vec::new();
        for waiting in self.take_waiting_updates(imsi) {
            let Waiting::UpdateLocation {
                ask,
                request,
                ix,
                previous,
                moved,
                ..
            } = waiting
            else {
                continue;
            };
            // Whoever ends the updates cancels at all these places.
            self.forget_held(moved);
            before.extend(previous.filter(|p| !p.purged).map(|p| p.node));
            let refusal = self
                .subscribers
                .get(ix)
                .and_then(|s| self.refusal_at_ulr(s))
                .unwrap_or_else(|| (ResultCode::UNABLE_TO_COMPLY.into(), None));
            self.refuse_update(now, &ask, &request, refusal);
        }
        before
    }

    fn accept_update(
        &mut self,
        now: Now,
        ask: &Ask,
        request: &UpdateLocationRequest,
        (ix, state): (RowIx, State),
        (previous, moved): (Option<Location>, Option<u64>),
    ) {
        let Some(subscriber) = self.subscribers.get(ix) else {
            return;
        };
        let live = previous.filter(|p| !p.purged);
        let stayed = live.as_ref().is_some_and(|p| p.is_at(&request.origin_host));
        let left = live.filter(|_| !stayed);
        // Another MME's update may have come before this one was durable.
        let is_here = self
            .subscribers
            .serving_node(subscriber)
            .is_some_and(|n| n.host.eq_ignore_ascii_case(&request.origin_host));
        let skip = request.ulr_flags & ulr_flags::SKIP_SUBSCRIBER_DATA != 0
            && stayed
            && !self.has_update(request.imsi);
        let subscription =
            (!skip).then(|| Box::new(profile::subscription_data(&self.subscribers, subscriber)));
        let answer = UpdateLocationAnswer {
            ula_flags: Some(ula_flags::SEPARATION),
            subscription,
            ..self.update_answer(request, (AnswerResult::SUCCESS, None))
        };
        self.tell(Event::UpdateLocation {
            imsi: request.imsi,
            host: request.origin_host.clone(),
            visited: request.visited_plmn,
            state: Some(state),
            result: Answered(AnswerResult::SUCCESS),
            previous: left.map(|p| p.node.host),
        });
        // Whatever was still to be said to this MME about older registrations is void now.
        if is_here {
            self.forget_cancellation(request.imsi, &request.origin_host);
        }
        self.forget_updates(request.imsi);
        self.answer(now, ask, answer.to_message());
        if let Some(tag) = moved.filter(|tag| self.cancellations.is_held(*tag)) {
            self.send_errand(now, tag);
        }
    }

    fn refuse_update(
        &mut self,
        now: Now,
        ask: &Ask,
        request: &UpdateLocationRequest,
        refusal: Refusal,
    ) {
        let state = self.subscribers.by_imsi(request.imsi).map(|s| s.state);
        self.tell(Event::UpdateLocation {
            imsi: request.imsi,
            host: request.origin_host.clone(),
            visited: request.visited_plmn,
            state,
            result: Answered(refusal.0),
            previous: None,
        });
        let answer = self.update_answer(request, refusal);
        self.answer(now, ask, answer.to_message());
    }

    fn update_answer(
        &self,
        request: &UpdateLocationRequest,
        (result, error_diagnostic): Refusal,
    ) -> UpdateLocationAnswer {
        UpdateLocationAnswer {
            session_id: request.session_id.clone(),
            result,
            origin_host: self.config.origin_host.clone(),
            origin_realm: self.config.origin_realm.clone(),
            error_diagnostic,
            ula_flags: None,
            subscription: None,
            supported_features: super::features_for(&request.supported_features),
            failed_avp: Vec::new(),
        }
    }
}

/// Whether the SIM may use the radio that the request comes from. What an SGSN asks is never
/// served: this HSS has no S6d (TS 29.272 §7.3.7, bit 1).
fn is_radio_allowed(request: &UpdateLocationRequest, restricted: u32) -> bool {
    let bit = match request.rat_type {
        rat_type::EUTRAN => restriction::WB_EUTRAN,
        rat_type::EUTRAN_NB_IOT => restriction::NB_IOT,
        rat_type::LTE_M => restriction::LTE_M,
        _ => return false,
    };
    request.ulr_flags & ulr_flags::S6A != 0 && restricted & bit == 0
}

/// Error-Diagnostic of what the operator bars. All access points are at home, so a bar of the
/// visited network's bars nothing.
fn barred(request: &UpdateLocationRequest, bars: u32) -> Option<u32> {
    let roams = !request.imsi.is_of(request.visited_plmn);
    if bars & odb::ALL_PACKET_SERVICES != 0 {
        Some(error_diagnostic::ODB_ALL_APN)
    } else if roams && bars & odb::ROAMER_HPLMN_AP != 0 {
        Some(error_diagnostic::ODB_HPLMN_APN)
    } else {
        None
    }
}
