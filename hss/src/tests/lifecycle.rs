//! Verbs beyond the single cut: isolation, expiry, history, bulk, and the merge with gateways.

use core::time::Duration;

use heiiki_types::Method;
use serde_json::{Value, json};

use super::bench::{Bench, Gateways, MME1, config, imsi, row};
use super::fake::{Fake, Last};
use crate::Input;
use crate::event::Event;

/// Two gateways that keep their orders.
fn with_fakes() -> Bench {
    let mut bench = Bench::unstarted(config());
    for name in ["pgw1", "pgw2"] {
        bench.fakes.insert(name.into(), Fake::default());
    }
    bench
        .hss
        .import(bench.now, vec![row(1), row(2), row(3)])
        .unwrap();
    bench.hss.start(bench.now);
    bench.drain();
    bench
}

fn fake<'a>(bench: &'a mut Bench, name: &str) -> &'a mut Fake {
    bench.fakes.get_mut(name).unwrap()
}

fn bars(bench: &Bench, n: u32) -> Vec<bool> {
    bench.fakes.values().map(|f| f.bars(imsi(n))).collect()
}

fn isolates(bench: &Bench, n: u32) -> Vec<bool> {
    bench.fakes.values().map(|f| f.isolates(imsi(n))).collect()
}

fn post(bench: &mut Bench, target: &str, body: &Value) -> (u16, Value) {
    let body = serde_json::to_vec(body).unwrap();
    let call = bench.http(Method::Post, target, Some("operator"), &body);
    bench.reply(call).expect("an answer")
}

fn for_a_time(bench: &mut Bench, n: u32, verb: &str, seconds: u64) -> Value {
    let target = format!("/v1/subscribers/{}/{verb}", imsi(n));
    let body = json!({"reason": "in repair", "actor": "desk", "for_seconds": seconds});
    let (status, body) = post(bench, &target, &body);
    assert_eq!(status, 200, "{body}");
    body
}

fn detail(bench: &mut Bench, n: u32) -> Value {
    bench.get(&format!("/v1/subscribers/{}", imsi(n)))
}

fn history(bench: &mut Bench, n: u32) -> Vec<(String, String)> {
    let shown = bench.get(&format!("/v1/subscribers/{}/history", imsi(n)));
    let text = |e: &Value, name: &str| e[name].as_str().unwrap().to_owned();
    let entries = shown["history"].as_array().unwrap().iter();
    entries.map(|e| (text(e, "verb"), text(e, "who"))).collect()
}

const CHECK: Duration = Duration::from_secs(6);

#[test]
fn isolation_leaves_state_and_mme_alone_and_outlives_a_restart() {
    let mut bench = with_fakes();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    let cut = bench.order(1, "isolate");
    assert_eq!(cut["verdict"], "isolated");
    assert_eq!(
        (&cut["from"], &cut["to"]),
        (&json!("active"), &json!("active"))
    );
    assert!(cut["t5_uplink"].is_u64() && cut["mme"].as_array().unwrap().is_empty());
    assert!(bench.try_receive(conn).is_none(), "the MME hears nothing");
    assert_eq!(
        (isolates(&bench, 1), bars(&bench, 1)),
        (vec![true; 2], vec![false; 2])
    );
    assert_eq!(detail(&mut bench, 1)["isolation"]["actor"], "night shift");
    bench.crash();
    assert_eq!(detail(&mut bench, 1)["isolation"]["actor"], "night shift");
    // A bar and an isolation are lifted each by its own verb.
    bench.order(1, "suspend");
    bench.order(1, "resume");
    assert_eq!(
        (isolates(&bench, 1), bars(&bench, 1)),
        (vec![true; 2], vec![false; 2])
    );
    let cut = bench.order(1, "release");
    assert_eq!(cut["verdict"], "lifted");
    assert_eq!(isolates(&bench, 1), [false; 2]);
    assert_eq!(detail(&mut bench, 1)["isolation"], Value::Null);
    let verbs: Vec<_> = history(&mut bench, 1).into_iter().map(|e| e.0).collect();
    assert_eq!(verbs, ["release", "resume", "suspend", "isolate"]);
}

#[test]
fn delete_session_goes_to_gateways_and_changes_nothing() {
    let mut bench = with_fakes();
    bench.gateways = Gateways::Silent;
    let call = bench.verb(1, "delete-session");
    let (_, _, request) = bench.calls.front().unwrap();
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(request.target, "/v1/delete-session");
    // Said again after a loss, it ends nothing that began later.
    assert_eq!(body["not_after"], bench.now.wall.as_unix_micros());
    bench.gateways = Gateways::Prompt;
    bench.drain();
    let (_, cut) = bench.reply(call).unwrap();
    assert_eq!(
        (&cut["verdict"], &cut["to"]),
        (&json!("ended"), &json!("standby"))
    );
}

#[test]
fn roles_take_away_and_give_back() {
    let mut bench = with_fakes();
    let body = br#"{"reason":"r","actor":"a"}"#;
    for (verb, token, status) in [
        ("isolate", "cutter", 200),
        ("release", "cutter", 403),
        ("release", "operator", 200),
        ("delete-session", "cutter", 403),
        ("delete-session", "operator", 200),
        ("suspend", "cutter", 200),
        ("resume", "cutter", 403),
        ("isolate", "reader", 403),
    ] {
        let target = format!("/v1/subscribers/{}/{verb}", imsi(1));
        let call = bench.http(Method::Post, &target, Some(token), body);
        assert_eq!(bench.reply(call).unwrap().0, status, "{verb} {token}");
    }
    for (verb, status) in [("suspend", 202), ("resume", 403), ("terminate", 403)] {
        let body = json!({"verb": verb, "reason": "r", "actor": "a", "imsis": [imsi(2)]});
        let body = serde_json::to_vec(&body).unwrap();
        let call = bench.http(Method::Post, "/v1/bulk", Some("cutter"), &body);
        assert_eq!(bench.reply(call).unwrap().0, status, "{verb}");
    }
}

#[test]
fn an_order_for_a_time_ends_by_itself_and_over_a_restart() {
    let mut bench = with_fakes();
    let cut = for_a_time(&mut bench, 1, "suspend", 3_600);
    assert!(cut["expires"].is_string());
    for_a_time(&mut bench, 2, "isolate", 3_600);
    bench.order(3, "suspend");
    bench.advance(Duration::from_mins(59));
    assert_eq!(bench.state_of(1), "suspended");
    bench.crash();
    bench.advance(Duration::from_secs(59));
    assert_eq!(bench.state_of(1), "suspended");
    bench.advance(Duration::from_secs(2));
    assert_eq!(bench.state_of(1), "active");
    assert_eq!(
        (bars(&bench, 1), isolates(&bench, 2)),
        (vec![false; 2], vec![false; 2])
    );
    // Who ended it stands in the history; what has no end goes on.
    let (verb, who) = history(&mut bench, 1).remove(0);
    assert_eq!((verb.as_str(), who.as_str()), ("resume", "expiry"));
    assert_eq!(history(&mut bench, 2)[0].0, "release");
    bench.advance(Duration::from_hours(24 * 30));
    assert_eq!(bench.state_of(3), "suspended");
    // One that ended while nobody was there ends at the start.
    for_a_time(&mut bench, 1, "pause", 60);
    bench.now.wall = bench.now.wall + Duration::from_hours(1);
    bench.crash();
    bench.advance(Duration::from_secs(1));
    assert_eq!(bench.state_of(1), "active");
}

#[test]
fn a_later_order_takes_the_end_of_an_earlier_one_away() {
    let mut bench = with_fakes();
    for_a_time(&mut bench, 1, "suspend", 60);
    bench.order(1, "suspend");
    bench.advance(Duration::from_mins(5));
    assert_eq!(bench.state_of(1), "suspended");
    let target = format!("/v1/subscribers/{}/resume", imsi(1));
    let body = json!({"reason": "r", "actor": "a", "for_seconds": 5});
    assert_eq!(post(&mut bench, &target, &body).0, 400);
}

#[test]
fn a_gateway_that_lost_its_journal_is_barred_again() {
    let mut bench = with_fakes();
    let first = bench.order(1, "suspend");
    bench.order(2, "isolate");
    let lost = fake(&mut bench, "pgw1");
    *lost = Fake {
        starts: 1,
        ..Fake::default()
    };
    bench.advance(CHECK);
    assert_eq!(
        (bars(&bench, 1), isolates(&bench, 2)),
        (vec![true; 2], vec![true; 2])
    );
    // The stamps are those of the first time, and the page says that it was told again.
    let cut = bench.get(&format!("/v1/cuts/{}", first["cut"].as_str().unwrap()));
    assert_eq!(cut["t5_uplink"], first["t5_uplink"]);
    let retold = cut["gateways"].as_array().unwrap().iter();
    let retold: Vec<_> = retold.map(|g| g["retold"].as_u64().unwrap()).collect();
    assert_eq!(retold, [1, 0]);
    assert_eq!(cut["dark"], true);
}

#[test]
fn a_gateway_that_is_told_something_is_seen_to_have_restarted() {
    let mut bench = with_fakes();
    bench.order(1, "suspend");
    *fake(&mut bench, "pgw1") = Fake {
        starts: 7,
        ..Fake::default()
    };
    // Long before the next question, an answer names another instance.
    bench.order(2, "suspend");
    bench.advance(Duration::from_millis(1));
    assert_eq!(bars(&bench, 1), [true; 2]);
}

#[test]
fn an_emergency_cut_while_the_hss_was_down_stays_and_becomes_an_order_of_the_hss() {
    let mut bench = with_fakes();
    bench.order(2, "suspend");
    bench.order(2, "resume");
    fake(&mut bench, "pgw1").emergency_cut(imsi(1));
    fake(&mut bench, "pgw1").emergency_cut(imsi(2));
    bench.crash();
    bench.advance(Duration::from_secs(1));
    for n in [1, 2] {
        assert_eq!(bench.state_of(n), "suspended");
        assert_eq!(bars(&bench, n), [true; 2]);
        let (verb, who) = history(&mut bench, n).remove(0);
        assert_eq!(verb, "suspend");
        assert_eq!(who, "night shift (at gateway pgw1)");
    }
    // A resume lifts it everywhere.
    assert_eq!(bench.order(1, "resume")["verdict"], "lifted");
    assert_eq!(bars(&bench, 1), [false; 2]);
    bench.advance(CHECK);
    assert_eq!(bench.state_of(1), "active");
}

#[test]
fn an_emergency_cut_at_work_is_taken_up_soon() {
    let mut bench = with_fakes();
    fake(&mut bench, "pgw2").emergency_cut(imsi(3));
    bench.advance(CHECK);
    assert_eq!(
        (bench.state_of(3).as_str(), bars(&bench, 3)),
        ("suspended", vec![true; 2])
    );
}

#[test]
fn an_hss_from_a_backup_cuts_although_the_gateway_has_a_later_lift() {
    let mut bench = with_fakes();
    let backup = bench.disk.rows.clone();
    for _ in 0..5 {
        bench.crash();
    }
    bench.order(1, "suspend");
    let resumed = bench.order(1, "resume");
    let later = resumed["version"].as_u64().unwrap();
    bench.disk.rows = backup;
    bench.crash();
    assert_eq!(bench.state_of(1), "standby");
    let cut = bench.order(1, "suspend");
    assert_eq!(cut["verdict"], "clean", "{cut}");
    assert!(cut["version"].as_u64().unwrap() > later);
    assert_eq!(bars(&bench, 1), [true; 2]);
    // The version is durable: a resume after a restart is above it.
    bench.crash();
    assert_eq!(bench.order(1, "resume")["verdict"], "lifted");
    assert_eq!(bars(&bench, 1), [false; 2]);
}

#[test]
fn an_hss_from_a_backup_takes_up_bars_that_it_does_not_know() {
    let mut bench = with_fakes();
    let backup = bench.disk.rows.clone();
    bench.order(1, "suspend");
    bench.disk.rows = backup;
    bench.crash();
    bench.advance(Duration::from_secs(1));
    assert_eq!(bench.state_of(1), "suspended");
    assert_eq!(bars(&bench, 1), [true; 2]);
}

#[test]
fn a_resume_does_not_lift_what_the_hss_had_not_heard_of() {
    let mut bench = with_fakes();
    bench.order(1, "suspend");
    let version = 1 << 50;
    let stricter = Last {
        version,
        in_force: true,
        local: true,
    };
    fake(&mut bench, "pgw1").bars.insert(imsi(1), stricter);
    bench.order(1, "resume");
    bench.advance(Duration::from_secs(1));
    assert_eq!(bench.state_of(1), "suspended");
    assert_eq!(bars(&bench, 1), [true; 2]);
    // Whoever resumes now knows of it.
    bench.order(1, "resume");
    assert_eq!(
        (bench.state_of(1).as_str(), bars(&bench, 1)),
        ("active", vec![false; 2])
    );
}

#[test]
fn a_gateway_from_a_backup_is_lifted_again_what_was_lifted() {
    let mut bench = with_fakes();
    bench.order(1, "suspend");
    let old = fake(&mut bench, "pgw1").clone();
    bench.order(1, "resume");
    *fake(&mut bench, "pgw1") = Fake { starts: 3, ..old };
    bench.advance(CHECK);
    assert_eq!(
        (bench.state_of(1).as_str(), bars(&bench, 1)),
        ("active", vec![false; 2])
    );
}

#[test]
fn merging_goes_page_by_page() {
    let rows: Vec<_> = (1..=20).map(row).collect();
    let mut bench = Bench::unstarted(config());
    for name in ["pgw1", "pgw2"] {
        let fake = Fake {
            page: 3,
            ..Fake::default()
        };
        bench.fakes.insert(name.into(), fake);
    }
    bench.hss.import(bench.now, rows).unwrap();
    bench.hss.start(bench.now);
    bench.drain();
    for n in (1..=20).filter(|n| n % 2 == 0) {
        bench.order(n, "suspend");
    }
    // One gateway loses some and has others of its own.
    let lossy = fake(&mut bench, "pgw2");
    lossy.starts = 1;
    for n in [2, 8, 10, 20] {
        lossy.bars.remove(&imsi(n));
    }
    for n in [1, 7, 19] {
        lossy.emergency_cut(imsi(n));
    }
    bench.advance(CHECK);
    for n in 1..=20 {
        let expected = n % 2 == 0 || [1, 7, 19].contains(&n);
        assert_eq!(bars(&bench, n), [expected; 2], "{n}");
    }
    assert!(
        bench
            .events
            .iter()
            .any(|e| matches!(e, Event::GatewayMerged { .. }))
    );
}

#[test]
fn a_bulk_cut_puts_all_bars_first_and_is_paced() {
    const SIMS: u32 = 2_000;
    let mut config = config();
    config.limits.gateway_calls = 64;
    config.limits.cancellations = 32;
    let rows: Vec<_> = (1..=SIMS).map(row).collect();
    let mut bench = Bench::with(config, rows);
    let conn = bench.connect(MME1);
    for n in 1..=SIMS {
        bench.attach(conn, n);
    }
    bench.gateways = Gateways::Silent;
    bench.trace.clear();
    let imsis: Vec<_> = (1..=SIMS).chain([9_999_999]).map(imsi).collect();
    let body =
        json!({"verb": "suspend", "reason": "stolen pallet", "actor": "depot", "imsis": imsis});
    let (status, shown) = post(&mut bench, "/v1/bulk", &body);
    assert_eq!((status, &shown["counts"]["total"]), (202, &json!(SIMS + 1)));
    let target = format!("/v1/bulk/{}", shown["bulk"].as_str().unwrap());
    let mut most = 0;
    while bench.trace.iter().filter(|t| **t == "gateway").count()
        < 2 * usize::try_from(SIMS).unwrap()
    {
        bench.advance(Duration::from_micros(10));
        assert!(
            !bench.trace.contains(&"clr"),
            "a CLR before all bars are put"
        );
        most = most.max(bench.calls.len());
        bench.answer_gateways();
        bench.drain();
    }
    // A step of 64 SIMs may begin while one place is free.
    assert!(most <= 64 + 2 * 64, "{most} calls at a time");
    bench.advance(Duration::from_micros(10));
    let mut told = 0;
    while let Some(message) = bench.try_receive(conn) {
        if message.command == heiiki_diameter::CommandCode::CANCEL_LOCATION {
            told += 1;
        }
    }
    assert_eq!(told, 32, "CLRs at a time");
    let shown = bench.get(&target);
    assert_eq!(
        (&shown["given"], &shown["finished"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(shown["counts"]["dark"], SIMS);
    assert_eq!(shown["counts"]["refused"], 1);
}

#[test]
fn a_bulk_order_goes_on_after_a_restart() {
    let rows: Vec<_> = (1..=300).map(row).collect();
    let mut config = config();
    config.limits.gateway_calls = 16;
    let mut bench = Bench::unstarted(config);
    for name in ["pgw1", "pgw2"] {
        bench.fakes.insert(name.into(), Fake::default());
    }
    bench.hss.import(bench.now, rows).unwrap();
    bench.hss.start(bench.now);
    bench.drain();
    bench.gateways = Gateways::Silent;
    let body = json!({"verb": "pause", "reason": "r", "actor": "a", "tenant": "acme"});
    let (_, shown) = post(&mut bench, "/v1/bulk", &body);
    let target = format!("/v1/bulk/{}?limit=1000", shown["bulk"].as_str().unwrap());
    let pending = bench.get(&target)["counts"]["pending"].as_u64().unwrap();
    assert!(pending > 0 && pending < 300, "{pending}");
    bench.gateways = Gateways::Prompt;
    bench.crash();
    bench.advance(Duration::from_secs(10));
    let shown = bench.get(&target);
    assert_eq!(
        (&shown["finished"], &shown["counts"]["done"]),
        (&json!(true), &json!(300))
    );
    assert!((1..=300).all(|n| bars(&bench, n) == [true; 2]));
    let first = &shown["sims"][0];
    assert_eq!(
        (&first["imsi"], &first["result"]),
        (&json!(imsi(1)), &json!("clean"))
    );
    // And back, by the same way.
    let body = json!({"verb": "resume", "reason": "r", "actor": "a", "tenant": "acme"});
    let (_, shown) = post(&mut bench, "/v1/bulk", &body);
    bench.advance(Duration::from_secs(10));
    let target = format!("/v1/bulk/{}", shown["bulk"].as_str().unwrap());
    assert_eq!(bench.get(&target)["counts"]["done"], 300);
    assert!((1..=300).all(|n| bars(&bench, n) == [false; 2]));
}

#[test]
fn a_bulk_order_names_its_sims() {
    let mut bench = with_fakes();
    for body in [
        json!({"verb": "suspend", "reason": "r", "actor": "a"}),
        json!({"verb": "suspend", "reason": "r", "actor": "a", "imsis": []}),
        json!({"verb": "suspend", "reason": "r", "actor": "a", "imsis": [imsi(1)], "tenant": "acme"}),
        json!({"verb": "suspend", "reason": "", "actor": "a", "imsis": [imsi(1)]}),
        json!({"verb": "resume", "reason": "r", "actor": "a", "imsis": [imsi(1)], "for_seconds": 9}),
        json!({"verb": "suspend", "reason": "r", "actor": "a", "tenant": "nobody"}),
    ] {
        assert_eq!(post(&mut bench, "/v1/bulk", &body).0, 400, "{body}");
    }
}

#[test]
fn open_orders_are_listed() {
    let mut bench = with_fakes();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    bench.order(2, "suspend");
    let open = bench.order(1, "suspend");
    let listed = bench.get("/v1/cuts?open=true");
    let cuts = listed["cuts"].as_array().unwrap().iter();
    let cuts: Vec<_> = cuts.map(|c| &c["cut"]).collect();
    assert_eq!(cuts, [&open["cut"]]);
    let (_, message) = bench.expect_clr(conn);
    bench.answer_clr(conn, &message, heiiki_diameter::AnswerResult::SUCCESS);
    let listed = bench.get("/v1/cuts?open=true");
    assert!(listed["cuts"].as_array().unwrap().is_empty());
}

#[test]
fn every_message_of_an_order_may_be_lost() {
    // A gateway whose every second call is lost on the way there, and every third on the way back.
    let mut bench = with_fakes();
    bench.gateways = Gateways::Silent;
    let orders = ["suspend", "resume", "isolate", "release", "suspend"];
    let mut n = 0;
    for verb in orders {
        bench.verb(1, verb);
        bench.sync();
        for _ in 0..40 {
            while let Some((call, name, request)) = bench.calls.pop_front() {
                n += 1;
                let at = bench.now.at.as_micros();
                let answer = (n % 2 == 0).then(|| fake(&mut bench, &name).answer(at, &request));
                let result = answer.filter(|_| n % 3 != 0).ok_or(());
                bench.input(Input::GatewayReply { call, result });
            }
            bench.advance(Duration::from_secs(1));
        }
    }
    assert_eq!(
        (bars(&bench, 1), isolates(&bench, 1)),
        (vec![true; 2], vec![false; 2])
    );
    assert_eq!(bench.state_of(1), "suspended");
}
