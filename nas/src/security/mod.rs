//! NAS security, TS 24.301 §4.4: what protects a message and what may be believed without it.

mod algorithm;
mod context;
mod count;
mod eea2;
mod eia2;
mod header;
mod unprotected;

pub use crate::Direction;
pub use algorithm::{Eea, Eia};
pub use context::{NasSecurityContext, SecurityError, Unprotected};
pub use count::{CountExhausted, NasCount};
pub use eea2::eea2;
pub use eia2::{eia2, eia2_bits};
pub use header::{Header, SecurityHeader, peek_header, plain_of_protected};
pub use unprotected::{processed_unprotected, processed_unverified};

#[cfg(test)]
mod tests;
