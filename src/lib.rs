//! A closed mobile network in a box.

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
