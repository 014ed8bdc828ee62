//! A cut, stamp by stamp.

use core::fmt::Write as _;

use heiiki_types::{Duration, Instant};
use serde::Serialize;

use super::{Colour, Style, short, since};

/// A point of a cut; none when it was not reached or could not be seen.
pub type Stamp = Option<Instant>;

/// The stamps of a cut. Only `t0 <= t1`, `t0 <= t2 <= t3` and `t0 <= t4 <= t5` are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stamps {
    /// The call is authenticated and parsed, before any I/O.
    pub t0: Instant,
    /// The commit is durable.
    pub t1: Stamp,
    /// The CLR is handed to the transport.
    pub t2: Stamp,
    /// The CLA has come.
    pub t3: Stamp,
    /// The bar is installed.
    pub t4: Stamp,
    /// The last worker is past its boundary, uplink.
    pub t5_uplink: Stamp,
    /// The last worker is past its boundary, downlink.
    pub t5_downlink: Stamp,
    /// The UE has accepted its detach, or it was given up.
    pub t6: Stamp,
    /// Accounting is stopped.
    pub t7: Stamp,
    /// The SIM was refused for the first time.
    pub t8: Stamp,
}

impl Stamps {
    /// When the SIM was dark: the commit durable, and nothing forwarded either way.
    pub fn dark(&self) -> Stamp {
        Some(self.t1?.max(self.t5_uplink?).max(self.t5_downlink?))
    }

    /// When the network was clean: dark, and every node and the UE told. Where accounting is
    /// configured it is stopped too; where there is none, nothing waits for its end.
    pub fn clean(&self) -> Stamp {
        let dark = self.dark()?;
        let t7 = self.t7.unwrap_or(dark);
        Some(dark.max(self.t3?).max(self.t6?).max(t7))
    }
}

/// What a stream of probes saw of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ProbeView {
    /// The interval of the stream: the figure is no finer.
    pub interval: Duration,
    /// From t0 to the last answer; none when there was no answer after t0.
    pub last_answer: Option<Duration>,
}

/// A cut: who, why, and how it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CutReport {
    /// The SIM's name.
    pub sim: String,
    /// Its IMSI.
    pub imsi: String,
    /// The verb, such as `suspend`.
    pub verb: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: String,
    /// The stamps.
    pub stamps: Stamps,
    /// Packets forwarded after t5; none when nobody counted.
    pub packets_after: Option<u64>,
    /// What the probes saw.
    pub probe: Option<ProbeView>,
    /// Gateways that could not be asked.
    pub not_observable: Vec<String>,
}

impl CutReport {
    pub(super) fn render(&self, style: Style) -> String {
        let Self {
            sim,
            imsi,
            verb,
            reason,
            actor,
            ..
        } = self;
        let title = format!("The cut of {sim} (IMSI {imsi}): {verb} by {actor}, \"{reason}\"");
        let mut out = format!("{}\n\n", style.paint(Colour::Bold, title));
        self.stamps.table(&mut out);
        out.push('\n');
        self.figures(&mut out, style);
        for gateway in &self.not_observable {
            let text = format!("  at gateway {gateway} the cut is not observable");
            let _ = writeln!(out, "{}", style.paint(Colour::Yellow, text));
        }
        out
    }

    fn figures(&self, out: &mut String, style: Style) {
        let stamps = &self.stamps;
        let unseen = || String::from("not observed");
        let cut = |at: Stamp| at.map_or_else(unseen, |t| since(stamps.t0, t));
        let (uplink, downlink) = (cut(stamps.t5_uplink), cut(stamps.t5_downlink));
        let figure = format!("time to cut: uplink {uplink}, downlink {downlink}");
        let _ = writeln!(out, "  {}", style.paint(Colour::Bold, figure));
        if let Some(ProbeView {
            interval,
            last_answer,
        }) = self.probe
        {
            let seen = last_answer.map_or_else(
                || String::from("no answer after t0"),
                |last| format!("last answer after {}", short(last)),
            );
            let interval = short(interval);
            let _ = writeln!(out, "  seen by a probe every {interval}: {seen}");
        }
        let _ = writeln!(
            out,
            "  dark after {}, clean after {}, packets after the cut: {}",
            cut(stamps.dark()),
            cut(stamps.clean()),
            self.packets_after.map_or_else(unseen, |n| n.to_string()),
        );
    }
}

impl Stamps {
    fn table(&self, out: &mut String) {
        let rows = [
            ("t0", "the call is authenticated and parsed", Some(self.t0)),
            ("t1", "the commit is durable", self.t1),
            ("t2", "CLR handed to the transport", self.t2),
            ("t3", "CLA received", self.t3),
            ("t4", "the bar is installed", self.t4),
            (
                "t5u",
                "last worker past its boundary, uplink",
                self.t5_uplink,
            ),
            (
                "t5d",
                "last worker past its boundary, downlink",
                self.t5_downlink,
            ),
            ("t6", "detach accepted, or given up", self.t6),
            ("t7", "accounting stopped", self.t7),
            ("t8", "first refusal", self.t8),
        ];
        for (name, what, at) in rows {
            let time = match (name, at) {
                (_, Some(at)) => since(self.t0, at),
                ("t8", None) => String::from("none seen"),
                (_, None) => String::from("-"),
            };
            let _ = writeln!(out, "  {name:<4} {what:<42} {time:>12}");
        }
    }
}
