//! `heiiki check`.

use std::path::{Path, PathBuf};

use clap::Args;
use toml::de::DeTable;

use super::config::Kind;
use super::failure::{Exit, Failure, Outcome};
use super::out;
use crate::file::{self, FileKind, Mistakes};

/// Read files of any kind and list all their mistakes
///
/// Exit code 0 when every file is right, 64 otherwise. Nothing is started.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  heiiki check hss.toml pgw.toml ue-sim.toml
  heiiki check fixtures/scenarios/*.toml
  heiiki check --kind lab office.toml")]
pub(super) struct Check {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What kind of file they are. Without it, their keys tell
    #[arg(long, value_enum)]
    kind: Option<Kind>,
}

pub(super) fn execute(args: &Check) -> Outcome {
    let mut exit = Exit::Done;
    for path in &args.files {
        match check(path, args.kind.map(FileKind::from)) {
            Ok(kind) => out::line(format_args!(
                "{}: {}, no mistake",
                path.display(),
                kind.name()
            ))?,
            Err(failure) => exit = failure.report(),
        }
    }
    Ok(exit)
}

fn check(path: &Path, kind: Option<FileKind>) -> Result<FileKind, Failure> {
    let kind = match kind {
        Some(kind) => kind,
        None => detect(path)?,
    };
    read(kind, path)?;
    Ok(kind)
}

/// Reads a file, and the subscribers that an HSS would import.
fn read(kind: FileKind, path: &Path) -> Result<(), Mistakes> {
    if kind == FileKind::Hss {
        let hss = file::load_hss(path)?;
        return match &hss.subscribers {
            Some(subscribers) => file::load_subscribers(subscribers).map(drop),
            None => Ok(()),
        };
    }
    file::check(kind, path)
}

/// The kind of a file, by its keys.
fn detect(path: &Path) -> Result<FileKind, Failure> {
    if path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("csv"))
    {
        return Ok(FileKind::Subscribers);
    }
    let text = std::fs::read_to_string(path).map_err(|e| {
        let help = "give the path of a file that exists and that you may read";
        Failure::usage(format!("{} cannot be read: {e}", path.display()), help)
    })?;
    kind_of(&text).ok_or_else(|| {
        let problem = format!("{}: no key tells what kind of file this is", path.display());
        let help = "say it: --kind hss, pgw, ue-sim, subscribers, lab or scenario";
        Failure::usage(problem, help)
    })
}

/// The kind whose keys the text has most of. What reads as a lab and as a scenario is a lab.
fn kind_of(text: &str) -> Option<FileKind> {
    let (tree, _) = DeTable::parse_recoverable(text);
    let keys: Vec<&str> = tree.get_ref().keys().map(|k| &**k.get_ref()).collect();
    let score = |kind| keys.iter().filter(|k| keys_of(kind).contains(k)).count();
    let mut best = None;
    for kind in FileKind::ALL {
        let score = score(kind);
        if score > best.map_or(0, |(_, s)| s) {
            best = Some((kind, score));
        }
    }
    best.map(|(kind, _)| kind)
}

const fn keys_of(kind: FileKind) -> &'static [&'static str] {
    match kind {
        FileKind::Hss => &[
            "origin_host",
            "origin_realm",
            "store",
            "store_key_file",
            "previous_store_key_files",
            "subscribers",
            "s6a",
            "postgres",
            "front_end",
            "admin",
            "audit",
            "equipment",
            "tokens",
            "mme",
            "peer",
            "gateway",
            "tenant",
        ],
        FileKind::Pgw => &[
            "name",
            "store",
            "operate_token_file",
            "cut_only_token_file",
            "infrastructure",
            "quarantine",
            "s5c",
            "s5u",
            "admin",
            "tenant",
            "apn",
        ],
        FileKind::UeSim => &["store", "subscribers", "mme", "hss", "sgw", "pgw", "card"],
        FileKind::Subscribers => &["subscriber"],
        FileKind::Lab => &["format", "lab", "tenant", "apn", "sim", "link"],
        FileKind::Scenario => &[
            "format", "title", "about", "seed", "lab", "tenant", "apn", "sim", "link", "step",
            "assert", "size", "weaken",
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_told_from_its_defaults() {
        for kind in FileKind::ALL {
            assert_eq!(kind_of(kind.defaults()), Some(kind), "{}", kind.name());
        }
    }

    #[test]
    fn every_key_of_a_printed_file_is_known_here() {
        for kind in FileKind::ALL {
            let (tree, _) = DeTable::parse_recoverable(kind.defaults());
            for key in tree.get_ref().keys() {
                let key: &str = key.get_ref();
                assert!(keys_of(kind).contains(&key), "{key} of {}", kind.name());
            }
        }
    }

    #[test]
    fn a_file_without_a_known_key_is_of_no_kind() {
        assert_eq!(kind_of(""), None);
        assert_eq!(kind_of("colour = \"red\""), None);
        assert_eq!(kind_of("= broken ="), None);
        // A broken line does not hide the kind.
        assert_eq!(kind_of("origin_host = \"x\"\n[s6a\n"), Some(FileKind::Hss));
    }
}
