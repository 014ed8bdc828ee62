//! The administrative interface: paths, roles and JSON.
//!
//! | call | role |
//! |---|---|
//! | `GET /v1/subscribers?after=IMSI&limit=N` | reader |
//! | `GET /v1/subscribers/{imsi}` | reader |
//! | `GET /v1/events` (the driver streams them as NDJSON) | reader |
//! | `GET /v1/cuts?before=ID&limit=N`, `GET /v1/cuts/{id}` | reader |
//! | `POST /v1/subscribers/{imsi}/suspend`, `.../pause` with `{"reason", "actor"}` | cut-only |
//! | `POST /v1/cuts/{id}/stamps` with `{"t6", "t7", "t8"}` | cut-only |
//! | `POST /v1/subscribers/{imsi}/resume`, `.../terminate` with `{"reason", "actor"}` | admin |
//! | `POST /v1/subscribers` with `{"subscribers": [..]}` | admin |
//!
//! An order is answered with its certificate once its commit is decided and every gateway has been
//! told once. Every error says what to do.

use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::{CallId, HttpRequest, HttpResponse, Imsi, Instant, Method, Now};
use serde::Deserialize;
use serde::de::DeserializeOwned;

mod refusal;
mod rows;
mod views;

pub(crate) use refusal::Refusal;

use crate::cut::procedure::Order;
use crate::cut::{Certificate, CutId, Stamp};
use crate::event::Event;
use crate::node::{Hss, Output};
use crate::subscriber::Verb;
use rows::NewSubscribers;

/// What a token allows. A greater role has the rights of the lesser ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// May read.
    Reader,
    /// May read, suspend and pause.
    CutOnly,
    /// May do everything.
    Admin,
}

/// Rows of a list when the call does not say.
const ROWS_DEFAULT: usize = 100;
/// The most rows of a list.
const ROWS_MAX: usize = 1_000;
/// The longest reason and the longest name of an actor, in characters.
const TEXT_MAX: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderBody {
    reason: String,
    actor: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StampsBody {
    #[serde(default)]
    t6: Option<u64>,
    #[serde(default)]
    t7: Option<u64>,
    #[serde(default)]
    t8: Option<u64>,
}

impl Hss {
    /// The role of a call's token, for paths that a driver answers itself. Every token is compared,
    /// each in constant time.
    pub fn role(&self, request: &HttpRequest) -> Option<Role> {
        let tokens = [
            (Role::Reader, self.tokens.reader.as_ref()),
            (Role::CutOnly, self.tokens.cut_only.as_ref()),
            (Role::Admin, Some(&self.tokens.admin)),
        ];
        let given = request.bearer.as_ref()?;
        tokens
            .into_iter()
            .filter(|(_, token)| token.is_some_and(|t| t == given))
            .map(|(role, _)| role)
            .max()
    }

    /// An administrative call.
    pub(crate) fn handle_admin(&mut self, now: Now, call: CallId, request: &HttpRequest) {
        match self.route(now, call, request) {
            Ok(None) => {}
            Ok(Some(response)) => self
                .outputs
                .push_back(Output::AdminReply { call, response }),
            Err(refusal) => {
                self.tell(Event::AdminRefused {
                    status: refusal.status(),
                    path: request.path().chars().take(TEXT_MAX).collect(),
                });
                let response = refusal.response::<()>(None);
                self.outputs
                    .push_back(Output::AdminReply { call, response });
            }
        }
    }

    fn route(
        &mut self,
        now: Now,
        call: CallId,
        request: &HttpRequest,
    ) -> Result<Option<HttpResponse>, Refusal> {
        let role = self.role(request).ok_or(Refusal::Unauthorized)?;
        if request.body.len() > self.config.limits.body {
            return Err(Refusal::TooLarge(self.config.limits.body));
        }
        if !self.is_serving() {
            return Err(Refusal::NotServing);
        }
        let path: Vec<&str> = request.path().split('/').skip(1).collect();
        let read = |response| Ok(Some(response));
        match (path.as_slice(), request.method) {
            (["v1", "subscribers"], Method::Get) => read(self.list_subscribers(request)?),
            (["v1", "subscribers"], Method::Post) => {
                allow(role, Role::Admin)?;
                self.add_subscribers(now, call, &request.body)?;
                Ok(None)
            }
            (["v1", "subscribers", imsi], Method::Get) => read(self.show_subscriber(imsi)?),
            (["v1", "subscribers", imsi, verb], Method::Post) => {
                let verb = Verb::from_name(verb).ok_or(Refusal::NoRoute)?;
                let needed = match verb {
                    Verb::Suspend | Verb::Pause => Role::CutOnly,
                    Verb::Resume | Verb::Terminate => Role::Admin,
                };
                allow(role, needed)?;
                let imsi = imsi.parse().map_err(|_| Refusal::Imsi)?;
                self.order(now, call, order(imsi, verb, &request.body)?)?;
                Ok(None)
            }
            (["v1", "cuts"], Method::Get) => read(self.list_cuts(request)?),
            (["v1", "cuts", id], Method::Get) => read(self.show_cut(id)?),
            (["v1", "cuts", id, "stamps"], Method::Post) => {
                allow(role, Role::CutOnly)?;
                read(self.add_stamps(id, &request.body)?)
            }
            // The driver has the stream: this says only that the caller may listen.
            (["v1", "events"], Method::Get) => read(ok(b"{}".to_vec())),
            (["v1", "subscribers"], _) => Err(Refusal::Method("GET and POST")),
            (["v1", "cuts" | "events"] | ["v1", "cuts" | "subscribers", _], _) => {
                Err(Refusal::Method("GET"))
            }
            (["v1", "subscribers", _, verb], _) if Verb::from_name(verb).is_some() => {
                Err(Refusal::Method("POST"))
            }
            (["v1", "cuts", _, "stamps"], _) => Err(Refusal::Method("POST")),
            _ => Err(Refusal::NoRoute),
        }
    }

    fn list_subscribers(&self, request: &HttpRequest) -> Result<HttpResponse, Refusal> {
        let after = match request.query("after") {
            Some(text) => Some(text.parse().map_err(|_| Refusal::Imsi)?),
            None => None,
        };
        Ok(views::subscribers(
            &self.subscribers,
            after,
            limit(request)?,
        ))
    }

    fn show_subscriber(&self, imsi: &str) -> Result<HttpResponse, Refusal> {
        let imsi: Imsi = imsi.parse().map_err(|_| Refusal::Imsi)?;
        let subscriber = self
            .subscribers
            .by_imsi(imsi)
            .ok_or(Refusal::NoSubscriber)?;
        let cut = self.cuts.latest_of(imsi);
        Ok(views::subscriber(&self.subscribers, subscriber, cut))
    }

    fn list_cuts(&self, request: &HttpRequest) -> Result<HttpResponse, Refusal> {
        let before = match request.query("before") {
            Some(text) => Some(text.parse().map_err(|_| Refusal::NoCut)?),
            None => None,
        };
        let limit = limit(request)?;
        Ok(views::cuts(self.cuts.newest(before).take(limit)))
    }

    fn show_cut(&self, id: &str) -> Result<HttpResponse, Refusal> {
        let id: CutId = id.parse().map_err(|_| Refusal::NoCut)?;
        let cut = self.cuts.get(id).ok_or(Refusal::NoCut)?;
        Ok(ok(Certificate::new(cut).json()))
    }

    fn add_stamps(&mut self, id: &str, body: &[u8]) -> Result<HttpResponse, Refusal> {
        let cut: CutId = id.parse().map_err(|_| Refusal::NoCut)?;
        if self.cuts.get(cut).is_none() {
            return Err(Refusal::NoCut);
        }
        let StampsBody { t6, t7, t8 } = parse(body)?;
        let mut taken = false;
        for (stamp, at) in [(Stamp::T6, t6), (Stamp::T7, t7), (Stamp::T8, t8)] {
            if let Some(at) = at {
                taken |= !self.report_stamp(cut, stamp, Instant::from_micros(at));
            }
        }
        if taken {
            return Err(Refusal::StampTaken);
        }
        self.show_cut(id)
    }

    fn add_subscribers(&mut self, now: Now, call: CallId, body: &[u8]) -> Result<(), Refusal> {
        if self.journal.has_failed() {
            return Err(Refusal::DiskFailed);
        }
        let rows: NewSubscribers = parse(body)?;
        let rows = rows.into_import().map_err(Refusal::Body)?;
        let taken = self.take_import(now, rows).map_err(Refusal::Import)?;
        self.reply_when_durable(now, call, taken);
        Ok(())
    }
}

fn allow(role: Role, needed: Role) -> Result<(), Refusal> {
    if role >= needed {
        Ok(())
    } else {
        Err(Refusal::Forbidden)
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    // The error names a key and a place, never a value: a body may hold keys of SIMs.
    serde_json::from_slice(body).map_err(|e| {
        let what = match e.classify() {
            serde_json::error::Category::Data => {
                "a member is missing, unknown or of the wrong type"
            }
            _ => "it is not JSON",
        };
        Refusal::Body(alloc::format!(
            "{what} (line {}, column {})",
            e.line(),
            e.column()
        ))
    })
}

fn order(imsi: Imsi, verb: Verb, body: &[u8]) -> Result<Order, Refusal> {
    let OrderBody { reason, actor } = parse(body)?;
    for (name, text) in [("reason", &reason), ("actor", &actor)] {
        if text.trim().is_empty() || text.chars().count() > TEXT_MAX {
            return Err(Refusal::Body(alloc::format!(
                "`{name}` must have 1 to {TEXT_MAX} characters"
            )));
        }
    }
    Ok(Order {
        imsi,
        verb,
        actor,
        reason,
    })
}

fn limit(request: &HttpRequest) -> Result<usize, Refusal> {
    match request.query("limit") {
        None => Ok(ROWS_DEFAULT),
        Some(text) => match text.parse() {
            Ok(n @ 1..=ROWS_MAX) => Ok(n),
            _ => Err(Refusal::Body(alloc::format!(
                "`limit` is a number from 1 to {ROWS_MAX}"
            ))),
        },
    }
}

fn ok(body: Vec<u8>) -> HttpResponse {
    HttpResponse {
        status: 200,
        body,
        headers: heiiki_types::Headers::default(),
    }
}
