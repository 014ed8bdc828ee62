use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::ops::Range;

use heiiki_gtp::What;
use heiiki_gtp::u::{self, Message};
use heiiki_types::{Instant, Teid};

use super::batch::{Reply, Uplink, UplinkVerdict};
use super::link::{Heard, is_for_the_link, stays_on_the_link};
use super::packet::{Packet, count_hop, is_group};
use super::report::Subject;
use super::split::split;
use super::tables::Rule;
use super::update::{Direction, Notice, SessionId, Slot};
use super::worker::Worker;
use crate::config::{AccessId, TenantId};
use crate::refusal::Refusal;

/// Whose packet is judged, and on which of its bearers it came.
#[derive(Clone, Copy, Debug)]
struct Sender {
    slot: Slot,
    session: SessionId,
    tenant: TenantId,
    access: AccessId,
    /// The place of a dedicated bearer.
    bearer: Option<usize>,
    forward: bool,
}

/// Where a packet goes that passed the rules.
#[derive(Debug)]
enum Way {
    Segment(TenantId),
    Sentinel,
    Ue(TenantId, usize),
    /// It was for the gateway as the router of the UE's link.
    Link(Heard),
}

impl Worker {
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
        let Some((sender, peer)) = self.sender(teid) else {
            self.refuse_unknown(now, remote, teid, replies);
            return UplinkVerdict::Consumed;
        };
        let mut subject = Subject {
            slot: Some(sender.slot),
            direction: Direction::Uplink,
            packet: None,
            outer: Some(remote.ip()),
        };
        if peer != remote.ip() {
            // Not counted against the session: it did not send this.
            subject.slot = None;
            self.refuse(now, Refusal::WrongPeer, &subject);
            return UplinkVerdict::Consumed;
        }
        let inner = octets.get_mut(range.clone()).unwrap_or_default();
        let packet = Packet::read(inner);
        subject.packet = packet.ok();
        let way = packet.and_then(|packet| {
            let way = self.way(&sender, &packet, inner)?;
            if !matches!(way, Way::Link(_)) {
                let limits = (sender.slot, sender.tenant, sender.bearer);
                self.police(now, Direction::Uplink, limits, inner.len())?;
            }
            Ok(way)
        });
        match way {
            Ok(way) => self.pass(now, &sender, way, inner, range, replies),
            Err(refusal) => {
                self.refuse(now, refusal, &subject);
                self.tell_ue(now, sender.slot, refusal, inner, replies);
                UplinkVerdict::Consumed
            }
        }
    }

    /// Whose tunnel ends at this TEID, and the SGW that it comes from.
    fn sender(&self, teid: Teid) -> Option<(Sender, IpAddr)> {
        let slot = Slot(teid.get() & self.slot_mask);
        let entry = self.entry(slot)?;
        let (bearer, peer) = entry.tunnel(teid)?;
        let sender = Sender {
            slot,
            session: entry.session,
            tenant: entry.tenant,
            access: entry.access,
            bearer,
            forward: entry.forward,
        };
        Some((sender, peer))
    }

    /// Where a packet goes, by all the rules.
    fn way(&self, sender: &Sender, packet: &Packet, inner: &[u8]) -> Result<Way, Refusal> {
        if !sender.forward {
            return Err(Refusal::Cut);
        }
        let entry = self.entry(sender.slot).ok_or(Refusal::Cut)?;
        let protections = self.routes.protections;
        if protections.router_guard && packet.is_routers_own() {
            return Err(Refusal::RouterImpersonation);
        }
        if is_for_the_link(packet)
            && let Some(ue) = entry.addresses.v6()
            && let Some(link) = self.routes.link(sender.access)
        {
            let heard = link.hear(ue, packet, inner, protections.source_check);
            return heard.map(Way::Link);
        }
        if is_group(packet.destination) {
            return Err(Refusal::Multicast);
        }
        if protections.source_check && !entry.holds(packet.source) {
            return Err(Refusal::SpoofedSource);
        }
        if stays_on_the_link(packet) {
            return Err(Refusal::LinkScope);
        }
        if protections.tunnel_deny && packet.is_transition_tunnel() {
            return Err(Refusal::TransitionTunnel);
        }
        if protections.infrastructure_deny && packet.is_gtp() {
            return Err(Refusal::TunnelInTunnel);
        }
        let bearer = sender.bearer.and_then(|place| entry.bearers.get(place));
        if bearer.is_some_and(|bearer| !bearer.verifies(packet, inner)) {
            return Err(Refusal::WrongBearer);
        }
        self.ruled(sender, packet, inner.len())
    }

    /// Where a packet goes because of its destination.
    fn ruled(&self, sender: &Sender, packet: &Packet, length: usize) -> Result<Way, Refusal> {
        let rule = if self.is_isolated(sender.session) {
            self.routes
                .rule_in_isolation(sender.access, packet.destination)
        } else {
            self.routes.rule(sender.access, packet.destination)
        };
        let way = match rule {
            Rule::Refuse(refusal) => return Err(refusal),
            Rule::Segment(tenant) => Way::Segment(tenant),
            Rule::Sentinel => Way::Sentinel,
            Rule::Ue(tenant) => {
                let other = self.routes.session_at(tenant, packet.destination);
                let groups = self.routes.has_groups(tenant);
                let to = other.map_or_else(Default::default, |slot| self.group(slot));
                if groups && !self.routes.joins(tenant, self.group(sender.slot), to) {
                    return Err(Refusal::UeToUe);
                }
                let other = other.ok_or(Refusal::NoSession)?;
                Way::Ue(tenant, usize::try_from(other.0 % self.workers).unwrap_or(0))
            }
        };
        if packet.hop_limit <= 1 {
            return Err(Refusal::TtlExpired);
        }
        if let Way::Segment(tenant) = way
            && packet.is_whole_only
            && length > self.routes.segment_mtu(tenant)
        {
            return Err(Refusal::TooBig);
        }
        Ok(way)
    }

    /// Passes a packet on: counts its hop and its octets.
    fn pass(
        &mut self,
        now: Instant,
        sender: &Sender,
        way: Way,
        inner: &mut [u8],
        range: Range<usize>,
        replies: &mut Vec<Reply>,
    ) -> UplinkVerdict {
        if let Way::Link(heard) = way {
            if let Heard::Answer(packet) = heard {
                self.advertise(now, sender.slot, &packet, replies);
            }
            return UplinkVerdict::Consumed;
        }
        count_hop(inner);
        let length = u64::try_from(inner.len()).unwrap_or(0);
        if let Some(entry) = self.entry_mut(sender.slot) {
            entry.count(now, Direction::Uplink, sender.bearer, length);
            if entry.is_due(now) {
                self.advertise_unasked(now, sender.slot, replies);
            }
        }
        match way {
            Way::Segment(tenant) => {
                let mtu = self.routes.segment_mtu(tenant);
                if inner.len() > mtu {
                    UplinkVerdict::Fragments {
                        tenant,
                        slot: sender.slot,
                        packets: split(inner, mtu),
                    }
                } else {
                    UplinkVerdict::Segment {
                        tenant,
                        slot: sender.slot,
                        packet: range,
                    }
                }
            }
            Way::Sentinel => UplinkVerdict::Sentinel {
                access: sender.access,
                packet: range,
            },
            Way::Ue(tenant, worker) => UplinkVerdict::Ue {
                worker,
                tenant,
                sender: sender.session,
                packet: range,
            },
            Way::Link(_) => UplinkVerdict::Consumed,
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
        let subject = Subject {
            slot: None,
            direction: Direction::Uplink,
            packet: None,
            outer: Some(remote.ip()),
        };
        if !self.sgws.contains(remote.ip()) {
            self.refuse(now, Refusal::UnlistedPeer, &subject);
            return;
        }
        let slot = Slot(teid.get() & self.slot_mask);
        if !self.serves {
            // The session may be on disk still: to deny it now would end it.
            self.refuse(now, Refusal::NotServing, &subject);
            return;
        }
        if self.is_silent(slot, teid) {
            self.refuse(now, Refusal::Cut, &subject);
            return;
        }
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
                to: self.gtpu_peer(remote.ip()),
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
                        octets: u::encode(&Message::SupportedExtensionHeaders {
                            types: u::SUPPORTED_EXTENSION_HEADERS,
                        }),
                    });
                }
            }
        }
        UplinkVerdict::Consumed
    }
}
