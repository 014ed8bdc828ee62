//! The four compressions of KASME for sixteen SIMs at once.

use core::array::from_fn;

use heiiki_types::Key256;
use zeroize::optimization_barrier;

use super::lanes::{LANES, States, Word};
use super::{BATCH, FC, INITIAL, KasmeInputs};

/// Sixteen blocks, word by word; wiped when dropped.
struct Blocks([Word; 16]);

impl Drop for Blocks {
    fn drop(&mut self) {
        self.0 = [[0; LANES]; 16];
        optimization_barrier(self);
    }
}

/// The keys of all inputs; no, where the processor has no such registers.
pub(super) fn kasmes(keys: &mut [Key256; BATCH], inputs: &[KasmeInputs<'_>; BATCH]) -> bool {
    let (Some(mut inner), Some(mut outer)) = (States::begin(INITIAL), States::begin(INITIAL))
    else {
        return false;
    };
    let mut block = under_pad(inputs, 0x3636_3636);
    inner.absorb(&block.0);
    for word in block.0.as_flattened_mut() {
        *word ^= 0x3636_3636 ^ 0x5c5c_5c5c;
    }
    outer.absorb(&block.0);
    inner.absorb(&message(inputs));
    // The digest, one bit, and the length of both blocks: 96 octets in bits.
    block.0 = [[0; LANES]; 16];
    for (word, digest) in block.0.iter_mut().zip(inner.words()) {
        *word = *digest;
    }
    block.0[8] = [1 << 31; LANES];
    block.0[15] = [8 * 96; LANES];
    outer.absorb(&block.0);
    for (key, lane) in keys.iter_mut().zip(0..) {
        let words = outer.words().each_ref().map(|word| at(word, lane));
        *key = Key256::new(super::octets(&words));
    }
    true
}

fn at(word: &Word, lane: usize) -> u32 {
    word.get(lane).copied().unwrap_or_default()
}

/// CK and IK of each SIM under one of the pads of HMAC.
fn under_pad(inputs: &[KasmeInputs<'_>; BATCH], pad: u32) -> Blocks {
    let mut block = Blocks([[pad; LANES]; 16]);
    for (lane, input) in inputs.iter().enumerate() {
        let (ck, ik) = (words(input.ck.expose()), words(input.ik.expose()));
        for (word, key) in block.0.iter_mut().zip(ck.into_iter().chain(ik)) {
            if let Some(place) = word.get_mut(lane) {
                *place ^= key;
            }
        }
    }
    block
}

fn words(key: &[u8; 16]) -> [u32; 4] {
    let key = u128::from_be_bytes(*key);
    [96, 64, 32, 0].map(|shift| low(key >> shift))
}

/// The lowest 32 bits.
fn low(number: u128) -> u32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// FC, both parameters with their lengths, one bit, and the length: 78 octets in bits.
fn message(inputs: &[KasmeInputs<'_>; BATCH]) -> [Word; 16] {
    let heads: [[u32; 4]; LANES] = from_fn(|lane| {
        inputs.get(lane).map_or([0; 4], |input| {
            let [p0, p1, p2] = input.plmn.octets();
            let [s0, s1, s2, s3, s4, s5] = input.sqn_xor_ak;
            words(&[FC, p0, p1, p2, 0, 3, s0, s1, s2, s3, s4, s5, 0, 6, 0x80, 0])
        })
    });
    let mut block = [[0; LANES]; 16];
    for (word, place) in block.iter_mut().zip(0..4) {
        *word = heads.map(|head| head.get(place).copied().unwrap_or_default());
    }
    block[15] = [8 * 78; LANES];
    block
}
