//! The SIM authenticator: Milenage, sequence numbers and EPS vectors.
//!
//! K and OPc are known here and in the USIM, and nowhere else. Everything of this module is plain
//! arithmetic over values; the node decides when to call it.

pub mod auts;
pub mod milenage;
pub mod offline;
pub mod sqn;
pub mod vector;
