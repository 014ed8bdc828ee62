//! The IP host behind the radio.

/// Octets that every probe payload has.
pub const PAYLOAD_MIN: u16 = 24;
