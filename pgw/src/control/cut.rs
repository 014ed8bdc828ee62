use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use heiiki_gtp::c::Cause;
use heiiki_types::{CallId, HttpResponse, Imsi, Instant, Now, Record};

use super::admin::Handled;
use super::api::{self, BarCall, CutReply, EmergencyCall, LiftCall, LiftReply};
use super::lists::Kind;
use super::orders::{MAX_VERSION, Order, Overruled, Standing};
use super::procedure::{Cut, Listener, Procedure, Removal};
use super::{Control, journal, shorten};
use crate::event::{EndReason, Event};
use crate::user_plane::{SessionId, Slot};

impl Control {
    pub(super) fn post_bar(&mut self, now: Now, call: CallId, order: &BarCall) -> Handled {
        if !matches!(order.cause, 8 | 9) {
            return Err(api::error(
                400,
                "the cause of a cut is 9, or 8 to call the UE back",
            ));
        }
        // Time stamps compare within one boot only.
        let comparable = !order.boot.is_empty() && order.boot == self.config.boot_id;
        let t0 = order.t0.filter(|_| comparable);
        self.cut(now, call, order, t0, false)
    }

    pub(super) fn post_emergency_cut(
        &mut self,
        now: Now,
        call: CallId,
        order: EmergencyCall,
    ) -> Handled {
        // Above everything that this gateway has heard of: only a later resume lifts it.
        let version = self.bars.highest().saturating_add(1).min(MAX_VERSION);
        let cut = order.cut.unwrap_or_else(|| format!("emergency-{version}"));
        let order = BarCall {
            imsi: order.imsi,
            cut,
            version,
            reason: order.reason,
            actor: order.actor,
            cause: 9,
            t0: None,
            boot: String::new(),
        };
        self.cut(now, call, &order, Some(now.at), true)?;
        self.instance.local_orders = self.instance.local_orders.saturating_add(1);
        Ok(())
    }

    /// Says why an order is not taken, to its caller and to everybody who listens.
    pub(super) fn overruled(
        &mut self,
        kind: Kind,
        imsi: Imsi,
        version: u64,
        overruled: Overruled,
    ) -> HttpResponse {
        match overruled {
            Overruled::Stale(current) => {
                self.event(Event::OrderStale {
                    imsi,
                    version,
                    current,
                });
                let instance = format!("{}", self.instance);
                match self.orders(kind).order(imsi) {
                    Some(order) => api::stale(order, &instance),
                    None => api::error(409, "a later order for this SIM is in force"),
                }
            }
            Overruled::TooHigh(bound) => api::error(
                400,
                &format!("the version is above {bound}, the greatest that is taken now"),
            ),
            Overruled::Full => {
                self.event(Event::OrdersFull {
                    imsi,
                    version,
                    kind: kind.name(),
                });
                api::error(
                    507,
                    "as many orders are in force as the gateway keeps: this one is NOT; lift some, \
                     or give it to another gateway",
                )
            }
        }
    }

    /// The rows of an order that was just taken; one that made room for it goes.
    pub(super) fn order_rows(&self, kind: Kind, imsi: Imsi, evicted: Option<Imsi>) -> Vec<Record> {
        let mut rows = Vec::new();
        if let Some(evicted) = evicted {
            let row = match kind {
                Kind::Bars => journal::no_order(evicted),
                Kind::Isolations => journal::no_isolation(evicted),
            };
            rows.extend(journal::forgotten(row, self.bars.highest()));
        }
        rows.extend(self.orders(kind).order(imsi).map(|o| match kind {
            Kind::Bars => journal::order(imsi, o),
            Kind::Isolations => journal::isolation(imsi, o),
        }));
        rows
    }

    /// Bars a SIM and removes its sessions, in the order that the module's page states.
    fn cut(
        &mut self,
        now: Now,
        call: CallId,
        order: &BarCall,
        t0: Option<Instant>,
        is_local: bool,
    ) -> Handled {
        let (imsi, version) = (order.imsi, order.version);
        if let Some(running) = self.running_cut(imsi, version)
            && !running.calls.is_empty()
        {
            running.calls.push(call);
            return Ok(());
        }
        let row = Order {
            standing: Standing::InForce,
            version,
            cut: shorten(&order.cut),
            reason: shorten(&order.reason),
            actor: shorten(&order.actor),
            cause: order.cause,
            at: now.wall,
            is_local,
        };
        let (cut, reason, actor) = (row.cut.clone(), row.reason.clone(), row.actor.clone());
        let evicted = self
            .bars
            .take(imsi, row)
            .map_err(|overruled| self.overruled(Kind::Bars, imsi, version, overruled))?;
        let sessions: Vec<(Slot, SessionId)> = self
            .sessions
            .of_imsi(imsi)
            .filter(|l| !l.is_leaving() && self.config.protections.bar)
            .map(|l| (l.session.slot, l.session.id))
            .collect();
        self.event(Event::BarSet {
            imsi,
            cut: cut.clone(),
            version,
            reason,
            actor,
            sessions: u32::try_from(sessions.len()).unwrap_or(u32::MAX),
            t4: now.at,
        });
        let listener = Listener::Cut(Cut {
            imsi,
            version,
            id: cut,
            t0,
            t4: now.at,
            evicted,
            calls: alloc::vec![call],
        });
        let cause = Some(Cause(order.cause));
        let removal = Removal::new(sessions, EndReason::Cut, cause, listener);
        let ticket = self.begin_removal(now, removal);
        self.set_deadline(ticket, now.at + self.config.cut_timeout);
        Ok(())
    }

    /// What the gateway says when a cut is over.
    pub(super) fn answer_cut(
        &mut self,
        cut: &Cut,
        sessions: u32,
        (t5, purged, last): (Instant, u64, (Option<Instant>, Option<Instant>)),
        durable: bool,
    ) {
        let after = |t0: &Instant| last.0.max(last.1).is_none_or(|at| at <= *t0);
        let body = CutReply {
            cut: &cut.id,
            imsi: cut.imsi,
            version: cut.version,
            sessions,
            t4: cut.t4,
            t5_uplink: t5,
            t5_downlink: t5,
            last_uplink: last.0,
            last_downlink: last.1,
            packets_after_t0: cut.t0.filter(after).map(|_| 0),
            purged,
            durable,
            accounting: "none",
            boot: &self.config.boot_id,
            instance: format!("{}", self.instance),
        };
        // Without its row the bar works until the next restart: that is not what was asked for.
        let response = api::reply(if durable { 200 } else { 500 }, &body);
        for call in &cut.calls {
            self.reply(*call, response.clone());
        }
        self.event(Event::CutDone {
            imsi: cut.imsi,
            cut: cut.id.clone(),
            sessions,
            t4: cut.t4,
            t5_uplink: t5,
            t5_downlink: t5,
            purged,
            durable,
        });
    }

    pub(super) fn post_lift(
        &mut self,
        now: Now,
        call: CallId,
        imsi: Imsi,
        lift: &LiftCall,
    ) -> Handled {
        let was_barred = self.bars.in_force(imsi).is_some();
        let version = lift.version;
        let row = Order {
            standing: Standing::Lifted,
            version,
            cut: shorten(&lift.cut),
            reason: shorten(&lift.reason),
            actor: shorten(&lift.actor),
            cause: 0,
            at: now.wall,
            is_local: false,
        };
        // In force at once and answered when it is durable: after a crash between the two the bar
        // is back, and whoever lifted it has no answer and lifts it again.
        let evicted = self
            .bars
            .take(imsi, row)
            .map_err(|overruled| self.overruled(Kind::Bars, imsi, version, overruled))?;
        let rows = self.order_rows(Kind::Bars, imsi, evicted);
        let ticket = self.begin(Procedure::Lift {
            call,
            imsi,
            version,
            was_barred,
        });
        self.set_deadline(ticket, now.at + self.config.cut_timeout);
        self.persist(ticket, rows);
        self.advance(now, ticket);
        Ok(())
    }

    pub(super) fn lifted(
        &mut self,
        call: CallId,
        imsi: Imsi,
        version: u64,
        was_barred: bool,
        durable: bool,
    ) {
        if !durable {
            self.reply(call, api::error(500, "the disk failed"));
            return;
        }
        let actor = self.bars.order(imsi).map(|o| o.actor.clone());
        self.event(Event::BarLifted {
            imsi,
            version,
            actor: actor.unwrap_or_default(),
        });
        let response = api::reply(
            200,
            &LiftReply {
                imsi,
                version,
                lifted: was_barred,
                boot: &self.config.boot_id,
                instance: format!("{}", self.instance),
            },
        );
        self.reply(call, response);
    }
}
