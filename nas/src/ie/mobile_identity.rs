use alloc::vec::Vec;

use heiiki_types::{Imei, Imsi};

use super::Imeisv;
use super::digits::{decode_digits, encode_digits};
use crate::code::code;
use crate::octets::Reader;

code! {
    /// Which identity an IDENTITY REQUEST asks for, TS 24.008 §10.5.5.9.
    IdentityType {
        IMSI = 1, "IMSI";
        IMEI = 2, "IMEI";
        IMEISV = 3, "IMEISV";
        TMSI = 4, "TMSI";
    }
}

/// The identity in an IDENTITY RESPONSE or a SECURITY MODE COMPLETE, TS 24.008 §10.5.1.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MobileIdentity {
    /// The permanent identity.
    Imsi(Imsi),
    /// The equipment, of 15 digits.
    Imei(Imei),
    /// The equipment and its software version.
    Imeisv(Imeisv),
    /// A temporary identity.
    Tmsi(u32),
    /// The UE does not have what was asked for.
    NoIdentity,
}

impl MobileIdentity {
    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let first = *value.first()?;
        match IdentityType(first & 7) {
            IdentityType(0) => Some(Self::NoIdentity),
            IdentityType::IMSI => decode_digits(value)?.parse().ok().map(Self::Imsi),
            IdentityType::IMEI => decode_digits(value)
                .filter(|d| d.len() == 15)?
                .parse()
                .ok()
                .map(Self::Imei),
            IdentityType::IMEISV => decode_digits(value)?.parse().ok().map(Self::Imeisv),
            IdentityType::TMSI if value.len() == 5 => {
                let mut r = Reader::new(value);
                r.u8().ok()?;
                Some(Self::Tmsi(u32::from_be_bytes(r.array().ok()?)))
            }
            _ => None,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Imsi(imsi) => encode_digits(IdentityType::IMSI.0, imsi.digits()),
            // Without its check digit the spare digit goes out as zero (TS 23.003 §6.2.1).
            Self::Imei(imei) => {
                encode_digits(IdentityType::IMEI.0, imei.digits().chain([0]).take(15))
            }
            Self::Imeisv(imeisv) => encode_digits(IdentityType::IMEISV.0, imeisv.digits()),
            Self::Tmsi(tmsi) => {
                let mut out = Vec::from([0xf0 | IdentityType::TMSI.0]);
                out.extend(tmsi.to_be_bytes());
                out
            }
            // TS 24.008 Table 10.5.4: zeros, in three octets for this procedure.
            Self::NoIdentity => Vec::from([0, 0, 0]),
        }
    }

    /// Whether it is of the kind that was asked for.
    pub fn is(&self, wanted: IdentityType) -> bool {
        let own = match self {
            Self::Imsi(_) => IdentityType::IMSI,
            Self::Imei(_) => IdentityType::IMEI,
            Self::Imeisv(_) => IdentityType::IMEISV,
            Self::Tmsi(_) => IdentityType::TMSI,
            Self::NoIdentity => return false,
        };
        own == wanted
    }
}
