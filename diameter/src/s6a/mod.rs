//! S6a, between MME and HSS: TS 29.272 §7.2.
//!
//! Each command is a struct with `to_message` and `from_message`. Reading takes AVPs in any order,
//! ignores optional ones that it does not know and says with an [`AnswerError`] what else is wrong.
//! Requests are written in the order of their grammar.

mod apn_configuration;
mod authentication_information;
mod cancel_location;
mod delete_subscriber_data;
mod eutran_vector;
mod features;
mod flags;
mod insert_subscriber_data;
mod notify;
mod purge_ue;
mod reset;
mod subscription_data;
mod terminal;
mod update_location;

use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::Imsi;

use crate::avp::Avp;
use crate::base::vendor_application;
use crate::dictionary::{self as d, VENDOR_3GPP};
use crate::fields::Fields;
use crate::message::{ApplicationId, CommandCode, Flags, Message};
use crate::result::{AnswerError, AnswerResult, ResultCode};

pub use apn_configuration::{
    ApnConfiguration, ApnConfigurationProfile, PdnType, PgwIdentity, ServiceSelection,
};
pub use authentication_information::{
    AuthenticationInformationAnswer, AuthenticationInformationRequest, RequestedAuthenticationInfo,
};
pub use cancel_location::{CancelLocationAnswer, CancelLocationRequest, CancellationType};
pub use delete_subscriber_data::{DeleteSubscriberDataAnswer, DeleteSubscriberDataRequest};
pub use eutran_vector::{EutranVector, InvalidXres, Xres};
pub use features::{SupportedFeatures, feature_list_1};
pub use flags::{
    alert_reason, clr_flags, dsr_flags, error_diagnostic, idr_flags, nor_flags, odb, pua_flags,
    pur_flags, rat_type, restriction, ula_flags, ulr_flags, user_state,
};
pub use insert_subscriber_data::{
    EpsLocation, InsertSubscriberDataAnswer, InsertSubscriberDataRequest,
};
pub use notify::{NotifyAnswer, NotifyRequest};
pub use purge_ue::{PurgeUeAnswer, PurgeUeRequest};
pub use reset::{InvalidUserId, ResetAnswer, ResetRequest, UserId};
pub use subscription_data::SubscriptionData;
pub use terminal::Terminal;
pub use update_location::{ActiveApn, UpdateLocationAnswer, UpdateLocationRequest};

/// The commands of S6a that this crate reads and writes; an endpoint answers any other with 3001.
pub const COMMANDS: [CommandCode; 8] = [
    CommandCode::UPDATE_LOCATION,
    CommandCode::CANCEL_LOCATION,
    CommandCode::AUTHENTICATION_INFORMATION,
    CommandCode::INSERT_SUBSCRIBER_DATA,
    CommandCode::DELETE_SUBSCRIBER_DATA,
    CommandCode::PURGE_UE,
    CommandCode::RESET,
    CommandCode::NOTIFY,
];

/// The IMSI is not known.
pub const USER_UNKNOWN: AnswerResult = AnswerResult::tgpp(5001);
/// The subscriber may not be served here; Error-Diagnostic says more.
pub const ROAMING_NOT_ALLOWED: AnswerResult = AnswerResult::tgpp(5004);
/// No EPS subscription.
pub const UNKNOWN_EPS_SUBSCRIPTION: AnswerResult = AnswerResult::tgpp(5420);
/// The radio access type is not allowed.
pub const RAT_NOT_ALLOWED: AnswerResult = AnswerResult::tgpp(5421);
/// The equipment is not known (S13).
pub const EQUIPMENT_UNKNOWN: AnswerResult = AnswerResult::tgpp(5422);
/// The sender is not the registered node.
pub const UNKNOWN_SERVING_NODE: AnswerResult = AnswerResult::tgpp(5423);
/// No vectors at the moment; try again.
pub const AUTHENTICATION_DATA_UNAVAILABLE: AnswerResult = AnswerResult::tgpp(4181);

/// The name of an experimental result of S6a.
pub const fn experimental_name(vendor: u32, code: u32) -> Option<&'static str> {
    if vendor != VENDOR_3GPP {
        return None;
    }
    match code {
        4181 => Some("DIAMETER_AUTHENTICATION_DATA_UNAVAILABLE"),
        4182 => Some("DIAMETER_ERROR_CAMEL_SUBSCRIPTION_PRESENT"),
        5001 => Some("DIAMETER_ERROR_USER_UNKNOWN"),
        5004 => Some("DIAMETER_ERROR_ROAMING_NOT_ALLOWED"),
        5420 => Some("DIAMETER_ERROR_UNKNOWN_EPS_SUBSCRIPTION"),
        5421 => Some("DIAMETER_ERROR_RAT_NOT_ALLOWED"),
        5422 => Some("DIAMETER_ERROR_EQUIPMENT_UNKNOWN"),
        5423 => Some("DIAMETER_ERROR_UNKNOWN_SERVING_NODE"),
        _ => None,
    }
}

/// RAT-Type of E-UTRAN, TS 29.212 §5.3.31.
pub const RAT_TYPE_EUTRAN: u32 = rat_type::EUTRAN;

/// Auth-Session-State: the HSS keeps no session (RFC 6733 §8.11).
const NO_STATE_MAINTAINED: u32 = 1;

/// The AVPs by which every request of S6a and S13 starts.
pub(crate) struct RequestHead<'a> {
    pub(crate) session_id: &'a str,
    pub(crate) origin_host: &'a str,
    pub(crate) origin_realm: &'a str,
    pub(crate) destination_host: Option<&'a str>,
    pub(crate) destination_realm: &'a str,
    /// User-Name; the commands that are not about one subscriber have none here.
    pub(crate) imsi: Option<&'a Imsi>,
}

/// Which application a command belongs to.
const fn application(command: CommandCode) -> ApplicationId {
    match command {
        CommandCode::ME_IDENTITY_CHECK => ApplicationId::S13,
        _ => ApplicationId::S6A,
    }
}

impl RequestHead<'_> {
    pub(crate) fn message(&self, command: CommandCode) -> Message {
        let flags = Flags {
            request: true,
            proxiable: true,
            ..Flags::default()
        };
        let mut m = Message::new(command, application(command), flags);
        m.avps.extend([
            Avp::text(&d::SESSION_ID, self.session_id),
            vendor_application(m.application),
            Avp::u32(&d::AUTH_SESSION_STATE, NO_STATE_MAINTAINED),
            Avp::text(&d::ORIGIN_HOST, self.origin_host),
            Avp::text(&d::ORIGIN_REALM, self.origin_realm),
        ]);
        m.avps.extend(
            self.destination_host
                .map(|host| Avp::text(&d::DESTINATION_HOST, host)),
        );
        m.avps
            .push(Avp::text(&d::DESTINATION_REALM, self.destination_realm));
        m.avps
            .extend(self.imsi.map(|imsi| Avp::display(&d::USER_NAME, imsi)));
        m
    }
}

/// The fields of a request, once its command and its AVPs are known to be ours.
pub(crate) fn request_fields(
    message: &Message,
    command: CommandCode,
) -> Result<Fields<'_>, AnswerError> {
    check_kind(message, command)?;
    d::check(message)?;
    checked_fields(message, command)
}

/// The same where an endpoint has checked the AVPs.
fn checked_fields(message: &Message, command: CommandCode) -> Result<Fields<'_>, AnswerError> {
    check_kind(message, command)?;
    let fields = Fields::of(message);
    fields.required::<u32>(&d::AUTH_SESSION_STATE)?;
    Ok(fields)
}

fn check_kind(message: &Message, command: CommandCode) -> Result<(), AnswerError> {
    if message.command != command || !message.flags.request {
        return Err(ResultCode::COMMAND_UNSUPPORTED.into());
    }
    if message.application != application(command) {
        return Err(ResultCode::APPLICATION_UNSUPPORTED.into());
    }
    Ok(())
}

/// What every answer of S6a and S13 has.
pub(crate) struct AnswerHead {
    pub(crate) session_id: String,
    pub(crate) result: AnswerResult,
    pub(crate) origin_host: String,
    pub(crate) origin_realm: String,
    pub(crate) failed_avp: Vec<Avp>,
}

impl AnswerHead {
    /// Reads it. An answer with the E bit may lack the Session-Id (RFC 6733 §7.2), which then is
    /// empty.
    pub(crate) fn read(
        message: &Message,
        command: CommandCode,
    ) -> Result<(Self, Fields<'_>), AnswerError> {
        if message.command != command || message.flags.request {
            return Err(ResultCode::COMMAND_UNSUPPORTED.into());
        }
        let fields = Fields::of(message);
        let session_id = if message.flags.error {
            fields.optional(&d::SESSION_ID)?.unwrap_or_default()
        } else {
            d::check(message)?;
            fields.required(&d::SESSION_ID)?
        };
        let failed = message.avps.iter().filter(|a| a.is(&d::FAILED_AVP));
        let head = Self {
            session_id,
            result: message
                .result()
                .ok_or_else(|| AnswerError::missing(&d::RESULT_CODE))?,
            origin_host: fields.identity(&d::ORIGIN_HOST)?,
            origin_realm: fields.identity(&d::ORIGIN_REALM)?,
            failed_avp: failed
                .flat_map(|a| a.members().flatten())
                .map(crate::AvpRef::to_owned)
                .collect(),
        };
        Ok((head, fields))
    }
}

/// AVPs for which an answer has room at first.
const USUAL_AVPS: usize = 12;

/// The parts of an answer around what is its own: the beginning here, Failed-AVP in `finish`.
pub(crate) struct AnswerBuilder(Message);

impl AnswerBuilder {
    pub(crate) fn new(
        command: CommandCode,
        session_id: &str,
        result: AnswerResult,
        error_diagnostic: Option<u32>,
        (origin_host, origin_realm): (&str, &str),
    ) -> Self {
        let flags = Flags {
            proxiable: true,
            error: matches!(result, AnswerResult::Base(code) if code.is_protocol_error()),
            ..Flags::default()
        };
        let mut m = Message::new(command, application(command), flags);
        m.avps.reserve(USUAL_AVPS);
        m.avps.extend([
            Avp::text(&d::SESSION_ID, session_id),
            vendor_application(m.application),
            result.to_avp(),
        ]);
        m.avps
            .extend(error_diagnostic.map(|e| Avp::u32(&d::ERROR_DIAGNOSTIC, e)));
        m.avps.extend([
            Avp::u32(&d::AUTH_SESSION_STATE, NO_STATE_MAINTAINED),
            Avp::text(&d::ORIGIN_HOST, origin_host),
            Avp::text(&d::ORIGIN_REALM, origin_realm),
        ]);
        Self(m)
    }

    pub(crate) fn push(&mut self, avps: impl IntoIterator<Item = Avp>) {
        self.0.avps.extend(avps);
    }

    pub(crate) fn finish(mut self, failed_avp: &[Avp]) -> Message {
        if !failed_avp.is_empty() {
            self.0.avps.push(Avp::group(&d::FAILED_AVP, failed_avp));
        }
        self.0
    }
}

pub(crate) fn route_record(hosts: &[String]) -> impl Iterator<Item = Avp> {
    hosts.iter().map(|h| Avp::text(&d::ROUTE_RECORD, h))
}

fn features(list: &[SupportedFeatures]) -> impl Iterator<Item = Avp> {
    list.iter().map(|f| f.to_avp())
}

#[cfg(test)]
mod later_tests;
#[cfg(test)]
mod tests;
