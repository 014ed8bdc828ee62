//! Under construction.
#[cfg(feature = "cli")]
pub mod file;
