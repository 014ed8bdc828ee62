//! TCP connections for a machine that runs on the thread that polls them.
//!
//! A turn is [`Reactor::wait`], which reads what is there, the machine's work, then
//! [`Reactor::flush`]: at most one read of [`READ`] octets and one write a connection and turn, so
//! that a busy connection does not starve a thousand quiet ones. Nothing here blocks but the wait,
//! and no other thread takes part; other threads end a wait through the [`Waker`].
//!
//! A peer that does not read what it asked for is not read from any more above
//! [`Limits::pause`], and its connection is closed above [`Limits::close`].

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;

use heiiki_types::{ConnId, Instant, StreamInput, StreamOutput};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::fd::OwnedFd;

use crate::clock;

/// The most octets that a connection gives in one turn.
pub const READ: usize = 64 * 1024;
/// The most connections that are looked at in one turn.
const READY: usize = 64;
/// The most connections that are accepted in one turn.
const ACCEPT: usize = 64;
/// How long a connection that the machine closed may take to send the rest and to part.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long nothing is accepted after the system refused a connection: no descriptors are left.
const NO_DESCRIPTORS: Duration = Duration::from_millis(50);

const LISTENER: u64 = u64::MAX;
const WAKER: u64 = u64::MAX - 1;

/// What peers may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; a further one is closed as soon as it is accepted.
    pub connections: usize,
    /// Unsent octets above which a connection is not read from.
    pub pause: usize,
    /// Unsent octets above which a connection is closed.
    pub close: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8_192,
            pause: 1024 * 1024,
            close: 16 * 1024 * 1024,
        }
    }
}

/// Ends a [`Reactor::wait`] from another thread.
#[derive(Clone, Debug)]
pub struct Waker(Arc<Signal>);

#[derive(Debug)]
struct Signal {
    fd: OwnedFd,
    /// Whether the reactor has a call that it has not seen: one system call is enough for many.
    called: AtomicBool,
}

impl Waker {
    /// The reactor returns from its wait, now or at once when it waits next. What was handed over
    /// before this call is visible to it then.
    pub fn wake(&self) {
        if !self.0.called.swap(true, Ordering::AcqRel) {
            // It can fail only when the counter is full, and then the reactor wakes anyway.
            let _ = rustix::io::write(&self.0.fd, &1_u64.to_ne_bytes());
        }
    }
}

struct Connection {
    stream: TcpStream,
    unsent: Vec<u8>,
    /// How much of `unsent` has left.
    sent: usize,
    /// What the system watches.
    watched: EventFlags,
    dirty: bool,
    /// Set once the machine has closed it: what comes is thrown away, until then.
    closing: Option<Instant>,
    /// Whether the end was said to the peer.
    shut: bool,
}

impl Connection {
    fn pending(&self) -> usize {
        self.unsent.len() - self.sent
    }

    /// Sends what can be sent now.
    fn send(&mut self) -> io::Result<()> {
        while let Some(rest) = self.unsent.get(self.sent..).filter(|r| !r.is_empty()) {
            match self.stream.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        if self.pending() == 0 {
            self.unsent.clear();
            self.sent = 0;
            // One burst must not hold its memory for ever.
            if self.unsent.capacity() > 4 * READ {
                self.unsent = Vec::new();
            }
        } else if self.sent > READ {
            self.unsent.drain(..self.sent);
            self.sent = 0;
        }
        Ok(())
    }
}

/// Listener and connections of one machine.
pub struct Reactor {
    epoll: OwnedFd,
    signal: Waker,
    listener: Option<TcpListener>,
    limits: Limits,
    connections: BTreeMap<u64, Connection>,
    accepted: u64,
    /// When to accept again.
    resting: Option<Instant>,
    /// Connections that have something to send.
    dirty: Vec<u64>,
    /// Connections that the machine closed and that are still parting.
    parting: Vec<u64>,
    /// What the machine has to be told at the next turn.
    told: Vec<StreamInput>,
    buffer: Vec<u8>,
}

impl core::fmt::Debug for Reactor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Reactor")
            .field("connections", &self.connections.len())
            .finish_non_exhaustive()
    }
}

impl Reactor {
    /// A reactor that accepts from `listener`.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn new(listener: Option<TcpListener>, limits: Limits) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &fd, EventData::new_u64(WAKER), EventFlags::IN)?;
        if let Some(listener) = &listener {
            listener.set_nonblocking(true)?;
            let data = EventData::new_u64(LISTENER);
            epoll::add(&epoll, listener, data, EventFlags::IN)?;
        }
        let called = AtomicBool::new(false);
        Ok(Self {
            epoll,
            signal: Waker(Arc::new(Signal { fd, called })),
            listener,
            limits,
            connections: BTreeMap::new(),
            accepted: 0,
            resting: None,
            dirty: Vec::new(),
            parting: Vec::new(),
            told: Vec::new(),
            buffer: vec![0; READ],
        })
    }

    /// What ends a wait.
    pub fn waker(&self) -> Waker {
        self.signal.clone()
    }

    /// Whether every connection has parted and everything was sent.
    pub fn is_idle(&self) -> bool {
        self.connections.is_empty()
    }

    /// Waits until something happens, somebody wakes it or `timeout` is over; appends what
    /// happened to `inputs`.
    ///
    /// # Errors
    /// When the system cannot wait; that ends the node.
    pub fn wait(
        &mut self,
        timeout: Option<Duration>,
        inputs: &mut Vec<StreamInput>,
    ) -> io::Result<()> {
        inputs.append(&mut self.told);
        let timeout = if inputs.is_empty() {
            self.shortened(timeout)
        } else {
            Some(Duration::ZERO)
        };
        let timeout = timeout.and_then(|t| Timespec::try_from(t).ok());
        let nothing = epoll::Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(0),
        };
        let mut events = [nothing; READY];
        let ready = match epoll::wait(&self.epoll, &mut events, timeout.as_ref()) {
            Ok(ready) => ready,
            Err(rustix::io::Errno::INTR) => 0,
            Err(e) => return Err(e.into()),
        };
        for event in events.iter().take(ready) {
            // The event's layout is packed: its parts are copied out.
            let (flags, data) = (event.flags, event.data);
            match data.u64() {
                LISTENER => self.accept(inputs),
                WAKER => self.woken(),
                number => self.ready(number, flags, inputs),
            }
        }
        self.end_rests();
        Ok(())
    }

    /// Earlier when something of the reactor's own is due.
    fn shortened(&self, timeout: Option<Duration>) -> Option<Duration> {
        let mut due = self.resting;
        for number in &self.parting {
            let at = self.connections.get(number).and_then(|c| c.closing);
            due = [due, at].into_iter().flatten().min();
        }
        let own = due.map(|at| at.since(clock::monotonic()));
        [timeout, own].into_iter().flatten().min()
    }

    fn end_rests(&mut self) {
        if self.resting.is_none() && self.parting.is_empty() {
            return;
        }
        let now = clock::monotonic();
        if self.resting.is_some_and(|at| at <= now) {
            self.resting = None;
            self.watch_listener(EventFlags::IN);
        }
        let connections = &mut self.connections;
        self.parting.retain(|number| {
            let over = connections
                .get(number)
                .and_then(|c| c.closing)
                .is_none_or(|at| at <= now);
            if over {
                connections.remove(number);
            }
            !over
        });
    }

    fn watch_listener(&self, flags: EventFlags) {
        if let Some(listener) = &self.listener {
            let _ = epoll::modify(&self.epoll, listener, EventData::new_u64(LISTENER), flags);
        }
    }

    fn woken(&self) {
        let mut count = [0_u8; 8];
        let _ = rustix::io::read(&self.signal.0.fd, &mut count);
        self.signal.0.called.swap(false, Ordering::AcqRel);
    }

    fn accept(&mut self, inputs: &mut Vec<StreamInput>) {
        for _ in 0..ACCEPT {
            let Some(listener) = &self.listener else {
                return;
            };
            let (stream, peer) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(e) if e.kind() == ErrorKind::ConnectionAborted => continue,
                Err(_) => {
                    self.resting = Some(clock::monotonic() + NO_DESCRIPTORS);
                    self.watch_listener(EventFlags::empty());
                    return;
                }
            };
            if self.connections.len() >= self.limits.connections {
                continue;
            }
            let number = self.accepted;
            let data = EventData::new_u64(number);
            // Signalling is small and waits for answers: Nagle would only delay it.
            let ready = stream
                .set_nonblocking(true)
                .and_then(|()| stream.set_nodelay(true))
                .and_then(|()| Ok(epoll::add(&self.epoll, &stream, data, EventFlags::IN)?));
            if ready.is_err() {
                continue;
            }
            self.accepted += 1;
            let connection = Connection {
                stream,
                unsent: Vec::new(),
                sent: 0,
                watched: EventFlags::IN,
                dirty: false,
                closing: None,
                shut: false,
            };
            self.connections.insert(number, connection);
            let conn = ConnId::accepted(number);
            inputs.push(StreamInput::Accepted { conn, peer });
        }
    }

    fn ready(&mut self, number: u64, flags: EventFlags, inputs: &mut Vec<StreamInput>) {
        if flags.contains(EventFlags::OUT) {
            self.mark(number);
        }
        let Some(connection) = self.connections.get_mut(&number) else {
            return;
        };
        // A paused connection shows its end when it is read again, unless it broke.
        let broken = flags.intersects(EventFlags::ERR | EventFlags::HUP);
        if !broken && !flags.contains(EventFlags::IN) {
            return;
        }
        match connection.stream.read(&mut self.buffer) {
            Ok(0) => self.gone(number, inputs),
            Ok(n) => {
                if connection.closing.is_none()
                    && let Some(octets) = self.buffer.get(..n)
                {
                    let (conn, octets) = (ConnId::accepted(number), octets.to_vec());
                    inputs.push(StreamInput::Data { conn, octets });
                }
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.gone(number, inputs),
        }
    }

    /// The peer is gone. The machine hears it unless it closed the connection itself.
    fn gone(&mut self, number: u64, inputs: &mut Vec<StreamInput>) {
        if let Some(connection) = self.connections.remove(&number)
            && connection.closing.is_none()
        {
            let conn = ConnId::accepted(number);
            inputs.push(StreamInput::Closed { conn });
        }
    }

    /// Takes what the machine wants; it leaves with the next [`flush`](Self::flush). Connections
    /// that are not of this reactor are left alone. It opens none: such a wish ends in `Closed`.
    pub fn act(&mut self, output: StreamOutput) {
        match output {
            StreamOutput::Connect { conn, .. } => self.told.push(StreamInput::Closed { conn }),
            StreamOutput::Send { conn, octets } => {
                if let Some(connection) = self.own(conn)
                    && connection.closing.is_none()
                {
                    connection.unsent.extend_from_slice(&octets);
                    self.mark(conn.number());
                }
            }
            StreamOutput::Close { conn } => {
                if let Some(connection) = self.own(conn)
                    && connection.closing.is_none()
                {
                    connection.closing = Some(clock::monotonic() + FAREWELL);
                    self.parting.push(conn.number());
                    self.mark(conn.number());
                }
            }
        }
    }

    /// A connection of this reactor: other transports of the node have numbers of their own.
    fn own(&mut self, conn: ConnId) -> Option<&mut Connection> {
        conn.is_accepted()
            .then(|| self.connections.get_mut(&conn.number()))
            .flatten()
    }

    fn mark(&mut self, number: u64) {
        if let Some(connection) = self.connections.get_mut(&number)
            && !core::mem::replace(&mut connection.dirty, true)
        {
            self.dirty.push(number);
        }
    }

    /// Sends what the machine gave since the last time: one write a connection, as far as it goes.
    pub fn flush(&mut self) {
        let mut dirty = core::mem::take(&mut self.dirty);
        for number in dirty.drain(..) {
            let Some(connection) = self.connections.get_mut(&number) else {
                continue;
            };
            connection.dirty = false;
            let sent = connection.send();
            let lost = sent.is_err() || connection.pending() > self.limits.close;
            let watched = if lost {
                None
            } else {
                update(&self.epoll, connection, number, &self.limits).ok()
            };
            if watched.is_none() {
                // The write or the watch failed: nothing more can be said there.
                let mut told = core::mem::take(&mut self.told);
                self.gone(number, &mut told);
                self.told = told;
            }
        }
        self.dirty = dirty;
    }
}

/// Says the end where it is due, and watches what the connection now waits for.
fn update(
    epoll: &OwnedFd,
    connection: &mut Connection,
    number: u64,
    limits: &Limits,
) -> io::Result<()> {
    let pending = connection.pending();
    if connection.closing.is_some() && pending == 0 && !connection.shut {
        connection.shut = true;
        connection.stream.shutdown(Shutdown::Write)?;
    }
    let mut wanted = EventFlags::empty();
    wanted.set(EventFlags::OUT, pending > 0);
    // Reading goes on at half of what stopped it, so that it does not flutter.
    let reads = connection.watched.contains(EventFlags::IN);
    let enough = if reads {
        limits.pause
    } else {
        limits.pause / 2
    };
    wanted.set(EventFlags::IN, pending <= enough);
    if wanted != connection.watched {
        connection.watched = wanted;
        let data = EventData::new_u64(number);
        epoll::modify(epoll, &connection.stream, data, wanted)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
