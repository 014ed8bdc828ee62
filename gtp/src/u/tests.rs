use alloc::vec::Vec;
use core::net::IpAddr;

use heiiki_types::{Teid, from_hex, to_hex};
use hex_literal::hex;

use super::*;
use crate::error::{DecodeError, What};
use crate::testing;

fn teid(value: u32) -> Teid {
    Teid::new(value).unwrap()
}

const PING: [u8; 36] = hex!(
    "45000024000100004001667c0a2d00020a2d0001
     08006668000100016162636465666768"
);

/// Messages as written here and as on the wire, each decoded by tshark 4.0.17 without a malformed
/// field. The first ones are those of `fixtures/vectors/gtp_messages.json`.
fn known() -> Vec<(Message<'static>, &'static str)> {
    let peer = IpAddr::from([127, 0, 0, 7]);
    let v6: IpAddr = "2001:db8::7".parse().unwrap();
    let error = |udp_port, peer| Message::ErrorIndication {
        seq: 0,
        teid: teid(0x3002),
        peer,
        udp_port,
    };
    let gpdu = |sequence| Message::GPdu {
        teid: teid(0x3002),
        sequence,
        payload: &PING,
    };
    vec![
        (Message::EchoRequest { seq: 1 }, "320100040000000000010000"),
        (
            Message::EchoResponse { seq: 1 },
            "3202000600000000000100000e00",
        ),
        (
            error(None, peer),
            "321a0010000000000000000010000030028500047f000007",
        ),
        (
            Message::EndMarker { teid: teid(0x5001) },
            "30fe000000005001",
        ),
        (
            gpdu(None),
            "30ff00240000300245000024000100004001667c0a2d00020a2d000108006668000100016162636465666768",
        ),
        (
            gpdu(Some(7)),
            "32ff0028000030020007000045000024000100004001667c0a2d00020a2d000108006668000100016162636465666768",
        ),
        (
            error(Some(40_000), v6),
            "361a002000000000000000400 19c40001000003002850010 20010db8000000000000000000000007",
        ),
        (
            Message::SupportedExtensionHeaders {
                types: &[0x40, 0xc0],
            },
            "321f000800000000000000008d0240c0",
        ),
    ]
}

fn unspaced(text: &str) -> Vec<u8> {
    from_hex(&text.replace(' ', "")).unwrap()
}

#[test]
fn messages_and_octets_correspond() {
    for (message, octets) in known() {
        let octets = unspaced(octets);
        assert_eq!(to_hex(&encode(&message)), to_hex(&octets), "{message:?}");
        assert_eq!(decode(&octets), Ok(message));
    }
}

#[test]
fn vectors_decode_and_encode_again() {
    let samples = testing::messages("gtpu");
    assert_eq!(samples.len(), 7);
    for sample in samples {
        let message = decode(&sample.octets).unwrap();
        let again = encode(&message);
        assert_eq!(decode(&again), Ok(message), "{}", sample.name);
        // The vector of this one has no sequence number; TS 29.281 §5.1 wants the flag.
        if !matches!(message, Message::SupportedExtensionHeaders { .. }) {
            assert_eq!(to_hex(&again), to_hex(&sample.octets), "{}", sample.name);
        }
    }
}

#[test]
fn the_fast_path_agrees_with_the_full_decoder() {
    let plain = testing::message("gtpu", "G-PDU (IPv4 ICMP echo)");
    let (tunnel, range) = decode_gpdu(&plain).unwrap();
    assert_eq!((tunnel, &plain[range]), (teid(0x3002), &PING[..]));
    assert_eq!(encode_gpdu_header(tunnel, 36), plain[..8]);

    let mut corpus: Vec<_> = known().iter().map(|k| unspaced(k.1)).collect();
    corpus.push(chain());
    let agree = |octets: &[u8]| match (decode_gpdu(octets), decode(octets)) {
        (Some((a, range)), Ok(Message::GPdu { teid, payload, .. })) => {
            assert_eq!((a, &octets[range]), (teid, payload));
        }
        (Some(_), other) => panic!("only the fast path takes it: {other:?}"),
        (None, _) => {}
    };
    testing::sweep(&corpus, agree);
}

#[test]
fn the_fast_path_leaves_the_rest_to_the_full_decoder() {
    for name in ["G-PDU with sequence number", "End Marker", "Echo Request"] {
        assert_eq!(decode_gpdu(&testing::message("gtpu", name)), None, "{name}");
    }
    assert_eq!(decode_gpdu(&hex!("30ff000000000000")), None, "TEID 0");
    assert_eq!(decode_gpdu(&hex!("30ff000100000001")), None, "length");
    let (tunnel, range) = decode_gpdu(&hex!("38ff000000000001")).unwrap();
    assert_eq!((tunnel, range), (teid(1), 8..8), "spare bit, empty packet");
}

/// A G-PDU with two extension headers that may be skipped, the second one twice as long.
fn chain() -> Vec<u8> {
    hex!("34ff00140000300200000020 01aabb20 02aabbccddee0000 4500ffff").to_vec()
}

#[test]
fn the_extension_chain_is_walked() {
    let octets = chain();
    let Message::GPdu {
        payload, sequence, ..
    } = decode(&octets).unwrap()
    else {
        panic!("not a G-PDU");
    };
    assert_eq!((payload, sequence), (&hex!("4500ffff")[..], None));
}

#[test]
fn an_extension_header_that_must_be_understood_is_an_error() {
    let cases = [(0x85, true), (0xc0, true), (0x20, false), (0x40, false)];
    for (kind, fails) in cases {
        let mut octets = hex!("34ff000c00003002000000ff 01000000 45000000").to_vec();
        octets[11] = kind;
        let result = decode(&octets);
        if fails {
            let what = What::ExtensionHeader(kind);
            assert_eq!(result, Err(DecodeError { at: 12, what }));
        } else {
            assert!(result.is_ok(), "{kind:#x}");
        }
    }
}

#[test]
fn flags_other_than_e_do_not_start_a_chain() {
    // S alone: the next type is there and means nothing.
    let octets = hex!("32ff0008000030020001 00 85 45000000");
    assert!(matches!(
        decode(&octets),
        Ok(Message::GPdu {
            sequence: Some(1),
            payload: [0x45, 0, 0, 0],
            ..
        })
    ));
    // PN alone: no sequence number.
    let octets = hex!("31ff0008000030020001 07 85 45000000");
    assert!(matches!(
        decode(&octets),
        Ok(Message::GPdu { sequence: None, .. })
    ));
}

#[test]
fn what_is_wrong_is_said_where_it_is() {
    let cases: [(&[u8], u16, What); 11] = [
        (&[], 0, What::Truncated),
        (&hex!("30ff0004"), 4, What::Truncated),
        (&hex!("50ff000000000001"), 0, What::Version(2)),
        (&hex!("20ff000000000001"), 0, What::ProtocolType),
        (&hex!("30ff000100000001"), 2, What::Length),
        (&hex!("30ff00000000000100"), 2, What::Length),
        (&hex!("30ff000000000000"), 4, What::Teid),
        (&hex!("30fd000000000001"), 1, What::MessageType(253)),
        (&hex!("34ff0005000000010000002000"), 12, What::Length),
        (
            &hex!("301a000c0000000010000000008500047f000007"),
            8,
            What::BadIe(16),
        ),
        (
            &hex!("301a0007000000008500047f000007"),
            15,
            What::MissingIe(16),
        ),
    ];
    for (octets, at, what) in cases {
        assert_eq!(decode(octets), Err(DecodeError { at, what }), "{octets:x?}");
    }
}

#[test]
fn spoiled_messages_never_panic_and_decode_alike_again() {
    let mut corpus: Vec<_> = known().iter().map(|k| unspaced(k.1)).collect();
    corpus.extend(testing::messages("gtpu").into_iter().map(|s| s.octets));
    corpus.push(chain());
    let check = |octets: &[u8]| {
        let _ = decode_gpdu(octets);
        if let Ok(message) = decode(octets) {
            assert_eq!(decode(&encode(&message)), Ok(message));
        }
    };
    testing::sweep(&corpus, check);
    testing::mutate(0x6770, &corpus, check);
}
