use heiiki_gtp::c::{Cause, Message, ModifyBearerRequest};
use heiiki_types::{Duration, Machine, Method, StorageInput};
use serde_json::{Value, json};

use super::bed::{Bed, INTRANET, RED, SGW, bar_body, config, imsi, udp};
use crate::control::{Control, Input as ControlInput, Output as ControlOutput};
use crate::user_plane::{Update, Worker};
use crate::{EndReason, Event, Input};

#[test]
fn a_cut_ends_both_directions_and_the_sim_stays_out() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let other = bed.create(imsi(2), "red.corp").unwrap();
    bed.uplink(&tunnel, &udp(tunnel.address, INTRANET, 9));
    bed.advance(Duration::from_millis(10));
    let (status, body) = bed.bar(imsi(1), 5);
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["sessions"], 1);
    assert_eq!(body["cut"], "5");
    assert_eq!(body["boot"], "boot-1");
    assert_eq!(body["durable"], true);
    let stamp = |name: &str| body[name].as_u64().unwrap();
    assert!(stamp("t4") <= stamp("t5_uplink") && stamp("t4") <= stamp("t5_downlink"));
    // Nothing is accounted for, so nothing is said of the end of it.
    assert_eq!(
        (&body["accounting"], &body["t7"]),
        (&json!("none"), &Value::Null)
    );
    assert!(stamp("last_uplink") < stamp("t4"));
    let before = bed.sgi.len();
    bed.uplink(&tunnel, &udp(tunnel.address, INTRANET, 9));
    bed.downlink(RED, &udp(INTRANET, tunnel.address, 9));
    assert_eq!(bed.sgi.len(), before);
    assert!(bed.received(&tunnel).is_empty());
    // The SGW hears by GTP-C and by nothing else.
    assert!(bed.s5u.is_empty());
    assert_eq!(bed.refusals()["cut"], 1);
    bed.uplink(&other, &udp(other.address, INTRANET, 9));
    assert_eq!(bed.sgi.len(), before + 1);
    // The SGW is told with cause 9, by the linked bearer.
    let requests = bed.delete_bearers();
    let (to, header, request) = &requests[0];
    assert_eq!((to.ip(), to.port()), (SGW.into(), 2123));
    assert_eq!(header.teid, Some(tunnel.sgw_c.get()));
    assert_eq!(request.cause, Some(Cause(9)));
    assert!(request.linked_ebi.is_some() && request.ebis.is_empty());
    // Create Session and Modify Bearer are refused.
    assert_eq!(
        bed.create(imsi(1), "red.corp").unwrap_err(),
        Cause::SERVICE_DENIED
    );
    assert_eq!(
        bed.create(imsi(1), "blue.corp").unwrap_err(),
        Cause::SERVICE_DENIED
    );
    let modify = Message::ModifyBearerRequest(ModifyBearerRequest::default());
    let sequence = bed.send_c(SGW, Some(tunnel.pgw_c.get()), &modify);
    match bed.response(sequence) {
        Some((_, Message::ModifyBearerResponse(r))) => {
            assert_eq!(r.cause.cause, Cause::SERVICE_DENIED);
        }
        other => panic!("{other:?}"),
    }
    let refused = bed.events.iter();
    let refused = refused.filter(|e| matches!(e, Event::BarredRequest { .. }));
    assert_eq!(refused.count(), 3);
    assert_eq!(bed.pgw.control().barred_sessions().count(), 0);
    // A resume with a higher version lifts it; one with the same does not.
    let (status, body) = bed.lift(imsi(1), 5);
    assert_eq!((status, &body["version"]), (409, &json!(5)));
    assert_eq!(bed.lift(imsi(1), 6).0, 200);
    assert!(bed.create(imsi(1), "red.corp").is_ok());
}

#[test]
fn nobody_waits_for_the_delete_bearer_response() {
    let mut bed = Bed::new(config());
    bed.create(imsi(1), "red.corp").unwrap();
    let (status, _) = bed.bar(imsi(1), 1);
    assert_eq!(status, 200);
    assert_eq!(bed.delete_bearers().len(), 1);
    // Sent N3 times more, then given up.
    bed.advance(Duration::from_mins(1));
    assert_eq!(bed.delete_bearers().len(), 4);
    let gone = bed.events.iter();
    let gone = gone.filter(|e| matches!(e, Event::DeleteBearerDone { cause: None, .. }));
    assert_eq!(gone.count(), 1);
}

#[test]
fn the_answer_waits_for_the_disk_and_the_cut_does_not() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    bed.sync = false;
    let call = bed.call("cut", Method::Post, "/v1/bars", &bar_body(imsi(1), 1));
    assert!(bed.reply(call).is_none());
    assert!(bed.delete_bearers().is_empty());
    bed.uplink(&tunnel, &udp(tunnel.address, INTRANET, 9));
    bed.downlink(RED, &udp(INTRANET, tunnel.address, 9));
    assert!(bed.sgi.is_empty() && bed.received(&tunnel).is_empty());
    assert_eq!(
        bed.create(imsi(1), "red.corp").unwrap_err(),
        Cause::SERVICE_DENIED
    );
    bed.sync_now();
    assert_eq!(bed.reply(call).unwrap().0, 200);
    assert_eq!(bed.delete_bearers().len(), 1);
}

#[test]
fn a_cut_while_packets_flow_purges_what_waits() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let other = bed.create(imsi(2), "red.corp").unwrap();
    // Nobody fetches the outputs, so packets wait in the gateway.
    for _ in 0..5 {
        for t in [&tunnel, &other] {
            let mut payload = heiiki_gtp::u::encode_gpdu_header(t.pgw_u.teid, 33).to_vec();
            payload.extend(udp(t.address, INTRANET, 9));
            let datagram = heiiki_types::Datagram {
                local: "192.0.2.11:2152".parse().unwrap(),
                remote: (SGW, 2152).into(),
                payload,
            };
            let worker = t.worker();
            bed.pgw
                .handle_input(bed.now, Input::S5u { worker, datagram });
        }
        let packet = udp(INTRANET, tunnel.address, 9);
        let input = Input::Sgi {
            worker: 0,
            tenant: RED,
            packet,
        };
        bed.pgw.handle_input(bed.now, input);
    }
    let (status, body) = bed.bar(imsi(1), 1);
    assert_eq!((status, &body["purged"]), (200, &json!(10)));
    assert_eq!(bed.sgi.len(), 5);
    assert!(bed.received(&tunnel).is_empty());
}

#[test]
fn a_bar_without_a_session_and_one_said_twice() {
    let mut bed = Bed::new(config());
    let (status, body) = bed.bar(imsi(1), 3);
    assert_eq!((status, &body["sessions"]), (200, &json!(0)));
    assert!(body["t5_uplink"].is_u64());
    assert_eq!(bed.bar(imsi(1), 3).0, 200);
    assert_eq!(bed.bar(imsi(1), 2).0, 409);
    let bars = bed.get("/v1/bars");
    assert_eq!(bars["bars"].as_array().unwrap().len(), 1);
    assert_eq!(bars["bars"][0]["version"], 3);
    // Two callers of one order both hear.
    bed.sync = false;
    let calls = [1, 2].map(|_| bed.call("cut", Method::Post, "/v1/bars", &bar_body(imsi(2), 1)));
    bed.sync_now();
    assert!(calls.iter().all(|c| bed.reply(*c).unwrap().0 == 200));
}

#[test]
fn a_bar_that_comes_after_its_lift_bars_nobody() {
    let mut bed = Bed::new(config());
    let (status, body) = bed.lift(imsi(1), 7);
    assert_eq!((status, &body["lifted"]), (200, &json!(false)));
    assert_eq!(bed.bar(imsi(1), 6).0, 409);
    assert!(bed.create(imsi(1), "red.corp").is_ok());
}

#[test]
fn a_lift_that_overtakes_the_end_of_the_cut_stays() {
    let mut bed = Bed::new(config());
    bed.create(imsi(1), "red.corp").unwrap();
    bed.sync = false;
    let cut = bed.call("cut", Method::Post, "/v1/bars", &bar_body(imsi(1), 1));
    let target = alloc::format!("/v1/bars/{}/lift", imsi(1));
    let lift = bed.call("operate", Method::Post, &target, &json!({"version": 2}));
    bed.sync = true;
    bed.sync_now();
    assert_eq!(bed.reply(cut).unwrap().0, 200);
    assert_eq!(bed.reply(lift).unwrap().0, 200);
    let mut bed = bed.crash();
    assert!(bed.create(imsi(1), "red.corp").is_ok());
}

#[test]
fn a_bar_during_the_set_up_of_a_session_refuses_it() {
    let mut bed = Bed::new(config());
    bed.sync = false;
    let request = bed.request(imsi(1), "red.corp");
    let message = Message::CreateSessionRequest(request.clone());
    let sequence = bed.send_c(SGW, Some(0), &message);
    let call = bed.call("cut", Method::Post, "/v1/bars", &bar_body(imsi(1), 1));
    bed.sync = true;
    bed.sync_now();
    let answer = bed.created(SGW, &request, sequence);
    assert_eq!(answer.unwrap_err(), Cause::SERVICE_DENIED);
    assert_eq!(bed.reply(call).unwrap().0, 200);
    assert_eq!(bed.pgw.control().session_count(), 0);
    let mut bed = bed.crash();
    assert_eq!(bed.pgw.control().session_count(), 0);
    assert!(bed.create(imsi(1), "red.corp").is_err());
}

#[test]
fn an_emergency_cut_needs_no_version_and_counts_on() {
    let mut bed = Bed::new(config());
    bed.create(imsi(1), "red.corp").unwrap();
    let body = json!({"imsi": imsi(1), "reason": "stolen", "actor": "night shift"});
    let (status, body) = bed.post("/v1/emergency-cut", &body);
    assert_eq!(
        (status, &body["sessions"], &body["version"]),
        (200, &json!(1), &json!(1))
    );
    assert!(bed.create(imsi(1), "red.corp").is_err());
    // The HSS comes back, did not know and orders a resume from before: the stricter wins.
    assert_eq!(bed.lift(imsi(1), 1).0, 409);
    assert_eq!(bed.bar(imsi(1), 40).0, 200);
    assert_eq!(bed.lift(imsi(1), 41).0, 200);
}

#[test]
fn delete_session_calls_the_ue_back() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let target = alloc::format!("/v1/sessions/{}/delete", tunnel.charging_id);
    let call = bed.call("admin", Method::Post, &target, &Value::Null);
    let (status, body) = bed.reply(call).unwrap();
    assert_eq!((status, &body["id"]), (200, &json!(tunnel.charging_id)));
    assert_eq!(bed.delete_bearers()[0].2.cause, Some(Cause(8)));
    assert!(bed.create(imsi(1), "red.corp").is_ok());
    let call = bed.call("admin", Method::Post, &target, &Value::Null);
    assert_eq!(bed.reply(call).unwrap().0, 404);
}

#[test]
fn with_a_failed_disk_a_cut_works_and_says_that_it_will_not_last() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let other = bed.create(imsi(2), "red.corp").unwrap();
    bed.sync = false;
    let early = bed.call("cut", Method::Post, "/v1/bars", &bar_body(imsi(1), 1));
    bed.input(Input::Storage(StorageInput::Failed));
    let (status, body) = bed.reply(early).unwrap();
    assert_eq!((status, &body["durable"]), (500, &json!(false)));
    let (status, _) = bed.bar(imsi(2), 1);
    assert_eq!(status, 500);
    for t in [&tunnel, &other] {
        bed.uplink(t, &udp(t.address, INTRANET, 9));
    }
    assert!(bed.sgi.is_empty());
    assert_eq!(
        bed.create(imsi(3), "red.corp").unwrap_err(),
        Cause::NO_RESOURCES_AVAILABLE
    );
    assert!(bed.events.contains(&Event::DiskFailed));
}

/// The order inside the gateway, seen from between control and workers.
#[test]
#[expect(clippy::too_many_lines, reason = "one story, told step by step")]
fn every_step_of_a_cut_waits_for_every_worker() {
    let mut bed = Bed::new(config());
    bed.create(imsi(1), "red.corp").unwrap();
    let disk = bed.disk.clone();
    let now = bed.now;
    let mut control = Control::new(config(), heiiki_types::Rng::from_seed(9)).unwrap();
    let workers =
        [0, 1].map(|i| Worker::new(control.network(), i, "192.0.2.11:2152".parse().unwrap()));
    let mut workers = workers;
    control.start(now);
    let rows = disk
        .into_iter()
        .map(|((table, key), value)| heiiki_types::Record {
            table,
            key,
            value: Some(value),
        });
    let input = ControlInput::Storage(StorageInput::Loaded(rows.collect()));
    control.handle_input(now, input);
    let mut held = Vec::new();
    let mut log = Vec::new();
    let mut ack = |control: &mut Control, worker: usize, seq, update: &Update| {
        let answer = workers[worker].handle_update(update);
        let at = now.at + Duration::from_millis(worker as u64 + 1);
        control.handle_input(
            now,
            ControlInput::WorkerAck {
                worker,
                seq,
                at,
                answer,
            },
        );
    };
    let call = heiiki_types::CallId(1);
    let mut asked = false;
    let mut hold = true;
    loop {
        while let Some(output) = control.poll_output() {
            match output {
                ControlOutput::WorkerUpdate {
                    worker,
                    seq,
                    update,
                } => {
                    let name = match &update {
                        Update::StopForwarding(_) => "stop",
                        Update::Remove(_) => "remove",
                        _ => "other",
                    };
                    if name != "other" {
                        log.push(alloc::format!("{name} {worker}"));
                    }
                    if name == "stop" && worker == 1 && hold {
                        held.push((worker, seq, update));
                    } else {
                        ack(&mut control, worker, seq, &update);
                    }
                }
                ControlOutput::Storage(heiiki_types::StorageOutput::Persist { seq, .. }) => {
                    if asked {
                        log.push("persist".into());
                    }
                    let input = ControlInput::Storage(StorageInput::Persisted { seq });
                    control.handle_input(now, input);
                }
                ControlOutput::AdminReply { response, .. } => {
                    assert_eq!(response.status, 200);
                    let body: Value = serde_json::from_slice(&response.body).unwrap();
                    // The last worker's time counts.
                    let t5 = (now.at + Duration::from_millis(2)).as_micros();
                    assert_eq!(body["t5_uplink"], t5);
                    log.push("answer".into());
                }
                ControlOutput::S5c(_) => log.push("delete bearer".into()),
                ControlOutput::Event(Event::BarSet { .. }) => log.push("bar".into()),
                _ => {}
            }
        }
        if !asked {
            asked = true;
            let request = heiiki_types::HttpRequest {
                method: Method::Post,
                target: "/v1/bars".into(),
                bearer: Some(heiiki_types::Token::new("cut".into())),
                body: serde_json::to_vec(&bar_body(imsi(1), 1)).unwrap(),
                headers: heiiki_types::Headers::default(),
            };
            control.handle_input(now, ControlInput::Admin { call, request });
        } else if let Some((worker, seq, update)) = held.pop() {
            // One worker is late: nothing has gone on without it.
            assert_eq!(log, ["bar", "stop 0", "stop 1"]);
            hold = false;
            ack(&mut control, worker, seq, &update);
        } else {
            break;
        }
    }
    let rest = ["remove 0", "remove 1", "persist", "answer", "delete bearer"];
    assert_eq!(log[3..], rest);
}

#[test]
fn a_worker_that_does_not_answer_is_named_in_time() {
    let now = Bed::new(config()).now;
    let mut control = Control::new(config(), heiiki_types::Rng::from_seed(9)).unwrap();
    control.start(now);
    control.handle_input(now, ControlInput::Storage(StorageInput::Loaded(Vec::new())));
    let mut answered = None;
    let mut later = now;
    for round in 0..3 {
        while let Some(output) = control.poll_output() {
            match output {
                ControlOutput::Storage(heiiki_types::StorageOutput::Persist { seq, .. }) => {
                    let input = ControlInput::Storage(StorageInput::Persisted { seq });
                    control.handle_input(later, input);
                }
                ControlOutput::AdminReply { response, .. } => answered = Some(response.status),
                _ => {}
            }
        }
        if round == 0 {
            let request = heiiki_types::HttpRequest {
                method: Method::Post,
                target: "/v1/bars".into(),
                bearer: Some(heiiki_types::Token::new("cut".into())),
                body: serde_json::to_vec(&bar_body(imsi(1), 1)).unwrap(),
                headers: heiiki_types::Headers::default(),
            };
            let call = heiiki_types::CallId(1);
            control.handle_input(now, ControlInput::Admin { call, request });
        } else if round == 1 {
            assert_eq!(answered, None);
            later.at = control.poll_timeout().unwrap();
            assert_eq!(later.at, now.at + Duration::from_secs(5));
            control.handle_timeout(later);
        }
    }
    assert_eq!(answered, Some(504));
}

#[test]
fn with_the_bar_switched_off_the_session_goes_on() {
    let mut config = config();
    config.protections.bar = false;
    let mut bed = Bed::new(config);
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    bed.bar(imsi(1), 1);
    bed.uplink(&tunnel, &udp(tunnel.address, INTRANET, 9));
    assert_eq!(bed.sgi.len(), 1);
    // And the checks see it.
    assert_eq!(bed.pgw.control().barred_sessions().count(), 1);
    assert_eq!(bed.get("/v1/audit")["closed"], false);
}

#[test]
fn a_cut_ends_every_session_of_the_sim() {
    let mut bed = Bed::new(config());
    bed.create(imsi(1), "red.corp").unwrap();
    let mut request = bed.request(imsi(1), "blue.corp");
    request.bearer_contexts[0].ebi = heiiki_types::Ebi::new(6).unwrap();
    bed.create_with(SGW, request).unwrap();
    let (_, body) = bed.bar(imsi(1), 1);
    assert_eq!(body["sessions"], 2);
    let ended = bed.events.iter();
    let cut = |e: &&Event| {
        matches!(
            e,
            Event::SessionEnded {
                reason: EndReason::Cut,
                ..
            }
        )
    };
    assert_eq!(ended.filter(cut).count(), 2);
    assert_eq!(bed.delete_bearers().len(), 2);
}

#[test]
fn an_emergency_cut_is_above_everything_the_gateway_has_heard_of() {
    let mut config = config();
    config.limits.bars = 1;
    let mut bed = Bed::new(config);
    bed.bar(imsi(1), 70_000);
    bed.lift(imsi(1), 80_000);
    // The lift makes room, and its version still counts.
    let emergency = |n| json!({"imsi": imsi(n), "actor": "night shift"});
    let call = bed.call("cut", Method::Post, "/v1/emergency-cut", &emergency(2));
    let (status, body) = bed.reply(call).unwrap();
    assert_eq!((status, &body["version"]), (200, &json!(80_001)));
    let bars = bed.get("/v1/bars");
    assert_eq!(bars["bars"][0]["local"], true);
    assert_eq!(bed.get("/v1/status")["local_orders"], 1);
    // A bar never makes room for another one, and that is said aloud.
    let (status, _) = bed.post("/v1/emergency-cut", &emergency(3));
    assert_eq!(status, 507);
    let said = |e: &Event| matches!(e, Event::OrdersFull { .. });
    assert!(bed.events.iter().any(said));
    // The versions count on after a restart.
    assert_eq!(bed.lift(imsi(2), 80_002).0, 200);
    let mut bed = bed.crash();
    let (_, body) = bed.post("/v1/emergency-cut", &emergency(4));
    assert_eq!(body["version"], 80_003);
    let bed = bed.crash();
    assert_eq!(bed.disk.keys().filter(|(table, _)| *table == 3).count(), 1);
}

#[test]
fn the_instance_tells_another_start_and_another_journal() {
    let mut bed = Bed::new(config());
    let first = bed.get("/v1/status")["instance"].clone();
    let (_, body) = bed.bar(imsi(1), 1);
    assert_eq!(body["instance"], first);
    let mut bed = bed.crash();
    let second = bed.get("/v1/status")["instance"].clone();
    assert_ne!(first, second);
    let journal = |v: &Value| v.as_str().unwrap().split_once('.').unwrap().0.to_owned();
    assert_eq!(journal(&first), journal(&second));
    bed.disk.clear();
    let mut bed = bed.crash();
    assert_ne!(journal(&first), journal(&bed.get("/v1/status")["instance"]));
}

#[test]
fn delete_session_of_a_sim_ends_what_was_there_when_it_was_ordered() {
    let mut bed = Bed::new(config());
    bed.create(imsi(1), "red.corp").unwrap();
    let ordered = bed.now.wall.as_unix_micros();
    let body = json!({"imsi": imsi(1), "apn": "blue.corp"});
    assert_eq!(bed.post("/v1/delete-session", &body).1["sessions"], 0);
    let body = json!({"imsi": imsi(1), "not_after": ordered, "actor": "desk"});
    let (status, answer) = bed.post("/v1/delete-session", &body);
    assert_eq!((status, &answer["sessions"]), (200, &json!(1)));
    assert!(answer["t5_uplink"].is_u64());
    assert_eq!(bed.delete_bearers()[0].2.cause, Some(Cause(8)));
    bed.advance(Duration::from_secs(1));
    bed.create(imsi(1), "red.corp").unwrap();
    // The same call again, since its answer was lost.
    assert_eq!(bed.post("/v1/delete-session", &body).1["sessions"], 0);
    assert_eq!(bed.pgw.control().session_count(), 1);
}
