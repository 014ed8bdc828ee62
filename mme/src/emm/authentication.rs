//! Authentication, TS 24.301 §5.4.2: the challenge, and what the UE may answer.

use alloc::boxed::Box;

use heiiki_diameter::s6a::EutranVector;
use heiiki_nas::emm::{self, AuthenticationRequest, EmmCause};
use heiiki_nas::ie::{Ksi, Res};
use heiiki_nas::security::SecurityHeader;

use super::{Challenge, Step, UeId, fsm};
use crate::event::Event;
use crate::node::Mme;
use crate::s1::ReleaseCause;
use crate::timers::Timer;

impl Mme {
    /// The HSS gave a vector.
    pub(crate) fn challenge(&mut self, id: UeId, vector: EutranVector) {
        let Some(ue) = self.ues.get(&id) else { return };
        let Some(attach) = ue.attach() else { return };
        // A key set identifier that neither the UE nor a stored context has (§5.4.2.4).
        let stored = ue.imsi.and_then(|imsi| self.by_imsi.get(&imsi));
        let stored = stored.and_then(|id| self.ues.get(id)?.security.as_ref());
        let stored = stored.map_or(Ksi::NO_KEY, |s| s.ksi);
        let mut ksi = attach.ksi.next();
        if ksi == stored {
            ksi = ksi.next();
        }
        if ksi == attach.ksi {
            ksi = ksi.next();
        }
        let (rand, autn) = (vector.rand, vector.autn);
        let challenge = Box::new(Challenge { vector, ksi });
        self.step(id, fsm::Event::VectorGiven, Step::Authenticate(challenge));
        let request = AuthenticationRequest { ksi, rand, autn };
        let plain = emm::Message::AuthenticationRequest(request).encode();
        self.start_timer(
            id,
            Timer::T3460,
            Some((SecurityHeader::Plain, plain.clone())),
        );
        self.send_plain(id, SecurityHeader::Plain, plain);
    }

    pub(crate) fn authentication_response(&mut self, id: UeId, res: &Res) {
        let Some(ue) = self.ues.get_mut(&id) else {
            return;
        };
        let Some(imsi) = ue.imsi else { return };
        let Some(Step::Authenticate(challenge)) = ue.attach().map(|a| &a.step) else {
            return;
        };
        // In constant time: the comparison tells nothing about how much of RES was right.
        let right = challenge.vector.xres.matches(res.expose());
        self.stop_timer(id);
        if right {
            self.secure(id);
        } else {
            self.event(Event::WrongResponse { imsi });
            self.reject_authentication(id);
        }
    }

    pub(crate) fn authentication_failure(
        &mut self,
        id: UeId,
        cause: EmmCause,
        auts: Option<[u8; 14]>,
    ) {
        let Some(ue) = self.ues.get_mut(&id) else {
            return;
        };
        let Some(imsi) = ue.imsi else { return };
        let Some(attach) = ue.attach_mut() else {
            return;
        };
        let Step::Authenticate(challenge) = &attach.step else {
            return;
        };
        let rand = challenge.vector.rand;
        let again = !attach.identified;
        let resynchronise =
            auts.filter(|_| cause == EmmCause::SYNCH_FAILURE && !attach.resynchronised);
        match resynchronise {
            Some(_) => attach.resynchronised = true,
            None => attach.identified = true,
        }
        self.stop_timer(id);
        self.event(Event::AuthenticationFailed {
            imsi,
            cause: cause.0,
        });
        if let Some(auts) = resynchronise {
            let mut info = [0; 30];
            for (to, from) in info.iter_mut().zip(rand.iter().chain(&auts)) {
                *to = *from;
            }
            self.step(id, fsm::Event::SynchFailure, Step::Vector);
            return self.ask_vector(id, Some(info));
        }
        let doubtful = matches!(
            cause,
            EmmCause::MAC_FAILURE | EmmCause::NON_EPS_AUTHENTICATION_UNACCEPTABLE
        );
        if doubtful && again {
            // Perhaps the challenge was for somebody else (§5.4.2.7 c and d).
            let step = Step::Identify { failed: Some(imsi) };
            self.step(id, fsm::Event::IdentityNeeded, step);
            self.ask_identity(id);
        } else {
            self.reject_authentication(id);
        }
    }

    /// AUTHENTICATION REJECT, and the end of the attempt.
    pub(crate) fn reject_authentication(&mut self, id: UeId) {
        let imsi = self.ues.get(&id).and_then(|ue| ue.imsi);
        self.send_plain(
            id,
            SecurityHeader::Plain,
            emm::Message::AuthenticationReject.encode(),
        );
        if let Some(imsi) = imsi {
            self.event(Event::AuthenticationRejected { imsi });
        }
        self.end_attempt(id, ReleaseCause::AuthenticationFailure);
    }
}
