use alloc::vec::Vec;

use heiiki_types::{Guti, Imei, Imsi, PlmnId};

use super::digits::{decode_digits, encode_digits};
use crate::octets::Reader;

const IMSI: u8 = 1;
const IMEI: u8 = 3;
const GUTI: u8 = 6;

/// Who a UE says it is when it attaches or detaches, TS 24.301 §9.9.3.12.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpsMobileIdentity {
    /// The permanent identity.
    Imsi(Imsi),
    /// A temporary identity that an MME gave.
    Guti(Guti),
    /// The equipment, of 15 digits; for emergency only.
    Imei(Imei),
}

impl EpsMobileIdentity {
    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        match value.first()? & 7 {
            IMSI => decode_digits(value)?.parse().ok().map(Self::Imsi),
            IMEI => decode_digits(value)
                .filter(|d| d.len() == 15)?
                .parse()
                .ok()
                .map(Self::Imei),
            GUTI => decode_guti(value).map(Self::Guti),
            _ => None,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Imsi(imsi) => encode_digits(IMSI, imsi.digits()),
            Self::Imei(imei) => {
                // Without its check digit the spare digit goes out as zero (TS 23.003 §6.2.1).
                encode_digits(IMEI, imei.digits().chain([0]).take(15))
            }
            Self::Guti(guti) => encode_guti(guti),
        }
    }
}

pub(crate) fn decode_guti(value: &[u8]) -> Option<Guti> {
    let mut r = Reader::new(value);
    if value.len() != 11 || r.u8().ok()? & 7 != GUTI {
        return None;
    }
    Some(Guti {
        plmn: PlmnId::from_octets(r.array().ok()?).ok()?,
        mme_group_id: r.u16().ok()?,
        mme_code: r.u8().ok()?,
        m_tmsi: u32::from_be_bytes(r.array().ok()?),
    })
}

pub(crate) fn encode_guti(guti: &Guti) -> Vec<u8> {
    let mut out = Vec::from([0xf0 | GUTI]);
    out.extend(guti.plmn.octets());
    out.extend(guti.mme_group_id.to_be_bytes());
    out.push(guti.mme_code);
    out.extend(guti.m_tmsi.to_be_bytes());
    out
}
