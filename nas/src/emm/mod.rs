//! EPS mobility management: the messages of TS 24.301 §8.2.

use alloc::vec::Vec;

use crate::octets::Reader;
use crate::{DecodeError, Direction, What};

mod attach_accept;
mod attach_complete;
mod attach_reject;
mod attach_request;
mod authentication;
mod cause;
mod detach;
mod identity;
mod message_type;
mod security_mode;
mod status;

pub use attach_accept::AttachAccept;
pub use attach_complete::AttachComplete;
pub use attach_reject::AttachReject;
pub use attach_request::AttachRequest;
pub use authentication::{AuthenticationFailure, AuthenticationRequest, AuthenticationResponse};
pub use cause::EmmCause;
pub use detach::{DetachRequestFromUe, DetachRequestToUe, NetworkDetachType, UeDetachType};
pub use identity::{IdentityRequest, IdentityResponse};
pub use message_type::MessageType;
pub use security_mode::{SecurityModeCommand, SecurityModeComplete, SecurityModeReject};
pub use status::EmmStatus;

/// The protocol discriminator of EPS mobility management, TS 24.007 §11.2.3.1.1.
pub const PROTOCOL_DISCRIMINATOR: u8 = 7;

/// A plain EMM message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The UE asks to be registered, §8.2.4.
    AttachRequest(AttachRequest),
    /// The network registers the UE, §8.2.1.
    AttachAccept(AttachAccept),
    /// The UE has taken the GUTI and the bearer, §8.2.2.
    AttachComplete(AttachComplete),
    /// The network does not register the UE, §8.2.3.
    AttachReject(AttachReject),
    /// The challenge, §8.2.7.
    AuthenticationRequest(AuthenticationRequest),
    /// The answer of the USIM, §8.2.8.
    AuthenticationResponse(AuthenticationResponse),
    /// The UE does not accept the challenge, §8.2.5.
    AuthenticationFailure(AuthenticationFailure),
    /// The network does not accept the answer, §8.2.6.
    AuthenticationReject,
    /// The network asks for an identity, §8.2.18.
    IdentityRequest(IdentityRequest),
    /// The identity, §8.2.19.
    IdentityResponse(IdentityResponse),
    /// The network takes a security context into use, §8.2.20.
    SecurityModeCommand(SecurityModeCommand),
    /// The UE has taken it into use, §8.2.21.
    SecurityModeComplete(SecurityModeComplete),
    /// The UE refuses it, §8.2.22.
    SecurityModeReject(SecurityModeReject),
    /// The UE leaves, §8.2.11.1.
    DetachRequestFromUe(DetachRequestFromUe),
    /// The network sends the UE away, §8.2.11.2.
    DetachRequestToUe(DetachRequestToUe),
    /// The other side agrees to a detach, §8.2.10; the same octets in both directions.
    DetachAccept,
    /// A message was in error, §8.2.14.
    EmmStatus(EmmStatus),
}

impl Message {
    /// The type of the message.
    pub const fn message_type(&self) -> MessageType {
        match self {
            Self::AttachRequest(_) => MessageType::ATTACH_REQUEST,
            Self::AttachAccept(_) => MessageType::ATTACH_ACCEPT,
            Self::AttachComplete(_) => MessageType::ATTACH_COMPLETE,
            Self::AttachReject(_) => MessageType::ATTACH_REJECT,
            Self::AuthenticationRequest(_) => MessageType::AUTHENTICATION_REQUEST,
            Self::AuthenticationResponse(_) => MessageType::AUTHENTICATION_RESPONSE,
            Self::AuthenticationFailure(_) => MessageType::AUTHENTICATION_FAILURE,
            Self::AuthenticationReject => MessageType::AUTHENTICATION_REJECT,
            Self::IdentityRequest(_) => MessageType::IDENTITY_REQUEST,
            Self::IdentityResponse(_) => MessageType::IDENTITY_RESPONSE,
            Self::SecurityModeCommand(_) => MessageType::SECURITY_MODE_COMMAND,
            Self::SecurityModeComplete(_) => MessageType::SECURITY_MODE_COMPLETE,
            Self::SecurityModeReject(_) => MessageType::SECURITY_MODE_REJECT,
            Self::DetachRequestFromUe(_) | Self::DetachRequestToUe(_) => {
                MessageType::DETACH_REQUEST
            }
            Self::DetachAccept => MessageType::DETACH_ACCEPT,
            Self::EmmStatus(_) => MessageType::EMM_STATUS,
        }
    }

    /// The octets of the plain message (TS 24.301 §9.1). An optional element whose value does not
    /// fit into it is left out.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::from([PROTOCOL_DISCRIMINATOR, self.message_type().0]);
        match self {
            Self::AttachRequest(m) => m.encode(&mut out),
            Self::AttachAccept(m) => m.encode(&mut out),
            Self::AttachComplete(m) => m.encode(&mut out),
            Self::AttachReject(m) => m.encode(&mut out),
            Self::AuthenticationRequest(m) => m.encode(&mut out),
            Self::AuthenticationResponse(m) => m.encode(&mut out),
            Self::AuthenticationFailure(m) => m.encode(&mut out),
            Self::IdentityRequest(m) => m.encode(&mut out),
            Self::IdentityResponse(m) => m.encode(&mut out),
            Self::SecurityModeCommand(m) => m.encode(&mut out),
            Self::SecurityModeComplete(m) => m.encode(&mut out),
            Self::SecurityModeReject(m) => m.encode(&mut out),
            Self::DetachRequestFromUe(m) => m.encode(&mut out),
            Self::DetachRequestToUe(m) => m.encode(&mut out),
            Self::EmmStatus(m) => m.encode(&mut out),
            Self::AuthenticationReject | Self::DetachAccept => {}
        }
        out
    }
}

/// The message type of a plain EMM message, without reading the rest.
pub fn message_type(octets: &[u8]) -> Result<MessageType, DecodeError> {
    let first = octets.first().ok_or_else(|| What::TooShort.at(0))?;
    match (first & 15, first >> 4) {
        (PROTOCOL_DISCRIMINATOR, 0) => {}
        (PROTOCOL_DISCRIMINATOR, header) => return Err(What::Protected(header).at(0)),
        (other, _) => return Err(What::Protocol(other).at(0)),
    }
    let second = octets.get(1).ok_or_else(|| What::TooShort.at(1))?;
    Ok(MessageType(*second))
}

/// Reads a plain EMM message that goes in `direction`.
///
/// A message type that does not go in that direction is unknown. Optional elements that are
/// unknown, out of sequence, repeated or incorrect count as absent (TS 24.301 §7.6, §7.7.1).
pub fn decode(octets: &[u8], direction: Direction) -> Result<Message, DecodeError> {
    let kind = message_type(octets)?;
    if !kind.goes(direction) {
        return Err(What::MessageType(kind.0).at(1));
    }
    let mut r = Reader::new(octets);
    r.take(2)?;
    Ok(match (kind, direction) {
        (MessageType::ATTACH_REQUEST, _) => Message::AttachRequest(AttachRequest::decode(r)?),
        (MessageType::ATTACH_ACCEPT, _) => Message::AttachAccept(AttachAccept::decode(r)?),
        (MessageType::ATTACH_COMPLETE, _) => Message::AttachComplete(AttachComplete::decode(r)?),
        (MessageType::ATTACH_REJECT, _) => Message::AttachReject(AttachReject::decode(r)?),
        (MessageType::AUTHENTICATION_REQUEST, _) => {
            Message::AuthenticationRequest(AuthenticationRequest::decode(r)?)
        }
        (MessageType::AUTHENTICATION_RESPONSE, _) => {
            Message::AuthenticationResponse(AuthenticationResponse::decode(r)?)
        }
        (MessageType::AUTHENTICATION_FAILURE, _) => {
            Message::AuthenticationFailure(AuthenticationFailure::decode(r)?)
        }
        (MessageType::AUTHENTICATION_REJECT, _) => Message::AuthenticationReject,
        (MessageType::IDENTITY_REQUEST, _) => Message::IdentityRequest(IdentityRequest::decode(r)?),
        (MessageType::IDENTITY_RESPONSE, _) => {
            Message::IdentityResponse(IdentityResponse::decode(r)?)
        }
        (MessageType::SECURITY_MODE_COMMAND, _) => {
            Message::SecurityModeCommand(SecurityModeCommand::decode(r)?)
        }
        (MessageType::SECURITY_MODE_COMPLETE, _) => {
            Message::SecurityModeComplete(SecurityModeComplete::decode(r)?)
        }
        (MessageType::SECURITY_MODE_REJECT, _) => {
            Message::SecurityModeReject(SecurityModeReject::decode(r)?)
        }
        (MessageType::DETACH_REQUEST, Direction::Uplink) => {
            Message::DetachRequestFromUe(DetachRequestFromUe::decode(r)?)
        }
        (MessageType::DETACH_REQUEST, Direction::Downlink) => {
            Message::DetachRequestToUe(DetachRequestToUe::decode(r)?)
        }
        (MessageType::DETACH_ACCEPT, _) => Message::DetachAccept,
        (MessageType::EMM_STATUS, _) => Message::EmmStatus(EmmStatus::decode(r)?),
        (other, _) => return Err(What::MessageType(other.0).at(1)),
    })
}
