//! User Location Information, TS 29.274 §8.21.

use alloc::vec::Vec;

use heiiki_types::{Ecgi, PlmnId, Tac, Tai};

use super::{Fault, Ie, ie_type};
use crate::octets::Reader;

/// Where the UE is. Of the identities that the element may hold, those of E-UTRAN are read; the
/// others are skipped.
///
/// ```text
///  octet 5                                      then, in this order
///  ext-macro macro LAI ECGI TAI RAI SAI CGI     CGI 7, SAI 7, RAI 7, TAI 5, ECGI 7, ...
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uli {
    /// The tracking area.
    pub tai: Option<Tai>,
    /// The cell.
    pub ecgi: Option<Ecgi>,
}

const TAI: u8 = 0x08;
const ECGI: u8 = 0x10;

fn plmn(r: &mut Reader<'_>) -> Result<PlmnId, Fault> {
    PlmnId::from_octets(r.array()?).map_err(|_| Fault::Value)
}

impl Ie for Uli {
    const TYPE: u8 = ie_type::ULI;
    type Value = Self;

    fn decode(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let flags = r.u8()?;
        for legacy in [0x01, 0x02, 0x04] {
            if flags & legacy != 0 {
                r.take(7)?;
            }
        }
        let mut value = Self::default();
        if flags & TAI != 0 {
            let plmn = plmn(r)?;
            let tac = Tac(r.u16()?);
            value.tai = Some(Tai { plmn, tac });
        }
        if flags & ECGI != 0 {
            let plmn = plmn(r)?;
            let eci = r.u32()? & 0x0fff_ffff;
            value.ecgi = Some(Ecgi { plmn, eci });
        }
        Ok(value)
    }

    fn encode(value: &Self, out: &mut Vec<u8>) {
        let tai = value.tai.map_or(0, |_| TAI);
        let ecgi = value.ecgi.map_or(0, |_| ECGI);
        out.push(tai | ecgi);
        if let Some(Tai { plmn, tac }) = value.tai {
            out.extend(plmn.octets());
            out.extend(tac.0.to_be_bytes());
        }
        if let Some(Ecgi { plmn, eci }) = value.ecgi {
            out.extend(plmn.octets());
            out.extend((eci & 0x0fff_ffff).to_be_bytes());
        }
    }
}
