//! S1AP messages of the eNBs.

use alloc::vec::Vec;

use heiiki_nas::security::{SecurityHeader, peek_header, plain_of_protected};
use heiiki_nas::{Direction, emm};
use heiiki_types::{Ecgi, Tai};

use super::{Mme, Output};
use crate::emm::{S1Link, UeId};
use crate::event::{self, Event};
use crate::s1::{EnbId, Message, ReleaseCause};

impl Mme {
    pub(super) fn handle_s1(&mut self, enb: EnbId, message: Message) {
        let name = message.name();
        let (enb_ue_id, mme_ue_id) = match message {
            Message::InitialUeMessage {
                enb_ue_id,
                tai,
                ecgi,
                nas,
            } => {
                return self.initial_ue_message(S1Link { enb, enb_ue_id }, tai, ecgi, nas);
            }
            Message::UplinkNasTransport {
                enb_ue_id,
                mme_ue_id,
                ..
            }
            | Message::InitialContextSetupResponse {
                enb_ue_id,
                mme_ue_id,
                ..
            }
            | Message::InitialContextSetupFailure {
                enb_ue_id,
                mme_ue_id,
                ..
            }
            | Message::ErabReleaseResponse {
                enb_ue_id,
                mme_ue_id,
                ..
            }
            | Message::UeContextReleaseRequest {
                enb_ue_id,
                mme_ue_id,
                ..
            }
            | Message::UeContextReleaseComplete {
                enb_ue_id,
                mme_ue_id,
            } => (enb_ue_id, mme_ue_id),
            Message::DownlinkNasTransport { .. }
            | Message::InitialContextSetupRequest { .. }
            | Message::ErabReleaseCommand { .. }
            | Message::UeContextReleaseCommand { .. } => {
                let why = "a message that only the MME sends";
                return self.event(Event::S1Ignored { enb, name, why });
            }
        };
        let (id, link) = (UeId(mme_ue_id), S1Link { enb, enb_ue_id });
        // The pair must be the one of the connection: an eNB speaks for its own UEs only.
        if self.ues.get(&id).and_then(|ue| ue.s1) == Some(link) {
            self.handle_connected(id, message);
        } else if !matches!(message, Message::UeContextReleaseComplete { .. }) {
            let why = "no UE has this pair of identities";
            self.event(Event::S1Ignored { enb, name, why });
            // The eNB holds a UE that is not here, perhaps since before a restart.
            self.release_command(link, id, ReleaseCause::UnknownUeIds);
        }
    }

    fn handle_connected(&mut self, id: UeId, message: Message) {
        self.confirm_location(id);
        match message {
            Message::UplinkNasTransport { nas, tai, ecgi, .. } => {
                if let Some(ue) = self.ues.get_mut(&id) {
                    (ue.tai, ue.ecgi) = (Some(tai), Some(ecgi));
                }
                self.uplink_nas(id, &nas);
            }
            Message::InitialContextSetupResponse {
                ebi, enb_f_teid, ..
            } => {
                self.context_is_set_up(id, ebi, enb_f_teid);
            }
            Message::InitialContextSetupFailure { .. } => self.context_setup_failed(id),
            Message::UeContextReleaseRequest { cause, .. } => self.release_asked(id, cause),
            // The eNB ended the connection by itself.
            Message::UeContextReleaseComplete { .. } => self.connection_lost(id),
            _ => {}
        }
    }

    pub(crate) fn release_command(&mut self, link: S1Link, id: UeId, cause: ReleaseCause) {
        let message = Message::UeContextReleaseCommand {
            enb_ue_id: link.enb_ue_id,
            mme_ue_id: id.0,
            cause,
        };
        self.output(Output::S1 {
            enb: link.enb,
            message,
        });
    }

    fn initial_ue_message(&mut self, link: S1Link, tai: Tai, ecgi: Ecgi, pdu: Vec<u8>) {
        if let Some(id) = self.by_s1.get(&link).copied() {
            let repeated = self.ues.get(&id).and_then(|ue| ue.attach());
            if repeated.is_some_and(|attach| attach.pdu == pdu) {
                return self.attach_repeated(id);
            }
            // The eNB gave the identity to another connection: the former one is gone.
            self.connection_lost(id);
        }
        let place = (tai, ecgi);
        match self.read_initial(&pdu) {
            Ok(emm::Message::AttachRequest(request)) => {
                self.attach_request(link, place, pdu, request);
            }
            Ok(emm::Message::DetachRequestFromUe(request)) => {
                self.initial_detach(link, place, &pdu, &request);
            }
            Ok(_) => self.turn_away(link, &pdu, "no message that begins a procedure here"),
            Err(Unreadable::AttachRequest) => self.reject_unreadable(link, &pdu),
            Err(Unreadable::Other(why)) => self.turn_away(link, &pdu, why),
        }
    }

    /// Initial messages are never ciphered, so that they can be read before their context is
    /// known, TS 24.301 §4.4.5.
    fn read_initial(&self, pdu: &[u8]) -> Result<emm::Message, Unreadable> {
        if pdu.len() > self.config.limits.nas_octets {
            return Err(Unreadable::Other("longer than the limit"));
        }
        let header = peek_header(pdu).map_err(|_| Unreadable::Other("no NAS message"))?;
        let plain = match header.security_header {
            SecurityHeader::Plain | SecurityHeader::Integrity => plain_of_protected(pdu),
            _ => None,
        };
        let plain = plain.ok_or(Unreadable::Other("an initial message that cannot be read"))?;
        emm::decode(plain, Direction::Uplink).map_err(|_| match emm::message_type(plain) {
            Ok(emm::MessageType::ATTACH_REQUEST) => Unreadable::AttachRequest,
            _ => Unreadable::Other("a message that is malformed or not known"),
        })
    }

    /// Ends a connection that brought nothing of use.
    fn turn_away(&mut self, link: S1Link, pdu: &[u8], why: &'static str) {
        let id = self.new_ue_id();
        self.report_nas(
            id,
            None,
            event::Direction::Uplink,
            pdu,
            plain_of_protected(pdu),
        );
        self.event(Event::NasDropped {
            mme_ue_id: id.0,
            imsi: None,
            why,
        });
        self.release_command(link, id, ReleaseCause::NormalRelease);
    }

    fn reject_unreadable(&mut self, link: S1Link, pdu: &[u8]) {
        let id = self.new_ue_id();
        self.report_nas(
            id,
            None,
            event::Direction::Uplink,
            pdu,
            plain_of_protected(pdu),
        );
        let cause = emm::EmmCause::INVALID_MANDATORY_INFORMATION;
        self.reject_stranger((link, id), None, cause, None);
    }
}

enum Unreadable {
    AttachRequest,
    Other(&'static str),
}
