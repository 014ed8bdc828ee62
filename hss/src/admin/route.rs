//! What one row of the route table says, and finding the row of a call.

use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::{CallId, HttpRequest, HttpResponse, Imsi, Method, Now};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;

use super::refusal::Refusal;
use super::{ROWS_DEFAULT, ROWS_MAX, Role};
use crate::node::Hss;

/// Carries a call out: an answer now, or `None` when it comes later.
pub(crate) type Handler = fn(&mut Hss, &Call<'_>) -> Result<Option<HttpResponse>, Refusal>;

/// The schema of a type, with what it refers to added to the generator.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// A parameter of the query.
#[derive(Clone, Copy)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) schema: SchemaOf,
}

impl Parameter {
    pub(crate) const fn new<T: JsonSchema>(name: &'static str, summary: &'static str) -> Self {
        Self {
            name,
            summary,
            schema: schema_of::<T>,
        }
    }
}

/// A row of the table: everything that is to be known of one call.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// Segments in braces stand for any text, as in `/v1/subscribers/{imsi}`.
    pub(crate) path: &'static str,
    /// The name of the operation in the document.
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    /// The least role that may make the call.
    pub(crate) role: Role,
    pub(crate) query: &'static [Parameter],
    pub(crate) headers: &'static [Parameter],
    pub(crate) body: Option<SchemaOf>,
    /// The statuses of success, and the schema of the answer. `None`: lines of JSON.
    pub(crate) statuses: &'static [u16],
    pub(crate) answer: Option<SchemaOf>,
    /// Statuses of failure beside those that every call has.
    pub(crate) failures: &'static [u16],
    pub(crate) handler: Handler,
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

impl Route {
    const fn new(method: Method, path: &'static str, name: &'static str, handler: Handler) -> Self {
        Self {
            method,
            path,
            name,
            summary: "",
            role: Role::Admin,
            query: &[],
            headers: &[],
            body: None,
            statuses: &[200],
            answer: None,
            failures: &[],
            handler,
        }
    }

    pub(crate) const fn get(path: &'static str, name: &'static str, handler: Handler) -> Self {
        Self::new(Method::Get, path, name, handler)
    }

    pub(crate) const fn post(path: &'static str, name: &'static str, handler: Handler) -> Self {
        Self::new(Method::Post, path, name, handler)
    }

    pub(crate) const fn put(path: &'static str, name: &'static str, handler: Handler) -> Self {
        Self::new(Method::Put, path, name, handler)
    }

    pub(crate) const fn patch(path: &'static str, name: &'static str, handler: Handler) -> Self {
        Self::new(Method::Patch, path, name, handler)
    }

    pub(crate) const fn delete(path: &'static str, name: &'static str, handler: Handler) -> Self {
        Self::new(Method::Delete, path, name, handler)
    }

    /// What the call does, in a sentence without a full stop.
    pub(crate) const fn does(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// The least role that may make the call; without it only the administrator may.
    pub(crate) const fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    pub(crate) const fn query(mut self, query: &'static [Parameter]) -> Self {
        self.query = query;
        self
    }

    pub(crate) const fn headers(mut self, headers: &'static [Parameter]) -> Self {
        self.headers = headers;
        self
    }

    /// The type of the body.
    pub(crate) const fn takes<T: JsonSchema>(mut self) -> Self {
        self.body = Some(schema_of::<T>);
        self
    }

    /// The type of the answer.
    pub(crate) const fn answers<T: JsonSchema>(mut self) -> Self {
        self.answer = Some(schema_of::<T>);
        self
    }

    /// The statuses of success, when it is not 200 alone.
    pub(crate) const fn with_status(mut self, statuses: &'static [u16]) -> Self {
        self.statuses = statuses;
        self
    }

    /// Statuses of failure beside 400, 401, 403, 413 and 503.
    pub(crate) const fn fails(mut self, failures: &'static [u16]) -> Self {
        self.failures = failures;
        self
    }

    /// The segments of the path that stand for any text, if the path is of this row.
    fn matches<'p>(&self, path: &'p str) -> Option<Vec<&'p str>> {
        let (mut own, mut given) = (self.path.split('/'), path.split('/'));
        let mut arguments = Vec::new();
        loop {
            match (own.next(), given.next()) {
                (None, None) => return Some(arguments),
                (Some(segment), Some(text)) if segment.starts_with('{') => arguments.push(text),
                (Some(segment), Some(text)) if segment == text => {}
                _ => return None,
            }
        }
    }

    /// The row of a call, and the arguments in its path.
    pub(crate) fn find<'p>(
        routes: &'static [Self],
        method: Method,
        path: &'p str,
    ) -> Result<(&'static Self, Vec<&'p str>), Refusal> {
        let mut others = Vec::new();
        for route in routes {
            match route.matches(path) {
                Some(arguments) if route.method == method => return Ok((route, arguments)),
                Some(_) => others.push(method_name(route.method)),
                None => {}
            }
        }
        if others.is_empty() {
            Err(Refusal::NoRoute)
        } else {
            Err(Refusal::Method(others.join(", ")))
        }
    }
}

/// The name of a method on the wire.
pub(crate) const fn method_name(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    }
}

/// One call on its way to its handler.
pub(crate) struct Call<'a> {
    pub(crate) now: Now,
    pub(crate) id: CallId,
    pub(crate) request: &'a HttpRequest,
    /// The texts in the place of the braces of the path.
    pub(crate) arguments: Vec<&'a str>,
    /// The role of the caller's token.
    pub(crate) role: Role,
}

impl Call<'_> {
    /// The argument of the path at `place`.
    pub(crate) fn argument(&self, place: usize) -> &str {
        self.arguments.get(place).copied().unwrap_or_default()
    }

    /// The IMSI that the path begins with.
    pub(crate) fn imsi(&self) -> Result<Imsi, Refusal> {
        self.argument(0).parse().map_err(|_| Refusal::Imsi)
    }

    /// A parameter of the query that is an IMSI.
    pub(crate) fn query_imsi(&self, name: &str) -> Result<Option<Imsi>, Refusal> {
        self.request
            .query(name)
            .map(|text| text.parse().map_err(|_| Refusal::Imsi))
            .transpose()
    }

    /// The most rows that the caller wants.
    pub(crate) fn limit(&self) -> Result<usize, Refusal> {
        match self.request.query("limit") {
            None => Ok(ROWS_DEFAULT),
            Some(text) => match text.parse() {
                Ok(n @ 1..=ROWS_MAX) => Ok(n),
                _ => Err(Refusal::Body(alloc::format!(
                    "`limit` is a number from 1 to {ROWS_MAX}"
                ))),
            },
        }
    }

    /// A parameter of the query that is a text, with its `%XX` resolved.
    pub(crate) fn query_text(&self, name: &str) -> Result<Option<String>, Refusal> {
        let text = self.request.query(name).map(|text| {
            resolve(text).ok_or_else(|| Refusal::Body(alloc::format!("`{name}` is no text")))
        });
        text.transpose()
    }

    /// The body.
    pub(crate) fn body<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        parse(&self.request.body)
    }

    /// A header field.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.request.headers.get(name)
    }
}

/// A text of a query, with its `%XX` resolved.
fn resolve(text: &str) -> Option<String> {
    let mut octets = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(octet) = octets.next() {
        out.push(match octet {
            b'%' => {
                let digits = [octets.next()?, octets.next()?];
                let digits = core::str::from_utf8(&digits).ok()?;
                u8::from_str_radix(digits, 16).ok()?
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

/// Reads JSON. The error names a place, never a value: a body may hold keys of SIMs.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|e| Refusal::Body(problem(&e)))
}

fn problem(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Data => "a member is missing, unknown or of the wrong type",
        _ => "it is not JSON",
    };
    alloc::format!("{what} (line {}, column {})", error.line(), error.column())
}
