//! Protocol configuration options, TS 24.008 §10.5.6.3: what a UE asks of its PGW and gets told,
//! passed through by everyone between.
//!
//! ```text
//!  octet 1           then, for each item
//!  1 0000 protocol   identifier (2), length (1), contents
//! ```
//!
//! The extended form (§10.5.6.3A) is the same with room for more, and with a length of two octets
//! in one item. [`Pco::request`] is what a UE sends to learn its name servers and its MTU,
//! [`Pco::answer`] what a PGW makes of a request, and [`Pco::dns_v4`], [`Pco::dns_v6`] and
//! [`Pco::ipv4_link_mtu`] read the answer. [`Pco::credentials`] finds the name and the password, or
//! the response to a challenge, that a UE sends along.
//!
//! What a UE sends here comes from a stranger: what cannot be read is left out and never sent back.

use alloc::vec::Vec;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use crate::error::{DecodeError, What};
use crate::octets::Reader;

mod answer;
mod ppp;

pub use answer::{Offer, Verdict};
pub use ppp::Credentials;

use ppp::Ipcp;

/// Identifier: IPCP (RFC 1332), a PPP packet with the name servers among its options (RFC 1877).
pub const IPCP: u16 = 0x8021;
/// Identifier: PAP (RFC 1334).
pub const PAP: u16 = 0xc023;
/// Identifier: CHAP (RFC 1994).
pub const CHAP: u16 = 0xc223;
/// Identifier: IPv6 address of a P-CSCF; empty in a request.
pub const P_CSCF_IPV6: u16 = 0x0001;
/// Identifier: IPv6 name server; empty in a request, one address in each item of an answer.
pub const DNS_SERVER_IPV6: u16 = 0x0003;
/// Identifier: the UE takes bearers that the network asks for; the mode that was chosen in an
/// answer.
pub const BEARER_CONTROL_MODE: u16 = 0x0005;
/// Identifier: the IPv4 address comes by NAS signalling; empty, from the UE.
pub const ADDRESS_BY_NAS: u16 = 0x000a;
/// Identifier: IPv4 address of a P-CSCF; empty in a request.
pub const P_CSCF_IPV4: u16 = 0x000c;
/// Identifier: IPv4 name server; empty in a request, one address in each item of an answer.
pub const DNS_SERVER_IPV4: u16 = 0x000d;
/// Identifier: IPv4 link MTU; empty in a request, two octets in an answer.
pub const IPV4_LINK_MTU: u16 = 0x0010;

/// Identifier: the service-level authentication container of the extended form.
const SERVICE_LEVEL_AA: u16 = 0x0041;

/// The most that the value of the element has in its short form, octets: 253 with type and length.
pub const SHORT_MAX: usize = 251;

/// Which of the two forms the options are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// PCO, and APCO between networks.
    #[default]
    Short,
    /// Extended PCO.
    Extended,
}

impl Form {
    /// Whether the length of an item from a UE is two octets (TS 24.008 §10.5.6.3A). A network
    /// has some more of them, all for 5G.
    const fn is_long(self, id: u16) -> bool {
        matches!(self, Self::Extended) && id == SERVICE_LEVEL_AA
    }
}

/// One item: a PPP packet or a container.
#[derive(Clone, PartialEq, Eq)]
pub struct PcoItem {
    /// What the contents are: one of the constants of this module, or another.
    pub id: u16,
    /// The contents, at most 255 octets.
    pub contents: Vec<u8>,
}

impl fmt::Debug for PcoItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // PAP has a password in it.
        if self.id == PAP {
            return write!(f, "PAP, {} octets", self.contents.len());
        }
        f.debug_struct("PcoItem")
            .field("id", &self.id)
            .field("contents", &self.contents)
            .finish()
    }
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

/// Items that are read of one value; a UE sends about ten.
const ITEMS_MAX: usize = 64;

impl Pco {
    /// Takes the value apart: everything after the information element's length. An item that runs
    /// over the end is left out, with all that follows it: nobody knows where the next one begins.
    ///
    /// # Errors
    ///
    /// When the first octet is missing or not that of this element.
    pub fn decode(octets: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_as(Form::Short, octets)
    }

    /// As [`decode`](Self::decode), for either form.
    pub fn decode_as(form: Form, octets: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(octets);
        let first = reader.u8();
        let first = first.map_err(|_| DecodeError::new(0, What::Truncated))?;
        // Spare bits are not looked at, and every configuration protocol counts as PPP.
        if first & CONFIGURATION_PROTOCOL == 0 {
            return Err(DecodeError::new(0, What::Value));
        }
        let mut protocols = Vec::new();
        while let Some(item) = item(form, &mut reader)
            && protocols.len() < ITEMS_MAX
        {
            protocols.push(item);
        }
        Ok(Self { protocols })
    }

    /// Writes the value. Contents beyond 255 octets are cut off.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_as(Form::Short)
    }

    /// As [`encode`](Self::encode), for either form. In the extended form an item with a length
    /// of two octets may have up to 65,535 octets.
    pub fn encode_as(&self, form: Form) -> Vec<u8> {
        let mut out = alloc::vec![CONFIGURATION_PROTOCOL];
        for PcoItem { id, contents } in &self.protocols {
            out.extend(id.to_be_bytes());
            let taken = if form.is_long(*id) {
                let length = u16::try_from(contents.len()).unwrap_or(u16::MAX);
                out.extend(length.to_be_bytes());
                usize::from(length)
            } else {
                let length = u8::try_from(contents.len()).unwrap_or(u8::MAX);
                out.push(length);
                usize::from(length)
            };
            out.extend(contents.iter().take(taken));
        }
        out
    }

    /// What a UE asks for: IPv4 name servers both ways, an address by NAS and the MTU of its link.
    /// `identifier` numbers the IPCP packet.
    pub fn request(identifier: u8) -> Self {
        Self {
            protocols: alloc::vec![
                PcoItem::new(IPCP, &Ipcp::request(identifier).encode()),
                PcoItem::new(DNS_SERVER_IPV4, &[]),
                PcoItem::new(ADDRESS_BY_NAS, &[]),
                PcoItem::new(IPV4_LINK_MTU, &[]),
            ],
        }
    }

    /// [`request`](Self::request), of a UE that wants an IPv6 address too.
    pub fn request_dual(identifier: u8) -> Self {
        let mut request = Self::request(identifier);
        request.protocols.push(PcoItem::new(DNS_SERVER_IPV6, &[]));
        request
    }

    fn of(&self, id: u16) -> impl Iterator<Item = &PcoItem> {
        self.protocols.iter().filter(move |p| p.id == id)
    }

    fn addresses<const N: usize>(&self, id: u16) -> impl Iterator<Item = [u8; N]> {
        self.of(id)
            .filter_map(|p| <[u8; N]>::try_from(p.contents.as_slice()).ok())
    }

    /// The IPv4 name servers in an answer, without repetition: those of the containers first.
    pub fn dns_v4(&self) -> Vec<Ipv4Addr> {
        let containers = self.addresses::<4>(DNS_SERVER_IPV4);
        let ipcp = self
            .of(IPCP)
            .filter_map(|p| Ipcp::decode(&p.contents))
            .flat_map(Ipcp::name_servers);
        let mut servers = Vec::new();
        for address in containers.chain(ipcp).map(Ipv4Addr::from) {
            if !address.is_unspecified() && !servers.contains(&address) {
                servers.push(address);
            }
        }
        servers
    }

    /// The IPv6 name servers in an answer, without repetition.
    pub fn dns_v6(&self) -> Vec<Ipv6Addr> {
        let mut servers = Vec::new();
        for address in self.addresses::<16>(DNS_SERVER_IPV6).map(Ipv6Addr::from) {
            if !address.is_unspecified() && !servers.contains(&address) {
                servers.push(address);
            }
        }
        servers
    }

    /// The MTU of the UE's link in an answer, octets.
    pub fn ipv4_link_mtu(&self) -> Option<u16> {
        let item = self.of(IPV4_LINK_MTU).next()?;
        let octets = <[u8; 2]>::try_from(item.contents.as_slice()).ok()?;
        Some(u16::from_be_bytes(octets))
    }
}

fn item(form: Form, reader: &mut Reader<'_>) -> Option<PcoItem> {
    let id = reader.u16().ok()?;
    let length = if form.is_long(id) {
        usize::from(reader.u16().ok()?)
    } else {
        usize::from(reader.u8().ok()?)
    };
    Some(PcoItem::new(id, reader.take(length).ok()?))
}

#[cfg(test)]
mod tests;
