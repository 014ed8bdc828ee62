use core::fmt::Write as _;
use core::time::Duration;

use heiiki_diameter::s6a::UpdateLocationAnswer;
use heiiki_types::{Rng, StorageInput, StreamInput};

use super::bench::{Bench, MME1, MME2, k, opc};
use crate::Input;

/// Whatever a peer sends, the HSS stands, and goes on serving others.
#[test]
fn mutated_requests_of_a_peer() {
    let mut rng = Rng::from_seed(11);
    let mut bench = Bench::new();
    bench.disk.slow = false;
    let honest = bench.connect(MME2);
    let mut conn = bench.connect(MME1);
    let air = bench.air(conn, 1).to_message();
    let ulr = bench.ulr(conn, 2).to_message();
    let samples = [air.encode(), ulr.encode()];
    for round in 0..4_000 {
        let mut octets = samples[round % 2].clone();
        for _ in 0..=rng.below(3) {
            let at = usize::try_from(rng.below(octets.len() as u64)).unwrap();
            match rng.below(3) {
                0 => octets[at] ^= 1 << rng.below(8),
                1 => octets[at] = rng.octets::<1>()[0],
                // Leave the header: its length is what frames the stream.
                _ => octets[at.max(20)] = 0xff,
            }
        }
        bench.input(Input::Stream(StreamInput::Data { conn, octets }));
        bench.inbox.remove(&conn);
        if bench.closed.last() == Some(&conn) {
            conn = bench.connect(MME1);
        }
    }
    assert_eq!(bench.one_sqn(honest, 3).seq(), 1);
    bench.advance(Duration::from_secs(1));
}

#[test]
fn truncated_requests_wait_for_the_rest_and_end_with_the_connection() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    let octets = bench.ulr(conn, 1).to_message().encode();
    for len in 0..octets.len() {
        let conn = bench.connect(MME2);
        bench.input(Input::Stream(StreamInput::Data {
            conn,
            octets: octets[..len].to_vec(),
        }));
        assert!(bench.try_receive(conn).is_none(), "{len}");
        bench.hang_up(conn);
    }
}

#[test]
fn an_answer_for_a_connection_that_is_gone_goes_nowhere() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.disk.slow = true;
    let request = bench.ulr(conn, 1);
    bench.send(conn, request.to_message());
    bench.hang_up(conn);
    bench.sync();
    assert!(bench.try_receive(conn).is_none());
    let conn = bench.connect(MME1);
    assert!(bench.try_receive(conn).is_none());
}

#[test]
fn waiting_requests_are_bounded() {
    let mut config = super::bench::config();
    config.limits.waiting = 10;
    let mut bench = Bench::with(config, (1..=30).map(super::bench::row).collect());
    let conn = bench.connect(MME1);
    bench.disk.slow = true;
    for n in 1..=30 {
        let request = bench.ulr(conn, n);
        bench.send(conn, request.to_message());
    }
    let mut busy = 0;
    while let Some(message) = bench.try_receive(conn) {
        assert_eq!(
            message.result().unwrap(),
            heiiki_diameter::ResultCode::TOO_BUSY.into()
        );
        busy += 1;
    }
    assert_eq!(busy, 20);
    bench.sync();
    for _ in 0..10 {
        let answer = UpdateLocationAnswer::from_message(&bench.receive(conn)).unwrap();
        assert!(answer.result.is_success());
    }
}

/// No event, reply, call or certificate holds a key of a SIM, whole or as hexadecimal digits.
#[test]
fn secrets_stay_inside() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    bench.one_sqn(conn, 1);
    bench.order(1, "suspend");
    let mut text = String::new();
    for event in &bench.events {
        text += &serde_json::to_string(event).unwrap();
        write!(text, "{event:?}").unwrap();
    }
    text += &bench.get("/v1/subscribers").to_string();
    text += &bench
        .get(&format!("/v1/subscribers/{}", super::bench::imsi(1)))
        .to_string();
    text += &bench.get("/v1/cuts").to_string();
    for reply in bench.replies.values() {
        text += core::str::from_utf8(&reply.body).unwrap();
    }
    for key in [k(1), opc()] {
        let hex = heiiki_types::to_hex(key.expose());
        assert!(!text.contains(&hex));
    }
    assert!(!text.contains("cut at pgw"), "nor a gateway's token");
    // Inputs and outputs carry keys, and do not print them.
    let rows = bench.disk.loaded();
    let printed = format!("{:?}", Input::Storage(StorageInput::Loaded(rows)));
    assert!(
        printed.starts_with("Loaded(") && printed.len() < 32,
        "{printed}"
    );
}
