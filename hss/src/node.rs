//! The HSS as a machine: what goes in and out, and what waits for the disk.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use heiiki_diameter::base::DisconnectCause;
use heiiki_diameter::{
    AcceptRule, ApplicationId, Certificate, Endpoint, EndpointConfig, EndpointOutput, SessionIds,
};
use heiiki_types::{
    CallId, ConnId, HttpRequest, HttpResponse, Imsi, Instant, Machine, Now, PersistSeq, Rng,
    SharedInput, SharedOutput, StorageInput, StorageOutput, StreamInput, StreamOutput,
};

use crate::admin::Repeats;
use crate::auc::sqn::Epoch;
use crate::config::{HssConfig, Tokens};
use crate::cut::book::Book;
use crate::cut::bulk::Bulks;
use crate::cut::expiry::Expiries;
use crate::cut::history::History;
use crate::cut::watch::Watch;
use crate::cut::{CutId, Kind as OrderKind};
use crate::equipment::Equipment;
use crate::event::Event;
use crate::journal::Journal;
use crate::load::Loading;
use crate::s6a::errands::{Cancellations, Errands, Kind, Reset, Update};
use crate::s6a::peers::Peers;
use crate::seal::rotation::Rotation;
use crate::seal::{StoreKeys, Vault};
use crate::shared::Shared;
use crate::storage::Deferred;
use crate::subscriber::import::SubscriberImport;
use crate::subscriber::{RowIx, Subscribers};

/// What goes into an HSS. Printing it shows the kind and no contents: calls, rows and messages hold
/// keys.
#[derive(Clone, PartialEq, Eq)]
pub enum Input {
    /// Something happened on a Diameter connection.
    Stream(StreamInput),
    /// What the peer of a connection over TLS showed; right after its `Accepted`.
    Certificate {
        /// The connection.
        conn: ConnId,
        /// The certificate, verified by the driver.
        certificate: Certificate,
    },
    /// An administrative call.
    Admin {
        /// Ties the reply to it.
        call: CallId,
        /// The call.
        request: HttpRequest,
    },
    /// What became of a call to a gateway.
    GatewayReply {
        /// The call of [`Output::GatewayCall`].
        call: CallId,
        /// The answer; an error when there is none.
        result: Result<HttpResponse, ()>,
    },
    /// What the disk reports.
    Storage(StorageInput),
    /// What a store that front ends share reports beside that.
    Shared(SharedInput),
}

/// What comes out of an HSS. Printing it shows the kind and no contents, but for events.
#[derive(Clone, PartialEq, Eq)]
pub enum Output {
    /// For the Diameter connections.
    Stream(StreamOutput),
    /// The reply to an administrative call.
    AdminReply {
        /// The call.
        call: CallId,
        /// The reply.
        response: HttpResponse,
    },
    /// A call to a gateway.
    GatewayCall {
        /// Ties [`Input::GatewayReply`] to it.
        call: CallId,
        /// The gateway's name in the configuration.
        gateway: String,
        /// The call.
        request: HttpRequest,
    },
    /// For the disk.
    Storage(StorageOutput),
    /// For a store that front ends share; comes only with [`HssConfig::shared`].
    Shared(SharedOutput),
    /// Something happened.
    Event(Event),
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(_) => f.write_str("Stream(..)"),
            Self::Certificate { conn, certificate } => {
                write!(f, "Certificate({conn:?}, {:?})", certificate.names)
            }
            Self::Admin { call, request } => write!(f, "Admin({call:?}, {:?})", request.method),
            Self::GatewayReply { call, result } => {
                let status = result.as_ref().map(|r| r.status);
                write!(f, "GatewayReply({call:?}, {status:?})")
            }
            Self::Storage(StorageInput::Loading(rows)) => {
                write!(f, "Loading({} rows)", rows.len())
            }
            Self::Storage(StorageInput::Loaded(rows)) => write!(f, "Loaded({} rows)", rows.len()),
            Self::Storage(StorageInput::Persisted { seq }) => write!(f, "Persisted({})", seq.0),
            Self::Storage(StorageInput::Failed) => f.write_str("Failed"),
            Self::Storage(StorageInput::Unavailable) => f.write_str("Unavailable"),
            Self::Storage(StorageInput::Available) => f.write_str("Available"),
            Self::Shared(_) => f.write_str("Shared(..)"),
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(_) => f.write_str("Stream(..)"),
            Self::AdminReply { call, response } => {
                write!(f, "AdminReply({call:?}, {})", response.status)
            }
            Self::GatewayCall { call, gateway, .. } => {
                write!(f, "GatewayCall({call:?}, {gateway})")
            }
            Self::Storage(StorageOutput::Load) => f.write_str("Load"),
            Self::Storage(StorageOutput::Persist { seq, records }) => {
                write!(f, "Persist({}, {} rows)", seq.0, records.len())
            }
            Self::Shared(_) => f.write_str("Shared(..)"),
            Self::Event(event) => event.fmt(f),
        }
    }
}

/// How much an HSS holds: for those who want to see that nothing grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// SIMs of the store.
    pub subscribers: usize,
    /// Connections that are open or on their way to it.
    pub connections: usize,
    /// What waits for the disk.
    pub waiting: usize,
    /// What MMEs have been told and have not answered.
    pub errands: usize,
    /// MMEs at which SIMs are registered.
    pub nodes: usize,
    /// Outputs that nobody has taken.
    pub outputs: usize,
}

impl Census {
    /// The greater of each.
    #[must_use]
    pub fn most(self, other: Self) -> Self {
        Self {
            subscribers: self.subscribers.max(other.subscribers),
            connections: self.connections.max(other.connections),
            waiting: self.waiting.max(other.waiting),
            errands: self.errands.max(other.errands),
            nodes: self.nodes.max(other.nodes),
            outputs: self.outputs.max(other.outputs),
        }
    }
}

/// How far a start has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not started.
    New,
    /// The store is being read.
    Loading,
    /// The epoch is on its way to the disk.
    RaisingEpoch,
    /// At work.
    Serving,
    /// The store cannot be used.
    Refusing,
}

/// A home subscriber server.
#[expect(
    missing_debug_implementations,
    reason = "it holds the keys of all SIMs"
)]
pub struct Hss {
    pub(crate) config: HssConfig,
    pub(crate) tokens: Tokens,
    pub(crate) rng: Rng,
    /// Makes the nonces of sealed secrets.
    pub(crate) nonces: Rng,
    pub(crate) vault: Vault,
    pub(crate) rotation: Rotation,
    /// The store was restored from a backup: this start jumps far ahead.
    restored: bool,
    /// The highest epoch that is known to have been in force, wherever that is known from.
    pub(crate) known_epoch: u64,
    /// After a restore: who has been told of it.
    pub(crate) told_of_restore: BTreeSet<String>,
    pub(crate) phase: Phase,
    pub(crate) loading: Loading,
    pub(crate) epoch: Epoch,
    /// Orders of this epoch.
    pub(crate) orders: u64,
    pub(crate) endpoint: Endpoint,
    pub(crate) sessions: SessionIds,
    pub(crate) peers: Peers,
    pub(crate) subscribers: Subscribers,
    pub(crate) journal: Journal,
    pub(crate) waiting: BTreeMap<PersistSeq, Vec<Deferred>>,
    pub(crate) waiting_answers: usize,
    pub(crate) marks: BTreeSet<RowIx>,
    pub(crate) marks_due: Option<Instant>,
    pub(crate) cancellations: Cancellations,
    pub(crate) updates: Errands<Update>,
    pub(crate) resets: Errands<Reset>,
    pub(crate) equipment: Equipment,
    pub(crate) cuts: Book,
    pub(crate) bulks: Bulks,
    pub(crate) history: History,
    pub(crate) expiries: Expiries,
    pub(crate) watches: Vec<Watch>,
    /// SIMs whose bar is in force by an order.
    pub(crate) barred: BTreeSet<Imsi>,
    /// Who has taken over which order, when front ends share the store: by its first IND value.
    pub(crate) holders: BTreeMap<CutId, u8>,
    /// SIMs whose isolation is in force.
    pub(crate) isolated: BTreeSet<Imsi>,
    /// The highest version of an order for a SIM that a gateway was seen to have.
    pub(crate) known_versions: BTreeMap<(Imsi, OrderKind), u64>,
    /// SIMs refused in this step, for t8.
    refused: Vec<Imsi>,
    /// Answers for callers that give a call again.
    pub(crate) repeats: Repeats,
    /// Imports that came before the store was read.
    pub(crate) early: Vec<SubscriberImport>,
    /// Only when the store is shared.
    pub(crate) shared: Option<Box<Shared>>,
    pub(crate) outputs: VecDeque<Output>,
}

impl Hss {
    /// An HSS that has not been started. `rng` makes the challenges: seed it from the operating
    /// system wherever SIMs are real.
    pub fn new(config: HssConfig, mut rng: Rng, tokens: Tokens) -> Self {
        let accept = config.peers.iter().map(|peer| AcceptRule {
            origin_host: peer.origin_host.clone(),
            realm: peer.realm.clone(),
            addresses: peer.addresses.clone(),
            tls: peer.tls,
            certificates: peer.certificates.clone(),
        });
        let mut diameter = EndpointConfig::new(&*config.origin_host, &*config.origin_realm);
        diameter.host_ips.clone_from(&config.host_ips);
        diameter.applications = Vec::from([ApplicationId::S6A, ApplicationId::S13]);
        diameter.tw = config.timers.watchdog;
        diameter.request_timeout = config.timers.request;
        diameter.max_outstanding = config.limits.waiting;
        diameter.accept = accept.collect();
        diameter.limits = config.limits.connections;
        diameter.host_in_realm = true;
        let endpoint = Endpoint::new(diameter, rng.fork("diameter"));
        Self {
            tokens,
            rng: rng.fork("challenges"),
            nonces: rng.fork("nonces"),
            vault: Vault::new(&StoreKeys::random(&mut rng.fork("store key"))),
            rotation: Rotation::default(),
            restored: false,
            known_epoch: 0,
            told_of_restore: BTreeSet::new(),
            phase: Phase::New,
            loading: Loading::default(),
            epoch: Epoch::default(),
            orders: 0,
            endpoint,
            sessions: SessionIds::new(&*config.origin_host, 0),
            peers: Peers::default(),
            subscribers: Subscribers::new(config.tenants.clone()),
            journal: Journal::default(),
            waiting: BTreeMap::new(),
            waiting_answers: 0,
            marks: BTreeSet::new(),
            marks_due: None,
            cancellations: Cancellations::new(Kind::Cancellation),
            updates: Errands::new(Kind::Update),
            resets: Errands::new(Kind::Reset),
            equipment: Equipment::default(),
            cuts: Book::default(),
            bulks: Bulks::default(),
            history: History::default(),
            expiries: Expiries::default(),
            watches: Vec::new(),
            barred: BTreeSet::new(),
            holders: BTreeMap::new(),
            isolated: BTreeSet::new(),
            known_versions: BTreeMap::new(),
            refused: Vec::new(),
            repeats: Repeats::default(),
            early: Vec::new(),
            shared: config.shared.then(Box::default),
            outputs: VecDeque::new(),
            config,
        }
    }

    /// Gives it the master keys of its store. Without them it makes one that nobody knows, and can
    /// read no store but its own of this life.
    #[must_use]
    pub fn with_store_keys(mut self, keys: &StoreKeys) -> Self {
        self.vault = Vault::new(keys);
        self
    }

    /// Tells it that its store was restored from a backup, so that vectors may have been made since
    /// that it knows nothing of: the next start raises the epoch far ahead, and tells every MME
    /// that registrations may be lost.
    #[must_use]
    pub const fn after_restore(mut self) -> Self {
        self.restored = true;
        self
    }

    /// Tells it the highest epoch that is known to have been in force beside what its store says:
    /// a store that is older was restored, and is refused without
    /// [`after_restore`](Self::after_restore).
    #[must_use]
    pub const fn with_known_epoch(mut self, epoch: u64) -> Self {
        self.known_epoch = epoch;
        self
    }

    /// Whether this start follows a restore from a backup.
    pub(crate) const fn is_restored(&self) -> bool {
        self.restored
    }

    /// Starts the HSS: it reads its store, raises the epoch, and serves once that is durable
    /// ([`Event::Serving`]). Connections that come earlier are closed.
    pub fn start(&mut self, now: Now) {
        if self.phase == Phase::New {
            if self.shared.is_some() {
                self.start_shared(now);
            } else {
                self.phase = Phase::Loading;
                self.outputs.push_back(Output::Storage(StorageOutput::Load));
            }
        }
        self.settle(now);
    }

    /// Ends the HSS: peers are told, and marks are written so that the next start jumps less.
    pub fn stop(&mut self, now: Now) {
        self.flush_marks();
        self.endpoint
            .disconnect_all(now.at, DisconnectCause::REBOOTING);
        self.settle(now);
    }

    /// Whether a stopped HSS has nothing left to do.
    pub fn is_idle(&self) -> bool {
        self.endpoint.is_idle() && self.waiting.is_empty()
    }

    /// What the HSS holds at this moment, apart from its log of orders.
    pub fn census(&self) -> Census {
        Census {
            subscribers: self.subscribers.len(),
            connections: self.peers.links(),
            waiting: self.waiting.values().map(Vec::len).sum(),
            errands: self.cancellations.len() + self.updates.len() + self.resets.len(),
            nodes: self.subscribers.nodes().count(),
            outputs: self.outputs.len(),
        }
    }

    /// Whether the HSS answers requests.
    pub fn is_serving(&self) -> bool {
        self.phase == Phase::Serving
    }

    pub(crate) fn serve(&mut self, now: Now) {
        self.phase = Phase::Serving;
        self.tell(Event::Serving {
            epoch: self.epoch.0,
            subscribers: self.subscribers.len(),
        });
        self.endpoint.start(now.at);
        self.take_up_orders();
        if self.restored {
            self.tell_of_restore(now);
        }
        if self.shared.is_some() {
            self.join(now);
            self.take_up_bulks(now.at);
        } else {
            self.bulks.take_up(now.at);
        }
        self.begin_rotation(now);
        self.watch_gateways(now);
    }

    fn handle_stream(&mut self, now: Now, input: StreamInput) {
        if self.phase != Phase::Serving {
            if let StreamInput::Accepted { conn, .. } = input {
                self.outputs
                    .push_back(Output::Stream(StreamOutput::Close { conn }));
            }
            return;
        }
        if let StreamInput::Accepted { conn, peer } = &input {
            self.peers.accepted(*conn, *peer);
        }
        let closed = match &input {
            StreamInput::Closed { conn } => Some(*conn),
            _ => None,
        };
        self.endpoint.handle_stream(now.at, input);
        self.drain_endpoint(now);
        if let Some(conn) = closed {
            self.peers.closed(conn);
        }
    }

    pub(crate) fn drain_endpoint(&mut self, now: Now) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                EndpointOutput::Stream(stream) => {
                    self.outputs.push_back(Output::Stream(stream));
                }
                EndpointOutput::PeerOpen { conn, host, realm } => {
                    self.peers.opened(&self.config.peers, conn, &host, &realm);
                    self.send_parked(now, &host);
                    if self.restored {
                        self.tell_peer_of_restore(now, &host, &realm);
                    }
                    let (address, tls) = (self.peers.address(conn), self.peers.is_tls(conn));
                    self.tell(Event::PeerUp {
                        host,
                        realm,
                        address,
                        tls,
                    });
                }
                EndpointOutput::PeerClosed { conn, host, why } => {
                    let address = self.peers.address(conn);
                    self.peers.closed(conn);
                    self.tell(Event::PeerDown { host, address, why });
                }
                EndpointOutput::Request {
                    conn,
                    peer_host,
                    handle,
                    message,
                } => self.request(now, (conn, peer_host), handle, message),
                EndpointOutput::Answer { tag, message, .. } => {
                    self.answered(now, tag, Some(message));
                }
                EndpointOutput::Unanswered { tag, .. } => {
                    self.answered(now, tag, None);
                }
                EndpointOutput::Refused { conn, peer, why } => {
                    let address = self.peers.address(conn);
                    self.peers.closed(conn);
                    self.tell(Event::PeerRefused {
                        host: peer,
                        address,
                        why,
                    });
                }
            }
        }
    }

    /// The end of a step: what the endpoint has to say goes out, and one batch goes to the disk.
    pub(crate) fn settle(&mut self, now: Now) {
        self.drain_endpoint(now);
        for imsi in core::mem::take(&mut self.refused) {
            self.stamp_refusal(now, imsi);
        }
        if self.phase == Phase::Serving {
            self.pump_calls(now);
            self.run_bulk(now);
            self.pump_cancellations(now);
            self.drain_endpoint(now);
            let grace = self.grace(now.at);
            self.expiries.arm(now, grace);
        }
        if self.journal.has_rows() {
            // A batch goes anyway: due marks travel with it.
            self.flush_marks();
        } else if !self.marks.is_empty() && self.marks_due.is_none() {
            self.marks_due = Some(now.at + self.config.timers.mark);
        }
        self.flush();
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.output(Output::Event(event));
    }

    /// A SIM was refused for its state.
    pub(crate) fn saw_refusal(&mut self, imsi: Imsi) {
        self.refused.push(imsi);
    }

    pub(crate) fn session_id(&mut self) -> String {
        self.sessions.next()
    }

    /// How long to wait before a try after `attempts`.
    pub(crate) fn backoff(&self, attempts: u32) -> Duration {
        let timers = &self.config.timers;
        let doublings = attempts.saturating_sub(1).min(16);
        timers
            .retry_first
            .saturating_mul(1 << doublings)
            .min(timers.retry_last)
    }
}

impl Machine for Hss {
    type Input = Input;
    type Output = Output;

    fn handle_input(&mut self, now: Now, input: Input) {
        match input {
            Input::Stream(input) => self.handle_stream(now, input),
            Input::Certificate { conn, certificate } => {
                self.peers.certified(conn, certificate.clone());
                self.endpoint.certified(conn, certificate);
            }
            Input::Admin { call, request } => self.admin(now, call, request),
            Input::GatewayReply { call, result } => self.gateway_replied(now, call, result),
            Input::Storage(input) => self.handle_storage(now, input),
            Input::Shared(input) => self.handle_shared(now, input),
        }
        self.settle(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.endpoint.handle_timeout(now.at);
        self.drain_endpoint(now);
        self.run_due_calls(now);
        if self.phase == Phase::Serving {
            self.beat(now);
            self.run_watches(now);
            self.run_expiries(now);
        }
        self.send_due_errands(now);
        if self.marks_due.is_some_and(|at| at <= now.at) {
            self.flush_marks();
        }
        self.tell_throttled(now.at);
        self.settle(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [
            self.endpoint.poll_timeout(),
            self.cuts.poll_timeout(),
            self.bulks.poll_timeout(),
            self.expiries.poll_timeout(),
            self.watch_timeout(),
            self.cancellations.poll_timeout(),
            self.updates.poll_timeout(),
            self.resets.poll_timeout(),
            self.marks_due,
            self.beat_timeout(),
            self.peers.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
