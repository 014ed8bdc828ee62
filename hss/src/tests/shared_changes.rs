//! Subscriptions that one front end changes and another one holds.

use core::time::Duration;

use heiiki_diameter::s6a::InsertSubscriberDataRequest;
use heiiki_diameter::{AnswerResult, CommandCode, Message};
use heiiki_types::{CallId, ConnId, Machine, Method, Msisdn, Rng};
use serde_json::{Value, json};

use super::bench::{MME1, MME2, imsi, k, opc};
use super::shared::Network;

impl Network {
    fn patch(&mut self, end: usize, n: u32, body: &Value) -> CallId {
        let target = format!("/v1/subscribers/{}", imsi(n));
        let body = serde_json::to_vec(body).unwrap();
        self.bench(end)
            .http(Method::Patch, &target, Some("provisioner"), &body)
    }

    pub(super) fn show(&mut self, end: usize, n: u32) -> Value {
        let target = format!("/v1/subscribers/{}", imsi(n));
        let call = self
            .bench(end)
            .http(Method::Get, &target, Some("reader"), b"");
        self.run();
        let (status, shown) = self.bench(end).reply(call).unwrap();
        assert_eq!(status, 200, "{shown}");
        shown
    }

    /// Answers what came on a connection, and tells the numbers of the profiles inserted.
    fn inserted(&mut self, end: usize, conn: ConnId) -> Vec<Option<Msisdn>> {
        let mut numbers = Vec::new();
        while let Some(message) = self.bench(end).try_receive(conn) {
            if !message.flags.request {
                continue;
            }
            if message.command == CommandCode::INSERT_SUBSCRIBER_DATA {
                let request = InsertSubscriberDataRequest::from_message(&message).unwrap();
                numbers.push(request.subscription.msisdn);
            }
            self.acknowledge(end, conn, &message);
            self.run();
        }
        numbers
    }

    fn acknowledge(&mut self, end: usize, conn: ConnId, request: &Message) {
        let mut answer = request.answer();
        answer.avps.push(AnswerResult::SUCCESS.to_avp());
        self.bench(end).send(conn, answer);
    }
}

fn hex(octets: &[u8]) -> String {
    heiiki_types::to_hex(octets)
}

fn number(n: u32) -> Msisdn {
    format!("8190{n:08}").parse().unwrap()
}

#[test]
fn a_changed_profile_is_taken_over_and_its_mme_hears_of_it_once() {
    for seed in 0..20 {
        let mut network = Network::new(seed);
        let b = network.connect(1, MME2);
        assert_eq!(network.update(1, b, 1), AnswerResult::SUCCESS);
        let call = network.patch(0, 1, &json!({ "msisdn": number(7), "group": "vans" }));
        network.run();
        assert_eq!(network.bench(0).reply(call).unwrap().0, 200);
        assert_eq!(network.inserted(1, b), [Some(number(7))], "seed {seed}");
        for end in 0..2 {
            let shown = network.show(end, 1);
            assert_eq!(shown["msisdn"], json!(number(7)), "front end {end}");
            assert_eq!(shown["group"], "vans", "front end {end}");
        }
        network.advance(Duration::from_mins(10));
        assert_eq!(network.inserted(1, b), [], "seed {seed}");
        let rows = network.store.rows.keys();
        assert_eq!(rows.filter(|(table, _)| *table == 7).count(), 0);
    }
}

#[test]
fn an_mme_that_is_connected_to_both_hears_of_a_change_once() {
    for seed in 0..20 {
        let mut network = Network::new(seed);
        let conns = [network.connect(0, MME1), network.connect(1, MME1)];
        assert_eq!(network.update(0, conns[0], 1), AnswerResult::SUCCESS);
        for changed_at in 0..2 {
            let new = number(10 + u32::try_from(changed_at).unwrap());
            network.patch(changed_at, 1, &json!({ "msisdn": new }));
            network.run();
            let mut heard = Vec::new();
            for _ in 0..3 {
                for (end, conn) in conns.into_iter().enumerate() {
                    heard.extend(network.inserted(end, conn));
                }
                network.advance(Duration::from_mins(1));
            }
            assert_eq!(heard, [Some(new)], "seed {seed}, changed at {changed_at}");
        }
    }
}

#[test]
fn new_keys_are_taken_over_before_the_next_vector() {
    let mut network = Network::new(4);
    let (a, b) = (network.connect(0, MME1), network.connect(1, MME2));
    // SIM 1 gets the keys of SIM 2, as the bench knows them.
    let keys = json!({ "k": hex(k(2).expose()), "opc": hex(opc().expose()) });
    assert!(network.sqns(1, b, 1, None).is_ok());
    network.patch(0, 1, &keys);
    network.run();
    let request = network.bench(1).air(b, 1);
    let answer = {
        network.bench(1).send(b, request.to_message());
        network.run();
        network.bench(1).receive(b)
    };
    let answer =
        heiiki_diameter::s6a::AuthenticationInformationAnswer::from_message(&answer).unwrap();
    // The check of the USIM with the other keys: it panics when they are not in force.
    let _ = super::bench::open_vector(2, &answer.vectors[0]);
    assert!(network.bench(0).hss.poll_output().is_none());
    let _ = a;
}

/// Changes cross each other, imports that read nothing first, and requests: at rest both front ends
/// and the store say the same, and so does the MME.
#[test]
fn changes_that_cross_leave_all_of_one_mind() {
    for seed in 0..60 {
        let mut network = Network::new(seed);
        let mut choose = Rng::from_seed(seed ^ 0x77);
        let b = network.connect(1, MME2);
        assert_eq!(network.update(1, b, 1), AnswerResult::SUCCESS);
        let mut last = None;
        for step in 0..40_u32 {
            let end = usize::try_from(choose.below(2)).unwrap();
            match choose.below(6) {
                0 => drop(network.patch(end, 1, &json!({ "msisdn": number(step) }))),
                1 => {
                    let row = json!({"imsi": imsi(1), "msisdn": number(step), "tenant": "acme",
                        "k": hex(k(1).expose()), "opc": hex(opc().expose()),
                        "apns": [{"apn": "corp.acme"}]});
                    let body = json!({ "subscribers": [row], "update": true });
                    let body = serde_json::to_vec(&body).unwrap();
                    network.bench(end).http(
                        Method::Post,
                        "/v1/subscribers",
                        Some("provisioner"),
                        &body,
                    );
                }
                2 => {
                    let request = network.bench(1).air(b, 1);
                    network.bench(1).send(b, request.to_message());
                }
                _ => {
                    for _ in 0..choose.below(10) {
                        network.step();
                    }
                }
            }
            if choose.below(8) == 0 {
                last = network.inserted(1, b).pop().or(last);
            }
        }
        network.run();
        for _ in 0..10 {
            last = network.inserted(1, b).pop().or(last);
            network.advance(Duration::from_secs(20));
        }
        let (first, second) = (network.show(0, 1), network.show(1, 1));
        assert_eq!(first["msisdn"], second["msisdn"], "seed {seed}");
        if let Some(last) = last {
            assert_eq!(
                json!(last),
                first["msisdn"],
                "seed {seed}: what the MME has"
            );
        }
        // A new process reads the same.
        network.kill(0);
        network.run();
        assert_eq!(
            network.show(0, 1)["msisdn"],
            second["msisdn"],
            "seed {seed}"
        );
    }
}
