use alloc::vec::Vec;
use core::net::SocketAddr;
use core::ops::Range;

use heiiki_gtp::What;
use heiiki_gtp::u::{self, Message};
use heiiki_types::{Instant, Teid};

use super::batch::{Reply, Uplink, UplinkVerdict};
use super::packet::{Packet, count_hop};
use super::report::Subject;
use super::tables::Rule;
use super::update::{Direction, Notice, SessionId, Slot};
use super::worker::Worker;
use crate::config::AccessId;
use crate::refusal::Refusal;

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
        let slot = Slot(teid.get() & self.slot_mask);
        let protections = self.routes.protections;
        let entry = self.entry(slot).filter(|entry| entry.has_teid(teid));
        let Some(entry) = entry else {
            self.refuse_unknown(now, remote, teid, replies);
            return UplinkVerdict::Consumed;
        };
        let (access, addresses, peer) = (entry.access, entry.addresses, entry.peer);
        let (forward, sender) = (entry.forward, entry.session);
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
            if protections.source_check && !addresses.holds(packet.source) {
                return Err(Refusal::SpoofedSource);
            }
            self.judge_packet(access, (slot, sender), &packet, range)
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
        (slot, sender): (Slot, SessionId),
        packet: &Packet,
        range: Range<usize>,
    ) -> Result<UplinkVerdict, Refusal> {
        if self.routes.protections.infrastructure_deny && packet.is_gtp() {
            return Err(Refusal::TunnelInTunnel);
        }
        let rule = if self.is_isolated(sender) {
            self.routes.rule_in_isolation(access, packet.destination)
        } else {
            self.routes.rule(access, packet.destination)
        };
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
                let other = self.routes.session_at(tenant, packet.destination);
                let other = other.ok_or(Refusal::NoSession)?;
                Ok(UplinkVerdict::Ue {
                    worker: usize::try_from(other.0 % self.workers).unwrap_or(0),
                    tenant,
                    sender,
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
                        octets: u::encode(&Message::SupportedExtensionHeaders { types: &[] }),
                    });
                }
            }
        }
        UplinkVerdict::Consumed
    }
}
