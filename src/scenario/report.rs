//! What a run comes to, as values for the evidence.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::path::Path;

use heiiki_types::{Duration, Imsi, Instant, Protections, WallTime};
use serde::{Serialize, Serializer};

use crate::observe::{
    self, AssertionRow, Mark, ProbeView, Stamps, Summary, TimelineRow, Verdict, short,
};
use crate::plan::Destination;

/// Everything that is known of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Global ranges that tenants say they own. Reports name them first.
    pub owned_global: Vec<String>,
    /// What the run comes to.
    pub verdict: Verdict,
    /// Why nothing is proved, where that is so.
    pub unproved: Vec<String>,
    /// The scenario's name.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// The seed that was used.
    pub seed: u64,
    /// The size, such as `ci`.
    pub size: &'static str,
    /// `virtual` or `real`.
    pub clock: &'static str,
    /// When the run began.
    #[serde(serialize_with = "text")]
    pub began: WallTime,
    /// How long it took by its own clock.
    #[serde(rename = "run_time_us", serialize_with = "micros")]
    pub run_time: Duration,
    /// Names of programs and their versions.
    pub versions: BTreeMap<&'static str, &'static str>,
    /// What was protected.
    pub protections: Protections,
    /// Protections that the scenario switched off.
    pub weakened: Vec<String>,
    /// How many tenants there were.
    pub tenants: usize,
    /// How many SIMs there were.
    pub sims: usize,
    /// The steps.
    pub steps: Vec<StepReport>,
    /// The assertions, those of `expect` steps first.
    pub asserts: Vec<AssertReport>,
    /// The cuts.
    pub cuts: Vec<CutReport>,
    /// Every probe, and every page, file and name that was asked for.
    pub probes: Vec<ProbeRecord>,
    /// Every page and file.
    pub transfers: Vec<TransferRecord>,
    /// Every stream of probes.
    pub streams: Vec<StreamRecord>,
    /// What reached the sentinel.
    pub sentinel: Vec<SentinelRow>,
    /// The gateway's counters at the end.
    pub counters: serde_json::Value,
    /// The gateway's proof of closedness over its live tables at the end.
    pub audit: serde_json::Value,
    /// What a lab cannot show.
    pub limits: &'static [&'static str],
}

/// A step.
#[derive(Clone, Debug, Serialize)]
pub struct StepReport {
    /// Its line in the file.
    pub line: usize,
    /// What the timeline calls it.
    pub title: String,
    /// When it began, from the start of the run.
    #[serde(rename = "at_us", serialize_with = "micros")]
    pub at: Duration,
    /// How long it took.
    #[serde(rename = "took_us", serialize_with = "micros")]
    pub took: Duration,
    /// How it went.
    pub mark: Mark,
    /// What came of it, in one line.
    pub detail: String,
    /// What was not as it must be.
    pub faults: Vec<String>,
    /// The first entry of the log that belongs to it.
    #[serde(skip)]
    pub log_at: usize,
    /// When it began, by both clocks of the run.
    #[serde(skip)]
    pub began: (Instant, WallTime),
}

/// An assertion and what was seen of it.
#[derive(Clone, Debug, Serialize)]
pub struct AssertReport {
    /// Its name.
    pub name: String,
    /// Its line in the file.
    pub line: usize,
    /// Whether it is a positive control.
    pub control: bool,
    /// How it went.
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
    /// What must hold of it.
    pub wanted: String,
}

/// What probes saw of a cut in one direction. Times count from t0 and may be before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DirectionView {
    /// The interval of the stream: the figures are no finer.
    #[serde(rename = "interval_us", serialize_with = "micros")]
    pub interval: Duration,
    /// Packets of the stream that came through.
    pub passed: u64,
    /// When the last packet left that came through; of a downlink stream not known.
    pub last_passed_sent_us: Option<i64>,
    /// When the last answer, or downlink packet, arrived at the UE.
    pub last_received_us: Option<i64>,
}

/// A cut: its certificate, and what the lab saw beside it.
#[derive(Clone, Debug, Serialize)]
pub struct CutReport {
    /// The SIM's name.
    pub sim: String,
    /// Its IMSI.
    pub imsi: Imsi,
    /// The verb.
    pub verb: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: String,
    /// Every stamp.
    pub stamps: Stamps,
    /// Where each stamp comes from.
    pub sources: BTreeMap<&'static str, &'static str>,
    /// t5 - t0 uplink, microseconds.
    pub time_to_cut_uplink_us: Option<u64>,
    /// t5 - t0 downlink, microseconds.
    pub time_to_cut_downlink_us: Option<u64>,
    /// Packets that the gateway forwarded after t5.
    pub packets_after_cut: Option<u64>,
    /// Whether the certificate said *dark*.
    pub dark: bool,
    /// Whether dark, CLR answered, UE detached and records closed.
    pub clean: bool,
    /// What probes saw uplink.
    pub uplink: Option<DirectionView>,
    /// What probes saw downlink.
    pub downlink: Option<DirectionView>,
    /// What nobody could see.
    pub not_observable: Vec<String>,
    /// The certificate in the HSS's own words.
    pub certificate: serde_json::Value,
}

/// A probe and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct ProbeRecord {
    /// The step's line in the file.
    pub line: usize,
    /// The SIM that sent it.
    pub source: String,
    /// Where to, as the file names it.
    pub destination: String,
    /// The address.
    pub address: Option<IpAddr>,
    /// How, such as `tcp:443`.
    pub via: String,
    /// `answered`, `refused`, `prohibited`, `timed_out`, `no_bearer` or `not_sent`.
    pub outcome: &'static str,
    /// Round-trip time, microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u64>,
    /// Why it was refused, by the name of the gateway's counter where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// Whether it is a probe: pages and names are in the matrix only.
    #[serde(skip)]
    pub is_probe: bool,
    /// The SIM, as a place in the plan.
    #[serde(skip)]
    pub sim: usize,
    /// The destination as a value.
    #[serde(skip)]
    pub to: Option<Destination>,
}

/// What explains a refused probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The gateway reported this very packet, and counted it.
    Record,
    /// The gateway counted it under a reason that fits the destination.
    Counter,
    /// The host itself refused, and the SIM may reach that host.
    Host,
    /// The SIM was cut and has no bearer.
    Cut,
}

/// A page or file.
#[derive(Clone, Debug, Serialize)]
pub struct TransferRecord {
    /// The step's line in the file.
    pub line: usize,
    /// The SIM that fetched it.
    pub source: String,
    /// Its tenant.
    pub tenant: String,
    /// What it fetched.
    pub url: String,
    /// The status; none when there was no answer.
    pub status: Option<u16>,
    /// Octets that came.
    pub bytes: u64,
    /// From the command to the last octet, microseconds.
    pub took_us: Option<u64>,
    /// SHA-256 of what came.
    pub sha256: Option<String>,
    /// SHA-256 of what the tenant's own server has, computed here.
    pub expected: Option<String>,
    /// Why nothing came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl TransferRecord {
    /// Whether it came and is not known to be wrong.
    pub(super) fn is_right(&self) -> bool {
        self.status == Some(200) && self.is_intact() != Some(false)
    }

    /// Whether every octet came and was right; none when nothing complete came, or nobody knows
    /// what it should be.
    pub fn is_intact(&self) -> Option<bool> {
        if self.status != Some(200) {
            return None;
        }
        let (got, expected) = (self.sha256.as_ref()?, self.expected.as_ref()?);
        Some(got == expected)
    }
}

/// A stream of probes from a UE, or to one.
#[derive(Clone, Debug, Serialize)]
pub struct StreamRecord {
    /// The SIM.
    pub sim: String,
    /// `uplink` or `downlink`.
    pub direction: &'static str,
    /// The host at the other end.
    pub host: IpAddr,
    /// The interval.
    #[serde(rename = "interval_us", serialize_with = "micros")]
    pub interval: Duration,
    /// When it began.
    pub began_us: Instant,
    /// What it saw; none when it could not be asked.
    pub report: Option<heiiki_ue_sim::StreamReport>,
}

/// Packets that reached the sentinel.
#[derive(Clone, Debug, Serialize)]
pub struct SentinelRow {
    /// The tenant whose UE sent them.
    pub tenant: String,
    /// Where they went.
    pub destination: IpAddr,
    /// The port, zero where there is none.
    pub port: u16,
    /// How many.
    pub packets: u64,
}

/// The source of most stamps.
pub(super) const CERTIFICATE: &str = "certificate";

pub(super) fn micros<S: Serializer>(time: &Duration, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_u64(whole_micros(*time))
}

fn text<T: core::fmt::Display, S: Serializer>(value: &T, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(value)
}

/// Whole microseconds.
pub(super) fn whole_micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl StepReport {
    /// The step's line in the timeline.
    pub fn row(&self) -> TimelineRow {
        TimelineRow {
            at: self.at,
            mark: self.mark,
            title: self.title.clone(),
            detail: self.detail.clone(),
        }
    }
}

impl DirectionView {
    /// In words, for a direction by name.
    pub(super) fn text(&self, direction: &str) -> String {
        let last = self
            .last_received_us
            .map_or_else(|| "never".to_owned(), around_t0);
        let left = self.last_passed_sent_us.map(around_t0);
        let left = left.map_or_else(String::new, |left| format!(", having left {left}"));
        format!(
            "probes {direction}, one every {}: {} came through, the last one {last}{left}",
            short(self.interval),
            self.passed,
        )
    }
}

/// A time relative to t0, in words.
pub(super) fn around_t0(us: i64) -> String {
    let side = if us < 0 { "before" } else { "after" };
    format!(
        "{} {side} t0",
        short(Duration::from_micros(us.unsigned_abs()))
    )
}

impl CutReport {
    /// What the table of the stamps does not say: what probes saw, and which stamps are not from
    /// the certificate.
    pub(super) fn remarks(&self) -> Vec<String> {
        let views = [("uplink", &self.uplink), ("downlink", &self.downlink)];
        let views = views
            .into_iter()
            .filter_map(|(name, view)| Some(view.as_ref()?.text(name)));
        let other = self
            .sources
            .iter()
            .filter(|(_, source)| **source != CERTIFICATE);
        let other = other.map(|(stamp, source)| format!("{stamp} is from the {source}"));
        let missing = self
            .not_observable
            .iter()
            .map(|line| format!("not observable: {line}"));
        views.chain(other).chain(missing).collect()
    }

    /// From t0 to the last answer that a probe had; none when there were no probes.
    pub fn probe_view(&self) -> Option<ProbeView> {
        let uplink = self.uplink?;
        let after = uplink
            .last_received_us
            .and_then(|us| u64::try_from(us).ok());
        let last_answer = after.map(Duration::from_micros);
        Some(ProbeView {
            interval: uplink.interval,
            last_answer,
        })
    }

    fn for_terminal(&self) -> observe::CutReport {
        observe::CutReport {
            sim: self.sim.clone(),
            imsi: self.imsi.to_string(),
            verb: self.verb.clone(),
            reason: self.reason.clone(),
            actor: self.actor.clone(),
            stamps: self.stamps,
            packets_after: self.packets_after_cut,
            probe: self.probe_view(),
            not_observable: Vec::new(),
        }
    }
}

impl Report {
    /// The verdict block; `out` is the folder with the evidence.
    pub fn summary(&self, out: &Path) -> Summary {
        let assertions = self.asserts.iter().map(|a| AssertionRow {
            name: a.name.clone(),
            verdict: a.verdict,
            seen: a.seen.clone(),
            wanted: a.wanted.clone(),
        });
        Summary {
            title: self.title.clone(),
            verdict: self.verdict,
            seed: self.seed,
            size: self.size.to_owned(),
            clock: self.clock.to_owned(),
            run_time: self.run_time,
            owned_global: self.owned_global.clone(),
            weakened: self.weakened.clone(),
            assertions: assertions.collect(),
            cuts: self.cuts.iter().map(CutReport::for_terminal).collect(),
            out: out.display().to_string(),
        }
    }
}
