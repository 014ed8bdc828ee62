//! EPS authentication vectors, TS 33.401 §6.1.1 and §A.2.

pub use heiiki_nas::kdf::BATCH;
use heiiki_nas::kdf::{self, KasmeInputs};
use heiiki_types::{Key128, Key256, PlmnId};

use super::milenage::{Functions, Milenage, Res8};
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
        let functions = sim.functions(&rand, sqn.octets(), amf);
        let hidden = functions.ak.xor(sqn.octets());
        let kasme = kdf::kasme(&functions.ck, &functions.ik, plmn, hidden);
        Self::of(rand, &functions, amf, hidden, kasme)
    }

    fn of(rand: [u8; 16], f: &Functions, amf: [u8; 2], hidden: [u8; 6], kasme: Key256) -> Self {
        let [s0, s1, s2, s3, s4, s5] = hidden;
        let [a0, a1] = amf;
        let [m0, m1, m2, m3, m4, m5, m6, m7] = f.mac_a;
        Self {
            rand,
            xres: f.res.clone(),
            autn: [
                s0, s1, s2, s3, s4, s5, a0, a1, m0, m1, m2, m3, m4, m5, m6, m7,
            ],
            kasme,
        }
    }

    /// One vector each for several SIMs: the same as [`new`](Self::new) for each in less time,
    /// since the steps of one SIM fill the waits of another; best in multiples of [`BATCH`].
    #[must_use]
    pub fn batch<const N: usize>(asks: [VectorInputs<'_>; N]) -> [Self; N] {
        let lanes = asks.map(Lane::new);
        let keys = kdf::kasmes(lanes.each_ref().map(|lane| KasmeInputs {
            ck: &lane.functions.ck,
            ik: &lane.functions.ik,
            plmn: lane.ask.plmn,
            sqn_xor_ak: lane.hidden,
        }));
        let mut vectors = lanes.each_ref().map(|lane| {
            let none = Key256::new([0; 32]);
            Self::of(lane.ask.rand, &lane.functions, lane.amf, lane.hidden, none)
        });
        for (vector, key) in vectors.iter_mut().zip(keys) {
            vector.kasme = key;
        }
        vectors
    }
}

/// What one vector of a batch is made of.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "keys must not print")]
pub struct VectorInputs<'a> {
    /// The subscriber key.
    pub k: &'a Key128,
    /// The operator constant bound to it.
    pub opc: &'a Key128,
    /// The random challenge.
    pub rand: [u8; 16],
    /// The sequence number.
    pub sqn: Sqn,
    /// Authentication management field; the separation bit is set here.
    pub amf: [u8; 2],
    /// The serving network.
    pub plmn: PlmnId,
}

/// One vector of a batch on its way.
struct Lane<'a> {
    ask: VectorInputs<'a>,
    amf: [u8; 2],
    functions: Functions,
    hidden: [u8; 6],
}

impl<'a> Lane<'a> {
    fn new(ask: VectorInputs<'a>) -> Self {
        let [a0, a1] = ask.amf;
        let amf = [a0 | SEPARATION, a1];
        let sqn = ask.sqn.octets();
        let functions = Milenage::new(ask.k, ask.opc).functions(&ask.rand, sqn, amf);
        Self {
            amf,
            hidden: functions.ak.xor(sqn),
            functions,
            ask,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auc::offline::{Challenge, Operator, vector};
    use crate::auc::{auts, milenage};
    use core::array::from_fn;
    use heiiki_types::{from_hex, to_hex};
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

    /// A batch gives what each SIM gets alone, for every place in it.
    #[test]
    fn a_batch_is_its_single_vectors() {
        let mut rng = heiiki_types::Rng::from_seed(0xba7c);
        let plmns = ["00101", "99970", "310410"].map(|p| p.parse().unwrap());
        for round in 0..200 {
            let keys: [(Key128, Key128); BATCH] =
                from_fn(|_| (Key128::new(rng.octets()), Key128::new(rng.octets())));
            let asks: [VectorInputs<'_>; BATCH] = from_fn(|i| VectorInputs {
                k: &keys[i].0,
                opc: &keys[i].1,
                rand: rng.octets(),
                sqn: Sqn::from_octets(rng.octets()),
                amf: rng.octets(),
                plmn: plmns[(round + i) % 3],
            });
            for (ask, vector) in asks.iter().zip(EpsVector::batch(asks)) {
                let sim = Milenage::new(ask.k, ask.opc);
                let alone = EpsVector::new(&sim, ask.rand, ask.sqn, ask.amf, ask.plmn);
                assert_eq!(vector.rand, alone.rand);
                assert_eq!(vector.autn, alone.autn);
                assert!(vector.xres == alone.xres && vector.kasme == alone.kasme);
            }
        }
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
