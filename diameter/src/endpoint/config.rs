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

impl AcceptRule {
    /// Whether a peer may come from `address`.
    pub fn admits(&self, address: IpAddr) -> bool {
        self.addresses.is_empty() || self.addresses.iter().any(|p| p.contains(address))
    }

    /// Whether the rule is for a peer of this name and realm. Names compare without case.
    pub fn names(&self, host: &str, realm: &str) -> bool {
        let is_realm = |own: &String| own.eq_ignore_ascii_case(realm);
        matches(&self.origin_host, host) && self.realm.as_ref().is_none_or(is_realm)
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => text
            .strip_prefix(start)
            .is_some_and(|rest| rest.ends_with(end)),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_one_star_and_no_case() {
        assert!(matches("*", "anything"));
        assert!(matches("MME.example", "mme.Example"));
        assert!(matches("mme*.example", "mme01.example"));
        assert!(!matches("mme*.example", "mme01.example.org"));
        assert!(!matches("ab*ba", "aba"), "the ends must not overlap");
        assert!(!matches("mme.example", "mme.example."));
    }

    #[test]
    fn a_rule_is_about_name_realm_and_address() {
        let rule = AcceptRule {
            origin_host: "mme*".into(),
            realm: Some("example".into()),
            addresses: alloc::vec!["10.0.0.0/8".parse().unwrap()],
        };
        assert!(rule.names("mme1", "EXAMPLE"));
        assert!(!rule.names("mme1", "example.org"));
        assert!(!rule.names("hss", "example"));
        assert!(rule.admits("10.1.2.3".parse().unwrap()));
        assert!(!rule.admits("11.1.2.3".parse().unwrap()));
        assert!(!rule.admits("::1".parse().unwrap()));
    }
}
