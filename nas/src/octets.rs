//! Reading and writing octets: the only place that touches slices.

use alloc::vec::Vec;

use crate::{DecodeError, What};

/// A cursor over the octets of a message that knows how far it is.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    len: usize,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(octets: &'a [u8]) -> Self {
        Self {
            len: octets.len(),
            rest: octets,
        }
    }

    pub(crate) const fn at(&self) -> usize {
        self.len - self.rest.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self
            .rest
            .split_at_checked(n)
            .ok_or_else(|| What::Truncated.at(self.len))?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self
            .rest
            .split_first_chunk()
            .ok_or_else(|| What::Truncated.at(self.len))?;
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[octet]| octet)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    /// A value with a length octet before it (format LV).
    pub(crate) fn lv(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.u8()?;
        self.take(usize::from(len))
    }

    /// A value with two length octets before it (format LV-E).
    pub(crate) fn lv_e(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    /// A mandatory value of format LV, read by its own decoder.
    pub(crate) fn lv_as<T>(
        &mut self,
        decode: impl FnOnce(&'a [u8]) -> Option<T>,
    ) -> Result<T, DecodeError> {
        let at = self.at();
        decode(self.lv()?).ok_or_else(|| What::Mandatory.at(at))
    }
}

/// Low and high half of an octet.
pub(crate) const fn halves(octet: u8) -> (u8, u8) {
    (octet & 15, octet >> 4)
}

/// Appends a value of format LV. Only values that fit are written by the codecs; of a longer one
/// the first 255 octets go out.
pub(crate) fn lv(out: &mut Vec<u8>, value: &[u8]) {
    let len = u8::try_from(value.len()).unwrap_or(u8::MAX);
    out.push(len);
    out.extend(value.iter().take(usize::from(len)));
}

/// Appends a value of format LV-E; of one longer than 65,535 octets only the first of them.
pub(crate) fn lv_e(out: &mut Vec<u8>, value: &[u8]) {
    let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
    out.extend(len.to_be_bytes());
    out.extend(value.iter().take(usize::from(len)));
}

/// Appends an optional element of format TLV when it is there and at most `max` octets long: one
/// that is longer cannot be said and is left out.
pub(crate) fn tlv(out: &mut Vec<u8>, iei: u8, value: Option<&[u8]>, max: usize) {
    if let Some(value) = value.filter(|v| v.len() <= max) {
        out.push(iei);
        lv(out, value);
    }
}

/// Appends an optional element of format TV whose value is one octet.
pub(crate) fn tv(out: &mut Vec<u8>, iei: u8, value: Option<u8>) {
    if let Some(value) = value {
        out.extend([iei, value]);
    }
}

/// Appends an optional element of format TV in one octet: IEI in the high half, value in the low.
pub(crate) fn half(out: &mut Vec<u8>, iei: u8, value: Option<u8>) {
    if let Some(value) = value {
        out.push((iei & 0xf0) | (value & 15));
    }
}
