//! The audit log of the HSS: what was refused, ordered and changed, in a chain of hashes.
//!
//! One record is one line of JSON in `audit.ndjson`, beside the store:
//!
//! ```json
//! {"seq":7,"time":"2026-01-05T09:00:00.000000Z","event":"peer_refused", ..., "prev":"..","hash":".."}
//! ```
//!
//! `hash` is SHA-256 over the octets of the line before `,"hash"`, and `prev` is the `hash` of the
//! line before. So a line that is edited no longer has its hash, and one that is removed, added or
//! moved breaks the link of the next; any tool that knows SHA-256 can tell. Where the end is cut
//! off the chain alone says nothing: compare its head with a copy kept elsewhere (`audit.head`
//! beside the log, the `ready` line, `GET /v1/audit/head`).
//!
//! * [`chain`]: the lines and their verification;
//! * [`select`]: which events become records, and how a flood is counted instead;
//! * `driver::audit`: the file.

pub mod chain;
pub mod select;

pub use chain::{Flaw, Head, Walk};
