//! Home subscriber server: SIM authenticator, subscriber store and the cut.
//!
//! * [`auc`]: the SIM authenticator. Milenage, sequence numbers and EPS vectors, as plain functions.
//! * [`subscriber`]: subscribers, their life cycle and their rows on the disk.
//! * `s6a`: authentication information, update location, purge and cancel location (TS 29.272).
//! * [`cut`]: taking a SIM's service away, everywhere, with stamps that show when.
//! * [`admin`]: the HTTP interface, as requests and responses.
//! * [`Hss`]: all of it as one machine.
//!
//! The machine reads no clock and opens no socket or file. Its randomness is given to it.
#![cfg_attr(not(any(test, feature = "std")), no_std)]

extern crate alloc;

pub mod admin;
pub mod auc;
pub mod config;
pub mod cut;
mod equipment;
mod event;
mod journal;
mod load;
mod node;
mod provision;
mod refresh;
mod s6a;
pub mod seal;
mod shared;
mod storage;
pub mod subscriber;

pub use config::{
    CarryRule, Gateway, HssConfig, Limits, PeerRule, RefuseAt, RequestRate, SuspendedAnswer,
    Tenant, TenantRule, Timers, Tokens,
};
pub use equipment::{Binding, EquipmentKey, EquipmentPolicy, InvalidKey, List, Otherwise};
pub use event::{Answered, Event, Resynchronisation};
pub use node::{Census, Hss, Input, Output};
pub use seal::{KeyId, StoreKeys};
pub use subscriber::import::{ImportError, ImportFault, SubscriberImport};
pub use subscriber::{ApnSubscription, PdnKind, Profile, ProfileOptions, State, SubscribedApn};

#[cfg(test)]
mod tests;
