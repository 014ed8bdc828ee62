//! Which information elements a message must have, as data: the tables of TS 29.274 §7, and the
//! one function that holds a message against its table.
//!
//! The rules are those that the receiver can check by the message alone. A conditional element
//! whose condition lies elsewhere (a state of the sender, a procedure of which the message says
//! nothing) is listed as optional. In responses only that is asked for without which the receiver
//! cannot go on: TS 29.274 §6.1.1 asks to be lenient there.

use alloc::vec::Vec;
use core::fmt;

use super::{ElementRule, Reject};
use crate::c::ie::{
    AccessPointName, AdditionalProtocolConfigurationOptions, ApnAmbr, ApnRestriction, BEARERS_MAX,
    BearerFlags, BearerQos, BearerTft, CauseIe, ChargingCharacteristics, ChargingId, EpsBearerId,
    ExtendedProtocolConfigurationOptions, FTeid, Fault, FqCsid, Ie, Ies, ImsiIe, Indication, Mei,
    MsisdnIe, Paa, PdnType, PgwAddress, ProcedureTransactionId, ProtocolConfigurationOptions,
    RatType, Recovery, SelectionMode, ServingNetwork, UeTimeZone, Uli, ie_type, validate,
};

mod bearers;

pub(crate) use bearers::{
    BEARER_RESOURCE_COMMAND, BEARER_RESOURCE_FAILURE_INDICATION, CREATE_BEARER_REQUEST,
    CREATE_BEARER_RESPONSE, DELETE_BEARER_COMMAND, DELETE_BEARER_FAILURE_INDICATION,
    MODIFY_BEARER_COMMAND, MODIFY_BEARER_FAILURE_INDICATION, UPDATE_BEARER_REQUEST,
    UPDATE_BEARER_RESPONSE,
};

/// The interface that a message came over; some elements are due on one and not on the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferencePoint {
    /// Between SGW and PGW.
    S5S8,
    /// Between MME and SGW.
    S11,
}

/// When an element must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Always.
    Mandatory,
    /// Always, on this interface.
    On(ReferencePoint),
    /// Always, unless the element with this type and instance is there.
    Unless(u8, u8),
    /// Never, or when the receiver cannot know.
    Optional,
}

/// One row of a message's table.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    /// The name of the row.
    name: &'static str,
    ie: u8,
    instance: u8,
    presence: Presence,
    validate: fn(&[u8]) -> Result<(), Fault>,
    /// The rows of a grouped element.
    members: &'static [Self],
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.name, self.ie, self.instance)
    }
}

const fn row<T: Ie>(presence: Presence, name: &'static str, instance: u8) -> Rule {
    Rule {
        name,
        ie: T::TYPE,
        instance,
        presence,
        validate: validate::<T>,
        members: &[],
    }
}

const fn mandatory<T: Ie>(name: &'static str, instance: u8) -> Rule {
    row::<T>(Presence::Mandatory, name, instance)
}

const fn s5s8<T: Ie>(name: &'static str, instance: u8) -> Rule {
    row::<T>(Presence::On(ReferencePoint::S5S8), name, instance)
}

const fn optional<T: Ie>(name: &'static str, instance: u8) -> Rule {
    row::<T>(Presence::Optional, name, instance)
}

const fn grouped(presence: Presence, name: &'static str, members: &'static [Rule]) -> Rule {
    grouped_at(presence, name, 0, members)
}

const fn grouped_at(
    presence: Presence,
    name: &'static str,
    instance: u8,
    members: &'static [Rule],
) -> Rule {
    Rule {
        name,
        ie: ie_type::BEARER_CONTEXT,
        instance,
        presence,
        validate: |_| Ok(()),
        members,
    }
}

/// Table 7.2.1-2.
const BEARER_CONTEXT_TO_BE_CREATED: &[Rule] = &[
    mandatory::<EpsBearerId>("EPS Bearer ID", 0),
    optional::<BearerTft>("TFT", 0),
    s5s8::<FTeid>("S5/S8-U SGW F-TEID", 2),
    mandatory::<BearerQos>("Bearer Level QoS", 0),
];

/// Table 7.2.1-1. The conditions on S5/S8 name every procedure that sends this message there, so
/// the elements are always due. The IMSI too: an emergency attach without a SIM is not served.
pub(crate) const CREATE_SESSION_REQUEST: &[Rule] = &[
    s5s8::<ImsiIe>("IMSI", 0),
    optional::<MsisdnIe>("MSISDN", 0),
    optional::<Mei>("ME Identity (MEI)", 0),
    optional::<Uli>("User Location Information (ULI)", 0),
    s5s8::<ServingNetwork>("Serving Network", 0),
    mandatory::<RatType>("RAT Type", 0),
    optional::<Indication>("Indication Flags", 0),
    mandatory::<FTeid>("Sender F-TEID for Control Plane", 0),
    row::<PgwAddress>(
        Presence::On(ReferencePoint::S11),
        "PGW S5/S8 Address for Control Plane or PMIP",
        1,
    ),
    mandatory::<AccessPointName>("Access Point Name (APN)", 0),
    s5s8::<SelectionMode>("Selection Mode", 0),
    s5s8::<PdnType>("PDN Type", 0),
    s5s8::<Paa>("PDN Address Allocation (PAA)", 0),
    s5s8::<ApnRestriction>("Maximum APN Restriction", 0),
    s5s8::<ApnAmbr>("Aggregate Maximum Bit Rate (APN-AMBR)", 0),
    optional::<EpsBearerId>("Linked EPS Bearer ID", 0),
    optional::<ProtocolConfigurationOptions>("Protocol Configuration Options (PCO)", 0),
    grouped(
        Presence::Mandatory,
        "Bearer Contexts to be created",
        BEARER_CONTEXT_TO_BE_CREATED,
    ),
    optional::<FqCsid>("MME-FQ-CSID", 0),
    optional::<FqCsid>("SGW-FQ-CSID", 1),
    optional::<Recovery>("Recovery", 0),
    optional::<UeTimeZone>("UE Time Zone", 0),
    optional::<ChargingCharacteristics>("Charging Characteristics", 0),
    optional::<AdditionalProtocolConfigurationOptions>(
        "Additional Protocol Configuration Options (APCO)",
        0,
    ),
    optional::<ExtendedProtocolConfigurationOptions>(
        "Extended Protocol Configuration Options (ePCO)",
        0,
    ),
];

/// Table 7.2.2-2. A bearer that was refused has no tunnel end; the receiver looks at the cause
/// first, so the tunnel end is not asked for here.
const BEARER_CONTEXT_CREATED: &[Rule] = &[
    mandatory::<EpsBearerId>("EPS Bearer ID", 0),
    mandatory::<CauseIe>("Cause", 0),
    optional::<FTeid>("S1-U SGW F-TEID", 0),
    optional::<FTeid>("S5/S8-U PGW F-TEID", 2),
    optional::<BearerQos>("Bearer Level QoS", 0),
    optional::<ChargingId>("Charging Id", 0),
];

/// Table 7.2.2-1.
pub(crate) const CREATE_SESSION_RESPONSE: &[Rule] = &[
    mandatory::<CauseIe>("Cause", 0),
    row::<FTeid>(
        Presence::On(ReferencePoint::S11),
        "Sender F-TEID for Control Plane",
        0,
    ),
    s5s8::<FTeid>("PGW S5/S8 F-TEID for Control Plane", 1),
    s5s8::<Paa>("PDN Address Allocation (PAA)", 0),
    optional::<ApnRestriction>("APN Restriction", 0),
    optional::<ApnAmbr>("Aggregate Maximum Bit Rate (APN-AMBR)", 0),
    optional::<EpsBearerId>("Linked EPS Bearer ID", 0),
    optional::<ProtocolConfigurationOptions>("Protocol Configuration Options (PCO)", 0),
    grouped(
        Presence::Mandatory,
        "Bearer Contexts created",
        BEARER_CONTEXT_CREATED,
    ),
    optional::<Recovery>("Recovery", 0),
    optional::<AdditionalProtocolConfigurationOptions>(
        "Additional Protocol Configuration Options (APCO)",
        0,
    ),
    optional::<ExtendedProtocolConfigurationOptions>(
        "Extended Protocol Configuration Options (ePCO)",
        0,
    ),
];

/// Table 7.2.7-2.
const BEARER_CONTEXT_TO_BE_MODIFIED: &[Rule] = &[
    mandatory::<EpsBearerId>("EPS Bearer ID", 0),
    optional::<FTeid>("S1-U eNodeB F-TEID", 0),
    optional::<FTeid>("S5/8-U SGW F-TEID", 1),
];

/// Table 7.2.7-1.
pub(crate) const MODIFY_BEARER_REQUEST: &[Rule] = &[
    optional::<Mei>("ME Identity (MEI)", 0),
    optional::<Uli>("User Location Information (ULI)", 0),
    optional::<ServingNetwork>("Serving Network", 0),
    optional::<RatType>("RAT Type", 0),
    optional::<Indication>("Indication Flags", 0),
    optional::<FTeid>("Sender F-TEID for Control Plane", 0),
    optional::<ApnAmbr>("Aggregate Maximum Bit Rate (APN-AMBR)", 0),
    grouped(
        Presence::Optional,
        "Bearer Contexts to be modified",
        BEARER_CONTEXT_TO_BE_MODIFIED,
    ),
    grouped_at(
        Presence::Optional,
        "Bearer Contexts to be removed",
        1,
        BEARER_CONTEXT_NAMED,
    ),
    optional::<Recovery>("Recovery", 0),
    optional::<UeTimeZone>("UE Time Zone", 0),
    optional::<ImsiIe>("IMSI", 0),
];

/// Table 7.2.7-3 and Table 7.2.17.1-2.
const BEARER_CONTEXT_NAMED: &[Rule] = &[
    mandatory::<EpsBearerId>("EPS Bearer ID", 0),
    optional::<BearerFlags>("Bearer Flags", 0),
];

/// Table 7.2.8-2.
const BEARER_CONTEXT_MODIFIED: &[Rule] = &[
    mandatory::<EpsBearerId>("EPS Bearer ID", 0),
    mandatory::<CauseIe>("Cause", 0),
    optional::<FTeid>("S1-U SGW F-TEID", 0),
    optional::<ChargingId>("Charging ID", 0),
];

/// Table 7.2.8-1.
pub(crate) const MODIFY_BEARER_RESPONSE: &[Rule] = &[
    mandatory::<CauseIe>("Cause", 0),
    optional::<MsisdnIe>("MSISDN", 0),
    optional::<EpsBearerId>("Linked EPS Bearer ID", 0),
    optional::<ApnRestriction>("APN Restriction", 0),
    optional::<ProtocolConfigurationOptions>("Protocol Configuration Options (PCO)", 0),
    grouped(
        Presence::Optional,
        "Bearer Contexts modified",
        BEARER_CONTEXT_MODIFIED,
    ),
    grouped_at(
        Presence::Optional,
        "Bearer Contexts marked for removal",
        1,
        BEARER_CONTEXT_WITH_CAUSE,
    ),
    optional::<Recovery>("Recovery", 0),
];

/// Table 7.2.9.1-1. On S11 a relocation may leave the linked EBI out.
pub(crate) const DELETE_SESSION_REQUEST: &[Rule] = &[
    optional::<CauseIe>("Cause", 0),
    s5s8::<EpsBearerId>("Linked EPS Bearer ID (LBI)", 0),
    optional::<Uli>("User Location Information (ULI)", 0),
    optional::<Indication>("Indication Flags", 0),
    optional::<ProtocolConfigurationOptions>("Protocol Configuration Options (PCO)", 0),
    optional::<FTeid>("Sender F-TEID for Control Plane", 0),
    optional::<UeTimeZone>("UE Time Zone", 0),
];

/// Table 7.2.10.1-1.
pub(crate) const DELETE_SESSION_RESPONSE: &[Rule] = &[
    mandatory::<CauseIe>("Cause", 0),
    optional::<Recovery>("Recovery", 0),
    optional::<ProtocolConfigurationOptions>("Protocol Configuration Options (PCO)", 0),
];

/// Table 7.2.9.2-1. It names a connection or bearers.
pub(crate) const DELETE_BEARER_REQUEST: &[Rule] = &[
    row::<EpsBearerId>(
        Presence::Unless(ie_type::EBI, 1),
        "Linked EPS Bearer ID (LBI)",
        0,
    ),
    row::<EpsBearerId>(Presence::Unless(ie_type::EBI, 0), "EPS Bearer IDs", 1),
    grouped(
        Presence::Optional,
        "Failed Bearer Contexts",
        BEARER_CONTEXT_WITH_CAUSE,
    ),
    optional::<ProcedureTransactionId>("Procedure Transaction Id (PTI)", 0),
    optional::<ProtocolConfigurationOptions>("Protocol Configuration Options (PCO)", 0),
    optional::<CauseIe>("Cause", 0),
];

/// Table 7.2.8-3, Table 7.2.9.2-2, Table 7.2.10.2-2, Table 7.2.16-2 and Table 7.2.17.2-2.
const BEARER_CONTEXT_WITH_CAUSE: &[Rule] = &[
    mandatory::<EpsBearerId>("EPS Bearer ID", 0),
    mandatory::<CauseIe>("Cause", 0),
];

/// Table 7.2.10.2-1.
pub(crate) const DELETE_BEARER_RESPONSE: &[Rule] = &[
    mandatory::<CauseIe>("Cause", 0),
    optional::<EpsBearerId>("Linked EPS Bearer ID (LBI)", 0),
    grouped(
        Presence::Optional,
        "Bearer Contexts",
        BEARER_CONTEXT_WITH_CAUSE,
    ),
    optional::<Recovery>("Recovery", 0),
    optional::<ProtocolConfigurationOptions>("Protocol Configuration Options (PCO)", 0),
    optional::<UeTimeZone>("UE Time Zone", 0),
    optional::<Uli>("User Location Information (ULI)", 0),
];

/// Table 7.3.14-1.
pub(crate) const CHANGE_NOTIFICATION_REQUEST: &[Rule] = &[
    optional::<ImsiIe>("IMSI", 0),
    optional::<Mei>("ME Identity (MEI)", 0),
    optional::<Indication>("Indication Flags", 0),
    mandatory::<RatType>("RAT Type", 0),
    optional::<Uli>("User Location Information (ULI)", 0),
    optional::<EpsBearerId>("LBI", 0),
];

/// Table 7.3.15-1.
pub(crate) const CHANGE_NOTIFICATION_RESPONSE: &[Rule] = &[
    optional::<ImsiIe>("IMSI", 0),
    optional::<Mei>("ME Identity (MEI)", 0),
    mandatory::<CauseIe>("Cause", 0),
];

/// Table 7.4.1-1. What the other interfaces have is skipped.
pub(crate) const SUSPEND_NOTIFICATION: &[Rule] = &[
    optional::<ImsiIe>("IMSI", 0),
    optional::<EpsBearerId>("Linked EPS Bearer ID (LBI)", 0),
    optional::<FTeid>("Sender F-TEID for Control Plane", 0),
];

/// Table 7.4.3-1.
pub(crate) const RESUME_NOTIFICATION: &[Rule] = &[
    mandatory::<ImsiIe>("IMSI", 0),
    optional::<EpsBearerId>("Linked EPS Bearer ID (LBI)", 0),
    optional::<FTeid>("Sender F-TEID for Control Plane", 0),
];

/// Table 7.4.2-1 and Table 7.4.4-1.
pub(crate) const ACKNOWLEDGE: &[Rule] = &[mandatory::<CauseIe>("Cause", 0)];

/// Table 7.4.2-1.
pub(crate) const SUSPEND_ACKNOWLEDGE: &[Rule] = ACKNOWLEDGE;

/// Table 7.4.4-1.
pub(crate) const RESUME_ACKNOWLEDGE: &[Rule] = ACKNOWLEDGE;

/// Table 7.9.1-1.
pub(crate) const DELETE_PDN_CONNECTION_SET_REQUEST: &[Rule] = &[
    optional::<FqCsid>("MME-FQ-CSID", 0),
    optional::<FqCsid>("SGW-FQ-CSID", 1),
    optional::<FqCsid>("PGW-FQ-CSID", 2),
];

/// Table 7.9.2.
pub(crate) const DELETE_PDN_CONNECTION_SET_RESPONSE: &[Rule] = &[
    mandatory::<CauseIe>("Cause", 0),
    optional::<Recovery>("Recovery", 0),
];

/// Table 7.1.1-1 and Table 7.1.2-1.
pub(crate) const ECHO: &[Rule] = &[mandatory::<Recovery>("Recovery", 0)];

/// A response that refuses has its cause and little else (TS 29.274 §6.1.1).
const REFUSAL: &[Rule] = &[mandatory::<CauseIe>("Cause", 0)];

/// Holds a request, or a response that accepts, against its table. The first element in table
/// order that is missing is reported; when none is, the first that is due and has a fault.
pub(crate) fn check(table: &[Rule], on: ReferencePoint, ies: &Ies<'_>) -> Result<(), Reject> {
    check_within(table, on, ies, true)
}

/// As [`check`]; a response that refuses need hold nothing but its cause.
pub(crate) fn check_response(
    table: &[Rule],
    on: ReferencePoint,
    ies: &Ies<'_>,
) -> Result<(), Reject> {
    check(REFUSAL, on, ies)?;
    if ies.mandatory::<CauseIe>(0)?.is_accepted() {
        check(table, on, ies)
    } else {
        Ok(())
    }
}

/// `due`: whether the group that holds the elements is mandatory. Inside one that is not, a
/// mandatory element counts as a conditional one (TS 29.274 §6.1.1).
fn check_within(
    table: &[Rule],
    on: ReferencePoint,
    ies: &Ies<'_>,
    due: bool,
) -> Result<(), Reject> {
    for rule in table {
        let ie = (rule.ie, rule.instance);
        if ies.first(rule.ie, rule.instance).is_some() {
            continue;
        }
        match rule.presence {
            Presence::Mandatory if due => return Err(Reject::missing(ie, rule.name)),
            Presence::Mandatory => return Err(Reject::conditional(ie, rule.name)),
            Presence::On(point) if point == on => return Err(Reject::conditional(ie, rule.name)),
            Presence::Unless(other, instance) if ies.first(other, instance).is_none() => {
                return Err(Reject::conditional(ie, rule.name));
            }
            _ => {}
        }
    }
    for rule in table {
        check_value(rule, on, ies)?;
    }
    Ok(())
}

fn check_value(rule: &Rule, on: ReferencePoint, ies: &Ies<'_>) -> Result<(), Reject> {
    let due = match rule.presence {
        Presence::Mandatory | Presence::Unless(..) => true,
        Presence::On(point) => point == on,
        Presence::Optional => false,
    };
    let ie = (rule.ie, rule.instance);
    let mut values = ies.all(rule.ie, rule.instance).take(BEARERS_MAX);
    if rule.members.is_empty() {
        // A faulty element that is not due counts as absent.
        return match values.next() {
            Some(octets) if due => {
                (rule.validate)(octets).map_err(|f| Reject::fault(ie, f, rule.name))
            }
            _ => Ok(()),
        };
    }
    for octets in values {
        let members = Ies::parse(octets).map_err(|r| Reject {
            ie: r.ie.or(Some(ie)),
            ..r
        })?;
        let mandatory = rule.presence == Presence::Mandatory;
        check_within(rule.members, on, &members, mandatory)?;
    }
    Ok(())
}

/// Whether the table knows the element.
pub(crate) fn knows(table: &[Rule], ie: u8, instance: u8) -> bool {
    table.iter().any(|r| r.ie == ie && r.instance == instance)
}

/// The rows of a table and of its groups.
pub(crate) fn element_rules(table: &[Rule]) -> Vec<ElementRule> {
    let mut all = Vec::new();
    for rule in table {
        all.push(rule.element(None));
        let within = Some((rule.ie, rule.instance));
        all.extend(rule.members.iter().map(|m| m.element(within)));
    }
    all
}

impl Rule {
    fn element(&self, within: Option<(u8, u8)>) -> ElementRule {
        ElementRule {
            name: self.name,
            ie: self.ie,
            instance: self.instance,
            within,
            is_due: matches!(
                self.presence,
                Presence::Mandatory | Presence::Unless(..) | Presence::On(ReferencePoint::S5S8)
            ),
        }
    }
}
