//! The verification tags that were given out and not used yet.
//!
//! The state cookie of the SCTP beneath is neither signed nor dated. A cookie is therefore taken
//! only together with a tag that this listener drew at random and sent to the same peer a short
//! while ago: who cannot read the peer's packets must guess 32 bits.

use std::collections::{BTreeMap, VecDeque};

use heiiki_types::{Duration, Instant};

use super::endpoint::Path;

/// How long a peer may take from the INIT ACK to the COOKIE ECHO: "Valid.Cookie.Life" of RFC 9260.
const LIFE: Duration = Duration::from_mins(1);
/// How many tags wait at once; a flood of INITs pushes out the oldest, and whoever these belonged
/// to must begin again.
const MAX_WAITING: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct Issued {
    waiting: BTreeMap<(Path, u32), Instant>,
    order: VecDeque<(Path, u32, Instant)>,
}

impl Issued {
    pub(super) fn add(&mut self, now: Instant, path: Path, tag: u32) {
        while let Some(&(path, tag, at)) = self.order.front() {
            if self.order.len() < MAX_WAITING && now.since(at) <= LIFE {
                break;
            }
            self.order.pop_front();
            if self.waiting.get(&(path, tag)) == Some(&at) {
                self.waiting.remove(&(path, tag));
            }
        }
        self.waiting.insert((path, tag), now);
        self.order.push_back((path, tag, now));
    }

    /// Whether the tag was given to this peer and is still good; it is not good twice.
    pub(super) fn take(&mut self, now: Instant, path: Path, tag: u32) -> bool {
        self.waiting
            .remove(&(path, tag))
            .is_some_and(|at| now.since(at) <= LIFE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(port: u16) -> Path {
        Path {
            udp: ([192, 0, 2, 1], 9899).into(),
            remote: port,
            local: 3868,
        }
    }

    #[test]
    fn a_tag_is_good_once_for_its_peer_and_not_for_long() {
        let mut issued = Issued::default();
        let start = Instant::from_micros(5_000_000);
        issued.add(start, path(1), 7);
        assert!(!issued.take(start, path(2), 7));
        assert!(!issued.take(start, path(1), 8));
        assert!(issued.take(start, path(1), 7));
        assert!(!issued.take(start, path(1), 7));
        issued.add(start, path(1), 9);
        assert!(!issued.take(start + LIFE + Duration::from_secs(1), path(1), 9));
    }

    #[test]
    fn a_flood_pushes_out_the_oldest() {
        let mut issued = Issued::default();
        let start = Instant::from_micros(0);
        let last = u32::try_from(MAX_WAITING).unwrap() + 10;
        for tag in 0..=last {
            issued.add(start, path(1), tag);
        }
        assert!(issued.order.len() <= MAX_WAITING && issued.waiting.len() <= MAX_WAITING);
        assert!(!issued.take(start, path(1), 3));
        assert!(issued.take(start, path(1), last));
    }
}
