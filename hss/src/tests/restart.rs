use alloc::collections::BTreeSet;
use core::time::Duration;

use heiiki_diameter::AnswerResult;
use heiiki_diameter::s6a::{self, CancellationType};
use heiiki_types::Rng;
use serde_json::json;

use super::bench::{Bench, Gateways, MME1, MME2, config, imsi, row};
use crate::State;
use crate::auc::sqn::LEAD;
use crate::event::Event;

#[test]
fn sqns_go_on_above_everything_issued_although_no_mark_was_written() {
    let mut bench = Bench::new();
    let mut last = 0;
    for _ in 0..5 {
        let conn = bench.connect(MME1);
        let before = bench.disk.batches;
        for _ in 0..LEAD / 2 {
            let seq = bench.one_sqn(conn, 1).seq();
            assert!(seq > last);
            last = seq;
        }
        assert_eq!(bench.disk.batches, before);
        bench.crash();
    }
}

/// Random requests, resynchronisations, imports and crashes with a disk that loses its tail: no SQN
/// comes twice, and each SIM's SQNs rise.
#[test]
fn no_sqn_comes_twice_whatever_the_disk_lost() {
    for seed in 0..6 {
        let mut rng = Rng::from_seed(seed);
        let mut bench = Bench::new();
        let mut conn = bench.connect(MME1);
        let mut seen = BTreeSet::new();
        let mut last = [0; 4];
        for _ in 0..600 {
            let n = u32::try_from(1 + rng.below(3)).unwrap();
            match rng.below(100) {
                0..5 => {
                    bench.disk.slow = false;
                    bench.crash();
                    conn = bench.connect(MME1);
                }
                5..9 => bench.disk.slow = true,
                9..20 => {
                    bench.disk.slow = false;
                    bench.sync();
                    bench.advance(Duration::from_millis(100));
                }
                _ => {
                    let mut request = bench.air(conn, n);
                    request.requested_eutran.as_mut().unwrap().vectors =
                        u32::try_from(1 + rng.below(5)).unwrap();
                    if rng.chance(0.02) {
                        let sim = super::bench::sim(n);
                        let usim = last[n as usize] + rng.below(2_000);
                        let usim = crate::auc::sqn::Sqn::new(usim, 0).unwrap();
                        let mut info = [7; 30];
                        let token = crate::auc::auts::seal(&sim, &[7; 16], usim);
                        info[16..].copy_from_slice(&token);
                        request.requested_eutran.as_mut().unwrap().resync = Some(info);
                    }
                    bench.send(conn, request.to_message());
                }
            }
            while let Some(message) = bench.try_receive(conn) {
                let Ok(answer) = s6a::AuthenticationInformationAnswer::from_message(&message)
                else {
                    continue;
                };
                let owner = (1..=3).find(|n| {
                    answer.vectors.first().is_some_and(|v| {
                        let (res, ..) = super::bench::sim(*n).f2345(&v.rand);
                        v.xres.matches(res.expose())
                    })
                });
                for vector in &answer.vectors {
                    let n = owner.unwrap();
                    let seq = super::bench::open_vector(n, vector).seq();
                    assert!(
                        seen.insert((n, seq)),
                        "seed {seed}: SIM {n} SEQ {seq} twice"
                    );
                    assert!(seq > last[n as usize], "seed {seed}");
                    last[n as usize] = seq;
                }
            }
        }
        assert!(seen.len() > 300, "{}", seen.len());
    }
}

#[test]
fn a_start_writes_the_epoch_and_touches_no_sim() {
    let mut bench = Bench::with(config(), (1..=500).map(row).collect());
    bench.crash();
    let before = bench.disk.rows.clone();
    let batches = bench.disk.batches;
    bench.crash();
    assert_eq!(bench.disk.batches, batches + 1);
    let changed: Vec<_> = bench
        .disk
        .rows
        .iter()
        .filter(|(key, value)| before.get(*key) != Some(*value))
        .map(|(key, _)| key.0)
        .collect();
    assert_eq!(changed, [0]);
}

#[test]
fn a_start_that_cannot_write_its_epoch_serves_nobody() {
    let mut bench = Bench::new();
    bench.disk.slow = true;
    bench.crash();
    assert!(!bench.hss.is_serving());
    bench.fail_disk();
    assert!(!bench.hss.is_serving());
    let call = bench.verb(1, "suspend");
    assert_eq!(bench.reply(call).unwrap().0, 503);
}

#[test]
fn an_import_that_was_not_synced_never_happened() {
    let mut bench = Bench::with(config(), Vec::new());
    let conn = bench.connect(MME1);
    bench.disk.slow = true;
    bench.hss.import(bench.now, vec![row(1)]).unwrap();
    bench.drain();
    // No vector goes out before the row is durable: a second import would start from its SQN again.
    let request = bench.air(conn, 1);
    bench.send(conn, request.to_message());
    assert!(bench.try_receive(conn).is_none());
    bench.disk.slow = false;
    bench.crash();
    assert_eq!(bench.get("/v1/subscribers")["total"], 0);
}

#[test]
fn the_store_wins_over_the_file() {
    let mut bench = Bench::new();
    bench.order(1, "suspend");
    bench.crash();
    let mut again = row(1);
    again.state = State::Active;
    again.sqn = Some(0);
    bench.hss.import(bench.now, vec![again, row(4)]).unwrap();
    bench.drain();
    assert_eq!(bench.state_of(1), "suspended");
    assert!(
        bench
            .events
            .contains(&Event::Imported { added: 1, kept: 1 })
    );
    assert_eq!(bench.get("/v1/subscribers")["total"], 4);
}

#[test]
fn an_import_before_the_store_is_read_is_checked_against_it_then() {
    let with_address = |n, address: &str| {
        let mut r = row(n);
        r.apns[0].static_ip = Some(address.parse().unwrap());
        r
    };
    let mut bench = Bench::with(config(), vec![with_address(1, "10.0.0.9")]);
    let mut second = Bench::unstarted(config());
    core::mem::swap(&mut second.disk, &mut bench.disk);
    let rows = vec![with_address(2, "10.0.0.9"), row(3)];
    second.hss.import(second.now, rows).unwrap();
    let twice = second.hss.import(second.now, vec![row(3)]).unwrap_err();
    assert_eq!(twice.len(), 1, "a second file clashes with the first");
    second.hss.start(second.now);
    second.drain();
    second.get("/v1/cuts");
    let refused = |e: &Event| matches!(e, Event::ImportRefused { errors: 1, why } if why.contains("10.0.0.9"));
    assert!(second.events.iter().any(refused));
    assert_eq!(
        second.get("/v1/subscribers")["total"],
        1,
        "all of it is refused"
    );
}

#[test]
fn an_unanswered_cancellation_survives_a_restart() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    let cut = bench.order(1, "suspend");
    assert_eq!(cut["verdict"], "dark");
    bench.crash();
    let conn = bench.connect(MME1);
    let (request, message) = bench.expect_clr(conn);
    assert_eq!(
        request.cancellation_type,
        CancellationType::SUBSCRIPTION_WITHDRAWAL
    );
    assert_eq!(request.imsi, imsi(1));
    bench.answer_clr(conn, &message, AnswerResult::SUCCESS);
    let path = format!("/v1/cuts/{}", cut["cut"].as_str().unwrap());
    assert_eq!(bench.get(&path)["clean"], true);
    bench.crash();
    assert_eq!(bench.get(&path)["clean"], true);
    let conn = bench.connect(MME1);
    assert!(bench.try_receive(conn).is_none());
}

#[test]
fn a_gateway_that_had_not_answered_is_told_again_after_a_restart() {
    let mut bench = Bench::new();
    bench.gateways = Gateways::Silent;
    bench.verb(1, "suspend");
    assert_eq!(bench.calls.len(), 2);
    bench.crash();
    assert_eq!(bench.calls.len(), 2, "told anew, with the same version");
    bench.answer_gateways();
    let list = bench.get("/v1/cuts");
    let path = format!("/v1/cuts/{}", list["cuts"][0]["cut"].as_str().unwrap());
    let cut = bench.get(&path);
    assert_eq!(cut["dark"], true);
    assert!(
        cut["not_observable"]
            .to_string()
            .contains("lost in a restart")
    );
    assert_eq!(cut["t1"], json!(null));
    bench.crash();
    assert!(bench.calls.is_empty());
}

#[test]
fn a_cut_whose_commit_was_lost_is_given_again_with_a_higher_version() {
    let mut bench = Bench::new();
    bench.disk.slow = true;
    bench.gateways = Gateways::Silent;
    bench.verb(1, "suspend");
    let version = |bench: &Bench| {
        let (_, _, request) = bench.calls.back().unwrap();
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        body["version"].as_u64().unwrap()
    };
    let lost = version(&bench);
    bench.disk.slow = false;
    bench.crash();
    assert_eq!(bench.state_of(1), "standby");
    bench.verb(1, "suspend");
    assert!(
        version(&bench) > lost,
        "a lift of the second also lifts the first"
    );
    assert_eq!(bench.state_of(1), "suspended");
}

#[test]
fn locations_survive() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    bench.crash();
    let (one, two) = (bench.connect(MME1), bench.connect(MME2));
    bench.attach(two, 1);
    let (request, _) = bench.expect_clr(one);
    assert_eq!(
        request.cancellation_type,
        CancellationType::MME_UPDATE_PROCEDURE
    );
}

#[test]
fn a_store_that_cannot_be_read_is_not_served() {
    type Harm = fn(&mut Vec<heiiki_types::Record>);
    let mut good = Bench::new();
    let conn = good.connect(MME1);
    good.attach(conn, 1);
    let rows = good.disk.loaded();
    let damage: [Harm; 5] = [
        |rows| rows.retain(|r| r.table != 0),
        |rows| rows.retain(|r| r.table != 1),
        |rows| rows[1].value.as_mut().unwrap().truncate(5),
        |rows| rows[0].value.as_mut().unwrap()[0] = 9,
        |rows| rows[1].table = 99,
    ];
    for (n, harm) in damage.into_iter().enumerate() {
        let mut bench = Bench::unstarted(config());
        let mut harmed = rows.clone();
        harm(&mut harmed);
        for record in &harmed {
            let key = (record.table, record.key.clone());
            bench.disk.rows.insert(key, record.value.clone().unwrap());
        }
        bench.crash();
        assert!(!bench.hss.is_serving(), "harm {n}");
        let told = |e: &Event| matches!(e, Event::StoreUnreadable { .. });
        assert!(bench.events.iter().any(told), "harm {n}");
    }
}

/// Every row of the store, cut short or with a bit turned: served or refused, never a panic.
#[test]
fn no_octets_on_the_disk_make_a_start_panic() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    bench.verb(1, "suspend");
    let rows = bench.disk.loaded();
    let mut rng = Rng::from_seed(3);
    for _ in 0..3_000 {
        let mut harmed = rows.clone();
        let row = usize::try_from(rng.below(rows.len() as u64)).unwrap();
        let value = harmed[row].value.as_mut().unwrap();
        if rng.chance(0.3) {
            value.truncate(usize::try_from(rng.below(value.len() as u64)).unwrap());
        } else {
            let at = usize::try_from(rng.below(value.len() as u64)).unwrap();
            value[at] ^= 1 << rng.below(8);
        }
        let mut fresh = Bench::unstarted(config());
        for record in &harmed {
            let key = (record.table, record.key.clone());
            fresh.disk.rows.insert(key, record.value.clone().unwrap());
        }
        fresh.crash();
        fresh.advance(Duration::from_secs(1));
    }
}

#[test]
fn a_clean_end_writes_the_marks_that_are_due() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    for _ in 0..=LEAD / 2 {
        bench.one_sqn(conn, 1);
    }
    let before = bench.disk.batches;
    bench.hss.stop(bench.now);
    bench.drain();
    assert_eq!(bench.disk.batches, before + 1);
    let message = bench.receive(conn);
    assert_eq!(
        message.command,
        heiiki_diameter::CommandCode::DISCONNECT_PEER
    );
}
