//! A gateway in a room of its own: SGWs, a disk, segments and an operator, all played by the test.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use heiiki_gtp::c::{
    self, BearerContextToBeCreated, BearerQos, Cause, CreateSessionRequest, DeleteSessionRequest,
    FTeid, Header, Interface, Message, MessageType, Paa, PdnType,
};
use heiiki_gtp::u;
use heiiki_types::{
    Arp, CallId, Datagram, Duration, Ebi, HttpRequest, HttpResponse, Imsi, Instant, Machine,
    Method, Now, PersistSeq, Qci, Record, Rng, StorageInput, StorageOutput, Teid, Token, WallTime,
};
use serde_json::Value;

use crate::config::{ApnConfig, HostConfig, PgwConfig, Service, TenantConfig, Tokens};
use crate::sgi::{self, Segment};
use crate::{AccessId, Event, Input, Output, Pgw, TenantId};

pub(crate) const RED: TenantId = TenantId(0);
pub(crate) const BLUE: TenantId = TenantId(1);
pub(crate) const S5C: &str = "192.0.2.1:2123";
pub(crate) const SGW: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
pub(crate) const OTHER_SGW: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
pub(crate) const STRANGER: Ipv4Addr = Ipv4Addr::new(198, 51, 101, 9);
pub(crate) const INTRANET: Ipv4Addr = Ipv4Addr::new(10, 20, 255, 10);

pub(crate) fn imsi(n: u32) -> Imsi {
    alloc::format!("00101{n:010}").parse().unwrap()
}

pub(crate) fn config() -> PgwConfig {
    let tokens = Tokens {
        admin: Token::new("admin".into()),
        operate: Token::new("operate".into()),
        cut_only: Token::new("cut".into()),
    };
    let workers = ["192.0.2.11:2152", "192.0.2.12:2152"].map(|a| a.parse().unwrap());
    let mut config = PgwConfig::new("pgw-1", S5C.parse().unwrap(), &workers, tokens);
    config.boot_id = "boot-1".into();
    config.sgws = alloc::vec!["198.51.100.0/24".parse().unwrap()];
    config.infrastructure = alloc::vec!["172.31.0.0/16".parse().unwrap()];
    for name in ["red", "blue"] {
        // Both tenants have the same range, hosts and pool.
        let prefix = "10.20.0.0/16".parse().unwrap();
        let mut tenant = TenantConfig::new(name, &alloc::format!("{name}.example"), prefix);
        tenant.hosts.push(HostConfig {
            name: "intranet".into(),
            address: INTRANET.into(),
            services: alloc::vec![Service::Http, Service::Dns, Service::Echo],
        });
        config.tenants.push(tenant);
        let apn = alloc::format!("{name}.corp").parse().unwrap();
        let mut apn = ApnConfig::new(apn, name, "10.20.0.0/24".parse().unwrap());
        apn.dns.push(INTRANET);
        config.apns.push(apn);
    }
    // Only blue declares this one.
    config.tenants[1]
        .prefixes
        .push(crate::config::DeclaredPrefix::from(
            "10.99.0.0/16".parse::<heiiki_types::Prefix>().unwrap(),
        ));
    config
}

/// A session as its SGW sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tunnel {
    pub(crate) sgw: Ipv4Addr,
    pub(crate) address: Ipv4Addr,
    pub(crate) paa: Paa,
    pub(crate) pgw_c: Teid,
    pub(crate) pgw_u: FTeid,
    pub(crate) sgw_c: Teid,
    pub(crate) sgw_u: Teid,
    pub(crate) charging_id: u32,
    pub(crate) cause: Cause,
    pub(crate) recovery: u8,
}

impl Tunnel {
    pub(crate) fn worker(&self) -> usize {
        match self.pgw_u.address.ip() {
            IpAddr::V4(a) if a.octets()[3] == 11 => 0,
            _ => 1,
        }
    }
}

pub(crate) struct Bed {
    pub(crate) pgw: Pgw,
    pub(crate) now: Now,
    config: PgwConfig,
    pub(crate) disk: BTreeMap<(u8, Vec<u8>), Vec<u8>>,
    pub(crate) unsynced: Vec<(PersistSeq, Vec<Record>)>,
    pub(crate) sync: bool,
    pub(crate) segments: Vec<Segment>,
    pub(crate) with_segments: bool,
    pub(crate) events: Vec<Event>,
    pub(crate) s5c: Vec<Datagram>,
    pub(crate) s5u: Vec<Datagram>,
    pub(crate) sgi: Vec<(TenantId, Vec<u8>)>,
    pub(crate) sentinel: Vec<(AccessId, Vec<u8>)>,
    pub(crate) replies: BTreeMap<u64, HttpResponse>,
    sequence: u32,
    next_teid: u32,
    next_call: u64,
    pub(crate) seed: u64,
}

fn now(ms: u64) -> Now {
    Now {
        at: Instant::from_micros(ms * 1000),
        wall: WallTime::from_unix_micros(1_780_000_000_000_000 + ms * 1000),
    }
}

impl Bed {
    pub(crate) fn new(config: PgwConfig) -> Self {
        Self::with_disk(config, BTreeMap::new(), now(1_000))
    }

    pub(crate) fn with_disk(
        config: PgwConfig,
        disk: BTreeMap<(u8, Vec<u8>), Vec<u8>>,
        at: Now,
    ) -> Self {
        Self::seeded(config, disk, at, 1)
    }

    fn seeded(
        config: PgwConfig,
        disk: BTreeMap<(u8, Vec<u8>), Vec<u8>>,
        at: Now,
        seed: u64,
    ) -> Self {
        let pgw = Pgw::new(config.clone(), Rng::from_seed(seed)).unwrap();
        let workers = 0..config.workers.len();
        let segments = workers
            .map(|n| Segment::new(&config, n, Rng::from_seed(n as u64)))
            .collect();
        let mut bed = Self {
            pgw,
            now: at,
            config,
            disk,
            unsynced: Vec::new(),
            sync: true,
            segments,
            with_segments: false,
            events: Vec::new(),
            s5c: Vec::new(),
            s5u: Vec::new(),
            sgi: Vec::new(),
            sentinel: Vec::new(),
            replies: BTreeMap::new(),
            sequence: 0x100,
            next_teid: 0x1000,
            next_call: 0,
            seed,
        };
        bed.pgw.start(bed.now);
        bed.drain();
        bed
    }

    /// The power goes: what was not synced is gone. The gateway comes back a second later.
    pub(crate) fn crash(self) -> Self {
        self.crash_with(|_| {})
    }

    pub(crate) fn crash_with(self, change: impl FnOnce(&mut PgwConfig)) -> Self {
        let mut config = self.config;
        change(&mut config);
        let at = Now {
            at: self.now.at + Duration::from_secs(1),
            wall: self.now.wall + Duration::from_secs(1),
        };
        let mut bed = Self::seeded(config, self.disk, at, self.seed + 100);
        bed.sequence = self.sequence + 1;
        bed.next_teid = self.next_teid;
        bed.with_segments = self.with_segments;
        bed
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        let end = self.now.at + by;
        while let Some(at) = self.next().filter(|at| *at <= end) {
            let step = at.since(self.now.at);
            self.now.at += step;
            self.now.wall = self.now.wall + step;
            self.pgw.handle_timeout(self.now);
            for segment in &mut self.segments {
                segment.handle_timeout(self.now);
            }
            self.drain();
        }
        let rest = end.since(self.now.at);
        self.now.at += rest;
        self.now.wall = self.now.wall + rest;
    }

    fn next(&self) -> Option<Instant> {
        let segments = self.segments.iter().filter_map(Segment::poll_timeout);
        segments.chain(self.pgw.poll_timeout()).min()
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.pgw.handle_input(self.now, input);
        self.drain();
    }

    /// Confirms what waits for the disk.
    pub(crate) fn sync_now(&mut self) {
        for (seq, records) in core::mem::take(&mut self.unsynced) {
            for record in records {
                let key = (record.table, record.key);
                match record.value {
                    Some(value) => self.disk.insert(key, value),
                    None => self.disk.remove(&key),
                };
            }
            let input = StorageInput::Persisted { seq };
            self.pgw.handle_input(self.now, Input::Storage(input));
        }
        self.drain();
    }

    pub(crate) fn drain(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.pgw.poll_output() {
                quiet = false;
                self.take(output);
            }
            if self.sync && !self.unsynced.is_empty() {
                self.sync_now();
                continue;
            }
            for worker in 0..self.segments.len() {
                while let Some(output) = self.segments[worker].poll_output() {
                    quiet = false;
                    if let sgi::Output::Packet { tenant, packet } = output {
                        let input = Input::Sgi {
                            worker,
                            tenant,
                            packet,
                        };
                        self.pgw.handle_input(self.now, input);
                    }
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn take(&mut self, output: Output) {
        match output {
            Output::S5c(datagram) => self.s5c.push(datagram),
            Output::S5u { datagram, .. } => self.s5u.push(datagram),
            Output::Sgi {
                worker,
                tenant,
                packet,
            } => {
                if self.with_segments {
                    let input = sgi::Input::Packet { tenant, packet };
                    self.segments[worker].handle_input(self.now, input);
                } else {
                    self.sgi.push((tenant, packet));
                }
            }
            Output::Sentinel {
                worker,
                access,
                packet,
                ..
            } => {
                if self.with_segments {
                    let input = sgi::Input::Outside { access, packet };
                    self.segments[worker].handle_input(self.now, input);
                } else {
                    self.sentinel.push((access, packet));
                }
            }
            Output::AdminReply { call, response } => {
                assert!(self.replies.insert(call.0, response).is_none());
            }
            Output::Storage(StorageOutput::Load) => {
                let rows = self.disk.iter();
                let rows = rows.map(|((table, key), value)| Record {
                    table: *table,
                    key: key.clone(),
                    value: Some(value.clone()),
                });
                let input = StorageInput::Loaded(rows.collect());
                self.pgw.handle_input(self.now, Input::Storage(input));
            }
            Output::Storage(StorageOutput::Persist { seq, records }) => {
                self.unsynced.push((seq, records));
            }
            Output::Event(event) => {
                assert!(!matches!(event, Event::Bug { .. }), "{event:?}");
                self.events.push(event);
            }
        }
    }

    // The SGWs.

    pub(crate) fn send_c(&mut self, sgw: Ipv4Addr, teid: Option<u32>, message: &Message) -> u32 {
        self.sequence += 1;
        let header = Header {
            message_type: message.message_type(),
            teid,
            sequence: self.sequence,
            piggybacked: false,
        };
        self.send_raw(sgw, c::encode(header, message));
        self.sequence
    }

    pub(crate) fn send_raw(&mut self, sgw: Ipv4Addr, payload: Vec<u8>) {
        let datagram = Datagram {
            local: S5C.parse().unwrap(),
            remote: (sgw, 2123).into(),
            payload,
        };
        self.input(Input::S5c(datagram));
    }

    /// The response to a request, taken out of what the gateway has sent.
    pub(crate) fn response(&mut self, sequence: u32) -> Option<(Header, Message)> {
        let place = self.s5c.iter().position(|d| {
            let decoded = c::decode(&d.payload).unwrap();
            let kind = decoded.header.message_type;
            decoded.header.sequence == sequence && kind != MessageType::DELETE_BEARER_REQUEST
        })?;
        let datagram = self.s5c.remove(place);
        let decoded = c::decode(&datagram.payload).unwrap();
        Some((decoded.header, decoded.message.unwrap()))
    }

    /// Delete Bearer Requests that the gateway has sent.
    pub(crate) fn delete_bearers(&self) -> Vec<(SocketAddr, Header, c::DeleteBearerRequest)> {
        let decoded = self
            .s5c
            .iter()
            .map(|d| (d.remote, c::decode(&d.payload).unwrap()));
        let requests = decoded.filter_map(|(remote, d)| match d.message {
            Ok(Message::DeleteBearerRequest(m)) => Some((remote, d.header, m)),
            _ => None,
        });
        requests.collect()
    }

    pub(crate) fn request(&mut self, imsi: Imsi, apn: &str) -> Box<CreateSessionRequest> {
        self.request_from(SGW, imsi, apn)
    }

    pub(crate) fn request_from(
        &mut self,
        sgw: Ipv4Addr,
        imsi: Imsi,
        apn: &str,
    ) -> Box<CreateSessionRequest> {
        self.next_teid += 2;
        let end = |interface, teid| FTeid::new(interface, Teid::new(teid).unwrap(), sgw.into());
        let control = end(Interface::S5S8_SGW_GTPC, self.next_teid);
        let arp = Arp {
            priority_level: 8,
            may_preempt: false,
            may_be_preempted: true,
        };
        let bearer = BearerContextToBeCreated {
            ebi: Ebi::FIRST,
            tft: None,
            s5s8_u_sgw_f_teid: Some(end(Interface::S5S8_SGW_GTPU, self.next_teid + 1)),
            bearer_qos: BearerQos::non_gbr(Qci(9), arp),
        };
        let bearers = alloc::vec![bearer];
        let mut request = CreateSessionRequest::new(control, apn.parse().unwrap(), bearers);
        request.imsi = Some(imsi);
        request.selection_mode = Some(0);
        request.pdn_type = Some(PdnType::V4);
        request.paa = Some(Paa::V4(Ipv4Addr::UNSPECIFIED));
        request.maximum_apn_restriction = Some(0);
        request.serving_network = Some("00101".parse().unwrap());
        request.apn_ambr = Some(heiiki_types::Ambr {
            uplink_bps: 50_000_000,
            downlink_bps: 100_000_000,
        });
        Box::new(request)
    }

    pub(crate) fn create(&mut self, imsi: Imsi, apn: &str) -> Result<Tunnel, Cause> {
        let request = self.request(imsi, apn);
        self.create_with(SGW, request)
    }

    pub(crate) fn create_with(
        &mut self,
        sgw: Ipv4Addr,
        request: Box<CreateSessionRequest>,
    ) -> Result<Tunnel, Cause> {
        let message = Message::CreateSessionRequest(request);
        let sequence = self.send_c(sgw, Some(0), &message);
        let Message::CreateSessionRequest(request) = message else {
            unreachable!();
        };
        self.created(sgw, &request, sequence)
    }

    pub(crate) fn created(
        &mut self,
        sgw: Ipv4Addr,
        request: &CreateSessionRequest,
        sequence: u32,
    ) -> Result<Tunnel, Cause> {
        let (header, message) = self.response(sequence).expect("an answer");
        let Message::CreateSessionResponse(response) = message else {
            panic!("{message:?}");
        };
        assert_eq!(header.teid, Some(request.sender_f_teid.teid.get()));
        if !response.cause.is_accepted() {
            return Err(response.cause.cause);
        }
        let bearer = &response.bearer_contexts[0];
        let sgw_u = request.bearer_contexts[0].s5s8_u_sgw_f_teid.unwrap();
        Ok(Tunnel {
            sgw,
            address: response
                .paa
                .and_then(Paa::v4)
                .unwrap_or(Ipv4Addr::UNSPECIFIED),
            paa: response.paa.unwrap(),
            pgw_c: response.pgw_s5s8_f_teid.unwrap().teid,
            pgw_u: bearer.s5s8_u_pgw_f_teid.unwrap(),
            sgw_c: request.sender_f_teid.teid,
            sgw_u: sgw_u.teid,
            charging_id: bearer.charging_id.unwrap(),
            cause: response.cause.cause,
            recovery: response.recovery.unwrap(),
        })
    }

    pub(crate) fn delete(&mut self, tunnel: &Tunnel) -> Cause {
        self.delete_from(tunnel.sgw, tunnel)
    }

    pub(crate) fn delete_from(&mut self, sgw: Ipv4Addr, tunnel: &Tunnel) -> Cause {
        let message = Message::DeleteSessionRequest(DeleteSessionRequest {
            linked_ebi: Some(Ebi::FIRST),
            ..DeleteSessionRequest::default()
        });
        let sequence = self.send_c(sgw, Some(tunnel.pgw_c.get()), &message);
        match self.response(sequence) {
            Some((_, Message::DeleteSessionResponse(response))) => response.cause.cause,
            other => panic!("{other:?}"),
        }
    }

    /// Sends an inner packet up a tunnel.
    pub(crate) fn uplink(&mut self, tunnel: &Tunnel, packet: &[u8]) {
        self.uplink_from(tunnel.sgw, tunnel, packet);
    }

    pub(crate) fn uplink_from(&mut self, sgw: Ipv4Addr, tunnel: &Tunnel, packet: &[u8]) {
        let length = u16::try_from(packet.len()).unwrap();
        let mut payload = u::encode_gpdu_header(tunnel.pgw_u.teid, length).to_vec();
        payload.extend(packet);
        self.send_u(sgw, tunnel.worker(), payload);
    }

    pub(crate) fn send_u(&mut self, sgw: Ipv4Addr, worker: usize, payload: Vec<u8>) {
        let local = self.config.workers[worker].s5u_local;
        let datagram = Datagram {
            local,
            remote: (sgw, 2152).into(),
            payload,
        };
        self.input(Input::S5u { worker, datagram });
    }

    pub(crate) fn downlink(&mut self, tenant: TenantId, packet: &[u8]) {
        let input = Input::Sgi {
            worker: 0,
            tenant,
            packet: packet.to_vec(),
        };
        self.input(input);
    }

    /// Packets that came down a tunnel since the last look.
    pub(crate) fn received(&mut self, tunnel: &Tunnel) -> Vec<Vec<u8>> {
        let all = core::mem::take(&mut self.s5u);
        let (own, rest) = all.into_iter().partition(|d| {
            let teid = u::decode_gpdu(&d.payload).map(|(teid, _)| teid);
            d.remote.ip() == IpAddr::V4(tunnel.sgw) && teid == Some(tunnel.sgw_u)
        });
        self.s5u = rest;
        let own: Vec<Datagram> = own;
        own.into_iter().map(|d| d.payload[8..].to_vec()).collect()
    }

    // The operator.

    pub(crate) fn call(
        &mut self,
        token: &str,
        method: Method,
        target: &str,
        body: &Value,
    ) -> CallId {
        self.next_call += 1;
        let call = CallId(self.next_call);
        let request = HttpRequest {
            method,
            target: target.to_string(),
            bearer: Some(Token::new(String::from(token))),
            body: if body.is_null() {
                Vec::new()
            } else {
                serde_json::to_vec(body).unwrap()
            },
            headers: heiiki_types::Headers::default(),
        };
        self.input(Input::Admin { call, request });
        call
    }

    pub(crate) fn reply(&mut self, call: CallId) -> Option<(u16, Value)> {
        let response = self.replies.remove(&call.0)?;
        Some((
            response.status,
            serde_json::from_slice(&response.body).unwrap(),
        ))
    }

    pub(crate) fn get(&mut self, target: &str) -> Value {
        let call = self.call("admin", Method::Get, target, &Value::Null);
        let (status, body) = self.reply(call).unwrap();
        assert_eq!(status, 200, "{body}");
        body
    }

    pub(crate) fn post(&mut self, target: &str, body: &Value) -> (u16, Value) {
        let call = self.call("operate", Method::Post, target, body);
        self.reply(call).unwrap()
    }

    pub(crate) fn bar(&mut self, imsi: Imsi, version: u64) -> (u16, Value) {
        let body = bar_body(imsi, version);
        self.post("/v1/bars", &body)
    }

    pub(crate) fn lift(&mut self, imsi: Imsi, version: u64) -> (u16, Value) {
        let target = alloc::format!("/v1/bars/{imsi}/lift");
        let body = serde_json::json!({"version": version, "actor": "test"});
        self.post(&target, &body)
    }

    pub(crate) fn refusals(&mut self) -> Value {
        self.get("/v1/counters")["refused"].clone()
    }
}

pub(crate) fn bar_body(imsi: Imsi, version: u64) -> Value {
    serde_json::json!({
        "imsi": imsi, "cut": version.to_string(), "version": version, "verb": "suspend",
        "reason": "lost", "actor": "test", "cause": 9,
    })
}

/// A UDP packet, written by an independent builder.
pub(crate) fn udp(from: Ipv4Addr, to: Ipv4Addr, port: u16) -> Vec<u8> {
    udp_with(from, to, (4000, port), b"hello", 64)
}

pub(crate) fn udp_with(
    from: Ipv4Addr,
    to: Ipv4Addr,
    ports: (u16, u16),
    payload: &[u8],
    ttl: u8,
) -> Vec<u8> {
    let builder = etherparse::PacketBuilder::ipv4(from.octets(), to.octets(), ttl);
    let builder = builder.udp(ports.0, ports.1);
    let mut out = Vec::new();
    builder.write(&mut out, payload).unwrap();
    out
}
