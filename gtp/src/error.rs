use core::fmt;

/// What is wrong with the octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// The message ends before the field does.
    Truncated,
    /// A length field disagrees with the octets that are there.
    Length,
    /// Not the version of this protocol; the value is the version field.
    Version(u8),
    /// GTP' (the protocol type bit is clear) where GTP is expected.
    ProtocolType,
    /// No TEID where the message needs one, or a TEID of zero that must not be.
    Teid,
    /// A message type that this codec does not read.
    MessageType(u8),
    /// An extension header of this type must be understood, and is not
    /// (TS 29.281 §5.2.1).
    ExtensionHeader(u8),
    /// A mandatory information element of this type is missing.
    MissingIe(u8),
    /// An information element of this type holds a value that cannot be.
    BadIe(u8),
    /// A value that the field cannot hold.
    Value,
}

/// Octets that are not a message: where and what. It says nothing about policy, and it is small
/// enough to count and log per packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Offset of the field in the octets given, in octets.
    pub at: u16,
    /// What is wrong there.
    pub what: What,
}

impl DecodeError {
    pub(crate) fn new(at: usize, what: What) -> Self {
        // Datagrams are shorter than 64 KiB; what lies beyond points at the end.
        let at = u16::try_from(at).unwrap_or(u16::MAX);
        Self { at, what }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            What::Truncated => write!(f, "truncated"),
            What::Length => write!(f, "a length disagrees with the octets"),
            What::Version(v) => write!(f, "GTP version {v}"),
            What::ProtocolType => write!(f, "GTP' instead of GTP"),
            What::Teid => write!(f, "no TEID, or a TEID of zero"),
            What::MessageType(t) => write!(f, "message type {t}"),
            What::ExtensionHeader(t) => write!(f, "extension header {t:#04x} is not understood"),
            What::MissingIe(t) => write!(f, "information element {t} is missing"),
            What::BadIe(t) => write!(f, "information element {t} has a bad value"),
            What::Value => write!(f, "a value that cannot be"),
        }?;
        write!(f, " at octet {}", self.at)
    }
}

impl core::error::Error for DecodeError {}
