//! What is wrong with a file: where, which key, why, and what to do about it.

use core::fmt;
use core::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource};
use zeroize::Zeroizing;

/// A file as it was read. The text may hold keys of SIMs: it is wiped, and never shown unmasked.
pub(super) struct Source {
    name: String,
    text: Zeroizing<String>,
    /// The line of the file that the text stands for, when it is not the file itself.
    line: Option<usize>,
}

impl Source {
    pub(super) fn new(name: impl Into<String>, text: String) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            text: Zeroizing::new(text),
            line: None,
        })
    }

    /// A text that says the same as one line of this file.
    pub(super) fn of_line(&self, line: usize, text: String) -> Arc<Self> {
        Arc::new(Self {
            name: self.name.clone(),
            text: Zeroizing::new(text),
            line: Some(line),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn line_and_column(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (self.line.unwrap_or(line), column)
    }

    /// The text with everything that is, or may be, a secret replaced by asterisks. No offset
    /// changes.
    fn masked(&self, secrets: &[Range<usize>]) -> String {
        let mut octets = self.text.as_bytes().to_vec();
        mask_keys(&mut octets);
        for secret in secrets {
            let inside = octets.iter_mut().take(secret.end).skip(secret.start);
            inside.for_each(mask);
        }
        String::from_utf8_lossy(&octets).into_owned()
    }
}

/// Masks every run of hexadecimal digits that is long enough to be a key, wherever it stands: it
/// may have been written to the wrong place.
fn mask_keys(octets: &mut [u8]) {
    // One more digit than the longest identity that may be shown, an IMEI with its check digits.
    const LONGEST_IDENTITY: usize = 16;
    let mut run = 0;
    for i in 0..=octets.len() {
        if octets.get(i).is_some_and(u8::is_ascii_hexdigit) {
            run += 1;
            continue;
        }
        if run > LONGEST_IDENTITY {
            octets.iter_mut().take(i).skip(i - run).for_each(mask);
        }
        run = 0;
    }
}

fn without_keys(text: String) -> String {
    let mut octets = text.into_bytes();
    mask_keys(&mut octets);
    String::from_utf8_lossy(&octets).into_owned()
}

fn mask(octet: &mut u8) {
    // Quotes and line ends stay, and so does anything that is not a single octet of text.
    if octet.is_ascii_alphanumeric() {
        *octet = b'*';
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.name)
    }
}

/// A place in a file, and the path of the key that stands there.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) source: Arc<Source>,
    pub(super) span: Range<usize>,
    pub(super) key: String,
}

impl Place {
    pub(super) fn line(&self) -> usize {
        self.source.line_and_column(self.span.start).0
    }

    pub(super) fn mistake(
        &self,
        kind: Kind,
        problem: impl Into<String>,
        help: impl Into<String>,
    ) -> Mistake {
        Mistake {
            place: self.clone(),
            kind,
            problem: without_keys(problem.into()),
            help: without_keys(help.into()),
            secret: false,
            first: None,
        }
    }
}

/// What sort of mistake it is. After a mistake of syntax a key may be lost that was there, so some
/// sorts say nothing then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The file is not TOML, or cannot be read.
    Syntax,
    /// A key that means nothing here.
    Unknown,
    /// A value that its key cannot have.
    Value,
    /// A key that must be there.
    Missing,
    /// Values that contradict each other.
    Clash,
    /// A name of something that is not there.
    Reference,
}

/// One mistake.
#[derive(Clone, Debug)]
pub struct Mistake {
    place: Place,
    kind: Kind,
    problem: String,
    help: String,
    secret: bool,
    first: Option<Place>,
}

impl Mistake {
    /// Marks the value at the mistake's place as one that must not be shown.
    pub(super) fn of_a_secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The same mistake at another place.
    pub(super) fn moved_to(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Names the other place of a clash.
    pub(super) fn with_first(mut self, first: &Place) -> Self {
        self.first = Some(first.clone());
        self
    }

    /// The file, as it was named.
    pub fn file(&self) -> &str {
        self.place.source.name()
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.place.line()
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> usize {
        let at = self.place.span.start;
        self.place.source.line_and_column(at).1
    }

    /// The path of the key, such as `sim[2].imsi`; empty when it is the file as a whole.
    pub fn key(&self) -> &str {
        &self.place.key
    }

    /// What is wrong.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// What to do about it.
    pub fn help(&self) -> &str {
        &self.help
    }

    fn subject(&self) -> String {
        match self.key() {
            "" => self.problem.clone(),
            key => format!("{key}: {}", self.problem),
        }
    }
}

/// One line: `FILE:LINE:COLUMN: KEY: PROBLEM; HELP`.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, line, column) = (self.file(), self.line(), self.column());
        write!(
            f,
            "{file}:{line}:{column}: {}; {}",
            self.subject(),
            self.help
        )
    }
}

/// Every mistake of a file and of the files that it names, in their order.
#[derive(Clone, Debug)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    pub(super) fn new(mut mistakes: Vec<Mistake>) -> Self {
        let syntax = mistakes.iter().filter(|m| m.kind == Kind::Syntax);
        let broken: Vec<(String, usize)> =
            syntax.map(|m| (m.file().to_owned(), m.line())).collect();
        if !broken.is_empty() {
            mistakes.retain(|m| match m.kind {
                Kind::Syntax => true,
                // What the reader made of a broken line is not what stands there.
                Kind::Unknown | Kind::Value => {
                    !broken.iter().any(|(f, l)| f == m.file() && *l == m.line())
                }
                Kind::Missing | Kind::Clash | Kind::Reference => false,
            });
        }
        mistakes.sort_by(|a, b| {
            let order = |m: &Mistake| (m.file().to_owned(), m.place.span.start);
            order(a).cmp(&order(b))
        });
        // A value that is looked at twice is still one mistake.
        mistakes.dedup_by(|a, b| {
            a.place.span == b.place.span && a.problem == b.problem && a.place.key == b.place.key
        });
        Self(mistakes)
    }

    /// The mistakes.
    pub fn iter(&self) -> core::slice::Iter<'_, Mistake> {
        self.0.iter()
    }

    /// The mistakes with the lines they are in, for a person to read. Keys of SIMs are masked.
    ///
    /// `colour` adds terminal colours; `width` is the line length to keep to.
    pub fn render(&self, colour: bool, width: usize) -> String {
        let theme = if colour {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_links(false)
            .with_width(width)
            .with_context_lines(1);
        let mut out = String::new();
        for mistake in &self.0 {
            // The handler fails only when its writer does, and a string takes everything.
            let _ = handler.render_report(&mut out, &self.shown(mistake));
            out.push('\n');
        }
        out.push_str(&self.summary());
        out
    }

    fn summary(&self) -> String {
        let mut files: Vec<&str> = self.0.iter().map(Mistake::file).collect();
        files.dedup();
        let count = match self.0.len() {
            1 => String::from("one mistake"),
            n => format!("{n} mistakes"),
        };
        format!("{count} in {}; nothing was started\n", files.join(" and "))
    }

    fn shown(&self, mistake: &Mistake) -> Shown {
        let source = &mistake.place.source;
        let secrets: Vec<Range<usize>> = self
            .0
            .iter()
            .filter(|m| m.secret && Arc::ptr_eq(&m.place.source, source))
            .map(|m| m.place.span.clone())
            .collect();
        let mut labels = Vec::new();
        if !source.text().is_empty() {
            labels.push(LabeledSpan::new_primary_with_span(
                None,
                mistake.place.span.clone(),
            ));
            if let Some(first) = &mistake.first
                && Arc::ptr_eq(&first.source, source)
            {
                let text = Some(String::from("the other one"));
                labels.push(LabeledSpan::new_with_span(text, first.span.clone()));
            }
        }
        Shown {
            subject: mistake.subject(),
            help: mistake.help.clone(),
            labels,
            text: NamedSource::new(source.name(), source.masked(&secrets)),
        }
    }
}

impl<'a> IntoIterator for &'a Mistakes {
    type Item = &'a Mistake;
    type IntoIter = core::slice::Iter<'a, Mistake>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// One line a mistake.
impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mistake in &self.0 {
            writeln!(f, "{mistake}")?;
        }
        f.write_str(&self.summary())
    }
}

impl core::error::Error for Mistakes {}

/// A mistake in the form that the renderer takes.
#[derive(Debug)]
struct Shown {
    subject: String,
    help: String,
    labels: Vec<LabeledSpan>,
    text: NamedSource<String>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.subject)
    }
}

impl core::error::Error for Shown {}

impl Diagnostic for Shown {
    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        Some(Box::new(&self.help))
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.text)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}
