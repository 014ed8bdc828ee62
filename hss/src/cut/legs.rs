//! The gateways' parts of an order: what they are told, what they answer, and what they know that the
//! HSS did not.

use alloc::string::String;

use heiiki_types::{CallId, HttpResponse, Imsi, Instant, Now, WallTime};

use super::book::{Asked, Due, LegId, short};
use super::gateway::{Overruled, Trouble};
use super::procedure::cut_key;
use super::watch::Found;
use super::{GatewayAnswer, Kind, MAX_VERSION, ORDER_STEP, Stamp, gateway};
use crate::event::Event;
use crate::node::{Hss, Output};
use crate::shared::deed::Deed;
use crate::subscriber::Standing;
use crate::subscriber::row::{self, StateRow, Table};

impl Hss {
    /// Tells one gateway its part of an order.
    pub(crate) fn tell_gateway(&mut self, now: Now, leg_id: LegId) {
        let may_tell = self.may_tell(now.at, leg_id.cut);
        let Some(cut) = self.cuts.get_mut(leg_id.cut) else {
            return;
        };
        if cut.superseded || !may_tell {
            return;
        }
        let Some(leg) = cut.gateways.get_mut(leg_id.gateway) else {
            return;
        };
        if leg.answer.is_some() && !leg.redo {
            return;
        }
        let listed = self.config.gateways.iter().find(|g| g.name == leg.name);
        let Some(token) = listed.and_then(|g| g.token.as_ref()) else {
            // The configuration changed since: the certificate says that nobody can look.
            leg.observable = false;
            return;
        };
        leg.attempts = leg.attempts.saturating_add(1);
        let gateway = leg.name.clone();
        let request = gateway::request(cut, token);
        let deadline = now.at + self.config.timers.gateway;
        let call = self.cuts.call(Asked::Leg(leg_id), deadline);
        self.outputs.push_back(Output::GatewayCall {
            call,
            gateway,
            request,
        });
    }

    /// A gateway answered, or could not be reached.
    pub(crate) fn gateway_replied(
        &mut self,
        now: Now,
        call: CallId,
        result: Result<HttpResponse, ()>,
    ) {
        let leg_id = match self.cuts.end_call(call) {
            None => return,
            Some(Asked::Watch(gateway)) => {
                return self.watch_replied(now, gateway, result.as_ref().ok());
            }
            Some(Asked::Leg(leg_id)) => leg_id,
        };
        let Some(cut) = self.cuts.get(leg_id.cut) else {
            return;
        };
        let instance = result.as_ref().ok().and_then(gateway::instance);
        let told = cut.gateways.get(leg_id.gateway).map(|g| g.name.clone());
        if let (Some(instance), Some(name)) = (instance, told) {
            self.saw_instance(now, &name, &instance);
        }
        let Some(cut) = self.cuts.get(leg_id.cut) else {
            return;
        };
        let answer = match result {
            Err(()) => Err(Trouble::Again(String::from(
                "the gateway cannot be reached",
            ))),
            Ok(response) => gateway::read(cut, &self.config.boot, now.at, &response),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(Trouble::Again(why)) => return self.gateway_failed(now, leg_id, &why),
            Err(Trouble::Overruled(by)) => {
                let imsi = cut.imsi;
                return self.do_at(now, imsi, Deed::Overruled { leg: leg_id, by });
            }
        };
        let imsi = cut.imsi;
        let stamps = [
            (Stamp::T4, answer.t4),
            (Stamp::T5Uplink, answer.t5_uplink),
            (Stamp::T5Downlink, answer.t5_downlink),
            (Stamp::T7, answer.t7),
        ];
        let Some(leg) = self
            .cuts
            .get_mut(leg_id.cut)
            .and_then(|c| c.gateways.get_mut(leg_id.gateway))
        else {
            return;
        };
        leg.error = None;
        if core::mem::take(&mut leg.redo) && leg.answer.is_some() {
            // The stamps of the certificate are those of the first time.
            leg.retold = leg.retold.saturating_add(1);
            self.cut_progress(leg_id.cut);
            return;
        }
        leg.answer = Some(answer);
        let name = leg.name.clone();
        for (stamp, at) in stamps {
            let Some(at) = at else { continue };
            self.tell(Event::CutStamp {
                cut: leg_id.cut,
                imsi,
                stamp,
                at: at.as_micros(),
                node: Some(name.clone()),
            });
        }
        self.cut_progress(leg_id.cut);
    }

    pub(super) fn gateway_failed(&mut self, now: Now, leg_id: LegId, why: &str) {
        let attempt = self.leg_failed(leg_id, why);
        let at = now.at + self.backoff(attempt);
        self.cuts.again(leg_id, at);
        self.cut_progress(leg_id.cut);
    }

    /// A gateway has a later order for the SIM, of its own, or of an HSS that knew more than this
    /// one. The stricter wins:
    ///
    /// * what takes away is given once more, with a version above the gateway's;
    /// * what gives back does not undo an order that the HSS did not know of: that one is taken up.
    pub(crate) fn gateway_overruled(&mut self, now: Now, leg_id: LegId, by: &Overruled) {
        if by.version >= MAX_VERSION {
            let why = "the answer names a version that no gateway takes";
            return self.gateway_failed(now, leg_id, why);
        }
        self.count_past(by.version);
        let why = alloc::format!("order {} for this SIM is later", by.version);
        let attempt = self.leg_failed(leg_id, &why);
        let Some(cut) = self.cuts.get_mut(leg_id.cut) else {
            return;
        };
        let (imsi, kind, name) = (
            cut.imsi,
            cut.kind(),
            cut.gateways.get(leg_id.gateway).map(|g| g.name.clone()),
        );
        // Another front end may have given a later one, whose own row is not read yet.
        let (superseded, version) = (cut.superseded, cut.version);
        let counts = !superseded && self.cuts.latest_of(imsi, kind) == Some(leg_id.cut);
        let later = self.order_version(imsi, kind).filter(|v| *v > version);
        let counts = counts && (self.shared.is_none() || later.is_none());
        let Some(cut) = self.cuts.get_mut(leg_id.cut).filter(|_| counts) else {
            self.cut_progress(leg_id.cut);
            return;
        };
        if cut.verb.takes_away() {
            cut.version = cut
                .version
                .max(by.version.saturating_add(1))
                .min(MAX_VERSION);
            let (version, id) = (cut.version, cut.id());
            self.raise_standing(imsi, kind, version);
            if let Some(cut) = self.cuts.get(id) {
                self.journal.put(Table::Cut, cut_key(id), cut);
            }
            // At once, unless somebody at the gateway is quicker time and again.
            if attempt <= 3 {
                // The order is on its way again: its first certificate waits for that.
                let cut = self.cuts.get_mut(leg_id.cut);
                if let Some(leg) = cut.and_then(|c| c.gateways.get_mut(leg_id.gateway)) {
                    leg.error = None;
                }
                self.tell_gateway(now, leg_id);
            } else {
                self.cuts.again(leg_id, now.at + self.backoff(attempt));
            }
        } else if by.in_force {
            let found = Found {
                gateway: name.unwrap_or_default(),
                imsi,
                kind,
                version: by.version,
                actor: by.actor.clone(),
                reason: by.reason.clone(),
            };
            self.take_up(now, &found);
        } else if let Some(leg) = cut.gateways.get_mut(leg_id.gateway) {
            // Somebody else has lifted it: that is what was wanted.
            leg.error = None;
            leg.redo = false;
            leg.answer.get_or_insert_with(|| lifted_elsewhere(now.at));
        }
        self.cut_progress(leg_id.cut);
    }

    /// The next order is to be above a version that a gateway has named. A gateway cannot use up
    /// the numbers of the epoch by naming a great one.
    pub(super) fn count_past(&mut self, version: u64) {
        let above = version.saturating_sub(self.first_order()) / ORDER_STEP;
        if above > self.orders && above <= self.orders.saturating_add(1_000) {
            self.orders = above;
        }
    }

    /// An order in force got a higher version: so does what stands in the SIM's row.
    pub(super) fn raise_standing(&mut self, imsi: Imsi, kind: Kind, version: u64) {
        let Some(subscriber) = self.subscribers.by_imsi_mut(imsi) else {
            return;
        };
        let key = row::imsi_key(imsi);
        match kind {
            Kind::Bar => {
                let standing = Standing {
                    version,
                    ..subscriber.standing().clone()
                };
                subscriber.set_standing(standing.clone());
                let state = subscriber.state;
                let state = StateRow { state, standing };
                self.journal.put(Table::State, key, &state);
            }
            Kind::Isolation => {
                let mut isolation = subscriber.isolation().cloned().unwrap_or_default();
                isolation.standing.version = version;
                subscriber.set_isolation(isolation.clone());
                self.journal.put(Table::Isolation, key, &isolation);
            }
            Kind::Session => {}
        }
    }

    /// The state of a SIM is what its row says: keeps the lists of who is barred and of what ends.
    pub(crate) fn note_standing(&mut self, imsi: Imsi, before: Option<WallTime>) {
        let Some(subscriber) = self.subscribers.by_imsi(imsi) else {
            return;
        };
        let standing = subscriber.standing();
        let in_force = !subscriber.state.is_served() && standing.version != 0;
        self.expiries.set(
            imsi,
            Kind::Bar,
            before,
            standing.expires.filter(|_| in_force),
        );
        if in_force {
            self.barred.insert(imsi);
        } else {
            self.barred.remove(&imsi);
        }
    }

    /// The same for a SIM's isolation.
    pub(crate) fn note_isolation(&mut self, imsi: Imsi, before: Option<WallTime>) {
        let Some(subscriber) = self.subscribers.by_imsi(imsi) else {
            return;
        };
        let isolation = subscriber.isolation().filter(|i| i.isolated);
        let expires = isolation.and_then(|i| i.standing.expires);
        self.expiries.set(imsi, Kind::Isolation, before, expires);
        if isolation.is_some() {
            self.isolated.insert(imsi);
        } else {
            self.isolated.remove(&imsi);
        }
    }

    /// Notes why a gateway has not done its part. Tells how often it has been told.
    pub(super) fn leg_failed(&mut self, leg_id: LegId, why: &str) -> u32 {
        let Some(leg) = self
            .cuts
            .get_mut(leg_id.cut)
            .and_then(|c| c.gateways.get_mut(leg_id.gateway))
        else {
            return 0;
        };
        leg.error = Some(short(why));
        let (gateway, attempt) = (leg.name.clone(), leg.attempts);
        self.tell(Event::GatewayFailed {
            cut: leg_id.cut,
            gateway,
            why: short(why),
            attempt,
        });
        attempt
    }

    /// Runs what is due at gateways.
    pub(crate) fn run_due_calls(&mut self, now: Now) {
        while let Some(due) = self.cuts.due(now.at) {
            match due {
                Due::Late(Asked::Leg(leg)) => self.gateway_failed(now, leg, "no answer in time"),
                Due::Late(Asked::Watch(gateway)) => self.watch_replied(now, gateway, None),
                Due::Again(leg) => self.tell_gateway(now, leg),
            }
        }
    }
}

/// The answer of a gateway at which there is nothing to lift any more.
fn lifted_elsewhere(at: Instant) -> GatewayAnswer {
    GatewayAnswer {
        at,
        comparable: false,
        same_boot: false,
        sessions: 0,
        t4: None,
        t5_uplink: None,
        t5_downlink: None,
        t7: None,
        packets_after_t0: None,
        purged: None,
        accounting: false,
    }
}
