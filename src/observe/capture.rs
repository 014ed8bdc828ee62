//! A capture of every link, for Wireshark.

use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::io;

use heiiki_types::WallTime;

use super::ip;
use super::mask::MaskedStream;
use super::pcapng::{InterfaceId, LinkType, Writer};

/// Octets of a plain G-PDU's header.
const GTP_U_HEADER: usize = 8;
/// The message type of a G-PDU.
const G_PDU: u8 = 255;

/// Whether an octet could begin a plain NAS message: a protocol discriminator of TS 24.007 §11.2.3
/// with a header type or bearer identity that fits.
const fn looks_plain(octet: u8) -> bool {
    matches!(octet, 7 | 15) || octet & 15 == 2 && !matches!(octet >> 4, 1..=4)
}

/// Where a TCP packet is cut: after its ports. `None` for everything else.
fn tcp_cut(packet: &[u8]) -> Option<usize> {
    const TCP: u8 = 6;
    const PORTS: usize = 4;
    let first = *packet.first()?;
    match first >> 4 {
        4 if packet.get(9) == Some(&TCP) => Some(usize::from(first & 15) * 4 + PORTS),
        6 if packet.get(6) == Some(&TCP) => Some(40 + PORTS),
        _ => None,
    }
}

/// A link that carries IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IpLink {
    /// GTP-U between eNB and SGW.
    S1u,
    /// Diameter between MME and HSS.
    S6a,
    /// GTPv2-C between SGW and PGW.
    S5c,
    /// GTP-U between SGW and PGW.
    S5u,
}

impl IpLink {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::S1u, "S1-U", "GTP-U between eNB and SGW"),
        (Self::S6a, "S6a", "Diameter between MME and HSS"),
        (Self::S5c, "S5-C", "GTPv2-C between SGW and PGW"),
        (Self::S5u, "S5-U", "GTP-U between SGW and PGW"),
    ];
}

/// How much of the session keys a capture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// KASME, XRES, CK and IK are zeros of the same length.
    Masked,
    /// They are in the file, which the user asked for.
    Shown,
}

/// One direction of a TCP connection.
#[derive(Debug, Default)]
struct Half {
    sent: u32,
    masked: MaskedStream,
}

/// Writes a pcapng file with an interface for each link. The same calls write the same octets.
///
/// A user's packet crosses S1-U, S5-U and SGi. A reader that puts TCP together knows one stream by
/// its addresses and ports, whatever the interface, and takes the second and third copy of a
/// segment for a faulty retransmission. So TCP stands whole on S5-U, and on the other two it is cut
/// after its ports; everything else stands whole everywhere.
///
/// Links of the virtual world carry messages, not packets: UDP, TCP and IP headers are made up
/// around them, TCP with sequence numbers that fit, so that a reader can put messages together.
#[derive(Debug)]
pub struct Capture<W> {
    out: Writer<W>,
    keys: Keys,
    links: BTreeMap<IpLink, InterfaceId>,
    nas: InterfaceId,
    nas_plain: InterfaceId,
    segments: BTreeMap<String, InterfaceId>,
    halves: BTreeMap<(SocketAddr, SocketAddr), Half>,
}

impl<W: io::Write> Capture<W> {
    /// Begins a file.
    pub fn new(out: W, keys: Keys) -> io::Result<Self> {
        let mut out = Writer::new(out, concat!("heiiki ", env!("CARGO_PKG_VERSION")))?;
        let nas = out.interface("S1 NAS", "NAS as on the wire", LinkType::ExportedPdu)?;
        let nas_plain = out.interface("S1 NAS plain", "NAS deciphered", LinkType::ExportedPdu)?;
        let mut links = BTreeMap::new();
        for (link, name, description) in IpLink::ALL {
            links.insert(link, out.interface(name, description, LinkType::RawIp)?);
        }
        Ok(Self {
            out,
            keys,
            links,
            nas,
            nas_plain,
            segments: BTreeMap::new(),
            halves: BTreeMap::new(),
        })
    }

    /// A UDP datagram on a link.
    pub fn udp(
        &mut self,
        link: IpLink,
        at: WallTime,
        from: SocketAddr,
        to: SocketAddr,
        payload: &[u8],
    ) -> io::Result<()> {
        let (Some(packet), Some(id)) = (ip::udp(from, to, payload), self.links.get(&link)) else {
            return Ok(());
        };
        let inner = packet.len() - payload.len() + GTP_U_HEADER;
        let cut = match (link, payload) {
            (IpLink::S1u, [_, G_PDU, ..]) => {
                packet.get(inner..).and_then(tcp_cut).map(|n| inner + n)
            }
            _ => None,
        };
        self.write(*id, at, &packet, cut)
    }

    /// Octets of a Diameter connection. The keys in its messages are masked before they are
    /// written, so a message appears when its last octet has come.
    pub fn diameter(
        &mut self,
        at: WallTime,
        from: SocketAddr,
        to: SocketAddr,
        octets: &[u8],
    ) -> io::Result<()> {
        /// More than this is sent as several segments; a packet has 65,535 octets at most.
        const SEGMENT: usize = 32_768;
        let acknowledged = self
            .halves
            .get(&(to, from))
            .map_or(1, |h| h.sent.wrapping_add(1));
        let half = self.halves.entry((from, to)).or_default();
        let octets = match self.keys {
            Keys::Masked => half.masked.push(octets),
            Keys::Shown => octets.to_vec(),
        };
        for segment in octets.chunks(SEGMENT) {
            let sequence = half.sent.wrapping_add(1);
            half.sent = half
                .sent
                .wrapping_add(u32::try_from(segment.len()).unwrap_or(0));
            let packet = ip::tcp(from, to, sequence, acknowledged, segment);
            if let (Some(packet), Some(id)) = (packet, self.links.get(&IpLink::S6a)) {
                self.out.packet(*id, at, &packet, "")?;
            }
        }
        Ok(())
    }

    /// Forgets a Diameter connection, so that the next one of the same ends starts afresh.
    pub fn diameter_closed(&mut self, a: SocketAddr, b: SocketAddr) {
        self.halves.remove(&(a, b));
        self.halves.remove(&(b, a));
    }

    /// An IP packet between the gateway and the corporate segment of `tenant`; each tenant is an
    /// interface of its own, since their addresses may be the same.
    pub fn sgi(&mut self, tenant: &str, at: WallTime, packet: &[u8]) -> io::Result<()> {
        let id = if let Some(id) = self.segments.get(tenant) {
            *id
        } else {
            let name = format!("SGi {tenant}");
            let id = self
                .out
                .interface(&name, "corporate segment", LinkType::RawIp)?;
            self.segments.insert(tenant.to_owned(), id);
            id
        };
        self.write(id, at, packet, tcp_cut(packet))
    }

    fn write(
        &mut self,
        id: InterfaceId,
        at: WallTime,
        packet: &[u8],
        cut: Option<usize>,
    ) -> io::Result<()> {
        let kept = cut.and_then(|n| packet.get(..n)).unwrap_or(packet);
        self.out.beginning(id, at, kept, packet.len(), "")
    }

    /// A NAS message as on the wire. The comment says whose it is and which way it goes, which
    /// the message itself may not.
    ///
    /// A reader guesses from the first octet behind the header whether a message is ciphered. One
    /// that `is_ciphered` and looks plain by chance stands as data, or it would be called malformed.
    pub fn nas(
        &mut self,
        at: WallTime,
        comment: &str,
        octets: &[u8],
        is_ciphered: bool,
    ) -> io::Result<()> {
        let is_misread = is_ciphered && octets.get(6).is_some_and(|o| looks_plain(*o));
        let pdu = exported(if is_misread { "data" } else { "nas-eps" }, octets);
        self.out.packet(self.nas, at, &pdu, comment)
    }

    /// The plain NAS message inside a protected one.
    pub fn nas_plain(&mut self, at: WallTime, comment: &str, octets: &[u8]) -> io::Result<()> {
        let pdu = exported("nas-eps_plain", octets);
        self.out.packet(self.nas_plain, at, &pdu, comment)
    }

    /// Hands everything to the operating system.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A PDU behind the name of its dissector, as `LINKTYPE_WIRESHARK_UPPER_PDU` has it.
fn exported(dissector: &str, octets: &[u8]) -> Vec<u8> {
    const DISSECTOR_NAME: u16 = 12;
    const END: u16 = 0;
    let mut name = dissector.as_bytes().to_vec();
    name.resize(name.len().next_multiple_of(4), 0);
    let mut out = Vec::with_capacity(8 + name.len() + octets.len());
    out.extend(DISSECTOR_NAME.to_be_bytes());
    out.extend(u16::try_from(name.len()).unwrap_or(0).to_be_bytes());
    out.extend(name);
    out.extend(END.to_be_bytes());
    out.extend(0_u16.to_be_bytes());
    out.extend_from_slice(octets);
    out
}

#[cfg(test)]
mod tests;
