use alloc::collections::BTreeSet;

use heiiki_gtp::c::{Cause, Message};
use heiiki_types::{Duration, Machine};

use super::bed::{Bed, INTRANET, RED, SGW, config, imsi, udp};
use crate::Event;

fn started(bed: &Bed) -> (u8, u32, u32) {
    let mut found = bed.events.iter().filter_map(|e| match e {
        Event::Started {
            restart_counter,
            restored,
            bars,
        } => Some((*restart_counter, *restored, *bars)),
        _ => None,
    });
    found.next_back().unwrap()
}

#[test]
fn sessions_go_on_with_their_teids_addresses_and_the_same_counter() {
    let mut bed = Bed::new(config());
    let tunnels = [1, 2, 3].map(|n| bed.create(imsi(n), "red.corp").unwrap());
    bed.delete(&tunnels[1]);
    let (counter, ..) = started(&bed);
    let mut bed = bed.crash();
    assert_eq!(started(&bed), (counter, 2, 0));
    for tunnel in [&tunnels[0], &tunnels[2]] {
        bed.uplink(tunnel, &udp(tunnel.address, INTRANET, 9));
        bed.downlink(RED, &udp(INTRANET, tunnel.address, 9));
        assert_eq!(bed.received(tunnel).len(), 1);
    }
    assert_eq!(bed.sgi.len(), 2);
    bed.uplink(&tunnels[1], &udp(tunnels[1].address, INTRANET, 9));
    assert_eq!(bed.sgi.len(), 2);
    // New sessions get nothing that is used or rests, and Charging IDs go on.
    let new = bed.create(imsi(4), "red.corp").unwrap();
    assert!(tunnels.iter().all(|t| t.address != new.address));
    assert!(
        tunnels
            .iter()
            .all(|t| t.pgw_c.get() & 0xf_ffff != new.pgw_c.get() & 0xf_ffff)
    );
    assert!(tunnels.iter().all(|t| t.charging_id < new.charging_id));
    assert_eq!(new.recovery, tunnels[0].recovery);
    assert_eq!(bed.delete(&tunnels[0]), Cause::REQUEST_ACCEPTED);
}

/// An SGW that has no answer asks again, and a gateway that restarted remembers no transaction.
#[test]
fn a_request_that_made_a_session_before_the_crash_gets_the_same_answer() {
    let mut bed = Bed::new(config());
    let request = bed.request(imsi(1), "red.corp");
    let before = bed.create_with(SGW, request.clone()).unwrap();
    let mut bed = bed.crash();
    let after = bed.create_with(SGW, request.clone()).unwrap();
    assert_eq!(
        (after.address, after.pgw_c, after.pgw_u),
        (before.address, before.pgw_c, before.pgw_u)
    );
    assert_eq!(after.charging_id, before.charging_id);
    assert_eq!(bed.pgw.control().session_count(), 1);
    bed.uplink(&before, &udp(before.address, INTRANET, 9));
    assert_eq!(bed.sgi.len(), 1);
    // With other tunnels it is a request for another session.
    let new = bed.create(imsi(1), "red.corp").unwrap();
    assert_ne!(new.address, before.address);
    assert_eq!(bed.pgw.control().session_count(), 1);
}

#[test]
fn quarantine_outlives_a_restart() {
    let mut config = config();
    config.apns[0].pool = "10.20.0.0/29".parse().unwrap();
    let mut bed = Bed::new(config);
    let tunnels = [1, 2, 3, 4, 5].map(|n| bed.create(imsi(n), "red.corp").unwrap());
    bed.delete(&tunnels[0]);
    let mut bed = bed.crash();
    let full = bed.create(imsi(9), "red.corp").unwrap_err();
    assert_eq!(full, Cause::ALL_DYNAMIC_ADDRESSES_ARE_OCCUPIED);
    bed.advance(Duration::from_mins(1));
    let next = bed.create(imsi(9), "red.corp").unwrap();
    assert_eq!(next.address, tunnels[0].address);
    assert_ne!(next.pgw_u.teid, tunnels[0].pgw_u.teid);
}

#[test]
fn static_addresses_stay_reserved_after_a_restart() {
    let mut bed = Bed::new(config());
    let wanted = Some(heiiki_gtp::c::Paa::V4([10, 20, 0, 9].into()));
    let mut request = bed.request(imsi(1), "red.corp");
    request.paa = wanted;
    let tunnel = bed.create_with(SGW, request).unwrap();
    bed.delete(&tunnel);
    let mut bed = bed.crash();
    let mut other = bed.request(imsi(2), "red.corp");
    other.paa = wanted;
    assert_eq!(
        bed.create_with(SGW, other).unwrap_err(),
        Cause::REQUEST_REJECTED
    );
    assert_eq!(
        bed.create(imsi(1), "red.corp").unwrap().address,
        tunnel.address
    );
}

#[test]
fn bars_outlive_a_restart_and_come_first() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    bed.create(imsi(2), "red.corp").unwrap();
    bed.bar(imsi(1), 4);
    let mut bed = bed.crash();
    assert_eq!(started(&bed).1, 1);
    assert_eq!(started(&bed).2, 1);
    bed.uplink(&tunnel, &udp(tunnel.address, INTRANET, 9));
    assert!(bed.sgi.is_empty());
    assert_eq!(
        bed.create(imsi(1), "red.corp").unwrap_err(),
        Cause::SERVICE_DENIED
    );
    assert_eq!(bed.lift(imsi(1), 5).0, 200);
    let mut bed = bed.crash();
    assert_eq!(bed.bar(imsi(1), 5).0, 200, "a tie is strict");
    assert!(bed.create(imsi(1), "red.corp").is_err());
}

/// A disk on which the end of the session is missing, as no disk that keeps its word makes one.
#[test]
fn a_bar_on_disk_wins_over_a_session_on_disk() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let sessions = bed.disk.iter().filter(|(k, _)| k.0 == 2);
    let sessions: Vec<_> = sessions.map(|(k, v)| (k.clone(), v.clone())).collect();
    bed.bar(imsi(1), 1);
    bed.disk.extend(sessions);
    let mut bed = bed.crash();
    bed.uplink(&tunnel, &udp(tunnel.address, INTRANET, 9));
    bed.downlink(RED, &udp(INTRANET, tunnel.address, 9));
    assert!(bed.sgi.is_empty());
    assert_eq!(bed.pgw.control().session_count(), 0);
    assert_eq!(bed.delete_bearers().len(), 1);
}

#[test]
fn what_was_answered_is_on_disk() {
    let mut bed = Bed::new(config());
    bed.sync = false;
    let request = bed.request(imsi(1), "red.corp");
    let message = Message::CreateSessionRequest(request.clone());
    let sequence = bed.send_c(SGW, Some(0), &message);
    assert!(bed.response(sequence).is_none());
    let bed = bed.crash();
    assert_eq!(bed.pgw.control().session_count(), 0);
    // A torn end: the answer to a Delete Session was not given, so the session is still there.
    let mut bed = bed;
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    bed.sync = false;
    bed.send_c(
        SGW,
        Some(tunnel.pgw_c.get()),
        &Message::DeleteSessionRequest(heiiki_gtp::c::DeleteSessionRequest {
            linked_ebi: Some(heiiki_types::Ebi::FIRST),
            ..Default::default()
        }),
    );
    let bed = bed.crash();
    assert_eq!(bed.pgw.control().session_count(), 1);
}

#[test]
fn a_session_that_does_not_fit_any_more_raises_the_counter() {
    let mut bed = Bed::new(config());
    let old = bed.create(imsi(1), "red.corp").unwrap();
    bed.create(imsi(2), "blue.corp").unwrap();
    bed.bar(imsi(3), 1);
    let (counter, ..) = started(&bed);
    let mut bed = bed.crash_with(|c| c.apns[0].pool = "10.20.7.0/24".parse().unwrap());
    // All or none: SGWs drop everything when the counter rises.
    assert_eq!(started(&bed), (counter.wrapping_add(1), 0, 1));
    assert_eq!(bed.pgw.control().restart_counter(), counter + 1);
    bed.uplink(&old, &udp(old.address, INTRANET, 9));
    assert!(bed.sgi.is_empty());
    let new = bed.create(imsi(1), "red.corp").unwrap();
    assert_eq!(new.recovery, counter + 1);
    // The next restart finds nothing wrong.
    let bed = bed.crash();
    assert_eq!(started(&bed), (counter + 1, 1, 1));
}

#[test]
fn damaged_rows_raise_the_counter_once_and_a_damaged_bar_still_bars() {
    let mut bed = Bed::new(config());
    bed.create(imsi(1), "red.corp").unwrap();
    bed.bar(imsi(2), 9);
    let (counter, ..) = started(&bed);
    for ((table, _), value) in &mut bed.disk {
        if matches!(table, 2 | 3) {
            *value = alloc::vec![0xff; 3];
        }
    }
    let mut bed = bed.crash();
    assert_eq!(started(&bed), (counter + 1, 0, 1));
    assert_eq!(
        bed.create(imsi(2), "red.corp").unwrap_err(),
        Cause::SERVICE_DENIED
    );
    assert_eq!(bed.lift(imsi(2), 1).0, 200);
    let bed = bed.crash();
    assert_eq!(started(&bed).0, counter + 1);
}

#[test]
fn no_random_disk_panics() {
    let mut rng = heiiki_types::Rng::from_seed(11);
    let mut good = Bed::new(config());
    good.create(imsi(1), "red.corp").unwrap();
    good.bar(imsi(2), 1);
    let disk = good.disk;
    for _ in 0..400 {
        let mut disk = disk.clone();
        for value in disk.values_mut() {
            if rng.chance(0.3) && !value.is_empty() {
                let at = usize::try_from(rng.below(value.len() as u64)).unwrap();
                value[at] = rng.octets::<1>()[0];
            }
        }
        let mut bed = Bed::with_disk(config(), disk, good.now);
        let _ = bed.create(imsi(3), "red.corp");
    }
}

/// Requests of a new life have numbers that no peer remembers from the last one.
#[test]
fn sequence_numbers_of_a_new_life_are_new() {
    let mut seen = BTreeSet::new();
    let mut bed = Bed::new(config());
    for life in 0..4 {
        for n in 0..3 {
            bed.create(imsi(n), "red.corp").unwrap();
            assert_eq!(bed.bar(imsi(n), 10 * life + 1).0, 200);
            assert_eq!(bed.lift(imsi(n), 10 * life + 2).0, 200);
        }
        for (_, header, _) in bed.delete_bearers() {
            assert!(seen.insert(header.sequence), "{:#x}", header.sequence);
        }
        bed = bed.crash();
    }
    assert_eq!(seen.len(), 12);
}

#[test]
fn nothing_is_answered_before_the_disk_was_read() {
    let bed = Bed::new(config());
    let mut pgw = crate::Pgw::new(config(), heiiki_types::Rng::from_seed(1)).unwrap();
    pgw.start(bed.now);
    let request = heiiki_types::HttpRequest {
        method: heiiki_types::Method::Get,
        target: "/v1/bars".into(),
        bearer: Some(heiiki_types::Token::new("cut".into())),
        body: Vec::new(),
        headers: heiiki_types::Headers::default(),
    };
    let call = heiiki_types::CallId(1);
    pgw.handle_input(bed.now, crate::Input::Admin { call, request });
    assert!(matches!(pgw.poll_output(), Some(crate::Output::Storage(_))));
    let Some(crate::Output::AdminReply { response, .. }) = pgw.poll_output() else {
        panic!("no reply");
    };
    assert_eq!(response.status, 503);
}

/// An Error Indication would make the SGW delete a session that the disk still has.
#[test]
fn tunnels_are_not_denied_before_the_disk_was_read() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let mut pgw = crate::Pgw::new(config(), heiiki_types::Rng::from_seed(1)).unwrap();
    pgw.start(bed.now);
    let packet = udp(tunnel.address, INTRANET, 9);
    let mut payload = heiiki_gtp::u::encode_gpdu_header(tunnel.pgw_u.teid, 33).to_vec();
    payload.extend(packet);
    let datagram = heiiki_types::Datagram {
        local: "192.0.2.11:2152".parse().unwrap(),
        remote: (SGW, 2152).into(),
        payload,
    };
    let worker = tunnel.worker();
    pgw.handle_input(bed.now, crate::Input::S5u { worker, datagram });
    while let Some(output) = pgw.poll_output() {
        assert!(!matches!(output, crate::Output::S5u { .. }));
    }
}
