use alloc::vec::Vec;
use core::net::IpAddr;

use heiiki_gtp::u;
use heiiki_types::Instant;

use super::batch::Reply;
use super::icmp::IcmpError;
use super::packet::Packet;
use super::update::{Direction, Notice, RefusedPacket, Slot};
use super::worker::Worker;
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
            let is_new = entry.usage.refused.count(reason) == 0;
            let owner = (entry.session, entry.imsi);
            (Some(owner), entry.reporter.admit(now, is_new))
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

    /// Tells a UE by ICMP that its packet was refused, where that is for it to know.
    pub(super) fn tell_ue(
        &mut self,
        now: Instant,
        slot: Slot,
        refusal: Refusal,
        about: &[u8],
        replies: &mut Vec<Reply>,
    ) {
        let error = match refusal.answer() {
            Answer::Silence => return,
            Answer::AdminProhibited => IcmpError::ADMIN_PROHIBITED,
            Answer::TimeExceeded => IcmpError::TIME_EXCEEDED,
        };
        let Ok(packet) = Packet::read(about) else {
            return;
        };
        let entry = self.entry_mut(slot);
        let Some((entry, address)) = entry.and_then(|e| {
            let address = e.addresses.v4()?;
            (packet.source == IpAddr::V4(address)).then_some((e, address))
        }) else {
            return;
        };
        if !packet.may_be_answered(about) || !entry.icmp.take(now) {
            return;
        }
        let tenant = entry.tenant;
        let (peer, teid) = (entry.peer, entry.peer_teid);
        let Some(IpAddr::V4(gateway)) = self.routes.gateway(tenant, address.into()) else {
            return;
        };
        let icmp = error.packet(gateway, address, about, packet.header_len);
        let length = u16::try_from(icmp.len()).unwrap_or(0);
        let mut octets = u::encode_gpdu_header(teid, length).to_vec();
        octets.extend(icmp);
        self.counters.icmp_errors += 1;
        replies.push(Reply { to: peer, octets });
    }
}
