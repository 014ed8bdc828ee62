//! `hss.toml`.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use heiiki_types::{Apn, Duration, Prefix};

use super::names::Names;
use super::peer::peers;
use crate::file::mistake::{Kind, Source};
use crate::file::reader::{Sink, Table, parse};
use crate::file::value::{Octets, choices};
use crate::file::{
    Admin, AdminUrl, ConnectionLimits, Equipment, GatewayEntry, HssFile, RefuseAt, S6aTls,
    SctpMode, StoreKeyFiles, SuspendedAnswer, TenantRule, TlsFiles, TokenFiles,
};

choices!(SuspendedAnswer {
    "user_unknown" => Self::UserUnknown,
    "roaming_not_allowed" => Self::RoamingNotAllowed,
});

/// Reads `hss.toml`.
pub(in crate::file) fn hss(source: &Arc<Source>, path: &Path, sink: &Sink) -> Option<HssFile> {
    parse(source, sink, |mut root| {
        let origin_host =
            root.required::<String>("origin_host", "\"hss.epc.mnc001.mcc001.3gppnetwork.org\"");
        let origin_realm =
            root.required::<String>("origin_realm", "\"epc.mnc001.mcc001.3gppnetwork.org\"");
        let store = root.or("store", PathBuf::from("hss-data"));
        let store_key = StoreKeyFiles {
            file: super::beside(
                path,
                &root.or("store_key_file", PathBuf::from("hss-store-key")),
            ),
            previous: root
                .list::<PathBuf>("previous_store_key_files")
                .unwrap_or_default()
                .iter()
                .map(|file| super::beside(path, &file.value))
                .collect(),
        };
        let subscribers = root.optional::<PathBuf>("subscribers");
        let default = Admin {
            listen: loopback(8081),
            token_file: PathBuf::from("hss-token"),
            tls: None,
        };
        let admin = super::admin(&mut root, default, path);
        let tokens = tokens(&mut root, path);
        let s6a = s6a(&mut root, path);
        let audit_rotate_at = audit(&mut root);
        let (unknown, absent) = equipment(&mut root);
        let mmes = peers(&mut root);
        let gateways = gateways(&mut root, path);
        let tenants = tenants(&mut root);
        let shared_store = super::shared_store::shared_store(&mut root, path);
        root.finish();
        Some(HssFile {
            origin_host: origin_host?.value,
            origin_realm: origin_realm?.value,
            s6a: s6a.listen,
            s6a_tls: s6a.tls,
            audit_rotate_at,
            sctp: s6a.sctp,
            sctp_listen: s6a.sctp_listen,
            sctp_udp: s6a.sctp_udp,
            admin,
            tokens,
            store: super::beside(path, &store),
            store_key,
            subscribers: subscribers.map(|s| super::beside(path, &s)),
            mmes,
            gateways,
            tenants,
            watchdog: s6a.watchdog,
            request_timeout: s6a.request_timeout,
            connections: s6a.connections,
            unknown_equipment: unknown,
            absent_equipment: absent,
            shared_store,
        })
    })
}

/// The port that IANA gave to SCTP over UDP.
pub(super) const SCTP_UDP_PORT: u16 = 9899;
fn tokens(root: &mut Table<'_>, path: &Path) -> TokenFiles {
    let mut tokens = TokenFiles::default();
    if let Some(mut table) = root.table("tokens") {
        for (key, file) in [
            ("read", &mut tokens.read),
            ("cut_only", &mut tokens.cut_only),
            ("operate", &mut tokens.operate),
            ("provision", &mut tokens.provision),
        ] {
            let named = table.optional::<PathBuf>(key);
            *file = named.map(|f| super::beside(path, &f.value));
        }
        table.finish();
    }
    tokens
}

pub(super) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

choices!(SctpMode {
    "auto" => Self::Auto, "kernel" => Self::Kernel, "udp" => Self::Udp, "off" => Self::Off,
});

struct S6a {
    listen: SocketAddr,
    sctp: SctpMode,
    sctp_listen: Option<SocketAddr>,
    sctp_udp: SocketAddr,
    watchdog: Duration,
    request_timeout: Duration,
    connections: ConnectionLimits,
    tls: Option<S6aTls>,
}

fn s6a(root: &mut Table<'_>, path: &Path) -> S6a {
    let mut s6a = S6a {
        listen: loopback(3868),
        sctp: SctpMode::Auto,
        sctp_listen: None,
        sctp_udp: loopback(SCTP_UDP_PORT),
        watchdog: Duration::from_secs(30),
        request_timeout: Duration::from_secs(5),
        connections: ConnectionLimits {
            total: 1_000,
            per_address: 100,
            handshake: Duration::from_secs(10),
        },
        tls: None,
    };
    if let Some(mut table) = root.table("s6a") {
        let listen = table.optional::<SocketAddr>("listen");
        let sctp_listen = table.optional::<SocketAddr>("sctp_listen");
        let sctp_udp = table.optional::<SocketAddr>("sctp_udp");
        let addresses = [&listen, &sctp_listen, &sctp_udp];
        super::clear_text(&mut table, addresses.into_iter().flatten());
        let own = listen.as_ref().map_or(s6a.listen, |l| l.value);
        s6a = S6a {
            listen: own,
            sctp: table.or("sctp", s6a.sctp),
            // Named or not, the address of TCP is the address of TCP.
            sctp_listen: sctp_listen.map(|l| l.value).filter(|l| *l != own),
            // Whoever serves another address than the default serves it on every transport.
            sctp_udp: sctp_udp
                .map_or_else(|| SocketAddr::new(own.ip(), SCTP_UDP_PORT), |l| l.value),
            watchdog: table.or("watchdog", s6a.watchdog),
            request_timeout: table.or("request_timeout", s6a.request_timeout),
            connections: ConnectionLimits {
                total: table.or("connections", s6a.connections.total),
                per_address: table.or("connections_per_address", s6a.connections.per_address),
                handshake: table.or("handshake_timeout", s6a.connections.handshake),
            },
            tls: table.table("tls").and_then(|t| s6a_tls(t, path)),
        };
        table.finish();
    }
    s6a
}

/// `[s6a.tls]`.
fn s6a_tls(mut table: Table<'_>, path: &Path) -> Option<S6aTls> {
    let listen = table.or("listen", loopback(5658));
    let certificate = table.required::<PathBuf>("certificate", "\"hss.pem\"");
    let key = table.required::<PathBuf>("key", "\"hss.key\"");
    let ca = table.optional::<PathBuf>("ca");
    table.finish();
    Some(S6aTls {
        listen,
        files: TlsFiles {
            certificate: super::beside(path, &certificate?),
            key: super::beside(path, &key?),
            ca: ca.map(|ca| super::beside(path, &ca)),
        },
    })
}

/// `[audit]`.
fn audit(root: &mut Table<'_>) -> u64 {
    const DEFAULT: u64 = 64 << 20;
    let Some(mut table) = root.table("audit") else {
        return DEFAULT;
    };
    let rotate_at = table.optional::<Octets>("rotate_at");
    table.finish();
    rotate_at.map_or(DEFAULT, |r| r.value.0)
}

choices!(Equipment { "allow" => Self::Allow, "refuse" => Self::Refuse });

/// What becomes of equipment on no list, and of equipment that does not tell what it is.
fn equipment(root: &mut Table<'_>) -> (Equipment, Equipment) {
    let (mut unknown, mut absent) = (Equipment::Allow, Equipment::Allow);
    if let Some(mut table) = root.table("equipment") {
        unknown = table.or("unknown", unknown);
        absent = table.or("absent", absent);
        table.finish();
    }
    (unknown, absent)
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
        let default = AdminUrl {
            address: loopback(8082),
            tls: false,
        };
        let admin = table.optional::<AdminUrl>("admin");
        if let Some(admin) = &admin
            && !admin.tls
            && !admin.address.ip().is_loopback()
        {
            let problem = "it is on another machine, and the token would travel in clear text";
            let help = format!("write \"https://{}\", and `ca = \"ca.pem\"`", admin.address);
            let mistake = admin.place.mistake(Kind::Clash, problem, help);
            table.sink().add(mistake);
        }
        let admin = admin.map_or(default, |a| a.value);
        let ca = table.optional::<PathBuf>("ca");
        let server_name = table.optional::<String>("server_name").map(|n| n.value);
        if admin.tls && ca.is_none() {
            table.missing(
                "ca",
                "add whom its certificate comes from: `ca = \"ca.pem\"`",
            );
        }
        let token_file = table.required::<PathBuf>("token_file", "\"pgw-operate-token\"");
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
                ca: ca.map(|ca| super::beside(path, &ca)),
                server_name,
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
        let suspended_answer = table.or("suspended_answer", SuspendedAnswer::UserUnknown);
        table.finish();
        tenants.extend(name.map(|name| TenantRule {
            name: name.value,
            refuse_at,
            suspended_answer,
        }));
    }
    tenants
}
