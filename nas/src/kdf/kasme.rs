//! KASME, TS 33.401 §A.2: the one key that an HSS derives for every vector.
//!
//! HMAC-SHA-256 of 14 octets under a key of 32 is four compressions of one block each. Two begin
//! from constants and do not wait for each other, nor do those of different SIMs; a processor
//! overlaps them when they stand side by side, which a general HMAC does not let them. Where it has
//! 512-bit registers, the compressions of sixteen SIMs go through them together.

use core::array::from_fn;

use heiiki_types::{Key128, Key256, PlmnId};
use sha2::block_api::compress256;

#[cfg(all(feature = "std", any(target_arch = "x86", target_arch = "x86_64")))]
mod lanes;
#[cfg(all(feature = "std", any(target_arch = "x86", target_arch = "x86_64")))]
mod sixteen;

/// FC of KASME.
const FC: u8 = 0x10;

/// The state that SHA-256 begins with, FIPS 180-4 §5.3.3.
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// What one KASME is made of.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "keys must not print")]
pub struct KasmeInputs<'a> {
    /// The cipher key.
    pub ck: &'a Key128,
    /// The integrity key.
    pub ik: &'a Key128,
    /// The serving network.
    pub plmn: PlmnId,
    /// SQN ^ AK, as AUTN has it.
    pub sqn_xor_ak: [u8; 6],
}

/// KASME from CK and IK, bound to the serving network.
pub fn kasme(ck: &Key128, ik: &Key128, plmn: PlmnId, sqn_xor_ak: [u8; 6]) -> Key256 {
    let mut lane = Lane::new();
    let input = KasmeInputs {
        ck,
        ik,
        plmn,
        sqn_xor_ak,
    };
    lane.absorb_key(&input);
    lane.absorb_message(&input);
    lane.absorb_digest();
    Key256::new(octets(&lane.outer))
}

/// What holds secrets between the steps.
struct Lane {
    inner: [u32; 8],
    outer: [u32; 8],
    block: [u8; 64],
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.inner = [0; 8];
        self.outer = [0; 8];
        self.block = [0; 64];
        zeroize::optimization_barrier(self);
    }
}

/// Several at once, for SIMs that have nothing to do with each other; best in multiples of
/// [`BATCH`].
#[must_use]
pub fn kasmes<const N: usize>(inputs: [KasmeInputs<'_>; N]) -> [Key256; N] {
    let mut keys = inputs.map(|_| Key256::new([0; 32]));
    let (batches, rest) = inputs.as_chunks::<BATCH>();
    let (places, last) = keys.as_chunks_mut::<BATCH>();
    for (places, inputs) in places.iter_mut().zip(batches) {
        if !together(places, inputs) {
            side_by_side(places, inputs);
        }
    }
    side_by_side(last, rest);
    keys
}

/// How many SIMs go well together.
pub const BATCH: usize = 16;

/// Sixteen at once; no, where the processor has nothing for it.
#[cfg(all(feature = "std", any(target_arch = "x86", target_arch = "x86_64")))]
fn together(keys: &mut [Key256; BATCH], inputs: &[KasmeInputs<'_>; BATCH]) -> bool {
    sixteen::kasmes(keys, inputs)
}

#[cfg(not(all(feature = "std", any(target_arch = "x86", target_arch = "x86_64"))))]
const fn together(_: &mut [Key256; BATCH], _: &[KasmeInputs<'_>; BATCH]) -> bool {
    false
}

/// With the instructions for one hash, up to eight at a time: more would only leave the cache.
fn side_by_side(keys: &mut [Key256], inputs: &[KasmeInputs<'_>]) {
    for (keys, inputs) in keys.chunks_mut(8).zip(inputs.chunks(8)) {
        let mut lanes: [Lane; 8] = from_fn(|_| Lane::new());
        for (lane, input) in lanes.iter_mut().zip(inputs) {
            lane.absorb_key(input);
        }
        for (lane, input) in lanes.iter_mut().zip(inputs) {
            lane.absorb_message(input);
        }
        for ((lane, key), _) in lanes.iter_mut().zip(keys).zip(inputs) {
            lane.absorb_digest();
            *key = Key256::new(octets(&lane.outer));
        }
    }
}

impl Lane {
    const fn new() -> Self {
        Self {
            inner: INITIAL,
            outer: INITIAL,
            block: [0; 64],
        }
    }

    #[inline]
    fn absorb_key(&mut self, input: &KasmeInputs<'_>) {
        // Whole words: a store of single octets would hold up the load that follows.
        let ck = u128::from_ne_bytes(*input.ck.expose());
        let ik = u128::from_ne_bytes(*input.ik.expose());
        self.block = padded(ck, ik, 0x36);
        compress256(&mut self.inner, &[self.block]);
        self.block = padded(ck, ik, 0x5c);
        compress256(&mut self.outer, &[self.block]);
    }

    #[inline]
    fn absorb_message(&mut self, input: &KasmeInputs<'_>) {
        let [p0, p1, p2] = input.plmn.octets();
        let [s0, s1, s2, s3, s4, s5] = input.sqn_xor_ak;
        // FC, both parameters with their lengths, one bit, and the length: 78 octets in bits.
        let mut message = [0; 64];
        let head = [FC, p0, p1, p2, 0, 3, s0, s1, s2, s3, s4, s5, 0, 6, 0x80, 0];
        message[..16].copy_from_slice(&u128::from_ne_bytes(head).to_ne_bytes());
        message[62..].copy_from_slice(&(8 * 78_u16).to_be_bytes());
        compress256(&mut self.inner, &[message]);
    }

    #[inline]
    fn absorb_digest(&mut self) {
        // The digest, one bit, and the length of both blocks: 96 octets in bits.
        self.block = [0; 64];
        self.block[..32].copy_from_slice(&octets(&self.inner));
        self.block[32] = 0x80;
        self.block[62..].copy_from_slice(&(8 * 96_u16).to_be_bytes());
        compress256(&mut self.outer, &[self.block]);
    }
}

/// A key under one of the pads of HMAC.
#[inline]
fn padded(ck: u128, ik: u128, pad: u8) -> [u8; 64] {
    let pad = u128::from_ne_bytes([pad; 16]);
    let mut block = [0; 64];
    let words = [ck ^ pad, ik ^ pad, pad, pad];
    for (b, word) in block.as_chunks_mut::<16>().0.iter_mut().zip(words) {
        *b = word.to_ne_bytes();
    }
    block
}

#[inline]
fn octets(state: &[u32; 8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (o, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *o = word.to_be_bytes();
    }
    out
}
