//! Changes of a subscription while its SIM is registered, TS 29.272 §5.2.2: what an MME was told and
//! is true no more is withdrawn, then the whole profile is sent anew.
//!
//! An update is durable until its MME has answered, like a cancellation, and is sent again until
//! then. What it says is made from the profile at the moment of sending, so that several changes in
//! a row become one. It is forgotten when the SIM registers anew or is gone from there: the answer
//! to a location update brings the profile anyway.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use heiiki_diameter::s6a::{
    CancellationType, DeleteSubscriberDataRequest, InsertSubscriberDataRequest, ServiceSelection,
    SubscriptionData, SupportedFeatures, USER_UNKNOWN, dsr_flags,
};
use heiiki_diameter::{AnswerResult, Message};
use heiiki_types::{Imsi, Now};

use super::errands::{Errand, Update};
use crate::event::{Answered, Event};
use crate::node::Hss;
use crate::subscriber::profile;
use crate::subscriber::row::Table;

/// How often an update that its MME refuses is sent before it is given up.
const ATTEMPTS_AFTER_REFUSAL: u32 = 8;

impl Hss {
    /// What the MME of a SIM was told, or would be told: to be taken before a change.
    pub(crate) fn told(&self, imsi: Imsi) -> Option<SubscriptionData> {
        let subscriber = self.subscribers.by_imsi(imsi)?;
        Some(profile::subscription_data(&self.subscribers, subscriber))
    }

    /// The subscription has changed; `before` is what [`told`](Self::told) said before. If the SIM
    /// is registered and its MME would be told something else now, the MME hears of it.
    pub(crate) fn profile_changed(
        &mut self,
        now: Now,
        imsi: Imsi,
        before: Option<&SubscriptionData>,
    ) {
        let Some(subscriber) = self.subscribers.by_imsi(imsi) else {
            return;
        };
        let Some(node) = self.subscribers.serving_node(subscriber).cloned() else {
            return;
        };
        let after = profile::subscription_data(&self.subscribers, subscriber);
        if before == Some(&after) {
            return;
        }
        if after.apn_profile.as_ref().is_none_or(|p| p.apns.is_empty()) {
            // A profile without an access point cannot be sent: there is nothing left to serve.
            let kind = CancellationType::SUBSCRIPTION_WITHDRAWAL;
            self.forget_updates(imsi);
            return self.cancel_location(now, imsi, node, kind, None);
        }
        // While an older update is not answered, what the MME counts is not known: the whole
        // profile, which replaces all that it has, says enough.
        let known = self.updates.of(imsi).is_empty();
        let (withdrawn, contexts) = match before.filter(|_| known) {
            Some(before) => withdrawn(before, &after),
            None => (0, Vec::new()),
        };
        if self.updates.len() >= self.config.limits.waiting {
            let host = node.host;
            let why = "too many updates wait; the MME learns of the change at the next location \
                       update";
            return self.tell(Event::UpdateUnanswered {
                imsi,
                host,
                why,
                again: false,
            });
        }
        let claimed = self.endpoint.connection_of(&node.via).is_some();
        let update = Update {
            imsi,
            node,
            withdrawn,
            contexts,
            claimed,
            // An epoch is one start of one front end.
            change: self.epoch.0 << 32 | self.updates.next_number(),
        };
        self.journal.put(Table::Update, update.key(), &update);
        let tag = self.updates.add(update);
        self.send_errand(now, tag);
    }

    /// Sends the next part of an update, or parks it until its peer is connected.
    pub(crate) fn send_update(&mut self, now: Now, tag: u64) {
        let Some(update) = self.updates.get(tag).cloned() else {
            return;
        };
        let Some(conn) = self.endpoint.connection_of(&update.node.via) else {
            self.updates.park(tag);
            return;
        };
        let Some(data) = self.told(update.imsi) else {
            return self.end_update(tag);
        };
        let session_id = self.session_id();
        let (request, message) = if update.withdrawn == 0 {
            ("idr", self.insert(session_id, &update, data))
        } else {
            ("dsr", self.delete(session_id, &update))
        };
        if self
            .endpoint
            .send_request(now.at, conn, message, tag)
            .is_err()
        {
            let at = now.at + self.config.timers.retry_first;
            self.updates.again(tag, at);
            return;
        }
        let attempt = self.updates.sent(tag);
        self.tell(Event::UpdateSent {
            imsi: update.imsi,
            host: update.node.host,
            request,
            attempt,
        });
    }

    fn insert(&self, session_id: String, update: &Update, data: SubscriptionData) -> Message {
        let request = InsertSubscriberDataRequest {
            session_id,
            origin_host: self.config.origin_host.clone(),
            origin_realm: self.config.origin_realm.clone(),
            destination_host: update.node.host.clone(),
            destination_realm: update.node.realm.clone(),
            imsi: update.imsi,
            subscription: Box::new(data),
            idr_flags: None,
            supported_features: Vec::from([SupportedFeatures::list_1(super::FEATURES)]),
            route_record: Vec::new(),
        };
        request.to_message()
    }

    fn delete(&self, session_id: String, update: &Update) -> Message {
        let request = DeleteSubscriberDataRequest {
            session_id,
            origin_host: self.config.origin_host.clone(),
            origin_realm: self.config.origin_realm.clone(),
            destination_host: update.node.host.clone(),
            destination_realm: update.node.realm.clone(),
            imsi: update.imsi,
            dsr_flags: update.withdrawn,
            contexts: update.contexts.clone(),
            supported_features: Vec::new(),
            route_record: Vec::new(),
        };
        request.to_message()
    }

    /// An MME answered.
    pub(crate) fn update_answered(&mut self, now: Now, tag: u64, message: &Message) {
        let Some(update) = self.updates.get(tag).cloned() else {
            return;
        };
        let Some(result) = message.result() else {
            return self.update_unanswered(now, tag, "the answer has no result");
        };
        self.tell(Event::UpdateAnswered {
            imsi: update.imsi,
            host: update.node.host.clone(),
            result: Answered(result),
        });
        let unsupported = matches!(result, AnswerResult::Base(code) if code.is_protocol_error());
        if result == USER_UNKNOWN || (unsupported && update.withdrawn == 0) {
            // Nothing is there to change, or the node cannot do it.
            return self.end_update(tag);
        }
        if result.is_success() || unsupported {
            if update.withdrawn == 0 {
                return self.end_update(tag);
            }
            // What is withdrawn is said; the rest follows. An MME that knows no such request gets
            // the whole profile, which withdraws access points too.
            let rest = Update {
                withdrawn: 0,
                contexts: Vec::new(),
                claimed: true,
                ..update
            };
            self.journal.put(Table::Update, rest.key(), &rest);
            let tag = self.updates.add(rest);
            return self.send_update(now, tag);
        }
        let again = self.updates.attempts(tag) < ATTEMPTS_AFTER_REFUSAL;
        if again {
            self.update_unanswered(now, tag, "the MME did not do it");
        } else {
            self.tell(Event::UpdateUnanswered {
                imsi: update.imsi,
                host: update.node.host,
                why: "the MME does not do it; it learns of the change at the next location update",
                again,
            });
            self.end_update(tag);
        }
    }

    /// There was no answer, or not the wanted one: once more, later.
    pub(crate) fn update_unanswered(&mut self, now: Now, tag: u64, why: &'static str) {
        let Some(update) = self.updates.get(tag).cloned() else {
            return;
        };
        let at = now.at + self.backoff(self.updates.attempts(tag));
        self.updates.again(tag, at);
        self.tell(Event::UpdateUnanswered {
            imsi: update.imsi,
            host: update.node.host,
            why,
            again: true,
        });
    }

    /// Whether an MME has not heard yet of a change of the SIM.
    pub(super) fn has_update(&self, imsi: Imsi) -> bool {
        !self.updates.of(imsi).is_empty()
    }

    /// The SIM registered anew, or left: no MME has to hear of older changes.
    pub(crate) fn forget_updates(&mut self, imsi: Imsi) {
        if self.updates.len() == 0 {
            return;
        }
        for tag in self.updates.of(imsi) {
            self.end_update(tag);
        }
    }

    fn end_update(&mut self, tag: u64) {
        if let Some(update) = self.updates.remove(tag) {
            self.journal.delete(Table::Update, update.key());
        }
    }
}

/// DSR-Flags and Context-Identifiers of what is not there any more. The default access point is
/// never withdrawn (TS 29.272 §5.2.2.2.2): another one takes its place.
fn withdrawn(before: &SubscriptionData, after: &SubscriptionData) -> (u32, Vec<u32>) {
    let gone = |before: bool, after: bool, bit: u32| if before && !after { bit } else { 0 };
    let mut flags = gone(
        before.charging_characteristics.is_some(),
        after.charging_characteristics.is_some(),
        dsr_flags::CHARGING_CHARACTERISTICS,
    ) | gone(
        before.subscribed_rau_tau_timer_s.is_some(),
        after.subscribed_rau_tau_timer_s.is_some(),
        dsr_flags::PERIODIC_RAU_TAU_TIMER,
    ) | gone(
        before.msisdn.is_some(),
        after.msisdn.is_some(),
        dsr_flags::MSISDN,
    );
    let mut contexts = Vec::new();
    if let (Some(before), Some(after)) = (&before.apn_profile, &after.apn_profile) {
        let stays = |apn: &ServiceSelection| after.apns.iter().any(|a| a.apn == *apn);
        let gone = before.apns.iter().filter(|a| !stays(&a.apn));
        contexts = gone
            .map(|a| a.context)
            .filter(|context| *context != before.default_context)
            .collect();
    }
    if !contexts.is_empty() {
        flags |= dsr_flags::PDN_SUBSCRIPTION_CONTEXTS;
    }
    (flags, contexts)
}
