//! The non-access stratum of EPS: what a UE and an MME say to each other over S1 and Uu.
//!
//! * [`emm`] and [`esm`] hold the messages of TS 24.301 as values, with their codecs.
//! * [`ie`] holds the information elements, one to a file.
//! * [`security`] protects and checks messages: COUNT, MAC, ciphering, replay.
//! * [`kdf`] derives the keys of TS 33.401 from CK and IK downwards.
//!
//! Nothing here keeps the state of a procedure: that is the business of the MME and the UE. Read
//! TS 24.301 §4.4, §8 and §9 first.
//!
//! ```
//! use heiiki_nas::{Direction, emm};
//!
//! let octets = [0x07, 0x44, 0x08]; // ATTACH REJECT with cause #8
//! let message = emm::decode(&octets, Direction::Downlink)?;
//! let emm::Message::AttachReject(reject) = &message else {
//!     return Err("another message".into());
//! };
//! assert_eq!(reject.cause, emm::EmmCause::EPS_AND_NON_EPS_SERVICES_NOT_ALLOWED);
//! assert_eq!(message.encode(), octets);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(not(any(test, feature = "std")), no_std)]

extern crate alloc;

mod code;
mod direction;
mod error;
mod octets;
mod options;
mod plain;

pub mod emm;
pub mod esm;
pub mod ie;
pub mod kdf;
pub mod security;

#[cfg(test)]
mod tests;

pub use direction::Direction;
pub use error::{DecodeError, What};
pub use ie::*;
pub use plain::{Plain, decode_plain};
