//! Mobile Equipment Identity, TS 29.274 §8.10.

use alloc::vec::Vec;

use heiiki_types::Imei;

use super::{Fault, Ie, ie_type};
use crate::octets::{Reader, read_tbcd, write_tbcd};

/// The equipment as the UE names it: IMEI (15 digits), or IMEISV (14 digits and the software
/// version).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mei {
    /// TAC and serial number, and the check digit when the UE gave an IMEI.
    pub imei: Imei,
    /// The two digits of the software version, 0 to 99, when the UE gave an IMEISV.
    pub software_version: Option<u8>,
}

impl From<Imei> for Mei {
    fn from(imei: Imei) -> Self {
        Self {
            imei,
            software_version: None,
        }
    }
}

impl Ie for Mei {
    const TYPE: u8 = ie_type::MEI;
    type Value = Self;

    fn decode(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let octets: [u8; 8] = r.array()?;
        let text = read_tbcd(&octets).ok_or(Fault::Value)?;
        let (imei, version) = text.split_at_checked(14).ok_or(Fault::Value)?;
        if version.len() == 2 {
            Ok(Self {
                imei: imei.parse().map_err(|_| Fault::Value)?,
                software_version: version.parse().ok(),
            })
        } else {
            let imei: Imei = text.parse().map_err(|_| Fault::Value)?;
            Ok(imei.into())
        }
    }

    fn encode(value: &Self, out: &mut Vec<u8>) {
        match value.software_version {
            Some(v) => {
                let version = [v / 10 % 10, v % 10];
                write_tbcd(out, value.imei.significant().chain(version));
            }
            // The check digit is zero where the UE's was not kept (TS 23.003 §6.2.1).
            None => write_tbcd(out, value.imei.digits().chain([0]).take(15)),
        }
    }
}
