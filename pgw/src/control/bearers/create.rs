use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::IpAddr;

use heiiki_gtp::c::{
    BearerContextAccepted, BearerContextRequested, Cause, CreateBearerRequest,
    CreateBearerResponse, FTeid, Interface, Message,
};
use heiiki_types::{Ebi, Now, Record, Teid};

use super::{Ask, Bearer, Origin, PER_SESSION, Qos, Request, entry, template};
use crate::config::{BearerRule, BearerWhen, numbered};
use crate::control::Control;
use crate::control::procedure::Procedure;
use crate::control::session::Live;
use crate::control::start::live_row;
use crate::user_plane::{SessionId, Slot, Update};

impl Control {
    /// Asks for the bearers that the rules of the access point give every session, after the
    /// session was answered.
    pub(in crate::control) fn begin_rule_bearers(&mut self, now: Now, slot: Slot, id: SessionId) {
        let Some(live) = self.active(slot, id).cloned() else {
            return;
        };
        let rules = self.network.access(live.access);
        let rules: Vec<BearerRule> = rules
            .map(|a| a.config.bearers.iter())
            .into_iter()
            .flatten()
            .filter(|r| r.when == BearerWhen::Attach)
            .cloned()
            .collect();
        let mut bearers = Vec::new();
        for rule in rules {
            bearers.extend(self.new_bearer(now, &live, &rule, Origin::Rule, &bearers));
        }
        if !bearers.is_empty() {
            self.ask_sgw(now, Request::new(&live, Ask::Create(bearers)));
        }
    }

    /// A bearer of this rule for the session, with a TEID of its own; `None` when the session has
    /// as many as it can. `with` are those that the same request asks for.
    pub(super) fn new_bearer(
        &mut self,
        now: Now,
        live: &Live,
        rule: &BearerRule,
        origin: Origin,
        with: &[Bearer],
    ) -> Option<Bearer> {
        let session = &live.session;
        let waiting = self.asked_for(session.id);
        if session.bearers.len() + waiting.len() + with.len() >= PER_SESSION {
            return None;
        }
        let mut precedences = Self::precedences(live, None);
        let others = waiting.iter().chain(with);
        precedences.extend(
            others
                .clone()
                .flat_map(Bearer::filters)
                .map(|f| f.precedence),
        );
        let mut taken: Vec<Teid> = session.bearers.iter().map(|b| b.teid).collect();
        taken.extend(others.map(|b| b.teid));
        taken.push(session.teid_u);
        let teid = self
            .sessions
            .bearer_teid(session.slot, &taken, &mut self.rng)?;
        let (charging, mark) = self.charging.take();
        if let Some(mark) = mark {
            let ticket = self.begin(Procedure::Note);
            self.persist(ticket, alloc::vec![mark]);
            self.advance(now, ticket);
        }
        Some(Bearer {
            ebi: Ebi::FIRST,
            name: rule.name.clone(),
            origin,
            teid,
            sgw_u: session.sgw_u,
            qos: Qos {
                qci: rule.qci,
                arp: rule.arp,
                mbr: rule.mbr,
                gbr: rule.gbr,
            },
            template: template(&numbered(&rule.filters, &precedences)),
            charging,
        })
    }

    /// Bearers that a session's SGW is being asked for.
    fn asked_for(&self, id: SessionId) -> Vec<Bearer> {
        let requests = self.bearer_requests.values().filter(|r| r.session == id);
        requests
            .flat_map(|r| match &r.ask {
                Ask::Create(bearers) => bearers.as_slice(),
                _ => &[],
            })
            .cloned()
            .collect()
    }

    /// Create Bearer Request, TS 29.274 §7.2.3.
    pub(super) fn create_request(
        &self,
        live: &Live,
        bearers: &[Bearer],
        pti: Option<u8>,
    ) -> Message {
        let address = self.s5u_of(live.session.slot);
        let contexts = bearers.iter().map(|bearer| BearerContextRequested {
            tft: bearer.template.clone(),
            s1_u_sgw_f_teid: None,
            s5s8_u_pgw_f_teid: Some(FTeid::new(Interface::S5S8_PGW_GTPU, bearer.teid, address)),
            bearer_qos: bearer.qos.wire(),
            charging_id: Some(bearer.charging.0),
            flags: None,
            pco: None,
        });
        Message::CreateBearerRequest(CreateBearerRequest {
            pti,
            linked_ebi: live.session.ebi,
            pco: None,
            bearer_contexts: contexts.collect(),
            indication: None,
        })
    }

    /// Create Bearer Response, TS 29.274 §7.2.4: each bearer has a cause of its own.
    pub(super) fn bearers_created(
        &mut self,
        now: Now,
        request: &Request,
        from: IpAddr,
        response: &CreateBearerResponse,
    ) {
        let Ask::Create(wanted) = &request.ask else {
            return;
        };
        let cause = response.cause.cause;
        let mut outcome = request.outcome(Some(cause), Vec::new());
        let mut accepted = Vec::new();
        let mut refused_for_now = Vec::new();
        for bearer in wanted {
            let context = context_of(bearer, wanted.len(), response);
            let own = context.map_or(cause, |c| c.cause.cause);
            if own == Cause::TEMPORARILY_REJECTED_DUE_TO_HANDOVER_IN_PROGRESS {
                refused_for_now.push(bearer.clone());
                continue;
            }
            match context.and_then(|c| self.accepted(request, bearer, from, c)) {
                Some(bearer) => {
                    outcome.bearers.push((Some(bearer.ebi), own.0));
                    accepted.push(bearer);
                }
                // Accepted without what the gateway needs to use it.
                None if own.is_accepted() && cause.is_accepted() => outcome
                    .bearers
                    .push((None, Cause::INVALID_REPLY_FROM_REMOTE_PEER.0)),
                None => outcome.bearers.push((None, own.0)),
            }
        }
        if !refused_for_now.is_empty() {
            let later = Request {
                ask: Ask::Create(refused_for_now),
                call: None,
                ..request.clone()
            };
            self.put_off(now, &later);
        }
        self.install(now, request, accepted, outcome);
    }

    /// The bearer as the SGW has accepted it, if it can be used.
    fn accepted(
        &self,
        request: &Request,
        bearer: &Bearer,
        from: IpAddr,
        context: &BearerContextAccepted,
    ) -> Option<Bearer> {
        let live = self.active(request.slot, request.session)?;
        let ebi = context.ebi.filter(|_| context.cause.is_accepted())?;
        let f_teid = context.s5s8_u_sgw_f_teid.as_ref()?;
        let sgw_u = self.sgw_end(from, f_teid, Interface::S5S8_SGW_GTPU).ok()?;
        let is_taken = ebi == live.session.ebi || live.session.bearers.iter().any(|b| b.ebi == ebi);
        (!is_taken).then(|| Bearer {
            ebi,
            sgw_u,
            ..bearer.clone()
        })
    }

    fn install(
        &mut self,
        now: Now,
        request: &Request,
        accepted: Vec<Bearer>,
        outcome: super::Outcome,
    ) {
        let ticket = self.begin(Procedure::Bearers(Box::new(outcome)));
        let mut rows: Vec<Record> = Vec::new();
        for bearer in accepted {
            self.sessions.add_bearer(request.slot, bearer.clone());
            if let Some(live) = self.sessions.same(request.slot, request.session) {
                let update = Update::SetBearer(Box::new(entry(self, live, &bearer)));
                rows = alloc::vec![live_row(&live.session)];
                self.broadcast(ticket, &update);
            }
        }
        if !rows.is_empty() {
            self.persist(ticket, rows);
        }
        self.advance(now, ticket);
    }
}

/// The answer about a bearer: the one with its tunnel end, or the only one.
fn context_of<'a>(
    bearer: &Bearer,
    wanted: usize,
    response: &'a CreateBearerResponse,
) -> Option<&'a BearerContextAccepted> {
    let contexts = &response.bearer_contexts;
    let named =
        |c: &&BearerContextAccepted| c.s5s8_u_pgw_f_teid.is_some_and(|f| f.teid == bearer.teid);
    match (contexts.iter().find(named), contexts.as_slice()) {
        (Some(context), _) => Some(context),
        (None, [only]) if wanted == 1 && only.s5s8_u_pgw_f_teid.is_none() => Some(only),
        _ => None,
    }
}
