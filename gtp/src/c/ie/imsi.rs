//! International Mobile Subscriber Identity, TS 29.274 §8.3.

use alloc::vec::Vec;

use heiiki_types::Imsi;

use super::{Fault, Ie, digits, ie_type};
use crate::octets::{Reader, write_tbcd};

/// Up to 15 digits, packed as TBCD.
#[derive(Debug)]
pub(crate) enum ImsiIe {}

impl Ie for ImsiIe {
    const TYPE: u8 = ie_type::IMSI;
    type Value = Imsi;

    fn decode(r: &mut Reader<'_>) -> Result<Self::Value, Fault> {
        digits(r)
    }

    fn encode(value: &Self::Value, out: &mut Vec<u8>) {
        write_tbcd(out, value.digits());
    }
}
