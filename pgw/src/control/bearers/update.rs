use alloc::boxed::Box;
use alloc::vec::Vec;

use heiiki_gtp::c::{
    BearerContextToBeUpdated, Cause, Message, UpdateBearerRequest, UpdateBearerResponse,
};
use heiiki_types::{Ambr, Now};

use super::{Ask, Change, Request, entry};
use crate::control::Control;
use crate::control::procedure::Procedure;
use crate::control::session::Live;
use crate::control::start::live_row;
use crate::user_plane::Update;

/// A rate for a session that has no limit: the greatest that the wire has.
const UNLIMITED: Ambr = Ambr {
    uplink_bps: 0xffff_ffff_u64 * 1_000,
    downlink_bps: 0xffff_ffff_u64 * 1_000,
};

/// Update Bearer Request, TS 29.274 §7.2.15. It carries the aggregate rate whether or not that
/// changes.
pub(super) fn message(
    live: &Live,
    ambr: Option<Ambr>,
    changes: &[Change],
    pti: Option<u8>,
) -> Message {
    let contexts = changes.iter().map(|change| BearerContextToBeUpdated {
        ebi: change.ebi,
        tft: change.operation.clone(),
        bearer_qos: change.qos.map(super::Qos::wire),
        flags: None,
        pco: None,
    });
    Message::UpdateBearerRequest(UpdateBearerRequest {
        bearer_contexts: contexts.collect(),
        pti,
        pco: None,
        apn_ambr: ambr.or(live.session.ambr).unwrap_or(UNLIMITED),
        indication: None,
    })
}

impl Control {
    /// Update Bearer Response, TS 29.274 §7.2.16: what was accepted counts from now on, the rest
    /// stays as it was.
    pub(super) fn bearers_updated(
        &mut self,
        now: Now,
        request: &Request,
        response: &UpdateBearerResponse,
    ) {
        let Ask::Update { ambr, changes } = &request.ask else {
            return;
        };
        let cause = response.cause.cause;
        let of = |change: &Change| {
            let contexts = &response.bearer_contexts;
            let own = contexts.iter().find(|c| c.ebi == change.ebi);
            own.map_or(cause, |c| c.cause.cause)
        };
        let causes = changes.iter().map(|c| (Some(c.ebi), of(c).0)).collect();
        let outcome = request.outcome(Some(cause), causes);
        let done: Vec<&Change> = changes
            .iter()
            .filter(|c| cause.is_accepted() && of(c).is_accepted())
            .collect();
        // The aggregate rate is the default bearer's.
        let ebi = self.active(request.slot, request.session);
        let ebi = ebi.map(|l| l.session.ebi);
        let refused = |c: &&Change| Some(c.ebi) == ebi && !of(c).is_accepted();
        let ambr = ambr.filter(|_| cause.is_accepted() && !changes.iter().any(|c| refused(&c)));
        let ticket = self.begin(Procedure::Bearers(Box::new(outcome)));
        let updates = self.change(request, ambr, &done);
        let row = self
            .sessions
            .same(request.slot, request.session)
            .map(|l| live_row(&l.session));
        if let Some(row) = row
            && (ambr.is_some() || !done.is_empty())
        {
            for update in &updates {
                self.broadcast(ticket, update);
            }
            self.persist(ticket, alloc::vec![row]);
        }
        self.advance(now, ticket);
    }

    /// Changes the session and says what the worker has to know of it.
    fn change(&mut self, request: &Request, ambr: Option<Ambr>, done: &[&Change]) -> Vec<Update> {
        let slot = request.slot;
        if self.active(slot, request.session).is_none() {
            return Vec::new();
        }
        let mut updates = Vec::new();
        let mut changed = Vec::new();
        if let Some(live) = self.sessions.get_mut(slot) {
            let session = &mut live.session;
            if ambr.is_some() {
                session.ambr = ambr;
                updates.push(Update::SetRates { slot, ambr });
            }
            for change in done {
                if change.ebi == session.ebi {
                    if let Some(qos) = change.qos {
                        session.qci = qos.qci;
                        session.arp = qos.arp;
                    }
                } else if let Some(bearer) =
                    session.bearers.iter_mut().find(|b| b.ebi == change.ebi)
                {
                    bearer.qos = change.qos.unwrap_or(bearer.qos);
                    if let Some(template) = &change.template {
                        bearer.template.clone_from(template);
                    }
                    changed.push(bearer.clone());
                }
            }
        }
        if let Some(live) = self.sessions.get(slot) {
            let entries = changed.iter().map(|b| entry(self, live, b));
            updates.extend(entries.map(|e| Update::SetBearer(Box::new(e))));
        }
        updates
    }

    /// The rate that a session may have: what was asked, no more than its access point grants.
    pub(super) fn granted(&self, live: &Live, asked: Ambr) -> Ambr {
        let most = self.network.access(live.access).and_then(|a| a.config.ambr);
        most.map_or(asked, |most| Ambr {
            uplink_bps: asked.uplink_bps.min(most.uplink_bps),
            downlink_bps: asked.downlink_bps.min(most.downlink_bps),
        })
    }
}

/// Whether a cause is one that a UE or its network gives for good.
pub(super) const fn is_accepted(cause: u8) -> bool {
    Cause(cause).is_accepted()
}
