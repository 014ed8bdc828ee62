//! IPv4 packets of the datagram flows: built with headroom, taken apart without trust.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use heiiki_gtp::u::G_PDU_HEADER_LEN;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    Icmpv4Message, Icmpv4Packet, Icmpv4Repr, IpAddress, IpProtocol, Ipv4Packet, Ipv4Repr,
    UdpPacket, UdpRepr,
};

/// Octets in front of every uplink packet, for the GTP-U header.
pub const HEADROOM: usize = G_PDU_HEADER_LEN;

const HOP_LIMIT: u8 = 64;

/// An IPv4 packet with an empty payload of `len` octets, behind the headroom.
fn shell(src: Ipv4Addr, dst: Ipv4Addr, protocol: IpProtocol, len: usize) -> Vec<u8> {
    let ip = Ipv4Repr {
        src_addr: src,
        dst_addr: dst,
        next_header: protocol,
        payload_len: len,
        hop_limit: HOP_LIMIT,
    };
    let mut out = alloc::vec![0; HEADROOM + ip.buffer_len() + len];
    if let Some(octets) = out.get_mut(HEADROOM..) {
        let mut packet = Ipv4Packet::new_unchecked(octets);
        ip.emit(&mut packet, &ChecksumCapabilities::default());
    }
    out
}

fn payload_mut(packet: &mut [u8]) -> &mut [u8] {
    packet.get_mut(HEADROOM + 20..).unwrap_or_default()
}

/// A UDP datagram.
pub(super) fn udp(src: (Ipv4Addr, u16), dst: (Ipv4Addr, u16), payload: &[u8]) -> Vec<u8> {
    let mut out = shell(src.0, dst.0, IpProtocol::Udp, 8 + payload.len());
    UdpRepr {
        src_port: src.1,
        dst_port: dst.1,
    }
    .emit(
        &mut UdpPacket::new_unchecked(payload_mut(&mut out)),
        &IpAddress::Ipv4(src.0),
        &IpAddress::Ipv4(dst.0),
        payload.len(),
        |octets| octets.copy_from_slice(payload),
        &ChecksumCapabilities::default(),
    );
    out
}

/// An ICMP echo request.
pub(super) fn echo_request(
    src: Ipv4Addr,
    dst: Ipv4Addr,
    ident: u16,
    seq_no: u16,
    data: &[u8],
) -> Vec<u8> {
    let icmp = Icmpv4Repr::EchoRequest {
        ident,
        seq_no,
        data,
    };
    let mut out = shell(src, dst, IpProtocol::Icmp, icmp.buffer_len());
    icmp.emit(
        &mut Icmpv4Packet::new_unchecked(payload_mut(&mut out)),
        &ChecksumCapabilities::default(),
    );
    out
}

/// What a downlink packet is to the flows of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// A UDP datagram.
    Udp {
        src: Ipv4Addr,
        src_port: u16,
        dst_port: u16,
        payload: &'a [u8],
    },
    /// The answer to a ping.
    EchoReply { src: Ipv4Addr, ident: u16, seq: u16 },
    /// Somebody could not, or would not, deliver one of our packets.
    Unreachable {
        from: Ipv4Addr,
        code: u8,
        protocol: Transport,
        /// Where our packet went.
        dst: Ipv4Addr,
        /// Our port, or our ICMP identifier.
        local: u16,
    },
    /// Something for the IP stack proper.
    Other,
    /// Not for this host, or broken.
    Foreign,
}

/// The protocol of a packet that an ICMP error quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Icmp,
    Tcp,
    Udp,
}

/// Sorts a downlink packet for the host at `own`.
pub(super) fn classify(octets: &[u8], own: Ipv4Addr) -> Kind<'_> {
    let checks = ChecksumCapabilities::default();
    let Ok(packet) = Ipv4Packet::new_checked(octets) else {
        return Kind::Foreign;
    };
    let Ok(ip) = Ipv4Repr::parse(&packet, &checks) else {
        return Kind::Foreign;
    };
    // Fragments are beyond a host whose tunnel has one MTU for all.
    if ip.dst_addr != own || packet.more_frags() || packet.frag_offset() != 0 {
        return Kind::Foreign;
    }
    match ip.next_header {
        IpProtocol::Udp => udp_kind(&ip, packet.payload()),
        IpProtocol::Icmp => icmp_kind(&ip, packet.payload()),
        _ => Kind::Other,
    }
}

fn udp_kind<'a>(ip: &Ipv4Repr, octets: &'a [u8]) -> Kind<'a> {
    let (src, dst) = (IpAddress::Ipv4(ip.src_addr), IpAddress::Ipv4(ip.dst_addr));
    let Ok(packet) = UdpPacket::new_checked(octets) else {
        return Kind::Foreign;
    };
    match UdpRepr::parse(&packet, &src, &dst, &ChecksumCapabilities::default()) {
        Ok(udp) => Kind::Udp {
            src: ip.src_addr,
            src_port: udp.src_port,
            dst_port: udp.dst_port,
            payload: packet.payload(),
        },
        Err(_) => Kind::Foreign,
    }
}

fn icmp_kind<'a>(ip: &Ipv4Repr, octets: &'a [u8]) -> Kind<'a> {
    let Ok(packet) = Icmpv4Packet::new_checked(octets) else {
        return Kind::Foreign;
    };
    if !packet.verify_checksum() {
        return Kind::Foreign;
    }
    match packet.msg_type() {
        Icmpv4Message::EchoReply => Kind::EchoReply {
            src: ip.src_addr,
            ident: packet.echo_ident(),
            seq: packet.echo_seq_no(),
        },
        Icmpv4Message::DstUnreachable => {
            quoted(octets.get(8..).unwrap_or_default()).map_or(Kind::Foreign, |quoted| {
                Kind::Unreachable {
                    from: ip.src_addr,
                    code: packet.msg_code(),
                    protocol: quoted.0,
                    dst: quoted.1,
                    local: quoted.2,
                }
            })
        }
        _ => Kind::Other,
    }
}

/// Protocol, destination and own port of the packet that an ICMP error quotes: the IP header and
/// at least eight octets after it (RFC 792).
fn quoted(octets: &[u8]) -> Option<(Transport, Ipv4Addr, u16)> {
    let header_len = usize::from(octets.first()? & 15) * 4;
    let protocol = match octets.get(9)? {
        1 => Transport::Icmp,
        6 => Transport::Tcp,
        17 => Transport::Udp,
        _ => return None,
    };
    let dst = octets.get(16..20)?.first_chunk::<4>()?;
    let transport = octets.get(header_len..)?.first_chunk::<8>()?;
    let [p0, p1, _, _, i0, i1, ..] = *transport;
    let local = match protocol {
        Transport::Icmp => [i0, i1],
        Transport::Tcp | Transport::Udp => [p0, p1],
    };
    Some((protocol, Ipv4Addr::from(*dst), u16::from_be_bytes(local)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    const UE: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 5);
    const HOST: Ipv4Addr = Ipv4Addr::new(10, 20, 1, 1);

    #[test]
    fn a_datagram_to_the_octet() {
        // Written by hand; the two checksums by a separate implementation of RFC 1071.
        let out = udp((UE, 49_152), (HOST, 7), b"hi");
        assert_eq!(
            out[HEADROOM..],
            hex!(
                "4500001e00004000401125a2 0a140005 0a140101"
                "c0000007000ac23b 6869"
            )
        );
    }

    #[test]
    fn an_error_is_traced_to_its_flow() {
        let mut octets = hex!(
            "45000038000000004001 0000 0a140001 0a140005"
            "030d 0000 00000000"
            "4500001e0000400040110000 0a140005 0a140101"
            "c0000007000ab29f"
        );
        Ipv4Packet::new_unchecked(&mut octets[..]).fill_checksum();
        Icmpv4Packet::new_unchecked(&mut octets[20..]).fill_checksum();
        assert_eq!(
            classify(&octets, UE),
            Kind::Unreachable {
                from: Ipv4Addr::new(10, 20, 0, 1),
                code: 13,
                protocol: Transport::Udp,
                dst: HOST,
                local: 49_152
            }
        );
        for len in 0..octets.len() {
            assert_eq!(classify(&octets[..len], UE), Kind::Foreign);
        }
    }

    #[test]
    fn a_packet_for_another_host_is_foreign() {
        let out = udp((HOST, 7), (UE, 49_152), b"hi");
        assert!(matches!(classify(&out[HEADROOM..], UE), Kind::Udp { .. }));
        assert_eq!(classify(&out[HEADROOM..], HOST), Kind::Foreign);
    }
}
