//! RAT Type, TS 29.274 §8.17.

use alloc::vec::Vec;

use super::{Fault, Ie, ie_type};
use crate::octets::Reader;

/// RAT type of wideband E-UTRAN, which an LTE eNodeB is.
pub const RAT_TYPE_EUTRAN: u8 = 6;

/// The access that the UE uses. Zero is reserved.
#[derive(Debug)]
pub(crate) enum RatType {}

impl Ie for RatType {
    const TYPE: u8 = ie_type::RAT_TYPE;
    type Value = u8;

    fn decode(r: &mut Reader<'_>) -> Result<u8, Fault> {
        match r.u8()? {
            0 => Err(Fault::Value),
            value => Ok(value),
        }
    }

    fn encode(value: &u8, out: &mut Vec<u8>) {
        out.push(*value);
    }
}
