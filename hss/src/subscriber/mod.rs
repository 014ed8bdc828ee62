//! Subscribers: what the HSS knows of each SIM, and how that survives.
//!
//! A million rows have to fit into a small machine, so a `Subscriber` holds what is its own in few
//! octets; what many share (profile, tenant, group, serving node) is kept once, and what few have
//! lies in a box. Everybody else asks `Subscribers`, which knows where each part is.
//!
//! Rows lie in chunks that never move; an ordered index finds them by IMSI. Nothing is ever removed,
//! so an index of a row stays good for as long as the process lives.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use heiiki_diameter::s6a::PgwIdentity;
use heiiki_types::{
    Ambr, Apn, Arp, Imei, Imsi, Msisdn, PersistSeq, PlmnId, Prefix, Qci, Rng, WallTime,
};

use crate::auc::milenage::Milenage;
use crate::auc::sqn::Counter;
use crate::equipment::Binding;
use crate::seal::{DoesNotOpen, Sealed, Vault};

mod addresses;
mod change;
pub mod import;
mod index;
mod interner;
pub(crate) mod profile;
mod profile_table;
mod reread;
pub(crate) mod row;
mod state;
mod table;

pub(crate) use change::Change;
pub use profile_table::{ApnSubscription, PdnKind, Profile, ProfileOptions};
pub(crate) use table::Subscribers;

use interner::Shared;
pub use state::{State, StateEvent, Unexpected, Verb};

/// One access point that a SIM may use.
#[derive(
    Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub struct SubscribedApn {
    /// The access point name, without operator identifier.
    pub apn: Apn,
    /// The kind of addresses.
    pub pdn: PdnKind,
    /// The address that this SIM always gets.
    #[schemars(with = "Option<heiiki_types::schema::Ipv4>")]
    pub static_ip: Option<Ipv4Addr>,
    /// The IPv6 prefix of 64 bits that this SIM always gets.
    #[schemars(with = "Option<heiiki_types::schema::Ipv6Prefix64>")]
    pub static_ipv6: Option<Prefix>,
    /// The bandwidth of all of the SIM's non-GBR bearers there.
    pub ambr: Ambr,
    /// The class of the default bearer.
    pub qci: Qci,
    /// The priority of the default bearer.
    pub arp: Arp,
    /// 3GPP-Charging-Characteristics there, unless those of the subscription hold.
    pub charging_characteristics: Option<u16>,
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
    /// The equipment, if the MME told.
    pub imei: Option<Imei>,
}

impl SubscribedApn {
    /// The addresses that this SIM always gets there; of an IPv6 prefix the first one.
    pub(crate) fn static_addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let v6 = self.static_ipv6.map(Prefix::first);
        self.static_ip.map(IpAddr::V4).into_iter().chain(v6)
    }
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
    /// When the order ends by itself; never without it.
    pub(crate) expires: Option<WallTime>,
}

/// The last word about a SIM's isolation.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Isolation {
    pub(crate) isolated: bool,
    pub(crate) standing: Standing,
}

/// A SIM that has no order yet stands by nobody's.
static NO_ORDER: Standing = Standing {
    version: 0,
    actor: String::new(),
    reason: String::new(),
    at: WallTime::from_unix_micros(0),
    expires: None,
};

/// Which row of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RowIx(u32);

/// Which tenant of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TenantIx(u32);

/// What few SIMs have.
#[derive(Default)]
struct Rare {
    standing: Standing,
    isolation: Option<Isolation>,
    /// Static addresses, by the position of the access point in the profile.
    static_ips: Vec<(u8, IpAddr)>,
    /// In which equipment the SIM may be.
    binding: Binding,
    /// The gateways that the MME has chosen, by access point.
    gateways: Vec<Gateway>,
}

/// The gateway that an MME has chosen for an access point, TS 29.272 §5.2.5.1.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Gateway {
    pub(crate) apn: Apn,
    /// Its addresses, at most one of each family.
    addresses: Vec<IpAddr>,
    host: Option<String>,
    realm: Option<String>,
}

impl Gateway {
    pub(crate) fn new(apn: Apn, pgw: &PgwIdentity) -> Self {
        let first = |v6: bool| {
            pgw.addresses
                .iter()
                .find(move |a| a.is_ipv6() == v6)
                .copied()
        };
        Self {
            apn,
            addresses: first(false).into_iter().chain(first(true)).collect(),
            host: pgw.host.clone(),
            realm: pgw.realm.clone(),
        }
    }

    /// As it goes into a message.
    pub(crate) fn identity(&self) -> PgwIdentity {
        PgwIdentity {
            addresses: self.addresses.clone(),
            host: self.host.clone(),
            realm: self.realm.clone(),
        }
    }
}

/// Where a SIM is, with its node kept once for all that are there.
#[derive(Clone, Copy)]
struct Place {
    since: WallTime,
    node: Shared,
    imei: Option<Imei>,
    plmn: PlmnId,
    purged: bool,
}

/// What the HSS keeps of one SIM.
pub(crate) struct Subscriber {
    pub(crate) imsi: Imsi,
    sealed: Sealed,
    pub(crate) counter: Counter,
    pub(crate) msisdn: Option<Msisdn>,
    /// The batch that the location, or its state, went to the disk with.
    pub(crate) location_seq: PersistSeq,
    rare: Option<Box<Rare>>,
    place: Option<Place>,
    profile: Shared,
    group: Shared,
    pub(crate) tenant: TenantIx,
    pub(crate) amf: [u8; 2],
    pub(crate) state: State,
}

impl RowIx {
    /// The row after this one.
    pub(crate) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl Subscriber {
    /// The SIM's functions. The secrets are opened and the key schedule is made anew each time: that
    /// costs less than a microsecond, and what is open could be read.
    pub(crate) fn milenage(&self, vault: &Vault) -> Result<Milenage, DoesNotOpen> {
        let (k, opc) = vault.open(self.imsi, &self.sealed)?;
        Ok(Milenage::new(&k, &opc))
    }

    /// K and OPc, sealed.
    pub(crate) const fn sealed(&self) -> &Sealed {
        &self.sealed
    }

    /// Seals the secrets with the current key; false when they do not open.
    pub(crate) fn seal_again(&mut self, vault: &Vault, rng: &mut Rng) -> bool {
        let opened = vault.open(self.imsi, &self.sealed);
        if let Ok((k, opc)) = &opened {
            self.sealed = vault.seal(self.imsi, k, opc, rng);
        }
        opened.is_ok()
    }

    /// Why the SIM is in its state.
    pub(crate) fn standing(&self) -> &Standing {
        self.rare.as_ref().map_or(&NO_ORDER, |r| &r.standing)
    }

    /// Sets why the SIM is in its state.
    pub(crate) fn set_standing(&mut self, standing: Standing) {
        self.rare.get_or_insert_default().standing = standing;
    }

    /// Whether the SIM is isolated, and by whom; none before the first such order.
    pub(crate) fn isolation(&self) -> Option<&Isolation> {
        self.rare.as_ref()?.isolation.as_ref()
    }

    /// Sets whether the SIM is isolated.
    pub(crate) fn set_isolation(&mut self, isolation: Isolation) {
        self.rare.get_or_insert_default().isolation = Some(isolation);
    }

    /// The addresses that the SIM always gets at the access point of this position of its profile;
    /// of an IPv6 prefix the first one.
    pub(crate) fn static_ips(&self, position: usize) -> impl Iterator<Item = IpAddr> {
        let ips = self.rare.as_ref().map_or(&[][..], |r| &r.static_ips);
        let own = ips.iter().filter(move |(p, _)| usize::from(*p) == position);
        own.map(|(_, ip)| *ip)
    }

    /// The IPv4 address among them.
    pub(crate) fn static_ip(&self, position: usize) -> Option<Ipv4Addr> {
        self.static_ips(position).find_map(|ip| match ip {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        })
    }

    /// The IPv6 prefix among them.
    pub(crate) fn static_ipv6(&self, position: usize) -> Option<Prefix> {
        let v6 = self.static_ips(position).find(IpAddr::is_ipv6)?;
        Prefix::new(v6, 64).ok()
    }

    /// In which equipment the SIM may be.
    pub(crate) fn binding(&self) -> Binding {
        self.rare.as_ref().map_or(Binding::Any, |r| r.binding)
    }

    /// Sets in which equipment the SIM may be.
    pub(crate) fn set_binding(&mut self, binding: Binding) {
        if binding != Binding::Any || self.rare.is_some() {
            self.rare.get_or_insert_default().binding = binding;
        }
    }

    /// The gateways that the MME has chosen.
    pub(crate) fn gateways(&self) -> &[Gateway] {
        self.rare.as_ref().map_or(&[], |r| &r.gateways)
    }

    /// Sets the gateways that the MME has chosen.
    pub(crate) fn set_gateways(&mut self, gateways: Vec<Gateway>) {
        if !gateways.is_empty() || self.rare.is_some() {
            self.rare.get_or_insert_default().gateways = gateways;
        }
    }

    /// Whether the SIM has an address of its own somewhere.
    pub(crate) fn has_static_ip(&self) -> bool {
        self.rare.as_ref().is_some_and(|r| !r.static_ips.is_empty())
    }
}

/// A SIM as it enters the store.
pub(crate) struct NewSubscriber<'a> {
    pub(crate) imsi: Imsi,
    pub(crate) sealed: Sealed,
    pub(crate) amf: [u8; 2],
    pub(crate) counter: Counter,
    pub(crate) msisdn: Option<Msisdn>,
    pub(crate) tenant: &'a str,
    /// Empty: the SIM is in no group.
    pub(crate) group: &'a str,
    /// A [`Profile`], as [`row::encode`] writes it.
    pub(crate) profile: &'a [u8],
    pub(crate) static_ips: Vec<(u8, IpAddr)>,
    pub(crate) state: State,
}
