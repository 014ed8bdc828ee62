//! Notifications and sets of connections. The octets were written down by hand; tshark and pycrate
//! read them without a complaint.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use heiiki_types::{Ebi, Ecgi, Tac, Tai, Teid, to_hex};
use hex_literal::hex;

use super::*;
use crate::c::{Cause, CsidNode, FTeid, FqCsid, Interface, Uli};
use crate::testing;

fn sender() -> FTeid {
    let address = Ipv4Addr::new(127, 0, 0, 3).into();
    let teid = Teid::new(0x2000).unwrap();
    FTeid::new(Interface::S5S8_SGW_GTPC, teid, address)
}

fn accepted() -> crate::c::CauseIe {
    Cause::REQUEST_ACCEPTED.into()
}

/// TEID, sequence number, message and its octets.
type Sample = (u32, u32, Message, Vec<u8>);

fn samples() -> Vec<Sample> {
    let imsi = "001010000000001".parse().unwrap();
    let suspend = SuspendNotification {
        sender_f_teid: Some(sender()),
        ..SuspendNotification::default()
    };
    let resume = ResumeNotification {
        imsi,
        linked_ebi: None,
        sender_f_teid: Some(sender()),
    };
    vec![
        (
            0x101,
            0x31,
            Message::SuspendNotification(suspend),
            hex!("48a2001500000101000031005700090086000020007f000003").to_vec(),
        ),
        (
            0x2000,
            0x31,
            Message::SuspendAcknowledge(Acknowledge { cause: accepted() }),
            hex!("48a3000e0000200000003100020002001000").to_vec(),
        ),
        (
            0x101,
            0x32,
            Message::ResumeNotification(resume),
            hex!("48a4002100000101000032000100080000010100000000f15700090086000020007f000003")
                .to_vec(),
        ),
        (
            0x2000,
            0x32,
            Message::ResumeAcknowledge(Acknowledge {
                cause: Cause::CONTEXT_NOT_FOUND.into(),
            }),
            hex!("48a5000e0000200000003200020002004000").to_vec(),
        ),
    ]
}

fn more_samples() -> Vec<Sample> {
    let plmn = "00101".parse().unwrap();
    let imsi = "001010000000001".parse().unwrap();
    let change = ChangeNotificationRequest {
        imsi: Some(imsi),
        mei: None,
        indication: None,
        rat_type: 6,
        uli: Some(Uli {
            tai: Some(Tai { plmn, tac: Tac(1) }),
            ecgi: Some(Ecgi { plmn, eci: 0x19b01 }),
        }),
        linked_ebi: Some(Ebi::FIRST),
    };
    let changed = ChangeNotificationResponse {
        imsi: Some(imsi),
        ..ChangeNotificationResponse::new(accepted())
    };
    let set = DeletePdnConnectionSetRequest {
        sgw: vec![
            FqCsid {
                node: CsidNode::V4(Ipv4Addr::new(198, 51, 100, 1)),
                sets: vec![7],
            },
            FqCsid {
                node: CsidNode::Number(0x0045_1001),
                sets: vec![8, 9],
            },
        ],
        ..DeletePdnConnectionSetRequest::default()
    };
    let set_done = DeletePdnConnectionSetResponse {
        cause: accepted(),
        recovery: Some(7),
    };
    vec![
        (
            0x101,
            0x33,
            Message::ChangeNotificationRequest(change),
            hex!(
                "4826002f00000101000033000100080000010100000000f15200010006"
                "56000d001800f110000100f11000019b014900010005"
            )
            .to_vec(),
        ),
        (
            0x2000,
            0x33,
            Message::ChangeNotificationResponse(changed),
            hex!("4827001a00002000000033000100080000010100000000f1020002001000").to_vec(),
        ),
        (
            0,
            0x34,
            Message::DeletePdnConnectionSetRequest(set),
            hex!("4865002000000000000034008400070101c6336401000784000901220045100100080009")
                .to_vec(),
        ),
        (
            0,
            0x34,
            Message::DeletePdnConnectionSetResponse(set_done),
            hex!("4866001300000000000034000200020010000300010007").to_vec(),
        ),
    ]
}

/// TS 29.274 §7.3.14, §7.3.15, §7.4.1 to §7.4.4, §7.9.1 and §7.9.2.
#[test]
fn messages_and_octets_correspond() {
    for (teid, sequence, message, octets) in samples().into_iter().chain(more_samples()) {
        let header = Header {
            message_type: message.message_type(),
            teid: Some(teid),
            sequence,
            piggybacked: false,
        };
        assert_eq!(to_hex(&encode(header, &message)), to_hex(&octets));
        let decoded = decode(&octets).unwrap();
        assert_eq!(decoded.header, header);
        assert_eq!(decoded.message, Ok(message));
        assert!(decoded.ignored.is_empty());
    }
}

/// §7.9.1: a request that names no set that can be read asks for nothing.
#[test]
fn a_set_that_cannot_be_read_is_refused() {
    let verdict = |octets: &[u8]| {
        let reject = decode(octets).unwrap().message.unwrap_err();
        (reject.cause, reject.ie)
    };
    let none = hex!("4865000800000000 00003400");
    assert_eq!(
        verdict(&none),
        (Cause::CONDITIONAL_IE_MISSING, Some((132, 1)))
    );
    // Node-ID type 3 is reserved; a count of two with one set; no set at all.
    for value in [
        hex!("31c63364010007").as_slice(),
        &hex!("02c63364010007"),
        &hex!("00c6336401"),
    ] {
        let mut octets = none.to_vec();
        let length = u8::try_from(value.len()).unwrap();
        octets.extend([132, 0, length, 1]);
        octets.extend(value);
        octets[3] = 8 + 4 + length;
        let (cause, ie) = verdict(&octets);
        assert_eq!(ie, Some((132, 1)));
        assert!(matches!(
            cause,
            Cause::MANDATORY_IE_INCORRECT | Cause::INVALID_LENGTH
        ));
    }
}

/// TS 29.274 Table 7.4.3-1: the IMSI is mandatory in a Resume Notification and not in a Suspend
/// Notification.
#[test]
fn the_imsi_is_due_in_one_of_two() {
    let resume = hex!("48a4000800000101 00003200");
    let reject = decode(&resume).unwrap().message.unwrap_err();
    assert_eq!(
        (reject.cause, reject.ie),
        (Cause::MANDATORY_IE_MISSING, Some((1, 0)))
    );
    let suspend = hex!("48a2000800000101 00003100");
    let message = decode(&suspend).unwrap().message.unwrap();
    assert_eq!(
        message,
        Message::SuspendNotification(SuspendNotification::default())
    );
}

/// Table 7.2.1-1: extended and additional options and the identifiers of sets.
#[test]
fn a_create_session_request_carries_what_is_new() {
    let request = CreateSessionRequest {
        apco: Some(hex!("80000d00").to_vec()),
        epco: Some(hex!("80001000").to_vec()),
        mme_csid: Some(FqCsid {
            node: CsidNode::Number(1),
            sets: vec![1],
        }),
        sgw_csid: Some(FqCsid {
            node: CsidNode::V4(Ipv4Addr::new(198, 51, 100, 1)),
            sets: vec![7],
        }),
        ..tests::create_session_request()
    };
    let message = Message::CreateSessionRequest(Box::new(request));
    let header = Header {
        message_type: message.message_type(),
        teid: Some(0),
        sequence: 1,
        piggybacked: false,
    };
    let octets = encode(header, &message);
    let shown = to_hex(&octets);
    for element in ["a300040080000d00", "c500040080001000", "840007002100000001"] {
        assert!(shown.contains(element), "{element} in {shown}");
    }
    assert!(shown.contains("8400070101c63364010007"));
    let decoded = decode(&octets).unwrap();
    assert_eq!(decoded.message, Ok(message));
    assert!(decoded.ignored.is_empty());
}

/// TS 29.274 §7.7.2: a response of a later version is not answered, or two nodes would answer
/// each other for ever.
#[test]
fn a_later_version_of_a_response_is_not_answered() {
    let of = |message_type| [0x60, message_type, 0, 4, 0, 0, 1, 0];
    for response in [2, 3, 33, 35, 37, 39, 100, 163] {
        assert_eq!(version_not_supported(&of(response)), None, "{response}");
    }
    let request = version_not_supported(&of(32)).unwrap();
    assert_eq!(to_hex(&request), "4003000400000100");
}

#[test]
fn spoiled_messages_never_panic_and_decode_alike_again() {
    let corpus: Vec<Vec<u8>> = samples()
        .into_iter()
        .chain(more_samples())
        .map(|s| s.3)
        .collect();
    let check = |octets: &[u8]| {
        let Ok(Decoded {
            header,
            message: Ok(message),
            ..
        }) = decode(octets)
        else {
            return;
        };
        let again = encode(header, &message);
        assert_eq!(decode(&again).unwrap().message, Ok(message));
    };
    testing::sweep(&corpus, check);
    testing::mutate(0x006e_6f74, &corpus, check);
}
