use alloc::string::String;

use crate::avp::Avp;
use crate::dictionary as d;
use crate::fields::Fields;
use crate::message::{ApplicationId, CommandCode, Flags, Message};
use crate::result::{AnswerError, AnswerResult};

/// DWR, RFC 6733 §5.5.1: are you there?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceWatchdogRequest {
    /// Who asks.
    pub origin_host: String,
    /// Its realm.
    pub origin_realm: String,
    /// Rises when the state of the node was lost.
    pub origin_state_id: Option<u32>,
}

/// DWA, RFC 6733 §5.5.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceWatchdogAnswer {
    /// Success, always, from a node that can answer.
    pub result: AnswerResult,
    /// Who answers.
    pub origin_host: String,
    /// Its realm.
    pub origin_realm: String,
    /// Rises when the state of the node was lost.
    pub origin_state_id: Option<u32>,
}

fn origin(host: &str, realm: &str, state: Option<u32>) -> impl Iterator<Item = Avp> {
    [
        Avp::text(&d::ORIGIN_HOST, host),
        Avp::text(&d::ORIGIN_REALM, realm),
    ]
    .into_iter()
    .chain(state.map(|s| Avp::u32(&d::ORIGIN_STATE_ID, s)))
}

impl DeviceWatchdogRequest {
    /// The message, without its identifiers.
    pub fn to_message(&self) -> Message {
        let flags = Flags {
            request: true,
            ..Flags::default()
        };
        let mut m = Message::new(CommandCode::DEVICE_WATCHDOG, ApplicationId::BASE, flags);
        m.avps.extend(origin(
            &self.origin_host,
            &self.origin_realm,
            self.origin_state_id,
        ));
        m
    }

    /// Reads the message.
    pub fn from_message(message: &Message) -> Result<Self, AnswerError> {
        d::check(message)?;
        let f = Fields::of(message);
        Ok(Self {
            origin_host: f.identity(&d::ORIGIN_HOST)?,
            origin_realm: f.identity(&d::ORIGIN_REALM)?,
            origin_state_id: f.optional(&d::ORIGIN_STATE_ID)?,
        })
    }
}

impl DeviceWatchdogAnswer {
    /// The message, without its identifiers.
    pub fn to_message(&self) -> Message {
        let flags = Flags::default();
        let mut m = Message::new(CommandCode::DEVICE_WATCHDOG, ApplicationId::BASE, flags);
        m.avps.push(self.result.to_avp());
        m.avps.extend(origin(
            &self.origin_host,
            &self.origin_realm,
            self.origin_state_id,
        ));
        m
    }

    /// Reads the message.
    pub fn from_message(message: &Message) -> Result<Self, AnswerError> {
        let f = Fields::of(message);
        Ok(Self {
            result: message
                .result()
                .ok_or_else(|| AnswerError::missing(&d::RESULT_CODE))?,
            origin_host: f.identity(&d::ORIGIN_HOST)?,
            origin_realm: f.identity(&d::ORIGIN_REALM)?,
            origin_state_id: f.optional(&d::ORIGIN_STATE_ID)?,
        })
    }
}
