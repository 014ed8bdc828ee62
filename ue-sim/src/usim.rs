//! The USIM: K, OPc and the sequence numbers of one subscriber.
//!
//! It checks a challenge as TS 33.102 §6.3.3 wants it: first the MAC, then the separation bit of
//! the AMF (TS 33.401 §6.1.1), then the freshness of the sequence number (TS 33.102 §C.2). Only a
//! challenge that passes all three moves its state.

use heiiki_hss::auc::milenage::{Milenage, Res8};
use heiiki_types::{Imsi, Key128, constant_time_eq};

use sqn::SequenceNumbers;

pub mod sqn;

/// Why a USIM refuses a challenge, TS 24.301 §5.4.2.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The network does not know K: EMM cause #20.
    MacFailure,
    /// The vector is not one of E-UTRAN: EMM cause #26.
    SeparationBit,
    /// The sequence number is not fresh: EMM cause #21 with the token for the network.
    SyncFailure {
        /// AUTS, TS 33.102 §6.3.3.
        auts: [u8; 14],
    },
}

impl Refusal {
    /// The EMM cause of the AUTHENTICATION FAILURE.
    pub const fn emm_cause(self) -> u8 {
        match self {
            Self::MacFailure => 20,
            Self::SyncFailure { .. } => 21,
            Self::SeparationBit => 26,
        }
    }
}

/// What a USIM answers to a challenge that it accepts.
#[expect(missing_debug_implementations, reason = "secrets must not print")]
pub struct UsimResponse {
    /// The response for the network.
    pub res: Res8,
    /// The cipher key.
    pub ck: Key128,
    /// The integrity key.
    pub ik: Key128,
    /// SQN xor AK, as in AUTN: an input of KASME (TS 33.401 §A.2).
    pub sqn_xor_ak: [u8; 6],
}

/// One SIM card.
#[expect(missing_debug_implementations, reason = "keys must not print")]
pub struct Usim {
    imsi: Imsi,
    // The expanded cipher is made anew for each challenge: it is ten times the size of the keys.
    k: Key128,
    opc: Key128,
    sequence_numbers: SequenceNumbers,
}

impl Usim {
    /// A new card: all sequence numbers are zero.
    pub fn new(imsi: Imsi, k: Key128, opc: Key128) -> Self {
        Self {
            imsi,
            k,
            opc,
            sequence_numbers: SequenceNumbers::default(),
        }
    }

    /// The same card with the sequence numbers that it had before.
    #[must_use]
    pub fn with_sequence_numbers(mut self, sequence_numbers: SequenceNumbers) -> Self {
        self.sequence_numbers = sequence_numbers;
        self
    }

    /// The subscriber.
    pub const fn imsi(&self) -> Imsi {
        self.imsi
    }

    /// The sequence numbers, for whoever keeps them across runs.
    pub const fn sequence_numbers(&self) -> &SequenceNumbers {
        &self.sequence_numbers
    }

    /// Answers a challenge, TS 33.102 §6.3.3.
    pub fn authenticate(
        &mut self,
        rand: &[u8; 16],
        autn: &[u8; 16],
    ) -> Result<UsimResponse, Refusal> {
        let [s0, s1, s2, s3, s4, s5, a0, a1, mac @ ..] = autn;
        let sqn_xor_ak = [*s0, *s1, *s2, *s3, *s4, *s5];
        let amf = [*a0, *a1];
        let milenage = Milenage::new(&self.k, &self.opc);
        let (res, ck, ik, ak) = milenage.f2345(rand);
        let sqn = ak.xor(sqn_xor_ak);
        if !constant_time_eq(&milenage.f1(rand, sqn, amf), mac) {
            return Err(Refusal::MacFailure);
        }
        if a0 & 0x80 == 0 {
            return Err(Refusal::SeparationBit);
        }
        if self.sequence_numbers.accept(sqn).is_err() {
            let auts = self.auts(&milenage, rand);
            return Err(Refusal::SyncFailure { auts });
        }
        Ok(UsimResponse {
            res,
            ck,
            ik,
            sqn_xor_ak,
        })
    }

    /// SQN_MS concealed by f5*, and MAC-S over it with an AMF of zero, TS 33.102 §6.3.3.
    fn auts(&self, milenage: &Milenage, rand: &[u8; 16]) -> [u8; 14] {
        let sqn_ms = self.sequence_numbers.highest();
        let concealed = milenage.f5star(rand).xor(sqn_ms);
        let mac_s = milenage.f1star(rand, sqn_ms, [0, 0]);
        let mut auts = [0; 14];
        for (out, octet) in auts.iter_mut().zip(concealed.iter().chain(&mac_s)) {
            *out = *octet;
        }
        auts
    }
}

#[cfg(test)]
mod tests;
