//! Packets through the gateway, both ways, each counted at both ends.

use core::net::SocketAddr;
use core::time::Duration;

use heiiki_net::clock::nanos;
use heiiki_net::udp::{BatchSocket, Incoming, Waker};

use super::packet::{
    ASK, ECHO, Ends, GO, HEAD, MARK, SINK, SOURCE, TOLD, head, long, put, read, word,
};
use super::sgw::Session;
use super::stage::{HOST, failed};
use crate::cli::failure::Failure;

/// Socket buffer of the SGW, octets: a pause of its processor loses nothing.
pub(super) const BUFFER: usize = 64 << 20;
/// Where the traffic of a UE comes from and goes to.
const UE_PORT: u16 = 4_000;
/// Octets of inner packets, simple IMIX (7:4:1).
pub(super) const IMIX: [usize; 12] = [64, 64, 576, 64, 64, 576, 64, 1_400, 576, 64, 64, 576];
/// Datagrams that are made before they are sent.
const BURST: usize = 64;
/// A receiver that has heard nothing for so long has heard everything.
const SILENCE: Duration = Duration::from_millis(200);

/// What was sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub(super) packets: u64,
    pub(super) octets: u64,
}

/// What came downlink.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Came {
    pub(super) packets: u64,
    pub(super) octets: u64,
    /// Numbers that were left out.
    pub(super) lost: u64,
    /// Numbers that came after a greater one of their session.
    pub(super) late: u64,
    /// Datagrams that are not what was asked for.
    pub(super) strange: u64,
    /// From the first to the last.
    pub(super) nanos: u64,
}

/// What is to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load<'a> {
    /// Octets of inner packets, in turn.
    pub(super) sizes: &'a [usize],
    pub(super) time: Duration,
    /// Packets a second; none is as many as there can be.
    pub(super) rate: Option<u64>,
    /// Whether the kernel cuts: as a base station's traffic arrives, or as that of an SGW that does
    /// one call a packet.
    pub(super) cut: bool,
    /// The host.
    pub(super) to: core::net::Ipv4Addr,
}

/// The user plane of the SGW.
pub(super) struct Plane {
    pub(super) socket: BatchSocket,
    waker: Waker,
    pub(super) incoming: Incoming,
    pub(super) gateway: SocketAddr,
}

impl Plane {
    pub(super) fn open(own: SocketAddr, gateway: SocketAddr) -> Result<Self, Failure> {
        Ok(Self {
            socket: BatchSocket::bind(own, BUFFER).map_err(failed)?,
            waker: Waker::new().map_err(failed)?,
            incoming: Incoming::new(),
            gateway,
        })
    }

    /// Takes what has arrived; waits a moment if that is nothing.
    pub(super) fn receive(&mut self) -> Result<(), Failure> {
        self.socket.receive(&mut self.incoming).map_err(failed)?;
        if self.incoming.is_empty() {
            let wait = Some(Duration::from_millis(1));
            self.socket.wait(&self.waker, wait).map_err(failed)?;
            self.socket.receive(&mut self.incoming).map_err(failed)?;
        }
        Ok(())
    }

    /// Sends numbered packets of all sessions in turn.
    pub(super) fn uplink(&mut self, sessions: &[Session], load: Load<'_>) -> Sent {
        let ends = |s: &Session| Ends {
            from: (s.address, UE_PORT),
            to: (load.to, SINK),
        };
        let mut heads: Vec<(u32, usize, [u8; HEAD])> = Vec::new();
        let mut sizes = load.sizes.iter().cycle();
        // Each session meets each size: the two counts have no common factor, or one size.
        let count = sessions.len() * load.sizes.len();
        for (flow, session) in (0_u32..).zip(sessions.iter().cycle().take(count)) {
            let payload = sizes.next().map_or(0, |s| s.saturating_sub(28).max(MARK));
            let head = head(session.teid, ends(session), payload);
            let flow = flow % u32::try_from(sessions.len()).unwrap_or(1).max(1);
            heads.push((flow, payload, head));
        }
        let mut payload = [0x5a_u8; 1_500];
        put(&mut payload, 0, b"hkbp");
        self.socket.set_cutting(load.cut);
        let mut sent = Sent::default();
        let start = nanos();
        let end = start + u64::try_from(load.time.as_nanos()).unwrap_or(0);
        let mut heads = heads.iter().cycle();
        loop {
            let now = nanos();
            if now >= end {
                break;
            }
            if let Some(rate) = load.rate
                && u128::from(sent.packets) * 1_000_000_000
                    >= u128::from(rate) * u128::from(now - start)
            {
                core::hint::spin_loop();
                continue;
            }
            for (flow, size, head) in heads.by_ref().take(BURST) {
                put(&mut payload, 4, &flow.to_be_bytes());
                put(&mut payload, 8, &sent.packets.to_be_bytes());
                let payload = payload.get(..*size).unwrap_or_default();
                self.socket.push(*flow, self.gateway, 0, head, payload);
                sent.packets += 1;
                sent.octets += u64::try_from(28 + size).unwrap_or(0);
            }
            self.socket.flush();
        }
        self.socket.set_cutting(true);
        sent
    }

    /// What the sink has counted: packets and octets of inner packets.
    pub(super) fn ask_sink(&mut self, session: Session) -> Result<(u64, u64), Failure> {
        let ends = Ends {
            from: (session.address, UE_PORT),
            to: (HOST, SINK),
        };
        let mut question = ASK.to_vec();
        question.resize(MARK, 0);
        let answer = self.ask(session, ends, &question, |p| p.starts_with(TOLD))?;
        Ok((long(&answer, 4), long(&answer, 12)))
    }

    /// Waits until an echo through the tunnel has come back.
    pub(super) fn echo(&mut self, session: Session) -> Result<(), Failure> {
        let ends = Ends {
            from: (session.address, UE_PORT),
            to: (HOST, ECHO),
        };
        let payload = nanos().to_be_bytes();
        self.ask(session, ends, &payload, |p| p == payload)
            .map(drop)
    }

    fn ask(
        &mut self,
        session: Session,
        ends: Ends,
        question: &[u8],
        is_answer: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<u8>, Failure> {
        let head = head(session.teid, ends, question.len());
        let start = nanos();
        while nanos() - start < 20_000_000_000 {
            self.socket.push(0, self.gateway, 0, &head, question);
            self.socket.flush();
            let wait = Some(Duration::from_millis(2));
            self.socket.wait(&self.waker, wait).map_err(failed)?;
            self.socket.receive(&mut self.incoming).map_err(failed)?;
            for (_, datagram) in self.incoming.datagrams() {
                if let Some(read) = read(datagram)
                    && read.ends.from == ends.to
                    && is_answer(read.payload)
                {
                    return Ok(read.payload.to_vec());
                }
            }
        }
        Err(failed("the host behind the gateway does not answer"))
    }

    /// Asks the source for `each` packets a session, of `size` octets or, for zero, of simple
    /// IMIX, `rate` a second and session (zero: as many as there can be); takes and checks them.
    pub(super) fn downlink(
        &mut self,
        sessions: &[Session],
        (each, size, rate): (u32, u16, u32),
    ) -> Result<Came, Failure> {
        for (flow, session) in (0_u32..).zip(sessions) {
            let ends = Ends {
                from: (session.address, UE_PORT),
                to: (HOST, SOURCE),
            };
            let mut order = GO.to_vec();
            order.extend(each.to_be_bytes());
            order.extend(size.to_be_bytes());
            order.extend([0; 2]);
            order.extend(rate.to_be_bytes());
            let head = head(session.teid, ends, order.len());
            self.socket.push(flow, self.gateway, 0, &head, &order);
        }
        self.socket.flush();
        let mut next = vec![0_u32; sessions.len()];
        let mut came = Came::default();
        let (mut first, mut last) = (0, 0);
        let wanted = u64::from(each) * u64::try_from(sessions.len()).unwrap_or(0);
        while came.packets < wanted {
            let before = came.packets;
            self.socket.receive(&mut self.incoming).map_err(failed)?;
            if self.incoming.is_empty() {
                self.socket
                    .wait(&self.waker, Some(SILENCE))
                    .map_err(failed)?;
                self.socket.receive(&mut self.incoming).map_err(failed)?;
                if self.incoming.is_empty() {
                    break;
                }
            }
            for (_, datagram) in self.incoming.datagrams() {
                check(datagram, sessions, &mut next, &mut came);
            }
            if came.packets > before {
                last = nanos();
                if first == 0 {
                    first = last;
                }
            }
        }
        came.nanos = last - first;
        for number in next {
            came.lost += u64::from(each.saturating_sub(number));
        }
        Ok(came)
    }
}

/// Looks whether a datagram is the next one of its session.
fn check(datagram: &[u8], sessions: &[Session], next: &mut [u32], came: &mut Came) {
    let read = read(datagram).filter(|r| r.ends.from == (HOST, SOURCE));
    let place = read.and_then(|r| usize::try_from(r.teid.checked_sub(1)?).ok());
    let session = place.and_then(|p| Some((sessions.get(p)?, next.get_mut(p)?)));
    let (Some(read), Some((session, next))) = (read, session) else {
        came.strange += 1;
        return;
    };
    if read.ends.to != (session.address, UE_PORT) {
        came.strange += 1;
        return;
    }
    let number = word(read.payload, 0);
    if number < *next {
        came.late += 1;
    } else {
        came.lost += u64::from(number - *next);
        *next = number + 1;
    }
    came.packets += 1;
    came.octets += u64::try_from(read.payload.len() + 28).unwrap_or(0);
}
