//! The resynchronisation token of a USIM, TS 33.102 §6.3.3: `AUTS = (SQN_MS ^ AK*) || MAC-S`.

use heiiki_types::constant_time_eq;

use super::milenage::Milenage;
use super::sqn::Sqn;

/// AMF as it goes into MAC-S: a dummy of zeros, so that AMF need not be sent.
const AMF_OF_AUTS: [u8; 2] = [0; 2];

/// The MAC-S is not that of this SIM: whoever made the AUTS does not hold its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forged;

/// The highest SQN that the USIM accepted, if the AUTS that it answered the challenge `rand` with
/// is genuine. MAC-S is compared in constant time.
pub fn open(sim: &Milenage, rand: &[u8; 16], auts: &[u8; 14]) -> Result<Sqn, Forged> {
    let (sqn, mac_s) = split(sim, rand, auts);
    let expected = sim.f1star(rand, sqn.octets(), AMF_OF_AUTS);
    if constant_time_eq(&expected, &mac_s) {
        Ok(sqn)
    } else {
        Err(Forged)
    }
}

/// The SQN of an AUTS that nobody checked; only for a run that weakens the check to prove that it
/// matters.
pub(crate) fn open_unchecked(sim: &Milenage, rand: &[u8; 16], auts: &[u8; 14]) -> Sqn {
    split(sim, rand, auts).0
}

/// The AUTS of a USIM whose highest accepted number is `sqn`, in answer to the challenge `rand`.
pub fn seal(sim: &Milenage, rand: &[u8; 16], sqn: Sqn) -> [u8; 14] {
    let [s0, s1, s2, s3, s4, s5] = sim.f5star(rand).xor(sqn.octets());
    let [m0, m1, m2, m3, m4, m5, m6, m7] = sim.f1star(rand, sqn.octets(), AMF_OF_AUTS);
    [s0, s1, s2, s3, s4, s5, m0, m1, m2, m3, m4, m5, m6, m7]
}

fn split(sim: &Milenage, rand: &[u8; 16], auts: &[u8; 14]) -> (Sqn, [u8; 8]) {
    let [s0, s1, s2, s3, s4, s5, mac_s @ ..] = *auts;
    let sqn = sim.f5star(rand).xor([s0, s1, s2, s3, s4, s5]);
    (Sqn::from_octets(sqn), mac_s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use heiiki_types::{Key128, Rng};

    fn sim() -> Milenage {
        Milenage::new(&Key128::new([0x46; 16]), &Key128::new([0xcd; 16]))
    }

    #[test]
    fn a_genuine_token_shows_its_number() {
        let mut rng = Rng::from_seed(6_33);
        for _ in 0..200 {
            let rand = rng.octets();
            let sqn = Sqn::from_octets(rng.octets());
            assert_eq!(open(&sim(), &rand, &seal(&sim(), &rand, sqn)), Ok(sqn));
        }
    }

    #[test]
    fn every_changed_bit_of_token_or_challenge_is_a_forgery() {
        let rand = [7; 16];
        let auts = seal(&sim(), &rand, Sqn::from_value(0x1234).unwrap());
        for bit in 0..8 * 14 {
            let mut forged = auts;
            forged[bit / 8] ^= 0x80 >> (bit % 8);
            assert_eq!(open(&sim(), &rand, &forged), Err(Forged), "bit {bit}");
        }
        for bit in 0..8 * 16 {
            let mut other = rand;
            other[bit / 8] ^= 0x80 >> (bit % 8);
            assert_eq!(open(&sim(), &other, &auts), Err(Forged), "bit {bit}");
        }
    }
}
