//! A scenario file.

use core::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use heiiki_types::Protections;
use toml::de::DeValue;

use super::assert::asserts;
use super::lab::{Draft, network};
use super::names::unknown;
use super::step::steps;
use crate::file::mistake::{Kind, Source};
use crate::file::reader::{At, Fault, FromToml, Sink, Table, listed, parse};
use crate::file::{Assert, Lab, Scenario, SimRef, Size};

/// What `[size.NAME]` changes: counts of SIMs, and thresholds of assertions by name.
#[derive(Debug, Default)]
pub(super) struct Overrides<'a> {
    counts: Vec<(Size, At<String>, usize)>,
    values: RefCell<Vec<(Size, At<String>, Table<'a>)>>,
}

/// Names of SIMs, groups and tenants, resolved once.
#[derive(Debug)]
pub(super) struct Index {
    groups: BTreeMap<String, Vec<SimRef>>,
}

impl Index {
    pub(super) fn new(lab: &Lab) -> Self {
        let mut groups: BTreeMap<String, Vec<SimRef>> = BTreeMap::new();
        for (i, sim) in lab.sims.iter().enumerate() {
            // A SIM's own name may be that of its group: the group has this one SIM then.
            let mut names = vec!["all", &sim.name, &sim.group];
            names.dedup();
            for name in names {
                groups.entry(name.to_owned()).or_default().push(SimRef(i));
            }
        }
        for tenant in &lab.tenants {
            // A group that has the tenant's name goes before the tenant.
            if !groups.contains_key(&tenant.name) {
                let own = |(_, s): &(usize, &crate::file::Sim)| s.tenant == tenant.name;
                let members = lab.sims.iter().enumerate().filter(own);
                groups.insert(
                    tenant.name.clone(),
                    members.map(|(i, _)| SimRef(i)).collect(),
                );
            }
        }
        Self { groups }
    }

    /// The SIMs of a name: one of them, a group, a tenant's, or `all`.
    pub(super) fn sims(&self, name: &At<String>, sink: &Sink) -> Vec<SimRef> {
        if let Some(sims) = self.groups.get(&name.value) {
            sims.clone()
        } else {
            sink.add(unknown("SIM", name, self.groups.keys().map(String::as_str)));
            Vec::new()
        }
    }
}

/// `lab = "path"`, which is a text; `[lab]` is a section.
struct LabKey(Option<PathBuf>);

impl FromToml for LabKey {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
        match value {
            DeValue::Table(_) => Ok(Self(None)),
            DeValue::String(_) => PathBuf::from_toml(value).map(|p| Self(Some(p))),
            _ => Err(Fault::new(
                "this is neither a path nor a section",
                "write `lab = \"labs/office.toml\"`, or a section `[lab]`",
            )),
        }
    }
}

/// Reads a scenario at a size.
pub(in crate::file) fn scenario(
    source: &Arc<Source>,
    path: &Path,
    size: Size,
    sink: &Sink,
) -> Option<Scenario> {
    parse(source, sink, |mut root| {
        super::format(&mut root);
        let title = root.required::<String>("title", "\"what the scenario shows, in one line\"");
        let about = root.or("about", String::new());
        let seed = root.or("seed", 1);
        let overrides = sizes(&mut root);
        let (protections, weakened) = weaken(&mut root);

        let count = |group: &str| overrides.count(group, size);
        let mut draft = Draft::new();
        match root.optional::<LabKey>("lab") {
            Some(At {
                value: LabKey(Some(file)),
                place,
            }) => {
                let file = super::beside(path, &file);
                let source = super::open(&file, sink, Some(&place));
                source.and_then(|source| {
                    parse(&source, sink, |mut lab| {
                        super::format(&mut lab);
                        draft.network = Some(network(lab.table("lab")));
                        draft.read(&mut lab, &count);
                        lab.finish();
                        Some(())
                    })
                });
            }
            Some(_) => draft.network = Some(network(root.table("lab"))),
            None => draft.network = Some(network(None)),
        }
        draft.read(&mut root, &count);
        // Without a network, which a broken lab file has not, names cannot be resolved.
        let lab = draft.close()?;
        overrides.check_groups(&lab, sink);
        let index = Index::new(&lab);
        let steps = steps(&mut root, &lab, &index);
        let asserts = asserts(&mut root, &lab, &index, &overrides, size);
        overrides.check_asserts(&asserts, sink);
        root.finish();
        Some(Scenario {
            name: path
                .file_stem()
                .map_or_else(String::new, |s| s.to_string_lossy().into_owned()),
            title: title?.value,
            about,
            seed,
            size,
            lab,
            steps,
            asserts,
            protections,
            weakened,
        })
    })
}

impl<'a> Overrides<'a> {
    fn count(&self, group: &str, size: Size) -> Option<usize> {
        let of = |(s, g, _): &&(Size, At<String>, usize)| *s == size && g.value == group;
        self.counts.iter().find(of).map(|(_, _, count)| *count)
    }

    fn check_groups(&self, lab: &Lab, sink: &Sink) {
        for (_, group, _) in &self.counts {
            if !lab.sims.iter().any(|s| s.group == group.value) {
                let mut known: Vec<&str> = lab.sims.iter().map(|s| s.group.as_str()).collect();
                known.dedup();
                sink.add(unknown("[[sim]] entry", group, known.into_iter()));
            }
        }
    }

    /// The sections that change the threshold of the assertion `name`, taken out.
    pub(super) fn take(&self, name: &str) -> Vec<(Size, Table<'a>)> {
        let mut own = Vec::new();
        let mut values = self.values.borrow_mut();
        for (size, at, table) in core::mem::take(&mut *values) {
            if at.value == name {
                own.push((size, table));
            } else {
                values.push((size, at, table));
            }
        }
        own
    }

    /// Refuses the sections that no assertion has taken.
    fn check_asserts(&self, asserts: &[Assert], sink: &Sink) {
        for (_, name, _) in &*self.values.borrow() {
            let known = asserts.iter().map(|a| a.name.as_str());
            sink.add(unknown("assertion", name, known));
        }
    }
}

/// Reads `[size.ci]`, `[size.dev]` and `[size.full]`.
fn sizes<'a>(root: &mut Table<'a>) -> Overrides<'a> {
    let mut overrides = Overrides::default();
    let Some(mut table) = root.table("size") else {
        return overrides;
    };
    for (key, size) in [("ci", Size::Ci), ("dev", Size::Dev), ("full", Size::Full)] {
        let Some(mut section) = table.table(key) else {
            continue;
        };
        if let Some(sims) = section.table("sim") {
            for (group, mut keys) in sims.named_tables() {
                let count = keys.required::<usize>("count", "10");
                keys.finish();
                overrides
                    .counts
                    .extend(count.map(|c| (size, group, c.value)));
            }
        }
        if let Some(named) = section.table("assert") {
            let own = named.named_tables().into_iter();
            overrides
                .values
                .get_mut()
                .extend(own.map(|(name, keys)| (size, name, keys)));
        }
        section.finish();
    }
    table.finish();
    overrides
}

/// Reads `[weaken]`: the protections that are off, to prove that the checks behind them can fail.
fn weaken(root: &mut Table<'_>) -> (Protections, Vec<String>) {
    let mut protections = Protections::ALL;
    let Some(mut table) = root.table("weaken") else {
        return (protections, Vec::new());
    };
    let off = table.list::<String>("off").unwrap_or_default();
    let sink = table.sink();
    table.finish();
    for name in &off {
        let p = &mut protections;
        let switches = [
            ("source_check", &mut p.source_check),
            ("tenant_isolation", &mut p.tenant_isolation),
            ("ue_isolation", &mut p.ue_isolation),
            ("isolation", &mut p.isolation),
            ("infrastructure_deny", &mut p.infrastructure_deny),
            ("tunnel_deny", &mut p.tunnel_deny),
            ("router_guard", &mut p.router_guard),
            ("closed_egress", &mut p.closed_egress),
            ("bar", &mut p.bar),
            ("sim_state", &mut p.sim_state),
            ("auts_check", &mut p.auts_check),
            ("nas_integrity", &mut p.nas_integrity),
        ];
        let names = switches.each_ref().map(|(n, _)| *n);
        if let Some((_, switch)) = switches.into_iter().find(|(n, _)| *n == name.value) {
            *switch = false;
        } else {
            let help = match crate::file::nearest::nearest(name, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the protections are {}", listed(names)),
            };
            let problem = format!("there is no protection `{}`", name.value);
            sink.add(name.place.mistake(Kind::Reference, problem, help));
        }
    }
    (protections, off.into_iter().map(|n| n.value).collect())
}
