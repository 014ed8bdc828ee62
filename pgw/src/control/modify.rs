use alloc::boxed::Box;

use heiiki_gtp::c::{
    BearerContextModified, Cause, Header, Interface, Message, ModifyBearerRequest,
    ModifyBearerResponse, Reject, RequestHandle, ie_type,
};
use heiiki_types::Now;

use super::Control;
use super::procedure::{Move, Procedure};
use super::session::{Live, State, TunnelEnd};
use super::start::live_row;
use crate::event::Event;
use crate::user_plane::Update;

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
            Ok((sgw_c, sgw_u)) => self.begin_move(now, handle, &live, sgw_c, sgw_u),
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
    ) -> Result<(TunnelEnd, TunnelEnd), Reject> {
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
        let mut sgw_u = session.sgw_u;
        for bearer in &request.bearer_contexts {
            if bearer.ebi != session.ebi {
                return Err(Reject {
                    cause: Cause::CONTEXT_NOT_FOUND,
                    ie: Some((ie_type::BEARER_CONTEXT, 0)),
                    why: "the session has no such bearer",
                });
            }
            if let Some(f_teid) = &bearer.s5s8_u_sgw_f_teid {
                sgw_u = self.sgw_end(source, f_teid, Interface::S5S8_SGW_GTPU)?;
            }
        }
        Ok((sgw_c, sgw_u))
    }

    fn begin_move(
        &mut self,
        now: Now,
        handle: RequestHandle,
        live: &Live,
        sgw_c: TunnelEnd,
        sgw_u: TunnelEnd,
    ) {
        let session = &live.session;
        let (slot, source) = (session.slot, handle.remote.ip());
        let moved = (sgw_c, sgw_u, source) != (session.sgw_c, session.sgw_u, session.sgw_source);
        let procedure = Procedure::Move(Box::new(Move {
            handle,
            slot,
            id: session.id,
            ebi: session.ebi,
            sgw_c,
            moved,
        }));
        let ticket = self.begin(procedure);
        if moved {
            self.sessions.move_peer(slot, source, sgw_c, sgw_u);
            let entry = self
                .sessions
                .get(slot)
                .map(|live| (self.entry(live), live_row(&live.session)));
            if let Some((entry, row)) = entry {
                let update = Update::MovePeer {
                    slot,
                    peer: entry.peer,
                    peer_teid: entry.peer_teid,
                };
                self.broadcast(ticket, &update);
                self.persist(ticket, alloc::vec![row]);
            }
        }
        self.advance(now, ticket);
    }

    pub(super) fn moved(&mut self, now: Now, modification: &Move, durable: bool) {
        let Move {
            handle,
            slot,
            id,
            ebi,
            sgw_c,
            moved,
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
        let mut response = ModifyBearerResponse::new(Cause::REQUEST_ACCEPTED.into());
        response.bearer_contexts.push(BearerContextModified {
            ebi,
            cause: Cause::REQUEST_ACCEPTED.into(),
            s1_u_sgw_f_teid: None,
            charging_id: Some(id.0),
        });
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
}
