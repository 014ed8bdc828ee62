//! MME and SGW in one node: attach, detach and sessions.
//!
//! The node stands between the UE (NAS over the modelled S1), the HSS (S6a), the gateway (S5/S8)
//! and the user plane (S1-U and S5-U). It turns what the HSS and the gateway answer into what the
//! UE is told, and it relays the UE's packets while, and only while, a session allows it.
//!
//! * [`s1`]: the messages of eNBs.
//! * `emm`: the UEs and their procedures; [`State`] is the table of their states.
//! * `sgw`: sessions, tunnels and the relay.
//! * [`result_table`]: what a UE is told when the HSS refuses.
//! * [`Mme`]: the machine that holds it all together.
#![cfg_attr(not(any(test, feature = "std")), no_std)]

extern crate alloc;

mod cause_map;
pub mod config;
mod emm;
pub mod event;
mod limits;
mod node;
pub mod result_table;
pub mod s1;
mod sgw;
#[cfg(test)]
mod tests;
pub mod timers;

pub use config::{Equipment, MmeConfig};
pub use emm::fsm::{self, State};
pub use event::{DetachReason, Direction, Event};
pub use limits::Limits;
pub use node::{ContextSnapshot, Input, Mme, Output, SessionSnapshot};
pub use result_table::ResultTable;
pub use sgw::Counters;
