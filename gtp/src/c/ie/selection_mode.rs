//! Selection Mode, TS 29.274 §8.58.

use alloc::vec::Vec;

use super::{Fault, Ie, ie_type};
use crate::octets::Reader;

/// Who chose the APN and whether the subscription was checked: two bits.
#[derive(Debug)]
pub(crate) enum SelectionMode {}

impl Ie for SelectionMode {
    const TYPE: u8 = ie_type::SELECTION_MODE;
    type Value = u8;

    fn decode(r: &mut Reader<'_>) -> Result<Self::Value, Fault> {
        Ok(r.u8()? & 3)
    }

    fn encode(value: &Self::Value, out: &mut Vec<u8>) {
        out.push(value & 3);
    }
}
