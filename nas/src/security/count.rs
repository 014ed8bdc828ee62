use core::fmt;

/// All 2^24 values of a NAS COUNT were used: new keys are needed before another message can go
/// out (TS 24.301 §4.4.3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountExhausted;

impl fmt::Display for CountExhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the NAS COUNT has run out: authenticate again")
    }
}

impl core::error::Error for CountExhausted {}

/// NAS COUNT, TS 24.301 §4.4.3.1: 16 bits of overflow and 8 bits of sequence number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NasCount(u32);

impl NasCount {
    /// The first value of a new context.
    pub const ZERO: Self = Self(0);
    const END: u32 = 1 << 24;
    /// How far before the end a new authentication is due.
    const MARGIN: u32 = 1 << 10;

    /// A COUNT of 24 bits.
    pub const fn new(value: u32) -> Option<Self> {
        if value < Self::END {
            Some(Self(value))
        } else {
            None
        }
    }

    /// The value as the algorithms take it: 24 bits with eight zeros before them.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The eight bits that go with the message.
    pub const fn sequence_number(self) -> u8 {
        let [.., low] = self.0.to_be_bytes();
        low
    }
}

/// One direction of a context: the next COUNT to send or, on the other side, the lowest one that
/// is accepted. It never goes back, so no COUNT is used or accepted twice (TS 24.301 §4.4.3.2).
#[derive(Clone, Debug, Default)]
pub(super) struct Counter {
    /// 0 to 2^24; the last value means exhausted.
    next: u32,
}

impl Counter {
    pub(super) const fn starting_at(next: NasCount) -> Self {
        Self { next: next.0 }
    }

    /// The COUNT of the next message, without taking it.
    pub(super) fn peek(&self) -> Result<NasCount, CountExhausted> {
        NasCount::new(self.next).ok_or(CountExhausted)
    }

    /// Takes the COUNT of a message to send.
    pub(super) fn take(&mut self) -> Result<NasCount, CountExhausted> {
        let count = self.peek()?;
        self.next += 1;
        Ok(count)
    }

    /// The lowest acceptable COUNT with this sequence number: the overflow counter is one higher
    /// when the sequence number has wrapped.
    pub(super) fn estimate(&self, sequence_number: u8) -> Option<NasCount> {
        let overflow = self.next & !0xff;
        let estimate = overflow | u32::from(sequence_number);
        NasCount::new(if estimate < self.next {
            estimate + 0x100
        } else {
            estimate
        })
    }

    /// The highest COUNT with this sequence number that can have been accepted before.
    pub(super) fn previous(&self, sequence_number: u8) -> Option<NasCount> {
        let estimate = self.next & !0xff | u32::from(sequence_number);
        if estimate < self.next {
            NasCount::new(estimate)
        } else {
            estimate.checked_sub(0x100).and_then(NasCount::new)
        }
    }

    /// Marks a COUNT whose MAC was right as used, with all below it.
    pub(super) const fn accept(&mut self, count: NasCount) {
        self.next = count.0 + 1;
    }

    /// Whether the end is near (TS 24.301 §4.4.3.5).
    pub(super) const fn is_running_out(&self) -> bool {
        self.next >= NasCount::END - NasCount::MARGIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(next: u32) -> Counter {
        Counter { next }
    }

    #[test]
    fn the_overflow_counter_follows_the_sequence_number() {
        let estimate = |next, sn| at(next).estimate(sn).map(NasCount::get);
        assert_eq!(estimate(0, 0), Some(0));
        assert_eq!(estimate(0, 255), Some(255));
        assert_eq!(estimate(1, 0), Some(256));
        assert_eq!(estimate(255, 255), Some(255));
        assert_eq!(estimate(256, 255), Some(511));
        assert_eq!(estimate(256, 0), Some(256));
        assert_eq!(estimate(0x0001_23fe, 0x02), Some(0x0001_2402));
    }

    #[test]
    fn nothing_is_estimated_beyond_the_last_value() {
        assert_eq!(at(0x00ff_ffff).estimate(0xff), NasCount::new(0x00ff_ffff));
        assert_eq!(at(0x00ff_ffff).estimate(0xfe), None);
        assert_eq!(at(0x0100_0000).estimate(0), NasCount::new(0x0100_0000));
        assert_eq!(NasCount::new(0x0100_0000), None);
    }

    #[test]
    fn the_last_value_goes_out_once() {
        let mut counter = at(0x00ff_ffff);
        assert!(counter.is_running_out());
        assert_eq!(counter.take().map(NasCount::get), Ok(0x00ff_ffff));
        assert_eq!(counter.take(), Err(CountExhausted));
        assert_eq!(counter.take(), Err(CountExhausted));
    }

    #[test]
    fn what_was_accepted_before_is_always_below() {
        for next in [0, 1, 5, 255, 256, 257, 0x0001_2345] {
            for sn in 0..=255 {
                let previous = at(next).previous(sn);
                assert!(previous.is_none_or(|p| p.get() < next && p.sequence_number() == sn));
                let estimate = at(next).estimate(sn).unwrap();
                assert!(estimate.get() >= next && estimate.get() - next < 256);
                assert!(previous.is_none_or(|p| p.get() + 256 == estimate.get()));
            }
        }
    }
}
