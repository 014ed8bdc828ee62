//! Freshness of sequence numbers, TS 33.102 §C.2.
//!
//! `SQN = SEQ || IND`, with five bits of IND: the card keeps the highest SEQ of each of 32 indices,
//! so that vectors handed to different nodes do not invalidate each other.

/// Bits of IND.
pub const IND_BITS: u32 = 5;
/// Length of the array SEQ_MS.
pub const ENTRIES: usize = 1 << IND_BITS;
/// The largest step that a card accepts, TS 33.102 §C.3: a guard against being driven to the end
/// of the range.
pub const DELTA: u64 = 1 << 28;

/// Why a sequence number is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFresh {
    /// SEQ is not above the one last accepted for this IND, §C.2.2.
    Used,
    /// SEQ is more than Delta above the highest one accepted, §C.2.1.
    TooFarAhead,
    /// SEQ is more than L below the highest one accepted, §C.2.3.
    TooOld,
}

/// The array SEQ_MS of one card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceNumbers {
    seq: [u64; ENTRIES],
    delta: u64,
    age_limit: Option<u64>,
}

impl Default for SequenceNumbers {
    fn default() -> Self {
        Self::from_array([0; ENTRIES])
    }
}

impl SequenceNumbers {
    /// The card's array, as [`to_array`](Self::to_array) returned it; the index is IND.
    pub const fn from_array(seq: [u64; ENTRIES]) -> Self {
        Self {
            seq,
            delta: DELTA,
            age_limit: None,
        }
    }

    /// SEQ_MS of each IND.
    pub const fn to_array(&self) -> [u64; ENTRIES] {
        self.seq
    }

    /// The same array with another Delta.
    #[must_use]
    pub const fn with_delta(mut self, delta: u64) -> Self {
        self.delta = delta;
        self
    }

    /// The same array with the optional limit L of age.
    #[must_use]
    pub const fn with_age_limit(mut self, limit: Option<u64>) -> Self {
        self.age_limit = limit;
        self
    }

    /// The highest sequence number that the card accepted, IND included: SQN_MS.
    pub fn highest(&self) -> [u8; 6] {
        let (ind, seq) = (0_u64..)
            .zip(&self.seq)
            .max_by_key(|(_, seq)| **seq)
            .map_or((0, 0), |(ind, seq)| (ind, *seq));
        let [_, _, sqn @ ..] = (seq << IND_BITS | ind).to_be_bytes();
        sqn
    }

    /// Takes a sequence number whose MAC was right, if it is fresh.
    pub fn accept(&mut self, sqn: [u8; 6]) -> Result<(), NotFresh> {
        let [s0, s1, s2, s3, s4, s5] = sqn;
        let sqn = u64::from_be_bytes([0, 0, s0, s1, s2, s3, s4, s5]);
        let seq = sqn >> IND_BITS;
        let highest = self.seq.iter().max().copied().unwrap_or(0);
        if seq > highest && seq - highest > self.delta {
            return Err(NotFresh::TooFarAhead);
        }
        if self
            .age_limit
            .is_some_and(|l| highest.saturating_sub(seq) > l)
        {
            return Err(NotFresh::TooOld);
        }
        let ind = usize::from(s5 & 31);
        match self.seq.get_mut(ind) {
            Some(last) if seq > *last => {
                *last = seq;
                Ok(())
            }
            _ => Err(NotFresh::Used),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqn(seq: u64, ind: u64) -> [u8; 6] {
        let [_, _, sqn @ ..] = (seq << IND_BITS | ind).to_be_bytes();
        sqn
    }

    #[test]
    fn each_index_rises_by_itself() {
        let mut s = SequenceNumbers::default();
        assert_eq!(s.accept(sqn(10, 3)), Ok(()));
        assert_eq!(s.accept(sqn(10, 3)), Err(NotFresh::Used));
        assert_eq!(s.accept(sqn(9, 3)), Err(NotFresh::Used));
        assert_eq!(s.accept(sqn(9, 4)), Ok(()));
        assert_eq!(s.accept(sqn(11, 3)), Ok(()));
        assert_eq!(s.highest(), sqn(11, 3));
    }

    #[test]
    fn zero_is_never_fresh() {
        assert_eq!(
            SequenceNumbers::default().accept([0; 6]),
            Err(NotFresh::Used)
        );
    }

    #[test]
    fn a_step_beyond_delta_is_refused_and_moves_nothing() {
        let mut s = SequenceNumbers::default();
        assert_eq!(s.accept(sqn(DELTA + 1, 0)), Err(NotFresh::TooFarAhead));
        assert_eq!(s.to_array(), [0; ENTRIES]);
        assert_eq!(s.accept(sqn(DELTA, 0)), Ok(()));
        assert_eq!(s.accept(sqn(2 * DELTA, 1)), Ok(()));
        assert_eq!(s.accept([0xff; 6]), Err(NotFresh::TooFarAhead));
    }

    #[test]
    fn age_limit_counts_from_the_highest() {
        let mut s = SequenceNumbers::default().with_age_limit(Some(5));
        assert_eq!(s.accept(sqn(100, 0)), Ok(()));
        assert_eq!(s.accept(sqn(94, 1)), Err(NotFresh::TooOld));
        assert_eq!(s.accept(sqn(95, 1)), Ok(()));
    }

    #[test]
    fn state_survives_export_and_import() {
        let mut s = SequenceNumbers::default();
        assert_eq!(s.accept(sqn(7, 31)), Ok(()));
        let mut again = SequenceNumbers::from_array(s.to_array());
        assert_eq!(again, s);
        assert_eq!(again.accept(sqn(7, 31)), Err(NotFresh::Used));
    }
}
