//! Recovery, TS 29.274 §8.5.

use alloc::vec::Vec;

use super::{Fault, Ie, ie_type};
use crate::octets::Reader;

/// The sender's restart counter: one octet.
#[derive(Debug)]
pub(crate) enum Recovery {}

impl Ie for Recovery {
    const TYPE: u8 = ie_type::RECOVERY;
    type Value = u8;

    fn decode(r: &mut Reader<'_>) -> Result<Self::Value, Fault> {
        Ok(r.u8()?)
    }

    fn encode(value: &Self::Value, out: &mut Vec<u8>) {
        out.push(*value);
    }
}
