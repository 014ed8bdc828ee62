//! Identities and quantities of an evolved packet core.
//!
//! Values only: nothing here talks to a network, reads a clock or decides anything. Every other
//! crate of the workspace builds on these names, which are the ones of the specifications
//! (`Imsi`, `Apn`, `PlmnId`, `Ebi`, `Teid`).
//!
//! The crate also fixes the *shape of a machine*: the one way in which time, messages, storage and
//! randomness go into a deterministic core and come out of it ([`Machine`]).
#![cfg_attr(not(any(test, feature = "std")), no_std)]

extern crate alloc;

mod apn;
mod hex;
mod http;
mod identity;
mod io;
mod location;
mod machine;
mod prefix;
mod protections;
mod qos;
mod rng;
#[cfg(feature = "schema")]
pub mod schema;
mod secret;
mod shared;
mod storage;
mod time;
mod ue_address;

pub use apn::{Apn, InvalidApn};
pub use hex::{InvalidHex, from_hex, to_hex};
pub use http::{Headers, HttpRequest, HttpResponse, Method, Token};
pub use identity::{Guti, Imei, Imsi, InvalidIdentity, Msisdn};
pub use io::{CallId, ConnId, Datagram, Lane, StreamInput, StreamOutput};
pub use location::{Ecgi, InvalidPlmnId, PlmnId, Tac, Tai};
pub use machine::{Machine, Now};
pub use prefix::{InvalidPrefix, Prefix};
pub use protections::Protections;
pub use qos::{Ambr, Arp, Ebi, InvalidEbi, Qci, Teid};
pub use rng::Rng;
pub use secret::{InvalidKey, Key128, Key256, constant_time_eq};
pub use shared::{Guard, SharedInput, SharedOutput};
pub use storage::{PART, PersistSeq, Record, StorageInput, StorageOutput};
pub use time::{Instant, WallTime};
pub use ue_address::{InvalidUeAddresses, Prefix64, UeAddresses, UeIpv6};

pub use core::time::Duration;
