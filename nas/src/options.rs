//! The non-imperative part of a message: the elements that come with an IEI.

use alloc::vec::Vec;

use crate::octets::Reader;
use crate::{DecodeError, What};

/// How an optional element is written, TS 24.007 §11.2.1.1.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    /// Type 1: IEI in the high half of one octet, value in the low half.
    Half,
    /// Type 3: IEI and a value of so many octets.
    Tv(u8),
    /// Type 4: IEI, one octet of length, value.
    Tlv,
    /// Type 6: IEI, two octets of length, value.
    TlvE,
}

/// The optional elements of one message in the order of its table in TS 24.301 §8: also those
/// that the codec does not read, so that it can step over them.
pub(crate) type Table = &'static [(u8, Format)];

impl Format {
    fn matches(self, iei: u8, octet: u8) -> bool {
        match self {
            Self::Half => octet & 0xf0 == iei & 0xf0,
            _ => octet == iei,
        }
    }

    /// What the IEI alone says of an element that the message does not define, TS 24.007 §11.2.4.
    const fn of_unknown(iei: u8) -> Self {
        match iei {
            0x80.. => Self::Half,
            0x78..=0x7f => Self::TlvE,
            _ => Self::Tlv,
        }
    }

    fn value<'a>(self, r: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
        if matches!(self, Self::Half) {
            return r.take(1);
        }
        r.u8()?;
        match self {
            Self::Half | Self::Tlv => r.lv(),
            Self::Tv(n) => r.take(usize::from(n)),
            Self::TlvE => r.lv_e(),
        }
    }
}

/// The optional elements that came with a message.
#[derive(Debug)]
pub(crate) struct Options<'a> {
    found: Vec<(u8, &'a [u8])>,
}

impl<'a> Options<'a> {
    /// Reads the rest of a message.
    ///
    /// What the table does not know is stepped over (TS 24.301 §7.6.1), so is what comes out of
    /// sequence or again (§7.6.2, §7.6.3). An element that runs past the end is not there, nor is
    /// anything after it (§7.7.1). Only an unknown element that must be understood is an error
    /// (§7.5.1).
    pub(crate) fn read(mut r: Reader<'a>, table: Table) -> Result<Self, DecodeError> {
        let mut found = Vec::new();
        let mut next = 0;
        while let Some(octet) = r.peek() {
            let known = table.iter().position(|(iei, f)| f.matches(*iei, octet));
            let entry = known.and_then(|i| table.get(i));
            let format = match entry {
                Some((_, format)) => *format,
                // TS 24.007 §11.2.5: bits 5 to 8 of the IEI are zero.
                None if octet < 0x10 => return Err(What::ComprehensionRequired(octet).at(r.at())),
                None => Format::of_unknown(octet),
            };
            let Ok(value) = format.value(&mut r) else {
                break;
            };
            if let (Some(index), Some((iei, _))) = (known.filter(|i| *i >= next), entry) {
                found.push((*iei, value));
                next = index + 1;
            }
        }
        Ok(Self { found })
    }

    /// The value of an element, if it came.
    pub(crate) fn get(&self, iei: u8) -> Option<&'a [u8]> {
        self.found.iter().find(|(i, _)| *i == iei).map(|(_, v)| *v)
    }

    /// The value of an element of one octet.
    pub(crate) fn octet(&self, iei: u8) -> Option<u8> {
        match self.get(iei) {
            Some([octet]) => Some(*octet),
            _ => None,
        }
    }

    /// The low half of a type 1 element.
    pub(crate) fn half(&self, iei: u8) -> Option<u8> {
        self.octet(iei).map(|o| o & 15)
    }

    /// An element read by its own decoder; one that is not correct counts as absent (TS 24.301
    /// §7.7.1).
    pub(crate) fn read_as<T>(
        &self,
        iei: u8,
        decode: impl FnOnce(&'a [u8]) -> Option<T>,
    ) -> Option<T> {
        self.get(iei).and_then(decode)
    }

    /// A copy of the octets of an element of `min` to `max` octets.
    pub(crate) fn octets(&self, iei: u8, min: usize, max: usize) -> Option<Vec<u8>> {
        self.get(iei)
            .filter(|v| (min..=max).contains(&v.len()))
            .map(<[u8]>::to_vec)
    }
}
