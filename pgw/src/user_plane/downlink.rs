use heiiki_gtp::u;
use heiiki_types::Instant;

use super::batch::{Downlink, DownlinkVerdict, Origin};
use super::packet::{Packet, count_hop};
use super::report::Subject;
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
        match self.tunnel(tenant, origin, slot, &packet, octets.len()) {
            Ok(verdict) => {
                if origin == Origin::Segment {
                    count_hop(octets);
                }
                let length = u64::try_from(octets.len()).unwrap_or(0);
                if let Some(entry) = self.entry_mut(slot) {
                    entry.usage.downlink_packets += 1;
                    entry.usage.downlink_octets += length;
                    entry.usage.last_downlink = Some(now);
                }
                verdict
            }
            Err(refusal) => {
                self.refuse(now, refusal, &subject);
                DownlinkVerdict::Consumed
            }
        }
    }

    fn tunnel(
        &self,
        tenant: TenantId,
        origin: Origin,
        slot: Slot,
        packet: &Packet,
        length: usize,
    ) -> Result<DownlinkVerdict, Refusal> {
        let isolation = self.routes.protections.tenant_isolation;
        let entry = self.entry(slot).ok_or(Refusal::NoSession)?;
        let routes = &self.routes;
        let from_segment = origin == Origin::Segment;
        let admitted = !from_segment || routes.admits_source(entry.access, packet.source);
        // The table said so already; this is the second lock on the same door.
        if isolation && entry.tenant != tenant {
            return Err(Refusal::CrossTenant);
        }
        if !entry.addresses.holds(packet.destination) {
            return Err(Refusal::NoSession);
        }
        if !entry.forward {
            return Err(Refusal::Cut);
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
        if self.is_isolated(entry.session) && !routes.is_quarantine(entry.access, packet.source) {
            return Err(Refusal::Isolated);
        }
        if from_segment && packet.hop_limit <= 1 {
            return Err(Refusal::TtlExpired);
        }
        let length = u16::try_from(length).map_err(|_| Refusal::MalformedPacket)?;
        Ok(DownlinkVerdict::Tunnel {
            slot,
            peer: entry.peer,
            header: u::encode_gpdu_header(entry.peer_teid, length),
        })
    }
}
