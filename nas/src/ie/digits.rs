use alloc::string::String;
use alloc::vec::Vec;

/// Reads the digits of an identity, TS 24.008 Figure 10.5.4: the first in the high half of the
/// first octet, whose bit 4 says whether their number is odd; an even number ends with a filler.
pub(crate) fn decode_digits(value: &[u8]) -> Option<String> {
    let (first, rest) = value.split_first()?;
    let odd = first & 8 != 0;
    let mut nibbles: Vec<u8> = Vec::from([first >> 4]);
    nibbles.extend(rest.iter().flat_map(|o| [o & 15, o >> 4]));
    if !odd && nibbles.pop() != Some(15) {
        return None;
    }
    let digit = |n: u8| char::from_digit(u32::from(n), 10);
    nibbles.into_iter().map(digit).collect()
}

/// Writes digits after the type of identity.
pub(crate) fn encode_digits(kind: u8, digits: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut nibbles: Vec<u8> = digits.collect();
    let odd = nibbles.len() % 2 == 1;
    if !odd {
        nibbles.push(15);
    }
    let mut nibbles = nibbles.into_iter();
    let first = nibbles.next().unwrap_or(15);
    let mut out = Vec::from([first << 4 | u8::from(odd) << 3 | kind]);
    while let (Some(low), Some(high)) = (nibbles.next(), nibbles.next()) {
        out.push(high << 4 | low);
    }
    out
}
