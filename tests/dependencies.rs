//! Holds `Cargo.lock` against the list of crates that somebody looked at, and their licences
//! against those that this project may be combined with.
//!
//! After a change: `UPDATE=1 cargo test --test dependencies -- --include-ignored`, then read the
//! difference and give a new direct dependency its reason in ADR 0002.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]

use core::fmt::Write as _;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Licences that may be in the tree. An expression passes when one of its alternatives is made of
/// these alone.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn list_path() -> PathBuf {
    root().join("fixtures/dependencies.txt")
}

/// The listed crates and their licences, one `name = licence` a line.
fn listed() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(list_path()).unwrap_or_default();
    text.lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.split_once(" = "))
        .map(|(name, licence)| (name.to_owned(), licence.to_owned()))
        .collect()
}

/// The names in `Cargo.lock` that do not come from this workspace.
fn locked() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let mut names = BTreeSet::new();
    for package in text.split("[[package]]").skip(1) {
        let field = |key: &str| {
            package.lines().find_map(|l| {
                l.strip_prefix(key)?
                    .strip_prefix(" = \"")?
                    .strip_suffix('"')
            })
        };
        if field("source").is_some() {
            names.insert(field("name").unwrap().to_owned());
        }
    }
    names
}

#[test]
fn every_locked_crate_is_listed_and_none_is_listed_in_vain() {
    if std::env::var_os("UPDATE").is_some() {
        return; // The other test writes the list.
    }
    let (locked, listed) = (locked(), listed());
    let unknown: Vec<_> = locked.iter().filter(|n| !listed.contains_key(*n)).collect();
    let gone: Vec<_> = listed.keys().filter(|n| !locked.contains(*n)).collect();
    assert!(unknown.is_empty(), "not on the list: {unknown:?}");
    assert!(gone.is_empty(), "on the list but no longer used: {gone:?}");
}

#[test]
fn every_listed_licence_is_acceptable() {
    for (name, licence) in listed() {
        assert!(acceptable(&licence), "{name} has the licence {licence}");
    }
}

/// The licences as the crates themselves state them.
#[test]
#[ignore = "needs the manifests of every dependency, also those of other systems"]
fn the_list_agrees_with_the_crates() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version", "1"])
        .arg("--manifest-path")
        .arg(root().join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut stated = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        if package["source"].is_null() {
            continue;
        }
        let name = package["name"].as_str().unwrap().to_owned();
        let licence = package["license"]
            .as_str()
            .unwrap_or("none")
            .replace('/', " OR ");
        let licence = licence.split_whitespace().collect::<Vec<_>>().join(" ");
        stated.insert(name, licence);
    }
    if std::env::var_os("UPDATE").is_some() {
        write(&list_path(), &stated);
    }
    assert_eq!(
        stated,
        listed(),
        "run with UPDATE=1 and read the difference"
    );
}

fn write(path: &Path, stated: &BTreeMap<String, String>) {
    let mut text =
        "# Every crate in Cargo.lock and its licence. See tests/dependencies.rs.\n".to_owned();
    for (name, licence) in stated {
        writeln!(text, "{name} = {licence}").unwrap();
    }
    std::fs::write(path, text).unwrap();
}

fn acceptable(expression: &str) -> bool {
    // Enough of the SPDX grammar for what the registry holds: OR binds last, brackets are flat.
    let flat = expression.replace(['(', ')'], "");
    flat.split(" OR ").any(|choice| {
        choice
            .split(" AND ")
            .all(|licence| LICENCES.contains(&licence.trim()))
    })
}

#[test]
fn an_unlisted_licence_does_not_pass() {
    assert!(acceptable("MIT OR Apache-2.0"));
    assert!(acceptable("(MIT OR Apache-2.0) AND Unicode-3.0"));
    assert!(acceptable("GPL-3.0 OR MIT"));
    for bad in [
        "GPL-3.0",
        "AGPL-3.0-only",
        "MIT AND GPL-2.0",
        "WTFPL",
        "none",
    ] {
        assert!(!acceptable(bad), "{bad}");
    }
}
