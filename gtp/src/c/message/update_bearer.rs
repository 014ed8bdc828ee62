//! Update Bearer Request and Response, TS 29.274 §7.2.15 and §7.2.16.

use alloc::vec::Vec;

use heiiki_types::Ambr;

use super::presence::{self, ReferencePoint};
use super::{Reject, contexts};
use crate::c::ie::{
    ApnAmbr, BearerContextDeleted, BearerContextToBeUpdated, CauseIe, Ies, Indication,
    ProcedureTransactionId, ProtocolConfigurationOptions, Recovery, UeTimeZone, Uli, write,
    write_contexts, write_option,
};

/// Update Bearer Request, TS 29.274 Table 7.2.15-1: rates, quality of service or filters change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateBearerRequest {
    /// The bearers.
    pub bearer_contexts: Vec<BearerContextToBeUpdated>,
    /// The number of the UE's request that this carries out.
    pub pti: Option<u8>,
    /// What the PGW tells the UE.
    pub pco: Option<Vec<u8>>,
    /// The aggregate rate, changed or not.
    pub apn_ambr: Ambr,
    /// Flags.
    pub indication: Option<Indication>,
}

impl UpdateBearerRequest {
    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check(presence::UPDATE_BEARER_REQUEST, on, ies)?;
        Ok(Self {
            bearer_contexts: contexts(ies),
            pti: ies.optional::<ProcedureTransactionId>(0),
            pco: ies.optional::<ProtocolConfigurationOptions>(0),
            apn_ambr: ies.mandatory::<ApnAmbr>(0)?,
            indication: ies.optional::<Indication>(0),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write_contexts(out, &self.bearer_contexts);
        write_option::<ProcedureTransactionId>(out, 0, self.pti.as_ref());
        write_option::<ProtocolConfigurationOptions>(out, 0, self.pco.as_ref());
        write::<ApnAmbr>(out, 0, &self.apn_ambr);
        write_option::<Indication>(out, 0, self.indication.as_ref());
    }
}

/// Update Bearer Response, TS 29.274 Table 7.2.16-1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateBearerResponse {
    /// Whether the bearers changed: all, some, or none.
    pub cause: CauseIe,
    /// The bearers, each with a cause of its own.
    pub bearer_contexts: Vec<BearerContextDeleted>,
    /// What the UE tells the PGW.
    pub pco: Option<Vec<u8>>,
    /// The sender's restart counter.
    pub recovery: Option<u8>,
    /// The UE's local time.
    pub ue_time_zone: Option<UeTimeZone>,
    /// Where the UE is.
    pub uli: Option<Uli>,
}

impl UpdateBearerResponse {
    /// A response with a cause and nothing else, as a refusal is.
    pub const fn new(cause: CauseIe) -> Self {
        Self {
            cause,
            bearer_contexts: Vec::new(),
            pco: None,
            recovery: None,
            ue_time_zone: None,
            uli: None,
        }
    }

    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check_response(presence::UPDATE_BEARER_RESPONSE, on, ies)?;
        Ok(Self {
            cause: ies.mandatory::<CauseIe>(0)?,
            bearer_contexts: contexts(ies),
            pco: ies.optional::<ProtocolConfigurationOptions>(0),
            recovery: ies.optional::<Recovery>(0),
            ue_time_zone: ies.optional::<UeTimeZone>(0),
            uli: ies.optional::<Uli>(0),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write::<CauseIe>(out, 0, &self.cause);
        write_contexts(out, &self.bearer_contexts);
        write_option::<ProtocolConfigurationOptions>(out, 0, self.pco.as_ref());
        write_option::<Recovery>(out, 0, self.recovery.as_ref());
        write_option::<UeTimeZone>(out, 0, self.ue_time_zone.as_ref());
        write_option::<Uli>(out, 0, self.uli.as_ref());
    }
}
