//! All Diameter connections of one node.

mod config;

pub use config::{AcceptRule, ConnectTo, EndpointConfig};

use alloc::string::String;

use heiiki_types::{ConnId, Instant, Rng, StreamInput, StreamOutput};

use crate::base::DisconnectCause;
use crate::message::{CommandCode, Message};

/// A request of a peer that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestHandle {
    /// The connection on which it came.
    pub conn: ConnId,
    /// Its command.
    pub command: CommandCode,
    serial: u64,
}

/// The connection takes no request now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOpen {
    /// The connection is open but has as many requests unanswered as are allowed.
    pub full: bool,
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
    /// A request for the node.
    Request {
        /// The connection.
        conn: ConnId,
        /// Origin-Host of the peer on the connection; the message may be of somebody else.
        peer_host: String,
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
    /// A connection was refused, by us or by the peer.
    Refused {
        /// The connection.
        conn: ConnId,
        /// Origin-Host of the peer, as far as known.
        peer: Option<String>,
        /// The reason in a few words.
        why: &'static str,
    },
}

/// All Diameter connections of one node.
#[derive(Debug)]
pub struct Endpoint {
    config: EndpointConfig,
    rng: Rng,
}

#[expect(unused_variables, clippy::unimplemented, reason = "under construction")]
impl Endpoint {
    /// An endpoint without connections.
    pub fn new(config: EndpointConfig, rng: Rng) -> Self {
        Self { config, rng }
    }
    /// Connects to the configured peers.
    pub fn start(&mut self, now: Instant) {
        unimplemented!()
    }
    /// Takes what happens on a stream.
    pub fn handle_stream(&mut self, now: Instant, input: StreamInput) {
        unimplemented!()
    }
    /// Runs the timers that are due.
    pub fn handle_timeout(&mut self, now: Instant) {
        unimplemented!()
    }
    /// When `handle_timeout` is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        unimplemented!()
    }
    /// The next output.
    pub fn poll_output(&mut self) -> Option<EndpointOutput> {
        unimplemented!()
    }
    /// Sends a request.
    pub fn send_request(
        &mut self,
        now: Instant,
        conn: ConnId,
        message: Message,
        tag: u64,
    ) -> Result<(), NotOpen> {
        unimplemented!()
    }
    /// Sends an answer.
    pub fn send_answer(&mut self, now: Instant, handle: RequestHandle, message: Message) {
        unimplemented!()
    }
    /// The open connection to a peer.
    pub fn connection_of(&self, origin_host: &str) -> Option<ConnId> {
        unimplemented!()
    }
    /// Whether requests can be sent.
    pub fn is_open(&self, conn: ConnId) -> bool {
        unimplemented!()
    }
    /// Takes all connections down.
    pub fn disconnect_all(&mut self, now: Instant, cause: DisconnectCause) {
        unimplemented!()
    }
    /// Whether no connection is left.
    pub fn is_idle(&self) -> bool {
        unimplemented!()
    }
    /// The configuration.
    pub fn config(&self) -> &EndpointConfig {
        &self.config
    }
}
