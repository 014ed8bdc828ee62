//! The real world's side of a node: threads, sockets, files and the clock around a machine.
//!
//! Each node runs on a thread of its own ([`NodeThread`]); that of the HSS polls its S6a sockets
//! itself. Tokio carries other streams and HTTP; user-plane workers are plain threads that wait on
//! their sockets. Nothing here decides anything about the network: a driver moves values between
//! the system and a machine.

mod access;
mod admin;
pub mod audit;
mod epoch_file;
mod hss;
mod hss_store;
mod listen;
mod pgw;
mod runtime;
mod sctp;
mod socket;
mod storage;
mod thread;
mod tls_streams;
mod worker;

use std::sync::{Arc, Mutex, PoisonError};

use heiiki_net::clock;

pub(crate) use access::EnbSetup;
pub use access::{AccessServer, AccessSetup};
pub use admin::{Admin, Events};
pub use audit::AuditLog;
pub use hss::{HssServer, HssSetup};
pub use listen::StartError;
pub use pgw::{PgwServer, PgwSetup, PgwStartError};
pub use runtime::Runtime;
pub use sctp::{S6aTransport, SctpChoice, SctpSetup, SctpWay};
pub use thread::{Inbox, NodeThread};
pub use worker::WorkerThread;

use crate::Link;
use crate::log::{Entry, Frame, NodeEvent, Tap};

/// Where a driver reports its node's events: it gives each its time and name, and passes it on.
pub type Sink = Arc<dyn Fn(NodeEvent) -> Entry + Send + Sync>;

/// A tap that all threads of a process share.
pub type SharedTap = Arc<Mutex<Box<dyn Tap>>>;

/// Where drivers report what crosses their sockets; by default nowhere, at no cost.
#[derive(Clone, Default)]
pub struct Taps(Option<SharedTap>);

impl core::fmt::Debug for Taps {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Taps").field(&self.0.is_some()).finish()
    }
}

impl Taps {
    /// Reports to this tap.
    pub const fn to(tap: SharedTap) -> Self {
        Self(Some(tap))
    }

    /// Whether anybody listens.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Reports one frame.
    pub fn frame(&self, link: Link, frame: &Frame<'_>) {
        if let Some(tap) = &self.0 {
            let now = clock::now();
            tap.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .frame(now.at, now.wall, link, frame);
        }
    }
}
