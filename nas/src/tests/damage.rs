//! No octets make the codec panic, and what it reads it can write and read again.

use heiiki_types::{Key256, Rng};

use super::samples::samples;
use crate::security::{Eea, Eia, NasSecurityContext, peek_header, plain_of_protected};
use crate::{Direction, Ksi, decode_plain};

fn context() -> NasSecurityContext {
    let kasme = Key256::new([7; 32]);
    NasSecurityContext::new(&kasme, Eea::Eea2, Eia::Eia2, Ksi::NO_KEY)
}

/// Reads octets in every way there is; whether they are a message in some direction.
fn read(octets: &[u8]) -> bool {
    let mut is_message = false;
    for direction in [Direction::Uplink, Direction::Downlink] {
        if let Ok(message) = decode_plain(octets, direction) {
            is_message = true;
            let again = message.encode();
            assert_eq!(
                decode_plain(&again, direction),
                Ok(message),
                "{octets:02x?}"
            );
        }
    }
    let _ = peek_header(octets);
    let _ = plain_of_protected(octets);
    is_message
}

#[test]
fn every_prefix_of_a_message() {
    for sample in samples() {
        for len in 0..sample.octets.len() {
            read(sample.octets.get(..len).unwrap());
        }
    }
}

#[test]
fn every_single_bit() {
    for sample in samples() {
        for bit in 0..sample.octets.len() * 8 {
            let mut octets = sample.octets.clone();
            octets[bit / 8] ^= 1 << (bit % 8);
            read(&octets);
        }
    }
}

#[test]
fn a_hundred_thousand_mutations() {
    let samples = samples();
    let mut rng = Rng::from_seed(24_301);
    let pick =
        |rng: &mut Rng, n: usize| usize::try_from(rng.below(u64::try_from(n).unwrap())).unwrap();
    let mut read_well = 0_u32;
    for _ in 0..100_000 {
        let mut octets = samples[pick(&mut rng, samples.len())].octets.clone();
        for _ in 0..=rng.below(4) {
            let at = pick(&mut rng, octets.len().max(1));
            let [value] = rng.octets();
            match rng.below(5) {
                0 if !octets.is_empty() => octets[at] = value,
                1 if !octets.is_empty() => octets[at] ^= 1 << (value % 8),
                2 => octets.truncate(at),
                3 => octets.insert(at, value),
                _ => {
                    // The tail of another message after the head of this one.
                    let other = &samples[pick(&mut rng, samples.len())].octets;
                    octets.truncate(at);
                    octets.extend(&other[pick(&mut rng, other.len())..]);
                }
            }
        }
        read_well += u32::from(read(&octets));
    }
    // Most damage is in optional or free parts: a codec that refuses everything proves nothing.
    assert!(read_well > 20_000, "{read_well}");
}

#[test]
fn damaged_protected_messages_are_refused_and_change_nothing() {
    let mut rng = Rng::from_seed(24_301);
    let (mut sender, mut receiver) = (context(), context());
    for sample in samples() {
        let header = crate::security::SecurityHeader::IntegrityCiphered;
        let direction = sample.direction;
        let pdu = sender.protect(direction, header, &sample.octets).unwrap();
        let before = receiver.next_count(direction);
        for len in 0..pdu.len() {
            assert!(receiver.unprotect(direction, &pdu[..len]).is_err());
        }
        for _ in 0..200 {
            let mut damaged = pdu.clone();
            let at = usize::try_from(rng.below(u64::try_from(pdu.len()).unwrap())).unwrap();
            damaged[at] ^= 1 << rng.below(8);
            // The header type is not under the MAC: between types of protection it can change.
            if at > 0 || damaged[0] & 15 != 7 || damaged[0] >> 4 == 0 || damaged[0] >> 4 > 4 {
                assert!(
                    receiver.unprotect(direction, &damaged).is_err(),
                    "{damaged:02x?}"
                );
            }
        }
        assert_eq!(receiver.next_count(direction), before);
        let unprotected = receiver.unprotect(direction, &pdu).unwrap();
        assert_eq!(unprotected.plain, sample.octets);
        assert_eq!(Ok(unprotected.count), before);
    }
}
