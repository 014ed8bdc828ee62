//! Who is told of a run while it goes on.

use core::time::Duration;
use std::io::{self, Write};
use std::path::Path;

use heiiki_net::clock;
use heiiki_types::Instant;

use super::Report;
use crate::observe::{Style, TimelineRow, heading};

/// A run as it goes on. Every call has a body that does nothing, so that `()` watches nothing.
pub trait Observer {
    /// The run begins.
    fn began(&mut self, title: &str, seed: u64, size: &str, clock: &str) {
        let _ = (title, seed, size, clock);
    }

    /// A step begins.
    fn step(&mut self, title: &str) {
        let _ = title;
    }

    /// So many of a step's outcomes are here.
    fn progress(&mut self, done: usize, of: usize) {
        let _ = (done, of);
    }

    /// A step is over.
    fn row(&mut self, row: &TimelineRow) {
        let _ = row;
    }
}

impl Observer for () {}

/// Writes the timeline of a run for a person.
///
/// A write that fails is no reason to end a run: the evidence is in the files.
#[derive(Debug)]
pub struct Terminal<W> {
    out: W,
    style: Style,
    /// Whether progress may be shown: only where a line can be written over.
    live: bool,
    title: String,
    began: Instant,
    shown: Option<Instant>,
}

/// A step is long when it takes this much of the reader's own time.
const LONG: Duration = Duration::from_secs(1);
/// How often progress is written anew.
const REFRESH: Duration = Duration::from_millis(200);
/// Back to the start of the line, and wipe it.
const WIPE: &str = "\r\x1b[2K";

impl<W: Write> Terminal<W> {
    /// Writes to `out`; `live` says that it is a terminal.
    pub fn new(out: W, style: Style, live: bool) -> Self {
        Self {
            out,
            style,
            live,
            title: String::new(),
            began: Instant::ZERO,
            shown: None,
        }
    }

    fn write(&mut self, text: &str) {
        let _: io::Result<()> = self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush());
    }

    /// Writes the cuts, the assertions and the verdict; `out` is the folder with the evidence.
    pub fn conclude(&mut self, report: &Report, out: &Path) {
        for cut in &report.cuts {
            self.write(&format!("\nThe cut of {}, beside its stamps:\n", cut.sim));
            for remark in cut.remarks() {
                self.write(&format!("  {remark}\n"));
            }
        }
        self.write(&report.summary(out).render(self.style));
        for why in &report.unproved {
            self.write(&format!("nothing is proved: {why}\n"));
        }
    }

    /// Gives the writer back.
    pub fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write> Observer for Terminal<W> {
    fn began(&mut self, title: &str, seed: u64, size: &str, clock: &str) {
        self.write(&heading(title, seed, size, clock, self.style));
    }

    fn step(&mut self, title: &str) {
        title.clone_into(&mut self.title);
        (self.began, self.shown) = (clock::monotonic(), None);
    }

    fn progress(&mut self, done: usize, of: usize) {
        if !self.live {
            return;
        }
        let now = clock::monotonic();
        let fresh = self.shown.is_some_and(|shown| now.since(shown) < REFRESH);
        if now.since(self.began) >= LONG && !fresh {
            self.shown = Some(now);
            self.write(&format!("{WIPE}{:>16}  {}: {done}/{of}", "...", self.title));
        }
    }

    fn row(&mut self, row: &TimelineRow) {
        if self.shown.take().is_some() {
            self.write(WIPE);
        }
        self.write(&row.render(self.style));
    }
}
