//! All associations of one UDP socket, as a machine: packets, orders and time go in; packets, inputs
//! of the node and a deadline come out.

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use dcsctp::api::DcSctpSocket;
use heiiki_types::{ConnId, Duration, Instant, Lane, StreamInput, StreamOutput};

use super::association::{Association, End, Happened, Phase, answer_init};
use super::issued::Issued;
use super::packet::{self, First, Head};
use crate::sctp::message::is_whole;
use crate::sctp::{MAX_ASSOCIATIONS, Note};

/// How long a shutdown may take before the association is aborted.
const CLOSING: Duration = Duration::from_secs(5);
/// The least time between two notes about refusals.
const QUIET: Duration = Duration::from_secs(1);

/// What an association is known by: the peer's UDP address and both SCTP ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path {
    pub(super) udp: SocketAddr,
    pub(super) remote: u16,
    pub(super) local: u16,
}

impl Path {
    /// The peer as the node knows it: its address and SCTP port.
    const fn peer(self) -> SocketAddr {
        SocketAddr::new(self.udp.ip(), self.remote)
    }
}

/// What the endpoint wants done.
#[derive(Debug)]
pub(super) enum Out {
    Packet { to: SocketAddr, packet: Vec<u8> },
    Input(StreamInput),
    Note(Note),
}

/// How the endpoint is used.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    /// Takes associations on this SCTP port.
    Listen(u16),
    /// Opens associations to peers whose SCTP is behind this UDP port.
    Connect { udp_port: u16 },
}

/// The number of an association in this endpoint.
type Id = u64;

pub(super) struct Endpoint {
    role: Role,
    /// Fresh randomness for tags, which nobody may foresee.
    entropy: Box<dyn FnMut() -> u64 + Send>,
    associations: BTreeMap<Id, Association>,
    by_path: BTreeMap<Path, Id>,
    by_conn: BTreeMap<ConnId, Id>,
    /// Associations by their peer's tag, to know them when the peer's UDP port changes.
    by_tag: BTreeMap<u32, Id>,
    calendar: BTreeSet<(Instant, Id)>,
    issued: Issued,
    next: Id,
    accepted: u64,
    refused: u64,
    noted: Option<Instant>,
    out: VecDeque<Out>,
}

impl Endpoint {
    pub(super) fn new(role: Role, entropy: Box<dyn FnMut() -> u64 + Send>) -> Self {
        Self {
            role,
            entropy,
            associations: BTreeMap::new(),
            by_path: BTreeMap::new(),
            by_conn: BTreeMap::new(),
            by_tag: BTreeMap::new(),
            calendar: BTreeSet::new(),
            issued: Issued::default(),
            next: 0,
            accepted: 0,
            refused: 0,
            noted: None,
            out: VecDeque::new(),
        }
    }

    pub(super) fn poll_output(&mut self) -> Option<Out> {
        self.out.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.calendar.first().map(|(at, _)| *at)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.associations.is_empty()
    }

    /// A datagram came.
    pub(super) fn handle_packet(&mut self, now: Instant, from: SocketAddr, octets: &[u8]) {
        let Some(head) = Head::read(octets) else {
            return;
        };
        let path = Path {
            udp: from,
            remote: head.from,
            local: head.to,
        };
        if let Some(id) = self.known(path, &head) {
            self.feed(now, id, from, &head, octets);
            return;
        }
        match (self.role, head.first) {
            (Role::Listen(port), _) if port != head.to => {}
            (Role::Listen(_), First::Init { .. }) if head.tag == 0 => {
                self.on_init(now, path, octets);
            }
            (Role::Listen(_), First::CookieEcho) => self.on_cookie(now, path, &head, octets),
            (_, First::Init { .. } | First::Abort | First::Silent | First::CookieEcho) => {}
            (_, first) if packet::is_sound(octets) => {
                let packet = match first {
                    First::ShutdownAck => packet::shutdown_complete(&head),
                    _ => packet::abort(&head),
                };
                self.out.push_back(Out::Packet { to: from, packet });
            }
            _ => {}
        }
    }

    /// The association of a packet: by where it comes from, or by its tag when only the UDP port is
    /// another, as behind an address translator that has forgotten.
    fn known(&self, path: Path, head: &Head) -> Option<Id> {
        if let Some(id) = self.by_path.get(&path) {
            return Some(*id);
        }
        let id = self.by_tag.get(&head.tag)?;
        let old = self.associations.get(id)?.path;
        let same = (old.peer(), old.local) == (path.peer(), path.local);
        same.then_some(*id)
    }

    fn feed(&mut self, now: Instant, id: Id, from: SocketAddr, head: &Head, octets: &[u8]) {
        let init = matches!(head.first, First::Init { .. });
        if init {
            fastrand::seed((self.entropy)());
        }
        let Some(association) = self.associations.get_mut(&id) else {
            return;
        };
        if association.path.udp != from && packet::is_sound(octets) {
            let old = association.path;
            association.path.udp = from;
            self.by_path.remove(&old);
            self.by_path.insert(association.path, id);
        }
        let path = association.path;
        if head.first == First::CookieEcho
            && head.tag != association.tag
            && !self.issued.take(now, path, head.tag)
        {
            return;
        }
        let happened = association.touch(now, |socket| socket.handle_input(octets));
        if init {
            self.remember_tags(now, path, &happened.packets);
        }
        if happened.restarted || happened.connected {
            self.set_tag(id, head.tag);
        }
        self.settle(now, id, happened);
    }

    fn set_tag(&mut self, id: Id, tag: u32) {
        if let Some(association) = self.associations.get_mut(&id) {
            self.by_tag.remove(&association.tag);
            association.tag = tag;
            self.by_tag.insert(tag, id);
        }
    }

    fn remember_tags(&mut self, now: Instant, path: Path, packets: &[Vec<u8>]) {
        for packet in packets {
            if let Some(First::InitAck { tag }) = Head::read(packet).map(|h| h.first) {
                self.issued.add(now, path, tag);
            }
        }
    }

    fn on_init(&mut self, now: Instant, path: Path, octets: &[u8]) {
        fastrand::seed((self.entropy)());
        let packets = answer_init(path, octets);
        self.remember_tags(now, path, &packets);
        for packet in packets {
            let to = path.udp;
            self.out.push_back(Out::Packet { to, packet });
        }
    }

    fn on_cookie(&mut self, now: Instant, path: Path, head: &Head, octets: &[u8]) {
        if !packet::is_sound(octets) {
            return;
        }
        if !self.issued.take(now, path, head.tag) {
            // Old, forged, or a copy of one that was used; the peer of an old one begins again.
            let packet = packet::abort(head);
            let to = path.udp;
            self.out.push_back(Out::Packet { to, packet });
            return;
        }
        if self.associations.len() >= MAX_ASSOCIATIONS {
            let packet = packet::abort(head);
            let to = path.udp;
            self.out.push_back(Out::Packet { to, packet });
            self.refuse(now, path.peer(), "as many associations as are allowed");
            return;
        }
        let conn = self.accepted_conn();
        let mut association = Association::new(now, conn, path, Phase::Open);
        let happened = association.touch(now, |socket| socket.handle_input(octets));
        if !association.is_connected() {
            return;
        }
        let id = self.insert(association);
        self.set_tag(id, head.tag);
        let peer = path.peer();
        self.input(StreamInput::Accepted { conn, peer });
        self.settle(now, id, happened);
    }

    fn refuse(&mut self, now: Instant, peer: SocketAddr, why: &'static str) {
        self.refused += 1;
        if self.noted.is_none_or(|at| now.since(at) >= QUIET) {
            self.noted = Some(now);
            let count = core::mem::take(&mut self.refused);
            self.out
                .push_back(Out::Note(Note::Refused { peer, why, count }));
        }
    }

    fn accepted_conn(&mut self) -> ConnId {
        let conn = ConnId::accepted_on(Lane::Sctp, self.accepted);
        self.accepted += 1;
        conn
    }

    fn insert(&mut self, association: Association) -> Id {
        let id = self.next;
        self.next += 1;
        self.by_path.insert(association.path, id);
        self.by_conn.insert(association.conn, id);
        self.associations.insert(id, association);
        id
    }

    /// Does what the node wants; consecutive messages on one association go together.
    pub(super) fn handle_outputs(
        &mut self,
        now: Instant,
        outputs: impl IntoIterator<Item = StreamOutput>,
    ) {
        let mut batch: Option<(ConnId, Vec<Vec<u8>>)> = None;
        for output in outputs {
            if let StreamOutput::Send { conn, octets } = output {
                match &mut batch {
                    Some((same, messages)) if *same == conn => messages.push(octets),
                    _ => {
                        let whole = batch.replace((conn, vec![octets]));
                        self.send(now, whole);
                    }
                }
                continue;
            }
            self.send(now, batch.take());
            match output {
                StreamOutput::Connect { conn, peer } => self.connect(now, conn, peer),
                StreamOutput::Close { conn } => self.close(now, conn),
                StreamOutput::Send { .. } => {}
            }
        }
        self.send(now, batch);
    }

    fn send(&mut self, now: Instant, batch: Option<(ConnId, Vec<Vec<u8>>)>) {
        let Some((conn, messages)) = batch else {
            return;
        };
        let Some(id) = self.by_conn.get(&conn).copied() else {
            return;
        };
        if let Some(association) = self.associations.get_mut(&id) {
            let happened = association.send(now, messages);
            self.settle(now, id, happened);
        }
    }

    fn connect(&mut self, now: Instant, conn: ConnId, peer: SocketAddr) {
        let Role::Connect { udp_port } = self.role else {
            self.input(StreamInput::Closed { conn });
            return;
        };
        let seed = (self.entropy)();
        fastrand::seed(seed);
        let path = Path {
            udp: SocketAddr::new(peer.ip(), udp_port),
            remote: peer.port(),
            // An ephemeral port, another each time: an old association of ours is another one.
            local: fastrand::u16(49_152..),
        };
        if self.by_path.contains_key(&path) {
            self.input(StreamInput::Closed { conn });
            return;
        }
        let mut association = Association::new(now, conn, path, Phase::Opening);
        let happened = association.touch(now, DcSctpSocket::connect);
        let id = self.insert(association);
        self.settle(now, id, happened);
    }

    fn close(&mut self, now: Instant, conn: ConnId) {
        let Some(id) = self.by_conn.remove(&conn) else {
            return;
        };
        let Some(association) = self.associations.get_mut(&id) else {
            return;
        };
        let up = association.is_connected();
        association.phase = Phase::Closing(now + CLOSING);
        let happened = association.touch(now, |socket| {
            if up {
                socket.shutdown();
            } else {
                socket.close();
            }
        });
        self.settle(now, id, happened);
        if !up {
            self.remove(id);
        }
    }

    /// Closes every association, as the node would.
    pub(super) fn close_all(&mut self, now: Instant) {
        let conns: Vec<ConnId> = self.by_conn.keys().copied().collect();
        for conn in conns {
            self.close(now, conn);
        }
    }

    /// Ends at once what is left.
    pub(super) fn abort_all(&mut self, now: Instant) {
        let ids: Vec<Id> = self.associations.keys().copied().collect();
        for id in ids {
            if let Some(association) = self.associations.get_mut(&id) {
                let to = association.path.udp;
                let packets = association.abort(now);
                self.out
                    .extend(packets.into_iter().map(|packet| Out::Packet { to, packet }));
            }
            self.remove(id);
        }
    }

    /// Lets due timers run.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let later = self
            .calendar
            .split_off(&(now + Duration::from_micros(1), 0));
        let due = core::mem::replace(&mut self.calendar, later);
        for (_, id) in due {
            let Some(association) = self.associations.get_mut(&id) else {
                continue;
            };
            association.due = None;
            if matches!(association.phase, Phase::Closing(end) if end <= now) {
                let to = association.path.udp;
                let packets = association.abort(now);
                self.out
                    .extend(packets.into_iter().map(|packet| Out::Packet { to, packet }));
                self.remove(id);
                continue;
            }
            let happened = association.touch(now, |_| {});
            self.settle(now, id, happened);
        }
    }

    /// Passes on what happened, and puts the association back into the calendar.
    fn settle(&mut self, now: Instant, id: Id, happened: Happened) {
        let Some(association) = self.associations.get_mut(&id) else {
            return;
        };
        let to = association.path.udp;
        self.out.extend(
            happened
                .packets
                .into_iter()
                .map(|packet| Out::Packet { to, packet }),
        );
        if happened.restarted {
            self.on_restart(id);
        } else if happened.connected {
            self.on_connected(id);
        }
        let mut ended = happened.ended;
        for octets in happened.messages {
            if !self.on_message(now, id, octets) {
                ended = Some(End::Lost("what came is no Diameter message".to_owned()));
                break;
            }
        }
        match ended {
            Some(end) => self.on_end(id, end),
            None => self.reschedule(now, id),
        }
    }

    fn on_connected(&mut self, id: Id) {
        let Some(association) = self.associations.get_mut(&id) else {
            return;
        };
        if association.phase == Phase::Opening {
            association.phase = Phase::Open;
            let conn = association.conn;
            self.input(StreamInput::Connected { conn });
        }
    }

    /// The peer has forgotten everything: for the node that is another connection.
    fn on_restart(&mut self, id: Id) {
        let conn = self.accepted_conn();
        let Some(association) = self.associations.get_mut(&id) else {
            return;
        };
        if association.phase != Phase::Open {
            return;
        }
        let peer = association.path.peer();
        let old = association.conn;
        self.by_conn.remove(&old);
        self.out.push_back(Out::Note(Note::Restarted { peer }));
        self.input(StreamInput::Closed { conn: old });
        if old.is_accepted() {
            if let Some(association) = self.associations.get_mut(&id) {
                association.conn = conn;
            }
            self.by_conn.insert(conn, id);
            self.input(StreamInput::Accepted { conn, peer });
        } else if let Some(association) = self.associations.get_mut(&id) {
            // The node will connect again: this one has served its time.
            association.phase = Phase::Closing(Instant::from_micros(0));
        }
    }

    /// Passes a message on; whether it is one.
    fn on_message(&mut self, now: Instant, id: Id, octets: Vec<u8>) -> bool {
        let Some(association) = self.associations.get_mut(&id) else {
            return true;
        };
        if association.phase != Phase::Open {
            return true;
        }
        if !is_whole(&octets) {
            let to = association.path.udp;
            let packets = association.abort(now);
            self.out
                .extend(packets.into_iter().map(|packet| Out::Packet { to, packet }));
            return false;
        }
        let conn = association.conn;
        self.input(StreamInput::Data { conn, octets });
        true
    }

    fn on_end(&mut self, id: Id, end: End) {
        let Some(association) = self.associations.get(&id) else {
            return;
        };
        let (conn, peer) = (association.conn, association.path.peer());
        let told = matches!(association.phase, Phase::Opening | Phase::Open);
        self.remove(id);
        if told {
            if let End::Lost(why) = end {
                self.out.push_back(Out::Note(Note::Lost { peer, why }));
            }
            self.input(StreamInput::Closed { conn });
        }
    }

    fn reschedule(&mut self, now: Instant, id: Id) {
        let Some(association) = self.associations.get_mut(&id) else {
            return;
        };
        let due = association.deadline().map(|at| at.max(now));
        if due == association.due {
            return;
        }
        if let Some(old) = association.due {
            self.calendar.remove(&(old, id));
        }
        association.due = due;
        self.calendar.extend(due.map(|at| (at, id)));
    }

    fn remove(&mut self, id: Id) {
        let Some(association) = self.associations.remove(&id) else {
            return;
        };
        self.by_path.remove(&association.path);
        if self.by_conn.get(&association.conn) == Some(&id) {
            self.by_conn.remove(&association.conn);
        }
        if self.by_tag.get(&association.tag) == Some(&id) {
            self.by_tag.remove(&association.tag);
        }
        if let Some(due) = association.due {
            self.calendar.remove(&(due, id));
        }
    }

    fn input(&mut self, input: StreamInput) {
        self.out.push_back(Out::Input(input));
    }
}
