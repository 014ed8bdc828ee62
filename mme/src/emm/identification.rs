//! Identification, TS 24.301 §5.4.4: the UE is asked for its IMSI.

use heiiki_nas::emm::{self, IdentityRequest};
use heiiki_nas::ie::{IdentityType, MobileIdentity};
use heiiki_nas::security::SecurityHeader;

use super::{Step, UeId, fsm};
use crate::node::Mme;
use crate::timers::Timer;

impl Mme {
    pub(crate) fn ask_identity(&mut self, id: UeId) {
        let request = IdentityRequest {
            identity_type: IdentityType::IMSI,
        };
        let plain = emm::Message::IdentityRequest(request).encode();
        self.start_timer(
            id,
            Timer::T3470,
            Some((SecurityHeader::Plain, plain.clone())),
        );
        self.send_plain(id, SecurityHeader::Plain, plain);
    }

    pub(crate) fn identity_response(&mut self, id: UeId, identity: MobileIdentity) {
        let Some(ue) = self.ues.get_mut(&id) else {
            return;
        };
        let Some(Step::Identify { failed }) = ue.attach().map(|a| &a.step) else {
            return;
        };
        let failed = *failed;
        let MobileIdentity::Imsi(imsi) = identity else {
            // Without an identity there is nobody to authenticate.
            return self.reject(id, emm::EmmCause::UE_IDENTITY_CANNOT_BE_DERIVED);
        };
        self.stop_timer(id);
        if failed == Some(imsi) {
            // The identity was right all along, so the challenge has really failed
            // (TS 24.301 §5.4.2.7 c).
            return self.reject_authentication(id);
        }
        if let Some(ue) = self.ues.get_mut(&id) {
            ue.imsi = Some(imsi);
        }
        self.step(id, fsm::Event::ImsiKnown, Step::Vector);
        self.ask_vector(id, None);
    }
}
