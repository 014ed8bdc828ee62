//! One base station with its terminals: NAS and IP packets of many UEs on one S1 association and
//! one S1-U socket.
//!
//! Tables are dense: a [`UeId`] is a place in a vector, the eNB UE S1AP ID is that place and a
//! generation, and a TEID finds its UE without a search. A UE at rest costs a table row.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use heiiki_mme::s1::{self, EnbId, ReleaseCause};
use heiiki_types::{Datagram, Duration, Ecgi, Instant, Machine, Now, Rng, Tai, Teid};

use crate::event::Event;
use crate::ue::{Context, Ue, UeOutput};
use crate::usim::Usim;
use crate::{UeCommand, UeId, UeProfile};

use link::{Link, Tunnel};
use teids::Teids;

mod link;
mod s1_in;
mod s1u;
mod teids;

/// What an eNB is told when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnbConfig {
    /// Its association with the MME.
    pub id: EnbId,
    /// The tracking area of its cell.
    pub tai: Tai,
    /// Its cell.
    pub ecgi: Ecgi,
    /// Its S1-U socket, which the MME is told for downlink packets.
    pub s1u_local: SocketAddr,
}

/// What goes into an [`Enb`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A message from the MME.
    S1(s1::Message),
    /// A datagram from the SGW.
    S1u(Datagram),
    /// The lab commands a UE.
    Command {
        /// The UE.
        ue: UeId,
        /// What it is to do.
        command: UeCommand,
    },
}

/// What comes out of an [`Enb`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A message for the MME.
    S1(s1::Message),
    /// A datagram for the SGW.
    S1u(Datagram),
    /// Something happened to a UE.
    Event {
        /// The UE.
        ue: UeId,
        /// What.
        event: Event,
    },
}

/// What an eNB counted on S1 and S1-U.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    /// G-PDUs to the SGW.
    pub uplink_packets: u64,
    /// Octets of the packets inside them.
    pub uplink_octets: u64,
    /// G-PDUs from the SGW for a UE.
    pub downlink_packets: u64,
    /// Octets of the packets inside them.
    pub downlink_octets: u64,
    /// Uplink packets of UEs without a tunnel.
    pub no_tunnel: u64,
    /// G-PDUs for a TEID that is not in use.
    pub unknown_teid: u64,
    /// Datagrams that are not GTP-U.
    pub malformed: u64,
    /// S1 messages for a connection that is not there.
    pub unknown_connection: u64,
}

struct Slot {
    ue: Ue,
    link: Link,
    /// Rises with each connection, so that messages for an old one are told apart.
    generation: u8,
    /// What the deadline table holds for the UE.
    deadline: Option<Instant>,
}

/// One eNB.
pub struct Enb {
    config: EnbConfig,
    ues: Vec<Slot>,
    teids: Teids,
    /// The far ends of uplink tunnels, for error indications.
    peers: BTreeMap<(IpAddr, Teid), UeId>,
    deadlines: BTreeSet<(Instant, UeId)>,
    outputs: VecDeque<Output>,
    /// What a UE put out; kept for its memory.
    scratch: Vec<UeOutput>,
    rng: Rng,
    counters: Counters,
}

impl core::fmt::Debug for Enb {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Enb")
            .field("config", &self.config)
            .field("ues", &self.ues.len())
            .finish_non_exhaustive()
    }
}

impl Enb {
    /// An eNB without UEs.
    pub fn new(config: EnbConfig, rng: Rng) -> Self {
        Self {
            config,
            ues: Vec::new(),
            teids: Teids::default(),
            peers: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            outputs: VecDeque::new(),
            scratch: Vec::new(),
            rng,
            counters: Counters::default(),
        }
    }

    /// What the eNB was made with.
    pub const fn config(&self) -> &EnbConfig {
        &self.config
    }

    /// What it counted.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Puts a UE into the cell: switched on, not attached. `None` when the cell is full, at
    /// [`UES_MAX`](Self::UES_MAX).
    pub fn add_ue(&mut self, profile: Arc<UeProfile>, usim: Usim) -> Option<UeId> {
        let id = u32::try_from(self.ues.len()).ok()?;
        if id >= Self::UES_MAX {
            return None;
        }
        self.ues.push(Slot {
            ue: Ue::new(profile, usim),
            link: Link::Idle,
            generation: 0,
            deadline: None,
        });
        Some(UeId(id))
    }

    /// UEs that one eNB can hold: what the eNB UE S1AP ID has bits for, beside the generation.
    pub const UES_MAX: u32 = 1 << link::INDEX_BITS;

    /// A UE of the cell.
    pub fn ue(&self, id: UeId) -> Option<&Ue> {
        self.slot(id).map(|s| &s.ue)
    }

    /// All UEs of the cell, in the order of their identities.
    pub fn ues(&self) -> impl Iterator<Item = (UeId, &Ue)> {
        (0..).map(UeId).zip(self.ues.iter().map(|s| &s.ue))
    }

    /// The TEID of a UE's downlink tunnel, while it has one.
    pub fn downlink_teid(&self, id: UeId) -> Option<Teid> {
        self.slot(id)?.link.tunnel().map(|t| t.local)
    }

    fn slot(&self, id: UeId) -> Option<&Slot> {
        self.ues.get(usize::try_from(id.0).ok()?)
    }

    fn slot_mut(&mut self, id: UeId) -> Option<&mut Slot> {
        self.ues.get_mut(usize::try_from(id.0).ok()?)
    }

    /// Lets a UE do something and passes on what comes of it.
    fn with_ue(&mut self, now: Instant, id: UeId, act: impl FnOnce(&mut Ue, &mut Context<'_>)) {
        let Some(slot) = usize::try_from(id.0).ok().and_then(|i| self.ues.get_mut(i)) else {
            return;
        };
        let mut out = core::mem::take(&mut self.scratch);
        let mut cx = Context {
            now,
            tai: self.config.tai,
            rng: &mut self.rng,
            out: &mut out,
        };
        act(&mut slot.ue, &mut cx);
        let next = slot.ue.poll_timeout(now);
        for output in out.drain(..) {
            match output {
                UeOutput::Nas(pdu) => self.uplink_nas(id, pdu),
                UeOutput::Packet(packet) => self.uplink_packet(id, packet),
                UeOutput::Release(cause) => self.ue_released(id, cause),
                UeOutput::Event(event) => self.outputs.push_back(Output::Event { ue: id, event }),
            }
        }
        self.scratch = out;
        self.set_deadline(id, next);
    }

    fn set_deadline(&mut self, id: UeId, next: Option<Instant>) {
        let Some(slot) = self.slot_mut(id) else {
            return;
        };
        let before = core::mem::replace(&mut slot.deadline, next);
        if before != next {
            if let Some(at) = before {
                self.deadlines.remove(&(at, id));
            }
            if let Some(at) = next {
                self.deadlines.insert((at, id));
            }
        }
    }

    /// A UE's NAS PDU: the first one of a connection opens it.
    fn uplink_nas(&mut self, id: UeId, nas: Vec<u8>) {
        let (tai, ecgi) = (self.config.tai, self.config.ecgi);
        let Some(slot) = self.slot_mut(id) else {
            return;
        };
        let message = match &mut slot.link {
            Link::Idle => {
                slot.generation = slot.generation.wrapping_add(1);
                let enb_ue_id = link::enb_ue_id(id, slot.generation);
                slot.link = Link::opened(enb_ue_id);
                s1::Message::InitialUeMessage {
                    enb_ue_id,
                    tai,
                    ecgi,
                    nas,
                }
            }
            Link::Connected(connection) => {
                let Some(mme_ue_id) = connection.mme_ue_id else {
                    // The MME has not said yet how it calls the connection.
                    return connection.hold(nas);
                };
                s1::Message::UplinkNasTransport {
                    enb_ue_id: connection.enb_ue_id,
                    mme_ue_id,
                    nas,
                    tai,
                    ecgi,
                }
            }
        };
        self.outputs.push_back(Output::S1(message));
    }

    /// The UE gave its connection up. The MME is asked to release its side; when it has not
    /// answered yet it is told so once it does.
    fn ue_released(&mut self, id: UeId, cause: ReleaseCause) {
        if let Some(connection) = self.close(id)
            && let Some(mme_ue_id) = connection.mme_ue_id
        {
            let message = s1::Message::UeContextReleaseRequest {
                enb_ue_id: connection.enb_ue_id,
                mme_ue_id,
                cause,
            };
            self.outputs.push_back(Output::S1(message));
        }
    }

    /// Ends the eNB's side of a connection, tunnel included.
    fn close(&mut self, id: UeId) -> Option<link::Connection> {
        let link = core::mem::replace(&mut self.slot_mut(id)?.link, Link::Idle);
        let Link::Connected(mut connection) = link else {
            return None;
        };
        if let Some(tunnel) = connection.tunnel.take() {
            self.forget_tunnel(tunnel);
        }
        Some(*connection)
    }

    fn forget_tunnel(&mut self, tunnel: Tunnel) {
        self.teids.release(tunnel.local);
        let key = (tunnel.remote.address.ip(), tunnel.remote.teid);
        self.peers.remove(&key);
    }
}

impl Machine for Enb {
    type Input = Input;
    type Output = Output;

    fn handle_input(&mut self, now: Now, input: Input) {
        match input {
            Input::S1(message) => self.handle_s1(now.at, message),
            Input::S1u(datagram) => self.handle_s1u(now.at, &datagram),
            Input::Command { ue, command } => {
                if self.slot(ue).is_none() {
                    let event = Event::CommandRefused {
                        why: "no such UE".into(),
                    };
                    self.outputs.push_back(Output::Event { ue, event });
                }
                self.with_ue(now.at, ue, |u, cx| u.handle_command(cx, command));
            }
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        while let Some((at, id)) = self.deadlines.first().copied() {
            if at > now.at {
                break;
            }
            self.with_ue(now.at, id, Ue::handle_timeout);
            // What is due again at once waits for the next call: time must move on.
            let again = self.slot(id).and_then(|s| s.deadline);
            if again.is_some_and(|at| at <= now.at) {
                self.set_deadline(id, Some(now.at + Duration::from_micros(1)));
            }
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests;
