use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::packet::{protocol, sum};

/// An ICMP error about a packet (RFC 792): the header of that packet and eight octets more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IcmpError {
    icmp_type: u8,
    code: u8,
}

impl IcmpError {
    /// Communication administratively prohibited, RFC 1812 §5.2.7.1.
    pub(crate) const ADMIN_PROHIBITED: Self = Self {
        icmp_type: 3,
        code: 13,
    };
    /// Time to live exceeded in transit.
    pub(crate) const TIME_EXCEEDED: Self = Self {
        icmp_type: 11,
        code: 0,
    };

    /// The whole IPv4 packet from the `gateway` to `receiver`, about the packet `about` whose
    /// header has `header_len` octets.
    pub(crate) fn packet(
        self,
        gateway: Ipv4Addr,
        receiver: Ipv4Addr,
        about: &[u8],
        header_len: usize,
    ) -> Vec<u8> {
        let quoted = about
            .get(..header_len + 8)
            .unwrap_or(about)
            .iter()
            .copied()
            .take(68);
        let mut icmp = alloc::vec![self.icmp_type, self.code, 0, 0, 0, 0, 0, 0];
        icmp.extend(quoted);
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
}
