//! TCP connections of a stack: HTTP fetches and connection probes, on smoltcp sockets.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use heiiki_types::{Duration, Instant};
use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::wire::{IpAddress, IpEndpoint};

use super::http::Response;
use super::{Event, FLOWS_MAX, ProbeOutcome, Stack, instant, micros};

/// How long a finished connection may take to close before it is reset.
const LINGER: Duration = Duration::from_secs(2);
/// Room for a request and its headers.
const SEND_BUFFER: usize = 2_048;

/// One TCP connection and what it is for.
pub(super) struct Connection {
    token: u64,
    handle: SocketHandle,
    dst: Ipv4Addr,
    started: Instant,
    pub(super) deadline: Instant,
    purpose: Purpose,
}

enum Purpose {
    Probe,
    Fetch(Box<Fetch>),
    /// The event is out; the socket still says goodbye.
    Closing,
}

/// The request that is not sent yet, and the response so far.
struct Fetch {
    request: Vec<u8>,
    response: Response,
}

impl Connection {
    /// The event of a connection that did not come to its end; `None` when it did.
    pub(super) fn failed(&self, outcome: ProbeOutcome, why: &'static str) -> Option<Event> {
        let token = self.token;
        match &self.purpose {
            Purpose::Probe => Some(Event::TcpProbeDone { token, outcome }),
            Purpose::Fetch(fetch) => Some(Event::HttpFailed {
                token,
                outcome,
                bytes: fetch.response.bytes(),
                why,
            }),
            Purpose::Closing => None,
        }
    }
}

impl Stack {
    pub(super) fn tcp_probe(&mut self, now: Instant, token: u64, dst: (Ipv4Addr, u16)) {
        let deadline = now + self.probe_timeout;
        self.connect(now, token, dst, deadline, Purpose::Probe);
    }

    pub(super) fn http_get(
        &mut self,
        now: Instant,
        token: u64,
        dst: (Ipv4Addr, u16),
        host: &str,
        path: &str,
    ) {
        let request = alloc::format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: heiiki\r\nAccept: */*\r\n\
             Connection: close\r\n\r\n"
        );
        let purpose = Purpose::Fetch(Box::new(Fetch {
            request: request.into_bytes(),
            response: Response::new(),
        }));
        let deadline = now + self.http_timeout;
        self.connect(now, token, dst, deadline, purpose);
    }

    /// Hands a packet to the interface and sees what it changed.
    pub(super) fn deliver(&mut self, now: Instant, octets: &[u8]) {
        self.queue.downlink = Some(octets.to_vec());
        self.poll_tcp(now);
        self.queue.downlink = None;
    }

    /// An ICMP error quotes a segment of one of our connections: it counts only while the
    /// connection is not up (RFC 5927 §4).
    pub(super) fn tcp_unreachable(
        &mut self,
        now: Instant,
        outcome: ProbeOutcome,
        dst: Ipv4Addr,
        port: u16,
    ) {
        let Some(connection) = self.connections.get_mut(&port).filter(|c| c.dst == dst) else {
            return;
        };
        let socket = self.sockets.get_mut::<Socket<'_>>(connection.handle);
        if socket.state() != State::SynSent {
            return;
        }
        socket.abort();
        let why = "refused on the way";
        self.events.extend(connection.failed(outcome, why));
        connection.purpose = Purpose::Closing;
        self.poll_tcp(now);
    }

    /// Runs the interface until nothing moves, and the connections after it.
    pub(super) fn poll_tcp(&mut self, now: Instant) {
        let at = instant(now);
        // A request is written and a response read in at most a few turns; what is left waits for
        // the next packet or deadline.
        for _ in 0..4 {
            self.interface.poll(at, &mut self.queue, &mut self.sockets);
            if !self.serve(now) {
                break;
            }
        }
    }

    fn connect(
        &mut self,
        now: Instant,
        token: u64,
        dst: (Ipv4Addr, u16),
        deadline: Instant,
        purpose: Purpose,
    ) {
        let window = match purpose {
            Purpose::Fetch(..) => self.tcp_window,
            _ => 1,
        };
        let receive = SocketBuffer::new(alloc::vec![0; window]);
        let send = SocketBuffer::new(alloc::vec![0; SEND_BUFFER]);
        let mut socket = Socket::new(receive, send);
        socket.set_nagle_enabled(false);
        let port = self.free_port();
        let remote = IpEndpoint::new(IpAddress::Ipv4(dst.0), dst.1);
        let local = IpEndpoint::new(IpAddress::Ipv4(self.address), port);
        let full = self.connections.len() >= FLOWS_MAX;
        let opened = !full
            && socket
                .connect(self.interface.context(), remote, local)
                .is_ok();
        let connection = Connection {
            token,
            handle: self.sockets.add(socket),
            dst: dst.0,
            started: now,
            deadline,
            purpose,
        };
        if opened {
            self.connections.insert(port, connection);
            self.poll_tcp(now);
        } else {
            self.sockets.remove(connection.handle);
            let why = "the connection cannot be opened";
            self.events
                .extend(connection.failed(ProbeOutcome::NotSent, why));
        }
    }

    /// Looks after every connection; true when one of them has something more to send.
    fn serve(&mut self, now: Instant) -> bool {
        let mut again = false;
        let sockets = &mut self.sockets;
        let events = &mut self.events;
        self.connections.retain(|_, connection| {
            let socket = sockets.get_mut::<Socket<'_>>(connection.handle);
            let (event, more) = connection.step(now, socket);
            events.extend(event);
            again |= more;
            // A reset leaves with the next poll, and clears the remote endpoint.
            let quiet = match socket.state() {
                State::Closed => socket.remote_endpoint().is_none(),
                State::TimeWait => true,
                _ => connection.deadline <= now,
            };
            let gone = quiet && matches!(connection.purpose, Purpose::Closing);
            if gone {
                sockets.remove(connection.handle);
            }
            !gone
        });
        again
    }
}

impl Connection {
    /// One look at a connection: the event that it causes, and whether the socket got work.
    fn step(&mut self, now: Instant, socket: &mut Socket<'_>) -> (Option<Event>, bool) {
        let step = match &mut self.purpose {
            Purpose::Closing => {
                if self.deadline <= now {
                    socket.abort();
                }
                return (None, false);
            }
            Purpose::Probe => probe_step(socket),
            Purpose::Fetch(fetch) => fetch_step(fetch, socket),
        };
        let (event, more) = match step {
            Step::Wait { more } if self.deadline > now => return (None, more),
            Step::Wait { .. } => {
                socket.abort();
                (self.failed(ProbeOutcome::TimedOut, "took too long"), true)
            }
            Step::Failed(outcome, why) => {
                socket.abort();
                (self.failed(outcome, why), true)
            }
            Step::Done => (Some(self.succeed(now, socket)), true),
        };
        self.purpose = Purpose::Closing;
        self.deadline = now + LINGER;
        (event, more)
    }

    fn succeed(&mut self, now: Instant, socket: &mut Socket<'_>) -> Event {
        let token = self.token;
        let took_us = micros(now.since(self.started));
        match core::mem::replace(&mut self.purpose, Purpose::Closing) {
            Purpose::Fetch(fetch) => {
                socket.close();
                let (status, bytes, sha256, body) = fetch.response.finish();
                Event::HttpDone {
                    token,
                    status,
                    bytes,
                    sha256,
                    took_us,
                    body,
                }
            }
            Purpose::Probe | Purpose::Closing => {
                socket.abort();
                let outcome = ProbeOutcome::Answered { rtt_us: took_us };
                Event::TcpProbeDone { token, outcome }
            }
        }
    }
}

/// What a look at a connection found.
enum Step {
    /// Not there yet; `more` when the socket was given something to send.
    Wait {
        more: bool,
    },
    Done,
    Failed(ProbeOutcome, &'static str),
}

fn probe_step(socket: &Socket<'_>) -> Step {
    match socket.state() {
        State::SynSent => Step::Wait { more: false },
        State::Closed => Step::Failed(ProbeOutcome::Refused, "reset"),
        _ => Step::Done,
    }
}

fn fetch_step(fetch: &mut Fetch, socket: &mut Socket<'_>) -> Step {
    let Fetch { request, response } = fetch;
    let mut more = false;
    if socket.may_send() && !request.is_empty() {
        let sent = socket.send_slice(request).unwrap_or(0);
        request.drain(..sent.min(request.len()));
        more = sent > 0;
    }
    while socket.can_recv() {
        let pushed = socket.recv(|octets| (octets.len(), response.push(octets)));
        match pushed {
            Ok(Ok(())) => more = true,
            Ok(Err(why)) => return Step::Failed(ProbeOutcome::NotSent, why),
            Err(_) => break,
        }
    }
    if response.is_done() {
        return Step::Done;
    }
    match socket.state() {
        State::SynSent => Step::Wait { more: false },
        State::Closed => Step::Failed(ProbeOutcome::Refused, "reset"),
        _ if socket.may_recv() => Step::Wait { more },
        // The server closed its side.
        _ => match response.end() {
            Ok(()) => Step::Done,
            Err(why) => Step::Failed(ProbeOutcome::Refused, why),
        },
    }
}
