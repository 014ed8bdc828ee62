use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use heiiki_types::{Ambr, Apn, Ecgi, Imsi, Instant, Tai, UeAddresses};

use crate::user_plane::{RefusedPacket, SessionId, Usage};

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The SGW deleted it.
    Deleted,
    /// The same SIM set up another one in its place (TS 29.274 §7.2.1).
    Replaced,
    /// A bar cut it.
    Cut,
    /// The delete-session verb: the UE may come back at once.
    DeletedHere,
    /// Its SGW has restarted.
    PeerRestarted,
    /// Its SGW does not know its tunnel (TS 29.281 §7.3.1).
    ErrorIndication,
    /// A part of its MME or SGW went down (TS 29.274 §7.9.1).
    ConnectionSet,
    /// It could not be made durable.
    NotDurable,
    /// It sent with sources that were not its own, and its tenant ends such sessions.
    Spoofing,
}

/// What happens in the control plane of a gateway, for logs, timelines and assertions.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The gateway serves.
    Started {
        /// Its restart counter.
        restart_counter: u8,
        /// Sessions that go on where they were.
        restored: u32,
        /// Bars in force.
        bars: u32,
    },
    /// The sessions on disk were given up: the restart counter has risen and peers clean up.
    NotRestored {
        /// How many there were.
        sessions: u32,
        /// Why.
        why: &'static str,
    },
    /// A session was set up and its answer sent.
    SessionCreated {
        /// Its number.
        session: SessionId,
        /// Whose it is.
        imsi: Imsi,
        /// Its access point.
        apn: Apn,
        /// The owner of that.
        tenant: String,
        /// The UE's addresses.
        address: UeAddresses,
        /// The SGW's GTP-C address.
        sgw: IpAddr,
        /// The worker that owns it.
        worker: u32,
    },
    /// A request was refused.
    RequestRefused {
        /// Its name.
        request: &'static str,
        /// The SIM, when the request or the session says.
        imsi: Option<Imsi>,
        /// The SGW.
        peer: IpAddr,
        /// The cause in the response, TS 29.274 Table 8.4-1.
        cause: u8,
        /// For people.
        why: &'static str,
    },
    /// A SIM with a bar asked for service: after a cut, the first of these is t8.
    BarredRequest {
        /// The SIM.
        imsi: Imsi,
        /// What it asked for.
        request: &'static str,
        /// The cut that bars it.
        cut: String,
    },
    /// A session moved to another SGW or tunnel.
    SessionMoved {
        /// Its number.
        session: SessionId,
        /// Whose it is.
        imsi: Imsi,
        /// The SGW's GTP-C address now.
        sgw: IpAddr,
    },
    /// A UE is elsewhere (TS 29.274 §7.3.14).
    LocationChanged {
        /// The session.
        session: SessionId,
        /// Whose it is.
        imsi: Imsi,
        /// The access, 6 for LTE.
        rat_type: u8,
        /// The tracking area.
        tai: Option<Tai>,
        /// The cell.
        ecgi: Option<Ecgi>,
    },
    /// A UE takes no packets for a while, or takes them again (TS 29.274 §7.4.1, §7.4.3).
    SessionSuspended {
        /// The session.
        session: SessionId,
        /// Whose it is.
        imsi: Imsi,
        /// Whether it begins.
        suspended: bool,
    },
    /// A part of an MME or SGW went down: its sessions are being removed.
    ConnectionSetDeleted {
        /// The SGW that told.
        peer: IpAddr,
        /// How many there are.
        sessions: u32,
    },
    /// A session ended: it has no forwarding entry and the end is durable.
    SessionEnded {
        /// Its number.
        session: SessionId,
        /// Whose it was.
        imsi: Imsi,
        /// Its access point.
        apn: Apn,
        /// Its addresses, which now rest.
        address: UeAddresses,
        /// Why.
        reason: EndReason,
        /// What it sent and received.
        usage: Usage,
    },
    /// What a tenant's UEs may send and receive together has changed.
    ContractChanged {
        /// The tenant.
        tenant: String,
        /// The new value; none is no limit.
        bandwidth: Option<Ambr>,
        /// Who ordered it.
        actor: String,
    },
    /// A session has sent as many packets with sources that are not its own as its tenant bears.
    Spoofing {
        /// Its number.
        session: SessionId,
        /// Whose it is.
        imsi: Imsi,
        /// How many packets; all were dropped.
        count: u32,
        /// Whether the session ends for it.
        ends: bool,
    },
    /// A Delete Bearer Request went to the SGW.
    DeleteBearerSent {
        /// The session.
        session: SessionId,
        /// Whose it was.
        imsi: Imsi,
        /// The SGW.
        peer: IpAddr,
        /// The cause in it.
        cause: u8,
    },
    /// A Delete Bearer Request was answered, or given up.
    DeleteBearerDone {
        /// The session.
        session: SessionId,
        /// Whose it was.
        imsi: Imsi,
        /// The cause in the response; none when there was no response.
        cause: Option<u8>,
    },
    /// A request about dedicated bearers, or about the rates of a session, was answered or given
    /// up; what was accepted is in force and on disk.
    BearersAnswered {
        /// The session.
        session: SessionId,
        /// Whose it is.
        imsi: Imsi,
        /// `create_bearer`, `update_bearer` or `delete_bearer`.
        request: &'static str,
        /// The cause in the response; none when there was no response.
        cause: Option<u8>,
        /// The bearers: identity (0 for one that was refused) and cause.
        bearers: Vec<(u8, u8)>,
    },
    /// A SIM is barred from now on. This is t4; forwarding stops next.
    BarSet {
        /// The SIM.
        imsi: Imsi,
        /// The cut.
        cut: String,
        /// The version that a lift must exceed.
        version: u64,
        /// Why, in the words of whoever asked.
        reason: String,
        /// Who asked.
        actor: String,
        /// Its sessions at that time.
        sessions: u32,
        /// When.
        t4: Instant,
    },
    /// A cut was answered.
    CutDone {
        /// The SIM.
        imsi: Imsi,
        /// The cut.
        cut: String,
        /// Sessions that it ended.
        sessions: u32,
        /// When the bar was installed.
        t4: Instant,
        /// When the last worker was past its boundary, from the UE.
        t5_uplink: Instant,
        /// When the last worker was past its boundary, to the UE.
        t5_downlink: Instant,
        /// Waiting packets that were thrown away.
        purged: u64,
        /// Whether the bar is on disk.
        durable: bool,
    },
    /// A cut is not over in time: a worker or the disk does not answer. The bar is in force.
    CutOverdue {
        /// The SIM.
        imsi: Imsi,
        /// The cut.
        cut: String,
        /// Workers that have not answered; none when it is the disk.
        workers: u32,
    },
    /// Somebody ordered a session to be deleted, without a bar.
    DeleteOrdered {
        /// The session.
        session: SessionId,
        /// Whose it is.
        imsi: Imsi,
        /// Who asked.
        actor: String,
    },
    /// A bar or a lift came with a version that another has overtaken.
    OrderStale {
        /// The SIM.
        imsi: Imsi,
        /// The version that came.
        version: u64,
        /// The version that counts.
        current: u64,
    },
    /// An order is not in force: as many are as the gateway keeps.
    OrdersFull {
        /// The SIM.
        imsi: Imsi,
        /// The version of the order.
        version: u64,
        /// `bars` or `isolations`.
        kind: &'static str,
    },
    /// A SIM reaches its tenant's quarantine prefixes only from now on; the workers follow next.
    IsolationSet {
        /// The SIM.
        imsi: Imsi,
        /// The order.
        cut: String,
        /// The version that a release must exceed.
        version: u64,
        /// Why, in the words of whoever asked.
        reason: String,
        /// Who asked.
        actor: String,
        /// When.
        t4: Instant,
    },
    /// An isolation was answered: every worker follows it.
    IsolationDone {
        /// The SIM.
        imsi: Imsi,
        /// The order.
        cut: String,
        /// Its sessions, which stay.
        sessions: u32,
        /// When it was ordered.
        t4: Instant,
        /// When the last worker was past its boundary.
        t5: Instant,
        /// Whether it is on disk.
        durable: bool,
    },
    /// An isolation was released, and that is durable.
    IsolationReleased {
        /// The SIM.
        imsi: Imsi,
        /// The version of the release.
        version: u64,
        /// Who asked.
        actor: String,
    },
    /// A bar was lifted, and that is durable.
    BarLifted {
        /// The SIM.
        imsi: Imsi,
        /// The version of the lift.
        version: u64,
        /// Who asked.
        actor: String,
    },
    /// A packet was refused. Reported at a bounded rate; the counters have them all.
    PacketRefused(RefusedPacket),
    /// An SGW has restarted.
    PeerRestarted {
        /// The SGW.
        peer: IpAddr,
        /// Its restart counter before.
        old: u8,
        /// Its restart counter now.
        new: u8,
        /// Sessions that go with it.
        sessions: u32,
    },
    /// An SGW does not answer Echo Requests. Its sessions stay.
    PathDown {
        /// The SGW.
        peer: IpAddr,
    },
    /// An SGW answers again.
    PathUp {
        /// The SGW.
        peer: IpAddr,
    },
    /// Someone who is not on the list of SGWs sent GTP-C; reported at a bounded rate.
    UnlistedPeer {
        /// Its address.
        peer: IpAddr,
        /// How many more there were since the last report.
        suppressed: u32,
    },
    /// A GTP-C datagram was dropped; reported at a bounded rate.
    Dropped {
        /// Where it came from.
        peer: IpAddr,
        /// Why.
        why: &'static str,
        /// How many more there were since the last report.
        suppressed: u32,
    },
    /// An Error Indication that is not about a session of its sender changed nothing.
    ErrorIndicationIgnored {
        /// Where it came from.
        peer: IpAddr,
    },
    /// An administrative call without the right to it.
    AdminRefused {
        /// The path that was called.
        path: String,
        /// The status of the answer.
        status: u16,
    },
    /// The disk failed: bars work but do not survive, and there are no new sessions.
    DiskFailed,
    /// The gateway contradicts itself. Never seen; a test that sees one fails.
    Bug {
        /// Where.
        what: &'static str,
    },
}
