//! The SIM authenticator: Milenage and sequence numbers.
//!
//! K and OPc are known here and in the USIM, and nowhere else. Everything of this module is plain
//! arithmetic over values; the node decides when to call it.

pub mod milenage;
