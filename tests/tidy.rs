//! Rules of the house that a compiler does not know.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// Lines that a source file may have; tests are not counted.
const MAX_LINES: usize = 600;

fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in [
        "src",
        "epc-types",
        "gtp",
        "diameter",
        "nas",
        "hss",
        "mme",
        "pgw",
        "ue-sim",
        "net",
        "tests",
    ] {
        collect(&root.join(folder), &mut found);
    }
    assert!(found.len() > 100, "the sources were not found");
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.ends_with("net/vendor") {
            continue; // Not ours: its form is upstream's.
        }
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn is_test(path: &Path) -> bool {
    path.components()
        .any(|c| matches!(c.as_os_str().to_str(), Some("tests" | "tests.rs")))
}

#[test]
fn source_files_are_short() {
    for path in sources().iter().filter(|p| !is_test(p)) {
        let text = fs::read_to_string(path).unwrap();
        let code = text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        let lines = code.lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines", path.display());
    }
}

#[test]
fn every_note_for_later_says_its_kind() {
    // Written in two parts, so that this file does not find itself.
    let bare = [
        concat!("TO", "DO:"),
        concat!("TO", "DO "),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
    ];
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            let found = bare.iter().find(|word| line.contains(**word));
            assert!(found.is_none(), "{}:{}: {line}", path.display(), number + 1);
        }
    }
}

#[test]
fn no_module_is_a_bag() {
    for path in sources() {
        let stem = path
            .file_stem()
            .and_then(|s| s.to_str())
            .unwrap_or_default();
        let bag = ["utils", "util", "common", "helpers", "manager", "misc"].contains(&stem);
        assert!(!bag, "{} has a name that says nothing", path.display());
    }
}
