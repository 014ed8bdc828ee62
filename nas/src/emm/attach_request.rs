use alloc::vec::Vec;

use heiiki_types::{Guti, Tai};

use crate::ie::{decode_guti, decode_tai, encode_guti, encode_tai};
use crate::octets::{Reader, half, halves, lv, lv_e, tlv};
use crate::options::Format::{Half, Tlv, Tv};
use crate::options::{Options, Table};
use crate::{DecodeError, EpsMobileIdentity, Ksi, UeNetworkCapability};

/// ATTACH REQUEST, TS 24.301 §8.2.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachRequest {
    /// What kind of attach, 0 to 7 (§9.9.3.11): the constants of this type. The network reads a
    /// value without a meaning as an EPS attach.
    pub attach_type: u8,
    /// The security context that the UE has.
    pub ksi: Ksi,
    /// Who the UE says it is.
    pub identity: EpsMobileIdentity,
    /// What the UE can do.
    pub ue_network_capability: UeNetworkCapability,
    /// The ESM message that asks for the first PDN connection.
    pub esm_container: Vec<u8>,
    /// A second GUTI of the UE.
    pub additional_guti: Option<Guti>,
    /// Where the UE was registered last.
    pub last_tai: Option<Tai>,
    /// What the UE can do in GPRS, as it came (TS 24.008 §10.5.5.12), at most 8 octets.
    pub ms_network_capability: Option<Vec<u8>>,
    /// Whether the GUTI in `identity` was mapped from another access (§9.9.3.45).
    pub old_guti_is_mapped: Option<bool>,
}

const ADDITIONAL_GUTI: u8 = 0x50;
const LAST_TAI: u8 = 0x52;
const MS_NETWORK_CAPABILITY: u8 = 0x31;
const OLD_GUTI_TYPE: u8 = 0xe0;
const MS_NETWORK_CAPABILITY_LEN: usize = 8;

const OPTIONAL: Table = &[
    (0x19, Tv(3)),
    (ADDITIONAL_GUTI, Tlv),
    (LAST_TAI, Tv(5)),
    (0x5c, Tv(2)),
    (MS_NETWORK_CAPABILITY, Tlv),
    (0x13, Tv(5)),
    (0x90, Half),
    (0x11, Tlv),
    (0x20, Tlv),
    (0x40, Tlv),
    (0xf0, Half),
    (0x5d, Tlv),
    (0xd0, Half),
    (OLD_GUTI_TYPE, Half),
    (0xc0, Half),
    (0x10, Tlv),
    (0x6a, Tlv),
    (0x5e, Tlv),
    (0x6e, Tlv),
    (0x6f, Tlv),
    (0x6d, Tlv),
    (0x17, Tv(1)),
    (0x32, Tlv),
    (0x34, Tlv),
    (0x35, Tlv),
    (0x36, Tlv),
    (0x38, Tlv),
];

impl AttachRequest {
    /// EPS services only.
    pub const EPS_ATTACH: u8 = 1;
    /// EPS and circuit-switched services.
    pub const COMBINED_ATTACH: u8 = 2;
    /// Restricted local operator services.
    pub const RLOS_ATTACH: u8 = 3;
    /// Emergency bearer services.
    pub const EMERGENCY_ATTACH: u8 = 6;

    /// An EPS attach of a UE without a security context.
    pub const fn new(
        identity: EpsMobileIdentity,
        ue_network_capability: UeNetworkCapability,
        esm_container: Vec<u8>,
    ) -> Self {
        Self {
            attach_type: Self::EPS_ATTACH,
            ksi: Ksi::NO_KEY,
            identity,
            ue_network_capability,
            esm_container,
            additional_guti: None,
            last_tai: None,
            ms_network_capability: None,
            old_guti_is_mapped: None,
        }
    }

    pub(crate) fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let (attach_type, ksi) = halves(r.u8()?);
        let identity = r.lv_as(EpsMobileIdentity::decode)?;
        let ue_network_capability = r.lv_as(UeNetworkCapability::decode)?;
        let esm_container = r.lv_e()?.to_vec();
        let options = Options::read(r, OPTIONAL)?;
        Ok(Self {
            attach_type: attach_type & 7,
            ksi: Ksi::from_half(ksi),
            identity,
            ue_network_capability,
            esm_container,
            additional_guti: options.read_as(ADDITIONAL_GUTI, decode_guti),
            last_tai: options.read_as(LAST_TAI, decode_tai),
            ms_network_capability: options.octets(
                MS_NETWORK_CAPABILITY,
                2,
                MS_NETWORK_CAPABILITY_LEN,
            ),
            old_guti_is_mapped: options.half(OLD_GUTI_TYPE).map(|h| h & 1 != 0),
        })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.ksi.half() << 4 | self.attach_type & 7);
        lv(out, &self.identity.encode());
        lv(out, &self.ue_network_capability.encode());
        lv_e(out, &self.esm_container);
        let guti = self.additional_guti.as_ref().map(encode_guti);
        tlv(out, ADDITIONAL_GUTI, guti.as_deref(), 11);
        if let Some(tai) = self.last_tai {
            out.push(LAST_TAI);
            out.extend(encode_tai(tai));
        }
        let ms_network_capability = self.ms_network_capability.as_deref();
        tlv(
            out,
            MS_NETWORK_CAPABILITY,
            ms_network_capability,
            MS_NETWORK_CAPABILITY_LEN,
        );
        half(out, OLD_GUTI_TYPE, self.old_guti_is_mapped.map(u8::from));
    }
}
