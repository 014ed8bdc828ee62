//! The control plane: sessions, bars, GTP-C, the administrative interface and the journal.
//!
//! [`Control`] decides and the workers forward. Whatever has to be known by every worker or by the
//! disk before it is said is a *procedure*: it sends updates and rows, and its next step runs when
//! all of them are confirmed.
//!
//! The order inside a cut, which the tests hold it to: the bar is in force; the forward flags are
//! cleared; every worker has passed a batch boundary; queues and entries are purged; bar and ends
//! are on disk; the caller has its answer; the SGW gets its Delete Bearer Request, and nobody
//! waits for the response.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use heiiki_gtp::c;
use heiiki_types::{
    CallId, Datagram, HttpRequest, HttpResponse, Imsi, Instant, Machine, Now, PersistSeq, Record,
    Rng, StorageInput, StorageOutput, Teid,
};

use crate::config::{ConfigError, Network, PgwConfig};
use crate::event::Event;
use crate::user_plane::{Answer, Notice, SessionId, Update};

mod admin;
mod admission;
mod api;
mod audit;
mod bearers;
mod contract;
mod create;
mod cut;
mod delete;
mod disk;
mod end;
mod gtpc;
mod isolation;
mod journal;
mod lists;
mod modify;
mod notify;
mod orders;
mod pool;
mod procedure;
mod removal;
mod session;
mod start;

pub use audit::{AccessAudit, Audit};

use journal::Journal;
use orders::{Orders, shorten};
use pool::AddressPool;
use procedure::{Procedure, Running, Ticket};
use session::SessionTable;

/// What goes into the control plane.
#[derive(Clone, Debug)]
pub enum Input {
    /// A datagram at the GTP-C address.
    S5c(Datagram),
    /// An administrative call.
    Admin {
        /// Ties the reply to it.
        call: CallId,
        /// The call.
        request: HttpRequest,
    },
    /// What the disk says.
    Storage(StorageInput),
    /// A worker has passed a batch boundary after an update.
    WorkerAck {
        /// The worker.
        worker: usize,
        /// The number of the update.
        seq: u64,
        /// When it was past the boundary, in both directions.
        at: Instant,
        /// What it says.
        answer: Answer,
    },
    /// A worker tells something of itself.
    WorkerNotice {
        /// The worker.
        worker: usize,
        /// What.
        notice: Notice,
    },
}

/// What comes out of the control plane.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send this datagram from the GTP-C address.
    S5c(Datagram),
    /// Answer an administrative call.
    AdminReply {
        /// The call.
        call: CallId,
        /// The answer.
        response: HttpResponse,
    },
    /// For the disk.
    Storage(StorageOutput),
    /// For a worker, to be taken between two batches and in order, and to be answered with
    /// [`Input::WorkerAck`].
    WorkerUpdate {
        /// The worker.
        worker: usize,
        /// Rises by one with each update for this worker.
        seq: u64,
        /// The update.
        update: Update,
    },
    /// Something happened.
    Event(Event),
}

/// Where the gateway is between its start and its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// `start` was not called.
    Idle,
    /// The disk reads.
    Loading,
    /// The mark of this start is being written.
    Starting,
    /// Requests are answered.
    Serving,
}

/// The tunnels of a session: the gateway's ends and the SGW's, control and user plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTunnels {
    /// Whose session it is.
    pub imsi: Imsi,
    /// Where the gateway receives S5 signalling.
    pub teid_c: Teid,
    /// Where the gateway receives uplink packets.
    pub teid_u: Teid,
    /// Where the SGW receives S5 signalling.
    pub sgw_c: (IpAddr, Teid),
    /// Where the SGW receives downlink packets.
    pub sgw_u: (IpAddr, Teid),
}

/// The control plane of a gateway.
#[derive(Debug)]
pub struct Control {
    config: PgwConfig,
    network: Network,
    rng: Rng,
    phase: Phase,
    /// Rows that have been read, while more follow.
    loading: Vec<Record>,
    endpoint: c::Endpoint,
    sessions: SessionTable,
    pools: Vec<AddressPool>,
    bars: Orders,
    isolations: Orders,
    instance: Instance,
    journal: Journal,
    charging: Charging,
    /// What the restart counters of SGWs were when the gateway went down.
    last_counters: BTreeMap<IpAddr, u8>,
    procedures: BTreeMap<Ticket, Running>,
    acks: BTreeMap<(usize, u64), Ticket>,
    writes: VecDeque<(PersistSeq, Ticket)>,
    deadlines: BTreeSet<(Instant, Ticket)>,
    last_ticket: u64,
    last_update: Vec<u64>,
    /// Delete Bearer Requests without a response, by their tags.
    delete_bearers: BTreeMap<u64, (SessionId, Imsi)>,
    /// Requests about dedicated bearers without a response, by their tags.
    bearer_requests: BTreeMap<u64, Box<bearers::Request>>,
    reports: gtpc::Reports,
    outputs: VecDeque<Output>,
}

/// Which run of which journal this is. Whoever has told the gateway something looks whether it is
/// still told: with another journal, or after another start, it may not be.
#[derive(Clone, Debug, Default)]
struct Instance {
    /// Made when the journal was made.
    journal: u64,
    starts: u32,
    /// Emergency cuts of this run: something that no HSS has ordered.
    local_orders: u32,
}

impl core::fmt::Display for Instance {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:016x}.{}", self.journal, self.starts)
    }
}

/// Charging IDs, TS 29.274 §8.29: never used twice, since those below a durable mark count as
/// used after a restart.
#[derive(Clone, Copy, Debug, Default)]
struct Charging {
    next: u32,
    mark: u32,
}

impl Charging {
    const BLOCK: u32 = 1024;

    /// The next ID, and the mark to be written with it.
    fn take(&mut self) -> (SessionId, Option<Record>) {
        self.next = self.next.wrapping_add(1).max(1);
        let id = SessionId(self.next);
        // The numbers begin again after four thousand million.
        if self.next <= self.mark && self.mark - self.next < Self::BLOCK {
            return (id, None);
        }
        self.mark = self.next.saturating_add(Self::BLOCK - 1);
        (id, Some(journal::charging_mark(self.mark)))
    }
}

impl Control {
    /// A control plane that knows nothing yet; [`start`](Self::start) reads the disk.
    pub fn new(config: PgwConfig, rng: Rng) -> Result<Self, Vec<ConfigError>> {
        let network = Network::check(&config)?;
        let pools = network.accesses.iter().map(AddressPool::new).collect();
        let workers = config.workers.len();
        Ok(Self {
            sessions: SessionTable::new(config.limits.sessions, config.limits.index_bits),
            bars: Orders::new(config.limits.bars),
            isolations: Orders::new(config.limits.bars),
            instance: Instance::default(),
            endpoint: c::Endpoint::new(config.gtpc, 0),
            config,
            network,
            rng,
            phase: Phase::Idle,
            loading: Vec::new(),
            pools,
            journal: Journal::default(),
            charging: Charging::default(),
            last_counters: BTreeMap::new(),
            procedures: BTreeMap::new(),
            acks: BTreeMap::new(),
            writes: VecDeque::new(),
            deadlines: BTreeSet::new(),
            last_ticket: 0,
            last_update: alloc::vec![0; workers],
            delete_bearers: BTreeMap::new(),
            bearer_requests: BTreeMap::new(),
            reports: gtpc::Reports::default(),
            outputs: VecDeque::new(),
        })
    }

    /// Asks for the disk. Nothing is answered before it was read.
    pub fn start(&mut self, _now: Now) {
        if self.phase == Phase::Idle {
            self.phase = Phase::Loading;
            self.outputs.push_back(Output::Storage(StorageOutput::Load));
        }
    }

    /// The checked configuration, which workers are built from.
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// The configuration.
    pub const fn config(&self) -> &PgwConfig {
        &self.config
    }

    /// Whether requests are answered.
    pub fn is_serving(&self) -> bool {
        self.phase == Phase::Serving
    }

    /// The restart counter (TS 23.007 §3A.2).
    pub const fn restart_counter(&self) -> u8 {
        self.endpoint.restart_counter()
    }

    /// How many sessions there are, those on their way in or out included.
    pub const fn session_count(&self) -> u32 {
        self.sessions.len()
    }

    /// Procedures that wait for a worker or for the disk: none in a gateway at rest.
    pub fn waiting(&self) -> usize {
        self.procedures.len()
    }

    /// For the invariant checkers of a lab: SIMs that have a bar and a session.
    pub fn barred_sessions(&self) -> impl Iterator<Item = Imsi> {
        self.bars
            .iter()
            .map(|(imsi, _)| imsi)
            .filter(|imsi| self.sessions.of_imsi(*imsi).next().is_some())
    }

    /// For the invariant checkers of a lab: SIMs that have a bar.
    pub fn bars(&self) -> impl Iterator<Item = Imsi> {
        self.bars.iter().map(|(imsi, _)| imsi)
    }

    /// For the invariant checkers of a lab: SIMs that are isolated.
    pub fn isolated(&self) -> impl Iterator<Item = Imsi> {
        self.isolations.iter().map(|(imsi, _)| imsi)
    }

    /// For the invariant checkers of a lab: every session as (number, SIM, tenant, addresses).
    pub fn sessions(
        &self,
    ) -> impl Iterator<
        Item = (
            SessionId,
            Imsi,
            crate::config::TenantId,
            heiiki_types::UeAddresses,
        ),
    > {
        self.sessions
            .iter()
            .map(|l| (l.session.id, l.session.imsi, l.tenant, l.session.addresses))
    }

    /// For the invariant checkers of a lab: both ends of the tunnels of every session.
    pub fn tunnels(&self) -> impl Iterator<Item = SessionTunnels> {
        self.sessions.iter().map(|l| SessionTunnels {
            imsi: l.session.imsi,
            teid_c: l.session.teid_c,
            teid_u: l.session.teid_u,
            sgw_c: (l.session.sgw_c.address, l.session.sgw_c.teid),
            sgw_u: (l.session.sgw_u.address, l.session.sgw_u.teid),
        })
    }

    /// Requests about bearers that wait for their responses: none in a gateway at rest.
    pub fn unanswered(&self) -> usize {
        self.delete_bearers.len() + self.bearer_requests.len()
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn local(&self) -> SocketAddr {
        self.config.s5c_local
    }

    // Procedures.

    /// Begins a procedure that waits for nothing yet.
    fn begin(&mut self, procedure: Procedure) -> Ticket {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        let running = Running {
            procedure: Some(procedure),
            acks: 0,
            writes: false,
            not_durable: false,
            deadline: None,
        };
        self.procedures.insert(ticket, running);
        ticket
    }

    fn is_overloaded(&self) -> bool {
        u32::try_from(self.procedures.len()).is_ok_and(|n| n >= self.config.limits.waiting)
    }

    fn set_deadline(&mut self, ticket: Ticket, at: Instant) {
        if let Some(running) = self.procedures.get_mut(&ticket) {
            running.deadline = Some(at);
            self.deadlines.insert((at, ticket));
        }
    }

    /// Sends an update to every worker; the procedure waits for all of them.
    fn broadcast(&mut self, ticket: Ticket, update: &Update) {
        for (worker, last) in self.last_update.iter_mut().enumerate() {
            *last += 1;
            let seq = *last;
            self.acks.insert((worker, seq), ticket);
            if let Some(running) = self.procedures.get_mut(&ticket) {
                running.acks += 1;
            }
            self.outputs.push_back(Output::WorkerUpdate {
                worker,
                seq,
                update: update.clone(),
            });
        }
    }

    /// Sends rows to the disk; the procedure waits for them.
    fn persist(&mut self, ticket: Ticket, records: Vec<Record>) {
        let seq = self.journal.next();
        let Some(running) = self.procedures.get_mut(&ticket) else {
            return;
        };
        match seq {
            Some(seq) => {
                running.writes = true;
                self.writes.push_back((seq, ticket));
                self.outputs
                    .push_back(Output::Storage(StorageOutput::Persist { seq, records }));
            }
            None => running.not_durable = true,
        }
    }

    /// Runs the next step of a procedure for as long as it waits for nothing.
    fn advance(&mut self, now: Now, ticket: Ticket) {
        loop {
            let Some(running) = self.procedures.get_mut(&ticket) else {
                return;
            };
            if running.acks > 0 || running.writes {
                return;
            }
            let durable = !running.not_durable;
            let Some(procedure) = running.procedure.take() else {
                return;
            };
            let next = self.step(now, ticket, procedure, durable);
            if let (Some(procedure), Some(running)) = (next, self.procedures.get_mut(&ticket)) {
                running.procedure = Some(procedure);
            } else {
                let running = self.procedures.remove(&ticket);
                if let Some(at) = running.and_then(|r| r.deadline) {
                    self.deadlines.remove(&(at, ticket));
                }
                return;
            }
        }
    }

    fn step(
        &mut self,
        now: Now,
        ticket: Ticket,
        procedure: Procedure,
        durable: bool,
    ) -> Option<Procedure> {
        match procedure {
            Procedure::Start => self.started(now, durable),
            Procedure::Create {
                handle,
                slot,
                id,
                cause,
                options,
            } => self.created(now, handle, (slot, id), (cause, *options), durable),
            Procedure::Move(modification) => self.moved(now, &modification, durable),
            Procedure::Removal(removal) => {
                return self.removal_step(now, ticket, removal, durable);
            }
            Procedure::Lift {
                call,
                imsi,
                version,
                was_barred,
            } => self.lifted(call, imsi, version, was_barred, durable),
            Procedure::Isolation(isolation) => {
                return self.isolation_step(now, ticket, isolation, durable);
            }
            Procedure::Gathering(gathering) => self.gathered(*gathering),
            Procedure::Suspension(suspension) => self.suspension_done(now, suspension, durable),
            Procedure::Bearers(outcome) => self.bearers_done(&outcome, durable),
            Procedure::LaterBearers(request) => self.ask_again(now, *request),
            Procedure::Note => {}
        }
        None
    }

    fn handle_ack(&mut self, now: Now, worker: usize, seq: u64, at: Instant, answer: Answer) {
        let Some(ticket) = self.acks.remove(&(worker, seq)) else {
            return;
        };
        let Some(running) = self.procedures.get_mut(&ticket) else {
            return;
        };
        running.acks = running.acks.saturating_sub(1);
        match &mut running.procedure {
            Some(Procedure::Removal(removal)) => removal.absorb(at, answer),
            Some(Procedure::Isolation(isolation)) => isolation.absorb(at, &answer),
            Some(Procedure::Gathering(gathering)) => gathering.absorb(worker, answer),
            _ => {}
        }
        self.advance(now, ticket);
    }

    fn bug(&mut self, what: &'static str) {
        debug_assert!(false, "{what}");
        self.event(Event::Bug { what });
    }

    fn tenant_name(&self, id: crate::config::TenantId) -> String {
        self.network
            .tenant(id)
            .map(|t| t.name.clone())
            .unwrap_or_default()
    }
}

impl Machine for Control {
    type Input = Input;
    type Output = Output;

    fn handle_input(&mut self, now: Now, input: Input) {
        match input {
            Input::S5c(datagram) => self.handle_gtpc(now, datagram),
            Input::Admin { call, request } => self.handle_admin(now, call, &request),
            Input::Storage(input) => self.handle_storage(now, input),
            Input::WorkerAck {
                worker,
                seq,
                at,
                answer,
            } => self.handle_ack(now, worker, seq, at, answer),
            Input::WorkerNotice { notice, .. } => self.handle_notice(now, &notice),
        }
        self.drain_endpoint(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.endpoint.handle_timeout(now.at);
        self.drain_endpoint(now);
        while let Some(&(at, ticket)) = self.deadlines.first()
            && at <= now.at
        {
            self.deadlines.pop_first();
            if let Some(running) = self.procedures.get_mut(&ticket) {
                running.deadline = None;
            }
            self.overdue(now, ticket);
        }
        self.drain_endpoint(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        self.endpoint
            .poll_timeout()
            .into_iter()
            .chain(deadline)
            .min()
    }
}
