//! What must never happen, looked for after every step.
//!
//! Most checks are incremental: they look at the one event or packet that was new. A full scan of
//! the nodes' tables follows every [`SCAN_EVERY`] steps and whenever a lab asks for it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use heiiki_pgw::user_plane::SessionId;
use heiiki_pgw::{EndReason, Event as PgwEvent, PgwConfig, TenantId};
use heiiki_types::{Imsi, Key128, Prefix};

use super::Link;
use super::node::Node;
use crate::log::{Entry, NodeEvent};

/// Steps between two full scans.
pub(crate) const SCAN_EVERY: u64 = 2_048;

/// Looks on.
#[derive(Default)]
pub(crate) struct Checker {
    tenants: Vec<Tenant>,
    /// Live sessions of the gateway, as its events tell.
    sessions: BTreeMap<SessionId, (Imsi, usize, Ipv4Addr)>,
    owners: BTreeMap<(usize, Ipv4Addr), SessionId>,
    /// SIMs with a bar that every worker has passed.
    dark: BTreeSet<Imsi>,
    /// K and OPc of every SIM, HSS and card.
    secrets: Vec<Key128>,
    /// Whether the scenario switched off what a check stands on.
    weakened: bool,
}

struct Tenant {
    name: String,
    declared: Vec<Prefix>,
}

impl Checker {
    /// Who owns which prefixes, and which octets must never be seen.
    pub(crate) fn new(config: &PgwConfig, secrets: Vec<Key128>) -> Self {
        let tenants = config.tenants.iter().map(|t| Tenant {
            name: t.name.clone(),
            declared: t.prefixes.iter().map(|p| p.prefix).collect(),
        });
        Self {
            tenants: tenants.collect(),
            secrets,
            weakened: config.protections != heiiki_types::Protections::ALL,
            ..Self::default()
        }
    }

    /// Looks at one event.
    pub(crate) fn entry(&mut self, entry: &Entry) -> Option<String> {
        let NodeEvent::Pgw(event) = &entry.event else {
            return None;
        };
        match event {
            PgwEvent::SessionCreated {
                session,
                imsi,
                tenant,
                address,
                ..
            } => self.created(*session, *imsi, tenant, *address),
            PgwEvent::SessionEnded {
                session, reason, ..
            } => self.ended(*session, *reason),
            PgwEvent::CutDone { imsi, .. } => {
                self.dark.insert(*imsi);
                let left = self.sessions.values().any(|(owner, ..)| owner == imsi);
                left.then(|| format!("3: {imsi} is cut and still has a session"))
            }
            PgwEvent::BarLifted { imsi, .. } => {
                self.dark.remove(imsi);
                None
            }
            PgwEvent::Started { restored: 0, .. } => {
                self.sessions.clear();
                self.owners.clear();
                None
            }
            _ => None,
        }
    }

    fn created(
        &mut self,
        session: SessionId,
        imsi: Imsi,
        tenant: &str,
        address: Ipv4Addr,
    ) -> Option<String> {
        let place = self.tenants.iter().position(|t| t.name == tenant)?;
        self.sessions.insert(session, (imsi, place, address));
        let before = self.owners.insert((place, address), session);
        let before = before.and_then(|s| Some((s, self.sessions.get(&s)?)));
        if let Some((other, (owner, ..))) = before.filter(|(s, _)| *s != session) {
            return Some(format!(
                "5: {address} of {tenant} is given to {imsi} while session {other:?} of {owner} has it"
            ));
        }
        let barred = self.dark.contains(&imsi) && !self.weakened;
        barred.then(|| format!("3: {imsi} is dark and gets a session"))
    }

    fn ended(&mut self, session: SessionId, _: EndReason) -> Option<String> {
        let (_, tenant, address) = self.sessions.remove(&session)?;
        if self.owners.get(&(tenant, address)) == Some(&session) {
            self.owners.remove(&(tenant, address));
        }
        None
    }

    /// Looks at a packet that a gateway hands to a tenant's segment.
    pub(crate) fn to_segment(&self, tenant: TenantId, packet: &[u8]) -> Option<String> {
        if self.weakened {
            return None;
        }
        let (source, destination) = addresses(packet)?;
        let place = usize::from(tenant.0);
        let owner = self.tenants.get(place)?;
        if !owner.declared.iter().any(|p| p.contains(destination)) {
            return Some(format!(
                "2: {source} reaches {destination} outside {}",
                owner.name
            ));
        }
        let IpAddr::V4(address) = source else {
            return None;
        };
        match self
            .owners
            .get(&(place, address))
            .and_then(|s| self.sessions.get(s))
        {
            None => Some(format!(
                "1: {address} without a session of {} is passed on",
                owner.name
            )),
            Some((imsi, ..)) if self.dark.contains(imsi) => {
                Some(format!("3: {imsi} is dark and its packet is passed on"))
            }
            Some(_) => None,
        }
    }

    /// Looks for secrets in what crosses a signalling link.
    pub(crate) fn octets(&self, link: Link, octets: &[u8]) -> Option<String> {
        let seen = |key: &Key128| octets.windows(16).any(|w| w == key.expose());
        self.secrets
            .iter()
            .any(seen)
            .then(|| format!("6: K or OPc of a SIM crosses {link}"))
    }

    /// Looks at everything that the nodes hold.
    pub(crate) fn scan<'a>(&self, nodes: impl Iterator<Item = &'a Node>) -> Option<String> {
        for node in nodes {
            let found = match node {
                Node::Pgw(pgw) => self.scan_pgw(pgw),
                Node::Mme(mme) => self.scan_mme(mme),
                _ => None,
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn scan_pgw(&self, pgw: &heiiki_pgw::Pgw) -> Option<String> {
        let mut seen = BTreeMap::new();
        for (session, imsi, tenant, address) in pgw.control().sessions() {
            if let Some(other) = seen.insert((tenant, address), session) {
                return Some(format!(
                    "5: {address} belongs to sessions {other:?} and {session:?}"
                ));
            }
            if self.dark.contains(&imsi) && !self.weakened {
                return Some(format!("3: {imsi} is dark and has session {session:?}"));
            }
        }
        None
    }

    fn scan_mme(&self, mme: &heiiki_mme::Mme) -> Option<String> {
        let mut tunnels = BTreeSet::new();
        for session in mme.sessions() {
            if !tunnels.insert(session.s5u) || !tunnels.insert(session.s1u) {
                return Some(format!(
                    "5: the SGW has two tunnels of one TEID for {}",
                    session.imsi
                ));
            }
            if self.dark.contains(&session.imsi) && session.buffered > 0 && !session.uplink {
                return Some(format!(
                    "3: the SGW holds packets for {}, which is dark",
                    session.imsi
                ));
            }
        }
        None
    }
}

/// Source and destination of an IP packet.
fn addresses(packet: &[u8]) -> Option<(IpAddr, IpAddr)> {
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
