//! Detach, by the UE and by the network, TS 24.301 §5.5.2, TS 23.401 §5.3.8.

use heiiki_nas::Direction;
use heiiki_nas::emm::{self, DetachRequestFromUe, DetachRequestToUe, EmmCause, NetworkDetachType};
use heiiki_nas::ie::EpsMobileIdentity;
use heiiki_nas::security::{SecurityHeader, plain_of_protected};
use heiiki_types::{Ecgi, Tai};

use super::{Detaching, Emm, S1Link, UeId, fsm};
use crate::event::{self, DetachReason, Event};
use crate::node::Mme;
use crate::s1::ReleaseCause;
use crate::timers::Timer;

impl Detaching {
    /// A detach whose context may be kept for the UE's return.
    pub(crate) const fn new(reattach: bool, cause: Option<EmmCause>, reason: DetachReason) -> Self {
        Self {
            reattach,
            cause,
            reason,
            sent: true,
            forget: false,
        }
    }
}

impl Mme {
    /// A DETACH REQUEST as the first message of a connection. Only a valid MAC makes it the wish of
    /// the UE that it names (TS 24.301 §4.4.4.3); anything else leaves that UE as it is.
    pub(crate) fn initial_detach(
        &mut self,
        link: S1Link,
        place: (Tai, Ecgi),
        pdu: &[u8],
        request: &DetachRequestFromUe,
    ) {
        let named = match &request.identity {
            EpsMobileIdentity::Guti(guti) => self.ue_of_guti(guti),
            EpsMobileIdentity::Imsi(imsi) => self.by_imsi.get(imsi).copied(),
            EpsMobileIdentity::Imei(_) => None,
        };
        let id = named.unwrap_or_else(|| self.new_ue_id());
        let claimed = self.claimed(&request.identity);
        let checks = self.config.protections.nas_integrity;
        let verified = self.ues.get_mut(&id).is_some_and(|ue| {
            !checks
                || ue.security.as_mut().is_some_and(|s| {
                    s.ksi == request.ksi && s.context.unprotect(Direction::Uplink, pdu).is_ok()
                })
        });
        let sender = if verified { id } else { self.new_ue_id() };
        let plain = plain_of_protected(pdu);
        self.report_nas(sender, claimed, event::Direction::Uplink, pdu, plain);
        if !verified {
            let why = "a DETACH REQUEST that no context verifies";
            let (mme_ue_id, imsi) = (sender.0, claimed);
            self.event(Event::NasDropped {
                mme_ue_id,
                imsi,
                why,
            });
            return self.release_command(link, sender, ReleaseCause::NormalRelease);
        }
        if let Some(former) = self.unlink(id) {
            self.release_command(former, id, ReleaseCause::InteractionWithOtherProcedure);
        }
        if let Some(ue) = self.ues.get_mut(&id) {
            (ue.s1, ue.tai, ue.ecgi) = (Some(link), Some(place.0), Some(place.1));
            ue.secure = ue.security.is_some();
            self.by_s1.insert(link, id);
        }
        self.detach_by_ue(id, request.switch_off);
    }

    /// A DETACH REQUEST that may be believed, or one that only ends the attempt of its own
    /// connection.
    pub(crate) fn detach_by_ue(&mut self, id: UeId, switch_off: bool) {
        if !switch_off {
            self.send(id, &emm::Message::DetachAccept);
        }
        let Some(ue) = self.ues.get(&id) else { return };
        match ue.emm {
            Emm::Attaching(_) => self.abort_attach(id, "the UE detached"),
            Emm::Deregistered => self.release(id, ReleaseCause::Detach),
            Emm::Registered | Emm::Detaching(_) => {
                let reason = if switch_off {
                    DetachReason::SwitchOff
                } else {
                    DetachReason::Ue
                };
                let forget = matches!(ue.emm, Emm::Detaching(Detaching { forget: true, .. }));
                self.finish_detach(id, reason, true, forget);
            }
        }
    }

    /// Detaches a UE. Its session must be closed already: the gateway first, the UE second.
    pub(crate) fn detach_by_network(&mut self, id: UeId, detaching: Detaching) {
        self.close_session(id, true);
        self.stop_timer(id);
        self.advance(id, fsm::Event::DetachStarted, Emm::Detaching(detaching));
        let Some(ue) = self.ues.get(&id) else { return };
        if ue.s1.is_none() || !ue.secure {
            // Out of reach: it is told when it comes back (TS 24.301 §5.5.2.3.1).
            return self.finish_detach(id, detaching.reason, false, detaching.forget);
        }
        if !detaching.sent {
            return self.start_timer(id, Timer::WithdrawalGrace, None);
        }
        self.send_detach_request(id, detaching);
    }

    pub(super) fn send_detach_request(&mut self, id: UeId, detaching: Detaching) {
        let Detaching {
            reattach,
            cause,
            reason,
            ..
        } = detaching;
        let detach_type = if reattach {
            NetworkDetachType::ReattachRequired
        } else {
            NetworkDetachType::ReattachNotRequired
        };
        let request = DetachRequestToUe { detach_type, cause };
        let plain = emm::Message::DetachRequestToUe(request).encode();
        let header = SecurityHeader::IntegrityCiphered;
        self.start_timer(id, Timer::T3422, Some((header, plain.clone())));
        self.send_plain(id, header, plain);
        if let Some(imsi) = self.ues.get(&id).and_then(|ue| ue.imsi) {
            let cause = cause.map(|c| c.0);
            self.event(Event::DetachRequested {
                imsi,
                reattach,
                cause,
                reason,
            });
        }
    }

    pub(crate) fn detach_accepted(&mut self, id: UeId) {
        let Some(ue) = self.ues.get(&id) else { return };
        // A DETACH ACCEPT is believed without a MAC only on connections without security, and
        // there is never a detach by the network on those.
        if let Emm::Detaching(detaching @ Detaching { sent: true, .. }) = ue.emm {
            self.finish_detach(id, detaching.reason, true, detaching.forget);
        }
    }

    /// The UE is detached: its session ends, its connection is released, and its context is kept
    /// or forgotten.
    pub(crate) fn finish_detach(
        &mut self,
        id: UeId,
        reason: DetachReason,
        confirmed: bool,
        forget: bool,
    ) {
        self.close_session(id, true);
        let by_ue = matches!(reason, DetachReason::Ue | DetachReason::SwitchOff);
        let purge = by_ue && self.config.purge_on_detach;
        if purge {
            self.purge(id);
        }
        self.release(id, ReleaseCause::Detach);
        if let Some(imsi) = self.ues.get(&id).and_then(|ue| ue.imsi) {
            self.event(Event::Detached {
                imsi,
                reason,
                confirmed,
            });
        }
        if forget || purge {
            self.remove_ue(id);
        } else {
            self.keep(id);
        }
    }

    /// Keeps the security context of a detached UE for its return, TS 24.301 §5.5.2.1.
    fn keep(&mut self, id: UeId) {
        self.stop_timer(id);
        let Some(ue) = self.ues.get(&id) else { return };
        if ue.security.is_none() || ue.guti.is_none() || self.config.limits.detached == 0 {
            return self.remove_ue(id);
        }
        self.advance(id, fsm::Event::Ended, Emm::Deregistered);
        self.detached.insert(id);
        while self.detached.len() > self.config.limits.detached {
            let Some(oldest) = self.detached.pop_first() else {
                break;
            };
            self.remove_ue(oldest);
        }
    }
}
