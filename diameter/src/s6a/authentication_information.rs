use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::{Imsi, PlmnId};

use super::{
    AnswerBuilder, AnswerHead, EutranVector, RequestHead, SupportedFeatures, features,
    request_fields, route_record,
};
use crate::avp::Avp;
use crate::dictionary::{self as d, AvpDef};
use crate::fields::Fields;
use crate::message::{CommandCode, Message};
use crate::result::{AnswerError, AnswerResult};

/// Requested-EUTRAN-Authentication-Info or its UTRAN/GERAN sister, TS 29.272 §7.3.11 and §7.3.12.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedAuthenticationInfo {
    /// How many vectors; 1 when the AVP is absent.
    pub vectors: u32,
    /// The first one is needed at once: the HSS shall not wait for more.
    pub immediate_response_preferred: bool,
    /// Re-Synchronization-Info: RAND and AUTS.
    pub resync: Option<[u8; 30]>,
}

impl RequestedAuthenticationInfo {
    fn to_avp(&self, def: &AvpDef) -> Avp {
        let mut members = Vec::with_capacity(3);
        members.push(Avp::u32(&d::NUMBER_OF_REQUESTED_VECTORS, self.vectors));
        if self.immediate_response_preferred {
            // Presence is the message; the value means nothing (TS 29.272 §7.3.16).
            members.push(Avp::u32(&d::IMMEDIATE_RESPONSE_PREFERRED, 1));
        }
        members.extend(
            self.resync
                .map(|octets| Avp::octets(&d::RE_SYNCHRONIZATION_INFO, octets)),
        );
        Avp::group(def, &members)
    }

    fn read(f: &Fields<'_>) -> Result<Self, AnswerError> {
        let immediate: Option<u32> = f.optional(&d::IMMEDIATE_RESPONSE_PREFERRED)?;
        Ok(Self {
            vectors: f.optional(&d::NUMBER_OF_REQUESTED_VECTORS)?.unwrap_or(1),
            immediate_response_preferred: immediate.is_some(),
            resync: f.optional(&d::RE_SYNCHRONIZATION_INFO)?,
        })
    }
}

/// AIR, TS 29.272 §7.2.5: the MME asks for vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationInformationRequest {
    /// Session-Id.
    pub session_id: String,
    /// The MME.
    pub origin_host: String,
    /// Its realm.
    pub origin_realm: String,
    /// The HSS, once the MME knows it.
    pub destination_host: Option<String>,
    /// The realm of the HSS.
    pub destination_realm: String,
    /// User-Name.
    pub imsi: Imsi,
    /// The serving network, to which KASME is bound.
    pub visited_plmn: PlmnId,
    /// Vectors for E-UTRAN.
    pub requested_eutran: Option<RequestedAuthenticationInfo>,
    /// Vectors for UTRAN or GERAN.
    pub requested_utran: Option<RequestedAuthenticationInfo>,
    /// Supported-Features.
    pub supported_features: Vec<SupportedFeatures>,
    /// Route-Record: the agents on the way, the first one first.
    pub route_record: Vec<String>,
}

impl AuthenticationInformationRequest {
    /// The message, without its identifiers.
    pub fn to_message(&self) -> Message {
        let head = RequestHead {
            session_id: &self.session_id,
            origin_host: &self.origin_host,
            origin_realm: &self.origin_realm,
            destination_host: self.destination_host.as_deref(),
            destination_realm: &self.destination_realm,
            imsi: Some(&self.imsi),
        };
        let mut m = head.message(CommandCode::AUTHENTICATION_INFORMATION);
        m.avps.extend(features(&self.supported_features));
        let eutran = &d::REQUESTED_EUTRAN_AUTHENTICATION_INFO;
        let utran = &d::REQUESTED_UTRAN_GERAN_AUTHENTICATION_INFO;
        m.avps
            .extend(self.requested_eutran.as_ref().map(|r| r.to_avp(eutran)));
        m.avps
            .extend(self.requested_utran.as_ref().map(|r| r.to_avp(utran)));
        m.avps
            .push(Avp::octets(&d::VISITED_PLMN_ID, self.visited_plmn.octets()));
        m.avps.extend(route_record(&self.route_record));
        m
    }

    /// Reads the message.
    pub fn from_message(message: &Message) -> Result<Self, AnswerError> {
        let f = request_fields(message, CommandCode::AUTHENTICATION_INFORMATION)?;
        let info = RequestedAuthenticationInfo::read;
        Ok(Self {
            session_id: f.required(&d::SESSION_ID)?,
            origin_host: f.identity(&d::ORIGIN_HOST)?,
            origin_realm: f.identity(&d::ORIGIN_REALM)?,
            destination_host: f.optional_identity(&d::DESTINATION_HOST)?,
            destination_realm: f.identity(&d::DESTINATION_REALM)?,
            imsi: f.required(&d::USER_NAME)?,
            visited_plmn: f.required(&d::VISITED_PLMN_ID)?,
            requested_eutran: f.group(&d::REQUESTED_EUTRAN_AUTHENTICATION_INFO, info)?,
            requested_utran: f.group(&d::REQUESTED_UTRAN_GERAN_AUTHENTICATION_INFO, info)?,
            supported_features: f.groups(&d::SUPPORTED_FEATURES, SupportedFeatures::read)?,
            route_record: f.repeated(&d::ROUTE_RECORD)?,
        })
    }
}

/// AIA, TS 29.272 §7.2.6: vectors, or why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationInformationAnswer {
    /// Session-Id of the request.
    pub session_id: String,
    /// The result.
    pub result: AnswerResult,
    /// The HSS.
    pub origin_host: String,
    /// Its realm.
    pub origin_realm: String,
    /// Error-Diagnostic.
    pub error_diagnostic: Option<u32>,
    /// The vectors for E-UTRAN, in the order of the message.
    pub vectors: Vec<EutranVector>,
    /// Supported-Features.
    pub supported_features: Vec<SupportedFeatures>,
    /// What Failed-AVP holds.
    pub failed_avp: Vec<Avp>,
}

impl AuthenticationInformationAnswer {
    /// The message, without its identifiers.
    pub fn to_message(&self) -> Message {
        let mut m = AnswerBuilder::new(
            CommandCode::AUTHENTICATION_INFORMATION,
            &self.session_id,
            self.result,
            self.error_diagnostic,
            (&self.origin_host, &self.origin_realm),
        );
        m.push(features(&self.supported_features));
        if !self.vectors.is_empty() {
            let vectors: Vec<Avp> = self.vectors.iter().map(EutranVector::to_avp).collect();
            m.push([Avp::group(&d::AUTHENTICATION_INFO, &vectors)]);
        }
        m.finish(&self.failed_avp)
    }

    /// Reads the message.
    pub fn from_message(message: &Message) -> Result<Self, AnswerError> {
        let (head, f) = AnswerHead::read(message, CommandCode::AUTHENTICATION_INFORMATION)?;
        let vectors = f.group(&d::AUTHENTICATION_INFO, |info| {
            info.groups(&d::E_UTRAN_VECTOR, EutranVector::read)
        })?;
        Ok(Self {
            session_id: head.session_id,
            result: head.result,
            origin_host: head.origin_host,
            origin_realm: head.origin_realm,
            error_diagnostic: f.optional(&d::ERROR_DIAGNOSTIC)?,
            vectors: vectors.unwrap_or_default(),
            supported_features: f.groups(&d::SUPPORTED_FEATURES, SupportedFeatures::read)?,
            failed_avp: head.failed_avp,
        })
    }
}
