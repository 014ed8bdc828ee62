use alloc::vec::Vec;
use core::net::SocketAddr;
use core::ops::Range;

use heiiki_gtp::u;

use super::update::{SessionId, Slot};
use crate::config::{AccessId, TenantId};

/// A datagram that arrived at a worker's GTP-U address, and what became of it.
#[derive(Debug)]
pub struct Uplink<'a> {
    /// Where it came from.
    pub remote: SocketAddr,
    /// The UDP payload. A hop is counted in it when the packet inside is passed on.
    pub octets: &'a mut [u8],
    /// Written by [`Worker::uplink`](super::Worker::uplink).
    pub verdict: UplinkVerdict,
}

/// What became of an uplink datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UplinkVerdict {
    /// Nobody looked yet.
    Unseen,
    /// The packet in this part of the octets goes to the corporate segment.
    Segment {
        /// Whose segment.
        tenant: TenantId,
        /// Whose packet.
        slot: Slot,
        /// The packet within the octets.
        packet: Range<usize>,
    },
    /// The packet goes to another UE: it is to be given to [`Worker::downlink`](super::Worker::downlink) of this worker
    /// with [`Origin::Ue`].
    Ue {
        /// The worker of the other UE, when there is such a UE.
        worker: usize,
        /// The tenant of both.
        tenant: TenantId,
        /// The sender's session, which the other worker looks at once more: the sender may be cut
        /// while the packet is on its way from worker to worker.
        sender: SessionId,
        /// The packet within the octets.
        packet: Range<usize>,
    },
    /// The packet goes to the corporate segment in parts, in this order: it was longer than the
    /// segment carries.
    Fragments {
        /// Whose segment.
        tenant: TenantId,
        /// Whose packet.
        slot: Slot,
        /// The parts, each a packet.
        packets: Vec<Vec<u8>>,
    },
    /// The packet leaves an open lab APN: its only far end is the lab's sentinel.
    Sentinel {
        /// The open access point.
        access: AccessId,
        /// The packet within the octets.
        packet: Range<usize>,
    },
    /// The datagram ends here: it was signalling, or was refused.
    Consumed,
}

/// Where a downlink packet comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The corporate segment: its source is checked and a hop is counted.
    Segment,
    /// Another UE, after [`UplinkVerdict::Ue`]: both were done there.
    Ue {
        /// The session of the UE that sent it.
        sender: SessionId,
    },
    /// The gateway itself, in [`DownlinkVerdict::Answer`]: no hop is counted.
    Gateway,
}

/// A packet for a UE, and what became of it.
#[derive(Debug)]
pub struct Downlink<'a> {
    /// The routing domain.
    pub tenant: TenantId,
    /// Where it comes from.
    pub origin: Origin,
    /// The packet. A hop is counted in it when it is passed on.
    pub packet: &'a mut [u8],
    /// Written by [`Worker::downlink`](super::Worker::downlink).
    pub verdict: DownlinkVerdict,
}

/// What became of a downlink packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownlinkVerdict {
    /// Nobody looked yet.
    Unseen,
    /// It goes to the SGW: these octets and then the packet make one datagram.
    Tunnel {
        /// Whose packet.
        slot: Slot,
        /// The SGW.
        peer: SocketAddr,
        /// The GTP-U header.
        header: [u8; u::G_PDU_HEADER_LEN],
    },
    /// It goes to the SGW in parts, in this order: it was longer than the UE's link carries.
    Fragments {
        /// Whose packet.
        slot: Slot,
        /// The SGW.
        peer: SocketAddr,
        /// The parts, each a whole datagram.
        datagrams: Vec<Vec<u8>>,
    },
    /// It was refused, and its sender is told: this packet goes back to where it came from, to the
    /// tenant's segment or, with [`Origin::Gateway`], to the UE.
    Answer(Vec<u8>),
    /// Another worker owns the UE; give the packet to that one.
    Worker(usize),
    /// It was refused.
    Consumed,
}

/// A datagram that the worker itself sends: signalling, or an ICMP error in a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its destination.
    pub to: SocketAddr,
    /// The UDP payload.
    pub octets: Vec<u8>,
}
