use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use heiiki_types::Key128;
use zeroize::Zeroizing;

use super::Direction;

/// The first four octets that COUNT makes and the fifth of BEARER (5 bits) and DIRECTION, with
/// three zero octets after them: how both 128-EEA2 and 128-EIA2 begin.
pub(super) fn prefix(count: u32, bearer: u8, direction: Direction) -> [u8; 8] {
    let [a, b, c, d] = count.to_be_bytes();
    [a, b, c, d, bearer << 3 | direction.bit() << 2, 0, 0, 0]
}

/// 128-EEA2, TS 33.401 §B.1.3: AES in counter mode, in place; ciphering and deciphering are the
/// same.
///
/// `count` is the NAS COUNT of 32 bits, `bearer` 5 bits (zero in the NAS).
pub fn eea2(key: &Key128, count: u32, bearer: u8, direction: Direction, data: &mut [u8]) {
    let cipher = Aes128::new(key.expose().into());
    let [a, b, c, d, e, f, g, h] = prefix(count, bearer, direction);
    for (i, chunk) in (0_u64..).zip(data.chunks_mut(16)) {
        let [p, q, r, s, t, u, v, w] = i.to_be_bytes();
        let block = [a, b, c, d, e, f, g, h, p, q, r, s, t, u, v, w];
        let mut block = Zeroizing::new(block);
        cipher.encrypt_block((&mut *block).into());
        for (octet, key) in chunk.iter_mut().zip(block.iter()) {
            *octet ^= key;
        }
    }
}
