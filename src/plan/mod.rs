//! What a lab is made of and what is done in it, as values: tenants, access points, SIMs, links,
//! steps and assertions. Files are read into these; tests make them directly.

mod lab;
mod scenario;

pub use lab::*;
pub use scenario::*;
