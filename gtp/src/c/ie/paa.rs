//! PDN Address Allocation, TS 29.274 §8.14.

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::{Fault, Ie, PdnType, ie_type};
use crate::octets::Reader;

/// The address that a PDN connection has or asks for.
///
/// ```text
///  octet 5       then
///  PDN type      IPv4: address; IPv6: prefix length, prefix and interface identifier;
///                IPv4v6: as IPv6, then the IPv4 address
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Paa {
    /// IPv4; 0.0.0.0 asks for a dynamic address.
    V4(Ipv4Addr),
    /// IPv6.
    V6 {
        /// Prefix and interface identifier, as on the wire.
        prefix: Ipv6Addr,
        /// Length of the prefix in bits: 64.
        length: u8,
    },
    /// Both.
    V4V6 {
        /// The IPv4 address.
        v4: Ipv4Addr,
        /// Prefix and interface identifier, as on the wire.
        prefix: Ipv6Addr,
        /// Length of the prefix in bits: 64.
        length: u8,
    },
    /// No IP at all.
    NonIp,
    /// Ethernet.
    Ethernet,
}

impl Paa {
    /// The PDN type that the address is of.
    pub const fn pdn_type(self) -> PdnType {
        match self {
            Self::V4(_) => PdnType::V4,
            Self::V6 { .. } => PdnType::V6,
            Self::V4V6 { .. } => PdnType::V4V6,
            Self::NonIp => PdnType::NonIp,
            Self::Ethernet => PdnType::Ethernet,
        }
    }

    /// The IPv4 address, if there is one.
    pub const fn v4(self) -> Option<Ipv4Addr> {
        match self {
            Self::V4(v4) | Self::V4V6 { v4, .. } => Some(v4),
            _ => None,
        }
    }
}

fn prefix(r: &mut Reader<'_>) -> Result<(Ipv6Addr, u8), Fault> {
    let length = r.u8()?;
    let prefix = Ipv6Addr::from(r.array::<16>()?);
    if length > 128 {
        return Err(Fault::Value);
    }
    Ok((prefix, length))
}

impl Ie for Paa {
    const TYPE: u8 = ie_type::PAA;
    type Value = Self;

    fn decode(r: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(match PdnType::from_bits(r.u8()?)? {
            PdnType::V4 => Self::V4(r.array::<4>()?.into()),
            PdnType::V6 => {
                let (prefix, length) = prefix(r)?;
                Self::V6 { prefix, length }
            }
            PdnType::V4V6 => {
                let (prefix, length) = prefix(r)?;
                let v4 = r.array::<4>()?.into();
                Self::V4V6 { v4, prefix, length }
            }
            PdnType::NonIp => Self::NonIp,
            PdnType::Ethernet => Self::Ethernet,
        })
    }

    fn encode(value: &Self, out: &mut Vec<u8>) {
        out.push(value.pdn_type().bits());
        match *value {
            Self::V4(v4) => out.extend(v4.octets()),
            Self::V6 { prefix, length } => {
                out.push(length);
                out.extend(prefix.octets());
            }
            Self::V4V6 { v4, prefix, length } => {
                out.push(length);
                out.extend(prefix.octets());
                out.extend(v4.octets());
            }
            Self::NonIp | Self::Ethernet => {}
        }
    }
}
