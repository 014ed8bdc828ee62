//! Cancel-Location: the HSS ends a registration, TS 29.272 §7.2.7, TS 23.401 §5.3.8.4.
//!
//! A withdrawal stops the traffic first and tells the UE second. What the UE is told:
//!
//! | Cancel-Location-Request | DETACH REQUEST |
//! |---|---|
//! | type 2, Reattach-Required | re-attach required |
//! | type 2 | re-attach not required, cause 8 |
//! | type 2 with Subscriber-Status 1 | re-attach not required, no cause |
//! | every other type | none: the UE is elsewhere |
//!
//! Nothing that TS 29.272 puts into the request tells a SIM that is paused from one that is lost,
//! and cause 8 to a paused SIM would keep it silent until somebody goes there and switches it off
//! and on. Subscriber-Status (1424) with `OPERATOR_DETERMINED_BARRING` may stand among the
//! request's free AVPs: the subscription is barred, not withdrawn. An HSS that does not know of it
//! sends none and gets cause 8, which is what a withdrawal means.

use heiiki_diameter::dictionary;
use heiiki_diameter::s6a::{CancelLocationRequest, CancellationType, clr_flags};
use heiiki_diameter::{AnswerResult, Message, RequestHandle, ResultCode};
use heiiki_nas::emm::EmmCause;
use heiiki_types::Imsi;

use super::{Detaching, Emm, Step, UeId};
use crate::event::{DetachReason, Event};
use crate::node::Mme;
use crate::result_table::{HssResult, Stage, USER_UNKNOWN};
use crate::s1::ReleaseCause;

/// `OPERATOR_DETERMINED_BARRING`, TS 29.272 §7.3.29.
const BARRED: u32 = 1;

/// What a withdrawal asks for.
#[derive(Clone, Copy, Debug)]
struct Withdrawal {
    reattach: bool,
    barred: bool,
}

impl Mme {
    pub(crate) fn cancel_location(
        &mut self,
        handle: RequestHandle,
        peer: &str,
        request: &CancelLocationRequest,
        message: &Message,
    ) {
        let imsi = request.imsi;
        let id = self.by_imsi.get(&imsi).copied();
        let registration = id.and_then(|id| self.ues.get(&id)?.registration.as_ref());
        let from_its_hss = registration.map(|r| r.is_of(&request.origin_host, peer));
        if from_its_hss == Some(false) {
            let origin_host = request.origin_host.clone();
            self.event(Event::CancelRefused { imsi, origin_host });
            let refused = AnswerResult::Base(ResultCode::AUTHORIZATION_REJECTED);
            return self.answer_cancel(handle, &request.session_id, refused);
        }
        let known = from_its_hss == Some(true);
        self.event(Event::LocationCancelled {
            imsi,
            cancellation_type: request.cancellation_type.0,
            origin_host: request.origin_host.clone(),
            known,
        });
        let id = id.filter(|_| known);
        if let Some(id) = id {
            // Before anything else: no packet of this UE passes from here on.
            self.close_session(id, true);
        }
        // An IMSI that is not here is a success too.
        self.answer_cancel(handle, &request.session_id, AnswerResult::SUCCESS);
        let Some(id) = id else { return };
        if request.cancellation_type == CancellationType::SUBSCRIPTION_WITHDRAWAL {
            let flags = request.clr_flags.unwrap_or(0);
            let status = message.number(&dictionary::SUBSCRIBER_STATUS);
            let reattach = flags & clr_flags::REATTACH_REQUIRED != 0;
            self.withdraw(
                id,
                imsi,
                Withdrawal {
                    reattach,
                    barred: status == Some(BARRED),
                },
            );
        } else {
            self.end_locally(id, DetachReason::Moved, ReleaseCause::NormalRelease);
            self.remove_ue(id);
        }
    }

    fn withdraw(&mut self, id: UeId, imsi: Imsi, withdrawal: Withdrawal) {
        let Some(ue) = self.ues.get_mut(&id) else {
            return;
        };
        ue.registration = None;
        let barred = withdrawal.barred || withdrawal.reattach;
        match &ue.emm {
            Emm::Deregistered => {
                let reason = DetachReason::Withdrawn;
                self.remove_ue(id);
                self.event(Event::Detached {
                    imsi,
                    reason,
                    confirmed: false,
                });
            }
            // The UE is on its way in: it is refused, with what the HSS would have answered to an
            // Update-Location a moment later.
            Emm::Attaching(attach) if !matches!(attach.step, Step::Complete(_)) => {
                let result = if barred {
                    HssResult::Base(5012)
                } else {
                    USER_UNKNOWN
                };
                let refusal = self.config.results.refusal(Stage::Location, result, None);
                self.refuse(id, refusal);
            }
            _ => {
                let cause = EmmCause::EPS_AND_NON_EPS_SERVICES_NOT_ALLOWED;
                self.detach_by_network(
                    id,
                    Detaching {
                        reattach: withdrawal.reattach,
                        cause: Some(cause).filter(|_| !barred),
                        reason: DetachReason::Withdrawn,
                        sent: true,
                        forget: true,
                    },
                );
            }
        }
    }
}
