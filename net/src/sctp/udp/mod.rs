//! SCTP over UDP (RFC 6951) in user space, on a thread of its own.
//!
//! * `endpoint`: which packet belongs to which association, and their life.
//! * `association`: one association, by the SCTP of `dcsctp`.
//! * `issued`: who was given which tag, in place of a signed cookie.
//! * `packet`: heads of packets, and replies to packets of nobody's.
//!
//! One path an association: a packet for it from another address of the peer is not its own.

mod association;
mod endpoint;
mod issued;
mod packet;
#[cfg(test)]
mod tests;

use core::net::SocketAddr;
use std::io;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use heiiki_types::{Duration, StreamOutput};

use super::{Deliver, Note, Tell};
use crate::clock;
use crate::udp::{MAX_DATAGRAM, Udp, Waker};
use endpoint::{Endpoint, Out, Role};

/// Octets of socket buffer each way.
const BUFFER: usize = 4 << 20;
/// How many datagrams are read before timers and orders get their turn.
const BURST: usize = 256;
/// How long the end waits for peers to agree to it.
const FAREWELL: Duration = Duration::from_secs(2);

/// A running SCTP over UDP. Ends with the drop, after what was sent.
#[derive(Debug)]
pub struct Service {
    orders: Option<Sender<StreamOutput>>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
    udp: SocketAddr,
}

impl Service {
    /// Takes associations on SCTP port `port` behind the UDP address `udp`.
    ///
    /// # Errors
    /// When the address is in use or not of this machine, or the system has no thread left.
    pub fn listen(udp: SocketAddr, port: u16, deliver: Deliver, tell: Tell) -> io::Result<Self> {
        Self::start(udp, Role::Listen(port), deliver, tell)
    }

    /// Opens associations from the UDP address `local` to peers behind UDP port `udp_port`.
    ///
    /// # Errors
    /// As of [`listen`](Self::listen).
    pub fn connect(
        local: SocketAddr,
        udp_port: u16,
        deliver: Deliver,
        tell: Tell,
    ) -> io::Result<Self> {
        Self::start(local, Role::Connect { udp_port }, deliver, tell)
    }

    fn start(udp: SocketAddr, role: Role, deliver: Deliver, tell: Tell) -> io::Result<Self> {
        let socket = Udp::bind(udp, BUFFER)?;
        let local = socket.local();
        let waker = Waker::new()?;
        // Once here, so that a system without randomness shows at the start.
        random()?;
        let (orders, asked) = channel();
        let thread = {
            let waker = waker.clone();
            std::thread::Builder::new()
                .name("sctp".to_owned())
                .spawn(move || {
                    let endpoint = Endpoint::new(role, Box::new(|| random().unwrap_or_default()));
                    let driver = Driver {
                        socket,
                        waker,
                        endpoint,
                        deliver,
                        tell: tell.clone(),
                    };
                    if let Err(error) = driver.run(&asked) {
                        let why = error.to_string();
                        tell(&Note::Failed { why });
                    }
                })?
        };
        Ok(Self {
            orders: Some(orders),
            waker,
            thread: Some(thread),
            udp: local,
        })
    }

    /// The bound UDP address.
    pub const fn udp(&self) -> SocketAddr {
        self.udp
    }

    /// Does what the node wants of its associations.
    pub fn send(&self, output: StreamOutput) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(output);
            self.waker.wake();
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.orders = None;
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn random() -> io::Result<u64> {
    let [a, b, c, d, e, f, g, h, ..] = clock::entropy()?;
    Ok(u64::from_ne_bytes([a, b, c, d, e, f, g, h]))
}

struct Driver {
    socket: Udp,
    waker: Waker,
    endpoint: Endpoint,
    deliver: Deliver,
    tell: Tell,
}

impl Driver {
    fn run(mut self, asked: &Receiver<StreamOutput>) -> io::Result<()> {
        let mut buffer = vec![0; MAX_DATAGRAM];
        let mut end = None;
        loop {
            let now = clock::monotonic();
            if end.is_none() && !self.obey(asked) {
                self.endpoint.close_all(now);
                end = Some(now + FAREWELL);
            }
            self.endpoint.handle_timeout(now);
            self.flush();
            if let Some(end) = end
                && (self.endpoint.is_idle() || now >= end)
            {
                self.endpoint.abort_all(now);
                self.flush();
                return Ok(());
            }
            let wait = [self.endpoint.poll_timeout(), end].into_iter().flatten();
            let wait = wait.min().map(|at| at.since(clock::monotonic()));
            self.socket.wait(&self.waker, wait)?;
            for _ in 0..BURST {
                let Some((length, from)) = self.socket.receive(&mut buffer)? else {
                    break;
                };
                let octets = buffer.get(..length).unwrap_or_default();
                self.endpoint
                    .handle_packet(clock::monotonic(), from, octets);
                self.flush();
            }
        }
    }

    /// Takes all orders; whether more may come.
    fn obey(&mut self, asked: &Receiver<StreamOutput>) -> bool {
        let mut open = true;
        let mut orders = Vec::new();
        while orders.len() < 4 * BURST {
            match asked.try_recv() {
                Ok(order) => orders.push(order),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    open = false;
                    break;
                }
            }
        }
        if orders.len() == 4 * BURST {
            // There may be more: do not wait before they are done.
            self.waker.wake();
        }
        self.endpoint.handle_outputs(clock::monotonic(), orders);
        open
    }

    fn flush(&mut self) {
        while let Some(out) = self.endpoint.poll_output() {
            match out {
                // What cannot be sent is lost, as any packet can be; SCTP sends it again.
                Out::Packet { to, packet } => drop(self.socket.send(to, &packet)),
                Out::Input(input) => (self.deliver)(input),
                Out::Note(note) => (self.tell)(&note),
            }
        }
    }
}
