//! The requests of all peers: those that the node works on, and recent answers for copies.
//!
//! Every request comes by here, so nothing is allocated for one once the inbox has been filled:
//! entries, with the room for their names and their answer, are used again, and a table of chains
//! finds them.

mod table;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use heiiki_types::{ConnId, Duration, Instant};

use crate::avp::Avp;
use crate::dictionary as d;
use crate::message::{ApplicationId, CommandCode, Message};
use table::{Key, Linked, Name, Table};

/// How long a request waits for the node, and its answer for a copy of the request.
const LIFETIME: Duration = Duration::from_mins(1);

/// The most answers that are kept for copies.
const MAX_ANSWERED: usize = 4096;

/// The most connections on which one request can wait for its answer.
const MAX_PATHS: usize = 4;

/// Room for an answer that stays with its entry: one large answer must not hold memory for ever.
const KEPT_ROOM: usize = 4096;

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

#[derive(Debug)]
struct Open {
    application: ApplicationId,
    proxiable: bool,
    path: Path,
    /// The ways of its copies.
    further: Vec<Path>,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Free,
    Open(Open),
    Answered,
}

#[derive(Debug, Default)]
struct Entry {
    /// Who has it now.
    serial: u64,
    name: Name,
    chain: Linked,
    retransmit: bool,
    stage: Stage,
    expires: Instant,
    /// Encoded, without Proxy-Info.
    answer: Vec<u8>,
}

impl AsRef<Name> for Entry {
    fn as_ref(&self) -> &Name {
        &self.name
    }
}

impl AsMut<Linked> for Entry {
    fn as_mut(&mut self) -> &mut Linked {
        &mut self.chain
    }
}

impl AsRef<Linked> for Entry {
    fn as_ref(&self) -> &Linked {
        &self.chain
    }
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

/// What the header of an answer takes from its request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope {
    pub(super) command: CommandCode,
    pub(super) application: ApplicationId,
    pub(super) end_to_end: u32,
    pub(super) proxiable: bool,
}

/// An answer, encoded, and the ways that it goes.
#[derive(Debug)]
pub(super) struct Ready<'a> {
    pub(super) octets: &'a [u8],
    pub(super) path: Path,
    pub(super) further: Vec<Path>,
}

/// The requests of all peers.
#[derive(Debug)]
pub(super) struct Inbox {
    entries: Vec<Entry>,
    free: Vec<usize>,
    table: Table,
    /// Requests so far.
    turn: u32,
    open: usize,
    /// Serial numbers in the order of the requests; some have been answered since.
    arrivals: VecDeque<u64>,
    /// Serial numbers in the order of the answers.
    answered: VecDeque<u64>,
}

impl Inbox {
    /// An empty one. `seed` is what a peer must not know: it scatters the entries.
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            table: Table::new(seed),
            turn: 0,
            open: 0,
            arrivals: VecDeque::new(),
            answered: VecDeque::new(),
        }
    }

    /// Takes a request. It is a copy of an earlier one when origin, end-to-end identifier, command
    /// and session are the same and at least one of both has the T bit.
    pub(super) fn arrive(&mut self, now: Instant, conn: ConnId, request: &Message) -> Arrival {
        let key = self.table.key(request);
        let retransmit = request.flags.retransmit;
        let path = Path::of(conn, request);
        let earlier = self.table.find(&self.entries, &key);
        if let Some(entry) = earlier.and_then(|at| self.entries.get_mut(at))
            && (retransmit || entry.retransmit)
        {
            match &mut entry.stage {
                Stage::Answered => return Arrival::Again(path.address(&entry.answer)),
                Stage::Open(open) => {
                    let room = open.further.len() + 1 < MAX_PATHS;
                    if room {
                        open.further.push(path);
                    }
                    return Arrival::Joined(room);
                }
                Stage::Free => {}
            }
        }
        if let Some(at) = earlier {
            // The later one is the one to compare with.
            self.table.unlink(&mut self.entries, at);
        }
        let open = Open {
            application: request.application,
            proxiable: request.flags.proxiable,
            path,
            further: Vec::new(),
        };
        Arrival::New(self.enter(now + LIFETIME, &key, retransmit, open))
    }

    fn enter(&mut self, expires: Instant, key: &Key<'_>, retransmit: bool, open: Open) -> u64 {
        let at = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry::default());
            self.entries.len() - 1
        });
        self.turn = self.turn.wrapping_add(1);
        let serial = u64::from(self.turn) << 32 | u64::try_from(at).unwrap_or(0);
        if let Some(entry) = self.entries.get_mut(at) {
            entry.serial = serial;
            entry.name.take(key);
            entry.retransmit = retransmit;
            entry.stage = Stage::Open(open);
            entry.expires = expires;
        }
        self.table.link(&mut self.entries, at);
        self.open += 1;
        self.arrivals.push_back(serial);
        if self.arrivals.len() > 2 * self.open + 1_024 {
            let entries = &self.entries;
            self.arrivals.retain(|serial| is_open(entries, *serial));
        }
        serial
    }

    /// Takes the node's answer, which `write` encodes; gives its octets and the ways that it goes.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        serial: u64,
        write: impl FnOnce(Envelope, &mut Vec<u8>),
    ) -> Option<Ready<'_>> {
        let at = place(serial);
        let entry = self.entries.get_mut(at).filter(|e| e.serial == serial)?;
        let open = match core::mem::replace(&mut entry.stage, Stage::Answered) {
            Stage::Open(open) => open,
            other => {
                entry.stage = other;
                return None;
            }
        };
        let envelope = Envelope {
            command: entry.name.command(),
            application: open.application,
            end_to_end: entry.name.end_to_end(),
            proxiable: open.proxiable,
        };
        entry.answer.clear();
        write(envelope, &mut entry.answer);
        entry.expires = now + LIFETIME;
        self.open -= 1;
        self.answered.push_back(serial);
        if self.answered.len() > MAX_ANSWERED
            && let Some(oldest) = self.answered.pop_front()
        {
            self.forget(oldest);
        }
        Some(Ready {
            octets: &self.entries.get(at)?.answer,
            path: open.path,
            further: open.further,
        })
    }

    /// Forgets what is too old; returns the ways of requests that the node never answered.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Path> {
        let mut paths = Vec::new();
        while let Some(serial) = self.arrivals.front().copied() {
            if is_open(&self.entries, serial) {
                if !self.is_over(serial, now) {
                    break;
                }
                self.open -= 1;
                if let Some(Stage::Open(open)) = self.forget(serial) {
                    paths.push(open.path);
                    paths.extend(open.further);
                }
            }
            self.arrivals.pop_front();
        }
        while let Some(serial) = self.answered.front().copied()
            && self.is_over(serial, now)
        {
            self.forget(serial);
            self.answered.pop_front();
        }
        paths
    }

    fn is_over(&self, serial: u64, now: Instant) -> bool {
        let entry = self.entries.get(place(serial));
        entry.is_some_and(|e| e.expires <= now)
    }

    /// Frees an entry; what it was.
    fn forget(&mut self, serial: u64) -> Option<Stage> {
        let at = place(serial);
        self.table.unlink(&mut self.entries, at);
        let entry = self.entries.get_mut(at).filter(|e| e.serial == serial)?;
        if entry.answer.capacity() > KEPT_ROOM {
            entry.answer = Vec::new();
        }
        self.free.push(at);
        Some(core::mem::take(&mut entry.stage))
    }
}

/// Where the entry of a serial number is.
fn place(serial: u64) -> usize {
    usize::try_from(serial & u64::from(u32::MAX)).unwrap_or(usize::MAX)
}

fn is_open(entries: &[Entry], serial: u64) -> bool {
    let entry = entries.get(place(serial)).filter(|e| e.serial == serial);
    entry.is_some_and(|e| matches!(e.stage, Stage::Open(_)))
}

#[cfg(test)]
mod tests;
