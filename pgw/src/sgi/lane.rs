use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use heiiki_types::Instant;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::{tcp, udp};
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr, IpListenEndpoint};

use super::device::Wire;
use super::dns::Zone;
use super::http::Exchange;
use crate::config::Service;

const HTTP: u16 = 80;
pub(super) const DNS: u16 = 53;
pub(super) const ECHO: u16 = 7;
/// Takes what comes and sends nothing (RFC 863).
pub(super) const SINK: u16 = 9;
/// Sends for as long as somebody takes it (RFC 864).
pub(super) const SOURCE: u16 = 19;

/// TCP connections of a lane. A lane is small, because the stack looks at every socket for every
/// packet.
const CONNECTIONS: usize = 96;
/// UDP ports that the lane of a sentinel opens.
const PORTS: usize = 64;
/// Listening sockets without a connection that are kept for each port.
const SPARE: usize = 1;

const HTTP_RECEIVE: usize = 4_096;
const HTTP_SEND: usize = 65_536;
const ECHO_BUFFER: usize = 16_384;
/// As much as one connection needs to be fast, and no more for the way that it does not use.
const BULK_BUFFER: usize = 262_144;
const SPARE_BUFFER: usize = 4_096;
const UDP_BUFFER: usize = 65_536;
const UDP_PACKETS: usize = 64;

/// What a lane serves, and whose it is.
#[derive(Debug)]
pub(super) struct Role {
    pub(super) tenant: String,
    pub(super) host: String,
    /// The address of the host; none for a sentinel, which is everybody.
    pub(super) address: Option<IpAddr>,
    pub(super) services: Vec<Service>,
    pub(super) zone: Zone,
}

#[derive(Clone, Debug)]
enum Serving {
    Http(Exchange),
    Echo,
    Sink,
    /// How many octets have been sent.
    Source(u64),
}

#[derive(Debug)]
struct Connection {
    handle: SocketHandle,
    port: u16,
    serving: Serving,
}

/// A part of a host: an interface with a few sockets, for the clients that fall to it.
pub(super) struct Lane {
    role: Arc<Role>,
    interface: Interface,
    pub(super) wire: Wire,
    sockets: SocketSet<'static>,
    connections: Vec<Connection>,
    /// UDP ports that are echoed: those of a sentinel.
    ports: BTreeMap<u16, SocketHandle>,
    /// Connection attempts in the queue of received packets, by port.
    attempts: BTreeMap<u16, usize>,
    pub(super) next: Option<Instant>,
    /// Connection attempts that found the lane full; the client tries again.
    pub(super) overflows: u64,
}

impl core::fmt::Debug for Lane {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Lane")
            .field("role", &self.role)
            .field("connections", &self.connections.len())
            .finish_non_exhaustive()
    }
}

fn stack_time(now: Instant) -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_micros(i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}

impl Lane {
    pub(super) fn new(role: &Arc<Role>, mtu: usize, seed: u64, now: Instant) -> Self {
        let mut wire = Wire::new(mtu);
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut wire, stack_time(now));
        match role.address {
            Some(address) => interface.update_ip_addrs(|addresses| {
                let length = if address.is_ipv4() { 32 } else { 128 };
                // A list that was just made has room for one.
                let _ = addresses.push(IpCidr::new(IpAddress::from(address), length));
            }),
            None => interface.set_any_ip(true),
        }
        Self {
            role: Arc::clone(role),
            interface,
            wire,
            sockets: SocketSet::new(Vec::new()),
            connections: Vec::new(),
            ports: BTreeMap::new(),
            attempts: BTreeMap::new(),
            next: None,
            overflows: 0,
        }
    }

    fn is_sentinel(&self) -> bool {
        self.role.address.is_none()
    }

    fn open_port(&mut self, port: u16) {
        let buffer = || {
            udp::PacketBuffer::new(
                alloc::vec![udp::PacketMetadata::EMPTY; UDP_PACKETS],
                alloc::vec![0; UDP_BUFFER],
            )
        };
        let mut socket = udp::Socket::new(buffer(), buffer());
        if port != 0 && socket.bind(port).is_ok() {
            let handle = self.sockets.add(socket);
            self.ports.insert(port, handle);
        }
    }

    /// What the TCP port serves.
    fn serving(&self, port: u16) -> Option<Serving> {
        let services = &self.role.services;
        match port {
            _ if self.is_sentinel() => Some(Serving::Http(Exchange::new())),
            HTTP if services.contains(&Service::Http) => Some(Serving::Http(Exchange::new())),
            ECHO if services.contains(&Service::Echo) => Some(Serving::Echo),
            SINK if services.contains(&Service::Throughput) => Some(Serving::Sink),
            SOURCE if services.contains(&Service::Throughput) => Some(Serving::Source(0)),
            _ => None,
        }
    }

    /// Takes a packet. The stack has no backlog: a listening socket becomes the connection. So a
    /// connection attempt brings a listening socket along.
    pub(super) fn receive(&mut self, packet: Vec<u8>) {
        match opening(&packet) {
            Some(Opening::Tcp(port)) if self.serving(port).is_some() => {
                let attempts = self.attempts.get(&port).map_or(1, |n| n + 1);
                let idle = self.idle(port).count();
                if idle < attempts && !self.listen(port) {
                    // No answer at all, as from a full backlog: the client tries again.
                    self.overflows += 1;
                    return;
                }
                self.attempts.insert(port, attempts);
            }
            Some(Opening::Udp(port))
                if self.is_sentinel()
                    && !self.ports.contains_key(&port)
                    && self.ports.len() < PORTS =>
            {
                self.open_port(port);
            }
            _ => {}
        }
        self.wire.received.push_back(packet);
    }

    fn idle(&self, port: u16) -> impl Iterator<Item = &Connection> {
        self.connections
            .iter()
            .filter(move |c| c.port == port)
            .filter(|c| self.sockets.get::<tcp::Socket<'_>>(c.handle).is_listening())
    }

    fn listen(&mut self, port: u16) -> bool {
        let Some(serving) = self.serving(port) else {
            return false;
        };
        if self.connections.len() >= CONNECTIONS {
            return false;
        }
        let (receive, send) = match serving {
            Serving::Http(_) => (HTTP_RECEIVE, HTTP_SEND),
            Serving::Echo => (ECHO_BUFFER, ECHO_BUFFER),
            Serving::Sink => (BULK_BUFFER, SPARE_BUFFER),
            Serving::Source(_) => (SPARE_BUFFER, BULK_BUFFER),
        };
        let buffer = |size| tcp::SocketBuffer::new(alloc::vec![0; size]);
        let mut socket = tcp::Socket::new(buffer(receive), buffer(send));
        // A UE that was cut or lost must not hold a connection for ever.
        socket.set_timeout(Some(smoltcp::time::Duration::from_secs(60)));
        socket.set_keep_alive(Some(smoltcp::time::Duration::from_secs(20)));
        socket.set_nagle_enabled(false);
        let endpoint = IpListenEndpoint {
            addr: self.role.address.map(IpAddress::from),
            port,
        };
        if socket.listen(endpoint).is_err() {
            return false;
        }
        let handle = self.sockets.add(socket);
        self.connections.push(Connection {
            handle,
            port,
            serving,
        });
        true
    }

    /// Lets the stack work until there is nothing left to do at this time.
    pub(super) fn poll(&mut self, now: Instant) {
        let time = stack_time(now);
        // Each round serves what the stack delivered; the bound is never met in practice.
        for _ in 0..1_000 {
            self.interface.poll(time, &mut self.wire, &mut self.sockets);
            if !self.serve() {
                break;
            }
        }
        self.attempts.clear();
        self.reap();
        let next = self.interface.poll_at(time, &self.sockets);
        self.next = next.map(|at| {
            let micros = u64::try_from(at.total_micros()).unwrap_or(0);
            Instant::from_micros(micros).max(now + heiiki_types::Duration::from_micros(1))
        });
    }

    /// Moves octets between sockets and services; true if any moved.
    fn serve(&mut self) -> bool {
        let mut moved = false;
        let Self {
            sockets,
            connections,
            ports,
            role,
            ..
        } = self;
        for connection in connections {
            let socket = sockets.get_mut::<tcp::Socket<'_>>(connection.handle);
            moved |= match &mut connection.serving {
                Serving::Http(exchange) => serve_http(socket, exchange, role),
                Serving::Echo => serve_echo(socket),
                Serving::Sink => serve_sink(socket),
                Serving::Source(sent) => serve_source(socket, sent),
            };
        }
        for handle in ports.values() {
            moved |= echo_datagrams(sockets.get_mut(*handle));
        }
        moved
    }

    /// Removes what is over, and listeners beyond the spare ones. A connection in TIME-WAIT is
    /// over: the client has everything.
    fn reap(&mut self) {
        let mut idle: BTreeMap<u16, usize> = BTreeMap::new();
        let sockets = &mut self.sockets;
        self.connections.retain(|connection| {
            let socket = sockets.get::<tcp::Socket<'_>>(connection.handle);
            let stays = match socket.state() {
                tcp::State::Closed | tcp::State::TimeWait => false,
                tcp::State::Listen => {
                    let n = idle.entry(connection.port).or_default();
                    *n += 1;
                    *n <= SPARE
                }
                _ => true,
            };
            if !stays {
                sockets.remove(connection.handle);
            }
            stays
        });
    }
}

fn serve_http(socket: &mut tcp::Socket<'_>, exchange: &mut Exchange, role: &Role) -> bool {
    let mut moved = false;
    while socket.can_recv() && !exchange.is_answering() {
        let read = socket.recv(|octets| {
            let n = exchange.read(octets, &role.tenant, &role.host);
            (n, n)
        });
        moved |= read.is_ok_and(|n| n > 0);
    }
    if exchange.is_answering() {
        while socket.can_send() && !exchange.is_done() {
            let sent = socket.send(|out| {
                let n = exchange.write(out);
                (n, n)
            });
            moved |= sent.is_ok_and(|n| n > 0);
        }
        if exchange.is_done() && socket.may_send() {
            socket.close();
            moved = true;
        }
    } else if !socket.may_recv() && socket.may_send() && socket.state() != tcp::State::Listen {
        // The client has closed without a request.
        socket.close();
        moved = true;
    }
    moved
}

fn serve_echo(socket: &mut tcp::Socket<'_>) -> bool {
    let mut moved = false;
    while socket.can_recv() && socket.can_send() {
        let room = socket.send_capacity() - socket.send_queue();
        let mut part = [0; 1_024];
        let take = room.min(part.len());
        let part = part.get_mut(..take).unwrap_or_default();
        let Ok(n) = socket.recv_slice(part) else {
            break;
        };
        let sent = socket.send_slice(part.get(..n).unwrap_or_default());
        if n == 0 || sent.is_err() {
            break;
        }
        moved = true;
    }
    if socket.state() == tcp::State::CloseWait && !socket.can_recv() {
        socket.close();
        moved = true;
    }
    moved
}

fn serve_sink(socket: &mut tcp::Socket<'_>) -> bool {
    let mut moved = false;
    while socket.can_recv() {
        let read = socket.recv(|octets| (octets.len(), octets.len()));
        if !read.is_ok_and(|n| n > 0) {
            break;
        }
        moved = true;
    }
    moved | close_after(socket)
}

fn serve_source(socket: &mut tcp::Socket<'_>, sent: &mut u64) -> bool {
    let mut moved = false;
    while socket.can_recv() && socket.recv(|octets| (octets.len(), ())).is_ok() {}
    while socket.can_send() && socket.may_recv() {
        let wrote = socket.send(|out| {
            let n = pattern(*sent, out);
            (n, n)
        });
        match wrote {
            Ok(n) if n > 0 => *sent += u64::try_from(n).unwrap_or(0),
            _ => break,
        }
        moved = true;
    }
    moved | close_after(socket)
}

/// Closes when the client has.
fn close_after(socket: &mut tcp::Socket<'_>) -> bool {
    let ends = socket.state() == tcp::State::CloseWait && !socket.can_recv();
    if ends {
        socket.close();
    }
    ends
}

/// Writes what a source sends from `at` on: the octets 0 to 250, again and again.
fn pattern(at: u64, out: &mut [u8]) -> usize {
    const ROUND: usize = 251;
    let round: [u8; ROUND] = core::array::from_fn(|n| u8::try_from(n).unwrap_or(0));
    let start = usize::try_from(at % 251).unwrap_or(0);
    let length = out.len();
    let (first, rest) = out.split_at_mut(length.min(ROUND - start));
    let begun = round.get(start..start + first.len()).unwrap_or_default();
    first.copy_from_slice(begun);
    for part in rest.chunks_mut(ROUND) {
        part.copy_from_slice(round.get(..part.len()).unwrap_or_default());
    }
    length
}

fn echo_datagrams(socket: &mut udp::Socket<'_>) -> bool {
    let mut moved = false;
    while socket.can_recv() && socket.can_send() {
        let Ok((octets, from)) = socket.recv() else {
            break;
        };
        moved = true;
        let answer = octets.to_vec();
        // The metadata say which of the own addresses was asked, and so which one answers.
        let _ = socket.send_slice(&answer, from);
    }
    moved
}

enum Opening {
    Tcp(u16),
    Udp(u16),
}

/// Whether a packet opens something: a TCP connection attempt, or a datagram.
fn opening(packet: &[u8]) -> Option<Opening> {
    let (protocol, above) = match packet.first()? >> 4 {
        4 => {
            let header = usize::from(packet.first()? & 15) * 4;
            (*packet.get(9)?, packet.get(header..)?)
        }
        6 => (*packet.get(6)?, packet.get(40..)?),
        _ => return None,
    };
    let port = u16::from_be_bytes([*above.get(2)?, *above.get(3)?]);
    match protocol {
        // SYN without ACK or RST.
        6 if above.get(13)? & 0x16 == 0x02 => Some(Opening::Tcp(port)),
        17 => Some(Opening::Udp(port)),
        _ => None,
    }
}
