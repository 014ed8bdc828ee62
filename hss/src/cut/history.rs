//! What was ordered for a SIM: who, when, why, and what came of it. It survives a restart.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use heiiki_types::{Imsi, WallTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Cut;
use crate::subscriber::{State, Verb};

/// Orders of one SIM that are remembered; the oldest go first.
const ENTRIES: usize = 32;

/// One order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    at: WallTime,
    verb: Verb,
    actor: String,
    reason: String,
    from: State,
    to: State,
    cut: u64,
    expires: Option<WallTime>,
}

/// One order, as it is shown.
#[derive(Serialize, JsonSchema)]
pub(crate) struct EntryView<'a> {
    at: String,
    verb: Verb,
    who: &'a str,
    why: &'a str,
    from: State,
    to: State,
    /// The order; its certificate may be forgotten.
    cut: super::CutId,
    /// When it was to end by itself.
    expires: Option<String>,
}

/// What `GET /v1/subscribers/{imsi}/history` shows, the newest first.
#[derive(Serialize, JsonSchema)]
pub(crate) struct HistoryView<'a> {
    imsi: Imsi,
    history: Vec<EntryView<'a>>,
}

/// The orders of all SIMs that ever had one.
#[derive(Debug, Default)]
pub(crate) struct History {
    of: BTreeMap<Imsi, Vec<Entry>>,
}

impl History {
    /// Adds an order. Tells what the SIM's row is now.
    pub(crate) fn add(&mut self, cut: &Cut) -> &Vec<Entry> {
        let entries = self.of.entry(cut.imsi).or_default();
        if entries.len() >= ENTRIES {
            entries.remove(0);
        }
        entries.push(Entry {
            at: cut.wall,
            verb: cut.verb,
            actor: cut.actor.clone(),
            reason: cut.reason.clone(),
            from: cut.from,
            to: cut.to,
            cut: cut.id,
            expires: cut.expires,
        });
        entries
    }

    /// Takes up a row.
    pub(crate) fn restore(&mut self, imsi: Imsi, entries: Vec<Entry>) {
        self.of.insert(imsi, entries);
    }

    /// The SIM has no row: an order that was entered did not happen.
    pub(crate) fn forget(&mut self, imsi: Imsi) {
        self.of.remove(&imsi);
    }

    pub(crate) fn view(&self, imsi: Imsi) -> HistoryView<'_> {
        let entries = self.of.get(&imsi).map_or(&[][..], Vec::as_slice);
        let view = |e: &'_ Entry| EntryView {
            at: e.at.to_string(),
            verb: e.verb,
            who: "",
            why: "",
            from: e.from,
            to: e.to,
            cut: super::CutId(e.cut),
            expires: e.expires.map(|at| at.to_string()),
        };
        let history = entries.iter().rev().map(|e| EntryView {
            who: &e.actor,
            why: &e.reason,
            ..view(e)
        });
        HistoryView {
            imsi,
            history: history.collect(),
        }
    }
}
