//! Just enough DNS for a host: one A question, the addresses of its answer (RFC 1035 §4.1).

use alloc::vec::Vec;
use core::net::Ipv4Addr;

const TYPE_A: u16 = 1;
const CLASS_IN: u16 = 1;

/// A recursive-looking query for the A records of `name`; `None` when it is not a host name.
pub(super) fn query(id: u16, name: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(name.len() + 18);
    out.extend_from_slice(&id.to_be_bytes());
    // Recursion desired, one question.
    out.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() > 253 {
        return None;
    }
    for label in name.split('.') {
        let len = u8::try_from(label.len())
            .ok()
            .filter(|l| (1..=63).contains(l))?;
        out.push(len);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out.extend_from_slice(&TYPE_A.to_be_bytes());
    out.extend_from_slice(&CLASS_IN.to_be_bytes());
    Some(out)
}

/// The answer to a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) rcode: u8,
    pub(super) addresses: Vec<Ipv4Addr>,
}

/// Reads the answer to the query with this identifier.
pub(super) fn answer(id: u16, octets: &[u8]) -> Option<Answer> {
    let (header, _) = octets.split_first_chunk::<12>()?;
    let [i0, i1, flags, rcode, q0, q1, a0, a1, ..] = *header;
    if u16::from_be_bytes([i0, i1]) != id || flags & 0x80 == 0 {
        return None;
    }
    let mut rest = octets.get(12..)?;
    for _ in 0..u16::from_be_bytes([q0, q1]) {
        rest = skip_name(rest)?.get(4..)?;
    }
    let mut addresses = Vec::new();
    for _ in 0..u16::from_be_bytes([a0, a1]) {
        let record = skip_name(rest)?;
        let (fixed, data) = record.split_first_chunk::<10>()?;
        let [t0, t1, c0, c1, _, _, _, _, l0, l1] = *fixed;
        let (data, next) = data.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])))?;
        rest = next;
        if u16::from_be_bytes([t0, t1]) == TYPE_A && u16::from_be_bytes([c0, c1]) == CLASS_IN {
            addresses.push(Ipv4Addr::from(*data.first_chunk::<4>()?));
        }
    }
    Some(Answer {
        rcode: rcode & 15,
        addresses,
    })
}

/// What follows a name: labels up to a zero octet or a compression pointer.
fn skip_name(mut octets: &[u8]) -> Option<&[u8]> {
    loop {
        let (len, rest) = octets.split_first()?;
        match len {
            0 => return Some(rest),
            192.. => return rest.get(1..),
            1..=63 => octets = rest.get(usize::from(*len)..)?,
            64..=191 => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use hex_literal::hex;

    #[test]
    fn a_question_to_the_octet() {
        // RFC 1035 §4.1 by hand.
        assert_eq!(
            query(0x1234, "www.corp.example").unwrap(),
            hex!("1234 0100 0001 0000 0000 0000 03777777 04636f7270 076578616d706c65 00 0001 0001")
        );
        assert_eq!(query(0, "a..b"), None);
        assert_eq!(query(0, &"x".repeat(64)), None);
    }

    #[test]
    fn an_answer_with_a_pointer_and_a_foreign_record() {
        let octets = hex!(
            "1234 8180 0001 0002 0000 0000 03777777 04636f7270 00 0001 0001"
            "c00c 0005 0001 0000003c 0002 c010"
            "c010 0001 0001 0000003c 0004 0a140101"
        );
        let parsed = answer(0x1234, &octets).unwrap();
        assert_eq!(parsed.rcode, 0);
        assert_eq!(parsed.addresses, vec![Ipv4Addr::new(10, 20, 1, 1)]);
        assert_eq!(answer(0x1235, &octets), None);
        for len in 0..octets.len() {
            assert_eq!(answer(0x1234, &octets[..len]), None);
        }
    }

    #[test]
    fn no_such_name() {
        let octets = hex!("0001 8183 0001 0000 0000 0000 0178 00 0001 0001");
        assert_eq!(
            answer(1, &octets),
            Some(Answer {
                rcode: 3,
                addresses: vec![]
            })
        );
    }
}
