//! Runs the binaries as a user would.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of its own for one test; goes with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("heiiki-test-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, and gives its path as text.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One of the binaries of this package.
pub(crate) fn binary(name: &str) -> &'static Path {
    Path::new(match name {
        "heiiki" => env!("CARGO_BIN_EXE_heiiki"),
        "hss" => env!("CARGO_BIN_EXE_hss"),
        "pgw" => env!("CARGO_BIN_EXE_pgw"),
        "ue-sim" => env!("CARGO_BIN_EXE_ue-sim"),
        _ => panic!("there is no binary {name}"),
    })
}

/// What a command came to.
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a binary to its end.
pub(crate) fn run(name: &str, args: &[&str]) -> Done {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(binary(name))
        .args(args)
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    Done {
        code: status.code(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

impl Done {
    /// The exit code must be this one.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\n{}\n{}", self.out, self.err);
        self
    }

    /// The standard error output must hold all of these.
    #[allow(dead_code, reason = "not every test looks at it")]
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.err.contains(part), "no {part:?} in:\n{}", self.err);
        }
        self
    }
}
