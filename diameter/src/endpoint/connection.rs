use alloc::string::String;
use alloc::sync::Arc;
use core::net::SocketAddr;

use heiiki_types::Instant;

use super::config::Certificate;
use super::outstanding::Outstanding;
use super::state::State;
use super::watchdog::Watchdog;
use crate::framing::Deframer;

/// Who is at the other end, from its CER or CEA.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) host: Arc<str>,
    pub(super) realm: String,
    pub(super) origin_state_id: Option<u32>,
}

/// One transport connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) state: State,
    /// Index of the entry of the configuration that asked for it.
    pub(super) connector: Option<usize>,
    /// Where the peer comes from, or where it listens.
    pub(super) address: SocketAddr,
    /// What the peer showed, over TLS.
    pub(super) certificate: Option<Certificate>,
    /// Known once open.
    pub(super) peer: Option<Peer>,
    pub(super) deframer: Deframer,
    /// End of the handshake or of the farewell.
    pub(super) deadline: Option<Instant>,
    /// Set once open.
    pub(super) watchdog: Option<Watchdog>,
    pub(super) next_hop_by_hop: u32,
    pub(super) outstanding: Outstanding,
    /// Requests of the peer that the node works on.
    pub(super) requests: usize,
    /// Why it is being closed, once that is decided.
    pub(super) farewell: Option<&'static str>,
    /// The peer does not want to be called back soon.
    pub(super) unwelcome: bool,
}

impl Connection {
    pub(super) fn new(address: SocketAddr, connector: Option<usize>, hop_by_hop: u32) -> Self {
        Self {
            state: State::Closed,
            connector,
            address,
            certificate: None,
            peer: None,
            deframer: Deframer::default(),
            deadline: None,
            watchdog: None,
            next_hop_by_hop: hop_by_hop,
            outstanding: Outstanding::default(),
            requests: 0,
            farewell: None,
            unwelcome: false,
        }
    }

    /// A hop-by-hop identifier that no request waits under.
    pub(super) fn hop_by_hop(&mut self) -> u32 {
        // Ends, since fewer requests wait than there are numbers.
        loop {
            let id = self.next_hop_by_hop;
            self.next_hop_by_hop = id.wrapping_add(1);
            if !self.outstanding.contains(id) {
                return id;
            }
        }
    }

    /// Whether requests may be sent.
    pub(super) fn is_usable(&self) -> bool {
        self.state.is_open() && !self.watchdog.as_ref().is_some_and(Watchdog::is_suspect)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let watchdog = self.watchdog.as_ref().map(Watchdog::deadline);
        [self.deadline, watchdog, self.outstanding.deadline()]
            .into_iter()
            .flatten()
            .min()
    }
}
