//! The only place that takes slices apart.

use alloc::string::String;
use alloc::vec::Vec;

/// The octets ended before the field did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Short;

/// Reads big-endian fields from the front of a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(octets: &'a [u8]) -> Self {
        Self {
            rest: octets,
            at: 0,
        }
    }

    /// Octets read so far.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left, without reading it.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8], Short> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(Short)?;
        self.rest = rest;
        self.at += n;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Short)?;
        self.rest = rest;
        self.at += N;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Short> {
        self.array::<1>().map(|[v]| v)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Short> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Short> {
        self.array().map(u32::from_be_bytes)
    }
}

/// Overwrites the two octets at `at` with the number of octets that follow offset `from`; what
/// does not fit the field saturates, and no datagram could carry it anyway.
pub(crate) fn patch_length(out: &mut [u8], at: usize, from: usize) {
    let length = u16::try_from(out.len().saturating_sub(from)).unwrap_or(u16::MAX);
    if let Some(field) = out.get_mut(at..).and_then(|o| o.first_chunk_mut::<2>()) {
        *field = length.to_be_bytes();
    }
}

/// Telephony digits, low nibble first, filled with F (TS 29.002 TBCD-STRING).
pub(crate) fn write_tbcd(out: &mut Vec<u8>, digits: impl Iterator<Item = u8>) {
    let mut low = None;
    for digit in digits {
        match low.take() {
            None => low = Some(digit),
            Some(l) => out.push(digit << 4 | l),
        }
    }
    if let Some(l) = low {
        out.push(0xf0 | l);
    }
}

/// The digits of a TBCD-STRING as text; `None` when a nibble is not a digit, but for one F that
/// fills the last octet.
pub(crate) fn read_tbcd(octets: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(octets.len() * 2);
    for (i, octet) in octets.iter().enumerate() {
        let last = i + 1 == octets.len();
        for (nibble, may_fill) in [(octet & 15, false), (octet >> 4, last)] {
            match nibble {
                0..=9 => text.push(char::from(b'0' + nibble)),
                15 if may_fill => {}
                _ => return None,
            }
        }
    }
    Some(text)
}
