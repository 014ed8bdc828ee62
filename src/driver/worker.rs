//! A user-plane worker on a thread of its own, together with its socket and its segment.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use heiiki_gtp::u::G_PDU_HEADER_LEN;
use heiiki_net::clock;
use heiiki_net::udp::{BatchSocket, Incoming, Waker};
use heiiki_pgw::control::{Control, Input};
use heiiki_pgw::sgi::{self, Segment};
use heiiki_pgw::user_plane::{
    Downlink, DownlinkVerdict, Origin, Reply, Update, Uplink, UplinkVerdict, Worker,
};
use heiiki_pgw::{Network, PgwConfig, TenantId};
use heiiki_types::{Machine as _, Now, Rng};

use super::listen::StartError;
use super::pgw::thread_name;
use super::thread::Inbox;
use super::{Sink, Taps};
use crate::Link;
use crate::log::{Frame, NodeEvent};

/// Octets of datagrams that the system keeps while the worker's processor is not scheduled: a
/// virtual one pauses for milliseconds, in which tens of thousands of packets come.
const RECEIVE_BUFFER: usize = 64 << 20;
/// Less than this is worth a warning.
const SMALL_BUFFER: usize = 4 << 20;
/// Packets that come out of the segment before the worker looks at its socket again.
const TURN: usize = 1_024;
/// A sleep as short as this would last longer than it should.
const SOON: Duration = Duration::from_micros(50);
/// Signalling belongs to no session.
const NO_FLOW: u32 = u32::MAX;
/// How many packets are judged before the worker looks at what it is asked for.
const LOOK: u32 = 64;
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
    /// Hands over a change of the tables; the worker answers the control plane. It looks at it
    /// after the next [`wake`](Self::wake) at the latest.
    pub(crate) fn update(&self, seq: u64, update: Update) {
        let _ = self.asks.send(Ask::Update { seq, update });
    }

    /// Ends the worker's sleep.
    pub(crate) fn wake(&self) {
        self.waker.wake();
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
            let udp = BatchSocket::bind(worker.s5u_local, RECEIVE_BUFFER)
                .map_err(|e| StartError::new("s5u", worker.s5u_local, e))?;
            say_buffer(&udp);
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
    udp: BatchSocket,
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

/// Says what the system gave of the buffer that was asked for.
fn say_buffer(udp: &BatchSocket) {
    let (local, octets) = (udp.local(), udp.receive_buffer());
    if octets < SMALL_BUFFER {
        tracing::warn!(
            %local, octets,
            "the receive buffer is small and packets will be lost in bursts: raise \
             net.core.rmem_max, or run with CAP_NET_ADMIN"
        );
    } else {
        tracing::info!(%local, octets, "receive buffer for GTP-U");
    }
}

impl Loop {
    fn run(mut self) {
        let mut incoming = Incoming::new();
        let mut is_busy = false;
        while !self.stop.load(Ordering::Acquire) {
            // At rest the thread sleeps; with work left it only looks.
            if !is_busy && self.wait().is_err() {
                return;
            }
            self.asks();
            if self.udp.receive(&mut incoming).is_err() {
                return;
            }
            is_busy = !incoming.is_empty();
            if is_busy {
                self.uplink(&mut incoming);
            }
            self.segment.handle_timeout(clock::now());
            is_busy |= self.downlink();
            self.udp.flush();
            self.notices();
        }
    }

    fn wait(&self) -> std::io::Result<()> {
        let next = self.segment.poll_timeout();
        let wait = next.map(|at| at.since(clock::monotonic()));
        let wait = wait.unwrap_or(Duration::from_hours(1));
        if wait < SOON {
            return Ok(());
        }
        self.udp.wait(&self.waker, Some(wait))
    }

    /// Does what other threads have asked for.
    fn asks(&mut self) {
        while let Ok(ask) = self.asked.try_recv() {
            self.act(clock::now(), ask);
        }
    }

    fn act(&mut self, now: Now, ask: Ask) {
        match ask {
            Ask::Update { seq, update } => {
                // What was let pass before the change has left before it counts.
                self.udp.flush();
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
                mut packet,
            } => {
                self.packets.fetch_sub(1, Ordering::AcqRel);
                self.pass_to_ue(now, tenant, origin, &mut packet);
            }
            Ask::Act(act) => act(&mut self.segment, now),
        }
    }

    /// Judges what has arrived, each packet in the buffer that it arrived in. What others ask for
    /// is done between two packets: a cut waits for one of them, not for the end of the traffic.
    fn uplink(&mut self, incoming: &mut Incoming) {
        let now = clock::now();
        for (number, (remote, octets)) in (0_u32..).zip(incoming.datagrams()) {
            if number % LOOK == LOOK - 1 {
                self.asks();
            }
            let mut batch = [Uplink {
                remote,
                octets,
                verdict: UplinkVerdict::Unseen,
            }];
            self.worker.uplink(now.at, &mut batch, &mut self.replies);
            let [item] = batch;
            self.pass(now, item);
            self.reply();
        }
    }

    /// Sends what the worker has to say itself.
    fn reply(&mut self) {
        for reply in self.replies.drain(..) {
            let (udp, taps) = (&mut self.udp, &self.taps);
            transmit(udp, taps, NO_FLOW, reply.to, (&[], &reply.octets));
        }
    }

    /// Hands on what the worker has let pass.
    fn pass(&mut self, now: Now, item: Uplink<'_>) {
        match item.verdict {
            UplinkVerdict::Segment { tenant, packet, .. } => {
                let packet = item.octets.get(packet).unwrap_or_default();
                tap_sgi(&self.taps, tenant, true, packet);
                self.segment.receive(now, tenant, packet);
            }
            UplinkVerdict::Sentinel { access, packet } => {
                let packet = item.octets.get(packet).unwrap_or_default();
                if let Some(tenant) = self.owners.get(usize::from(access.0)) {
                    tap_sgi(&self.taps, *tenant, true, packet);
                }
                self.segment.receive_outside(now, access, packet);
            }
            UplinkVerdict::Ue {
                worker,
                tenant,
                sender,
                packet,
            } => {
                let origin = Origin::Ue { sender };
                let packet = item.octets.get_mut(packet).unwrap_or_default();
                if worker == self.index {
                    self.pass_to_ue(now, tenant, origin, packet);
                } else {
                    self.pass_to_worker(now, worker, tenant, origin, packet.to_vec());
                }
            }
            UplinkVerdict::Fragments {
                tenant, packets, ..
            } => {
                for packet in packets {
                    tap_sgi(&self.taps, tenant, true, &packet);
                    self.segment.receive(now, tenant, &packet);
                }
            }
            UplinkVerdict::Unseen | UplinkVerdict::Consumed => {}
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
        if let Some(other) = self.others.get(worker)
            && !other.packet(tenant, origin, packet)
        {
            self.worker.refuse_handover(now.at);
        }
    }

    /// Gives what the segment has to say to its UEs, up to a bound; true if it may have more.
    fn downlink(&mut self) -> bool {
        let now = clock::now();
        for _ in 0..TURN {
            match self.segment.poll_output() {
                Some(sgi::Output::Packet { tenant, mut packet }) => {
                    tap_sgi(&self.taps, tenant, false, &packet);
                    self.pass_to_ue(now, tenant, Origin::Segment, &mut packet);
                    self.segment.recycle(packet);
                }
                Some(sgi::Output::Event(event)) => {
                    drop((self.sink)(NodeEvent::Segment(event)));
                }
                None => return false,
            }
        }
        true
    }

    fn pass_to_ue(&mut self, now: Now, tenant: TenantId, origin: Origin, packet: &mut [u8]) {
        let mut batch = [Downlink {
            tenant,
            origin,
            packet,
            verdict: DownlinkVerdict::Unseen,
        }];
        self.worker.downlink(now.at, &mut batch);
        let [item] = batch;
        match item.verdict {
            DownlinkVerdict::Tunnel { slot, peer, header } => {
                let (udp, taps) = (&mut self.udp, &self.taps);
                transmit(udp, taps, slot.0, peer, (&header, item.packet));
            }
            DownlinkVerdict::Fragments {
                slot,
                peer,
                datagrams,
            } => {
                for datagram in datagrams {
                    let (udp, taps) = (&mut self.udp, &self.taps);
                    if let Some((header, packet)) = datagram.split_at_checked(G_PDU_HEADER_LEN) {
                        transmit(udp, taps, slot.0, peer, (header, packet));
                    }
                }
            }
            DownlinkVerdict::Answer(mut packet) => match origin {
                Origin::Segment => {
                    tap_sgi(&self.taps, tenant, true, &packet);
                    self.segment.receive(now, tenant, &packet);
                }
                Origin::Ue { .. } => self.pass_to_ue(now, tenant, Origin::Gateway, &mut packet),
                Origin::Gateway => {}
            },
            DownlinkVerdict::Worker(worker) if worker != self.index => {
                let packet = item.packet.to_vec();
                self.pass_to_worker(now, worker, tenant, origin, packet);
            }
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

/// Queues a datagram of a session to leave with the others of this turn. The SGW's network treats
/// it as the packet inside asks to be treated (RFC 2983, the uniform model).
fn transmit(
    udp: &mut BatchSocket,
    taps: &Taps,
    flow: u32,
    to: SocketAddr,
    (header, packet): (&[u8], &[u8]),
) {
    if taps.is_on() {
        let payload = &[header, packet].concat();
        let from = udp.local();
        taps.frame(Link::S5U, &Frame::Datagram { from, to, payload });
    }
    let class = if flow == NO_FLOW { 0 } else { class(packet) };
    udp.push(flow, to, class, header, packet);
}

/// The DSCP of a packet, in its place in the octet; the two bits for congestion stay with it.
fn class(packet: &[u8]) -> u8 {
    let class = match packet {
        [first, second, ..] if first >> 4 == 4 => *second,
        [first, second, ..] => first << 4 | second >> 4,
        _ => 0,
    };
    class & 0xfc
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
