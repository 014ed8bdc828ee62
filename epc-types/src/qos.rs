use core::fmt;
use core::num::NonZeroU32;

/// Tunnel endpoint identifier, TS 29.281 §5.1: never zero, which means "not assigned yet".
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Teid(NonZeroU32);

impl Teid {
    /// A TEID, unless the value is zero.
    pub const fn new(value: u32) -> Option<Self> {
        match NonZeroU32::new(value) {
            Some(v) => Some(Self(v)),
            None => None,
        }
    }

    /// The value of the header field.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for Teid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// Not a number from 5 to 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidEbi;

impl fmt::Display for InvalidEbi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an EPS bearer identity is 5 to 15")
    }
}

impl core::error::Error for InvalidEbi {}

/// EPS bearer identity, 5 to 15 (TS 24.007 §11.2.3.1.5).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Ebi(u8);

impl Ebi {
    /// The first identity that a UE's bearers get.
    pub const FIRST: Self = Self(5);

    /// A bearer identity from its number.
    pub const fn new(value: u8) -> Result<Self, InvalidEbi> {
        if value >= 5 && value <= 15 {
            Ok(Self(value))
        } else {
            Err(InvalidEbi)
        }
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// QoS class identifier, TS 23.203 Table 6.1.7.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Qci(#[cfg_attr(feature = "schema", schemars(range(min = 1)))] pub u8);

/// Allocation and retention priority, TS 23.203 §6.1.7.3, in the words of the specification: the
/// wire's inverted bits are the codecs' business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Arp {
    /// 1 (highest) to 15.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 15)))]
    pub priority_level: u8,
    /// Whether the bearer may take resources from others.
    pub may_preempt: bool,
    /// Whether others may take its resources.
    pub may_be_preempted: bool,
}

/// Aggregate maximum bit rate of a UE or an APN, in bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ambr {
    /// From the UE, bit/s.
    pub uplink_bps: u64,
    /// To the UE, bit/s.
    pub downlink_bps: u64,
}
