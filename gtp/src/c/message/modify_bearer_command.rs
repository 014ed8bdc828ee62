//! Modify Bearer Command and Failure Indication, TS 29.274 §7.2.14.

use alloc::vec::Vec;

use heiiki_types::Ambr;

use super::presence::{self, ReferencePoint};
use super::{Reject, contexts};
use crate::c::ie::{
    ApnAmbr, BearerContextToChange, CauseIe, FTeid, Ies, Recovery, write, write_contexts,
    write_option,
};

/// Modify Bearer Command, TS 29.274 Table 7.2.14.1-1: the subscription has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModifyBearerCommand {
    /// The aggregate rate of the subscription.
    pub apn_ambr: Ambr,
    /// The default bearer. One is expected.
    pub bearer_contexts: Vec<BearerContextToChange>,
    /// The SGW's tunnel end for control messages, as it was last said.
    pub sender_f_teid: Option<FTeid>,
}

impl ModifyBearerCommand {
    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check(presence::MODIFY_BEARER_COMMAND, on, ies)?;
        Ok(Self {
            apn_ambr: ies.mandatory::<ApnAmbr>(0)?,
            bearer_contexts: contexts(ies),
            sender_f_teid: ies.optional::<FTeid>(0),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write::<ApnAmbr>(out, 0, &self.apn_ambr);
        write_contexts(out, &self.bearer_contexts);
        write_option::<FTeid>(out, 0, self.sender_f_teid.as_ref());
    }
}

/// Modify Bearer Failure Indication, TS 29.274 Table 7.2.14.2-1: the command is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModifyBearerFailureIndication {
    /// Why.
    pub cause: CauseIe,
    /// The sender's restart counter.
    pub recovery: Option<u8>,
}

impl ModifyBearerFailureIndication {
    /// An indication with a cause and nothing else.
    pub const fn new(cause: CauseIe) -> Self {
        Self {
            cause,
            recovery: None,
        }
    }

    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check(presence::MODIFY_BEARER_FAILURE_INDICATION, on, ies)?;
        Ok(Self {
            cause: ies.mandatory::<CauseIe>(0)?,
            recovery: ies.optional::<Recovery>(0),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write::<CauseIe>(out, 0, &self.cause);
        write_option::<Recovery>(out, 0, self.recovery.as_ref());
    }
}
