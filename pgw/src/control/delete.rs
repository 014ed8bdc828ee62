use heiiki_gtp::c::{Cause, DeleteSessionRequest, Header, Reject, RequestHandle, ie_type};
use heiiki_types::Now;

use super::Control;
use super::procedure::{Listener, Removal};
use crate::event::EndReason;

impl Control {
    /// Delete Session Request, TS 29.274 §7.2.9.1. It is answered when the end of the session is
    /// on disk.
    pub(super) fn delete_session(
        &mut self,
        now: Now,
        handle: RequestHandle,
        header: Header,
        request: &DeleteSessionRequest,
    ) {
        let found = self.session_of(header, handle);
        let live = found.and_then(|(slot, id)| self.sessions.same(slot, id));
        let Some(live) = live.filter(|l| !l.is_leaving()) else {
            let reject = Reject::new(Cause::CONTEXT_NOT_FOUND, "no session has this TEID");
            self.refuse(now, handle, 0, &reject);
            return;
        };
        let session = &live.session;
        let (teid, slot, id) = (session.sgw_c.teid.get(), session.slot, session.id);
        match request.linked_ebi {
            Some(ebi) if ebi == session.ebi => {}
            Some(_) => {
                let reject = Reject {
                    cause: Cause::CONTEXT_NOT_FOUND,
                    ie: Some((ie_type::EBI, 0)),
                    why: "the session has another default bearer",
                };
                self.refuse(now, handle, teid, &reject);
                return;
            }
            None => {
                let reject = Reject {
                    cause: Cause::CONDITIONAL_IE_MISSING,
                    ie: Some((ie_type::EBI, 0)),
                    why: "Linked EPS Bearer ID",
                };
                self.refuse(now, handle, teid, &reject);
                return;
            }
        }
        let listener = Listener::Sgw { handle, teid };
        let removal = Removal::new(alloc::vec![(slot, id)], EndReason::Deleted, None, listener);
        self.begin_removal(now, removal);
    }
}
