//! Fully Qualified PDN Connection Set Identifier, TS 29.274 §8.62.

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::{Fault, Ie, ie_type};
use crate::octets::Reader;

/// The node that has numbered a set of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CsidNode {
    /// By an IPv4 address.
    V4(Ipv4Addr),
    /// By an IPv6 address.
    V6(Ipv6Addr),
    /// By operator (upper 20 bits) and a number of it (lower 12 bits).
    Number(u32),
}

/// Sets of PDN connections that go down together when a part of their node does (TS 23.007 §18).
///
/// ```text
///  octet 5                   then
///  node type (4), count (4)  node (4 or 16 octets), identifiers of two octets
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FqCsid {
    /// Whose sets.
    pub node: CsidNode,
    /// Which; one, but in a Delete PDN Connection Set Request, and at most fifteen.
    pub sets: Vec<u16>,
}

const COUNT_MAX: usize = 15;

impl Ie for FqCsid {
    const TYPE: u8 = ie_type::FQ_CSID;
    type Value = Self;

    fn decode(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let first = r.u8()?;
        let node = match first >> 4 {
            0 => CsidNode::V4(r.array::<4>()?.into()),
            1 => CsidNode::V6(r.array::<16>()?.into()),
            2 => CsidNode::Number(r.u32()?),
            _ => return Err(Fault::Value),
        };
        let sets = (0..first & 15).map(|_| r.u16());
        let sets = sets.collect::<Result<Vec<u16>, _>>()?;
        if sets.is_empty() {
            return Err(Fault::Value);
        }
        Ok(Self { node, sets })
    }

    fn encode(value: &Self, out: &mut Vec<u8>) {
        let count = u8::try_from(value.sets.len().min(COUNT_MAX)).unwrap_or(0);
        match value.node {
            CsidNode::V4(a) => {
                out.push(count);
                out.extend(a.octets());
            }
            CsidNode::V6(a) => {
                out.push(1 << 4 | count);
                out.extend(a.octets());
            }
            CsidNode::Number(n) => {
                out.push(2 << 4 | count);
                out.extend(n.to_be_bytes());
            }
        }
        for set in value.sets.iter().take(count.into()) {
            out.extend(set.to_be_bytes());
        }
    }
}
