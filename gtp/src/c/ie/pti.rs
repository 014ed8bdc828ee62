//! Procedure Transaction ID, TS 29.274 §8.35.

use alloc::vec::Vec;

use super::{Fault, Ie, ie_type};
use crate::octets::Reader;

/// The number by which the UE knows its own request (TS 24.007 §11.2.3.1a).
#[derive(Debug)]
pub(crate) enum ProcedureTransactionId {}

impl Ie for ProcedureTransactionId {
    const TYPE: u8 = ie_type::PTI;
    type Value = u8;

    fn decode(r: &mut Reader<'_>) -> Result<Self::Value, Fault> {
        Ok(r.u8()?)
    }

    fn encode(value: &Self::Value, out: &mut Vec<u8>) {
        out.push(*value);
    }
}
