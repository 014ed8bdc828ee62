//! Cancel location, TS 29.272 §5.2.1.2: the HSS tells an MME to let go of a SIM.
//!
//! A cancellation is durable until it is answered, and is sent again until then: after a while, and
//! whenever the peer that the MME was learned from connects again. One that only tidies up after a
//! move is given up in the end; one that a cut asks for never is.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use heiiki_diameter::dictionary::SUBSCRIBER_STATUS;
use heiiki_diameter::s6a::{
    CancelLocationAnswer, CancelLocationRequest, CancellationType, USER_UNKNOWN, clr_flags,
};
use heiiki_diameter::{AnswerResult, Avp, Message};
use heiiki_types::{Imsi, Instant, Now};

use super::errands::{Cancellation, Errand, Kind};
use crate::cut::{CutId, Stamp};
use crate::event::{Answered, Event};
use crate::node::Hss;
use crate::subscriber::row::{self, Table};
use crate::subscriber::{ServingNode, State};

/// The value of Subscriber-Status for a barred SIM, TS 29.272 §7.3.29.
const OPERATOR_DETERMINED_BARRING: u32 = 1;
/// How often a cancellation after a move is sent before it is given up.
const ATTEMPTS_AFTER_MOVE: u32 = 8;

impl Hss {
    /// Starts a cancellation at `node`. The MME is told at once if its connection is
    /// open.
    pub(crate) fn cancel_location(
        &mut self,
        now: Now,
        imsi: Imsi,
        node: ServingNode,
        kind: CancellationType,
        cut: Option<CutId>,
    ) {
        let Some(tag) = self.enter_cancellation(imsi, node, kind, cut) else {
            return;
        };
        if cut.is_some() {
            // What takes service away waits for nothing.
            self.send_cancellation(now, tag);
        } else {
            self.send_errand(now, tag);
        }
    }

    /// Enters the cancellation at the MME that a SIM moves away from, in the batch of the move
    /// itself: no crash comes between the two. It is sent once that batch is durable.
    pub(crate) fn hold_cancellation(&mut self, imsi: Imsi, node: ServingNode) -> Option<u64> {
        let kind = CancellationType::MME_UPDATE_PROCEDURE;
        let tag = self.enter_cancellation(imsi, node, kind, None)?;
        self.cancellations.hold(tag);
        Some(tag)
    }

    fn enter_cancellation(
        &mut self,
        imsi: Imsi,
        node: ServingNode,
        kind: CancellationType,
        cut: Option<CutId>,
    ) -> Option<u64> {
        if cut.is_none() && self.cancellations.len() >= self.config.limits.waiting {
            self.tell(Event::CancelUnanswered {
                imsi,
                host: node.host,
                cut,
                why: "too many cancellations wait",
                again: false,
            });
            return None;
        }
        let claimed = self.endpoint.connection_of(&node.via).is_some();
        let cancellation = Cancellation {
            imsi,
            node,
            kind: kind.0,
            cut: cut.map(CutId::number),
            claimed,
        };
        self.journal
            .put(Table::Cancellation, cancellation.key(), &cancellation);
        Some(self.cancellations.add(cancellation))
    }

    /// Enters a cancellation of a bulk order: it is sent when all bars are put and its turn comes.
    pub(crate) fn cancel_location_later(
        &mut self,
        imsi: Imsi,
        node: ServingNode,
        kind: CancellationType,
        cut: CutId,
    ) {
        let claimed = self.endpoint.connection_of(&node.via).is_some();
        let cancellation = Cancellation {
            imsi,
            node,
            kind: kind.0,
            cut: Some(cut.number()),
            claimed,
        };
        self.journal
            .put(Table::Cancellation, cancellation.key(), &cancellation);
        let tag = self.cancellations.add(cancellation);
        self.cancellations.queue(tag);
    }

    /// Sends what waits for its turn, so many at a time.
    pub(crate) fn pump_cancellations(&mut self, now: Now) {
        // Where front ends share a store, another one may be putting bars.
        let elsewhere = self.shared.is_some() && self.bulks.not_given().next().is_some();
        if self.bulks.is_giving() || elsewhere {
            return;
        }
        while let Some(tag) = self
            .cancellations
            .next_queued(self.config.limits.cancellations)
        {
            self.send_cancellation(now, tag);
        }
    }

    /// Tells an MME that a SIM is barred for now rather than withdrawn, so that it does not keep
    /// the UE away for good. The AVP stands among the free ones of the request, without the M bit:
    /// an MME that does not know it there passes over it.
    fn barred(&self, imsi: Imsi) -> Option<Avp> {
        let paused = self.subscribers.by_imsi(imsi)?.state == State::Inactive;
        let status = Avp::u32(&SUBSCRIBER_STATUS, OPERATOR_DETERMINED_BARRING);
        paused.then_some(Avp {
            mandatory: false,
            ..status
        })
    }

    /// Sends a cancellation, or parks it until its peer is connected.
    pub(crate) fn send_cancellation(&mut self, now: Now, tag: u64) {
        let Some(cancellation) = self.cancellations.get(tag).cloned() else {
            return;
        };
        let Some(conn) = self.endpoint.connection_of(&cancellation.node.via) else {
            self.cancellations.park(tag);
            return;
        };
        let request = CancelLocationRequest {
            session_id: self.session_id(),
            origin_host: self.config.origin_host.clone(),
            origin_realm: self.config.origin_realm.clone(),
            destination_host: cancellation.node.host.clone(),
            destination_realm: cancellation.node.realm.clone(),
            imsi: cancellation.imsi,
            cancellation_type: CancellationType(cancellation.kind),
            // Reattach-Required stays clear: a cut SIM shall not come back at once.
            clr_flags: Some(clr_flags::S6A),
            supported_features: Vec::new(),
            route_record: Vec::new(),
        };
        let mut message = request.to_message();
        message.avps.extend(self.barred(cancellation.imsi));
        let sent = self.endpoint.send_request(now.at, conn, message, tag);
        if sent.is_err() {
            let at = now.at + self.config.timers.retry_first;
            self.cancellations.again(tag, at);
            return;
        }
        let attempt = self.cancellations.sent(tag);
        let cut = cancellation.cut.map(CutId);
        self.tell(Event::CancelSent {
            imsi: cancellation.imsi,
            host: cancellation.node.host.clone(),
            cancellation_type: cancellation.kind,
            cut,
            attempt,
        });
        if let Some(id) = cut {
            self.stamp_node(id, &cancellation.node.host, attempt, |leg| {
                let first = leg.t2.is_none();
                leg.t2 = leg.t2.or(Some(now.at));
                first.then_some((Stamp::T2, now.at))
            });
        }
    }

    /// An MME answered.
    pub(crate) fn cancellation_answered(&mut self, now: Now, tag: u64, message: &Message) {
        let Some(cancellation) = self.cancellations.get(tag).cloned() else {
            return;
        };
        let result = CancelLocationAnswer::from_message(message)
            .ok()
            .map(|answer| answer.result)
            .or_else(|| message.result());
        let Some(result) = result else {
            self.cancellation_unanswered(now, tag, "the answer has no result");
            return;
        };
        let cut = cancellation.cut.map(CutId);
        self.tell(Event::CancelAnswered {
            imsi: cancellation.imsi,
            host: cancellation.node.host.clone(),
            result: Answered(result),
            cut,
        });
        // An MME that does not know the SIM has nothing to let go of.
        if result != AnswerResult::SUCCESS && result != USER_UNKNOWN {
            self.cancellation_unanswered(now, tag, "the MME did not do it");
            return;
        }
        let attempts = self.cancellations.attempts(tag);
        self.end_cancellation(tag);
        let Some(id) = cut else {
            return;
        };
        self.leave(cancellation.imsi, &cancellation.node.host);
        self.stamp_node(id, &cancellation.node.host, attempts, |leg| {
            leg.t3 = Some(now.at);
            leg.result = Some(Answered(result).to_string());
            Some((Stamp::T3, now.at))
        });
        self.cut_progress(id);
    }

    /// There was no answer, or not the wanted one: once more, later.
    pub(crate) fn cancellation_unanswered(&mut self, now: Now, tag: u64, why: &'static str) {
        let Some(cancellation) = self.cancellations.get(tag).cloned() else {
            return;
        };
        let attempts = self.cancellations.attempts(tag);
        let again = cancellation.cut.is_some() || attempts < ATTEMPTS_AFTER_MOVE;
        self.tell(Event::CancelUnanswered {
            imsi: cancellation.imsi,
            host: cancellation.node.host.clone(),
            cut: cancellation.cut.map(CutId),
            why,
            again,
        });
        if again {
            let at = now.at + self.backoff(attempts);
            self.cancellations.again(tag, at);
        } else {
            self.end_cancellation(tag);
        }
    }

    /// A peer is connected: what waits for it goes out.
    pub(crate) fn send_parked(&mut self, now: Now, via: &str) {
        for tag in self.cancellations.waiting_for(via) {
            self.cancellations.queue(tag);
        }
        self.pump_cancellations(now);
        for tag in self.updates.waiting_for(via) {
            self.send_update(now, tag);
        }
        for tag in self.resets.waiting_for(via) {
            if self.resets.is_parked(tag) {
                self.send_reset(now, tag);
            }
        }
    }

    /// An MME answered something.
    pub(crate) fn errand_answered(&mut self, now: Now, tag: u64, message: &Message) {
        match Kind::of(tag) {
            Some(Kind::Cancellation) => self.cancellation_answered(now, tag, message),
            Some(Kind::Update) => self.update_answered(now, tag, message),
            Some(Kind::Reset) => self.reset_answered(now, tag, message),
            None => {}
        }
    }

    /// An MME did not answer something.
    pub(crate) fn errand_unanswered(&mut self, now: Now, tag: u64) {
        let why = "no answer in time";
        match Kind::of(tag) {
            Some(Kind::Cancellation) => self.cancellation_unanswered(now, tag, why),
            Some(Kind::Update) => self.update_unanswered(now, tag, why),
            Some(Kind::Reset) => self.reset_unanswered(now, tag),
            None => {}
        }
    }

    /// Sends what is due.
    pub(crate) fn send_due_errands(&mut self, now: Now) {
        while let Some(tag) = self.cancellations.due(now.at) {
            if self.waits_for_bars(tag) {
                self.cancellations.queue(tag);
            } else {
                self.send_cancellation(now, tag);
            }
        }
        while let Some(tag) = self.updates.due(now.at) {
            self.send_update(now, tag);
        }
        self.send_due_resets(now);
    }

    /// The MME has registered the SIM anew: older cancellations there mean nothing any more.
    pub(crate) fn forget_cancellation(&mut self, imsi: Imsi, host: &str) {
        for tag in self.cancellations.of(imsi) {
            let there = self
                .cancellations
                .get(tag)
                .is_some_and(|c| c.node.host.eq_ignore_ascii_case(host));
            if there {
                self.end_cancellation(tag);
            }
        }
    }

    /// A move is taken back, or another one comes before it is durable: what it held is void.
    pub(crate) fn forget_held(&mut self, tag: Option<u64>) {
        if let Some(tag) = tag.filter(|tag| self.cancellations.is_held(*tag)) {
            self.end_cancellation(tag);
        }
    }

    /// The SIM comes back to `host` before its move away from there is durable.
    pub(crate) fn forget_held_at(&mut self, imsi: Imsi, host: &str) {
        for tag in self.cancellations.of(imsi) {
            let there = self
                .cancellations
                .get(tag)
                .is_some_and(|c| c.node.host.eq_ignore_ascii_case(host));
            if there {
                self.forget_held(Some(tag));
            }
        }
    }

    /// A resume: nobody is to let go of the SIM because of an older cut.
    pub(crate) fn forget_cancellations_of_cuts(&mut self, imsi: Imsi) {
        for tag in self.cancellations.of(imsi) {
            if self.cancellations.get(tag).is_some_and(|c| c.cut.is_some()) {
                self.end_cancellation(tag);
            }
        }
    }

    /// Takes over what older cuts still have to say to MMEs of the SIM: the places that are left.
    pub(crate) fn take_over_cancellations(&mut self, imsi: Imsi) -> Vec<ServingNode> {
        let mut places = Vec::new();
        for tag in self.cancellations.of(imsi) {
            let Some(cancellation) = self.cancellations.remove(tag) else {
                continue;
            };
            self.journal.delete(Table::Cancellation, cancellation.key());
            places.push(cancellation.node);
        }
        places
    }

    fn end_cancellation(&mut self, tag: u64) {
        if let Some(cancellation) = self.cancellations.remove(tag) {
            self.journal.delete(Table::Cancellation, cancellation.key());
        }
    }

    /// The SIM is not registered at `host` any more.
    fn leave(&mut self, imsi: Imsi, host: &str) {
        let Some(ix) = self.subscribers.find(imsi) else {
            return;
        };
        let subscriber = self.subscribers.get(ix);
        let location = subscriber.and_then(|s| self.subscribers.location(s));
        if location.is_some_and(|l| l.is_at(host)) {
            self.subscribers.set_location(ix, None);
            self.journal.delete(Table::Location, row::imsi_key(imsi));
        }
    }

    /// Changes an MME's part of a cut, and tells of the stamp that this made.
    fn stamp_node(
        &mut self,
        id: CutId,
        host: &str,
        attempts: u32,
        change: impl FnOnce(&mut crate::cut::NodeLeg) -> Option<(Stamp, Instant)>,
    ) {
        let Some(cut) = self.cuts.get_mut(id) else {
            return;
        };
        let imsi = cut.imsi;
        let Some(leg) = cut.node_mut(host) else {
            return;
        };
        leg.attempts = attempts;
        if let Some((stamp, at)) = change(leg) {
            self.tell(Event::CutStamp {
                cut: id,
                imsi,
                stamp,
                at: at.as_micros(),
                node: Some(String::from(host)),
            });
        }
    }
}
