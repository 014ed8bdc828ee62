//! Writes of the provisioning interface.

use heiiki_types::{HttpRequest, Key128, Method, Token};
use serde_json::{Value, json};

use super::bench::{Bench, MME1, imsi, k, opc};

/// A call with header fields; the reply with its entity tag.
fn call(
    bench: &mut Bench,
    method: Method,
    target: &str,
    headers: &[(&'static str, &str)],
    body: &Value,
) -> (u16, Value, Option<String>) {
    let mut request = HttpRequest::new(method, target);
    request.bearer = Some(Token::new("provisioner".into()));
    for (name, value) in headers {
        request.headers.set(name, (*value).to_string());
    }
    if !body.is_null() {
        request.body = body.to_string().into_bytes();
    }
    let response = bench.exchange(request);
    let etag = response.headers.get("etag").map(Into::into);
    let body = serde_json::from_slice(&response.body).unwrap_or_default();
    (response.status, body, etag)
}

fn path(n: u32) -> String {
    format!("/v1/subscribers/{}", imsi(n))
}

fn subscription() -> Value {
    json!({
        "k": "465b5ce8b199b49faa5f0a2ee238a6bc",
        "opc": "cd63cb71954a9f4e48a5994e37a02baf",
        "tenant": "acme",
        "group": "tablets",
        "msisdn": "819011112222",
        "apns": [{ "apn": "corp.acme", "static_ip": "10.1.2.3" }],
    })
}

fn without_keys(mut body: Value) -> Value {
    let members = body.as_object_mut().unwrap();
    members.remove("k");
    members.remove("opc");
    body
}

#[test]
fn a_put_makes_once_and_changes_only_what_differs() {
    let mut bench = Bench::new();
    let put = |bench: &mut Bench, body: &Value| call(bench, Method::Put, &path(50), &[], body);
    let (status, shown, tag) = put(&mut bench, &subscription());
    assert_eq!(status, 201, "{shown}");
    assert_eq!(
        (&shown["state"], &shown["group"], &shown["amf"]),
        (&json!("ready"), &json!("tablets"), &json!("8000"))
    );
    assert_eq!(shown["apns"][0]["qci"], 9);
    assert!(!shown.to_string().contains("465b5ce8"), "no key comes out");
    let batches = bench.disk.batches;
    let (status, again, same) = put(&mut bench, &subscription());
    assert_eq!((status, &again, &same), (200, &shown, &tag));
    assert_eq!(put(&mut bench, &without_keys(subscription())).0, 200);
    assert_eq!(bench.disk.batches, batches, "nothing was written");
    let mut other = without_keys(subscription());
    other["group"] = json!("phones");
    let (status, changed, other_tag) = put(&mut bench, &other);
    assert_eq!((status, &changed["group"]), (200, &json!("phones")));
    assert!(other_tag != tag && bench.disk.batches > batches);
    bench.crash();
    let shown = bench.get(&path(50));
    assert_eq!(
        (&shown["group"], &shown["apns"][0]["static_ip"]),
        (&json!("phones"), &json!("10.1.2.3")),
        "it outlives a crash"
    );
}

#[test]
fn conditions_protect_from_lost_updates() {
    let mut bench = Bench::new();
    let (_, _, tag) = call(&mut bench, Method::Put, &path(50), &[], &subscription());
    let tag = tag.unwrap();
    let exists = [("if-none-match", "*")];
    let (status, refused, _) = call(&mut bench, Method::Put, &path(50), &exists, &subscription());
    assert_eq!((status, &refused["error"]["code"]), (412, &json!("exists")));
    let patch = json!({ "msisdn": null });
    let matching = [("if-match", tag.as_str())];
    let (status, shown, new_tag) = call(&mut bench, Method::Patch, &path(50), &matching, &patch);
    assert_eq!((status, &shown["msisdn"]), (200, &Value::Null));
    assert_ne!(new_tag.as_deref(), Some(tag.as_str()));
    let (status, refused, _) = call(&mut bench, Method::Patch, &path(50), &matching, &patch);
    assert_eq!(
        (status, &refused["error"]["code"]),
        (412, &json!("changed"))
    );
    let known = new_tag.unwrap();
    let unchanged = [("if-none-match", known.as_str())];
    let (status, body, _) = call(&mut bench, Method::Get, &path(50), &unchanged, &Value::Null);
    assert_eq!((status, body), (304, Value::Null));
    assert_eq!(
        call(&mut bench, Method::Get, &path(50), &matching, &Value::Null).0,
        200
    );
    let absent = [("if-match", "*")];
    assert_eq!(
        call(&mut bench, Method::Put, &path(51), &absent, &subscription()).0,
        412
    );
}

#[test]
fn a_vector_does_not_change_the_entity_tag_and_an_order_does() {
    let mut bench = Bench::new();
    let tag = |bench: &mut Bench| call(bench, Method::Get, &path(1), &[], &Value::Null).2;
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    let before = tag(&mut bench);
    bench.one_sqn(conn, 1);
    assert_eq!(tag(&mut bench), before);
    bench.order(1, "suspend");
    assert_ne!(tag(&mut bench), before);
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let mut bench = Bench::new();
    call(&mut bench, Method::Put, &path(50), &[], &subscription());
    let mut taken = subscription();
    taken["apns"][0]["static_ip"] = json!("10.1.2.3");
    let mut elsewhere = subscription();
    elsewhere["imsi"] = json!("001010000000099");
    let mut short = subscription();
    short["k"] = json!("46");
    let mut nameless = subscription();
    nameless["tenant"] = json!("");
    for (n, body, want, code) in [
        (51, taken, 422, "bad_rows"),
        (51, without_keys(subscription()), 422, "bad_rows"),
        (51, elsewhere, 422, "bad_content"),
        (51, short, 422, "bad_content"),
        (51, nameless, 422, "bad_content"),
        (51, json!({ "tenant": "acme" }), 400, "bad_request"),
        (
            51,
            json!({ "tenant": "acme", "apns": [], "x": 1 }),
            400,
            "bad_request",
        ),
        (51, json!({ "tenant": "acme", "apns": [] }), 422, "bad_rows"),
    ] {
        let (status, refused, _) = call(&mut bench, Method::Put, &path(n), &[], &body);
        assert_eq!(
            (status, &refused["error"]["code"]),
            (want, &json!(code)),
            "{body}"
        );
        assert!(!refused.to_string().contains("465b5c"), "{refused}");
    }
    assert_eq!(
        call(&mut bench, Method::Get, &path(51), &[], &Value::Null).0,
        404
    );
    let patch = json!({ "opc": "cd63cb71954a9f4e48a5994e37a02baf" });
    assert_eq!(
        call(&mut bench, Method::Patch, &path(50), &[], &patch).0,
        422
    );
    assert_eq!(
        call(&mut bench, Method::Patch, &path(51), &[], &json!({})).0,
        404
    );
}

#[test]
fn a_static_address_is_free_again_once_its_sim_has_another() {
    let mut bench = Bench::new();
    call(&mut bench, Method::Put, &path(50), &[], &subscription());
    assert_eq!(
        call(&mut bench, Method::Put, &path(51), &[], &subscription()).0,
        422
    );
    let apns = json!({ "apns": [{ "apn": "corp.acme", "static_ip": "10.1.2.4" }] });
    assert_eq!(
        call(&mut bench, Method::Patch, &path(50), &[], &apns).0,
        200
    );
    assert_eq!(
        call(&mut bench, Method::Put, &path(51), &[], &subscription()).0,
        201
    );
    let (status, _, _) = call(&mut bench, Method::Patch, &path(51), &[], &apns);
    assert_eq!(status, 422, "that one is taken too");
}

/// Goal: a static IPv6 prefix is one SIM's alone, is told to its MME, and is there after a start.
#[test]
fn a_static_ipv6_prefix_is_kept_told_and_unique() {
    let mut bench = Bench::new();
    let apns = |apn: Value| json!({ "apns": [apn] });
    let with = |pdn: &str, prefix: &str| {
        apns(
            json!({ "apn": "corp.acme", "pdn": pdn, "static_ip": "10.1.2.9",
            "static_ipv6": prefix }),
        )
    };
    let patch =
        |bench: &mut Bench, n: u32, body: &Value| call(bench, Method::Patch, &path(n), &[], body);
    for (pdn, prefix, why) in [
        ("v4", "2001:db8:0:1::/64", "gets IPv4 alone"),
        ("v6", "2001:db8::/48", "is not one of 64 bits"),
        ("v6", "10.0.0.0/24", "is not one of 64 bits"),
    ] {
        let (status, refused, _) = patch(&mut bench, 1, &with(pdn, prefix));
        assert_eq!(status, 422, "{refused}");
        assert!(refused.to_string().contains(why), "{why}: {refused}");
    }
    let conn = bench.connect(MME1);
    let (status, shown, _) = patch(&mut bench, 1, &with("v4_v6", "2001:db8:0:1::/64"));
    assert_eq!(status, 200, "{shown}");
    assert_eq!(shown["apns"][0]["static_ipv6"], "2001:db8:0:1::/64");
    let (status, refused, _) = patch(&mut bench, 2, &with("v6", "2001:db8:0:1::/64"));
    assert_eq!(status, 422);
    assert!(
        refused.to_string().contains(&imsi(1).to_string()),
        "{refused}"
    );
    let told: [core::net::IpAddr; 2] = [
        "10.1.2.9".parse().unwrap(),
        "2001:db8:0:1::".parse().unwrap(),
    ];
    for round in 0..2 {
        let conn = if round == 0 {
            conn
        } else {
            bench.connect(MME1)
        };
        let answer = bench.update(conn, 1);
        let profile = answer.subscription.unwrap().apn_profile.unwrap();
        assert_eq!(profile.apns[0].served_party_ips, told, "round {round}");
        bench.crash();
    }
    let free = apns(json!({ "apn": "corp.acme" }));
    assert_eq!(patch(&mut bench, 1, &free).0, 200);
    let mut second = with("v6", "2001:db8:0:1::/64");
    second["apns"][0]["static_ip"] = Value::Null;
    assert_eq!(patch(&mut bench, 2, &second).0, 200, "free again");
    bench.crash();
    assert_eq!(patch(&mut bench, 1, &second).0, 422, "after a start too");
}

/// Goal: of a SIM that was erased nothing is left but that it is terminated, after a start too.
#[test]
fn a_terminated_sim_can_be_erased() {
    let mut bench = Bench::new();
    call(&mut bench, Method::Put, &path(50), &[], &subscription());
    let erase = |bench: &mut Bench| call(bench, Method::Delete, &path(50), &[], &Value::Null);
    let (status, refused, _) = erase(&mut bench);
    assert_eq!(
        (status, &refused["error"]["code"]),
        (409, &json!("not_terminated"))
    );
    bench.verb(50, "terminate");
    assert_eq!(erase(&mut bench).0, 204);
    assert_eq!(erase(&mut bench).0, 204, "again");
    let missing = call(&mut bench, Method::Delete, &path(77), &[], &Value::Null);
    assert_eq!(missing.0, 404);
    for round in 0..2 {
        let shown = bench.get(&path(50));
        assert_eq!(
            (
                &shown["state"],
                &shown["group"],
                &shown["msisdn"],
                &shown["apns"]
            ),
            (&json!("terminated"), &json!(""), &Value::Null, &json!([])),
            "round {round}"
        );
        let conn = bench.connect(MME1);
        let request = bench.air(conn, 50);
        let answer = bench.ask_vectors(conn, &request);
        assert_eq!(answer.result, heiiki_diameter::s6a::USER_UNKNOWN);
        bench.crash();
    }
    // Its address is free, and its keys open nothing.
    let (status, shown, _) = call(&mut bench, Method::Put, &path(51), &[], &subscription());
    assert_eq!(status, 201, "{shown}");
}

#[test]
fn other_keys_take_effect_and_numbers_go_on() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    let first = bench.one_sqn(conn, 1);
    let body = json!({
        "k": heiiki_types::to_hex(k(9).expose()),
        "opc": heiiki_types::to_hex(opc().expose()),
    });
    assert_eq!(call(&mut bench, Method::Patch, &path(1), &[], &body).0, 200);
    let request = bench.air(conn, 1);
    let answer = bench.ask_vectors(conn, &request);
    let vector = &answer.vectors[0];
    let second = super::bench::open_vector(9, vector);
    assert!(second > first, "a number is never given twice");
}

#[test]
fn an_import_says_what_differs_and_updates_when_told_to() {
    let mut bench = Bench::new();
    let mut row = subscription();
    row["imsi"] = json!("001010000000050");
    let post = |bench: &mut Bench, row: &Value, update: bool, dry_run: bool| {
        let body = json!({ "subscribers": [row], "update": update, "dry_run": dry_run });
        call(bench, Method::Post, "/v1/subscribers", &[], &body).1
    };
    let added = json!({ "added": 1, "updated": 0, "kept": 0 });
    assert_eq!(post(&mut bench, &row, false, true), added);
    assert_eq!(
        call(&mut bench, Method::Get, &path(50), &[], &Value::Null).0,
        404
    );
    assert_eq!(post(&mut bench, &row, false, false), added);
    row["k"] = json!("00000000000000000000000000000001");
    row["group"] = json!("phones");
    let reply = post(&mut bench, &row, false, false);
    assert_eq!(reply["added"], 0);
    let what = reply["conflicts"][0]["what"].as_str().unwrap();
    assert!(what.contains("group, secrets"), "{what}");
    assert_eq!(bench.get(&path(50))["group"], "tablets", "the store wins");
    let updated = json!({ "added": 0, "updated": 1, "kept": 0 });
    assert_eq!(post(&mut bench, &row, true, true), updated);
    assert_eq!(bench.get(&path(50))["group"], "tablets", "a dry run");
    assert_eq!(post(&mut bench, &row, true, false), updated);
    assert_eq!(bench.get(&path(50))["group"], "phones");
    let imsi = "001010000000050".parse().unwrap();
    let subscriber = bench.hss.subscribers.by_imsi(imsi).unwrap();
    let change = crate::subscriber::Change {
        row: {
            let mut own = bench.hss.subscribers.own_of(subscriber);
            own.k = Key128::from_hex("00000000000000000000000000000001").unwrap();
            own.opc = Key128::from_hex("cd63cb71954a9f4e48a5994e37a02baf").unwrap();
            own
        },
        with_secrets: true,
    };
    assert!(
        bench
            .hss
            .subscribers
            .differences(&bench.hss.vault, subscriber, &change)
            .is_empty()
    );
}

#[test]
fn lists_are_filtered_and_their_cursors_stay_good() {
    let mut bench = Bench::new();
    for n in 50..56 {
        let mut body = subscription();
        body["apns"][0]["static_ip"] = Value::Null;
        body["group"] = json!(if n % 2 == 0 { "even" } else { "odd & old" });
        assert_eq!(call(&mut bench, Method::Put, &path(n), &[], &body).0, 201);
    }
    let imsis = |page: &Value| -> Vec<String> {
        let rows = page["subscribers"].as_array().unwrap();
        rows.iter()
            .map(|r| r["imsi"].as_str().unwrap().into())
            .collect()
    };
    let page = bench.get("/v1/subscribers?group=even&limit=2");
    assert_eq!(imsis(&page), [imsi(50).to_string(), imsi(52).to_string()]);
    // A SIM that comes in between moves nothing.
    call(
        &mut bench,
        Method::Put,
        &path(49),
        &[],
        &without_static(subscription()),
    );
    let next = format!(
        "/v1/subscribers?group=even&after={}",
        page["next"].as_str().unwrap()
    );
    let page = bench.get(&next);
    assert_eq!(
        (imsis(&page), &page["next"]),
        (vec![imsi(54).to_string()], &Value::Null)
    );
    assert_eq!(
        imsis(&bench.get("/v1/subscribers?group=odd+%26%20old")).len(),
        3
    );
    assert_eq!(imsis(&bench.get("/v1/subscribers?state=ready")).len(), 7);
    assert_eq!(imsis(&bench.get("/v1/subscribers?tenant=globex")).len(), 0);
    assert_eq!(
        imsis(&bench.get("/v1/subscribers?prefix=00101000000005")).len(),
        6
    );
    let page = bench.get("/v1/subscribers?prefix=001010000000050&detail=true");
    assert_eq!(page["subscribers"][0]["ue_ambr"]["uplink_bps"], 100_000_000);
}

fn without_static(mut body: Value) -> Value {
    body["apns"][0]["static_ip"] = Value::Null;
    body
}

#[test]
fn a_call_with_a_key_is_carried_out_once() {
    let mut bench = Bench::new();
    let key = [("idempotency-key", "night-1")];
    let mut row = subscription();
    row["imsi"] = json!("001010000000050");
    let body = json!({ "subscribers": [row] });
    let first = call(&mut bench, Method::Post, "/v1/subscribers", &key, &body);
    assert_eq!((first.0, &first.1["added"]), (200, &json!(1)));
    let again = call(&mut bench, Method::Post, "/v1/subscribers", &key, &body);
    assert_eq!(again, first, "the answer of the first call");
    let other = json!({ "subscribers": [] });
    let (status, refused, _) = call(&mut bench, Method::Post, "/v1/subscribers", &key, &other);
    assert_eq!(
        (status, &refused["error"]["code"]),
        (422, &json!("key_of_another_call"))
    );
    let without = call(&mut bench, Method::Post, "/v1/subscribers", &[], &body);
    assert_eq!(without.1["kept"], 1);
}

#[test]
fn who_may_provision_may_not_cut() {
    let mut bench = Bench::new();
    let order = json!({ "reason": "r", "actor": "a" });
    let target = format!("{}/suspend", path(1));
    assert_eq!(call(&mut bench, Method::Post, &target, &[], &order).0, 403);
    let id = bench.http(
        Method::Put,
        &path(50),
        Some("operator"),
        subscription().to_string().as_bytes(),
    );
    assert_eq!(bench.reply(id).unwrap().0, 403);
    let id = bench.http(
        Method::Post,
        &format!("{}/resume", path(1)),
        Some("operator"),
        order.to_string().as_bytes(),
    );
    assert_eq!(bench.reply(id).unwrap().0, 200);
}
