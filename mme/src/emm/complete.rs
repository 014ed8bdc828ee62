//! The end of a successful attach: ATTACH ACCEPT inside the initial context setup, and what both
//! the eNB and the UE answer, TS 24.301 §5.5.1.2.4, TS 23.401 §5.3.2.1.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};

use heiiki_gtp::c::{Cause, CreateSessionResponse, Paa};
use heiiki_nas::Direction;
use heiiki_nas::emm::{self, AttachAccept, EmmCause};
use heiiki_nas::esm::{self, ActivateDefaultEpsBearerContextRequest, EsmCause};
use heiiki_nas::ie::{EpsQos, GprsTimer, PdnAddress, TaiList};
use heiiki_nas::security::SecurityHeader;
use heiiki_types::{Ebi, Guti};

use super::{Attach, Completion, Emm, Granted, Step, UeId, fsm};
use crate::cause_map;
use crate::event::{DetachReason, Event};
use crate::node::{Mme, Output};
use crate::s1::{Endpoint, Message};
use crate::timers::Timer;

impl Mme {
    /// The gateway made the session: ATTACH ACCEPT.
    pub(crate) fn session_created(&mut self, id: UeId, response: &CreateSessionResponse, paa: Paa) {
        let Some(ue) = self.ues.get(&id) else { return };
        let Some((attach, key)) = ue.attach().zip(ue.session) else {
            return;
        };
        let Step::Create(granted) = &attach.step else {
            return;
        };
        let Some(session) = self.sgw.table.get(key) else {
            return;
        };
        let (ebi, s1u) = (session.ebi, session.s1u);
        let Some(activate) = activate(attach, granted, response, paa) else {
            return self.reject_esm(id, EsmCause(38));
        };
        let (pti, body) = (
            attach.esm.pti,
            esm::Body::ActivateDefaultEpsBearerContextRequest(activate),
        );
        let container = esm::Message {
            ebi: ebi.get(),
            pti,
            body,
        }
        .encode();
        let combined = attach.combined;
        let granted = granted.clone();
        let Some(accept) = self.attach_accept(id, container, combined) else {
            self.event(Event::Bug {
                what: "the configured tracking areas make no TAI list",
            });
            return self.reject(id, EmmCause::NETWORK_FAILURE);
        };
        let completion = Completion {
            apn: granted.apn.clone(),
            addresses: addresses(paa),
            bearer: false,
            accepted: false,
        };
        self.step(
            id,
            fsm::Event::SessionCreated,
            Step::Complete(Box::new(completion)),
        );
        let plain = emm::Message::AttachAccept(accept).encode();
        let header = SecurityHeader::IntegrityCiphered;
        self.start_timer(id, Timer::T3450, Some((header, plain.clone())));
        let Some((link, nas)) = self.protect(id, header, plain) else {
            return self.abort_attach(id, "the ATTACH ACCEPT cannot be protected");
        };
        let sgw_f_teid = Endpoint {
            teid: s1u,
            address: self.config.s1u_local,
        };
        let message = Message::InitialContextSetupRequest {
            enb_ue_id: link.enb_ue_id,
            mme_ue_id: id.0,
            ebi,
            sgw_f_teid,
            nas,
            ue_ambr: granted.ue_ambr,
            qci: granted.qci,
            arp: granted.arp,
        };
        self.output(Output::S1 {
            enb: link.enb,
            message,
        });
    }

    fn attach_accept(
        &mut self,
        id: UeId,
        container: Vec<u8>,
        combined: bool,
    ) -> Option<AttachAccept> {
        let tai_list = TaiList::new(self.config.tais.clone())?;
        let t3412 = GprsTimer::from_duration(self.config.t3412);
        let mut accept = AttachAccept::new(t3412, tai_list, container);
        accept.guti = Some(self.new_guti(id));
        accept.t3402 = self.config.t3402.map(GprsTimer::from_duration);
        // There is no circuit-switched domain: a combined attach is for EPS only.
        accept.emm_cause = combined.then_some(EmmCause::CS_DOMAIN_NOT_AVAILABLE);
        Some(accept)
    }

    /// A temporary identity that nobody has. The two highest bits are set, as TS 23.003 §2.8.2.1.2
    /// asks of an M-TMSI that may be mapped.
    fn new_guti(&mut self, id: UeId) -> Guti {
        let m_tmsi = loop {
            let m_tmsi = self.rng.next_u32() | 0xc000_0000;
            if !self.by_tmsi.contains_key(&m_tmsi) {
                break m_tmsi;
            }
        };
        let guti = Guti {
            plmn: self.config.plmn,
            mme_group_id: self.config.mme_group_id,
            mme_code: self.config.mme_code,
            m_tmsi,
        };
        let old = self.ues.get_mut(&id).and_then(|ue| ue.guti.replace(guti));
        if let Some(old) = old {
            self.by_tmsi.remove(&old.m_tmsi);
        }
        self.by_tmsi.insert(m_tmsi, id);
        guti
    }

    /// INITIAL CONTEXT SETUP RESPONSE: packets may flow down.
    pub(crate) fn context_is_set_up(&mut self, id: UeId, ebi: Ebi, enb: Endpoint) {
        let Some(ue) = self.ues.get_mut(&id) else {
            return;
        };
        let Some(key) = ue.session else { return };
        if self.sgw.table.get(key).is_none_or(|s| s.ebi != ebi) {
            return;
        }
        let Some(Step::Complete(completion)) = ue.attach_mut().map(|a| &mut a.step) else {
            return;
        };
        completion.bearer = true;
        for datagram in self.sgw.connect(key, enb) {
            self.output(Output::S1u(datagram));
        }
        self.complete_if_done(id);
    }

    pub(crate) fn context_setup_failed(&mut self, id: UeId) {
        if self.ues.get(&id).is_some_and(|ue| ue.attach().is_some()) {
            self.abort_attach(id, "the eNB could not set the context up");
        }
    }

    pub(crate) fn attach_complete(&mut self, id: UeId, container: &[u8]) {
        let Some(ue) = self.ues.get_mut(&id) else {
            return;
        };
        let Some(Step::Complete(completion)) = ue.attach_mut().map(|a| &mut a.step) else {
            return;
        };
        let accepted = esm::decode(container, Direction::Uplink)
            .is_ok_and(|m| matches!(m.body, esm::Body::ActivateDefaultEpsBearerContextAccept(_)));
        if !accepted {
            // Without its default bearer the UE has nothing here.
            let reason = DetachReason::AttachAborted;
            return self.detach_by_network(id, super::Detaching::new(false, None, reason));
        }
        completion.accepted = true;
        self.stop_timer(id);
        self.complete_if_done(id);
    }

    fn complete_if_done(&mut self, id: UeId) {
        let Some(ue) = self.ues.get(&id) else { return };
        let Some(Step::Complete(completion)) = ue.attach().map(|a| &a.step) else {
            return;
        };
        match (completion.bearer, completion.accepted) {
            (true, true) => {}
            (false, true) => return self.start_timer(id, Timer::ContextSetup, None),
            (_, false) => return,
        }
        let Some(imsi) = ue.imsi else { return };
        let ebi = ue
            .session
            .and_then(|k| self.sgw.table.get(k))
            .map_or(Ebi::FIRST, |s| s.ebi);
        let (apn, addresses) = (completion.apn.clone(), completion.addresses.clone());
        self.stop_timer(id);
        self.advance(id, fsm::Event::Completed, Emm::Registered);
        self.event(Event::Attached {
            imsi,
            apn,
            ebi,
            addresses,
        });
    }
}

fn interface_identifier(prefix: Ipv6Addr) -> [u8; 8] {
    let [.., a, b, c, d, e, f, g, h] = prefix.octets();
    [a, b, c, d, e, f, g, h]
}

fn addresses(paa: Paa) -> Vec<IpAddr> {
    match paa {
        Paa::V4(v4) => Vec::from([v4.into()]),
        Paa::V6 { prefix, .. } => Vec::from([prefix.into()]),
        Paa::V4V6 { v4, prefix, .. } => Vec::from([v4.into(), prefix.into()]),
        Paa::NonIp | Paa::Ethernet => Vec::new(),
    }
}

/// The request for the default bearer; `None` for a session that has no address.
fn activate(
    attach: &Attach,
    granted: &Granted,
    response: &CreateSessionResponse,
    paa: Paa,
) -> Option<ActivateDefaultEpsBearerContextRequest> {
    let pdn_address = match paa {
        Paa::V4(v4) => PdnAddress::V4(v4),
        Paa::V6 { prefix, .. } => PdnAddress::V6 {
            interface_id: interface_identifier(prefix),
        },
        Paa::V4V6 { v4, prefix, .. } => PdnAddress::V4V6 {
            interface_id: interface_identifier(prefix),
            v4,
        },
        Paa::NonIp | Paa::Ethernet => return None,
    };
    let single = !matches!(paa, Paa::V4V6 { .. });
    let both_wanted = attach.esm.pdn_type.has_v4() && attach.esm.pdn_type.has_v6();
    let v4 = paa.v4().is_some();
    // A UE that asked for both must be told why it got one, TS 24.301 §6.5.1.3.
    let explained = cause_map::acceptance(response.cause.cause, v4);
    let limited = cause_map::acceptance(Cause::NEW_PDN_TYPE_DUE_TO_NETWORK_PREFERENCE, v4);
    let esm_cause = explained.or(limited).filter(|_| both_wanted && single);
    let bearer = response.bearer_contexts.first();
    let qci = bearer
        .and_then(|b| b.bearer_qos)
        .map_or(granted.qci, |q| q.qci);
    Some(ActivateDefaultEpsBearerContextRequest {
        qos: EpsQos::non_gbr(qci),
        apn: granted.apn.clone(),
        pdn_address,
        apn_ambr: Some(response.apn_ambr.unwrap_or(granted.apn_ambr)),
        esm_cause,
        pco: response.pco.clone(),
    })
}
