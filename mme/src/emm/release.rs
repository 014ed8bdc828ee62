//! The end of a connection, and the end of a session for reasons that lie elsewhere.

use alloc::vec::Vec;
use core::net::IpAddr;

use heiiki_gtp::c::{Cause, DeleteSessionRequest, Message};

use super::{Detaching, Emm, UeId};
use crate::event::{DetachReason, Event};
use crate::node::{Mme, S5cPending};
use crate::s1::ReleaseCause;
use crate::sgw::SessionKey;
use crate::timers::Timer;

impl Mme {
    /// Releases the S1 connection of a UE, if it has one.
    pub(crate) fn release(&mut self, id: UeId, cause: ReleaseCause) {
        if let Some(link) = self.unlink(id) {
            self.release_command(link, id, cause);
        }
    }

    /// The eNB asks for the release, TS 23.401 §5.3.5.
    pub(crate) fn release_asked(&mut self, id: UeId, cause: ReleaseCause) {
        self.release(id, cause);
        self.left_connected_mode(id);
    }

    /// The connection is gone without a word.
    pub(crate) fn connection_lost(&mut self, id: UeId) {
        self.unlink(id);
        self.left_connected_mode(id);
    }

    fn left_connected_mode(&mut self, id: UeId) {
        let Some(ue) = self.ues.get(&id) else { return };
        match ue.emm {
            Emm::Deregistered => {}
            Emm::Attaching(_) => self.abort_attach(id, "the connection was lost"),
            Emm::Detaching(d) => self.finish_detach(id, d.reason, false, d.forget),
            Emm::Registered => {
                let (imsi, session) = (ue.imsi, ue.session);
                if let Some(key) = session {
                    self.sgw.disconnect(key);
                }
                self.start_timer(id, Timer::MobileReachable, None);
                if let Some(imsi) = imsi {
                    self.event(Event::Idle { imsi });
                }
            }
        }
    }

    /// The eNB does not know the bearer: as far as it is concerned the UE is gone.
    pub(crate) fn enb_lost_bearer(&mut self, id: UeId) {
        self.release_asked(id, ReleaseCause::TransportResourceUnavailable);
    }

    /// The gateway does not know the bearer, TS 23.007 §21: the UE makes a new one. It is told a
    /// little later, since a withdrawal begins in the same way.
    pub(crate) fn gateway_lost_bearer(&mut self, id: UeId) {
        self.close_session(id, true);
        self.session_lost(id, false);
    }

    /// The gateway restarted or cannot be reached: its sessions end, and their UEs come back.
    /// Returns how many there were.
    pub(crate) fn gateway_lost(&mut self, gateway: IpAddr) -> usize {
        let lost: Vec<_> = self
            .sgw
            .table
            .iter()
            .filter(|s| s.pgw_c.is_some_and(|(address, _)| address.ip() == gateway))
            .map(|s| s.ue)
            .collect();
        for id in &lost {
            // It has forgotten the session, so there is nothing to delete there.
            self.close_session(*id, false);
            self.session_lost(*id, true);
        }
        lost.len()
    }

    fn session_lost(&mut self, id: UeId, at_once: bool) {
        match self.ues.get(&id).map(|ue| &ue.emm) {
            Some(Emm::Attaching(attach)) if !matches!(attach.step, super::Step::Complete(_)) => {
                self.abort_attach(id, "the gateway lost the session");
            }
            Some(Emm::Attaching(_) | Emm::Registered) => {
                let mut detaching = Detaching::new(true, None, DetachReason::GatewayLost);
                detaching.sent = at_once;
                self.detach_by_network(id, detaching);
            }
            // The UE is leaving anyway.
            Some(Emm::Detaching(_) | Emm::Deregistered) | None => {}
        }
    }

    /// Ends the session of a UE: nothing of it is forwarded or held when this returns. The gateway
    /// is told if it has the session.
    pub(crate) fn close_session(&mut self, id: UeId, tell: bool) {
        let Some(key) = self.ues.get_mut(&id).and_then(|ue| ue.session.take()) else {
            return;
        };
        let Some((session, purged)) = self.sgw.close(self.now.at, key) else {
            return;
        };
        let (imsi, s5c_teid) = (session.imsi, session.s5c);
        self.event(Event::SessionClosed {
            imsi,
            s5c_teid,
            purged,
        });
        // A session that is still being made is deleted when the gateway answers.
        if let Some((pgw, teid)) = session.pgw_c.filter(|_| tell) {
            self.delete_session(key, session.ebi, imsi, pgw, teid);
        }
    }

    /// Asks a gateway to delete a session that is closed on this side already.
    pub(crate) fn delete_session(
        &mut self,
        _closed: SessionKey,
        ebi: heiiki_types::Ebi,
        imsi: heiiki_types::Imsi,
        pgw: core::net::SocketAddr,
        teid: heiiki_types::Teid,
    ) {
        let message = Message::DeleteSessionRequest(DeleteSessionRequest {
            linked_ebi: Some(ebi),
            ..DeleteSessionRequest::default()
        });
        let (local, tag) = (self.config.s5c_local, self.tag());
        let sent = self
            .s5c
            .send_request(self.now.at, local, pgw, Some(teid.get()), &message, tag);
        if sent.is_ok() {
            self.s5c_pending.insert(tag, S5cPending::Delete(imsi));
        } else {
            self.event(Event::Overload {
                limit: "s5c_requests",
            });
        }
    }

    /// The gateway deleted the default bearer, TS 23.401 §5.4.4.1.
    pub(crate) fn bearer_deleted(&mut self, id: UeId, cause: Option<Cause>) {
        self.close_session(id, false);
        let Some(ue) = self.ues.get(&id) else { return };
        let Some(imsi) = ue.imsi else { return };
        self.event(Event::BearerDeleted {
            imsi,
            cause: cause.map(|c| c.0),
        });
        if !matches!(
            self.ues.get(&id).map(|ue| &ue.emm),
            Some(Emm::Attaching(_) | Emm::Registered)
        ) {
            return;
        }
        let reattach = cause == Some(Cause::REACTIVATION_REQUESTED);
        let mut detaching = Detaching::new(reattach, None, DetachReason::BearerDeleted);
        // A withdrawal reaches the gateway and this node by different ways, and only the HSS says
        // why: give it the time to say so before the UE is told.
        detaching.sent = cause != Some(Cause::PDN_RECONNECTION_TO_THIS_APN_DISALLOWED);
        self.detach_by_network(id, detaching);
    }
}
