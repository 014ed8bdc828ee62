//! MSISDN, TS 29.274 §8.11.

use alloc::vec::Vec;

use heiiki_types::Msisdn;

use super::{Fault, Ie, digits, ie_type};
use crate::octets::{Reader, write_tbcd};

/// An international number without its nature of address, packed as TBCD.
#[derive(Debug)]
pub(crate) enum MsisdnIe {}

impl Ie for MsisdnIe {
    const TYPE: u8 = ie_type::MSISDN;
    type Value = Msisdn;

    fn decode(r: &mut Reader<'_>) -> Result<Self::Value, Fault> {
        digits(r)
    }

    fn encode(value: &Self::Value, out: &mut Vec<u8>) {
        write_tbcd(out, value.digits());
    }
}
