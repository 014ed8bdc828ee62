use heiiki_diameter::s6a::AuthenticationInformationRequest;
use heiiki_diameter::{AnswerResult, Certificate, Message, ResultCode};
use heiiki_types::ConnId;

use super::bench::{Bench, DRA, MME1};
use crate::event::Event;

fn result(bench: &mut Bench, conn: ConnId, request: &AuthenticationInformationRequest) -> Message {
    bench.send(conn, request.to_message());
    bench.receive(conn)
}

fn rejected() -> AnswerResult {
    ResultCode::AUTHORIZATION_REJECTED.into()
}

#[test]
fn a_stranger_is_not_let_in() {
    let mut bench = Bench::new();
    for (n, (host, realm, address)) in [
        ("hss9.example", "example", "10.0.0.9:1"),
        (MME1, "elsewhere", "10.0.0.9:1"),
        (MME1, "example", "192.0.2.1:1"),
        ("mme1.example.net", "example", "10.0.0.9:1"),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = bench.try_connect(host, realm, address).1;
        assert!(answer.is_none_or(|a| a.result() != Some(AnswerResult::SUCCESS)));
        let count = bench
            .events
            .iter()
            .filter(|e| matches!(e, Event::PeerRefused { .. }))
            .count();
        assert_eq!(count, n + 1);
    }
}

#[test]
fn an_origin_must_be_the_peer_or_on_its_carry_list() {
    let mut bench = Bench::new();
    let direct = bench.connect(MME1);
    let mut request = bench.air(direct, 1);
    request.origin_host = "mme2.example".into();
    assert_eq!(
        result(&mut bench, direct, &request).result(),
        Some(rejected())
    );
    let mut request = bench.air(direct, 1);
    request.origin_realm = "elsewhere".into();
    assert_eq!(
        result(&mut bench, direct, &request).result(),
        Some(rejected())
    );
    let agent = bench.connect(DRA);
    let mut request = bench.air(agent, 1);
    request.origin_host = "mme1.visited.example".into();
    request.origin_realm = "visited.example".into();
    // Networks are those of the origin's entry, not of the agent's or of anybody else's.
    assert_eq!(
        result(&mut bench, agent, &request).result(),
        Some(rejected())
    );
    request.visited_plmn = "00102".parse().unwrap();
    let answer = result(&mut bench, agent, &request);
    assert_eq!(answer.result(), Some(AnswerResult::SUCCESS));
    request.route_record = vec!["dra7.example".into()];
    assert_eq!(
        result(&mut bench, agent, &request).result(),
        Some(rejected())
    );
    let told = bench
        .events
        .iter()
        .filter(|e| matches!(e, Event::RequestRefused { .. }));
    assert_eq!(told.count(), 3);
}

#[test]
fn before_the_epoch_is_durable_connections_are_closed() {
    let mut bench = Bench::unstarted(super::bench::config());
    bench.disk.slow = true;
    bench.hss.start(bench.now);
    let conn = ConnId::accepted(1);
    let peer = "10.0.0.7:1".parse().unwrap();
    bench.input(crate::Input::Stream(heiiki_types::StreamInput::Accepted {
        conn,
        peer,
    }));
    assert_eq!(bench.closed, [conn]);
    assert!(!bench.hss.is_serving());
    bench.sync();
    assert!(bench.hss.is_serving());
    bench.connect(MME1);
}

#[test]
fn beyond_its_rate_a_peer_is_told_that_we_are_too_busy() {
    let mut config = super::bench::config();
    config.peers[0].rate = Some(crate::RequestRate {
        per_second: 100,
        burst: 5,
    });
    let mut bench = Bench::with(config, vec![super::bench::row(1)]);
    let (busy, other) = (bench.connect(MME1), bench.connect("mme9.example"));
    let request = bench.air(busy, 1);
    let too_busy = Some(ResultCode::TOO_BUSY.into());
    for n in 0..50 {
        let answer = result(&mut bench, busy, &request);
        let wanted = if n < 5 {
            Some(AnswerResult::SUCCESS)
        } else {
            too_busy
        };
        assert_eq!((answer.result(), answer.flags.error), (wanted, n >= 5));
    }
    let of_other = bench.air(other, 1);
    let answer = result(&mut bench, other, &of_other);
    assert_eq!(answer.result(), Some(AnswerResult::SUCCESS));
    bench.advance(core::time::Duration::from_secs(2));
    let answer = result(&mut bench, busy, &request);
    assert_eq!(
        answer.result(),
        Some(AnswerResult::SUCCESS),
        "there is room again"
    );
    let told: Vec<u64> = (bench.events.iter())
        .filter_map(|e| match e {
            Event::RequestsThrottled { requests, .. } => Some(*requests),
            _ => None,
        })
        .collect();
    assert_eq!(told, [1, 44], "the first at once, the rest together");
}

#[test]
fn over_tls_the_certificate_must_be_of_the_host() {
    let mut config = super::bench::config();
    config.peers[0].tls = true;
    let mut bench = Bench::with(config, vec![super::bench::row(1)]);
    for (named, ok) in [
        (None, false),
        (Some("mme2.example"), false),
        (Some(MME1), true),
    ] {
        bench.next_certificate = named.map(|name| Certificate {
            names: vec![name.into()],
            sha256: [0; 32],
        });
        let (conn, answer) = bench.try_connect(MME1, "example", "10.0.0.9:1");
        let result = answer.and_then(|a| a.result());
        assert_eq!(result == Some(AnswerResult::SUCCESS), ok, "{named:?}");
        if ok {
            bench.one_sqn(conn, 1);
        }
    }
    let refused = |e: &&Event| {
        matches!(
            e,
            Event::PeerRefused {
                address: Some(_),
                ..
            }
        )
    };
    assert_eq!(bench.events.iter().filter(refused).count(), 2);
}
