//! From the files of a configuration to the two sides of TLS.

use core::net::SocketAddr;
use std::io;
use std::path::Path;

use heiiki_net::http::Target;
use heiiki_net::tls::{Acceptor, Connector, Identity, read_certificates};

use super::failure::Failure;
use super::node::Config;
use crate::file::{Admin, AdminUrl, GatewayEntry, HssFile, SharedStore, TlsFiles};

const HELP: &str = "name PEM files: the certificate with its chain, and its key with mode 0600";

/// As whom S6a is served over TLS.
pub(super) fn s6a(
    config: Config<'_>,
    file: &HssFile,
) -> Result<Option<(SocketAddr, Acceptor)>, Failure> {
    let Some(s6a) = &file.s6a_tls else {
        return Ok(None);
    };
    let pinned: Vec<_> = file
        .mmes
        .iter()
        .flat_map(|m| m.certificates.iter().copied())
        .collect();
    if s6a.files.ca.is_none() && pinned.is_empty() {
        let problem = "no certificate of a peer would be accepted";
        let help = "add `ca = \"ca.pem\"` here, or `certificates` in the peers' sections";
        return Err(config.blame("s6a.tls.certificate", problem, help));
    }
    let acceptor = identity(&s6a.files).and_then(|identity| {
        let authorities = match &s6a.files.ca {
            Some(ca) => read_certificates(ca)?,
            None => Vec::new(),
        };
        Acceptor::with_clients(identity, authorities, pinned)
    });
    let acceptor =
        acceptor.map_err(|e| config.blame("s6a.tls.certificate", &e.to_string(), HELP))?;
    Ok(Some((s6a.listen, acceptor)))
}

/// As whom an HTTP interface is served over TLS.
pub(super) fn admin(config: Config<'_>, admin: &Admin) -> Result<Option<Acceptor>, Failure> {
    let acceptor = admin
        .tls
        .as_ref()
        .map(|files| identity(files).and_then(Acceptor::without_clients));
    acceptor
        .transpose()
        .map_err(|e| config.blame("admin.certificate", &e.to_string(), HELP))
}

/// How the HSS calls a gateway.
pub(super) fn gateway(
    config: Config<'_>,
    place: usize,
    entry: &GatewayEntry,
) -> Result<Target, Failure> {
    let name = entry.server_name.as_deref();
    target(&entry.admin, entry.ca.as_deref(), name)
        .map_err(|e| config.blame(&format!("gateway[{place}].ca"), &e.to_string(), HELP))
}

/// How an HTTP interface is called whose certificate comes from `ca` and has `name`, or the
/// address.
pub(super) fn target(url: &AdminUrl, ca: Option<&Path>, name: Option<&str>) -> io::Result<Target> {
    if !url.tls {
        return Ok(url.address.into());
    }
    let authorities = match ca {
        Some(ca) => read_certificates(ca)?,
        None => Vec::new(),
    };
    let address = url.address.ip().to_string();
    Ok(Target {
        address: url.address,
        tls: Some(Connector::new(authorities, name.unwrap_or(&address))?),
    })
}

/// How the shared store is trusted, if it is called over TLS.
pub(super) fn postgres(
    config: Config<'_>,
    shared: &SharedStore,
) -> Result<Option<Connector>, Failure> {
    let Some(ca) = &shared.ca else {
        return Ok(None);
    };
    let name = shared.server_name.as_deref();
    let Some(name) = name.or_else(|| shared.address.server_name()) else {
        let help = "leave `ca` out: what goes through a socket folder stays on this machine";
        return Err(config.blame("postgres.ca", "a socket folder has no TLS", help));
    };
    read_certificates(ca)
        .and_then(|authorities| Connector::new(authorities, name))
        .map(Some)
        .map_err(|e| config.blame("postgres.ca", &e.to_string(), HELP))
}

fn identity(files: &TlsFiles) -> io::Result<Identity> {
    Identity::read(&files.certificate, &files.key)
}
