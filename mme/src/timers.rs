//! The timers of the node, as a table.

use core::time::Duration;

/// A timer of one UE. At most one of them runs for a UE at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// ATTACH ACCEPT sent, ATTACH COMPLETE expected.
    T3450,
    /// AUTHENTICATION REQUEST or SECURITY MODE COMMAND sent.
    T3460,
    /// IDENTITY REQUEST sent.
    T3470,
    /// DETACH REQUEST sent.
    T3422,
    /// ESM INFORMATION REQUEST sent.
    T3489,
    /// ATTACH COMPLETE received, the eNB's context setup response still expected. Our own.
    ContextSetup,
    /// The gateway withdrew the session; the HSS, which knows why, may follow. Our own.
    WithdrawalGrace,
    /// The UE is idle and must be heard from before it expires.
    MobileReachable,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerRow {
    /// The timer.
    pub timer: Timer,
    /// Its default length; for [`Timer::MobileReachable`] what is added to T3412.
    pub length: Duration,
    /// How often the message is sent again before the procedure ends.
    pub retransmissions: u8,
    /// Where it is specified.
    pub clause: &'static str,
}

/// Defaults, TS 24.301 Table 10.2.2 and Table 10.3.2.
pub const TABLE: [TimerRow; 8] = [
    row(Timer::T3450, 6_000, 4, "TS 24.301 §5.5.1.2.7"),
    row(Timer::T3460, 6_000, 4, "TS 24.301 §5.4.2.7, §5.4.3.7"),
    row(Timer::T3470, 6_000, 4, "TS 24.301 §5.4.4.6"),
    row(Timer::T3422, 6_000, 4, "TS 24.301 §5.5.2.3.5"),
    row(Timer::T3489, 4_000, 2, "TS 24.301 §6.6.1.2.6"),
    row(Timer::ContextSetup, 10_000, 0, "TS 36.413 §8.3.1"),
    row(Timer::WithdrawalGrace, 500, 0, "TS 23.401 §5.3.8.4"),
    row(Timer::MobileReachable, 480_000, 0, "TS 24.301 §5.3.5"),
];

const fn row(timer: Timer, millis: u64, retransmissions: u8, clause: &'static str) -> TimerRow {
    TimerRow {
        timer,
        length: Duration::from_millis(millis),
        retransmissions,
        clause,
    }
}

/// The timers' lengths in force: the table with what the configuration changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers([TimerRow; 8]);

impl Timers {
    /// The same with another length of `timer`.
    #[must_use]
    pub fn with(mut self, timer: Timer, length: Duration) -> Self {
        for row in self.0.iter_mut().filter(|r| r.timer == timer) {
            row.length = length;
        }
        self
    }

    /// The row of `timer`.
    pub fn row(&self, timer: Timer) -> TimerRow {
        let found = self.0.iter().find(|r| r.timer == timer);
        // The table has a row for every timer.
        found.copied().unwrap_or(TABLE[0])
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self(TABLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TS 24.301 Table 10.2.2: the network's EMM timers are 6 s and repeat four times.
    #[test]
    fn emm_timers_have_their_standard_lengths() {
        for timer in [Timer::T3450, Timer::T3460, Timer::T3470, Timer::T3422] {
            let row = Timers::default().row(timer);
            assert_eq!(row.length, Duration::from_secs(6));
            assert_eq!(row.retransmissions, 4);
        }
        let row = Timers::default().row(Timer::T3489);
        assert_eq!(
            (row.length, row.retransmissions),
            (Duration::from_secs(4), 2)
        );
    }

    #[test]
    fn a_changed_length_changes_one_row() {
        let timers = Timers::default().with(Timer::T3450, Duration::from_secs(1));
        assert_eq!(timers.row(Timer::T3450).length, Duration::from_secs(1));
        assert_eq!(
            timers.row(Timer::T3460),
            Timers::default().row(Timer::T3460)
        );
    }
}
