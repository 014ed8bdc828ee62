//! The HSS as a machine: what goes in and out, and what waits for the disk.
//!
//! **Durability.** What waits for the disk before it is answered:
//!
//! * serving at all: the epoch of this start;
//! * a vector beyond the SIM's lead, after a resynchronisation, or of a SIM that is new: its mark;
//! * an update location answer, when the location or the state changes;
//! * the first certificate of an order. The effects of a cut do not wait, those of a resume do.
//!
//! Written behind: marks before the lead is used up, purges, answers of MMEs and gateways to an
//! order.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use heiiki_diameter::base::DisconnectCause;
use heiiki_diameter::{
    AcceptRule, ApplicationId, Endpoint, EndpointConfig, EndpointOutput, SessionIds,
};
use heiiki_types::{
    CallId, HttpRequest, HttpResponse, Imsi, Instant, Machine, Now, PersistSeq, Rng, StorageInput,
    StorageOutput, StreamInput, StreamOutput,
};

use crate::admin::Refusal;
use crate::auc::sqn::{Epoch, Mark};
use crate::config::{HssConfig, Tokens};
use crate::cut::CutId;
use crate::cut::book::Book;
use crate::event::Event;
use crate::journal::Journal;
use crate::s6a::Waiting;
use crate::s6a::cancellations::Cancellations;
use crate::s6a::peers::Peers;
use crate::subscriber::import::{self, ImportError, SubscriberImport};
use crate::subscriber::row::{self, StateRow, SubscriberRow, Table};
use crate::subscriber::{RowIx, Subscribers};

/// Rows of an import that go to the disk as one batch.
const IMPORT_BATCH: usize = 1_024;

/// What goes into an HSS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Something happened on a Diameter connection.
    Stream(StreamInput),
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
}

/// What comes out of an HSS.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Something happened.
    Event(Event),
}

/// What goes on when a batch is durable.
pub(crate) enum Deferred {
    /// This start has its epoch.
    Epoch,
    /// A mark.
    Mark(RowIx, Mark),
    /// A request of a peer.
    Answer(Waiting),
    /// An order.
    Order(CutId),
    /// The reply to an import.
    Imported(CallId, Taken),
}

/// What became of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Taken {
    added: usize,
    kept: usize,
    #[serde(skip)]
    seq: PersistSeq,
}

/// How far a start has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
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
    phase: Phase,
    pub(crate) epoch: Epoch,
    /// Orders of this epoch.
    pub(crate) orders: u64,
    pub(crate) endpoint: Endpoint,
    sessions: SessionIds,
    pub(crate) peers: Peers,
    pub(crate) subscribers: Subscribers,
    pub(crate) journal: Journal,
    waiting: BTreeMap<PersistSeq, Vec<Deferred>>,
    waiting_answers: usize,
    marks: BTreeSet<RowIx>,
    marks_due: Option<Instant>,
    pub(crate) cancellations: Cancellations,
    pub(crate) cuts: Book,
    /// SIMs refused in this step, for t8.
    refused: Vec<Imsi>,
    /// Imports that came before the store was read.
    early: Vec<SubscriberImport>,
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
        });
        let mut diameter = EndpointConfig::new(&*config.origin_host, &*config.origin_realm);
        diameter.host_ips.clone_from(&config.host_ips);
        diameter.applications.push(ApplicationId::S6A);
        diameter.tw = config.timers.watchdog;
        diameter.request_timeout = config.timers.request;
        diameter.max_outstanding = config.limits.waiting;
        diameter.accept = accept.collect();
        let endpoint = Endpoint::new(diameter, rng.fork("diameter"));
        Self {
            tokens,
            rng: rng.fork("challenges"),
            phase: Phase::New,
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
            cancellations: Cancellations::default(),
            cuts: Book::default(),
            refused: Vec::new(),
            early: Vec::new(),
            outputs: VecDeque::new(),
            config,
        }
    }

    /// Starts the HSS: it reads its store, raises the epoch, and serves once that is durable
    /// ([`Event::Serving`]). Connections that come earlier are closed.
    pub fn start(&mut self, now: Now) {
        if self.phase == Phase::New {
            self.phase = Phase::Loading;
            self.outputs.push_back(Output::Storage(StorageOutput::Load));
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

    /// Whether the HSS answers requests.
    pub fn is_serving(&self) -> bool {
        self.phase == Phase::Serving
    }

    /// Takes subscribers from a file. Rows that the store has already stay as they are. Before the
    /// store has been read only the import itself can be checked; what clashes with the store then
    /// shows as [`Event::ImportRefused`]. Any error refuses the whole import.
    pub fn import(
        &mut self,
        now: Now,
        rows: Vec<SubscriberImport>,
    ) -> Result<(), Vec<ImportError>> {
        if matches!(self.phase, Phase::New | Phase::Loading) {
            let mut all = core::mem::take(&mut self.early);
            let before = all.len();
            all.extend(rows);
            let errors = import::check(&all, self.config.limits.subscribers);
            if !errors.is_empty() {
                all.truncate(before);
                self.early = all;
                return Err(errors);
            }
            self.early = all;
            return Ok(());
        }
        self.take_import(now, rows)?;
        self.settle(now);
        Ok(())
    }

    /// Takes an import into the store that has been read.
    pub(crate) fn take_import(
        &mut self,
        now: Now,
        rows: Vec<SubscriberImport>,
    ) -> Result<Taken, Vec<ImportError>> {
        let limit = self.config.limits.subscribers;
        let room = limit.saturating_sub(self.subscribers.len());
        let known = rows
            .iter()
            .filter(|r| self.subscribers.find(r.imsi).is_some());
        let mut errors = import::check(&rows, room.saturating_add(known.count()));
        if errors.is_empty() {
            errors = import::clashes(&self.subscribers, &rows);
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut taken = Taken {
            added: 0,
            kept: 0,
            seq: PersistSeq::default(),
        };
        for row in rows {
            if self.subscribers.find(row.imsi).is_some() {
                taken.kept += 1;
                continue;
            }
            let subscriber = import::subscriber(&mut self.subscribers, row);
            let Some(ix) = self.subscribers.insert(subscriber) else {
                continue;
            };
            taken.added += 1;
            taken.seq = self.write_new(now, ix);
            if taken.added.is_multiple_of(IMPORT_BATCH) {
                self.flush();
            }
        }
        self.tell(Event::Imported {
            added: taken.added,
            kept: taken.kept,
        });
        Ok(taken)
    }

    /// Writes a new subscriber's rows. Vectors wait until they are durable.
    fn write_new(&mut self, now: Now, ix: RowIx) -> PersistSeq {
        if let Some(subscriber) = self.subscribers.get(ix) {
            let key = row::imsi_key(subscriber.imsi);
            let tenant = self.subscribers.tenant_name(subscriber.tenant);
            let secrets = SubscriberRow::new(subscriber, tenant);
            self.journal.put(Table::Subscriber, key.clone(), &secrets);
            let state = StateRow {
                state: subscriber.state,
                standing: subscriber.standing.clone(),
            };
            self.journal.put(Table::State, key, &state);
        }
        self.write_mark(now, ix)
    }

    pub(crate) fn reply_when_durable(&mut self, now: Now, call: CallId, taken: Taken) {
        if taken.added == 0 {
            self.reply_to_import(call, taken);
        } else {
            self.wait_for(now, taken.seq, Deferred::Imported(call, taken));
        }
    }

    fn reply_to_import(&mut self, call: CallId, taken: Taken) {
        let response = HttpResponse {
            status: 200,
            body: serde_json::to_vec(&taken).unwrap_or_default(),
        };
        self.outputs
            .push_back(Output::AdminReply { call, response });
    }

    /// Sends a SIM's mark to the disk with the batch of this step.
    pub(crate) fn write_mark(&mut self, now: Now, ix: RowIx) -> PersistSeq {
        let Some(subscriber) = self.subscribers.get_mut(ix) else {
            return PersistSeq::default();
        };
        let mark = subscriber.counter.mark(self.epoch);
        let key = row::imsi_key(subscriber.imsi);
        let seq = self.journal.put(Table::Mark, key, &mark);
        self.marks.remove(&ix);
        self.wait_for(now, seq, Deferred::Mark(ix, mark));
        seq
    }

    /// A SIM has used half of its lead: its mark goes to the disk with the next batch, or soon.
    pub(crate) fn mark_is_due(&mut self, ix: RowIx) {
        self.marks.insert(ix);
    }

    /// Adds all due marks to the batch.
    fn flush_marks(&mut self) {
        self.marks_due = None;
        for ix in core::mem::take(&mut self.marks) {
            // A failed disk takes no mark, so what waits for one need not be told.
            self.write_mark(Now::default(), ix);
        }
    }

    /// Lets something wait until a batch is durable.
    pub(crate) fn wait_for(&mut self, now: Now, seq: PersistSeq, deferred: Deferred) {
        if self.journal.has_failed() {
            self.lost(now, deferred);
        } else if self.journal.is_durable(seq) {
            self.durable(now, deferred);
        } else {
            self.waiting_answers += usize::from(matches!(deferred, Deferred::Answer(_)));
            self.waiting.entry(seq).or_default().push(deferred);
        }
    }

    /// Whether no more requests may wait for the disk.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting_answers >= self.config.limits.waiting
    }

    /// Takes the location updates of a SIM out of the queue.
    pub(crate) fn take_waiting_updates(&mut self, imsi: Imsi) -> Vec<Waiting> {
        let mut taken = Vec::new();
        for queue in self.waiting.values_mut() {
            for deferred in core::mem::take(queue) {
                match deferred {
                    Deferred::Answer(waiting) if waiting.updating() == Some(imsi) => {
                        taken.push(waiting);
                    }
                    other => queue.push(other),
                }
            }
        }
        self.waiting_answers -= taken.len().min(self.waiting_answers);
        taken
    }

    fn durable(&mut self, now: Now, deferred: Deferred) {
        match deferred {
            Deferred::Epoch => self.serve(now),
            Deferred::Mark(ix, mark) => {
                if let Some(subscriber) = self.subscribers.get_mut(ix) {
                    subscriber.counter.marked(mark);
                }
            }
            Deferred::Answer(waiting) => self.go_on(now, waiting),
            Deferred::Order(id) => self.order_is_durable(now, id),
            Deferred::Imported(call, taken) => self.reply_to_import(call, taken),
        }
    }

    fn lost(&mut self, now: Now, deferred: Deferred) {
        match deferred {
            Deferred::Epoch => self.phase = Phase::Refusing,
            Deferred::Mark(..) => {}
            Deferred::Answer(waiting) => self.give_up(now, waiting),
            Deferred::Order(id) => self.order_is_lost(now, id),
            Deferred::Imported(call, _) => {
                let response = Refusal::DiskFailed.response::<()>(None);
                self.outputs
                    .push_back(Output::AdminReply { call, response });
            }
        }
    }

    fn handle_storage(&mut self, now: Now, input: StorageInput) {
        match input {
            StorageInput::Loaded(records) if self.phase == Phase::Loading => {
                match self.load(records) {
                    Ok(epoch) => self.raise_epoch(now, epoch),
                    Err(event) => {
                        self.phase = Phase::Refusing;
                        self.tell(event);
                    }
                }
            }
            StorageInput::Loaded(_) => {}
            StorageInput::Persisted { seq } => {
                let durable = self.journal.persisted(seq);
                while let Some(entry) = self.waiting.first_entry().filter(|e| *e.key() <= durable) {
                    for deferred in entry.remove() {
                        self.uncount(&deferred);
                        self.durable(now, deferred);
                    }
                }
            }
            StorageInput::Failed => {
                if !self.journal.has_failed() {
                    self.journal.fail();
                    self.tell(Event::DiskFailed);
                }
                for deferred in core::mem::take(&mut self.waiting).into_values().flatten() {
                    self.uncount(&deferred);
                    self.lost(now, deferred);
                }
                if self.phase == Phase::Loading {
                    self.phase = Phase::Refusing;
                }
            }
        }
    }

    fn uncount(&mut self, deferred: &Deferred) {
        if matches!(deferred, Deferred::Answer(_)) {
            self.waiting_answers = self.waiting_answers.saturating_sub(1);
        }
    }

    fn raise_epoch(&mut self, now: Now, epoch: Epoch) {
        self.epoch = epoch;
        self.phase = Phase::RaisingEpoch;
        let high = u32::try_from(epoch.0).unwrap_or(u32::MAX);
        self.sessions = SessionIds::new(&*self.config.origin_host, high);
        let meta = row::MetaRow::new(epoch);
        let seq = self.journal.put(Table::Meta, row::META_KEY.to_vec(), &meta);
        self.wait_for(now, seq, Deferred::Epoch);
        let early = core::mem::take(&mut self.early);
        if early.is_empty() {
            return;
        }
        if let Err(errors) = self.take_import(now, early) {
            let why = errors.first().map(ToString::to_string);
            self.tell(Event::ImportRefused {
                why: why.unwrap_or_default(),
                errors: errors.len(),
            });
        }
    }

    fn serve(&mut self, now: Now) {
        self.phase = Phase::Serving;
        self.tell(Event::Serving {
            epoch: self.epoch.0,
            subscribers: self.subscribers.len(),
        });
        self.endpoint.start(now.at);
        self.take_up_orders(now);
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

    fn drain_endpoint(&mut self, now: Now) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                EndpointOutput::Stream(stream) => {
                    if let StreamOutput::Close { conn } = &stream {
                        self.peers.closed(*conn);
                    }
                    self.outputs.push_back(Output::Stream(stream));
                }
                EndpointOutput::PeerOpen { conn, host, realm } => {
                    self.peers.opened(&self.config.peers, conn, &host, &realm);
                    self.send_parked(now, &host);
                    self.tell(Event::PeerUp { host, realm });
                }
                EndpointOutput::PeerClosed { conn, host, why } => {
                    self.peers.closed(conn);
                    self.tell(Event::PeerDown { host, why });
                }
                EndpointOutput::Request {
                    conn,
                    peer_host,
                    handle,
                    message,
                } => self.handle_request(now, (conn, peer_host), handle, &message),
                EndpointOutput::Answer { tag, message, .. } => {
                    self.cancellation_answered(now, tag, &message);
                }
                EndpointOutput::Unanswered { tag, .. } => {
                    self.cancellation_unanswered(now, tag, "no answer in time");
                }
                EndpointOutput::Refused { conn, peer, why } => {
                    self.peers.closed(conn);
                    self.tell(Event::PeerRefused { host: peer, why });
                }
            }
        }
    }

    /// The end of a step: what the endpoint has to say goes out, and one batch goes to the disk.
    fn settle(&mut self, now: Now) {
        self.drain_endpoint(now);
        for imsi in core::mem::take(&mut self.refused) {
            self.stamp_refusal(now, imsi);
        }
        if self.journal.has_rows() {
            // A batch goes anyway: due marks travel with it.
            self.flush_marks();
        } else if !self.marks.is_empty() && self.marks_due.is_none() {
            self.marks_due = Some(now.at + self.config.timers.mark);
        }
        self.flush();
    }

    fn flush(&mut self) {
        if let Some(output) = self.journal.flush() {
            self.outputs.push_back(Output::Storage(output));
        }
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
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
            Input::Admin { call, request } => self.handle_admin(now, call, &request),
            Input::GatewayReply { call, result } => self.gateway_replied(now, call, result),
            Input::Storage(input) => self.handle_storage(now, input),
        }
        self.settle(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.endpoint.handle_timeout(now.at);
        self.drain_endpoint(now);
        self.run_due_calls(now);
        self.send_due_cancellations(now);
        if self.marks_due.is_some_and(|at| at <= now.at) {
            self.flush_marks();
        }
        self.settle(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [
            self.endpoint.poll_timeout(),
            self.cuts.poll_timeout(),
            self.cancellations.poll_timeout(),
            self.marks_due,
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
