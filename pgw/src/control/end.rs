use alloc::format;
use alloc::vec::Vec;

use heiiki_gtp::c::Cause;
use heiiki_types::{CallId, HttpRequest, Now};

use super::admin::{Handled, body};
use super::api::{self, DeleteCall, DeleteReply, DeleteSessionsCall};
use super::procedure::{Deletion, Listener, Removal};
use super::{Control, shorten};
use crate::event::{EndReason, Event};
use crate::user_plane::{SessionId, Slot};

impl Control {
    /// The delete-session verb: the SIM is not barred and its UE may come back at once.
    pub(super) fn post_delete(
        &mut self,
        now: Now,
        call: CallId,
        id: &str,
        request: &HttpRequest,
    ) -> Handled {
        let id: u32 = id
            .parse()
            .map_err(|_| api::error(400, "a session has a number"))?;
        let asked: DeleteCall = if request.body.is_empty() {
            DeleteCall::default()
        } else {
            body(request)?
        };
        let found = self
            .sessions
            .iter()
            .find(|l| l.session.id.0 == id && !l.is_leaving())
            .map(|l| ((l.session.slot, l.session.id), l.session.imsi));
        let Some((found, imsi)) = found else {
            return Err(api::error(404, "there is no such session"));
        };
        self.event(Event::DeleteOrdered {
            session: found.1,
            imsi,
            actor: shorten(&asked.actor),
        });
        let deletion = Deletion {
            call,
            imsi,
            session: Some(found.1),
        };
        self.end_sessions(now, deletion, alloc::vec![found]);
        Ok(())
    }

    /// The delete-session verb for a SIM: every session of it, or those at one access point. The
    /// call may be said again: sessions that began after the order stay.
    pub(super) fn post_delete_sessions(
        &mut self,
        now: Now,
        call: CallId,
        order: &DeleteSessionsCall,
    ) {
        let imsi = order.imsi;
        let meant = |l: &&super::session::Live| {
            let session = &l.session;
            let apn = order.apn.as_ref();
            !l.is_leaving()
                && order.not_after.is_none_or(|at| session.created <= at)
                && apn.is_none_or(|a| a.network_identifier() == session.apn.network_identifier())
        };
        let sessions: Vec<(Slot, SessionId)> = self
            .sessions
            .of_imsi(imsi)
            .filter(meant)
            .map(|l| (l.session.slot, l.session.id))
            .collect();
        for (_, session) in &sessions {
            self.event(Event::DeleteOrdered {
                session: *session,
                imsi,
                actor: shorten(&order.actor),
            });
        }
        let deletion = Deletion {
            call,
            imsi,
            session: None,
        };
        self.end_sessions(now, deletion, sessions);
    }

    fn end_sessions(&mut self, now: Now, deletion: Deletion, sessions: Vec<(Slot, SessionId)>) {
        let listener = Listener::Caller(deletion);
        let cause = Some(Cause::REACTIVATION_REQUESTED);
        let mut removal = Removal::new(sessions, EndReason::DeletedHere, cause, listener);
        removal.t4 = now.at;
        let ticket = self.begin_removal(now, removal);
        self.set_deadline(ticket, now.at + self.config.cut_timeout);
    }

    pub(super) fn answer_delete(
        &mut self,
        deletion: &Deletion,
        sessions: u32,
        (t4, t5): (heiiki_types::Instant, heiiki_types::Instant),
        purged: u64,
        durable: bool,
    ) {
        let body = DeleteReply {
            id: deletion.session,
            imsi: deletion.imsi,
            sessions,
            t4,
            t5_uplink: t5,
            t5_downlink: t5,
            purged,
            durable,
            boot: &self.config.boot_id,
            instance: format!("{}", self.instance),
        };
        let response = api::reply(if durable { 200 } else { 500 }, &body);
        self.reply(deletion.call, response);
    }
}
