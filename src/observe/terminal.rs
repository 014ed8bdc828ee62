//! The timeline and the verdict, for a person at a terminal.
//!
//! Plain text that reads well in a log file too; colour only adds to it.

mod cut;
#[cfg(test)]
mod tests;

use core::fmt::Write as _;
use std::borrow::Cow;

use heiiki_types::{Duration, Instant};
use serde::Serialize;

pub use cut::{CutReport, ProbeView, Stamp, Stamps};

/// How to write for a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether to colour: only a terminal that the user has not told otherwise.
    pub colour: bool,
    /// Columns to keep to.
    pub width: usize,
}

/// How something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// As it must.
    Pass,
    /// Not as it must.
    Fail,
    /// Nothing was asked of it.
    Note,
}

/// A line of the timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimelineRow {
    /// When it began, from the start of the run.
    pub at: Duration,
    /// How it went.
    pub mark: Mark,
    /// What was done.
    pub title: String,
    /// What came of it: counts, times, reasons.
    pub detail: String,
}

/// What a run comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every statement holds.
    Pass,
    /// Some statement does not.
    Fail,
    /// A positive control failed, or a probe never ran: nothing is proved.
    Inconclusive,
}

/// An assertion and what was seen of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AssertionRow {
    /// Its name.
    pub name: String,
    /// How it went; *inconclusive* for a control that failed, or when nothing was seen.
    pub verdict: Verdict,
    /// What was seen, with its unit.
    pub seen: String,
    /// What must hold of it, such as `<= 1 s`.
    pub wanted: String,
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The scenario's title.
    pub title: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The seed.
    pub seed: u64,
    /// The size, such as `ci`.
    pub size: String,
    /// The clock, `virtual` or `real`.
    pub clock: String,
    /// How long the run was by that clock.
    pub run_time: Duration,
    /// Global ranges that tenants say they own.
    pub owned_global: Vec<String>,
    /// Protections that were off.
    pub weakened: Vec<String>,
    /// The assertions.
    pub assertions: Vec<AssertionRow>,
    /// The cuts.
    pub cuts: Vec<CutReport>,
    /// The folder with the evidence.
    pub out: String,
}

#[derive(Clone, Copy)]
enum Colour {
    Green,
    Red,
    Yellow,
    Dim,
    Bold,
}

impl Style {
    /// Without colour, in 100 columns.
    pub const PLAIN: Self = Self {
        colour: false,
        width: 100,
    };

    fn paint<'t>(self, colour: Colour, text: impl Into<Cow<'t, str>>) -> Cow<'t, str> {
        let text = text.into();
        if !self.colour {
            return text;
        }
        let code = match colour {
            Colour::Green => "32",
            Colour::Red => "31;1",
            Colour::Yellow => "33;1",
            Colour::Dim => "2",
            Colour::Bold => "1",
        };
        Cow::Owned(format!("\x1b[{code}m{text}\x1b[0m"))
    }
}

impl Verdict {
    /// The exit code of the command: 0, 1 or 2.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Inconclusive => 2,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Inconclusive => "INCONCLUSIVE",
        }
    }

    const fn mark(self) -> &'static str {
        match self {
            Self::Pass => "ok  ",
            Self::Fail => "FAIL",
            Self::Inconclusive => "?   ",
        }
    }

    const fn colour(self) -> Colour {
        match self {
            Self::Pass => Colour::Green,
            Self::Fail => Colour::Red,
            Self::Inconclusive => Colour::Yellow,
        }
    }
}

/// The head of a timeline, with its line end.
pub fn heading(title: &str, seed: u64, size: &str, clock: &str, style: Style) -> String {
    let title = style.paint(Colour::Bold, title);
    format!("{title}\nseed {seed}, size {size}, {clock} clock\n\n")
}

impl TimelineRow {
    /// The row, with its line end. A detail that does not fit beside the title goes below it.
    pub fn render(&self, style: Style) -> String {
        /// Columns of time and mark.
        const LEFT: usize = 18;
        /// Columns of the title, when the detail stands beside it.
        const TITLE: usize = 44;
        let time = format!("{:>10}", seconds(self.at));
        let mark = match self.mark {
            Mark::Pass => style.paint(Colour::Green, "ok  "),
            Mark::Fail => style.paint(Colour::Red, "FAIL"),
            Mark::Note => style.paint(Colour::Dim, "-   "),
        };
        let mut out = format!("{}  {mark}  {}", style.paint(Colour::Dim, time), self.title);
        let title = self.title.chars().count();
        if !self.detail.is_empty() {
            let beside =
                title <= TITLE && LEFT + TITLE + self.detail.chars().count() <= style.width;
            let gap = if beside {
                " ".repeat(TITLE - title)
            } else {
                format!("\n{}", " ".repeat(LEFT))
            };
            let _ = write!(
                out,
                "{gap}{}",
                style.paint(Colour::Dim, self.detail.as_str())
            );
        }
        out.push('\n');
        out
    }
}

impl Summary {
    /// The verdict block: the cuts, the assertions, what the reader must know, and the verdict.
    pub fn render(&self, style: Style) -> String {
        let mut out = String::new();
        for cut in &self.cuts {
            out.push('\n');
            out.push_str(&cut.render(style));
        }
        out.push('\n');
        let name = self
            .assertions
            .iter()
            .map(|a| a.name.chars().count())
            .max()
            .unwrap_or(0);
        let seen = self
            .assertions
            .iter()
            .map(|a| a.seen.chars().count())
            .max()
            .unwrap_or(0);
        for AssertionRow {
            name: text,
            verdict,
            seen: value,
            wanted,
        } in &self.assertions
        {
            let mark = style.paint(verdict.colour(), verdict.mark());
            let _ = writeln!(out, "  {mark}  {text:name$}  {value:>seen$}  {wanted}");
        }
        out.push('\n');
        for range in &self.owned_global {
            let _ = writeln!(
                out,
                "  {range} is a global range that its tenant says it owns"
            );
        }
        for name in &self.weakened {
            let text = format!("  protection `{name}` was off");
            let _ = writeln!(out, "{}", style.paint(Colour::Yellow, text));
        }
        let good = self
            .assertions
            .iter()
            .filter(|a| a.verdict == Verdict::Pass)
            .count();
        let word = style.paint(self.verdict.colour(), self.verdict.word());
        let _ = writeln!(
            out,
            "{word}  {good} of {} assertions hold; {} of {} time, seed {}, size {}",
            self.assertions.len(),
            seconds(self.run_time),
            self.clock,
            self.seed,
            self.size,
        );
        let _ = writeln!(out, "evidence in {}", self.out);
        out
    }
}

/// A point or a length of time in seconds: `12.345 s`.
fn seconds(time: Duration) -> String {
    let millis = time.as_millis();
    format!("{}.{:03} s", millis / 1_000, millis % 1_000)
}

/// A short time in the unit that suits it: `412 us`, `1.204 ms`, `2.500 s`.
pub fn short(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0..1_000 => format!("{micros} us"),
        1_000..1_000_000 => format!("{}.{:03} ms", micros / 1_000, micros % 1_000),
        _ => seconds(time),
    }
}

/// Time since the start of a cut.
fn since(start: Instant, at: Instant) -> String {
    short(at.since(start))
}
