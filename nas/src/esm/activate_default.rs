use alloc::vec::Vec;

use heiiki_types::{Ambr, Apn};

use super::{EsmCause, PCO, PCO_ONLY, encode_pco, pco};
use crate::ie::{decode_ambr, decode_apn, encode_ambr, encode_apn};
use crate::octets::{Reader, lv, tlv, tv};
use crate::options::Format::{Half, Tlv, TlvE, Tv};
use crate::options::{Options, Table};
use crate::{DecodeError, EpsQos, PdnAddress};

/// ACTIVATE DEFAULT EPS BEARER CONTEXT REQUEST, TS 24.301 §8.3.6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivateDefaultEpsBearerContextRequest {
    /// The quality of the bearer.
    pub qos: EpsQos,
    /// The network it leads to.
    pub apn: Apn,
    /// The address of the UE in it.
    pub pdn_address: PdnAddress,
    /// The rate of all non-GBR bearers of the connection together. On the wire it goes down to
    /// the next rate that the element can say.
    pub apn_ambr: Option<Ambr>,
    /// Why the UE did not get the type of address it asked for.
    pub esm_cause: Option<EsmCause>,
    /// Protocol configuration options: the value as it is.
    pub pco: Option<Vec<u8>>,
}

const APN_AMBR: u8 = 0x5e;
const ESM_CAUSE: u8 = 0x58;

const OPTIONAL: Table = &[
    (0x5d, Tlv),
    (0x30, Tlv),
    (0x32, Tv(1)),
    (0x80, Half),
    (0x34, Tlv),
    (APN_AMBR, Tlv),
    (ESM_CAUSE, Tv(1)),
    (PCO, Tlv),
    (0xb0, Half),
    (0xc0, Half),
    (0x33, Tlv),
    (0x66, Tlv),
    (0x90, Half),
    (0x7b, TlvE),
    (0x6e, Tlv),
    (0x5f, Tlv),
];

impl ActivateDefaultEpsBearerContextRequest {
    pub(super) fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let qos = r.lv_as(EpsQos::decode)?;
        let apn = r.lv_as(decode_apn)?;
        let pdn_address = r.lv_as(PdnAddress::decode)?;
        let options = Options::read(r, OPTIONAL)?;
        Ok(Self {
            qos,
            apn,
            pdn_address,
            apn_ambr: options.read_as(APN_AMBR, decode_ambr),
            esm_cause: options.octet(ESM_CAUSE).map(EsmCause),
            pco: pco(&options),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        lv(out, &self.qos.encode());
        lv(out, &encode_apn(&self.apn));
        lv(out, &self.pdn_address.encode());
        tlv(out, APN_AMBR, self.apn_ambr.map(encode_ambr).as_deref(), 6);
        tv(out, ESM_CAUSE, self.esm_cause.map(|c| c.0));
        encode_pco(out, self.pco.as_ref());
    }
}

/// ACTIVATE DEFAULT EPS BEARER CONTEXT ACCEPT, TS 24.301 §8.3.4.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ActivateDefaultEpsBearerContextAccept {
    /// Protocol configuration options: the value as it is.
    pub pco: Option<Vec<u8>>,
}

impl ActivateDefaultEpsBearerContextAccept {
    pub(super) fn decode(r: Reader<'_>) -> Result<Self, DecodeError> {
        let options = Options::read(r, PCO_ONLY)?;
        Ok(Self { pco: pco(&options) })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        encode_pco(out, self.pco.as_ref());
    }
}

/// ACTIVATE DEFAULT EPS BEARER CONTEXT REJECT, TS 24.301 §8.3.5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivateDefaultEpsBearerContextReject {
    /// Why.
    pub cause: EsmCause,
    /// Protocol configuration options: the value as it is.
    pub pco: Option<Vec<u8>>,
}

impl ActivateDefaultEpsBearerContextReject {
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
