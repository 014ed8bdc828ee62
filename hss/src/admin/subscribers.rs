//! Calls that show, make and change subscribers.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use heiiki_types::{HttpResponse, Imsi};
use schemars::JsonSchema;
use serde::Serialize;

use super::refusal::{Refusal, Row};
use super::route::Call;
use super::rows::{NewSubscriber, NewSubscribers, SubscriptionPatch};
use super::views::{self, Filter};
use crate::cut::Kind;
use crate::event::Event;
use crate::node::Hss;
use crate::provision::{Existing, Manner, Taken};
use crate::subscriber::{Change, State};

/// What became of an import.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Imported {
    added: usize,
    updated: usize,
    /// Rows that the store has as they are.
    kept: usize,
    /// Rows that say something else than the store, which won.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    conflicts: Vec<Row>,
}

impl Hss {
    pub(super) fn list_subscribers(
        &mut self,
        call: &Call<'_>,
    ) -> Result<Option<HttpResponse>, Refusal> {
        let after = call.query_imsi("after")?;
        let limit = call.limit()?;
        let state = call.request.query("state").map(|name| {
            let known = State::ALL.into_iter().find(|s| s.name() == name);
            known.ok_or_else(|| Refusal::Body(format!("there is no state `{name}`")))
        });
        let filter = Filter {
            state: state.transpose()?,
            tenant: call.query_text("tenant")?,
            group: call.query_text("group")?,
            prefix: call.query_text("prefix")?,
        };
        let detail = match call.request.query("detail") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Refusal::Body("`detail` is true or false".to_string())),
        };
        let page = (after, limit);
        Ok(Some(if detail {
            views::details(&self.subscribers, &self.cuts, &filter, page)
        } else {
            views::subscribers(&self.subscribers, &filter, page)
        }))
    }

    pub(super) fn show_subscriber(
        &mut self,
        call: &Call<'_>,
    ) -> Result<Option<HttpResponse>, Refusal> {
        let imsi = call.imsi()?;
        let shown = self.shown(imsi, 200).ok_or(Refusal::NoSubscriber)?;
        let known = shown.headers.get("etag").unwrap_or_default();
        let asked = call.header("if-none-match");
        if asked.is_some_and(|list| names_tag(list, known)) {
            let etag = known.to_string();
            return Ok(Some(HttpResponse::new(304, Vec::new()).with("etag", etag)));
        }
        Ok(Some(shown))
    }

    /// A subscriber as it is now.
    fn shown(&self, imsi: Imsi, status: u16) -> Option<HttpResponse> {
        let subscriber = self.subscribers.by_imsi(imsi)?;
        let cut = self.cuts.latest_of(imsi, Kind::Bar);
        let mut shown = views::subscriber(&self.subscribers, subscriber, cut);
        shown.status = status;
        let etag = views::etag(&self.subscribers, subscriber);
        Some(shown.with("etag", etag))
    }

    /// Holds the conditions of a call against the SIM as it is.
    fn check_conditions(&self, call: &Call<'_>, imsi: Imsi) -> Result<(), Refusal> {
        let known = self.subscribers.by_imsi(imsi);
        let tag = known.map(|s| views::etag(&self.subscribers, s));
        let named = |list: &str| tag.as_deref().is_some_and(|tag| names_tag(list, tag));
        if call.header("if-match").is_some_and(|list| !named(list)) {
            return Err(Refusal::Changed);
        }
        if call.header("if-none-match").is_some_and(named) {
            return Err(Refusal::Exists);
        }
        Ok(())
    }

    pub(super) fn put_subscriber(
        &mut self,
        call: &Call<'_>,
    ) -> Result<Option<HttpResponse>, Refusal> {
        let imsi = call.imsi()?;
        let body: NewSubscriber = call.body()?;
        self.check_conditions(call, imsi)?;
        let change = body.into_change(Some(imsi)).map_err(Refusal::Content)?;
        self.write(call, imsi, change)
    }

    pub(super) fn patch_subscriber(
        &mut self,
        call: &Call<'_>,
    ) -> Result<Option<HttpResponse>, Refusal> {
        let imsi = call.imsi()?;
        let body: SubscriptionPatch = call.body()?;
        self.check_conditions(call, imsi)?;
        let subscriber = self
            .subscribers
            .by_imsi(imsi)
            .ok_or(Refusal::NoSubscriber)?;
        let own = self.subscribers.own_of(subscriber);
        let change = body.apply(own).map_err(Refusal::Content)?;
        self.write(call, imsi, change)
    }

    /// Erases a terminated SIM. Given again it changes nothing.
    pub(super) fn delete_subscriber(
        &mut self,
        call: &Call<'_>,
    ) -> Result<Option<HttpResponse>, Refusal> {
        let imsi = call.imsi()?;
        self.check_conditions(call, imsi)?;
        self.check_store()?;
        let ix = self.subscribers.find(imsi).ok_or(Refusal::NoSubscriber)?;
        let taken = self.erase(call.now, ix).ok_or(Refusal::NotTerminated)?;
        let response = HttpResponse::new(204, Vec::new());
        self.reply_when_durable(call.now, call.id, &taken, response);
        Ok(None)
    }

    fn write(
        &mut self,
        call: &Call<'_>,
        imsi: Imsi,
        change: Change,
    ) -> Result<Option<HttpResponse>, Refusal> {
        self.check_store()?;
        check_names(&change)?;
        let manner = Manner {
            existing: Existing::Update,
            dry_run: false,
        };
        let taken = self
            .take_changes(call.now, alloc::vec![change], manner)
            .map_err(Refusal::Import)?;
        self.tell_import(&taken);
        let status = if taken.added > 0 { 201 } else { 200 };
        let response = self.shown(imsi, status).ok_or(Refusal::NoSubscriber)?;
        self.reply_when_durable(call.now, call.id, &taken, response);
        Ok(None)
    }

    pub(super) fn add_subscribers(
        &mut self,
        call: &Call<'_>,
    ) -> Result<Option<HttpResponse>, Refusal> {
        self.check_store()?;
        let body: NewSubscribers = call.body()?;
        let manner = Manner {
            existing: if body.update {
                Existing::Update
            } else {
                Existing::Compare
            },
            dry_run: body.dry_run,
        };
        let rows = body.into_changes().map_err(Refusal::Content)?;
        rows.iter().try_for_each(check_names)?;
        let taken = self
            .take_changes(call.now, rows, manner)
            .map_err(Refusal::Import)?;
        if !manner.dry_run {
            self.tell_import(&taken);
        }
        let imported = Imported {
            added: taken.added,
            updated: taken.updated,
            kept: taken.kept,
            conflicts: taken.conflicts.iter().map(Row::new).collect(),
        };
        let body = serde_json::to_vec(&imported).unwrap_or_default();
        self.reply_when_durable(call.now, call.id, &taken, HttpResponse::new(200, body));
        Ok(None)
    }

    fn tell_import(&mut self, taken: &Taken) {
        if taken.added > 0 {
            self.tell(Event::Imported {
                added: taken.added,
                kept: taken.kept,
            });
        }
    }
}

/// Whether a list of entity tags names this one; `*` names every one.
fn names_tag(list: &str, tag: &str) -> bool {
    list.split(',')
        .map(str::trim)
        .any(|t| t == "*" || t.strip_prefix("W/").unwrap_or(t) == tag)
}

/// Names end up in logs, tables and keys: no control characters, and not endless.
fn check_names(change: &Change) -> Result<(), Refusal> {
    let row = &change.row;
    for (name, text, empty) in [("tenant", &row.tenant, false), ("group", &row.group, true)] {
        let good = text.len() <= NAME_MAX && !text.chars().any(char::is_control);
        if !good || (text.is_empty() && !empty) {
            let why: String = format!(
                "{}: `{name}` has 1 to {NAME_MAX} octets and no control characters",
                row.imsi
            );
            return Err(Refusal::Content(why));
        }
    }
    Ok(())
}

/// Octets of the longest name of a tenant or a group.
const NAME_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::names_tag;

    #[test]
    fn lists_of_entity_tags() {
        assert!(names_tag("*", "\"a\""));
        assert!(names_tag("\"b\", W/\"a\"", "\"a\""));
        assert!(!names_tag("\"b\"", "\"a\""));
        assert!(!names_tag("", "\"a\""));
    }
}
