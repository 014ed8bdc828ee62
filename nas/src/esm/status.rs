use alloc::vec::Vec;

use super::EsmCause;
use crate::DecodeError;
use crate::octets::Reader;
use crate::options::Options;

/// ESM STATUS, TS 24.301 §8.3.15.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EsmStatus {
    /// What was wrong.
    pub cause: EsmCause,
}

impl EsmStatus {
    pub(super) fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let cause = EsmCause(r.u8()?);
        Options::read(r, &[])?;
        Ok(Self { cause })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.cause.0);
    }
}
