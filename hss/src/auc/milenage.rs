//! The Milenage algorithm set, TS 35.206 §4.1.
//!
//! ```text
//! TEMP = E_K(RAND ^ OPc)
//! OUT1 = E_K(TEMP ^ rot64(IN1 ^ OPc))         ^ OPc    IN1 = SQN AMF SQN AMF
//! OUTi = E_K(rot_ri(TEMP ^ OPc) ^ ci)         ^ OPc    i = 2..5, ri = 0 32 64 96 bits
//! f1 | f1* = OUT1    f5 = OUT2[0..6]  f2 = OUT2[8..16]  f3 = OUT3  f4 = OUT4  f5* = OUT5[0..6]
//! ```

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use heiiki_types::{Key128, constant_time_eq};
use zeroize::{Zeroize, ZeroizeOnDrop};

macro_rules! secret {
    ($name:ident, $len:literal, $doc:literal) => {
        #[doc = $doc]
        ///
        /// It has no `Debug`, compares in constant time and is wiped when dropped.
        #[derive(Clone, Zeroize, ZeroizeOnDrop)]
        #[expect(missing_debug_implementations, reason = "a secret must not print")]
        pub struct $name([u8; $len]);

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

/// 128 bits between the steps of the algorithm, wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
struct Block([u8; 16]);

impl Block {
    fn xor(&self, other: &[u8; 16]) -> Self {
        let mut out = self.clone();
        out.0.iter_mut().zip(other).for_each(|(o, x)| *o ^= x);
        out
    }

    fn rotate_left(mut self, octets: usize) -> Self {
        self.0.rotate_left(octets);
        self
    }

    /// The first and the last `N` octets.
    fn ends<const N: usize>(&self) -> ([u8; N], [u8; N]) {
        let first = self.0.first_chunk::<N>();
        let last = self.0.last_chunk::<N>();
        (
            first.copied().unwrap_or([0; N]),
            last.copied().unwrap_or([0; N]),
        )
    }
}

/// The functions f1 to f5* of one SIM. Holds the expanded K and OPc, and wipes both when dropped.
#[expect(missing_debug_implementations, reason = "keys must not print")]
pub struct Milenage {
    // The `zeroize` feature of the cipher wipes its key schedule.
    cipher: Aes128,
    opc: Key128,
}

impl Milenage {
    /// The functions of a SIM with subscriber key `k` and the operator constant already derived
    /// for it.
    pub fn new(k: &Key128, opc: &Key128) -> Self {
        Self {
            cipher: Aes128::new(k.expose().into()),
            opc: opc.clone(),
        }
    }

    /// The functions of a SIM with subscriber key `k` in a network with operator constant `op`.
    pub fn from_op(k: &Key128, op: &Key128) -> Self {
        Self::new(k, &opc(k, op))
    }

    /// f1: MAC-A, by which the USIM knows the network.
    pub fn f1(&self, rand: &[u8; 16], sqn: [u8; 6], amf: [u8; 2]) -> [u8; 8] {
        self.out1(rand, sqn, amf).ends().0
    }

    /// f1*: MAC-S, by which the network knows a resynchronisation of the USIM.
    pub fn f1star(&self, rand: &[u8; 16], sqn: [u8; 6], amf: [u8; 2]) -> [u8; 8] {
        self.out1(rand, sqn, amf).ends().1
    }

    /// f2 to f5: response, cipher key, integrity key and anonymity key of one challenge.
    pub fn f2345(&self, rand: &[u8; 16]) -> (Res8, Key128, Key128, Ak) {
        let temp = self.temp(rand);
        let out2 = self.out(&temp, 0, 1);
        let ck = self.out(&temp, 4, 2);
        let ik = self.out(&temp, 8, 4);
        let (ak, res) = (out2.ends().0, out2.ends().1);
        (Res8(res), Key128::new(ck.0), Key128::new(ik.0), Ak(ak))
    }

    /// f5*: the anonymity key of a resynchronisation.
    pub fn f5star(&self, rand: &[u8; 16]) -> Ak {
        Ak(self.out(&self.temp(rand), 12, 8).ends().0)
    }

    fn encrypt(&self, mut block: Block) -> Block {
        self.cipher.encrypt_block((&mut block.0).into());
        block
    }

    fn temp(&self, rand: &[u8; 16]) -> Block {
        self.encrypt(Block(*rand).xor(self.opc.expose()))
    }

    fn out1(&self, rand: &[u8; 16], sqn: [u8; 6], amf: [u8; 2]) -> Block {
        let [s0, s1, s2, s3, s4, s5] = sqn;
        let [a0, a1] = amf;
        let in1 = Block([
            s0, s1, s2, s3, s4, s5, a0, a1, s0, s1, s2, s3, s4, s5, a0, a1,
        ]);
        let rotated = in1.xor(self.opc.expose()).rotate_left(8);
        let sum = self.temp(rand).xor(&rotated.0);
        self.encrypt(sum).xor(self.opc.expose())
    }

    /// OUT2 to OUT5: the rotation in octets, and the constant, which is zero but for its last
    /// octet.
    fn out(&self, temp: &Block, rotation: usize, constant: u8) -> Block {
        let mut c = [0; 16];
        let [.., last] = &mut c;
        *last = constant;
        let block = temp.xor(self.opc.expose()).rotate_left(rotation).xor(&c);
        self.encrypt(block).xor(self.opc.expose())
    }
}

/// OPc: the operator constant `op` bound to one SIM's key, TS 35.206 §4.1.
pub fn opc(k: &Key128, op: &Key128) -> Key128 {
    let cipher = Aes128::new(k.expose().into());
    let mut block = Block(*op.expose());
    cipher.encrypt_block((&mut block.0).into());
    Key128::new(block.xor(op.expose()).0)
}

#[cfg(test)]
mod tests;
