use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use heiiki_gtp::c::{Cause, DeleteBearerRequest, DeleteSessionResponse, Message, Reject};
use heiiki_types::{Instant, Now, Record};

use super::Control;
use super::lists::Kind;
use super::procedure::{Cut, Listener, Procedure, Removal, Step, Ticket};
use super::session::State;
use super::start::{rest_row, resting};
use crate::event::{EndReason, Event};
use crate::user_plane::{Answer, Gone, SessionId, Slot, Update};

impl Removal {
    pub(super) const fn new(
        sessions: Vec<(Slot, SessionId)>,
        reason: EndReason,
        delete_bearer: Option<Cause>,
        listener: Listener,
    ) -> Self {
        Self {
            sessions,
            reason,
            step: Step::Stopping,
            t4: Instant::ZERO,
            t5: Instant::ZERO,
            purged: 0,
            usage: BTreeMap::new(),
            delete_bearer,
            listener,
            parked: Vec::new(),
        }
    }

    /// Takes what a worker says.
    pub(super) fn absorb(&mut self, at: Instant, answer: Answer) {
        if self.step == Step::Stopping {
            self.t5 = self.t5.max(at);
        }
        if let Answer::Removed { usage, purged } = answer {
            self.purged += purged;
            self.usage.extend(usage);
        }
    }
}

impl Control {
    /// Removes sessions with nobody waiting for it.
    pub(super) fn remove_sessions(
        &mut self,
        now: Now,
        sessions: Vec<(Slot, SessionId)>,
        reason: EndReason,
        delete_bearer: Option<Cause>,
    ) -> Option<Ticket> {
        if sessions.is_empty() {
            return None;
        }
        let removal = Removal::new(sessions, reason, delete_bearer, Listener::Nobody);
        Some(self.begin_removal(now, removal))
    }

    /// Begins a removal: the sessions count as leaving at once, and their flags are cleared before
    /// anything else happens. Every worker is asked, also when there is no session, because its
    /// answer is what says that no packet of this SIM is under way any more.
    pub(super) fn begin_removal(&mut self, now: Now, mut removal: Removal) -> Ticket {
        let staying = |slot, id| self.sessions.same(slot, id).filter(|l| !l.is_leaving());
        removal
            .sessions
            .retain(|(slot, id)| staying(*slot, *id).is_some());
        let gone = self.gone(&removal);
        let ticket = self.begin(Procedure::Removal(Box::new(removal)));
        for gone in gone.iter() {
            if let Some(live) = self.sessions.get_mut(gone.slot) {
                live.state = State::Leaving(ticket);
            }
        }
        self.broadcast(ticket, &Update::StopForwarding(gone));
        self.advance(now, ticket);
        ticket
    }

    fn gone(&self, removal: &Removal) -> Arc<[Gone]> {
        let live = removal.sessions.iter();
        let live = live.filter_map(|(slot, id)| self.sessions.same(*slot, *id));
        let is_silent = removal.delete_bearer.is_some();
        live.map(|live| live.gone(is_silent)).collect()
    }

    pub(super) fn removal_step(
        &mut self,
        now: Now,
        ticket: Ticket,
        mut removal: Box<Removal>,
        durable: bool,
    ) -> Option<Procedure> {
        match removal.step {
            Step::Stopping => {
                removal.step = Step::Removing;
                let gone = self.gone(&removal);
                self.broadcast(ticket, &Update::Remove(gone));
                Some(Procedure::Removal(removal))
            }
            Step::Removing => {
                removal.step = Step::Writing;
                let rows = self.end_rows(now, &removal);
                if !rows.is_empty() {
                    self.persist(ticket, rows);
                }
                Some(Procedure::Removal(removal))
            }
            Step::Writing => {
                self.finish_removal(now, *removal, durable);
                None
            }
        }
    }

    /// The bar as it stands now, which may be lifted already, and the ends of the sessions.
    fn end_rows(&self, now: Now, removal: &Removal) -> Vec<Record> {
        let until = now.wall + self.config.quarantine;
        let live = removal.sessions.iter();
        let live = live.filter_map(|(slot, id)| self.sessions.same(*slot, *id));
        let mut rows: Vec<Record> = live
            .map(|live| rest_row(resting(&live.session, until)))
            .collect();
        if let Listener::Cut(cut) = &removal.listener {
            rows.extend(self.order_rows(Kind::Bars, cut.imsi, cut.evicted));
        }
        rows
    }

    fn finish_removal(&mut self, now: Now, removal: Removal, durable: bool) {
        let Removal {
            sessions,
            reason,
            t4,
            t5,
            purged,
            usage,
            delete_bearer,
            listener,
            parked,
            ..
        } = removal;
        let mut requests = Vec::new();
        let mut count = 0;
        let mut last = (None, None);
        for (slot, id) in &sessions {
            let Some(session) = self.sessions.same(*slot, *id).map(|l| l.session.clone()) else {
                self.bug("a session left before its removal was over");
                continue;
            };
            let rest = resting(&session, now.wall + self.config.quarantine);
            let until = now.at + self.config.quarantine;
            if let Some(live) = self.sessions.remove(*slot, until, rest)
                && let Some(pool) = self.pools.get_mut(usize::from(live.access.0))
            {
                pool.release(now.at, self.config.quarantine, session.addresses);
            }
            count += 1;
            let usage = usage.get(slot).copied().unwrap_or_default();
            last = (
                last.0.max(usage.last_uplink),
                last.1.max(usage.last_downlink),
            );
            self.event(Event::SessionEnded {
                session: *id,
                imsi: session.imsi,
                apn: session.apn.clone(),
                address: session.addresses,
                reason,
                usage,
            });
            requests.push(session);
        }
        match listener {
            Listener::Nobody => {}
            Listener::Portions(rest) => self.remove_in_portions(now, rest),
            Listener::Sgw { handle, teid } => {
                let cause = if durable {
                    Cause::REQUEST_ACCEPTED
                } else {
                    Cause::SYSTEM_FAILURE
                };
                let message =
                    Message::DeleteSessionResponse(DeleteSessionResponse::new(cause.into()));
                self.endpoint.respond(now.at, handle, Some(teid), &message);
            }
            Listener::Caller(deletion) => {
                self.answer_delete(&deletion, count, (t4, t5), purged, durable);
            }
            Listener::Cut(cut) => self.answer_cut(&cut, count, (t5, purged, last), durable),
        }
        for session in &requests {
            self.delete_bearer(now, session, delete_bearer);
            self.forget_idle_sgw(session.sgw_c.address);
        }
        for parked in parked {
            self.create_session(now, parked.handle, parked.header, parked.request);
        }
    }

    /// Forgets an SGW that has no session any more.
    fn forget_idle_sgw(&mut self, sgw: IpAddr) {
        if self.sessions.of_sgw(sgw).next().is_none() {
            let remote = self.gtpc_peer(sgw);
            self.endpoint.forget(remote);
        }
    }

    /// Tells the SGW that the gateway has ended a session (TS 29.274 §7.2.9.2). Nobody waits for
    /// its response.
    fn delete_bearer(&mut self, now: Now, session: &super::session::Session, cause: Option<Cause>) {
        let Some(cause) = cause else { return };
        let message = Message::DeleteBearerRequest(DeleteBearerRequest {
            linked_ebi: Some(session.ebi),
            ebis: Vec::new(),
            failed: Vec::new(),
            pti: None,
            pco: None,
            cause: Some(cause),
        });
        self.last_ticket += 1;
        let tag = self.last_ticket;
        let (local, remote) = (self.local(), self.gtpc_peer(session.sgw_c.address));
        let teid = Some(session.sgw_c.teid.get());
        let sent = self
            .endpoint
            .send_request(now.at, local, remote, teid, &message, tag);
        if sent.is_ok() {
            self.delete_bearers.insert(tag, (session.id, session.imsi));
            self.event(Event::DeleteBearerSent {
                session: session.id,
                imsi: session.imsi,
                peer: remote.ip(),
                cause: cause.0,
            });
        } else {
            self.event(Event::DeleteBearerDone {
                session: session.id,
                imsi: session.imsi,
                cause: None,
            });
        }
    }

    pub(super) fn delete_bearer_done(&mut self, tag: u64, message: &Result<Message, Reject>) {
        let cause = match message {
            Ok(Message::DeleteBearerResponse(response)) => Some(response.cause.cause.0),
            Err(reject) => Some(reject.cause.0),
            Ok(_) => None,
        };
        self.delete_bearer_gone(tag, cause);
    }

    pub(super) fn delete_bearer_gone(&mut self, tag: u64, cause: Option<u8>) {
        if let Some((session, imsi)) = self.delete_bearers.remove(&tag) {
            self.event(Event::DeleteBearerDone {
                session,
                imsi,
                cause,
            });
        }
    }

    /// A worker or the disk is late: the caller of a cut hears so, the cut itself goes on.
    pub(super) fn overdue(&mut self, now: Now, ticket: Ticket) {
        let Some(running) = self.procedures.get_mut(&ticket) else {
            return;
        };
        let workers = running.acks;
        match &mut running.procedure {
            // What it waits for is the time.
            Some(Procedure::LaterBearers(_)) => self.advance(now, ticket),
            Some(Procedure::Removal(removal)) => match &mut removal.listener {
                Listener::Cut(cut) => {
                    let calls = core::mem::take(&mut cut.calls);
                    let (imsi, cut) = (cut.imsi, cut.id.clone());
                    for call in calls {
                        self.reply_overdue(call, workers);
                    }
                    self.event(Event::CutOverdue { imsi, cut, workers });
                }
                Listener::Caller(deletion) => {
                    let call = deletion.call;
                    removal.listener = Listener::Nobody;
                    self.reply_overdue(call, workers);
                }
                Listener::Nobody | Listener::Sgw { .. } | Listener::Portions(_) => {}
            },
            Some(Procedure::Gathering(gathering)) => {
                let call = gathering.call;
                running.procedure = Some(Procedure::Note);
                self.reply_overdue(call, workers);
            }
            Some(Procedure::Isolation(isolation)) => {
                if let Some(call) = isolation.call.take() {
                    self.reply_overdue(call, workers);
                }
            }
            _ => {}
        }
    }

    /// The cut of this SIM that is under way, for a caller who orders it again.
    pub(super) fn running_cut(
        &mut self,
        imsi: heiiki_types::Imsi,
        version: u64,
    ) -> Option<&mut Cut> {
        self.procedures.values_mut().find_map(|running| {
            let Some(Procedure::Removal(removal)) = &mut running.procedure else {
                return None;
            };
            match &mut removal.listener {
                Listener::Cut(cut) if cut.imsi == imsi && cut.version == version => Some(cut),
                _ => None,
            }
        })
    }
}
