//! Streams of numbered probes, and the sinks that count what comes down.

use alloc::collections::VecDeque;
use core::net::Ipv4Addr;

use heiiki_types::{Duration, Instant};

use crate::event::StreamReport;

/// The shortest interval of a stream.
pub const INTERVAL_MIN: Duration = Duration::from_micros(100);

/// Probes of one stream that may wait for their answer: the timeout over the shortest sensible
/// interval. The oldest counts as lost when there are more.
const PENDING_MAX: usize = 65_536;

/// One probe that is on its way.
#[derive(Clone, Copy, Debug)]
struct Pending {
    seq: u32,
    sent_at: Instant,
    answered: bool,
}

/// A stream of probes to one echo service.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) token: u64,
    pub(super) dst: Ipv4Addr,
    pub(super) port: u16,
    pub(super) size: u16,
    pub(super) each: bool,
    interval: Duration,
    timeout: Duration,
    next_at: Instant,
    next_seq: u32,
    pending: VecDeque<Pending>,
    report: StreamReport,
}

/// What an answer, or the lack of one, is to the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) seq: u32,
    pub(super) sent_at: Instant,
    /// The round trip; `None` for a lost probe.
    pub(super) rtt: Option<Duration>,
}

impl Stream {
    pub(super) fn new(
        now: Instant,
        token: u64,
        dst: (Ipv4Addr, u16),
        size: u16,
        interval: Duration,
        timeout: Duration,
        each: bool,
    ) -> Self {
        Self {
            token,
            dst: dst.0,
            port: dst.1,
            size,
            each,
            interval: interval.max(INTERVAL_MIN),
            timeout,
            next_at: now,
            next_seq: 0,
            pending: VecDeque::new(),
            report: StreamReport::default(),
        }
    }

    /// The number of the probe to send now, if one is due. A stream that was not called in time
    /// sends one probe and keeps its rhythm: it does not catch up with a burst.
    pub(super) fn due(&mut self, now: Instant) -> Option<u32> {
        if now < self.next_at {
            return None;
        }
        let seq = self.next_seq;
        self.next_seq = self.next_seq.wrapping_add(1);
        self.next_at += self.interval;
        if self.next_at <= now {
            self.next_at = now + self.interval;
        }
        self.pending.push_back(Pending {
            seq,
            sent_at: now,
            answered: false,
        });
        self.report.sent += 1;
        self.report.first_at.get_or_insert(now);
        self.report.last_sent_at = Some(now);
        Some(seq)
    }

    /// Takes the echo of a probe.
    pub(super) fn answered(&mut self, now: Instant, seq: u32) -> Option<Verdict> {
        let oldest = self.pending.front()?.seq;
        let index = usize::try_from(seq.wrapping_sub(oldest)).ok()?;
        let probe = self.pending.get_mut(index).filter(|p| p.seq == seq)?;
        if probe.answered {
            self.report.duplicates += 1;
            return None;
        }
        probe.answered = true;
        let sent_at = probe.sent_at;
        let rtt = now.since(sent_at);
        let report = &mut self.report;
        let rtt_us = micros(rtt);
        report.answered += 1;
        report.last_received_at = Some(now);
        report.last_answered_sent_at = report.last_answered_sent_at.max(Some(sent_at));
        report.rtt_min_us = Some(report.rtt_min_us.map_or(rtt_us, |r| r.min(rtt_us)));
        report.rtt_max_us = report.rtt_max_us.max(Some(rtt_us));
        if report.silent_since.is_some_and(|since| since <= sent_at) {
            report.silent_since = None;
        }
        Some(Verdict {
            seq,
            sent_at,
            rtt: Some(rtt),
        })
    }

    /// Counts an ICMP refusal. The probe stays open: its answer may still come.
    pub(super) fn prohibited(&mut self) {
        self.report.prohibited += 1;
    }

    /// The next probe whose time to be answered is over; `None` when there is none. Answered ones
    /// are forgotten on the way.
    pub(super) fn expired(&mut self, now: Instant) -> Option<Verdict> {
        while let Some(oldest) = self.pending.front().copied() {
            let over = oldest.sent_at + self.timeout <= now || self.pending.len() > PENDING_MAX;
            if !oldest.answered && !over {
                return None;
            }
            self.pending.pop_front();
            if !oldest.answered {
                return Some(self.lose(oldest));
            }
        }
        None
    }

    /// Ends the stream; every probe without an answer is lost.
    pub(super) fn finish(mut self) -> StreamReport {
        while let Some(probe) = self.pending.pop_front() {
            if !probe.answered {
                self.lose(probe);
            }
        }
        self.report
    }

    /// What the stream saw up to now; probes on their way are not counted as lost.
    pub(super) fn report(&self) -> StreamReport {
        self.report
    }

    pub(super) fn deadline(&self) -> Instant {
        // Losses are noticed with the next probe, not with a deadline of their own: the interval
        // of a stream is shorter than its timeout.
        self.next_at
    }

    fn lose(&mut self, probe: Pending) -> Verdict {
        let report = &mut self.report;
        report.lost += 1;
        if report.last_answered_sent_at < Some(probe.sent_at) {
            report.silent_since.get_or_insert(probe.sent_at);
        }
        Verdict {
            seq: probe.seq,
            sent_at: probe.sent_at,
            rtt: None,
        }
    }
}

/// A UDP port that counts what comes in.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) token: u64,
    pub(super) report: StreamReport,
}

impl Sink {
    pub(super) fn received(&mut self, now: Instant) {
        self.report.answered += 1;
        self.report.first_at.get_or_insert(now);
        self.report.last_received_at = Some(now);
    }
}

/// Whole microseconds.
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1_000)
    }

    fn stream() -> Stream {
        Stream::new(
            at(0),
            1,
            (Ipv4Addr::LOCALHOST, 7),
            24,
            Duration::from_millis(10),
            Duration::from_millis(100),
            false,
        )
    }

    #[test]
    fn the_silence_starts_with_the_first_probe_after_the_last_answered_one() {
        let mut s = stream();
        for i in 0..10 {
            let seq = s.due(at(i * 10)).unwrap();
            assert_eq!(s.due(at(i * 10 + 9)), None);
            if i < 5 && i != 2 {
                assert!(s.answered(at(i * 10 + 3), seq).is_some());
            }
        }
        let report = s.finish();
        assert_eq!((report.sent, report.answered, report.lost), (10, 4, 6));
        assert_eq!(report.last_answered_sent_at, Some(at(40)));
        assert_eq!(report.last_received_at, Some(at(43)));
        assert_eq!(report.silent_since, Some(at(50)));
        assert_eq!(report.rtt_min_us, Some(3_000));
    }

    #[test]
    fn a_reordered_answer_counts_once() {
        let mut s = stream();
        let a = s.due(at(0)).unwrap();
        let b = s.due(at(10)).unwrap();
        assert!(s.answered(at(12), b).is_some());
        assert!(s.answered(at(13), a).is_some());
        assert!(s.answered(at(14), a).is_none());
        assert!(s.answered(at(14), 77).is_none());
        assert_eq!(s.expired(at(15)), None);
        let report = s.finish();
        assert_eq!((report.answered, report.duplicates, report.lost), (2, 1, 0));
        assert_eq!(report.silent_since, None);
    }

    #[test]
    fn an_unanswered_probe_is_lost_after_its_time() {
        let mut s = stream();
        let seq = s.due(at(0)).unwrap();
        assert_eq!(s.expired(at(99)), None);
        let lost = s.expired(at(100)).unwrap();
        assert_eq!((lost.seq, lost.rtt), (seq, None));
        assert!(s.answered(at(101), seq).is_none());
        assert_eq!(s.report().lost, 1);
    }

    #[test]
    fn a_late_driver_causes_no_burst() {
        let mut s = stream();
        assert_eq!(s.due(at(0)), Some(0));
        assert_eq!(s.due(at(1_000)), Some(1));
        assert_eq!(s.due(at(1_009)), None);
        assert_eq!(s.due(at(1_010)), Some(2));
    }
}
