//! Dedicated bearers of a session: which packets they carry (TS 23.401 §4.7.2, TS 23.203 §6.2.2).

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use heiiki_gtp::tft::{Component, PacketFilter};
use heiiki_types::{Ebi, Teid};

use super::packet::{Fragment, Packet};
use super::police::Limit;
use super::update::{BearerEntry, BearerUsage, Direction};

/// A dedicated bearer as its worker sees it.
#[derive(Debug)]
pub(super) struct Bearer {
    pub(super) ebi: Ebi,
    pub(super) teid: Teid,
    pub(super) peer: SocketAddr,
    pub(super) peer_teid: Teid,
    pub(super) is_guaranteed: bool,
    pub(super) limit: Limit,
    filters: Vec<PacketFilter>,
    pub(super) usage: BearerUsage,
}

impl Bearer {
    pub(super) fn new(entry: &BearerEntry) -> Self {
        let mut filters = entry.filters.clone();
        filters.sort_by_key(|f| f.precedence);
        Self {
            ebi: entry.ebi,
            teid: entry.teid,
            peer: entry.peer,
            peer_teid: entry.peer_teid,
            is_guaranteed: entry.gbr.is_some(),
            limit: Limit::new(entry.mbr),
            filters,
            usage: BearerUsage::default(),
        }
    }

    /// Takes over a change; counters and buckets go on.
    pub(super) fn change(&mut self, entry: &BearerEntry) {
        let old = core::mem::replace(self, Self::new(entry));
        self.usage = old.usage;
        self.limit = old.limit;
        self.limit.set(entry.mbr);
    }

    /// The precedence of the first of its filters that takes a packet of this direction. A
    /// bearer without filters takes none to the UE, and everything from it.
    pub(super) fn takes(&self, direction: Direction, packet: &Packet, octets: &[u8]) -> Option<u8> {
        let is_asked = |filter: &PacketFilter| match direction {
            Direction::Uplink => filter.direction.is_uplink(),
            Direction::Downlink => filter.direction.is_downlink(),
        };
        let mut asked = self.filters.iter().filter(|f| is_asked(f));
        let first = asked.find(|f| takes(f, direction, packet, octets));
        first.map(|f| f.precedence)
    }

    /// Whether a packet that came on this bearer belongs there: uplink bearer binding
    /// verification. Without a filter for the direction there is nothing to verify against.
    pub(super) fn verifies(&self, packet: &Packet, octets: &[u8]) -> bool {
        let mut filters = self.filters.iter();
        !filters.any(|f| f.direction.is_uplink())
            || self.takes(Direction::Uplink, packet, octets).is_some()
    }
}

/// The bearer that a packet to the UE goes on: that of the filter with the lowest precedence value
/// which takes it, or the default bearer.
pub(super) fn choose(bearers: &[Bearer], packet: &Packet, octets: &[u8]) -> Option<usize> {
    let takes = |b: &Bearer| b.takes(Direction::Downlink, packet, octets);
    let places = bearers.iter().enumerate();
    let fits = places.filter_map(|(place, b)| Some((takes(b)?, place)));
    fits.min().map(|(_, place)| place)
}

fn takes(filter: &PacketFilter, direction: Direction, packet: &Packet, octets: &[u8]) -> bool {
    let holds = |c: &Component| holds(c, direction, packet, octets);
    filter.components.iter().all(holds)
}

/// Whether one condition holds. What a later fragment does not have, ports and security indexes,
/// fits no condition: it goes on the default bearer.
fn holds(component: &Component, direction: Direction, packet: &Packet, octets: &[u8]) -> bool {
    let (local, remote) = match direction {
        Direction::Uplink => (packet.source, packet.destination),
        Direction::Downlink => (packet.destination, packet.source),
    };
    let ports = packet.ports.map(|(from, to)| match direction {
        Direction::Uplink => (from, to),
        Direction::Downlink => (to, from),
    });
    let is_in = |port: Option<u16>, low: u16, high: u16| {
        port.is_some_and(|port| (low..=high).contains(&port))
    };
    match *component {
        Component::Ipv4Remote { address, mask } => {
            masked_v4(remote, address.to_bits(), mask.to_bits())
        }
        Component::Ipv4Local { address, mask } => {
            masked_v4(local, address.to_bits(), mask.to_bits())
        }
        Component::Ipv6Remote { address, mask } => {
            masked_v6(remote, address.to_bits(), mask.to_bits())
        }
        Component::Ipv6RemotePrefix { address, length } => {
            masked_v6(remote, address.to_bits(), mask_of(length))
        }
        Component::Ipv6LocalPrefix { address, length } => {
            masked_v6(local, address.to_bits(), mask_of(length))
        }
        Component::Protocol(protocol) => packet.protocol == protocol,
        Component::LocalPort(port) => is_in(ports.map(|p| p.0), port, port),
        Component::LocalPortRange { low, high } => is_in(ports.map(|p| p.0), low, high),
        Component::RemotePort(port) => is_in(ports.map(|p| p.1), port, port),
        Component::RemotePortRange { low, high } => is_in(ports.map(|p| p.1), low, high),
        Component::SecurityParameterIndex(index) => security_index(packet, octets) == Some(index),
        Component::TypeOfService { value, mask } => (traffic_class(octets) ^ value) & mask == 0,
        Component::FlowLabel(label) => {
            packet.destination.is_ipv6() && flow_label(octets) == Some(label)
        }
    }
}

fn masked_v4(address: IpAddr, want: u32, mask: u32) -> bool {
    matches!(address, IpAddr::V4(a) if (a.to_bits() ^ want) & mask == 0)
}

fn masked_v6(address: IpAddr, want: u128, mask: u128) -> bool {
    matches!(address, IpAddr::V6(a) if (a.to_bits() ^ want) & mask == 0)
}

const fn mask_of(length: u8) -> u128 {
    match length {
        0 => 0,
        1..=127 => u128::MAX << (128 - length),
        _ => u128::MAX,
    }
}

fn traffic_class(octets: &[u8]) -> u8 {
    match octets {
        [first, second, ..] if first >> 4 == 6 => first << 4 | second >> 4,
        [_, tos, ..] => *tos,
        _ => 0,
    }
}

fn flow_label(octets: &[u8]) -> Option<u32> {
    let head = octets.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*head) & 0xf_ffff)
}

/// The security parameter index of ESP. Of AH the walk over the headers has gone past it.
fn security_index(packet: &Packet, octets: &[u8]) -> Option<u32> {
    let above = octets.get(packet.header_len..)?;
    if packet.fragment == Fragment::Later {
        return None;
    }
    match packet.protocol {
        50 => above.first_chunk::<4>().map(|o| u32::from_be_bytes(*o)),
        51 => above
            .get(4..8)
            .and_then(|o| o.first_chunk::<4>())
            .map(|o| u32::from_be_bytes(*o)),
        _ => None,
    }
}
