//! Subscribers: what the HSS knows of each SIM, and how that survives.
//!
//! Rows lie in one dense vector; an ordered index finds them by IMSI. Nothing is ever removed, so
//! an index of a row stays good for as long as the process lives.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use heiiki_types::{Ambr, Apn, Arp, Imsi, Key128, Msisdn, PersistSeq, PlmnId, Qci, WallTime};

use crate::auc::milenage::Milenage;
use crate::auc::sqn::Counter;
use crate::config::{Tenant, TenantRule};

pub mod import;
pub(crate) mod profile;
pub(crate) mod row;
mod state;

pub use state::{State, StateEvent, Unexpected, Verb};

/// One access point that a SIM may use.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SubscribedApn {
    /// The access point name, without operator identifier.
    pub apn: Apn,
    /// The address that this SIM always gets.
    pub static_ip: Option<Ipv4Addr>,
    /// The bandwidth of all of the SIM's non-GBR bearers there.
    pub ambr: Ambr,
    /// The class of the default bearer.
    pub qci: Qci,
    /// The priority of the default bearer.
    pub arp: Arp,
}

/// An MME, as it named itself, and the way to it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ServingNode {
    /// The Origin-Host of its location update.
    pub host: String,
    /// The Origin-Realm of its location update.
    pub realm: String,
    /// The peer on whose connection that came; requests go back there.
    pub via: String,
}

/// Where a SIM is registered.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Location {
    /// The MME.
    pub node: ServingNode,
    /// The network that the UE is in.
    pub plmn: PlmnId,
    /// When.
    pub since: WallTime,
    /// The MME has deleted its record of the UE since: nothing is sent to it any more.
    pub purged: bool,
}

impl Location {
    /// Whether `host` is this MME. Diameter identities compare without case.
    pub fn is_at(&self, host: &str) -> bool {
        self.node.host.eq_ignore_ascii_case(host)
    }
}

/// Why a SIM is in its state: who did it, and by which order.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Standing {
    /// The version of the last order; 0 before the first.
    pub(crate) version: u64,
    pub(crate) actor: String,
    pub(crate) reason: String,
    pub(crate) at: WallTime,
}

/// Which row of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RowIx(usize);

/// Which tenant of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TenantIx(usize);

/// All that the HSS knows of one SIM.
pub(crate) struct Subscriber {
    pub(crate) imsi: Imsi,
    pub(crate) k: Key128,
    pub(crate) opc: Key128,
    pub(crate) amf: [u8; 2],
    pub(crate) counter: Counter,
    pub(crate) msisdn: Option<Msisdn>,
    pub(crate) tenant: TenantIx,
    pub(crate) apns: Vec<SubscribedApn>,
    pub(crate) ue_ambr: Ambr,
    pub(crate) state: State,
    pub(crate) standing: Standing,
    pub(crate) location: Option<Location>,
    /// The batch that the location, or its state, went to the disk with.
    pub(crate) location_seq: PersistSeq,
}

impl Subscriber {
    /// The SIM's functions. The key schedule is made anew each time: it costs less than 100 ns and
    /// a cached one would be ten times as large as the keys.
    pub(crate) fn milenage(&self) -> Milenage {
        Milenage::new(&self.k, &self.opc)
    }
}

/// The store in memory.
#[derive(Default)]
pub(crate) struct Subscribers {
    rows: Vec<Subscriber>,
    index: BTreeMap<Imsi, RowIx>,
    tenants: Vec<Tenant>,
}

impl Subscribers {
    /// An empty store that knows the rules of `tenants`.
    pub(crate) fn new(tenants: Vec<Tenant>) -> Self {
        Self {
            tenants,
            ..Self::default()
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn find(&self, imsi: Imsi) -> Option<RowIx> {
        self.index.get(&imsi).copied()
    }

    pub(crate) fn get(&self, ix: RowIx) -> Option<&Subscriber> {
        self.rows.get(ix.0)
    }

    pub(crate) fn get_mut(&mut self, ix: RowIx) -> Option<&mut Subscriber> {
        self.rows.get_mut(ix.0)
    }

    pub(crate) fn by_imsi(&self, imsi: Imsi) -> Option<&Subscriber> {
        self.get(self.find(imsi)?)
    }

    pub(crate) fn by_imsi_mut(&mut self, imsi: Imsi) -> Option<&mut Subscriber> {
        let ix = self.find(imsi)?;
        self.get_mut(ix)
    }

    /// Subscribers in the order of their IMSI, from after `after` on.
    pub(crate) fn after(&self, after: Option<Imsi>) -> impl Iterator<Item = &Subscriber> {
        use core::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.index
            .range((from, Unbounded))
            .filter_map(|(_, ix)| self.get(*ix))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (RowIx, &Subscriber)> {
        self.rows.iter().enumerate().map(|(i, s)| (RowIx(i), s))
    }

    /// Adds a subscriber; `None` when the IMSI is there already.
    pub(crate) fn insert(&mut self, subscriber: Subscriber) -> Option<RowIx> {
        let ix = RowIx(self.rows.len());
        match self.index.entry(subscriber.imsi) {
            alloc::collections::btree_map::Entry::Occupied(_) => None,
            alloc::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(ix);
                self.rows.push(subscriber);
                Some(ix)
            }
        }
    }

    /// The number of a tenant; one that the configuration does not name gets the default rule.
    pub(crate) fn tenant(&mut self, name: &str) -> TenantIx {
        let known = self.tenants.iter().position(|t| t.name == name);
        TenantIx(known.unwrap_or_else(|| {
            self.tenants.push(Tenant {
                name: String::from(name),
                rule: TenantRule::default(),
            });
            self.tenants.len() - 1
        }))
    }

    pub(crate) fn tenant_name(&self, ix: TenantIx) -> &str {
        self.tenants.get(ix.0).map_or("", |t| t.name.as_str())
    }

    pub(crate) fn tenant_rule(&self, ix: TenantIx) -> TenantRule {
        self.tenants
            .get(ix.0)
            .map_or_else(TenantRule::default, |t| t.rule)
    }
}
