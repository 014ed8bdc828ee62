//! Two workers without a control plane, so that sessions of every kind can be put into their
//! tables; each tenant has IPv4 and IPv6 of the same ranges.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use heiiki_gtp::u;
use heiiki_types::{Ambr, Duration, Ebi, Instant, Prefix64, Teid, UeAddresses, UeIpv6};

use super::bed::{SGW, config, imsi};
use crate::config::{AccessId, GroupId, Network, PgwConfig};
use crate::user_plane::{
    BearerEntry, Downlink, DownlinkVerdict, Notice, Origin, RefusedPacket, SessionEntry, SessionId,
    Slot, Update, Uplink, UplinkVerdict, Worker,
};
use crate::{Refusal, TenantId};

/// A host in either family, of both tenants.
pub(crate) const HOST4: Ipv4Addr = super::bed::INTRANET;
pub(crate) const HOST6: Ipv6Addr = Ipv6Addr::new(0xfd20, 0, 0xff, 0, 0, 0, 0, 0x10);
/// Somewhere outside.
pub(crate) const OUTSIDE6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// The configuration of the other tests, with IPv6 for both tenants.
pub(crate) fn dual() -> PgwConfig {
    let mut config = config();
    for (tenant, apn) in config.tenants.iter_mut().zip(&mut config.apns) {
        let prefix: heiiki_types::Prefix = "fd20::/32".parse().unwrap();
        tenant.prefixes.push(prefix.into());
        apn.pool_v6 = Some("fd20:0:1::/48".parse().unwrap());
        apn.dns_v6.push(HOST6);
    }
    config.infrastructure.push("fd00:c0::/32".parse().unwrap());
    config
}

pub(crate) fn ue4(n: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a14_0002 + n)
}

pub(crate) fn ue6(n: u32) -> UeIpv6 {
    UeIpv6 {
        prefix: Prefix64::from_bits(0xfd20_0000_0001_0001 + u64::from(n)),
        interface: 0x77 + u64::from(n),
    }
}

/// What became of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// These packets came to a tenant's segment.
    Segment(TenantId, Vec<Vec<u8>>),
    /// These packets came to a UE: the session's number and its TEID at the SGW.
    Ue(u32, u32, Vec<Vec<u8>>),
    /// It went to the sentinel.
    Sentinel,
    /// It ended; this came back to its sender.
    Nothing(Vec<Vec<u8>>),
}

pub(crate) struct Plane {
    pub(crate) workers: Vec<Worker>,
    pub(crate) now: Instant,
    entries: Vec<SessionEntry>,
}

impl Plane {
    pub(crate) fn new(config: &PgwConfig) -> Self {
        let network = Network::check(config).unwrap();
        let workers = (0..config.workers.len())
            .map(|i| Worker::new(&network, i, config.workers[i].s5u_local))
            .collect();
        let mut plane = Self {
            workers,
            now: Instant::from_micros(1_000_000),
            entries: Vec::new(),
        };
        plane.update(&Update::Serve);
        plane
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += by;
    }

    pub(crate) fn update(&mut self, update: &Update) {
        for worker in &mut self.workers {
            worker.handle_update(update);
        }
    }

    /// A dual-stack session of a tenant, the `n`th of both together.
    pub(crate) fn session(&mut self, tenant: TenantId) -> u32 {
        self.session_with(tenant, |_| {})
    }

    pub(crate) fn session_with(
        &mut self,
        tenant: TenantId,
        change: impl FnOnce(&mut SessionEntry),
    ) -> u32 {
        let slot = u32::try_from(self.entries.len()).unwrap();
        let own = self.entries.iter().filter(|e| e.tenant == tenant).count();
        let own = u32::try_from(own).unwrap();
        let mut entry = SessionEntry {
            slot: Slot(slot),
            session: SessionId(100 + slot),
            imsi: imsi(slot),
            tenant,
            access: AccessId(tenant.0),
            addresses: UeAddresses::V4V6(ue4(own), ue6(own)),
            framed: Vec::new(),
            is_suspended: false,
            group: GroupId::default(),
            ambr: None,
            teid: Teid::new(1 << 20 | slot).unwrap(),
            peer: (SGW, 2152).into(),
            peer_teid: Teid::new(0x9000 + slot).unwrap(),
            is_isolated: false,
        };
        change(&mut entry);
        self.update(&Update::Install(Arc::new(entry.clone())));
        self.entries.push(entry);
        slot
    }

    pub(crate) fn bearer(&mut self, session: u32, ebi: u8, change: impl FnOnce(&mut BearerEntry)) {
        let entry = &self.entries[session as usize];
        let mut bearer = BearerEntry {
            slot: entry.slot,
            session: entry.session,
            ebi: Ebi::new(ebi).unwrap(),
            teid: Teid::new((u32::from(ebi) << 22) | entry.slot.0).unwrap(),
            peer: entry.peer,
            peer_teid: Teid::new(0x9000 + session + (u32::from(ebi) << 16)).unwrap(),
            filters: Vec::new(),
            mbr: None,
            gbr: None,
        };
        change(&mut bearer);
        self.update(&Update::SetBearer(bearer.into()));
    }

    /// Sends a packet up a session's default bearer.
    pub(crate) fn up(&mut self, session: u32, packet: &[u8]) -> Outcome {
        let teid = self.entries[session as usize].teid.get();
        self.up_on(session, teid, packet)
    }

    /// Sends a packet up a dedicated bearer.
    pub(crate) fn up_bearer(&mut self, session: u32, ebi: u8, packet: &[u8]) -> Outcome {
        self.up_on(session, (u32::from(ebi) << 22) | session, packet)
    }

    fn up_on(&mut self, session: u32, teid: u32, packet: &[u8]) -> Outcome {
        let length = u16::try_from(packet.len()).unwrap();
        let mut octets = u::encode_gpdu_header(Teid::new(teid).unwrap(), length).to_vec();
        octets.extend(packet);
        let index = session as usize % self.workers.len();
        let mut replies = Vec::new();
        let mut batch = [Uplink {
            remote: (SGW, 2152).into(),
            octets: &mut octets,
            verdict: UplinkVerdict::Unseen,
        }];
        self.workers[index].uplink(self.now, &mut batch, &mut replies);
        let [Uplink { verdict, .. }] = batch;
        match verdict {
            UplinkVerdict::Segment { tenant, packet, .. } => {
                Outcome::Segment(tenant, alloc::vec![octets[packet].to_vec()])
            }
            UplinkVerdict::Fragments {
                tenant, packets, ..
            } => Outcome::Segment(tenant, packets),
            UplinkVerdict::Ue {
                tenant,
                sender,
                packet,
                ..
            } => self.down(tenant, Origin::Ue { sender }, &octets[packet]),
            UplinkVerdict::Sentinel { .. } => Outcome::Sentinel,
            UplinkVerdict::Consumed => Outcome::Nothing(
                replies
                    .into_iter()
                    .map(|r| r.octets[8..].to_vec())
                    .collect(),
            ),
            UplinkVerdict::Unseen => panic!("not judged"),
        }
    }

    /// Sends a packet to a UE.
    pub(crate) fn down(&mut self, tenant: TenantId, origin: Origin, packet: &[u8]) -> Outcome {
        let mut packet = packet.to_vec();
        let mut index = 0;
        for _ in 0..2 {
            let mut batch = [Downlink {
                tenant,
                origin,
                packet: &mut packet,
                verdict: DownlinkVerdict::Unseen,
            }];
            self.workers[index].downlink(self.now, &mut batch);
            let [Downlink { verdict, .. }] = batch;
            match verdict {
                DownlinkVerdict::Worker(owner) => index = owner,
                DownlinkVerdict::Tunnel { slot, header, .. } => {
                    let (teid, _) = u::decode_gpdu(&[&header[..], &packet].concat()).unwrap();
                    return Outcome::Ue(100 + slot.0, teid.get(), alloc::vec![packet]);
                }
                DownlinkVerdict::Fragments {
                    slot, datagrams, ..
                } => {
                    let teid = u::decode_gpdu(&datagrams[0]).unwrap().0.get();
                    let parts = datagrams.into_iter().map(|d| d[8..].to_vec());
                    return Outcome::Ue(100 + slot.0, teid, parts.collect());
                }
                DownlinkVerdict::Answer(answer) => return Outcome::Nothing(alloc::vec![answer]),
                DownlinkVerdict::Consumed => return Outcome::Nothing(Vec::new()),
                DownlinkVerdict::Unseen => panic!("not judged"),
            }
        }
        panic!("no worker is the owner");
    }

    pub(crate) fn segment_sends(&mut self, tenant: TenantId, packet: &[u8]) -> Outcome {
        self.down(tenant, Origin::Segment, packet)
    }

    /// All refusals so far, of all workers.
    pub(crate) fn refused(&self, reason: Refusal) -> u32 {
        let counts = self.workers.iter().map(|w| w.counters().total.refused);
        counts.map(|c| c.get(reason)).sum()
    }

    pub(crate) fn refusals(&self) -> u64 {
        let counts = self.workers.iter().map(|w| w.counters().total.refused);
        counts.map(|c| c.total()).sum()
    }

    /// The reports since the last look.
    pub(crate) fn reports(&mut self) -> Vec<RefusedPacket> {
        self.notices()
            .into_iter()
            .filter_map(|notice| match notice {
                Notice::Refused(packet) => Some(packet),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn notices(&mut self) -> Vec<Notice> {
        let mut all = Vec::new();
        for worker in &mut self.workers {
            all.extend(core::iter::from_fn(|| worker.poll_notice()));
        }
        all
    }

    /// Why a packet up a session was refused; none when it passed.
    pub(crate) fn verdict(&mut self, session: u32, packet: &[u8]) -> Option<Refusal> {
        let before: Vec<u32> = Refusal::ALL.map(|r| self.refused(r)).into();
        let outcome = self.up(session, packet);
        let after = Refusal::ALL.map(|r| self.refused(r));
        let grown = Refusal::ALL
            .into_iter()
            .zip(before)
            .zip(after)
            .filter(|((_, b), a)| b < a)
            .map(|((r, _), _)| r)
            .next();
        assert_eq!(
            grown.is_some(),
            matches!(outcome, Outcome::Nothing(_)),
            "{outcome:?}"
        );
        grown
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what a session has may be none")]
pub(crate) fn rates(uplink_bps: u64, downlink_bps: u64) -> Option<Ambr> {
    Some(Ambr {
        uplink_bps,
        downlink_bps,
    })
}

/// A UDP packet of either family, written by an independent builder.
pub(crate) fn udp(from: impl Into<IpAddr>, to: impl Into<IpAddr>, port: u16) -> Vec<u8> {
    udp_len(from, to, (4_000, port), 5)
}

pub(crate) fn udp_len(
    from: impl Into<IpAddr>,
    to: impl Into<IpAddr>,
    (source, port): (u16, u16),
    len: usize,
) -> Vec<u8> {
    let mut out = Vec::new();
    let payload = alloc::vec![7; len];
    match (from.into(), to.into()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let builder = etherparse::PacketBuilder::ipv4(from.octets(), to.octets(), 64);
            builder.udp(source, port).write(&mut out, &payload).unwrap();
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let builder = etherparse::PacketBuilder::ipv6(from.octets(), to.octets(), 64);
            builder.udp(source, port).write(&mut out, &payload).unwrap();
        }
        _ => panic!("two families"),
    }
    out
}

/// An ICMPv6 message with a right checksum, written by an independent builder.
pub(crate) fn icmp6(
    from: Ipv6Addr,
    to: Ipv6Addr,
    hop_limit: u8,
    (kind, code): (u8, u8),
    body: &[u8],
) -> Vec<u8> {
    let mut out = Vec::new();
    let first = body.get(..4).map_or([0; 4], |b| b.try_into().unwrap());
    etherparse::PacketBuilder::ipv6(from.octets(), to.octets(), hop_limit)
        .icmpv6_raw(kind, code, first)
        .write(&mut out, body.get(4..).unwrap_or_default())
        .unwrap();
    out
}
