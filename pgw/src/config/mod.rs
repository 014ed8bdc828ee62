//! What a gateway is told before it starts, and the check of it.
//!
//! [`PgwConfig`] is what someone wrote, [`Network`] is what passed the check. Every other part of
//! the gateway is built from the second.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use heiiki_gtp::c;
use heiiki_types::{Ambr, Apn, Duration, Imsi, Prefix, Prefix64, Protections, Qci, Token};

use crate::egress::OpenLabEgress;

mod access;
mod bearer;
mod check;
mod declared;
mod groups;
mod mistake;
mod routes;

pub use access::{Authentication, Families, FramedRoute, User};
pub use bearer::{BearerRule, BearerWhen};
pub(crate) use bearer::{has_guaranteed_rate, numbered};
pub(crate) use check::Access;
pub use check::Network;
pub use declared::{CheckedPrefix, DeclaredPrefix, DeclaredPrefixes, PrefixRefusal};
pub(crate) use groups::Groups;
pub use mistake::{ConfigError, Mistake};

/// A tenant: the owner of one or more APNs, and one routing domain. The number is its place in
/// [`PgwConfig::tenants`].
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct TenantId(pub u16);

/// One user-plane worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerConfig {
    /// The worker's own GTP-U address, which goes into the F-TEIDs of its sessions. Workers may
    /// not share one.
    pub s5u_local: SocketAddr,
}

/// An access point; the number is its place in [`PgwConfig::apns`].
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct AccessId(pub u16);

/// A group of a tenant's SIMs, for its UE-to-UE policy. The number is a place in the tenant's list
/// of groups plus one; zero is the SIMs that are in none.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct GroupId(pub u16);

/// Whether UEs of one tenant reach each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UeToUe {
    /// They do not.
    #[default]
    Deny,
    /// They do, through the gateway.
    Allow,
}

/// A group of a tenant's SIMs, for its UE-to-UE policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupConfig {
    /// Its name.
    pub name: String,
    /// The SIMs, as ranges of which both ends belong to it. A SIM is in the first group that has it.
    pub imsis: Vec<(Imsi, Imsi)>,
    /// The groups whose SIMs its own reach, and are reached by; its own name for each other.
    pub reaches: Vec<String>,
}

/// What follows when a UE sends with sources that are not its own. Such packets are dropped anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoofPolicy {
    /// At how many of them in one session there is an alarm; never at 0.
    pub limit: u32,
    /// Whether the session ends at the alarm.
    pub ends_session: bool,
}

impl Default for SpoofPolicy {
    fn default() -> Self {
        Self {
            limit: 10,
            ends_session: false,
        }
    }
}

/// A service of a host in the corporate segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// The intranet on TCP port 80: a page at `/` and `/file?size=N`.
    Http,
    /// The name server on UDP port 53, for the segment's own names only.
    Dns,
    /// Echo on TCP and UDP port 7 (RFC 862).
    Echo,
    /// A sink on TCP and UDP port 9, a source on TCP and UDP port 19.
    Throughput,
    /// Sends RTP on UDP port 5004 back to its sender, in its traffic class.
    Voice,
    /// A controller on UDP port 502: once a device has been heard it is polled ten times a second.
    Plc,
}

/// A host of the simulated corporate segment. It always answers ICMP echo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostConfig {
    /// Its name below the tenant's domain, such as `intranet`.
    pub name: String,
    /// Its address, within the tenant's declared prefixes and outside its pools.
    pub address: IpAddr,
    /// What it serves.
    pub services: Vec<Service>,
}

/// One tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantConfig {
    /// Its name in events and reports.
    pub name: String,
    /// Where its packets may go.
    pub prefixes: Vec<DeclaredPrefix>,
    /// Whether it may declare ranges of 100.64.0.0/10.
    pub shared_address_space: bool,
    /// Whether its UEs reach each other.
    pub ue_to_ue: UeToUe,
    /// Groups of its SIMs. Between SIMs of which at least one is in a group, `ue_to_ue` does not
    /// count: they reach each other if one of the two groups names the other.
    pub groups: Vec<GroupConfig>,
    /// What all its UEs together may send and receive; no limit without it. Each worker keeps an
    /// equal share.
    pub bandwidth: Option<Ambr>,
    /// What follows when a UE sends with sources that are not its own.
    pub spoofing: SpoofPolicy,
    /// What its segment carries, octets; 1500 unless said.
    pub segment_mtu: u16,
    /// What its isolated UEs still reach, within the declared prefixes: nothing, when empty.
    pub quarantine_prefixes: Vec<Prefix>,
    /// The DNS domain of its segment, such as `corp.example`: its name servers answer for names in
    /// it and refuse all others. Empty when the hosts' names are complete.
    pub domain: String,
    /// The hosts of its simulated segment.
    pub hosts: Vec<HostConfig>,
}

/// A value of the Selection Mode IE, TS 29.274 §8.58.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SelectionMode(pub u8);

impl SelectionMode {
    /// The UE or the network named the APN and the subscription has it.
    pub const VERIFIED: Self = Self(0);
    /// The UE named the APN, the subscription was not asked.
    pub const UE_NOT_VERIFIED: Self = Self(1);
    /// The network named the APN, the subscription was not asked.
    pub const NETWORK_NOT_VERIFIED: Self = Self(2);
}

/// One access point of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApnConfig {
    /// The network identifier; requests are compared with it without their operator identifier
    /// and without case.
    pub apn: Apn,
    /// The [`TenantConfig::name`] of its owner.
    pub tenant: String,
    /// The addresses of its UEs. The first and the last are nobody's, the second is the
    /// gateway's.
    pub pool: Prefix,
    /// The IPv6 prefixes of its UEs, /42 to /63: each session gets one /64 of it. The first /64 is
    /// the gateway's. Without it the access point hands out IPv4 only.
    pub pool_v6: Option<Prefix>,
    /// Addresses that are never handed out of themselves, only to SIMs that ask for one of them: a
    /// part of the pool, or a range beside it. Without it a SIM may ask for any address of the
    /// pool.
    pub static_range: Option<Prefix>,
    /// Addresses that belong to a SIM whether or not it asks.
    pub reservations: BTreeMap<Imsi, Ipv4Addr>,
    /// Prefixes that belong to a SIM whether or not it asks.
    pub reservations_v6: BTreeMap<Imsi, Prefix64>,
    /// What is handed out; without it IPv4, and IPv6 where there is a pool of it.
    pub families: Option<Families>,
    /// Name servers that the UE is told.
    pub dns: Vec<Ipv4Addr>,
    /// Name servers of IPv6 that the UE is told, in Router Advertisements too.
    pub dns_v6: Vec<Ipv6Addr>,
    /// P-CSCFs that the UE is told, for voice over IP.
    pub p_cscf_v4: Vec<Ipv4Addr>,
    /// P-CSCFs of IPv6 that the UE is told.
    pub p_cscf_v6: Vec<Ipv6Addr>,
    /// How the name and the password that a UE sends are answered.
    pub authentication: Authentication,
    /// Networks behind the UEs.
    pub routes: Vec<FramedRoute>,
    /// The link MTU that the UE is told, octets.
    pub mtu: u16,
    /// APN Restriction, TS 29.274 §8.57; 4 is a corporate network that bears no second APN.
    pub apn_restriction: u8,
    /// The most that a session gets; the smaller of this and what was asked counts. `None` grants
    /// what was asked.
    pub ambr: Option<Ambr>,
    /// Dedicated bearers that its sessions get, or can be ordered for them.
    pub bearers: Vec<BearerRule>,
    /// Classes of the bearers that its UEs may ask for; empty refuses them all.
    pub ue_bearers: Vec<Qci>,
    /// The accepted selection modes. A closed APN accepts only [`SelectionMode::VERIFIED`].
    pub selection_modes: Vec<SelectionMode>,
    /// Set by a lab for its open APN, the positive control; nothing that reads a server's file can
    /// set it.
    pub open_lab: Option<OpenLabEgress>,
}

/// The tokens of the administrative interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// May do everything.
    pub admin: Token,
    /// May set and lift bars, isolate and release, delete sessions and read all of these: the token
    /// that the HSS holds.
    pub operate: Token,
    /// May set bars, isolate and list, and give back nothing: for whoever must be able to stop a
    /// SIM at any hour.
    pub cut_only: Token,
}

/// How much of each thing there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Width of the index part of a TEID, 20 to 22 bits; the rest is random.
    pub index_bits: u8,
    /// Sessions, those in quarantine included; at most 2 to the power of `index_bits`.
    pub sessions: u32,
    /// IMSIs with a bar, or with the mark that one was lifted; as many again with an isolation.
    pub bars: u32,
    /// Administrative calls and GTP-C requests that wait for a worker or for the disk.
    pub waiting: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            index_bits: 20,
            sessions: 1 << 20,
            bars: 1 << 20,
            waiting: 1 << 16,
        }
    }
}

/// Everything that a gateway is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PgwConfig {
    /// Its name in events and reports.
    pub name: String,
    /// Which boot of which machine its time stamps belong to: stamps compare only within one.
    pub boot_id: String,
    /// The GTP-C address, which goes into F-TEIDs.
    pub s5c_local: SocketAddr,
    /// The user-plane workers; at least one.
    pub workers: Vec<WorkerConfig>,
    /// The SGWs that may talk to the gateway, for control and user plane.
    pub sgws: Vec<Prefix>,
    /// GTP-C ports of SGWs that do not listen on 2123.
    pub gtpc_ports: BTreeMap<IpAddr, u16>,
    /// GTP-U ports of SGWs that do not listen on 2152.
    pub gtpu_ports: BTreeMap<IpAddr, u16>,
    /// Timers and bounds of GTP-C.
    pub gtpc: c::Config,
    /// The tenants.
    pub tenants: Vec<TenantConfig>,
    /// The access points.
    pub apns: Vec<ApnConfig>,
    /// Addresses of the core besides those above (MMEs, HSSs, eNBs, management): no UE reaches
    /// them and no tenant can declare them.
    pub infrastructure: Vec<Prefix>,
    /// How long a dynamic address or a TEID rests after its session; longer than N3 x T3.
    pub quarantine: Duration,
    /// How long a cut may take before its caller is told that a worker or the disk does not
    /// answer. The bar stays in force.
    pub cut_timeout: Duration,
    /// How much of each thing there may be.
    pub limits: Limits,
    /// The tokens of the administrative interface.
    pub tokens: Tokens,
    /// What is protected: everything, but in a lab that proves a check.
    pub protections: Protections,
}

impl PgwConfig {
    /// A gateway without tenants, with the defaults for everything that has one.
    pub fn new(
        name: &str,
        s5c_local: SocketAddr,
        s5u_local: &[SocketAddr],
        tokens: Tokens,
    ) -> Self {
        Self {
            name: String::from(name),
            boot_id: String::new(),
            s5c_local,
            workers: s5u_local
                .iter()
                .map(|&s5u_local| WorkerConfig { s5u_local })
                .collect(),
            sgws: Vec::new(),
            gtpc_ports: BTreeMap::new(),
            gtpu_ports: BTreeMap::new(),
            gtpc: c::Config::default(),
            tenants: Vec::new(),
            apns: Vec::new(),
            infrastructure: Vec::new(),
            quarantine: Duration::from_mins(1),
            cut_timeout: Duration::from_secs(5),
            limits: Limits::default(),
            tokens,
            protections: Protections::ALL,
        }
    }
}

impl TenantConfig {
    /// A tenant with one declared prefix and no hosts yet.
    pub fn new(name: &str, domain: &str, prefix: Prefix) -> Self {
        Self {
            prefixes: alloc::vec![prefix.into()],
            domain: String::from(domain),
            ..Self::named(name)
        }
    }

    /// A tenant with this name and nothing else, and so not a valid one yet.
    pub fn named(name: &str) -> Self {
        Self {
            name: String::from(name),
            prefixes: Vec::new(),
            shared_address_space: false,
            ue_to_ue: UeToUe::Deny,
            groups: Vec::new(),
            bandwidth: None,
            spoofing: SpoofPolicy::default(),
            segment_mtu: 1_500,
            quarantine_prefixes: Vec::new(),
            domain: String::new(),
            hosts: Vec::new(),
        }
    }
}

impl ApnConfig {
    /// An access point with the defaults of a closed one.
    pub fn new(apn: Apn, tenant: &str, pool: Prefix) -> Self {
        Self {
            apn,
            tenant: String::from(tenant),
            pool,
            pool_v6: None,
            static_range: None,
            reservations: BTreeMap::new(),
            reservations_v6: BTreeMap::new(),
            families: None,
            dns: Vec::new(),
            dns_v6: Vec::new(),
            p_cscf_v4: Vec::new(),
            p_cscf_v6: Vec::new(),
            authentication: Authentication::None,
            routes: Vec::new(),
            mtu: 1400,
            apn_restriction: 4,
            ambr: None,
            bearers: Vec::new(),
            ue_bearers: Vec::new(),
            selection_modes: alloc::vec![SelectionMode::VERIFIED],
            open_lab: None,
        }
    }
}
