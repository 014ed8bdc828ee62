use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use heiiki_types::Imsi;

use super::{
    AnswerBuilder, AnswerHead, RequestHead, SupportedFeatures, features, request_fields,
    route_record,
};
use crate::avp::{Avp, AvpRef};
use crate::dictionary as d;
use crate::fields::{Fault, Value};
use crate::message::{CommandCode, Message};
use crate::result::{AnswerError, AnswerResult};

/// User-Id, TS 29.272 §7.3.50: the leading digits of some subscribers' IMSIs, 1 to 15 of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(String);

/// The text is not 1 to 15 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUserId;

impl fmt::Display for InvalidUserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the leading digits of an IMSI are 1 to 15 digits")
    }
}

impl core::error::Error for InvalidUserId {}

impl UserId {
    /// Whether the IMSI begins with these digits.
    pub fn covers(&self, imsi: &Imsi) -> bool {
        let mut digits = imsi.digits().map(|digit| b'0' + digit);
        self.0.bytes().all(|want| digits.next() == Some(want))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserId {
    type Err = InvalidUserId;

    fn from_str(text: &str) -> Result<Self, InvalidUserId> {
        let good = (1..=15).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit());
        good.then(|| Self(String::from(text))).ok_or(InvalidUserId)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Value for UserId {
    fn read(avp: AvpRef<'_>) -> Result<Self, Fault> {
        avp.as_str()
            .and_then(|t| t.parse().ok())
            .ok_or(Fault::Value)
    }
}

/// RSR, TS 29.272 §7.2.15: the HSS has lost what it knew of some registrations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResetRequest {
    /// Session-Id.
    pub session_id: String,
    /// The HSS.
    pub origin_host: String,
    /// Its realm.
    pub origin_realm: String,
    /// The MME.
    pub destination_host: String,
    /// Its realm.
    pub destination_realm: String,
    /// Whose registrations; everybody's when empty.
    pub user_ids: Vec<UserId>,
    /// Supported-Features.
    pub supported_features: Vec<SupportedFeatures>,
    /// Route-Record: the agents on the way, the first one first.
    pub route_record: Vec<String>,
}

impl ResetRequest {
    /// Whether the request is about this subscriber.
    pub fn covers(&self, imsi: &Imsi) -> bool {
        self.user_ids.is_empty() || self.user_ids.iter().any(|id| id.covers(imsi))
    }

    /// The message, without its identifiers.
    pub fn to_message(&self) -> Message {
        let head = RequestHead {
            session_id: &self.session_id,
            origin_host: &self.origin_host,
            origin_realm: &self.origin_realm,
            destination_host: Some(&self.destination_host),
            destination_realm: &self.destination_realm,
            imsi: None,
        };
        let mut m = head.message(CommandCode::RESET);
        m.avps.extend(features(&self.supported_features));
        let ids = self.user_ids.iter();
        m.avps.extend(ids.map(|id| Avp::text(&d::USER_ID, &id.0)));
        m.avps.extend(route_record(&self.route_record));
        m
    }

    /// Reads the message. A User-Id that is no number would, if it were passed over, make the
    /// request one about everybody: it is an error although the AVP lacks the M bit.
    pub fn from_message(message: &Message) -> Result<Self, AnswerError> {
        let f = request_fields(message, CommandCode::RESET)?;
        Ok(Self {
            session_id: f.required(&d::SESSION_ID)?,
            origin_host: f.identity(&d::ORIGIN_HOST)?,
            origin_realm: f.identity(&d::ORIGIN_REALM)?,
            destination_host: f.identity(&d::DESTINATION_HOST)?,
            destination_realm: f.identity(&d::DESTINATION_REALM)?,
            user_ids: f.repeated(&d::USER_ID)?,
            supported_features: f.groups(&d::SUPPORTED_FEATURES, SupportedFeatures::read)?,
            route_record: f.repeated(&d::ROUTE_RECORD)?,
        })
    }
}

/// RSA, TS 29.272 §7.2.16.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResetAnswer {
    /// Session-Id of the request.
    pub session_id: String,
    /// The result.
    pub result: AnswerResult,
    /// The MME.
    pub origin_host: String,
    /// Its realm.
    pub origin_realm: String,
    /// Supported-Features.
    pub supported_features: Vec<SupportedFeatures>,
    /// What Failed-AVP holds.
    pub failed_avp: Vec<Avp>,
}

impl ResetAnswer {
    /// The message, without its identifiers.
    pub fn to_message(&self) -> Message {
        let mut m = AnswerBuilder::new(
            CommandCode::RESET,
            &self.session_id,
            self.result,
            None,
            (&self.origin_host, &self.origin_realm),
        );
        m.push(features(&self.supported_features));
        m.finish(&self.failed_avp)
    }

    /// Reads the message.
    pub fn from_message(message: &Message) -> Result<Self, AnswerError> {
        let (head, f) = AnswerHead::read(message, CommandCode::RESET)?;
        Ok(Self {
            session_id: head.session_id,
            result: head.result,
            origin_host: head.origin_host,
            origin_realm: head.origin_realm,
            supported_features: f.groups(&d::SUPPORTED_FEATURES, SupportedFeatures::read)?,
            failed_avp: head.failed_avp,
        })
    }
}
