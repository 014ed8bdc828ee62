use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::Imsi;

use super::{
    AnswerBuilder, AnswerHead, RequestHead, SupportedFeatures, features, request_fields,
    route_record,
};
use crate::avp::Avp;
use crate::dictionary as d;
use crate::message::{CommandCode, Message};
use crate::result::{AnswerError, AnswerResult};

/// PUR, TS 29.272 §7.2.13: the MME has forgotten the UE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeUeRequest {
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
    /// PUR-Flags.
    pub pur_flags: Option<u32>,
    /// Supported-Features.
    pub supported_features: Vec<SupportedFeatures>,
    /// Route-Record: the agents on the way, the first one first.
    pub route_record: Vec<String>,
}

impl PurgeUeRequest {
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
        let mut m = head.message(CommandCode::PURGE_UE);
        m.avps
            .extend(self.pur_flags.map(|n| Avp::u32(&d::PUR_FLAGS, n)));
        m.avps.extend(features(&self.supported_features));
        m.avps.extend(route_record(&self.route_record));
        m
    }

    /// Reads the message.
    pub fn from_message(message: &Message) -> Result<Self, AnswerError> {
        let f = request_fields(message, CommandCode::PURGE_UE)?;
        Ok(Self {
            session_id: f.required(&d::SESSION_ID)?,
            origin_host: f.identity(&d::ORIGIN_HOST)?,
            origin_realm: f.identity(&d::ORIGIN_REALM)?,
            destination_host: f.optional_identity(&d::DESTINATION_HOST)?,
            destination_realm: f.identity(&d::DESTINATION_REALM)?,
            imsi: f.required(&d::USER_NAME)?,
            pur_flags: f.optional(&d::PUR_FLAGS)?,
            supported_features: f.groups(&d::SUPPORTED_FEATURES, SupportedFeatures::read)?,
            route_record: f.repeated(&d::ROUTE_RECORD)?,
        })
    }
}

/// PUA, TS 29.272 §7.2.14.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeUeAnswer {
    /// Session-Id of the request.
    pub session_id: String,
    /// The result.
    pub result: AnswerResult,
    /// The HSS.
    pub origin_host: String,
    /// Its realm.
    pub origin_realm: String,
    /// PUA-Flags, see [`pua_flags`](super::pua_flags).
    pub pua_flags: Option<u32>,
    /// Supported-Features.
    pub supported_features: Vec<SupportedFeatures>,
    /// What Failed-AVP holds.
    pub failed_avp: Vec<Avp>,
}

impl PurgeUeAnswer {
    /// The message, without its identifiers.
    pub fn to_message(&self) -> Message {
        let mut m = AnswerBuilder::new(
            CommandCode::PURGE_UE,
            &self.session_id,
            self.result,
            None,
            (&self.origin_host, &self.origin_realm),
        );
        m.push(features(&self.supported_features));
        m.push(self.pua_flags.map(|n| Avp::u32(&d::PUA_FLAGS, n)));
        m.finish(&self.failed_avp)
    }

    /// Reads the message.
    pub fn from_message(message: &Message) -> Result<Self, AnswerError> {
        let (head, f) = AnswerHead::read(message, CommandCode::PURGE_UE)?;
        Ok(Self {
            session_id: head.session_id,
            result: head.result,
            origin_host: head.origin_host,
            origin_realm: head.origin_realm,
            pua_flags: f.optional(&d::PUA_FLAGS)?,
            supported_features: f.groups(&d::SUPPORTED_FEATURES, SupportedFeatures::read)?,
            failed_avp: head.failed_avp,
        })
    }
}
