use alloc::vec::Vec;
use core::fmt;

use crate::avp::{Avp, AvpRef, put};
use crate::base::vendor_application;
use crate::dictionary::{self as d, AvpDef, VENDOR_3GPP};
use crate::message::{ApplicationId, Message, codes};

/// A Result-Code, RFC 6733 §7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResultCode(pub u32);

codes! { ResultCode;
    /// Done.
    SUCCESS = 2001, "DIAMETER_SUCCESS";
    /// The command is not supported.
    COMMAND_UNSUPPORTED = 3001, "DIAMETER_COMMAND_UNSUPPORTED";
    /// The destination cannot be reached from here.
    UNABLE_TO_DELIVER = 3002, "DIAMETER_UNABLE_TO_DELIVER";
    /// The realm is not one of ours.
    REALM_NOT_SERVED = 3003, "DIAMETER_REALM_NOT_SERVED";
    /// Too much to do.
    TOO_BUSY = 3004, "DIAMETER_TOO_BUSY";
    /// The request came back to a node that it passed.
    LOOP_DETECTED = 3005, "DIAMETER_LOOP_DETECTED";
    /// The application is not supported.
    APPLICATION_UNSUPPORTED = 3007, "DIAMETER_APPLICATION_UNSUPPORTED";
    /// The command flags contradict each other or the command.
    INVALID_HDR_BITS = 3008, "DIAMETER_INVALID_HDR_BITS";
    /// The AVP flags are wrong.
    INVALID_AVP_BITS = 3009, "DIAMETER_INVALID_AVP_BITS";
    /// The peer is not one that we know.
    UNKNOWN_PEER = 3010, "DIAMETER_UNKNOWN_PEER";
    /// Another connection between the two peers is kept.
    ELECTION_LOST = 4003, "DIAMETER_ELECTION_LOST";
    /// An AVP with the M bit is not known.
    AVP_UNSUPPORTED = 5001, "DIAMETER_AVP_UNSUPPORTED";
    /// The session is not known.
    UNKNOWN_SESSION_ID = 5002, "DIAMETER_UNKNOWN_SESSION_ID";
    /// The user is not authorised.
    AUTHORIZATION_REJECTED = 5003, "DIAMETER_AUTHORIZATION_REJECTED";
    /// An AVP has a value that it cannot have.
    INVALID_AVP_VALUE = 5004, "DIAMETER_INVALID_AVP_VALUE";
    /// A required AVP is not there.
    MISSING_AVP = 5005, "DIAMETER_MISSING_AVP";
    /// The user has used what it may use.
    RESOURCES_EXCEEDED = 5006, "DIAMETER_RESOURCES_EXCEEDED";
    /// Two AVPs contradict each other.
    CONTRADICTING_AVPS = 5007, "DIAMETER_CONTRADICTING_AVPS";
    /// An AVP must not be there.
    AVP_NOT_ALLOWED = 5008, "DIAMETER_AVP_NOT_ALLOWED";
    /// An AVP is there too often.
    AVP_OCCURS_TOO_MANY_TIMES = 5009, "DIAMETER_AVP_OCCURS_TOO_MANY_TIMES";
    /// The peers have no application in common.
    NO_COMMON_APPLICATION = 5010, "DIAMETER_NO_COMMON_APPLICATION";
    /// The version is not 1.
    UNSUPPORTED_VERSION = 5011, "DIAMETER_UNSUPPORTED_VERSION";
    /// Could not be done, for a reason that no other code has.
    UNABLE_TO_COMPLY = 5012, "DIAMETER_UNABLE_TO_COMPLY";
    /// A reserved header bit is set.
    INVALID_BIT_IN_HEADER = 5013, "DIAMETER_INVALID_BIT_IN_HEADER";
    /// An AVP has a length that it cannot have.
    INVALID_AVP_LENGTH = 5014, "DIAMETER_INVALID_AVP_LENGTH";
    /// The message length is wrong.
    INVALID_MESSAGE_LENGTH = 5015, "DIAMETER_INVALID_MESSAGE_LENGTH";
    /// The AVP flags are not allowed together.
    INVALID_AVP_BIT_COMBO = 5016, "DIAMETER_INVALID_AVP_BIT_COMBO";
    /// The peers have no security mechanism in common.
    NO_COMMON_SECURITY = 5017, "DIAMETER_NO_COMMON_SECURITY";
}

impl ResultCode {
    /// Whether an answer with this code has the E bit: protocol errors, RFC 6733 §7.1.3.
    pub const fn is_protocol_error(self) -> bool {
        self.0 / 1000 == 3
    }
}

/// The result of an answer: of the base protocol, or of a vendor (RFC 6733 §7.1, §7.6).
///
/// The numbers overlap: 5001 is `AVP_UNSUPPORTED` in the one and "user unknown" in the other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnswerResult {
    /// Result-Code.
    Base(ResultCode),
    /// Experimental-Result.
    Experimental {
        /// The vendor that assigned the code.
        vendor: u32,
        /// Experimental-Result-Code.
        code: u32,
    },
}

impl AnswerResult {
    /// `DIAMETER_SUCCESS`.
    pub const SUCCESS: Self = Self::Base(ResultCode::SUCCESS);

    /// An experimental result of 3GPP.
    pub const fn tgpp(code: u32) -> Self {
        let vendor = VENDOR_3GPP;
        Self::Experimental { vendor, code }
    }

    /// Whether the request was carried out (2xxx).
    pub const fn is_success(self) -> bool {
        let (Self::Base(ResultCode(code)) | Self::Experimental { code, .. }) = self;
        code / 1000 == 2
    }

    /// The result of `message`. Result-Code is looked at first: exactly one of both should be there.
    pub fn of(message: &Message) -> Option<Self> {
        if let Some(code) = message.number(&d::RESULT_CODE) {
            return Some(Self::Base(ResultCode(code)));
        }
        let group = message.find(&d::EXPERIMENTAL_RESULT)?;
        let member = |def: &AvpDef| group.members().flatten().find(|a| a.is(def))?.as_u32();
        Some(Self::Experimental {
            vendor: member(&d::VENDOR_ID)?,
            code: member(&d::EXPERIMENTAL_RESULT_CODE)?,
        })
    }

    /// Appends the AVP that carries it.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Base(code) => put(out, &d::RESULT_CODE, &code.0.to_be_bytes()),
            Self::Experimental { .. } => self.to_avp().encode(out),
        }
    }

    /// The AVP that carries it.
    pub fn to_avp(self) -> Avp {
        match self {
            Self::Base(code) => Avp::u32(&d::RESULT_CODE, code.0),
            Self::Experimental { vendor, code } => Avp::group(
                &d::EXPERIMENTAL_RESULT,
                &[
                    Avp::u32(&d::VENDOR_ID, vendor),
                    Avp::u32(&d::EXPERIMENTAL_RESULT_CODE, code),
                ],
            ),
        }
    }
}

impl From<ResultCode> for AnswerResult {
    fn from(code: ResultCode) -> Self {
        Self::Base(code)
    }
}

impl fmt::Display for AnswerResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Base(code) => write!(f, "{} {code}", code.0),
            Self::Experimental { vendor, code } => {
                match crate::s6a::experimental_name(vendor, code) {
                    Some(name) => write!(f, "{code} {name}"),
                    None => write!(f, "{code} of vendor {vendor}"),
                }
            }
        }
    }
}

impl fmt::Debug for AnswerResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a message cannot be taken: what its sender is told, RFC 6733 §7.1.5 and §7.5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerError {
    /// The Result-Code.
    pub result: ResultCode,
    /// What goes into Failed-AVP: the offending AVP within its groups, or an example of the missing
    /// one.
    pub failed_avp: Option<Avp>,
}

impl AnswerError {
    /// An error that no AVP is to blame for.
    pub const fn new(result: ResultCode) -> Self {
        let failed_avp = None;
        Self { result, failed_avp }
    }

    /// An error of one AVP.
    pub fn avp(result: ResultCode, avp: Avp) -> Self {
        let failed_avp = Some(avp);
        Self { result, failed_avp }
    }

    /// 5005 with an example of the AVP.
    pub fn missing(def: &AvpDef) -> Self {
        Self::avp(ResultCode::MISSING_AVP, Avp::example(def))
    }

    /// The same error, one group further out: Failed-AVP keeps the hierarchy and nothing else of
    /// the group.
    #[must_use]
    pub fn within(self, group: AvpRef<'_>) -> Self {
        let mut data = Vec::new();
        if let Some(inner) = &self.failed_avp {
            inner.encode(&mut data);
        }
        let failed_avp = Some(
            AvpRef {
                data: &data,
                ..group
            }
            .to_owned(),
        );
        Self { failed_avp, ..self }
    }
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.failed_avp {
            Some(avp) => write!(f, "{} {}: {avp:?}", self.result.0, self.result),
            None => write!(f, "{} {}", self.result.0, self.result),
        }
    }
}

impl core::error::Error for AnswerError {}

impl From<ResultCode> for AnswerError {
    fn from(result: ResultCode) -> Self {
        Self::new(result)
    }
}

/// The answer that refuses `request`. It has the E bit for protocol errors (3xxx); a permanent
/// failure has the AVPs that the grammar of an S6a or S13 answer asks for.
pub fn error_answer(
    request: &Message,
    origin_host: &str,
    origin_realm: &str,
    error: &AnswerError,
) -> Message {
    let mut answer = request.answer();
    answer.flags.error = error.result.is_protocol_error();
    let plain = !answer.flags.error && answer.application != ApplicationId::BASE;
    let avps = &mut answer.avps;
    avps.extend(request.find(&d::SESSION_ID).cloned());
    if plain {
        avps.push(vendor_application(request.application));
    }
    avps.push(Avp::u32(&d::RESULT_CODE, error.result.0));
    if plain {
        avps.push(Avp::u32(&d::AUTH_SESSION_STATE, 1));
    }
    avps.push(Avp::text(&d::ORIGIN_HOST, origin_host));
    avps.push(Avp::text(&d::ORIGIN_REALM, origin_realm));
    if let Some(avp) = &error.failed_avp {
        avps.push(Avp::group(&d::FAILED_AVP, core::slice::from_ref(avp)));
    }
    avps.extend(
        request
            .avps
            .iter()
            .filter(|a| a.is(&d::PROXY_INFO))
            .cloned(),
    );
    answer
}
