use core::fmt;
use core::str::FromStr;

use heiiki_types::Imei;

/// Devices of one IMEI: its software versions.
const VERSIONS: u64 = 100;
/// Devices of one TAC: six digits of serial number, two of software version (TS 23.003 §6.2).
const OF_TAC: u64 = 100_000_000;
/// One more than the greatest IMEISV.
const END: u64 = 10_000_000_000_000_000;

/// Which devices a row of the lists names, by the 16 digits of their IMEISV (TS 23.003 §6.2.2):
///
/// | written | names |
/// |---|---|
/// | `35609204` | every device of this type allocation code |
/// | `35609204079301`, or with its check digit | one device |
/// | `3560920407930142` | one device with this software version |
/// | `35609204000000-35609204099999` | the devices from one to the other |
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct EquipmentKey {
    first: u64,
    last: u64,
}

/// The text names no equipment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidKey;

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "equipment is named by a TAC (8 digits), an IMEI (14 or 15), an IMEISV (16), or two \
             IMEIs of 14 digits with a hyphen between, the lower one first",
        )
    }
}

impl core::error::Error for InvalidKey {}

impl EquipmentKey {
    /// One device, whatever its software version.
    pub(crate) fn device(imei: Imei) -> Self {
        let number = imei
            .significant()
            .fold(0, |n: u64, digit| n * 10 + u64::from(digit));
        Self::of(number * VERSIONS, VERSIONS)
    }

    const fn of(first: u64, width: u64) -> Self {
        Self {
            first,
            last: first + width - 1,
        }
    }

    /// The same device with one software version only.
    pub(crate) const fn with_version(self, version: u8) -> Self {
        Self::of(self.first + version as u64 % VERSIONS, 1)
    }

    /// All devices of the type.
    pub(crate) const fn tac(self) -> Self {
        Self::of(self.first - self.first % OF_TAC, OF_TAC)
    }

    /// How many IMEISVs it names, less one.
    pub(crate) const fn width(self) -> u64 {
        self.last - self.first
    }

    /// Whether it is written with two ends.
    pub(crate) const fn is_range(self) -> bool {
        let width = self.width() + 1;
        let whole = width == VERSIONS || width == OF_TAC;
        width != 1 && !(whole && self.first.is_multiple_of(width))
    }

    pub(crate) const fn contains(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

fn digits(text: &str, len: usize) -> Result<u64, InvalidKey> {
    let good = text.len() == len && text.bytes().all(|c| c.is_ascii_digit());
    good.then(|| text.parse().ok()).flatten().ok_or(InvalidKey)
}

impl FromStr for EquipmentKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        if let Some((from, to)) = text.split_once('-') {
            let (from, to) = (digits(from, 14)?, digits(to, 14)?);
            if from > to {
                return Err(InvalidKey);
            }
            return Ok(Self::of(from * VERSIONS, (to - from + 1) * VERSIONS));
        }
        let key = match text.len() {
            8 => Self::of(digits(text, 8)? * OF_TAC, OF_TAC),
            14 => Self::of(digits(text, 14)? * VERSIONS, VERSIONS),
            15 => Self::of(digits(text, 15)? / 10 * VERSIONS, VERSIONS),
            16 => Self::of(digits(text, 16)?, 1),
            _ => return Err(InvalidKey),
        };
        (key.last < END).then_some(key).ok_or(InvalidKey)
    }
}

impl fmt::Display for EquipmentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.width() + 1 {
            1 => write!(f, "{:016}", self.first),
            _ if self.is_range() => {
                let (first, last) = (self.first / VERSIONS, self.last / VERSIONS);
                write!(f, "{first:014}-{last:014}")
            }
            VERSIONS => write!(f, "{:014}", self.first / VERSIONS),
            _ => write!(f, "{:08}", self.first / OF_TAC),
        }
    }
}
