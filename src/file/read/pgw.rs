//! `pgw.toml`.

use core::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use heiiki_types::{Duration, Prefix};

use super::hss::{loopback, this_machine};
use super::lab::{echo, quarantine};
use super::names::Names;
use super::tenant::{Scope, Tenants};
use crate::file::mistake::{Kind, Source};
use crate::file::reader::{Sink, Table, parse};
use crate::file::{Admin, PgwFile};

/// Reads `pgw.toml`.
pub(in crate::file) fn pgw(source: &Arc<Source>, path: &Path, sink: &Sink) -> Option<PgwFile> {
    parse(source, sink, |mut root| {
        let name = root.or("name", String::from("pgw"));
        let store = root.or("store", PathBuf::from("pgw-data"));
        let default = Admin {
            listen: loopback(8082),
            token_file: PathBuf::from("pgw-token"),
            tls: None,
        };
        let operate = root.or("operate_token_file", PathBuf::from("pgw-operate-token"));
        let cut_only = root.or("cut_only_token_file", PathBuf::from("pgw-cut-token"));
        let admin = super::admin(&mut root, default, path);
        let s5c = s5c(&mut root);
        let s5u = s5u(&mut root);
        let infrastructure = root.list::<Prefix>("infrastructure");
        let quarantine = quarantine(&mut root, s5c.t3.saturating_mul(s5c.n3));
        let mut tenants = Tenants::new(Scope::Gateway);
        tenants.read_tenants(&mut root);
        tenants.read_apns(&mut root);
        for (key, example) in [("tenant", "\"red\""), ("apn", "\"red.corp\"")] {
            if !root.has(key) {
                root.missing(
                    key,
                    format!("add a section `[[{key}]]` with `name = {example}`"),
                );
            }
        }
        if let Some(infrastructure) = &infrastructure {
            tenants.check_infrastructure(infrastructure, sink);
        }
        root.finish();
        Some(PgwFile {
            name,
            s5c: s5c.listen,
            s5u,
            sgws: s5c.sgws,
            admin,
            operate_token_file: super::beside(path, &operate),
            cut_only_token_file: super::beside(path, &cut_only),
            store: super::beside(path, &store),
            tenants: tenants.all,
            apns: tenants.apns,
            infrastructure: infrastructure
                .map_or_else(this_machine, |i| i.into_iter().map(|p| p.value).collect()),
            quarantine,
            t3: s5c.t3,
            n3: s5c.n3,
            echo: s5c.echo,
        })
    })
}

struct S5c {
    listen: SocketAddr,
    sgws: Vec<Prefix>,
    t3: Duration,
    n3: u32,
    echo: Duration,
}

/// Where the gateway of one machine listens, apart from an SGW on the same one.
fn own_loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(127, 0, 0, 3), port))
}

fn s5c(root: &mut Table<'_>) -> S5c {
    let mut s5c = S5c {
        listen: own_loopback(2123),
        sgws: this_machine(),
        t3: Duration::from_secs(3),
        n3: 3,
        echo: Duration::from_mins(1),
    };
    if let Some(mut table) = root.table("s5c") {
        s5c.listen = table.or("listen", s5c.listen);
        if let Some(sgws) = table.list::<Prefix>("sgws") {
            s5c.sgws = sgws.into_iter().map(|s| s.value).collect();
        }
        s5c.t3 = table.or("t3", s5c.t3);
        s5c.n3 = table.or("n3", s5c.n3);
        s5c.echo = echo(&mut table);
        table.finish();
    }
    s5c
}

fn s5u(root: &mut Table<'_>) -> Vec<SocketAddr> {
    let mut names = Names::<SocketAddr>::new("address");
    let mut listen = Vec::new();
    if let Some(mut table) = root.table("s5u") {
        for address in table.list::<SocketAddr>("listen").unwrap_or_default() {
            // Port 0 is any free port, so it may come more than once.
            if address.port() == 0 || names.add(address.value, &address.place, table.sink()) {
                listen.push(address.value);
            }
        }
        if listen.is_empty() && table.has("listen") {
            let place = table.place_of("listen");
            let help = "write one address for each worker, such as [\"127.0.0.3:2152\"]";
            table
                .sink()
                .add(place.mistake(Kind::Value, "no worker has an address", help));
        }
        table.finish();
    }
    if listen.is_empty() {
        listen.push(own_loopback(2152));
    }
    listen
}
