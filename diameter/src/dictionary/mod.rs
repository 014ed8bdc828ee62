//! The AVP dictionary: what the AVPs of the base protocol, S6a and S13 are called and made of.
//!
//! It is data. The codec does not need it: unknown AVPs survive decoding and encoding. It decides
//! three things: how an AVP that we build is flagged, whether an AVP with the M bit is one that we
//! recognise (RFC 6733 §4.1), and what may be printed.

macro_rules! avps {
    ($table:ident, $find:ident, $vendor:expr; $($name:ident = $code:literal, $text:literal, $kind:ident, $m:ident;)*) => {
        $(
            #[doc = concat!("`", $text, "`, AVP code ", $code, ".")]
            pub const $name: super::AvpDef = super::AvpDef {
                code: $code,
                vendor: $vendor,
                name: $text,
                kind: super::Kind::$kind,
                mandatory: matches!(super::MBit::$m, super::MBit::Set),
            };
        )*

        /// All definitions of this file, by code.
        #[cfg(test)]
        pub(super) static $table: &[super::AvpDef] = &[$($name),*];

        /// The definition of a code: a table of jumps, since every AVP of every message asks.
        pub(super) const fn $find(code: u32) -> Option<&'static super::AvpDef> {
            match code {
                $($code => Some(&$name),)*
                _ => None,
            }
        }
    };
}

mod base;
mod check;
mod tgpp;

pub use base::*;
pub use check::{MAX_DEPTH, check};
pub use tgpp::*;

/// The vendor of 3GPP's AVPs.
pub const VENDOR_3GPP: u32 = 10415;

/// Data types of AVPs, RFC 6733 §4.2 to §4.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An address family number and an address.
    Address,
    /// A fully qualified domain name or a realm.
    DiameterIdentity,
    /// `aaa://host:port...`
    DiameterUri,
    /// A number with named values.
    Enumerated,
    /// AVPs within an AVP.
    Grouped,
    /// A signed number of four octets.
    Integer32,
    /// Any octets.
    OctetString,
    /// Seconds since 1900, four octets.
    Time,
    /// A number of four octets.
    Unsigned32,
    /// A number of eight octets.
    Unsigned64,
    /// Text.
    Utf8String,
}

impl Kind {
    const fn min_len(self) -> usize {
        match self {
            Self::Grouped | Self::OctetString => 0,
            Self::DiameterIdentity | Self::DiameterUri | Self::Utf8String => 1,
            Self::Address => 6,
            Self::Enumerated | Self::Integer32 | Self::Time | Self::Unsigned32 => 4,
            Self::Unsigned64 => 8,
        }
    }
}

enum MBit {
    Set,
    Clear,
}

/// One AVP of the dictionary.
#[derive(Clone, Copy, Debug)]
pub struct AvpDef {
    /// The AVP code.
    pub code: u32,
    /// The vendor, `None` for an AVP of the IETF.
    pub vendor: Option<u32>,
    /// The name in its specification.
    pub name: &'static str,
    /// The data type.
    pub kind: Kind,
    /// Whether the M bit is set when we send it.
    pub mandatory: bool,
}

/// Code and vendor are what tells definitions apart.
impl PartialEq for AvpDef {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code && self.vendor == other.vendor
    }
}

impl Eq for AvpDef {}

impl AvpDef {
    /// The least number of data octets that a value has: so many zeroes stand for a missing AVP in
    /// Failed-AVP (RFC 6733 §7.5).
    pub fn min_len(&self) -> usize {
        const FIXED: [(AvpDef, usize); 6] = [
            (VISITED_PLMN_ID, 3),
            (RE_SYNCHRONIZATION_INFO, 30),
            (RAND, 16),
            (XRES, 4),
            (AUTN, 16),
            (KASME, 32),
        ];
        let fixed = FIXED.iter().find(|(def, _)| def == self);
        fixed.map_or_else(|| self.kind.min_len(), |(_, len)| *len)
    }

    /// Whether the data must never be printed: keys and expected responses.
    pub fn is_secret(&self) -> bool {
        const SECRETS: [AvpDef; 6] = [XRES, KASME, KC, SRES, CONFIDENTIALITY_KEY, INTEGRITY_KEY];
        SECRETS.contains(self)
    }
}

/// The definition of an AVP, if we know it. Vendor 0 is the IETF.
pub fn lookup(code: u32, vendor: Option<u32>) -> Option<&'static AvpDef> {
    match vendor {
        None | Some(0) => of_ietf(code),
        Some(VENDOR_3GPP) => of_3gpp(code),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_without_doubles() {
        for table in [BASE, TGPP] {
            assert!(table.is_sorted_by(|a, b| a.code < b.code));
        }
        for def in BASE.iter().chain(TGPP) {
            assert_eq!(lookup(def.code, def.vendor).unwrap().name, def.name);
        }
        assert!(BASE.iter().all(|d| d.vendor.is_none()));
        assert!(TGPP.iter().all(|d| d.vendor == Some(VENDOR_3GPP)));
    }

    #[test]
    fn lookup_is_by_code_and_vendor() {
        assert_eq!(lookup(1, None), Some(&USER_NAME));
        assert_eq!(lookup(1, Some(0)), Some(&USER_NAME));
        assert_eq!(lookup(1400, Some(10415)), Some(&SUBSCRIPTION_DATA));
        assert_eq!(lookup(1400, None), None);
        assert_eq!(lookup(1400, Some(10416)), None);
    }

    #[test]
    fn reused_avps_are_sent_without_the_m_bit() {
        // 628 to 630: see the note on the M bit in `tgpp`.
        for code in [628, 629, 630] {
            assert!(!lookup(code, Some(VENDOR_3GPP)).unwrap().mandatory);
        }
    }
}
