//! The modelled S1 interface: the procedures of S1AP as values, TS 36.413 §8.
//!
//! Names and members are those of the S1AP procedures that an attach, a detach and a release use,
//! so that the APER encoding can take the place of these values without moving the machines that
//! exchange them. An association is reliable and ordered, as SCTP is.

use alloc::vec::Vec;
use core::net::SocketAddr;

use heiiki_types::{Ambr, Arp, Ebi, Ecgi, Qci, Tai, Teid};
use serde::Serialize;

/// One eNB's S1 association with the MME.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct EnbId(pub u32);

/// A GTP-U tunnel endpoint on S1-U.
///
/// S1AP carries an address and a TEID; the port stands beside it so that laboratories may leave
/// 2152.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Endpoint {
    /// The tunnel of the receiving side.
    pub teid: Teid,
    /// Where the receiving side listens.
    pub address: SocketAddr,
}

/// Why a UE's S1 context is released, TS 36.413 §9.2.1.3 (the values in use).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseCause {
    /// NAS: the signalling came to its normal end.
    NormalRelease,
    /// NAS: authentication failed.
    AuthenticationFailure,
    /// NAS: the UE is detached.
    Detach,
    /// Radio network layer: the UE was quiet.
    UserInactivity,
    /// Radio network layer: the eNB lost the UE.
    RadioConnectionLost,
    /// Radio network layer: the pair of UE identities is not known to the receiver.
    UnknownUeIds,
    /// Radio network layer: the same UE came back by another connection.
    InteractionWithOtherProcedure,
    /// Transport layer: the tunnel is gone.
    TransportResourceUnavailable,
    /// Anything else.
    Unspecified,
}

/// One S1AP message about one UE.
///
/// `enb_ue_id` is the eNB UE S1AP ID, chosen by the eNB; `mme_ue_id` the MME UE S1AP ID, chosen by
/// the MME (TS 36.413 §9.2.3.3, §9.2.3.4). NAS PDUs travel as octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The first NAS message of a UE on a new connection, TS 36.413 §8.6.2.1. From the eNB.
    InitialUeMessage {
        /// The eNB's identity of the connection.
        enb_ue_id: u32,
        /// Where the UE is.
        tai: Tai,
        /// The UE's cell.
        ecgi: Ecgi,
        /// The NAS PDU.
        nas: Vec<u8>,
    },
    /// A NAS message to the UE, TS 36.413 §8.6.2.2. From the MME.
    DownlinkNasTransport {
        /// The eNB's identity of the connection.
        enb_ue_id: u32,
        /// The MME's identity of the connection.
        mme_ue_id: u32,
        /// The NAS PDU.
        nas: Vec<u8>,
    },
    /// A NAS message from the UE, TS 36.413 §8.6.2.3. From the eNB.
    UplinkNasTransport {
        /// The eNB's identity of the connection.
        enb_ue_id: u32,
        /// The MME's identity of the connection.
        mme_ue_id: u32,
        /// The NAS PDU.
        nas: Vec<u8>,
        /// Where the UE is.
        tai: Tai,
        /// The UE's cell.
        ecgi: Ecgi,
    },
    /// Asks the eNB for radio security and for the default bearer, TS 36.413 §8.3.1. From the MME.
    InitialContextSetupRequest {
        /// The eNB's identity of the connection.
        enb_ue_id: u32,
        /// The MME's identity of the connection.
        mme_ue_id: u32,
        /// The default bearer.
        ebi: Ebi,
        /// Where the eNB sends the bearer's uplink packets.
        sgw_f_teid: Endpoint,
        /// The PDU to hand to the UE, ATTACH ACCEPT; empty when there is none.
        nas: Vec<u8>,
        /// Bounds all of the UE's non-guaranteed bearers together.
        ue_ambr: Ambr,
        /// The bearer's class.
        qci: Qci,
        /// The bearer's priority.
        arp: Arp,
    },
    /// The bearer is up, TS 36.413 §8.3.1.2. From the eNB.
    InitialContextSetupResponse {
        /// The eNB's identity of the connection.
        enb_ue_id: u32,
        /// The MME's identity of the connection.
        mme_ue_id: u32,
        /// The default bearer.
        ebi: Ebi,
        /// Where the SGW sends the bearer's downlink packets.
        enb_f_teid: Endpoint,
    },
    /// The eNB could not set the context up, TS 36.413 §8.3.1.3. From the eNB.
    InitialContextSetupFailure {
        /// The eNB's identity of the connection.
        enb_ue_id: u32,
        /// The MME's identity of the connection.
        mme_ue_id: u32,
        /// Why.
        cause: ReleaseCause,
    },
    /// Asks for the release of a bearer, TS 36.413 §8.2.3. From the MME.
    ErabReleaseCommand {
        /// The eNB's identity of the connection.
        enb_ue_id: u32,
        /// The MME's identity of the connection.
        mme_ue_id: u32,
        /// The bearer.
        ebi: Ebi,
        /// The PDU to hand to the UE; empty when there is none.
        nas: Vec<u8>,
    },
    /// The bearer is released, TS 36.413 §8.2.3.2. From the eNB.
    ErabReleaseResponse {
        /// The eNB's identity of the connection.
        enb_ue_id: u32,
        /// The MME's identity of the connection.
        mme_ue_id: u32,
        /// The bearer.
        ebi: Ebi,
    },
    /// The eNB wants the UE to leave connected mode, TS 36.413 §8.3.2. From the eNB.
    UeContextReleaseRequest {
        /// The eNB's identity of the connection.
        enb_ue_id: u32,
        /// The MME's identity of the connection.
        mme_ue_id: u32,
        /// Why.
        cause: ReleaseCause,
    },
    /// The connection ends, TS 36.413 §8.3.3. From the MME.
    UeContextReleaseCommand {
        /// The eNB's identity of the connection.
        enb_ue_id: u32,
        /// The MME's identity of the connection.
        mme_ue_id: u32,
        /// Why.
        cause: ReleaseCause,
    },
    /// The connection is gone, TS 36.413 §8.3.3. From the eNB.
    UeContextReleaseComplete {
        /// The eNB's identity of the connection.
        enb_ue_id: u32,
        /// The MME's identity of the connection.
        mme_ue_id: u32,
    },
}

impl Message {
    /// The procedure's name as S1AP spells it, for ladders and logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::InitialUeMessage { .. } => "InitialUEMessage",
            Self::DownlinkNasTransport { .. } => "DownlinkNASTransport",
            Self::UplinkNasTransport { .. } => "UplinkNASTransport",
            Self::InitialContextSetupRequest { .. } => "InitialContextSetupRequest",
            Self::InitialContextSetupResponse { .. } => "InitialContextSetupResponse",
            Self::InitialContextSetupFailure { .. } => "InitialContextSetupFailure",
            Self::ErabReleaseCommand { .. } => "E-RABReleaseCommand",
            Self::ErabReleaseResponse { .. } => "E-RABReleaseResponse",
            Self::UeContextReleaseRequest { .. } => "UEContextReleaseRequest",
            Self::UeContextReleaseCommand { .. } => "UEContextReleaseCommand",
            Self::UeContextReleaseComplete { .. } => "UEContextReleaseComplete",
        }
    }

    /// The NAS PDU inside, if there is one.
    pub fn nas(&self) -> Option<&[u8]> {
        match self {
            Self::InitialUeMessage { nas, .. }
            | Self::DownlinkNasTransport { nas, .. }
            | Self::UplinkNasTransport { nas, .. }
            | Self::InitialContextSetupRequest { nas, .. }
            | Self::ErabReleaseCommand { nas, .. } => {
                Some(nas).filter(|n| !n.is_empty()).map(Vec::as_slice)
            }
            _ => None,
        }
    }

    /// The same, for a link that changes octets.
    pub fn nas_mut(&mut self) -> Option<&mut Vec<u8>> {
        match self {
            Self::InitialUeMessage { nas, .. }
            | Self::DownlinkNasTransport { nas, .. }
            | Self::UplinkNasTransport { nas, .. }
            | Self::InitialContextSetupRequest { nas, .. }
            | Self::ErabReleaseCommand { nas, .. } => Some(nas).filter(|n| !n.is_empty()),
            _ => None,
        }
    }
}
