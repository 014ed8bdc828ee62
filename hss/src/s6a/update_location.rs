//! Update location, TS 29.272 §5.2.1.1: an MME registers for a SIM.
//!
//! A registration that changes something is durable before it is answered: an MME that the store
//! forgot in a crash could not be told to let go of a SIM. One that changes nothing costs no write.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use heiiki_diameter::s6a::{
    CancellationType, RAT_NOT_ALLOWED, RAT_TYPE_EUTRAN, ROAMING_NOT_ALLOWED,
    UNKNOWN_EPS_SUBSCRIPTION, USER_UNKNOWN, UpdateLocationAnswer, UpdateLocationRequest, ula_flags,
    ulr_flags,
};
use heiiki_diameter::{AnswerResult, ResultCode};
use heiiki_types::{Imsi, Now, PersistSeq};

use super::{Ask, Waiting};
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
            Err(refusal) => return self.refuse_update(now, ask, &request, refusal),
        };
        let location = Location {
            node: ServingNode {
                host: request.origin_host.clone(),
                realm: request.origin_realm.clone(),
                via: ask.via.clone(),
            },
            plmn: request.visited_plmn,
            since: now.wall,
            purged: false,
        };
        // With the state check switched off, a SIM that is not to be served keeps its state.
        let next = state.next(StateEvent::LocationUpdate).unwrap_or(state);
        let Some(subscriber) = self.subscribers.get(ix) else {
            return;
        };
        let settled = subscriber.location_seq;
        let previous = self.subscribers.location(subscriber);
        let same = previous.as_ref().is_some_and(|old| {
            old.node == location.node && !old.purged && old.plmn == location.plmn
        });
        if same && next == state && self.journal.is_durable(settled) {
            let known = (ix, state);
            return self.accept_update(now, ask, &request, known, previous);
        }
        if self.journal.has_failed() {
            let result = ResultCode::UNABLE_TO_COMPLY.into();
            return self.refuse_update(now, ask, &request, (result, None));
        }
        if self.is_full() {
            let result = ResultCode::TOO_BUSY.into();
            return self.refuse_update(now, ask, &request, (result, None));
        }
        let seq = self.register(&request, ix, (!same).then_some(location), next);
        let waiting = Waiting::UpdateLocation {
            ask,
            request,
            ix,
            state,
            previous,
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
        if !self.subscribers.has_apns(subscriber) {
            return Err((UNKNOWN_EPS_SUBSCRIPTION, None));
        }
        if request.rat_type != RAT_TYPE_EUTRAN || request.ulr_flags & ulr_flags::S6A == 0 {
            return Err((RAT_NOT_ALLOWED, None));
        }
        if !ask.visited_allowed {
            return Err((ROAMING_NOT_ALLOWED, None));
        }
        Ok((ix, state))
    }

    /// The registration survives now. A cut that came meanwhile has answered it already.
    pub(super) fn location_is_durable(
        &mut self,
        now: Now,
        ask: Ask,
        request: &UpdateLocationRequest,
        known: (RowIx, State),
        previous: Option<Location>,
    ) {
        self.accept_update(now, ask, request, known, previous);
    }

    /// The disk failed: the registration did not happen.
    pub(super) fn location_is_lost(
        &mut self,
        now: Now,
        ask: Ask,
        request: &UpdateLocationRequest,
        (ix, _): (RowIx, State),
        previous: Option<Location>,
    ) {
        self.subscribers.set_location(ix, previous);
        if let Some(subscriber) = self.subscribers.get_mut(ix) {
            subscriber.location_seq = PersistSeq::default();
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
                ..
            } = waiting
            else {
                continue;
            };
            before.extend(previous.filter(|p| !p.purged).map(|p| p.node));
            let refusal = self
                .subscribers
                .get(ix)
                .and_then(|s| self.refusal_at_ulr(s))
                .unwrap_or_else(|| (ResultCode::UNABLE_TO_COMPLY.into(), None));
            self.refuse_update(now, ask, &request, refusal);
        }
        before
    }

    fn accept_update(
        &mut self,
        now: Now,
        ask: Ask,
        request: &UpdateLocationRequest,
        (ix, state): (RowIx, State),
        previous: Option<Location>,
    ) {
        let Some(subscriber) = self.subscribers.get(ix) else {
            return;
        };
        let live = previous.filter(|p| !p.purged);
        let (stayed, moved) = match live {
            Some(p) if p.is_at(&request.origin_host) => (true, None),
            other => (false, other),
        };
        let skip = request.ulr_flags & ulr_flags::SKIP_SUBSCRIBER_DATA != 0 && stayed;
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
            previous: moved.as_ref().map(|p| p.node.host.clone()),
        });
        // Whatever was still to be said to this MME about older registrations is void now.
        self.forget_cancellation(request.imsi, &request.origin_host);
        self.answer(now, ask, answer.to_message());
        if let Some(previous) = moved {
            let kind = CancellationType::MME_UPDATE_PROCEDURE;
            self.cancel_location(now, request.imsi, previous.node, kind, None);
        }
    }

    fn refuse_update(
        &mut self,
        now: Now,
        ask: Ask,
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
            supported_features: Vec::new(),
            failed_avp: Vec::new(),
        }
    }
}
