use heiiki_types::{Duration, Instant, Rng};

/// What the watchdog wants when its time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bark {
    /// Send a DWR.
    Probe,
    /// The DWR was not answered: take requests back, send no new ones.
    Suspect,
    /// The peer is gone: close.
    Down,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Okay,
    /// A DWR waits for its answer.
    Probing,
    Suspect,
}

/// The transport watchdog of one open connection.
///
/// Read before changing: RFC 3539 §3.4.1. Its states INITIAL and DOWN are those of the connection.
/// REOPEN is left out: a connection that comes up again is used at once, since a node mostly has
/// no other one to the same peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watchdog {
    tw: Duration,
    deadline: Instant,
    state: State,
}

impl Watchdog {
    pub(super) fn new(tw: Duration, now: Instant, rng: &mut Rng) -> Self {
        Self {
            tw,
            deadline: now + interval(tw, rng),
            state: State::Okay,
        }
    }

    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) fn is_suspect(&self) -> bool {
        self.state == State::Suspect
    }

    /// Any message of the peer is a sign of life.
    pub(super) fn received(&mut self, now: Instant, rng: &mut Rng) {
        self.deadline = now + interval(self.tw, rng);
        self.state = State::Okay;
    }

    /// Probes at once if no probe is under way.
    pub(super) fn hasten(&mut self, now: Instant) {
        if self.state == State::Okay {
            self.deadline = now;
        }
    }

    /// What to do at `now`, if the time is up.
    pub(super) fn expire(&mut self, now: Instant, rng: &mut Rng) -> Option<Bark> {
        if now < self.deadline {
            return None;
        }
        self.deadline = now + interval(self.tw, rng);
        let (state, bark) = match self.state {
            State::Okay => (State::Probing, Bark::Probe),
            State::Probing => (State::Suspect, Bark::Suspect),
            State::Suspect => (State::Suspect, Bark::Down),
        };
        self.state = state;
        Some(bark)
    }
}

/// Tw with a jitter of up to two seconds to either side, so that the watchdogs of many peers do
/// not fall into step. Below the 6 s that the RFC asks for, the jitter shrinks with Tw.
fn interval(tw: Duration, rng: &mut Rng) -> Duration {
    let jitter = Duration::from_secs(2).min(tw / 3);
    let span = u64::try_from(jitter.as_micros()).unwrap_or(0) * 2 + 1;
    tw.saturating_sub(jitter) + Duration::from_micros(rng.below(span))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_two_seconds_to_either_side() {
        let mut rng = Rng::from_seed(1);
        let tw = Duration::from_secs(30);
        let all: Vec<_> = (0..2000).map(|_| interval(tw, &mut rng)).collect();
        let (low, high) = (all.iter().min().unwrap(), all.iter().max().unwrap());
        assert!(*low >= Duration::from_secs(28) && *low < Duration::from_millis(28_050));
        assert!(*high <= Duration::from_secs(32) && *high > Duration::from_millis(31_950));
    }

    #[test]
    fn a_silent_peer_is_probed_suspected_and_dropped() {
        let mut rng = Rng::from_seed(1);
        let mut dog = Watchdog::new(Duration::from_secs(30), Instant::ZERO, &mut rng);
        assert_eq!(dog.expire(Instant::ZERO, &mut rng), None);
        for bark in [Bark::Probe, Bark::Suspect, Bark::Down] {
            let due = dog.deadline();
            assert_eq!(dog.expire(due, &mut rng), Some(bark));
        }
        assert!(dog.is_suspect());
        let now = dog.deadline();
        dog.received(now, &mut rng);
        assert!(!dog.is_suspect());
        let due = dog.deadline();
        assert_eq!(dog.expire(due, &mut rng), Some(Bark::Probe));
    }
}
