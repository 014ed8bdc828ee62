use alloc::string::String;

use crate::avp::Avp;
use crate::dictionary as d;
use crate::fields::Fields;
use crate::message::{ApplicationId, CommandCode, Flags, Message};
use crate::result::{AnswerError, AnswerResult};

/// Why a connection is taken down, RFC 6733 §5.4.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DisconnectCause(pub u32);

impl DisconnectCause {
    /// The node restarts; come back later.
    pub const REBOOTING: Self = Self(0);
    /// The node is short of resources.
    pub const BUSY: Self = Self(1);
    /// The node expects no messages for the peer.
    pub const DO_NOT_WANT_TO_TALK_TO_YOU: Self = Self(2);
}

/// DPR, RFC 6733 §5.4.1: this connection is about to be closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisconnectPeerRequest {
    /// Who asks.
    pub origin_host: String,
    /// Its realm.
    pub origin_realm: String,
    /// Why.
    pub cause: DisconnectCause,
}

/// DPA, RFC 6733 §5.4.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisconnectPeerAnswer {
    /// Success.
    pub result: AnswerResult,
    /// Who answers.
    pub origin_host: String,
    /// Its realm.
    pub origin_realm: String,
}

impl DisconnectPeerRequest {
    /// The message, without its identifiers.
    pub fn to_message(&self) -> Message {
        let flags = Flags {
            request: true,
            ..Flags::default()
        };
        let mut m = Message::new(CommandCode::DISCONNECT_PEER, ApplicationId::BASE, flags);
        m.avps.extend([
            Avp::text(&d::ORIGIN_HOST, &self.origin_host),
            Avp::text(&d::ORIGIN_REALM, &self.origin_realm),
            Avp::u32(&d::DISCONNECT_CAUSE, self.cause.0),
        ]);
        m
    }

    /// Reads the message.
    pub fn from_message(message: &Message) -> Result<Self, AnswerError> {
        d::check(message)?;
        let f = Fields::of(message);
        Ok(Self {
            origin_host: f.identity(&d::ORIGIN_HOST)?,
            origin_realm: f.identity(&d::ORIGIN_REALM)?,
            cause: DisconnectCause(f.required(&d::DISCONNECT_CAUSE)?),
        })
    }
}

impl DisconnectPeerAnswer {
    /// The message, without its identifiers.
    pub fn to_message(&self) -> Message {
        let flags = Flags::default();
        let mut m = Message::new(CommandCode::DISCONNECT_PEER, ApplicationId::BASE, flags);
        m.avps.extend([
            self.result.to_avp(),
            Avp::text(&d::ORIGIN_HOST, &self.origin_host),
            Avp::text(&d::ORIGIN_REALM, &self.origin_realm),
        ]);
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
        })
    }
}
