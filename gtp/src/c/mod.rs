//! GTPv2-C, TS 29.274: headers, messages, transactions and paths.
//!
//! [`decode`] and [`encode`] turn octets into values and back. [`Endpoint`] is the machine above
//! them: it sends requests until they are answered, answers what comes twice from its memory, and
//! watches the paths to its peers.

mod endpoint;
mod header;
mod ie;
mod message;
pub mod path;
pub mod transactions;

pub use endpoint::{Endpoint, Output};
pub use header::{Header, MessageType};
pub use ie::{
    BearerContextAccepted, BearerContextCreated, BearerContextDeleted, BearerContextModified,
    BearerContextNamed, BearerContextRequested, BearerContextToBeCreated,
    BearerContextToBeModified, BearerContextToBeUpdated, BearerContextToChange, BearerFlags,
    BearerQos, Cause, CauseIe, CsidNode, FTeid, FTeidAddr, FlowQos, FqCsid, Indication,
    IndicationFlag, Interface, Mei, Paa, PdnType, PgwAddress, RAT_TYPE_EUTRAN, UeTimeZone, Uli,
    ie_type,
};
pub use message::{
    Acknowledge, BearerResourceCommand, BearerResourceFailureIndication, ChangeNotificationRequest,
    ChangeNotificationResponse, CreateBearerRequest, CreateBearerResponse, CreateSessionRequest,
    CreateSessionResponse, Decoded, DeleteBearerCommand, DeleteBearerFailureIndication,
    DeleteBearerRequest, DeleteBearerResponse, DeletePdnConnectionSetRequest,
    DeletePdnConnectionSetResponse, DeleteSessionRequest, DeleteSessionResponse, ElementRule,
    KNOWN_TYPES, Message, ModifyBearerCommand, ModifyBearerFailureIndication, ModifyBearerRequest,
    ModifyBearerResponse, ReferencePoint, Reject, ResumeNotification, SuspendNotification,
    UpdateBearerRequest, UpdateBearerResponse, decode, decode_on, element_rules, encode, response,
    version_not_supported,
};
pub use transactions::{Config, RequestHandle, TooMany};

/// The UDP port of GTP-C (TS 29.274 §4.2.1).
pub const PORT: u16 = 2123;
