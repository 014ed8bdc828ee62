//! Tables: a head line with names of columns, then a row a line.
//!
//! The delimiter is the one that the head line has: comma, semicolon, tabulator or `|`. A field may
//! stand in double quotes, a quote in it is doubled. Several access points stand in one field,
//! separated by spaces; so do, in the same order, their other columns, `-` for none.

use core::str::FromStr;
use std::borrow::Cow;

use heiiki_types::{Ambr, Arp};

use super::columns::{Column, named};
use super::row::{Apns, Defaults, Faults, Row, RowApn};

/// Columns of the widest table.
const COLUMNS_MAX: usize = 128;

/// The head line.
pub(super) struct Head {
    delimiter: u8,
    columns: Vec<Option<Column>>,
    /// Names of columns that nothing is done with.
    pub(super) ignored: Vec<String>,
}

impl Head {
    pub(super) fn read(line: &str) -> Result<Self, Faults> {
        let count = |d: &&u8| line.bytes().filter(|c| c == *d).count();
        let delimiter = [b',', b';', b'\t', b'|'].iter().max_by_key(count).copied();
        let delimiter = delimiter.unwrap_or(b',');
        let mut head = Self {
            delimiter,
            columns: Vec::new(),
            ignored: Vec::new(),
        };
        let mut faults = Faults::new();
        let fields = split(line, delimiter).map_err(|why| vec![(String::new(), why.to_owned())])?;
        if fields.len() > COLUMNS_MAX {
            return Err(vec![(
                String::new(),
                "there are too many columns".to_owned(),
            )]);
        }
        for (place, field) in fields.iter().enumerate() {
            match named(field) {
                Ok(Some(column)) if head.columns.contains(&Some(column)) => {
                    faults.push((
                        column.name().to_owned(),
                        "the column is there twice".to_owned(),
                    ));
                }
                Ok(column) => {
                    if column.is_none() {
                        head.ignored.push(field.trim().to_owned());
                    }
                    head.columns.push(column);
                }
                // A head line that is a row would show a key here.
                Err(why) => faults.push((format!("column {}", place + 1), why)),
            }
        }
        if faults.is_empty() && !head.columns.contains(&Some(Column::Imsi)) {
            let why = "the head line must name the columns, and `imsi` is not among them";
            faults.push((String::new(), why.to_owned()));
        }
        if faults.is_empty() {
            Ok(head)
        } else {
            Err(faults)
        }
    }

    pub(super) fn row<'a>(&self, line: &'a str, defaults: &'a Defaults) -> Result<Row<'a>, Faults> {
        let whole = |why: String| vec![(String::new(), why)];
        let fields = split(line, self.delimiter).map_err(|why| whole(why.to_owned()))?;
        if fields.len() != self.columns.len() {
            return Err(whole(format!(
                "the row has {} fields, the head line has {}",
                fields.len(),
                self.columns.len()
            )));
        }
        let mut cells = Cells::default();
        for (column, field) in self.columns.iter().zip(fields) {
            let Some(column) = column else { continue };
            // Values that this tool takes need no quote in them, so none is ever put together.
            let Cow::Borrowed(text) = field else {
                return Err(vec![(
                    column.name().to_owned(),
                    "a quote is no part of it".to_owned(),
                )]);
            };
            cells.set(*column, text.trim());
        }
        cells.row(defaults)
    }
}

/// The fields of a row, by column.
#[derive(Default)]
struct Cells<'a> {
    cells: [Option<&'a str>; 25],
    faults: Faults,
}

impl<'a> Cells<'a> {
    fn set(&mut self, column: Column, text: &'a str) {
        if let Some(cell) = self.cells.get_mut(column as usize) {
            *cell = Some(text).filter(|t| !t.is_empty());
        }
    }

    fn text(&self, column: Column) -> Option<&'a str> {
        self.cells.get(column as usize).copied().flatten()
    }

    fn value<T: FromStr>(&mut self, column: Column, want: &str) -> Option<T> {
        let text = self.text(column)?;
        let value = text.parse().ok();
        if value.is_none() {
            self.fault(column, want);
        }
        value
    }

    fn fault(&mut self, column: Column, why: &str) {
        self.faults.push((column.name().to_owned(), why.to_owned()));
    }

    fn row(mut self, defaults: &'a Defaults) -> Result<Row<'a>, Faults> {
        let ue_ambr = self.ambr();
        let row = Row {
            imsi: self.text(Column::Imsi).unwrap_or(""),
            k: self.text(Column::K),
            opc: self.text(Column::Opc),
            op: self.text(Column::Op),
            amf: self.text(Column::Amf),
            sqn: self.sqn(),
            msisdn: self.text(Column::Msisdn).map(|m| m.trim_start_matches('+')),
            tenant: self
                .text(Column::Tenant)
                .or(defaults.tenant.as_deref())
                .unwrap_or(""),
            group: self
                .text(Column::Group)
                .or(defaults.group.as_deref())
                .unwrap_or(""),
            apns: Apns::Listed(self.apns(defaults)),
            ue_ambr,
            barring: self.value(Column::Barring, NUMBER),
            access_restriction: self.value(Column::AccessRestriction, NUMBER),
            periodic_update_s: self.value(Column::PeriodicUpdate, "write a number of seconds"),
            charging_characteristics: self.value(Column::Charging, NUMBER),
            state: self.text(Column::State),
        };
        if self.faults.is_empty() {
            Ok(row)
        } else {
            Err(self.faults)
        }
    }

    /// A number, or the 12 hexadecimal digits that cards are made with.
    fn sqn(&mut self) -> Option<u64> {
        let text = self.text(Column::Sqn)?;
        let value = if text.len() == 12 {
            u64::from_str_radix(text, 16).ok()
        } else {
            text.parse().ok()
        };
        if value.is_none() {
            self.fault(Column::Sqn, "write a number, or 12 hexadecimal digits");
        }
        value
    }

    fn ambr(&mut self) -> Option<Ambr> {
        let uplink = self.rate(Column::Uplink, self.text(Column::Uplink));
        let downlink = self.rate(Column::Downlink, self.text(Column::Downlink));
        both(uplink, downlink)
    }

    fn rate(&mut self, column: Column, text: Option<&str>) -> Option<u64> {
        let text = text?;
        let value = bits_per_second(text);
        if value.is_none() {
            self.fault(
                column,
                "write a rate such as `100Mbps`, or a number of bit/s",
            );
        }
        value
    }

    fn apns(&mut self, defaults: &'a Defaults) -> Vec<RowApn<'a>> {
        let mut apns: Vec<RowApn<'a>> = match self.text(Column::Apn) {
            Some(names) => names.split_whitespace().map(named_apn).collect(),
            None => defaults
                .apns
                .iter()
                .map(|a| named_apn(a.as_str()))
                .collect(),
        };
        let count = apns.len();
        let pdn = self.list(Column::Pdn, count, true);
        let address = self.list(Column::StaticIp, count, false);
        let prefix = self.list(Column::StaticIpv6, count, false);
        let qci = self.list(Column::Qci, count, true);
        let arp = self.list(Column::Arp, count, true);
        let uplink = self.list(Column::ApnUplink, count, true);
        let downlink = self.list(Column::ApnDownlink, count, true);
        let charging = self.list(Column::ApnCharging, count, true);
        for (place, apn) in apns.iter_mut().enumerate() {
            let at = |list: &[Option<&'a str>]| list.get(place).copied().flatten();
            apn.pdn = at(&pdn);
            apn.static_ip = self.part(Column::StaticIp, at(&address), "write an IPv4 address");
            let want = "write an IPv6 prefix such as 2001:db8:0:1::/64";
            apn.static_ipv6 = self.part(Column::StaticIpv6, at(&prefix), want);
            apn.qci = self.part(Column::Qci, at(&qci), "write a number from 1 to 255");
            apn.arp = self.arp(at(&arp));
            let uplink = self.rate(Column::ApnUplink, at(&uplink));
            let downlink = self.rate(Column::ApnDownlink, at(&downlink));
            apn.ambr = both(uplink, downlink);
            apn.charging_characteristics = self.part(Column::ApnCharging, at(&charging), NUMBER);
        }
        apns
    }

    /// The parts of a field, one an access point. One part alone is for all of them where `shared`,
    /// else for the first.
    fn list(&mut self, column: Column, count: usize, shared: bool) -> Vec<Option<&'a str>> {
        let Some(text) = self.text(column) else {
            return Vec::new();
        };
        let mut parts: Vec<_> = text
            .split_whitespace()
            .map(|part| Some(part).filter(|p| *p != "-"))
            .collect();
        if parts.len() > count.max(1) {
            self.fault(column, "there are more of them than access points");
        } else if let ([one], true) = (parts.as_slice(), shared) {
            parts = vec![*one; count];
        }
        parts
    }

    fn part<T: FromStr>(&mut self, column: Column, text: Option<&str>, want: &str) -> Option<T> {
        let value = text?.parse().ok();
        if value.is_none() {
            self.fault(column, want);
        }
        value
    }

    /// `8`, or as an export writes it `8/+/-`: may preempt, may not be preempted.
    fn arp(&mut self, text: Option<&str>) -> Option<Arp> {
        let mut parts = text?.split('/');
        let level = parts
            .next()
            .and_then(|l| l.parse().ok())
            .filter(|l| (1..=15).contains(l));
        let flag = |text: Option<&str>, default: bool| match text {
            None => Some(default),
            Some("+") => Some(true),
            Some("-") => Some(false),
            Some(_) => None,
        };
        let preempt = flag(parts.next(), false);
        let preempted = flag(parts.next(), true);
        let arp = match (level, preempt, preempted, parts.next()) {
            (Some(priority_level), Some(may_preempt), Some(may_be_preempted), None) => Some(Arp {
                priority_level,
                may_preempt,
                may_be_preempted,
            }),
            _ => None,
        };
        if arp.is_none() {
            self.fault(
                Column::Arp,
                "write a priority from 1 to 15, or such as `8/-/+`",
            );
        }
        arp
    }
}

/// A rate with its unit, as in `100Mbps`, or a number of bit/s.
fn bits_per_second(text: &str) -> Option<u64> {
    let units = [
        ("kbps", 1_000),
        ("Mbps", 1_000_000),
        ("Gbps", 1_000_000_000),
        ("bps", 1),
    ];
    let with_unit = units
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
    let (number, factor) = with_unit.unwrap_or((text, 1));
    number.trim().parse::<u64>().ok()?.checked_mul(factor)
}

const NUMBER: &str = "write a number";

fn named_apn(apn: &str) -> RowApn<'_> {
    RowApn {
        apn,
        ..RowApn::default()
    }
}

fn both(uplink: Option<u64>, downlink: Option<u64>) -> Option<Ambr> {
    let one = uplink.or(downlink)?;
    Some(Ambr {
        uplink_bps: uplink.unwrap_or(one),
        downlink_bps: downlink.unwrap_or(one),
    })
}

/// The fields of a line.
fn split(line: &str, delimiter: u8) -> Result<Vec<Cow<'_, str>>, &'static str> {
    let mut fields = Vec::with_capacity(16);
    let mut rest = line;
    loop {
        let lead = rest.trim_start_matches(' ');
        if let Some(quoted) = lead.strip_prefix('"') {
            let (field, after) = unquote(quoted)?;
            fields.push(field);
            let after = after.trim_start_matches(' ');
            match after.as_bytes().split_first() {
                None => return Ok(fields),
                Some((d, _)) if *d == delimiter => rest = after.get(1..).unwrap_or(""),
                Some(_) => return Err("something follows a closing quote"),
            }
        } else if let Some((field, after)) = rest.split_once(char::from(delimiter)) {
            fields.push(Cow::Borrowed(field));
            rest = after;
        } else {
            fields.push(Cow::Borrowed(rest));
            return Ok(fields);
        }
    }
}

/// A field after its opening quote, and what follows its closing one.
fn unquote(text: &str) -> Result<(Cow<'_, str>, &str), &'static str> {
    let (first, mut rest) = text.split_once('"').ok_or("a quote is not closed")?;
    let mut field = Cow::Borrowed(first);
    while let Some(more) = rest.strip_prefix('"') {
        let (part, after) = more.split_once('"').ok_or("a quote is not closed")?;
        let field = field.to_mut();
        field.push('"');
        field.push_str(part);
        rest = after;
    }
    Ok((field, rest))
}
