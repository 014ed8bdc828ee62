//! Access points and the addresses that their sessions get.

use core::net::Ipv4Addr;

use heiiki::plan::{Sim, SubscribedApn};
use heiiki_types::{Apn, Qci};
use heiiki_ue_sim::UeCommand;

use crate::prelude::*;

fn ask_for(lab: &mut heiiki::Lab, sim: &str, apn: &str) {
    let apn: Apn = apn.parse().unwrap();
    lab.command(sim, UeCommand::SetApn { apn: Some(apn) });
}

/// Goal: nobody gets an access point that there is not, or that is not theirs. Method: a name that
/// the subscription lacks, one that it has and no gateway knows, and another tenant's.
#[test]
fn an_unknown_access_point_is_refused() {
    let ghost = |sim: &mut Sim| {
        sim.apns.push(SubscribedApn {
            apn: "ghost".parse().unwrap(),
            static_ip: None,
            static_ipv6: None,
            qci: Qci(9),
        });
    };
    let builder = acme().tenant("globex", "10.30.0.0/16");
    let mut lab = builder.sim("pc-1", "acme").with_sim(ghost).build().unwrap();
    for (apn, cause) in [
        ("nowhere", "#19/#33"),
        ("ghost", "#19/#27"),
        ("globex", "#19/#33"),
    ] {
        ask_for(&mut lab, "pc-1", apn);
        assert_eq!(lab.attach("pc-1").unwrap_err().cause(), cause, "{apn}");
        assert_eq!(sessions(&mut lab, "pc-1").len(), 0);
    }
    ask_for(&mut lab, "pc-1", "acme");
    lab.attach("pc-1").unwrap();
    assert_works(&mut lab, "pc-1", "its own access point");
}

/// Goal: a fixed address belongs to one SIM, whether or not it is there. Method: it comes and goes;
/// after it, SIMs without a fixed address fill the rest of a small pool.
#[test]
fn a_static_address_is_kept_for_its_sim() {
    let fixed = Ipv4Addr::new(10, 20, 0, 10);
    let builder = heiiki::Lab::builder().tenant("acme", "10.20.0.0/28");
    let builder = builder.sim("desk", "acme").static_ip(fixed);
    let mut lab = builder.sims("pc", 10, "acme").build().unwrap();
    for _ in 0..3 {
        assert_eq!(
            lab.attach("desk").unwrap().ip,
            fixed,
            "no rest for its own SIM"
        );
    }
    lab.detach("desk", true);
    lab.run_for(s(120));
    let others = (1..=10).map_while(|n| lab.attach(&format!("pc-{n}")).ok());
    let others: Vec<Ipv4Addr> = others.map(|session| session.ip).collect();
    assert!(others.len() >= 4 && !others.contains(&fixed), "{others:?}");
    assert_eq!(lab.attach("desk").unwrap().ip, fixed);
    assert_works(&mut lab, "desk", "with its fixed address");
}

/// Goal: a SIM that asks for an address that another SIM has is refused, and the other keeps it.
/// Method: a dynamic session got the address before the SIM that it is fixed for came.
#[test]
fn an_address_that_another_sim_has_is_refused() {
    let first = one_pc().attach("pc-1").unwrap().ip;
    let builder = acme().sim("pc-1", "acme");
    let mut lab = builder
        .sim("desk", "acme")
        .static_ip(first)
        .build()
        .unwrap();
    assert_eq!(lab.attach("pc-1").unwrap().ip, first);
    let refused = lab.attach("desk").unwrap_err().cause();
    assert!(refused.starts_with("#19/"), "{refused}");
    assert_eq!(sessions(&mut lab, "pc-1"), [first]);
    assert_works(&mut lab, "pc-1", "it was there first");
    lab.detach("pc-1", false);
    lab.run_for(s(70));
    assert_eq!(lab.attach("desk").unwrap().ip, first);
    assert_ne!(lab.attach("pc-1").unwrap().ip, first);
}

/// Goal: one address is not given to two SIMs on paper either. Method: two subscriptions with it.
#[test]
fn two_subscriptions_with_one_address_are_refused() {
    let fixed = Ipv4Addr::new(10, 20, 200, 7);
    let builder = acme().sim("pc-1", "acme").static_ip(fixed);
    let refused = builder.sim("pc-2", "acme").static_ip(fixed).build();
    let told = refused.unwrap_err().to_string();
    assert!(told.contains("10.20.200.7"), "{told}");
}

/// Goal: a fixed address must be one of the access point's. Method: addresses outside the pool: the
/// intranet's own, and a public one.
#[test]
fn a_static_address_outside_the_pool_is_refused() {
    for address in [INTRANET, Ipv4Addr::new(8, 8, 8, 8)] {
        let builder = acme().sim("pc-1", "acme").static_ip(address);
        let Ok(mut lab) = builder.build() else {
            continue;
        };
        let refused = lab.attach("pc-1").unwrap_err();
        assert!(refused.cause().starts_with("#19/"), "{address}: {refused}");
        assert_eq!(sessions(&mut lab, "pc-1").len(), 0);
    }
}

/// Goal: a full pool refuses, and an address rests before another SIM gets it. Method: a pool of
/// eight; a detach, an attach within and after the quarantine of 60 s.
#[test]
fn a_full_pool_refuses_until_an_address_has_rested() {
    let builder = heiiki::Lab::builder().tenant("acme", "10.20.0.0/28");
    let mut lab = builder.sims("pc", 20, "acme").build().unwrap();
    let mut got = Vec::new();
    let mut full = None;
    for n in 1..=20 {
        match lab.attach(&format!("pc-{n}")) {
            Ok(session) => got.push(session.ip),
            Err(refused) => {
                full = Some((n, refused.cause()));
                break;
            }
        }
    }
    let (next, cause) = full.unwrap();
    assert_eq!(cause, "#19/#26");
    assert!((4..=8).contains(&got.len()), "{got:?}");
    let next = format!("pc-{next}");
    assert!(lab.detach("pc-1", false));
    lab.run_for(s(50));
    assert_eq!(
        lab.attach(&next).unwrap_err().cause(),
        "#19/#26",
        "it rests"
    );
    lab.run_for(s(15));
    assert_eq!(lab.attach(&next).unwrap().ip, got[0]);
    assert_works(&mut lab, &next, "with the address that rested");
}

/// Goal: an address that was used goes out again as late as it can. Method: one SIM comes and goes.
#[test]
fn a_fresh_address_goes_before_one_that_rested() {
    let mut lab = one_pc();
    let mut got = Vec::new();
    for _ in 0..10 {
        got.push(lab.attach("pc-1").unwrap().ip);
        lab.detach("pc-1", false);
        lab.run_for(s(100));
    }
    got.sort();
    got.dedup();
    assert_eq!(got.len(), 10);
}
