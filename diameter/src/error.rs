use core::fmt;

/// Octets that are not what they should be, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Offset in the message, or in the data that was given.
    pub at: u32,
    /// What is wrong there.
    pub what: What,
}

/// What is wrong with the octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// Fewer octets than the header needs.
    Truncated {
        /// Octets needed.
        need: u32,
        /// Octets there.
        have: u32,
    },
    /// The version octet is not 1.
    Version(u8),
    /// The message length is below 20, not a multiple of four, or not the number of octets given.
    MessageLength(u32),
    /// The message is longer than the limit of the connection.
    MessageTooLong(u32),
    /// The AVP length is shorter than the AVP header, or longer than what surrounds the AVP.
    AvpLength(u32),
    /// More AVPs in one message than [`MAX_AVPS`](crate::MAX_AVPS).
    TooManyAvps,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            What::Truncated { need, have } => write!(f, "{have} octets where {need} are needed"),
            What::Version(v) => write!(f, "Diameter version {v}"),
            What::MessageLength(n) => write!(f, "message length {n} is wrong"),
            What::MessageTooLong(n) => write!(f, "message of {n} octets is longer than allowed"),
            What::AvpLength(n) => write!(f, "AVP length {n} does not fit"),
            What::TooManyAvps => f.write_str("too many AVPs"),
        }?;
        write!(f, " at octet {}", self.at)
    }
}

impl core::error::Error for DecodeError {}
