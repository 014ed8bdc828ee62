use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::{ConnId, Duration, Instant, StreamOutput};

use super::config::ConnectTo;
use super::connection::Connection;
use super::state::Event;
use super::watchdog::Bark;
use super::{Endpoint, EndpointOutput};
use crate::base::DeviceWatchdogRequest;

/// How long a connection may take from our attempt until it is open.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a peer may take to answer a DPR, or to close after one.
pub(super) const CLOSING_TIMEOUT: Duration = Duration::from_secs(5);

/// A peer that does not want to be called (RFC 6733 §5.4.3) is left alone for so many Tc.
const UNWELCOME_FACTOR: u32 = 10;

/// One peer that the node connects to.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    pub(super) to: ConnectTo,
    /// The Origin-Host that answered last.
    pub(super) learned: Option<String>,
    /// When to try next; `None` while there is a connection.
    retry_at: Option<Instant>,
}

impl Connector {
    pub(super) const fn new(to: ConnectTo) -> Self {
        Self {
            to,
            learned: None,
            retry_at: None,
        }
    }

    /// The Origin-Host at the other end, configured or learned.
    pub(super) fn host(&self) -> Option<&str> {
        self.to.name.as_deref().or(self.learned.as_deref())
    }
}

impl Endpoint {
    /// When [`handle_timeout`](Self::handle_timeout) is due next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let connectors = self.connectors.iter().filter_map(|c| c.retry_at);
        let connections = self.connections.values();
        connections
            .filter_map(Connection::poll_timeout)
            .chain(connectors.filter(|_| !self.stopping))
            .min()
    }

    /// Runs the timers that are due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let conns: Vec<ConnId> = self.connections.keys().copied().collect();
        for conn in conns {
            self.expire_requests(now, conn);
            self.expire_handshake(now, conn);
            self.expire_watchdog(now, conn);
        }
        self.expire_inbox(now);
        if self.stopping {
            return;
        }
        for index in 0..self.connectors.len() {
            let retry_at = self.connectors.get(index).and_then(|c| c.retry_at);
            if retry_at.is_some_and(|at| at <= now) {
                self.connect(now, index);
            }
        }
    }

    /// Starts a connection unless there is one, in either direction.
    pub(super) fn connect(&mut self, now: Instant, index: usize) {
        let busy = |c: &Connection| c.connector == Some(index);
        let Some(connector) = self.connectors.get_mut(index) else {
            return;
        };
        if self.connections.values().any(busy) {
            return;
        }
        let host = connector.host().map(str::to_ascii_lowercase);
        if host.is_some_and(|h| self.hosts.contains_key(&h)) {
            connector.retry_at = Some(now + self.config.reconnect);
            return;
        }
        connector.retry_at = None;
        let peer = connector.to.address;
        let conn = ConnId::initiated(self.next_conn);
        self.next_conn += 1;
        let mut connection = Connection::new(peer, Some(index), self.rng.next_u32());
        connection.deadline = Some(now + HANDSHAKE_TIMEOUT);
        self.connections.insert(conn, connection);
        self.fire(conn, Event::Start);
        self.output(StreamOutput::Connect { conn, peer });
    }

    /// Sets the time of the next attempt.
    pub(super) fn schedule(&mut self, now: Instant, index: usize, unwelcome: bool) {
        let factor = if unwelcome { UNWELCOME_FACTOR } else { 1 };
        let wait = self.config.reconnect.saturating_mul(factor);
        if let Some(connector) = self.connectors.get_mut(index) {
            connector.retry_at = Some(now + wait);
        }
    }

    fn expire_requests(&mut self, now: Instant, conn: ConnId) {
        let mut late = Vec::new();
        if let Some(connection) = self.connections.get_mut(&conn) {
            while let Some(request) = connection.outstanding.expire(now) {
                late.push(request);
            }
        }
        self.give_back(conn, late);
    }

    fn expire_handshake(&mut self, now: Instant, conn: ConnId) {
        let deadline = self.connections.get(&conn).and_then(|c| c.deadline);
        if deadline.is_some_and(|at| at <= now) {
            self.fire(conn, Event::Timeout);
            self.close(now, conn, "no capabilities exchange in time");
        }
    }

    fn expire_watchdog(&mut self, now: Instant, conn: ConnId) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        let Some(watchdog) = &mut connection.watchdog else {
            return;
        };
        match watchdog.expire(now, &mut self.rng) {
            None => {}
            Some(Bark::Probe) => {
                let request = DeviceWatchdogRequest {
                    origin_host: self.config.origin_host.clone(),
                    origin_realm: self.config.origin_realm.clone(),
                    origin_state_id: Some(self.config.origin_state_id),
                };
                self.send_base(conn, request.to_message());
            }
            Some(Bark::Suspect) => {
                let requests = connection.outstanding.drain();
                self.give_back(conn, requests);
            }
            Some(Bark::Down) => {
                self.fire(conn, Event::Timeout);
                self.close(now, conn, "no answer to the watchdog");
            }
        }
    }

    pub(super) fn expire_inbox(&mut self, now: Instant) {
        for path in self.inbox.expire(now) {
            self.counters.forgotten_requests += 1;
            if let Some(connection) = self.connections.get_mut(&path.conn) {
                connection.requests = connection.requests.saturating_sub(1);
            }
        }
    }

    /// Reports a refusal by the endpoint itself and closes the stream.
    pub(super) fn turn_away(&mut self, conn: ConnId, peer: Option<String>, why: &'static str) {
        self.output(StreamOutput::Close { conn });
        self.out
            .push_back(EndpointOutput::Refused { conn, peer, why });
    }
}
