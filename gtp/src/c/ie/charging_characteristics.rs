//! Charging Characteristics, TS 29.274 §8.30.

use alloc::vec::Vec;

use super::{Fault, Ie, ie_type};
use crate::octets::Reader;

/// The subscriber's charging profile, 16 bits (TS 32.298 §5.1.2.2.7).
#[derive(Debug)]
pub(crate) enum ChargingCharacteristics {}

impl Ie for ChargingCharacteristics {
    const TYPE: u8 = ie_type::CHARGING_CHARACTERISTICS;
    type Value = u16;

    fn decode(r: &mut Reader<'_>) -> Result<Self::Value, Fault> {
        Ok(r.u16()?)
    }

    fn encode(value: &Self::Value, out: &mut Vec<u8>) {
        out.extend(value.to_be_bytes());
    }
}
