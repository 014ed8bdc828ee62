use core::net::{Ipv4Addr, Ipv6Addr};

use heiiki_types::{Ambr, Arp, Ebi, Ecgi, Imsi, Qci, Tac, Tai, Teid, from_hex, to_hex};
use hex_literal::hex;

use super::*;
use crate::c::{
    BearerContextCreated, BearerContextDeleted, BearerContextModified, BearerContextToBeCreated,
    BearerContextToBeModified, BearerQos, Cause, CauseIe, FTeid, FTeidAddr, Indication,
    IndicationFlag, Interface, Mei, Paa, PdnType, UeTimeZone, Uli,
};
use crate::error::What;
use crate::testing;

fn f_teid(interface: Interface, teid: u32, last: u8) -> FTeid {
    let address = Ipv4Addr::new(127, 0, 0, last).into();
    FTeid::new(interface, Teid::new(teid).unwrap(), address)
}

fn header(message: &Message, teid: u32, sequence: u32) -> Header {
    let message_type = message.message_type();
    Header {
        message_type,
        teid: (!message_type.is_without_teid()).then_some(teid),
        sequence,
        piggybacked: false,
    }
}

const QOS: BearerQos = BearerQos::non_gbr(
    Qci(9),
    Arp {
        priority_level: 9,
        may_preempt: true,
        may_be_preempted: true,
    },
);

/// A Create Session Request as an SGW sends it over S5/S8 for an attach.
pub(crate) fn create_session_request() -> CreateSessionRequest {
    let plmn = "00101".parse().unwrap();
    let context = BearerContextToBeCreated {
        ebi: Ebi::FIRST,
        tft: None,
        s5s8_u_sgw_f_teid: Some(f_teid(Interface::S5S8_SGW_GTPU, 0x2001, 3)),
        bearer_qos: QOS,
    };
    let sender = f_teid(Interface::S5S8_SGW_GTPC, 0x2000, 3);
    CreateSessionRequest {
        imsi: Some("001010000000001".parse().unwrap()),
        msisdn: Some("8190000000001".parse().unwrap()),
        mei: Some(Mei {
            imei: "35349000000000".parse().unwrap(),
            software_version: Some(12),
        }),
        uli: Some(Uli {
            tai: Some(Tai { plmn, tac: Tac(1) }),
            ecgi: Some(Ecgi { plmn, eci: 0x19b01 }),
        }),
        serving_network: Some(plmn),
        indication: Some(Indication::default().with(IndicationFlag::CHANGE_REPORTING_SUPPORT)),
        selection_mode: Some(0),
        pdn_type: Some(PdnType::V4),
        paa: Some(Paa::V4(Ipv4Addr::UNSPECIFIED)),
        maximum_apn_restriction: Some(0),
        apn_ambr: Some(Ambr {
            uplink_bps: 50_000_000,
            downlink_bps: 100_000_000,
        }),
        pco: Some(hex!("80000d00000a00001000").to_vec()),
        recovery: Some(7),
        ue_time_zone: Some(UeTimeZone {
            zone: 0x63,
            daylight: 0,
        }),
        charging_characteristics: Some(0x0800),
        ..CreateSessionRequest::new(sender, "corp.example".parse().unwrap(), vec![context])
    }
}

pub(crate) fn create_session_response() -> CreateSessionResponse {
    CreateSessionResponse {
        pgw_s5s8_f_teid: Some(f_teid(Interface::S5S8_PGW_GTPC, 0x3000, 4)),
        paa: Some(Paa::V4(Ipv4Addr::new(10, 20, 0, 2))),
        apn_restriction: Some(0),
        pco: Some(hex!("80000d040a14000100100205 4e").to_vec()),
        bearer_contexts: vec![BearerContextCreated {
            ebi: Ebi::FIRST,
            cause: Cause::REQUEST_ACCEPTED.into(),
            s1_u_sgw_f_teid: None,
            s5s8_u_pgw_f_teid: Some(f_teid(Interface::S5S8_PGW_GTPU, 0x3001, 4)),
            bearer_qos: Some(QOS),
            charging_id: Some(77),
        }],
        recovery: Some(9),
        ..CreateSessionResponse::new(Cause::REQUEST_ACCEPTED.into())
    }
}

/// Messages as written here and as on the wire.
fn known() -> Vec<(Message, &'static str)> {
    let messages = [creations(), modifications(), deletions(), path_messages()].concat();
    messages.into_iter().zip(KNOWN).collect()
}

fn creations() -> Vec<Message> {
    let dual = CreateSessionResponse {
        paa: Some(Paa::V4V6 {
            v4: Ipv4Addr::new(10, 20, 0, 3),
            prefix: "2001:db8:0:1::1".parse::<Ipv6Addr>().unwrap(),
            length: 64,
        }),
        apn_ambr: Some(Ambr {
            uplink_bps: 1_000,
            downlink_bps: 2_000,
        }),
        ..create_session_response()
    };
    let missing = Reject::missing((ie_type::F_TEID, 0), "");
    vec![
        Message::CreateSessionRequest(Box::new(create_session_request())),
        Message::CreateSessionResponse(create_session_response()),
        Message::CreateSessionResponse(dual),
        response(&missing, MessageType::CREATE_SESSION_REQUEST).unwrap(),
    ]
}

fn modifications() -> Vec<Message> {
    let ebi = Ebi::FIRST;
    let accepted = CauseIe::new(Cause::REQUEST_ACCEPTED);
    let v4 = Ipv4Addr::new(127, 0, 0, 5);
    let dual = FTeid {
        address: FTeidAddr::V4V6(v4, "2001:db8::5".parse().unwrap()),
        ..f_teid(Interface::S5S8_SGW_GTPU, 0x2002, 5)
    };
    vec![
        Message::ModifyBearerRequest(ModifyBearerRequest {
            sender_f_teid: Some(f_teid(Interface::S5S8_SGW_GTPC, 0x2100, 5)),
            rat_type: Some(6),
            bearer_contexts: vec![BearerContextToBeModified {
                ebi,
                s1_u_enb_f_teid: None,
                s5s8_u_sgw_f_teid: Some(dual),
            }],
            recovery: Some(3),
            ..ModifyBearerRequest::default()
        }),
        Message::ModifyBearerResponse(ModifyBearerResponse {
            msisdn: Some("8190000000001".parse().unwrap()),
            linked_ebi: Some(ebi),
            bearer_contexts: vec![BearerContextModified {
                ebi,
                cause: accepted,
                s1_u_sgw_f_teid: None,
                charging_id: Some(77),
            }],
            ..ModifyBearerResponse::new(accepted)
        }),
    ]
}

fn deletions() -> Vec<Message> {
    let ebi = |n| Ebi::new(n).unwrap();
    let accepted = CauseIe::new(Cause::REQUEST_ACCEPTED);
    vec![
        Message::DeleteSessionRequest(DeleteSessionRequest {
            linked_ebi: Some(ebi(5)),
            indication: Some(Indication::default().with(IndicationFlag::OPERATION)),
            ..DeleteSessionRequest::default()
        }),
        Message::DeleteSessionResponse(DeleteSessionResponse::new(accepted)),
        Message::DeleteBearerRequest(DeleteBearerRequest {
            linked_ebi: Some(ebi(5)),
            cause: Some(Cause::PDN_RECONNECTION_TO_THIS_APN_DISALLOWED),
            ..DeleteBearerRequest::default()
        }),
        Message::DeleteBearerRequest(DeleteBearerRequest {
            ebis: vec![ebi(6), ebi(7)],
            ..DeleteBearerRequest::default()
        }),
        Message::DeleteBearerResponse(DeleteBearerResponse {
            linked_ebi: Some(ebi(5)),
            bearer_contexts: vec![BearerContextDeleted {
                ebi: ebi(6),
                cause: Cause::CONTEXT_NOT_FOUND.into(),
            }],
            recovery: Some(7),
            ..DeleteBearerResponse::new(accepted)
        }),
    ]
}

fn path_messages() -> Vec<Message> {
    vec![
        Message::EchoRequest { recovery: 7 },
        Message::EchoResponse { recovery: 7 },
        Message::VersionNotSupported,
    ]
}

/// Given to tshark 4.0.17 (no malformed field, no expert message) and to pycrate 0.8.1 (the same
/// octets again).
const KNOWN: [&str; 14] = [
    concat!(
        "482000df00001000000010000100080000010100000000f14c000700180900000000f14b000800534309",
        "000000002156000d001800f110000100f11000019b015300030000f11052000100064d00020000105700",
        "090086000020007f00000347000d0004636f7270076578616d706c65800001000063000100014f000500",
        "01000000007f00010000480008000000c350000186a04e000a0080000d00000a000010005d002c004900",
        "0100055700090284000020017f0000035000160024090000000000000000000000000000000000000000",
        "03000100077200020063005f0002000800",
    ),
    concat!(
        "4821007d00001000000010000200020010005700090187000030007f0000044f000500010a1400027f00",
        "0100004e000d0080000d040a140001001002054e5d003a00490001000502000200100057000902850000",
        "30017f00000450001600240900000000000000000000000000000000000000005e0004000000004d0300",
        "010009",
    ),
    concat!(
        "4821009a00001000000010000200020010005700090187000030007f0000044f001600034020010db800",
        "00000100000000000000010a1400037f000100004800080000000001000000024e000d0080000d040a14",
        "0001001002054e5d003a0049000100050200020010005700090285000030017f00000450001600240900",
        "000000000000000000000000000000000000005e0004000000004d0300010009",
    ),
    "48210012000010000000100002000600460057000000",
    concat!(
        "48220045000010000000100052000100065700090086000021007f0000055d0022004900010005570019",
        "01c4000020027f00000520010db80000000000000000000000050300010003",
    ),
    concat!(
        "4823003500001000000010000200020010004c000700180900000000f149000100055d00130049000100",
        "050200020010005e0004000000004d",
    ),
    "48240013000010000000100049000100054d0002000800",
    "4825000e0000100000001000020002001000",
    "4863001300001000000010004900010005020002000900",
    "48630012000010000000100049000101064900010107",
    concat!(
        "48640027000010000000100002000200100049000100055d000b00490001000602000200400003000100",
        "07",
    ),
    "40010009000010000300010007",
    "40020009000010000300010007",
    "4003000400001000",
];

#[test]
fn messages_and_octets_correspond() {
    for (message, octets) in known() {
        let header = header(&message, 0x1000, 0x10);
        assert_eq!(to_hex(&encode(header, &message)), octets, "{message:?}");
        let octets = from_hex(octets).unwrap();
        let decoded = decode(&octets).unwrap();
        assert_eq!(decoded.header, header);
        assert_eq!(decoded.message, Ok(message));
        assert_eq!((decoded.ignored, decoded.piggybacked), (vec![], None));
    }
}

/// The vectors are mostly those of S11.
#[test]
fn vectors_decode() {
    let samples = testing::messages("gtpv2");
    assert_eq!(samples.len(), 46);
    let mut same = 0;
    for sample in samples {
        let decoded = decode_on(ReferencePoint::S11, &sample.octets).unwrap();
        let message = decoded.message.unwrap();
        let again = encode(decoded.header, &message);
        let twice = decode_on(ReferencePoint::S11, &again).unwrap();
        assert_eq!(twice.message, Ok(message), "{}", sample.name);
        assert_eq!(twice.header, decoded.header);
        assert_eq!(again.len(), sample.octets.len(), "{}", sample.name);
        same += usize::from(again == sample.octets);
    }
    // Three have their elements in another order than the tables of TS 29.274.
    assert_eq!(same, 43);
}

#[test]
fn the_vector_of_a_create_session_request_means_what_tshark_says() {
    let octets = testing::message("gtpv2", "Create Session Request (S11)");
    let decoded = decode_on(ReferencePoint::S11, &octets).unwrap();
    let Ok(Message::CreateSessionRequest(m)) = decoded.message else {
        panic!("{:?}", decoded.message);
    };
    assert_eq!(decoded.header.teid, Some(0));
    assert_eq!(decoded.header.sequence, 0x10);
    let model = create_session_request();
    assert_eq!(m.imsi, model.imsi);
    assert_eq!(m.msisdn, model.msisdn);
    assert_eq!(m.mei, model.mei);
    assert_eq!(m.uli, model.uli);
    assert_eq!(m.serving_network, model.serving_network);
    assert_eq!(m.rat_type, 6);
    assert_eq!(m.sender_f_teid, f_teid(Interface::S11_MME_GTPC, 0x1001, 2));
    let pgw = m.pgw_s5s8_address.unwrap();
    assert_eq!((pgw.interface, pgw.teid), (Interface::S5S8_PGW_GTPC, None));
    assert_eq!(m.apn.as_str(), "internet");
    assert_eq!(m.paa, model.paa);
    assert_eq!(m.apn_ambr, model.apn_ambr);
    assert_eq!(m.bearer_contexts[0].bearer_qos, QOS);
    assert_eq!(m.ue_time_zone, model.ue_time_zone);
    assert_eq!(m.charging_characteristics, model.charging_characteristics);
    // On S5/S8 the SGW's tunnel end would be due.
    let reject = decode(&octets).unwrap().message.unwrap_err();
    assert_eq!(
        (reject.cause, reject.ie),
        (Cause::CONDITIONAL_IE_MISSING, Some((ie_type::F_TEID, 2)))
    );
}

#[test]
fn the_vector_of_a_refusal_names_the_remote_node() {
    let octets = testing::message("gtpv2", "Create Session Response (rejected, APN unknown)");
    let Ok(Message::CreateSessionResponse(m)) = decode(&octets).unwrap().message else {
        panic!("not a response");
    };
    assert_eq!(m.cause.cause, Cause::MISSING_OR_UNKNOWN_APN);
    assert!(m.cause.from_remote_node && !m.cause.is_accepted());
    assert_eq!(m.recovery, Some(7));
}

#[test]
fn a_header_that_cannot_be_trusted_is_an_error() {
    let cases: [(&[u8], u16, What); 7] = [
        (&[], 0, What::Truncated),
        (&hex!("48"), 1, What::Truncated),
        (&hex!("48200008"), 4, What::Truncated),
        (&hex!("4820000800000000"), 8, What::Truncated),
        (&hex!("32010004000000000001000000"), 0, What::Version(1)),
        (&hex!("60010004 00000100"), 0, What::Version(3)),
        (&hex!("40200004 00000100"), 0, What::Teid),
    ];
    for (octets, at, what) in cases {
        assert_eq!(decode(octets), Err(DecodeError { at, what }), "{octets:x?}");
    }
}

/// TS 29.274 §7.7.3.
#[test]
fn a_length_that_disagrees_with_the_datagram_is_refused() {
    let good = from_hex(KNOWN[6]).unwrap();
    for spoil in [
        |o: &mut Vec<u8>| o.truncate(o.len() - 1),
        |o: &mut Vec<u8>| o.push(0),
        |o: &mut Vec<u8>| o[3] = 3,
        |o: &mut Vec<u8>| o[2] = 0xff,
    ] {
        let mut octets = good.clone();
        spoil(&mut octets);
        let decoded = decode(&octets).unwrap();
        let reject = decoded.message.unwrap_err();
        assert_eq!((reject.cause, reject.ie), (Cause::INVALID_LENGTH, None));
        assert_eq!(decoded.header.sequence, 0x10);
    }
}

/// TS 29.274 §5.5.1.
#[test]
fn a_message_may_carry_another() {
    let mut octets = from_hex(KNOWN[1]).unwrap();
    octets[0] |= 0x10;
    let rider = testing::message("gtpv2", "Create Bearer Request (dedicated)");
    octets.extend(&rider);
    let decoded = decode(&octets).unwrap();
    assert!(decoded.header.piggybacked);
    assert!(decoded.message.is_ok());
    assert_eq!(decoded.piggybacked, Some(&rider[..]));
}

/// TS 29.274 §7.7.2 and §7.1.3.
#[test]
fn a_later_version_is_answered_and_an_earlier_one_is_not() {
    let later = hex!("6820000800001000 00000100");
    let answer = version_not_supported(&later).unwrap();
    assert_eq!(
        to_hex(&answer),
        to_hex(&testing::message(
            "gtpv2",
            "Version Not Supported Indication"
        ))
    );
    assert_eq!(
        version_not_supported(&hex!("6001000400000100")),
        Some(answer)
    );
    assert_eq!(
        version_not_supported(&hex!("3201000400000000 00010000")),
        None
    );
    assert_eq!(version_not_supported(&later[..9]), None);
    assert_eq!(version_not_supported(&[]), None);
}

/// TS 29.274 §7.7.9 and §7.7.10.
#[test]
fn elements_that_are_unknown_or_repeated_are_skipped() {
    let mut octets = from_hex(KNOWN[7]).unwrap();
    // Private Extension; Cause again, with another value; Cause with an instance not defined.
    octets.extend(hex!("ff000300 28af01 02000200 4000 02000201 4000"));
    octets[3] += 7 + 6 + 6;
    let decoded = decode(&octets).unwrap();
    let expected = DeleteSessionResponse::new(Cause::REQUEST_ACCEPTED.into());
    assert_eq!(
        decoded.message,
        Ok(Message::DeleteSessionResponse(expected))
    );
    assert_eq!(decoded.ignored, [(255, 0), (2, 1)]);
}

#[test]
fn at_most_eleven_bearers_are_read() {
    let mut request = create_session_request();
    let context = request.bearer_contexts[0].clone();
    request.bearer_contexts = vec![context; 20];
    let message = Message::CreateSessionRequest(Box::new(request));
    let octets = encode(header(&message, 0, 1), &message);
    let Ok(Message::CreateSessionRequest(m)) = decode(&octets).unwrap().message else {
        panic!("refused");
    };
    assert_eq!(m.bearer_contexts.len(), 11);
}

#[test]
fn every_refusal_has_its_response() {
    let reject = Reject::new(Cause::SERVICE_DENIED, "barred");
    for request in [32, 34, 36, 99].map(MessageType) {
        let message = response(&reject, request).unwrap();
        assert_eq!(Some(message.message_type()), request.response());
        let octets = encode(header(&message, 0, 1), &message);
        assert_eq!(octets[12..], hex!("02000200 5900"));
        assert_eq!(decode(&octets).unwrap().message, Ok(message));
    }
    assert_eq!(response(&reject, MessageType::ECHO_REQUEST), None);
    assert_eq!(
        response(&reject, MessageType::CREATE_SESSION_RESPONSE),
        None
    );
}

#[test]
fn spoiled_messages_never_panic_and_decode_alike_again() {
    let mut corpus: Vec<_> = known().iter().map(|k| from_hex(k.1).unwrap()).collect();
    corpus.extend(testing::messages("gtpv2").into_iter().map(|s| s.octets));
    let check = |octets: &[u8]| {
        for on in [ReferencePoint::S5S8, ReferencePoint::S11] {
            let Ok(decoded) = decode_on(on, octets) else {
                let _ = version_not_supported(octets);
                return;
            };
            if let Ok(message) = decoded.message {
                let header = Header {
                    piggybacked: false,
                    ..decoded.header
                };
                let again = encode(header, &message);
                let twice = decode_on(on, &again).unwrap();
                assert_eq!(twice.message, Ok(message), "{octets:x?}");
            }
        }
    };
    testing::sweep(&corpus, check);
    testing::mutate(0x6770_6332, &corpus, check);
}

#[test]
fn identities_survive_the_wire() {
    for digits in ["001010000000001", "00101000000001", "310410"] {
        let imsi: Imsi = digits.parse().unwrap();
        let message = Message::ModifyBearerRequest(ModifyBearerRequest {
            imsi: Some(imsi),
            ..ModifyBearerRequest::default()
        });
        let octets = encode(header(&message, 1, 1), &message);
        assert_eq!(decode(&octets).unwrap().message, Ok(message));
    }
}
