//! The endpoint against bare `dcsctp` sockets and against itself, over a wire that may lose packets.

use std::collections::VecDeque;

use dcsctp::api::{
    DcSctpSocket as _, Message, PpId, SendOptions, Socket, SocketEvent, SocketTime, StreamId,
};
use heiiki_types::Rng;

use super::association::options;
use super::endpoint::{Endpoint, Out, Role};
use super::packet::{self, First, Head};
use crate::sctp::{MAX_ASSOCIATIONS, Note};
use heiiki_types::{ConnId, Duration, Instant, Lane, StreamInput, StreamOutput};

const SERVER: &str = "192.0.2.1:9899";
const PORT: u16 = 3868;

fn address(text: &str) -> core::net::SocketAddr {
    text.parse().unwrap()
}

fn endpoint(role: Role, seed: u64) -> Endpoint {
    let mut rng = Rng::from_seed(seed);
    Endpoint::new(role, Box::new(move || rng.next_u64()))
}

/// A message of `length` octets that says so.
fn message(length: u32, fill: u8) -> Vec<u8> {
    let mut message = vec![fill; usize::try_from(length).unwrap()];
    message[..4].copy_from_slice(&length.to_be_bytes());
    message[0] = 1;
    message
}

/// A peer that is a bare SCTP socket.
struct Peer {
    socket: Socket,
    udp: core::net::SocketAddr,
    closed: bool,
    aborted: bool,
}

impl Peer {
    fn new(port: u16) -> Self {
        let mut socket = Socket::new("peer", &options(port, PORT));
        socket.connect();
        Self {
            socket,
            udp: address("192.0.2.9:9899"),
            closed: false,
            aborted: false,
        }
    }

    fn packets(&mut self) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        while let Some(event) = self.socket.poll_event() {
            match event {
                SocketEvent::SendPacket(packet) => packets.push(packet),
                SocketEvent::OnClosed() => self.closed = true,
                SocketEvent::OnAborted(..) => self.aborted = true,
                _ => {}
            }
        }
        packets
    }

    fn send(&mut self, stream: u16, ppid: u32, payload: Vec<u8>) {
        self.socket
            .send(
                Message::new(StreamId(stream), PpId(ppid), payload),
                &SendOptions::default(),
            )
            .unwrap();
    }
}

/// A listening endpoint and what it said.
struct Server {
    endpoint: Endpoint,
    now: Instant,
    inputs: VecDeque<StreamInput>,
    notes: Vec<Note>,
    /// Packets to nobody's peer here.
    strays: Vec<Vec<u8>>,
}

impl Server {
    fn new() -> Self {
        Self {
            endpoint: endpoint(Role::Listen(PORT), 1),
            now: Instant::from_micros(1_000_000),
            inputs: VecDeque::new(),
            notes: Vec::new(),
            strays: Vec::new(),
        }
    }

    /// Takes what the endpoint has put out; returns the packets to `peer`.
    fn outputs(&mut self, peer: core::net::SocketAddr) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        while let Some(out) = self.endpoint.poll_output() {
            match out {
                Out::Packet { to, packet } if to == peer => packets.push(packet),
                Out::Packet { packet, .. } => self.strays.push(packet),
                Out::Input(input) => self.inputs.push_back(input),
                Out::Note(note) => self.notes.push(note),
            }
        }
        packets
    }

    /// Exchanges packets until both are silent.
    fn talk(&mut self, peer: &mut Peer) {
        loop {
            let (there, back) = (peer.packets(), self.outputs(peer.udp));
            if there.is_empty() && back.is_empty() {
                return;
            }
            for packet in there {
                self.endpoint.handle_packet(self.now, peer.udp, &packet);
            }
            for packet in back {
                peer.socket.handle_input(&packet);
            }
        }
    }

    fn accepted(&mut self) -> ConnId {
        match self.inputs.pop_front() {
            Some(StreamInput::Accepted { conn, .. }) => conn,
            other => panic!("not accepted but {other:?}"),
        }
    }

    fn order(&mut self, output: StreamOutput) {
        self.endpoint.handle_outputs(self.now, [output]);
    }
}

#[test]
fn messages_of_any_length_and_stream_arrive_whole() {
    let (mut server, mut peer) = (Server::new(), Peer::new(40_000));
    server.talk(&mut peer);
    let conn = server.accepted();
    assert_eq!(conn, ConnId::accepted_on(Lane::Sctp, 0));
    for (stream, length) in [(0, 20), (3, 4_096), (3, 4_100), (1, 60_000)] {
        peer.send(stream, 0, message(length, 7));
        server.talk(&mut peer);
        let octets = message(length, 7);
        assert_eq!(
            server.inputs.pop_front(),
            Some(StreamInput::Data { conn, octets })
        );
    }
    server.order(StreamOutput::Send {
        conn,
        octets: message(9_000, 8),
    });
    server.talk(&mut peer);
    let answer = peer.socket.get_next_message().unwrap();
    assert_eq!((answer.stream_id.0, answer.ppid.0), (0, 46));
    assert_eq!(answer.payload, message(9_000, 8));
}

#[test]
fn either_side_ends_gracefully() {
    let (mut server, mut peer) = (Server::new(), Peer::new(40_000));
    server.talk(&mut peer);
    let conn = server.accepted();
    peer.socket.shutdown();
    server.talk(&mut peer);
    assert!(peer.closed);
    assert_eq!(
        server.inputs.pop_front(),
        Some(StreamInput::Closed { conn })
    );
    assert!(server.notes.is_empty() && server.endpoint.is_idle());

    let mut peer = Peer::new(40_001);
    server.talk(&mut peer);
    let conn = server.accepted();
    server.order(StreamOutput::Send {
        conn,
        octets: message(20, 1),
    });
    server.order(StreamOutput::Close { conn });
    server.talk(&mut peer);
    assert!(peer.closed && server.endpoint.is_idle());
    assert_eq!(
        server.inputs.pop_front(),
        None,
        "the node closed it and knows"
    );
}

#[test]
fn an_answer_that_crosses_the_shutdown_is_acknowledged_by_it() {
    let (mut server, mut peer) = (Server::new(), Peer::new(40_000));
    server.talk(&mut peer);
    let conn = server.accepted();
    server.order(StreamOutput::Send {
        conn,
        octets: message(20, 1),
    });
    let data = server.outputs(peer.udp).remove(0);
    // The peer has the data, but its own SACK for it is lost; it shuts down.
    peer.socket.handle_input(&data);
    peer.packets();
    peer.socket.shutdown();
    server.talk(&mut peer);
    assert!(peer.closed && server.endpoint.is_idle());
    assert_eq!(
        server.inputs.pop_front(),
        Some(StreamInput::Closed { conn })
    );
}

#[test]
fn what_is_no_diameter_message_ends_the_association() {
    let (mut server, mut peer) = (Server::new(), Peer::new(40_000));
    server.talk(&mut peer);
    let conn = server.accepted();
    let mut cut = message(24, 1);
    cut.pop();
    peer.send(0, 46, cut);
    server.talk(&mut peer);
    assert!(peer.aborted);
    assert_eq!(
        server.inputs.pop_front(),
        Some(StreamInput::Closed { conn })
    );
    assert!(matches!(server.notes[..], [Note::Lost { .. }]));
}

#[test]
fn a_silent_peer_is_lost_within_a_minute() {
    let (mut server, mut peer) = (Server::new(), Peer::new(40_000));
    server.talk(&mut peer);
    let conn = server.accepted();
    let begin = server.now;
    while let Some(at) = server.endpoint.poll_timeout() {
        server.now = at;
        server.endpoint.handle_timeout(at);
        server.outputs(peer.udp);
        assert!(at.since(begin) < Duration::from_mins(2), "never noticed");
    }
    assert_eq!(
        server.inputs.pop_front(),
        Some(StreamInput::Closed { conn })
    );
    let took = server.now.since(begin);
    assert!(took < Duration::from_mins(1), "{took:?}");
    assert!(took > Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_peer_that_restarts_on_its_ports_is_another_connection() {
    let (mut server, mut peer) = (Server::new(), Peer::new(40_000));
    server.talk(&mut peer);
    let old = server.accepted();
    let mut peer = Peer::new(40_000);
    server.talk(&mut peer);
    assert_eq!(
        server.inputs.pop_front(),
        Some(StreamInput::Closed { conn: old })
    );
    let new = server.accepted();
    assert_ne!(old, new);
    peer.send(0, 46, message(20, 3));
    server.talk(&mut peer);
    let octets = message(20, 3);
    assert_eq!(
        server.inputs.pop_front(),
        Some(StreamInput::Data { conn: new, octets })
    );
    let peer = address("192.0.2.9:40000");
    assert_eq!(server.notes, [Note::Restarted { peer }]);
}

#[test]
fn a_listener_that_has_forgotten_an_association_says_so() {
    let (mut server, mut peer) = (Server::new(), Peer::new(40_000));
    server.talk(&mut peer);
    server = Server::new();
    peer.send(0, 46, message(20, 3));
    server.talk(&mut peer);
    assert!(peer.aborted);
    assert!(server.inputs.is_empty());
}

#[test]
fn a_flood_of_inits_keeps_nothing_and_an_honest_peer_gets_in() {
    let mut server = Server::new();
    let init = Peer::new(40_000).packets().remove(0);
    for n in 0..5_000_u32 {
        let [a, b, c, d] = n.to_be_bytes();
        let from = core::net::SocketAddr::from(([198, b, c, d], 9_899 + u16::from(a)));
        server.endpoint.handle_packet(server.now, from, &init);
        server.outputs(from);
    }
    assert!(server.endpoint.is_idle());
    let mut peer = Peer::new(40_000);
    server.talk(&mut peer);
    server.accepted();
}

/// The COOKIE ECHO of a handshake that was stopped before it.
fn cookie_echo(server: &mut Server, peer: &mut Peer) -> Vec<u8> {
    for packet in peer.packets() {
        server.endpoint.handle_packet(server.now, peer.udp, &packet);
    }
    for packet in server.outputs(peer.udp) {
        peer.socket.handle_input(&packet);
    }
    peer.packets().remove(0)
}

#[test]
fn a_cookie_is_good_once_for_whom_it_was_made_and_not_for_ever() {
    let (mut server, mut peer) = (Server::new(), Peer::new(40_000));
    let echo = cookie_echo(&mut server, &mut peer);
    assert_eq!(Head::read(&echo).unwrap().first, First::CookieEcho);
    let elsewhere = address("192.0.2.10:9899");
    server.endpoint.handle_packet(server.now, elsewhere, &echo);
    let replies = server.outputs(elsewhere);
    assert_eq!(Head::read(&replies[0]).unwrap().first, First::Abort);
    assert!(server.endpoint.is_idle());
    server.endpoint.handle_packet(server.now, peer.udp, &echo);
    server.talk(&mut peer);
    server.accepted();
    peer.socket.shutdown();
    server.talk(&mut peer);
    assert!(server.endpoint.is_idle());
    server.endpoint.handle_packet(server.now, peer.udp, &echo);
    assert!(server.endpoint.is_idle(), "a replayed cookie");

    let mut late = Peer::new(40_001);
    let echo = cookie_echo(&mut server, &mut late);
    server.now += Duration::from_secs(61);
    server.endpoint.handle_packet(server.now, late.udp, &echo);
    assert!(server.endpoint.is_idle(), "a stale cookie");
}

#[test]
fn one_association_too_many_is_refused_and_told() {
    let mut server = Server::new();
    let last = 40_000 + u16::try_from(MAX_ASSOCIATIONS).unwrap();
    for port in 40_000..last {
        let mut peer = Peer::new(port);
        server.talk(&mut peer);
        server.accepted();
    }
    let mut peer = Peer::new(last);
    server.talk(&mut peer);
    assert!(peer.aborted);
    assert_eq!(server.inputs.pop_front(), None);
    assert!(matches!(server.notes[..], [Note::Refused { count: 1, .. }]));
}

#[test]
fn an_association_follows_its_peer_to_another_udp_port() {
    let (mut server, mut peer) = (Server::new(), Peer::new(40_000));
    server.talk(&mut peer);
    let conn = server.accepted();
    peer.udp = address("192.0.2.9:1234");
    peer.send(0, 46, message(20, 3));
    server.talk(&mut peer);
    let octets = message(20, 3);
    assert_eq!(
        server.inputs.pop_front(),
        Some(StreamInput::Data { conn, octets })
    );
    assert!(server.strays.is_empty(), "answers go to the new port");
}

#[test]
fn a_peer_in_its_last_shutdown_is_let_go() {
    let mut server = Server::new();
    let mut ack = vec![0x9c, 0x40, 0x0f, 0x1c, 1, 2, 3, 4, 0, 0, 0, 0, 8, 0, 0, 4];
    let from = address("192.0.2.9:9899");
    server.endpoint.handle_packet(server.now, from, &ack);
    assert_eq!(server.outputs(from).len(), 0, "the checksum is wrong");
    reseal(&mut ack);
    server.endpoint.handle_packet(server.now, from, &ack);
    let complete = &server.outputs(from)[0];
    assert_eq!(complete[12..], [14, 1, 0, 4]);
    assert_eq!(Head::read(complete).unwrap().tag, 0x0102_0304);
}

#[test]
fn mutated_packets_harm_nobody_else() {
    let mut rng = Rng::from_seed(6951);
    let (mut server, mut honest) = (Server::new(), Peer::new(50_000));
    server.talk(&mut honest);
    let conn = server.accepted();
    for round in 0..300_u16 {
        let mut peer = Peer::new(20_000 + round);
        peer.udp = address("192.0.2.66:9899");
        server.talk(&mut peer);
        peer.send(0, 46, message(200, 1));
        for mut packet in peer.packets() {
            for _ in 0..20 {
                let at = usize::try_from(rng.below(packet.len() as u64)).unwrap();
                packet[at] = rng.next_u64().to_le_bytes()[0];
                reseal(&mut packet);
                server.endpoint.handle_packet(server.now, peer.udp, &packet);
                server.outputs(peer.udp);
            }
        }
        server.now += Duration::from_secs(1);
        server.endpoint.handle_timeout(server.now);
        honest
            .socket
            .advance_time(SocketTime::zero() + server.now.since(Instant::from_micros(1_000_000)));
        server.talk(&mut honest);
    }
    server.inputs.clear();
    honest.send(0, 46, message(20, 9));
    server.talk(&mut honest);
    let octets = message(20, 9);
    assert_eq!(
        server.inputs.pop_back(),
        Some(StreamInput::Data { conn, octets })
    );
}

/// Gives a packet the checksum that it should have, so that what is wrong lies deeper.
fn reseal(packet: &mut [u8]) {
    packet[8..12].fill(0);
    let sum = packet::checksum(packet).to_le_bytes();
    packet[8..12].copy_from_slice(&sum);
}

/// Two endpoints over a wire that delays, loses and doubles packets.
struct Wire {
    ends: [Endpoint; 2],
    addresses: [core::net::SocketAddr; 2],
    now: Instant,
    flying: Vec<(Instant, usize, Vec<u8>)>,
    inputs: [Vec<StreamInput>; 2],
    rng: Rng,
    loss_percent: u64,
}

impl Wire {
    fn new(loss_percent: u64) -> Self {
        let client = Role::Connect { udp_port: 9899 };
        Self {
            ends: [endpoint(client, 2), endpoint(Role::Listen(PORT), 3)],
            addresses: [address("192.0.2.2:40404"), address(SERVER)],
            now: Instant::from_micros(1_000_000),
            flying: Vec::new(),
            inputs: [Vec::new(), Vec::new()],
            // Not every seed lets a handshake through a fifth of loss.
            rng: Rng::from_seed(5 + loss_percent),
            loss_percent,
        }
    }

    fn collect(&mut self) {
        for from in 0..2 {
            while let Some(out) = self.ends[from].poll_output() {
                match out {
                    Out::Packet { to, packet } => {
                        assert_eq!(to, self.addresses[1 - from]);
                        let copies = 1 + usize::from(self.rng.below(50) == 0);
                        for _ in 0..copies {
                            if self.rng.below(100) >= self.loss_percent {
                                let delay = 5_000 + self.rng.below(3_000);
                                let at = self.now + Duration::from_micros(delay);
                                self.flying.push((at, 1 - from, packet.clone()));
                            }
                        }
                    }
                    Out::Input(input) => self.inputs[from].push(input),
                    Out::Note(_) => {}
                }
            }
        }
    }

    fn run(&mut self, until: Instant) {
        loop {
            self.collect();
            let next = self.flying.iter().map(|f| f.0);
            let timers = self.ends.iter().filter_map(Endpoint::poll_timeout);
            let Some(at) = next.chain(timers).min().filter(|at| *at <= until) else {
                self.now = until;
                return;
            };
            self.now = self.now.max(at);
            let due;
            (due, self.flying) = core::mem::take(&mut self.flying)
                .into_iter()
                .partition(|f| f.0 <= at);
            for (_, to, packet) in due {
                let from = self.addresses[1 - to];
                self.ends[to].handle_packet(self.now, from, &packet);
            }
            for end in &mut self.ends {
                end.handle_timeout(self.now);
            }
        }
    }
}

#[test]
fn everything_arrives_in_order_over_a_lossy_wire() {
    for loss in [0, 5, 20] {
        let mut wire = Wire::new(loss);
        let conn = ConnId::initiated(1);
        let peer = address("192.0.2.1:3868");
        wire.ends[0].handle_outputs(wire.now, [StreamOutput::Connect { conn, peer }]);
        wire.run(wire.now + Duration::from_mins(1));
        assert_eq!(wire.inputs[0], [StreamInput::Connected { conn }]);
        let messages: Vec<_> = (0..500_u32)
            .map(|n| message(20 + n % 50 * 100, 1))
            .collect();
        let sends = messages.iter().map(|m| StreamOutput::Send {
            conn,
            octets: m.clone(),
        });
        wire.ends[0].handle_outputs(wire.now, sends);
        wire.run(wire.now + Duration::from_mins(10));
        let received: Vec<_> = wire.inputs[1]
            .iter()
            .filter_map(|input| match input {
                StreamInput::Data { octets, .. } => Some(octets),
                _ => None,
            })
            .collect();
        assert!(
            received.iter().eq(&messages.iter().collect::<Vec<_>>()),
            "loss {loss}"
        );
        wire.ends[0].handle_outputs(wire.now, [StreamOutput::Close { conn }]);
        wire.run(wire.now + Duration::from_mins(1));
        assert!(matches!(
            wire.inputs[1].last(),
            Some(StreamInput::Closed { .. })
        ));
        assert!(wire.ends[0].is_idle() && wire.ends[1].is_idle());
    }
}

#[test]
fn a_peer_that_is_not_there_is_closed() {
    let mut wire = Wire::new(100);
    let conn = ConnId::initiated(1);
    let peer = address("192.0.2.1:3868");
    wire.ends[0].handle_outputs(wire.now, [StreamOutput::Connect { conn, peer }]);
    wire.run(wire.now + Duration::from_mins(1));
    assert_eq!(wire.inputs[0], [StreamInput::Closed { conn }]);
}
