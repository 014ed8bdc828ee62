//! Values as a person writes them, and what is said when they are not.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use heiiki_types::{Apn, Duration, Imsi, InvalidPrefix, Key128, Msisdn, PlmnId, Prefix, Qci};
use toml::de::DeValue;

use super::AdminUrl;
use super::nearest::nearest;
use super::reader::{Fault, FromToml, listed};

/// A rate in bits per second, from text such as `2Gbps`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate(pub(super) u64);

/// A number of octets, from text such as `1MB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Octets(pub(super) u64);

/// A share, 0 to 1, from text such as `1%`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Share(pub(super) f64);

/// The authentication management field, from four hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Amf(pub(super) [u8; 2]);

/// A SHA-256 digest, from 64 hexadecimal digits, with or without colons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sha256(pub(super) [u8; 32]);

impl Fault {
    pub(super) fn new(problem: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            help: help.into(),
        }
    }

    fn kind(value: &DeValue<'_>, need: &str) -> Self {
        let is = match value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a section",
        };
        Self::new(format!("this is {is}"), format!("write {need}"))
    }
}

/// The text of a value, or what to write instead.
pub(super) fn text<'v>(value: &'v DeValue<'_>, need: &str) -> Result<&'v str, Fault> {
    value.as_str().ok_or_else(|| Fault::kind(value, need))
}

/// Splits `10ms` into number and unit and scales by the unit's factor.
fn quantity(
    value: &DeValue<'_>,
    what: &str,
    example: &str,
    units: &[(&str, u64)],
) -> Result<u64, Fault> {
    let names = || listed(units.iter().map(|(u, _)| *u));
    let help = || {
        format!(
            "write {what} with its unit, such as \"{example}\"; units are {}",
            names()
        )
    };
    if let DeValue::Integer(n) = value {
        return Err(Fault::new(format!("`{}` has no unit", n.as_str()), help()));
    }
    let text = text(value, &format!("{what} in quotes, such as \"{example}\""))?.trim();
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = unit.trim();
    if number.is_empty() {
        return Err(Fault::new(format!("`{text}` is not {what}"), help()));
    }
    if unit.is_empty() {
        return Err(Fault::new(format!("`{text}` has no unit"), help()));
    }
    let Some((_, factor)) = units.iter().find(|(u, _)| *u == unit) else {
        let near = units.iter().find(|(u, _)| u.eq_ignore_ascii_case(unit));
        let help = near.map_or_else(help, |(u, _)| format!("did you mean `{number}{u}`?"));
        return Err(Fault::new(
            format!("`{unit}` is not a unit of {what}"),
            help,
        ));
    };
    scale(number, *factor).ok_or_else(|| Fault::new(format!("`{text}` is out of range"), help()))
}

/// `number` times `factor`, where the number may have a fraction: exactly, in integers.
fn scale(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let mut total = u64::checked_mul(whole, factor)?;
    if !fraction.is_empty() {
        let digits: u64 = fraction.parse().ok()?;
        let power = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        total = total.checked_add(digits.checked_mul(factor)? / power)?;
    }
    Some(total)
}

impl FromToml for Duration {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
        const UNITS: [(&str, u64); 6] = [
            ("us", 1),
            ("ms", 1_000),
            ("s", 1_000_000),
            ("min", 60_000_000),
            ("h", 3_600_000_000),
            ("d", 86_400_000_000),
        ];
        quantity(value, "a duration", "10ms", &UNITS).map(Self::from_micros)
    }
}

impl FromToml for Rate {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
        const UNITS: [(&str, u64); 4] = [
            ("bps", 1),
            ("kbps", 1_000),
            ("Mbps", 1_000_000),
            ("Gbps", 1_000_000_000),
        ];
        quantity(value, "a rate", "100Mbps", &UNITS).map(Self)
    }
}

impl FromToml for Octets {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
        const UNITS: [(&str, u64); 7] = [
            ("B", 1),
            ("kB", 1_000),
            ("MB", 1_000_000),
            ("GB", 1_000_000_000),
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
        ];
        quantity(value, "a size", "1MB", &UNITS).map(Self)
    }
}

impl FromToml for Share {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
        let fault = |is: &str| {
            Fault::new(
                format!("`{is}` is not a share"),
                "write a share from \"0%\" to \"100%\"",
            )
        };
        let text = text(value, "a share in quotes, such as \"1%\"")?;
        let number = text.strip_suffix('%').ok_or_else(|| fault(text))?;
        let percent: f64 = number.trim().parse().map_err(|_| fault(text))?;
        if (0.0..=100.0).contains(&percent) {
            Ok(Self(percent / 100.0))
        } else {
            Err(fault(text))
        }
    }
}

impl FromToml for bool {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
        value
            .as_bool()
            .ok_or_else(|| Fault::kind(value, "true or false, without quotes"))
    }
}

impl FromToml for String {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
        match text(value, "a text in quotes")? {
            "" => Err(Fault::new("this is empty", "write at least one letter")),
            text => Ok(text.to_owned()),
        }
    }
}

impl FromToml for PathBuf {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
        String::from_toml(value).map(Self::from)
    }
}

macro_rules! numbers {
    ($($type:ty)*) => { $(
        impl FromToml for $type {
            fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
                let need = || format!("a whole number from 0 to {}, without quotes", Self::MAX);
                let number = value.as_integer().ok_or_else(|| Fault::kind(value, &need()))?;
                let text = number.as_str();
                Self::from_str_radix(text, number.radix()).map_err(|_| {
                    let help = format!("write {}", need());
                    Fault::new(format!("`{text}` is out of range"), help)
                })
            }
        }
    )* };
}

numbers! { u8 u16 u32 u64 usize }

impl FromToml for Qci {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
        match u8::from_toml(value)? {
            qci @ 1..=9 => Ok(Self(qci)),
            other => Err(Fault::new(
                format!("`{other}` is not a QoS class"),
                "write a number from 1 to 9; 9 is plain data",
            )),
        }
    }
}

macro_rules! from_text {
    ($($type:ty: $what:literal, $example:literal;)*) => { $(
        impl FromToml for $type {
            fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
                let text = text(value, concat!($what, " in quotes, such as \"", $example, "\""))?;
                text.parse().map_err(|_| Fault::new(
                    format!(concat!("`{}` is not ", $what), text),
                    concat!("write it as in \"", $example, "\""),
                ))
            }
        }
    )* };
}

from_text! {
    IpAddr: "an IP address", "10.20.0.5";
    Ipv4Addr: "an IPv4 address", "10.20.0.5";
    SocketAddr: "an address with its port", "127.0.0.1:3868";
}

macro_rules! from_text_with_reason {
    ($($type:ty: $what:literal, $example:literal;)*) => { $(
        impl FromToml for $type {
            fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
                let text = text(value, concat!($what, " in quotes, such as \"", $example, "\""))?;
                text.parse().map_err(|reason| Fault::new(
                    format!(concat!("`{}` is not ", $what), text),
                    format!(concat!("{}; write it as in \"", $example, "\""), reason),
                ))
            }
        }
    )* };
}

from_text_with_reason! {
    Apn: "an APN", "red.corp";
    Imsi: "an IMSI", "001010000000001";
    Msisdn: "an MSISDN", "819012345678";
    PlmnId: "a PLMN", "00101";
}

impl FromToml for Prefix {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
        let text = text(value, "a prefix in quotes, such as \"10.20.0.0/16\"")?;
        text.parse().map_err(|reason| {
            let problem = format!("`{text}` is not a prefix");
            Fault::new(
                problem,
                match reason {
                    InvalidPrefix::HostBits => host_bits(text),
                    other => format!("{other}; write it as in \"10.20.0.0/16\""),
                },
            )
        })
    }
}

/// Offers the prefix that an address with host bits is in.
fn host_bits(text: &str) -> String {
    let fixed = text.split_once('/').and_then(|(address, length)| {
        let (address, length): (IpAddr, u8) = (address.parse().ok()?, length.parse().ok()?);
        (0..=128_u8).find_map(|cleared| {
            let first = match address {
                IpAddr::V4(a) => {
                    let mask = u32::MAX.checked_shl(u32::from(cleared)).unwrap_or(0);
                    IpAddr::V4(Ipv4Addr::from_bits(a.to_bits() & mask))
                }
                IpAddr::V6(a) => {
                    let mask = u128::MAX.checked_shl(u32::from(cleared)).unwrap_or(0);
                    IpAddr::V6((a.to_bits() & mask).into())
                }
            };
            Prefix::new(first, length).ok()
        })
    });
    match fixed {
        Some(prefix) => format!("it has bits set after its length; did you mean \"{prefix}\"?"),
        None => String::from("it has bits set after its length"),
    }
}

impl FromToml for Key128 {
    const SECRET: bool = true;

    fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
        const HELP: &str = "a key is 32 hexadecimal digits (16 octets)";
        let text = text(value, "32 hexadecimal digits in quotes")?;
        Self::from_hex(text).map_err(|_| {
            let digits = text.chars().count();
            let odd = text.chars().filter(|c| !c.is_ascii_hexdigit()).count();
            Fault::new(
                match odd {
                    0 => format!("this key has {digits} digits"),
                    1 => String::from("one character of this key is not a hexadecimal digit"),
                    n => format!("{n} characters of this key are not hexadecimal digits"),
                },
                HELP,
            )
        })
    }
}

impl FromToml for AdminUrl {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
        let text = text(value, "an address in quotes, such as \"127.0.0.1:8082\"")?;
        admin_url(text).ok_or_else(|| {
            Fault::new(
                format!("`{text}` is not the address of an HTTP interface"),
                "write \"127.0.0.1:8082\", or \"https://10.0.0.2:8082\" where it speaks TLS",
            )
        })
    }
}

/// Reads `https://ADDRESS:PORT`, `http://ADDRESS:PORT`, or `ADDRESS:PORT`, which is the latter.
pub(crate) fn admin_url(text: &str) -> Option<AdminUrl> {
    let (tls, rest) = match text.strip_prefix("https://") {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix("http://").unwrap_or(text)),
    };
    let address = rest.trim_end_matches('/').parse().ok()?;
    Some(AdminUrl { address, tls })
}

impl FromToml for Sha256 {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
        let text = text(value, "64 hexadecimal digits in quotes")?;
        let octets = heiiki_types::from_hex(&text.replace(':', "")).ok();
        let octets: Option<[u8; 32]> = octets.and_then(|o| o.try_into().ok());
        octets.map(Self).ok_or_else(|| {
            let help = "`openssl x509 -noout -fingerprint -sha256 -in CERTIFICATE` prints it";
            Fault::new(format!("`{text}` is not a SHA-256 fingerprint"), help)
        })
    }
}

impl FromToml for Amf {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
        let text = text(value, "four hexadecimal digits in quotes, such as \"8000\"")?;
        let octets = heiiki_types::from_hex(text).ok();
        let octets: Option<[u8; 2]> = octets.and_then(|o| o.try_into().ok());
        match octets {
            Some(octets @ [0x80..=0xff, _]) => Ok(Self(octets)),
            Some(_) => Err(Fault::new(
                format!("the separation bit of `{text}` is 0"),
                "E-UTRAN needs it (TS 33.401 §6.1.1): write \"8000\"",
            )),
            None => Err(Fault::new(
                format!("`{text}` is not an AMF"),
                "write four hexadecimal digits, such as \"8000\"",
            )),
        }
    }
}

/// Looks a word up in a table of choices.
pub(super) fn choose<T: Copy>(value: &DeValue<'_>, choices: &[(&str, T)]) -> Result<T, Fault> {
    let names = || choices.iter().map(|(n, _)| *n);
    let help = || format!("the choices are {}", listed(names()));
    let word = text(value, &format!("one of {} in quotes", listed(names())))?;
    match choices.iter().find(|(n, _)| *n == word) {
        Some((_, choice)) => Ok(*choice),
        None => Err(Fault::new(
            format!("`{word}` is not a choice here"),
            match nearest(word, names()) {
                Some(near) => format!("did you mean `{near}`? {}", help()),
                None => help(),
            },
        )),
    }
}

/// Reads an enum by the words of a table.
macro_rules! choices {
    ($type:ty { $($word:literal => $variant:expr),* $(,)? }) => {
        impl $crate::file::reader::FromToml for $type {
            fn from_toml(
                value: &toml::de::DeValue<'_>,
            ) -> Result<Self, $crate::file::reader::Fault> {
                $crate::file::value::choose(value, &[$(($word, $variant)),*])
            }
        }
    };
}

pub(super) use choices;
