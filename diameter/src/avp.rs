use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::dictionary::{self, AvpDef, Kind};
use crate::error::{DecodeError, What};
use crate::octets::Octets;

/// The most AVPs that one message may hold at its top level.
pub const MAX_AVPS: usize = 4096;

/// Data octets that fit under the 24-bit AVP length with the longest header.
const MAX_DATA: usize = 0x00ff_ffff - 12;

const FLAG_VENDOR: u8 = 0x80;
const FLAG_MANDATORY: u8 = 0x40;
const FLAG_PROTECTED: u8 = 0x20;

/// One AVP with its data as on the wire, RFC 6733 §4.1. Unknown AVPs keep their place and content.
///
/// ```text
///  code (4) | flags V M P (1) | length (3) | vendor (4, when V) | data | padding to 4
/// ```
///
/// `Debug` prints the name and the length; it prints data only for texts, numbers and addresses,
/// so that no key shows up in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Avp {
    /// The AVP code.
    pub code: u32,
    /// The vendor; `None` when the V bit is clear.
    pub vendor: Option<u32>,
    /// The M bit: whoever does not know the AVP refuses the message.
    pub mandatory: bool,
    /// The P bit, reserved since RFC 6733.
    pub protected: bool,
    /// The data without padding.
    pub data: Octets,
}

/// An [`Avp`] in the octets where it was found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AvpRef<'a> {
    /// The AVP code.
    pub code: u32,
    /// The vendor; `None` when the V bit is clear.
    pub vendor: Option<u32>,
    /// The M bit.
    pub mandatory: bool,
    /// The P bit.
    pub protected: bool,
    /// The data without padding.
    pub data: &'a [u8],
}

impl Avp {
    fn new(def: &AvpDef, data: impl Into<Octets>) -> Self {
        Self {
            code: def.code,
            vendor: def.vendor,
            mandatory: def.mandatory,
            protected: false,
            data: data.into(),
        }
    }

    /// An AVP with any data.
    pub fn octets(def: &AvpDef, data: impl AsRef<[u8]>) -> Self {
        Self::new(def, data.as_ref())
    }

    /// An `Unsigned32` or `Enumerated` AVP.
    pub fn u32(def: &AvpDef, value: u32) -> Self {
        Self::new(def, value.to_be_bytes())
    }

    /// A `UTF8String` or `DiameterIdentity` AVP.
    pub fn text(def: &AvpDef, value: &str) -> Self {
        Self::new(def, value.as_bytes())
    }

    /// An AVP whose text is what `value` displays.
    pub fn display(def: &AvpDef, value: &impl fmt::Display) -> Self {
        let mut data = Octets::new();
        // It takes whatever is written.
        let _ = write!(data, "{value}");
        Self::new(def, data)
    }

    /// An `Address` AVP, RFC 6733 §4.3.1.
    pub fn address(def: &AvpDef, value: IpAddr) -> Self {
        let mut data = Octets::new();
        match value {
            IpAddr::V4(a) => {
                data.extend_from_slice(&[0, 1]);
                data.extend_from_slice(&a.octets());
            }
            IpAddr::V6(a) => {
                data.extend_from_slice(&[0, 2]);
                data.extend_from_slice(&a.octets());
            }
        }
        Self::new(def, data)
    }

    /// A `Grouped` AVP.
    pub fn group(def: &AvpDef, members: &[Self]) -> Self {
        let length = members.iter().map(Self::encoded_len).sum();
        let mut data = Vec::with_capacity(length);
        encode_all(members, &mut data);
        Self::new(def, data)
    }

    /// An example of an AVP: the least data of its type, all zero (RFC 6733 §7.5).
    pub fn example(def: &AvpDef) -> Self {
        Self::new(def, Octets::zeroes(def.min_len()))
    }

    /// The AVP as a view.
    pub fn as_ref(&self) -> AvpRef<'_> {
        AvpRef {
            code: self.code,
            vendor: self.vendor,
            mandatory: self.mandatory,
            protected: self.protected,
            data: &self.data,
        }
    }

    /// Whether this is the AVP that `def` defines.
    pub fn is(&self, def: &AvpDef) -> bool {
        self.code == def.code && self.vendor.unwrap_or(0) == def.vendor.unwrap_or(0)
    }

    /// The value of a four-octet number.
    pub fn as_u32(&self) -> Option<u32> {
        self.as_ref().as_u32()
    }

    /// The value of a text.
    pub fn as_str(&self) -> Option<&str> {
        self.as_ref().as_str()
    }

    /// The value of an `Address` of an IP family.
    pub fn as_address(&self) -> Option<IpAddr> {
        self.as_ref().as_address()
    }

    /// The members of a `Grouped` AVP.
    pub fn members(&self) -> Avps<'_> {
        self.as_ref().members()
    }

    /// How many octets [`encode`](Self::encode) appends.
    pub(crate) fn encoded_len(&self) -> usize {
        let header = if self.vendor.is_some() { 12 } else { 8 };
        (header + self.data.len()).next_multiple_of(4)
    }

    /// Appends the octets of the AVP and its padding. Data beyond the 24-bit length is cut.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.as_ref().encode(out);
    }

    /// What can be said of an AVP whose length is wrong: its header, zero-filled where octets are
    /// missing, with the least data of its type (RFC 6733 §7.1.5, 5014).
    pub(crate) fn salvage(octets: &[u8]) -> Self {
        let mut header = [0; 12];
        header.iter_mut().zip(octets).for_each(|(h, o)| *h = *o);
        let [c0, c1, c2, c3, flags, _, _, _, v0, v1, v2, v3] = header;
        let code = u32::from_be_bytes([c0, c1, c2, c3]);
        let vendor = (flags & FLAG_VENDOR != 0).then(|| u32::from_be_bytes([v0, v1, v2, v3]));
        let least = dictionary::lookup(code, vendor).map_or(0, AvpDef::min_len);
        Self {
            code,
            vendor,
            mandatory: flags & FLAG_MANDATORY != 0,
            protected: flags & FLAG_PROTECTED != 0,
            data: Octets::zeroes(least),
        }
    }
}

pub(crate) fn encode_all(avps: &[Avp], out: &mut Vec<u8>) {
    for avp in avps {
        avp.encode(out);
    }
}

impl<'a> AvpRef<'a> {
    /// Whether this is the AVP that `def` defines.
    pub fn is(self, def: &AvpDef) -> bool {
        self.code == def.code && self.vendor.unwrap_or(0) == def.vendor.unwrap_or(0)
    }

    /// Its definition, if the dictionary has it.
    pub fn def(self) -> Option<&'static AvpDef> {
        dictionary::lookup(self.code, self.vendor)
    }

    /// The value of a four-octet number.
    pub fn as_u32(self) -> Option<u32> {
        Some(u32::from_be_bytes(self.data.try_into().ok()?))
    }

    /// The value of a text.
    pub fn as_str(self) -> Option<&'a str> {
        core::str::from_utf8(self.data).ok()
    }

    /// The value of an `Address` of an IP family.
    pub fn as_address(self) -> Option<IpAddr> {
        match self.data {
            [0, 1, a @ ..] => Some(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(a).ok()?))),
            [0, 2, a @ ..] => Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(a).ok()?))),
            _ => None,
        }
    }

    /// Appends the octets of the AVP and its padding. Data beyond the 24-bit length is cut.
    pub fn encode(self, out: &mut Vec<u8>) {
        let data = self.data.get(..MAX_DATA).unwrap_or(self.data);
        let header = if self.vendor.is_some() { 12 } else { 8 };
        let length = u32::try_from(header + data.len()).unwrap_or(0);
        let flag = |on: bool, bit: u8| if on { bit } else { 0 };
        let flags = flag(self.vendor.is_some(), FLAG_VENDOR)
            | flag(self.mandatory, FLAG_MANDATORY)
            | flag(self.protected, FLAG_PROTECTED);
        let start = u64::from(self.code) << 32 | u64::from(u32::from(flags) << 24 | length);
        out.extend_from_slice(&start.to_be_bytes());
        if let Some(vendor) = self.vendor {
            out.extend_from_slice(&vendor.to_be_bytes());
        }
        out.extend_from_slice(data);
        let padding = [0; 3];
        let missing = data.len().wrapping_neg() % 4;
        out.extend_from_slice(padding.get(..missing).unwrap_or(&padding));
    }

    /// The members of a `Grouped` AVP; offsets of errors count from the start of its data.
    pub fn members(self) -> Avps<'a> {
        Avps::new(self.data, 0)
    }

    /// A copy that owns its data.
    pub fn to_owned(self) -> Avp {
        Avp {
            code: self.code,
            vendor: self.vendor,
            mandatory: self.mandatory,
            protected: self.protected,
            data: self.data.into(),
        }
    }
}

/// Appends an AVP with any data.
pub(crate) fn put(out: &mut Vec<u8>, def: &AvpDef, data: &[u8]) {
    AvpRef {
        code: def.code,
        vendor: def.vendor,
        mandatory: def.mandatory,
        protected: false,
        data,
    }
    .encode(out);
}

/// Appends a `Grouped` AVP whose members `write` appends.
pub(crate) fn put_group(out: &mut Vec<u8>, def: &AvpDef, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    put(out, def, &[]);
    write(out);
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX) & 0x00ff_ffff;
    let place = out
        .get_mut(start + 4..)
        .and_then(<[u8]>::first_chunk_mut::<4>);
    if let Some(place) = place {
        let [flags, ..] = *place;
        *place = (u32::from(flags) << 24 | length).to_be_bytes();
    }
}

/// Walks the AVPs in some octets; ends after the first error.
#[derive(Clone, Debug)]
pub struct Avps<'a> {
    rest: &'a [u8],
    at: u32,
}

impl<'a> Avps<'a> {
    /// AVPs from the start of `octets`, whose own offset in the message is `at`.
    pub fn new(octets: &'a [u8], at: u32) -> Self {
        Self { rest: octets, at }
    }

    fn step(&mut self) -> Result<AvpRef<'a>, DecodeError> {
        let fail = |at: u32, what: What| Err(DecodeError { at, what });
        let have = u32::try_from(self.rest.len()).unwrap_or(u32::MAX);
        let Some(([c0, c1, c2, c3, flags, l0, l1, l2], body)) = self.rest.split_first_chunk::<8>()
        else {
            return fail(self.at, What::Truncated { need: 8, have });
        };
        let length = u32::from_be_bytes([0, *l0, *l1, *l2]);
        let (vendor, header, body) = if flags & FLAG_VENDOR == 0 {
            (None, 8, body)
        } else {
            let Some((vendor, body)) = body.split_first_chunk::<4>() else {
                return fail(self.at, What::Truncated { need: 12, have });
            };
            (Some(u32::from_be_bytes(*vendor)), 12, body)
        };
        let data = length
            .checked_sub(header)
            .and_then(|n| body.get(..usize::try_from(n).ok()?));
        let Some(data) = data else {
            return fail(self.at, What::AvpLength(length));
        };
        // Some peers leave out the padding of the last member of a group.
        let padded = data.len().next_multiple_of(4);
        self.rest = body.get(padded..).unwrap_or(&[]);
        self.at = self.at.saturating_add(length.next_multiple_of(4));
        Ok(AvpRef {
            code: u32::from_be_bytes([*c0, *c1, *c2, *c3]),
            vendor,
            mandatory: flags & FLAG_MANDATORY != 0,
            protected: flags & FLAG_PROTECTED != 0,
            data,
        })
    }
}

impl<'a> Iterator for Avps<'a> {
    type Item = Result<AvpRef<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let step = self.step();
        if step.is_err() {
            self.rest = &[];
        }
        Some(step)
    }
}

impl fmt::Debug for Avp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

impl fmt::Debug for AvpRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let def = self.def();
        match def {
            Some(def) => write!(f, "{}({}", def.name, self.code)?,
            None => write!(f, "Avp({}", self.code)?,
        }
        if let Some(vendor) = self.vendor {
            write!(f, "/{vendor}")?;
        }
        write!(f, ", {} octets)", self.data.len())?;
        match def.map(|def| def.kind) {
            Some(Kind::Utf8String | Kind::DiameterIdentity) => match self.as_str() {
                Some(text) => write!(f, " {text:?}"),
                None => Ok(()),
            },
            Some(Kind::Unsigned32 | Kind::Enumerated) => match self.as_u32() {
                Some(number) => write!(f, " {number}"),
                None => Ok(()),
            },
            Some(Kind::Address) => match self.as_address() {
                Some(address) => write!(f, " {address}"),
                None => Ok(()),
            },
            // Octets and groups may hold keys; what is not in the dictionary may hold anything.
            _ => Ok(()),
        }
    }
}

/// The digits of a number in telephony BCD: two a byte, the first one low, `F` to fill
/// (TS 29.002 `TBCD-STRING`).
pub(crate) fn to_tbcd(digits: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut digits = digits;
    while let Some(low) = digits.next() {
        out.push(digits.next().unwrap_or(15) << 4 | low);
    }
    out
}

pub(crate) fn from_tbcd(octets: &[u8]) -> Option<String> {
    let nibbles = octets.iter().flat_map(|o| [o & 15, o >> 4]);
    let mut text = String::with_capacity(2 * octets.len());
    let count = 2 * octets.len();
    for (i, n) in nibbles.enumerate() {
        match n {
            0..=9 => text.push(char::from(b'0' + n)),
            15 if i + 1 == count => {}
            _ => return None,
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telephony_bcd() {
        // TS 29.002: 81791000000 has eleven digits, so the last half octet is filled.
        let digits = [8, 1, 7, 9, 1, 0, 0, 0, 0, 0, 0];
        let octets = [0x18, 0x97, 0x01, 0x00, 0x00, 0xf0];
        assert_eq!(to_tbcd(digits.into_iter()), octets);
        assert_eq!(from_tbcd(&octets).as_deref(), Some("81791000000"));
        assert_eq!(from_tbcd(&[0x21, 0x43]).as_deref(), Some("1234"));
        assert_eq!(from_tbcd(&[0xf1, 0x32]), None, "a filler in the middle");
        assert_eq!(from_tbcd(&[0x1f]), None, "a filler before the last digit");
        assert_eq!(from_tbcd(&[0xa1]), None);
    }

    #[test]
    fn addresses_of_both_families_and_others() {
        // RFC 6733 §4.3.1, IANA address family numbers.
        let v4 = Avp::address(&dictionary::HOST_IP_ADDRESS, "192.0.2.7".parse().unwrap());
        assert_eq!(v4.data, [0_u8, 1, 192, 0, 2, 7]);
        let v6 = Avp::address(&dictionary::HOST_IP_ADDRESS, "fd00::1".parse().unwrap());
        let mut octets = [0_u8; 18];
        (octets[1], octets[2], octets[17]) = (2, 0xfd, 1);
        assert_eq!(v6.data, octets);
        assert_eq!(v6.as_address(), Some("fd00::1".parse().unwrap()));
        let e164 = Avp::octets(&dictionary::HOST_IP_ADDRESS, [0, 8, b'1']);
        assert_eq!(e164.as_address(), None);
    }
}
