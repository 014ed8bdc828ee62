use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::Imsi;

use super::{
    AnswerBuilder, AnswerHead, RequestHead, SubscriptionData, SupportedFeatures, features,
    request_fields, route_record,
};
use crate::avp::Avp;
use crate::dictionary as d;
use crate::fields::Fields;
use crate::message::{CommandCode, Message};
use crate::result::{AnswerError, AnswerResult};

/// IDR, TS 29.272 §7.2.9: parts of a subscription are new, or the HSS asks about the UE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InsertSubscriberDataRequest {
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
    /// What replaces the same parts at the MME; empty when only flags matter.
    pub subscription: Box<SubscriptionData>,
    /// IDR-Flags, see [`idr_flags`](super::idr_flags).
    pub idr_flags: Option<u32>,
    /// Supported-Features.
    pub supported_features: Vec<SupportedFeatures>,
    /// Route-Record: the agents on the way, the first one first.
    pub route_record: Vec<String>,
}

impl InsertSubscriberDataRequest {
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
        let mut m = head.message(CommandCode::INSERT_SUBSCRIBER_DATA);
        m.avps.extend(features(&self.supported_features));
        m.avps.push(self.subscription.to_avp());
        m.avps
            .extend(self.idr_flags.map(|n| Avp::u32(&d::IDR_FLAGS, n)));
        m.avps.extend(route_record(&self.route_record));
        m
    }

    /// Reads the message.
    pub fn from_message(message: &Message) -> Result<Self, AnswerError> {
        let f = request_fields(message, CommandCode::INSERT_SUBSCRIBER_DATA)?;
        let subscription = f
            .group(&d::SUBSCRIPTION_DATA, SubscriptionData::read)?
            .ok_or_else(|| AnswerError::missing(&d::SUBSCRIPTION_DATA))?;
        Ok(Self {
            session_id: f.required(&d::SESSION_ID)?,
            origin_host: f.identity(&d::ORIGIN_HOST)?,
            origin_realm: f.identity(&d::ORIGIN_REALM)?,
            destination_host: f.identity(&d::DESTINATION_HOST)?,
            destination_realm: f.identity(&d::DESTINATION_REALM)?,
            imsi: f.required(&d::USER_NAME)?,
            subscription: Box::new(subscription),
            idr_flags: f.optional(&d::IDR_FLAGS)?,
            supported_features: f.groups(&d::SUPPORTED_FEATURES, SupportedFeatures::read)?,
            route_record: f.repeated(&d::ROUTE_RECORD)?,
        })
    }
}

/// MME-Location-Information within EPS-Location-Information, TS 29.272 §7.3.111 and §7.3.115: as
/// much of it as is of use here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EpsLocation {
    /// E-UTRAN-Cell-Global-Identity: PLMN and the 28 bits of the cell, seven octets.
    pub cell: Option<[u8; 7]>,
    /// Tracking-Area-Identity: PLMN and area, five octets.
    pub tracking_area: Option<[u8; 5]>,
}

impl EpsLocation {
    fn to_avp(self) -> Avp {
        let cell = self
            .cell
            .map(|octets| Avp::octets(&d::E_UTRAN_CELL_GLOBAL_IDENTITY, octets));
        let area = self
            .tracking_area
            .map(|octets| Avp::octets(&d::TRACKING_AREA_IDENTITY, octets));
        let members: Vec<Avp> = cell.into_iter().chain(area).collect();
        let mme = Avp::group(&d::MME_LOCATION_INFORMATION, &members);
        Avp::group(&d::EPS_LOCATION_INFORMATION, &[mme])
    }

    fn read(f: &Fields<'_>) -> Result<Self, AnswerError> {
        let mme = f.group(&d::MME_LOCATION_INFORMATION, |m| {
            Ok(Self {
                cell: m.optional(&d::E_UTRAN_CELL_GLOBAL_IDENTITY)?,
                tracking_area: m.optional(&d::TRACKING_AREA_IDENTITY)?,
            })
        })?;
        Ok(mme.unwrap_or_default())
    }
}

/// IDA, TS 29.272 §7.2.10.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InsertSubscriberDataAnswer {
    /// Session-Id of the request.
    pub session_id: String,
    /// The result.
    pub result: AnswerResult,
    /// The MME.
    pub origin_host: String,
    /// Its realm.
    pub origin_realm: String,
    /// RAT-Type, when it was asked for.
    pub rat_type: Option<u32>,
    /// IDA-Flags: bit 0, the whole area of the node is restricted (TS 29.272 §7.3.47).
    pub ida_flags: Option<u32>,
    /// User-State of the MME, see [`user_state`](super::user_state).
    pub user_state: Option<u32>,
    /// Where the UE is.
    pub location: Option<EpsLocation>,
    /// Supported-Features.
    pub supported_features: Vec<SupportedFeatures>,
    /// What Failed-AVP holds.
    pub failed_avp: Vec<Avp>,
}

impl InsertSubscriberDataAnswer {
    /// The message, without its identifiers.
    pub fn to_message(&self) -> Message {
        let mut m = AnswerBuilder::new(
            CommandCode::INSERT_SUBSCRIBER_DATA,
            &self.session_id,
            self.result,
            None,
            (&self.origin_host, &self.origin_realm),
        );
        m.push(features(&self.supported_features));
        m.push(self.rat_type.map(|n| Avp::u32(&d::RAT_TYPE, n)));
        m.push(self.ida_flags.map(|n| Avp::u32(&d::IDA_FLAGS, n)));
        m.push(self.user_state.map(|n| {
            let state = Avp::u32(&d::USER_STATE, n);
            let mme = Avp::group(&d::MME_USER_STATE, &[state]);
            Avp::group(&d::EPS_USER_STATE, &[mme])
        }));
        m.push(self.location.map(EpsLocation::to_avp));
        m.finish(&self.failed_avp)
    }

    /// Reads the message.
    pub fn from_message(message: &Message) -> Result<Self, AnswerError> {
        let (head, f) = AnswerHead::read(message, CommandCode::INSERT_SUBSCRIBER_DATA)?;
        let user_state = f.group(&d::EPS_USER_STATE, |e| {
            e.group(&d::MME_USER_STATE, |m| m.optional(&d::USER_STATE))
        })?;
        Ok(Self {
            session_id: head.session_id,
            result: head.result,
            origin_host: head.origin_host,
            origin_realm: head.origin_realm,
            rat_type: f.optional(&d::RAT_TYPE)?,
            ida_flags: f.optional(&d::IDA_FLAGS)?,
            user_state: user_state.flatten().flatten(),
            location: f.group(&d::EPS_LOCATION_INFORMATION, EpsLocation::read)?,
            supported_features: f.groups(&d::SUPPORTED_FEATURES, SupportedFeatures::read)?,
            failed_avp: head.failed_avp,
        })
    }
}
