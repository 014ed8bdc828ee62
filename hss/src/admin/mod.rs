//! The administrative interface: paths, roles and JSON.
//!
//! Every call is a row of the table in `routes.rs`: the path, the role that it needs, what goes in
//! and what comes out. Routing, the check of roles and the OpenAPI document come from that table;
//! to add a call, add a row and write its handler.
//!
//! | role | may |
//! |---|---|
//! | reader | read |
//! | cut-only | read, suspend, pause, report stamps |
//! | operate | read, every verb |
//! | provision | read, make and change subscribers |
//! | admin | everything |
//!
//! An order is answered with its certificate once its commit is decided and every gateway has been
//! told once. Every error says what to do.

use alloc::vec::Vec;

use heiiki_types::{CallId, HttpRequest, HttpResponse, Method, Now};

mod equipment;
mod openapi;
mod orders;
mod refusal;
mod repeat;
mod route;
mod routes;
mod rows;
mod status;
mod subscribers;
mod views;

pub use openapi::document;
pub(crate) use refusal::Refusal;
pub(crate) use repeat::Repeats;

use crate::event::Event;
use crate::node::{Hss, Output};
use route::{Call, Route};
use routes::ROUTES;

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// May read.
    Reader,
    /// May read, suspend and pause.
    CutOnly,
    /// May read, and give every order.
    Operate,
    /// May read, and make and change subscribers.
    Provision,
    /// May do everything.
    Admin,
}

impl Role {
    /// Every role, the one with the fewest rights first.
    pub const ALL: [Self; 5] = [
        Self::Reader,
        Self::CutOnly,
        Self::Operate,
        Self::Provision,
        Self::Admin,
    ];

    /// The role's name in the configuration and in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reader => "read",
            Self::CutOnly => "cut-only",
            Self::Operate => "operate",
            Self::Provision => "provision",
            Self::Admin => "admin",
        }
    }

    /// Whether this role may make a call that needs at least `needed`.
    pub const fn may(self, needed: Self) -> bool {
        match self {
            Self::Admin => true,
            Self::Operate => matches!(needed, Self::Reader | Self::CutOnly | Self::Operate),
            Self::Provision => matches!(needed, Self::Reader | Self::Provision),
            Self::CutOnly => matches!(needed, Self::Reader | Self::CutOnly),
            Self::Reader => matches!(needed, Self::Reader),
        }
    }
}

/// Rows of a list when the call does not say.
const ROWS_DEFAULT: usize = 100;
/// The most rows of a list.
const ROWS_MAX: usize = 1_000;
/// The longest reason and the longest name of an actor, in characters.
const TEXT_MAX: usize = 256;

impl Hss {
    /// The role of a call's token, for paths that a driver answers itself. Every token is compared,
    /// each in constant time.
    pub fn role(&self, request: &HttpRequest) -> Option<Role> {
        let tokens = [
            (Role::Reader, self.tokens.reader.as_ref()),
            (Role::CutOnly, self.tokens.cut_only.as_ref()),
            (Role::Operate, self.tokens.operate.as_ref()),
            (Role::Provision, self.tokens.provision.as_ref()),
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
            Ok(Some(response)) => self.reply(call, response),
            Err(refusal) => {
                self.tell(Event::AdminRefused {
                    status: refusal.status(),
                    path: request.path().chars().take(TEXT_MAX).collect(),
                });
                self.reply(call, refusal.response::<()>(None));
            }
        }
    }

    /// Answers a call.
    pub(crate) fn reply(&mut self, call: CallId, response: HttpResponse) {
        self.repeats.end(call, &response);
        self.output(Output::AdminReply { call, response });
    }

    fn route(
        &mut self,
        now: Now,
        id: CallId,
        request: &HttpRequest,
    ) -> Result<Option<HttpResponse>, Refusal> {
        let role = self.role(request).ok_or(Refusal::Unauthorized)?;
        if request.body.len() > self.config.limits.body {
            return Err(Refusal::TooLarge(self.config.limits.body));
        }
        if !self.is_serving() {
            return Err(Refusal::NotServing);
        }
        let (route, arguments) = Route::find(ROUTES, request.method, request.path())?;
        if !role.may(route.role) {
            return Err(Refusal::Forbidden(route.role));
        }
        if let Some(key) = request.headers.get("idempotency-key")
            && request.method == Method::Post
            && let Some(answer) = self.repeats.begin(id, role, key, request)?
        {
            return Ok(Some(answer));
        }
        let call = Call {
            now,
            id,
            request,
            arguments,
            role,
        };
        (route.handler)(self, &call)
    }
}

fn ok(body: Vec<u8>) -> HttpResponse {
    HttpResponse::new(200, body)
}
