//! A user-plane worker on a thread of its own, together with its socket and its segment.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use heiiki_net::clock;
use heiiki_net::udp::{Udp, Waker};
use heiiki_pgw::control::{Control, Input};
use heiiki_pgw::sgi::{self, Segment};
use heiiki_pgw::user_plane::{
    Downlink, DownlinkVerdict, Origin, Reply, Update, Uplink, UplinkVerdict, Worker,
};
use heiiki_pgw::{Network, PgwConfig, TenantId};
use heiiki_types::{Machine as _, Now, Rng};

use super::listen::StartError;
use super::pgw::thread_name;
use super::socket::BUFFER;
use super::thread::Inbox;
use super::{Sink, Taps};
use crate::Link;
use crate::log::{Frame, NodeEvent};

/// Datagrams of one batch.
const BATCH: usize = 64;
/// Octets kept for a datagram: an Ethernet payload and what tunnels add.
const SLOT: usize = 2_048;
/// Packets from other workers that may wait for one; more are refused.
const HANDED_OVER: usize = 4_096;

/// Something to be done to a segment, in turn with its packets.
type Act = Box<dyn FnOnce(&mut Segment, Now) + Send>;

/// What a worker's thread is asked to do between two batches.
enum Ask {
    Update {
        seq: u64,
        update: Update,
    },
    /// A packet for a UE of this worker, from another worker's segment or UE.
    Packet {
        tenant: TenantId,
        origin: Origin,
        packet: Vec<u8>,
    },
    Act(Act),
}

/// The way into a worker's thread.
#[derive(Clone)]
pub(crate) struct WorkerHandle {
    /// One queue for updates and packets: a packet that was handed over before its sender's cut is
    /// in it before the end of that cut.
    asks: Sender<Ask>,
    /// Packets in the queue.
    packets: Arc<AtomicUsize>,
    waker: Waker,
}

impl core::fmt::Debug for WorkerHandle {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("WorkerHandle")
    }
}

impl WorkerHandle {
    /// Hands over a change of the tables; the worker answers the control plane.
    pub(crate) fn update(&self, seq: u64, update: Update) {
        self.ask(Ask::Update { seq, update });
    }

    /// Acts on the worker's segment, in turn with its packets.
    pub(crate) fn segment(&self, act: impl FnOnce(&mut Segment, Now) + Send + 'static) {
        self.ask(Ask::Act(Box::new(act)));
    }

    /// Hands over a packet for a UE of this worker, unless too many wait.
    fn packet(&self, tenant: TenantId, origin: Origin, packet: Vec<u8>) -> bool {
        if self.packets.fetch_add(1, Ordering::AcqRel) >= HANDED_OVER {
            self.packets.fetch_sub(1, Ordering::AcqRel);
            return false;
        }
        self.ask(Ask::Packet {
            tenant,
            origin,
            packet,
        });
        true
    }

    fn ask(&self, ask: Ask) {
        if self.asks.send(ask).is_ok() {
            self.waker.wake();
        }
    }
}

/// A running worker; ends with the drop.
#[derive(Debug)]
pub struct WorkerThread {
    handle: WorkerHandle,
    local: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl WorkerThread {
    /// Where it listens for GTP-U.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// The way in.
    pub(crate) fn handle(&self) -> WorkerHandle {
        self.handle.clone()
    }

    /// Binds and starts every worker of a gateway.
    pub(crate) fn start_all(
        config: &PgwConfig,
        network: &Network,
        rng: &mut Rng,
        control: &Inbox<Control>,
        sink: &Sink,
        taps: &Taps,
    ) -> Result<Vec<Self>, StartError> {
        let thread = |e| StartError::new("thread", "worker", e);
        let mut ways = Vec::new();
        let mut asked = Vec::new();
        for worker in &config.workers {
            let udp = Udp::bind(worker.s5u_local, BUFFER)
                .map_err(|e| StartError::new("s5u", worker.s5u_local, e))?;
            let (asks, rx) = channel();
            ways.push(WorkerHandle {
                asks,
                packets: Arc::default(),
                waker: Waker::new().map_err(thread)?,
            });
            asked.push((udp, rx));
        }
        let mut running = Vec::new();
        for (index, (udp, asked)) in asked.into_iter().enumerate() {
            let local: SocketAddr = udp.local();
            let Some(handle) = ways.get(index).cloned() else {
                continue;
            };
            let stop = Arc::new(AtomicBool::new(false));
            let machine = Loop {
                index,
                udp,
                waker: handle.waker.clone(),
                packets: Arc::clone(&handle.packets),
                stop: Arc::clone(&stop),
                asked,
                others: ways.clone(),
                worker: Worker::new(network, index, local),
                segment: Segment::new(config, index, rng.fork("segment")),
                control: control.clone(),
                sink: Arc::clone(sink),
                taps: taps.clone(),
                owners: owners(config),
                replies: Vec::new(),
            };
            let spawned = std::thread::Builder::new()
                .name(thread_name(index).to_string())
                .spawn(move || machine.run())
                .map_err(thread)?;
            running.push(Self {
                handle,
                local,
                stop,
                thread: Some(spawned),
            });
        }
        Ok(running)
    }
}

impl Drop for WorkerThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.handle.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Loop {
    index: usize,
    udp: Udp,
    waker: Waker,
    packets: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    asked: Receiver<Ask>,
    others: Vec<WorkerHandle>,
    worker: Worker,
    segment: Segment,
    control: Inbox<Control>,
    sink: Sink,
    taps: Taps,
    /// The tenant of each access point.
    owners: Vec<TenantId>,
    replies: Vec<Reply>,
}

/// The tenant of each access point of a configuration.
fn owners(config: &PgwConfig) -> Vec<TenantId> {
    let place = |name: &str| config.tenants.iter().position(|t| t.name == name);
    let tenant = |place: usize| TenantId(u16::try_from(place).unwrap_or(u16::MAX));
    let owners = config
        .apns
        .iter()
        .map(|a| place(&a.tenant).map_or(TenantId(u16::MAX), tenant));
    owners.collect()
}

impl Loop {
    fn run(mut self) {
        let mut buffers = vec![vec![0; SLOT]; BATCH];
        let mut received: Vec<(usize, SocketAddr)> = Vec::with_capacity(BATCH);
        while !self.stop.load(Ordering::Acquire) {
            let wait = self
                .segment
                .poll_timeout()
                .map(|at| at.since(clock::monotonic()));
            let wait = wait.unwrap_or(Duration::from_hours(1));
            if self.udp.wait(&self.waker, Some(wait)).is_err() {
                return;
            }
            let now = clock::now();
            while let Ok(ask) = self.asked.try_recv() {
                self.act(now, ask);
            }
            loop {
                self.receive(&mut buffers, &mut received);
                if received.is_empty() {
                    break;
                }
                self.uplink(clock::now(), &mut buffers, &received);
                // A cut waits for a batch boundary, not for the end of the traffic; and one UE's
                // flood uplink does not keep answers from the others.
                while let Ok(ask) = self.asked.try_recv() {
                    self.act(clock::now(), ask);
                }
                self.answer();
            }
            self.answer();
        }
    }

    /// Passes on what the segment and the worker have to say.
    fn answer(&mut self) {
        self.segment.handle_timeout(clock::now());
        self.downlink();
        self.notices();
    }

    fn act(&mut self, now: Now, ask: Ask) {
        match ask {
            Ask::Update { seq, update } => {
                let answer = self.worker.handle_update(&update);
                let ack = Input::WorkerAck {
                    worker: self.index,
                    seq,
                    at: clock::monotonic(),
                    answer,
                };
                self.control.send(ack);
                self.worker.poll_replies(now.at, &mut self.replies);
                self.reply();
            }
            Ask::Packet {
                tenant,
                origin,
                packet,
            } => {
                self.packets.fetch_sub(1, Ordering::AcqRel);
                self.pass_to_ue(now, tenant, origin, packet);
            }
            Ask::Act(act) => act(&mut self.segment, now),
        }
    }

    /// Takes what has arrived, up to a batch, into the buffers.
    fn receive(&self, buffers: &mut [Vec<u8>], received: &mut Vec<(usize, SocketAddr)>) {
        received.clear();
        for buffer in buffers.iter_mut() {
            match self.udp.receive(buffer) {
                Ok(Some(datagram)) => received.push(datagram),
                Ok(None) | Err(_) => return,
            }
        }
    }

    fn uplink(&mut self, now: Now, buffers: &mut [Vec<u8>], received: &[(usize, SocketAddr)]) {
        let mut batch: Vec<Uplink<'_>> = buffers
            .iter_mut()
            .zip(received)
            .map(|(buffer, (length, remote))| Uplink {
                remote: *remote,
                octets: buffer.get_mut(..*length).unwrap_or_default(),
                verdict: UplinkVerdict::Unseen,
            })
            .collect();
        self.worker.uplink(now.at, &mut batch, &mut self.replies);
        let mut hairpins = Vec::new();
        for item in batch {
            let part = |range: core::ops::Range<usize>| {
                item.octets.get(range).unwrap_or_default().to_vec()
            };
            match item.verdict {
                UplinkVerdict::Segment { tenant, packet, .. } => {
                    let packet = part(packet);
                    tap_sgi(&self.taps, tenant, true, &packet);
                    self.segment
                        .handle_input(now, sgi::Input::Packet { tenant, packet });
                }
                UplinkVerdict::Sentinel { access, packet } => {
                    let packet = part(packet);
                    if let Some(tenant) = self.owners.get(usize::from(access.0)) {
                        tap_sgi(&self.taps, *tenant, true, &packet);
                    }
                    self.segment
                        .handle_input(now, sgi::Input::Outside { access, packet });
                }
                UplinkVerdict::Ue {
                    worker,
                    tenant,
                    sender,
                    packet,
                } => {
                    hairpins.push((worker, tenant, Origin::Ue { sender }, part(packet)));
                }
                UplinkVerdict::Fragments {
                    tenant, packets, ..
                } => {
                    for packet in packets {
                        tap_sgi(&self.taps, tenant, true, &packet);
                        self.segment
                            .handle_input(now, sgi::Input::Packet { tenant, packet });
                    }
                }
                UplinkVerdict::Unseen | UplinkVerdict::Consumed => {}
            }
        }
        for (worker, tenant, origin, packet) in hairpins {
            self.pass_to_worker(now, worker, tenant, origin, packet);
        }
        self.reply();
    }

    /// Sends what the worker has to say itself.
    fn reply(&mut self) {
        for reply in self.replies.drain(..) {
            transmit(&self.udp, &self.taps, reply.to, &reply.octets);
        }
    }

    fn pass_to_worker(
        &mut self,
        now: Now,
        worker: usize,
        tenant: TenantId,
        origin: Origin,
        packet: Vec<u8>,
    ) {
        if worker == self.index {
            self.pass_to_ue(now, tenant, origin, packet);
        } else if let Some(other) = self.others.get(worker)
            && !other.packet(tenant, origin, packet)
        {
            self.worker.refuse_handover(now.at);
        }
    }

    /// Gives everything that the segment has to say to its UEs.
    fn downlink(&mut self) {
        let now = clock::now();
        while let Some(output) = self.segment.poll_output() {
            match output {
                sgi::Output::Packet { tenant, packet } => {
                    tap_sgi(&self.taps, tenant, false, &packet);
                    self.pass_to_ue(now, tenant, Origin::Segment, packet);
                }
                sgi::Output::Event(event) => drop((self.sink)(NodeEvent::Segment(event))),
            }
        }
    }

    fn pass_to_ue(&mut self, now: Now, tenant: TenantId, origin: Origin, mut packet: Vec<u8>) {
        let mut batch = [Downlink {
            tenant,
            origin,
            packet: &mut packet,
            verdict: DownlinkVerdict::Unseen,
        }];
        self.worker.downlink(now.at, &mut batch);
        let [item] = batch;
        match item.verdict {
            DownlinkVerdict::Tunnel { peer, header, .. } => {
                let mut datagram = Vec::with_capacity(header.len() + packet.len());
                datagram.extend_from_slice(&header);
                datagram.extend_from_slice(&packet);
                transmit(&self.udp, &self.taps, peer, &datagram);
            }
            DownlinkVerdict::Worker(worker) if worker != self.index => {
                self.pass_to_worker(now, worker, tenant, origin, packet);
            }
            DownlinkVerdict::Fragments {
                peer, datagrams, ..
            } => {
                for datagram in datagrams {
                    transmit(&self.udp, &self.taps, peer, &datagram);
                }
            }
            DownlinkVerdict::Answer(packet) => match origin {
                Origin::Segment => {
                    tap_sgi(&self.taps, tenant, true, &packet);
                    self.segment
                        .handle_input(now, sgi::Input::Packet { tenant, packet });
                }
                Origin::Ue { .. } => self.pass_to_ue(now, tenant, Origin::Gateway, packet),
                Origin::Gateway => {}
            },
            _ => {}
        }
    }

    fn notices(&mut self) {
        while let Some(notice) = self.worker.poll_notice() {
            self.control.send(Input::WorkerNotice {
                worker: self.index,
                notice,
            });
        }
    }
}

/// Sends a datagram. What cannot be sent is lost, as any datagram can be.
fn transmit(udp: &Udp, taps: &Taps, to: SocketAddr, payload: &[u8]) {
    let from = udp.local();
    taps.frame(Link::S5U, &Frame::Datagram { from, to, payload });
    let _ = udp.send(to, payload);
}

fn tap_sgi(taps: &Taps, tenant: TenantId, uplink: bool, packet: &[u8]) {
    taps.frame(
        Link::Sgi,
        &Frame::Packet {
            tenant: tenant.0,
            uplink,
            packet,
        },
    );
}
