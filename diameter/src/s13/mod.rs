//! S13, between MME and equipment identity register: TS 29.272 §7.2.19 and §7.2.20.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use heiiki_types::Imsi;

use crate::avp::Avp;
use crate::dictionary as d;
use crate::message::{CommandCode, Message, codes};
use crate::result::{AnswerError, AnswerResult};
use crate::s6a::{AnswerBuilder, AnswerHead, RequestHead, Terminal, request_fields, route_record};

pub use crate::s6a::EQUIPMENT_UNKNOWN;

/// The commands of S13; an endpoint answers any other with 3001.
pub const COMMANDS: [CommandCode; 1] = [CommandCode::ME_IDENTITY_CHECK];

/// Equipment-Status, TS 29.272 §7.3.51.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EquipmentStatus(pub u32);

codes! { EquipmentStatus;
    /// The equipment may be used.
    WHITE = 0, "WHITELISTED";
    /// The equipment must not be used.
    BLACK = 1, "BLACKLISTED";
    /// The equipment may be used and is watched.
    GREY = 2, "GREYLISTED";
}

/// ECR, TS 29.272 §7.2.19: may this equipment be used?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityCheckRequest {
    /// Session-Id.
    pub session_id: String,
    /// The MME.
    pub origin_host: String,
    /// Its realm.
    pub origin_realm: String,
    /// The register, once the MME knows it.
    pub destination_host: Option<String>,
    /// The realm of the register.
    pub destination_realm: String,
    /// The equipment.
    pub terminal: Terminal,
    /// User-Name: the SIM in it.
    pub imsi: Option<Imsi>,
    /// Route-Record: the agents on the way, the first one first.
    pub route_record: Vec<String>,
}

impl IdentityCheckRequest {
    /// The message, without its identifiers. Terminal-Information is there even when it is empty:
    /// the register has a rule for equipment that does not tell who it is.
    pub fn to_message(&self) -> Message {
        let head = RequestHead {
            session_id: &self.session_id,
            origin_host: &self.origin_host,
            origin_realm: &self.origin_realm,
            destination_host: self.destination_host.as_deref(),
            destination_realm: &self.destination_realm,
            imsi: None,
        };
        let mut m = head.message(CommandCode::ME_IDENTITY_CHECK);
        let empty = || Avp::group(&d::TERMINAL_INFORMATION, &[]);
        m.avps.push(self.terminal.to_avp().unwrap_or_else(empty));
        let imsi = self.imsi.as_ref();
        m.avps
            .extend(imsi.map(|imsi| Avp::display(&d::USER_NAME, imsi)));
        m.avps.extend(route_record(&self.route_record));
        m
    }

    /// Reads the message.
    pub fn from_message(message: &Message) -> Result<Self, AnswerError> {
        let f = request_fields(message, CommandCode::ME_IDENTITY_CHECK)?;
        let terminal = f
            .group(&d::TERMINAL_INFORMATION, Terminal::read)?
            .ok_or_else(|| AnswerError::missing(&d::TERMINAL_INFORMATION))?;
        Ok(Self {
            session_id: f.required(&d::SESSION_ID)?,
            origin_host: f.identity(&d::ORIGIN_HOST)?,
            origin_realm: f.identity(&d::ORIGIN_REALM)?,
            destination_host: f.optional_identity(&d::DESTINATION_HOST)?,
            destination_realm: f.identity(&d::DESTINATION_REALM)?,
            terminal,
            imsi: f.optional(&d::USER_NAME)?,
            route_record: f.repeated(&d::ROUTE_RECORD)?,
        })
    }
}

/// ECA, TS 29.272 §7.2.20.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityCheckAnswer {
    /// Session-Id of the request.
    pub session_id: String,
    /// The result.
    pub result: AnswerResult,
    /// The register.
    pub origin_host: String,
    /// Its realm.
    pub origin_realm: String,
    /// What may be done with the equipment; absent when the result is no success.
    pub status: Option<EquipmentStatus>,
    /// What Failed-AVP holds.
    pub failed_avp: Vec<Avp>,
}

impl IdentityCheckAnswer {
    /// The message, without its identifiers.
    pub fn to_message(&self) -> Message {
        let mut m = AnswerBuilder::new(
            CommandCode::ME_IDENTITY_CHECK,
            &self.session_id,
            self.result,
            None,
            (&self.origin_host, &self.origin_realm),
        );
        m.push(self.status.map(|s| Avp::u32(&d::EQUIPMENT_STATUS, s.0)));
        m.finish(&self.failed_avp)
    }

    /// Reads the message.
    pub fn from_message(message: &Message) -> Result<Self, AnswerError> {
        let (head, f) = AnswerHead::read(message, CommandCode::ME_IDENTITY_CHECK)?;
        Ok(Self {
            session_id: head.session_id,
            result: head.result,
            origin_host: head.origin_host,
            origin_realm: head.origin_realm,
            status: f.optional(&d::EQUIPMENT_STATUS)?.map(EquipmentStatus),
            failed_avp: head.failed_avp,
        })
    }
}

#[cfg(test)]
mod tests;
