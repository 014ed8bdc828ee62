//! The algorithms against the sets of TS 33.401 Annex C and against other implementations.

use aes::Aes128;
use alloc::vec::Vec;
use cmac::{Cmac, Mac};
use heiiki_types::{Key128, Rng, from_hex};
use serde_json::Value;

use crate::Direction;
use crate::security::eea2::prefix;
use crate::security::{eea2, eia2, eia2_bits};

struct Set {
    id: Value,
    key: Key128,
    count: u32,
    bearer: u8,
    direction: Direction,
    bits: usize,
    input: Vec<u8>,
    output: Vec<u8>,
}

fn sets(file: &str, input: &str, output: &str) -> Vec<Set> {
    let v: Value = serde_json::from_str(file).unwrap();
    let hex = |v: &Value| from_hex(v.as_str().unwrap()).unwrap();
    let number = |v: &Value| v.as_u64().unwrap();
    let set = |s: &Value| Set {
        id: s["id"].clone(),
        key: Key128::new(hex(&s["key"]).try_into().unwrap()),
        count: u32::from_be_bytes(hex(&s["count"]).try_into().unwrap()),
        bearer: number(&s["bearer"]).try_into().unwrap(),
        direction: match number(&s["direction"]) {
            0 => Direction::Uplink,
            _ => Direction::Downlink,
        },
        bits: number(&s["length_bits"]).try_into().unwrap(),
        input: hex(&s[input]),
        output: hex(&s[output]),
    };
    v["sets"].as_array().unwrap().iter().map(set).collect()
}

/// Clears the bits of the last octet that are beyond the length of the message.
fn cut(octets: &mut Vec<u8>, bits: usize) {
    octets.truncate(bits.div_ceil(8));
    if let (Some(last), 1..) = (octets.last_mut(), bits % 8) {
        *last &= 0xff << (8 - bits % 8);
    }
}

#[test]
fn eea2_of_ts_33_401_c_1() {
    let file = include_str!("../../../../fixtures/vectors/128-eea2.json");
    let sets = sets(file, "plaintext", "ciphertext");
    assert_eq!(sets.len(), 6);
    for set in sets {
        let (mut there, mut back) = (set.input.clone(), set.output.clone());
        eea2(&set.key, set.count, set.bearer, set.direction, &mut there);
        cut(&mut there, set.bits);
        assert_eq!(there, set.output, "{}", set.id);
        eea2(&set.key, set.count, set.bearer, set.direction, &mut back);
        cut(&mut back, set.bits);
        assert_eq!(back, set.input, "{}", set.id);
    }
}

#[test]
fn eia2_of_ts_33_401_c_2() {
    let file = include_str!("../../../../fixtures/vectors/128-eia2.json");
    let sets = sets(file, "message", "mac");
    assert_eq!(sets.len(), 8);
    for set in sets {
        let (key, count, bearer, direction) = (&set.key, set.count, set.bearer, set.direction);
        let mac = eia2_bits(key, count, bearer, direction, &set.input, set.bits);
        assert_eq!(mac, *set.output, "{}", set.id);
        if set.bits == set.input.len() * 8 {
            assert_eq!(mac, eia2(key, count, bearer, direction, &set.input));
        }
        // What is beyond the length does not count, inside the last octet and after it.
        let mut longer = set.input.clone();
        if let (Some(last), 1..) = (longer.last_mut(), set.bits % 8) {
            *last |= 0xff >> (set.bits % 8);
        }
        longer.push(0xff);
        let same = eia2_bits(key, count, bearer, direction, &longer, set.bits);
        assert_eq!(same, mac, "{}", set.id);
    }
}

/// The `cmac` crate is the second opinion on whole octets, at every length around the blocks.
#[test]
fn eia2_agrees_with_the_cmac_crate() {
    let mut rng = Rng::from_seed(2);
    for len in (0..70).chain([127, 128, 129, 1_000]) {
        let key = rng.octets::<16>();
        let (count, [bearer]) = (rng.next_u32(), rng.octets());
        let mut message = alloc::vec![0; len];
        rng.fill(&mut message);
        for direction in [Direction::Uplink, Direction::Downlink] {
            let mut cmac = <Cmac<Aes128> as cmac::KeyInit>::new(&key.into());
            cmac.update(&prefix(count, bearer & 31, direction));
            cmac.update(&message);
            let expected = cmac.finalize().into_bytes();
            let mac = eia2(&Key128::new(key), count, bearer & 31, direction, &message);
            assert_eq!(mac[..], expected[..4], "{len}");
        }
    }
}
