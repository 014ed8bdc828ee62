use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use heiiki_types::Key128;
use zeroize::Zeroizing;

use super::Direction;
use super::eea2::prefix;

/// 128-EIA2, TS 33.401 §B.2.3: the first 32 bits of an AES-CMAC over COUNT, BEARER, DIRECTION and
/// the message.
///
/// `count` is the NAS COUNT of 32 bits, `bearer` 5 bits (zero in the NAS).
pub fn eia2(key: &Key128, count: u32, bearer: u8, direction: Direction, message: &[u8]) -> [u8; 4] {
    eia2_bits(key, count, bearer, direction, message, message.len() * 8)
}

/// 128-EIA2 of the first `bits` bits of a message; of all of it when it has fewer. The NAS has
/// whole octets only, the test sets of TS 33.401 §C.2 have not.
pub fn eia2_bits(
    key: &Key128,
    count: u32,
    bearer: u8,
    direction: Direction,
    message: &[u8],
    bits: usize,
) -> [u8; 4] {
    let cipher = Aes128::new(key.expose().into());
    let bits = bits.min(message.len() * 8);
    let message = message.get(..bits.div_ceil(8)).unwrap_or(message);
    // The prefix is half a block: it and the message are read as one run of octets.
    let prefix = prefix(count, bearer, direction);
    let mut octets = prefix.iter().chain(message).copied();
    let mut left = prefix.len() + message.len();
    let mut state = Zeroizing::new([0; 16]);
    while left > 16 {
        absorb(&mut state, &mut octets);
        cipher.encrypt_block((&mut *state).into());
        left -= 16;
    }
    absorb(&mut state, &mut octets);
    let mut subkey = Zeroizing::new([0; 16]);
    cipher.encrypt_block((&mut *subkey).into());
    double(&mut subkey);
    if left < 16 || !bits.is_multiple_of(8) {
        // An incomplete block: a one after the last bit, zeros up to the end, the second subkey.
        double(&mut subkey);
        let one = if bits.is_multiple_of(8) {
            left
        } else {
            left - 1
        };
        if let Some(octet) = state.get_mut(one) {
            let one = 0x80_u8 >> (bits % 8);
            // Bits of the message beyond its length do not count.
            let beyond = match bits % 8 {
                0 => 0,
                _ => message.last().copied().unwrap_or(0) & ((one << 1).wrapping_sub(1)),
            };
            *octet ^= one ^ beyond;
        }
    }
    for (s, k) in state.iter_mut().zip(subkey.iter()) {
        *s ^= k;
    }
    cipher.encrypt_block((&mut *state).into());
    let [a, b, c, d, ..] = *state;
    [a, b, c, d]
}

fn absorb(state: &mut [u8; 16], octets: &mut impl Iterator<Item = u8>) {
    for (s, o) in state.iter_mut().zip(octets) {
        *s ^= o;
    }
}

/// Doubling in the field of AES-CMAC (RFC 4493 §2.3), in time that does not depend on the value.
fn double(block: &mut [u8; 16]) {
    let value = u128::from_be_bytes(*block);
    let carry = (value >> 127).wrapping_neg() & 0x87;
    *block = (value << 1 ^ carry).to_be_bytes();
}
