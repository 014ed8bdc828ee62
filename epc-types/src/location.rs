use alloc::string::String;
use core::fmt;
use core::str::FromStr;

/// The text is not a PLMN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidPlmnId;

impl fmt::Display for InvalidPlmnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a PLMN is a three-digit MCC and a two- or three-digit MNC, such as 00101")
    }
}

impl core::error::Error for InvalidPlmnId {}

/// Mobile country code and mobile network code, TS 23.003 §2.2.
///
/// Kept as on the wire (TS 24.008 §10.5.1.3): `MCC2 MCC1 | MNC3 MCC3 | MNC2 MNC1`, with MNC3 = F
/// for a two-digit MNC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlmnId([u8; 3]);

impl PlmnId {
    /// Reads the three octets of the wire.
    pub fn from_octets(octets: [u8; 3]) -> Result<Self, InvalidPlmnId> {
        let [a, b, c] = octets;
        let digits = [a & 15, a >> 4, b & 15, c & 15, c >> 4];
        let third = b >> 4;
        if digits.iter().all(|d| *d <= 9) && (third <= 9 || third == 15) {
            Ok(Self(octets))
        } else {
            Err(InvalidPlmnId)
        }
    }

    /// The three octets of the wire; also the SN id of KASME (TS 33.401 §A.2).
    pub const fn octets(self) -> [u8; 3] {
        self.0
    }

    /// MCC and MNC, five or six digits.
    pub fn digits(self) -> impl Iterator<Item = u8> {
        let [a, b, c] = self.0;
        [a & 15, a >> 4, b & 15, c & 15, c >> 4, b >> 4]
            .into_iter()
            .filter(|d| *d <= 9)
    }

    /// The realm of a network's packet core, TS 23.003 §19.2:
    /// `epc.mnc001.mcc001.3gppnetwork.org`.
    pub fn epc_realm(self) -> String {
        let [a, b, c] = self.0;
        let (mcc, mnc) = ([a & 15, a >> 4, b & 15], [c & 15, c >> 4, b >> 4]);
        let [m1, m2, m3] = if mnc[2] <= 9 {
            mnc
        } else {
            [0, mnc[0], mnc[1]]
        };
        alloc::format!(
            "epc.mnc{m1}{m2}{m3}.mcc{}{}{}.3gppnetwork.org",
            mcc[0],
            mcc[1],
            mcc[2]
        )
    }
}

impl FromStr for PlmnId {
    type Err = InvalidPlmnId;

    fn from_str(text: &str) -> Result<Self, InvalidPlmnId> {
        let digit = |c: u8| c.checked_sub(b'0').filter(|d| *d <= 9).ok_or(InvalidPlmnId);
        let (a, b, c, d, e, f) = match *text.as_bytes() {
            [a, b, c, d, e] => (a, b, c, d, e, None),
            [a, b, c, d, e, f] => (a, b, c, d, e, Some(f)),
            _ => return Err(InvalidPlmnId),
        };
        let third = f.map_or(Ok(15), digit)?;
        Ok(Self([
            digit(b)? << 4 | digit(a)?,
            third << 4 | digit(c)?,
            digit(e)? << 4 | digit(d)?,
        ]))
    }
}

impl fmt::Display for PlmnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digits().try_for_each(|d| write!(f, "{d}"))
    }
}

impl fmt::Debug for PlmnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlmnId({self})")
    }
}

impl serde::Serialize for PlmnId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for PlmnId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Tracking area code, TS 23.003 §19.4.2.3.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Tac(pub u16);

/// Tracking area identity: network and code.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Tai {
    /// The network.
    pub plmn: PlmnId,
    /// The area within it.
    pub tac: Tac,
}

/// E-UTRAN cell global identifier: network and 28-bit cell identity.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Ecgi {
    /// The network.
    pub plmn: PlmnId,
    /// 20 bits of macro eNB and 8 bits of cell; the top four bits are zero.
    pub eci: u32,
}

impl Ecgi {
    /// The macro eNB's part of the cell identity.
    pub const fn enb_id(self) -> u32 {
        self.eci >> 8
    }

    /// The cell within its eNB.
    pub const fn cell(self) -> u32 {
        self.eci & 0xff
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn plmn_octets_of_both_lengths() {
        let two: PlmnId = "00101".parse().unwrap();
        assert_eq!(two.octets(), [0x00, 0xf1, 0x10]);
        assert_eq!(two.epc_realm(), "epc.mnc001.mcc001.3gppnetwork.org");
        let three: PlmnId = "310410".parse().unwrap();
        assert_eq!(three.octets(), [0x13, 0x00, 0x14]);
        assert_eq!(
            PlmnId::from_octets([0x13, 0x00, 0x14]).unwrap().to_string(),
            "310410"
        );
        assert_eq!(three.epc_realm(), "epc.mnc410.mcc310.3gppnetwork.org");
        assert!(PlmnId::from_octets([0xff, 0xff, 0xff]).is_err());
    }

    #[test]
    fn cell_identity_splits_into_enb_and_cell() {
        let cell = Ecgi {
            plmn: "00101".parse().unwrap(),
            eci: 35_003_925,
        };
        assert_eq!((cell.enb_id(), cell.cell()), (136_734, 21));
    }
}
