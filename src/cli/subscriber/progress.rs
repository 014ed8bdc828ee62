//! How far a long command has come: one line on a terminal, nothing anywhere else.

use core::time::Duration;
use std::io::{IsTerminal as _, Write as _, stderr};

use heiiki_net::clock;
use heiiki_types::Instant;

/// How often the line changes.
const EVERY: Duration = Duration::from_millis(100);
/// Cells of the bar.
const CELLS: usize = 30;

/// A line that goes when the work is over.
pub(super) struct Progress {
    what: &'static str,
    total: u64,
    began: Instant,
    shown: Option<Instant>,
    on: bool,
}

impl Progress {
    /// `total` is 0 when nobody knows it.
    pub(super) fn new(what: &'static str, total: u64) -> Self {
        Self {
            what,
            total,
            began: clock::monotonic(),
            shown: None,
            on: stderr().is_terminal(),
        }
    }

    pub(super) fn at(&mut self, done: u64) {
        let now = clock::monotonic();
        if !self.on || self.shown.is_some_and(|shown| now < shown + EVERY) {
            return;
        }
        self.shown = Some(now);
        let line = self.line(done, now.since(self.began));
        let _ = write!(stderr().lock(), "\r{line}\x1b[K");
    }

    fn line(&self, done: u64, time: Duration) -> String {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = done.saturating_mul(1_000) / millis;
        let bar = match self.total {
            0 => String::new(),
            total => {
                let cells = usize::try_from(done.min(total).saturating_mul(30) / total);
                let full = cells.unwrap_or(0).min(CELLS);
                format!(" [{}{}]", "#".repeat(full), " ".repeat(CELLS - full))
            }
        };
        format!("{}{bar} {done} rows, {rate}/s", self.what)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(stderr().lock(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_share_and_rate() {
        let progress = Progress::new("importing", 200);
        let line = progress.line(100, Duration::from_secs(2));
        assert_eq!(
            line,
            format!(
                "importing [{}{}] 100 rows, 50/s",
                "#".repeat(15),
                " ".repeat(15)
            )
        );
    }
}
