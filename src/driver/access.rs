//! The access side on real sockets: MME and SGW, and eNBs with their UEs.

use core::net::{IpAddr, SocketAddr};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use heiiki_mme::s1::EnbId;
use heiiki_mme::{Mme, MmeConfig};
use heiiki_net::stream;
use heiiki_types::{Imsi, Rng};
use heiiki_ue_sim::usim::Usim;
use heiiki_ue_sim::{Enb, EnbConfig, UeCommand, UeId, UeProfile};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::listen::StartError;
use super::runtime::Runtime;
use super::sctp::{self, Associations, S6aTransport};
use super::socket::{Sender, Socket};
use super::storage::Storage;
use super::thread::{Inbox, NodeThread, Waiting};
use super::{Sink, Taps};
use crate::Link;
use crate::log::NodeEvent;

/// What the access side needs beside the nodes' own configuration.
pub struct AccessSetup {
    /// MME and SGW.
    pub mme: MmeConfig,
    /// How the MME reaches its HSS.
    pub s6a: S6aTransport,
    /// What crosses the sockets is reported here.
    pub taps: Taps,
    /// The MME's journal.
    pub journal: PathBuf,
    /// The eNBs and the cards in them.
    pub enbs: Vec<EnbSetup>,
}

impl core::fmt::Debug for AccessSetup {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("AccessSetup")
            .field("mme", &self.mme)
            .finish_non_exhaustive()
    }
}

/// A running MME and SGW with their eNBs.
#[derive(Debug)]
pub struct AccessServer {
    // Fields end in this order: readers first, so that nothing comes in any more.
    sockets: Vec<Socket>,
    mme: Option<NodeThread<Mme>>,
    enbs: Vec<NodeThread<Enb>>,
    streams: Option<JoinHandle<()>>,
    s5: (SocketAddr, SocketAddr),
}

impl AccessServer {
    /// Binds and starts everything; `sink` gets the MME's events and those of the UEs.
    ///
    /// # Errors
    /// When an address cannot be bound or the journal cannot be opened.
    pub fn start(
        mut setup: AccessSetup,
        rng: &mut Rng,
        runtime: &Runtime,
        mme_sink: Sink,
        ue_sink: &Sink,
    ) -> Result<Self, StartError> {
        let mut s5c = bind("mme.s5c", setup.mme.s5c_local)?;
        let mut s5u = bind("mme.s5u", setup.mme.s5u_local)?;
        let mut s1u = bind("mme.s1u", setup.mme.s1u_local)?;
        // The nodes tell each other where they are: port 0 is what the system chose.
        setup.mme.s5c_local = s5c.local();
        setup.mme.s5u_local = s5u.local();
        setup.mme.s1u_local = s1u.local();
        let thread = |e: io::Error| StartError::new("thread", "access", e);

        let mme_waiting = Waiting::<Mme>::new();
        let mme = mme_waiting.inbox();
        let enbs: Vec<(EnbId, Waiting<Enb>)> = setup
            .enbs
            .iter()
            .map(|(config, ..)| (config.id, Waiting::new()))
            .collect();
        let storage = {
            let inbox = mme.clone();
            let deliver = move |input| inbox.send(heiiki_mme::Input::Storage(input));
            Storage::open(&setup.journal, deliver)
                .map_err(|e| StartError::new("store", setup.journal.display(), e))?
        };
        let local = setup.mme.host_ips.first().copied();
        let (s6a, streams) = s6a(setup.s6a, local, runtime, &mme)?;
        let router = MmeRouter {
            inbox: mme.clone(),
            enbs: enbs.iter().map(|(id, w)| (*id, w.inbox())).collect(),
            s5c: s5c.sender(Link::S5C, &setup.taps),
            s5u: s5u.sender(Link::S5U, &setup.taps),
            s1u: s1u.sender(Link::S1U, &setup.taps),
            s6a,
            storage,
            sink: mme_sink,
        };
        for (socket, input) in [
            (&mut s5c, heiiki_mme::Input::S5c as fn(_) -> _),
            (&mut s5u, heiiki_mme::Input::S5u),
            (&mut s1u, heiiki_mme::Input::S1u),
        ] {
            let inbox = mme.clone();
            socket
                .read("mme-udp", move |datagram| inbox.send(input(datagram)))
                .map_err(thread)?;
        }
        let (running, enb_sockets) = start_enbs(setup.enbs, enbs, rng, &mme, ue_sink, &setup.taps)?;
        let mut sockets = vec![s5c, s5u, s1u];
        sockets.extend(enb_sockets);
        let s5 = (setup.mme.s5c_local, setup.mme.s5u_local);
        let machine = Mme::new(setup.mme, rng.fork("mme"));
        let node = router.run(mme_waiting, machine).map_err(thread)?;
        node.inbox().act(Mme::start);
        Ok(Self {
            sockets,
            mme: Some(node),
            enbs: running,
            streams,
            s5,
        })
    }

    /// Tells a UE to do something.
    pub fn command(&self, enb: usize, ue: UeId, command: UeCommand) {
        if let Some(enb) = self.enbs.get(enb) {
            enb.inbox()
                .send(heiiki_ue_sim::Input::Command { ue, command });
        }
    }

    /// Where the SGW listens for GTPv2-C and for GTP-U.
    pub const fn s5(&self) -> (SocketAddr, SocketAddr) {
        self.s5
    }

    /// The way into the MME.
    pub fn mme(&self) -> Option<Inbox<Mme>> {
        self.mme.as_ref().map(NodeThread::inbox)
    }

    /// The way into an eNB.
    pub fn enb(&self, enb: usize) -> Option<Inbox<Enb>> {
        self.enbs.get(enb).map(NodeThread::inbox)
    }

    /// Ends it all.
    pub fn stop(mut self, runtime: &Runtime) {
        self.sockets.clear();
        for enb in self.enbs.drain(..) {
            enb.stop();
        }
        if let Some(mme) = self.mme.take() {
            mme.stop();
        }
        if let Some(streams) = self.streams.take() {
            // The timer must be made where the runtime is.
            let wait = core::time::Duration::from_secs(2);
            let _ = runtime.wait(async move { tokio::time::timeout(wait, streams).await });
        }
    }
}

/// The way to the HSS.
enum S6aStreams {
    Tcp(mpsc::UnboundedSender<heiiki_types::StreamOutput>),
    Sctp(Associations),
}

/// Opens the way to the HSS, and the task that carries it, if there is one.
fn s6a(
    transport: S6aTransport,
    local: Option<IpAddr>,
    runtime: &Runtime,
    mme: &Inbox<Mme>,
) -> Result<(S6aStreams, Option<JoinHandle<()>>), StartError> {
    let inbox = mme.clone();
    let deliver: stream::Deliver = Arc::new(move |input| inbox.send(heiiki_mme::Input::S6a(input)));
    match transport {
        S6aTransport::Tcp => {
            let (outputs, asked) = mpsc::unbounded_channel();
            let task = stream::run(None, local, asked, deliver);
            let task = runtime.handle().spawn(task);
            Ok((S6aStreams::Tcp(outputs), Some(task)))
        }
        S6aTransport::Sctp => {
            let (associations, task) = sctp::connect_kernel(local, runtime, deliver)?;
            Ok((S6aStreams::Sctp(associations), Some(task)))
        }
        S6aTransport::SctpUdp(port) => {
            let associations = sctp::connect_udp(local, port, deliver)?;
            Ok((S6aStreams::Sctp(associations), None))
        }
    }
}

fn bind(key: &'static str, address: SocketAddr) -> Result<Socket, StartError> {
    Socket::bind(address).map_err(|e| StartError::new(key, address, e))
}

/// An eNB before it runs: what it is told, the manners of its UEs, their cards.
pub(crate) type EnbSetup = (EnbConfig, Arc<UeProfile>, Vec<Usim>);

fn start_enbs(
    enbs: Vec<EnbSetup>,
    waiting: Vec<(EnbId, Waiting<Enb>)>,
    rng: &mut Rng,
    mme: &Inbox<Mme>,
    sink: &Sink,
    taps: &Taps,
) -> Result<(Vec<NodeThread<Enb>>, Vec<Socket>), StartError> {
    let (mut running, mut sockets) = (Vec::new(), Vec::new());
    for ((config, profile, cards), (_, waiting)) in enbs.into_iter().zip(waiting) {
        let socket = bind("enb.s1u", config.s1u_local)?;
        let config = EnbConfig {
            s1u_local: socket.local(),
            ..config
        };
        let mut enb = Enb::new(config.clone(), rng.fork("enb"));
        let mut imsis: Vec<Imsi> = Vec::with_capacity(cards.len());
        for card in cards {
            imsis.push(card.imsi());
            enb.add_ue(Arc::clone(&profile), card);
        }
        let router = EnbRouter {
            id: config.id,
            imsis,
            mme: mme.clone(),
            s1u: socket.sender(Link::S1U, taps),
            sink: Arc::clone(sink),
        };
        let (enb, socket) = run_enb(enb, router, waiting, socket)
            .map_err(|e| StartError::new("thread", "access", e))?;
        running.push(enb);
        sockets.push(socket);
    }
    Ok((running, sockets))
}

fn run_enb(
    enb: Enb,
    router: EnbRouter,
    waiting: Waiting<Enb>,
    mut socket: Socket,
) -> io::Result<(NodeThread<Enb>, Socket)> {
    let inbox = waiting.inbox();
    socket.read("enb-udp", move |datagram| {
        inbox.send(heiiki_ue_sim::Input::S1u(datagram));
    })?;
    let node = waiting.run("enb", enb, move |output| router.route(output))?;
    Ok((node, socket))
}

/// Where the outputs of an eNB go.
struct EnbRouter {
    id: EnbId,
    imsis: Vec<Imsi>,
    mme: Inbox<Mme>,
    s1u: Sender,
    sink: Sink,
}

impl EnbRouter {
    fn route(&self, output: heiiki_ue_sim::Output) {
        match output {
            heiiki_ue_sim::Output::S1(message) => {
                self.mme.send(heiiki_mme::Input::S1 {
                    enb: self.id,
                    message,
                });
            }
            heiiki_ue_sim::Output::S1u(datagram) => self.s1u.send(&datagram),
            heiiki_ue_sim::Output::Event { ue, event } => {
                let place = usize::try_from(ue.0).unwrap_or(usize::MAX);
                if let Some(imsi) = self.imsis.get(place).copied() {
                    (self.sink)(NodeEvent::Ue { imsi, event });
                }
            }
        }
    }
}

/// Where the outputs of the MME go.
struct MmeRouter {
    inbox: Inbox<Mme>,
    enbs: Vec<(EnbId, Inbox<Enb>)>,
    s5c: Sender,
    s5u: Sender,
    s1u: Sender,
    s6a: S6aStreams,
    storage: Storage,
    sink: Sink,
}

impl MmeRouter {
    fn run(mut self, waiting: Waiting<Mme>, machine: Mme) -> io::Result<NodeThread<Mme>> {
        waiting.run("mme", machine, move |output| self.route(output))
    }

    fn route(&mut self, output: heiiki_mme::Output) {
        use heiiki_mme::Output;
        match output {
            Output::S1 { enb, message } => {
                if let Some((_, inbox)) = self.enbs.iter().find(|(id, _)| *id == enb) {
                    inbox.send(heiiki_ue_sim::Input::S1(message));
                }
            }
            Output::S1u(datagram) => self.s1u.send(&datagram),
            Output::S5c(datagram) => self.s5c.send(&datagram),
            Output::S5u(datagram) => self.s5u.send(&datagram),
            Output::S6a(output) => match &self.s6a {
                S6aStreams::Tcp(outputs) => drop(outputs.send(output)),
                S6aStreams::Sctp(associations) => associations.send(output),
            },
            Output::Storage(output) => {
                if let Some(input) = self.storage.act(output) {
                    self.inbox.send(heiiki_mme::Input::Storage(input));
                }
            }
            Output::Event(event) => drop((self.sink)(NodeEvent::Mme(event))),
        }
    }
}
