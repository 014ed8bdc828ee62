//! What the gateway says and hears on the link to one UE: it is the router of that link
//! (RFC 4861), and each UE has a link of its own, so there is nobody else on it.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};

use heiiki_types::{Duration, Prefix64, UeIpv6};

use super::icmp::{icmp_v6, pseudo_sum};
use super::packet::{Packet, is_link_local, protocol};
use crate::config::Access;
use crate::refusal::Refusal;

/// All nodes of the link.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// How long the gateway stays a UE's default router, s: three times the interval of
/// advertisements, TS 29.061 §11.2.1.3.4.
const ROUTER_LIFETIME: u16 = 64_800;
/// When a UE that sends is told again: the interval of TS 29.061 §11.2.1.3.4. One that is idle is
/// not, because that would page it.
pub(super) const ADVERTISE_AGAIN: Duration = Duration::from_hours(6);

/// What a Router Advertisement of an access point says beside the prefix.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) mtu: u16,
    dns: Vec<Ipv6Addr>,
}

/// What becomes of a packet that stays on the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The gateway answers with this packet.
    Answer(Vec<u8>),
    /// It needs no answer.
    Nothing,
}

/// Whether a packet is for somebody on the link, all listeners there included, by the protocol
/// that links are run with.
pub(super) const fn is_for_the_link(packet: &Packet) -> bool {
    packet.protocol == protocol::ICMP_V6
        && match packet.destination {
            IpAddr::V4(_) => false,
            IpAddr::V6(to) => to.is_multicast() || to.is_unicast_link_local(),
        }
}

/// The gateway's own address on the link with this UE.
pub(super) fn router(ue: UeIpv6) -> Ipv6Addr {
    let interface = if ue.interface == 1 { 2 } else { 1 };
    Prefix64::from_bits(0xfe80 << 48).address(interface)
}

impl Link {
    pub(super) fn new(access: &Access) -> Self {
        Self {
            mtu: access.config.mtu,
            dns: access.config.dns_v6.clone(),
        }
    }

    /// A Router Advertisement for one UE (RFC 4861 §4.2): its prefix, which is its own and not
    /// on-link, the MTU, and the name servers (RFC 8106 §5.1).
    pub(super) fn advertisement(&self, ue: UeIpv6, to: Ipv6Addr) -> Vec<u8> {
        let mut message = alloc::vec![134, 0, 0, 0, 64, 0];
        message.extend(ROUTER_LIFETIME.to_be_bytes());
        // Reachable time and retransmission timer are the UE's own affair.
        message.extend([0; 8]);
        // Autonomous, for ever: the session's end is the prefix's.
        message.extend([3, 4, 64, 0x40]);
        message.extend([0xff; 8]);
        message.extend([0; 4]);
        message.extend(ue.prefix.address(0).octets());
        message.extend([5, 1, 0, 0, 0, 0]);
        message.extend(self.mtu.to_be_bytes());
        let servers = self.dns.get(..self.dns.len().min(3)).unwrap_or_default();
        if let Ok(count @ 1..) = u8::try_from(servers.len()) {
            message.extend([25, 1 + 2 * count, 0, 0]);
            message.extend(u32::from(ROUTER_LIFETIME).to_be_bytes());
            for server in servers {
                message.extend(server.octets());
            }
        }
        icmp_v6(router(ue), to, 255, message)
    }

    /// The Router Advertisement that a UE gets without asking.
    pub(super) fn unsolicited(&self, ue: UeIpv6) -> Vec<u8> {
        self.advertisement(ue, ALL_NODES)
    }

    /// Hears a packet for the link.
    pub(super) fn hear(
        &self,
        ue: UeIpv6,
        packet: &Packet,
        octets: &[u8],
        source_check: bool,
    ) -> Result<Heard, Refusal> {
        let (IpAddr::V6(source), IpAddr::V6(destination)) = (packet.source, packet.destination)
        else {
            return Err(Refusal::LinkScope);
        };
        // Some hosts take a link-local address of their own making instead of the one that they
        // were given. Nobody else is on the link whose it could be.
        let own =
            source.is_unspecified() || source.is_unicast_link_local() || ue.prefix.contains(source);
        if source_check && !own {
            return Err(Refusal::SpoofedSource);
        }
        let message = octets.get(packet.header_len..).unwrap_or_default();
        let to = if source.is_unspecified() {
            ALL_NODES
        } else {
            source
        };
        match packet.icmp_type {
            // What listeners report (RFC 3810) nobody waits for; advertisements of a neighbour that
            // is alone on its link say nothing.
            Some(131 | 132 | 136 | 143) => Ok(Heard::Nothing),
            Some(133 | 135)
                if packet.hop_limit != 255
                    || message.get(1) != Some(&0)
                    || pseudo_sum(source, destination, message) != 0xffff =>
            {
                Err(Refusal::MalformedPacket)
            }
            Some(133) => Ok(Heard::Answer(self.advertisement(ue, to))),
            Some(135) => {
                let target = message
                    .get(8..24)
                    .and_then(|t| <[u8; 16]>::try_from(t).ok());
                let target = target.ok_or(Refusal::MalformedPacket)?;
                if Ipv6Addr::from(target) != router(ue) {
                    // Nobody else is here: an address that the UE tries is free.
                    return Ok(Heard::Nothing);
                }
                // Router, override; solicited unless nobody in particular asked.
                let flags = if source.is_unspecified() { 0xa0 } else { 0xe0 };
                let mut answer = alloc::vec![136, 0, 0, 0, flags, 0, 0, 0];
                answer.extend(target);
                Ok(Heard::Answer(icmp_v6(router(ue), to, 255, answer)))
            }
            _ if destination.is_multicast() => Err(Refusal::Multicast),
            _ => Err(Refusal::LinkScope),
        }
    }
}

/// Whether a packet means to leave a link that it must not leave: an end of it is link-local, or
/// it is one of the messages that neighbours exchange.
pub(super) fn stays_on_the_link(packet: &Packet) -> bool {
    is_link_local(packet.source)
        || is_link_local(packet.destination)
        || packet.protocol == protocol::ICMP_V6 && matches!(packet.icmp_type, Some(133 | 135 | 136))
}
