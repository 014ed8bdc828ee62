//! Fragmentation of IPv4 packets that are longer than the next link carries (RFC 791 §3.2).

use alloc::vec::Vec;

use super::packet::{V4_HEADER, sum};

/// The parts of an IPv4 packet without options, each of at most `mtu` octets. The packet may be a
/// fragment itself.
pub(super) fn split(packet: &[u8], mtu: usize) -> Vec<Vec<u8>> {
    let Some((header, payload)) = packet.split_first_chunk::<V4_HEADER>() else {
        return Vec::new();
    };
    let room = (mtu.saturating_sub(V4_HEADER) / 8 * 8).max(8);
    let field = u16::from_be_bytes([header[6], header[7]]);
    let (flags, offset) = (field & 0xe000, field & 0x1fff);
    let parts = payload.chunks(room);
    let last = parts.len().saturating_sub(1);
    let part = |(place, part): (usize, &[u8])| {
        let units = u16::try_from(place * room / 8).unwrap_or(u16::MAX);
        let more = if place < last { 0x2000 } else { 0 };
        let field = (flags | more) | (offset.saturating_add(units) & 0x1fff);
        let total = u16::try_from(V4_HEADER + part.len()).unwrap_or(u16::MAX);
        let mut out = Vec::with_capacity(V4_HEADER + part.len());
        out.extend_from_slice(header);
        out.splice(2..4, total.to_be_bytes());
        out.splice(6..8, field.to_be_bytes());
        out.splice(10..12, [0, 0]);
        let check = !sum(&out, 0);
        out.splice(10..12, check.to_be_bytes());
        out.extend_from_slice(part);
        out
    };
    parts.enumerate().map(part).collect()
}
