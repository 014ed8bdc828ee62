//! Under construction.
#[cfg(feature = "cli")]
pub mod file;
pub mod observe;
pub mod plan;
