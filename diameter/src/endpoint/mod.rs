//! All Diameter connections of one node.
//!
//! * `state`: the peer state machine as a table.
//! * `handshake`: who may connect, CER and CEA, the election.
//! * `receive`: what is done with a message, in the order of the checks.
//! * `timers`: connecting, the watchdog, time-outs.
//! * `outstanding`, `inbox`: requests sent and requests received.

mod config;
mod connection;
mod handshake;
mod inbox;
mod outstanding;
mod receive;
mod state;
#[cfg(test)]
mod tests;
mod timers;
mod watchdog;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use heiiki_types::{ConnId, Instant, Rng, StreamInput, StreamOutput};

use crate::avp::encode_all;
use crate::base::{DisconnectCause, DisconnectPeerRequest};
use crate::dictionary;
use crate::message::{CommandCode, Flags, Message};
use connection::Connection;
use inbox::Inbox;
use state::{Action, Event};
use timers::Connector;

pub use config::{
    AcceptRule, Certificate, ConnectTo, ConnectionLimits, EndpointConfig, is_in_realm,
};

/// A request of a peer that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestHandle {
    /// The connection on which it came.
    pub conn: ConnId,
    /// Its command.
    pub command: CommandCode,
    serial: u64,
}

/// The connection takes no request now: it is not open, its peer is suspect, or it is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOpen {
    /// The connection is open but has as many requests unanswered as are allowed.
    pub full: bool,
}

impl core::fmt::Display for NotOpen {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(if self.full {
            "too many requests wait for an answer on the connection"
        } else {
            "the connection is not open"
        })
    }
}

impl core::error::Error for NotOpen {}

/// What was not worth an output, counted since the endpoint was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Answers that no request waited for.
    pub stray_answers: u64,
    /// Copies of requests that were answered before or are being worked on.
    pub duplicates: u64,
    /// Requests that the endpoint refused by itself.
    pub refused_requests: u64,
    /// Requests that the node never answered.
    pub forgotten_requests: u64,
    /// Messages that mean nothing in the state of their connection.
    pub unexpected: u64,
}

/// What an [`Endpoint`] wants or reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointOutput {
    /// For the driver of the streams.
    Stream(StreamOutput),
    /// Capabilities are exchanged; requests may be sent.
    PeerOpen {
        /// The connection.
        conn: ConnId,
        /// Origin-Host of the peer.
        host: String,
        /// Origin-Realm of the peer.
        realm: String,
    },
    /// A connection is gone that had been open.
    PeerClosed {
        /// The connection.
        conn: ConnId,
        /// Origin-Host of the peer.
        host: Option<String>,
        /// The reason in a few words.
        why: &'static str,
    },
    /// A request for the node. Header, routing AVPs and M bits are checked; its own AVPs are not.
    Request {
        /// The connection.
        conn: ConnId,
        /// Origin-Host of the peer on the connection; the message may be of somebody else.
        peer_host: Arc<str>,
        /// For [`Endpoint::send_answer`].
        handle: RequestHandle,
        /// The request.
        message: Message,
    },
    /// The answer to a request of the node.
    Answer {
        /// The connection.
        conn: ConnId,
        /// The tag of the request.
        tag: u64,
        /// The answer.
        message: Message,
    },
    /// There will be no answer: time ran out, or the connection was lost or is suspect.
    Unanswered {
        /// The connection.
        conn: ConnId,
        /// The tag of the request.
        tag: u64,
        /// The request with the T bit and its end-to-end identifier, ready to be sent again on
        /// another connection.
        message: Message,
    },
    /// A connection did not come about: refused by us or by the peer, or no transport.
    Refused {
        /// The connection.
        conn: ConnId,
        /// Origin-Host of the peer, as far as known.
        peer: Option<String>,
        /// The reason in a few words.
        why: &'static str,
    },
}

/// All Diameter connections of one node: a machine in the shape of
/// [`Machine`](heiiki_types::Machine), with byte streams below and requests above.
///
/// Base protocol messages never show. A request that cannot be for the node is answered here:
/// unknown application (3007) or command (3001), broken or unknown AVPs (5014, 5001), another
/// destination (3002, 3003), a loop (3005), too many at once (3004).
///
/// **Two connections with one peer.** A second one is refused with 4003 and the first one is probed
/// at once, unless its CER carries a higher Origin-State-Id: then the peer has restarted and the
/// new connection replaces the old. When both ends connect at the same time, the connection of the
/// end with the greater Origin-Host is closed (RFC 6733 §5.6.4).
#[derive(Debug)]
pub struct Endpoint {
    config: EndpointConfig,
    rng: Rng,
    out: VecDeque<EndpointOutput>,
    connections: BTreeMap<ConnId, Connection>,
    /// Open connections by Origin-Host in lower case.
    hosts: BTreeMap<String, ConnId>,
    connectors: Vec<Connector>,
    next_conn: u64,
    next_end_to_end: u32,
    inbox: Inbox,
    counters: Counters,
    stopping: bool,
}

impl Endpoint {
    /// An endpoint without connections. `rng` gives identifiers and jitter.
    pub fn new(config: EndpointConfig, mut rng: Rng) -> Self {
        let connectors = config.connect.iter().cloned().map(Connector::new).collect();
        Self {
            next_end_to_end: rng.next_u32(),
            inbox: Inbox::new(rng.next_u64()),
            config,
            rng,
            out: VecDeque::new(),
            connections: BTreeMap::new(),
            hosts: BTreeMap::new(),
            connectors,
            next_conn: 0,
            counters: Counters::default(),
            stopping: false,
        }
    }

    /// The configuration.
    pub fn config(&self) -> &EndpointConfig {
        &self.config
    }

    /// Connects to the configured peers, now and whenever a connection is lost.
    pub fn start(&mut self, now: Instant) {
        self.stopping = false;
        for index in 0..self.connectors.len() {
            self.connect(now, index);
        }
    }

    /// Takes what happens on a stream. Octets of any content are fine; an unknown connection is
    /// ignored.
    pub fn handle_stream(&mut self, now: Instant, input: StreamInput) {
        match input {
            StreamInput::Accepted { conn, peer } => self.on_accepted(now, conn, peer),
            StreamInput::Connected { conn } => self.on_connected(conn),
            StreamInput::Data { conn, octets } => self.on_octets(now, conn, &octets),
            StreamInput::Closed { conn } => {
                self.fire(conn, Event::PeerDisc);
                self.remove(now, conn, "closed by the peer");
            }
        }
    }

    /// Notes what the peer's certificate says. Call it right after the connection was accepted: its
    /// Origin-Host is held against it.
    pub fn certified(&mut self, conn: ConnId, certificate: Certificate) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.certificate = Some(certificate);
        }
    }

    /// The next output.
    pub fn poll_output(&mut self) -> Option<EndpointOutput> {
        self.out.pop_front()
    }

    /// Sends a request. Hop-by-hop and end-to-end identifiers are filled in; a message that has the
    /// T bit keeps its end-to-end identifier. It ends in `Answer` or `Unanswered` with `tag`.
    pub fn send_request(
        &mut self,
        now: Instant,
        conn: ConnId,
        mut message: Message,
        tag: u64,
    ) -> Result<(), NotOpen> {
        let max = self.config.max_outstanding;
        let usable = self.connections.get_mut(&conn).filter(|c| c.is_usable());
        let connection = usable.ok_or(NotOpen { full: false })?;
        if connection.outstanding.len() >= max {
            return Err(NotOpen { full: true });
        }
        message.flags.request = true;
        message.flags.error = false;
        message.hop_by_hop = connection.hop_by_hop();
        if !message.flags.retransmit {
            message.end_to_end = self.next_end_to_end;
            self.next_end_to_end = self.next_end_to_end.wrapping_add(1);
        }
        let octets = message.encode();
        let deadline = now + self.config.request_timeout;
        connection.outstanding.insert(message, tag, deadline);
        self.output(StreamOutput::Send { conn, octets });
        Ok(())
    }

    /// Sends the answer to a request, by the way the request came. Command, identifiers, P bit and
    /// Proxy-Info are filled in. Nothing happens when the request was answered before or its
    /// connection is gone.
    pub fn send_answer(&mut self, now: Instant, handle: RequestHandle, mut message: Message) {
        // It goes back as it came by each way, not as the node put it together.
        message.avps.retain(|a| !a.is(&dictionary::PROXY_INFO));
        let avps = message.avps;
        self.send_avps(now, handle, message.flags.error, |out| {
            encode_all(&avps, out);
        });
    }

    /// The same with AVPs that `write` appends as octets, without Proxy-Info: nothing is put
    /// together only to be taken apart. `error` is the E bit.
    pub fn send_avps(
        &mut self,
        now: Instant,
        handle: RequestHandle,
        error: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let ready = self.inbox.answer(now, handle.serial, |envelope, out| {
            let flags = Flags {
                proxiable: envelope.proxiable,
                error,
                ..Flags::default()
            };
            let mut head = Message::new(envelope.command, envelope.application, flags);
            head.end_to_end = envelope.end_to_end;
            head.encode_with(out, write);
        });
        let Some(ready) = ready else {
            return;
        };
        for path in core::iter::once(ready.path).chain(ready.further) {
            if let Some(connection) = self.connections.get_mut(&path.conn) {
                connection.requests = connection.requests.saturating_sub(1);
                let (conn, octets) = (path.conn, path.address(ready.octets));
                let output = StreamOutput::Send { conn, octets };
                self.out.push_back(EndpointOutput::Stream(output));
            }
        }
    }

    /// The usable connection to a peer.
    pub fn connection_of(&self, origin_host: &str) -> Option<ConnId> {
        let conn = self.hosts.get(&origin_host.to_ascii_lowercase())?;
        Some(*conn).filter(|c| self.is_open(*c))
    }

    /// Whether requests can be sent: open, and the peer answers the watchdog.
    pub fn is_open(&self, conn: ConnId) -> bool {
        self.connections
            .get(&conn)
            .is_some_and(Connection::is_usable)
    }

    /// Origin-Host and Origin-Realm of the peer, once the connection is open.
    pub fn peer_of(&self, conn: ConnId) -> Option<(&str, &str)> {
        let peer = self.connections.get(&conn)?.peer.as_ref()?;
        Some((&peer.host, &peer.realm))
    }

    /// Takes all connections down, with DPR where they are open, and makes and takes no new ones
    /// until [`start`](Self::start). [`is_idle`](Self::is_idle) tells when it is done.
    pub fn disconnect_all(&mut self, now: Instant, cause: DisconnectCause) {
        self.stopping = true;
        let conns: Vec<ConnId> = self.connections.keys().copied().collect();
        for conn in conns {
            match self.fire(conn, Event::Stop) {
                Some(Action::SendDpr) => {
                    let request = DisconnectPeerRequest {
                        origin_host: self.config.origin_host.clone(),
                        origin_realm: self.config.origin_realm.clone(),
                        cause,
                    };
                    self.send_base(conn, request.to_message());
                    self.begin_closing(now, conn, "disconnected by us");
                }
                Some(Action::Wait) => {}
                _ => self.close(now, conn, "disconnected by us"),
            }
        }
    }

    /// Whether no connection is left.
    pub fn is_idle(&self) -> bool {
        self.connections.is_empty()
    }

    /// What was counted.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn output(&mut self, output: StreamOutput) {
        self.out.push_back(EndpointOutput::Stream(output));
    }

    fn send(&mut self, conn: ConnId, message: &Message) {
        let octets = message.encode();
        self.output(StreamOutput::Send { conn, octets });
    }

    /// Sends a request of the base protocol, whose answer nobody waits for.
    fn send_base(&mut self, conn: ConnId, mut message: Message) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            message.hop_by_hop = connection.hop_by_hop();
            message.end_to_end = self.next_end_to_end;
            self.next_end_to_end = self.next_end_to_end.wrapping_add(1);
            self.send(conn, &message);
        }
    }

    /// Moves the state machine of a connection; `None` when the event means nothing there.
    fn fire(&mut self, conn: ConnId, event: Event) -> Option<Action> {
        let connection = self.connections.get_mut(&conn)?;
        if let Ok((action, next)) = connection.state.next(event) {
            connection.state = next;
            Some(action)
        } else {
            self.counters.unexpected += 1;
            None
        }
    }

    /// No new requests; answers under way may still come.
    fn begin_closing(&mut self, now: Instant, conn: ConnId, why: &'static str) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.deadline = Some(now + timers::CLOSING_TIMEOUT);
            connection.watchdog = None;
            connection.farewell.get_or_insert(why);
            let host = connection
                .peer
                .as_ref()
                .map(|p| p.host.to_ascii_lowercase());
            self.release_host(conn, host.as_deref());
        }
    }

    fn release_host(&mut self, conn: ConnId, host: Option<&str>) {
        if let Some(host) = host
            && self.hosts.get(host) == Some(&conn)
        {
            self.hosts.remove(host);
        }
    }

    /// Closes a connection from our side.
    fn close(&mut self, now: Instant, conn: ConnId, why: &'static str) {
        if self.connections.contains_key(&conn) {
            self.output(StreamOutput::Close { conn });
            self.remove(now, conn, why);
        }
    }

    /// Forgets a connection whose stream is gone, and says so.
    fn remove(&mut self, now: Instant, conn: ConnId, why: &'static str) {
        let Some(mut connection) = self.connections.remove(&conn) else {
            return;
        };
        let peer = connection.peer.as_ref().map(|p| String::from(&*p.host));
        let host = peer.as_ref().map(|h| h.to_ascii_lowercase());
        self.release_host(conn, host.as_deref());
        self.give_back(conn, connection.outstanding.drain());
        if let Some(index) = connection.connector {
            self.schedule(now, index, connection.unwelcome);
        }
        let why = connection.farewell.unwrap_or(why);
        self.out.push_back(if peer.is_some() {
            let host = peer;
            EndpointOutput::PeerClosed { conn, host, why }
        } else {
            let expected = connection.connector.and_then(|i| self.connectors.get(i));
            let peer = expected.and_then(|c| c.to.name.clone());
            EndpointOutput::Refused { conn, peer, why }
        });
    }

    /// Tells the node which requests have no answer.
    fn give_back(&mut self, conn: ConnId, requests: Vec<outstanding::Waiting>) {
        for request in requests {
            let mut message = request.message;
            message.flags.retransmit = true;
            let tag = request.tag;
            self.out
                .push_back(EndpointOutput::Unanswered { conn, tag, message });
        }
    }

    fn peer_host(&self, conn: ConnId) -> Arc<str> {
        let peer = self.connections.get(&conn).and_then(|c| c.peer.as_ref());
        peer.map(|p| Arc::clone(&p.host)).unwrap_or_default()
    }
}
