use alloc::vec::Vec;

use crate::octets::{Reader, lv};
use crate::options::Options;
use crate::{DecodeError, IdentityType, MobileIdentity};

/// IDENTITY REQUEST, TS 24.301 §8.2.18.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityRequest {
    /// What the network wants to know.
    pub identity_type: IdentityType,
}

impl IdentityRequest {
    pub(crate) fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let identity_type = IdentityType(r.u8()? & 7);
        Options::read(r, &[])?;
        Ok(Self { identity_type })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.identity_type.0 & 7);
    }
}

/// IDENTITY RESPONSE, TS 24.301 §8.2.19.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityResponse {
    /// What the UE says.
    pub identity: MobileIdentity,
}

impl IdentityResponse {
    pub(crate) fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let identity = r.lv_as(MobileIdentity::decode)?;
        Options::read(r, &[])?;
        Ok(Self { identity })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        lv(out, &self.identity.encode());
    }
}
