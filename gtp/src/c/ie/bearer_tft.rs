//! EPS Bearer Level Traffic Flow Template, TS 29.274 §8.19.

use alloc::vec::Vec;

use super::{Fault, Ie, ie_type, octets};
use crate::octets::Reader;

/// The value as TS 24.008 §10.5.6.12 has it from its octet 3, unread.
#[derive(Debug)]
pub(crate) enum BearerTft {}

impl Ie for BearerTft {
    const TYPE: u8 = ie_type::BEARER_TFT;
    type Value = Vec<u8>;

    fn decode(r: &mut Reader<'_>) -> Result<Self::Value, Fault> {
        octets(r)
    }

    fn encode(value: &Self::Value, out: &mut Vec<u8>) {
        out.extend(value);
    }
}
