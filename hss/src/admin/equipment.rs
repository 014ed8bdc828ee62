//! Calls about equipment and about what MMEs have to hear again.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use heiiki_diameter::s6a::UserId;
use heiiki_types::{HttpResponse, Imei, PersistSeq};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ok;
use super::refusal::Refusal;
use super::route::Call;
use crate::equipment::{Binding, Entry, EquipmentKey, List};
use crate::node::Hss;
use crate::storage::Deferred;
use crate::subscriber::row::Table;

/// The longest note, in characters.
const NOTE_MAX: usize = 256;
/// The most prefixes of one reset.
const PREFIXES_MAX: usize = 1_000;

/// What a row of the lists says.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListBody {
    list: List,
    /// Why, for people.
    #[serde(default)]
    note: String,
}

/// A row of the lists.
#[derive(Serialize, JsonSchema)]
pub(crate) struct EquipmentRow<'a> {
    /// A TAC, an IMEI, an IMEISV, or two IMEIs with a hyphen between.
    equipment: String,
    list: List,
    note: &'a str,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct EquipmentList<'a> {
    equipment: Vec<EquipmentRow<'a>>,
    total: usize,
    /// What to give as `after` for the next page.
    next: Option<String>,
}

/// In which equipment a SIM may be.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BindingBody {
    binding: Binding,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct BindingView {
    binding: Binding,
    /// The equipment that the MME told of, while the SIM is registered.
    seen: Option<Imei>,
}

/// Whose registrations MMEs have to make anew.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetBody {
    /// Leading digits of the SIMs concerned; empty for all.
    prefixes: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ResetView {
    /// How many requests leave, one after the other.
    requests: usize,
}

fn json<T: Serialize>(value: &T) -> HttpResponse {
    ok(serde_json::to_vec(value).unwrap_or_default())
}

fn key(text: &str) -> Result<EquipmentKey, Refusal> {
    text.parse().map_err(|_| Refusal::Equipment)
}

impl Hss {
    pub(super) fn list_equipment(
        &mut self,
        call: &Call<'_>,
    ) -> Result<Option<HttpResponse>, Refusal> {
        let after = call.request.query("after").map(key).transpose()?;
        let limit = call.limit()?;
        let mut rows = self.equipment.after(after);
        let page: Vec<_> = rows.by_ref().take(limit).collect();
        let more = rows.next().is_some();
        let next = page.last().filter(|_| more).map(|(key, _)| key.to_string());
        let equipment = page.into_iter().map(|(key, entry)| EquipmentRow {
            equipment: key.to_string(),
            list: entry.list,
            note: &entry.note,
        });
        Ok(Some(json(&EquipmentList {
            equipment: equipment.collect(),
            total: self.equipment.len(),
            next,
        })))
    }

    pub(super) fn set_equipment(
        &mut self,
        call: &Call<'_>,
    ) -> Result<Option<HttpResponse>, Refusal> {
        let key = key(call.argument(0))?;
        let body: ListBody = call.body()?;
        if body.note.chars().count() > NOTE_MAX {
            let why = alloc::format!("`note` has more than {NOTE_MAX} characters");
            return Err(Refusal::Body(why));
        }
        let limits = &self.config.limits;
        let full = self.equipment.len() >= limits.equipment
            || (key.is_range() && self.equipment.ranges() >= limits.equipment_ranges);
        if full && self.equipment.get(key).is_none() {
            return Err(Refusal::EquipmentFull);
        }
        let entry = Entry {
            list: body.list,
            note: body.note,
        };
        let name = key.to_string().into_bytes();
        let seq = self.journal.put(Table::Equipment, name, &entry);
        let response = json(&EquipmentRow {
            equipment: key.to_string(),
            list: entry.list,
            note: &entry.note,
        });
        self.equipment.set(key, entry);
        self.reply_with(call, seq, response);
        Ok(None)
    }

    pub(super) fn remove_equipment(
        &mut self,
        call: &Call<'_>,
    ) -> Result<Option<HttpResponse>, Refusal> {
        let key = key(call.argument(0))?;
        if !self.equipment.remove(key) {
            return Err(Refusal::NoEquipment);
        }
        let name = key.to_string().into_bytes();
        let seq = self.journal.delete(Table::Equipment, name);
        self.reply_with(call, seq, HttpResponse::new(204, Vec::new()));
        Ok(None)
    }

    pub(super) fn show_binding(
        &mut self,
        call: &Call<'_>,
    ) -> Result<Option<HttpResponse>, Refusal> {
        let subscriber = self.subscribers.by_imsi(call.imsi()?);
        let subscriber = subscriber.ok_or(Refusal::NoSubscriber)?;
        let location = self.subscribers.location(subscriber);
        Ok(Some(json(&BindingView {
            binding: subscriber.binding(),
            seen: location.and_then(|l| l.imei),
        })))
    }

    pub(super) fn change_binding(
        &mut self,
        call: &Call<'_>,
    ) -> Result<Option<HttpResponse>, Refusal> {
        let ix = self.subscribers.find(call.imsi()?);
        let ix = ix.ok_or(Refusal::NoSubscriber)?;
        let body: BindingBody = call.body()?;
        let seq = self.set_binding(ix, body.binding).unwrap_or_default();
        self.reply_with(call, seq, json(&body));
        Ok(None)
    }

    pub(super) fn reset_mmes(&mut self, call: &Call<'_>) -> Result<Option<HttpResponse>, Refusal> {
        let body: ResetBody = call.body()?;
        if body.prefixes.len() > PREFIXES_MAX {
            let why = alloc::format!("`prefixes` has more than {PREFIXES_MAX} entries");
            return Err(Refusal::Body(why));
        }
        let prefixes = body.prefixes.iter().map(|p| p.parse::<UserId>());
        let prefixes: Vec<UserId> = prefixes
            .collect::<Result<_, _>>()
            .map_err(|e| Refusal::Body(e.to_string()))?;
        let requests = self.begin_reset(call.now, &prefixes);
        Ok(Some(json(&ResetView { requests })))
    }

    /// Answers once a batch is durable.
    fn reply_with(&mut self, call: &Call<'_>, seq: PersistSeq, response: HttpResponse) {
        self.wait_for(call.now, seq, Deferred::Reply(call.id, response));
    }
}
