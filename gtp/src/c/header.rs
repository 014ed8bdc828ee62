use alloc::vec::Vec;
use core::fmt;

use crate::error::{DecodeError, What};
use crate::octets::Reader;

macro_rules! message_types {
    ($($name:ident = $value:literal $text:literal,)*) => {
        impl MessageType {
            $(#[doc = $text] pub const $name: Self = Self($value);)*

            /// The name in TS 29.274 Table 6.1-1, for the types that are named here.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 { $($value => Some($text),)* _ => None }
            }
        }
    };
}

/// GTPv2-C message type, TS 29.274 Table 6.1-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageType(pub u8);

message_types! {
    ECHO_REQUEST = 1 "Echo Request",
    ECHO_RESPONSE = 2 "Echo Response",
    VERSION_NOT_SUPPORTED = 3 "Version Not Supported Indication",
    CREATE_SESSION_REQUEST = 32 "Create Session Request",
    CREATE_SESSION_RESPONSE = 33 "Create Session Response",
    MODIFY_BEARER_REQUEST = 34 "Modify Bearer Request",
    MODIFY_BEARER_RESPONSE = 35 "Modify Bearer Response",
    DELETE_SESSION_REQUEST = 36 "Delete Session Request",
    DELETE_SESSION_RESPONSE = 37 "Delete Session Response",
    CHANGE_NOTIFICATION_REQUEST = 38 "Change Notification Request",
    CHANGE_NOTIFICATION_RESPONSE = 39 "Change Notification Response",
    MODIFY_BEARER_COMMAND = 64 "Modify Bearer Command",
    MODIFY_BEARER_FAILURE_INDICATION = 65 "Modify Bearer Failure Indication",
    DELETE_BEARER_COMMAND = 66 "Delete Bearer Command",
    DELETE_BEARER_FAILURE_INDICATION = 67 "Delete Bearer Failure Indication",
    BEARER_RESOURCE_COMMAND = 68 "Bearer Resource Command",
    BEARER_RESOURCE_FAILURE_INDICATION = 69 "Bearer Resource Failure Indication",
    CREATE_BEARER_REQUEST = 95 "Create Bearer Request",
    CREATE_BEARER_RESPONSE = 96 "Create Bearer Response",
    UPDATE_BEARER_REQUEST = 97 "Update Bearer Request",
    UPDATE_BEARER_RESPONSE = 98 "Update Bearer Response",
    DELETE_BEARER_REQUEST = 99 "Delete Bearer Request",
    DELETE_BEARER_RESPONSE = 100 "Delete Bearer Response",
    DELETE_PDN_CONNECTION_SET_REQUEST = 101 "Delete PDN Connection Set Request",
    DELETE_PDN_CONNECTION_SET_RESPONSE = 102 "Delete PDN Connection Set Response",
    SUSPEND_NOTIFICATION = 162 "Suspend Notification",
    SUSPEND_ACKNOWLEDGE = 163 "Suspend Acknowledge",
    RESUME_NOTIFICATION = 164 "Resume Notification",
    RESUME_ACKNOWLEDGE = 165 "Resume Acknowledge",
    RELEASE_ACCESS_BEARERS_REQUEST = 170 "Release Access Bearers Request",
    RELEASE_ACCESS_BEARERS_RESPONSE = 171 "Release Access Bearers Response",
    DOWNLINK_DATA_NOTIFICATION = 176 "Downlink Data Notification",
    DOWNLINK_DATA_NOTIFICATION_ACKNOWLEDGE = 177 "Downlink Data Notification Acknowledge",
}

impl MessageType {
    /// The triggered message that answers this initial one; `None` for the others.
    pub const fn response(self) -> Option<Self> {
        match self.0 {
            1 | 32 | 34 | 36 | 38 | 95 | 97 | 99 | 101 | 162 | 164 | 170 | 176 | 179 | 200
            | 211 => Some(Self(self.0 + 1)),
            _ => None,
        }
    }

    /// Whether the type is one that answers another.
    pub const fn is_response(self) -> bool {
        if self.0 == Self::VERSION_NOT_SUPPORTED.0 {
            return true;
        }
        match self.0.checked_sub(1) {
            Some(request) => Self(request).response().is_some(),
            None => false,
        }
    }

    /// Whether the message is a command: an initial message that a request of the other side
    /// carries out, with the same sequence number, or a failure indication refuses
    /// (TS 29.274 §4.2.5).
    pub const fn is_command(self) -> bool {
        matches!(self.0, 64 | 66 | 68)
    }

    /// Whether the header of the message has no TEID field (TS 29.274 §5.3).
    pub const fn is_without_teid(self) -> bool {
        matches!(self.0, 1..=3)
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "message type {}", self.0),
        }
    }
}

/// The GTPv2-C header, TS 29.274 §5.1, without its length, which the codec knows.
///
/// ```text
///  octet 1       2      3-4      5-8 if T   9-11       12
///  010 P T MP    type   length   TEID       sequence   priority, spare
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The type of the message.
    pub message_type: MessageType,
    /// The receiver's TEID; `None` for messages without the field (Echo, Version Not Supported),
    /// `Some(0)` when the sender does not know it yet (TS 29.274 §5.5.2).
    pub teid: Option<u32>,
    /// The sequence number, 24 bits.
    pub sequence: u32,
    /// Whether another message follows in the datagram (TS 29.274 §5.5.1).
    pub piggybacked: bool,
}

const VERSION: u8 = 2;

impl Header {
    /// Reads the header and leaves `reader` at the first information element. The second value is
    /// the length field: octets after octet 4.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<(Self, usize), DecodeError> {
        let short = |at| move |_| DecodeError::new(at, What::Truncated);
        let flags = reader.u8().map_err(short(0))?;
        if flags >> 5 != VERSION {
            return Err(DecodeError::new(0, What::Version(flags >> 5)));
        }
        let message_type = MessageType(reader.u8().map_err(short(1))?);
        let length = reader.u16().map_err(short(2))?;
        let teid = if flags & 0x08 == 0 {
            None
        } else {
            Some(reader.u32().map_err(short(4))?)
        };
        if teid.is_none() && !message_type.is_without_teid() {
            return Err(DecodeError::new(0, What::Teid));
        }
        let at = reader.at();
        let word = reader.u32().map_err(short(at))?;
        let header = Self {
            message_type,
            teid,
            // The low octet is the message priority and spare bits.
            sequence: word >> 8,
            piggybacked: flags & 0x10 != 0,
        };
        Ok((header, usize::from(length)))
    }

    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        let without_teid = self.message_type.is_without_teid();
        let t = if without_teid { 0 } else { 0x08 };
        let p = if self.piggybacked { 0x10 } else { 0 };
        out.extend([VERSION << 5 | p | t, self.message_type.0, 0, 0]);
        if !without_teid {
            out.extend(self.teid.unwrap_or(0).to_be_bytes());
        }
        out.extend((self.sequence << 8).to_be_bytes());
    }
}
