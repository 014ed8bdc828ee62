//! The node: what goes into the MME and SGW, and what comes out.

use alloc::collections::VecDeque;

use heiiki_types::{
    Datagram, Instant, Machine, Now, Rng, StorageInput, StorageOutput, StreamInput, StreamOutput,
};

use crate::config::MmeConfig;
use crate::event::Event;
use crate::s1::{self, EnbId};

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

/// MME and SGW in one node, TS 23.401 §4.4.2, §4.4.3.
#[derive(Debug)]
pub struct Mme {
    config: MmeConfig,
    rng: Rng,
    outputs: VecDeque<Output>,
}

impl Mme {
    /// A node that has not started.
    pub fn new(config: MmeConfig, rng: Rng) -> Self {
        Self {
            config,
            rng,
            outputs: VecDeque::new(),
        }
    }

    /// Reads the disk; the node serves once its restart counter is durable.
    pub fn start(&mut self, _now: Now) {
        self.outputs.push_back(Output::Storage(StorageOutput::Load));
        let _ = (&self.config, &self.rng);
    }
}

impl Machine for Mme {
    type Input = Input;
    type Output = Output;

    fn handle_input(&mut self, _now: Now, _input: Input) {
        unimplemented!()
    }

    fn handle_timeout(&mut self, _now: Now) {
        unimplemented!()
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
