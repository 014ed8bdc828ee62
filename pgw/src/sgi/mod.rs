//! The corporate side of the SGi port, simulated.
//!
//! A [`Segment`] is one shard of every tenant's corporate network: its hosts with their services,
//! on the smoltcp stack, in virtual or real time. Each worker has a segment of its own, so that a
//! UE's packets and their answers stay with the worker that owns the UE. Tenants are apart: the
//! same address in two tenants is two hosts.
//!
//! What arrives for an address that the tenant did not declare is *outside* and goes to the
//! [`Sentinel`], which counts it: nothing of a closed APN gets there unless a check has failed.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use heiiki_types::{Instant, Machine, Now, Rng};

use crate::address_set::AddressSet;
use crate::config::{AccessId, PgwConfig, TenantConfig, TenantId};

mod content;
mod device;
mod dns;
mod http;
mod lane;
mod sentinel;
mod stream;

pub use content::{FileContent, file_octet, index_page};
pub use sentinel::{Escape, Sentinel};
pub use stream::{ProbeStream, StreamId};

use dns::Zone;
use lane::{Lane, Role};
use stream::Running;

/// Lanes of a host: its clients are spread over them by their addresses.
const LANES: usize = 8;
/// Packets for UEs that wait to be fetched, at most.
const OUTPUTS: usize = 65_536;

/// What goes into a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A packet from a UE.
    Packet {
        /// Whose segment it is for.
        tenant: TenantId,
        /// The packet.
        packet: Vec<u8>,
    },
    /// A packet that left an open lab APN.
    Outside {
        /// The open access point.
        access: AccessId,
        /// The packet.
        packet: Vec<u8>,
    },
}

/// What comes out of a segment.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A packet for a UE.
    Packet {
        /// Whose segment it comes from.
        tenant: TenantId,
        /// The packet.
        packet: Vec<u8>,
    },
    /// Something happened.
    Event(Event),
}

/// What happens in a segment.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The sentinel was reached at a destination for the first time.
    SentinelReached {
        /// Who and where.
        escape: Escape,
        /// The tenant's name.
        tenant_name: String,
    },
    /// A probe stream started.
    StreamStarted {
        /// Its number.
        stream: StreamId,
        /// The UE.
        to: core::net::Ipv4Addr,
    },
    /// A probe stream was stopped.
    StreamStopped {
        /// Its number.
        stream: StreamId,
        /// Packets that it sent.
        sent: u32,
    },
}

/// What a segment counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SegmentCounters {
    /// Packets for one of the hosts.
    pub received: u64,
    /// Packets for a declared address where there is no host.
    pub no_host: u64,
    /// Packets that cannot be read.
    pub malformed: u64,
    /// Connection attempts that found a host full.
    pub overflows: u64,
    /// Packets for UEs that were lost because too many waited.
    pub overflowed: u64,
}

#[derive(Debug)]
struct Host {
    role: Arc<Role>,
    lanes: [Option<Lane>; LANES],
}

#[derive(Debug)]
struct Tenant {
    name: String,
    declared: AddressSet,
    hosts: BTreeMap<IpAddr, Host>,
    mtu: usize,
}

/// Names a lane: a host's, or the sentinel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum LaneId {
    Host(TenantId, IpAddr, usize),
    Sentinel(TenantId),
}

/// One shard of the corporate segments of all tenants.
#[derive(Debug)]
pub struct Segment {
    tenants: Vec<Tenant>,
    accesses: Vec<TenantId>,
    sentinel: Sentinel,
    streams: BTreeMap<StreamId, Running>,
    last_stream: u64,
    counters: SegmentCounters,
    rng: Rng,
    /// Lanes that got packets and have not worked on them.
    dirty: BTreeSet<LaneId>,
    timers: BTreeSet<(Instant, LaneId)>,
    due: BTreeMap<LaneId, Instant>,
    now: Now,
    outputs: VecDeque<Output>,
}

impl Tenant {
    fn new(config: &TenantConfig, mtu: usize) -> Self {
        let names = config.hosts.iter().map(|h| (h.name.as_str(), h.address));
        let zone = Zone::new(&config.domain, names);
        let host = |host: &crate::config::HostConfig| {
            let role = Role {
                tenant: config.name.clone(),
                host: host.name.clone(),
                address: Some(host.address),
                services: host.services.clone(),
                zone: zone.clone(),
            };
            let host_of = Host {
                role: Arc::new(role),
                lanes: Default::default(),
            };
            (host.address, host_of)
        };
        Self {
            name: config.name.clone(),
            declared: config.prefixes.iter().map(|p| p.prefix).collect(),
            hosts: config.hosts.iter().map(host).collect(),
            mtu,
        }
    }
}

impl Segment {
    /// The shard of one worker, with the tenants of a gateway's configuration. Shards of different
    /// workers differ in nothing but the connections that they happen to have.
    pub fn new(config: &PgwConfig, worker: usize, mut rng: Rng) -> Self {
        let owner = |name: &str| config.tenants.iter().position(|t| t.name == name);
        let id = |place: usize| TenantId(u16::try_from(place).unwrap_or(u16::MAX));
        let tenants = config.tenants.iter().map(|tenant| {
            let own = config.apns.iter().filter(|a| a.tenant == tenant.name);
            let mtu = own.map(|a| a.mtu).min().unwrap_or(1_400);
            Tenant::new(tenant, usize::from(mtu))
        });
        let accesses = config.apns.iter();
        let accesses = accesses.map(|a| owner(&a.tenant).map_or(TenantId(u16::MAX), id));
        Self {
            tenants: tenants.collect(),
            accesses: accesses.collect(),
            sentinel: Sentinel::new(),
            streams: BTreeMap::new(),
            last_stream: u64::try_from(worker).unwrap_or(0) << 32,
            counters: SegmentCounters::default(),
            rng: rng.fork("segment"),
            dirty: BTreeSet::new(),
            timers: BTreeSet::new(),
            due: BTreeMap::new(),
            now: Now::default(),
            outputs: VecDeque::new(),
        }
    }

    /// The sentinel behind this shard.
    pub const fn sentinel(&self) -> &Sentinel {
        &self.sentinel
    }

    /// What the shard counted.
    pub fn counters(&self) -> SegmentCounters {
        let lanes = self.tenants.iter().flat_map(|t| t.hosts.values());
        let lanes = lanes.flat_map(|h| h.lanes.iter().flatten());
        SegmentCounters {
            overflows: lanes.map(|l| l.overflows).sum(),
            ..self.counters
        }
    }

    /// Starts a probe stream to a UE; the first packet leaves at once. It is to be started on the
    /// shard of the UE's worker, but any will do.
    pub fn start_stream(&mut self, now: Now, stream: ProbeStream) -> StreamId {
        self.last_stream += 1;
        let id = StreamId(self.last_stream);
        self.streams.insert(id, Running::new(now.at, stream));
        self.outputs.push_back(Output::Event(Event::StreamStarted {
            stream: id,
            to: stream.to.0,
        }));
        self.run_streams(now.at);
        id
    }

    /// Stops a probe stream and says how many packets it sent.
    pub fn stop_stream(&mut self, id: StreamId) -> Option<u32> {
        let sent = self.streams.remove(&id)?.sent;
        let stopped = Event::StreamStopped { stream: id, sent };
        self.outputs.push_back(Output::Event(stopped));
        Some(sent)
    }

    fn run_streams(&mut self, now: Instant) {
        let mut packets = Vec::new();
        for (id, running) in &mut self.streams {
            packets.extend(
                running
                    .next(now, *id)
                    .map(|packet| (running.stream.tenant, packet)),
            );
        }
        for (tenant, packet) in packets {
            self.send(tenant, packet);
        }
    }

    /// Queues a packet for a UE. What nobody fetches is lost from some length on, as on a wire.
    fn send(&mut self, tenant: TenantId, packet: Vec<u8>) {
        if self.outputs.len() < OUTPUTS {
            self.outputs.push_back(Output::Packet { tenant, packet });
        } else {
            self.counters.overflowed += 1;
        }
    }

    fn tenant(&self, id: TenantId) -> Option<&Tenant> {
        self.tenants.get(usize::from(id.0))
    }

    fn receive(&mut self, id: TenantId, packet: Vec<u8>) {
        let Some(ends) = ends(&packet) else {
            self.counters.malformed += 1;
            return;
        };
        let now = self.now.at;
        let seed = self.rng.next_u64();
        let Some(tenant) = self.tenants.get_mut(usize::from(id.0)) else {
            self.counters.malformed += 1;
            return;
        };
        if !tenant.declared.contains(ends.destination) {
            self.outside(id, None, packet, ends);
            return;
        }
        let mtu = tenant.mtu;
        let Some(host) = tenant.hosts.get_mut(&ends.destination) else {
            self.counters.no_host += 1;
            return;
        };
        self.counters.received += 1;
        let place = lane_of(ends.source);
        let role = &host.role;
        if let Some(lane) = host.lanes.get_mut(place) {
            lane.get_or_insert_with(|| Lane::new(role, mtu, seed, now))
                .receive(packet);
            self.dirty.insert(LaneId::Host(id, ends.destination, place));
        }
    }

    fn outside(&mut self, id: TenantId, access: Option<AccessId>, packet: Vec<u8>, ends: Ends) {
        let mtu = self.tenant(id).map_or(1_400, |t| t.mtu);
        let escape = Escape {
            tenant: id,
            access,
            destination: ends.destination,
            protocol: ends.protocol,
            port: ends.port,
        };
        let seed = self.rng.next_u64();
        let is_new = self
            .sentinel
            .receive(self.now.at, escape, packet, mtu, seed);
        self.dirty.insert(LaneId::Sentinel(id));
        if is_new {
            let tenant_name = self.tenant(id).map(|t| t.name.clone());
            self.outputs
                .push_back(Output::Event(Event::SentinelReached {
                    escape,
                    tenant_name: tenant_name.unwrap_or_default(),
                }));
        }
    }

    fn lane_mut(&mut self, id: LaneId) -> Option<(TenantId, &mut Lane)> {
        match id {
            LaneId::Host(tenant, address, place) => {
                let hosts = &mut self.tenants.get_mut(usize::from(tenant.0))?.hosts;
                let lane = hosts.get_mut(&address)?.lanes.get_mut(place)?.as_mut()?;
                Some((tenant, lane))
            }
            LaneId::Sentinel(tenant) => {
                let lane = self.sentinel.lanes.get_mut(&tenant)?;
                Some((tenant, lane))
            }
        }
    }

    fn poll_lane(&mut self, id: LaneId) {
        let now = self.now.at;
        let Some((tenant, lane)) = self.lane_mut(id) else {
            return;
        };
        lane.poll(now);
        let next = lane.next;
        let sent = core::mem::take(&mut lane.wire.sent);
        for packet in sent {
            self.send(tenant, packet);
        }
        if let Some(at) = self.due.remove(&id) {
            self.timers.remove(&(at, id));
        }
        if let Some(at) = next {
            self.due.insert(id, at);
            self.timers.insert((at, id));
        }
    }

    /// Works on what has arrived since the last time.
    fn work(&mut self) {
        while let Some(id) = self.dirty.pop_first() {
            self.poll_lane(id);
        }
    }
}

impl Machine for Segment {
    type Input = Input;
    type Output = Output;

    /// Queues a packet. The hosts work on all that has arrived when the outputs are asked for, so
    /// that a batch costs one round of the stack.
    fn handle_input(&mut self, now: Now, input: Input) {
        if now.at > self.now.at {
            self.work();
        }
        self.now = now;
        match input {
            Input::Packet { tenant, packet } => self.receive(tenant, packet),
            Input::Outside { access, packet } => {
                let tenant = self.accesses.get(usize::from(access.0)).copied();
                match (tenant, ends(&packet)) {
                    (Some(tenant), Some(ends)) => self.outside(tenant, Some(access), packet, ends),
                    _ => self.counters.malformed += 1,
                }
            }
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        self.work();
        self.now = now;
        while let Some(&(at, id)) = self.timers.first()
            && at <= now.at
        {
            self.poll_lane(id);
        }
        self.run_streams(now.at);
    }

    fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            self.work();
        }
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let lane = self.timers.first().map(|(at, _)| *at);
        let stream = self.streams.values().map(|s| s.due).min();
        let waiting = (!self.dirty.is_empty()).then_some(self.now.at);
        [lane, stream, waiting].into_iter().flatten().min()
    }
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    port: Option<u16>,
}

/// Where a packet comes from and goes to. The gateway has checked it; this only sorts.
fn ends(packet: &[u8]) -> Option<Ends> {
    use crate::user_plane::packet_ends;
    let (source, destination, protocol, port) = packet_ends(packet)?;
    Some(Ends {
        source,
        destination,
        protocol,
        port,
    })
}

/// The lane of a client: neighbours in a pool fall to different ones.
fn lane_of(source: IpAddr) -> usize {
    let last = match source {
        IpAddr::V4(a) => a.octets().last().copied(),
        IpAddr::V6(a) => a.octets().last().copied(),
    };
    usize::from(last.unwrap_or(0)) % LANES
}

#[cfg(test)]
mod tests;
