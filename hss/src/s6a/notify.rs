//! Notification, TS 29.272 §5.2.5.1: an MME tells what it knows of a UE.

use alloc::vec::Vec;

use heiiki_diameter::s6a::{
    NotifyAnswer, NotifyRequest, ServiceSelection, UNKNOWN_SERVING_NODE, USER_UNKNOWN,
    UpdateLocationRequest, nor_flags,
};
use heiiki_diameter::{AnswerResult, ResultCode};
use heiiki_types::{Apn, Now};

use super::Ask;
use crate::event::{Answered, Event};
use crate::node::Hss;
use crate::subscriber::row::{self, Table};
use crate::subscriber::{Gateway, RowIx};

impl Hss {
    /// Answers at once: a gateway's name that a crash forgets is told again with the next session.
    pub(super) fn notify(&mut self, now: Now, ask: &Ask, request: &NotifyRequest) {
        let result = match self.notified(request) {
            Ok(()) => AnswerResult::SUCCESS,
            Err(result) => result,
        };
        let reachable = request.alert_reason.is_some()
            || request
                .nor_flags
                .is_some_and(|f| f & nor_flags::UE_REACHABLE_FROM_MME != 0);
        self.tell(Event::Notified {
            imsi: request.imsi,
            host: request.origin_host.clone(),
            result: Answered(result),
            reachable: reachable && result.is_success(),
        });
        let answer = NotifyAnswer {
            session_id: request.session_id.clone(),
            result,
            origin_host: self.config.origin_host.clone(),
            origin_realm: self.config.origin_realm.clone(),
            supported_features: super::features_for(&request.supported_features),
            failed_avp: Vec::new(),
        };
        self.answer(now, ask, answer.to_message());
    }

    fn notified(&mut self, request: &NotifyRequest) -> Result<(), AnswerResult> {
        let ix = self.subscribers.find(request.imsi).ok_or(USER_UNKNOWN)?;
        let subscriber = self.subscribers.get(ix).ok_or(USER_UNKNOWN)?;
        let serving = self.subscribers.serving_node(subscriber);
        if !serving.is_some_and(|n| n.host.eq_ignore_ascii_case(&request.origin_host)) {
            return Err(UNKNOWN_SERVING_NODE);
        }
        if let Some(pgw) = &request.pgw {
            let apn = self
                .apn_of(ix, request.apn.as_ref(), request.context)
                .ok_or(AnswerResult::Base(ResultCode::UNABLE_TO_COMPLY))?;
            self.store_gateway(ix, Gateway::new(apn, pgw));
        }
        if let Some(imei) = request.terminal.imei {
            self.saw_equipment(ix, imei);
        }
        Ok(())
    }

    /// Keeps the gateway of an access point: the next MME is told of it. Gateways of access points
    /// that the SIM has no more go.
    pub(super) fn store_gateway(&mut self, ix: RowIx, gateway: Gateway) -> Option<()> {
        let subscriber = self.subscribers.get(ix)?;
        let profile = self.subscribers.profile(subscriber)?;
        let stays =
            |g: &&Gateway| g.apn != gateway.apn && profile.apns.iter().any(|a| a.apn == g.apn);
        if subscriber.gateways().contains(&gateway) {
            return Some(());
        }
        let others = subscriber.gateways().iter().filter(stays);
        let mut gateways: Vec<Gateway> = others.cloned().collect();
        gateways.push(gateway);
        let key = row::imsi_key(subscriber.imsi);
        self.journal.put(Table::Gateway, key, &gateways);
        self.subscribers.get_mut(ix)?.set_gateways(gateways);
        Some(())
    }

    /// The gateways of the connections that a UE has while it registers anew.
    pub(super) fn active_gateways(
        &self,
        ix: RowIx,
        request: &UpdateLocationRequest,
    ) -> Vec<Gateway> {
        let active = request.active_apns.iter();
        active
            .filter_map(|a| {
                let apn = self.apn_of(ix, a.apn.as_ref(), Some(a.context))?;
                Some(Gateway::new(apn, a.pgw.as_ref()?))
            })
            .collect()
    }

    /// The access point of the profile that is meant by a name or a Context-Identifier.
    fn apn_of(
        &self,
        ix: RowIx,
        apn: Option<&ServiceSelection>,
        context: Option<u32>,
    ) -> Option<Apn> {
        let profile = self.subscribers.profile(self.subscribers.get(ix)?)?;
        let found = match (apn, context) {
            (Some(ServiceSelection::Apn(apn)), _) => {
                let wanted = apn.network_identifier();
                let same = |a: &&crate::ApnSubscription| a.apn.network_identifier() == wanted;
                profile.apns.iter().find(same)
            }
            (None, Some(context)) => {
                let position = usize::try_from(context.checked_sub(1)?).ok()?;
                profile.apns.get(position)
            }
            _ => None,
        };
        found.map(|a| a.apn.clone())
    }
}
