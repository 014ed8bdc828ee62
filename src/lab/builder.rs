//! A lab in a few lines.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use heiiki_types::{Ambr, Apn, Imsi, Prefix, Protections, Qci, Rng};

use super::{Lab, wiring};
use crate::plan::{
    self, AccessPoint, Auth, Card, DeclaredPrefix, Egress, Host, IpVersion, Network, RefuseAt,
    Selection, Service, Sim, SimState, SubscribedApn, Tenant, TenantTraffic, UeToUe,
};
use crate::world::{Link, LinkProfile, World};

/// Why a lab cannot be built: every mistake, one a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidLab(Vec<String>);

impl fmt::Display for InvalidLab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the lab cannot be built:")?;
        self.0
            .iter()
            .try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl core::error::Error for InvalidLab {}

/// Describes a lab in virtual time.
///
/// A tenant gets one access point of its own name, the upper half of its prefix as pool, and a host
/// `intranet` (HTTP, DNS and echo) at the tenth address of the lower half. SIMs get IMSIs
/// 001010000000001 and up, in order. Mistakes are kept and told by [`build`](Self::build).
#[derive(Debug)]
pub struct Builder {
    plan: plan::Lab,
    protections: Protections,
    seed: u64,
    delay: Duration,
    mistakes: Vec<String>,
}

const AMBR: Ambr = Ambr {
    uplink_bps: 50_000_000,
    downlink_bps: 100_000_000,
};

impl Builder {
    /// An empty description.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "an empty lab is not a default for anything"
    )]
    pub fn new() -> Self {
        Self {
            plan: plan::Lab {
                network: Network::default(),
                tenants: Vec::new(),
                apns: Vec::new(),
                sims: Vec::new(),
                links: Vec::new(),
            },
            protections: Protections::ALL,
            seed: 1,
            delay: Duration::from_millis(2),
            mistakes: Vec::new(),
        }
    }

    /// The seed of everything random: keys, challenges, TEIDs, link faults. Default 1.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The one-way delay of every link. Default 2 ms.
    #[must_use]
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Adds a tenant that owns this private prefix.
    #[must_use]
    pub fn tenant(mut self, name: &str, prefix: &str) -> Self {
        if let Err(mistake) = self.add_tenant(name, prefix) {
            self.mistakes.push(format!("tenant {name}: {mistake}"));
        }
        self
    }

    fn add_tenant(&mut self, name: &str, prefix: &str) -> Result<(), String> {
        let apn: Apn = name.parse().map_err(|e| format!("{e}"))?;
        let prefix: Prefix = prefix.parse().map_err(|e| format!("{e}"))?;
        let IpAddr::V4(first) = prefix.first() else {
            return Err("an IPv4 prefix is needed".to_owned());
        };
        if prefix.length() > 28 {
            return Err("the prefix is too small for a pool and a host: /28 at least".to_owned());
        }
        let half = 1_u32 << (31 - prefix.length());
        let pool = Ipv4Addr::from_bits(first.to_bits() + half);
        let pool = Prefix::new(IpAddr::V4(pool), prefix.length() + 1).map_err(|e| e.to_string())?;
        let intranet = Ipv4Addr::from_bits(first.to_bits() + half.min(11) - 1);
        self.plan.tenants.push(Tenant {
            name: name.to_owned(),
            prefixes: vec![DeclaredPrefix {
                prefix,
                owned_global: false,
            }],
            shared_space: false,
            ue_to_ue: UeToUe::Deny,
            quarantine_prefixes: Vec::new(),
            traffic: TenantTraffic::default(),
            refuse_at: RefuseAt::Ulr,
            hosts: vec![Host {
                name: "intranet".to_owned(),
                address: IpAddr::V4(intranet),
                services: vec![Service::Http, Service::Dns, Service::Echo],
            }],
        });
        self.plan.apns.push(AccessPoint {
            apn,
            tenant: name.to_owned(),
            pool,
            static_range: None,
            pool_v6: None,
            ip_versions: vec![IpVersion::V4],
            dns: vec![intranet],
            dns_v6: Vec::new(),
            p_cscf: Vec::new(),
            mtu: 1400,
            restriction: 4,
            selection: vec![Selection::Verified],
            auth: Auth::None,
            routes: Vec::new(),
            bearers: Vec::new(),
            ue_bearers: Vec::new(),
            ambr: AMBR,
            egress: Egress::Closed,
        });
        Ok(())
    }

    /// Adds a SIM of a tenant.
    #[must_use]
    pub fn sim(mut self, name: &str, tenant: &str) -> Self {
        let number = self.plan.sims.len() + 1;
        let Some(access) = self.plan.apns.iter().find(|a| a.tenant == tenant) else {
            self.mistakes.push(format!(
                "SIM {name}: there is no tenant called {tenant} yet"
            ));
            return self;
        };
        let Ok(imsi) = format!("00101{number:010}").parse::<Imsi>() else {
            self.mistakes.push(format!("SIM {name}: too many SIMs"));
            return self;
        };
        self.plan.sims.push(Sim {
            name: name.to_owned(),
            group: tenant.to_owned(),
            imsi,
            msisdn: None,
            tenant: tenant.to_owned(),
            apns: vec![SubscribedApn {
                apn: access.apn.clone(),
                static_ip: None,
                static_ipv6: None,
                qci: Qci(9),
            }],
            secrets: None,
            amf: [0x80, 0],
            sqn: None,
            card: Card::default(),
            state: SimState::Ready,
            ambr: AMBR,
            enb: 0,
        });
        self
    }

    /// Adds `count` SIMs of a tenant, called `PREFIX-1`, `PREFIX-2`, ...
    #[must_use]
    pub fn sims(self, prefix: &str, count: usize, tenant: &str) -> Self {
        (1..=count).fold(self, |b, n| b.sim(&format!("{prefix}-{n}"), tenant))
    }

    /// Changes the SIM added last: its card, its state, its addresses.
    #[must_use]
    pub fn with_sim(mut self, change: impl FnOnce(&mut Sim)) -> Self {
        match self.plan.sims.last_mut() {
            Some(sim) => change(sim),
            None => self
                .mistakes
                .push("there is no SIM to change yet".to_owned()),
        }
        self
    }

    /// Gives the SIM added last a fixed address.
    #[must_use]
    pub fn static_ip(self, address: Ipv4Addr) -> Self {
        self.with_sim(|sim| {
            for apn in &mut sim.apns {
                apn.static_ip = Some(address);
            }
        })
    }

    /// Changes the access point added last.
    #[must_use]
    pub fn with_apn(mut self, change: impl FnOnce(&mut AccessPoint)) -> Self {
        match self.plan.apns.last_mut() {
            Some(apn) => change(apn),
            None => self
                .mistakes
                .push("there is no access point to change yet".to_owned()),
        }
        self
    }

    /// Changes the tenant added last.
    #[must_use]
    pub fn with_tenant(mut self, change: impl FnOnce(&mut Tenant)) -> Self {
        match self.plan.tenants.last_mut() {
            Some(tenant) => change(tenant),
            None => self
                .mistakes
                .push("there is no tenant to change yet".to_owned()),
        }
        self
    }

    /// Opens the access point added last: whatever it sends outside its prefixes reaches the
    /// sentinel. The positive control of every probe.
    #[must_use]
    pub fn open_lab(self) -> Self {
        self.with_apn(|apn| apn.egress = Egress::OpenLab)
    }

    /// Changes what the nodes of the core share.
    #[must_use]
    pub fn with_network(mut self, change: impl FnOnce(&mut Network)) -> Self {
        change(&mut self.plan.network);
        self
    }

    /// Changes anything of the plan.
    #[must_use]
    pub(crate) fn with_plan(mut self, change: impl FnOnce(&mut plan::Lab)) -> Self {
        change(&mut self.plan);
        self
    }

    /// Switches protections off, to prove that the check behind one can fail.
    #[must_use]
    pub fn weaken(mut self, change: impl FnOnce(&mut Protections)) -> Self {
        change(&mut self.protections);
        self
    }

    /// Builds the lab and starts its nodes.
    ///
    /// # Errors
    /// Everything that is wrong with the description.
    pub fn build(self) -> Result<Lab, InvalidLab> {
        if !self.mistakes.is_empty() {
            return Err(InvalidLab(self.mistakes));
        }
        virtual_lab(self.plan, self.protections, self.seed, self.delay, |_| {})
    }
}

#[cfg(feature = "cli")]
impl Builder {
    /// Builds the same lab on real sockets of this machine's loopback.
    ///
    /// # Errors
    /// Everything that is wrong with the description, or what the system refuses.
    pub fn build_real(self) -> Result<Lab<crate::real::RealNetwork>, InvalidLab> {
        if !self.mistakes.is_empty() {
            return Err(InvalidLab(self.mistakes));
        }
        crate::real::real_lab(self.plan, self.protections, self.seed, None)
            .map_err(|error| InvalidLab(vec![error.to_string()]))
    }
}

/// A lab in virtual time from a whole plan. `prepare` sees the world before its nodes start.
pub(crate) fn virtual_lab(
    plan: plan::Lab,
    protections: Protections,
    seed: u64,
    delay: Duration,
    prepare: impl FnOnce(&mut World),
) -> Result<Lab, InvalidLab> {
    let mut world = World::new(seed, LinkProfile::quiet(delay));
    for link in &plan.links {
        world.set_profile(Link::from(link.link), LinkProfile::from(link.quality));
    }
    prepare(&mut world);
    let addresses = wiring::Addresses::new([127, 88]);
    let (mut sims, mut rng) = (Rng::from_seed(seed), world.fork("wiring"));
    let wired = wiring::wire(
        &plan,
        addresses.clone(),
        protections,
        "virtual",
        &mut sims,
        &mut rng,
    );
    let tokens = wired.tokens.clone();
    world.populate(&plan, wired).map_err(InvalidLab)?;
    let mut lab = Lab::around(world, plan, tokens, addresses, seed);
    // The core needs a moment: disks are read, the MME connects to the HSS.
    lab.run_for(delay * 10 + Duration::from_millis(10));
    Ok(lab)
}
