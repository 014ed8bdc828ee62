use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// An IPv6 prefix of 64 bits, the unit that a PDN connection gets (TS 23.401 §5.3.1.2.2).
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Prefix64(u64);

impl Prefix64 {
    /// The prefix with these leading 64 bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The prefix that `address` is in.
    pub fn of(address: Ipv6Addr) -> Self {
        Self(u64::try_from(address.to_bits() >> 64).unwrap_or(0))
    }

    /// The leading 64 bits.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// Whether `address` is in the prefix.
    pub fn contains(self, address: Ipv6Addr) -> bool {
        Self::of(address) == self
    }

    /// The address with this interface identifier.
    pub fn address(self, interface: u64) -> Ipv6Addr {
        Ipv6Addr::from_bits(u128::from(self.0) << 64 | u128::from(interface))
    }
}

impl fmt::Display for Prefix64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/64", self.address(0))
    }
}

impl fmt::Debug for Prefix64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix64({self})")
    }
}

/// What a PDN connection has of IPv6.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct UeIpv6 {
    /// Its prefix: every address of it is the UE's.
    pub prefix: Prefix64,
    /// The interface identifier of the UE's link-local address, which the gateway chooses
    /// (TS 23.401 §5.3.1.2.2).
    pub interface: u64,
}

impl UeIpv6 {
    /// The address that the UE is given: its prefix and its interface identifier.
    pub fn address(self) -> Ipv6Addr {
        self.prefix.address(self.interface)
    }

    /// The UE's link-local address.
    pub fn link_local(self) -> Ipv6Addr {
        Prefix64::from_bits(0xfe80 << 48).address(self.interface)
    }
}

/// The addresses of a PDN connection, by its PDN type: one of each family at most, and one at
/// least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UeAddresses {
    /// IPv4.
    V4(Ipv4Addr),
    /// IPv6.
    V6(UeIpv6),
    /// Both.
    V4V6(Ipv4Addr, UeIpv6),
}

impl UeAddresses {
    /// The addresses of these parts; none when there is neither.
    pub const fn new(v4: Option<Ipv4Addr>, v6: Option<UeIpv6>) -> Option<Self> {
        match (v4, v6) {
            (Some(v4), Some(v6)) => Some(Self::V4V6(v4, v6)),
            (Some(v4), None) => Some(Self::V4(v4)),
            (None, Some(v6)) => Some(Self::V6(v6)),
            (None, None) => None,
        }
    }

    /// The IPv4 address.
    pub const fn v4(self) -> Option<Ipv4Addr> {
        match self {
            Self::V4(v4) | Self::V4V6(v4, _) => Some(v4),
            Self::V6(_) => None,
        }
    }

    /// The IPv6 prefix and interface identifier.
    pub const fn v6(self) -> Option<UeIpv6> {
        match self {
            Self::V6(v6) | Self::V4V6(_, v6) => Some(v6),
            Self::V4(_) => None,
        }
    }

    /// Whether `address` is one that this connection may send from and receives at. The link-local
    /// address is not: it is the link's.
    pub fn holds(self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.v4() == Some(address),
            IpAddr::V6(address) => self.v6().is_some_and(|v6| v6.prefix.contains(address)),
        }
    }

    /// What no other connection of the tenant may have, one value for each family: the IPv4 address
    /// and the first address of the prefix.
    pub fn keys(self) -> impl Iterator<Item = IpAddr> {
        let v6 = self.v6().map(|v6| IpAddr::V6(v6.prefix.address(0)));
        self.v4().map(IpAddr::V4).into_iter().chain(v6)
    }
}

impl From<Ipv4Addr> for UeAddresses {
    fn from(v4: Ipv4Addr) -> Self {
        Self::V4(v4)
    }
}

/// `10.20.0.2`, `fd00::1/64` (the given address and the length of the prefix), or both with a
/// comma between.
impl fmt::Display for UeAddresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(v4) => write!(f, "{v4}"),
            Self::V6(v6) => write!(f, "{}/64", v6.address()),
            Self::V4V6(v4, v6) => write!(f, "{v4},{}/64", v6.address()),
        }
    }
}

/// Not the addresses of a UE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUeAddresses;

impl fmt::Display for InvalidUeAddresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a UE's addresses are 10.20.0.2, fd00::1/64 or both with a comma between")
    }
}

impl core::error::Error for InvalidUeAddresses {}

impl FromStr for UeAddresses {
    type Err = InvalidUeAddresses;

    fn from_str(text: &str) -> Result<Self, InvalidUeAddresses> {
        let (mut v4, mut v6) = (None, None);
        for part in text.split(',') {
            if let Some(address) = part.strip_suffix("/64") {
                let address: Ipv6Addr = address.parse().map_err(|_| InvalidUeAddresses)?;
                let prefix = Prefix64::of(address);
                let interface = address.to_bits() & u128::from(u64::MAX);
                let interface = u64::try_from(interface).map_err(|_| InvalidUeAddresses)?;
                if v6.replace(UeIpv6 { prefix, interface }).is_some() {
                    return Err(InvalidUeAddresses);
                }
            } else {
                let address = part.parse().map_err(|_| InvalidUeAddresses)?;
                if v4.replace(address).is_some() {
                    return Err(InvalidUeAddresses);
                }
            }
        }
        Self::new(v4, v6).ok_or(InvalidUeAddresses)
    }
}

impl serde::Serialize for UeAddresses {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            s.collect_str(self)
        } else {
            (self.v4(), self.v6()).serialize(s)
        }
    }
}

impl<'de> serde::Deserialize<'de> for UeAddresses {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            let text = <String as serde::Deserialize>::deserialize(d)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            let (v4, v6) = serde::Deserialize::deserialize(d)?;
            Self::new(v4, v6).ok_or_else(|| serde::de::Error::custom(InvalidUeAddresses))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_holds_its_prefix_and_its_address() {
        let addresses: UeAddresses = "10.20.0.2,fd00:1:2:3::77/64".parse().unwrap();
        let holds = |a: &str| addresses.holds(a.parse().unwrap());
        assert!(holds("10.20.0.2") && holds("fd00:1:2:3::1") && holds("fd00:1:2:3:ffff::"));
        assert!(!holds("10.20.0.3") && !holds("fd00:1:2:4::77") && !holds("fe80::77"));
        let v6 = addresses.v6().unwrap();
        assert_eq!(v6.link_local(), "fe80::77".parse::<Ipv6Addr>().unwrap());
        let keys: Vec<_> = addresses.keys().collect();
        assert_eq!(keys[1], "fd00:1:2:3::".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn the_text_form_goes_both_ways() {
        for text in [
            "10.20.0.2",
            "fd00:1:2:3::77/64",
            "10.20.0.2,fd00:1:2:3::77/64",
        ] {
            let addresses: UeAddresses = text.parse().unwrap();
            assert_eq!(alloc::format!("{addresses}"), text);
        }
        for text in [
            "",
            "10.20.0.2,10.20.0.3",
            "fd00::1",
            "fd00::1/64,fd00::2/64",
        ] {
            assert_eq!(
                text.parse::<UeAddresses>(),
                Err(InvalidUeAddresses),
                "{text}"
            );
        }
    }
}
