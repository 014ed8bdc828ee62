//! The node: what goes into the MME and SGW, and what comes out.

mod boot;
mod equipment;
mod s1_in;
mod s5c;
mod s6a;
mod snapshot;
mod subscriber_data;
mod table;

pub use snapshot::{ContextSnapshot, SessionSnapshot};

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use core::net::IpAddr;

use heiiki_diameter as diameter;
use heiiki_gtp::c;
use heiiki_types::{
    ConnId, Datagram, Imsi, Instant, Machine, Now, Rng, StorageInput, StorageOutput, StreamInput,
    StreamOutput,
};

use crate::config::MmeConfig;
use crate::emm::{S1Link, Ue, UeId};
use crate::event::Event;
use crate::s1::{self, EnbId};
use crate::sgw::{Counters, Relayed, SessionKey, Sgw, Side};

/// What goes into the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// From an eNB.
    S1 {
        /// The association.
        enb: EnbId,
        /// The message.
        message: s1::Message,
    },
    /// A GTP-U datagram of an eNB.
    S1u(Datagram),
    /// A GTPv2-C datagram of a gateway.
    S5c(Datagram),
    /// A GTP-U datagram of a gateway.
    S5u(Datagram),
    /// Of the Diameter connections.
    S6a(StreamInput),
    /// Of the disk.
    Storage(StorageInput),
}

/// What comes out of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To an eNB.
    S1 {
        /// The association.
        enb: EnbId,
        /// The message.
        message: s1::Message,
    },
    /// A GTP-U datagram to an eNB.
    S1u(Datagram),
    /// A GTPv2-C datagram to a gateway.
    S5c(Datagram),
    /// A GTP-U datagram to a gateway.
    S5u(Datagram),
    /// For the Diameter connections.
    S6a(StreamOutput),
    /// For the disk.
    Storage(StorageOutput),
    /// A report.
    Event(Event),
}

/// A request to the HSS that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum S6aPending {
    Vector(UeId, Imsi),
    Location(UeId, Imsi),
    Purge(Imsi),
    /// A registration that a reset asked for.
    Confirm(UeId, Imsi),
    /// A question to the equipment identity register.
    Equipment(UeId, Imsi),
}

/// A request to a gateway that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum S5cPending {
    Create(SessionKey, Imsi),
    Delete(Imsi),
}

/// MME and SGW in one node, TS 23.401 §4.4.2, §4.4.3.
///
/// It follows the contract of [`Machine`]: mutate once, drain, mutate again.
#[derive(Debug)]
pub struct Mme {
    pub(crate) config: MmeConfig,
    pub(crate) rng: Rng,
    pub(crate) now: Now,
    outputs: VecDeque<Output>,
    boot: boot::Boot,
    pub(crate) s6a: Option<diameter::Endpoint>,
    session_ids: diameter::SessionIds,
    /// Open Diameter connections and the hosts at their other ends.
    peers: BTreeMap<ConnId, String>,
    pub(crate) s6a_pending: BTreeMap<u64, S6aPending>,
    pub(crate) s5c: c::Endpoint,
    pub(crate) s5c_pending: BTreeMap<u64, S5cPending>,
    /// Addresses that gateways gave for their control endpoints.
    gateways: BTreeSet<IpAddr>,
    next_tag: u64,
    pub(crate) sgw: Sgw,
    pub(crate) ues: BTreeMap<UeId, Ue>,
    next_ue: u32,
    pub(crate) by_s1: BTreeMap<S1Link, UeId>,
    pub(crate) by_imsi: BTreeMap<Imsi, UeId>,
    pub(crate) by_tmsi: BTreeMap<u32, UeId>,
    timers: BTreeSet<(Instant, UeId)>,
    /// UEs whose contexts are kept after a detach, the oldest first.
    pub(crate) detached: BTreeSet<UeId>,
}

impl Mme {
    /// A node that has not started.
    pub fn new(config: MmeConfig, mut rng: Rng) -> Self {
        let s5c = boot::gtp_endpoint(&config, &mut rng);
        let sgw = Sgw::new(
            config.s1u_local,
            config.s5u_local,
            config.gtpu_ports.clone(),
            config.limits,
        );
        Self {
            session_ids: diameter::SessionIds::new(config.origin_host.as_str(), 0),
            next_ue: rng.next_u32(),
            config,
            rng,
            now: Now::default(),
            outputs: VecDeque::new(),
            boot: boot::Boot::Stopped,
            s6a: None,
            peers: BTreeMap::new(),
            s6a_pending: BTreeMap::new(),
            s5c,
            s5c_pending: BTreeMap::new(),
            gateways: BTreeSet::new(),
            next_tag: 0,
            sgw,
            ues: BTreeMap::new(),
            by_s1: BTreeMap::new(),
            by_imsi: BTreeMap::new(),
            by_tmsi: BTreeMap::new(),
            timers: BTreeSet::new(),
            detached: BTreeSet::new(),
        }
    }

    /// What the node was told.
    pub const fn config(&self) -> &MmeConfig {
        &self.config
    }

    /// What the user plane did so far.
    pub const fn counters(&self) -> Counters {
        self.sgw.counters
    }

    pub(crate) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.output(Output::Event(event));
    }

    pub(crate) const fn tag(&mut self) -> u64 {
        self.next_tag += 1;
        self.next_tag
    }

    fn user_plane(&mut self, side: Side, datagram: Datagram) {
        match self.sgw.receive(self.now.at, side, datagram) {
            Some(Relayed::Transmit(Side::S1u, datagram)) => self.output(Output::S1u(datagram)),
            Some(Relayed::Transmit(Side::S5u, datagram)) => self.output(Output::S5u(datagram)),
            Some(Relayed::Broken(side, key, peer, teid)) => {
                let session = self.sgw.table.get(key).map(|s| (s.ue, s.imsi));
                let imsi = session.map(|(_, imsi)| imsi);
                self.event(Event::ErrorIndication { peer, teid, imsi });
                let Some((ue, _)) = session else { return };
                match side {
                    Side::S1u => self.enb_lost_bearer(ue),
                    Side::S5u => self.gateway_lost_bearer(ue),
                }
            }
            Some(Relayed::Baseless(peer, teid)) => {
                self.event(Event::ErrorIndication {
                    peer,
                    teid,
                    imsi: None,
                });
            }
            None => {}
        }
    }

    /// Hands the machines' outputs on until all of them are quiet.
    fn pump(&mut self) {
        loop {
            if let Some(output) = self.s6a.as_mut().and_then(diameter::Endpoint::poll_output) {
                self.handle_s6a(output);
            } else if let Some(output) = self.s5c.poll_output() {
                self.handle_s5c(output);
            } else {
                return;
            }
        }
    }
}

impl Machine for Mme {
    type Input = Input;
    type Output = Output;

    fn handle_input(&mut self, now: Now, input: Input) {
        self.now = now;
        match input {
            Input::Storage(input) => self.handle_storage(input),
            _ if !self.is_serving() => {}
            Input::S1 { enb, message } => self.handle_s1(enb, message),
            Input::S1u(datagram) => self.user_plane(Side::S1u, datagram),
            Input::S5u(datagram) => self.user_plane(Side::S5u, datagram),
            Input::S5c(datagram) => self.receive_s5c(datagram),
            Input::S6a(input) => {
                if let Some(s6a) = &mut self.s6a {
                    s6a.handle_stream(now.at, input);
                }
            }
        }
        self.pump();
    }

    fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        if !self.is_serving() {
            return;
        }
        if let Some(s6a) = &mut self.s6a {
            s6a.handle_timeout(now.at);
        }
        self.s5c.handle_timeout(now.at);
        self.pump();
        while let Some(id) = self.due() {
            self.timer_expired(id);
        }
        self.pump();
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if !self.is_serving() {
            return None;
        }
        let s6a = self.s6a.as_ref().and_then(diameter::Endpoint::poll_timeout);
        let timer = self.timers.first().map(|(at, _)| *at);
        [s6a, self.s5c.poll_timeout(), timer]
            .into_iter()
            .flatten()
            .min()
    }
}
