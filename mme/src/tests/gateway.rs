use core::time::Duration;

use heiiki_gtp::c;
use heiiki_nas::emm::{Message, NetworkDetachType};
use heiiki_types::Datagram;

use super::world::{PgwReply, World, address, teid};
use crate::{Event, Input, State};

fn reattach(world: &World, n: u32) -> bool {
    world.phones[&n].received.iter().any(|(_, m)| {
        matches!(m, Message::DetachRequestToUe(m) if m.detach_type == NetworkDetachType::ReattachRequired)
    })
}

/// TS 23.007 §14: a gateway that restarted has lost its sessions; their UEs make new ones.
#[test]
fn a_restarted_gateway_has_its_ues_come_back() {
    let mut world = World::new();
    world.attached(1);
    world.attached(2);
    world.restart_pgw();
    // The next message of the gateway tells: here its answer to an echo.
    world.wait(Duration::from_secs(61));
    assert!(
        world.has(|e| matches!(e, Event::PeerRestarted { sessions: 2, .. })),
        "{:?}",
        world.events
    );
    assert!(reattach(&world, 1) && reattach(&world, 2));
    assert!(world.mme.sessions().next().is_none());
    assert!(world.pgw.deletes.is_empty());
    world.attach(1);
    assert_eq!(world.state(1), Some(State::Registered));
}

/// The answer that tells of the restart belongs to the new life.
#[test]
fn the_session_that_tells_of_the_restart_stays() {
    let mut world = World::new();
    world.attached(1);
    world.restart_pgw();
    world.attach(2);
    assert!(reattach(&world, 1));
    assert_eq!(world.state(2), Some(State::Registered));
    assert_eq!(world.mme.sessions().count(), 1);
}

#[test]
fn a_gateway_that_cannot_be_reached_has_its_ues_come_back() {
    let mut world = World::new();
    world.attached(1);
    world.pgw.reply = PgwReply::Silent;
    world.wait(Duration::from_secs(90));
    assert!(
        world.has(|e| matches!(e, Event::PathDown { sessions: 1, .. })),
        "{:?}",
        world.events
    );
    assert!(reattach(&world, 1));
    assert!(world.mme.sessions().next().is_none());
}

#[test]
fn a_delete_bearer_request_for_nobody_is_context_not_found() {
    let mut world = World::new();
    world.attached(1);
    let before = world.context(1);
    let s5c = before.as_ref().unwrap().session.as_ref().unwrap().s5c;
    for wrong in [teid(s5c.get() ^ 1 << 31), teid(1 << 19)] {
        world.delete_bearer_at(wrong, 9);
        assert_eq!(
            world.pgw.responses.pop().unwrap().cause.cause,
            c::Cause::CONTEXT_NOT_FOUND
        );
    }
    assert_eq!(world.context(1), before);
}

/// Only gateways speak on S5, and each for its own sessions.
#[test]
fn messages_of_strangers_are_dropped() {
    let mut world = World::new();
    world.attached(1);
    let before = world.context(1);
    let s5c = before.as_ref().unwrap().session.as_ref().unwrap().s5c;
    let header = c::Header {
        message_type: c::MessageType::DELETE_BEARER_REQUEST,
        teid: Some(s5c.get()),
        sequence: 5,
        piggybacked: false,
    };
    let message = c::Message::DeleteBearerRequest(c::DeleteBearerRequest {
        linked_ebi: Some(heiiki_types::Ebi::FIRST),
        ebis: Vec::new(),
        cause: None,
        failed: Vec::new(),
        pti: None,
        pco: None,
    });
    let payload = c::encode(header, &message);
    let (local, remote) = (address("127.0.0.2:2123"), address("127.0.0.66:2123"));
    world.input(Input::S5c(Datagram {
        local,
        remote,
        payload,
    }));
    assert_eq!(world.context(1), before);
    assert!(world.has(|e| matches!(
        e,
        Event::GtpDropped {
            why: "not a gateway",
            ..
        }
    )));
}

#[test]
fn a_repeated_delete_bearer_request_is_answered_alike() {
    let mut world = World::new();
    world.attached(1);
    let s5c = world.context(1).unwrap().session.unwrap().s5c;
    world.delete_bearer_at(s5c, 8);
    world.delete_bearer_at(s5c, 8);
    let causes: Vec<_> = world
        .pgw
        .responses
        .iter()
        .map(|r| r.cause.cause.0)
        .collect();
    // The second one is a request of its own, and the session is gone.
    assert_eq!(causes, [16, 64]);
}

#[test]
fn requests_that_an_sgw_does_not_serve_are_refused() {
    let mut world = World::new();
    world.attached(1);
    let before = world.context(1);
    let (pgw, sgw) = (address("127.0.0.3:2123"), address("127.0.0.2:2123"));
    let message = c::Message::DeleteSessionRequest(c::DeleteSessionRequest {
        linked_ebi: Some(heiiki_types::Ebi::FIRST),
        ..c::DeleteSessionRequest::default()
    });
    world
        .pgw
        .endpoint
        .send_request(world.now.at, pgw, sgw, Some(1), &message, 3)
        .unwrap();
    world.run();
    assert_eq!(world.context(1), before);
}
