//! Purge UE, TS 29.272 §5.2.1.3: an MME has deleted its record of a SIM.

use alloc::vec::Vec;

use heiiki_diameter::AnswerResult;
use heiiki_diameter::s6a::{PurgeUeAnswer, PurgeUeRequest, USER_UNKNOWN, pua_flags, pur_flags};
use heiiki_types::Now;

use super::Ask;
use crate::event::{Answered, Event};
use crate::node::Hss;
use crate::subscriber::Location;
use crate::subscriber::row::{self, Table};

impl Hss {
    /// Answers at once: a purge that a crash forgets costs one cancellation that the MME answers
    /// without having anything to cancel.
    pub(super) fn purge_ue(&mut self, now: Now, ask: &Ask, request: &PurgeUeRequest) {
        let mut frozen = false;
        let result = match self.subscribers.find(request.imsi) {
            None => USER_UNKNOWN,
            Some(ix) => {
                let subscriber = self.subscribers.get(ix);
                let location = subscriber.and_then(|s| self.subscribers.location(s));
                // Without flags it is the MME's record that is gone.
                let flags = request.pur_flags.unwrap_or(pur_flags::PURGED_IN_MME);
                let of_mme = flags & pur_flags::PURGED_IN_MME != 0;
                let here = |l: &Location| of_mme && l.is_at(&request.origin_host);
                if let Some(mut location) = location.filter(here) {
                    frozen = true;
                    self.forget_updates(request.imsi);
                    if !location.purged {
                        location.purged = true;
                        let key = row::imsi_key(request.imsi);
                        self.journal.put(Table::Location, key, &location);
                        self.subscribers.set_location(ix, Some(location));
                    }
                }
                AnswerResult::SUCCESS
            }
        };
        self.tell(Event::PurgeUe {
            imsi: request.imsi,
            host: request.origin_host.clone(),
            result: Answered(result),
            frozen,
        });
        let flags = if frozen { pua_flags::FREEZE_M_TMSI } else { 0 };
        let answer = PurgeUeAnswer {
            session_id: request.session_id.clone(),
            result,
            origin_host: self.config.origin_host.clone(),
            origin_realm: self.config.origin_realm.clone(),
            pua_flags: (result == AnswerResult::SUCCESS).then_some(flags),
            supported_features: super::features_for(&request.supported_features),
            failed_avp: Vec::new(),
        };
        self.answer(now, ask, answer.to_message());
    }
}
