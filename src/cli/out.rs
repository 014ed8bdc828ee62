//! What a person or a script reads: results on the standard output, problems on the other one.

use core::fmt::Display;
use std::io::{self, IsTerminal, Write as _};

use crate::file::Mistakes;
use crate::observe::Style;

/// Writes a line of the result, and hands it over at once: a script may wait for it.
pub(super) fn line(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Writes a text that ends its lines itself.
pub(super) fn text(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Says what is wrong and what to do about it.
pub(super) fn problem(problem: &str, help: &str) {
    // Nobody is left to tell when this fails.
    let _ = writeln!(io::stderr().lock(), "error: {problem}\n  help: {help}");
}

/// Says what is wrong with a row of a file.
pub(super) fn row(file: &std::path::Path, problem: &impl Display) {
    let _ = writeln!(io::stderr().lock(), "{}: {problem}", file.display());
}

/// Says something that is no mistake.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "note: {text}");
}

/// Says what is wrong with a file: with the lines themselves for a person, one line a mistake for a
/// script.
pub(super) fn mistakes(mistakes: &Mistakes) {
    let err = io::stderr();
    let text = if err.is_terminal() {
        let style = style(&err);
        mistakes.render(style.colour, style.width)
    } else {
        mistakes.to_string()
    };
    let _ = err.lock().write_all(text.as_bytes());
}

/// How to write to the standard output.
pub(super) fn style_of_output() -> Style {
    style(&io::stdout())
}

fn style(stream: &impl IsTerminal) -> Style {
    let columns = std::env::var_os("COLUMNS").and_then(|c| c.to_str()?.parse().ok());
    Style {
        colour: stream.is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        width: columns.unwrap_or(Style::PLAIN.width).max(60),
    }
}
