//! What the tests of both protocols share: the vectors, and the ways to spoil a message.

use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::{Rng, from_hex};

/// One message of the vectors.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) octets: Vec<u8>,
}

/// The messages of `fixtures/vectors/gtp_messages.json` of one protocol: `gtpv2` or `gtpu`.
pub(crate) fn messages(protocol: &str) -> Vec<Sample> {
    let text = include_str!("../../fixtures/vectors/gtp_messages.json");
    samples(text, |s| s["protocol"] == protocol)
}

/// The values of `fixtures/vectors/gtp_pco.json`.
pub(crate) fn pcos() -> Vec<Sample> {
    let text = include_str!("../../fixtures/vectors/gtp_pco.json");
    samples(text, |_| true)
}

/// The samples of `fixtures/vectors/gtp_tft.json`, with another implementation's reading of them.
pub(crate) fn tfts() -> Vec<(Sample, serde_json::Value)> {
    let text = include_str!("../../fixtures/vectors/gtp_tft.json");
    let json: serde_json::Value = serde_json::from_str(text).unwrap();
    let values = json["samples"].as_array().unwrap().iter();
    let values = values.map(|s| s["values"].clone());
    samples(text, |_| true).into_iter().zip(values).collect()
}

/// The message with this name.
pub(crate) fn message(protocol: &str, name: &str) -> Vec<u8> {
    let all = messages(protocol);
    let found = all.into_iter().find(|s| s.name == name);
    found.unwrap_or_else(|| panic!("no vector {name}")).octets
}

fn samples(text: &str, keep: impl Fn(&serde_json::Value) -> bool) -> Vec<Sample> {
    let json: serde_json::Value = serde_json::from_str(text).unwrap();
    let samples = json["samples"].as_array().unwrap().iter();
    let samples = samples.filter(|s| keep(s)).map(|s| Sample {
        name: s["name"].as_str().unwrap().into(),
        octets: from_hex(s["hex"].as_str().unwrap()).unwrap(),
    });
    samples.collect()
}

/// Every strict prefix and every single-bit flip of each message goes to `check`.
pub(crate) fn sweep(corpus: &[Vec<u8>], mut check: impl FnMut(&[u8])) {
    for octets in corpus {
        for end in 0..octets.len() {
            check(&octets[..end]);
        }
        for bit in 0..octets.len() * 8 {
            let mut flipped = octets.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            check(&flipped);
        }
    }
}

/// 100,000 spoiled messages go to `check`: octets set, swapped, removed, repeated and spliced.
pub(crate) fn mutate(seed: u64, corpus: &[Vec<u8>], mut check: impl FnMut(&[u8])) {
    let mut rng = Rng::from_seed(seed);
    for _ in 0..100_000 {
        let mut octets = pick(&mut rng, corpus).clone();
        for _ in 0..=rng.below(4) {
            let at = below(&mut rng, octets.len());
            match rng.below(6) {
                0 => octets.truncate(at),
                1 if at < octets.len() => drop(octets.remove(at)),
                2 => octets.insert(at, rng.octets::<1>()[0]),
                3 if at < octets.len() => {
                    let end = at + below(&mut rng, octets.len() - at) + 1;
                    let part = octets[at..end].to_vec();
                    octets.splice(at..at, part);
                }
                4 => {
                    let other = pick(&mut rng, corpus);
                    let from = below(&mut rng, other.len());
                    octets.truncate(at);
                    octets.extend(&other[from..]);
                }
                _ if at < octets.len() => {
                    // Edge values are where lengths and counts break.
                    let edge = [0, 1, 4, 127, 128, 255];
                    octets[at] = match rng.below(2) {
                        0 => *pick(&mut rng, &edge),
                        _ => rng.octets::<1>()[0],
                    };
                }
                _ => {}
            }
            octets.truncate(2_048);
        }
        check(&octets);
    }
}

fn below(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(bound as u64)).unwrap()
}

fn pick<'a, T>(rng: &mut Rng, from: &'a [T]) -> &'a T {
    &from[below(rng, from.len())]
}
