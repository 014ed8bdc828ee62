use alloc::vec::Vec;

use super::{EsmCause, PCO_ONLY, encode_pco, pco};
use crate::DecodeError;
use crate::octets::Reader;
use crate::options::Options;

/// PDN DISCONNECT REQUEST, TS 24.301 §8.3.22.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PdnDisconnectRequest {
    /// The default bearer of the connection to give back, 1 to 15.
    pub linked_ebi: u8,
    /// Protocol configuration options: the value as it is.
    pub pco: Option<Vec<u8>>,
}

impl PdnDisconnectRequest {
    pub(super) fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let linked_ebi = r.u8()? & 15;
        let options = Options::read(r, PCO_ONLY)?;
        Ok(Self {
            linked_ebi,
            pco: pco(&options),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.linked_ebi & 15);
        encode_pco(out, self.pco.as_ref());
    }
}

/// PDN DISCONNECT REJECT, TS 24.301 §8.3.21.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PdnDisconnectReject {
    /// Why.
    pub cause: EsmCause,
    /// Protocol configuration options: the value as it is.
    pub pco: Option<Vec<u8>>,
}

impl PdnDisconnectReject {
    pub(super) fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let cause = EsmCause(r.u8()?);
        let options = Options::read(r, PCO_ONLY)?;
        Ok(Self {
            cause,
            pco: pco(&options),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.cause.0);
        encode_pco(out, self.pco.as_ref());
    }
}
