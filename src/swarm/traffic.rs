//! What UEs and segments send: honest traffic, probes, and packets that no honest stack makes.

use core::net::IpAddr;
use core::net::Ipv4Addr;
use core::time::Duration;

use etherparse::{
    IcmpEchoHeader, Icmpv4Header, Icmpv4Type, IpNumber, Ipv4Header, TcpHeader, UdpHeader,
};
use heiiki_ue_sim::{Event as UeEvent, UeCommand};

use super::Run;
use crate::lab::{DownlinkStream, Network};
use crate::log::NodeEvent;

/// Addresses that no tenant declared.
const OUTSIDE: [Ipv4Addr; 7] = [
    Ipv4Addr::new(8, 8, 8, 8),
    Ipv4Addr::new(203, 0, 113, 7),
    Ipv4Addr::LOCALHOST,
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(224, 0, 0, 1),
    Ipv4Addr::BROADCAST,
    Ipv4Addr::UNSPECIFIED,
];
/// Streams of each kind at once.
const STREAMS: usize = 3;

impl Run {
    /// A host of the SIM's tenant.
    fn own_host(&self, sim: usize) -> Option<Ipv4Addr> {
        let plan = self.lab.plan();
        let tenant = &plan.sims.get(sim)?.tenant;
        let tenant = plan.tenants.iter().find(|t| t.name == *tenant)?;
        match tenant.hosts.first()?.address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        }
    }

    /// An address that some UE has or had.
    fn ue_address(&mut self) -> Option<Ipv4Addr> {
        let back = self.below(6);
        let mut attached = self.lab.log().iter().rev().filter_map(|e| match &e.event {
            NodeEvent::Ue {
                event: UeEvent::Attached { ip, .. },
                ..
            } => *ip,
            _ => None,
        });
        attached.nth(back)
    }

    /// Any address worth a try.
    fn target(&mut self, sim: usize) -> Ipv4Addr {
        let found = match self.rng.below(6) {
            0 | 1 => self.own_host(sim),
            2 => {
                let other = self.any_sim();
                self.own_host(other)
            }
            3 => self.ue_address(),
            4 => {
                let core = self.lab.addresses().core();
                self.one(&core).and_then(|a| match a.ip() {
                    IpAddr::V4(address) => Some(address),
                    IpAddr::V6(_) => None,
                })
            }
            _ => self.one(&OUTSIDE),
        };
        found.unwrap_or(Ipv4Addr::new(10, 20, 0, 10))
    }

    pub(super) fn traffic(&mut self, sim: usize) -> String {
        let token = self.token();
        let dst = self.target(sim);
        let port = self.one(&[80, 53, 7, 2152, 2123, 3868, 9]).unwrap_or(80);
        let interval = Duration::from_millis(20 + self.rng.below(400));
        let size = self.rng.below(60_000);
        let own = self.own_host(sim).unwrap_or(dst);
        let command = match self.rng.below(9) {
            0 | 1 => UeCommand::HttpGet {
                token,
                dst: own,
                port: 80,
                host: "intranet".to_owned(),
                path: format!("/file?size={size}"),
            },
            2 => UeCommand::DnsQuery {
                token,
                name: "intranet".to_owned(),
                server: None,
            },
            3 => UeCommand::Ping { token, dst },
            4 => UeCommand::UdpProbe { token, dst, port },
            5 => UeCommand::TcpProbe { token, dst, port },
            6 if self.streams.len() < STREAMS => {
                self.streams.push((sim, token));
                UeCommand::StartStream {
                    token,
                    dst: own,
                    port: 7,
                    interval,
                    size: 64,
                    each: false,
                }
            }
            7 => UeCommand::Listen { token, port: 9_000 },
            _ => match self.streams.pop() {
                Some((other, token)) => {
                    self.command(other, UeCommand::StopStream { token });
                    return format!("{} ends a stream", self.name(other));
                }
                None => UeCommand::Ping { token, dst: own },
            },
        };
        let title = format!("{}: {command:?}", self.name(sim));
        self.command(sim, command);
        title
    }

    /// Packets from a segment to a UE, or to an address that nobody has.
    pub(super) fn downlink(&mut self, sim: usize) -> String {
        if self.downlinks.len() >= STREAMS {
            let stream = self.downlinks.remove(0);
            self.world().stop_downlink(stream);
            return format!("downlink stream {stream} ends");
        }
        let plan = self.lab.plan();
        let tenant = plan.sims.get(sim).map(|s| s.tenant.clone());
        let tenant = plan
            .tenants
            .iter()
            .position(|t| Some(&t.name) == tenant.as_ref());
        let (Some(tenant), Some(from)) = (tenant, self.own_host(sim)) else {
            return String::new();
        };
        let to = self.ue_address().unwrap_or(from);
        let every = Duration::from_millis(20 + self.rng.below(400));
        let stream = DownlinkStream {
            tenant,
            from,
            to,
            port: 9_000,
            every,
        };
        let number = self.world().start_downlink(&stream);
        self.downlinks.push(number);
        format!("downlink stream {number} to {to}")
    }

    pub(super) fn stop_streams(&mut self) {
        for stream in core::mem::take(&mut self.downlinks) {
            self.world().stop_downlink(stream);
        }
        for (sim, token) in core::mem::take(&mut self.streams) {
            self.command(sim, UeCommand::StopStream { token });
        }
    }

    /// A packet with another's source address.
    pub(super) fn spoof(&mut self, sim: usize) -> String {
        let source = self.target(sim);
        let dst = self.target(sim);
        let mut packet = self.packet(source, dst).unwrap_or_default();
        if self.rng.chance(0.2) {
            let cut = self.below(packet.len() + 1);
            packet.truncate(cut);
        }
        if self.rng.chance(0.2) {
            let at = self.below(packet.len());
            if let Some(octet) = packet.get_mut(at) {
                *octet ^= 0x40;
            }
        }
        self.command(sim, UeCommand::Inject { packet });
        format!("{} sends a packet from {source} to {dst}", self.name(sim))
    }

    /// A UDP datagram, an echo request or a TCP segment.
    fn packet(&mut self, source: Ipv4Addr, dst: Ipv4Addr) -> Option<Vec<u8>> {
        let payload: [u8; 12] = self.rng.octets();
        let (number, length) = match self.rng.below(3) {
            0 => (IpNumber::UDP, UdpHeader::LEN),
            1 => (IpNumber::ICMP, Icmpv4Header::MIN_LEN),
            _ => (IpNumber::TCP, TcpHeader::MIN_LEN),
        };
        let whole = u16::try_from(length + payload.len()).ok()?;
        let mut ip = Ipv4Header::new(whole, 64, number, source.octets(), dst.octets()).ok()?;
        ip.header_checksum = ip.calc_header_checksum();
        let mut packet = ip.to_bytes().to_vec();
        match number {
            IpNumber::UDP => {
                let udp = UdpHeader::with_ipv4_checksum(40_000, 7, &ip, &payload).ok()?;
                packet.extend(udp.to_bytes());
            }
            IpNumber::ICMP => {
                let echo = Icmpv4Type::EchoRequest(IcmpEchoHeader { id: 7, seq: 1 });
                packet.extend(Icmpv4Header::with_checksum(echo, &payload).to_bytes());
            }
            _ => {
                let mut tcp = TcpHeader::new(40_000, 80, 1, 1_024);
                tcp.syn = true;
                tcp.checksum = tcp.calc_checksum_ipv4(&ip, &payload).ok()?;
                packet.extend(tcp.to_bytes());
            }
        }
        packet.extend(payload);
        Some(packet)
    }
}
