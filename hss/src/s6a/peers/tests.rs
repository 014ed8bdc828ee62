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
        ..PeerRule::default()
    };
    let mut agent = rule("dra.example", "10.0.2.0/24");
    agent.visited_plmns.clear();
    agent.carries.push(CarryRule {
        origin_host: "mme*.visited.example".into(),
        realm: Some("visited.example".into()),
        visited_plmns: alloc::vec![other],
        rate: None,
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
        .identify(&rules(), *conn, origin)
        .map(|(plmns, _)| plmns.to_vec())
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

#[test]
fn a_pinned_certificate_decides_between_rules() {
    let mut rules = rules();
    let mut pinned = rules[0].clone();
    pinned.certificates.push([7; 32]);
    rules = alloc::vec![pinned];
    for (digest, ok) in [(Some(7), true), (Some(8), false), (None, false)] {
        let conn = ConnId::accepted(1);
        let mut peers = Peers::default();
        peers.accepted(conn, "10.0.1.7:4000".parse().unwrap());
        if let Some(digest) = digest {
            let names = Vec::new();
            let sha256 = [digest; 32];
            peers.certified(conn, Certificate { names, sha256 });
        }
        peers.opened(&rules, conn, "mme1.example", "example");
        let origin = Origin {
            host: "mme1.example",
            realm: "example",
            route_record: &[],
        };
        assert_eq!(
            peers.identify(&rules, conn, origin).is_ok(),
            ok,
            "{digest:?}"
        );
    }
}

#[test]
fn nodes_behind_an_agent_are_counted_one_by_one() {
    let mut rules = rules();
    rules[1].carries[0].rate = Some(RequestRate {
        per_second: 1,
        burst: 2,
    });
    let (mut peers, conn) = opened("dra.example", "example", "10.0.2.1:4000");
    let now = Instant::from_micros(5_000_000);
    let mut ask = |host: &str| {
        let origin = Origin {
            host,
            realm: "visited.example",
            route_record: &[],
        };
        peers.authorise(&rules, conn, origin, now).map(<[_]>::len)
    };
    for n in 0..4 {
        let wanted = if n < 2 {
            Ok(1)
        } else {
            Err(Objection::TooMany)
        };
        assert_eq!(ask("mme1.visited.example"), wanted);
    }
    assert_eq!(
        ask("mme2.visited.example"),
        Ok(1),
        "another one has its own"
    );
    let told = peers.throttled(now);
    assert_eq!((told.len(), told[0].requests), (1, 2));
    assert_eq!(told[0].origin.as_deref(), Some("mme1.visited.example"));
}
