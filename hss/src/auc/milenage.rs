//! The Milenage algorithm set, TS 35.206 §4.1.
//!
//! ```text
//! TEMP = E_K(RAND ^ OPc)
//! OUT1 = E_K(TEMP ^ rot64(IN1 ^ OPc))         ^ OPc    IN1 = SQN AMF SQN AMF
//! OUTi = E_K(rot_ri(TEMP ^ OPc) ^ ci)         ^ OPc    i = 2..5, ri = 0 32 64 96 bits
//! f1 | f1* = OUT1    f5 = OUT2[0..6]  f2 = OUT2[8..16]  f3 = OUT3  f4 = OUT4  f5* = OUT5[0..6]
//! ```

use aes_milenage::cipher::{BlockEncrypt, KeyInit};
use aes_milenage::{Aes128Enc, Block};
use heiiki_types::{Key128, constant_time_eq};
use zeroize::ZeroizeOnDrop;

macro_rules! secret {
    ($name:ident, $len:literal, $doc:literal) => {
        #[doc = $doc]
        ///
        /// It has no `Debug`, compares in constant time and is wiped when dropped.
        #[derive(Clone)]
        #[expect(missing_debug_implementations, reason = "a secret must not print")]
        pub struct $name([u8; $len]);

        impl Drop for $name {
            fn drop(&mut self) {
                self.0 = [0; $len];
                zeroize::optimization_barrier(self);
            }
        }

        impl ZeroizeOnDrop for $name {}

        impl $name {
            /// Takes the octets.
            pub const fn new(octets: [u8; $len]) -> Self {
                Self(octets)
            }

            /// The octets, for the message or the function that needs them.
            pub const fn expose(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                constant_time_eq(&self.0, &other.0)
            }
        }

        impl Eq for $name {}
    };
}

secret!(
    Res8,
    8,
    "The response that f2 computes: RES of the USIM, XRES of the network."
);
secret!(
    Ak,
    6,
    "An anonymity key, of f5 or f5*: it hides the SQN on the way."
);

impl Ak {
    /// `sqn ^ AK`: hides a sequence number, or shows a hidden one.
    #[must_use]
    pub fn xor(&self, sqn: [u8; 6]) -> [u8; 6] {
        let mut out = sqn;
        out.iter_mut().zip(&self.0).for_each(|(o, k)| *o ^= k);
        out
    }
}

/// RAND, TEMP, OPc and the like: 128 bits with octet 0 lowest, so that a rotation to the left by
/// octets is one to the right.
type Word = u128;

/// Blocks on their way through the cipher, wiped when dropped.
struct Blocks<const N: usize>([Block; N]);

impl<const N: usize> Drop for Blocks<N> {
    fn drop(&mut self) {
        self.0 = [Block::default(); N];
        zeroize::optimization_barrier(self);
    }
}

/// The functions f1 to f5* of one SIM. Holds the expanded K and OPc, and wipes both when dropped.
#[expect(missing_debug_implementations, reason = "keys must not print")]
pub struct Milenage {
    // The `zeroize` feature of the cipher wipes its key schedule.
    cipher: Aes128Enc,
    opc: Key128,
}

/// All that an authentication vector is made of.
#[expect(missing_debug_implementations, reason = "keys must not print")]
pub struct Functions {
    /// f1.
    pub mac_a: [u8; 8],
    /// f2.
    pub res: Res8,
    /// f3.
    pub ck: Key128,
    /// f4.
    pub ik: Key128,
    /// f5.
    pub ak: Ak,
}

/// The rotations of OUT2 to OUT5 in octets, and their constants, which are zero but for the last
/// octet.
const OUT2: (u32, u8) = (0, 1);
const OUT3: (u32, u8) = (4, 2);
const OUT4: (u32, u8) = (8, 4);
const OUT5: (u32, u8) = (12, 8);

impl Milenage {
    /// The functions of a SIM with subscriber key `k` and the operator constant already derived
    /// for it.
    pub fn new(k: &Key128, opc: &Key128) -> Self {
        Self {
            cipher: Aes128Enc::new(k.expose().into()),
            opc: opc.clone(),
        }
    }

    /// The functions of a SIM with subscriber key `k` in a network with operator constant `op`.
    pub fn from_op(k: &Key128, op: &Key128) -> Self {
        Self::new(k, &opc(k, op))
    }

    /// f1: MAC-A, by which the USIM knows the network.
    pub fn f1(&self, rand: &[u8; 16], sqn: [u8; 6], amf: [u8; 2]) -> [u8; 8] {
        self.out1(rand, sqn, amf).0
    }

    /// f1*: MAC-S, by which the network knows a resynchronisation of the USIM.
    pub fn f1star(&self, rand: &[u8; 16], sqn: [u8; 6], amf: [u8; 2]) -> [u8; 8] {
        self.out1(rand, sqn, amf).1
    }

    /// f2 to f5: response, cipher key, integrity key and anonymity key of one challenge.
    pub fn f2345(&self, rand: &[u8; 16]) -> (Res8, Key128, Key128, Ak) {
        let f = self.functions(rand, [0; 6], [0; 2]);
        (f.res, f.ck, f.ik, f.ak)
    }

    /// f5*: the anonymity key of a resynchronisation.
    pub fn f5star(&self, rand: &[u8; 16]) -> Ak {
        let temp = self.temp(rand);
        let [out5] = self.outs([self.rotated(temp, OUT5)]);
        Ak(halves(out5).0)
    }

    /// f1 to f5 at once: the blocks behind TEMP do not wait for each other.
    pub fn functions(&self, rand: &[u8; 16], sqn: [u8; 6], amf: [u8; 2]) -> Functions {
        let temp = self.temp(rand);
        let [out1, out2, ck, ik] = self.outs([
            self.input1(temp, sqn, amf),
            self.rotated(temp, OUT2),
            self.rotated(temp, OUT3),
            self.rotated(temp, OUT4),
        ]);
        let (ak, _) = halves::<6>(out2);
        let (_, res) = halves::<8>(out2);
        Functions {
            mac_a: halves(out1).0,
            res: Res8(res),
            ck: Key128::new(ck.to_le_bytes()),
            ik: Key128::new(ik.to_le_bytes()),
            ak: Ak(ak),
        }
    }

    /// TEMP, which everything else of a challenge waits for.
    #[inline]
    fn temp(&self, rand: &[u8; 16]) -> Word {
        let mut block = Blocks([word(rand) ^ self.opc()].map(block));
        self.encrypt(&mut block);
        let [temp] = block.0.each_ref().map(|b| word(b.as_ref()));
        temp
    }

    #[inline]
    fn opc(&self) -> Word {
        word(self.opc.expose())
    }

    /// MAC-A and MAC-S.
    fn out1(&self, rand: &[u8; 16], sqn: [u8; 6], amf: [u8; 2]) -> ([u8; 8], [u8; 8]) {
        let [out1] = self.outs([self.input1(self.temp(rand), sqn, amf)]);
        halves(out1)
    }

    /// What OUT1 is the encryption of.
    #[inline]
    fn input1(&self, temp: Word, sqn: [u8; 6], amf: [u8; 2]) -> Word {
        let [s0, s1, s2, s3, s4, s5] = sqn;
        let [a0, a1] = amf;
        let half = u128::from(u64::from_le_bytes([s0, s1, s2, s3, s4, s5, a0, a1]));
        temp ^ ((half | half << 64) ^ self.opc()).rotate_right(64)
    }

    /// What OUT2 to OUT5 are the encryptions of.
    #[inline]
    fn rotated(&self, temp: Word, (octets, constant): (u32, u8)) -> Word {
        (temp ^ self.opc()).rotate_right(8 * octets) ^ u128::from(constant) << 120
    }

    /// One block after the other: the processor overlaps them by itself, and what a cipher does to
    /// prepare itself for many blocks costs more than the few that there are.
    #[inline]
    fn encrypt<const N: usize>(&self, blocks: &mut Blocks<N>) {
        for block in &mut blocks.0 {
            self.cipher.encrypt_block(block);
        }
    }

    #[inline]
    fn outs<const N: usize>(&self, inputs: [Word; N]) -> [Word; N] {
        let mut blocks = Blocks(inputs.map(block));
        self.encrypt(&mut blocks);
        blocks.0.each_ref().map(|b| word(b.as_ref()) ^ self.opc())
    }
}

#[inline]
fn word(octets: &[u8; 16]) -> Word {
    u128::from_le_bytes(*octets)
}

#[inline]
fn block(word: Word) -> Block {
    word.to_le_bytes().into()
}

/// The first and the last `N` octets.
#[inline]
fn halves<const N: usize>(word: Word) -> ([u8; N], [u8; N]) {
    let octets = word.to_le_bytes();
    let (first, last) = (octets.first_chunk::<N>(), octets.last_chunk::<N>());
    (
        first.copied().unwrap_or([0; N]),
        last.copied().unwrap_or([0; N]),
    )
}

/// OPc: the operator constant `op` bound to one SIM's key, TS 35.206 §4.1.
pub fn opc(k: &Key128, op: &Key128) -> Key128 {
    let cipher = Aes128Enc::new(k.expose().into());
    let mut blocks = Blocks([block(word(op.expose()))]);
    blocks.0.iter_mut().for_each(|b| cipher.encrypt_block(b));
    let [out] = blocks.0.each_ref().map(|b| word(b.as_ref()));
    Key128::new((out ^ word(op.expose())).to_le_bytes())
}

#[cfg(test)]
mod tests;
