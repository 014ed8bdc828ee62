use alloc::vec::Vec;

use crate::security::{Eea, Eia};

/// What a UE can do, TS 24.301 §9.9.3.34.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UeNetworkCapability {
    /// EPS encryption algorithms: bit 8 is EEA0, bit 7 128-EEA1 and so on.
    pub eea: u8,
    /// EPS integrity algorithms: bit 8 is EIA0, bit 7 128-EIA1 and so on.
    pub eia: u8,
    /// The octets after them (UEA, UIA and the rest), as they came; at most 11.
    pub rest: Vec<u8>,
}

/// The bit of algorithm number `id` (0 to 7) in an octet of algorithms.
pub(crate) const fn algorithm_bit(id: u8) -> u8 {
    0x80 >> (id & 7)
}

impl UeNetworkCapability {
    /// Whether the UE has a ciphering algorithm.
    pub const fn supports_eea(&self, algorithm: Eea) -> bool {
        self.eea & algorithm_bit(algorithm.id()) != 0
    }

    /// Whether the UE has an integrity algorithm.
    pub const fn supports_eia(&self, algorithm: Eia) -> bool {
        self.eia & algorithm_bit(algorithm.id()) != 0
    }

    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        match value {
            [eea, eia, rest @ ..] => Some(Self {
                eea: *eea,
                eia: *eia,
                rest: rest.to_vec(),
            }),
            _ => None,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::from([self.eea, self.eia]);
        out.extend(&self.rest);
        out
    }
}
