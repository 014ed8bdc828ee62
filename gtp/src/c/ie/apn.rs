//! Access Point Name, TS 29.274 §8.6.

use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::Apn;

use super::{Fault, Ie, ie_type};
use crate::octets::Reader;

/// Labels, each with its length before it and no root label after them (TS 23.003 §9.1).
#[derive(Debug)]
pub(crate) enum AccessPointName {}

impl Ie for AccessPointName {
    const TYPE: u8 = ie_type::APN;
    type Value = Apn;

    fn decode(r: &mut Reader<'_>) -> Result<Apn, Fault> {
        let mut text = String::new();
        while !r.is_empty() {
            let length = usize::from(r.u8()?);
            // A label that runs over the end is a wrong value: the element's own length is right.
            let label = r.take(length).map_err(|_| Fault::Value)?;
            let label = core::str::from_utf8(label).map_err(|_| Fault::Value)?;
            // A dot inside a label would read as a boundary.
            if label.contains('.') {
                return Err(Fault::Value);
            }
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(label);
        }
        text.parse().map_err(|_| Fault::Value)
    }

    fn encode(value: &Apn, out: &mut Vec<u8>) {
        for label in value.as_str().split('.') {
            out.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
            out.extend(label.as_bytes());
        }
    }
}
