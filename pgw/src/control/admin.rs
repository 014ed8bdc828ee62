use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use heiiki_gtp::c::Cause;
use heiiki_types::{CallId, HttpRequest, HttpResponse, Imsi, Instant, Method, Now};
use serde::de::DeserializeOwned;

use super::api::{
    self, BarCall, BarView, BarsReply, CutReply, DeleteCall, DeleteReply, EmergencyCall, LiftCall,
    LiftReply, SessionView, SessionsReply,
};
use super::bars::{Order, Overruled, Standing};
use super::procedure::{Cut, Listener, Procedure, Question, Removal};
use super::session::State;
use super::{Control, Output, journal, shorten};
use crate::event::{EndReason, Event};
use crate::user_plane::{SessionId, Slot};

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Admin,
    CutOnly,
}

/// A call that the interface has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route<'a> {
    SetBar,
    LiftBar(&'a str),
    ListBars,
    ListSessions,
    DeleteSession(&'a str),
    EmergencyCut,
    Counters,
    Audit,
    Events,
}

impl<'a> Route<'a> {
    /// The route of a path, or the status of what is wrong with it.
    fn find(method: Method, path: &'a str) -> Result<Self, u16> {
        let mut parts = path.strip_prefix("/v1/").ok_or(404_u16)?.split('/');
        let parts = (parts.next(), parts.next(), parts.next(), parts.next());
        let (route, needs) = match parts {
            (Some("bars"), None, ..) if method == Method::Get => (Self::ListBars, Method::Get),
            (Some("bars"), None, ..) => (Self::SetBar, Method::Post),
            (Some("bars"), Some(imsi), Some("lift"), None) => (Self::LiftBar(imsi), Method::Post),
            (Some("sessions"), None, ..) => (Self::ListSessions, Method::Get),
            (Some("sessions"), Some(id), Some("delete"), None) => {
                (Self::DeleteSession(id), Method::Post)
            }
            (Some("emergency-cut"), None, ..) => (Self::EmergencyCut, Method::Post),
            (Some("counters"), None, ..) => (Self::Counters, Method::Get),
            (Some("audit"), None, ..) => (Self::Audit, Method::Get),
            (Some("events"), None, ..) => (Self::Events, Method::Get),
            _ => return Err(404),
        };
        if method == needs { Ok(route) } else { Err(405) }
    }

    /// Whether the role of the HSS may call it. It may look at the sessions of one SIM, not at
    /// everybody's.
    fn is_for_cutting(self, request: &HttpRequest) -> bool {
        match self {
            Self::SetBar | Self::LiftBar(_) | Self::ListBars | Self::EmergencyCut => true,
            Self::ListSessions => request.query("imsi").is_some(),
            Self::DeleteSession(_) | Self::Counters | Self::Audit | Self::Events => false,
        }
    }
}

type Handled = Result<(), HttpResponse>;

fn body<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, HttpResponse> {
    serde_json::from_slice(&request.body)
        .map_err(|error| api::error(400, &format!("the body is not right: {error}")))
}

fn imsi(text: &str) -> Result<Imsi, HttpResponse> {
    text.parse()
        .map_err(|_| api::error(400, "an IMSI is 6 to 15 decimal digits"))
}

impl Control {
    fn reply(&mut self, call: CallId, response: HttpResponse) {
        self.outputs
            .push_back(Output::AdminReply { call, response });
    }

    pub(super) fn reply_overdue(&mut self, call: CallId, workers: u32) {
        let who = if workers > 0 { "a worker" } else { "the disk" };
        let text = format!("{who} has not answered in time; what was ordered stays in force");
        self.reply(call, api::error(504, &text));
    }

    /// An administrative call. Orders to cut work in every phase that has read the bars.
    pub(super) fn handle_admin(&mut self, now: Now, call: CallId, request: &HttpRequest) {
        if let Err(response) = self.route(now, call, request) {
            if matches!(response.status, 401 | 403) {
                self.event(Event::AdminRefused {
                    path: shorten(request.path()),
                    status: response.status,
                });
            }
            self.reply(call, response);
        }
    }

    fn route(&mut self, now: Now, call: CallId, request: &HttpRequest) -> Handled {
        // Who does not show a token learns nothing, not even which paths there are.
        let role = self
            .role(request)
            .ok_or_else(|| api::error(401, "a bearer token of this gateway is needed"))?;
        let route = Route::find(request.method, request.path()).map_err(|status| {
            let text = if status == 405 {
                "this path is called with another method"
            } else {
                "there is no such path"
            };
            api::error(status, text)
        })?;
        if role == Role::CutOnly && !route.is_for_cutting(request) {
            return Err(api::error(403, "this token may only cut"));
        }
        if !self.is_serving() {
            return Err(api::error(503, "the gateway is reading its disk"));
        }
        // Cuts go before everything else.
        let is_order = matches!(
            route,
            Route::SetBar | Route::LiftBar(_) | Route::EmergencyCut
        );
        if self.is_overloaded() && !is_order {
            return Err(api::error(503, "too many calls wait"));
        }
        match route {
            Route::SetBar => self.post_bar(now, call, &body(request)?),
            Route::EmergencyCut => self.post_emergency_cut(now, call, body(request)?),
            Route::LiftBar(text) => self.post_lift(now, call, imsi(text)?, &body(request)?),
            Route::ListBars => {
                let response = self.bars_reply();
                self.reply(call, response);
                Ok(())
            }
            Route::ListSessions => self.get_sessions(call, request),
            Route::DeleteSession(id) => self.post_delete(now, call, id, request),
            Route::Counters => {
                let question = match request.query("imsi") {
                    Some(text) => Question::SessionCounters(imsi(text)?),
                    None => Question::Counters,
                };
                self.ask(now, call, question);
                Ok(())
            }
            Route::Audit => {
                self.ask(now, call, Question::Audit);
                Ok(())
            }
            Route::Events => {
                // The driver has the stream: this says only that the caller may listen.
                let body = b"{}".to_vec();
                self.reply(
                    call,
                    HttpResponse {
                        status: 200,
                        body,
                        headers: heiiki_types::Headers::default(),
                    },
                );
                Ok(())
            }
        }
    }

    fn role(&self, request: &HttpRequest) -> Option<Role> {
        let token = request.bearer.as_ref()?;
        // Both are compared, whichever it is.
        let admin = *token == self.config.tokens.admin;
        let cut_only = *token == self.config.tokens.cut_only;
        if admin {
            Some(Role::Admin)
        } else if cut_only {
            Some(Role::CutOnly)
        } else {
            None
        }
    }

    fn post_bar(&mut self, now: Now, call: CallId, order: &BarCall) -> Handled {
        if !matches!(order.cause, 8 | 9) {
            return Err(api::error(
                400,
                "the cause of a cut is 9, or 8 to call the UE back",
            ));
        }
        // Time stamps compare within one boot only.
        let comparable = !order.boot.is_empty() && order.boot == self.config.boot_id;
        let t0 = order.t0.filter(|_| comparable);
        self.cut(now, call, order, t0)
    }

    fn post_emergency_cut(&mut self, now: Now, call: CallId, order: EmergencyCall) -> Handled {
        // Above everything this gateway has heard of the SIM: only a later resume lifts it.
        let version = self
            .bars
            .order(order.imsi)
            .map_or(0, |o| o.version)
            .saturating_add(1);
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
        self.cut(now, call, &order, Some(now.at))
    }

    fn overruled(&mut self, imsi: Imsi, version: u64, overruled: Overruled) -> HttpResponse {
        match overruled {
            Overruled::Stale(current) => {
                self.event(Event::OrderStale {
                    imsi,
                    version,
                    current,
                });
                api::stale(current)
            }
            Overruled::Full => api::error(507, "there are as many bars as the gateway keeps"),
        }
    }

    /// Bars a SIM and removes its sessions, in the order that the module's page states.
    fn cut(&mut self, now: Now, call: CallId, order: &BarCall, t0: Option<Instant>) -> Handled {
        let (imsi, version) = (order.imsi, order.version);
        if let Some(running) = self.running_cut(imsi, version)
            && !running.calls.is_empty()
        {
            running.calls.push(call);
            return Ok(());
        }
        let row = Order {
            standing: Standing::Barred,
            version,
            cut: shorten(&order.cut),
            reason: shorten(&order.reason),
            actor: shorten(&order.actor),
            cause: order.cause,
            at: now.wall,
        };
        let (cut, reason, actor) = (row.cut.clone(), row.reason.clone(), row.actor.clone());
        self.bars
            .take(imsi, row)
            .map_err(|overruled| self.overruled(imsi, version, overruled))?;
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
        now: Now,
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
            t7: now.at,
            last_uplink: last.0,
            last_downlink: last.1,
            packets_after_t0: cut.t0.filter(after).map(|_| 0),
            purged,
            durable,
            boot: &self.config.boot_id,
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

    fn post_lift(&mut self, now: Now, call: CallId, imsi: Imsi, lift: &LiftCall) -> Handled {
        let was_barred = self.bars.bar(imsi).is_some();
        let version = lift.version;
        let row = Order {
            standing: Standing::Lifted,
            version,
            cut: shorten(&lift.cut),
            reason: shorten(&lift.reason),
            actor: shorten(&lift.actor),
            cause: 0,
            at: now.wall,
        };
        let record = journal::order(imsi, &row);
        // In force at once and answered when it is durable: after a crash between the two the bar
        // is back, and whoever lifted it has no answer and lifts it again.
        self.bars
            .take(imsi, row)
            .map_err(|overruled| self.overruled(imsi, version, overruled))?;
        let ticket = self.begin(Procedure::Lift {
            call,
            imsi,
            version,
            was_barred,
        });
        self.set_deadline(ticket, now.at + self.config.cut_timeout);
        self.persist(ticket, alloc::vec![record]);
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
            },
        );
        self.reply(call, response);
    }

    fn bars_reply(&self) -> HttpResponse {
        let body = BarsReply {
            bars: self
                .bars
                .iter()
                .map(|(imsi, order)| view(imsi, order))
                .collect(),
            boot: &self.config.boot_id,
        };
        api::reply(200, &body)
    }

    fn get_sessions(&mut self, call: CallId, request: &HttpRequest) -> Handled {
        let wanted = request.query("imsi").map(imsi).transpose()?;
        let number = |name| request.query(name).map(str::parse).transpose();
        let wrong = |_| api::error(400, "limit and after are numbers");
        let limit: usize = number("limit").map_err(wrong)?.unwrap_or(1_000);
        let after: u32 = request
            .query("after")
            .map_or(Ok(0), str::parse)
            .map_err(wrong)?;
        let view = |live| self.view(live);
        let mut sessions: Vec<SessionView<'_>> = match wanted {
            Some(imsi) => self.sessions.of_imsi(imsi).map(view).collect(),
            None => self.sessions.iter().map(view).collect(),
        };
        sessions.retain(|view| view.id.0 > after);
        sessions.sort_by_key(|view| view.id);
        sessions.truncate(limit);
        let body = SessionsReply {
            sessions,
            total: self.sessions.len(),
            boot: &self.config.boot_id,
        };
        let response = api::reply(200, &body);
        self.reply(call, response);
        Ok(())
    }

    fn view<'a>(&'a self, live: &'a super::session::Live) -> SessionView<'a> {
        let session = &live.session;
        let tenant = self.network.tenant(live.tenant);
        SessionView {
            id: session.id,
            imsi: session.imsi,
            msisdn: session.msisdn,
            imei: session.imei,
            apn: &session.apn,
            tenant: tenant.map_or("", |t| t.name.as_str()),
            address: session.address,
            state: match live.state {
                State::Installing => "installing",
                State::Active => "active",
                State::Leaving(_) => "leaving",
            },
            ebi: session.ebi,
            qci: session.qci,
            ambr: session.ambr,
            sgw: session.sgw_c.address,
            worker: session.slot.0 % self.network.workers,
            since: session.created,
        }
    }

    /// The delete-session verb: the SIM is not barred and its UE may come back at once.
    fn post_delete(&mut self, now: Now, call: CallId, id: &str, request: &HttpRequest) -> Handled {
        let id: u32 = id
            .parse()
            .map_err(|_| api::error(400, "a session has a number"))?;
        let asked: DeleteCall = if request.body.is_empty() {
            DeleteCall::default()
        } else {
            body(request)?
        };
        let found = self
            .sessions
            .iter()
            .find(|l| l.session.id.0 == id && !l.is_leaving())
            .map(|l| ((l.session.slot, l.session.id), l.session.imsi));
        let Some((found, imsi)) = found else {
            return Err(api::error(404, "there is no such session"));
        };
        self.event(Event::DeleteOrdered {
            session: found.1,
            imsi,
            actor: shorten(&asked.actor),
        });
        let listener = Listener::Caller {
            call,
            session: found.1,
        };
        let cause = Some(Cause::REACTIVATION_REQUESTED);
        let removal = Removal::new(alloc::vec![found], EndReason::DeletedHere, cause, listener);
        let ticket = self.begin_removal(now, removal);
        self.set_deadline(ticket, now.at + self.config.cut_timeout);
        Ok(())
    }

    pub(super) fn answer_delete(
        &mut self,
        call: CallId,
        id: SessionId,
        at: Instant,
        t5: Instant,
        purged: u64,
        durable: bool,
    ) {
        let body = DeleteReply {
            id,
            t5_uplink: t5,
            t5_downlink: t5,
            t7: at,
            purged,
            durable,
            boot: &self.config.boot_id,
        };
        let response = api::reply(if durable { 200 } else { 500 }, &body);
        self.reply(call, response);
    }
}

fn view(imsi: Imsi, order: &Order) -> BarView<'_> {
    BarView {
        imsi,
        cut: &order.cut,
        version: order.version,
        reason: &order.reason,
        actor: &order.actor,
        since: order.at,
    }
}
