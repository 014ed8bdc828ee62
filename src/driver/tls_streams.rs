//! S6a over TLS beside the streams in clear text (RFC 6733 §2.2: a port of its own).

use core::net::SocketAddr;
use std::sync::mpsc::{Receiver, channel};

use heiiki_diameter::Certificate;
use heiiki_hss::{Hss, Input};
use heiiki_net::tls::{self, TlsInput};
use heiiki_types::StreamOutput;
use tokio::sync::mpsc;

use super::AuditLog;
use super::listen::{StartError, listen};
use super::runtime::Runtime;
use super::thread::Inbox;
use crate::audit::select::Note;

/// The running listener, if there is one.
#[derive(Default)]
pub(super) struct TlsStreams {
    pub(super) outputs: Option<mpsc::UnboundedSender<StreamOutput>>,
    /// Breaks off when everything is sent and closed.
    pub(super) ended: Option<Receiver<()>>,
    pub(super) address: Option<SocketAddr>,
}

impl TlsStreams {
    /// Listens; connections go to the machine as those in clear text do, with what their peers
    /// showed. Who fails before that is noted.
    pub(super) fn start(
        runtime: &Runtime,
        setup: Option<(SocketAddr, tls::Acceptor)>,
        inbox: &Inbox<Hss>,
        audit: Option<&AuditLog>,
    ) -> Result<Self, StartError> {
        let Some((address, acceptor)) = setup else {
            return Ok(Self::default());
        };
        let (listener, address) = listen(runtime, "s6a.tls.listen", address)?;
        let (inbox, audit) = (inbox.clone(), audit.cloned());
        let deliver = move |input| match input {
            TlsInput::Stream(input) => inbox.send(Input::Stream(input)),
            TlsInput::Certificate(conn, certificate) => {
                let certificate = Certificate {
                    names: certificate.names,
                    sha256: certificate.sha256,
                };
                inbox.send(Input::Certificate { conn, certificate });
            }
            TlsInput::Refused { from, why } => {
                tracing::warn!(%from, why, "a TLS connection was refused");
                if let Some(audit) = &audit {
                    audit.take(Note::refused_handshake(from, &why));
                }
            }
        };
        let (outputs, taken) = mpsc::unbounded_channel();
        let (end, ended) = channel();
        let streams = tls::run(listener, acceptor, taken, deliver);
        runtime.handle().spawn(async move {
            streams.await;
            drop(end);
        });
        Ok(Self {
            outputs: Some(outputs),
            ended: Some(ended),
            address: Some(address),
        })
    }
}
