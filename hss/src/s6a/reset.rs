//! Reset, TS 29.272 §5.2.4.1: the HSS tells MMEs that it may have lost registrations.
//!
//! It is sent after a loss of data or a restore from a backup, never after an ordinary start: every
//! UE concerned registers anew, and that is a load. A start after a restore sends it by itself, also
//! to peers that connect later and that the backup does not know. Requests to different MMEs, and for different
//! prefixes, leave one after the other with a pause between them.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use heiiki_diameter::s6a::{ResetRequest, UserId};
use heiiki_diameter::{AnswerResult, Message};
use heiiki_types::{Instant, Now};

use super::errands::{Errand, Reset};
use crate::event::{Answered, Event};
use crate::node::Hss;
use crate::subscriber::ServingNode;
use crate::subscriber::row::Table;

/// How often a reset is sent to a node that does not take it.
const ATTEMPTS: u32 = 8;

impl Hss {
    /// Tells every MME that is known, by a location or by an open connection, that registrations
    /// may be lost: those of the SIMs whose IMSI begins with one of `prefixes`, or all when there is
    /// none. Tells how many requests will be sent; they leave one by one, a pause of
    /// [`Timers::reset`](crate::Timers::reset) between them.
    pub fn reset_peers(&mut self, now: Now, prefixes: &[UserId]) -> usize {
        let count = self.begin_reset(now, prefixes);
        self.settle(now);
        count
    }

    pub(crate) fn begin_reset(&mut self, now: Now, prefixes: &[UserId]) -> usize {
        let nodes = self.known_nodes();
        let prefixes: Vec<String> = match prefixes {
            [] => Vec::from([String::new()]),
            some => some.iter().map(ToString::to_string).collect(),
        };
        let mut at = now.at;
        let mut count = 0;
        for prefix in &prefixes {
            for node in nodes.values() {
                if self.resets.len() >= self.config.limits.waiting {
                    break;
                }
                self.add_reset(node.clone(), prefix.clone(), at);
                at += self.config.timers.reset;
                count += 1;
            }
        }
        self.tell(Event::ResetBegun { requests: count });
        self.send_due_resets(now);
        count
    }

    fn add_reset(&mut self, node: ServingNode, prefix: String, at: Instant) {
        let reset = Reset { node, prefix };
        self.journal.put(Table::Reset, reset.key(), &reset);
        let tag = self.resets.add(reset);
        self.resets.again(tag, at);
    }

    /// The store was restored from a backup: the MMEs that it knows hear of it now, one by one.
    pub(crate) fn tell_of_restore(&mut self, now: Now) {
        let known = self.known_nodes();
        self.told_of_restore.extend(known.into_keys());
        self.begin_reset(now, &[]);
    }

    /// A peer that the backup knows nothing of has connected after a restore: it may serve SIMs
    /// that came since.
    pub(crate) fn tell_peer_of_restore(&mut self, now: Now, host: &str, realm: &str) {
        if !self.told_of_restore.insert(host.to_ascii_lowercase())
            || self.resets.len() >= self.config.limits.waiting
        {
            return;
        }
        let node = ServingNode {
            host: String::from(host),
            realm: String::from(realm),
            via: String::from(host),
        };
        let before = u32::try_from(self.resets.len()).unwrap_or(u32::MAX);
        let pause = self.config.timers.reset.saturating_mul(before);
        self.add_reset(node, String::new(), now.at + pause);
        self.tell(Event::ResetBegun { requests: 1 });
        self.send_due_resets(now);
    }

    /// The MMEs of all locations, and all connected peers, by name.
    fn known_nodes(&self) -> BTreeMap<String, ServingNode> {
        let mut nodes = BTreeMap::new();
        for node in self.subscribers.nodes() {
            nodes.insert(node.host.to_ascii_lowercase(), node.clone());
        }
        for (host, realm) in self.peers.identities() {
            let node = || ServingNode {
                host: String::from(host),
                realm: String::from(realm),
                via: String::from(host),
            };
            nodes.entry(host.to_ascii_lowercase()).or_insert_with(node);
        }
        nodes
    }

    /// Sends what is due.
    pub(crate) fn send_due_resets(&mut self, now: Now) {
        while let Some(tag) = self.resets.due(now.at) {
            self.send_reset(now, tag);
        }
    }

    pub(crate) fn send_reset(&mut self, now: Now, tag: u64) {
        let Some(reset) = self.resets.get(tag).cloned() else {
            return;
        };
        let Some(conn) = self.endpoint.connection_of(&reset.node.via) else {
            self.resets.park(tag);
            return;
        };
        let request = ResetRequest {
            session_id: self.session_id(),
            origin_host: self.config.origin_host.clone(),
            origin_realm: self.config.origin_realm.clone(),
            destination_host: reset.node.host.clone(),
            destination_realm: reset.node.realm.clone(),
            user_ids: reset.prefix.parse().into_iter().collect(),
            supported_features: Vec::new(),
            route_record: Vec::new(),
        };
        let message = request.to_message();
        if self
            .endpoint
            .send_request(now.at, conn, message, tag)
            .is_err()
        {
            let at = now.at + self.config.timers.retry_first;
            return self.resets.again(tag, at);
        }
        self.resets.sent(tag);
        self.tell(Event::ResetSent {
            host: reset.node.host,
            prefix: reset.prefix,
        });
    }

    /// An MME answered.
    pub(crate) fn reset_answered(&mut self, now: Now, tag: u64, message: &Message) {
        let Some(reset) = self.resets.get(tag).cloned() else {
            return;
        };
        let result = message.result();
        self.tell(Event::ResetAnswered {
            host: reset.node.host,
            result: result.map(Answered),
        });
        if result.is_some_and(AnswerResult::is_success) || self.resets.attempts(tag) >= ATTEMPTS {
            self.end_reset(tag);
        } else {
            self.reset_unanswered(now, tag);
        }
    }

    /// There was no answer, or not the wanted one: once more, later.
    pub(crate) fn reset_unanswered(&mut self, now: Now, tag: u64) {
        let at = now.at + self.backoff(self.resets.attempts(tag));
        self.resets.again(tag, at);
    }

    fn end_reset(&mut self, tag: u64) {
        if let Some(reset) = self.resets.remove(tag) {
            self.journal.delete(Table::Reset, reset.key());
        }
    }
}
