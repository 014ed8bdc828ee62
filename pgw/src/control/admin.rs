use alloc::format;

use heiiki_types::{CallId, HttpRequest, HttpResponse, Imsi, Method, Now};
use serde::de::DeserializeOwned;

use super::api;
use super::lists::Kind;
use super::procedure::Question;
use super::{Control, Output, shorten};
use crate::event::Event;

/// What a token allows. A greater role has the rights of the lesser ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// May take service away and look at what there is to take; gives nothing back.
    CutOnly,
    /// May give back too: the HSS.
    Operate,
    /// May do everything.
    Admin,
}

/// A call that the interface has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route<'a> {
    SetBar,
    LiftBar(&'a str),
    ListBars,
    ListSessions,
    DeleteSession(&'a str),
    ListBearers(&'a str),
    CreateBearer(&'a str),
    ChangeBearer(&'a str, &'a str),
    DeleteBearer(&'a str, &'a str),
    SetAmbr(&'a str),
    EmergencyCut,
    DeleteSessionsOf,
    SetIsolation,
    Release(&'a str),
    ListIsolations,
    SetContract,
    Status,
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
            (Some("sessions"), Some(id), Some("bearers"), None) if method == Method::Get => {
                (Self::ListBearers(id), Method::Get)
            }
            (Some("sessions"), Some(id), Some("bearers"), None) => {
                (Self::CreateBearer(id), Method::Post)
            }
            (Some("sessions"), Some(id), Some("bearers"), Some(ebi))
                if method == Method::Delete =>
            {
                (Self::DeleteBearer(id, ebi), Method::Delete)
            }
            (Some("sessions"), Some(id), Some("bearers"), Some(ebi)) => {
                (Self::ChangeBearer(id, ebi), Method::Post)
            }
            (Some("sessions"), Some(id), Some("ambr"), None) => (Self::SetAmbr(id), Method::Post),
            (Some("emergency-cut"), None, ..) => (Self::EmergencyCut, Method::Post),
            (Some("delete-session"), None, ..) => (Self::DeleteSessionsOf, Method::Post),
            (Some("isolations"), None, ..) if method == Method::Get => {
                (Self::ListIsolations, Method::Get)
            }
            (Some("isolations"), None, ..) => (Self::SetIsolation, Method::Post),
            (Some("isolations"), Some(imsi), Some("release"), None) => {
                (Self::Release(imsi), Method::Post)
            }
            (Some("contracts"), None, ..) => (Self::SetContract, Method::Post),
            (Some("status"), None, ..) => (Self::Status, Method::Get),
            (Some("counters"), None, ..) => (Self::Counters, Method::Get),
            (Some("audit"), None, ..) => (Self::Audit, Method::Get),
            (Some("events"), None, ..) => (Self::Events, Method::Get),
            _ => return Err(404),
        };
        if method == needs { Ok(route) } else { Err(405) }
    }

    /// The least role that may call it.
    const fn role(self) -> Role {
        match self {
            Self::SetBar
            | Self::EmergencyCut
            | Self::SetIsolation
            | Self::ListBars
            | Self::ListIsolations
            | Self::ListSessions
            | Self::ListBearers(_)
            | Self::Status => Role::CutOnly,
            Self::LiftBar(_)
            | Self::Release(_)
            | Self::DeleteSession(_)
            | Self::DeleteSessionsOf => Role::Operate,
            Self::CreateBearer(_)
            | Self::ChangeBearer(..)
            | Self::DeleteBearer(..)
            | Self::SetAmbr(_)
            | Self::SetContract
            | Self::Counters
            | Self::Audit
            | Self::Events => Role::Admin,
        }
    }

    /// Whether it goes before everything else, also when too much waits.
    const fn is_order(self) -> bool {
        matches!(
            self,
            Self::SetBar
                | Self::LiftBar(_)
                | Self::EmergencyCut
                | Self::SetIsolation
                | Self::Release(_)
        )
    }
}

pub(super) type Handled = Result<(), HttpResponse>;

pub(super) fn body<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, HttpResponse> {
    serde_json::from_slice(&request.body)
        .map_err(|error| api::error(400, &format!("the body is not right: {error}")))
}

pub(super) fn imsi(text: &str) -> Result<Imsi, HttpResponse> {
    text.parse()
        .map_err(|_| api::error(400, "an IMSI is 6 to 15 decimal digits"))
}

impl Control {
    pub(super) fn reply(&mut self, call: CallId, response: HttpResponse) {
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
        if role < route.role() {
            let text = match role {
                Role::CutOnly => "this token may only cut and isolate",
                _ => "this token may only order and look",
            };
            return Err(api::error(403, text));
        }
        if !self.is_serving() {
            return Err(api::error(503, "the gateway is reading its disk"));
        }
        if self.is_overloaded() && !route.is_order() {
            return Err(api::error(503, "too many calls wait"));
        }
        self.call(now, call, request, route)
    }

    /// A call that may be made, to whom it belongs.
    fn call(&mut self, now: Now, call: CallId, request: &HttpRequest, route: Route<'_>) -> Handled {
        match route {
            Route::SetBar => self.post_bar(now, call, &body(request)?),
            Route::EmergencyCut => self.post_emergency_cut(now, call, body(request)?),
            Route::LiftBar(text) => self.post_lift(now, call, imsi(text)?, &body(request)?),
            Route::SetIsolation => self.post_isolation(now, call, &body(request)?),
            Route::Release(text) => self.post_release(now, call, imsi(text)?, &body(request)?),
            Route::ListBars => self.get_orders(call, request, Kind::Bars),
            Route::ListIsolations => self.get_orders(call, request, Kind::Isolations),
            Route::ListSessions => self.get_sessions(call, request),
            Route::SetContract => self.post_contract(now, call, &body(request)?),
            Route::Status => {
                let response = self.status();
                self.reply(call, response);
                Ok(())
            }
            Route::DeleteSessionsOf => {
                self.post_delete_sessions(now, call, &body(request)?);
                Ok(())
            }
            Route::DeleteSession(id) => self.post_delete(now, call, id, request),
            Route::ListBearers(id) => self.get_bearers(call, id),
            Route::CreateBearer(id) => self.post_bearer(now, call, id, body(request)?),
            Route::ChangeBearer(id, ebi) => {
                self.post_bearer_change(now, call, (id, ebi), &body(request)?)
            }
            Route::DeleteBearer(id, ebi) => self.delete_bearer_call(now, call, (id, ebi)),
            Route::SetAmbr(id) => self.post_ambr(now, call, id, &body(request)?),
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
                let headers = heiiki_types::Headers::default();
                let response = HttpResponse {
                    status: 200,
                    body,
                    headers,
                };
                self.reply(call, response);
                Ok(())
            }
        }
    }

    fn role(&self, request: &HttpRequest) -> Option<Role> {
        let token = request.bearer.as_ref()?;
        let tokens = &self.config.tokens;
        // All are compared, whichever it is.
        let roles = [
            (Role::CutOnly, *token == tokens.cut_only),
            (Role::Operate, *token == tokens.operate),
            (Role::Admin, *token == tokens.admin),
        ];
        let held = roles.into_iter().filter(|(_, same)| *same);
        held.map(|(role, _)| role).max()
    }
}
