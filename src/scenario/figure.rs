//! What assertions look at.

use heiiki_types::Imsi;
use serde_json::Value;

use super::report::{AssertReport, ProbeRecord};
use super::run::Run;
use super::value::{Seen, wanted};
use crate::lab::Network;
use crate::log::NodeEvent;
use crate::observe::Verdict;
use crate::plan::{Assert, Destination, Direction, Figure, NodeName, SimRef};

impl<N: Network> Run<'_, N> {
    /// Compares a figure with what is wanted of it.
    pub(super) fn assert(&mut self, assert: &Assert) -> AssertReport {
        self.read_log();
        let seen = self.seen(&assert.figure);
        let verdict = match seen.compare(assert.op, assert.value) {
            Verdict::Fail if assert.control => Verdict::Inconclusive,
            verdict => verdict,
        };
        AssertReport {
            name: assert.name.clone(),
            line: assert.line,
            control: assert.control,
            verdict,
            seen: seen.text(),
            wanted: wanted(assert.op, assert.value),
        }
    }

    fn seen(&mut self, figure: &Figure) -> Seen {
        match figure {
            Figure::Attached { tenant } => {
                let attached = |imsi| u64::from(self.ledger.ue(imsi).attached);
                Seen::Count(
                    self.imsis(None, tenant.as_deref())
                        .into_iter()
                        .map(attached)
                        .sum(),
                )
            }
            Figure::AttachRejects { ues } => {
                let rejects = |imsi| self.ledger.ue(imsi).rejects;
                Seen::Count(
                    self.imsis(ues.as_deref(), None)
                        .into_iter()
                        .map(rejects)
                        .sum(),
                )
            }
            Figure::RejectCause { ue } => match self.last_reject(*ue) {
                Some(rejection) => Seen::Rejection(rejection),
                None => Seen::Nothing("never refused"),
            },
            Figure::RejectProtected { ue } => match self.last_reject(*ue) {
                Some(rejection) => Seen::Flag(rejection.protected),
                None => Seen::Nothing("never refused"),
            },
            Figure::Address { ue } => {
                let address = self.imsi(*ue).and_then(|imsi| self.ledger.ue(imsi).address);
                address.map_or(Seen::Nothing("no address"), |a| Seen::Address(a.into()))
            }
            Figure::TimeToCut { .. }
            | Figure::ProbeTimeToCut { .. }
            | Figure::PacketsAfterCut { .. } => self.seen_of_cut(figure),
            Figure::ProbesAnswered { ues, to } => {
                Seen::Count(self.probes(ues.as_deref(), to.as_ref(), |p| p.outcome == "answered"))
            }
            Figure::ProbesRefused { ues, to } => {
                Seen::Count(self.probes(ues.as_deref(), to.as_ref(), is_refused))
            }
            Figure::ProbesUnexplained => {
                let unexplained = |p: &ProbeRecord| is_refused(p) && p.evidence.is_none();
                Seen::Count(self.probes(None, None, unexplained))
            }
            Figure::TransfersIntact { tenant } => {
                Seen::Count(self.transfers(tenant.as_deref(), true))
            }
            Figure::TransfersCorrupt => Seen::Count(self.transfers(None, false)),
            Figure::SentinelPackets { tenant } => Seen::Count(self.escaped(tenant.as_deref())),
            Figure::Drops { reason, tenant } => self.drops(reason.as_deref(), tenant.as_deref()),
            Figure::Events { event } => Seen::Count(self.events(event)),
        }
    }

    fn seen_of_cut(&mut self, figure: &Figure) -> Seen {
        let (Figure::TimeToCut { ue, .. }
        | Figure::ProbeTimeToCut { ue }
        | Figure::PacketsAfterCut { ue }) = figure
        else {
            return Seen::Unknown("not a figure of a cut");
        };
        let Some(cut) = self.last_cut(*ue) else {
            return Seen::Unknown("there was no cut");
        };
        let micros = |us: Option<u64>| {
            us.map_or(Seen::Unknown("not observed"), |us| {
                Seen::Time(core::time::Duration::from_micros(us))
            })
        };
        match figure {
            Figure::TimeToCut {
                direction: Direction::Uplink,
                ..
            } => micros(cut.time_to_cut_uplink_us),
            Figure::TimeToCut { .. } => micros(cut.time_to_cut_downlink_us),
            Figure::ProbeTimeToCut { .. } => match cut.probe_view() {
                Some(view) => Seen::Time(view.last_answer.unwrap_or_default()),
                None => Seen::Unknown("there were no probes"),
            },
            _ => cut
                .packets_after_cut
                .map_or(Seen::Unknown("not observed"), Seen::Count),
        }
    }

    fn last_reject(&self, sim: SimRef) -> Option<super::ledger::Rejection> {
        self.ledger.ue(self.imsi(sim)?).last_reject
    }

    /// The IMSIs of these SIMs, or of all, and of this tenant, or of all.
    fn imsis(&self, ues: Option<&[SimRef]>, tenant: Option<&str>) -> Vec<Imsi> {
        let sims = self.lab.plan().sims.iter().enumerate();
        let sims = sims.filter(|(n, _)| ues.is_none_or(|ues| ues.contains(&SimRef(*n))));
        sims.filter(|(_, s)| tenant.is_none_or(|t| s.tenant == t))
            .map(|(_, s)| s.imsi)
            .collect()
    }

    fn probes(
        &self,
        ues: Option<&[SimRef]>,
        to: Option<&Destination>,
        counts: impl Fn(&ProbeRecord) -> bool,
    ) -> u64 {
        let probes = self.probes.iter().filter(|p| p.is_probe);
        let probes = probes.filter(|p| ues.is_none_or(|ues| ues.contains(&SimRef(p.sim))));
        let probes = probes.filter(|p| to.is_none() || p.to.as_ref() == to);
        count(probes.filter(|p| counts(p)))
    }

    fn transfers(&self, tenant: Option<&str>, intact: bool) -> u64 {
        let transfers = self
            .transfers
            .iter()
            .filter(|t| tenant.is_none_or(|name| t.tenant == name));
        count(transfers.filter(|t| t.is_intact() == Some(intact)))
    }

    fn escaped(&mut self, tenant: Option<&str>) -> u64 {
        let escaped = self.lab.network().escaped();
        let place = |name| self.lab.plan().tenants.iter().position(|t| t.name == name);
        let place = tenant.map(place);
        let mine = escaped
            .iter()
            .filter(|e| place.is_none_or(|place| place == Some(e.tenant)));
        mine.map(|e| e.packets).sum()
    }

    /// Packets that the gateway refused: by its totals, or for a tenant by the sessions of its
    /// SIMs, those that have ended included.
    fn drops(&mut self, reason: Option<&str>, tenant: Option<&str>) -> Seen {
        if self.down.contains(&NodeName::Pgw) {
            return Seen::Unknown("the gateway is down");
        }
        let Some(tenant) = tenant else {
            return match self.lab.counters() {
                Ok(counters) => Seen::Count(sum(counters.get("refused"), reason)),
                Err(_) => Seen::Unknown("the gateway did not answer"),
            };
        };
        let imsis = self.imsis(None, Some(tenant));
        let mut drops = 0;
        for entry in self.lab.log() {
            if let NodeEvent::Pgw(heiiki_pgw::Event::SessionEnded { imsi, usage, .. }) =
                &entry.event
                && imsis.contains(imsi)
            {
                drops += sum(serde_json::to_value(usage.refused).ok().as_ref(), reason);
            }
        }
        for imsi in imsis {
            for session in self.session_counters(imsi) {
                drops += sum(session.pointer("/usage/refused"), reason);
            }
        }
        Seen::Count(drops)
    }

    fn events(&self, name: &str) -> u64 {
        count(self.lab.log().iter().filter(|entry| {
            let event = serde_json::to_value(&entry.event).unwrap_or_default();
            event.get("event").and_then(Value::as_str) == Some(name)
        }))
    }
}

/// Whether a probe left the UE, or would have but for a cut, and had no answer.
fn is_refused(probe: &ProbeRecord) -> bool {
    match probe.outcome {
        "answered" | "not_sent" => false,
        "no_bearer" => probe.evidence.is_some(),
        _ => true,
    }
}

fn sum(refused: Option<&Value>, reason: Option<&str>) -> u64 {
    let refused = refused.and_then(Value::as_object).into_iter().flatten();
    let refused = refused.filter(|(name, _)| reason.is_none_or(|reason| *name == reason));
    refused.filter_map(|(_, count)| count.as_u64()).sum()
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    u64::try_from(items.count()).unwrap_or(u64::MAX)
}
