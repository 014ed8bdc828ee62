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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auc::offline::{Challenge, Operator, vector};
    use crate::auc::{auts, milenage};
    use heiiki_types::{Key128, from_hex, to_hex};
    use serde_json::Value;

    fn sets(file: &str) -> Vec<Value> {
        let file: Value = serde_json::from_str(file).unwrap();
        file["sets"].as_array().unwrap().clone()
    }

    fn octets<const N: usize>(set: &Value, name: &str) -> [u8; N] {
        let text = set[name].as_str().unwrap();
        from_hex(text).unwrap().try_into().unwrap()
    }

    /// AUTN and AUTS by two implementations that agree, KASME by two others.
    #[test]
    fn vectors_of_independent_implementations() {
        let aka = sets(include_str!("../../../fixtures/vectors/usim_aka.json"));
        let kdf: Value =
            serde_json::from_str(include_str!("../../../fixtures/vectors/kdf_eps.json")).unwrap();
        let chain = kdf["derived_chain"]["sets"].as_array().unwrap();
        let plmn = "00101".parse().unwrap();
        let mut checked = 0;
        for (set, keys) in aka.iter().zip(chain) {
            let key = |name| Key128::new(octets(set, name));
            let sim = Milenage::new(&key("k"), &key("opc"));
            let (rand, sqn) = (octets(set, "rand"), Sqn::from_octets(octets(set, "sqn")));
            let eps = EpsVector::new(&sim, rand, sqn, [0, 0], plmn);
            assert_eq!(to_hex(&eps.autn), set["autn"], "{set}");
            assert_eq!(to_hex(eps.xres.expose()), set["res"], "{set}");
            let auts = auts::seal(&sim, &rand, sqn);
            assert_eq!(to_hex(&auts), set["auts_for_sqn_ms_eq_sqn"], "{set}");
            assert_eq!(to_hex(eps.kasme.expose()), keys["KASME"], "{set}");
            checked += 1;
        }
        assert!(checked >= 20, "{checked}");
    }

    #[test]
    fn the_offline_tool_shows_every_published_value() {
        let published = sets(include_str!(
            "../../../fixtures/vectors/milenage_35208.json"
        ));
        for set in &published {
            let key = |name| Key128::new(octets(set, name));
            let challenge = |operator| Challenge {
                k: key("K"),
                operator,
                amf: octets(set, "AMF"),
                sqn: Sqn::from_octets(octets(set, "SQN")),
                rand: octets(set, "RAND"),
                plmn: "00101".parse().unwrap(),
            };
            let out = vector(&challenge(Operator::Op(key("OP"))));
            assert!(out == vector(&challenge(Operator::Opc(key("OPc")))));
            let json = serde_json::to_value(&out).unwrap();
            for (name, column) in [
                ("f1", "f1_MAC-A"),
                ("f1star", "f1*_MAC-S"),
                ("f2", "f2_RES"),
                ("f3", "f3_CK"),
                ("f4", "f4_IK"),
                ("f5", "f5_AK"),
                ("f5star", "f5*_AK*"),
            ] {
                assert_eq!(json[name], set[column], "{name}");
            }
            // AMF is shown as given: the tool sets no separation bit.
            assert_eq!(out.autn.get(12..16), set["AMF"].as_str());
            assert_eq!(out.autn.get(16..), set["f1_MAC-A"].as_str());
        }
        let k = Key128::new([0; 16]);
        assert!(milenage::opc(&k, &k) != k);
    }
}
