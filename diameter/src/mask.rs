use crate::dictionary::{self, Kind, MAX_DEPTH};
use crate::message::HEADER_LEN;

/// Overwrites every key and expected response in the octets of a message with zeroes, lengths kept,
/// so that a capture can be shown around: XRES, KASME, SRES, Kc, CK and IK, in groups too.
///
/// What cannot be walked may hold anything, so it is overwritten as well: the rest of a message
/// after a broken AVP, and groups deeper than [`MAX_DEPTH`].
pub fn mask_secrets(message: &mut [u8]) {
    if let Some((_, avps)) = message.split_at_mut_checked(HEADER_LEN) {
        mask(avps, 0);
    }
}

fn mask(mut avps: &mut [u8], depth: usize) {
    while !avps.is_empty() {
        let Some((header, length, code, vendor)) = header(avps) else {
            avps.fill(0);
            return;
        };
        let end = length.next_multiple_of(4).min(avps.len());
        let Some((avp, rest)) = avps.split_at_mut_checked(end) else {
            return;
        };
        avps = rest;
        let Some((_, data)) = avp.split_at_mut_checked(header) else {
            return;
        };
        match dictionary::lookup(code, vendor) {
            Some(def) if def.is_secret() => data.fill(0),
            Some(def) if def.kind == Kind::Grouped && depth < MAX_DEPTH => {
                let members = length - header;
                if let Some((members, _)) = data.split_at_mut_checked(members) {
                    mask(members, depth + 1);
                }
            }
            Some(def) if def.kind == Kind::Grouped => data.fill(0),
            _ => {}
        }
    }
}

/// Octets of the header and of the whole AVP, code and vendor; `None` when the length is wrong.
fn header(avps: &[u8]) -> Option<(usize, usize, u32, Option<u32>)> {
    let ([c0, c1, c2, c3, flags, l0, l1, l2], rest) = avps.split_first_chunk::<8>()?;
    let length = usize::try_from(u32::from_be_bytes([0, *l0, *l1, *l2])).ok()?;
    let code = u32::from_be_bytes([*c0, *c1, *c2, *c3]);
    let (header, vendor) = if flags & 0x80 == 0 {
        (8, None)
    } else {
        let vendor = rest.first_chunk::<4>()?;
        (12, Some(u32::from_be_bytes(*vendor)))
    };
    (length >= header && length <= avps.len()).then_some((header, length, code, vendor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s6a::AuthenticationInformationAnswer;
    use crate::samples::{aia, corpus, own};
    use crate::{Avp, Message, dictionary as d};

    #[test]
    fn vectors_lose_their_keys_and_nothing_else() {
        let mut octets = aia().to_message().encode();
        mask_secrets(&mut octets);
        let message = Message::decode(&octets).unwrap();
        let answer = AuthenticationInformationAnswer::from_message(&message).unwrap();
        for (masked, plain) in answer.vectors.iter().zip(aia().vectors) {
            assert_eq!(masked.kasme.expose(), &[0; 32]);
            assert!(masked.xres.expose().iter().all(|o| *o == 0));
            assert_eq!(masked.xres.expose().len(), plain.xres.expose().len());
            assert_eq!((masked.rand, masked.autn), (plain.rand, plain.autn));
        }
        for (name, message) in own() {
            let plain = message.encode();
            let mut masked = plain.clone();
            mask_secrets(&mut masked);
            assert_eq!(masked == plain, name != "AIA", "{name}");
        }
    }

    #[test]
    fn keys_in_a_failed_avp_and_after_a_broken_avp_go_too() {
        let mut message = own()[3].1.clone();
        let kasme = Avp::octets(&d::KASME, [0x5a; 32]);
        let failed = Avp::group(&d::FAILED_AVP, core::slice::from_ref(&kasme));
        message.avps.push(failed);
        message.avps.push(kasme);
        let mut octets = message.encode();
        mask_secrets(&mut octets);
        assert!(!octets.contains(&0x5a));
        let mut octets = message.encode();
        octets[HEADER_LEN + 7] = 3;
        mask_secrets(&mut octets);
        assert!(!octets.contains(&0x5a));
    }

    #[test]
    fn no_octets_are_too_odd_to_mask() {
        for mut octets in corpus() {
            for end in 0..octets.len() {
                mask_secrets(&mut octets[..end].to_vec());
            }
            for bit in 0..8 * octets.len() {
                octets[bit / 8] ^= 1 << (bit % 8);
                mask_secrets(&mut octets.clone());
                octets[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
}
