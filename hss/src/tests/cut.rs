use core::time::Duration;

use heiiki_diameter::s6a::{self, CancellationType, UpdateLocationAnswer, clr_flags};
use heiiki_diameter::{AnswerResult, CommandCode, ResultCode};
use heiiki_types::{HttpResponse, Token};
use serde_json::{Value, json};

use super::bench::{BOOT, Bench, Gateways, MME1, MME2, config, imsi, row};
use crate::cut::{Stamp, Verdict};
use crate::event::Event;
use crate::{Gateway, Input};

fn ok(body: &Value) -> HttpResponse {
    HttpResponse {
        status: 200,
        body: serde_json::to_vec(body).unwrap(),
        headers: heiiki_types::Headers::default(),
    }
}

fn show(bench: &mut Bench, cut: &Value) -> Value {
    bench.get(&format!("/v1/cuts/{}", cut["cut"].as_str().unwrap()))
}

fn verdicts(bench: &Bench) -> Vec<Verdict> {
    bench
        .events
        .iter()
        .filter_map(|e| match e {
            Event::CutVerdict { verdict, .. } => Some(*verdict),
            _ => None,
        })
        .collect()
}

fn stamps(bench: &Bench) -> Vec<(Stamp, u64)> {
    bench
        .events
        .iter()
        .filter_map(|e| match e {
            Event::CutStamp { stamp, at, .. } => Some((*stamp, *at)),
            _ => None,
        })
        .collect()
}

#[test]
fn everybody_is_told_in_parallel_and_before_the_commit() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    bench.gateways = Gateways::Silent;
    bench.disk.slow = true;
    bench.trace.clear();
    let call = bench.verb(1, "suspend");
    assert_eq!(bench.trace, ["gateway", "gateway", "clr", "persist"]);
    assert_eq!(
        bench.disk.queue.len(),
        1,
        "the state and the order are one batch"
    );
    assert!(bench.reply(call).is_none());
    let (request, _) = bench.expect_clr(conn);
    assert_eq!(
        request.cancellation_type,
        CancellationType::SUBSCRIPTION_WITHDRAWAL
    );
    assert_eq!(
        request.clr_flags,
        Some(clr_flags::S6A),
        "Reattach-Required is clear"
    );
    // The state is in force before it is durable.
    assert_eq!(bench.update(conn, 1).result, s6a::USER_UNKNOWN);
}

#[test]
fn the_call_to_a_gateway() {
    let mut bench = Bench::new();
    bench.gateways = Gateways::Silent;
    bench.verb(1, "suspend");
    let calls: Vec<_> = bench.calls.iter().cloned().collect();
    let names: Vec<_> = calls.iter().map(|(_, name, _)| name.as_str()).collect();
    assert_eq!(names, ["pgw1", "pgw2"]);
    let t0 = bench.now.at.as_micros();
    for (_, name, request) in calls {
        assert_eq!(request.target, "/v1/bars");
        assert_eq!(request.bearer, Some(Token::new(format!("cut at {name}"))));
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let version = body["version"].as_u64().unwrap();
        assert_eq!(
            body,
            json!({"imsi": imsi(1).to_string(), "cut": version.to_string(), "version": version,
                "verb": "suspend", "reason": "lost on a train", "actor": "night shift", "cause": 9,
                "t0": t0, "boot": BOOT})
        );
    }
}

#[test]
fn a_cut_from_t0_to_clean() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    bench.events.clear();
    let t0 = bench.now.at.as_micros();
    let cut = bench.order(1, "suspend");
    assert_eq!(cut["verdict"], "dark");
    assert_eq!(
        (&cut["from"], &cut["to"]),
        (&json!("active"), &json!("suspended"))
    );
    assert_eq!(
        (&cut["who"], &cut["why"]),
        (&json!("night shift"), &json!("lost on a train"))
    );
    for (stamp, at) in [
        ("t0", json!(t0)),
        ("t1", json!(t0)),
        ("t2", json!(t0)),
        ("t3", Value::Null),
        ("t4", json!(t0 + 100)),
        ("t5_uplink", json!(t0 + 200)),
        ("t5_downlink", json!(t0 + 300)),
        ("t6", Value::Null),
        ("t7", Value::Null),
        ("t8", Value::Null),
    ] {
        assert_eq!(cut[stamp], at, "{stamp}");
    }
    assert_eq!(
        cut["time_to_cut_us"],
        json!({"uplink": 200, "downlink": 300, "upper_bound": false})
    );
    assert_eq!(cut["packets_after_t0"], 4, "over both gateways");
    let (_, message) = bench.expect_clr(conn);
    bench.advance(Duration::from_millis(3));
    bench.answer_clr(conn, &message, AnswerResult::SUCCESS);
    let cut = show(&mut bench, &cut);
    assert_eq!(
        (&cut["verdict"], &cut["clean"]),
        (&json!("clean"), &json!(true))
    );
    assert_eq!(cut["t3"], t0 + 3_000);
    assert_eq!(cut["mme"][0]["result"], "2001");
    bench.advance(Duration::from_millis(4));
    assert_eq!(bench.update(conn, 1).result, s6a::USER_UNKNOWN);
    assert_eq!(bench.update(conn, 1).result, s6a::USER_UNKNOWN);
    let cut = show(&mut bench, &cut);
    assert_eq!(cut["t8"], t0 + 7_000, "the first refusal counts");
    assert_eq!(
        verdicts(&bench),
        [Verdict::Open, Verdict::Dark, Verdict::Clean]
    );
    let first = |stamp| stamps(&bench).into_iter().find(|s| s.0 == stamp).unwrap().1;
    assert!(first(Stamp::T0) <= first(Stamp::T1));
    assert!(first(Stamp::T0) <= first(Stamp::T2) && first(Stamp::T2) <= first(Stamp::T3));
    assert!(first(Stamp::T4) <= first(Stamp::T5Uplink));
    // What S6a does not show is said, and can be reported.
    let lines = cut["not_observable"].to_string();
    assert!(lines.contains("t6:") && lines.contains("t7:"), "{lines}");
}

#[test]
fn dark_is_the_commit_and_every_gateway() {
    let mut bench = Bench::new();
    bench.gateways = Gateways::Silent;
    bench.disk.slow = true;
    let call = bench.verb(1, "suspend");
    let (first, _, request) = bench.calls.pop_front().unwrap();
    let result = Ok(bench.gateway_answer(&request));
    bench.input(Input::GatewayReply {
        call: first,
        result,
    });
    bench.sync();
    assert!(bench.reply(call).is_none(), "one gateway has not answered");
    assert_eq!(verdicts(&bench), [Verdict::Open]);
    bench.answer_gateways();
    let (status, cut) = bench.reply(call).unwrap();
    assert_eq!((status, &cut["dark"]), (200, &json!(true)));
    assert_eq!(cut["verdict"], "clean", "no MME served the SIM");
    assert!(
        cut["not_observable"]
            .to_string()
            .contains("no MME was serving")
    );
}

#[test]
fn a_gateway_that_fails_is_reported_and_told_again() {
    let mut bench = Bench::new();
    bench.gateways = Gateways::Silent;
    let call = bench.verb(1, "suspend");
    let (one, ..) = bench.calls.pop_front().unwrap();
    bench.input(Input::GatewayReply {
        call: one,
        result: Err(()),
    });
    assert!(bench.reply(call).is_none());
    // The other one never answers: the deadline of the call stands in for it.
    bench.calls.clear();
    bench.advance(Duration::from_secs(2));
    let (status, cut) = bench.reply(call).unwrap();
    assert_eq!((status, &cut["verdict"]), (200, &json!("open")));
    assert_eq!(cut["gateways"][0]["error"], "the gateway cannot be reached");
    assert_eq!(cut["gateways"][1]["error"], "no answer in time");
    assert_eq!(cut["time_to_cut_us"], Value::Null);
    // Wrong answers of all kinds are failures too.
    for (status, body) in [
        (403, "{}"),
        (500, "oops"),
        (200, "oops"),
        (200, r#"{"sessions": 1, "t4": 5}"#),
        (200, r#"{"sessions": -1}"#),
        (404, "{}"),
    ] {
        while bench.calls.is_empty() {
            bench.advance(Duration::from_millis(100));
        }
        while let Some((call, ..)) = bench.calls.pop_front() {
            let result = Ok(HttpResponse {
                status,
                body: body.into(),
                headers: heiiki_types::Headers::default(),
            });
            bench.input(Input::GatewayReply { call, result });
        }
        assert_eq!(show(&mut bench, &cut)["dark"], false, "{status} {body}");
    }
    bench.gateways = Gateways::Prompt;
    bench.advance(Duration::from_secs(40));
    let cut = show(&mut bench, &cut);
    assert_eq!(cut["dark"], true);
    assert_eq!(cut["gateways"][0]["error"], Value::Null);
    assert!(cut["gateways"][0]["attempts"].as_u64().unwrap() > 3);
    let failures = |e: &&Event| matches!(e, Event::GatewayFailed { .. });
    assert!(bench.events.iter().filter(failures).count() > 6);
}

#[test]
fn waits_between_tries_double_up_to_a_limit() {
    let mut bench = Bench::new();
    bench.gateways = Gateways::Silent;
    bench.verb(1, "suspend");
    let mut gaps = Vec::new();
    let mut last = bench.now.at;
    for _ in 0..12 {
        while let Some((call, ..)) = bench.calls.pop_front() {
            bench.input(Input::GatewayReply {
                call,
                result: Err(()),
            });
        }
        while bench.calls.is_empty() {
            bench.advance(Duration::from_millis(10));
        }
        gaps.push(bench.now.at.since(last).as_millis());
        last = bench.now.at;
    }
    assert_eq!(gaps[..4], [250, 500, 1_000, 2_000]);
    assert_eq!(gaps[11], 30_000);
}

#[test]
fn a_gateway_without_the_interface_makes_the_cut_not_observable() {
    let mut config = config();
    config.gateways.push(Gateway {
        name: "legacy".into(),
        apns: vec!["corp.acme".parse().unwrap()],
        token: None,
    });
    let mut rows = vec![row(1)];
    let mut other = rows[0].apns[0].clone();
    other.apn = "nowhere".parse().unwrap();
    rows[0].apns.push(other);
    let mut bench = Bench::with(config, rows);
    let cut = bench.order(1, "suspend");
    assert_eq!(cut["verdict"], "not_observable");
    assert_eq!(
        (&cut["dark"], &cut["clean"]),
        (&json!(false), &json!(false))
    );
    let lines = cut["not_observable"].to_string();
    assert!(
        lines.contains("cut not observable: gateway legacy"),
        "{lines}"
    );
    assert!(
        lines.contains("no gateway is listed for access point nowhere"),
        "{lines}"
    );
}

#[test]
fn stamps_of_another_clock_give_an_upper_bound_only() {
    let mut bench = Bench::new();
    bench.gateways = Gateways::Silent;
    let call = bench.verb(1, "suspend");
    let t0 = bench.now.at;
    bench.advance(Duration::from_millis(9));
    let now = bench.now.at.since(t0).as_micros();
    while let Some((id, gateway, _)) = bench.calls.pop_front() {
        let boot = if gateway == "pgw1" { BOOT } else { "another" };
        let at = t0.as_micros();
        let body = json!({"sessions": 1, "t4": at + 1, "t5_uplink": at + 2, "t5_downlink": at + 3,
            "boot": boot});
        bench.input(Input::GatewayReply {
            call: id,
            result: Ok(ok(&body)),
        });
    }
    let (_, cut) = bench.reply(call).unwrap();
    assert_eq!(cut["time_to_cut_us"]["upper_bound"], true);
    assert_eq!(
        cut["time_to_cut_us"]["uplink"],
        json!(u64::try_from(now).unwrap())
    );
}

#[test]
fn without_sessions_the_bar_is_the_boundary() {
    let mut bench = Bench::new();
    bench.gateways = Gateways::Silent;
    let call = bench.verb(1, "suspend");
    let at = bench.now.at.as_micros();
    while let Some((id, ..)) = bench.calls.pop_front() {
        let body = json!({"sessions": 0, "t4": at + 5, "boot": BOOT});
        bench.input(Input::GatewayReply {
            call: id,
            result: Ok(ok(&body)),
        });
    }
    let (_, cut) = bench.reply(call).unwrap();
    assert_eq!(
        (&cut["dark"], &cut["t5_uplink"]),
        (&json!(true), &json!(at + 5))
    );
}

/// The CLR follows the ULA on the same connection, and the ULA is already a refusal.
#[test]
fn a_location_update_that_waits_for_the_disk_crosses_the_cut() {
    let mut bench = Bench::new();
    let (one, two) = (bench.connect(MME1), bench.connect(MME2));
    bench.attach(one, 1);
    bench.disk.slow = true;
    let request = bench.ulr(two, 1);
    bench.send(two, request.to_message());
    assert!(bench.try_receive(two).is_none());
    bench.verb(1, "suspend");
    let answer = UpdateLocationAnswer::from_message(&bench.receive(two)).unwrap();
    assert_eq!(answer.result, s6a::USER_UNKNOWN);
    let (request, _) = bench.expect_clr(two);
    assert_eq!(
        request.cancellation_type,
        CancellationType::SUBSCRIPTION_WITHDRAWAL
    );
    // The MME where the SIM was before lets go of it too.
    let (request, message) = bench.expect_clr(one);
    assert_eq!(
        request.cancellation_type,
        CancellationType::SUBSCRIPTION_WITHDRAWAL
    );
    bench.answer_clr(one, &message, AnswerResult::SUCCESS);
    bench.sync();
    assert!(
        bench.try_receive(two).is_none(),
        "the update is not answered twice"
    );
    let cut = bench.get("/v1/cuts");
    let cut = show(&mut bench, &cut["cuts"][0]);
    assert_eq!(
        (&cut["dark"], &cut["clean"]),
        (&json!(true), &json!(false)),
        "MME 2 has not answered"
    );
}

#[test]
fn a_cut_right_after_the_answer_follows_it_on_the_connection() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    let request = bench.ulr(conn, 1);
    bench.send(conn, request.to_message());
    bench.verb(1, "suspend");
    let commands: Vec<_> = bench.inbox[&conn].iter().map(|m| m.command).collect();
    assert_eq!(
        commands,
        [CommandCode::UPDATE_LOCATION, CommandCode::CANCEL_LOCATION]
    );
}

#[test]
fn an_unanswered_cancellation_is_sent_again_and_the_cut_is_not_clean_until_it_is_answered() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    let cut = bench.order(1, "suspend");
    // Silence, then wrong answers, then a lost connection.
    let mut sent = 0;
    while sent < 3 {
        bench.advance(Duration::from_secs(1));
        while let Some(message) = bench.try_receive(conn) {
            sent += u32::from(message.command == CommandCode::CANCEL_LOCATION);
        }
    }
    bench.hang_up(conn);
    bench.advance(Duration::from_mins(5));
    assert_eq!(show(&mut bench, &cut)["clean"], false);
    let conn = bench.connect(MME1);
    let (_, message) = bench.expect_clr(conn);
    bench.answer_clr(conn, &message, ResultCode::TOO_BUSY.into());
    assert_eq!(show(&mut bench, &cut)["clean"], false);
    while bench.inbox[&conn].is_empty() {
        bench.advance(Duration::from_millis(100));
    }
    let (_, message) = bench.expect_clr(conn);
    bench.answer_clr(conn, &message, s6a::USER_UNKNOWN);
    let cut = show(&mut bench, &cut);
    assert_eq!(
        cut["clean"], true,
        "who does not know the SIM has let go of it"
    );
    assert_eq!(cut["mme"][0]["result"], "3GPP 5001");
    assert!(cut["t2"].as_u64() < cut["t3"].as_u64());
    bench.advance(Duration::from_mins(5));
    assert!(
        bench
            .try_receive(conn)
            .is_none_or(|m| m.command != CommandCode::CANCEL_LOCATION)
    );
}

#[test]
fn pause_and_terminate_cut_like_suspend() {
    for (verb, state, at_ulr) in [
        ("pause", "inactive", ResultCode::UNABLE_TO_COMPLY.into()),
        ("suspend", "suspended", s6a::USER_UNKNOWN),
        ("terminate", "terminated", s6a::USER_UNKNOWN),
    ] {
        let mut bench = Bench::new();
        let conn = bench.connect(MME1);
        bench.attach(conn, 1);
        bench.gateways = Gateways::Silent;
        bench.verb(1, verb);
        let (_, _, request) = bench.calls.front().unwrap();
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!((&body["cause"], &body["verb"]), (&json!(9), &json!(verb)));
        let (request, _) = bench.expect_clr(conn);
        assert_eq!(
            request.cancellation_type,
            CancellationType::SUBSCRIPTION_WITHDRAWAL
        );
        assert_eq!(bench.state_of(1), state);
        assert_eq!(bench.update(conn, 1).result, at_ulr);
    }
}

#[test]
fn a_resume_lifts_with_a_higher_version_and_only_after_its_commit() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    let cut = bench.order(1, "suspend");
    let (_, message) = bench.expect_clr(conn);
    bench.answer_clr(conn, &message, AnswerResult::SUCCESS);
    bench.gateways = Gateways::Silent;
    bench.disk.slow = true;
    let call = bench.verb(1, "resume");
    assert!(bench.calls.is_empty(), "nobody is told before the commit");
    assert_eq!(bench.update(conn, 1).result, s6a::USER_UNKNOWN);
    bench.sync();
    assert_eq!(bench.calls.len(), 2);
    let (_, _, request) = bench.calls.front().unwrap();
    assert_eq!(request.target, format!("/v1/bars/{}/lift", imsi(1)));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert!(body["version"].as_u64() > cut["version"].as_u64());
    bench.answer_gateways();
    let (status, lifted) = bench.reply(call).unwrap();
    assert_eq!((status, &lifted["verdict"]), (200, &json!("lifted")));
    bench.disk.slow = false;
    bench.sync();
    assert_eq!(bench.update(conn, 1).result, AnswerResult::SUCCESS);
    assert_eq!(bench.state_of(1), "active");
}

#[test]
fn a_gateway_without_the_bar_has_nothing_to_lift() {
    let mut bench = Bench::new();
    bench.gateways = Gateways::Silent;
    // The store does not know of a cut, but a gateway may.
    let call = bench.verb(1, "resume");
    while let Some((id, ..)) = bench.calls.pop_front() {
        let result = Ok(HttpResponse {
            status: 404,
            body: Vec::new(),
            headers: heiiki_types::Headers::default(),
        });
        bench.input(Input::GatewayReply { call: id, result });
    }
    let (status, lifted) = bench.reply(call).unwrap();
    assert_eq!((status, &lifted["verdict"]), (200, &json!("lifted")));
    assert_eq!(bench.state_of(1), "standby");
}

/// Versions of the calls that wait, each answered by a gateway with a later order of its own.
fn overrule(bench: &mut Bench, later: u64) -> Vec<u64> {
    let mut told = Vec::new();
    for (id, _, request) in core::mem::take(&mut bench.calls) {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let version = body["version"].as_u64().unwrap();
        told.push(version);
        let reply = if version > later {
            let now = bench.now.at.as_micros();
            ok(
                &json!({"version": told, "lifted": true, "boot": BOOT, "sessions": 0, "t4": now,
                "t5_uplink": now, "t5_downlink": now}),
            )
        } else {
            HttpResponse {
                status: 409,
                ..ok(&json!({"error": "later", "version": later, "actor": "desk"}))
            }
        };
        let result = Ok(reply);
        bench.input(Input::GatewayReply { call: id, result });
    }
    told
}

#[test]
fn a_resume_that_a_gateway_overrules_takes_its_order_up() {
    let mut bench = Bench::new();
    let cut = bench.order(1, "suspend");
    let later = cut["version"].as_u64().unwrap() + 5_000;
    bench.gateways = Gateways::Silent;
    let call = bench.verb(1, "resume");
    assert!(overrule(&mut bench, later).iter().all(|told| *told < later));
    let (status, resumed) = bench.reply(call).unwrap();
    assert_eq!((status, &resumed["verdict"]), (200, &json!("superseded")));
    let error = resumed["gateways"][0]["error"].as_str().unwrap();
    assert!(error.contains(&later.to_string()), "{error}");
    // What the gateway has counts now, everywhere and above its version.
    assert_eq!(bench.state_of(1), "suspended");
    assert!(overrule(&mut bench, later).iter().all(|told| *told > later));
    bench.verb(1, "resume");
    assert!(overrule(&mut bench, later).iter().all(|told| *told > later));
    assert_eq!(bench.state_of(1), "active");
}

#[test]
fn a_cut_that_a_gateway_overrules_is_given_above_it() {
    let mut bench = Bench::new();
    bench.gateways = Gateways::Silent;
    let call = bench.verb(1, "suspend");
    let later = 1 << 50;
    assert!(overrule(&mut bench, later).iter().all(|told| *told < later));
    assert!(bench.reply(call).is_none());
    assert!(overrule(&mut bench, later).iter().all(|told| *told > later));
    let (_, cut) = bench.reply(call).unwrap();
    assert_eq!(cut["verdict"], "clean");
    assert!(cut["version"].as_u64().unwrap() > later);
    // No gateway takes more than this: such an answer is a mistake, and uses up nothing.
    let call = bench.verb(2, "suspend");
    overrule(&mut bench, u64::MAX);
    let (_, cut) = bench.reply(call).unwrap();
    assert_eq!(cut["verdict"], "open");
    assert!(cut["version"].as_u64().unwrap() < later);
    bench.gateways = Gateways::Prompt;
    bench.advance(Duration::from_secs(1));
    assert_eq!(bench.order(2, "resume")["verdict"], "lifted");
}

#[test]
fn a_resume_stops_what_the_cut_had_left_to_say() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    bench.hang_up(conn);
    bench.gateways = Gateways::Silent;
    let call = bench.verb(1, "suspend");
    bench.gateways = Gateways::Prompt;
    bench.calls.clear();
    let lifted = bench.order(1, "resume");
    let (_, cut) = bench
        .reply(call)
        .expect("the cut is answered as superseded");
    assert_eq!(cut["verdict"], "superseded");
    assert_eq!(lifted["verdict"], "lifted");
    bench.advance(Duration::from_mins(1));
    assert_eq!(show(&mut bench, &cut)["gateways"][0]["attempts"], 1);
    let conn = bench.connect(MME1);
    assert!(
        bench.try_receive(conn).is_none(),
        "no cancellation for a SIM that is served"
    );
}

#[test]
fn a_cut_wins_over_a_resume_that_is_not_durable_yet() {
    let mut bench = Bench::new();
    bench.order(1, "suspend");
    bench.disk.slow = true;
    let resume = bench.verb(1, "resume");
    let cut = bench.verb(1, "suspend");
    bench.sync();
    assert_eq!(bench.reply(resume).unwrap().1["verdict"], "superseded");
    assert_eq!(bench.reply(cut).unwrap().1["verdict"], "clean");
    assert_eq!(bench.state_of(1), "suspended");
    bench.disk.slow = false;
    bench.crash();
    assert_eq!(bench.state_of(1), "suspended");
}

#[test]
fn a_cut_goes_on_until_the_resume_is_durable() {
    let mut bench = Bench::new();
    bench.gateways = Gateways::Silent;
    bench.verb(1, "suspend");
    bench.calls.clear();
    bench.disk.slow = true;
    let resume = bench.verb(1, "resume");
    bench.advance(Duration::from_secs(3));
    assert_eq!(
        bench.calls.len(),
        2,
        "the gateways are told of the bar again"
    );
    bench.fail_disk();
    let (status, reply) = bench.reply(resume).unwrap();
    assert_eq!(
        (status, &reply["error"]["code"]),
        (503, &json!("not_durable"))
    );
    assert_eq!(bench.state_of(1), "suspended");
}

#[test]
fn with_a_failed_disk_a_cut_is_in_force_and_says_so() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    bench.attach(conn, 2);
    bench.fail_disk();
    let call = bench.verb(1, "suspend");
    let (status, reply) = bench.reply(call).unwrap();
    assert_eq!(
        (status, &reply["error"]["code"]),
        (503, &json!("not_durable"))
    );
    assert_eq!(reply["certificate"]["dark"], false);
    assert_eq!(
        reply["certificate"]["gateways"][1]["sessions"], 1,
        "but the gateways cut"
    );
    bench.expect_clr(conn);
    assert_eq!(bench.update(conn, 1).result, s6a::USER_UNKNOWN);
    let call = bench.verb(1, "resume");
    assert_eq!(bench.reply(call).unwrap().0, 503);
}

#[test]
fn a_cut_can_be_given_again() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    let first = bench.order(1, "suspend");
    bench.expect_clr(conn);
    let second = bench.order(1, "suspend");
    assert!(second["version"].as_u64() > first["version"].as_u64());
    let (_, message) = bench.expect_clr(conn);
    bench.answer_clr(conn, &message, AnswerResult::SUCCESS);
    assert_eq!(show(&mut bench, &second)["clean"], true);
    assert_eq!(show(&mut bench, &first)["verdict"], "dark");
}

#[test]
fn others_report_what_they_saw() {
    let mut bench = Bench::new();
    let cut = bench.order(1, "suspend");
    let path = format!("/v1/cuts/{}/stamps", cut["cut"].as_str().unwrap());
    let mut post = |token, body: &str| {
        let call = bench.http(
            heiiki_types::Method::Post,
            &path,
            Some(token),
            body.as_bytes(),
        );
        bench.reply(call).unwrap()
    };
    assert_eq!(post("reader", r#"{"t6": 5}"#).0, 403);
    let (status, shown) = post("cutter", r#"{"t6": 5, "t7": 6}"#);
    assert_eq!(
        (status, &shown["t6"], &shown["t7"]),
        (200, &json!(5), &json!(6))
    );
    assert_eq!(post("admin", r#"{"t6": 9}"#).0, 409);
    assert_eq!(post("admin", r#"{"t1": 9}"#).0, 400);
}

#[test]
fn old_certificates_make_room() {
    let mut config = config();
    config.limits.cuts = 5;
    let mut bench = Bench::with(config, (1..=20).map(row).collect());
    for n in 1..=20 {
        bench.order(n, "suspend");
    }
    let shown = bench.get("/v1/cuts");
    assert_eq!(shown["cuts"].as_array().unwrap().len(), 5);
    assert_eq!(
        bench
            .disk
            .rows
            .keys()
            .filter(|(table, _)| *table == 5)
            .count(),
        5
    );
    assert_eq!(bench.state_of(1), "suspended");
}

#[test]
fn a_cut_wins_over_a_pending_resume_without_any_gateway_too() {
    let mut config = config();
    config.gateways.clear();
    let mut bench = Bench::with(config, vec![row(1)]);
    bench.order(1, "suspend");
    bench.disk.slow = true;
    let _resume = bench.verb(1, "resume");
    let _cut = bench.verb(1, "suspend");
    bench.sync();
    assert_eq!(bench.state_of(1), "suspended");
}
