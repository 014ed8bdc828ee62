use core::fmt;
use core::str::FromStr;

use alloc::string::String;
use heiiki_types::Imei;

/// The text is not 16 decimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidImeisv;

impl fmt::Display for InvalidImeisv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an IMEISV is 16 decimal digits")
    }
}

impl core::error::Error for InvalidImeisv {}

/// IMEI and software version number, TS 23.003 §6.2.2: 16 digits, the last two the version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Imeisv([u8; 16]);

impl Imeisv {
    /// The digits, first one first.
    pub fn digits(&self) -> impl Iterator<Item = u8> {
        self.0.iter().copied()
    }

    /// The equipment, without the version.
    pub fn imei(&self) -> Option<Imei> {
        let digit = |d: &u8| char::from_digit(u32::from(*d), 10);
        let text: Option<String> = self.0.iter().take(14).map(digit).collect();
        text?.parse().ok()
    }
}

impl FromStr for Imeisv {
    type Err = InvalidImeisv;

    fn from_str(text: &str) -> Result<Self, InvalidImeisv> {
        let mut digits: [u8; 16] = text.as_bytes().try_into().map_err(|_| InvalidImeisv)?;
        for d in &mut digits {
            *d = d
                .checked_sub(b'0')
                .filter(|d| *d <= 9)
                .ok_or(InvalidImeisv)?;
        }
        Ok(Self(digits))
    }
}

impl fmt::Display for Imeisv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|d| write!(f, "{d}"))
    }
}

impl fmt::Debug for Imeisv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Imeisv({self})")
    }
}
