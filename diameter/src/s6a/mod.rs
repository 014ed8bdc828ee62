//! S6a, between MME and HSS: TS 29.272 §7.2.
//!
//! Each command is a struct with `to_message` and `from_message`. Reading takes AVPs in any order,
//! ignores optional ones that it does not know and says with an [`AnswerError`] what else is wrong.
//! Requests are written in the order of their grammar.

mod apn_configuration;
mod authentication_information;
mod cancel_location;
mod eutran_vector;
mod purge_ue;
mod subscription_data;
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
pub use eutran_vector::{EutranVector, InvalidXres, Xres};
pub use purge_ue::{PurgeUeAnswer, PurgeUeRequest};
pub use subscription_data::SubscriptionData;
pub use update_location::{UpdateLocationAnswer, UpdateLocationRequest};

/// The commands of S6a that this crate reads and writes; an endpoint answers any other with 3001.
pub const COMMANDS: [CommandCode; 4] = [
    CommandCode::UPDATE_LOCATION,
    CommandCode::CANCEL_LOCATION,
    CommandCode::AUTHENTICATION_INFORMATION,
    CommandCode::PURGE_UE,
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
pub const RAT_TYPE_EUTRAN: u32 = 1004;

/// Bits of ULR-Flags, TS 29.272 §7.3.7.
pub mod ulr_flags {
    /// The HSS shall cancel the registration of an SGSN too.
    pub const SINGLE_REGISTRATION: u32 = 1;
    /// The request is of S6a, not of S6d.
    pub const S6A: u32 = 1 << 1;
    /// The MME has the subscription and wants none.
    pub const SKIP_SUBSCRIBER_DATA: u32 = 1 << 2;
    /// The UE attaches; the HSS cancels at the MME where it was.
    pub const INITIAL_ATTACH: u32 = 1 << 5;
}

/// Bits of ULA-Flags, TS 29.272 §7.3.8.
pub mod ula_flags {
    /// The HSS keeps the registrations of MME and SGSN apart.
    pub const SEPARATION: u32 = 1;
}

/// Bits of CLR-Flags, TS 29.272 §7.3.152.
pub mod clr_flags {
    /// The request is of S6a, not of S6d.
    pub const S6A: u32 = 1;
    /// The UE is to attach again at once.
    pub const REATTACH_REQUIRED: u32 = 1 << 1;
}

/// Bits of PUA-Flags, TS 29.272 §7.3.48.
pub mod pua_flags {
    /// The MME shall not give the M-TMSI to another UE yet.
    pub const FREEZE_M_TMSI: u32 = 1;
}

/// Values of Error-Diagnostic, TS 29.272 §7.3.128.
pub mod error_diagnostic {
    /// There is a GPRS subscription.
    pub const GPRS_DATA_SUBSCRIBED: u32 = 0;
    /// There is no GPRS subscription.
    pub const NO_GPRS_DATA_SUBSCRIBED: u32 = 1;
    /// Every APN is barred.
    pub const ODB_ALL_APN: u32 = 2;
    /// The APNs of the home network are barred while roaming.
    pub const ODB_HPLMN_APN: u32 = 3;
    /// The APNs of the visited network are barred.
    pub const ODB_VPLMN_APN: u32 = 4;
}

/// Supported-Features, TS 29.229 §6.3.29.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportedFeatures {
    /// The vendor of the list.
    pub vendor: u32,
    /// Feature-List-ID.
    pub list_id: u32,
    /// Feature-List, one bit a feature.
    pub features: u32,
}

impl SupportedFeatures {
    fn to_avp(self) -> Avp {
        Avp::group(
            &d::SUPPORTED_FEATURES,
            &[
                Avp::u32(&d::VENDOR_ID, self.vendor),
                Avp::u32(&d::FEATURE_LIST_ID, self.list_id),
                Avp::u32(&d::FEATURE_LIST, self.features),
            ],
        )
    }

    fn read(f: &Fields<'_>) -> Result<Self, AnswerError> {
        Ok(Self {
            vendor: f.required(&d::VENDOR_ID)?,
            list_id: f.required(&d::FEATURE_LIST_ID)?,
            features: f.required(&d::FEATURE_LIST)?,
        })
    }
}

/// Auth-Session-State: the HSS keeps no session (RFC 6733 §8.11).
const NO_STATE_MAINTAINED: u32 = 1;

/// The AVPs by which every request of S6a starts.
struct RequestHead<'a> {
    session_id: &'a str,
    origin_host: &'a str,
    origin_realm: &'a str,
    destination_host: Option<&'a str>,
    destination_realm: &'a str,
    imsi: &'a Imsi,
}

impl RequestHead<'_> {
    fn message(&self, command: CommandCode) -> Message {
        let flags = Flags {
            request: true,
            proxiable: true,
            ..Flags::default()
        };
        let mut m = Message::new(command, ApplicationId::S6A, flags);
        m.avps.extend([
            Avp::text(&d::SESSION_ID, self.session_id),
            vendor_application(ApplicationId::S6A),
            Avp::u32(&d::AUTH_SESSION_STATE, NO_STATE_MAINTAINED),
            Avp::text(&d::ORIGIN_HOST, self.origin_host),
            Avp::text(&d::ORIGIN_REALM, self.origin_realm),
        ]);
        m.avps.extend(
            self.destination_host
                .map(|host| Avp::text(&d::DESTINATION_HOST, host)),
        );
        m.avps.extend([
            Avp::text(&d::DESTINATION_REALM, self.destination_realm),
            Avp::display(&d::USER_NAME, self.imsi),
        ]);
        m
    }
}

/// The fields of a request, once its command and its AVPs are known to be ours.
fn request_fields(message: &Message, command: CommandCode) -> Result<Fields<'_>, AnswerError> {
    if message.command != command || !message.flags.request {
        return Err(ResultCode::COMMAND_UNSUPPORTED.into());
    }
    if message.application != ApplicationId::S6A {
        return Err(ResultCode::APPLICATION_UNSUPPORTED.into());
    }
    d::check(message)?;
    let fields = Fields::of(message);
    fields.required::<u32>(&d::AUTH_SESSION_STATE)?;
    Ok(fields)
}

/// What every answer of S6a has.
struct AnswerHead {
    session_id: String,
    result: AnswerResult,
    origin_host: String,
    origin_realm: String,
    failed_avp: Vec<Avp>,
}

impl AnswerHead {
    /// Reads it. An answer with the E bit may lack the Session-Id (RFC 6733 §7.2), which then is
    /// empty.
    fn read(message: &Message, command: CommandCode) -> Result<(Self, Fields<'_>), AnswerError> {
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

/// The parts of an answer around what is its own: the beginning here, Failed-AVP in `finish`.
struct AnswerBuilder(Message);

impl AnswerBuilder {
    fn new(
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
        let mut m = Message::new(command, ApplicationId::S6A, flags);
        m.avps.extend([
            Avp::text(&d::SESSION_ID, session_id),
            vendor_application(ApplicationId::S6A),
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

    fn push(&mut self, avps: impl IntoIterator<Item = Avp>) {
        self.0.avps.extend(avps);
    }

    fn finish(mut self, failed_avp: &[Avp]) -> Message {
        if !failed_avp.is_empty() {
            self.0.avps.push(Avp::group(&d::FAILED_AVP, failed_avp));
        }
        self.0
    }
}

fn route_record(hosts: &[String]) -> impl Iterator<Item = Avp> {
    hosts.iter().map(|h| Avp::text(&d::ROUTE_RECORD, h))
}

fn features(list: &[SupportedFeatures]) -> impl Iterator<Item = Avp> {
    list.iter().map(|f| f.to_avp())
}

#[cfg(test)]
mod tests;
