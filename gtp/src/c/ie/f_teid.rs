//! Fully Qualified TEID, TS 29.274 §8.22.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use heiiki_types::Teid;

use super::{Fault, Ie, ie_type};
use crate::octets::Reader;

/// Interface type of an F-TEID, TS 29.274 §8.22: which interface the tunnel end is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interface(pub u8);

impl Interface {
    /// S1-U, eNodeB, GTP-U.
    pub const S1U_ENB: Self = Self(0);
    /// S1-U, SGW, GTP-U.
    pub const S1U_SGW: Self = Self(1);
    /// S5/S8, SGW, GTP-U.
    pub const S5S8_SGW_GTPU: Self = Self(4);
    /// S5/S8, PGW, GTP-U.
    pub const S5S8_PGW_GTPU: Self = Self(5);
    /// S5/S8, SGW, GTP-C.
    pub const S5S8_SGW_GTPC: Self = Self(6);
    /// S5/S8, PGW, GTP-C.
    pub const S5S8_PGW_GTPC: Self = Self(7);
    /// S11, MME, GTP-C.
    pub const S11_MME_GTPC: Self = Self(10);
    /// S11 or S4, SGW, GTP-C.
    pub const S11_SGW_GTPC: Self = Self(11);
}

/// The addresses of an F-TEID: at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FTeidAddr {
    /// IPv4 alone.
    V4(Ipv4Addr),
    /// IPv6 alone.
    V6(Ipv6Addr),
    /// Both, sharing the TEID.
    V4V6(Ipv4Addr, Ipv6Addr),
}

impl FTeidAddr {
    /// The address to use: IPv4 when there is one.
    pub const fn ip(self) -> IpAddr {
        match self {
            Self::V4(a) | Self::V4V6(a, _) => IpAddr::V4(a),
            Self::V6(a) => IpAddr::V6(a),
        }
    }

    fn decode(flags: u8, r: &mut Reader<'_>) -> Result<Self, Fault> {
        let v4 = if flags & 0x80 == 0 {
            None
        } else {
            Some(Ipv4Addr::from(r.array::<4>()?))
        };
        let v6 = if flags & 0x40 == 0 {
            None
        } else {
            Some(Ipv6Addr::from(r.array::<16>()?))
        };
        match (v4, v6) {
            (Some(a), None) => Ok(Self::V4(a)),
            (None, Some(b)) => Ok(Self::V6(b)),
            (Some(a), Some(b)) => Ok(Self::V4V6(a, b)),
            (None, None) => Err(Fault::Value),
        }
    }

    const fn flags(self) -> u8 {
        match self {
            Self::V4(_) => 0x80,
            Self::V6(_) => 0x40,
            Self::V4V6(..) => 0xc0,
        }
    }

    fn encode(self, out: &mut Vec<u8>) {
        if let Self::V4(a) | Self::V4V6(a, _) = self {
            out.extend(a.octets());
        }
        if let Self::V6(b) | Self::V4V6(_, b) = self {
            out.extend(b.octets());
        }
    }
}

impl From<IpAddr> for FTeidAddr {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(a) => Self::V4(a),
            IpAddr::V6(a) => Self::V6(a),
        }
    }
}

/// A tunnel end: interface, TEID and address.
///
/// ```text
///  octet 5              6-9    then
///  V4 V6 interface      TEID   IPv4 if V4, IPv6 if V6
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FTeid {
    /// Which interface the end is on.
    pub interface: Interface,
    /// The TEID that the owner of the end wants to see.
    pub teid: Teid,
    /// Where to send.
    pub address: FTeidAddr,
}

impl FTeid {
    /// The tunnel end with one address.
    pub fn new(interface: Interface, teid: Teid, address: IpAddr) -> Self {
        Self {
            interface,
            teid,
            address: address.into(),
        }
    }
}

fn decode(r: &mut Reader<'_>) -> Result<PgwAddress, Fault> {
    let flags = r.u8()?;
    let teid = Teid::new(r.u32()?);
    Ok(PgwAddress {
        interface: Interface(flags & 0x3f),
        teid,
        address: FTeidAddr::decode(flags, r)?,
    })
}

fn encode(interface: Interface, teid: u32, address: FTeidAddr, out: &mut Vec<u8>) {
    out.push(address.flags() | interface.0 & 0x3f);
    out.extend(teid.to_be_bytes());
    address.encode(out);
}

impl Ie for FTeid {
    const TYPE: u8 = ie_type::F_TEID;
    type Value = Self;

    fn decode(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let end = decode(r)?;
        Ok(Self {
            interface: end.interface,
            teid: end.teid.ok_or(Fault::Value)?,
            address: end.address,
        })
    }

    fn encode(value: &Self, out: &mut Vec<u8>) {
        encode(value.interface, value.teid.get(), value.address, out);
    }
}

/// The PGW that an MME chose, as it stands in a Create Session Request on S11: an F-TEID whose
/// TEID is zero until the PGW has given one (TS 29.274 Table 7.2.1-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PgwAddress {
    /// The interface type, normally that of a PGW's control plane on S5/S8.
    pub interface: Interface,
    /// The TEID of the PDN connection at the PGW, once there is one.
    pub teid: Option<Teid>,
    /// Where the PGW is.
    pub address: FTeidAddr,
}

impl Ie for PgwAddress {
    const TYPE: u8 = ie_type::F_TEID;
    type Value = Self;

    fn decode(r: &mut Reader<'_>) -> Result<Self, Fault> {
        decode(r)
    }

    fn encode(value: &Self, out: &mut Vec<u8>) {
        let teid = value.teid.map_or(0, Teid::get);
        encode(value.interface, teid, value.address, out);
    }
}
