//! Bearer Flags, TS 29.274 §8.32.

use alloc::vec::Vec;

use super::{Fault, Ie, ie_type};
use crate::octets::Reader;

/// Flags of one bearer: bit 1 PPC, bit 2 VB, bit 3 Vind, bit 4 ASI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BearerFlags(pub u8);

impl BearerFlags {
    /// VB: a voice bearer that moves to circuit switching (SRVCC).
    pub const fn is_voice(self) -> bool {
        self.0 & 2 != 0
    }
}

impl Ie for BearerFlags {
    const TYPE: u8 = ie_type::BEARER_FLAGS;
    type Value = Self;

    fn decode(r: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(Self(r.u8()?))
    }

    fn encode(value: &Self, out: &mut Vec<u8>) {
        out.push(value.0);
    }
}
