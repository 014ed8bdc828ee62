//! PDN Type, TS 29.274 §8.34.

use alloc::vec::Vec;

use super::{Fault, Ie, ie_type};
use crate::octets::Reader;

/// What kind of address a PDN connection has: three bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PdnType {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// IPv4 and IPv6.
    V4V6,
    /// No IP.
    NonIp,
    /// Ethernet.
    Ethernet,
}

impl PdnType {
    pub(super) const fn from_bits(octet: u8) -> Result<Self, Fault> {
        Ok(match octet & 7 {
            1 => Self::V4,
            2 => Self::V6,
            3 => Self::V4V6,
            4 => Self::NonIp,
            5 => Self::Ethernet,
            _ => return Err(Fault::Value),
        })
    }

    pub(super) const fn bits(self) -> u8 {
        match self {
            Self::V4 => 1,
            Self::V6 => 2,
            Self::V4V6 => 3,
            Self::NonIp => 4,
            Self::Ethernet => 5,
        }
    }
}

impl Ie for PdnType {
    const TYPE: u8 = ie_type::PDN_TYPE;
    type Value = Self;

    fn decode(r: &mut Reader<'_>) -> Result<Self, Fault> {
        Self::from_bits(r.u8()?)
    }

    fn encode(value: &Self, out: &mut Vec<u8>) {
        out.push(value.bits());
    }
}
