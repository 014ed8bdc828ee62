//! Random operations on random labs, with the invariants after every step.

use heiiki::swarm;

/// Seeds of the test run.
const SEEDS: core::ops::Range<u64> = 0..20;
/// Operations of each.
const OPERATIONS: usize = 60;

/// Runs that once failed: seed and operations.
const ONCE_FAILED: &[(u64, usize)] = &[];

fn run(seed: u64, operations: usize) -> swarm::Report {
    swarm::run(seed, operations).unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn twenty_seeds_keep_the_invariants() {
    // SIM_SEEDS=100..200 runs others.
    let seeds = std::env::var("SIM_SEEDS").ok().and_then(|text| {
        let (from, to) = text.split_once("..")?;
        Some(from.parse().ok()?..to.parse().ok()?)
    });
    let mut attaches = 0;
    for seed in seeds.unwrap_or(SEEDS) {
        attaches += run(seed, OPERATIONS).attaches;
    }
    assert!(attaches > 100, "the swarm did little: {attaches} attaches");
}

#[test]
fn what_once_failed_stays_fixed() {
    for (seed, operations) in ONCE_FAILED {
        run(*seed, *operations);
    }
}

#[test]
fn a_seed_gives_one_log() {
    let (first, second) = (run(4, 40), run(4, 40));
    assert_eq!(first, second);
    assert_ne!(first.log_hash, run(5, 40).log_hash);
}
