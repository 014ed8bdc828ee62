//! Aggregate Maximum Bit Rate, TS 29.274 §8.7.

use alloc::vec::Vec;

use heiiki_types::Ambr;

use super::{Fault, Ie, ie_type};
use crate::octets::Reader;

/// Uplink, then downlink, each in kbit/s of 1000 bit/s.
#[derive(Debug)]
pub(crate) enum ApnAmbr {}

/// Fractions of a kbit/s are rounded up, so that nobody gets less than subscribed.
fn kbps(bps: u64) -> u32 {
    u32::try_from(bps.div_ceil(1000)).unwrap_or(u32::MAX)
}

impl Ie for ApnAmbr {
    const TYPE: u8 = ie_type::AMBR;
    type Value = Ambr;

    fn decode(r: &mut Reader<'_>) -> Result<Ambr, Fault> {
        Ok(Ambr {
            uplink_bps: u64::from(r.u32()?) * 1000,
            downlink_bps: u64::from(r.u32()?) * 1000,
        })
    }

    fn encode(value: &Ambr, out: &mut Vec<u8>) {
        out.extend(kbps(value.uplink_bps).to_be_bytes());
        out.extend(kbps(value.downlink_bps).to_be_bytes());
    }
}
