//! Power cuts in the middle of a write: what was answered is there, and what is half written is
//! not.

use core::time::Duration;

use heiiki::Lab;
use heiiki::plan::NodeName::{Hss, Pgw};
use heiiki_types::Rng;
use heiiki_ue_sim::UeCommand;

use crate::prelude::*;

fn lab(seed: u64) -> Lab {
    let lab = acme()
        .sims("pc", 4, "acme")
        .seed(seed)
        .delay(Duration::from_micros(300));
    lab.build().unwrap()
}

/// A moment within the busy time of a run.
fn moment(seed: u64, most_us: u64) -> Duration {
    Duration::from_micros(Rng::from_seed(seed).below(most_us))
}

const SIMS: [&str; 4] = ["pc-1", "pc-2", "pc-3", "pc-4"];

/// Goal: a session that the UE was told of is there after a power cut at the gateway. Method: four
/// attaches at once, killed at a random microsecond, many seeds: who was attached has a page.
#[test]
fn no_answered_session_is_lost() {
    let (mut torn, mut kept) = (0, 0);
    for seed in 0..60 {
        let mut lab = lab(seed);
        lab.run_for(s(1));
        for sim in SIMS {
            lab.command(sim, UeCommand::PowerOn);
            lab.command(sim, UeCommand::Attach);
        }
        lab.run_for(moment(seed, 20_000));
        let is_attached = |lab: &Lab, sim: &str| {
            ue(lab, sim).any(|e| matches!(e, heiiki_ue_sim::Event::Attached { .. }))
        };
        let attached: Vec<&str> = SIMS
            .into_iter()
            .filter(|sim| is_attached(&lab, sim))
            .collect();
        lab.crash(Pgw).unwrap();
        lab.run_for(ms(200));
        lab.restart(Pgw).unwrap();
        lab.run_for(ms(200));
        for sim in &attached {
            assert_works(&mut lab, sim, &format!("seed {seed}"));
        }
        torn += usize::from(attached.len() < 4);
        kept += usize::from(!attached.is_empty());
        lab.run_for(s(60));
        for sim in SIMS {
            attach_patiently(&mut lab, sim).unwrap();
            assert_works(&mut lab, sim, &format!("seed {seed}"));
        }
    }
    assert!(torn >= 10 && kept >= 10, "{torn} {kept}");
}

/// Goal: a cut that was answered outlives a power cut at the HSS, the gateway or both. Method: the
/// order, a kill at a random microsecond within 12 ms, a restart; many seeds. An answer of success
/// means suspended and dark; without an answer the order is repeated, and then it is.
#[test]
fn no_answered_cut_is_lost() {
    let (mut answered, mut silent) = (0, 0);
    for seed in 0..90 {
        let mut lab = lab(seed);
        lab.attach("pc-1").unwrap();
        let call = lab.start_order("pc-1", "suspend", "stolen");
        lab.run_for(moment(seed, 6_000));
        for (node, at) in [(Hss, 0), (Pgw, 1)] {
            if seed % 3 != at {
                lab.crash(node).unwrap();
            }
        }
        lab.run_for(ms(100));
        let success = lab.answer(call).is_some_and(|a| a.status == 200);
        let _ = lab.restart(Hss);
        let _ = lab.restart(Pgw);
        lab.run_for(s(10));
        if success {
            answered += 1;
            assert_eq!(row(&mut lab, "pc-1")["state"], "suspended", "seed {seed}");
        } else {
            silent += 1;
            lab.suspend("pc-1", "once more").unwrap();
        }
        lab.run_for(s(10));
        assert_dark(
            &mut lab,
            "pc-1",
            &format!("seed {seed}, answered: {success}"),
        );
        assert_eq!(lab.attach("pc-1").unwrap_err().cause(), "#8", "seed {seed}");
    }
    assert!(answered >= 5 && silent >= 5, "{answered} {silent}");
}

/// Goal: no torn write stops a node. Method: orders and attaches in a storm, both nodes killed at
/// random moments ten times over; the network serves in the end.
#[test]
fn torn_writes_stop_nobody() {
    for seed in 0..12 {
        let mut lab = lab(seed);
        let mut rng = Rng::from_seed(seed);
        for _ in 0..10 {
            for sim in SIMS {
                match rng.below(4) {
                    0 => _ = lab.start_order(sim, "suspend", "storm"),
                    1 => _ = lab.start_order(sim, "resume", "storm"),
                    2 => lab.command(sim, UeCommand::PowerOff),
                    _ => {
                        lab.command(sim, UeCommand::PowerOn);
                        lab.command(sim, UeCommand::Attach);
                    }
                }
            }
            lab.run_for(Duration::from_micros(rng.below(15_000)));
            let node = if rng.chance(0.5) { Hss } else { Pgw };
            lab.crash(node).unwrap();
            lab.run_for(Duration::from_micros(rng.below(5_000)));
            lab.restart(node).unwrap();
            lab.run_for(Duration::from_micros(rng.below(3_000_000)));
        }
        lab.run_for(s(30));
        for sim in SIMS {
            let _ = lab.resume(sim, "the storm is over");
            attach_patiently(&mut lab, sim).unwrap_or_else(|e| panic!("seed {seed}, {sim}: {e}"));
            assert_works(&mut lab, sim, &format!("seed {seed}"));
        }
    }
}
