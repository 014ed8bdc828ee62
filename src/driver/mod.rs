//! The real world's side of a node: threads, sockets, files and the clock around a machine.
//!
//! Each node runs on a thread of its own ([`NodeThread`]). Tokio carries S6a connections and HTTP;
//! user-plane workers are plain threads that wait on their sockets. Nothing here decides anything
//! about the network: a driver moves values between the system and a machine.

mod access;
mod admin;
mod hss;
mod listen;
mod pgw;
mod runtime;
mod socket;
mod storage;
mod thread;
mod worker;

use std::sync::Arc;

pub use access::{AccessServer, AccessSetup};
pub use admin::{Admin, Events};
pub use hss::{HssServer, HssSetup};
pub use listen::StartError;
pub use pgw::{PgwServer, PgwSetup, PgwStartError};
pub use runtime::Runtime;
pub use thread::{Inbox, NodeThread};
pub use worker::WorkerThread;

use crate::log::{Entry, NodeEvent};

/// Where a driver reports its node's events: it gives each its time and name, and passes it on.
pub type Sink = Arc<dyn Fn(NodeEvent) -> Entry + Send + Sync>;
