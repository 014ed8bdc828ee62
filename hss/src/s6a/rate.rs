//! How many requests a peer may send: a token bucket, and how often its refusals are told.

use heiiki_types::{Duration, Instant};

use crate::config::RequestRate;

/// Refusals for a rate are told so often: a flood makes one event a second.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Parts of a request: a bucket fills by `per_second` of them each microsecond.
const WHOLE: u64 = 1_000_000;

/// The requests that somebody may send now. It starts full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    /// What is used up, in parts of a request, at `at`.
    used: u64,
    at: Instant,
    /// The rate of the last request, for [`is_full`](Self::is_full).
    per_second: u32,
}

impl Bucket {
    /// Takes one request out; no, when there is none left.
    pub(super) fn take(&mut self, rate: RequestRate, now: Instant) -> bool {
        self.used = self.used_at(rate.per_second, now);
        self.at = now;
        self.per_second = rate.per_second;
        let used = self.used.saturating_add(WHOLE);
        let room = u64::from(rate.burst.max(1)).saturating_mul(WHOLE);
        if used > room {
            return false;
        }
        self.used = used;
        true
    }

    /// Whether nothing is used up: forgetting the bucket changes nothing.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.used_at(self.per_second, now) == 0
    }

    fn used_at(&self, per_second: u32, now: Instant) -> u64 {
        let passed = u64::try_from(now.since(self.at).as_micros()).unwrap_or(u64::MAX);
        self.used
            .saturating_sub(passed.saturating_mul(u64::from(per_second)))
    }
}

/// Refusals that are not told yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    refused: u64,
    /// When they were told last; at once the first time.
    last: Option<Instant>,
}

impl Told {
    pub(super) const fn add(&mut self) {
        self.refused = self.refused.saturating_add(1);
    }

    pub(super) fn due(&self) -> Instant {
        self.last.map_or_else(Instant::default, |l| l + TELL_EVERY)
    }

    /// How many there were, if it is time to tell.
    pub(super) fn tell(&mut self, now: Instant) -> Option<u64> {
        if now < self.due() {
            return None;
        }
        self.last = Some(now);
        Some(core::mem::take(&mut self.refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_micros(1_000_000 + ms * 1_000)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let rate = RequestRate {
            per_second: 10,
            burst: 3,
        };
        let mut bucket = Bucket::default();
        let taken = |b: &mut Bucket, ms| (0..10).filter(|_| b.take(rate, at(ms))).count();
        assert_eq!(taken(&mut bucket, 0), 3);
        assert_eq!(taken(&mut bucket, 99), 0);
        assert_eq!(taken(&mut bucket, 100), 1);
        assert_eq!(taken(&mut bucket, 350), 2);
        assert!(!bucket.is_full(at(400)));
        assert_eq!(taken(&mut bucket, 60_000), 3);
        assert!(bucket.is_full(at(61_000)));
    }

    #[test]
    fn a_flood_is_told_at_once_and_then_once_a_second() {
        let mut told = Told::default();
        told.add();
        assert_eq!(told.tell(at(0)), Some(1));
        told.add();
        told.add();
        assert_eq!(told.tell(at(999)), None);
        assert_eq!(told.due(), at(1_000));
        assert_eq!(told.tell(at(1_000)), Some(2));
        assert_eq!(told.tell(at(2_000)), Some(0));
    }
}
