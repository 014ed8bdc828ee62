//! What must never happen, looked for after every step.
//!
//! The checks stand outside the nodes: they read what crosses the links, what the nodes report and
//! what their tables show, and they know the SIMs' secrets and who really speaks on a connection.
//! Each is incremental, at the cost of the one event or message that is new. A scan of the nodes'
//! tables follows every [`SCAN_EVERY`] steps and whenever a lab asks for it.
//!
//! A violation names the invariant by its number:
//!
//! 1. tenants do not see each other's packets ([`tunnels`]);
//! 2. nothing leaves for an undeclared destination ([`tunnels`]);
//! 3. a dark SIM has no packets and no session ([`dark`]);
//! 4. a sequence number is used once ([`vectors`]);
//! 5. one address, one session, and nothing outlives its session ([`addresses`], [`rest`]);
//! 6. secrets stay where they belong ([`secrets`]);
//! 7. nothing grows without bound, and no node contradicts itself ([`rest`]);
//! 8. no NAS message of one UE changes the context of another ([`speakers`]).

mod addresses;
mod dark;
mod rest;
mod secrets;
mod speakers;
#[cfg(test)]
mod tests;
mod tunnels;
mod vectors;

use core::fmt;
use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use heiiki_hss::SubscriberImport;
use heiiki_hss::auc::milenage::Milenage;
use heiiki_mme::s1::{self, EnbId};
use heiiki_mme::{ContextSnapshot, Mme};
use heiiki_pgw::{AccessId, Event as PgwEvent, PgwConfig, TenantId};
use heiiki_types::{Apn, Datagram, Imsi, Instant, Prefix, Protections};

use super::node::Node;
use super::{Delivery, Link};
use crate::log::{Entry, NodeEvent};
use addresses::Addresses;
use dark::Dark;
pub(crate) use rest::left;
use secrets::Secrets;
use speakers::Speakers;
pub(crate) use tunnels::Sender;
use tunnels::Tunnels;
use vectors::Vectors;

/// Steps between two full scans.
pub(crate) const SCAN_EVERY: u64 = 2_048;

/// An invariant that broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Its number in the design.
    pub(crate) invariant: u8,
    /// What was seen.
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// A violation of the invariant with this number, as a check returns it.
#[expect(clippy::unnecessary_wraps, reason = "it is what checks return")]
const fn broken(invariant: u8, what: String) -> Option<Violation> {
    Some(Violation { invariant, what })
}

/// Looks on.
#[derive(Default)]
pub(crate) struct Checker {
    truth: Truth,
    addresses: Addresses,
    dark: Dark,
    tunnels: Tunnels,
    vectors: Vectors,
    secrets: Secrets,
    speakers: Speakers,
    /// Invariants that the scenario gave up when it switched a protection off.
    excused: BTreeSet<u8>,
}

/// What the lab knows to be so, whatever its nodes think.
#[derive(Default)]
struct Truth {
    tenants: Vec<Tenant>,
    /// The access points: their names, whose they are, and whether the lab has opened them.
    apns: Vec<(Apn, usize, bool)>,
    sims: BTreeMap<Imsi, Sim>,
    /// The SIM of each UE of each eNB.
    ues: BTreeMap<(EnbId, u32), Imsi>,
    quarantine: core::time::Duration,
}

struct Tenant {
    name: String,
    declared: Vec<Prefix>,
}

struct Sim {
    milenage: Milenage,
    /// Static addresses, each with the tenant of its access point.
    fixed: Vec<(usize, IpAddr)>,
    apns: usize,
}

impl Truth {
    fn new(config: &PgwConfig, subscribers: &[SubscriberImport]) -> Self {
        let tenants = config.tenants.iter().map(|t| Tenant {
            name: t.name.clone(),
            declared: t.prefixes.iter().map(|p| p.prefix).collect(),
        });
        let mut truth = Self {
            tenants: tenants.collect(),
            quarantine: config.quarantine,
            ..Self::default()
        };
        for access in &config.apns {
            if let Some(tenant) = truth.tenant(&access.tenant) {
                let open = access.open_lab.is_some();
                truth.apns.push((access.apn.clone(), tenant, open));
            }
        }
        for subscriber in subscribers {
            let fixed = subscriber.apns.iter();
            let fixed = fixed.filter_map(|a| Some((truth.tenant_of(&a.apn)?, a.static_ip?.into())));
            let sim = Sim {
                milenage: Milenage::new(&subscriber.k, &subscriber.opc),
                fixed: fixed.collect(),
                apns: subscriber.apns.len(),
            };
            truth.sims.insert(subscriber.imsi, sim);
        }
        truth
    }

    fn tenant(&self, name: &str) -> Option<usize> {
        self.tenants.iter().position(|t| t.name == name)
    }

    /// Whose access point it is.
    fn tenant_of(&self, apn: &Apn) -> Option<usize> {
        let wanted = apn.network_identifier();
        let mut apns = self.apns.iter();
        let found = apns.find(|(own, ..)| own.network_identifier() == wanted);
        found.map(|(_, tenant, _)| *tenant)
    }

    fn name(&self, tenant: usize) -> &str {
        self.tenants.get(tenant).map_or("nobody", |t| &t.name)
    }

    /// The SIM in the UE that has this connection. The eNB numbers connections by their UEs.
    fn speaker(&self, enb: EnbId, enb_ue_id: u32) -> Option<Imsi> {
        self.ues.get(&(enb, enb_ue_id & 0xf_ffff)).copied()
    }
}

/// What broke when a protection is off.
fn excused(protections: Protections) -> BTreeSet<u8> {
    let behind = [
        (protections.source_check, 1),
        (protections.tenant_isolation, 1),
        (protections.closed_egress, 2),
        (protections.infrastructure_deny, 2),
        (protections.bar, 3),
        (protections.auts_check, 4),
        (protections.nas_integrity, 8),
    ];
    let off = behind.into_iter().filter(|(on, _)| !on);
    off.map(|(_, invariant)| invariant).collect()
}

impl Checker {
    /// Who owns what, and which octets must never be seen.
    pub(crate) fn new(
        config: &PgwConfig,
        subscribers: &[SubscriberImport],
        ues: BTreeMap<(EnbId, u32), Imsi>,
    ) -> Self {
        let mut truth = Truth::new(config, subscribers);
        truth.ues = ues;
        Self {
            truth,
            secrets: Secrets::new(subscribers),
            excused: excused(config.protections),
            ..Self::default()
        }
    }

    /// Whether a violation counts: not when the scenario switched off what stands behind it.
    pub(crate) fn counts(&self, violation: &Violation) -> bool {
        !self.excused.contains(&violation.invariant)
    }

    /// Lets every violation count, whatever the scenario switched off.
    pub(crate) fn excuse_nothing(&mut self) {
        self.excused.clear();
    }

    /// Looks at one event. `in_flight` is when the last packet arrives that was on its way to the
    /// SGW.
    pub(crate) fn entry(
        &mut self,
        entry: &Entry,
        node: Option<&Node>,
        in_flight: Instant,
    ) -> Option<Violation> {
        let found = match &entry.event {
            NodeEvent::Pgw(event) => self.gateway_event(entry.at, event, node, in_flight),
            NodeEvent::Hss(event) => self.vectors.event(event),
            NodeEvent::Mme(event) => self.speakers.event(event),
            _ => None,
        };
        found
            .or_else(|| rest::contradiction(&entry.event))
            .or_else(|| self.secrets.entry(entry))
    }

    fn gateway_event(
        &mut self,
        at: Instant,
        event: &PgwEvent,
        node: Option<&Node>,
        in_flight: Instant,
    ) -> Option<Violation> {
        let Self {
            truth,
            addresses,
            dark,
            tunnels,
            ..
        } = self;
        match event {
            PgwEvent::SessionCreated {
                session,
                imsi,
                tenant,
                address,
                ..
            } => {
                let place = truth.tenant(tenant)?;
                let given = addresses.given(truth, at, *session, (*imsi, place, *address));
                given.or_else(|| dark.session_created(*imsi))
            }
            PgwEvent::SessionEnded { session, .. } => {
                let (imsi, tenant, ended) = addresses.ended(truth, at, *session)?;
                if let Some(address) = ended.v4() {
                    tunnels.ended(imsi, tenant, address, at + truth.quarantine);
                }
                None
            }
            PgwEvent::BarSet { imsi, .. } => {
                dark.bar_set(*imsi);
                None
            }
            PgwEvent::CutDone { imsi, .. } => {
                dark.cut_done(*imsi, in_flight);
                match addresses.sessions_of(*imsi) {
                    0 => None,
                    left => broken(3, format!("{imsi} is cut and still has {left} sessions")),
                }
            }
            PgwEvent::BarLifted { imsi, .. } => {
                dark.lifted(*imsi);
                None
            }
            PgwEvent::Started { .. } => {
                let Some(Node::Pgw(pgw)) = node else {
                    return None;
                };
                for (imsi, tenant, ended, until) in addresses.restarted(truth, at, pgw) {
                    if let Some(address) = ended.v4() {
                        tunnels.ended(imsi, tenant, address, until);
                    }
                }
                None
            }
            _ => None,
        }
    }

    /// The gateway lost its journal: addresses and TEIDs that rested are as good as new.
    pub(crate) fn gateway_forgot(&mut self) {
        self.addresses.forget_rests();
        self.tunnels.forget_rests();
    }

    /// The node crashed; what it had begun may or may not be on its disk.
    pub(crate) const fn crashed(&mut self, node: &Node, at: Instant) {
        if let Node::Pgw(_) = node {
            self.addresses.crashed(at);
        }
    }

    /// Something is about to be handed to a node: what comes out of the node until
    /// [`handled`](Self::handled) is because of it.
    pub(crate) fn arriving(&mut self, node: &Node, delivery: &Delivery) {
        match (node, delivery) {
            (Node::Pgw(_), Delivery::Sgi { tenant, .. }) => self.tunnels.segment_speaks(*tenant),
            (Node::Pgw(_) | Node::Mme(_), Delivery::Datagram { port, datagram }) => {
                self.tunnels.arriving(port.link(), datagram);
            }
            (Node::Mme(mme), Delivery::S1FromEnb { enb, message }) => {
                self.speaks(mme, *enb, message);
            }
            _ => {}
        }
    }

    fn speaks(&mut self, mme: &Mme, enb: EnbId, message: &s1::Message) {
        let id = tunnels::enb_ue_id(message);
        if let Some(imsi) = self.truth.speaker(enb, id) {
            self.tunnels.speaks(imsi);
            let context = |imsi| -> Option<ContextSnapshot> { mme.context_of(imsi) };
            self.speakers.speaks(imsi, message, context);
        }
    }

    /// What was handed over is done with.
    pub(crate) fn handled(&mut self, node: Option<&Node>) -> Option<Violation> {
        self.tunnels.handled();
        match node {
            Some(Node::Mme(mme)) => self.speakers.heard(|imsi| mme.context_of(imsi)),
            _ => None,
        }
    }

    /// Looks at a packet that a gateway hands to a tenant's segment, or to the sentinel.
    pub(crate) fn to_segment(
        &self,
        tenant: TenantId,
        outside: Option<AccessId>,
        packet: &[u8],
    ) -> Option<Violation> {
        let (source, destination) = addresses_of(packet)?;
        let place = usize::from(tenant.0);
        self.tunnels
            .to_segment(&self.truth, &self.dark, place, source)
            .or_else(|| tunnels::leaves(&self.truth, place, outside, source, destination))
    }

    /// Looks at a datagram that a node sends.
    pub(crate) fn datagram(
        &mut self,
        now: Instant,
        sender: Sender,
        link: Link,
        datagram: &Datagram,
    ) -> Option<Violation> {
        let Self {
            truth,
            tunnels,
            dark,
            secrets,
            ..
        } = self;
        match link {
            Link::S5C => {
                let seen = secrets.octets(link, &datagram.payload);
                seen.or_else(|| tunnels.signalling(truth, now, datagram))
            }
            _ => tunnels.user_plane(truth, dark, now, sender, datagram),
        }
    }

    /// A message of the control plane arrives changed: nobody knows any more whose tunnel is whose.
    pub(crate) const fn changed(&mut self, link: Link) {
        if matches!(link, Link::S5C) {
            self.tunnels.taint();
        }
    }

    /// Looks at an S1 message that a node sends.
    pub(crate) fn s1(&mut self, enb: EnbId, message: &s1::Message) -> Option<Violation> {
        self.tunnels.s1(&self.truth, enb, message);
        let nas = message.nas()?;
        self.secrets.octets(Link::S1Nas, nas)
    }

    /// Looks at octets on a Diameter connection.
    pub(crate) fn diameter(&mut self, octets: &[u8]) -> Option<Violation> {
        let seen = self.secrets.octets(Link::S6a, octets);
        let repeated = self
            .vectors
            .diameter(&self.truth, &mut self.secrets, octets);
        seen.or(repeated)
    }

    /// Looks at the body of an administrative call or its answer.
    pub(crate) fn admin(&self, body: &[u8]) -> Option<Violation> {
        let raw = self.secrets.octets(Link::Admin, body);
        raw.or_else(|| self.secrets.text("an administrative call", body))
    }

    /// Whether SGW and gateway have the same sessions. Only while no message between them is
    /// under way.
    pub(crate) fn sessions_agree<'a>(
        &self,
        nodes: impl Iterator<Item = &'a Node>,
    ) -> Option<Violation> {
        let (pgw, mme) = of_interest(nodes);
        rest::sessions_agree(pgw?, mme?).filter(|_| !self.tunnels.is_tainted())
    }

    /// Looks at everything that the nodes hold.
    pub(crate) fn scan<'a>(&self, nodes: impl Iterator<Item = &'a Node>) -> Option<Violation> {
        let (pgw, mme) = of_interest(nodes);
        let dark = &self.dark;
        let of_gateway = pgw.and_then(|p| {
            let found = addresses::scan(p).or_else(|| dark.scan_gateway(p));
            found.or_else(|| rest::bounds_of_gateway(&self.truth, p))
        });
        let of_core = || {
            let mme = mme?;
            let found = addresses::scan_sgw(mme).or_else(|| speakers::scan(mme));
            found.or_else(|| rest::bounds_of_core(&self.truth, mme))
        };
        let of_both = || rest::tunnels_agree(pgw?, mme?).filter(|_| !self.tunnels.is_tainted());
        of_gateway.or_else(of_core).or_else(of_both)
    }
}

/// The nodes whose tables are scanned.
fn of_interest<'a>(
    nodes: impl Iterator<Item = &'a Node>,
) -> (Option<&'a heiiki_pgw::Pgw>, Option<&'a Mme>) {
    let (mut pgw, mut mme) = (None, None);
    for node in nodes {
        match node {
            Node::Pgw(node) => pgw = Some(&**node),
            Node::Mme(node) => mme = Some(&**node),
            _ => {}
        }
    }
    (pgw, mme)
}

/// Source and destination of an IP packet.
fn addresses_of(packet: &[u8]) -> Option<(IpAddr, IpAddr)> {
    use IpAddr;
    if packet.first()? >> 4 == 4 {
        let source: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
        let destination: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
        Some((IpAddr::from(source), IpAddr::from(destination)))
    } else {
        let source: [u8; 16] = packet.get(8..24)?.try_into().ok()?;
        let destination: [u8; 16] = packet.get(24..40)?.try_into().ok()?;
        Some((IpAddr::from(source), IpAddr::from(destination)))
    }
}
