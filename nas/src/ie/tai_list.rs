use alloc::vec::Vec;

use heiiki_types::{PlmnId, Tac, Tai};

use crate::octets::Reader;

const MAX: usize = 16;

/// The tracking areas in which a UE need not update, TS 24.301 §9.9.3.33: 1 to 16.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaiList(Vec<Tai>);

impl TaiList {
    /// A list of 1 to 16 areas.
    pub fn new(tais: Vec<Tai>) -> Option<Self> {
        (1..=MAX).contains(&tais.len()).then_some(Self(tais))
    }

    /// The areas, in the order of the list.
    pub fn as_slice(&self) -> &[Tai] {
        &self.0
    }

    /// Whether an area is on the list.
    pub fn contains(&self, tai: Tai) -> bool {
        self.0.contains(&tai)
    }

    /// Reads the partial lists of all three types. Areas beyond the sixteenth do not count.
    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let mut r = Reader::new(value);
        let mut tais = Vec::new();
        while !r.is_empty() && tais.len() < MAX {
            let octet = r.u8().ok()?;
            // Numbers above sixteen read as sixteen.
            let count = u16::from(octet & 31).min(15) + 1;
            partial(&mut r, octet >> 5 & 3, count, &mut tais)?;
        }
        tais.truncate(MAX);
        Self::new(tais)
    }

    /// Writes partial lists of type 0, one for each run of areas of one network.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for run in self.0.chunk_by(|a, b| a.plmn == b.plmn) {
            let Some(first) = run.first() else { continue };
            out.push(u8::try_from(run.len() - 1).unwrap_or(15));
            out.extend(first.plmn.octets());
            out.extend(run.iter().flat_map(|tai| tai.tac.0.to_be_bytes()));
        }
        out
    }
}

fn plmn(r: &mut Reader<'_>) -> Option<PlmnId> {
    PlmnId::from_octets(r.array().ok()?).ok()
}

fn partial(r: &mut Reader<'_>, kind: u8, count: u16, tais: &mut Vec<Tai>) -> Option<()> {
    match kind {
        0 => {
            let plmn = plmn(r)?;
            for _ in 0..count {
                let tac = Tac(r.u16().ok()?);
                tais.push(Tai { plmn, tac });
            }
        }
        1 => {
            let (plmn, first) = (plmn(r)?, r.u16().ok()?);
            tais.extend((0..count).map(|i| Tai {
                plmn,
                tac: Tac(first.wrapping_add(i)),
            }));
        }
        2 => {
            for _ in 0..count {
                let (plmn, tac) = (plmn(r)?, Tac(r.u16().ok()?));
                tais.push(Tai { plmn, tac });
            }
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    fn tai(plmn: &str, tac: u16) -> Tai {
        Tai {
            plmn: plmn.parse().unwrap(),
            tac: Tac(tac),
        }
    }

    #[test]
    fn three_types_of_partial_list() {
        let separate = TaiList::decode(&hex!("0100f11000070009")).unwrap();
        assert_eq!(separate.as_slice(), [tai("00101", 7), tai("00101", 9)]);
        let consecutive = TaiList::decode(&hex!("2200f1100007")).unwrap();
        let areas = [7, 8, 9].map(|tac| tai("00101", tac));
        assert_eq!(consecutive.as_slice(), areas);
        let mixed = TaiList::decode(&hex!("4100f1100007130014ffff")).unwrap();
        assert_eq!(mixed.as_slice(), [tai("00101", 7), tai("310410", 0xffff)]);
        let together = TaiList::decode(&hex!("0000f11000012000f2100005")).unwrap();
        assert_eq!(together.as_slice(), [tai("00101", 1), tai("00201", 5)]);
    }

    #[test]
    fn a_change_of_network_starts_a_partial_list() {
        let list = TaiList::new([tai("00101", 1), tai("00101", 2), tai("310410", 3)].into());
        let octets = list.as_ref().unwrap().encode();
        assert_eq!(octets, hex!("0100f11000010002 001300140003"));
        assert_eq!(TaiList::decode(&octets), list);
    }

    #[test]
    fn no_more_than_sixteen() {
        let octets = hex!("2f00f1100001 2f00f1100100");
        assert_eq!(TaiList::decode(&octets).unwrap().as_slice().len(), 16);
        assert_eq!(TaiList::new(Vec::new()), None);
        assert_eq!(TaiList::new([tai("00101", 1); 17].into()), None);
        let alternating = [tai("00101", 1), tai("00102", 1)].repeat(8);
        assert_eq!(TaiList::new(alternating).unwrap().encode().len(), 96);
    }

    #[test]
    fn what_is_no_list() {
        for bad in [
            &hex!("")[..],
            &hex!("0000f110"),
            &hex!("6000f1100001"),
            &hex!("00ffffff0001"),
        ] {
            assert_eq!(TaiList::decode(bad), None);
        }
    }
}
