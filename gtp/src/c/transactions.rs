//! Reliable delivery of messages. Read before changing: TS 29.274 §7.6 and §4.2.
//!
//! A request is sent again every T3-RESPONSE, N3-REQUESTS times, until its response comes from the
//! address and port that it went to. A request that comes twice is handed up once; the second time
//! it gets the octets of the first response again.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;

use heiiki_types::{Datagram, Duration, Instant};

use super::header::{Header, MessageType};
use super::message::{Message, encode};

/// Timers and bounds of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// T3-RESPONSE: how long a request waits before it is sent again.
    pub t3: Duration,
    /// N3-REQUESTS: how often a request is sent again.
    pub n3: u32,
    /// How long a request that was received is remembered, to answer it again. Longer than the
    /// peers' N3 x T3.
    pub cache: Duration,
    /// Requests that may wait for a response at once.
    pub max_outstanding: usize,
    /// Received requests that are remembered at once; the oldest make room.
    pub max_cached: usize,
    /// Time between two Echo Requests to a supervised peer: a minute or more (TS 29.060 §7.2.1).
    pub echo_interval: Duration,
    /// Peers whose restart counters are kept.
    pub max_paths: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            t3: Duration::from_secs(3),
            n3: 3,
            cache: Duration::from_secs(30),
            max_outstanding: 65_536,
            max_cached: 65_536,
            echo_interval: Duration::from_mins(1),
            max_paths: 4_096,
        }
    }
}

/// As many requests wait for a response as the configuration allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many requests wait for a response")
    }
}

impl core::error::Error for TooMany {}

/// A received request, by what its response must carry: it goes to the request's source address
/// and port, from the address and port that the request came to, with its sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestHandle {
    /// The own address and port.
    pub local: SocketAddr,
    /// The source of the request.
    pub remote: SocketAddr,
    /// Its sequence number.
    pub sequence: u32,
    /// Its type.
    pub message_type: MessageType,
}

/// What a request of our own was sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The node asked; the number is its own.
    Node(u64),
    /// Path supervision asked.
    Echo,
}

/// A request of our own that waits.
#[derive(Debug)]
struct Outstanding {
    remote: SocketAddr,
    expects: MessageType,
    octets: Vec<u8>,
    /// How often it may be sent again.
    retries: u32,
    deadline: Instant,
    purpose: Purpose,
}

/// A received request that is remembered.
#[derive(Debug)]
struct Seen {
    /// Number of octets and a hash of them, to tell a retransmission from a request of a peer that
    /// has started its sequence numbers anew.
    fingerprint: (usize, u64),
    /// The response; `None` while the node works on it.
    response: Option<Vec<u8>>,
    /// The place in the order of age.
    number: u64,
}

/// What a received request is to the cache.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Not seen before.
    New,
    /// Seen, and still worked on.
    InProgress,
    /// Seen and answered: the response again.
    Answered(Vec<u8>),
}

/// A request given up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expired {
    pub(super) remote: SocketAddr,
    pub(super) purpose: Purpose,
}

/// The key of an outstanding request: sequence numbers are unique for each of our addresses
/// (TS 29.274 §7.6). A request that carries out a command has the sequence number of the command,
/// which its sender has chosen, so that sender is part of the key.
type OutstandingKey = (SocketAddr, u32, Option<SocketAddr>);

/// The transactions of one node with all of its peers.
#[derive(Debug)]
pub(super) struct Transactions {
    config: Config,
    sequence: u32,
    outstanding: BTreeMap<OutstandingKey, Outstanding>,
    /// Deadlines of `outstanding`, earliest first.
    timers: BTreeSet<(Instant, OutstandingKey)>,
    seen: BTreeMap<RequestHandle, Seen>,
    /// Expiry of `seen`, oldest first: what is remembered is remembered equally long.
    ages: VecDeque<(Instant, u64, RequestHandle)>,
    next_number: u64,
}

/// The top bit is for messages that answer a command (TS 29.274 §7.6).
const SEQUENCE_MASK: u32 = 0x7f_ffff;

/// FNV-1a: a peer that makes two of its own requests collide only fools itself.
fn fingerprint(octets: &[u8]) -> (usize, u64) {
    let hash = octets
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
            (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3)
        });
    (octets.len(), hash)
}

impl Transactions {
    pub(super) fn new(config: Config, first_sequence: u32) -> Self {
        Self {
            config,
            sequence: first_sequence & SEQUENCE_MASK,
            outstanding: BTreeMap::new(),
            timers: BTreeSet::new(),
            seen: BTreeMap::new(),
            ages: VecDeque::new(),
            next_number: 0,
        }
    }

    /// Starts a request and returns its first transmission. Echo Requests are not held back by the
    /// bound: there is one at most for each path, and paths have a bound of their own.
    pub(super) fn start(
        &mut self,
        now: Instant,
        (local, remote): (SocketAddr, SocketAddr),
        teid: Option<u32>,
        message: &Message,
        purpose: Purpose,
    ) -> Result<Datagram, TooMany> {
        let full = self.outstanding.len() >= self.config.max_outstanding;
        if full && purpose != Purpose::Echo {
            return Err(TooMany);
        }
        let sequence = self.next_sequence(local).ok_or(TooMany)?;
        let key = (local, sequence, None);
        Ok(self.hold(now, key, remote, teid, message, purpose))
    }

    /// Starts a request that carries out a command: with its sequence number, to where it came
    /// from (TS 29.274 §7.6).
    pub(super) fn carry_out(
        &mut self,
        now: Instant,
        command: RequestHandle,
        teid: Option<u32>,
        message: &Message,
        purpose: Purpose,
    ) -> Result<Datagram, TooMany> {
        let key = (command.local, command.sequence, Some(command.remote));
        let is_full = self.outstanding.len() >= self.config.max_outstanding;
        if is_full || self.outstanding.contains_key(&key) {
            return Err(TooMany);
        }
        Ok(self.hold(now, key, command.remote, teid, message, purpose))
    }

    /// Sends a request for the first time and keeps it until it is answered or given up.
    fn hold(
        &mut self,
        now: Instant,
        key: OutstandingKey,
        remote: SocketAddr,
        teid: Option<u32>,
        message: &Message,
        purpose: Purpose,
    ) -> Datagram {
        let (local, sequence, _) = key;
        let message_type = message.message_type();
        let header = Header {
            message_type,
            teid,
            sequence,
            piggybacked: false,
        };
        let octets = encode(header, message);
        let deadline = now + self.config.t3;
        self.timers.insert((deadline, key));
        let request = Outstanding {
            remote,
            // A request without a defined response is only ever answered by a version indication.
            expects: message_type
                .response()
                .unwrap_or(MessageType::VERSION_NOT_SUPPORTED),
            octets: octets.clone(),
            retries: self.config.n3,
            deadline,
            purpose,
        };
        self.outstanding.insert(key, request);
        Datagram {
            local,
            remote,
            payload: octets,
        }
    }

    fn next_sequence(&mut self, local: SocketAddr) -> Option<u32> {
        // One of these is free, since fewer are taken.
        for _ in 0..=self.outstanding.len() {
            let sequence = self.sequence;
            self.sequence = (sequence + 1) & SEQUENCE_MASK;
            if !self.outstanding.contains_key(&(local, sequence, None)) {
                return Some(sequence);
            }
        }
        None
    }

    /// Ends the request that this response answers, if there is one.
    pub(super) fn finish(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        header: &Header,
    ) -> Option<Purpose> {
        // The response comes from where the request went (TS 29.274 §4.2.1.2 and §4.2.2.2).
        let answers = |request: &Outstanding| {
            request.remote == remote
                && (header.message_type == request.expects
                    || header.message_type == MessageType::VERSION_NOT_SUPPORTED)
        };
        let own = (local, header.sequence, None);
        let by_command = (local, header.sequence, Some(remote));
        let key = [own, by_command]
            .into_iter()
            .find(|key| self.outstanding.get(key).is_some_and(answers))?;
        let request = self.outstanding.remove(&key)?;
        self.timers.remove(&(request.deadline, key));
        Some(request.purpose)
    }

    /// Ends every request to this peer that the node sent for `purpose`.
    pub(super) fn abandon(&mut self, remote: SocketAddr, purpose: Purpose) {
        let timers = &mut self.timers;
        self.outstanding.retain(|key, request| {
            let goes = request.remote == remote && request.purpose == purpose;
            if goes {
                timers.remove(&(request.deadline, *key));
            }
            !goes
        });
    }

    /// Looks a request up, and remembers it when it is new.
    pub(super) fn arrive(&mut self, now: Instant, handle: RequestHandle, octets: &[u8]) -> Arrival {
        self.forget(now);
        let fingerprint = fingerprint(octets);
        if let Some(seen) = self.seen.get(&handle)
            && seen.fingerprint == fingerprint
        {
            return seen
                .response
                .as_ref()
                .map_or(Arrival::InProgress, |r| Arrival::Answered(r.clone()));
        }
        while self.seen.len() >= self.config.max_cached.max(1) && self.forget_oldest() {}
        let number = self.next_number;
        self.next_number += 1;
        let seen = Seen {
            fingerprint,
            response: None,
            number,
        };
        self.seen.insert(handle, seen);
        self.ages
            .push_back((now + self.config.cache, number, handle));
        Arrival::New
    }

    /// The response to a request, remembered for as long as the request is.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        to: RequestHandle,
        teid: Option<u32>,
        message: &Message,
    ) -> Datagram {
        self.forget(now);
        let header = Header {
            message_type: message.message_type(),
            teid,
            sequence: to.sequence,
            piggybacked: false,
        };
        let octets = encode(header, message);
        if let Some(seen) = self.seen.get_mut(&to) {
            seen.response = Some(octets.clone());
        }
        Datagram {
            local: to.local,
            remote: to.remote,
            payload: octets,
        }
    }

    /// Sends again what is due, and reports what is given up.
    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        mut transmit: impl FnMut(Datagram),
        mut expired: impl FnMut(Expired),
    ) {
        self.forget(now);
        while let Some((deadline, key)) = self.timers.first().copied()
            && deadline <= now
        {
            self.timers.remove(&(deadline, key));
            let Some(request) = self.outstanding.get_mut(&key) else {
                continue;
            };
            let (remote, purpose) = (request.remote, request.purpose);
            let Some(retries) = request.retries.checked_sub(1) else {
                self.outstanding.remove(&key);
                expired(Expired { remote, purpose });
                continue;
            };
            request.retries = retries;
            // From now, not from the deadline: a late wake-up must not bunch transmissions.
            request.deadline = now + self.config.t3.max(Duration::from_micros(1));
            self.timers.insert((request.deadline, key));
            transmit(Datagram {
                local: key.0,
                remote,
                payload: request.octets.clone(),
            });
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let retransmit = self.timers.first().map(|t| t.0);
        let forget = self.ages.front().map(|a| a.0);
        retransmit.into_iter().chain(forget).min()
    }

    fn forget(&mut self, now: Instant) {
        while self.ages.front().is_some_and(|(at, ..)| *at <= now) && self.forget_oldest() {}
    }

    fn forget_oldest(&mut self) -> bool {
        let Some((_, number, handle)) = self.ages.pop_front() else {
            return false;
        };
        // A request of the same name may have taken the place of the one that is this old.
        if self.seen.get(&handle).is_some_and(|s| s.number == number) {
            self.seen.remove(&handle);
        }
        true
    }

    pub(super) fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    pub(super) fn remembered(&self) -> usize {
        self.seen.len()
    }
}
