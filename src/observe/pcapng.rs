//! The pcapng file format (draft-ietf-opsawg-pcapng): one section, interfaces, enhanced packets.

use std::io;

use heiiki_types::WallTime;

/// What the octets of an interface's packets are, by the registry at tcpdump.org.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkType {
    /// IP packets of either version.
    RawIp,
    /// PDUs behind the name of their dissector.
    ExportedPdu,
}

impl LinkType {
    const fn code(self) -> u16 {
        match self {
            Self::RawIp => 101,
            Self::ExportedPdu => 252,
        }
    }
}

/// An interface of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InterfaceId(u32);

/// Writes one section.
#[derive(Debug)]
pub(super) struct Writer<W> {
    out: W,
    interfaces: u32,
}

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
/// Tells readers which end of a number comes first.
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// The section's length is not known before its end.
const UNKNOWN_LENGTH: u64 = u64::MAX;
const OPTION_END: u16 = 0;
const OPTION_COMMENT: u16 = 1;
const OPTION_IF_NAME: u16 = 2;
const OPTION_IF_DESCRIPTION: u16 = 3;
const OPTION_USER_APPLICATION: u16 = 4;
const OPTION_IF_TIMESTAMP_RESOLUTION: u16 = 9;
const MICROSECONDS: u8 = 6;

impl<W: io::Write> Writer<W> {
    /// Begins a section.
    pub(super) fn new(out: W, application: &str) -> io::Result<Self> {
        let mut writer = Self { out, interfaces: 0 };
        let mut body = Vec::new();
        body.extend(BYTE_ORDER_MAGIC.to_le_bytes());
        body.extend(1_u16.to_le_bytes());
        body.extend(0_u16.to_le_bytes());
        body.extend(UNKNOWN_LENGTH.to_le_bytes());
        option(&mut body, OPTION_USER_APPLICATION, application.as_bytes());
        option(&mut body, OPTION_END, &[]);
        writer.block(SECTION_HEADER, &body)?;
        Ok(writer)
    }

    /// Adds an interface; may come between packets.
    pub(super) fn interface(
        &mut self,
        name: &str,
        description: &str,
        link: LinkType,
    ) -> io::Result<InterfaceId> {
        let id = InterfaceId(self.interfaces);
        self.interfaces += 1;
        let mut body = Vec::new();
        body.extend(link.code().to_le_bytes());
        body.extend(0_u16.to_le_bytes());
        // No limit on the length of a packet.
        body.extend(0_u32.to_le_bytes());
        option(&mut body, OPTION_IF_NAME, name.as_bytes());
        option(&mut body, OPTION_IF_DESCRIPTION, description.as_bytes());
        option(&mut body, OPTION_IF_TIMESTAMP_RESOLUTION, &[MICROSECONDS]);
        option(&mut body, OPTION_END, &[]);
        self.block(INTERFACE_DESCRIPTION, &body)?;
        Ok(id)
    }

    /// Adds a packet; a comment that is not empty stands beside it.
    pub(super) fn packet(
        &mut self,
        interface: InterfaceId,
        at: WallTime,
        octets: &[u8],
        comment: &str,
    ) -> io::Result<()> {
        self.beginning(interface, at, octets, octets.len(), comment)
    }

    /// Adds the first octets of a packet that had `length` of them.
    pub(super) fn beginning(
        &mut self,
        interface: InterfaceId,
        at: WallTime,
        octets: &[u8],
        length: usize,
        comment: &str,
    ) -> io::Result<()> {
        let too_long = |_| io::Error::other("a packet of more than 4 GiB");
        let kept = u32::try_from(octets.len()).map_err(too_long)?;
        let length = u32::try_from(length).map_err(too_long)?;
        let [low, high] = halves(at.as_unix_micros());
        let mut body = Vec::with_capacity(24 + octets.len());
        for field in [interface.0, high, low, kept, length] {
            body.extend(field.to_le_bytes());
        }
        body.extend(octets);
        pad(&mut body);
        if !comment.is_empty() {
            option(&mut body, OPTION_COMMENT, comment.as_bytes());
            option(&mut body, OPTION_END, &[]);
        }
        self.block(ENHANCED_PACKET, &body)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let too_long = |_| io::Error::other("a block of more than 4 GiB");
        let length = u32::try_from(body.len() + 12).map_err(too_long)?;
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(body)?;
        self.out.write_all(&length.to_le_bytes())
    }
}

fn halves(value: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    [[a, b, c, d], [e, f, g, h]].map(u32::from_le_bytes)
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    // Names are ours, and short; what is too long is left out rather than cut.
    if let Ok(length) = u16::try_from(value.len()) {
        body.extend(code.to_le_bytes());
        body.extend(length.to_le_bytes());
        body.extend(value);
        pad(body);
    }
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_with_two_packets() {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, "heiiki").unwrap();
        let id = writer.interface("S6a", "", LinkType::RawIp).unwrap();
        let at = WallTime::from_unix_micros(0x0001_0002_0003_0004);
        writer.packet(id, at, &[0x45, 1, 2, 3, 4], "").unwrap();
        writer.packet(id, at, &[0x45], "red-1").unwrap();
        let want = [
            // Section header: order, version 1.0, unknown length, application, end.
            "0a0d0d0a 2c000000 4d3c2b1a 0100 0000 ffffffffffffffff",
            "0400 0600 686569696b690000 0000 0000 2c000000",
            // Interface: raw IP, no limit, name, empty description, microseconds, end.
            "01000000 2c000000 6500 0000 00000000",
            "0200 0300 53366100 0300 0000 0900 0100 06000000 0000 0000 2c000000",
            // Packet: interface 0, time high and low, lengths, octets, padding.
            "06000000 28000000 00000000 02000100 04000300 05000000 05000000",
            "45010203 04000000 28000000",
            // Packet with a comment.
            "06000000 34000000 00000000 02000100 04000300 01000000 01000000",
            "45000000 0100 0500 7265642d 31000000 0000 0000 34000000",
        ];
        let want: String = want.concat().split_whitespace().collect();
        assert_eq!(heiiki_types::to_hex(&out), want);
    }
}
