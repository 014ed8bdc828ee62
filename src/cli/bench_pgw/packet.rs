//! Packets as this tool makes and reads them: written out by hand, so that a mistake of the
//! gateway's codec is not repeated here.

use core::net::Ipv4Addr;

/// Octets before the payload of a UDP datagram in a tunnel: GTP-U, IPv4 and UDP.
pub(super) const HEAD: usize = 8 + 20 + 8;
/// Octets of a probe's payload that say which it is.
pub(super) const MARK: usize = 16;
/// Where a host takes datagrams and counts them; it tells how many when it is asked.
pub(super) const SINK: u16 = 9;
/// Where a host is asked for a stream of datagrams, or octets.
pub(super) const SOURCE: u16 = 19;
/// Echo, RFC 862.
pub(super) const ECHO: u16 = 7;
/// Asks a sink what it has counted.
pub(super) const ASK: &[u8; 4] = b"hksq";
/// The sink's answer.
pub(super) const TOLD: &[u8; 4] = b"hksr";
/// Asks a source for datagrams.
pub(super) const GO: &[u8; 4] = b"hkgo";

/// Both ends of a UDP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) from: (Ipv4Addr, u16),
    pub(super) to: (Ipv4Addr, u16),
}

/// GTP-U, IPv4 and UDP headers for a payload. The UDP checksum is left out, as IPv4 allows.
pub(super) fn head(teid: u32, ends: Ends, payload: usize) -> [u8; HEAD] {
    let length = |n: usize| u16::try_from(n).unwrap_or(0).to_be_bytes();
    let mut ip = [0_u8; 20];
    put(&mut ip, 0, &[0x45, 0]);
    put(&mut ip, 2, &length(28 + payload));
    put(&mut ip, 6, &[0x40, 0, 64, 17]);
    put(&mut ip, 12, &ends.from.0.octets());
    put(&mut ip, 16, &ends.to.0.octets());
    let sum = ip.chunks_exact(2).fold(0_u32, |sum, word| match *word {
        [a, b] => sum + u32::from(u16::from_be_bytes([a, b])),
        _ => sum,
    });
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap_or(0);
    put(&mut ip, 10, &(!sum).to_be_bytes());
    let mut out = [0; HEAD];
    put(&mut out, 0, &[0x30, 0xff]);
    put(&mut out, 2, &length(28 + payload));
    put(&mut out, 4, &teid.to_be_bytes());
    put(&mut out, 8, &ip);
    put(&mut out, 28, &ends.from.1.to_be_bytes());
    put(&mut out, 30, &ends.to.1.to_be_bytes());
    put(&mut out, 32, &length(8 + payload));
    out
}

pub(super) fn put(out: &mut [u8], at: usize, octets: &[u8]) {
    if let Some(place) = out.get_mut(at..at + octets.len()) {
        place.copy_from_slice(octets);
    }
}

pub(super) fn word(octets: &[u8], at: usize) -> u32 {
    let word = octets.get(at..).and_then(|o| o.first_chunk::<4>());
    word.map_or(0, |w| u32::from_be_bytes(*w))
}

pub(super) fn long(octets: &[u8], at: usize) -> u64 {
    let word = octets.get(at..).and_then(|o| o.first_chunk::<8>());
    word.map_or(0, |w| u64::from_be_bytes(*w))
}

/// A datagram that came through a tunnel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read<'a> {
    pub(super) teid: u32,
    pub(super) ends: Ends,
    pub(super) payload: &'a [u8],
}

/// The inner IPv4 packet of a G-PDU without options, and its TEID.
pub(super) fn tunnelled(octets: &[u8]) -> Option<(u32, &[u8])> {
    let inner = octets.get(8..)?;
    let whole = octets.first() == Some(&0x30)
        && octets.get(1) == Some(&0xff)
        && usize::try_from(word(octets, 0) & 0xffff) == Ok(inner.len());
    whole.then(|| (word(octets, 4), inner))
}

/// Reads a G-PDU with a UDP datagram over IPv4. Lengths must agree.
pub(super) fn read(octets: &[u8]) -> Option<Read<'_>> {
    let (teid, inner) = tunnelled(octets)?;
    let length = usize::try_from(word(inner, 0) & 0xffff).ok()?;
    let is_udp = inner.first() == Some(&0x45) && inner.get(9) == Some(&17);
    if !is_udp || length != inner.len() {
        return None;
    }
    let address = |at| Ipv4Addr::from_bits(word(inner, at));
    let ports = word(inner, 20);
    let [from, to] = [ports >> 16, ports & 0xffff].map(|p| u16::try_from(p).unwrap_or(0));
    Some(Read {
        teid,
        ends: Ends {
            from: (address(12), from),
            to: (address(16), to),
        },
        payload: inner.get(28..)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_another_codec_reads() {
        let ends = Ends {
            from: (Ipv4Addr::new(10, 1, 2, 3), 4_000),
            to: (Ipv4Addr::new(10, 9, 8, 7), 9),
        };
        let mut octets = head(0x0102_0304, ends, 5).to_vec();
        octets.extend(b"hello");
        let (teid, inner) = heiiki_gtp::u::decode_gpdu(&octets).unwrap();
        assert_eq!(teid.get(), 0x0102_0304);
        let sliced = etherparse::SlicedPacket::from_ip(&octets[inner]).unwrap();
        let Some(etherparse::NetSlice::Ipv4(ip)) = &sliced.net else {
            panic!("{sliced:?}");
        };
        let header = ip.header().to_header();
        assert_eq!(header.header_checksum, header.calc_header_checksum());
        assert_eq!(header.destination, [10, 9, 8, 7]);
        let Some(etherparse::TransportSlice::Udp(udp)) = &sliced.transport else {
            panic!("{sliced:?}");
        };
        assert_eq!((udp.destination_port(), udp.payload()), (9, &b"hello"[..]));
        let back = read(&octets).unwrap();
        assert_eq!(
            (back.teid, back.ends, back.payload),
            (0x0102_0304, ends, &b"hello"[..])
        );
        assert!(read(&octets[..octets.len() - 1]).is_none());
    }
}
