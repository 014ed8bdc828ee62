//! Create Session Request and Response, TS 29.274 §7.2.1 and §7.2.2.

use alloc::vec::Vec;

use heiiki_types::{Ambr, Apn, Ebi, Imsi, Msisdn, PlmnId};

use super::presence::{self, ReferencePoint};
use super::{Reject, contexts};
use crate::c::ie::{
    AccessPointName, AdditionalProtocolConfigurationOptions, ApnAmbr, ApnRestriction,
    BearerContextCreated, BearerContextToBeCreated, CauseIe, ChargingCharacteristics, EpsBearerId,
    ExtendedProtocolConfigurationOptions, FTeid, FqCsid, Ies, ImsiIe, Indication, Mei, MsisdnIe,
    Paa, PdnType, PgwAddress, ProtocolConfigurationOptions, RAT_TYPE_EUTRAN, RatType, Recovery,
    SelectionMode, ServingNetwork, UeTimeZone, Uli, write, write_contexts, write_option,
};

/// Create Session Request, TS 29.274 Table 7.2.1-1: sets up a PDN connection with its default
/// bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateSessionRequest {
    /// The subscriber. Always there on S5/S8: this core serves nobody without a SIM.
    pub imsi: Option<Imsi>,
    /// The subscriber's number.
    pub msisdn: Option<Msisdn>,
    /// The equipment.
    pub mei: Option<Mei>,
    /// Where the UE is.
    pub uli: Option<Uli>,
    /// The network that serves the UE.
    pub serving_network: Option<PlmnId>,
    /// The access, [`RAT_TYPE_EUTRAN`] for LTE.
    pub rat_type: u8,
    /// Flags.
    pub indication: Option<Indication>,
    /// The sender's own tunnel end for control messages.
    pub sender_f_teid: FTeid,
    /// The PGW to use; on S11 only.
    pub pgw_s5s8_address: Option<PgwAddress>,
    /// The access point name, with or without the operator identifier.
    pub apn: Apn,
    /// Who chose the APN: 0 subscribed and verified, 1 from the UE, 2 from the network.
    pub selection_mode: Option<u8>,
    /// The kind of address wanted.
    pub pdn_type: Option<PdnType>,
    /// The static address of the subscription, or zeros for a dynamic one.
    pub paa: Option<Paa>,
    /// The strictest restriction of the UE's other APNs, 0 to 4.
    pub maximum_apn_restriction: Option<u8>,
    /// The aggregate rate of the subscription.
    pub apn_ambr: Option<Ambr>,
    /// The default bearer of a connection that is being moved.
    pub linked_ebi: Option<Ebi>,
    /// What the UE asks the PGW; see [`crate::pco`].
    pub pco: Option<Vec<u8>>,
    /// What an access network other than LTE asks in the UE's place, in the form of `pco`.
    pub apco: Option<Vec<u8>>,
    /// What the UE asks in the extended form, in the place of `pco`.
    pub epco: Option<Vec<u8>>,
    /// The set that the connection belongs to at the MME.
    pub mme_csid: Option<FqCsid>,
    /// The set that the connection belongs to at the SGW.
    pub sgw_csid: Option<FqCsid>,
    /// The bearers, the default one first. At least one, at most eleven are read.
    pub bearer_contexts: Vec<BearerContextToBeCreated>,
    /// The sender's restart counter.
    pub recovery: Option<u8>,
    /// The UE's local time.
    pub ue_time_zone: Option<UeTimeZone>,
    /// The subscriber's charging profile.
    pub charging_characteristics: Option<u16>,
}

impl CreateSessionRequest {
    /// A request over LTE with the mandatory elements alone; S5/S8 asks for more of them
    /// ([`ReferencePoint::S5S8`]).
    pub const fn new(
        sender_f_teid: FTeid,
        apn: Apn,
        bearer_contexts: Vec<BearerContextToBeCreated>,
    ) -> Self {
        Self {
            imsi: None,
            msisdn: None,
            mei: None,
            uli: None,
            serving_network: None,
            rat_type: RAT_TYPE_EUTRAN,
            indication: None,
            sender_f_teid,
            pgw_s5s8_address: None,
            apn,
            selection_mode: None,
            pdn_type: None,
            paa: None,
            maximum_apn_restriction: None,
            apn_ambr: None,
            linked_ebi: None,
            pco: None,
            apco: None,
            epco: None,
            mme_csid: None,
            sgw_csid: None,
            bearer_contexts,
            recovery: None,
            ue_time_zone: None,
            charging_characteristics: None,
        }
    }

    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check(presence::CREATE_SESSION_REQUEST, on, ies)?;
        Ok(Self {
            imsi: ies.optional::<ImsiIe>(0),
            msisdn: ies.optional::<MsisdnIe>(0),
            mei: ies.optional::<Mei>(0),
            uli: ies.optional::<Uli>(0),
            serving_network: ies.optional::<ServingNetwork>(0),
            rat_type: ies.mandatory::<RatType>(0)?,
            indication: ies.optional::<Indication>(0),
            sender_f_teid: ies.mandatory::<FTeid>(0)?,
            pgw_s5s8_address: ies.optional::<PgwAddress>(1),
            apn: ies.mandatory::<AccessPointName>(0)?,
            selection_mode: ies.optional::<SelectionMode>(0),
            pdn_type: ies.optional::<PdnType>(0),
            paa: ies.optional::<Paa>(0),
            maximum_apn_restriction: ies.optional::<ApnRestriction>(0),
            apn_ambr: ies.optional::<ApnAmbr>(0),
            linked_ebi: ies.optional::<EpsBearerId>(0),
            pco: ies.optional::<ProtocolConfigurationOptions>(0),
            apco: ies.optional::<AdditionalProtocolConfigurationOptions>(0),
            epco: ies.optional::<ExtendedProtocolConfigurationOptions>(0),
            mme_csid: ies.optional::<FqCsid>(0),
            sgw_csid: ies.optional::<FqCsid>(1),
            bearer_contexts: contexts(ies),
            recovery: ies.optional::<Recovery>(0),
            ue_time_zone: ies.optional::<UeTimeZone>(0),
            charging_characteristics: ies.optional::<ChargingCharacteristics>(0),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write_option::<ImsiIe>(out, 0, self.imsi.as_ref());
        write_option::<MsisdnIe>(out, 0, self.msisdn.as_ref());
        write_option::<Mei>(out, 0, self.mei.as_ref());
        write_option::<Uli>(out, 0, self.uli.as_ref());
        write_option::<ServingNetwork>(out, 0, self.serving_network.as_ref());
        write::<RatType>(out, 0, &self.rat_type);
        write_option::<Indication>(out, 0, self.indication.as_ref());
        write::<FTeid>(out, 0, &self.sender_f_teid);
        write_option::<PgwAddress>(out, 1, self.pgw_s5s8_address.as_ref());
        write::<AccessPointName>(out, 0, &self.apn);
        write_option::<SelectionMode>(out, 0, self.selection_mode.as_ref());
        write_option::<PdnType>(out, 0, self.pdn_type.as_ref());
        write_option::<Paa>(out, 0, self.paa.as_ref());
        write_option::<ApnRestriction>(out, 0, self.maximum_apn_restriction.as_ref());
        write_option::<ApnAmbr>(out, 0, self.apn_ambr.as_ref());
        write_option::<EpsBearerId>(out, 0, self.linked_ebi.as_ref());
        write_option::<ProtocolConfigurationOptions>(out, 0, self.pco.as_ref());
        write_contexts(out, &self.bearer_contexts);
        write_option::<FqCsid>(out, 0, self.mme_csid.as_ref());
        write_option::<FqCsid>(out, 1, self.sgw_csid.as_ref());
        write_option::<Recovery>(out, 0, self.recovery.as_ref());
        write_option::<UeTimeZone>(out, 0, self.ue_time_zone.as_ref());
        write_option::<ChargingCharacteristics>(out, 0, self.charging_characteristics.as_ref());
        write_option::<AdditionalProtocolConfigurationOptions>(out, 0, self.apco.as_ref());
        write_option::<ExtendedProtocolConfigurationOptions>(out, 0, self.epco.as_ref());
    }
}

/// Create Session Response, TS 29.274 Table 7.2.2-1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateSessionResponse {
    /// Whether there is a session now.
    pub cause: CauseIe,
    /// The SGW's tunnel end for control messages; on S11 only.
    pub sender_f_teid: Option<FTeid>,
    /// The PGW's tunnel end for control messages.
    pub pgw_s5s8_f_teid: Option<FTeid>,
    /// The address that the UE got.
    pub paa: Option<Paa>,
    /// The restriction of this APN, 0 to 4.
    pub apn_restriction: Option<u8>,
    /// The aggregate rate, when the PGW changed it.
    pub apn_ambr: Option<Ambr>,
    /// The default bearer of a connection that was moved.
    pub linked_ebi: Option<Ebi>,
    /// What the PGW tells the UE; see [`crate::pco`].
    pub pco: Option<Vec<u8>>,
    /// The answer to the request's `apco`.
    pub apco: Option<Vec<u8>>,
    /// What the PGW tells the UE in the extended form.
    pub epco: Option<Vec<u8>>,
    /// The bearers.
    pub bearer_contexts: Vec<BearerContextCreated>,
    /// The sender's restart counter.
    pub recovery: Option<u8>,
}

impl CreateSessionResponse {
    /// A response with a cause and nothing else, as a refusal is.
    pub const fn new(cause: CauseIe) -> Self {
        Self {
            cause,
            sender_f_teid: None,
            pgw_s5s8_f_teid: None,
            paa: None,
            apn_restriction: None,
            apn_ambr: None,
            linked_ebi: None,
            pco: None,
            apco: None,
            epco: None,
            bearer_contexts: Vec::new(),
            recovery: None,
        }
    }

    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check_response(presence::CREATE_SESSION_RESPONSE, on, ies)?;
        Ok(Self {
            cause: ies.mandatory::<CauseIe>(0)?,
            sender_f_teid: ies.optional::<FTeid>(0),
            pgw_s5s8_f_teid: ies.optional::<FTeid>(1),
            paa: ies.optional::<Paa>(0),
            apn_restriction: ies.optional::<ApnRestriction>(0),
            apn_ambr: ies.optional::<ApnAmbr>(0),
            linked_ebi: ies.optional::<EpsBearerId>(0),
            pco: ies.optional::<ProtocolConfigurationOptions>(0),
            apco: ies.optional::<AdditionalProtocolConfigurationOptions>(0),
            epco: ies.optional::<ExtendedProtocolConfigurationOptions>(0),
            bearer_contexts: contexts(ies),
            recovery: ies.optional::<Recovery>(0),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write::<CauseIe>(out, 0, &self.cause);
        write_option::<FTeid>(out, 0, self.sender_f_teid.as_ref());
        write_option::<FTeid>(out, 1, self.pgw_s5s8_f_teid.as_ref());
        write_option::<Paa>(out, 0, self.paa.as_ref());
        write_option::<ApnRestriction>(out, 0, self.apn_restriction.as_ref());
        write_option::<ApnAmbr>(out, 0, self.apn_ambr.as_ref());
        write_option::<EpsBearerId>(out, 0, self.linked_ebi.as_ref());
        write_option::<ProtocolConfigurationOptions>(out, 0, self.pco.as_ref());
        write_contexts(out, &self.bearer_contexts);
        write_option::<Recovery>(out, 0, self.recovery.as_ref());
        write_option::<AdditionalProtocolConfigurationOptions>(out, 0, self.apco.as_ref());
        write_option::<ExtendedProtocolConfigurationOptions>(out, 0, self.epco.as_ref());
    }
}
