use core::net::Ipv4Addr;

use heiiki_gtp::c::{
    BearerContextToBeModified, Cause, FTeid, Indication, IndicationFlag, Interface, Message,
    ModifyBearerRequest, Paa, PdnType,
};
use heiiki_types::{Duration, Ebi, Teid};

use super::bed::{Bed, INTRANET, OTHER_SGW, RED, SGW, STRANGER, Tunnel, config, imsi, udp};
use crate::config::SelectionMode;
use crate::{EndReason, Event};

fn static_address(n: u8) -> Paa {
    Paa::V4(Ipv4Addr::new(10, 20, 0, n))
}

#[test]
fn a_session_is_set_up_used_and_deleted() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    assert_eq!(tunnel.cause, Cause::REQUEST_ACCEPTED);
    assert_eq!(tunnel.address, Ipv4Addr::new(10, 20, 0, 2));
    assert_ne!(tunnel.pgw_c, tunnel.pgw_u.teid);
    assert_eq!(
        tunnel.pgw_c.get() & 0xf_ffff,
        tunnel.pgw_u.teid.get() & 0xf_ffff
    );
    bed.uplink(&tunnel, &udp(tunnel.address, INTRANET, 9));
    assert_eq!(bed.sgi.len(), 1);
    // Downlink flows without a Modify Bearer Request.
    bed.downlink(RED, &udp(INTRANET, tunnel.address, 9));
    assert_eq!(bed.received(&tunnel).len(), 1);
    assert_eq!(bed.delete(&tunnel), Cause::REQUEST_ACCEPTED);
    bed.uplink(&tunnel, &udp(tunnel.address, INTRANET, 9));
    bed.downlink(RED, &udp(INTRANET, tunnel.address, 9));
    assert_eq!(bed.sgi.len(), 1);
    assert!(bed.received(&tunnel).is_empty());
    assert_eq!(bed.pgw.control().session_count(), 0);
    assert_eq!(bed.pgw.control().waiting(), 0);
    let ended = bed.events.iter().find_map(|e| match e {
        Event::SessionEnded { reason, usage, .. } => Some((*reason, *usage)),
        _ => None,
    });
    let (reason, usage) = ended.unwrap();
    assert_eq!(reason, EndReason::Deleted);
    assert_eq!((usage.uplink_packets, usage.downlink_packets), (1, 1));
    assert_eq!(usage.uplink_octets, 33);
}

#[test]
fn sessions_are_spread_over_the_workers() {
    let mut bed = Bed::new(config());
    let tunnels = [1, 2, 3, 4].map(|n| bed.create(imsi(n), "red.corp").unwrap());
    assert_eq!(tunnels.map(|t| t.worker()), [0, 1, 0, 1]);
    for tunnel in &tunnels {
        bed.uplink(tunnel, &udp(tunnel.address, INTRANET, 9));
        // Whichever shard an answer comes from, it finds its worker.
        bed.downlink(RED, &udp(INTRANET, tunnel.address, 9));
        assert_eq!(bed.received(tunnel).len(), 1);
    }
    assert_eq!(bed.sgi.len(), 4);
}

/// TS 29.274 Table 8.4-1 and §7.2.1: what is refused, and how.
#[test]
fn refusals_have_their_causes() {
    let mut bed = Bed::new(config());
    let mut refused = |change: &dyn Fn(&mut heiiki_gtp::c::CreateSessionRequest)| {
        let mut request = bed.request(imsi(1), "red.corp");
        change(&mut request);
        bed.create_with(SGW, request).unwrap_err()
    };
    let cause = refused(&|r| r.apn = "nowhere".parse().unwrap());
    assert_eq!(cause, Cause::MISSING_OR_UNKNOWN_APN);
    let cause = refused(&|r| r.selection_mode = Some(1));
    assert_eq!(cause, Cause::APN_ACCESS_DENIED_NO_SUBSCRIPTION);
    let cause = refused(&|r| {
        r.pdn_type = Some(PdnType::V6);
        r.paa = Some(Paa::V6 {
            prefix: core::net::Ipv6Addr::UNSPECIFIED,
            length: 0,
        });
    });
    assert_eq!(cause, Cause::PREFERRED_PDN_TYPE_NOT_SUPPORTED);
    let cause = refused(&|r| r.maximum_apn_restriction = Some(2));
    assert_eq!(cause, Cause::APN_RESTRICTION_TYPE_INCOMPATIBLE);
    let flag = IndicationFlag::UNAUTHENTICATED_IMSI;
    let cause = refused(&|r| r.indication = Some(Indication::default().with(flag)));
    assert_eq!(cause, Cause::USER_AUTHENTICATION_FAILED);
    // A tunnel that would end at somebody else's address.
    let away = |f: FTeid| FTeid::new(f.interface, f.teid, STRANGER.into());
    let cause = refused(&|r| r.sender_f_teid = away(r.sender_f_teid));
    assert_eq!(cause, Cause::MANDATORY_IE_INCORRECT);
    let cause = refused(&|r| {
        let bearer = &mut r.bearer_contexts[0];
        bearer.s5s8_u_sgw_f_teid = bearer.s5s8_u_sgw_f_teid.map(away);
    });
    assert_eq!(cause, Cause::MANDATORY_IE_INCORRECT);
    assert_eq!(bed.pgw.control().session_count(), 0);
    let refusals = bed.events.iter();
    let refusals = refusals.filter(|e| matches!(e, Event::RequestRefused { .. }));
    assert_eq!(refusals.count(), 7);
}

#[test]
fn the_operator_identifier_of_an_apn_does_not_count() {
    let mut config = config();
    config.apns[0]
        .selection_modes
        .push(SelectionMode::UE_NOT_VERIFIED);
    let mut bed = Bed::new(config);
    let full = "RED.corp.mnc001.mcc001.gprs";
    assert!(bed.create(imsi(1), full).is_ok());
    let mut request = bed.request(imsi(2), "red.corp");
    request.selection_mode = Some(1);
    assert!(bed.create_with(SGW, request).is_ok());
    assert!(bed.create(imsi(3), "red.corp.mnc001").is_err());
}

#[test]
fn both_families_are_narrowed_to_ipv4() {
    let mut bed = Bed::new(config());
    let mut request = bed.request(imsi(1), "red.corp");
    request.pdn_type = Some(PdnType::V4V6);
    request.paa = Some(Paa::V4V6 {
        v4: Ipv4Addr::UNSPECIFIED,
        prefix: core::net::Ipv6Addr::UNSPECIFIED,
        length: 0,
    });
    let tunnel = bed.create_with(SGW, request).unwrap();
    assert_eq!(tunnel.cause, Cause::NEW_PDN_TYPE_DUE_TO_NETWORK_PREFERENCE);
}

#[test]
fn a_retransmitted_request_gets_the_same_answer() {
    let mut bed = Bed::new(config());
    let request = bed.request(imsi(1), "red.corp");
    let message = Message::CreateSessionRequest(request.clone());
    let sequence = bed.send_c(SGW, Some(0), &message);
    let first = bed.s5c.last().unwrap().clone();
    let header = heiiki_gtp::c::Header {
        message_type: message.message_type(),
        teid: Some(0),
        sequence,
        piggybacked: false,
    };
    bed.send_raw(SGW, heiiki_gtp::c::encode(header, &message));
    assert_eq!(bed.s5c.len(), 2);
    assert_eq!(bed.s5c[1], first);
    assert_eq!(bed.pgw.control().session_count(), 1);
}

/// TS 29.274 §7.2.1: the same IMSI with the same default bearer has lost its session.
#[test]
fn a_sim_replaces_its_own_stale_session() {
    let mut bed = Bed::new(config());
    let old = bed.create(imsi(1), "red.corp").unwrap();
    let new = bed.create(imsi(1), "red.corp").unwrap();
    assert_eq!(bed.pgw.control().session_count(), 1);
    assert_ne!(old.address, new.address);
    assert_ne!(
        old.pgw_u.teid.get() & 0xf_ffff,
        new.pgw_u.teid.get() & 0xf_ffff
    );
    bed.uplink(&old, &udp(old.address, INTRANET, 9));
    assert!(bed.sgi.is_empty());
    bed.uplink(&new, &udp(new.address, INTRANET, 9));
    assert_eq!(bed.sgi.len(), 1);
    // The SGW that asked knows; nobody is told.
    assert!(bed.delete_bearers().is_empty());
    // A second APN with the same bearer is the same default bearer too.
    bed.create(imsi(1), "blue.corp").unwrap();
    assert_eq!(bed.pgw.control().session_count(), 1);
    // With another bearer it is a second session.
    let mut request = bed.request(imsi(1), "red.corp");
    request.bearer_contexts[0].ebi = Ebi::new(6).unwrap();
    bed.create_with(SGW, request).unwrap();
    assert_eq!(bed.pgw.control().session_count(), 2);
}

#[test]
fn a_static_address_is_kept_for_its_sim() {
    let mut bed = Bed::new(config());
    let mut request = bed.request(imsi(1), "red.corp");
    request.paa = Some(static_address(77));
    let first = bed.create_with(SGW, request).unwrap();
    assert_eq!(first.address, Ipv4Addr::new(10, 20, 0, 77));
    let mut other = bed.request(imsi(2), "red.corp");
    other.paa = Some(static_address(77));
    assert_eq!(
        bed.create_with(SGW, other.clone()).unwrap_err(),
        Cause::REQUEST_REJECTED
    );
    bed.delete(&first);
    bed.advance(Duration::from_secs(1_000));
    let message = Message::CreateSessionRequest(other.clone());
    let sequence = bed.send_c(SGW, Some(0), &message);
    assert_eq!(
        bed.created(SGW, &other, sequence).unwrap_err(),
        Cause::REQUEST_REJECTED
    );
    // Its own SIM gets it back at once, also while its last session is still there.
    for _ in 0..2 {
        let mut request = bed.request(imsi(1), "red.corp");
        request.paa = Some(static_address(77));
        let again = bed.create_with(SGW, request).unwrap();
        assert_eq!(again.address, first.address);
    }
    // The other tenant has an address 77 of its own.
    let mut blue = bed.request(imsi(3), "blue.corp");
    blue.paa = Some(static_address(77));
    assert!(bed.create_with(SGW, blue).is_ok());
    // The gateway's and the ends of the pool are nobody's.
    for n in [0, 1, 255] {
        let mut request = bed.request(imsi(9), "red.corp");
        request.paa = Some(static_address(n));
        assert_eq!(
            bed.create_with(SGW, request).unwrap_err(),
            Cause::REQUEST_REJECTED
        );
    }
}

#[test]
fn an_exhausted_pool_and_its_quarantine() {
    let mut config = config();
    config.apns[0].pool = "10.20.0.0/29".parse().unwrap();
    let mut bed = Bed::new(config);
    let tunnels: Vec<Tunnel> = (0..5)
        .map(|n| bed.create(imsi(n), "red.corp").unwrap())
        .collect();
    let exhausted = bed.create(imsi(9), "red.corp").unwrap_err();
    assert_eq!(exhausted, Cause::ALL_DYNAMIC_ADDRESSES_ARE_OCCUPIED);
    bed.delete(&tunnels[2]);
    bed.advance(Duration::from_secs(59));
    assert!(bed.create(imsi(9), "red.corp").is_err());
    bed.advance(Duration::from_secs(2));
    let next = bed.create(imsi(9), "red.corp").unwrap();
    assert_eq!(next.address, tunnels[2].address);
    assert_ne!(next.pgw_u.teid, tunnels[2].pgw_u.teid);
}

#[test]
fn a_full_table_has_no_resources() {
    let mut config = config();
    config.limits.sessions = 2;
    let mut bed = Bed::new(config);
    let first = bed.create(imsi(1), "red.corp").unwrap();
    bed.create(imsi(2), "red.corp").unwrap();
    let full = bed.create(imsi(3), "red.corp").unwrap_err();
    assert_eq!(full, Cause::NO_RESOURCES_AVAILABLE);
    // A place rests like an address.
    bed.delete(&first);
    assert!(bed.create(imsi(3), "red.corp").is_err());
    bed.advance(Duration::from_secs(61));
    assert!(bed.create(imsi(3), "red.corp").is_ok());
}

fn modify(bed: &mut Bed, from: Ipv4Addr, tunnel: &Tunnel, ends: Option<(Ipv4Addr, u32)>) -> Cause {
    let end = |interface, teid| {
        ends.map(|(address, _)| FTeid::new(interface, Teid::new(teid).unwrap(), address.into()))
    };
    let teid = ends.map_or(1, |e| e.1);
    let message = Message::ModifyBearerRequest(ModifyBearerRequest {
        sender_f_teid: end(Interface::S5S8_SGW_GTPC, teid),
        bearer_contexts: alloc::vec![BearerContextToBeModified {
            ebi: Ebi::FIRST,
            s1_u_enb_f_teid: None,
            s5s8_u_sgw_f_teid: end(Interface::S5S8_SGW_GTPU, teid + 1),
        }],
        ..ModifyBearerRequest::default()
    });
    let sequence = bed.send_c(from, Some(tunnel.pgw_c.get()), &message);
    match bed.response(sequence) {
        Some((_, Message::ModifyBearerResponse(response))) => response.cause.cause,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_moves_to_another_listed_sgw_and_to_nobody_else() {
    let mut bed = Bed::new(config());
    let mut tunnel = bed.create(imsi(1), "red.corp").unwrap();
    // Nothing to change.
    assert_eq!(
        modify(&mut bed, SGW, &tunnel, None),
        Cause::REQUEST_ACCEPTED
    );
    // Another SGW that does not give its own ends, or gives a third one's.
    assert_eq!(
        modify(&mut bed, OTHER_SGW, &tunnel, None),
        Cause::CONTEXT_NOT_FOUND
    );
    let third = Some((SGW, 0x7000));
    assert_eq!(
        modify(&mut bed, OTHER_SGW, &tunnel, third),
        Cause::CONTEXT_NOT_FOUND
    );
    let stranger = Some((STRANGER, 0x7000));
    assert_eq!(
        modify(&mut bed, SGW, &tunnel, stranger),
        Cause::MANDATORY_IE_INCORRECT
    );
    // The other SGW cannot send on the tunnel before it has it.
    bed.uplink_from(OTHER_SGW, &tunnel, &udp(tunnel.address, INTRANET, 9));
    assert!(bed.sgi.is_empty());
    assert_eq!(bed.refusals()["wrong_peer"], 1);
    let moved = Some((OTHER_SGW, 0x7000));
    assert_eq!(
        modify(&mut bed, OTHER_SGW, &tunnel, moved),
        Cause::REQUEST_ACCEPTED
    );
    bed.uplink_from(SGW, &tunnel, &udp(tunnel.address, INTRANET, 9));
    assert!(bed.sgi.is_empty());
    tunnel.sgw = OTHER_SGW;
    tunnel.sgw_u = Teid::new(0x7001).unwrap();
    bed.uplink(&tunnel, &udp(tunnel.address, INTRANET, 9));
    assert_eq!(bed.sgi.len(), 1);
    bed.downlink(RED, &udp(INTRANET, tunnel.address, 9));
    assert_eq!(bed.received(&tunnel).len(), 1);
    // The old SGW has no say any more.
    assert_eq!(bed.delete_from(SGW, &tunnel), Cause::CONTEXT_NOT_FOUND);
    assert_eq!(bed.delete(&tunnel), Cause::REQUEST_ACCEPTED);
    assert_eq!(
        modify(&mut bed, SGW, &tunnel, None),
        Cause::CONTEXT_NOT_FOUND
    );
}

#[test]
fn only_the_own_sgw_deletes() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    assert_eq!(
        bed.delete_from(OTHER_SGW, &tunnel),
        Cause::CONTEXT_NOT_FOUND
    );
    let mut guess = tunnel;
    guess.pgw_c = Teid::new(tunnel.pgw_c.get() ^ 1 << 25).unwrap();
    assert_eq!(bed.delete(&guess), Cause::CONTEXT_NOT_FOUND);
    assert_eq!(bed.pgw.control().session_count(), 1);
}

#[test]
fn strangers_are_not_heard() {
    let mut bed = Bed::new(config());
    let request = bed.request_from(STRANGER, imsi(1), "red.corp");
    for _ in 0..10 {
        let message = Message::CreateSessionRequest(request.clone());
        bed.send_c(STRANGER, Some(0), &message);
        bed.send_c(STRANGER, None, &Message::EchoRequest { recovery: 1 });
    }
    assert!(bed.s5c.is_empty());
    let told = bed.events.iter();
    let told = told.filter(|e| matches!(e, Event::UnlistedPeer { .. }));
    assert_eq!(told.count(), 1);
    // A listed SGW is answered.
    bed.send_c(SGW, None, &Message::EchoRequest { recovery: 1 });
    assert_eq!(bed.s5c.len(), 1);
}

/// TS 23.007 §14: an SGW that restarts has forgotten its sessions, and only those.
#[test]
fn a_restarted_sgw_loses_its_sessions() {
    let mut bed = Bed::new(config());
    bed.send_c(SGW, None, &Message::EchoRequest { recovery: 7 });
    let lost = bed.create(imsi(1), "red.corp").unwrap();
    let request = bed.request_from(OTHER_SGW, imsi(2), "red.corp");
    let kept = bed.create_with(OTHER_SGW, request).unwrap();
    bed.send_c(SGW, None, &Message::EchoRequest { recovery: 7 });
    assert_eq!(bed.pgw.control().session_count(), 2);
    bed.send_c(SGW, None, &Message::EchoRequest { recovery: 8 });
    assert_eq!(bed.pgw.control().session_count(), 1);
    bed.uplink(&lost, &udp(lost.address, INTRANET, 9));
    assert!(bed.sgi.is_empty());
    bed.uplink(&kept, &udp(kept.address, INTRANET, 9));
    assert_eq!(bed.sgi.len(), 1);
    let restarts = bed.events.iter();
    let restarts = restarts.filter(|e| matches!(e, Event::PeerRestarted { sessions: 1, .. }));
    assert_eq!(restarts.count(), 1);
    assert!(bed.delete_bearers().is_empty());
}

#[test]
fn an_sgw_that_restarts_while_the_gateway_is_down_is_noticed() {
    let mut bed = Bed::new(config());
    bed.send_c(SGW, None, &Message::EchoRequest { recovery: 7 });
    bed.create(imsi(1), "red.corp").unwrap();
    let mut bed = bed.crash();
    assert_eq!(bed.pgw.control().session_count(), 1);
    bed.send_c(SGW, None, &Message::EchoRequest { recovery: 8 });
    assert_eq!(bed.pgw.control().session_count(), 0);
}

/// TS 29.281 §7.3.1: believed only from the bearer's own peer about its own TEID.
#[test]
fn an_error_indication_counts_only_from_the_bearers_own_peer() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let mut indicate = |from: Ipv4Addr, teid: Teid, peer: Ipv4Addr| {
        let message = heiiki_gtp::u::Message::ErrorIndication {
            seq: 1,
            teid,
            peer: peer.into(),
            udp_port: None,
        };
        bed.send_u(from, 0, heiiki_gtp::u::encode(&message));
        bed.pgw.control().session_count()
    };
    assert_eq!(indicate(OTHER_SGW, tunnel.sgw_u, SGW), 1);
    assert_eq!(indicate(OTHER_SGW, tunnel.sgw_u, OTHER_SGW), 1);
    assert_eq!(indicate(STRANGER, tunnel.sgw_u, SGW), 1);
    assert_eq!(indicate(SGW, Teid::new(5).unwrap(), SGW), 1);
    assert_eq!(indicate(SGW, tunnel.pgw_u.teid, SGW), 1);
    assert_eq!(indicate(SGW, tunnel.sgw_u, OTHER_SGW), 1);
    assert_eq!(indicate(SGW, tunnel.sgw_u, SGW), 0);
}

#[test]
fn hostile_gtpc_changes_nothing() {
    let mut bed = Bed::new(config());
    bed.create(imsi(1), "red.corp").unwrap();
    let request = bed.request(imsi(2), "red.corp");
    let header = heiiki_gtp::c::Header {
        message_type: heiiki_gtp::c::MessageType::CREATE_SESSION_REQUEST,
        teid: Some(0),
        sequence: 0x7777,
        piggybacked: false,
    };
    let message = Message::CreateSessionRequest(request);
    let whole = heiiki_gtp::c::encode(header, &message);
    for length in 0..whole.len() {
        bed.send_raw(SGW, whole[..length].to_vec());
    }
    let mut rng = heiiki_types::Rng::from_seed(5);
    for _ in 0..3_000 {
        let mut octets = whole.clone();
        for _ in 0..=rng.below(6) {
            let at = usize::try_from(rng.below(octets.len() as u64)).unwrap();
            octets[at] = rng.octets::<1>()[0];
        }
        bed.send_raw(SGW, octets);
    }
    let audit = bed.get("/v1/audit");
    assert_eq!(audit["closed"], true);
}

#[test]
fn an_sgw_names_its_own_tunnel_ends_and_nobody_elses() {
    let mut config = config();
    config.sgws = ["198.51.100.0/30", "198.51.101.0/24"]
        .map(|p| p.parse().unwrap())
        .into();
    let mut bed = Bed::new(config);
    let victim = bed.create(imsi(9), "red.corp").unwrap();
    let end = |address: Ipv4Addr, interface| {
        FTeid::new(interface, Teid::new(0x7777).unwrap(), address.into())
    };
    // The control end of another SGW: the answer, and the session, would be its.
    let mut request = bed.request_from(OTHER_SGW, imsi(1), "red.corp");
    request.sender_f_teid = end(SGW, Interface::S5S8_SGW_GTPC);
    let refused = bed.create_with(OTHER_SGW, request);
    assert_eq!(refused.unwrap_err(), Cause::MANDATORY_IE_INCORRECT);
    // The user end of an SGW that is at work here, or of another entry of the list.
    for address in [SGW, STRANGER] {
        let mut request = bed.request_from(OTHER_SGW, imsi(1), "red.corp");
        let bearer = request.bearer_contexts.first_mut().unwrap();
        bearer.s5s8_u_sgw_f_teid = Some(end(address, Interface::S5S8_SGW_GTPU));
        let refused = bed.create_with(OTHER_SGW, request);
        assert_eq!(
            refused.unwrap_err(),
            Cause::MANDATORY_IE_INCORRECT,
            "{address}"
        );
    }
    // An SGW with a user plane of its own beside its control plane.
    let mut request = bed.request_from(OTHER_SGW, imsi(1), "red.corp");
    let bearer = request.bearer_contexts.first_mut().unwrap();
    let beside = Ipv4Addr::new(198, 51, 100, 3);
    bearer.s5s8_u_sgw_f_teid = Some(end(beside, Interface::S5S8_SGW_GTPU));
    assert!(bed.create_with(OTHER_SGW, request).is_ok());
    // Nobody fetches the answer of another SGW's request by saying it again.
    let mut again = bed.request(imsi(9), "red.corp");
    again.sender_f_teid = end(SGW, Interface::S5S8_SGW_GTPC);
    again.sender_f_teid.teid = victim.sgw_c;
    let bearer = again.bearer_contexts.first_mut().unwrap();
    let mut user = end(SGW, Interface::S5S8_SGW_GTPU);
    user.teid = victim.sgw_u;
    bearer.s5s8_u_sgw_f_teid = Some(user);
    let stolen = bed.create_with(OTHER_SGW, again.clone());
    assert_eq!(stolen.unwrap_err(), Cause::MANDATORY_IE_INCORRECT);
    let own = bed.create_with(SGW, again).unwrap();
    assert_eq!(own.pgw_u.teid, victim.pgw_u.teid);
}
