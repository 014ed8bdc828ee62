//! A closed mobile network in a box: HSS, MME, PGW and phones, in virtual time or on real sockets.
//!
//! A whole network fits into a test. It needs no privileges, takes milliseconds, and gives the same
//! result for the same seed:
//!
//! ```
//! use heiiki::Lab;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut lab = Lab::builder()
//!     .seed(7)
//!     .tenant("acme", "10.20.0.0/16")
//!     .sim("pc-1", "acme")
//!     .build()?;
//!
//! // The SIM proves itself with EPS-AKA, and reaches the company's intranet and nothing else.
//! lab.attach("pc-1")?;
//! assert_eq!(lab.get("pc-1", "http://intranet/")?.status, 200);
//! assert!(!lab.ping("pc-1", [8, 8, 8, 8].into()).is_answered());
//!
//! // It is lost. The cut is dark when nothing of it passes any more, in either direction.
//! let cut = lab.suspend("pc-1", "lost on the train")?;
//! assert!(cut.dark);
//! assert!(lab.get("pc-1", "http://intranet/").is_err());
//!
//! // Whoever finds it is told not to come back, in a message that the phone must believe.
//! let refused = lab.attach("pc-1").unwrap_err();
//! assert_eq!(refused.to_string(), "rejected with #8, protected");
//! # Ok(())
//! # }
//! ```
//!
//! While a test runs, the invariants of a closed network are checked after every step: no packet of
//! one tenant reaches another, nothing leaves for an undeclared destination, a dark SIM has no
//! session, no key crosses a link. A broken one panics with the seed.
//!
//! * [`Lab`] is the test API: attach, fetch, probe, suspend, crash, restart, wait.
//! * [`lab::Builder`] describes a network in a few lines; [`plan`] holds every knob.
//! * [`world`] is the virtual network: links that lose, double, delay, reorder and damage messages,
//!   rules that pick one message, disks that keep what was synced.
//! * [`log`] is everything that happened.
//!
//! Without the default feature `cli` this is all there is, and no command line, socket or file
//! format comes with it. With it, [`scenario`] runs files, [`real`] runs the same network on
//! loopback sockets, and [`driver`] holds the servers.

#[cfg(feature = "cli")]
pub mod audit;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod driver;
#[cfg(feature = "cli")]
pub mod file;
pub mod lab;
pub mod log;
#[cfg(feature = "cli")]
pub mod observe;
pub mod plan;
#[cfg(feature = "cli")]
pub mod real;
#[cfg(feature = "cli")]
pub mod scenario;
pub mod swarm;
pub mod world;

pub use lab::Lab;
pub use world::Link;
