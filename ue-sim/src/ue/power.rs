//! On and off.

use heiiki_mme::s1::ReleaseCause;

use super::{Context, EmmState, Ue};
use crate::event::Event;
use crate::timers::{TIMERS, Timer};

impl Ue {
    pub(super) fn power_on(&mut self, cx: &mut Context<'_>) {
        if self.state != EmmState::Null {
            return;
        }
        self.state = EmmState::Deregistered;
        cx.event(Event::Power { on: true });
        if self.profile.attach_on_power_on {
            self.attach_commanded(cx);
        }
    }

    /// The battery is pulled. The GUTI is on the card; the context was in memory.
    pub(super) fn power_off(&mut self, cx: &mut Context<'_>) {
        if self.state == EmmState::Null {
            return;
        }
        self.context = None;
        self.partial = None;
        self.release(cx, ReleaseCause::RadioConnectionLost);
        self.switched_off(cx);
    }

    pub(super) fn switched_off(&mut self, cx: &mut Context<'_>) {
        self.drop_bearer(cx);
        self.state = EmmState::Null;
        self.reattach = false;
        self.attempts = 0;
        // The back-off outlives the power (§5.5.1.2.6); the rest starts afresh.
        let kept = [Timer::T3346, Timer::T3247];
        for spec in TIMERS {
            if !kept.contains(&spec.timer) {
                self.timers.stop(spec.timer);
            }
        }
        if self.profile.power_cycle_clears {
            self.usim_invalid = false;
            self.forgiven = 0;
            self.forbidden.clear();
            self.timers.stop(Timer::T3247);
        }
        cx.event(Event::Power { on: false });
    }
}
