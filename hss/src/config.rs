//! What an HSS is told when it is made.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use heiiki_diameter::ConnectionLimits;
use heiiki_types::{Apn, PlmnId, Prefix, Protections, Token};

use crate::auc::sqn::IndRange;
use crate::equipment::EquipmentPolicy;

/// Who may connect, whose requests it may carry, and what those may ask for.
///
/// A peer has two identities: that of the connection and the Origin-Host of a message. The first is
/// checked when the connection opens, the second with every request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerRule {
    /// The Diameter identity of the connection; one `*` stands for any text, as in
    /// `*.example`.
    pub origin_host: String,
    /// Its realm, if it must be a certain one.
    pub realm: Option<String>,
    /// Where it may come from; empty for anywhere.
    pub addresses: Vec<Prefix>,
    /// The networks that its own requests may name as visited (TS 29.272 §5.2.3.1): for any other
    /// the answer is 5003.
    pub visited_plmns: Vec<PlmnId>,
    /// The nodes behind it, when it is an agent. Its own requests need no entry.
    pub carries: Vec<CarryRule>,
    /// The agents that may stand in a Route-Record beside the origin itself (RFC 6733 §2.9).
    pub route_records: Vec<String>,
    /// Whether it must come over TLS.
    pub tls: bool,
    /// SHA-256 of the certificates that it may show; when empty, its certificate must name its
    /// Origin-Host.
    pub certificates: Vec<[u8; 32]>,
    /// How many requests a connection of it may make, its own and those that it carries. `None` for
    /// any number.
    pub rate: Option<RequestRate>,
}

/// How many requests are answered; what is beyond gets 3004, too busy (RFC 6733 §7.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRate {
    /// Requests a second, on average.
    pub per_second: u32,
    /// Requests at once, after a pause.
    pub burst: u32,
}

/// A node whose requests come through an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarryRule {
    /// The Origin-Host, with the same patterns as in [`PeerRule`].
    pub origin_host: String,
    /// Its Origin-Realm, if it must be a certain one.
    pub realm: Option<String>,
    /// The networks that its requests may name as visited.
    pub visited_plmns: Vec<PlmnId>,
    /// How many requests each such node may make. `None` for any number that its agent may.
    pub rate: Option<RequestRate>,
}

/// A gateway that a cut goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Its name in calls, certificates and events.
    pub name: String,
    /// The access points that it serves.
    pub apns: Vec<Apn>,
    /// The token of the cut-only role there. `None`: the gateway has no such interface, and every
    /// certificate says that the cut is not observable at it.
    pub token: Option<Token>,
}

/// The procedure at which a SIM without service is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefuseAt {
    /// At the location update, after authentication: the MME can refuse under integrity protection,
    /// and only that makes a UE stay away (TS 24.301 §5.5.1.2.5).
    #[default]
    Ulr,
    /// At the authentication information request already.
    Air,
}

/// What the location update of a suspended SIM is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SuspendedAnswer {
    /// Experimental-Result 5001, user unknown.
    #[default]
    UserUnknown,
    /// Experimental-Result 5004, roaming not allowed, with Error-Diagnostic ODB_ALL_APN.
    RoamingNotAllowed,
}

/// How a tenant's SIMs without service are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TenantRule {
    /// At which procedure.
    pub refuse_at: RefuseAt,
    /// With which result, when suspended.
    pub suspended_answer: SuspendedAnswer,
}

/// A tenant with a rule of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its name, as in the subscribers' rows.
    pub name: String,
    /// Its rule.
    pub rule: TenantRule,
}

/// What keeps memory bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Subscribers in the store.
    pub subscribers: usize,
    /// Requests that wait for the disk; beyond it they are answered 3004, too busy.
    pub waiting: usize,
    /// Closed cuts whose certificates are kept.
    pub cuts: usize,
    /// Rows of the lists of the equipment identity register.
    pub equipment: usize,
    /// Rows of these lists that name a range by its ends; each check looks at all of them.
    pub equipment_ranges: usize,
    /// Calls to gateways that a bulk order, or a merge, has under way at a time.
    pub gateway_calls: usize,
    /// Cancellations of a bulk order that are under way at a time.
    pub cancellations: usize,
    /// Octets of a body of an administrative call.
    pub body: usize,
    /// Diameter connections.
    pub connections: ConnectionLimits,
}

impl Limits {
    /// Room for a million subscribers.
    pub const DEFAULT: Self = Self {
        subscribers: 1_000_000,
        waiting: 100_000,
        cuts: 10_000,
        equipment: 100_000,
        equipment_ranges: 1_000,
        gateway_calls: 128,
        cancellations: 256,
        body: 4 << 20,
        connections: ConnectionLimits::DEFAULT,
    };
}

/// Durations of the HSS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Tw of the watchdog of each connection (RFC 3539 §3.4.1).
    pub watchdog: Duration,
    /// How long a request of the HSS waits for its answer.
    pub request: Duration,
    /// How long a mark may wait for others before it is written.
    pub mark: Duration,
    /// How long a gateway may take to answer.
    pub gateway: Duration,
    /// How often a gateway is asked whether it still has what it was told.
    pub gateway_check: Duration,
    /// The first wait before a failed call or an unanswered cancellation is tried again; doubles
    /// each time.
    pub retry_first: Duration,
    /// The longest such wait.
    pub retry_last: Duration,
    /// The pause between two resets: each lets the UEs of one MME register anew.
    pub reset: Duration,
}

impl Timers {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        watchdog: Duration::from_secs(30),
        request: Duration::from_secs(5),
        mark: Duration::from_millis(100),
        gateway: Duration::from_secs(2),
        gateway_check: Duration::from_secs(5),
        retry_first: Duration::from_millis(250),
        retry_last: Duration::from_secs(30),
        reset: Duration::from_secs(1),
    };
}

/// The configuration of an HSS.
#[derive(Clone, Debug)]
pub struct HssConfig {
    /// Its Diameter identity.
    pub origin_host: String,
    /// Its Diameter realm.
    pub origin_realm: String,
    /// The addresses that it names in capabilities exchanges.
    pub host_ips: Vec<IpAddr>,
    /// Who may connect.
    pub peers: Vec<PeerRule>,
    /// Every gateway of every access point.
    pub gateways: Vec<Gateway>,
    /// The tenants with rules of their own.
    pub tenants: Vec<Tenant>,
    /// The IND values of this front end.
    pub inds: IndRange,
    /// The policy of the equipment identity register.
    pub equipment: EquipmentPolicy,
    /// Other front ends serve the same store; [`inds`](Self::inds) are this one's own.
    pub shared: bool,
    /// The most vectors that one request gets.
    pub vectors: u32,
    /// The boot id of the machine: stamps of two processes compare only within one boot.
    pub boot: String,
    /// What is switched on.
    pub protections: Protections,
    /// What keeps memory bounded.
    pub limits: Limits,
    /// Durations.
    pub timers: Timers,
}

impl HssConfig {
    /// An HSS of this name that knows no peer, no gateway and no tenant yet.
    pub fn new(origin_host: String, origin_realm: String) -> Self {
        Self {
            origin_host,
            origin_realm,
            host_ips: Vec::new(),
            peers: Vec::new(),
            gateways: Vec::new(),
            tenants: Vec::new(),
            inds: IndRange::ALL,
            equipment: EquipmentPolicy::default(),
            shared: false,
            vectors: 5,
            boot: String::new(),
            protections: Protections::ALL,
            limits: Limits::DEFAULT,
            timers: Timers::DEFAULT,
        }
    }
}

/// The tokens of the administrative interface.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// May do everything.
    pub admin: Token,
    /// May read, suspend and pause: for a night shift that must not resume or terminate.
    pub cut_only: Option<Token>,
    /// May read, and give every order.
    pub operate: Option<Token>,
    /// May read, and make and change subscribers.
    pub provision: Option<Token>,
    /// May read.
    pub reader: Option<Token>,
}

/// Whether a Diameter identity is the one of a rule, without case. One `*` stands for any text.
pub(crate) fn identity_matches(pattern: &str, name: &str) -> bool {
    let Some((front, back)) = pattern.split_once('*') else {
        return pattern.eq_ignore_ascii_case(name);
    };
    let same = |part: Option<&str>, want: &str| part.is_some_and(|p| p.eq_ignore_ascii_case(want));
    name.len() >= front.len() + back.len()
        && same(name.get(..front.len()), front)
        && same(name.get(name.len() - back.len()..), back)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_identities() {
        assert!(identity_matches("*", "mme1.example"));
        assert!(identity_matches("*.example", "MME1.Example"));
        assert!(!identity_matches("*.example", "mme1.example.net"));
        assert!(!identity_matches("*.example", "x"));
        assert!(identity_matches("mme*.example", "mme7.example"));
        assert!(!identity_matches("mme*mme.example", "mme.example"));
        assert!(!identity_matches("*.example", "\u{e9}example"));
        assert!(identity_matches("mme1.example", "MME1.EXAMPLE"));
        assert!(!identity_matches("mme1.example", "mme10.example"));
    }
}
