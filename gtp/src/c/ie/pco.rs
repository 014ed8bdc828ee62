//! Protocol Configuration Options, TS 29.274 §8.13, with the additional ones of §8.94 and the
//! extended ones of §8.128.

use alloc::vec::Vec;

use super::{Fault, Ie, ie_type, octets};
use crate::octets::Reader;

macro_rules! options {
    ($name:ident, $ie:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug)]
        pub(crate) enum $name {}

        impl Ie for $name {
            const TYPE: u8 = ie_type::$ie;
            type Value = Vec<u8>;

            fn decode(r: &mut Reader<'_>) -> Result<Self::Value, Fault> {
                octets(r)
            }

            fn encode(value: &Self::Value, out: &mut Vec<u8>) {
                out.extend(value);
            }
        }
    };
}

options!(
    ProtocolConfigurationOptions,
    PCO,
    "The value as TS 24.008 §10.5.6.3 has it from its octet 3; [`crate::pco`] reads it."
);
options!(
    AdditionalProtocolConfigurationOptions,
    APCO,
    "Options between an access network and the PGW, in the form of PCO."
);
options!(
    ExtendedProtocolConfigurationOptions,
    EPCO,
    "The value as TS 24.008 §10.5.6.3A has it from its octet 4."
);
