use alloc::vec::Vec;

use super::EmmCause;
use crate::octets::{Reader, half, lv, lv_e, tlv};
use crate::options::Format::{Half, Tlv, TlvE, Tv};
use crate::options::{Options, Table};
use crate::{DecodeError, Imeisv, Ksi, MobileIdentity, UeSecurityCapability};

/// SECURITY MODE COMMAND, TS 24.301 §8.2.20.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityModeCommand {
    /// The integrity algorithm, 0 to 7 (§9.9.3.23).
    pub eia: u8,
    /// The ciphering algorithm, 0 to 7.
    pub eea: u8,
    /// The security context to take into use.
    pub ksi: Ksi,
    /// The algorithms of the UE as the network knows them.
    pub replayed_capability: UeSecurityCapability,
    /// Whether the UE is to say its IMEISV.
    pub imeisv_request: bool,
    /// The hash of an initial message that came without protection ([`crate::kdf::hash_mme`]).
    pub hash_mme: Option<[u8; 8]>,
}

const IMEISV_REQUEST: u8 = 0xc0;
const HASH_MME: u8 = 0x4f;
const COMMAND_OPTIONAL: Table = &[
    (IMEISV_REQUEST, Half),
    (0x55, Tv(4)),
    (0x56, Tv(4)),
    (HASH_MME, Tlv),
    (0x6f, Tlv),
    (0x37, Tlv),
];

impl SecurityModeCommand {
    pub(crate) fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let algorithms = r.u8()?;
        let ksi = Ksi::from_half(r.u8()? & 15);
        let replayed_capability = r.lv_as(UeSecurityCapability::decode)?;
        let options = Options::read(r, COMMAND_OPTIONAL)?;
        Ok(Self {
            eia: algorithms & 7,
            eea: algorithms >> 4 & 7,
            ksi,
            replayed_capability,
            imeisv_request: options.half(IMEISV_REQUEST).is_some_and(|h| h & 7 == 1),
            hash_mme: options.read_as(HASH_MME, |v| v.try_into().ok()),
        })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push((self.eea & 7) << 4 | self.eia & 7);
        out.push(self.ksi.half());
        lv(out, &self.replayed_capability.encode());
        half(out, IMEISV_REQUEST, self.imeisv_request.then_some(1));
        let hash = self.hash_mme.as_ref().map(<[u8; 8]>::as_slice);
        tlv(out, HASH_MME, hash, 8);
    }
}

/// SECURITY MODE COMPLETE, TS 24.301 §8.2.21.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SecurityModeComplete {
    /// The equipment, when the network asked for it.
    pub imeisv: Option<Imeisv>,
    /// The whole initial message again, when its hash did not match the one of the network.
    pub replayed_nas: Option<Vec<u8>>,
}

const IMEISV: u8 = 0x23;
const REPLAYED_NAS: u8 = 0x79;
const COMPLETE_OPTIONAL: Table = &[(IMEISV, Tlv), (REPLAYED_NAS, TlvE), (0x66, Tlv)];

impl SecurityModeComplete {
    pub(crate) fn decode(r: Reader<'_>) -> Result<Self, DecodeError> {
        let options = Options::read(r, COMPLETE_OPTIONAL)?;
        let imeisv = options.read_as(IMEISV, MobileIdentity::decode);
        Ok(Self {
            imeisv: match imeisv {
                Some(MobileIdentity::Imeisv(imeisv)) => Some(imeisv),
                _ => None,
            },
            replayed_nas: options.get(REPLAYED_NAS).map(<[u8]>::to_vec),
        })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let imeisv = self.imeisv.map(|i| MobileIdentity::Imeisv(i).encode());
        tlv(out, IMEISV, imeisv.as_deref(), 9);
        if let Some(nas) = &self.replayed_nas {
            out.push(REPLAYED_NAS);
            lv_e(out, nas);
        }
    }
}

/// SECURITY MODE REJECT, TS 24.301 §8.2.22.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityModeReject {
    /// #23 security capabilities mismatch, or #24.
    pub cause: EmmCause,
}

impl SecurityModeReject {
    pub(crate) fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let cause = EmmCause(r.u8()?);
        Options::read(r, &[])?;
        Ok(Self { cause })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.cause.0);
    }
}
