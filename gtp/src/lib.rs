//! GTPv2-C and GTPv1-U: the tunnelling protocols of an evolved packet core.
//!
//! Two layers, and neither does I/O:
//!
//! * *formats*: [`u`] is the user plane (TS 29.281), [`c`] the control plane (TS 29.274) of S5/S8
//!   and S11, [`pco`] what a UE and a PGW tell each other inside it (TS 24.008 §10.5.6.3). Decoding
//!   takes any octets and never panics; encoding is the inverse.
//! * *machines*: [`c::Endpoint`] keeps transactions and paths, in the shape of
//!   [`heiiki_types::Machine`].
//!
//! Errors say whose fault they are. A [`DecodeError`] is about octets that are no message at all;
//! a [`c::Reject`] is about a message that breaks a rule, and becomes the cause of the response.
//!
//! ```
//! use heiiki_gtp::c;
//!
//! let header = c::Header {
//!     message_type: c::MessageType::ECHO_REQUEST,
//!     teid: None,
//!     sequence: 1,
//!     piggybacked: false,
//! };
//! let octets = c::encode(header, &c::Message::EchoRequest { recovery: 7 });
//! let decoded = c::decode(&octets).unwrap();
//! assert_eq!(decoded.header, header);
//! assert_eq!(decoded.message, Ok(c::Message::EchoRequest { recovery: 7 }));
//! ```
#![cfg_attr(not(any(test, feature = "std")), no_std)]

extern crate alloc;

pub mod c;
mod error;
mod octets;
pub mod pco;
#[cfg(test)]
mod testing;
pub mod tft;
pub mod u;

pub use error::{DecodeError, What};
