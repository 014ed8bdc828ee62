use alloc::vec::Vec;
use core::fmt;

use heiiki_types::{Key128, Key256, constant_time_eq};

use crate::avp::{AvpRef, put, put_group};
use crate::dictionary as d;
use crate::fields::{Fault, Fields, Value};
use crate::result::AnswerError;

/// An expected response has 4 to 16 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidXres;

impl fmt::Display for InvalidXres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("XRES has 4 to 16 octets")
    }
}

impl core::error::Error for InvalidXres {}

/// The expected response, 4 to 16 octets. It does not print, compares in constant time and is
/// wiped when dropped.
#[derive(Clone)]
pub struct Xres {
    octets: Key128,
    len: usize,
}

impl Xres {
    /// Takes the octets of a response.
    pub fn new(octets: &[u8]) -> Result<Self, InvalidXres> {
        if !(4..=16).contains(&octets.len()) {
            return Err(InvalidXres);
        }
        let mut all = [0; 16];
        all.iter_mut().zip(octets).for_each(|(a, o)| *a = *o);
        Ok(Self {
            octets: Key128::new(all),
            len: octets.len(),
        })
    }

    /// The octets, for the one place that compares or sends them.
    pub fn expose(&self) -> &[u8] {
        self.octets.expose().get(..self.len).unwrap_or(&[])
    }

    /// Whether the UE's response is the expected one.
    pub fn matches(&self, res: &[u8]) -> bool {
        constant_time_eq(self.expose(), res)
    }
}

impl PartialEq for Xres {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.expose())
    }
}

impl Eq for Xres {}

impl fmt::Debug for Xres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Xres(..)")
    }
}

impl Value for Xres {
    fn read(avp: AvpRef<'_>) -> Result<Self, Fault> {
        Self::new(avp.data).map_err(|_| Fault::Length)
    }
}

/// One EPS authentication vector, TS 29.272 §7.3.18.
#[derive(Clone, PartialEq, Eq)]
pub struct EutranVector {
    /// Item-Number: the order of use when there are several.
    pub item: Option<u32>,
    /// The challenge.
    pub rand: [u8; 16],
    /// What the USIM answers.
    pub xres: Xres,
    /// The token that proves the network to the USIM.
    pub autn: [u8; 16],
    /// The key of the session, bound to the serving network.
    pub kasme: Key256,
}

impl fmt::Debug for EutranVector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EutranVector")
            .field("item", &self.item)
            .finish_non_exhaustive()
    }
}

impl EutranVector {
    /// Appends the AVP.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        put_group(out, &d::E_UTRAN_VECTOR, |out| {
            if let Some(number) = self.item {
                put(out, &d::ITEM_NUMBER, &number.to_be_bytes());
            }
            put(out, &d::RAND, &self.rand);
            put(out, &d::XRES, self.xres.expose());
            put(out, &d::AUTN, &self.autn);
            put(out, &d::KASME, self.kasme.expose());
        });
    }

    pub(super) fn read(f: &Fields<'_>) -> Result<Self, AnswerError> {
        Ok(Self {
            item: f.optional(&d::ITEM_NUMBER)?,
            rand: f.required(&d::RAND)?,
            xres: f.required(&d::XRES)?,
            autn: f.required(&d::AUTN)?,
            kasme: f.required(&d::KASME)?,
        })
    }
}
