//! Indication, TS 29.274 §8.12.

use alloc::vec::Vec;

use super::{Fault, Ie, ie_type};
use crate::octets::Reader;

/// One flag of an [`Indication`], by the octet (from 0) and the bit that hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndicationFlag {
    octet: usize,
    bit: u8,
}

const fn flag(octet: usize, bit: u8) -> IndicationFlag {
    IndicationFlag {
        octet,
        bit: 1 << (bit - 1),
    }
}

impl IndicationFlag {
    /// DAF: the UE may have both address families on one bearer.
    pub const DUAL_ADDRESS_BEARER: Self = flag(0, 8);
    /// HI: handover from non-3GPP access.
    pub const HANDOVER: Self = flag(0, 6);
    /// OI: the SGW passes the operation on to the PGW.
    pub const OPERATION: Self = flag(0, 4);
    /// UIMSI: the IMSI is not authenticated.
    pub const UNAUTHENTICATED_IMSI: Self = flag(1, 7);
    /// CRSI: change reporting is supported.
    pub const CHANGE_REPORTING_SUPPORT: Self = flag(1, 5);
    /// EPCOSI: UE, MME and SGW take extended protocol configuration options.
    pub const EXTENDED_PCO_SUPPORT: Self = flag(5, 7);
    /// SI: the scope of the deletion is the whole UE context.
    pub const SCOPE: Self = flag(1, 2);
}

/// Flags, as many octets as the sender knows; a missing octet reads as zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indication(Vec<u8>);

impl Default for Indication {
    /// No flag set, in the two octets that every sender has.
    fn default() -> Self {
        Self(alloc::vec![0; FIXED])
    }
}

impl Indication {
    /// Whether the flag is set.
    pub fn has(&self, flag: IndicationFlag) -> bool {
        self.0.get(flag.octet).is_some_and(|o| o & flag.bit != 0)
    }

    /// The same flags with this one set.
    #[must_use]
    pub fn with(mut self, flag: IndicationFlag) -> Self {
        if self.0.len() <= flag.octet {
            self.0.resize(flag.octet + 1, 0);
        }
        if let Some(octet) = self.0.get_mut(flag.octet) {
            *octet |= flag.bit;
        }
        self
    }
}

/// Octets of the fixed part.
const FIXED: usize = 2;
/// Octets of flags that the specification has up to now; more are not kept.
const KNOWN: usize = 10;

impl Ie for Indication {
    const TYPE: u8 = ie_type::INDICATION;
    type Value = Self;

    fn decode(r: &mut Reader<'_>) -> Result<Self, Fault> {
        // One octet is less than the fixed part, and still readable, so it is read.
        let first = r.u8()?;
        let rest = r.rest().iter().copied().take(KNOWN - 1);
        let mut flags: Vec<u8> = core::iter::once(first).chain(rest).collect();
        flags.resize(flags.len().max(FIXED), 0);
        Ok(Self(flags))
    }

    fn encode(value: &Self, out: &mut Vec<u8>) {
        out.extend(&value.0);
    }
}
