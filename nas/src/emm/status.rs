use alloc::vec::Vec;

use super::EmmCause;
use crate::DecodeError;
use crate::octets::Reader;
use crate::options::Options;

/// EMM STATUS, TS 24.301 §8.2.14.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmmStatus {
    /// What was wrong.
    pub cause: EmmCause,
}

impl EmmStatus {
    pub(crate) fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let cause = EmmCause(r.u8()?);
        Options::read(r, &[])?;
        Ok(Self { cause })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.cause.0);
    }
}
