use alloc::string::String;
use core::fmt;

use heiiki_types::Prefix;

use super::PrefixRefusal;

/// Something in a [`PgwConfig`](super::PgwConfig) cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where, as in the configuration: `tenants[1].prefixes[0]`.
    pub path: String,
    /// What.
    pub mistake: Mistake,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.mistake)
    }
}

impl core::error::Error for ConfigError {}

/// What is wrong with a part of a [`PgwConfig`](super::PgwConfig).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// A prefix cannot be a tenant's or a pool.
    Prefix(Prefix, PrefixRefusal),
    /// The name or address is taken by an earlier entry.
    Duplicate,
    /// No tenant has this name.
    UnknownTenant,
    /// A gateway needs at least one worker, and at most 64.
    Workers,
    /// A closed tenant without a declared prefix reaches nothing.
    NoPrefix,
    /// A pool is of IPv4 and from /10 to /29.
    PoolSize,
    /// A pool of IPv6 prefixes is of IPv6 and from /42 to /63.
    PoolSizeV6,
    /// The pool has addresses of another pool of the same tenant.
    PoolOverlap,
    /// The address or range is not in the pool, or is one that nobody gets; a static range is inside
    /// the pool or wholly beside it.
    NotInPool,
    /// The host is not in the tenant's declared prefixes, or is in one of its pools.
    HostAddress,
    /// A limit is outside its range.
    Limit,
    /// A name is empty or too long, or is not made of DNS labels.
    Name,
    /// A quarantine prefix is not within the declared prefixes of its tenant.
    Quarantine,
    /// A group names one that its tenant does not have.
    UnknownGroup,
    /// A tenant has at most 64 groups, and a range of IMSIs begins before it ends.
    Group,
    /// A segment carries 1280 to 9000 octets.
    SegmentMtu,
    /// Two tokens are equal, or one is empty.
    Tokens,
    /// An IPv4 link has an MTU of 576 to 9000.
    Mtu,
    /// An access point that hands out IPv6 needs a pool of it.
    NoPoolV6,
    /// A list of users is empty, or has a name twice, or one without a password.
    Users,
    /// A network behind a UE is not within the declared prefixes of its tenant.
    RouteOutside,
    /// A network behind a UE overlaps a pool, a host, another such network or the core.
    RouteOverlap,
    /// A SIM has too many networks behind its UE.
    Routes,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix, refusal) => write!(f, "{prefix} is refused: {refusal}"),
            Self::Duplicate => f.write_str("an earlier entry has the same name or address"),
            Self::UnknownTenant => f.write_str("no tenant has this name"),
            Self::Workers => f.write_str("a gateway has 1 to 64 workers"),
            Self::NoPrefix => f.write_str("a tenant declares at least one prefix"),
            Self::PoolSize => f.write_str("a pool is an IPv4 prefix from /10 to /29"),
            Self::PoolSizeV6 => f.write_str("a pool of IPv6 is an IPv6 prefix from /42 to /63"),
            Self::PoolOverlap => f.write_str("the pool overlaps another pool of its tenant"),
            Self::NotInPool => f.write_str("it is not among the pool's usable addresses"),
            Self::HostAddress => f.write_str(
                "a host is in the declared prefixes of its tenant and outside its pools",
            ),
            Self::Limit => f.write_str(
                "index_bits is 20 to 22 and sessions is 1 to 2 to the power of index_bits",
            ),
            Self::Name => f.write_str("a name is made of DNS labels, at most 63 octets each"),
            Self::Tokens => f.write_str("the tokens are three different texts, none empty"),
            Self::Quarantine => f.write_str("it is not within the declared prefixes of its tenant"),
            Self::UnknownGroup => f.write_str("the tenant has no group of this name"),
            Self::Group => {
                f.write_str("a tenant has at most 64 groups, and a range of IMSIs is FIRST-LAST")
            }
            Self::SegmentMtu => f.write_str("a segment carries 1280 to 9000 octets"),
            Self::Mtu => f.write_str("an MTU is 576 to 9000 octets"),
            Self::NoPoolV6 => f.write_str("to hand out IPv6 it needs a pool of IPv6"),
            Self::Users => f.write_str("users have different names, and all of them a password"),
            Self::RouteOutside => {
                f.write_str("it is not within the declared prefixes of its tenant")
            }
            Self::RouteOverlap => {
                f.write_str("it overlaps a pool, a host, another route of its tenant or the core")
            }
            Self::Routes => f.write_str("one SIM has at most 16 routes at an access point"),
        }
    }
}

impl core::error::Error for Mistake {}
