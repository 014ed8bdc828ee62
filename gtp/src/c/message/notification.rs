//! Change Notification (TS 29.274 §7.3.14, §7.3.15), Suspend and Resume (§7.4.1 to §7.4.4).

use alloc::vec::Vec;

use heiiki_types::{Ebi, Imsi};

use super::Reject;
use super::presence::{self, ReferencePoint};
use crate::c::ie::{
    CauseIe, EpsBearerId, FTeid, Ies, ImsiIe, Indication, Mei, RatType, Uli, write, write_option,
};

/// Change Notification Request, TS 29.274 Table 7.3.14-1: the UE is elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeNotificationRequest {
    /// The subscriber.
    pub imsi: Option<Imsi>,
    /// The equipment, of a UE without an authenticated subscriber.
    pub mei: Option<Mei>,
    /// Flags.
    pub indication: Option<Indication>,
    /// The access.
    pub rat_type: u8,
    /// Where the UE is.
    pub uli: Option<Uli>,
    /// The default bearer of the connection.
    pub linked_ebi: Option<Ebi>,
}

impl ChangeNotificationRequest {
    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check(presence::CHANGE_NOTIFICATION_REQUEST, on, ies)?;
        Ok(Self {
            imsi: ies.optional::<ImsiIe>(0),
            mei: ies.optional::<Mei>(0),
            indication: ies.optional::<Indication>(0),
            rat_type: ies.mandatory::<RatType>(0)?,
            uli: ies.optional::<Uli>(0),
            linked_ebi: ies.optional::<EpsBearerId>(0),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write_option::<ImsiIe>(out, 0, self.imsi.as_ref());
        write_option::<Mei>(out, 0, self.mei.as_ref());
        write_option::<Indication>(out, 0, self.indication.as_ref());
        write::<RatType>(out, 0, &self.rat_type);
        write_option::<Uli>(out, 0, self.uli.as_ref());
        write_option::<EpsBearerId>(out, 0, self.linked_ebi.as_ref());
    }
}

/// Change Notification Response, TS 29.274 Table 7.3.15-1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeNotificationResponse {
    /// The subscriber of the request.
    pub imsi: Option<Imsi>,
    /// The equipment of the request.
    pub mei: Option<Mei>,
    /// Whether the connection is known.
    pub cause: CauseIe,
}

impl ChangeNotificationResponse {
    /// A response with a cause and nothing else, as a refusal is.
    pub const fn new(cause: CauseIe) -> Self {
        Self {
            imsi: None,
            mei: None,
            cause,
        }
    }

    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check_response(presence::CHANGE_NOTIFICATION_RESPONSE, on, ies)?;
        Ok(Self {
            imsi: ies.optional::<ImsiIe>(0),
            mei: ies.optional::<Mei>(0),
            cause: ies.mandatory::<CauseIe>(0)?,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write_option::<ImsiIe>(out, 0, self.imsi.as_ref());
        write_option::<Mei>(out, 0, self.mei.as_ref());
        write::<CauseIe>(out, 0, &self.cause);
    }
}

/// Suspend Notification, TS 29.274 Table 7.4.1-1: the UE is on a circuit-switched call elsewhere
/// and takes no packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SuspendNotification {
    /// The subscriber; on S11 only.
    pub imsi: Option<Imsi>,
    /// The default bearer of the connection; on S11 only.
    pub linked_ebi: Option<Ebi>,
    /// The sender's tunnel end for control messages, as it was told last.
    pub sender_f_teid: Option<FTeid>,
}

impl SuspendNotification {
    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check(presence::SUSPEND_NOTIFICATION, on, ies)?;
        Ok(Self {
            imsi: ies.optional::<ImsiIe>(0),
            linked_ebi: ies.optional::<EpsBearerId>(0),
            sender_f_teid: ies.optional::<FTeid>(0),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write_option::<ImsiIe>(out, 0, self.imsi.as_ref());
        write_option::<EpsBearerId>(out, 0, self.linked_ebi.as_ref());
        write_option::<FTeid>(out, 0, self.sender_f_teid.as_ref());
    }
}

/// Resume Notification, TS 29.274 Table 7.4.3-1: the end of a suspension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumeNotification {
    /// The subscriber; the TEID of the header says which connection is meant.
    pub imsi: Imsi,
    /// The default bearer of the connection; on S11 only.
    pub linked_ebi: Option<Ebi>,
    /// The sender's tunnel end for control messages, as it was told last.
    pub sender_f_teid: Option<FTeid>,
}

impl ResumeNotification {
    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check(presence::RESUME_NOTIFICATION, on, ies)?;
        Ok(Self {
            imsi: ies.mandatory::<ImsiIe>(0)?,
            linked_ebi: ies.optional::<EpsBearerId>(0),
            sender_f_teid: ies.optional::<FTeid>(0),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write::<ImsiIe>(out, 0, &self.imsi);
        write_option::<EpsBearerId>(out, 0, self.linked_ebi.as_ref());
        write_option::<FTeid>(out, 0, self.sender_f_teid.as_ref());
    }
}

/// Suspend Acknowledge and Resume Acknowledge, TS 29.274 Tables 7.4.2-1 and 7.4.4-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledge {
    /// Whether it was done.
    pub cause: CauseIe,
}

impl Acknowledge {
    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check(presence::ACKNOWLEDGE, on, ies)?;
        Ok(Self {
            cause: ies.mandatory::<CauseIe>(0)?,
        })
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        write::<CauseIe>(out, 0, &self.cause);
    }
}
