//! MME and SGW in one node: attach, detach and sessions.
//!
//! The node stands between the UE (NAS over the modelled S1), the HSS (S6a), the gateway (S5/S8)
//! and the user plane (S1-U and S5-U). It turns what the HSS and the gateway answer into what the
//! UE is told, and it relays the UE's packets while, and only while, a session allows it.
#![cfg_attr(not(any(test, feature = "std")), no_std)]

extern crate alloc;

pub mod config;
pub mod event;
mod node;
pub mod s1;

pub use config::MmeConfig;
pub use event::Event;
pub use node::{Input, Mme, Output};
