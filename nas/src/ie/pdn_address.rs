use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::PdnType;
use crate::octets::Reader;

/// What address a UE gets, TS 24.301 §9.9.4.9. Of IPv6 only the interface identifier: the prefix
/// comes by router advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PdnAddress {
    /// An IPv4 address, 0.0.0.0 when DHCP gives it later.
    V4(Ipv4Addr),
    /// An IPv6 interface identifier.
    V6 {
        /// The low 64 bits of the link-local address.
        interface_id: [u8; 8],
    },
    /// Both.
    V4V6 {
        /// The low 64 bits of the link-local address.
        interface_id: [u8; 8],
        /// The IPv4 address.
        v4: Ipv4Addr,
    },
}

impl PdnAddress {
    /// The IPv4 address, if one is given.
    pub const fn v4(&self) -> Option<Ipv4Addr> {
        match self {
            Self::V4(v4) | Self::V4V6 { v4, .. } => Some(*v4),
            Self::V6 { .. } => None,
        }
    }

    /// The PDN type that goes with it.
    pub const fn pdn_type(&self) -> PdnType {
        match self {
            Self::V4(_) => PdnType::V4,
            Self::V6 { .. } => PdnType::V6,
            Self::V4V6 { .. } => PdnType::V4V6,
        }
    }

    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let mut r = Reader::new(value);
        let address = match PdnType(r.u8().ok()? & 7) {
            PdnType::V4 => Self::V4(r.array::<4>().ok()?.into()),
            PdnType::V6 => Self::V6 {
                interface_id: r.array().ok()?,
            },
            PdnType::V4V6 => Self::V4V6 {
                interface_id: r.array().ok()?,
                v4: r.array::<4>().ok()?.into(),
            },
            _ => return None,
        };
        r.is_empty().then_some(address)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::from([self.pdn_type().0]);
        if let Self::V6 { interface_id } | Self::V4V6 { interface_id, .. } = self {
            out.extend(interface_id);
        }
        if let Some(v4) = self.v4() {
            out.extend(v4.octets());
        }
        out
    }
}
