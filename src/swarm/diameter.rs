//! A flood of broken Diameter messages against an HSS, its Diameter endpoint included.
//!
//! One connection sends mutations of every request and answer that a peer may send; when the HSS
//! hangs up on it, it connects again. Another one asks for a vector now and then, as if nothing
//! were: it must get one. What the HSS holds is counted all the while and must stay within bounds
//! that do not depend on how many messages came.

mod corpus;

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use heiiki_diameter::s6a::AuthenticationInformationAnswer;
use heiiki_diameter::{AnswerResult, CommandCode, Deframer, Message};
use heiiki_hss::{
    Census, Hss, HssConfig, Input, Output, PeerRule, State, SubscribedApn, SubscriberImport, Tokens,
};
use heiiki_types::{
    Ambr, Arp, ConnId, Instant, Key128, Machine as _, Now, PersistSeq, Qci, Rng, StorageInput,
    StorageOutput, StreamInput, StreamOutput, Token, WallTime,
};

use corpus::{air, capabilities, corpus, message};

const HSS: &str = "hss.example";
const GOOD: &str = "mme1.example";
const BAD: &str = "mme2.example";
const REALM: &str = "example";

/// The SIM of the good connection; the mutated messages are about the others.
const GOOD_SIM: &str = "001010000000001";
const OTHER_SIM: &str = "001010000000002";
/// After so many messages the good connection asks.
const ASK_EVERY: u64 = 1_000;
/// How long a message takes.
const PACE: Duration = Duration::from_micros(20);

/// What a flood came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flood {
    /// Broken messages sent; one more in seven was as it should be.
    pub messages: u64,
    /// Of these, how many still were Diameter messages by their frame.
    pub framed: u64,
    /// Answers to them.
    pub answers: u64,
    /// Of these, how many said success.
    pub successes: u64,
    /// How often the HSS hung up.
    pub hang_ups: u64,
    /// Good requests on the other connection; each was answered with a vector.
    pub good: u64,
    /// The most that the HSS held at any time.
    pub peak: Census,
}

impl fmt::Display for Flood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} mutated messages, {} of them framed: {} answers, {} of them success, {} hang-ups; \
             {} good requests answered; at most {:?}",
            self.messages,
            self.framed,
            self.answers,
            self.successes,
            self.hang_ups,
            self.good,
            self.peak
        )
    }
}

struct Bench {
    hss: Hss,
    now: Now,
    conns: u64,
    deframers: BTreeMap<ConnId, Deframer>,
    inbox: VecDeque<(ConnId, Message)>,
    closed: Vec<ConnId>,
}

/// Sends `messages` mutated messages, drawn from `seed`.
///
/// # Errors
/// What did not hold, with the number of the message after which it did not.
///
/// # Panics
/// When the HSS does: the caller shows the seed.
pub fn flood(seed: u64, messages: u64, mut each: impl FnMut(&Flood)) -> Result<Flood, String> {
    let mut rng = Rng::from_seed(seed);
    let mut bench = Bench::new(seed);
    let good = bench.connect(GOOD)?;
    let mut bad = bench.connect(BAD)?;
    let corpus = corpus();
    let mut flood = Flood::default();
    let mut id = 0_u32;
    while flood.messages < messages {
        id = id.wrapping_add(1);
        // One in eight is as it should be: what it changes is what the broken ones then meet.
        let broken = rng.below(8) != 0;
        let octets = message(&corpus, &mut rng, id, broken);
        flood.messages += u64::from(broken);
        flood.framed += u64::from(broken && Message::decode(&octets).is_ok());
        bench.pass(PACE);
        bench.send(bad, octets);
        bench.hear(bad, &mut flood);
        if bench.closed.contains(&bad) {
            flood.hang_ups += 1;
            bad = bench.connect(BAD).map_err(|e| at(&flood, &e))?;
        }
        if broken && flood.messages.is_multiple_of(ASK_EVERY) {
            id = id.wrapping_add(1);
            bench.ask(good, id).map_err(|e| at(&flood, &e))?;
            flood.good += 1;
            bench.count(&mut flood)?;
            each(&flood);
        }
    }
    Ok(flood)
}

fn at(flood: &Flood, what: &str) -> String {
    format!("after {} messages: {what}", flood.messages)
}

impl Bench {
    fn new(seed: u64) -> Self {
        let mut config = HssConfig::new(HSS.into(), REALM.into());
        config.host_ips = vec![[10, 0, 0, 1].into()];
        config.peers = vec![PeerRule {
            origin_host: "mme*.example".into(),
            realm: Some(REALM.into()),
            visited_plmns: "00101".parse().into_iter().collect(),
            ..PeerRule::default()
        }];
        let tokens = Tokens {
            admin: Token::new("flood".into()),
            cut_only: None,
            operate: None,
            provision: None,
            reader: None,
        };
        let mut bench = Self {
            hss: Hss::new(config, Rng::from_seed(seed).fork("hss"), tokens),
            now: Now {
                at: Instant::from_micros(1_000_000),
                wall: WallTime::from_unix_micros(1_780_000_000_000_000),
            },
            conns: 0,
            deframers: BTreeMap::new(),
            inbox: VecDeque::new(),
            closed: Vec::new(),
        };
        let sims = [GOOD_SIM, OTHER_SIM, "001010000000003"];
        let rows: Vec<_> = sims.iter().filter_map(|sim| row(sim)).collect();
        // Nothing is wrong with these rows.
        let _ = bench.hss.import(bench.now, rows);
        bench.hss.start(bench.now);
        bench.drain();
        bench
    }

    fn input(&mut self, input: StreamInput) {
        self.hss.handle_input(self.now, Input::Stream(input));
        self.drain();
    }

    /// Takes what the HSS has to say; its disk is prompt.
    fn drain(&mut self) {
        while let Some(output) = self.hss.poll_output() {
            match output {
                Output::Stream(StreamOutput::Send { conn, octets }) => {
                    let deframer = self.deframers.entry(conn).or_default();
                    deframer.push(&octets);
                    for frame in deframer.by_ref().flatten() {
                        let message = Message::decode(&frame).ok();
                        self.inbox.extend(message.map(|m| (conn, m)));
                    }
                }
                Output::Stream(StreamOutput::Close { conn }) => self.closed.push(conn),
                Output::Storage(StorageOutput::Load) => self.store(StorageInput::Loaded(vec![])),
                Output::Storage(StorageOutput::Persist { seq, .. }) => self.persisted(seq),
                _ => {}
            }
        }
    }

    fn persisted(&mut self, seq: PersistSeq) {
        self.store(StorageInput::Persisted { seq });
    }

    fn store(&mut self, input: StorageInput) {
        self.hss.handle_input(self.now, Input::Storage(input));
    }

    fn pass(&mut self, span: Duration) {
        self.now.at += span;
        self.now.wall = self.now.wall + span;
        while self.hss.poll_timeout().is_some_and(|at| at <= self.now.at) {
            self.hss.handle_timeout(self.now);
            self.drain();
        }
    }

    fn send(&mut self, conn: ConnId, octets: Vec<u8>) {
        self.input(StreamInput::Data { conn, octets });
    }

    /// Opens a connection, and forgets the ones before it that are closed.
    fn connect(&mut self, host: &str) -> Result<ConnId, String> {
        for conn in core::mem::take(&mut self.closed) {
            self.deframers.remove(&conn);
            self.inbox.retain(|(c, _)| *c != conn);
            self.input(StreamInput::Closed { conn });
        }
        self.conns += 1;
        let conn = ConnId::accepted(self.conns);
        let peer = ([10, 0, 0, 7], 40_000).into();
        self.input(StreamInput::Accepted { conn, peer });
        let mut request = capabilities(host).to_request();
        (request.hop_by_hop, request.end_to_end) = (1, 1);
        self.send(conn, request.encode());
        let answer = self.take(conn, CommandCode::CAPABILITIES_EXCHANGE);
        match answer.and_then(|m| m.result()) {
            Some(result) if result.is_success() => Ok(conn),
            other => Err(format!("{host} is not let in: {other:?}")),
        }
    }

    /// The next answer of a command on a connection.
    fn take(&mut self, conn: ConnId, command: CommandCode) -> Option<Message> {
        let wanted =
            |(c, m): &(ConnId, Message)| *c == conn && m.command == command && !m.flags.request;
        let place = self.inbox.iter().position(wanted)?;
        self.inbox.remove(place).map(|(_, message)| message)
    }

    /// Takes what came on the bad connection; watchdogs are answered on both.
    fn hear(&mut self, bad: ConnId, flood: &mut Flood) {
        let (mut watchdogs, mut rest) = (Vec::new(), VecDeque::new());
        for (conn, message) in core::mem::take(&mut self.inbox) {
            if message.flags.request && message.command == CommandCode::DEVICE_WATCHDOG {
                watchdogs.push((conn, message));
            } else if conn == bad {
                flood.answers += u64::from(!message.flags.request);
                let success = message.result() == Some(AnswerResult::SUCCESS);
                flood.successes += u64::from(success && !message.flags.request);
            } else if !message.flags.request {
                rest.push_back((conn, message));
            }
        }
        self.inbox = rest;
        for (conn, request) in watchdogs {
            let host = if conn == bad { BAD } else { GOOD };
            let mut answer = heiiki_diameter::base::DeviceWatchdogAnswer {
                result: AnswerResult::SUCCESS,
                origin_host: host.into(),
                origin_realm: REALM.into(),
                origin_state_id: None,
            }
            .to_message();
            (answer.hop_by_hop, answer.end_to_end) = (request.hop_by_hop, request.end_to_end);
            self.send(conn, answer.encode());
        }
    }

    /// A good request on the good connection: it must get its vector.
    fn ask(&mut self, good: ConnId, id: u32) -> Result<(), String> {
        let mut request = air(GOOD, GOOD_SIM, None)
            .ok_or("the good request cannot be made")?
            .to_message();
        (request.hop_by_hop, request.end_to_end) = (id, id);
        self.send(good, request.encode());
        let answer = self
            .take(good, CommandCode::AUTHENTICATION_INFORMATION)
            .ok_or("a good request was not answered")?;
        let answer = AuthenticationInformationAnswer::from_message(&answer)
            .map_err(|e| format!("a good request was answered with something else: {e}"))?;
        if answer.result != AnswerResult::SUCCESS || answer.vectors.len() != 1 {
            return Err(format!("a good request was answered {}", answer.result));
        }
        Ok(())
    }

    /// Counts what the HSS holds: three SIMs, two peers, and nothing for each message.
    fn count(&mut self, flood: &mut Flood) -> Result<(), String> {
        let census = self.hss.census();
        flood.peak = flood.peak.most(census);
        let bounded = census.subscribers == 3
            && census.connections <= 4
            && census.waiting == 0
            && census.errands <= 16
            && census.nodes <= 16
            && census.outputs == 0;
        if bounded {
            Ok(())
        } else {
            Err(at(flood, &format!("the HSS holds {census:?}")))
        }
    }
}

fn row(imsi: &str) -> Option<SubscriberImport> {
    let ambr = Ambr {
        uplink_bps: 1_000_000,
        downlink_bps: 1_000_000,
    };
    Some(SubscriberImport {
        imsi: imsi.parse().ok()?,
        k: Key128::new([0x46; 16]),
        opc: Key128::new([0xcd; 16]),
        amf: [0, 1],
        sqn: None,
        msisdn: None,
        tenant: "acme".into(),
        group: String::new(),
        apns: vec![SubscribedApn {
            apn: "corp.acme".parse().ok()?,
            pdn: heiiki_hss::PdnKind::V4,
            static_ip: None,
            static_ipv6: None,
            ambr,
            qci: Qci(9),
            arp: Arp {
                priority_level: 8,
                may_preempt: false,
                may_be_preempted: true,
            },
            charging_characteristics: None,
        }],
        ue_ambr: ambr,
        options: heiiki_hss::ProfileOptions::default(),
        state: State::Standby,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: no panic, no growth, and others are served. The whole ten million are run by
    /// `heiiki-soak diameter`.
    #[test]
    fn a_hundred_thousand_broken_messages() {
        let flood = flood(1, 100_000, |_| {}).unwrap();
        assert_eq!(flood.good, 100);
        // The flood must reach the procedures, or it tests the frame alone.
        assert!(flood.framed > 25_000, "{flood}");
        assert!(flood.successes > 3_000, "{flood}");
        assert!(flood.hang_ups > 10, "{flood}");
    }

    #[test]
    fn the_same_seed_sends_the_same() {
        let run = |seed| flood(seed, 3_000, |_| {}).unwrap();
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }
}
