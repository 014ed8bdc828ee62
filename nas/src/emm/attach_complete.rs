use alloc::vec::Vec;

use crate::DecodeError;
use crate::octets::{Reader, lv_e};
use crate::options::Options;

/// ATTACH COMPLETE, TS 24.301 §8.2.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachComplete {
    /// The ESM message that accepts the default bearer.
    pub esm_container: Vec<u8>,
}

impl AttachComplete {
    pub(crate) fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let esm_container = r.lv_e()?.to_vec();
        Options::read(r, &[])?;
        Ok(Self { esm_container })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        lv_e(out, &self.esm_container);
    }
}
