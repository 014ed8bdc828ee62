//! The PDN connection of an attach: ESM information, the choice of the APN, and the session at the
//! gateway, TS 23.401 §5.3.2.1, TS 24.301 §6.4.1 and §6.6.1.2.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use heiiki_diameter::s6a::{self, ApnConfiguration, ServiceSelection, SubscriptionData};
use heiiki_gtp::c::{
    BearerContextToBeCreated, BearerQos, CreateSessionRequest, FTeid, Interface, Message, Paa,
    PdnType, Uli,
};
use heiiki_nas::esm::{self, EsmCause, EsmInformationResponse};
use heiiki_nas::ie;
use heiiki_nas::security::SecurityHeader;
use heiiki_types::{Ambr, Apn, Ebi};

use super::{Granted, Step, UeId, fsm};
use crate::event::Event;
use crate::node::{Mme, S5cPending};
use crate::sgw::{SessionKey, Wanted};
use crate::timers::Timer;

/// Bit rates when the subscription names none: as good as no limit.
const UNLIMITED: Ambr = Ambr {
    uplink_bps: 1_000_000_000,
    downlink_bps: 1_000_000_000,
};
const NOT_SUBSCRIBED: EsmCause = EsmCause(33);
const UNKNOWN_APN: EsmCause = EsmCause(27);
const INSUFFICIENT_RESOURCES: EsmCause = EsmCause(26);
const UNKNOWN_PDN_TYPE: EsmCause = EsmCause(28);
const V4_ONLY: EsmCause = EsmCause(50);
const V6_ONLY: EsmCause = EsmCause(51);
const PTI_MISMATCH: EsmCause = EsmCause(47);
/// MS or network provided APN, subscription verified, TS 29.274 §8.58.
const SUBSCRIPTION_VERIFIED: u8 = 0;

impl Mme {
    /// ESM INFORMATION REQUEST, TS 24.301 §6.6.1.2.2.
    pub(crate) fn ask_esm(&mut self, id: UeId) {
        let Some(attach) = self.ues.get(&id).and_then(|ue| ue.attach()) else {
            return;
        };
        let (pti, body) = (attach.esm.pti, esm::Body::EsmInformationRequest);
        let plain = esm::Message { ebi: 0, pti, body }.encode();
        let header = SecurityHeader::IntegrityCiphered;
        self.start_timer(id, Timer::T3489, Some((header, plain.clone())));
        self.send_plain(id, header, plain);
    }

    pub(crate) fn esm_information(&mut self, id: UeId, pti: u8, answer: EsmInformationResponse) {
        let Some(attach) = self.ues.get_mut(&id).and_then(|ue| ue.attach_mut()) else {
            return;
        };
        if !matches!(attach.step, Step::AskEsm) {
            return;
        }
        if attach.esm.pti != pti {
            return self.reject_esm(id, PTI_MISMATCH);
        }
        attach.esm.apn = answer.apn.or_else(|| attach.esm.apn.take());
        attach.esm.pco = answer.pco.or_else(|| attach.esm.pco.take());
        self.stop_timer(id);
        self.step(id, fsm::Event::EsmKnown, Step::Locate);
        self.check_equipment(id);
    }

    /// The HSS accepted the location: choose the access point and ask its gateway for a session.
    pub(crate) fn create_session(&mut self, id: UeId, subscription: &SubscriptionData) {
        let Some(ue) = self.ues.get(&id) else { return };
        let Some((imsi, attach)) = ue.imsi.zip(ue.attach()) else {
            return;
        };
        let wanted = attach.esm.apn.as_ref().map(Apn::network_identifier);
        let Some((apn, configuration)) = choose(subscription, wanted) else {
            return self.reject_esm(id, NOT_SUBSCRIBED);
        };
        let pdn_type = match pdn_type(attach.esm.pdn_type, configuration.pdn_type) {
            Ok(pdn_type) => pdn_type,
            Err(cause) => return self.reject_esm(id, cause),
        };
        let Some(pgw) = self
            .config
            .pgws
            .get(&apn)
            .copied()
            .or(self.config.default_pgw)
        else {
            return self.reject_esm(id, UNKNOWN_APN);
        };
        let granted = Granted {
            apn: apn.clone(),
            qci: configuration.qci,
            arp: configuration.arp,
            apn_ambr: configuration.ambr.unwrap_or(UNLIMITED),
            ue_ambr: subscription.ue_ambr.unwrap_or(UNLIMITED),
        };
        let order = Wanted {
            ue: id,
            imsi,
            apn,
            ebi: Ebi::FIRST,
        };
        let Some(key) = self.sgw.table.open(self.now.at, &mut self.rng, order) else {
            self.event(Event::Overload { limit: "sessions" });
            return self.reject_esm(id, INSUFFICIENT_RESOURCES);
        };
        let request = self.session_request(key, subscription, configuration, &granted, pdn_type);
        if let Some(ue) = self.ues.get_mut(&id) {
            ue.session = Some(key);
        }
        self.step(
            id,
            fsm::Event::LocationUpdated,
            Step::Create(Box::new(granted)),
        );
        let sent = request.is_some_and(|r| self.send_create(pgw, r, S5cPending::Create(key, imsi)));
        if !sent {
            self.event(Event::Overload {
                limit: "s5c_requests",
            });
            self.reject_esm(id, INSUFFICIENT_RESOURCES);
        }
    }

    fn send_create(
        &mut self,
        pgw: SocketAddr,
        request: CreateSessionRequest,
        pending: S5cPending,
    ) -> bool {
        let (local, tag) = (self.config.s5c_local, self.tag());
        self.s5c.supervise(self.now.at, local, pgw);
        let message = Message::CreateSessionRequest(Box::new(request));
        let sent = self
            .s5c
            .send_request(self.now.at, local, pgw, Some(0), &message, tag)
            .is_ok();
        if sent {
            self.s5c_pending.insert(tag, pending);
        }
        sent
    }

    fn session_request(
        &self,
        key: SessionKey,
        subscription: &SubscriptionData,
        configuration: &ApnConfiguration,
        granted: &Granted,
        pdn_type: PdnType,
    ) -> Option<CreateSessionRequest> {
        let session = self.sgw.table.get(key)?;
        let ue = self.ues.get(&session.ue)?;
        let f_teid = |interface, teid, local: SocketAddr| FTeid::new(interface, teid, local.ip());
        let bearer = BearerContextToBeCreated {
            ebi: session.ebi,
            tft: None,
            s5s8_u_sgw_f_teid: Some(f_teid(
                Interface::S5S8_SGW_GTPU,
                session.s5u,
                self.config.s5u_local,
            )),
            bearer_qos: BearerQos::non_gbr(granted.qci, granted.arp),
        };
        let sender = f_teid(Interface::S5S8_SGW_GTPC, session.s5c, self.config.s5c_local);
        let mut request =
            CreateSessionRequest::new(sender, granted.apn.clone(), Vec::from([bearer]));
        request.imsi = ue.imsi;
        request.msisdn = subscription.msisdn;
        request.mei = ue.imei.map(Into::into);
        request.uli = Some(Uli {
            tai: ue.tai,
            ecgi: ue.ecgi,
        });
        request.serving_network = Some(self.config.plmn);
        request.selection_mode = Some(SUBSCRIPTION_VERIFIED);
        request.pdn_type = Some(pdn_type);
        request.paa = Some(paa(pdn_type, &configuration.served_party_ips));
        request.maximum_apn_restriction = Some(0);
        request.apn_ambr = Some(granted.apn_ambr);
        request.pco = ue.attach().and_then(|a| a.esm.pco.clone());
        request.recovery = Some(self.s5c.restart_counter());
        request.charging_characteristics = configuration
            .charging_characteristics
            .or(subscription.charging_characteristics);
        Some(request)
    }
}

/// The access point of the session and its configuration: the one that the UE names, if the
/// subscription has it, or the default one (TS 23.401 §4.3.8.1).
fn choose(
    subscription: &SubscriptionData,
    wanted: Option<Apn>,
) -> Option<(Apn, &ApnConfiguration)> {
    let profile = subscription.apn_profile.as_ref()?;
    let Some(wanted) = wanted else {
        let default = profile.default_apn()?;
        return match &default.apn {
            ServiceSelection::Apn(apn) => Some((apn.clone(), default)),
            // A wildcard names no network to go to.
            ServiceSelection::Wildcard => None,
        };
    };
    let named = profile.apns.iter().find(
        |a| matches!(&a.apn, ServiceSelection::Apn(apn) if apn.network_identifier() == wanted),
    );
    let found = named.or_else(|| profile.apns.iter().find(|a| a.apn.covers(&wanted)))?;
    Some((wanted, found))
}

/// What both the UE and the subscription allow, TS 23.401 §5.3.1.1.
fn pdn_type(wanted: ie::PdnType, subscribed: s6a::PdnType) -> Result<PdnType, EsmCause> {
    use s6a::PdnType as Subscribed;
    let (v4, v6) = match subscribed {
        Subscribed::V4 => (true, false),
        Subscribed::V6 => (false, true),
        Subscribed::V4V6 | Subscribed::V4orV6 => (true, true),
        Subscribed::NonIp => (false, false),
    };
    match (v4 && wanted.has_v4(), v6 && wanted.has_v6()) {
        (true, true) if subscribed == Subscribed::V4V6 => Ok(PdnType::V4V6),
        (true, _) => Ok(PdnType::V4),
        (_, true) => Ok(PdnType::V6),
        (false, false) if v4 => Err(V4_ONLY),
        (false, false) if v6 => Err(V6_ONLY),
        (false, false) => Err(UNKNOWN_PDN_TYPE),
    }
}

/// The static addresses of the subscription, or zeros that ask for dynamic ones, TS 29.274 §8.14.
fn paa(pdn_type: PdnType, fixed: &[IpAddr]) -> Paa {
    let v4 = fixed.iter().find_map(|a| match a {
        IpAddr::V4(a) => Some(*a),
        IpAddr::V6(_) => None,
    });
    let v6 = fixed.iter().find_map(|a| match a {
        IpAddr::V6(a) => Some(*a),
        IpAddr::V4(_) => None,
    });
    let (v4, prefix) = (
        v4.unwrap_or(Ipv4Addr::UNSPECIFIED),
        v6.unwrap_or(Ipv6Addr::UNSPECIFIED),
    );
    let length = if v6.is_some() { 64 } else { 0 };
    match pdn_type {
        PdnType::V6 => Paa::V6 { prefix, length },
        PdnType::V4V6 => Paa::V4V6 { v4, prefix, length },
        _ => Paa::V4(v4),
    }
}
