//! The virtual world: a network of nodes on one thread, with a clock that jumps to the next thing
//! that happens.
//!
//! [`World`] knows nodes, links, disks and time, and nothing of scenarios. What crosses a link are
//! the octets of its protocol (S1 alone is a set of values around real NAS octets). The same seed
//! gives the same run, to the octet of the event log.

mod disk;
mod invariants;
mod laboratory;
mod link;
mod message_name;
mod node;
mod route;
mod schedule;
mod streams;

use std::collections::BTreeMap;
use std::sync::Arc;

use core::net::SocketAddr;
use core::time::Duration;

use heiiki_mme::s1::EnbId;
use heiiki_pgw::{AccessId, TenantId};
use heiiki_types::{
    CallId, Datagram, HttpRequest, HttpResponse, Instant, Now, Rng, StorageInput, WallTime,
};

pub use disk::SimulatedDisk;
pub use link::{Link, LinkProfile, Packet, Rule, UnknownLink, Verdict, drop_nth, nth};
pub use message_name::MessageName;

use crate::log::{Entry, LabEvent, NodeEvent, Tap};
use invariants::{Checker, SCAN_EVERY, Violation};
use node::{Blueprint, Node, Slot};
use schedule::Schedule;
use streams::Streams;

/// A node of a world, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) u16);

/// The wall clock at the start of every virtual run: 2026-01-05T00:00:00Z, a Monday.
pub const START_OF_TIME: WallTime = WallTime::from_unix_micros(1_767_571_200_000_000);

/// How long a flush of a simulated disk takes.
const DISK_FLUSH: Duration = Duration::from_micros(500);
/// Rows that a disk hands to its node at a time.
const LOAD_PART: usize = 16;
/// How many things may happen at one instant before the run counts as stuck.
const SPIN_LIMIT: u32 = 2_000_000;

/// Which socket of a node a datagram goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    S1u,
    S5c,
    /// The user plane; a gateway has one socket a worker.
    S5u(usize),
}

impl Port {
    const fn link(self) -> Link {
        match self {
            Self::S1u => Link::S1U,
            Self::S5c => Link::S5C,
            Self::S5u(_) => Link::S5U,
        }
    }
}

/// Something on its way to a node.
pub(crate) enum Delivery {
    Datagram {
        port: Port,
        datagram: Datagram,
    },
    S1FromEnb {
        enb: EnbId,
        message: heiiki_mme::s1::Message,
    },
    S1FromMme {
        message: heiiki_mme::s1::Message,
    },
    Stream(heiiki_types::StreamInput),
    Admin {
        call: CallId,
        request: HttpRequest,
    },
    /// The answer to a call of the HSS to a gateway.
    Gateway {
        call: CallId,
        result: Result<HttpResponse, ()>,
    },
    /// An IP packet between a worker and its segment.
    Sgi {
        worker: usize,
        tenant: TenantId,
        /// The open access point that it leaves, when it does.
        outside: Option<AccessId>,
        packet: Vec<u8>,
    },
    DiskLoaded,
    DiskSynced,
}

/// A network of nodes in virtual time.
pub struct World {
    now: Instant,
    rng: Rng,
    profiles: [LinkProfile; Link::ALL.len()],
    rules: BTreeMap<u64, (Link, Rule)>,
    next_rule: u64,
    schedule: Schedule<(NodeId, u32, Delivery)>,
    streams: Streams,
    nodes: Vec<Slot>,
    sockets: BTreeMap<SocketAddr, (NodeId, Port)>,
    listeners: BTreeMap<SocketAddr, NodeId>,
    calls: Calls,
    log: Vec<Entry>,
    taps: Vec<Box<dyn Tap>>,
    spins: u32,
    places: laboratory::Places,
    violations: Vec<String>,
    checker: Checker,
    steps: u64,
}

/// Administrative calls on their way.
#[derive(Default)]
struct Calls {
    next: u64,
    /// Calls of a node to a gateway, by the number that the gateway sees.
    from_node: BTreeMap<CallId, Waiting>,
    /// Answers to calls of the operator.
    answers: BTreeMap<CallId, HttpResponse>,
}

/// A call of a node to a gateway that has no answer yet.
#[derive(Clone, Copy)]
struct Waiting {
    /// Who waits for the answer, under which number.
    from: NodeId,
    own: CallId,
    to: NodeId,
}

impl core::fmt::Debug for World {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now)
            .field(
                "nodes",
                &self.nodes.iter().map(|n| &*n.name).collect::<Vec<_>>(),
            )
            .finish_non_exhaustive()
    }
}

impl World {
    /// An empty world whose links all have the profile `link`.
    pub fn new(seed: u64, link: LinkProfile) -> Self {
        Self {
            now: Instant::ZERO,
            rng: Rng::from_seed(seed),
            profiles: [link; Link::ALL.len()],
            rules: BTreeMap::new(),
            next_rule: 0,
            schedule: Schedule::new(),
            streams: Streams::default(),
            nodes: Vec::new(),
            sockets: BTreeMap::new(),
            listeners: BTreeMap::new(),
            calls: Calls::default(),
            log: Vec::new(),
            taps: Vec::new(),
            spins: 0,
            places: laboratory::Places::default(),
            violations: Vec::new(),
            checker: Checker::default(),
            steps: 0,
        }
    }

    /// Adds a node; it starts at [`start`](Self::start).
    pub(crate) fn add(&mut self, name: &str, blueprint: Blueprint) -> NodeId {
        let id = NodeId(u16::try_from(self.nodes.len()).unwrap_or(u16::MAX));
        for (address, port) in blueprint.sockets() {
            self.sockets.insert(address, (id, port));
        }
        if let Some(address) = blueprint.listener() {
            self.listeners.insert(address, id);
        }
        let disk = SimulatedDisk::new(DISK_FLUSH, self.rng.fork("disk"));
        self.nodes.push(Slot {
            name: name.into(),
            node: None,
            blueprint,
            disk,
            starts: 0,
        });
        id
    }

    /// Subscribes to everything that crosses a link.
    pub fn tap(&mut self, tap: Box<dyn Tap>) {
        self.taps.push(tap);
    }

    /// The virtual time, both clocks.
    pub fn now(&self) -> Now {
        let elapsed = Duration::from_micros(self.now.as_micros());
        Now {
            at: self.now,
            wall: START_OF_TIME + elapsed,
        }
    }

    /// Everything that has happened so far.
    pub fn log(&self) -> &[Entry] {
        &self.log
    }

    /// How a link treats messages from now on.
    pub fn set_profile(&mut self, link: Link, profile: LinkProfile) {
        if let Some(p) = self.profiles.get_mut(link.index()) {
            *p = profile;
        }
    }

    /// How a link treats messages now.
    pub fn profile(&self, link: Link) -> LinkProfile {
        let quiet = LinkProfile::quiet(Duration::ZERO);
        self.profiles.get(link.index()).copied().unwrap_or(quiet)
    }

    /// Adds a rule to a link, asked after those that are there; returns its number.
    pub fn add_rule(&mut self, link: Link, rule: Rule) -> u64 {
        self.next_rule += 1;
        self.rules.insert(self.next_rule, (link, rule));
        self.next_rule
    }

    /// Removes a rule.
    pub fn remove_rule(&mut self, number: u64) {
        self.rules.remove(&number);
    }

    /// Removes all rules of a link.
    pub fn clear_rules(&mut self, link: Link) {
        self.rules.retain(|_, (l, _)| *l != link);
    }

    /// The node, if it is up.
    pub(crate) fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(usize::from(id.0))?.node.as_ref()
    }

    /// Acts on a node directly, as its own driver would, and routes what comes of it.
    pub(crate) fn with<R>(
        &mut self,
        id: NodeId,
        act: impl FnOnce(&mut Node, Now) -> R,
    ) -> Option<R> {
        let now = self.now();
        let result = act(self.nodes.get_mut(usize::from(id.0))?.node.as_mut()?, now);
        self.drain(id);
        Some(result)
    }

    /// A random stream of its own for the part called `label`.
    pub(crate) fn fork(&mut self, label: &str) -> Rng {
        self.rng.fork(label)
    }

    /// Starts a node that is down, with what its disk holds.
    ///
    /// # Errors
    /// What is wrong with what it is made from.
    pub(crate) fn start(&mut self, id: NodeId) -> Result<(), Vec<String>> {
        let now = self.now();
        let rng = self.rng.fork("node");
        let Some(slot) = self.nodes.get_mut(usize::from(id.0)) else {
            return Ok(());
        };
        if slot.node.is_none() {
            slot.starts += 1;
            let restored = slot.disk.take_restored();
            slot.node = Some(Node::start(&mut slot.blueprint, now, rng, restored)?);
            self.note(id, NodeEvent::Lab(LabEvent::NodeStarted));
            self.drain(id);
        }
        Ok(())
    }

    /// Kills a node: its memory is gone, its disk keeps what was synced, its connections break.
    pub fn crash(&mut self, id: NodeId) {
        let Some(slot) = self.nodes.get_mut(usize::from(id.0)) else {
            return;
        };
        let Some(node) = slot.node.take() else {
            return;
        };
        self.checker.crashed(&node, self.now);
        slot.disk.crash();
        self.note(id, NodeEvent::Lab(LabEvent::NodeKilled));
        let arrival = self.now + self.profile(Link::S6a).delay;
        for end in self.streams.close_all(id) {
            let closed = heiiki_types::StreamInput::Closed { conn: end.conn };
            self.put(arrival, end.node, Delivery::Stream(closed));
        }
        self.drop_calls(id);
    }

    /// The calls of a node that crashed are forgotten; those to it break, as their connections do.
    fn drop_calls(&mut self, id: NodeId) {
        self.calls.from_node.retain(|_, waiting| waiting.from != id);
        let broken: Vec<CallId> = self
            .calls
            .from_node
            .iter()
            .filter(|(_, waiting)| waiting.to == id)
            .map(|(call, _)| *call)
            .collect();
        for call in broken {
            self.fail_call(call);
        }
    }

    fn fail_call(&mut self, call: CallId) {
        if let Some(waiting) = self.calls.from_node.remove(&call) {
            let arrival = self.now + self.profile(Link::Admin).delay;
            let failed = Delivery::Gateway {
                call: waiting.own,
                result: Err(()),
            };
            self.put(arrival, waiting.from, failed);
        }
    }

    /// Sends an administrative call to a node; its answer comes by [`answer`](Self::answer).
    pub fn call(&mut self, id: NodeId, request: HttpRequest) -> CallId {
        let call = self.next_call();
        let arrival = self.now + self.profile(Link::Admin).delay;
        self.put(arrival, id, Delivery::Admin { call, request });
        call
    }

    /// The answer to an operator's call, once it is there.
    pub fn answer(&mut self, call: CallId) -> Option<HttpResponse> {
        self.calls.answers.remove(&call)
    }

    fn next_call(&mut self) -> CallId {
        self.calls.next += 1;
        CallId(self.calls.next)
    }

    /// Lets everything happen that is due at the next point in time, but nothing after `until`.
    /// Returns false when there was nothing: the clock then stands at `until`.
    ///
    /// # Panics
    /// When so much happens at one instant that nodes must be answering each other without end.
    pub fn step(&mut self, until: Instant) -> bool {
        let next = self.next_deadline().filter(|at| *at <= until);
        let Some(next) = next else {
            self.now = self.now.max(until);
            return false;
        };
        if next > self.now {
            self.now = next;
            self.spins = 0;
        }
        self.spins += 1;
        assert!(
            self.spins < SPIN_LIMIT,
            "the world spins at {} without end",
            self.now
        );
        self.steps += 1;
        if self.steps.is_multiple_of(SCAN_EVERY) {
            self.scan();
        }
        if let Some((id, starts, delivery)) = self.schedule.take(self.now) {
            self.deliver(id, starts, delivery);
            return true;
        }
        let now = self.now();
        for index in 0..self.nodes.len() {
            let id = NodeId(u16::try_from(index).unwrap_or(u16::MAX));
            let due = self
                .node(id)
                .and_then(Node::poll_timeout)
                .is_some_and(|at| at <= now.at);
            if due {
                self.with(id, Node::handle_timeout);
            }
        }
        true
    }

    fn next_deadline(&self) -> Option<Instant> {
        let timers = self
            .nodes
            .iter()
            .filter_map(|s| s.node.as_ref()?.poll_timeout());
        // A deadline in the past is due now: the clock never goes back.
        timers
            .chain(self.schedule.first())
            .min()
            .map(|at| at.max(self.now))
    }

    fn put(&mut self, at: Instant, to: NodeId, delivery: Delivery) {
        let starts = self.nodes.get(usize::from(to.0)).map_or(0, |s| s.starts);
        self.schedule.put(at, (to, starts, delivery));
    }

    fn deliver(&mut self, id: NodeId, starts: u32, delivery: Delivery) {
        let now = self.now();
        let Some(slot) = self.nodes.get_mut(usize::from(id.0)) else {
            return;
        };
        // Disk, streams and calls belong to one life of a node; a datagram finds whoever is there.
        let alive = slot.node.is_some() && slot.starts == starts;
        let Some(node) = slot.node.as_mut().filter(|_| {
            alive || matches!(delivery, Delivery::Datagram { .. } | Delivery::Sgi { .. })
        }) else {
            self.undeliverable(id, &delivery);
            return;
        };
        self.checker.arriving(node, &delivery);
        match delivery {
            Delivery::DiskLoaded => {
                let mut records = slot.disk.load();
                // Small parts, so that every lab's restart takes the path of a large store's.
                while records.len() > LOAD_PART {
                    let rest = records.split_off(LOAD_PART);
                    node.storage(now, StorageInput::Loading(records));
                    records = rest;
                }
                node.storage(now, StorageInput::Loaded(records));
            }
            Delivery::DiskSynced => {
                if let Some(seq) = slot.disk.sync(now.at) {
                    node.storage(now, StorageInput::Persisted { seq });
                }
            }
            other => node.handle(now, other),
        }
        self.drain(id);
        let node = self.nodes.get(usize::from(id.0));
        let found = self.checker.handled(node.and_then(|s| s.node.as_ref()));
        self.violated(found);
    }

    /// What a peer notices when nobody is there.
    fn undeliverable(&mut self, id: NodeId, delivery: &Delivery) {
        if let Delivery::Admin { call, .. } = delivery {
            self.fail_call(*call);
        } else if let Delivery::Stream(heiiki_types::StreamInput::Accepted { conn, .. }) = delivery
        {
            let arrival = self.now + self.profile(Link::S6a).delay;
            if let Some(end) = self.streams.close(streams::End {
                node: id,
                conn: *conn,
            }) {
                let closed = heiiki_types::StreamInput::Closed { conn: end.conn };
                self.put(arrival, end.node, Delivery::Stream(closed));
            }
        }
    }

    /// Scans everything that the nodes hold for what must never happen.
    pub(crate) fn scan(&mut self) {
        let nodes = self.nodes.iter().filter_map(|s| s.node.as_ref());
        let found = self.checker.scan(nodes);
        self.violated(found);
    }

    fn violated(&mut self, found: Option<Violation>) {
        let counts = found.filter(|v| self.checker.counts(v));
        self.violations.extend(counts.map(|v| v.to_string()));
    }

    /// Things that happened one after the other.
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// Puts a remark into the log.
    pub(crate) fn remark(&mut self, title: String) {
        let now = self.now();
        self.log.push(Entry {
            at: now.at,
            wall: now.wall,
            node: Arc::from("lab"),
            event: NodeEvent::Lab(LabEvent::Step { title }),
        });
    }

    /// Whether nothing is left in the tables of the nodes: to be asked when every UE is detached
    /// and time has passed.
    ///
    /// # Errors
    /// What is left.
    pub(crate) fn at_rest(&self) -> Result<(), String> {
        let nodes = self.nodes.iter().filter_map(|s| s.node.as_ref());
        let waiting = ("calls to gateways", self.calls.from_node.len());
        let waiting = (waiting.1 > 0).then_some(waiting);
        let left = nodes.flat_map(invariants::left).chain(waiting);
        let left: Vec<String> = left
            .map(|(what, count)| format!("{count} {what}"))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        Err(format!("5: at rest there are {}", left.join(", ")))
    }

    /// Whether SGW and gateway have the same sessions: to be asked when no message is under way.
    ///
    /// # Errors
    /// Where they differ.
    pub(crate) fn sessions_agree(&self) -> Result<(), String> {
        let nodes = self.nodes.iter().filter_map(|s| s.node.as_ref());
        match self.checker.sessions_agree(nodes) {
            Some(violation) => Err(violation.to_string()),
            None => Ok(()),
        }
    }

    /// Lets every invariant count, whatever protection the lab switched off: for tests that prove
    /// that a check can fail.
    pub fn excuse_nothing(&mut self) {
        self.checker.excuse_nothing();
    }

    /// When the last packet arrives that is on its way to the SGW now.
    fn in_flight_to_sgw(&self) -> Instant {
        let core = self.places.mme();
        let packets = self.schedule.iter().filter(|(_, (to, _, delivery))| {
            let port = match delivery {
                Delivery::Datagram { port, .. } => *port,
                _ => return false,
            };
            Some(*to) == core && matches!(port, Port::S5u(_))
        });
        packets.map(|(at, _)| at).max().unwrap_or(self.now)
    }

    fn note(&mut self, id: NodeId, event: NodeEvent) {
        let now = self.now();
        let Some(slot) = self.nodes.get(usize::from(id.0)) else {
            return;
        };
        let entry = Entry {
            at: now.at,
            wall: now.wall,
            node: Arc::clone(&slot.name),
            event,
        };
        if let Some(frame) = entry.nas_frame() {
            for tap in &mut self.taps {
                tap.frame(now.at, now.wall, Link::S1Nas, &frame);
            }
        }
        let cut = matches!(
            entry.event,
            NodeEvent::Pgw(heiiki_pgw::Event::CutDone { .. })
        );
        let in_flight = if cut {
            self.in_flight_to_sgw()
        } else {
            self.now
        };
        let node = self.nodes.get(usize::from(id.0));
        let node = node.and_then(|s| s.node.as_ref());
        let found = self.checker.entry(&entry, node, in_flight);
        self.log.push(entry);
        self.violated(found);
    }
}
