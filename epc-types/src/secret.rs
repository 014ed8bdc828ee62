use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A key is not the hexadecimal text it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidKey {
    /// Octets that a key of this kind has.
    pub need: usize,
}

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a key of {} octets is {} hexadecimal digits",
            self.need,
            2 * self.need
        )
    }
}

impl core::error::Error for InvalidKey {}

/// Whether two secrets are equal, in time that depends on their lengths alone.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

macro_rules! key {
    ($name:ident, $len:literal, $doc:literal) => {
        #[doc = $doc]
        ///
        /// It has no `Debug` and no `Display`, compares in constant time and is wiped when dropped.
        #[derive(Clone)]
        #[allow(missing_debug_implementations, reason = "a key must not print")]
        pub struct $name([u8; $len]);

        impl Zeroize for $name {
            fn zeroize(&mut self) {
                // Whole words with a barrier behind them: octet by octet costs a vector more
                // than its cipher.
                self.0 = [0; $len];
                zeroize::optimization_barrier(self);
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                self.zeroize();
            }
        }

        impl ZeroizeOnDrop for $name {}

        impl $name {
            /// Takes the octets of a key.
            pub const fn new(octets: [u8; $len]) -> Self {
                Self(octets)
            }

            /// Reads hexadecimal digits.
            pub fn from_hex(text: &str) -> Result<Self, InvalidKey> {
                let mut octets = [0; $len];
                crate::hex::decode_into(text, &mut octets).ok_or(InvalidKey { need: $len })?;
                Ok(Self(octets))
            }

            /// The octets, for the cipher that uses them.
            pub const fn expose(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                constant_time_eq(&self.0, &other.0)
            }
        }

        impl Eq for $name {}
    };
}

key!(
    Key128,
    16,
    "A 128-bit secret: K, OP, OPc, CK, IK or a NAS key."
);
key!(Key256, 32, "A 256-bit secret: KASME or KeNB.");
