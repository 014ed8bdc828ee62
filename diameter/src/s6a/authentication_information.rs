use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::{Imsi, PlmnId};

use super::{
    AnswerHead, EutranVector, NO_STATE_MAINTAINED, RequestHead, SupportedFeatures, checked_fields,
    features, request_fields, route_record,
};
use crate::avp::{Avp, AvpRef, Avps, encode_all, put, put_group};
use crate::dictionary::{self as d, AvpDef, VENDOR_3GPP};
use crate::fields::Fields;
use crate::message::{ApplicationId, CommandCode, Flags, Message};
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

/// AIR, TS 29.272 §7.2.5: the MME asks for vectors. `T` is a text: a [`String`], or one that lies in
/// a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationInformationRequest<T = String> {
    /// Session-Id.
    pub session_id: T,
    /// The MME.
    pub origin_host: T,
    /// Its realm.
    pub origin_realm: T,
    /// The HSS, once the MME knows it.
    pub destination_host: Option<T>,
    /// The realm of the HSS.
    pub destination_realm: T,
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
        request_fields(message, CommandCode::AUTHENTICATION_INFORMATION)
            .and_then(|f| Self::read(&f))
    }

    /// The same request with its texts borrowed.
    pub fn borrowed(&self) -> AuthenticationInformationRequest<&str> {
        AuthenticationInformationRequest {
            session_id: &self.session_id,
            origin_host: &self.origin_host,
            origin_realm: &self.origin_realm,
            destination_host: self.destination_host.as_deref(),
            destination_realm: &self.destination_realm,
            imsi: self.imsi,
            visited_plmn: self.visited_plmn,
            requested_eutran: self.requested_eutran.clone(),
            requested_utran: self.requested_utran.clone(),
            supported_features: self.supported_features.clone(),
            route_record: self.route_record.clone(),
        }
    }
}

impl<'a> AuthenticationInformationRequest<&'a str> {
    /// Reads a message that an [`Endpoint`](crate::Endpoint) gave out, which has checked its AVPs,
    /// without copying its texts.
    pub fn from_checked(message: &'a Message) -> Result<Self, AnswerError> {
        checked_fields(message, CommandCode::AUTHENTICATION_INFORMATION)
            .and_then(|f| Self::read(&f))
    }

    /// The same request with texts of its own.
    pub fn owned(&self) -> AuthenticationInformationRequest {
        AuthenticationInformationRequest {
            session_id: self.session_id.into(),
            origin_host: self.origin_host.into(),
            origin_realm: self.origin_realm.into(),
            destination_host: self.destination_host.map(String::from),
            destination_realm: self.destination_realm.into(),
            imsi: self.imsi,
            visited_plmn: self.visited_plmn,
            requested_eutran: self.requested_eutran.clone(),
            requested_utran: self.requested_utran.clone(),
            supported_features: self.supported_features.clone(),
            route_record: self.route_record.clone(),
        }
    }
}

impl<'a, T: From<&'a str>> AuthenticationInformationRequest<T> {
    fn read(f: &Fields<'a>) -> Result<Self, AnswerError> {
        let info = RequestedAuthenticationInfo::read;
        Ok(Self {
            session_id: f.text(&d::SESSION_ID)?,
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

/// AIA, TS 29.272 §7.2.6: vectors, or why not. `T` is a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationInformationAnswer<T = String> {
    /// Session-Id of the request.
    pub session_id: T,
    /// The result.
    pub result: AnswerResult,
    /// The HSS.
    pub origin_host: T,
    /// Its realm.
    pub origin_realm: T,
    /// Error-Diagnostic.
    pub error_diagnostic: Option<u32>,
    /// The vectors for E-UTRAN, in the order of the message.
    pub vectors: Vec<EutranVector>,
    /// Supported-Features.
    pub supported_features: Vec<SupportedFeatures>,
    /// What Failed-AVP holds.
    pub failed_avp: Vec<Avp>,
}

impl<T: AsRef<str>> AuthenticationInformationAnswer<T> {
    /// Whether the answer reports a protocol error, and so has the E bit.
    pub fn is_error(&self) -> bool {
        matches!(self.result, AnswerResult::Base(code) if code.is_protocol_error())
    }

    /// Appends the AVPs of the message.
    pub fn write(&self, out: &mut Vec<u8>) {
        put(out, &d::SESSION_ID, self.session_id.as_ref().as_bytes());
        put_group(out, &d::VENDOR_SPECIFIC_APPLICATION_ID, |out| {
            put(out, &d::VENDOR_ID, &VENDOR_3GPP.to_be_bytes());
            put(
                out,
                &d::AUTH_APPLICATION_ID,
                &ApplicationId::S6A.0.to_be_bytes(),
            );
        });
        self.result.write(out);
        if let Some(diagnostic) = self.error_diagnostic {
            put(out, &d::ERROR_DIAGNOSTIC, &diagnostic.to_be_bytes());
        }
        put(
            out,
            &d::AUTH_SESSION_STATE,
            &NO_STATE_MAINTAINED.to_be_bytes(),
        );
        put(out, &d::ORIGIN_HOST, self.origin_host.as_ref().as_bytes());
        put(out, &d::ORIGIN_REALM, self.origin_realm.as_ref().as_bytes());
        features(&self.supported_features).for_each(|avp| avp.encode(out));
        if !self.vectors.is_empty() {
            put_group(out, &d::AUTHENTICATION_INFO, |out| {
                self.vectors.iter().for_each(|vector| vector.write(out));
            });
        }
        if !self.failed_avp.is_empty() {
            put_group(out, &d::FAILED_AVP, |out| encode_all(&self.failed_avp, out));
        }
    }

    /// The message, without its identifiers.
    pub fn to_message(&self) -> Message {
        let command = CommandCode::AUTHENTICATION_INFORMATION;
        let flags = Flags {
            proxiable: true,
            error: self.is_error(),
            ..Flags::default()
        };
        let mut octets = Vec::new();
        self.write(&mut octets);
        let mut message = Message::new(command, ApplicationId::S6A, flags);
        let avps = Avps::new(&octets, 0).flatten();
        message.avps.extend(avps.map(AvpRef::to_owned));
        message
    }
}

impl AuthenticationInformationAnswer {
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
