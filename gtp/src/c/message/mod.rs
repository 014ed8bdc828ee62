//! Messages, TS 29.274 §7, as structs whose fields carry the names of the tables.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::header::{Header, MessageType};
use super::ie::{BEARERS_MAX, BearerContext, Ies, Recovery, ie_type, write};
use crate::error::DecodeError;
use crate::octets::{Reader, patch_length};

mod create_session;
mod delete_bearer;
mod delete_session;
mod modify_bearer;
mod notification;
#[cfg(test)]
mod notification_tests;
mod pdn_connection_set;
mod presence;
#[cfg(test)]
mod presence_tests;
mod reject;
#[cfg(test)]
mod tests;

pub use create_session::{CreateSessionRequest, CreateSessionResponse};
pub use delete_bearer::{DeleteBearerRequest, DeleteBearerResponse};
pub use delete_session::{DeleteSessionRequest, DeleteSessionResponse};
pub use modify_bearer::{ModifyBearerRequest, ModifyBearerResponse};
pub use notification::{
    Acknowledge, ChangeNotificationRequest, ChangeNotificationResponse, ResumeNotification,
    SuspendNotification,
};
pub use pdn_connection_set::{DeletePdnConnectionSetRequest, DeletePdnConnectionSetResponse};
pub use presence::ReferencePoint;
pub use reject::{Reject, response};

/// A GTPv2-C message without its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Echo Request, TS 29.274 §7.1.1.
    EchoRequest {
        /// The sender's restart counter.
        recovery: u8,
    },
    /// Echo Response, TS 29.274 §7.1.2.
    EchoResponse {
        /// The sender's restart counter.
        recovery: u8,
    },
    /// Version Not Supported Indication, TS 29.274 §7.1.3: a header alone.
    VersionNotSupported,
    /// Create Session Request.
    CreateSessionRequest(Box<CreateSessionRequest>),
    /// Create Session Response.
    CreateSessionResponse(CreateSessionResponse),
    /// Modify Bearer Request.
    ModifyBearerRequest(ModifyBearerRequest),
    /// Modify Bearer Response.
    ModifyBearerResponse(ModifyBearerResponse),
    /// Delete Session Request.
    DeleteSessionRequest(DeleteSessionRequest),
    /// Delete Session Response.
    DeleteSessionResponse(DeleteSessionResponse),
    /// Delete Bearer Request.
    DeleteBearerRequest(DeleteBearerRequest),
    /// Delete Bearer Response.
    DeleteBearerResponse(DeleteBearerResponse),
    /// Change Notification Request.
    ChangeNotificationRequest(ChangeNotificationRequest),
    /// Change Notification Response.
    ChangeNotificationResponse(ChangeNotificationResponse),
    /// Suspend Notification.
    SuspendNotification(SuspendNotification),
    /// Suspend Acknowledge.
    SuspendAcknowledge(Acknowledge),
    /// Resume Notification.
    ResumeNotification(ResumeNotification),
    /// Resume Acknowledge.
    ResumeAcknowledge(Acknowledge),
    /// Delete PDN Connection Set Request.
    DeletePdnConnectionSetRequest(DeletePdnConnectionSetRequest),
    /// Delete PDN Connection Set Response.
    DeletePdnConnectionSetResponse(DeletePdnConnectionSetResponse),
    /// A message that is not read here.
    Other {
        /// Its type.
        message_type: MessageType,
        /// Its information elements, unread.
        elements: Vec<u8>,
    },
}

impl Message {
    /// The type in the header.
    pub const fn message_type(&self) -> MessageType {
        match self {
            Self::EchoRequest { .. } => MessageType::ECHO_REQUEST,
            Self::EchoResponse { .. } => MessageType::ECHO_RESPONSE,
            Self::VersionNotSupported => MessageType::VERSION_NOT_SUPPORTED,
            Self::CreateSessionRequest(_) => MessageType::CREATE_SESSION_REQUEST,
            Self::CreateSessionResponse(_) => MessageType::CREATE_SESSION_RESPONSE,
            Self::ModifyBearerRequest(_) => MessageType::MODIFY_BEARER_REQUEST,
            Self::ModifyBearerResponse(_) => MessageType::MODIFY_BEARER_RESPONSE,
            Self::DeleteSessionRequest(_) => MessageType::DELETE_SESSION_REQUEST,
            Self::DeleteSessionResponse(_) => MessageType::DELETE_SESSION_RESPONSE,
            Self::DeleteBearerRequest(_) => MessageType::DELETE_BEARER_REQUEST,
            Self::DeleteBearerResponse(_) => MessageType::DELETE_BEARER_RESPONSE,
            Self::ChangeNotificationRequest(_) => MessageType::CHANGE_NOTIFICATION_REQUEST,
            Self::ChangeNotificationResponse(_) => MessageType::CHANGE_NOTIFICATION_RESPONSE,
            Self::SuspendNotification(_) => MessageType::SUSPEND_NOTIFICATION,
            Self::SuspendAcknowledge(_) => MessageType::SUSPEND_ACKNOWLEDGE,
            Self::ResumeNotification(_) => MessageType::RESUME_NOTIFICATION,
            Self::ResumeAcknowledge(_) => MessageType::RESUME_ACKNOWLEDGE,
            Self::DeletePdnConnectionSetRequest(_) => {
                MessageType::DELETE_PDN_CONNECTION_SET_REQUEST
            }
            Self::DeletePdnConnectionSetResponse(_) => {
                MessageType::DELETE_PDN_CONNECTION_SET_RESPONSE
            }
            Self::Other { message_type, .. } => *message_type,
        }
    }

    /// The restart counter that the sender put into the message.
    pub const fn recovery(&self) -> Option<u8> {
        match self {
            Self::EchoRequest { recovery } | Self::EchoResponse { recovery } => Some(*recovery),
            Self::CreateSessionRequest(m) => m.recovery,
            Self::CreateSessionResponse(m) => m.recovery,
            Self::ModifyBearerRequest(m) => m.recovery,
            Self::ModifyBearerResponse(m) => m.recovery,
            Self::DeleteSessionResponse(m) => m.recovery,
            Self::DeleteBearerResponse(m) => m.recovery,
            Self::DeletePdnConnectionSetResponse(m) => m.recovery,
            Self::VersionNotSupported
            | Self::ChangeNotificationRequest(_)
            | Self::ChangeNotificationResponse(_)
            | Self::SuspendNotification(_)
            | Self::SuspendAcknowledge(_)
            | Self::ResumeNotification(_)
            | Self::ResumeAcknowledge(_)
            | Self::DeletePdnConnectionSetRequest(_)
            | Self::DeleteSessionRequest(_)
            | Self::DeleteBearerRequest(_)
            | Self::Other { .. } => None,
        }
    }

    fn decode(header: &Header, elements: &[u8], on: ReferencePoint) -> Result<Self, Reject> {
        let other = || Self::Other {
            message_type: header.message_type,
            elements: elements.into(),
        };
        let Some(table) = table(header.message_type) else {
            return Ok(match header.message_type {
                MessageType::VERSION_NOT_SUPPORTED => Self::VersionNotSupported,
                _ => other(),
            });
        };
        let ies = &Ies::parse(elements)?;
        Ok(match header.message_type {
            MessageType::ECHO_REQUEST | MessageType::ECHO_RESPONSE => {
                presence::check(table, on, ies)?;
                let recovery = ies.mandatory::<Recovery>(0)?;
                match header.message_type {
                    MessageType::ECHO_REQUEST => Self::EchoRequest { recovery },
                    _ => Self::EchoResponse { recovery },
                }
            }
            MessageType::CREATE_SESSION_REQUEST => {
                Self::CreateSessionRequest(Box::new(CreateSessionRequest::decode(ies, on)?))
            }
            MessageType::CREATE_SESSION_RESPONSE => {
                Self::CreateSessionResponse(CreateSessionResponse::decode(ies, on)?)
            }
            MessageType::MODIFY_BEARER_REQUEST => {
                Self::ModifyBearerRequest(ModifyBearerRequest::decode(ies, on)?)
            }
            MessageType::MODIFY_BEARER_RESPONSE => {
                Self::ModifyBearerResponse(ModifyBearerResponse::decode(ies, on)?)
            }
            MessageType::DELETE_SESSION_REQUEST => {
                Self::DeleteSessionRequest(DeleteSessionRequest::decode(ies, on)?)
            }
            MessageType::DELETE_SESSION_RESPONSE => {
                Self::DeleteSessionResponse(DeleteSessionResponse::decode(ies, on)?)
            }
            MessageType::DELETE_BEARER_REQUEST => {
                Self::DeleteBearerRequest(DeleteBearerRequest::decode(ies, on)?)
            }
            MessageType::DELETE_BEARER_RESPONSE => {
                Self::DeleteBearerResponse(DeleteBearerResponse::decode(ies, on)?)
            }
            MessageType::CHANGE_NOTIFICATION_REQUEST => {
                Self::ChangeNotificationRequest(ChangeNotificationRequest::decode(ies, on)?)
            }
            MessageType::CHANGE_NOTIFICATION_RESPONSE => {
                Self::ChangeNotificationResponse(ChangeNotificationResponse::decode(ies, on)?)
            }
            MessageType::SUSPEND_NOTIFICATION => {
                Self::SuspendNotification(SuspendNotification::decode(ies, on)?)
            }
            MessageType::SUSPEND_ACKNOWLEDGE => {
                Self::SuspendAcknowledge(Acknowledge::decode(ies, on)?)
            }
            MessageType::RESUME_NOTIFICATION => {
                Self::ResumeNotification(ResumeNotification::decode(ies, on)?)
            }
            MessageType::RESUME_ACKNOWLEDGE => {
                Self::ResumeAcknowledge(Acknowledge::decode(ies, on)?)
            }
            MessageType::DELETE_PDN_CONNECTION_SET_REQUEST => {
                Self::DeletePdnConnectionSetRequest(DeletePdnConnectionSetRequest::decode(ies, on)?)
            }
            MessageType::DELETE_PDN_CONNECTION_SET_RESPONSE => {
                Self::DeletePdnConnectionSetResponse(DeletePdnConnectionSetResponse::decode(
                    ies, on,
                )?)
            }
            _ => other(),
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::EchoRequest { recovery } | Self::EchoResponse { recovery } => {
                write::<Recovery>(out, 0, recovery);
            }
            Self::VersionNotSupported => {}
            Self::CreateSessionRequest(m) => m.encode(out),
            Self::CreateSessionResponse(m) => m.encode(out),
            Self::ModifyBearerRequest(m) => m.encode(out),
            Self::ModifyBearerResponse(m) => m.encode(out),
            Self::DeleteSessionRequest(m) => m.encode(out),
            Self::DeleteSessionResponse(m) => m.encode(out),
            Self::DeleteBearerRequest(m) => m.encode(out),
            Self::DeleteBearerResponse(m) => m.encode(out),
            Self::ChangeNotificationRequest(m) => m.encode(out),
            Self::ChangeNotificationResponse(m) => m.encode(out),
            Self::SuspendNotification(m) => m.encode(out),
            Self::SuspendAcknowledge(m) | Self::ResumeAcknowledge(m) => m.encode(out),
            Self::ResumeNotification(m) => m.encode(out),
            Self::DeletePdnConnectionSetRequest(m) => m.encode(out),
            Self::DeletePdnConnectionSetResponse(m) => m.encode(out),
            Self::Other { elements, .. } => out.extend(elements),
        }
    }
}

const fn table(message_type: MessageType) -> Option<&'static [presence::Rule]> {
    Some(match message_type {
        MessageType::ECHO_REQUEST | MessageType::ECHO_RESPONSE => presence::ECHO,
        MessageType::CREATE_SESSION_REQUEST => presence::CREATE_SESSION_REQUEST,
        MessageType::CREATE_SESSION_RESPONSE => presence::CREATE_SESSION_RESPONSE,
        MessageType::MODIFY_BEARER_REQUEST => presence::MODIFY_BEARER_REQUEST,
        MessageType::MODIFY_BEARER_RESPONSE => presence::MODIFY_BEARER_RESPONSE,
        MessageType::DELETE_SESSION_REQUEST => presence::DELETE_SESSION_REQUEST,
        MessageType::DELETE_SESSION_RESPONSE => presence::DELETE_SESSION_RESPONSE,
        MessageType::DELETE_BEARER_REQUEST => presence::DELETE_BEARER_REQUEST,
        MessageType::DELETE_BEARER_RESPONSE => presence::DELETE_BEARER_RESPONSE,
        MessageType::CHANGE_NOTIFICATION_REQUEST => presence::CHANGE_NOTIFICATION_REQUEST,
        MessageType::CHANGE_NOTIFICATION_RESPONSE => presence::CHANGE_NOTIFICATION_RESPONSE,
        MessageType::SUSPEND_NOTIFICATION => presence::SUSPEND_NOTIFICATION,
        MessageType::RESUME_NOTIFICATION => presence::RESUME_NOTIFICATION,
        MessageType::SUSPEND_ACKNOWLEDGE | MessageType::RESUME_ACKNOWLEDGE => presence::ACKNOWLEDGE,
        MessageType::DELETE_PDN_CONNECTION_SET_REQUEST => {
            presence::DELETE_PDN_CONNECTION_SET_REQUEST
        }
        MessageType::DELETE_PDN_CONNECTION_SET_RESPONSE => {
            presence::DELETE_PDN_CONNECTION_SET_RESPONSE
        }
        _ => return None,
    })
}

/// The Bearer Contexts of a message. The presence rules were checked before; in a response that
/// refuses they were not, and what cannot be read is left out.
fn contexts<T: BearerContext>(ies: &Ies<'_>) -> Vec<T> {
    ies.all(ie_type::BEARER_CONTEXT, 0)
        .take(BEARERS_MAX)
        .filter_map(|octets| Ies::parse(octets).ok())
        .filter_map(|members| T::decode(&members).ok())
        .collect()
}

/// A datagram taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// The header.
    pub header: Header,
    /// The message, or why it is refused.
    pub message: Result<Message, Reject>,
    /// Type and instance of the information elements that the message does not have, and that were
    /// therefore skipped (TS 29.274 §7.7.9); the first sixteen.
    pub ignored: Vec<(u8, u8)>,
    /// The message that rides on this one, header and all (TS 29.274 §5.5.1).
    pub piggybacked: Option<&'a [u8]>,
}

const IGNORED_MAX: usize = 16;

fn ignored(message_type: MessageType, elements: &[u8]) -> Vec<(u8, u8)> {
    let Some(table) = table(message_type) else {
        return Vec::new();
    };
    let Ok(ies) = Ies::parse(elements) else {
        return Vec::new();
    };
    ies.iter()
        .map(|e| (e.ie, e.instance))
        .filter(|(ie, instance)| !presence::knows(table, *ie, *instance))
        .take(IGNORED_MAX)
        .collect()
}

/// Takes a datagram of S5/S8 apart; [`decode_on`] does it for the other interfaces.
///
/// # Errors
///
/// Only when there is no header to trust: too short, no TEID, or another version of GTP
/// ([`What::Version`](crate::What::Version); then [`version_not_supported`] answers). Everything
/// else that is wrong comes as a [`Reject`] beside the header, ready for a response.
pub fn decode(octets: &[u8]) -> Result<Decoded<'_>, DecodeError> {
    decode_on(ReferencePoint::S5S8, octets)
}

/// Takes a datagram apart by the presence rules of one interface; see [`decode`].
pub fn decode_on(on: ReferencePoint, octets: &[u8]) -> Result<Decoded<'_>, DecodeError> {
    let mut reader = Reader::new(octets);
    let (header, length) = Header::decode(&mut reader)?;
    // The length field counts from octet 5 on.
    let end = length.saturating_add(4);
    let mut decoded = Decoded {
        header,
        message: Err(Reject::length(None, "message length")),
        ignored: Vec::new(),
        piggybacked: None,
    };
    let body = end
        .checked_sub(reader.at())
        .and_then(|n| reader.take(n).ok());
    let rest = reader.rest();
    let Some(elements) = body.filter(|_| header.piggybacked || rest.is_empty()) else {
        return Ok(decoded);
    };
    if header.piggybacked {
        decoded.piggybacked = Some(rest);
    }
    decoded.message = Message::decode(&header, elements, on);
    decoded.ignored = ignored(header.message_type, elements);
    Ok(decoded)
}

/// Writes a message. The type in the header is that of the message, whatever `header` says; a
/// message that needs a TEID gets zero for `None`.
pub fn encode(header: Header, message: &Message) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let header = Header {
        message_type: message.message_type(),
        ..header
    };
    header.encode(&mut out);
    message.encode(&mut out);
    patch_length(&mut out, 2, 4);
    out
}

/// The Version Not Supported Indication that answers a datagram of a later version of GTP
/// (TS 29.274 §7.7.2). `None` for an earlier version or this one, for what would be a response in
/// this version (two nodes would answer each other for ever), and for a datagram too short to have
/// a sequence number where this version has it.
pub fn version_not_supported(octets: &[u8]) -> Option<Vec<u8>> {
    let [flags, message_type] = *octets.first_chunk()?;
    if flags >> 5 <= 2 || MessageType(message_type).is_response() {
        return None;
    }
    let at = if flags & 0x08 == 0 { 4 } else { 8 };
    let [a, b, c] = *octets.get(at..)?.first_chunk()?;
    let header = Header {
        message_type: MessageType::VERSION_NOT_SUPPORTED,
        teid: None,
        sequence: u32::from_be_bytes([0, a, b, c]),
        piggybacked: false,
    };
    Some(encode(header, &Message::VersionNotSupported))
}
