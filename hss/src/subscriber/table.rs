//! The store in memory.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use core::net::IpAddr;

use heiiki_types::{Imsi, PersistSeq, Prefix64};

use super::addresses::Addresses;
use super::index::Index;
use super::interner::{Interner, Shared};
use super::row::{self, SubscriberRow, Unreadable};
use super::{
    Location, NewSubscriber, Place, Profile, Rare, RowIx, ServingNode, SubscribedApn, Subscriber,
    TenantIx,
};
use crate::auc::sqn::Epoch;
use crate::config::{Tenant, TenantRule};
use crate::seal::Vault;

/// Rows of a chunk.
const CHUNK: usize = 4_096;

/// The store in memory.
#[derive(Default)]
pub(crate) struct Subscribers {
    chunks: Vec<Vec<Subscriber>>,
    index: Index,
    pub(super) profiles: Interner<Profile>,
    nodes: Interner<ServingNode>,
    pub(super) groups: Interner<String>,
    pub(super) addresses: Addresses,
    tenants: Vec<Tenant>,
    pub(super) tenant_numbers: BTreeMap<String, TenantIx>,
}

impl Subscribers {
    /// An empty store that knows the rules of `tenants`.
    pub(crate) fn new(tenants: Vec<Tenant>) -> Self {
        let numbers = tenants.iter().zip(0..);
        Self {
            tenant_numbers: numbers
                .map(|(t, n)| (t.name.clone(), TenantIx(n)))
                .collect(),
            tenants,
            ..Self::default()
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self.chunks.split_last() {
            Some((last, full)) => full.len() * CHUNK + last.len(),
            None => 0,
        }
    }

    pub(crate) fn find(&self, imsi: Imsi) -> Option<RowIx> {
        self.index.find(imsi)
    }

    pub(crate) fn get(&self, ix: RowIx) -> Option<&Subscriber> {
        let ix = usize::try_from(ix.0).ok()?;
        self.chunks.get(ix / CHUNK)?.get(ix % CHUNK)
    }

    pub(crate) fn get_mut(&mut self, ix: RowIx) -> Option<&mut Subscriber> {
        let ix = usize::try_from(ix.0).ok()?;
        self.chunks.get_mut(ix / CHUNK)?.get_mut(ix % CHUNK)
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
        self.index.after(after).filter_map(|ix| self.get(ix))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (RowIx, &Subscriber)> {
        (0..).map(RowIx).zip(self.chunks.iter().flatten())
    }

    /// Adds a subscriber; `None` when the IMSI is there already.
    ///
    /// # Errors
    /// When its profile cannot be read.
    pub(crate) fn insert(&mut self, new: NewSubscriber<'_>) -> Result<Option<RowIx>, Unreadable> {
        let ix = u32::try_from(self.len()).map_err(|_| Unreadable)?;
        let profile = self
            .profiles
            .hold(new.profile, || row::decode::<Profile>(new.profile))?;
        if !self.index.insert(new.imsi, RowIx(ix)) {
            self.profiles.release(profile);
            return Ok(None);
        }
        let group = match new.group {
            "" => Shared::NONE,
            name => self
                .groups
                .hold(name.as_bytes(), || Ok(String::from(name)))?,
        };
        let rare = (!new.static_ips.is_empty()).then(|| {
            Box::new(Rare {
                static_ips: new.static_ips,
                ..Rare::default()
            })
        });
        let subscriber = Subscriber {
            imsi: new.imsi,
            sealed: new.sealed,
            counter: new.counter,
            msisdn: new.msisdn,
            location_seq: PersistSeq::default(),
            rare,
            place: None,
            profile,
            group,
            tenant: self.tenant(new.tenant),
            amf: new.amf,
            state: new.state,
        };
        if let Some(chunk) = self.chunks.last_mut().filter(|c| c.len() < CHUNK) {
            chunk.push(subscriber);
        } else {
            let mut chunk = Vec::with_capacity(CHUNK);
            chunk.push(subscriber);
            self.chunks.push(chunk);
        }
        self.index_addresses(RowIx(ix), true);
        Ok(Some(RowIx(ix)))
    }

    /// The first rows of `count` SIMs from `first` on are durable: vectors may be made.
    pub(crate) fn new_rows_are_durable(&mut self, first: RowIx, count: u32) {
        for ix in (first.0..).zip(0..count).map(|(ix, _)| RowIx(ix)) {
            if let Some(subscriber) = self.get_mut(ix) {
                subscriber.counter.first_row_is_durable();
            }
        }
    }

    /// What the SIM may do.
    pub(crate) fn profile(&self, subscriber: &Subscriber) -> Option<&Profile> {
        self.profiles.get(subscriber.profile)
    }

    /// Whether the SIM may use anything at all.
    pub(crate) fn has_apns(&self, subscriber: &Subscriber) -> bool {
        self.profile(subscriber).is_some_and(|p| !p.apns.is_empty())
    }

    /// The SIM's row as of now, in `epoch`.
    pub(crate) fn row<'a>(
        &'a self,
        vault: &Vault,
        subscriber: &'a Subscriber,
        epoch: Epoch,
    ) -> SubscriberRow<'a> {
        let rare = subscriber.rare.as_ref();
        let own = rare.map_or(&[][..], |r| &r.static_ips).iter();
        SubscriberRow {
            key: vault.id_of(&subscriber.sealed),
            sealed: subscriber.sealed.octets(),
            amf: subscriber.amf,
            msisdn: subscriber.msisdn,
            tenant: self.tenant_name(subscriber.tenant),
            group: self.group_name(subscriber),
            profile: self.profiles.key(subscriber.profile).unwrap_or_default(),
            static_ips: own
                .clone()
                .filter_map(|(n, ip)| match ip {
                    IpAddr::V4(ip) => Some((*n, *ip)),
                    IpAddr::V6(_) => None,
                })
                .collect(),
            static_prefixes: own
                .filter_map(|(n, ip)| match ip {
                    IpAddr::V4(_) => None,
                    IpAddr::V6(ip) => Some((*n, Prefix64::of(*ip))),
                })
                .collect(),
            state: subscriber.state,
            mark: subscriber.counter.peek(epoch),
        }
    }

    /// The access points that the SIM may use, with what is its own there.
    pub(crate) fn apns(&self, subscriber: &Subscriber) -> Vec<SubscribedApn> {
        let profile = self.profile(subscriber);
        let apns = profile.map_or(&[][..], |p| &p.apns);
        let own = apns
            .iter()
            .enumerate()
            .map(|(position, apn)| SubscribedApn {
                apn: apn.apn.clone(),
                pdn: apn.pdn,
                static_ip: subscriber.static_ip(position),
                static_ipv6: subscriber.static_ipv6(position),
                ambr: apn.ambr,
                qci: apn.qci,
                arp: apn.arp,
                charging_characteristics: apn.charging_characteristics,
            });
        own.collect()
    }

    /// The name of the SIM's group; empty when it is in none.
    pub(crate) fn group_name(&self, subscriber: &Subscriber) -> &str {
        self.groups.get(subscriber.group).map_or("", String::as_str)
    }

    /// Where the SIM is registered.
    pub(crate) fn location(&self, subscriber: &Subscriber) -> Option<Location> {
        let place = subscriber.place?;
        Some(Location {
            node: self.nodes.get(place.node)?.clone(),
            plmn: place.plmn,
            since: place.since,
            purged: place.purged,
            imei: place.imei,
        })
    }

    /// The MME that has a record of the SIM.
    pub(crate) fn serving_node(&self, subscriber: &Subscriber) -> Option<&ServingNode> {
        let place = subscriber.place.filter(|p| !p.purged)?;
        self.nodes.get(place.node)
    }

    /// The nodes that any SIM is registered at, or was.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &ServingNode> {
        self.nodes.values()
    }

    /// Takes a location into memory; its row is the caller's business.
    pub(crate) fn set_location(&mut self, ix: RowIx, location: Option<Location>) {
        let place = location.and_then(|location| {
            let node = location.node;
            let mut key = Vec::new();
            for part in [&node.host, &node.realm, &node.via] {
                key.extend_from_slice(part.as_bytes());
                key.push(0);
            }
            Some(Place {
                node: self.nodes.hold(&key, || Ok::<_, Unreadable>(node)).ok()?,
                plmn: location.plmn,
                since: location.since,
                purged: location.purged,
                imei: location.imei,
            })
        });
        let before = self
            .get_mut(ix)
            .and_then(|s| core::mem::replace(&mut s.place, place));
        if let Some(before) = before {
            self.nodes.release(before.node);
        }
    }

    /// The number of a tenant; one that the configuration does not name gets the default rule.
    pub(crate) fn tenant(&mut self, name: &str) -> TenantIx {
        if let Some(known) = self.tenant_numbers.get(name) {
            return *known;
        }
        let ix = TenantIx(u32::try_from(self.tenants.len()).unwrap_or(u32::MAX));
        self.tenants.push(Tenant {
            name: String::from(name),
            rule: TenantRule::default(),
        });
        self.tenant_numbers.insert(String::from(name), ix);
        ix
    }

    fn tenant_of(&self, ix: TenantIx) -> Option<&Tenant> {
        self.tenants.get(usize::try_from(ix.0).ok()?)
    }

    pub(crate) fn tenant_name(&self, ix: TenantIx) -> &str {
        self.tenant_of(ix).map_or("", |t| t.name.as_str())
    }

    pub(crate) fn tenant_rule(&self, ix: TenantIx) -> TenantRule {
        self.tenant_of(ix)
            .map_or_else(TenantRule::default, |t| t.rule)
    }
}
