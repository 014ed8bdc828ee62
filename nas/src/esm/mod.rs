//! EPS session management: the messages of TS 24.301 §8.3.

use alloc::vec::Vec;

use crate::octets::Reader;
use crate::options::{Options, Table};
use crate::{DecodeError, Direction, What};

mod activate_default;
mod cause;
mod deactivate;
mod esm_information;
mod message_type;
mod pdn_connectivity;
mod pdn_disconnect;
mod status;

pub use activate_default::{
    ActivateDefaultEpsBearerContextAccept, ActivateDefaultEpsBearerContextReject,
    ActivateDefaultEpsBearerContextRequest,
};
pub use cause::EsmCause;
pub use deactivate::{DeactivateEpsBearerContextAccept, DeactivateEpsBearerContextRequest};
pub use esm_information::EsmInformationResponse;
pub use message_type::MessageType;
pub use pdn_connectivity::{PdnConnectivityReject, PdnConnectivityRequest};
pub use pdn_disconnect::{PdnDisconnectReject, PdnDisconnectRequest};
pub use status::EsmStatus;

/// The protocol discriminator of EPS session management, TS 24.007 §11.2.3.1.1.
pub const PROTOCOL_DISCRIMINATOR: u8 = 2;

/// Protocol configuration options, TS 24.008 §10.5.6.3.
const PCO: u8 = 0x27;
/// The greatest value of protocol configuration options inside a message, in octets.
pub const PCO_MAX: usize = 251;
/// The greatest value of an access point name, in octets (TS 24.008 §10.5.6.1).
const APN_MAX: usize = 100;

/// A plain ESM message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The EPS bearer, 1 to 15, or 0 for none (TS 24.301 §9.3.2).
    pub ebi: u8,
    /// The procedure transaction, 1 to 254, or 0 for none (TS 24.301 §9.4).
    pub pti: u8,
    /// What it says.
    pub body: Body,
}

/// What an ESM message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The network sets up a default bearer, §8.3.6.
    ActivateDefaultEpsBearerContextRequest(ActivateDefaultEpsBearerContextRequest),
    /// The UE has taken it, §8.3.4.
    ActivateDefaultEpsBearerContextAccept(ActivateDefaultEpsBearerContextAccept),
    /// The UE does not take it, §8.3.5.
    ActivateDefaultEpsBearerContextReject(ActivateDefaultEpsBearerContextReject),
    /// The network takes a bearer down, §8.3.12.
    DeactivateEpsBearerContextRequest(DeactivateEpsBearerContextRequest),
    /// The UE has let it go, §8.3.11.
    DeactivateEpsBearerContextAccept(DeactivateEpsBearerContextAccept),
    /// The UE asks for a PDN connection, §8.3.20.
    PdnConnectivityRequest(PdnConnectivityRequest),
    /// It does not get one, §8.3.19.
    PdnConnectivityReject(PdnConnectivityReject),
    /// The UE gives a PDN connection back, §8.3.22.
    PdnDisconnectRequest(PdnDisconnectRequest),
    /// The network keeps it, §8.3.21.
    PdnDisconnectReject(PdnDisconnectReject),
    /// The network asks for APN and options now that the way is protected, §8.3.13.
    EsmInformationRequest,
    /// APN and options, §8.3.14.
    EsmInformationResponse(EsmInformationResponse),
    /// A message was in error, §8.3.15.
    EsmStatus(EsmStatus),
}

/// The header of an ESM message, which is there even when the rest is wrong: an answer with cause
/// #96 needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The EPS bearer, or 0.
    pub ebi: u8,
    /// The procedure transaction, or 0.
    pub pti: u8,
    /// The type of the message.
    pub message_type: MessageType,
}

impl Body {
    /// The type of the message.
    pub const fn message_type(&self) -> MessageType {
        match self {
            Self::ActivateDefaultEpsBearerContextRequest(_) => {
                MessageType::ACTIVATE_DEFAULT_EPS_BEARER_CONTEXT_REQUEST
            }
            Self::ActivateDefaultEpsBearerContextAccept(_) => {
                MessageType::ACTIVATE_DEFAULT_EPS_BEARER_CONTEXT_ACCEPT
            }
            Self::ActivateDefaultEpsBearerContextReject(_) => {
                MessageType::ACTIVATE_DEFAULT_EPS_BEARER_CONTEXT_REJECT
            }
            Self::DeactivateEpsBearerContextRequest(_) => {
                MessageType::DEACTIVATE_EPS_BEARER_CONTEXT_REQUEST
            }
            Self::DeactivateEpsBearerContextAccept(_) => {
                MessageType::DEACTIVATE_EPS_BEARER_CONTEXT_ACCEPT
            }
            Self::PdnConnectivityRequest(_) => MessageType::PDN_CONNECTIVITY_REQUEST,
            Self::PdnConnectivityReject(_) => MessageType::PDN_CONNECTIVITY_REJECT,
            Self::PdnDisconnectRequest(_) => MessageType::PDN_DISCONNECT_REQUEST,
            Self::PdnDisconnectReject(_) => MessageType::PDN_DISCONNECT_REJECT,
            Self::EsmInformationRequest => MessageType::ESM_INFORMATION_REQUEST,
            Self::EsmInformationResponse(_) => MessageType::ESM_INFORMATION_RESPONSE,
            Self::EsmStatus(_) => MessageType::ESM_STATUS,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::ActivateDefaultEpsBearerContextRequest(m) => m.encode(out),
            Self::ActivateDefaultEpsBearerContextAccept(m) => m.encode(out),
            Self::ActivateDefaultEpsBearerContextReject(m) => m.encode(out),
            Self::DeactivateEpsBearerContextRequest(m) => m.encode(out),
            Self::DeactivateEpsBearerContextAccept(m) => m.encode(out),
            Self::PdnConnectivityRequest(m) => m.encode(out),
            Self::PdnConnectivityReject(m) => m.encode(out),
            Self::PdnDisconnectRequest(m) => m.encode(out),
            Self::PdnDisconnectReject(m) => m.encode(out),
            Self::EsmInformationRequest => {}
            Self::EsmInformationResponse(m) => m.encode(out),
            Self::EsmStatus(m) => m.encode(out),
        }
    }

    fn decode(kind: MessageType, r: Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match kind {
            MessageType::ACTIVATE_DEFAULT_EPS_BEARER_CONTEXT_REQUEST => {
                Self::ActivateDefaultEpsBearerContextRequest(
                    ActivateDefaultEpsBearerContextRequest::decode(r)?,
                )
            }
            MessageType::ACTIVATE_DEFAULT_EPS_BEARER_CONTEXT_ACCEPT => {
                Self::ActivateDefaultEpsBearerContextAccept(
                    ActivateDefaultEpsBearerContextAccept::decode(r)?,
                )
            }
            MessageType::ACTIVATE_DEFAULT_EPS_BEARER_CONTEXT_REJECT => {
                Self::ActivateDefaultEpsBearerContextReject(
                    ActivateDefaultEpsBearerContextReject::decode(r)?,
                )
            }
            MessageType::DEACTIVATE_EPS_BEARER_CONTEXT_REQUEST => {
                Self::DeactivateEpsBearerContextRequest(DeactivateEpsBearerContextRequest::decode(
                    r,
                )?)
            }
            MessageType::DEACTIVATE_EPS_BEARER_CONTEXT_ACCEPT => {
                Self::DeactivateEpsBearerContextAccept(DeactivateEpsBearerContextAccept::decode(r)?)
            }
            MessageType::PDN_CONNECTIVITY_REQUEST => {
                Self::PdnConnectivityRequest(PdnConnectivityRequest::decode(r)?)
            }
            MessageType::PDN_CONNECTIVITY_REJECT => {
                Self::PdnConnectivityReject(PdnConnectivityReject::decode(r)?)
            }
            MessageType::PDN_DISCONNECT_REQUEST => {
                Self::PdnDisconnectRequest(PdnDisconnectRequest::decode(r)?)
            }
            MessageType::PDN_DISCONNECT_REJECT => {
                Self::PdnDisconnectReject(PdnDisconnectReject::decode(r)?)
            }
            MessageType::ESM_INFORMATION_REQUEST => {
                Options::read(r, &[])?;
                Self::EsmInformationRequest
            }
            MessageType::ESM_INFORMATION_RESPONSE => {
                Self::EsmInformationResponse(EsmInformationResponse::decode(r)?)
            }
            MessageType::ESM_STATUS => Self::EsmStatus(EsmStatus::decode(r)?),
            other => return Err(What::MessageType(other.0).at(2)),
        })
    }
}

impl Message {
    /// The octets of the plain message (TS 24.301 §9.1). An optional element whose value does not
    /// fit into it is left out.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::from([
            self.ebi << 4 | PROTOCOL_DISCRIMINATOR,
            self.pti,
            self.body.message_type().0,
        ]);
        self.body.encode(&mut out);
        out
    }
}

/// The header of a plain ESM message, without reading the rest.
pub fn header(octets: &[u8]) -> Result<Header, DecodeError> {
    match *octets {
        [first, ..] if first & 15 != PROTOCOL_DISCRIMINATOR => {
            Err(What::Protocol(first & 15).at(0))
        }
        [first, pti, message_type, ..] => Ok(Header {
            ebi: first >> 4,
            pti,
            message_type: MessageType(message_type),
        }),
        _ => Err(What::TooShort.at(octets.len())),
    }
}

/// Reads a plain ESM message that goes in `direction`.
///
/// A message type that does not go in that direction is unknown. Optional elements that are
/// unknown, out of sequence, repeated or incorrect count as absent (TS 24.301 §7.6, §7.7.1).
pub fn decode(octets: &[u8], direction: Direction) -> Result<Message, DecodeError> {
    let header = header(octets)?;
    if !header.message_type.goes(direction) {
        return Err(What::MessageType(header.message_type.0).at(2));
    }
    let mut r = Reader::new(octets);
    r.take(3)?;
    Ok(Message {
        ebi: header.ebi,
        pti: header.pti,
        body: Body::decode(header.message_type, r)?,
    })
}

/// The optional elements of the messages that carry options and nothing else that is read.
const PCO_ONLY: Table = &[
    (PCO, crate::options::Format::Tlv),
    (0x7b, crate::options::Format::TlvE),
];

fn pco(options: &Options<'_>) -> Option<Vec<u8>> {
    options.octets(PCO, 1, PCO_MAX)
}

fn encode_pco(out: &mut Vec<u8>, pco: Option<&Vec<u8>>) {
    let pco = pco.map(Vec::as_slice).filter(|p| !p.is_empty());
    crate::octets::tlv(out, PCO, pco, PCO_MAX);
}
