//! The operating system, as the drivers see it.
//!
//! The only crate of the workspace that makes system calls: clock, UDP and TCP sockets, HTTP,
//! journal files. The machines above know none of it; a driver moves values between the two.
//!
//! Without the feature `sockets` only the format of the [`journal`] is left, which the virtual
//! world's disks share, so that a torn write there meets the recovery code of a real start.

pub mod journal;

#[cfg(feature = "sockets")]
pub mod client;
#[cfg(feature = "sockets")]
pub mod clock;
#[cfg(feature = "sockets")]
pub mod disk;
#[cfg(feature = "sockets")]
pub mod http;
#[cfg(feature = "sockets")]
pub mod postgres;
#[cfg(feature = "sockets")]
pub mod reactor;
#[cfg(feature = "sockets")]
pub mod redb;
#[cfg(feature = "sockets")]
pub mod sctp;
#[cfg(feature = "sockets")]
pub mod store;
#[cfg(feature = "sockets")]
pub mod stream;
#[cfg(feature = "sockets")]
pub mod tls;
#[cfg(feature = "sockets")]
pub mod udp;
