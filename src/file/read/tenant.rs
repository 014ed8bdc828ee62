//! `[[tenant]]` and `[[apn]]`: who may go where, the same in lab files and in `pgw.toml`.

use core::net::{IpAddr, Ipv6Addr};

use heiiki_types::{Apn, Prefix};
use toml::de::DeValue;

use super::names::Names;
use crate::file::mistake::Kind;
use crate::file::reader::{At, Fault, FromToml, Sink, Table};
use crate::file::value::choices;
use crate::file::{AccessPoint, DeclaredPrefix, Host, RefuseAt, Service, Tenant, UeToUe};

choices!(UeToUe { "deny" => Self::Deny, "allow" => Self::Allow });
choices!(RefuseAt { "ulr" => Self::Ulr, "air" => Self::Air });
choices!(Service {
    "http" => Self::Http,
    "dns" => Self::Dns,
    "echo" => Self::Echo,
    "throughput" => Self::Throughput,
    "voice" => Self::Voice,
    "plc" => Self::Plc,
});

/// Which keys a file may have beyond those of every tenant and access point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// A lab: the HSS's rules and the open access point of a positive control too.
    Lab,
    /// A gateway of its own.
    Gateway,
}

/// Tenants and access points as they are read, with where they stand.
#[derive(Debug)]
pub(super) struct Tenants {
    pub(super) scope: Scope,
    pub(super) names: Names<String>,
    pub(super) all: Vec<Tenant>,
    pub(super) apns: Vec<AccessPoint>,
    pub(super) apn_names: Names<String>,
    pub(super) pools: Vec<(String, At<Prefix>)>,
}

impl FromToml for DeclaredPrefix {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
        let DeValue::Table(table) = value else {
            return Ok(Self {
                prefix: Prefix::from_toml(value)?,
                owned_global: false,
            });
        };
        let help = "write a range as \"10.20.0.0/16\", or as { range = \"198.51.100.0/24\", owned_global = true }";
        let range = table
            .get("range")
            .ok_or_else(|| Fault::new("this range is missing", help))?;
        let owned = table
            .get("owned_global")
            .map(|v| bool::from_toml(v.get_ref()));
        if let Some(other) = table
            .keys()
            .find(|k| !["range", "owned_global"].contains(&&**k.get_ref()))
        {
            return Err(Fault::new(
                format!("there is no key `{}` here", other.get_ref()),
                help,
            ));
        }
        Ok(Self {
            prefix: Prefix::from_toml(range.get_ref())?,
            owned_global: owned.transpose()?.unwrap_or(false),
        })
    }
}

impl Tenants {
    pub(super) fn new(scope: Scope) -> Self {
        Self {
            scope,
            names: Names::new("tenant"),
            all: Vec::new(),
            apns: Vec::new(),
            apn_names: Names::new("access point"),
            pools: Vec::new(),
        }
    }

    pub(super) fn tenant(&self, name: &str) -> Option<&Tenant> {
        self.all.iter().find(|t| t.name == name)
    }

    pub(super) fn apn(&self, apn: &Apn) -> Option<&AccessPoint> {
        self.apns.iter().find(|a| a.apn == *apn)
    }

    /// Reads every `[[tenant]]`.
    pub(super) fn read_tenants(&mut self, root: &mut Table<'_>) {
        for mut table in root.tables("tenant") {
            let sink = table.sink();
            let name = table.required::<String>("name", "\"red\"");
            if let Some(name) = &name {
                self.names.add(name.value.clone(), &name.place, sink);
            }
            if !table.has("prefix") {
                table.missing(
                    "prefix",
                    "add the tenant's own ranges: `prefix = [\"10.20.0.0/16\"]`",
                );
            }
            let shared_space = table.or("shared_space", false);
            let mut prefixes = table.list::<DeclaredPrefix>("prefix").unwrap_or_default();
            // What is not inside a wrong prefix is not another mistake: none counts then.
            let good: Vec<bool> = prefixes
                .iter()
                .map(|p| check_private(p, shared_space, sink))
                .collect();
            if good.contains(&false) {
                prefixes.clear();
            }
            let ue_to_ue = table.or("ue_to_ue", UeToUe::Deny);
            let quarantine_prefixes = read_quarantine(&mut table, &prefixes);
            let traffic = super::traffic::read(&mut table);
            let refuse_at = match self.scope {
                Scope::Lab => table.or("refuse_at", RefuseAt::Ulr),
                Scope::Gateway => RefuseAt::Ulr,
            };
            let hosts = read_hosts(&mut table, &prefixes);
            table.finish();
            self.all.extend(name.map(|name| Tenant {
                name: name.value,
                prefixes: prefixes.into_iter().map(|p| p.value).collect(),
                shared_space,
                ue_to_ue,
                quarantine_prefixes,
                traffic,
                refuse_at,
                hosts,
            }));
        }
    }

    /// Refuses a tenant's prefix that holds addresses of the core.
    pub(super) fn check_infrastructure(&self, infrastructure: &[At<Prefix>], sink: &Sink) {
        for own in infrastructure {
            for tenant in &self.all {
                let clash = tenant
                    .prefixes
                    .iter()
                    .find(|p| p.prefix.overlaps(own.value));
                if let Some(clash) = clash {
                    let problem = format!(
                        "`{}` overlaps `{}` of tenant `{}`",
                        own.value, clash.prefix, tenant.name
                    );
                    let help =
                        "no tenant may declare the core's own addresses; change one of the two";
                    sink.add(own.place.mistake(Kind::Clash, problem, help));
                }
            }
        }
    }
}

fn read_quarantine(tenant: &mut Table<'_>, prefixes: &[At<DeclaredPrefix>]) -> Vec<Prefix> {
    let wanted = tenant
        .list::<Prefix>("quarantine_prefixes")
        .unwrap_or_default();
    for range in &wanted {
        let inside = prefixes.iter().any(|p| p.value.prefix.covers(range.value));
        // A tenant whose prefixes are wrong has been told so.
        if !inside && !prefixes.is_empty() {
            let problem = format!("`{}` is not inside a prefix of this tenant", range.value);
            let help = "take a range of the tenant's `prefix`";
            let mistake = range.place.mistake(Kind::Clash, problem, help);
            tenant.sink().add(mistake);
        }
    }
    wanted.into_iter().map(|p| p.value).collect()
}

fn read_hosts(tenant: &mut Table<'_>, prefixes: &[At<DeclaredPrefix>]) -> Vec<Host> {
    let mut names = Names::<String>::new("host");
    let mut addresses = Names::<IpAddr>::new("address");
    let mut hosts = Vec::new();
    for mut table in tenant.tables("host") {
        let sink = table.sink();
        let name = table.required::<String>("name", "\"intranet\"");
        let address = table.required::<IpAddr>("address", "\"10.20.255.10\"");
        let services = table.list::<Service>("services");
        if let Some(name) = &name {
            names.add(name.value.clone(), &name.place, sink);
        }
        if let Some(address) = &address {
            addresses.add(address.value, &address.place, sink);
            if !prefixes.is_empty() && !prefixes.iter().any(|p| p.prefix.contains(address.value)) {
                let problem = format!("`{}` is not in a prefix of this tenant", address.value);
                let help = "take an address of the tenant's `prefix`, or add its range there";
                sink.add(address.place.mistake(Kind::Clash, problem, help));
            }
        }
        table.finish();
        if let (Some(name), Some(address)) = (name, address) {
            hosts.push(Host {
                name: name.value,
                address: address.value,
                services: services.map_or_else(
                    || vec![Service::Http, Service::Dns, Service::Echo],
                    |s| s.into_iter().map(|s| s.value).collect(),
                ),
            });
        }
    }
    hosts
}

fn range(first: impl Into<IpAddr>, length: u8) -> Option<Prefix> {
    Prefix::new(first.into(), length).ok()
}

fn private_ranges() -> impl Iterator<Item = Prefix> {
    [
        range([10, 0, 0, 0], 8),
        range([172, 16, 0, 0], 12),
        range([192, 168, 0, 0], 16),
        range(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
    ]
    .into_iter()
    .flatten()
}

/// Ranges that belong to nobody's corporate network, whoever claims to own them.
fn never_private() -> impl Iterator<Item = (&'static str, Prefix)> {
    let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);
    let multicast = Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0);
    [
        ("\"this network\"", range([0, 0, 0, 0], 8)),
        ("loopback", range([127, 0, 0, 0], 8)),
        ("link-local", range([169, 254, 0, 0], 16)),
        ("multicast or reserved", range([224, 0, 0, 0], 3)),
        ("loopback or IPv4-mapped", range(Ipv6Addr::UNSPECIFIED, 80)),
        ("link-local", range(link_local, 10)),
        ("multicast", range(multicast, 8)),
    ]
    .into_iter()
    .filter_map(|(what, range)| Some((what, range?)))
}

/// Whether a tenant may declare a range, which is said where it may not.
fn check_private(declared: &At<DeclaredPrefix>, shared_space: bool, sink: &Sink) -> bool {
    const RANGES: &str = "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or fc00::/7";
    let DeclaredPrefix {
        prefix,
        owned_global,
    } = declared.value;
    let place = &declared.place;
    if let Some((what, _)) = never_private().find(|(_, n)| n.overlaps(prefix)) {
        let problem = format!("`{prefix}` holds {what} addresses, which no company owns");
        let help = format!("take a range of {RANGES}");
        sink.add(place.mistake(Kind::Value, problem, help));
        return false;
    }
    let shared = range([100, 64, 0, 0], 10).is_some_and(|s| s.covers(prefix));
    if private_ranges().any(|p| p.covers(prefix)) || owned_global || shared && shared_space {
        return true;
    }
    let help = if shared {
        String::from(
            "if the company uses shared address space inside, add `shared_space = true` to this \
             tenant",
        )
    } else {
        format!(
            "take a range of {RANGES}; if the company owns this one and uses it inside, write \
             {{ range = \"{prefix}\", owned_global = true }}"
        )
    };
    let problem = format!("`{prefix}` is not private");
    sink.add(place.mistake(Kind::Value, problem, help));
    false
}
