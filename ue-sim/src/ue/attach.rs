//! The attach procedure, TS 24.301 §5.5.1.2.

use alloc::vec::Vec;

use heiiki_mme::s1::ReleaseCause;
use heiiki_nas::{EpsMobileIdentity, Ksi, UeNetworkCapability, emm, esm};

use super::{Context, EmmState, Ue, UeOutput};
use crate::event::{Event, Restriction};
use crate::timers::Timer;

/// Attempts before the long pause, TS 24.301 §5.5.1.2.6.
pub(super) const ATTEMPTS_MAX: u8 = 5;

impl Ue {
    /// The lab wants an attach now.
    pub(super) fn attach_commanded(&mut self, cx: &mut Context<'_>) {
        let busy = matches!(
            self.state,
            EmmState::RegisteredInitiated | EmmState::DeregisteredInitiated
        );
        let restriction = self.restriction(cx.tai).map(|(why, _)| why);
        let restriction = restriction.or_else(|| busy.then_some(Restriction::Busy));
        if let Some(why) = restriction {
            return cx.event(Event::AttachNotStarted { why });
        }
        // A registered UE that attaches anew has lost its registration locally.
        self.drop_bearer(cx);
        self.attach(cx);
    }

    /// A timer ended a pause.
    pub(super) fn attach_if_automatic(&mut self, cx: &mut Context<'_>) {
        let ready = self.state == EmmState::Deregistered && self.restriction(cx.tai).is_none();
        if self.auto_retry && ready {
            self.attach(cx);
        }
    }

    /// The network asked for a new attach, and its connection is gone.
    pub(super) fn reattach(&mut self, cx: &mut Context<'_>) {
        self.reattach = false;
        self.attach_if_automatic(cx);
    }

    /// §5.5.1.2.2: always on a new connection.
    fn attach(&mut self, cx: &mut Context<'_>) {
        // Also when the UE has none: after a switch-off the network may not have released it yet.
        cx.out.push(UeOutput::Release(ReleaseCause::NormalRelease));
        self.connection_gone();
        self.timers.stop(Timer::T3411);
        self.timers.stop(Timer::T3402);
        self.reattach = false;
        self.partial = None;
        self.state = EmmState::RegisteredInitiated;
        self.started = cx.now;
        let mut request = emm::AttachRequest::new(
            self.identity(),
            self.capability(),
            self.pdn_connectivity_request().encode(),
        );
        request.ksi = self.ksi();
        request.last_tai = self.last_tai;
        self.request = emm::Message::AttachRequest(request).encode();
        cx.event(Event::AttachStarted {
            guti: self.guti,
            attempts: self.attempts,
        });
        let request = core::mem::take(&mut self.request);
        self.send_initial(cx, &request);
        self.request = request;
        self.start(cx, Timer::T3410);
    }

    /// GUTI when there is one, IMSI otherwise.
    pub(super) fn identity(&self) -> EpsMobileIdentity {
        self.guti.map_or_else(
            || EpsMobileIdentity::Imsi(self.usim.imsi()),
            EpsMobileIdentity::Guti,
        )
    }

    pub(super) fn ksi(&self) -> Ksi {
        self.context.as_ref().map_or(Ksi::NO_KEY, |c| c.ksi())
    }

    pub(super) fn capability(&self) -> UeNetworkCapability {
        UeNetworkCapability {
            eea: self.profile.eea,
            eia: self.profile.eia,
            rest: Vec::new(),
        }
    }

    /// §5.5.1.2.4.
    pub(super) fn attach_accepted(&mut self, cx: &mut Context<'_>, accept: &emm::AttachAccept) {
        let container = esm::decode(&accept.esm_container, heiiki_nas::Direction::Downlink);
        match self.state {
            EmmState::RegisteredInitiated => {}
            EmmState::Registered => {
                // The network did not see the ATTACH COMPLETE (§5.5.1.2.7 c).
                if let Some(complete) = self.same_bearer(container.ok()) {
                    self.send(cx, &complete);
                }
                return;
            }
            _ => return cx.dropped("unexpected message"),
        }
        self.timers.stop(Timer::T3410);
        let Some((bearer, complete)) = container.ok().and_then(|c| self.activate(cx, c)) else {
            // §5.5.1.2.6 j: without a bearer there is nothing to be registered for.
            cx.event(Event::AttachFailed { why: "esm" });
            return self.detach(cx, false);
        };
        self.guti = accept.guti.or(self.guti);
        self.last_tai = Some(cx.tai);
        self.t3402 = accept.t3402.and_then(heiiki_nas::GprsTimer::duration);
        self.attempts = 0;
        self.forgiven = 0;
        self.request = Vec::new();
        self.state = EmmState::Registered;
        self.send(cx, &complete);
        cx.event(Event::Attached {
            ip: bearer.stack.as_ref().map(crate::stack::Stack::address),
            apn: bearer.apn.clone(),
            ebi: bearer.ebi,
            guti: self.guti,
            dns: bearer.dns.clone(),
            took_us: u64::try_from(cx.now.since(self.started).as_micros()).unwrap_or(u64::MAX),
        });
        self.bearer = Some(bearer);
    }

    /// The end of an attempt that got no answer, or one without a rule of its own: §5.5.1.2.6,
    /// cases b, c and d.
    pub(super) fn attach_failed(&mut self, cx: &mut Context<'_>, why: &'static str) {
        cx.event(Event::AttachFailed { why });
        self.attempt_over(cx);
    }

    pub(super) fn attempt_over(&mut self, cx: &mut Context<'_>) {
        self.abort_attach();
        self.attempts = (self.attempts + 1).min(ATTEMPTS_MAX);
        let timer = if self.attempts < ATTEMPTS_MAX {
            Timer::T3411
        } else {
            self.forget_identity();
            Timer::T3402
        };
        if !self.auto_retry {
            return;
        }
        let told = self.t3402.filter(|_| timer == Timer::T3402);
        let length = told.unwrap_or_else(|| self.profile.timers.get(timer));
        let at = cx.now + length;
        self.timers.start(timer, at);
        let timer = timer.name();
        cx.event(Event::RetryScheduled { timer, at });
    }

    /// Back to EMM-DEREGISTERED, with nothing of the procedure left running.
    pub(super) fn abort_attach(&mut self) {
        self.state = EmmState::Deregistered;
        self.request = Vec::new();
        self.challenge = None;
        for timer in [
            Timer::T3410,
            Timer::T3416,
            Timer::T3418,
            Timer::T3420,
            Timer::T3421,
        ] {
            self.timers.stop(timer);
        }
    }
}
