use alloc::vec::Vec;

use super::{EsmCause, PCO, PCO_ONLY, encode_pco, pco};
use crate::octets::{Reader, tlv};
use crate::options::Format::{Half, Tlv, TlvE};
use crate::options::{Options, Table};
use crate::{DecodeError, GprsTimer3};

/// DEACTIVATE EPS BEARER CONTEXT REQUEST, TS 24.301 §8.3.12.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeactivateEpsBearerContextRequest {
    /// Why.
    pub cause: EsmCause,
    /// Protocol configuration options: the value as it is.
    pub pco: Option<Vec<u8>>,
    /// How long the UE does not ask for this APN again.
    pub t3396: Option<GprsTimer3>,
}

const T3396: u8 = 0x37;

const OPTIONAL: Table = &[
    (PCO, Tlv),
    (T3396, Tlv),
    (0xc0, Half),
    (0x33, Tlv),
    (0x7b, TlvE),
];

impl DeactivateEpsBearerContextRequest {
    /// A deactivation with nothing but its cause.
    pub const fn new(cause: EsmCause) -> Self {
        Self {
            cause,
            pco: None,
            t3396: None,
        }
    }

    pub(super) fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let cause = EsmCause(r.u8()?);
        let options = Options::read(r, OPTIONAL)?;
        Ok(Self {
            cause,
            pco: pco(&options),
            t3396: options.octet(T3396).map(GprsTimer3::from_octet),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.cause.0);
        encode_pco(out, self.pco.as_ref());
        let t3396 = self.t3396.map(|t| [t.octet()]);
        tlv(out, T3396, t3396.as_ref().map(<[u8; 1]>::as_slice), 1);
    }
}

/// DEACTIVATE EPS BEARER CONTEXT ACCEPT, TS 24.301 §8.3.11.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct DeactivateEpsBearerContextAccept {
    /// Protocol configuration options: the value as it is.
    pub pco: Option<Vec<u8>>,
}

impl DeactivateEpsBearerContextAccept {
    pub(super) fn decode(r: Reader<'_>) -> Result<Self, DecodeError> {
        let options = Options::read(r, PCO_ONLY)?;
        Ok(Self { pco: pco(&options) })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        encode_pco(out, self.pco.as_ref());
    }
}
