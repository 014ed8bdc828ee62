//! Times from nanoseconds to minutes, within two per cent of each.

/// Buckets of each power of two.
const PARTS: u32 = 64;
const SHIFT: u32 = PARTS.trailing_zeros();

/// Counts of times.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

fn bucket(nanos: u64) -> usize {
    let power = nanos.checked_ilog2().unwrap_or(0);
    let place = if power <= SHIFT {
        nanos
    } else {
        let fine = nanos >> (power - SHIFT);
        u64::from(power - SHIFT) * u64::from(PARTS) + fine
    };
    usize::try_from(place).unwrap_or(usize::MAX)
}

/// The highest time that falls into a bucket.
fn highest(place: usize) -> u64 {
    let place = u64::try_from(place).unwrap_or(u64::MAX);
    let parts = u64::from(PARTS);
    if place < 2 * parts {
        return place;
    }
    let power = place / parts - 1;
    ((place % parts + parts + 1) << power) - 1
}

impl Histogram {
    pub(super) fn add(&mut self, nanos: u64) {
        let place = bucket(nanos);
        if place >= self.buckets.len() {
            self.buckets.resize(place + 1, 0);
        }
        if let Some(bucket) = self.buckets.get_mut(place) {
            *bucket += 1;
        }
        self.count += 1;
        self.max = self.max.max(nanos);
    }

    /// Counts what another one has counted too.
    pub(super) fn merge(&mut self, other: &Self) {
        if other.buckets.len() > self.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (own, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *own += more;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    /// The time that this share of all is not above, in nanoseconds.
    pub(super) fn quantile(&self, per_million: u64) -> u64 {
        let rank = (self.count.saturating_mul(per_million)).div_ceil(1_000_000);
        let mut seen = 0;
        for (place, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank.max(1) {
                return highest(place).min(self.max);
            }
        }
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_its_times_and_is_narrow() {
        for nanos in (0..5_000).chain([77_777, 1_000_000, 123_456_789, 60_000_000_000]) {
            let top = highest(bucket(nanos));
            assert!(top >= nanos, "{nanos} is above its bucket, {top}");
            assert!(top - nanos <= nanos / 50 + 1, "{nanos} in {top}");
        }
    }

    #[test]
    fn quantiles_of_a_thousand_times() {
        let mut histogram = Histogram::default();
        (1..=1_000).for_each(|n| histogram.add(n * 1_000));
        for (share, expected) in [
            (500_000, 500_000),
            (990_000, 990_000),
            (1_000_000, 1_000_000),
        ] {
            let got = histogram.quantile(share);
            assert!(got.abs_diff(expected) <= expected / 50, "{share}: {got}");
        }
        assert_eq!(Histogram::default().quantile(500_000), 0);
    }
}
