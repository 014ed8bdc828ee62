//! Dedicated bearers: TS 29.274 §7.2.3 to §7.2.6, §7.2.9.2 and §7.2.14 to §7.2.17.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use heiiki_gtp::c::{
    self, BearerContextAccepted, BearerContextDeleted, BearerContextNamed,
    BearerContextToBeModified, BearerContextToChange, BearerQos, BearerResourceCommand, Cause,
    CreateBearerRequest, CreateBearerResponse, DeleteBearerCommand, DeleteBearerRequest,
    DeleteBearerResponse, FTeid, FlowQos, Header, Interface, Message, ModifyBearerCommand,
    ModifyBearerRequest, ModifyBearerResponse, UpdateBearerRequest, UpdateBearerResponse,
};
use heiiki_gtp::tft::{Operation, PacketFilter, Tft};
use heiiki_types::{Ambr, Arp, Duration, Ebi, Method, Qci, Teid};
use serde_json::{Value, json};

use super::bed::{Bed, OTHER_SGW, SGW, Tunnel, config, imsi};
use crate::config::{BearerRule, BearerWhen, PgwConfig};

const RATE: Ambr = Ambr {
    uplink_bps: 128_000,
    downlink_bps: 128_000,
};

fn rule(name: &str, when: BearerWhen) -> BearerRule {
    BearerRule {
        name: name.into(),
        qci: Qci(1),
        arp: BearerRule::ARP,
        mbr: Some(RATE),
        gbr: Some(RATE),
        filters: alloc::vec![
            "both udp remote 10.20.0.9 remote-port 5004-5100"
                .parse()
                .unwrap()
        ],
        when,
    }
}

fn with_voice() -> PgwConfig {
    let mut config = config();
    config.apns[0]
        .bearers
        .push(rule("voice", BearerWhen::Attach));
    config
}

fn ebi(n: u8) -> Ebi {
    Ebi::new(n).unwrap()
}

/// The oldest request about bearers that the gateway has sent and nobody has looked at.
fn asked(bed: &mut Bed) -> Option<(Header, Message)> {
    let place = bed.s5c.iter().position(|d| {
        let decoded = c::decode(&d.payload).unwrap();
        matches!(decoded.header.message_type.0, 95 | 97 | 99)
    })?;
    let datagram = bed.s5c.remove(place);
    let decoded = c::decode(&datagram.payload).unwrap();
    Some((decoded.header, decoded.message.unwrap()))
}

fn creation(bed: &mut Bed) -> (Header, CreateBearerRequest) {
    match asked(bed) {
        Some((header, Message::CreateBearerRequest(request))) => (header, request),
        other => panic!("{other:?}"),
    }
}

fn update(bed: &mut Bed) -> (Header, UpdateBearerRequest) {
    match asked(bed) {
        Some((header, Message::UpdateBearerRequest(request))) => (header, request),
        other => panic!("{other:?}"),
    }
}

fn deletion(bed: &mut Bed) -> (Header, DeleteBearerRequest) {
    match asked(bed) {
        Some((header, Message::DeleteBearerRequest(request))) => (header, request),
        other => panic!("{other:?}"),
    }
}

fn answer(bed: &mut Bed, tunnel: &Tunnel, to: Header, message: &Message) {
    let header = Header {
        message_type: message.message_type(),
        teid: Some(tunnel.pgw_c.get()),
        sequence: to.sequence,
        piggybacked: false,
    };
    bed.send_raw(tunnel.sgw, c::encode(header, message));
}

fn accepted(request: &CreateBearerRequest, answers: &[(u8, u8)]) -> Message {
    let all = answers.iter().all(|(_, cause)| *cause == 16);
    let overall = if all { 16 } else { 17 };
    let mut response = CreateBearerResponse::new(Cause(overall).into());
    for (context, (identity, cause)) in request.bearer_contexts.iter().zip(answers) {
        let end = |teid| {
            let teid = Teid::new(teid).unwrap();
            FTeid::new(Interface::S5S8_SGW_GTPU, teid, SGW.into())
        };
        response.bearer_contexts.push(BearerContextAccepted {
            ebi: Ebi::new(*identity).ok(),
            cause: Cause(*cause).into(),
            s5s8_u_sgw_f_teid: (*cause == 16).then(|| end(0x9000 + u32::from(*identity))),
            s5s8_u_pgw_f_teid: context.s5s8_u_pgw_f_teid,
            pco: None,
        });
    }
    Message::CreateBearerResponse(response)
}

fn updated(request: &UpdateBearerRequest) -> Message {
    let mut response = UpdateBearerResponse::new(Cause::REQUEST_ACCEPTED.into());
    let contexts = request.bearer_contexts.iter();
    response.bearer_contexts = contexts
        .map(|context| BearerContextDeleted {
            ebi: context.ebi,
            cause: Cause::REQUEST_ACCEPTED.into(),
        })
        .collect();
    Message::UpdateBearerResponse(response)
}

fn refusal(cause: u8) -> Message {
    Message::CreateBearerResponse(CreateBearerResponse::new(Cause(cause).into()))
}

fn bearers(bed: &mut Bed, tunnel: &Tunnel) -> Vec<Value> {
    let path = alloc::format!("/v1/sessions/{}/bearers", tunnel.charging_id);
    bed.get(&path)["bearers"].as_array().unwrap().clone()
}

/// A session with the voice bearer of its rule, identity 6.
fn voice(bed: &mut Bed) -> Tunnel {
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let (header, request) = creation(bed);
    let message = accepted(&request, &[(6, 16)]);
    answer(bed, &tunnel, header, &message);
    tunnel
}

fn order(bed: &mut Bed, method: Method, path: &str, body: &Value) -> heiiki_types::CallId {
    bed.call("admin", method, path, body)
}

#[test]
fn a_rule_gives_every_session_its_bearer_after_its_answer_7_2_3() {
    let mut bed = Bed::new(with_voice());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let (header, request) = creation(&mut bed);
    assert_eq!(header.teid, Some(tunnel.sgw_c.get()));
    assert_eq!((request.linked_ebi, request.pti), (Ebi::FIRST, None));
    let [bearer] = request.bearer_contexts.as_slice() else {
        panic!("{request:?}");
    };
    let end = bearer.s5s8_u_pgw_f_teid.unwrap();
    // The same place of the table, another secret; at the worker that owns the session.
    assert_eq!(end.address, tunnel.pgw_u.address);
    let index = |teid: Teid| teid.get() & 0xf_ffff;
    assert_eq!(index(end.teid), index(tunnel.pgw_u.teid));
    assert_ne!(end.teid, tunnel.pgw_u.teid);
    assert_eq!(bearer.bearer_qos.qci, Qci(1));
    assert_eq!(bearer.bearer_qos.gbr_uplink_kbps, 128);
    assert_ne!(bearer.charging_id, Some(tunnel.charging_id));
    let tft = Tft::decode(&bearer.tft).unwrap();
    let [filter] = tft.operation.filters() else {
        panic!("{tft:?}");
    };
    let text = "both udp remote 10.20.0.9/32 remote-port 5004-5100 precedence 1";
    assert_eq!(*filter, text.parse::<PacketFilter>().unwrap());
    // Nothing is there before the SGW says so.
    assert!(bearers(&mut bed, &tunnel).is_empty());
    let message = accepted(&request, &[(6, 16)]);
    answer(&mut bed, &tunnel, header, &message);
    let list = bearers(&mut bed, &tunnel);
    assert_eq!(list.len(), 1);
    assert_eq!(
        (&list[0]["ebi"], &list[0]["origin"]),
        (&json!(6), &json!("rule"))
    );
    assert_eq!(bed.pgw.control().unanswered(), 0);
    // The other access point has no rule.
    bed.create(imsi(2), "blue.corp").unwrap();
    assert_eq!(asked(&mut bed), None);
}

#[test]
fn bearers_survive_a_restart_and_end_with_their_session() {
    let mut bed = Bed::new(with_voice());
    let tunnel = voice(&mut bed);
    let mut bed = bed.crash();
    let list = bearers(&mut bed, &tunnel);
    assert_eq!(list[0]["ebi"], 6);
    assert_eq!(bed.delete(&tunnel), Cause::REQUEST_ACCEPTED);
    assert_eq!(asked(&mut bed), None);
    let bed = bed.crash();
    assert_eq!(bed.pgw.control().session_count(), 0);
}

#[test]
fn a_cut_takes_bearers_along_and_asks_for_none() {
    let mut bed = Bed::new(with_voice());
    let first = voice(&mut bed);
    // One is still being asked for.
    let second = bed.create(imsi(2), "red.corp").unwrap();
    let (header, request) = creation(&mut bed);
    bed.bar(imsi(1), 1);
    bed.bar(imsi(2), 1);
    assert_eq!(bed.pgw.control().session_count(), 0);
    let (_, gone) = deletion(&mut bed);
    assert_eq!(gone.linked_ebi, Some(Ebi::FIRST));
    // The SGW's answer comes too late to be believed.
    let message = accepted(&request, &[(6, 16)]);
    answer(&mut bed, &second, header, &message);
    let path = alloc::format!("/v1/sessions/{}/bearers", first.charging_id);
    let call = order(&mut bed, Method::Get, &path, &Value::Null);
    assert_eq!(bed.reply(call).unwrap().0, 404);
}

#[test]
fn each_bearer_of_a_response_has_its_own_cause_7_2_4() {
    let mut config = with_voice();
    let mut second = rule("video", BearerWhen::Attach);
    second.filters = alloc::vec!["udp remote-port 7000".parse().unwrap()];
    config.apns[0].bearers.push(second);
    let mut bed = Bed::new(config);
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let (header, request) = creation(&mut bed);
    assert_eq!(request.bearer_contexts.len(), 2);
    let message = accepted(&request, &[(0, 73), (7, 16)]);
    answer(&mut bed, &tunnel, header, &message);
    let list = bearers(&mut bed, &tunnel);
    assert_eq!(list.len(), 1);
    assert_eq!(
        (&list[0]["ebi"], &list[0]["name"]),
        (&json!(7), &json!("video"))
    );
    // What was refused for good is not asked for again.
    bed.advance(Duration::from_secs(20));
    assert_eq!(asked(&mut bed), None);
}

#[test]
fn a_refusal_leaves_the_session_alone_7_2_4() {
    for cause in [73, 88, 68] {
        let mut bed = Bed::new(with_voice());
        let tunnel = bed.create(imsi(1), "red.corp").unwrap();
        let (header, _) = creation(&mut bed);
        answer(&mut bed, &tunnel, header, &refusal(cause));
        assert!(bearers(&mut bed, &tunnel).is_empty());
        assert_eq!(bed.pgw.control().session_count(), 1);
        bed.advance(Duration::from_secs(20));
        assert_eq!(asked(&mut bed), None, "{cause}");
    }
}

/// TS 23.401 §5.4.1: the SGW hands the UE over, and the gateway asks again.
#[test]
fn a_request_put_off_by_a_handover_comes_again() {
    let mut bed = Bed::new(with_voice());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let (first, request) = creation(&mut bed);
    answer(&mut bed, &tunnel, first, &refusal(110));
    assert_eq!(asked(&mut bed), None);
    bed.advance(Duration::from_secs(4));
    let (second, again) = creation(&mut bed);
    assert_ne!(first.sequence, second.sequence);
    assert_eq!(request, again);
    let message = accepted(&again, &[(6, 16)]);
    answer(&mut bed, &tunnel, second, &message);
    assert_eq!(bearers(&mut bed, &tunnel).len(), 1);
    // Not for ever.
    let other = bed.create(imsi(2), "red.corp").unwrap();
    let mut times = 0;
    while let Some((header, _)) = asked(&mut bed) {
        times += 1;
        answer(&mut bed, &other, header, &refusal(110));
        bed.advance(Duration::from_secs(4));
    }
    assert_eq!(times, 4);
    assert_eq!(bed.pgw.control().waiting(), 0);
}

#[test]
fn an_answer_that_points_elsewhere_is_not_believed() {
    let mut bed = Bed::new(with_voice());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let (header, request) = creation(&mut bed);
    let Message::CreateBearerResponse(mut response) = accepted(&request, &[(6, 16)]) else {
        unreachable!();
    };
    let foreign = Ipv4Addr::new(203, 0, 113, 9);
    let end = FTeid::new(
        Interface::S5S8_SGW_GTPU,
        Teid::new(1).unwrap(),
        foreign.into(),
    );
    response.bearer_contexts[0].s5s8_u_sgw_f_teid = Some(end);
    answer(
        &mut bed,
        &tunnel,
        header,
        &Message::CreateBearerResponse(response),
    );
    assert!(bearers(&mut bed, &tunnel).is_empty());
}

#[test]
fn a_request_is_sent_n3_times_more_and_given_up_7_6() {
    let mut bed = Bed::new(with_voice());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let (header, request) = creation(&mut bed);
    bed.advance(Duration::from_secs(30));
    for _ in 0..3 {
        assert_eq!(creation(&mut bed), (header, request.clone()));
    }
    assert_eq!(asked(&mut bed), None);
    assert_eq!(bed.pgw.control().unanswered(), 0);
    assert!(bearers(&mut bed, &tunnel).is_empty());
}

#[test]
fn an_operator_orders_changes_and_ends_a_bearer() {
    let mut config = config();
    config.apns[0].bearers.push(rule("talk", BearerWhen::Order));
    let mut bed = Bed::new(config);
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    assert_eq!(asked(&mut bed), None);
    let path = alloc::format!("/v1/sessions/{}/bearers", tunnel.charging_id);
    let call = order(&mut bed, Method::Post, &path, &json!({"rule": "talk"}));
    let (header, request) = creation(&mut bed);
    assert_eq!(bed.reply(call), None);
    let message = accepted(&request, &[(6, 16)]);
    answer(&mut bed, &tunnel, header, &message);
    let (status, body) = bed.reply(call).unwrap();
    assert_eq!(
        (status, &body["bearers"][0]["ebi"]),
        (200, &json!(6)),
        "{body}"
    );
    // Other filters and rates.
    let one = alloc::format!("{path}/6");
    let body = json!({"filters": ["both udp remote 10.20.0.8"],
        "mbr": {"uplink_bps": 256_000, "downlink_bps": 256_000}});
    let call = order(&mut bed, Method::Post, &one, &body);
    let (header, request) = update(&mut bed);
    let context = &request.bearer_contexts[0];
    assert_eq!(context.ebi, ebi(6));
    assert_eq!(context.bearer_qos.unwrap().mbr_uplink_kbps, 256);
    assert!(context.tft.is_some());
    let message = updated(&request);
    answer(&mut bed, &tunnel, header, &message);
    assert_eq!(bed.reply(call).unwrap().0, 200);
    let list = bearers(&mut bed, &tunnel);
    assert_eq!(list[0]["mbr"]["uplink_bps"], 256_000);
    assert_eq!(
        list[0]["filters"][0],
        "both udp remote 10.20.0.8/32 precedence 1"
    );
    // The end: gone at once, told then.
    let call = order(&mut bed, Method::Delete, &one, &Value::Null);
    assert!(bearers(&mut bed, &tunnel).is_empty());
    let (header, request) = deletion(&mut bed);
    assert_eq!(
        (request.linked_ebi, request.ebis.as_slice()),
        (None, &[ebi(6)][..])
    );
    let response = DeleteBearerResponse::new(Cause::REQUEST_ACCEPTED.into());
    answer(
        &mut bed,
        &tunnel,
        header,
        &Message::DeleteBearerResponse(response),
    );
    assert_eq!(bed.reply(call).unwrap().0, 200);
    assert_eq!(bed.pgw.control().session_count(), 1);
}

#[test]
fn orders_that_cannot_be_are_refused_with_a_reason() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let path = alloc::format!("/v1/sessions/{}/bearers", tunnel.charging_id);
    let ask = |bed: &mut Bed, method, path: &str, body: Value| {
        let call = order(bed, method, path, &body);
        let (status, body) = bed.reply(call).unwrap();
        (
            status,
            body["error"].as_str().unwrap_or_default().to_owned(),
        )
    };
    for (body, says) in [
        (json!({}), "qci"),
        (json!({"qci": 9}), "no filters"),
        (json!({"qci": 1, "filters": ["udp"]}), "guaranteed"),
        (json!({"qci": 9, "filters": ["udp quickly"]}), "quickly"),
        (json!({"qci": 9, "filters": ["down udp"]}), "uplink"),
        (json!({"qci": 9, "colour": "red"}), "colour"),
    ] {
        let (status, error) = ask(&mut bed, Method::Post, &path, body);
        assert_eq!(status, 400, "{error}");
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(
        ask(&mut bed, Method::Post, &path, json!({"rule": "x"})).0,
        404
    );
    let one = alloc::format!("{path}/6");
    assert_eq!(ask(&mut bed, Method::Delete, &one, Value::Null).0, 404);
    assert_eq!(
        ask(
            &mut bed,
            Method::Get,
            "/v1/sessions/99/bearers",
            Value::Null
        )
        .0,
        404
    );
    assert_eq!(asked(&mut bed), None);
    // The token of an HSS does not give bearers.
    let call = bed.call("operate", Method::Post, &path, &json!({"qci": 9}));
    assert_eq!(bed.reply(call).unwrap().0, 403);
}

/// TS 23.401 §5.4.3.
#[test]
fn the_rates_of_a_live_session_change() {
    let mut config = config();
    config.apns[0].ambr = Some(Ambr {
        uplink_bps: 60_000_000,
        downlink_bps: 60_000_000,
    });
    let mut bed = Bed::new(config);
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let path = alloc::format!("/v1/sessions/{}/ambr", tunnel.charging_id);
    let body = json!({"uplink_bps": 70_000_000, "downlink_bps": 1_000_000});
    let call = order(&mut bed, Method::Post, &path, &body);
    assert_eq!(bed.reply(call).unwrap().0, 400);
    let body = json!({"uplink_bps": 1_000_000, "downlink_bps": 2_000_000});
    let call = order(&mut bed, Method::Post, &path, &body);
    let (header, request) = update(&mut bed);
    assert_eq!(request.apn_ambr.uplink_bps, 1_000_000);
    assert_eq!(request.bearer_contexts[0].ebi, Ebi::FIRST);
    let message = updated(&request);
    answer(&mut bed, &tunnel, header, &message);
    assert_eq!(bed.reply(call).unwrap().0, 200);
    let mut bed = bed.crash();
    let list = bed.get("/v1/sessions");
    assert_eq!(list["sessions"][0]["ambr"]["downlink_bps"], 2_000_000);
}

fn command(bed: &mut Bed, tunnel: &Tunnel, message: &Message) -> u32 {
    command_to(bed, tunnel.sgw, tunnel.pgw_c.get(), message)
}

fn command_to(bed: &mut Bed, sgw: Ipv4Addr, teid: u32, message: &Message) -> u32 {
    static NEXT: core::sync::atomic::AtomicU32 = core::sync::atomic::AtomicU32::new(0x80_1000);
    let sequence = NEXT.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
    let header = Header {
        message_type: message.message_type(),
        teid: Some(teid),
        sequence,
        piggybacked: false,
    };
    bed.send_raw(sgw, c::encode(header, message));
    sequence
}

fn modify_command(uplink_bps: u64, qci: u8) -> Message {
    let arp = Arp {
        priority_level: 3,
        may_preempt: false,
        may_be_preempted: true,
    };
    Message::ModifyBearerCommand(ModifyBearerCommand {
        apn_ambr: Ambr {
            uplink_bps,
            downlink_bps: 5_000_000,
        },
        bearer_contexts: alloc::vec![BearerContextToChange {
            ebi: Ebi::FIRST,
            bearer_qos: Some(BearerQos::non_gbr(Qci(qci), arp)),
        }],
        sender_f_teid: None,
    })
}

#[test]
fn a_modify_bearer_command_is_carried_out_within_the_access_point_7_2_14() {
    let mut config = config();
    config.apns[0].ambr = Some(Ambr {
        uplink_bps: 10_000_000,
        downlink_bps: 10_000_000,
    });
    let mut bed = Bed::new(config);
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let sequence = command(&mut bed, &tunnel, &modify_command(20_000_000, 7));
    let (header, request) = update(&mut bed);
    assert_eq!(header.sequence, sequence);
    assert_eq!(request.apn_ambr.uplink_bps, 10_000_000);
    assert_eq!(request.apn_ambr.downlink_bps, 5_000_000);
    assert_eq!(request.bearer_contexts[0].bearer_qos.unwrap().qci, Qci(7));
    let message = updated(&request);
    answer(&mut bed, &tunnel, header, &message);
    let list = bed.get("/v1/sessions");
    assert_eq!(list["sessions"][0]["qci"], 7);
    assert_eq!(list["sessions"][0]["ambr"]["downlink_bps"], 5_000_000);
    // A session that nobody has: the TEID of the answer is zero.
    let sequence = command_to(&mut bed, SGW, 0x1234_5678, &modify_command(1_000, 9));
    let (header, message) = bed.response(sequence).unwrap();
    let Message::ModifyBearerFailureIndication(indication) = message else {
        panic!("{message:?}");
    };
    assert_eq!((header.teid, indication.cause.cause.0), (Some(0), 64));
}

#[test]
fn a_delete_bearer_command_names_what_it_could_not_7_2_17() {
    let mut bed = Bed::new(with_voice());
    let tunnel = voice(&mut bed);
    let delete = |list: &[u8]| {
        let contexts = list.iter().map(|n| BearerContextNamed {
            ebi: ebi(*n),
            flags: None,
        });
        Message::DeleteBearerCommand(DeleteBearerCommand {
            bearer_contexts: contexts.collect(),
            uli: None,
            ue_time_zone: None,
            sender_f_teid: None,
        })
    };
    let sequence = command(&mut bed, &tunnel, &delete(&[9]));
    let (_, message) = bed.response(sequence).unwrap();
    let Message::DeleteBearerFailureIndication(indication) = message else {
        panic!("{message:?}");
    };
    assert_eq!(indication.cause.cause.0, 64);
    assert_eq!(indication.bearer_contexts[0].ebi, ebi(9));
    let sequence = command(&mut bed, &tunnel, &delete(&[6, 9]));
    let (header, request) = deletion(&mut bed);
    assert_eq!(header.sequence, sequence);
    assert_eq!(request.ebis, [ebi(6)]);
    assert_eq!(
        (request.failed[0].ebi, request.failed[0].cause.cause.0),
        (ebi(9), 64)
    );
    let response = DeleteBearerResponse::new(Cause::REQUEST_ACCEPTED.into());
    answer(
        &mut bed,
        &tunnel,
        header,
        &Message::DeleteBearerResponse(response),
    );
    assert!(bearers(&mut bed, &tunnel).is_empty());
    assert_eq!(bed.pgw.control().session_count(), 1);
}

fn resource(tad: Vec<u8>, bearer: Option<u8>, qci: Option<u8>) -> Message {
    Message::BearerResourceCommand(BearerResourceCommand {
        linked_ebi: Ebi::FIRST,
        pti: 9,
        flow_qos: qci.map(|qci| FlowQos {
            qci: Qci(qci),
            mbr_uplink_kbps: 128,
            mbr_downlink_kbps: 128,
            gbr_uplink_kbps: 64,
            gbr_downlink_kbps: 64,
        }),
        traffic_aggregate: Some(tad),
        rat_type: None,
        serving_network: None,
        uli: None,
        ebi: bearer.map(ebi),
        indication: None,
        pco: None,
        sender_f_teid: None,
    })
}

fn filters(text: &str) -> Operation {
    Operation::CreateNew(alloc::vec![PacketFilter {
        precedence: 20,
        ..text.parse().unwrap()
    }])
}

fn refused(bed: &mut Bed, tunnel: &Tunnel, message: &Message) -> u8 {
    let sequence = command(bed, tunnel, message);
    match bed.response(sequence) {
        Some((_, Message::BearerResourceFailureIndication(indication))) => {
            assert_eq!(
                (indication.linked_ebi, indication.pti),
                (Some(Ebi::FIRST), Some(9))
            );
            indication.cause.cause.0
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_ue_gets_no_bearer_unless_the_access_point_says_so_7_2_5() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let tad = Tft::new(filters("udp remote-port 5004")).encode();
    let message = resource(tad, None, Some(1));
    assert_eq!(refused(&mut bed, &tunnel, &message), 89);
}

#[test]
fn a_ue_asks_for_a_bearer_changes_it_and_gives_it_back_7_2_5() {
    let mut config = with_voice();
    config.apns[0].ue_bearers = alloc::vec![Qci(1)];
    let mut bed = Bed::new(config);
    let tunnel = voice(&mut bed);
    let tad = Tft::new(filters("udp remote-port 6000")).encode();
    let sequence = command(&mut bed, &tunnel, &resource(tad, None, Some(1)));
    let (header, request) = creation(&mut bed);
    assert_eq!((header.sequence, request.pti), (sequence, Some(9)));
    let message = accepted(&request, &[(7, 16)]);
    answer(&mut bed, &tunnel, header, &message);
    assert_eq!(bearers(&mut bed, &tunnel)[1]["origin"], "ue");
    // Another filter.
    let add = Operation::Add(alloc::vec![PacketFilter {
        precedence: 21,
        ..PacketFilter::clone(&filters("udp remote-port 6001").filters()[0])
    }]);
    let add = resource(Tft::new(add).encode(), Some(7), None);
    command(&mut bed, &tunnel, &add);
    let (header, request) = update(&mut bed);
    let tft = Tft::decode(request.bearer_contexts[0].tft.as_ref().unwrap()).unwrap();
    assert_eq!(
        (tft.operation.code(), tft.operation.filters()[0].identifier),
        (3, 1)
    );
    let message = updated(&request);
    answer(&mut bed, &tunnel, header, &message);
    assert_eq!(
        bearers(&mut bed, &tunnel)[1]["filters"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // The last filter goes, and the bearer with it.
    let none = resource(
        Tft::new(Operation::Delete(alloc::vec![0, 1])).encode(),
        Some(7),
        None,
    );
    let sequence = command(&mut bed, &tunnel, &none);
    let (header, request) = deletion(&mut bed);
    assert_eq!((header.sequence, request.pti), (sequence, Some(9)));
    assert_eq!(request.ebis, [ebi(7)]);
    // The bearer of the rule is not the UE's.
    let theirs = Tft::new(Operation::Delete(alloc::vec![0])).encode();
    assert_eq!(
        refused(&mut bed, &tunnel, &resource(theirs, Some(6), None)),
        89
    );
}

#[test]
fn faults_of_a_ues_description_have_their_causes_7_2_5() {
    let mut config = config();
    config.apns[0].ue_bearers = alloc::vec![Qci(1)];
    let mut bed = Bed::new(config);
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let udp = Tft::new(filters("udp")).encode();
    let down = Tft::new(filters("down udp")).encode();
    let add = Tft::new(Operation::Add(filters("udp").filters().to_vec())).encode();
    for (message, cause) in [
        (resource(udp.clone(), None, Some(9)), 89),
        (resource(udp.clone(), None, None), 103),
        (resource(add, None, Some(1)), 97),
        (resource(alloc::vec![0x20], None, Some(1)), 98),
        (resource(down, None, Some(1)), 76),
        (resource(alloc::vec![0x21, 0x30, 1, 0], None, Some(1)), 77),
        (resource(udp, Some(8), Some(1)), 64),
    ] {
        assert_eq!(refused(&mut bed, &tunnel, &message), cause, "{message:?}");
    }
    assert_eq!(asked(&mut bed), None);
}

fn modify(
    bed: &mut Bed,
    from: Ipv4Addr,
    tunnel: &Tunnel,
    ends: &[(u8, Option<u32>)],
    removed: &[u8],
) -> ModifyBearerResponse {
    let end = |interface, teid| FTeid::new(interface, Teid::new(teid).unwrap(), from.into());
    let contexts = ends
        .iter()
        .map(|(identity, teid)| BearerContextToBeModified {
            ebi: ebi(*identity),
            s1_u_enb_f_teid: None,
            s5s8_u_sgw_f_teid: teid.map(|t| end(Interface::S5S8_SGW_GTPU, t)),
        });
    let message = Message::ModifyBearerRequest(ModifyBearerRequest {
        sender_f_teid: Some(end(Interface::S5S8_SGW_GTPC, 0x7000)),
        rat_type: Some(8),
        bearer_contexts: contexts.collect(),
        removed: removed
            .iter()
            .map(|n| BearerContextNamed {
                ebi: ebi(*n),
                flags: None,
            })
            .collect(),
        ..ModifyBearerRequest::default()
    });
    let sequence = bed.send_c(from, Some(tunnel.pgw_c.get()), &message);
    match bed.response(sequence) {
        Some((_, Message::ModifyBearerResponse(response))) => response,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_unknown_bearer_of_a_modification_has_cause_64_7_2_8() {
    let mut bed = Bed::new(with_voice());
    let tunnel = voice(&mut bed);
    let response = modify(&mut bed, SGW, &tunnel, &[(5, None), (9, None)], &[]);
    assert_eq!(response.cause.cause, Cause::REQUEST_ACCEPTED_PARTIALLY);
    assert_eq!(response.bearer_contexts[0].ebi, ebi(5));
    assert_eq!(
        (response.marked[0].ebi, response.marked[0].cause.cause.0),
        (ebi(9), 64)
    );
    let response = modify(&mut bed, SGW, &tunnel, &[(9, None)], &[]);
    assert_eq!(response.cause.cause.0, 64);
    assert_eq!(bearers(&mut bed, &tunnel).len(), 1);
    // One that the SGW could not keep.
    let response = modify(&mut bed, SGW, &tunnel, &[(5, None)], &[6]);
    assert_eq!(response.cause.cause, Cause::REQUEST_ACCEPTED);
    assert!(bearers(&mut bed, &tunnel).is_empty());
}

#[test]
fn bearers_move_with_their_session_or_stay_behind_7_2_7() {
    let mut bed = Bed::new(with_voice());
    let tunnel = voice(&mut bed);
    let ends = [(5, Some(0x7001)), (6, Some(0x7006))];
    bed.s5u.clear();
    let response = modify(&mut bed, OTHER_SGW, &tunnel, &ends, &[]);
    assert_eq!(response.bearer_contexts.len(), 2);
    // Each old tunnel has had its last packet (TS 29.281 §7.3.2).
    let mut ended: Vec<u32> = (bed.s5u.iter())
        .map(|d| match heiiki_gtp::u::decode(&d.payload) {
            Ok(heiiki_gtp::u::Message::EndMarker { teid }) if d.remote.ip() == SGW => teid.get(),
            other => panic!("{other:?}"),
        })
        .collect();
    ended.sort_unstable();
    assert_eq!(ended, [tunnel.sgw_u.get(), 0x9006]);
    bed.s5u.clear();
    // What changes nothing ends nothing.
    modify(&mut bed, OTHER_SGW, &tunnel, &ends, &[]);
    assert!(bed.s5u.is_empty());
    assert_ne!(
        response.bearer_contexts[0].charging_id,
        response.bearer_contexts[1].charging_id
    );
    assert_eq!(bearers(&mut bed, &tunnel).len(), 1);
    // Back, and the voice bearer is not named: nobody knows where its packets would go.
    let response = modify(&mut bed, SGW, &tunnel, &[(5, Some(0x7011))], &[]);
    assert_eq!(response.cause.cause, Cause::REQUEST_ACCEPTED);
    assert!(bearers(&mut bed, &tunnel).is_empty());
}

/// TS 23.007 §22: the bearer goes, the session stays.
#[test]
fn an_error_indication_about_a_dedicated_bearer_ends_it_alone() {
    let mut bed = Bed::new(with_voice());
    let tunnel = voice(&mut bed);
    let message = heiiki_gtp::u::Message::ErrorIndication {
        seq: 1,
        teid: Teid::new(0x9006).unwrap(),
        peer: SGW.into(),
        udp_port: None,
    };
    bed.send_u(SGW, tunnel.worker(), heiiki_gtp::u::encode(&message));
    let (_, request) = deletion(&mut bed);
    assert_eq!(
        (request.linked_ebi, request.ebis.as_slice()),
        (None, &[ebi(6)][..])
    );
    assert!(bearers(&mut bed, &tunnel).is_empty());
    assert_eq!(bed.pgw.control().session_count(), 1);
}
