use core::fmt;

use crate::emm::EmmCause;
use crate::esm::EsmCause;

/// Octets that are not a NAS message, or not one this crate knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Offset of the octet where it went wrong.
    pub at: u16,
    /// What is wrong there.
    pub what: What,
}

/// What is wrong with the octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The message ends before its message type: it is ignored (TS 24.301 §7.2).
    TooShort,
    /// The protocol discriminator is another one.
    Protocol(u8),
    /// The security header type says that the message is not plain.
    Protected(u8),
    /// The message type is unknown, or does not go in this direction (TS 24.301 §7.4).
    MessageType(u8),
    /// The message ends inside its mandatory part (TS 24.301 §7.5.1).
    Truncated,
    /// A mandatory information element has contents that it cannot have (TS 24.301 §7.5.1).
    Mandatory,
    /// An unknown information element that must be understood (TS 24.007 §11.2.5), by its IEI.
    ComprehensionRequired(u8),
}

impl What {
    pub(crate) fn at(self, offset: usize) -> DecodeError {
        DecodeError {
            at: u16::try_from(offset).unwrap_or(u16::MAX),
            what: self,
        }
    }

    const fn code(self) -> Option<u8> {
        match self {
            Self::TooShort | Self::Protocol(_) | Self::Protected(_) => None,
            Self::MessageType(_) => Some(97),
            Self::Truncated | Self::Mandatory | Self::ComprehensionRequired(_) => Some(96),
        }
    }
}

impl DecodeError {
    /// The cause for an EMM STATUS, or `None` when the octets are to be ignored (TS 24.301 §7.2,
    /// §7.4, §7.5.1).
    pub fn emm_cause(self) -> Option<EmmCause> {
        self.what.code().map(EmmCause)
    }

    /// The cause for an ESM STATUS or a reject, or `None` when the octets are to be ignored.
    pub fn esm_cause(self) -> Option<EsmCause> {
        self.what.code().map(EsmCause)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            What::TooShort => f.write_str("shorter than a message header"),
            What::Protocol(pd) => write!(f, "protocol discriminator {pd}"),
            What::Protected(header) => write!(f, "security header type {header}, not plain"),
            What::MessageType(t) => write!(f, "unknown message type {t:#04x}"),
            What::Truncated => f.write_str("ends inside its mandatory part"),
            What::Mandatory => f.write_str("invalid mandatory information"),
            What::ComprehensionRequired(iei) => {
                write!(f, "information element {iei:#04x} must be understood")
            }
        }?;
        write!(f, " (octet {})", self.at)
    }
}

impl core::error::Error for DecodeError {}
