//! EPS mobility management: the UEs of the MME and their procedures, TS 24.301 §5.

mod abort;
mod attach;
mod authentication;
mod cancel;
mod complete;
mod detach;
pub mod fsm;
mod identification;
mod nas;
mod release;
mod security_mode;
mod session;
mod timeout;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use heiiki_diameter::s6a::{EutranVector, SubscriptionData};
use heiiki_nas::emm::EmmCause;
use heiiki_nas::ie::{Ksi, PdnType, RequestType, UeNetworkCapability, UeSecurityCapability};
use heiiki_nas::security::{NasSecurityContext, SecurityHeader};
use heiiki_types::{Ambr, Apn, Arp, Ecgi, Guti, Imei, Imsi, Instant, Qci, Tai};

use crate::event::DetachReason;
use crate::s1::EnbId;
use crate::sgw::SessionKey;
use crate::timers::Timer;

/// A UE in the MME; also its MME UE S1AP ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UeId(pub(crate) u32);

/// The S1 connection of a UE: present while it is in connected mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct S1Link {
    pub(crate) enb: EnbId,
    pub(crate) enb_ue_id: u32,
}

/// Where the UE is registered from the point of view of S6a: who answered the Update-Location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registration {
    /// Origin-Host of the answer.
    pub(crate) host: String,
    /// Origin-Realm of the answer.
    pub(crate) realm: String,
    /// The host at the other end of the connection: the same, or a relay.
    pub(crate) peer: String,
}

impl Registration {
    /// Whether a request comes from the host that answered, by the same connection's peer.
    pub(crate) fn is_of(&self, host: &str, peer: &str) -> bool {
        self.host == host && self.peer == peer
    }
}

/// One UE, or one attempt to become one.
///
/// An attempt that has not proved its identity is a `Ue` of its own: it is not found by IMSI or
/// GUTI, so nothing that it says touches the context of the UE that it claims to be
/// (TS 24.301 §4.4.4.3).
pub(crate) struct Ue {
    pub(crate) id: UeId,
    pub(crate) s1: Option<S1Link>,
    pub(crate) tai: Option<Tai>,
    pub(crate) ecgi: Option<Ecgi>,
    /// Claimed, or proven when `proven` is set.
    pub(crate) imsi: Option<Imsi>,
    /// The UE showed a valid MAC under keys of this IMSI: it is the one that is found by IMSI.
    pub(crate) proven: bool,
    /// The secure exchange of NAS messages is established on the present connection.
    pub(crate) secure: bool,
    pub(crate) guti: Option<Guti>,
    pub(crate) imei: Option<Imei>,
    pub(crate) security: Option<Security>,
    pub(crate) registration: Option<Registration>,
    /// What the HSS said that the UE may have.
    pub(crate) subscription: Option<Box<SubscriptionData>>,
    /// The HSS may have lost the registration: it is told again when the UE is next heard of.
    pub(crate) unconfirmed: bool,
    pub(crate) session: Option<SessionKey>,
    pub(crate) emm: Emm,
    pub(crate) timer: Option<Running>,
}

impl core::fmt::Debug for Ue {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Ue")
            .field("id", &self.id)
            .field("imsi", &self.imsi)
            .field("state", &self.emm.state())
            .finish_non_exhaustive()
    }
}

impl Ue {
    pub(crate) const fn new(id: UeId, s1: S1Link) -> Self {
        Self {
            id,
            s1: Some(s1),
            tai: None,
            ecgi: None,
            imsi: None,
            proven: false,
            secure: false,
            guti: None,
            imei: None,
            security: None,
            registration: None,
            subscription: None,
            unconfirmed: false,
            session: None,
            emm: Emm::Deregistered,
            timer: None,
        }
    }

    pub(crate) fn attach(&self) -> Option<&Attach> {
        match &self.emm {
            Emm::Attaching(attach) => Some(attach),
            _ => None,
        }
    }

    pub(crate) fn attach_mut(&mut self) -> Option<&mut Attach> {
        match &mut self.emm {
            Emm::Attaching(attach) => Some(attach),
            _ => None,
        }
    }
}

/// A security context together with what it was negotiated from.
pub(crate) struct Security {
    pub(crate) context: NasSecurityContext,
    pub(crate) ksi: Ksi,
    pub(crate) capability: UeNetworkCapability,
    pub(crate) eia: u8,
    pub(crate) eea: u8,
}

/// The EMM state with the data that only exists in it.
#[derive(Debug)]
pub(crate) enum Emm {
    Deregistered,
    Attaching(Box<Attach>),
    Registered,
    Detaching(Detaching),
}

impl Emm {
    pub(crate) fn state(&self) -> fsm::State {
        use fsm::State;
        match self {
            Self::Deregistered => State::Deregistered,
            Self::Registered => State::Registered,
            Self::Detaching(_) => State::Deregistering,
            Self::Attaching(attach) => match attach.step {
                Step::Identify { .. } => State::Identifying,
                Step::Vector => State::AwaitingVector,
                Step::Authenticate(_) => State::Authenticating,
                Step::Secure => State::SecuringMode,
                Step::AskEsm => State::AwaitingEsm,
                Step::Locate => State::AwaitingLocation,
                Step::Create(_) => State::CreatingSession,
                Step::Complete(_) => State::AwaitingComplete,
            },
        }
    }
}

/// An attach on its way.
#[derive(Debug)]
pub(crate) struct Attach {
    /// The first PDU, to tell a repetition from a new request.
    pub(crate) pdu: Vec<u8>,
    /// The UE asked for a combined attach.
    pub(crate) combined: bool,
    /// The key set that the UE named, so that a new one differs.
    pub(crate) ksi: Ksi,
    pub(crate) capability: UeNetworkCapability,
    pub(crate) replay: UeSecurityCapability,
    /// Hash of the request as it came, when nothing protected it; TS 24.301 §5.4.3.2.
    pub(crate) hash: Option<[u8; 8]>,
    pub(crate) esm: EsmRequest,
    /// The identity was asked for after a failed challenge, or the challenge repeated for it.
    pub(crate) identified: bool,
    /// The SQN was resynchronised once.
    pub(crate) resynchronised: bool,
    pub(crate) step: Step,
}

impl Attach {
    /// Whether no session has been asked for yet.
    pub(crate) const fn is_before_session(&self) -> bool {
        !matches!(self.step, Step::Create(_) | Step::Complete(_))
    }
}

/// The PDN connectivity request of an attach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EsmRequest {
    pub(crate) pti: u8,
    pub(crate) request_type: RequestType,
    pub(crate) pdn_type: PdnType,
    /// The UE gives the APN and its options only under security.
    pub(crate) transfer: bool,
    pub(crate) apn: Option<Apn>,
    pub(crate) pco: Option<Vec<u8>>,
}

/// What an attach waits for, with the data of that wait.
pub(crate) enum Step {
    /// IDENTITY RESPONSE; `failed` is the IMSI whose challenge the UE refused.
    Identify { failed: Option<Imsi> },
    /// The answer of the HSS to an AIR.
    Vector,
    /// AUTHENTICATION RESPONSE to this vector.
    Authenticate(Box<Challenge>),
    /// SECURITY MODE COMPLETE.
    Secure,
    /// ESM INFORMATION RESPONSE.
    AskEsm,
    /// The answer of the HSS to a ULR.
    Locate,
    /// The answer of the gateway.
    Create(Box<Granted>),
    /// ATTACH COMPLETE and INITIAL CONTEXT SETUP RESPONSE.
    Complete(Box<Completion>),
}

impl core::fmt::Debug for Step {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Identify { .. } => "Identify",
            Self::Vector => "Vector",
            Self::Authenticate(_) => "Authenticate",
            Self::Secure => "Secure",
            Self::AskEsm => "AskEsm",
            Self::Locate => "Locate",
            Self::Create(_) => "Create",
            Self::Complete(_) => "Complete",
        })
    }
}

/// A challenge that is out.
pub(crate) struct Challenge {
    pub(crate) vector: EutranVector,
    pub(crate) ksi: Ksi,
}

/// What the subscription gives to the session that is being made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) apn: Apn,
    pub(crate) qci: Qci,
    pub(crate) arp: Arp,
    pub(crate) apn_ambr: Ambr,
    pub(crate) ue_ambr: Ambr,
}

/// What is still missing when ATTACH ACCEPT is out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Completion {
    pub(crate) apn: Apn,
    pub(crate) addresses: Vec<IpAddr>,
    /// The eNB confirmed the bearer.
    pub(crate) bearer: bool,
    /// The UE confirmed the attach.
    pub(crate) accepted: bool,
}

/// A detach by the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Detaching {
    pub(crate) reattach: bool,
    pub(crate) cause: Option<EmmCause>,
    pub(crate) reason: DetachReason,
    /// DETACH REQUEST is out; before that only the bearer is gone and the cause may follow.
    pub(crate) sent: bool,
    /// The context is forgotten afterwards instead of kept for a return.
    pub(crate) forget: bool,
}

/// The one timer that runs for a UE, and the message to repeat at its expiry.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) timer: Timer,
    pub(crate) at: Instant,
    pub(crate) expiries: u8,
    pub(crate) resend: Option<(SecurityHeader, Vec<u8>)>,
}
