//! What a lab asks of a world.

use core::net::Ipv4Addr;
use core::time::Duration;

use heiiki_pgw::TenantId;
use heiiki_pgw::sgi::{ProbeStream, Sentinel};
use heiiki_types::{CallId, HttpRequest, HttpResponse, Instant, Now};
use heiiki_ue_sim::UeCommand;

use crate::log::Entry;
use crate::plan::{LinkName, LinkRule, NodeName};

/// A node with an administrative interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminOf {
    /// The HSS.
    Hss,
    /// The gateway.
    Pgw,
}

/// The world cannot do this: real sockets have no link rules, for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotInThisWorld(pub &'static str);

impl core::fmt::Display for NotInThisWorld {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "only the virtual world can {}", self.0)
    }
}

impl core::error::Error for NotInThisWorld {}

/// A steady stream of numbered UDP datagrams from a host of a corporate segment to a UE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownlinkStream {
    /// The tenant, by its place in the plan.
    pub tenant: usize,
    /// The host that sends.
    pub from: Ipv4Addr,
    /// The UE.
    pub to: Ipv4Addr,
    /// The UE's UDP port.
    pub port: u16,
    /// Time between two datagrams.
    pub every: Duration,
}

/// A packet that reached the sentinel: somebody got out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Escaped {
    /// The tenant whose UE sent it, by its place in the plan.
    pub tenant: usize,
    /// Where it went.
    pub destination: core::net::IpAddr,
    /// The destination port, zero where there is none.
    pub port: u16,
    /// Whether it left through an access point that the lab opened on purpose.
    pub open: bool,
    /// How many packets.
    pub packets: u64,
}

impl Escaped {
    /// What the sentinel of one shard has seen.
    pub(crate) fn of(sentinel: &Sentinel) -> Vec<Self> {
        let counts = sentinel.counts().map(|(escape, packets)| Self {
            tenant: usize::from(escape.tenant.0),
            destination: escape.destination,
            port: escape.port.unwrap_or(0),
            open: escape.access.is_some(),
            packets,
        });
        counts.collect()
    }

    /// Adds up what several shards have seen.
    pub(crate) fn sum(mut all: Vec<Self>) -> Vec<Self> {
        all.sort();
        all.dedup_by(|later, first| {
            let key = |e: &Self| (e.tenant, e.destination, e.port, e.open);
            let same = key(later) == key(first);
            if same {
                first.packets += later.packets;
            }
            same
        });
        all
    }
}

impl From<&DownlinkStream> for ProbeStream {
    fn from(stream: &DownlinkStream) -> Self {
        Self {
            tenant: TenantId(u16::try_from(stream.tenant).unwrap_or(u16::MAX)),
            from: (stream.from, stream.port),
            to: (stream.to, stream.port),
            interval: stream.every,
            size: 64,
        }
    }
}

/// A world with the nodes of one lab in it. SIMs, tenants and eNBs are named by their places in
/// the plan.
pub trait Network {
    /// Both clocks.
    fn now(&self) -> Now;

    /// Everything that has happened so far.
    fn log(&self) -> &[Entry];

    /// Lets time pass until the log is longer than it was, or `until` has come.
    fn advance(&mut self, until: Instant);

    /// Tells the UE with the SIM at this place of the plan to do something.
    fn command(&mut self, sim: usize, command: UeCommand);

    /// Makes an administrative call.
    fn call(&mut self, node: AdminOf, request: HttpRequest) -> CallId;

    /// The answer to a call, once it is there.
    fn answer(&mut self, call: CallId) -> Option<HttpResponse>;

    /// Starts a stream from a corporate segment to a UE; returns its number.
    fn start_downlink(&mut self, stream: &DownlinkStream) -> u64;

    /// Stops a stream.
    fn stop_downlink(&mut self, number: u64);

    /// Everything that reached the sentinel so far.
    fn escaped(&mut self) -> Vec<Escaped>;

    /// Kills a node.
    fn crash(&mut self, node: NodeName) -> Result<(), NotInThisWorld>;

    /// Starts a killed node with its disk.
    fn restart(&mut self, node: NodeName) -> Result<(), NotInThisWorld>;

    /// Changes a link.
    fn link(&mut self, link: LinkName, rule: &LinkRule) -> Result<(), NotInThisWorld>;

    /// What must never happen and did, if anything (invariants of the design).
    fn violations(&self) -> &[String];
}
