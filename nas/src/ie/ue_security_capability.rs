use alloc::vec::Vec;

use super::UeNetworkCapability;

/// The security algorithms of a UE as the network says them back to it, TS 24.301 §9.9.3.36, so
/// that the UE notices when someone on the way took the strong ones out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UeSecurityCapability {
    /// EPS encryption algorithms, EEA0 in bit 8.
    pub eea: u8,
    /// EPS integrity algorithms, EIA0 in bit 8.
    pub eia: u8,
    /// UMTS encryption and integrity algorithms (UEA, UIA), if the UE has any, or zeros before
    /// those of GPRS.
    pub uea_uia: Option<[u8; 2]>,
    /// GPRS encryption algorithms, GEA1 in bit 7, if the UE has any.
    pub gea: Option<u8>,
}

impl UeSecurityCapability {
    /// What the network must replay to a UE that said this of itself in its ATTACH REQUEST:
    /// `ms_network_capability` is the element of TS 24.008 §10.5.5.12, if it came.
    pub fn of(ue: &UeNetworkCapability, ms_network_capability: Option<&[u8]>) -> Self {
        let uea_uia = match ue.rest.as_slice() {
            // Bit 8 of the UIA octet is UCS2 support, which is no algorithm.
            [uea, uia, ..] => Some([*uea, uia & 0x7f]),
            [uea] => Some([*uea, 0]),
            [] => None,
        };
        let gea = match ms_network_capability {
            // GEA1 is the first bit; GEA2 to GEA7 follow the PFC bit in the second octet.
            Some([first, second, ..]) => (first & 0x80) >> 1 | second >> 1 & 0x3f,
            Some([first]) => (first & 0x80) >> 1,
            Some([]) | None => 0,
        };
        let gea = Some(gea).filter(|g| *g != 0);
        let uea_uia = uea_uia.filter(|u| *u != [0, 0]);
        Self {
            eea: ue.eea,
            eia: ue.eia,
            uea_uia: uea_uia.or_else(|| gea.map(|_| [0, 0])),
            gea,
        }
    }

    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let (eea, eia, uea_uia, gea) = match *value {
            [eea, eia] => (eea, eia, None, None),
            [eea, eia, uea, uia] => (eea, eia, Some([uea, uia]), None),
            [eea, eia, uea, uia, gea] => (eea, eia, Some([uea, uia]), Some(gea)),
            _ => return None,
        };
        Some(Self {
            eea,
            eia,
            uea_uia,
            gea,
        })
    }

    pub(crate) fn encode(self) -> Vec<u8> {
        let mut out = Vec::from([self.eea, self.eia]);
        if self.uea_uia.is_some() || self.gea.is_some() {
            out.extend(self.uea_uia.unwrap_or_default());
        }
        out.extend(self.gea);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ue(rest: &[u8]) -> UeNetworkCapability {
        UeNetworkCapability {
            eea: 0xe0,
            eia: 0x60,
            rest: rest.to_vec(),
        }
    }

    #[test]
    fn only_algorithms_are_replayed() {
        // TS 24.301 §9.9.3.36: no octets for accesses without an algorithm.
        assert_eq!(
            UeSecurityCapability::of(&ue(&[]), None).encode(),
            [0xe0, 0x60]
        );
        assert_eq!(
            UeSecurityCapability::of(&ue(&[0xc0, 0xc0, 0x12]), None).encode(),
            [0xe0, 0x60, 0xc0, 0x40]
        );
        assert_eq!(
            UeSecurityCapability::of(&ue(&[0, 0x80]), Some(&[0x65, 0xa0])).encode(),
            [0xe0, 0x60, 0, 0, 0x10]
        );
        assert_eq!(
            UeSecurityCapability::of(&ue(&[0xc0, 0x40]), Some(&[0xe5, 0xe0, 0x34])).encode(),
            [0xe0, 0x60, 0xc0, 0x40, 0x70]
        );
    }
}
