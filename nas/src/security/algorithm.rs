use heiiki_types::Key128;

use super::{Direction, eea2, eia2};
use crate::UeNetworkCapability;

/// BEARER is zero in the NAS (TS 33.401 §8.1.1).
const BEARER: u8 = 0;

/// EPS encryption algorithm, TS 33.401 §5.1.3.2.
///
/// 128-EEA1 (SNOW 3G) and 128-EEA3 (ZUC) are to become variants here; everything else follows from
/// [`Eea::id`], [`Eea::from_id`] and the match in `apply`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Eea {
    /// No ciphering.
    Eea0,
    /// AES in counter mode.
    Eea2,
}

impl Eea {
    /// The algorithm of this number, or `None` when there is none yet.
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::Eea0),
            2 => Some(Self::Eea2),
            _ => None,
        }
    }

    /// The number in messages and key derivation.
    pub const fn id(self) -> u8 {
        match self {
            Self::Eea0 => 0,
            Self::Eea2 => 2,
        }
    }

    /// The first algorithm of `preference` that the UE has.
    pub fn select(preference: &[Self], ue: &UeNetworkCapability) -> Option<Self> {
        preference.iter().copied().find(|a| ue.supports_eea(*a))
    }

    /// Ciphers or deciphers in place.
    pub(super) fn apply(self, key: &Key128, count: u32, direction: Direction, data: &mut [u8]) {
        match self {
            Self::Eea0 => {}
            Self::Eea2 => eea2(key, count, BEARER, direction, data),
        }
    }
}

/// EPS integrity algorithm, TS 33.401 §5.1.4.2.
///
/// There is no EIA0: it protects nothing, and is allowed for unauthenticated emergency calls alone
/// (TS 24.301 §4.4.4.1). 128-EIA1 and 128-EIA3 are to become variants here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Eia {
    /// AES-CMAC.
    Eia2,
}

impl Eia {
    /// The algorithm of this number, or `None` when there is none yet, or never will be.
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            2 => Some(Self::Eia2),
            _ => None,
        }
    }

    /// The number in messages and key derivation.
    pub const fn id(self) -> u8 {
        match self {
            Self::Eia2 => 2,
        }
    }

    /// The first algorithm of `preference` that the UE has.
    pub fn select(preference: &[Self], ue: &UeNetworkCapability) -> Option<Self> {
        preference.iter().copied().find(|a| ue.supports_eia(*a))
    }

    /// The MAC of a sequence number and what follows it.
    pub(super) fn mac(
        self,
        key: &Key128,
        count: u32,
        direction: Direction,
        message: &[u8],
    ) -> [u8; 4] {
        match self {
            Self::Eia2 => eia2(key, count, BEARER, direction, message),
        }
    }
}
