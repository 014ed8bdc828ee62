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

/// What a peer's certificate says, on a connection over TLS (RFC 6733 §13.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The names of its subject alternative name extension.
    pub names: Vec<String>,
    /// SHA-256 over the whole certificate.
    pub sha256: [u8; 32],
}

impl Certificate {
    /// Whether it is the certificate of `host`: one of `pinned`, or where none is pinned one that
    /// names the host in full.
    pub fn is_of(&self, host: &str, pinned: &[[u8; 32]]) -> bool {
        if pinned.is_empty() {
            self.names.iter().any(|n| n.eq_ignore_ascii_case(host))
        } else {
            pinned.contains(&self.sha256)
        }
    }
}

/// Peers that may connect to the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcceptRule {
    /// Origin-Host, with at most one `*` for any text.
    pub origin_host: String,
    /// Origin-Realm; any when `None`.
    pub realm: Option<String>,
    /// Source addresses; any when empty.
    pub addresses: Vec<Prefix>,
    /// Whether the connection must be over TLS.
    pub tls: bool,
    /// SHA-256 of the certificates that its peers may show. When empty, a certificate must name the
    /// Origin-Host.
    pub certificates: Vec<[u8; 32]>,
}

/// How many connections a node takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Accepted connections.
    pub total: usize,
    /// Accepted connections of one address.
    pub per_address: usize,
    /// Accepted connections that have not said who they are.
    pub unidentified: usize,
    /// The same, of one address: a silent stranger does not keep others out.
    pub unidentified_per_address: usize,
    /// How long an accepted connection may take until its capabilities exchange.
    pub handshake: Duration,
}

impl ConnectionLimits {
    /// Room for the MMEs and relays of a large network.
    pub const DEFAULT: Self = Self {
        total: 1_000,
        per_address: 100,
        unidentified: 64,
        unidentified_per_address: 16,
        handshake: Duration::from_secs(10),
    };
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
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

    /// Whether a peer of this name may use a connection with this certificate, `None` in clear
    /// text.
    pub fn trusts(&self, host: &str, certificate: Option<&Certificate>) -> bool {
        match certificate {
            Some(certificate) => certificate.is_of(host, &self.certificates),
            None => !self.tls && self.certificates.is_empty(),
        }
    }
}

/// Whether a Diameter identity lies in its realm, as the names of RFC 6733 §4.3.1 do: one part is
/// then enough to know who vouches for the other.
pub fn is_in_realm(host: &str, realm: &str) -> bool {
    let Some(start) = host.len().checked_sub(realm.len()) else {
        return false;
    };
    host.get(start..)
        .is_some_and(|end| end.eq_ignore_ascii_case(realm))
        && !realm.is_empty()
        && (start == 0 || host.as_bytes().get(start - 1) == Some(&b'.'))
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
    /// How many of them at once.
    pub limits: ConnectionLimits,
    /// Whether the Origin-Host of a peer must lie in its Origin-Realm, see [`is_in_realm`].
    pub host_in_realm: bool,
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
            limits: ConnectionLimits::DEFAULT,
            host_in_realm: false,
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
            ..AcceptRule::default()
        };
        assert!(rule.names("mme1", "EXAMPLE"));
        assert!(!rule.names("mme1", "example.org"));
        assert!(!rule.names("hss", "example"));
        assert!(rule.admits("10.1.2.3".parse().unwrap()));
        assert!(!rule.admits("11.1.2.3".parse().unwrap()));
        assert!(!rule.admits("::1".parse().unwrap()));
    }

    #[test]
    fn a_host_lies_in_its_realm() {
        assert!(is_in_realm("mme1.Epc.example", "epc.EXAMPLE"));
        assert!(is_in_realm("epc.example", "epc.example"));
        assert!(!is_in_realm("mme1.evilepc.example", "epc.example.net"));
        assert!(
            !is_in_realm("mme1-epc.example", "epc.example"),
            "a label is whole"
        );
        assert!(!is_in_realm("x", "epc.example"));
        assert!(!is_in_realm("mme1.", ""));
    }

    #[test]
    fn a_certificate_is_of_a_host_by_name_or_by_digest() {
        let certificate = Certificate {
            names: alloc::vec!["MME1.example".into()],
            sha256: [7; 32],
        };
        let mut rule = AcceptRule::default();
        assert!(rule.trusts("mme1.example", Some(&certificate)));
        assert!(!rule.trusts("mme2.example", Some(&certificate)));
        assert!(rule.trusts("mme2.example", None));
        rule.tls = true;
        assert!(!rule.trusts("mme1.example", None));
        rule.certificates.push([7; 32]);
        assert!(rule.trusts("mme2.example", Some(&certificate)));
        rule.certificates = alloc::vec![[8; 32]];
        assert!(!rule.trusts("mme1.example", Some(&certificate)));
        rule.tls = false;
        assert!(
            !rule.trusts("mme1.example", None),
            "a pinned certificate must be shown"
        );
    }
}
