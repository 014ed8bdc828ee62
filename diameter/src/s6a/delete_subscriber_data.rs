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

/// DSR, TS 29.272 §7.2.11: parts of a subscription are withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteSubscriberDataRequest {
    /// Session-Id.
    pub session_id: String,
    /// The HSS.
    pub origin_host: String,
    /// Its realm.
    pub origin_realm: String,
    /// The registered MME.
    pub destination_host: String,
    /// Its realm.
    pub destination_realm: String,
    /// User-Name.
    pub imsi: Imsi,
    /// What is withdrawn, see [`dsr_flags`](super::dsr_flags).
    pub dsr_flags: u32,
    /// Context-Identifier of each APN that is withdrawn.
    pub contexts: Vec<u32>,
    /// Supported-Features.
    pub supported_features: Vec<SupportedFeatures>,
    /// Route-Record: the agents on the way, the first one first.
    pub route_record: Vec<String>,
}

impl DeleteSubscriberDataRequest {
    /// The message, without its identifiers.
    pub fn to_message(&self) -> Message {
        let head = RequestHead {
            session_id: &self.session_id,
            origin_host: &self.origin_host,
            origin_realm: &self.origin_realm,
            destination_host: Some(&self.destination_host),
            destination_realm: &self.destination_realm,
            imsi: Some(&self.imsi),
        };
        let mut m = head.message(CommandCode::DELETE_SUBSCRIBER_DATA);
        m.avps.extend(features(&self.supported_features));
        m.avps.push(Avp::u32(&d::DSR_FLAGS, self.dsr_flags));
        let contexts = self.contexts.iter();
        m.avps
            .extend(contexts.map(|n| Avp::u32(&d::CONTEXT_IDENTIFIER, *n)));
        m.avps.extend(route_record(&self.route_record));
        m
    }

    /// Reads the message.
    pub fn from_message(message: &Message) -> Result<Self, AnswerError> {
        let f = request_fields(message, CommandCode::DELETE_SUBSCRIBER_DATA)?;
        Ok(Self {
            session_id: f.required(&d::SESSION_ID)?,
            origin_host: f.identity(&d::ORIGIN_HOST)?,
            origin_realm: f.identity(&d::ORIGIN_REALM)?,
            destination_host: f.identity(&d::DESTINATION_HOST)?,
            destination_realm: f.identity(&d::DESTINATION_REALM)?,
            imsi: f.required(&d::USER_NAME)?,
            dsr_flags: f.required(&d::DSR_FLAGS)?,
            contexts: f.repeated(&d::CONTEXT_IDENTIFIER)?,
            supported_features: f.groups(&d::SUPPORTED_FEATURES, SupportedFeatures::read)?,
            route_record: f.repeated(&d::ROUTE_RECORD)?,
        })
    }
}

/// DSA, TS 29.272 §7.2.12.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteSubscriberDataAnswer {
    /// Session-Id of the request.
    pub session_id: String,
    /// The result.
    pub result: AnswerResult,
    /// The MME.
    pub origin_host: String,
    /// Its realm.
    pub origin_realm: String,
    /// DSA-Flags: bit 0, the whole area of the node is restricted (TS 29.272 §7.3.26).
    pub dsa_flags: Option<u32>,
    /// Supported-Features.
    pub supported_features: Vec<SupportedFeatures>,
    /// What Failed-AVP holds.
    pub failed_avp: Vec<Avp>,
}

impl DeleteSubscriberDataAnswer {
    /// The message, without its identifiers.
    pub fn to_message(&self) -> Message {
        let mut m = AnswerBuilder::new(
            CommandCode::DELETE_SUBSCRIBER_DATA,
            &self.session_id,
            self.result,
            None,
            (&self.origin_host, &self.origin_realm),
        );
        m.push(features(&self.supported_features));
        m.push(self.dsa_flags.map(|n| Avp::u32(&d::DSA_FLAGS, n)));
        m.finish(&self.failed_avp)
    }

    /// Reads the message.
    pub fn from_message(message: &Message) -> Result<Self, AnswerError> {
        let (head, f) = AnswerHead::read(message, CommandCode::DELETE_SUBSCRIBER_DATA)?;
        Ok(Self {
            session_id: head.session_id,
            result: head.result,
            origin_host: head.origin_host,
            origin_realm: head.origin_realm,
            dsa_flags: f.optional(&d::DSA_FLAGS)?,
            supported_features: f.groups(&d::SUPPORTED_FEATURES, SupportedFeatures::read)?,
            failed_avp: head.failed_avp,
        })
    }
}
