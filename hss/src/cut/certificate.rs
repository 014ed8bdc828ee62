//! The certificate of an order: one page that says who, why, when, and what could not be seen.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use heiiki_types::{Imsi, Instant};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Cut, CutId, GatewayLeg, Verdict};
use crate::subscriber::{State, Verb};

/// How long the cut took, in microseconds from t0.
#[derive(Serialize, JsonSchema)]
struct TimeToCut {
    uplink: u64,
    downlink: u64,
    /// Whether some gateway's clock does not compare with ours, so that the arrival of its answer
    /// stands in for its stamps: the cut was faster than this says.
    upper_bound: bool,
}

#[derive(Serialize, JsonSchema)]
struct NodeView<'a> {
    host: &'a str,
    attempts: u32,
    t2: Option<u64>,
    t3: Option<u64>,
    result: Option<&'a str>,
}

#[derive(Serialize, JsonSchema)]
struct GatewayView<'a> {
    gateway: &'a str,
    observable: bool,
    attempts: u32,
    /// How often it was told again because it had lost the order.
    retold: u32,
    answered: Option<u64>,
    clock_compares: Option<bool>,
    sessions: Option<u64>,
    t4: Option<u64>,
    t5_uplink: Option<u64>,
    t5_downlink: Option<u64>,
    t7: Option<u64>,
    packets_after_t0: Option<u64>,
    purged: Option<u64>,
    error: Option<&'a str>,
}

/// What `GET /v1/cuts/{id}` shows. Stamps are microseconds of the monotonic clock of `boot`.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Certificate<'a> {
    cut: CutId,
    version: u64,
    imsi: Imsi,
    verb: Verb,
    who: &'a str,
    why: &'a str,
    from: State,
    to: State,
    at: String,
    /// When the order ends by itself; never without it.
    expires: Option<String>,
    /// The bulk order that it is part of.
    bulk: Option<CutId>,
    boot: &'a str,
    verdict: Verdict,
    dark: bool,
    clean: bool,
    t0: u64,
    t1: Option<u64>,
    t2: Option<u64>,
    t3: Option<u64>,
    t4: Option<u64>,
    t5_uplink: Option<u64>,
    t5_downlink: Option<u64>,
    t6: Option<u64>,
    t7: Option<u64>,
    t8: Option<u64>,
    time_to_cut_us: Option<TimeToCut>,
    packets_after_t0: Option<u64>,
    mme: Vec<NodeView<'a>>,
    gateways: Vec<GatewayView<'a>>,
    not_observable: Vec<String>,
}

/// The latest of all, once all are there.
fn latest<'a, T: 'a>(
    legs: impl Iterator<Item = &'a T> + Clone,
    stamp: impl Fn(&'a T) -> Option<Instant>,
) -> Option<u64> {
    legs.map(stamp)
        .try_fold(None, |latest: Option<Instant>, at| {
            Some(latest.max(Some(at?)))
        })
        .flatten()
        .map(Instant::as_micros)
}

impl<'a> Certificate<'a> {
    pub(crate) fn new(cut: &'a Cut) -> Self {
        let micros = |at: Option<Instant>| at.map(Instant::as_micros);
        let gateways = cut.gateways.iter();
        let verdict = cut.verdict();
        Self {
            cut: cut.id(),
            version: cut.version,
            imsi: cut.imsi,
            verb: cut.verb,
            who: &cut.actor,
            why: &cut.reason,
            from: cut.from,
            to: cut.to,
            at: cut.wall.to_string(),
            expires: cut.expires.map(|at| at.to_string()),
            bulk: cut.bulk.map(CutId),
            boot: &cut.boot,
            verdict,
            dark: cut.is_dark(),
            clean: verdict == Verdict::Clean,
            t0: cut.t0.as_micros(),
            t1: micros(cut.t1),
            t2: latest(cut.nodes.iter(), |n| n.t2),
            t3: latest(cut.nodes.iter(), |n| n.t3),
            t4: latest(gateways.clone(), |g| g.answer.as_ref()?.t4),
            t5_uplink: latest(gateways.clone(), |g| g.answer.as_ref()?.t5_uplink),
            t5_downlink: latest(gateways.clone(), |g| g.answer.as_ref()?.t5_downlink),
            t6: micros(cut.t6),
            t7: micros(cut.t7).or_else(|| latest(gateways.clone(), |g| g.answer.as_ref()?.t7)),
            t8: micros(cut.t8),
            time_to_cut_us: time_to_cut(cut),
            packets_after_t0: gateways
                .clone()
                .try_fold(0_u64, |sum, g| {
                    Some(sum.saturating_add(g.answer.as_ref()?.packets_after_t0?))
                })
                .filter(|_| !cut.gateways.is_empty()),
            mme: cut
                .nodes
                .iter()
                .map(|n| NodeView {
                    host: &n.host,
                    attempts: n.attempts,
                    t2: micros(n.t2),
                    t3: micros(n.t3),
                    result: n.result.as_deref(),
                })
                .collect(),
            gateways: gateways.map(gateway_view).collect(),
            not_observable: not_observable(cut),
        }
    }

    /// The certificate as JSON.
    pub(crate) fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

fn gateway_view(leg: &GatewayLeg) -> GatewayView<'_> {
    let answer = leg.answer.as_ref();
    let micros = |at: Option<Instant>| at.map(Instant::as_micros);
    GatewayView {
        gateway: &leg.name,
        observable: leg.observable,
        attempts: leg.attempts,
        retold: leg.retold,
        answered: answer.map(|a| a.at.as_micros()),
        clock_compares: answer.map(|a| a.comparable),
        sessions: answer.map(|a| a.sessions),
        t4: micros(answer.and_then(|a| a.t4)),
        t5_uplink: micros(answer.and_then(|a| a.t5_uplink)),
        t5_downlink: micros(answer.and_then(|a| a.t5_downlink)),
        t7: micros(answer.and_then(|a| a.t7)),
        packets_after_t0: answer.and_then(|a| a.packets_after_t0),
        purged: answer.and_then(|a| a.purged),
        error: leg.error.as_deref(),
    }
}

/// The headline: `t5 - t0`, once the cut is dark.
fn time_to_cut(cut: &Cut) -> Option<TimeToCut> {
    let answers = || cut.gateways.iter().filter_map(|g| g.answer.as_ref());
    if !cut.is_dark() || cut.gateways.is_empty() || !answers().all(|a| a.same_boot) {
        return None;
    }
    let since = |at: Instant| u64::try_from(at.since(cut.t0).as_micros()).unwrap_or(u64::MAX);
    let mut time = TimeToCut {
        uplink: 0,
        downlink: 0,
        upper_bound: false,
    };
    for answer in answers() {
        let own = |stamp: Option<Instant>| stamp.filter(|_| answer.comparable).unwrap_or(answer.at);
        time.uplink = time.uplink.max(since(own(answer.t5_uplink)));
        time.downlink = time.downlink.max(since(own(answer.t5_downlink)));
        time.upper_bound |= !answer.comparable;
    }
    Some(time)
}

/// What the certificate cannot vouch for.
fn not_observable(cut: &Cut) -> Vec<String> {
    let mut lines = Vec::new();
    if !cut.verb.takes_away() {
        return lines;
    }
    for apn in &cut.unlisted {
        lines.push(format!(
            "cut not observable: no gateway is listed for access point {apn}"
        ));
    }
    for leg in cut.gateways.iter().filter(|g| !g.observable) {
        lines.push(format!(
            "cut not observable: gateway {} has no interface for it",
            leg.name
        ));
    }
    if !cut.verb.is_cut() {
        return lines;
    }
    if cut.nodes.is_empty() {
        lines.push("t2, t3: no MME was serving the SIM".to_string());
    } else if cut.t6.is_none() {
        lines.push("t6: a detach does not show on S6a, and nobody has reported it".to_string());
    }
    let records_closed = cut.t7.is_some()
        || cut
            .gateways
            .iter()
            .all(|g| g.answer.as_ref().is_some_and(|a| a.t7.is_some()));
    let accounting = |g: &GatewayLeg| g.answer.as_ref().is_some_and(|a| a.accounting);
    if !records_closed && cut.gateways.iter().any(accounting) {
        lines.push("t7: no charging record was reported closed".to_string());
    } else if !records_closed {
        lines.push("t7: not observable, since no accounting is configured".to_string());
    }
    if cut.committed && cut.t1.is_none() {
        lines.push("t1: the commit is durable, but its time was lost in a restart".to_string());
    }
    lines
}
