//! Key derivation, TS 33.401 Annex A, with the function of TS 33.220 §B.2.

use heiiki_types::{Key128, Key256};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::security::{Eea, Eia};

mod kasme;

pub use kasme::{BATCH, KasmeInputs, kasme, kasmes};

const KENB: u8 = 0x11;
const NH: u8 = 0x12;
const ALGORITHM_KEY: u8 = 0x15;

/// What an algorithm key is for, TS 33.401 Table A.7-1.
const NAS_ENC: u8 = 1;
const NAS_INT: u8 = 2;

fn hmac_sha_256<'a>(key: &[u8], parts: impl Iterator<Item = &'a [u8]>) -> [u8; 32] {
    // An HMAC takes keys of every length; without one no octet of output is defined.
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(key) else {
        return [0; 32];
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// HMAC-SHA-256 over FC and each parameter with its length after it.
fn derive<const N: usize>(key: &[u8], fc: u8, parameters: [&[u8]; N]) -> [u8; 32] {
    let lengths = parameters.map(|p| u16::try_from(p.len()).unwrap_or(u16::MAX).to_be_bytes());
    let parts = parameters
        .into_iter()
        .zip(&lengths)
        .flat_map(|(p, l)| [p, l.as_slice()]);
    hmac_sha_256(key, core::iter::once([fc].as_slice()).chain(parts))
}

/// KeNB from KASME and the uplink NAS COUNT of the message that leads to the initial context
/// setup, TS 33.401 §A.3.
pub fn kenb(kasme: &Key256, uplink_count: u32) -> Key256 {
    Key256::new(derive(kasme.expose(), KENB, [&uplink_count.to_be_bytes()]))
}

/// The next NH, TS 33.401 §A.4: `previous` is KeNB for the first, the NH before for the others.
pub fn nh(kasme: &Key256, previous: &Key256) -> Key256 {
    Key256::new(derive(kasme.expose(), NH, [previous.expose()]))
}

/// KNASenc, TS 33.401 §A.7.
pub fn nas_enc(kasme: &Key256, algorithm: Eea) -> Key128 {
    algorithm_key(kasme, NAS_ENC, algorithm.id())
}

/// KNASint, TS 33.401 §A.7.
pub fn nas_int(kasme: &Key256, algorithm: Eia) -> Key128 {
    algorithm_key(kasme, NAS_INT, algorithm.id())
}

/// The last 128 bits of what is derived for an algorithm.
fn algorithm_key(key: &Key256, distinguisher: u8, algorithm: u8) -> Key128 {
    let derived = Zeroizing::new(derive(
        key.expose(),
        ALGORITHM_KEY,
        [&[distinguisher], &[algorithm]],
    ));
    let (_, [last]) = derived.as_chunks::<16>().0.split_at(1) else {
        return Key128::new([0; 16]);
    };
    Key128::new(*last)
}

/// The hash of a plain ATTACH REQUEST that came without a valid MAC, which the SECURITY MODE
/// COMMAND shows to the UE (TS 24.301 §5.4.3.2, TS 33.401 Annex I): the last 64 bits of an
/// HMAC-SHA-256 with a key of zeros.
pub fn hash_mme(plain: &[u8]) -> [u8; 8] {
    let [.., a, b, c, d, e, f, g, h] = hmac_sha_256(&[0; 32], core::iter::once(plain));
    [a, b, c, d, e, f, g, h]
}

#[cfg(test)]
mod tests;
