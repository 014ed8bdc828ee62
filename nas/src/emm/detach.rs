use alloc::vec::Vec;

use super::EmmCause;
use crate::octets::{Reader, halves, lv, tv};
use crate::options::Format::{Tlv, Tv};
use crate::options::{Options, Table};
use crate::{DecodeError, EpsMobileIdentity, Ksi};

/// What a UE leaves, TS 24.301 §9.9.3.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UeDetachType {
    /// EPS services.
    Eps,
    /// Circuit-switched services only.
    Imsi,
    /// Both; also what every other value means.
    Combined,
}

/// What the network wants of a UE that it sends away, TS 24.301 §9.9.3.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkDetachType {
    /// To attach again at once.
    ReattachRequired,
    /// Nothing more; also what every other value means.
    ReattachNotRequired,
    /// To leave circuit-switched services only.
    Imsi,
}

/// DETACH REQUEST of a UE, TS 24.301 §8.2.11.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetachRequestFromUe {
    /// Whether the UE is being switched off and waits for no answer.
    pub switch_off: bool,
    /// What it leaves.
    pub detach_type: UeDetachType,
    /// The security context that the UE has.
    pub ksi: Ksi,
    /// Who the UE says it is.
    pub identity: EpsMobileIdentity,
}

impl DetachRequestFromUe {
    pub(crate) fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let (kind, ksi) = halves(r.u8()?);
        let identity = r.lv_as(EpsMobileIdentity::decode)?;
        Options::read(r, &[])?;
        Ok(Self {
            switch_off: kind & 8 != 0,
            detach_type: match kind & 7 {
                1 => UeDetachType::Eps,
                2 => UeDetachType::Imsi,
                _ => UeDetachType::Combined,
            },
            ksi: Ksi::from_half(ksi),
            identity,
        })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let kind = match self.detach_type {
            UeDetachType::Eps => 1,
            UeDetachType::Imsi => 2,
            UeDetachType::Combined => 3,
        };
        out.push(self.ksi.half() << 4 | u8::from(self.switch_off) << 3 | kind);
        lv(out, &self.identity.encode());
    }
}

/// DETACH REQUEST of the network, TS 24.301 §8.2.11.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetachRequestToUe {
    /// What the UE is to do.
    pub detach_type: NetworkDetachType,
    /// Why.
    pub cause: Option<EmmCause>,
}

const EMM_CAUSE: u8 = 0x53;
const OPTIONAL: Table = &[(EMM_CAUSE, Tv(1)), (0x1c, Tlv), (0x1d, Tlv), (0x1e, Tlv)];

impl DetachRequestToUe {
    pub(crate) fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let kind = r.u8()?;
        let options = Options::read(r, OPTIONAL)?;
        Ok(Self {
            detach_type: match kind & 7 {
                1 => NetworkDetachType::ReattachRequired,
                3 => NetworkDetachType::Imsi,
                _ => NetworkDetachType::ReattachNotRequired,
            },
            cause: options.octet(EMM_CAUSE).map(EmmCause),
        })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self.detach_type {
            NetworkDetachType::ReattachRequired => 1,
            NetworkDetachType::ReattachNotRequired => 2,
            NetworkDetachType::Imsi => 3,
        });
        tv(out, EMM_CAUSE, self.cause.map(|c| c.0));
    }
}
