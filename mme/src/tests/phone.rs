//! A UE with a USIM that believes every challenge, and that does what a test tells it.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use heiiki_diameter::s6a::EutranVector;
use heiiki_nas::emm::{self, EmmCause, Message};
use heiiki_nas::esm;
use heiiki_nas::ie::{
    EpsMobileIdentity, Ksi, MobileIdentity, PdnType, RequestType, Res, UeNetworkCapability,
};
use heiiki_nas::security::{
    Eea, Eia, NasSecurityContext, SecurityHeader, peek_header, plain_of_protected,
};
use heiiki_nas::{Direction, kdf};
use heiiki_types::{Apn, Guti, Imsi};

/// What the USIM does with a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usim {
    Right,
    Wrong,
    MacFailure,
    SynchFailure([u8; 14]),
    NonEps,
    Silent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SecurityModeAnswer {
    Complete,
    Reject,
    Silent,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a habit that a test switches off by itself"
)]
pub(super) struct Phone {
    pub(super) imsi: Imsi,
    pub(super) guti: Option<Guti>,
    pub(super) ksi: Ksi,
    pub(super) context: Option<NasSecurityContext>,
    pub(super) mme_ue_id: Option<u32>,
    pub(super) capability: UeNetworkCapability,
    pub(super) attach_type: u8,
    pub(super) pdn_type: PdnType,
    pub(super) apn: Option<Apn>,
    pub(super) hide_esm: bool,
    /// What it says when it is asked who it is; nothing when `None`.
    pub(super) identity: Option<MobileIdentity>,
    pub(super) usim: VecDeque<Usim>,
    pub(super) security_mode: SecurityModeAnswer,
    pub(super) completes: bool,
    pub(super) accepts_bearer: bool,
    pub(super) answers_esm: bool,
    pub(super) accepts_detach: bool,
    /// Everything that came, and how it was protected.
    pub(super) received: Vec<(SecurityHeader, Message)>,
    pub(super) received_esm: Vec<esm::Message>,
    challenge: Option<Ksi>,
}

impl Phone {
    pub(super) fn new(imsi: Imsi) -> Self {
        Self {
            imsi,
            guti: None,
            ksi: Ksi::NO_KEY,
            context: None,
            mme_ue_id: None,
            capability: UeNetworkCapability {
                eea: 0xe0,
                eia: 0xe0,
                rest: Vec::new(),
            },
            attach_type: emm::AttachRequest::EPS_ATTACH,
            pdn_type: PdnType::V4,
            apn: None,
            hide_esm: false,
            identity: Some(MobileIdentity::Imsi(imsi)),
            usim: VecDeque::new(),
            security_mode: SecurityModeAnswer::Complete,
            completes: true,
            accepts_bearer: true,
            answers_esm: true,
            accepts_detach: true,
            received: Vec::new(),
            received_esm: Vec::new(),
            challenge: None,
        }
    }

    /// ATTACH REQUEST: with the GUTI and a MAC when there are a GUTI and a context.
    pub(super) fn attach_request(&mut self) -> Vec<u8> {
        let identity = self
            .guti
            .map_or(EpsMobileIdentity::Imsi(self.imsi), EpsMobileIdentity::Guti);
        let body = esm::Body::PdnConnectivityRequest(esm::PdnConnectivityRequest {
            request_type: RequestType::INITIAL,
            pdn_type: self.pdn_type,
            esm_info_transfer: self.hide_esm,
            apn: self.apn.clone().filter(|_| !self.hide_esm),
            pco: None,
        });
        let container = esm::Message {
            ebi: 0,
            pti: 1,
            body,
        }
        .encode();
        let mut request = emm::AttachRequest::new(identity, self.capability.clone(), container);
        request.attach_type = self.attach_type;
        request.ksi = self.ksi;
        let plain = Message::AttachRequest(request).encode();
        match &mut self.context {
            Some(context) if self.guti.is_some() => context
                .protect(Direction::Uplink, SecurityHeader::Integrity, &plain)
                .unwrap(),
            _ => plain,
        }
    }

    pub(super) fn detach_request(&mut self, switch_off: bool) -> Vec<u8> {
        let identity = self
            .guti
            .map_or(EpsMobileIdentity::Imsi(self.imsi), EpsMobileIdentity::Guti);
        let detach_type = emm::UeDetachType::Eps;
        let request = emm::DetachRequestFromUe {
            switch_off,
            detach_type,
            ksi: self.ksi,
            identity,
        };
        let plain = Message::DetachRequestFromUe(request).encode();
        self.protect(SecurityHeader::Integrity, &plain)
    }

    pub(super) fn protect(&mut self, header: SecurityHeader, plain: &[u8]) -> Vec<u8> {
        match &mut self.context {
            Some(context) => context.protect(Direction::Uplink, header, plain).unwrap(),
            None => plain.to_vec(),
        }
    }

    /// Takes a downlink NAS PDU, answers it.
    pub(super) fn downlink(
        &mut self,
        pdu: &[u8],
        vector: Option<&EutranVector>,
    ) -> Option<Vec<u8>> {
        let header = peek_header(pdu).unwrap().security_header;
        let plain = match header {
            SecurityHeader::Plain => pdu.to_vec(),
            SecurityHeader::IntegrityNewContext => {
                return self.security_mode_command(pdu, vector.unwrap());
            }
            _ => {
                self.context
                    .as_mut()
                    .unwrap()
                    .unprotect(Direction::Downlink, pdu)
                    .unwrap()
                    .plain
            }
        };
        if plain[0] & 15 == esm::PROTOCOL_DISCRIMINATOR {
            let message = esm::decode(&plain, Direction::Downlink).unwrap();
            self.received_esm.push(message.clone());
            return match message.body {
                esm::Body::EsmInformationRequest if self.answers_esm => {
                    Some(self.esm_information(message.pti))
                }
                _ => None,
            };
        }
        let message = emm::decode(&plain, Direction::Downlink).unwrap();
        self.received.push((header, message.clone()));
        self.answer(message, vector)
    }

    fn esm_information(&mut self, pti: u8) -> Vec<u8> {
        let answer = esm::EsmInformationResponse {
            apn: self.apn.clone(),
            pco: None,
        };
        let body = esm::Body::EsmInformationResponse(answer);
        let plain = esm::Message { ebi: 0, pti, body }.encode();
        self.protect(SecurityHeader::IntegrityCiphered, &plain)
    }

    fn answer(&mut self, message: Message, vector: Option<&EutranVector>) -> Option<Vec<u8>> {
        match message {
            Message::IdentityRequest(_) => {
                let identity = self.identity?;
                Some(Message::IdentityResponse(emm::IdentityResponse { identity }).encode())
            }
            Message::AuthenticationRequest(request) => {
                self.challenge = Some(request.ksi);
                self.authenticate(vector.unwrap())
            }
            Message::AttachAccept(accept) => {
                self.guti = accept.guti;
                let body = if self.accepts_bearer {
                    let pco = None;
                    esm::Body::ActivateDefaultEpsBearerContextAccept(
                        esm::ActivateDefaultEpsBearerContextAccept { pco },
                    )
                } else {
                    let (cause, pco) = (esm::EsmCause(26), None);
                    esm::Body::ActivateDefaultEpsBearerContextReject(
                        esm::ActivateDefaultEpsBearerContextReject { cause, pco },
                    )
                };
                let esm_container = esm::Message {
                    ebi: 5,
                    pti: 0,
                    body,
                }
                .encode();
                let complete = Message::AttachComplete(emm::AttachComplete { esm_container });
                let header = SecurityHeader::IntegrityCiphered;
                self.completes
                    .then(|| self.protect(header, &complete.encode()))
            }
            Message::DetachRequestToUe(_) if self.accepts_detach => {
                let plain = Message::DetachAccept.encode();
                Some(self.protect(SecurityHeader::IntegrityCiphered, &plain))
            }
            _ => None,
        }
    }

    fn authenticate(&mut self, vector: &EutranVector) -> Option<Vec<u8>> {
        let failure = |cause, auts| {
            let m = emm::AuthenticationFailure { cause, auts };
            Some(Message::AuthenticationFailure(m).encode())
        };
        match self.usim.pop_front().unwrap_or(Usim::Right) {
            Usim::Right => {
                let res = Res::new(vector.xres.expose()).unwrap();
                Some(Message::AuthenticationResponse(emm::AuthenticationResponse { res }).encode())
            }
            Usim::Wrong => {
                let mut octets = vector.xres.expose().to_vec();
                octets[7] ^= 1;
                let res = Res::new(&octets).unwrap();
                Some(Message::AuthenticationResponse(emm::AuthenticationResponse { res }).encode())
            }
            Usim::MacFailure => failure(EmmCause::MAC_FAILURE, None),
            Usim::SynchFailure(auts) => failure(EmmCause::SYNCH_FAILURE, Some(auts)),
            Usim::NonEps => failure(EmmCause::NON_EPS_AUTHENTICATION_UNACCEPTABLE, None),
            Usim::Silent => None,
        }
    }

    fn security_mode_command(&mut self, pdu: &[u8], vector: &EutranVector) -> Option<Vec<u8>> {
        let plain = plain_of_protected(pdu).unwrap();
        let message = emm::decode(plain, Direction::Downlink).unwrap();
        let Message::SecurityModeCommand(command) = &message else {
            panic!("not a SECURITY MODE COMMAND: {message:?}");
        };
        assert_eq!(command.replayed_capability.eea, self.capability.eea);
        assert_eq!(command.replayed_capability.eia, self.capability.eia);
        assert_ne!(command.eia, 0);
        assert_eq!(Some(command.ksi), self.challenge);
        let (eea, eia) = (
            Eea::from_id(command.eea).unwrap(),
            Eia::from_id(command.eia).unwrap(),
        );
        let mut context = NasSecurityContext::new(&vector.kasme, eea, eia, command.ksi);
        context.unprotect(Direction::Downlink, pdu).unwrap();
        self.ksi = command.ksi;
        self.received
            .push((SecurityHeader::IntegrityNewContext, message.clone()));
        match self.security_mode {
            SecurityModeAnswer::Silent => return None,
            SecurityModeAnswer::Reject => {
                let cause = EmmCause::SECURITY_CAPABILITIES_MISMATCH;
                return Some(
                    Message::SecurityModeReject(emm::SecurityModeReject { cause }).encode(),
                );
            }
            SecurityModeAnswer::Complete => {}
        }
        let imeisv = "3534900698733190"
            .parse()
            .ok()
            .filter(|_| command.imeisv_request);
        let complete = emm::SecurityModeComplete {
            imeisv,
            replayed_nas: None,
        };
        let plain = Message::SecurityModeComplete(complete).encode();
        self.context = Some(context);
        Some(self.protect(SecurityHeader::IntegrityCipheredNewContext, &plain))
    }

    /// The last message of a kind.
    pub(super) fn last(&self) -> &(SecurityHeader, Message) {
        self.received.last().expect("nothing came")
    }

    pub(super) fn hash_of(pdu: &[u8]) -> [u8; 8] {
        kdf::hash_mme(plain_of_protected(pdu).unwrap())
    }
}
