use super::*;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use heiiki_types::Rng;

fn durable(seq: u64, epoch: u64) -> Counter {
    Counter::restore(
        Mark {
            seq,
            epoch: Epoch(epoch),
        },
        Epoch(epoch),
    )
}

#[test]
fn a_number_is_seq_and_ind() {
    let sqn = Sqn::new(3, 5).unwrap();
    assert_eq!(sqn.octets(), [0, 0, 0, 0, 0, 0x65]);
    assert_eq!(Sqn::from_octets(sqn.octets()), sqn);
    assert_eq!((sqn.seq(), sqn.ind()), (3, 5));
    let last = Sqn::new(SEQ_MAX, 31).unwrap();
    assert_eq!(last.octets(), [0xff; 6]);
    assert_eq!(Sqn::new(SEQ_MAX + 1, 0), None);
    assert_eq!(Sqn::new(0, 32), None);
    assert_eq!(Sqn::from_value(1 << 48), None);
}

#[test]
fn ind_takes_turns_within_the_front_ends_range() {
    let mut counter = durable(0, 1);
    let inds = IndRange::new(8, 4).unwrap();
    let got: Vec<_> = (0..8)
        .map(|_| counter.issue(inds).unwrap())
        .map(|sqn| (sqn.seq(), sqn.ind()))
        .collect();
    let want: Vec<_> = (1..=8).zip([9, 10, 11, 8, 9, 10, 11, 8]).collect();
    assert_eq!(got, want);
    assert_eq!(IndRange::new(31, 2), None);
    assert_eq!(IndRange::new(0, 33), None);
    assert_eq!(IndRange::new(0, 0), None);
    assert_eq!(IndRange::new(0, 32), Some(IndRange::ALL));
}

#[test]
fn lead_bounds_what_is_issued_beyond_the_durable_mark() {
    let epoch = Epoch(7);
    let mut counter = durable(1_000, 7);
    for _ in 0..LEAD {
        counter.issue(IndRange::ALL).unwrap();
    }
    assert_eq!(counter.issue(IndRange::ALL), Err(NoSqn::MarkBehind));
    let mark = counter.mark(epoch);
    counter.marked(mark);
    assert_eq!(counter.issue(IndRange::ALL).unwrap().seq(), 1_001 + LEAD);
}

#[test]
fn a_fresh_sim_waits_for_its_first_row() {
    let mut counter = Counter::fresh(Sqn::from_value(0x40).unwrap());
    assert_eq!(counter.issue(IndRange::ALL), Err(NoSqn::MarkBehind));
    let mark = counter.mark(Epoch(1));
    counter.marked(mark);
    assert_eq!(counter.issue(IndRange::ALL).unwrap().seq(), 3);
}

#[test]
fn a_mark_that_completes_late_lowers_nothing() {
    let mut counter = durable(0, 2);
    for seq in [50, 40] {
        counter.marked(Mark {
            seq,
            epoch: Epoch(2),
        });
    }
    assert_eq!(counter.bound(), 50 + LEAD);
}

#[test]
fn a_first_row_that_completes_late_lowers_nothing() {
    let mut counter = Counter::fresh(Sqn::new(10, 0).unwrap());
    counter.resynchronise(Sqn::new(5_000, 0).unwrap());
    let mark = counter.mark(Epoch(1));
    counter.first_row_is_durable();
    // The raise is not durable yet.
    assert_eq!(counter.issue(IndRange::ALL), Err(NoSqn::MarkBehind));
    counter.marked(mark);
    counter.first_row_is_durable();
    assert_eq!(counter.issue(IndRange::ALL).unwrap().seq(), 5_001);
    // A row rewritten later and the row of the mark: the higher one counts.
    let mut counter = durable(100, 1);
    for (seq, start) in [(50, 100), (200, 200)] {
        let epoch = Epoch(1);
        counter.restore_also(Mark { seq, epoch }, epoch);
        assert_eq!(counter.seq(), start);
    }
}

#[test]
fn numbers_end_with_the_43_bits() {
    let mut counter = durable(SEQ_MAX - 1, 1);
    assert!(counter.issue(IndRange::ALL).is_ok());
    assert_eq!(counter.issue(IndRange::ALL), Err(NoSqn::Exhausted));
    let mut counter = Counter::restore(
        Mark {
            seq: SEQ_MAX,
            epoch: Epoch(0),
        },
        Epoch(u64::MAX),
    );
    assert_eq!(counter.issue(IndRange::ALL), Err(NoSqn::Exhausted));
}

#[test]
fn resynchronisation_only_raises_and_not_beyond_delta() {
    let sqn = |seq| Sqn::new(seq, 31).unwrap();
    let mut counter = durable(1_000, 1);
    assert_eq!(
        counter.resynchronise(sqn(5_000)),
        Resync::Raised {
            from: 1_000,
            to: 5_000
        }
    );
    // The raise must reach the disk before a vector is made from it.
    assert_eq!(counter.issue(IndRange::ALL), Err(NoSqn::MarkBehind));
    let mark = counter.mark(Epoch(1));
    counter.marked(mark);
    assert_eq!(counter.issue(IndRange::ALL).unwrap().seq(), 5_001);
    for replayed in [5_001, 5_000, 10] {
        assert_eq!(counter.resynchronise(sqn(replayed)), Resync::Unchanged);
        assert_eq!(counter.seq(), 5_001);
    }
    let edge = 5_001 + DELTA;
    assert_eq!(
        counter.resynchronise(sqn(edge + 1)),
        Resync::BeyondDelta {
            home: 5_001,
            usim: edge + 1
        }
    );
    assert_eq!(counter.seq(), 5_001);
    assert!(matches!(
        counter.resynchronise(sqn(edge)),
        Resync::Raised { .. }
    ));
    assert!(matches!(
        durable(DELTA + 2, 1).resynchronise(sqn(1)),
        Resync::BeyondDelta { .. }
    ));
}

/// Crashes at random points, with random tails of marks lost: no SEQ comes twice, and they rise.
#[test]
fn no_number_is_issued_twice_across_crashes() {
    for seed in 0..200 {
        let mut rng = Rng::from_seed(seed);
        let mut epoch = Epoch(1);
        let mut disk = Mark {
            seq: rng.below(1_000),
            epoch,
        };
        let mut counter = Counter::restore(disk, epoch);
        let mut queued = None;
        let mut seen = BTreeSet::new();
        let mut last = 0;
        for _ in 0..3_000 {
            match rng.below(400) {
                0 => {
                    // A crash loses the queue; some starts fail before they serve.
                    epoch.0 += 1 + rng.below(3);
                    queued = None;
                    counter = Counter::restore(disk, epoch);
                }
                1..60 => {
                    if let Some(mark) = queued.take() {
                        disk = mark;
                        counter.marked(mark);
                    }
                }
                60..62 => {
                    let usim = Sqn::new(counter.seq() + rng.below(5_000), 0).unwrap();
                    counter.resynchronise(usim);
                }
                _ => {
                    if let Ok(sqn) = counter.issue(IndRange::ALL) {
                        assert!(seen.insert(sqn.seq()), "seed {seed}: {sqn:?} twice");
                        assert!(sqn.seq() > last, "seed {seed}: {sqn:?} after {last}");
                        last = sqn.seq();
                    }
                    if counter.wants_mark() && queued.is_none() {
                        queued = Some(counter.mark(epoch));
                    }
                }
            }
        }
        assert!(seen.len() > 1_000);
    }
}
