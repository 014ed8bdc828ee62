//! Notifications about sessions and sets of connections, by their clauses.

use alloc::vec;
use alloc::vec::Vec;

use heiiki_gtp::c::{
    Cause, ChangeNotificationRequest, CsidNode, DeletePdnConnectionSetRequest, FTeid, FqCsid,
    Interface, Message, ModifyBearerRequest, ResumeNotification, SuspendNotification, Uli,
};
use heiiki_types::{Ebi, Ecgi, Tac, Tai, Teid};

use super::bed::{Bed, INTRANET, OTHER_SGW, RED, SGW, Tunnel, config, imsi, udp};
use crate::event::{EndReason, Event};

fn location(tac: u16) -> Uli {
    let plmn = "00101".parse().unwrap();
    Uli {
        tai: Some(Tai {
            plmn,
            tac: Tac(tac),
        }),
        ecgi: Some(Ecgi { plmn, eci: 0x101 }),
    }
}

fn change(tac: u16) -> ChangeNotificationRequest {
    ChangeNotificationRequest {
        imsi: Some(imsi(1)),
        mei: None,
        indication: None,
        rat_type: 6,
        uli: Some(location(tac)),
        linked_ebi: Some(Ebi::FIRST),
    }
}

fn changed(bed: &mut Bed, teid: u32, request: ChangeNotificationRequest) -> (Option<u32>, Cause) {
    let message = Message::ChangeNotificationRequest(request);
    let sequence = bed.send_c(SGW, Some(teid), &message);
    match bed.response(sequence) {
        Some((header, Message::ChangeNotificationResponse(r))) => {
            assert_eq!(r.imsi, Some(imsi(1)), "the IMSI comes back");
            (header.teid, r.cause.cause)
        }
        other => panic!("{other:?}"),
    }
}

/// TS 29.274 §7.3.14 and §7.3.15: by TEID, or by IMSI and default bearer with a TEID of zero.
#[test]
fn a_change_of_location_is_noted() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let peer = Some(tunnel.sgw_c.get());
    let (teid, cause) = changed(&mut bed, tunnel.pgw_c.get(), change(7));
    assert_eq!((teid, cause), (peer, Cause::REQUEST_ACCEPTED));
    let tai = bed.get("/v1/sessions")["sessions"][0]["tai"].clone();
    assert_eq!(tai["tac"], 7);
    let (teid, cause) = changed(&mut bed, 0, change(8));
    assert_eq!((teid, cause), (peer, Cause::REQUEST_ACCEPTED));
    let seen = bed.events.iter().filter_map(|e| match e {
        Event::LocationChanged { tai, .. } => tai.map(|t| t.tac.0),
        _ => None,
    });
    assert!(seen.eq([7, 8]));
    let mut bed = bed.crash();
    let tai = bed.get("/v1/sessions")["sessions"][0]["tai"].clone();
    assert_eq!(tai["tac"], 8, "it survives a crash");
    // Nobody's TEID; another bearer; another SIM's session.
    let unknown = (Some(0), Cause::IMSI_IMEI_NOT_KNOWN);
    assert_eq!(changed(&mut bed, 0x00f0_0001, change(9)), unknown);
    let mut other = change(9);
    other.linked_ebi = Ebi::new(6).ok();
    assert_eq!(changed(&mut bed, 0, other), unknown);
    let second = bed.create(imsi(2), "red.corp").unwrap();
    assert_eq!(changed(&mut bed, second.pgw_c.get(), change(9)), unknown);
}

fn sender(tunnel: &Tunnel) -> FTeid {
    FTeid::new(Interface::S5S8_SGW_GTPC, tunnel.sgw_c, tunnel.sgw.into())
}

fn suspend(bed: &mut Bed, tunnel: &Tunnel, sender: Option<FTeid>) -> Cause {
    let message = Message::SuspendNotification(SuspendNotification {
        sender_f_teid: sender,
        ..SuspendNotification::default()
    });
    let sequence = bed.send_c(SGW, Some(tunnel.pgw_c.get()), &message);
    match bed.response(sequence) {
        Some((_, Message::SuspendAcknowledge(r))) => r.cause.cause,
        other => panic!("{other:?}"),
    }
}

fn resume(bed: &mut Bed, tunnel: &Tunnel) -> Cause {
    let message = Message::ResumeNotification(ResumeNotification {
        imsi: imsi(1),
        linked_ebi: None,
        sender_f_teid: Some(sender(tunnel)),
    });
    let sequence = bed.send_c(SGW, Some(tunnel.pgw_c.get()), &message);
    match bed.response(sequence) {
        Some((_, Message::ResumeAcknowledge(r))) => r.cause.cause,
        other => panic!("{other:?}"),
    }
}

fn gets_packets(bed: &mut Bed, tunnel: &Tunnel) -> bool {
    bed.downlink(RED, &udp(INTRANET, tunnel.address, 9));
    !bed.received(tunnel).is_empty()
}

/// TS 29.274 §7.4.1 to §7.4.4: what comes for a suspended UE is dropped and counted.
#[test]
fn a_suspended_session_gets_no_packets() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let other = bed.create(imsi(2), "red.corp").unwrap();
    assert!(gets_packets(&mut bed, &tunnel));
    let own = Some(sender(&tunnel));
    assert_eq!(suspend(&mut bed, &tunnel, own), Cause::REQUEST_ACCEPTED);
    assert!(!gets_packets(&mut bed, &tunnel));
    assert!(gets_packets(&mut bed, &other), "the other one does");
    assert_eq!(bed.refusals()["suspended"], 1);
    assert_eq!(bed.get("/v1/sessions")["sessions"][0]["suspended"], true);
    // Twice is once, and a crash forgets nothing.
    assert_eq!(suspend(&mut bed, &tunnel, None), Cause::REQUEST_ACCEPTED);
    let mut bed = bed.crash();
    assert!(!gets_packets(&mut bed, &tunnel));
    assert_eq!(resume(&mut bed, &tunnel), Cause::REQUEST_ACCEPTED);
    assert!(gets_packets(&mut bed, &tunnel));
    // A sender that is not the last one told, and a session that is not there.
    let stale = FTeid::new(
        Interface::S5S8_SGW_GTPC,
        Teid::new(0x777).unwrap(),
        SGW.into(),
    );
    let refused = suspend(&mut bed, &tunnel, Some(stale));
    assert_eq!(refused, Cause::CONTEXT_NOT_FOUND);
    assert!(gets_packets(&mut bed, &tunnel));
    assert_eq!(bed.delete(&tunnel), Cause::REQUEST_ACCEPTED);
    assert_eq!(suspend(&mut bed, &tunnel, own), Cause::CONTEXT_NOT_FOUND);
}

/// TS 29.274 §7.2.7: a Modify Bearer Request ends a suspension too.
#[test]
fn a_modify_bearer_request_resumes() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    suspend(&mut bed, &tunnel, None);
    assert!(!gets_packets(&mut bed, &tunnel));
    let message = Message::ModifyBearerRequest(ModifyBearerRequest::default());
    let sequence = bed.send_c(SGW, Some(tunnel.pgw_c.get()), &message);
    assert!(bed.response(sequence).is_some());
    assert!(gets_packets(&mut bed, &tunnel));
}

fn set(number: u16) -> FqCsid {
    FqCsid {
        node: CsidNode::V4(SGW),
        sets: vec![number],
    }
}

fn delete_set(
    bed: &mut Bed,
    from: core::net::Ipv4Addr,
    request: DeletePdnConnectionSetRequest,
) -> Cause {
    let message = Message::DeletePdnConnectionSetRequest(request);
    let sequence = bed.send_c(from, Some(0), &message);
    match bed.response(sequence) {
        Some((header, Message::DeletePdnConnectionSetResponse(r))) => {
            assert_eq!(header.teid, Some(0));
            r.cause.cause
        }
        other => panic!("{other:?}"),
    }
}

/// TS 29.274 §7.9.1 and TS 23.007 §18: the sessions of a set go, all others stay, and nobody else's
/// word counts. It survives a crash.
#[test]
fn a_set_of_connections_goes_with_its_part_of_a_node() {
    let mut bed = Bed::new(config());
    let mut tunnels = Vec::new();
    for n in 0..6 {
        let mut request = bed.request(imsi(n), "red.corp");
        request.sgw_csid = Some(set(u16::from(n >= 4)));
        request.mme_csid = Some(set(100));
        tunnels.push(bed.create_with(SGW, request).unwrap());
    }
    let mut bed = bed.crash();
    let sgw = |sets: &[u16]| DeletePdnConnectionSetRequest {
        sgw: sets.iter().map(|n| set(*n)).collect(),
        ..DeletePdnConnectionSetRequest::default()
    };
    // The set of another SGW's say-so, and one that nobody is in: accepted, and nothing goes.
    let accepted = Cause::REQUEST_ACCEPTED;
    assert_eq!(delete_set(&mut bed, OTHER_SGW, sgw(&[0])), accepted);
    assert_eq!(delete_set(&mut bed, SGW, sgw(&[9])), accepted);
    assert_eq!(bed.pgw.control().session_count(), 6);
    assert_eq!(delete_set(&mut bed, SGW, sgw(&[0, 9])), accepted);
    assert_eq!(bed.pgw.control().session_count(), 2);
    let reasons = bed.events.iter().filter_map(|e| match e {
        Event::SessionEnded { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(
        reasons.filter(|r| *r == EndReason::ConnectionSet).count(),
        4
    );
    assert!(bed.delete_bearers().is_empty(), "the SGW knows");
    let mixed = DeletePdnConnectionSetRequest {
        mme: vec![set(100)],
        ..sgw(&[1])
    };
    assert_eq!(
        delete_set(&mut bed, SGW, mixed),
        Cause::MANDATORY_IE_INCORRECT
    );
    let own = DeletePdnConnectionSetRequest {
        pgw: vec![set(1)],
        ..DeletePdnConnectionSetRequest::default()
    };
    assert_eq!(delete_set(&mut bed, SGW, own), Cause::REQUEST_REJECTED);
    let mme = DeletePdnConnectionSetRequest {
        mme: vec![set(100)],
        ..DeletePdnConnectionSetRequest::default()
    };
    assert_eq!(delete_set(&mut bed, SGW, mme), accepted);
    assert_eq!(bed.pgw.control().session_count(), 0);
    assert_eq!(bed.pgw.control().waiting(), 0);
}

/// Goal: a large set does not hold everybody else up. Method: the workers' answers are played one by
/// one, and another SIM's session is set up before the set is gone.
#[test]
fn a_large_set_goes_in_portions() {
    let mut bed = Bed::new({
        let mut config = config();
        config.apns[0].pool = "10.20.0.0/20".parse().unwrap();
        config
    });
    for n in 0..600 {
        let mut request = bed.request(imsi(n), "red.corp");
        request.sgw_csid = Some(set(1));
        bed.create_with(SGW, request).unwrap();
    }
    bed.sync = false;
    let request = DeletePdnConnectionSetRequest {
        sgw: vec![set(1)],
        ..DeletePdnConnectionSetRequest::default()
    };
    assert_eq!(delete_set(&mut bed, SGW, request), Cause::REQUEST_ACCEPTED);
    let mut counts = vec![bed.pgw.control().session_count()];
    while *counts.last().unwrap() > 0 {
        bed.sync_now();
        counts.push(bed.pgw.control().session_count());
    }
    assert_eq!(counts, [600, 344, 88, 0]);
    assert_eq!(bed.pgw.control().waiting(), 0);
}

/// TS 29.274 §5.5.1 and §5.1: a request that rides on another message, and one with a message
/// priority, is served like any other.
#[test]
fn piggybacked_and_prioritised_requests_are_served() {
    use heiiki_gtp::c::{Header, encode};
    let mut bed = Bed::new(config());
    let first = bed.request(imsi(1), "red.corp");
    let second = bed.request(imsi(2), "red.corp");
    let octets = |request, sequence, piggybacked| {
        let message = Message::CreateSessionRequest(request);
        let header = Header {
            message_type: message.message_type(),
            teid: Some(0),
            sequence,
            piggybacked,
        };
        encode(header, &message)
    };
    let mut both = octets(first, 0x9001, true);
    let mut rider = octets(second, 0x9002, false);
    // MP, and priority 3 in the high half of the last octet of the header.
    rider[0] |= 0x04;
    rider[11] = 0x30;
    both.extend(rider);
    bed.send_raw(SGW, both);
    for sequence in [0x9001, 0x9002] {
        let Some((_, Message::CreateSessionResponse(response))) = bed.response(sequence) else {
            panic!("no response to {sequence:x}");
        };
        assert!(response.cause.is_accepted());
    }
}

/// Goal: a flood of requests while the disk is slow grows nothing without bound and costs nobody who
/// waits his session. Method: four may wait, and ten come.
#[test]
fn a_flood_of_requests_is_refused_by_cause_73() {
    let mut config = config();
    config.limits.waiting = 4;
    let mut bed = Bed::new(config);
    bed.sync = false;
    let mut requests = Vec::new();
    for n in 0..10 {
        let request = bed.request(imsi(n), "red.corp");
        let message = Message::CreateSessionRequest(request);
        let sequence = bed.send_c(SGW, Some(0), &message);
        requests.push(sequence);
        assert!(bed.pgw.control().waiting() <= 5);
    }
    let verdict = |bed: &mut Bed, sequence| match bed.response(sequence)? {
        (_, Message::CreateSessionResponse(r)) => Some(r.cause.cause),
        other => panic!("{other:?}"),
    };
    let early: Vec<_> = requests.iter().map(|s| verdict(&mut bed, *s)).collect();
    let refused = Some(Cause::NO_RESOURCES_AVAILABLE);
    let count = early.iter().filter(|v| **v == refused).count();
    assert!((6..=7).contains(&count), "{early:?}");
    assert!(early.iter().all(|v| v.is_none() || *v == refused));
    bed.sync = true;
    bed.sync_now();
    let late = requests.iter().filter_map(|s| verdict(&mut bed, *s));
    let accepted = late.filter(|c| *c == Cause::REQUEST_ACCEPTED).count();
    assert_eq!(accepted + count, 10);
    assert_eq!(bed.pgw.control().waiting(), 0);
    // Room again.
    bed.create(imsi(20), "red.corp").unwrap();
}
