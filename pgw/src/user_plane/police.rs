//! Rates: who may send how much (TS 23.401 §4.7.3).
//!
//! A packet has to fit into every bucket that it is counted in: its bearer's MBR, its session's
//! APN-AMBR unless the bearer has a guaranteed rate, and its tenant's contract. It is taken from
//! all of them or from none.

use heiiki_types::{Ambr, Duration, Instant};

use super::update::Direction;

/// A bucket of octets that fills at a rate.
///
/// It counts in millionths of a bit, so that a microsecond at a rate of `r` bit/s is worth exactly
/// `r`: nothing is rounded, so nothing drifts, and a packet costs two multiplications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Policer {
    rate_bps: u64,
    level: u64,
    most: u64,
    since: Instant,
}

/// What an octet costs.
const OCTET: u64 = 8_000_000;
/// How long a bucket fills: what may come at once is what the rate carries in this time.
const BURST: Duration = Duration::from_millis(100);
/// The least that may come at once, octets: some full packets, so that a slow session is not cut
/// to pieces.
const LEAST_BURST: u64 = 16_384;

impl Policer {
    /// A full bucket of this rate.
    pub(super) fn new(rate_bps: u64) -> Self {
        let burst = u64::try_from(BURST.as_micros()).unwrap_or(0);
        let most = rate_bps.saturating_mul(burst).max(LEAST_BURST * OCTET);
        Self {
            rate_bps,
            level: most,
            most,
            since: Instant::ZERO,
        }
    }

    /// Changes the rate, without a new burst.
    pub(super) fn set_rate(&mut self, rate_bps: u64) {
        let level = self.level;
        let since = self.since;
        *self = Self::new(rate_bps);
        self.level = level.min(self.most);
        self.since = since;
    }

    /// Whether a packet of this many octets fits now.
    pub(super) fn admits(&mut self, now: Instant, octets: u64) -> bool {
        let passed = now.since(self.since).as_micros();
        if passed > 0 {
            let passed = u64::try_from(passed).unwrap_or(u64::MAX);
            let fresh = self.rate_bps.saturating_mul(passed);
            self.level = self.level.saturating_add(fresh).min(self.most);
            self.since = now;
        }
        self.level >= octets * OCTET
    }

    /// Takes a packet that fits.
    pub(super) const fn take(&mut self, octets: u64) {
        self.level = self.level.saturating_sub(octets * OCTET);
    }
}

/// The two directions of a limit; a direction without a rate is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limit {
    uplink: Option<Policer>,
    downlink: Option<Policer>,
}

impl Limit {
    pub(super) fn new(rates: Option<Ambr>) -> Self {
        Self {
            uplink: rates.map(|r| Policer::new(r.uplink_bps)),
            downlink: rates.map(|r| Policer::new(r.downlink_bps)),
        }
    }

    /// Changes the rates; what is full stays full, and what is empty stays empty.
    pub(super) fn set(&mut self, rates: Option<Ambr>) {
        let Some(rates) = rates else {
            *self = Self::default();
            return;
        };
        let pairs = [
            (&mut self.uplink, rates.uplink_bps),
            (&mut self.downlink, rates.downlink_bps),
        ];
        for (policer, rate) in pairs {
            match policer {
                Some(policer) => policer.set_rate(rate),
                None => *policer = Some(Policer::new(rate)),
            }
        }
    }

    /// The bucket of a direction.
    pub(super) const fn of(&mut self, direction: Direction) -> Option<&mut Policer> {
        match direction {
            Direction::Uplink => self.uplink.as_mut(),
            Direction::Downlink => self.downlink.as_mut(),
        }
    }
}

/// A worker's share of a contract: the sum of all shares is the contract, whatever the number of
/// workers.
pub(super) fn share(contract: Ambr, worker: u32, workers: u32) -> Ambr {
    let part = |rate: u64| {
        let workers = u64::from(workers.max(1));
        rate / workers + u64::from(u64::from(worker) < rate % workers)
    };
    Ambr {
        uplink_bps: part(contract.uplink_bps),
        downlink_bps: part(contract.downlink_bps),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(us: u64) -> Instant {
        Instant::from_micros(us)
    }

    fn passed(policer: &mut Policer, from: u64, to: u64, step: u64, octets: u64) -> u64 {
        let mut sum = 0;
        let mut time = from;
        while time < to {
            if policer.admits(at(time), octets) {
                policer.take(octets);
                sum += octets;
            }
            time += step;
        }
        sum
    }

    /// Goal: the rate is exact over a long time, whatever its value. Method: offer more than it
    /// for 100 s of virtual time and compare with the product, burst included.
    #[test]
    fn a_rate_is_kept_without_drift() {
        for rate in [64_000, 999_983, 10_000_000, 123_456_789] {
            let mut policer = Policer::new(rate);
            let octets = 1_000;
            // Offered: 1,000 octets each 40 us, 200 Mbit/s.
            let sum = passed(&mut policer, 1, 100_000_001, 40, octets);
            let most = rate * 100 / 8 + policer.most / OCTET;
            assert!(sum <= most, "{rate}: {sum} > {most}");
            assert!(sum + 2 * octets >= most, "{rate}: {sum} < {most}");
        }
    }

    #[test]
    fn the_burst_is_bounded_and_a_pause_does_not_add_to_it() {
        let mut policer = Policer::new(8_000_000);
        let burst = passed(&mut policer, 1, 2, 1, 100_001);
        assert_eq!(burst, 0, "more than 100 ms of the rate");
        assert_eq!(passed(&mut policer, 2, 3, 1, 100_000), 100_000);
        // An hour later it is the same burst, and not more.
        assert!(!policer.admits(at(3_600_000_000), 100_001));
        assert!(policer.admits(at(3_600_000_000), 100_000));
    }

    #[test]
    fn a_change_of_rate_gives_no_new_burst() {
        let mut limit = Limit::new(Some(Ambr {
            uplink_bps: 8_000_000,
            downlink_bps: 0,
        }));
        let policer = limit.of(Direction::Uplink).unwrap();
        assert_eq!(passed(policer, 1, 2, 1, 100_000), 100_000);
        limit.set(Some(Ambr {
            uplink_bps: 80_000_000,
            downlink_bps: 0,
        }));
        let policer = limit.of(Direction::Uplink).unwrap();
        assert!(!policer.admits(at(2), 100));
        assert!(policer.admits(at(1_002), 10_000) && !policer.admits(at(1_002), 10_100));
        // No rate at all is a rate of nothing, past the least burst.
        let none = limit.of(Direction::Downlink).unwrap();
        assert_eq!(passed(none, 1, 1_000_000, 100, 1_024), LEAST_BURST);
    }

    #[test]
    fn shares_add_up_to_the_contract() {
        let contract = Ambr {
            uplink_bps: 1_000_003,
            downlink_bps: 7,
        };
        let shares = (0..4).map(|worker| share(contract, worker, 4));
        let sum = shares.fold((0, 0), |s, a| (s.0 + a.uplink_bps, s.1 + a.downlink_bps));
        assert_eq!(sum, (1_000_003, 7));
    }
}
