use heiiki_types::Method;
use serde_json::{Value, json};

use super::bench::{Bench, MME1, imsi};
use crate::event::Event;

const ORDER: &[u8] = br#"{"reason":"r","actor":"a"}"#;

fn call(
    bench: &mut Bench,
    method: Method,
    target: &str,
    token: Option<&str>,
    body: &[u8],
) -> (u16, Value) {
    let id = bench.http(method, target, token, body);
    bench.reply(id).unwrap()
}

#[test]
fn without_a_token_nothing_is_answered() {
    let mut bench = Bench::new();
    let paths = [
        "/v1/subscribers",
        "/v1/cuts",
        "/v1/events",
        "/",
        "/v1/nothing",
    ];
    for token in [None, Some(""), Some("admin "), Some("Admin"), Some("cutte")] {
        for path in paths {
            let (status, body) = call(&mut bench, Method::Get, path, token, b"");
            assert_eq!(
                (status, &body["error"]["code"]),
                (401, &json!("unauthorized"))
            );
        }
    }
    let refused = |e: &&Event| matches!(e, Event::AdminRefused { status: 401, .. });
    assert_eq!(bench.events.iter().filter(refused).count(), 5 * paths.len());
}

#[test]
fn roles() {
    let target = |verb: &str| format!("/v1/subscribers/{}/{verb}", imsi(1));
    // Each verb, and the least role that may use it.
    for (verb, allowed) in [
        ("suspend", ["cutter", "admin"].as_slice()),
        ("pause", &["cutter", "admin"]),
        ("resume", &["admin"]),
        ("terminate", &["admin"]),
    ] {
        for token in ["reader", "cutter", "admin"] {
            let mut bench = Bench::new();
            let (status, body) = call(&mut bench, Method::Post, &target(verb), Some(token), ORDER);
            let want = if allowed.contains(&token) { 200 } else { 403 };
            assert_eq!(status, want, "{token} {verb}: {body}");
        }
    }
    let mut bench = Bench::new();
    let empty = br#"{"subscribers":[]}"#;
    for (token, want) in [("reader", 403), ("cutter", 403), ("admin", 200)] {
        let (status, _) = call(
            &mut bench,
            Method::Post,
            "/v1/subscribers",
            Some(token),
            empty,
        );
        assert_eq!(status, want, "{token}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
fn every_refusal_says_what_to_do() {
    let mut bench = Bench::new();
    let known = format!("/v1/subscribers/{}", imsi(1));
    let verb = |v: &str| format!("{known}/{v}");
    let long = format!(r#"{{"reason":"{}","actor":"a"}}"#, "x".repeat(300));
    let cases: [(Method, String, &[u8], u16, &str); 16] = [
        (Method::Get, "/v1/nothing".into(), b"", 404, "no_such_path"),
        (
            Method::Get,
            "/v1/subscribers/".into(),
            b"",
            400,
            "not_an_imsi",
        ),
        (
            Method::Get,
            "/v1/subscribers/12x".into(),
            b"",
            400,
            "not_an_imsi",
        ),
        (
            Method::Get,
            "/v1/subscribers/001019999999999".into(),
            b"",
            404,
            "no_such_subscriber",
        ),
        (Method::Get, "/v1/cuts/1".into(), b"", 404, "no_such_cut"),
        (Method::Get, "/v1/cuts/x".into(), b"", 404, "no_such_cut"),
        (Method::Delete, known.clone(), b"", 409, "not_terminated"),
        (Method::Get, verb("suspend"), b"", 405, "wrong_method"),
        (Method::Post, verb("explode"), ORDER, 404, "no_such_path"),
        (Method::Post, verb("suspend"), b"", 400, "bad_request"),
        (
            Method::Post,
            verb("suspend"),
            b"{\"reason\":\"r\"}",
            400,
            "bad_request",
        ),
        (
            Method::Post,
            verb("suspend"),
            b"{\"reason\":\" \",\"actor\":\"a\"}",
            400,
            "bad_request",
        ),
        (
            Method::Post,
            verb("suspend"),
            b"{\"reason\":\"r\",\"actor\":\"a\",\"x\":1}",
            400,
            "bad_request",
        ),
        (
            Method::Post,
            verb("suspend"),
            long.as_bytes(),
            400,
            "bad_request",
        ),
        (
            Method::Post,
            "/v1/subscribers/001019999999999/suspend".into(),
            ORDER,
            404,
            "no_such_subscriber",
        ),
        (
            Method::Get,
            "/v1/subscribers?limit=0".into(),
            b"",
            400,
            "bad_request",
        ),
    ];
    for (method, target, body, status, code) in cases {
        let got = call(&mut bench, method, &target, Some("admin"), body);
        assert_eq!(
            (got.0, &got.1["error"]["code"]),
            (status, &json!(code)),
            "{target}"
        );
        for member in ["what", "what_to_do"] {
            let text = got.1["error"][member].as_str().unwrap();
            assert!(text.len() > 8, "{target} {member}");
        }
    }
    let limit = bench.hss.config.limits.body;
    let huge = vec![b' '; limit + 1];
    let (status, _) = call(
        &mut bench,
        Method::Post,
        &verb("suspend"),
        Some("admin"),
        &huge,
    );
    assert_eq!(status, 413);
    assert_eq!(bench.state_of(1), "standby", "none of it did anything");
}

#[test]
fn verbs_that_the_state_does_not_take() {
    let mut bench = Bench::new();
    bench.order(1, "suspend");
    let id = bench.verb(1, "pause");
    let (status, body) = bench.reply(id).unwrap();
    assert_eq!(
        (status, &body["error"]["code"]),
        (409, &json!("wrong_state"))
    );
    assert_eq!(body["error"]["what_to_do"], "resume the SIM first");
    bench.order(1, "terminate");
    for verb in ["resume", "suspend", "pause"] {
        let id = bench.verb(1, verb);
        assert_eq!(bench.reply(id).unwrap().0, 409, "{verb}");
    }
    assert_eq!(bench.state_of(1), "terminated");
}

#[test]
fn lists_come_in_pages() {
    let mut bench = Bench::new();
    let page = bench.get("/v1/subscribers?limit=2");
    assert_eq!(page["total"], 3);
    assert_eq!(page["subscribers"][0]["imsi"], imsi(1).to_string());
    assert_eq!(page["next"], imsi(2).to_string());
    let page = bench.get(&format!("/v1/subscribers?limit=2&after={}", imsi(2)));
    assert_eq!(page["subscribers"].as_array().unwrap().len(), 1);
    assert_eq!(page["next"], Value::Null);
    for n in 1..=3 {
        bench.order(n, "suspend");
    }
    let page = bench.get("/v1/cuts?limit=2");
    assert_eq!(
        page["cuts"][0]["imsi"],
        imsi(3).to_string(),
        "the newest first"
    );
    let before = page["next"].as_str().unwrap();
    let page = bench.get(&format!("/v1/cuts?limit=2&before={before}"));
    assert_eq!(page["cuts"][0]["imsi"], imsi(1).to_string());
}

#[test]
fn a_subscriber_as_it_is_shown() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    bench.one_sqn(conn, 1);
    let cut = bench.order(1, "suspend");
    let shown = bench.get(&format!("/v1/subscribers/{}", imsi(1)));
    assert_eq!(shown["state"], "suspended");
    assert_eq!(shown["version"], cut["version"]);
    assert_eq!(shown["cut"], cut["cut"]);
    assert_eq!(
        (&shown["actor"], &shown["reason"]),
        (&json!("night shift"), &json!("lost on a train"))
    );
    assert_eq!(shown["seq"], 1);
    assert_eq!(shown["location"]["via"], MME1);
    assert_eq!(shown["apns"][0]["apn"], "corp.acme");
}

#[test]
fn subscribers_are_added_by_a_call() {
    let mut bench = Bench::new();
    let body = |extra: &str| {
        format!(
            r#"{{"subscribers":[{{"imsi":"001010000000077","k":"465b5ce8b199b49faa5f0a2ee238a6bc",
            {extra} "tenant":"acme","apns":[{{"apn":"corp.acme","ambr":{{"uplink_bps":1,
            "downlink_bps":2}},"qci":9,"arp":{{"priority_level":8,"may_preempt":false,
            "may_be_preempted":false}}}}],"ue_ambr":{{"uplink_bps":1,"downlink_bps":2}}}}]}}"#
        )
    };
    let op = r#""op":"cdc202d5123e20f62b6d676ac72cb318","#;
    let opc = r#""opc":"cd63cb71954a9f4e48a5994e37a02baf","#;
    let mut post = |body: &str| {
        let path = "/v1/subscribers";
        call(
            &mut bench,
            Method::Post,
            path,
            Some("admin"),
            body.as_bytes(),
        )
    };
    for bad in [
        "",
        &format!("{op}{opc}"),
        r#""opc":"cd63","#,
        r#""opc":1,"#,
        &format!("{opc}\"amf\":\"80\","),
    ] {
        let (status, reply) = post(&body(bad));
        assert!(status == 400 || status == 422, "{status} {reply}");
        assert!(
            !reply.to_string().contains("465b5c"),
            "no error repeats a key"
        );
    }
    assert_eq!(
        post(&body(op)),
        (200, json!({"added": 1, "updated": 0, "kept": 0}))
    );
    assert_eq!(
        post(&body(opc)),
        (200, json!({"added": 0, "updated": 0, "kept": 1}))
    );
    let twice = body(opc).replace("[{\"imsi\"", "[{\"imsi\":\"1\"},{\"imsi\"");
    assert_eq!(post(&twice).0, 400);
    // OP and OPc of the same set give the same card.
    let imsi = "001010000000077".parse().unwrap();
    let subscriber = bench.hss.subscribers.by_imsi(imsi).unwrap();
    let sim = subscriber.milenage(&bench.hss.vault).unwrap();
    let key = |hex| heiiki_types::Key128::from_hex(hex).unwrap();
    let same = crate::auc::milenage::Milenage::new(
        &key("465b5ce8b199b49faa5f0a2ee238a6bc"),
        &key("cd63cb71954a9f4e48a5994e37a02baf"),
    );
    assert_eq!(
        sim.f1(&[7; 16], [1; 6], [0; 2]),
        same.f1(&[7; 16], [1; 6], [0; 2])
    );
}

#[test]
fn rows_that_cannot_be_imported_are_all_named() {
    let mut bench = Bench::new();
    let row = |imsi: &str, apns: &str| {
        format!(
            r#"{{"imsi":"{imsi}","k":"00000000000000000000000000000000",
            "opc":"00000000000000000000000000000000","tenant":"t","apns":[{apns}],
            "ue_ambr":{{"uplink_bps":1,"downlink_bps":2}}}}"#
        )
    };
    let rows = [
        row("001010000000081", ""),
        row("001010000000081", ""),
        row("001010000000082", ""),
    ];
    let body = format!(r#"{{"subscribers":[{}]}}"#, rows.join(","));
    let (status, reply) = call(
        &mut bench,
        Method::Post,
        "/v1/subscribers",
        Some("admin"),
        body.as_bytes(),
    );
    assert_eq!((status, &reply["error"]["code"]), (422, &json!("bad_rows")));
    let numbers: Vec<_> = reply["error"]["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["number"].clone())
        .collect();
    assert_eq!(numbers, [json!(1), json!(2), json!(3)]);
}

#[test]
fn an_import_by_call_is_answered_when_it_is_durable() {
    let mut bench = Bench::new();
    bench.disk.slow = true;
    let body =
        br#"{"subscribers":[{"imsi":"001010000000077","k":"465b5ce8b199b49faa5f0a2ee238a6bc",
        "opc":"cd63cb71954a9f4e48a5994e37a02baf","tenant":"acme","apns":[{"apn":"corp.acme","ambr":
        {"uplink_bps":1,"downlink_bps":2},"qci":9,"arp":{"priority_level":8,"may_preempt":false,
        "may_be_preempted":false}}],"ue_ambr":{"uplink_bps":1,"downlink_bps":2}}]}"#;
    let id = bench.http(Method::Post, "/v1/subscribers", Some("admin"), body);
    assert!(bench.reply(id).is_none());
    bench.sync();
    assert_eq!(bench.reply(id).unwrap().0, 200);
}

#[test]
fn events_are_tagged_and_in_snake_case() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    bench.one_sqn(conn, 1);
    bench.order(1, "suspend");
    let names: Vec<String> = bench
        .events
        .iter()
        .map(|e| {
            serde_json::to_value(e).unwrap()["event"]
                .as_str()
                .unwrap()
                .into()
        })
        .collect();
    for name in [
        "imported",
        "serving",
        "peer_up",
        "update_location",
        "authentication_information",
        "state_changed",
        "cancel_sent",
        "cut_stamp",
        "cut_verdict",
    ] {
        assert!(names.iter().any(|n| n == name), "{name} in {names:?}");
    }
    let stamp = bench
        .events
        .iter()
        .map(|e| serde_json::to_value(e).unwrap())
        .find(|e| e["stamp"] == "t5_uplink")
        .unwrap();
    assert_eq!(
        (&stamp["node"], stamp["cut"].is_string()),
        (&json!("pgw1"), true)
    );
}

#[test]
fn whoever_may_read_may_listen_to_events() {
    let mut bench = Bench::new();
    let (status, _) = call(&mut bench, Method::Get, "/v1/events", Some("admin"), b"");
    assert_eq!(status, 200);
}
