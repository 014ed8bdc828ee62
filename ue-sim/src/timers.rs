//! The NAS timers of the UE, as one table (TS 24.301 Table 10.2.1).

use heiiki_types::{Duration, Instant};

/// A timer of the UE's EMM entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum Timer {
    /// Non-integrity-protected rejects are forgotten when it ends.
    T3247,
    /// Back-off that the network asked for.
    T3346,
    /// Long pause after five attempts.
    T3402,
    /// Attach supervision.
    T3410,
    /// Short pause between attempts.
    T3411,
    /// Lifetime of the stored RAND and RES.
    T3416,
    /// Wait for the network after MAC failure or #26.
    T3418,
    /// Wait for the network after synch failure.
    T3420,
    /// Detach supervision.
    T3421,
    /// Wait for the network to release the connection.
    T3440,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct TimerSpec {
    /// The timer.
    pub timer: Timer,
    /// Its name.
    pub name: &'static str,
    /// Its length unless configured or told otherwise.
    pub default: Duration,
    /// Where its behaviour is specified, in TS 24.301 unless another document is named.
    pub clause: &'static str,
}

const fn row(timer: Timer, name: &'static str, seconds: u64, clause: &'static str) -> TimerSpec {
    TimerSpec {
        timer,
        name,
        default: Duration::from_secs(seconds),
        clause,
    }
}

const COUNT: usize = 10;

/// All timers, in the order of [`Timer`]. T3247 is the shortest value of its range, 30 to 60
/// minutes, and T3346 that of its default range, 15 to 30 minutes: the UE draws from the value to
/// twice the value.
pub const TIMERS: [TimerSpec; COUNT] = [
    row(
        Timer::T3247,
        "T3247",
        30 * 60,
        "§5.3.7b, TS 24.008 §4.1.1.6A",
    ),
    row(Timer::T3346, "T3346", 15 * 60, "§5.3.9, §5.5.1.2.5"),
    row(Timer::T3402, "T3402", 12 * 60, "§5.3.6, §5.5.1.2.6"),
    row(Timer::T3410, "T3410", 15, "§5.5.1.2.2, §5.5.1.2.6 c"),
    row(Timer::T3411, "T3411", 10, "§5.5.1.2.6"),
    row(Timer::T3416, "T3416", 30, "§5.4.2.3"),
    row(Timer::T3418, "T3418", 20, "§5.4.2.7 c and d"),
    row(Timer::T3420, "T3420", 15, "§5.4.2.7 e"),
    row(Timer::T3421, "T3421", 15, "§5.5.2.2.4 c"),
    row(Timer::T3440, "T3440", 10, "§5.3.1.2.1"),
];

impl Timer {
    const fn index(self) -> usize {
        self as usize
    }

    /// The name in the specification.
    pub fn name(self) -> &'static str {
        TIMERS.get(self.index()).map_or("", |spec| spec.name)
    }
}

/// The lengths of the timers of one kind of UE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimerValues([Duration; COUNT]);

impl Default for TimerValues {
    fn default() -> Self {
        Self(TIMERS.map(|spec| spec.default))
    }
}

impl TimerValues {
    /// The same lengths, but for one timer.
    #[must_use]
    pub fn with(mut self, timer: Timer, length: Duration) -> Self {
        if let Some(slot) = self.0.get_mut(timer.index()) {
            *slot = length;
        }
        self
    }

    /// The length of a timer.
    pub fn get(&self, timer: Timer) -> Duration {
        self.0.get(timer.index()).copied().unwrap_or_default()
    }
}

/// Which timers run, and until when.
#[derive(Clone, Debug)]
pub(crate) struct Running([Instant; COUNT]);

/// A deadline that never comes.
const NEVER: Instant = Instant::from_micros(u64::MAX);

impl Default for Running {
    fn default() -> Self {
        Self([NEVER; COUNT])
    }
}

impl Running {
    pub(crate) fn start(&mut self, timer: Timer, deadline: Instant) {
        if let Some(slot) = self.0.get_mut(timer.index()) {
            *slot = deadline;
        }
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        self.start(timer, NEVER);
    }

    pub(crate) fn deadline(&self, timer: Timer) -> Option<Instant> {
        self.0
            .get(timer.index())
            .copied()
            .filter(|deadline| *deadline != NEVER)
    }

    pub(crate) fn is_running(&self, timer: Timer) -> bool {
        self.deadline(timer).is_some()
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.iter().min().copied().filter(|d| *d != NEVER)
    }

    /// Stops and returns a timer that is due; the earliest first, table order among equals.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Timer> {
        let (slot, spec) = self
            .0
            .iter_mut()
            .zip(TIMERS)
            .min_by_key(|(deadline, _)| **deadline)
            .filter(|(deadline, _)| **deadline <= now && **deadline != NEVER)?;
        *slot = NEVER;
        Some(spec.timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (i, spec) in TIMERS.iter().enumerate() {
            assert_eq!(spec.timer.index(), i, "{}", spec.name);
            assert_eq!(spec.timer.name(), alloc::format!("{:?}", spec.timer));
        }
    }

    #[test]
    fn timers_expire_in_the_order_of_their_deadlines() {
        let mut running = Running::default();
        let at = |s| Instant::from_micros(s);
        running.start(Timer::T3410, at(20));
        running.start(Timer::T3421, at(10));
        assert_eq!(running.next(), Some(at(10)));
        assert_eq!(running.expire(at(9)), None);
        assert_eq!(running.expire(at(30)), Some(Timer::T3421));
        assert_eq!(running.expire(at(30)), Some(Timer::T3410));
        assert_eq!(running.expire(at(30)), None);
        assert_eq!(running.next(), None);
    }
}
