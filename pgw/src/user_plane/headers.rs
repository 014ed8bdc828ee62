//! What stands between the addresses of a packet and its payload.

use super::packet::{Fragment, fragment, protocol};
use crate::refusal::Refusal;

/// Extension headers of IPv6 (RFC 8200 §4, IANA).
mod extension {
    pub(super) const HOP_BY_HOP: u8 = 0;
    pub(super) const ROUTING: u8 = 43;
    pub(super) const FRAGMENT: u8 = 44;
    pub(super) const AUTHENTICATION: u8 = 51;
    pub(super) const DESTINATION_OPTIONS: u8 = 60;
    pub(super) const MOBILITY: u8 = 135;
    pub(super) const HOST_IDENTITY: u8 = 139;
    pub(super) const SHIM6: u8 = 140;
}

/// Extension headers that one packet may have. Nobody needs more, and each costs a look.
const HEADERS: usize = 8;

/// The extension headers of an IPv6 packet, walked to their end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    /// What comes after them.
    pub(super) protocol: u8,
    /// Their octets.
    pub(super) len: usize,
    pub(super) fragment: Fragment,
    pub(super) has_hop_by_hop: bool,
}

/// Walks the extension headers after the IPv6 header. A later fragment ends the walk: what comes
/// after it is a part of something.
///
/// A routing header would let a sender choose the way, so it is refused; and so is a chain that is
/// too long, repeats what comes once, or does not end within a first fragment.
pub(super) fn walk(first: u8, above: &[u8]) -> Result<Chain, Refusal> {
    let mut chain = Chain {
        protocol: first,
        len: 0,
        fragment: Fragment::None,
        has_hop_by_hop: false,
    };
    for place in 0..=HEADERS {
        let (len, next) = match chain.protocol {
            extension::HOP_BY_HOP if place == 0 => {
                chain.has_hop_by_hop = true;
                options(above, chain)?
            }
            extension::HOP_BY_HOP | extension::ROUTING => return Err(Refusal::IpOptions),
            extension::DESTINATION_OPTIONS
            | extension::MOBILITY
            | extension::HOST_IDENTITY
            | extension::SHIM6 => options(above, chain)?,
            extension::AUTHENTICATION => {
                let (next, len) = pair(above, chain)?;
                ((usize::from(len) + 2) * 4, next)
            }
            extension::FRAGMENT => {
                if chain.fragment != Fragment::None {
                    return Err(Refusal::HeaderFragment);
                }
                let rest = above.get(chain.len..).unwrap_or_default();
                let Some((&[next, _, offset1, offset2, ..], rest)) = rest.split_first_chunk::<8>()
                else {
                    return Err(Refusal::MalformedPacket);
                };
                let field = u16::from_be_bytes([offset1, offset2]);
                chain.fragment = fragment(field >> 3, field & 1 != 0, rest.len())?;
                if chain.fragment == Fragment::Later {
                    chain.protocol = next;
                    chain.len += 8;
                    return Ok(chain);
                }
                (8, next)
            }
            _ => return Ok(chain),
        };
        chain.len += len;
        chain.protocol = next;
        if chain.len > above.len() {
            return Err(short(chain.fragment));
        }
    }
    Err(Refusal::IpOptions)
}

/// Length and next header of a header whose length counts units of 8 octets but the first.
fn options(above: &[u8], chain: Chain) -> Result<(usize, u8), Refusal> {
    let (next, len) = pair(above, chain)?;
    Ok(((usize::from(len) + 1) * 8, next))
}

fn pair(above: &[u8], chain: Chain) -> Result<(u8, u8), Refusal> {
    match above.get(chain.len..) {
        Some(&[next, len, ..]) => Ok((next, len)),
        _ => Err(short(chain.fragment)),
    }
}

/// Why a header that is not all there is refused.
const fn short(fragment: Fragment) -> Refusal {
    match fragment {
        Fragment::First => Refusal::HeaderFragment,
        Fragment::None | Fragment::Later => Refusal::MalformedPacket,
    }
}

/// What the checks look at above IP.
#[derive(Clone, Copy, Debug)]
pub(super) struct Above {
    pub(super) ports: Option<(u16, u16)>,
    pub(super) icmp_type: Option<u8>,
}

/// Reads the header above IP. A first fragment that is too short to hold what the rules look at is
/// refused, and so are lengths that say more or less than there is.
pub(super) fn above(protocol: u8, above: &[u8], fragment: Fragment) -> Result<Above, Refusal> {
    let mut read = Above {
        ports: None,
        icmp_type: None,
    };
    if fragment == Fragment::Later {
        return Ok(read);
    }
    let need = match protocol {
        protocol::TCP => 20,
        protocol::UDP | protocol::ICMP | protocol::ICMP_V6 => 8,
        _ => return Ok(read),
    };
    if above.len() < need {
        return Err(short(fragment));
    }
    let Some(&[a, b, c, d, len1, len2, ..]) = above.first_chunk::<8>() else {
        return Err(short(fragment));
    };
    match protocol {
        protocol::UDP => {
            let length = usize::from(u16::from_be_bytes([len1, len2]));
            let fits = match fragment {
                Fragment::None => length == above.len(),
                Fragment::First | Fragment::Later => length > above.len(),
            };
            if !fits {
                return Err(Refusal::MalformedPacket);
            }
        }
        protocol::TCP => {
            let header = above.get(12).map_or(0, |o| usize::from(o >> 4) * 4);
            if header < 20 {
                return Err(Refusal::MalformedPacket);
            }
            if header > above.len() {
                return Err(short(fragment));
            }
        }
        _ => {
            read.icmp_type = Some(a);
            return Ok(read);
        }
    }
    read.ports = Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])));
    Ok(read)
}
