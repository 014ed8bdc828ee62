use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::{Imei, Imsi, PlmnId};

use super::{
    AnswerBuilder, AnswerHead, PgwIdentity, RequestHead, ServiceSelection, SubscriptionData,
    SupportedFeatures, Terminal, features, request_fields, route_record,
};
use crate::avp::Avp;
use crate::dictionary as d;
use crate::fields::Fields;
use crate::message::{CommandCode, Message};
use crate::result::{AnswerError, AnswerResult};

/// Active-APN, TS 29.272 §7.3.127: a PDN connection that the UE has while the MME registers anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveApn {
    /// Context-Identifier of the APN.
    pub context: u32,
    /// The APN, when the context is the wildcard's.
    pub apn: Option<ServiceSelection>,
    /// Its gateway.
    pub pgw: Option<PgwIdentity>,
}

impl ActiveApn {
    fn to_avp(&self) -> Avp {
        let mut members = Vec::with_capacity(3);
        members.push(Avp::u32(&d::CONTEXT_IDENTIFIER, self.context));
        let apn = self.apn.as_ref();
        members.extend(apn.map(|apn| Avp::display(&d::SERVICE_SELECTION, apn)));
        members.extend(self.pgw.as_ref().map(PgwIdentity::to_avp));
        Avp::group(&d::ACTIVE_APN, &members)
    }

    fn read(f: &Fields<'_>) -> Result<Self, AnswerError> {
        Ok(Self {
            context: f.required(&d::CONTEXT_IDENTIFIER)?,
            apn: f.optional(&d::SERVICE_SELECTION)?,
            pgw: f.group(&d::MIP6_AGENT_INFO, PgwIdentity::read)?,
        })
    }
}

/// ULR, TS 29.272 §7.2.3: the MME registers for a UE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateLocationRequest {
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
    /// RAT-Type, [`RAT_TYPE_EUTRAN`](super::RAT_TYPE_EUTRAN).
    pub rat_type: u32,
    /// ULR-Flags, see [`ulr_flags`](super::ulr_flags).
    pub ulr_flags: u32,
    /// The serving network.
    pub visited_plmn: PlmnId,
    /// IMEI in Terminal-Information; 14 digits are sent.
    pub terminal_information: Option<Imei>,
    /// Software-Version in Terminal-Information, two digits.
    pub software_version: Option<String>,
    /// UE-SRVCC-Capability.
    pub ue_srvcc_capability: Option<u32>,
    /// Active-APN: the PDN connections of the UE, told after a reset of the HSS.
    pub active_apns: Vec<ActiveApn>,
    /// Supported-Features.
    pub supported_features: Vec<SupportedFeatures>,
    /// Route-Record: the agents on the way, the first one first.
    pub route_record: Vec<String>,
}

impl UpdateLocationRequest {
    fn terminal(&self) -> Option<Avp> {
        let terminal = Terminal {
            imei: self.terminal_information,
            software_version: self.software_version.clone(),
        };
        terminal.to_avp()
    }

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
        let mut m = head.message(CommandCode::UPDATE_LOCATION);
        m.avps.extend(features(&self.supported_features));
        m.avps.extend(self.terminal());
        m.avps.extend([
            Avp::u32(&d::RAT_TYPE, self.rat_type),
            Avp::u32(&d::ULR_FLAGS, self.ulr_flags),
        ]);
        m.avps.extend(
            self.ue_srvcc_capability
                .map(|n| Avp::u32(&d::UE_SRVCC_CAPABILITY, n)),
        );
        m.avps
            .push(Avp::octets(&d::VISITED_PLMN_ID, self.visited_plmn.octets()));
        m.avps
            .extend(self.active_apns.iter().map(ActiveApn::to_avp));
        m.avps.extend(route_record(&self.route_record));
        m
    }

    /// Reads the message.
    pub fn from_message(message: &Message) -> Result<Self, AnswerError> {
        let f = request_fields(message, CommandCode::UPDATE_LOCATION)?;
        let Terminal {
            imei,
            software_version,
        } = f
            .group(&d::TERMINAL_INFORMATION, Terminal::read)?
            .unwrap_or_default();
        Ok(Self {
            session_id: f.required(&d::SESSION_ID)?,
            origin_host: f.identity(&d::ORIGIN_HOST)?,
            origin_realm: f.identity(&d::ORIGIN_REALM)?,
            destination_host: f.optional_identity(&d::DESTINATION_HOST)?,
            destination_realm: f.identity(&d::DESTINATION_REALM)?,
            imsi: f.required(&d::USER_NAME)?,
            rat_type: f.required(&d::RAT_TYPE)?,
            ulr_flags: f.required(&d::ULR_FLAGS)?,
            visited_plmn: f.required(&d::VISITED_PLMN_ID)?,
            terminal_information: imei,
            software_version,
            ue_srvcc_capability: f.optional(&d::UE_SRVCC_CAPABILITY)?,
            active_apns: f.groups(&d::ACTIVE_APN, ActiveApn::read)?,
            supported_features: f.groups(&d::SUPPORTED_FEATURES, SupportedFeatures::read)?,
            route_record: f.repeated(&d::ROUTE_RECORD)?,
        })
    }
}

/// ULA, TS 29.272 §7.2.4: the subscription, or why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateLocationAnswer {
    /// Session-Id of the request.
    pub session_id: String,
    /// The result.
    pub result: AnswerResult,
    /// The HSS.
    pub origin_host: String,
    /// Its realm.
    pub origin_realm: String,
    /// Error-Diagnostic, see [`error_diagnostic`](super::error_diagnostic).
    pub error_diagnostic: Option<u32>,
    /// ULA-Flags, see [`ula_flags`](super::ula_flags).
    pub ula_flags: Option<u32>,
    /// Subscription-Data.
    pub subscription: Option<Box<SubscriptionData>>,
    /// Supported-Features.
    pub supported_features: Vec<SupportedFeatures>,
    /// What Failed-AVP holds.
    pub failed_avp: Vec<Avp>,
}

impl UpdateLocationAnswer {
    /// The message, without its identifiers.
    pub fn to_message(&self) -> Message {
        let mut m = AnswerBuilder::new(
            CommandCode::UPDATE_LOCATION,
            &self.session_id,
            self.result,
            self.error_diagnostic,
            (&self.origin_host, &self.origin_realm),
        );
        m.push(features(&self.supported_features));
        m.push(self.ula_flags.map(|n| Avp::u32(&d::ULA_FLAGS, n)));
        m.push(self.subscription.as_ref().map(|s| s.to_avp()));
        m.finish(&self.failed_avp)
    }

    /// Reads the message.
    pub fn from_message(message: &Message) -> Result<Self, AnswerError> {
        let (head, f) = AnswerHead::read(message, CommandCode::UPDATE_LOCATION)?;
        Ok(Self {
            session_id: head.session_id,
            result: head.result,
            origin_host: head.origin_host,
            origin_realm: head.origin_realm,
            error_diagnostic: f.optional(&d::ERROR_DIAGNOSTIC)?,
            ula_flags: f.optional(&d::ULA_FLAGS)?,
            subscription: f
                .group(&d::SUBSCRIPTION_DATA, SubscriptionData::read)?
                .map(Box::new),
            supported_features: f.groups(&d::SUPPORTED_FEATURES, SupportedFeatures::read)?,
            failed_avp: head.failed_avp,
        })
    }
}
