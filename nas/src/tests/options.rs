//! The rules of TS 24.301 §7.5 to §7.7 for optional elements, on an ATTACH REJECT and others.

use alloc::vec::Vec;

use hex_literal::hex;

use crate::emm::{AttachReject, EmmCause, Message};
use crate::{DecodeError, Direction, GprsTimer2, What, emm, esm};

fn reject(options: &[u8]) -> Result<AttachReject, DecodeError> {
    let mut octets = Vec::from([0x07, 0x44, 22]);
    octets.extend(options);
    match emm::decode(&octets, Direction::Downlink)? {
        Message::AttachReject(reject) => Ok(reject),
        other => panic!("{other:?}"),
    }
}

fn timers(t3346: Option<u8>, t3402: Option<u8>) -> AttachReject {
    AttachReject {
        t3346: t3346.map(GprsTimer2::from_octet),
        t3402: t3402.map(GprsTimer2::from_octet),
        ..AttachReject::new(EmmCause::CONGESTION)
    }
}

#[test]
fn s7_6_1_unknown_elements_are_stepped_over() {
    // TS 24.007 §11.2.4: one octet (bit 8 set), TLV-E (78 to 7f), TLV (all others).
    assert_eq!(reject(&hex!("b3 5f0125")), Ok(timers(Some(0x25), None)));
    assert_eq!(
        reject(&hex!("79 0003 5f0121 5f0125")),
        Ok(timers(Some(0x25), None))
    );
    assert_eq!(
        reject(&hex!("6a 03 5f0121 5f0125")),
        Ok(timers(Some(0x25), None))
    );
    assert_eq!(
        reject(&hex!("80 7f0000 2f00 5f0125 8f")),
        Ok(timers(Some(0x25), None))
    );
}

#[test]
fn s7_6_2_elements_out_of_sequence_do_not_count() {
    assert_eq!(reject(&hex!("160122 5f0125")), Ok(timers(None, Some(0x22))));
}

#[test]
fn s7_6_3_only_the_first_of_repeated_elements_counts() {
    assert_eq!(
        reject(&hex!("5f0125 5f0121 160122")),
        Ok(timers(Some(0x25), Some(0x22)))
    );
}

#[test]
fn s7_7_1_incorrect_elements_do_not_count() {
    assert_eq!(
        reject(&hex!("5f022525 160122")),
        Ok(timers(None, Some(0x22)))
    );
    assert_eq!(reject(&hex!("5f00 160122")), Ok(timers(None, Some(0x22))));
    // One that runs past the end hides what it covers.
    assert_eq!(
        reject(&hex!("5f0125 1605 22")),
        Ok(timers(Some(0x25), None))
    );
    assert_eq!(
        reject(&hex!("5f0125 78ffff 160122")),
        Ok(timers(Some(0x25), None))
    );
    assert_eq!(reject(&hex!("5f")), Ok(timers(None, None)));
}

#[test]
fn s7_5_1_what_must_be_understood_is_an_error() {
    for iei in 0..0x10 {
        let error = reject(&[0x5f, 1, 0x25, iei, 0]).unwrap_err();
        assert_eq!(error.what, What::ComprehensionRequired(iei));
        assert_eq!(error.at, 6);
        assert_eq!(
            error.emm_cause(),
            Some(EmmCause::INVALID_MANDATORY_INFORMATION)
        );
    }
}

/// IMEISV request, TS 24.008 §10.5.5.10: every value but 1 means "not requested".
#[test]
fn an_imeisv_is_asked_for_by_one_value() {
    for (half, wanted) in [(0, false), (1, true), (2, false), (7, false), (9, true)] {
        let octets = [0x07, 0x5d, 0x02, 0, 2, 0x60, 0x60, 0xc0 | half];
        let Ok(Message::SecurityModeCommand(m)) = emm::decode(&octets, Direction::Downlink) else {
            panic!("{half}");
        };
        assert_eq!(m.imeisv_request, wanted, "{half}");
    }
}

#[test]
fn a_deleted_area_is_no_area() {
    // TS 24.301 §9.9.3.32: TAC 0 and FFFE, and digits that are none.
    for bad in [hex!("00f1100000"), hex!("00f110fffe"), hex!("ffffff0007")] {
        let mut octets = hex!("0741710809101000000000100260600003 0201d052").to_vec();
        octets.extend(bad);
        let Ok(Message::AttachRequest(m)) = emm::decode(&octets, Direction::Uplink) else {
            panic!("{octets:02x?}");
        };
        assert_eq!(m.last_tai, None);
    }
}

#[test]
fn what_does_not_fit_is_left_out() {
    let body = esm::Body::PdnDisconnectRequest(esm::PdnDisconnectRequest {
        linked_ebi: 5,
        pco: Some(alloc::vec![0x80; esm::PCO_MAX + 1]),
    });
    let message = esm::Message {
        ebi: 0,
        pti: 1,
        body,
    };
    assert_eq!(message.encode(), hex!("0201d205"));
}

#[test]
fn mandatory_elements_that_cannot_be() {
    let cases: [(&[u8], Direction, u16); 6] = [
        // ATTACH REQUEST: an identity of a reserved type, an IMSI with a digit that is none.
        (
            &hex!("074171 02 0500 026060 0003 0201d0"),
            Direction::Uplink,
            3,
        ),
        (
            &hex!("074171 08 09101000000000 1a 026060 0003 0201d0"),
            Direction::Uplink,
            3,
        ),
        // A capability without integrity algorithms.
        (
            &hex!("074171 08 0910100000000010 0160 0003 0201d0"),
            Direction::Uplink,
            12,
        ),
        // AUTHENTICATION REQUEST with an AUTN of 15 octets; a response of 3 octets.
        (
            &hex!("075203 000102030405060708090a0b0c0d0e0f 0f 101112131415161718191a1b1c1d1e"),
            Direction::Downlink,
            19,
        ),
        (&hex!("0753 03 010203"), Direction::Uplink, 2),
        // SECURITY MODE COMMAND with capabilities of three octets.
        (&hex!("075d 02 00 03 606060"), Direction::Downlink, 4),
    ];
    for (octets, direction, at) in cases {
        let error = emm::decode(octets, direction).unwrap_err();
        let what = What::Mandatory;
        assert_eq!(error, DecodeError { at, what }, "{octets:02x?}");
    }
}
