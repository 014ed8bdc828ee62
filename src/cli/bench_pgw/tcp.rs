//! TCP from UEs through the tunnel: each UE has an IP stack of its own (smoltcp), and every octet
//! that arrives is compared with what the source sends.

use core::time::Duration;
use std::collections::VecDeque;

use heiiki_net::clock::nanos;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

use super::packet::{SINK, SOURCE, tunnelled};
use super::sgw::Session;
use super::stage::{HOST, failed};
use super::traffic::Plane;
use crate::cli::failure::Failure;

const MTU: usize = 1_400;
/// What is under way at once, of all connections: nobody on this path holds back when it is too
/// much, as the sender of a real network would.
const UNDER_WAY: usize = 16 << 20;
/// Octets of a connection's buffer.
const BUFFER: core::ops::RangeInclusive<usize> = 16_384..=262_144;
/// The octets of a source go round after so many.
const ROUND: u64 = 251;

/// Which way the octets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
}

/// A UE's end of the tunnel.
#[derive(Default)]
struct Wire {
    received: VecDeque<Vec<u8>>,
    sent: VecDeque<Vec<u8>>,
    free: Vec<Vec<u8>>,
}

struct Received<'a>(Vec<u8>, &'a mut Vec<Vec<u8>>);
struct Sending<'a>(Vec<u8>, &'a mut VecDeque<Vec<u8>>);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        let result = f(&self.0);
        self.1.push(self.0);
        result
    }
}

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, len: usize, f: F) -> R {
        self.0.resize(len, 0);
        let result = f(&mut self.0);
        self.1.push_back(self.0);
        result
    }
}

impl Device for Wire {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Sending<'_>)> {
        let packet = self.received.pop_front()?;
        let buffer = self.free.pop().unwrap_or_default();
        Some((
            Received(packet, &mut self.free),
            Sending(buffer, &mut self.sent),
        ))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sending<'_>> {
        let buffer = self.free.pop().unwrap_or_default();
        Some(Sending(buffer, &mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = MTU;
        capabilities
    }
}

/// A UE with one connection.
struct Ue {
    wire: Wire,
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    teid: u32,
    /// Octets that were compared, or sent.
    done: u64,
    is_wrong: bool,
    due: bool,
}

fn time() -> Instant {
    Instant::from_micros(i64::try_from(nanos() / 1_000).unwrap_or(0))
}

impl Ue {
    fn new(session: Session, way: Way, port: u16, size: usize) -> Result<Self, Failure> {
        let mut wire = Wire::default();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = u64::from(session.teid);
        let mut interface = Interface::new(config, &mut wire, time());
        interface.update_ip_addrs(|addresses| {
            let own = IpCidr::new(IpAddress::from(session.address), 32);
            let _ = addresses.push(own);
        });
        let buffer = |n| tcp::SocketBuffer::new(vec![0; n]);
        let (to, receive, send) = match way {
            Way::Up => (SINK, 4_096, size),
            Way::Down => (SOURCE, size, 4_096),
        };
        let mut socket = tcp::Socket::new(buffer(receive), buffer(send));
        socket.set_nagle_enabled(false);
        socket
            .connect(interface.context(), (IpAddress::from(HOST), to), port)
            .map_err(failed)?;
        let mut sockets = SocketSet::new(Vec::new());
        let handle = sockets.add(socket);
        Ok(Self {
            wire,
            interface,
            sockets,
            handle,
            teid: session.teid,
            done: 0,
            is_wrong: false,
            due: true,
        })
    }

    /// Lets the stack work, and takes or gives what it can.
    fn work(&mut self, way: Way, round: &[u8]) {
        self.due = false;
        for _ in 0..4 {
            self.interface
                .poll(time(), &mut self.wire, &mut self.sockets);
            let socket = self.sockets.get_mut::<tcp::Socket<'_>>(self.handle);
            let before = self.done;
            match way {
                Way::Up => {
                    while socket.can_send() {
                        let sent = socket.send(|out| {
                            out.fill(0x5a);
                            (out.len(), out.len())
                        });
                        self.done += u64::try_from(sent.unwrap_or(0)).unwrap_or(0);
                    }
                }
                Way::Down => {
                    while socket.can_recv() {
                        let at = usize::try_from(self.done % ROUND).unwrap_or(0);
                        let wrong = &mut self.is_wrong;
                        let read = socket.recv(|octets| {
                            let take = octets.len().min(round.len() - at);
                            let expected = round.get(at..at + take);
                            *wrong |= expected != octets.get(..take);
                            (take, take)
                        });
                        self.done += u64::try_from(read.unwrap_or(0)).unwrap_or(0);
                    }
                }
            }
            if self.done == before {
                break;
            }
        }
    }
}

/// Octets a second of payload that `sessions` take or give, one connection each, once all are open.
pub(super) fn run(
    plane: &mut Plane,
    sessions: &[Session],
    way: Way,
    for_time: Duration,
    first_port: u16,
) -> Result<(f64, u64), Failure> {
    let round: Vec<u8> = (0..=250).cycle().take(251 * 400).collect();
    let size = UNDER_WAY / sessions.len().max(1);
    let size = size.clamp(*BUFFER.start(), *BUFFER.end());
    let ues = sessions.iter().map(|s| Ue::new(*s, way, first_port, size));
    let mut ues: Vec<Ue> = ues.collect::<Result<_, _>>()?;
    let length = u64::try_from(for_time.as_nanos()).unwrap_or(0);
    let begin = nanos();
    let (mut start, mut base, mut turn) = (0, 0, 0_u64);
    loop {
        step(plane, &mut ues, way, &round)?;
        turn += 1;
        let now = nanos();
        // Time-outs: seldom, since nothing is lost.
        if turn.is_multiple_of(4_096) {
            for ue in &mut ues {
                ue.due = true;
            }
        }
        let total: u64 = if start == 0 || now - start >= length {
            ues.iter().map(|u| u.done).sum()
        } else {
            continue;
        };
        if start == 0 {
            if ues.iter().all(|u| u.done > 0) {
                (start, base) = (now, total);
            } else if now - begin > 20_000_000_000 {
                return Err(failed("connections did not open"));
            }
        } else {
            let wrong = ues.iter().filter(|u| u.is_wrong).count();
            super::must(
                wrong == 0,
                format_args!("{wrong} connections had wrong octets"),
            )?;
            close(plane, &mut ues, way, &round)?;
            let seconds = super::float(now - start) / 1e9;
            return Ok((super::float(total - base) / seconds, total));
        }
    }
}

/// One turn: what has come goes to its UE, UEs that got something work, what they have leaves.
fn step(plane: &mut Plane, ues: &mut [Ue], way: Way, round: &[u8]) -> Result<(), Failure> {
    plane.receive()?;
    for (_, datagram) in plane.incoming.datagrams() {
        let Some((teid, packet)) = tunnelled(datagram) else {
            continue;
        };
        let place = usize::try_from(teid.wrapping_sub(1)).unwrap_or(usize::MAX);
        if let Some(ue) = ues.get_mut(place) {
            let mut buffer = ue.wire.free.pop().unwrap_or_default();
            buffer.clear();
            buffer.extend_from_slice(packet);
            ue.wire.received.push_back(buffer);
            ue.due = true;
        }
    }
    for (flow, ue) in (0_u32..).zip(ues) {
        if !ue.due {
            continue;
        }
        ue.work(way, round);
        while let Some(packet) = ue.wire.sent.pop_front() {
            let length = u16::try_from(packet.len()).unwrap_or(0).to_be_bytes();
            let teid = ue.teid.to_be_bytes();
            let [l1, l2] = length;
            let [t1, t2, t3, t4] = teid;
            let head = [0x30, 0xff, l1, l2, t1, t2, t3, t4];
            plane.socket.push(flow, plane.gateway, 0, &head, &packet);
            ue.wire.free.push(packet);
        }
    }
    plane.socket.flush();
    Ok(())
}

/// Resets what is open, so that the next run finds the host as this one did.
fn close(plane: &mut Plane, ues: &mut [Ue], way: Way, round: &[u8]) -> Result<(), Failure> {
    for ue in ues.iter_mut() {
        ue.sockets.get_mut::<tcp::Socket<'_>>(ue.handle).abort();
        ue.due = true;
    }
    step(plane, ues, way, round)
}
