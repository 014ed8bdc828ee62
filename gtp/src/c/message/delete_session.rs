//! Delete Session Request and Response, TS 29.274 §7.2.9.1 and §7.2.10.1.

use alloc::vec::Vec;

use heiiki_types::Ebi;

use super::Reject;
use super::presence::{self, ReferencePoint};
use crate::c::ie::{
    Cause, CauseIe, EpsBearerId, FTeid, Ies, Indication, ProtocolConfigurationOptions, Recovery,
    UeTimeZone, Uli, write, write_option,
};

/// Delete Session Request, TS 29.274 Table 7.2.9.1-1: takes a PDN connection down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteSessionRequest {
    /// Why, when there is something to say.
    pub cause: Option<Cause>,
    /// The default bearer of the connection.
    pub linked_ebi: Option<Ebi>,
    /// Where the UE is.
    pub uli: Option<Uli>,
    /// Flags.
    pub indication: Option<Indication>,
    /// What the UE tells the PGW.
    pub pco: Option<Vec<u8>>,
    /// The sender's tunnel end for control messages.
    pub sender_f_teid: Option<FTeid>,
    /// The UE's local time.
    pub ue_time_zone: Option<UeTimeZone>,
}

impl DeleteSessionRequest {
    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check(presence::DELETE_SESSION_REQUEST, on, ies)?;
        Ok(Self {
            cause: ies.optional::<CauseIe>(0).map(|c| c.cause),
            linked_ebi: ies.optional::<EpsBearerId>(0),
            uli: ies.optional::<Uli>(0),
            indication: ies.optional::<Indication>(0),
            pco: ies.optional::<ProtocolConfigurationOptions>(0),
            sender_f_teid: ies.optional::<FTeid>(0),
            ue_time_zone: ies.optional::<UeTimeZone>(0),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let cause = self.cause.map(CauseIe::new);
        write_option::<CauseIe>(out, 0, cause.as_ref());
        write_option::<EpsBearerId>(out, 0, self.linked_ebi.as_ref());
        write_option::<Uli>(out, 0, self.uli.as_ref());
        write_option::<Indication>(out, 0, self.indication.as_ref());
        write_option::<ProtocolConfigurationOptions>(out, 0, self.pco.as_ref());
        write_option::<FTeid>(out, 0, self.sender_f_teid.as_ref());
        write_option::<UeTimeZone>(out, 0, self.ue_time_zone.as_ref());
    }
}

/// Delete Session Response, TS 29.274 Table 7.2.10.1-1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteSessionResponse {
    /// Whether the session is gone.
    pub cause: CauseIe,
    /// The sender's restart counter.
    pub recovery: Option<u8>,
    /// What the PGW tells the UE.
    pub pco: Option<Vec<u8>>,
}

impl DeleteSessionResponse {
    /// A response with a cause and nothing else.
    pub const fn new(cause: CauseIe) -> Self {
        Self {
            cause,
            recovery: None,
            pco: None,
        }
    }

    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check_response(presence::DELETE_SESSION_RESPONSE, on, ies)?;
        Ok(Self {
            cause: ies.mandatory::<CauseIe>(0)?,
            recovery: ies.optional::<Recovery>(0),
            pco: ies.optional::<ProtocolConfigurationOptions>(0),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write::<CauseIe>(out, 0, &self.cause);
        write_option::<Recovery>(out, 0, self.recovery.as_ref());
        write_option::<ProtocolConfigurationOptions>(out, 0, self.pco.as_ref());
    }
}
