use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::Imsi;

use super::{
    AnswerBuilder, AnswerHead, PgwIdentity, RequestHead, ServiceSelection, SupportedFeatures,
    Terminal, features, request_fields, route_record,
};
use crate::avp::Avp;
use crate::dictionary as d;
use crate::message::{CommandCode, Message};
use crate::result::{AnswerError, AnswerResult};

/// NOR, TS 29.272 §7.2.17: the MME tells what it knows of a UE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyRequest {
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
    /// The equipment, when it has changed.
    pub terminal: Terminal,
    /// The gateway that was chosen for an APN.
    pub pgw: Option<PgwIdentity>,
    /// Context-Identifier of that APN.
    pub context: Option<u32>,
    /// That APN.
    pub apn: Option<ServiceSelection>,
    /// Why the UE can be reached, see [`alert_reason`](super::alert_reason).
    pub alert_reason: Option<u32>,
    /// UE-SRVCC-Capability.
    pub ue_srvcc_capability: Option<u32>,
    /// NOR-Flags, see [`nor_flags`](super::nor_flags).
    pub nor_flags: Option<u32>,
    /// Supported-Features.
    pub supported_features: Vec<SupportedFeatures>,
    /// Route-Record: the agents on the way, the first one first.
    pub route_record: Vec<String>,
}

impl NotifyRequest {
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
        let number = |def: &d::AvpDef, n: Option<u32>| n.map(|n| Avp::u32(def, n));
        let mut m = head.message(CommandCode::NOTIFY);
        m.avps.extend(features(&self.supported_features));
        m.avps.extend(self.terminal.to_avp());
        m.avps.extend(self.pgw.as_ref().map(PgwIdentity::to_avp));
        m.avps.extend(number(&d::CONTEXT_IDENTIFIER, self.context));
        let apn = self.apn.as_ref();
        m.avps
            .extend(apn.map(|apn| Avp::display(&d::SERVICE_SELECTION, apn)));
        m.avps.extend(number(&d::ALERT_REASON, self.alert_reason));
        m.avps
            .extend(number(&d::UE_SRVCC_CAPABILITY, self.ue_srvcc_capability));
        m.avps.extend(number(&d::NOR_FLAGS, self.nor_flags));
        m.avps.extend(route_record(&self.route_record));
        m
    }

    /// Reads the message.
    pub fn from_message(message: &Message) -> Result<Self, AnswerError> {
        let f = request_fields(message, CommandCode::NOTIFY)?;
        let terminal = f.group(&d::TERMINAL_INFORMATION, Terminal::read)?;
        Ok(Self {
            session_id: f.required(&d::SESSION_ID)?,
            origin_host: f.identity(&d::ORIGIN_HOST)?,
            origin_realm: f.identity(&d::ORIGIN_REALM)?,
            destination_host: f.optional_identity(&d::DESTINATION_HOST)?,
            destination_realm: f.identity(&d::DESTINATION_REALM)?,
            imsi: f.required(&d::USER_NAME)?,
            terminal: terminal.unwrap_or_default(),
            pgw: f.group(&d::MIP6_AGENT_INFO, PgwIdentity::read)?,
            context: f.optional(&d::CONTEXT_IDENTIFIER)?,
            apn: f.optional(&d::SERVICE_SELECTION)?,
            alert_reason: f.optional(&d::ALERT_REASON)?,
            ue_srvcc_capability: f.optional(&d::UE_SRVCC_CAPABILITY)?,
            nor_flags: f.optional(&d::NOR_FLAGS)?,
            supported_features: f.groups(&d::SUPPORTED_FEATURES, SupportedFeatures::read)?,
            route_record: f.repeated(&d::ROUTE_RECORD)?,
        })
    }
}

/// NOA, TS 29.272 §7.2.18.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyAnswer {
    /// Session-Id of the request.
    pub session_id: String,
    /// The result.
    pub result: AnswerResult,
    /// The HSS.
    pub origin_host: String,
    /// Its realm.
    pub origin_realm: String,
    /// Supported-Features.
    pub supported_features: Vec<SupportedFeatures>,
    /// What Failed-AVP holds.
    pub failed_avp: Vec<Avp>,
}

impl NotifyAnswer {
    /// The message, without its identifiers.
    pub fn to_message(&self) -> Message {
        let mut m = AnswerBuilder::new(
            CommandCode::NOTIFY,
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
        let (head, f) = AnswerHead::read(message, CommandCode::NOTIFY)?;
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
