//! The real world: the nodes of one lab in one process, each on threads of its own, talking over
//! loopback sockets.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, PoisonError};

use heiiki_net::{clock, http};
use heiiki_pgw::sgi::{ProbeStream, Segment, StreamId};
use heiiki_types::{CallId, HttpRequest, HttpResponse, Instant, Now, Protections, Rng};
use heiiki_ue_sim::{EnbConfig, UeCommand, UeId};

use crate::driver::{
    AccessServer, AccessSetup, EnbSetup, HssServer, HssSetup, PgwServer, PgwSetup, PgwStartError,
    Runtime, S6aTransport, SctpSetup, SharedTap, Sink, StartError, Taps,
};
use crate::lab::wiring::{EnbWiring, HSS, MME, PGW, Wiring, wire};
use crate::lab::{
    Addresses, AdminOf, DownlinkStream, Escaped, Lab, Network, NotInThisWorld, ue_profile,
};
use crate::log::{Entry, NodeEvent};
use crate::plan::{self, LinkName, LinkRule, NodeName};

/// How long an administrative call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the core may take until every node serves.
const START_TIMEOUT: Duration = Duration::from_secs(15);

/// Why a lab on real sockets does not start.
#[derive(Debug)]
pub enum RealError {
    /// The gateway's configuration contradicts itself.
    Config(Vec<heiiki_pgw::ConfigError>),
    /// An address or a file cannot be had.
    System(StartError),
    /// A node did not begin to serve in time.
    NotServing(&'static str),
}

impl core::fmt::Display for RealError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Config(errors) => errors.iter().try_for_each(|e| writeln!(f, "{e}")),
            Self::System(error) => write!(f, "{error}; {}", error.help()),
            Self::NotServing(node) => write!(f, "{node} did not begin to serve"),
        }
    }
}

impl core::error::Error for RealError {}

impl From<StartError> for RealError {
    fn from(error: StartError) -> Self {
        Self::System(error)
    }
}

impl From<PgwStartError> for RealError {
    fn from(error: PgwStartError) -> Self {
        match error {
            PgwStartError::Config(errors) => Self::Config(errors),
            PgwStartError::System(error) => Self::System(error),
        }
    }
}

/// What the threads of the nodes tell the lab.
enum News {
    Entry(Box<Entry>),
    Answer(CallId, HttpResponse),
}

/// The nodes of one lab on real sockets.
#[derive(Debug)]
pub struct RealNetwork {
    // Fields end in this order: UEs first, the core after them, the runtime last.
    access: Option<AccessServer>,
    pgw: Option<PgwServer>,
    hss: Option<HssServer>,
    news: Receiver<News>,
    answers_to: Sender<News>,
    log: Vec<Entry>,
    answers: BTreeMap<CallId, HttpResponse>,
    next_call: u64,
    /// Which eNB and which UE there has the SIM at each place of the plan.
    ues: Vec<(usize, UeId)>,
    scratch: Scratch,
    runtime: Runtime,
}

/// A folder for journals that goes with the lab.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn make() -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("heiiki-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left in the system's folder for temporary files is the system's to clean.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A block of loopback addresses that no other process of this machine uses for a lab.
///
/// # Errors
/// When every block that was tried is in use.
fn free_block(rng: &mut Rng) -> Result<Addresses, StartError> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..64 {
        let [a, b] = rng.octets();
        let addresses = Addresses::new([127, 1 + (a ^ b) % 254]);
        // Held by nobody: whoever has a lab there has this port.
        match std::net::TcpListener::bind(addresses.hss()) {
            Ok(_) => return Ok(addresses),
            Err(error) => last = error,
        }
    }
    Err(StartError {
        key: "addresses",
        value: "127.0.0.0/8".to_owned(),
        source: last,
    })
}

/// Starts a lab on real sockets. The SIMs' secrets follow from `seed`; challenges, TEIDs and tokens
/// come from the operating system.
///
/// # Errors
/// When a node cannot start.
pub fn real_lab(
    plan: plan::Lab,
    protections: Protections,
    seed: u64,
    tap: Option<&SharedTap>,
) -> Result<Lab<RealNetwork>, RealError> {
    let entropy = clock::entropy().map_err(|e| start_error("entropy", e))?;
    let mut rng = Rng::from_entropy(entropy);
    let addresses = free_block(&mut rng)?;
    let mut secrets = Rng::from_seed(seed);
    let boot = clock::boot_id();
    let wired = wire(
        &plan,
        addresses.clone(),
        protections,
        &boot,
        &mut secrets,
        &mut rng,
    );
    let tokens = wired.tokens.clone();
    let network = RealNetwork::start(&plan, wired, rng, tap)?;
    let mut lab = Lab::around(network, plan, tokens, addresses, seed);
    let serving = lab.wait(0, START_TIMEOUT, |entry| match &entry.event {
        // The MME knows the HSS only once both serve; the gateway reads its disk meanwhile.
        NodeEvent::Mme(heiiki_mme::Event::PeerOpen { .. }) => Some(()),
        _ => None,
    });
    serving.ok_or(RealError::NotServing("the HSS"))?;
    let serving = lab.wait(0, START_TIMEOUT, |entry| match &entry.event {
        NodeEvent::Pgw(heiiki_pgw::Event::Started { .. }) => Some(()),
        _ => None,
    });
    serving.ok_or(RealError::NotServing("the gateway"))?;
    Ok(lab)
}

fn start_error(key: &'static str, source: io::Error) -> StartError {
    StartError {
        key,
        value: String::new(),
        source,
    }
}

/// The eNBs with the cards in them, and where the UE of each of the `sims` cards is.
fn enb_setups(wired: Vec<EnbWiring>, sims: usize) -> (Vec<EnbSetup>, Vec<(usize, UeId)>) {
    let mut ues = vec![(0, UeId(0)); sims];
    let mut enbs = Vec::new();
    for (index, enb) in wired.into_iter().enumerate() {
        let config = EnbConfig {
            id: enb.id,
            tai: enb.tai,
            ecgi: enb.ecgi,
            s1u_local: enb.s1u,
        };
        let mut cards = Vec::new();
        for (number, (place, card)) in (0..).zip(enb.cards) {
            if let Some(ue) = ues.get_mut(place) {
                *ue = (index, UeId(number));
            }
            cards.push(card);
        }
        enbs.push((config, ue_profile(), cards));
    }
    (enbs, ues)
}

impl RealNetwork {
    fn start(
        plan: &plan::Lab,
        wired: Wiring,
        mut rng: Rng,
        tap: Option<&SharedTap>,
    ) -> Result<Self, RealError> {
        let runtime = Runtime::start().map_err(|e| start_error("thread", e))?;
        let scratch = Scratch::make().map_err(|e| start_error("temporary folder", e))?;
        let (tx, news) = channel();
        let addresses = wired.addresses;
        let taps = tap.cloned().map_or_else(Taps::default, Taps::to);
        let pgw = PgwSetup {
            config: wired.pgw,
            admin: addresses.pgw_admin(),
            admin_tls: None,
            taps: taps.clone(),
            journal: scratch.path("pgw.journal"),
        };
        let pgw = PgwServer::start(pgw, rng.fork("pgw"), &runtime, sink(PGW, &tx, tap))?;
        let hss = HssSetup {
            shared: None,
            config: wired.hss,
            tokens: wired.hss_tokens,
            store_keys: wired.store_keys,
            restored: false,
            subscribers: wired.subscribers,
            s6a: addresses.hss(),
            sctp: SctpSetup::OFF,
            admin: addresses.hss_admin(),
            taps: taps.clone(),
            store: scratch.path("hss.redb"),
            gateways: BTreeMap::from([(PGW.to_owned(), pgw.admin().into())]),
            s6a_tls: None,
            admin_tls: None,
            audit: None,
        };
        let hss = HssServer::start(hss, rng.fork("hss"), &runtime, sink(HSS, &tx, tap))?;
        let (enbs, ues) = enb_setups(wired.enbs, plan.sims.len());
        let access = AccessSetup {
            mme: wired.mme,
            s6a: S6aTransport::Tcp,
            taps: taps.clone(),
            journal: scratch.path("mme.journal"),
            enbs,
        };
        let (mme, ue) = (sink(MME, &tx, tap), sink("ue", &tx, tap));
        let access = AccessServer::start(access, &mut rng, &runtime, mme, &ue)?;
        Ok(Self {
            access: Some(access),
            pgw: Some(pgw),
            hss: Some(hss),
            news,
            answers_to: tx,
            log: Vec::new(),
            answers: BTreeMap::new(),
            next_call: 0,
            ues,
            scratch,
            runtime,
        })
    }

    fn take(&mut self, news: News) {
        match news {
            News::Entry(entry) => self.log.push(*entry),
            News::Answer(call, response) => drop(self.answers.insert(call, response)),
        }
    }

    /// Where journals are while the lab runs.
    pub fn folder(&self) -> &Path {
        &self.scratch.0
    }

    /// Acts on the segment of a worker and waits for what comes of it.
    fn segment<R: Send + 'static>(
        &self,
        worker: usize,
        act: impl FnOnce(&mut Segment, Now) -> R + Send + 'static,
    ) -> Option<R> {
        let worker = self.pgw.as_ref()?.workers().get(worker)?;
        let (tx, rx) = channel();
        worker
            .handle()
            .segment(move |segment, now| drop(tx.send(act(segment, now))));
        rx.recv().ok()
    }

    fn address_of(&self, node: AdminOf) -> Option<core::net::SocketAddr> {
        match node {
            AdminOf::Hss => self.hss.as_ref().map(HssServer::admin),
            AdminOf::Pgw => self.pgw.as_ref().map(PgwServer::admin),
        }
    }
}

/// Gives a node's events their time and name, and passes them to the lab.
fn sink(name: &str, news: &Sender<News>, tap: Option<&SharedTap>) -> Sink {
    let (name, news, tap) = (Arc::from(name), news.clone(), tap.cloned());
    Arc::new(move |event: NodeEvent| {
        let Now { at, wall } = clock::now();
        let entry = Entry {
            at,
            wall,
            node: Arc::clone(&name),
            event,
        };
        if let (Some(tap), Some(frame)) = (&tap, entry.nas_frame()) {
            let mut tap = tap.lock().unwrap_or_else(PoisonError::into_inner);
            tap.frame(at, wall, crate::Link::S1Nas, &frame);
        }
        let _ = news.send(News::Entry(Box::new(entry.clone())));
        entry
    })
}

impl Network for RealNetwork {
    fn now(&self) -> Now {
        clock::now()
    }

    fn log(&self) -> &[Entry] {
        &self.log
    }

    fn advance(&mut self, until: Instant) {
        let wait = until.since(clock::monotonic());
        match self.news.recv_timeout(wait) {
            Ok(news) => self.take(news),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        }
        while let Ok(news) = self.news.try_recv() {
            self.take(news);
        }
    }

    fn command(&mut self, sim: usize, command: UeCommand) {
        if let (Some(access), Some((enb, ue))) = (&self.access, self.ues.get(sim)) {
            access.command(*enb, *ue, command);
        }
    }

    fn call(&mut self, node: AdminOf, request: HttpRequest) -> CallId {
        self.next_call += 1;
        let call = CallId(self.next_call);
        let Some(address) = self.address_of(node) else {
            return call;
        };
        let answers = self.answers_to.clone();
        self.runtime.handle().spawn(async move {
            let response = http::call(address, &request, CALL_TIMEOUT)
                .await
                .unwrap_or_else(|e| {
                    let body = serde_json::json!({ "error": { "what": e.to_string() } });
                    HttpResponse {
                        status: 504,
                        body: body.to_string().into_bytes(),
                        headers: heiiki_types::Headers::default(),
                    }
                });
            let _ = answers.send(News::Answer(call, response));
        });
        call
    }

    fn answer(&mut self, call: CallId) -> Option<HttpResponse> {
        self.answers.remove(&call)
    }

    fn start_downlink(&mut self, stream: &DownlinkStream) -> u64 {
        let stream = ProbeStream::from(stream);
        self.segment(0, move |segment, now| segment.start_stream(now, stream).0)
            .unwrap_or(0)
    }

    fn stop_downlink(&mut self, number: u64) {
        self.segment(0, move |segment, _| segment.stop_stream(StreamId(number)));
    }

    fn escaped(&mut self) -> Vec<Escaped> {
        let workers = self.pgw.as_ref().map_or(0, |p| p.workers().len());
        let seen = |worker| self.segment(worker, |segment, _| Escaped::of(segment.sentinel()));
        Escaped::sum((0..workers).filter_map(seen).flatten().collect())
    }

    fn crash(&mut self, _: NodeName) -> Result<(), NotInThisWorld> {
        Err(NotInThisWorld("kill and restart a single node of a lab"))
    }

    fn restart(&mut self, _: NodeName) -> Result<(), NotInThisWorld> {
        Err(NotInThisWorld("kill and restart a single node of a lab"))
    }

    fn link(&mut self, _: LinkName, _: &LinkRule) -> Result<(), NotInThisWorld> {
        Err(NotInThisWorld("change how a link behaves"))
    }

    fn violations(&self) -> &[String] {
        &[]
    }
}

impl Drop for RealNetwork {
    fn drop(&mut self) {
        if let Some(access) = self.access.take() {
            access.stop(&self.runtime);
        }
        if let Some(hss) = self.hss.take() {
            hss.stop();
        }
        if let Some(pgw) = self.pgw.take() {
            pgw.stop();
        }
    }
}
