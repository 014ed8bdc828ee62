use heiiki_types::{PlmnId, from_hex};
use serde_json::Value;

use super::*;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/vectors/kdf_eps.json")).unwrap()
}

fn key128(v: &Value) -> Key128 {
    Key128::from_hex(v.as_str().unwrap()).unwrap()
}

fn key256(v: &Value) -> Key256 {
    Key256::from_hex(v.as_str().unwrap()).unwrap()
}

fn octets<const N: usize>(v: &Value) -> [u8; N] {
    from_hex(v.as_str().unwrap()).unwrap().try_into().unwrap()
}

#[test]
fn kasme_of_the_public_sets() {
    let v = &vectors()["KASME_public"];
    let (ck, ik) = (key128(&v["CK"]), key128(&v["IK"]));
    let sets = v["sets"].as_array().unwrap();
    assert_eq!(sets.len(), 6);
    for set in sets {
        let plmn = PlmnId::from_octets(octets(&set["SN_id"])).unwrap();
        let kasme = kasme(&ck, &ik, plmn, octets(&set["SQNxorAK"]));
        assert!(kasme == key256(&set["KASME"]), "{set}");
    }
}

/// The same function by way of a general HMAC, in every place of batches that are full and not.
#[test]
fn kasmes_agree_with_a_general_hmac() {
    let mut rng = heiiki_types::Rng::from_seed(0x33_401);
    for _ in 0..100 {
        agree::<1>(&mut rng);
        agree::<5>(&mut rng);
        agree::<{ BATCH }>(&mut rng);
        agree::<{ 2 * BATCH + 9 }>(&mut rng);
    }
}

fn agree<const N: usize>(rng: &mut heiiki_types::Rng) {
    let keys: [(Key128, Key128); N] =
        core::array::from_fn(|_| (Key128::new(rng.octets()), Key128::new(rng.octets())));
    let plmns = ["44010", "00101", "310410"].map(|p| p.parse::<PlmnId>().unwrap());
    let hidden: [[u8; 6]; N] = core::array::from_fn(|_| rng.octets());
    let inputs = core::array::from_fn::<_, N, _>(|i| KasmeInputs {
        ck: &keys[i].0,
        ik: &keys[i].1,
        plmn: plmns[i % 3],
        sqn_xor_ak: hidden[i],
    });
    for (key, input) in kasmes(inputs).iter().zip(&inputs) {
        let both = [*input.ck.expose(), *input.ik.expose()].concat();
        let network = input.plmn.octets();
        let parameters = [network.as_slice(), &input.sqn_xor_ak];
        let expected = derive(&both, 0x10, parameters);
        assert_eq!(*key.expose(), expected);
        let alone = kasme(input.ck, input.ik, input.plmn, input.sqn_xor_ak);
        assert_eq!(*alone.expose(), expected);
    }
}

#[test]
fn kenb_of_the_public_sets() {
    let v = &vectors()["KeNB_public"];
    let sets = v["sets"].as_array().unwrap();
    assert_eq!(sets.len(), 6);
    for set in sets {
        let count = u32::from_be_bytes(octets(&set["uplink_NAS_COUNT"]));
        let kenb = kenb(&key256(&set["KASME"]), count);
        assert!(kenb == key256(&set["KeNB"]), "{set}");
    }
}

#[test]
fn the_chain_below_kasme() {
    let v = &vectors()["derived_chain"];
    let sets = v["sets"].as_array().unwrap();
    assert_eq!(sets.len(), 20);
    for set in sets {
        let kasme = key256(&set["KASME"]);
        for algorithm in 1..=3 {
            let name = |use_: &str| alloc::format!("KNAS{use_}_alg{algorithm}");
            let enc = algorithm_key(&kasme, NAS_ENC, algorithm);
            assert!(enc == key128(&set[name("enc").as_str()]), "{set}");
            let int = algorithm_key(&kasme, NAS_INT, algorithm);
            assert!(int == key128(&set[name("int").as_str()]), "{set}");
        }
        assert!(nas_enc(&kasme, Eea::Eea2) == key128(&set["KNASenc_alg2"]));
        assert!(nas_int(&kasme, Eia::Eia2) == key128(&set["KNASint_alg2"]));
        let kenb = kenb(&kasme, 0);
        assert!(kenb == key256(&set["KeNB_count0"]), "{set}");
        assert!(nh(&kasme, &kenb) == key256(&set["NH_1"]), "{set}");
    }
}

#[test]
fn hash_of_an_attach_request() {
    // Python: hmac.new(bytes(32), message, hashlib.sha256).digest()[24:]
    let message = hex_literal::hex!(
        "074171080910100000000010026060001e0201d011d1271780802110010000108106000000008306000000
         00000d00"
    );
    assert_eq!(hash_mme(&message), hex_literal::hex!("91b185cbffbac849"));
}
