//! The world around the node: time, an HSS, a gateway, one eNB and its UEs.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use heiiki_diameter as diameter;
use heiiki_diameter::s6a::{
    ApnConfiguration, ApnConfigurationProfile, AuthenticationInformationAnswer,
    AuthenticationInformationRequest, CancelLocationRequest, CancellationType, EutranVector,
    PdnType, ServiceSelection, SubscriptionData, UpdateLocationAnswer, UpdateLocationRequest, Xres,
};
use heiiki_diameter::s13::{EquipmentStatus, IdentityCheckAnswer, IdentityCheckRequest};
use heiiki_diameter::{
    AcceptRule, AnswerResult, ApplicationId, CommandCode, EndpointConfig, EndpointOutput,
};
use heiiki_gtp::c;
use heiiki_types::{
    Ambr, Apn, Arp, ConnId, Datagram, Ebi, Ecgi, Imsi, Instant, Key256, Machine, Now, PlmnId, Qci,
    Rng, StorageInput, StorageOutput, StreamInput, StreamOutput, Tac, Tai, Teid, WallTime,
};

use super::phone::Phone;
use crate::s1::{EnbId, Endpoint, Message as S1};
use crate::{ContextSnapshot, Event, Input, Mme, MmeConfig, Output, State};

pub(super) const ENB: EnbId = EnbId(7);
pub(super) const HSS_HOST: &str = "hss.example";

pub(super) fn imsi(n: u32) -> Imsi {
    alloc::format!("00101{n:010}").parse().unwrap()
}

pub(super) fn plmn() -> PlmnId {
    "00101".parse().unwrap()
}

pub(super) fn apn(text: &str) -> Apn {
    text.parse().unwrap()
}

pub(super) fn teid(n: u32) -> Teid {
    Teid::new(n).unwrap()
}

pub(super) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(super) fn config() -> MmeConfig {
    let mut config = MmeConfig::new(
        plmn(),
        "127.0.0.2".parse().unwrap(),
        "127.0.1.2".parse().unwrap(),
        address("127.0.0.4:3868"),
    );
    config.default_pgw = Some(address("127.0.0.3:2123"));
    config.hss_realm = String::from("example");
    config.nas_copies = true;
    config
}

/// What the HSS answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HssReply {
    Success,
    Failure(AnswerResult, Option<u32>),
    Silent,
}

pub(super) struct Hss {
    pub(super) endpoint: diameter::Endpoint,
    pub(super) up: bool,
    pub(super) air: HssReply,
    pub(super) ulr: HssReply,
    pub(super) subscription: Option<SubscriptionData>,
    pub(super) vectors: BTreeMap<Imsi, EutranVector>,
    pub(super) airs: Vec<AuthenticationInformationRequest>,
    pub(super) ulrs: Vec<UpdateLocationRequest>,
    pub(super) purs: usize,
    /// What the register answers; nothing when absent.
    pub(super) equipment: Option<(AnswerResult, Option<EquipmentStatus>)>,
    pub(super) ecrs: Vec<IdentityCheckRequest>,
    /// Answers to the HSS's own requests.
    pub(super) answers: Vec<diameter::Message>,
    /// Answers to ULR that wait for [`World::release_ulas`].
    pub(super) hold_ula: bool,
    held: Vec<(diameter::RequestHandle, diameter::Message)>,
    conn: Option<ConnId>,
    accepted: u64,
    rng: Rng,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PgwReply {
    Accept,
    Refuse(c::Cause),
    /// Accepts without the elements that a session needs.
    Hollow,
    Silent,
}

pub(super) struct Pgw {
    pub(super) endpoint: c::Endpoint,
    pub(super) reply: PgwReply,
    pub(super) cause: c::Cause,
    pub(super) creates: Vec<c::CreateSessionRequest>,
    pub(super) deletes: Vec<(u32, c::DeleteSessionRequest)>,
    pub(super) responses: Vec<c::DeleteBearerResponse>,
    /// Responses to Create Session Request that wait for [`World::release_creates`].
    pub(super) hold: bool,
    held: Vec<(c::RequestHandle, Teid, c::Message)>,
    teids: u32,
    restart: u8,
}

pub(super) struct World {
    pub(super) mme: Mme,
    pub(super) now: Now,
    pub(super) hss: Hss,
    pub(super) pgw: Pgw,
    pub(super) phones: BTreeMap<u32, Phone>,
    pub(super) enb_answers: bool,
    pub(super) events: Vec<Event>,
    pub(super) s1: Vec<S1>,
    pub(super) s1u: Vec<Datagram>,
    pub(super) s5u: Vec<Datagram>,
    pub(super) persisted: Vec<(heiiki_types::PersistSeq, Vec<heiiki_types::Record>)>,
    queue: VecDeque<Input>,
    conn: Option<ConnId>,
}

pub(super) fn tai() -> Tai {
    Tai {
        plmn: plmn(),
        tac: Tac(1),
    }
}

pub(super) fn ecgi() -> Ecgi {
    Ecgi {
        plmn: plmn(),
        eci: 0x101,
    }
}

pub(super) fn subscription() -> SubscriptionData {
    let ambr = Ambr {
        uplink_bps: 10_000_000,
        downlink_bps: 20_000_000,
    };
    SubscriptionData {
        subscriber_status: Some(0),
        msisdn: "819012345678".parse().ok(),
        network_access_mode: Some(2),
        ue_ambr: Some(ambr),
        apn_profile: Some(ApnConfigurationProfile {
            default_context: 1,
            all_apn_included: true,
            apns: Vec::from([ApnConfiguration {
                context: 1,
                apn: ServiceSelection::Apn(apn("corp.example")),
                pdn_type: PdnType::V4,
                served_party_ips: Vec::new(),
                qci: Qci(9),
                arp: Arp {
                    priority_level: 8,
                    may_preempt: false,
                    may_be_preempted: true,
                },
                ambr: Some(ambr),
                charging_characteristics: None,
                pgw: None,
                pgw_allocation: None,
                vplmn_dynamic_address: None,
            }]),
        }),
        ..SubscriptionData::default()
    }
}

impl World {
    /// A world that has started, with a connection to the HSS.
    pub(super) fn new() -> Self {
        Self::with(config())
    }

    pub(super) fn with(config: MmeConfig) -> Self {
        let mut world = Self::stopped(config);
        world.mme.start(world.now);
        world.run();
        assert!(world.mme.is_serving());
        world.events.clear();
        world
    }

    pub(super) fn stopped(config: MmeConfig) -> Self {
        let mut endpoint = EndpointConfig::new(HSS_HOST, "example");
        endpoint.host_ips = Vec::from(["127.0.0.4".parse().unwrap()]);
        endpoint.applications = Vec::from([ApplicationId::S6A, ApplicationId::S13]);
        endpoint.accept = Vec::from([AcceptRule {
            origin_host: String::from("*"),
            realm: None,
            addresses: Vec::new(),
            ..AcceptRule::default()
        }]);
        let hss = Hss {
            endpoint: diameter::Endpoint::new(endpoint, Rng::from_seed(2)),
            up: true,
            air: HssReply::Success,
            ulr: HssReply::Success,
            subscription: Some(subscription()),
            vectors: BTreeMap::new(),
            airs: Vec::new(),
            ulrs: Vec::new(),
            purs: 0,
            equipment: None,
            ecrs: Vec::new(),
            answers: Vec::new(),
            hold_ula: false,
            held: Vec::new(),
            conn: None,
            accepted: 0,
            rng: Rng::from_seed(3),
        };
        let mut pgw = Pgw {
            endpoint: c::Endpoint::new(c::Config::default(), 1),
            reply: PgwReply::Accept,
            cause: c::Cause::REQUEST_ACCEPTED,
            creates: Vec::new(),
            deletes: Vec::new(),
            responses: Vec::new(),
            hold: false,
            held: Vec::new(),
            teids: 0x100,
            restart: 1,
        };
        pgw.endpoint.set_restart_counter(1);
        Self {
            mme: Mme::new(config, Rng::from_seed(1)),
            now: Now {
                at: Instant::from_micros(1_000_000),
                wall: WallTime::from_unix_micros(1_780_000_000_000_000),
            },
            hss,
            pgw,
            phones: BTreeMap::new(),
            enb_answers: true,
            events: Vec::new(),
            s1: Vec::new(),
            s1u: Vec::new(),
            s5u: Vec::new(),
            persisted: Vec::new(),
            queue: VecDeque::new(),
            conn: None,
        }
    }

    pub(super) fn phone(&mut self, enb_ue_id: u32) -> &mut Phone {
        self.phones
            .entry(enb_ue_id)
            .or_insert_with(|| Phone::new(imsi(enb_ue_id)))
    }

    /// Hands one input over and lets everything that follows from it happen.
    pub(super) fn input(&mut self, input: Input) {
        self.queue.push_back(input);
        self.run();
    }

    pub(super) fn s1_input(&mut self, message: S1) {
        self.input(Input::S1 { enb: ENB, message });
    }

    pub(super) fn initial(&mut self, enb_ue_id: u32, nas: Vec<u8>) {
        self.s1_input(S1::InitialUeMessage {
            enb_ue_id,
            tai: tai(),
            ecgi: ecgi(),
            nas,
        });
    }

    pub(super) fn uplink(&mut self, enb_ue_id: u32, nas: Vec<u8>) {
        let mme_ue_id = self.phones[&enb_ue_id].mme_ue_id.unwrap();
        self.s1_input(S1::UplinkNasTransport {
            enb_ue_id,
            mme_ue_id,
            nas,
            tai: tai(),
            ecgi: ecgi(),
        });
    }

    /// The phone of this number attaches, as far as its behaviour and the network let it.
    pub(super) fn attach(&mut self, enb_ue_id: u32) {
        let pdu = self.phone(enb_ue_id).attach_request();
        self.initial(enb_ue_id, pdu);
    }

    /// A phone of this number that is attached.
    pub(super) fn attached(&mut self, enb_ue_id: u32) {
        self.attach(enb_ue_id);
        assert_eq!(
            self.state(enb_ue_id),
            Some(State::Registered),
            "{:?}",
            self.events
        );
        self.events.clear();
        self.s1.clear();
    }

    pub(super) fn context(&self, n: u32) -> Option<ContextSnapshot> {
        self.mme.context_of(imsi(n))
    }

    pub(super) fn state(&self, n: u32) -> Option<State> {
        self.context(n).map(|c| c.state)
    }

    /// Lets time pass, with everything that is due in it.
    pub(super) fn wait(&mut self, span: Duration) {
        let end = self.now.at + span;
        loop {
            let due = [
                self.mme.poll_timeout(),
                self.hss.endpoint.poll_timeout(),
                self.pgw.endpoint.poll_timeout(),
            ];
            let Some(next) = due.into_iter().flatten().min().filter(|at| *at <= end) else {
                break;
            };
            self.now.at = next.max(self.now.at);
            self.mme.handle_timeout(self.now);
            self.hss.endpoint.handle_timeout(self.now.at);
            self.pgw.endpoint.handle_timeout(self.now.at);
            self.run();
        }
        self.now.at = end;
    }

    pub(super) fn run(&mut self) {
        loop {
            while let Some(output) = self.mme.poll_output() {
                self.output(output);
            }
            self.hss_outputs();
            self.pgw_outputs();
            let Some(input) = self.queue.pop_front() else {
                return;
            };
            self.mme.handle_input(self.now, input);
            for event in &self.events {
                assert!(!matches!(event, Event::Bug { .. }), "{event:?}");
            }
        }
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::S1 { enb, message } => {
                assert_eq!(enb, ENB);
                self.enb_receives(&message);
                self.s1.push(message);
            }
            Output::S1u(datagram) => self.s1u.push(datagram),
            Output::S5u(datagram) => self.s5u.push(datagram),
            Output::S5c(Datagram {
                local,
                remote,
                payload,
            }) => {
                let datagram = Datagram {
                    local: remote,
                    remote: local,
                    payload,
                };
                if self.pgw.reply != PgwReply::Silent {
                    self.pgw.endpoint.handle_datagram(self.now.at, datagram);
                }
            }
            Output::S6a(output) => self.stream(output),
            Output::Storage(StorageOutput::Load) => {
                let rows = self.persisted.iter().flat_map(|(_, r)| r.clone()).collect();
                self.queue
                    .push_back(Input::Storage(StorageInput::Loaded(rows)));
            }
            Output::Storage(StorageOutput::Persist { seq, records }) => {
                self.persisted.push((seq, records));
                self.queue
                    .push_back(Input::Storage(StorageInput::Persisted { seq }));
            }
            Output::Event(event) => self.events.push(event),
        }
    }

    fn enb_receives(&mut self, message: &S1) {
        let nas = message.nas().map(<[u8]>::to_vec);
        let (enb_ue_id, mme_ue_id, setup) = match *message {
            S1::DownlinkNasTransport {
                enb_ue_id,
                mme_ue_id,
                ..
            } => (enb_ue_id, mme_ue_id, None),
            S1::InitialContextSetupRequest {
                enb_ue_id,
                mme_ue_id,
                ebi,
                ..
            } => (enb_ue_id, mme_ue_id, Some(ebi)),
            S1::UeContextReleaseCommand {
                enb_ue_id,
                mme_ue_id,
                ..
            } => {
                let message = S1::UeContextReleaseComplete {
                    enb_ue_id,
                    mme_ue_id,
                };
                self.queue.push_back(Input::S1 { enb: ENB, message });
                return;
            }
            _ => return,
        };
        let Some(phone) = self.phones.get_mut(&enb_ue_id) else {
            return;
        };
        phone.mme_ue_id = Some(mme_ue_id);
        if let Some(ebi) = setup.filter(|_| self.enb_answers) {
            let enb_f_teid = enb_end(enb_ue_id);
            let message = S1::InitialContextSetupResponse {
                enb_ue_id,
                mme_ue_id,
                ebi,
                enb_f_teid,
            };
            self.queue.push_back(Input::S1 { enb: ENB, message });
        }
        let vector = self.hss.vectors.get(&phone.imsi);
        if let Some(nas) = nas.and_then(|nas| phone.downlink(&nas, vector)) {
            let message = S1::UplinkNasTransport {
                enb_ue_id,
                mme_ue_id,
                nas,
                tai: tai(),
                ecgi: ecgi(),
            };
            self.queue.push_back(Input::S1 { enb: ENB, message });
        }
    }

    fn stream(&mut self, output: StreamOutput) {
        match output {
            StreamOutput::Connect { conn, peer } => {
                if !self.hss.up {
                    self.queue
                        .push_back(Input::S6a(StreamInput::Closed { conn }));
                    return;
                }
                assert_eq!(peer, address("127.0.0.4:3868"));
                self.conn = Some(conn);
                self.hss.accepted += 1;
                let accepted = ConnId::accepted(self.hss.accepted);
                self.hss.conn = Some(accepted);
                let peer = address("127.0.0.2:40000");
                let input = StreamInput::Accepted {
                    conn: accepted,
                    peer,
                };
                self.hss.endpoint.handle_stream(self.now.at, input);
                self.queue
                    .push_back(Input::S6a(StreamInput::Connected { conn }));
            }
            StreamOutput::Send { octets, .. } => {
                let conn = self.hss.conn.unwrap();
                self.hss
                    .endpoint
                    .handle_stream(self.now.at, StreamInput::Data { conn, octets });
            }
            StreamOutput::Close { .. } => {
                if let Some(conn) = self.hss.conn.take() {
                    self.hss
                        .endpoint
                        .handle_stream(self.now.at, StreamInput::Closed { conn });
                }
            }
        }
    }

    /// The connection to the HSS breaks.
    pub(super) fn break_s6a(&mut self) {
        self.hss.up = false;
        if let Some(conn) = self.hss.conn.take() {
            self.hss
                .endpoint
                .handle_stream(self.now.at, StreamInput::Closed { conn });
        }
        if let Some(conn) = self.conn.take() {
            self.input(Input::S6a(StreamInput::Closed { conn }));
        }
    }

    fn hss_outputs(&mut self) {
        while let Some(output) = self.hss.endpoint.poll_output() {
            match output {
                EndpointOutput::Stream(StreamOutput::Send { octets, .. }) => {
                    let conn = self.conn.unwrap();
                    self.queue
                        .push_back(Input::S6a(StreamInput::Data { conn, octets }));
                }
                EndpointOutput::Stream(StreamOutput::Close { .. }) => {
                    let conn = self.conn.take().unwrap();
                    self.queue
                        .push_back(Input::S6a(StreamInput::Closed { conn }));
                }
                EndpointOutput::Request {
                    handle, message, ..
                } => self.hss.request(self.now.at, handle, &message),
                EndpointOutput::Answer { message, .. } => self.hss.answers.push(message),
                _ => {}
            }
        }
    }

    /// The HSS cancels the location of an IMSI.
    pub(super) fn cancel(&mut self, n: u32, kind: u32, flags: u32) {
        self.cancel_as(n, kind, flags, HSS_HOST, false);
    }

    pub(super) fn cancel_as(&mut self, n: u32, kind: u32, flags: u32, host: &str, barred: bool) {
        let request = CancelLocationRequest {
            session_id: String::from("hss.example;1;1"),
            origin_host: String::from(host),
            origin_realm: String::from("example"),
            destination_host: self.mme.config().origin_host.clone(),
            destination_realm: self.mme.config().origin_realm.clone(),
            imsi: imsi(n),
            cancellation_type: CancellationType(kind),
            clr_flags: Some(flags),
            supported_features: Vec::new(),
            route_record: Vec::new(),
        };
        let mut message = request.to_message();
        if barred {
            let status = &diameter::dictionary::SUBSCRIBER_STATUS;
            let mut avp = diameter::Avp::u32(status, 1);
            avp.mandatory = false;
            message.avps.push(avp);
        }
        self.hss_asks(message);
    }

    /// The HSS sends a request of its own.
    pub(super) fn hss_asks(&mut self, message: diameter::Message) {
        let conn = self.hss.conn.unwrap();
        self.hss
            .endpoint
            .send_request(self.now.at, conn, message, 1)
            .unwrap();
        self.run();
    }

    /// The result of the last answer to a request of the HSS.
    pub(super) fn last_answer(&self) -> AnswerResult {
        self.hss.answers.last().unwrap().result().unwrap()
    }

    pub(super) fn release_ulas(&mut self) {
        for (handle, message) in core::mem::take(&mut self.hss.held) {
            self.hss.endpoint.send_answer(self.now.at, handle, message);
        }
        self.run();
    }

    pub(super) fn release_creates(&mut self) {
        for (handle, teid, message) in core::mem::take(&mut self.pgw.held) {
            self.pgw
                .endpoint
                .respond(self.now.at, handle, Some(teid.get()), &message);
        }
        self.run();
    }

    fn pgw_outputs(&mut self) {
        while let Some(output) = self.pgw.endpoint.poll_output() {
            match output {
                c::Output::Transmit(Datagram {
                    local,
                    remote,
                    payload,
                }) => {
                    let datagram = Datagram {
                        local: remote,
                        remote: local,
                        payload,
                    };
                    self.queue.push_back(Input::S5c(datagram));
                }
                c::Output::Request {
                    handle,
                    header,
                    message,
                } => {
                    self.pgw.request(self.now.at, handle, header, message);
                }
                c::Output::Response {
                    message: Ok(c::Message::DeleteBearerResponse(r)),
                    ..
                } => {
                    self.pgw.responses.push(r);
                }
                _ => {}
            }
        }
    }

    /// The gateway deletes the default bearer of a UE.
    pub(super) fn delete_bearer(&mut self, n: u32, cause: u8) {
        let teid = self.context(n).unwrap().session.unwrap().s5c;
        self.delete_bearer_at(teid, cause);
    }

    pub(super) fn delete_bearer_at(&mut self, teid: Teid, cause: u8) {
        let request = c::DeleteBearerRequest {
            linked_ebi: Some(Ebi::FIRST),
            cause: Some(c::Cause(cause)),
            ebis: Vec::new(),
            failed: alloc::vec::Vec::new(),
            pti: None,
            pco: None,
        };
        let (pgw, sgw) = (address("127.0.0.3:2123"), address("127.0.0.2:2123"));
        let message = c::Message::DeleteBearerRequest(request);
        let endpoint = &mut self.pgw.endpoint;
        endpoint
            .send_request(self.now.at, pgw, sgw, Some(teid.get()), &message, 9)
            .unwrap();
        self.run();
    }

    pub(super) fn restart_pgw(&mut self) {
        self.pgw.restart += 1;
        self.pgw.endpoint = c::Endpoint::new(c::Config::default(), 0x10_0000);
        self.pgw.endpoint.set_restart_counter(self.pgw.restart);
    }

    /// Whether an event passes the test.
    pub(super) fn has(&self, test: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(test)
    }
}

pub(super) fn enb_end(enb_ue_id: u32) -> Endpoint {
    Endpoint {
        teid: teid(0x1000 + enb_ue_id),
        address: address("127.0.2.1:2152"),
    }
}

impl Hss {
    fn request(
        &mut self,
        now: Instant,
        handle: diameter::RequestHandle,
        message: &diameter::Message,
    ) {
        match message.command {
            CommandCode::AUTHENTICATION_INFORMATION => {
                let request = AuthenticationInformationRequest::from_message(message).unwrap();
                let answer = self.aia(&request);
                self.airs.push(request);
                if self.air != HssReply::Silent {
                    self.endpoint.send_answer(now, handle, answer.to_message());
                }
            }
            CommandCode::UPDATE_LOCATION => {
                let request = UpdateLocationRequest::from_message(message).unwrap();
                let answer = self.ula(&request).to_message();
                self.ulrs.push(request);
                if self.hold_ula {
                    self.held.push((handle, answer));
                } else if self.ulr != HssReply::Silent {
                    self.endpoint.send_answer(now, handle, answer);
                }
            }
            CommandCode::PURGE_UE => self.purs += 1,
            CommandCode::ME_IDENTITY_CHECK => {
                let request = IdentityCheckRequest::from_message(message).unwrap();
                if let Some((result, status)) = self.equipment {
                    let answer = IdentityCheckAnswer {
                        session_id: request.session_id.clone(),
                        result,
                        origin_host: String::from(HSS_HOST),
                        origin_realm: String::from("example"),
                        status,
                        failed_avp: Vec::new(),
                    };
                    self.endpoint.send_answer(now, handle, answer.to_message());
                }
                self.ecrs.push(request);
            }
            _ => {}
        }
    }

    fn aia(
        &mut self,
        request: &AuthenticationInformationRequest,
    ) -> AuthenticationInformationAnswer {
        let vector = EutranVector {
            item: None,
            rand: self.rng.octets(),
            xres: Xres::new(&self.rng.octets::<8>()).unwrap(),
            autn: self.rng.octets(),
            kasme: Key256::new(self.rng.octets()),
        };
        let (result, error_diagnostic) = outcome(&self.air);
        let vectors = Vec::from([vector.clone()]);
        self.vectors.insert(request.imsi, vector);
        AuthenticationInformationAnswer {
            session_id: request.session_id.clone(),
            result,
            origin_host: String::from(HSS_HOST),
            origin_realm: String::from("example"),
            error_diagnostic,
            vectors: if result.is_success() {
                vectors
            } else {
                Vec::new()
            },
            supported_features: Vec::new(),
            failed_avp: Vec::new(),
        }
    }

    fn ula(&self, request: &UpdateLocationRequest) -> UpdateLocationAnswer {
        let (result, error_diagnostic) = outcome(&self.ulr);
        let success = result.is_success();
        UpdateLocationAnswer {
            session_id: request.session_id.clone(),
            result,
            origin_host: String::from(HSS_HOST),
            origin_realm: String::from("example"),
            error_diagnostic,
            ula_flags: success.then_some(1),
            subscription: self
                .subscription
                .clone()
                .filter(|_| success)
                .map(Into::into),
            supported_features: Vec::new(),
            failed_avp: Vec::new(),
        }
    }
}

fn outcome(reply: &HssReply) -> (AnswerResult, Option<u32>) {
    match reply {
        HssReply::Failure(result, diagnostic) => (*result, *diagnostic),
        _ => (AnswerResult::SUCCESS, None),
    }
}

impl Pgw {
    fn request(
        &mut self,
        now: Instant,
        handle: c::RequestHandle,
        header: c::Header,
        message: c::Message,
    ) {
        match message {
            c::Message::CreateSessionRequest(request) => {
                let peer = request.sender_f_teid.teid;
                let response = self.create(&request);
                self.creates.push(*request);
                let message = c::Message::CreateSessionResponse(response);
                if self.hold {
                    self.held.push((handle, peer, message));
                } else {
                    self.endpoint
                        .respond(now, handle, Some(peer.get()), &message);
                }
            }
            c::Message::DeleteSessionRequest(request) => {
                self.deletes.push((header.teid.unwrap(), request));
                let response = c::DeleteSessionResponse::new(c::Cause::REQUEST_ACCEPTED.into());
                let message = c::Message::DeleteSessionResponse(response);
                self.endpoint.respond(now, handle, Some(1), &message);
            }
            _ => {}
        }
    }

    fn create(&mut self, request: &c::CreateSessionRequest) -> c::CreateSessionResponse {
        let cause = match self.reply {
            PgwReply::Refuse(cause) => cause,
            _ => self.cause,
        };
        let mut response = c::CreateSessionResponse::new(cause.into());
        response.recovery = Some(self.restart);
        if self.reply != PgwReply::Accept {
            return response;
        }
        self.teids += 2;
        let here = "127.0.0.3".parse().unwrap();
        let control = c::FTeid::new(c::Interface::S5S8_PGW_GTPC, teid(self.teids), here);
        let user = c::FTeid::new(c::Interface::S5S8_PGW_GTPU, teid(self.teids + 1), here);
        response.pgw_s5s8_f_teid = Some(control);
        let [.., low] = self.teids.to_be_bytes();
        response.paa = Some(c::Paa::V4(Ipv4Addr::new(10, 20, 0, low)));
        response.apn_ambr = request.apn_ambr;
        response.apn_restriction = Some(0);
        response.bearer_contexts = Vec::from([c::BearerContextCreated {
            ebi: Ebi::FIRST,
            cause: c::Cause::REQUEST_ACCEPTED.into(),
            s1_u_sgw_f_teid: None,
            s5s8_u_pgw_f_teid: Some(user),
            bearer_qos: request.bearer_contexts.first().map(|b| b.bearer_qos),
            charging_id: Some(7),
        }]);
        response
    }
}
