use alloc::vec::Vec;

use heiiki_gtp::u;
use heiiki_types::Instant;

use super::batch::{Downlink, DownlinkVerdict, Origin};
use super::bearer;
use super::link::stays_on_the_link;
use super::packet::{Packet, count_hop};
use super::report::Subject;
use super::split::split;
use super::update::{Direction, Slot};
use super::worker::Worker;
use crate::config::TenantId;
use crate::refusal::Refusal;

impl Worker {
    /// Judges a batch of packets for UEs.
    pub fn downlink(&mut self, now: Instant, batch: &mut [Downlink<'_>]) {
        for item in batch {
            item.verdict = self.judge_downlink(now, item.tenant, item.origin, item.packet);
        }
    }

    fn judge_downlink(
        &mut self,
        now: Instant,
        tenant: TenantId,
        origin: Origin,
        octets: &mut [u8],
    ) -> DownlinkVerdict {
        let mut subject = Subject {
            slot: None,
            direction: Direction::Downlink,
            packet: None,
            outer: None,
        };
        let packet = Packet::read(octets);
        subject.packet = packet.ok();
        let found = packet.and_then(|packet| {
            let slot = self.routes.session_at(tenant, packet.destination);
            Ok((packet, slot.ok_or(Refusal::NoSession)?))
        });
        let (packet, slot) = match found {
            Ok(found) => found,
            Err(refusal) => {
                self.refuse(now, refusal, &subject);
                return DownlinkVerdict::Consumed;
            }
        };
        if slot.0 % self.workers != self.index {
            let owner = usize::try_from(slot.0 % self.workers).unwrap_or(0);
            return DownlinkVerdict::Worker(owner);
        }
        subject.slot = Some(slot);
        let judged = self.tunnel(tenant, origin, slot, &packet, octets);
        let judged = judged.and_then(|bearer| {
            if origin != Origin::Gateway {
                let limits = (slot, tenant, bearer);
                self.police(now, Direction::Downlink, limits, octets.len())?;
            }
            Ok(bearer)
        });
        match judged {
            Ok(bearer) => self.deliver(now, origin, (slot, bearer), octets),
            Err(refusal) => {
                self.refuse(now, refusal, &subject);
                match self.answer_downlink(now, slot, refusal, &packet, octets) {
                    Some(answer) if origin != Origin::Gateway => DownlinkVerdict::Answer(answer),
                    _ => DownlinkVerdict::Consumed,
                }
            }
        }
    }

    /// Whether a packet may go to a UE, and on which of its bearers.
    fn tunnel(
        &self,
        tenant: TenantId,
        origin: Origin,
        slot: Slot,
        packet: &Packet,
        octets: &[u8],
    ) -> Result<Option<usize>, Refusal> {
        let protections = self.routes.protections;
        let entry = self.entry(slot).ok_or(Refusal::NoSession)?;
        let routes = &self.routes;
        let from_segment = origin == Origin::Segment;
        let admitted = !from_segment || routes.admits_source(entry.access, packet.source);
        // The table said so already; this is the second lock on the same door.
        if protections.tenant_isolation && entry.tenant != tenant {
            return Err(Refusal::CrossTenant);
        }
        if !entry.holds(packet.destination) {
            return Err(Refusal::NoSession);
        }
        if !entry.forward {
            return Err(Refusal::Cut);
        }
        if self.is_suspended(entry.session) {
            return Err(Refusal::Suspended);
        }
        if let Origin::Ue { sender } = origin {
            // What was sent before the sender's cut must not arrive after it.
            if self.is_stopped(sender) {
                return Err(Refusal::Cut);
            }
            let isolated = self.is_isolated(sender) || self.is_isolated(entry.session);
            if isolated && routes.protections.isolation {
                return Err(Refusal::Isolated);
            }
        }
        if !admitted {
            return Err(Refusal::UndeclaredSource);
        }
        if from_segment {
            if protections.router_guard && packet.is_routers_own() {
                return Err(Refusal::RouterImpersonation);
            }
            if stays_on_the_link(packet) {
                return Err(Refusal::LinkScope);
            }
            if protections.tunnel_deny && packet.is_transition_tunnel() {
                return Err(Refusal::TransitionTunnel);
            }
        }
        let is_gateways = origin == Origin::Gateway;
        if !is_gateways
            && self.is_isolated(entry.session)
            && !routes.is_quarantine(entry.access, packet.source)
        {
            return Err(Refusal::Isolated);
        }
        if from_segment && packet.hop_limit <= 1 {
            return Err(Refusal::TtlExpired);
        }
        if packet.is_whole_only && octets.len() > self.link_mtu(slot) {
            return Err(Refusal::TooBig);
        }
        Ok(if entry.bearers.is_empty() {
            None
        } else {
            bearer::choose(&entry.bearers, packet, octets)
        })
    }

    /// Octets that a UE's link carries: what it was told.
    fn link_mtu(&self, slot: Slot) -> usize {
        let link = self
            .entry(slot)
            .and_then(|entry| self.routes.link(entry.access));
        link.map_or(usize::MAX, |link| usize::from(link.mtu))
    }

    /// Puts a packet into the tunnel of its bearer, in parts if it must be.
    fn deliver(
        &mut self,
        now: Instant,
        origin: Origin,
        (slot, bearer): (Slot, Option<usize>),
        octets: &mut [u8],
    ) -> DownlinkVerdict {
        if origin == Origin::Segment {
            count_hop(octets);
        }
        let mtu = self.link_mtu(slot);
        let Some(entry) = self.entry_mut(slot) else {
            return DownlinkVerdict::Consumed;
        };
        let length = u64::try_from(octets.len()).unwrap_or(0);
        entry.count(now, Direction::Downlink, bearer, length);
        let (peer, teid) = entry.far_end(bearer);
        let header = |octets: &[u8]| {
            // A packet was read, so its length is that of its header.
            u::encode_gpdu_header(teid, u16::try_from(octets.len()).unwrap_or(u16::MAX))
        };
        if octets.len() <= mtu {
            return DownlinkVerdict::Tunnel {
                slot,
                peer,
                header: header(octets),
            };
        }
        let datagram = |part: Vec<u8>| {
            let mut datagram = header(&part).to_vec();
            datagram.extend(part);
            datagram
        };
        DownlinkVerdict::Fragments {
            slot,
            peer,
            datagrams: split(octets, mtu).into_iter().map(datagram).collect(),
        }
    }

    /// The ICMP error for the sender of a packet to a UE, where that is for it to know.
    fn answer_downlink(
        &mut self,
        now: Instant,
        slot: Slot,
        refusal: Refusal,
        packet: &Packet,
        octets: &[u8],
    ) -> Option<Vec<u8>> {
        if !matches!(refusal, Refusal::TooBig | Refusal::TtlExpired) {
            return None;
        }
        let mtu = u16::try_from(self.link_mtu(slot)).unwrap_or(u16::MAX);
        self.icmp_error(now, slot, refusal, (packet, octets), mtu)
    }
}
