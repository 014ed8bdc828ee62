//! Orders as they are carried out: the call, the gateways, the commit, the certificate.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use heiiki_diameter::s6a::CancellationType;
use heiiki_types::{CallId, HttpResponse, Imsi, Instant, Now, WallTime};

use super::book::{Asked, Due, LegId, short};
use super::gateway::{Overruled, Trouble};
use super::watch::Found;
use super::{
    Certificate, Cut, CutId, FRONT_END_STEP, GatewayAnswer, GatewayLeg, Kind, MAX_VERSION, NodeLeg,
    ORDER_STEP, ORDERS_OF_AN_EPOCH, Stamp, gateway,
};
use crate::admin::Refusal;
use crate::event::Event;
use crate::node::{Hss, Output};
use crate::storage::Deferred;
use crate::subscriber::row::{self, StateRow, Table};
use crate::subscriber::{Isolation, ServingNode, Standing, State, StateEvent, Verb};

/// What an operator's call says besides the verb.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) imsi: Imsi,
    pub(crate) verb: Verb,
    pub(crate) actor: String,
    pub(crate) reason: String,
    /// When it ends by itself; never without it.
    pub(crate) expires: Option<WallTime>,
    /// The bulk order that it is part of.
    pub(crate) bulk: Option<u64>,
}

impl Order {
    /// An order without a reason and without an end.
    pub(crate) const fn new(imsi: Imsi, verb: Verb) -> Self {
        Self {
            imsi,
            verb,
            actor: String::new(),
            reason: String::new(),
            expires: None,
            bulk: None,
        }
    }
}

impl Hss {
    /// Carries out an order. The reply to its call, if there is one, follows when the commit is
    /// decided and every gateway has been told once.
    pub(crate) fn order(
        &mut self,
        now: Now,
        call: Option<CallId>,
        order: Order,
    ) -> Result<CutId, Refusal> {
        let id = self.next_order(Some(order.imsi))?;
        let subscriber = self
            .subscribers
            .by_imsi_mut(order.imsi)
            .ok_or(Refusal::NoSubscriber)?;
        let from = subscriber.state;
        let to = from
            .next(StateEvent::Verb(order.verb))
            .map_err(|_| Refusal::WrongState {
                state: from,
                verb: order.verb,
            })?;
        if self.journal.is_stuck() && !order.verb.takes_away() {
            return Err(Refusal::DiskFailed);
        }
        let mut cut = self.new_cut(now, (id, from, to), order);
        cut.reply = call;
        self.tell(Event::CutStamp {
            cut: id,
            imsi: cut.imsi,
            stamp: Stamp::T0,
            at: now.at.as_micros(),
            node: None,
        });
        if cut.verb.takes_away() {
            self.cut(now, cut);
        } else {
            self.resume(now, cut);
        }
        Ok(id)
    }

    /// The number of a new order: above all of this start, and above the last one for its SIM, which
    /// another front end may have given.
    pub(crate) fn next_order(&mut self, imsi: Option<Imsi>) -> Result<CutId, Refusal> {
        let first = self.first_order();
        // A version may be far above the numbers of this store: only front ends that share one
        // count on from each other's.
        let imsi = imsi.filter(|_| self.shared.is_some());
        let last = imsi.and_then(|imsi| self.subscribers.by_imsi(imsi));
        let last = last
            .map_or(0, |s| s.standing().version)
            .saturating_sub(first)
            / ORDER_STEP;
        self.orders = self.orders.max(last) + 1;
        if self.orders >= ORDERS_OF_AN_EPOCH && self.shared.is_none() {
            return Err(Refusal::OutOfOrders);
        }
        let number = first.saturating_add(self.orders * ORDER_STEP);
        Ok(CutId(number.saturating_add(self.front_end_offset())))
    }

    /// What tells the orders of front ends apart that share a store.
    fn front_end_offset(&self) -> u64 {
        match self.shared {
            Some(_) => u64::from(self.config.inds.first()) * FRONT_END_STEP,
            None => 0,
        }
    }

    /// Whether the order was given here.
    pub(crate) const fn is_own(&self, id: CutId) -> bool {
        self.shared.is_none() || id.front_end() == self.config.inds.first()
    }

    /// An order did not happen: another front end changed the SIM first.
    pub(crate) fn forget_order(&mut self, id: CutId) {
        self.cuts.forget(id);
    }

    /// The number below the first order of this epoch.
    const fn first_order(&self) -> u64 {
        self.epoch.0.saturating_mul(ORDERS_OF_AN_EPOCH * ORDER_STEP)
    }

    fn new_cut(&self, now: Now, (id, from, to): (CutId, State, State), order: Order) -> Cut {
        let apns: Vec<_> = self
            .subscribers
            .by_imsi(order.imsi)
            .and_then(|s| self.subscribers.profile(s))
            .map(|p| p.apns.iter().map(|a| a.apn.clone()).collect())
            .unwrap_or_default();
        let (serving, unlisted) = gateway::of_apns(&self.config.gateways, apns.iter());
        let leg = |g: &crate::config::Gateway| GatewayLeg {
            name: g.name.clone(),
            observable: g.token.is_some(),
            attempts: 0,
            answer: None,
            error: None,
            retold: 0,
            redo: false,
        };
        Cut {
            id: id.0,
            version: self.version_above(id, order.imsi).min(MAX_VERSION),
            imsi: order.imsi,
            verb: order.verb,
            actor: order.actor,
            reason: order.reason,
            from,
            to,
            wall: now.wall,
            expires: order.expires,
            bulk: order.bulk,
            boot: self.config.boot.clone(),
            t0: now.at,
            t1: None,
            t6: None,
            t7: None,
            t8: None,
            nodes: Vec::new(),
            gateways: serving.into_iter().map(leg).collect(),
            unlisted,
            superseded: false,
            committed: false,
            disk_failed: false,
            told: None,
            reply: None,
        }
    }

    /// Takes service away: everybody is told at once, and the commit comes after.
    fn cut(&mut self, now: Now, mut cut: Cut) {
        let (id, imsi) = (cut.id(), cut.imsi);
        let standing = self.change_state(now, &cut);
        if !cut.verb.is_cut() {
            let legs = cut.gateways.len();
            self.cuts.enter(cut);
            self.make_latest(id);
            for gateway in 0..legs {
                self.tell_gateway(now, LegId { cut: id, gateway });
            }
            self.commit(now, id, standing);
            return;
        }
        // A location update that waits for the disk is answered first, so that the cancellation
        // comes after the answer on the same connection.
        let mut nodes = self.take_over_cancellations(imsi);
        nodes.extend(self.refuse_waiting_updates(now, imsi));
        let location = self
            .subscribers
            .by_imsi(imsi)
            .and_then(|s| self.subscribers.serving_node(s));
        nodes.extend(location.cloned());
        let nodes = distinct(nodes);
        cut.nodes = nodes.iter().map(|n| new_node_leg(&n.host)).collect();
        let (legs, is_bulk) = (cut.gateways.len(), cut.bulk.is_some());
        self.cuts.enter(cut);
        self.make_latest(id);
        for gateway in 0..legs {
            self.tell_gateway(now, LegId { cut: id, gateway });
        }
        for node in nodes {
            let kind = CancellationType::SUBSCRIPTION_WITHDRAWAL;
            if is_bulk {
                self.cancel_location_later(imsi, node, kind, id);
            } else {
                self.cancel_location(now, imsi, node, kind, Some(id));
            }
        }
        self.commit(now, id, standing);
    }

    /// Gives service back: nobody is told before the commit, and an older cut goes on until then.
    fn resume(&mut self, now: Now, cut: Cut) {
        let id = cut.id();
        let standing = standing_of(&cut);
        self.cuts.enter(cut);
        self.commit(now, id, standing);
    }

    /// The state in memory, and what goes beside it to the disk.
    fn change_state(&mut self, now: Now, cut: &Cut) -> Standing {
        let standing = Standing {
            at: now.wall,
            ..standing_of(cut)
        };
        if let Some(subscriber) = self.subscribers.by_imsi_mut(cut.imsi) {
            match cut.kind() {
                Kind::Bar => {
                    let before = subscriber.standing().expires;
                    subscriber.state = cut.to;
                    subscriber.set_standing(standing.clone());
                    self.note_standing(cut.imsi, before);
                }
                Kind::Isolation => {
                    let before = subscriber.isolation().and_then(|i| i.standing.expires);
                    subscriber.set_isolation(Isolation {
                        isolated: cut.verb == Verb::Isolate,
                        standing: standing.clone(),
                    });
                    self.note_isolation(cut.imsi, before);
                }
                Kind::Session => {}
            }
        }
        if cut.from != cut.to {
            self.tell(Event::StateChanged {
                imsi: cut.imsi,
                from: cut.from,
                to: cut.to,
                verb: Some(cut.verb),
                actor: cut.actor.clone(),
                reason: cut.reason.clone(),
                version: cut.version,
            });
        } else if cut.kind() != Kind::Bar {
            self.tell(Event::OrderGiven {
                cut: cut.id(),
                imsi: cut.imsi,
                verb: cut.verb,
                actor: cut.actor.clone(),
                reason: cut.reason.clone(),
            });
        }
        standing
    }

    /// The order is the one that counts for its SIM; an older one is over.
    pub(crate) fn make_latest(&mut self, id: CutId) {
        if let Some(older) = self.cuts.make_latest(id) {
            self.supersede(older);
        }
    }

    fn supersede(&mut self, id: CutId) {
        self.cuts.stop(id);
        if let Some(cut) = self.cuts.get_mut(id) {
            cut.superseded = !cut.is_closed();
        }
        self.cut_progress(id);
    }

    /// Sends the order and the state to the disk, as one batch.
    fn commit(&mut self, now: Now, id: CutId, standing: Standing) {
        let Some(cut) = self.cuts.get(id) else {
            return;
        };
        let key = row::imsi_key(cut.imsi);
        match cut.kind() {
            Kind::Bar => {
                let state = StateRow {
                    state: cut.to,
                    standing,
                };
                self.journal.put(Table::State, key.clone(), &state);
            }
            Kind::Isolation => {
                let isolation = Isolation {
                    isolated: cut.verb == Verb::Isolate,
                    standing,
                };
                self.journal.put(Table::Isolation, key.clone(), &isolation);
            }
            Kind::Session => {}
        }
        let entries = self.history.add(cut);
        self.journal.put(Table::History, key, entries);
        let seq = self.journal.put(Table::Cut, cut_key(id), cut);
        self.wait_for(now, seq, Deferred::Order(id));
        if self.journal.is_stuck() {
            self.order_is_late(id);
        }
    }

    /// The order is durable: t1.
    pub(crate) fn order_is_durable(&mut self, now: Now, id: CutId) {
        let Some(cut) = self.cuts.get_mut(id) else {
            return;
        };
        cut.committed = true;
        cut.disk_failed = false;
        cut.t1 = Some(now.at);
        let (imsi, verb) = (cut.imsi, cut.verb);
        self.tell(Event::CutStamp {
            cut: id,
            imsi,
            stamp: Stamp::T1,
            at: now.at.as_micros(),
            node: None,
        });
        if !verb.takes_away() {
            self.make_latest(id);
            self.lift(now, id);
        }
        self.cut_progress(id);
    }

    /// A resume is durable: the SIM is served again, unless a later cut has come.
    fn lift(&mut self, now: Now, id: CutId) {
        let Some(cut) = self.cuts.get(id).filter(|c| !c.superseded).cloned() else {
            return;
        };
        // A cut given meanwhile counts, also where no gateway's answer is waited for.
        if self.cuts.latest_of(cut.imsi, cut.kind()) != Some(id) {
            return;
        }
        self.change_state(now, &cut);
        if cut.kind() == Kind::Bar {
            self.forget_cancellations_of_cuts(cut.imsi);
        }
        for gateway in 0..cut.gateways.len() {
            self.tell_gateway(now, LegId { cut: id, gateway });
        }
    }

    /// The disk failed under the order. A cut stays in force, in memory and at the gateways; a
    /// resume did not happen.
    /// The order is not durable, but will be: its caller hears that it is not yet. One that gives
    /// service back has had no effect, and its caller waits.
    pub(crate) fn order_is_late(&mut self, id: CutId) {
        let late = self.cuts.get_mut(id).filter(|cut| cut.verb.is_cut());
        if let Some(cut) = late {
            cut.disk_failed = true;
            self.cut_progress(id);
        }
    }

    pub(crate) fn order_is_lost(&mut self, id: CutId) {
        if let Some(cut) = self.cuts.get_mut(id) {
            cut.disk_failed = true;
            if !cut.verb.takes_away() {
                cut.superseded = true;
            }
        }
        self.cut_progress(id);
    }

    /// Tells one gateway its part of an order.
    pub(crate) fn tell_gateway(&mut self, now: Now, leg_id: LegId) {
        let Some(cut) = self.cuts.get_mut(leg_id.cut) else {
            return;
        };
        if cut.superseded {
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
            Err(Trouble::Overruled(by)) => return self.gateway_overruled(now, leg_id, &by),
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

    fn gateway_failed(&mut self, now: Now, leg_id: LegId, why: &str) {
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
    fn gateway_overruled(&mut self, now: Now, leg_id: LegId, by: &Overruled) {
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
        let counts = !cut.superseded && self.cuts.latest_of(imsi, kind) == Some(leg_id.cut);
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
                gateway: name.as_deref().unwrap_or_default(),
                imsi,
                kind,
                version: by.version,
                actor: &by.actor,
                reason: &by.reason,
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
    fn count_past(&mut self, version: u64) {
        let above = version.saturating_sub(self.first_order()) / ORDER_STEP;
        if above > self.orders && above <= self.orders.saturating_add(1_000) {
            self.orders = above;
        }
    }

    /// An order in force got a higher version: so does what stands in the SIM's row.
    fn raise_standing(&mut self, imsi: Imsi, kind: Kind, version: u64) {
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
    fn leg_failed(&mut self, leg_id: LegId, why: &str) -> u32 {
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

    /// Looks at an order after something happened to it: verdict, reply, row.
    pub(crate) fn cut_progress(&mut self, id: CutId) {
        let own = self.is_own(id);
        let Some(cut) = self.cuts.get_mut(id) else {
            return;
        };
        let (imsi, verdict) = (cut.imsi, cut.verdict());
        let changed = cut.told.replace(verdict) != Some(verdict);
        // An order that a later one replaced is no less promised by its answer: it waits for the disk.
        let kept = cut.committed || cut.disk_failed;
        let reply = if cut.is_reportable() || (cut.superseded && kept) {
            cut.reply.take()
        } else {
            None
        };
        if own && cut.is_closed() && cut.committed {
            self.journal.put(Table::Cut, cut_key(id), cut);
        }
        if changed {
            self.tell(Event::CutVerdict {
                cut: id,
                imsi,
                verdict,
            });
        }
        if let Some(call) = reply {
            self.reply_with_certificate(call, id);
        }
        while let Some(old) = self.cuts.forget_one(self.config.limits.cuts) {
            self.journal.delete(Table::Cut, cut_key(old));
        }
    }

    fn reply_with_certificate(&mut self, call: CallId, id: CutId) {
        let Some(cut) = self.cuts.get(id) else {
            return;
        };
        let response = if cut.disk_failed {
            Refusal::NotDurable.response(Some(&Certificate::new(cut)))
        } else {
            HttpResponse {
                status: 200,
                body: Certificate::new(cut).json(),
                headers: heiiki_types::Headers::default(),
            }
        };
        self.reply(call, response);
    }

    /// A SIM was refused: the first time after its latest cut is t8.
    pub(crate) fn stamp_refusal(&mut self, now: Now, imsi: Imsi) {
        let Some(id) = self.cuts.latest_of(imsi, Kind::Bar) else {
            return;
        };
        self.report_stamp(id, Stamp::T8, now.at);
    }

    /// Enters a stamp that others see: t6, t7 or t8. The first report counts.
    pub(crate) fn report_stamp(&mut self, id: CutId, stamp: Stamp, at: Instant) -> bool {
        let Some(cut) = self.cuts.get_mut(id).filter(|c| c.verb.is_cut()) else {
            return false;
        };
        let slot = match stamp {
            Stamp::T6 => &mut cut.t6,
            Stamp::T7 => &mut cut.t7,
            Stamp::T8 => &mut cut.t8,
            _ => return false,
        };
        if slot.is_some() {
            return false;
        }
        *slot = Some(at);
        let imsi = cut.imsi;
        self.tell(Event::CutStamp {
            cut: id,
            imsi,
            stamp,
            at: at.as_micros(),
            node: None,
        });
        self.cut_progress(id);
        true
    }

    /// After a start: what was not done when the last process ended is done now.
    pub(crate) fn take_up_orders(&mut self) {
        let ids: Vec<CutId> = self.cuts.ids().collect();
        for id in ids {
            let Some(cut) = self.cuts.get(id) else {
                continue;
            };
            if !self.is_own(id) {
                continue;
            }
            let latest = self.cuts.latest_of(cut.imsi, cut.kind());
            let open = cut.gateways.iter().map(GatewayLeg::is_open);
            let open: Vec<usize> = open
                .enumerate()
                .filter(|(_, open)| *open)
                .map(|(place, _)| place)
                .collect();
            if latest != Some(id) {
                self.supersede(id);
                continue;
            }
            for gateway in open {
                self.cuts.queue(LegId { cut: id, gateway });
            }
            if let Some(cut) = self.cuts.get_mut(id) {
                cut.told = Some(cut.verdict());
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

fn new_node_leg(host: &str) -> NodeLeg {
    NodeLeg {
        host: host.to_string(),
        attempts: 0,
        t2: None,
        t3: None,
        result: None,
    }
}

/// Each MME once.
fn distinct(nodes: Vec<ServingNode>) -> Vec<ServingNode> {
    let mut out: Vec<ServingNode> = Vec::new();
    for node in nodes {
        if !out.iter().any(|n| n.host.eq_ignore_ascii_case(&node.host)) {
            out.push(node);
        }
    }
    out
}

fn standing_of(cut: &Cut) -> Standing {
    Standing {
        version: cut.version,
        actor: cut.actor.clone(),
        reason: cut.reason.clone(),
        at: cut.wall,
        expires: cut.expires,
    }
}

/// The key of an order's row: in the order of the orders.
pub(crate) fn cut_key(id: CutId) -> Vec<u8> {
    id.0.to_be_bytes().to_vec()
}
