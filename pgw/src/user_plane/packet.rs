use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::headers::{self, Chain};
use crate::refusal::Refusal;

/// IP protocol numbers that the checks look at.
pub(crate) mod protocol {
    pub(crate) const ICMP: u8 = 1;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    /// IPv6 inside something: 6in4, 6to4 and ISATAP.
    pub(crate) const IPV6: u8 = 41;
    pub(crate) const ICMP_V6: u8 = 58;
}

/// UDP ports of GTP: GTPv1-U, GTP-C and GTP' (TS 29.281 §4.4.2, TS 29.274 §4.2.1, TS 32.295).
const GTP_PORTS: [u16; 3] = [2152, 2123, 3386];
/// The UDP port of Teredo (RFC 4380 §2.7).
const TEREDO: u16 = 3544;
/// UDP ports of DHCP and DHCPv6: from a server, to a client.
const DHCP_ANSWERS: [(u16, u16); 2] = [(67, 68), (547, 546)];

pub(super) const V4_HEADER: usize = 20;
pub(super) const V6_HEADER: usize = 40;

/// Whether a packet is a part of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fragment {
    /// It is whole.
    None,
    /// It is the first part, with the header above IP.
    First,
    /// It is another part: nothing above IP can be read from it.
    Later,
}

/// What the checks need of a packet: read in one pass, nothing copied but these fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    /// The protocol above IP: in IPv6 what ends the chain of extension headers.
    pub(crate) protocol: u8,
    pub(crate) hop_limit: u8,
    /// UDP or TCP ports; none in a fragment that is not the first.
    pub(crate) ports: Option<(u16, u16)>,
    /// Type of an ICMP or ICMPv6 message; none in a fragment that is not the first.
    pub(crate) icmp_type: Option<u8>,
    pub(crate) fragment: Fragment,
    /// Whether nobody may fragment it: IPv4 with DF, and IPv6.
    pub(crate) is_whole_only: bool,
    /// Length of the IP header and, in IPv6, of its extension headers.
    pub(crate) header_len: usize,
}

impl Packet {
    /// Reads a whole packet.
    ///
    /// The length in the header must be the length of the packet: a tunnel carries no padding, so
    /// a difference either way is a lie. So are lengths of UDP and TCP that do not fit in it.
    pub(crate) fn read(octets: &[u8]) -> Result<Self, Refusal> {
        match octets.first().map(|o| o >> 4) {
            Some(4) => Self::read_v4(octets),
            Some(6) => Self::read_v6(octets),
            _ => Err(Refusal::MalformedPacket),
        }
    }

    fn read_v4(octets: &[u8]) -> Result<Self, Refusal> {
        let (header, _) = octets
            .split_first_chunk::<V4_HEADER>()
            .ok_or(Refusal::MalformedPacket)?;
        let &[
            ihl,
            _,
            len1,
            len2,
            _,
            _,
            frag1,
            frag2,
            hop_limit,
            protocol,
            _,
            _,
            s1,
            s2,
            s3,
            s4,
            d1,
            d2,
            d3,
            d4,
        ] = header;
        let header_len = usize::from(ihl & 15) * 4;
        let lengths_agree = usize::from(u16::from_be_bytes([len1, len2])) == octets.len()
            && (V4_HEADER..=octets.len()).contains(&header_len);
        if !lengths_agree {
            return Err(Refusal::MalformedPacket);
        }
        let (head, above) = octets.split_at(header_len);
        if sum(head, 0) != 0xffff {
            return Err(Refusal::MalformedPacket);
        }
        if header_len > V4_HEADER {
            return Err(Refusal::IpOptions);
        }
        let field = u16::from_be_bytes([frag1, frag2]);
        let fragment = fragment(field & 0x1fff, field & 0x2000 != 0, above.len())?;
        let above = headers::above(protocol, above, fragment)?;
        Ok(Self {
            source: IpAddr::V4(Ipv4Addr::new(s1, s2, s3, s4)),
            destination: IpAddr::V4(Ipv4Addr::new(d1, d2, d3, d4)),
            protocol,
            hop_limit,
            ports: above.ports,
            icmp_type: above.icmp_type,
            fragment,
            is_whole_only: field & 0x4000 != 0,
            header_len,
        })
    }

    fn read_v6(octets: &[u8]) -> Result<Self, Refusal> {
        let (header, above) = octets
            .split_first_chunk::<V6_HEADER>()
            .ok_or(Refusal::MalformedPacket)?;
        let &[_, _, _, _, len1, len2, next, hop_limit, ref addresses @ ..] = header;
        if usize::from(u16::from_be_bytes([len1, len2])) != above.len() {
            return Err(Refusal::MalformedPacket);
        }
        let (source, destination) = addresses.split_at(16);
        let address = |octets: &[u8]| {
            <[u8; 16]>::try_from(octets)
                .map(Ipv6Addr::from)
                .map_err(|_| Refusal::MalformedPacket)
        };
        let destination = address(destination)?;
        let Chain {
            protocol,
            len,
            fragment,
            has_hop_by_hop,
        } = headers::walk(next, above)?;
        let above = headers::above(protocol, above.get(len..).unwrap_or_default(), fragment)?;
        // What a multicast listener tells its router has a router alert (RFC 3810 §5); nothing else
        // that may pass has hop-by-hop options.
        if has_hop_by_hop && !(protocol == protocol::ICMP_V6 && destination.is_multicast()) {
            return Err(Refusal::IpOptions);
        }
        Ok(Self {
            source: IpAddr::V6(address(source)?),
            destination: IpAddr::V6(destination),
            protocol,
            hop_limit,
            ports: above.ports,
            icmp_type: above.icmp_type,
            fragment,
            is_whole_only: true,
            header_len: V6_HEADER + len,
        })
    }

    /// Whether the packet would be GTP to or from someone.
    pub(crate) fn is_gtp(&self) -> bool {
        self.protocol == protocol::UDP
            && self
                .ports
                .is_some_and(|(from, to)| GTP_PORTS.contains(&from) || GTP_PORTS.contains(&to))
    }

    /// Whether the packet carries IPv6 past the rules: protocol 41, 6to4 and Teredo, by their
    /// protocol, their port or their addresses.
    pub(crate) fn is_transition_tunnel(&self) -> bool {
        let by_port = |(from, to): (u16, u16)| from == TEREDO || to == TEREDO;
        self.protocol == protocol::IPV6
            || self.protocol == protocol::UDP && self.ports.is_some_and(by_port)
            || is_transition_address(self.source)
            || is_transition_address(self.destination)
    }

    /// Whether the packet is something that only a router or a server of the link says: Router
    /// Advertisement and Redirect (RFC 4861 §4.2, §4.5), their elders of IPv4 (RFC 792, RFC 1256),
    /// and answers of a DHCP server.
    pub(crate) fn is_routers_own(&self) -> bool {
        match self.protocol {
            protocol::ICMP => matches!(self.icmp_type, Some(5 | 9)),
            protocol::ICMP_V6 => matches!(self.icmp_type, Some(134 | 137)),
            protocol::UDP => self
                .ports
                .is_some_and(|ports| DHCP_ANSWERS.contains(&ports)),
            _ => false,
        }
    }

    /// Whether an ICMP error may answer it: never another error or a redirect, a later fragment, or
    /// something sent to or from more than one (RFC 1122 §3.2.2, RFC 4443 §2.4).
    pub(crate) fn may_be_answered(&self) -> bool {
        let is_icmp_error = match self.protocol {
            protocol::ICMP => !matches!(self.icmp_type, Some(0 | 8 | 13 | 14)),
            protocol::ICMP_V6 => {
                self.icmp_type.is_none_or(|t| t < 128) || self.icmp_type == Some(137)
            }
            _ => false,
        };
        self.fragment != Fragment::Later
            && !is_icmp_error
            && !is_group(self.destination)
            && !is_group(self.source)
            && !self.source.is_unspecified()
    }
}

/// What an offset (in units of 8 octets) and the mark that more follows make of a packet with this
/// much above IP.
///
/// Rules here look at addresses and at the header above IP. Every part has the addresses, so later
/// parts pass by them; a first part that lacks the header, and a second one that begins within it
/// and would overwrite what was looked at, are refused (RFC 1858, RFC 7112).
pub(super) fn fragment(offset: u16, more: bool, len: usize) -> Result<Fragment, Refusal> {
    match (offset, more) {
        (0, false) => return Ok(Fragment::None),
        (1, _) => return Err(Refusal::HeaderFragment),
        _ => {}
    }
    // Every part but the last is whole units long, and the sum is a packet.
    if (more && !len.is_multiple_of(8)) || len == 0 || usize::from(offset) * 8 + len > 65_535 {
        return Err(Refusal::MalformedPacket);
    }
    Ok(if offset == 0 {
        Fragment::First
    } else {
        Fragment::Later
    })
}

fn is_transition_address(address: IpAddr) -> bool {
    match address {
        // The anycast address of 6to4 relays (RFC 7526).
        IpAddr::V4(a) => matches!(a.octets(), [192, 88, 99, _]),
        // 6to4 and Teredo.
        IpAddr::V6(a) => {
            let [first, second, ..] = a.segments();
            first == 0x2002 || (first, second) == (0x2001, 0)
        }
    }
}

/// Whether an address stands for more than one receiver.
pub(crate) fn is_group(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => a.is_multicast() || a.is_broadcast(),
        IpAddr::V6(a) => a.is_multicast(),
    }
}

/// Whether an address means something on one link only.
pub(crate) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => a.is_link_local(),
        IpAddr::V6(a) => a.is_unicast_link_local(),
    }
}

/// The ones' complement sum of 16-bit words (RFC 1071), starting from `sum`.
pub(crate) fn sum(octets: &[u8], sum: u32) -> u16 {
    let mut total = u64::from(sum);
    let mut words = octets.chunks_exact(2);
    for word in words.by_ref() {
        if let [a, b] = *word {
            total += u64::from(u16::from_be_bytes([a, b]));
        }
    }
    if let [last] = *words.remainder() {
        total += u64::from(last) << 8;
    }
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    u16::try_from(total).unwrap_or(0)
}

/// Counts one hop in place (RFC 1812 §5.3.1), with the checksum of IPv4 updated as RFC 1624 says.
/// The caller saw that at least one hop is left after this one.
pub(crate) fn count_hop(octets: &mut [u8]) {
    match octets.first().map(|o| o >> 4) {
        Some(4) => {
            if let Some([_, _, _, _, _, _, _, _, ttl, _, c1, c2, ..]) =
                octets.first_chunk_mut::<20>()
            {
                *ttl = ttl.saturating_sub(1);
                // HC' = ~(~HC + ~m + m'), and m' is m less 0x0100.
                let old = u32::from(!u16::from_be_bytes([*c1, *c2]));
                let less = old + u32::from(!0x0100_u16);
                let folded = (less & 0xffff) + (less >> 16);
                let folded = u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(0);
                [*c1, *c2] = (!folded).to_be_bytes();
            }
        }
        Some(6) => {
            if let Some(limit) = octets.get_mut(7) {
                *limit = limit.saturating_sub(1);
            }
        }
        _ => {}
    }
}

/// Source, destination, protocol and destination port of a packet.
pub(crate) fn packet_ends(octets: &[u8]) -> Option<(IpAddr, IpAddr, u8, Option<u16>)> {
    let Packet {
        source,
        destination,
        protocol,
        ports,
        ..
    } = Packet::read(octets).ok()?;
    Some((source, destination, protocol, ports.map(|p| p.1)))
}
