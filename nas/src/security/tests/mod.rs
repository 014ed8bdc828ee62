mod vectors;

use alloc::vec::Vec;

use heiiki_types::{Key256, from_hex};
use hex_literal::hex;

use super::*;
use crate::emm::{self, EmmCause, Message, MessageType};
use crate::{IdentityType, Ksi, MobileIdentity, UeNetworkCapability};

/// KASME of set 1 of the chain in `fixtures/vectors/kdf_eps.json`.
const KASME: [u8; 32] = hex!("48579af8781c742d5120e6ed8ccac13193f38c53ab7aa69396f49ca6e1b0562d");

fn context_at(eea: Eea, uplink: u32, downlink: u32) -> NasSecurityContext {
    NasSecurityContext::with_counts(
        &Key256::new(KASME),
        eea,
        Eia::Eia2,
        Ksi::new(3).unwrap(),
        NasCount::new(uplink).unwrap(),
        NasCount::new(downlink).unwrap(),
    )
}

fn context() -> NasSecurityContext {
    let ksi = Ksi::new(3).unwrap();
    NasSecurityContext::new(&Key256::new(KASME), Eea::Eea2, Eia::Eia2, ksi)
}

fn ciphered(context: &mut NasSecurityContext, direction: Direction, plain: &[u8]) -> Vec<u8> {
    let header = SecurityHeader::IntegrityCiphered;
    context.protect(direction, header, plain).unwrap()
}

/// The octets were made with AES-CTR and CMAC of the Python package `cryptography` 50.0.2, with
/// the keys of the same set, from the plain messages beside them.
#[test]
#[expect(clippy::too_many_lines, reason = "a list")]
fn messages_protected_elsewhere_both_ways() {
    use Direction::{Downlink, Uplink};
    use SecurityHeader::{
        Integrity, IntegrityCiphered, IntegrityCipheredNewContext, IntegrityNewContext,
    };
    let cases = [
        (
            IntegrityNewContext,
            Downlink,
            0x0,
            Eea::Eea2,
            "075d2203026060",
            "37e0bdc4c600075d2203026060",
        ),
        (
            IntegrityCipheredNewContext,
            Uplink,
            0x0,
            Eea::Eea2,
            "075e",
            "47911a7b270080c7",
        ),
        (
            IntegrityCiphered,
            Downlink,
            0x1,
            Eea::Eea2,
            "07420149080100f1100007000800415201c101092004636f7270076578616d706c65066d6e63303031066d6363303031046770727305010a1400055e04fefe9e6c270d80000d040a14000a0010020578500bf600f110800101c0ffee01",
            "273ecebabf01dc381966237f5a92ad8b106a860fabc7593977e6fda55f0662b8bacd7ab029c5661920ae53e603445ae20fabd5969331bb9cb5aa63fda1f290249c762dd08df6a71d80f254fc76040cb7863a3f3bc1e2bfefdc06fce094072942d248e1",
        ),
        (
            IntegrityCiphered,
            Uplink,
            0x1,
            Eea::Eea2,
            "074300035200c2",
            "272833fda30190647432e7d48d",
        ),
        (
            IntegrityCiphered,
            Downlink,
            0x1ff,
            Eea::Eea0,
            "074408",
            "27cd184147ff074408",
        ),
        (
            Integrity,
            Uplink,
            0x0001_2345,
            Eea::Eea2,
            "0745390bf600f110800101c0ffee01",
            "17c1887312450745390bf600f110800101c0ffee01",
        ),
    ];
    for (header, direction, count, eea, plain, pdu) in cases {
        let (plain, pdu) = (from_hex(plain).unwrap(), from_hex(pdu).unwrap());
        let mut sender = context_at(eea, count, count);
        assert_eq!(sender.protect(direction, header, &plain).unwrap(), pdu);
        let next = sender.next_count(direction).unwrap();
        assert_eq!(next.get(), count + 1);
        // The other side has seen nothing for a while.
        let lowest = count.saturating_sub(200);
        let mut receiver = context_at(eea, lowest, lowest);
        let count = NasCount::new(count).unwrap();
        let expected = Unprotected {
            header,
            count,
            plain,
        };
        assert_eq!(receiver.unprotect(direction, &pdu), Ok(expected));
        assert_eq!(receiver.next_count(direction), Ok(next));
        assert_eq!(
            receiver.unprotect(direction, &pdu),
            Err(SecurityError::Replay)
        );
    }
}

#[test]
fn a_message_is_accepted_once_and_never_after_a_later_one() {
    let (mut ue, mut mme) = (context(), context());
    let pdus: Vec<_> = (0..600_u32)
        .map(|i| ciphered(&mut ue, Direction::Uplink, &i.to_be_bytes()))
        .collect();
    for (i, pdu) in pdus.iter().enumerate().step_by(150) {
        let unprotected = mme.unprotect(Direction::Uplink, pdu).unwrap();
        assert_eq!(usize::try_from(unprotected.count.get()).unwrap(), i);
        for old in pdus.iter().take(i + 1).rev().take(256) {
            let again = mme.unprotect(Direction::Uplink, old);
            assert_eq!(again, Err(SecurityError::Replay));
        }
        for old in pdus.iter().take(i + 1) {
            assert!(mme.unprotect(Direction::Uplink, old).is_err());
        }
    }
}

#[test]
fn a_gap_of_a_whole_turn_is_not_bridged() {
    let (mut ue, mut mme) = (context(), context());
    for _ in 0..256 {
        ciphered(&mut ue, Direction::Uplink, b"lost");
    }
    let pdu = ciphered(&mut ue, Direction::Uplink, b"late");
    assert_eq!(
        mme.unprotect(Direction::Uplink, &pdu),
        Err(SecurityError::Mac)
    );
}

#[test]
fn a_message_does_not_count_in_the_other_direction() {
    let (mut ue, mut mme) = (context(), context());
    let pdu = ciphered(&mut ue, Direction::Uplink, b"up");
    assert_eq!(
        mme.unprotect(Direction::Downlink, &pdu),
        Err(SecurityError::Mac)
    );
    assert!(mme.unprotect(Direction::Uplink, &pdu).is_ok());
}

#[test]
fn another_key_does_not_open_a_message() {
    let ksi = Ksi::new(0).unwrap();
    let mut other = NasSecurityContext::new(&Key256::new([1; 32]), Eea::Eea2, Eia::Eia2, ksi);
    let pdu = ciphered(&mut context(), Direction::Uplink, b"message");
    assert_eq!(
        other.unprotect(Direction::Uplink, &pdu),
        Err(SecurityError::Mac)
    );
}

#[test]
fn what_is_no_protected_message() {
    let mut mme = context();
    let mut error = |pdu: &[u8]| mme.unprotect(Direction::Uplink, pdu).unwrap_err();
    assert_eq!(error(&[]), SecurityError::Malformed);
    assert_eq!(error(&[0x07, 0x41]), SecurityError::NotProtected);
    assert_eq!(
        error(&[0x52, 0x01, 0xe8, 0x61]),
        SecurityError::NotProtected
    );
    assert_eq!(error(&[0x17, 1, 2, 3, 4, 0]), SecurityError::Malformed);
    assert_eq!(error(&[0xc7, 0, 0, 0]), SecurityError::Malformed);
    assert_eq!(
        error(&[0x57, 1, 2, 3, 4, 0, 0x07]),
        SecurityError::Malformed
    );
    assert_eq!(
        error(&[0x1e, 1, 2, 3, 4, 0, 0x07]),
        SecurityError::Malformed
    );
}

/// TS 24.301 §4.4.3.5: the last COUNT goes out once, and then no message at all.
#[test]
fn a_count_that_runs_out_stops_the_sender() {
    let mut mme = context_at(Eea::Eea2, 0, 0x00ff_ffff);
    assert!(mme.is_running_out());
    assert!(!context().is_running_out());
    let mut ue = mme.clone();
    let pdu = ciphered(&mut mme, Direction::Downlink, b"last");
    let header = SecurityHeader::Integrity;
    let next = mme.protect(Direction::Downlink, header, b"one more");
    assert_eq!(next, Err(CountExhausted));
    assert!(ue.unprotect(Direction::Downlink, &pdu).is_ok());
    assert_eq!(
        ue.unprotect(Direction::Downlink, &pdu),
        Err(SecurityError::Replay)
    );
}

#[test]
fn what_can_be_read_without_a_key() {
    let plain = hex!("075e");
    assert_eq!(plain_of_protected(&plain), Some(&plain[..]));
    let mut ue = context();
    for (header, readable) in [
        (SecurityHeader::Integrity, true),
        (SecurityHeader::IntegrityNewContext, true),
        (SecurityHeader::IntegrityCiphered, false),
        (SecurityHeader::IntegrityCipheredNewContext, false),
    ] {
        let pdu = ue.protect(Direction::Uplink, header, &plain).unwrap();
        let expected = readable.then_some(&plain[..]);
        assert_eq!(plain_of_protected(&pdu), expected, "{header:?}");
        let peeked = peek_header(&pdu).unwrap();
        assert_eq!(peeked.security_header, header);
        assert_eq!(peeked.mac, pdu[1..5].try_into().ok());
        assert_eq!(peeked.sequence_number, Some(pdu[5]));
    }
    assert_eq!(plain_of_protected(&hex!("c7000000")), None);
}

#[test]
fn keys_do_not_print() {
    let text = alloc::format!("{:?}", context());
    assert!(
        text.contains("Eea2") && !text.contains("enc") && !text.contains("int"),
        "{text}"
    );
}

#[test]
fn algorithms_by_number_and_by_preference() {
    for id in 0..=7 {
        assert_eq!(
            Eea::from_id(id).map(Eea::id),
            [0, 2].contains(&id).then_some(id)
        );
        assert_eq!(Eia::from_id(id).map(Eia::id), (id == 2).then_some(id));
    }
    let ue = |eea, eia| UeNetworkCapability {
        eea,
        eia,
        rest: Vec::new(),
    };
    let preference = [Eea::Eea2, Eea::Eea0];
    assert_eq!(Eea::select(&preference, &ue(0xe0, 0)), Some(Eea::Eea2));
    assert_eq!(Eea::select(&preference, &ue(0xc0, 0)), Some(Eea::Eea0));
    assert_eq!(Eea::select(&preference, &ue(0x40, 0)), None);
    assert_eq!(Eia::select(&[Eia::Eia2], &ue(0, 0x20)), Some(Eia::Eia2));
    assert_eq!(Eia::select(&[Eia::Eia2], &ue(0, 0xc0)), None);
}

/// TS 24.301 §4.4.4.2.
#[test]
fn what_a_ue_takes_without_protection() {
    let takes = |t: &MessageType| processed_unprotected(Direction::Downlink, *t);
    let taken: Vec<_> = MessageType::ALL.iter().copied().filter(takes).collect();
    let expected = [
        MessageType::ATTACH_REJECT,
        MessageType::DETACH_ACCEPT,
        MessageType::TRACKING_AREA_UPDATE_REJECT,
        MessageType::SERVICE_REJECT,
        MessageType::AUTHENTICATION_REQUEST,
        MessageType::AUTHENTICATION_REJECT,
        MessageType::IDENTITY_REQUEST,
    ];
    assert_eq!(taken, expected);
    for t in MessageType::ALL {
        assert_eq!(takes(t), processed_unverified(Direction::Downlink, *t));
        assert!(!takes(t) || t.goes(Direction::Downlink));
    }
}

/// TS 24.301 §4.4.4.3.
#[test]
fn what_an_mme_takes_without_protection() {
    let up = Direction::Uplink;
    let all = |f: fn(Direction, MessageType) -> bool| -> Vec<_> {
        let takes = |t: &MessageType| f(Direction::Uplink, *t);
        MessageType::ALL.iter().copied().filter(takes).collect()
    };
    let mut expected = Vec::from([
        MessageType::ATTACH_REQUEST,
        MessageType::DETACH_REQUEST,
        MessageType::DETACH_ACCEPT,
        MessageType::TRACKING_AREA_UPDATE_REQUEST,
        MessageType::AUTHENTICATION_RESPONSE,
        MessageType::IDENTITY_RESPONSE,
        MessageType::AUTHENTICATION_FAILURE,
        MessageType::SECURITY_MODE_REJECT,
    ]);
    assert_eq!(all(processed_unprotected), expected);
    expected.insert(4, MessageType::EXTENDED_SERVICE_REQUEST);
    expected.insert(5, MessageType::CONTROL_PLANE_SERVICE_REQUEST);
    assert_eq!(all(processed_unverified), expected);
    assert!(
        MessageType::ALL
            .iter()
            .all(|t| !processed_unverified(up, *t) || t.goes(up))
    );
}

#[test]
fn contents_that_need_protection() {
    let down = Direction::Downlink;
    let request = |identity_type| Message::IdentityRequest(emm::IdentityRequest { identity_type });
    assert!(request(IdentityType::IMSI).may_be_unprotected(down));
    assert!(!request(IdentityType::IMEI).may_be_unprotected(down));
    assert!(!request(IdentityType::IMEISV).may_be_unprotected(down));
    let reject = |cause| Message::AttachReject(emm::AttachReject::new(cause));
    assert!(reject(EmmCause::CONGESTION).may_be_unprotected(down));
    assert!(!reject(EmmCause::NOT_AUTHORIZED_FOR_CSG).may_be_unprotected(down));
    let response = |identity| Message::IdentityResponse(emm::IdentityResponse { identity });
    let imsi = MobileIdentity::Imsi("001010000000001".parse().unwrap());
    let imei = MobileIdentity::Imei("356938035643809".parse().unwrap());
    assert!(response(imsi).may_be_unprotected(Direction::Uplink));
    assert!(!response(imei).may_be_unprotected(Direction::Uplink));
    assert!(!response(imsi).may_be_unprotected(down));
}
