//! Modify Bearer Request and Response, TS 29.274 §7.2.7 and §7.2.8.

use alloc::vec::Vec;

use heiiki_types::{Ambr, Ebi, Imsi, Msisdn, PlmnId};

use super::presence::{self, ReferencePoint};
use super::{Reject, contexts, contexts_at};
use crate::c::ie::{
    ApnAmbr, ApnRestriction, BearerContextDeleted, BearerContextModified, BearerContextNamed,
    BearerContextToBeModified, CauseIe, EpsBearerId, FTeid, Ies, ImsiIe, Indication, Mei, MsisdnIe,
    ProtocolConfigurationOptions, RatType, Recovery, ServingNetwork, UeTimeZone, Uli, write,
    write_contexts, write_contexts_at, write_option,
};

/// Modify Bearer Request, TS 29.274 Table 7.2.7-1: moves the near end of the tunnels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModifyBearerRequest {
    /// The subscriber.
    pub imsi: Option<Imsi>,
    /// The equipment.
    pub mei: Option<Mei>,
    /// Where the UE is.
    pub uli: Option<Uli>,
    /// The network that serves the UE.
    pub serving_network: Option<PlmnId>,
    /// The access.
    pub rat_type: Option<u8>,
    /// Flags.
    pub indication: Option<Indication>,
    /// The sender's tunnel end for control messages, when it changes.
    pub sender_f_teid: Option<FTeid>,
    /// The aggregate rate.
    pub apn_ambr: Option<Ambr>,
    /// The bearers.
    pub bearer_contexts: Vec<BearerContextToBeModified>,
    /// Bearers that the SGW or the MME could not keep.
    pub removed: Vec<BearerContextNamed>,
    /// The sender's restart counter.
    pub recovery: Option<u8>,
    /// The UE's local time.
    pub ue_time_zone: Option<UeTimeZone>,
}

impl ModifyBearerRequest {
    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check(presence::MODIFY_BEARER_REQUEST, on, ies)?;
        Ok(Self {
            imsi: ies.optional::<ImsiIe>(0),
            mei: ies.optional::<Mei>(0),
            uli: ies.optional::<Uli>(0),
            serving_network: ies.optional::<ServingNetwork>(0),
            rat_type: ies.optional::<RatType>(0),
            indication: ies.optional::<Indication>(0),
            sender_f_teid: ies.optional::<FTeid>(0),
            apn_ambr: ies.optional::<ApnAmbr>(0),
            bearer_contexts: contexts(ies),
            removed: contexts_at(ies, 1),
            recovery: ies.optional::<Recovery>(0),
            ue_time_zone: ies.optional::<UeTimeZone>(0),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write_option::<Mei>(out, 0, self.mei.as_ref());
        write_option::<Uli>(out, 0, self.uli.as_ref());
        write_option::<ServingNetwork>(out, 0, self.serving_network.as_ref());
        write_option::<RatType>(out, 0, self.rat_type.as_ref());
        write_option::<Indication>(out, 0, self.indication.as_ref());
        write_option::<FTeid>(out, 0, self.sender_f_teid.as_ref());
        write_option::<ApnAmbr>(out, 0, self.apn_ambr.as_ref());
        write_contexts(out, &self.bearer_contexts);
        write_contexts_at(out, 1, &self.removed);
        write_option::<Recovery>(out, 0, self.recovery.as_ref());
        write_option::<UeTimeZone>(out, 0, self.ue_time_zone.as_ref());
        write_option::<ImsiIe>(out, 0, self.imsi.as_ref());
    }
}

/// Modify Bearer Response, TS 29.274 Table 7.2.8-1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModifyBearerResponse {
    /// Whether the tunnels moved.
    pub cause: CauseIe,
    /// The subscriber's number, for an SGW that is new to the connection.
    pub msisdn: Option<Msisdn>,
    /// The default bearer.
    pub linked_ebi: Option<Ebi>,
    /// The restriction of the APN, 0 to 4.
    pub apn_restriction: Option<u8>,
    /// What the PGW tells the UE.
    pub pco: Option<Vec<u8>>,
    /// The bearers.
    pub bearer_contexts: Vec<BearerContextModified>,
    /// Bearers that the PGW does not have or keep (Bearer Contexts marked for removal).
    pub marked: Vec<BearerContextDeleted>,
    /// The sender's restart counter.
    pub recovery: Option<u8>,
}

impl ModifyBearerResponse {
    /// A response with a cause and nothing else, as a refusal is.
    pub const fn new(cause: CauseIe) -> Self {
        Self {
            cause,
            msisdn: None,
            linked_ebi: None,
            apn_restriction: None,
            pco: None,
            bearer_contexts: Vec::new(),
            marked: Vec::new(),
            recovery: None,
        }
    }

    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check_response(presence::MODIFY_BEARER_RESPONSE, on, ies)?;
        Ok(Self {
            cause: ies.mandatory::<CauseIe>(0)?,
            msisdn: ies.optional::<MsisdnIe>(0),
            linked_ebi: ies.optional::<EpsBearerId>(0),
            apn_restriction: ies.optional::<ApnRestriction>(0),
            pco: ies.optional::<ProtocolConfigurationOptions>(0),
            bearer_contexts: contexts(ies),
            marked: contexts_at(ies, 1),
            recovery: ies.optional::<Recovery>(0),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write::<CauseIe>(out, 0, &self.cause);
        write_option::<MsisdnIe>(out, 0, self.msisdn.as_ref());
        write_option::<EpsBearerId>(out, 0, self.linked_ebi.as_ref());
        write_option::<ApnRestriction>(out, 0, self.apn_restriction.as_ref());
        write_option::<ProtocolConfigurationOptions>(out, 0, self.pco.as_ref());
        write_contexts(out, &self.bearer_contexts);
        write_contexts_at(out, 1, &self.marked);
        write_option::<Recovery>(out, 0, self.recovery.as_ref());
    }
}
