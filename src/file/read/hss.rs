//! `hss.toml`.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use heiiki_types::{Apn, Duration, Prefix};

use super::names::Names;
use super::peer::peers;
use crate::file::mistake::Source;
use crate::file::reader::{Sink, Table, parse};
use crate::file::{Admin, ConnectionLimits, GatewayEntry, HssFile, RefuseAt, TenantRule};

/// Reads `hss.toml`.
pub(in crate::file) fn hss(source: &Arc<Source>, path: &Path, sink: &Sink) -> Option<HssFile> {
    parse(source, sink, |mut root| {
        let origin_host =
            root.required::<String>("origin_host", "\"hss.epc.mnc001.mcc001.3gppnetwork.org\"");
        let origin_realm =
            root.required::<String>("origin_realm", "\"epc.mnc001.mcc001.3gppnetwork.org\"");
        let store = root.or("store", PathBuf::from("hss-data"));
        let subscribers = root.optional::<PathBuf>("subscribers");
        let default = Admin {
            listen: loopback(8081),
            token_file: PathBuf::from("hss-token"),
        };
        let admin = super::admin(&mut root, default, path);
        let s6a = s6a(&mut root);
        let mmes = peers(&mut root);
        let gateways = gateways(&mut root, path);
        let tenants = tenants(&mut root);
        root.finish();
        Some(HssFile {
            origin_host: origin_host?.value,
            origin_realm: origin_realm?.value,
            s6a: s6a.listen,
            admin,
            store: super::beside(path, &store),
            subscribers: subscribers.map(|s| super::beside(path, &s)),
            mmes,
            gateways,
            tenants,
            watchdog: s6a.watchdog,
            request_timeout: s6a.request_timeout,
            connections: s6a.connections,
        })
    })
}

pub(super) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

struct S6a {
    listen: SocketAddr,
    watchdog: Duration,
    request_timeout: Duration,
    connections: ConnectionLimits,
}

fn s6a(root: &mut Table<'_>) -> S6a {
    let mut s6a = S6a {
        listen: loopback(3868),
        watchdog: Duration::from_secs(30),
        request_timeout: Duration::from_secs(5),
        connections: ConnectionLimits {
            total: 1_000,
            per_address: 100,
            handshake: Duration::from_secs(10),
        },
    };
    if let Some(mut table) = root.table("s6a") {
        let listen = table.optional::<SocketAddr>("listen");
        super::clear_text(&mut table, listen.as_ref());
        s6a = S6a {
            listen: listen.map_or(s6a.listen, |l| l.value),
            watchdog: table.or("watchdog", s6a.watchdog),
            request_timeout: table.or("request_timeout", s6a.request_timeout),
            connections: ConnectionLimits {
                total: table.or("connections", s6a.connections.total),
                per_address: table.or("connections_per_address", s6a.connections.per_address),
                handshake: table.or("handshake_timeout", s6a.connections.handshake),
            },
        };
        table.finish();
    }
    s6a
}

/// Everything that comes from this machine.
pub(super) fn this_machine() -> Vec<Prefix> {
    let v4 = Prefix::new(IpAddr::from([127, 0, 0, 0]), 8).ok();
    v4.into_iter().collect()
}

fn gateways(root: &mut Table<'_>, path: &Path) -> Vec<GatewayEntry> {
    let mut names = Names::<String>::new("gateway");
    let mut gateways = Vec::new();
    for mut table in root.tables("gateway") {
        let name = table.required::<String>("name", "\"pgw-1\"");
        if let Some(name) = &name {
            names.add(name.value.clone(), &name.place, table.sink());
        }
        let admin = table.or("admin", loopback(8082));
        let token_file = table.required::<PathBuf>("token_file", "\"pgw-cut-token\"");
        if !table.has("apns") {
            table.missing(
                "apns",
                "add the access points that it serves: `apns = [\"red.corp\"]`",
            );
        }
        let apns = table.list::<Apn>("apns").unwrap_or_default();
        table.finish();
        if let (Some(name), Some(token_file)) = (name, token_file) {
            gateways.push(GatewayEntry {
                name: name.value,
                admin,
                token_file: super::beside(path, &token_file),
                apns: apns.into_iter().map(|a| a.value).collect(),
            });
        }
    }
    gateways
}

fn tenants(root: &mut Table<'_>) -> Vec<TenantRule> {
    let mut names = Names::<String>::new("tenant");
    let mut tenants = Vec::new();
    for mut table in root.tables("tenant") {
        let name = table.required::<String>("name", "\"red\"");
        if let Some(name) = &name {
            names.add(name.value.clone(), &name.place, table.sink());
        }
        let refuse_at = table.or("refuse_at", RefuseAt::Ulr);
        table.finish();
        tenants.extend(name.map(|name| TenantRule {
            name: name.value,
            refuse_at,
        }));
    }
    tenants
}
