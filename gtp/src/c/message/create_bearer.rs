//! Create Bearer Request and Response, TS 29.274 §7.2.3 and §7.2.4.

use alloc::vec::Vec;

use heiiki_types::Ebi;

use super::presence::{self, ReferencePoint};
use super::{Reject, contexts};
use crate::c::ie::{
    BearerContextAccepted, BearerContextRequested, CauseIe, EpsBearerId, Ies, Indication,
    ProcedureTransactionId, ProtocolConfigurationOptions, Recovery, UeTimeZone, Uli, write,
    write_contexts, write_option,
};

/// Create Bearer Request, TS 29.274 Table 7.2.3-1: the PGW wants dedicated bearers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateBearerRequest {
    /// The number of the UE's request that this carries out.
    pub pti: Option<u8>,
    /// The default bearer of the connection.
    pub linked_ebi: Ebi,
    /// What the PGW tells the UE.
    pub pco: Option<Vec<u8>>,
    /// The bearers.
    pub bearer_contexts: Vec<BearerContextRequested>,
    /// Flags.
    pub indication: Option<Indication>,
}

impl CreateBearerRequest {
    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check(presence::CREATE_BEARER_REQUEST, on, ies)?;
        Ok(Self {
            pti: ies.optional::<ProcedureTransactionId>(0),
            linked_ebi: ies.mandatory::<EpsBearerId>(0)?,
            pco: ies.optional::<ProtocolConfigurationOptions>(0),
            bearer_contexts: contexts(ies),
            indication: ies.optional::<Indication>(0),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write_option::<ProcedureTransactionId>(out, 0, self.pti.as_ref());
        write::<EpsBearerId>(out, 0, &self.linked_ebi);
        write_option::<ProtocolConfigurationOptions>(out, 0, self.pco.as_ref());
        write_contexts(out, &self.bearer_contexts);
        write_option::<Indication>(out, 0, self.indication.as_ref());
    }
}

/// Create Bearer Response, TS 29.274 Table 7.2.4-1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateBearerResponse {
    /// Whether there are bearers now: all, some, or none.
    pub cause: CauseIe,
    /// The bearers, each with a cause of its own.
    pub bearer_contexts: Vec<BearerContextAccepted>,
    /// The sender's restart counter.
    pub recovery: Option<u8>,
    /// What the UE tells the PGW.
    pub pco: Option<Vec<u8>>,
    /// The UE's local time.
    pub ue_time_zone: Option<UeTimeZone>,
    /// Where the UE is.
    pub uli: Option<Uli>,
}

impl CreateBearerResponse {
    /// A response with a cause and nothing else, as a refusal is.
    pub const fn new(cause: CauseIe) -> Self {
        Self {
            cause,
            bearer_contexts: Vec::new(),
            recovery: None,
            pco: None,
            ue_time_zone: None,
            uli: None,
        }
    }

    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check_response(presence::CREATE_BEARER_RESPONSE, on, ies)?;
        Ok(Self {
            cause: ies.mandatory::<CauseIe>(0)?,
            bearer_contexts: contexts(ies),
            recovery: ies.optional::<Recovery>(0),
            pco: ies.optional::<ProtocolConfigurationOptions>(0),
            ue_time_zone: ies.optional::<UeTimeZone>(0),
            uli: ies.optional::<Uli>(0),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write::<CauseIe>(out, 0, &self.cause);
        write_contexts(out, &self.bearer_contexts);
        write_option::<Recovery>(out, 0, self.recovery.as_ref());
        write_option::<ProtocolConfigurationOptions>(out, 0, self.pco.as_ref());
        write_option::<UeTimeZone>(out, 0, self.ue_time_zone.as_ref());
        write_option::<Uli>(out, 0, self.uli.as_ref());
    }
}
