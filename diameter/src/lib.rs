//! Diameter base protocol (RFC 6733) and the S6a and S13 applications (TS 29.272), without I/O.
//!
//! Layers, lowest first:
//!
//! * [`Avp`], [`Message`] and [`Deframer`]: octets to values and back. Unknown AVPs survive.
//! * [`dictionary`]: the AVPs by code, as data.
//! * [`base`], [`s6a`] and [`s13`]: commands as structs; AVPs are read in any order.
//! * [`Endpoint`]: all connections of one node, with the peer state machine, the watchdog and the
//!   book of outstanding requests.
//!
//! The machine reads no clock and opens no socket: octets, events and the time go in, octets,
//! messages and the next deadline come out.
//!
//! ```
//! use heiiki_diameter::{Message, s6a::PurgeUeRequest};
//!
//! let request = PurgeUeRequest {
//!     session_id: "mme.example;1;1".into(),
//!     origin_host: "mme.example".into(),
//!     origin_realm: "example".into(),
//!     destination_host: None,
//!     destination_realm: "example".into(),
//!     imsi: "001010000000001".parse().unwrap(),
//!     pur_flags: None,
//!     supported_features: vec![],
//!     route_record: vec![],
//! };
//! let octets = request.to_message().encode();
//! let message = Message::decode(&octets).unwrap();
//! assert_eq!(PurgeUeRequest::from_message(&message).unwrap(), request);
//! ```
#![cfg_attr(not(any(test, feature = "std")), no_std)]

extern crate alloc;

mod avp;
pub mod base;
pub mod dictionary;
mod endpoint;
mod error;
mod fields;
mod framing;
mod mask;
mod message;
mod octets;
mod result;
pub mod s13;
pub mod s6a;
#[cfg(test)]
mod samples;
mod session_id;
#[cfg(test)]
mod tests;

pub use avp::{Avp, AvpRef, Avps, MAX_AVPS};
pub use endpoint::{
    AcceptRule, Certificate, ConnectTo, ConnectionLimits, Counters, Endpoint, EndpointConfig,
    EndpointOutput, NotOpen, RequestHandle, is_in_realm,
};
pub use error::{DecodeError, What};
pub use framing::{DEFAULT_MAX_MESSAGE, Deframer};
pub use mask::mask_secrets;
pub use message::{ApplicationId, CommandCode, Flags, HEADER_LEN, Message};
pub use octets::Octets;
pub use result::{AnswerError, AnswerResult, ResultCode, error_answer};
pub use session_id::SessionIds;
