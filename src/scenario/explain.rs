//! Why a probe was refused: what the gateway recorded and counted of it.
//!
//! The gateway counts every refusal of a session by reason and reports the packet itself at a
//! bounded rate. A refused probe is explained by a report of this very packet, or else by the
//! counter of a reason that fits its destination, as long as that counter has risen by as many. A
//! reason that does not fit explains nothing: a packet to the core that is refused because nobody
//! declared the address was not refused by the rule that protects the core.

use core::net::IpAddr;
use std::collections::BTreeMap;

use heiiki_pgw::Refusal;
use heiiki_types::{Imsi, Method};
use heiiki_ue_sim::ProbeOutcome;
use serde_json::Value;

use super::probe::{Hit, Shot};
use super::report::Evidence;
use super::run::Run;
use super::target::Region;
use crate::lab::{AdminOf, Network};
use crate::log::NodeEvent;
use crate::plan::{NodeName, SimRef, UeToUe, Via};

/// From this many UEs on the gateway's totals are read instead of each session's counters.
const ONE_BY_ONE: usize = 100;

/// How often each reason was counted: for each SIM, or for all together.
type Counts = BTreeMap<(Option<Imsi>, String), u64>;

/// The state before probes were sent.
#[derive(Debug)]
pub(super) struct Before {
    ues: Vec<SimRef>,
    counts: Counts,
    log_at: usize,
}

/// The reason of a refusal and what says so.
pub(super) type Explanation = (Option<String>, Option<Evidence>);

impl<N: Network> Run<'_, N> {
    /// Reads the counters of these UEs' sessions.
    pub(super) fn before(&mut self, ues: &[SimRef]) -> Before {
        let log_at = self.lab.log().len();
        Before {
            ues: ues.to_vec(),
            counts: self.counts(ues),
            log_at,
        }
    }

    fn counts(&mut self, ues: &[SimRef]) -> Counts {
        let mut counts = Counts::new();
        if ues.len() > ONE_BY_ONE && !self.down.contains(&NodeName::Pgw) {
            let all = self.lab.counters().unwrap_or_default();
            add(&mut counts, None, all.get("refused"));
            return counts;
        }
        let imsis: Vec<Imsi> = ues.iter().filter_map(|sim| self.imsi(*sim)).collect();
        for imsi in imsis {
            for session in self.session_counters(imsi) {
                add(&mut counts, Some(imsi), session.pointer("/usage/refused"));
            }
        }
        counts
    }

    /// The gateway's counters of each session of a SIM; none while the gateway is down.
    pub(super) fn session_counters(&mut self, imsi: Imsi) -> Vec<Value> {
        if self.down.contains(&NodeName::Pgw) {
            return Vec::new();
        }
        let target = format!("/v1/counters?imsi={imsi}");
        let response = self.lab.admin(AdminOf::Pgw, Method::Get, &target, "");
        let reply: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        reply
            .get("sessions")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    }

    /// Why each probe that was not answered was refused.
    pub(super) fn explain(&mut self, hits: &[Hit], before: &Before) -> Vec<Explanation> {
        let mut left = self.counts(&before.ues);
        for (key, count) in &mut left {
            *count -= before.counts.get(key).copied().unwrap_or(0).min(*count);
        }
        let per_sim = before.ues.len() <= ONE_BY_ONE;
        let records = self.records(before.log_at);
        // Those with a record take their share of the counters first.
        let mut explained: Vec<Option<Explanation>> = hits
            .iter()
            .map(|hit| self.by_record(hit, &records, &mut left, per_sim))
            .collect();
        for (hit, explained) in hits.iter().zip(&mut explained) {
            if explained.is_none() {
                *explained = self.by_counter(hit, &mut left, per_sim);
            }
        }
        explained
            .into_iter()
            .map(|e| e.unwrap_or((None, None)))
            .collect()
    }

    /// The packets that the gateway reported as refused since the entry `from` of the log.
    fn records(&self, from: usize) -> BTreeMap<(Imsi, IpAddr, String), Refusal> {
        let log = self.lab.log().get(from..).unwrap_or_default();
        let refused = log.iter().filter_map(|entry| match &entry.event {
            NodeEvent::Pgw(heiiki_pgw::Event::PacketRefused(packet)) => Some(packet),
            _ => None,
        });
        let keyed = refused.filter_map(|packet| {
            let way = way(packet.protocol?, packet.port);
            Some(((packet.imsi?, packet.destination?, way), packet.reason))
        });
        keyed.collect()
    }

    fn by_record(
        &self,
        hit: &Hit,
        records: &BTreeMap<(Imsi, IpAddr, String), Refusal>,
        left: &mut Counts,
        per_sim: bool,
    ) -> Option<Explanation> {
        let Hit { shot, outcome } = hit;
        match outcome {
            ProbeOutcome::Answered { .. } | ProbeOutcome::NotSent => return Some((None, None)),
            ProbeOutcome::NoBearer => return Some(self.without_bearer(shot.sim)),
            ProbeOutcome::Refused if self.may_reach(shot) => {
                return Some((Some("host_refused".to_owned()), Some(Evidence::Host)));
            }
            _ => {}
        }
        let imsi = self.imsi(shot.sim)?;
        let way = super::title::via(shot.via).replace("icmp", "1");
        let reason = *records.get(&(imsi, shot.address.into(), way))?;
        let fits = self.fitting(shot).contains(&reason);
        take(left, per_sim.then_some(imsi), reason);
        Some((
            Some(reason.name().to_owned()),
            fits.then_some(Evidence::Record),
        ))
    }

    fn by_counter(&self, hit: &Hit, left: &mut Counts, per_sim: bool) -> Option<Explanation> {
        let imsi = self.imsi(hit.shot.sim).filter(|_| per_sim);
        let reasons = self.fitting(&hit.shot);
        let reason = reasons
            .into_iter()
            .find(|reason| take(left, imsi, *reason))?;
        Some((Some(reason.name().to_owned()), Some(Evidence::Counter)))
    }

    /// A UE without a bearer sends nothing. That explains something only when its SIM was cut.
    fn without_bearer(&self, sim: SimRef) -> Explanation {
        let cut = self.cuts.iter().any(|c| c.sim == sim);
        (cut.then(|| "cut".to_owned()), cut.then_some(Evidence::Cut))
    }

    /// Whether the tenant's own rules let the packet through, so that the far end itself answers.
    fn may_reach(&self, shot: &Shot) -> bool {
        let map = self.map(&[]);
        match map.region(shot.sim, shot.address.into()) {
            Region::OwnSegment => true,
            Region::OwnUes => map
                .tenant(shot.sim)
                .is_some_and(|t| t.ue_to_ue == UeToUe::Allow),
            Region::Core | Region::OtherTenant | Region::Outside => false,
        }
    }

    /// The reasons for which the gateway must refuse the packet.
    fn fitting(&self, shot: &Shot) -> Vec<Refusal> {
        let address = IpAddr::from(shot.address);
        let mut reasons = match self.map(&[]).region(shot.sim, address) {
            Region::Core => vec![Refusal::Infrastructure],
            Region::OwnUes if self.may_reach(shot) => vec![Refusal::NoSession],
            Region::OwnUes => vec![Refusal::UeToUe],
            Region::OwnSegment => Vec::new(),
            Region::OtherTenant => vec![Refusal::CrossTenant],
            Region::Outside if address.is_multicast() => vec![Refusal::Multicast],
            Region::Outside => vec![Refusal::NotDeclared],
        };
        if matches!(
            shot.via,
            Via::Udp(heiiki_gtp::c::PORT | heiiki_gtp::u::PORT)
        ) {
            reasons.insert(0, Refusal::TunnelInTunnel);
        }
        reasons
    }
}

/// Adds counters by reason.
fn add(counts: &mut Counts, imsi: Option<Imsi>, refused: Option<&Value>) {
    for (reason, count) in refused.and_then(Value::as_object).into_iter().flatten() {
        *counts.entry((imsi, reason.clone())).or_default() += count.as_u64().unwrap_or(0);
    }
}

/// Takes one off a counter, if there is one left.
fn take(left: &mut Counts, imsi: Option<Imsi>, reason: Refusal) -> bool {
    match left.get_mut(&(imsi, reason.name().to_owned())) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        _ => false,
    }
}

/// How a refused packet was sent, in the words of probes.
fn way(protocol: u8, port: Option<u16>) -> String {
    match (protocol, port) {
        (6, Some(port)) => super::title::via(Via::Tcp(port)),
        (17, Some(port)) => super::title::via(Via::Udp(port)),
        (protocol, _) => protocol.to_string(),
    }
}
