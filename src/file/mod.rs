//! Configuration, lab and scenario files.
//!
//! Files are TOML and strict: an unknown key, a wrong unit or a clash is refused, and all mistakes
//! of a file are told at once, each with its line, its key and what to do ([`Mistakes`]). What
//! comes out is checked and typed: no name in it is unresolved, no address outside its range.

mod blame;
mod defaults;
mod mistake;
mod nearest;
mod node;
mod read;
mod reader;
#[cfg(test)]
mod tests;
mod value;

use std::path::Path;

pub use crate::plan::*;
pub use blame::blame;
pub use defaults::FileKind;
pub use mistake::{Mistake, Mistakes};
pub(crate) use nearest::nearest;
pub use node::*;
pub(crate) use value::admin_url;

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

/// Reads a file of a kind, for its mistakes alone.
pub fn check(kind: FileKind, path: &Path) -> Result<(), Mistakes> {
    match kind {
        FileKind::Hss => load_hss(path).map(drop),
        FileKind::Pgw => load_pgw(path).map(drop),
        FileKind::UeSim => load_ue_sim(path).map(drop),
        FileKind::Subscribers => load_subscribers(path).map(drop),
        FileKind::Lab => load_lab(path).map(drop),
        // A mistake in the thresholds of one size is found at every size; too few SIMs for the
        // names in the steps are not.
        FileKind::Scenario => [Size::Ci, Size::Dev, Size::Full]
            .iter()
            .try_for_each(|size| load_scenario(path, *size).map(drop)),
    }
}

fn load<T>(
    path: &Path,
    read: impl FnOnce(&std::sync::Arc<Source>, &Sink) -> Option<T>,
) -> Result<T, Mistakes> {
    let sink = Sink::default();
    let value = read::open(path, &sink, None).and_then(|source| read(&source, &sink));
    sink.close(value)
}
