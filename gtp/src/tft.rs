//! Traffic flow templates, TS 24.008 §10.5.6.12: which packets a bearer carries.
//!
//! ```text
//!  octet 1                    then
//!  operation (3) E (1) n (4)  n packet filters, or n identifiers, or nothing; with E a parameters list
//!
//!  a packet filter: 00 direction (2) identifier (4), precedence, length, components
//!  a component:     type, value of the length that belongs to the type
//! ```
//!
//! A bearer-level TFT (TS 29.274 §8.19) and a traffic aggregate description (§8.20) are both coded
//! like this. [`Tft::decode`] finds what the octets alone show to be wrong, [`Tft::apply`] what is
//! wrong in the light of the filters that a bearer has already; both say it as a [`TftFault`],
//! whose [`TftFault::cause`] is the one for a GTP peer.
//!
//! *Local* is the UE's side, *remote* the other one, for both directions.

use alloc::vec::Vec;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use crate::c::Cause;

mod apply;
mod codec;
mod text;

#[cfg(test)]
mod tests;

pub use apply::BearerKind;
pub use text::InvalidFilter;

/// Filters that one template can carry, and that one bearer can have.
pub const FILTERS_MAX: usize = 15;

/// Octets of a template without type and length.
pub const OCTETS_MAX: usize = 255;

/// Which way the packets go that a filter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// A filter of a peer that knows no directions (before Release 7): for the downlink.
    Unspecified,
    /// To the UE.
    Downlink,
    /// From the UE.
    Uplink,
    /// Both.
    Bidirectional,
}

impl Direction {
    /// Whether packets from the UE are looked at.
    pub const fn is_uplink(self) -> bool {
        matches!(self, Self::Uplink | Self::Bidirectional)
    }

    /// Whether packets to the UE are looked at.
    pub const fn is_downlink(self) -> bool {
        !matches!(self, Self::Uplink)
    }
}

/// One condition on a packet. A filter takes a packet when all of its conditions hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The remote address under the mask.
    Ipv4Remote {
        /// The address.
        address: Ipv4Addr,
        /// Bits that count.
        mask: Ipv4Addr,
    },
    /// The UE's address under the mask.
    Ipv4Local {
        /// The address.
        address: Ipv4Addr,
        /// Bits that count.
        mask: Ipv4Addr,
    },
    /// The remote address under the mask.
    Ipv6Remote {
        /// The address.
        address: Ipv6Addr,
        /// Bits that count.
        mask: Ipv6Addr,
    },
    /// The first bits of the remote address.
    Ipv6RemotePrefix {
        /// The address.
        address: Ipv6Addr,
        /// Bits that count, 0 to 128.
        length: u8,
    },
    /// The first bits of the UE's address.
    Ipv6LocalPrefix {
        /// The address.
        address: Ipv6Addr,
        /// Bits that count, 0 to 128.
        length: u8,
    },
    /// The IPv4 protocol, or the IPv6 next header that ends the chain of extension headers.
    Protocol(u8),
    /// The UE's port.
    LocalPort(u16),
    /// The UE's port, between two that belong to the range.
    LocalPortRange {
        /// The lowest.
        low: u16,
        /// The highest.
        high: u16,
    },
    /// The remote port.
    RemotePort(u16),
    /// The remote port, between two that belong to the range.
    RemotePortRange {
        /// The lowest.
        low: u16,
        /// The highest.
        high: u16,
    },
    /// The security parameter index of ESP or AH.
    SecurityParameterIndex(u32),
    /// The type of service of IPv4 or the traffic class of IPv6, under the mask.
    TypeOfService {
        /// The octet.
        value: u8,
        /// Bits that count.
        mask: u8,
    },
    /// The flow label of IPv6, 20 bits.
    FlowLabel(u32),
}

impl Component {
    /// The type on the wire.
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Ipv4Remote { .. } => 0x10,
            Self::Ipv4Local { .. } => 0x11,
            Self::Ipv6Remote { .. } => 0x20,
            Self::Ipv6RemotePrefix { .. } => 0x21,
            Self::Ipv6LocalPrefix { .. } => 0x23,
            Self::Protocol(_) => 0x30,
            Self::LocalPort(_) => 0x40,
            Self::LocalPortRange { .. } => 0x41,
            Self::RemotePort(_) => 0x50,
            Self::RemotePortRange { .. } => 0x51,
            Self::SecurityParameterIndex(_) => 0x60,
            Self::TypeOfService { .. } => 0x70,
            Self::FlowLabel(_) => 0x80,
        }
    }
}

/// One packet filter. It can be read from a text; see [`PacketFilter::from_str`].
///
/// [`PacketFilter::from_str`]: core::str::FromStr::from_str
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketFilter {
    /// Its number among the filters of its bearer, 0 to 15.
    pub identifier: u8,
    /// Which way the packets go.
    pub direction: Direction,
    /// When it is looked at among all filters of the session: a lower value comes first.
    pub precedence: u8,
    /// Its conditions, in the order of the wire, at least one.
    pub components: Vec<Component>,
}

/// What is done with the filters of a bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The element says nothing; only from a UE.
    Ignore,
    /// These are the filters of a bearer that has none yet.
    CreateNew(Vec<PacketFilter>),
    /// The bearer has no filters any more.
    DeleteExisting,
    /// These come to those that there are.
    Add(Vec<PacketFilter>),
    /// These take the place of those with the same identifiers.
    Replace(Vec<PacketFilter>),
    /// The filters with these identifiers go.
    Delete(Vec<u8>),
    /// There is a parameters list alone.
    None,
}

impl Operation {
    /// The operation code on the wire, 0 to 7.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Ignore => 0,
            Self::CreateNew(_) => 1,
            Self::DeleteExisting => 2,
            Self::Add(_) => 3,
            Self::Replace(_) => 4,
            Self::Delete(_) => 5,
            Self::None => 6,
        }
    }

    /// The filters that come with it.
    pub fn filters(&self) -> &[PacketFilter] {
        match self {
            Self::CreateNew(filters) | Self::Add(filters) | Self::Replace(filters) => filters,
            Self::Ignore | Self::DeleteExisting | Self::Delete(_) | Self::None => &[],
        }
    }
}

/// One entry of the parameters list. What has another identifier is discarded by the reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// An authorization token; flow identifiers must follow.
    AuthorizationToken(Vec<u8>),
    /// A flow that the token before it is for.
    FlowIdentifier {
        /// Number of the media component.
        component: u16,
        /// Number of the IP flow.
        flow: u16,
    },
    /// Filters that are meant and not changed, by their identifiers.
    PacketFilterIdentifiers(Vec<u8>),
}

/// A traffic flow template without type and length, as GTP and NAS carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tft {
    /// What to do.
    pub operation: Operation,
    /// The parameters list; empty is none.
    pub parameters: Vec<Parameter>,
}

impl Tft {
    /// An operation without parameters.
    pub const fn new(operation: Operation) -> Self {
        Self {
            operation,
            parameters: Vec::new(),
        }
    }
}

/// The four kinds of errors that TS 24.301 §6.4.2.4, §6.4.3.4, §6.5.3.4 and §6.5.4.4 tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TftFaultKind {
    /// The operation makes no sense for this bearer.
    SemanticOperation,
    /// The operation is not coded as it must be.
    SyntacticOperation,
    /// A filter that no packet fits, or filters that leave a direction out that must be there.
    SemanticFilter,
    /// A filter that is not coded as it must be, or clashes with another.
    SyntacticFilter,
}

/// What is wrong with a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TftFault {
    /// The kind, which gives the cause.
    pub kind: TftFaultKind,
    /// What it is, for a log.
    pub why: &'static str,
}

impl TftFault {
    const fn new(kind: TftFaultKind, why: &'static str) -> Self {
        Self { kind, why }
    }

    /// The cause of a GTP response that refuses it, 74 to 77 of TS 29.274 Table 8.4-1.
    pub const fn cause(self) -> Cause {
        match self.kind {
            TftFaultKind::SemanticOperation => Cause::SEMANTIC_ERROR_IN_THE_TFT_OPERATION,
            TftFaultKind::SyntacticOperation => Cause::SYNTACTIC_ERROR_IN_THE_TFT_OPERATION,
            TftFaultKind::SemanticFilter => Cause::SEMANTIC_ERRORS_IN_PACKET_FILTERS,
            TftFaultKind::SyntacticFilter => Cause::SYNTACTIC_ERRORS_IN_PACKET_FILTERS,
        }
    }

    /// The same kind of error in a traffic aggregate description: an operation has causes of its
    /// own there, 97 and 98.
    pub const fn cause_of_aggregate(self) -> Cause {
        match self.kind {
            TftFaultKind::SemanticOperation => Cause::SEMANTIC_ERROR_IN_THE_TAD_OPERATION,
            TftFaultKind::SyntacticOperation => Cause::SYNTACTIC_ERROR_IN_THE_TAD_OPERATION,
            TftFaultKind::SemanticFilter | TftFaultKind::SyntacticFilter => self.cause(),
        }
    }
}

impl fmt::Display for TftFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why)
    }
}

impl core::error::Error for TftFault {}
