use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::ops::Range;

use heiiki_gtp::What;
use heiiki_gtp::u::{self, Message};
use heiiki_types::{Duration, Instant, Teid};

use super::icmp::IcmpError;
use super::limit::{Bucket, Reporter};
use super::packet::{Packet, count_hop};
use super::tables::{Entry, Routes, Rule};
use super::update::{
    Answer, Direction, Gone, Notice, RefusedPacket, SessionEntry, Slot, Update, Usage,
    WorkerCounters,
};
use crate::address_set::AddressSet;
use crate::config::{AccessId, Network, TenantId};
use crate::refusal::{Answer as Told, Refusal};

/// A datagram that arrived at a worker's GTP-U address, and what became of it.
#[derive(Debug)]
pub struct Uplink<'a> {
    /// Where it came from.
    pub remote: SocketAddr,
    /// The UDP payload. A hop is counted in it when the packet inside is passed on.
    pub octets: &'a mut [u8],
    /// Written by [`Worker::uplink`].
    pub verdict: UplinkVerdict,
}

/// What became of an uplink datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UplinkVerdict {
    /// Nobody looked yet.
    Unseen,
    /// The packet in this part of the octets goes to the corporate segment.
    Segment {
        /// Whose segment.
        tenant: TenantId,
        /// Whose packet.
        slot: Slot,
        /// The packet within the octets.
        packet: Range<usize>,
    },
    /// The packet goes to another UE: it is to be given to [`Worker::downlink`] of this worker
    /// with [`Origin::Ue`].
    Ue {
        /// The worker of the other UE, when there is such a UE.
        worker: usize,
        /// The tenant of both.
        tenant: TenantId,
        /// The packet within the octets.
        packet: Range<usize>,
    },
    /// The packet leaves an open lab APN: its only far end is the lab's sentinel.
    Sentinel {
        /// The open access point.
        access: AccessId,
        /// The packet within the octets.
        packet: Range<usize>,
    },
    /// The datagram ends here: it was signalling, or was refused.
    Consumed,
}

/// Where a downlink packet comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The corporate segment: its source is checked and a hop is counted.
    Segment,
    /// Another UE, after [`UplinkVerdict::Ue`]: both were done there.
    Ue,
}

/// A packet for a UE, and what became of it.
#[derive(Debug)]
pub struct Downlink<'a> {
    /// The routing domain.
    pub tenant: TenantId,
    /// Where it comes from.
    pub origin: Origin,
    /// The packet. A hop is counted in it when it is passed on.
    pub packet: &'a mut [u8],
    /// Written by [`Worker::downlink`].
    pub verdict: DownlinkVerdict,
}

/// What became of a downlink packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownlinkVerdict {
    /// Nobody looked yet.
    Unseen,
    /// It goes to the SGW: these octets and then the packet make one datagram.
    Tunnel {
        /// Whose packet.
        slot: Slot,
        /// The SGW.
        peer: SocketAddr,
        /// The GTP-U header.
        header: [u8; u::G_PDU_HEADER_LEN],
    },
    /// Another worker owns the UE; give the packet to that one.
    Worker(usize),
    /// It was refused.
    Consumed,
}

/// A datagram that the worker itself sends: signalling, or an ICMP error in a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its destination.
    pub to: SocketAddr,
    /// The UDP payload.
    pub octets: Vec<u8>,
}

/// Reports that nobody has fetched yet, at most.
const NOTICES: usize = 1024;

/// One user-plane worker.
#[derive(Debug)]
pub struct Worker {
    index: u32,
    workers: u32,
    slot_mask: u32,
    local: SocketAddr,
    sgws: AddressSet,
    routes: Routes,
    /// The sessions of this worker; the place is the slot divided by the number of workers.
    entries: Vec<Option<Entry>>,
    forwarding: u32,
    /// What ended sessions and packets without a session add up to.
    counters: WorkerCounters,
    notices: VecDeque<Notice>,
    reports: Bucket,
    signalling: Bucket,
    strangers: [Reporter; Refusal::COUNT],
}

struct Subject {
    slot: Option<Slot>,
    direction: Direction,
    packet: Option<Packet>,
    outer: Option<IpAddr>,
}

impl Worker {
    /// The worker with this `index` of a network, with its own GTP-U address.
    pub fn new(network: &Network, index: usize, s5u_local: SocketAddr) -> Self {
        Self {
            index: u32::try_from(index).unwrap_or(0),
            workers: network.workers.max(1),
            slot_mask: (1 << network.index_bits) - 1,
            local: s5u_local,
            sgws: network.sgws.clone(),
            routes: Routes::new(network),
            entries: Vec::new(),
            forwarding: 0,
            counters: WorkerCounters::default(),
            notices: VecDeque::new(),
            reports: Bucket::new(200, Duration::from_millis(10)),
            signalling: Bucket::new(100, Duration::from_millis(10)),
            strangers: [Reporter::default(); Refusal::COUNT],
        }
    }

    /// The worker's own GTP-U address.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Changes the tables, or reads them. To be called between two batches only.
    pub fn handle_update(&mut self, update: &Update) -> Answer {
        match update {
            Update::Install(entry) => self.install(entry),
            Update::MovePeer {
                slot,
                peer,
                peer_teid,
            } => {
                if let Some(entry) = self.entry_mut(*slot) {
                    entry.peer = *peer;
                    entry.peer_teid = *peer_teid;
                }
                Answer::Done
            }
            Update::StopForwarding(slots) => {
                for gone in slots.iter() {
                    self.stop(gone.slot);
                }
                Answer::Done
            }
            Update::Remove(slots) => Answer::Removed {
                usage: slots.iter().filter_map(|gone| self.remove(*gone)).collect(),
                purged: 0,
            },
            Update::ReadCounters => Answer::Counters(Box::new(self.counters())),
            Update::ReadSession(slot) => Answer::Session(
                self.entry_mut(*slot)
                    .map(|e| Box::new((e.session, e.usage))),
            ),
            Update::ReadReach => Answer::Reach {
                accesses: self.routes.reach(),
                forwarding: self.forwarding,
            },
        }
    }

    fn install(&mut self, entry: &SessionEntry) -> Answer {
        if let Some(tenant) = self.routes.tenant_mut(entry.tenant) {
            tenant.map(entry.address, entry.slot);
        }
        if let Some(place) = self.place(entry.slot) {
            if self.entries.len() <= place {
                self.entries.resize_with(place + 1, || None);
            }
            if let Some(free) = self.entries.get_mut(place)
                && free.is_none()
            {
                *free = Some(Entry::new(entry));
                self.forwarding += 1;
                self.counters.sessions += 1;
            }
        }
        Answer::Done
    }

    fn stop(&mut self, slot: Slot) {
        if let Some(entry) = self.entry_mut(slot)
            && core::mem::take(&mut entry.forward)
        {
            self.forwarding -= 1;
        }
    }

    fn remove(&mut self, gone: Gone) -> Option<(Slot, Usage)> {
        self.stop(gone.slot);
        if let Some(tenant) = self.routes.tenant_mut(gone.tenant) {
            tenant.unmap(gone.address, gone.slot);
        }
        let place = self.place(gone.slot)?;
        let entry = self.entries.get_mut(place)?.take()?;
        self.counters.sessions -= 1;
        self.counters.total.add(&entry.usage);
        Some((gone.slot, entry.usage))
    }

    /// Everything that was counted so far.
    pub fn counters(&self) -> WorkerCounters {
        let mut sum = self.counters;
        for entry in self.entries.iter().flatten() {
            sum.total.add(&entry.usage);
        }
        sum
    }

    /// How many sessions pass packets.
    pub const fn forwarding(&self) -> u32 {
        self.forwarding
    }

    /// The next report.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    fn place(&self, slot: Slot) -> Option<usize> {
        (slot.0 % self.workers == self.index)
            .then(|| usize::try_from(slot.0 / self.workers).ok())
            .flatten()
    }

    fn entry_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        let place = self.place(slot)?;
        self.entries.get_mut(place)?.as_mut()
    }

    /// Judges a batch of datagrams from SGWs. The order of a session's packets is kept: nothing is
    /// held back. What the worker has to say itself is added to `replies`.
    pub fn uplink(&mut self, now: Instant, batch: &mut [Uplink<'_>], replies: &mut Vec<Reply>) {
        for item in batch {
            item.verdict = self.judge_uplink(now, item.remote, item.octets, replies);
        }
    }

    fn judge_uplink(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        octets: &mut [u8],
        replies: &mut Vec<Reply>,
    ) -> UplinkVerdict {
        match u::decode_gpdu(octets) {
            Some((teid, packet)) => self.judge_gpdu(now, remote, teid, octets, packet, replies),
            None => self.judge_message(now, remote, octets, replies),
        }
    }

    fn judge_gpdu(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        teid: Teid,
        octets: &mut [u8],
        range: Range<usize>,
        replies: &mut Vec<Reply>,
    ) -> UplinkVerdict {
        let slot = Slot(teid.get() & self.slot_mask);
        let protections = self.routes.protections;
        let entry = self
            .place(slot)
            .and_then(|place| self.entries.get(place))
            .and_then(Option::as_ref)
            .filter(|entry| entry.teid == teid);
        let Some(entry) = entry else {
            self.refuse_unknown(now, remote, teid, replies);
            return UplinkVerdict::Consumed;
        };
        let (access, address, peer) = (entry.access, entry.address, entry.peer);
        let forward = entry.forward;
        let mut subject = Subject {
            slot: Some(slot),
            direction: Direction::Uplink,
            packet: None,
            outer: Some(remote.ip()),
        };
        if peer.ip() != remote.ip() {
            // Not counted against the session: it did not send this.
            subject.slot = None;
            self.refuse(now, Refusal::WrongPeer, &subject);
            return UplinkVerdict::Consumed;
        }
        let inner = octets.get_mut(range.clone()).unwrap_or_default();
        let packet = Packet::read(inner);
        subject.packet = packet.ok();
        let verdict = packet.and_then(|packet| {
            if !forward {
                return Err(Refusal::Cut);
            }
            if protections.source_check && packet.source != IpAddr::V4(address) {
                return Err(Refusal::SpoofedSource);
            }
            self.judge_packet(access, slot, &packet, range)
        });
        match verdict {
            Ok(verdict) => {
                count_hop(inner);
                let length = u64::try_from(inner.len()).unwrap_or(0);
                if let Some(entry) = self.entry_mut(slot) {
                    entry.usage.uplink_packets += 1;
                    entry.usage.uplink_octets += length;
                    entry.usage.last_uplink = Some(now);
                }
                verdict
            }
            Err(refusal) => {
                self.refuse(now, refusal, &subject);
                self.tell_ue(now, slot, refusal, inner, replies);
                UplinkVerdict::Consumed
            }
        }
    }

    fn judge_packet(
        &self,
        access: AccessId,
        slot: Slot,
        packet: &Packet,
        range: Range<usize>,
    ) -> Result<UplinkVerdict, Refusal> {
        if self.routes.protections.infrastructure_deny && packet.is_gtp() {
            return Err(Refusal::TunnelInTunnel);
        }
        let rule = self.routes.rule(access, packet.destination);
        if let Rule::Refuse(refusal) = rule {
            return Err(refusal);
        }
        if packet.hop_limit <= 1 {
            return Err(Refusal::TtlExpired);
        }
        match rule {
            Rule::Segment(tenant) => Ok(UplinkVerdict::Segment {
                tenant,
                slot,
                packet: range,
            }),
            Rule::Sentinel => Ok(UplinkVerdict::Sentinel {
                access,
                packet: range,
            }),
            Rule::Ue(tenant) => {
                let IpAddr::V4(address) = packet.destination else {
                    return Err(Refusal::NoSession);
                };
                let other = self.routes.session_at(tenant, address);
                let other = other.ok_or(Refusal::NoSession)?;
                Ok(UplinkVerdict::Ue {
                    worker: usize::try_from(other.0 % self.workers).unwrap_or(0),
                    tenant,
                    packet: range,
                })
            }
            Rule::Refuse(refusal) => Err(refusal),
        }
    }

    /// A G-PDU for nobody: a listed SGW is told (TS 29.281 §7.3.1), anyone else is not.
    fn refuse_unknown(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        teid: Teid,
        replies: &mut Vec<Reply>,
    ) {
        let mut subject = Subject {
            slot: None,
            direction: Direction::Uplink,
            packet: None,
            outer: Some(remote.ip()),
        };
        if !self.sgws.contains(remote.ip()) {
            self.refuse(now, Refusal::UnlistedPeer, &subject);
            return;
        }
        subject.outer = Some(remote.ip());
        self.refuse(now, Refusal::UnknownTeid, &subject);
        if self.signalling.take(now) {
            self.counters.error_indications += 1;
            let message = Message::ErrorIndication {
                seq: 0,
                teid,
                peer: self.local.ip(),
                udp_port: None,
            };
            replies.push(Reply {
                // Indications go to the well-known port, or to the one that the SGW listens on.
                to: remote,
                octets: u::encode(&message),
            });
        }
    }

    /// Everything that is not a plain G-PDU.
    fn judge_message(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        octets: &mut [u8],
        replies: &mut Vec<Reply>,
    ) -> UplinkVerdict {
        let subject = Subject {
            slot: None,
            direction: Direction::Uplink,
            packet: None,
            outer: Some(remote.ip()),
        };
        if !self.sgws.contains(remote.ip()) {
            self.refuse(now, Refusal::UnlistedPeer, &subject);
            return UplinkVerdict::Consumed;
        }
        match u::decode(octets) {
            Ok(Message::GPdu { teid, payload, .. }) => {
                // The packet is the rest of the datagram, behind however many optional headers.
                let range = octets.len() - payload.len()..octets.len();
                return self.judge_gpdu(now, remote, teid, octets, range, replies);
            }
            Ok(Message::EchoRequest { seq }) if self.signalling.take(now) => {
                replies.push(Reply {
                    to: remote,
                    octets: u::encode(&Message::EchoResponse { seq }),
                });
            }
            Ok(Message::ErrorIndication { teid, peer, .. }) => {
                self.push(Notice::ErrorIndication {
                    from: remote.ip(),
                    teid,
                    peer,
                });
            }
            Ok(_) => {}
            Err(error) => {
                self.refuse(now, Refusal::MalformedGtp, &subject);
                if matches!(error.what, What::ExtensionHeader(_)) && self.signalling.take(now) {
                    replies.push(Reply {
                        to: remote,
                        octets: u::encode(&Message::SupportedExtensionHeaders { types: &[] }),
                    });
                }
            }
        }
        UplinkVerdict::Consumed
    }

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
            let IpAddr::V4(address) = packet.destination else {
                return Err(Refusal::NoSession);
            };
            let slot = self.routes.session_at(tenant, address);
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
        let place = self.place(slot);
        let entry = place.and_then(|place| self.entries.get(place)?.as_ref());
        let entry = entry.ok_or(Refusal::NoSession)?;
        let routes = &self.routes;
        let admitted = origin == Origin::Ue || routes.admits_source(entry.access, packet.source);
        // The table said so already; this is the second lock on the same door.
        if isolation && entry.tenant != tenant {
            return Err(Refusal::CrossTenant);
        }
        if packet.destination != IpAddr::V4(entry.address) {
            return Err(Refusal::NoSession);
        }
        if !entry.forward {
            return Err(Refusal::Cut);
        }
        if !admitted {
            return Err(Refusal::UndeclaredSource);
        }
        if origin == Origin::Segment && packet.hop_limit <= 1 {
            return Err(Refusal::TtlExpired);
        }
        let length = u16::try_from(length).map_err(|_| Refusal::MalformedPacket)?;
        Ok(DownlinkVerdict::Tunnel {
            slot,
            peer: entry.peer,
            header: u::encode_gpdu_header(entry.peer_teid, length),
        })
    }

    fn push(&mut self, notice: Notice) {
        if self.notices.len() < NOTICES {
            self.notices.push_back(notice);
        }
    }

    /// Counts a refusal, and reports it if it is the first of its kind or none was reported
    /// lately.
    fn refuse(&mut self, now: Instant, reason: Refusal, subject: &Subject) {
        let entry = subject.slot.and_then(|slot| {
            let place = self.place(slot)?;
            self.entries.get_mut(place)?.as_mut()
        });
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
    fn tell_ue(
        &mut self,
        now: Instant,
        slot: Slot,
        refusal: Refusal,
        about: &[u8],
        replies: &mut Vec<Reply>,
    ) {
        let error = match refusal.answer() {
            Told::Silence => return,
            Told::AdminProhibited => IcmpError::ADMIN_PROHIBITED,
            Told::TimeExceeded => IcmpError::TIME_EXCEEDED,
        };
        let Ok(packet) = Packet::read(about) else {
            return;
        };
        let place = self.place(slot);
        let entry = place.and_then(|place| self.entries.get_mut(place)?.as_mut());
        let Some(entry) = entry.filter(|e| packet.source == IpAddr::V4(e.address)) else {
            return;
        };
        if !packet.may_be_answered(about) || !entry.icmp.take(now) {
            return;
        }
        let (tenant, address) = (entry.tenant, entry.address);
        let (peer, teid) = (entry.peer, entry.peer_teid);
        let gateway = self.routes.gateway(tenant, address);
        let gateway = gateway.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let icmp = error.packet(gateway, address, about, packet.header_len);
        let length = u16::try_from(icmp.len()).unwrap_or(0);
        let mut octets = u::encode_gpdu_header(teid, length).to_vec();
        octets.extend(icmp);
        self.counters.icmp_errors += 1;
        replies.push(Reply { to: peer, octets });
    }

    /// Makes this worker forward to a prefix that nobody declared, for tests of the proof.
    #[cfg(test)]
    pub(crate) fn plant_leak(&mut self, tenant: TenantId, prefix: heiiki_types::Prefix) {
        if let Some(tenant) = self.routes.tenant_mut(tenant) {
            tenant.egress.plant_leak(prefix);
        }
    }
}
