//! UEs that come and go.

use core::fmt::Write as _;
use core::time::Duration;
use std::collections::BTreeMap;

use heiiki_types::Apn;
use heiiki_ue_sim::{Event as UeEvent, UeCommand};

use super::run::{Outcome, Run};
use super::title;
use crate::lab::{AttachError, Network, attach_event};
use crate::log::NodeEvent;
use crate::observe::short;
use crate::plan::{AttachExpect, Cause, SimRef};

/// What an attach came to: how long it took, or why not.
type Attached = Result<Duration, AttachError>;

/// An attach as its events come.
#[derive(Debug, Default)]
struct Attempt {
    /// The cause with which the UE refused the network.
    refused_by_ue: Option<u8>,
    /// An attempt that ended without an answer; the UE makes another by itself.
    unanswered: Option<AttachError>,
}

impl Attempt {
    /// The outcome, once an event brings it.
    fn event(&mut self, event: &UeEvent) -> Option<Attached> {
        if let UeEvent::AuthenticationFailed { cause } = event {
            self.refused_by_ue = Some(*cause);
        }
        match (attach_event(event)?, self.refused_by_ue) {
            (Ok(session), _) => Some(Ok(session.took)),
            (Err(_), Some(cause)) => Some(Err(AttachError::NotGenuine { cause })),
            (Err(error @ AttachError::Failed(_)), None) => {
                self.unanswered = Some(error);
                None
            }
            (Err(error), None) => Some(Err(error)),
        }
    }
}

/// Whether an attach came to what it must.
fn meets(attached: &Attached, expect: AttachExpect) -> bool {
    match (expect, attached) {
        (AttachExpect::Any, _) | (AttachExpect::Accepted, Ok(_)) => true,
        (AttachExpect::Rejected { cause, protected }, Err(error)) => {
            rejects(error, cause, protected)
        }
        _ => false,
    }
}

fn rejects(error: &AttachError, wanted: Option<Cause>, wanted_protected: Option<bool>) -> bool {
    let (emm, esm, protection) = match error {
        AttachError::Rejected {
            cause,
            esm_cause,
            protected,
            ..
        } => (Some(*cause), *esm_cause, Some(*protected)),
        AttachError::NotGenuine { cause } => (Some(*cause), None, None),
        AttachError::AuthenticationRejected => (None, None, None),
        AttachError::NotStarted(_) | AttachError::Failed(_) | AttachError::TimedOut => {
            return false;
        }
    };
    let cause = match wanted {
        None => true,
        Some(Cause::Emm(cause)) => emm == Some(cause),
        Some(Cause::Esm(cause)) => esm == Some(cause),
    };
    cause && wanted_protected.is_none_or(|wanted| protection == Some(wanted))
}

impl<N: Network> Run<'_, N> {
    /// Switches UEs on and lets them attach.
    pub(super) fn attach(
        &mut self,
        ues: &[SimRef],
        apn: Option<&Apn>,
        spread: Duration,
        within: Duration,
        expect: AttachExpect,
    ) -> Outcome {
        let (start, from) = (self.lab.now(), self.lab.log().len());
        let gap = spread / u32::try_from(ues.len()).unwrap_or(u32::MAX).max(1);
        for (n, sim) in (0..).zip(ues) {
            self.lab.run_until(start + gap * n);
            let network = self.lab.network();
            network.command(sim.0, UeCommand::PowerOn);
            if apn.is_some() {
                network.command(sim.0, UeCommand::SetApn { apn: apn.cloned() });
            }
            network.command(sim.0, UeCommand::Attach);
        }
        let attached = self.attached(ues, from, within);
        judge(self, &attached, expect)
    }

    /// Switches UEs off and on, and lets them attach, so many times.
    pub(super) fn reattach(
        &mut self,
        ues: &[SimRef],
        times: u32,
        within: Duration,
        expect: AttachExpect,
    ) -> Outcome {
        let mut all = Vec::new();
        for _ in 0..times {
            let from = self.lab.log().len();
            for sim in ues {
                let network = self.lab.network();
                for command in [UeCommand::PowerOff, UeCommand::PowerOn, UeCommand::Attach] {
                    network.command(sim.0, command);
                }
            }
            all.extend(self.attached(ues, from, within));
        }
        judge(self, &all, expect)
    }

    /// Waits for the outcomes of attaches that began after the entry `from` of the log.
    fn attached(
        &mut self,
        ues: &[SimRef],
        from: usize,
        within: Duration,
    ) -> Vec<(SimRef, Attached)> {
        let mut attempts: BTreeMap<SimRef, Attempt> =
            ues.iter().map(|sim| (*sim, Attempt::default())).collect();
        let sims = core::mem::take(&mut self.sims);
        let mut outcomes = self.collect(from, within, attempts.len(), |entry| {
            let NodeEvent::Ue { imsi, event } = &entry.event else {
                return None;
            };
            let sim = *sims.get(imsi)?;
            attempts
                .get_mut(&sim)?
                .event(event)
                .map(|attached| (sim, attached))
        });
        self.sims = sims;
        let outcome = |(sim, attempt): (SimRef, Attempt)| {
            let nothing = Err(attempt.unanswered.unwrap_or(AttachError::TimedOut));
            (sim, outcomes.remove(&sim).unwrap_or(nothing))
        };
        attempts.into_iter().map(outcome).collect()
    }

    /// Detaches UEs.
    pub(super) fn detach(&mut self, ues: &[SimRef], off: bool, within: Duration) -> Outcome {
        self.read_log();
        let attached = |sim: &&SimRef| self.imsi(**sim).is_some_and(|i| self.ledger.ue(i).attached);
        let here: Vec<SimRef> = ues.iter().filter(attached).copied().collect();
        let from = self.lab.log().len();
        for sim in ues {
            self.lab
                .network()
                .command(sim.0, UeCommand::Detach { switch_off: off });
        }
        let sims = core::mem::take(&mut self.sims);
        let left = self.collect(from, within, here.len(), |entry| match &entry.event {
            NodeEvent::Ue {
                imsi,
                event: UeEvent::Detached { .. },
            } => sims
                .get(imsi)
                .filter(|s| here.contains(s))
                .map(|sim| (*sim, ())),
            _ => None,
        });
        self.sims = sims;
        let stay = here.iter().filter(|sim| !left.contains_key(sim));
        let faults = stay
            .map(|sim| format!("{} is still attached", self.name(*sim)))
            .collect();
        let detail = format!("{}/{} detached", left.len(), here.len());
        Outcome {
            detail,
            faults,
            ..Outcome::default()
        }
    }
}

fn judge<N: Network>(
    run: &Run<'_, N>,
    attached: &[(SimRef, Attached)],
    expect: AttachExpect,
) -> Outcome {
    let mut times: Vec<Duration> = attached
        .iter()
        .filter_map(|(_, a)| a.as_ref().ok().copied())
        .collect();
    times.sort_unstable();
    let errors: Vec<&AttachError> = attached
        .iter()
        .filter_map(|(_, a)| a.as_ref().err())
        .collect();
    let of = attached.len();
    let mut detail = match (times.get(times.len() / 2), times.last()) {
        (Some(median), Some(_)) if times.len() == 1 => {
            format!("1/{of} attached in {}", short(*median))
        }
        (Some(median), Some(slowest)) => {
            let (median, slowest) = (short(*median), short(*slowest));
            format!(
                "{}/{of} attached, median {median}, slowest {slowest}",
                times.len()
            )
        }
        _ => String::new(),
    };
    if let Some(first) = errors.first() {
        let same = errors.iter().filter(|e| **e == *first).count();
        let gap = if detail.is_empty() { "" } else { "; " };
        let _ = write!(detail, "{gap}{same}/{of} {first}");
    }
    let faults = attached
        .iter()
        .filter(|(_, a)| !meets(a, expect))
        .map(|(sim, attached)| {
            let name = run.name(*sim);
            let wanted = title::attach_expect(expect);
            match attached {
                Ok(_) => format!("{name} attached, and was to be {wanted}"),
                Err(error) => format!("{name} was to be {wanted}: {error}"),
            }
        });
    Outcome {
        faults: faults.collect(),
        detail,
        ..Outcome::default()
    }
}
