use alloc::vec::Vec;
use core::net::SocketAddr;

use heiiki_types::{Datagram, Duration, Ebi, Instant, Rng, from_hex};

use super::super::*;
use crate::testing;

const SGW: &str = "127.0.0.3:2123";
const PGW: &str = "127.0.0.4:2123";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1000)
}

fn endpoint(first_sequence: u32) -> Endpoint {
    Endpoint::new(Config::default(), first_sequence)
}

fn delete_session() -> Message {
    Message::DeleteSessionRequest(DeleteSessionRequest {
        linked_ebi: Some(Ebi::FIRST),
        ..DeleteSessionRequest::default()
    })
}

fn accepted() -> Message {
    Message::DeleteSessionResponse(DeleteSessionResponse::new(Cause::REQUEST_ACCEPTED.into()))
}

fn drain(endpoint: &mut Endpoint) -> Vec<Output> {
    core::iter::from_fn(|| endpoint.poll_output()).collect()
}

/// The only output, which must be a datagram.
fn transmitted(endpoint: &mut Endpoint) -> Datagram {
    match drain(endpoint).as_slice() {
        [Output::Transmit(datagram)] => datagram.clone(),
        other => panic!("{other:?}"),
    }
}

/// The datagram as its receiver sees it.
fn received(sent: &Datagram) -> Datagram {
    Datagram {
        local: sent.remote,
        remote: sent.local,
        payload: sent.payload.clone(),
    }
}

fn from(remote: &str, payload: Vec<u8>) -> Datagram {
    Datagram {
        local: address(PGW),
        remote: address(remote),
        payload,
    }
}

fn request_handle(endpoint: &mut Endpoint) -> RequestHandle {
    match drain(endpoint).as_slice() {
        [Output::Request { handle, .. }] => *handle,
        other => panic!("{other:?}"),
    }
}

/// TS 29.274 §7.6: the response has the sequence number of the request and goes to its source, from
/// where it was sent to.
#[test]
fn a_request_is_answered_to_its_source() {
    let (mut sgw, mut pgw) = (endpoint(41), endpoint(0));
    let source = address("127.0.0.3:40123");
    let message = delete_session();
    sgw.send_request(at(0), source, address(PGW), Some(0x3000), &message, 7)
        .unwrap();
    let sent = transmitted(&mut sgw);
    pgw.handle_datagram(at(1), received(&sent));
    let outputs = drain(&mut pgw);
    let [
        Output::Request {
            handle,
            header,
            message: m,
        },
    ] = outputs.as_slice()
    else {
        panic!("{outputs:?}");
    };
    assert_eq!((header.teid, header.sequence), (Some(0x3000), 41));
    assert_eq!(*m, message);
    pgw.respond(at(2), *handle, Some(0x2000), &accepted());
    let answer = transmitted(&mut pgw);
    assert_eq!((answer.local, answer.remote), (address(PGW), source));
    sgw.handle_datagram(at(3), received(&answer));
    let outputs = drain(&mut sgw);
    let [
        Output::Response {
            tag: 7,
            remote,
            header,
            message,
        },
    ] = outputs.as_slice()
    else {
        panic!("{outputs:?}");
    };
    assert_eq!((*remote, header.sequence), (address(PGW), 41));
    assert_eq!(header.teid, Some(0x2000));
    assert_eq!(*message, Ok(accepted()));
    assert_eq!(sgw.outstanding(), 0);
    // Nothing fires later but the memory of the gateway.
    assert_eq!(sgw.poll_timeout(), None);
}

/// TS 29.274 §7.6: T3-RESPONSE and N3-REQUESTS; every transmission has the same octets.
#[test]
fn an_unanswered_request_is_sent_again_and_given_up() {
    let mut sgw = endpoint(0);
    let ends = (address(SGW), address(PGW));
    sgw.send_request(at(0), ends.0, ends.1, Some(1), &delete_session(), 9)
        .unwrap();
    let first = transmitted(&mut sgw);
    for n in 1..=3 {
        let due = at(3_000 * n);
        assert_eq!(sgw.poll_timeout(), Some(due));
        sgw.handle_timeout(at(3_000 * n - 1));
        assert_eq!(drain(&mut sgw), []);
        sgw.handle_timeout(due);
        assert_eq!(transmitted(&mut sgw), first);
    }
    sgw.handle_timeout(at(12_000));
    let remote = address(PGW);
    assert_eq!(drain(&mut sgw), [Output::TimedOut { tag: 9, remote }]);
    assert_eq!((sgw.outstanding(), sgw.poll_timeout()), (0, None));
    // What comes now has no request.
    let mut pgw = endpoint(0);
    pgw.handle_datagram(at(12_001), received(&first));
    let handle = request_handle(&mut pgw);
    pgw.respond(at(12_001), handle, Some(1), &accepted());
    let late = received(&transmitted(&mut pgw));
    sgw.handle_datagram(at(12_002), late);
    assert!(matches!(drain(&mut sgw)[..], [Output::Dropped { .. }]));
}

/// TS 29.274 §7.6: one request, one reply, however often both are sent.
#[test]
fn a_request_that_comes_twice_is_handed_up_once() {
    let (mut sgw, mut pgw) = (endpoint(0), endpoint(0));
    let ends = (address(SGW), address(PGW));
    sgw.send_request(at(0), ends.0, ends.1, Some(1), &delete_session(), 1)
        .unwrap();
    let sent = received(&transmitted(&mut sgw));
    pgw.handle_datagram(at(1), sent.clone());
    let handle = request_handle(&mut pgw);
    // Before there is an answer: silence.
    pgw.handle_datagram(at(2), sent.clone());
    assert!(matches!(drain(&mut pgw)[..], [Output::Dropped { .. }]));
    pgw.respond(at(3), handle, Some(1), &accepted());
    let answer = transmitted(&mut pgw);
    // After it: the same octets.
    for millis in [4, 3_000, 29_999] {
        pgw.handle_datagram(at(millis), sent.clone());
        assert_eq!(transmitted(&mut pgw), answer);
    }
    // From another port it is another request.
    let other = Datagram {
        remote: address("127.0.0.3:999"),
        ..sent.clone()
    };
    pgw.handle_datagram(at(30_000), other);
    assert_eq!(request_handle(&mut pgw).remote.port(), 999);
    // Once forgotten it is new.
    pgw.handle_datagram(at(30_001), sent);
    request_handle(&mut pgw);
    // The reply that comes twice finds nobody waiting the second time.
    sgw.handle_datagram(at(5), received(&answer));
    assert!(matches!(drain(&mut sgw)[..], [Output::Response { .. }]));
    sgw.handle_datagram(at(6), received(&answer));
    assert!(matches!(drain(&mut sgw)[..], [Output::Dropped { .. }]));
}

/// A peer that lost its sequence numbers must not get the answers of its former life.
#[test]
fn a_reused_sequence_number_with_other_octets_is_a_new_request() {
    let mut pgw = endpoint(0);
    for ebi in [5, 6] {
        let mut sgw = endpoint(0);
        let message = Message::DeleteSessionRequest(DeleteSessionRequest {
            linked_ebi: Some(Ebi::new(ebi).unwrap()),
            ..DeleteSessionRequest::default()
        });
        let ends = (address(SGW), address(PGW));
        sgw.send_request(at(0), ends.0, ends.1, Some(1), &message, 1)
            .unwrap();
        pgw.handle_datagram(at(1), received(&transmitted(&mut sgw)));
        let handle = request_handle(&mut pgw);
        pgw.respond(at(1), handle, Some(1), &accepted());
        transmitted(&mut pgw);
    }
    assert_eq!(pgw.remembered(), 1);
    pgw.handle_timeout(at(30_001));
    assert_eq!((pgw.remembered(), pgw.poll_timeout()), (0, None));
}

/// TS 29.274 §4.2: the response comes from where the request went.
#[test]
fn a_response_from_elsewhere_is_dropped() {
    let mut sgw = endpoint(5);
    let ends = (address(SGW), address(PGW));
    sgw.send_request(at(0), ends.0, ends.1, Some(1), &delete_session(), 1)
        .unwrap();
    transmitted(&mut sgw);
    let header = Header {
        message_type: MessageType::DELETE_SESSION_RESPONSE,
        teid: Some(1),
        sequence: 5,
        piggybacked: false,
    };
    let forged = |remote: &str, header, message: &Message| Datagram {
        local: address(SGW),
        remote: address(remote),
        payload: encode(header, message),
    };
    let modify =
        Message::ModifyBearerResponse(ModifyBearerResponse::new(Cause::REQUEST_ACCEPTED.into()));
    for datagram in [
        forged("127.0.0.9:2123", header, &accepted()),
        forged("127.0.0.4:9", header, &accepted()),
        forged(
            PGW,
            Header {
                sequence: 6,
                ..header
            },
            &accepted(),
        ),
        forged(PGW, header, &modify),
    ] {
        sgw.handle_datagram(at(1), datagram);
        assert!(matches!(drain(&mut sgw)[..], [Output::Dropped { .. }]));
    }
    assert_eq!(sgw.outstanding(), 1);
    sgw.handle_datagram(at(2), forged(PGW, header, &accepted()));
    assert!(matches!(
        drain(&mut sgw)[..],
        [Output::Response { tag: 1, .. }]
    ));
}

/// TS 29.274 §7.7: a bad response ends its request all the same.
#[test]
fn a_response_with_a_fault_is_reported() {
    let mut sgw = endpoint(5);
    let ends = (address(SGW), address(PGW));
    sgw.send_request(at(0), ends.0, ends.1, Some(1), &delete_session(), 1)
        .unwrap();
    transmitted(&mut sgw);
    let payload = from_hex("482500080000000100000500").unwrap();
    let datagram = Datagram {
        local: ends.0,
        remote: ends.1,
        payload,
    };
    sgw.handle_datagram(at(1), datagram);
    let outputs = drain(&mut sgw);
    let [
        Output::Response {
            message: Err(reject),
            ..
        },
    ] = outputs.as_slice()
    else {
        panic!("{outputs:?}");
    };
    assert_eq!(reject.cause, Cause::MANDATORY_IE_MISSING);
    assert_eq!(sgw.outstanding(), 0);
}

/// TS 29.274 §7.7.6: the node looks the peer's TEID up, the endpoint does the rest.
#[test]
fn a_request_with_a_fault_is_refused_through_the_node() {
    let mut pgw = endpoint(0);
    let octets = from_hex("4824000800000001000005 00".replace(' ', "").as_str()).unwrap();
    pgw.handle_datagram(at(0), from(SGW, octets.clone()));
    let outputs = drain(&mut pgw);
    let [
        Output::Rejected {
            handle,
            reject,
            header,
        },
    ] = outputs.as_slice()
    else {
        panic!("{outputs:?}");
    };
    assert_eq!(header.teid, Some(1));
    pgw.respond_reject(at(1), *handle, Some(0x77), reject);
    let answer = transmitted(&mut pgw);
    let expected = "4825001200000077000005000200060067004900 0000".replace(' ', "");
    assert_eq!(heiiki_types::to_hex(&answer.payload), expected);
    // The refusal is remembered like any answer.
    pgw.handle_datagram(at(2), from(SGW, octets));
    assert_eq!(transmitted(&mut pgw), answer);
}

#[test]
fn messages_that_nobody_here_answers_are_dropped() {
    let mut pgw = endpoint(0);
    for name in [
        "Modify Bearer Failure Indication",
        "Downlink Data Notification",
        "Release Access Bearers Request",
        "Create Session Response (S11, accepted)",
    ] {
        pgw.handle_datagram(at(0), from(SGW, testing::message("gtpv2", name)));
        assert!(
            matches!(drain(&mut pgw)[..], [Output::Dropped { .. }]),
            "{name}"
        );
    }
    assert_eq!(pgw.remembered(), 0);
}

/// TS 29.274 §7.6: the request that carries out a command has its sequence number, also when two
/// SGWs have chosen the same one.
#[test]
fn a_command_is_carried_out_with_its_own_sequence_number() {
    const OTHER_SGW: &str = "127.0.0.5:2123";
    let mut pgw = endpoint(0x10);
    let octets = testing::message("gtpv2", "Delete Bearer Command");
    let deletion = Message::DeleteBearerRequest(DeleteBearerRequest {
        ebis: vec![Ebi::new(6).unwrap()],
        ..DeleteBearerRequest::default()
    });
    let mut sent = Vec::new();
    for (tag, sgw) in [(1, SGW), (2, OTHER_SGW)] {
        pgw.handle_datagram(at(0), from(sgw, octets.clone()));
        let outputs = drain(&mut pgw);
        let [Output::Request { handle, .. }] = outputs.as_slice() else {
            panic!("{outputs:?}");
        };
        pgw.carry_out(at(0), *handle, Some(0x2000), &deletion, tag)
            .unwrap();
        let datagram = transmitted(&mut pgw);
        assert_eq!(datagram.remote, address(sgw));
        let decoded = decode(&datagram.payload).unwrap();
        assert_eq!(decoded.header.sequence, 0x80_0060);
        sent.push(datagram);
        // The command again is not a second one: the request is under way.
        pgw.handle_datagram(at(1), from(sgw, octets.clone()));
        let again = drain(&mut pgw);
        assert!(matches!(again[..], [Output::Dropped { .. }]), "{again:?}");
        let refused = pgw.carry_out(at(1), *handle, Some(0x2000), &deletion, tag);
        assert_eq!(refused, Err(TooMany));
    }
    // Sent again while nobody answers.
    pgw.handle_timeout(at(3_000));
    assert_eq!(drain(&mut pgw).len(), 2);
    // Each response ends its own request.
    let answer = testing::message("gtpv2", "Delete Bearer Response (dedicated)");
    let mut answer = answer;
    answer[8..11].copy_from_slice(&[0x80, 0, 0x60]);
    pgw.handle_datagram(at(3_001), from(OTHER_SGW, answer.clone()));
    let outputs = drain(&mut pgw);
    assert!(matches!(outputs[0], Output::Response { tag: 2, .. }));
    assert_eq!(pgw.outstanding(), 1);
    pgw.handle_datagram(at(3_002), from(SGW, answer));
    let outputs = drain(&mut pgw);
    assert!(matches!(outputs[0], Output::Response { tag: 1, .. }));
}

/// TS 29.274 §7.7.2.
#[test]
fn another_version_is_answered_if_it_is_later() {
    let mut pgw = endpoint(0);
    let later = from_hex("6001000400000100").unwrap();
    pgw.handle_datagram(at(0), from(SGW, later));
    let outputs = drain(&mut pgw);
    let [Output::Transmit(answer), Output::Dropped { .. }] = outputs.as_slice() else {
        panic!("{outputs:?}");
    };
    assert_eq!(
        answer.payload,
        testing::message("gtpv2", "Version Not Supported Indication")
    );
    let earlier = testing::message("gtpu", "Echo Request");
    pgw.handle_datagram(at(0), from(SGW, earlier));
    assert!(matches!(drain(&mut pgw)[..], [Output::Dropped { .. }]));
}

#[test]
fn a_version_indication_ends_the_request() {
    let mut sgw = endpoint(1);
    let ends = (address(SGW), address(PGW));
    sgw.send_request(at(0), ends.0, ends.1, Some(1), &delete_session(), 3)
        .unwrap();
    transmitted(&mut sgw);
    let payload = testing::message("gtpv2", "Version Not Supported Indication");
    let datagram = Datagram {
        local: ends.0,
        remote: ends.1,
        payload,
    };
    sgw.handle_datagram(at(1), datagram);
    assert!(matches!(
        drain(&mut sgw)[..],
        [Output::Response {
            tag: 3,
            message: Ok(Message::VersionNotSupported),
            ..
        }]
    ));
}

/// TS 29.274 §7.1.2.
#[test]
fn an_echo_request_is_answered_with_the_own_counter() {
    let mut pgw = endpoint(0);
    pgw.set_restart_counter(200);
    let octets = testing::message("gtpv2", "Echo Request");
    for _ in 0..2 {
        pgw.handle_datagram(at(0), from(SGW, octets.clone()));
        let outputs = drain(&mut pgw);
        let [
            Output::Echo {
                recovery: 7,
                is_request: true,
                ..
            },
            Output::Transmit(answer),
        ] = outputs.as_slice()
        else {
            panic!("{outputs:?}");
        };
        let decoded = decode(&answer.payload).unwrap();
        assert_eq!(decoded.header.sequence, 1);
        assert_eq!(decoded.message, Ok(Message::EchoResponse { recovery: 200 }));
    }
    assert_eq!(pgw.remembered(), 0);
}

/// TS 29.274 §7.1.2: the elements that are wrong are ignored, the peer is answered.
#[test]
fn an_echo_request_with_a_fault_is_answered_too() {
    let mut pgw = endpoint(0);
    pgw.set_restart_counter(3);
    for text in [
        "4001000400000100",
        "400100080000010003000000",
        "4001000900000100",
    ] {
        pgw.handle_datagram(at(0), from(SGW, from_hex(text).unwrap()));
        let answer = transmitted(&mut pgw);
        let message = decode(&answer.payload).unwrap().message;
        assert_eq!(message, Ok(Message::EchoResponse { recovery: 3 }), "{text}");
    }
}

#[test]
fn the_bounds_hold() {
    let config = Config {
        max_outstanding: 2,
        max_cached: 3,
        max_paths: 2,
        ..Config::default()
    };
    let mut sgw = Endpoint::new(config, 0x7f_ffff);
    let ends = (address(SGW), address(PGW));
    let mut send = |tag| {
        let sent = sgw.send_request(at(0), ends.0, ends.1, Some(1), &delete_session(), tag);
        sent.map(|()| {
            decode(&transmitted(&mut sgw).payload)
                .unwrap()
                .header
                .sequence
        })
    };
    // The top bit is for commands, so 23 bits wrap.
    assert_eq!(send(0), Ok(0x7f_ffff));
    assert_eq!(send(1), Ok(0));
    assert_eq!(send(2), Err(TooMany));

    let mut pgw = Endpoint::new(config, 0);
    for port in 1..=50 {
        let mut octets = testing::message("gtpv2", "Delete Session Request (S11)");
        octets[10] = port;
        let remote = format!("127.0.0.3:{port}");
        pgw.handle_datagram(at(u64::from(port)), from(&remote, octets));
        let echo = testing::message("gtpv2", "Echo Request");
        pgw.handle_datagram(
            at(u64::from(port)),
            from(&format!("127.0.1.{port}:1"), echo),
        );
        drain(&mut pgw);
        assert!(pgw.remembered() <= 3);
    }
    // A request that made room is still answered.
    let handle = RequestHandle {
        local: address(PGW),
        remote: address("127.0.0.3:1"),
        sequence: 1,
        message_type: MessageType::DELETE_SESSION_REQUEST,
    };
    pgw.respond(at(60), handle, None, &accepted());
    assert_eq!(transmitted(&mut pgw).remote, handle.remote);
}

/// TS 29.274 §7.1: a path that does not answer is down, and up when it does.
#[test]
fn a_supervised_path_goes_down_and_comes_up() {
    let (mut pgw, mut sgw) = (endpoint(0), endpoint(0));
    sgw.set_restart_counter(4);
    pgw.supervise(at(0), address(PGW), address(SGW));
    pgw.supervise(at(1), address(PGW), address(SGW));
    let remote = address(SGW);
    assert_eq!(pgw.is_up(remote), Some(true));
    assert_eq!(pgw.poll_timeout(), Some(at(60_000)));
    let mut sent = 0;
    let mut outputs = Vec::new();
    // Two rounds without an answer: four transmissions each, one report.
    while let Some(due) = pgw.poll_timeout().filter(|t| *t < at(180_000)) {
        pgw.handle_timeout(due);
        for output in drain(&mut pgw) {
            match output {
                Output::Transmit(_) => sent += 1,
                other => outputs.push((due, other)),
            }
        }
    }
    assert_eq!(sent, 8);
    assert_eq!(outputs, [(at(72_000), Output::PathDown { remote })]);
    assert_eq!(pgw.is_up(remote), Some(false));
    // The third round is answered.
    pgw.handle_timeout(at(180_000));
    let echo = transmitted(&mut pgw);
    sgw.handle_datagram(at(180_001), received(&echo));
    let Some(Output::Transmit(answer)) = drain(&mut sgw).pop() else {
        panic!("no answer");
    };
    pgw.handle_datagram(at(180_002), received(&answer));
    let expected = [
        Output::PathUp { remote },
        Output::Echo {
            remote,
            recovery: 4,
            is_request: false,
        },
    ];
    assert_eq!(drain(&mut pgw), expected);
    assert_eq!(pgw.outstanding(), 0);
    // Forgotten in the middle of a round: nothing is left of it.
    pgw.handle_timeout(at(240_000));
    transmitted(&mut pgw);
    pgw.forget(remote);
    assert_eq!((pgw.outstanding(), pgw.is_up(remote)), (0, None));
    assert_eq!(pgw.poll_timeout(), None);
}

fn echo_from(source: &str, counter: u8) -> Datagram {
    let mut octets = testing::message("gtpv2", "Echo Request");
    octets[12] = counter;
    from(source, octets)
}

fn restarts(endpoint: &mut Endpoint, source: &str, counter: u8) -> Option<(SocketAddr, u8, u8)> {
    endpoint.handle_datagram(at(0), echo_from(source, counter));
    drain(endpoint).into_iter().find_map(|o| match o {
        Output::PeerRestarted { remote, old, new } => Some((remote, old, new)),
        _ => None,
    })
}

/// TS 23.007: a higher counter is a restart, with roll-over; a lower one came late.
#[test]
fn a_restart_shows_in_the_counter() {
    let mut pgw = endpoint(0);
    let remote = address(SGW);
    assert_eq!(restarts(&mut pgw, SGW, 250), None);
    assert_eq!(restarts(&mut pgw, SGW, 250), None);
    assert_eq!(restarts(&mut pgw, SGW, 251), Some((remote, 250, 251)));
    assert_eq!(restarts(&mut pgw, SGW, 250), None, "late");
    assert_eq!(restarts(&mut pgw, SGW, 251), None);
    assert_eq!(restarts(&mut pgw, SGW, 2), Some((remote, 251, 2)));
    assert_eq!(restarts(&mut pgw, SGW, 251), None, "late");
}

/// Requests come from any port; two peers may share an address and are two all the same.
#[test]
fn a_counter_belongs_to_one_peer() {
    let mut pgw = endpoint(0);
    assert_eq!(restarts(&mut pgw, "127.0.0.3:40000", 1), None);
    // What was learned before goes to the path that is supervised now.
    pgw.supervise(at(0), address(PGW), address(SGW));
    assert_eq!(restarts(&mut pgw, SGW, 2), Some((address(SGW), 1, 2)));
    // Two peers on one address, as in a lab: each its own counter.
    let second = address("127.0.0.3:2124");
    assert_eq!(restarts(&mut pgw, "127.0.0.3:2124", 9), None);
    pgw.supervise(at(0), address(PGW), second);
    assert_eq!(restarts(&mut pgw, SGW, 2), None);
    assert_eq!(
        restarts(&mut pgw, "127.0.0.3:2124", 10),
        Some((second, 9, 10))
    );
    assert_eq!(restarts(&mut pgw, SGW, 3), Some((address(SGW), 2, 3)));
}

/// The sessions of the former life go before the request of the new one is looked at.
#[test]
fn a_restart_is_reported_before_the_message_that_told() {
    let mut pgw = endpoint(0);
    restarts(&mut pgw, SGW, 1);
    let sender = FTeid::new(
        Interface::S5S8_SGW_GTPC,
        heiiki_types::Teid::new(1).unwrap(),
        address(SGW).ip(),
    );
    let message = Message::ModifyBearerRequest(ModifyBearerRequest {
        sender_f_teid: Some(sender),
        recovery: Some(2),
        ..ModifyBearerRequest::default()
    });
    let mut sgw = endpoint(0);
    let ends = (address(SGW), address(PGW));
    sgw.send_request(at(1), ends.0, ends.1, Some(1), &message, 0)
        .unwrap();
    pgw.handle_datagram(at(1), received(&transmitted(&mut sgw)));
    let expected = Output::PeerRestarted {
        remote: address(SGW),
        old: 1,
        new: 2,
    };
    let outputs = drain(&mut pgw);
    assert_eq!(outputs[0], expected);
    assert!(matches!(outputs[1..], [Output::Request { .. }]));
}

#[test]
fn both_messages_of_a_datagram_are_taken() {
    let mut sgw = endpoint(0x10);
    let ends = (address(SGW), address(PGW));
    let ask = delete_session();
    sgw.send_request(at(0), ends.0, ends.1, Some(1), &ask, 1)
        .unwrap();
    transmitted(&mut sgw);
    let header = Header {
        message_type: MessageType::DELETE_SESSION_RESPONSE,
        teid: Some(1),
        sequence: 0x10,
        piggybacked: true,
    };
    let mut payload = encode(header, &accepted());
    let rider = "Delete Bearer Request (default bearer, reactivation requested)";
    payload.extend(testing::message("gtpv2", rider));
    let datagram = Datagram {
        local: ends.0,
        remote: ends.1,
        payload,
    };
    sgw.handle_datagram(at(1), datagram);
    assert!(matches!(
        drain(&mut sgw)[..],
        [Output::Response { .. }, Output::Request { .. }]
    ));
}

/// One second of a link: what is sent is lost, doubled or held back.
fn cross(rng: &mut Rng, now: u64, sent: &Datagram, link: &mut Vec<(u64, Datagram)>) {
    if rng.chance(0.3) {
        return;
    }
    let copies = 1 + u64::from(rng.chance(0.3));
    for _ in 0..copies {
        link.push((now + rng.below(2_000), received(sent)));
    }
}

/// Loss, duplication and reordering at once: every request that is answered is handled exactly
/// once, every tag comes back exactly once, and both ends run empty.
#[test]
fn every_request_is_handled_once_over_a_bad_link() {
    for seed in 0..20 {
        let mut rng = Rng::from_seed(seed);
        let (mut sgw, mut pgw) = (endpoint(0x7f_fff0), endpoint(0));
        let ends = (address(SGW), address(PGW));
        let mut link: Vec<(u64, Datagram)> = Vec::new();
        let (mut handled, mut answered, mut timed_out) = (Vec::new(), Vec::new(), Vec::new());
        for tag in 0..100 {
            let message = delete_session();
            sgw.send_request(at(0), ends.0, ends.1, Some(1), &message, tag)
                .unwrap();
        }
        for now in (0..60_000).step_by(10) {
            let (due, rest) = link.into_iter().partition(|(t, _)| *t <= now);
            link = rest;
            for (_, datagram) in due {
                let to = if datagram.local == ends.0 {
                    &mut sgw
                } else {
                    &mut pgw
                };
                to.handle_datagram(at(now), datagram);
            }
            sgw.handle_timeout(at(now));
            pgw.handle_timeout(at(now));
            let mut outputs = drain(&mut pgw);
            for output in &outputs {
                if let Output::Request { handle, .. } = output {
                    handled.push(handle.sequence);
                    pgw.respond(at(now), *handle, Some(1), &accepted());
                }
            }
            outputs.extend(drain(&mut pgw));
            outputs.extend(drain(&mut sgw));
            for output in outputs {
                match output {
                    Output::Transmit(sent) => cross(&mut rng, now, &sent, &mut link),
                    Output::Response { tag, .. } => answered.push(tag),
                    Output::TimedOut { tag, .. } => timed_out.push(tag),
                    _ => {}
                }
            }
        }
        let unique = |list: &[u32]| {
            list.iter()
                .collect::<alloc::collections::BTreeSet<_>>()
                .len()
        };
        assert_eq!(unique(&handled), handled.len(), "seed {seed}");
        let mut tags = [answered.clone(), timed_out].concat();
        tags.sort_unstable();
        assert_eq!(tags, (0..100).collect::<Vec<_>>(), "seed {seed}");
        assert!(answered.len() > 80, "seed {seed}: {}", answered.len());
        assert_eq!((sgw.outstanding(), pgw.remembered()), (0, 0));
    }
}

/// Whatever comes, the endpoint stays within its bounds and never sends more than one datagram for
/// one that it got.
#[test]
fn spoiled_datagrams_do_no_harm() {
    let config = Config {
        max_cached: 64,
        max_paths: 16,
        ..Config::default()
    };
    let mut pgw = Endpoint::new(config, 0);
    pgw.supervise(at(0), address(PGW), address(SGW));
    let corpus: Vec<_> = testing::messages("gtpv2")
        .into_iter()
        .map(|s| s.octets)
        .collect();
    let mut millis = 0;
    testing::mutate(0x0065_6e64, &corpus, |octets| {
        millis += 1;
        let remote = format!("127.0.{}.3:{}", millis % 40, 2_000 + millis % 7);
        pgw.handle_datagram(at(millis), from(&remote, octets.to_vec()));
        let mut sent = 0;
        for output in drain(&mut pgw) {
            match output {
                Output::Transmit(_) => sent += 1,
                Output::Request { handle, .. } => {
                    let reject = Reject::new(Cause::CONTEXT_NOT_FOUND, "no such session");
                    pgw.respond_reject(at(millis), handle, Some(0), &reject);
                }
                Output::Rejected { handle, reject, .. } => {
                    pgw.respond_reject(at(millis), handle, None, &reject);
                }
                _ => {}
            }
        }
        sent += drain(&mut pgw).len();
        // Two messages may share a datagram.
        assert!(sent <= 2);
        assert!(pgw.remembered() <= 64);
    });
    pgw.handle_timeout(at(millis) + Duration::from_secs(31));
    assert_eq!(pgw.remembered(), 0);
}
