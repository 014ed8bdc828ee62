use heiiki_types::{Duration, Instant};

/// A token bucket: `BURST` at once, then one per `interval`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    tokens: u16,
    burst: u16,
    interval: Duration,
    /// When the bucket was last known to hold `tokens`.
    since: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(crate) const fn new(burst: u16, interval: Duration) -> Self {
        Self {
            tokens: burst,
            burst,
            interval,
            since: Instant::ZERO,
        }
    }

    /// Takes a token if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let interval = self.interval.as_micros().max(1);
        let fresh = now.since(self.since).as_micros() / interval;
        if fresh > 0 {
            let room = self.burst - self.tokens;
            match u16::try_from(fresh) {
                Ok(fresh) if fresh < room => {
                    self.tokens += fresh;
                    self.since += self.interval * u32::from(fresh);
                }
                _ => {
                    self.tokens = self.burst;
                    self.since = now;
                }
            }
        }
        let taken = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        taken
    }
}

/// Lets the first of a kind through at once and then one a second, and counts the rest.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reporter {
    last: Option<Instant>,
    suppressed: u32,
}

impl Reporter {
    const INTERVAL: Duration = Duration::from_secs(1);

    /// Whether to report now: then how many were kept back since the last report. `is_new` is for
    /// what was never seen before and passes always.
    pub(crate) fn admit(&mut self, now: Instant, is_new: bool) -> Option<u32> {
        let due = self
            .last
            .is_none_or(|last| now.since(last) >= Self::INTERVAL);
        if due || is_new {
            self.last = Some(now);
            Some(core::mem::take(&mut self.suppressed))
        } else {
            self.suppressed = self.suppressed.saturating_add(1);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_refills_with_time_and_no_further() {
        let mut bucket = Bucket::new(2, Duration::from_millis(100));
        let at = |ms: u64| Instant::from_micros(ms * 1000);
        assert!(bucket.take(at(0)) && bucket.take(at(0)) && !bucket.take(at(99)));
        assert!(bucket.take(at(100)) && !bucket.take(at(101)));
        assert!(bucket.take(at(9000)) && bucket.take(at(9000)) && !bucket.take(at(9000)));
    }

    #[test]
    fn a_reporter_counts_what_it_keeps_back() {
        let mut reporter = Reporter::default();
        let at = |ms: u64| Instant::from_micros(ms * 1000);
        assert_eq!(reporter.admit(at(0), true), Some(0));
        assert_eq!(reporter.admit(at(1), false), None);
        assert_eq!(reporter.admit(at(2), false), None);
        assert_eq!(reporter.admit(at(1000), false), Some(2));
        assert_eq!(reporter.admit(at(1001), true), Some(0));
    }
}
