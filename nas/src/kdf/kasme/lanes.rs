//! Sixteen compressions of SHA-256 in one stream of instructions, FIPS 180-4 §6.2.2: one to each
//! lane of a 512-bit register.
//!
//! The rounds of one message wait for each other, also those of the processor's own SHA
//! instructions; those of sixteen messages do not. The module says whether the processor has the
//! registers, and is used only there: narrower ones gain nothing over the SHA instructions.
#![expect(
    clippy::inline_always,
    reason = "what is not inlined is compiled for every processor, without these registers"
)]

use fearless_simd::prelude::*;
use fearless_simd::{Avx512, Level, u32x16};
use zeroize::optimization_barrier;

/// How many messages go together.
pub(super) const LANES: usize = 16;

/// One word of each message.
pub(super) type Word = [u32; LANES];

/// The constants of the rounds, FIPS 180-4 §4.2.2, in the turns in which they are used.
const K: [[u32; 16]; 4] = [
    [
        0x428a_2f98,
        0x7137_4491,
        0xb5c0_fbcf,
        0xe9b5_dba5,
        0x3956_c25b,
        0x59f1_11f1,
        0x923f_82a4,
        0xab1c_5ed5,
        0xd807_aa98,
        0x1283_5b01,
        0x2431_85be,
        0x550c_7dc3,
        0x72be_5d74,
        0x80de_b1fe,
        0x9bdc_06a7,
        0xc19b_f174,
    ],
    [
        0xe49b_69c1,
        0xefbe_4786,
        0x0fc1_9dc6,
        0x240c_a1cc,
        0x2de9_2c6f,
        0x4a74_84aa,
        0x5cb0_a9dc,
        0x76f9_88da,
        0x983e_5152,
        0xa831_c66d,
        0xb003_27c8,
        0xbf59_7fc7,
        0xc6e0_0bf3,
        0xd5a7_9147,
        0x06ca_6351,
        0x1429_2967,
    ],
    [
        0x27b7_0a85,
        0x2e1b_2138,
        0x4d2c_6dfc,
        0x5338_0d13,
        0x650a_7354,
        0x766a_0abb,
        0x81c2_c92e,
        0x9272_2c85,
        0xa2bf_e8a1,
        0xa81a_664b,
        0xc24b_8b70,
        0xc76c_51a3,
        0xd192_e819,
        0xd699_0624,
        0xf40e_3585,
        0x106a_a070,
    ],
    [
        0x19a4_c116,
        0x1e37_6c08,
        0x2748_774c,
        0x34b0_bcb5,
        0x391c_0cb3,
        0x4ed8_aa4a,
        0x5b9c_ca4f,
        0x682e_6ff3,
        0x748f_82ee,
        0x78a5_636f,
        0x84c8_7814,
        0x8cc7_0208,
        0x90be_fffa,
        0xa450_6ceb,
        0xbef9_a3f7,
        0xc671_78f2,
    ],
];

/// The state of sixteen hashes; wiped when dropped.
pub(super) struct States {
    words: [Word; 8],
    registers: Avx512,
}

impl Drop for States {
    fn drop(&mut self) {
        self.words = [[0; LANES]; 8];
        optimization_barrier(self);
    }
}

impl States {
    /// Sixteen hashes that begin with `initial`; none where the processor lacks the registers.
    pub(super) fn begin(initial: [u32; 8]) -> Option<Self> {
        let registers = Level::new().as_avx512()?;
        let words = initial.map(|word| [word; LANES]);
        Some(Self { words, registers })
    }

    /// The states so far, word by word.
    pub(super) const fn words(&self) -> &[Word; 8] {
        &self.words
    }

    /// Takes one block of each message, word by word.
    pub(super) fn absorb(&mut self, block: &[Word; 16]) {
        let (simd, words) = (self.registers, &mut self.words);
        simd.vectorize(
            #[inline(always)]
            || {
                let before = words.map(|word| u32x16::from_slice(simd, &word));
                let block = block.map(|word| u32x16::from_slice(simd, &word));
                let after = compress(simd, before, block);
                for ((word, before), after) in words.iter_mut().zip(before).zip(after) {
                    (before + after).store_slice(word);
                }
            },
        );
    }
}

#[inline(always)]
fn rotated<S: Simd, const BITS: u32>(x: u32x16<S>) -> u32x16<S> {
    x >> BITS | x << (32 - BITS)
}

/// The next word of the message schedule, from those 16, 15, 7 and 2 places before.
#[inline(always)]
fn scheduled<S: Simd>([w16, w15, w7, w2]: [u32x16<S>; 4]) -> u32x16<S> {
    let small0 = rotated::<S, 7>(w15) ^ rotated::<S, 18>(w15) ^ w15 >> 3;
    let small1 = rotated::<S, 17>(w2) ^ rotated::<S, 19>(w2) ^ w2 >> 10;
    w16 + small0 + (w7 + small1)
}

/// One round. Instead of moving every variable along, each round has them by other names.
macro_rules! round {
    ($kw:expr; $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident) => {
        let big1 = rotated::<S, 6>($e) ^ rotated::<S, 11>($e) ^ rotated::<S, 25>($e);
        let chosen = ($e & $f) ^ (!$e & $g);
        let first = $h + big1 + (chosen + $kw);
        let big0 = rotated::<S, 2>($a) ^ rotated::<S, 13>($a) ^ rotated::<S, 22>($a);
        let majority = ($a & $b) ^ ($a & $c) ^ ($b & $c);
        $d += first;
        $h = first + (big0 + majority);
    };
}

/// All 64 rounds. The words of the schedule stay in registers, so they are named one by one.
#[inline(always)]
fn compress<S: Simd>(simd: S, state: [u32x16<S>; 8], block: [u32x16<S>; 16]) -> [u32x16<S>; 8] {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
    let mut w = block;
    for (turn, k) in K.iter().enumerate() {
        if turn > 0 {
            w = next_words(w);
        }
        let mut kw = w;
        for (word, k) in kw.iter_mut().zip(k) {
            *word += u32x16::splat(simd, *k);
        }
        round!(kw[0]; a b c d e f g h);
        round!(kw[1]; h a b c d e f g);
        round!(kw[2]; g h a b c d e f);
        round!(kw[3]; f g h a b c d e);
        round!(kw[4]; e f g h a b c d);
        round!(kw[5]; d e f g h a b c);
        round!(kw[6]; c d e f g h a b);
        round!(kw[7]; b c d e f g h a);
        round!(kw[8]; a b c d e f g h);
        round!(kw[9]; h a b c d e f g);
        round!(kw[10]; g h a b c d e f);
        round!(kw[11]; f g h a b c d e);
        round!(kw[12]; e f g h a b c d);
        round!(kw[13]; d e f g h a b c);
        round!(kw[14]; c d e f g h a b);
        round!(kw[15]; b c d e f g h a);
    }
    [a, b, c, d, e, f, g, h]
}

/// The sixteen words of the schedule after these.
#[inline(always)]
fn next_words<S: Simd>(mut w: [u32x16<S>; 16]) -> [u32x16<S>; 16] {
    w[0] = scheduled([w[0], w[1], w[9], w[14]]);
    w[1] = scheduled([w[1], w[2], w[10], w[15]]);
    w[2] = scheduled([w[2], w[3], w[11], w[0]]);
    w[3] = scheduled([w[3], w[4], w[12], w[1]]);
    w[4] = scheduled([w[4], w[5], w[13], w[2]]);
    w[5] = scheduled([w[5], w[6], w[14], w[3]]);
    w[6] = scheduled([w[6], w[7], w[15], w[4]]);
    w[7] = scheduled([w[7], w[8], w[0], w[5]]);
    w[8] = scheduled([w[8], w[9], w[1], w[6]]);
    w[9] = scheduled([w[9], w[10], w[2], w[7]]);
    w[10] = scheduled([w[10], w[11], w[3], w[8]]);
    w[11] = scheduled([w[11], w[12], w[4], w[9]]);
    w[12] = scheduled([w[12], w[13], w[5], w[10]]);
    w[13] = scheduled([w[13], w[14], w[6], w[11]]);
    w[14] = scheduled([w[14], w[15], w[7], w[12]]);
    w[15] = scheduled([w[15], w[0], w[8], w[13]]);
    w
}
