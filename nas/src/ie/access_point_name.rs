use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::Apn;

/// Reads an access point name, TS 24.008 §10.5.6.1: labels, each with its length before it.
pub(crate) fn decode_apn(mut value: &[u8]) -> Option<Apn> {
    let mut text = String::new();
    while let Some((len, rest)) = value.split_first() {
        let (label, rest) = rest.split_at_checked(usize::from(*len))?;
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(core::str::from_utf8(label).ok()?);
        // A dot inside a label would read as two labels.
        if label.contains(&b'.') {
            return None;
        }
        value = rest;
    }
    text.parse().ok()
}

pub(crate) fn encode_apn(apn: &Apn) -> Vec<u8> {
    let mut out = Vec::new();
    for label in apn.as_str().split('.') {
        crate::octets::lv(&mut out, label.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_both_ways() {
        let apn = decode_apn(b"\x04corp\x07example").unwrap();
        assert_eq!(apn.as_str(), "corp.example");
        assert_eq!(encode_apn(&apn), b"\x04corp\x07example");
    }

    #[test]
    fn what_is_not_a_name() {
        for bad in [
            &b""[..],
            b"\x05corp",
            b"\x00",
            b"\x04corp\x00",
            b"\x03a.b",
            b"\x02\xff\xfe",
        ] {
            assert_eq!(decode_apn(bad), None, "{bad:?}");
        }
    }
}
