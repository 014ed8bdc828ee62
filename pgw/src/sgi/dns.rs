use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

const HEADER: usize = 12;
const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const TYPE_ANY: u16 = 255;
const CLASS_IN: u16 = 1;
/// Seconds that an answer may be kept.
const TTL: u32 = 60;

/// Response codes, RFC 1035 §4.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    NoError = 0,
    FormatError = 1,
    NameError = 3,
    NotImplemented = 4,
    Refused = 5,
}

/// The names of one segment, and nothing else: queries for other names are refused, never passed
/// on. A closed network has no path by which a name of the internet could be asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Zone {
    /// Lower case, as `corp.example`; empty when the segment has no domain.
    domain: String,
    names: BTreeMap<String, Vec<IpAddr>>,
}

struct Question<'a> {
    name: String,
    kind: u16,
    class: u16,
    octets: &'a [u8],
}

impl Zone {
    /// The zone of a domain; the names of hosts are below it, or complete.
    pub(super) fn new<'a>(domain: &str, hosts: impl Iterator<Item = (&'a str, IpAddr)>) -> Self {
        let domain = domain.to_ascii_lowercase();
        let mut names: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
        for (host, address) in hosts {
            let host = host.to_ascii_lowercase();
            if !domain.is_empty() && !host.ends_with(&format!(".{domain}")) {
                let name = format!("{host}.{domain}");
                names.entry(name).or_default().push(address);
            }
            names.entry(host).or_default().push(address);
        }
        Self { domain, names }
    }

    fn is_own(&self, name: &str) -> bool {
        !self.domain.is_empty()
            && (name == self.domain || name.ends_with(&format!(".{}", self.domain)))
    }

    /// The response to a query; none to what is no query.
    pub(super) fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let (header, rest) = query.split_first_chunk::<HEADER>()?;
        let [id1, id2, flags, _, q1, q2, ..] = *header;
        if flags & 0x80 != 0 {
            return None;
        }
        let id = [id1, id2];
        if flags & 0x78 != 0 {
            return Some(respond(id, flags, Code::NotImplemented, None, &[]));
        }
        let question = (u16::from_be_bytes([q1, q2]) == 1)
            .then(|| question(rest))
            .flatten();
        let Some(question) = question else {
            return Some(respond(id, flags, Code::FormatError, None, &[]));
        };
        let (code, addresses) = self.find(&question);
        Some(respond(id, flags, code, Some(&question), &addresses))
    }

    fn find(&self, question: &Question<'_>) -> (Code, Vec<IpAddr>) {
        if question.class != CLASS_IN {
            return (Code::Refused, Vec::new());
        }
        match self.names.get(&question.name) {
            Some(addresses) => {
                let wanted = |a: &&IpAddr| match question.kind {
                    TYPE_A => a.is_ipv4(),
                    TYPE_AAAA => a.is_ipv6(),
                    TYPE_ANY => true,
                    _ => false,
                };
                let found = addresses.iter().filter(wanted).copied().collect();
                (Code::NoError, found)
            }
            None if question.name == self.domain && !self.domain.is_empty() => {
                (Code::NoError, Vec::new())
            }
            None if self.is_own(&question.name) => (Code::NameError, Vec::new()),
            None => (Code::Refused, Vec::new()),
        }
    }
}

/// Reads the one question (RFC 1035 §4.1.2). A name in a question has no compression.
fn question(octets: &[u8]) -> Option<Question<'_>> {
    let mut name = String::new();
    let mut rest = octets;
    loop {
        let (&length, after) = rest.split_first()?;
        if length == 0 {
            rest = after;
            break;
        }
        let length = usize::from(length);
        let label = after.get(..length).filter(|_| length <= 63)?;
        rest = after.get(length..)?;
        if !name.is_empty() {
            name.push('.');
        }
        for octet in label {
            name.push(char::from(octet.to_ascii_lowercase()));
        }
        if name.len() > 253 {
            return None;
        }
    }
    let (&[k1, k2, c1, c2], after) = rest.split_first_chunk::<4>()?;
    Some(Question {
        name,
        kind: u16::from_be_bytes([k1, k2]),
        class: u16::from_be_bytes([c1, c2]),
        octets: octets.get(..octets.len() - after.len())?,
    })
}

fn respond(
    id: [u8; 2],
    flags: u8,
    code: Code,
    question: Option<&Question<'_>>,
    addresses: &[IpAddr],
) -> Vec<u8> {
    // QR, the opcode and RD of the query, AA for what is known here; RA is never set.
    let authoritative = matches!(code, Code::NoError | Code::NameError);
    let first = 0x80 | flags & 0x79 | u8::from(authoritative) << 2;
    let count = u16::try_from(addresses.len()).unwrap_or(0).to_be_bytes();
    let questions = [0, u8::from(question.is_some())];
    let mut out = Vec::with_capacity(64);
    out.extend(id);
    out.extend([first, code as u8]);
    out.extend(questions);
    out.extend(count);
    out.extend([0; 4]);
    if let Some(question) = question {
        out.extend(question.octets);
    }
    for address in addresses {
        // The name is the question's, which begins right after the header.
        out.extend([0xc0, 12]);
        let (kind, data): (u16, Vec<u8>) = match address {
            IpAddr::V4(a) => (TYPE_A, a.octets().to_vec()),
            IpAddr::V6(a) => (TYPE_AAAA, a.octets().to_vec()),
        };
        out.extend(kind.to_be_bytes());
        out.extend(CLASS_IN.to_be_bytes());
        out.extend(TTL.to_be_bytes());
        out.extend(u16::try_from(data.len()).unwrap_or(0).to_be_bytes());
        out.extend(data);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    fn zone() -> Zone {
        let hosts = [
            ("intranet", "10.20.0.10".parse().unwrap()),
            ("dns.corp.example", "10.20.0.53".parse().unwrap()),
        ];
        Zone::new("Corp.Example", hosts.into_iter())
    }

    /// A query as `dig` sends it, without EDNS.
    fn query(name: &str, kind: u16) -> Vec<u8> {
        let mut out = hex!("1234 0100 0001 0000 0000 0000").to_vec();
        for label in name.split('.') {
            out.push(u8::try_from(label.len()).unwrap());
            out.extend(label.as_bytes());
        }
        out.push(0);
        out.extend(kind.to_be_bytes());
        out.extend([0, 1]);
        out
    }

    #[test]
    fn own_names_are_answered() {
        let answer = zone().answer(&query("intranet.corp.example", 1)).unwrap();
        assert_eq!(
            answer,
            hex!(
                "1234 8500 0001 0001 0000 0000"
                "08 696e7472616e6574 04 636f7270 07 6578616d706c65 00 0001 0001"
                "c00c 0001 0001 0000003c 0004 0a14000a"
            )
        );
        let upper = zone().answer(&query("INTRANET.corp.EXAMPLE", 1)).unwrap();
        assert_eq!(upper[..12], answer[..12]);
        assert!(
            zone()
                .answer(&query("intranet", 1))
                .unwrap()
                .ends_with(&[10, 20, 0, 10])
        );
    }

    #[test]
    fn other_names_are_refused_and_never_passed_on() {
        for (name, kind, code) in [
            ("example.com", 1, 5),
            ("notcorp.example", 1, 5),
            ("nobody.corp.example", 1, 3),
            ("intranet.corp.example", 28, 0),
            ("intranet.corp.example", 16, 0),
            ("corp.example", 1, 0),
        ] {
            let answer = zone().answer(&query(name, kind)).unwrap();
            assert_eq!(answer[3], code, "{name} {kind}");
            assert_eq!(answer[7], 0, "{name} {kind}");
            // Recursion is not available.
            assert_eq!(answer[3] & 0x80, 0);
        }
    }

    #[test]
    fn what_is_no_query_gets_no_answer_and_the_rest_an_error() {
        let whole = query("intranet.corp.example", 1);
        for length in 0..whole.len() {
            let answer = zone().answer(&whole[..length]);
            assert_eq!(answer.is_some(), length >= 12);
            assert!(answer.is_none_or(|a| a[3] == 1));
        }
        let mut response = whole.clone();
        response[2] |= 0x80;
        assert_eq!(zone().answer(&response), None);
        let mut update = whole;
        update[2] = 0x28;
        assert_eq!(zone().answer(&update).unwrap()[3], 4);
    }

    #[test]
    fn mutations_do_not_panic() {
        let mut rng = heiiki_types::Rng::from_seed(3);
        let zone = zone();
        let whole = query("intranet.corp.example", 1);
        for _ in 0..100_000 {
            let mut octets = whole.clone();
            for _ in 0..=rng.below(4) {
                let at = usize::try_from(rng.below(octets.len() as u64)).unwrap();
                octets[at] = rng.octets::<1>()[0];
            }
            let _ = zone.answer(&octets);
        }
    }
}
