//! Attach, from the ATTACH REQUEST until the identity to authenticate is known, TS 24.301 §5.5.1.2.

use alloc::boxed::Box;
use alloc::vec::Vec;

use heiiki_nas::emm::{self, AttachRequest, EmmCause};
use heiiki_nas::ie::{EpsMobileIdentity, UeSecurityCapability};
use heiiki_nas::security::{SecurityHeader, peek_header, plain_of_protected};
use heiiki_nas::{Direction, esm, kdf};
use heiiki_types::{Ecgi, Guti, Imsi, Tai};

use super::{Attach, Emm, EsmRequest, S1Link, Step, UeId, fsm};
use crate::event::{self, DetachReason, Event};
use crate::node::Mme;
use crate::result_table::{BackOff, HssResult, Refusal, Stage};
use crate::s1::{self, ReleaseCause};

impl Mme {
    /// An ATTACH REQUEST on a new connection.
    pub(crate) fn attach_request(
        &mut self,
        link: S1Link,
        place: (Tai, Ecgi),
        pdu: Vec<u8>,
        request: AttachRequest,
    ) {
        let id = self.new_ue_id();
        let claimed = self.claimed(&request.identity);
        let plain = plain_of_protected(&pdu);
        self.report_nas(id, claimed, event::Direction::Uplink, &pdu, plain);
        if !self.has_room() {
            self.event(Event::Overload { limit: "ues" });
            // What the UE is told when the HSS does not answer: the network is at fault, not it.
            let stage = Stage::Authentication;
            let back_off = self
                .config
                .results
                .refusal(stage, HssResult::NoAnswer, None)
                .back_off;
            let refusal = Refusal {
                cause: EmmCause::CONGESTION,
                back_off,
            };
            return self.reject_stranger(
                (link, id),
                claimed,
                refusal.cause,
                Some(refusal.back_off),
            );
        }
        if request.attach_type == AttachRequest::EMERGENCY_ATTACH {
            return self.reject_stranger((link, id), claimed, EmmCause::IMEI_NOT_ACCEPTED, None);
        }
        let Some(esm) = esm_request(&request.esm_container) else {
            return self.reject_stranger(
                (link, id),
                claimed,
                EmmCause::INVALID_MANDATORY_INFORMATION,
                None,
            );
        };
        self.add_ue(id, link);
        if let Some(ue) = self.ues.get_mut(&id) {
            (ue.tai, ue.ecgi) = (Some(place.0), Some(place.1));
        }
        let identity = request.identity;
        let known = self.take_known_context(id, &pdu, &request);
        let transfer = esm.transfer;
        let attach = attach_of(pdu, request, esm, known);
        match identity {
            EpsMobileIdentity::Imsi(imsi) => {
                if let Some(ue) = self.ues.get_mut(&id) {
                    ue.imsi = Some(imsi);
                }
                self.attach_started(id, false);
                self.advance(id, fsm::Event::ImsiKnown, attach.at(Step::Vector));
                self.ask_vector(id, None);
            }
            _ if known => {
                self.attach_started(id, true);
                self.prove(id);
                if transfer {
                    self.advance(id, fsm::Event::EsmNeeded, attach.at(Step::AskEsm));
                    self.ask_esm(id);
                } else {
                    self.advance(id, fsm::Event::EsmKnown, attach.at(Step::Locate));
                    self.check_equipment(id);
                }
            }
            EpsMobileIdentity::Guti(_) | EpsMobileIdentity::Imei(_) => {
                self.attach_started(id, false);
                let step = Step::Identify { failed: None };
                self.advance(id, fsm::Event::IdentityNeeded, attach.at(step));
                self.ask_identity(id);
            }
        }
    }

    fn attach_started(&mut self, id: UeId, known: bool) {
        let imsi = self.ues.get(&id).and_then(|ue| ue.imsi);
        self.event(Event::AttachStarted {
            mme_ue_id: id.0,
            imsi,
            known,
        });
    }

    /// Whether the request carries a valid MAC of the context that its GUTI names; if so, the
    /// context moves to the new UE, which has thereby shown who it is (TS 24.301 §5.5.1.2.3).
    fn take_known_context(&mut self, id: UeId, pdu: &[u8], request: &AttachRequest) -> bool {
        let EpsMobileIdentity::Guti(guti) = request.identity else {
            return false;
        };
        let Some(old) = self.ue_of_guti(&guti) else {
            return false;
        };
        let protected =
            peek_header(pdu).is_ok_and(|h| h.security_header == SecurityHeader::Integrity);
        let Some(ue) = self.ues.get_mut(&old).filter(|_| protected) else {
            return false;
        };
        // A UE that changed what it can do negotiates anew.
        let verified = ue.proven
            && ue.security.as_mut().is_some_and(|s| {
                s.ksi == request.ksi
                    && s.capability == request.ue_network_capability
                    && !s.context.is_running_out()
                    && s.context.unprotect(Direction::Uplink, pdu).is_ok()
            });
        if !verified {
            return false;
        }
        let (security, imsi, imei) = (ue.security.take(), ue.imsi, ue.imei);
        if let Some(new) = self.ues.get_mut(&id) {
            (new.security, new.imsi, new.imei) = (security, imsi, imei);
            new.secure = true;
        }
        true
    }

    /// Who a message says that it is from, for reports: nothing is believed because of it.
    pub(crate) fn claimed(&self, identity: &EpsMobileIdentity) -> Option<Imsi> {
        match identity {
            EpsMobileIdentity::Imsi(imsi) => Some(*imsi),
            EpsMobileIdentity::Guti(guti) => self.ues.get(&self.ue_of_guti(guti)?)?.imsi,
            EpsMobileIdentity::Imei(_) => None,
        }
    }

    /// The UE that has this GUTI, if this MME gave it.
    pub(crate) fn ue_of_guti(&self, guti: &Guti) -> Option<UeId> {
        let config = &self.config;
        let ours = guti.plmn == config.plmn
            && guti.mme_group_id == config.mme_group_id
            && guti.mme_code == config.mme_code;
        self.by_tmsi.get(&guti.m_tmsi).copied().filter(|_| ours)
    }

    /// The same ATTACH REQUEST came again on the same connection, TS 24.301 §5.5.1.2.7 d) and e).
    pub(crate) fn attach_repeated(&mut self, id: UeId) {
        let Some(ue) = self.ues.get(&id) else { return };
        let accepted = ue
            .attach()
            .is_some_and(|a| matches!(a.step, Step::Complete(_)));
        let resend = ue
            .timer
            .as_ref()
            .and_then(|t| t.resend.clone())
            .filter(|_| accepted);
        if let Some((header, plain)) = resend {
            self.send_plain(id, header, plain);
        }
    }

    /// The UE is the one that it says it is: it takes the place of what was there under its IMSI
    /// (TS 24.301 §5.5.1.2.7 f).
    pub(crate) fn prove(&mut self, id: UeId) {
        let Some(ue) = self.ues.get_mut(&id) else {
            return;
        };
        let Some(imsi) = ue.imsi else { return };
        ue.proven = true;
        let old = self.by_imsi.insert(imsi, id).filter(|old| *old != id);
        self.event(Event::Authenticated { imsi });
        let Some(old) = old else { return };
        let registration = self.ues.get_mut(&old).and_then(|ue| ue.registration.take());
        if let Some(ue) = self.ues.get_mut(&id) {
            ue.registration = registration;
        }
        self.end_locally(
            old,
            DetachReason::Replaced,
            ReleaseCause::InteractionWithOtherProcedure,
        );
        self.remove_ue(old);
    }

    /// Refuses a UE that has no context and gets none.
    pub(crate) fn reject_stranger(
        &mut self,
        (link, id): (S1Link, UeId),
        imsi: Option<Imsi>,
        cause: EmmCause,
        back_off: Option<BackOff>,
    ) {
        let (reject, seconds) = self.attach_reject(Refusal {
            cause,
            back_off: back_off.unwrap_or(BackOff::None),
        });
        let nas = emm::Message::AttachReject(reject).encode();
        self.report_nas(id, imsi, event::Direction::Downlink, &nas, Some(&nas));
        let (enb_ue_id, mme_ue_id) = (link.enb_ue_id, id.0);
        let message = s1::Message::DownlinkNasTransport {
            enb_ue_id,
            mme_ue_id,
            nas,
        };
        self.output(crate::node::Output::S1 {
            enb: link.enb,
            message,
        });
        self.event(Event::AttachRejected {
            imsi,
            cause: cause.0,
            esm_cause: None,
            protected: false,
            back_off_s: seconds,
        });
        self.release_command(link, id, ReleaseCause::NormalRelease);
    }
}

fn esm_request(container: &[u8]) -> Option<EsmRequest> {
    let message = esm::decode(container, Direction::Uplink).ok()?;
    let esm::Body::PdnConnectivityRequest(request) = message.body else {
        return None;
    };
    Some(EsmRequest {
        pti: message.pti,
        request_type: request.request_type,
        pdn_type: request.pdn_type,
        transfer: request.esm_info_transfer,
        apn: request.apn,
        pco: request.pco,
    })
}

fn attach_of(pdu: Vec<u8>, request: AttachRequest, esm: EsmRequest, known: bool) -> Attach {
    let capability = request.ue_network_capability;
    let hash = plain_of_protected(&pdu)
        .filter(|_| !known)
        .map(kdf::hash_mme);
    Attach {
        pdu,
        combined: request.attach_type == AttachRequest::COMBINED_ATTACH,
        ksi: request.ksi,
        replay: UeSecurityCapability::of(&capability, request.ms_network_capability.as_deref()),
        capability,
        hash,
        esm,
        identified: false,
        resynchronised: false,
        step: Step::Vector,
    }
}

impl Attach {
    /// The attach in another step.
    pub(crate) fn at(mut self, step: Step) -> Emm {
        self.step = step;
        Emm::Attaching(Box::new(self))
    }
}
