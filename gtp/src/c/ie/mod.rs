//! Information elements, TS 29.274 §8: one file each, named as the element.
//!
//! ```text
//!  octet 1   2-3      4                 5 to length + 4
//!  type      length   spare, instance   value
//! ```
//!
//! The values are plain Rust values without lengths, types or instances: these belong to the
//! message that holds the element.

use alloc::vec::Vec;
use core::str::FromStr;

use super::message::Reject;
use crate::octets::{Reader, Short, patch_length, read_tbcd};

mod ambr;
mod apn;
mod apn_restriction;
mod bearer_context;
mod bearer_flags;
mod bearer_qos;
mod bearer_tft;
mod cause;
mod charging_characteristics;
mod charging_id;
mod ebi;
mod f_teid;
mod flow_qos;
mod fq_csid;
mod imsi;
mod indication;
mod mei;
mod msisdn;
mod paa;
mod pco;
mod pdn_type;
mod pti;
mod rat_type;
mod recovery;
mod selection_mode;
mod serving_network;
#[cfg(test)]
mod tests;
mod traffic_aggregate;
mod ue_time_zone;
mod uli;

pub use bearer_context::{
    BearerContextAccepted, BearerContextCreated, BearerContextDeleted, BearerContextModified,
    BearerContextNamed, BearerContextRequested, BearerContextToBeCreated,
    BearerContextToBeModified, BearerContextToBeUpdated, BearerContextToChange,
};
pub use bearer_flags::BearerFlags;
pub use bearer_qos::BearerQos;
pub use cause::{Cause, CauseIe};
pub use f_teid::{FTeid, FTeidAddr, Interface, PgwAddress};
pub use flow_qos::FlowQos;
pub use fq_csid::{CsidNode, FqCsid};
pub use indication::{Indication, IndicationFlag};
pub use mei::Mei;
pub use paa::Paa;
pub use pdn_type::PdnType;
pub use rat_type::RAT_TYPE_EUTRAN;
pub use ue_time_zone::UeTimeZone;
pub use uli::Uli;

pub(crate) use ambr::ApnAmbr;
pub(crate) use apn::AccessPointName;
pub(crate) use apn_restriction::ApnRestriction;
pub(crate) use bearer_context::{BearerContext, write_contexts, write_contexts_at};
pub(crate) use bearer_tft::BearerTft;
pub(crate) use charging_characteristics::ChargingCharacteristics;
pub(crate) use charging_id::ChargingId;
pub(crate) use ebi::{EpsBearerId, EpsBearerIdOrZero};
pub(crate) use imsi::ImsiIe;
pub(crate) use msisdn::MsisdnIe;
pub(crate) use pco::{
    AdditionalProtocolConfigurationOptions, ExtendedProtocolConfigurationOptions,
    ProtocolConfigurationOptions,
};
pub(crate) use pti::ProcedureTransactionId;
pub(crate) use rat_type::RatType;
pub(crate) use recovery::Recovery;
pub(crate) use selection_mode::SelectionMode;
pub(crate) use serving_network::ServingNetwork;
pub(crate) use traffic_aggregate::TrafficAggregate;

/// Types of the information elements that are read here, TS 29.274 Table 8.1-1.
pub mod ie_type {
    /// International Mobile Subscriber Identity.
    pub const IMSI: u8 = 1;
    /// Cause.
    pub const CAUSE: u8 = 2;
    /// Recovery.
    pub const RECOVERY: u8 = 3;
    /// Access Point Name.
    pub const APN: u8 = 71;
    /// Aggregate Maximum Bit Rate.
    pub const AMBR: u8 = 72;
    /// EPS Bearer ID.
    pub const EBI: u8 = 73;
    /// Mobile Equipment Identity.
    pub const MEI: u8 = 75;
    /// MSISDN.
    pub const MSISDN: u8 = 76;
    /// Indication.
    pub const INDICATION: u8 = 77;
    /// Protocol Configuration Options.
    pub const PCO: u8 = 78;
    /// PDN Address Allocation.
    pub const PAA: u8 = 79;
    /// Bearer Quality of Service.
    pub const BEARER_QOS: u8 = 80;
    /// Flow Quality of Service.
    pub const FLOW_QOS: u8 = 81;
    /// RAT Type.
    pub const RAT_TYPE: u8 = 82;
    /// Serving Network.
    pub const SERVING_NETWORK: u8 = 83;
    /// EPS Bearer Level Traffic Flow Template.
    pub const BEARER_TFT: u8 = 84;
    /// Traffic Aggregate Description.
    pub const TRAFFIC_AGGREGATE: u8 = 85;
    /// User Location Information.
    pub const ULI: u8 = 86;
    /// Fully Qualified Tunnel Endpoint Identifier.
    pub const F_TEID: u8 = 87;
    /// Bearer Context.
    pub const BEARER_CONTEXT: u8 = 93;
    /// Charging ID.
    pub const CHARGING_ID: u8 = 94;
    /// Charging Characteristics.
    pub const CHARGING_CHARACTERISTICS: u8 = 95;
    /// Bearer Flags.
    pub const BEARER_FLAGS: u8 = 97;
    /// PDN Type.
    pub const PDN_TYPE: u8 = 99;
    /// Procedure Transaction ID.
    pub const PTI: u8 = 100;
    /// UE Time Zone.
    pub const UE_TIME_ZONE: u8 = 114;
    /// APN Restriction.
    pub const APN_RESTRICTION: u8 = 127;
    /// Selection Mode.
    pub const SELECTION_MODE: u8 = 128;
    /// Fully Qualified PDN Connection Set Identifier.
    pub const FQ_CSID: u8 = 132;
    /// Additional Protocol Configuration Options.
    pub const APCO: u8 = 163;
    /// Extended Protocol Configuration Options.
    pub const EPCO: u8 = 197;
}

/// What is wrong with the value of an information element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Fewer octets than the fixed part has (TS 29.274 §7.7.7).
    Length,
    /// A value that is reserved or senseless (TS 29.274 §7.7.8).
    Value,
}

impl From<Short> for Fault {
    fn from(_: Short) -> Self {
        Self::Length
    }
}

/// The codec of one information element. Octets after the known part are ignored, as extendable
/// elements ask for (TS 29.274 §8.2).
pub(crate) trait Ie {
    /// The type on the wire.
    const TYPE: u8;
    /// What the element means.
    type Value;

    /// Reads the value from all octets after the instance.
    fn decode(r: &mut Reader<'_>) -> Result<Self::Value, Fault>;

    /// Writes the value, without type, length and instance.
    fn encode(value: &Self::Value, out: &mut Vec<u8>);
}

/// Whether the octets are a value of this element: the check of a presence rule.
pub(crate) fn validate<T: Ie>(octets: &[u8]) -> Result<(), Fault> {
    T::decode(&mut Reader::new(octets)).map(|_| ())
}

/// Writes an element around whatever `value` writes.
pub(crate) fn write_with(
    out: &mut Vec<u8>,
    ie: u8,
    instance: u8,
    value: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    out.extend([ie, 0, 0, instance & 15]);
    value(out);
    patch_length(out, start + 1, start + 4);
}

pub(crate) fn write<T: Ie>(out: &mut Vec<u8>, instance: u8, value: &T::Value) {
    write_with(out, T::TYPE, instance, |out| T::encode(value, out));
}

pub(crate) fn write_option<T: Ie>(out: &mut Vec<u8>, instance: u8, value: Option<&T::Value>) {
    if let Some(value) = value {
        write::<T>(out, instance, value);
    }
}

fn octets(r: &mut Reader<'_>) -> Result<Vec<u8>, Fault> {
    Ok(r.take(r.rest().len())?.into())
}

fn digits<T: FromStr>(r: &mut Reader<'_>) -> Result<T, Fault> {
    let text = read_tbcd(r.take(r.rest().len())?).ok_or(Fault::Value)?;
    text.parse().map_err(|_| Fault::Value)
}

/// An information element as it stands in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawIe<'a> {
    pub(crate) ie: u8,
    pub(crate) instance: u8,
    pub(crate) value: &'a [u8],
}

/// The elements of a message or of a grouped element, in the order of the wire.
#[derive(Clone, Debug)]
pub(crate) struct Ies<'a>(Vec<RawIe<'a>>);

impl<'a> Ies<'a> {
    /// Takes the octets apart. A length that runs over the end is a fault of that element
    /// (TS 29.274 §7.7.7).
    pub(crate) fn parse(octets: &'a [u8]) -> Result<Self, Reject> {
        let mut list = Vec::new();
        let mut r = Reader::new(octets);
        while !r.is_empty() {
            let header = r.array::<4>();
            let [ie, high, low, instance] =
                header.map_err(|_| Reject::length(None, "octets after the last element"))?;
            let instance = instance & 15;
            let length = usize::from(u16::from_be_bytes([high, low]));
            let value = r
                .take(length)
                .map_err(|_| Reject::length(Some((ie, instance)), "element runs over the end"))?;
            list.push(RawIe {
                ie,
                instance,
                value,
            });
        }
        Ok(Self(list))
    }

    /// The elements in the order of the wire.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &RawIe<'a>> {
        self.0.iter()
    }

    /// Every element of this type and instance.
    pub(crate) fn all(&self, ie: u8, instance: u8) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |e| e.ie == ie && e.instance == instance)
            .map(|e| e.value)
    }

    /// The first element of this type and instance: later ones do not count
    /// (TS 29.274 §7.7.10).
    pub(crate) fn first(&self, ie: u8, instance: u8) -> Option<&'a [u8]> {
        self.all(ie, instance).next()
    }

    /// An element that may be absent; one with a fault counts as absent (TS 29.274 §7.7.8).
    pub(crate) fn optional<T: Ie>(&self, instance: u8) -> Option<T::Value> {
        let octets = self.first(T::TYPE, instance)?;
        T::decode(&mut Reader::new(octets)).ok()
    }

    /// An element that the presence rules have found already.
    pub(crate) fn mandatory<T: Ie>(&self, instance: u8) -> Result<T::Value, Reject> {
        let ie = (T::TYPE, instance);
        let octets = self
            .first(T::TYPE, instance)
            .ok_or_else(|| Reject::missing(ie, "mandatory element"))?;
        T::decode(&mut Reader::new(octets)).map_err(|f| Reject::fault(ie, f, "mandatory element"))
    }
}

/// Bearers that a UE can have at once, and so the Bearer Contexts that are read of a message.
pub(crate) const BEARERS_MAX: usize = 11;
