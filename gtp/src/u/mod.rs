//! GTPv1-U, TS 29.281: what carries user packets.
//!
//! [`decode_gpdu`] and [`encode_gpdu_header`] are the way of a user packet: eight octets, no
//! allocation. [`decode`] and [`encode`] are for everything else.

mod extension;
mod header;
mod message;
#[cfg(test)]
mod tests;

pub use extension::SUPPORTED_EXTENSION_HEADERS;
pub use header::{G_PDU_HEADER_LEN, decode_gpdu, encode_gpdu_header};
pub use message::{Message, decode, encode};

/// The UDP port of GTP-U (TS 29.281 §4.4.2).
pub const PORT: u16 = 2152;
