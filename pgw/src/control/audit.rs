use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::{Apn, CallId, HttpResponse, Now, Prefix, Protections};

use super::api::{self, CountersReply, SessionCountersReply, SessionUsage};
use super::procedure::{Gathering, Procedure, Question};
use super::{Control, Output};
use crate::address_set::AddressSet;
use crate::config::{AccessId, CheckedPrefix};
use crate::user_plane::{Answer, Reach, Update, Usage};

/// The closedness of one access point.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AccessAudit {
    /// The access point.
    pub apn: Apn,
    /// Its tenant.
    pub tenant: String,
    /// Public ranges that only the tenant's word makes its own.
    pub owned_global: Vec<Prefix>,
    /// The declared prefixes.
    pub declared: Vec<Prefix>,
    /// Destinations in the segment that the forwarding tables let through.
    pub reachable: AddressSet,
    /// Addresses of UEs of the tenant that its UEs reach.
    pub ues: AddressSet,
    /// Reachable destinations that the tenant did not declare: empty in a closed network.
    pub undeclared: AddressSet,
    /// Destinations that lead to another tenant: empty.
    pub foreign: AddressSet,
    /// Whether a lab has opened the access point on purpose.
    pub open_lab: bool,
    /// Nothing undeclared and nothing foreign is reachable.
    pub closed: bool,
}

/// The closedness proof of a gateway, by set arithmetic over the live tables of every worker.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Audit {
    /// Every access point that no lab has opened is closed, every protection of the user plane is
    /// on, no barred SIM has a session, and the workers forward for the sessions that there are
    /// and for no other.
    pub closed: bool,
    /// Each access point.
    pub accesses: Vec<AccessAudit>,
    /// SIMs that have a bar and a session: none.
    pub barred_sessions: u32,
    /// Sessions.
    pub sessions: u32,
    /// Sessions that the workers forward for.
    pub forwarding: u32,
    /// What is protected.
    pub protections: Protections,
    /// Where the proof ends.
    pub scope: &'static str,
}

impl Gathering {
    pub(super) fn absorb(&mut self, worker: usize, answer: Answer) {
        match answer {
            Answer::Counters(counters) => self.counters.push((worker, *counters)),
            Answer::Session(Some(usage)) => self.usage.push(*usage),
            Answer::Reach {
                accesses,
                forwarding,
            } => {
                self.reach.push(accesses);
                self.forwarding += forwarding;
            }
            Answer::Session(None)
            | Answer::Done
            | Answer::Isolated { .. }
            | Answer::Bearers(_)
            | Answer::Removed { .. } => {}
        }
    }
}

impl Control {
    pub(super) fn gathered(&mut self, gathering: Gathering) {
        let call = gathering.call;
        let response = match gathering.question {
            Question::Counters => self.counters_reply(gathering),
            Question::SessionCounters(imsi) => {
                let mut usage = gathering.usage;
                usage.sort_by_key(|(id, _)| *id);
                let sessions = usage.into_iter();
                let body = SessionCountersReply {
                    imsi,
                    sessions: sessions
                        .map(|(id, usage)| SessionUsage { id, usage })
                        .collect(),
                    boot: &self.config.boot_id,
                };
                api::reply(200, &body)
            }
            Question::Audit => {
                // While sessions come and go the workers' answers are of different times.
                let settled =
                    gathering.asked_after == self.last_ticket && self.procedures.len() <= 1;
                api::reply(
                    200,
                    &self.audit(&gathering.reach, gathering.forwarding, settled),
                )
            }
        };
        self.outputs
            .push_back(Output::AdminReply { call, response });
    }

    fn counters_reply(&self, mut gathering: Gathering) -> HttpResponse {
        gathering.counters.sort_by_key(|(worker, _)| *worker);
        let workers: Vec<_> = gathering.counters.into_iter().map(|(_, c)| c).collect();
        let mut total = Usage::default();
        for counters in &workers {
            total.add(&counters.total);
        }
        let body = CountersReply {
            sessions: self.sessions.len(),
            refused: total.refused,
            total,
            workers,
            protections: self.config.protections,
            boot: &self.config.boot_id,
        };
        api::reply(200, &body)
    }

    fn audit(&self, reach: &[Vec<Reach>], forwarding: u32, settled: bool) -> Audit {
        let mut accesses = Vec::new();
        for (id, place) in (0..).map(AccessId).zip(0..self.network.accesses.len()) {
            let mut sum = Reach::default();
            for reach in reach.iter().filter_map(|worker| worker.get(place)) {
                sum.segment = sum.segment.plus(&reach.segment);
                sum.ues = sum.ues.plus(&reach.ues);
                sum.foreign = sum.foreign.plus(&reach.foreign);
                sum.sentinel = sum.sentinel.plus(&reach.sentinel);
            }
            accesses.extend(self.audit_access(id, sum));
        }
        let barred_sessions = u32::try_from(self.barred_sessions().count()).unwrap_or(u32::MAX);
        let leaving = self.sessions.iter().filter(|l| l.is_leaving()).count();
        let staying = self.sessions.len() - u32::try_from(leaving).unwrap_or(0);
        let p = self.config.protections;
        let protected = p.source_check
            && p.tenant_isolation
            && p.ue_isolation
            && p.infrastructure_deny
            && p.tunnel_deny
            && p.router_guard
            && p.closed_egress
            && p.bar
            && p.isolation;
        Audit {
            closed: protected
                && barred_sessions == 0
                && (forwarding == staying || !settled)
                && accesses.iter().all(|a| a.closed || a.open_lab),
            accesses,
            barred_sessions,
            sessions: self.sessions.len(),
            forwarding,
            protections: p,
            scope: "the proof ends at the SGi port; beyond it only probes can tell",
        }
    }

    fn audit_access(&self, id: AccessId, reach: Reach) -> Option<AccessAudit> {
        let access = self.network.access(id)?;
        let tenant = self.network.tenant(access.tenant)?;
        let declared: AddressSet = tenant.declared.iter().map(CheckedPrefix::prefix).collect();
        let undeclared = reach.segment.plus(&reach.sentinel).minus(&declared);
        let open_lab = access.config.open_lab.is_some();
        let owned = tenant.declared.iter().filter(|p| p.is_owned_global());
        Some(AccessAudit {
            apn: access.config.apn.clone(),
            tenant: tenant.name.clone(),
            owned_global: owned.map(CheckedPrefix::prefix).collect(),
            declared: tenant.declared.iter().map(CheckedPrefix::prefix).collect(),
            closed: undeclared.is_empty() && reach.foreign.is_empty(),
            reachable: reach.segment.plus(&reach.sentinel),
            ues: reach.ues,
            undeclared,
            foreign: reach.foreign,
            open_lab,
        })
    }

    /// Asks every worker. A session's counters come from the one that owns it.
    pub(super) fn ask(&mut self, now: Now, call: CallId, question: Question) {
        let mut gathering = Gathering {
            call,
            question,
            counters: Vec::new(),
            usage: Vec::new(),
            reach: Vec::new(),
            forwarding: 0,
            asked_after: 0,
        };
        let mut updates = Vec::new();
        match question {
            Question::Counters => updates.push(Update::ReadCounters),
            Question::Audit => updates.push(Update::ReadReach),
            Question::SessionCounters(imsi) => {
                let slots = self.sessions.of_imsi(imsi).map(|l| l.session.slot);
                updates.extend(slots.map(Update::ReadSession));
            }
        }
        gathering.asked_after = self.last_ticket + 1;
        let ticket = self.begin(Procedure::Gathering(Box::new(gathering)));
        self.set_deadline(ticket, now.at + self.config.cut_timeout);
        for update in updates {
            self.broadcast(ticket, &update);
        }
        self.advance(now, ticket);
    }
}
