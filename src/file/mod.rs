//! Configuration, lab and scenario files.
//!
//! Files are TOML and strict: an unknown key, a wrong unit or a clash is refused, and all mistakes
//! of a file are told at once, each with its line, its key and what to do ([`Mistakes`]). What
//! comes out is checked and typed: no name in it is unresolved, no address outside its range.

mod lab;
mod mistake;
mod nearest;
mod node;
mod read;
mod reader;
mod scenario;
#[cfg(test)]
mod tests;
mod value;

use std::path::Path;

pub use lab::*;
pub use mistake::{Mistake, Mistakes};
pub use node::*;
pub use scenario::*;

use mistake::Source;
use reader::Sink;

/// Reads a scenario at a size, and the lab file that it may name.
pub fn load_scenario(path: &Path, size: Size) -> Result<Scenario, Mistakes> {
    load(path, |source, sink| {
        read::scenario(source, path, size, sink)
    })
}

/// Reads a lab file.
pub fn load_lab(path: &Path) -> Result<Lab, Mistakes> {
    load(path, read::lab)
}

/// Reads `hss.toml`.
pub fn load_hss(path: &Path) -> Result<HssFile, Mistakes> {
    load(path, |source, sink| read::hss(source, path, sink))
}

/// Reads `pgw.toml`.
pub fn load_pgw(path: &Path) -> Result<PgwFile, Mistakes> {
    load(path, |source, sink| read::pgw(source, path, sink))
}

/// Reads `ue-sim.toml`, and the subscribers file that it may name.
pub fn load_ue_sim(path: &Path) -> Result<UeSimFile, Mistakes> {
    load(path, |source, sink| read::ue_sim(source, path, sink))
}

/// Reads a subscribers file: CSV when its name ends so, TOML otherwise.
pub fn load_subscribers(path: &Path) -> Result<Vec<Subscriber>, Mistakes> {
    load(path, |source, sink| read::subscribers(source, path, sink))
}

fn load<T>(
    path: &Path,
    read: impl FnOnce(&std::sync::Arc<Source>, &Sink) -> Option<T>,
) -> Result<T, Mistakes> {
    let sink = Sink::default();
    let value = read::open(path, &sink, None).and_then(|source| read(&source, &sink));
    sink.close(value)
}
