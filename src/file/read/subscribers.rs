//! Subscribers to import, as TOML or as CSV.

use core::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use heiiki_types::{Apn, Imsi, Msisdn, Prefix, Qci};

use super::names::Names;
use super::sim::{TenantAddress, ambr, amf_and_sqn, secrets};
use crate::file::mistake::{Kind, Place, Source};
use crate::file::nearest::nearest;
use crate::file::reader::{Sink, Table, listed, parse};
use crate::file::{SimState, SubscribedApn, Subscriber};

/// Reads a subscribers file; the extension says which of the two forms it has.
pub(in crate::file) fn rows(
    source: &Arc<Source>,
    path: &Path,
    sink: &Sink,
) -> Option<Vec<Subscriber>> {
    if path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("csv"))
    {
        subscribers_csv(source, sink)
    } else {
        subscribers(source, sink)
    }
}

/// What must not come twice in a subscribers file.
struct Seen {
    imsis: Names<Imsi>,
    statics: Names<TenantAddress>,
}

impl Seen {
    fn new() -> Self {
        Self {
            imsis: Names::new("IMSI"),
            statics: Names::new("static address"),
        }
    }
}

/// Reads `[[subscriber]]` sections.
fn subscribers(source: &Arc<Source>, sink: &Sink) -> Option<Vec<Subscriber>> {
    parse(source, sink, |mut root| {
        let mut seen = Seen::new();
        let mut rows = Vec::new();
        if !root.has("subscriber") {
            root.missing("subscriber", "add each one as a section `[[subscriber]]` with `imsi`, `k`, `opc`, `tenant` and `apn`");
        }
        for table in root.tables("subscriber") {
            rows.extend(subscriber(table, &mut seen));
        }
        root.finish();
        Some(rows)
    })
}

fn subscriber(mut table: Table<'_>, seen: &mut Seen) -> Option<Subscriber> {
    let sink = table.sink();
    let imsi = table.required::<Imsi>("imsi", "\"001010000000001\"");
    if let Some(imsi) = &imsi {
        seen.imsis.add(imsi.value, &imsi.place, sink);
    }
    if !table.has("k") && !table.has("opc") && !table.has("op") {
        table.missing("k", "add the keys of the SIM: `k = \"...\"` and `opc = \"...\"`, 32 hexadecimal digits each");
    }
    let secrets = secrets(&mut table);
    let (amf, sqn) = amf_and_sqn(&mut table);
    let msisdn = table.optional::<Msisdn>("msisdn").map(|m| m.value);
    let tenant = table.required::<String>("tenant", "\"red\"");
    if !table.has("apn") {
        table.missing(
            "apn",
            "add the access point: `apn = \"red.corp\"`, the default one first",
        );
    }
    let apns = table.list::<Apn>("apn").unwrap_or_default();
    let static_ip = table.optional::<Ipv4Addr>("static_ip");
    if let (Some(address), Some(tenant)) = (&static_ip, &tenant) {
        let own = TenantAddress(tenant.value.clone(), address.value);
        seen.statics.add(own, &address.place, sink);
    }
    let static_ipv6 = table.optional::<Prefix>("static_ipv6");
    if let Some(prefix) = static_ipv6
        .as_ref()
        .filter(|p| p.value.is_ipv4() || p.value.length() != 64)
    {
        let problem = format!("`{}` is not an IPv6 prefix of 64 bits", prefix.value);
        let help = "write one such as \"2001:db8:0:1::/64\"";
        sink.add(prefix.place.mistake(Kind::Value, problem, help));
    }
    let qci = table.or("qci", Qci(9));
    let ambr = ambr(&mut table);
    let state = table.or("state", SimState::Ready);
    table.finish();
    let apns = apns.into_iter().enumerate().map(|(n, apn)| SubscribedApn {
        apn: apn.value,
        static_ip: static_ip.as_ref().map(|s| s.value).filter(|_| n == 0),
        static_ipv6: static_ipv6.as_ref().map(|s| s.value).filter(|_| n == 0),
        qci,
    });
    Some(Subscriber {
        imsi: imsi?.value,
        secrets: secrets?,
        amf,
        sqn,
        msisdn,
        tenant: tenant?.value,
        apns: apns.collect(),
        ambr,
        state,
    })
}

/// The columns of the CSV form: each is the key of the same name.
const COLUMNS: [&str; 13] = [
    "imsi",
    "k",
    "opc",
    "op",
    "amf",
    "sqn",
    "msisdn",
    "tenant",
    "apn",
    "static_ip",
    "static_ipv6",
    "qci",
    "state",
];

/// Reads a table with a head line. Fields are plain, without quotes; several access points of one
/// subscriber are separated by spaces.
///
/// Each row is turned into the section that it stands for, so that both forms say the same of a
/// mistake; its place is then found again in the row.
fn subscribers_csv(source: &Arc<Source>, sink: &Sink) -> Option<Vec<Subscriber>> {
    let mut lines = spans(source.text(), '\n').filter(|(_, l)| {
        let l = l.trim();
        !l.is_empty() && !l.starts_with('#')
    });
    let (start, head) = lines.next().unwrap_or((0, ""));
    let columns: Vec<&str> = spans(head, ',').map(|(_, name)| name.trim()).collect();
    let place = |at: usize, text: &str, key: String| Place {
        source: Arc::clone(source),
        span: at..at + text.len(),
        key,
    };
    let mut good = true;
    for (at, name) in spans(head, ',') {
        if !COLUMNS.contains(&name.trim()) {
            let help = match nearest(name.trim(), COLUMNS) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the columns are {}", listed(COLUMNS)),
            };
            let here = place(start + at, name, name.trim().to_owned());
            sink.add(here.mistake(Kind::Unknown, "there is no such column", help));
            good = false;
        }
    }
    if !good {
        return None;
    }
    let mut seen = Seen::new();
    let mut rows = Vec::new();
    for (number, (start, line)) in lines.enumerate() {
        let fields: Vec<(usize, &str)> = spans(line.trim_end(), ',').collect();
        if fields.len() != columns.len() {
            let problem = format!(
                "this row has {} fields, the head line has {}",
                fields.len(),
                columns.len()
            );
            let help = "give each row a field for each column; a field may be empty";
            let here = place(start, line.trim_end(), format!("subscriber[{number}]"));
            sink.add(here.mistake(Kind::Value, problem, help));
            continue;
        }
        let row = CsvRow {
            start,
            line,
            number,
            columns: &columns,
            fields: &fields,
        };
        rows.extend(row.read(source, sink, &mut seen));
    }
    Some(rows)
}

struct CsvRow<'a> {
    start: usize,
    line: &'a str,
    number: usize,
    columns: &'a [&'a str],
    fields: &'a [(usize, &'a str)],
}

impl CsvRow<'_> {
    fn read(&self, source: &Arc<Source>, sink: &Sink, seen: &mut Seen) -> Option<Subscriber> {
        let own = Sink::default();
        let here = Place {
            source: Arc::clone(source),
            span: self.start..self.start,
            key: String::new(),
        };
        let section = source.of_line(here.line(), self.as_toml());
        let row = parse(&section, &own, |table| subscriber(table, seen));
        for mistake in own.into_mistakes() {
            let column = mistake
                .key()
                .split('[')
                .next()
                .unwrap_or_default()
                .to_owned();
            let field = self.columns.iter().position(|c| *c == column);
            let (at, text) = field
                .and_then(|i| self.fields.get(i).copied())
                .unwrap_or_else(|| (0, self.line.trim_end()));
            let lead = text.len() - text.trim_start().len();
            let begin = self.start + at + lead;
            sink.add(mistake.moved_to(Place {
                source: Arc::clone(source),
                span: begin..begin + text.trim().len(),
                key: format!("subscriber[{}].{column}", self.number),
            }));
        }
        row
    }

    fn as_toml(&self) -> String {
        let mut toml = String::new();
        for (column, (_, field)) in self.columns.iter().zip(self.fields) {
            let field = field.trim();
            let line = match *column {
                _ if field.is_empty() => continue,
                "sqn" | "qci" if field.bytes().all(|c| c.is_ascii_digit()) => {
                    // TOML has no leading zeros.
                    let digits = field.trim_start_matches('0');
                    format!(
                        "{column} = {}\n",
                        if digits.is_empty() { "0" } else { digits }
                    )
                }
                "apn" => {
                    let names: Vec<String> = field.split_whitespace().map(quoted).collect();
                    format!("apn = [{}]\n", names.join(", "))
                }
                _ => format!("{column} = {}\n", quoted(field)),
            };
            toml.push_str(&line);
        }
        toml
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_default())
}

/// The parts of `text` between separators, with their offsets.
fn spans(text: &str, separator: char) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split(separator).map(move |part| {
        let start = at;
        at += part.len() + separator.len_utf8();
        (start, part)
    })
}
