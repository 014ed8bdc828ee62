//! A test bed: one eNB with one UE, and a network that does what the test tells it, built from the
//! codecs alone.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddr};

use heiiki_gtp::pco::{Form, Offer, Pco};
use heiiki_hss::auc::milenage::Milenage;
use heiiki_mme::s1::{EnbId, Endpoint, Message, ReleaseCause};
use heiiki_nas::emm::{self, EmmCause};
use heiiki_nas::esm::{self, Body};
use heiiki_nas::security::{Eea, Eia, NasSecurityContext, SecurityHeader, plain_of_protected};
use heiiki_nas::{
    Direction, EpsQos, GprsTimer, Ksi, PdnAddress, Plain, TaiList, UeSecurityCapability,
    decode_plain, kdf,
};
use heiiki_types::{
    Ambr, Arp, Datagram, Duration, Ebi, Ecgi, Guti, Instant, Key128, Key256, Machine, Now, PlmnId,
    Qci, Rng, Tac, Tai, Teid, WallTime,
};

use crate::enb::{Enb, EnbConfig, Input, Output};
use crate::ue::Ue;
use crate::usim::Usim;
use crate::{Event, UeCommand, UeId, UeProfile};

pub(crate) const UE: UeId = UeId(0);
pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 5);
pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(10, 20, 1, 1);
const K: [u8; 16] = [0x11; 16];
const OPC: [u8; 16] = [0x22; 16];

pub(crate) fn plmn() -> PlmnId {
    "00101".parse().unwrap()
}

pub(crate) fn profile() -> UeProfile {
    let mut profile = UeProfile::new("35693803564380".parse().unwrap());
    profile.apn = Some("corp.example".parse().unwrap());
    profile
}

pub(crate) struct Bed {
    pub(crate) enb: Enb,
    pub(crate) now: Instant,
    pub(crate) s1: VecDeque<Message>,
    pub(crate) s1u: VecDeque<Datagram>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) milenage: Milenage,
    /// SEQ of the next challenge.
    pub(crate) seq: u64,
    pub(crate) kasme: Option<Key256>,
    pub(crate) ksi: Ksi,
    pub(crate) context: Option<NasSecurityContext>,
    pub(crate) enb_ue_id: u32,
    pub(crate) mme_ue_id: u32,
    pub(crate) request: Vec<u8>,
    pub(crate) m_tmsi: u32,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self::with(profile())
    }

    pub(crate) fn with(profile: UeProfile) -> Self {
        let tai = Tai {
            plmn: plmn(),
            tac: Tac(1),
        };
        let config = EnbConfig {
            id: EnbId(1),
            tai,
            ecgi: Ecgi {
                plmn: plmn(),
                eci: 0x101,
            },
            s1u_local: "127.0.1.1:2152".parse().unwrap(),
        };
        let mut enb = Enb::new(config, Rng::from_seed(7));
        let usim = Usim::new(
            "001010000000001".parse().unwrap(),
            Key128::new(K),
            Key128::new(OPC),
        );
        assert_eq!(enb.add_ue(Arc::new(profile), usim), Some(UE));
        Self {
            enb,
            now: Instant::from_micros(1_000_000),
            s1: VecDeque::new(),
            s1u: VecDeque::new(),
            events: VecDeque::new(),
            milenage: Milenage::new(&Key128::new(K), &Key128::new(OPC)),
            seq: 1,
            kasme: None,
            ksi: Ksi::new(0).unwrap(),
            context: None,
            enb_ue_id: 0,
            mme_ue_id: 100,
            request: Vec::new(),
            m_tmsi: 0xc000_0001,
        }
    }

    pub(crate) fn ue(&self) -> &Ue {
        self.enb.ue(UE).unwrap()
    }

    pub(crate) fn input(&mut self, input: Input) {
        let now = self.time();
        self.enb.handle_input(now, input);
        self.drain();
    }

    fn time(&self) -> Now {
        Now {
            at: self.now,
            wall: WallTime::from_unix_micros(0),
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.enb.poll_output() {
            match output {
                Output::S1(message) => self.s1.push_back(message),
                Output::S1u(datagram) => self.s1u.push_back(datagram),
                Output::Event { ue: UE, event } => self.events.push_back(event),
                Output::Event { ue, event } => panic!("{ue:?} {event:?}"),
            }
        }
    }

    pub(crate) fn command(&mut self, command: UeCommand) {
        self.input(Input::Command { ue: UE, command });
    }

    /// Lets time pass, with every deadline on the way.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.enb.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            let now = self.time();
            self.enb.handle_timeout(now);
            self.drain();
        }
        self.now = end;
    }

    /// Lets time pass until something happens.
    pub(crate) fn until_event(&mut self) {
        while self.events.is_empty() {
            let at = self.enb.poll_timeout().expect("a deadline");
            self.pass(at.since(self.now));
        }
    }

    pub(crate) fn event(&mut self) -> Event {
        self.events.pop_front().expect("an event")
    }

    pub(crate) fn no_event(&self) {
        assert!(self.events.is_empty(), "{:?}", self.events);
    }

    pub(crate) fn silent(&self) {
        assert!(self.s1.is_empty(), "{:?}", self.s1);
    }

    /// The next NAS PDU of the UE, whose connection the network takes note of.
    pub(crate) fn uplink(&mut self) -> Vec<u8> {
        match self.s1.pop_front().expect("an S1 message") {
            Message::InitialUeMessage { enb_ue_id, nas, .. } => {
                self.enb_ue_id = enb_ue_id;
                self.mme_ue_id += 1;
                nas
            }
            Message::UplinkNasTransport {
                enb_ue_id,
                mme_ue_id,
                nas,
                ..
            } => {
                assert_eq!((enb_ue_id, mme_ue_id), (self.enb_ue_id, self.mme_ue_id));
                nas
            }
            other => panic!("{other:?}"),
        }
    }

    /// The next message of the UE; a ciphered one must pass the network's check.
    pub(crate) fn uplink_message(&mut self) -> Plain {
        let pdu = self.uplink();
        let plain = match plain_of_protected(&pdu) {
            Some(plain) => plain.to_vec(),
            None => self.open(&pdu),
        };
        decode_plain(&plain, Direction::Uplink).unwrap()
    }

    pub(crate) fn uplink_emm(&mut self) -> emm::Message {
        match self.uplink_message() {
            Plain::Emm(message) => message,
            Plain::Esm(message) => panic!("{message:?}"),
        }
    }

    fn open(&mut self, pdu: &[u8]) -> Vec<u8> {
        let context = self.context.as_mut().expect("a context");
        context.unprotect(Direction::Uplink, pdu).unwrap().plain
    }

    pub(crate) fn downlink(&mut self, nas: Vec<u8>) {
        let (enb_ue_id, mme_ue_id) = (self.enb_ue_id, self.mme_ue_id);
        self.input(Input::S1(Message::DownlinkNasTransport {
            enb_ue_id,
            mme_ue_id,
            nas,
        }));
    }

    pub(crate) fn send_plain(&mut self, message: &emm::Message) {
        self.downlink(message.encode());
    }

    pub(crate) fn send(&mut self, message: &emm::Message) {
        let pdu = self.protect(&message.encode());
        self.downlink(pdu);
    }

    pub(crate) fn protect(&mut self, plain: &[u8]) -> Vec<u8> {
        let context = self.context.as_mut().expect("a context");
        let header = SecurityHeader::IntegrityCiphered;
        context.protect(Direction::Downlink, header, plain).unwrap()
    }

    /// The MME releases the connection.
    pub(crate) fn release(&mut self) {
        let (enb_ue_id, mme_ue_id) = (self.enb_ue_id, self.mme_ue_id);
        self.input(Input::S1(Message::UeContextReleaseCommand {
            enb_ue_id,
            mme_ue_id,
            cause: ReleaseCause::NormalRelease,
        }));
        assert!(matches!(
            self.s1.pop_front(),
            Some(Message::UeContextReleaseComplete { .. })
        ));
    }

    /// Commands an attach and takes its request.
    pub(crate) fn request(&mut self) -> emm::AttachRequest {
        self.command(UeCommand::Attach);
        self.take_request()
    }

    pub(crate) fn take_request(&mut self) -> emm::AttachRequest {
        assert!(matches!(self.event(), Event::AttachStarted { .. }));
        let pdu = self.uplink();
        self.request = plain_of_protected(&pdu).unwrap().to_vec();
        match emm::decode(&self.request, Direction::Uplink) {
            Ok(emm::Message::AttachRequest(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn challenge_with(&self, rand: [u8; 16], seq: u64, amf: [u8; 2]) -> emm::Message {
        let [_, _, sqn @ ..] = (seq << 5).to_be_bytes();
        let hidden = self.milenage.f2345(&rand).3.xor(sqn);
        let mac = self.milenage.f1(&rand, sqn, amf);
        let autn = [&hidden[..], &amf, &mac].concat().try_into().unwrap();
        emm::Message::AuthenticationRequest(emm::AuthenticationRequest {
            ksi: self.ksi,
            rand,
            autn,
        })
    }

    /// A fresh challenge, and the KASME that goes with it.
    pub(crate) fn challenge(&mut self) -> emm::Message {
        let [.., low] = self.seq.to_be_bytes();
        let rand = [low; 16];
        let message = self.challenge_with(rand, self.seq, [0x80, 0]);
        self.seq += 1;
        let (_, ck, ik, _) = self.milenage.f2345(&rand);
        let emm::Message::AuthenticationRequest(request) = &message else {
            panic!();
        };
        let hidden = request.autn[..6].try_into().unwrap();
        self.kasme = Some(kdf::kasme(&ck, &ik, plmn(), hidden));
        message
    }

    pub(crate) fn authenticate(&mut self) {
        let challenge = self.challenge();
        self.send_plain(&challenge);
        assert_eq!(self.event(), Event::Authenticated);
        let emm::Message::AuthenticationRequest(request) = challenge else {
            panic!();
        };
        let emm::Message::AuthenticationResponse(response) = self.uplink_emm() else {
            panic!();
        };
        let (xres, ..) = self.milenage.f2345(&request.rand);
        assert!(response.res.is(xres.expose()));
    }

    pub(crate) fn command_message(&self) -> emm::SecurityModeCommand {
        emm::SecurityModeCommand {
            eia: 2,
            eea: 2,
            ksi: self.ksi,
            replayed_capability: UeSecurityCapability {
                eea: UeProfile::EEA_0_2,
                eia: UeProfile::EIA_2,
                uea_uia: None,
                gea: None,
            },
            imeisv_request: false,
            hash_mme: Some(kdf::hash_mme(&self.request)),
        }
    }

    /// Sends a command under the context that the last challenge made.
    pub(crate) fn send_command(&mut self, command: emm::SecurityModeCommand) {
        let kasme = self.kasme.as_ref().expect("a challenge");
        let mut context = NasSecurityContext::new(kasme, Eea::Eea2, Eia::Eia2, self.ksi);
        let plain = emm::Message::SecurityModeCommand(command).encode();
        let header = SecurityHeader::IntegrityNewContext;
        let pdu = context
            .protect(Direction::Downlink, header, &plain)
            .unwrap();
        self.context = Some(context);
        self.downlink(pdu);
    }

    pub(crate) fn security_mode(&mut self) {
        let command = self.command_message();
        self.send_command(command);
        let pdu = self.uplink();
        assert_eq!(
            pdu[0] >> 4,
            4,
            "integrity protected and ciphered, new context"
        );
        let plain = self.open(&pdu);
        let complete = emm::decode(&plain, Direction::Uplink).unwrap();
        let expected = emm::SecurityModeComplete {
            imeisv: None,
            replayed_nas: None,
        };
        assert_eq!(complete, emm::Message::SecurityModeComplete(expected));
        assert_eq!(
            self.event(),
            Event::SecurityModeCompleted { eea: 2, eia: 2 }
        );
    }

    pub(crate) fn esm_information(&mut self, pti: u8) {
        let message = esm::Message {
            ebi: 0,
            pti,
            body: Body::EsmInformationRequest,
        };
        let pdu = self.protect(&message.encode());
        self.downlink(pdu);
        let Plain::Esm(answer) = self.uplink_message() else {
            panic!();
        };
        let Body::EsmInformationResponse(response) = answer.body else {
            panic!();
        };
        assert_eq!(answer.pti, pti);
        assert_eq!(response.apn, Some("corp.example".parse().unwrap()));
        assert!(response.pco.is_some());
    }

    pub(crate) fn guti(&self) -> Guti {
        Guti {
            plmn: plmn(),
            mme_group_id: 1,
            mme_code: 1,
            m_tmsi: self.m_tmsi,
        }
    }

    pub(crate) fn accept_message(&self, pti: u8) -> emm::Message {
        let offer = Offer {
            dns_v4: &[HOST],
            mtu: Some(1_380),
            ..Offer::default()
        };
        let pco = Pco::request(1).answer(Form::Short, &offer).unwrap();
        let activate = esm::ActivateDefaultEpsBearerContextRequest {
            qos: EpsQos::non_gbr(Qci(9)),
            apn: "corp.example".parse().unwrap(),
            pdn_address: PdnAddress::V4(ADDRESS),
            apn_ambr: None,
            esm_cause: None,
            pco: Some(pco.encode()),
        };
        let container = esm::Message {
            ebi: 5,
            pti,
            body: Body::ActivateDefaultEpsBearerContextRequest(activate),
        };
        let tais = TaiList::new([self.enb.config().tai].into()).unwrap();
        let t3412 = GprsTimer::from_duration(Duration::from_mins(54));
        let mut accept = emm::AttachAccept::new(t3412, tais, container.encode());
        accept.guti = Some(self.guti());
        emm::Message::AttachAccept(accept)
    }

    pub(crate) fn sgw() -> Endpoint {
        Endpoint {
            teid: Teid::new(0xabcd).unwrap(),
            address: "127.0.2.1:2152".parse::<SocketAddr>().unwrap(),
        }
    }

    /// Sets the bearer up with the ATTACH ACCEPT, and expects everything that follows.
    pub(crate) fn accept(&mut self, pti: u8) {
        let accept = self.accept_message(pti);
        let nas = self.protect(&accept.encode());
        let bps = 1_000_000;
        self.input(Input::S1(Message::InitialContextSetupRequest {
            enb_ue_id: self.enb_ue_id,
            mme_ue_id: self.mme_ue_id,
            ebi: Ebi::FIRST,
            sgw_f_teid: Self::sgw(),
            nas,
            ue_ambr: Ambr {
                uplink_bps: bps,
                downlink_bps: bps,
            },
            qci: Qci(9),
            arp: Arp {
                priority_level: 8,
                may_preempt: false,
                may_be_preempted: true,
            },
        }));
        let Some(Message::InitialContextSetupResponse { enb_f_teid, .. }) = self.s1.pop_front()
        else {
            panic!();
        };
        assert_eq!(Some(enb_f_teid.teid), self.enb.downlink_teid(UE));
        let emm::Message::AttachComplete(complete) = self.uplink_emm() else {
            panic!();
        };
        // EBI 5, no PTI, ACTIVATE DEFAULT EPS BEARER CONTEXT ACCEPT.
        assert_eq!(complete.esm_container, [0x52, 0, 0xc2]);
        match self.event() {
            Event::Attached {
                ip: Some(ADDRESS),
                ebi: 5,
                guti,
                dns,
                ..
            } => assert_eq!((guti, dns), (Some(self.guti()), Vec::from([HOST]))),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn secured(&mut self) -> u8 {
        let request = self.request();
        self.authenticate();
        self.security_mode();
        pti(&request)
    }

    /// A whole attach.
    pub(crate) fn attach(&mut self) {
        let pti = self.secured();
        self.esm_information(pti);
        self.accept(pti);
        self.no_event();
        self.silent();
    }

    /// An ATTACH REJECT with or without a MAC.
    pub(crate) fn reject(&mut self, cause: u8, protected: bool) -> emm::AttachReject {
        let reject = emm::AttachReject::new(EmmCause(cause));
        self.send_reject(reject.clone(), protected);
        reject
    }

    pub(crate) fn send_reject(&mut self, reject: emm::AttachReject, protected: bool) {
        let message = emm::Message::AttachReject(reject);
        if protected {
            self.send(&message);
        } else {
            self.send_plain(&message);
        }
    }
}

/// The procedure transaction of the PDN CONNECTIVITY REQUEST inside.
pub(crate) fn pti(request: &emm::AttachRequest) -> u8 {
    esm::header(&request.esm_container).unwrap().pti
}
