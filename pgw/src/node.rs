use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

use heiiki_types::{
    CallId, Datagram, HttpRequest, HttpResponse, Instant, Machine, Now, Rng, StorageInput,
    StorageOutput,
};

use crate::config::{AccessId, ConfigError, Network, PgwConfig, TenantId};
use crate::control::{self, Control};
use crate::event::Event;
use crate::user_plane::{
    Answer, Downlink, DownlinkVerdict, Origin, Reply, Slot, Update, Uplink, UplinkVerdict, Worker,
};

/// What goes into a gateway.
#[derive(Clone, Debug)]
pub enum Input {
    /// A datagram at the GTP-C address.
    S5c(Datagram),
    /// A datagram at a worker's GTP-U address.
    S5u {
        /// The worker.
        worker: usize,
        /// The datagram.
        datagram: Datagram,
    },
    /// A packet from a corporate segment, or from the sentinel, for a UE.
    Sgi {
        /// The worker whose segment shard it comes from.
        worker: usize,
        /// Whose segment.
        tenant: TenantId,
        /// The packet.
        packet: Vec<u8>,
    },
    /// An administrative call.
    Admin {
        /// Ties the reply to it.
        call: CallId,
        /// The call.
        request: HttpRequest,
    },
    /// What the disk says.
    Storage(StorageInput),
}

/// What comes out of a gateway.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send this datagram from the GTP-C address.
    S5c(Datagram),
    /// Send this datagram from a worker's GTP-U address.
    S5u {
        /// The worker.
        worker: usize,
        /// The datagram.
        datagram: Datagram,
    },
    /// A packet for the corporate segment of a tenant.
    Sgi {
        /// The worker: the packet is for its segment shard.
        worker: usize,
        /// Whose segment.
        tenant: TenantId,
        /// The packet.
        packet: Vec<u8>,
    },
    /// A packet that leaves an open lab APN. Its only far end is the sentinel of the lab.
    Sentinel {
        /// The worker: the packet is for its segment shard.
        worker: usize,
        /// The tenant of the access point.
        tenant: TenantId,
        /// The open access point.
        access: AccessId,
        /// The packet.
        packet: Vec<u8>,
    },
    /// Answer an administrative call.
    AdminReply {
        /// The call.
        call: CallId,
        /// The answer.
        response: HttpResponse,
    },
    /// For the disk.
    Storage(StorageOutput),
    /// Something happened.
    Event(Event),
}

/// A whole gateway in one thread: control and workers, composed.
///
/// It is the form that the virtual world runs. A worker answers an update at once here, since
/// nothing is in the middle of a batch; what waits in the output queue for a session that is being
/// removed is the only queue there is, and it is purged and counted.
#[derive(Debug)]
pub struct Pgw {
    control: Control,
    workers: Vec<Worker>,
    outputs: VecDeque<(Option<Slot>, Output)>,
    replies: Vec<Reply>,
}

impl Pgw {
    /// A gateway that knows nothing yet. All mistakes of the configuration are listed at once.
    pub fn new(config: PgwConfig, rng: Rng) -> Result<Self, Vec<ConfigError>> {
        let control = Control::new(config, rng)?;
        let workers = control.config().workers.iter().enumerate();
        let workers = workers
            .map(|(i, w)| Worker::new(control.network(), i, w.s5u_local))
            .collect();
        Ok(Self {
            control,
            workers,
            outputs: VecDeque::new(),
            replies: Vec::new(),
        })
    }

    /// Asks for the disk. Nothing is answered or forwarded before it was read.
    pub fn start(&mut self, now: Now) {
        self.control.start(now);
        self.pump(now);
    }

    /// The checked configuration.
    pub const fn network(&self) -> &Network {
        self.control.network()
    }

    /// The control plane, to be looked at.
    pub const fn control(&self) -> &Control {
        &self.control
    }

    /// The workers, to be looked at.
    pub fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// Carries updates, answers and notices between control and workers until none is left.
    fn pump(&mut self, now: Now) {
        loop {
            while let Some(output) = self.control.poll_output() {
                self.dispatch(now, output);
            }
            let mut quiet = true;
            for i in 0..self.workers.len() {
                let Some(worker) = self.workers.get_mut(i) else {
                    continue;
                };
                worker.poll_replies(now.at, &mut self.replies);
                while let Some(notice) = worker.poll_notice() {
                    quiet = false;
                    let input = control::Input::WorkerNotice { worker: i, notice };
                    self.control.handle_input(now, input);
                }
                self.send_replies(i);
            }
            if quiet {
                return;
            }
        }
    }

    fn dispatch(&mut self, now: Now, output: control::Output) {
        let output = match output {
            control::Output::S5c(datagram) => Output::S5c(datagram),
            control::Output::AdminReply { call, response } => Output::AdminReply { call, response },
            control::Output::Storage(output) => Output::Storage(output),
            control::Output::Event(event) => Output::Event(event),
            control::Output::WorkerUpdate {
                worker,
                seq,
                update,
            } => {
                if let Some(w) = self.workers.get_mut(worker) {
                    let mut answer = w.handle_update(&update);
                    if let Answer::Removed { purged, .. } | Answer::Isolated { purged } =
                        &mut answer
                    {
                        // The queue is one for all workers, so the first of them purges it.
                        *purged += self.purge(&update);
                    }
                    let input = control::Input::WorkerAck {
                        worker,
                        seq,
                        at: now.at,
                        answer,
                    };
                    self.control.handle_input(now, input);
                }
                return;
            }
        };
        self.outputs.push_back((None, output));
    }

    /// Throws away what waits for the sessions that an update removes or isolates.
    fn purge(&mut self, update: &Update) -> u64 {
        let gone: BTreeSet<Slot> = match update {
            Update::Remove(gone) => gone.iter().map(|g| g.slot).collect(),
            Update::Isolate {
                sessions,
                isolates: true,
            } => sessions.iter().map(|(slot, _)| *slot).collect(),
            _ => return 0,
        };
        let before = self.outputs.len();
        self.outputs
            .retain(|(slot, _)| slot.is_none_or(|slot| !gone.contains(&slot)));
        u64::try_from(before - self.outputs.len()).unwrap_or(0)
    }

    fn uplink(&mut self, now: Now, index: usize, mut datagram: Datagram) {
        let Some(worker) = self.workers.get_mut(index) else {
            return;
        };
        let mut batch = [Uplink {
            remote: datagram.remote,
            octets: &mut datagram.payload,
            verdict: UplinkVerdict::Unseen,
        }];
        worker.uplink(now.at, &mut batch, &mut self.replies);
        let [Uplink { verdict, .. }] = batch;
        self.send_replies(index);
        let take = |range, mut octets: Vec<u8>| -> Vec<u8> {
            let core::ops::Range { start, end } = range;
            octets.truncate(end);
            octets.drain(..start.min(end));
            octets
        };
        match verdict {
            UplinkVerdict::Segment {
                tenant,
                slot,
                packet,
            } => {
                let packet = take(packet, datagram.payload);
                let output = Output::Sgi {
                    worker: index,
                    tenant,
                    packet,
                };
                self.outputs.push_back((Some(slot), output));
            }
            UplinkVerdict::Fragments {
                tenant,
                slot,
                packets,
            } => {
                let output = |packet| Output::Sgi {
                    worker: index,
                    tenant,
                    packet,
                };
                let packets = packets.into_iter().map(output);
                self.outputs.extend(packets.map(|o| (Some(slot), o)));
            }
            UplinkVerdict::Sentinel { access, packet } => {
                let tenant = self.control.network().access(access).map(|a| a.tenant);
                let output = Output::Sentinel {
                    worker: index,
                    tenant: tenant.unwrap_or(TenantId(0)),
                    access,
                    packet: take(packet, datagram.payload),
                };
                self.outputs.push_back((None, output));
            }
            UplinkVerdict::Ue {
                worker,
                tenant,
                sender,
                packet,
            } => {
                let packet = take(packet, datagram.payload);
                self.downlink(now, worker, tenant, Origin::Ue { sender }, packet);
            }
            UplinkVerdict::Unseen | UplinkVerdict::Consumed => {}
        }
    }

    fn send_replies(&mut self, worker: usize) {
        let Some(local) = self.workers.get(worker).map(Worker::local) else {
            return;
        };
        for Reply { to, octets } in self.replies.drain(..) {
            let datagram = Datagram {
                local,
                remote: to,
                payload: octets,
            };
            let output = Output::S5u { worker, datagram };
            self.outputs.push_back((None, output));
        }
    }

    fn downlink(
        &mut self,
        now: Now,
        index: usize,
        tenant: TenantId,
        origin: Origin,
        mut packet: Vec<u8>,
    ) {
        let mut index = index;
        // A second worker is the owner, so it never names a third.
        for _ in 0..2 {
            let Some(worker) = self.workers.get_mut(index) else {
                return;
            };
            let mut batch = [Downlink {
                tenant,
                origin,
                packet: &mut packet,
                verdict: DownlinkVerdict::Unseen,
            }];
            worker.downlink(now.at, &mut batch);
            let [Downlink { verdict, .. }] = batch;
            match verdict {
                DownlinkVerdict::Worker(owner) => index = owner,
                DownlinkVerdict::Tunnel { slot, peer, header } => {
                    let mut payload = Vec::with_capacity(header.len() + packet.len());
                    payload.extend(header);
                    payload.append(&mut packet);
                    let datagram = Datagram {
                        local: worker.local(),
                        remote: peer,
                        payload,
                    };
                    let output = Output::S5u {
                        worker: index,
                        datagram,
                    };
                    self.outputs.push_back((Some(slot), output));
                    return;
                }
                DownlinkVerdict::Fragments {
                    slot,
                    peer,
                    datagrams,
                } => {
                    let local = worker.local();
                    let output = |payload| Output::S5u {
                        worker: index,
                        datagram: Datagram {
                            local,
                            remote: peer,
                            payload,
                        },
                    };
                    let datagrams = datagrams.into_iter().map(output);
                    self.outputs.extend(datagrams.map(|o| (Some(slot), o)));
                    return;
                }
                DownlinkVerdict::Answer(answer) => {
                    self.answer(now, index, (tenant, origin), answer);
                    return;
                }
                DownlinkVerdict::Unseen | DownlinkVerdict::Consumed => return,
            }
        }
    }

    /// Takes an ICMP error back to where the packet came from that it is about.
    fn answer(
        &mut self,
        now: Now,
        index: usize,
        (tenant, origin): (TenantId, Origin),
        packet: Vec<u8>,
    ) {
        match origin {
            Origin::Segment => {
                let output = Output::Sgi {
                    worker: index,
                    tenant,
                    packet,
                };
                self.outputs.push_back((None, output));
            }
            Origin::Ue { .. } => self.downlink(now, index, tenant, Origin::Gateway, packet),
            Origin::Gateway => {}
        }
    }

    /// Makes a worker forward to a prefix that nobody declared, for tests of the proof.
    #[cfg(test)]
    pub(crate) fn plant_leak(
        &mut self,
        worker: usize,
        tenant: TenantId,
        prefix: heiiki_types::Prefix,
    ) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.plant_leak(tenant, prefix);
        }
    }
}

impl Machine for Pgw {
    type Input = Input;
    type Output = Output;

    fn handle_input(&mut self, now: Now, input: Input) {
        match input {
            Input::S5c(datagram) => self
                .control
                .handle_input(now, control::Input::S5c(datagram)),
            Input::S5u { worker, datagram } => self.uplink(now, worker, datagram),
            Input::Sgi {
                worker,
                tenant,
                packet,
            } => self.downlink(now, worker, tenant, Origin::Segment, packet),
            Input::Admin { call, request } => {
                let input = control::Input::Admin { call, request };
                self.control.handle_input(now, input);
            }
            Input::Storage(input) => self
                .control
                .handle_input(now, control::Input::Storage(input)),
        }
        self.pump(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.control.handle_timeout(now);
        self.pump(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front().map(|(_, output)| output)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.control.poll_timeout()
    }
}
