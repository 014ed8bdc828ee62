//! Who stands behind a request: the connection, and the origin that the message names.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::SocketAddr;

use heiiki_diameter::Certificate;
use heiiki_types::{ConnId, Instant, PlmnId};

use super::rate::{Bucket, Told};
use crate::config::{PeerRule, RequestRate, identity_matches};

/// Nodes behind agents whose requests are counted. Those beyond share the rate of their agent.
const MAX_ORIGINS: usize = 10_000;

/// A connection.
#[derive(Clone, Debug)]
struct Link {
    address: SocketAddr,
    certificate: Option<Certificate>,
    /// Known once open.
    peer: Option<Peer>,
}

/// An open connection.
#[derive(Clone, Debug)]
struct Peer {
    host: String,
    realm: String,
    /// The position of its rule.
    rule: Option<usize>,
    requests: Bucket,
}

/// The connections that the HSS knows.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    links: BTreeMap<ConnId, Link>,
    /// What the nodes behind agents have sent, by their Origin-Host in lower case.
    origins: BTreeMap<String, Bucket>,
    told: BTreeMap<(String, Option<String>), Told>,
}

/// The origin of a request, as the message gives it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    pub(crate) host: &'a str,
    pub(crate) realm: &'a str,
    pub(crate) route_record: &'a [String],
}

/// The networks that an origin may name; where it is behind an agent and has a rate of its own, that
/// rate and the agent.
type Identified<'a> = (&'a [PlmnId], Option<(RequestRate, String)>);

/// Why a request is refused before its contents count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Objection {
    /// The origin has no business on the connection.
    NotAuthorised(&'static str),
    /// The origin has sent more than it may.
    TooMany,
}

/// Requests that were answered 3004 and not told yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Throttled {
    pub(crate) peer: String,
    pub(crate) origin: Option<String>,
    pub(crate) requests: u64,
}

impl Peers {
    pub(crate) fn accepted(&mut self, conn: ConnId, address: SocketAddr) {
        let link = Link {
            address,
            certificate: None,
            peer: None,
        };
        self.links.insert(conn, link);
    }

    pub(crate) fn certified(&mut self, conn: ConnId, certificate: Certificate) {
        if let Some(link) = self.links.get_mut(&conn) {
            link.certificate = Some(certificate);
        }
    }

    pub(crate) fn address(&self, conn: ConnId) -> Option<SocketAddr> {
        self.links.get(&conn).map(|l| l.address)
    }

    pub(crate) fn is_tls(&self, conn: ConnId) -> bool {
        self.links
            .get(&conn)
            .is_some_and(|l| l.certificate.is_some())
    }

    pub(crate) fn opened(&mut self, rules: &[PeerRule], conn: ConnId, host: &str, realm: &str) {
        let Some(link) = self.links.get_mut(&conn) else {
            return;
        };
        let from = link.address.ip();
        let rule = rules.iter().position(|rule| {
            let trusted = match &link.certificate {
                Some(certificate) => certificate.is_of(host, &rule.certificates),
                None => !rule.tls && rule.certificates.is_empty(),
            };
            trusted
                && identity_matches(&rule.origin_host, host)
                && realm_matches(rule.realm.as_deref(), realm)
                && (rule.addresses.is_empty() || rule.addresses.iter().any(|p| p.contains(from)))
        });
        link.peer = Some(Peer {
            host: String::from(host),
            realm: String::from(realm),
            rule,
            requests: Bucket::default(),
        });
    }

    /// How many connections there are.
    pub(crate) fn links(&self) -> usize {
        self.links.len()
    }

    /// The names and realms of all open connections.
    pub(crate) fn identities(&self) -> impl Iterator<Item = (&str, &str)> {
        let open = self.links.values().filter_map(|link| link.peer.as_ref());
        open.map(|peer| (peer.host.as_str(), peer.realm.as_str()))
    }

    pub(crate) fn closed(&mut self, conn: ConnId) {
        self.links.remove(&conn);
    }

    /// Counts one request of a connection; no, when its peer has sent more than it may.
    pub(crate) fn takes_request(&mut self, rules: &[PeerRule], conn: ConnId, now: Instant) -> bool {
        let Some(peer) = self.links.get_mut(&conn).and_then(|l| l.peer.as_mut()) else {
            return true;
        };
        let rate = peer.rule.and_then(|i| rules.get(i)).and_then(|r| r.rate);
        let Some(rate) = rate else {
            return true;
        };
        if peer.requests.take(rate, now) {
            return true;
        }
        let key = (peer.host.clone(), None);
        self.told.entry(key).or_default().add();
        false
    }

    /// The networks that `origin` may name on this connection, or why it has no business there
    /// (RFC 6733 §2.9).
    pub(crate) fn authorise<'a>(
        &mut self,
        rules: &'a [PeerRule],
        conn: ConnId,
        origin: Origin<'_>,
        now: Instant,
    ) -> Result<&'a [PlmnId], Objection> {
        let (plmns, rate) = self
            .identify(rules, conn, origin)
            .map_err(Objection::NotAuthorised)?;
        if let Some((rate, agent)) = rate
            && !self.takes_request_of(origin.host, rate, now)
        {
            let key = (agent, Some(origin.host.to_string()));
            self.told.entry(key).or_default().add();
            return Err(Objection::TooMany);
        }
        Ok(plmns)
    }

    /// What an origin may do on a connection, or why nothing.
    fn identify<'a>(
        &self,
        rules: &'a [PeerRule],
        conn: ConnId,
        origin: Origin<'_>,
    ) -> Result<Identified<'a>, &'static str> {
        let peer = self.links.get(&conn).and_then(|l| l.peer.as_ref());
        let peer = peer.ok_or("the connection is not open")?;
        let rule = peer
            .rule
            .and_then(|i| rules.get(i))
            .ok_or("no rule is for the connection")?;
        let (plmns, rate) = if peer.host.eq_ignore_ascii_case(origin.host) {
            if !peer.realm.eq_ignore_ascii_case(origin.realm) {
                return Err("the origin's realm is not that of its connection");
            }
            (&rule.visited_plmns, None)
        } else {
            let carried = rule.carries.iter().find(|c| {
                identity_matches(&c.origin_host, origin.host)
                    && realm_matches(c.realm.as_deref(), origin.realm)
            });
            let carried = carried.ok_or("the origin is not on the connection's carry list")?;
            if !heiiki_diameter::is_in_realm(origin.host, origin.realm) {
                return Err("the origin's host is not in its realm");
            }
            let rate = carried.rate.map(|rate| (rate, peer.host.clone()));
            (&carried.visited_plmns, rate)
        };
        let known = |hop: &String| {
            hop.eq_ignore_ascii_case(origin.host)
                || rule.route_records.iter().any(|p| identity_matches(p, hop))
        };
        if !origin.route_record.iter().all(known) {
            return Err("a Route-Record is not on the connection's path list");
        }
        Ok((plmns, rate))
    }

    fn takes_request_of(&mut self, host: &str, rate: RequestRate, now: Instant) -> bool {
        let key = host.to_ascii_lowercase();
        if self.origins.len() >= MAX_ORIGINS && !self.origins.contains_key(&key) {
            self.origins.retain(|_, b| !b.is_full(now));
            if self.origins.len() >= MAX_ORIGINS {
                return true;
            }
        }
        self.origins.entry(key).or_default().take(rate, now)
    }

    /// When refusals for a rate are to be told next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.told.values().map(Told::due).min()
    }

    /// What is to be told now about refusals for a rate.
    pub(crate) fn throttled(&mut self, now: Instant) -> Vec<Throttled> {
        let mut due = Vec::new();
        self.told.retain(|(peer, origin), told| {
            let Some(requests) = told.tell(now) else {
                return true;
            };
            if requests > 0 {
                due.push(Throttled {
                    peer: peer.clone(),
                    origin: origin.clone(),
                    requests,
                });
            }
            // Nothing for a whole interval: it is over.
            requests > 0
        });
        due
    }
}

fn realm_matches(wanted: Option<&str>, realm: &str) -> bool {
    wanted.is_none_or(|w| w.eq_ignore_ascii_case(realm))
}

#[cfg(test)]
mod tests;
