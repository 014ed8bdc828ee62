//! What the HSS changes after the attach: insert and delete subscriber data (TS 29.272 §5.2.2) and
//! reset (§5.2.4.1).
//!
//! Only the host that answered the UE's Update-Location is heard. What is new counts for the next
//! session; what the running session may not be any more ends it at once:
//!
//! | the subscription now | the UE |
//! |---|---|
//! | bars every packet service | detached, no cause, as for a pause |
//! | forbids E-UTRAN | detached with the cause of 5421 |
//! | has the session's access point no more | detached, to attach again |
//! | anything else | keeps its session |

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use heiiki_diameter::s6a::{
    ActiveApn, ApnConfigurationProfile, DeleteSubscriberDataAnswer, DeleteSubscriberDataRequest,
    EpsLocation, InsertSubscriberDataAnswer, InsertSubscriberDataRequest, PgwIdentity, ResetAnswer,
    ResetRequest, ServiceSelection, SubscriptionData, USER_UNKNOWN, UpdateLocationAnswer,
    dsr_flags, idr_flags, odb, rat_type, restriction, user_state,
};
use heiiki_diameter::{AnswerResult, Message, RequestHandle, ResultCode};
use heiiki_nas::emm::EmmCause;
use heiiki_types::{ConnId, Ecgi, Imsi, Tai};

use super::{Mme, S6aPending};
use crate::emm::{Detaching, Emm, Registration, Ue, UeId};
use crate::event::{DetachReason, Event};
use crate::result_table::{HssResult, RAT_NOT_ALLOWED, Stage};

/// Subscriber-Status `OPERATOR_DETERMINED_BARRING`, TS 29.272 §7.3.29.
const STATUS_BARRED: u32 = 1;

/// What a subscription forbids from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forbidden {
    Nothing,
    Service,
    Radio,
    AccessPoint,
}

impl Mme {
    /// Insert-Subscriber-Data-Request, TS 29.272 §5.2.2.1.
    pub(super) fn insert_subscriber_data(
        &mut self,
        handle: RequestHandle,
        peer: &str,
        request: &InsertSubscriberDataRequest,
    ) {
        let imsi = request.imsi;
        let found = self.registered(imsi, &request.origin_host, peer, "idr");
        let mut answer = InsertSubscriberDataAnswer {
            session_id: request.session_id.clone(),
            result: AnswerResult::SUCCESS,
            origin_host: self.config.origin_host.clone(),
            origin_realm: self.config.origin_realm.clone(),
            rat_type: None,
            ida_flags: None,
            user_state: None,
            location: None,
            supported_features: Vec::new(),
            failed_avp: Vec::new(),
        };
        let id = match found {
            Ok(id) => id,
            Err(result) => {
                answer.result = result;
                return self.send_answer(handle, answer.to_message());
            }
        };
        if let Some(ue) = self.ues.get_mut(&id) {
            let flags = request.idr_flags.unwrap_or(0);
            let asks = |bit: u32| flags & bit != 0;
            answer.rat_type = asks(idr_flags::RAT_TYPE).then_some(rat_type::EUTRAN);
            answer.user_state = asks(idr_flags::EPS_USER_STATE).then(|| state_of(ue));
            answer.location = asks(idr_flags::EPS_LOCATION).then(|| EpsLocation {
                cell: ue.ecgi.map(cell),
                tracking_area: ue.tai.map(tracking_area),
            });
            let known = ue.subscription.get_or_insert_default();
            merge(known, &request.subscription);
        }
        self.send_answer(handle, answer.to_message());
        self.event(Event::SubscriptionChanged {
            imsi,
            request: "idr",
        });
        self.apply_subscription(id, imsi);
    }

    /// Delete-Subscriber-Data-Request, TS 29.272 §5.2.2.2.
    pub(super) fn delete_subscriber_data(
        &mut self,
        handle: RequestHandle,
        peer: &str,
        request: &DeleteSubscriberDataRequest,
    ) {
        let imsi = request.imsi;
        let found = self.registered(imsi, &request.origin_host, peer, "dsr");
        let done = found.and_then(|id| {
            let known = self
                .ues
                .get_mut(&id)
                .and_then(|ue| ue.subscription.as_mut());
            known.map_or(Ok(()), |s| withdraw(s, request)).map(|()| id)
        });
        let answer = DeleteSubscriberDataAnswer {
            session_id: request.session_id.clone(),
            result: done.err().unwrap_or(AnswerResult::SUCCESS),
            origin_host: self.config.origin_host.clone(),
            origin_realm: self.config.origin_realm.clone(),
            dsa_flags: None,
            supported_features: Vec::new(),
            failed_avp: Vec::new(),
        };
        self.send_answer(handle, answer.to_message());
        if let Ok(id) = done {
            self.event(Event::SubscriptionChanged {
                imsi,
                request: "dsr",
            });
            self.apply_subscription(id, imsi);
        }
    }

    /// Reset-Request, TS 29.272 §5.2.4.1: the HSS has lost registrations. Each UE concerned is
    /// registered anew when it is next heard of.
    pub(super) fn reset(&mut self, handle: RequestHandle, peer: &str, request: &ResetRequest) {
        let (mut marked, mut others) = (0, false);
        for ue in self.ues.values_mut() {
            let (Some(imsi), Some(registration)) = (ue.imsi, &ue.registration) else {
                continue;
            };
            if !registration.is_of(&request.origin_host, peer) {
                others = true;
            } else if request.covers(&imsi) {
                ue.unconfirmed = true;
                marked += 1;
            }
        }
        // A host that serves nobody here has nothing to reset.
        let stranger = others && marked == 0 && !self.serves_somebody(&request.origin_host, peer);
        let result = if stranger {
            AnswerResult::Base(ResultCode::AUTHORIZATION_REJECTED)
        } else {
            AnswerResult::SUCCESS
        };
        let origin_host = request.origin_host.clone();
        self.event(if stranger {
            Event::HssRefused {
                imsi: None,
                request: "rsr",
                origin_host,
            }
        } else {
            Event::HssReset {
                origin_host,
                ues: marked,
            }
        });
        let answer = ResetAnswer {
            session_id: request.session_id.clone(),
            result,
            origin_host: self.config.origin_host.clone(),
            origin_realm: self.config.origin_realm.clone(),
            supported_features: Vec::new(),
            failed_avp: Vec::new(),
        };
        self.send_answer(handle, answer.to_message());
    }

    fn serves_somebody(&self, host: &str, peer: &str) -> bool {
        let mut registrations = self.ues.values().filter_map(|ue| ue.registration.as_ref());
        registrations.any(|r| r.is_of(host, peer))
    }

    /// The UE that this host of the HSS may change.
    fn registered(
        &mut self,
        imsi: Imsi,
        host: &str,
        peer: &str,
        request: &'static str,
    ) -> Result<UeId, AnswerResult> {
        let id = self.by_imsi.get(&imsi).copied().ok_or(USER_UNKNOWN)?;
        let registration = self.ues.get(&id).and_then(|ue| ue.registration.as_ref());
        match registration {
            None => Err(USER_UNKNOWN),
            Some(r) if r.is_of(host, peer) => Ok(id),
            Some(_) => {
                self.event(Event::HssRefused {
                    imsi: Some(imsi),
                    request,
                    origin_host: String::from(host),
                });
                Err(ResultCode::AUTHORIZATION_REJECTED.into())
            }
        }
    }

    /// Ends what the subscription does not allow any more. The gateway first, the UE second.
    fn apply_subscription(&mut self, id: UeId, imsi: Imsi) {
        let Some(ue) = self.ues.get(&id) else { return };
        let Some(subscription) = &ue.subscription else {
            return;
        };
        let session = ue.session.and_then(|key| self.sgw.table.get(key));
        let apn = session.map(|s| s.apn.network_identifier());
        let covered = |profile: &ApnConfigurationProfile| {
            let has = |apn: &_| profile.apns.iter().any(|a| a.apn.covers(apn));
            apn.as_ref().is_none_or(has)
        };
        let barred = subscription.subscriber_status == Some(STATUS_BARRED)
            && subscription
                .odb
                .is_some_and(|bits| bits & odb::ALL_PACKET_SERVICES != 0);
        let radio = subscription
            .access_restriction
            .is_some_and(|bits| bits & restriction::WB_EUTRAN != 0);
        let forbidden = if barred {
            Forbidden::Service
        } else if radio {
            Forbidden::Radio
        } else if !subscription.apn_profile.as_ref().is_some_and(covered) {
            Forbidden::AccessPoint
        } else {
            Forbidden::Nothing
        };
        if forbidden != Forbidden::Nothing {
            self.end_service(id, imsi, forbidden);
        }
    }

    fn end_service(&mut self, id: UeId, imsi: Imsi, forbidden: Forbidden) {
        let (stage, table) = (Stage::Location, &self.config.results);
        let radio = table.refusal(stage, RAT_NOT_ALLOWED, None);
        let pause = table.refusal(stage, HssResult::Base(5012), None);
        let cause: Option<EmmCause> = Some(radio.cause).filter(|_| forbidden == Forbidden::Radio);
        match self.ues.get(&id).map(|ue| &ue.emm) {
            None | Some(Emm::Deregistered | Emm::Detaching(_)) => {}
            // On its way in: its location update is answered by the same HSS a moment later.
            Some(Emm::Attaching(attach)) if attach.is_before_session() => {}
            Some(Emm::Attaching(_)) => {
                self.close_session(id, true);
                let refusal = if forbidden == Forbidden::Radio {
                    radio
                } else {
                    pause
                };
                self.refuse(id, refusal);
            }
            Some(Emm::Registered) => {
                let reattach = forbidden == Forbidden::AccessPoint;
                let reason = DetachReason::Withdrawn;
                self.detach_by_network(id, Detaching::new(reattach, cause, reason));
            }
        }
        self.event(Event::SubscriptionChanged {
            imsi,
            request: "service ended",
        });
    }

    /// The UE was heard of: if the HSS may not know any more where it is, it is told.
    pub(super) fn confirm_location(&mut self, id: UeId) {
        let Some(ue) = self.ues.get_mut(&id) else {
            return;
        };
        let Some(imsi) = ue.imsi.filter(|_| ue.unconfirmed) else {
            return;
        };
        if !matches!(ue.emm, Emm::Registered) {
            return;
        }
        // Until the answer comes, nothing more is asked.
        ue.unconfirmed = false;
        let mut request = self.location_request(imsi, self.ues.get(&id).and_then(|ue| ue.imei));
        request.ulr_flags = heiiki_diameter::s6a::ulr_flags::S6A;
        request.active_apns = self.active_apns(id);
        if !self.ask(request.to_message(), S6aPending::Confirm(id, imsi)) {
            self.unconfirmed_again(id);
        }
    }

    pub(super) fn unconfirmed_again(&mut self, id: UeId) {
        if let Some(ue) = self.ues.get_mut(&id) {
            ue.unconfirmed = true;
        }
    }

    /// Active-APN of the running session, TS 29.272 §7.3.127.
    fn active_apns(&self, id: UeId) -> Vec<ActiveApn> {
        let active = || {
            let ue = self.ues.get(&id)?;
            let session = self.sgw.table.get(ue.session?)?;
            let apn = session.apn.network_identifier();
            let profile = ue.subscription.as_ref()?.apn_profile.as_ref()?;
            let entry = profile.apns.iter().find(|a| a.apn.covers(&apn))?;
            let wildcard = entry.apn == ServiceSelection::Wildcard;
            let address = session.pgw_c.map(|(address, _)| address.ip());
            Some(ActiveApn {
                context: entry.context,
                apn: wildcard.then_some(ServiceSelection::Apn(apn)),
                pgw: address.map(|ip| PgwIdentity {
                    addresses: Vec::from([ip]),
                    ..PgwIdentity::default()
                }),
            })
        };
        active().into_iter().collect()
    }

    /// The HSS answered a registration that a reset asked for.
    pub(super) fn location_confirmed(
        &mut self,
        conn: ConnId,
        id: UeId,
        imsi: Imsi,
        message: &Message,
    ) {
        let Ok(answer) = UpdateLocationAnswer::from_message(message) else {
            return self.unconfirmed_again(id);
        };
        let result = super::s6a::result_of(answer.result);
        self.event(Event::HssAnswered {
            imsi,
            request: "ulr",
            result: super::s6a::text(result),
        });
        let peer = self.peers.get(&conn).cloned().unwrap_or_default();
        let Some(ue) = self.ues.get_mut(&id).filter(|ue| ue.imsi == Some(imsi)) else {
            return;
        };
        if answer.result.is_success() {
            let (host, realm) = (answer.origin_host, answer.origin_realm);
            ue.registration = Some(Registration { host, realm, peer });
            if let Some(subscription) = answer.subscription {
                ue.subscription = Some(subscription);
            }
            return self.apply_subscription(id, imsi);
        }
        if matches!(answer.result, AnswerResult::Base(_)) {
            // The network is at fault, not the SIM.
            return self.unconfirmed_again(id);
        }
        ue.registration = None;
        let refusal = self
            .config
            .results
            .refusal(Stage::Location, result, answer.error_diagnostic);
        if matches!(self.ues.get(&id).map(|ue| &ue.emm), Some(Emm::Registered)) {
            let reason = DetachReason::Withdrawn;
            self.detach_by_network(id, Detaching::new(false, Some(refusal.cause), reason));
        }
    }

    fn send_answer(&mut self, handle: RequestHandle, message: Message) {
        if let Some(s6a) = &mut self.s6a {
            s6a.send_answer(self.now.at, handle, message);
        }
    }
}

/// EPS-User-State of a UE. There is no paging here, so an idle UE cannot be reached.
fn state_of(ue: &Ue) -> u32 {
    match (&ue.emm, ue.s1) {
        (Emm::Registered, Some(_)) => user_state::CONNECTED_REACHABLE,
        (Emm::Registered, None) => user_state::ATTACHED_NOT_REACHABLE,
        _ => user_state::DETACHED,
    }
}

/// E-UTRAN-Cell-Global-Identity, coded as in TS 29.274 §8.21.5.
fn cell(ecgi: Ecgi) -> [u8; 7] {
    let ([a, b, c], [d, e, f, g]) = (ecgi.plmn.octets(), ecgi.eci.to_be_bytes());
    [a, b, c, d & 0x0f, e, f, g]
}

/// Tracking-Area-Identity, coded as in TS 29.274 §8.21.4.
fn tracking_area(tai: Tai) -> [u8; 5] {
    let ([a, b, c], [d, e]) = (tai.plmn.octets(), tai.tac.0.to_be_bytes());
    [a, b, c, d, e]
}

/// Replaces the parts that the new data has, TS 29.272 §5.2.2.1.2.
fn merge(known: &mut SubscriptionData, new: &SubscriptionData) {
    fn take<T: Clone>(known: &mut Option<T>, new: Option<&T>) {
        if let Some(new) = new {
            *known = Some(new.clone());
        }
    }
    if new.subscriber_status == Some(0) {
        // Service granted ends every barring.
        known.odb = None;
        known.hplmn_odb = None;
    }
    take(&mut known.subscriber_status, new.subscriber_status.as_ref());
    take(&mut known.msisdn, new.msisdn.as_ref());
    take(
        &mut known.network_access_mode,
        new.network_access_mode.as_ref(),
    );
    take(&mut known.odb, new.odb.as_ref());
    take(&mut known.hplmn_odb, new.hplmn_odb.as_ref());
    if !new.zones.is_empty() {
        known.zones.clone_from(&new.zones);
    }
    take(
        &mut known.access_restriction,
        new.access_restriction.as_ref(),
    );
    take(
        &mut known.apn_oi_replacement,
        new.apn_oi_replacement.as_ref(),
    );
    take(
        &mut known.charging_characteristics,
        new.charging_characteristics.as_ref(),
    );
    take(&mut known.ue_ambr, new.ue_ambr.as_ref());
    take(&mut known.rfsp, new.rfsp.as_ref());
    take(
        &mut known.subscribed_rau_tau_timer_s,
        new.subscribed_rau_tau_timer_s.as_ref(),
    );
    let Some(new) = &new.apn_profile else { return };
    match &mut known.apn_profile {
        Some(profile) if !new.all_apn_included => {
            profile.default_context = new.default_context;
            for entry in &new.apns {
                profile.apns.retain(|a| a.context != entry.context);
                profile.apns.push(entry.clone());
            }
        }
        profile => *profile = Some(new.clone()),
    }
}

/// Takes away what a DSR names. The default access point cannot go (TS 29.272 §5.2.2.2.2).
fn withdraw(
    known: &mut Box<SubscriptionData>,
    request: &DeleteSubscriberDataRequest,
) -> Result<(), AnswerResult> {
    let flag = |bit: u32| request.dsr_flags & bit != 0;
    if flag(dsr_flags::PDN_SUBSCRIPTION_CONTEXTS)
        && let Some(profile) = &mut known.apn_profile
    {
        if request.contexts.contains(&profile.default_context) {
            return Err(ResultCode::UNABLE_TO_COMPLY.into());
        }
        profile
            .apns
            .retain(|a| !request.contexts.contains(&a.context));
    }
    if flag(dsr_flags::REGIONAL_SUBSCRIPTION) {
        known.zones.clear();
    }
    if flag(dsr_flags::CHARGING_CHARACTERISTICS) {
        known.charging_characteristics = None;
    }
    if flag(dsr_flags::APN_OI_REPLACEMENT) {
        known.apn_oi_replacement = None;
    }
    if flag(dsr_flags::PERIODIC_RAU_TAU_TIMER) {
        known.subscribed_rau_tau_timer_s = None;
    }
    if flag(dsr_flags::MSISDN) {
        known.msisdn = None;
    }
    Ok(())
}
