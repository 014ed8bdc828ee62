//! Sequence numbers of the home network, TS 33.102 Annex C, and how they survive a crash.
//!
//! SQN = SEQ || IND. SEQ (43 bits) rises by one with each vector of a SIM; IND (5 bits) says which
//! cell of the USIM's array the vector is checked against, and takes turns, so that a vector kept
//! back by one node does not spoil those handed to another.
//!
//! **The crash rule.** No vector costs a write. Instead
//!
//! * a durable [`Epoch`] is raised once at each start, before anything is served;
//! * each SIM has a durable [`Mark`]: a SEQ and the epoch in which it was written, written behind;
//! * in an epoch a SIM issues at most [`LEAD`] vectors beyond where its durable mark puts the start
//!   of that epoch;
//! * after a start SEQ goes on at `mark.seq + (epoch - mark.epoch) * LEAD`.
//!
//! The bound of one epoch is the start of the next, so a SEQ is never issued twice, however many
//! marks a crash lost, and a start touches no SIM's row.

use core::fmt;

/// Low bits of an SQN that are IND: the example profiles' array of 32 cells.
pub const IND_BITS: u32 = 5;

/// The largest SEQ. A SIM that used it up needs a new card.
pub const SEQ_MAX: u64 = (1 << 43) - 1;

/// The largest distance between the SEQ of the network and that of the USIM, TS 33.102 §C.2.1:
/// the USIM refuses a jump beyond it, and so does the network.
pub const DELTA: u64 = 1 << 28;

/// How many vectors a SIM may issue in an epoch before a mark must be durable.
///
/// It is part of the store's format: changing it would make older marks mean less than was issued.
pub const LEAD: u64 = 256;

/// Epochs that a start after a restore from a backup is ahead: enough for 2^20 vectors of each SIM
/// since the backup, and so little that a USIM takes 255 such jumps in a row before one is beyond
/// [`DELTA`].
pub const RESTORED_EPOCHS: u64 = 4_096;

/// A start after a restore is further ahead by one epoch for so many seconds as the backup is old:
/// restored a second time, later, the same backup goes on above the numbers of the first time.
pub const RESTORED_SECONDS_PER_EPOCH: u64 = 30;

/// The most epochs that age adds, a year's: still within [`DELTA`].
pub const RESTORED_EPOCHS_MAX: u64 = (DELTA / LEAD) - 2 * RESTORED_EPOCHS;

/// A sequence number, 48 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sqn(u64);

impl Sqn {
    /// SEQ and IND joined; `None` when one of them has too many bits.
    pub const fn new(seq: u64, ind: u8) -> Option<Self> {
        if seq > SEQ_MAX || ind >= 1 << IND_BITS {
            return None;
        }
        // u64::from is not const; the value has five bits.
        Some(Self(seq << IND_BITS | ind as u64))
    }

    /// A sequence number from its value; `None` when it has more than 48 bits.
    pub const fn from_value(value: u64) -> Option<Self> {
        if value >> 48 == 0 {
            Some(Self(value))
        } else {
            None
        }
    }

    /// Reads six octets.
    pub const fn from_octets(octets: [u8; 6]) -> Self {
        let [a, b, c, d, e, f] = octets;
        Self(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    /// The six octets, as AUTN and AUTS hide them.
    pub const fn octets(self) -> [u8; 6] {
        let [_, _, a, b, c, d, e, f] = self.0.to_be_bytes();
        [a, b, c, d, e, f]
    }

    /// The sequence part.
    pub const fn seq(self) -> u64 {
        self.0 >> IND_BITS
    }

    /// The index part, 0 to 31.
    pub const fn ind(self) -> u8 {
        let [.., low] = self.0.to_be_bytes();
        low & 0x1f
    }
}

impl fmt::Debug for Sqn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sqn({}, ind {})", self.seq(), self.ind())
    }
}

/// Which start of the authenticator it is: raised and made durable once at each start, before the
/// first vector.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Epoch(pub u64);

/// What the disk knows of a SIM's SEQ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Mark {
    /// The last SEQ issued when the mark was made.
    pub seq: u64,
    /// The epoch in which it was made.
    pub epoch: Epoch,
}

impl Mark {
    /// Where SEQ stands when `epoch` starts, if this mark is all that survived.
    fn start_of(self, epoch: Epoch) -> u64 {
        let epochs = epoch.0.saturating_sub(self.epoch.0);
        self.seq.saturating_add(epochs.saturating_mul(LEAD))
    }
}

/// The IND values of one front end: front ends that share a store own disjoint ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndRange {
    first: u8,
    count: u8,
}

impl IndRange {
    /// All 32 values: the only front end of its store.
    pub const ALL: Self = Self {
        first: 0,
        count: 1 << IND_BITS,
    };

    /// The first of the values: it tells one front end from another.
    pub const fn first(self) -> u8 {
        self.first
    }

    /// All of the values.
    pub const fn values(self) -> core::ops::Range<u8> {
        self.first..self.first + self.count
    }

    /// `count` values from `first` on; `None` when that is none, or reaches beyond 31.
    pub const fn new(first: u8, count: u8) -> Option<Self> {
        if count == 0 || first >= 1 << IND_BITS || count > (1 << IND_BITS) - first {
            None
        } else {
            Some(Self { first, count })
        }
    }
}

/// Why no vector can be made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSqn {
    /// The durable mark is too far behind: go on when a new one is durable.
    MarkBehind,
    /// The SIM used up its sequence numbers.
    Exhausted,
}

/// What a genuine AUTS did, TS 33.102 §6.3.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resync {
    /// SEQ was behind the USIM's and has been raised to it.
    Raised {
        /// SEQ before.
        from: u64,
        /// The USIM's SEQ, now also the network's.
        to: u64,
    },
    /// SEQ is not behind the USIM's: an old AUTS, or one that crossed a newer vector.
    Unchanged,
    /// The two are further apart than [`DELTA`]. Nothing changed: somebody has to look.
    BeyondDelta {
        /// The network's SEQ.
        home: u64,
        /// The USIM's SEQ.
        usim: u64,
    },
}

/// Set beside a start that the disk does not know yet.
const PENDING: u64 = 1 << 63;

/// The sequence number of one SIM, within one epoch. A million of them are kept, so what the disk
/// knows is held as the place where that puts the start of the epoch.
#[derive(Clone, Debug)]
pub struct Counter {
    /// The last SEQ issued, or where the epoch starts, above the turn of IND.
    last: Sqn,
    /// The start of the epoch by the durable mark; [`PENDING`] until the SIM's first row is durable.
    durable: u64,
    /// The same by the last mark that was made, durable or not yet.
    written: u64,
}

impl Counter {
    /// A SIM that the disk does not know yet. It issues nothing until its first row is durable.
    pub const fn fresh(last: Sqn) -> Self {
        Self {
            last,
            durable: last.seq() | PENDING,
            written: last.seq(),
        }
    }

    /// A SIM as `epoch` finds it on the disk.
    pub fn restore(mark: Mark, epoch: Epoch) -> Self {
        // A start beyond the last SEQ issues nothing, wherever it is.
        let start = mark.start_of(epoch).min(SEQ_MAX);
        Self {
            last: Sqn(start << IND_BITS),
            durable: start,
            written: start,
        }
    }

    /// Takes a mark that the disk has beside the one this was restored from: the higher one counts.
    pub fn restore_also(&mut self, mark: Mark, epoch: Epoch) {
        let other = Self::restore(mark, epoch);
        if other.durable > self.durable {
            *self = other;
        }
    }

    /// Takes a mark that a front end has made durable meanwhile, in `epoch` of this one: this one
    /// goes on above it, so that front ends stay close to each other.
    pub fn follow(&mut self, mark: Mark, epoch: Epoch) {
        let start = mark.start_of(epoch).min(SEQ_MAX);
        if !self.is_durable() || self.durable < start {
            self.durable = start;
        }
        self.written = self.written.max(start);
        self.raise(mark.seq);
    }

    /// Goes on above `seq`; only ever raises.
    pub fn raise(&mut self, seq: u64) {
        if let Some(raised) = Sqn::new(seq, self.last.ind())
            && raised > self.last
        {
            self.last = raised;
        }
    }

    /// Whether the disk knows the SIM's SEQ.
    pub const fn is_durable(&self) -> bool {
        self.durable & PENDING == 0
    }

    /// The last SEQ issued, or where the epoch starts.
    pub const fn seq(&self) -> u64 {
        self.last.seq()
    }

    /// The last SEQ that may be issued before another mark is durable.
    const fn bound(&self) -> u64 {
        if self.is_durable() {
            self.durable + LEAD
        } else {
            0
        }
    }

    /// Whether `count` numbers can be issued now.
    pub const fn check(&self, count: u64) -> Result<(), NoSqn> {
        let last = self.seq().saturating_add(count);
        if last > SEQ_MAX {
            Err(NoSqn::Exhausted)
        } else if last > self.bound() {
            Err(NoSqn::MarkBehind)
        } else {
            Ok(())
        }
    }

    /// The next number.
    pub fn issue(&mut self, inds: IndRange) -> Result<Sqn, NoSqn> {
        self.check(1)?;
        let turn = (self.last.ind() + 1) % inds.count;
        let seq = self.seq() + 1;
        let sqn = Sqn::new(seq, inds.first + turn).ok_or(NoSqn::Exhausted)?;
        self.last = Sqn::new(seq, turn).ok_or(NoSqn::Exhausted)?;
        Ok(sqn)
    }

    /// Whether half of the allowance is used up, counted from the last mark that was made, so that
    /// it is time to make another.
    pub const fn wants_mark(&self) -> bool {
        self.seq().saturating_add(LEAD / 2) > self.written + LEAD
    }

    /// The mark that a row written in `epoch` holds beside other things.
    pub const fn peek(&self, epoch: Epoch) -> Mark {
        Mark {
            seq: self.seq(),
            epoch,
        }
    }

    /// Makes the mark to write now, in `epoch`.
    pub const fn mark(&mut self, epoch: Epoch) -> Mark {
        self.written = self.seq();
        self.peek(epoch)
    }

    /// A `mark` of this epoch has become durable.
    pub fn marked(&mut self, mark: Mark) {
        if !self.is_durable() || self.durable < mark.seq {
            self.durable = mark.seq;
        }
    }

    /// The SIM's first row has become durable, with the SEQ that the SIM came with.
    pub const fn first_row_is_durable(&mut self) {
        self.durable &= !PENDING;
    }

    /// Takes the SQN of a genuine AUTS. Only ever raises; the raised number is issued from once a
    /// mark of it is durable, which [`issue`](Self::issue) sees to.
    pub fn resynchronise(&mut self, usim: Sqn) -> Resync {
        let (from, to) = (self.seq(), usim.seq());
        if from.abs_diff(to) > DELTA {
            Resync::BeyondDelta {
                home: from,
                usim: to,
            }
        } else if to > from {
            self.last = Sqn(to << IND_BITS | u64::from(self.last.ind()));
            Resync::Raised { from, to }
        } else {
            Resync::Unchanged
        }
    }
}

#[cfg(test)]
mod tests;
