//! What a UE makes of being refused: TS 24.301 §5.5.1.2.5, §5.5.1.2.6, §5.5.2.3.2 and §5.3.7b.

use heiiki_nas::emm::EmmCause;
use heiiki_nas::{Direction, emm, esm};
use heiiki_types::Duration;

use super::attach::ATTEMPTS_MAX;
use super::{Area, Context, EmmState, Forbidden, Ue};
use crate::RejectTolerance;
use crate::event::Event;
use crate::timers::Timer;

/// What a cause is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The SIM is not welcome.
    Usim,
    /// The network does not serve the UE.
    Plmn,
    /// The tracking area does not.
    TrackingArea,
    /// A defect that will last.
    GiveUp,
    /// No rule of its own: it counts as an attempt that failed.
    Abnormal,
}

const fn verdict(cause: EmmCause) -> Verdict {
    match cause {
        EmmCause::ILLEGAL_UE
        | EmmCause::ILLEGAL_ME
        | EmmCause::EPS_SERVICES_NOT_ALLOWED
        | EmmCause::EPS_AND_NON_EPS_SERVICES_NOT_ALLOWED => Verdict::Usim,
        EmmCause::PLMN_NOT_ALLOWED
        | EmmCause::EPS_SERVICES_NOT_ALLOWED_IN_PLMN
        | EmmCause::SERVICE_OPTION_NOT_AUTHORIZED => Verdict::Plmn,
        EmmCause::TRACKING_AREA_NOT_ALLOWED
        | EmmCause::ROAMING_NOT_ALLOWED
        | EmmCause::NO_SUITABLE_CELLS => Verdict::TrackingArea,
        EmmCause::SEVERE_NETWORK_FAILURE
        | EmmCause::SEMANTICALLY_INCORRECT_MESSAGE
        | EmmCause::INVALID_MANDATORY_INFORMATION
        | EmmCause::MESSAGE_TYPE_UNKNOWN
        | EmmCause::IE_UNKNOWN
        | EmmCause::PROTOCOL_ERROR => Verdict::GiveUp,
        _ => Verdict::Abnormal,
    }
}

impl Ue {
    pub(super) fn attach_rejected(
        &mut self,
        cx: &mut Context<'_>,
        reject: &emm::AttachReject,
        protected: bool,
    ) {
        if self.state != EmmState::RegisteredInitiated {
            return cx.dropped("unexpected message");
        }
        let back_off = reject.t3346.and_then(heiiki_nas::GprsTimer2::duration);
        let back_off = back_off.filter(|d| !d.is_zero());
        cx.event(Event::AttachRejected {
            cause: reject.cause.0,
            esm_cause: reject.esm_container.as_deref().and_then(esm_cause),
            protected,
            back_off_s: back_off.map(|d| d.as_secs()),
        });
        self.timers.stop(Timer::T3410);
        if protected {
            self.t3402 = reject.t3402.and_then(heiiki_nas::GprsTimer2::duration);
        }
        match (verdict(reject.cause), back_off) {
            (_, Some(length)) if reject.cause == EmmCause::CONGESTION => {
                self.back_off(cx, protected.then_some(length));
            }
            (Verdict::Abnormal, _) => {
                self.start(cx, Timer::T3440);
                return self.attempt_over(cx);
            }
            (Verdict::GiveUp, _) => {
                self.start(cx, Timer::T3440);
                self.attempts = ATTEMPTS_MAX;
                return self.attempt_over(cx);
            }
            (verdict, _) => {
                self.abort_attach();
                self.banished(cx, verdict, protected);
            }
        }
        self.start(cx, Timer::T3440);
        self.announce_restriction(cx);
    }

    /// The cause of a detach that the network wants, which always came protected.
    pub(super) fn detach_cause(&mut self, cx: &mut Context<'_>, cause: EmmCause) {
        match verdict(cause) {
            Verdict::Abnormal | Verdict::GiveUp => {}
            verdict => {
                self.banished(cx, verdict, true);
                self.announce_restriction(cx);
            }
        }
    }

    /// #3, #6, #7, #8 and AUTHENTICATION REJECT.
    pub(super) fn usim_refused(&mut self, cx: &mut Context<'_>, protected: bool) {
        self.banished(cx, Verdict::Usim, protected);
    }

    fn banished(&mut self, cx: &mut Context<'_>, verdict: Verdict, protected: bool) {
        self.forget_identity();
        self.attempts = 0;
        let believed = protected || self.profile.reject_tolerance == RejectTolerance::Rel8;
        if !believed {
            self.start_t3247(cx);
        }
        let area = match verdict {
            Verdict::Usim if believed => {
                // Nothing but the power switch takes this back.
                self.forgiven = self.profile.forgiven_rejects;
                self.usim_invalid = true;
                return;
            }
            // §5.3.7b, 1: the counter tells how often an unprotected message is forgiven.
            Verdict::Usim if self.forgiven >= self.profile.forgiven_rejects => {
                self.usim_invalid = true;
                return;
            }
            Verdict::Usim => {
                self.forgiven += 1;
                Area::Tracking(cx.tai)
            }
            // §5.3.7b, 3: the home network would not say so; somebody else did.
            Verdict::Plmn if !believed && self.usim.imsi().is_of(cx.tai.plmn) => {
                Area::Tracking(cx.tai)
            }
            Verdict::Plmn => Area::Plmn(cx.tai.plmn),
            Verdict::TrackingArea => Area::Tracking(cx.tai),
            Verdict::GiveUp | Verdict::Abnormal => return,
        };
        let unprotected = !believed;
        self.forbidden.retain(|f| f.area != area);
        self.forbidden.push(Forbidden { area, unprotected });
    }

    /// Cause #22 with a T3346. Only a protected message says for how long (§5.5.1.2.5); otherwise
    /// the UE draws from the default range.
    fn back_off(&mut self, cx: &mut Context<'_>, told: Option<Duration>) {
        self.abort_attach();
        self.attempts = 0;
        let length = told.unwrap_or_else(|| self.draw(cx, Timer::T3346));
        self.timers.start(Timer::T3346, cx.now + length);
    }

    fn start_t3247(&mut self, cx: &mut Context<'_>) {
        if !self.timers.is_running(Timer::T3247) {
            let length = self.draw(cx, Timer::T3247);
            self.timers.start(Timer::T3247, cx.now + length);
        }
    }

    /// A length between the shortest of the range and twice that.
    fn draw(&self, cx: &mut Context<'_>, timer: Timer) -> Duration {
        let shortest = self.profile.timers.get(timer);
        let span = u64::try_from(shortest.as_micros()).unwrap_or(u64::MAX);
        shortest + Duration::from_micros(cx.rng.below(span))
    }

    /// What was believed without a MAC is forgotten.
    pub(super) fn t3247_expired(&mut self, cx: &mut Context<'_>) {
        self.forbidden.retain(|f| !f.unprotected);
        self.restriction_lifted(cx);
    }

    pub(super) fn restriction_lifted(&mut self, cx: &mut Context<'_>) {
        if self.restriction(cx.tai).is_none() {
            cx.event(Event::RestrictionLifted);
            self.attach_if_automatic(cx);
        }
    }

    pub(super) fn announce_restriction(&self, cx: &mut Context<'_>) {
        if let Some((why, until)) = self.restriction(cx.tai) {
            cx.event(Event::Restricted { why, until });
        }
    }
}

fn esm_cause(container: &[u8]) -> Option<u8> {
    match esm::decode(container, Direction::Downlink).ok()?.body {
        esm::Body::PdnConnectivityReject(reject) => Some(reject.cause.0),
        _ => None,
    }
}
