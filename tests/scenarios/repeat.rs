//! A run repeats for its seed, and the invariants can fail.

use heiiki::plan::{NodeName, Secrets};
use heiiki::world::LinkProfile;
use heiiki::{Lab, Link};
use heiiki_types::Key128;

use crate::prelude::*;

/// A day with everything in it, as the lines of its log.
fn busy_day(seed: u64) -> Vec<String> {
    let builder = acme().tenant("globex", "10.20.0.0/16");
    let builder = builder.sims("red", 3, "acme").sims("blue", 3, "globex");
    let mut lab = builder
        .seed(seed)
        .with_network(|n| n.workers = 2)
        .build()
        .unwrap();
    for link in Link::ALL {
        let quiet = LinkProfile::quiet(ms(2));
        let profile = LinkProfile {
            jitter: ms(3),
            loss: 0.05,
            duplicate: 0.05,
            reorder: 0.05,
            ..quiet
        };
        lab.world().set_profile(link, profile);
    }
    let names: Vec<String> = lab.plan().sims.iter().map(|s| s.name.clone()).collect();
    for name in &names {
        let _ = lab.attach(name);
        let _ = lab.get(name, "http://intranet/file?size=5000");
    }
    let _ = lab.suspend("red-1", "stolen");
    for node in [NodeName::Pgw, NodeName::Hss, NodeName::Mme] {
        lab.crash(node).unwrap();
        lab.run_for(ms(700));
        lab.restart(node).unwrap();
        let _ = lab.attach("blue-2");
        let _ = lab.get("blue-2", "http://intranet/");
    }
    lab.log()
        .iter()
        .map(|entry| serde_json::to_string(entry).unwrap())
        .collect()
}

/// Goal: a run repeats for its seed, to the octet. Method: two runs of a day with faults, cuts and
/// crashes in it; a third with another seed differs.
#[test]
fn a_seed_gives_one_log() {
    let (first, second) = (busy_day(11), busy_day(11));
    assert!(first.len() > 300, "{}", first.len());
    let differs = first.iter().zip(&second).find(|(a, b)| a != b);
    assert_eq!(differs, None);
    assert_eq!(first.len(), second.len());
    assert_ne!(first, busy_day(12));
}

fn with_key(k: [u8; 16]) -> Lab {
    let secrets = Secrets {
        k: Key128::new(k),
        operator: heiiki::plan::Operator::Opc(Key128::new([0x77; 16])),
    };
    let builder = acme().sim("pc-1", "acme");
    builder
        .with_sim(|sim| sim.secrets = Some(secrets))
        .build()
        .unwrap()
}

/// Goal: a key on the wire is seen. Method: a K whose octets are part of the MME's name, which every
/// Diameter message has in it.
#[test]
#[should_panic(expected = "an invariant broke")]
fn a_key_on_the_wire_ends_the_run() {
    let _ = with_key(*b"epc.mnc001.mcc00").attach("pc-1");
}

/// Goal: the test above fails for the right reason. Method: the same key but for one octet.
#[test]
fn a_key_that_is_not_on_the_wire_does_not() {
    with_key(*b"epc.mnc001.mcc0!").attach("pc-1").unwrap();
}

/// Goal: a misspelt name does not pass. Method: a SIM that there is not.
#[test]
#[should_panic(expected = "no SIM called pc-9")]
fn a_sim_that_does_not_exist_ends_the_test() {
    let _ = one_pc().attach("pc-9");
}

/// Goal: a lab that makes no sense is refused with every mistake. Method: three mistakes at once.
#[test]
fn a_lab_that_makes_no_sense_is_refused() {
    let builder = Lab::builder()
        .tenant("acme", "10.20.0.0/30")
        .tenant("globex", "not a prefix");
    let told = builder
        .sim("pc-1", "nobody")
        .build()
        .unwrap_err()
        .to_string();
    for part in ["tenant acme", "tenant globex", "SIM pc-1"] {
        assert!(told.contains(part), "{told}");
    }
    let public = Lab::builder()
        .tenant("acme", "8.8.8.0/24")
        .sim("pc-1", "acme");
    assert!(public.build().is_err(), "8.8.8.0/24 is not private");
}
