//! Protocol Configuration Options, TS 29.274 §8.13.

use alloc::vec::Vec;

use super::{Fault, Ie, ie_type, octets};
use crate::octets::Reader;

/// The value as TS 24.008 §10.5.6.3 has it from its octet 3; [`crate::pco`] reads it.
#[derive(Debug)]
pub(crate) enum ProtocolConfigurationOptions {}

impl Ie for ProtocolConfigurationOptions {
    const TYPE: u8 = ie_type::PCO;
    type Value = Vec<u8>;

    fn decode(r: &mut Reader<'_>) -> Result<Self::Value, Fault> {
        octets(r)
    }

    fn encode(value: &Self::Value, out: &mut Vec<u8>) {
        out.extend(value);
    }
}
