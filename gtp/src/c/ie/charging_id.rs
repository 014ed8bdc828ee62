//! Charging ID, TS 29.274 §8.29.

use alloc::vec::Vec;

use super::{Fault, Ie, ie_type};
use crate::octets::Reader;

/// The number that ties the records of one bearer together.
#[derive(Debug)]
pub(crate) enum ChargingId {}

impl Ie for ChargingId {
    const TYPE: u8 = ie_type::CHARGING_ID;
    type Value = u32;

    fn decode(r: &mut Reader<'_>) -> Result<Self::Value, Fault> {
        Ok(r.u32()?)
    }

    fn encode(value: &Self::Value, out: &mut Vec<u8>) {
        out.extend(value.to_be_bytes());
    }
}
