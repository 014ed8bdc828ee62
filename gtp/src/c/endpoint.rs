use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

use heiiki_types::{Datagram, Instant};

use super::header::{Header, MessageType};
use super::message::{Message, ReferencePoint, Reject, decode_on, response, version_not_supported};
use super::path::{PathSupervisor, RestartCounter};
use super::transactions::{
    Arrival, Config, Expired, Purpose, RequestHandle, TooMany, Transactions,
};
use crate::error::What;

/// What an [`Endpoint`] wants or reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this datagram.
    Transmit(Datagram),
    /// A request came, for the first time; [`Endpoint::respond`] answers it.
    Request {
        /// Names the request in the answer.
        handle: RequestHandle,
        /// Its header.
        header: Header,
        /// The request.
        message: Message,
    },
    /// A request came that cannot be taken; [`Endpoint::respond_reject`] answers it, with the
    /// peer's TEID when the node knows it.
    Rejected {
        /// Names the request in the answer.
        handle: RequestHandle,
        /// What is wrong.
        reject: Reject,
        /// Its header.
        header: Header,
    },
    /// A request of this node was answered.
    Response {
        /// The number that the node gave the request.
        tag: u64,
        /// Where the response came from.
        remote: SocketAddr,
        /// Its header.
        header: Header,
        /// The response, or what is wrong with it. It may be [`Message::VersionNotSupported`].
        message: Result<Message, Reject>,
    },
    /// A request of this node was sent N3 + 1 times and never answered.
    TimedOut {
        /// The number that the node gave the request.
        tag: u64,
        /// Where it went.
        remote: SocketAddr,
    },
    /// An Echo Request or Response came; the request has been answered already.
    Echo {
        /// Where it came from.
        remote: SocketAddr,
        /// The peer's restart counter.
        recovery: u8,
        /// Request or response.
        is_request: bool,
    },
    /// A peer has restarted and has lost its sessions. Comes before the message that told.
    PeerRestarted {
        /// The peer.
        remote: SocketAddr,
        /// Its restart counter before.
        old: u8,
        /// Its restart counter now.
        new: u8,
    },
    /// A supervised peer does not answer Echo Requests any more.
    PathDown {
        /// The peer.
        remote: SocketAddr,
    },
    /// A supervised peer answers again.
    PathUp {
        /// The peer.
        remote: SocketAddr,
    },
    /// A datagram was dropped.
    Dropped {
        /// Where it came from.
        remote: SocketAddr,
        /// Why, for the log and the counters.
        why: &'static str,
    },
}

/// The GTP-C endpoint of one node: transactions with all of its peers and the paths to them.
///
/// It is a machine in the shape of [`heiiki_types::Machine`]: datagrams, calls and time go in;
/// after each, drain [`poll_output`](Self::poll_output), then look at
/// [`poll_timeout`](Self::poll_timeout). It answers Echo Requests and other versions of GTP itself.
/// It takes datagrams from anyone: a node with a list of peers drops the others' before.
#[derive(Debug)]
pub struct Endpoint {
    on: ReferencePoint,
    transactions: Transactions,
    paths: PathSupervisor,
    restart_counter: u8,
    outputs: VecDeque<Output>,
}

impl Endpoint {
    /// An endpoint on S5/S8. After a restart `first_sequence` (23 bits count) must lie beyond what
    /// the peers still remember.
    pub fn new(config: Config, first_sequence: u32) -> Self {
        Self::new_on(ReferencePoint::S5S8, config, first_sequence)
    }

    /// An endpoint on the given interface, whose presence rules it applies.
    pub fn new_on(on: ReferencePoint, config: Config, first_sequence: u32) -> Self {
        Self {
            on,
            transactions: Transactions::new(config, first_sequence),
            paths: PathSupervisor::new(config.echo_interval, config.max_paths),
            restart_counter: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Sets the own restart counter, which Echo messages carry.
    pub const fn set_restart_counter(&mut self, counter: u8) {
        self.restart_counter = counter;
    }

    /// The own restart counter, for the Recovery element of other messages.
    pub const fn restart_counter(&self) -> u8 {
        self.restart_counter
    }

    /// Starts to send Echo Requests to `remote`, the GTP-C address of a peer. Calling it again
    /// changes nothing.
    pub fn supervise(&mut self, now: Instant, local: SocketAddr, remote: SocketAddr) {
        self.paths.supervise(now, local, remote);
    }

    /// Ends the supervision of a peer, when nothing leads there any more.
    pub fn forget(&mut self, remote: SocketAddr) {
        self.paths.forget(remote);
        self.transactions.abandon(remote, Purpose::Echo);
    }

    /// Whether a peer answers: `None` when it is not supervised.
    pub fn is_up(&self, remote: SocketAddr) -> Option<bool> {
        self.paths.is_up(remote)
    }

    /// Requests of this node that wait for a response.
    pub fn outstanding(&self) -> usize {
        self.transactions.outstanding()
    }

    /// Received requests that are remembered, answered or not.
    pub fn remembered(&self) -> usize {
        self.transactions.remembered()
    }

    /// Sends a request until it is answered or given up; `tag` comes back with the outcome.
    ///
    /// # Errors
    ///
    /// [`TooMany`] when [`Config::max_outstanding`] requests wait already.
    pub fn send_request(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        teid: Option<u32>,
        message: &Message,
        tag: u64,
    ) -> Result<(), TooMany> {
        let ends = (local, remote);
        let purpose = Purpose::Node(tag);
        let datagram = self.transactions.start(now, ends, teid, message, purpose)?;
        self.outputs.push_back(Output::Transmit(datagram));
        Ok(())
    }

    /// Carries a command out by a request with the command's sequence number, as
    /// [`send_request`](Self::send_request) would send it. The command counts as answered by it: it
    /// may come again, and is not handed up again.
    ///
    /// # Errors
    ///
    /// [`TooMany`] when [`Config::max_outstanding`] requests wait already, or one with this number
    /// to this peer.
    pub fn carry_out(
        &mut self,
        now: Instant,
        command: RequestHandle,
        teid: Option<u32>,
        message: &Message,
        tag: u64,
    ) -> Result<(), TooMany> {
        let purpose = Purpose::Node(tag);
        let datagram = self
            .transactions
            .carry_out(now, command, teid, message, purpose)?;
        self.outputs.push_back(Output::Transmit(datagram));
        Ok(())
    }

    /// Answers a request: to its source, with its sequence number. The answer is remembered and
    /// sent again when the request comes again.
    pub fn respond(
        &mut self,
        now: Instant,
        to: RequestHandle,
        teid: Option<u32>,
        message: &Message,
    ) {
        let datagram = self.transactions.answer(now, to, teid, message);
        self.outputs.push_back(Output::Transmit(datagram));
    }

    /// Refuses a request, as [`respond`](Self::respond) would answer it. A request that has no
    /// response stays unanswered.
    pub fn respond_reject(
        &mut self,
        now: Instant,
        to: RequestHandle,
        teid: Option<u32>,
        reject: &Reject,
    ) {
        if let Some(message) = response(reject, to.message_type) {
            self.respond(now, to, teid, &message);
        }
    }

    /// Takes a datagram.
    pub fn handle_datagram(&mut self, now: Instant, datagram: Datagram) {
        let Datagram {
            local,
            remote,
            payload,
        } = datagram;
        let mut rest = Some(payload.as_slice());
        // A message and one that rides on it; what rides carries none itself.
        for _ in 0..2 {
            let Some(octets) = rest.take() else { return };
            rest = self.handle_message(now, local, remote, octets);
        }
    }

    /// Takes one message and returns what rides on it.
    fn handle_message<'a>(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        octets: &'a [u8],
    ) -> Option<&'a [u8]> {
        let decoded = match decode_on(self.on, octets) {
            Ok(decoded) => decoded,
            Err(error) => {
                self.undecodable(local, remote, octets, error.what);
                return None;
            }
        };
        let header = decoded.header;
        let handle = RequestHandle {
            local,
            remote,
            sequence: header.sequence,
            message_type: header.message_type,
        };
        match decoded.message {
            Ok(Message::EchoRequest { recovery }) => {
                self.observe(remote, recovery);
                self.outputs.push_back(Output::Echo {
                    remote,
                    recovery,
                    is_request: true,
                });
                self.answer_echo(now, handle);
            }
            // What is wrong in it is ignored (TS 29.274 §7.1.2).
            Err(_) if header.message_type == MessageType::ECHO_REQUEST => {
                self.answer_echo(now, handle);
            }
            message if header.message_type.is_response() => {
                self.handle_response(local, remote, header, message);
            }
            message => {
                let own = octets.len() - decoded.piggybacked.map_or(0, <[u8]>::len);
                let octets = octets.get(..own).unwrap_or(octets);
                self.handle_request(now, handle, header, message, octets);
            }
        }
        decoded.piggybacked
    }

    fn undecodable(&mut self, local: SocketAddr, remote: SocketAddr, octets: &[u8], what: What) {
        if let What::Version(_) = what
            && let Some(payload) = version_not_supported(octets)
        {
            self.outputs.push_back(Output::Transmit(Datagram {
                local,
                remote,
                payload,
            }));
        }
        let why = match what {
            What::Version(_) => "another version of GTP",
            What::Teid => "no TEID in the header",
            _ => "too short for a header",
        };
        self.dropped(remote, why);
    }

    fn answer_echo(&mut self, now: Instant, handle: RequestHandle) {
        // Not remembered: the answer to a second one is the same.
        let recovery = self.restart_counter;
        let message = Message::EchoResponse { recovery };
        let datagram = self.transactions.answer(now, handle, None, &message);
        self.outputs.push_back(Output::Transmit(datagram));
    }

    fn handle_response(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        header: Header,
        message: Result<Message, Reject>,
    ) {
        let Some(purpose) = self.transactions.finish(local, remote, &header) else {
            self.dropped(remote, "response without a request");
            return;
        };
        if let Some(recovery) = message.as_ref().ok().and_then(Message::recovery) {
            self.observe(remote, recovery);
        }
        match purpose {
            Purpose::Node(tag) => self.outputs.push_back(Output::Response {
                tag,
                remote,
                header,
                message,
            }),
            Purpose::Echo => self.echo_response(remote, &message),
        }
    }

    fn echo_response(&mut self, remote: SocketAddr, message: &Result<Message, Reject>) {
        // Whatever it holds, the peer is there.
        if self.paths.answered(remote) {
            self.outputs.push_back(Output::PathUp { remote });
        }
        match message {
            Ok(Message::EchoResponse { recovery }) => self.outputs.push_back(Output::Echo {
                remote,
                recovery: *recovery,
                is_request: false,
            }),
            _ => self.dropped(remote, "not an echo response"),
        }
    }

    fn handle_request(
        &mut self,
        now: Instant,
        handle: RequestHandle,
        header: Header,
        message: Result<Message, Reject>,
        octets: &[u8],
    ) {
        let remote = handle.remote;
        // Nobody here could answer it (TS 29.274 §7.7.4 and §7.7.5).
        let unknown = Reject::new(super::Cause::SERVICE_NOT_SUPPORTED, "message type");
        if response(&unknown, header.message_type).is_none() {
            self.dropped(remote, "message type is not supported");
            return;
        }
        match self.transactions.arrive(now, handle, octets) {
            Arrival::InProgress => self.dropped(remote, "request is being answered"),
            Arrival::Answered(payload) => self.outputs.push_back(Output::Transmit(Datagram {
                local: handle.local,
                remote,
                payload,
            })),
            Arrival::New => match message {
                Ok(message) => {
                    if let Some(recovery) = message.recovery() {
                        self.observe(remote, recovery);
                    }
                    self.outputs.push_back(Output::Request {
                        handle,
                        header,
                        message,
                    });
                }
                Err(reject) => self.outputs.push_back(Output::Rejected {
                    handle,
                    reject,
                    header,
                }),
            },
        }
    }

    fn observe(&mut self, remote: SocketAddr, counter: u8) {
        match self.paths.observe(remote, counter) {
            RestartCounter::Same => {}
            RestartCounter::Restarted { old, new } => {
                self.outputs
                    .push_back(Output::PeerRestarted { remote, old, new });
            }
            RestartCounter::Stale => self.dropped(remote, "restart counter is an old one"),
        }
    }

    fn dropped(&mut self, remote: SocketAddr, why: &'static str) {
        self.outputs.push_back(Output::Dropped { remote, why });
    }

    /// Sends again, gives up and sends Echo Requests, whatever is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        let Self {
            transactions,
            paths,
            outputs,
            ..
        } = self;
        let mut expired = Vec::new();
        transactions.handle_timeout(
            now,
            |datagram| outputs.push_back(Output::Transmit(datagram)),
            |e| expired.push(e),
        );
        for Expired { remote, purpose } in expired {
            match purpose {
                Purpose::Node(tag) => outputs.push_back(Output::TimedOut { tag, remote }),
                Purpose::Echo => {
                    if paths.unanswered(remote) {
                        outputs.push_back(Output::PathDown { remote });
                    }
                }
            }
        }
        let recovery = self.restart_counter;
        let message = Message::EchoRequest { recovery };
        while let Some(ends) = self.paths.next_echo(now) {
            let started = self
                .transactions
                .start(now, ends, None, &message, Purpose::Echo);
            // Out of sequence numbers only: the next interval tries again.
            if let Ok(datagram) = started {
                self.outputs.push_back(Output::Transmit(datagram));
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) must be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let transactions = self.transactions.poll_timeout();
        let paths = self.paths.poll_timeout();
        transactions.into_iter().chain(paths).min()
    }

    /// The next output, in the order in which it was caused.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}

#[cfg(test)]
mod tests;
