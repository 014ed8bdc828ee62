use alloc::string::String;
use core::fmt;
use core::num::NonZeroU64;
use core::str::FromStr;

use crate::PlmnId;

/// The text is not an identity of the wanted kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidIdentity {
    what: &'static str,
}

impl fmt::Display for InvalidIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl core::error::Error for InvalidIdentity {}

/// Decimal digits packed into 64 bits: the count in the top four bits, then a nibble a digit.
/// Leading zeros count, and order is by length, then by digits. Never zero, so that an optional
/// identity takes no more room.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Digits(NonZeroU64);

impl Digits {
    const MAX: usize = 15;

    fn parse(text: &str) -> Option<Self> {
        let count = u64::try_from(text.len())
            .ok()
            .filter(|n| (1..=15).contains(n))?;
        let mut packed = count;
        for c in text.bytes() {
            packed = packed << 4 | u64::from(c.checked_sub(b'0').filter(|d| *d <= 9)?);
        }
        // Left-aligned, so that the digits of equal lengths compare like numbers.
        NonZeroU64::new(packed << (4 * (Self::MAX - text.len()))).map(Self)
    }

    const fn len(self) -> usize {
        (self.0.get() >> 60) as usize
    }

    /// The digits as a number of fifteen, with zeros behind those that are fewer. Neighbouring
    /// digits are put together until all are.
    const fn number(self) -> u64 {
        const PAIRS: u64 = 0x0f0f_0f0f_0f0f_0f0f;
        const FOURS: u64 = 0x00ff_00ff_00ff_00ff;
        const EIGHTS: u64 = 0x0000_ffff_0000_ffff;
        let digits = self.0.get() << 4 >> 4;
        let pairs = (digits & PAIRS) + 10 * (digits >> 4 & PAIRS);
        let fours = (pairs & FOURS) + 100 * (pairs >> 8 & FOURS);
        let eights = (fours & EIGHTS) + 10_000 * (fours >> 16 & EIGHTS);
        (eights & 0xffff_ffff) + 100_000_000 * (eights >> 32)
    }

    fn iter(self) -> impl Iterator<Item = u8> {
        (0..self.len()).map(move |i| {
            let [.., low] = (self.0.get() >> (56 - 4 * i)).to_be_bytes();
            low & 15
        })
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|d| write!(f, "{d}"))
    }
}

macro_rules! digits {
    ($name:ident, $len:expr, $what:literal, $(#[$doc:meta])*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Digits);

        impl $name {
            /// The digits, first one first.
            pub fn digits(&self) -> impl Iterator<Item = u8> {
                self.0.iter()
            }
        }

        impl FromStr for $name {
            type Err = InvalidIdentity;

            fn from_str(text: &str) -> Result<Self, InvalidIdentity> {
                let len: core::ops::RangeInclusive<usize> = $len;
                Digits::parse(text)
                    .filter(|d| len.contains(&d.len()))
                    .map(Self)
                    .ok_or(InvalidIdentity { what: $what })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

digits! {
    Imsi, 6..=15, "an IMSI is 6 to 15 decimal digits",
    /// International mobile subscriber identity, TS 23.003 §2.2: MCC, MNC and MSIN.
}

digits! {
    Msisdn, 3..=15, "an MSISDN is 3 to 15 decimal digits",
    /// The number of a subscriber in international form, without `+`, TS 23.003 §3.3.
}

digits! {
    Imei, 14..=15, "an IMEI is 14 digits (TAC and SNR), or 15 with its check digit",
    /// International mobile equipment identity, TS 23.003 §6.2: 14 significant digits, with or
    /// without the check digit. It is what the equipment says of itself.
}

impl Imsi {
    /// The digits as a number of fifteen: those of a shorter IMSI have zeros behind them. It tells
    /// how far two IMSIs of one length are apart.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0.number()
    }

    /// Whether the IMSI is of this network: its first digits are the MCC and MNC.
    pub fn is_of(&self, plmn: PlmnId) -> bool {
        plmn.digits().zip(self.digits()).all(|(a, b)| a == b)
    }
}

impl Imei {
    /// The 14 digits that identify the equipment: the check digit does not.
    pub fn significant(&self) -> impl Iterator<Item = u8> {
        self.digits().take(14)
    }
}

/// Globally unique temporary UE identity, TS 23.003 §2.8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guti {
    /// The network of the MME.
    pub plmn: PlmnId,
    /// The MME group.
    pub mme_group_id: u16,
    /// The MME within its group.
    pub mme_code: u8,
    /// The subscriber within the MME.
    pub m_tmsi: u32,
}

impl fmt::Display for Guti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            plmn,
            mme_group_id,
            mme_code,
            m_tmsi,
        } = self;
        write!(f, "{plmn}-{mme_group_id:04x}-{mme_code:02x}-{m_tmsi:08x}")
    }
}

impl serde::Serialize for Guti {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn leading_zeros_count() {
        let a: Imsi = "001010000000001".parse().unwrap();
        assert_eq!(a.to_string(), "001010000000001");
        let b: Imsi = "00101000000001".parse().unwrap();
        assert_ne!(a, b);
    }

    #[test]
    fn order_is_by_number_within_a_length() {
        let a: Imsi = "001010000000009".parse().unwrap();
        let b: Imsi = "001010000000010".parse().unwrap();
        assert!(a < b);
    }

    #[test]
    fn what_is_not_digits_is_refused() {
        for bad in ["", "12345", "0010100000000011", "00101000000000x", "٠٠١٠١٠"] {
            assert!(bad.parse::<Imsi>().is_err(), "{bad}");
        }
        assert!("4".repeat(13).parse::<Imei>().is_err());
    }

    #[test]
    fn network_of_an_imsi() {
        let imsi: Imsi = "001010000000001".parse().unwrap();
        assert_eq!(imsi.number(), 1_010_000_000_001);
        let other: Imsi = "987654321012345".parse().unwrap();
        assert_eq!(other.number(), 987_654_321_012_345);
        let short: Imsi = "310410".parse().unwrap();
        assert_eq!(short.number(), 310_410_000_000_000);
        assert!(imsi.is_of("00101".parse().unwrap()));
        assert!(!imsi.is_of("00102".parse().unwrap()));
        assert!(imsi.is_of("001010".parse().unwrap()));
    }
}
