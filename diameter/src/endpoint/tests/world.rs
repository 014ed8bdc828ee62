//! Nodes, streams and a clock in memory.

use alloc::collections::{BTreeMap, VecDeque};
use core::net::SocketAddr;

use heiiki_types::{Duration, StreamInput as In, StreamOutput as Out};

use super::super::*;
use crate::samples::{HSS, MME, REALM, capabilities};
use crate::{AnswerResult, ApplicationId, Deframer};

pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) fn address(node: usize) -> SocketAddr {
    let octet = u8::try_from(node + 1).unwrap();
    SocketAddr::from(([127, 0, 0, octet], 3868))
}

pub(super) fn config(host: &str) -> EndpointConfig {
    EndpointConfig {
        host_ips: vec!["127.0.0.1".parse().unwrap()],
        applications: vec![ApplicationId::S6A],
        origin_state_id: 1,
        ..EndpointConfig::new(host, REALM)
    }
}

pub(super) fn client(host: &str, to: usize) -> EndpointConfig {
    EndpointConfig {
        connect: vec![ConnectTo {
            name: None,
            address: address(to),
        }],
        ..config(host)
    }
}

pub(super) fn server(host: &str) -> EndpointConfig {
    EndpointConfig {
        accept: vec![AcceptRule {
            origin_host: "*".into(),
            realm: None,
            addresses: vec![],
            ..AcceptRule::default()
        }],
        ..config(host)
    }
}

/// Nodes, the streams between them and the clock.
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) nodes: Vec<Endpoint>,
    /// What each node reported, streams left out.
    pub(super) seen: Vec<Vec<EndpointOutput>>,
    /// Both ends of each stream.
    pub(super) links: BTreeMap<(usize, ConnId), (usize, ConnId)>,
    /// Octets that each node sent.
    pub(super) sent: Vec<Vec<u8>>,
    pub(super) accepted: u64,
    /// Nodes whose octets go nowhere.
    pub(super) mute: Vec<usize>,
    /// Nodes that nobody can connect to.
    pub(super) down: Vec<usize>,
}

impl World {
    pub(super) fn new(configs: Vec<EndpointConfig>) -> Self {
        let count = configs.len();
        let mut seed = 0;
        let node = |c| {
            seed += 1;
            Endpoint::new(c, Rng::from_seed(seed))
        };
        Self {
            now: Instant::from_micros(1_000_000),
            nodes: configs.into_iter().map(node).collect(),
            seen: vec![vec![]; count],
            links: BTreeMap::new(),
            sent: vec![vec![]; count],
            accepted: 0,
            mute: vec![],
            down: vec![],
        }
    }

    /// The MME is node 0 and connects to the HSS, node 1.
    pub(super) fn pair() -> Self {
        let mut world = Self::new(vec![client(MME, 1), server(HSS)]);
        world.start();
        world
    }

    pub(super) fn start(&mut self) {
        for node in &mut self.nodes {
            node.start(self.now);
        }
        self.settle();
    }

    pub(super) fn stream(&mut self, node: usize, output: Out, events: &mut VecDeque<(usize, In)>) {
        match output {
            Out::Connect { conn, peer } => {
                let to = (0..self.nodes.len()).find(|n| address(*n) == peer);
                match to.filter(|n| !self.down.contains(n)) {
                    None => events.push_back((node, In::Closed { conn })),
                    Some(to) => {
                        let there = ConnId::accepted(self.accepted);
                        self.accepted += 1;
                        self.links.insert((node, conn), (to, there));
                        self.links.insert((to, there), (node, conn));
                        let mut peer = address(node);
                        peer.set_port(40_000);
                        events.push_back((to, In::Accepted { conn: there, peer }));
                        events.push_back((node, In::Connected { conn }));
                    }
                }
            }
            Out::Send { conn, octets } => {
                self.sent[node].extend_from_slice(&octets);
                if let Some((to, conn)) = self.links.get(&(node, conn)).copied()
                    && !self.mute.contains(&node)
                {
                    events.push_back((to, In::Data { conn, octets }));
                }
            }
            Out::Close { conn } => {
                if let Some((to, there)) = self.links.remove(&(node, conn)) {
                    self.links.remove(&(to, there));
                    events.push_back((to, In::Closed { conn: there }));
                }
            }
        }
    }

    /// Delivers everything; no time passes.
    pub(super) fn settle(&mut self) {
        let mut events = VecDeque::new();
        loop {
            for node in 0..self.nodes.len() {
                while let Some(output) = self.nodes[node].poll_output() {
                    match output {
                        EndpointOutput::Stream(output) => self.stream(node, output, &mut events),
                        other => self.seen[node].push(other),
                    }
                }
            }
            let Some((node, input)) = events.pop_front() else {
                return;
            };
            self.nodes[node].handle_stream(self.now, input);
        }
    }

    /// Lets time pass, from deadline to deadline.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let deadlines = self.nodes.iter().filter_map(Endpoint::poll_timeout);
            match deadlines.min().filter(|at| *at <= end) {
                None => break,
                Some(at) => {
                    assert!(at >= self.now, "a deadline in the past");
                    self.now = at;
                    for node in &mut self.nodes {
                        node.handle_timeout(self.now);
                    }
                    self.settle();
                }
            }
        }
        self.now = end;
    }

    pub(super) fn take(&mut self, node: usize) -> Vec<EndpointOutput> {
        core::mem::take(&mut self.seen[node])
    }

    /// The messages that a node sent since the last call.
    pub(super) fn wire(&mut self, node: usize) -> Vec<Message> {
        let mut deframer = Deframer::default();
        deframer.push(&core::mem::take(&mut self.sent[node]));
        deframer
            .map(|f| Message::decode(&f.unwrap()).unwrap())
            .collect()
    }

    pub(super) fn conn(&self, node: usize, peer: &str) -> ConnId {
        self.nodes[node].connection_of(peer).unwrap()
    }

    /// Cuts a stream without either end knowing why.
    pub(super) fn cut(&mut self, node: usize, conn: ConnId) {
        let (to, there) = self.links.remove(&(node, conn)).unwrap();
        self.links.remove(&(to, there));
        self.nodes[node].handle_stream(self.now, In::Closed { conn });
        self.nodes[to].handle_stream(self.now, In::Closed { conn: there });
        self.settle();
    }

    pub(super) fn ask(&mut self, message: Message, tag: u64) {
        let conn = self.conn(0, HSS);
        self.nodes[0]
            .send_request(self.now, conn, message, tag)
            .unwrap();
        self.settle();
    }
}

/// A peer that is not an [`Endpoint`]: it says what a test wants it to say, to node 1.
pub(super) struct Raw {
    pub(super) conn: ConnId,
    pub(super) read: Deframer,
}

impl Raw {
    pub(super) fn from(w: &mut World, from: &str) -> Self {
        let conn = ConnId::accepted(1000 + w.accepted);
        w.accepted += 1;
        let peer = from.parse().unwrap();
        w.nodes[1].handle_stream(w.now, In::Accepted { conn, peer });
        let read = Deframer::default();
        Self { conn, read }
    }

    pub(super) fn connect(w: &mut World) -> Self {
        Self::from(w, "127.0.0.99:5000")
    }

    /// A peer that has exchanged capabilities.
    pub(super) fn join(w: &mut World, host: &str) -> Self {
        let mut raw = Self::connect(w);
        let answer = raw.send(w, &capabilities(host).to_request());
        assert_eq!(answer[0].result(), Some(AnswerResult::SUCCESS));
        w.take(1);
        raw
    }

    /// Sends a message and returns what comes back at once.
    pub(super) fn send(&mut self, w: &mut World, message: &Message) -> Vec<Message> {
        self.octets(w, message.encode())
    }

    pub(super) fn octets(&mut self, w: &mut World, octets: Vec<u8>) -> Vec<Message> {
        let conn = self.conn;
        w.nodes[1].handle_stream(w.now, In::Data { conn, octets });
        self.receive(w)
    }

    pub(super) fn receive(&mut self, w: &mut World) -> Vec<Message> {
        let mut events = VecDeque::new();
        while let Some(output) = w.nodes[1].poll_output() {
            match output {
                EndpointOutput::Stream(Out::Send { conn, octets }) if conn == self.conn => {
                    self.read.push(&octets);
                }
                EndpointOutput::Stream(output) => w.stream(1, output, &mut events),
                other => w.seen[1].push(other),
            }
        }
        self.read
            .by_ref()
            .map(|f| Message::decode(&f.unwrap()).unwrap())
            .collect()
    }

    pub(super) fn is_connected(&self, w: &World) -> bool {
        w.nodes[1].connections.contains_key(&self.conn)
    }
}
