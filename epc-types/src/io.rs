use alloc::vec::Vec;
use core::net::SocketAddr;

/// A UDP datagram together with both of its ends, seen from the node that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// The node's own address and port.
    pub local: SocketAddr,
    /// The peer's address and port: the source of a received datagram, the destination of a sent
    /// one.
    pub remote: SocketAddr,
    /// The UDP payload.
    pub payload: Vec<u8>,
}

/// One byte-stream connection of a node. Connections that the node opened and those that it
/// accepted are numbered apart, so that neither side of the driver boundary has to ask the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(u64);

/// One of several transports under one node, each of which numbers its accepted connections by
/// itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Plain TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// SCTP, of the kernel or in user space.
    Sctp,
}

impl ConnId {
    const ACCEPTED: u64 = 1 << 63;
    const LANE_SHIFT: u32 = 60;
    const LANE_MASK: u64 = 0b111 << Self::LANE_SHIFT;

    /// The `n`th connection that the driver accepted.
    pub const fn accepted(n: u64) -> Self {
        Self(n | Self::ACCEPTED)
    }

    /// The `n`th connection that the driver accepted on one of several transports.
    pub const fn accepted_on(lane: Lane, n: u64) -> Self {
        let lane = match lane {
            Lane::Tcp => 0,
            Lane::Tls => 1,
            Lane::Sctp => 2,
        };
        Self((n & !Self::LANE_MASK) | lane << Self::LANE_SHIFT | Self::ACCEPTED)
    }

    /// The transport of an accepted connection; one that the node asked for has TCP's.
    pub const fn lane(self) -> Lane {
        match (self.0 & Self::LANE_MASK) >> Self::LANE_SHIFT {
            1 => Lane::Tls,
            2 => Lane::Sctp,
            _ => Lane::Tcp,
        }
    }

    /// The `n`th connection that the node asked for.
    pub const fn initiated(n: u64) -> Self {
        Self(n & !Self::ACCEPTED)
    }

    /// Whether the peer opened the connection.
    pub const fn is_accepted(self) -> bool {
        self.0 & Self::ACCEPTED != 0
    }

    /// The number within its kind.
    pub const fn number(self) -> u64 {
        self.0 & !Self::ACCEPTED
    }
}

/// What happens on a node's byte streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamInput {
    /// A peer connected to the node's listening address.
    Accepted {
        /// The new connection.
        conn: ConnId,
        /// Where the peer comes from.
        peer: SocketAddr,
    },
    /// A connection that the node asked for is up.
    Connected {
        /// The connection of [`StreamOutput::Connect`].
        conn: ConnId,
    },
    /// Octets arrived; their boundaries mean nothing.
    Data {
        /// The connection.
        conn: ConnId,
        /// At least one octet.
        octets: Vec<u8>,
    },
    /// The connection is gone or never came up. Nothing follows on it.
    Closed {
        /// The connection.
        conn: ConnId,
    },
}

impl StreamOutput {
    /// The connection that it is about.
    pub const fn conn(&self) -> ConnId {
        match self {
            Self::Connect { conn, .. } | Self::Send { conn, .. } | Self::Close { conn } => *conn,
        }
    }
}

/// What a node wants of its byte streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamOutput {
    /// Open a connection to `peer`; answered by `Connected` or `Closed`.
    Connect {
        /// The number by which the node will call it.
        conn: ConnId,
        /// The listening address of the peer.
        peer: SocketAddr,
    },
    /// Send octets, in order.
    Send {
        /// The connection.
        conn: ConnId,
        /// Whole messages of the protocol above.
        octets: Vec<u8>,
    },
    /// Close after everything sent so far; no `Closed` follows.
    Close {
        /// The connection.
        conn: ConnId,
    },
}

/// Ties an administrative call to its reply across a driver boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transports_number_their_connections_apart() {
        let lanes = [Lane::Tcp, Lane::Tls, Lane::Sctp];
        for lane in lanes {
            let conn = ConnId::accepted_on(lane, 7);
            assert!(conn.is_accepted());
            assert_eq!(conn.lane(), lane);
        }
        assert_eq!(ConnId::accepted_on(Lane::Tcp, 7), ConnId::accepted(7));
        assert_eq!(ConnId::initiated(7).lane(), Lane::Tcp);
    }
}
