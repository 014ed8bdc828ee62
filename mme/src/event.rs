//! What the MME and SGW report. Logs, ladders, captures and assertions subscribe to these values;
//! none of them reaches into the node.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use heiiki_types::{Apn, Ebi, Imsi, Teid};
use serde::Serialize;

use crate::s1::EnbId;

/// The way of a message, seen from the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the UE.
    Uplink,
    /// To the UE.
    Downlink,
}

/// Why a UE's registration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DetachReason {
    /// The UE asked for it.
    Ue,
    /// The UE is switching off.
    SwitchOff,
    /// The HSS withdrew the subscription.
    Withdrawn,
    /// The UE registered with another MME, or the HSS cancelled for an update.
    Moved,
    /// The gateway deleted the only PDN connection.
    BearerDeleted,
    /// The gateway restarted, or cannot be reached.
    GatewayLost,
    /// The same UE attached again.
    Replaced,
    /// The UE was out of reach for longer than T3412 and its grace.
    Unreachable,
    /// The attach did not come to its end.
    AttachAborted,
}

/// One thing that happened, with the values that a reader needs to tell it from its like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The restart counter is durable and the node serves.
    Started {
        /// The restart counter told to GTP peers.
        restart_counter: u8,
    },
    /// The disk failed; a node that has not started stays down.
    DiskFailed,
    /// A NAS message went by.
    Nas {
        /// The connection.
        mme_ue_id: u32,
        /// The UE, when its identity is known.
        imsi: Option<Imsi>,
        /// Its way.
        direction: Direction,
        /// The message's name, or `undecodable`.
        name: &'static str,
        /// The PDU as on the wire.
        #[serde(skip)]
        wire: Vec<u8>,
        /// The deciphered message, when the configuration asks for copies and the PDU was ciphered.
        #[serde(skip)]
        plain: Option<Vec<u8>>,
    },
    /// A NAS message was dropped.
    NasDropped {
        /// The connection.
        mme_ue_id: u32,
        /// The UE, when its identity is known.
        imsi: Option<Imsi>,
        /// Why.
        why: &'static str,
    },
    /// An S1 message was ignored.
    S1Ignored {
        /// The association.
        enb: EnbId,
        /// The procedure.
        name: &'static str,
        /// Why.
        why: &'static str,
    },
    /// An attach began.
    AttachStarted {
        /// The connection.
        mme_ue_id: u32,
        /// The UE, unless it came with a GUTI that is not ours.
        imsi: Option<Imsi>,
        /// Whether its message carried a MAC that a stored context verified.
        known: bool,
    },
    /// The UE proved who it is.
    Authenticated {
        /// The UE.
        imsi: Imsi,
    },
    /// The UE refused the challenge.
    AuthenticationFailed {
        /// The UE.
        imsi: Imsi,
        /// EMM cause 20, 21 or 26.
        cause: u8,
    },
    /// The UE's answer to the challenge was wrong.
    WrongResponse {
        /// The UE.
        imsi: Imsi,
    },
    /// AUTHENTICATION REJECT went out.
    AuthenticationRejected {
        /// The UE.
        imsi: Imsi,
    },
    /// NAS security is in use.
    SecurityActivated {
        /// The UE.
        imsi: Imsi,
        /// 128-EIA number.
        eia: u8,
        /// 128-EEA number.
        eea: u8,
    },
    /// The attach is complete.
    Attached {
        /// The UE.
        imsi: Imsi,
        /// The access point.
        apn: Apn,
        /// The default bearer.
        ebi: Ebi,
        /// The UE's addresses.
        addresses: Vec<IpAddr>,
    },
    /// ATTACH REJECT went out.
    AttachRejected {
        /// The UE, when known.
        imsi: Option<Imsi>,
        /// The EMM cause.
        cause: u8,
        /// The ESM cause of the container.
        esm_cause: Option<u8>,
        /// Whether the message carried a MAC: only then does the UE believe it for good.
        protected: bool,
        /// T3346, seconds.
        back_off_s: Option<u64>,
    },
    /// The attach ended without an answer to the UE.
    AttachAborted {
        /// The UE, when known.
        imsi: Option<Imsi>,
        /// Why.
        why: &'static str,
    },
    /// What the HSS answered, or `no_answer`.
    HssAnswered {
        /// The UE.
        imsi: Imsi,
        /// `air`, `ulr`, `pur` or `ecr`.
        request: &'static str,
        /// Such as `2001`, `exp:5001` or `no_answer`; of `ecr` the list, such as `white`.
        result: String,
    },
    /// The HSS cancelled a location.
    LocationCancelled {
        /// The UE.
        imsi: Imsi,
        /// Cancellation-Type.
        cancellation_type: u32,
        /// The HSS.
        origin_host: String,
        /// Whether the UE was known here.
        known: bool,
    },
    /// The HSS changed what the UE may have.
    SubscriptionChanged {
        /// The UE.
        imsi: Imsi,
        /// `idr`, `dsr`, or `service ended` when the change ended the session.
        request: &'static str,
    },
    /// The HSS lost registrations: these UEs are registered anew when they are next heard of.
    HssReset {
        /// The HSS.
        origin_host: String,
        /// How many UEs it concerns.
        ues: usize,
    },
    /// A request came from a host that may not send it.
    HssRefused {
        /// The UE, when the request names one.
        imsi: Option<Imsi>,
        /// `idr`, `dsr` or `rsr`.
        request: &'static str,
        /// The sender.
        origin_host: String,
    },
    /// A cancellation came from a host that may not send it.
    CancelRefused {
        /// The UE.
        imsi: Imsi,
        /// The sender.
        origin_host: String,
    },
    /// DETACH REQUEST went out.
    DetachRequested {
        /// The UE.
        imsi: Imsi,
        /// Whether the UE shall attach again.
        reattach: bool,
        /// The EMM cause.
        cause: Option<u8>,
        /// Why.
        reason: DetachReason,
    },
    /// The UE is no longer registered.
    Detached {
        /// The UE.
        imsi: Imsi,
        /// Why.
        reason: DetachReason,
        /// Whether the UE confirmed it.
        confirmed: bool,
    },
    /// The UE left connected mode.
    Idle {
        /// The UE.
        imsi: Imsi,
    },
    /// The gateway made a session.
    SessionCreated {
        /// The UE.
        imsi: Imsi,
        /// The access point.
        apn: Apn,
        /// Where the SGW receives S5 signalling.
        s5c_teid: Teid,
        /// Where the SGW receives downlink packets.
        s5u_teid: Teid,
        /// Where the SGW receives uplink packets.
        s1u_teid: Teid,
    },
    /// The gateway refused a session, or never answered (`None`).
    SessionRefused {
        /// The UE.
        imsi: Imsi,
        /// The access point.
        apn: Apn,
        /// The GTPv2 cause.
        cause: Option<u8>,
    },
    /// The SGW forwards nothing more for the session and holds no packet of it.
    SessionClosed {
        /// The UE.
        imsi: Imsi,
        /// The SGW's S5 control TEID.
        s5c_teid: Teid,
        /// Packets dropped with the downlink buffer.
        purged: usize,
    },
    /// The gateway confirmed a deletion (`None`: it never answered).
    SessionDeleted {
        /// The UE.
        imsi: Imsi,
        /// The GTPv2 cause.
        cause: Option<u8>,
    },
    /// The gateway deleted a bearer.
    BearerDeleted {
        /// The UE.
        imsi: Imsi,
        /// The GTPv2 cause.
        cause: Option<u8>,
    },
    /// A gateway restarted.
    PeerRestarted {
        /// The gateway.
        peer: SocketAddr,
        /// Sessions closed because of it.
        sessions: usize,
    },
    /// A gateway does not answer.
    PathDown {
        /// The gateway.
        peer: SocketAddr,
        /// Sessions closed because of it.
        sessions: usize,
    },
    /// A peer says that it does not know a tunnel.
    ErrorIndication {
        /// The peer.
        peer: IpAddr,
        /// Its tunnel.
        teid: Teid,
        /// The UE, when the tunnel belonged to one and the peer was the right one.
        imsi: Option<Imsi>,
    },
    /// A GTP-C message was dropped.
    GtpDropped {
        /// The peer.
        peer: SocketAddr,
        /// Why.
        why: &'static str,
    },
    /// A Diameter connection is open.
    PeerOpen {
        /// Its Origin-Host.
        host: String,
    },
    /// A Diameter connection closed or was refused.
    PeerClosed {
        /// Its Origin-Host, when known.
        host: Option<String>,
        /// Why.
        why: &'static str,
    },
    /// A limit was reached and something refused because of it.
    Overload {
        /// Which limit.
        limit: &'static str,
    },
    /// A mistake of this program; the node goes on without what was concerned.
    Bug {
        /// Where.
        what: &'static str,
    },
}
