//! The byte streams of the virtual world: which connection of one node is which of another.

use std::collections::BTreeMap;

use heiiki_types::{ConnId, Instant};

use super::NodeId;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct End {
    pub(crate) node: NodeId,
    pub(crate) conn: ConnId,
}

/// All open connections. What one end sends arrives at the other in order.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    peers: BTreeMap<End, Peer>,
    accepted: u64,
}

#[derive(Debug)]
struct Peer {
    end: End,
    /// Nothing may arrive at the peer before this.
    last_arrival: Instant,
}

impl Streams {
    /// Joins the end that connects to a fresh one at the node that accepts.
    pub(crate) fn open(&mut self, from: End, to: NodeId) -> End {
        let accepted = End {
            node: to,
            conn: ConnId::accepted(self.accepted),
        };
        self.accepted += 1;
        self.peers.insert(
            from,
            Peer {
                end: accepted,
                last_arrival: Instant::ZERO,
            },
        );
        self.peers.insert(
            accepted,
            Peer {
                end: from,
                last_arrival: Instant::ZERO,
            },
        );
        accepted
    }

    /// The other end of an open connection.
    pub(crate) fn peer(&self, end: End) -> Option<End> {
        self.peers.get(&end).map(|p| p.end)
    }

    /// When octets that could arrive at `at` do arrive: never before those sent earlier.
    pub(crate) fn in_order(&mut self, from: End, at: Instant) -> Instant {
        let Some(peer) = self.peers.get_mut(&from) else {
            return at;
        };
        peer.last_arrival = peer.last_arrival.max(at);
        peer.last_arrival
    }

    /// Forgets a connection; returns the end that must hear of it.
    pub(crate) fn close(&mut self, end: End) -> Option<End> {
        let peer = self.peers.remove(&end)?.end;
        self.peers.remove(&peer);
        Some(peer)
    }

    /// Forgets every connection of a node; returns the other ends.
    pub(crate) fn close_all(&mut self, node: NodeId) -> Vec<End> {
        let own: Vec<End> = self
            .peers
            .keys()
            .filter(|e| e.node == node)
            .copied()
            .collect();
        own.into_iter().filter_map(|end| self.close(end)).collect()
    }
}
