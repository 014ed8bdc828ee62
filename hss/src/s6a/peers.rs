//! Who stands behind a request: the connection, and the origin that the message names.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::net::SocketAddr;

use heiiki_types::{ConnId, PlmnId};

use crate::config::{PeerRule, identity_matches};

/// An open connection.
#[derive(Clone, Debug)]
struct Peer {
    host: String,
    realm: String,
    /// The position of its rule.
    rule: Option<usize>,
}

/// The connections that the HSS knows.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    addresses: BTreeMap<ConnId, SocketAddr>,
    open: BTreeMap<ConnId, Peer>,
}

/// The origin of a request, as the message gives it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    pub(crate) host: &'a str,
    pub(crate) realm: &'a str,
    pub(crate) route_record: &'a [String],
}

impl Peers {
    pub(crate) fn accepted(&mut self, conn: ConnId, address: SocketAddr) {
        self.addresses.insert(conn, address);
    }

    pub(crate) fn opened(&mut self, rules: &[PeerRule], conn: ConnId, host: &str, realm: &str) {
        let address = self.addresses.get(&conn).map(SocketAddr::ip);
        let rule = rules.iter().position(|rule| {
            identity_matches(&rule.origin_host, host)
                && realm_matches(rule.realm.as_deref(), realm)
                && (rule.addresses.is_empty()
                    || address.is_some_and(|a| rule.addresses.iter().any(|p| p.contains(a))))
        });
        let peer = Peer {
            host: String::from(host),
            realm: String::from(realm),
            rule,
        };
        self.open.insert(conn, peer);
    }

    pub(crate) fn closed(&mut self, conn: ConnId) {
        self.addresses.remove(&conn);
        self.open.remove(&conn);
    }

    /// The networks that `origin` may name on this connection, or why it has no business there
    /// (RFC 6733 §2.9).
    pub(crate) fn authorise<'a>(
        &self,
        rules: &'a [PeerRule],
        conn: ConnId,
        origin: Origin<'_>,
    ) -> Result<&'a [PlmnId], &'static str> {
        let peer = self.open.get(&conn).ok_or("the connection is not open")?;
        let rule = peer
            .rule
            .and_then(|i| rules.get(i))
            .ok_or("no rule is for the connection")?;
        let plmns = if peer.host.eq_ignore_ascii_case(origin.host) {
            if !peer.realm.eq_ignore_ascii_case(origin.realm) {
                return Err("the origin's realm is not that of its connection");
            }
            &rule.visited_plmns
        } else {
            let carried = rule.carries.iter().find(|c| {
                identity_matches(&c.origin_host, origin.host)
                    && realm_matches(c.realm.as_deref(), origin.realm)
            });
            &carried
                .ok_or("the origin is not on the connection's carry list")?
                .visited_plmns
        };
        let known = |hop: &String| {
            hop.eq_ignore_ascii_case(origin.host)
                || rule.route_records.iter().any(|p| identity_matches(p, hop))
        };
        if origin.route_record.iter().all(known) {
            Ok(plmns)
        } else {
            Err("a Route-Record is not on the connection's path list")
        }
    }
}

fn realm_matches(wanted: Option<&str>, realm: &str) -> bool {
    wanted.is_none_or(|w| w.eq_ignore_ascii_case(realm))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CarryRule;
    use alloc::vec::Vec;

    fn rules() -> Vec<PeerRule> {
        let own: PlmnId = "00101".parse().unwrap();
        let other: PlmnId = "00102".parse().unwrap();
        let rule = |host: &str, address: &str| PeerRule {
            origin_host: host.into(),
            realm: None,
            addresses: alloc::vec![address.parse().unwrap()],
            visited_plmns: alloc::vec![own],
            carries: Vec::new(),
            route_records: Vec::new(),
        };
        let mut agent = rule("dra.example", "10.0.2.0/24");
        agent.visited_plmns.clear();
        agent.carries.push(CarryRule {
            origin_host: "mme*.visited.example".into(),
            realm: Some("visited.example".into()),
            visited_plmns: alloc::vec![other],
        });
        agent.route_records.push("dra2.example".into());
        alloc::vec![rule("*", "10.0.1.0/24"), agent]
    }

    fn opened(host: &str, realm: &str, address: &str) -> (Peers, ConnId) {
        let conn = ConnId::accepted(1);
        let mut peers = Peers::default();
        peers.accepted(conn, address.parse().unwrap());
        peers.opened(&rules(), conn, host, realm);
        (peers, conn)
    }

    fn ask(
        (peers, conn): &(Peers, ConnId),
        host: &str,
        realm: &str,
        route: &[&str],
    ) -> Result<Vec<PlmnId>, &'static str> {
        let route_record: Vec<String> = route.iter().map(|r| String::from(*r)).collect();
        let origin = Origin {
            host,
            realm,
            route_record: &route_record,
        };
        peers
            .authorise(&rules(), *conn, origin)
            .map(<[PlmnId]>::to_vec)
    }

    #[test]
    fn a_direct_peer_speaks_for_itself_alone() {
        let peer = opened("mme1.example", "example", "10.0.1.7:4000");
        assert_eq!(
            ask(&peer, "MME1.example", "example", &[]),
            Ok(alloc::vec!["00101".parse().unwrap()])
        );
        assert!(ask(&peer, "mme2.example", "example", &[]).is_err());
        assert!(ask(&peer, "mme1.example", "elsewhere", &[]).is_err());
        assert!(ask(&peer, "mme1.example", "example", &["dra9.example"]).is_err());
    }

    #[test]
    fn an_agent_speaks_for_its_carry_list_along_its_path_list() {
        let agent = opened("dra.example", "example", "10.0.2.1:4000");
        let (mme, realm) = ("mme3.visited.example", "visited.example");
        let allowed = Ok(alloc::vec!["00102".parse().unwrap()]);
        assert_eq!(ask(&agent, mme, realm, &[mme, "dra2.example"]), allowed);
        assert!(ask(&agent, mme, realm, &["dra3.example"]).is_err());
        assert!(ask(&agent, mme, "elsewhere.example", &[]).is_err());
        assert!(ask(&agent, "hss.visited.example", realm, &[]).is_err());
    }

    #[test]
    fn the_address_decides_between_rules() {
        let elsewhere = opened("mme1.example", "example", "10.0.9.7:4000");
        assert!(ask(&elsewhere, "mme1.example", "example", &[]).is_err());
        let (mut peers, conn) = opened("mme1.example", "example", "10.0.1.7:4000");
        peers.closed(conn);
        assert!(ask(&(peers, conn), "mme1.example", "example", &[]).is_err());
    }
}
