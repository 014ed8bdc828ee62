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
//! ```
//! use std::sync::Arc;
//!
//! use heiiki_mme::s1::{EnbId, Message};
//! use heiiki_types::{Ecgi, Key128, Machine, Now, Rng, Tac, Tai};
//! use heiiki_ue_sim::usim::Usim;
//! use heiiki_ue_sim::{Enb, EnbConfig, Input, Output, UeCommand, UeProfile};
//!
//! let plmn = "00101".parse()?;
//! let config = EnbConfig {
//!     id: EnbId(1),
//!     tai: Tai { plmn, tac: Tac(1) },
//!     ecgi: Ecgi { plmn, eci: 0x101 },
//!     s1u_local: "127.0.1.1:2152".parse()?,
//! };
//! let mut enb = Enb::new(config, Rng::from_seed(1));
//! let profile = Arc::new(UeProfile::new("35693803564380".parse()?));
//! let k = Key128::from_hex("465b5ce8b199b49faa5f0a2ee238a6bc")?;
//! let opc = Key128::from_hex("cd63cb71954a9f4e48a5994e37a02baf")?;
//! let usim = Usim::new("001010000000001".parse()?, k, opc);
//! let ue = enb.add_ue(profile, usim).ok_or("the cell is full")?;
//!
//! let command = UeCommand::Attach;
//! enb.handle_input(Now::default(), Input::Command { ue, command });
//! assert!(matches!(enb.poll_output(), Some(Output::Event { .. })));
//! assert!(matches!(
//!     enb.poll_output(),
//!     Some(Output::S1(Message::InitialUeMessage { .. }))
//! ));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
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
