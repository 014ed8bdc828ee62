//! Isolation: a SIM keeps its session and reaches its tenant's quarantine prefixes only.
//!
//! An isolation is kept by IMSI, as a bar is, so that a new session does not escape it. It is
//! answered when every worker follows it and the disk has it; its release is on disk before any
//! worker hears of it.

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use heiiki_types::{CallId, Imsi, Instant, Now};

use super::admin::Handled;
use super::api::{self, IsolationCall, IsolationReply, LiftCall};
use super::lists::Kind;
use super::orders::{Order, Standing};
use super::procedure::{Isolation, IsolationStep, Procedure, Ticket};
use super::{Control, shorten};
use crate::event::Event;
use crate::user_plane::{Answer, SessionId, Slot, Update};

impl Isolation {
    /// Takes what a worker says.
    pub(super) fn absorb(&mut self, at: Instant, answer: &Answer) {
        self.t5 = self.t5.max(at);
        if let Answer::Isolated { purged } = answer {
            self.purged += purged;
        }
    }
}

impl Control {
    /// Whether a SIM is isolated.
    pub(super) fn is_isolated(&self, imsi: Imsi) -> bool {
        self.isolations.in_force(imsi).is_some()
    }

    /// `POST /v1/isolations`
    pub(super) fn post_isolation(
        &mut self,
        now: Now,
        call: CallId,
        order: &IsolationCall,
    ) -> Handled {
        // Without a version it is one that no HSS has ordered, above everything heard of.
        let is_local = order.version.is_none();
        let version = order
            .version
            .unwrap_or_else(|| self.isolations.highest().saturating_add(1));
        let id = match &order.cut {
            Some(id) => shorten(id),
            None => format!("isolation-{version}"),
        };
        let row = Order {
            standing: Standing::InForce,
            version,
            cut: id,
            reason: shorten(&order.reason),
            actor: shorten(&order.actor),
            cause: 0,
            at: now.wall,
            is_local,
        };
        self.change_isolation(now, call, order.imsi, row)?;
        if is_local {
            self.instance.local_orders = self.instance.local_orders.saturating_add(1);
        }
        Ok(())
    }

    /// `POST /v1/isolations/{imsi}/release`
    pub(super) fn post_release(
        &mut self,
        now: Now,
        call: CallId,
        imsi: Imsi,
        lift: &LiftCall,
    ) -> Handled {
        let row = Order {
            standing: Standing::Lifted,
            version: lift.version,
            cut: shorten(&lift.cut),
            reason: shorten(&lift.reason),
            actor: shorten(&lift.actor),
            cause: 0,
            at: now.wall,
            is_local: false,
        };
        self.change_isolation(now, call, imsi, row)
    }

    fn change_isolation(&mut self, now: Now, call: CallId, imsi: Imsi, row: Order) -> Handled {
        let was_isolated = self.is_isolated(imsi);
        let (version, isolates) = (row.version, row.standing == Standing::InForce);
        let mut isolation = Isolation {
            imsi,
            version,
            id: row.cut.clone(),
            isolates,
            was_isolated,
            step: IsolationStep::Writing,
            sessions: 0,
            t4: now.at,
            t5: now.at,
            purged: 0,
            call: Some(call),
        };
        let (reason, actor) = (row.reason.clone(), row.actor.clone());
        let evicted = self
            .isolations
            .take(imsi, row)
            .map_err(|overruled| self.overruled(Kind::Isolations, imsi, version, overruled))?;
        let rows = self.order_rows(Kind::Isolations, imsi, evicted);
        if isolates {
            isolation.step = IsolationStep::Applying;
            self.event(Event::IsolationSet {
                imsi,
                cut: isolation.id.clone(),
                version,
                reason,
                actor,
                t4: now.at,
            });
        }
        let ticket = self.begin(Procedure::Isolation(Box::new(isolation)));
        self.set_deadline(ticket, now.at + self.config.cut_timeout);
        if isolates {
            self.apply_isolation(ticket, imsi, true);
        }
        self.persist(ticket, rows);
        self.advance(now, ticket);
        Ok(())
    }

    /// Tells every worker, also when there is no session: its answer says that no packet is under
    /// way any more that was judged by the rules before.
    fn apply_isolation(&mut self, ticket: Ticket, imsi: Imsi, isolates: bool) -> u32 {
        let sessions: Vec<(Slot, SessionId)> = self
            .sessions
            .of_imsi(imsi)
            .filter(|l| !l.is_leaving())
            .map(|l| (l.session.slot, l.session.id))
            .collect();
        let count = u32::try_from(sessions.len()).unwrap_or(u32::MAX);
        if let Some(running) = self.procedures.get_mut(&ticket)
            && let Some(Procedure::Isolation(isolation)) = &mut running.procedure
        {
            isolation.sessions = count;
        }
        let sessions: Arc<[_]> = sessions.into();
        self.broadcast(ticket, &Update::Isolate { sessions, isolates });
        count
    }

    pub(super) fn isolation_step(
        &mut self,
        now: Now,
        ticket: Ticket,
        mut isolation: Box<Isolation>,
        durable: bool,
    ) -> Option<Procedure> {
        let (imsi, version) = (isolation.imsi, isolation.version);
        if isolation.step == IsolationStep::Writing && durable {
            isolation.step = IsolationStep::Applying;
            let last = self.isolations.order(imsi);
            let counts =
                last.is_some_and(|o| o.version == version && o.standing == Standing::Lifted);
            // An isolation that came meanwhile stays.
            if counts {
                isolation.sessions = self.apply_isolation(ticket, imsi, false);
            }
            return Some(Procedure::Isolation(isolation));
        }
        self.answer_isolation(now, &isolation, durable);
        None
    }

    fn answer_isolation(&mut self, now: Now, isolation: &Isolation, durable: bool) {
        let imsi = isolation.imsi;
        if isolation.isolates {
            self.event(Event::IsolationDone {
                imsi,
                cut: isolation.id.clone(),
                sessions: isolation.sessions,
                t4: isolation.t4,
                t5: isolation.t5,
                durable,
            });
        } else if durable {
            let actor = self.isolations.order(imsi).map(|o| o.actor.clone());
            self.event(Event::IsolationReleased {
                imsi,
                version: isolation.version,
                actor: actor.unwrap_or_default(),
            });
        } else {
            // What could not be written was not released: the workers never heard of it.
            self.isolate_again(now, isolation);
        }
        let body = IsolationReply {
            imsi,
            cut: &isolation.id,
            version: isolation.version,
            isolated: self.is_isolated(imsi),
            was_isolated: isolation.was_isolated,
            sessions: isolation.sessions,
            t4: isolation.t4,
            t5_uplink: isolation.t5,
            t5_downlink: isolation.t5,
            purged: isolation.purged,
            durable,
            boot: &self.config.boot_id,
            instance: format!("{}", self.instance),
        };
        if let Some(call) = isolation.call {
            let response = api::reply(if durable { 200 } else { 500 }, &body);
            self.reply(call, response);
        }
    }

    /// A release failed: the SIM stays isolated, for new sessions too.
    fn isolate_again(&mut self, now: Now, isolation: &Isolation) {
        let last = self.isolations.order(isolation.imsi);
        if let Some(order) = last.filter(|o| o.version == isolation.version)
            && isolation.was_isolated
        {
            let order = Order {
                standing: Standing::InForce,
                at: now.wall,
                ..order.clone()
            };
            self.isolations.restore(isolation.imsi, order);
        }
    }
}
