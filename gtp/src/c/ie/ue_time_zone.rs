//! UE Time Zone, TS 29.274 §8.44.

use alloc::vec::Vec;

use super::{Fault, Ie, ie_type};
use crate::octets::Reader;

/// The local time of the UE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UeTimeZone {
    /// Quarters of an hour east of UTC as TS 24.008 §10.5.3.8 packs them: swapped decimal nibbles,
    /// bit 4 set when west. Includes the daylight saving time.
    pub zone: u8,
    /// Hours of daylight saving time, 0 to 2.
    pub daylight: u8,
}

impl Ie for UeTimeZone {
    const TYPE: u8 = ie_type::UE_TIME_ZONE;
    type Value = Self;

    fn decode(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let [zone, daylight] = r.array()?;
        let daylight = daylight & 3;
        Ok(Self { zone, daylight })
    }

    fn encode(value: &Self, out: &mut Vec<u8>) {
        out.extend([value.zone, value.daylight & 3]);
    }
}
