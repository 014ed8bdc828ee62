use super::*;
use heiiki_types::{Rng, from_hex};

const VECTORS: &str = include_str!("../../../../fixtures/vectors/milenage_35208.json");

fn octets<const N: usize>(set: &serde_json::Value, name: &str) -> [u8; N] {
    let text = set[name].as_str().unwrap();
    from_hex(text).unwrap().try_into().unwrap()
}

#[test]
fn all_sets_of_ts_35_207_and_35_208() {
    let file: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    let sets = file["sets"].as_array().unwrap();
    assert_eq!(sets.len(), 26);
    for set in sets {
        let k = Key128::new(octets(set, "K"));
        let op = Key128::new(octets(set, "OP"));
        let rand = octets(set, "RAND");
        let sqn = octets(set, "SQN");
        let amf = octets(set, "AMF");
        assert_eq!(opc(&k, &op).expose(), &octets::<16>(set, "OPc"), "{set}");
        let sim = Milenage::from_op(&k, &op);
        assert_eq!(sim.f1(&rand, sqn, amf), octets(set, "f1_MAC-A"), "{set}");
        assert_eq!(
            sim.f1star(&rand, sqn, amf),
            octets(set, "f1*_MAC-S"),
            "{set}"
        );
        let (res, ck, ik, ak) = sim.f2345(&rand);
        assert_eq!(res.expose(), &octets::<8>(set, "f2_RES"), "{set}");
        assert_eq!(ck.expose(), &octets::<16>(set, "f3_CK"), "{set}");
        assert_eq!(ik.expose(), &octets::<16>(set, "f4_IK"), "{set}");
        assert_eq!(ak.expose(), &octets::<6>(set, "f5_AK"), "{set}");
        let ak = sim.f5star(&rand);
        assert_eq!(ak.expose(), &octets::<6>(set, "f5*_AK*"), "{set}");
    }
}

/// The `milenage` crate was written by others from the same specification.
#[test]
fn agrees_with_an_independent_implementation_on_random_inputs() {
    let mut rng = Rng::from_seed(35_206);
    for _ in 0..5_000 {
        let (k, op, rand) = (rng.octets(), rng.octets(), rng.octets());
        let (sqn, amf): ([u8; 6], [u8; 2]) = (rng.octets(), rng.octets());
        let own = Milenage::from_op(&Key128::new(k), &Key128::new(op));
        let mut other = milenage::Milenage::new_with_op(k, op);
        assert_eq!(own.f1(&rand, sqn, amf), other.f1(&rand, &sqn, &amf));
        assert_eq!(own.f1star(&rand, sqn, amf), other.f1star(&rand, &sqn, &amf));
        let (res, ck, ik, ak) = own.f2345(&rand);
        let (other_res, other_ck, other_ik, other_ak) = other.f2345(&rand);
        assert_eq!(res.expose(), &other_res);
        assert_eq!(ck.expose(), &other_ck);
        assert_eq!(ik.expose(), &other_ik);
        assert_eq!(ak.expose(), &other_ak);
        assert_eq!(own.f5star(&rand).expose(), &other.f5star(&rand));
    }
}
