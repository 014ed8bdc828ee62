//! The PDN gateway of a closed mobile network, and its corporate segments.
//!
//! Three kinds of machine from the start: one [`control::Control`], some
//! [`user_plane::Worker`]s and as many [`sgi::Segment`] shards. Control owns the sessions and the
//! bars and tells the workers by table updates; a change that must be over (a cut) is over when
//! every worker has answered. [`Pgw`] composes control and workers in one thread, which is what
//! the virtual world runs; a driver for real sockets puts each on a thread of its own.
//!
//! What leaves a tenant is decided by types: [`egress::ClosedEgress`] is made of checked declared
//! prefixes only, and there is no default route.
//!
//! Read before changing: TS 29.274 §7.2, TS 29.281 §5 and §7, and the page on the cut.
#![cfg_attr(not(any(test, feature = "std")), no_std)]

extern crate alloc;

mod address_set;
pub mod config;
pub mod control;
pub mod egress;
mod event;
mod node;
mod refusal;
pub mod sgi;
pub mod user_plane;

pub use address_set::AddressSet;
pub use config::{
    AccessId, ApnConfig, Authentication, BearerRule, BearerWhen, ConfigError, DeclaredPrefix,
    Families, FramedRoute, GroupConfig, GroupId, HostConfig, Limits, Mistake, Network, PgwConfig,
    PrefixRefusal, SelectionMode, Service, SpoofPolicy, TenantConfig, TenantId, Tokens, UeToUe,
    User, WorkerConfig,
};
pub use event::{EndReason, Event};
pub use node::{Input, Output, Pgw};
pub use refusal::{Refusal, RefusalCounts};

#[cfg(test)]
mod tests;
