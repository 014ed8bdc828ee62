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
mod datagram;
mod device;
mod dns;
mod http;
mod lane;
mod sentinel;
mod serve;
mod source;
mod stream;

pub use content::{FileContent, file_octet, index_page};
pub use sentinel::{Escape, Sentinel};
pub use stream::{ProbeStream, StreamId};

use datagram::Datagram;
use device::Wire;
use dns::Zone;
use lane::{Lane, Role};
use serve::Served;
use source::{Sources, Sunk};
use stream::Running;

/// Lanes of a host: its clients are spread over them by their addresses.
const LANES: usize = 1_024;
/// Packets for UEs that wait to be fetched, at most.
const OUTPUTS: usize = 65_536;
/// Protocol number.
const UDP: u8 = 17;
/// Nobody's place among the lanes.
const NO_LANE: u32 = u32::MAX;

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
    /// For each part of its clients the place of the lane, once there is one.
    lanes: Vec<u32>,
    sunk: Sunk,
}

#[derive(Debug)]
struct Tenant {
    name: String,
    declared: AddressSet,
    hosts: BTreeMap<IpAddr, Host>,
    mtu: usize,
    /// The lane of what is outside, once somebody was there.
    outside: u32,
}

/// A lane and when it works next.
#[derive(Debug)]
struct Seat {
    tenant: TenantId,
    lane: Lane,
    /// It got packets and has not worked on them.
    is_dirty: bool,
    /// Its entry among the timers. What it waits for may be later: then it waits on.
    timer: Option<Instant>,
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
    seats: Vec<Seat>,
    /// Lanes that got packets and have not worked on them.
    dirty: Vec<u32>,
    timers: BTreeSet<(Instant, u32)>,
    sources: Sources,
    now: Now,
    outputs: VecDeque<Output>,
    /// Buffers that were used and can be used again.
    free: Vec<Vec<u8>>,
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
                lanes: Vec::new(),
                sunk: Sunk::default(),
            };
            (host.address, host_of)
        };
        Self {
            name: config.name.clone(),
            declared: config.prefixes.iter().map(|p| p.prefix).collect(),
            hosts: config.hosts.iter().map(host).collect(),
            mtu,
            outside: NO_LANE,
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
            seats: Vec::new(),
            dirty: Vec::new(),
            timers: BTreeSet::new(),
            sources: Sources::default(),
            now: Now::default(),
            outputs: VecDeque::new(),
            free: Vec::new(),
        }
    }

    /// The sentinel behind this shard.
    pub const fn sentinel(&self) -> &Sentinel {
        &self.sentinel
    }

    /// What the shard counted.
    pub fn counters(&self) -> SegmentCounters {
        SegmentCounters {
            overflows: self.seats.iter().map(|s| s.lane.overflows).sum(),
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

    /// Takes a packet from a UE, which stays in the caller's buffer. What it is served at once
    /// waits among the outputs; what is for the stack is copied and worked on when the outputs
    /// are asked for.
    pub fn receive(&mut self, now: Now, id: TenantId, packet: &[u8]) {
        self.now = now;
        let Some(ends) = ends(packet) else {
            self.counters.malformed += 1;
            return;
        };
        let Some(tenant) = self.tenants.get_mut(usize::from(id.0)) else {
            self.counters.malformed += 1;
            return;
        };
        if !tenant.declared.contains(ends.destination) {
            self.outside(id, None, packet, ends);
            return;
        }
        let Some(host) = tenant.hosts.get_mut(&ends.destination) else {
            self.counters.no_host += 1;
            return;
        };
        self.counters.received += 1;
        if ends.protocol == UDP
            && let Some(datagram) = Datagram::read(packet)
        {
            let mut served = Served {
                now: now.at,
                tenant: id,
                sources: &mut self.sources,
                free: &mut self.free,
                answer: None,
            };
            if served.serve(host, &datagram, packet) {
                if let Some(packet) = served.answer {
                    self.send(id, packet);
                }
                return;
            }
        }
        let mtu = tenant.mtu;
        let place = lane_of(ends.source);
        if host.lanes.is_empty() {
            host.lanes.resize(LANES, NO_LANE);
        }
        if let Some(number) = host.lanes.get_mut(place) {
            if *number == NO_LANE {
                let seed = self.rng.next_u64();
                *number = add(
                    &mut self.seats,
                    id,
                    Lane::new(&host.role, mtu, seed, now.at),
                );
            }
            let number = *number;
            self.enter(number, packet);
        }
    }

    /// Takes a packet that left an open lab APN.
    pub fn receive_outside(&mut self, now: Now, access: AccessId, packet: &[u8]) {
        self.now = now;
        let tenant = self.accesses.get(usize::from(access.0)).copied();
        match (tenant, ends(packet)) {
            (Some(tenant), Some(ends)) => self.outside(tenant, Some(access), packet, ends),
            _ => self.counters.malformed += 1,
        }
    }

    /// Takes back the buffer of an output, to be used again.
    pub fn recycle(&mut self, packet: Vec<u8>) {
        if self.free.len() < Wire::FREE {
            self.free.push(packet);
        }
    }

    /// Gives a packet to a lane.
    fn enter(&mut self, number: u32, packet: &[u8]) {
        let seat = usize::try_from(number).ok();
        let Some(seat) = seat.and_then(|n| self.seats.get_mut(n)) else {
            return;
        };
        let mut buffer = self.free.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(packet);
        seat.lane.receive(buffer);
        if !core::mem::replace(&mut seat.is_dirty, true) {
            self.dirty.push(number);
        }
    }

    fn outside(&mut self, id: TenantId, access: Option<AccessId>, packet: &[u8], ends: Ends) {
        let escape = Escape {
            tenant: id,
            access,
            destination: ends.destination,
            protocol: ends.protocol,
            port: ends.port,
        };
        let is_new = self.sentinel.count(escape);
        if let Some(tenant) = self.tenants.get_mut(usize::from(id.0)) {
            if tenant.outside == NO_LANE {
                let seed = self.rng.next_u64();
                let lane = Sentinel::lane(tenant.mtu, seed, self.now.at);
                tenant.outside = add(&mut self.seats, id, lane);
            }
            let number = tenant.outside;
            self.enter(number, packet);
        }
        if is_new {
            let tenant_name = self.tenant(id).map(|t| t.name.clone());
            self.outputs
                .push_back(Output::Event(Event::SentinelReached {
                    escape,
                    tenant_name: tenant_name.unwrap_or_default(),
                }));
        }
    }

    fn poll_lane(&mut self, number: u32) {
        let now = self.now.at;
        let Self {
            seats,
            outputs,
            counters,
            free,
            timers,
            ..
        } = self;
        let seat = usize::try_from(number).ok();
        let Some(seat) = seat.and_then(|n| seats.get_mut(n)) else {
            return;
        };
        seat.is_dirty = false;
        core::mem::swap(&mut seat.lane.wire.free, free);
        seat.lane.poll(now);
        core::mem::swap(&mut seat.lane.wire.free, free);
        let tenant = seat.tenant;
        for packet in seat.lane.wire.sent.drain(..) {
            if outputs.len() < OUTPUTS {
                outputs.push_back(Output::Packet { tenant, packet });
            } else {
                counters.overflowed += 1;
            }
        }
        // Most packets move a time-out further away: then the entry that is there does.
        if let Some(at) = seat.lane.next
            && seat.timer.is_none_or(|timer| at < timer)
        {
            if let Some(timer) = seat.timer.replace(at) {
                timers.remove(&(timer, number));
            }
            timers.insert((at, number));
        }
    }

    /// Works on what has arrived since the last time.
    fn work(&mut self) {
        let mut dirty = core::mem::take(&mut self.dirty);
        for number in dirty.drain(..) {
            self.poll_lane(number);
        }
        if self.dirty.is_empty() {
            self.dirty = dirty;
        }
    }

    /// The first timer fires: its lane works, unless what it waits for has moved on.
    fn fire(&mut self, at: Instant, number: u32) {
        self.timers.remove(&(at, number));
        let seat = usize::try_from(number).ok();
        let Some(seat) = seat.and_then(|n| self.seats.get_mut(n)) else {
            return;
        };
        seat.timer = None;
        match seat.lane.next {
            Some(next) if next > self.now.at => {
                seat.timer = Some(next);
                self.timers.insert((next, number));
            }
            Some(_) => self.poll_lane(number),
            None => {}
        }
    }

    fn run_sources(&mut self, now: Instant) {
        let Self {
            sources,
            outputs,
            counters,
            free,
            ..
        } = self;
        let buffer = || free.pop().unwrap_or_default();
        sources.run(now, buffer, |tenant, packet| {
            if outputs.len() < OUTPUTS {
                outputs.push_back(Output::Packet { tenant, packet });
            } else {
                counters.overflowed += 1;
            }
        });
    }
}

fn add(seats: &mut Vec<Seat>, tenant: TenantId, lane: Lane) -> u32 {
    let number = u32::try_from(seats.len()).unwrap_or(NO_LANE);
    seats.push(Seat {
        tenant,
        lane,
        is_dirty: false,
        timer: None,
    });
    number
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
            Input::Packet { tenant, packet } => self.receive(now, tenant, &packet),
            Input::Outside { access, packet } => self.receive_outside(now, access, &packet),
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        self.work();
        self.now = now;
        while let Some(&(at, number)) = self.timers.first()
            && at <= now.at
        {
            self.fire(at, number);
        }
        self.run_streams(now.at);
        self.run_sources(now.at);
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
        let source = self.sources.next();
        [lane, stream, source, waiting].into_iter().flatten().min()
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
    let bits = match source {
        IpAddr::V4(a) => u64::from(a.to_bits()),
        // The interface identifier is of the UE's own choice.
        IpAddr::V6(a) => u64::try_from(a.to_bits() >> 64).unwrap_or(0),
    };
    let folded = bits ^ bits >> 10 ^ bits >> 20;
    usize::try_from(folded).unwrap_or(0) % LANES
}

#[cfg(test)]
mod tests;
