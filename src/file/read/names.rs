//! Names that one part of a file gives and another refers to.

use std::collections::{BTreeMap, BTreeSet};

use crate::file::mistake::{Kind, Mistake, Place};
use crate::file::nearest::nearest;
use crate::file::reader::{At, Sink, listed};

/// Things that are known by a key that must not come twice.
#[derive(Debug)]
pub(super) struct Names<K> {
    what: &'static str,
    places: BTreeMap<K, Place>,
}

impl<K: Ord + Clone + core::fmt::Display> Names<K> {
    pub(super) fn new(what: &'static str) -> Self {
        Self {
            what,
            places: BTreeMap::new(),
        }
    }

    /// Notes a name. A second one of the same name is a mistake and gives `false`.
    pub(super) fn add(&mut self, name: K, place: &Place, sink: &Sink) -> bool {
        if let Some(first) = self.places.get(&name) {
            let problem = format!("{} `{name}` comes twice", self.what);
            let line = first.line();
            let help = if first.source.name() == place.source.name() {
                format!("it is already in line {line}; change or remove one of them")
            } else {
                let file = first.source.name();
                format!("it is already in {file}, line {line}; change or remove one of them")
            };
            sink.add(place.mistake(Kind::Clash, problem, help).with_first(first));
            return false;
        }
        self.places.insert(name, place.clone());
        true
    }

    pub(super) fn contains(&self, name: &K) -> bool {
        self.places.contains_key(name)
    }
}

impl Names<String> {
    /// Refuses a reference to a name that nobody gave.
    pub(super) fn check(&self, name: &At<String>, sink: &Sink) {
        if !self.contains(name) {
            sink.add(unknown(
                self.what,
                name,
                self.places.keys().map(String::as_str),
            ));
        }
    }
}

/// The mistake of naming something that is not there.
pub(super) fn unknown<'n>(
    what: &str,
    name: &At<String>,
    known: impl Iterator<Item = &'n str>,
) -> Mistake {
    let known: BTreeSet<&str> = known.collect();
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        // A file may have thousands.
        None if known.len() > 12 => format!("name a {what} that this file has"),
        None => format!("this file has {}", listed(known)),
    };
    let problem = format!("there is no {what} `{}`", name.value);
    name.place.mistake(Kind::Reference, problem, help)
}
