//! A whole HSS on a disk that loses power: what it answered holds over all its lives.

use super::*;
use core::time::Duration;
use heiiki_diameter::base::{Capabilities, VendorApplication};
use heiiki_diameter::s6a::{
    AuthenticationInformationAnswer, AuthenticationInformationRequest, RAT_TYPE_EUTRAN,
    RequestedAuthenticationInfo, UpdateLocationAnswer, UpdateLocationRequest, ulr_flags,
};
use heiiki_diameter::{AnswerResult, ApplicationId, CommandCode, Deframer, Message};
use heiiki_hss::auc::milenage::Milenage;
use heiiki_hss::{
    Hss, HssConfig, Input, Output, PeerRule, State, StoreKeys, SubscribedApn, SubscriberImport,
    Tokens,
};
use heiiki_types::{
    Ambr, Arp, CallId, ConnId, Headers, HttpRequest, Imsi, Instant, Key128, Machine as _, Method,
    Now, PersistSeq, Qci, StorageInput, StorageOutput, StreamInput, StreamOutput, Token, WallTime,
};
use std::collections::{BTreeSet, VecDeque};

const SIMS: u32 = 6;
const MME: &str = "mme1.example";

fn imsi(n: u32) -> Imsi {
    format!("00101{n:010}").parse().unwrap()
}

fn key(n: u32) -> Key128 {
    let mut octets = [0x40; 16];
    octets[12..].copy_from_slice(&n.to_be_bytes());
    Key128::new(octets)
}

fn import(n: u32) -> SubscriberImport {
    let ambr = Ambr {
        uplink_bps: 1_000_000,
        downlink_bps: 1_000_000,
    };
    SubscriberImport {
        imsi: imsi(n),
        k: key(n),
        opc: Key128::new([0xcd; 16]),
        amf: [0x80, 0],
        sqn: None,
        msisdn: None,
        tenant: "red".into(),
        group: String::new(),
        apns: vec![SubscribedApn {
            apn: "red.corp".parse().unwrap(),
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
        state: State::Ready,
    }
}

fn machine(seed: u64) -> Hss {
    let mut config = HssConfig::new("hss.example".into(), "example".into());
    config.peers = vec![PeerRule {
        origin_host: MME.into(),
        realm: Some("example".into()),
        addresses: vec!["10.0.0.0/8".parse().unwrap()],
        visited_plmns: vec!["00101".parse().unwrap()],
        ..PeerRule::default()
    }];
    let tokens = Tokens {
        admin: Token::new("admin".into()),
        cut_only: None,
        operate: None,
        provision: None,
        reader: None,
    };
    let keys = StoreKeys::random(&mut Rng::from_seed(5));
    Hss::new(config, Rng::from_seed(seed), tokens).with_store_keys(&keys)
}

/// What was answered, over all lives.
#[derive(Default)]
struct Ledger {
    seen: BTreeMap<u32, (BTreeSet<u64>, BTreeMap<u64, u64>)>,
    vectors: usize,
    /// By SIM: the last order that was answered, and those after it that were not.
    asked: BTreeMap<u32, Vec<(CallId, &'static str)>>,
    orders: usize,
    located: BTreeSet<u32>,
    /// The import was durable in some life.
    imported: bool,
    /// SIMs whose state has been looked at after a start.
    certain: BTreeSet<u32>,
}

impl Ledger {
    fn take(&mut self, n: u32, rand: &[u8; 16], autn: &[u8; 16]) {
        let sim = Milenage::new(&key(n), &Key128::new([0xcd; 16]));
        let (_, _, _, ak) = sim.f2345(rand);
        let [h0, h1, h2, h3, h4, h5, a0, a1, mac @ ..] = *autn;
        let sqn = ak.xor([h0, h1, h2, h3, h4, h5]);
        assert_eq!(mac, sim.f1(rand, sqn, [a0, a1]), "MAC-A");
        let [s0, s1, s2, s3, s4, s5] = sqn;
        let value = u64::from_be_bytes([0, 0, s0, s1, s2, s3, s4, s5]);
        let (seen, last) = self.seen.entry(n).or_default();
        assert!(seen.insert(value), "SIM {n}: SQN {value} twice");
        let before = last.insert(value & 31, value >> 5);
        assert!(before.is_none_or(|b| value >> 5 > b), "SIM {n}: not risen");
        self.vectors += 1;
    }
}

/// One life of an HSS, its store, and the MME and operator that talk to it.
struct Life<'a> {
    hss: Hss,
    store: RedbStore,
    queue: VecDeque<(PersistSeq, Vec<Record>)>,
    now: Now,
    deframer: Deframer,
    ids: u32,
    under_way: BTreeMap<u32, u32>,
    calls: BTreeMap<CallId, u32>,
    /// Answers to calls that are not orders.
    shown: BTreeMap<CallId, (u16, Vec<u8>)>,
    ledger: &'a mut Ledger,
    /// The power is gone.
    dead: bool,
}

const CONN: ConnId = ConnId::accepted(1);

impl Life<'_> {
    fn drain(&mut self) {
        while let Some(output) = self.hss.poll_output() {
            match output {
                Output::Stream(StreamOutput::Send { octets, .. }) => self.received(&octets),
                Output::AdminReply { call, response } => {
                    self.replied(call, response.status, response.body);
                }
                Output::Storage(StorageOutput::Load) => self.load(),
                Output::Storage(StorageOutput::Persist { seq, records }) => {
                    self.queue.push_back((seq, records));
                }
                _ => {}
            }
        }
    }

    fn replied(&mut self, call: CallId, status: u16, body: Vec<u8>) {
        let Some(n) = self.calls.remove(&call) else {
            self.shown.insert(call, (status, body));
            return;
        };
        let asked = self.ledger.asked.entry(n).or_default();
        if status == 200 {
            // What was asked before it is over.
            asked.retain(|(id, _)| *id >= call);
            self.ledger.orders += 1;
        }
        // An order that was refused or superseded may be on the disk all the same.
    }

    fn input(&mut self, input: Input) {
        self.hss.handle_input(self.now, input);
        self.drain();
    }

    fn load(&mut self) {
        let mut parts = Vec::new();
        if self.store.load(&mut |part| parts.push(part)).is_err() {
            self.dead = true;
            return;
        }
        let last = parts.pop().unwrap_or_default();
        // Small parts, whatever the disk hands over.
        let mut rows: Vec<Record> = parts.into_iter().flatten().chain(last).collect();
        while rows.len() > 5 {
            let rest = rows.split_off(5);
            self.input(Input::Storage(StorageInput::Loading(rows)));
            rows = rest;
        }
        self.input(Input::Storage(StorageInput::Loaded(rows)));
    }

    /// The disk gets some batches at once, or loses power on the way.
    fn write(&mut self, most: usize) {
        let group: Vec<_> = (0..most).map_while(|_| self.queue.pop_front()).collect();
        let Some((seq, _)) = group.last().cloned() else {
            return;
        };
        let batches: Vec<_> = group.into_iter().map(|(_, records)| records).collect();
        if self.store.persist(&batches).is_err() {
            self.dead = true;
            return;
        }
        self.input(Input::Storage(StorageInput::Persisted { seq }));
    }

    fn send(&mut self, mut message: Message, sim: Option<u32>) {
        self.ids += 1;
        message.hop_by_hop = self.ids;
        message.end_to_end = self.ids;
        if let Some(n) = sim {
            self.under_way.insert(self.ids, n);
        }
        let octets = message.encode();
        self.input(Input::Stream(StreamInput::Data { conn: CONN, octets }));
    }

    fn received(&mut self, octets: &[u8]) {
        self.deframer.push(octets);
        for octets in self.deframer.by_ref() {
            let message = Message::decode(&octets.unwrap()).unwrap();
            let Some(n) = self.under_way.remove(&message.hop_by_hop) else {
                continue;
            };
            if message.command == CommandCode::UPDATE_LOCATION {
                let answer = UpdateLocationAnswer::from_message(&message).unwrap();
                if answer.result == AnswerResult::SUCCESS {
                    self.ledger.located.insert(n);
                }
            } else {
                let answer = AuthenticationInformationAnswer::from_message(&message).unwrap();
                for vector in &answer.vectors {
                    self.ledger.take(n, &vector.rand, &vector.autn);
                }
            }
        }
    }

    fn connect(&mut self) {
        let peer = "10.0.0.7:40000".parse().unwrap();
        self.input(Input::Stream(StreamInput::Accepted { conn: CONN, peer }));
        let capabilities = Capabilities {
            origin_host: MME.into(),
            origin_realm: "example".into(),
            host_ips: vec!["10.0.0.7".parse().unwrap()],
            vendor_id: 10_415,
            product_name: "test".into(),
            origin_state_id: None,
            supported_vendors: vec![10_415],
            auth_applications: Vec::new(),
            acct_applications: Vec::new(),
            vendor_applications: vec![VendorApplication {
                vendor: Some(10_415),
                auth: Some(ApplicationId::S6A),
                acct: None,
            }],
            inband_security: vec![0],
            firmware_revision: None,
        };
        self.send(capabilities.to_request(), None);
    }

    fn air(&mut self, n: u32, vectors: u32) {
        let request = AuthenticationInformationRequest {
            session_id: format!("{MME};1;{}", self.ids),
            origin_host: MME.into(),
            origin_realm: "example".into(),
            destination_host: None,
            destination_realm: "example".into(),
            imsi: imsi(n),
            visited_plmn: "00101".parse().unwrap(),
            requested_eutran: Some(RequestedAuthenticationInfo {
                vectors,
                immediate_response_preferred: false,
                resync: None,
            }),
            requested_utran: None,
            supported_features: Vec::new(),
            route_record: Vec::new(),
        };
        self.send(request.to_message(), Some(n));
    }

    fn ulr(&mut self, n: u32) {
        let request = UpdateLocationRequest {
            session_id: format!("{MME};2;{}", self.ids),
            origin_host: MME.into(),
            origin_realm: "example".into(),
            destination_host: None,
            destination_realm: "example".into(),
            imsi: imsi(n),
            rat_type: RAT_TYPE_EUTRAN,
            ulr_flags: ulr_flags::S6A | ulr_flags::INITIAL_ATTACH,
            visited_plmn: "00101".parse().unwrap(),
            terminal_information: None,
            software_version: None,
            ue_srvcc_capability: None,
            active_apns: Vec::new(),
            supported_features: Vec::new(),
            route_record: Vec::new(),
        };
        self.send(request.to_message(), Some(n));
    }

    fn call(&mut self, method: Method, target: String, body: &[u8]) -> CallId {
        self.ids += 1;
        let call = CallId(u64::from(self.ids));
        let request = HttpRequest {
            method,
            target,
            bearer: Some(Token::new("admin".into())),
            body: body.to_vec(),
            headers: Headers::default(),
        };
        self.input(Input::Admin { call, request });
        call
    }

    fn order(&mut self, n: u32, verb: &'static str) {
        let call = CallId(u64::from(self.ids) + 1);
        self.calls.insert(call, n);
        self.ledger.asked.entry(n).or_default().push((call, verb));
        let target = format!("/v1/subscribers/{}/{verb}", imsi(n));
        self.call(Method::Post, target, br#"{"reason":"lost","actor":"test"}"#);
    }

    fn work(&mut self, rng: &mut Rng) {
        let n = u32::try_from(rng.below(u64::from(SIMS))).unwrap();
        match rng.below(20) {
            0 => self.order(n, "suspend"),
            1 => self.order(n, "resume"),
            2 | 3 => self.ulr(n),
            4..8 => {
                let most = usize::try_from(1 + rng.below(3)).unwrap();
                self.write(most);
            }
            8 => {
                let step = Duration::from_millis(rng.below(300));
                self.now.at += step;
                self.now.wall = self.now.wall + step;
                self.hss.handle_timeout(self.now);
                self.drain();
            }
            _ => self.air(n, 1 + rng.next_u32() % 5),
        }
    }
}

/// Everything that was answered in the lives before is there.
fn check(life: &mut Life<'_>, context: &str) {
    for n in 0..SIMS {
        let call = life.call(Method::Get, format!("/v1/subscribers/{}", imsi(n)), b"");
        let found = life.shown.remove(&call);
        let (status, body) = found.expect("shown at once");
        if life.ledger.imported {
            assert_eq!(status, 200, "{context}: SIM {n}");
        } else if status != 200 {
            continue;
        }
        let body = String::from_utf8(body).unwrap();
        let is_suspended = body.contains(r#""state":"suspended""#);
        let verb = if is_suspended { "suspend" } else { "resume" };
        let asked = life.ledger.asked.entry(n).or_default();
        // Without any order a SIM is as it was imported.
        let possible = asked.iter().any(|(_, v)| *v == verb) || asked.is_empty() && !is_suspended;
        let never = !is_suspended && !life.ledger.certain.contains(&n);
        assert!(possible || never, "{context}: SIM {n}: {asked:?}, {body}");
        *asked = vec![(CallId(0), verb)];
        life.ledger.certain.insert(n);
        if !is_suspended && life.ledger.located.contains(&n) {
            assert!(body.contains(MME), "{context}: SIM {n} was located: {body}");
        }
    }
}

fn start<'a>(disk: &Arc<TornDisk>, ledger: &'a mut Ledger, seed: u64) -> Option<Life<'a>> {
    let store = RedbStore::open_on(disk.clone()).ok()?;
    let mut life = Life {
        hss: machine(seed),
        store,
        queue: VecDeque::new(),
        now: Now {
            at: Instant::from_micros(1_000_000),
            wall: WallTime::from_unix_micros(1_780_000_000_000_000),
        },
        deframer: Deframer::default(),
        ids: 0,
        under_way: BTreeMap::new(),
        calls: BTreeMap::new(),
        shown: BTreeMap::new(),
        ledger,
        dead: false,
    };
    let rows = (0..SIMS).map(import).collect();
    life.hss.import(life.now, rows).unwrap();
    life.hss.start(life.now);
    life.drain();
    Some(life)
}

/// One disk, and one HSS after another on it.
fn lives(seed: u64, crashes: u64) -> Ledger {
    let mut rng = Rng::from_seed(seed);
    let empty = TornDisk::new(Vec::new(), u64::MAX);
    RedbStore::make_on(empty.clone()).unwrap();
    let mut octets = empty.0.lock().unwrap().now.clone();
    let mut ledger = Ledger::default();
    for number in 0..crashes {
        let context = format!("seed {seed}, life {number}");
        let disk = TornDisk::new(octets, 30 + rng.below(900));
        if let Some(mut life) = start(&disk, &mut ledger, rng.next_u64()) {
            while !life.dead && !life.queue.is_empty() {
                life.write(1);
            }
            if !life.dead {
                assert!(life.hss.is_serving(), "{context}");
                check(&mut life, &context);
                life.ledger.imported = true;
                life.connect();
            }
            let mut steps = 0;
            while !life.dead && steps < 5_000 {
                life.work(&mut rng);
                steps += 1;
            }
        }
        octets = disk.after_power_loss(&mut rng);
    }
    ledger
}

#[test]
fn an_hss_keeps_its_word_over_power_losses_at_any_point() {
    let (mut vectors, mut orders, mut located) = (0, 0, 0);
    for seed in 0..4 {
        let ledger = lives(seed, 8);
        vectors += ledger.vectors;
        orders += ledger.orders;
        located += ledger.located.len();
    }
    assert!(
        vectors > 500 && orders > 10 && located > 4,
        "{vectors} {orders} {located}"
    );
}

#[test]
#[ignore = "takes minutes"]
fn an_hss_keeps_its_word_over_power_losses_for_long() {
    for seed in 10_000..10_500 {
        lives(seed, 20);
    }
}
