//! Bearer Context, TS 29.274 §8.28: an element that holds elements.
//!
//! What it holds depends on the message; the tables of the messages give each kind a title, and
//! the types here carry these titles.

use alloc::vec::Vec;

use heiiki_types::Ebi;

use super::{
    BearerFlags, BearerQos, BearerTft, CauseIe, ChargingId, EpsBearerId, EpsBearerIdOrZero, FTeid,
    Ies, ProtocolConfigurationOptions, ie_type, write, write_option,
};
use crate::c::message::Reject;

/// A kind of Bearer Context.
pub(crate) trait BearerContext: Sized {
    /// Reads the members; the presence rules were checked before.
    fn decode(ies: &Ies<'_>) -> Result<Self, Reject>;

    /// Writes the members.
    fn encode(&self, out: &mut Vec<u8>);
}

/// Writes a list of Bearer Contexts, instance 0.
pub(crate) fn write_contexts<T: BearerContext>(out: &mut Vec<u8>, contexts: &[T]) {
    write_contexts_at(out, 0, contexts);
}

/// Writes a list of Bearer Contexts of this instance.
pub(crate) fn write_contexts_at<T: BearerContext>(out: &mut Vec<u8>, instance: u8, contexts: &[T]) {
    for context in contexts {
        super::write_with(out, ie_type::BEARER_CONTEXT, instance, |out| {
            context.encode(out);
        });
    }
}

/// Bearer Context to be created, TS 29.274 Table 7.2.1-2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerContextToBeCreated {
    /// The bearer.
    pub ebi: Ebi,
    /// Its filters; a default bearer has none.
    pub tft: Option<Vec<u8>>,
    /// Where the PGW sends downlink packets (S5/S8-U SGW F-TEID, instance 2).
    pub s5s8_u_sgw_f_teid: Option<FTeid>,
    /// Its quality of service.
    pub bearer_qos: BearerQos,
}

impl BearerContext for BearerContextToBeCreated {
    fn decode(ies: &Ies<'_>) -> Result<Self, Reject> {
        Ok(Self {
            ebi: ies.mandatory::<EpsBearerId>(0)?,
            tft: ies.optional::<BearerTft>(0),
            s5s8_u_sgw_f_teid: ies.optional::<FTeid>(2),
            bearer_qos: ies.mandatory::<BearerQos>(0)?,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        write::<EpsBearerId>(out, 0, &self.ebi);
        write_option::<BearerTft>(out, 0, self.tft.as_ref());
        write_option::<FTeid>(out, 2, self.s5s8_u_sgw_f_teid.as_ref());
        write::<BearerQos>(out, 0, &self.bearer_qos);
    }
}

/// Bearer Context created, TS 29.274 Table 7.2.2-2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerContextCreated {
    /// The bearer.
    pub ebi: Ebi,
    /// Whether it was created.
    pub cause: CauseIe,
    /// Where the eNodeB sends uplink packets (S1-U SGW F-TEID, instance 0); on S11 only.
    pub s1_u_sgw_f_teid: Option<FTeid>,
    /// Where the SGW sends uplink packets (S5/S8-U PGW F-TEID, instance 2).
    pub s5s8_u_pgw_f_teid: Option<FTeid>,
    /// The quality of service, when the PGW changed it.
    pub bearer_qos: Option<BearerQos>,
    /// The number on its charging records.
    pub charging_id: Option<u32>,
}

impl BearerContext for BearerContextCreated {
    fn decode(ies: &Ies<'_>) -> Result<Self, Reject> {
        Ok(Self {
            ebi: ies.mandatory::<EpsBearerId>(0)?,
            cause: ies.mandatory::<CauseIe>(0)?,
            s1_u_sgw_f_teid: ies.optional::<FTeid>(0),
            s5s8_u_pgw_f_teid: ies.optional::<FTeid>(2),
            bearer_qos: ies.optional::<BearerQos>(0),
            charging_id: ies.optional::<ChargingId>(0),
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        write::<EpsBearerId>(out, 0, &self.ebi);
        write::<CauseIe>(out, 0, &self.cause);
        write_option::<FTeid>(out, 0, self.s1_u_sgw_f_teid.as_ref());
        write_option::<FTeid>(out, 2, self.s5s8_u_pgw_f_teid.as_ref());
        write_option::<BearerQos>(out, 0, self.bearer_qos.as_ref());
        write_option::<ChargingId>(out, 0, self.charging_id.as_ref());
    }
}

/// Bearer Context to be modified, TS 29.274 Table 7.2.7-2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerContextToBeModified {
    /// The bearer.
    pub ebi: Ebi,
    /// Where the SGW sends downlink packets (S1-U eNodeB F-TEID, instance 0); on S11 only.
    pub s1_u_enb_f_teid: Option<FTeid>,
    /// Where the PGW sends downlink packets from now on (S5/8-U SGW F-TEID, instance 1).
    pub s5s8_u_sgw_f_teid: Option<FTeid>,
}

impl BearerContext for BearerContextToBeModified {
    fn decode(ies: &Ies<'_>) -> Result<Self, Reject> {
        Ok(Self {
            ebi: ies.mandatory::<EpsBearerId>(0)?,
            s1_u_enb_f_teid: ies.optional::<FTeid>(0),
            s5s8_u_sgw_f_teid: ies.optional::<FTeid>(1),
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        write::<EpsBearerId>(out, 0, &self.ebi);
        write_option::<FTeid>(out, 0, self.s1_u_enb_f_teid.as_ref());
        write_option::<FTeid>(out, 1, self.s5s8_u_sgw_f_teid.as_ref());
    }
}

/// Bearer Context modified, TS 29.274 Table 7.2.8-2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerContextModified {
    /// The bearer.
    pub ebi: Ebi,
    /// Whether it was modified.
    pub cause: CauseIe,
    /// Where the eNodeB sends uplink packets (S1-U SGW F-TEID, instance 0); on S11 only.
    pub s1_u_sgw_f_teid: Option<FTeid>,
    /// The number on its charging records.
    pub charging_id: Option<u32>,
}

impl BearerContext for BearerContextModified {
    fn decode(ies: &Ies<'_>) -> Result<Self, Reject> {
        Ok(Self {
            ebi: ies.mandatory::<EpsBearerId>(0)?,
            cause: ies.mandatory::<CauseIe>(0)?,
            s1_u_sgw_f_teid: ies.optional::<FTeid>(0),
            charging_id: ies.optional::<ChargingId>(0),
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        write::<EpsBearerId>(out, 0, &self.ebi);
        write::<CauseIe>(out, 0, &self.cause);
        write_option::<FTeid>(out, 0, self.s1_u_sgw_f_teid.as_ref());
        write_option::<ChargingId>(out, 0, self.charging_id.as_ref());
    }
}

/// Bearer Context of a Create Bearer Request, TS 29.274 Table 7.2.3-2. Its identity is zero on the
/// wire: the MME assigns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerContextRequested {
    /// Its filters; see [`crate::tft`].
    pub tft: Vec<u8>,
    /// Where the eNodeB sends uplink packets (S1-U SGW F-TEID, instance 0); on S11 only.
    pub s1_u_sgw_f_teid: Option<FTeid>,
    /// Where the SGW sends uplink packets (S5/8-U PGW F-TEID, instance 1).
    pub s5s8_u_pgw_f_teid: Option<FTeid>,
    /// Its quality of service.
    pub bearer_qos: BearerQos,
    /// The number on its charging records.
    pub charging_id: Option<u32>,
    /// Flags.
    pub flags: Option<BearerFlags>,
    /// What the PGW tells the UE about this bearer.
    pub pco: Option<Vec<u8>>,
}

impl BearerContext for BearerContextRequested {
    fn decode(ies: &Ies<'_>) -> Result<Self, Reject> {
        Ok(Self {
            tft: ies.mandatory::<BearerTft>(0)?,
            s1_u_sgw_f_teid: ies.optional::<FTeid>(0),
            s5s8_u_pgw_f_teid: ies.optional::<FTeid>(1),
            bearer_qos: ies.mandatory::<BearerQos>(0)?,
            charging_id: ies.optional::<ChargingId>(0),
            flags: ies.optional::<BearerFlags>(0),
            pco: ies.optional::<ProtocolConfigurationOptions>(0),
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        write::<EpsBearerIdOrZero>(out, 0, &None);
        write::<BearerTft>(out, 0, &self.tft);
        write_option::<FTeid>(out, 0, self.s1_u_sgw_f_teid.as_ref());
        write_option::<FTeid>(out, 1, self.s5s8_u_pgw_f_teid.as_ref());
        write::<BearerQos>(out, 0, &self.bearer_qos);
        write_option::<ChargingId>(out, 0, self.charging_id.as_ref());
        write_option::<BearerFlags>(out, 0, self.flags.as_ref());
        write_option::<ProtocolConfigurationOptions>(out, 0, self.pco.as_ref());
    }
}

/// Bearer Context of a Create Bearer Response, TS 29.274 Table 7.2.4-2. The PGW knows which one it
/// is about by its own tunnel end, which comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerContextAccepted {
    /// The identity that the MME has assigned; `None` (zero on the wire) when the bearer was
    /// refused.
    pub ebi: Option<Ebi>,
    /// Whether it was created.
    pub cause: CauseIe,
    /// Where the PGW sends downlink packets (S5/8-U SGW F-TEID, instance 2).
    pub s5s8_u_sgw_f_teid: Option<FTeid>,
    /// The PGW's own end, as in the request (S5/8-U PGW F-TEID, instance 3).
    pub s5s8_u_pgw_f_teid: Option<FTeid>,
    /// What the UE tells the PGW.
    pub pco: Option<Vec<u8>>,
}

impl BearerContext for BearerContextAccepted {
    fn decode(ies: &Ies<'_>) -> Result<Self, Reject> {
        Ok(Self {
            ebi: ies.mandatory::<EpsBearerIdOrZero>(0)?,
            cause: ies.mandatory::<CauseIe>(0)?,
            s5s8_u_sgw_f_teid: ies.optional::<FTeid>(2),
            s5s8_u_pgw_f_teid: ies.optional::<FTeid>(3),
            pco: ies.optional::<ProtocolConfigurationOptions>(0),
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        write::<EpsBearerIdOrZero>(out, 0, &self.ebi);
        write::<CauseIe>(out, 0, &self.cause);
        write_option::<FTeid>(out, 2, self.s5s8_u_sgw_f_teid.as_ref());
        write_option::<FTeid>(out, 3, self.s5s8_u_pgw_f_teid.as_ref());
        write_option::<ProtocolConfigurationOptions>(out, 0, self.pco.as_ref());
    }
}

/// Bearer Context of an Update Bearer Request, TS 29.274 Table 7.2.15-2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerContextToBeUpdated {
    /// The bearer.
    pub ebi: Ebi,
    /// What becomes of its filters; see [`crate::tft`].
    pub tft: Option<Vec<u8>>,
    /// Its new quality of service.
    pub bearer_qos: Option<BearerQos>,
    /// Flags.
    pub flags: Option<BearerFlags>,
    /// What the PGW tells the UE about this bearer.
    pub pco: Option<Vec<u8>>,
}

impl BearerContext for BearerContextToBeUpdated {
    fn decode(ies: &Ies<'_>) -> Result<Self, Reject> {
        Ok(Self {
            ebi: ies.mandatory::<EpsBearerId>(0)?,
            tft: ies.optional::<BearerTft>(0),
            bearer_qos: ies.optional::<BearerQos>(0),
            flags: ies.optional::<BearerFlags>(0),
            pco: ies.optional::<ProtocolConfigurationOptions>(0),
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        write::<EpsBearerId>(out, 0, &self.ebi);
        write_option::<BearerTft>(out, 0, self.tft.as_ref());
        write_option::<BearerQos>(out, 0, self.bearer_qos.as_ref());
        write_option::<BearerFlags>(out, 0, self.flags.as_ref());
        write_option::<ProtocolConfigurationOptions>(out, 0, self.pco.as_ref());
    }
}

/// Bearer Context of a Modify Bearer Command, TS 29.274 Table 7.2.14.1-2: the default bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerContextToChange {
    /// The bearer.
    pub ebi: Ebi,
    /// Its new quality of service, as the subscription has it now.
    pub bearer_qos: Option<BearerQos>,
}

impl BearerContext for BearerContextToChange {
    fn decode(ies: &Ies<'_>) -> Result<Self, Reject> {
        Ok(Self {
            ebi: ies.mandatory::<EpsBearerId>(0)?,
            bearer_qos: ies.optional::<BearerQos>(0),
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        write::<EpsBearerId>(out, 0, &self.ebi);
        write_option::<BearerQos>(out, 0, self.bearer_qos.as_ref());
    }
}

/// Bearer Context that names a bearer: one to be removed in a Modify Bearer Request (TS 29.274
/// Table 7.2.7-3), or to be deleted in a Delete Bearer Command (Table 7.2.17.1-2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerContextNamed {
    /// The bearer.
    pub ebi: Ebi,
    /// Flags.
    pub flags: Option<BearerFlags>,
}

impl BearerContext for BearerContextNamed {
    fn decode(ies: &Ies<'_>) -> Result<Self, Reject> {
        Ok(Self {
            ebi: ies.mandatory::<EpsBearerId>(0)?,
            flags: ies.optional::<BearerFlags>(0),
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        write::<EpsBearerId>(out, 0, &self.ebi);
        write_option::<BearerFlags>(out, 0, self.flags.as_ref());
    }
}

/// Bearer Context with a cause alone: of a Delete Bearer Response (TS 29.274 Table 7.2.10.2-2), an
/// Update Bearer Response (Table 7.2.16-2), a Delete Bearer Failure Indication (Table 7.2.17.2-2),
/// a failed one in a Delete Bearer Request (Table 7.2.9.2-2), and one marked for removal in a
/// Modify Bearer Response (Table 7.2.8-3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerContextDeleted {
    /// The bearer.
    pub ebi: Ebi,
    /// Whether it was deleted or updated, or why it goes.
    pub cause: CauseIe,
}

impl BearerContext for BearerContextDeleted {
    fn decode(ies: &Ies<'_>) -> Result<Self, Reject> {
        Ok(Self {
            ebi: ies.mandatory::<EpsBearerId>(0)?,
            cause: ies.mandatory::<CauseIe>(0)?,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        write::<EpsBearerId>(out, 0, &self.ebi);
        write::<CauseIe>(out, 0, &self.cause);
    }
}
