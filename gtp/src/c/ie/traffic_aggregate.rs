//! Traffic Aggregate Description, TS 29.274 §8.20.

use alloc::vec::Vec;

use super::{Fault, Ie, ie_type, octets};
use crate::octets::Reader;

/// What a UE wants done with its filters, as TS 24.008 §10.5.6.12 has it from its octet 3, unread.
#[derive(Debug)]
pub(crate) enum TrafficAggregate {}

impl Ie for TrafficAggregate {
    const TYPE: u8 = ie_type::TRAFFIC_AGGREGATE;
    type Value = Vec<u8>;

    fn decode(r: &mut Reader<'_>) -> Result<Self::Value, Fault> {
        octets(r)
    }

    fn encode(value: &Self::Value, out: &mut Vec<u8>) {
        out.extend(value);
    }
}
