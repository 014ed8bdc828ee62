//! Timers that expire: the message is sent again, or the procedure ends.

use super::{Detaching, Emm, UeId};
use crate::event::{DetachReason, Event};
use crate::node::Mme;
use crate::s1::ReleaseCause;
use crate::timers::Timer;

impl Mme {
    pub(crate) fn timer_expired(&mut self, id: UeId) {
        let Some(mut running) = self.ues.get_mut(&id).and_then(|ue| ue.timer.take()) else {
            return;
        };
        if running.expiries < self.config.timers.row(running.timer).retransmissions {
            running.expiries += 1;
            let resend = running.resend.clone();
            self.restart_timer(id, running);
            if let Some((header, plain)) = resend {
                self.send_plain(id, header, plain);
            }
            return;
        }
        match running.timer {
            Timer::T3450 => self.attach_unanswered(id),
            Timer::T3460 => {
                self.abort_attach(id, "no answer to challenge or security mode");
            }
            Timer::T3470 => self.abort_attach(id, "no answer to the IDENTITY REQUEST"),
            Timer::T3489 => self.reject_esm(id, heiiki_nas::esm::EsmCause(53)),
            Timer::ContextSetup => self.abort_attach(id, "the eNB did not set the context up"),
            Timer::T3422 => {
                if let Some(Emm::Detaching(d)) = self.ues.get(&id).map(|ue| &ue.emm) {
                    let d = *d;
                    self.finish_detach(id, d.reason, false, d.forget);
                }
            }
            Timer::WithdrawalGrace => {
                if let Some(Emm::Detaching(d)) = self.ues.get_mut(&id).map(|ue| &mut ue.emm) {
                    d.sent = true;
                    let d: Detaching = *d;
                    self.send_detach_request(id, d);
                }
            }
            Timer::MobileReachable => {
                self.finish_detach(id, DetachReason::Unreachable, false, false);
            }
        }
    }

    /// The fifth expiry of T3450, TS 24.301 §5.5.1.2.7 c).
    fn attach_unanswered(&mut self, id: UeId) {
        let imsi = self.ues.get(&id).and_then(|ue| ue.imsi);
        self.event(Event::AttachAborted {
            imsi,
            why: "no ATTACH COMPLETE",
        });
        self.end_attempt(id, ReleaseCause::Unspecified);
    }
}
