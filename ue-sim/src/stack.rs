//! The IP host behind the radio.
//!
//! TCP runs on a smoltcp interface of its own. Pings, DNS and UDP probes are flows beside it, since
//! they want to know what a socket does not tell: which ICMP error refused which of their packets,
//! and when. What no flow claims goes to the interface, which answers pings and closed ports.
//!
//! A stack lives from the activation of the default bearer to its end. At rest it owns no buffers.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use heiiki_types::{Duration, Instant};
use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::wire::{HardwareAddress, IpCidr, Ipv4Cidr};

use crate::event::{Event, ProbeOutcome, StreamReport};
use crate::{UeCommand, UeProfile};

use device::Queue;
use flow::Flow;
use packet::{Kind, Transport};
use stream::{Sink, Stream, Verdict, micros};
use tcp::Connection;

mod device;
mod dns;
mod flow;
mod http;
mod packet;
mod payload;
mod stream;
mod tcp;

pub use http::KEPT;
pub use packet::HEADROOM;
pub use payload::{PAYLOAD_MIN, Payload};
pub use stream::INTERVAL_MIN;

/// Flows, and TCP connections, that one host may have at a time.
const FLOWS_MAX: usize = 256;
/// Dynamic ports, RFC 6335 §6.
const PORTS: core::ops::RangeInclusive<u16> = 49_152..=65_535;

/// What a host sent and received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    /// IP packets to the network.
    pub uplink_packets: u64,
    /// Their octets.
    pub uplink_octets: u64,
    /// IP packets from the network.
    pub downlink_packets: u64,
    /// Their octets.
    pub downlink_octets: u64,
    /// Downlink packets that were broken or not for this host.
    pub foreign_packets: u64,
    /// When the last downlink packet came.
    pub last_downlink_at: Option<Instant>,
}

/// One IP host.
pub struct Stack {
    address: Ipv4Addr,
    dns: Vec<Ipv4Addr>,
    interface: Interface,
    sockets: SocketSet<'static>,
    queue: Queue,
    /// By local port or ICMP identifier.
    flows: BTreeMap<u16, Flow>,
    /// By local port.
    connections: BTreeMap<u16, Connection>,
    next_port: u16,
    next_ping: u16,
    probe_timeout: Duration,
    http_timeout: Duration,
    tcp_window: usize,
    counters: Counters,
    events: VecDeque<Event>,
}

impl core::fmt::Debug for Stack {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Stack")
            .field("address", &self.address)
            .field("flows", &self.flows.len())
            .field("connections", &self.connections.len())
            .finish_non_exhaustive()
    }
}

/// What the network told about the bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The UE's address.
    pub address: Ipv4Addr,
    /// DNS servers.
    pub dns: Vec<Ipv4Addr>,
    /// Largest packet, octets.
    pub mtu: u16,
}

impl Stack {
    /// A host with the address of a fresh bearer. `seed` moves its ports and TCP sequence numbers.
    pub fn new(now: Instant, settings: Settings, profile: &UeProfile, seed: u64) -> Self {
        let mut queue = Queue {
            downlink: None,
            uplink: VecDeque::new(),
            // Below the IPv4 minimum smoltcp's own arithmetic has no room for headers.
            mtu: usize::from(settings.mtu.max(576)),
        };
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut queue, instant(now));
        interface.update_ip_addrs(|addresses| {
            let own = IpCidr::Ipv4(Ipv4Cidr::new(settings.address, 32));
            // One address in an empty list.
            let _ = addresses.push(own);
        });
        // The gateway of a point-to-point link is nominal.
        let _ = interface
            .routes_mut()
            .add_default_ipv4_route(settings.address);
        let span = u64::from(PORTS.end() - PORTS.start());
        let [.., p0, p1] = (seed % span).to_be_bytes();
        Self {
            address: settings.address,
            dns: settings.dns,
            interface,
            sockets: SocketSet::new(Vec::new()),
            queue,
            flows: BTreeMap::new(),
            connections: BTreeMap::new(),
            next_port: PORTS.start() + u16::from_be_bytes([p0, p1]),
            next_ping: 0,
            probe_timeout: profile.probe_timeout,
            http_timeout: profile.http_timeout,
            tcp_window: usize::try_from(profile.tcp_window).unwrap_or(65_535),
            counters: Counters::default(),
            events: VecDeque::new(),
        }
    }

    /// The host's address.
    pub const fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// What was sent and received.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// What a running stream or sink saw up to now.
    pub fn report(&self, token: u64) -> Option<StreamReport> {
        self.flows.values().find_map(|flow| match flow {
            Flow::Stream(s) if s.token == token => Some(s.report()),
            Flow::Sink(s) if s.token == token => Some(s.report),
            _ => None,
        })
    }

    /// Carries out a command about traffic; others do nothing.
    pub fn handle_command(&mut self, now: Instant, command: UeCommand) {
        match command {
            UeCommand::Ping { token, dst } => self.ping(now, token, dst),
            UeCommand::DnsQuery {
                token,
                name,
                server,
            } => self.dns_query(now, token, &name, server),
            UeCommand::UdpProbe { token, dst, port } => self.udp_probe(now, token, (dst, port)),
            UeCommand::StartStream {
                token,
                dst,
                port,
                interval,
                size,
                each,
            } => {
                let timeout = self.probe_timeout;
                let size = size.min(u16::try_from(self.queue.mtu - 28).unwrap_or(size));
                let stream = Stream::new(now, token, (dst, port), size, interval, timeout, each);
                self.open(Flow::Stream(stream.into()));
                self.handle_timeout(now);
            }
            UeCommand::Listen { token, port } => {
                let report = StreamReport::default();
                let sink = Flow::Sink(Sink { token, report }.into());
                if self.is_busy(port) || self.flows.len() >= FLOWS_MAX {
                    self.refuse(token);
                } else {
                    self.flows.insert(port, sink);
                }
            }
            UeCommand::StopStream { token } => self.stop(token),
            UeCommand::HttpGet {
                token,
                dst,
                port,
                host,
                path,
            } => self.http_get(now, token, (dst, port), &host, &path),
            UeCommand::TcpProbe { token, dst, port } => self.tcp_probe(now, token, (dst, port)),
            UeCommand::Inject { packet } => {
                let mut octets = alloc::vec![0; HEADROOM];
                octets.extend_from_slice(&packet);
                self.queue.uplink.push_back(octets);
            }
            _ => {}
        }
    }

    /// Takes an IP packet from the network.
    pub fn handle_packet(&mut self, now: Instant, octets: &[u8]) {
        self.counters.downlink_packets += 1;
        self.counters.downlink_octets += u64::try_from(octets.len()).unwrap_or(0);
        self.counters.last_downlink_at = Some(now);
        match packet::classify(octets, self.address) {
            Kind::Udp {
                src,
                src_port,
                dst_port,
                payload,
            } => {
                if !self.flow_datagram(now, (src, src_port), dst_port, payload) {
                    self.deliver(now, octets);
                }
            }
            Kind::EchoReply { src, ident, seq } => self.echo_reply(now, src, ident, seq),
            Kind::Unreachable {
                from,
                code,
                protocol,
                dst,
                local,
            } => self.unreachable(now, from, code, protocol, dst, local),
            Kind::Other => self.deliver(now, octets),
            Kind::Foreign => self.counters.foreign_packets += 1,
        }
    }

    /// Runs what is due: probes of streams, timeouts, retransmissions.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.flows_timeout(now);
        self.poll_tcp(now);
    }

    /// The next uplink packet, behind [`HEADROOM`] octets for the GTP-U header.
    pub fn poll_packet(&mut self) -> Option<Vec<u8>> {
        let packet = self.queue.uplink.pop_front()?;
        self.counters.uplink_packets += 1;
        self.counters.uplink_octets += u64::try_from(packet.len() - HEADROOM).unwrap_or(0);
        Some(packet)
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has work.
    pub fn poll_timeout(&mut self, now: Instant) -> Option<Instant> {
        let flows = self.flows.values().filter_map(Flow::deadline).min();
        if self.connections.is_empty() {
            return flows;
        }
        let overall = self.connections.values().map(|c| c.deadline).min();
        let tcp = self
            .interface
            .poll_at(instant(now), &self.sockets)
            .map(|at| Instant::from_micros(u64::try_from(at.total_micros()).unwrap_or(0)));
        [flows, overall, tcp].into_iter().flatten().min()
    }

    /// Ends everything that is open, as the bearer does when it goes.
    pub fn shut_down(&mut self) {
        for (_, flow) in core::mem::take(&mut self.flows) {
            match flow {
                Flow::Stream(stream) => {
                    let (token, report) = (stream.token, stream.finish());
                    self.events.push_back(Event::StreamDone { token, report });
                }
                Flow::Sink(sink) => self.events.push_back(Event::StreamDone {
                    token: sink.token,
                    report: sink.report,
                }),
                Flow::Question(q) => self.events.push_back(q.event(ProbeOutcome::NoBearer)),
            }
        }
        for (_, connection) in core::mem::take(&mut self.connections) {
            let lost = "the bearer is gone";
            if let Some(event) = connection.failed(ProbeOutcome::NoBearer, lost) {
                self.events.push_back(event);
            }
        }
    }

    fn stop(&mut self, token: u64) {
        let of_token = |flow: &Flow| match flow {
            Flow::Stream(s) => s.token == token,
            Flow::Sink(s) => s.token == token,
            Flow::Question(_) => false,
        };
        let port = self
            .flows
            .iter()
            .find(|(_, f)| of_token(f))
            .map(|(p, _)| *p);
        let report = match port.and_then(|p| self.flows.remove(&p)) {
            Some(Flow::Stream(stream)) => stream.finish(),
            Some(Flow::Sink(sink)) => sink.report,
            _ => return self.refuse(token),
        };
        self.events.push_back(Event::StreamDone { token, report });
    }

    fn refuse(&mut self, token: u64) {
        let why = alloc::format!("no stream or port for token {token}");
        self.events.push_back(Event::CommandRefused { why });
    }

    fn is_busy(&self, port: u16) -> bool {
        self.flows.contains_key(&port) || self.connections.contains_key(&port)
    }

    /// A free dynamic port; there are more of them than flows and connections together.
    fn free_port(&mut self) -> u16 {
        loop {
            let port = self.next_port;
            self.next_port = if port == *PORTS.end() {
                *PORTS.start()
            } else {
                port + 1
            };
            if !self.is_busy(port) {
                return port;
            }
        }
    }

    fn open(&mut self, flow: Flow) -> Option<u16> {
        if self.flows.len() >= FLOWS_MAX {
            let event = match flow {
                Flow::Question(q) => q.event(ProbeOutcome::NotSent),
                Flow::Stream(s) => Event::StreamDone {
                    token: s.token,
                    report: s.finish(),
                },
                Flow::Sink(s) => Event::StreamDone {
                    token: s.token,
                    report: s.report,
                },
            };
            self.events.push_back(event);
            return None;
        }
        let port = self.free_port();
        self.flows.insert(port, flow);
        Some(port)
    }
}

/// The same time for smoltcp, which counts in signed microseconds.
fn instant(now: Instant) -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_micros(i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
