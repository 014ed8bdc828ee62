//! The user plane of the SGW: packets between S1-U and S5-U, TS 29.281.
//!
//! A plain G-PDU keeps its octets but for the TEID, so it is relayed in the buffer that it came in.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use heiiki_gtp::u;
use heiiki_types::{Datagram, Instant, Teid};

use super::session::{Session, SessionKey, Table};
use crate::limits::Limits;
use crate::s1::Endpoint;

/// What the relay did, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    /// G-PDUs from eNBs to gateways.
    pub uplink: u64,
    /// G-PDUs from gateways to eNBs.
    pub downlink: u64,
    /// Downlink G-PDUs put into a buffer.
    pub buffered: u64,
    /// Buffered packets dropped: the buffer was full, or the session closed.
    pub purged: u64,
    /// Messages for a tunnel that does not exist.
    pub unknown_teid: u64,
    /// Messages for a tunnel from an address that is not its peer's.
    pub wrong_peer: u64,
    /// Messages that are no GTP-U.
    pub malformed: u64,
    /// Uplink G-PDUs for a session whose UE is idle.
    pub idle: u64,
}

/// Which side of the SGW.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Towards eNBs.
    S1u,
    /// Towards gateways.
    S5u,
}

/// What the relay wants done.
#[derive(Debug)]
pub(crate) enum Relayed {
    /// Send on the side named.
    Transmit(Side, Datagram),
    /// A peer said that it does not know its end of the session's tunnel.
    Broken(Side, SessionKey, IpAddr, Teid),
    /// The same about a tunnel that is none of ours, or by somebody else.
    Baseless(IpAddr, Teid),
}

/// Sessions and the relay between their tunnels.
#[derive(Debug)]
pub(crate) struct Sgw {
    pub(crate) table: Table,
    pub(crate) counters: Counters,
    s1u_local: SocketAddr,
    s5u_local: SocketAddr,
    ports: BTreeMap<IpAddr, u16>,
    limits: Limits,
    buffered: usize,
    /// Start of the present second of Error Indications, and how many it has had.
    window: (Instant, u32),
}

impl Sgw {
    pub(crate) fn new(
        s1u_local: SocketAddr,
        s5u_local: SocketAddr,
        ports: BTreeMap<IpAddr, u16>,
        limits: Limits,
    ) -> Self {
        Self {
            table: Table::new(limits.sessions),
            counters: Counters::default(),
            s1u_local,
            s5u_local,
            ports,
            limits,
            buffered: 0,
            window: (Instant::ZERO, 0),
        }
    }

    /// The GTP-U socket of a peer whose F-TEID has only an address.
    pub(crate) fn gtpu_address(&self, ip: IpAddr) -> SocketAddr {
        SocketAddr::new(ip, self.ports.get(&ip).copied().unwrap_or(u::PORT))
    }

    const fn local(&self, side: Side) -> SocketAddr {
        match side {
            Side::S1u => self.s1u_local,
            Side::S5u => self.s5u_local,
        }
    }

    /// A GTP-U datagram on one side.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        side: Side,
        datagram: Datagram,
    ) -> Option<Relayed> {
        if let Some((teid, _)) = u::decode_gpdu(&datagram.payload) {
            return self.g_pdu(now, side, teid, datagram);
        }
        let Ok(message) = u::decode(&datagram.payload) else {
            self.counters.malformed += 1;
            return None;
        };
        match message {
            u::Message::GPdu { teid, payload, .. } => {
                // Options of the header concern this hop only.
                let payload = encapsulate(teid, payload)?;
                let (local, remote) = (datagram.local, datagram.remote);
                self.g_pdu(
                    now,
                    side,
                    teid,
                    Datagram {
                        local,
                        remote,
                        payload,
                    },
                )
            }
            u::Message::EchoRequest { seq } => {
                let payload = u::encode(&u::Message::EchoResponse { seq });
                let reply = Datagram {
                    payload,
                    ..datagram
                };
                Some(Relayed::Transmit(side, reply))
            }
            u::Message::EndMarker { teid } => self.end_marker(side, teid, &datagram),
            u::Message::ErrorIndication { teid, peer, .. } => {
                Some(self.error_indication(side, teid, peer, datagram.remote.ip()))
            }
            u::Message::EchoResponse { .. } | u::Message::SupportedExtensionHeaders { .. } => None,
        }
    }

    fn g_pdu(
        &mut self,
        now: Instant,
        side: Side,
        teid: Teid,
        mut datagram: Datagram,
    ) -> Option<Relayed> {
        let from = datagram.remote.ip();
        let to = match side {
            Side::S1u => {
                let Some(session) = self.table.by_s1u(teid) else {
                    return self.unknown(now, side, teid, &datagram);
                };
                if session.enb.is_some_and(|e| e.address.ip() != from) {
                    self.counters.wrong_peer += 1;
                    return None;
                }
                if !session.uplink {
                    self.counters.idle += 1;
                    return None;
                }
                self.counters.uplink += 1;
                session.pgw_u?
            }
            Side::S5u => {
                let Some(session) = self.table.by_s5u(teid) else {
                    return self.unknown(now, side, teid, &datagram);
                };
                // Before the gateway has answered nobody can know the TEID.
                if session.pgw_u.is_none_or(|e| e.address.ip() != from) {
                    self.counters.wrong_peer += 1;
                    return None;
                }
                let Some(enb) = session.enb else {
                    let dropped = hold(session, datagram.payload, self.limits, self.buffered);
                    self.count_held(dropped);
                    return None;
                };
                self.counters.downlink += 1;
                enb
            }
        };
        let other = if side == Side::S1u {
            Side::S5u
        } else {
            Side::S1u
        };
        redirect(&mut datagram.payload, to.teid)?;
        Some(Relayed::Transmit(
            other,
            Datagram {
                local: self.local(other),
                remote: to.address,
                payload: datagram.payload,
            },
        ))
    }

    fn count_held(&mut self, held: Held) {
        match held {
            Held::Kept => {
                self.counters.buffered += 1;
                self.buffered += 1;
            }
            Held::Replaced => {
                self.counters.buffered += 1;
                self.counters.purged += 1;
            }
            Held::Dropped => self.counters.purged += 1,
        }
    }

    fn unknown(
        &mut self,
        now: Instant,
        side: Side,
        teid: Teid,
        datagram: &Datagram,
    ) -> Option<Relayed> {
        self.counters.unknown_teid += 1;
        // A tunnel that was just closed: whoever sends is being told by other means, and an eNB
        // that drops the UE now would cut off the DETACH REQUEST that is on its way.
        if self.table.is_resting(now, teid) {
            return None;
        }
        if now.since(self.window.0) >= Duration::from_secs(1) {
            self.window = (now, 0);
        }
        if self.window.1 >= self.limits.error_indications {
            return None;
        }
        self.window.1 += 1;
        let local = self.local(side);
        let message = u::Message::ErrorIndication {
            seq: 0,
            teid,
            peer: local.ip(),
            udp_port: None,
        };
        let remote = self.gtpu_address(datagram.remote.ip());
        Some(Relayed::Transmit(
            side,
            Datagram {
                local,
                remote,
                payload: u::encode(&message),
            },
        ))
    }

    fn end_marker(&mut self, side: Side, teid: Teid, datagram: &Datagram) -> Option<Relayed> {
        let session = self.table.by_s5u(teid).filter(|_| side == Side::S5u)?;
        let from = datagram.remote.ip();
        session.pgw_u.filter(|e| e.address.ip() == from)?;
        let enb = session.enb?;
        let payload = u::encode(&u::Message::EndMarker { teid: enb.teid });
        let (local, remote) = (self.s1u_local, enb.address);
        Some(Relayed::Transmit(
            Side::S1u,
            Datagram {
                local,
                remote,
                payload,
            },
        ))
    }

    /// Counts only from the tunnel's own peer, TS 29.281 §7.3.1.
    fn error_indication(&mut self, side: Side, teid: Teid, peer: IpAddr, from: IpAddr) -> Relayed {
        let key = self.table.by_peer(peer, teid).filter(|key| {
            let end = self
                .table
                .get(*key)
                .and_then(|s| if side == Side::S1u { s.enb } else { s.pgw_u });
            peer == from && end.is_some_and(|e| e.teid == teid && e.address.ip() == from)
        });
        let Some(key) = key else {
            self.counters.wrong_peer += 1;
            return Relayed::Baseless(from, teid);
        };
        Relayed::Broken(side, key, from, teid)
    }

    /// The eNB's endpoint is known: the packets that waited for it, in their order.
    pub(crate) fn connect(&mut self, key: SessionKey, enb: Endpoint) -> Vec<Datagram> {
        self.table.set_enb(key, Some(enb));
        let Some(session) = self.table.get_mut(key) else {
            return Vec::new();
        };
        session.uplink = true;
        let waiting = core::mem::take(&mut session.buffer);
        self.buffered = self.buffered.saturating_sub(waiting.len());
        let local = self.s1u_local;
        let ready = waiting.into_iter().filter_map(|mut payload| {
            redirect(&mut payload, enb.teid)?;
            Some(Datagram {
                local,
                remote: enb.address,
                payload,
            })
        });
        let ready: Vec<_> = ready.collect();
        self.counters.downlink += u64::try_from(ready.len()).unwrap_or(0);
        ready
    }

    /// The UE is idle: nothing goes up, and downlink packets wait.
    pub(crate) fn disconnect(&mut self, key: SessionKey) {
        self.table.set_enb(key, None);
        if let Some(session) = self.table.get_mut(key) {
            session.uplink = false;
        }
    }

    /// Ends the session: nothing of it is forwarded or held after this. Returns it with the number
    /// of packets that were dropped.
    pub(crate) fn close(&mut self, now: Instant, key: SessionKey) -> Option<(Session, usize)> {
        let mut session = self.table.close(now, key)?;
        let purged = core::mem::take(&mut session.buffer).len();
        self.buffered = self.buffered.saturating_sub(purged);
        self.counters.purged += u64::try_from(purged).unwrap_or(0);
        Some((session, purged))
    }
}

#[derive(Clone, Copy, Debug)]
enum Held {
    Kept,
    Replaced,
    Dropped,
}

/// Keeps the newest packets: the oldest are the least use to a UE that comes late.
fn hold(session: &mut Session, payload: Vec<u8>, limits: Limits, total: usize) -> Held {
    if session.buffer.len() >= limits.buffered_packets {
        if session.buffer.pop_front().is_none() {
            return Held::Dropped;
        }
        session.buffer.push_back(payload);
        return Held::Replaced;
    }
    if total >= limits.buffered_packets_total {
        return Held::Dropped;
    }
    session.buffer.push_back(payload);
    Held::Kept
}

/// Writes the TEID of the next hop into a plain G-PDU.
fn redirect(payload: &mut [u8], teid: Teid) -> Option<()> {
    payload
        .get_mut(4..8)?
        .copy_from_slice(&teid.get().to_be_bytes());
    Some(())
}

fn encapsulate(teid: Teid, t_pdu: &[u8]) -> Option<Vec<u8>> {
    let header = u::encode_gpdu_header(teid, u16::try_from(t_pdu.len()).ok()?);
    Some([&header[..], t_pdu].concat())
}
