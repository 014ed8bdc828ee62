//! Two companies on one gateway.

use heiiki::Lab;
use heiiki::plan::UeToUe;
use heiiki_ue_sim::ProbeOutcome;

use crate::prelude::*;

/// Goal: two tenants with the same range have nothing to do with each other. Method: both UEs get
/// the same address, each gets its own tenant's page and file from the same address.
#[test]
fn two_tenants_may_use_one_range() {
    let builder = acme().tenant("globex", "10.20.0.0/16");
    let builder = builder.sim("red", "acme").sim("blue", "globex");
    let mut lab = builder.build().unwrap();
    let red = lab.attach("red").unwrap();
    let blue = lab.attach("blue").unwrap();
    assert_eq!(red.ip, blue.ip);
    let mut files = Vec::new();
    for (sim, own, other) in [("red", "acme", "globex"), ("blue", "globex", "acme")] {
        let page = lab.get(sim, "http://intranet/").unwrap();
        let text = String::from_utf8(page.body).unwrap();
        assert!(text.contains(own) && !text.contains(other), "{sim}: {text}");
        let file = lab.get(sim, "http://intranet/file?size=50000").unwrap();
        files.push(file.sha256);
    }
    assert_ne!(files[0], files[1]);
    assert_eq!(lab.audit().unwrap()["closed"], true);
}

/// Goal: a cut in one tenant does not touch the UE of the other that has the same address. Method:
/// suspend one of two.
#[test]
fn a_cut_stays_in_its_tenant() {
    let builder = acme().tenant("globex", "10.20.0.0/16");
    let builder = builder.sim("red", "acme").sim("blue", "globex");
    let mut lab = builder.build().unwrap();
    let address = lab.attach("red").unwrap().ip;
    assert_eq!(lab.attach("blue").unwrap().ip, address);
    assert!(lab.suspend("red", "lost").unwrap().dark);
    assert_dark(&mut lab, "red", "red");
    assert_works(&mut lab, "blue", "blue");
}

/// Goal: no packet crosses from one tenant to another. Method: probes at every protocol against
/// the other's host and UE; each times out, for nobody says that there is anything, and counts.
#[test]
fn one_tenant_does_not_reach_another() {
    let builder = acme().tenant("globex", "10.30.0.0/16");
    let builder = builder.sim("red", "acme").sim("blue", "globex");
    let mut lab = builder.build().unwrap();
    lab.attach("red").unwrap();
    let blue = lab.attach("blue").unwrap().ip;
    let host = lab.plan().tenants[1].hosts[0].address;
    let core::net::IpAddr::V4(host) = host else {
        panic!("{host}");
    };
    assert!(
        lab.ping("blue", host).is_answered(),
        "it is there for its own"
    );
    for target in [host, blue] {
        let before = refused(&mut lab, "cross_tenant");
        assert_eq!(lab.ping("red", target), ProbeOutcome::TimedOut);
        assert_eq!(lab.tcp("red", target, 80), ProbeOutcome::TimedOut);
        assert_eq!(lab.udp("red", target, 7), ProbeOutcome::TimedOut);
        assert!(refused(&mut lab, "cross_tenant") >= before + 3);
    }
}

fn neighbours(policy: UeToUe) -> Lab {
    let builder = acme().with_tenant(|t| t.ue_to_ue = policy);
    builder.sims("pc", 2, "acme").build().unwrap()
}

/// Goal: one infected device reaches no other. Method: probes between two UEs of one tenant; the
/// tenant's own rule says so with an ICMP, and counts.
#[test]
fn a_ue_does_not_reach_its_neighbour() {
    let mut lab = neighbours(UeToUe::Deny);
    lab.attach("pc-1").unwrap();
    let other = lab.attach("pc-2").unwrap().ip;
    for outcome in [
        lab.ping("pc-1", other),
        lab.tcp("pc-1", other, 80),
        lab.udp("pc-1", other, 7),
    ] {
        assert!(
            matches!(outcome, ProbeOutcome::Prohibited { code: 13, .. }),
            "{outcome:?}"
        );
    }
    assert!(refused(&mut lab, "ue_to_ue") >= 3);
}

/// Goal: the test above can fail. Method: the tenant allows it; and the protection is off.
#[test]
fn a_ue_reaches_its_neighbour_where_the_tenant_allows_it() {
    let mut lab = neighbours(UeToUe::Allow);
    lab.attach("pc-1").unwrap();
    let other = lab.attach("pc-2").unwrap().ip;
    assert!(lab.ping("pc-1", other).is_answered());

    let builder = acme()
        .sims("pc", 2, "acme")
        .weaken(|p| p.ue_isolation = false);
    let mut lab = builder.build().unwrap();
    lab.attach("pc-1").unwrap();
    let other = lab.attach("pc-2").unwrap().ip;
    assert!(lab.ping("pc-1", other).is_answered());
}
