//! UE simulator: USIM, NAS, IP stack and eNB.
//!
//! From the card outwards:
//!
//! * [`usim`]: the card. It checks AUTN as a real one does and keeps its sequence numbers.
//! * [`stack`]: the IP host behind the radio: ping, DNS, HTTP, probes, injected packets.
//! * [`ue`]: the terminal: EMM and ESM of TS 24.301 with its timers, around one card and one stack.
//! * [`enb`]: a base station with its terminals; the [`Machine`](heiiki_types::Machine) that a
//!   driver runs. S1 messages and S1-U datagrams on one side, [`UeCommand`]s and [`Event`]s on the
//!   other.
//!
//! Read before changing: TS 24.301 §5.4, §5.5.1, §5.5.2; TS 33.102 §6.3 and Annex C.
#![cfg_attr(not(any(test, feature = "std")), no_std)]

extern crate alloc;

#[cfg(test)]
mod bed;
mod command;
pub mod enb;
mod event;
mod profile;
pub mod stack;
pub mod timers;
pub mod ue;
pub mod usim;

pub use command::{NasProtection, UeCommand, UeId};
pub use enb::{Enb, EnbConfig, Input, Output};
pub use event::{Digest, Event, ProbeOutcome, Restriction, StreamReport};
pub use profile::{RejectTolerance, UeProfile};
