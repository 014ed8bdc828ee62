//! Flow Quality of Service, TS 29.274 §8.16.

use alloc::vec::Vec;

use heiiki_types::Qci;

use super::bearer_qos::{rate, write_rates};
use super::{Fault, Ie, ie_type};
use crate::octets::Reader;

/// What a UE wants for its flows: a bearer's quality of service without a priority, which is not
/// the UE's to say. Rates are in kbit/s, 40 bits wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowQos {
    /// QoS class.
    pub qci: Qci,
    /// Maximum rate from the UE, kbit/s.
    pub mbr_uplink_kbps: u64,
    /// Maximum rate to the UE, kbit/s.
    pub mbr_downlink_kbps: u64,
    /// Guaranteed rate from the UE, kbit/s.
    pub gbr_uplink_kbps: u64,
    /// Guaranteed rate to the UE, kbit/s.
    pub gbr_downlink_kbps: u64,
}

impl Ie for FlowQos {
    const TYPE: u8 = ie_type::FLOW_QOS;
    type Value = Self;

    fn decode(r: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(Self {
            qci: Qci(r.u8()?),
            mbr_uplink_kbps: rate(r)?,
            mbr_downlink_kbps: rate(r)?,
            gbr_uplink_kbps: rate(r)?,
            gbr_downlink_kbps: rate(r)?,
        })
    }

    fn encode(value: &Self, out: &mut Vec<u8>) {
        out.push(value.qci.0);
        write_rates(
            out,
            [
                value.mbr_uplink_kbps,
                value.mbr_downlink_kbps,
                value.gbr_uplink_kbps,
                value.gbr_downlink_kbps,
            ],
        );
    }
}
