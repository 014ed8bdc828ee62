use core::fmt;

use super::{
    Acknowledge, BearerResourceFailureIndication, ChangeNotificationResponse, CreateBearerResponse,
    CreateSessionResponse, DeleteBearerFailureIndication, DeleteBearerResponse,
    DeletePdnConnectionSetResponse, DeleteSessionResponse, Message, ModifyBearerFailureIndication,
    ModifyBearerResponse, UpdateBearerResponse,
};
use crate::c::MessageType;
use crate::c::ie::{Cause, CauseIe, Fault};

/// Why a message is refused, and what its sender is told: the one place where faults of a message
/// become cause values (TS 29.274 §7.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The cause for the response.
    pub cause: Cause,
    /// Type and instance of the information element at fault.
    pub ie: Option<(u8, u8)>,
    /// For people: the name of the element, or what is wrong.
    pub why: &'static str,
}

impl Reject {
    /// A refusal by policy or state, with no element at fault.
    pub const fn new(cause: Cause, why: &'static str) -> Self {
        Self {
            cause,
            ie: None,
            why,
        }
    }

    pub(crate) const fn length(ie: Option<(u8, u8)>, why: &'static str) -> Self {
        Self {
            cause: Cause::INVALID_LENGTH,
            ie,
            why,
        }
    }

    pub(crate) const fn missing(ie: (u8, u8), why: &'static str) -> Self {
        Self {
            cause: Cause::MANDATORY_IE_MISSING,
            ie: Some(ie),
            why,
        }
    }

    pub(crate) const fn conditional(ie: (u8, u8), why: &'static str) -> Self {
        Self {
            cause: Cause::CONDITIONAL_IE_MISSING,
            ie: Some(ie),
            why,
        }
    }

    pub(crate) const fn fault(ie: (u8, u8), fault: Fault, why: &'static str) -> Self {
        Self {
            cause: match fault {
                Fault::Length => Cause::INVALID_LENGTH,
                Fault::Value => Cause::MANDATORY_IE_INCORRECT,
            },
            ie: Some(ie),
            why,
        }
    }

    /// The Cause element that tells the peer.
    pub const fn cause_ie(&self) -> CauseIe {
        let mut cause = CauseIe::new(self.cause);
        cause.offending = self.ie;
        cause
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.cause, self.why)?;
        match self.ie {
            Some((ie, instance)) => write!(f, " (element {ie}, instance {instance})"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for Reject {}

/// The response that refuses a request of this type; it carries the cause and nothing else
/// (TS 29.274 §6.1.1). `None` for a type that has no such response here.
pub fn response(reject: &Reject, request: MessageType) -> Option<Message> {
    let cause = reject.cause_ie();
    Some(match request {
        MessageType::CREATE_SESSION_REQUEST => {
            Message::CreateSessionResponse(CreateSessionResponse::new(cause))
        }
        MessageType::MODIFY_BEARER_REQUEST => {
            Message::ModifyBearerResponse(ModifyBearerResponse::new(cause))
        }
        MessageType::DELETE_SESSION_REQUEST => {
            Message::DeleteSessionResponse(DeleteSessionResponse::new(cause))
        }
        MessageType::CREATE_BEARER_REQUEST => {
            Message::CreateBearerResponse(CreateBearerResponse::new(cause))
        }
        MessageType::UPDATE_BEARER_REQUEST => {
            Message::UpdateBearerResponse(UpdateBearerResponse::new(cause))
        }
        MessageType::MODIFY_BEARER_COMMAND => {
            Message::ModifyBearerFailureIndication(ModifyBearerFailureIndication::new(cause))
        }
        MessageType::DELETE_BEARER_COMMAND => {
            Message::DeleteBearerFailureIndication(DeleteBearerFailureIndication::new(cause))
        }
        MessageType::BEARER_RESOURCE_COMMAND => {
            Message::BearerResourceFailureIndication(BearerResourceFailureIndication::new(cause))
        }
        MessageType::DELETE_BEARER_REQUEST => {
            Message::DeleteBearerResponse(DeleteBearerResponse::new(cause))
        }
        MessageType::CHANGE_NOTIFICATION_REQUEST => {
            Message::ChangeNotificationResponse(ChangeNotificationResponse::new(cause))
        }
        MessageType::SUSPEND_NOTIFICATION => Message::SuspendAcknowledge(Acknowledge { cause }),
        MessageType::RESUME_NOTIFICATION => Message::ResumeAcknowledge(Acknowledge { cause }),
        MessageType::DELETE_PDN_CONNECTION_SET_REQUEST => {
            Message::DeletePdnConnectionSetResponse(DeletePdnConnectionSetResponse::new(cause))
        }
        _ => return None,
    })
}
