//! The PPP packets in the options: IPCP, PAP and CHAP (RFC 1332, 1877, 1334, 1994).
//!
//! ```text
//!  code  identifier  length (2)  contents
//! ```

use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv4Addr;

use super::{CHAP, Offer, PAP, Pco, Verdict};
use crate::octets::{Reader, patch_length};

pub(super) const CONFIGURE_REQUEST: u8 = 1;
pub(super) const CONFIGURE_ACK: u8 = 2;
pub(super) const CONFIGURE_NAK: u8 = 3;
pub(super) const CONFIGURE_REJECT: u8 = 4;
pub(super) const TERMINATE_REQUEST: u8 = 5;
pub(super) const TERMINATE_ACK: u8 = 6;

const IP_ADDRESS: u8 = 3;
pub(super) const PRIMARY_DNS: u8 = 129;
pub(super) const SECONDARY_DNS: u8 = 131;

/// Code of a PAP Authenticate-Request and of a CHAP Challenge.
const FIRST: u8 = 1;
/// Code of a PAP Authenticate-Ack and of a CHAP Response.
const SECOND: u8 = 2;

/// Code, identifier and contents of a packet; `None` when it is shorter than it says. Octets after
/// its end are padding (RFC 1661 §5).
fn packet(octets: &[u8]) -> Option<(u8, u8, &[u8])> {
    let mut reader = Reader::new(octets);
    let [code, identifier] = reader.array().ok()?;
    let length = usize::from(reader.u16().ok()?);
    let contents = reader.take(length.checked_sub(4)?).ok()?;
    Some((code, identifier, contents))
}

fn write(code: u8, identifier: u8, contents: &[u8]) -> Vec<u8> {
    let mut out = alloc::vec![code, identifier, 0, 0];
    out.extend(contents);
    patch_length(&mut out, 2, 0);
    out
}

/// An option of IPCP: its type and its value.
pub(super) type IpcpOption = (u8, Vec<u8>);

/// An IPCP packet (RFC 1332 §3). Its options count in configuration packets only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ipcp {
    pub(super) code: u8,
    pub(super) identifier: u8,
    pub(super) options: Vec<IpcpOption>,
}

impl Ipcp {
    /// A request for two name servers.
    pub(super) fn request(identifier: u8) -> Self {
        let unset = || alloc::vec![0; 4];
        Self {
            code: CONFIGURE_REQUEST,
            identifier,
            options: alloc::vec![(PRIMARY_DNS, unset()), (SECONDARY_DNS, unset())],
        }
    }

    /// `None` for what is not a packet, or has options whose lengths are wrong: such a packet is
    /// dropped in silence (RFC 1661 §6).
    pub(super) fn decode(octets: &[u8]) -> Option<Self> {
        let (code, identifier, contents) = packet(octets)?;
        let mut options = Vec::new();
        if (CONFIGURE_REQUEST..=CONFIGURE_REJECT).contains(&code) {
            let mut reader = Reader::new(contents);
            while !reader.is_empty() {
                let [kind, length] = reader.array().ok()?;
                let value = reader.take(usize::from(length).checked_sub(2)?).ok()?;
                options.push((kind, value.into()));
            }
        }
        Some(Self {
            code,
            identifier,
            options,
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut contents = Vec::new();
        for (kind, value) in &self.options {
            let length = u8::try_from(value.len() + 2).unwrap_or(u8::MAX);
            contents.extend([*kind, length]);
            contents.extend(value.iter().take(usize::from(length) - 2));
        }
        write(self.code, self.identifier, &contents)
    }

    /// The name servers that an answer tells.
    pub(super) fn name_servers(self) -> Vec<[u8; 4]> {
        if !matches!(self.code, CONFIGURE_ACK | CONFIGURE_NAK) {
            return Vec::new();
        }
        let options = self.options.into_iter();
        options
            .filter(|(kind, _)| matches!(*kind, PRIMARY_DNS | SECONDARY_DNS))
            .filter_map(|(_, value)| value.try_into().ok())
            .collect()
    }

    /// The answer to a request. To a Configure-Request: Nak with what the options should be, or
    /// else Reject of what there is not, or else Ack (RFC 1661 §5.2 to §5.4).
    pub(super) fn answer(&self, offer: &Offer<'_>) -> Option<Self> {
        let (code, options) = match self.code {
            CONFIGURE_REQUEST => self.configure(offer),
            TERMINATE_REQUEST => (TERMINATE_ACK, Vec::new()),
            _ => return None,
        };
        Some(Self {
            code,
            identifier: self.identifier,
            options,
        })
    }

    fn configure(&self, offer: &Offer<'_>) -> (u8, Vec<IpcpOption>) {
        let wanted = |kind| match kind {
            IP_ADDRESS => offer.address,
            PRIMARY_DNS => offer.dns_v4.first().copied(),
            SECONDARY_DNS => offer.dns_v4.get(1).copied(),
            _ => None,
        };
        let (mut rejected, mut corrected) = (Vec::new(), Vec::new());
        for (kind, value) in &self.options {
            match wanted(*kind).as_ref().map(Ipv4Addr::octets) {
                None => rejected.push((*kind, value.clone())),
                Some(address) if address != **value => corrected.push((*kind, address.to_vec())),
                Some(_) => {}
            }
        }
        // In PCO there is one round only, so what the UE can use goes before what it cannot have.
        if !corrected.is_empty() {
            (CONFIGURE_NAK, corrected)
        } else if !rejected.is_empty() {
            (CONFIGURE_REJECT, rejected)
        } else {
            (CONFIGURE_ACK, self.options.clone())
        }
    }
}

/// How a UE says who it is. Passwords and responses do not print.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credentials<'a> {
    /// A name and a password (RFC 1334 §2.2.1).
    Pap {
        /// The name.
        user: &'a [u8],
        /// The password.
        password: &'a [u8],
    },
    /// A challenge, which the UE has made itself, and the response to it (RFC 1994 §4.1). Whoever
    /// has seen both can send them again: this proves less than CHAP does on a line.
    Chap {
        /// The name.
        user: &'a [u8],
        /// The identifier of both packets, which goes into the response.
        identifier: u8,
        /// The challenge.
        challenge: &'a [u8],
        /// The response.
        response: &'a [u8],
    },
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pap { .. } => "PAP",
            Self::Chap { .. } => "CHAP",
        })
    }
}

impl Credentials<'_> {
    /// The name that the UE gives.
    pub const fn user(&self) -> &[u8] {
        match self {
            Self::Pap { user, .. } | Self::Chap { user, .. } => user,
        }
    }
}

impl Pco {
    /// Who the UE says it is: by CHAP when a challenge and its response are there, or else by PAP.
    pub fn credentials(&self) -> Option<Credentials<'_>> {
        self.chap().or_else(|| self.pap())
    }

    fn pap(&self) -> Option<Credentials<'_>> {
        self.of(PAP).find_map(|item| {
            let (code, _, contents) = packet(&item.contents)?;
            let mut reader = Reader::new(contents);
            let length = reader.u8().ok()?;
            let user = reader.take(length.into()).ok()?;
            let length = reader.u8().ok()?;
            let password = reader.take(length.into()).ok()?;
            (code == FIRST).then_some(Credentials::Pap { user, password })
        })
    }

    fn chap(&self) -> Option<Credentials<'_>> {
        let read = |wanted: u8| {
            self.of(CHAP).filter_map(move |item| {
                let (code, identifier, contents) = packet(&item.contents)?;
                let mut reader = Reader::new(contents);
                let length = reader.u8().ok()?;
                let value = reader.take(length.into()).ok()?;
                let is_one = code == wanted && !value.is_empty();
                is_one.then_some((identifier, value, reader.rest()))
            })
        };
        read(SECOND).find_map(|(identifier, response, user)| {
            let (_, challenge, _) = read(FIRST).find(|(id, ..)| *id == identifier)?;
            Some(Credentials::Chap {
                user,
                identifier,
                challenge,
                response,
            })
        })
    }
}

/// The answer to a PAP or CHAP packet of a UE: Ack or Nak, Success or Failure, without a text.
pub(super) fn verdict(id: u16, octets: &[u8], verdict: Verdict) -> Option<Vec<u8>> {
    let (code, identifier, _) = packet(octets)?;
    let accepted = match verdict {
        Verdict::Ignored => return None,
        Verdict::Accepted => true,
        Verdict::Refused => false,
    };
    match id {
        // A PAP answer has the length of its text, none here.
        PAP if code == FIRST => Some(write(if accepted { 2 } else { 3 }, identifier, &[0])),
        CHAP if code == SECOND => Some(write(if accepted { 3 } else { 4 }, identifier, &[])),
        _ => None,
    }
}
