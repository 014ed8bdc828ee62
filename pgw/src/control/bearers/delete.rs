use alloc::vec::Vec;

use heiiki_gtp::c::{BearerContextDeleted, Cause, DeleteBearerRequest, Message};
use heiiki_types::{Ebi, Now};

use super::{Ask, Bearer, Request};
use crate::control::Control;
use crate::control::procedure::Procedure;
use crate::control::start::live_row;
use crate::user_plane::{SessionId, Slot, Update};

/// Delete Bearer Request for dedicated bearers, TS 29.274 §7.2.9.2: without the linked EBI, which
/// would be the whole connection.
pub(super) fn message(
    bearers: &[Bearer],
    failed: &[(Ebi, Cause)],
    cause: Option<Cause>,
    pti: Option<u8>,
) -> Message {
    let failed = failed.iter().map(|(ebi, cause)| BearerContextDeleted {
        ebi: *ebi,
        cause: (*cause).into(),
    });
    Message::DeleteBearerRequest(DeleteBearerRequest {
        linked_ebi: None,
        ebis: bearers.iter().map(|b| b.ebi).collect(),
        failed: failed.collect(),
        pti,
        pco: None,
        cause,
    })
}

impl Control {
    /// Takes dedicated bearers of a session away from the worker and the disk, and says which they
    /// were. Their packets go by the default bearer from then on, if its rules let them.
    pub(in crate::control) fn drop_bearers(
        &mut self,
        now: Now,
        slot: Slot,
        id: SessionId,
        ebis: &[Ebi],
    ) -> Vec<Bearer> {
        if self.active(slot, id).is_none() {
            return Vec::new();
        }
        let gone = self.sessions.take_bearers(slot, ebis);
        let row = self.sessions.get(slot).map(|l| live_row(&l.session));
        if let Some(row) = row.filter(|_| !gone.is_empty()) {
            let ticket = self.begin(Procedure::Note);
            for bearer in &gone {
                let update = Update::RemoveBearer {
                    slot,
                    ebi: bearer.ebi,
                    teid: bearer.teid,
                };
                self.broadcast(ticket, &update);
            }
            self.persist(ticket, alloc::vec![row]);
            self.advance(now, ticket);
        }
        gone
    }

    /// Ends dedicated bearers and tells the SGW; `shape` says on whose behalf.
    pub(super) fn delete_bearers(
        &mut self,
        now: Now,
        slot: Slot,
        id: SessionId,
        ebis: &[Ebi],
        shape: impl FnOnce(&mut Request),
    ) {
        let bearers = self.drop_bearers(now, slot, id, ebis);
        let Some(live) = self.active(slot, id) else {
            return;
        };
        let ask = Ask::Delete {
            bearers,
            failed: Vec::new(),
            cause: None,
        };
        let mut request = Request::new(live, ask);
        shape(&mut request);
        self.ask_sgw(now, request);
    }

    /// An SGW does not know the tunnel of a dedicated bearer (TS 23.007 §22): it goes, and the
    /// session stays.
    pub(in crate::control) fn bearer_lost(
        &mut self,
        now: Now,
        slot: Slot,
        id: SessionId,
        ebi: Ebi,
    ) {
        self.delete_bearers(now, slot, id, &[ebi], |_| {});
    }
}
