//! Links that lose, double, reorder and change what crosses them.

use heiiki::world::LinkProfile;
use heiiki::{Lab, Link};

use crate::prelude::*;

/// Seeds for each kind of fault on each link.
const SEEDS: u64 = 8;

/// A name, and what it does to a link's profile.
type Fault = (&'static str, fn(&mut LinkProfile));

const FAULTS: [Fault; 4] = [
    ("20 % lost", |p| p.loss = 0.2),
    ("20 % doubled", |p| p.duplicate = 0.2),
    ("20 % overtaken", |p| p.reorder = 0.2),
    ("everything at once", |p| {
        p.jitter = ms(5);
        (p.loss, p.duplicate, p.reorder) = (0.1, 0.1, 0.1);
    }),
];

fn faulty(lab: &mut Lab, link: Link, change: fn(&mut LinkProfile)) {
    let mut profile = LinkProfile::quiet(ms(2));
    change(&mut profile);
    lab.world().set_profile(link, profile);
}

/// Attach, page and detach, each as often as a patient person tries.
fn a_day(lab: &mut Lab, what: &str) {
    attach_patiently(lab, "pc-1").unwrap_or_else(|e| panic!("{what}: {e}"));
    page_patiently(lab, "pc-1", what);
    let left = (0..3).any(|_| lab.detach("pc-1", false));
    assert!(left, "{what}: no detach");
}

/// Goal: a bad link costs time and nothing else. Method: each kind of fault on each link, several
/// seeds: a SIM attaches, gets its page and leaves; healed, nothing of it is left.
#[test]
fn every_link_may_lose_double_and_reorder() {
    for link in Link::ALL {
        for (name, change) in FAULTS {
            for seed in 1..=SEEDS {
                let what = format!("{name} on {link}, seed {seed}");
                let mut lab = acme().sim("pc-1", "acme").seed(seed).build().unwrap();
                faulty(&mut lab, link, change);
                a_day(&mut lab, &what);
                faulty(&mut lab, link, |_| {});
                attach_patiently(&mut lab, "pc-1").unwrap_or_else(|e| panic!("{what}: {e}"));
                assert_works(&mut lab, "pc-1", &what);
                assert!(lab.detach("pc-1", false), "{what}");
                lab.run_for(s(30));
                assert_eq!(sessions(&mut lab, "pc-1").len(), 0, "{what}");
            }
        }
    }
}

/// Goal: the faults happen. Method: the log of a lossy link has lost messages in it.
#[test]
fn the_faults_are_in_the_log() {
    for link in [Link::S1Nas, Link::S5C, Link::S5U, Link::S1U, Link::Sgi] {
        let mut lab = acme().sim("pc-1", "acme").seed(3).build().unwrap();
        faulty(&mut lab, link, |p| p.loss = 0.3);
        a_day(&mut lab, "30 % lost");
        let lost = |e: &heiiki::log::Entry| {
            matches!(&e.event, heiiki::log::NodeEvent::Lab(
                heiiki::log::LabEvent::LinkFault { link: l, fate: "lost", .. }) if *l == link.name())
        };
        assert!(lab.log().iter().any(lost), "{link}");
    }
}

/// Goal: a cut goes dark over any link. Method: each kind of fault on each link; an attached SIM is
/// suspended and stays out.
#[test]
fn a_cut_goes_dark_over_bad_links() {
    for link in Link::ALL {
        for (name, change) in FAULTS {
            let what = format!("{name} on {link}");
            let mut lab = acme().sim("pc-1", "acme").seed(9).build().unwrap();
            lab.attach("pc-1").unwrap();
            faulty(&mut lab, link, change);
            let cut = lab.suspend("pc-1", "stolen").unwrap();
            assert!(cut.dark, "{what}: {cut:?}");
            assert_dark(&mut lab, "pc-1", &what);
            lab.attach("pc-1").unwrap_err();
            lab.run_for(s(60));
            assert_dark(&mut lab, "pc-1", &what);
        }
    }
}

/// Goal: bits that turn on the way harm nobody for long. Method: one message in ten is changed on
/// each link that does not repair; a file comes through the user plane intact or not at all.
#[test]
fn turned_bits_break_nothing() {
    let mut good = Vec::new();
    for link in [Link::S1Nas, Link::S1U, Link::S5C, Link::S5U, Link::Sgi] {
        for seed in 1..=SEEDS {
            let what = format!("turned bits on {link}, seed {seed}");
            let mut lab = acme().sim("pc-1", "acme").seed(seed).build().unwrap();
            faulty(&mut lab, link, |p| p.corrupt = 0.1);
            let attached = attach_patiently(&mut lab, "pc-1");
            if attached.is_ok() {
                let file = lab.get("pc-1", "http://10.20.0.10/file?size=20000");
                good.extend(file.ok().map(|f| f.sha256));
            }
            faulty(&mut lab, link, |_| {});
            lab.run_for(s(1_000));
            attach_patiently(&mut lab, "pc-1").unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_works(&mut lab, "pc-1", &what);
        }
    }
    assert!(good.len() >= 4, "{}", good.len());
    assert!(
        good.iter().all(|hash| *hash == good[0]),
        "a checksum missed a turned bit"
    );
}
