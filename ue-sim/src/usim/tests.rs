use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::from_hex;

use super::sqn::{DELTA, ENTRIES};
use super::*;

#[derive(serde::Deserialize)]
struct File {
    sets: Vec<Set>,
}

#[derive(serde::Deserialize)]
struct Set {
    #[serde(rename = "set")]
    number: u32,
    k: String,
    opc: String,
    rand: String,
    sqn: String,
    autn: String,
    res: String,
    ck: String,
    ik: String,
    auts_for_sqn_ms_eq_sqn: String,
}

fn octets<const N: usize>(text: &str) -> [u8; N] {
    from_hex(text).unwrap().try_into().unwrap()
}

impl Set {
    /// The set's card, whose sequence numbers stand `below` steps under the set's own.
    fn usim(&self, below: u64) -> Usim {
        let [a, b, c, d, e, f] = octets(&self.sqn);
        let seq = u64::from_be_bytes([0, 0, a, b, c, d, e, f]) >> 5;
        Usim::new(
            "001010000000001".parse().unwrap(),
            Key128::from_hex(&self.k).unwrap(),
            Key128::from_hex(&self.opc).unwrap(),
        )
        .with_sequence_numbers(SequenceNumbers::from_array([seq - below; ENTRIES]))
    }

    fn authenticate(&self, usim: &mut Usim) -> Result<UsimResponse, Refusal> {
        usim.authenticate(&octets(&self.rand), &octets(&self.autn))
    }
}

fn sets() -> Vec<Set> {
    let file: File =
        serde_json::from_str(include_str!("../../../fixtures/vectors/usim_aka.json")).unwrap();
    assert_eq!(file.sets.len(), 20);
    file.sets
}

#[test]
fn a_fresh_challenge_is_answered_once() {
    for set in sets() {
        let mut usim = set.usim(1);
        let response = set.authenticate(&mut usim).ok().unwrap();
        assert_eq!(
            response.res.expose(),
            &octets(&set.res),
            "set {}",
            set.number
        );
        assert_eq!(response.ck.expose(), &octets(&set.ck));
        assert_eq!(response.ik.expose(), &octets(&set.ik));
        assert_eq!(response.sqn_xor_ak, octets::<16>(&set.autn)[..6]);
        assert_eq!(usim.sequence_numbers().highest(), octets(&set.sqn));
        // The same challenge again, and the state as exported: both are stale.
        assert!(matches!(
            set.authenticate(&mut usim),
            Err(Refusal::SyncFailure { .. })
        ));
        let array = usim.sequence_numbers().to_array();
        let mut restored = set
            .usim(1)
            .with_sequence_numbers(SequenceNumbers::from_array(array));
        assert!(set.authenticate(&mut restored).is_err());
    }
}

#[test]
fn a_stale_challenge_yields_the_token_of_the_vectors() {
    for set in sets() {
        // SQN_MS is to be exactly the set's SQN: its IND holds the highest SEQ.
        let mut usim = set.usim(1);
        assert!(set.authenticate(&mut usim).is_ok());
        let auts = octets(&set.auts_for_sqn_ms_eq_sqn);
        let refusal = set.authenticate(&mut usim).err();
        assert_eq!(refusal, Some(Refusal::SyncFailure { auts }));
        assert_eq!(refusal.map(Refusal::emm_cause), Some(21));
    }
}

#[test]
fn a_step_beyond_delta_is_a_synch_failure() {
    for set in sets() {
        if let Some(seq) = u64::from_str_radix(&set.sqn, 16)
            .unwrap()
            .checked_sub((DELTA + 1) << 5)
        {
            assert!(seq > 0);
            let mut usim = set.usim(DELTA + 1);
            assert!(matches!(
                set.authenticate(&mut usim),
                Err(Refusal::SyncFailure { .. })
            ));
            assert!(set.authenticate(&mut set.usim(DELTA)).is_ok());
        }
    }
}

#[test]
fn every_wrong_bit_of_rand_or_autn_is_a_mac_failure() {
    let set = &sets()[0];
    let mut usim = set.usim(1);
    let before = usim.sequence_numbers().clone();
    let (rand, autn): ([u8; 16], [u8; 16]) = (octets(&set.rand), octets(&set.autn));
    for bit in 0..128 {
        let mut other = autn;
        other[bit / 8] ^= 1 << (bit % 8);
        let refusal = usim.authenticate(&rand, &other).err();
        assert_eq!(refusal, Some(Refusal::MacFailure), "AUTN bit {bit}");
        let mut other = rand;
        other[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            usim.authenticate(&other, &autn).err(),
            Some(Refusal::MacFailure),
            "RAND bit {bit}"
        );
    }
    assert_eq!(*usim.sequence_numbers(), before);
}

/// AUTN for a given AMF, built from the functions that the vectors have checked.
fn autn(milenage: &Milenage, rand: &[u8; 16], sqn: [u8; 6], amf: [u8; 2]) -> [u8; 16] {
    let hidden = milenage.f2345(rand).3.xor(sqn);
    let mac = milenage.f1(rand, sqn, amf);
    [&hidden[..], &amf, &mac].concat().try_into().unwrap()
}

#[test]
fn a_vector_without_the_separation_bit_is_refused_and_moves_nothing() {
    let (k, opc) = (Key128::new([1; 16]), Key128::new([2; 16]));
    let milenage = Milenage::new(&k, &opc);
    let mut usim = Usim::new("001010000000001".parse().unwrap(), k, opc);
    let sqn = [0, 0, 0, 0, 0, 32];
    for amf in [[0, 0], [0x7f, 0xff]] {
        let challenge = autn(&milenage, &[3; 16], sqn, amf);
        let refusal = usim.authenticate(&[3; 16], &challenge).err();
        assert_eq!(refusal, Some(Refusal::SeparationBit));
        assert_eq!(refusal.map(Refusal::emm_cause), Some(26));
    }
    let challenge = autn(&milenage, &[3; 16], sqn, [0x80, 0]);
    assert!(usim.authenticate(&[3; 16], &challenge).is_ok());
}

#[test]
fn mac_comes_before_separation_bit_and_freshness() {
    let (k, opc) = (Key128::new([1; 16]), Key128::new([2; 16]));
    let mut usim = Usim::new("001010000000001".parse().unwrap(), k, opc);
    let refusal = usim.authenticate(&[0; 16], &[0; 16]).err();
    assert_eq!(refusal, Some(Refusal::MacFailure));
    assert_eq!(refusal.map(Refusal::emm_cause), Some(20));
}

#[test]
fn the_authenticator_and_the_card_understand_each_other() {
    use heiiki_hss::auc::auts;
    use heiiki_hss::auc::sqn::{Counter, Epoch, IndRange, Mark, Resync};
    use heiiki_hss::auc::vector::EpsVector;

    let (k, opc) = (Key128::new([1; 16]), Key128::new([2; 16]));
    let sim = Milenage::new(&k, &opc);
    let plmn = "00101".parse().unwrap();
    let mut usim = Usim::new("001010000000001".parse().unwrap(), k, opc);
    let start = Mark {
        seq: 0,
        epoch: Epoch(0),
    };
    let mut counter = Counter::restore(start, Epoch(0));
    let issue = |counter: &mut Counter, fill| {
        let sqn = counter.issue(IndRange::ALL).ok().unwrap();
        EpsVector::new(&sim, [fill; 16], sqn, [0x80, 0], plmn)
    };
    for fill in 0..100 {
        let vector = issue(&mut counter, fill);
        let response = usim.authenticate(&vector.rand, &vector.autn).ok().unwrap();
        assert!(vector.xres == response.res);
        let kasme = heiiki_nas::kdf::kasme(&response.ck, &response.ik, plmn, response.sqn_xor_ak);
        assert!(vector.kasme == kasme);
    }
    // An authenticator that starts again from nothing is brought up to date by the card's token.
    let mut counter = Counter::restore(start, Epoch(0));
    let vector = issue(&mut counter, 200);
    let refusal = usim.authenticate(&vector.rand, &vector.autn).err();
    let Some(Refusal::SyncFailure { auts }) = refusal else {
        panic!("{refusal:?}");
    };
    let sqn_ms = auts::open(&sim, &vector.rand, &auts).ok().unwrap();
    assert_eq!(sqn_ms.octets(), usim.sequence_numbers().highest());
    assert!(matches!(
        counter.resynchronise(sqn_ms),
        Resync::Raised { .. }
    ));
    let vector = issue(&mut counter, 201);
    assert!(usim.authenticate(&vector.rand, &vector.autn).is_ok());
}
