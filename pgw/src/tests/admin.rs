use heiiki_types::{CallId, HttpRequest, Method};
use serde_json::{Value, json};

use super::bed::{Bed, INTRANET, bar_body, config, imsi, udp};
use crate::{Event, Input};

fn status(bed: &mut Bed, token: &str, method: Method, target: &str, body: &Value) -> u16 {
    let call = bed.call(token, method, target, body);
    bed.reply(call).unwrap().0
}

#[test]
fn tokens_and_roles() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let own = alloc::format!("/v1/sessions?imsi={}", imsi(1));
    let delete = alloc::format!("/v1/sessions/{}/delete", tunnel.charging_id);
    for (method, target, cut_only) in [
        (Method::Get, "/v1/bars", 200),
        (Method::Get, "/v1/isolations", 200),
        (Method::Get, "/v1/status", 200),
        (Method::Get, own.as_str(), 200),
        (Method::Get, "/v1/sessions", 200),
        (Method::Post, "/v1/bars/001010000000001/lift", 403),
        (Method::Post, "/v1/isolations/001010000000001/release", 403),
        (Method::Post, "/v1/delete-session", 403),
        (Method::Get, "/v1/counters", 403),
        (Method::Get, "/v1/audit", 403),
        (Method::Get, "/v1/events", 403),
        (Method::Post, delete.as_str(), 403),
        (Method::Post, "/v1/sessions", 405),
        (Method::Put, "/v1/bars", 405),
        (Method::Get, "/v1/nothing", 404),
        (Method::Get, "/", 404),
        (Method::Get, "/v1/bars/1/lift/2", 404),
    ] {
        assert_eq!(
            status(&mut bed, "cut", method, target, &Value::Null),
            cut_only,
            "{target}"
        );
        // Without a token nobody learns which paths there are.
        assert_eq!(
            status(&mut bed, "guess", method, target, &Value::Null),
            401,
            "{target}"
        );
        assert_eq!(
            status(&mut bed, "", method, target, &Value::Null),
            401,
            "{target}"
        );
    }
    let request = HttpRequest {
        method: Method::Get,
        target: "/v1/bars".into(),
        bearer: None,
        body: Vec::new(),
        headers: heiiki_types::Headers::default(),
    };
    bed.input(Input::Admin {
        call: CallId(999),
        request,
    });
    assert_eq!(bed.reply(CallId(999)).unwrap().0, 401);
    assert_eq!(
        status(
            &mut bed,
            "admin",
            Method::Post,
            &delete,
            &json!({"actor": "me"})
        ),
        200
    );
    let refused = bed.events.iter();
    let refused = refused.filter(|e| matches!(e, Event::AdminRefused { .. }));
    assert_eq!(refused.count(), 42);
}

#[test]
fn bad_bodies_are_refused() {
    let mut bed = Bed::new(config());
    let mut missing = bar_body(imsi(1), 1);
    missing.as_object_mut().unwrap().remove("version");
    let mut cause = bar_body(imsi(1), 1);
    cause["cause"] = json!(13);
    for (target, body) in [
        ("/v1/bars", Value::Null),
        ("/v1/bars", json!({"imsi": "12"})),
        ("/v1/bars", missing),
        ("/v1/bars", cause),
        ("/v1/bars", bar_body(imsi(1), u64::MAX)),
        ("/v1/bars/abc/lift", json!({"version": 1})),
        ("/v1/bars/001010000000001/lift", json!({})),
        (
            "/v1/bars/001010000000001/lift",
            json!({"version": u64::MAX}),
        ),
        (
            "/v1/isolations",
            json!({"imsi": imsi(1), "version": u64::MAX}),
        ),
        ("/v1/isolations/001010000000001/release", json!({})),
        ("/v1/delete-session", json!({})),
        ("/v1/emergency-cut", json!([])),
    ] {
        assert_eq!(
            status(&mut bed, "operate", Method::Post, target, &body),
            400,
            "{target} {body}"
        );
    }
    assert_eq!(
        status(
            &mut bed,
            "admin",
            Method::Post,
            "/v1/sessions/x/delete",
            &Value::Null
        ),
        400
    );
    assert_eq!(
        status(
            &mut bed,
            "admin",
            Method::Get,
            "/v1/sessions?limit=x",
            &Value::Null
        ),
        400
    );
    assert!(
        bed.events
            .iter()
            .all(|e| !matches!(e, Event::BarSet { .. }))
    );
}

#[test]
fn sessions_are_listed_in_pages() {
    let mut bed = Bed::new(config());
    for n in 0..5 {
        bed.create(imsi(n), "red.corp").unwrap();
    }
    let all = bed.get("/v1/sessions");
    let all = all["sessions"].as_array().unwrap();
    assert_eq!(all.len(), 5);
    assert_eq!(all[0]["apn"], "red.corp");
    assert_eq!(all[0]["tenant"], "red");
    assert_eq!(all[0]["address"], "10.20.0.2");
    assert_eq!(all[0]["state"], "active");
    let page = bed.get("/v1/sessions?limit=2");
    let last = page["next"].as_u64().unwrap();
    let next = bed.get(&alloc::format!("/v1/sessions?limit=10&after={last}"));
    assert_eq!(next["next"], Value::Null);
    assert_eq!(next["sessions"].as_array().unwrap().len(), 3);
    assert_eq!(next["total"], 5);
    let one = bed.get(&alloc::format!("/v1/sessions?imsi={}", imsi(3)));
    assert_eq!(one["sessions"][0]["imsi"], json!(imsi(3)));
    assert_eq!(one["sessions"].as_array().unwrap().len(), 1);
    bed.create(imsi(9), "blue.corp").unwrap();
    for (query, count) in [
        ("apn=red.corp", 5),
        ("apn=BLUE.corp", 1),
        ("tenant=blue", 1),
        ("tenant=red&apn=blue.corp", 0),
    ] {
        let listed = bed.get(&alloc::format!("/v1/sessions?{query}"));
        assert_eq!(
            listed["sessions"].as_array().unwrap().len(),
            count,
            "{query}"
        );
    }
    for wrong in ["tenant=green", "limit=0", "limit=1001", "after=x"] {
        let target = alloc::format!("/v1/sessions?{wrong}");
        let status = status(&mut bed, "admin", Method::Get, &target, &Value::Null);
        assert_eq!(status, 400, "{wrong}");
    }
}

#[test]
fn counters_add_up_over_workers_and_ended_sessions() {
    let mut bed = Bed::new(config());
    let tunnels = [1, 2, 3].map(|n| bed.create(imsi(n), "red.corp").unwrap());
    for tunnel in &tunnels {
        bed.uplink(tunnel, &udp(tunnel.address, INTRANET, 9));
    }
    bed.delete(&tunnels[0]);
    let counters = bed.get("/v1/counters");
    assert_eq!(counters["total"]["uplink_packets"], 3);
    assert_eq!(counters["total"]["uplink_octets"], 99);
    assert_eq!(counters["sessions"], 2);
    let workers = counters["workers"].as_array().unwrap();
    let counts: Vec<_> = workers
        .iter()
        .map(|w| w["total"]["uplink_packets"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [2, 1]);
    assert_eq!(counters["protections"]["bar"], true);
}

#[test]
fn the_stamp_of_the_order_tells_whether_packets_came_after_it() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    bed.uplink(&tunnel, &udp(tunnel.address, INTRANET, 9));
    bed.advance(heiiki_types::Duration::from_millis(5));
    let with = |version: u64, t0: u64, boot: &str| {
        let mut body = bar_body(imsi(1), version);
        body["t0"] = json!(t0);
        body["boot"] = json!(boot);
        body
    };
    let t0 = bed.now.at.as_micros();
    let (_, body) = bed.post("/v1/bars", &with(1, t0, "boot-1"));
    assert_eq!(body["packets_after_t0"], 0);
    // Stamps of another boot do not compare.
    let (_, body) = bed.post("/v1/bars", &with(2, t0, "boot-2"));
    assert_eq!(body["packets_after_t0"], Value::Null);
}

#[test]
fn events_are_flat_and_named() {
    let mut bed = Bed::new(config());
    bed.create(imsi(1), "red.corp").unwrap();
    let names: Vec<String> = bed
        .events
        .iter()
        .map(|e| {
            let json = serde_json::to_value(e).unwrap();
            json["event"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(names, ["started", "session_created"]);
}

#[test]
fn the_operator_may_listen_to_events() {
    let mut bed = Bed::new(config());
    let listened = status(&mut bed, "admin", Method::Get, "/v1/events", &Value::Null);
    assert_eq!(listened, 200);
}
