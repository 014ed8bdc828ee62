use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use heiiki_types::Imsi;

use super::{
    AnswerBuilder, AnswerHead, RequestHead, SupportedFeatures, features, request_fields,
    route_record,
};
use crate::avp::Avp;
use crate::dictionary as d;
use crate::message::{CommandCode, Message, codes};
use crate::result::{AnswerError, AnswerResult};

/// Cancellation-Type, TS 29.272 §7.3.24.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CancellationType(pub u32);

codes! { CancellationType;
    /// The UE registered at another MME.
    MME_UPDATE_PROCEDURE = 0, "MME_UPDATE_PROCEDURE";
    /// The UE registered at another SGSN.
    SGSN_UPDATE_PROCEDURE = 1, "SGSN_UPDATE_PROCEDURE";
    /// The subscription is withdrawn: the MME detaches the UE.
    SUBSCRIPTION_WITHDRAWAL = 2, "SUBSCRIPTION_WITHDRAWAL";
    /// An interworking function asks.
    UPDATE_PROCEDURE_IWF = 3, "UPDATE_PROCEDURE_IWF";
    /// The UE attached elsewhere.
    INITIAL_ATTACH_PROCEDURE = 4, "INITIAL_ATTACH_PROCEDURE";
}

/// CLR, TS 29.272 §7.2.7: the HSS ends a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelLocationRequest {
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
    /// Why.
    pub cancellation_type: CancellationType,
    /// CLR-Flags, see [`clr_flags`](super::clr_flags).
    pub clr_flags: Option<u32>,
    /// Supported-Features.
    pub supported_features: Vec<SupportedFeatures>,
    /// Route-Record: the agents on the way, the first one first.
    pub route_record: Vec<String>,
}

impl CancelLocationRequest {
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
        let mut m = head.message(CommandCode::CANCEL_LOCATION);
        m.avps.extend(features(&self.supported_features));
        m.avps
            .push(Avp::u32(&d::CANCELLATION_TYPE, self.cancellation_type.0));
        m.avps
            .extend(self.clr_flags.map(|n| Avp::u32(&d::CLR_FLAGS, n)));
        m.avps.extend(route_record(&self.route_record));
        m
    }

    /// Reads the message.
    pub fn from_message(message: &Message) -> Result<Self, AnswerError> {
        let f = request_fields(message, CommandCode::CANCEL_LOCATION)?;
        Ok(Self {
            session_id: f.required(&d::SESSION_ID)?,
            origin_host: f.identity(&d::ORIGIN_HOST)?,
            origin_realm: f.identity(&d::ORIGIN_REALM)?,
            destination_host: f.identity(&d::DESTINATION_HOST)?,
            destination_realm: f.identity(&d::DESTINATION_REALM)?,
            imsi: f.required(&d::USER_NAME)?,
            cancellation_type: CancellationType(f.required(&d::CANCELLATION_TYPE)?),
            clr_flags: f.optional(&d::CLR_FLAGS)?,
            supported_features: f.groups(&d::SUPPORTED_FEATURES, SupportedFeatures::read)?,
            route_record: f.repeated(&d::ROUTE_RECORD)?,
        })
    }
}

/// CLA, TS 29.272 §7.2.8. An IMSI that the MME does not know is a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelLocationAnswer {
    /// Session-Id of the request.
    pub session_id: String,
    /// The result.
    pub result: AnswerResult,
    /// The MME.
    pub origin_host: String,
    /// Its realm.
    pub origin_realm: String,
    /// What Failed-AVP holds.
    pub failed_avp: Vec<Avp>,
}

impl CancelLocationAnswer {
    /// The message, without its identifiers.
    pub fn to_message(&self) -> Message {
        AnswerBuilder::new(
            CommandCode::CANCEL_LOCATION,
            &self.session_id,
            self.result,
            None,
            (&self.origin_host, &self.origin_realm),
        )
        .finish(&self.failed_avp)
    }

    /// Reads the message.
    pub fn from_message(message: &Message) -> Result<Self, AnswerError> {
        let (head, _) = AnswerHead::read(message, CommandCode::CANCEL_LOCATION)?;
        Ok(Self {
            session_id: head.session_id,
            result: head.result,
            origin_host: head.origin_host,
            origin_realm: head.origin_realm,
            failed_avp: head.failed_avp,
        })
    }
}
