//! Path supervision. Read before changing: TS 29.274 §7.1, TS 29.060 §7.2.1 and TS 23.007 (the
//! restart procedures of GTP-C).
//!
//! ```text
//!              supervise                 echo answered
//!   learned ------------> up <---------------------------- down
//!      ^                  |                                  ^
//!      |  forget          |  echo unanswered N3 + 1 times    |
//!      +------------------+----------------------------------+
//! ```
//!
//! A path leads to one peer. A path that is only *learned* has a restart counter and sends
//! nothing; a supervised one sends an Echo Request every interval, up or down.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::net::SocketAddr;

use heiiki_types::{Duration, Instant};

/// Where a path leads, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Supervision {
    local: SocketAddr,
    /// When the next Echo Request is due.
    next_echo: Instant,
    up: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Path {
    restart_counter: Option<u8>,
    supervision: Option<Supervision>,
}

/// What a restart counter says about its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartCounter {
    /// The first one that this peer has shown, or the same again.
    Same,
    /// The peer has lost its state.
    Restarted {
        /// The counter before.
        old: u8,
        /// The counter now.
        new: u8,
    },
    /// Lower than the last one: a message that was overtaken. It changes nothing.
    Stale,
}

/// The paths of one node.
#[derive(Debug)]
pub struct PathSupervisor {
    interval: Duration,
    max_paths: usize,
    paths: BTreeMap<SocketAddr, Path>,
    /// When the supervised ones send next, earliest first.
    echoes: BTreeSet<(Instant, SocketAddr)>,
    /// The ones that are only learned, oldest first.
    learned: VecDeque<SocketAddr>,
}

impl PathSupervisor {
    /// No paths yet; Echo Requests go out every `interval`.
    pub const fn new(interval: Duration, max_paths: usize) -> Self {
        Self {
            interval,
            max_paths,
            paths: BTreeMap::new(),
            echoes: BTreeSet::new(),
            learned: VecDeque::new(),
        }
    }

    /// Starts to send Echo Requests to `remote`, the first one after an interval: a peer is
    /// supervised because it has just been heard of.
    pub fn supervise(&mut self, now: Instant, local: SocketAddr, remote: SocketAddr) {
        if self.is_up(remote).is_some() {
            return;
        }
        let learned = self.learned_of(remote);
        let restart_counter = learned
            .and_then(|r| self.paths.get(&r))
            .and_then(|p| p.restart_counter);
        if let Some(learned) = learned {
            self.forget(learned);
        }
        let next_echo = now + self.interval;
        let supervision = Supervision {
            local,
            next_echo,
            up: true,
        };
        self.echoes.insert((next_echo, remote));
        let path = Path {
            restart_counter,
            supervision: Some(supervision),
        };
        self.paths.insert(remote, path);
    }

    /// Ends the supervision of `remote` and forgets its restart counter.
    pub fn forget(&mut self, remote: SocketAddr) {
        match self.paths.remove(&remote).and_then(|p| p.supervision) {
            Some(s) => {
                self.echoes.remove(&(s.next_echo, remote));
            }
            None => self.learned.retain(|r| *r != remote),
        }
    }

    /// Whether `remote` answers: `None` when it is not supervised.
    pub fn is_up(&self, remote: SocketAddr) -> Option<bool> {
        self.paths
            .get(&remote)
            .and_then(|p| p.supervision)
            .map(|s| s.up)
    }

    /// Takes note of the restart counter in a message from `remote`.
    ///
    /// Peers are told apart by address *and port*: two of them may share an address in a lab, and
    /// a restart that is none would end every session of the other. A peer that sends requests
    /// from a port of its own choice shows its restart in the next Echo Response.
    ///
    /// A counter that is lower, by at most half the circle, came late and changes nothing
    /// (TS 23.007, the restart procedures of GTP-C).
    pub fn observe(&mut self, remote: SocketAddr, counter: u8) -> RestartCounter {
        let Some(path) = self.paths.get_mut(&remote) else {
            self.learn(remote, counter);
            return RestartCounter::Same;
        };
        let Some(old) = path.restart_counter else {
            path.restart_counter = Some(counter);
            return RestartCounter::Same;
        };
        match counter.wrapping_sub(old) {
            0 => RestartCounter::Same,
            1..=127 => {
                path.restart_counter = Some(counter);
                RestartCounter::Restarted { old, new: counter }
            }
            _ => RestartCounter::Stale,
        }
    }

    /// An Echo Response came. Returns true when the path was down.
    pub fn answered(&mut self, remote: SocketAddr) -> bool {
        let supervision = self
            .paths
            .get_mut(&remote)
            .and_then(|p| p.supervision.as_mut());
        supervision.is_some_and(|s| !core::mem::replace(&mut s.up, true))
    }

    /// An Echo Request was given up. Returns true when the path was up.
    pub fn unanswered(&mut self, remote: SocketAddr) -> bool {
        let supervision = self
            .paths
            .get_mut(&remote)
            .and_then(|p| p.supervision.as_mut());
        supervision.is_some_and(|s| core::mem::replace(&mut s.up, false))
    }

    /// The next path whose Echo Request is due, as (local, remote). Call it until `None`.
    pub fn next_echo(&mut self, now: Instant) -> Option<(SocketAddr, SocketAddr)> {
        let (at, remote) = self.echoes.first().copied().filter(|e| e.0 <= now)?;
        self.echoes.remove(&(at, remote));
        let path = self.paths.get_mut(&remote)?;
        let supervision = path.supervision.as_mut()?;
        supervision.next_echo = now + self.interval.max(Duration::from_micros(1));
        self.echoes.insert((supervision.next_echo, remote));
        Some((supervision.local, remote))
    }

    /// When the next Echo Request is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.echoes.first().map(|e| e.0)
    }

    /// The learned path that becomes the supervised one to `remote`: that with its very address.
    /// At the registered port, also the only learned one with its IP address: the peer's requests
    /// may have come from any port (TS 29.274 §4.2.1.1).
    fn learned_of(&self, remote: SocketAddr) -> Option<SocketAddr> {
        if self.paths.contains_key(&remote) {
            return Some(remote);
        }
        if remote.port() != super::PORT {
            return None;
        }
        let ports = SocketAddr::new(remote.ip(), 0)..=SocketAddr::new(remote.ip(), u16::MAX);
        let same = self.paths.range(ports);
        let mut same = same.filter(|(_, p)| p.supervision.is_none());
        let first = same.next();
        first
            .filter(|_| same.next().is_none())
            .map(|(remote, _)| *remote)
    }

    /// Keeps the counter of a peer that nobody supervises; the oldest of its kind makes room.
    fn learn(&mut self, remote: SocketAddr, counter: u8) {
        while self.paths.len() >= self.max_paths {
            let Some(oldest) = self.learned.pop_front() else {
                return;
            };
            self.paths.remove(&oldest);
        }
        let path = Path {
            restart_counter: Some(counter),
            supervision: None,
        };
        self.paths.insert(remote, path);
        self.learned.push_back(remote);
    }
}
