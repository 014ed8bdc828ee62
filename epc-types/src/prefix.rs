use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// Why a text is not a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidPrefix {
    /// Not `address/length`.
    Form,
    /// The length is more than the address has bits.
    Length,
    /// Bits after the prefix are set: `10.20.0.1/16` is an address, not a prefix.
    HostBits,
}

impl fmt::Display for InvalidPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "a prefix is ADDRESS/LENGTH, such as 10.20.0.0/16",
            Self::Length => "the prefix length is more than the address has bits",
            Self::HostBits => "the prefix has bits set after its length",
        })
    }
}

impl core::error::Error for InvalidPrefix {}

/// An IP prefix: all addresses that begin with the same bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

const fn mask(bits: u8, length: u8) -> u128 {
    if length == 0 {
        0
    } else {
        u128::MAX << (bits - length)
    }
}

fn value(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(a) => (u128::from(a.to_bits()), 32),
        IpAddr::V6(a) => (a.to_bits(), 128),
    }
}

impl Prefix {
    /// The prefix of `length` bits that `address` is the first address of.
    pub fn new(address: IpAddr, length: u8) -> Result<Self, InvalidPrefix> {
        let (bits, width) = value(address);
        if length > width {
            return Err(InvalidPrefix::Length);
        }
        if bits & !mask(width, length) != 0 {
            return Err(InvalidPrefix::HostBits);
        }
        Ok(Self { address, length })
    }

    /// The prefix of exactly one address.
    pub fn host(address: IpAddr) -> Self {
        let (_, length) = value(address);
        Self { address, length }
    }

    /// The first address.
    pub const fn first(self) -> IpAddr {
        self.address
    }

    /// The last address.
    pub fn last(self) -> IpAddr {
        let (bits, width) = value(self.address);
        let last = bits | !mask(width, self.length);
        match self.address {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from_bits(
                u32::try_from(last & 0xffff_ffff).unwrap_or(0),
            )),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(last)),
        }
    }

    /// How many leading bits are fixed.
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Whether the prefix is of IPv4.
    pub const fn is_ipv4(self) -> bool {
        self.address.is_ipv4()
    }

    /// Whether `address` is in the prefix.
    pub fn contains(self, address: IpAddr) -> bool {
        let (own, width) = value(self.address);
        let (other, other_width) = value(address);
        width == other_width && (own ^ other) & mask(width, self.length) == 0
    }

    /// Whether all of `other` is in this prefix.
    pub fn covers(self, other: Self) -> bool {
        self.length <= other.length && self.contains(other.address)
    }

    /// Whether some address is in both prefixes.
    pub fn overlaps(self, other: Self) -> bool {
        self.covers(other) || other.covers(self)
    }
}

impl FromStr for Prefix {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<Self, InvalidPrefix> {
        let (address, length) = text.split_once('/').ok_or(InvalidPrefix::Form)?;
        let address = address.parse().map_err(|_| InvalidPrefix::Form)?;
        if length.is_empty() || !length.bytes().all(|c| c.is_ascii_digit()) {
            return Err(InvalidPrefix::Form);
        }
        Self::new(address, length.parse().map_err(|_| InvalidPrefix::Length)?)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({self})")
    }
}

impl serde::Serialize for Prefix {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Prefix {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn contains_and_covers() {
        assert!(p("10.20.0.0/16").contains("10.20.255.255".parse().unwrap()));
        assert!(!p("10.20.0.0/16").contains("10.21.0.0".parse().unwrap()));
        assert!(!p("0.0.0.0/0").contains("::1".parse().unwrap()));
        assert!(p("0.0.0.0/0").covers(p("10.0.0.0/8")));
        assert!(p("10.0.0.0/8").overlaps(p("0.0.0.0/0")));
        assert!(!p("10.0.0.0/9").overlaps(p("10.128.0.0/9")));
        assert_eq!(
            p("10.20.0.0/16").last(),
            "10.20.255.255".parse::<IpAddr>().unwrap()
        );
        assert_eq!(p("fd00::/8").last().to_string().get(..4), Some("fdff"));
    }

    #[test]
    fn form_and_host_bits_are_checked() {
        assert_eq!(
            "10.20.0.1/16".parse::<Prefix>(),
            Err(InvalidPrefix::HostBits)
        );
        assert_eq!("10.20.0.0/33".parse::<Prefix>(), Err(InvalidPrefix::Length));
        assert_eq!("10.20.0.0/+8".parse::<Prefix>(), Err(InvalidPrefix::Form));
        assert_eq!("10.20.0.0".parse::<Prefix>(), Err(InvalidPrefix::Form));
    }
}
