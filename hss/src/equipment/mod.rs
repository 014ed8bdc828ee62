//! The equipment identity register: which equipment may be used, and in which equipment a SIM may be.
//!
//! The lists are asked by S13 (TS 29.272 §7.2.19) and looked into at every location update, so that
//! an MME that asks nothing cannot let barred equipment in. A SIM can be bound to the equipment that
//! it is first seen in, or to a certain one. What equipment says of itself can be forged: all of
//! this deters, and prevents nothing that a modified device does.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

use heiiki_types::Imei;

mod check;
mod key;

pub use key::{EquipmentKey, InvalidKey};

/// On which list equipment is.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum List {
    /// It may be used.
    White,
    /// It may be used, and is watched.
    Grey,
    /// It must not be used.
    Black,
}

impl List {
    /// The name in calls and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::White => "white",
            Self::Grey => "grey",
            Self::Black => "black",
        }
    }
}

/// What becomes of equipment for which no rule is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// It is served.
    #[default]
    Allow,
    /// It is refused.
    Refuse,
}

/// The policy of the register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EquipmentPolicy {
    /// Equipment on no list. Refused, it is answered 5422 on S13.
    pub unknown: Otherwise,
    /// Equipment that does not tell what it is, on S13 and for a SIM that is bound.
    pub absent: Otherwise,
}

/// In which equipment a SIM may be.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// In any.
    #[default]
    Any,
    /// In the one that it is next seen in, and in no other from then on.
    FirstSeen,
    /// In this one; the check digit does not count.
    To(Imei),
}

/// One row of the lists.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Entry {
    pub(crate) list: List,
    /// Why, in the words of whoever wrote it.
    pub(crate) note: String,
}

/// The lists. Of all rows that name a device the narrowest decides.
#[derive(Debug, Default)]
pub(crate) struct Equipment {
    entries: BTreeMap<EquipmentKey, Entry>,
    /// Ranges that are neither a TAC nor one device, the narrowest first.
    ranges: BTreeSet<(u64, EquipmentKey)>,
}

impl Equipment {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Rows that name a range by its ends.
    pub(crate) fn ranges(&self) -> usize {
        self.ranges.len()
    }

    pub(crate) fn get(&self, key: EquipmentKey) -> Option<&Entry> {
        self.entries.get(&key)
    }

    /// Sets a row.
    pub(crate) fn set(&mut self, key: EquipmentKey, entry: Entry) {
        if key.is_range() {
            self.ranges.insert((key.width(), key));
        }
        self.entries.insert(key, entry);
    }

    /// Takes a row away; false when it was not there.
    pub(crate) fn remove(&mut self, key: EquipmentKey) -> bool {
        self.ranges.remove(&(key.width(), key));
        self.entries.remove(&key).is_some()
    }

    /// Rows in order, from after `after` on.
    pub(crate) fn after(
        &self,
        after: Option<EquipmentKey>,
    ) -> impl Iterator<Item = (EquipmentKey, &Entry)> {
        use core::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.entries.range((from, Unbounded)).map(|(k, e)| (*k, e))
    }

    /// The list that a device is on. `version` is the software version, two digits, if it is known.
    pub(crate) fn list_of(&self, imei: Imei, version: Option<u8>) -> Option<List> {
        if self.entries.is_empty() {
            return None;
        }
        let device = EquipmentKey::device(imei);
        let exact = version.and_then(|v| self.entries.get(&device.with_version(v)));
        let found = exact.or_else(|| self.entries.get(&device)).or_else(|| {
            let tac = device.tac();
            let mut ranges = self.ranges.iter().map(|(_, key)| *key);
            let range = ranges.find(|range| range.contains(device));
            let range = range.filter(|r| r.width() < tac.width() || self.get(tac).is_none());
            self.entries.get(&range.unwrap_or(tac))
        });
        found.map(|entry| entry.list)
    }
}

#[cfg(test)]
mod tests;
