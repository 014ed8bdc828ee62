//! JSON schemas of the values that are texts in JSON.

use alloc::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{Apn, Imei, Imsi, Msisdn, PlmnId};

/// Stands for an IPv4 address where a schema is derived: `#[schemars(with = "Ipv4")]`.
#[derive(Debug)]
pub struct Ipv4(());

/// Stands for an IPv6 address where a schema is derived.
#[derive(Debug)]
pub struct Ipv6(());

/// Stands for an IPv6 prefix of 64 bits where a schema is derived.
#[derive(Debug)]
pub struct Ipv6Prefix64(());

impl JsonSchema for Ipv6Prefix64 {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Ipv6Prefix64".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9a-fA-F:]+/64$",
            "examples": ["2001:db8:0:1::/64"],
        })
    }
}

macro_rules! address {
    ($($name:ident: $format:literal;)*) => {
        $(
            impl JsonSchema for $name {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!({ "type": "string", "format": $format })
                }
            }
        )*
    };
}

address! {
    Ipv4: "ipv4";
    Ipv6: "ipv6";
}

macro_rules! text {
    ($($name:ident: $pattern:literal, $what:literal, $example:literal;)*) => {
        $(
            impl JsonSchema for $name {
                fn schema_name() -> Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!({
                        "type": "string",
                        "pattern": $pattern,
                        "description": $what,
                        "examples": [$example],
                    })
                }
            }
        )*
    };
}

text! {
    Apn: "^[A-Za-z0-9.-]{1,100}$", "Access point name without operator identifier", "red.corp";
    Imei: "^[0-9]{14,15}$", "Equipment identity, with or without its check digit", "35609204079301";
    Imsi: "^[0-9]{6,15}$", "Subscriber identity", "001010000000001";
    Msisdn: "^[0-9]{3,15}$", "Number in international form, without `+`", "819012345678";
    PlmnId: "^[0-9]{5,6}$", "MCC and MNC of a network", "00101";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_a_value() {
        fn example<T: JsonSchema>() -> String {
            let schema = T::json_schema(&mut SchemaGenerator::default());
            schema.get("examples").unwrap()[0].as_str().unwrap().into()
        }
        assert!(example::<Apn>().parse::<Apn>().is_ok());
        assert!(example::<Imei>().parse::<Imei>().is_ok());
        assert!(example::<Imsi>().parse::<Imsi>().is_ok());
        assert!(example::<Msisdn>().parse::<Msisdn>().is_ok());
        assert!(example::<PlmnId>().parse::<PlmnId>().is_ok());
    }
}
