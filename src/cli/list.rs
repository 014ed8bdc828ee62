//! `heiiki list`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::client::table;
use super::failure::{Exit, Failure, Outcome};
use super::out;
use crate::file::{self, Size};

/// List the scenarios in a folder with their titles
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  heiiki list
  heiiki list fixtures/scenarios")]
pub(super) struct List {
    /// The folder
    #[arg(value_name = "FOLDER", default_value = "fixtures/scenarios")]
    folder: PathBuf,
}

pub(super) fn execute(args: &List) -> Outcome {
    let files = files(&args.folder).map_err(|e| {
        let help = "name a folder with scenario files";
        Failure::usage(
            format!("{} cannot be read: {e}", args.folder.display()),
            help,
        )
    })?;
    let mut rows = Vec::new();
    for path in files {
        let title = match file::load_scenario(&path, Size::Ci) {
            Ok(scenario) => scenario.title,
            Err(mistakes) => {
                let count = mistakes.iter().count();
                format!(
                    "(has {count} mistakes: see `heiiki check {}`)",
                    path.display()
                )
            }
        };
        rows.push(vec![path.display().to_string(), title]);
    }
    if rows.is_empty() {
        out::line(format_args!("no scenario in {}", args.folder.display()))?;
    }
    out::text(&table(&rows))?;
    Ok(Exit::Done)
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
