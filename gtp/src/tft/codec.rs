//! Octets and values.

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::{
    Component, Direction, OCTETS_MAX, Operation, PacketFilter, Parameter, Tft, TftFault,
    TftFaultKind,
};
use crate::octets::{Reader, Short};

const AUTHORIZATION_TOKEN: u8 = 1;
const FLOW_IDENTIFIER: u8 = 2;
const PACKET_FILTER_IDENTIFIER: u8 = 3;

const E_BIT: u8 = 0x10;

const fn operation_fault(why: &'static str) -> TftFault {
    TftFault::new(TftFaultKind::SyntacticOperation, why)
}

const fn filter_fault(why: &'static str) -> TftFault {
    TftFault::new(TftFaultKind::SyntacticFilter, why)
}

impl Tft {
    /// Takes the value apart: everything after the information element's length.
    ///
    /// # Errors
    ///
    /// Whatever the octets alone show to be wrong: counts and lengths that disagree with the
    /// octets, reserved values, components that a filter may not have together. Whether the
    /// operation fits the bearer is asked by [`Tft::apply`].
    pub fn decode(octets: &[u8]) -> Result<Self, TftFault> {
        let short = |_: Short| operation_fault("fewer octets than the element says");
        if octets.len() > OCTETS_MAX {
            return Err(operation_fault("more octets than the element can have"));
        }
        let mut r = Reader::new(octets);
        let first = r.u8().map_err(short)?;
        let count = first & 15;
        let operation = match first >> 5 {
            // What follows says nothing then (TS 24.008 Table 10.5.162).
            0 if first == 0 => return Ok(Self::new(Operation::Ignore)),
            1 => Operation::CreateNew(filters(&mut r, count)?),
            2 if count == 0 => Operation::DeleteExisting,
            3 => Operation::Add(filters(&mut r, count)?),
            4 => Operation::Replace(filters(&mut r, count)?),
            5 => Operation::Delete(identifiers(r.take(count.into()).map_err(short)?)),
            6 if count == 0 => Operation::None,
            2 | 6 => return Err(operation_fault("filters in an operation that has none")),
            _ => return Err(operation_fault("a reserved operation code")),
        };
        let takes_filters = matches!(first >> 5, 1 | 3 | 4 | 5);
        if takes_filters && count == 0 {
            return Err(operation_fault(
                "no filters in an operation that needs some",
            ));
        }
        let parameters = if first & E_BIT == 0 {
            Vec::new()
        } else {
            parameters(&mut r)?
        };
        if matches!(operation, Operation::None) && parameters.is_empty() {
            return Err(operation_fault("no operation and no parameters"));
        }
        if !r.is_empty() {
            return Err(operation_fault("octets after the last filter"));
        }
        Ok(Self {
            operation,
            parameters,
        })
    }

    /// Writes the value. What does not fit the fields is cut off: filters after the fifteenth, and
    /// octets of a filter or parameter after the 255th.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = alloc::vec![0];
        let count = match &self.operation {
            Operation::Delete(identifiers) => {
                let kept = identifiers.iter().take(super::FILTERS_MAX);
                out.extend(kept.map(|i| i & 15));
                identifiers.len()
            }
            other => {
                for filter in other.filters().iter().take(super::FILTERS_MAX) {
                    filter.encode(&mut out);
                }
                other.filters().len()
            }
        };
        let count = u8::try_from(count.min(super::FILTERS_MAX)).unwrap_or(15);
        let mut first = self.operation.code() << 5 | count;
        if !self.parameters.is_empty() {
            first |= E_BIT;
        }
        for parameter in &self.parameters {
            parameter.encode(&mut out);
        }
        if let Some(octet) = out.first_mut() {
            *octet = first;
        }
        out
    }
}

fn identifiers(octets: &[u8]) -> Vec<u8> {
    octets.iter().map(|o| o & 15).collect()
}

fn filters(r: &mut Reader<'_>, count: u8) -> Result<Vec<PacketFilter>, TftFault> {
    (0..count).map(|_| PacketFilter::decode(r)).collect()
}

fn parameters(r: &mut Reader<'_>) -> Result<Vec<Parameter>, TftFault> {
    let short = |_: Short| operation_fault("a parameter runs over the end");
    let mut list = Vec::new();
    let mut token_is_bare = false;
    while !r.is_empty() {
        let [identifier, length] = r.array().map_err(short)?;
        let contents = r.take(length.into()).map_err(short)?;
        match identifier {
            AUTHORIZATION_TOKEN => {
                if token_is_bare {
                    // TS 24.008 Table 10.5.162, parameters list.
                    let why = "an authorization token without flow identifiers";
                    return Err(TftFault::new(TftFaultKind::SemanticOperation, why));
                }
                token_is_bare = true;
                list.push(Parameter::AuthorizationToken(contents.into()));
            }
            FLOW_IDENTIFIER => {
                token_is_bare = false;
                let mut fields = Reader::new(contents);
                list.push(Parameter::FlowIdentifier {
                    component: fields.u16().map_err(short)?,
                    flow: fields.u16().map_err(short)?,
                });
            }
            PACKET_FILTER_IDENTIFIER => {
                list.push(Parameter::PacketFilterIdentifiers(identifiers(contents)));
            }
            // What is not known is discarded.
            _ => {}
        }
    }
    Ok(list)
}

impl Parameter {
    fn encode(&self, out: &mut Vec<u8>) {
        let (identifier, contents): (u8, Vec<u8>) = match self {
            Self::AuthorizationToken(token) => (AUTHORIZATION_TOKEN, token.clone()),
            Self::FlowIdentifier { component, flow } => {
                let fields = [component.to_be_bytes(), flow.to_be_bytes()];
                (FLOW_IDENTIFIER, fields.concat())
            }
            Self::PacketFilterIdentifiers(list) => (PACKET_FILTER_IDENTIFIER, identifiers(list)),
        };
        let length = u8::try_from(contents.len()).unwrap_or(u8::MAX);
        out.extend([identifier, length]);
        out.extend(contents.iter().take(length.into()));
    }
}

impl PacketFilter {
    fn decode(r: &mut Reader<'_>) -> Result<Self, TftFault> {
        // The count in the first octet and the filters that follow disagree.
        let short = |_: Short| operation_fault("fewer filters than the element says");
        let [head, precedence, length] = r.array().map_err(short)?;
        let contents = r.take(length.into()).map_err(short)?;
        let direction = match head >> 4 & 3 {
            0 => Direction::Unspecified,
            1 => Direction::Downlink,
            2 => Direction::Uplink,
            _ => Direction::Bidirectional,
        };
        let mut fields = Reader::new(contents);
        let mut components = Vec::new();
        while !fields.is_empty() {
            let component = Component::decode(&mut fields)?;
            if components.iter().any(|c| excludes(c, &component)) {
                return Err(filter_fault(
                    "components that one filter cannot have together",
                ));
            }
            components.push(component);
        }
        if components.is_empty() {
            return Err(filter_fault("a filter without components"));
        }
        Ok(Self {
            identifier: head & 15,
            direction,
            precedence,
            components,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let direction = match self.direction {
            Direction::Unspecified => 0,
            Direction::Downlink => 1,
            Direction::Uplink => 2,
            Direction::Bidirectional => 3,
        };
        let mut contents = Vec::new();
        for component in &self.components {
            component.encode(&mut contents);
        }
        let length = u8::try_from(contents.len()).unwrap_or(u8::MAX);
        out.extend([
            direction << 4 | self.identifier & 15,
            self.precedence,
            length,
        ]);
        out.extend(contents.iter().take(length.into()));
    }
}

/// Whether a filter may have one of the two only (TS 24.008 Table 10.5.162).
fn excludes(a: &Component, b: &Component) -> bool {
    let group = |c: &Component| match c.kind() {
        // The remote address has one form.
        0x10 | 0x20 | 0x21 => 1,
        // The local address too, and so has each port.
        0x11 | 0x23 => 2,
        0x40 | 0x41 => 3,
        0x50 | 0x51 => 4,
        other => other,
    };
    group(a) == group(b)
}

impl Component {
    fn decode(r: &mut Reader<'_>) -> Result<Self, TftFault> {
        let kind = r.u8().map_err(|_| filter_fault("a filter ends early"))?;
        Self::value(kind, r).map_err(|_| filter_fault("a component runs over its filter"))?
    }

    fn value(kind: u8, r: &mut Reader<'_>) -> Result<Result<Self, TftFault>, Short> {
        let prefix_length = |length: u8| {
            let fault = filter_fault("a prefix length of more than 128");
            (length <= 128).then_some(length).ok_or(fault)
        };
        Ok(Ok(match kind {
            0x10 => Self::Ipv4Remote {
                address: ipv4(r)?,
                mask: ipv4(r)?,
            },
            0x11 => Self::Ipv4Local {
                address: ipv4(r)?,
                mask: ipv4(r)?,
            },
            0x20 => Self::Ipv6Remote {
                address: ipv6(r)?,
                mask: ipv6(r)?,
            },
            0x21 | 0x23 => {
                let address = ipv6(r)?;
                match (kind, prefix_length(r.u8()?)) {
                    (_, Err(fault)) => return Ok(Err(fault)),
                    (0x21, Ok(length)) => Self::Ipv6RemotePrefix { address, length },
                    (_, Ok(length)) => Self::Ipv6LocalPrefix { address, length },
                }
            }
            0x30 => Self::Protocol(r.u8()?),
            0x40 => Self::LocalPort(r.u16()?),
            0x41 => Self::LocalPortRange {
                low: r.u16()?,
                high: r.u16()?,
            },
            0x50 => Self::RemotePort(r.u16()?),
            0x51 => Self::RemotePortRange {
                low: r.u16()?,
                high: r.u16()?,
            },
            0x60 => Self::SecurityParameterIndex(r.u32()?),
            0x70 => Self::TypeOfService {
                value: r.u8()?,
                mask: r.u8()?,
            },
            0x80 => {
                let [a, b, c] = r.array()?;
                // The four bits above the label are spare.
                Self::FlowLabel(u32::from_be_bytes([0, a & 15, b, c]))
            }
            _ => return Ok(Err(filter_fault("a reserved component type"))),
        }))
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.kind());
        match self {
            Self::Ipv4Remote { address, mask } | Self::Ipv4Local { address, mask } => {
                out.extend(address.octets());
                out.extend(mask.octets());
            }
            Self::Ipv6Remote { address, mask } => {
                out.extend(address.octets());
                out.extend(mask.octets());
            }
            Self::Ipv6RemotePrefix { address, length }
            | Self::Ipv6LocalPrefix { address, length } => {
                out.extend(address.octets());
                out.push(*length);
            }
            Self::Protocol(protocol) => out.push(*protocol),
            Self::LocalPort(port) | Self::RemotePort(port) => out.extend(port.to_be_bytes()),
            Self::LocalPortRange { low, high } | Self::RemotePortRange { low, high } => {
                out.extend(low.to_be_bytes());
                out.extend(high.to_be_bytes());
            }
            Self::SecurityParameterIndex(index) => out.extend(index.to_be_bytes()),
            Self::TypeOfService { value, mask } => out.extend([*value, *mask]),
            Self::FlowLabel(label) => {
                let [_, a, b, c] = label.to_be_bytes();
                out.extend([a & 15, b, c]);
            }
        }
    }
}

fn ipv4(r: &mut Reader<'_>) -> Result<Ipv4Addr, Short> {
    r.array::<4>().map(Ipv4Addr::from)
}

fn ipv6(r: &mut Reader<'_>) -> Result<Ipv6Addr, Short> {
    r.array::<16>().map(Ipv6Addr::from)
}
