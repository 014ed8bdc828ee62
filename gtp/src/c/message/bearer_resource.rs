//! Bearer Resource Command and Failure Indication, TS 29.274 §7.2.5 and §7.2.6.

use alloc::vec::Vec;

use heiiki_types::{Ebi, PlmnId};

use super::Reject;
use super::presence::{self, ReferencePoint};
use crate::c::ie::{
    CauseIe, EpsBearerId, FTeid, FlowQos, Ies, Indication, ProcedureTransactionId,
    ProtocolConfigurationOptions, RatType, Recovery, ServingNetwork, TrafficAggregate, Uli, write,
    write_option,
};

/// Bearer Resource Command, TS 29.274 Table 7.2.5-1: a UE asks for a bearer, for other filters or
/// rates of one, or for the release of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerResourceCommand {
    /// The default bearer of the connection.
    pub linked_ebi: Ebi,
    /// The number by which the UE knows its request.
    pub pti: u8,
    /// What quality of service it wants; none for a release.
    pub flow_qos: Option<FlowQos>,
    /// What it wants with its filters; see [`crate::tft`].
    pub traffic_aggregate: Option<Vec<u8>>,
    /// The access.
    pub rat_type: Option<u8>,
    /// The network that serves the UE.
    pub serving_network: Option<PlmnId>,
    /// Where the UE is.
    pub uli: Option<Uli>,
    /// The bearer that it is about, unless it is about a new one.
    pub ebi: Option<Ebi>,
    /// Flags.
    pub indication: Option<Indication>,
    /// What the UE tells the PGW.
    pub pco: Option<Vec<u8>>,
    /// The SGW's tunnel end for control messages, as it was last said.
    pub sender_f_teid: Option<FTeid>,
}

impl BearerResourceCommand {
    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check(presence::BEARER_RESOURCE_COMMAND, on, ies)?;
        Ok(Self {
            linked_ebi: ies.mandatory::<EpsBearerId>(0)?,
            pti: ies.mandatory::<ProcedureTransactionId>(0)?,
            flow_qos: ies.optional::<FlowQos>(0),
            traffic_aggregate: ies.optional::<TrafficAggregate>(0),
            rat_type: ies.optional::<RatType>(0),
            serving_network: ies.optional::<ServingNetwork>(0),
            uli: ies.optional::<Uli>(0),
            ebi: ies.optional::<EpsBearerId>(1),
            indication: ies.optional::<Indication>(0),
            pco: ies.optional::<ProtocolConfigurationOptions>(0),
            sender_f_teid: ies.optional::<FTeid>(2),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write::<EpsBearerId>(out, 0, &self.linked_ebi);
        write::<ProcedureTransactionId>(out, 0, &self.pti);
        write_option::<FlowQos>(out, 0, self.flow_qos.as_ref());
        write_option::<TrafficAggregate>(out, 0, self.traffic_aggregate.as_ref());
        write_option::<RatType>(out, 0, self.rat_type.as_ref());
        write_option::<ServingNetwork>(out, 0, self.serving_network.as_ref());
        write_option::<Uli>(out, 0, self.uli.as_ref());
        write_option::<EpsBearerId>(out, 1, self.ebi.as_ref());
        write_option::<Indication>(out, 0, self.indication.as_ref());
        write_option::<ProtocolConfigurationOptions>(out, 0, self.pco.as_ref());
        write_option::<FTeid>(out, 2, self.sender_f_teid.as_ref());
    }
}

/// Bearer Resource Failure Indication, TS 29.274 Table 7.2.6-1: the command is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerResourceFailureIndication {
    /// Why.
    pub cause: CauseIe,
    /// The default bearer, as in the command; left out when the command could not be read.
    pub linked_ebi: Option<Ebi>,
    /// The number of the UE's request; left out when the command could not be read.
    pub pti: Option<u8>,
    /// The sender's restart counter.
    pub recovery: Option<u8>,
}

impl BearerResourceFailureIndication {
    /// An indication with a cause and nothing else.
    pub const fn new(cause: CauseIe) -> Self {
        Self {
            cause,
            linked_ebi: None,
            pti: None,
            recovery: None,
        }
    }

    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check(presence::BEARER_RESOURCE_FAILURE_INDICATION, on, ies)?;
        Ok(Self {
            cause: ies.mandatory::<CauseIe>(0)?,
            linked_ebi: ies.optional::<EpsBearerId>(0),
            pti: ies.optional::<ProcedureTransactionId>(0),
            recovery: ies.optional::<Recovery>(0),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        write::<CauseIe>(out, 0, &self.cause);
        write_option::<EpsBearerId>(out, 0, self.linked_ebi.as_ref());
        write_option::<ProcedureTransactionId>(out, 0, self.pti.as_ref());
        write_option::<Recovery>(out, 0, self.recovery.as_ref());
    }
}
