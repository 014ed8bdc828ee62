//! A gateway on real sockets: its control plane on one thread, each user-plane worker with its
//! segment on another.

use core::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use heiiki_net::{http, tls};
use heiiki_pgw::control::{Control, Input, Output};
use heiiki_pgw::{ConfigError, PgwConfig};
use heiiki_types::Rng;
use tokio::task::JoinHandle;

use super::admin::{Admin, Events};
use super::listen::{StartError, listen};
use super::runtime::Runtime;
use super::socket::{BatchSender, Socket};
use super::storage::Storage;
use super::thread::{Inbox, NodeThread, Outlet, Waiting};
use super::worker::{WorkerHandle, WorkerThread};
use super::{Sink, Taps};
use crate::Link;
use crate::log::NodeEvent;

/// What a gateway needs beside its own configuration.
#[derive(Debug)]
pub struct PgwSetup {
    /// What the gateway is told.
    pub config: PgwConfig,
    /// Where it listens for operators and the HSS.
    pub admin: SocketAddr,
    /// As whom it answers them over TLS; in clear text without.
    pub admin_tls: Option<tls::Acceptor>,
    /// What crosses the sockets, and SGi, is reported here.
    pub taps: Taps,
    /// Its journal.
    pub journal: PathBuf,
}

/// Why a gateway does not start.
#[derive(Debug)]
pub enum PgwStartError {
    /// What it is told contradicts itself.
    Config(Vec<ConfigError>),
    /// An address or a file cannot be had.
    System(StartError),
}

impl From<StartError> for PgwStartError {
    fn from(error: StartError) -> Self {
        Self::System(error)
    }
}

impl core::fmt::Display for PgwStartError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Config(errors) => errors.iter().try_for_each(|e| writeln!(f, "{e}")),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for PgwStartError {}

/// A running gateway.
#[derive(Debug)]
pub struct PgwServer {
    s5c: Option<Socket>,
    node: Option<NodeThread<Control>>,
    workers: Vec<WorkerThread>,
    tasks: Vec<JoinHandle<()>>,
    admin: SocketAddr,
    s5c_address: SocketAddr,
}

impl PgwServer {
    /// Binds, reads the store and serves.
    ///
    /// # Errors
    /// When the configuration contradicts itself, an address cannot be bound or the store cannot
    /// be opened.
    pub fn start(
        setup: PgwSetup,
        mut rng: Rng,
        runtime: &Runtime,
        sink: Sink,
    ) -> Result<Self, PgwStartError> {
        let PgwSetup {
            config,
            admin,
            admin_tls,
            taps,
            journal,
        } = setup;
        let control =
            Control::new(config.clone(), rng.fork("control")).map_err(PgwStartError::Config)?;
        let s5c_address = config.s5c_local;
        let mut s5c =
            Socket::bind(s5c_address).map_err(|e| StartError::new("s5c", s5c_address, e))?;
        let s5c_address = s5c.local();
        let (admin, admin_address) = listen(runtime, "admin.listen", admin)?;
        let waiting = Waiting::<Control>::new();
        let inbox = waiting.inbox();
        let storage = {
            let inbox = inbox.clone();
            Storage::open(&journal, move |input| {
                inbox.send(Input::Storage(input));
            })
            .map_err(|e| StartError::new("store", journal.display(), e))?
        };
        let workers =
            WorkerThread::start_all(&config, control.network(), &mut rng, &inbox, &sink, &taps)?;
        let (calls, events) = (Admin::default(), Events::default());
        let handler = {
            let inbox = inbox.clone();
            let deliver = move |call, request| inbox.send(Input::Admin { call, request });
            calls.handler(events.clone(), None, deliver)
        };
        let served = runtime
            .handle()
            .spawn(http::serve(admin, admin_tls, handler));
        let router = Router {
            inbox: inbox.clone(),
            s5c: s5c
                .batch_sender(Link::S5C, &taps)
                .map_err(|e| StartError::new("s5c", s5c_address, e))?,
            told: vec![false; workers.len()],
            workers: workers.iter().map(WorkerThread::handle).collect(),
            storage,
            calls,
            events,
            sink,
        };
        let node = waiting
            .run("pgw", control, router)
            .map_err(|e| StartError::new("thread", "pgw", e))?;
        let reader = inbox.clone();
        s5c.read("pgw-udp", move |datagram| reader.send(Input::S5c(datagram)))
            .map_err(|e| StartError::new("thread", "pgw", e))?;
        inbox.act(Control::start);
        Ok(Self {
            s5c: Some(s5c),
            node: Some(node),
            workers,
            tasks: vec![served],
            admin: admin_address,
            s5c_address,
        })
    }

    /// The way into the control plane.
    pub fn inbox(&self) -> Option<Inbox<Control>> {
        self.node.as_ref().map(NodeThread::inbox)
    }

    /// Where it listens for operators.
    pub const fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Where it listens for GTPv2-C.
    pub const fn s5c(&self) -> SocketAddr {
        self.s5c_address
    }

    /// Where its workers listen for GTP-U.
    pub fn s5u(&self) -> Vec<SocketAddr> {
        self.workers.iter().map(WorkerThread::local).collect()
    }

    /// The user-plane workers.
    pub fn workers(&self) -> &[WorkerThread] {
        &self.workers
    }

    /// Ends it. Sessions stay in the journal: the next start restores them.
    pub fn stop(mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.s5c = None;
        if let Some(node) = self.node.take() {
            node.stop();
        }
        self.workers.clear();
    }
}

/// Where the outputs of the control plane go.
struct Router {
    inbox: Inbox<Control>,
    s5c: BatchSender,
    workers: Vec<WorkerHandle>,
    /// The workers that were given something in this turn.
    told: Vec<bool>,
    storage: Storage,
    calls: Admin,
    events: Events,
    sink: Sink,
}

impl Outlet<Control> for Router {
    fn route(&mut self, output: Output) {
        match output {
            Output::S5c(datagram) => self.s5c.push(&datagram),
            Output::AdminReply { call, response } => self.calls.reply(call, response),
            Output::Storage(output) => {
                if let Some(input) = self.storage.act(output) {
                    self.inbox.send(Input::Storage(input));
                }
            }
            Output::WorkerUpdate {
                worker,
                seq,
                update,
            } => {
                if let (Some(handle), Some(told)) =
                    (self.workers.get(worker), self.told.get_mut(worker))
                {
                    handle.update(seq, update);
                    *told = true;
                }
            }
            Output::Event(event) => {
                let entry = (self.sink)(NodeEvent::Pgw(event));
                self.events.publish(&entry);
            }
        }
    }

    fn flush(&mut self) {
        for (worker, told) in self.workers.iter().zip(&mut self.told) {
            if core::mem::take(told) {
                worker.wake();
            }
        }
        self.s5c.flush();
    }
}

/// A name for the threads of a gateway.
pub(super) fn thread_name(worker: usize) -> Arc<str> {
    format!("worker-{worker}").into()
}
