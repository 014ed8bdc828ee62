//! From a destination as a file names it to addresses.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use heiiki_types::Prefix;

use super::ledger::Ledger;
use crate::plan::{Destination, Host, Lab, Sim, SimRef, Tenant, Via};

/// Addresses of the Internet for which the sentinel answers. Nothing is ever sent there: behind
/// the gateway there is only the sentinel.
const OUTSIDE: [Ipv4Addr; 4] = [
    Ipv4Addr::new(8, 8, 8, 8),
    Ipv4Addr::new(1, 1, 1, 1),
    Ipv4Addr::new(93, 184, 215, 14),
    Ipv4Addr::new(203, 0, 113, 10),
];

/// One place that a UE's packets go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) address: IpAddr,
    /// The port, where the file gives one.
    pub(super) port: Option<u16>,
    /// The host's name, where it has one.
    pub(super) host: Option<String>,
    /// Ports that are served there, each probed beside what the step asks for.
    pub(super) served: Vec<Via>,
}

impl Target {
    const fn at(address: IpAddr) -> Self {
        Self {
            address,
            port: None,
            host: None,
            served: Vec::new(),
        }
    }

    fn host(host: &Host) -> Self {
        Self {
            host: Some(host.name.clone()),
            ..Self::at(host.address)
        }
    }

    /// How to probe it when a step asks for `over`.
    pub(super) fn ways(&self, over: &[Via]) -> Vec<Via> {
        let with_port = |via: &Via| match (via, self.port) {
            (Via::Tcp(_), Some(port)) => Via::Tcp(port),
            (Via::Udp(_), Some(port)) => Via::Udp(port),
            (via, _) => *via,
        };
        let mut ways: Vec<Via> = Vec::new();
        for via in over
            .iter()
            .map(with_port)
            .chain(self.served.iter().copied())
        {
            if !ways.contains(&via) {
                ways.push(via);
            }
        }
        ways
    }
}

/// What is needed to resolve destinations.
#[derive(Clone, Copy)]
pub(super) struct Map<'a> {
    pub(super) plan: &'a Lab,
    pub(super) ledger: &'a Ledger,
    /// The addresses of the core's nodes.
    pub(super) core: &'a [SocketAddr],
    /// All addresses of the core.
    pub(super) infrastructure: Option<Prefix>,
}

/// What the gateway is to make of a packet because of where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Region {
    /// The core's own addresses.
    Core,
    /// A pool of the own tenant.
    OwnUes,
    /// A declared prefix of the own tenant.
    OwnSegment,
    /// A declared prefix of another tenant.
    OtherTenant,
    /// Anywhere else.
    Outside,
}

impl<'a> Map<'a> {
    pub(super) fn sim(self, sim: SimRef) -> Option<&'a Sim> {
        self.plan.sims.get(sim.0)
    }

    pub(super) fn tenant(self, sim: SimRef) -> Option<&'a Tenant> {
        let name = &self.sim(sim)?.tenant;
        self.plan.tenants.iter().find(|t| t.name == *name)
    }

    fn ue(self, sim: SimRef) -> Option<Target> {
        let address = self.ledger.ue(self.sim(sim)?.imsi).address?;
        Some(Target::at(address.into()))
    }

    /// Where packets of `sim` to `to` go: nowhere when there is no such place now.
    pub(super) fn resolve(self, sim: SimRef, to: &Destination) -> Vec<Target> {
        let Some(own) = self.tenant(sim) else {
            return Vec::new();
        };
        match to {
            Destination::Intranet => own.hosts.first().map(Target::host).into_iter().collect(),
            Destination::Host(name) => own
                .hosts
                .iter()
                .filter(|h| h.name == *name)
                .map(Target::host)
                .collect(),
            Destination::Tenant(name) => {
                let named = self.plan.tenants.iter().filter(|t| t.name == *name);
                named.flat_map(|t| &t.hosts).map(Target::host).collect()
            }
            Destination::OtherTenants => {
                let others = self.plan.tenants.iter().filter(|t| t.name != own.name);
                let hosts = others.flat_map(|t| &t.hosts);
                hosts
                    .filter(|h| !declares(own, h.address))
                    .map(Target::host)
                    .collect()
            }
            Destination::Ue(other) => self.ue(*other).into_iter().collect(),
            Destination::Neighbour => self.neighbour(sim).into_iter().collect(),
            Destination::Core => self.core(),
            Destination::Outside => {
                let outside = OUTSIDE.map(IpAddr::from).into_iter();
                outside
                    .filter(|a| !declares(own, *a))
                    .map(Target::at)
                    .collect()
            }
            Destination::Address { address, port } => {
                vec![Target {
                    port: *port,
                    ..Target::at(*address)
                }]
            }
        }
    }

    /// The next UE of the same tenant that is attached, after the last one the first.
    fn neighbour(self, sim: SimRef) -> Option<Target> {
        let tenant = &self.sim(sim)?.tenant;
        let count = self.plan.sims.len();
        let others = (sim.0 + 1..count).chain(0..sim.0).map(SimRef);
        let mut same = others.filter(|s| self.sim(*s).is_some_and(|s| s.tenant == *tenant));
        same.find_map(|s| self.ue(s))
    }

    fn core(self) -> Vec<Target> {
        let mut targets: Vec<Target> = Vec::new();
        for socket in self.core {
            let served = match socket.port() {
                port @ (heiiki_gtp::c::PORT | heiiki_gtp::u::PORT) => Via::Udp(port),
                port => Via::Tcp(port),
            };
            match targets.iter_mut().find(|t| t.address == socket.ip()) {
                Some(target) => target.served.push(served),
                None => targets.push(Target {
                    served: vec![served],
                    ..Target::at(socket.ip())
                }),
            }
        }
        targets
    }

    /// What the plan says of an address, seen from a SIM. In the order of the gateway's rules.
    pub(super) fn region(self, sim: SimRef, address: IpAddr) -> Region {
        let Some(own) = self.tenant(sim) else {
            return Region::Outside;
        };
        let pools = self.plan.apns.iter().filter(|a| a.tenant == own.name);
        let mut pools = pools.flat_map(|a| core::iter::once(a.pool).chain(a.static_range));
        let mut others = self.plan.tenants.iter().filter(|t| t.name != own.name);
        if self.infrastructure.is_some_and(|p| p.contains(address)) {
            Region::Core
        } else if pools.any(|p| p.contains(address)) {
            Region::OwnUes
        } else if declares(own, address) {
            Region::OwnSegment
        } else if others.any(|t| declares(t, address)) {
            Region::OtherTenant
        } else {
            Region::Outside
        }
    }
}

fn declares(tenant: &Tenant, address: IpAddr) -> bool {
    tenant.prefixes.iter().any(|p| p.prefix.contains(address))
}
