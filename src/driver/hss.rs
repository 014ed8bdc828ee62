//! An HSS on real sockets.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use heiiki_hss::{Hss, HssConfig, Input, Output, StoreKeys, SubscriberImport, Tokens};
use heiiki_net::postgres::PostgresConfig;
use heiiki_net::reactor::{Limits, Reactor};
use heiiki_net::sctp::Deliver;
use heiiki_net::{http, tls};
use heiiki_types::{ConnId, HttpRequest, Lane, Rng, StreamInput, StreamOutput};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::admin::{Admin, Events};
use super::epoch_file;
use super::hss_store::Store;
use super::listen::{StartError, listen};
use super::runtime::Runtime;
use super::sctp::{self, Associations, SctpSetup, SctpWay};
use super::thread::{Inbox, NodeThread, Side, Waiting};
use super::tls_streams::TlsStreams;
use super::{AuditLog, Sink, Taps};
use crate::Link;
use crate::audit::select::Note;
use crate::log::{Frame, NodeEvent};

/// How long a gateway may take to answer before the machine hears that it did not.
const GATEWAY_TIMEOUT: Duration = Duration::from_secs(2);

/// What an HSS needs beside its own configuration.
pub struct HssSetup {
    /// What the node is told.
    pub config: HssConfig,
    /// Who may call it.
    pub tokens: Tokens,
    /// The master keys of its store.
    pub store_keys: StoreKeys,
    /// Whether its store was restored from a backup.
    pub restored: bool,
    /// What is imported at the start.
    pub subscribers: Vec<SubscriberImport>,
    /// Where it listens for MMEs.
    pub s6a: SocketAddr,
    /// Whether and where it listens for MMEs that come over SCTP.
    pub sctp: SctpSetup,
    /// Where it listens for operators.
    pub admin: SocketAddr,
    /// What crosses S6a is reported here.
    pub taps: Taps,
    /// Its store, a file, unless it shares one.
    pub store: PathBuf,
    /// The store that it shares with other front ends.
    pub shared: Option<PostgresConfig>,
    /// The HTTP interface of each gateway.
    pub gateways: BTreeMap<String, http::Target>,
    /// S6a over TLS: where, and as whom.
    pub s6a_tls: Option<(SocketAddr, tls::Acceptor)>,
    /// As whom it answers operators over TLS; in clear text without.
    pub admin_tls: Option<tls::Acceptor>,
    /// Where refusals, orders and changes are recorded.
    pub audit: Option<AuditLog>,
}

impl core::fmt::Debug for HssSetup {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("HssSetup")
            .field("s6a", &self.s6a)
            .finish_non_exhaustive()
    }
}

/// A running HSS.
#[derive(Debug)]
pub struct HssServer {
    node: Option<NodeThread<Hss>>,
    tasks: Vec<JoinHandle<()>>,
    tls_streams: Option<std::sync::mpsc::Receiver<()>>,
    sctp_streams: Option<std::sync::mpsc::Receiver<()>>,
    s6a: SocketAddr,
    sctp: SctpWay,
    s6a_tls: Option<SocketAddr>,
    admin: SocketAddr,
    audit: Option<AuditLog>,
}

/// The highest epoch that the file beside a store knows of: none without such a file.
fn known_epoch(store: Option<&Path>) -> Result<u64, StartError> {
    let Some(store) = store else { return Ok(0) };
    epoch_file::read(store).map_err(|e| StartError::new("store", store.display(), e))
}

impl HssServer {
    /// Binds, reads the store and serves.
    ///
    /// # Errors
    /// When an address cannot be bound or the store cannot be opened.
    pub fn start(
        setup: HssSetup,
        rng: Rng,
        runtime: &Runtime,
        sink: Sink,
    ) -> Result<Self, StartError> {
        let (s6a, s6a_address) = listen(runtime, "s6a", setup.s6a)?;
        let (admin, admin_address) = listen(runtime, "admin.listen", setup.admin)?;
        let no_sockets = |e| StartError::new("s6a", s6a_address, e);
        let reactor = s6a
            .into_std()
            .and_then(|s6a| Reactor::new(Some(s6a), Limits::default()))
            .map_err(no_sockets)?;
        let waiting = Waiting::<Hss>::on(&reactor);
        let inbox = waiting.inbox();
        let epoch_beside = setup.shared.is_none().then(|| setup.store.clone());
        let storage = Store::open(&setup.store, setup.shared, &inbox)?;
        let known_epoch = known_epoch(epoch_beside.as_deref())?;
        let tap = StreamTap {
            taps: setup.taps,
            local: s6a_address,
            peers: BTreeMap::new(),
        };
        let (audit, tls) = (setup.audit, setup.s6a_tls);
        let tls = TlsStreams::start(runtime, tls, &inbox, audit.as_ref())?;
        let sctp = sctp::listen(&setup.sctp, s6a_address, runtime, &deliver(&inbox))?;
        let (calls, events) = (Admin::default(), Events::default());
        let handler = {
            let inbox = inbox.clone();
            let deliver = move |call, request| inbox.send(Input::Admin { call, request });
            calls.handler(events.clone(), audit.clone(), deliver)
        };
        let served = runtime
            .handle()
            .spawn(http::serve(admin, setup.admin_tls, handler));
        let side = Router {
            inbox: inbox.clone(),
            tls_streams: tls.outputs,
            sctp: sctp.associations,
            audit: audit.clone(),
            storage,
            epoch_beside,
            calls,
            events,
            gateways: setup.gateways,
            runtime: runtime.handle().clone(),
            sink,
            tap,
        };
        let mut machine = Hss::new(setup.config, rng, setup.tokens)
            .with_store_keys(&setup.store_keys)
            .with_known_epoch(known_epoch);
        if setup.restored {
            machine = machine.after_restore();
        }
        let node = waiting
            .run_on("hss", machine, reactor, side)
            .map_err(|e| StartError::new("thread", "hss", e))?;
        inbox.act(move |hss, now| {
            // What is wrong with an import by itself was told when its file was read.
            let _ = hss.import(now, setup.subscribers);
            hss.start(now);
        });
        Ok(Self {
            node: Some(node),
            tasks: vec![served],
            tls_streams: tls.ended,
            sctp_streams: sctp.ended,
            s6a: s6a_address,
            sctp: sctp.way,
            s6a_tls: tls.address,
            admin: admin_address,
            audit,
        })
    }

    /// The way into the machine.
    pub fn inbox(&self) -> Option<Inbox<Hss>> {
        self.node.as_ref().map(NodeThread::inbox)
    }

    /// Where it listens for MMEs.
    pub const fn s6a(&self) -> SocketAddr {
        self.s6a
    }

    /// Where it listens for MMEs over TLS.
    pub const fn s6a_tls(&self) -> Option<SocketAddr> {
        self.s6a_tls
    }

    /// Whether and where it listens for MMEs that come over SCTP.
    pub const fn sctp(&self) -> SctpWay {
        self.sctp
    }

    /// Its audit log.
    pub const fn audit(&self) -> Option<&AuditLog> {
        self.audit.as_ref()
    }

    /// Where it listens for operators.
    pub const fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Says goodbye to the peers, writes what is unwritten and ends.
    pub fn stop(mut self) {
        for task in &self.tasks {
            task.abort();
        }
        if let Some(node) = self.node.take() {
            node.inbox().act(Hss::stop);
            node.stop();
        }
        for ended in [self.tls_streams.take(), self.sctp_streams.take()]
            .into_iter()
            .flatten()
        {
            // It ends when the node's thread no longer sends: nothing is ever said here.
            let _ = ended.recv_timeout(Duration::from_secs(2));
        }
    }
}

/// What happens on associations goes in with everything else.
fn deliver(inbox: &Inbox<Hss>) -> Deliver {
    let inbox = inbox.clone();
    Arc::new(move |input| inbox.send(Input::Stream(input)))
}

/// Where the outputs of the machine go.
struct Router {
    inbox: Inbox<Hss>,
    tls_streams: Option<mpsc::UnboundedSender<StreamOutput>>,
    sctp: Option<Associations>,
    audit: Option<AuditLog>,
    storage: Store,
    /// The store whose epoch is kept beside it.
    epoch_beside: Option<PathBuf>,
    calls: Admin,
    events: Events,
    gateways: BTreeMap<String, http::Target>,
    runtime: tokio::runtime::Handle,
    sink: Sink,
    tap: StreamTap,
}

/// Reports what crosses the connections of S6a.
struct StreamTap {
    taps: Taps,
    local: SocketAddr,
    /// Who is at the other end of each connection.
    peers: BTreeMap<ConnId, SocketAddr>,
}

impl StreamTap {
    fn received(&mut self, input: &StreamInput) {
        match input {
            StreamInput::Accepted { conn, peer } => drop(self.peers.insert(*conn, *peer)),
            StreamInput::Closed { conn } => drop(self.peers.remove(conn)),
            StreamInput::Connected { .. } => {}
            StreamInput::Data { conn, octets } => {
                if let Some(from) = self.peers.get(conn).copied() {
                    let to = self.local;
                    self.taps
                        .frame(Link::S6a, &Frame::Stream { from, to, octets });
                }
            }
        }
    }

    fn sent(&mut self, output: &StreamOutput) {
        match output {
            StreamOutput::Send { conn, octets } => {
                if let Some(to) = self.peers.get(conn).copied() {
                    let from = self.local;
                    self.taps
                        .frame(Link::S6a, &Frame::Stream { from, to, octets });
                }
            }
            // No `Closed` follows.
            StreamOutput::Close { conn } => drop(self.peers.remove(conn)),
            StreamOutput::Connect { .. } => {}
        }
    }
}

impl Side<Hss> for Router {
    fn take(&mut self, input: StreamInput) -> Input {
        if self.tap.taps.is_on() {
            self.tap.received(&input);
        }
        Input::Stream(input)
    }

    fn route(&mut self, output: Output, reactor: &mut Reactor) {
        match output {
            Output::Stream(output) => {
                if self.tap.taps.is_on() {
                    self.tap.sent(&output);
                }
                let conn = output.conn();
                match (conn.lane(), &self.tls_streams, &self.sctp) {
                    (Lane::Tls, Some(tls), _) if conn.is_accepted() => drop(tls.send(output)),
                    (Lane::Sctp, _, Some(sctp)) if conn.is_accepted() => sctp.send(output),
                    _ => reactor.act(output),
                }
            }
            Output::AdminReply { call, response } => self.calls.reply(call, response),
            Output::GatewayCall {
                call,
                gateway,
                request,
            } => {
                self.call_gateway(call, &gateway, request);
            }
            Output::Storage(output) => {
                if let Some(input) = self.storage.act(output) {
                    self.inbox.send(Input::Storage(input));
                }
            }
            Output::Shared(output) => self.storage.share(output),
            Output::Event(event) => {
                if let (heiiki_hss::Event::Serving { epoch, .. }, Some(store)) =
                    (&event, &self.epoch_beside)
                    && let Err(error) = epoch_file::write(store, *epoch)
                {
                    tracing::warn!(%error, "the epoch cannot be kept beside the store");
                }
                if let Some(audit) = &self.audit
                    && let Some(note) = Note::of(&event)
                {
                    audit.take(note);
                }
                let entry = (self.sink)(NodeEvent::Hss(event));
                self.events.publish(&entry);
            }
        }
    }
}

impl Router {
    fn call_gateway(&self, call: heiiki_types::CallId, gateway: &str, request: HttpRequest) {
        let inbox = self.inbox.clone();
        let Some(address) = self.gateways.get(gateway).cloned() else {
            inbox.send(Input::GatewayReply {
                call,
                result: Err(()),
            });
            return;
        };
        self.runtime.spawn(async move {
            let result = http::call(address, &request, GATEWAY_TIMEOUT)
                .await
                .map_err(drop);
            inbox.send(Input::GatewayReply { call, result });
        });
    }
}
