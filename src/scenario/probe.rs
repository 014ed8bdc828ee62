//! Probes: one packet, or one connection, to somewhere.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use std::collections::BTreeMap;

use heiiki_ue_sim::{Event as UeEvent, ProbeOutcome, UeCommand};

use super::explain::Before;
use super::report::ProbeRecord;
use super::run::{Outcome, Run};
use super::title;
use crate::lab::Network;
use crate::log::NodeEvent;
use crate::plan::{Destination, Expect, SimRef, Step, Via};

/// Probes of one UE that are under way at a time; a UE keeps this many flows with ease.
const AT_ONCE: usize = 128;

/// A probe to be sent.
#[derive(Clone, Debug)]
pub(super) struct Shot {
    pub(super) sim: SimRef,
    pub(super) to: Destination,
    pub(super) address: Ipv4Addr,
    pub(super) via: Via,
}

/// A probe and what became of it.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    pub(super) shot: Shot,
    pub(super) outcome: ProbeOutcome,
}

/// The name of an outcome in reports.
pub(super) const fn word(outcome: ProbeOutcome) -> &'static str {
    match outcome {
        ProbeOutcome::Answered { .. } => "answered",
        ProbeOutcome::Refused => "refused",
        ProbeOutcome::Prohibited { .. } => "prohibited",
        ProbeOutcome::TimedOut => "timed_out",
        ProbeOutcome::NoBearer => "no_bearer",
        ProbeOutcome::NotSent => "not_sent",
    }
}

/// A line of the matrix with nothing in it yet.
pub(super) fn record(step: &Step, sim: SimRef, source: String, destination: String) -> ProbeRecord {
    ProbeRecord {
        line: step.line,
        source,
        destination,
        address: None,
        via: String::new(),
        outcome: "timed_out",
        rtt_us: None,
        reason: None,
        evidence: None,
        is_probe: false,
        sim: sim.0,
        to: None,
    }
}

impl<N: Network> Run<'_, N> {
    /// Tries every destination over every protocol.
    pub(super) fn probe(
        &mut self,
        step: &Step,
        ues: &[SimRef],
        to: &[Destination],
        over: &[Via],
        expect: Expect,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let shots = self.aim(ues, to, over, &mut outcome);
        let before = self.before(ues);
        let mut hits = Vec::with_capacity(shots.len());
        let rounds = shots
            .values()
            .map(|s| s.len().div_ceil(AT_ONCE))
            .max()
            .unwrap_or(0);
        for round in 0..rounds {
            let chunks = shots.values().filter_map(|s| s.chunks(AT_ONCE).nth(round));
            let chunk: Vec<Shot> = chunks.flatten().cloned().collect();
            let from = self.lab.log().len();
            let sent = chunk
                .into_iter()
                .map(|shot| (self.send(&shot), shot))
                .collect();
            hits.extend(self.wait_for(from, step.within, &sent));
        }
        self.judge(step, hits, &before, expect, outcome)
    }

    /// Sends echo requests, one a second.
    pub(super) fn ping(
        &mut self,
        step: &Step,
        ues: &[SimRef],
        to: &Destination,
        count: u32,
        expect: Expect,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let shots = self.aim(ues, core::slice::from_ref(to), &[Via::Icmp], &mut outcome);
        let before = self.before(ues);
        let (start, from) = (self.lab.now(), self.lab.log().len());
        let mut sent = BTreeMap::new();
        for n in 0..count {
            self.lab.run_until(start + Duration::from_secs(1) * n);
            for shot in shots.values().flatten() {
                sent.insert(self.send(shot), shot.clone());
            }
        }
        let hits = self.wait_for(from, step.within, &sent);
        self.judge(step, hits, &before, expect, outcome)
    }

    /// The probes of each UE.
    fn aim(
        &mut self,
        ues: &[SimRef],
        to: &[Destination],
        over: &[Via],
        outcome: &mut Outcome,
    ) -> BTreeMap<SimRef, Vec<Shot>> {
        let mut shots: BTreeMap<SimRef, Vec<Shot>> = BTreeMap::new();
        for (sim, to) in ues
            .iter()
            .flat_map(|sim| to.iter().map(move |to| (*sim, to)))
        {
            let targets = self.targets(sim, to);
            if targets.is_empty() {
                outcome.unproved.push(self.nowhere(sim, to));
            }
            for target in &targets {
                let IpAddr::V4(address) = target.address else {
                    outcome
                        .unproved
                        .push(format!("UEs have no IPv6 to probe {}", target.address));
                    continue;
                };
                let ways = target.ways(over).into_iter();
                let ways = ways.map(|via| Shot {
                    sim,
                    to: to.clone(),
                    address,
                    via,
                });
                shots.entry(sim).or_default().extend(ways);
            }
        }
        shots
    }

    fn send(&mut self, shot: &Shot) -> u64 {
        let (token, dst) = (self.lab.token(), shot.address);
        let command = match shot.via {
            Via::Icmp => UeCommand::Ping { token, dst },
            Via::Tcp(port) => UeCommand::TcpProbe { token, dst, port },
            Via::Udp(port) => UeCommand::UdpProbe { token, dst, port },
        };
        self.lab.network().command(shot.sim.0, command);
        token
    }

    fn wait_for(&mut self, from: usize, within: Duration, sent: &BTreeMap<u64, Shot>) -> Vec<Hit> {
        let outcomes = self.collect(from, within, sent.len(), |entry| match &entry.event {
            NodeEvent::Ue {
                event:
                    UeEvent::PingDone { token, outcome }
                    | UeEvent::UdpProbeDone { token, outcome }
                    | UeEvent::TcpProbeDone { token, outcome },
                ..
            } if sent.contains_key(token) => Some((*token, *outcome)),
            _ => None,
        });
        let outcome = |token| {
            outcomes
                .get(token)
                .copied()
                .unwrap_or(ProbeOutcome::TimedOut)
        };
        sent.iter()
            .map(|(token, shot)| Hit {
                outcome: outcome(token),
                shot: shot.clone(),
            })
            .collect()
    }

    fn judge(
        &mut self,
        step: &Step,
        hits: Vec<Hit>,
        before: &Before,
        expect: Expect,
        mut outcome: Outcome,
    ) -> Outcome {
        let explained = self.explain(&hits, before);
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        let (mut answered, mut refused) = (0, 0);
        for (hit, (reason, evidence)) in hits.into_iter().zip(explained) {
            let Hit {
                shot,
                outcome: came,
            } = hit;
            let mut record = record(
                step,
                shot.sim,
                self.name(shot.sim),
                title::destination(self.lab.plan(), &shot.to),
            );
            (record.address, record.via) = (Some(shot.address.into()), title::via(shot.via));
            (record.outcome, record.is_probe, record.to) = (word(came), true, Some(shot.to));
            let place = format!(
                "{} {} over {}",
                record.destination, shot.address, record.via
            );
            let met = match came {
                ProbeOutcome::Answered { rtt_us } => {
                    record.rtt_us = Some(rtt_us);
                    answered += 1;
                    expect != Expect::Refused
                }
                ProbeOutcome::NotSent => {
                    outcome
                        .unproved
                        .push(format!("{} could not probe {place}", record.source));
                    true
                }
                ProbeOutcome::NoBearer if evidence.is_none() => {
                    outcome
                        .unproved
                        .push(format!("{} has no session to probe {place}", record.source));
                    expect != Expect::Answered
                }
                _ => {
                    refused += 1;
                    let reason = reason.clone().unwrap_or_else(|| "no reason".to_owned());
                    *reasons.entry(reason).or_default() += 1;
                    expect != Expect::Answered
                }
            };
            if !met {
                let how = if came.is_answered() {
                    "reached"
                } else {
                    "did not reach"
                };
                outcome
                    .faults
                    .push(format!("{} {how} {place}", record.source));
            }
            (record.reason, record.evidence) = (reason, evidence);
            self.probes.push(record);
        }
        let reasons: Vec<String> = reasons
            .into_iter()
            .map(|(r, n)| format!("{r} {n}"))
            .collect();
        let reasons = if reasons.is_empty() {
            String::new()
        } else {
            format!(": {}", reasons.join(", "))
        };
        outcome.detail = format!("{answered} answered, {refused} refused{reasons}");
        outcome
    }
}
