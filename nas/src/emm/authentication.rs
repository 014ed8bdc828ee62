use alloc::vec::Vec;

use super::EmmCause;
use crate::octets::{Reader, lv, tlv};
use crate::options::Format::Tlv;
use crate::options::{Options, Table};
use crate::{DecodeError, Ksi, Res};

/// AUTHENTICATION REQUEST, TS 24.301 §8.2.7.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationRequest {
    /// The key set that comes of it.
    pub ksi: Ksi,
    /// The challenge.
    pub rand: [u8; 16],
    /// The proof that the network knows the key, with the sequence number.
    pub autn: [u8; 16],
}

impl AuthenticationRequest {
    pub(crate) fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let ksi = Ksi::from_half(r.u8()? & 15);
        let rand = r.array()?;
        let autn = r.lv_as(|v| v.try_into().ok())?;
        Options::read(r, &[])?;
        Ok(Self { ksi, rand, autn })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.ksi.half());
        out.extend(self.rand);
        lv(out, &self.autn);
    }
}

/// AUTHENTICATION RESPONSE, TS 24.301 §8.2.8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationResponse {
    /// What the USIM answered.
    pub res: Res,
}

impl AuthenticationResponse {
    pub(crate) fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let res = r.lv_as(Res::new)?;
        Options::read(r, &[])?;
        Ok(Self { res })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        lv(out, self.res.expose());
    }
}

/// AUTHENTICATION FAILURE, TS 24.301 §8.2.5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationFailure {
    /// #20 MAC failure, #21 synch failure or #26 non-EPS authentication unacceptable.
    pub cause: EmmCause,
    /// Where the USIM's sequence number stands; goes with #21.
    pub auts: Option<[u8; 14]>,
}

const AUTS: u8 = 0x30;
const FAILURE_OPTIONAL: Table = &[(AUTS, Tlv)];

impl AuthenticationFailure {
    pub(crate) fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let cause = EmmCause(r.u8()?);
        let options = Options::read(r, FAILURE_OPTIONAL)?;
        Ok(Self {
            cause,
            auts: options.read_as(AUTS, |v| v.try_into().ok()),
        })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.cause.0);
        tlv(out, AUTS, self.auts.as_ref().map(<[u8; 14]>::as_slice), 14);
    }
}
