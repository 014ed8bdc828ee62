//! What an SGW tells about a session without moving it: where the UE is, that it takes no packets
//! for a while, and that a part of a node is gone with its sessions.

use alloc::vec::Vec;
use core::net::IpAddr;

use heiiki_gtp::c::{
    Acknowledge, Cause, ChangeNotificationRequest, ChangeNotificationResponse,
    DeletePdnConnectionSetRequest, DeletePdnConnectionSetResponse, FTeid, FqCsid, Header, Message,
    Reject, RequestHandle, ResumeNotification, SuspendNotification, ie_type,
};
use heiiki_types::{Imsi, Now};

use super::Control;
use super::procedure::{Listener, Procedure, Removal, Suspension};
use super::session::{Csid, Live, Location, Session, State};
use super::start::live_row;
use crate::event::{EndReason, Event};
use crate::user_plane::{SessionId, Slot, Update};

/// Sessions of a set that are removed at a time, so that other requests get their turn.
const CHUNK: usize = 256;

const fn wrong(cause: Cause, ie: (u8, u8), why: &'static str) -> Reject {
    Reject {
        cause,
        ie: Some(ie),
        why,
    }
}

impl Control {
    /// Change Notification Request, TS 29.274 §7.3.14. Older senders name the session by IMSI and
    /// default bearer and leave the TEID zero.
    pub(super) fn change_notification(
        &mut self,
        now: Now,
        handle: RequestHandle,
        header: Header,
        request: &ChangeNotificationRequest,
    ) {
        let source = handle.remote.ip();
        let found = match header.teid {
            Some(0) | None => self.named(source, request),
            Some(_) => self.session_of(header, handle),
        };
        let live = found.and_then(|(slot, id)| self.sessions.same(slot, id));
        let live = live.filter(|l| l.state == State::Active);
        let mut response = ChangeNotificationResponse {
            imsi: request.imsi,
            mei: request.mei,
            cause: Cause::REQUEST_ACCEPTED.into(),
        };
        let same = |l: &&Live| request.imsi.is_none_or(|imsi| imsi == l.session.imsi);
        let Some(live) = live.filter(same) else {
            response.cause = Cause::IMSI_IMEI_NOT_KNOWN.into();
            self.answer_change(now, handle, 0, response);
            return;
        };
        let (slot, id, imsi) = (live.session.slot, live.session.id, live.session.imsi);
        let teid = live.session.sgw_c.teid.get();
        let location = request.uli.as_ref().map(|uli| Location::of(Some(uli)));
        if let Some(live) = self.sessions.get_mut(slot) {
            live.session.rat_type = request.rat_type;
            live.session.location = location.unwrap_or(live.session.location);
        }
        self.note_session(now, slot);
        self.event(Event::LocationChanged {
            session: id,
            imsi,
            rat_type: request.rat_type,
            tai: location.and_then(|l| l.tai),
            ecgi: location.and_then(|l| l.ecgi),
        });
        self.answer_change(now, handle, teid, response);
    }

    fn answer_change(
        &mut self,
        now: Now,
        handle: RequestHandle,
        teid: u32,
        response: ChangeNotificationResponse,
    ) {
        let message = Message::ChangeNotificationResponse(response);
        self.endpoint.respond(now.at, handle, Some(teid), &message);
    }

    /// The session that IMSI and default bearer name; without the bearer only if there is one.
    fn named(
        &self,
        source: IpAddr,
        request: &ChangeNotificationRequest,
    ) -> Option<(Slot, SessionId)> {
        let own = |l: &&Live| {
            let bearer = request.linked_ebi;
            l.session.is_of(source) && bearer.is_none_or(|ebi| ebi == l.session.ebi)
        };
        let mut sessions = self.sessions.of_imsi(request.imsi?).filter(own);
        let first = sessions.next()?;
        let is_only = sessions.next().is_none();
        is_only.then_some((first.session.slot, first.session.id))
    }

    /// Writes a session down as it is now; nobody waits for it.
    pub(super) fn note_session(&mut self, now: Now, slot: Slot) {
        let row = self.sessions.get(slot).map(|l| live_row(&l.session));
        if let Some(row) = row {
            let ticket = self.begin(Procedure::Note);
            self.persist(ticket, alloc::vec![row]);
            self.advance(now, ticket);
        }
    }

    /// Suspend Notification, TS 29.274 §7.4.1.
    pub(super) fn suspend(
        &mut self,
        now: Now,
        handle: RequestHandle,
        header: Header,
        request: &SuspendNotification,
    ) {
        let sender = request.sender_f_teid.as_ref();
        self.set_suspended(now, (handle, header), sender, None, true);
    }

    /// Resume Notification, TS 29.274 §7.4.3.
    pub(super) fn resume(
        &mut self,
        now: Now,
        handle: RequestHandle,
        header: Header,
        request: &ResumeNotification,
    ) {
        let sender = request.sender_f_teid.as_ref();
        self.set_suspended(now, (handle, header), sender, Some(request.imsi), false);
    }

    fn set_suspended(
        &mut self,
        now: Now,
        (handle, header): (RequestHandle, Header),
        sender: Option<&FTeid>,
        imsi: Option<Imsi>,
        suspended: bool,
    ) {
        let found = self.session_of(header, handle);
        let live = found.and_then(|(slot, id)| self.sessions.same(slot, id));
        // An SGW that has lost the session to another one is not heard, nor is a dummy IMSI of a
        // UE without a SIM another's.
        let is_meant = |l: &&Live| {
            let own = (l.session.sgw_c.address, l.session.sgw_c.teid);
            l.state == State::Active
                && sender.is_none_or(|f| (f.address.ip(), f.teid) == own)
                && imsi.is_none_or(|imsi| imsi == l.session.imsi)
        };
        let Some(live) = live.filter(is_meant) else {
            let reject = Reject::new(Cause::CONTEXT_NOT_FOUND, "no session has this TEID");
            self.refuse(now, handle, 0, &reject);
            return;
        };
        let (slot, id) = (live.session.slot, live.session.id);
        let ticket = self.begin(Procedure::Suspension(Suspension {
            handle: Some(handle),
            slot,
            id,
            suspended,
        }));
        self.change_suspension(now, ticket, slot, suspended);
    }

    fn change_suspension(
        &mut self,
        now: Now,
        ticket: super::procedure::Ticket,
        slot: Slot,
        suspended: bool,
    ) {
        let changed = self.sessions.get_mut(slot).and_then(|live| {
            let was = core::mem::replace(&mut live.session.suspended, suspended);
            (was != suspended).then(|| (live.session.id, live_row(&live.session)))
        });
        if let Some((session, row)) = changed {
            let update = Update::Suspend {
                slot,
                session,
                suspended,
            };
            self.broadcast(ticket, &update);
            self.persist(ticket, alloc::vec![row]);
        }
        self.advance(now, ticket);
    }

    /// A session that moves, or whose bearers change, takes packets again (TS 29.274 §7.2.7).
    pub(super) fn resume_implicitly(&mut self, now: Now, slot: Slot) {
        let suspended = self.sessions.get(slot).filter(|l| l.session.suspended);
        let Some(id) = suspended.map(|l| l.session.id) else {
            return;
        };
        let ticket = self.begin(Procedure::Suspension(Suspension {
            handle: None,
            slot,
            id,
            suspended: false,
        }));
        self.change_suspension(now, ticket, slot, false);
    }

    /// Every worker and the disk know of a suspension or its end.
    pub(super) fn suspension_done(&mut self, now: Now, done: Suspension, durable: bool) {
        let live = self.sessions.same(done.slot, done.id);
        let known = live.map(|l| (l.session.imsi, l.session.sgw_c.teid.get()));
        let cause = match (known, durable) {
            (None, _) => Cause::CONTEXT_NOT_FOUND,
            (Some(_), false) => Cause::SYSTEM_FAILURE,
            (Some(_), true) => Cause::REQUEST_ACCEPTED,
        };
        if let Some((imsi, _)) = known {
            self.event(Event::SessionSuspended {
                session: done.id,
                imsi,
                suspended: done.suspended,
            });
        }
        let Some(handle) = done.handle else { return };
        let acknowledge = Acknowledge {
            cause: cause.into(),
        };
        let message = if done.suspended {
            Message::SuspendAcknowledge(acknowledge)
        } else {
            Message::ResumeAcknowledge(acknowledge)
        };
        let teid = Some(known.map_or(0, |(_, teid)| teid));
        self.endpoint.respond(now.at, handle, teid, &message);
    }

    /// Delete PDN Connection Set Request, TS 29.274 §7.9.1: a part of the MME or of the SGW went
    /// down. Only the sender's own sessions go; it is answered at once and they go in portions.
    pub(super) fn delete_connection_set(
        &mut self,
        now: Now,
        handle: RequestHandle,
        request: &DeletePdnConnectionSetRequest,
    ) {
        if let Err(reject) = one_kind(request) {
            self.refuse(now, handle, 0, &reject);
            return;
        }
        let all = |sets: &[FqCsid]| sets.iter().flat_map(Csid::all).collect::<Vec<Csid>>();
        let (mme, sgw) = (all(&request.mme), all(&request.sgw));
        let is_in = |session: &Session| {
            session.mme_csid.is_some_and(|set| mme.contains(&set))
                || session.sgw_csid.is_some_and(|set| sgw.contains(&set))
        };
        let source = handle.remote.ip();
        let sessions: Vec<(Slot, SessionId)> = self
            .sessions
            .of_sgw(source)
            .filter(|l| !l.is_leaving() && is_in(&l.session))
            .map(|l| (l.session.slot, l.session.id))
            .collect();
        let response = DeletePdnConnectionSetResponse {
            cause: Cause::REQUEST_ACCEPTED.into(),
            recovery: Some(self.endpoint.restart_counter()),
        };
        let message = Message::DeletePdnConnectionSetResponse(response);
        self.endpoint.respond(now.at, handle, Some(0), &message);
        self.event(Event::ConnectionSetDeleted {
            peer: source,
            sessions: u32::try_from(sessions.len()).unwrap_or(u32::MAX),
        });
        self.remove_in_portions(now, sessions);
    }

    /// Removes the next sessions of a long list; what left or changed hands meanwhile is skipped.
    pub(super) fn remove_in_portions(&mut self, now: Now, mut sessions: Vec<(Slot, SessionId)>) {
        sessions.retain(|(slot, id)| {
            let live = self.sessions.same(*slot, *id);
            live.is_some_and(|l| !l.is_leaving())
        });
        if sessions.is_empty() {
            return;
        }
        let rest = sessions.split_off(sessions.len().min(CHUNK));
        let listener = Listener::Portions(rest);
        let removal = Removal::new(sessions, EndReason::ConnectionSet, None, listener);
        self.begin_removal(now, removal);
    }
}

/// Sets of one kind of node (TS 29.274 §7.9.1), and not the gateway's own, which it has none of.
const fn one_kind(request: &DeletePdnConnectionSetRequest) -> Result<(), Reject> {
    if !request.pgw.is_empty() {
        let why = "this gateway numbers no sets of its own";
        return Err(Reject::new(Cause::REQUEST_REJECTED, why));
    }
    if !request.mme.is_empty() && !request.sgw.is_empty() {
        return Err(wrong(
            Cause::MANDATORY_IE_INCORRECT,
            (ie_type::FQ_CSID, 1),
            "sets of two kinds of nodes",
        ));
    }
    Ok(())
}
