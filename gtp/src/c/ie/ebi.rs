//! EPS Bearer ID, TS 29.274 §8.8.

use alloc::vec::Vec;

use heiiki_types::Ebi;

use super::{Fault, Ie, ie_type};
use crate::octets::Reader;

/// A bearer of a UE: the low four bits.
#[derive(Debug)]
pub(crate) enum EpsBearerId {}

impl Ie for EpsBearerId {
    const TYPE: u8 = ie_type::EBI;
    type Value = Ebi;

    fn decode(r: &mut Reader<'_>) -> Result<Self::Value, Fault> {
        Ebi::new(r.u8()? & 15).map_err(|_| Fault::Value)
    }

    fn encode(value: &Self::Value, out: &mut Vec<u8>) {
        out.push(value.get());
    }
}

/// A bearer that may not have its identity yet: zero on the wire.
#[derive(Debug)]
pub(crate) enum EpsBearerIdOrZero {}

impl Ie for EpsBearerIdOrZero {
    const TYPE: u8 = ie_type::EBI;
    type Value = Option<Ebi>;

    fn decode(r: &mut Reader<'_>) -> Result<Self::Value, Fault> {
        match r.u8()? & 15 {
            0 => Ok(None),
            value => Ebi::new(value).map(Some).map_err(|_| Fault::Value),
        }
    }

    fn encode(value: &Self::Value, out: &mut Vec<u8>) {
        out.push(value.map_or(0, Ebi::get));
    }
}
