//! Security mode control, TS 24.301 §5.4.3: the keys of the challenge are taken into use.

use alloc::vec::Vec;

use heiiki_nas::emm::{self, EmmCause, SecurityModeCommand, SecurityModeComplete};
use heiiki_nas::security::{Eea, Eia, NasSecurityContext, SecurityHeader};

use super::{Security, Step, UeId, fsm};
use crate::event::Event;
use crate::node::Mme;
use crate::s1::ReleaseCause;
use crate::timers::Timer;

impl Mme {
    /// RES was right: the new context, and the command that takes it into use.
    pub(crate) fn secure(&mut self, id: UeId) {
        // There is no EIA0 among the algorithms, so none of the lists can choose it.
        let eias: Vec<_> = self
            .config
            .eia_preference
            .iter()
            .filter_map(|n| Eia::from_id(*n))
            .collect();
        let eeas: Vec<_> = self
            .config
            .eea_preference
            .iter()
            .filter_map(|n| Eea::from_id(*n))
            .collect();
        let Some(ue) = self.ues.get_mut(&id) else {
            return;
        };
        let Some(attach) = ue.attach() else { return };
        let Step::Authenticate(challenge) = &attach.step else {
            return;
        };
        let capability = attach.capability.clone();
        let (Some(eia), Some(eea)) = (
            Eia::select(&eias, &capability),
            Eea::select(&eeas, &capability),
        ) else {
            return self.reject(id, EmmCause::SECURITY_CAPABILITIES_MISMATCH);
        };
        let ksi = challenge.ksi;
        let command = SecurityModeCommand {
            eia: eia.id(),
            eea: eea.id(),
            ksi,
            replayed_capability: attach.replay,
            imeisv_request: self.config.ask_imeisv,
            hash_mme: attach.hash,
        };
        let context = NasSecurityContext::new(&challenge.vector.kasme, eea, eia, ksi);
        let (eia, eea) = (eia.id(), eea.id());
        ue.security = Some(Security {
            context,
            ksi,
            capability,
            eia,
            eea,
        });
        self.step(id, fsm::Event::ChallengePassed, Step::Secure);
        let plain = emm::Message::SecurityModeCommand(command).encode();
        let header = SecurityHeader::IntegrityNewContext;
        self.start_timer(id, Timer::T3460, Some((header, plain.clone())));
        self.send_plain(id, header, plain);
    }

    /// The message carried a valid MAC of the new context: the UE is who it says it is.
    pub(crate) fn security_mode_complete(&mut self, id: UeId, message: &SecurityModeComplete) {
        let Some(ue) = self.ues.get_mut(&id) else {
            return;
        };
        let Some(imsi) = ue.imsi else { return };
        let Some(attach) = ue.attach() else { return };
        let transfer = attach.esm.transfer;
        ue.secure = true;
        if let Some(imei) = message.imeisv.and_then(|i| i.imei()) {
            ue.imei = Some(imei);
        }
        let algorithms = ue.security.as_ref().map(|s| (s.eia, s.eea));
        self.stop_timer(id);
        self.prove(id);
        if let Some((eia, eea)) = algorithms {
            self.event(Event::SecurityActivated { imsi, eia, eea });
        }
        if transfer {
            self.step(id, fsm::Event::EsmNeeded, Step::AskEsm);
            self.ask_esm(id);
        } else {
            self.step(id, fsm::Event::EsmKnown, Step::Locate);
            self.check_equipment(id);
        }
    }

    /// The UE does not take the command: it cannot be told anything that it would believe.
    pub(crate) fn security_mode_reject(&mut self, id: UeId, _cause: EmmCause) {
        let Some(ue) = self.ues.get(&id) else { return };
        if !matches!(ue.attach().map(|a| &a.step), Some(Step::Secure)) {
            return;
        }
        let imsi = ue.imsi;
        self.event(Event::AttachAborted {
            imsi,
            why: "SECURITY MODE REJECT",
        });
        self.end_attempt(id, ReleaseCause::NormalRelease);
    }
}
