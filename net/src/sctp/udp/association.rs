//! One association: the SCTP machine of `dcsctp`, our clock and our numbers for it.

use core::mem;
use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use dcsctp::api::{
    DcSctpSocket, Message, Options, PpId, SendOptions, Socket, SocketEvent, SocketState,
    SocketTime, StreamId,
};
use heiiki_types::{ConnId, Duration, Instant};

use super::endpoint::Path;
use crate::sctp::{MAX_MESSAGE, PPID};

/// Octets of an SCTP packet: fits Ethernet with IP, UDP and a tunnel's header around it.
const MTU: usize = 1_400;
/// Octets of received messages that an association may hold unread.
const RECEIVE_WINDOW: usize = 512 * 1024;
/// Octets of unsent messages with which an association counts as dead.
const MAX_UNSENT: usize = 16 << 20;
/// How often an idle association is probed; must exceed the initial time-out, or the time-out
/// starts anew before it ends.
const HEARTBEAT: Duration = Duration::from_secs(5);
const RTO_INITIAL: Duration = Duration::from_secs(1);

/// What SCTP is told.
pub(super) fn options(local: u16, remote: u16) -> Options {
    Options {
        local_port: local,
        remote_port: remote,
        announced_maximum_incoming_streams: 64,
        announced_maximum_outgoing_streams: 64,
        mtu: MTU,
        max_message_size: MAX_MESSAGE,
        max_receiver_window_buffer_size: RECEIVE_WINDOW,
        max_send_buffer_size: MAX_UNSENT,
        per_stream_send_queue_limit: MAX_UNSENT,
        rto_initial: RTO_INITIAL,
        // Longer than peers delay their acknowledgements, which is 200 ms.
        rto_min: Duration::from_millis(300),
        rto_max: Duration::from_secs(5),
        max_timer_backoff_duration: Some(Duration::from_secs(5)),
        heartbeat_interval: HEARTBEAT,
        max_retransmissions: Some(6),
        max_init_retransmits: Some(4),
        // A Diameter message is wanted whole or not at all.
        enable_partial_reliability: false,
        enable_message_interleaving: false,
        ..Options::default()
    }
}

/// Where an association is in its life, as the node above sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The node asked for it; it is not up yet.
    Opening,
    /// The node knows it.
    Open,
    /// The node has closed it and wants to hear no more; SCTP aborts it at the given time.
    Closing(Instant),
}

/// What came of touching an association.
#[derive(Debug, Default)]
pub(super) struct Happened {
    pub(super) packets: Vec<Vec<u8>>,
    pub(super) connected: bool,
    pub(super) restarted: bool,
    pub(super) messages: Vec<Vec<u8>>,
    pub(super) ended: Option<End>,
}

/// How an association ended.
#[derive(Debug)]
pub(super) enum End {
    /// Both sides agreed to it.
    Shutdown,
    /// Anything else, in a few words.
    Lost(String),
}

pub(super) struct Association {
    socket: Socket,
    born: Instant,
    pub(super) conn: ConnId,
    pub(super) path: Path,
    pub(super) phase: Phase,
    /// The tag that the peer's packets carry.
    pub(super) tag: u32,
    /// When it wants to be touched, as it stands in the endpoint's calendar.
    pub(super) due: Option<Instant>,
}

impl Association {
    pub(super) fn new(now: Instant, conn: ConnId, path: Path, phase: Phase) -> Self {
        Self {
            socket: Socket::new("s6a", &options(path.local, path.remote)),
            born: now,
            conn,
            path,
            phase,
            tag: 0,
            due: None,
        }
    }

    fn time(&self, now: Instant) -> SocketTime {
        SocketTime::zero() + now.since(self.born)
    }

    /// Lets time pass, does something to the socket and gathers what comes of it.
    ///
    /// The SCTP beneath was written for friendlier peers: should it panic, that ends this
    /// association and nothing else.
    pub(super) fn touch(&mut self, now: Instant, act: impl FnOnce(&mut Socket)) -> Happened {
        let time = self.time(now);
        let socket = &mut self.socket;
        let touched = catch_unwind(AssertUnwindSafe(|| {
            socket.advance_time(time);
            act(socket);
            gather(socket)
        }));
        touched.unwrap_or_else(|_| Happened {
            ended: Some(End::Lost("a fault in SCTP itself".to_owned())),
            ..Happened::default()
        })
    }

    /// Sends messages, as few packets as they fit in.
    pub(super) fn send(&mut self, now: Instant, messages: Vec<Vec<u8>>) -> Happened {
        let mut full = false;
        let mut happened = self.touch(now, |socket| {
            let message = |payload| Message::new(StreamId(0), PpId(PPID), payload);
            let messages = messages.into_iter().map(message).collect();
            full = socket.send_many(messages, &SendOptions::default()).is_err();
        });
        if full && happened.ended.is_none() {
            let why = "the peer takes nothing".to_owned();
            happened.packets.extend(self.abort(now));
            happened.ended = Some(End::Lost(why));
        }
        happened
    }

    /// Ends it at once; the packets that say so.
    pub(super) fn abort(&mut self, now: Instant) -> Vec<Vec<u8>> {
        mem::take(&mut self.touch(now, DcSctpSocket::close).packets)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.socket.state() == SocketState::Connected
    }

    /// When it must be touched even if nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let timer = self.socket.poll_timeout() - SocketTime::zero();
        let timer = (timer < Duration::MAX).then(|| self.born + timer);
        let closing = match self.phase {
            Phase::Closing(at) => Some(at),
            Phase::Opening | Phase::Open => None,
        };
        [timer, closing].into_iter().flatten().min()
    }
}

fn gather(socket: &mut Socket) -> Happened {
    let mut happened = Happened::default();
    while let Some(event) = socket.poll_event() {
        match event {
            SocketEvent::SendPacket(packet) => happened.packets.push(packet),
            SocketEvent::OnConnected() => happened.connected = true,
            SocketEvent::OnConnectionRestarted() => happened.restarted = true,
            SocketEvent::OnClosed() => happened.ended = Some(End::Shutdown),
            SocketEvent::OnAborted(kind, text) => {
                let why = format!("{kind:?} {text}");
                happened.ended = Some(End::Lost(why.trim_end().to_owned()));
            }
            // Errors that the association survives, and what only data channels need.
            _ => {}
        }
    }
    while let Some(message) = socket.get_next_message() {
        happened.messages.push(message.payload);
    }
    happened
}

/// Answers an INIT without keeping anything of it: the state is in the cookie.
pub(super) fn answer_init(path: Path, packet: &[u8]) -> Vec<Vec<u8>> {
    let answered = catch_unwind(AssertUnwindSafe(|| {
        let mut socket = Socket::new("s6a", &options(path.local, path.remote));
        socket.handle_input(packet);
        gather(&mut socket).packets
    }));
    answered.unwrap_or_default()
}
