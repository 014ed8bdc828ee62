//! Protocol configuration options, TS 24.008 §10.5.6.3: what a UE asks of its PGW and gets told,
//! passed through by everyone between.
//!
//! ```text
//!  octet 1           then, for each item
//!  1 0000 protocol   identifier (2), length (1), contents
//! ```
//!
//! [`Pco::request`] is what a UE sends to learn its name servers and its MTU, [`Pco::answer`] what
//! a PGW makes of it, and [`Pco::dns_v4`] and [`Pco::ipv4_link_mtu`] read the answer.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use crate::error::{DecodeError, What};
use crate::octets::Reader;

/// Identifier: IPCP (RFC 1332), a PPP packet with the name servers among its options (RFC 1877).
pub const IPCP: u16 = 0x8021;
/// Identifier: PAP (RFC 1334).
pub const PAP: u16 = 0xc023;
/// Identifier: CHAP (RFC 1994).
pub const CHAP: u16 = 0xc223;
/// Identifier: the IPv4 address comes by NAS signalling; empty, from the UE.
pub const ADDRESS_BY_NAS: u16 = 0x000a;
/// Identifier: IPv4 name server; empty in a request, one address in each item of an answer.
pub const DNS_SERVER_IPV4: u16 = 0x000d;
/// Identifier: IPv4 link MTU; empty in a request, two octets in an answer.
pub const IPV4_LINK_MTU: u16 = 0x0010;

/// One item: a PPP packet or a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PcoItem {
    /// What the contents are: one of the constants of this module, or another.
    pub id: u16,
    /// The contents, at most 255 octets.
    pub contents: Vec<u8>,
}

impl PcoItem {
    /// An item.
    pub fn new(id: u16, contents: &[u8]) -> Self {
        Self {
            id,
            contents: contents.into(),
        }
    }
}

/// Protocol configuration options without type and length, as GTP and NAS carry them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pco {
    /// The items, in order.
    pub protocols: Vec<PcoItem>,
}

/// PPP for use with an IP PDN type, and the extension bit.
const CONFIGURATION_PROTOCOL: u8 = 0x80;

impl Pco {
    /// Takes the value apart: everything after the information element's length.
    ///
    /// # Errors
    ///
    /// When an item runs over the end, or the first octet is not that of this element.
    pub fn decode(octets: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(octets);
        let truncated = |at| move |_| DecodeError::new(at, What::Truncated);
        let first = reader.u8().map_err(truncated(0))?;
        // The spare bits are not looked at, and 000 is the only protocol there is.
        if first & 0x80 == 0 || first & 7 != 0 {
            return Err(DecodeError::new(0, What::Value));
        }
        let mut protocols = Vec::new();
        while !reader.is_empty() {
            let at = reader.at();
            let id = reader.u16().map_err(truncated(at))?;
            let length = reader.u8().map_err(truncated(at))?;
            let contents = reader.take(length.into()).map_err(truncated(at))?;
            protocols.push(PcoItem::new(id, contents));
        }
        Ok(Self { protocols })
    }

    /// Writes the value. Contents beyond 255 octets are cut off.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = alloc::vec![CONFIGURATION_PROTOCOL];
        for PcoItem { id, contents } in &self.protocols {
            let length = u8::try_from(contents.len()).unwrap_or(u8::MAX);
            out.extend(id.to_be_bytes());
            out.push(length);
            out.extend(contents.iter().take(length.into()));
        }
        out
    }

    /// What a UE asks for: name servers both ways, an address by NAS and the MTU of its link.
    /// `identifier` numbers the IPCP packet.
    pub fn request(identifier: u8) -> Self {
        let unset = [0; 4];
        let options = [(PRIMARY_DNS, unset), (SECONDARY_DNS, unset)];
        let packet = IpcpPacket {
            code: CONFIGURE_REQUEST,
            identifier,
            options: options.into(),
        };
        Self {
            protocols: alloc::vec![
                PcoItem::new(IPCP, &packet.encode()),
                PcoItem::new(DNS_SERVER_IPV4, &[]),
                PcoItem::new(ADDRESS_BY_NAS, &[]),
                PcoItem::new(IPV4_LINK_MTU, &[]),
            ],
        }
    }

    /// What a PGW answers to this request: to everything that it asks for and the PGW has. What
    /// the PGW does not know stays unanswered. `None` when nothing is left to say.
    pub fn answer(&self, dns: &[Ipv4Addr], mtu: Option<u16>) -> Option<Self> {
        let mut protocols = Vec::new();
        for item in &self.protocols {
            match item.id {
                IPCP => {
                    let answer = IpcpPacket::decode(&item.contents).and_then(|p| p.answer(dns));
                    protocols.extend(answer.map(|p| PcoItem::new(IPCP, &p.encode())));
                }
                DNS_SERVER_IPV4 if !protocols.iter().any(|p: &PcoItem| p.id == item.id) => {
                    let servers = dns.iter().take(DNS_SERVERS_MAX);
                    protocols.extend(servers.map(|a| PcoItem::new(item.id, &a.octets())));
                }
                IPV4_LINK_MTU if !protocols.iter().any(|p: &PcoItem| p.id == item.id) => {
                    protocols.extend(mtu.map(|m| PcoItem::new(item.id, &m.to_be_bytes())));
                }
                _ => {}
            }
        }
        (!protocols.is_empty()).then_some(Self { protocols })
    }

    /// The name servers in an answer, without repetition: those of the containers first.
    pub fn dns_v4(&self) -> Vec<Ipv4Addr> {
        let of = |id| self.protocols.iter().filter(move |p| p.id == id);
        let containers =
            of(DNS_SERVER_IPV4).filter_map(|p| <[u8; 4]>::try_from(p.contents.as_slice()).ok());
        let ipcp = of(IPCP)
            .filter_map(|p| IpcpPacket::decode(&p.contents))
            .filter(|p| matches!(p.code, CONFIGURE_ACK | CONFIGURE_NAK))
            .flat_map(|p| p.options)
            .filter(|(kind, _)| matches!(*kind, PRIMARY_DNS | SECONDARY_DNS))
            .map(|(_, address)| address);
        let mut servers = Vec::new();
        for address in containers.chain(ipcp).map(Ipv4Addr::from) {
            if !address.is_unspecified() && !servers.contains(&address) {
                servers.push(address);
            }
        }
        servers
    }

    /// The MTU of the UE's link in an answer, octets.
    pub fn ipv4_link_mtu(&self) -> Option<u16> {
        let item = self.protocols.iter().find(|p| p.id == IPV4_LINK_MTU)?;
        let octets = <[u8; 2]>::try_from(item.contents.as_slice()).ok()?;
        Some(u16::from_be_bytes(octets))
    }
}

const DNS_SERVERS_MAX: usize = 4;

const CONFIGURE_REQUEST: u8 = 1;
const CONFIGURE_ACK: u8 = 2;
const CONFIGURE_NAK: u8 = 3;
const CONFIGURE_REJECT: u8 = 4;
const PRIMARY_DNS: u8 = 129;
const SECONDARY_DNS: u8 = 131;

/// An IPCP configuration packet whose options are all addresses (RFC 1332 §3, RFC 1877 §1).
///
/// ```text
///  code  identifier  length (2)  then, for each option: type, length 6, address
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
struct IpcpPacket {
    code: u8,
    identifier: u8,
    options: Vec<(u8, [u8; 4])>,
}

impl IpcpPacket {
    /// `None` for a packet that is not one, or has options of another form.
    fn decode(octets: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(octets);
        let [code, identifier] = reader.array().ok()?;
        let length = usize::from(reader.u16().ok()?);
        let mut reader = Reader::new(reader.take(length.checked_sub(4)?).ok()?);
        let mut options = Vec::new();
        while !reader.is_empty() {
            let [kind, length] = reader.array().ok()?;
            if length != 6 {
                return None;
            }
            options.push((kind, reader.array().ok()?));
        }
        Some(Self {
            code,
            identifier,
            options,
        })
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = alloc::vec![self.code, self.identifier, 0, 0];
        for (kind, address) in &self.options {
            out.extend([*kind, 6]);
            out.extend(address);
        }
        crate::octets::patch_length(&mut out, 2, 0);
        out
    }

    /// The answer to a Configure-Request: Reject what is not a name server or is one that there is
    /// not, or else Nak with what the options should be, or else Ack (RFC 1661 §5.2 to §5.4).
    fn answer(&self, dns: &[Ipv4Addr]) -> Option<Self> {
        if self.code != CONFIGURE_REQUEST {
            return None;
        }
        let wanted = |kind| match kind {
            PRIMARY_DNS => dns.first(),
            SECONDARY_DNS => dns.get(1),
            _ => None,
        };
        let (mut rejected, mut corrected) = (Vec::new(), Vec::new());
        for (kind, value) in &self.options {
            match wanted(*kind).map(Ipv4Addr::octets) {
                None => rejected.push((*kind, *value)),
                Some(address) if address != *value => corrected.push((*kind, address)),
                Some(_) => {}
            }
        }
        // In PCO there is one round only, so what the UE can use goes before what it cannot have.
        let (code, options) = if !corrected.is_empty() {
            (CONFIGURE_NAK, corrected)
        } else if !rejected.is_empty() {
            (CONFIGURE_REJECT, rejected)
        } else {
            (CONFIGURE_ACK, self.options.clone())
        };
        Some(Self {
            code,
            identifier: self.identifier,
            options,
        })
    }
}

#[cfg(test)]
mod tests;
