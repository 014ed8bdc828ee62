//! Tests of the codec as a whole: messages from elsewhere, and every way of damaging them.

mod damage;
mod options;
mod samples;

use alloc::vec::Vec;

use crate::emm::MessageType;
use crate::{Direction, What, decode_plain, emm, esm};

#[test]
fn messages_from_elsewhere_both_ways() {
    for sample in samples::samples() {
        let decoded = decode_plain(&sample.octets, sample.direction);
        assert_eq!(decoded.as_ref(), Ok(&sample.value), "{}", sample.name);
        if sample.whole {
            assert_eq!(sample.value.encode(), sample.octets, "{}", sample.name);
        } else {
            let again = decode_plain(&sample.value.encode(), sample.direction);
            assert_eq!(again, Ok(sample.value), "{}", sample.name);
        }
    }
}

#[test]
fn each_message_has_a_sample() {
    let mut emm_types: Vec<_> = (0x40..0x80).map(MessageType).collect();
    let mut esm_types: Vec<_> = (0xc0..=0xff).map(esm::MessageType).collect();
    for sample in samples::samples() {
        match &sample.value {
            crate::Plain::Emm(m) => emm_types.retain(|t| *t != m.message_type()),
            crate::Plain::Esm(m) => esm_types.retain(|t| *t != m.body.message_type()),
        }
    }
    for direction in [Direction::Uplink, Direction::Downlink] {
        for t in &emm_types {
            let octets = [0x07, t.0, 0, 0, 0];
            let error = emm::decode(&octets, direction).unwrap_err();
            assert_eq!(error.what, What::MessageType(t.0), "{t} has no sample");
        }
        for t in &esm_types {
            let octets = [0x02, 1, t.0, 0, 0, 0];
            let error = esm::decode(&octets, direction).unwrap_err();
            assert_eq!(error.what, What::MessageType(t.0), "{t} has no sample");
        }
    }
}

/// TS 24.301 §7.4: what does not go in a direction does not exist in it.
#[test]
fn a_message_against_its_direction_is_unknown() {
    for sample in samples::samples() {
        let (other, both) = match (&sample.value, sample.direction) {
            (crate::Plain::Emm(m), Direction::Uplink) => (
                Direction::Downlink,
                m.message_type().goes(Direction::Downlink),
            ),
            (crate::Plain::Emm(m), Direction::Downlink) => {
                (Direction::Uplink, m.message_type().goes(Direction::Uplink))
            }
            (crate::Plain::Esm(m), Direction::Uplink) => {
                let t = m.body.message_type();
                (Direction::Downlink, t.goes(Direction::Downlink))
            }
            (crate::Plain::Esm(m), Direction::Downlink) => {
                let t = m.body.message_type();
                (Direction::Uplink, t.goes(Direction::Uplink))
            }
        };
        if !both {
            let error = decode_plain(&sample.octets, other).unwrap_err();
            assert!(
                matches!(error.what, What::MessageType(_)),
                "{}",
                sample.name
            );
            assert_eq!(error.emm_cause(), Some(emm::EmmCause::MESSAGE_TYPE_UNKNOWN));
        }
    }
}

/// A detach request means something else each way (TS 24.301 §8.2.11).
#[test]
fn the_same_detach_request_read_each_way() {
    let octets = heiiki_types::from_hex("0745020bf600f110800101c0ffee01").unwrap();
    let up = emm::decode(&octets, Direction::Uplink).unwrap();
    assert!(matches!(up, emm::Message::DetachRequestFromUe(_)));
    let down = emm::decode(&octets, Direction::Downlink);
    // 0b is an element that must be understood.
    assert_eq!(down.unwrap_err().what, What::ComprehensionRequired(0x0b));
}

#[test]
fn no_identity_is_three_octets_of_zeros() {
    // TS 24.008 Table 10.5.4, note for the EMM identification procedure.
    let octets = [0x07, 0x56, 3, 0, 0, 0];
    let response = emm::IdentityResponse {
        identity: crate::MobileIdentity::NoIdentity,
    };
    let message = emm::Message::IdentityResponse(response);
    assert_eq!(emm::decode(&octets, Direction::Uplink), Ok(message.clone()));
    assert_eq!(message.encode(), octets);
}

#[test]
fn an_imei_without_its_check_digit_goes_out_with_a_zero() {
    let identity = crate::MobileIdentity::Imei("35693803564380".parse().unwrap());
    let expected = crate::MobileIdentity::Imei("356938035643800".parse().unwrap());
    let octets = emm::Message::IdentityResponse(emm::IdentityResponse { identity }).encode();
    let Ok(emm::Message::IdentityResponse(said)) = emm::decode(&octets, Direction::Uplink) else {
        panic!("{octets:02x?}");
    };
    assert_eq!(said.identity, expected);
}

#[test]
fn headers_that_are_not_of_a_plain_message() {
    let what = |octets: &[u8]| decode_plain(octets, Direction::Uplink).unwrap_err();
    assert_eq!(what(&[]).what, What::TooShort);
    assert_eq!(what(&[]).emm_cause(), None);
    assert_eq!(what(&[0x07]).what, What::TooShort);
    assert_eq!(what(&[0x52, 0]).what, What::TooShort);
    assert_eq!(what(&[0x17, 0x41]).what, What::Protected(1));
    assert_eq!(what(&[0x0e, 0x41]).what, What::Protocol(14));
    assert_eq!(what(&[0x07, 0x41]).what, What::Truncated);
    assert_eq!(what(&[0x07, 0x41]).at, 2);
    let cause = what(&[0x02, 1, 0xd0]).esm_cause();
    assert_eq!(cause, Some(esm::EsmCause::INVALID_MANDATORY_INFORMATION));
}

#[test]
fn the_response_of_a_usim_does_not_print() {
    let sample = samples::samples()
        .into_iter()
        .find(|s| s.name == "AUTHENTICATION RESPONSE")
        .unwrap();
    let text = alloc::format!("{:?}", sample.value);
    assert!(text.contains("Res(..)"), "{text}");
}

/// Counts from TS 24.301 Tables 9.9.3.9.1, 9.9.4.4.1, 9.8.1 and 9.8.2.
#[test]
fn tables_of_causes_and_types() {
    assert_eq!(emm::EmmCause::ALL.len(), 37);
    assert_eq!(esm::EsmCause::ALL.len(), 47);
    assert_eq!(MessageType::ALL.len(), 32);
    assert_eq!(esm::MessageType::ALL.len(), 27);
    assert!(emm::EmmCause::ALL.is_sorted() && esm::EsmCause::ALL.is_sorted());
    let text = alloc::format!("{}", emm::EmmCause::CONGESTION);
    assert_eq!(text, "#22 congestion");
    for t in MessageType::ALL {
        assert!(
            t.goes(Direction::Uplink) || t.goes(Direction::Downlink),
            "{t}"
        );
    }
    for t in esm::MessageType::ALL {
        assert!(
            t.goes(Direction::Uplink) || t.goes(Direction::Downlink),
            "{t}"
        );
    }
}
