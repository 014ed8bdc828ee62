//! Files with many subscribers, read row by row: a million of them need no more memory than a few.
//!
//! No message here repeats a value of a file: the wrong column may hold a key.

mod columns;
mod csv;
mod json;
mod row;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use zeroize::{Zeroize as _, Zeroizing};

pub(super) use row::Defaults;
use row::Row;

/// Octets of the longest line.
const LINE_MAX: usize = 64 << 10;

/// What a file is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Csv,
    JsonLines,
}

/// Something wrong with a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bad {
    /// From 1.
    pub(super) line: u64,
    /// Empty when it is the row as a whole.
    pub(super) column: String,
    pub(super) why: String,
}

impl Bad {
    fn new(line: u64, column: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            line,
            column: column.into(),
            why: why.into(),
        }
    }
}

impl core::fmt::Display for Bad {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "line {}", self.line)?;
        if !self.column.is_empty() {
            write!(f, ", {}", self.column)?;
        }
        write!(f, ": {}", self.why)
    }
}

/// Why a file is not read to its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The system's reason.
    System(io::Error),
    /// The head of the file is wrong, so no row of it can be understood.
    Head(Vec<Bad>),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// What is done with each row. The row is the JSON that the interface takes.
pub(super) trait Take {
    /// A good row.
    fn row(&mut self, line: u64, imsi: u64, json: &[u8]) -> io::Result<()>;
    /// A bad one.
    fn bad(&mut self, bad: Bad);
}

/// What a file holds beside its rows.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Columns that nothing is done with.
    pub(super) ignored: Vec<String>,
}

/// Reads a file from its beginning to its end.
pub(super) fn read(
    path: &Path,
    form: Form,
    defaults: &Defaults,
    take: &mut impl Take,
) -> Result<Notes, Stop> {
    let mut lines = Lines::new(BufReader::with_capacity(1 << 20, File::open(path)?));
    let mut json = Zeroizing::new(Vec::with_capacity(LINE_MAX));
    let mut notes = Notes::default();
    let mut head = None;
    while let Some((line, text)) = lines.next()? {
        let text = match text {
            Ok(text) => text.trim_end_matches(['\r', '\n']),
            Err(why) => {
                take.bad(Bad::new(line, "", why));
                continue;
            }
        };
        if text.trim().is_empty() || text.trim_start().starts_with('#') {
            continue;
        }
        let row = match (form, &head) {
            (Form::JsonLines, _) => json::row(text, defaults),
            (Form::Csv, None) => {
                let found = csv::Head::read(text).map_err(|why| {
                    let place = |(column, why)| Bad::new(line, column, why);
                    Stop::Head(why.into_iter().map(place).collect())
                })?;
                notes.ignored.clone_from(&found.ignored);
                head = Some(found);
                continue;
            }
            (Form::Csv, Some(head)) => head.row(text, defaults),
        };
        match row.and_then(|row: Row<'_>| {
            // What is in it, not all its room: that would cost more than all the rest of a row.
            json.as_mut_slice().zeroize();
            json.clear();
            row.write(&mut json)
        }) {
            Ok(imsi) => take.row(line, imsi, &json)?,
            Err(faults) => {
                for (column, why) in faults {
                    take.bad(Bad::new(line, column, why));
                }
            }
        }
    }
    Ok(notes)
}

/// Lines of a file in one buffer that is wiped.
struct Lines<R> {
    input: R,
    line: u64,
    buffer: Zeroizing<Vec<u8>>,
}

impl<R: BufRead> Lines<R> {
    fn new(input: R) -> Self {
        Self {
            input,
            line: 0,
            buffer: Zeroizing::new(Vec::with_capacity(LINE_MAX)),
        }
    }

    /// The next line with its number, or why it is none.
    fn next(&mut self) -> io::Result<Option<(u64, Result<&str, &'static str>)>> {
        self.buffer.clear();
        let mut too_long = false;
        loop {
            let part = self.input.fill_buf()?;
            if part.is_empty() {
                break;
            }
            let end = part.iter().position(|c| *c == b'\n').map(|at| at + 1);
            let take = end.unwrap_or(part.len());
            if self.buffer.len() + take > LINE_MAX {
                too_long = true;
            } else {
                self.buffer.extend(part.get(..take).unwrap_or_default());
            }
            self.input.consume(take);
            if end.is_some() {
                break;
            }
        }
        if self.buffer.is_empty() && !too_long {
            return Ok(None);
        }
        self.line += 1;
        let octets = match (self.line, self.buffer.strip_prefix(b"\xef\xbb\xbf")) {
            // What some programs put in front of UTF-8.
            (1, Some(rest)) => rest,
            _ => &self.buffer,
        };
        let text = match core::str::from_utf8(octets) {
            _ if too_long => Err("the line is too long"),
            Ok(text) => Ok(text),
            Err(_) => Err("the line is not UTF-8"),
        };
        Ok(Some((self.line, text)))
    }
}

/// The form of a file by its name, and by its first character when the name does not say.
pub(super) fn form_of(path: &Path) -> io::Result<Form> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    match extension.to_ascii_lowercase().as_str() {
        "csv" | "tsv" | "txt" => return Ok(Form::Csv),
        "jsonl" | "ndjson" | "json" => return Ok(Form::JsonLines),
        _ => {}
    }
    let mut lines = Lines::new(BufReader::new(File::open(path)?));
    let begins = lines.next()?.and_then(|(_, text)| text.ok()).unwrap_or("");
    Ok(if begins.trim_start().starts_with('{') {
        Form::JsonLines
    } else {
        Form::Csv
    })
}

#[cfg(test)]
mod tests;
