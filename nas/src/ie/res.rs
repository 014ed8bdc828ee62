use alloc::vec::Vec;
use core::fmt;

use heiiki_types::constant_time_eq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The answer of a USIM to a challenge, 4 to 16 octets (TS 24.301 §9.9.3.4).
///
/// It prints as `Res(..)`, compares in constant time and is wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Res(Vec<u8>);

impl Res {
    /// A response of 4 to 16 octets.
    pub fn new(octets: &[u8]) -> Option<Self> {
        (4..=16)
            .contains(&octets.len())
            .then(|| Self(octets.to_vec()))
    }

    /// The octets, for the message that carries them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is the expected response, in constant time.
    pub fn is(&self, xres: &[u8]) -> bool {
        constant_time_eq(&self.0, xres)
    }
}

impl PartialEq for Res {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.0)
    }
}

impl Eq for Res {}

impl fmt::Debug for Res {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Res(..)")
    }
}
