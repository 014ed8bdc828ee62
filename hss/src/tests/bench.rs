//! An HSS on a bench: scripted MMEs, a disk, gateways and an operator.

use alloc::collections::{BTreeMap, VecDeque};
use core::net::SocketAddr;
use core::time::Duration;

use heiiki_diameter::base::{Capabilities, VendorApplication};
use heiiki_diameter::s6a::{
    AuthenticationInformationAnswer, AuthenticationInformationRequest, CancelLocationAnswer,
    CancelLocationRequest, PurgeUeAnswer, PurgeUeRequest, RAT_TYPE_EUTRAN,
    RequestedAuthenticationInfo, UpdateLocationAnswer, UpdateLocationRequest, ulr_flags,
};
use heiiki_diameter::{AnswerResult, ApplicationId, Certificate, CommandCode, Deframer, Message};
use heiiki_types::{
    Ambr, Arp, CallId, ConnId, HttpRequest, HttpResponse, Imsi, Instant, Key128, Machine, Method,
    Now, PersistSeq, PlmnId, Qci, Record, Rng, StorageInput, StorageOutput, StreamInput,
    StreamOutput, Token, WallTime,
};
use serde_json::{Value, json};

use super::fake::Fake;
use crate::auc::milenage::Milenage;
use crate::auc::sqn::Sqn;
use crate::{
    CarryRule, Event, Gateway, Hss, HssConfig, Input, Output, PeerRule, State, SubscribedApn,
    SubscriberImport, Tokens,
};

pub(super) const MME1: &str = "mme1.example";
pub(super) const MME2: &str = "mme2.example";
pub(super) const DRA: &str = "dra.example";
pub(super) const REALM: &str = "example";
pub(super) const HSS: &str = "hss.example";
pub(super) const BOOT: &str = "boot-1";

pub(super) fn imsi(n: u32) -> Imsi {
    format!("00101{n:010}").parse().unwrap()
}

pub(super) fn plmn() -> PlmnId {
    "00101".parse().unwrap()
}

pub(super) fn k(n: u32) -> Key128 {
    let mut octets = [0x40; 16];
    octets[12..].copy_from_slice(&n.to_be_bytes());
    Key128::new(octets)
}

pub(super) fn opc() -> Key128 {
    Key128::new([0xcd; 16])
}

pub(super) fn sim(n: u32) -> Milenage {
    Milenage::new(&k(n), &opc())
}

pub(super) fn row(n: u32) -> SubscriberImport {
    let ambr = Ambr {
        uplink_bps: 50_000_000,
        downlink_bps: 100_000_000,
    };
    SubscriberImport {
        imsi: imsi(n),
        k: k(n),
        opc: opc(),
        amf: [0, 1],
        sqn: None,
        msisdn: Some("819012345678".parse().unwrap()),
        tenant: "acme".into(),
        group: String::new(),
        apns: vec![SubscribedApn {
            apn: "corp.acme".parse().unwrap(),
            pdn: crate::subscriber::PdnKind::V4,
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
        options: crate::subscriber::ProfileOptions::default(),
        state: State::Standby,
    }
}

pub(super) fn config() -> HssConfig {
    let rule = |host: &str| PeerRule {
        origin_host: host.into(),
        realm: Some(REALM.into()),
        addresses: vec!["10.0.0.0/8".parse().unwrap()],
        visited_plmns: vec![plmn()],
        ..PeerRule::default()
    };
    let mut agent = rule(DRA);
    agent.visited_plmns.clear();
    agent.carries = vec![CarryRule {
        origin_host: "mme*.visited.example".into(),
        realm: Some("visited.example".into()),
        visited_plmns: vec!["00102".parse().unwrap()],
        rate: None,
    }];
    let gateway = |name: &str| Gateway {
        name: name.into(),
        apns: vec!["corp.acme".parse().unwrap()],
        token: Some(Token::new(format!("cut at {name}"))),
    };
    let mut config = HssConfig::new(HSS.into(), REALM.into());
    config.host_ips = vec!["10.0.0.1".parse().unwrap()];
    config.peers = vec![rule("mme*.example"), agent];
    config.gateways = vec![gateway("pgw1"), gateway("pgw2")];
    config.boot = BOOT.into();
    config
}

/// What a crash leaves: rows that were synced. What was not is a queue.
#[derive(Default)]
pub(super) struct Disk {
    pub(super) rows: BTreeMap<(u8, Vec<u8>), Vec<u8>>,
    pub(super) queue: VecDeque<(PersistSeq, Vec<Record>)>,
    /// Completions wait until [`Bench::sync`].
    pub(super) slow: bool,
    pub(super) batches: usize,
}

impl Disk {
    fn apply(&mut self, records: Vec<Record>) {
        for record in records {
            let key = (record.table, record.key);
            match record.value {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
    }

    pub(super) fn loaded(&self) -> Vec<Record> {
        self.rows
            .iter()
            .map(|((table, key), value)| Record {
                table: *table,
                key: key.clone(),
                value: Some(value.clone()),
            })
            .collect()
    }
}

/// How the gateways behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gateways {
    /// Calls pile up in [`Bench::calls`].
    Silent,
    /// Every call is answered at once.
    Prompt,
}

pub(super) struct Bench {
    pub(super) hss: Hss,
    pub(super) now: Now,
    pub(super) disk: Disk,
    pub(super) gateways: Gateways,
    pub(super) events: Vec<Event>,
    pub(super) replies: BTreeMap<CallId, HttpResponse>,
    pub(super) calls: VecDeque<(CallId, String, HttpRequest)>,
    /// Gateways that keep their orders. The others answer every order, and no question.
    pub(super) fakes: BTreeMap<String, Fake>,
    /// Questions to gateways.
    pub(super) asked: VecDeque<(CallId, String, HttpRequest)>,
    /// Gateways are somewhere else: whoever runs the bench answers calls and questions.
    pub(super) outside: bool,
    /// Messages of the HSS by connection, oldest first.
    pub(super) inbox: BTreeMap<ConnId, VecDeque<Message>>,
    /// Everything but events, in order, for tests of order.
    pub(super) trace: Vec<&'static str>,
    pub(super) closed: Vec<ConnId>,
    /// What is asked of a store that is shared.
    pub(super) asks: VecDeque<Output>,
    /// What the next connection shows: it comes over TLS.
    pub(super) next_certificate: Option<Certificate>,
    deframers: BTreeMap<ConnId, Deframer>,
    names: BTreeMap<ConnId, (String, String)>,
    last_conn: u64,
    last_call: u64,
    last_id: u32,
}

impl Bench {
    /// An HSS with SIMs 1 to 3, at work.
    pub(super) fn new() -> Self {
        Self::with(config(), vec![row(1), row(2), row(3)])
    }

    pub(super) fn with(config: HssConfig, rows: Vec<SubscriberImport>) -> Self {
        let mut bench = Self::unstarted(config);
        bench.hss.import(bench.now, rows).unwrap();
        bench.hss.start(bench.now);
        bench.drain();
        assert!(bench.hss.is_serving());
        bench
    }

    pub(super) fn unstarted(config: HssConfig) -> Self {
        Self {
            hss: Self::machine(config, 1),
            now: Now {
                at: Instant::from_micros(1_000_000),
                wall: WallTime::from_unix_micros(1_780_000_000_000_000),
            },
            disk: Disk::default(),
            gateways: Gateways::Prompt,
            events: Vec::new(),
            replies: BTreeMap::new(),
            calls: VecDeque::new(),
            fakes: BTreeMap::new(),
            asked: VecDeque::new(),
            outside: false,
            inbox: BTreeMap::new(),
            trace: Vec::new(),
            closed: Vec::new(),
            asks: VecDeque::new(),
            next_certificate: None,
            deframers: BTreeMap::new(),
            names: BTreeMap::new(),
            last_conn: 0,
            last_call: 0,
            last_id: 0,
        }
    }

    fn machine(config: HssConfig, seed: u64) -> Hss {
        let tokens = Tokens {
            admin: Token::new("admin".into()),
            cut_only: Some(Token::new("cutter".into())),
            operate: Some(Token::new("operator".into())),
            provision: Some(Token::new("provisioner".into())),
            reader: Some(Token::new("reader".into())),
        };
        Hss::new(config, Rng::from_seed(seed), tokens).with_store_keys(&store_keys())
    }

    /// The process ends without a word; what was not synced is lost. A new one starts.
    pub(super) fn crash(&mut self) {
        let config = self.hss.config.clone();
        self.crash_into(config);
    }

    pub(super) fn crash_into(&mut self, config: HssConfig) {
        self.start_again(config, |hss| hss);
    }

    /// A crash, and a start of a machine that `change` has its say on.
    pub(super) fn restart_with(&mut self, change: impl FnOnce(Hss) -> Hss) {
        let config = self.hss.config.clone();
        self.start_again(config, change);
    }

    fn start_again(&mut self, config: HssConfig, change: impl FnOnce(Hss) -> Hss) {
        self.disk.queue.clear();
        self.inbox.clear();
        self.deframers.clear();
        self.names.clear();
        self.calls.clear();
        self.asked.clear();
        self.replies.clear();
        let seed = self.now.at.as_micros();
        self.hss = change(Self::machine(config, seed));
        self.hss.start(self.now);
        self.drain();
    }

    pub(super) fn input(&mut self, input: Input) {
        self.hss.handle_input(self.now, input);
        self.drain();
    }

    /// Everything queued becomes durable, and the HSS is told.
    pub(super) fn sync(&mut self) {
        while self.sync_one() {}
    }

    /// The oldest batch in the queue becomes durable, and the HSS is told; false when there is none.
    pub(super) fn sync_one(&mut self) -> bool {
        let Some((seq, records)) = self.disk.queue.pop_front() else {
            return false;
        };
        self.disk.apply(records);
        let persisted = StorageInput::Persisted { seq };
        self.hss.handle_input(self.now, Input::Storage(persisted));
        self.take_outputs();
        true
    }

    pub(super) fn fail_disk(&mut self) {
        self.disk.queue.clear();
        self.input(Input::Storage(StorageInput::Failed));
    }

    pub(super) fn advance(&mut self, by: Duration) {
        let end = self.now.at + by;
        while let Some(at) = self.hss.poll_timeout().filter(|at| *at <= end) {
            let step = at.max(self.now.at).since(self.now.at);
            self.now.at += step;
            self.now.wall = self.now.wall + step;
            self.hss.handle_timeout(self.now);
            self.drain();
        }
        let rest = end.since(self.now.at);
        self.now.at = end;
        self.now.wall = self.now.wall + rest;
    }

    /// Runs until nobody has anything to do at this time.
    pub(super) fn drain(&mut self) {
        loop {
            self.take_outputs();
            let syncing = !self.disk.slow && !self.disk.queue.is_empty();
            let answering = self.gateways == Gateways::Prompt && !self.calls.is_empty();
            let answering = answering && !self.outside;
            if syncing {
                self.sync();
            } else if !self.asked.is_empty() && !self.outside {
                self.answer_questions();
            } else if answering {
                self.answer_gateways();
            } else {
                return;
            }
        }
    }

    fn take_outputs(&mut self) {
        while let Some(output) = self.hss.poll_output() {
            match output {
                Output::Stream(StreamOutput::Send { conn, octets }) => {
                    let deframer = self.deframers.entry(conn).or_default();
                    deframer.push(&octets);
                    for message in deframer.by_ref() {
                        let message = Message::decode(&message.unwrap()).unwrap();
                        let is_clr = message.command == CommandCode::CANCEL_LOCATION;
                        self.trace.push(if is_clr { "clr" } else { "diameter" });
                        self.inbox.entry(conn).or_default().push_back(message);
                    }
                }
                Output::Stream(StreamOutput::Close { conn }) => self.closed.push(conn),
                Output::Stream(StreamOutput::Connect { .. }) => {
                    panic!("the HSS connects to nobody")
                }
                Output::AdminReply { call, response } => {
                    self.trace.push("reply");
                    assert!(self.replies.insert(call, response).is_none());
                }
                Output::GatewayCall {
                    call,
                    gateway,
                    request,
                } => {
                    if request.method == Method::Get {
                        self.asked.push_back((call, gateway, request));
                        continue;
                    }
                    self.trace.push("gateway");
                    self.calls.push_back((call, gateway, request));
                }
                Output::Storage(StorageOutput::Load) if !self.hss.config.shared => {
                    let loaded = StorageInput::Loaded(self.disk.loaded());
                    self.hss.handle_input(self.now, Input::Storage(loaded));
                }
                Output::Storage(StorageOutput::Persist { seq, records })
                    if !self.hss.config.shared =>
                {
                    self.trace.push("persist");
                    self.disk.batches += 1;
                    self.disk.queue.push_back((seq, records));
                }
                output @ (Output::Storage(_) | Output::Shared(_)) => self.asks.push_back(output),
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    pub(super) fn answer_gateways(&mut self) {
        while let Some((call, name, request)) = self.calls.pop_front() {
            let at = self.now.at.as_micros();
            let result = Ok(match self.fakes.get_mut(&name) {
                Some(fake) => fake.answer(at, &request),
                None => self.gateway_answer(&request),
            });
            self.hss
                .handle_input(self.now, Input::GatewayReply { call, result });
            self.take_outputs();
        }
    }

    fn answer_questions(&mut self) {
        while let Some((call, name, request)) = self.asked.pop_front() {
            let at = self.now.at.as_micros();
            let result = match self.fakes.get_mut(&name) {
                Some(fake) => Ok(fake.answer(at, &request)),
                None => Ok(HttpResponse::new(404, b"{}".to_vec())),
            };
            self.hss
                .handle_input(self.now, Input::GatewayReply { call, result });
            self.take_outputs();
        }
    }

    /// What a well-behaved gateway answers: the bar after 100 us, the last worker after 300 us.
    pub(super) fn gateway_answer(&self, request: &HttpRequest) -> HttpResponse {
        let now = self.now.at.as_micros();
        let body = if request.target == "/v1/bars" {
            json!({"sessions": 1, "t4": now + 100, "t5_uplink": now + 200, "t5_downlink": now + 300,
                "boot": BOOT, "packets_after_t0": 2, "purged": 1, "cut": "x", "more": [1]})
        } else {
            json!({"sessions": 0, "boot": BOOT})
        };
        HttpResponse {
            status: 200,
            body: serde_json::to_vec(&body).unwrap(),
            headers: heiiki_types::Headers::default(),
        }
    }

    // --- the operator ---

    pub(super) fn http(
        &mut self,
        method: Method,
        target: &str,
        token: Option<&str>,
        body: &[u8],
    ) -> CallId {
        self.last_call += 1;
        let call = CallId(self.last_call);
        let request = HttpRequest {
            method,
            target: target.into(),
            bearer: token.map(|t| Token::new(t.into())),
            body: body.to_vec(),
            headers: heiiki_types::Headers::default(),
        };
        self.input(Input::Admin { call, request });
        call
    }

    /// A whole call, and its answer.
    pub(super) fn exchange(&mut self, request: HttpRequest) -> HttpResponse {
        self.last_call += 1;
        let call = CallId(self.last_call);
        self.input(Input::Admin { call, request });
        self.replies.get(&call).expect("an answer").clone()
    }

    pub(super) fn get(&mut self, target: &str) -> Value {
        let call = self.http(Method::Get, target, Some("reader"), b"");
        let (status, value) = self.reply(call).unwrap();
        assert_eq!(status, 200, "{value}");
        value
    }

    /// Status and body of a reply, if it is there.
    pub(super) fn reply(&self, call: CallId) -> Option<(u16, Value)> {
        let response = self.replies.get(&call)?;
        let value = serde_json::from_slice(&response.body).unwrap();
        Some((response.status, value))
    }

    pub(super) fn verb(&mut self, n: u32, verb: &str) -> CallId {
        let body = br#"{"reason":"lost on a train","actor":"night shift"}"#;
        let target = format!("/v1/subscribers/{}/{verb}", imsi(n));
        self.http(Method::Post, &target, Some("admin"), body)
    }

    /// An order that is answered at once: its certificate.
    pub(super) fn order(&mut self, n: u32, verb: &str) -> Value {
        let call = self.verb(n, verb);
        let (status, value) = self.reply(call).expect("the order is answered at once");
        assert_eq!(status, 200, "{value}");
        value
    }

    // --- the MMEs ---

    pub(super) fn connect(&mut self, host: &str) -> ConnId {
        self.connect_from(host, REALM, "10.0.0.7:40000")
    }

    pub(super) fn connect_from(&mut self, host: &str, realm: &str, address: &str) -> ConnId {
        let (conn, answer) = self.try_connect(host, realm, address);
        let answer = answer.expect("the HSS answers");
        assert_eq!(answer.command, CommandCode::CAPABILITIES_EXCHANGE);
        assert_eq!(answer.result(), Some(AnswerResult::SUCCESS));
        conn
    }

    /// Connects, and tells what the HSS answered to the capabilities exchange.
    pub(super) fn try_connect(
        &mut self,
        host: &str,
        realm: &str,
        address: &str,
    ) -> (ConnId, Option<Message>) {
        self.last_conn += 1;
        let conn = ConnId::accepted(self.last_conn);
        self.names.insert(conn, (host.into(), realm.into()));
        let peer: SocketAddr = address.parse().unwrap();
        self.input(Input::Stream(StreamInput::Accepted { conn, peer }));
        if let Some(certificate) = self.next_certificate.take() {
            self.input(Input::Certificate { conn, certificate });
        }
        let capabilities = Capabilities {
            origin_host: host.into(),
            origin_realm: realm.into(),
            host_ips: vec![peer.ip()],
            vendor_id: 10_415,
            product_name: "bench".into(),
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
        self.send(conn, capabilities.to_request());
        (conn, self.try_receive(conn))
    }

    pub(super) fn hang_up(&mut self, conn: ConnId) {
        self.input(Input::Stream(StreamInput::Closed { conn }));
    }

    /// Sends a message of an MME. Tells the end-to-end identifier.
    pub(super) fn send(&mut self, conn: ConnId, mut message: Message) -> u32 {
        if message.flags.request {
            self.last_id += 1;
            message.hop_by_hop = self.last_id;
            message.end_to_end = self.last_id;
        }
        let id = message.end_to_end;
        let octets = message.encode();
        self.input(Input::Stream(StreamInput::Data { conn, octets }));
        id
    }

    pub(super) fn try_receive(&mut self, conn: ConnId) -> Option<Message> {
        self.inbox.get_mut(&conn)?.pop_front()
    }

    pub(super) fn receive(&mut self, conn: ConnId) -> Message {
        self.try_receive(conn).expect("the HSS said something")
    }

    fn name(&self, conn: ConnId) -> (String, String) {
        self.names.get(&conn).cloned().unwrap()
    }

    pub(super) fn air(&self, conn: ConnId, n: u32) -> AuthenticationInformationRequest {
        let (origin_host, origin_realm) = self.name(conn);
        AuthenticationInformationRequest {
            session_id: format!("{origin_host};1;{}", self.last_id),
            origin_host,
            origin_realm,
            destination_host: None,
            destination_realm: REALM.into(),
            imsi: imsi(n),
            visited_plmn: plmn(),
            requested_eutran: Some(RequestedAuthenticationInfo {
                vectors: 1,
                immediate_response_preferred: true,
                resync: None,
            }),
            requested_utran: None,
            supported_features: Vec::new(),
            route_record: Vec::new(),
        }
    }

    pub(super) fn ask_vectors(
        &mut self,
        conn: ConnId,
        request: &AuthenticationInformationRequest,
    ) -> AuthenticationInformationAnswer {
        let id = self.send(conn, request.to_message());
        let message = self.receive(conn);
        assert_eq!(message.end_to_end, id);
        let answer = AuthenticationInformationAnswer::from_message(&message).unwrap();
        assert_eq!(answer.session_id, request.session_id);
        assert_eq!(answer.origin_host, HSS);
        answer
    }

    /// One vector's SQN, opened as the USIM would: MAC-A, separation bit and response checked.
    pub(super) fn one_sqn(&mut self, conn: ConnId, n: u32) -> Sqn {
        let request = self.air(conn, n);
        let answer = self.ask_vectors(conn, &request);
        assert_eq!(answer.result, AnswerResult::SUCCESS);
        open_vector(n, &answer.vectors[0])
    }

    pub(super) fn ulr(&self, conn: ConnId, n: u32) -> UpdateLocationRequest {
        let (origin_host, origin_realm) = self.name(conn);
        UpdateLocationRequest {
            session_id: format!("{origin_host};2;{}", self.last_id),
            origin_host,
            origin_realm,
            destination_host: Some(HSS.into()),
            destination_realm: REALM.into(),
            imsi: imsi(n),
            rat_type: RAT_TYPE_EUTRAN,
            ulr_flags: ulr_flags::S6A | ulr_flags::INITIAL_ATTACH,
            visited_plmn: plmn(),
            terminal_information: None,
            software_version: None,
            ue_srvcc_capability: None,
            active_apns: Vec::new(),
            supported_features: Vec::new(),
            route_record: Vec::new(),
        }
    }

    pub(super) fn update(&mut self, conn: ConnId, n: u32) -> UpdateLocationAnswer {
        let request = self.ulr(conn, n);
        self.send(conn, request.to_message());
        UpdateLocationAnswer::from_message(&self.receive(conn)).unwrap()
    }

    /// A SIM registers and is served.
    pub(super) fn attach(&mut self, conn: ConnId, n: u32) {
        let answer = self.update(conn, n);
        assert_eq!(answer.result, AnswerResult::SUCCESS);
    }

    pub(super) fn purge(&mut self, conn: ConnId, n: u32) -> PurgeUeAnswer {
        let (origin_host, origin_realm) = self.name(conn);
        let request = PurgeUeRequest {
            session_id: format!("{origin_host};3;{}", self.last_id),
            origin_host,
            origin_realm,
            destination_host: None,
            destination_realm: REALM.into(),
            imsi: imsi(n),
            pur_flags: None,
            supported_features: Vec::new(),
            route_record: Vec::new(),
        };
        self.send(conn, request.to_message());
        PurgeUeAnswer::from_message(&self.receive(conn)).unwrap()
    }

    /// The cancellation that the HSS sends next on a connection.
    pub(super) fn expect_clr(&mut self, conn: ConnId) -> (CancelLocationRequest, Message) {
        let message = self.receive(conn);
        let request = CancelLocationRequest::from_message(&message).unwrap();
        assert_eq!(
            (request.origin_host.as_str(), message.flags.request),
            (HSS, true)
        );
        (request, message)
    }

    pub(super) fn answer_clr(&mut self, conn: ConnId, request: &Message, result: AnswerResult) {
        let (origin_host, origin_realm) = self.name(conn);
        let answer = CancelLocationAnswer {
            session_id: request.session_id().unwrap().into(),
            result,
            origin_host,
            origin_realm,
            failed_avp: Vec::new(),
        };
        let mut message = answer.to_message();
        message.hop_by_hop = request.hop_by_hop;
        message.end_to_end = request.end_to_end;
        self.send(conn, message);
    }

    pub(super) fn state_of(&mut self, n: u32) -> String {
        let shown = self.get(&format!("/v1/subscribers/{}", imsi(n)));
        shown["state"].as_str().unwrap().into()
    }
}

/// What the USIM checks, and the SQN that it then sees.
pub(super) fn open_vector(n: u32, vector: &heiiki_diameter::s6a::EutranVector) -> Sqn {
    let sim = sim(n);
    let (res, _, _, ak) = sim.f2345(&vector.rand);
    let [h0, h1, h2, h3, h4, h5, amf @ ..] = vector.autn;
    let sqn = ak.xor([h0, h1, h2, h3, h4, h5]);
    let [a0, a1, mac @ ..] = amf;
    assert_eq!(a0 & 0x80, 0x80, "the separation bit");
    assert_eq!(mac, sim.f1(&vector.rand, sqn, [a0, a1]), "MAC-A");
    assert!(vector.xres.matches(res.expose()), "XRES");
    Sqn::from_octets(sqn)
}

/// The master key of every bench: it stays the same over restarts.
pub(super) fn store_keys() -> crate::StoreKeys {
    crate::StoreKeys::random(&mut Rng::from_seed(77))
}
