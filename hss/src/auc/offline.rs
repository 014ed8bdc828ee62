//! The authenticator as a tool: every function of one challenge, for comparing with a card or with
//! another implementation.

use alloc::string::String;

use heiiki_types::{Key128, PlmnId, to_hex};

use super::milenage::Milenage;
use super::sqn::Sqn;
use super::vector::EpsVector;

/// The operator's part of a SIM's secrets.
#[expect(missing_debug_implementations, reason = "keys must not print")]
pub enum Operator {
    /// The constant bound to the SIM's key.
    Opc(Key128),
    /// The operator's constant itself.
    Op(Key128),
}

/// What one challenge is made of.
#[expect(missing_debug_implementations, reason = "keys must not print")]
pub struct Challenge {
    /// The subscriber key.
    pub k: Key128,
    /// OPc or OP.
    pub operator: Operator,
    /// Authentication management field, used as it is: the separation bit is not set for the
    /// caller.
    pub amf: [u8; 2],
    /// The sequence number.
    pub sqn: Sqn,
    /// The random challenge.
    pub rand: [u8; 16],
    /// The serving network, for KASME.
    pub plmn: PlmnId,
}

/// The outputs in lower-case hexadecimal. They hold keys: show them to who asked, and to no log.
#[derive(Clone, PartialEq, Eq, serde::Serialize)]
#[expect(missing_debug_implementations, reason = "keys must not print")]
pub struct Outputs {
    /// MAC-A.
    pub f1: String,
    /// MAC-S over the same inputs.
    pub f1star: String,
    /// RES.
    pub f2: String,
    /// CK.
    pub f3: String,
    /// IK.
    pub f4: String,
    /// AK.
    pub f5: String,
    /// AK of a resynchronisation.
    pub f5star: String,
    /// `(SQN ^ AK) || AMF || MAC-A`.
    pub autn: String,
    /// KASME for the serving network.
    pub kasme: String,
}

/// Computes every output of a challenge.
pub fn vector(challenge: &Challenge) -> Outputs {
    let Challenge {
        k,
        operator,
        amf,
        sqn,
        rand,
        plmn,
    } = challenge;
    let sim = match operator {
        Operator::Opc(opc) => Milenage::new(k, opc),
        Operator::Op(op) => Milenage::from_op(k, op),
    };
    let (res, ck, ik, ak) = sim.f2345(rand);
    let eps = EpsVector::with_amf(&sim, *rand, *sqn, *amf, *plmn);
    Outputs {
        f1: to_hex(&sim.f1(rand, sqn.octets(), *amf)),
        f1star: to_hex(&sim.f1star(rand, sqn.octets(), *amf)),
        f2: to_hex(res.expose()),
        f3: to_hex(ck.expose()),
        f4: to_hex(ik.expose()),
        f5: to_hex(ak.expose()),
        f5star: to_hex(sim.f5star(rand).expose()),
        autn: to_hex(&eps.autn),
        kasme: to_hex(eps.kasme.expose()),
    }
}
