//! The cut: a SIM loses its service, everywhere, and somebody can show when.
//!
//! A cut is an order: a bar for one IMSI with a version, told to every gateway of the SIM's access
//! points and to its MME **in parallel, and before the commit to disk**, since failing closed is
//! safe. A resume is an order with a higher version, told after its commit. Isolations and their
//! releases go the same way, without the MME; the end of sessions by name is told to gateways only.
//!
//! Every order keeps its stamps:
//!
//! | stamp | what |
//! |---|---|
//! | t0 | the call is authenticated and parsed, before any I/O |
//! | t1 | the commit is durable |
//! | t2 | the cancel location request is handed to the transport |
//! | t3 | its answer is here |
//! | t4 | a gateway has the bar |
//! | t5 | the last worker there is past its boundary, uplink and downlink |
//! | t6 | the detach is accepted or given up |
//! | t7 | accounting stopped and the charging record closed, where there is any |
//! | t8 | the first refusal of the SIM afterwards |
//!
//! Only t0 <= t1, t0 <= t2 <= t3 and t0 <= t4 <= t5 hold; the branches run side by side.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use heiiki_types::{CallId, Imsi, Instant, WallTime};
use serde::{Deserialize, Serialize};

use crate::subscriber::{State, Verb};

pub(crate) mod book;
pub(crate) mod bulk;
mod certificate;
pub(crate) mod expiry;
pub(crate) mod gateway;
pub(crate) mod history;
mod legs;
pub(crate) mod procedure;
pub(crate) mod watch;

pub(crate) use certificate::Certificate;

/// The number of an order. It rises from order to order, across crashes too, since the durable
/// epoch is its upper part. The version of its bar is the same number, unless a gateway has a later
/// order for the SIM: then it is above that one.
#[derive(schemars::JsonSchema)]
#[schemars(with = "alloc::string::String")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CutId(pub(crate) u64);

/// How many orders an epoch has numbers for.
pub(crate) const ORDERS_OF_AN_EPOCH: u64 = 10_000_000;

/// The distance between the numbers of two orders. A gateway that cuts by itself takes the number
/// after the last one it knows, and the next order from here is to be above that.
pub(crate) const ORDER_STEP: u64 = 1_000;

/// The distance between the numbers of two front ends that take the same step.
pub(crate) const FRONT_END_STEP: u64 = 30;

/// The greatest version that a gateway takes.
pub(crate) const MAX_VERSION: u64 = (1 << 53) - 1;

impl CutId {
    /// Which front end gave the order, by its first IND value.
    pub(crate) const fn front_end(self) -> u8 {
        let [.., low] = (self.0 % ORDER_STEP / FRONT_END_STEP).to_be_bytes();
        low
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// What an order is about. The latest order of a kind counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Whether the SIM is barred.
    Bar,
    /// Whether the SIM is isolated.
    Isolation,
    /// The sessions that it has.
    Session,
}

impl Verb {
    /// What an order with this verb is about.
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Pause | Self::Suspend | Self::Resume | Self::Terminate => Kind::Bar,
            Self::Isolate | Self::Release => Kind::Isolation,
            Self::DeleteSession => Kind::Session,
        }
    }
}

impl fmt::Display for CutId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for CutId {
    type Err = core::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl Serialize for CutId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A point in the life of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the table of the module says what each is")]
pub enum Stamp {
    T0,
    T1,
    T2,
    T3,
    T4,
    T5Uplink,
    T5Downlink,
    T6,
    T7,
    T8,
}

/// What can be said of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Somebody has not done or answered it yet.
    Open,
    /// Committed, and every observable gateway has it; but some gateway cannot be observed.
    NotObservable,
    /// Committed, and every listed gateway has stopped forwarding: nothing passes for this SIM.
    Dark,
    /// Dark, and the MME has answered, the UE is gone and the records are closed, as far as each
    /// of these can be observed.
    Clean,
    /// Service is back at every observable gateway: the end of a resume or of a release.
    Lifted,
    /// Every observable gateway lets the SIM reach the quarantine prefixes only.
    Isolated,
    /// The sessions that the SIM had at every observable gateway are gone.
    Ended,
    /// A later order for the same SIM took its place before it was done.
    Superseded,
}

/// What a gateway reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GatewayAnswer {
    /// When the answer was here.
    pub(crate) at: Instant,
    /// Whether the gateway's stamps are of the same clock as ours.
    pub(crate) comparable: bool,
    /// Whether the order was given in the same boot, so that `at` compares with its t0.
    pub(crate) same_boot: bool,
    pub(crate) sessions: u64,
    pub(crate) t4: Option<Instant>,
    pub(crate) t5_uplink: Option<Instant>,
    pub(crate) t5_downlink: Option<Instant>,
    pub(crate) t7: Option<Instant>,
    pub(crate) packets_after_t0: Option<u64>,
    pub(crate) purged: Option<u64>,
    /// Whether the gateway keeps charging records, so that there is a t7.
    pub(crate) accounting: bool,
}

/// The part of an order that one gateway has to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GatewayLeg {
    pub(crate) name: String,
    /// Whether the gateway can be told at all.
    pub(crate) observable: bool,
    pub(crate) attempts: u32,
    pub(crate) answer: Option<GatewayAnswer>,
    pub(crate) error: Option<String>,
    /// How often it was told again after it had answered, because it had lost the order.
    pub(crate) retold: u32,
    /// It has lost the order, and has not been told again yet. After a restart every gateway is
    /// compared anew.
    #[serde(skip)]
    pub(crate) redo: bool,
}

impl GatewayLeg {
    pub(crate) const fn is_open(&self) -> bool {
        self.observable && (self.answer.is_none() || self.redo)
    }
}

/// The part of an order that one MME has to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeLeg {
    pub(crate) host: String,
    pub(crate) attempts: u32,
    pub(crate) t2: Option<Instant>,
    pub(crate) t3: Option<Instant>,
    pub(crate) result: Option<String>,
}

/// An order and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cut {
    pub(crate) id: u64,
    /// What the bar, or its lift, carries: the highest counts at a gateway.
    pub(crate) version: u64,
    pub(crate) imsi: Imsi,
    pub(crate) verb: Verb,
    pub(crate) actor: String,
    pub(crate) reason: String,
    pub(crate) from: State,
    pub(crate) to: State,
    pub(crate) wall: WallTime,
    /// When it ends by itself; never without it.
    pub(crate) expires: Option<WallTime>,
    /// The bulk order that it is part of.
    pub(crate) bulk: Option<u64>,
    /// The boot whose clock the stamps are of.
    pub(crate) boot: String,
    pub(crate) t0: Instant,
    pub(crate) t1: Option<Instant>,
    pub(crate) t6: Option<Instant>,
    pub(crate) t7: Option<Instant>,
    pub(crate) t8: Option<Instant>,
    pub(crate) nodes: Vec<NodeLeg>,
    pub(crate) gateways: Vec<GatewayLeg>,
    /// Access points of the SIM that no gateway is listed for.
    pub(crate) unlisted: Vec<String>,
    pub(crate) superseded: bool,
    /// Whether the order is known to be durable. A row that was read back is.
    #[serde(skip, default = "yes")]
    pub(crate) committed: bool,
    /// Whether the disk refused it.
    #[serde(skip)]
    pub(crate) disk_failed: bool,
    /// What was last said of it.
    #[serde(skip)]
    pub(crate) told: Option<Verdict>,
    /// The call that waits for the first certificate.
    #[serde(skip)]
    pub(crate) reply: Option<CallId>,
}

const fn yes() -> bool {
    true
}

impl Cut {
    pub(crate) const fn id(&self) -> CutId {
        CutId(self.id)
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.verb.kind()
    }

    /// Whether everything that can be done by telling others is done.
    pub(crate) fn is_closed(&self) -> bool {
        self.superseded
            || (self.committed
                && !self.gateways.iter().any(GatewayLeg::is_open)
                && self.nodes.iter().all(|n| n.t3.is_some()))
    }

    /// Whether the first certificate can go out: the commit is decided, and every gateway has been
    /// told once and has answered or failed.
    pub(crate) fn is_reportable(&self) -> bool {
        (self.committed || self.disk_failed)
            && self
                .gateways
                .iter()
                .all(|g| !g.is_open() || g.error.is_some())
    }

    /// Dark: committed, and every listed gateway past its boundary in both directions.
    pub(crate) fn is_dark(&self) -> bool {
        let past = |g: &GatewayLeg| {
            let past = |a: &GatewayAnswer| a.t5_uplink.is_some() && a.t5_downlink.is_some();
            !g.redo && g.answer.as_ref().is_some_and(past)
        };
        self.verb.is_cut()
            && self.committed
            && self.unlisted.is_empty()
            && self.gateways.iter().all(past)
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let told = !self.gateways.iter().any(GatewayLeg::is_open);
        let done = self.committed && told && (self.is_observable() || !self.verb.takes_away());
        let when_done = match self.verb {
            Verb::Resume | Verb::Release => Some(Verdict::Lifted),
            Verb::Isolate => Some(Verdict::Isolated),
            Verb::DeleteSession => Some(Verdict::Ended),
            Verb::Pause | Verb::Suspend | Verb::Terminate => None,
        };
        if let Some(verdict) = when_done.filter(|_| done) {
            verdict
        } else if self.is_dark() && self.nodes.iter().all(|n| n.t3.is_some()) {
            Verdict::Clean
        } else if self.is_dark() {
            Verdict::Dark
        } else if self.superseded {
            Verdict::Superseded
        } else if self.verb.takes_away() && self.committed && told && !self.is_observable() {
            Verdict::NotObservable
        } else {
            Verdict::Open
        }
    }

    /// Whether every access point has a gateway and every gateway can be asked.
    pub(crate) fn is_observable(&self) -> bool {
        self.unlisted.is_empty() && self.gateways.iter().all(|g| g.observable)
    }

    pub(crate) fn node_mut(&mut self, host: &str) -> Option<&mut NodeLeg> {
        self.nodes
            .iter_mut()
            .find(|n| n.host.eq_ignore_ascii_case(host))
    }
}
