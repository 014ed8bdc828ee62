use alloc::vec::Vec;
use core::net::IpAddr;

use heiiki_gtp::u;
use heiiki_types::Instant;

use super::batch::Reply;
use super::icmp::IcmpError;
use super::packet::Packet;
use super::update::{Direction, Notice, RefusedPacket, Slot};
use super::worker::Worker;
use crate::config::TenantId;
use crate::refusal::{Answer, Refusal};

/// Reports that nobody has fetched yet, at most.
const NOTICES: usize = 1024;

/// What a refusal is about.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) slot: Option<Slot>,
    pub(super) direction: Direction,
    pub(super) packet: Option<Packet>,
    pub(super) outer: Option<IpAddr>,
}

impl Worker {
    pub(super) fn push(&mut self, notice: Notice) {
        if self.notices.len() < NOTICES {
            self.notices.push_back(notice);
        }
    }

    /// Counts a refusal, and reports it if it is the first of its kind or none was reported
    /// lately.
    pub(super) fn refuse(&mut self, now: Instant, reason: Refusal, subject: &Subject) {
        let entry = match subject.slot {
            Some(slot) => self.entry_mut(slot),
            None => None,
        };
        let (owner, suppressed) = if let Some(entry) = entry {
            let before = entry.usage.refused.count(reason);
            let owner = (entry.session, entry.imsi);
            let suppressed = entry.reporter.admit(now, before == 0);
            if reason == Refusal::SpoofedSource {
                self.count_spoofed(subject.slot, before + 1);
            }
            (Some(owner), suppressed)
        } else {
            let is_new = self.counters.total.refused.count(reason) == 0;
            let reporter = self.strangers.get_mut(reason as usize);
            (None, reporter.and_then(|r| r.admit(now, is_new)))
        };
        let room = self.notices.len() < NOTICES;
        let Some(suppressed) = suppressed.filter(|_| room && self.reports.take(now)) else {
            self.counters.unreported += 1;
            return;
        };
        let packet = subject.packet;
        self.push(Notice::Refused(RefusedPacket {
            session: owner.map(|o| o.0),
            imsi: owner.map(|o| o.1),
            direction: subject.direction,
            reason,
            source: packet.map(|p| p.source).or(subject.outer),
            destination: packet.map(|p| p.destination),
            protocol: packet.map(|p| p.protocol),
            port: packet.and_then(|p| p.ports).map(|p| p.1),
            suppressed,
        }));
    }

    /// Says so when a session has sent as many packets with foreign sources as its tenant bears.
    fn count_spoofed(&mut self, slot: Option<Slot>, count: u32) {
        let Some((slot, entry)) = slot.and_then(|slot| Some((slot, self.entry(slot)?))) else {
            return;
        };
        let session = entry.session;
        let limit = self.routes.tenant(entry.tenant).map(|t| t.spoofing.limit);
        if limit == Some(count) {
            self.push(Notice::Spoofing {
                session,
                slot,
                count,
            });
        }
    }

    /// Tells a UE by ICMP that its packet was refused, where that is for it to know.
    pub(super) fn tell_ue(
        &mut self,
        now: Instant,
        slot: Slot,
        refusal: Refusal,
        about: &[u8],
        replies: &mut Vec<Reply>,
    ) {
        if refusal.answer() == Answer::Silence {
            return;
        }
        let Ok(packet) = Packet::read(about) else {
            return;
        };
        let Some(entry) = self.entry(slot).filter(|e| e.holds(packet.source)) else {
            return;
        };
        let mtu = self.routes.segment_mtu(entry.tenant);
        let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
        if let Some(error) = self.icmp_error(now, slot, refusal, (&packet, about), mtu) {
            self.send_to_ue(slot, &error, replies);
        }
    }

    /// The ICMP error for the sender of a refused packet that came from or goes to a session, which
    /// bounds how many there are.
    pub(super) fn icmp_error(
        &mut self,
        now: Instant,
        slot: Slot,
        refusal: Refusal,
        (packet, about): (&Packet, &[u8]),
        mtu: u16,
    ) -> Option<Vec<u8>> {
        let error = match refusal.answer() {
            Answer::Silence => return None,
            Answer::AdminProhibited => IcmpError::AdminProhibited,
            Answer::TimeExceeded => IcmpError::TimeExceeded,
            Answer::TooBig => IcmpError::TooBig(mtu),
        };
        let entry = self.entry_mut(slot)?;
        let is_v4 = packet.source.is_ipv4();
        let own = entry.addresses.keys().find(|a| a.is_ipv4() == is_v4)?;
        let tenant = entry.tenant;
        if !packet.may_be_answered() || !entry.icmp.take(now) {
            return None;
        }
        let gateway = self.routes.gateway(tenant, own)?;
        let error = error.packet(gateway, packet.source, about, packet.header_len)?;
        self.counters.icmp_errors += 1;
        Some(error)
    }

    /// Sends a packet of the gateway itself to a UE, on its default bearer.
    fn send_to_ue(&mut self, slot: Slot, packet: &[u8], replies: &mut Vec<Reply>) {
        let Some(entry) = self.entry(slot).filter(|e| e.forward) else {
            return;
        };
        let length = u16::try_from(packet.len()).unwrap_or(0);
        let mut octets = u::encode_gpdu_header(entry.peer_teid, length).to_vec();
        octets.extend(packet);
        replies.push(Reply {
            to: entry.peer,
            octets,
        });
    }

    /// Sends an advertisement that a UE has asked for, as often as it may have one.
    pub(super) fn advertise(
        &mut self,
        now: Instant,
        slot: Slot,
        packet: &[u8],
        replies: &mut Vec<Reply>,
    ) {
        if self.entry_mut(slot).is_some_and(|e| e.icmp.take(now)) {
            self.counters.advertisements += 1;
            self.send_to_ue(slot, packet, replies);
        }
    }

    /// Tells a UE with IPv6 its prefix without being asked.
    pub(super) fn advertise_unasked(&mut self, now: Instant, slot: Slot, replies: &mut Vec<Reply>) {
        let Some(entry) = self.entry_mut(slot) else {
            return;
        };
        let (Some(ue), access) = (entry.addresses.v6(), entry.access) else {
            return;
        };
        entry.advertised = Some(now);
        if let Some(packet) = self.routes.link(access).map(|link| link.unsolicited(ue)) {
            self.counters.advertisements += 1;
            self.send_to_ue(slot, &packet, replies);
        }
    }

    /// Takes a packet from every limit that it is under, or from none.
    pub(super) fn police(
        &mut self,
        now: Instant,
        direction: Direction,
        (slot, tenant, bearer): (Slot, TenantId, Option<usize>),
        length: usize,
    ) -> Result<(), Refusal> {
        let octets = u64::try_from(length).unwrap_or(0);
        let (entry, contract) = self.entry_and_contract(slot, tenant);
        match entry {
            Some(entry) => entry.police(now, direction, bearer, contract, octets),
            None => Err(Refusal::NoSession),
        }
    }
}
