//! What a UDP probe carries, so that its echo can be told from anything else.

use alloc::vec::Vec;

use heiiki_types::Instant;

/// Octets that every probe payload has; the rest is padding.
pub const PAYLOAD_MIN: u16 = 24;

const MAGIC: [u8; 4] = *b"hkpr";

/// The payload of a probe: `magic(4) | token(8) | seq(4) | sent_at(8) | padding`, numbers big
/// endian, the time in microseconds of the sender's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The command or stream that it belongs to.
    pub token: u64,
    /// Its number, counted from zero.
    pub seq: u32,
    /// When it left.
    pub sent_at: Instant,
}

impl Payload {
    /// The payload's octets, padded with zeros to `size`.
    pub fn encode(&self, size: u16) -> Vec<u8> {
        let mut out = Vec::with_capacity(usize::from(size.max(PAYLOAD_MIN)));
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.token.to_be_bytes());
        out.extend_from_slice(&self.seq.to_be_bytes());
        out.extend_from_slice(&self.sent_at.as_micros().to_be_bytes());
        out.resize(usize::from(size.max(PAYLOAD_MIN)), 0);
        out
    }

    /// Reads a payload; `None` when the octets are not one.
    pub fn decode(octets: &[u8]) -> Option<Self> {
        let (magic, rest) = octets.split_first_chunk::<4>()?;
        let (token, rest) = rest.split_first_chunk::<8>()?;
        let (seq, rest) = rest.split_first_chunk::<4>()?;
        let (sent_at, _) = rest.split_first_chunk::<8>()?;
        (*magic == MAGIC).then(|| Self {
            token: u64::from_be_bytes(*token),
            seq: u32::from_be_bytes(*seq),
            sent_at: Instant::from_micros(u64::from_be_bytes(*sent_at)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    #[test]
    fn octets_both_ways() {
        let probe = Payload {
            token: 7,
            seq: 258,
            sent_at: Instant::from_micros(10_000),
        };
        let octets = hex!("686b7072 0000000000000007 00000102 0000000000002710 0000");
        assert_eq!(probe.encode(26), octets);
        assert_eq!(Payload::decode(&octets), Some(probe));
        for len in 0..usize::from(PAYLOAD_MIN) {
            assert_eq!(Payload::decode(&octets[..len]), None);
        }
        assert_eq!(probe.encode(0).len(), usize::from(PAYLOAD_MIN));
    }
}
