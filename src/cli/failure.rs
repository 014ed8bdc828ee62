//! How a command ends.

use std::io;
use std::process::ExitCode;

use super::out;
use crate::file::Mistakes;

/// The exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done, passed.
    Done,
    /// Well asked for, but it did not work.
    Failed,
    /// A scenario that proved nothing.
    Inconclusive,
    /// Wrong usage, a bad file, or a node that cannot start: `EX_USAGE` of `sysexits.h`.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Inconclusive => 2,
            Exit::Usage => 64,
        })
    }
}

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line asks for something that cannot be.
    Usage {
        /// What is wrong.
        problem: String,
        /// What to do about it.
        help: String,
    },
    /// A file, or a start that failed because of what a file says.
    File(Mistakes),
    /// It did not work.
    Failed {
        /// What.
        problem: String,
        /// What to do about it.
        help: String,
    },
    /// Nobody reads what is written.
    Output(io::Error),
}

/// What a command comes to.
pub(super) type Outcome = Result<Exit, Failure>;

impl Failure {
    pub(super) fn usage(problem: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Usage {
            problem: problem.into(),
            help: help.into(),
        }
    }

    pub(super) fn failed(problem: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Failed {
            problem: problem.into(),
            help: help.into(),
        }
    }

    /// What is wrong, in one line.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Usage { problem, .. } | Self::Failed { problem, .. } => problem.clone(),
            Self::File(mistakes) => mistakes.to_string(),
            Self::Output(error) => error.to_string(),
        }
    }

    /// Says it on the standard error output, and gives the exit code.
    pub(super) fn report(self) -> Exit {
        match self {
            Self::Usage { problem, help } => {
                out::problem(&problem, &help);
                Exit::Usage
            }
            Self::File(mistakes) => {
                out::mistakes(&mistakes);
                Exit::Usage
            }
            Self::Failed { problem, help } => {
                out::problem(&problem, &help);
                Exit::Failed
            }
            Self::Output(error) => {
                // A reader that has seen enough, such as `head`, is no news.
                if error.kind() != io::ErrorKind::BrokenPipe {
                    out::problem(
                        &format!("cannot write the output: {error}"),
                        "make room for it",
                    );
                }
                Exit::Failed
            }
        }
    }
}

impl From<Mistakes> for Failure {
    fn from(mistakes: Mistakes) -> Self {
        Self::File(mistakes)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
