use alloc::boxed::Box;
use alloc::vec::Vec;

use heiiki_gtp::c::{
    BearerContextDeleted, BearerContextModified, Cause, Header, Interface, Message,
    ModifyBearerRequest, ModifyBearerResponse, Reject, RequestHandle, ie_type,
};
use heiiki_types::{Ebi, Now};

use super::Control;
use super::procedure::{Move, Procedure};
use super::session::{Live, Location, State, TunnelEnd};
use super::start::live_row;
use crate::event::Event;
use crate::user_plane::{SessionId, Slot, Update};

/// What a Modify Bearer Request makes of a session's tunnels.
struct Ends {
    sgw_c: TunnelEnd,
    sgw_u: TunnelEnd,
    /// New ends of dedicated bearers.
    bearers: Vec<(Ebi, TunnelEnd)>,
    /// The bearers of the request that the session has.
    known: Vec<Ebi>,
    unknown: Vec<Ebi>,
}

impl Control {
    /// Modify Bearer Request, TS 29.274 §7.2.7: on S5/S8 it moves the session to another SGW or to
    /// another tunnel of the same one.
    pub(super) fn modify_bearer(
        &mut self,
        now: Now,
        handle: RequestHandle,
        header: Header,
        request: &ModifyBearerRequest,
    ) {
        let teid = header.teid.unwrap_or(0);
        // The peer's TEID for the answer: the new one if there is one.
        let new = request.sender_f_teid.map(|f| f.teid.get());
        let Some(live) = self.sessions.by_teid(teid).cloned() else {
            self.modify_unknown(now, handle, teid, new.unwrap_or(0));
            return;
        };
        let answer_to = new.unwrap_or_else(|| live.session.sgw_c.teid.get());
        let imsi = live.session.imsi;
        if self.config.protections.bar && self.bars.in_force(imsi).is_some() {
            self.refuse_barred(now, handle, answer_to, imsi);
            return;
        }
        if self.is_overloaded() {
            let reject = Reject::new(Cause::NO_RESOURCES_AVAILABLE, "too much waits for the disk");
            self.refuse(now, handle, answer_to, &reject);
            return;
        }
        match self.check_modify(handle, &live, request) {
            Ok(ends) => self.begin_move(now, handle, &live, request, ends),
            Err(reject) => self.refuse(now, handle, answer_to, &reject),
        }
    }

    /// A session that a bar has ended is refused as its SIM is, for as long as its place rests.
    fn modify_unknown(&mut self, now: Now, handle: RequestHandle, teid: u32, answer_to: u32) {
        let rest = self.sessions.resting_by_teid(teid);
        let rest = rest.filter(|r| r.sgw_c.address == handle.remote.ip());
        let known = rest.map(|r| (r.imsi, r.sgw_c.teid.get()));
        match known {
            Some((imsi, peer))
                if self.config.protections.bar && self.bars.in_force(imsi).is_some() =>
            {
                let answer_to = if answer_to == 0 { peer } else { answer_to };
                self.refuse_barred(now, handle, answer_to, imsi);
            }
            _ => {
                let reject = Reject::new(Cause::CONTEXT_NOT_FOUND, "no session has this TEID");
                self.refuse(now, handle, answer_to, &reject);
            }
        }
    }

    fn check_modify(
        &self,
        handle: RequestHandle,
        live: &Live,
        request: &ModifyBearerRequest,
    ) -> Result<Ends, Reject> {
        let session = &live.session;
        let source = handle.remote.ip();
        let not_found = Reject::new(Cause::CONTEXT_NOT_FOUND, "the session is another SGW's");
        match live.state {
            State::Active => {}
            State::Installing | State::Leaving(_) => {
                let why = "the session begins or ends";
                return Err(Reject::new(Cause::CONTEXT_NOT_FOUND, why));
            }
        }
        let sgw_c = match &request.sender_f_teid {
            // Every SGW speaks for itself only: it cannot point a session at a third one.
            Some(f_teid) => self
                .sgw_end(source, f_teid, Interface::S5S8_SGW_GTPC)
                .map_err(|reject| {
                    if session.is_of(source) {
                        reject
                    } else {
                        not_found
                    }
                })?,
            None if session.is_of(source) => session.sgw_c,
            None => return Err(not_found),
        };
        let mut ends = Ends {
            sgw_c,
            sgw_u: session.sgw_u,
            bearers: Vec::new(),
            known: Vec::new(),
            unknown: Vec::new(),
        };
        for context in &request.bearer_contexts {
            let f_teid = context.s5s8_u_sgw_f_teid.as_ref();
            let end = f_teid.map(|f| self.sgw_end(source, f, Interface::S5S8_SGW_GTPU));
            let end = end.transpose()?;
            if context.ebi == session.ebi {
                ends.sgw_u = end.unwrap_or(ends.sgw_u);
            } else if session.bearers.iter().any(|b| b.ebi == context.ebi) {
                ends.bearers.extend(end.map(|end| (context.ebi, end)));
            } else {
                ends.unknown.push(context.ebi);
                continue;
            }
            ends.known.push(context.ebi);
        }
        if ends.known.is_empty() && !ends.unknown.is_empty() {
            return Err(Reject {
                cause: Cause::CONTEXT_NOT_FOUND,
                ie: Some((ie_type::BEARER_CONTEXT, 0)),
                why: "the session has no such bearer",
            });
        }
        Ok(ends)
    }

    /// Dedicated bearers that end with this request: those that the SGW could not keep, and those
    /// that a new SGW does not name, whose tunnels lead to the old one.
    fn left_behind(live: &Live, request: &ModifyBearerRequest, ends: &Ends) -> Vec<Ebi> {
        let session = &live.session;
        let has_moved = ends.sgw_c.address != session.sgw_c.address;
        let removed = |ebi| request.removed.iter().any(|r| r.ebi == ebi);
        let bearers = session.bearers.iter().map(|b| b.ebi);
        bearers
            .filter(|ebi| removed(*ebi) || has_moved && !ends.bearers.iter().any(|b| b.0 == *ebi))
            .collect()
    }

    fn begin_move(
        &mut self,
        now: Now,
        handle: RequestHandle,
        live: &Live,
        request: &ModifyBearerRequest,
        ends: Ends,
    ) {
        let session = &live.session;
        let (slot, id, source) = (session.slot, session.id, handle.remote.ip());
        let gone = Self::left_behind(live, request, &ends);
        self.drop_bearers(now, slot, id, &gone);
        let (sgw_c, sgw_u) = (ends.sgw_c, ends.sgw_u);
        let has_moved =
            (sgw_c, sgw_u, source) != (session.sgw_c, session.sgw_u, session.sgw_source);
        let has_moved = has_moved || !ends.bearers.is_empty();
        let is_elsewhere = self.note_access(slot, request);
        let procedure = Procedure::Move(Box::new(Move {
            handle,
            slot,
            id,
            sgw_c,
            modified: ends.known,
            unknown: ends.unknown,
            moved: has_moved,
        }));
        let ticket = self.begin(procedure);
        if has_moved {
            self.sessions.move_peer(slot, source, sgw_c, sgw_u);
            self.sessions.move_bearers(slot, &ends.bearers);
            let updates = self.sessions.get(slot).map(|live| {
                let entry = self.entry(live);
                let default = Update::MovePeer {
                    slot,
                    peer: entry.peer,
                    peer_teid: entry.peer_teid,
                };
                let mut updates = alloc::vec![default];
                updates.extend(self.bearer_updates(live));
                updates
            });
            for update in updates.iter().flatten() {
                self.broadcast(ticket, update);
            }
        }
        let row = self.sessions.get(slot).map(|live| live_row(&live.session));
        if let Some(row) = row.filter(|_| has_moved || is_elsewhere) {
            self.persist(ticket, alloc::vec![row]);
        }
        self.advance(now, ticket);
    }

    /// Writes down over which access the UE comes now and where it is, and says whether that is
    /// news.
    fn note_access(&mut self, slot: Slot, request: &ModifyBearerRequest) -> bool {
        let Some(live) = self.sessions.get_mut(slot) else {
            return false;
        };
        let session = &mut live.session;
        let old = (session.rat_type, session.location);
        session.rat_type = request.rat_type.unwrap_or(old.0);
        if request.uli.is_some() {
            session.location = Location::of(request.uli.as_ref());
        }
        (session.rat_type, session.location) != old
    }

    pub(super) fn moved(&mut self, now: Now, modification: &Move, durable: bool) {
        let Move {
            handle,
            slot,
            id,
            sgw_c,
            moved,
            ..
        } = *modification;
        let answer_to = sgw_c.teid.get();
        let live = self.sessions.same(slot, id).filter(|l| !l.is_leaving());
        let Some(imsi) = live.map(|l| l.session.imsi) else {
            let reject = Reject::new(Cause::CONTEXT_NOT_FOUND, "the session ended meanwhile");
            self.refuse(now, handle, answer_to, &reject);
            return;
        };
        if !durable {
            let reject = Reject::new(Cause::SYSTEM_FAILURE, "the disk failed");
            self.refuse(now, handle, answer_to, &reject);
            return;
        }
        self.resume_implicitly(now, slot);
        let cause = if modification.unknown.is_empty() {
            Cause::REQUEST_ACCEPTED
        } else {
            Cause::REQUEST_ACCEPTED_PARTIALLY
        };
        let mut response = ModifyBearerResponse::new(cause.into());
        for ebi in &modification.modified {
            let charging = self.charging_of(slot, *ebi).unwrap_or(id);
            response.bearer_contexts.push(BearerContextModified {
                ebi: *ebi,
                cause: Cause::REQUEST_ACCEPTED.into(),
                s1_u_sgw_f_teid: None,
                charging_id: Some(charging.0),
            });
        }
        for ebi in &modification.unknown {
            response.marked.push(BearerContextDeleted {
                ebi: *ebi,
                cause: Cause::CONTEXT_NOT_FOUND.into(),
            });
        }
        let message = Message::ModifyBearerResponse(response);
        self.endpoint
            .respond(now.at, handle, Some(answer_to), &message);
        if moved {
            self.supervise(now, sgw_c.address);
            self.event(Event::SessionMoved {
                session: id,
                imsi,
                sgw: sgw_c.address,
            });
        }
    }

    /// The charging number of a bearer of a session.
    fn charging_of(&self, slot: Slot, ebi: Ebi) -> Option<SessionId> {
        let bearers = &self.sessions.get(slot)?.session.bearers;
        bearers.iter().find(|b| b.ebi == ebi).map(|b| b.charging)
    }
}
