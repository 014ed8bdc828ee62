//! The tables of the messages about dedicated bearers, and of the commands.

use super::{
    BEARER_CONTEXT_NAMED, BEARER_CONTEXT_WITH_CAUSE, Presence, Rule, grouped, mandatory, optional,
    s5s8,
};
use crate::c::ie::{
    ApnAmbr, BearerFlags, BearerQos, BearerTft, CauseIe, ChargingId, EpsBearerId,
    EpsBearerIdOrZero, FTeid, FlowQos, Indication, ProcedureTransactionId,
    ProtocolConfigurationOptions, RatType, Recovery, ServingNetwork, TrafficAggregate, UeTimeZone,
    Uli,
};

/// Table 7.2.3-2. The identity is zero: the MME assigns it.
const BEARER_CONTEXT_REQUESTED: &[Rule] = &[
    mandatory::<EpsBearerIdOrZero>("EPS Bearer ID", 0),
    mandatory::<BearerTft>("TFT", 0),
    optional::<FTeid>("S1-U SGW F-TEID", 0),
    s5s8::<FTeid>("S5/8-U PGW F-TEID", 1),
    mandatory::<BearerQos>("Bearer Level QoS", 0),
    s5s8::<ChargingId>("Charging Id", 0),
    optional::<BearerFlags>("Bearer Flags", 0),
    optional::<ProtocolConfigurationOptions>("Protocol Configuration Options (PCO)", 0),
];

/// Table 7.2.3-1.
pub(crate) const CREATE_BEARER_REQUEST: &[Rule] = &[
    optional::<ProcedureTransactionId>("Procedure Transaction Id (PTI)", 0),
    mandatory::<EpsBearerId>("Linked EPS Bearer ID (LBI)", 0),
    optional::<ProtocolConfigurationOptions>("Protocol Configuration Options (PCO)", 0),
    grouped(
        Presence::Mandatory,
        "Bearer Contexts",
        BEARER_CONTEXT_REQUESTED,
    ),
    optional::<Indication>("Indication Flags", 0),
];

/// Table 7.2.4-2. A bearer that was refused has no tunnel ends.
const BEARER_CONTEXT_ACCEPTED: &[Rule] = &[
    mandatory::<EpsBearerIdOrZero>("EPS Bearer ID", 0),
    mandatory::<CauseIe>("Cause", 0),
    optional::<FTeid>("S5/8-U SGW F-TEID", 2),
    optional::<FTeid>("S5/8-U PGW F-TEID", 3),
    optional::<ProtocolConfigurationOptions>("Protocol Configuration Options (PCO)", 0),
];

/// Table 7.2.4-1.
pub(crate) const CREATE_BEARER_RESPONSE: &[Rule] = &[
    mandatory::<CauseIe>("Cause", 0),
    grouped(
        Presence::Mandatory,
        "Bearer Contexts",
        BEARER_CONTEXT_ACCEPTED,
    ),
    optional::<Recovery>("Recovery", 0),
    optional::<ProtocolConfigurationOptions>("Protocol Configuration Options (PCO)", 0),
    optional::<UeTimeZone>("UE Time Zone", 0),
    optional::<Uli>("User Location Information (ULI)", 0),
];

/// Table 7.2.15-2.
const BEARER_CONTEXT_TO_BE_UPDATED: &[Rule] = &[
    mandatory::<EpsBearerId>("EPS Bearer ID", 0),
    optional::<BearerTft>("TFT", 0),
    optional::<BearerQos>("Bearer Level QoS", 0),
    optional::<BearerFlags>("Bearer Flags", 0),
    optional::<ProtocolConfigurationOptions>("Protocol Configuration Options (PCO)", 0),
];

/// Table 7.2.15-1.
pub(crate) const UPDATE_BEARER_REQUEST: &[Rule] = &[
    grouped(
        Presence::Mandatory,
        "Bearer Contexts",
        BEARER_CONTEXT_TO_BE_UPDATED,
    ),
    optional::<ProcedureTransactionId>("Procedure Transaction Id (PTI)", 0),
    optional::<ProtocolConfigurationOptions>("Protocol Configuration Options (PCO)", 0),
    mandatory::<ApnAmbr>("Aggregate Maximum Bit Rate (APN-AMBR)", 0),
    optional::<Indication>("Indication Flags", 0),
];

/// Table 7.2.16-1.
pub(crate) const UPDATE_BEARER_RESPONSE: &[Rule] = &[
    mandatory::<CauseIe>("Cause", 0),
    grouped(
        Presence::Mandatory,
        "Bearer Contexts",
        BEARER_CONTEXT_WITH_CAUSE,
    ),
    optional::<ProtocolConfigurationOptions>("Protocol Configuration Options (PCO)", 0),
    optional::<Recovery>("Recovery", 0),
    optional::<UeTimeZone>("UE Time Zone", 0),
    optional::<Uli>("User Location Information (ULI)", 0),
];

/// Table 7.2.5-1.
pub(crate) const BEARER_RESOURCE_COMMAND: &[Rule] = &[
    mandatory::<EpsBearerId>("Linked EPS Bearer ID (LBI)", 0),
    mandatory::<ProcedureTransactionId>("Procedure Transaction Id (PTI)", 0),
    optional::<FlowQos>("Flow Quality of Service (Flow QoS)", 0),
    s5s8::<TrafficAggregate>("Traffic Aggregate Description (TAD)", 0),
    optional::<RatType>("RAT Type", 0),
    optional::<ServingNetwork>("Serving Network", 0),
    optional::<Uli>("User Location Information (ULI)", 0),
    optional::<EpsBearerId>("EPS Bearer ID", 1),
    optional::<Indication>("Indication Flags", 0),
    optional::<ProtocolConfigurationOptions>("Protocol Configuration Options (PCO)", 0),
    optional::<FTeid>("Sender F-TEID for Control Plane", 2),
];

/// Table 7.2.6-1.
pub(crate) const BEARER_RESOURCE_FAILURE_INDICATION: &[Rule] = &[
    mandatory::<CauseIe>("Cause", 0),
    optional::<EpsBearerId>("Linked EPS Bearer ID (LBI)", 0),
    optional::<ProcedureTransactionId>("Procedure Transaction Id (PTI)", 0),
    optional::<Recovery>("Recovery", 0),
];

/// Table 7.2.14.1-2.
const BEARER_CONTEXT_TO_CHANGE: &[Rule] = &[
    mandatory::<EpsBearerId>("EPS Bearer ID", 0),
    optional::<BearerQos>("Bearer Level QoS", 0),
];

/// Table 7.2.14.1-1.
pub(crate) const MODIFY_BEARER_COMMAND: &[Rule] = &[
    mandatory::<ApnAmbr>("APN-Aggregate Maximum Bit Rate (APN-AMBR)", 0),
    grouped(
        Presence::Mandatory,
        "Bearer Context",
        BEARER_CONTEXT_TO_CHANGE,
    ),
    optional::<FTeid>("Sender F-TEID for Control Plane", 0),
];

/// Table 7.2.14.2-1.
pub(crate) const MODIFY_BEARER_FAILURE_INDICATION: &[Rule] = &[
    mandatory::<CauseIe>("Cause", 0),
    optional::<Recovery>("Recovery", 0),
];

/// Table 7.2.17.1-1.
pub(crate) const DELETE_BEARER_COMMAND: &[Rule] = &[
    grouped(Presence::Mandatory, "Bearer Contexts", BEARER_CONTEXT_NAMED),
    optional::<Uli>("User Location Information (ULI)", 0),
    optional::<UeTimeZone>("UE Time Zone", 0),
    optional::<FTeid>("Sender F-TEID for Control Plane", 0),
];

/// Table 7.2.17.2-1.
pub(crate) const DELETE_BEARER_FAILURE_INDICATION: &[Rule] = &[
    mandatory::<CauseIe>("Cause", 0),
    grouped(
        Presence::Optional,
        "Bearer Context",
        BEARER_CONTEXT_WITH_CAUSE,
    ),
    optional::<Recovery>("Recovery", 0),
];
