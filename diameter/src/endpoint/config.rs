use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use heiiki_types::{Duration, Prefix};

use crate::message::ApplicationId;

/// A peer that the node connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectTo {
    /// The Origin-Host that must answer; any when `None`.
    pub name: Option<String>,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Peers that may connect to the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptRule {
    /// Origin-Host, with at most one `*` for any text.
    pub origin_host: String,
    /// Origin-Realm; any when `None`.
    pub realm: Option<String>,
    /// Source addresses; any when empty.
    pub addresses: Vec<Prefix>,
}

/// What an [`Endpoint`](super::Endpoint) is and whom it talks to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointConfig {
    /// Origin-Host of the node.
    pub origin_host: String,
    /// Origin-Realm of the node.
    pub origin_realm: String,
    /// Host-IP-Address, at least one.
    pub host_ips: Vec<IpAddr>,
    /// Product-Name.
    pub product_name: String,
    /// Applications besides the base protocol.
    pub applications: Vec<ApplicationId>,
    /// Watchdog interval Tw, RFC 3539 §3.4.1: 30 s, never below 6 s between strangers. Each
    /// interval differs from it by up to 2 s (a third of it when that is less).
    pub tw: Duration,
    /// How long a request waits for its answer, 5 s.
    pub request_timeout: Duration,
    /// The most requests without an answer on one connection, per direction.
    pub max_outstanding: usize,
    /// Peers to connect to.
    pub connect: Vec<ConnectTo>,
    /// Peers to accept; nobody when empty.
    pub accept: Vec<AcceptRule>,
    /// Time between attempts to connect, Tc of RFC 6733 §2.1: 30 s.
    pub reconnect: Duration,
    /// Origin-State-Id: rises whenever the node lost its state.
    pub origin_state_id: u32,
}

impl EndpointConfig {
    /// A configuration with the defaults of the RFCs, no applications and no peers.
    pub fn new(origin_host: impl Into<String>, origin_realm: impl Into<String>) -> Self {
        Self {
            origin_host: origin_host.into(),
            origin_realm: origin_realm.into(),
            host_ips: Vec::new(),
            product_name: String::from("heiiki"),
            applications: Vec::new(),
            tw: Duration::from_secs(30),
            request_timeout: Duration::from_secs(5),
            max_outstanding: 1024,
            connect: Vec::new(),
            accept: Vec::new(),
            reconnect: Duration::from_secs(30),
            origin_state_id: 0,
        }
    }
}
