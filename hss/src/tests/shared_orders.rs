//! Orders where front ends share the store: bulk, ends by time, gateways that differ, and what a
//! front end that is gone has left.

use alloc::collections::BTreeSet;
use core::time::Duration;

use heiiki_diameter::{AnswerResult, CommandCode};
use heiiki_types::{CallId, ConnId, Method, Rng};
use serde_json::{Value, json};

use super::bench::{MME1, MME2, imsi, store_keys};
use super::shared::Network;
use crate::StoreKeys;
use crate::event::Event;

impl Network {
    fn post(&mut self, end: usize, target: &str, body: &Value) -> CallId {
        let body = serde_json::to_vec(body).unwrap();
        self.bench(end)
            .http(Method::Post, target, Some("operator"), &body)
    }

    fn get(&mut self, end: usize, target: &str) -> Value {
        let call = self
            .bench(end)
            .http(Method::Get, target, Some("reader"), b"");
        self.run();
        let (status, shown) = self.bench(end).reply(call).unwrap();
        assert_eq!(status, 200, "{shown}");
        shown
    }

    fn order_for(&mut self, end: usize, n: u32, verb: &str, seconds: u64) -> Value {
        let target = format!("/v1/subscribers/{}/{verb}", imsi(n));
        let body = json!({"reason": "in repair", "actor": "desk", "for_seconds": seconds});
        let call = self.post(end, &target, &body);
        self.run();
        let (status, cut) = self.bench(end).reply(call).unwrap();
        assert_eq!(status, 200, "{cut}");
        cut
    }

    /// Who gave a SIM's orders, the latest first.
    fn history(&mut self, end: usize, n: u32) -> Vec<String> {
        let shown = self.get(end, &format!("/v1/subscribers/{}/history", imsi(n)));
        let entries = shown["history"].as_array().unwrap().iter();
        let word = |e: &Value, name: &str| e[name].as_str().unwrap().to_owned();
        let entries = entries.map(|e| format!("{} {}", word(e, "verb"), word(e, "who")));
        entries.collect()
    }

    fn barred_at(&self, n: u32) -> Vec<bool> {
        self.gateways.values().map(|g| g.bars(imsi(n))).collect()
    }

    fn bulk(&mut self, end: usize, verb: &str, imsis: &[u32]) -> String {
        let imsis: Vec<_> = imsis.iter().map(|n| imsi(*n)).collect();
        let body = json!({"verb": verb, "reason": "r", "actor": "a", "imsis": imsis});
        let call = self.post(end, "/v1/bulk", &body);
        while self.bench(end).reply(call).is_none() {
            assert!(self.step(), "the bulk order is not answered");
        }
        let (status, shown) = self.bench(end).reply(call).unwrap();
        assert_eq!(status, 202, "{shown}");
        shown["bulk"].as_str().unwrap().into()
    }

    /// Cancellations that came on a connection, answered.
    fn cancelled(&mut self, end: usize, conn: ConnId) -> Vec<String> {
        let mut names = Vec::new();
        while let Some(message) = self.bench(end).try_receive(conn) {
            if message.command != CommandCode::CANCEL_LOCATION {
                continue;
            }
            let name = message.text(&heiiki_diameter::dictionary::USER_NAME);
            names.push(name.unwrap().to_owned());
            self.bench(end)
                .answer_clr(conn, &message, AnswerResult::SUCCESS);
            self.run();
        }
        names
    }

    fn adoptions(&self, end: usize) -> usize {
        let adopted = |e: &&Event| matches!(e, Event::OrderAdopted { .. });
        self.ends[end].bench.events.iter().filter(adopted).count()
    }
}

#[test]
fn an_order_for_a_time_ends_once_over_all_front_ends() {
    for seed in 0..20 {
        let mut network = Network::with_gateways(seed);
        network.order_for(0, 1, "suspend", 60);
        network.order_for(1, 2, "isolate", 60);
        network.advance(Duration::from_secs(50));
        assert_eq!(network.barred_at(1), [true; 2]);
        network.advance(Duration::from_secs(30));
        for end in 0..2 {
            assert_eq!(
                network.history(end, 1),
                ["resume expiry", "suspend desk"],
                "seed {seed}, front end {end}"
            );
            assert_eq!(network.history(end, 2), ["release expiry", "isolate desk"]);
            assert_eq!(network.state(end, 1), "active");
        }
        assert_eq!(network.barred_at(1), [false; 2]);
        assert!(!network.gateways["pgw1"].isolates(imsi(2)));
    }
}

#[test]
fn an_order_for_a_time_ends_though_the_front_end_that_took_it_is_gone() {
    for seed in 0..20 {
        let mut network = Network::with_gateways(seed);
        network.order_for(0, 1, "suspend", 60);
        network.take_down(0);
        network.advance(Duration::from_secs(90));
        assert_eq!(
            network.history(1, 1),
            ["resume expiry", "suspend desk"],
            "seed {seed}"
        );
        assert_eq!(network.barred_at(1), [false; 2]);
        // One that comes back finds it done.
        network.start(0);
        network.advance(Duration::from_mins(1));
        assert_eq!(network.history(0, 1).len(), 2);
    }
}

#[test]
fn an_end_by_time_outlives_an_outage_and_yields_to_a_later_order() {
    let mut network = Network::with_gateways(1);
    network.order_for(0, 1, "suspend", 60);
    network.order_for(0, 2, "suspend", 60);
    network.order(1, 2, "suspend");
    network.advance(Duration::from_secs(55));
    network.lose_store();
    network.advance(Duration::from_secs(30));
    assert_eq!(
        network.barred_at(1),
        [true; 2],
        "nothing ends without the store"
    );
    network.return_store();
    network.advance(Duration::from_secs(30));
    assert_eq!(network.state(0, 1), "active");
    assert_eq!(network.history(1, 1)[0], "resume expiry");
    assert_eq!(
        network.state(0, 2),
        "suspended",
        "the later order has no end"
    );
}

#[test]
fn a_bulk_order_reaches_every_sim_once_and_its_mmes_wherever_they_are() {
    for seed in 0..20 {
        let mut network = Network::with_gateways(seed);
        let (a, b) = (network.connect(0, MME1), network.connect(1, MME2));
        assert_eq!(network.update(0, a, 1), AnswerResult::SUCCESS);
        assert_eq!(network.update(1, b, 2), AnswerResult::SUCCESS);
        let id = network.bulk(0, "suspend", &[1, 2, 3, 9]);
        network.run();
        let mut heard = network.cancelled(0, a);
        heard.extend(network.cancelled(1, b));
        assert_eq!(heard, [imsi(1).to_string(), imsi(2).to_string()], "{seed}");
        network.advance(Duration::from_mins(1));
        assert_eq!(
            network.cancelled(0, a).len() + network.cancelled(1, b).len(),
            0
        );
        for end in 0..2 {
            let shown = network.get(end, &format!("/v1/bulk/{id}"));
            assert_eq!(shown["given"], true, "front end {end}: {shown}");
            assert_eq!(shown["counts"]["done"], 3, "front end {end}: {shown}");
            assert_eq!(shown["counts"]["refused"], 1, "front end {end}: {shown}");
            assert_eq!(network.history(end, 3), ["suspend a"]);
        }
        assert_eq!(network.barred_at(3), [true; 2]);
    }
}

#[test]
fn another_front_end_goes_on_with_a_bulk_order_and_undoes_nothing() {
    let mut adopted = 0;
    for seed in 0..40 {
        let mut network = Network::with_gateways(seed);
        for n in 1..=3 {
            assert_eq!(network.order(0, n, "suspend").0, 200);
        }
        network.bulk(0, "resume", &[1, 2, 3]);
        for _ in 0..seed {
            network.step();
        }
        network.take_down(0);
        network.run();
        // Whoever was resumed by then is suspended again, by an order of its own.
        let mut again = BTreeSet::new();
        for n in 1..=3 {
            if network.state(1, n) != "suspended" {
                assert_eq!(network.order(1, n, "suspend").0, 200);
                again.insert(n);
            }
        }
        network.advance(Duration::from_secs(40));
        for n in 1..=3 {
            let suspended = again.contains(&n);
            let state = network.state(1, n);
            assert_eq!(state == "suspended", suspended, "seed {seed}, SIM {n}");
            assert_eq!(network.barred_at(n), [suspended; 2], "seed {seed}, SIM {n}");
        }
        adopted += network.adoptions(1);
        network.start(0);
        network.advance(Duration::from_secs(30));
        for n in 1..=3 {
            assert_eq!(network.state(0, n), network.state(1, n), "seed {seed}");
            assert_eq!(network.barred_at(n), [again.contains(&n); 2]);
        }
    }
    assert!(
        adopted > 5,
        "hardly anything was left to go on with: {adopted}"
    );
}

#[test]
fn what_a_gateway_ordered_itself_is_taken_up_once() {
    for seed in 0..20 {
        let mut network = Network::with_gateways(seed);
        network.advance(Duration::from_secs(1));
        let gateway = network.gateways.get_mut("pgw1").unwrap();
        gateway.emergency_cut(imsi(1));
        network.advance(Duration::from_secs(20));
        assert_eq!(network.barred_at(1), [true; 2], "seed {seed}");
        for end in 0..2 {
            assert_eq!(network.state(end, 1), "suspended");
            assert_eq!(network.history(end, 1).len(), 1, "seed {seed}");
        }
        // A lift counts at all of them.
        assert_eq!(network.order(1, 1, "resume").0, 200);
        network.advance(Duration::from_secs(20));
        assert_eq!(network.barred_at(1), [false; 2], "seed {seed}");
    }
}

#[test]
fn a_gateway_that_lost_its_bars_gets_them_again() {
    for seed in 0..20 {
        let mut network = Network::with_gateways(seed);
        assert_eq!(network.order(0, 1, "suspend").0, 200);
        assert_eq!(network.order(1, 2, "suspend").0, 200);
        network.advance(Duration::from_secs(6));
        network.take_down(usize::try_from(seed % 2).unwrap());
        let gateway = network.gateways.get_mut("pgw2").unwrap();
        gateway.bars.clear();
        gateway.starts += 1;
        network.advance(Duration::from_secs(30));
        assert_eq!(network.barred_at(1), [true; 2], "seed {seed}");
        assert_eq!(network.barred_at(2), [true; 2], "seed {seed}");
    }
}

#[test]
fn an_order_is_told_to_gateways_and_mmes_though_its_front_end_is_gone() {
    for seed in 0..40 {
        let mut network = Network::with_gateways(seed);
        let a = network.connect(0, MME1);
        assert_eq!(network.update(0, a, 1), AnswerResult::SUCCESS);
        let (lost, name) = network.gateways.pop_first().map(|(n, g)| (g, n)).unwrap();
        let call = network.bench(0).verb(1, "suspend");
        network.run();
        let (_, cut) = network.bench(0).reply(call).expect("the order is answered");
        let target = format!("/v1/cuts/{}", cut["cut"].as_str().unwrap());
        // Neither the gateway nor the MME has answered when the front end ends.
        network.take_down(0);
        assert_eq!(network.get(1, &target)["verdict"], "open");
        network.gateways.insert(name, lost);
        network.advance(Duration::from_secs(15));
        assert_eq!(network.barred_at(1), [true; 2], "seed {seed}");
        assert_eq!(network.get(1, &target)["verdict"], "dark", "seed {seed}");
        assert_eq!(network.adoptions(1), 1, "seed {seed}");
        // The MME turns to the one that is left.
        let b = network.connect(1, MME1);
        assert_eq!(network.cancelled(1, b), [imsi(1).to_string()]);
        assert_eq!(network.get(1, &target)["verdict"], "clean", "seed {seed}");
        network.start(0);
        network.advance(Duration::from_secs(30));
        assert_eq!(network.get(0, &target)["verdict"], "clean", "seed {seed}");
        assert_eq!(network.cancelled(1, b).len(), 0);
    }
}

#[test]
fn a_lift_that_was_left_does_not_undo_a_later_bar() {
    for seed in 0..40 {
        let mut network = Network::with_gateways(seed);
        assert_eq!(network.order(0, 1, "suspend").0, 200);
        let (name, lost) = network.gateways.pop_first().unwrap();
        let call = network.bench(0).verb(1, "resume");
        network.run();
        assert_eq!(network.bench(0).reply(call).unwrap().0, 200);
        network.take_down(0);
        // Barred again before anybody goes on with the lift.
        let call = network.bench(1).verb(1, "suspend");
        network.gateways.insert(name, lost);
        network.run();
        assert_eq!(network.bench(1).reply(call).unwrap().0, 200);
        network.advance(Duration::from_secs(30));
        assert_eq!(network.barred_at(1), [true; 2], "seed {seed}");
        network.start(0);
        network.advance(Duration::from_mins(1));
        assert_eq!(network.barred_at(1), [true; 2], "seed {seed}");
        for end in 0..2 {
            assert_eq!(network.state(end, 1), "suspended");
        }
    }
}

/// Goal: a new master key comes while both front ends serve, in the three rounds that the manual
/// says; at the end no row needs the old one.
#[test]
fn the_master_key_is_changed_while_front_ends_serve() {
    for seed in 0..10 {
        let mut network = Network::new(seed);
        let old = store_keys();
        let new = StoreKeys::random(&mut Rng::from_seed(78));
        let rounds = [
            old.clone().with_previous(&new),
            new.clone().with_previous(&old),
        ];
        for keys in rounds {
            for end in 0..2 {
                network.take_down(end);
                network.start_with(end, &keys);
                // The other one goes on with vectors and changes meanwhile.
                let conn = network.connect(1 - end, MME2);
                for n in 1..=3 {
                    assert!(network.sqns(1 - end, conn, n, None).is_ok(), "seed {seed}");
                }
                network.advance(Duration::from_secs(5));
            }
        }
        for end in 0..2 {
            let done = |e: &Event| matches!(e, Event::StoreKeyRotated { failed: 0, .. });
            let events = &network.ends[end].bench.events;
            let seals = |e: &Event| matches!(e, Event::StoreKeyRotation { .. });
            assert_eq!(
                events.iter().any(done),
                events.iter().any(seals),
                "front end {end}"
            );
        }
        // Without the old key everything can be read; without the new one nothing is served.
        network.take_down(0);
        network.start_with(0, &new);
        let conn = network.connect(0, MME1);
        for n in 1..=3 {
            assert!(network.sqns(0, conn, n, None).is_ok(), "seed {seed}");
        }
        network.take_down(1);
        network.start_with(1, &old);
        assert!(!network.bench(1).hss.is_serving(), "seed {seed}");
        let missing = |e: &Event| matches!(e, Event::StoreKeyMissing { .. });
        assert!(network.ends[1].bench.events.iter().any(missing));
    }
}
