use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use heiiki_types::{ConnId, Duration, Instant};

use crate::avp::Avp;
use crate::dictionary as d;
use crate::message::{ApplicationId, CommandCode, Message};

/// How long a request waits for the node, and its answer for a copy of the request.
const LIFETIME: Duration = Duration::from_mins(1);

/// The most answers that are kept for copies.
const MAX_ANSWERED: usize = 4096;

/// The most connections on which one request can wait for its answer.
const MAX_PATHS: usize = 4;

/// What tells requests apart, whatever way they took (RFC 6733 §3, End-to-End Identifier). The
/// Session-Id is there for peers that start counting at the same number every time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    // First, since it decides nearly every comparison.
    end_to_end: u32,
    command: CommandCode,
    /// Origin-Host and Session-Id, with an octet between them that no text has.
    names: Arc<[u8]>,
}

impl Key {
    fn of(request: &Message) -> Self {
        let (host, session) = (
            request.origin_host().unwrap_or_default(),
            request.session_id().unwrap_or_default(),
        );
        let mut names = Vec::with_capacity(host.len() + 1 + session.len());
        names.extend_from_slice(host.as_bytes());
        names.push(0xff);
        names.extend_from_slice(session.as_bytes());
        Self {
            end_to_end: request.end_to_end,
            command: request.command,
            names: names.into(),
        }
    }
}

/// A way by which an answer goes back.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) conn: ConnId,
    hop_by_hop: u32,
    /// Goes back as it came (RFC 6733 §6.2).
    proxy_info: Vec<Avp>,
}

impl Path {
    fn of(conn: ConnId, request: &Message) -> Self {
        let proxy_info = request.avps.iter().filter(|a| a.is(&d::PROXY_INFO));
        Self {
            conn,
            hop_by_hop: request.hop_by_hop,
            proxy_info: proxy_info.cloned().collect(),
        }
    }

    /// The octets of an answer as it goes by this way.
    pub(super) fn address(&self, answer: &[u8]) -> Vec<u8> {
        let mut octets = answer.to_vec();
        Message::address(&mut octets, self.hop_by_hop, &self.proxy_info);
        octets
    }
}

#[derive(Clone, Debug)]
struct Open {
    key: Key,
    application: ApplicationId,
    proxiable: bool,
    retransmit: bool,
    paths: Vec<Path>,
    expires: Instant,
}

#[derive(Clone, Debug)]
struct Answered {
    key: Key,
    retransmit: bool,
    /// Encoded, without Proxy-Info.
    answer: Arc<[u8]>,
    expires: Instant,
}

/// What to do with a request that arrived.
#[derive(Clone, Debug)]
pub(super) enum Arrival {
    /// It is new: the node gets it under this serial number.
    New(u64),
    /// A copy of one that the node works on. The answer will go both ways, unless there were too
    /// many already.
    Joined(bool),
    /// A copy of one that is answered: the same answer again.
    Again(Vec<u8>),
}

/// The requests of all peers: those that the node works on, and recent answers for copies.
///
/// Serial numbers rise with time, so the first entry of each map expires first.
#[derive(Clone, Debug, Default)]
pub(super) struct Inbox {
    serial: u64,
    open: BTreeMap<u64, Open>,
    answered: BTreeMap<u64, Answered>,
    seen: BTreeMap<Key, u64>,
}

impl Inbox {
    /// Takes a request. It is a copy of an earlier one when origin, end-to-end identifier, command
    /// and session are the same and at least one of both has the T bit.
    pub(super) fn arrive(&mut self, now: Instant, conn: ConnId, request: &Message) -> Arrival {
        let key = Key::of(request);
        let retransmit = request.flags.retransmit;
        let path = Path::of(conn, request);
        if let Some(earlier) = self.seen.get(&key).copied() {
            if let Some(answered) = self.answered.get(&earlier)
                && (retransmit || answered.retransmit)
            {
                return Arrival::Again(path.address(&answered.answer));
            }
            if let Some(open) = self.open.get_mut(&earlier)
                && (retransmit || open.retransmit)
            {
                let room = open.paths.len() < MAX_PATHS;
                if room {
                    open.paths.push(path);
                }
                return Arrival::Joined(room);
            }
        }
        self.serial += 1;
        let open = Open {
            key: key.clone(),
            application: request.application,
            proxiable: request.flags.proxiable,
            retransmit,
            paths: alloc::vec![path],
            expires: now + LIFETIME,
        };
        self.open.insert(self.serial, open);
        self.seen.insert(key, self.serial);
        Arrival::New(self.serial)
    }

    /// Takes the node's answer; gives its octets with the header filled in, and the ways that it
    /// goes.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        serial: u64,
        mut answer: Message,
    ) -> Option<(Arc<[u8]>, Vec<Path>)> {
        let open = self.open.remove(&serial)?;
        answer.command = open.key.command;
        answer.application = open.application;
        answer.end_to_end = open.key.end_to_end;
        answer.flags.request = false;
        answer.flags.retransmit = false;
        answer.flags.proxiable = open.proxiable;
        // It goes back as it came by each way, not as the node put it together.
        answer.avps.retain(|a| !a.is(&d::PROXY_INFO));
        let answer: Arc<[u8]> = answer.encode().into();
        let answered = Answered {
            key: open.key,
            retransmit: open.retransmit,
            answer: Arc::clone(&answer),
            expires: now + LIFETIME,
        };
        self.answered.insert(serial, answered);
        while self.answered.len() > MAX_ANSWERED {
            if let Some((serial, old)) = self.answered.pop_first() {
                self.forget(&old.key, serial);
            }
        }
        Some((answer, open.paths))
    }

    /// Forgets what is too old; returns the ways of requests that the node never answered.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Path> {
        let mut paths = Vec::new();
        while let Some(entry) = self.open.first_entry()
            && entry.get().expires <= now
        {
            let (serial, open) = entry.remove_entry();
            self.forget(&open.key, serial);
            paths.extend(open.paths);
        }
        // Answers expire in the order of their requests only roughly; the next call gets the rest.
        while let Some(entry) = self.answered.first_entry()
            && entry.get().expires <= now
        {
            let (serial, old) = entry.remove_entry();
            self.forget(&old.key, serial);
        }
        paths
    }

    fn forget(&mut self, key: &Key, serial: u64) {
        if self.seen.get(key) == Some(&serial) {
            self.seen.remove(key);
        }
    }
}
