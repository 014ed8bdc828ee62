//! Flows beside TCP: questions that wait for one answer, streams and sinks.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use heiiki_types::Instant;

use super::packet::{echo_request, udp};
use super::{Event, Payload, ProbeOutcome, Sink, Stack, Stream, Transport, Verdict, dns, micros};

/// A DNS query is sent again after this long, as long as it may wait.
const DNS_AGAIN: heiiki_types::Duration = heiiki_types::Duration::from_millis(800);
const DNS_PORT: u16 = 53;
/// What a probe of the DNS port asks for: a name that nobody can have (RFC 6761 §6.4).
const PROBE_NAME: &str = "probe.invalid";
/// What a ping carries; the content does not matter.
const PING: [u8; 32] = *b"abcdefghijklmnopqrstuvwabcdefghi";

/// One flow of a stack.
#[derive(Debug)]
pub(super) enum Flow {
    Question(Question),
    Stream(Box<Stream>),
    Sink(Box<Sink>),
}

/// Something sent that waits for one answer.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) token: u64,
    pub(super) dst: Ipv4Addr,
    pub(super) port: u16,
    pub(super) sent_at: Instant,
    pub(super) deadline: Instant,
    pub(super) body: Body,
}

/// What a question asks.
#[derive(Debug)]
pub(super) enum Body {
    Ping {
        seq: u16,
    },
    Udp {
        /// Of a probe of the DNS port, which is a question of its own.
        question_id: Option<u16>,
    },
    Dns {
        id: u16,
        query: Vec<u8>,
        again: Instant,
    },
}

impl Question {
    /// The event that ends the question with this outcome.
    pub(super) fn event(&self, outcome: ProbeOutcome) -> Event {
        let token = self.token;
        match self.body {
            Body::Ping { .. } => Event::PingDone { token, outcome },
            Body::Udp { .. } => Event::UdpProbeDone { token, outcome },
            Body::Dns { .. } => Event::DnsDone {
                token,
                outcome,
                rcode: None,
                addresses: Vec::new(),
            },
        }
    }

    fn answered(&self, now: Instant) -> ProbeOutcome {
        ProbeOutcome::Answered {
            rtt_us: micros(now.since(self.sent_at)),
        }
    }
}

impl Flow {
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Question(q) => match q.body {
                Body::Dns { again, .. } => Some(again.min(q.deadline)),
                _ => Some(q.deadline),
            },
            Self::Stream(s) => Some(s.deadline()),
            Self::Sink(_) => None,
        }
    }
}

impl Stack {
    pub(super) fn ping(&mut self, now: Instant, token: u64, dst: Ipv4Addr) {
        let seq = self.next_ping;
        self.next_ping = seq.wrapping_add(1);
        let body = Body::Ping { seq };
        if let Some(ident) = self.ask(now, token, (dst, 0), body) {
            let packet = echo_request(self.address, dst, ident, seq, &PING);
            self.queue.uplink.push_back(packet);
        }
    }

    pub(super) fn udp_probe(&mut self, now: Instant, token: u64, dst: (Ipv4Addr, u16)) {
        // On the port of DNS a probe is a question, so that nobody on the way finds it malformed.
        let id = self.next_ping;
        self.next_ping = id.wrapping_add(1);
        let question = (dst.1 == DNS_PORT)
            .then(|| dns::query(id, PROBE_NAME))
            .flatten();
        let question_id = question.as_ref().map(|_| id);
        if let Some(port) = self.ask(now, token, dst, Body::Udp { question_id }) {
            let probe = Payload {
                token,
                seq: 0,
                sent_at: now,
            };
            let payload = question.unwrap_or_else(|| probe.encode(0));
            let packet = udp((self.address, port), dst, &payload);
            self.queue.uplink.push_back(packet);
        }
    }

    pub(super) fn dns_query(
        &mut self,
        now: Instant,
        token: u64,
        name: &str,
        server: Option<Ipv4Addr>,
    ) {
        // The identifier is not a defence here: the port and the address are checked as well.
        let id = self.next_ping;
        self.next_ping = id.wrapping_add(1);
        let server = server.or_else(|| self.dns.first().copied());
        let (Some(server), Some(query)) = (server, dns::query(id, name)) else {
            self.events.push_back(Event::DnsDone {
                token,
                outcome: ProbeOutcome::NotSent,
                rcode: None,
                addresses: Vec::new(),
            });
            return;
        };
        let body = Body::Dns {
            id,
            query: query.clone(),
            again: now + DNS_AGAIN,
        };
        if let Some(port) = self.ask(now, token, (server, DNS_PORT), body) {
            let packet = udp((self.address, port), (server, DNS_PORT), &query);
            self.queue.uplink.push_back(packet);
        }
    }

    fn ask(&mut self, now: Instant, token: u64, dst: (Ipv4Addr, u16), body: Body) -> Option<u16> {
        self.open(Flow::Question(Question {
            token,
            dst: dst.0,
            port: dst.1,
            sent_at: now,
            deadline: now + self.probe_timeout,
            body,
        }))
    }

    /// Takes a datagram for one of the flows; false when none claims it.
    pub(super) fn flow_datagram(
        &mut self,
        now: Instant,
        src: (Ipv4Addr, u16),
        port: u16,
        payload: &[u8],
    ) -> bool {
        let events = &mut self.events;
        let done = match self.flows.get_mut(&port) {
            None => return false,
            Some(Flow::Sink(sink)) => {
                sink.received(now);
                None
            }
            Some(Flow::Stream(stream)) => {
                let probe = Payload::decode(payload)
                    .filter(|p| p.token == stream.token && src == (stream.dst, stream.port));
                let verdict = probe.and_then(|p| stream.answered(now, p.seq));
                if let Some(verdict) = verdict.filter(|_| stream.each) {
                    events.push_back(probe_event(stream.token, verdict));
                }
                None
            }
            Some(Flow::Question(q)) if src != (q.dst, q.port) => None,
            Some(Flow::Question(q)) => question_answer(q, now, payload),
        };
        if let Some(event) = done {
            self.flows.remove(&port);
            self.events.push_back(event);
        }
        true
    }

    pub(super) fn echo_reply(&mut self, now: Instant, src: Ipv4Addr, ident: u16, seq: u16) {
        let Some(Flow::Question(q)) = self.flows.get(&ident) else {
            return;
        };
        if !matches!(q.body, Body::Ping { seq: s } if s == seq) || q.dst != src {
            return;
        }
        let event = q.event(q.answered(now));
        self.flows.remove(&ident);
        self.events.push_back(event);
    }

    /// An ICMP error quotes one of our packets.
    pub(super) fn unreachable(
        &mut self,
        now: Instant,
        from: Ipv4Addr,
        code: u8,
        protocol: Transport,
        dst: Ipv4Addr,
        local: u16,
    ) {
        // Port unreachable (code 3) is the far host's own word.
        let outcome = if code == 3 && from == dst {
            ProbeOutcome::Refused
        } else {
            ProbeOutcome::Prohibited { code, from }
        };
        if protocol == Transport::Tcp {
            return self.tcp_unreachable(now, outcome, dst, local);
        }
        let event = match self.flows.get_mut(&local) {
            Some(Flow::Stream(s)) if s.dst == dst => return s.prohibited(),
            Some(Flow::Question(q)) if q.dst == dst => {
                let is_ping = matches!(q.body, Body::Ping { .. });
                if is_ping != (protocol == Transport::Icmp) {
                    return;
                }
                q.event(outcome)
            }
            _ => return,
        };
        self.flows.remove(&local);
        self.events.push_back(event);
    }

    /// Sends the probes that are due, repeats queries, ends what waited too long.
    pub(super) fn flows_timeout(&mut self, now: Instant) {
        let mut over = Vec::new();
        let own = self.address;
        for (port, flow) in &mut self.flows {
            match flow {
                Flow::Question(q) if q.deadline <= now => over.push(*port),
                Flow::Question(Question {
                    dst,
                    body: Body::Dns { query, again, .. },
                    ..
                }) if *again <= now => {
                    *again = now + DNS_AGAIN;
                    let packet = udp((own, *port), (*dst, DNS_PORT), query);
                    self.queue.uplink.push_back(packet);
                }
                Flow::Stream(stream) => {
                    if let Some(seq) = stream.due(now) {
                        let probe = Payload {
                            token: stream.token,
                            seq,
                            sent_at: now,
                        };
                        let payload = probe.encode(stream.size);
                        let packet = udp((own, *port), (stream.dst, stream.port), &payload);
                        self.queue.uplink.push_back(packet);
                    }
                    while let Some(lost) = stream.expired(now) {
                        if stream.each {
                            self.events.push_back(probe_event(stream.token, lost));
                        }
                    }
                }
                Flow::Question(_) | Flow::Sink(_) => {}
            }
        }
        for port in over {
            if let Some(Flow::Question(q)) = self.flows.remove(&port) {
                self.events.push_back(q.event(ProbeOutcome::TimedOut));
            }
        }
    }
}

/// The event that an answer to a question causes, unless it is not its answer.
fn question_answer(q: &Question, now: Instant, payload: &[u8]) -> Option<Event> {
    match &q.body {
        Body::Ping { .. } => None,
        Body::Udp {
            question_id: Some(id),
        } => payload
            .starts_with(&id.to_be_bytes())
            .then(|| q.event(q.answered(now))),
        Body::Udp { question_id: None } => Payload::decode(payload)
            .filter(|p| p.token == q.token)
            .map(|_| q.event(q.answered(now))),
        Body::Dns { id, .. } => {
            let answer = dns::answer(*id, payload)?;
            Some(Event::DnsDone {
                token: q.token,
                outcome: q.answered(now),
                rcode: Some(answer.rcode),
                addresses: answer.addresses,
            })
        }
    }
}

fn probe_event(token: u64, verdict: Verdict) -> Event {
    let Verdict { seq, sent_at, rtt } = verdict;
    match rtt {
        Some(rtt) => Event::ProbeAnswered {
            token,
            seq,
            sent_at,
            rtt_us: micros(rtt),
        },
        None => Event::ProbeLost {
            token,
            seq,
            sent_at,
        },
    }
}
