//! The rules, message by message: what happens when an element of a good message goes missing or
//! goes bad.

use alloc::vec::Vec;

use heiiki_types::from_hex;
use hex_literal::hex;

use super::presence::Rule;
use super::*;
use crate::c::Cause;
use crate::testing;

/// A good message, element by element, without its header's length.
struct Built {
    header: Vec<u8>,
    elements: Vec<(u8, u8, Vec<u8>)>,
}

impl Built {
    fn new(octets: &[u8]) -> Self {
        let ies = Ies::parse(&octets[12..]).unwrap();
        Self {
            header: octets[..12].to_vec(),
            elements: ies
                .iter()
                .map(|e| (e.ie, e.instance, e.value.to_vec()))
                .collect(),
        }
    }

    fn octets(&self) -> Vec<u8> {
        let mut out = self.header.clone();
        for (ie, instance, value) in &self.elements {
            out.push(*ie);
            out.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            out.push(*instance);
            out.extend(value);
        }
        patch_length(&mut out, 2, 4);
        out
    }

    fn without(&self, ie: u8, instance: u8) -> Self {
        let keep = |e: &&(u8, u8, Vec<u8>)| (e.0, e.1) != (ie, instance);
        Self {
            header: self.header.clone(),
            elements: self.elements.iter().filter(keep).cloned().collect(),
        }
    }

    fn with(&self, ie: u8, instance: u8, value: &[u8]) -> Self {
        let mut built = Self {
            header: self.header.clone(),
            elements: self.elements.clone(),
        };
        for e in &mut built.elements {
            if (e.0, e.1) == (ie, instance) {
                e.2 = value.to_vec();
            }
        }
        built
    }

    fn verdict(&self) -> Option<(Cause, (u8, u8))> {
        let octets = self.octets();
        let reject = decode(&octets).unwrap().message.err()?;
        Some((reject.cause, reject.ie.unwrap()))
    }
}

fn request() -> Built {
    let message = Message::CreateSessionRequest(Box::new(tests::create_session_request()));
    Built::new(&on_wire(&message))
}

fn on_wire(message: &Message) -> Vec<u8> {
    let header = Header {
        message_type: message.message_type(),
        teid: Some(1),
        sequence: 1,
        piggybacked: false,
    };
    encode(header, message)
}

const MISSING: Cause = Cause::MANDATORY_IE_MISSING;
const CONDITIONAL: Cause = Cause::CONDITIONAL_IE_MISSING;

/// TS 29.274 Table 7.2.1-1 and §7.7.6.
#[test]
fn create_session_request_without_each_element() {
    let cases = [
        (1, 0, Some(CONDITIONAL)),
        (76, 0, None),
        (75, 0, None),
        (86, 0, None),
        (83, 0, Some(CONDITIONAL)),
        (82, 0, Some(MISSING)),
        (77, 0, None),
        (87, 0, Some(MISSING)),
        (71, 0, Some(MISSING)),
        (128, 0, Some(CONDITIONAL)),
        (99, 0, Some(CONDITIONAL)),
        (79, 0, Some(CONDITIONAL)),
        (127, 0, Some(CONDITIONAL)),
        (72, 0, Some(CONDITIONAL)),
        (78, 0, None),
        (93, 0, Some(MISSING)),
        (3, 0, None),
        (114, 0, None),
        (95, 0, None),
    ];
    let built = request();
    assert_eq!(cases.len(), built.elements.len());
    for (ie, instance, cause) in cases {
        let verdict = built.without(ie, instance).verdict();
        assert_eq!(verdict, cause.map(|c| (c, (ie, instance))), "{ie}");
    }
}

/// TS 29.274 Table 7.2.1-2.
#[test]
fn bearer_context_to_be_created_without_each_element() {
    let built = request();
    let (.., context) = built.elements.iter().find(|e| e.0 == 93).unwrap();
    for (ie, instance, cause) in [(73, 0, MISSING), (87, 2, CONDITIONAL), (80, 0, MISSING)] {
        let members = Ies::parse(context).unwrap();
        let mut left = Vec::new();
        for e in members
            .iter()
            .filter(|e| (e.ie, e.instance) != (ie, instance))
        {
            super::super::ie::write_with(&mut left, e.ie, e.instance, |out| out.extend(e.value));
        }
        let verdict = built.with(93, 0, &left).verdict();
        assert_eq!(verdict, Some((cause, (ie, instance))));
    }
}

/// The first in the order of the table, whatever the order on the wire and whatever else is bad.
#[test]
fn the_first_missing_element_is_the_one_reported() {
    let mut built = request().without(87, 0).without(71, 0).without(93, 0);
    built.elements.reverse();
    let built = built.with(82, 0, &[]);
    assert_eq!(built.verdict(), Some((MISSING, (87, 0))));
    // Presence goes before values (TS 29.274 §7.7.1).
    let built = request().with(82, 0, &[0]).without(93, 0);
    assert_eq!(built.verdict(), Some((MISSING, (93, 0))));
}

/// TS 29.274 §7.7.7 and §7.7.8.
#[test]
fn an_element_that_is_due_and_bad_is_refused() {
    let (length, value) = (Cause::INVALID_LENGTH, Cause::MANDATORY_IE_INCORRECT);
    let cases: [(u8, &[u8], Cause); 19] = [
        (1, &hex!("0010100000a000f1"), value),
        (1, &[], value),
        (83, &hex!("00f1"), length),
        (83, &hex!("aaf110"), value),
        (82, &[], length),
        (82, &[0], value),
        (87, &hex!("860000200 07f0000"), length),
        (87, &hex!("8600000000 7f000003"), value),
        (87, &hex!("0600002000 7f000003"), value),
        (87, &hex!("86"), length),
        (71, &[], value),
        (71, &hex!("09636f7270"), value),
        (71, &hex!("04636f2e70"), value),
        (99, &[7], value),
        (79, &hex!("010a1400"), length),
        (79, &hex!("07"), value),
        (79, &hex!("02 ff 20010db8000000010000000000000001"), value),
        (72, &hex!("0000c350 000186"), length),
        (93, &hex!("49000200 05"), length),
    ];
    let built = request();
    for (ie, octets, cause) in cases {
        let verdict = built.with(ie, 0, octets).verdict();
        let at = if octets.first() == Some(&0x49) {
            73
        } else {
            ie
        };
        assert_eq!(verdict, Some((cause, (at, 0))), "{ie} {octets:x?}");
    }
}

/// TS 29.274 §7.7.8: as if it were not there.
#[test]
fn an_optional_element_that_is_bad_counts_as_absent() {
    let built = request();
    for (ie, octets) in [
        (76, &hex!("aa")[..]),
        (75, &hex!("00")),
        (86, &hex!("18 00f110")),
        (3, &[]),
        (114, &[0x63]),
        (95, &[8]),
        (77, &[]),
    ] {
        let spoiled = decode_message(&built.with(ie, 0, octets));
        let absent = decode_message(&built.without(ie, 0));
        assert_eq!(spoiled, absent, "{ie}");
    }
}

fn decode_message(built: &Built) -> Message {
    decode(&built.octets()).unwrap().message.unwrap()
}

/// TS 29.274 §8.2: what an extendable element has at its end is for later releases.
#[test]
fn octets_after_the_known_part_are_ignored() {
    let built = request();
    let plain = decode_message(&built);
    for e in &built.elements {
        if matches!(e.0, 82 | 83 | 87 | 128 | 99 | 127 | 72 | 3 | 114 | 95) {
            let longer = [&e.2[..], &[0xaa, 0xbb]].concat();
            assert_eq!(
                decode_message(&built.with(e.0, e.1, &longer)),
                plain,
                "{}",
                e.0
            );
        }
    }
}

/// TS 29.274 Table 7.2.2-1.
#[test]
fn create_session_response_without_each_element() {
    let message = Message::CreateSessionResponse(tests::create_session_response());
    let built = Built::new(&on_wire(&message));
    let cases = [
        (2, 0, Some(MISSING)),
        (87, 1, Some(CONDITIONAL)),
        (79, 0, Some(CONDITIONAL)),
        (127, 0, None),
        (78, 0, None),
        (93, 0, Some(MISSING)),
        (3, 0, None),
    ];
    assert_eq!(cases.len(), built.elements.len());
    for (ie, instance, cause) in cases {
        let verdict = built.without(ie, instance).verdict();
        assert_eq!(verdict, cause.map(|c| (c, (ie, instance))), "{ie}");
    }
}

/// TS 29.274 §6.1.1: a refusal needs its cause and nothing else.
#[test]
fn a_refusal_needs_its_cause_alone() {
    for message_type in [33, 35, 37, 100] {
        let mut built = Built {
            header: hex!("48000000 00000001 00000100").to_vec(),
            elements: vec![(2, 0, vec![Cause::CONTEXT_NOT_FOUND.0, 0])],
        };
        built.header[1] = message_type;
        assert_eq!(built.verdict(), None);
        let none = built.without(2, 0);
        assert_eq!(none.verdict(), Some((MISSING, (2, 0))));
        let zero = built.with(2, 0, &[0, 0]);
        let incorrect = Cause::MANDATORY_IE_INCORRECT;
        assert_eq!(zero.verdict(), Some((incorrect, (2, 0))));
        let short = built.with(2, 0, &[64]);
        assert_eq!(short.verdict(), Some((Cause::INVALID_LENGTH, (2, 0))));
    }
}

/// TS 29.274 §6.1.1: inside a group that need not be there, a mandatory element is conditional.
#[test]
fn a_mandatory_member_of_a_conditional_group_is_conditional() {
    let octets = testing::message("gtpv2", "Modify Bearer Request (S11)");
    let built = Built::new(&octets).with(93, 0, &[]);
    assert_eq!(built.verdict(), Some((CONDITIONAL, (73, 0))));
    assert_eq!(built.without(93, 0).verdict(), None);
}

/// TS 29.274 Table 7.2.9.1-1 and Table 7.2.9.2-1.
#[test]
fn deletions_name_what_they_delete() {
    let session = Built::new(&testing::message("gtpv2", "Delete Session Request (S11)"));
    let nothing = session.without(73, 0);
    assert_eq!(nothing.verdict(), Some((CONDITIONAL, (73, 0))));
    let s11 = decode_on(ReferencePoint::S11, &nothing.octets())
        .unwrap()
        .message
        .is_ok();
    assert!(s11, "a relocation on S11 names none");

    let name = "Delete Bearer Request (default bearer, reactivation requested)";
    let bearer = Built::new(&testing::message("gtpv2", name)).without(73, 0);
    assert_eq!(bearer.verdict(), Some((CONDITIONAL, (73, 0))));
    let dedicated = Built {
        elements: vec![(73, 1, vec![6])],
        ..bearer
    };
    assert_eq!(dedicated.verdict(), None);
}

/// TS 29.274 Table 7.1.1-1.
#[test]
fn echo_needs_a_restart_counter() {
    for message_type in [1, 2] {
        let octets = [0x40, message_type, 0, 4, 0, 0, 1, 0];
        let reject = decode(&octets).unwrap().message.unwrap_err();
        assert_eq!((reject.cause, reject.ie), (MISSING, Some((3, 0))));
    }
}

/// TS 29.274 §7.7.7: an element that runs over the end is the one in error.
#[test]
fn an_element_that_runs_over_the_end_is_refused() {
    let mut octets = from_hex("48240013000010000000100049000100054d0002000800").unwrap();
    octets[19] = 9;
    let reject = decode(&octets).unwrap().message.unwrap_err();
    let at = Some((77, 0));
    assert_eq!((reject.cause, reject.ie), (Cause::INVALID_LENGTH, at));
    let cut = hex!("4824000b 00001000 00001000 490001");
    let reject = decode(&cut).unwrap().message.unwrap_err();
    assert_eq!((reject.cause, reject.ie), (Cause::INVALID_LENGTH, None));
}

/// A table that lists an element twice would never report the second row.
#[test]
fn no_table_has_a_row_twice() {
    let types = [1, 32, 33, 34, 35, 36, 37, 99, 100].map(MessageType);
    for table in types.map(|t| table(t).unwrap()) {
        for (i, rule) in table.iter().enumerate() {
            let again = |r: &Rule| {
                format!("{r:?}").rsplit('(').next() == format!("{rule:?}").rsplit('(').next()
            };
            assert!(!table[i + 1..].iter().any(again), "{rule:?}");
        }
    }
}
