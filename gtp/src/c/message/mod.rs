//! Messages, TS 29.274 §7, as structs whose fields carry the names of the tables.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::header::{Header, MessageType};
use super::ie::{BEARERS_MAX, BearerContext, Ies, Recovery, ie_type, write};
use crate::error::DecodeError;
use crate::octets::{Reader, patch_length};

mod bearer_resource;
#[cfg(test)]
mod bearer_tests;
mod create_bearer;
mod create_session;
mod delete_bearer;
mod delete_bearer_command;
mod delete_session;
mod modify_bearer;
mod modify_bearer_command;
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
mod update_bearer;

pub use bearer_resource::{BearerResourceCommand, BearerResourceFailureIndication};
pub use create_bearer::{CreateBearerRequest, CreateBearerResponse};
pub use create_session::{CreateSessionRequest, CreateSessionResponse};
pub use delete_bearer::{DeleteBearerRequest, DeleteBearerResponse};
pub use delete_bearer_command::{DeleteBearerCommand, DeleteBearerFailureIndication};
pub use delete_session::{DeleteSessionRequest, DeleteSessionResponse};
pub use modify_bearer::{ModifyBearerRequest, ModifyBearerResponse};
pub use modify_bearer_command::{ModifyBearerCommand, ModifyBearerFailureIndication};
pub use notification::{
    Acknowledge, ChangeNotificationRequest, ChangeNotificationResponse, ResumeNotification,
    SuspendNotification,
};
pub use pdn_connection_set::{DeletePdnConnectionSetRequest, DeletePdnConnectionSetResponse};
pub use presence::ReferencePoint;
pub use reject::{Reject, response};
pub use update_bearer::{UpdateBearerRequest, UpdateBearerResponse};

/// Writes [`Message`] and what depends on its type down from one list: the variant, which has the
/// name of its struct, and the constant that both the type and its presence rules have. Messages
/// with a restart counter come first.
macro_rules! messages {
    (
        recovery { $($with:ident($with_struct:ident) = $with_type:ident,)* }
        without { $($name:ident($struct:ident) = $type:ident,)* }
    ) => {
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
            $(
                #[doc = concat!("A [`", stringify!($with_struct), "`].")]
                $with($with_struct),
            )*
            $(
                #[doc = concat!("A [`", stringify!($struct), "`].")]
                $name($struct),
            )*
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
                    $(Self::$with(_) => MessageType::$with_type,)*
                    $(Self::$name(_) => MessageType::$type,)*
                    Self::Other { message_type, .. } => *message_type,
                }
            }

            /// The restart counter that the sender put into the message.
            pub const fn recovery(&self) -> Option<u8> {
                match self {
                    Self::EchoRequest { recovery } | Self::EchoResponse { recovery } => {
                        Some(*recovery)
                    }
                    Self::CreateSessionRequest(m) => m.recovery,
                    $(Self::$with(m) => m.recovery,)*
                    $(Self::$name(_) => None,)*
                    Self::VersionNotSupported | Self::Other { .. } => None,
                }
            }

            fn decode_known(
                message_type: MessageType,
                ies: &Ies<'_>,
                on: ReferencePoint,
            ) -> Result<Option<Self>, Reject> {
                Ok(Some(match message_type {
                    MessageType::CREATE_SESSION_REQUEST => {
                        let request = CreateSessionRequest::decode(ies, on)?;
                        Self::CreateSessionRequest(Box::new(request))
                    }
                    $(MessageType::$with_type => Self::$with($with_struct::decode(ies, on)?),)*
                    $(MessageType::$type => Self::$name($struct::decode(ies, on)?),)*
                    _ => return Ok(None),
                }))
            }

            fn encode(&self, out: &mut Vec<u8>) {
                match self {
                    Self::EchoRequest { recovery } | Self::EchoResponse { recovery } => {
                        write::<Recovery>(out, 0, recovery);
                    }
                    Self::VersionNotSupported => {}
                    Self::CreateSessionRequest(m) => m.encode(out),
                    $(Self::$with(m) => m.encode(out),)*
                    $(Self::$name(m) => m.encode(out),)*
                    Self::Other { elements, .. } => out.extend(elements),
                }
            }
        }

        const fn table(message_type: MessageType) -> Option<&'static [presence::Rule]> {
            Some(match message_type {
                MessageType::ECHO_REQUEST | MessageType::ECHO_RESPONSE => presence::ECHO,
                MessageType::CREATE_SESSION_REQUEST => presence::CREATE_SESSION_REQUEST,
                $(MessageType::$with_type => presence::$with_type,)*
                $(MessageType::$type => presence::$type,)*
                _ => return None,
            })
        }

        /// Every type whose elements are read here.
        pub const KNOWN_TYPES: &[MessageType] = &[
            MessageType::ECHO_REQUEST,
            MessageType::ECHO_RESPONSE,
            MessageType::VERSION_NOT_SUPPORTED,
            MessageType::CREATE_SESSION_REQUEST,
            $(MessageType::$with_type,)*
            $(MessageType::$type,)*
        ];
    };
}

messages! {
    recovery {
        CreateSessionResponse(CreateSessionResponse) = CREATE_SESSION_RESPONSE,
        ModifyBearerRequest(ModifyBearerRequest) = MODIFY_BEARER_REQUEST,
        ModifyBearerResponse(ModifyBearerResponse) = MODIFY_BEARER_RESPONSE,
        DeleteSessionResponse(DeleteSessionResponse) = DELETE_SESSION_RESPONSE,
        CreateBearerResponse(CreateBearerResponse) = CREATE_BEARER_RESPONSE,
        UpdateBearerResponse(UpdateBearerResponse) = UPDATE_BEARER_RESPONSE,
        DeleteBearerResponse(DeleteBearerResponse) = DELETE_BEARER_RESPONSE,
        ModifyBearerFailureIndication(ModifyBearerFailureIndication)
            = MODIFY_BEARER_FAILURE_INDICATION,
        DeleteBearerFailureIndication(DeleteBearerFailureIndication)
            = DELETE_BEARER_FAILURE_INDICATION,
        BearerResourceFailureIndication(BearerResourceFailureIndication)
            = BEARER_RESOURCE_FAILURE_INDICATION,
        DeletePdnConnectionSetResponse(DeletePdnConnectionSetResponse)
            = DELETE_PDN_CONNECTION_SET_RESPONSE,
    }
    without {
        DeleteSessionRequest(DeleteSessionRequest) = DELETE_SESSION_REQUEST,
        CreateBearerRequest(CreateBearerRequest) = CREATE_BEARER_REQUEST,
        UpdateBearerRequest(UpdateBearerRequest) = UPDATE_BEARER_REQUEST,
        DeleteBearerRequest(DeleteBearerRequest) = DELETE_BEARER_REQUEST,
        ModifyBearerCommand(ModifyBearerCommand) = MODIFY_BEARER_COMMAND,
        DeleteBearerCommand(DeleteBearerCommand) = DELETE_BEARER_COMMAND,
        BearerResourceCommand(BearerResourceCommand) = BEARER_RESOURCE_COMMAND,
        ChangeNotificationRequest(ChangeNotificationRequest) = CHANGE_NOTIFICATION_REQUEST,
        ChangeNotificationResponse(ChangeNotificationResponse) = CHANGE_NOTIFICATION_RESPONSE,
        SuspendNotification(SuspendNotification) = SUSPEND_NOTIFICATION,
        SuspendAcknowledge(Acknowledge) = SUSPEND_ACKNOWLEDGE,
        ResumeNotification(ResumeNotification) = RESUME_NOTIFICATION,
        ResumeAcknowledge(Acknowledge) = RESUME_ACKNOWLEDGE,
        DeletePdnConnectionSetRequest(DeletePdnConnectionSetRequest)
            = DELETE_PDN_CONNECTION_SET_REQUEST,
    }
}

impl Message {
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
        if let MessageType::ECHO_REQUEST | MessageType::ECHO_RESPONSE = header.message_type {
            presence::check(table, on, ies)?;
            let recovery = ies.mandatory::<Recovery>(0)?;
            return Ok(match header.message_type {
                MessageType::ECHO_REQUEST => Self::EchoRequest { recovery },
                _ => Self::EchoResponse { recovery },
            });
        }
        Ok(Self::decode_known(header.message_type, ies, on)?.unwrap_or_else(other))
    }
}

/// What the presence rules of a message say of one of its elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElementRule {
    /// The name of its row.
    pub name: &'static str,
    /// Its type.
    pub ie: u8,
    /// Its instance.
    pub instance: u8,
    /// The type and instance of the grouped element that holds it.
    pub within: Option<(u8, u8)>,
    /// Whether a message without it is refused on S5/S8.
    pub is_due: bool,
}

/// The elements of a message that are read here, in the order of its table; empty for a type that
/// is not read.
pub fn element_rules(message_type: MessageType) -> Vec<ElementRule> {
    table(message_type).map_or_else(Vec::new, presence::element_rules)
}

/// The Bearer Contexts of a message. The presence rules were checked before; in a response that
/// refuses they were not, and what cannot be read is left out.
fn contexts<T: BearerContext>(ies: &Ies<'_>) -> Vec<T> {
    contexts_at(ies, 0)
}

/// As [`contexts`], of another instance.
fn contexts_at<T: BearerContext>(ies: &Ies<'_>, instance: u8) -> Vec<T> {
    ies.all(ie_type::BEARER_CONTEXT, instance)
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
