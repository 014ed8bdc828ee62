//! What happened: the one stream of events that logs, timelines, captures, the console and the
//! assertions of a scenario read.

use core::net::SocketAddr;
use std::sync::Arc;

use heiiki_types::{Imsi, Instant, WallTime};
use serde::Serialize;

use crate::Link;

/// One thing that happened, where and when.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// Monotonic time, microseconds.
    #[serde(rename = "at_us")]
    pub at: Instant,
    /// Civil time, RFC 3339.
    #[serde(serialize_with = "display")]
    pub wall: WallTime,
    /// The node that reports it.
    #[serde(serialize_with = "display")]
    pub node: Arc<str>,
    /// What it reports.
    #[serde(flatten)]
    pub event: NodeEvent,
}

impl Entry {
    /// The NAS PDU that the entry reports, for captures.
    pub(crate) fn nas_frame(&self) -> Option<Frame<'_>> {
        let NodeEvent::Mme(heiiki_mme::Event::Nas {
            direction,
            wire,
            plain,
            ..
        }) = &self.event
        else {
            return None;
        };
        let uplink = *direction == heiiki_mme::Direction::Uplink;
        Some(Frame::Nas {
            uplink,
            wire,
            plain: plain.as_deref(),
        })
    }
}

fn display<S: serde::Serializer>(value: &impl core::fmt::Display, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(value)
}

/// The events of all kinds of node.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum NodeEvent {
    /// Of the HSS.
    Hss(heiiki_hss::Event),
    /// Of the MME and SGW.
    Mme(heiiki_mme::Event),
    /// Of the gateway.
    Pgw(heiiki_pgw::Event),
    /// Of a corporate segment.
    Segment(heiiki_pgw::sgi::Event),
    /// Of a UE.
    Ue {
        /// Its SIM.
        imsi: Imsi,
        /// What happened to it.
        #[serde(flatten)]
        event: heiiki_ue_sim::Event,
    },
    /// Of the lab itself.
    Lab(LabEvent),
}

/// What the lab does to its nodes and links.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum LabEvent {
    /// A node started.
    NodeStarted,
    /// A node was killed.
    NodeKilled,
    /// A message was lost, doubled or changed on a link.
    LinkFault {
        /// The link.
        link: &'static str,
        /// The message.
        message: String,
        /// What happened to it.
        fate: &'static str,
    },
    /// A step of a scenario began.
    Step {
        /// What it does.
        title: String,
    },
}

/// Octets that cross a link.
#[derive(Clone, Copy, Debug)]
pub enum Frame<'a> {
    /// A UDP datagram: GTPv2-C or GTP-U.
    Datagram {
        /// Source.
        from: SocketAddr,
        /// Destination.
        to: SocketAddr,
        /// UDP payload.
        payload: &'a [u8],
    },
    /// Octets of a TCP connection: Diameter.
    Stream {
        /// Source.
        from: SocketAddr,
        /// Destination.
        to: SocketAddr,
        /// The octets, in order.
        octets: &'a [u8],
    },
    /// A NAS PDU between UE and MME.
    Nas {
        /// Whether it goes to the MME.
        uplink: bool,
        /// The PDU as on the wire.
        wire: &'a [u8],
        /// The deciphered message, if it was ciphered.
        plain: Option<&'a [u8]>,
    },
    /// An IP packet between a gateway and a corporate segment.
    Packet {
        /// The tenant, by its place in the plan.
        tenant: u16,
        /// Whether it goes to the segment.
        uplink: bool,
        /// The packet.
        packet: &'a [u8],
    },
}

/// A subscriber of everything that crosses the links of a lab.
pub trait Tap: Send {
    /// Octets left a node on a link.
    fn frame(&mut self, at: Instant, wall: WallTime, link: Link, frame: &Frame<'_>);
}
