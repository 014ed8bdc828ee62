//! Endpoints against each other over an in-memory stream, in virtual time.

mod world;

use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::{Duration, StreamInput as In};

use super::*;
use crate::base::{Capabilities, CapabilitiesAnswer, VendorApplication};
use crate::s6a::{AuthenticationInformationAnswer, AuthenticationInformationRequest};
use crate::samples::{HSS, MME, REALM, aia, air, capabilities, named, python, ulr};
use crate::{AnswerResult, ApplicationId, Avp, CommandCode, ResultCode, dictionary as d, s6a};
use world::{Raw, SECOND, World, address, client, config, server};

fn request(seen: &[EndpointOutput]) -> (RequestHandle, Message) {
    match seen {
        [
            EndpointOutput::Request {
                handle, message, ..
            },
        ] => (*handle, message.clone()),
        other => panic!("{other:?}"),
    }
}

fn only_answer(seen: &[EndpointOutput]) -> (u64, Message) {
    match seen {
        [EndpointOutput::Answer { tag, message, .. }] => (*tag, message.clone()),
        other => panic!("{other:?}"),
    }
}

fn closed(seen: &[EndpointOutput]) -> &'static str {
    let why = |o: &EndpointOutput| match o {
        EndpointOutput::PeerClosed { why, .. } => Some(*why),
        _ => None,
    };
    seen.iter().find_map(why).unwrap()
}

fn refused(seen: &[EndpointOutput]) -> &'static str {
    let why = |o: &EndpointOutput| match o {
        EndpointOutput::Refused { why, .. } => Some(*why),
        _ => None,
    };
    seen.iter().find_map(why).unwrap()
}

fn opened(seen: &[EndpointOutput]) -> usize {
    let open = |o: &&EndpointOutput| matches!(o, EndpointOutput::PeerOpen { .. });
    seen.iter().filter(open).count()
}

#[test]
fn two_nodes_open_a_connection_and_talk() {
    let mut w = World::pair();
    let seen = w.take(0);
    let open = EndpointOutput::PeerOpen {
        conn: ConnId::initiated(0),
        host: HSS.into(),
        realm: REALM.into(),
    };
    assert_eq!(seen, [open]);
    assert_eq!(opened(&w.take(1)), 1);
    assert_eq!(w.nodes[1].peer_of(w.conn(1, MME)), Some((MME, REALM)));
    let cer = w.wire(0).remove(0);
    assert!(cer.flags.request && !cer.flags.proxiable);
    let caps = Capabilities::from_request(&cer).unwrap();
    assert!(caps.has(ApplicationId::S6A) && !caps.has(ApplicationId::S13));

    w.ask(air().to_message(), 7);
    let (handle, message) = request(&w.take(1));
    assert_eq!(
        AuthenticationInformationRequest::from_message(&message),
        Ok(air())
    );
    assert_eq!(handle.command, CommandCode::AUTHENTICATION_INFORMATION);
    w.nodes[1].send_answer(w.now, handle, aia().to_message());
    w.settle();
    let (tag, answer) = only_answer(&w.take(0));
    assert_eq!(tag, 7);
    assert_eq!(answer.end_to_end, message.end_to_end);
    assert_eq!(
        AuthenticationInformationAnswer::from_message(&answer),
        Ok(aia())
    );
    // A second answer to the same request goes nowhere.
    w.nodes[1].send_answer(w.now, handle, aia().to_message());
    w.settle();
    assert_eq!(w.take(0), []);
    assert_eq!(w.nodes[0].counters(), Counters::default());
}

#[test]
fn identifiers_differ_from_request_to_request() {
    let mut w = World::pair();
    w.take(1);
    w.ask(air().to_message(), 1);
    w.ask(air().to_message(), 2);
    let ids: Vec<_> = w
        .take(1)
        .into_iter()
        .filter_map(|o| match o {
            EndpointOutput::Request { message, .. } => {
                Some((message.hop_by_hop, message.end_to_end))
            }
            _ => None,
        })
        .collect();
    assert_eq!(ids.len(), 2);
    assert!(ids[0].0 != ids[1].0 && ids[0].1 != ids[1].1);
}

/// Goal: RFC 3539 §3.4.1. Method: one side falls silent; count the DWRs of the other.
#[test]
fn a_silent_peer_is_given_up() {
    let mut w = World::pair();
    w.run(Duration::from_mins(5));
    // Each side's DWR puts off the other's.
    let dwr = |m: &&Message| m.command == CommandCode::DEVICE_WATCHDOG && m.flags.request;
    let count = w.wire(0).iter().filter(dwr).count() + w.wire(1).iter().filter(dwr).count();
    assert!((9..=11).contains(&count), "{count}");
    assert_eq!((w.take(0).len(), w.take(1).len()), (1, 1), "still open");

    let start = w.now;
    w.mute = vec![1];
    let conn = w.conn(0, HSS);
    // One interval to the DWR, one to suspicion.
    w.run(Duration::from_secs(68));
    assert!(!w.nodes[0].is_open(conn), "suspect");
    assert_eq!(w.nodes[0].connection_of(HSS), None);
    let error = w.nodes[0].send_request(w.now, conn, air().to_message(), 1);
    assert_eq!(error, Err(NotOpen { full: false }));
    assert_eq!(w.wire(0).iter().filter(dwr).count(), 1);
    // And one more to the end. The node tries again after Tc.
    w.down = vec![1];
    while w.nodes[0].peer_of(conn).is_some() {
        w.run(SECOND);
    }
    let took = w.now.since(start);
    assert!(
        took >= Duration::from_secs(84) && took <= Duration::from_secs(97),
        "{took:?}"
    );
    assert_eq!(closed(&w.take(0)), "no answer to the watchdog");
    assert_eq!(closed(&w.take(1)), "closed by the peer");
    w.mute.clear();
    w.down.clear();
    w.run(Duration::from_secs(31));
    assert_eq!(opened(&w.take(0)), 1);
}

#[test]
fn a_suspect_peer_that_answers_is_used_again() {
    let mut w = World::pair();
    w.mute = vec![1];
    let conn = w.conn(0, HSS);
    while w.nodes[0].is_open(conn) {
        w.run(SECOND);
    }
    w.mute.clear();
    // The peer's own watchdog asks.
    let mut patience = 40;
    while !w.nodes[0].is_open(conn) {
        w.run(SECOND);
        patience -= 1;
        assert!(patience > 0);
    }
    assert_eq!(w.conn(0, HSS), conn);
}

#[test]
fn requests_of_a_suspect_peer_come_back() {
    let mut configs = vec![client(MME, 1), server(HSS)];
    configs[0].request_timeout = Duration::from_secs(1000);
    let mut w = World::new(configs);
    w.start();
    w.take(0);
    w.mute = vec![1];
    w.ask(air().to_message(), 9);
    w.run(Duration::from_secs(70));
    match &w.take(0)[..] {
        [
            EndpointOutput::Unanswered {
                tag: 9, message, ..
            },
        ] => {
            assert!(message.flags.retransmit);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_times_out_and_a_late_answer_is_dropped() {
    let mut w = World::pair();
    w.take(0);
    w.take(1);
    w.ask(air().to_message(), 3);
    w.run(Duration::from_millis(4_999));
    assert_eq!(w.take(0), []);
    w.run(Duration::from_millis(1));
    match &w.take(0)[..] {
        [
            EndpointOutput::Unanswered {
                tag: 3, message, ..
            },
        ] => {
            assert!(message.flags.retransmit);
            assert_ne!(message.end_to_end, 0);
        }
        other => panic!("{other:?}"),
    }
    let (handle, _) = request(&w.take(1));
    w.nodes[1].send_answer(w.now, handle, aia().to_message());
    w.settle();
    assert_eq!(w.take(0), []);
    assert_eq!(w.nodes[0].counters().stray_answers, 1);
}

/// Goal: RFC 6733 §5.5.4: after a lost connection the same request goes out again with the T bit,
/// and the server does the work once.
#[test]
fn a_retransmission_gets_the_same_answer() {
    let mut w = World::pair();
    w.take(1);
    w.ask(air().to_message(), 4);
    let (handle, first) = request(&w.take(1));
    w.cut(0, w.conn(0, HSS));
    assert_eq!(closed(&w.take(1)), "closed by the peer");
    // Answered while there is no connection.
    w.nodes[1].send_answer(w.now, handle, aia().to_message());
    w.settle();
    let again = w.take(0).into_iter().find_map(|o| match o {
        EndpointOutput::Unanswered { message, .. } => Some(message),
        _ => None,
    });
    w.run(Duration::from_secs(31));
    w.take(0);
    w.take(1);
    w.ask(again.unwrap(), 5);
    assert_eq!(w.take(1), [], "the node does not see it again");
    let (tag, answer) = only_answer(&w.take(0));
    assert_eq!((tag, answer.end_to_end), (5, first.end_to_end));
    assert_eq!(w.nodes[1].counters().duplicates, 1);
}

#[test]
fn a_retransmission_of_an_open_request_waits_with_it() {
    let mut w = World::pair();
    w.take(0);
    w.take(1);
    let mut message = air().to_message();
    message.flags.retransmit = true;
    message.end_to_end = 99;
    w.ask(message.clone(), 1);
    let (handle, _) = request(&w.take(1));
    message.flags.retransmit = false;
    w.ask(
        Message {
            flags: Flags {
                retransmit: true,
                ..message.flags
            },
            ..message
        },
        2,
    );
    assert_eq!(w.take(1), []);
    w.nodes[1].send_answer(w.now, handle, aia().to_message());
    w.settle();
    assert_eq!(w.take(0).len(), 2, "both are answered");
}

#[test]
fn equal_identifiers_without_the_t_bit_are_two_requests() {
    let mut w = World::pair();
    w.take(1);
    let mut stranger = Raw::join(&mut w, MME.replace("mme", "mme2").as_str());
    let mut message = air().to_message();
    (message.hop_by_hop, message.end_to_end) = (1, 2);
    stranger.send(&mut w, &message);
    stranger.send(&mut w, &message);
    let requests = w.take(1);
    let count = requests
        .iter()
        .filter(|o| matches!(o, EndpointOutput::Request { .. }))
        .count();
    assert_eq!(count, 2);
    // Nor does it count that one of them is answered.
    for request in requests {
        if let EndpointOutput::Request { handle, .. } = request {
            w.nodes[1].send_answer(w.now, handle, aia().to_message());
        }
    }
    assert_eq!(stranger.receive(&mut w).len(), 2);
    assert!(stranger.send(&mut w, &message).is_empty());
    request(&w.take(1));
    // With the T bit it is the same one.
    message.flags.retransmit = true;
    assert!(stranger.send(&mut w, &message).is_empty());
    assert_eq!(w.take(1), []);
}

fn code(answers: &[Message]) -> u32 {
    match answers {
        [answer] => match answer.result() {
            Some(AnswerResult::Base(code)) => code.0,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn requests_that_the_endpoint_refuses_itself() {
    let mut w = World::pair();
    let mut raw = Raw::join(&mut w, "raw.example");
    let good = {
        let mut message = air().to_message();
        (message.hop_by_hop, message.end_to_end) = (0x0102, 0x0304);
        message
    };
    let with = |change: &dyn Fn(&mut Message)| {
        let mut message = good.clone();
        change(&mut message);
        message
    };
    let cases: [(u32, Message); 10] = [
        (3001, with(&|m| m.command = CommandCode(325))),
        (3001, with(&|m| m.command = CommandCode(77))),
        (3001, with(&|m| m.application = ApplicationId::BASE)),
        (3007, with(&|m| m.application = ApplicationId::S13)),
        (3008, with(&|m| m.flags.error = true)),
        (
            3002,
            with(&|m| m.avps[5] = Avp::text(&d::DESTINATION_HOST, "other.example")),
        ),
        (
            3003,
            with(&|m| {
                m.avps
                    .retain(|a| !a.is(&d::DESTINATION_HOST) && !a.is(&d::DESTINATION_REALM));
                m.avps
                    .push(Avp::text(&d::DESTINATION_REALM, "other.example"));
            }),
        ),
        (
            3005,
            with(&|m| m.avps.push(Avp::text(&d::ROUTE_RECORD, HSS))),
        ),
        (
            5001,
            with(&|m| {
                let mut avp = Avp::u32(&d::AIR_FLAGS, 1);
                (avp.code, avp.mandatory) = (60_000, true);
                m.avps.push(avp);
            }),
        ),
        (5001, named(python(), "ULR with an unknown mandatory AVP")),
    ];
    for (expected, message) in cases {
        let answers = raw.send(&mut w, &message);
        assert_eq!(code(&answers), expected, "{message:?}");
        let answer = &answers[0];
        assert_eq!(answer.flags.error, expected / 1000 == 3);
        assert!(!answer.flags.request && answer.flags.proxiable);
        assert_eq!(answer.hop_by_hop, message.hop_by_hop);
        assert_eq!(answer.end_to_end, message.end_to_end);
        assert_eq!(answer.command, message.command);
        assert_eq!(answer.session_id(), message.session_id());
        assert_eq!(answer.origin_host(), Some(HSS));
        assert_eq!(answer.find(&d::FAILED_AVP).is_some(), expected == 5001);
    }
    assert_eq!(w.take(1), []);
    assert_eq!(w.nodes[1].counters().refused_requests, 10);
    raw.send(&mut w, &good);
    request(&w.take(1));
}

#[test]
fn a_broken_avp_is_answered_with_its_header() {
    let mut w = World::pair();
    let mut raw = Raw::join(&mut w, "raw.example");
    let mut message = air().to_message();
    message.avps.push(Avp::u32(&d::AIR_FLAGS, 1));
    let mut octets = message.encode();
    let at = octets.len() - 16;
    octets[at + 7] = 200;
    let answers = raw.octets(&mut w, octets);
    assert_eq!(code(&answers), 5014);
    let failed = answers[0].find(&d::FAILED_AVP).unwrap();
    let inside: Vec<Avp> = failed.members().map(|m| m.unwrap().to_owned()).collect();
    assert_eq!(inside, [Avp::u32(&d::AIR_FLAGS, 0)]);
    assert!(raw.is_connected(&w));
}

#[test]
fn an_answer_takes_the_way_back_with_its_proxy_info() {
    let mut w = World::pair();
    let mut raw = Raw::join(&mut w, "dra.example");
    let message = named(python(), "ULR relayed, with an unknown optional AVP");
    assert!(raw.send(&mut w, &message).is_empty());
    match &w.take(1)[..] {
        [
            EndpointOutput::Request {
                handle,
                peer_host,
                message: seen,
                ..
            },
        ] => {
            assert_eq!(&**peer_host, "dra.example");
            assert_eq!(seen.origin_host(), Some(MME));
            let mut answer = Message::new(CommandCode(0), ApplicationId::BASE, seen.flags);
            answer.avps.push(AnswerResult::SUCCESS.to_avp());
            w.nodes[1].send_answer(w.now, *handle, answer);
        }
        other => panic!("{other:?}"),
    }
    let answers = raw.receive(&mut w);
    let answer = &answers[0];
    assert_eq!(answer.command, CommandCode::UPDATE_LOCATION);
    assert_eq!(answer.application, ApplicationId::S6A);
    assert_eq!(answer.hop_by_hop, message.hop_by_hop);
    assert!(answer.flags.proxiable && !answer.flags.request);
    assert_eq!(answer.find(&d::PROXY_INFO), message.find(&d::PROXY_INFO));
}

#[test]
fn outstanding_requests_are_bounded_both_ways() {
    let mut configs = vec![client(MME, 1), server(HSS)];
    for c in &mut configs {
        c.max_outstanding = 3;
    }
    let mut w = World::new(configs);
    w.start();
    w.take(1);
    for tag in 0..3 {
        w.ask(air().to_message(), tag);
    }
    let conn = w.conn(0, HSS);
    let full = w.nodes[0].send_request(w.now, conn, air().to_message(), 3);
    assert_eq!(full, Err(NotOpen { full: true }));
    let requests = w.take(1);
    assert_eq!(requests.len(), 3);

    // A peer that does not keep to it.
    let mut raw = Raw::join(&mut w, "raw.example");
    let mut message = ulr().to_message();
    message.avps.retain(|a| !a.is(&d::ROUTE_RECORD));
    for id in 0..5 {
        message.end_to_end = id;
        let answers = raw.send(&mut w, &message);
        assert_eq!(answers.len(), usize::from(id >= 3));
        assert!(
            answers
                .iter()
                .all(|a| a.result() == Some(ResultCode::TOO_BUSY.into()))
        );
    }
    // What the node never answers is forgotten after a minute.
    assert_eq!(w.take(1).len(), 3);
    w.run(Duration::from_secs(29));
    for _ in 0..4 {
        w.run(Duration::from_secs(10));
        raw.send(&mut w, &named(crate::samples::crafted(), "DWR"));
    }
    message.end_to_end = 9;
    assert!(raw.send(&mut w, &message).is_empty());
    assert_eq!(w.nodes[1].counters().forgotten_requests, 6);
}

#[test]
fn a_farewell_from_our_side() {
    let mut w = World::pair();
    w.take(0);
    w.take(1);
    w.wire(0);
    w.wire(1);
    w.ask(air().to_message(), 1);
    w.nodes[0].disconnect_all(w.now, DisconnectCause::REBOOTING);
    assert!(!w.nodes[0].is_idle());
    let conn = ConnId::initiated(0);
    assert!(!w.nodes[0].is_open(conn));
    w.settle();
    assert!(w.nodes[0].is_idle() && w.nodes[1].is_idle());
    let dpr = w.wire(0).pop().unwrap();
    assert_eq!(dpr.command, CommandCode::DISCONNECT_PEER);
    assert_eq!(dpr.number(&d::DISCONNECT_CAUSE), Some(0));
    let dpa = w.wire(1).pop().unwrap();
    assert_eq!(dpa.result(), Some(AnswerResult::SUCCESS));
    let seen = w.take(0);
    assert!(matches!(seen[0], EndpointOutput::Unanswered { tag: 1, .. }));
    assert_eq!(closed(&seen), "disconnected by us");
    assert_eq!(closed(&w.take(1)), "disconnected by the peer");
    // It stays down until it is started again.
    w.run(Duration::from_mins(10));
    assert_eq!(w.take(0), []);
    w.nodes[0].start(w.now);
    w.settle();
    assert_eq!(opened(&w.take(0)), 1);
}

#[test]
fn a_farewell_that_nobody_answers_ends_too() {
    let mut w = World::pair();
    w.mute = vec![1];
    w.nodes[0].disconnect_all(w.now, DisconnectCause::BUSY);
    w.settle();
    assert!(!w.nodes[0].is_idle());
    w.run(Duration::from_secs(5));
    assert!(w.nodes[0].is_idle());
}

#[test]
fn an_unwelcome_caller_waits_longer() {
    for (cause, wait) in [
        (DisconnectCause::REBOOTING, 30),
        (DisconnectCause::BUSY, 300),
        (DisconnectCause::DO_NOT_WANT_TO_TALK_TO_YOU, 300),
    ] {
        let mut w = World::pair();
        w.take(0);
        w.nodes[1].disconnect_all(w.now, cause);
        w.settle();
        assert!(w.nodes[0].is_idle());
        w.nodes[1].start(w.now);
        w.run(Duration::from_secs(wait - 1));
        assert_eq!(opened(&w.take(0)), 0);
        w.run(SECOND);
        assert_eq!(opened(&w.take(0)), 1);
    }
}

#[test]
fn a_peer_that_is_not_there_is_tried_every_tc() {
    let mut w = World::new(vec![client(MME, 1), server(HSS)]);
    w.down = vec![1];
    w.start();
    assert_eq!(refused(&w.take(0)), "closed by the peer");
    w.run(Duration::from_secs(95));
    assert_eq!(w.take(0).len(), 3);
    w.down.clear();
    w.run(Duration::from_secs(30));
    assert_eq!(opened(&w.take(0)), 1);
}

#[test]
fn who_may_connect() {
    let mut hss = server(HSS);
    hss.accept = vec![AcceptRule {
        origin_host: "mme*.example".into(),
        realm: Some("example".into()),
        addresses: vec!["127.0.0.0/8".parse().unwrap()],
        ..AcceptRule::default()
    }];
    let mut w = World::new(vec![config(MME), hss]);
    let raw = Raw::from(&mut w, "192.0.2.1:5000");
    assert!(!raw.is_connected(&w));
    w.settle();
    assert_eq!(refused(&w.take(1)), "no peer may come from this address");

    let caps = |host: &str, realm: &str| Capabilities {
        origin_realm: realm.into(),
        ..capabilities(host)
    };
    for (host, realm) in [("hss.example", "example"), ("mme1.example", "elsewhere")] {
        let mut raw = Raw::connect(&mut w);
        let answers = raw.send(&mut w, &caps(host, realm).to_request());
        assert_eq!(code(&answers), 3010);
        assert!(answers[0].flags.error);
        assert!(!raw.is_connected(&w));
        assert_eq!(refused(&w.take(1)), "not a known peer");
    }
    let mut raw = Raw::connect(&mut w);
    let answers = raw.send(&mut w, &caps("MME1.Example", "example").to_request());
    assert_eq!(code(&answers), 2001);
    assert!(w.nodes[1].connection_of("mme1.example").is_some());
}

#[test]
fn capabilities_that_do_not_fit() {
    let mut w = World::new(vec![config(MME), server(HSS)]);
    let mut refuse = |caps: Capabilities, expected: u32| {
        let mut raw = Raw::connect(&mut w);
        let answers = raw.send(&mut w, &caps.to_request());
        assert_eq!(code(&answers), expected);
        assert!(!raw.is_connected(&w));
    };
    let caps = || capabilities("raw.example");
    let other = VendorApplication {
        vendor: Some(10415),
        auth: Some(ApplicationId::S13),
        acct: None,
    };
    let s13 = vec![other];
    refuse(
        Capabilities {
            vendor_applications: s13,
            ..caps()
        },
        5010,
    );
    refuse(
        Capabilities {
            inband_security: vec![1],
            ..caps()
        },
        5017,
    );
    refuse(capabilities(HSS), 3010);
    refuse(
        Capabilities {
            host_ips: vec![],
            ..caps()
        },
        5005,
    );
}

/// Goal: what stock peers send in a CER is taken: members of Vendor-Specific-Application-Id in the
/// other order, several supported vendors, Inband-Security-Id; and the relay application.
#[test]
fn capabilities_of_stock_peers() {
    let mut w = World::new(vec![config(MME), server(HSS)]);
    let mut cer = Capabilities {
        supported_vendors: vec![5535, 10415, 13019],
        ..capabilities("stock.example")
    }
    .to_request();
    for avp in &mut cer.avps {
        if avp.is(&d::VENDOR_SPECIFIC_APPLICATION_ID) {
            let swapped = [
                Avp::u32(&d::AUTH_APPLICATION_ID, ApplicationId::S6A.0),
                Avp::u32(&d::VENDOR_ID, 10415),
            ];
            *avp = Avp::group(&d::VENDOR_SPECIFIC_APPLICATION_ID, &swapped);
        }
    }
    cer.avps.reverse();
    assert_eq!(code(&Raw::connect(&mut w).send(&mut w, &cer)), 2001);
    let relay = Capabilities {
        vendor_applications: vec![],
        auth_applications: vec![ApplicationId::RELAY],
        ..capabilities("relay.example")
    };
    assert_eq!(
        code(&Raw::connect(&mut w).send(&mut w, &relay.to_request())),
        2001
    );
    let crafted = named(crate::samples::crafted(), "CER");
    assert_eq!(code(&Raw::connect(&mut w).send(&mut w, &crafted)), 2001);
}

#[test]
fn nothing_but_a_cer_comes_first() {
    let mut w = World::new(vec![config(MME), server(HSS)]);
    for message in crate::samples::own().into_iter().skip(1).map(|s| s.1) {
        let mut raw = Raw::connect(&mut w);
        raw.send(&mut w, &message);
        assert!(!raw.is_connected(&w), "{message:?}");
    }
    // Nor nothing at all.
    let mut raw = Raw::connect(&mut w);
    w.run(Duration::from_secs(9));
    assert!(raw.is_connected(&w));
    w.run(SECOND);
    assert!(!raw.is_connected(&w));
    assert!(raw.receive(&mut w).is_empty());
    // Nor too many of them.
    let raws: Vec<Raw> = (0..70).map(|_| Raw::connect(&mut w)).collect();
    assert_eq!(raws.iter().filter(|r| r.is_connected(&w)).count(), 16);
    w.settle();
    let seen = w.take(1);
    assert_eq!(
        refused(&seen[seen.len() - 1..]),
        "too many connections without capabilities exchange from this address"
    );
}

#[test]
fn octets_that_are_not_diameter_end_the_connection() {
    let mut w = World::pair();
    let mut raw = Raw::join(&mut w, "raw.example");
    raw.octets(&mut w, b"GET / HTTP/1.1\r\n\r\n".to_vec());
    assert!(!raw.is_connected(&w));
    assert_eq!(closed(&w.take(1)), "not Diameter");
    // A CER in the middle of things is refused but hurts nobody.
    let mut raw = Raw::join(&mut w, "raw.example");
    let answers = raw.send(&mut w, &capabilities("raw.example").to_request());
    assert_eq!(code(&answers), 5012);
    assert!(raw.is_connected(&w));
}

#[test]
fn a_second_connection_of_an_open_peer() {
    let mut w = World::pair();
    let mut first = Raw::join(&mut w, "raw.example");
    let mut second = Raw::connect(&mut w);
    let answers = second.send(&mut w, &capabilities("RAW.example").to_request());
    assert_eq!(code(&answers), 4003);
    assert!(first.is_connected(&w) && !second.is_connected(&w));
    // The first one is probed at once.
    let now = w.now;
    w.nodes[1].handle_timeout(now);
    let probe = first.receive(&mut w);
    assert_eq!(probe[0].command, CommandCode::DEVICE_WATCHDOG);

    // After a restart of the peer the new one counts.
    let mut third = Raw::connect(&mut w);
    let restarted = Capabilities {
        origin_state_id: Some(4),
        ..capabilities("raw.example")
    };
    assert_eq!(code(&third.send(&mut w, &restarted.to_request())), 2001);
    assert!(third.is_connected(&w) && !first.is_connected(&w));
    assert_eq!(closed(&w.take(1)), "the peer has restarted");
    assert_eq!(w.nodes[1].connection_of("raw.example"), Some(third.conn));
}

/// Goal: RFC 6733 §5.6.4: when both ends connect at once, one connection is left and both ends
/// agree which one.
#[test]
fn both_ends_connect_at_once() {
    let both = |host: &str, other: &str, to| EndpointConfig {
        connect: vec![ConnectTo {
            name: Some(other.into()),
            address: address(to),
        }],
        ..server(host)
    };
    for (a, b) in [("a.example", "b.example"), ("b.example", "a.example")] {
        let mut w = World::new(vec![both(a, b, 1), both(b, a, 0)]);
        w.start();
        w.run(Duration::from_mins(2));
        assert_eq!(w.nodes[0].connections.len(), 1);
        assert_eq!(w.nodes[1].connections.len(), 1);
        let (c0, c1) = (w.conn(0, b), w.conn(1, a));
        assert_eq!(w.links.get(&(0, c0)), Some(&(1, c1)));
        // The winner of the election accepted the connection.
        assert_eq!(c0.is_accepted(), a > b);
        assert_eq!((opened(&w.take(0)), opened(&w.take(1))), (1, 1));
    }
}

#[test]
fn the_peer_at_the_address_must_be_the_expected_one() {
    let mut mme = client(MME, 1);
    mme.connect[0].name = Some("other.example".into());
    let mut w = World::new(vec![mme, server(HSS)]);
    w.start();
    let seen = w.take(0);
    assert_eq!(refused(&seen), "another peer answers at its address");
    assert!(w.nodes[0].is_idle());
    assert_eq!(opened(&seen), 0);
}

#[test]
fn a_refusal_by_the_peer_is_reported_and_tried_again() {
    let mut hss = server(HSS);
    hss.accept[0].realm = Some("elsewhere".into());
    let mut w = World::new(vec![client(MME, 1), hss]);
    w.start();
    assert_eq!(refused(&w.take(0)), "refused by the peer");
    assert_eq!(refused(&w.take(1)), "not a known peer");
    w.run(Duration::from_secs(30));
    assert_eq!(refused(&w.take(0)), "refused by the peer");
    let answer = w.wire(1).pop().unwrap();
    let answer = CapabilitiesAnswer::from_message(&answer).unwrap();
    assert_eq!(answer.result, ResultCode::UNKNOWN_PEER.into());
}

#[test]
fn a_broken_answer_counts_as_none() {
    let mut w = World::pair();
    w.take(0);
    w.take(1);
    w.ask(air().to_message(), 6);
    let sent = w.wire(0).pop().unwrap();
    let mut answer = aia().to_message();
    answer.hop_by_hop = sent.hop_by_hop;
    answer.end_to_end = sent.end_to_end;
    let mut octets = answer.encode();
    octets[27] = 3;
    let conn = w.conn(0, HSS);
    w.nodes[0].handle_stream(w.now, In::Data { conn, octets });
    w.settle();
    assert!(matches!(
        w.take(0)[..],
        [EndpointOutput::Unanswered { tag: 6, .. }]
    ));
    // An answer to another command is not ours either.
    w.ask(air().to_message(), 7);
    answer.hop_by_hop = w.wire(0).pop().unwrap().hop_by_hop;
    answer.command = CommandCode::PURGE_UE;
    let octets = answer.encode();
    w.nodes[0].handle_stream(w.now, In::Data { conn, octets });
    w.settle();
    assert_eq!(w.take(0), []);
    assert_eq!(w.nodes[0].counters().stray_answers, 1);
}

#[test]
fn events_of_unknown_connections_are_ignored() {
    let mut w = World::pair();
    let conn = ConnId::accepted(77);
    for input in [
        In::Connected { conn },
        In::Closed { conn },
        In::Data {
            conn,
            octets: vec![1, 2, 3],
        },
    ] {
        w.nodes[1].handle_stream(w.now, input);
        assert!(w.nodes[1].poll_output().is_none());
    }
}

/// Goal: no octets from a peer make a node panic or grow. Method: mutated messages before and after
/// the capabilities exchange, cut at random places, with timers in between.
#[test]
fn hostile_octets_never_hurt() {
    let corpus = crate::samples::corpus();
    let mut rng = Rng::from_seed(3868);
    let mut w = World::new(vec![config(MME), server(HSS)]);
    for round in 0..3000_u32 {
        let host: String = alloc::format!("raw{}.example", round % 7);
        let mut raw = Raw::connect(&mut w);
        if !rng.chance(0.2) {
            raw.send(&mut w, &capabilities(&host).to_request());
        }
        for _ in 0..rng.below(5) {
            let mut pick = |n: usize| usize::try_from(rng.below(n as u64)).unwrap();
            let mut octets = corpus[pick(corpus.len())].clone();
            for _ in 0..pick(3) {
                let at = 4 + pick(octets.len() - 4);
                octets[at] ^= 1 << pick(8);
            }
            let cut = pick(octets.len());
            let conn = raw.conn;
            for octets in [octets[..cut].to_vec(), octets[cut..].to_vec()] {
                w.nodes[1].handle_stream(w.now, In::Data { conn, octets });
                w.settle();
            }
        }
        if rng.chance(0.5) {
            let conn = raw.conn;
            w.nodes[1].handle_stream(w.now, In::Closed { conn });
        }
        w.settle();
        w.take(1);
        w.run(SECOND);
        assert!(w.nodes[1].connections.len() <= 64 + 7);
        assert!(w.nodes[1].hosts.len() <= 7 + corpus.len());
    }
    w.run(Duration::from_mins(5));
    assert!(w.nodes[1].is_idle());
    assert!(w.nodes[1].hosts.is_empty());
}

#[test]
fn only_commands_with_a_codec_are_taken() {
    for command in s6a::COMMANDS.iter().chain(&crate::s13::COMMANDS) {
        assert!(command.name().is_some());
    }
    assert!(!s6a::COMMANDS.contains(&CommandCode::ME_IDENTITY_CHECK));
    assert!(!s6a::COMMANDS.contains(&CommandCode(325)));
}
