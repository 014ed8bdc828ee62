//! The authentication procedure, TS 24.301 §5.4.2.

use alloc::boxed::Box;

use heiiki_mme::s1::ReleaseCause;
use heiiki_nas::{Res, emm, kdf};

use super::{Challenge, Context, EmmState, Partial, Ue};
use crate::event::Event;
use crate::timers::Timer;
use crate::usim::Refusal;

/// Refused challenges in a row after which the network counts as not genuine, §5.4.2.7.
const REFUSALS_MAX: u8 = 3;

impl Ue {
    /// §5.4.2.3.
    pub(super) fn challenged(
        &mut self,
        cx: &mut Context<'_>,
        request: &emm::AuthenticationRequest,
    ) {
        if self.state == EmmState::Deregistered || request.ksi.value() == 7 {
            return cx.dropped("unexpected message");
        }
        self.timers.stop(Timer::T3418);
        self.timers.stop(Timer::T3420);
        let again = self.challenge.as_ref().filter(|c| c.rand == request.rand);
        if let Some(challenge) = again {
            // The network did not see the answer; the USIM would call the repetition stale.
            let res = challenge.res.clone();
            return self.respond(cx, res);
        }
        match self.usim.authenticate(&request.rand, &request.autn) {
            Ok(response) => {
                let kasme =
                    kdf::kasme(&response.ck, &response.ik, cx.tai.plmn, response.sqn_xor_ak);
                let Some(res) = Res::new(response.res.expose()) else {
                    return;
                };
                let ksi = request.ksi;
                self.partial = Some(Box::new(Partial { kasme, ksi }));
                self.challenge = Some(Box::new(Challenge {
                    rand: request.rand,
                    res: res.clone(),
                }));
                self.refused_challenges = 0;
                self.start(cx, Timer::T3416);
                cx.event(Event::Authenticated);
                self.respond(cx, res);
                self.resume_supervision(cx);
            }
            Err(refusal) => self.refuse_challenge(cx, refusal),
        }
    }

    fn respond(&mut self, cx: &mut Context<'_>, res: Res) {
        let response = emm::AuthenticationResponse { res };
        self.send(cx, &emm::Message::AuthenticationResponse(response));
    }

    /// §5.4.2.6 and §5.4.2.7, items c, d and e.
    fn refuse_challenge(&mut self, cx: &mut Context<'_>, refusal: Refusal) {
        self.challenge = None;
        for timer in [Timer::T3416, Timer::T3410, Timer::T3421] {
            self.timers.stop(timer);
        }
        let cause = refusal.emm_cause();
        cx.event(Event::AuthenticationFailed { cause });
        let (auts, timer) = match refusal {
            Refusal::SyncFailure { auts } => (Some(auts), Timer::T3420),
            Refusal::MacFailure | Refusal::SeparationBit => (None, Timer::T3418),
        };
        let failure = emm::AuthenticationFailure {
            cause: emm::EmmCause(cause),
            auts,
        };
        self.send(cx, &emm::Message::AuthenticationFailure(failure));
        self.refused_challenges += 1;
        if self.refused_challenges >= REFUSALS_MAX {
            self.network_not_genuine(cx);
        } else {
            self.start(cx, timer);
        }
    }

    /// §5.4.2.7, item f: the UE leaves the cell. The procedure that the challenge belonged to ends
    /// as with any loss of the connection.
    pub(super) fn network_not_genuine(&mut self, cx: &mut Context<'_>) {
        self.release(cx, ReleaseCause::AuthenticationFailure);
        match self.state {
            EmmState::RegisteredInitiated => self.attach_failed(cx, "authentication"),
            EmmState::DeregisteredInitiated => self.detach_ended(cx),
            _ => {}
        }
    }

    /// The supervision that a refused challenge stopped runs again.
    fn resume_supervision(&mut self, cx: &Context<'_>) {
        let timer = match self.state {
            EmmState::RegisteredInitiated => Timer::T3410,
            EmmState::DeregisteredInitiated => Timer::T3421,
            _ => return,
        };
        if !self.timers.is_running(timer) {
            self.start(cx, timer);
        }
    }

    /// §5.4.2.5; §5.4.2.7, item l.
    pub(super) fn authentication_rejected(&mut self, cx: &mut Context<'_>, protected: bool) {
        let expected = [Timer::T3416, Timer::T3418, Timer::T3420]
            .into_iter()
            .any(|t| self.timers.is_running(t));
        if !protected && !expected {
            return cx.dropped("unexpected message");
        }
        cx.event(Event::AuthenticationRejected { protected });
        self.drop_bearer(cx);
        self.abort_attach();
        self.usim_refused(cx, protected);
        self.start(cx, Timer::T3440);
        self.announce_restriction(cx);
    }
}
