//! A filter as an operator writes it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use super::{Component, Direction, PacketFilter};

/// Why a text is not a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidFilter {
    /// A word that means nothing here.
    Word(String),
    /// This keyword needs a value after it.
    Missing(&'static str),
    /// The value of this keyword cannot be; the text says what it can be.
    Value(&'static str, &'static str),
    /// A condition that is there twice, or beside one that excludes it.
    Clash(&'static str),
    /// There is no condition: such a filter would take every packet.
    Empty,
}

impl fmt::Display for InvalidFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => write!(
                f,
                "`{word}` is no part of a filter: it has up, down or both; tcp, udp, icmp, icmpv6, \
                 sctp, esp or protocol N; remote, local, remote-port, local-port, spi, tos, flow \
                 and precedence with a value"
            ),
            Self::Missing(keyword) => write!(f, "`{keyword}` needs a value after it"),
            Self::Value(keyword, can_be) => write!(f, "`{keyword}` is {can_be}"),
            Self::Clash(why) => f.write_str(why),
            Self::Empty => {
                f.write_str("a filter needs a condition, such as `udp remote-port 5060`")
            }
        }
    }
}

impl core::error::Error for InvalidFilter {}

const ADDRESS: &str = "an address or a prefix, such as 10.20.0.9 or 10.20.0.0/16";
const PORT: &str = "a port or a range, such as 5060 or 5004-5100";

/// Reads a filter such as `both udp remote 10.20.0.9 remote-port 5004-5100`.
///
/// The words come in any order, each once: a direction (`up`, `down`, `both`, which is what it is
/// without one), a protocol (a name or `protocol N`), `remote PREFIX`, `local PREFIX`,
/// `remote-port N` or `N-M`, `local-port` likewise, `spi N`, `tos VALUE` or `VALUE/MASK`,
/// `flow N`, `precedence N`. Numbers may be hexadecimal (`0x2e`). The identifier of the result is
/// 0, and its precedence too unless the text says one.
impl FromStr for PacketFilter {
    type Err = InvalidFilter;

    fn from_str(text: &str) -> Result<Self, InvalidFilter> {
        let mut filter = Self {
            identifier: 0,
            direction: Direction::Bidirectional,
            precedence: 0,
            components: Vec::new(),
        };
        let mut words = text.split_whitespace();
        while let Some(word) = words.next() {
            match word {
                "up" => filter.direction = Direction::Uplink,
                "down" => filter.direction = Direction::Downlink,
                "both" => filter.direction = Direction::Bidirectional,
                "precedence" => {
                    filter.precedence = number(words.next(), "precedence", 255, "0 to 255")?;
                }
                _ => {
                    let component = component(word, &mut words)?;
                    filter.components.push(component);
                }
            }
        }
        if filter.components.is_empty() {
            return Err(InvalidFilter::Empty);
        }
        let kinds: Vec<u8> = filter.components.iter().map(Component::kind).collect();
        let twice = |kind: u8| kinds.iter().filter(|k| *k & 0xf0 == kind & 0xf0).count() > 1;
        // Local and remote addresses share the upper half of their types.
        let addresses = |local: bool| {
            let of = |k: &&u8| {
                if local {
                    matches!(k, 0x11 | 0x23)
                } else {
                    matches!(k, 0x10 | 0x20 | 0x21)
                }
            };
            kinds.iter().filter(of).count()
        };
        if addresses(true) > 1 || addresses(false) > 1 {
            return Err(InvalidFilter::Clash(
                "one filter has one address on each side",
            ));
        }
        if [0x30, 0x40, 0x50, 0x60, 0x70, 0x80].into_iter().any(twice) {
            return Err(InvalidFilter::Clash("one filter has each condition once"));
        }
        filter.check().map_err(|f| InvalidFilter::Clash(f.why))?;
        Ok(filter)
    }
}

fn component<'a>(
    word: &str,
    words: &mut impl Iterator<Item = &'a str>,
) -> Result<Component, InvalidFilter> {
    Ok(match word {
        "tcp" => Component::Protocol(6),
        "udp" => Component::Protocol(17),
        "icmp" => Component::Protocol(1),
        "icmpv6" => Component::Protocol(58),
        "sctp" => Component::Protocol(132),
        "esp" => Component::Protocol(50),
        "protocol" => Component::Protocol(number(words.next(), "protocol", 255, "0 to 255")?),
        "remote" => match address(words.next(), "remote")? {
            (IpAddr::V4(address), length) => Component::Ipv4Remote {
                address,
                mask: ipv4_mask(length),
            },
            (IpAddr::V6(address), length) => Component::Ipv6RemotePrefix { address, length },
        },
        "local" => match address(words.next(), "local")? {
            (IpAddr::V4(address), length) => Component::Ipv4Local {
                address,
                mask: ipv4_mask(length),
            },
            (IpAddr::V6(address), length) => Component::Ipv6LocalPrefix { address, length },
        },
        "remote-port" => match ports(words.next(), "remote-port")? {
            (port, None) => Component::RemotePort(port),
            (low, Some(high)) => Component::RemotePortRange { low, high },
        },
        "local-port" => match ports(words.next(), "local-port")? {
            (port, None) => Component::LocalPort(port),
            (low, Some(high)) => Component::LocalPortRange { low, high },
        },
        "spi" => Component::SecurityParameterIndex(number(
            words.next(),
            "spi",
            u32::MAX,
            "a number of 32 bits",
        )?),
        "flow" => Component::FlowLabel(number(
            words.next(),
            "flow",
            0x000f_ffff,
            "a number of 20 bits",
        )?),
        "tos" => {
            let text = words.next().ok_or(InvalidFilter::Missing("tos"))?;
            let (value, mask) = text.split_once('/').unwrap_or((text, "0xff"));
            let can_be = "an octet, or an octet and a mask, such as 0xb8/0xfc";
            Component::TypeOfService {
                value: number(Some(value), "tos", 255, can_be)?,
                mask: number(Some(mask), "tos", 255, can_be)?,
            }
        }
        other => return Err(InvalidFilter::Word(other.into())),
    })
}

fn number<T: TryFrom<u32>>(
    word: Option<&str>,
    keyword: &'static str,
    highest: u32,
    can_be: &'static str,
) -> Result<T, InvalidFilter> {
    let word = word.ok_or(InvalidFilter::Missing(keyword))?;
    let value = match word.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => word.parse(),
    };
    let value = value.ok().filter(|v| *v <= highest);
    let value = value.and_then(|v| T::try_from(v).ok());
    value.ok_or(InvalidFilter::Value(keyword, can_be))
}

fn address(word: Option<&str>, keyword: &'static str) -> Result<(IpAddr, u8), InvalidFilter> {
    let word = word.ok_or(InvalidFilter::Missing(keyword))?;
    let bad = InvalidFilter::Value(keyword, ADDRESS);
    if let Ok(address) = word.parse::<IpAddr>() {
        let length = if address.is_ipv4() { 32 } else { 128 };
        return Ok((address, length));
    }
    let prefix: heiiki_types::Prefix = word.parse().map_err(|_| bad)?;
    Ok((prefix.first(), prefix.length()))
}

fn ports(word: Option<&str>, keyword: &'static str) -> Result<(u16, Option<u16>), InvalidFilter> {
    let word = word.ok_or(InvalidFilter::Missing(keyword))?;
    let bad = || InvalidFilter::Value(keyword, PORT);
    match word.split_once('-') {
        None => Ok((word.parse().map_err(|_| bad())?, None)),
        Some((low, high)) => {
            let low = low.parse().map_err(|_| bad())?;
            let high = high.parse().map_err(|_| bad())?;
            Ok((low, Some(high)))
        }
    }
}

const fn ipv4_mask(length: u8) -> Ipv4Addr {
    let bits = match length {
        0 => 0,
        1..=31 => u32::MAX << (32 - length),
        _ => u32::MAX,
    };
    Ipv4Addr::from_bits(bits)
}

/// The text that reads as this filter, without its identifier.
impl fmt::Display for PacketFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.direction {
            Direction::Uplink => "up",
            Direction::Unspecified | Direction::Downlink => "down",
            Direction::Bidirectional => "both",
        })?;
        for component in &self.components {
            write!(f, " {component}")?;
        }
        write!(f, " precedence {}", self.precedence)
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv4Remote { address, mask } => v4(f, "remote", *address, *mask),
            Self::Ipv4Local { address, mask } => v4(f, "local", *address, *mask),
            Self::Ipv6Remote { address, mask } => v6(f, "remote", *address, *mask),
            Self::Ipv6RemotePrefix { address, length } => write!(f, "remote {address}/{length}"),
            Self::Ipv6LocalPrefix { address, length } => write!(f, "local {address}/{length}"),
            Self::Protocol(6) => f.write_str("tcp"),
            Self::Protocol(17) => f.write_str("udp"),
            Self::Protocol(protocol) => write!(f, "protocol {protocol}"),
            Self::LocalPort(port) => write!(f, "local-port {port}"),
            Self::LocalPortRange { low, high } => write!(f, "local-port {low}-{high}"),
            Self::RemotePort(port) => write!(f, "remote-port {port}"),
            Self::RemotePortRange { low, high } => write!(f, "remote-port {low}-{high}"),
            Self::SecurityParameterIndex(index) => write!(f, "spi {index:#x}"),
            Self::TypeOfService { value, mask } => write!(f, "tos {value:#04x}/{mask:#04x}"),
            Self::FlowLabel(label) => write!(f, "flow {label:#x}"),
        }
    }
}

fn v4(f: &mut fmt::Formatter<'_>, side: &str, address: Ipv4Addr, mask: Ipv4Addr) -> fmt::Result {
    let length = mask.to_bits().leading_ones();
    if mask.to_bits().count_ones() == length {
        write!(f, "{side} {address}/{length}")
    } else {
        write!(f, "{side} {address}/{mask}")
    }
}

fn v6(f: &mut fmt::Formatter<'_>, side: &str, address: Ipv6Addr, mask: Ipv6Addr) -> fmt::Result {
    let length = mask.to_bits().leading_ones();
    if mask.to_bits().count_ones() == length {
        write!(f, "{side} {address}/{length}")
    } else {
        write!(f, "{side} {address}/{mask}")
    }
}
