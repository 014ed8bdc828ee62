use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use heiiki_types::{Prefix, Prefix64, Protections, Teid, UeAddresses};

use super::entry::Entry;
use super::link::Link;
use super::packet::is_group;
use super::update::{Reach, Slot};
use crate::address_set::AddressSet;
use crate::config::{Access, AccessId, GroupId, Groups, Network, SpoofPolicy, TenantId};
use crate::egress::{ClosedEgress, OpenLabEgress};
use crate::refusal::Refusal;

/// A place in a worker's table of sessions.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "the table is dense, and a box would cost every packet one more look"
)]
pub(super) enum Place {
    /// Nobody's.
    Free,
    /// A session's.
    Live(Entry),
    /// That of a session which the gateway has ended, until the next one has it. Its SGW is told by
    /// a Delete Bearer Request; an Error Indication would only make it guess before.
    Silent(Teid),
}

/// The addresses of one pool, or its /64s: for each, the session that has it. Dense from the first
/// of the pool, and grown as far as sessions have had addresses.
#[derive(Debug)]
pub(super) struct PoolTable {
    is_v4: bool,
    /// The number of an IPv4 address is its value; of an IPv6 address, that of its first 64 bits.
    first: u64,
    last: u64,
    /// The gateway's own address.
    pub(super) gateway: IpAddr,
    /// A slot plus one; zero is nobody.
    slots: Vec<u32>,
}

impl PoolTable {
    fn place(&self, address: IpAddr) -> Option<usize> {
        let bits = match address {
            IpAddr::V4(a) => u64::from(a.to_bits()),
            IpAddr::V6(a) => Prefix64::of(a).to_bits(),
        };
        if address.is_ipv4() != self.is_v4 || bits > self.last {
            return None;
        }
        usize::try_from(bits.checked_sub(self.first)?).ok()
    }

    /// The first and the last address.
    fn ends(&self) -> (IpAddr, IpAddr) {
        let v4 = |bits| Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(u32::MAX));
        if self.is_v4 {
            (v4(self.first).into(), v4(self.last).into())
        } else {
            let [first, last] = [self.first, self.last].map(Prefix64::from_bits);
            (first.address(0).into(), last.address(u64::MAX).into())
        }
    }

    fn slot(&self, place: usize) -> Option<Slot> {
        let slot = self.slots.get(place).copied().unwrap_or(0);
        slot.checked_sub(1).map(Slot)
    }
}

/// Whose an address is that only UEs have; nobody's, while no session has it.
struct Holder(Option<Slot>);

/// The forwarding tables of one tenant.
#[derive(Debug)]
pub(super) struct TenantTable {
    pub(super) pools: Vec<PoolTable>,
    pub(super) egress: ClosedEgress,
    infrastructure: AddressSet,
    others: AddressSet,
    /// What UEs in isolation still exchange packets with.
    quarantine: AddressSet,
    /// Networks behind UEs, in the order of their addresses; no two have one in common.
    framed: Vec<(IpAddr, IpAddr, Slot)>,
    ue_to_ue: bool,
    groups: Groups,
    pub(super) spoofing: SpoofPolicy,
    pub(super) segment_mtu: u16,
}

impl TenantTable {
    /// The pool that `address` is in, and whose it is.
    pub(super) fn holder(&self, address: IpAddr) -> Option<(&PoolTable, Option<Slot>)> {
        self.pools
            .iter()
            .find_map(|pool| pool.place(address).map(|place| (pool, pool.slot(place))))
    }

    fn set(&mut self, address: IpAddr, change: impl Fn(u32) -> u32) {
        for pool in &mut self.pools {
            if let Some(place) = pool.place(address) {
                if pool.slots.len() <= place {
                    pool.slots.resize(place + 1, 0);
                }
                if let Some(slot) = pool.slots.get_mut(place) {
                    *slot = change(*slot);
                }
            }
        }
    }

    /// Gives addresses to a session.
    pub(super) fn map(&mut self, addresses: UeAddresses, slot: Slot) {
        for address in addresses.keys() {
            self.set(address, |_| slot.0 + 1);
        }
    }

    /// Takes addresses from `slot`, unless they are another session's by now.
    pub(super) fn unmap(&mut self, addresses: UeAddresses, slot: Slot) {
        for address in addresses.keys() {
            self.set(address, |s| if s == slot.0 + 1 { 0 } else { s });
        }
    }

    /// Gives networks behind a UE to its session.
    pub(super) fn map_framed(&mut self, framed: &[Prefix], slot: Slot) {
        let ends = framed.iter().map(|p| (p.first(), p.last(), slot));
        self.framed.extend(ends);
        self.framed.sort_unstable();
    }

    /// Takes the networks behind a UE from its session.
    pub(super) fn unmap_framed(&mut self, slot: Slot) {
        self.framed.retain(|(.., holder)| *holder != slot);
    }

    /// Whether `address` is one of a UE or of a network behind one, and whose it is. A network
    /// behind a UE counts before a pool.
    fn ue(&self, address: IpAddr) -> Option<Holder> {
        if !self.framed.is_empty() {
            let after = self.framed.partition_point(|(first, ..)| *first <= address);
            let found = after.checked_sub(1).and_then(|at| self.framed.get(at));
            if let Some((_, last, slot)) = found
                && *last >= address
                && last.is_ipv4() == address.is_ipv4()
            {
                return Some(Holder(Some(*slot)));
            }
        }
        self.holder(address).map(|(_, slot)| Holder(slot))
    }

    fn has_ue_address(&self, address: IpAddr) -> bool {
        self.ue(address).is_some()
    }

    /// Whether SIMs of two groups reach each other.
    fn joins(&self, from: GroupId, to: GroupId) -> bool {
        self.groups.verdict(from, to).unwrap_or(self.ue_to_ue)
    }
}

/// What happens to a packet because of where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// To the corporate segment of this tenant, its own unless isolation is off.
    Segment(TenantId),
    /// To a UE of this tenant.
    Ue(TenantId),
    /// To the sentinel of an open lab.
    Sentinel,
    /// Nowhere.
    Refuse(Refusal),
}

/// The one thing in which access points of a tenant differ: what a lab has opened.
#[derive(Debug)]
struct AccessTable {
    tenant: TenantId,
    link: Link,
    open_lab: Option<OpenLabEgress>,
}

/// Every tenant's tables and the rules over them.
#[derive(Debug)]
pub(super) struct Routes {
    tenants: Vec<TenantTable>,
    accesses: Vec<AccessTable>,
    pub(super) protections: Protections,
}

impl Routes {
    pub(super) fn new(network: &Network) -> Self {
        let tenants = (0..).map(TenantId).zip(&network.tenants);
        let tenants = tenants
            .map(|(id, tenant)| TenantTable {
                pools: network
                    .accesses
                    .iter()
                    .filter(|a| a.tenant == id)
                    .flat_map(pools)
                    .collect(),
                egress: tenant.egress.clone(),
                infrastructure: tenant.infrastructure.clone(),
                others: tenant.others.clone(),
                quarantine: tenant.quarantine.clone(),
                framed: Vec::new(),
                ue_to_ue: tenant.ue_to_ue,
                groups: tenant.groups.clone(),
                spoofing: tenant.spoofing,
                segment_mtu: tenant.segment_mtu,
            })
            .collect();
        let accesses = network.accesses.iter().map(|access| AccessTable {
            tenant: access.tenant,
            link: Link::new(access),
            open_lab: access.config.open_lab,
        });
        Self {
            tenants,
            accesses: accesses.collect(),
            protections: network.protections,
        }
    }

    pub(super) fn tenant(&self, id: TenantId) -> Option<&TenantTable> {
        self.tenants.get(usize::from(id.0))
    }

    pub(super) fn tenant_mut(&mut self, id: TenantId) -> Option<&mut TenantTable> {
        self.tenants.get_mut(usize::from(id.0))
    }

    /// The tenant whose tables count for `destination`. Always the sender's own; only with
    /// isolation switched off it is whoever comes first with that address.
    fn routing_domain(&self, own: TenantId, destination: IpAddr) -> TenantId {
        if self.protections.tenant_isolation {
            return own;
        }
        let knows =
            |t: &TenantTable| t.has_ue_address(destination) || t.egress.permits(destination);
        (0..)
            .map(TenantId)
            .zip(&self.tenants)
            .find(|(_, t)| knows(t))
            .map_or(own, |(id, _)| id)
    }

    fn access(&self, id: AccessId) -> Option<&AccessTable> {
        self.accesses.get(usize::from(id.0))
    }

    /// The rule for packets of `access` to `destination`. It depends on nothing but the sets that
    /// [`Self::reach`] takes its borders from.
    pub(super) fn rule(&self, access: AccessId, destination: IpAddr) -> Rule {
        let Some(access) = self.access(access) else {
            return Rule::Refuse(Refusal::NotDeclared);
        };
        let id = self.routing_domain(access.tenant, destination);
        let (Some(own), Some(table)) = (self.tenant(access.tenant), self.tenant(id)) else {
            return Rule::Refuse(Refusal::NotDeclared);
        };
        if is_group(destination) {
            return Rule::Refuse(Refusal::Multicast);
        }
        if self.protections.infrastructure_deny && own.infrastructure.contains(destination) {
            return Rule::Refuse(Refusal::Infrastructure);
        }
        if table.has_ue_address(destination) {
            let may_be = own.ue_to_ue || own.groups.allow_any();
            return if may_be || !self.protections.ue_isolation {
                Rule::Ue(id)
            } else {
                Rule::Refuse(Refusal::UeToUe)
            };
        }
        if table.egress.permits(destination) {
            return Rule::Segment(id);
        }
        if own.others.contains(destination) {
            return Rule::Refuse(Refusal::CrossTenant);
        }
        if access.open_lab.is_some() {
            return Rule::Sentinel;
        }
        if self.protections.closed_egress {
            Rule::Refuse(Refusal::NotDeclared)
        } else {
            Rule::Segment(id)
        }
    }

    /// The rule for packets of a UE in isolation: what is a quarantine prefix of its tenant, and
    /// would pass anyway, passes.
    pub(super) fn rule_in_isolation(&self, access: AccessId, destination: IpAddr) -> Rule {
        let rule = self.rule(access, destination);
        let passes = match rule {
            Rule::Segment(_) => self.is_quarantine(access, destination),
            Rule::Ue(_) | Rule::Sentinel => false,
            Rule::Refuse(_) => true,
        };
        if passes || !self.protections.isolation {
            rule
        } else {
            Rule::Refuse(Refusal::Isolated)
        }
    }

    /// Whether UEs of `access` in isolation exchange packets with `address`.
    pub(super) fn is_quarantine(&self, access: AccessId, address: IpAddr) -> bool {
        !self.protections.isolation
            || self
                .access(access)
                .and_then(|access| self.tenant(access.tenant))
                .is_some_and(|t| t.quarantine.contains(address))
    }

    /// Everything that packets of each access point can reach, by set arithmetic: the rule is
    /// constant between two neighbouring borders of the sets that it looks at, so one question for
    /// each such interval answers for all of IPv4 and IPv6. The question is put to the same
    /// function that packets are put to.
    pub(super) fn reach(&self) -> Vec<Reach> {
        let (v4, v6) = self.borders();
        let reach = |(id, access): (AccessId, &AccessTable)| {
            let mut reach = Reach::default();
            let ends = v4.iter().skip(1).map(|next| next - 1).chain([u32::MAX]);
            for (first, last) in v4.iter().zip(ends) {
                let [first, last] = [*first, last].map(|bits| Ipv4Addr::from_bits(bits).into());
                let rule = self.rule(id, first);
                add_interval(access.tenant, &mut reach, rule, first, last);
            }
            let ends = v6.iter().skip(1).map(|next| next - 1).chain([u128::MAX]);
            for (first, last) in v6.iter().zip(ends) {
                let [first, last] = [*first, last].map(|bits| Ipv6Addr::from_bits(bits).into());
                let rule = self.rule(id, first);
                add_interval(access.tenant, &mut reach, rule, first, last);
            }
            reach
        };
        (0..).map(AccessId).zip(&self.accesses).map(reach).collect()
    }

    /// The first address of every interval on which all rules are constant.
    fn borders(&self) -> (BTreeSet<u32>, BTreeSet<u128>) {
        let mut v4 = BTreeSet::from([0_u32, 0xe000_0000, 0xf000_0000, u32::MAX]);
        let mut v6 = BTreeSet::from([0_u128, 0xff00 << 112]);
        let mut border = |first: IpAddr, last: IpAddr| match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                v4.insert(first.to_bits());
                v4.extend(last.to_bits().checked_add(1));
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                v6.insert(first.to_bits());
                v6.extend(last.to_bits().checked_add(1));
            }
            _ => {}
        };
        for table in &self.tenants {
            let sets = [
                table.egress.destinations(),
                &table.infrastructure,
                &table.others,
            ];
            for (first, last) in sets.into_iter().flat_map(AddressSet::ranges) {
                border(first, last);
            }
            for pool in &table.pools {
                let (first, last) = pool.ends();
                border(first, last);
            }
            for (first, last, _) in &table.framed {
                border(*first, *last);
            }
        }
        (v4, v6)
    }

    /// Whether packets from `source` in the segment may go to a UE of `access`.
    pub(super) fn admits_source(&self, access: AccessId, source: IpAddr) -> bool {
        if !self.protections.closed_egress || !self.protections.tenant_isolation {
            return true;
        }
        self.access(access).is_some_and(|access| {
            access.open_lab.is_some()
                || self
                    .tenant(access.tenant)
                    .is_some_and(|t| t.egress.permits(source))
        })
    }

    /// The session that has `address` in `tenant`.
    pub(super) fn session_at(&self, tenant: TenantId, address: IpAddr) -> Option<Slot> {
        let own = self.tenant(self.routing_domain(tenant, address))?;
        own.ue(address)?.0
    }

    /// Whether UEs of one tenant in these groups reach each other.
    pub(super) fn joins(&self, tenant: TenantId, from: GroupId, to: GroupId) -> bool {
        !self.protections.ue_isolation || self.tenant(tenant).is_some_and(|t| t.joins(from, to))
    }

    /// Whether groups matter for UE-to-UE packets of a tenant.
    pub(super) fn has_groups(&self, tenant: TenantId) -> bool {
        self.tenant(tenant).is_some_and(|t| !t.groups.is_empty())
    }

    /// Octets that a tenant's segment carries.
    pub(super) fn segment_mtu(&self, tenant: TenantId) -> usize {
        self.tenant(tenant)
            .map_or(usize::MAX, |t| usize::from(t.segment_mtu))
    }

    /// What the UEs of an access point are told of their links.
    pub(super) fn link(&self, access: AccessId) -> Option<&Link> {
        self.access(access).map(|a| &a.link)
    }

    /// The gateway's own address in the pool of a UE.
    pub(super) fn gateway(&self, tenant: TenantId, address: IpAddr) -> Option<IpAddr> {
        Some(self.tenant(tenant)?.holder(address)?.0.gateway)
    }
}

/// The tables of an access point: its pool, the static range if it lies beside, and the /64s.
fn pools(access: &Access) -> impl Iterator<Item = PoolTable> {
    let v4 = access.ranges().map(|(first, last)| PoolTable {
        is_v4: true,
        first: first.into(),
        last: last.into(),
        gateway: access.gateway().into(),
        slots: Vec::new(),
    });
    let v6 = access.pool_v6.zip(access.gateway_v6());
    let v6 = v6.map(|((first, last), gateway)| PoolTable {
        is_v4: false,
        first,
        last,
        gateway: gateway.into(),
        slots: Vec::new(),
    });
    v4.chain(v6)
}

fn add_interval(tenant: TenantId, reach: &mut Reach, rule: Rule, first: IpAddr, last: IpAddr) {
    let set = match rule {
        Rule::Segment(id) | Rule::Ue(id) if id != tenant => &mut reach.foreign,
        Rule::Segment(_) => &mut reach.segment,
        Rule::Ue(_) => &mut reach.ues,
        Rule::Sentinel => &mut reach.sentinel,
        Rule::Refuse(_) => return,
    };
    set.insert_range(first, last);
}
