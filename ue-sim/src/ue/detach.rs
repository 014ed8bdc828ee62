//! The detach procedure, TS 24.301 §5.5.2.

use heiiki_mme::s1::ReleaseCause;
use heiiki_nas::emm::{self, NetworkDetachType, UeDetachType};

use super::{Context, EmmState, Ue};
use crate::event::Event;
use crate::timers::Timer;

/// Transmissions of a DETACH REQUEST, §5.5.2.2.4 c.
const TRANSMISSIONS: u8 = 5;

/// A detach under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Leaving {
    transmissions: u8,
}

impl Ue {
    /// §5.5.2.2.1. A UE that is not registered has nothing to leave; it may still be switched off.
    pub(super) fn detach(&mut self, cx: &mut Context<'_>, switch_off: bool) {
        match self.state {
            EmmState::Deregistered if switch_off => return self.switched_off(cx),
            EmmState::DeregisteredInitiated if switch_off => {}
            EmmState::Registered | EmmState::RegisteredInitiated => {}
            _ => return,
        }
        self.abort_attach();
        self.send_detach_request(cx, switch_off);
        if switch_off {
            self.connection_gone();
            cx.event(Event::Detached {
                by_network: false,
                reattach: false,
                cause: None,
            });
            self.switched_off(cx);
        } else {
            self.state = EmmState::DeregisteredInitiated;
            self.leaving = Leaving { transmissions: 1 };
            self.start(cx, Timer::T3421);
        }
    }

    fn send_detach_request(&mut self, cx: &mut Context<'_>, switch_off: bool) {
        let request = emm::DetachRequestFromUe {
            switch_off,
            detach_type: UeDetachType::Eps,
            ksi: self.ksi(),
            identity: self.identity(),
        };
        let plain = emm::Message::DetachRequestFromUe(request).encode();
        if self.secure {
            self.send_octets(cx, &plain);
        } else {
            self.send_initial(cx, &plain);
        }
    }

    /// T3421 ended.
    pub(super) fn detach_again(&mut self, cx: &mut Context<'_>) {
        if self.leaving.transmissions < TRANSMISSIONS {
            self.leaving.transmissions += 1;
            self.send_detach_request(cx, false);
            self.start(cx, Timer::T3421);
        } else {
            self.release(cx, ReleaseCause::Detach);
            self.detach_ended(cx);
        }
    }

    /// §5.5.2.2.2.
    pub(super) fn detach_accepted(&mut self, cx: &mut Context<'_>) {
        if self.state == EmmState::DeregisteredInitiated {
            self.detach_ended(cx);
            self.start(cx, Timer::T3440);
        } else {
            cx.dropped("unexpected message");
        }
    }

    /// The UE is no longer registered, whether the network said so or not.
    pub(super) fn detach_ended(&mut self, cx: &mut Context<'_>) {
        self.abort_attach();
        self.drop_bearer(cx);
        cx.event(Event::Detached {
            by_network: false,
            reattach: false,
            cause: None,
        });
    }

    /// §5.5.2.3.2; collisions by §5.5.1.2.6 g and §5.5.2.2.4 d.
    pub(super) fn detached_by_network(
        &mut self,
        cx: &mut Context<'_>,
        request: &emm::DetachRequestToUe,
    ) {
        let reattach = request.detach_type == NetworkDetachType::ReattachRequired;
        // "Re-attach required" makes the cause meaningless.
        let cause = request.cause.filter(|_| !reattach);
        let services_remain = request.detach_type == NetworkDetachType::Imsi
            || cause == Some(emm::EmmCause::IMSI_UNKNOWN_IN_HSS);
        match self.state {
            EmmState::Deregistered => {
                // The network did not see the DETACH ACCEPT.
                return self.send(cx, &emm::Message::DetachAccept);
            }
            EmmState::RegisteredInitiated if services_remain => {
                return cx.dropped("unexpected message");
            }
            _ if services_remain => return self.send(cx, &emm::Message::DetachAccept),
            _ => {}
        }
        let own = self.state == EmmState::DeregisteredInitiated;
        self.drop_bearer(cx);
        self.abort_attach();
        if reattach {
            self.timers.stop(Timer::T3346);
        }
        self.send(cx, &emm::Message::DetachAccept);
        cx.event(Event::Detached {
            by_network: true,
            reattach,
            cause: cause.map(|c| c.0),
        });
        self.reattach = reattach && !own;
        self.start(cx, Timer::T3440);
        if let Some(cause) = cause {
            self.detach_cause(cx, cause);
        }
    }
}
