//! Master keys, a full disk, and restored stores.

use super::bench::*;
use crate::auc::sqn::{LEAD, RESTORED_EPOCHS};
use crate::{Event, Hss, Input, StoreKeys};
use core::time::Duration;
use heiiki_diameter::{AnswerResult, CommandCode};
use heiiki_types::{ConnId, Key256, Method, StorageInput};

fn keys(current: u8, previous: &[u8]) -> StoreKeys {
    let key = |n| Key256::new([n; 32]);
    StoreKeys::new(key(current), previous.iter().map(|n| key(*n)).collect())
}

/// Starts a bench's HSS anew with other master keys.
fn restart(bench: &mut Bench, keys: &StoreKeys) {
    bench.restart_with(|hss: Hss| hss.with_store_keys(keys));
}

fn asked(bench: &mut Bench, conn: ConnId, n: u32) -> AnswerResult {
    let request = bench.air(conn, n);
    bench.ask_vectors(conn, &request).result
}

fn status(bench: &mut Bench, n: u32, verb: &str) -> u16 {
    let call = bench.verb(n, verb);
    bench.reply(call).expect("a reply at once").0
}

#[test]
fn no_row_of_the_store_holds_a_secret() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    bench.verb(1, "suspend");
    let secrets: Vec<_> = (1..=3)
        .map(row)
        .flat_map(|r| [*r.k.expose(), *r.opc.expose()])
        .collect();
    for record in bench.disk.loaded() {
        let value = record.value.unwrap();
        for secret in &secrets {
            assert!(!value.windows(16).any(|w| w == secret), "{}", record.table);
        }
    }
}

#[test]
fn a_wrong_master_key_is_refused_and_changes_nothing() {
    let mut bench = Bench::new();
    let rows = bench.disk.loaded();
    restart(&mut bench, &keys(9, &[8]));
    assert!(!bench.hss.is_serving());
    let told = bench
        .events
        .iter()
        .any(|e| matches!(e, Event::StoreKeyMissing { given, .. } if given.len() == 2));
    assert!(told);
    assert_eq!(bench.disk.loaded(), rows);
    // The positive control.
    restart(&mut bench, &store_keys());
    assert!(bench.hss.is_serving());
}

#[test]
fn rows_are_sealed_with_a_new_key_while_the_hss_serves() {
    let mut bench = Bench::with(config(), (1..=600).map(row).collect());
    let both = keys(2, &[]).with_previous(&store_keys());
    bench.disk.slow = true;
    restart(&mut bench, &both);
    // The epoch and the first rows; then a crash: both keys are still needed, and the rest follows.
    assert!(bench.sync_one() && bench.sync_one());
    bench.disk.slow = false;
    restart(&mut bench, &keys(2, &[]));
    assert!(!bench.hss.is_serving());
    bench.events.clear();
    restart(&mut bench, &both);
    assert!(bench.hss.is_serving());
    let over = |e: &Event| matches!(e, Event::StoreKeyRotated { failed: 0, .. });
    assert!(bench.events.iter().any(over), "{:?}", bench.events);
    // The old key can go.
    restart(&mut bench, &keys(2, &[]));
    assert!(bench.hss.is_serving());
    let conn = bench.connect(MME1);
    bench.one_sqn(conn, 1);
}

/// Connects an MME, which hears of the restore first.
fn connect_after_restore(bench: &mut Bench) -> ConnId {
    let conn = bench.connect(MME1);
    assert_eq!(bench.receive(conn).command, CommandCode::RESET);
    conn
}

#[test]
fn a_restored_store_is_far_ahead() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    let last = (0..10).map(|_| bench.one_sqn(conn, 1)).last().unwrap();
    bench.restart_with(Hss::after_restore);
    let conn = connect_after_restore(&mut bench);
    let next = bench.one_sqn(conn, 1);
    assert!(next.seq() >= RESTORED_EPOCHS * LEAD, "{last:?} {next:?}");
    assert!(next.seq() < (1 << 20) + 2 * LEAD + 10);
    // Only that start.
    bench.crash();
    // The reset is not answered yet.
    let conn = connect_after_restore(&mut bench);
    let after = bench.one_sqn(conn, 1);
    assert!(after.seq() > next.seq() && after.seq() < next.seq() + 2 * LEAD);
}

/// Goal: one backup restored again and again never leads to numbers that were used after an earlier
/// time, whether the clock tells or the epoch that is known from elsewhere.
#[test]
fn a_backup_restored_twice_goes_on_above_the_first_time() {
    for by_clock in [true, false] {
        let mut bench = Bench::new();
        let conn = bench.connect(MME1);
        bench.one_sqn(conn, 1);
        let backup = bench.disk.rows.clone();
        let mut last = 0;
        for _ in 0..4 {
            bench.disk.rows.clone_from(&backup);
            let known = bench.hss.epoch.0;
            if by_clock {
                bench.advance(Duration::from_secs(61));
                bench.restart_with(Hss::after_restore);
            } else {
                bench.restart_with(|hss| hss.after_restore().with_known_epoch(known));
            }
            let conn = connect_after_restore(&mut bench);
            for _ in 0..LEAD {
                let seq = bench.one_sqn(conn, 1).seq();
                assert!(seq > last, "{seq} after {last}");
                last = seq;
            }
        }
        assert!(last < crate::auc::sqn::DELTA, "a USIM takes it: {last}");
    }
}

/// Goal: a store that is older than what ran last is not served as if nothing were.
#[test]
fn an_older_store_is_refused_unless_it_is_said_to_be_restored() {
    let mut bench = Bench::new();
    let backup = bench.disk.rows.clone();
    bench.crash();
    let known = bench.hss.epoch.0;
    bench.restart_with(|hss| hss.with_known_epoch(known));
    assert!(bench.hss.is_serving(), "the one that ran last");
    let known = bench.hss.epoch.0;
    bench.disk.rows.clone_from(&backup);
    bench.restart_with(|hss| hss.with_known_epoch(known));
    assert!(!bench.hss.is_serving());
    let told =
        |e: &Event| matches!(e, Event::StoreUnreadable { why, .. } if why.contains("--restored"));
    assert!(bench.events.iter().any(told));
    bench.restart_with(|hss| hss.with_known_epoch(known).after_restore());
    assert!(bench.hss.is_serving());
}

/// Goal: after a restore every MME hears a reset, one by one: those of the backup by the start
/// itself, others when they connect, each once; and none after an ordinary start.
#[test]
fn after_a_restore_mmes_are_told_by_the_start_itself() {
    let resets = |bench: &mut Bench, conn: ConnId| {
        core::iter::from_fn(|| bench.try_receive(conn))
            .filter(|m| m.command == CommandCode::RESET && m.flags.request)
            .count()
    };
    let mut bench = Bench::new();
    let one = bench.connect(MME1);
    bench.attach(one, 1);
    bench.crash();
    let one = bench.connect(MME1);
    bench.advance(Duration::from_secs(5));
    assert_eq!(resets(&mut bench, one), 0, "an ordinary start");
    bench.restart_with(Hss::after_restore);
    let (two, one) = (bench.connect(MME2), bench.connect(MME1));
    // The known one is told at once; the other one after the pause.
    assert_eq!(resets(&mut bench, one), 1);
    assert_eq!(resets(&mut bench, two), 0, "paced");
    bench.advance(Duration::from_secs(2));
    assert_eq!(resets(&mut bench, two), 1);
    bench.hang_up(two);
    let two = bench.connect(MME2);
    bench.advance(Duration::from_millis(500));
    assert!(resets(&mut bench, two) <= 1, "at most the one not answered");
}

#[test]
fn a_full_disk_serves_what_needs_no_write_and_goes_on_when_there_is_room() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    bench.disk.slow = true;
    bench.input(Input::Storage(StorageInput::Unavailable));
    assert!(bench.events.contains(&Event::StoreUnavailable));
    // Vectors from what is leased, and no more.
    let mut served = 0;
    while asked(&mut bench, conn, 1) == AnswerResult::SUCCESS {
        served += 1;
        assert!(served <= 2 * LEAD);
    }
    assert!(served >= LEAD / 2, "{served}");
    // A cut has its effect, and its caller hears that it is not durable; no SIM is given back.
    assert_eq!(status(&mut bench, 2, "suspend"), 503);
    assert_eq!(bench.state_of(2), "suspended");
    assert_eq!(status(&mut bench, 2, "resume"), 503);
    bench.disk.slow = false;
    bench.sync();
    bench.input(Input::Storage(StorageInput::Available));
    bench.advance(Duration::from_secs(1));
    assert!(bench.events.contains(&Event::StoreAvailable));
    assert_eq!(asked(&mut bench, conn, 1), AnswerResult::SUCCESS);
    assert_eq!(status(&mut bench, 3, "suspend"), 200);
    bench.crash();
    assert_eq!(bench.state_of(2), "suspended");
}

/// Goal: whoever waits for a write when the disk turns out to be full hears so at once.
#[test]
fn a_change_that_waits_when_the_disk_becomes_full_is_answered() {
    let mut bench = Bench::new();
    bench.disk.slow = true;
    let body = br#"{"group": "depot"}"#;
    let path = format!("/v1/subscribers/{}", imsi(1));
    let call = bench.http(Method::Patch, &path, Some("admin"), body);
    assert_eq!(bench.reply(call), None, "it waits for the disk");
    bench.input(Input::Storage(StorageInput::Unavailable));
    let (status, told) = bench.reply(call).expect("a reply at once");
    assert_eq!(status, 503);
    assert_eq!(told["error"]["code"], "store_full", "{told}");
    // It is written when there is room, and may be repeated.
    bench.disk.slow = false;
    bench.sync();
    bench.input(Input::Storage(StorageInput::Available));
    let call = bench.http(Method::Patch, &path, Some("admin"), body);
    assert_eq!(bench.reply(call).map(|r| r.0), Some(200));
    bench.crash();
    assert_eq!(bench.get(&path)["group"], "depot");
}

/// Goal: a bulk order that was refused for want of room is not given later.
#[test]
fn a_bulk_order_that_waits_when_the_disk_becomes_full_is_refused_for_good() {
    let mut bench = Bench::new();
    bench.disk.slow = true;
    let body = serde_json::json!({
        "verb": "suspend", "reason": "lost", "actor": "night shift",
        "imsis": [imsi(1).to_string(), imsi(2).to_string()],
    });
    let body = serde_json::to_vec(&body).unwrap();
    let order = |bench: &mut Bench| bench.http(Method::Post, "/v1/bulk", Some("admin"), &body);
    let call = order(&mut bench);
    assert_eq!(bench.reply(call), None, "it waits for the disk");
    bench.input(Input::Storage(StorageInput::Unavailable));
    let (status, told) = bench.reply(call).expect("a reply at once");
    assert_eq!(
        (status, &told["error"]["code"]),
        (503, &"store_full".into())
    );
    bench.disk.slow = false;
    bench.sync();
    bench.input(Input::Storage(StorageInput::Available));
    bench.advance(Duration::from_secs(5));
    assert_eq!(bench.state_of(1), "standby");
    bench.crash();
    bench.advance(Duration::from_secs(5));
    assert_eq!(bench.state_of(1), "standby");
    // Given again, it is carried out.
    let call = order(&mut bench);
    assert_eq!(bench.reply(call).map(|r| r.0), Some(202));
    bench.advance(Duration::from_secs(5));
    assert_eq!(bench.state_of(1), "suspended");
}
