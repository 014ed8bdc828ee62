//! A strict, typed reader of TOML that goes on after a mistake, so that all are reported at once.
//!
//! A section is read in three moves: take its keys one by one ([`Table::required`],
//! [`Table::optional`], ...), close it with [`Table::finish`], which refuses what nobody took, and
//! only then look whether everything needed was there.

use core::cell::RefCell;
use core::ops::{Deref, Range};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::{Kind, Mistake, Mistakes, Place, Source};
use super::nearest::nearest;

/// Takes the mistakes of one file and of the files that it names.
#[derive(Debug, Default)]
pub(super) struct Sink(RefCell<Vec<Mistake>>);

impl Sink {
    pub(super) fn add(&self, mistake: Mistake) {
        self.0.borrow_mut().push(mistake);
    }

    pub(super) fn into_mistakes(self) -> Vec<Mistake> {
        self.0.into_inner()
    }

    /// `value`, unless there were mistakes.
    pub(super) fn close<T>(self, value: Option<T>) -> Result<T, Mistakes> {
        let mistakes = self.0.into_inner();
        match value {
            Some(value) if mistakes.is_empty() => Ok(value),
            _ => Err(Mistakes::new(mistakes)),
        }
    }
}

/// Why a value is not what its key needs.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) problem: String,
    pub(super) help: String,
}

/// A value that can stand behind a key.
pub(super) trait FromToml: Sized {
    /// Whether the value must not be shown.
    const SECRET: bool = false;

    fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault>;
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

impl<T> Deref for At<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// What all tables of one file share.
#[derive(Debug)]
pub(super) struct File<'a> {
    pub(super) source: Arc<Source>,
    pub(super) sink: &'a Sink,
}

/// A table of which some keys are taken.
#[derive(Debug)]
pub(super) struct Table<'a> {
    file: &'a File<'a>,
    content: &'a DeTable<'a>,
    span: Range<usize>,
    path: String,
    known: Vec<&'static str>,
    missing: Vec<(&'static str, Mistake)>,
    lenient: bool,
}

/// Reads the tree of a file, mistakes of syntax included, and hands its root to `read`.
pub(super) fn parse<T>(
    source: &Arc<Source>,
    sink: &Sink,
    read: impl FnOnce(Table<'_>) -> Option<T>,
) -> Option<T> {
    let (tree, errors) = DeTable::parse_recoverable(source.text());
    let file = File {
        source: Arc::clone(source),
        sink,
    };
    for error in errors {
        sink.add(syntax_mistake(source, &error));
    }
    read(Table {
        file: &file,
        content: tree.get_ref(),
        span: 0..0,
        path: String::new(),
        known: Vec::new(),
        missing: Vec::new(),
        lenient: false,
    })
}

fn syntax_mistake(source: &Arc<Source>, error: &toml::de::Error) -> Mistake {
    const HELP: &str = "each line is `key = value`, a `[section]` or a `# comment`, and text stands \
                        in quotes; see https://toml.io";
    let span = error.span().unwrap_or(0..0);
    let before = source.text().get(..span.start).unwrap_or_default();
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    let line = source
        .text()
        .get(line..)
        .and_then(|rest| rest.lines().next());
    let place = Place {
        source: Arc::clone(source),
        span,
        key: line
            .and_then(|line| line.split_once('='))
            .map_or_else(String::new, |(key, _)| key.trim().to_owned()),
    };
    let problem = error.message().lines().next().unwrap_or("this is not TOML");
    place.mistake(Kind::Syntax, problem, HELP)
}

impl<'a> Table<'a> {
    fn entry(&mut self, key: &'static str) -> Option<(Place, &'a Spanned<DeValue<'a>>)> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        let value = self.content.get(key)?;
        Some((self.place_at(key, value.span()), value))
    }

    fn place_at(&self, key: &str, span: Range<usize>) -> Place {
        Place {
            source: Arc::clone(&self.file.source),
            span,
            key: join(&self.path, key),
        }
    }

    /// The head of the table itself.
    pub(super) fn place(&self) -> Place {
        Place {
            source: Arc::clone(&self.file.source),
            span: self.span.clone(),
            key: self.path.clone(),
        }
    }

    /// Where the value of `key` stands; the table itself without one.
    pub(super) fn place_of(&self, key: &str) -> Place {
        match self.content.get(key) {
            Some(value) => self.place_at(key, value.span()),
            None => self.place(),
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.content.contains_key(key)
    }

    pub(super) fn sink(&self) -> &'a Sink {
        self.file.sink
    }

    /// Notes that `key` must be there and is not.
    pub(super) fn missing(&mut self, key: &'static str, help: impl Into<String>) {
        let mut place = self.place();
        place.key = join(&self.path, key);
        let mistake = place.mistake(Kind::Missing, "this key is missing", help);
        self.missing.push((key, mistake));
    }

    /// Lets unknown keys pass: which ones belong here is not known.
    pub(super) fn give_up(&mut self) {
        self.lenient = true;
    }

    /// The value of `key`, which must be there. `example` is what to write.
    pub(super) fn required<T: FromToml>(
        &mut self,
        key: &'static str,
        example: &str,
    ) -> Option<At<T>> {
        if !self.has(key) {
            self.known.push(key);
            self.missing(key, format!("add `{key} = {example}`"));
            return None;
        }
        self.optional(key)
    }

    /// The value of `key`, if there is one.
    pub(super) fn optional<T: FromToml>(&mut self, key: &'static str) -> Option<At<T>> {
        let (place, value) = self.entry(key)?;
        self.convert(place, value.get_ref())
    }

    /// The value of `key`, or `default`.
    pub(super) fn or<T: FromToml>(&mut self, key: &'static str, default: T) -> T {
        self.optional(key).map_or(default, |v| v.value)
    }

    /// The values of `key`: a list, or one value that stands for a list of one.
    pub(super) fn list<T: FromToml>(&mut self, key: &'static str) -> Option<Vec<At<T>>> {
        let (place, value) = self.entry(key)?;
        let Some(items) = value.get_ref().as_array() else {
            return self.convert(place, value.get_ref()).map(|v| vec![v]);
        };
        let mut values = Vec::new();
        for (i, item) in items.iter().enumerate() {
            let place = self.place_at(&format!("{key}[{i}]"), item.span());
            values.extend(self.convert(place, item.get_ref()));
        }
        Some(values)
    }

    fn convert<T: FromToml>(&self, place: Place, value: &DeValue<'_>) -> Option<At<T>> {
        match T::from_toml(value) {
            Ok(value) => Some(At { value, place }),
            Err(Fault { problem, help }) => {
                let mistake = place.mistake(Kind::Value, problem, help);
                self.sink().add(if T::SECRET {
                    mistake.of_a_secret()
                } else {
                    mistake
                });
                None
            }
        }
    }

    /// The table of `key`, if there is one.
    pub(super) fn table(&mut self, key: &'static str) -> Option<Self> {
        let (place, value) = self.entry(key)?;
        if let DeValue::Table(content) = value.get_ref() {
            Some(self.child(place, content))
        } else {
            let help = format!("write it as a section: `[{}]`", place.key);
            self.sink()
                .add(place.mistake(Kind::Value, "this is not a section", help));
            None
        }
    }

    /// The tables of `key`, each with a head of its own: `[[key]]`.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Self> {
        let Some((place, value)) = self.entry(key) else {
            return Vec::new();
        };
        let help = format!(
            "write each entry as a section with double brackets: `[[{}]]`",
            place.key
        );
        let Some(items) = value.get_ref().as_array() else {
            let mistake = place.mistake(Kind::Value, "this is not a list of sections", help);
            self.sink().add(mistake);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for (i, item) in items.iter().enumerate() {
            let place = self.place_at(&format!("{key}[{i}]"), item.span());
            match item.get_ref() {
                DeValue::Table(content) => tables.push(self.child(place, content)),
                _ => self
                    .sink()
                    .add(place.mistake(Kind::Value, "this is not a section", &*help)),
            }
        }
        tables
    }

    /// Every table of this one, for sections that carry names of the user's own.
    pub(super) fn named_tables(&self) -> Vec<(At<String>, Self)> {
        let mut tables = Vec::new();
        for (key, value) in self.content {
            let name = key.get_ref().to_string();
            let place = self.place_at(&name, key.span());
            if let DeValue::Table(content) = value.get_ref() {
                let child = self.child(place.clone(), content);
                tables.push((At { value: name, place }, child));
            } else {
                let help = format!("write it as a section: `[{}]`", place.key);
                self.sink()
                    .add(place.mistake(Kind::Value, "this is not a section", help));
            }
        }
        tables
    }

    fn child(&self, place: Place, content: &'a DeTable<'a>) -> Self {
        Self {
            file: self.file,
            content,
            // The head alone: a snippet of a whole section says nothing.
            span: head(self.file.source.text(), place.span),
            path: place.key,
            known: Vec::new(),
            missing: Vec::new(),
            lenient: false,
        }
    }

    /// Refuses every key that was not taken. A key that is missing and misspelt is one mistake.
    pub(super) fn finish(mut self) {
        let unknown = self
            .content
            .keys()
            .filter(|k| !self.known.contains(&&**k.get_ref()));
        for key in unknown.filter(|_| !self.lenient) {
            let name: &str = key.get_ref();
            let help = match nearest(name, self.known.iter().copied()) {
                Some(near) => {
                    self.missing.retain(|(missing, _)| *missing != near);
                    format!("did you mean `{near}`?")
                }
                None => format!("the keys here are {}", listed(self.known.iter().copied())),
            };
            let place = self.place_at(name, key.span());
            self.sink()
                .add(place.mistake(Kind::Unknown, "there is no such key here", help));
        }
        for (_, mistake) in core::mem::take(&mut self.missing) {
            self.sink().add(mistake);
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn head(text: &str, span: Range<usize>) -> Range<usize> {
    let line = text.get(span.clone()).and_then(|t| t.lines().next());
    span.start..span.start + line.map_or(0, str::len)
}

/// Words for a sentence: `` `a`, `b` and `c` ``.
pub(super) fn listed<'s>(words: impl IntoIterator<Item = &'s str>) -> String {
    let mut words: Vec<String> = words.into_iter().map(|w| format!("`{w}`")).collect();
    match (words.pop(), words.is_empty()) {
        (None, _) => String::from("none"),
        (Some(only), true) => only,
        (Some(last), false) => format!("{} and {last}", words.join(", ")),
    }
}
