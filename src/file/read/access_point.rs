//! `[[apn]]`: what sessions get, the same in lab files and in `pgw.toml`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use heiiki_types::{Ambr, Apn, Imsi, Prefix, Qci, Token};
use toml::de::DeValue;

use super::bearer::read_bearers;
use super::tenant::{Scope, Tenants};
use crate::file::mistake::Kind;
use crate::file::reader::{At, Fault, FromToml, Sink, Table};
use crate::file::value::{Rate, choices, text};
use crate::file::{
    AccessPoint, ApnUser, Auth, Egress, FramedRoute, IpVersion, Selection, Service, Tenant,
};

choices!(Egress { "closed" => Self::Closed, "open_lab" => Self::OpenLab });
choices!(IpVersion { "ipv4" => Self::V4, "ipv6" => Self::V6 });
choices!(Selection {
    "verified" => Self::Verified,
    "from_ue" => Self::FromUe,
    "from_network" => Self::FromNetwork,
});
choices!(AuthWord { "none" => Self::None, "accept" => Self::Accept, "users" => Self::Users });

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AuthWord {
    None,
    Accept,
    Users,
}

/// A password as it stands in a file.
struct Password(Token);

impl FromToml for Password {
    const SECRET: bool = true;

    fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
        let password = text(value, "a password in quotes")?;
        if password.is_empty() || password.len() > 255 {
            let help = "a password has 1 to 255 octets";
            return Err(Fault::new("this cannot be a password", help));
        }
        Ok(Self(Token::new(password.to_owned())))
    }
}

impl Tenants {
    /// Reads every `[[apn]]`; the tenants come first.
    pub(super) fn read_apns(&mut self, root: &mut Table<'_>) {
        for table in root.tables("apn") {
            let access = self.read_apn(table);
            self.apns.extend(access);
        }
    }

    fn read_apn(&mut self, mut table: Table<'_>) -> Option<AccessPoint> {
        let sink = table.sink();
        let apn = table.required::<Apn>("name", "\"red.corp\"");
        if let Some(apn) = &apn {
            self.apn_names.add(apn.to_string(), &apn.place, sink);
        }
        let tenant = table.required::<String>("tenant", "\"red\"");
        if let Some(tenant) = &tenant {
            self.names.check(tenant, sink);
        }
        let owner = tenant.as_ref().and_then(|t| self.tenant(t)).cloned();
        let pool = table.required::<Prefix>("pool", "\"10.20.0.0/24\"");
        let static_range = table.optional::<Prefix>("static_range");
        for range in [&pool, &static_range].into_iter().flatten() {
            if !range.is_ipv4() {
                let help = "write an IPv4 range, such as \"10.20.0.0/24\"";
                let problem = format!("`{}` is not an IPv4 range", range.value);
                sink.add(range.place.mistake(Kind::Value, problem, help));
            } else if let Some(owner) = &owner {
                self.check_pool(range, owner, sink);
            }
        }
        let pool_v6 = self.read_pool_v6(&mut table, owner.as_ref());
        let ip_versions = read_versions(&mut table, pool_v6.is_some());
        let (dns, dns_v6) = split(table.list::<IpAddr>("dns"), owner.as_ref());
        let p_cscf = table.list::<IpAddr>("p_cscf").unwrap_or_default();
        let bearers = read_bearers(&mut table);
        let ue_bearers = table.list::<Qci>("ue_bearers").unwrap_or_default();
        let mtu = table.or("mtu", 1400);
        let restriction = read_restriction(&mut table);
        let selection = table.list::<Selection>("selection");
        let auth = read_auth(&mut table);
        let routes = self.read_routes(&mut table, owner.as_ref());
        let uplink_bps = table.or("uplink", Rate(100_000_000)).0;
        let downlink_bps = table.or("downlink", Rate(100_000_000)).0;
        let egress = match self.scope {
            Scope::Lab => table.or("egress", Egress::Closed),
            Scope::Gateway => Egress::Closed,
        };
        table.finish();
        Some(AccessPoint {
            apn: apn?.value,
            tenant: tenant?.value,
            pool: pool?.value,
            static_range: static_range.map(|r| r.value),
            pool_v6: pool_v6.map(|r| r.value),
            ip_versions,
            dns,
            dns_v6,
            p_cscf: p_cscf.into_iter().map(|a| a.value).collect(),
            mtu,
            bearers,
            ue_bearers: ue_bearers.into_iter().map(|q| q.value).collect(),
            restriction,
            selection: selection.map_or_else(
                || vec![Selection::Verified],
                |s| s.into_iter().map(|s| s.value).collect(),
            ),
            auth,
            routes,
            ambr: Ambr {
                uplink_bps,
                downlink_bps,
            },
            egress,
        })
    }

    /// The range that prefixes of /64 come from.
    fn read_pool_v6(
        &mut self,
        table: &mut Table<'_>,
        owner: Option<&Tenant>,
    ) -> Option<At<Prefix>> {
        let sink = table.sink();
        let pool_v6 = table.optional::<Prefix>("pool_v6");
        if let Some(range) = &pool_v6 {
            if range.is_ipv4() || !(42..=63).contains(&range.length()) {
                let help = "write an IPv6 range of /42 to /63, such as \"fd20:1::/48\"";
                let problem = format!("`{}` is not a range of IPv6 prefixes", range.value);
                sink.add(range.place.mistake(Kind::Value, problem, help));
            } else if let Some(owner) = owner {
                self.check_pool(range, owner, sink);
            }
        }
        pool_v6
    }

    /// Networks behind UEs, within what the tenant declares and nobody else's.
    fn read_routes(&mut self, table: &mut Table<'_>, owner: Option<&Tenant>) -> Vec<FramedRoute> {
        let mut routes = Vec::new();
        for mut table in table.tables("route") {
            let sink = table.sink();
            let imsi = table.required::<Imsi>("imsi", "\"001010000000001\"");
            let prefix = table.required::<Prefix>("prefix", "\"10.20.7.0/24\"");
            if let (Some(prefix), Some(owner)) = (&prefix, owner) {
                self.check_pool(prefix, owner, sink);
            }
            table.finish();
            if let (Some(imsi), Some(prefix)) = (imsi, prefix) {
                routes.push(FramedRoute {
                    imsi: imsi.value,
                    prefix: prefix.value,
                });
            }
        }
        routes
    }

    fn check_pool(&mut self, pool: &At<Prefix>, owner: &Tenant, sink: &Sink) {
        let Tenant {
            name,
            prefixes,
            hosts,
            ..
        } = owner;
        // A tenant whose prefixes are all wrong has been told so.
        if !prefixes.is_empty() && !prefixes.iter().any(|p| p.prefix.covers(pool.value)) {
            let problem = format!("`{}` is not inside a prefix of tenant `{name}`", pool.value);
            let ranges: Vec<String> = prefixes.iter().map(|p| p.prefix.to_string()).collect();
            let help = format!(
                "take a range of {}, or add it to the tenant's `prefix`",
                ranges.join(", ")
            );
            sink.add(pool.place.mistake(Kind::Clash, problem, help));
        }
        if let Some(host) = hosts.iter().find(|h| pool.contains(h.address)) {
            let problem = format!(
                "`{}` holds the address of host `{}`, {}",
                pool.value, host.name, host.address
            );
            let help = "take a range without the addresses of the corporate segment";
            sink.add(pool.place.mistake(Kind::Clash, problem, help));
        }
        let other = self
            .pools
            .iter()
            .find(|(n, p)| n == name && p.overlaps(pool.value));
        if let Some((_, other)) = other {
            let problem = format!(
                "`{}` overlaps `{}` of the same tenant",
                pool.value, other.value
            );
            let help = format!(
                "the other one is in line {}; an address belongs to one pool",
                other.place.line()
            );
            sink.add(
                pool.place
                    .mistake(Kind::Clash, problem, help)
                    .with_first(&other.place),
            );
        }
        self.pools.push((name.clone(), pool.clone()));
    }
}

/// Which kinds of addresses are handed out, when the file says so.
fn read_versions(table: &mut Table<'_>, has_v6: bool) -> Vec<IpVersion> {
    let versions = table.list::<IpVersion>("ip");
    let wrong = versions
        .iter()
        .flatten()
        .find(|v| v.value == IpVersion::V6 && !has_v6);
    if let Some(wrong) = wrong {
        let help = "add the range that the prefixes come from: `pool_v6 = \"fd20:1::/48\"`";
        let problem = "there are no IPv6 prefixes to hand out";
        let mistake = wrong.place.mistake(Kind::Clash, problem, help);
        table.sink().add(mistake);
    }
    let versions = versions.map(|v| v.into_iter().map(|v| v.value).collect::<Vec<_>>());
    let all = if has_v6 {
        vec![IpVersion::V4, IpVersion::V6]
    } else {
        vec![IpVersion::V4]
    };
    versions.filter(|v| !v.is_empty()).unwrap_or(all)
}

fn read_restriction(table: &mut Table<'_>) -> u8 {
    let Some(restriction) = table.optional::<u8>("apn_restriction") else {
        return 4;
    };
    if restriction.value > 4 {
        let help = "0 is none, 1 and 2 are public, 3 and 4 are private (TS 29.274 §8.57)";
        let problem = format!("there is no APN Restriction {}", restriction.value);
        let mistake = restriction.place.mistake(Kind::Value, problem, help);
        table.sink().add(mistake);
    }
    restriction.value
}

fn read_auth(table: &mut Table<'_>) -> Auth {
    let word = table.optional::<AuthWord>("auth");
    let mut users = Vec::new();
    for mut table in table.tables("user") {
        let name = table.required::<String>("name", "\"meter@red\"");
        let password = table.required::<Password>("password", "\"...\"");
        table.finish();
        if let (Some(name), Some(password)) = (name, password) {
            users.push(ApnUser {
                name: name.value,
                password: password.value.0,
            });
        }
    }
    let default = if users.is_empty() {
        AuthWord::None
    } else {
        AuthWord::Users
    };
    match word.as_ref().map_or(default, |w| w.value) {
        AuthWord::None => Auth::None,
        AuthWord::Accept => Auth::Accept,
        AuthWord::Users => {
            if let Some(word) = word.filter(|_| users.is_empty()) {
                let help = "add `[[apn.user]]` with `name` and `password`";
                let mistake = word.place.mistake(Kind::Clash, "there are no users", help);
                table.sink().add(mistake);
            }
            Auth::Users(users)
        }
    }
}

/// Name servers by their families; without a list they are those of the tenant's segment.
fn split(dns: Option<Vec<At<IpAddr>>>, tenant: Option<&Tenant>) -> (Vec<Ipv4Addr>, Vec<Ipv6Addr>) {
    let own = || {
        let hosts = tenant.into_iter().flat_map(|t| &t.hosts);
        let serving = hosts.filter(|h| h.services.contains(&Service::Dns));
        serving.map(|h| h.address).collect()
    };
    let all: Vec<IpAddr> = dns.map_or_else(own, |d| d.into_iter().map(|a| a.value).collect());
    let v4 = all.iter().filter_map(|a| match a {
        IpAddr::V4(a) => Some(*a),
        IpAddr::V6(_) => None,
    });
    let v6 = all.iter().filter_map(|a| match a {
        IpAddr::V6(a) => Some(*a),
        IpAddr::V4(_) => None,
    });
    (v4.collect(), v6.collect())
}
