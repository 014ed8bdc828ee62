//! Serving Network, TS 29.274 §8.18.

use alloc::vec::Vec;

use heiiki_types::PlmnId;

use super::{Fault, Ie, ie_type};
use crate::octets::Reader;

/// The PLMN that serves the UE: three octets.
#[derive(Debug)]
pub(crate) enum ServingNetwork {}

impl Ie for ServingNetwork {
    const TYPE: u8 = ie_type::SERVING_NETWORK;
    type Value = PlmnId;

    fn decode(r: &mut Reader<'_>) -> Result<Self::Value, Fault> {
        PlmnId::from_octets(r.array()?).map_err(|_| Fault::Value)
    }

    fn encode(value: &Self::Value, out: &mut Vec<u8>) {
        out.extend(value.octets());
    }
}
