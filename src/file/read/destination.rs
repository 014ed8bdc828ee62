//! Where a step or an assertion points to.

use core::net::{IpAddr, SocketAddr};

use super::step::{Names, known};
use crate::file::Destination;
use crate::file::mistake::Kind;
use crate::file::nearest::nearest;
use crate::file::reader::{At, Table};

/// Destinations that are one word.
const WORDS: [(&str, Destination); 5] = [
    ("intranet", Destination::Intranet),
    ("other_tenants", Destination::OtherTenants),
    ("neighbour", Destination::Neighbour),
    ("core", Destination::Core),
    ("outside", Destination::Outside),
];

impl Names<'_> {
    /// The destination of `key`, which may be left out when there is a default.
    pub(super) fn destination(
        self,
        table: &mut Table<'_>,
        key: &'static str,
        default: Option<Destination>,
    ) -> Option<Destination> {
        let name = match default {
            Some(default) if !table.has(key) => {
                table.optional::<String>(key);
                return Some(default);
            }
            _ => table.required::<String>(key, "\"intranet\"")?,
        };
        self.resolve(&name, table)
    }

    /// The destinations of `key`, if it is there.
    pub(super) fn destinations(
        self,
        table: &mut Table<'_>,
        key: &'static str,
    ) -> Option<Vec<Destination>> {
        let names = table.list::<String>(key)?;
        let all = names.iter().filter_map(|n| self.resolve(n, table));
        Some(all.collect())
    }

    /// The destination of `to`, if it is there.
    pub(super) fn optional_destination(self, table: &mut Table<'_>) -> Option<Destination> {
        let name = table.optional::<String>("to")?;
        self.resolve(&name, table)
    }

    fn resolve(self, name: &At<String>, table: &Table<'_>) -> Option<Destination> {
        if let Some((_, word)) = WORDS.into_iter().find(|(w, _)| *w == name.value) {
            return Some(word);
        }
        if let Ok(address) = name.parse::<IpAddr>() {
            let port = None;
            return Some(Destination::Address { address, port });
        }
        if let Ok(both) = name.parse::<SocketAddr>() {
            let (address, port) = (both.ip(), Some(both.port()));
            return Some(Destination::Address { address, port });
        }
        let named = |rest: &str| At {
            value: rest.to_owned(),
            place: name.place.clone(),
        };
        let tenants = &self.lab.tenants;
        match name.split_once(':') {
            Some(("host", rest)) => {
                let hosts = tenants.iter().flat_map(|t| &t.hosts);
                let hosts = hosts.map(|h| h.name.as_str());
                known("host", &named(rest), hosts, table).map(Destination::Host)
            }
            Some(("tenant", rest)) => {
                let tenants = tenants.iter().map(|t| t.name.as_str());
                known("tenant", &named(rest), tenants, table).map(Destination::Tenant)
            }
            Some(("ue", rest)) => self.one(&named(rest), table.sink()).map(Destination::Ue),
            _ => {
                let all = "write `intranet`, `neighbour`, `other_tenants`, `core`, `outside`, \
                           `host:NAME`, `tenant:NAME`, `ue:NAME`, an address, or ADDRESS:PORT";
                let help = match nearest(name, WORDS.iter().map(|(w, _)| *w)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => all.to_owned(),
                };
                let problem = format!("`{}` is not a destination", name.value);
                let mistake = name.place.mistake(Kind::Value, problem, help);
                table.sink().add(mistake);
                None
            }
        }
    }
}
