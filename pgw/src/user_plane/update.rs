use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use heiiki_gtp::tft::PacketFilter;
use heiiki_types::{Ambr, Ebi, Imsi, Instant, Prefix, Teid, UeAddresses};

use crate::address_set::AddressSet;
use crate::config::{AccessId, GroupId, TenantId};
use crate::refusal::{Refusal, RefusalCounts};

/// A place in the session table: the index part of the session's TEIDs. Its worker is the
/// remainder of its division by the number of workers.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct Slot(pub u32);

/// The number of a session: its Charging ID, never used twice by a gateway (TS 32.298 §5.1.2.2.3).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct SessionId(pub u32);

/// What a worker needs of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEntry {
    /// Its place in the table.
    pub slot: Slot,
    /// Its number.
    pub session: SessionId,
    /// Whose it is.
    pub imsi: Imsi,
    /// The routing domain.
    pub tenant: TenantId,
    /// The access point.
    pub access: AccessId,
    /// The UE's addresses.
    pub addresses: UeAddresses,
    /// Prefixes behind the UE, whose addresses it sends from and receives at too.
    pub framed: Vec<Prefix>,
    /// The group that its SIM is in, for the tenant's UE-to-UE policy.
    pub group: GroupId,
    /// The most that its non-GBR bearers carry together (TS 23.401 §4.7.3); no limit without it.
    pub ambr: Option<Ambr>,
    /// The gateway's own TEID for uplink packets.
    pub teid: Teid,
    /// Whether its UE takes no packets for now.
    pub is_suspended: bool,
    /// The SGW's end of the tunnel.
    pub peer: SocketAddr,
    /// The SGW's TEID for downlink packets.
    pub peer_teid: Teid,
    /// Whether it exchanges packets with the tenant's quarantine prefixes only.
    pub is_isolated: bool,
}

/// What a worker needs of a dedicated bearer (TS 23.401 §4.7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerEntry {
    /// The place of its session, which is also the index part of its TEID.
    pub slot: Slot,
    /// Its session.
    pub session: SessionId,
    /// Its identity.
    pub ebi: Ebi,
    /// The gateway's own TEID for its uplink packets.
    pub teid: Teid,
    /// The SGW's end of the tunnel.
    pub peer: SocketAddr,
    /// The SGW's TEID for its downlink packets.
    pub peer_teid: Teid,
    /// Which packets it carries.
    pub filters: Vec<PacketFilter>,
    /// The most that it carries; no limit without it.
    pub mbr: Option<Ambr>,
    /// The rate that is guaranteed: such a bearer does not count against the session's AMBR.
    pub gbr: Option<Ambr>,
}

/// A session that goes, with what every worker needs to forget it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Its place in the table.
    pub slot: Slot,
    /// Its number.
    pub session: SessionId,
    /// The routing domain.
    pub tenant: TenantId,
    /// The addresses that it had.
    pub addresses: UeAddresses,
    /// What its SGW still sends is dropped without an Error Indication: the SGW hears by GTP-C.
    pub is_silent: bool,
}

/// A change of a worker's tables, or a question about them. A worker takes one only between two
/// batches, so its answer says that the batch boundary is passed.
#[derive(Clone, Debug)]
pub enum Update {
    /// Control has read its disk and every session on it is installed.
    Serve,
    /// A session begins to forward. Every worker learns the address, the owner also the session.
    Install(Arc<SessionEntry>),
    /// The tunnel moved to another SGW or another of its TEIDs.
    MovePeer {
        /// The session's place.
        slot: Slot,
        /// The SGW's new end.
        peer: SocketAddr,
        /// The SGW's new TEID.
        peer_teid: Teid,
    },
    /// A dedicated bearer begins, or changes: one of the same identity is replaced, and keeps its
    /// counters. Sent to the owner.
    SetBearer(Box<BearerEntry>),
    /// A dedicated bearer ends.
    RemoveBearer {
        /// The session's place.
        slot: Slot,
        /// The bearer.
        ebi: Ebi,
        /// Its TEID, so that a later bearer of the identity stays.
        teid: Teid,
    },
    /// The session's APN-AMBR changes.
    SetRates {
        /// The session's place.
        slot: Slot,
        /// The new value.
        ambr: Option<Ambr>,
    },
    /// What a tenant's UEs may send and receive together changes. Sent to every worker.
    SetContract {
        /// The tenant.
        tenant: TenantId,
        /// The new value, of which each worker keeps its share.
        bandwidth: Option<Ambr>,
    },
    /// The session was answered: a UE with IPv6 is told its prefix (RFC 4861 §6.2.4).
    Advertise {
        /// The session's place.
        slot: Slot,
        /// The session.
        session: SessionId,
    },
    /// Asks for [`Answer::Bearers`].
    ReadBearers(Slot),
    /// A UE takes no packets for a while, or takes them again: what comes for it is dropped
    /// (TS 29.274 §7.4.1). Sent to every worker.
    Suspend {
        /// The session's place.
        slot: Slot,
        /// Which session.
        session: SessionId,
        /// Whether it begins.
        suspended: bool,
    },
    /// These sessions forward nothing more. Sent to every worker.
    StopForwarding(Arc<[Gone]>),
    /// These sessions are forgotten. Sent to every worker.
    Remove(Arc<[Gone]>),
    /// From now on these sessions exchange packets with the quarantine prefixes of their tenant
    /// only, or with everything that is theirs again. Sent to every worker.
    Isolate {
        /// The sessions.
        sessions: Arc<[(Slot, SessionId)]>,
        /// Whether the isolation begins.
        isolates: bool,
    },
    /// Asks for [`Answer::Counters`].
    ReadCounters,
    /// Asks for [`Answer::Session`].
    ReadSession(Slot),
    /// Asks for [`Answer::Reach`].
    ReadReach,
}

/// What a session sent and received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Usage {
    /// Packets from the UE that were passed on.
    pub uplink_packets: u64,
    /// Their octets.
    pub uplink_octets: u64,
    /// Packets to the UE that were passed on.
    pub downlink_packets: u64,
    /// Their octets.
    pub downlink_octets: u64,
    /// When the last packet from the UE was passed on.
    pub last_uplink: Option<Instant>,
    /// When the last packet to the UE was passed on.
    pub last_downlink: Option<Instant>,
    /// Refused packets by reason.
    pub refused: RefusalCounts,
}

impl Usage {
    /// Adds another session's use.
    pub fn add(&mut self, other: &Self) {
        self.uplink_packets += other.uplink_packets;
        self.uplink_octets += other.uplink_octets;
        self.downlink_packets += other.downlink_packets;
        self.downlink_octets += other.downlink_octets;
        self.last_uplink = self.last_uplink.max(other.last_uplink);
        self.last_downlink = self.last_downlink.max(other.last_downlink);
        self.refused.add(&other.refused);
    }
}

/// What a dedicated bearer carried; its session's [`Usage`] has it too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct BearerUsage {
    /// Packets from the UE that were passed on.
    pub uplink_packets: u64,
    /// Their octets.
    pub uplink_octets: u64,
    /// Packets to the UE that were passed on.
    pub downlink_packets: u64,
    /// Their octets.
    pub downlink_octets: u64,
}

impl BearerUsage {
    pub(super) const fn count(&mut self, direction: Direction, octets: u64) {
        match direction {
            Direction::Uplink => {
                self.uplink_packets += 1;
                self.uplink_octets += octets;
            }
            Direction::Downlink => {
                self.downlink_packets += 1;
                self.downlink_octets += octets;
            }
        }
    }
}

/// All that a worker counted, sessions that have ended included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct WorkerCounters {
    /// Everything that was passed on, and refused with or without a session.
    pub total: Usage,
    /// Sessions in the table.
    pub sessions: u32,
    /// ICMP errors sent.
    pub icmp_errors: u64,
    /// Router and neighbour advertisements sent.
    pub advertisements: u64,
    /// Error Indications sent.
    pub error_indications: u64,
    /// Refusals that were counted but not reported one by one.
    pub unreported: u64,
}

/// Where packets of one access point's UEs can go, read from the live tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Destinations that are handed to the tenant's own segment.
    pub segment: AddressSet,
    /// Destinations that are UEs of the tenant.
    pub ues: AddressSet,
    /// Destinations that are handed to another tenant.
    pub foreign: AddressSet,
    /// Destinations that are handed to the sentinel of an open lab.
    pub sentinel: AddressSet,
}

/// What a worker says to an [`Update`].
#[derive(Clone, Debug)]
pub enum Answer {
    /// The tables are changed.
    Done,
    /// The rules of sessions are changed.
    Isolated {
        /// Packets of them that waited somewhere and were thrown away.
        purged: u64,
    },
    /// The sessions are gone. This is what they had used.
    Removed {
        /// For each session that the worker owned.
        usage: Vec<(Slot, Usage)>,
        /// Packets that waited somewhere and were thrown away.
        purged: u64,
    },
    /// Totals.
    Counters(Box<WorkerCounters>),
    /// One session's use; none if the worker does not own it.
    Session(Option<Box<(SessionId, Usage)>>),
    /// The dedicated bearers of a session and what they carried; none if the worker does not own
    /// it.
    Bearers(Option<Vec<(Ebi, BearerUsage)>>),
    /// For each access point, where packets of its UEs can go.
    Reach {
        /// In the order of the access points.
        accesses: Vec<Reach>,
        /// Sessions whose forward flag is on.
        forwarding: u32,
    },
}

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the UE.
    Uplink,
    /// To the UE.
    Downlink,
}

/// A refused packet, as far as anyone can tell what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RefusedPacket {
    /// The session, if the packet was tied to one.
    pub session: Option<SessionId>,
    /// The session's subscriber.
    pub imsi: Option<Imsi>,
    /// Which way it went.
    pub direction: Direction,
    /// Why it was refused.
    pub reason: Refusal,
    /// Its source.
    pub source: Option<IpAddr>,
    /// Its destination.
    pub destination: Option<IpAddr>,
    /// Its IP protocol number.
    pub protocol: Option<u8>,
    /// Its UDP or TCP destination port.
    pub port: Option<u16>,
    /// Similar refusals since the last report that were counted only.
    pub suppressed: u32,
}

/// What a worker tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A packet was refused; reported at a bounded rate.
    Refused(RefusedPacket),
    /// A session has sent so many packets with sources that are not its own that its tenant wants
    /// to know; said once a session.
    Spoofing {
        /// The session.
        session: SessionId,
        /// Its place.
        slot: Slot,
        /// How many.
        count: u32,
    },
    /// An SGW says that it does not know a TEID (TS 29.281 §7.3.1).
    ErrorIndication {
        /// Who says so: the source of the datagram.
        from: IpAddr,
        /// The TEID of the gateway's packet.
        teid: Teid,
        /// Whose TEID that is, in the message's own words.
        peer: IpAddr,
    },
}
