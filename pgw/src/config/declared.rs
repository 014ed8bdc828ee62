use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use alloc::vec::Vec;
use heiiki_types::Prefix;

/// A prefix that a tenant says is its own, before anyone checked it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeclaredPrefix {
    /// The range.
    pub prefix: Prefix,
    /// The company owns this public range and uses it inside. Every report prints such ranges
    /// first.
    pub owned_global: bool,
}

impl From<Prefix> for DeclaredPrefix {
    fn from(prefix: Prefix) -> Self {
        Self {
            prefix,
            owned_global: false,
        }
    }
}

/// Why a prefix cannot be a tenant's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixRefusal {
    /// It has loopback addresses.
    Loopback,
    /// It has link-local addresses.
    LinkLocal,
    /// It has multicast addresses.
    Multicast,
    /// It has addresses that are nobody's: 0.0.0.0/8, 240.0.0.0/4, `::`, or IPv6 forms that carry
    /// an IPv4 address.
    Reserved,
    /// It has addresses of the core, which are in this prefix.
    Core(Prefix),
    /// It is in 100.64.0.0/10 and the tenant did not opt in to that range.
    SharedAddressSpace,
    /// It is not private, and not marked as owned by the company.
    NotPrivate,
}

impl fmt::Display for PrefixRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback => f.write_str("it has loopback addresses"),
            Self::LinkLocal => f.write_str("it has link-local addresses"),
            Self::Multicast => f.write_str("it has multicast addresses"),
            Self::Reserved => f.write_str("it has reserved addresses"),
            Self::Core(own) => write!(f, "it has addresses of the core, {own}"),
            Self::SharedAddressSpace => f.write_str(
                "100.64.0.0/10 is shared address space; opt in with shared_address_space = true",
            ),
            Self::NotPrivate => f.write_str(
                "it is not private (RFC 1918 or fc00::/7); a range that the company owns and uses \
                 inside needs owned_global = true",
            ),
        }
    }
}

impl core::error::Error for PrefixRefusal {}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> (IpAddr, u8) {
    (IpAddr::V4(Ipv4Addr::new(a, b, c, d)), length)
}

const fn v6(first: u16, second: u16, length: u8) -> (IpAddr, u8) {
    let address = Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0);
    (IpAddr::V6(address), length)
}

const PRIVATE: [(IpAddr, u8); 4] = [
    v4(10, 0, 0, 0, 8),
    v4(172, 16, 0, 0, 12),
    v4(192, 168, 0, 0, 16),
    v6(0xfc00, 0, 7),
];

const SHARED: (IpAddr, u8) = v4(100, 64, 0, 0, 10);

/// What no tenant can have, whatever it says. The whole of IPv4 or IPv6 overlaps with these, so a
/// default route cannot be declared either.
const NEVER: [((IpAddr, u8), PrefixRefusal); 11] = [
    (v4(127, 0, 0, 0, 8), PrefixRefusal::Loopback),
    (
        (IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
        PrefixRefusal::Loopback,
    ),
    (v4(169, 254, 0, 0, 16), PrefixRefusal::LinkLocal),
    (v6(0xfe80, 0, 10), PrefixRefusal::LinkLocal),
    (v4(224, 0, 0, 0, 4), PrefixRefusal::Multicast),
    (v6(0xff00, 0, 8), PrefixRefusal::Multicast),
    (v4(0, 0, 0, 0, 8), PrefixRefusal::Reserved),
    (v4(240, 0, 0, 0, 4), PrefixRefusal::Reserved),
    // Unspecified, IPv4-compatible and IPv4-mapped.
    (v6(0, 0, 8), PrefixRefusal::Reserved),
    // NAT64 and 6to4 would carry packets to IPv4 addresses outside.
    (v6(0x64, 0xff9b, 32), PrefixRefusal::Reserved),
    (v6(0x2002, 0, 16), PrefixRefusal::Reserved),
];

fn overlaps(prefix: Prefix, (address, length): (IpAddr, u8)) -> bool {
    Prefix::new(address, length).is_ok_and(|other| prefix.overlaps(other))
}

fn within(prefix: Prefix, (address, length): (IpAddr, u8)) -> bool {
    Prefix::new(address, length).is_ok_and(|other| other.covers(prefix))
}

/// A prefix that passed the check, and the only thing that a closed egress is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckedPrefix {
    prefix: Prefix,
    owned_global: bool,
}

impl CheckedPrefix {
    /// Checks that a range can be a tenant's: private, or `owned_global`, and never loopback,
    /// link-local, multicast, reserved or one of the `core`'s own.
    pub fn check(
        declared: DeclaredPrefix,
        shared_address_space: bool,
        core: &[Prefix],
    ) -> Result<Self, PrefixRefusal> {
        let DeclaredPrefix {
            prefix,
            owned_global,
        } = declared;
        for (range, refusal) in NEVER {
            if overlaps(prefix, range) {
                return Err(refusal);
            }
        }
        if let Some(own) = core.iter().find(|own| own.overlaps(prefix)) {
            return Err(PrefixRefusal::Core(*own));
        }
        let private = PRIVATE.iter().any(|range| within(prefix, *range));
        if private || owned_global || (shared_address_space && within(prefix, SHARED)) {
            Ok(Self {
                prefix,
                owned_global: owned_global && !private,
            })
        } else if within(prefix, SHARED) {
            Err(PrefixRefusal::SharedAddressSpace)
        } else {
            Err(PrefixRefusal::NotPrivate)
        }
    }

    /// The range.
    pub const fn prefix(self) -> Prefix {
        self.prefix
    }

    /// Whether the range is public and only the tenant's word makes it its own.
    pub const fn is_owned_global(self) -> bool {
        self.owned_global
    }
}

/// The checked prefixes of one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeclaredPrefixes(Vec<CheckedPrefix>);

impl DeclaredPrefixes {
    /// Collects prefixes that were checked one by one.
    pub const fn new(prefixes: Vec<CheckedPrefix>) -> Self {
        Self(prefixes)
    }

    /// The prefixes in the order of their declaration.
    pub fn iter(&self) -> impl Iterator<Item = CheckedPrefix> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, owned_global: bool, shared: bool) -> Result<(), PrefixRefusal> {
        let core = ["10.255.0.0/24".parse().unwrap()];
        let declared = DeclaredPrefix {
            prefix: text.parse().unwrap(),
            owned_global,
        };
        CheckedPrefix::check(declared, shared, &core).map(|_| ())
    }

    #[test]
    fn private_ranges_pass() {
        for text in [
            "10.20.0.0/16",
            "172.16.0.0/12",
            "192.168.7.0/24",
            "fd12:3456::/32",
            "10.0.0.1/32",
        ] {
            assert_eq!(check(text, false, false), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_is_not_private_needs_the_word_of_its_owner() {
        for text in [
            "203.0.113.0/24",
            "172.0.0.0/8",
            "2001:db8::/32",
            "11.0.0.0/8",
        ] {
            let refused = check(text, false, true);
            assert_eq!(refused, Err(PrefixRefusal::NotPrivate), "{text}");
            assert_eq!(check(text, true, false), Ok(()), "{text}");
        }
    }

    #[test]
    fn shared_address_space_is_opt_in() {
        let refused = check("100.64.0.0/16", false, false);
        assert_eq!(refused, Err(PrefixRefusal::SharedAddressSpace));
        assert_eq!(check("100.64.0.0/16", false, true), Ok(()));
        let wider = check("100.0.0.0/8", false, true);
        assert_eq!(wider, Err(PrefixRefusal::NotPrivate));
    }

    #[test]
    fn some_ranges_are_never_a_tenants() {
        for (text, why) in [
            ("127.0.0.0/8", PrefixRefusal::Loopback),
            ("127.1.2.3/32", PrefixRefusal::Loopback),
            ("::1/128", PrefixRefusal::Loopback),
            ("169.254.0.0/16", PrefixRefusal::LinkLocal),
            ("fe80::/64", PrefixRefusal::LinkLocal),
            ("239.0.0.0/8", PrefixRefusal::Multicast),
            ("ff02::/16", PrefixRefusal::Multicast),
            ("240.0.0.0/8", PrefixRefusal::Reserved),
            ("255.255.255.255/32", PrefixRefusal::Reserved),
            ("::ffff:0:0/96", PrefixRefusal::Reserved),
            ("2002:a00::/24", PrefixRefusal::Reserved),
            ("0.0.0.0/0", PrefixRefusal::Loopback),
            ("::/0", PrefixRefusal::Loopback),
        ] {
            assert_eq!(check(text, true, true), Err(why), "{text}");
        }
    }

    #[test]
    fn the_core_keeps_its_own() {
        let own = "10.255.0.0/24".parse().unwrap();
        for text in ["10.255.0.0/24", "10.0.0.0/8", "10.255.0.7/32"] {
            assert_eq!(check(text, true, true), Err(PrefixRefusal::Core(own)));
        }
    }
}
