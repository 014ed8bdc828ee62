//! EPS authentication vectors, TS 33.401 §6.1.1 and §A.2.

use heiiki_nas::kdf;
use heiiki_types::{Key256, PlmnId};

use super::milenage::{Milenage, Res8};
use super::sqn::Sqn;

/// The separation bit of AMF, set in every vector for E-UTRAN (TS 33.401 §6.1.1).
const SEPARATION: u8 = 0x80;

/// What an MME needs to authenticate a SIM once. K stays here; CK and IK went into KASME.
#[expect(missing_debug_implementations, reason = "keys must not print")]
pub struct EpsVector {
    /// The challenge.
    pub rand: [u8; 16],
    /// What the SIM will answer.
    pub xres: Res8,
    /// What shows the SIM that the challenge is its network's.
    pub autn: [u8; 16],
    /// The key of the serving network, bound to its PLMN.
    pub kasme: Key256,
}

impl EpsVector {
    /// The vector of the challenge `rand` and the number `sqn`, for the network `plmn` alone.
    pub fn new(sim: &Milenage, rand: [u8; 16], sqn: Sqn, amf: [u8; 2], plmn: PlmnId) -> Self {
        let [a0, a1] = amf;
        Self::with_amf(sim, rand, sqn, [a0 | SEPARATION, a1], plmn)
    }

    /// The same with AMF as it is: the offline tool shows what the inputs give.
    pub(super) fn with_amf(
        sim: &Milenage,
        rand: [u8; 16],
        sqn: Sqn,
        amf: [u8; 2],
        plmn: PlmnId,
    ) -> Self {
        let (xres, ck, ik, ak) = sim.f2345(&rand);
        let hidden = ak.xor(sqn.octets());
        let kasme = kdf::kasme(&ck, &ik, plmn, hidden);
        let [s0, s1, s2, s3, s4, s5] = hidden;
        let [a0, a1] = amf;
        let [m0, m1, m2, m3, m4, m5, m6, m7] = sim.f1(&rand, sqn.octets(), amf);
        Self {
            rand,
            xres,
            autn: [
                s0, s1, s2, s3, s4, s5, a0, a1, m0, m1, m2, m3, m4, m5, m6, m7,
            ],
            kasme,
        }
    }
}
