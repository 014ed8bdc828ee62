//! Session keys in Diameter messages, replaced by zeros of the same length.

/// Octets of a Diameter header, RFC 6733 §3.
const HEADER: usize = 20;
/// The vendor of the AVPs of TS 29.272.
const VENDOR_3GPP: u32 = 10415;
/// E-UTRAN-, UTRAN- and GERAN-Vector, and Authentication-Info around them, TS 29.272 §7.3.
const VECTORS: [u32; 4] = [1413, 1414, 1415, 1416];
/// Confidentiality-Key, Integrity-Key, XRES, KASME, Kc and SRES.
const SECRETS: [u32; 6] = [625, 626, 1448, 1450, 1453, 1454];

/// Takes whole messages out of a byte stream and masks the keys in them.
#[derive(Clone, Debug, Default)]
pub(super) struct MaskedStream(Vec<u8>);

impl MaskedStream {
    /// Adds octets of the stream and gives the whole messages that are there now, masked. What
    /// follows them waits for its end, since a key may lie across the boundary.
    pub(super) fn push(&mut self, octets: &[u8]) -> Vec<u8> {
        self.0.extend_from_slice(octets);
        let mut out = Vec::new();
        while let Some(length) = message_length(&self.0) {
            if self.0.len() < length {
                break;
            }
            let rest = self.0.split_off(length);
            let mut message = core::mem::replace(&mut self.0, rest);
            mask(&mut message);
            out.append(&mut message);
        }
        out
    }
}

/// The length of the message at the head. A length that no message has is that of a header: the
/// stream is broken, and goes on somehow.
fn message_length(octets: &[u8]) -> Option<usize> {
    let [_, a, b, c] = *octets.first_chunk()?;
    Some(number(&[a, b, c]).max(HEADER))
}

fn number(octets: &[u8]) -> usize {
    octets.iter().fold(0, |n, o| n << 8 | usize::from(*o))
}

/// Replaces the session keys of one message by zeros.
pub(super) fn mask(message: &mut [u8]) {
    if let Some((_, avps)) = message.split_at_mut_checked(HEADER) {
        mask_avps(avps, 0);
    }
}

fn mask_avps(mut avps: &mut [u8], depth: u8) {
    while let Some(length) = avp_length(avps) {
        let padded = length.next_multiple_of(4).min(avps.len());
        let (avp, rest) = avps.split_at_mut(padded);
        mask_avp(avp, length, depth);
        avps = rest;
    }
}

/// The length field of the AVP at the head, unless it cannot be right.
fn avp_length(avps: &[u8]) -> Option<usize> {
    let [_, _, _, _, _, a, b, c] = *avps.first_chunk()?;
    let length = number(&[a, b, c]);
    (8..=avps.len()).contains(&length).then_some(length)
}

fn mask_avp(avp: &mut [u8], length: usize, depth: u8) {
    /// Vectors are two groups deep; a message of nothing but groups is no reason to go deeper.
    const DEEPEST: u8 = 4;
    let Some([c0, c1, c2, c3, flags, ..]) = avp.first_chunk::<8>().copied() else {
        return;
    };
    let code = u32::from_be_bytes([c0, c1, c2, c3]);
    let has_vendor = flags & 0x80 != 0;
    let start = if has_vendor { 12 } else { 8 };
    let vendor = avp.get(8..12).and_then(|v| v.first_chunk().copied());
    let ours = has_vendor && vendor.map(u32::from_be_bytes) == Some(VENDOR_3GPP);
    let Some(value) = avp.get_mut(start..length).filter(|_| ours) else {
        return;
    };
    if SECRETS.contains(&code) {
        value.fill(0);
    } else if VECTORS.contains(&code) {
        if depth < DEEPEST {
            mask_avps(value, depth + 1);
        } else {
            value.fill(0);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn avp(code: u32, value: &[u8]) -> Vec<u8> {
        let mut out = code.to_be_bytes().to_vec();
        let length = u32::try_from(12 + value.len()).unwrap();
        out.extend((0xc000_0000 | length).to_be_bytes());
        out.extend(VENDOR_3GPP.to_be_bytes());
        out.extend(value);
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    pub(in crate::observe) fn answer() -> Vec<u8> {
        let vector = [
            avp(1447, &[0xd1; 16]),
            avp(1448, &[0xd2; 9]),
            avp(1449, &[0xd3; 16]),
            avp(1450, &[0xd4; 32]),
        ];
        let umts = [avp(625, &[0xd5; 16]), avp(626, &[0xd6; 16])];
        let vectors = [avp(1414, &vector.concat()), avp(1415, &umts.concat())];
        let info = avp(1413, &vectors.concat());
        let length = u32::try_from(HEADER + info.len()).unwrap();
        let mut message = (0x0100_0000 | length).to_be_bytes().to_vec();
        message.extend([0x40, 0, 1, 0x3e, 1, 0, 0, 0x23, 0, 0, 0, 1, 0, 0, 0, 2]);
        message.extend(info);
        message
    }

    fn count(octets: &[u8], octet: u8) -> usize {
        octets.iter().map(|o| usize::from(*o == octet)).sum()
    }

    fn assert_masked(octets: &[u8]) {
        for secret in [0xd2, 0xd4, 0xd5, 0xd6] {
            assert_eq!(count(octets, secret), 0, "{secret:x}");
        }
        assert_eq!(count(octets, 0xd1), 16);
        assert_eq!(count(octets, 0xd3), 16);
    }

    #[test]
    fn keys_are_zeroed_and_nothing_else() {
        let mut message = answer();
        mask(&mut message);
        assert_masked(&message);
        let mut put_back = answer();
        for secret in [0xd2, 0xd4, 0xd5, 0xd6] {
            put_back
                .iter_mut()
                .filter(|o| **o == secret)
                .for_each(|o| *o = 0);
        }
        assert_eq!(message, put_back);
    }

    #[test]
    fn a_key_across_a_boundary_is_masked() {
        let message = answer();
        for cut in 0..message.len() {
            let mut stream = MaskedStream::default();
            let (a, b) = message.split_at(cut);
            let mut out = stream.push(a);
            out.extend(stream.push(b));
            out.extend(stream.push(&message));
            assert_eq!(out.len(), 2 * message.len());
            assert_masked(&out[..message.len()]);
            assert_masked(&out[message.len()..]);
        }
    }

    #[test]
    fn no_input_panics() {
        let message = answer();
        for cut in 0..message.len() {
            mask(&mut message[..cut].to_vec());
        }
        for bit in 0..8 * message.len() {
            let mut flipped = message.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            mask(&mut flipped);
            MaskedStream::default().push(&flipped);
        }
    }
}
