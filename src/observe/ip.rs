//! IP packets around messages whose links carry no packets of their own.

use core::net::{IpAddr, SocketAddr};

use etherparse::{IpNumber, Ipv4Header, Ipv6Header, TcpHeader, UdpHeader};

const HOP_LIMIT: u8 = 64;

/// The addresses of a packet, both of one version.
enum Ends {
    V4([u8; 4], [u8; 4]),
    V6([u8; 16], [u8; 16]),
}

impl Ends {
    fn new(from: IpAddr, to: IpAddr) -> Self {
        match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => Self::V4(from.octets(), to.octets()),
            (from, to) => Self::V6(v6(from), v6(to)),
        }
    }
}

fn v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(a) => a.to_ipv6_mapped().octets(),
        IpAddr::V6(a) => a.octets(),
    }
}

/// A UDP datagram, or nothing when the payload is longer than a datagram can be.
pub(super) fn udp(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Option<Vec<u8>> {
    let ends = Ends::new(from.ip(), to.ip());
    let mut header = UdpHeader {
        source_port: from.port(),
        destination_port: to.port(),
        length: u16::try_from(UdpHeader::LEN + payload.len()).ok()?,
        checksum: 0,
    };
    header.checksum = match ends {
        Ends::V4(from, to) => header.calc_checksum_ipv4_raw(from, to, payload),
        Ends::V6(from, to) => header.calc_checksum_ipv6_raw(from, to, payload),
    }
    .ok()?;
    packet(&ends, IpNumber::UDP, &header.to_bytes(), payload)
}

/// A TCP segment, or nothing when it is longer than a packet can be.
pub(super) fn tcp(
    from: SocketAddr,
    to: SocketAddr,
    sequence: u32,
    acknowledged: u32,
    payload: &[u8],
) -> Option<Vec<u8>> {
    let ends = Ends::new(from.ip(), to.ip());
    let mut header = TcpHeader::new(from.port(), to.port(), sequence, u16::MAX);
    header.ack = true;
    header.psh = true;
    header.acknowledgment_number = acknowledged;
    header.checksum = match ends {
        Ends::V4(from, to) => header.calc_checksum_ipv4_raw(from, to, payload),
        Ends::V6(from, to) => header.calc_checksum_ipv6_raw(from, to, payload),
    }
    .ok()?;
    packet(&ends, IpNumber::TCP, &header.to_bytes(), payload)
}

fn packet(ends: &Ends, protocol: IpNumber, header: &[u8], payload: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(header.len() + payload.len()).ok()?;
    let mut packet = match *ends {
        Ends::V4(from, to) => {
            let mut ip = Ipv4Header::new(length, HOP_LIMIT, protocol, from, to).ok()?;
            ip.header_checksum = ip.calc_header_checksum();
            ip.to_bytes().to_vec()
        }
        Ends::V6(source, destination) => Ipv6Header {
            payload_length: length,
            next_header: protocol,
            hop_limit: HOP_LIMIT,
            source,
            destination,
            ..Ipv6Header::default()
        }
        .to_bytes()
        .to_vec(),
    };
    packet.extend_from_slice(header);
    packet.extend_from_slice(payload);
    Some(packet)
}
