//! Delete Bearer Command and Failure Indication, TS 29.274 §7.2.17.

use alloc::vec::Vec;

use super::presence::{self, ReferencePoint};
use super::{Reject, contexts};
use crate::c::ie::{
    BearerContextDeleted, BearerContextNamed, CauseIe, FTeid, Ies, Recovery, UeTimeZone, Uli,
    write, write_contexts, write_option,
};

/// Delete Bearer Command, TS 29.274 Table 7.2.17.1-1: the access has lost dedicated bearers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteBearerCommand {
    /// The bearers.
    pub bearer_contexts: Vec<BearerContextNamed>,
    /// Where the UE is.
    pub uli: Option<Uli>,
    /// The UE's local time.
    pub ue_time_zone: Option<UeTimeZone>,
    /// The SGW's tunnel end for control messages, as it was last said.
    pub sender_f_teid: Option<FTeid>,
}

impl DeleteBearerCommand {
    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check(presence::DELETE_BEARER_COMMAND, on, ies)?;
        Ok(Self {
            bearer_contexts: contexts(ies),
            uli: ies.optional::<Uli>(0),
            ue_time_zone: ies.optional::<UeTimeZone>(0),
            sender_f_teid: ies.optional::<FTeid>(0),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write_contexts(out, &self.bearer_contexts);
        write_option::<Uli>(out, 0, self.uli.as_ref());
        write_option::<UeTimeZone>(out, 0, self.ue_time_zone.as_ref());
        write_option::<FTeid>(out, 0, self.sender_f_teid.as_ref());
    }
}

/// Delete Bearer Failure Indication, TS 29.274 Table 7.2.17.2-1: the command is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteBearerFailureIndication {
    /// Why.
    pub cause: CauseIe,
    /// The bearers that stay.
    pub bearer_contexts: Vec<BearerContextDeleted>,
    /// The sender's restart counter.
    pub recovery: Option<u8>,
}

impl DeleteBearerFailureIndication {
    /// An indication with a cause and nothing else.
    pub const fn new(cause: CauseIe) -> Self {
        Self {
            cause,
            bearer_contexts: Vec::new(),
            recovery: None,
        }
    }

    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check(presence::DELETE_BEARER_FAILURE_INDICATION, on, ies)?;
        Ok(Self {
            cause: ies.mandatory::<CauseIe>(0)?,
            bearer_contexts: contexts(ies),
            recovery: ies.optional::<Recovery>(0),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write::<CauseIe>(out, 0, &self.cause);
        write_contexts(out, &self.bearer_contexts);
        write_option::<Recovery>(out, 0, self.recovery.as_ref());
    }
}
