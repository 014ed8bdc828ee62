use alloc::vec::Vec;

use heiiki_types::Apn;

use super::{APN_MAX, EsmCause, PCO, encode_pco, pco};
use crate::ie::{decode_apn, encode_apn};
use crate::octets::{Reader, half, halves, tlv};
use crate::options::Format::{Half, Tlv, TlvE};
use crate::options::{Options, Table};
use crate::{DecodeError, GprsTimer3, PdnType, RequestType};

/// PDN CONNECTIVITY REQUEST, TS 24.301 §8.3.20.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PdnConnectivityRequest {
    /// Why the UE asks.
    pub request_type: RequestType,
    /// What kind of address it wants.
    pub pdn_type: PdnType,
    /// Whether APN and options follow once the way is protected.
    pub esm_info_transfer: bool,
    /// Which network; the default one when absent. Not inside an ATTACH REQUEST.
    pub apn: Option<Apn>,
    /// Protocol configuration options: the value as it is, at most [`super::PCO_MAX`] octets.
    pub pco: Option<Vec<u8>>,
}

const ESM_INFORMATION_TRANSFER_FLAG: u8 = 0xd0;
pub(super) const APN: u8 = 0x28;

const REQUEST_OPTIONAL: Table = &[
    (ESM_INFORMATION_TRANSFER_FLAG, Half),
    (APN, Tlv),
    (PCO, Tlv),
    (0xc0, Half),
    (0x33, Tlv),
    (0x66, Tlv),
    (0x7b, TlvE),
];

impl PdnConnectivityRequest {
    pub(super) fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let (request_type, pdn_type) = halves(r.u8()?);
        let options = Options::read(r, REQUEST_OPTIONAL)?;
        Ok(Self {
            request_type: RequestType(request_type & 7),
            pdn_type: PdnType(pdn_type & 7),
            esm_info_transfer: options
                .half(ESM_INFORMATION_TRANSFER_FLAG)
                .is_some_and(|h| h & 1 != 0),
            apn: options.read_as(APN, decode_apn),
            pco: pco(&options),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push((self.pdn_type.0 & 7) << 4 | self.request_type.0 & 7);
        let flag = self.esm_info_transfer.then_some(1);
        half(out, ESM_INFORMATION_TRANSFER_FLAG, flag);
        tlv(
            out,
            APN,
            self.apn.as_ref().map(encode_apn).as_deref(),
            APN_MAX,
        );
        encode_pco(out, self.pco.as_ref());
    }
}

/// PDN CONNECTIVITY REJECT, TS 24.301 §8.3.19.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PdnConnectivityReject {
    /// Why.
    pub cause: EsmCause,
    /// Protocol configuration options: the value as it is.
    pub pco: Option<Vec<u8>>,
    /// How long the UE does not ask for this APN again.
    pub t3396: Option<GprsTimer3>,
}

const BACK_OFF: u8 = 0x37;

const REJECT_OPTIONAL: Table = &[
    (PCO, Tlv),
    (BACK_OFF, Tlv),
    (0x6b, Tlv),
    (0x33, Tlv),
    (0x7b, TlvE),
];

impl PdnConnectivityReject {
    /// A reject with nothing but its cause.
    pub const fn new(cause: EsmCause) -> Self {
        Self {
            cause,
            pco: None,
            t3396: None,
        }
    }

    pub(super) fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let cause = EsmCause(r.u8()?);
        let options = Options::read(r, REJECT_OPTIONAL)?;
        Ok(Self {
            cause,
            pco: pco(&options),
            t3396: options.octet(BACK_OFF).map(GprsTimer3::from_octet),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.cause.0);
        encode_pco(out, self.pco.as_ref());
        let t3396 = self.t3396.map(|t| [t.octet()]);
        tlv(out, BACK_OFF, t3396.as_ref().map(<[u8; 1]>::as_slice), 1);
    }
}
