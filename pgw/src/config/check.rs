use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use heiiki_types::{Ambr, Apn, Imsi, Prefix, Prefix64, Protections, UeAddresses};

use super::groups::Groups;
use super::mistake::{ConfigError, Mistake};
use super::{
    AccessId, ApnConfig, Authentication, CheckedPrefix, DeclaredPrefix, DeclaredPrefixes, Families,
    PgwConfig, SpoofPolicy, TenantConfig, TenantId, Tokens, User,
};
use crate::address_set::AddressSet;
use crate::egress::ClosedEgress;

/// A tenant as the gateway works with it.
#[derive(Clone, Debug)]
pub(crate) struct Tenant {
    pub(crate) name: String,
    pub(crate) declared: DeclaredPrefixes,
    pub(crate) egress: ClosedEgress,
    pub(crate) ue_to_ue: bool,
    pub(crate) groups: Groups,
    pub(crate) bandwidth: Option<Ambr>,
    pub(crate) spoofing: SpoofPolicy,
    pub(crate) segment_mtu: u16,
    /// What its UEs in isolation still reach.
    pub(crate) quarantine: AddressSet,
    /// The core's own addresses in this tenant's routing domain.
    pub(crate) infrastructure: AddressSet,
    /// Prefixes and pools of the other tenants.
    pub(crate) others: AddressSet,
}

/// An access point as the gateway works with it.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) config: ApnConfig,
    pub(crate) tenant: TenantId,
    pub(crate) first: u32,
    pub(crate) last: u32,
    /// First and last address of the static range.
    pub(crate) static_range: Option<(u32, u32)>,
    /// First and last /64 of the IPv6 pool, as their leading 64 bits.
    pub(crate) pool_v6: Option<(u64, u64)>,
    /// The networks behind UEs, by their SIMs.
    pub(crate) routes: BTreeMap<Imsi, Vec<Prefix>>,
}

impl Access {
    /// The gateway's own address towards the UEs: the second of the pool.
    pub(crate) const fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.first + 1)
    }

    /// The gateway's own IPv6 address towards the UEs: in the first /64 of the pool, which nobody
    /// else gets.
    pub(crate) fn gateway_v6(&self) -> Option<Ipv6Addr> {
        self.pool_v6
            .map(|(first, _)| Prefix64::from_bits(first).address(1))
    }

    /// Whether a UE can get this prefix.
    pub(crate) fn has_prefix(&self, prefix: Prefix64) -> bool {
        self.pool_v6
            .is_some_and(|(first, last)| first < prefix.to_bits() && prefix.to_bits() <= last)
    }

    /// Which addresses are handed out.
    pub(crate) fn families(&self) -> Families {
        match (self.config.families, self.pool_v6) {
            (None, Some(_)) => Families::Both,
            (Some(families), Some(_)) => families,
            (_, None) => Families::V4,
        }
    }

    /// Whether an address, or the prefix that it begins, can be one SIM's.
    pub(crate) fn may_reserve(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.is_static(address),
            IpAddr::V6(address) => self.has_prefix(Prefix64::of(address)),
        }
    }

    /// Whether a session can have these addresses.
    pub(crate) fn has(&self, addresses: UeAddresses) -> bool {
        let v4 = |a| self.is_dynamic(a) || self.is_static(a);
        addresses.v4().is_none_or(v4) && addresses.v6().is_none_or(|v6| self.has_prefix(v6.prefix))
    }

    /// Whether a UE can get this address without asking.
    pub(crate) const fn is_dynamic(&self, address: Ipv4Addr) -> bool {
        address.to_bits() > self.first + 1
            && address.to_bits() < self.last
            && !self.is_in_static_range(address)
    }

    const fn is_in_static_range(&self, address: Ipv4Addr) -> bool {
        match self.static_range {
            Some((first, last)) => first <= address.to_bits() && address.to_bits() <= last,
            None => false,
        }
    }

    /// Whether a UE can have this address if it asks.
    pub(crate) fn is_static(&self, address: Ipv4Addr) -> bool {
        match self.static_range {
            Some(_) => self.is_in_static_range(address) && address != self.gateway(),
            None => self.is_dynamic(address),
        }
    }

    /// The ranges that UEs' addresses are of: the pool, and the static range if it lies beside.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (u32, u32)> {
        let beside = |r: &(u32, u32)| r.0 > self.last || r.1 < self.first;
        [(self.first, self.last)]
            .into_iter()
            .chain(self.static_range.filter(beside))
    }

    pub(super) fn prefixes(&self) -> impl Iterator<Item = Prefix> {
        [self.config.pool]
            .into_iter()
            .chain(self.config.static_range)
            .chain(self.config.pool_v6)
    }
}

/// A configuration that passed every check.
#[derive(Clone, Debug)]
pub struct Network {
    pub(crate) tenants: Vec<Tenant>,
    pub(crate) accesses: Vec<Access>,
    pub(crate) sgws: AddressSet,
    pub(crate) gtpu_ports: BTreeMap<IpAddr, u16>,
    pub(crate) protections: Protections,
    pub(crate) workers: u32,
    pub(crate) index_bits: u8,
}

pub(super) struct Check<'a> {
    pub(super) config: &'a PgwConfig,
    errors: Vec<ConfigError>,
    pub(super) core: Vec<Prefix>,
}

impl Network {
    /// Checks a configuration and lists all its mistakes at once.
    pub fn check(config: &PgwConfig) -> Result<Self, Vec<ConfigError>> {
        let own = config.workers.iter().map(|w| w.s5u_local.ip());
        let own = own.chain([config.s5c_local.ip()]).map(Prefix::host);
        let mut core: Vec<Prefix> = config.infrastructure.iter().copied().chain(own).collect();
        core.extend(&config.sgws);
        let mut check = Check {
            config,
            errors: Vec::new(),
            core,
        };
        check.gateway();
        let accesses = check.accesses();
        let mut tenants = check.tenants(&accesses);
        check.hosts(&tenants, &accesses);
        check.routes(&tenants, &accesses);
        if !check.errors.is_empty() {
            return Err(check.errors);
        }
        join(&mut tenants, &accesses);
        Ok(Self {
            tenants,
            accesses,
            sgws: config.sgws.iter().copied().collect(),
            gtpu_ports: config.gtpu_ports.clone(),
            protections: config.protections,
            workers: u32::try_from(config.workers.len()).unwrap_or(1),
            index_bits: config.limits.index_bits,
        })
    }

    /// The tenant of this name.
    pub fn tenant_id(&self, name: &str) -> Option<TenantId> {
        let place = self.tenants.iter().position(|t| t.name == name)?;
        u16::try_from(place).ok().map(TenantId)
    }

    pub(crate) fn tenant(&self, id: TenantId) -> Option<&Tenant> {
        self.tenants.get(usize::from(id.0))
    }

    /// The access point that a request for `apn` means: network identifiers are compared.
    pub(crate) fn access_of(&self, apn: &Apn) -> Option<(AccessId, &Access)> {
        let wanted = apn.network_identifier();
        let same = |a: &Access| a.config.apn.network_identifier() == wanted;
        let place = self.accesses.iter().position(same)?;
        let access = self.accesses.get(place)?;
        u16::try_from(place).ok().map(|id| (AccessId(id), access))
    }

    pub(crate) fn access(&self, id: AccessId) -> Option<&Access> {
        self.accesses.get(usize::from(id.0))
    }
}

/// Tells every tenant what is the others' and what is the core's.
fn join(tenants: &mut [Tenant], accesses: &[Access]) {
    let own: Vec<AddressSet> = (0..)
        .zip(tenants.iter())
        .map(|(id, tenant)| {
            let pools = accesses.iter().filter(|a| a.tenant == TenantId(id));
            let declared = tenant.declared.iter().map(CheckedPrefix::prefix);
            declared.chain(pools.flat_map(Access::prefixes)).collect()
        })
        .collect();
    for (i, tenant) in tenants.iter_mut().enumerate() {
        let others = own.iter().enumerate().filter(|(j, _)| *j != i);
        let others = others.fold(AddressSet::new(), |sum, (_, set)| sum.plus(set));
        if let Some(own) = own.get(i) {
            tenant.others = others.minus(own);
        }
    }
}

fn are_users(users: &[User]) -> bool {
    let mut names = BTreeSet::new();
    let good = |u: &User| !u.name.is_empty() && !u.password.expose().is_empty();
    !users.is_empty() && users.iter().all(|u| good(u) && names.insert(&u.name))
}

fn is_label(label: &str) -> bool {
    let inner = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
    (1..=63).contains(&label.len()) && label.bytes().all(inner)
}

impl Check<'_> {
    pub(super) fn wrong(&mut self, path: String, mistake: Mistake) {
        self.errors.push(ConfigError { path, mistake });
    }

    fn gateway(&mut self) {
        let config = self.config;
        if !(1..=64).contains(&config.workers.len()) {
            self.wrong("workers".into(), Mistake::Workers);
        }
        let mut seen = BTreeSet::new();
        for (i, worker) in config.workers.iter().enumerate() {
            if !seen.insert(worker.s5u_local) {
                self.wrong(format!("workers[{i}].s5u_local"), Mistake::Duplicate);
            }
        }
        let limits = config.limits;
        if !(20..=22).contains(&limits.index_bits) {
            self.wrong("limits.index_bits".into(), Mistake::Limit);
        } else if !(1..=1 << limits.index_bits).contains(&limits.sessions) {
            self.wrong("limits.sessions".into(), Mistake::Limit);
        }
        let Tokens {
            admin,
            operate,
            cut_only,
        } = &config.tokens;
        let empty = [admin, operate, cut_only].map(|t| t.expose().is_empty());
        if admin == cut_only || admin == operate || operate == cut_only || empty.contains(&true) {
            self.wrong("tokens".into(), Mistake::Tokens);
        }
    }

    fn prefix(
        &mut self,
        path: String,
        tenant: &TenantConfig,
        declared: DeclaredPrefix,
    ) -> Option<CheckedPrefix> {
        let checked = CheckedPrefix::check(declared, tenant.shared_address_space, &self.core);
        checked
            .map_err(|refusal| self.wrong(path, Mistake::Prefix(declared.prefix, refusal)))
            .ok()
    }

    fn tenants(&mut self, accesses: &[Access]) -> Vec<Tenant> {
        let config = self.config;
        let mut names = BTreeSet::new();
        let mut out = Vec::new();
        for (id, (i, tenant)) in (0..).zip(config.tenants.iter().enumerate()) {
            if !names.insert(&tenant.name) {
                self.wrong(format!("tenants[{i}].name"), Mistake::Duplicate);
            }
            if tenant.name.is_empty() {
                self.wrong(format!("tenants[{i}].name"), Mistake::Name);
            }
            if tenant.prefixes.is_empty() {
                self.wrong(format!("tenants[{i}].prefixes"), Mistake::NoPrefix);
            }
            if !tenant.domain.is_empty() && !tenant.domain.split('.').all(is_label) {
                self.wrong(format!("tenants[{i}].domain"), Mistake::Name);
            }
            if !(1_280..=9_000).contains(&tenant.segment_mtu) {
                self.wrong(format!("tenants[{i}].segment_mtu"), Mistake::SegmentMtu);
            }
            let mut checked = Vec::new();
            for (j, declared) in tenant.prefixes.iter().enumerate() {
                let path = format!("tenants[{i}].prefixes[{j}]");
                checked.extend(self.prefix(path, tenant, *declared));
            }
            for (j, prefix) in tenant.quarantine_prefixes.iter().enumerate() {
                if !tenant.prefixes.iter().any(|p| p.prefix.covers(*prefix)) {
                    let path = format!("tenants[{i}].quarantine_prefixes[{j}]");
                    self.wrong(path, Mistake::Quarantine);
                }
            }
            let declared = DeclaredPrefixes::new(checked);
            let mut infrastructure: AddressSet = self.core.iter().copied().collect();
            for access in accesses.iter().filter(|a| a.tenant == TenantId(id)) {
                infrastructure.insert(Prefix::host(access.gateway().into()));
                if let Some(own) = access.gateway_v6() {
                    infrastructure.insert(Prefix::host(own.into()));
                }
            }
            out.push(Tenant {
                name: tenant.name.clone(),
                egress: ClosedEgress::new(&declared),
                declared,
                ue_to_ue: tenant.ue_to_ue == super::UeToUe::Allow,
                groups: self.groups(i, tenant),
                bandwidth: tenant.bandwidth,
                spoofing: tenant.spoofing,
                segment_mtu: tenant.segment_mtu,
                quarantine: tenant.quarantine_prefixes.iter().copied().collect(),
                infrastructure,
                others: AddressSet::new(),
            });
        }
        out
    }

    fn groups(&mut self, i: usize, tenant: &TenantConfig) -> Groups {
        let (groups, mistakes) = Groups::check(&tenant.groups);
        for (path, mistake) in mistakes {
            self.wrong(format!("tenants[{i}].{path}"), mistake);
        }
        groups
    }

    fn accesses(&mut self) -> Vec<Access> {
        let config = self.config;
        let mut out: Vec<Access> = Vec::new();
        for (i, apn) in config.apns.iter().enumerate() {
            let name = apn.apn.network_identifier();
            if out
                .iter()
                .any(|a| a.config.apn.network_identifier() == name)
            {
                self.wrong(format!("apns[{i}].apn"), Mistake::Duplicate);
            }
            if !(576..=9000).contains(&apn.mtu) {
                self.wrong(format!("apns[{i}].mtu"), Mistake::Mtu);
            }
            let owner = config.tenants.iter().position(|t| t.name == apn.tenant);
            let Some((owner, tenant)) = owner.and_then(|p| config.tenants.get(p).map(|t| (p, t)))
            else {
                self.wrong(format!("apns[{i}].tenant"), Mistake::UnknownTenant);
                continue;
            };
            let owner = TenantId(u16::try_from(owner).unwrap_or(u16::MAX));
            if let Some(access) = self.access(i, apn, owner, tenant) {
                let overlaps = |a: &Access| {
                    a.prefixes()
                        .any(|p| access.prefixes().any(|q| p.overlaps(q)))
                };
                if out.iter().any(|a| a.tenant == owner && overlaps(a)) {
                    self.wrong(format!("apns[{i}].pool"), Mistake::PoolOverlap);
                }
                out.push(access);
            }
        }
        out
    }

    fn access(
        &mut self,
        i: usize,
        apn: &ApnConfig,
        owner: TenantId,
        tenant: &TenantConfig,
    ) -> Option<Access> {
        let (IpAddr::V4(first), IpAddr::V4(last)) = (apn.pool.first(), apn.pool.last()) else {
            self.wrong(format!("apns[{i}].pool"), Mistake::PoolSize);
            return None;
        };
        if !(10..=29).contains(&apn.pool.length()) {
            self.wrong(format!("apns[{i}].pool"), Mistake::PoolSize);
            return None;
        }
        self.pool(format!("apns[{i}].pool"), tenant, apn.pool)?;
        let static_range = match apn.static_range.map(|r| (r, r.first(), r.last())) {
            Some((range, IpAddr::V4(first), IpAddr::V4(last))) => {
                let path = format!("apns[{i}].static_range");
                if range.length() < 10 || (range.overlaps(apn.pool) && !apn.pool.covers(range)) {
                    self.wrong(path, Mistake::NotInPool);
                    return None;
                }
                self.pool(path, tenant, range)?;
                Some((first.to_bits(), last.to_bits()))
            }
            Some(_) => {
                self.wrong(format!("apns[{i}].static_range"), Mistake::PoolSize);
                return None;
            }
            None => None,
        };
        let pool_v6 = match apn.pool_v6 {
            Some(pool) => Some(self.pool_v6(format!("apns[{i}].pool_v6"), tenant, pool)?),
            None => None,
        };
        if pool_v6.is_none() && matches!(apn.families, Some(Families::V6 | Families::Both)) {
            self.wrong(format!("apns[{i}].families"), Mistake::NoPoolV6);
        }
        if let Authentication::Users(users) = &apn.authentication
            && !are_users(users)
        {
            self.wrong(format!("apns[{i}].authentication"), Mistake::Users);
        }
        let mut routes: BTreeMap<Imsi, Vec<Prefix>> = BTreeMap::new();
        for route in &apn.routes {
            routes.entry(route.imsi).or_default().push(route.prefix);
        }
        let access = Access {
            pool_v6,
            routes,
            config: apn.clone(),
            tenant: owner,
            first: first.to_bits(),
            last: last.to_bits(),
            static_range,
        };
        self.reservations(i, &access);
        Some(access)
    }

    fn pool_v6(&mut self, path: String, tenant: &TenantConfig, pool: Prefix) -> Option<(u64, u64)> {
        let (IpAddr::V6(first), IpAddr::V6(last), 42..=63) =
            (pool.first(), pool.last(), pool.length())
        else {
            self.wrong(path, Mistake::PoolSizeV6);
            return None;
        };
        self.pool(path, tenant, pool)?;
        Some((Prefix64::of(first).to_bits(), Prefix64::of(last).to_bits()))
    }

    /// UEs of a company that uses its public range inside may have addresses of it too.
    fn pool(&mut self, path: String, tenant: &TenantConfig, pool: Prefix) -> Option<CheckedPrefix> {
        let covers = |d: &DeclaredPrefix| d.owned_global && d.prefix.covers(pool);
        let owned = DeclaredPrefix {
            prefix: pool,
            owned_global: tenant.prefixes.iter().any(covers),
        };
        self.prefix(path, tenant, owned)
    }

    fn reservations(&mut self, i: usize, access: &Access) {
        let mut seen = BTreeSet::new();
        let reservations: Vec<(&Imsi, &Ipv4Addr)> = access.config.reservations.iter().collect();
        for (imsi, address) in reservations {
            let path = format!("apns[{i}].reservations[{imsi}]");
            if !access.is_static(*address) && !access.is_dynamic(*address) {
                self.wrong(path, Mistake::NotInPool);
            } else if !seen.insert(*address) {
                self.wrong(path, Mistake::Duplicate);
            }
        }
        let mut seen = BTreeSet::new();
        for (imsi, prefix) in &access.config.reservations_v6 {
            let path = format!("apns[{i}].reservations_v6[{imsi}]");
            if !access.has_prefix(*prefix) {
                self.wrong(path, Mistake::NotInPool);
            } else if !seen.insert(*prefix) {
                self.wrong(path, Mistake::Duplicate);
            }
        }
    }

    fn hosts(&mut self, tenants: &[Tenant], accesses: &[Access]) {
        let config = self.config;
        for (i, (tenant, checked)) in config.tenants.iter().zip(tenants).enumerate() {
            let mut seen = BTreeSet::new();
            let mut names = BTreeSet::new();
            for (j, host) in tenant.hosts.iter().enumerate() {
                let address = host.address;
                let id = usize::from;
                let in_pool = accesses
                    .iter()
                    .filter(|a| id(a.tenant.0) == i)
                    .any(|a| a.prefixes().any(|p| p.contains(address)));
                if in_pool || !checked.egress.permits(address) {
                    self.wrong(
                        format!("tenants[{i}].hosts[{j}].address"),
                        Mistake::HostAddress,
                    );
                } else if !seen.insert(address) {
                    self.wrong(
                        format!("tenants[{i}].hosts[{j}].address"),
                        Mistake::Duplicate,
                    );
                }
                if !host.name.split('.').all(is_label) {
                    self.wrong(format!("tenants[{i}].hosts[{j}].name"), Mistake::Name);
                } else if !names.insert(&host.name) {
                    self.wrong(format!("tenants[{i}].hosts[{j}].name"), Mistake::Duplicate);
                }
            }
        }
    }
}
