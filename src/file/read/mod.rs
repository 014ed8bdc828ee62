//! From a file's tables to its typed content.

mod access_point;
mod assert;
mod bearer;
mod destination;
mod hss;
mod lab;
mod link;
mod names;
mod peer;
mod pgw;
mod scenario;
mod shared_store;
mod sim;
mod step;
mod subscribers;
mod tenant;
mod traffic;
mod ue_sim;

pub(super) use hss::hss;
pub(super) use lab::lab;
pub(super) use pgw::pgw;
pub(super) use scenario::scenario;
pub(super) use subscribers::rows as subscribers;
pub(super) use ue_sim::ue_sim;

use core::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::mistake::{Kind, Place, Source};
use super::reader::{At, Sink, Table};
use super::{Admin, TlsFiles};

/// Reads a file into a source, or reports why not at the place that names it.
pub(super) fn open(path: &Path, sink: &Sink, named_at: Option<&Place>) -> Option<Arc<Source>> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Some(Source::new(name, text)),
        Err(error) => {
            let problem = format!("{name} cannot be read: {error}");
            let help = "give the path of a file that exists and that you may read";
            let own = || Place {
                source: Source::new(name.clone(), String::new()),
                span: 0..0,
                key: String::new(),
            };
            let place = named_at.cloned().unwrap_or_else(own);
            sink.add(place.mistake(Kind::Value, problem, help));
            None
        }
    }
}

/// A path in a file is relative to the file.
fn beside(base: &Path, path: &Path) -> PathBuf {
    base.parent()
        .map_or_else(|| path.to_owned(), |folder| folder.join(path))
}

/// The version of the file language. It is 0 until the language is declared stable.
fn format(table: &mut Table<'_>) {
    if let Some(format) = table.required::<u32>("format", "0")
        && format.value != 0
    {
        let problem = format!("format {} is not known", format.value);
        let help = "this version reads format 0: write `format = 0`";
        table
            .sink()
            .add(format.place.mistake(Kind::Value, problem, help));
    }
}

/// The `[admin]` section, with the defaults of the node.
fn admin(root: &mut Table<'_>, default: Admin, base: &Path) -> Admin {
    let Some(mut table) = root.table("admin") else {
        return Admin {
            token_file: beside(base, &default.token_file),
            ..default
        };
    };
    let listen = table.optional::<SocketAddr>("listen");
    let certificate = table.optional::<PathBuf>("certificate");
    let key = table.optional::<PathBuf>("key");
    let ca = table.optional::<PathBuf>("ca");
    if certificate.is_some() && key.is_none() {
        table.missing("key", "add the file with the key of the certificate");
    }
    if certificate.is_none() && (key.is_some() || ca.is_some()) {
        table.missing(
            "certificate",
            "add the file with the certificate of the key",
        );
    }
    if let Some(listen) = &listen
        && !listen.ip().is_loopback()
        && certificate.is_none()
    {
        let problem = format!(
            "`{}` can be reached from outside, and the token would travel in clear text",
            listen.value
        );
        let help = "listen on a loopback address, such as \"127.0.0.1:8082\", or add `certificate` \
                    and `key` for TLS";
        table
            .sink()
            .add(listen.place.mistake(Kind::Clash, problem, help));
    }
    let token_file = table.or("token_file", default.token_file);
    table.finish();
    let tls = certificate.zip(key).map(|(certificate, key)| TlsFiles {
        certificate: beside(base, &certificate),
        key: beside(base, &key),
        ca: ca.map(|ca| beside(base, &ca)),
    });
    Admin {
        listen: listen.map_or(default.listen, |l| l.value),
        token_file: beside(base, &token_file),
        tls,
    }
}

/// Diameter off loopback goes in clear text, which must be asked for by name.
fn clear_text<'a>(table: &mut Table<'_>, addresses: impl IntoIterator<Item = &'a At<SocketAddr>>) {
    let allowed = table.or("allow_clear", false);
    for address in addresses {
        if allowed || address.ip().is_loopback() {
            continue;
        }
        let problem = format!(
            "`{}` is not on this machine, and S6a would travel in clear text",
            address.value
        );
        let help = "use a loopback address, or write `allow_clear = true` in this section";
        table
            .sink()
            .add(address.place.mistake(Kind::Clash, problem, help));
    }
}
