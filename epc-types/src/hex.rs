use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The text is not an even number of hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHex;

impl fmt::Display for InvalidHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an even number of hexadecimal digits")
    }
}

impl core::error::Error for InvalidHex {}

fn digit(c: u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        b'A'..=b'F' => Some(c - b'A' + 10),
        _ => None,
    }
}

pub(crate) fn decode_into(text: &str, out: &mut [u8]) -> Option<()> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != out.len() {
        return None;
    }
    for (o, [high, low]) in out.iter_mut().zip(pairs) {
        *o = digit(*high)? << 4 | digit(*low)?;
    }
    Some(())
}

/// Reads octets from hexadecimal digits of either case.
pub fn from_hex(text: &str) -> Result<Vec<u8>, InvalidHex> {
    let mut out = alloc::vec![0; text.len() / 2];
    decode_into(text, &mut out).ok_or(InvalidHex)?;
    Ok(out)
}

/// Writes octets as lower-case hexadecimal digits.
pub fn to_hex(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    octets
        .iter()
        .flat_map(|o| [o >> 4, o & 15])
        .filter_map(|d| DIGITS.get(usize::from(d)).map(|c| char::from(*c)))
        .collect()
}
