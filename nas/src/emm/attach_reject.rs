use alloc::vec::Vec;

use super::EmmCause;
use crate::octets::{Reader, half, lv_e, tlv};
use crate::options::Format::{Half, Tlv, TlvE};
use crate::options::{Options, Table};
use crate::{DecodeError, GprsTimer2};

/// ATTACH REJECT, TS 24.301 §8.2.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachReject {
    /// Why.
    pub cause: EmmCause,
    /// The PDN CONNECTIVITY REJECT that goes with cause #19.
    pub esm_container: Option<Vec<u8>>,
    /// How long the UE stays away; goes with cause #22.
    pub t3346: Option<GprsTimer2>,
    /// How long the UE waits after five failed attempts.
    pub t3402: Option<GprsTimer2>,
    /// More about the cause, 4 bits (§9.9.3.26A).
    pub extended_cause: Option<u8>,
}

const ESM_CONTAINER: u8 = 0x78;
const T3346: u8 = 0x5f;
const T3402: u8 = 0x16;
const EXTENDED_CAUSE: u8 = 0xa0;

const OPTIONAL: Table = &[
    (ESM_CONTAINER, TlvE),
    (T3346, Tlv),
    (T3402, Tlv),
    (EXTENDED_CAUSE, Half),
    (0x1c, Tlv),
    (0x1d, Tlv),
    (0x1e, Tlv),
];

impl AttachReject {
    /// A reject with nothing but its cause.
    pub const fn new(cause: EmmCause) -> Self {
        Self {
            cause,
            esm_container: None,
            t3346: None,
            t3402: None,
            extended_cause: None,
        }
    }

    pub(crate) fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let cause = EmmCause(r.u8()?);
        let options = Options::read(r, OPTIONAL)?;
        Ok(Self {
            cause,
            esm_container: options.get(ESM_CONTAINER).map(<[u8]>::to_vec),
            t3346: options.octet(T3346).map(GprsTimer2::from_octet),
            t3402: options.octet(T3402).map(GprsTimer2::from_octet),
            extended_cause: options.half(EXTENDED_CAUSE),
        })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.cause.0);
        if let Some(esm) = &self.esm_container {
            out.push(ESM_CONTAINER);
            lv_e(out, esm);
        }
        for (iei, timer) in [(T3346, self.t3346), (T3402, self.t3402)] {
            let octet = timer.map(|t| [t.octet()]);
            tlv(out, iei, octet.as_ref().map(<[u8; 1]>::as_slice), 1);
        }
        half(out, EXTENDED_CAUSE, self.extended_cause);
    }
}
