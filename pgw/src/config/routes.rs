use alloc::format;
use alloc::vec::Vec;

use heiiki_types::{Imsi, Prefix};

use super::check::{Access, Check, Tenant};
use super::mistake::Mistake;
use super::{PgwConfig, TenantId};

/// Routes that one SIM has at most at one access point.
pub(crate) const ROUTES_MAX: usize = 16;

impl Check<'_> {
    /// Networks behind UEs: within what the tenant declares and nobody else's. An overlap would make
    /// it a matter of order who gets a packet, so it is refused before anything starts.
    pub(super) fn routes(&mut self, tenants: &[Tenant], accesses: &[Access]) {
        let config = self.config;
        let mut seen: Vec<(TenantId, Prefix)> = Vec::new();
        for (i, apn) in config.apns.iter().enumerate() {
            let name = apn.apn.network_identifier();
            let access = accesses
                .iter()
                .find(|a| a.config.apn.network_identifier() == name);
            let Some(access) = access else { continue };
            let tenant = access.tenant;
            let Some(checked) = tenants.get(usize::from(tenant.0)) else {
                continue;
            };
            for (j, route) in apn.routes.iter().enumerate() {
                let path = format!("apns[{i}].routes[{j}]");
                let prefix = route.prefix;
                let covers = |d: super::CheckedPrefix| d.prefix().covers(prefix);
                let own = |a: &Access| a.tenant == tenant;
                let clashes = accesses
                    .iter()
                    .filter(|a| own(a))
                    .any(|a| a.prefixes().any(|p| p.overlaps(prefix)))
                    || has_host(config, tenant, prefix)
                    || self.core.iter().any(|own| own.overlaps(prefix))
                    || seen.iter().any(|(t, p)| *t == tenant && p.overlaps(prefix));
                let of_sim = |imsi: Imsi| apn.routes.iter().filter(|r| r.imsi == imsi).count();
                if !checked.declared.iter().any(covers) {
                    self.wrong(path, Mistake::RouteOutside);
                } else if clashes {
                    self.wrong(path, Mistake::RouteOverlap);
                } else if of_sim(route.imsi) > ROUTES_MAX {
                    self.wrong(path, Mistake::Routes);
                }
                seen.push((tenant, prefix));
            }
        }
    }
}

fn has_host(config: &PgwConfig, tenant: TenantId, prefix: Prefix) -> bool {
    let tenant = config.tenants.get(usize::from(tenant.0));
    tenant.is_some_and(|t| t.hosts.iter().any(|h| prefix.contains(h.address)))
}
