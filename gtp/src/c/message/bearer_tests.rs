//! Messages about dedicated bearers and the commands, against octets made by hand and dissected by
//! tshark.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use heiiki_types::{Ambr, Arp, Ebi, Qci, Teid, to_hex};

use super::*;
use crate::c::{BearerQos, Cause, FTeid, FlowQos, Interface};
use crate::testing;
use crate::tft::Tft;

const NAMES: [&str; 20] = [
    "Create Bearer Request (voice)",
    "Create Bearer Request (asked for by the UE)",
    "Create Bearer Response (accepted)",
    "Create Bearer Response (partially)",
    "Create Bearer Response (UE refuses)",
    "Update Bearer Request (rates)",
    "Update Bearer Request (filters and quality)",
    "Update Bearer Response (accepted)",
    "Update Bearer Response (temporarily rejected)",
    "Delete Bearer Request (dedicated)",
    "Delete Bearer Response (dedicated)",
    "Modify Bearer Request (removes a bearer)",
    "Modify Bearer Response (marks a bearer)",
    "Modify Bearer Command",
    "Modify Bearer Failure Indication",
    "Delete Bearer Command",
    "Delete Bearer Failure Indication",
    "Bearer Resource Command (a new bearer)",
    "Bearer Resource Command (release)",
    "Bearer Resource Failure Indication",
];

fn read(name: &str) -> (Header, Message) {
    let octets = testing::message("gtpv2", name);
    let decoded = decode(&octets).unwrap();
    (decoded.header, decoded.message.unwrap())
}

fn end(interface: Interface, teid: u32, last: u8) -> FTeid {
    let address = Ipv4Addr::new(127, 0, 0, last).into();
    FTeid::new(interface, Teid::new(teid).unwrap(), address)
}

fn ebi(n: u8) -> Ebi {
    Ebi::new(n).unwrap()
}

const VOICE: BearerQos = BearerQos {
    arp: Arp {
        priority_level: 2,
        may_preempt: false,
        may_be_preempted: false,
    },
    qci: Qci(1),
    mbr_uplink_kbps: 128,
    mbr_downlink_kbps: 128,
    gbr_uplink_kbps: 64,
    gbr_downlink_kbps: 64,
};

const RATES: Ambr = Ambr {
    uplink_bps: 20_000_000,
    downlink_bps: 50_000_000,
};

#[test]
fn every_element_of_the_vectors_is_read_and_written_unchanged() {
    for name in NAMES {
        let octets = testing::message("gtpv2", name);
        let decoded = decode(&octets).unwrap();
        let message = decoded.message.unwrap();
        assert_eq!(decoded.ignored, [], "{name}");
        assert!(!matches!(message, Message::Other { .. }), "{name}");
        let again = encode(decoded.header, &message);
        assert_eq!(to_hex(&again), to_hex(&octets), "{name}");
    }
}

#[test]
fn create_bearer_ts_29_274_7_2_3_and_7_2_4() {
    let (header, message) = read("Create Bearer Request (asked for by the UE)");
    assert_eq!(header.sequence, 0x80_0010);
    let Message::CreateBearerRequest(request) = message else {
        panic!("{message:?}");
    };
    assert_eq!((request.pti, request.linked_ebi), (Some(9), ebi(5)));
    let [bearer] = request.bearer_contexts.as_slice() else {
        panic!("{request:?}");
    };
    assert_eq!(bearer.bearer_qos, VOICE);
    assert_eq!(bearer.charging_id, Some(78));
    assert_eq!(
        bearer.s5s8_u_pgw_f_teid,
        Some(end(Interface::S5S8_PGW_GTPU, 0x9001, 4))
    );
    let tft = Tft::decode(&bearer.tft).unwrap();
    let text = "both remote 10.20.0.9 udp remote-port 5004-5100 precedence 10";
    assert_eq!(tft.operation.filters(), [text.parse().unwrap()]);

    let (_, message) = read("Create Bearer Response (partially)");
    let Message::CreateBearerResponse(response) = message else {
        panic!("{message:?}");
    };
    assert_eq!(response.cause.cause, Cause::REQUEST_ACCEPTED_PARTIALLY);
    let got: Vec<_> = response
        .bearer_contexts
        .iter()
        .map(|b| {
            (
                b.ebi,
                b.cause.cause.0,
                b.s5s8_u_pgw_f_teid.map(|f| f.teid.get()),
            )
        })
        .collect();
    assert_eq!(
        got,
        [(Some(ebi(6)), 16, Some(0x9001)), (None, 73, Some(0x9002))]
    );
}

#[test]
fn update_bearer_ts_29_274_7_2_15() {
    let (_, message) = read("Update Bearer Request (filters and quality)");
    let Message::UpdateBearerRequest(request) = message else {
        panic!("{message:?}");
    };
    assert_eq!(request.apn_ambr, RATES);
    let [bearer] = request.bearer_contexts.as_slice() else {
        panic!("{request:?}");
    };
    assert_eq!((bearer.ebi, bearer.bearer_qos), (ebi(6), Some(VOICE)));
    let tft = Tft::decode(bearer.tft.as_ref().unwrap()).unwrap();
    assert_eq!(tft.operation.code(), 4);
}

#[test]
fn bearers_of_two_kinds_are_kept_apart_ts_29_274_7_2_7() {
    let (_, message) = read("Modify Bearer Request (removes a bearer)");
    let Message::ModifyBearerRequest(request) = message else {
        panic!("{message:?}");
    };
    let modified: Vec<Ebi> = request.bearer_contexts.iter().map(|b| b.ebi).collect();
    let removed: Vec<Ebi> = request.removed.iter().map(|b| b.ebi).collect();
    assert_eq!((modified, removed), (vec![ebi(5)], vec![ebi(7)]));
    let (_, message) = read("Modify Bearer Response (marks a bearer)");
    let Message::ModifyBearerResponse(response) = message else {
        panic!("{message:?}");
    };
    assert_eq!(response.bearer_contexts.len(), 1);
    assert_eq!(response.marked[0].ebi, ebi(7));
    assert_eq!(response.marked[0].cause.cause.0, 64);
}

#[test]
fn commands_ts_29_274_7_2_5_and_7_2_14_and_7_2_17() {
    let (header, message) = read("Bearer Resource Command (a new bearer)");
    assert!(header.message_type.is_command());
    let Message::BearerResourceCommand(command) = message else {
        panic!("{message:?}");
    };
    let wanted = FlowQos {
        qci: Qci(1),
        mbr_uplink_kbps: 128,
        mbr_downlink_kbps: 128,
        gbr_uplink_kbps: 64,
        gbr_downlink_kbps: 64,
    };
    assert_eq!(command.flow_qos, Some(wanted));
    assert_eq!((command.pti, command.ebi), (9, None));
    assert_eq!(
        command.sender_f_teid,
        Some(end(Interface::S5S8_SGW_GTPC, 0x2000, 3))
    );
    let (_, message) = read("Modify Bearer Command");
    let Message::ModifyBearerCommand(command) = message else {
        panic!("{message:?}");
    };
    assert_eq!(command.apn_ambr, RATES);
    let qos = command.bearer_contexts[0].bearer_qos.unwrap();
    assert_eq!((qos.qci, qos.arp.priority_level), (Qci(8), 9));
    let (_, message) = read("Delete Bearer Command");
    let Message::DeleteBearerCommand(command) = message else {
        panic!("{message:?}");
    };
    assert!(command.bearer_contexts[0].flags.unwrap().is_voice());
}

/// The message without its first element of this type, instance and parent.
fn without(name: &str, ie: u8, instance: u8, within: bool) -> Vec<u8> {
    fn strip(octets: &[u8], ie: u8, instance: u8) -> Vec<u8> {
        let mut out = Vec::new();
        let mut found = false;
        for e in Ies::parse(octets).unwrap().iter() {
            if !found && (e.ie, e.instance) == (ie, instance) {
                found = true;
                continue;
            }
            out.push(e.ie);
            out.extend(u16::try_from(e.value.len()).unwrap().to_be_bytes());
            out.push(e.instance);
            out.extend(e.value);
        }
        assert!(found, "{ie} {instance}");
        out
    }
    let octets = testing::message("gtpv2", name);
    let elements = Ies::parse(&octets[12..]).unwrap();
    let mut out = octets[..12].to_vec();
    if !within {
        out.extend(strip(&octets[12..], ie, instance));
    }
    for e in elements.iter().filter(|_| within) {
        let value = if e.ie == BEARER_CONTEXT && e.instance == 0 {
            strip(e.value, ie, instance)
        } else {
            e.value.to_vec()
        };
        out.push(e.ie);
        out.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        out.push(e.instance);
        out.extend(value);
    }
    patch_length(&mut out, 2, 4);
    out
}

use ie_type::{
    AMBR, BEARER_CONTEXT, BEARER_QOS, BEARER_TFT, CAUSE, CHARGING_ID, EBI, F_TEID, PTI,
    TRAFFIC_AGGREGATE,
};

/// A vector, the element that goes missing, whether it is one of a Bearer Context, and the cause.
const MISSING: &[(&str, u8, u8, bool, u8)] = &[
    ("Create Bearer Request (voice)", EBI, 0, false, 70),
    (
        "Create Bearer Request (voice)",
        BEARER_CONTEXT,
        0,
        false,
        70,
    ),
    ("Create Bearer Request (voice)", EBI, 0, true, 70),
    ("Create Bearer Request (voice)", BEARER_TFT, 0, true, 70),
    ("Create Bearer Request (voice)", BEARER_QOS, 0, true, 70),
    ("Create Bearer Request (voice)", F_TEID, 1, true, 103),
    ("Create Bearer Request (voice)", CHARGING_ID, 0, true, 103),
    ("Create Bearer Response (accepted)", CAUSE, 0, false, 70),
    (
        "Create Bearer Response (accepted)",
        BEARER_CONTEXT,
        0,
        false,
        70,
    ),
    ("Create Bearer Response (accepted)", CAUSE, 0, true, 70),
    ("Update Bearer Request (rates)", AMBR, 0, false, 70),
    (
        "Update Bearer Request (rates)",
        BEARER_CONTEXT,
        0,
        false,
        70,
    ),
    ("Update Bearer Request (rates)", EBI, 0, true, 70),
    (
        "Update Bearer Response (accepted)",
        BEARER_CONTEXT,
        0,
        false,
        70,
    ),
    ("Update Bearer Response (accepted)", CAUSE, 0, true, 70),
    ("Delete Bearer Response (dedicated)", EBI, 0, true, 103),
    (
        "Modify Bearer Request (removes a bearer)",
        EBI,
        0,
        true,
        103,
    ),
    ("Modify Bearer Command", AMBR, 0, false, 70),
    ("Modify Bearer Command", BEARER_CONTEXT, 0, false, 70),
    ("Modify Bearer Command", EBI, 0, true, 70),
    ("Delete Bearer Command", BEARER_CONTEXT, 0, false, 70),
    ("Delete Bearer Command", EBI, 0, true, 70),
    ("Bearer Resource Command (release)", EBI, 0, false, 70),
    ("Bearer Resource Command (release)", PTI, 0, false, 70),
    (
        "Bearer Resource Command (release)",
        TRAFFIC_AGGREGATE,
        0,
        false,
        103,
    ),
];

#[test]
fn a_missing_element_has_its_cause_and_is_named_ts_29_274_7_7_6() {
    for &(name, ie, instance, within, cause) in MISSING {
        let octets = without(name, ie, instance, within);
        let reject = decode(&octets).unwrap().message.unwrap_err();
        let got = (reject.cause.0, reject.ie);
        assert_eq!(got, (cause, Some((ie, instance))), "{name} {ie} {within}");
    }
}

#[test]
fn a_faulty_command_is_answered_by_its_failure_indication() {
    let reject = Reject::missing((AMBR, 0), "AMBR");
    for (request, indication) in [
        (MessageType::MODIFY_BEARER_COMMAND, 65),
        (MessageType::DELETE_BEARER_COMMAND, 67),
        (MessageType::BEARER_RESOURCE_COMMAND, 69),
        (MessageType::CREATE_BEARER_REQUEST, 96),
        (MessageType::UPDATE_BEARER_REQUEST, 98),
    ] {
        let message = response(&reject, request).unwrap();
        assert_eq!(message.message_type().0, indication);
        let header = Header {
            message_type: request,
            teid: Some(1),
            sequence: 1,
            piggybacked: false,
        };
        let octets = encode(header, &message);
        assert_eq!(decode(&octets).unwrap().message, Ok(message));
    }
}
