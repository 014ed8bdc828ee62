//! The SGW: sessions, their tunnels and the relay between them.

mod relay;
mod session;

pub use relay::Counters;
pub(crate) use relay::{Relayed, Sgw, Side};
pub(crate) use session::{Session, SessionKey, Wanted};
