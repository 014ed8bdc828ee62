//! Bearer Quality of Service, TS 29.274 §8.15.

use alloc::vec::Vec;

use heiiki_types::{Arp, Qci};

use super::{Fault, Ie, ie_type};
use crate::octets::Reader;

/// The quality of service of a bearer. Rates are in kbit/s, 40 bits wide; all zero for a bearer
/// without a guaranteed rate.
///
/// ```text
///  octet 5              6     7-11    12-16   17-21   22-26
///  - PCI PL(4) - PVI    QCI   MBR up  down    GBR up  down
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BearerQos {
    /// Allocation and retention priority.
    pub arp: Arp,
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

impl BearerQos {
    /// A bearer without a guaranteed rate.
    pub const fn non_gbr(qci: Qci, arp: Arp) -> Self {
        Self {
            arp,
            qci,
            mbr_uplink_kbps: 0,
            mbr_downlink_kbps: 0,
            gbr_uplink_kbps: 0,
            gbr_downlink_kbps: 0,
        }
    }
}

const RATE_MAX: u64 = (1 << 40) - 1;

pub(super) fn rate(r: &mut Reader<'_>) -> Result<u64, Fault> {
    let [a, b, c, d, e] = r.array()?;
    Ok(u64::from_be_bytes([0, 0, 0, a, b, c, d, e]))
}

/// Writes rates of 40 bits each; a greater one saturates.
pub(super) fn write_rates(out: &mut Vec<u8>, rates: [u64; 4]) {
    for rate in rates {
        let [_, _, _, low @ ..] = rate.min(RATE_MAX).to_be_bytes();
        out.extend(low);
    }
}

impl Ie for BearerQos {
    const TYPE: u8 = ie_type::BEARER_QOS;
    type Value = Self;

    fn decode(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let [arp, qci] = r.array()?;
        let value = Self {
            // On the wire a one *forbids* (TS 29.212 §5.3.46 and §5.3.47).
            arp: Arp {
                priority_level: arp >> 2 & 15,
                may_preempt: arp & 0x40 == 0,
                may_be_preempted: arp & 0x01 == 0,
            },
            qci: Qci(qci),
            mbr_uplink_kbps: rate(r)?,
            mbr_downlink_kbps: rate(r)?,
            gbr_uplink_kbps: rate(r)?,
            gbr_downlink_kbps: rate(r)?,
        };
        // There is no priority level 0.
        if value.arp.priority_level == 0 {
            return Err(Fault::Value);
        }
        Ok(value)
    }

    fn encode(value: &Self, out: &mut Vec<u8>) {
        let arp = u8::from(!value.arp.may_preempt) << 6
            | (value.arp.priority_level & 15) << 2
            | u8::from(!value.arp.may_be_preempted);
        out.extend([arp, value.qci.0]);
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
