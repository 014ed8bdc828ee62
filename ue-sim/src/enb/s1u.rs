//! The user plane on S1-U, TS 29.281.

use alloc::vec::Vec;

use heiiki_gtp::u::{self, Message};
use heiiki_types::{Datagram, Instant, Teid};

use super::{Enb, Output};
use crate::UeId;
use crate::stack::HEADROOM;

impl Enb {
    pub(super) fn handle_s1u(&mut self, now: Instant, datagram: &Datagram) {
        let payload = datagram.payload.as_slice();
        if let Some((teid, range)) = u::decode_gpdu(payload) {
            let packet = payload.get(range).unwrap_or_default();
            return self.downlink_packet(now, datagram, teid, packet);
        }
        match u::decode(payload) {
            Ok(Message::GPdu { teid, payload, .. }) => {
                self.downlink_packet(now, datagram, teid, payload);
            }
            Ok(Message::EchoRequest { seq }) => {
                self.reply(datagram, &Message::EchoResponse { seq });
            }
            Ok(Message::ErrorIndication { teid, peer, .. }) => {
                // Only the far end of a tunnel can say that it is gone.
                let known = self.peers.get(&(peer, teid)).copied();
                if let Some(ue) = known.filter(|_| datagram.remote.ip() == peer) {
                    self.tunnel_broken(ue);
                }
            }
            Ok(_) => {}
            Err(_) => self.counters.malformed += 1,
        }
    }

    fn downlink_packet(&mut self, now: Instant, from: &Datagram, teid: Teid, packet: &[u8]) {
        let Some(ue) = self.teids.find(teid) else {
            self.counters.unknown_teid += 1;
            let indication = Message::ErrorIndication {
                seq: 0,
                teid,
                peer: self.config.s1u_local.ip(),
                udp_port: None,
            };
            return self.reply(from, &indication);
        };
        self.counters.downlink_packets += 1;
        self.counters.downlink_octets += u64::try_from(packet.len()).unwrap_or(0);
        self.with_ue(now, ue, |u, cx| u.handle_packet(cx, packet));
    }

    fn reply(&mut self, to: &Datagram, message: &Message<'_>) {
        self.outputs.push_back(Output::S1u(Datagram {
            local: self.config.s1u_local,
            remote: to.remote,
            payload: u::encode(message),
        }));
    }

    /// An uplink packet behind its headroom, which takes the G-PDU header.
    pub(super) fn uplink_packet(&mut self, ue: UeId, mut packet: Vec<u8>) {
        let Some(tunnel) = self.slot(ue).and_then(|s| s.link.tunnel()).copied() else {
            self.counters.no_tunnel += 1;
            return;
        };
        let len = packet.len().saturating_sub(HEADROOM);
        let Ok(payload_len) = u16::try_from(len) else {
            // No IP packet is that long.
            self.counters.malformed += 1;
            return;
        };
        if let Some(header) = packet.first_chunk_mut::<HEADROOM>() {
            *header = u::encode_gpdu_header(tunnel.remote.teid, payload_len);
        }
        self.counters.uplink_packets += 1;
        self.counters.uplink_octets += u64::try_from(len).unwrap_or(0);
        self.outputs.push_back(Output::S1u(Datagram {
            local: self.config.s1u_local,
            remote: tunnel.remote.address,
            payload: packet,
        }));
    }
}
