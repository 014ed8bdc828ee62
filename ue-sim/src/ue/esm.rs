//! Session management of the one default bearer, TS 24.301 §6.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use heiiki_gtp::pco::Pco;
use heiiki_nas::esm::{self, Body, EsmCause};
use heiiki_nas::{PdnType, RequestType, emm};
use heiiki_types::Apn;

use super::{Context, EmmState, Ue, drain};
use crate::event::Event;
use crate::stack::{Settings, Stack};

/// The default bearer.
#[derive(Debug)]
pub(super) struct Bearer {
    pub(super) ebi: u8,
    pub(super) apn: Apn,
    pub(super) dns: Vec<Ipv4Addr>,
    /// The IP host; none without an IPv4 address.
    pub(super) stack: Option<Stack>,
}

impl Ue {
    /// §6.5.1.2: the request inside the ATTACH REQUEST. It travels without ciphering, so it says
    /// no APN; the network asks for that later.
    pub(super) fn pdn_connectivity_request(&mut self) -> esm::Message {
        // 1 to 254, TS 24.007 §11.2.3.1a.
        self.pti = self.pti % 254 + 1;
        let later = self.profile.esm_information_transfer || self.apn.is_some();
        esm::Message {
            ebi: 0,
            pti: self.pti,
            body: Body::PdnConnectivityRequest(esm::PdnConnectivityRequest {
                request_type: RequestType::INITIAL,
                pdn_type: PdnType::V4,
                esm_info_transfer: later,
                apn: None,
                pco: (!later).then(|| self.options()),
            }),
        }
    }

    fn options(&self) -> Vec<u8> {
        Pco::request(self.pti).encode()
    }

    pub(super) fn handle_esm(&mut self, cx: &mut Context<'_>, message: &esm::Message) {
        match &message.body {
            Body::EsmInformationRequest if message.pti == self.pti => {
                let response = Body::EsmInformationResponse(esm::EsmInformationResponse {
                    apn: self.apn.clone(),
                    pco: Some(self.options()),
                });
                self.send_esm(cx, 0, message.pti, response);
            }
            Body::EsmInformationRequest => self.esm_status(cx, message, EsmCause::PTI_MISMATCH),
            Body::DeactivateEpsBearerContextRequest(_) => self.deactivate(cx, message),
            Body::EsmStatus(_) => cx.dropped("ESM STATUS"),
            _ => {
                cx.dropped("unexpected message");
                self.esm_status(cx, message, EsmCause::MESSAGE_TYPE_UNKNOWN);
            }
        }
    }

    fn send_esm(&mut self, cx: &mut Context<'_>, ebi: u8, pti: u8, body: Body) {
        let message = esm::Message { ebi, pti, body };
        self.send_octets(cx, &message.encode());
    }

    fn esm_status(&mut self, cx: &mut Context<'_>, about: &esm::Message, cause: EsmCause) {
        let status = Body::EsmStatus(esm::EsmStatus { cause });
        self.send_esm(cx, about.ebi, about.pti, status);
    }

    /// §6.4.1.3: the bearer of an ATTACH ACCEPT, and the ATTACH COMPLETE that takes it.
    pub(super) fn activate(
        &mut self,
        cx: &mut Context<'_>,
        message: esm::Message,
    ) -> Option<(Box<Bearer>, emm::Message)> {
        let Body::ActivateDefaultEpsBearerContextRequest(request) = message.body else {
            return None;
        };
        if message.pti != self.pti || !(5..=15).contains(&message.ebi) {
            return None;
        }
        let options = request.pco.as_deref().and_then(|p| Pco::decode(p).ok());
        let options = options.unwrap_or_default();
        let dns = options.dns_v4();
        let mtu = options.ipv4_link_mtu().unwrap_or(self.profile.mtu);
        let address = request.pdn_address.v4().filter(|a| !a.is_unspecified());
        let stack = address.map(|address| {
            let dns = dns.clone();
            let settings = Settings { address, dns, mtu };
            Stack::new(cx.now, settings, &self.profile, cx.rng.next_u64())
        });
        let bearer = Bearer {
            ebi: message.ebi,
            apn: request.apn,
            dns,
            stack,
        };
        let complete = attach_complete(bearer.ebi);
        Some((Box::new(bearer), complete))
    }

    /// The ATTACH COMPLETE for a repeated ATTACH ACCEPT of the bearer that the UE has.
    pub(super) fn same_bearer(&self, message: Option<esm::Message>) -> Option<emm::Message> {
        let (message, bearer) = (message?, self.bearer.as_ref()?);
        (message.ebi == bearer.ebi && message.pti == self.pti).then(|| attach_complete(bearer.ebi))
    }

    /// §6.4.4.3. Without its only bearer the UE has no reason to stay: it leaves and, if told so by
    /// cause #39, the lab's next attach brings it back.
    fn deactivate(&mut self, cx: &mut Context<'_>, message: &esm::Message) {
        if self.bearer.as_ref().is_none_or(|b| b.ebi != message.ebi) {
            return self.esm_status(cx, message, EsmCause::INVALID_EPS_BEARER_IDENTITY);
        }
        let accept = esm::DeactivateEpsBearerContextAccept { pco: None };
        let accept = Body::DeactivateEpsBearerContextAccept(accept);
        self.send_esm(cx, message.ebi, message.pti, accept);
        self.drop_bearer(cx);
        if self.state == EmmState::Registered {
            self.detach(cx, false);
        }
    }

    /// The bearer, and everything open on it, ends here and now.
    pub(super) fn drop_bearer(&mut self, cx: &mut Context<'_>) {
        let Some(bearer) = self.bearer.take() else {
            return;
        };
        if let Some(mut stack) = bearer.stack {
            stack.shut_down();
            drain(&mut stack, cx);
        }
        cx.event(Event::BearerReleased);
    }
}

fn attach_complete(ebi: u8) -> emm::Message {
    let accept = esm::ActivateDefaultEpsBearerContextAccept { pco: None };
    let esm_container = esm::Message {
        ebi,
        pti: 0,
        body: Body::ActivateDefaultEpsBearerContextAccept(accept),
    }
    .encode();
    emm::Message::AttachComplete(emm::AttachComplete { esm_container })
}
