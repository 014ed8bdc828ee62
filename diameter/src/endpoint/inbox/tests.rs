use super::*;
use crate::message::Flags;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use heiiki_types::Rng;

fn request(host: &str, session: &str, id: u32, retransmit: bool) -> Message {
    let flags = Flags {
        request: true,
        retransmit,
        ..Flags::default()
    };
    let command = CommandCode::AUTHENTICATION_INFORMATION;
    let mut message = Message::new(command, ApplicationId::S6A, flags);
    (message.hop_by_hop, message.end_to_end) = (7, id);
    message.avps.push(Avp::text(&d::SESSION_ID, session));
    message.avps.push(Avp::text(&d::ORIGIN_HOST, host));
    message
}

fn at(seconds: u64) -> Instant {
    Instant::from_micros(seconds * 1_000_000)
}

fn new(arrival: &Arrival) -> u64 {
    let Arrival::New(serial) = arrival else {
        panic!("{arrival:?}");
    };
    *serial
}

fn answer(inbox: &mut Inbox, now: Instant, serial: u64, text: &[u8]) -> Option<usize> {
    let ready = inbox.answer(now, serial, |_, out| {
        out.extend_from_slice(&[0; 20]);
        out.extend_from_slice(text);
    })?;
    assert_eq!(&ready.octets[20..], text);
    Some(1 + ready.further.len())
}

/// What is remembered, against an ordered map of everything that came.
#[test]
fn copies_are_found_as_an_ordered_map_finds_them() {
    let conn = ConnId::accepted(0);
    let mut rng = Rng::from_seed(3);
    let mut inbox = Inbox::new(1);
    let mut model: BTreeMap<(String, String, u32), (u64, bool)> = BTreeMap::new();
    let mut answers: BTreeMap<u64, [u8; 8]> = BTreeMap::new();
    let (mut again, mut joined) = (0, 0);
    for _ in 0..4_000_u64 {
        let host = format!("mme{}.example", rng.below(3));
        let session = format!("s;{}", rng.below(40));
        let id = u32::try_from(rng.below(20)).unwrap();
        let copy = rng.chance(0.3);
        let arrival = inbox.arrive(at(1), conn, &request(&host, &session, id, copy));
        let key = (host, session, id);
        // One of both has to have the T bit.
        let known = model.get(&key).filter(|(_, before)| copy || *before);
        match arrival {
            Arrival::New(serial) => {
                assert_eq!(known, None);
                model.insert(key, (serial, copy));
                if rng.chance(0.8) {
                    let text = rng.octets();
                    assert_eq!(answer(&mut inbox, at(1), serial, &text), Some(1));
                    answers.insert(serial, text);
                }
            }
            Arrival::Joined(_) => {
                joined += 1;
                assert!(!answers.contains_key(&known.unwrap().0));
            }
            Arrival::Again(octets) => {
                again += 1;
                assert_eq!(octets[20..], answers[&known.unwrap().0]);
                assert_eq!(octets[12..16], [0, 0, 0, 7]);
            }
        }
    }
    assert!(again > 300 && joined > 30, "{again} {joined}");
}

#[test]
fn it_holds_so_many_answers_and_uses_its_entries_again() {
    let conn = ConnId::accepted(0);
    let mut inbox = Inbox::new(1);
    for id in 0..20_000 {
        let session = format!("session;{id}");
        let arrival = inbox.arrive(at(1), conn, &request("mme.example", &session, id, false));
        let serial = new(&arrival);
        assert!(answer(&mut inbox, at(1), serial, &id.to_be_bytes()).is_some());
        assert!(answer(&mut inbox, at(1), serial, b"twice").is_none());
    }
    assert!(inbox.entries.len() <= MAX_ANSWERED + 1);
    assert!(inbox.arrivals.len() <= 1_024);
    let mut copy = |id: u32| {
        let session = format!("session;{id}");
        inbox.arrive(at(2), conn, &request("mme.example", &session, id, true))
    };
    let first = 20_000 - u32::try_from(MAX_ANSWERED).unwrap();
    assert!(matches!(copy(first), Arrival::Again(o) if o[20..] == first.to_be_bytes()));
    assert!(matches!(copy(first - 1), Arrival::New(_)));
}

#[test]
fn what_is_not_answered_expires_after_what_came_before_it() {
    let conn = ConnId::accepted(0);
    let mut inbox = Inbox::new(1);
    let arrive = |inbox: &mut Inbox, second, id, copy| {
        inbox.arrive(at(second), conn, &request("mme.example", "s", id, copy))
    };
    let first = new(&arrive(&mut inbox, 0, 1, false));
    let second = new(&arrive(&mut inbox, 10, 2, false));
    assert!(matches!(
        arrive(&mut inbox, 11, 2, true),
        Arrival::Joined(true)
    ));
    assert!(answer(&mut inbox, at(20), first, b"1").is_some());
    assert!(inbox.expire(at(69)).is_empty());
    assert_eq!(
        inbox.expire(at(70)).len(),
        2,
        "the second, by both its ways"
    );
    assert!(answer(&mut inbox, at(70), second, b"2").is_none());
    assert!(matches!(arrive(&mut inbox, 79, 1, true), Arrival::Again(_)));
    assert!(inbox.expire(at(80)).is_empty());
    assert!(matches!(arrive(&mut inbox, 80, 1, true), Arrival::New(_)));
}

#[test]
fn no_more_than_four_ways_lead_back() {
    let conn = ConnId::accepted(0);
    let mut inbox = Inbox::new(1);
    let message = request("mme.example", "s", 1, true);
    let serial = new(&inbox.arrive(at(0), conn, &message));
    for way in 1..8 {
        let arrival = inbox.arrive(at(0), conn, &message);
        assert!(matches!(arrival, Arrival::Joined(room) if room == (way < 4)));
    }
    assert_eq!(answer(&mut inbox, at(0), serial, b""), Some(4));
}
