use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::packet::{protocol, sum};

/// Octets of an IPv6 packet that every link carries: the most that an ICMPv6 error is long
/// (RFC 4443 §3.1).
const V6_ERROR: usize = 1_280;
/// Octets of the packet that an ICMP error quotes after its header (RFC 792 wants eight).
const V4_QUOTE: usize = 8;

/// What an ICMP error says, in the words of either version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IcmpError {
    /// Communication administratively prohibited: RFC 1812 §5.2.7.1, RFC 4443 §3.1.
    AdminProhibited,
    /// The time to live or hop limit ran out: RFC 792, RFC 4443 §3.3.
    TimeExceeded,
    /// The packet is longer than the next link carries, and this is what that carries: RFC 1191
    /// §4, RFC 4443 §3.2.
    TooBig(u16),
}

impl IcmpError {
    /// The whole packet from the `gateway` to `receiver`, about the packet `about` whose IP header
    /// has `header_len` octets; none when the two are of different versions.
    pub(crate) fn packet(
        self,
        gateway: IpAddr,
        receiver: IpAddr,
        about: &[u8],
        header_len: usize,
    ) -> Option<Vec<u8>> {
        match (gateway, receiver) {
            (IpAddr::V4(gateway), IpAddr::V4(receiver)) => {
                Some(self.packet_v4(gateway, receiver, about, header_len))
            }
            (IpAddr::V6(gateway), IpAddr::V6(receiver)) => {
                Some(self.packet_v6(gateway, receiver, about))
            }
            _ => None,
        }
    }

    fn packet_v4(
        self,
        gateway: Ipv4Addr,
        receiver: Ipv4Addr,
        about: &[u8],
        header_len: usize,
    ) -> Vec<u8> {
        let (icmp_type, code, mtu) = match self {
            Self::AdminProhibited => (3, 13, 0),
            Self::TimeExceeded => (11, 0, 0),
            Self::TooBig(mtu) => (3, 4, mtu),
        };
        let [m1, m2] = mtu.to_be_bytes();
        let quoted = about.get(..header_len + V4_QUOTE).unwrap_or(about);
        let mut icmp = alloc::vec![icmp_type, code, 0, 0, 0, 0, m1, m2];
        icmp.extend(quoted.iter().copied().take(60 + V4_QUOTE));
        let check = (!sum(&icmp, 0)).to_be_bytes();
        icmp.splice(2..4, check);
        let total = u16::try_from(20 + icmp.len()).unwrap_or(0).to_be_bytes();
        // Precedence 6 (internetwork control) as RFC 1812 §4.3.2.5 wants of router errors.
        let mut out = alloc::vec![0x45, 0xc0];
        out.extend(total);
        out.extend([0, 0, 0, 0, 64, protocol::ICMP, 0, 0]);
        out.extend(gateway.octets());
        out.extend(receiver.octets());
        let check = (!sum(&out, 0)).to_be_bytes();
        out.splice(10..12, check);
        out.extend(icmp);
        out
    }

    fn packet_v6(self, gateway: Ipv6Addr, receiver: Ipv6Addr, about: &[u8]) -> Vec<u8> {
        let (icmp_type, code, mtu) = match self {
            Self::AdminProhibited => (1, 1, 0),
            Self::TimeExceeded => (3, 0, 0),
            Self::TooBig(mtu) => (2, 0, mtu),
        };
        let [m1, m2] = mtu.to_be_bytes();
        let mut icmp = alloc::vec![icmp_type, code, 0, 0, 0, 0, m1, m2];
        icmp.extend(about.iter().copied().take(V6_ERROR - 40 - icmp.len()));
        icmp_v6(gateway, receiver, 64, icmp)
    }
}

/// An IPv6 packet with an ICMPv6 message whose checksum is still to be written.
pub(super) fn icmp_v6(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    hop_limit: u8,
    mut message: Vec<u8>,
) -> Vec<u8> {
    let check = (!pseudo_sum(source, destination, &message)).to_be_bytes();
    message.splice(2..4, check);
    let length = u16::try_from(message.len()).unwrap_or(0).to_be_bytes();
    // Traffic class CS6, as the precedence above.
    let mut out = alloc::vec![0x6c, 0, 0, 0];
    out.extend(length);
    out.extend([protocol::ICMP_V6, hop_limit]);
    out.extend(source.octets());
    out.extend(destination.octets());
    out.extend(message);
    out
}

/// The sum over an ICMPv6 message and the pseudo-header (RFC 8200 §8.1): 0xffff when its checksum
/// is right.
pub(super) fn pseudo_sum(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> u16 {
    let addresses = sum(&source.octets(), u32::from(sum(&destination.octets(), 0)));
    let length = u32::try_from(message.len()).unwrap_or(0);
    sum(
        message,
        u32::from(addresses) + length + u32::from(protocol::ICMP_V6),
    )
}
