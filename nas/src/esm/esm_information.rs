use alloc::vec::Vec;

use heiiki_types::Apn;

use super::pdn_connectivity::APN;
use super::{APN_MAX, PCO, encode_pco, pco};
use crate::DecodeError;
use crate::ie::{decode_apn, encode_apn};
use crate::octets::{Reader, tlv};
use crate::options::Format::{Tlv, TlvE};
use crate::options::{Options, Table};

/// ESM INFORMATION RESPONSE, TS 24.301 §8.3.14.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct EsmInformationResponse {
    /// Which network; the default one when absent.
    pub apn: Option<Apn>,
    /// Protocol configuration options: the value as it is.
    pub pco: Option<Vec<u8>>,
}

const OPTIONAL: Table = &[(APN, Tlv), (PCO, Tlv), (0x7b, TlvE)];

impl EsmInformationResponse {
    pub(super) fn decode(r: Reader<'_>) -> Result<Self, DecodeError> {
        let options = Options::read(r, OPTIONAL)?;
        Ok(Self {
            apn: options.read_as(APN, decode_apn),
            pco: pco(&options),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        tlv(
            out,
            APN,
            self.apn.as_ref().map(encode_apn).as_deref(),
            APN_MAX,
        );
        encode_pco(out, self.pco.as_ref());
    }
}
