use alloc::vec::Vec;
use core::net::IpAddr;

use crate::user_plane::{count_hop, sum};

const UDP: u8 = 17;
const UDP_HEADER: usize = 8;
const TTL: u8 = 64;

/// One end of a datagram.
pub(super) type End = (IpAddr, u16);

/// A whole UDP datagram in its packet. What is served over UDP needs no state, so it does not pass
/// through the TCP/IP stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagram<'a> {
    pub(super) from: End,
    pub(super) to: End,
    /// The octet of the IP header that tells traffic classes apart.
    pub(super) class: u8,
    pub(super) payload: &'a [u8],
    /// Octets of the IP header.
    header: usize,
}

fn port(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*octets.get(at..)?.first_chunk()?))
}

impl<'a> Datagram<'a> {
    /// Reads a packet whose IP header the gateway has checked. None if it is not a whole datagram,
    /// or one with a wrong checksum: the stack knows what to do with those.
    pub(super) fn read(packet: &'a [u8]) -> Option<Self> {
        let (from, to, class, header) = match packet.first()? >> 4 {
            4 => {
                let is_whole = matches!(port(packet, 6)? & 0x3fff, 0);
                if *packet.get(9)? != UDP || !is_whole || *packet.first()? != 0x45 {
                    return None;
                }
                let address =
                    |at: usize| Some(IpAddr::from(*packet.get(at..)?.first_chunk::<4>()?));
                (address(12)?, address(16)?, *packet.get(1)?, 20)
            }
            6 => {
                if *packet.get(6)? != UDP {
                    return None;
                }
                let address =
                    |at: usize| Some(IpAddr::from(*packet.get(at..)?.first_chunk::<16>()?));
                let class = packet.first()? << 4 | packet.get(1)? >> 4;
                (address(8)?, address(24)?, class, 40)
            }
            _ => return None,
        };
        let datagram = packet.get(header..)?;
        if usize::from(port(datagram, 4)?) != datagram.len() {
            return None;
        }
        let check = port(datagram, 6)?;
        let is_right = if check == 0 {
            from.is_ipv4()
        } else {
            sum(datagram, pseudo_header(from, to, datagram.len())) == 0xffff
        };
        is_right.then_some(Self {
            from: (from, port(datagram, 0)?),
            to: (to, port(datagram, 2)?),
            class,
            payload: datagram.get(UDP_HEADER..)?,
            header,
        })
    }

    /// Writes the same datagram on its way back. The sums over it do not change when its ends
    /// change places, so it is only the hops that must be counted anew.
    pub(super) fn turn(&self, packet: &[u8], out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(packet);
        let width = if self.header == 20 { 4 } else { 16 };
        let at = self.header - 2 * width;
        swap(out, at, width);
        swap(out, self.header, 2);
        let ttl = if self.header == 20 { 8 } else { 7 };
        if let Some(octet) = out.get_mut(ttl) {
            // One more than a fresh packet has, and then one less, by the function that also
            // keeps the checksum right.
            let old = u16::from(core::mem::replace(octet, TTL + 1));
            if self.header == 20 {
                adjust(out, old << 8, u16::from(TTL + 1) << 8);
            }
            count_hop(out);
        }
    }
}

/// Exchanges `width` octets with the next `width` ones.
fn swap(octets: &mut [u8], at: usize, width: usize) {
    if let Some(both) = octets.get_mut(at..at + 2 * width) {
        let (a, b) = both.split_at_mut(width);
        a.swap_with_slice(b);
    }
}

/// Corrects the checksum of an IPv4 header for a word that has changed (RFC 1624).
fn adjust(octets: &mut [u8], old: u16, new: u16) {
    if let Some(check) = octets.get_mut(10..12)
        && let [a, b] = *check
    {
        let total = u32::from(!u16::from_be_bytes([a, b])) + u32::from(!old) + u32::from(new);
        let folded = (total & 0xffff) + (total >> 16);
        let folded = u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(0);
        check.copy_from_slice(&(!folded).to_be_bytes());
    }
}

fn pseudo_header(from: IpAddr, to: IpAddr, length: usize) -> u32 {
    let words = |address| match address {
        IpAddr::V4(a) => u32::from(sum(&a.octets(), 0)),
        IpAddr::V6(a) => u32::from(sum(&a.octets(), 0)),
    };
    words(from) + words(to) + u32::from(UDP) + u32::try_from(length).unwrap_or(0)
}

/// Writes a packet with a datagram whose payload has two parts. Over IPv4 the datagram of a stream goes without a checksum,
/// which RFC 768 leaves open; every other has one.
pub(super) fn write(
    (from, to): (End, End),
    class: u8,
    (first, second): (&[u8], &[u8]),
    is_stream: bool,
    out: &mut Vec<u8>,
) {
    out.clear();
    let length = UDP_HEADER + first.len() + second.len();
    let length = u16::try_from(length).unwrap_or(0);
    match (from.0, to.0) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            out.extend([0x45, class]);
            out.extend((length + 20).to_be_bytes());
            out.extend([0, 0, 0x40, 0, TTL, UDP, 0, 0]);
            out.extend(source.octets());
            out.extend(destination.octets());
            let check = (!sum(out, 0)).to_be_bytes();
            if let Some(place) = out.get_mut(10..12) {
                place.copy_from_slice(&check);
            }
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            out.extend([0x60 | class >> 4, class << 4, 0, 0]);
            out.extend(length.to_be_bytes());
            out.extend([UDP, TTL]);
            out.extend(source.octets());
            out.extend(destination.octets());
        }
        _ => return,
    }
    let header = out.len();
    out.extend(from.1.to_be_bytes());
    out.extend(to.1.to_be_bytes());
    out.extend(length.to_be_bytes());
    out.extend([0, 0]);
    out.extend_from_slice(first);
    out.extend_from_slice(second);
    if is_stream && from.0.is_ipv4() {
        return;
    }
    let datagram = out.get(header..).unwrap_or_default();
    let check = !sum(datagram, pseudo_header(from.0, to.0, datagram.len()));
    // Zero means that there is none.
    let check = if check == 0 { 0xffff } else { check };
    if let Some(place) = out.get_mut(header + 6..header + 8) {
        place.copy_from_slice(&check.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(v6: bool, payload: &[u8]) -> Vec<u8> {
        let mut packet = Vec::new();
        if v6 {
            etherparse::PacketBuilder::ipv6([1; 16], [2; 16], 9)
                .udp(1_000, 7)
                .write(&mut packet, payload)
                .unwrap();
        } else {
            etherparse::PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 9)
                .udp(1_000, 7)
                .write(&mut packet, payload)
                .unwrap();
        }
        packet
    }

    fn is_good(packet: &[u8], payload: &[u8], ports: (u16, u16)) {
        let sliced = etherparse::SlicedPacket::from_ip(packet).unwrap();
        let Some(etherparse::TransportSlice::Udp(udp)) = &sliced.transport else {
            panic!("no UDP");
        };
        assert_eq!(udp.payload(), payload);
        assert_eq!((udp.source_port(), udp.destination_port()), ports);
        let header = udp.to_header();
        let expected = match sliced.net.as_ref().unwrap() {
            etherparse::NetSlice::Ipv4(ip) => {
                let ip = ip.header().to_header();
                assert_eq!(ip.header_checksum, ip.calc_header_checksum());
                assert_eq!(ip.time_to_live, 64);
                header.calc_checksum_ipv4(&ip, payload).unwrap()
            }
            etherparse::NetSlice::Ipv6(ip) => {
                assert_eq!(ip.header().hop_limit(), 64);
                header
                    .calc_checksum_ipv6(&ip.header().to_header(), payload)
                    .unwrap()
            }
            etherparse::NetSlice::Arp(_) => panic!("ARP"),
        };
        assert_eq!(header.checksum, expected);
    }

    #[test]
    fn a_datagram_comes_back_with_its_ends_exchanged() {
        for v6 in [false, true] {
            for length in [0, 1, 5, 1_000] {
                let payload = alloc::vec![0xa5; length];
                let packet = built(v6, &payload);
                let datagram = Datagram::read(&packet).unwrap();
                assert_eq!((datagram.from.1, datagram.to.1), (1_000, 7));
                assert_eq!(datagram.payload, payload);
                let mut out = Vec::new();
                datagram.turn(&packet, &mut out);
                is_good(&out, &payload, (7, 1_000));
                let back = Datagram::read(&out).unwrap();
                assert_eq!((back.from, back.to), (datagram.to, datagram.from));
            }
        }
    }

    #[test]
    fn what_is_written_has_the_right_sums() {
        for v6 in [false, true] {
            let packet = built(v6, b"x");
            let read = Datagram::read(&packet).unwrap();
            for payload in [&b""[..], b"a", b"hello"] {
                let mut out = Vec::new();
                write((read.to, read.from), 0xb8, (payload, &[]), false, &mut out);
                is_good(&out, payload, (7, 1_000));
                assert_eq!(Datagram::read(&out).unwrap().class, 0xb8);
            }
        }
    }

    #[test]
    fn what_is_not_whole_and_right_is_left_to_the_stack() {
        let packet = built(false, b"hello");
        for (at, octet) in [(6, 0x20), (7, 1), (9, 6), (25, 0), (30, 0)] {
            let mut packet = packet.clone();
            packet[at] = octet;
            assert!(Datagram::read(&packet).is_none(), "{at}");
        }
        for length in 0..packet.len() {
            assert!(Datagram::read(&packet[..length]).is_none(), "{length}");
        }
    }
}
