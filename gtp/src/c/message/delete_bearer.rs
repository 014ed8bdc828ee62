//! Delete Bearer Request and Response, TS 29.274 §7.2.9.2 and §7.2.10.2.

use alloc::vec::Vec;

use heiiki_types::Ebi;

use super::presence::{self, ReferencePoint};
use super::{Reject, contexts};
use crate::c::ie::{
    BEARERS_MAX, BearerContextDeleted, Cause, CauseIe, EpsBearerId, Ie, Ies,
    ProcedureTransactionId, ProtocolConfigurationOptions, Recovery, UeTimeZone, Uli, ie_type,
    write, write_contexts, write_option,
};
use crate::octets::Reader;

/// Delete Bearer Request, TS 29.274 Table 7.2.9.2-1: the PGW takes bearers down. The linked EBI
/// names a default bearer and with it the whole PDN connection; the EBIs name dedicated bearers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteBearerRequest {
    /// The default bearer of a connection that goes as a whole.
    pub linked_ebi: Option<Ebi>,
    /// The dedicated bearers that go, when the connection stays.
    pub ebis: Vec<Ebi>,
    /// Bearers that a command named and that cannot go.
    pub failed: Vec<BearerContextDeleted>,
    /// The number of the UE's request that this carries out.
    pub pti: Option<u8>,
    /// What the PGW tells the UE.
    pub pco: Option<Vec<u8>>,
    /// Why: for example [`Cause::REACTIVATION_REQUESTED`] or
    /// [`Cause::PDN_RECONNECTION_TO_THIS_APN_DISALLOWED`].
    pub cause: Option<Cause>,
}

impl DeleteBearerRequest {
    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check(presence::DELETE_BEARER_REQUEST, on, ies)?;
        let ebis = ies
            .all(ie_type::EBI, 1)
            .take(BEARERS_MAX)
            .filter_map(|o| EpsBearerId::decode(&mut Reader::new(o)).ok())
            .collect();
        Ok(Self {
            linked_ebi: ies.optional::<EpsBearerId>(0),
            ebis,
            failed: contexts(ies),
            pti: ies.optional::<ProcedureTransactionId>(0),
            pco: ies.optional::<ProtocolConfigurationOptions>(0),
            cause: ies.optional::<CauseIe>(0).map(|c| c.cause),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write_option::<EpsBearerId>(out, 0, self.linked_ebi.as_ref());
        for ebi in &self.ebis {
            write::<EpsBearerId>(out, 1, ebi);
        }
        write_contexts(out, &self.failed);
        write_option::<ProcedureTransactionId>(out, 0, self.pti.as_ref());
        write_option::<ProtocolConfigurationOptions>(out, 0, self.pco.as_ref());
        let cause = self.cause.map(CauseIe::new);
        write_option::<CauseIe>(out, 0, cause.as_ref());
    }
}

/// Delete Bearer Response, TS 29.274 Table 7.2.10.2-1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteBearerResponse {
    /// Whether the bearers are gone.
    pub cause: CauseIe,
    /// The default bearer, as in the request.
    pub linked_ebi: Option<Ebi>,
    /// The dedicated bearers.
    pub bearer_contexts: Vec<BearerContextDeleted>,
    /// The sender's restart counter.
    pub recovery: Option<u8>,
    /// What the UE tells the PGW.
    pub pco: Option<Vec<u8>>,
    /// The UE's local time.
    pub ue_time_zone: Option<UeTimeZone>,
    /// Where the UE was last.
    pub uli: Option<Uli>,
}

impl DeleteBearerResponse {
    /// A response with a cause and nothing else.
    pub const fn new(cause: CauseIe) -> Self {
        Self {
            cause,
            linked_ebi: None,
            bearer_contexts: Vec::new(),
            recovery: None,
            pco: None,
            ue_time_zone: None,
            uli: None,
        }
    }

    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check_response(presence::DELETE_BEARER_RESPONSE, on, ies)?;
        Ok(Self {
            cause: ies.mandatory::<CauseIe>(0)?,
            linked_ebi: ies.optional::<EpsBearerId>(0),
            bearer_contexts: contexts(ies),
            recovery: ies.optional::<Recovery>(0),
            pco: ies.optional::<ProtocolConfigurationOptions>(0),
            ue_time_zone: ies.optional::<UeTimeZone>(0),
            uli: ies.optional::<Uli>(0),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write::<CauseIe>(out, 0, &self.cause);
        write_option::<EpsBearerId>(out, 0, self.linked_ebi.as_ref());
        write_contexts(out, &self.bearer_contexts);
        write_option::<Recovery>(out, 0, self.recovery.as_ref());
        write_option::<ProtocolConfigurationOptions>(out, 0, self.pco.as_ref());
        write_option::<UeTimeZone>(out, 0, self.ue_time_zone.as_ref());
        write_option::<Uli>(out, 0, self.uli.as_ref());
    }
}
