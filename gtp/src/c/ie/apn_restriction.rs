//! APN Restriction, TS 29.274 §8.57.

use alloc::vec::Vec;

use super::{Fault, Ie, ie_type};
use crate::octets::Reader;

/// Which APNs may be used together: 0 (no restriction) to 4. The other values are spare.
#[derive(Debug)]
pub(crate) enum ApnRestriction {}

impl Ie for ApnRestriction {
    const TYPE: u8 = ie_type::APN_RESTRICTION;
    type Value = u8;

    fn decode(r: &mut Reader<'_>) -> Result<Self::Value, Fault> {
        Ok(r.u8()?)
    }

    fn encode(value: &Self::Value, out: &mut Vec<u8>) {
        out.push(*value);
    }
}
