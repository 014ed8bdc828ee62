//! Configuration, lab and scenario files.

mod lab;
mod node;
mod scenario;

pub use lab::*;
pub use node::*;
pub use scenario::*;
