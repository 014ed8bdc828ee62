use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::refusal::Refusal;

/// IP protocol numbers that the checks look at.
pub(crate) mod protocol {
    pub(crate) const ICMP: u8 = 1;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    /// Hop-by-hop options.
    pub(crate) const HOP_BY_HOP: u8 = 0;
    /// Routing header.
    pub(crate) const ROUTING: u8 = 43;
}

/// UDP ports of GTP: GTPv1-U, GTP-C and GTP' (TS 29.281 §4.4.2, TS 29.274 §4.2.1, TS 32.295).
const GTP_PORTS: [u16; 3] = [2152, 2123, 3386];

const V4_HEADER: usize = 20;
const V6_HEADER: usize = 40;

/// What the checks need of a packet: read in one pass, nothing copied but these fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) hop_limit: u8,
    /// UDP or TCP ports; none in a fragment that is not the first.
    pub(crate) ports: Option<(u16, u16)>,
    /// Whether it is a fragment other than the first.
    pub(crate) is_later_fragment: bool,
    /// Length of the IPv4 header.
    pub(crate) header_len: usize,
}

impl Packet {
    /// Reads a whole packet.
    ///
    /// The length in the header must be the length of the packet: a tunnel carries no padding, so
    /// a difference either way is a lie.
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
        let [
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
        ] = *header;
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
        let fragment = u16::from_be_bytes([frag1, frag2]);
        let offset = fragment & 0x1fff;
        let more = fragment & 0x2000 != 0;
        // An offset of one unit overlaps the header above with what an earlier check saw.
        if offset == 1 {
            return Err(Refusal::HeaderFragment);
        }
        Ok(Self {
            source: IpAddr::V4(Ipv4Addr::new(s1, s2, s3, s4)),
            destination: IpAddr::V4(Ipv4Addr::new(d1, d2, d3, d4)),
            protocol,
            hop_limit,
            ports: if offset == 0 {
                ports(protocol, above, more)?
            } else {
                None
            },
            is_later_fragment: offset != 0,
            header_len,
        })
    }

    fn read_v6(octets: &[u8]) -> Result<Self, Refusal> {
        let (header, above) = octets
            .split_first_chunk::<V6_HEADER>()
            .ok_or(Refusal::MalformedPacket)?;
        let [_, _, _, _, len1, len2, protocol, hop_limit, addresses @ ..] = header;
        if usize::from(u16::from_be_bytes([*len1, *len2])) != above.len() {
            return Err(Refusal::MalformedPacket);
        }
        if matches!(*protocol, protocol::HOP_BY_HOP | protocol::ROUTING) {
            return Err(Refusal::IpOptions);
        }
        let (source, destination) = addresses.split_at(16);
        let address = |octets: &[u8]| {
            <[u8; 16]>::try_from(octets)
                .map(|o| IpAddr::V6(Ipv6Addr::from(o)))
                .map_err(|_| Refusal::MalformedPacket)
        };
        Ok(Self {
            source: address(source)?,
            destination: address(destination)?,
            protocol: *protocol,
            hop_limit: *hop_limit,
            ports: ports(*protocol, above, false)?,
            is_later_fragment: false,
            header_len: V6_HEADER,
        })
    }

    /// Whether the packet would be GTP to or from someone.
    pub(crate) fn is_gtp(&self) -> bool {
        self.protocol == protocol::UDP
            && self
                .ports
                .is_some_and(|(from, to)| GTP_PORTS.contains(&from) || GTP_PORTS.contains(&to))
    }

    /// Whether an ICMP error may answer it: never another error, a later fragment, or something
    /// sent to or from more than one (RFC 1122 §3.2.2).
    pub(crate) fn may_be_answered(&self, octets: &[u8]) -> bool {
        let is_icmp_error = self.protocol == protocol::ICMP
            && !matches!(octets.get(self.header_len), Some(0 | 8 | 13 | 14));
        !self.is_later_fragment
            && !is_icmp_error
            && !is_group(self.destination)
            && !is_group(self.source)
            && !self.source.is_unspecified()
    }
}

/// The ports above the header. A first fragment that is too short to hold the header that the
/// rules look at is refused.
fn ports(
    protocol: u8,
    above: &[u8],
    is_first_fragment: bool,
) -> Result<Option<(u16, u16)>, Refusal> {
    let need = match protocol {
        protocol::TCP => 20,
        protocol::UDP => 8,
        _ => return Ok(None),
    };
    if above.len() < need {
        return Err(if is_first_fragment {
            Refusal::HeaderFragment
        } else {
            Refusal::MalformedPacket
        });
    }
    Ok(above
        .first_chunk::<4>()
        .map(|&[a, b, c, d]| (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))))
}

/// Whether an address stands for more than one receiver.
pub(crate) fn is_group(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => a.is_multicast() || a.is_broadcast(),
        IpAddr::V6(a) => a.is_multicast(),
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
