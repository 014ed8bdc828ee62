use super::Direction;
use crate::emm::{EmmCause, Message, MessageType};
use crate::{IdentityType, MobileIdentity};

/// What the UE takes without protection before secure exchange is established, TS 24.301 §4.4.4.2.
const UE_TAKES: &[MessageType] = &[
    MessageType::IDENTITY_REQUEST,
    MessageType::AUTHENTICATION_REQUEST,
    MessageType::AUTHENTICATION_REJECT,
    MessageType::ATTACH_REJECT,
    MessageType::DETACH_ACCEPT,
    MessageType::TRACKING_AREA_UPDATE_REJECT,
    MessageType::SERVICE_REJECT,
];

/// What the MME takes without protection before secure exchange is established, TS 24.301
/// §4.4.4.3.
const MME_TAKES: &[MessageType] = &[
    MessageType::ATTACH_REQUEST,
    MessageType::IDENTITY_RESPONSE,
    MessageType::AUTHENTICATION_RESPONSE,
    MessageType::AUTHENTICATION_FAILURE,
    MessageType::SECURITY_MODE_REJECT,
    MessageType::DETACH_REQUEST,
    MessageType::DETACH_ACCEPT,
    MessageType::TRACKING_AREA_UPDATE_REQUEST,
];

/// What the MME also takes when it is protected but the MAC is wrong or cannot be checked, TS
/// 24.301 §4.4.4.3. A plain SERVICE REQUEST does not exist: it has a header type of its own.
const MME_TAKES_UNVERIFIED: &[MessageType] = &[
    MessageType::EXTENDED_SERVICE_REQUEST,
    MessageType::CONTROL_PLANE_SERVICE_REQUEST,
];

/// Whether an EMM message without integrity protection may be processed at all.
///
/// That holds only *until* secure exchange of NAS messages is established on the connection;
/// after it, nothing without a valid MAC is processed. It also is not leave to believe the
/// message: a network that takes an ATTACH REQUEST or a DETACH REQUEST without a valid MAC
/// authenticates the subscriber before it changes anything, or ignores it (TS 24.301 §4.4.4.3).
/// Some messages depend on their contents too: [`Message::may_be_unprotected`].
///
/// No ESM message is processed without protection but the PDN CONNECTIVITY REQUEST inside an
/// ATTACH REQUEST.
pub fn processed_unprotected(direction: Direction, message_type: MessageType) -> bool {
    match direction {
        Direction::Uplink => MME_TAKES.contains(&message_type),
        Direction::Downlink => UE_TAKES.contains(&message_type),
    }
}

/// Whether an EMM message that is protected, but with a MAC that is wrong or that cannot be checked
/// for lack of the context, may be processed. The same limits hold as for
/// [`processed_unprotected`]. A UE takes no such message beyond those.
pub fn processed_unverified(direction: Direction, message_type: MessageType) -> bool {
    processed_unprotected(direction, message_type)
        || direction == Direction::Uplink && MME_TAKES_UNVERIFIED.contains(&message_type)
}

impl Message {
    /// Whether this message may be processed without integrity protection before secure exchange
    /// is established: its type is on the list, and its contents are such that the list counts
    /// (TS 24.301 §4.4.4.2, §4.4.4.3).
    pub fn may_be_unprotected(&self, direction: Direction) -> bool {
        let contents = match self {
            Self::IdentityRequest(m) => m.identity_type == IdentityType::IMSI,
            // Whoever lacks an IMSI says that it has no identity.
            Self::IdentityResponse(m) => matches!(
                m.identity,
                MobileIdentity::Imsi(_) | MobileIdentity::NoIdentity
            ),
            Self::AttachReject(m) => m.cause != EmmCause::NOT_AUTHORIZED_FOR_CSG,
            _ => true,
        };
        contents && processed_unprotected(direction, self.message_type())
    }
}
