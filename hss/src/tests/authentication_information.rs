use heiiki_diameter::s6a::{self, AuthenticationInformationAnswer, RequestedAuthenticationInfo};
use heiiki_diameter::{AnswerResult, ResultCode};
use heiiki_nas::kdf;
use heiiki_types::{Key256, PlmnId};

use super::bench::{Bench, MME1, config, imsi, open_vector, plmn, row, sim};
use crate::auc::auts;
use crate::auc::sqn::{DELTA, LEAD, Sqn};
use crate::event::{Event, Resynchronisation};
use crate::{RefuseAt, State, Tenant, TenantRule};

fn unable() -> AnswerResult {
    ResultCode::UNABLE_TO_COMPLY.into()
}

/// RAND || AUTS of SIM `n` whose USIM accepted `seq` last.
fn resync(n: u32, rand: [u8; 16], seq: u64) -> [u8; 30] {
    let token = auts::seal(&sim(n), &rand, Sqn::new(seq, 3).unwrap());
    let mut info = [0; 30];
    info[..16].copy_from_slice(&rand);
    info[16..].copy_from_slice(&token);
    info
}

fn ask_with(
    bench: &mut Bench,
    conn: heiiki_types::ConnId,
    info: [u8; 30],
) -> AuthenticationInformationAnswer {
    let mut request = bench.air(conn, 1);
    request.requested_eutran.as_mut().unwrap().resync = Some(info);
    bench.ask_vectors(conn, &request)
}

fn last_resync(bench: &Bench) -> Option<Resynchronisation> {
    bench.events.iter().rev().find_map(|e| match e {
        Event::AuthenticationInformation {
            resynchronisation, ..
        } => Some(*resynchronisation),
        _ => None,
    })?
}

#[test]
fn a_vector_is_what_the_usim_accepts_and_its_kasme_is_for_the_visited_network() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    let request = bench.air(conn, 1);
    let answer = bench.ask_vectors(conn, &request);
    let vector = &answer.vectors[0];
    assert_eq!(vector.item, None);
    let sqn = open_vector(1, vector);
    assert_eq!(sqn.seq(), 1);
    let (_, ck, ik, ak) = sim(1).f2345(&vector.rand);
    let hidden = ak.xor(sqn.octets());
    let key = |plmn: PlmnId| kdf::kasme(&ck, &ik, plmn, hidden);
    assert!(vector.kasme == key(plmn()));
    assert!(vector.kasme != key("00102".parse().unwrap()));
    assert!(vector.kasme != Key256::new([0; 32]));
}

#[test]
fn several_vectors_are_numbered_and_their_sqns_rise() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    let mut request = bench.air(conn, 1);
    request.requested_eutran.as_mut().unwrap().vectors = 3;
    let answer = bench.ask_vectors(conn, &request);
    let items: Vec<_> = answer.vectors.iter().map(|v| v.item).collect();
    assert_eq!(items, [Some(1), Some(2), Some(3)]);
    let sqns: Vec<_> = answer.vectors.iter().map(|v| open_vector(1, v)).collect();
    assert!(sqns.is_sorted() && sqns[0].ind() != sqns[1].ind());
    // No request gets more than the HSS gives, and zero means one.
    request.requested_eutran.as_mut().unwrap().vectors = u32::MAX;
    assert_eq!(bench.ask_vectors(conn, &request).vectors.len(), 5);
    request.requested_eutran.as_mut().unwrap().vectors = 0;
    assert_eq!(bench.ask_vectors(conn, &request).vectors.len(), 1);
}

#[test]
fn who_gets_no_vectors() {
    let mut config = config();
    config.tenants = vec![Tenant {
        name: "strict".into(),
        rule: TenantRule {
            refuse_at: RefuseAt::Air,
            ..TenantRule::default()
        },
    }];
    let mut rows = vec![row(1), row(2), row(3), row(4), row(5)];
    rows[0].state = State::Inactive;
    rows[1].state = State::Suspended;
    rows[2].state = State::Terminated;
    for strict in [3, 4] {
        rows[strict].tenant = "strict".into();
    }
    rows[3].state = State::Inactive;
    rows[4].state = State::Suspended;
    let mut bench = Bench::with(config, rows);
    let conn = bench.connect(MME1);
    // The table of results: inactive and suspended SIMs are authenticated, so that the refusal at
    // the location update is integrity protected; a tenant may choose otherwise.
    for (n, want) in [
        (1, AnswerResult::SUCCESS),
        (2, AnswerResult::SUCCESS),
        (3, s6a::USER_UNKNOWN),
        (4, unable()),
        (5, s6a::USER_UNKNOWN),
        (9, s6a::USER_UNKNOWN),
    ] {
        let request = bench.air(conn, n);
        let answer = bench.ask_vectors(conn, &request);
        assert_eq!(answer.result, want, "SIM {n}");
        assert_eq!(answer.vectors.len(), usize::from(want.is_success()));
    }
}

#[test]
fn suspended_and_unknown_differ_in_the_audit_log() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.order(1, "terminate");
    for n in [1, 9] {
        let request = bench.air(conn, n);
        assert_eq!(bench.ask_vectors(conn, &request).result, s6a::USER_UNKNOWN);
    }
    let states: Vec<_> = bench
        .events
        .iter()
        .filter_map(|e| match e {
            Event::AuthenticationInformation { imsi, state, .. } => Some((*imsi, *state)),
            _ => None,
        })
        .collect();
    assert_eq!(
        states,
        [(imsi(1), Some(State::Terminated)), (imsi(9), None)]
    );
}

#[test]
fn a_network_that_is_not_on_the_peers_list_gets_5003() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    let mut request = bench.air(conn, 1);
    request.visited_plmn = "00102".parse().unwrap();
    let answer = bench.ask_vectors(conn, &request);
    assert_eq!(answer.result, ResultCode::AUTHORIZATION_REJECTED.into());
    assert!(answer.vectors.is_empty());
    assert_eq!(bench.one_sqn(conn, 1).seq(), 1, "no number was used up");
}

#[test]
fn requests_for_other_vectors() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    let info = |resync| {
        Some(RequestedAuthenticationInfo {
            vectors: 1,
            immediate_response_preferred: false,
            resync,
        })
    };
    let mut request = bench.air(conn, 1);
    request.requested_utran = info(None);
    assert_eq!(
        bench.ask_vectors(conn, &request).result,
        AnswerResult::SUCCESS
    );
    request.requested_eutran = None;
    let answer = bench.ask_vectors(conn, &request);
    assert_eq!(answer.result, s6a::AUTHENTICATION_DATA_UNAVAILABLE);
    request.requested_utran = None;
    assert_eq!(bench.ask_vectors(conn, &request).result, unable());
    // Two resynchronisations in one request.
    let token = resync(1, [9; 16], 500);
    request.requested_eutran = info(Some(token));
    request.requested_utran = info(Some(token));
    let answer = bench.ask_vectors(conn, &request);
    assert_eq!(answer.result, unable());
    assert!(answer.vectors.is_empty());
    assert_eq!(bench.one_sqn(conn, 1).seq(), 2, "and neither was taken");
}

#[test]
fn a_genuine_auts_raises_and_is_durable_before_the_answer() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.one_sqn(conn, 1);
    bench.disk.slow = true;
    let mut request = bench.air(conn, 1);
    request.requested_eutran.as_mut().unwrap().resync = Some(resync(1, [9; 16], 90_000));
    bench.send(conn, request.to_message());
    assert!(
        bench.try_receive(conn).is_none(),
        "the raise is not durable"
    );
    bench.sync();
    let answer = AuthenticationInformationAnswer::from_message(&bench.receive(conn)).unwrap();
    assert_eq!(open_vector(1, &answer.vectors[0]).seq(), 90_001);
    assert_eq!(
        last_resync(&bench),
        Some(Resynchronisation::Raised {
            from: 1,
            to: 90_000
        })
    );
    // A crash right now goes on above it.
    bench.disk.slow = false;
    bench.crash();
    let conn = bench.connect(MME1);
    assert!(bench.one_sqn(conn, 1).seq() > 90_001);
}

#[test]
fn a_replayed_auts_changes_nothing() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    let info = resync(1, [9; 16], 5_000);
    let first = ask_with(&mut bench, conn, info);
    assert_eq!(open_vector(1, &first.vectors[0]).seq(), 5_001);
    for n in 0..3 {
        let again = ask_with(&mut bench, conn, info);
        assert_eq!(open_vector(1, &again.vectors[0]).seq(), 5_002 + n);
        assert_eq!(last_resync(&bench), Some(Resynchronisation::Unchanged));
    }
}

#[test]
fn a_forged_auts_moves_nothing() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.one_sqn(conn, 1);
    for bit in 0..8 * 30 {
        let mut info = resync(1, [9; 16], 5_000);
        info[bit / 8] ^= 0x80 >> (bit % 8);
        let answer = ask_with(&mut bench, conn, info);
        assert_eq!(answer.result, s6a::AUTHENTICATION_DATA_UNAVAILABLE);
        assert!(answer.vectors.is_empty());
        assert_eq!(last_resync(&bench), Some(Resynchronisation::Forged));
    }
    // Another SIM's token is a forgery for this one.
    let answer = ask_with(&mut bench, conn, resync(2, [9; 16], 5_000));
    assert_eq!(answer.result, s6a::AUTHENTICATION_DATA_UNAVAILABLE);
    assert_eq!(
        bench.one_sqn(conn, 1).seq(),
        2,
        "not even a number was used up"
    );
}

#[test]
fn a_gap_beyond_delta_is_refused_and_alarmed() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    let answer = ask_with(&mut bench, conn, resync(1, [9; 16], DELTA + 1));
    assert_eq!(answer.result, s6a::AUTHENTICATION_DATA_UNAVAILABLE);
    assert_eq!(
        last_resync(&bench),
        Some(Resynchronisation::BeyondDelta {
            home: 0,
            usim: DELTA + 1
        })
    );
    assert_eq!(bench.one_sqn(conn, 1).seq(), 1);
}

/// The check behind "a forged AUTS moves nothing" can fail: without it, it does.
#[test]
fn without_the_check_a_forged_auts_moves_the_sqn() {
    let mut config = config();
    config.protections.auts_check = false;
    let mut bench = Bench::with(config, vec![row(1)]);
    let conn = bench.connect(MME1);
    let mut info = resync(1, [9; 16], 5_000);
    info[29] ^= 1;
    let answer = ask_with(&mut bench, conn, info);
    assert_eq!(open_vector(1, &answer.vectors[0]).seq(), 5_001);
}

#[test]
fn vectors_cost_no_write_until_half_of_the_lead_is_used_up() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    let before = bench.disk.batches;
    for _ in 0..LEAD / 2 {
        bench.one_sqn(conn, 1);
    }
    assert_eq!(bench.disk.batches, before);
    bench.one_sqn(conn, 1);
    bench.advance(bench.hss.config.timers.mark);
    assert_eq!(bench.disk.batches, before + 1);
    for _ in 0..10 * LEAD {
        bench.one_sqn(conn, 1);
        bench.now.at += core::time::Duration::from_millis(10);
        bench.advance(core::time::Duration::ZERO);
    }
    let writes = u64::try_from(bench.disk.batches - before).unwrap();
    assert!(
        writes <= 2 * 10 + 3,
        "{writes} writes for {} vectors",
        10 * LEAD
    );
}

#[test]
fn a_slow_disk_delays_vectors_at_the_lead_and_loses_none() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.disk.slow = true;
    for _ in 0..LEAD {
        bench.one_sqn(conn, 1);
    }
    for _ in 0..3 {
        let request = bench.air(conn, 1);
        bench.send(conn, request.to_message());
    }
    assert!(bench.try_receive(conn).is_none());
    bench.sync();
    for n in 1..=3 {
        let message = bench.receive(conn);
        let answer = AuthenticationInformationAnswer::from_message(&message).unwrap();
        assert_eq!(open_vector(1, &answer.vectors[0]).seq(), LEAD + n);
    }
}

#[test]
fn a_failed_disk_ends_in_4181_and_nothing_else() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    for _ in 0..LEAD {
        bench.one_sqn(conn, 1);
    }
    bench.disk.slow = true;
    bench.one_sqn(conn, 2);
    let before = bench
        .hss
        .subscribers
        .by_imsi(imsi(2))
        .unwrap()
        .counter
        .seq();
    bench.fail_disk();
    assert!(bench.events.contains(&Event::DiskFailed));
    // SIM 2 has its lead; a resynchronisation of it needs the disk.
    assert_eq!(bench.one_sqn(conn, 2).seq(), before + 1);
    let mut request = bench.air(conn, 2);
    request.requested_eutran.as_mut().unwrap().resync = Some(resync(2, [9; 16], 9_000));
    let answer = bench.ask_vectors(conn, &request);
    assert_eq!(answer.result, s6a::AUTHENTICATION_DATA_UNAVAILABLE);
}
