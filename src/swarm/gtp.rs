//! A flood of broken GTP-C and GTP-U messages against a gateway.
//!
//! One SGW has sessions and sends mutations of every message that an SGW may send, user packets
//! with broken headers inside among them. Another one has a session too and goes on as if nothing
//! were: its packets pass both ways and it sets a session up and ends it. What the gateway holds
//! is counted all the while and must stay within bounds that do not depend on how many messages
//! came.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use heiiki_gtp::c::{
    self, BearerContextToBeModified, DeleteSessionRequest, FTeid, Interface, Message,
    ModifyBearerRequest,
};
use heiiki_gtp::u;
use heiiki_types::{Ebi, Rng};

use super::gateway::{Gateway, TENANTS, Tunnel, gpdu, sim, udp, worker_of};
use super::mutate::{mutate, pick};

const GOOD: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const BAD: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
/// An SGW whose user plane alone is broken: broken signalling soon ends the sessions that it is
/// about, and then no packet would be looked at.
const USER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 3);
/// The good SIM. The broken messages are about SIMs whose numbers share no digit with it: a bit that
/// flips must not make a request for the good one, which takes its place by right (TS 29.274 §7.2.1).
const GOOD_SIM: u64 = 1;
const BAD_SIMS: u64 = 77_777_770;
const USER_SIMS: u64 = 88_888_880;
/// A host of every tenant.
const HOST4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 20, 255, 10));
const HOST6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd20, 0, 0xff, 0, 0, 0, 0, 0x10));
/// Sessions of the bad SGW that the corpus is about.
const SESSIONS: u64 = 4;
/// After so many messages the good SGW goes on with its work.
const ASK_EVERY: u64 = 1_000;
/// After so many the corpus names the bad SGW's sessions as they are by then.
const RENEW_EVERY: u64 = 2_000;
/// How long a message takes.
const PACE: Duration = Duration::from_micros(100);
/// Header of GTP-C with a TEID.
const HEADER: usize = 12;

/// What a gateway held at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Sessions.
    pub sessions: u32,
    /// Procedures that waited for a worker or for the disk.
    pub waiting: usize,
    /// Delete Bearer Requests without a response.
    pub unanswered: usize,
}

/// What a flood came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flood {
    /// Broken messages sent; one more in seven was as it should be.
    pub messages: u64,
    /// Responses of GTP-C to any of them.
    pub answers: u64,
    /// Of these, how many accepted.
    pub accepted: u64,
    /// Packets that came to a segment.
    pub passed: u64,
    /// Times that the good SGW did its work; it always could.
    pub good: u64,
    /// The most that the gateway held at any time.
    pub peak: Held,
}

impl fmt::Display for Flood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} mutated messages: {} answers, {} of them accepted, {} packets passed; the other \
             SGW did its work {} times; at most {:?}",
            self.messages, self.answers, self.accepted, self.passed, self.good, self.peak
        )
    }
}

/// A message of the corpus: for which port, and where its header ends.
struct Template {
    octets: Vec<u8>,
    /// The worker, of a message of GTP-U.
    worker: Option<usize>,
    sgw: Ipv4Addr,
}

struct Bench {
    gateway: Gateway,
    good: Tunnel,
    corpus: Vec<Template>,
    flood: Flood,
    next_sim: u64,
    users: Vec<Tunnel>,
}

/// Sends `messages` mutated messages, drawn from `seed`.
///
/// # Errors
/// What did not hold, with the number of the message after which it did not.
///
/// # Panics
/// When the gateway does: the caller shows the seed.
pub fn flood(seed: u64, messages: u64, mut each: impl FnMut(&Flood)) -> Result<Flood, String> {
    let mut rng = Rng::from_seed(seed);
    let mut gateway = Gateway::new(seed, |_| {})?;
    let good = gateway.create(GOOD, sim(GOOD_SIM)?, 0)?;
    let mut bench = Bench {
        gateway,
        good,
        corpus: Vec::new(),
        flood: Flood::default(),
        next_sim: 100,
        users: Vec::new(),
    };
    for number in 0..SESSIONS {
        let tenant = usize::try_from(number).unwrap_or(0) % TENANTS.len();
        let tunnel = bench
            .gateway
            .create(USER, sim(USER_SIMS + number)?, tenant)?;
        bench.users.push(tunnel);
    }
    bench.renew()?;
    let mut since = 0;
    while bench.flood.messages < messages {
        let broken = rng.below(8) != 0;
        bench.send(&mut rng, broken);
        bench.hear();
        if !broken {
            continue;
        }
        bench.flood.messages += 1;
        since += 1;
        if bench.flood.messages.is_multiple_of(ASK_EVERY) {
            bench.work().map_err(|e| bench.at(&e))?;
            bench.count()?;
            each(&bench.flood);
        }
        if since >= RENEW_EVERY {
            since = 0;
            bench.renew().map_err(|e| bench.at(&e))?;
        }
    }
    Ok(bench.flood)
}

impl Bench {
    fn at(&self, what: &str) -> String {
        format!("after {} messages: {what}", self.flood.messages)
    }

    /// Sends a message of the corpus; most broken ones keep a true length and a number of their
    /// own, so that they get past the header and past what was answered before.
    fn send(&mut self, rng: &mut Rng, broken: bool) {
        self.gateway.pass(PACE);
        let Some(template) = self.corpus.get(pick(rng, self.corpus.len())) else {
            return;
        };
        let (mut octets, worker, sgw) = (template.octets.clone(), template.worker, template.sgw);
        let lies = broken && rng.below(100) == 0;
        let from = match (lies, worker) {
            (true, _) => 0,
            (false, Some(_)) => 8,
            (false, None) => HEADER,
        };
        if broken {
            mutate(&mut octets, rng, from, from.max(8));
        }
        if !lies {
            let rest = octets
                .len()
                .saturating_sub(if worker.is_some() { 8 } else { 4 });
            let length = u16::try_from(rest).unwrap_or(u16::MAX).to_be_bytes();
            if let Some(place) = octets.get_mut(2..4) {
                place.copy_from_slice(&length);
            }
            let number: [u8; 3] = rng.octets();
            if worker.is_none()
                && let Some(place) = octets.get_mut(8..11)
            {
                place.copy_from_slice(&number);
            }
        }
        match worker {
            Some(worker) => self.gateway.send_u(sgw, worker, octets),
            None => self.gateway.send_c(sgw, octets),
        }
    }

    /// Takes what the gateway has said. Its requests are not answered: it has to bear that.
    fn hear(&mut self) {
        for datagram in core::mem::take(&mut self.gateway.s5c) {
            self.flood.answers += 1;
            if let Ok(Ok(Message::CreateSessionResponse(response))) =
                c::decode(&datagram.payload).map(|d| d.message)
            {
                self.flood.accepted += u64::from(response.cause.is_accepted());
            }
        }
        self.gateway.s5u.clear();
        self.flood.passed += u64::try_from(self.gateway.sgi.len()).unwrap_or(0);
        self.gateway.sgi.clear();
    }

    /// The good SGW's work: packets of both families and both ways, and a session that comes and
    /// goes.
    fn work(&mut self) -> Result<(), String> {
        let good = self.good;
        for (own, host) in ends(&good) {
            let up = udp(own, host, 9, b"up").ok_or("no packet")?;
            self.gateway.uplink(&good, &up);
            if self.gateway.sgi.len() != 1 {
                return Err(format!("a good packet from {own} did not pass"));
            }
            self.gateway.sgi.clear();
            self.gateway.s5u.clear();
            let down = udp(host, own, 9, b"down").ok_or("no packet")?;
            self.gateway.downlink(0, down);
            let came = self.gateway.s5u.iter();
            let mut came = came.filter_map(|d| u::decode_gpdu(&d.payload));
            if !came.any(|(teid, _)| teid == good.sgw_u) {
                return Err(format!("a good packet to {own} did not pass"));
            }
            self.gateway.s5u.clear();
        }
        let tunnel = self.gateway.create(GOOD, sim(GOOD_SIM + 1)?, 0)?;
        self.gateway.delete(&tunnel)?;
        // Addresses and places of what came and went have their rest.
        self.gateway.pass(Duration::from_secs(31));
        self.flood.good += 1;
        Ok(())
    }

    fn count(&mut self) -> Result<(), String> {
        let control = self.gateway.pgw.control();
        let held = Held {
            sessions: control.session_count(),
            waiting: control.waiting(),
            unanswered: control.unanswered(),
        };
        let peak = &mut self.flood.peak;
        peak.sessions = peak.sessions.max(held.sessions);
        peak.waiting = peak.waiting.max(held.waiting);
        peak.unanswered = peak.unanswered.max(held.unanswered);
        if held.sessions <= 512 && held.waiting <= 8 && held.unanswered <= 1_024 {
            Ok(())
        } else {
            Err(self.at(&format!("the gateway holds {held:?}")))
        }
    }

    /// Gives the bad SGW new sessions and makes the corpus about them; the old ones end, if they
    /// still are.
    fn renew(&mut self) -> Result<(), String> {
        let mut restart = self
            .gateway
            .header(&Message::EchoRequest { recovery: 0 }, None);
        let recovery = u8::try_from(self.next_sim / SESSIONS % 256).unwrap_or(0);
        restart.teid = None;
        let echo = c::encode(restart, &Message::EchoRequest { recovery });
        // A new restart counter ends every session of the SGW (TS 23.007 §16A).
        self.gateway.send_c(BAD, echo);
        self.gateway.pass(Duration::from_secs(31));
        self.hear();
        let mut corpus = Vec::new();
        for number in 0..SESSIONS {
            let imsi = sim(BAD_SIMS + number)?;
            let tenant = usize::try_from(number).unwrap_or(0) % TENANTS.len();
            let request = self.gateway.request(BAD, imsi, tenant)?;
            self.template(
                &mut corpus,
                Some(0),
                &Message::CreateSessionRequest(request),
            );
            let tunnel = self.gateway.create(BAD, imsi, tenant)?;
            self.about(&mut corpus, &tunnel, recovery);
        }
        for tunnel in &self.users {
            packets(&mut corpus, tunnel);
        }
        self.next_sim += SESSIONS;
        self.corpus = corpus;
        Ok(())
    }

    fn template(&mut self, corpus: &mut Vec<Template>, teid: Option<u32>, message: &Message) {
        let header = self.gateway.header(message, teid);
        corpus.push(Template {
            octets: c::encode(header, message),
            worker: None,
            sgw: BAD,
        });
    }

    /// One of each message about a session.
    fn about(&mut self, corpus: &mut Vec<Template>, tunnel: &Tunnel, recovery: u8) {
        let teid = Some(tunnel.pgw_c.get());
        let end = |interface, teid| FTeid::new(interface, teid, BAD.into());
        let modify = ModifyBearerRequest {
            sender_f_teid: Some(end(Interface::S5S8_SGW_GTPC, tunnel.sgw_c)),
            bearer_contexts: vec![BearerContextToBeModified {
                ebi: Ebi::FIRST,
                s5s8_u_sgw_f_teid: Some(end(Interface::S5S8_SGW_GTPU, tunnel.sgw_u)),
                s1_u_enb_f_teid: None,
            }],
            ..ModifyBearerRequest::default()
        };
        self.template(corpus, teid, &Message::ModifyBearerRequest(modify));
        let delete = DeleteSessionRequest {
            linked_ebi: Some(Ebi::FIRST),
            ..DeleteSessionRequest::default()
        };
        self.template(corpus, teid, &Message::DeleteSessionRequest(delete));
        self.template(corpus, None, &Message::EchoRequest { recovery });
        let error = u::Message::ErrorIndication {
            seq: 0,
            teid: tunnel.sgw_u,
            peer: BAD.into(),
            udp_port: None,
        };
        corpus.push(Template {
            octets: u::encode(&error),
            worker: Some(worker_of(&tunnel.pgw_u)),
            sgw: BAD,
        });
    }
}

/// What goes up a session's tunnel: packets of both families and several shapes, and GTP-U itself.
fn packets(corpus: &mut Vec<Template>, tunnel: &Tunnel) {
    let worker = Some(worker_of(&tunnel.pgw_u));
    let sgw = tunnel.sgw;
    let mut user = |octets| {
        corpus.push(Template {
            octets,
            worker,
            sgw,
        });
    };
    for (own, host) in ends(tunnel) {
        let packet = udp(own, host, 9, &[7; 64]).unwrap_or_default();
        user(gpdu(tunnel.pgw_u.teid, &packet));
        if host.is_ipv6() {
            let mut extended = packet.clone();
            // Destination options, and a fragment header that says that the packet is whole.
            let headers = [44, 0, 1, 4, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 9];
            extended.splice(40..40, headers);
            if let Some([_, length, next]) = extended.get_mut(4..7) {
                (*length, *next) = (length.saturating_add(16), 60);
            }
            user(gpdu(tunnel.pgw_u.teid, &extended));
        }
    }
    user(u::encode(&u::Message::EchoRequest { seq: 1 }));
    // An extension header that nobody here knows.
    let extended = [
        0x34, 0xff, 0, 16, 0, 0, 0, 0, 0, 1, 0, 0x40, 1, 8, 104, 0, 0x60, 0, 0, 0, 0, 0, 59, 64,
    ];
    user(extended.to_vec());
}

/// A session's addresses, each with a host that it may reach.
fn ends(tunnel: &Tunnel) -> impl Iterator<Item = (IpAddr, IpAddr)> {
    let v4 = tunnel.addresses.v4().map(|a| (IpAddr::V4(a), HOST4));
    let v6 = tunnel
        .addresses
        .v6()
        .map(|a| (IpAddr::V6(a.address()), HOST6));
    v4.into_iter().chain(v6)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: no panic, no growth, and others are served. The whole ten million are run by
    /// `heiiki-soak gtp`.
    #[test]
    fn a_hundred_thousand_broken_messages() {
        let flood = flood(1, 100_000, |_| {}).unwrap();
        assert_eq!(flood.good, 100);
        // The flood must reach the procedures and the segment, or it tests the headers alone.
        assert!(flood.answers > 10_000, "{flood}");
        assert!(flood.accepted > 500, "{flood}");
        assert!(flood.passed > 5_000, "{flood}");
    }

    #[test]
    fn the_same_seed_sends_the_same() {
        let run = |seed| flood(seed, 3_000, |_| {}).unwrap();
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }
}
