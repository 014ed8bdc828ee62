use core::time::Duration;

use heiiki_diameter::s6a::{
    self, CancellationType, PdnType, ServiceSelection, UpdateLocationAnswer, clr_flags,
    error_diagnostic, pua_flags, ula_flags, ulr_flags,
};
use heiiki_diameter::{AnswerResult, ResultCode};

use super::bench::{Bench, DRA, MME1, MME2, config, imsi, row};
use crate::event::Event;
use crate::{State, SuspendedAnswer, Tenant, TenantRule};

#[test]
fn the_first_location_update_makes_a_sim_active_and_brings_its_profile() {
    let mut rows = vec![row(1)];
    rows[0].apns[0].static_ip = Some("10.20.0.9".parse().unwrap());
    let mut second = rows[0].apns[0].clone();
    second.apn = "voice.acme".parse().unwrap();
    second.static_ip = None;
    rows[0].apns.push(second);
    let mut bench = Bench::with(config(), rows);
    let conn = bench.connect(MME1);
    assert_eq!(bench.state_of(1), "standby");
    let answer = bench.update(conn, 1);
    assert_eq!(answer.result, AnswerResult::SUCCESS);
    assert_eq!(answer.ula_flags, Some(ula_flags::SEPARATION));
    let data = answer.subscription.unwrap();
    assert_eq!(data.subscriber_status, Some(0));
    assert_eq!(data.msisdn, Some("819012345678".parse().unwrap()));
    assert_eq!(data.ue_ambr.unwrap().uplink_bps, 50_000_000);
    let profile = data.apn_profile.unwrap();
    assert!(profile.all_apn_included);
    let default = profile.default_apn().unwrap();
    assert_eq!(
        default.apn,
        ServiceSelection::Apn("corp.acme".parse().unwrap())
    );
    assert_eq!(default.pdn_type, PdnType::V4);
    assert_eq!(
        default.served_party_ips,
        ["10.20.0.9".parse::<core::net::IpAddr>().unwrap()]
    );
    assert_eq!(profile.apns.len(), 2);
    assert_eq!(bench.state_of(1), "active");
    let shown = bench.get(&format!("/v1/subscribers/{}", imsi(1)));
    assert_eq!(shown["location"]["host"], MME1);
}

/// The rows of the table of results at the location update.
#[test]
fn results_by_state() {
    let mut config = config();
    config.tenants = vec![Tenant {
        name: "diagnostic".into(),
        rule: TenantRule {
            suspended_answer: SuspendedAnswer::RoamingNotAllowed,
            ..TenantRule::default()
        },
    }];
    let states = [
        (State::Ready, AnswerResult::SUCCESS),
        (State::Standby, AnswerResult::SUCCESS),
        (State::Active, AnswerResult::SUCCESS),
        (State::Inactive, ResultCode::UNABLE_TO_COMPLY.into()),
        (State::Suspended, s6a::USER_UNKNOWN),
        (State::Terminated, s6a::USER_UNKNOWN),
    ];
    let mut rows: Vec<_> = (1..)
        .zip(states)
        .map(|(n, (state, _))| {
            let mut r = row(n);
            r.state = state;
            r
        })
        .collect();
    let mut diagnostic = row(7);
    diagnostic.state = State::Suspended;
    diagnostic.tenant = "diagnostic".into();
    rows.push(diagnostic);
    let mut bench = Bench::with(config, rows);
    let conn = bench.connect(MME1);
    for (n, (state, want)) in (1..).zip(states) {
        let answer = bench.update(conn, n);
        assert_eq!(answer.result, want, "{state}");
        assert_eq!(answer.subscription.is_some(), want.is_success());
        assert_eq!(answer.error_diagnostic, None);
    }
    let answer = bench.update(conn, 7);
    assert_eq!(answer.result, s6a::ROAMING_NOT_ALLOWED);
    assert_eq!(answer.error_diagnostic, Some(error_diagnostic::ODB_ALL_APN));
    assert_eq!(bench.update(conn, 99).result, s6a::USER_UNKNOWN);
}

#[test]
fn with_the_state_check_off_every_known_sim_is_served_and_keeps_its_state() {
    let mut config = config();
    config.protections.sim_state = false;
    let mut rows = vec![row(1)];
    rows[0].state = State::Suspended;
    let mut bench = Bench::with(config, rows);
    let conn = bench.connect(MME1);
    assert_eq!(bench.update(conn, 1).result, AnswerResult::SUCCESS);
    assert_eq!(bench.state_of(1), "suspended");
}

#[test]
fn rat_and_network_are_checked() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    let mut request = bench.ulr(conn, 1);
    request.rat_type = 1000;
    bench.send(conn, request.to_message());
    let answer = UpdateLocationAnswer::from_message(&bench.receive(conn)).unwrap();
    assert_eq!(answer.result, s6a::RAT_NOT_ALLOWED);
    let mut request = bench.ulr(conn, 1);
    request.visited_plmn = "00102".parse().unwrap();
    bench.send(conn, request.to_message());
    let answer = UpdateLocationAnswer::from_message(&bench.receive(conn)).unwrap();
    assert_eq!(answer.result, s6a::ROAMING_NOT_ALLOWED);
    assert_eq!(bench.state_of(1), "standby");
}

#[test]
fn a_move_cancels_at_the_previous_mme_and_never_at_the_sender() {
    let mut bench = Bench::new();
    let (one, two) = (bench.connect(MME1), bench.connect(MME2));
    bench.attach(one, 1);
    bench.attach(one, 1);
    assert!(
        bench.try_receive(one).is_none(),
        "the same MME again: nobody is cancelled"
    );
    bench.attach(two, 1);
    let (request, message) = bench.expect_clr(one);
    assert_eq!(
        request.cancellation_type,
        CancellationType::MME_UPDATE_PROCEDURE
    );
    assert_eq!(request.clr_flags, Some(clr_flags::S6A));
    assert_eq!(request.destination_host, MME1);
    assert_eq!(request.imsi, imsi(1));
    bench.answer_clr(one, &message, AnswerResult::SUCCESS);
    assert!(bench.try_receive(two).is_none());
    assert_eq!(bench.hss.cancellations.len(), 0);
    // The answer to a move does not end the registration at the new MME.
    let shown = bench.get(&format!("/v1/subscribers/{}", imsi(1)));
    assert_eq!(shown["mme"], MME2);
}

#[test]
fn a_sim_that_moves_back_is_not_cancelled_by_the_older_move() {
    let mut bench = Bench::new();
    let (one, two) = (bench.connect(MME1), bench.connect(MME2));
    bench.attach(one, 1);
    bench.hang_up(one);
    bench.attach(two, 1);
    assert_eq!(bench.hss.cancellations.len(), 1, "MME 1 is away");
    let one = bench.connect(MME1);
    bench.expect_clr(one);
    // No answer; the UE comes back to MME 1 meanwhile.
    bench.attach(one, 1);
    let (request, message) = bench.expect_clr(two);
    assert_eq!(request.destination_host, MME2);
    bench.answer_clr(two, &message, AnswerResult::SUCCESS);
    bench.advance(Duration::from_mins(2));
    while let Some(message) = bench.try_receive(one) {
        assert_ne!(
            message.command,
            heiiki_diameter::CommandCode::CANCEL_LOCATION
        );
    }
}

#[test]
fn a_cancellation_after_a_move_is_given_up_in_the_end() {
    let mut bench = Bench::new();
    let (one, two) = (bench.connect(MME1), bench.connect(MME2));
    bench.attach(one, 1);
    bench.attach(two, 1);
    let mut sent = 0;
    for _ in 0..600 {
        while let Some(message) = bench.try_receive(one) {
            if message.command == heiiki_diameter::CommandCode::CANCEL_LOCATION {
                sent += 1;
                bench.answer_clr(one, &message, ResultCode::TOO_BUSY.into());
            }
        }
        bench.advance(Duration::from_secs(1));
        if bench.hss.cancellations.len() == 0 {
            break;
        }
    }
    assert_eq!(sent, 8);
    let given_up = |e: &Event| matches!(e, Event::CancelUnanswered { again: false, .. });
    assert!(bench.events.iter().any(given_up));
    assert!(
        !bench.disk.rows.keys().any(|(table, _)| *table == 6),
        "and forgotten"
    );
}

#[test]
fn a_registration_is_durable_before_it_is_answered() {
    let mut bench = Bench::new();
    let (one, two) = (bench.connect(MME1), bench.connect(MME2));
    bench.attach(one, 1);
    bench.disk.slow = true;
    let request = bench.ulr(two, 1);
    bench.send(two, request.to_message());
    bench.send(two, request.to_message());
    assert!(
        bench.try_receive(two).is_none(),
        "not even the repeated one"
    );
    assert!(bench.try_receive(one).is_none());
    bench.sync();
    for _ in 0..2 {
        let answer = UpdateLocationAnswer::from_message(&bench.receive(two)).unwrap();
        assert_eq!(answer.result, AnswerResult::SUCCESS);
    }
    bench.expect_clr(one);
    // A registration that changes nothing needs no disk.
    assert_eq!(bench.update(two, 1).result, AnswerResult::SUCCESS);
}

#[test]
fn a_failed_disk_refuses_new_registrations_and_keeps_the_old_one() {
    let mut bench = Bench::new();
    let (one, two) = (bench.connect(MME1), bench.connect(MME2));
    bench.attach(one, 1);
    bench.disk.slow = true;
    let request = bench.ulr(two, 1);
    bench.send(two, request.to_message());
    bench.fail_disk();
    let answer = UpdateLocationAnswer::from_message(&bench.receive(two)).unwrap();
    assert_eq!(answer.result, ResultCode::UNABLE_TO_COMPLY.into());
    assert_eq!(
        bench.update(two, 1).result,
        ResultCode::UNABLE_TO_COMPLY.into()
    );
    assert_eq!(bench.update(one, 1).result, AnswerResult::SUCCESS);
    assert!(bench.try_receive(one).is_none());
}

#[test]
fn subscriber_data_is_left_out_only_for_the_mme_that_has_it() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    let mut request = bench.ulr(conn, 1);
    request.ulr_flags |= ulr_flags::SKIP_SUBSCRIBER_DATA;
    let ask = |bench: &mut Bench| {
        bench.send(conn, request.to_message());
        UpdateLocationAnswer::from_message(&bench.receive(conn)).unwrap()
    };
    assert!(
        ask(&mut bench).subscription.is_some(),
        "a first registration"
    );
    assert!(ask(&mut bench).subscription.is_none());
    bench.purge(conn, 1);
    assert!(ask(&mut bench).subscription.is_some(), "after a purge");
}

#[test]
fn a_purge_counts_from_the_serving_mme_only() {
    let mut bench = Bench::new();
    let (one, two) = (bench.connect(MME1), bench.connect(MME2));
    bench.attach(one, 1);
    let other = bench.purge(two, 1);
    assert_eq!(
        (other.result, other.pua_flags),
        (AnswerResult::SUCCESS, Some(0))
    );
    let own = bench.purge(one, 1);
    assert_eq!(own.pua_flags, Some(pua_flags::FREEZE_M_TMSI));
    assert_eq!(bench.purge(one, 99).result, s6a::USER_UNKNOWN);
    // Nothing is sent to a node that has purged.
    bench.attach(two, 1);
    assert!(bench.try_receive(one).is_none());
    bench.order(2, "suspend");
    bench.purge(two, 1);
    bench.order(1, "suspend");
    assert!(bench.try_receive(two).is_none());
}

#[test]
fn requests_go_back_by_the_agent_that_the_mme_was_learned_from() {
    let mut bench = Bench::new();
    let (agent, two) = (bench.connect(DRA), bench.connect(MME2));
    let mut request = bench.ulr(agent, 1);
    request.origin_host = "mme5.visited.example".into();
    request.origin_realm = "visited.example".into();
    request.visited_plmn = "00102".parse().unwrap();
    request.route_record = vec!["mme5.visited.example".into()];
    let mut message = request.to_message();
    let proxy = heiiki_diameter::Avp::group(
        &heiiki_diameter::dictionary::PROXY_INFO,
        &[
            heiiki_diameter::Avp::text(&heiiki_diameter::dictionary::PROXY_HOST, DRA),
            heiiki_diameter::Avp::octets(&heiiki_diameter::dictionary::PROXY_STATE, [7; 3]),
        ],
    );
    message.avps.push(proxy.clone());
    bench.send(agent, message);
    let answer = bench.receive(agent);
    assert_eq!(answer.result(), Some(AnswerResult::SUCCESS));
    assert!(answer.avps.contains(&proxy), "Proxy-Info comes back");
    bench.attach(two, 1);
    let (request, _) = bench.expect_clr(agent);
    assert_eq!(request.destination_host, "mme5.visited.example");
    assert_eq!(request.destination_realm, "visited.example");
}

/// Goal: whatever batch a crash loses, an MME that a SIM has moved away from is told, once the move
/// itself is durable.
/// Method: move, let so many batches become durable, crash, let the old MME connect.
#[test]
fn a_crash_right_after_a_move_does_not_lose_its_cancellation() {
    for batches in 0..4 {
        let mut bench = Bench::new();
        let (one, two) = (bench.connect(MME1), bench.connect(MME2));
        bench.attach(one, 1);
        bench.disk.slow = true;
        let request = bench.ulr(two, 1);
        bench.send(two, request.to_message());
        for _ in 0..batches {
            bench.sync_one();
        }
        bench.crash();
        bench.disk.slow = false;
        bench.sync();
        let one = bench.connect(MME1);
        let shown = bench.get(&format!("/v1/subscribers/{}", imsi(1)));
        if shown["mme"] == MME1 {
            assert_eq!(batches, 0, "the move was durable");
            assert!(bench.try_receive(one).is_none());
            continue;
        }
        let (request, message) = bench.expect_clr(one);
        assert_eq!(
            request.cancellation_type,
            CancellationType::MME_UPDATE_PROCEDURE
        );
        bench.answer_clr(one, &message, AnswerResult::SUCCESS);
        assert_eq!(bench.hss.cancellations.len(), 0);
        // And only once.
        bench.crash();
        let one = bench.connect(MME1);
        assert!(bench.try_receive(one).is_none());
    }
}

/// Goal: of two moves that wait for the disk at once, the first one's cancellation is void: the SIM
/// is there again.
#[test]
fn a_sim_that_moves_there_and_back_while_the_disk_is_slow_is_cancelled_at_the_other_one() {
    let mut bench = Bench::new();
    let (one, two) = (bench.connect(MME1), bench.connect(MME2));
    bench.attach(one, 1);
    bench.disk.slow = true;
    let there = bench.ulr(two, 1);
    bench.send(two, there.to_message());
    let back = bench.ulr(one, 1);
    bench.send(one, back.to_message());
    bench.sync();
    let command = heiiki_diameter::CommandCode::CANCEL_LOCATION;
    let heard = |bench: &mut Bench, conn| {
        core::iter::from_fn(|| bench.try_receive(conn))
            .filter(|m| m.command == command && m.flags.request)
            .count()
    };
    assert_eq!(heard(&mut bench, one), 0, "it is here");
    assert_eq!(heard(&mut bench, two), 1);
    let shown = bench.get(&format!("/v1/subscribers/{}", imsi(1)));
    assert_eq!(shown["mme"], MME1);
}

/// Goal: a move that the disk refuses leaves nothing behind.
#[test]
fn a_move_that_is_not_durable_cancels_nothing() {
    let mut bench = Bench::new();
    let (one, two) = (bench.connect(MME1), bench.connect(MME2));
    bench.attach(one, 1);
    bench.disk.slow = true;
    let request = bench.ulr(two, 1);
    bench.send(two, request.to_message());
    bench.input(crate::Input::Storage(
        heiiki_types::StorageInput::Unavailable,
    ));
    let answer = UpdateLocationAnswer::from_message(&bench.receive(two)).unwrap();
    assert_eq!(answer.result, ResultCode::UNABLE_TO_COMPLY.into());
    bench.disk.slow = false;
    bench.sync();
    bench.input(crate::Input::Storage(heiiki_types::StorageInput::Available));
    assert!(bench.try_receive(one).is_none());
    assert_eq!(bench.hss.cancellations.len(), 0);
    bench.crash();
    assert!(
        !bench.disk.rows.keys().any(|(table, _)| *table == 6),
        "no row of a cancellation"
    );
}
