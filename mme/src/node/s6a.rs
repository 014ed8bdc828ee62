//! S6a: what the MME asks the HSS, and what the HSS answers and asks.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use heiiki_diameter::s6a::{
    AuthenticationInformationAnswer, AuthenticationInformationRequest, CancelLocationAnswer,
    CancelLocationRequest, DeleteSubscriberDataRequest, InsertSubscriberDataRequest, PurgeUeAnswer,
    PurgeUeRequest, RAT_TYPE_EUTRAN, RequestedAuthenticationInfo, ResetRequest, SupportedFeatures,
    UpdateLocationAnswer, UpdateLocationRequest, feature_list_1, ulr_flags,
};
use heiiki_diameter::{
    AnswerError, AnswerResult, CommandCode, EndpointOutput, Message, RequestHandle, ResultCode,
    error_answer,
};
use heiiki_types::{ConnId, Imei, Imsi};

use super::{Mme, Output, S6aPending};
use crate::emm::{Registration, Step, UeId};
use crate::event::Event;
use crate::result_table::{
    AUTHENTICATION_DATA_UNAVAILABLE, HssResult, ODB_ALL_APN, RAT_NOT_ALLOWED, ROAMING_NOT_ALLOWED,
    Stage, UNKNOWN_EPS_SUBSCRIPTION,
};

/// Subscriber-Status `OPERATOR_DETERMINED_BARRING`, TS 29.272 §7.3.29.
const STATUS_BARRED: u32 = 1;
/// Operator-Determined-Barring bit 0: all packet services, TS 29.272 §7.3.30.
const ODB_ALL_PACKET_SERVICES: u32 = 1;
/// Access-Restriction-Data bit 4: no E-UTRAN, TS 29.272 §7.3.31.
const EUTRAN_NOT_ALLOWED: u32 = 1 << 4;

/// The features of TS 29.272 §7.3.10 that the MME has: it refuses a barred subscription.
const FEATURES: u32 = feature_list_1::ODB_ALL_APN | feature_list_1::ODB_HPLMN_APN;

impl Mme {
    /// Authentication-Information-Request, TS 29.272 §7.2.5. `resync` is RAND and AUTS.
    pub(crate) fn ask_vector(&mut self, id: UeId, resync: Option<[u8; 30]>) {
        let Some(imsi) = self.ues.get(&id).and_then(|ue| ue.imsi) else {
            return;
        };
        let request = AuthenticationInformationRequest {
            session_id: self.session_ids.next(),
            origin_host: self.config.origin_host.clone(),
            origin_realm: self.config.origin_realm.clone(),
            destination_host: None,
            destination_realm: self.config.hss_realm.clone(),
            imsi,
            visited_plmn: self.config.plmn,
            requested_eutran: Some(RequestedAuthenticationInfo {
                vectors: 1,
                immediate_response_preferred: true,
                resync,
            }),
            requested_utran: None,
            supported_features: Vec::new(),
            route_record: Vec::new(),
        };
        if !self.ask(request.to_message(), S6aPending::Vector(id, imsi)) {
            self.refused_by_hss(id, imsi, Stage::Authentication, HssResult::NoAnswer, None);
        }
    }

    /// Update-Location-Request, TS 29.272 §7.2.3. It is sent at every attach, also of a UE that is
    /// known: what the HSS has decided since then counts.
    pub(crate) fn ask_location(&mut self, id: UeId) {
        let Some((imsi, imei)) = self.ues.get(&id).and_then(|ue| Some((ue.imsi?, ue.imei))) else {
            return;
        };
        let request = self.location_request(imsi, imei);
        if !self.ask(request.to_message(), S6aPending::Location(id, imsi)) {
            self.refused_by_hss(id, imsi, Stage::Location, HssResult::NoAnswer, None);
        }
    }

    pub(super) fn location_request(
        &mut self,
        imsi: Imsi,
        imei: Option<Imei>,
    ) -> UpdateLocationRequest {
        UpdateLocationRequest {
            session_id: self.session_ids.next(),
            origin_host: self.config.origin_host.clone(),
            origin_realm: self.config.origin_realm.clone(),
            destination_host: None,
            destination_realm: self.config.hss_realm.clone(),
            imsi,
            rat_type: RAT_TYPE_EUTRAN,
            ulr_flags: ulr_flags::S6A | ulr_flags::INITIAL_ATTACH,
            visited_plmn: self.config.plmn,
            terminal_information: imei,
            software_version: None,
            ue_srvcc_capability: None,
            active_apns: Vec::new(),
            supported_features: Vec::from([SupportedFeatures::list_1(FEATURES)]),
            route_record: Vec::new(),
        }
    }

    /// Purge-UE-Request, TS 29.272 §7.2.13.
    pub(crate) fn purge(&mut self, id: UeId) {
        let Some(ue) = self.ues.get(&id) else { return };
        let Some((imsi, registration)) = ue.imsi.zip(ue.registration.clone()) else {
            return;
        };
        let request = PurgeUeRequest {
            session_id: self.session_ids.next(),
            origin_host: self.config.origin_host.clone(),
            origin_realm: self.config.origin_realm.clone(),
            destination_host: Some(registration.host),
            destination_realm: registration.realm,
            imsi,
            pur_flags: None,
            supported_features: Vec::new(),
            route_record: Vec::new(),
        };
        // Not told, the HSS cancels one day a location that is not here, and gets its 2001.
        self.ask(request.to_message(), S6aPending::Purge(imsi));
    }

    /// Sends a request by the connection to the HSS; false when there is none or too much waits.
    pub(super) fn ask(&mut self, message: Message, pending: S6aPending) -> bool {
        if self.s6a_pending.len() >= self.config.limits.s6a_requests {
            self.event(Event::Overload {
                limit: "s6a_requests",
            });
            return false;
        }
        let tag = self.tag();
        let Some(s6a) = self.s6a.as_mut() else {
            return false;
        };
        let Some(conn) = self.peers.keys().copied().find(|c| s6a.is_open(*c)) else {
            return false;
        };
        let sent = s6a.send_request(self.now.at, conn, message, tag).is_ok();
        if sent {
            self.s6a_pending.insert(tag, pending);
        }
        sent
    }

    pub(super) fn handle_s6a(&mut self, output: EndpointOutput) {
        match output {
            EndpointOutput::Stream(stream) => self.output(Output::S6a(stream)),
            EndpointOutput::PeerOpen { conn, host, .. } => {
                self.peers.insert(conn, host.clone());
                self.event(Event::PeerOpen { host });
            }
            EndpointOutput::PeerClosed { conn, host, why } => {
                self.peers.remove(&conn);
                self.event(Event::PeerClosed { host, why });
            }
            EndpointOutput::Refused {
                peer: host, why, ..
            } => {
                self.event(Event::PeerClosed { host, why });
            }
            EndpointOutput::Request {
                peer_host,
                handle,
                message,
                ..
            } => {
                self.asked(&peer_host, handle, &message);
            }
            EndpointOutput::Answer { conn, tag, message } => self.answered(conn, tag, &message),
            EndpointOutput::Unanswered { tag, .. } => self.unanswered(tag),
        }
    }

    fn asked(&mut self, peer: &str, handle: RequestHandle, message: &Message) {
        let done = match message.command {
            CommandCode::CANCEL_LOCATION => CancelLocationRequest::from_message(message)
                .map(|request| self.cancel_location(handle, peer, &request, message)),
            CommandCode::INSERT_SUBSCRIBER_DATA => {
                InsertSubscriberDataRequest::from_message(message)
                    .map(|request| self.insert_subscriber_data(handle, peer, &request))
            }
            CommandCode::DELETE_SUBSCRIBER_DATA => {
                DeleteSubscriberDataRequest::from_message(message)
                    .map(|request| self.delete_subscriber_data(handle, peer, &request))
            }
            CommandCode::RESET => ResetRequest::from_message(message)
                .map(|request| self.reset(handle, peer, &request)),
            _ => Err(AnswerError::new(ResultCode::COMMAND_UNSUPPORTED)),
        };
        let Err(error) = done else { return };
        let (host, realm) = (&self.config.origin_host, &self.config.origin_realm);
        let answer = error_answer(message, host, realm, &error);
        if let Some(s6a) = &mut self.s6a {
            s6a.send_answer(self.now.at, handle, answer);
        }
    }

    pub(crate) fn answer_cancel(
        &mut self,
        handle: RequestHandle,
        session_id: &str,
        result: AnswerResult,
    ) {
        let answer = CancelLocationAnswer {
            session_id: session_id.to_string(),
            result,
            origin_host: self.config.origin_host.clone(),
            origin_realm: self.config.origin_realm.clone(),
            failed_avp: Vec::new(),
        };
        if let Some(s6a) = &mut self.s6a {
            s6a.send_answer(self.now.at, handle, answer.to_message());
        }
    }

    fn unanswered(&mut self, tag: u64) {
        let (request, imsi) = match self.s6a_pending.remove(&tag) {
            Some(S6aPending::Vector(id, imsi)) => {
                return self.refused_by_hss(
                    id,
                    imsi,
                    Stage::Authentication,
                    HssResult::NoAnswer,
                    None,
                );
            }
            Some(S6aPending::Location(id, imsi)) => {
                return self.refused_by_hss(id, imsi, Stage::Location, HssResult::NoAnswer, None);
            }
            Some(S6aPending::Equipment(id, imsi)) => {
                if let Some(rule) = self.config.equipment_check {
                    self.equipment_unanswered(id, imsi, rule);
                }
                return;
            }
            Some(S6aPending::Confirm(id, imsi)) => {
                self.unconfirmed_again(id);
                ("ulr", imsi)
            }
            Some(S6aPending::Purge(imsi)) => ("pur", imsi),
            None => return,
        };
        self.event(Event::HssAnswered {
            imsi,
            request,
            result: text(HssResult::NoAnswer),
        });
    }

    fn answered(&mut self, conn: ConnId, tag: u64, message: &Message) {
        match self.s6a_pending.remove(&tag) {
            Some(S6aPending::Vector(id, imsi)) => self.vector_answered(id, imsi, message),
            Some(S6aPending::Location(id, imsi)) => self.location_answered(conn, id, imsi, message),
            Some(S6aPending::Confirm(id, imsi)) => {
                self.location_confirmed(conn, id, imsi, message);
            }
            Some(S6aPending::Equipment(id, imsi)) => self.equipment_answered(id, imsi, message),
            Some(S6aPending::Purge(imsi)) => {
                let answer = PurgeUeAnswer::from_message(message);
                let result = text(answer.map_or(HssResult::NoAnswer, |a| result_of(a.result)));
                self.event(Event::HssAnswered {
                    imsi,
                    request: "pur",
                    result,
                });
            }
            None => {}
        }
    }

    fn vector_answered(&mut self, id: UeId, imsi: Imsi, message: &Message) {
        let stage = Stage::Authentication;
        // What cannot be read tells no more than silence.
        let Ok(answer) = AuthenticationInformationAnswer::from_message(message) else {
            let result = message.result().map_or(HssResult::NoAnswer, failure_of);
            return self.refused_by_hss(id, imsi, stage, result, None);
        };
        if !answer.result.is_success() {
            let (result, diagnostic) = (result_of(answer.result), answer.error_diagnostic);
            return self.refused_by_hss(id, imsi, stage, result, diagnostic);
        }
        let Some(vector) = answer.vectors.into_iter().next() else {
            return self.refused_by_hss(id, imsi, stage, AUTHENTICATION_DATA_UNAVAILABLE, None);
        };
        let result = text(result_of(answer.result));
        self.event(Event::HssAnswered {
            imsi,
            request: "air",
            result,
        });
        if self.waits(id, imsi, stage) {
            self.challenge(id, vector);
        }
    }

    fn location_answered(&mut self, conn: ConnId, id: UeId, imsi: Imsi, message: &Message) {
        let stage = Stage::Location;
        let Ok(answer) = UpdateLocationAnswer::from_message(message) else {
            let result = message.result().map_or(HssResult::NoAnswer, failure_of);
            return self.refused_by_hss(id, imsi, stage, result, None);
        };
        if !answer.result.is_success() {
            let (result, diagnostic) = (result_of(answer.result), answer.error_diagnostic);
            return self.refused_by_hss(id, imsi, stage, result, diagnostic);
        }
        let result = text(result_of(answer.result));
        self.event(Event::HssAnswered {
            imsi,
            request: "ulr",
            result,
        });
        if !self.waits(id, imsi, stage) {
            return;
        }
        let peer = self.peers.get(&conn).cloned().unwrap_or_default();
        if let Some(ue) = self.ues.get_mut(&id) {
            let (host, realm) = (answer.origin_host, answer.origin_realm);
            ue.registration = Some(Registration { host, realm, peer });
            ue.unconfirmed = false;
            ue.subscription.clone_from(&answer.subscription);
        }
        let Some(subscription) = answer.subscription else {
            return self.refuse_by_table(id, stage, UNKNOWN_EPS_SUBSCRIPTION, None);
        };
        let barred = subscription.subscriber_status == Some(STATUS_BARRED)
            && subscription
                .odb
                .is_some_and(|o| o & ODB_ALL_PACKET_SERVICES != 0);
        if barred {
            self.refuse_by_table(id, stage, ROAMING_NOT_ALLOWED, Some(ODB_ALL_APN));
        } else if subscription
            .access_restriction
            .is_some_and(|a| a & EUTRAN_NOT_ALLOWED != 0)
        {
            self.refuse_by_table(id, stage, RAT_NOT_ALLOWED, None);
        } else if subscription.apn_profile.is_none() {
            self.refuse_by_table(id, stage, UNKNOWN_EPS_SUBSCRIPTION, None);
        } else {
            self.create_session(id, &subscription);
        }
    }

    /// Whether the UE still waits for this answer.
    pub(super) fn waits(&self, id: UeId, imsi: Imsi, stage: Stage) -> bool {
        let ue = self.ues.get(&id).filter(|ue| ue.imsi == Some(imsi));
        let step = ue.and_then(|ue| ue.attach()).map(|a| &a.step);
        match stage {
            Stage::Authentication => matches!(step, Some(Step::Vector)),
            Stage::Location => matches!(step, Some(Step::Locate)),
        }
    }

    fn refused_by_hss(
        &mut self,
        id: UeId,
        imsi: Imsi,
        stage: Stage,
        result: HssResult,
        diagnostic: Option<u32>,
    ) {
        let request = match stage {
            Stage::Authentication => "air",
            Stage::Location => "ulr",
        };
        self.event(Event::HssAnswered {
            imsi,
            request,
            result: text(result),
        });
        if self.waits(id, imsi, stage) {
            self.refuse_by_table(id, stage, result, diagnostic);
        }
    }

    fn refuse_by_table(
        &mut self,
        id: UeId,
        stage: Stage,
        result: HssResult,
        diagnostic: Option<u32>,
    ) {
        let refusal = self.config.results.refusal(stage, result, diagnostic);
        self.refuse(id, refusal);
    }
}

pub(super) const fn result_of(result: AnswerResult) -> HssResult {
    match result {
        AnswerResult::Base(code) => HssResult::Base(code.0),
        AnswerResult::Experimental { code, .. } => HssResult::Experimental(code),
    }
}

/// The result of an answer whose rest cannot be read: a success of that kind is none.
const fn failure_of(result: AnswerResult) -> HssResult {
    if result.is_success() {
        HssResult::NoAnswer
    } else {
        result_of(result)
    }
}

pub(super) fn text(result: HssResult) -> String {
    match result {
        HssResult::Base(code) => code.to_string(),
        HssResult::Experimental(code) => format!("exp:{code}"),
        HssResult::NoAnswer => "no_answer".to_string(),
    }
}
