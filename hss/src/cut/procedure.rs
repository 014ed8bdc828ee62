//! Orders as they are carried out: the call, the gateways, the commit, the certificate.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use heiiki_diameter::s6a::CancellationType;
use heiiki_types::{CallId, HttpResponse, Imsi, Instant, Now, WallTime};

use super::book::LegId;
use super::{
    Certificate, Cut, CutId, FRONT_END_STEP, GatewayLeg, Kind, MAX_VERSION, NodeLeg, ORDER_STEP,
    ORDERS_OF_AN_EPOCH, Stamp, gateway,
};
use crate::admin::Refusal;
use crate::event::Event;
use crate::node::Hss;
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
        if !order.verb.takes_away() {
            self.check_store()?;
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
        let last = imsi.map_or(0, |imsi| self.last_order(imsi));
        let last = last.saturating_sub(first) / ORDER_STEP;
        self.orders = self.orders.max(last) + 1;
        if self.orders >= ORDERS_OF_AN_EPOCH && self.shared.is_none() {
            return Err(Refusal::OutOfOrders);
        }
        let number = first.saturating_add(self.orders * ORDER_STEP);
        Ok(CutId(number.saturating_add(self.front_end_offset())))
    }

    /// The highest number of an order for a SIM that is known here.
    fn last_order(&self, imsi: Imsi) -> u64 {
        let kinds = [Kind::Bar, Kind::Isolation, Kind::Session];
        let of = |kind| {
            let latest = self.cuts.latest_of(imsi, kind).map_or(0, CutId::number);
            latest.max(self.order_version(imsi, kind).unwrap_or(0))
        };
        kinds.into_iter().map(of).max().unwrap_or(0)
    }

    /// What tells the orders of front ends apart that share a store.
    fn front_end_offset(&self) -> u64 {
        match self.shared {
            Some(_) => u64::from(self.config.inds.first()) * FRONT_END_STEP,
            None => 0,
        }
    }

    /// An order did not happen: another front end changed the SIM first.
    pub(crate) fn forget_order(&mut self, id: CutId) {
        self.cuts.forget(id);
    }

    /// The number below the first order of this epoch.
    pub(super) const fn first_order(&self) -> u64 {
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
            if self.holders.remove(&old).is_some() {
                self.journal.delete(Table::Holder, holder_key(old));
            }
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

/// The key of the row that tells who has taken an order over.
pub(crate) fn holder_key(id: CutId) -> Vec<u8> {
    let mut key = cut_key(id);
    key.extend(b"/holder");
    key
}

/// The key of an order's row: in the order of the orders.
pub(crate) fn cut_key(id: CutId) -> Vec<u8> {
    id.0.to_be_bytes().to_vec()
}
