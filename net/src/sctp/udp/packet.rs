//! As much of SCTP's packet format (RFC 9260 §3) as tells associations apart, and the two packets
//! that are sent without one.

use std::sync::LazyLock;

/// Octets of the common header.
const HEADER: usize = 12;

/// The first chunk of a packet, as far as it matters to somebody without the association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    Init {
        tag: u32,
    },
    InitAck {
        tag: u32,
    },
    Heartbeat,
    Abort,
    ShutdownAck,
    CookieEcho,
    /// COOKIE ACK, SHUTDOWN COMPLETE, ERROR: nothing to say to these without an association.
    Silent,
    Other,
}

/// What the head of a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) from: u16,
    pub(super) to: u16,
    pub(super) tag: u32,
    pub(super) first: First,
}

impl Head {
    /// `None` for what is too short to be a packet with a chunk.
    pub(super) fn read(packet: &[u8]) -> Option<Self> {
        let (header, chunk) = packet.split_at_checked(HEADER)?;
        let [f0, f1, t0, t1, v0, v1, v2, v3, ..] = header else {
            return None;
        };
        let [kind, _, _, _, value @ ..] = chunk else {
            return None;
        };
        let tag = value.first_chunk::<4>().map(|t| u32::from_be_bytes(*t));
        let first = match kind {
            1 => First::Init { tag: tag? },
            2 => First::InitAck { tag: tag? },
            4 => First::Heartbeat,
            6 => First::Abort,
            8 => First::ShutdownAck,
            10 => First::CookieEcho,
            9 | 11 | 14 => First::Silent,
            _ => First::Other,
        };
        Some(Self {
            from: u16::from_be_bytes([*f0, *f1]),
            to: u16::from_be_bytes([*t0, *t1]),
            tag: u32::from_be_bytes([*v0, *v1, *v2, *v3]),
            first,
        })
    }
}

/// Whether the checksum of a packet is right.
pub(super) fn is_sound(packet: &[u8]) -> bool {
    let (Some(head), Some(sum), Some(rest)) =
        (packet.get(..8), packet.get(8..12), packet.get(12..))
    else {
        return false;
    };
    let crc = crc32c(head.iter().chain(&[0; 4]).chain(rest));
    sum == crc.to_le_bytes()
}

/// Tells a peer that there is no such association: ABORT with the T bit (RFC 9260 §8.4).
pub(super) fn abort(head: &Head) -> Vec<u8> {
    reply(head, 6)
}

/// Ends the wait of a peer whose SHUTDOWN COMPLETE was lost.
pub(super) fn shutdown_complete(head: &Head) -> Vec<u8> {
    reply(head, 14)
}

fn reply(head: &Head, kind: u8) -> Vec<u8> {
    let mut packet = Vec::with_capacity(16);
    packet.extend(head.to.to_be_bytes());
    packet.extend(head.from.to_be_bytes());
    packet.extend(head.tag.to_be_bytes());
    packet.extend([0; 4]);
    // The T bit: the tag is the one of the packet that is answered.
    packet.extend([kind, 1, 0, 4]);
    let sum = crc32c(&packet).to_le_bytes();
    if let Some(place) = packet.get_mut(8..12) {
        place.copy_from_slice(&sum);
    }
    packet
}

/// The checksum of a whole packet whose checksum field is zero.
#[cfg(test)]
pub(super) fn checksum(packet: &[u8]) -> u32 {
    crc32c(packet)
}

static TABLE: LazyLock<[u32; 256]> = LazyLock::new(|| {
    let bit = |crc: u32, _| crc >> 1 ^ if crc & 1 == 1 { 0x82F6_3B78 } else { 0 };
    let mut octets = 0..;
    [(); 256].map(|()| (0..8).fold(octets.next().unwrap_or_default(), bit))
});

fn crc32c<'a>(octets: impl IntoIterator<Item = &'a u8>) -> u32 {
    let step = |crc: u32, octet: &u8| {
        let [low, ..] = crc.to_le_bytes();
        let entry = TABLE.get(usize::from(low ^ octet)).copied();
        crc >> 8 ^ entry.unwrap_or_default()
    };
    !octets.into_iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_crc32c() {
        // The check value that catalogues of CRCs give for CRC-32C.
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn a_reply_has_the_ports_swapped_and_the_tag_kept() {
        let mut data = vec![0x0f, 0x1c, 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 0];
        data.extend([0, 3, 0, 20]);
        let head = Head::read(&data).unwrap();
        assert_eq!((head.from, head.to), (3868, 0x1234));
        let abort = abort(&head);
        assert!(is_sound(&abort));
        let back = Head::read(&abort).unwrap();
        assert_eq!((back.from, back.to, back.tag), (0x1234, 3868, 0xdead_beef));
        assert_eq!(back.first, First::Abort);
        let mut broken = abort;
        broken[13] = 0;
        assert!(!is_sound(&broken));
    }

    #[test]
    fn nothing_short_is_a_packet() {
        for length in 0..16 {
            assert_eq!(Head::read(&vec![1; length]), None, "{length}");
        }
        assert!(Head::read(&[0; 16]).is_some());
        // An INIT that ends before its tag.
        assert_eq!(
            Head::read(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 4]),
            None
        );
    }
}
