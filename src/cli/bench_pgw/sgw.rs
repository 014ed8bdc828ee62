//! The SGW that this program plays: it makes sessions, many at once, and checks each answer.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;

use heiiki_gtp::c::{
    self, BearerContextToBeCreated, BearerQos, Cause, CreateSessionRequest, FTeid, Header,
    Interface, Message, MessageType, Paa, PdnType,
};
use heiiki_net::clock::nanos;
use heiiki_net::udp::{Udp, Waker};
use heiiki_types::{Ambr, Arp, Ebi, Qci, Teid};

use super::stage::{APN, Stage, failed};
use crate::cli::failure::Failure;

/// How long an answer may take before the request is sent again.
const PATIENCE: u64 = 3_000_000_000;

/// A session, as its SGW sees it. The SGW's own TEIDs are its number plus one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    /// The gateway's end for uplink packets.
    pub(super) teid: u32,
    pub(super) address: Ipv4Addr,
}

/// What making sessions came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    pub(super) seconds: f64,
    pub(super) again: u64,
}

pub(super) struct Sgw {
    control: Udp,
    waker: Waker,
    gateway: SocketAddr,
    own: IpAddr,
    sequence: u32,
    pub(super) sessions: Vec<Session>,
}

/// The SIM of a session.
pub(super) fn imsi(number: usize) -> String {
    format!("00101{number:010}")
}

impl Sgw {
    pub(super) fn open(stage: &Stage) -> Result<Self, Failure> {
        Ok(Self {
            control: Udp::bind(stage.sgw(2_123), 16 << 20).map_err(failed)?,
            waker: Waker::new().map_err(failed)?,
            gateway: stage.gateway(2_123),
            own: stage.sgw(0).ip(),
            sequence: 0,
            sessions: Vec::new(),
        })
    }

    fn request(&self, number: usize, sequence: u32) -> Option<Vec<u8>> {
        let teid = Teid::new(u32::try_from(number).ok()? + 1)?;
        let end = |interface| FTeid::new(interface, teid, self.own);
        let arp = Arp {
            priority_level: 9,
            may_preempt: false,
            may_be_preempted: true,
        };
        let bearer = BearerContextToBeCreated {
            ebi: Ebi::FIRST,
            tft: None,
            s5s8_u_sgw_f_teid: Some(end(Interface::S5S8_SGW_GTPU)),
            bearer_qos: BearerQos::non_gbr(Qci(9), arp),
        };
        let rate = 100_000_000_000;
        let request = CreateSessionRequest {
            imsi: imsi(number).parse().ok(),
            serving_network: "00101".parse().ok(),
            selection_mode: Some(0),
            pdn_type: Some(PdnType::V4),
            paa: Some(Paa::V4(Ipv4Addr::UNSPECIFIED)),
            maximum_apn_restriction: Some(0),
            apn_ambr: Some(Ambr {
                uplink_bps: rate,
                downlink_bps: rate,
            }),
            pco: Some(vec![0x80, 0, 0x0d, 0, 0, 0x10, 0]),
            ..CreateSessionRequest::new(
                end(Interface::S5S8_SGW_GTPC),
                APN.parse().ok()?,
                vec![bearer],
            )
        };
        let header = Header {
            message_type: MessageType::CREATE_SESSION_REQUEST,
            teid: Some(0),
            sequence,
            piggybacked: false,
        };
        Some(c::encode(
            header,
            &Message::CreateSessionRequest(Box::new(request)),
        ))
    }

    /// Makes sessions until there are `count`, with `window` requests in flight.
    pub(super) fn create(&mut self, count: usize, window: usize) -> Result<Made, Failure> {
        let start = nanos();
        let mut next = self.sessions.len();
        let mut waiting: BTreeMap<u32, (usize, u64)> = BTreeMap::new();
        let mut again = 0;
        let nobody = Session {
            teid: 0,
            address: Ipv4Addr::UNSPECIFIED,
        };
        self.sessions.resize(count, nobody);
        let mut buffer = vec![0; 4_096];
        while next < count || !waiting.is_empty() {
            while next < count && waiting.len() < window {
                self.sequence = (self.sequence + 1) & 0x7f_ffff;
                self.send(next, self.sequence)?;
                waiting.insert(self.sequence, (next, nanos()));
                next += 1;
            }
            let wait = Some(Duration::from_millis(500));
            self.control.wait(&self.waker, wait).map_err(failed)?;
            while let Some((length, _)) = self.control.receive(&mut buffer).map_err(failed)? {
                self.take(buffer.get(..length).unwrap_or_default(), &mut waiting)?;
            }
            let now = nanos();
            let late = waiting.iter().filter(|(_, w)| now - w.1 > PATIENCE);
            let late: Vec<(u32, usize)> = late.map(|(s, w)| (*s, w.0)).collect();
            for (sequence, number) in late {
                self.send(number, sequence)?;
                waiting.insert(sequence, (number, now));
                again += 1;
            }
        }
        Ok(Made {
            seconds: super::float(nanos() - start) / 1e9,
            again,
        })
    }

    fn send(&self, number: usize, sequence: u32) -> Result<(), Failure> {
        let request = self
            .request(number, sequence)
            .ok_or_else(|| failed("a request cannot be written"))?;
        self.control.send(self.gateway, &request).map_err(failed)
    }

    fn take(
        &mut self,
        octets: &[u8],
        waiting: &mut BTreeMap<u32, (usize, u64)>,
    ) -> Result<(), Failure> {
        let decoded = c::decode(octets).map_err(failed)?;
        let header = decoded.header;
        let message = match decoded.message {
            Ok(Message::CreateSessionResponse(message)) => message,
            // Delete Bearer Requests, of a cut.
            Ok(_) => return Ok(()),
            Err(reject) => return Err(failed(reject.why)),
        };
        let Some((number, _)) = waiting.remove(&header.sequence) else {
            return Ok(());
        };
        let own = u32::try_from(number).ok().map(|n| n + 1);
        let end = message.bearer_contexts.first();
        let end = end.and_then(|b| b.s5s8_u_pgw_f_teid);
        let good = message.cause.cause == Cause::REQUEST_ACCEPTED && header.teid == own;
        let (Some(end), Some(address), true) = (end, message.paa.and_then(Paa::v4), good) else {
            return Err(failed(format!("session {number} was refused: {message:?}")));
        };
        if let Some(session) = self.sessions.get_mut(number) {
            *session = Session {
                teid: end.teid.get(),
                address,
            };
        }
        Ok(())
    }

    /// Throws away what has come meanwhile.
    pub(super) fn drain(&self) -> Result<u64, Failure> {
        let mut buffer = vec![0; 4_096];
        let mut count = 0;
        while self.control.receive(&mut buffer).map_err(failed)?.is_some() {
            count += 1;
        }
        Ok(count)
    }
}
