//! `[[assert]]`: what must hold.

use core::net::IpAddr;

use heiiki_types::Duration;

use super::names;
use super::scenario::{Index, Overrides};
use super::step::{Names, known};
use crate::file::reader::{At, Table};
use crate::file::value::choices;
use crate::file::{Assert, Cause, Direction, Figure, Lab, Op, Size, Value};

choices!(Op {
    "==" => Self::Equal,
    "!=" => Self::NotEqual,
    "<" => Self::Less,
    "<=" => Self::AtMost,
    ">" => Self::Greater,
    ">=" => Self::AtLeast,
});

/// What `that` can say.
#[derive(Clone, Copy, Debug)]
enum That {
    Attached,
    AttachRejects,
    RejectCause,
    RejectProtected,
    Address,
    TimeToCut(Direction),
    ProbeTimeToCut,
    PacketsAfterCut,
    ProbesAnswered,
    ProbesRefused,
    ProbesUnexplained,
    TransfersIntact,
    TransfersCorrupt,
    SentinelPackets,
    Drops,
    Events,
}

choices!(That {
    "attached" => Self::Attached,
    "attach_rejects" => Self::AttachRejects,
    "reject_cause" => Self::RejectCause,
    "reject_protected" => Self::RejectProtected,
    "address" => Self::Address,
    "time_to_cut.uplink" => Self::TimeToCut(Direction::Uplink),
    "time_to_cut.downlink" => Self::TimeToCut(Direction::Downlink),
    "time_to_cut.probe" => Self::ProbeTimeToCut,
    "packets_after_cut" => Self::PacketsAfterCut,
    "probes.answered" => Self::ProbesAnswered,
    "probes.refused" => Self::ProbesRefused,
    "probes.unexplained" => Self::ProbesUnexplained,
    "transfers.intact" => Self::TransfersIntact,
    "transfers.corrupt" => Self::TransfersCorrupt,
    "sentinel.packets" => Self::SentinelPackets,
    "drops" => Self::Drops,
    "events" => Self::Events,
});

/// Reads every `[[assert]]`, with the threshold of the chosen size.
pub(super) fn asserts(
    root: &mut Table<'_>,
    lab: &Lab,
    index: &Index,
    overrides: &Overrides<'_>,
    size: Size,
) -> Vec<Assert> {
    let scope = Names { lab, index };
    let mut seen = names::Names::<String>::new("assertion");
    let mut asserts = Vec::new();
    for mut table in root.tables("assert") {
        let place = table.place_of("name");
        let sink = table.sink();
        let name = table.optional::<String>("name");
        let own = name.map(|n| overrides.take(&n)).unwrap_or_default();
        let assert = assert(&mut table, scope, own);
        table.finish();
        if let Some((values, mut assert)) = assert {
            seen.add(assert.name.clone(), &place, sink);
            let chosen = values.into_iter().find(|(s, _)| *s == size);
            assert.value = chosen.map_or(assert.value, |(_, value)| value);
            asserts.push(assert);
        }
    }
    asserts
}

/// Thresholds by size.
type Values = Vec<(Size, Value)>;

/// Reads one assertion, and its thresholds from the sections of other sizes.
pub(super) fn assert(
    table: &mut Table<'_>,
    names: Names<'_>,
    sizes: Vec<(Size, Table<'_>)>,
) -> Option<(Values, Assert)> {
    let line = table.place().line();
    let name = table.optional::<String>("name");
    let control = table.or("control", false);
    let op = table.required::<Op>("op", "\"==\"");
    let Some(that) = table.required::<That>("that", "\"attached\"") else {
        table.give_up();
        return None;
    };
    let figure = figure(that.value, table, names);
    let value = value(that.value, table);
    let mut values = Vec::new();
    for (size, mut section) in sizes {
        values.extend(self::value(that.value, &mut section).map(|v| (size, v)));
        section.finish();
    }
    let word = table
        .optional::<String>("that")
        .map(|t| t.value)
        .unwrap_or_default();
    let assert = Assert {
        line,
        name: name.map_or_else(|| format!("{word} (line {line})"), |n| n.value),
        figure: figure?,
        op: op?.value,
        value: value?,
        control,
    };
    Some((values, assert))
}

fn figure(that: That, table: &mut Table<'_>, names: Names<'_>) -> Option<Figure> {
    Some(match that {
        That::Attached => Figure::Attached {
            tenant: tenant(table, names),
        },
        That::AttachRejects => Figure::AttachRejects {
            ues: names.optional_ues(table),
        },
        That::RejectCause => Figure::RejectCause {
            ue: names.one_ue(table)?,
        },
        That::RejectProtected => Figure::RejectProtected {
            ue: names.one_ue(table)?,
        },
        That::Address => Figure::Address {
            ue: names.one_ue(table)?,
        },
        That::TimeToCut(direction) => Figure::TimeToCut {
            ue: names.one_ue(table)?,
            direction,
        },
        That::ProbeTimeToCut => Figure::ProbeTimeToCut {
            ue: names.one_ue(table)?,
        },
        That::PacketsAfterCut => Figure::PacketsAfterCut {
            ue: names.one_ue(table)?,
        },
        That::ProbesAnswered => Figure::ProbesAnswered {
            ues: names.optional_ues(table),
            to: names.optional_destination(table),
        },
        That::ProbesRefused => Figure::ProbesRefused {
            ues: names.optional_ues(table),
            to: names.optional_destination(table),
        },
        That::ProbesUnexplained => Figure::ProbesUnexplained,
        That::TransfersIntact => Figure::TransfersIntact {
            tenant: tenant(table, names),
        },
        That::TransfersCorrupt => Figure::TransfersCorrupt,
        That::SentinelPackets => Figure::SentinelPackets {
            tenant: tenant(table, names),
        },
        That::Drops => Figure::Drops {
            reason: table.optional::<String>("reason").map(|r| r.value),
            tenant: tenant(table, names),
        },
        That::Events => Figure::Events {
            event: table
                .required::<String>("event", "\"location_updated\"")?
                .value,
        },
    })
}

fn tenant(table: &mut Table<'_>, names: Names<'_>) -> Option<String> {
    let name: At<String> = table.optional("tenant")?;
    known(
        "tenant",
        &name,
        names.lab.tenants.iter().map(|t| t.name.as_str()),
        table,
    )
}

/// The threshold, in the unit of its figure.
fn value(that: That, table: &mut Table<'_>) -> Option<Value> {
    Some(match that {
        That::TimeToCut(_) | That::ProbeTimeToCut => {
            Value::Time(table.required::<Duration>("value", "\"1s\"")?.value)
        }
        That::RejectCause => Value::Cause(table.required::<Cause>("value", "\"emm:8\"")?.value),
        That::RejectProtected => Value::Flag(table.required::<bool>("value", "true")?.value),
        That::Address => Value::Address(table.required::<IpAddr>("value", "\"10.20.0.5\"")?.value),
        _ => Value::Count(table.required::<u64>("value", "0")?.value),
    })
}
