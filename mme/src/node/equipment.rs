//! S13: asks the equipment identity register about a UE's equipment before its location update,
//! TS 29.272 §7.2.19, TS 23.401 §5.3.10.5.

use heiiki_diameter::Message;
use heiiki_diameter::s6a::Terminal;
use heiiki_diameter::s13::{
    EQUIPMENT_UNKNOWN, EquipmentStatus, IdentityCheckAnswer, IdentityCheckRequest,
};
use heiiki_nas::emm::EmmCause;
use heiiki_types::Imsi;

use alloc::string::String;
use alloc::vec::Vec;

use super::{Mme, S6aPending};
use crate::config::Equipment;
use crate::emm::UeId;
use crate::event::Event;
use crate::result_table::{BackOff, EQUIPMENT_UNKNOWN as UNKNOWN, HssResult, Refusal, Stage};

impl Mme {
    /// The identity is proven: the register is asked, if there is one, then the HSS.
    pub(crate) fn check_equipment(&mut self, id: UeId) {
        let Some(rule) = self.config.equipment_check else {
            return self.ask_location(id);
        };
        let Some((imsi, imei)) = self.ues.get(&id).and_then(|ue| Some((ue.imsi?, ue.imei))) else {
            return;
        };
        let request = IdentityCheckRequest {
            session_id: self.session_ids.next(),
            origin_host: self.config.origin_host.clone(),
            origin_realm: self.config.origin_realm.clone(),
            destination_host: None,
            destination_realm: self.config.hss_realm.clone(),
            terminal: Terminal {
                imei,
                software_version: None,
            },
            imsi: Some(imsi),
            route_record: Vec::new(),
        };
        if !self.ask(request.to_message(), S6aPending::Equipment(id, imsi)) {
            self.equipment_unanswered(id, imsi, rule);
        }
    }

    pub(super) fn equipment_answered(&mut self, id: UeId, imsi: Imsi, message: &Message) {
        let Some(rule) = self.config.equipment_check else {
            return;
        };
        let answer = IdentityCheckAnswer::from_message(message).ok();
        let status = answer.as_ref().and_then(|a| a.status);
        let unknown = answer
            .as_ref()
            .is_some_and(|a| a.result == EQUIPMENT_UNKNOWN);
        let success = answer.as_ref().is_some_and(|a| a.result.is_success());
        let name = match (success, status) {
            (true, Some(EquipmentStatus::WHITE)) => "white",
            (true, Some(EquipmentStatus::GREY)) => "grey",
            (true, Some(EquipmentStatus::BLACK)) => "black",
            _ if unknown => "unknown",
            _ => return self.equipment_unanswered(id, imsi, rule),
        };
        self.tell_equipment(imsi, name);
        if !self.waits(id, imsi, Stage::Location) {
            return;
        }
        match name {
            "black" => self.refuse(id, illegal()),
            "unknown" if rule.refuse_unknown => {
                let table = &self.config.results;
                let refusal = table.refusal(Stage::Location, UNKNOWN, None);
                self.refuse(id, refusal);
            }
            _ => self.ask_location(id),
        }
    }

    /// The register does not answer.
    pub(super) fn equipment_unanswered(&mut self, id: UeId, imsi: Imsi, rule: Equipment) {
        self.tell_equipment(imsi, "no_answer");
        if !self.waits(id, imsi, Stage::Location) {
            return;
        }
        if rule.refuse_unanswered {
            let table = &self.config.results;
            let refusal = table.refusal(Stage::Location, HssResult::NoAnswer, None);
            self.refuse(id, refusal);
        } else {
            self.ask_location(id);
        }
    }

    fn tell_equipment(&mut self, imsi: Imsi, result: &'static str) {
        self.event(Event::HssAnswered {
            imsi,
            request: "ecr",
            result: String::from(result),
        });
    }
}

/// What a UE with barred equipment is told: EMM cause 6, for good (TS 24.301 §A.1).
const fn illegal() -> Refusal {
    Refusal {
        cause: EmmCause::ILLEGAL_ME,
        back_off: BackOff::None,
    }
}
