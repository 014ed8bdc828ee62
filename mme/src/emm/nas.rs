//! NAS messages of a connected UE: what is believed, and to which procedure it goes.

use alloc::vec::Vec;

use heiiki_nas::security::{
    SecurityHeader, peek_header, plain_of_protected, processed_unprotected,
};
use heiiki_nas::{Direction, emm, esm};
use heiiki_types::Imsi;

use super::{Step, UeId};
use crate::event::{self, Event};
use crate::node::{Mme, Output};
use crate::s1;

/// What a NAS PDU is called in reports.
fn name(plain: Option<&[u8]>) -> &'static str {
    let Some(plain) = plain else {
        return "protected";
    };
    let name = match plain.first().map(|o| o & 15) {
        Some(emm::PROTOCOL_DISCRIMINATOR) => emm::message_type(plain)
            .ok()
            .and_then(emm::MessageType::name),
        Some(esm::PROTOCOL_DISCRIMINATOR) => {
            esm::header(plain).ok().and_then(|h| h.message_type.name())
        }
        _ => None,
    };
    name.unwrap_or("undecodable")
}

impl Mme {
    pub(crate) fn report_nas(
        &mut self,
        id: UeId,
        imsi: Option<Imsi>,
        direction: event::Direction,
        wire: &[u8],
        plain: Option<&[u8]>,
    ) {
        let copy = plain.filter(|p| self.config.nas_copies && *p != wire);
        self.event(Event::Nas {
            mme_ue_id: id.0,
            imsi,
            direction,
            name: name(plain),
            wire: wire.to_vec(),
            plain: copy.map(<[u8]>::to_vec),
        });
    }

    fn drop_nas(&mut self, id: UeId, why: &'static str) {
        let imsi = self.ues.get(&id).and_then(|ue| ue.imsi);
        self.event(Event::NasDropped {
            mme_ue_id: id.0,
            imsi,
            why,
        });
    }

    /// An UPLINK NAS TRANSPORT of the UE's own connection.
    pub(crate) fn uplink_nas(&mut self, id: UeId, pdu: &[u8]) {
        let Some(ue) = self.ues.get_mut(&id) else {
            return;
        };
        let imsi = ue.imsi;
        if pdu.len() > self.config.limits.nas_octets {
            return self.drop_nas(id, "longer than the limit");
        }
        // Until SECURITY MODE COMPLETE the new context checks nothing but that message.
        let completes = matches!(ue.attach().map(|a| &a.step), Some(Step::Secure))
            && peek_header(pdu)
                .is_ok_and(|h| h.security_header == SecurityHeader::IntegrityCipheredNewContext);
        if !ue.secure && !completes {
            let plain = plain_of_protected(pdu);
            self.report_nas(id, imsi, event::Direction::Uplink, pdu, plain);
            return self.unverified_nas(id, plain);
        }
        let checked = match &mut ue.security {
            Some(security) => security.context.unprotect(Direction::Uplink, pdu),
            None => return self.drop_nas(id, "no security context"),
        };
        match checked {
            Ok(message) => {
                self.report_nas(
                    id,
                    imsi,
                    event::Direction::Uplink,
                    pdu,
                    Some(&message.plain),
                );
                self.verified_nas(id, &message.plain, completes);
            }
            Err(why) => {
                let plain = plain_of_protected(pdu);
                self.report_nas(id, imsi, event::Direction::Uplink, pdu, plain);
                match plain.filter(|_| !self.config.protections.nas_integrity) {
                    // The weakness that a scenario asks for.
                    Some(plain) => self.verified_nas(id, plain, false),
                    None => self.drop_nas(
                        id,
                        match why {
                            heiiki_nas::security::SecurityError::NotProtected => "not protected",
                            heiiki_nas::security::SecurityError::Mac => "wrong MAC",
                            heiiki_nas::security::SecurityError::Replay => "replayed",
                            heiiki_nas::security::SecurityError::Malformed => "malformed",
                        },
                    ),
                }
            }
        }
    }

    /// Before security only the messages of TS 24.301 §4.4.4.3 are looked at, and they concern
    /// nothing but the attempt on this very connection.
    fn unverified_nas(&mut self, id: UeId, plain: Option<&[u8]>) {
        let Some(plain) = plain else {
            return self.drop_nas(id, "ciphered before security is on");
        };
        let allowed =
            emm::message_type(plain).is_ok_and(|t| processed_unprotected(Direction::Uplink, t));
        if !allowed {
            return self.drop_nas(id, "not believed without security");
        }
        match emm::decode(plain, Direction::Uplink) {
            Ok(message) if message.may_be_unprotected(Direction::Uplink) => {
                self.emm_message(id, message);
            }
            Ok(_) => self.drop_nas(id, "not believed without security"),
            Err(_) => self.drop_nas(id, "malformed"),
        }
    }

    fn verified_nas(&mut self, id: UeId, plain: &[u8], completes: bool) {
        if plain
            .first()
            .is_some_and(|o| o & 15 == esm::PROTOCOL_DISCRIMINATOR)
            && !completes
        {
            return match esm::decode(plain, Direction::Uplink) {
                Ok(message) => self.esm_message(id, message),
                Err(_) => self.drop_nas(id, "malformed"),
            };
        }
        match emm::decode(plain, Direction::Uplink) {
            Ok(emm::Message::SecurityModeComplete(m)) if completes => {
                self.security_mode_complete(id, &m);
            }
            Ok(_) if completes => self.drop_nas(id, "not a SECURITY MODE COMPLETE"),
            Ok(message) => self.emm_message(id, message),
            Err(_) => self.drop_nas(id, "malformed"),
        }
    }

    fn emm_message(&mut self, id: UeId, message: emm::Message) {
        use emm::Message as M;
        match message {
            M::IdentityResponse(m) => self.identity_response(id, m.identity),
            M::AuthenticationResponse(m) => self.authentication_response(id, &m.res),
            M::AuthenticationFailure(m) => self.authentication_failure(id, m.cause, m.auts),
            M::SecurityModeReject(m) => self.security_mode_reject(id, m.cause),
            M::AttachComplete(m) => self.attach_complete(id, &m.esm_container),
            M::DetachRequestFromUe(m) => self.detach_by_ue(id, m.switch_off),
            M::DetachAccept => self.detach_accepted(id),
            M::AttachRequest(_) => {
                self.drop_nas(id, "an ATTACH REQUEST on a connection in use");
            }
            M::SecurityModeComplete(_) => self.drop_nas(id, "SECURITY MODE COMPLETE again"),
            M::EmmStatus(_) => {}
            _ => self.drop_nas(id, "not expected"),
        }
    }

    fn esm_message(&mut self, id: UeId, message: esm::Message) {
        use esm::Body as B;
        let (ebi, pti) = (message.ebi, message.pti);
        // One PDN connection to a UE: TS 24.301 Table 9.9.4.4.1 has the causes.
        let refusal = match message.body {
            B::EsmInformationResponse(m) => return self.esm_information(id, pti, m),
            B::PdnConnectivityRequest(_) => {
                let cause = esm::EsmCause(65);
                B::PdnConnectivityReject(esm::PdnConnectivityReject::new(cause))
            }
            B::PdnDisconnectRequest(_) => {
                let cause = esm::EsmCause(49);
                B::PdnDisconnectReject(esm::PdnDisconnectReject { cause, pco: None })
            }
            _ => return,
        };
        let plain = esm::Message {
            ebi,
            pti,
            body: refusal,
        }
        .encode();
        self.send_plain(id, SecurityHeader::IntegrityCiphered, plain);
    }

    /// Sends an EMM message: protected once security is on, plain before.
    pub(crate) fn send(&mut self, id: UeId, message: &emm::Message) {
        let secure = self.ues.get(&id).is_some_and(|ue| ue.secure);
        let header = if secure {
            SecurityHeader::IntegrityCiphered
        } else {
            SecurityHeader::Plain
        };
        self.send_plain(id, header, message.encode());
    }

    /// Sends a plain message under `header`, with the next COUNT if it is protected.
    pub(crate) fn send_plain(&mut self, id: UeId, header: SecurityHeader, plain: Vec<u8>) {
        let Some((link, nas)) = self.protect(id, header, plain) else {
            return;
        };
        let (enb_ue_id, mme_ue_id) = (link.enb_ue_id, id.0);
        let message = s1::Message::DownlinkNasTransport {
            enb_ue_id,
            mme_ue_id,
            nas,
        };
        self.output(Output::S1 {
            enb: link.enb,
            message,
        });
    }

    /// The PDU of a message to the UE, reported as sent, and where it goes.
    pub(crate) fn protect(
        &mut self,
        id: UeId,
        header: SecurityHeader,
        plain: Vec<u8>,
    ) -> Option<(super::S1Link, Vec<u8>)> {
        let ue = self.ues.get_mut(&id)?;
        let (link, imsi) = (ue.s1?, ue.imsi);
        if header == SecurityHeader::Plain {
            self.report_nas(id, imsi, event::Direction::Downlink, &plain, Some(&plain));
            return Some((link, plain));
        }
        let context = &mut ue.security.as_mut()?.context;
        let Ok(pdu) = context.protect(Direction::Downlink, header, &plain) else {
            self.drop_nas(id, "the COUNT of the security context is used up");
            return None;
        };
        self.report_nas(id, imsi, event::Direction::Downlink, &pdu, Some(&plain));
        Some((link, pdu))
    }
}
